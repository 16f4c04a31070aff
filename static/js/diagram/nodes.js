// @ts-check
/**
 * The machines: a circle each, with its letter, role and term, and its log below.
 *
 * A cell of a log says five things without relying on colour: its outline is dashed while the entry
 * is only in memory and solid once flushed; a bar below means applied, a tick committed, a speech
 * bubble that the client was told OK; red, dashed and named is an acknowledged write that is lost.
 */
import { apartWords, lastIndex, majority, replicaOf, roleLabels } from "../store.js";
import { CELL_HEIGHT, CELL_PITCH, clamp, fit, Keyed, makeGrip, MONO, SANS, set, shape, show, textWidth, write } from "./layout.js";

/** @typedef {import("./layout.js").Layout} Layout */
/** @typedef {Record<"root" | "grip" | "halo" | "chosen" | "body" | "stripes" | "cross" | "bars" | "crown" | "letter" | "role" | "term", SVGElement>} NodeFigure */
/** @typedef {Record<"root" | "box" | "label" | "applied" | "tick" | "told", SVGElement>} CellFigure */
/** @typedef {{ root: SVGElement, text: SVGElement }} TextFigure */
/** @typedef {{ root: SVGElement, box: SVGElement, label: SVGElement }} TrayFigure */
/** @typedef {{ root: SVGElement, title: SVGElement, lag: SVGElement, note: SVGElement, store: SVGElement, trayTitle: SVGElement,
 *   terms: Keyed<TextFigure>, cells: Keyed<CellFigure>, tray: Keyed<TrayFigure> }} LogFigure */

const CROWN = "M-15,0l3,-13l7,7l5,-10l5,10l7,-7l3,13z";
const TERM_COLOURS = 6;
const CELL_GAP = 3;
/** The most discarded entries that are drawn. */
const TRAY_MAX = 5;

export class Nodes {
  /** @param {Element} layer */
  constructor(layer) {
    /** @type {Keyed<NodeFigure>} */
    this.figures = new Keyed(() => makeNode(layer));
  }

  /** @param {ClusterState} state @param {Layout} layout @param {string | null} selected */
  draw(state, layout, selected) {
    const labels = roleLabels(state);
    this.figures.update(Object.keys(state.nodes), (node) => node, (figure, node) => drawNode(figure, node, state, labels[node], layout, selected));
  }

  /** The element that stands for a node, to give it the focus. @param {string} node */
  element(node) {
    return this.figures.used.get(node)?.grip ?? null;
  }
}

/** @param {Element} layer @returns {NodeFigure} */
function makeNode(layer) {
  const root = shape("g", {}, layer);
  return {
    root,
    chosen: shape("circle", { class: "chosen" }, root),
    halo: shape("circle", { class: "halo" }, root),
    body: shape("circle", { class: "body" }, root),
    stripes: shape("circle", { class: "stripes" }, root),
    cross: shape("path", { class: "cross" }, root),
    bars: shape("path", { class: "bars" }, root),
    crown: shape("path", { class: "crown", d: CROWN }, root),
    letter: shape("text", { class: "letter" }, root),
    role: shape("text", { class: "role" }, root),
    term: shape("text", { class: "term" }, root),
    grip: makeGrip("circle", root, "node"),
  };
}

