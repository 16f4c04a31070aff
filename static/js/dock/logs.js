// @ts-check
/**
 * The logs tab: every node's log with equal indexes below each other, so that what differs is seen.
 * Only the cells in sight exist.
 */
import { make } from "../panels/drawer.js";
import { apartWords, lastIndex, leaderOf, replicaOf, roleLabels, seconds } from "../store.js";
import { write } from "./rows.js";

/** A column's width in CSS pixels; the style sheet knows it as well. */
const PITCH = 68;
/** Where there is no room beside the logs for what the leader knows of each. */
const isNarrow = matchMedia("(max-width: 900px)");
const SPARE = 3;
const TERM_COLOURS = 6;

/** @typedef {{ node: string, index: number, entry: Entry, words: string, class: string, isCommitted: boolean, isDiscarded: boolean }} LogCell */

export class LogsTab {
  /** @type {ClusterState | null} */
  #state = null;
  #drawn = "";
  /** @type {Map<string, HTMLElement>} cells by node and index */
  #cells = new Map();
  /** @type {Map<string, { element: HTMLElement, head: HTMLElement, name: HTMLElement, about: HTMLElement, track: HTMLElement }>} */
  #rows = new Map();
  /** @type {Map<HTMLElement, LogCell>} */
  #meant = new Map();
  #first = 1;
  #last = 0;
  /** Of the scrolled frame: asked for when it changes, because asking makes the browser lay the page out. */
  #sight = { left: 0, width: 0, names: 240 };
  /** The cell that Tab goes to. */
  #active = "";

