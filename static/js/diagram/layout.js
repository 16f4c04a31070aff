// @ts-check
/**
 * Where everything on the diagram goes, and the few tools to draw it with.
 *
 * One unit is one CSS pixel, more on a big screen and never less: the picture is laid out anew for
 * its room, so text keeps its size on a phone. Nodes stand in a row, in letter order; where the room
 * is too narrow they stand in several rows of equal length.
 */

/**
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {boolean} isNarrow a phone: smaller circles, condensed logs
 * @property {number} zoom CSS pixels in a unit
 * @property {number} radius of a node's circle
 * @property {boolean} hasLabelsInside whether role and term fit inside the circle
 * @property {number} columns nodes in a row
 * @property {number} rows rows of nodes
 * @property {number} columnWidth
 * @property {number} rowHeight from one row of nodes to the next
 * @property {number} sideHeight of the box around those on one side of a partition
 * @property {number} belt height under the circles that belongs to the arrows
 * @property {number} labelHeight room under a circle for labels that do not fit inside
 * @property {number} cellRows rows of cells in one log
 * @property {Record<string, Point & { column: number, row: number }>} nodes
 * @property {Record<string, Point & { width: number, height: number }>} clients centres
 */

const MARGIN = 10;
export const CELL_HEIGHT = 32;
/** A row of cells with its applied bar and a gap. */
export const CELL_PITCH = CELL_HEIGHT + 11;
/** Heading, terms, a note, the store and the discarded entries: everything of a log but its cells. */
const LOG_LINES_HEIGHT = 90;
/** Above a row of nodes, for the name of a partition's side. */
export const SIDE_NAME_HEIGHT = 24;
/** Under the logs, up to the lower edge of a partition's side. */
const SIDE_FOOT = 3;
/** From here on role and term can be read inside a circle. */
const LABELS_INSIDE_FROM = 46;

/** The last of these lines is seldom there: circles are as large as if it never were, where they can be. */
const LAST_LINE_HEIGHT = 12;
const LABELS_HEIGHT = 40;
const BELT_MIN = 42;
/** From the clients down to the circles. */
const APPROACH_MIN = 48;
const COLUMN_MIN = 84;
/** Lower rooms than these have one row of nodes, and one row of cells in a log. */
const TWO_ROWS_FROM = 720;
const TWO_CELL_ROWS_FROM = 430;

/** @param {number} low @param {number} value @param {number} high */
export const clamp = (low, value, high) => Math.max(low, Math.min(high, value));

/**
 * @param {number} roomWidth in CSS pixels
 * @param {number} roomHeight in CSS pixels; the picture may need more, see `Layout.height`
 * @param {string[]} nodes letters in order
 * @param {string[]} clients digits in order
 * @returns {Layout}
 */