/** @param {NodeFigure} figure @param {string} node @param {ClusterState} state @param {string} label @param {Layout} layout @param {string | null} selected */
function drawNode(figure, node, state, label, layout, selected) {
  const { state: condition } = state.nodes[node];
  const replica = replicaOf(state, node);
  const { radius, hasLabelsInside } = layout;
  const isDead = condition === "dead";
  const isLeading = !isDead && replica.role === "leader";
  const isInside = hasLabelsInside && !isDead; // The cross would strike out what stands inside.
  const { x, y } = layout.nodes[node];
  set(figure.root, {
    "data-kind": "node", "data-id": node, // Its words outside the circle can be taken hold of as well.
    class: `node ${isDead ? "dead" : replica.role} ${condition}${label === "Old leader" ? " old" : ""}${node === selected ? " selected" : ""}`,
    transform: `translate(${x},${y})`,
  });
  set(figure.grip, { r: radius, "data-id": node, "aria-label": nodeName(state, node, label) });
  set(figure.body, { r: radius });
  set(figure.halo, { r: radius + 9 });
  set(figure.chosen, { r: radius + 14 });
  show(figure.halo, isLeading);
  show(figure.chosen, node === selected);
  show(figure.stripes, condition === "paused");
  set(figure.stripes, { r: radius - 2 });
  show(figure.cross, isDead);
  set(figure.cross, { d: cross(radius * 0.78), "stroke-width": Math.max(5, radius * 0.12) });
  show(figure.bars, condition === "paused");
  set(figure.bars, { d: "M-5,-7V7M5,-7V7", transform: `translate(${radius * 0.74},${-radius * 0.74})` });
  show(figure.crown, isLeading);
  const scale = radius / 64; // Of what stands inside a circle.
  set(figure.crown, { transform: `translate(0,${isInside ? -radius * 0.63 : -radius * 0.36}) scale(${isInside ? Math.min(1.15, scale).toFixed(2) : 0.72})` });

  const letterSize = isInside ? Math.round(26 * scale) : Math.round(clamp(18, radius * 0.6, 30));
  write(figure.letter, node);
  set(figure.letter, { y: Math.round(isInside ? (isLeading ? 5 : -1) * scale : letterSize * (isLeading ? 0.52 : 0.36)), "font-size": letterSize });
  write(figure.role, isDead ? `${node} · dead` : label);
  set(figure.role, { y: isInside ? Math.round((isLeading ? 25 : 20) * scale) : radius + (isLeading ? 25 : 19), "font-size": isInside ? clamp(12, Math.round(13 * scale), 15) : 13 });
  const was = replica.role === "leader" ? "was Leader" : `was ${replica.role}`;
  write(figure.term, isDead ? (layout.isNarrow ? was : `${was}, term ${replica.term}`) : termLine(state, replica, layout));
  set(figure.term, { y: isInside ? Math.round((isLeading ? 41 : 36) * scale) : radius + (isLeading ? 39 : 33), "font-size": isInside ? clamp(11, Math.round(11 * scale), 13) : 11 });
}

/** @param {number} arm */
const cross = (arm) => `M${-arm},${-arm}L${arm},${arm}M${arm},${-arm}L${-arm},${arm}`;

/** @param {ClusterState} state @param {Replica} replica @param {Layout} layout */
function termLine(state, replica, layout) {
  if (replica.handing_over_to) return `to ${replica.handing_over_to}, term ${replica.term}`;
  if (replica.role !== "candidate") return `term ${replica.term}`;
  const { needed, voters } = majority(state);
  return layout.hasLabelsInside || layout.columnWidth < 150 ? `${replica.votes.length} of ${voters}, needs ${needed}` : `term ${replica.term}: ${replica.votes.length} of ${voters}, needs ${needed}`;
}

/** What a screen reader says of a node. @param {ClusterState} state @param {string} node @param {string} label */
function nodeName(state, node, label) {
  const replica = replicaOf(state, node);
  const condition = state.nodes[node].state;
  const late = apartWords(state, node);
  const votes = replica.role === "candidate" ? `, ${replica.votes.length} votes` : "";
  return `Node ${node}, ${label}${condition === "paused" ? ", paused" : ""}, term ${replica.term}${votes}, ${lastIndex(replica)} entries${late === "" ? "" : `, ${late}`}`;
}

// --- logs ----------------------------------------------------------------------------------------

export class Logs {
  /** @param {Element} layer */
  constructor(layer) {
    /** @type {Keyed<LogFigure>} */
    this.figures = new Keyed(() => makeLog(layer));
  }

  /** @param {ClusterState} state @param {Layout} layout */
  draw(state, layout) {
    const view = logWindow(state, layout);
    this.figures.update(Object.keys(state.nodes), (node) => node, (figure, node) => drawLog(figure, node, state, layout, view));
  }
}

