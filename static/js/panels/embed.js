// @ts-check
/** The cluster in somebody else's page: it begins with the run that the frame's address names. */
import { openLink, whenReady } from "./opening.js";

export class Panel {
  /** @param {Page} page */
  constructor(page) {
    const { link = "", scenario = "" } = document.body.dataset;
    if (link !== "") void openLink(page, link);
    else if (scenario !== "") void whenReady(page).then(() => page.restart({ scenario }));
  }

  change() {}
}
