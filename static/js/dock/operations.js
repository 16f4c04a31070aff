// @ts-check
/** The operations tab: what clients asked for, newest first, and what became of it. */
import { make } from "../panels/drawer.js";
import { provenance } from "../panels/provenance.js";
import { duration, operationWords, seconds } from "../store.js";
import { Rows, write } from "./rows.js";
import { operationAt, problemOf } from "./spacetime-model.js";

/** @typedef {import("./spacetime-model.js").Course} Course */

const REFRESH_MS = 200;
const KINDS = [["", "All kinds"], ["write", "Writes"], ["read", "Reads"], ["cas", "Swaps"], ["delete", "Deletes"]];
/** @type {Record<NonNullable<ReturnType<typeof problemOf>>, string>} */
const VERDICTS = { lost: "✗ LOST", stale: "✗ stale", failed: "", unknown: "? may have happened" };

export class OperationsTab {
  #atMs = 0;
  #drawn = "";
  /** @type {Course[]} oldest first */
  #list = [];
  /** The time that the bars of the rows in sight are measured by. */
  #clients = "";
  #axis = { from: 0, to: 1 };
  #shownUs = 0;
  /** @type {number | null} */
  #lit = null;

  /** @param {Page} page @param {import("./feed.js").Feed} feed @param {() => void} redraw */
  constructor(page, feed, redraw) {
    this.page = page;
    this.feed = feed;
    const changed = () => {
      this.#drawn = "";
      this.rows.rewind();
      redraw();
    };
    this.client = select("Client", [["", "All clients"]], changed);
    this.kind = select("Kind", KINDS, changed);
    this.problems = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox" }));
    this.problems.addEventListener("change", changed);
    this.count = make("span", { className: "hint" });
    this.says = make("p", { className: "dock-says" });
    /** @type {Rows<Course>} */
    this.rows = new Rows({
      name: "Operations, newest first", className: "operation-rows", empty: "No such operation yet.",
      heads: ["No.", "Client", "What", "Asked", "Answered", "Time", "Outcome", "Verdict", "What the answer rests on"],
      key: (course) => course.operation.id,
      fill: (row, cells, course) => this.#fill(row, cells, course),
      choose: ({ operation }) => page.highlight(page.highlighted?.operation === operation.id ? null : { operation: operation.id }),
      reach: (course) => this.#tell(course),
      sight: (from, to) => this.#measure(from, to),
    });
    this.element = make("div", { className: "dock-tab operations" },
      make("div", { className: "dock-tools" }, this.client, this.kind, make("label", { className: "dock-check" }, this.problems, "Only problems"), this.count),
      this.rows.element, this.says);
  }

