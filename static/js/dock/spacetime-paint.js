// @ts-check
/**
 * How the space-time diagram looks: a picture of a window of time, drawn from the model and nothing
 * else. What is true now, what is recorded beyond it, and what a person chose are told apart here.
 */
import { operationWords, seconds } from "../store.js";
import { blank, MONO, Room, SANS, Strokes, termInk } from "./canvas.js";
import { operationAt, problemOf } from "./spacetime-model.js";
import { ticks } from "./view.js";

/** @typedef {import("./spacetime-model.js").SpaceTime} SpaceTime */
/** @typedef {import("./spacetime-model.js").Item} Item */
/** @typedef {import("./spacetime-model.js").Flight} Flight */
/** @typedef {import("./spacetime-model.js").Course} Course */
/** @typedef {import("./spacetime-model.js").Sign} Sign */
/** @typedef {import("./spacetime-model.js").Segment} Segment */
/** @typedef {import("./canvas.js").Colours} Colours */

/**
 * @typedef {object} Scene
 * @property {SpaceTime} space
 * @property {import("./view.js").TimeView} view
 * @property {number} width in CSS pixels
 * @property {number} height
 * @property {number} left where the labels end and time begins
 * @property {string[]} lanes from top to bottom
 * @property {number} shownUs the moment shown
 * @property {number} nowUs the newest moment
 * @property {boolean} hasHeartbeats
 * @property {(item: Item) => boolean} isLit
 * @property {boolean} hasLit whether anything is lit, so that the rest steps back
 * @property {Item | null} pointed what the pointer or the focus is at
 * @property {Colours} colours
 */

export const AXIS_TOP = 24;
export const AXIS_BOTTOM = 18;
const RIGHT = 12;
const BAR = 8;
/** Between bars of one client that overlap. */
const SLOT = 6;
/** Beyond so many messages on screen, those that would fall on one another are drawn once. */
const MANY = 600;

/** Room for time, beside the labels. @param {Scene} scene */
export const plotWidth = ({ width, left }) => Math.max(1, width - left - RIGHT);

/** @param {Scene} scene @param {number} us */
export const xOf = (scene, us) => scene.left + scene.view.at(us) * plotWidth(scene);

/** The height of a lane's line. @param {Scene} scene @param {string} lane */
export function yOf({ lanes, height }, lane) {
  const position = lanes.indexOf(lane);
  return position < 0 ? null : AXIS_TOP + ((height - AXIS_TOP - AXIS_BOTTOM) * (position + 0.5)) / lanes.length;
}

/** Where a client's operation stands. @param {Scene} scene @param {Course} course */
export function barOf(scene, { operation, from_us, to_us, slot }) {
  const y = yOf(scene, operation.client);
  if (y === null) return null;
  const isAbove = isInUpperHalf(scene, operation.client);
  const from = xOf(scene, from_us);
  const to = xOf(scene, Math.min(to_us, scene.nowUs));
  return { x: from, y: y - BAR / 2 + (isAbove ? 1 : -1) * slot * SLOT, width: Math.max(3, to - from), isAbove };
}

/** @param {Scene} scene @param {string} lane */
const isInUpperHalf = ({ lanes }, lane) => lanes.indexOf(lane) < lanes.length / 2;

/** Where a message is shown to end that got lost beyond a lifeline, in rows from its sender. */
const BEFORE_NEXT = 0.55;

/** How far a message has come, and how it ends. @param {Scene} scene @param {Flight} flight */
export function lineOf(scene, flight) {
  const from = yOf(scene, flight.source);
  const to = yOf(scene, flight.target);
  if (from === null || to === null) return null;
  const length = Math.max(1, flight.arrives_us - flight.from_us);
  const end_us = Math.min(flight.to_us, flight.arrives_us > flight.from_us && flight.to_us === Infinity ? Math.min(flight.arrives_us, scene.shownUs) : flight.to_us);
  const isDropped = flight.fate !== "" && flight.fate !== "delivered";
  let share = flight.fate === "delivered" ? 1 : Math.max(0, Math.min(1, (end_us - flight.from_us) / length));
  // What ends between two lifelines must not seem to end at a third one on the way.
  const rows = Math.abs(scene.lanes.indexOf(flight.source) - scene.lanes.indexOf(flight.target));
  if (isDropped && share < 1 && rows > 1) share = Math.min(share, BEFORE_NEXT / rows);
  return { x1: xOf(scene, flight.from_us), y1: from, x2: xOf(scene, end_us), y2: from + (to - from) * share, isDropped, isFlying: flight.to_us > scene.shownUs };
}

