// @ts-check
/**
 * The line of time: where the moment shown is, who led when, and where something notable happened.
 * From here a person goes anywhere in the run, and on from there on a branch of its own.
 */
import { firstAfter, leaderOf, replicaOf, seconds } from "../store.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Record<MarkKind, string>} what a mark is called */
const NAMES = {
  election: "election", leader: "new leader", crash: "crash", ok: "acknowledgement",
  loss: "lost write", stale: "stale read", violation: "broken promise",
};
/** What "anything notable" means: acknowledgements are too many to be it. @type {MarkKind[]} */
const NOTABLE = ["election", "crash", "loss", "stale", "violation"];
/** Marks in the order they are painted, what matters most last; with the colour each has. @type {[MarkKind, string][]} */
const PAINTED = [["ok", "--ok"], ["stale", "--bad"], ["election", "--candidate"], ["crash", "--ink"], ["violation", "--bad"], ["loss", "--bad"]];
/** Stretches of leadership that are drawn. */
const BANDS_MAX = 400;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
/** Colours for terms, in turn. */
const TERM_COLOURS = 6;

export class Timeline {
  /** @type {{ from: number, term: number }[]} since when which term has a leader; term 0 for none */
  #bands = [];
  #banded = 0;
  /** Of which steps the bands are: the run, and the first step known. */
  #source = "";
  #isDragged = false;
  #drawn = "";

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    const scrub = /** @type {HTMLInputElement} */ (byId("scrub"));
    scrub.addEventListener("input", () => {
      this.#isDragged = true;
      page.pause();
      page.seek(Number(scrub.value) > Number(scrub.max) - Number(scrub.step) ? null : Number(scrub.value));
    });
    scrub.addEventListener("change", () => (this.#isDragged = false));
    scrub.addEventListener("keydown", (event) => {
      const direction = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (direction === undefined) return;
      event.preventDefault();
      page.stepBy(direction > 0 ? 1 : -1);
    });
    byId("jump-back").addEventListener("click", () => void this.#jump(-1));
    byId("jump-on").addEventListener("click", () => void this.#jump(1));
    byId("live").addEventListener("click", () => page.seek(null));
    byId("branch-here").addEventListener("click", () => void this.#branch());
    byId("skip-idle").addEventListener("click", () => {
      page.store.skipsIdle = !page.store.skipsIdle;
      byId("skip-idle").setAttribute("aria-pressed", String(page.store.skipsIdle));
      void page.connection.playback(page.store.skipsIdle ? "skip" : "dwell");
    });
    const branches = /** @type {HTMLSelectElement} */ (byId("branches"));
    branches.addEventListener("change", () => void page.connection.enter(Number(branches.value)).then((answer) => answer.ok || page.say(answer.error?.says ?? "", "bad")));
    new ResizeObserver(() => this.change()).observe(byId("scrub-line"));
    this.change();
  }

  /** After every change of the run or of the moment shown. */
  change() {
    const { store, viewUs } = this.page;
    if (store.newest === null) return;
    void this.page.recall();
    const scrub = /** @type {HTMLInputElement} */ (byId("scrub"));
    scrub.min = String(Math.floor(store.earliestUs / 1000) * 1000);
    scrub.max = String(store.nowUs);
    const shownUs = store.shownUs;
    if (!this.#isDragged) scrub.value = viewUs === null ? scrub.max : String(viewUs);
    scrub.setAttribute("aria-valuetext", viewUs === null ? `now, ${seconds(store.nowUs)}` : `${seconds(shownUs)} of ${seconds(store.nowUs)}`);
    document.body.classList.toggle("past", viewUs !== null);
    byId("live").hidden = byId("branch-here").hidden = viewUs === null;
    this.#listBranches();
    this.#paint(shownUs);
  }

  #listBranches() {
    const { branches, branch } = this.page.store;
    const select = /** @type {HTMLSelectElement} */ (byId("branches"));
    /** @type {HTMLElement} */ (select.parentElement).hidden = branches.length < 2;
    const words = branches.map((each) => `${"· ".repeat(depth(branches, each))}${each.name}${each.parent === null ? "" : ` from ${seconds(each.at_us)}`}`);
    if ([...select.options].map((option) => option.text).join("\n") !== words.join("\n")) {
      select.replaceChildren(...branches.map((each, position) => new Option(words[position], String(each.id))));
    }
    select.value = String(branch);
  }

  async #branch() {
    const { page } = this;
    if (page.viewUs === null) return;
    const answer = await page.connection.branch(page.viewUs);
    if (!answer.ok) page.say(answer.error?.says ?? "The server did not answer.", "bad");
    else page.say(`This is ${page.store.branches.at(-1)?.name ?? "a new branch"}. What came after stays on the branch you left.`);
  }

  /** @param {1 | -1} direction */
  async #jump(direction) {
    const { page } = this;
    await page.recall();
    const kind = /** @type {HTMLSelectElement} */ (byId("jump")).value;
    const marks = page.store.marks.filter((mark) => (kind === "any" ? NOTABLE.includes(mark.kind) : mark.kind === kind));
    const { shownUs } = page.store;
    const position = direction > 0 ? firstAfter(marks, shownUs) : firstAfter(marks, shownUs - 1) - 1;
    const mark = marks[position];
    const what = kind === "any" ? "nothing notable" : `no ${NAMES[/** @type {MarkKind} */ (kind)]}`;
    if (mark === undefined) return page.say(direction > 0 ? `There is ${what} after this moment.` : `There is ${what} before this moment.`);
    page.pause();
    page.seek(mark.at_us);
  }

  // --- the picture ---------------------------------------------------------------------------------

  /** Notes since when which term has a leader. */
  #foldBands() {
    const { store } = this.page;
    const source = `${store.run} ${store.steps[0]?.sequence}`;
    if (this.#source !== source || this.#banded > store.steps.length) [this.#source, this.#banded, this.#bands] = [source, 0, []];
    for (; this.#banded < store.steps.length; this.#banded++) {
      const { name, at_us } = store.steps[this.#banded];
      if (name !== "leader.started" && name !== "leader.stepped_down" && name !== "node.killed" && this.#banded > 0) continue;
      const state = store.stateAt(at_us);
      const leader = state && "nodes" in state ? leaderOf(state) : null;
      const term = state === null || leader === null ? 0 : replicaOf(state, leader).term;
      if (this.#bands.at(-1)?.term !== term) this.#bands.push({ from: at_us, term });
    }
    if (this.#bands.length > BANDS_MAX) this.#bands.splice(0, this.#bands.length - BANDS_MAX);
  }

  /** @param {number} shownUs */
  #paint(shownUs) {
    const { store } = this.page;
    const canvas = /** @type {HTMLCanvasElement} */ (byId("scrub-picture"));
    const { clientWidth: width, clientHeight: height } = canvas;
    const drawn = [width, height, store.sequence, store.steps.length, Math.round((shownUs / store.nowUs) * width), Math.round(store.nowUs / 1e5), document.documentElement.dataset.theme, prefersDark.matches].join();
    if (drawn === this.#drawn || width === 0) return;
    this.#drawn = drawn;
    this.#foldBands();
    const scale = devicePixelRatio;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim() || "#888";
    const from = store.earliestUs;
    const span = Math.max(1, store.nowUs - from);
    // The thumb's middle is what the picture is measured by.
    const x = (/** @type {number} */ us) => 8 + ((us - from) / span) * (width - 16);
    const middle = height / 2;
    context.fillStyle = colour("--line");
    context.fillRect(8, middle - 2, width - 16, 4);
    this.#bands.forEach(({ from: since, term }, position) => {
      if (term === 0) return;
      const until = this.#bands[position + 1]?.from ?? store.nowUs;
      context.fillStyle = colour(`--t${((term - 1) % TERM_COLOURS) + 1}`);
      context.fillRect(x(since), middle - 2, Math.max(1, x(until) - x(since)), 4);
      if (x(until) - x(since) > 44 && term > 0) {
        context.font = "10px Inter, system-ui, sans-serif";
        context.fillStyle = colour("--ink-3");
        context.fillText(`term ${term}`, x(since) + 3, height - 2);
      }
    });
    for (const [kind, name] of PAINTED) this.#paintMarks(context, kind, colour(name), x, middle);
    context.fillStyle = colour("--paper");
    context.globalAlpha = 0.6;
    context.fillRect(x(shownUs) + 1, 0, Math.max(0, width - x(shownUs)), height);
  }

  /**
   * A sign of its own for each kind, so that it is not the colour alone.
   * @param {CanvasRenderingContext2D} context @param {MarkKind} kind @param {string} colour
   * @param {(us: number) => number} x @param {number} middle
   */
  #paintMarks(context, kind, colour, x, middle) {
    context.fillStyle = context.strokeStyle = colour;
    context.lineWidth = 1.8;
    let last = -9;
    for (const mark of this.page.store.marks) {
      if (mark.kind !== kind || x(mark.at_us) - last < 2) continue;
      const at = (last = x(mark.at_us));
      context.beginPath();
      if (kind === "ok") context.rect(at - 0.5, middle - 6, 1, 3);
      else if (kind === "election") context.arc(at, middle, 4, 0, 7);
      else if (kind === "crash") {
        context.moveTo(at - 4, middle - 4);
        context.lineTo(at + 4, middle + 4);
        context.moveTo(at + 4, middle - 4);
        context.lineTo(at - 4, middle + 4);
        context.stroke();
      } else {
        context.moveTo(at, middle - 9);
        context.lineTo(at + 5, middle - (kind === "stale" ? 6 : 1));
        context.lineTo(at - 5, middle - (kind === "stale" ? 6 : 1));
      }
      context.fill();
    }
  }
}

/** How many branches a branch is away from the first. @param {Branch[]} branches @param {Branch} branch @returns {number} */
function depth(branches, branch) {
  const parent = branches.find((each) => each.id === branch.parent);
  return parent === undefined ? 0 : 1 + depth(branches, parent);
}
