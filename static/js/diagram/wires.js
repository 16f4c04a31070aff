// @ts-check
/**
 * What lies and travels between machines: links, and the messages on them.
 *
 * A message is data with a send and an arrival time, so its place is a function of the shown time
 * alone. State changes choose what is drawn; between them only positions move.
 */
import { leaderOf, replicaOf, duration } from "../store.js";
import { clamp, clientCurve, fit, isClient, Keyed, logHeadingY, messageCurve, MONO, nodeCurve, pathOf, pointOn, SANS, set, shape, show, textWidth, write } from "./layout.js";

/** @typedef {import("./layout.js").Layout} Layout */
/** @typedef {Record<"root" | "line" | "hit" | "spot" | "gap" | "slashes" | "tag", SVGElement>} LinkFigure */
/** @typedef {{ root: SVGElement, inner: SVGElement, pill: SVGElement, text: SVGElement, cross: SVGElement, hit: SVGElement,
 *   message: MessageState | null, curve: Curve | null, width: number, height: number, at: Point, size: number, strength: number, floor: number,
 *   shownAt: string, shownSize: number, room: string }} MessageFigure */

/** How long a message that died stays visible, in virtual time; one that reached a dead node, less long. */
const FADE_US = 1_800_000;
const FADE_AT_DEAD_US = 900_000;
/** How far on its way a message to a dead node is when it comes to nothing: beside the node, not under it. */
const WAY_TO_DEAD = 0.88;
/** More messages than an eye can read are drawn without their words. */
const READABLE_MAX = 26;
const REPLY_KINDS = new Set(["reply", "vote", "ok", "refused"]);
const ELECTION_KINDS = new Set(["vote-request", "vote"]);

// --- links ---------------------------------------------------------------------------------------

/** @typedef {{ key: string, source: string, target: string, curve: Curve, class: string, heads: "none" | "end" | "both", broken: boolean, isMarked: boolean, tag: string, name: string, columns: number }} Link how many columns it spans, if it is between nodes, else 1 */
/** @typedef {{ x: number, y: number, width: number, height: number, isClients: boolean }} Tag words on a link: where their middle is, and how large they are */

export class Links {
  /** @param {Element} layer @param {Element} handles a layer above it: where links run close, each can still be grasped by its middle */
  constructor(layer, handles) {
    /** @type {Keyed<LinkFigure>} */
    this.figures = new Keyed(() => makeLink(layer));
    /** What messages must leave to be read. @type {Tag[]} */
    this.tags = [];
    /** @type {Keyed<{ root: SVGElement }>} */
    this.handles = new Keyed(() => ({ root: shape("circle", { class: "handle", r: 12, "data-kind": "link" }, handles) }));
  }

  /** @param {ClusterState} state @param {Layout} layout */
  draw(state, layout) {
    const links = [...nodeLinks(state, layout), ...clientLinks(state, layout)];
    this.tags = links.flatMap((link) => (link.tag === "" ? [] : [tagOf(link)]));
    this.figures.update(links, (link) => link.key, drawLink);
    this.handles.update(links, (link) => link.key, ({ root }, link) => {
      const middle = pointOn(link.curve, 0.5);
      set(root, { "data-id": link.key, cx: middle.x.toFixed(1), cy: middle.y.toFixed(1) });
    });
  }
}

/** @param {Element} layer @returns {LinkFigure} */
function makeLink(layer) {
  const root = shape("g", { role: "button", tabindex: 0, "aria-haspopup": "menu" }, layer);
  return {
    root,
    hit: shape("path", { class: "hit" }, root),
    spot: shape("circle", { class: "spot", r: 13 }, root),
    line: shape("path", { class: "line" }, root),
    gap: shape("circle", { class: "gap", r: 9 }, root),
    slashes: shape("path", { class: "slashes", d: "M-7,6L-1,-6M1,6L7,-6" }, root),
    tag: shape("text", { class: "tag" }, root),
  };
}

