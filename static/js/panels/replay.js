// @ts-check
/** What a recorded run needs besides the diagram: it begins at its beginning, and so it does again. */

export class Panel {
  #hasBegun = false;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    const play = page.play.bind(page);
    page.play = () => {
      if (page.viewUs === null) page.seek(page.store.earliestUs);
      play();
    };
    this.change();
  }

  change() {
    const { store } = this.page;
    if (this.#hasBegun || store.newest === null || store.steps.length === 0) return;
    this.#hasBegun = true;
    this.page.seek(store.earliestUs);
  }
}
