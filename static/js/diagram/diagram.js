// @ts-check
/**
 * The diagram: a function of (state, time), drawn in two layers. The lower one changes with the
 * state; the upper one holds what moves with time (messages, election rings), so that a frame
 * repaints only that. It knows nothing of the socket, the panels or the rules of replication.
 */
import { lackers, leaderOf, majority, operationWords, replicaOf, seconds } from "../store.js";
import { fit, Keyed, layOut, makeGrip, SANS, SIDE_NAME_HEIGHT, set, shape, textWidth, write } from "./layout.js";
import { Logs, Nodes } from "./nodes.js";
import { Links, Messages } from "./wires.js";

/** @typedef {import("./layout.js").Layout} Layout */
/** @typedef {{ root: SVGElement, ring: SVGElement, node: string, replica: Replica | null, left: string }} RingFigure */
/** @typedef {{ root: SVGElement, box: SVGElement, name: SVGElement, last: SVGElement, grip: SVGElement }} ClientFigure */
/** @typedef {{ root: SVGElement, area: SVGElement, name: SVGElement }} RegionFigure */

const HEADS = ["replication", "election", "reading", "writing", "idle"];
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

export class Diagram {
  /** @type {ClusterState | null} */
  #state = null;
  /** @type {string | null} */
  #selected = null;
  /** @type {Layout | null} */
  #layout = null;
  #size = { width: 0, height: 0 };
  #cast = "";
  #isStale = true;

  /**
   * @param {HTMLElement} host an element whose size is the room for the picture
   * @param {{ choose(target: Target, at: Point, element: Element): void, redraw(): void }} listener
   */
  constructor(host, listener) {
    this.host = host;
    this.below = this.#canvas("still");
    this.above = this.#canvas("moving");
    addDefinitions(this.below);
    const layer = (/** @type {SVGElement} */ svg, /** @type {string} */ name) => shape("g", { class: name }, svg);
    /** @type {Keyed<RegionFigure>} */
    this.regions = new Keyed(makeRegion(layer(this.below, "regions")));
    this.links = new Links(layer(this.below, "links"), layer(this.below, "handles"));
    /** @type {Keyed<ClientFigure>} */
    this.clients = new Keyed(makeClient(layer(this.below, "clients")));
    const logs = layer(this.below, "logs");
    logs.setAttribute("aria-hidden", "true"); // Loose words in a reader's ear; the table says them in order.
    this.logs = new Logs(logs);
    this.nodes = new Nodes(layer(this.below, "nodes"));
    /** @type {Keyed<RingFigure>} */
    this.rings = new Keyed(makeRing(layer(this.above, "rings")));
    this.messages = new Messages(layer(this.above, "messages"), (node) => this.#focusNode(node));
    this.#listen(listener);
  }

  /** @param {string} name */
  #canvas(name) {
    const svg = shape("svg", { class: name }, this.host);
    return svg;
  }