/** @param {LinkFigure} figure @param {Link} link */
function drawLink(figure, link) {
  const d = pathOf(link.curve);
  set(figure.root, { class: `link ${link.class}${link.broken ? " broken" : ""}`, "aria-label": link.name, "data-kind": "link", "data-id": link.key });
  set(figure.line, { d, "marker-end": link.heads === "none" ? "none" : `url(#head-${link.class})`, "marker-start": link.heads === "both" ? `url(#head-${link.class})` : "none" });
  set(figure.hit, { d });
  const middle = pointOn(link.curve, 0.5);
  show(figure.gap, link.isMarked);
  show(figure.slashes, link.isMarked);
  const at = `translate(${middle.x.toFixed(1)},${middle.y.toFixed(1)})`;
  set(figure.spot, { transform: at });
  set(figure.gap, { transform: at });
  set(figure.slashes, { transform: at });
  write(figure.tag, link.tag);
  if (link.tag === "") return;
  const tag = tagOf(link);
  set(figure.tag, { x: Math.round(tag.x), y: Math.round(tag.y + 4) });
}

/**
 * Above an arc: of a cut one in the middle, of another one between its end and the node before that, so that of
 * several arcs from one leader each has its words where no other has. Beside a client's way, which runs down, on the
 * left: its messages make way to the right. @param {Link} link @returns {Tag}
 */
function tagOf({ curve, tag, broken, source, columns }) {
  const middle = pointOn(curve, broken || columns === 1 ? 0.5 : 1 - 0.42 / columns);
  const width = textWidth(tag, `600 11px ${SANS}`);
  const isClients = isClient(source);
  const x = isClients ? Math.max(width / 2 + 4, middle.x - width / 2 - (broken ? 14 : 6)) : middle.x;
  return { x, y: middle.y - (isClients ? 4 : broken ? 16 : 11), width, height: 12, isClients };
}

/** @param {ClusterState} state @param {Layout} layout @returns {Link[]} */
function nodeLinks(state, layout) {
  const nodes = Object.keys(state.nodes).filter((node) => layout.nodes[node]);
  /** @type {Link[]} */
  const links = [];
  for (let i = 0; i < nodes.length; i++) {
    for (let j = i + 1; j < nodes.length; j++) {
      const link = nodeLink(state, layout, nodes[i], nodes[j]);
      if (link) links.push(link);
    }
  }
  return links;
}

/** The line between two nodes, if any: an election's, a leader's, or a troubled one. @param {ClusterState} state @param {Layout} layout @param {string} a @param {string} b @returns {Link | null} */
function nodeLink(state, layout, a, b) {
  const trouble = troubleBetween(state, a, b);
  const election = electing(state, a, b);
  const source = election ?? sender(state, a, b);
  const isWalled = apart(state, a, b);
  if (source === null && (trouble.tag === "" || isWalled)) return null;
  const from = source ?? a;
  const to = from === a ? b : a;
  const isQuiet = source === null || state.nodes[a].state === "dead" || state.nodes[b].state === "dead";
  return {
    key: `${a}-${b}`, source: a, target: b,
    // The picture of a pair stays the same arc whichever way its arrow points.
    curve: nodeCurve(layout, from, to),
    class: election ? "election" : isQuiet ? "quiet" : "replication",
    heads: election ? "both" : isQuiet ? "none" : "end",
    // Between the sides of a partition the wall says it all; marks on every link would hide it.
    broken: trouble.isCut, isMarked: trouble.isCut && !isWalled, tag: isWalled ? "" : trouble.tag,
    columns: Math.max(1, Math.round(Math.abs(layout.nodes[a].x - layout.nodes[b].x) / layout.columnWidth)),
    name: `Link ${a} and ${b}${trouble.tag ? `, ${trouble.tag}` : ""}${election ? ", election" : ""}`,
  };
}