  /** @param {Page} page @param {() => void} redraw */
  constructor(page, redraw) {
    this.page = page;
    this.redraw = redraw;
    const corner = make("span", { className: "log-corner", textContent: "Node" });
    corner.setAttribute("role", "columnheader");
    this.indexes = make("div", { className: "log-line log-heads" }, corner);
    this.indexes.setAttribute("role", "row");
    this.table = make("div", { className: "log-grid" }, this.indexes);
    this.table.setAttribute("role", "grid");
    this.table.setAttribute("aria-label", "Logs of the nodes, by index");
    this.frameElement = make("div", { className: "log-frame" }, this.table);
    this.says = make("p", { className: "dock-says" });
    this.says.setAttribute("role", "status");
    this.element = make("div", { className: "dock-tab logs" }, this.frameElement, make("div", { className: "log-foot" }, legend(), this.says));
    const look = () => {
      const { scrollLeft, clientWidth } = this.frameElement;
      this.#sight = { left: scrollLeft, width: clientWidth, names: parseFloat(getComputedStyle(this.table).getPropertyValue("--names")) || 240 };
      redraw();
    };
    this.frameElement.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(this.frameElement);
    this.table.addEventListener("click", (event) => this.#choose(event.target));
    this.table.addEventListener("focusin", (event) => this.#reach(event.target));
    this.table.addEventListener("keydown", (event) => this.#key(event));
  }

  frame() {
    const { page, frameElement: frame } = this;
    const sight = this.#sight;
    const state = page.shownState();
    if (state === null) return;
    const drawn = [sight.left, sight.width, JSON.stringify(page.highlighted)].join();
    // Messages come and go all the time; logs do not.
    if (drawn === this.#drawn && this.#state !== null && state.nodes === this.#state.nodes && state.operations === this.#state.operations) return;
    this.#drawn = drawn;
    this.#state = state;
    // Whoever opens it sees the newest entries.
    const wasAtEnd = this.#last === 0 || sight.left + sight.width >= sight.names + (this.#last - this.#first + 1) * PITCH;
    const { last } = this.#measure(state);
    const hasGrown = last !== this.#last;
    this.#last = last;
    this.#draw(state);
    if (hasGrown && wasAtEnd) {
      frame.scrollLeft = frame.scrollWidth;
      this.redraw();
    }
  }

  /** @param {ClusterState} state */
  #measure(state) {
    const replicas = Object.keys(state.nodes).map((node) => replicaOf(state, node));
    const last = Math.max(0, ...replicas.map(lastIndex), ...replicas.flatMap((replica) => replica.discarded.slice(-50).map((entry) => entry.index)));
    this.#first = Math.min(...replicas.map((replica) => replica.log[0]?.index ?? Infinity), Math.max(1, last));
    return { last };
  }

  /** @param {ClusterState} state */
  #draw(state) {
    const sight = this.#sight;
    const count = Math.max(0, this.#last - this.#first + 1);
    const from = this.#first + Math.max(0, Math.floor(sight.left / PITCH) - SPARE);
    const to = Math.min(this.#last, from + Math.ceil(sight.width / PITCH) + 2 * SPARE);
    this.table.style.setProperty("--columns", String(count));
    this.table.setAttribute("aria-colcount", String(count + 1));
    const labels = roleLabels(state);
    const leader = leaderOf(state);
    /** @type {Set<string>} */
    const kept = new Set();
    for (let index = from; index <= to; index++) this.#drawHead(index, kept);
    const nodes = Object.keys(state.nodes);
    for (const node of nodes) {
      const row = this.#row(node);
      const replica = replicaOf(state, node);
      write(row.name, node);
      const late = apartWords(state, node);
      const known = leader === null ? undefined : replicaOf(state, leader).progress[node];
      const about = `${labels[node]}${state.nodes[node].state === "paused" ? ", paused" : ""}, term ${replica.term}${late === "" ? "" : `, ${late}`}${known === undefined || isNarrow.matches ? "" : ` · match ${known.match}, next ${known.next}`}`;
      write(row.about, about);
      row.element.dataset.state = state.nodes[node].state === "dead" ? "dead" : replica.role;
      const cells = cellsOf(state, node, leader, from, to);
      row.element.classList.toggle("has-discarded", cells.some((cell) => cell.isDiscarded));
      for (const cell of cells) this.#drawCell(row.track, cell, kept);
    }
    for (const [node, { element }] of this.#rows) {
      if (nodes.includes(node)) continue;
      element.remove();
      this.#rows.delete(node);
    }
    for (const [key, element] of this.#cells) {
      if (kept.has(key) || element === document.activeElement) continue;
      element.remove();
      this.#cells.delete(key);
      this.#meant.delete(element);
    }
    this.#offer();
  }

  /** @param {number} index @param {Set<string>} kept */
  #drawHead(index, kept) {
    const key = `# ${index}`;
    kept.add(key);
    let head = this.#cells.get(key);
    if (head === undefined) {
      head = make("span", { className: "log-index", textContent: String(index) });
      head.setAttribute("role", "columnheader");
      this.indexes.append(head);
      this.#cells.set(key, head);
    }
    head.style.setProperty("--at", String(index - this.#first));
  }

  /** @param {string} node */
  #row(node) {
    const known = this.#rows.get(node);
    if (known !== undefined) return known;
    const name = make("b");
    const about = make("small");
    const head = make("span", { className: "log-name" }, name, about);
    head.setAttribute("role", "rowheader");
    const track = make("span", { className: "log-track" });
    track.setAttribute("role", "presentation");
    const element = make("div", { className: "log-line" }, head, track);
    element.setAttribute("role", "row");
    const row = { element, head, name, about, track };
    this.#rows.set(node, row);
    const after = [...this.#rows.keys()].filter((other) => other < node).sort().at(-1);
    (after === undefined ? this.indexes : /** @type {{ element: HTMLElement }} */ (this.#rows.get(after)).element).after(element);
    return row;
  }

  /** @param {HTMLElement} track @param {LogCell} cell @param {Set<string>} kept */
  #drawCell(track, cell, kept) {
    const key = `${cell.node} ${cell.index} ${cell.isDiscarded ? "discarded" : ""}`;
    kept.add(key);
    let element = this.#cells.get(key);
    if (element === undefined) {
      element = make("span", { tabIndex: -1 }, make("span", { className: "log-value" }), make("small"), make("span", { className: "hidden" }));
      element.setAttribute("role", "gridcell");
      element.dataset.cell = key;
      track.append(element);
      this.#cells.set(key, element);
    }
    this.#meant.set(element, cell);
    const lit = this.page.highlighted?.operation;
    const className = `log-cell ${cell.class}${lit !== undefined && lit === cell.entry.operation ? " lit" : ""}`;
    if (element.className !== className) element.className = className;
    element.style.setProperty("--at", String(cell.index - this.#first));
    if (element.title === cell.words) return;
    element.title = cell.words;
    element.setAttribute("aria-colindex", String(cell.index - this.#first + 2));
    write(element.children[0], cell.entry.label);
    write(element.children[1], `t${cell.entry.term}`);
    write(element.children[2], ` ${cell.words}`);
  }

  // --- choosing --------------------------------------------------------------------------------------

  /** @param {EventTarget | null} target */
  #cellAt(target) {
    const element = target instanceof Element ? target.closest("[data-cell]") : null;
    return element instanceof HTMLElement ? this.#meant.get(element) : undefined;
  }

  /** @param {EventTarget | null} target */
  #choose(target) {
    const cell = this.#cellAt(target);
    if (cell === undefined) return;
    write(this.says, this.#sentence(cell));
    const { operation } = cell.entry;
    const isLit = operation === null || this.page.highlighted?.operation === operation;
    this.page.highlight(isLit ? null : { operation: /** @type {number} */ (operation) });
  }

  /** @param {LogCell} cell */
  #sentence({ words, entry }) {
    const operation = entry.operation === null ? undefined : this.#state?.operations[entry.operation];
    return operation === undefined ? words : `${words}. Asked by client ${operation.client} at ${seconds(operation.called_us)}.${operation.lost_because ? ` LOST: ${operation.lost_because}` : ""}`;
  }

  /** @param {EventTarget | null} target */
  #reach(target) {
    const cell = this.#cellAt(target);
    if (cell === undefined) return;
    this.#active = /** @type {HTMLElement} */ (/** @type {Element} */ (target).closest("[data-cell]")).dataset.cell ?? "";
    this.#offer();
    write(this.says, this.#sentence(cell));
  }

  /** Makes one cell the one that Tab goes to. */
  #offer() {
    const active = this.#meant.has(/** @type {HTMLElement} */ (this.#cells.get(this.#active))) ? this.#active : "";
    let first = active;
    for (const [key, element] of this.#cells) {
      if (!this.#meant.has(element)) continue;
      if (first === "") this.#active = first = key;
      element.tabIndex = key === first ? 0 : -1;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const cell = this.#cellAt(event.target);
    if (cell === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") this.#choose(event.target);
    else {
      const along = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      const down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (along === undefined && down === undefined) return;
      this.#go(cell, along ?? 0, down ?? 0);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {LogCell} cell @param {number} along @param {number} down */
  #go(cell, along, down) {
    const state = /** @type {ClusterState} */ (this.#state);
    const nodes = Object.keys(state.nodes);
    const node = nodes[Math.max(0, Math.min(nodes.length - 1, nodes.indexOf(cell.node) + down))];
    const { log } = replicaOf(state, node);
    if (log.length === 0) return;
    const index = Math.max(log[0].index, Math.min(log[log.length - 1].index, cell.index + along));
    const frame = this.frameElement;
    const left = (index - this.#first) * PITCH;
    const room = this.#sight.width - this.#sight.names - 16;
    if (left < frame.scrollLeft) frame.scrollLeft = left;
    else if (left + PITCH > frame.scrollLeft + room) frame.scrollLeft = left + PITCH - room;
    this.#sight.left = frame.scrollLeft;
    this.#draw(state);
    this.#cells.get(`${node} ${index} `)?.focus({ preventScroll: true });
  }
}

/** The cells of a node's log between two indexes, with what was taken out of it. @param {ClusterState} state @param {string} node @param {string | null} leader @param {number} from @param {number} to @returns {LogCell[]} */
function cellsOf(state, node, leader, from, to) {
  const replica = replicaOf(state, node);
  const leading = leader === null || leader === node ? null : replicaOf(state, leader).log;
  const offset = replica.log[0]?.index ?? 1;
  /** @type {LogCell[]} */
  const cells = [];
  for (let index = Math.max(from, offset); index <= to && index - offset < replica.log.length; index++) {
    const entry = replica.log[index - offset];
    const operation = entry.operation === null ? undefined : state.operations[entry.operation];
    const isLost = operation?.lost === true && operation.term === entry.term && operation.index === index;
    const theirs = leading?.[index - (leading[0]?.index ?? 1)];
    const isDivergent = leading !== null && index >= (leading[0]?.index ?? 1) && theirs?.term !== entry.term;
    const isFlushed = index <= replica.flushed_index;
    const isCommitted = index <= replica.commit_index;
    const isApplied = index <= replica.applied_index;
    const facts = [`${node}, index ${index}: ${entry.label}, term ${entry.term}`, isFlushed ? "on disk" : "in memory", isCommitted ? "committed" : "", isApplied ? "applied" : "", isDivergent ? `not in the log of ${leader}` : "", isLost ? "acknowledged and lost" : ""];
    cells.push({
      node, index, entry, words: facts.filter((fact) => fact !== "").join(", "), isCommitted, isDiscarded: false,
      class: `term-${((entry.term - 1) % TERM_COLOURS) + 1}${isFlushed ? " flushed" : ""}${isCommitted ? " committed" : ""}${isApplied ? " applied" : ""}${isDivergent ? " divergent" : ""}${isLost ? " lost" : ""}`,
    });
  }
  for (const entry of replica.discarded) {
    if (entry.index < from || entry.index > to) continue;
    const isLost = entry.operation !== null && state.operations[entry.operation]?.lost === true;
    cells.push({
      node, index: entry.index, entry, isCommitted: false, isDiscarded: true,
      words: `${node}, index ${entry.index}: ${entry.label}, term ${entry.term}, discarded (${entry.reason})${isLost ? ", acknowledged and lost" : ""}`,
      class: `gone${isLost ? " lost" : ""}`,
    });
  }
  return cells;
}

/** What the marks on a cell mean. */
function legend() {
  const mark = (/** @type {string} */ className, /** @type {string} */ words) => make("li", {}, make("span", { className: `log-cell sample ${className}` }), words);
  const list = make("ul", { className: "log-legend" }, mark("", "in memory"), mark("flushed", "on disk"), mark("flushed committed", "committed"), mark("flushed applied", "applied"), mark("flushed divergent", "not in the leader’s log"), mark("gone", "discarded"), mark("flushed lost", "told OK, lost"));
  list.setAttribute("aria-label", "Marks on a log entry");
  return list;
}
