// @ts-check
/**
 * The space-time tab: a canvas of what happened, with everything on it to be pointed at, walked along
 * by keys and chosen. It draws at most once a frame and only when something moved.
 */
import { make } from "../panels/drawer.js";
import { provenance } from "../panels/provenance.js";
import { operationWords, seconds } from "../store.js";
import { coloursNow } from "./canvas.js";
import { operationAt, problemOf } from "./spacetime-model.js";
import { AXIS_BOTTOM, AXIS_TOP, barOf, lineOf, paint, plotWidth, xOf, yOf } from "./spacetime-paint.js";
import { steer } from "./view.js";

/** @typedef {import("./spacetime-model.js").Item} Item */
/** @typedef {import("./spacetime-paint.js").Scene} Scene */

/** How near to a thing the pointer must be, in CSS pixels. */
const REACH = 7;
const LANE_HEIGHT_MIN = 20;
/** A window is drawn at every step as long as a pixel is less than this, and otherwise now and then. */
const FINE_US_PER_PIXEL = 40_000;
const COARSE_EVERY_MS = 120;

export class SpaceTimeTab {
  /** @type {Item | null} */
  #pointed = null;
  /** The thing that the keys have come to. @type {Item | null} */
  #walked = null;
  #hasHeartbeats = false;
  #drawn = "";
  #paintedAtMs = 0;
  #sequence = -1;
  /** @type {Scene | null} */
  #scene = null;
  #version = -1;
  /** Of the field, in CSS pixels: asked for when it changes, because asking makes the browser lay the page out. */
  #size = { width: 0, height: 0 };
  #hover = { x: -1, y: -1, isDue: false };

  /** @param {Page} page @param {import("./feed.js").Feed} feed @param {import("./view.js").TimeView} view @param {() => void} redraw */
  constructor(page, feed, view, redraw) {
    this.page = page;
    this.feed = feed;
    this.view = view;
    this.redraw = redraw;
    this.canvas = /** @type {HTMLCanvasElement} */ (make("canvas"));
    this.canvas.setAttribute("aria-hidden", "true");
    this.field = make("div", { className: "space-field", tabIndex: 0 }, this.canvas);
    this.field.setAttribute("role", "application");
    this.field.setAttribute("aria-label", "Space-time diagram");
    this.field.setAttribute("aria-describedby", "space-keys");
    this.says = make("p", { className: "space-says" });
    this.says.setAttribute("role", "status");
    const keys = make("p", { className: "hidden", id: "space-keys", textContent: "Arrow keys go from event to event, Enter shows the moment of one, Escape lets go of it. Shift and arrows move the window of time, plus and minus zoom." });
    this.follow = toggle("Follow", "Keep the moment shown in view", () => view.resume());
    this.heartbeats = toggle("Heartbeats", "Show heartbeats and the replies to them", () => {
      this.#hasHeartbeats = !this.#hasHeartbeats;
      redraw();
    });
    const tools = make("div", { className: "dock-tools" },
      button("−", "Zoom out", () => view.zoom(1.6)), button("+", "Zoom in", () => view.zoom(1 / 1.6)), button("Whole run", "Show the whole run", () => view.fit()),
      this.follow, this.heartbeats, this.says);
    this.element = make("div", { className: "space" }, tools, this.field, keys);
    this.#listen();
  }