/**
 * Which indices all logs show: the same in each, so that a gap is seen as a gap.
 * @typedef {{ first: number, columns: number, rows: number, cellWidth: number, last: number }} LogWindow
 * @param {ClusterState} state @param {Layout} layout @returns {LogWindow}
 */
function logWindow(state, layout) {
  let last = 0;
  let widest = 0;
  const font = cellFont(layout);
  for (const node in state.nodes) {
    const { log } = replicaOf(state, node);
    last = Math.max(last, lastIndex(replicaOf(state, node)));
    for (const entry of log.slice(-8)) widest = Math.max(widest, textWidth(entry.label, font));
  }
  const room = layout.columnWidth - 14;
  const cellWidth = Math.round(clamp(layout.isNarrow ? 32 : Math.min(40, layout.columnWidth / 3.4), widest + 14, Math.min(96, room / 2 - CELL_GAP)));
  const most = Math.max(1, Math.min(10, Math.floor((room + CELL_GAP) / (cellWidth + CELL_GAP))));
  const rows = layout.cellRows;
  // They grow three cells at a time: with every entry all logs would move a little.
  const columns = rows > 1 ? most : Math.min(most, Math.ceil((last + 1) / 3) * 3);
  const shown = columns * rows;
  return { columns, rows, cellWidth, last, first: last < shown ? 1 : last - shown + 1 };
}

/** @param {Layout} layout */
const cellFont = (layout) => `${layout.isNarrow ? 11 : 12}px ${MONO}`;

/** @param {Element} layer @returns {LogFigure} */
function makeLog(layer) {
  const root = shape("g", { class: "log" }, layer);
  const line = (/** @type {string} */ name) => shape("text", { class: name }, root);
  return {
    root, title: line("title"), lag: line("lag"), note: line("note"), store: line("stored"), trayTitle: line("title"),
    terms: new Keyed(() => { const text = line("run"); return { root: text, text }; }),
    cells: new Keyed(() => makeCell(root)),
    tray: new Keyed(() => {
      const cell = shape("g", { class: "discarded" }, root);
      return { root: cell, box: shape("rect", { rx: 4, height: 20 }, cell), label: shape("text", { y: 14 }, cell) };
    }),
  };
}

/** @param {Element} layer @returns {CellFigure} */
function makeCell(layer) {
  const root = shape("g", {}, layer);
  return {
    root,
    box: shape("rect", { class: "box", rx: 5, height: CELL_HEIGHT }, root),
    label: shape("text", { class: "label", y: CELL_HEIGHT / 2 + 4.5 }, root),
    applied: shape("rect", { class: "applied", y: CELL_HEIGHT + 3, height: 3, rx: 1.5 }, root),
    tick: makeTick(root),
    told: shape("path", { class: "told", d: "M-5,-4.5h10v7h-5.4l-2.6,2.6v-2.6h-2z", transform: "translate(9,0)" }, root),
  };
}

/** @param {Element} layer */
function makeTick(layer) {
  const tick = shape("g", { class: "tick" }, layer);
  shape("circle", { r: 6 }, tick);
  shape("path", { d: "M-2.9,0.2L-0.9,2.4L3,-2.2" }, tick);
  return tick;
}

