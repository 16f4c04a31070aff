// @ts-check
/**
 * The events tab: what happened, newest first. What is told in words comes first; everything else that
 * the run recorded can be listed by its name.
 */
import { make } from "../panels/drawer.js";
import { provenance } from "../panels/provenance.js";
import { marked } from "../panels/story.js";
import { firstAfter, seconds } from "../store.js";
import { select } from "./operations.js";
import { Rows, write } from "./rows.js";
import { operationAt } from "./spacetime-model.js";
import { untold } from "./untold.js";

const REFRESH_MS = 120;
const KINDS = [["told", "What is told"], ["elections", "Elections"], ["faults", "Faults"], ["writes", "Writes"], ["reads", "Reads"], ["network", "Network"], ["all", "Everything"]];
/** @type {Record<string, string>} the kind of an event by the first word of its name */
const KIND_OF = {
  election: "elections", vote: "elections", prevote: "elections", leader: "elections", handover: "elections", term: "elections",
  node: "faults", link: "faults", network: "faults", entry: "writes", log: "writes", commit: "writes", write: "writes", store: "writes", read: "reads", message: "network",
};

export class EventsTab {
  #atMs = 0;
  #drawn = "";
  /** @type {Step[]} what the filters let through, oldest first */
  #list = [];
  /** Up to where the steps were looked through, and with which filters. */
  #scanned = 0;
  #filters = "";
  #version = -1;
  #shown = 0;
  /** @type {Lit | null} */
  #lit = null;
  #shownUs = 0;

  /** @param {Page} page @param {import("./feed.js").Feed} feed @param {() => void} redraw */
  constructor(page, feed, redraw) {
    this.page = page;
    this.feed = feed;
    this.kind = select("Kind of event", KINDS, redraw);
    this.search = /** @type {HTMLInputElement} */ (make("input", { type: "search", placeholder: "Search", spellcheck: false, autocomplete: "off" }));
    this.search.setAttribute("aria-label", "Search the events");
    this.search.addEventListener("input", redraw);
    this.count = make("span", { className: "hint" });
    this.count.setAttribute("role", "status");
    this.says = make("p", { className: "dock-says" });
    /** @type {Rows<Step>} */
    this.rows = new Rows({
      name: "Events, newest first", className: "event-rows", empty: "Nothing like this has happened yet.", heads: ["Time", "What happened", "Why"],
      key: (step) => step.sequence,
      fill: (row, cells, step) => this.#fill(row, cells, step),
      choose: (step) => this.#choose(step),
      reach: (step) => this.#tell(step),
    });
    this.element = make("div", { className: "dock-tab events" }, make("div", { className: "dock-tools" }, this.search, this.kind, this.count), this.rows.element, this.says);
  }

