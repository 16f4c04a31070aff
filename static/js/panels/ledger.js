// @ts-check
/**
 * The ledger: one row for every write, with where it went and what became of it. Received, on disk,
 * applied and committed stand apart from what the client was told, because they are different facts.
 */
import { light } from "../diagram/spotlight.js";
import { seconds } from "../store.js";
import { closeDrawer, make, openDrawer, shownName } from "./drawer.js";
import { whyWrite } from "./why.js";

const STAGES = /** @type {const} */ ([["received_us", "received"], ["flushed_us", "on disk"], ["applied_us", "applied"]]);
const button = () => document.getElementById("show-ledger");

/** Opens the ledger, or closes it. @param {Page} page */
export function toggleLedger(page) {
  if (shownName() === "ledger") closeDrawer();
  else new Ledger(page);
}

class Ledger {
  /** @type {LifeLine[]} */
  #lines = [];
  /** @type {number | null} the write that is lit */
  #chosen = null;
  /** @type {Map<number, { row: HTMLTableRowElement, drawn: string }>} */
  #rows = new Map();
  #heads = "";
  /** Which writes are listed: `all` or `lost`. */
  #kind = "all";

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.table = document.createElement("table");
    this.head = this.table.createTHead();
    this.rows = this.table.createTBody();
    this.drawer = openDrawer(page, "ledger", "Ledger of writes", {
      refresh: () => void this.#ask(),
      origin: button,
      closed: () => button()?.setAttribute("aria-expanded", "false"),
    });
    button()?.setAttribute("aria-expanded", "true");
    this.table.setAttribute("aria-labelledby", "drawer-title");
    this.says = make("p", { className: "hint", textContent: "Fetching the ledger…" });
    this.kinds = make("div", { className: "ledger-kinds" }, ...["all", "lost"].map((kind) => {
      const chip = make("button", { type: "button", className: "chip", textContent: kind === "all" ? "All" : "Lost" });
      chip.dataset.kind = kind;
      chip.addEventListener("click", () => {
        this.#kind = kind;
        this.#draw();
      });
      return chip;
    }));
    this.kinds.setAttribute("role", "group");
    this.kinds.setAttribute("aria-label", "Which writes");
    this.drawer.title.after(this.kinds, this.says);
    this.drawer.body.append(this.table);
    Object.assign(this.drawer.body, { tabIndex: 0 });
    this.drawer.body.setAttribute("role", "region");
    this.drawer.body.setAttribute("aria-label", "Writes, newest first");
    this.drawer.body.focus({ preventScroll: true });
    void this.#ask();
  }

  async #ask() {
    const answer = await this.page.connection.ledger();
    if (!this.drawer.element.isConnected) return;
    if (!answer.ok) return void (this.says.textContent = answer.error?.says ?? "The ledger could not be fetched.");
    this.#lines = answer.lines ?? [];
    this.#draw();
  }

  #draw() {
    const { store } = this.page;
    const known = this.#lines.filter((line) => line.called_us <= store.shownUs).map((line) => (store.viewUs === null ? line : asOf(line, store.viewUs, store.state)));
    const lines = this.#kind === "all" ? known : known.filter((line) => line.lost_because !== null);
    const nodes = [...new Set([...Object.keys(this.page.store.state?.nodes ?? {}), ...lines.flatMap(({ entries }) => entries.flatMap(({ copies }) => Object.keys(copies)))])].sort();
    const lost = known.filter((line) => line.lost_because !== null).length;
    for (const chip of this.kinds.children) {
      const isAll = chip.getAttribute("data-kind") === "all";
      const words = isAll ? `All ${known.length}` : `Lost ${lost}`;
      if (chip.textContent !== words) chip.textContent = words;
      chip.setAttribute("aria-pressed", String(isAll === (this.#kind === "all")));
    }
    this.says.textContent = known.length === 0 ? "No write was asked for yet." : `${known.length} ${known.length === 1 ? "write" : "writes"}${store.viewUs === null ? "" : ` by ${seconds(store.viewUs)}`}, newest first${lost > 0 ? `; ${lost} told OK and then LOST` : ""}`;
    this.#drawHeads(nodes);
    for (const [id, { row }] of this.#rows) {
      if (lines.some((line) => line.operation === id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    /** @type {Element | null} */
    let before = null;
    for (const line of lines) {
      const { row } = this.#drawRow(line, nodes);
      if (before === null ? this.rows.firstElementChild !== row : before.nextElementSibling !== row) {
        if (before === null) this.rows.prepend(row);
        else before.after(row);
      }
      before = row;
    }
  }

  /** @param {string[]} nodes */
  #drawHeads(nodes) {
    if (this.#heads === nodes.join()) return;
    this.#heads = nodes.join();
    const heads = ["Write", "Fate", "Called", "In the leader’s log", ...nodes.map((node) => `On ${node}`), "Committed", "OK sent", "Client told"];
    const row = document.createElement("tr");
    row.append(...heads.map((words) => make("th", { scope: "col", textContent: words })));
    this.head.replaceChildren(row);
  }

  /** @param {LifeLine} line @param {string[]} nodes */
  #drawRow(line, nodes) {
    const drawn = JSON.stringify([line, nodes]);
    let held = this.#rows.get(line.operation);
    if (held === undefined) {
      held = { row: document.createElement("tr"), drawn: "" };
      this.#rows.set(line.operation, held);
      held.row.dataset.operation = String(line.operation);
      held.row.addEventListener("click", () => this.#choose(line.operation));
      const choose = make("button", { type: "button", className: "tab write-name" });
      choose.setAttribute("aria-pressed", "false");
      held.row.append(make("th", { scope: "row" }, choose));
    }
    if (held.drawn === drawn) return held;
    held.drawn = drawn;
    const { row } = held;
    const fate = fateOf(line);
    row.className = fate.tone;
    if (fate.tone === "lost" || fate.tone === "doubt") fate.cell.firstElementChild?.after(whyWrite(this.page, line.operation, line.label));
    const name = /** @type {HTMLElement} */ (row.querySelector("button"));
    name.replaceChildren(make("code", { textContent: line.label }), ` client ${line.client}`);
    while (row.childElementCount > 1) row.lastElementChild?.remove(); // The button stays: it may have the focus.
    row.append(fate.cell, cell(seconds(line.called_us)), cell(...each(line, ({ index, term, created_by, created_us }) => `index ${index}, term ${term}, by ${created_by} at ${seconds(created_us)}`)));
    for (const node of nodes) row.append(copiesCell(line, node));
    row.append(cell(...each(line, ({ committed_us }) => (committed_us === null ? "–" : seconds(committed_us)))));
    row.append(cell(line.confirmed_us === null ? "–" : `${seconds(line.confirmed_us)}${line.confirmed_by ? ` by ${line.confirmed_by}` : ""}`), cell(told(line)));
    return held;
  }

  /** Lights a write everywhere; the same once more puts the light out. @param {number} operation */
  #choose(operation) {
    this.#chosen = this.#chosen === operation ? null : operation;
    for (const [id, { row }] of this.#rows) row.querySelector("button")?.setAttribute("aria-pressed", String(id === this.#chosen));
    light(this.page.store.state, this.#chosen === null ? [] : [this.#chosen]);
  }
}

/** What was known of a write at a moment of the past. @param {LifeLine} line @param {number} us @param {ClusterState | null} state the run then @returns {LifeLine} */
function asOf(line, us, state) {
  const then = (/** @type {number | null} */ at) => (at !== null && at <= us ? at : null);
  const returned_us = then(line.returned_us);
  const entries = line.entries.filter(({ created_us }) => created_us <= us).map((entry) => ({
    ...entry, committed_us: then(entry.committed_us),
    copies: Object.fromEntries(Object.entries(entry.copies).filter(([, copy]) => then(copy.received_us) !== null).map(([node, copy]) => [node, {
      received_us: copy.received_us, flushed_us: then(copy.flushed_us), applied_us: then(copy.applied_us), gone_us: then(copy.gone_us), gone_because: then(copy.gone_us) === null ? null : copy.gone_because,
    }])),
  }));
  const lost_because = state?.operations[line.operation]?.lost ? line.lost_because : null;
  const is_present = lost_because === null && entries.some(({ copies }) => Object.values(copies).some((copy) => copy.gone_us === null));
  const confirmed_us = then(line.confirmed_us);
  return { ...line, entries, returned_us, confirmed_us, confirmed_by: confirmed_us === null ? null : line.confirmed_by, outcome: returned_us === null ? "pending" : line.outcome, is_present, lost_because, surprise: returned_us === null ? null : line.surprise };
}

/** A table cell, one line for each word. @param {...(string | Node)} lines */
function cell(...lines) {
  return make("td", {}, ...(lines.length === 0 ? ["–"] : lines.map((line) => make("div", {}, line))));
}

/** @param {LifeLine} line @param {(entry: LifeLine["entries"][number]) => string} words */
const each = ({ entries }, words) => entries.map(words);

/** @param {LifeLine} line */
function told({ outcome, returned_us }) {
  if (outcome === "pending") return "waiting";
  if (outcome === "unknown") return "nothing: unknown";
  return `${outcome === "ok" ? "OK" : "refused"}${returned_us === null ? "" : ` at ${seconds(returned_us)}`}`;
}

/** What became of a write. @param {LifeLine} line @returns {{ tone: string, cell: HTMLElement }} */
function fateOf(line) {
  const { lost_because: because, surprise, outcome, is_present: isPresent, entries } = line;
  const fate = (/** @type {string} */ tone, /** @type {string} */ word, /** @type {string} */ sentence = "") =>
    ({ tone, cell: make("td", { className: "fate" }, make("b", { textContent: word }), ...(sentence ? [make("span", { textContent: sentence })] : [])) });
  if (because !== null) return fate("lost", "✗ LOST", because);
  if (surprise !== null) return fate("doubt", "? unknown, yet present", surprise);
  if (outcome === "pending") return fate("", isPresent ? "in the log, not answered" : "on its way");
  if (outcome === "unknown") return fate("doubt", isPresent ? "? unknown, yet present" : "? unknown, not in the log");
  if (outcome === "failed") return fate("", isPresent ? "refused, yet present" : "refused");
  if (!isPresent) return fate("", "no longer needed");
  // Until a majority holds it, whoever is elected next decides.
  return entries.some(({ committed_us }) => committed_us !== null) ? fate("good", "✓ survived") : fate("doubt", "told OK, not yet committed");
}

/** The copies of a write on one node, each as a small cell of its log. @param {LifeLine} line @param {string} node */
function copiesCell(line, node) {
  const copies = line.entries.flatMap(({ copies: all }) => all[node] ?? []);
  if (copies.length === 0) return make("td", {}, make("span", { className: "hidden", textContent: "never received" }), blank("–"));
  return make("td", {}, ...copies.map((copy) => {
    const words = STAGES.flatMap(([stage, word]) => (copy[stage] === null ? [] : `${word} ${seconds(copy[stage])}`));
    if (copy.gone_us !== null) words.push(`gone ${seconds(copy.gone_us)}${copy.gone_because ? ` (${copy.gone_because})` : ""}`);
    const latest = copy.gone_us ?? copy.applied_us ?? copy.flushed_us ?? copy.received_us;
    const mark = make("span", { className: `copy${copy.flushed_us === null ? "" : " flushed"}${copy.applied_us === null ? "" : " applied"}${copy.gone_us === null ? "" : " gone"}` });
    const line = make("div", { className: "copy-line", title: words.join("\n") }, make("span", { className: "hidden", textContent: words.join(", ") }), mark, blank(latest === null ? "" : seconds(latest)));
    mark.setAttribute("aria-hidden", "true");
    return line;
  }));
}

/** Words for the eye alone: the hidden ones beside them say more. @param {string} words */
function blank(words) {
  const element = make("span", { textContent: words });
  element.setAttribute("aria-hidden", "true");
  return element;
}