/** @param {LogFigure} figure @param {string} node @param {ClusterState} state @param {Layout} layout @param {LogWindow} common */
function drawLog(figure, node, state, layout, common) {
  const replica = replicaOf(state, node);
  const end = lastIndex(replica);
  // A log that ends before the common window would look empty: it shows its own end instead.
  const view = end < common.first && end > 0 ? { ...common, first: Math.max(1, end - common.columns * common.rows + 1), last: end - 1 } : common;
  const { x, y } = layout.nodes[node];
  const width = view.columns * (view.cellWidth + CELL_GAP) - CELL_GAP;
  const top = y + layout.radius + layout.labelHeight + layout.belt + 14;
  const isDead = state.nodes[node].state === "dead";
  set(figure.root, { transform: `translate(${Math.round(x - width / 2)},${Math.round(top)})`, class: isDead ? "log dead" : "log", "data-log": node });
  const slack = Math.max(0, layout.columnWidth - 8 - width) / 2; // Lines may be wider than the cells.
  const lag = apartWords(state, node);
  const lagWidth = lag === "" ? 0 : textWidth(lag, `600 11px ${SANS}`) + 8;
  const long = `log of ${node}, ${lastIndex(replica)} long`;
  write(figure.title, view.first > 1 && textWidth(long, `11px ${SANS}`) <= width + slack - lagWidth ? long : `log of ${node}`);
  write(figure.lag, lag);
  set(figure.lag, { x: Math.round(Math.max(width, textWidth(figure.title.textContent ?? "", `11px ${SANS}`) + lagWidth)) });

  drawTerms(figure, replica, view);
  const lostAt = drawCells(figure, replica, state, layout, view);
  const below = 24 + view.rows * CELL_PITCH;
  show(figure.note, lostAt !== null);
  if (lostAt !== null) {
    write(figure.note, "acked, lost");
    const half = textWidth("acked, lost", `600 11px ${SANS}`) / 2;
    set(figure.note, { x: clamp(half - slack, lostAt, Math.max(half, width + slack - half)), y: below + 7 });
  }
  const stored = isDead ? [] : Object.entries(replica.store).map(([key, { value }]) => `${key}=${value}`);
  write(figure.store, stored.length > 0 ? fit(`store ${stored.join(" ")}`, width + 2 * slack, `11px ${MONO}`) : "");
  const storeWidth = textWidth(figure.store.textContent ?? "", `11px ${MONO}`);
  set(figure.store, { x: Math.min(0, (width - storeWidth) / 2 + 0), y: below + (lostAt === null ? 10 : 24) });
  drawTray(figure, replica, state, layout, below + (lostAt === null ? 15 : 29), width + slack);
}

/** The term above the first cell of every run of one term; those of the lower row come after the last. @param {LogFigure} figure @param {Replica} replica @param {LogWindow} view */
function drawTerms(figure, replica, view) {
  const entries = replica.log.filter((entry) => entry.index >= view.first);
  const runs = entries.filter((entry, position) => position === 0 || entry.term !== entries[position - 1].term || (entry.index - view.first) % view.columns === 0);
  const inFirstRow = runs.filter((entry) => entry.index - view.first < view.columns);
  const later = [...new Set(runs.slice(inFirstRow.length).map(({ term }) => term))].filter((term) => term !== inFirstRow.at(-1)?.term);
  figure.terms.update(inFirstRow, (entry) => String(entry.index), ({ text }, entry) => {
    const column = entry.index - view.first;
    const next = inFirstRow.find((other) => other.index > entry.index);
    const cells = (next ? next.index : view.first + view.columns) - entry.index;
    const room = cells * (view.cellWidth + CELL_GAP) - CELL_GAP;
    const below = next === undefined && later.length > 0 ? later.join(", ") : "";
    const words = [`term ${entry.term}${below && `, then ${below}`}`, `t${entry.term}${below && `, ${below}`}`];
    write(text, words.find((each) => textWidth(each, `600 11px ${SANS}`) <= room) ?? `t${entry.term}`);
    set(text, { class: `run term-${termColour(entry.term)}`, x: column * (view.cellWidth + CELL_GAP), y: 15 });
  });
}

/** @param {number} term */
const termColour = (term) => ((term - 1) % TERM_COLOURS) + 1;

/**
 * @param {LogFigure} figure @param {Replica} replica @param {ClusterState} state @param {Layout} layout @param {LogWindow} view
 * @returns {number | null} where the middle of the last lost entry is
 */