export function layOut(roomWidth, roomHeight, nodes, clients) {
  const isNarrow = roomWidth < 620;
  const zoom = clamp(1, Math.min(roomWidth / 1080, roomHeight / 600), 1.7);
  const width = roomWidth / zoom;
  const height = roomHeight / zoom;
  // One row, even if a tight one, is seen whole where there is no height for two.
  const isTight = isNarrow || (height < TWO_ROWS_FROM && nodes.length * COLUMN_MIN <= width - 2 * MARGIN);
  const most = Math.max(1, Math.floor((width - 2 * MARGIN) / (isTight ? COLUMN_MIN : 100)));
  const rows = Math.ceil(nodes.length / most);
  const columns = Math.ceil(nodes.length / rows);
  const columnWidth = Math.min((width - 2 * MARGIN) / columns, 370);
  const cellRows = columnWidth < 170 && !isNarrow && height / rows >= TWO_CELL_ROWS_FROM ? 2 : 1;
  const logHeight = LOG_LINES_HEIGHT + cellRows * CELL_PITCH;
  const client = { width: clientWidth(width, clients.length), height: isNarrow ? 40 : 44 };
  const edge = isNarrow ? 8 : 12;
  // What is left for circles, the arrows under them, and the way down from the clients.
  const room = (height - client.height - 2 * edge) / rows;
  const free = room - logHeight + LAST_LINE_HEIGHT;

  const wished = Math.round(isNarrow ? clamp(26, columnWidth * 0.3, 36) : clamp(26, Math.min(columnWidth * 0.36, free * 0.19), 80));
  const spare = room - (LABELS_HEIGHT + BELT_MIN + logHeight + APPROACH_MIN + (rows > 1 ? SIDE_NAME_HEIGHT : 0) + SIDE_FOOT);
  const radius = isNarrow || wished >= LABELS_INSIDE_FROM ? wished : Math.round(clamp(26, spare / 2, wished));
  const hasLabelsInside = radius >= LABELS_INSIDE_FROM;
  const labelHeight = hasLabelsInside ? 4 : LABELS_HEIGHT;
  const belt = isNarrow || rows > 1 ? BELT_MIN : clamp(BELT_MIN, free * 0.2, 104);
  const ownHeight = 2 * radius + labelHeight + belt + logHeight;
  const rowHeight = ownHeight + (rows > 1 ? SIDE_NAME_HEIGHT + SIDE_FOOT : 0);
  const approach = isNarrow ? 56 : clamp(APPROACH_MIN, height - 2 * edge - client.height - rows * rowHeight, 200);
  const needed = edge + client.height + approach + (rows - 1) * rowHeight + ownHeight + SIDE_FOOT;
  const top = edge + (isNarrow ? 0 : clamp(0, (height - needed - edge) * 0.4, 60));

  /** @type {Layout} */
  const layout = {
    width, height: Math.max(isNarrow ? needed : height, needed), isNarrow, zoom, radius, hasLabelsInside,
    columns, rows, columnWidth, rowHeight, sideHeight: SIDE_NAME_HEIGHT + ownHeight, belt, labelHeight, cellRows, nodes: {}, clients: {},
  };
  clients.forEach((id, position) => {
    layout.clients[id] = { ...client, x: spread(width, clients.length, position, client.width), y: top + client.height / 2 };
  });
  const firstY = top + client.height + approach + radius;
  nodes.forEach((id, position) => {
    const row = Math.floor(position / columns);
    const inRow = Math.min(columns, nodes.length - row * columns);
    const column = position % columns;
    layout.nodes[id] = { x: Math.round(width / 2 + (column - (inRow - 1) / 2) * columnWidth), y: Math.round(firstY + row * rowHeight), column, row };
  });
  return layout;
}

/** @param {number} width @param {number} count */
function clientWidth(width, count) {
  return Math.floor(Math.min(156, (width - 2 * MARGIN) / count - 8));
}

/** @param {number} width @param {number} count @param {number} position @param {number} own */
function spread(width, count, position, own) {
  const pitch = Math.max(own + 8, Math.min((width - 2 * MARGIN) / count, 270));
  return Math.round(width / 2 + (position - (count - 1) / 2) * pitch);
}

// --- curves --------------------------------------------------------------------------------------

/**
 * The arrow between two nodes: an arc under the circles within a row, a bow between rows. Arcs to
 * farther nodes leave lower and dip deeper, so that they nest instead of crossing.
 * @param {Layout} layout @param {string} source @param {string} target
 * @param {boolean} [isInner] the way back, a little inside of the way there
 * @returns {Curve}
 */
export function nodeCurve(layout, source, target, isInner = false) {
  const a = layout.nodes[source];
  const b = layout.nodes[target];
  if (a.row !== b.row) return a.row < b.row ? betweenRows(layout, a, b, isInner) : reversed(betweenRows(layout, b, a, isInner));
  const side = Math.sign(b.x - a.x) || 1;
  const hops = Math.abs(b.column - a.column);
  const farness = layout.columns > 2 ? (hops - 1) / (layout.columns - 2) : 0;
  if (!layout.hasLabelsInside) return underLabels(layout, a, b, farness, isInner);
  const angle = ((52 - 24 * farness + (isInner ? 9 : 0)) * Math.PI) / 180;
  const reach = layout.radius + (isInner ? 4 : 6);
  const out = Math.sin(angle) * reach;
  const down = Math.cos(angle) * reach;
  const bottom = layout.radius + (layout.labelHeight + layout.belt) * (0.46 + 0.4 * farness) * (isInner ? 0.64 : 1);
  const depth = (bottom - down) / 0.75;
  const between = Math.abs(b.x - a.x) - 2 * out;
  const lean = Math.max(4, Math.min(between * (0.3 - 0.22 * farness), 90));
  return [
    { x: a.x + side * out, y: a.y + down },
    { x: a.x + side * (out + lean), y: a.y + down + depth },
    { x: b.x - side * (out + lean), y: b.y + down + depth },
    { x: b.x - side * out, y: b.y + down },
  ];
}

/**
 * An arc between small circles: beside each other they leave no room for one, so that it runs from
 * below one label to below the other, where nothing is written.
 * @param {Layout} layout @param {Point} a @param {Point} b @param {number} farness 0 to a neighbour, 1 to the farthest @param {boolean} isInner
 * @returns {Curve}
 */