/** @param {ClusterState} state @param {string} a @param {string} b */
function troubleBetween(state, a, b) {
  const there = state.links[`${a}>${b}`];
  const back = state.links[`${b}>${a}`];
  const words = [];
  if (there?.cut && back?.cut) words.push("cut");
  else if (there?.cut) words.push(`cut ${a} → ${b}`);
  else if (back?.cut) words.push(`cut ${b} → ${a}`);
  if (words.length > 0) return { isCut: true, tag: words[0] };
  const latency = Math.max(there?.latency_us ?? -1, back?.latency_us ?? -1);
  if (latency >= 0) words.push(duration(latency));
  const loss = Math.max(there?.loss_percent ?? 0, back?.loss_percent ?? 0);
  if (loss > 0) words.push(`${loss}% loss`);
  return { isCut: false, tag: words.join(", ") };
}

/** Whether a partition keeps two nodes on different sides. @param {ClusterState} state @param {string} a @param {string} b */
function apart({ groups }, a, b) {
  return groups !== null && groups.findIndex((group) => group.includes(a)) !== groups.findIndex((group) => group.includes(b));
}

/** Who asks for or has just won the other's vote: double-headed arrows until it is recognised. @param {ClusterState} state @param {string} a @param {string} b @returns {string | null} */
function electing(state, a, b) {
  for (const [one, other] of [[a, b], [b, a]]) {
    if (state.nodes[one].state !== "up" || state.nodes[other].state === "dead") continue;
    const replica = replicaOf(state, one);
    const others = replicaOf(state, other);
    if (replica.role === "candidate" && state.nodes[other].voter && others.term <= replica.term) return one;
    if (replica.role === "leader" && replica.votes.length > 1 && others.term <= replica.term && others.leader !== one) return one;
  }
  return null;
}

/** Which of two nodes sends its log to the other. @param {ClusterState} state @param {string} a @param {string} b @returns {string | null} */
function sender(state, a, b) {
  const leads = (/** @type {string} */ node) => state.nodes[node].state !== "dead" && replicaOf(state, node).role === "leader";
  if (leads(a) && leads(b)) return replicaOf(state, a).term >= replicaOf(state, b).term ? a : b;
  const leader = leads(a) ? a : leads(b) ? b : null;
  if (leader === null) return leaderOf(state) === null ? formerLeader(state, a, b) : null;
  const other = leader === a ? b : a;
  const followed = replicaOf(state, other).leader;
  // An old leader no longer reaches those who follow a newer one.
  return followed !== null && followed !== leader && leaderOf(state) !== leader ? null : leader;
}

/** A dead leader's arrows stay, faint, until somebody else leads. @param {ClusterState} state @param {string} a @param {string} b @returns {string | null} */
function formerLeader(state, a, b) {
  const led = (/** @type {string} */ node) => state.nodes[node].state === "dead" && replicaOf(state, node).role === "leader";
  return led(a) ? a : led(b) ? b : null;
}

/** @param {ClusterState} state @param {Layout} layout @returns {Link[]} */
function clientLinks(state, layout) {
  /** @type {Link[]} */
  const links = [];
  for (const client in state.clients) {
    const { knows, last } = state.clients[client];
    if (last === null) continue; // Who has asked nothing yet has no way to anybody.
    const operation = state.operations[last];
    const isPending = operation?.outcome === "pending";
    const node = isPending ? operation.target : knows;
    if (node === null || node === undefined || !layout.nodes[node] || !layout.clients[client]) continue;
    const trouble = troubleBetween(state, client, node);
    const belief = !mistakes(state, client, node) ? "" : layout.isNarrow ? `still trusts ${node}` : `still believes ${node} leads`;
    const tag = [trouble.tag, belief].filter((words) => words !== "").join(", ");
    links.push({
      key: `${client}-${node}`, source: client, target: node, curve: clientCurve(layout, client, node),
      class: isPending ? (operation.kind === "read" ? "reading" : "writing") : "idle",
      heads: "end", broken: trouble.isCut, isMarked: trouble.isCut, tag, columns: 1,
      name: `Link client ${client} and ${node}${tag ? `, ${tag}` : ""}`,
    });
  }
  return links;
}

/** Whether a client takes a node for the leader that is not. @param {ClusterState} state @param {string} client @param {string} node */
const mistakes = (state, client, node) => state.clients[client].knows === node && leaderOf(state) !== node;

// --- messages ------------------------------------------------------------------------------------

