// @ts-check
/** The diagram as tables: the same facts for those who read rather than look. */
import { apart, lastIndex, operationWords, replicaOf, roleLabels, seconds } from "../store.js";

const REFRESH_MS = 400;
const OPERATIONS_SHOWN = 12;
/** Columns whose words may take more than one line. */
const LONG = ["Log", "Store", "Outcome", "Result"];
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;

/** Shows the tables in place of the diagram, or the diagram again. @param {Page} page */
export function toggleTable(page) {
  const host = /** @type {HTMLElement} */ (document.getElementById("table"));
  const diagram = /** @type {HTMLElement} */ (document.getElementById("diagram"));
  const isShown = host.hidden;
  host.hidden = !isShown;
  diagram.hidden = isShown;
  document.getElementById("show-table")?.setAttribute("aria-pressed", String(isShown));
  clearInterval(timer);
  if (!isShown) return;
  /** @type {ClusterState | null} */
  let drawn = null;
  const draw = () => {
    if (page.store.state === drawn || page.store.state === null) return;
    drawn = page.store.state;
    const tables = [nodeTable(drawn), messageTable(drawn), operationTable(drawn)];
    tables.forEach((fresh, position) => {
      const old = host.children[position];
      // The frames stay: whoever scrolled one or is in it by keyboard is not thrown out.
      if (old) old.replaceChildren(...fresh.children);
      else host.append(fresh);
    });
  };
  draw();
  timer = setInterval(draw, REFRESH_MS);
  host.tabIndex = 0;
  host.focus();
}

/** @param {ClusterState} state */
function nodeTable(state) {
  const labels = roleLabels(state);
  return table("Nodes", ["Node", "Role", "Term", "Log", "On disk", "Committed", "Applied", "Behind", "Store"], Object.keys(state.nodes).map((node) => {
    const replica = replicaOf(state, node);
    const isPaused = state.nodes[node].state === "paused";
    return [
      node, labels[node] + (isPaused ? ", paused" : ""), replica.term,
      lastIndex(replica) === 0 ? "empty" : `${lastIndex(replica)}: ${replica.log.slice(-5).map((entry) => entry.label).join(" ")}`,
      replica.flushed_index, replica.commit_index, replica.applied_index, apart(state, node).missing,
      Object.entries(replica.store).map(([key, { value }]) => `${key}=${value}`).join(" ") || "empty",
    ];
  }));
}

/** @param {ClusterState} state */
function messageTable(state) {
  const messages = Object.values(state.messages).slice(0, 40);
  return table("Messages on the way", ["Number", "Kind", "Carries", "From", "To", "Arrives"], messages.map((message) => [
    message.id, message.kind, message.label, message.source, message.target, message.dropped_us === null ? seconds(message.arrives_us) : `dropped: ${message.reason}`,
  ]));
}

/** @param {ClusterState} state */
function operationTable(state) {
  const operations = Object.values(state.operations).slice(-OPERATIONS_SHOWN).reverse();
  return table("Latest operations", ["Client", "Asked", "At", "Of", "Outcome", "Result"], operations.map((operation) => [
    operation.client, operationWords(operation), seconds(operation.called_us), operation.node ?? operation.target,
    operation.lost ? `acknowledged, lost: ${operation.lost_because ?? ""}` : operation.outcome,
    `${operation.result ?? ""}${operation.stale ? ` stale: ${operation.staleness ?? ""}` : ""}`,
  ]), (position) => operations[position].lost);
}

/** @param {string} title @param {string[]} heads @param {(string | number)[][]} rows @param {(position: number) => boolean} [isLost] */
function table(title, heads, rows, isLost = () => false) {
  const frame = Object.assign(document.createElement("div"), { className: "wide", tabIndex: 0 });
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", title);
  const element = document.createElement("table");
  element.createCaption().textContent = title;
  const head = element.createTHead().insertRow();
  for (const words of heads) head.append(Object.assign(document.createElement("th"), { textContent: words, scope: "col" }));
  const body = element.createTBody();
  rows.forEach((row, position) => {
    const line = body.insertRow();
    if (isLost(position)) line.className = "lost";
    row.forEach((value, column) => {
      const cell = line.insertCell();
      cell.textContent = String(value);
      if (LONG.includes(heads[column])) cell.className = "long";
    });
  });
  if (rows.length === 0) body.insertRow().append(Object.assign(document.createElement("td"), { textContent: "none", colSpan: heads.length }));
  frame.append(element);
  return frame;
}