/** @param {HTMLCanvasElement} canvas @param {Scene} scene */
export function paint(canvas, scene) {
  const context = blank(canvas, scene.width, scene.height);
  const { colours, view } = scene;
  context.lineCap = "butt";
  context.save();
  context.beginPath();
  context.rect(scene.left - 1, 0, scene.width - scene.left + 1, scene.height);
  context.clip();
  drawAxis(context, scene);
  const room = new Room();
  drawLifelines(context, scene, room);
  /** @type {Item[]} */
  const items = [];
  view && scene.space.spans.within(view.fromUs - view.spanUs * 0.02, view.toUs, (item) => items.push(item));
  drawMessages(context, scene, items);
  drawCourses(context, scene, items, room);
  drawSigns(context, scene, items, room);
  if (scene.pointed !== null) drawPointed(context, scene, scene.pointed);
  drawFuture(context, scene);
  context.restore();
  drawCursor(context, scene);
  drawLabels(context, scene);
  context.fillStyle = colours.ink;
}

// --- axis and lifelines ----------------------------------------------------------------------------

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawAxis(context, scene) {
  const { colours, view, height } = scene;
  context.font = `11px ${SANS}`;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillStyle = colours["ink-3"];
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  const cursor = xOf(scene, scene.shownUs);
  for (const { us, words } of ticks(view.fromUs, view.toUs, plotWidth(scene) / 84)) {
    const x = Math.round(xOf(scene, us)) + 0.5;
    context.moveTo(x, AXIS_TOP);
    context.lineTo(x, height - AXIS_BOTTOM);
    // The time of the cursor stands there as well.
    if (Math.abs(x - cursor) > 56 && x > scene.left + 10) context.fillText(words, x, height - 5);
  }
  context.globalAlpha = 0.6;
  context.stroke();
  context.globalAlpha = 1;
}

/** How a lifeline looks, for each thing that a node can be. @param {Segment} segment @param {Colours} colours */
function lookOf({ role, condition, isOld }, colours) {
  if (condition === "dead") return { colour: colours["line-2"], width: 2, dash: [4, 5] };
  if (role === "leader") return { colour: colours.leader, width: 5, dash: isOld ? [9, 4] : [] };
  if (role === "candidate") return { colour: colours.candidate, width: 4, dash: [] };
  return { colour: colours.follower, width: 3, dash: [] };
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Room} room */
function drawLifelines(context, scene, room) {
  const { colours, view, space } = scene;
  const strokes = new Strokes();
  const hatching = new Strokes();
  /** @type {{ x: number, y: number, term: number, lane: string }[]} */
  const terms = [];
  for (const id of scene.lanes) {
    const lane = space.lanes.get(id);
    const y = /** @type {number} */ (yOf(scene, id));
    if (lane === undefined) continue;
    const end = Math.min(lane.to_us, Math.max(scene.nowUs, scene.shownUs));
    if (lane.isClient) line(strokes.path(colours.line, 2), xOf(scene, Math.max(lane.from_us, view.fromUs)), y, xOf(scene, Math.min(end, view.toUs)), y);
    for (const segment of lane.segments) {
      const to = Math.min(segment.to_us, end);
      if (to < view.fromUs || segment.from_us > view.toUs) continue;
      const look = lookOf(segment, colours);
      const x1 = Math.max(scene.left - 4, xOf(scene, segment.from_us));
      const x2 = xOf(scene, Math.min(to, view.toUs));
      const isPaused = segment.condition === "paused";
      // Broken lines begin where the stretch begins, so that they do not crawl along.
      const start = look.dash.length > 0 ? Math.max(xOf(scene, segment.from_us), x1 - ((x1 - xOf(scene, segment.from_us)) % (look.dash[0] + look.dash[1])) - look.dash[0] - look.dash[1]) : x1;
      line(strokes.path(look.colour, look.width, look.dash, isPaused ? 0.45 : 1), Math.max(start, x1 - 40), y, x2, y);
      if (isPaused) line(hatching.path(look.colour, 10, [2, 4]), x1, y, x2, y);
      if (segment.beginsTerm && segment.condition !== "dead") terms.push({ x: Math.max(x1, scene.left + 2), y, term: segment.term, lane: id });
    }
  }
  strokes.draw(context);
  hatching.draw(context);
  context.font = `600 10.5px ${SANS}`;
  context.textAlign = "left";
  // Where a term begins comes before what was already so at the left edge.
  terms.sort((a, b) => Number(a.x <= scene.left + 2) - Number(b.x <= scene.left + 2));
  for (const { x, y, term, lane } of terms) {
    const words = `term ${term}`;
    if (!room.take(`below ${lane}`, x, x + context.measureText(words).width + 6)) continue;
    context.fillStyle = termInk(colours, term);
    context.fillText(words, x + 1, y + 14);
  }
}