function underLabels({ radius, labelHeight, belt, columnWidth }, a, b, farness, isInner) {
  const side = Math.sign(b.x - a.x) || 1;
  const out = Math.min(22, columnWidth * 0.18) - 12 * farness + (isInner ? 6 : 0);
  const top = radius + labelHeight + 3;
  const depth = (belt * (0.5 + 0.28 * farness) * (isInner ? 0.55 : 1)) / 0.75;
  const lean = Math.min(60, (Math.abs(b.x - a.x) - 2 * out) * (0.2 - 0.1 * farness));
  return [
    { x: a.x + side * out, y: a.y + top },
    { x: a.x + side * (out + lean), y: a.y + top + depth },
    { x: b.x - side * (out + lean), y: b.y + top + depth },
    { x: b.x - side * out, y: b.y + top },
  ];
}

/**
 * From one row down to another: through the space between two columns, past the logs.
 * @param {Layout} layout @param {Point & { column: number }} a @param {Point & { column: number }} b @param {boolean} isInner
 * @returns {Curve}
 */
function betweenRows(layout, a, b, isInner) {
  const { radius, labelHeight, hasLabelsInside, columns, columnWidth } = layout;
  const side = Math.sign(b.x - a.x) || (a.column < columns - 1 ? 1 : -1);
  // A curve goes three quarters of the way to where it is pulled.
  const pulled = a.x + side * (columnWidth * 0.66 + (isInner ? 7 : 0));
  const start = { x: a.x + side * (isInner ? 20 : 12), y: a.y + (hasLabelsInside ? radius + 6 : radius + labelHeight + 3) };
  const reach = radius + 7;
  const angle = b.x === a.x ? 0.6 : 0.25;
  const end = { x: b.x + (b.x === a.x ? side : -side) * Math.sin(angle) * reach, y: b.y - Math.cos(angle) * reach };
  const pull = (end.y - start.y) * 0.3;
  return [start, { x: pulled, y: start.y + pull }, { x: pulled, y: end.y - pull }, end];
}

/** @param {Curve} curve @returns {Curve} */
const reversed = ([a, b, c, d]) => [d, c, b, a];

/**
 * The way from a client down to a node.
 * @param {Layout} layout @param {string} client @param {string} node @param {number} [aside] pixels to the right
 * @returns {Curve}
 */
export function clientCurve(layout, client, node, aside = 0) {
  const from = layout.clients[client];
  const to = layout.nodes[node];
  const lean = clamp(-layout.radius * 0.45, (from.x - to.x) * 0.12, layout.radius * 0.45) + aside;
  const start = { x: from.x + aside, y: from.y + from.height / 2 + 3 };
  const end = { x: to.x + lean, y: to.y - Math.sqrt(layout.radius ** 2 - Math.min(lean ** 2, layout.radius ** 2 * 0.5)) - 12 };
  const pull = Math.max(24, (end.y - start.y) * 0.55);
  if (to.row > 0) {
    const between = to.x + (Math.sign(from.x - to.x) || 1) * layout.columnWidth * 0.6 + aside;
    return [start, { x: between, y: start.y + pull * 0.6 }, { x: between, y: end.y - pull * 0.6 }, end];
  }
  return [start, { x: start.x, y: start.y + pull }, { x: end.x + lean * 0.4, y: end.y - pull }, end];
}

/** Where the heading of a node's log begins, under the arrows. @param {Layout} layout @param {string} node */
export const logHeadingY = (layout, node) => layout.nodes[node].y + layout.radius + layout.labelHeight + layout.belt + 4;

/** Whether an address is a client's: digits, where a node's is a letter. @param {string} address */
export const isClient = (address) => address >= "0" && address <= "9";

/**
 * The way a message takes; `null` when one of its ends is not on the diagram (any more).
 * @param {Layout} layout @param {string} source @param {string} target @param {boolean} isReply
 * @returns {Curve | null}
 */
export function messageCurve(layout, source, target, isReply) {
  if (isClient(source)) return layout.clients[source] && layout.nodes[target] ? clientCurve(layout, source, target) : null;
  if (isClient(target)) {
    if (!layout.clients[target] || !layout.nodes[source]) return null;
    return reversed(clientCurve(layout, target, source, layout.isNarrow ? 9 : 14));
  }
  return layout.nodes[source] && layout.nodes[target] ? nodeCurve(layout, source, target, isReply) : null;
}