  /** @param {{ timeUs: number, atMs: number }} moment */
  frame({ atMs }) {
    const { page, feed } = this;
    const shownUs = page.shownUs();
    const drawn = [feed.version, page.store.sequence, shownUs, page.highlighted?.operation, this.client.value, this.kind.value, this.problems.checked].join();
    if (drawn === this.#drawn || (this.#drawn !== "" && page.isPlaying && atMs - this.#atMs < REFRESH_MS)) return;
    this.#atMs = atMs;
    this.#drawn = drawn;
    this.#shownUs = shownUs;
    this.#listClients();
    const before = this.#list[this.#list.length - 1];
    this.#list = feed.space.courses.filter((course) => this.#isListed(course));
    const onTop = before === undefined ? -1 : this.#list.length - 1 - this.#list.lastIndexOf(before);
    write(this.count, `${this.#list.length.toLocaleString("en")} of ${feed.space.courses.length.toLocaleString("en")}`);
    this.rows.show(this.#list.length, (position) => this.#list[this.#list.length - 1 - position], onTop < this.#list.length ? Math.max(0, onTop) : 0);
    this.#follow();
  }

  /** @param {Course} course */
  #isListed(course) {
    const { client, kind } = course.operation;
    if (course.from_us > this.#shownUs) return false;
    if (this.client.value !== "" && this.client.value !== client) return false;
    if (this.kind.value !== "" && this.kind.value !== kind) return false;
    return !this.problems.checked || problemOf(operationAt(course, this.#shownUs)) !== null;
  }

  #listClients() {
    const clients = [...this.feed.space.lanes.values()].filter((lane) => lane.isClient).map((lane) => lane.id);
    if (clients.join() === this.#clients) return;
    this.#clients = clients.join();
    const chosen = this.client.value;
    this.client.replaceChildren(new Option("All clients", ""), ...clients.map((id) => new Option(`Client ${id}`, id)));
    this.client.value = clients.includes(chosen) ? chosen : "";
  }

  /** The bars share an axis of whole seconds that holds every row in sight. @param {number} from @param {number} to */
  #measure(from, to) {
    let [first, last] = [Infinity, -Infinity];
    for (let position = from; position < to && position < this.#list.length; position++) {
      const course = this.#list[this.#list.length - 1 - position];
      first = Math.min(first, course.from_us);
      last = Math.max(last, Math.min(course.to_us, this.#shownUs));
    }
    if (first === Infinity) return;
    this.#axis = { from: Math.floor(first / 1e6) * 1e6, to: Math.max(Math.ceil(last / 1e6), Math.floor(first / 1e6) + 1) * 1e6 };
    write(/** @type {Element} */ (this.rows.heads.querySelector(":nth-child(6)")), `${this.#axis.from / 1e6} – ${this.#axis.to / 1e6} s`);
  }

  /** @param {HTMLElement} row @param {HTMLElement[]} cells @param {Course} course */
  #fill(row, cells, course) {
    const operation = operationAt(course, this.#shownUs);
    const problem = problemOf(operation);
    row.classList.toggle("lit", this.page.highlighted?.operation === operation.id);
    row.dataset.problem = problem ?? "";
    row.dataset.kind = operation.kind;
    const sentences = provenance(operation);
    const words = [
      String(operation.id), operation.client, operationWords(operation), seconds(operation.called_us),
      operation.returned_us === null ? "–" : seconds(operation.returned_us), "", outcomeWords(operation), problem === null ? "" : VERDICTS[problem], sentences.slice(1).join(" "),
    ];
    words.forEach((text, position) => position !== 5 && write(cells[position], text));
    cells[8].title = words[8];
    const bar = /** @type {HTMLElement} */ (cells[5].firstElementChild ?? cells[5].appendChild(make("span", { className: "course" })));
    const span = this.#axis.to - this.#axis.from;
    const to = Math.min(course.to_us, this.#shownUs);
    bar.style.left = `${((course.from_us - this.#axis.from) / span) * 100}%`;
    bar.style.width = `${Math.max(0, ((to - course.from_us) / span) * 100)}%`;
    bar.className = `course ${operation.returned_us === null ? "open" : ""}`;
    cells[5].title = operation.returned_us === null ? "" : duration(Math.round((operation.returned_us - operation.called_us) / 1000) * 1000);
  }

  /** @param {Course} course */
  #tell(course) {
    write(this.says, provenance(operationAt(course, this.#shownUs)).join(" "));
  }

  /** Scrolls to what was chosen elsewhere. */
  #follow() {
    const lit = this.page.highlighted?.operation ?? null;
    if (lit === this.#lit) return;
    this.#lit = lit;
    const position = this.#list.findLastIndex((course) => course.operation.id === lit);
    if (position < 0) return write(this.says, "");
    this.#tell(this.#list[position]);
    this.rows.reveal(this.#list.length - 1 - position);
  }
}

/** @param {Operation} operation */
function outcomeWords({ outcome, kind, result }) {
  if (outcome === "pending") return "waiting";
  if (outcome === "ok") return kind === "read" ? `OK: ${result ?? "nothing"}` : "OK";
  return outcome === "failed" ? "refused" : "no answer";
}

/** @param {string} name @param {string[][]} options @param {() => void} changed */
export function select(name, options, changed) {
  const element = /** @type {HTMLSelectElement} */ (make("select", {}, ...options.map(([value, words]) => new Option(words, value))));
  element.setAttribute("aria-label", name);
  element.addEventListener("change", changed);
  return element;
}