  #listen() {
    const { field, view } = this;
    new ResizeObserver(() => {
      this.#size = { width: field.clientWidth, height: field.clientHeight };
      this.redraw();
    }).observe(field);
    steer(field, view, () => ({ left: this.#left(), width: Math.max(1, this.#size.width - this.#left() - 12) }), (x, y) => this.#click(x, y + field.scrollTop));
    field.addEventListener("pointermove", (event) => {
      const box = field.getBoundingClientRect();
      this.#hover = { x: event.clientX - box.left, y: event.clientY - box.top + field.scrollTop, isDue: true };
      this.redraw();
    });
    field.addEventListener("pointerleave", () => {
      this.#hover.isDue = false;
      this.#point(null);
    });
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("focus", () => this.#tell(this.#walked ?? this.#pointed));
    field.addEventListener("blur", () => {
      this.#walked = null;
      this.redraw();
    });
  }

  #left() {
    return this.#size.width < 600 ? 62 : 104;
  }

  /** @param {{ timeUs: number, atMs: number }} moment */
  frame({ timeUs, atMs }) {
    const { page, feed, view } = this;
    const { width, height: room } = this.#size;
    if (width === 0 || room === 0) return;
    view.follow(timeUs, page.viewUs === null, page.store.earliestUs, page.store.nowUs);
    if (this.#version !== feed.version) {
      this.#version = feed.version;
      this.#pointed = null;
      this.#walked = again(this.#walked, feed.space.spans.all);
    }
    this.follow.setAttribute("aria-pressed", String(view.isFollowing));
    this.heartbeats.setAttribute("aria-pressed", String(this.#hasHeartbeats));
    const lanes = feed.space.order(view.fromUs);
    const height = Math.max(room, AXIS_TOP + AXIS_BOTTOM + lanes.length * LANE_HEIGHT_MIN);
    const lit = page.highlighted;
    this.#scene = {
      space: feed.space, view, width, height, left: this.#left(), lanes, shownUs: timeUs, nowUs: page.store.nowUs, hasHeartbeats: this.#hasHeartbeats,
      isLit: (item) => isLit(item, lit), hasLit: lit !== null && (lit.operation !== undefined || lit.sequence !== undefined), pointed: this.#walked ?? this.#pointed, colours: coloursNow(),
    };
    if (this.#hover.isDue) {
      this.#hover.isDue = false;
      this.#point(this.#find(this.#hover.x, this.#hover.y));
      this.#scene.pointed = this.#walked ?? this.#pointed;
    }
    // Where a pixel is a long time, little is seen of what a moment adds.
    const usPerPixel = view.spanUs / plotWidth(this.#scene);
    if (usPerPixel < FINE_US_PER_PIXEL || !page.isPlaying || atMs - this.#paintedAtMs > COARSE_EVERY_MS) this.#sequence = page.store.sequence;
    const drawn = [width, height, devicePixelRatio, view.fromUs, view.spanUs, Math.round((timeUs / usPerPixel) * 3), this.#sequence, feed.version, JSON.stringify(lit), this.#hasHeartbeats, this.#scene.pointed?.sequence, this.#scene.pointed?.from_us, this.#scene.colours.paper].join();
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#paintedAtMs = atMs;
    paint(this.canvas, this.#scene);
  }

  // --- pointing and choosing -------------------------------------------------------------------------

  /** The thing nearest to a point, if one is near. @param {number} x @param {number} y @returns {Item | null} */
  #find(x, y) {
    const scene = this.#scene;
    if (scene === null || x < scene.left - REACH) return null;
    const usPerPixel = this.view.spanUs / plotWidth(scene);
    const us = this.view.fromUs + (x - scene.left) * usPerPixel;
    /** @type {{ item: Item | null, distance: number }} */
    const best = { item: null, distance: REACH };
    scene.space.spans.within(us - 130 * usPerPixel, us + REACH * usPerPixel, (item) => {
      const distance = distanceTo(scene, item, x, y);
      // A sign is small and lies on lines: it comes before them.
      const rank = distance - (item.type === "sign" ? 3 : item.type === "operation" ? 2 : 0);
      if (distance <= REACH && rank < best.distance) [best.item, best.distance] = [item, rank];
    });
    return best.item;
  }

  /** @param {Item | null} item */
  #point(item) {
    this.field.style.cursor = item === null ? "" : "pointer";
    if (item === this.#pointed) return;
    this.#pointed = item;
    if (this.#walked === null) this.#tell(item);
    this.redraw();
  }

  /** @param {number} x @param {number} y */
  #click(x, y) {
    const item = this.#find(x, y);
    this.#walked = null;
    if (item !== null) return this.#choose(item);
    const scene = this.#scene;
    if (scene === null || x < scene.left) return;
    const us = Math.round(this.view.fromUs + ((x - scene.left) / plotWidth(scene)) * this.view.spanUs);
    this.page.seek(us >= this.page.store.nowUs ? null : Math.max(0, us));
  }

  /** Lights a thing everywhere; the same once more puts the light out. @param {Item} item @param {boolean} [isKept] */
  #choose(item, isKept = false) {
    const { page } = this;
    const what = highlightOf(item);
    const isSame = JSON.stringify(what) === JSON.stringify(page.highlighted);
    page.highlight(isSame && !isKept ? null : what);
    this.#tell(item);
    this.redraw();
  }

  /** Says what a thing is. @param {Item | null} item */
  #tell(item) {
    const words = item === null ? "" : this.words(item);
    if (this.says.textContent !== words) this.says.textContent = words;
    this.says.title = words;
  }

  /** A thing in a sentence. @param {Item} item */
  words(item) {
    if (item.type === "message") return messageWords(item);
    if (item.type === "sign") return `${seconds(item.from_us)}: ${signWords(item)}`;
    const operation = operationAt(item, Math.max(this.page.shownUs(), item.from_us));
    const problem = problemOf(operation);
    return `${operationWords(operation)}${problem === null ? "" : `, ${problem}`}: ${provenance(operation).join(" ")}`;
  }

  // --- keys ------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { view, page } = this;
    const pan = { ArrowLeft: -0.15, ArrowRight: 0.15 }[event.key];
    if (event.shiftKey && pan !== undefined) view.pan(pan);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.#walk(event.key === "ArrowRight" ? 1 : -1);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.#walkAcross(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "+" || event.key === "=") view.zoom(1 / 1.6);
    else if (event.key === "-") view.zoom(1.6);
    else if (event.key === "Home" || event.key === "End") this.#walk(event.key === "Home" ? 1 : -1, event.key === "Home" ? -1 : Infinity);
    else if (event.key === "Enter" && this.#walked !== null) page.seek(this.#walked.from_us >= page.store.nowUs ? null : this.#walked.from_us);
    else if (event.key === "Escape" && (this.#walked !== null || page.highlighted !== null)) {
      this.#walked = null;
      page.highlight(null);
      this.#tell(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.redraw();
  }

  /** Whether a thing is drawn. @param {Item} item */
  #isDrawn(item) {
    return item.type !== "message" || !item.isRoutine || this.#hasHeartbeats;
  }

  /** Where in the order of events the walk stands: at the thing it came to, or at the moment shown. */
  #place() {
    const { all } = this.feed.space.spans;
    if (this.#walked !== null) return all.indexOf(this.#walked);
    const us = this.page.shownUs();
    const after = all.findIndex((item) => item.from_us > us);
    return after < 0 ? all.length : after - 0.5;
  }

  /** Goes to the next thing that is drawn, or the one before. @param {1 | -1} direction @param {number} [from] */
  #walk(direction, from = this.#place()) {
    const { all } = this.feed.space.spans;
    let position = direction > 0 ? Math.floor(Math.max(-1, from)) + 1 : Math.ceil(Math.min(all.length, from)) - 1;
    while (position >= 0 && position < all.length && !this.#isDrawn(all[position])) position += direction;
    this.#walkTo(all[position]);
  }

  /** Goes to the thing nearest in time on the next line that has one. @param {1 | -1} direction */
  #walkAcross(direction) {
    const scene = this.#scene;
    if (this.#walked === null || scene === null) return this.#walk(direction);
    const us = this.#walked.from_us;
    const here = scene.lanes.indexOf(laneOf(this.#walked) ?? "");
    for (let lane = here + direction; lane >= 0 && lane < scene.lanes.length; lane += direction) {
      /** @type {Item | null} */
      let nearest = null;
      scene.space.spans.within(this.view.fromUs, this.view.toUs, (item) => {
        if (laneOf(item) !== scene.lanes[lane] || !this.#isDrawn(item)) return;
        if (nearest === null || Math.abs(item.from_us - us) < Math.abs(nearest.from_us - us)) nearest = item;
      });
      if (nearest !== null) return this.#walkTo(nearest);
    }
  }

  /** @param {Item | undefined} item */
  #walkTo(item) {
    if (item === undefined) return;
    this.#walked = item;
    this.view.reveal(item.from_us);
    this.#choose(item, true);
  }
}

/** What a thing is called, whichever fold it is of. @param {Item} item */
function nameOf(item) {
  return item.type === "operation" ? `operation ${item.operation.id}` : item.type === "message" ? `message ${item.id}` : `${item.kind} ${item.sequence}`;
}

/** The same thing in a fold begun anew, for example when more of the past has come. @param {Item | null} item @param {Item[]} all */
function again(item, all) {
  return item === null ? null : (all.find((other) => nameOf(other) === nameOf(item)) ?? null);
}

/** What lights when a thing is chosen. @param {Item} item @returns {Lit} */
function highlightOf(item) {
  const operation = item.type === "operation" ? item.operation.id : item.operation;
  /** @type {Lit} */
  const what = {};
  if (operation !== null) what.operation = operation;
  if (item.sequence >= 0 && (item.type !== "operation" || operation === null)) what.sequence = item.sequence;
  if (item.type === "sign" && item.lane !== null) what.node = item.lane;
  return what;
}

/** @param {Item} item @param {Lit | null} lit */
function isLit(item, lit) {
  if (lit === null) return false;
  if (lit.sequence !== undefined && lit.sequence === item.sequence) return true;
  const operation = item.type === "operation" ? item.operation.id : item.operation;
  return lit.operation !== undefined && operation === lit.operation;
}

/** The line that a thing begins on. @param {Item} item */
function laneOf(item) {
  return item.type === "message" ? item.source : item.type === "operation" ? item.operation.client : item.lane;
}

/** @param {Scene} scene @param {Item} item @param {number} x @param {number} y */
function distanceTo(scene, item, x, y) {
  if (item.type === "operation") {
    const bar = barOf(scene, item);
    return bar === null ? Infinity : Math.hypot(Math.max(bar.x - x, 0, x - bar.x - bar.width), Math.max(bar.y - y, 0, y - bar.y - 8));
  }
  if (item.type === "sign") {
    const at = item.lane === null ? 10 : yOf(scene, item.lane);
    if (at === null) return Infinity;
    // The words of a command belong to its sign.
    const wide = item.lane === null ? 6 + item.label.length * 6 : 0;
    const left = xOf(scene, item.from_us);
    return Math.hypot(Math.max(left - x, 0, x - left - wide), y - at) - (item.lane === null ? 3 : 2);
  }
  if (item.isRoutine && !scene.hasHeartbeats) return Infinity;
  const line = lineOf(scene, item);
  if (line === null) return Infinity;
  const dx = line.x2 - line.x1;
  const dy = line.y2 - line.y1;
  const along = Math.max(0, Math.min(1, ((x - line.x1) * dx + (y - line.y1) * dy) / Math.max(1e-9, dx * dx + dy * dy)));
  return Math.hypot(line.x1 + along * dx - x, line.y1 + along * dy - y);
}

/** @type {Record<import("./spacetime-model.js").SignKind, string>} what happened to a node, where nobody told it */
const HAPPENED = {
  kill: "is dead", restart: "is up again", pause: "stands still", resume: "runs again", join: "joins", leave: "leaves", election: "stands for election,",
  leader: "leads,", deposed: "leads no longer", truncate: "takes entries out of its log:", commit: "commits", command: "",
};

/** @param {import("./spacetime-model.js").Sign} sign */
function signWords({ kind, lane, label, says }) {
  if (kind === "command") return `command “${label}”. ${says}`.trim();
  return says || `${lane} ${HAPPENED[kind]} ${label}`.trim();
}

/** @type {Record<string, string>} how a message ended that did not arrive */
const FATES = { loss: "lost on the way", cut: "stopped by the cut link", dead: "arrived at a dead node", asked: "dropped as asked" };
/** @type {Partial<Record<MessageKind, string>>} */
const KINDS = { append: "append", heartbeat: "heartbeat", reply: "reply", "vote-request": "request for a vote", vote: "vote", "hand-over": "hand-over", ok: "answer", refused: "refusal" };

/** @param {import("./spacetime-model.js").Flight} flight */
function messageWords({ kind, label, source, target, term, from_us, to_us, arrives_us, fate }) {
  const name = (/** @type {string} */ address) => (/^\d/.test(address) ? `client ${address}` : address);
  const what = `${KINDS[kind] ?? kind} ${kind === "heartbeat" ? "" : label}`.trim();
  const end = fate === "delivered" ? `arrived at ${seconds(to_us)}` : fate === "" ? `arrives at ${seconds(arrives_us)}` : `${FATES[fate]} at ${seconds(to_us)}`;
  return `${seconds(from_us)}: ${what} from ${name(source)} to ${name(target)}${term === null ? "" : `, term ${term}`}, ${end}`;
}

/** @param {string} words @param {string} name @param {() => void} press */
export function button(words, name, press) {
  const element = make("button", { type: "button", className: "button small", textContent: words });
  if (name !== words) element.setAttribute(words.length > 1 ? "title" : "aria-label", name);
  element.addEventListener("click", press);
  return element;
}

/** @param {string} words @param {string} title @param {() => void} press */
function toggle(words, title, press) {
  const element = button(words, title, press);
  element.setAttribute("aria-pressed", "false");
  return element;
}