export class Messages {
  /** @param {Element} layer @param {(node: string) => void} onGone told when a message that has the focus is gone, with its target */
  constructor(layer, onGone) {
    /** @type {Keyed<MessageFigure>} */
    this.figures = new Keyed(() => makeMessage(layer));
    this.onGone = onGone;
    this.isStill = false;
    /** @type {MessageFigure[]} those with words, in the order in which they make way for each other */
    this.worded = [];
    /** @type {Tag[]} */
    this.tags = [];
  }

  /** @param {ClusterState} state @param {Layout} layout @param {boolean} isStill no motion: each message waits at its own place on the way @param {Tag[]} tags words on the links */
  draw(state, layout, isStill, tags) {
    this.isStill = isStill;
    this.tags = tags;
    const messages = withoutPiles(Object.values(state.messages).filter((message, position, all) => !isOutdone(message, position, all)));
    const isCrowded = messages.length > READABLE_MAX * (layout.isNarrow ? 0.4 : 1);
    const focused = document.activeElement?.getAttribute("data-kind") === "message" ? document.activeElement : null;
    /** @type {Map<string, number>} */
    const onWay = new Map();
    let order = 0;
    this.figures.update(messages, (message) => String(message.id), (figure, message) => {
      drawMessage(figure, message, layout, isCrowded, isStill ? ++order : 0);
      if (!isStill) return;
      const way = `${message.source}>${message.target}`;
      const turn = onWay.get(way) ?? 0;
      onWay.set(way, turn + 1);
      // Each a little before the middle of its way, so that what goes and what comes stay apart.
      locate(figure, message.dropped_us === null ? [0.4, 0.22, 0.31, 0.13, 0.48][turn % 5] : 0.45, 1);
    });
    this.worded = isCrowded ? [] : [...this.figures.used.values()].sort(makesWayAfter);
    if (isStill) this.#place();
    if (focused && focused.getAttribute("display") === "none") this.onGone(focused.getAttribute("data-target") ?? "");
  }

  /** Moves every message to where it is at `timeUs`. @param {number} timeUs */
  move(timeUs) {
    if (this.isStill) return;
    for (const figure of this.figures.used.values()) {
      const { message } = figure;
      if (message === null || figure.curve === null) continue;
      const until = message.dropped_us ?? timeUs;
      const isAtDead = message.reason === "dead";
      const part = clamp(0, (Math.min(timeUs, until) - message.sent_us) / Math.max(1, message.arrives_us - message.sent_us), isAtDead ? WAY_TO_DEAD : 1);
      const age = message.dropped_us === null ? 0 : clamp(0, (timeUs - message.dropped_us) / (isAtDead ? FADE_AT_DEAD_US : FADE_US), 1);
      locate(figure, part, 1 - age ** 2);
    }
    this.#place();
  }

  #place() {
    makeWay(this.worded, this.tags);
    for (const figure of this.figures.used.values()) place(figure);
  }

  get count() {
    return this.figures.used.size;
  }
}

/**
 * Whether a message that came to nothing at a dead node need not be seen: it said nothing but that its
 * sender is alive, or a later one on the same way came to nothing as well.
 * @param {MessageState} message @param {number} position @param {MessageState[]} all
 */
function isOutdone(message, position, all) {
  if (message.reason !== "dead") return false;
  return message.kind === "heartbeat" || all.some((other, later) => later > position && other.reason === "dead" && other.kind !== "heartbeat" && other.source === message.source && other.target === message.target);
}

/** Of what came to nothing on one way, only the newest: under load the rest would cover the picture. @param {MessageState[]} messages oldest first */
function withoutPiles(messages) {
  /** @type {Map<string, number>} */
  const gone = new Map();
  return messages.reverse().filter(({ source, target, dropped_us }) => {
    if (dropped_us === null) return true;
    const way = `${source}>${target}`;
    gone.set(way, (gone.get(way) ?? 0) + 1);
    return (gone.get(way) ?? 0) <= DROPPED_MAX;
  }).reverse();
}