/** @param {Path2D} path @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
function line(path, x1, y1, x2, y2) {
  path.moveTo(x1, y1);
  path.lineTo(x2, y2);
}

// --- messages ----------------------------------------------------------------------------------------

/** @param {Flight} flight @param {Colours} colours @returns {{ colour: string, width: number, dash: number[] }} */
function messageLook({ kind, success }, colours) {
  switch (kind) {
    case "heartbeat": return { colour: colours.leader, width: 1, dash: [1, 3] };
    case "reply": return { colour: success === false ? colours.bad : colours.ok, width: 1, dash: [4, 3] };
    case "vote-request": case "hand-over": return { colour: colours.candidate, width: 1.5, dash: [] };
    case "vote": return { colour: colours.candidate, width: 1.5, dash: success === false ? [5, 3] : [] };
    case "read": return { colour: colours.follower, width: 1.5, dash: [] };
    case "ok": return { colour: colours.ok, width: 1.5, dash: [] };
    case "refused": return { colour: colours.bad, width: 1.5, dash: [] };
    default: return { colour: colours.leader, width: 1.5, dash: [] };
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Item[]} items */
function drawMessages(context, scene, items) {
  const { colours } = scene;
  const flights = /** @type {Flight[]} */ (items.filter((item) => item.type === "message" && (scene.hasHeartbeats || !item.isRoutine || scene.isLit(item))));
  const isMany = flights.length > MANY;
  const pale = new Strokes();
  const lit = new Strokes();
  const tips = new Path2D();
  const crosses = new Path2D();
  /** @type {Map<string, number>} where the last message of a kind between two lanes was drawn */
  const drawn = new Map();
  for (const flight of flights) {
    const at = lineOf(scene, flight);
    if (at === null) continue;
    if (isMany && !at.isDropped && !scene.isLit(flight)) {
      const key = flight.kind + flight.source + flight.target;
      if (at.x1 - (drawn.get(key) ?? -9) < 2) continue;
      drawn.set(key, at.x1);
    }
    const look = messageLook(flight, colours);
    const isLit = scene.isLit(flight);
    const layer = isLit ? lit : pale;
    const alpha = scene.hasLit && !isLit ? 0.25 : flight.isRoutine ? 0.75 : 1;
    line(layer.path(at.isDropped ? colours.bad : look.colour, isLit ? look.width + 1.6 : look.width, at.isDropped ? [3, 3] : look.dash, alpha), at.x1, at.y1, at.x2, at.y2);
    if (at.isDropped) cross(crosses, at.x2, at.y2, 4);
    else if (flight.to_us === Infinity) {
      tips.moveTo(at.x2 + 2.5, at.y2);
      tips.arc(at.x2, at.y2, 2.5, 0, 7);
    }
  }
  pale.draw(context);
  lit.draw(context);
  context.fillStyle = colours["ink-2"];
  context.fill(tips);
  context.strokeStyle = colours.bad;
  context.lineWidth = 2;
  context.stroke(crosses);
}

/** @param {Path2D} path @param {number} x @param {number} y @param {number} size */
function cross(path, x, y, size) {
  line(path, x - size, y - size, x + size, y + size);
  line(path, x + size, y - size, x - size, y + size);
}

// --- operations --------------------------------------------------------------------------------------

/** What is written beside an operation, and in which colour. @param {Operation} operation @param {Colours} colours */
function courseLook(operation, colours) {
  const problem = problemOf(operation);
  const what = operation.kind === "read" && operation.outcome === "ok" ? `${operation.key} is ${operation.result ?? "nothing"}` : operationWords(operation);
  const look = { colour: operation.kind === "read" ? colours.follower : colours.leader, ink: colours.ink, words: what, isDashed: false, problem };
  if (problem === "lost") return { ...look, words: `${what} lost`, ink: colours["bad-strong"], colour: colours.bad, isDashed: true };
  if (problem === "stale") return { ...look, words: `${what}, stale`, ink: colours["bad-strong"], colour: colours.bad };
  if (problem === "failed") return { ...look, words: `${what} ✗`, ink: colours["bad-strong"], colour: colours.bad };
  if (problem === "unknown") return { ...look, words: `${what} ?`, ink: colours["doubt-ink"], colour: colours["doubt-ink"], isDashed: true };
  return operation.outcome === "pending" ? { ...look, words: `${what} …`, ink: colours["ink-2"] } : look;
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Item[]} items @param {Room} room */
function drawCourses(context, scene, items, room) {
  const { colours } = scene;
  const found = /** @type {Course[]} */ (items.filter((item) => item.type === "operation"));
  const looks = found.flatMap((course) => {
    const bar = barOf(scene, course);
    // Beyond the moment shown it is recorded: as it turned out.
    const operation = operationAt(course, course.from_us > scene.shownUs ? Infinity : Math.max(scene.shownUs, course.from_us));
    return bar === null ? [] : [{ course, bar, look: courseLook(operation, colours), isLit: scene.isLit(course) }];
  });
  /** @type {Map<string, number>} where the last bar of a line ended */
  const ends = new Map();
  for (const { bar, look, isLit, course } of looks) {
    const line = `${course.operation.client} ${course.slot}`;
    const isHidden = bar.x + bar.width < (ends.get(line) ?? -Infinity) + 1;
    if (isHidden && !isLit && look.problem === null) continue;
    ends.set(line, bar.x + bar.width);
    context.beginPath();
    context.roundRect(bar.x, bar.y, bar.width, BAR, Math.min(4, bar.width / 2));
    context.globalAlpha = scene.hasLit && !isLit ? 0.25 : 1;
    context.fillStyle = colours.panel;
    context.fill();
    const strength = context.globalAlpha;
    context.globalAlpha = 0.2 * strength;
    context.fillStyle = look.colour;
    context.fill();
    context.globalAlpha = strength;
    context.strokeStyle = isLit ? colours.ink : look.colour;
    context.lineWidth = isLit ? 2.2 : 1.2;
    context.setLineDash(look.isDashed ? [4, 2.5] : course.to_us === Infinity ? [2, 2] : []);
    context.stroke();
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
  context.textAlign = "left";
  // Of words that have no room, those of what went wrong or was chosen are kept.
  ends.clear();
  looks.sort((a, b) => Number(b.isLit) - Number(a.isLit) || Number(b.look.problem !== null) - Number(a.look.problem !== null));
  for (const { bar, look, isLit, course } of looks) {
    if (bar.x + bar.width < scene.left) continue;
    const isPlain = !isLit && look.problem === null;
    if (isPlain && bar.x < (ends.get(course.operation.client) ?? -Infinity)) continue;
    context.font = `${isLit || look.problem !== null ? "600 " : ""}11px ${MONO}`;
    const x = Math.max(bar.x, scene.left + 2);
    const width = context.measureText(look.words).width;
    if (isPlain) ends.set(course.operation.client, x + width);
    if (x > bar.x + Math.max(bar.width, width) || !room.take(`words ${course.operation.client}`, x, x + width + 7)) continue;
    context.fillStyle = look.ink;
    context.globalAlpha = scene.hasLit && !isLit ? 0.55 : 1;
    // Bars beside each other grow towards the nodes; the words stand in one line beyond them.
    const beyond = course.slot * SLOT;
    context.fillText(look.words, x + 2, bar.isAbove ? bar.y - 4 - beyond : bar.y + BAR + 11 + beyond);
    context.globalAlpha = 1;
  }
}

// --- signs -------------------------------------------------------------------------------------------

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Item[]} items @param {Room} room */
function drawSigns(context, scene, items, room) {
  const lastCommit = new Map();
  context.font = `600 10.5px ${SANS}`;
  drawCommands(context, scene, /** @type {Sign[]} */ (items.filter((item) => item.type === "sign" && item.lane === null)), room);
  for (const sign of items) {
    if (sign.type !== "sign" || sign.lane === null) continue;
    const x = xOf(scene, sign.from_us);
    context.globalAlpha = scene.hasLit && !scene.isLit(sign) ? 0.4 : 1;
    const y = yOf(scene, sign.lane);
    if (y === null) continue;
    if (sign.kind === "commit") {
      if (x - (lastCommit.get(sign.lane) ?? -99) < 9) continue;
      lastCommit.set(sign.lane, x);
    }
    drawSign(context, sign, x, y, scene, room);
  }
  context.globalAlpha = 1;
}

/** What somebody asked of the cluster, on the axis; commands of one moment share a place. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Sign[]} signs @param {Room} room */
function drawCommands(context, scene, signs, room) {
  const { colours, height } = scene;
  /** @type {{ x: number, labels: string[], isLit: boolean }[]} */
  const places = [];
  for (const sign of signs) {
    const x = xOf(scene, sign.from_us);
    const last = places[places.length - 1];
    if (last !== undefined && x - last.x < 4) {
      last.labels.push(sign.label);
      last.isLit ||= scene.isLit(sign);
    } else places.push({ x, labels: [sign.label], isLit: scene.isLit(sign) });
  }
  context.textAlign = "left";
  context.lineWidth = 1;
  for (const { x } of places) room.take("commands", x - 4, x + 4);
  for (const { x, labels, isLit } of places) {
    context.globalAlpha = scene.hasLit && !isLit ? 0.4 : 1;
    context.strokeStyle = colours["ink-3"];
    context.setLineDash([2, 4]);
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, 16);
    context.lineTo(Math.round(x) + 0.5, height - AXIS_BOTTOM);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = isLit ? colours.ink : colours["ink-2"];
    context.beginPath();
    context.moveTo(x - 3.5, 10);
    context.lineTo(x + 3.5, 10);
    context.lineTo(x, 16);
    context.fill();
    const more = labels.length > 1 ? [`${labels[0]}, +${labels.length - 1}`] : [];
    const words = [...(labels.length < 4 ? [labels.join(", ")] : []), ...more].find((each) => room.take("commands", x + 5, x + context.measureText(each).width + 12));
    if (words !== undefined) context.fillText(words, x + 6, 13);
  }
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {Sign} sign @param {number} x @param {number} y @param {Scene} scene @param {Room} room */
function drawSign(context, sign, x, y, scene, room) {
  const { colours } = scene;
  const path = new Path2D();
  context.lineCap = "round";
  context.lineWidth = 3.5;
  switch (sign.kind) {
    case "kill":
      cross(path, x, y, 7);
      context.strokeStyle = colours.bad;
      context.stroke(path);
      break;
    case "commit":
      disc(context, x, y, 4.5, colours["ok-strong"], colours.panel, 1);
      path.moveTo(x - 2, y + 0.2);
      path.lineTo(x - 0.5, y + 1.8);
      path.lineTo(x + 2.2, y - 1.7);
      context.strokeStyle = colours["on-strong"];
      context.lineWidth = 1.4;
      context.stroke(path);
      break;
    case "election": disc(context, x, y, 5.5, colours.panel, colours.candidate, 2.5); break;
    case "leader":
      path.addPath(new Path2D("M-8,-6l1.6,-7.5l4,4.2l2.4,-5.7l2.4,5.7l4,-4.2l1.6,7.5z"), new DOMMatrix([1, 0, 0, 1, x + 7, y]));
      context.fillStyle = colours.leader;
      context.fill(path);
      break;
    case "truncate":
      disc(context, x, y, 4, colours["bad-soft"], colours.bad, 1.8);
      context.fillStyle = colours["bad-strong"];
      context.textAlign = "left";
      if (room.take(`signs ${sign.lane}`, x, x + 24)) context.fillText(sign.label, x + 5, y - 6);
      break;
    case "pause": case "resume": case "restart": case "join": case "leave": case "deposed":
      disc(context, x, y, 6.5, colours.panel, sign.kind === "leave" ? colours.bad : colours["ink-2"], 1.6);
      context.fillStyle = colours.ink;
      context.textAlign = "center";
      context.fillText(GLYPHS[sign.kind], x, y + 3.5);
  }
  context.lineCap = "butt";
}

/** @type {Record<"pause" | "resume" | "restart" | "join" | "leave" | "deposed", string>} */
const GLYPHS = { pause: "‖", resume: "▸", restart: "↻", join: "+", leave: "−", deposed: "↓" };

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius @param {string} fill @param {string} stroke @param {number} width */
function disc(context, x, y, radius, fill, stroke, width) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = stroke;
  context.lineWidth = width;
  context.stroke();
}