  /** @param {{ choose(target: Target, at: Point, element: Element): void, redraw(): void }} listener */
  #listen(listener) {
    new ResizeObserver(([entry]) => {
      this.#size = { width: Math.floor(entry.contentRect.width), height: Math.floor(entry.contentRect.height) };
      this.#isStale = true;
      listener.redraw();
    }).observe(this.host);
    stillness.addEventListener("change", () => {
      this.#isStale = true;
      listener.redraw();
    });
    const choose = (/** @type {Event} */ event, /** @type {Point | null} */ point) => {
      const found = event.target instanceof Element ? event.target.closest("[data-kind]") : null;
      const element = found?.querySelector(".grip") ?? found;
      if (element === null) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      listener.choose(targetOf(element), point ?? { x: box.left + box.width / 2, y: box.top + box.height / 2 }, element);
    };
    const pointed = (/** @type {MouseEvent} */ event) => choose(event, { x: event.clientX, y: event.clientY });
    this.host.addEventListener("click", pointed);
    this.host.addEventListener("contextmenu", pointed);
    this.host.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " " || event.key === "ContextMenu") {
        event.stopPropagation();
        choose(event, null);
      }
    });
  }

  /** @param {string} node */
  #focusNode(node) {
    const element = this.nodes.element(node);
    if (element instanceof SVGElement) element.focus({ preventScroll: true });
  }

  /** Whether anything moves between state changes. */
  get isLively() {
    return this.messages.count > 0 || this.rings.used.size > 0;
  }

  /** @param {ClusterState} state @param {string | null} selected @param {number} timeUs */
  draw(state, selected, timeUs) {
    if (this.#size.width > 0 && (state !== this.#state || selected !== this.#selected || this.#isStale)) this.#drawState(state, selected);
    if (!stillness.matches) this.messages.move(timeUs);
    this.#turnRings(timeUs);
  }

  /** @param {ClusterState} state @param {string | null} selected */
  #drawState(state, selected) {
    const layout = this.#layoutFor(state);
    this.#state = state;
    this.#selected = selected;
    this.#isStale = false;
    this.regions.update(regionsOf(state, layout), (region) => region.key, (figure, region) => drawRegion(figure, region));
    this.links.draw(state, layout);
    this.clients.update(Object.keys(state.clients), (id) => id, (figure, id) => drawClient(figure, id, state, layout));
    this.nodes.draw(state, layout, selected);
    this.logs.draw(state, layout);
    this.rings.update(Object.keys(state.nodes).filter((node) => hasRing(state, node)), (node) => node, (figure, node) => {
      figure.replica = replicaOf(state, node);
      figure.left = "";
      set(figure.root, { transform: `translate(${layout.nodes[node].x},${layout.nodes[node].y})` });
      set(figure.ring, { r: layout.radius + 5.5 });
    });
    this.messages.draw(state, layout, stillness.matches, this.links.tags);
  }

  /** @param {ClusterState} state @returns {Layout} */
  #layoutFor(state) {
    const cast = `${Object.keys(state.nodes).join("")}/${Object.keys(state.clients).join("")}`;
    if (this.#layout && !this.#isStale && cast === this.#cast) return this.#layout;
    this.#cast = cast;
    const [nodes, clients] = [Object.keys(state.nodes), Object.keys(state.clients)];
    const layout = layOut(this.#size.width, this.#size.height, nodes, clients);
    // The lowest picture of this width: what a page must keep free, or something is cut off.
    this.host.style.setProperty("--least", `${Math.ceil(layOut(this.#size.width, 0, nodes, clients).height)}px`);
    for (const svg of [this.below, this.above]) set(svg, { width: layout.width * layout.zoom, height: layout.height * layout.zoom, viewBox: `0 0 ${layout.width} ${layout.height}` });
    this.host.style.setProperty("--needs", `${Math.ceil(layout.height * layout.zoom)}px`);
    return (this.#layout = layout);
  }

  /** @param {number} timeUs */
  #turnRings(timeUs) {
    for (const figure of this.rings.used.values()) {
      const replica = figure.replica;
      if (replica?.election_at_us == null || replica.election_set_us == null) continue;
      const part = (replica.election_at_us - timeUs) / Math.max(1, replica.election_at_us - replica.election_set_us);
      // Half a percent is about two pixels: finer steps would repaint without being seen.
      const left = (Math.round(Math.max(0, Math.min(1, part)) * 200) / 2).toFixed(stillness.matches ? 0 : 1);
      if (left === figure.left) continue;
      figure.left = left;
      figure.ring.setAttribute("stroke-dasharray", `${left} 200`);
      set(figure.ring, { class: Number(left) < 25 ? "ring soon" : "ring" });
    }
  }
}

/** @param {Element} element @returns {Target} */
function targetOf(element) {
  const id = element.getAttribute("data-id") ?? "";
  switch (element.getAttribute("data-kind")) {
    case "link": return { kind: "link", source: id.split("-")[0], target: id.split("-")[1] };
    case "message": return { kind: "message", id: Number(id) };
    case "client": return { kind: "client", id };
    default: return { kind: "node", id };
  }
}