/** Messages that came to nothing on one way that are shown at once. */
const DROPPED_MAX = 4;
/** Width and height of a message without words. */
const DOT = 12;
/** How far a message may be moved down, or to the right: a crowd stays on its way, even if it cannot be read. */
const DOWN_MAX = 24;
const RIGHT_MAX = 64;
/** Over how many pixels of closeness a message moves aside, so that it does not jump. */
const EASE = 14;

/** @param {Element} layer @returns {MessageFigure} */
function makeMessage(layer) {
  const root = shape("g", { role: "button", tabindex: 0, "aria-haspopup": "menu" }, layer);
  const hit = shape("circle", { class: "hit", r: 13 }, root);
  const inner = shape("g", {}, root);
  return {
    root, hit, inner,
    pill: shape("rect", { class: "pill" }, inner),
    text: shape("text", {}, inner),
    cross: shape("path", { class: "cross", d: "M-6,-6L6,6M6,-6L-6,6" }, inner),
    message: null, curve: null, width: 0, height: 0, at: { x: 0, y: 0 }, size: 1, strength: 1, floor: Infinity, shownAt: "", shownSize: 1, room: "",
  };
}

/** @param {MessageFigure} figure @param {MessageState} message @param {Layout} layout @param {boolean} isCrowded @param {number} order its number among those on the way where nothing moves; else 0 */
function drawMessage(figure, message, layout, isCrowded, order) {
  const room = `${isCrowded} ${order} ${layout.width} ${layout.height}`;
  if (figure.message === message && figure.curve !== null && figure.room === room) return;
  figure.room = room;
  figure.message = message;
  figure.curve = messageCurve(layout, message.source, message.target, REPLY_KINDS.has(message.kind));
  figure.shownAt = "";
  const isDropped = message.dropped_us !== null;
  const isHeartbeat = message.kind === "heartbeat";
  const size = layout.isNarrow ? 11 : 12;
  const font = `600 ${size}px ${ELECTION_KINDS.has(message.kind) ? SANS : MONO}`;
  const label = isHeartbeat ? "♥" : fit(message.label, layout.isNarrow ? 84 : 150, font);
  const isWorded = isHeartbeat || !isCrowded || isDropped;
  const text = !isWorded ? "" : order > 0 && figure.curve ? `${order} ${label} ${heading(figure.curve)}` : label;
  const isSmall = message.kind === "reply";
  figure.width = text === "" ? DOT : textWidth(text, font) + (isHeartbeat ? 0 : isSmall ? 12 : 18);
  figure.height = text === "" ? DOT : size + (isSmall || isHeartbeat ? 7 : 11);
  const { width, height } = figure;
  const isInRow = !isBesideClient(message) && layout.nodes[message.source]?.row === layout.nodes[message.target]?.row;
  figure.floor = isInRow && figure.curve !== null ? logHeadingY(layout, message.source) - height / 2 : Infinity;
  show(figure.root, figure.curve !== null);
  set(figure.root, {
    class: `message ${message.kind}${message.success === false ? " no" : ""}${isDropped ? " dropped" : ""}`,
    "data-kind": "message", "data-id": message.id, "data-target": isClient(message.target) ? message.source : message.target,
    "data-operation": message.operation ?? "", "aria-label": messageName(message, order),
  });
  show(figure.pill, !isHeartbeat);
  set(figure.pill, { x: (-width / 2).toFixed(1), y: -height / 2, width: width.toFixed(1), height, rx: height / 2 });
  show(figure.text, text !== "");
  write(figure.text, text);
  set(figure.text, { y: (size * 0.36).toFixed(1), "font-size": size });
  show(figure.cross, isDropped);
}

/** Which way a message goes, for those who do not see it move. @param {Curve} curve */
function heading([start, , , end]) {
  const right = end.x - start.x;
  const down = end.y - start.y;
  if (Math.abs(right) > Math.abs(down)) return right > 0 ? "→" : "←";
  return down > 0 ? "↓" : "↑";
}