function drawCells(figure, replica, state, layout, view) {
  const offset = replica.log.length > 0 ? replica.log[0].index : 1;
  const font = cellFont(layout);
  /** @type {number | null} */
  let lostAt = null;
  const slots = Array.from({ length: Math.min(view.columns * view.rows, Math.max(3, view.last - view.first + 2)) }, (_, position) => view.first + position);
  figure.cells.update(slots, String, (cell, index) => {
    const entry = replica.log[index - offset];
    const position = index - view.first;
    const x = (position % view.columns) * (view.cellWidth + CELL_GAP);
    set(cell.root, { transform: `translate(${x},${24 + Math.floor(position / view.columns) * CELL_PITCH})` });
    set(cell.box, { width: view.cellWidth });
    const operation = entry?.operation ? state.operations[entry.operation] : undefined;
    const isLost = operation?.lost === true && operation.index === index && operation.term === entry.term;
    if (isLost) lostAt = x + view.cellWidth / 2;
    const isFlushed = entry !== undefined && index <= replica.flushed_index;
    set(cell.root, { "data-operation": entry?.operation ?? "", class: entry === undefined ? "cell empty" : `cell term-${termColour(entry.term)} ${isFlushed ? "flushed" : "received"}${isLost ? " lost" : ""}` });
    write(cell.label, entry === undefined ? "" : fit(entry.label, view.cellWidth - 5, font));
    set(cell.label, { x: view.cellWidth / 2, "font-size": layout.isNarrow ? 11 : 12 });
    show(cell.applied, entry !== undefined && index <= replica.applied_index);
    set(cell.applied, { width: view.cellWidth });
    show(cell.tick, entry !== undefined && index <= replica.commit_index);
    set(cell.tick, { transform: `translate(${view.cellWidth - 6},0)` });
    // Told by whoever led: on the others' logs the mark would only repeat it.
    show(cell.told, replica.role === "leader" && operation !== undefined && operation.acknowledged_us !== null && operation.term === entry.term);
  });
  return lostAt;
}

/** What was taken out of this log, still to be seen. @param {LogFigure} figure @param {Replica} replica @param {ClusterState} state @param {Layout} layout @param {number} y @param {number} room */
function drawTray(figure, replica, state, layout, y, room) {
  const font = `11px ${MONO}`;
  const count = replica.discarded.length;
  const isLostEntry = (/** @type {DiscardedEntry} */ entry) => entry.operation !== null && state.operations[entry.operation]?.lost === true;
  show(figure.trayTitle, count > 0);
  write(figure.trayTitle, layout.isNarrow ? `gone ${count}` : count > 1 ? `discarded ${count}` : "discarded");
  set(figure.trayTitle, { y: y + 14 });
  let x = Math.ceil(textWidth(figure.trayTitle.textContent ?? "", `11px ${SANS}`)) + 7;
  // The newest ones, as many as there is room for.
  let left = room - x;
  const isRoomFor = (/** @type {string} */ text) => textWidth(text, font) + 10 <= room - x;
  const inWords = (/** @type {DiscardedEntry} */ entry) => `${entry.label} acked, lost`;
  const hasWords = !layout.isNarrow && replica.discarded.every((entry) => isRoomFor(inWords(entry)));
  const textOf = (/** @type {DiscardedEntry} */ entry) => (isLostEntry(entry) && hasWords ? inWords(entry) : entry.label);
  /** @type {DiscardedEntry[]} */
  const shown = [];
  for (const entry of replica.discarded.slice(-TRAY_MAX).reverse()) {
    left -= textWidth(textOf(entry), font) + 14;
    if (left < -4 && shown.length > 0) break;
    shown.unshift(entry);
  }
  figure.tray.update(shown, (entry) => String(replica.discarded.indexOf(entry)), (cell, entry) => {
    const isLost = isLostEntry(entry);
    const text = textOf(entry);
    const width = Math.min(textWidth(text, font) + 10, room);
    set(cell.root, { "data-operation": entry.operation ?? "", class: isLost ? "discarded lost" : "discarded", transform: `translate(${x},${y})` });
    set(cell.box, { width });
    set(cell.label, { x: width / 2 });
    write(cell.label, fit(text, width - 6, font));
    x += width + 4;
  });
}