// --- what a person points at, the future, the cursor, the labels ----------------------------------------

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Item} item */
function drawPointed(context, scene, item) {
  const { colours } = scene;
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.beginPath();
  if (item.type === "message") {
    const at = lineOf(scene, item);
    if (at === null) return;
    context.moveTo(at.x1, at.y1);
    context.lineTo(at.x2, at.y2);
  } else if (item.type === "operation") {
    const bar = barOf(scene, item);
    if (bar === null) return;
    context.roundRect(bar.x - 2.5, bar.y - 2.5, bar.width + 5, BAR + 5, 6);
  } else {
    const y = item.lane === null ? 11 : yOf(scene, item.lane);
    if (y === null) return;
    context.arc(xOf(scene, item.from_us), y, 10, 0, 7);
  }
  context.stroke();
}

/** What is recorded, but is not yet at the moment shown, is pale. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawFuture(context, scene) {
  const x = xOf(scene, scene.shownUs);
  context.fillStyle = scene.colours.paper;
  context.globalAlpha = 0.62;
  context.fillRect(Math.max(scene.left, x), 0, scene.width, scene.height);
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawCursor(context, scene) {
  const { colours, height } = scene;
  const x = xOf(scene, scene.shownUs);
  if (x < scene.left - 1 || x > scene.width) return;
  context.strokeStyle = context.fillStyle = colours.ink;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, 6);
  context.lineTo(x, height - AXIS_BOTTOM + 2);
  context.stroke();
  context.beginPath();
  context.arc(x, 7, 5, 0, 7);
  context.fill();
  context.font = `600 11px ${MONO}`;
  context.textAlign = "center";
  const words = seconds(scene.shownUs);
  const half = context.measureText(words).width / 2;
  context.fillText(words, Math.max(scene.left + half, Math.min(scene.width - half - 2, x)), height - 5);
}

/** What the lanes are called, and what each node is at the moment shown. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawLabels(context, scene) {
  const { colours, lanes, space, left } = scene;
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, left - 4, scene.height);
  context.textAlign = "left";
  const pitch = (scene.height - AXIS_TOP - AXIS_BOTTOM) / lanes.length;
  const isNarrow = left < 80;
  for (const id of lanes) {
    const lane = space.lanes.get(id);
    const y = /** @type {number} */ (yOf(scene, id));
    if (lane === undefined) continue;
    context.font = `600 12px ${SANS}`;
    context.fillStyle = colours["ink-2"];
    const name = lane.isClient ? (isNarrow ? `Cl. ${id}` : `Client ${id}`) : id;
    const segment = lane.segments.findLast((each) => each.from_us <= scene.shownUs) ?? lane.segments[0];
    const says = segment === undefined ? "" : conditionWords(segment);
    const isTwoLined = says !== "" && pitch >= 30;
    context.fillText(name, isNarrow ? 8 : 16, y + (isTwoLined ? -2 : 4));
    if (!isTwoLined) continue;
    context.font = `10.5px ${SANS}`;
    context.fillStyle = colours["ink-3"];
    context.fillText(isNarrow ? says.replace("follower", "foll.").replace("candidate", "cand.") : says, isNarrow ? 8 : 16, y + 11);
  }
}

/** @param {Segment} segment */
function conditionWords({ role, condition, isOld, term }) {
  if (condition === "dead") return "dead";
  return `${isOld ? "old leader" : role}, t${term}`.replace(/^/, condition === "paused" ? "‖ " : "");
}
