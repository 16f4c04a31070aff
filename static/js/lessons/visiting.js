// @ts-check
/** A cluster that is in a lesson, met on another page: says so, leads back, or lifts the lesson's limits. */
import { make } from "./questions.js";

const FOLDERS = { lesson: "lessons", interview: "interview", challenge: "challenges" };

export class Visiting {
  #shown = "";

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.bar = make("div", { className: "banner notice", hidden: true });
    this.bar.setAttribute("role", "status");
    document.getElementById("banner")?.after(this.bar);
    this.change();
  }

  change() {
    const { lesson } = this.page.store;
    const isFree = lesson?.place === "explore";
    const shown = lesson === null ? "" : `${lesson.id} ${isFree}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.bar.hidden = lesson === null;
    if (lesson === null) return;
    const back = make("a", { href: `/${FOLDERS[lesson.kind]}/${lesson.id}?step=${lesson.step}${lesson.language === null ? "" : `&language=${lesson.language}`}` }, "Back to it");
    const what = { lesson: "a lesson", interview: "an interview question", challenge: "a challenge" }[lesson.kind];
    if (isFree) return this.bar.replaceChildren(`You explore a cluster of ${what}. `, back);
    const free = make("button", { className: "button", type: "button" }, "Use it freely");
    free.addEventListener("click", () => void this.#free());
    this.bar.replaceChildren(`This cluster is in ${what}, which may not allow everything. `, back, " ", free);
  }

  async #free() {
    const answer = await this.page.connection.lesson({ action: "explore" });
    if (!answer.ok) this.page.say(answer.error?.says ?? "The server refused this.", "bad");
  }
}