/** The point of a curve at `part` (0 to 1). @param {Curve} curve @param {number} part @returns {Point} */
export function pointOn([a, b, c, d], part) {
  const rest = 1 - part;
  const w0 = rest * rest * rest, w1 = 3 * rest * rest * part, w2 = 3 * rest * part * part, w3 = part * part * part;
  return { x: w0 * a.x + w1 * b.x + w2 * c.x + w3 * d.x, y: w0 * a.y + w1 * b.y + w2 * c.y + w3 * d.y };
}

/** @param {Curve} curve */
export function pathOf([a, b, c, d]) {
  const at = (/** @type {Point} */ point) => `${point.x.toFixed(1)},${point.y.toFixed(1)}`;
  return `M${at(a)}C${at(b)} ${at(c)} ${at(d)}`;
}

// --- drawing -------------------------------------------------------------------------------------

/**
 * A new SVG element inside `parent`.
 * @param {string} name @param {Record<string, string | number>} [attributes] @param {Element} [parent]
 * @returns {SVGElement}
 */
export function shape(name, attributes = {}, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, String(attributes[key]));
  parent?.append(element);
  return /** @type {SVGElement} */ (element);
}

/**
 * What a person takes hold of: an invisible shape over a figure, with its name for those who do not
 * see the figure. The words drawn below it are hidden from them, so that nothing is said twice.
 * @param {"circle" | "rect"} name @param {Element} root the figure so far @param {string} kind
 */
export function makeGrip(name, root, kind) {
  for (const drawn of root.children) drawn.setAttribute("aria-hidden", "true");
  return shape(name, { class: "grip", tabindex: 0, role: "button", "aria-haspopup": "menu", "data-kind": kind }, root);
}

/** Sets what differs, so that an unchanged picture costs no repaint. @param {Element} element @param {Record<string, string | number>} attributes */
export function set(element, attributes) {
  for (const key in attributes) {
    const value = String(attributes[key]);
    if (element.getAttribute(key) !== value) element.setAttribute(key, value);
  }
}

/** @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Element} element @param {boolean} isShown */
export function show(element, isShown) {
  if (isShown) element.removeAttribute("display");
  else if (element.getAttribute("display") !== "none") element.setAttribute("display", "none");
}

export const SANS = '"Inter","Noto Sans",system-ui,sans-serif';
export const MONO = '"JetBrains Mono","DejaVu Sans Mono",ui-monospace,monospace';
const pen = document.createElement("canvas").getContext("2d");
/** @type {Map<string, number>} */
const widths = new Map();

/** Width of a text in pixels, without touching the page's layout. @param {string} text @param {string} font as in CSS */
export function textWidth(text, font) {
  const key = font + text;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > 4000) widths.clear();
    if (pen) pen.font = font;
    width = pen ? pen.measureText(text).width : text.length * 7;
    widths.set(key, width);
  }
  return width;
}

/** The text, shortened with `…` to fit. @param {string} text @param {number} room @param {string} font */
export function fit(text, room, font) {
  if (textWidth(text, font) <= room) return text;
  let length = text.length;
  while (length > 1 && textWidth(`${text.slice(0, length)}…`, font) > room) length--;
  return `${text.slice(0, length)}…`;
}

/**
 * Elements kept by key: what stays is updated, what is new is made, what is gone waits for reuse.
 * @template F figure: whatever `make` returns, with its outermost element as `root`
 */
export class Keyed {
  /** @param {() => F & { root: SVGElement }} make */
  constructor(make) {
    this.make = make;
    /** @type {Map<string, F & { root: SVGElement, round: number }>} */
    this.used = new Map();
    /** @type {(F & { root: SVGElement, round: number })[]} */
    this.spare = [];
    this.round = 0;
  }

  /**
   * @template I
   * @param {Iterable<I>} items
   * @param {(item: I) => string} keyOf
   * @param {(figure: F & { root: SVGElement }, item: I, isNew: boolean) => void} draw
   */
  update(items, keyOf, draw) {
    this.round++;
    for (const item of items) {
      const key = keyOf(item);
      let figure = this.used.get(key);
      const isNew = figure === undefined;
      if (figure === undefined) {
        figure = this.spare.pop() ?? Object.assign(this.make(), { round: 0 });
        this.used.set(key, figure);
        show(figure.root, true);
      }
      figure.round = this.round;
      draw(figure, item, isNew);
    }
    for (const [key, figure] of this.used) {
      if (figure.round === this.round) continue;
      this.used.delete(key);
      this.spare.push(figure);
      show(figure.root, false);
    }
  }
}