/** Arrow heads and the paused node's stripes. @param {Element} svg */
function addDefinitions(svg) {
  const definitions = shape("defs", {}, svg);
  for (const name of HEADS) {
    const head = shape("marker", { id: `head-${name}`, class: `head ${name}`, markerWidth: 9, markerHeight: 9, refX: 7, refY: 4.5, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse" }, definitions);
    shape("path", { d: "M0,0L9,4.5L0,9z" }, head);
  }
  const stripes = shape("pattern", { id: "stripes", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, definitions);
  shape("rect", { width: 3, height: 8, class: "stripe" }, stripes);
}

// --- rings ---------------------------------------------------------------------------------------

/** @param {Element} layer @returns {() => RingFigure} */
const makeRing = (layer) => () => {
  const root = shape("g", {}, layer);
  // A path length of 100 lets the dash be the percentage that is left; it starts at twelve o'clock.
  return { root, ring: shape("circle", { class: "ring", pathLength: 100, transform: "rotate(-90)" }, root), node: "", replica: null, left: "" };
};

/** @param {ClusterState} state @param {string} node */
function hasRing(state, node) {
  return state.nodes[node].state === "up" && replicaOf(state, node).election_at_us !== null;
}

// --- clients -------------------------------------------------------------------------------------

/** @param {Element} layer @returns {() => ClientFigure} */
const makeClient = (layer) => () => {
  const root = shape("g", {}, layer);
  return {
    root, box: shape("rect", { class: "box", rx: 9 }, root), name: shape("text", { class: "name" }, root),
    last: shape("text", { class: "last" }, root), grip: makeGrip("rect", root, "client"),
  };
};

/** @param {ClientFigure} figure @param {string} id @param {ClusterState} state @param {Layout} layout */
function drawClient(figure, id, state, layout) {
  const { x, y, width, height } = layout.clients[id];
  const { last, load } = state.clients[id];
  const operation = last === null ? undefined : state.operations[last];
  const words = lastWords(operation, state);
  const font = `500 11px ${SANS}`;
  const text = words.texts.find((candidate) => textWidth(candidate, font) <= width - 10) ?? fit(words.texts[words.texts.length - 1], width - 10, font);
  const isLoaded = load.write !== null || load.read !== null;
  set(figure.root, { class: `client ${words.class}${isLoaded ? " loaded" : ""}`, transform: `translate(${x},${Math.round(y)})` });
  const size = { x: -width / 2, y: -height / 2, width, height };
  set(figure.box, size);
  set(figure.grip, { ...size, "data-id": id, "data-operation": last ?? "", "aria-label": `Client ${id}${isLoaded ? ", background load" : ""}, ${words.texts[0]}${belief(state, id)}` });
  write(figure.name, layout.isNarrow && width < 62 ? `Cl. ${id}` : `Client ${id}`);
  set(figure.name, { y: -height * 0.06, "font-size": 13 });
  write(figure.last, text);
  set(figure.last, { y: height * 0.31, "font-size": 11 });
}

/** A leader in whom a client believes wrongly. @param {ClusterState} state @param {string} id */
function belief(state, id) {
  const { knows, last } = state.clients[id];
  return last === null || knows === null || knows === leaderOf(state) ? "" : `, still believes ${knows} leads`;
}

/** Whose copy an answer waits for: `C (dead)`, `1 of B, C`; nothing once there are enough. @param {ClusterState} state @param {Operation} operation */
function awaited(state, operation) {
  const missing = lackers(state, operation);
  const followers = Object.values(state.nodes).filter(({ voter }) => voter).length - 1;
  const { replication, "semi-sync-followers": some } = state.settings;
  const wanted = replication === "quorum" ? Math.floor((followers + 1) / 2) : replication === "semi-sync" ? Number(some) : followers;
  const more = wanted - (followers - missing.length);
  return more <= 0 ? "" : `${more < missing.length ? `${more} of ` : ""}${missing.join(", ")}`;
}

/** The last operation, in as many words as fit: longest first. @param {Operation | undefined} operation @param {ClusterState} state @returns {{ texts: string[], class: string }} */
function lastWords(operation, state) {
  if (operation === undefined) return { texts: ["nothing asked yet", "idle"], class: "idle" };
  const what = operationWords(operation);
  if (operation.outcome === "pending") {
    const missing = awaited(state, operation);
    const trouble = state.nodes[operation.target]?.state === "dead" ? [`${what} … ${operation.target} is dead`] : missing ? [`${what} … waits for ${missing}`, `${what} … not on ${missing}`] : [];
    return { texts: [...trouble, `${what} …`], class: operation.kind === "read" ? "reading" : "writing" };
  }
  if (operation.lost) return { texts: [`${what} OK, then lost`, `${what} lost`, "lost"], class: "bad" };
  const at = operation.returned_us === null ? "" : ` at ${seconds(operation.returned_us)}`;
  if (operation.outcome === "unknown") return { texts: [`${what}: no answer`, `${what} ?`], class: "doubt" };
  if (operation.outcome === "failed") return { texts: [`${what} failed${at}`, `${what} failed`, "failed"], class: "bad" };
  if (operation.kind !== "read") return { texts: [`${what} OK${at}`, `${what} OK`, "OK"], class: "good" };
  const found = operation.result === null ? `${operation.key}: nothing` : `${operation.key} is ${operation.result}`;
  return operation.stale === true
    ? { texts: [`${found}, stale${at}`, `${found}, stale`, "stale"], class: "doubt" }
    : { texts: [`${found}${at}`, found], class: "good" };
}

// --- regions of a partition ----------------------------------------------------------------------

/** @typedef {{ key: string, x: number, y: number, width: number, height: number, group: number, name: string, align: number }} Region */

/** @param {Element} layer @returns {() => RegionFigure} */
const makeRegion = (layer) => () => {
  const root = shape("g", {}, layer);
  return { root, area: shape("rect", { rx: 16 }, root), name: shape("text", {}, root) };
};

/** @param {RegionFigure} figure @param {Region} region */
function drawRegion(figure, region) {
  set(figure.root, { class: `region group-${(region.group % 3) + 1}` });
  set(figure.area, { x: region.x, y: region.y, width: region.width, height: region.height });
  write(figure.name, fit(region.name, region.width - 16, `600 11px ${SANS}`));
  set(figure.name, { x: region.x + 12, y: region.y + 16 });
}

/** One box for every run of neighbours that can reach each other. @param {ClusterState} state @param {Layout} layout @returns {Region[]} */
function regionsOf(state, layout) {
  const { groups } = state;
  if (groups === null) return [];
  const { needed } = majority(state);
  const groupOf = (/** @type {string} */ node) => groups.findIndex((group) => group.includes(node));
  const sides = [...new Set(Object.keys(state.nodes).map(groupOf))]; // Counted from the left.
  /** @type {Region[]} */
  const regions = [];
  let before = "";
  for (const node of Object.keys(state.nodes)) {
    const { x, y, row } = layout.nodes[node];
    const group = groupOf(node);
    const newest = regions[regions.length - 1];
    if (newest && newest.group === group && before !== "" && layout.nodes[before].row === row) newest.width = x + layout.columnWidth / 2 - 4 - newest.x;
    else {
      const voters = (groups[group] ?? []).filter((member) => state.nodes[member]?.voter);
      const isAlive = voters.filter((member) => state.nodes[member].state === "up").length >= needed;
      const others = (groups[group] ?? []).filter((member) => !state.nodes[member]).map((member) => `client ${member}`);
      const words = [`side ${sides.indexOf(group) + 1}`, voters.length < needed ? "no majority" : isAlive ? "majority" : "majority, too few up", ...others];
      regions.push({
        key: node, group, name: words.join(" · "), align: 0, x: x - layout.columnWidth / 2 + 4, y: y - layout.radius - SIDE_NAME_HEIGHT,
        width: layout.columnWidth - 8, height: layout.sideHeight,
      });
    }
    before = node;
  }
  return regions;
}