/** Begins with the words that are seen, where there is a number to them. @param {MessageState} message @param {number} order */
function messageName({ kind, label, source, target, dropped_us }, order) {
  const ends = [source, target].map((end) => (isClient(end) ? `client ${end}` : end)).join(" to ");
  const carried = kind === "heartbeat" ? kind : order > 0 ? `${label}, ${kind}` : `${kind} ${label}`;
  return `${order > 0 ? `${order} ` : ""}${carried}, ${ends}${dropped_us === null ? "" : ", dropped"}`;
}

/** Where its way takes a message. @param {MessageFigure} figure @param {number} part of the way @param {number} strength 1 fresh, 0 faded */
function locate(figure, part, strength) {
  if (figure.curve === null) return;
  figure.at = pointOn(figure.curve, part);
  // A message grows out of its sender and shrinks into its target: at the ends many share one place.
  figure.size = Math.min(1, 0.35 + Math.min(part, 1 - part) * 9);
  figure.strength = strength;
}

// Those that run lower make way downwards for those above them, and a client's answer to its right:
// the order is fixed by what they are, so that nothing changes sides on its way.
/** @param {MessageFigure} one @param {MessageFigure} other */
function makesWayAfter(one, other) {
  return depth(one) - depth(other) || (one.message?.id ?? 0) - (other.message?.id ?? 0);
}

/** @param {MessageFigure} figure */
function depth({ curve, message }) {
  if (curve === null || message === null) return 0;
  return isBesideClient(message) ? curve[1].x + curve[2].x : curve[1].y + curve[2].y;
}

/** @param {MessageState} message */
const isBesideClient = ({ source, target }) => isClient(source) || isClient(target);

/** Moves messages whose words would lie on each other, or on the words of a link, apart. @param {MessageFigure[]} figures @param {Tag[]} tags */
function makeWay(figures, tags) {
  for (let later = 0; later < figures.length; later++) {
    const figure = figures[later];
    const { message, at } = figure;
    if (message === null) continue;
    const isSideways = isBesideClient(message);
    let aside = 0;
    for (const tag of tags) {
      if (tag.isClients !== isSideways) continue;
      const across = (figure.width * figure.size + tag.width) / 2 - Math.abs(at.x - tag.x);
      const along = (figure.height * figure.size + tag.height) / 2 - Math.abs(at.y - tag.y);
      if (across > 0 && along > 0) aside = Math.max(aside, isSideways ? (across + Math.max(0, tag.x - at.x) * 2) * Math.min(1, along / 6) : along * Math.min(1, across / EASE));
    }
    for (let earlier = 0; earlier < later; earlier++) {
      const other = figures[earlier];
      if (other.message === null || isBesideClient(other.message) !== isSideways) continue;
      const across = (figure.width * figure.size + other.width * other.size) / 2 - Math.abs(at.x + (isSideways ? aside : 0) - other.at.x);
      const along = (figure.height * figure.size + other.height * other.size) / 2 - Math.abs(at.y + (isSideways ? 0 : aside) - other.at.y);
      if (across <= 0 || along <= 0) continue;
      aside += isSideways ? across * Math.min(1, along / EASE) : along * Math.min(1, across / EASE);
    }
    aside = Math.min(aside, isSideways ? RIGHT_MAX : DOWN_MAX);
    figure.at = isSideways ? { x: at.x + aside, y: at.y } : { x: at.x, y: Math.max(at.y, Math.min(at.y + aside, figure.floor)) };
  }
}

/** @param {MessageFigure} figure */
function place(figure) {
  if (figure.curve === null) return;
  const { size, strength } = figure;
  const at = `translate(${figure.at.x.toFixed(1)},${figure.at.y.toFixed(1)})`;
  if (at !== figure.shownAt) {
    figure.shownAt = at;
    figure.root.setAttribute("transform", at);
  }
  if (size !== figure.shownSize) {
    figure.shownSize = size;
    figure.inner.setAttribute("transform", size === 1 ? "" : `scale(${size.toFixed(2)})`);
  }
  const opacity = strength >= 1 ? "1" : Math.max(0, strength).toFixed(2);
  if (figure.root.getAttribute("opacity") !== opacity) figure.root.setAttribute("opacity", opacity);
}