  /** @param {{ atMs: number }} moment */
  frame({ atMs }) {
    const { page } = this;
    const filters = `${this.kind.value} ${this.search.value.trim().toLowerCase()}`;
    const shownUs = page.shownUs();
    const drawn = [this.feed.version, page.store.sequence, shownUs, JSON.stringify(page.highlighted), filters].join();
    if (drawn === this.#drawn || (filters === this.#filters && page.isPlaying && atMs - this.#atMs < REFRESH_MS)) return;
    this.#atMs = atMs;
    this.#drawn = drawn;
    this.#shownUs = shownUs;
    this.#scan(filters);
    const count = page.viewUs === null ? this.#list.length : firstAfter(this.#list, shownUs);
    const onTop = Math.max(0, count - this.#shown);
    this.#shown = count;
    write(this.count, `${count.toLocaleString("en")} ${count === 1 ? "event" : "events"}`);
    this.rows.show(count, (position) => this.#list[count - 1 - position], onTop);
    this.#follow(count);
  }

  /** Looks through the steps that came since, or through all when the filters are others. @param {string} filters */
  #scan(filters) {
    const { store } = this.page;
    if (filters !== this.#filters || this.feed.version !== this.#version) {
      this.#filters = filters;
      this.#version = this.feed.version;
      this.#list = [];
      this.#scanned = 0;
      this.#shown = 0;
      this.rows.rewind();
    }
    const words = this.search.value.trim().toLowerCase();
    const kind = this.element.dataset.kind = this.kind.value;
    for (; this.#scanned < store.steps.length; this.#scanned++) {
      const step = store.steps[this.#scanned];
      if (this.#isOf(step, kind) && (words === "" || step.text?.toLowerCase().includes(words) || step.name.includes(words) || (step.text === null && untold(step, this.feed.space).toLowerCase().includes(words)))) this.#list.push(step);
    }
  }

  /** @param {Step} step @param {string} kind */
  #isOf(step, kind) {
    if (kind === "told") return step.text !== null;
    if (kind === "all") return true;
    // What is neither told nor to be put into words is only for those who want everything.
    if (step.text === null && untold(step, this.feed.space) === "") return false;
    const first = step.name.split(".")[0];
    if (first !== "operation" && first !== "request") return KIND_OF[first] === kind;
    const operation = operationOf(step);
    const isRead = operation !== null && this.feed.space.course(operation)?.operation.kind === "read";
    return kind === (isRead ? "reads" : "writes");
  }

  /** @param {HTMLElement} row @param {HTMLElement[]} cells @param {Step} step */
  #fill(row, cells, step) {
    if (row.dataset.tone === undefined) this.#write(row, cells, step);
    const { highlighted } = this.page;
    const { operation } = cells[1].dataset;
    row.classList.toggle("lit", highlighted !== null && (highlighted.sequence === step.sequence || (operation !== undefined && String(highlighted.operation) === operation)));
    const course = operation === undefined ? undefined : this.feed.space.course(operation);
    const isLost = course !== undefined && operationAt(course, this.#shownUs).lost;
    if (isLost === row.classList.contains("lost")) return;
    row.classList.toggle("lost", isLost);
    if (isLost) cells[1].prepend(make("b", { textContent: "LOST" }));
    else cells[1].querySelector("b")?.remove();
  }

  /** @param {HTMLElement} row @param {HTMLElement[]} cells @param {Step} step */
  #write(row, cells, step) {
    const { page } = this;
    row.dataset.tone = step.tone ?? (step.text === null ? "untold" : "info");
    row.classList.add("event");
    const operation = operationOf(step);
    // On the words alone: the card that explains it must not cover the buttons.
    if (operation !== null) cells[1].dataset.operation = operation;
    const time = make("button", { type: "button", className: "event-time", textContent: seconds(step.at_us), title: "Show this moment", tabIndex: -1 });
    time.addEventListener("click", () => page.seek(step.at_us));
    cells[0].append(time);
    const text = make("span", { className: "event-text" });
    if (step.text !== null) text.append(...marked(step.text));
    else text.append(`${untold(step, this.feed.space)} `, make("code", { className: "event-name", textContent: step.name }));
    cells[1].append(text);
    const why = make("button", { type: "button", className: "button small", textContent: "Why?", tabIndex: -1 });
    why.setAttribute("aria-label", `Why? ${step.text ?? step.name}`);
    // Of a row that says LOST it is the loss that has to be explained.
    why.addEventListener("click", () => page.why(step.sequence, row.classList.contains("lost") ? Number(operation) : undefined));
    cells[2].append(why);
  }

  /** @param {Step} step */
  #choose(step) {
    const { page } = this;
    const operation = operationOf(step);
    const isSame = page.highlighted?.sequence === step.sequence;
    this.#lit = isSame ? null : operation === null ? { sequence: step.sequence } : { sequence: step.sequence, operation: Number(operation) };
    page.highlight(this.#lit);
    this.#tell(step);
  }

  /** @param {Step} step */
  #tell(step) {
    const operation = operationOf(step);
    const course = operation === null ? undefined : this.feed.space.course(operation);
    const words = step.text ?? (untold(step, this.feed.space) || step.name);
    write(this.says, course === undefined ? words : `${words} ${provenance(operationAt(course, this.#shownUs)).join(" ")}`);
  }

  /** Scrolls to what was chosen elsewhere. @param {number} count */
  #follow(count) {
    const lit = this.page.highlighted;
    if (lit === this.#lit) return;
    this.#lit = lit;
    if (lit === null) return;
    const { operation } = lit;
    const position = this.#list.findLastIndex((step, at) => at < count && (step.sequence === lit.sequence || (operation !== undefined && operationOf(step) === String(operation))));
    if (position >= 0) this.rows.reveal(count - 1 - position);
  }
}

/** Which operation a step is about, if it is about one. @param {Step} step @returns {string | null} */
function operationOf(step) {
  for (const [, path, value] of step.patches) {
    if (path[0] === "operations" && path.length > 1) return String(path[1]);
    const made = /** @type {{ operation?: number | null } | null} */ (typeof value === "object" ? value : null);
    if (made?.operation) return String(made.operation);
  }
  return null;
}
