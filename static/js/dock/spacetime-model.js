// @ts-check
/**
 * What happened, as lines in time: lifelines of clients and nodes, messages between them, operations
 * and marks. It is folded from steps one by one and never built anew; it knows no document of the
 * browser, so a test can feed it by hand.
 *
 * A thing that still lasts ends at `Infinity`. Everything is kept with the times at which it became
 * known, so that any moment can be shown with what was known then.
 */
import { operationWords } from "../store.js";

/** @typedef {"commit" | "kill" | "restart" | "pause" | "resume" | "join" | "leave" | "election" | "leader" | "deposed" | "truncate" | "command"} SignKind */
/** @typedef {{ from_us: number, to_us: number, role: Replica["role"], term: number, condition: NodeState["state"], isOld: boolean, beginsTerm: boolean }} Segment */
/** @typedef {{ id: string, isClient: boolean, from_us: number, to_us: number, segments: Segment[] }} Lane */
/** @typedef {{ sequence: number, from_us: number, to_us: number, chunk: number }} Span */
/** @typedef {Span & { type: "message", id: number, kind: MessageKind, source: string, target: string, label: string, operation: number | null,
 *   term: number | null, arrives_us: number, success: boolean | null, fate: "" | "delivered" | "loss" | "cut" | "dead" | "asked", isRoutine: boolean }} Flight */
/** @typedef {{ at_us: number, field: string, value: unknown }} Change */
/** @typedef {Span & { type: "operation", operation: Operation, first: Operation, changes: Change[], slot: number }} Course */
/** @typedef {Span & { type: "sign", kind: SignKind, lane: string | null, label: string, says: string, operation: number | null }} Sign */
/** @typedef {Flight | Course | Sign} Item */

const PER_CHUNK = 64;
/** Operations of one client that overlap are drawn beside each other, as far as this goes. */
const SLOTS = 3;

/** Spans in the order of their beginnings, in chunks whose ends are known: what a window shows is found without looking at all. */
export class Spans {
  /** @type {{ from: number, to: number, open: number, items: Item[] }[]} */
  #chunks = [];
  /** @type {Item[]} every item, oldest first */
  all = [];

  /** @param {Item} item */
  add(item) {
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.items.length === PER_CHUNK) {
      chunk = { from: item.from_us, to: -Infinity, open: 0, items: [] };
      this.#chunks.push(chunk);
    }
    item.chunk = this.#chunks.length - 1;
    chunk.items.push(item);
    chunk.from = Math.min(chunk.from, item.from_us);
    if (item.to_us === Infinity) chunk.open++;
    else chunk.to = Math.max(chunk.to, item.to_us);
    this.all.push(item);
  }

  /** Ends a span that lasted. @param {Item} item @param {number} us */
  close(item, us) {
    if (item.to_us !== Infinity) return;
    const chunk = this.#chunks[item.chunk];
    item.to_us = us;
    chunk.open--;
    chunk.to = Math.max(chunk.to, us);
  }

  /** Calls `visit` with every item that is there between two times. @param {number} from @param {number} to @param {(item: Item) => void} visit */
  within(from, to, visit) {
    for (const chunk of this.#chunks) {
      if (chunk.from > to) return;
      if (chunk.open === 0 && chunk.to < from) continue;
      for (const item of chunk.items) if (item.from_us <= to && item.to_us >= from) visit(item);
    }
  }
}

export class SpaceTime {
  /** @type {Map<string, Lane>} */
  lanes = new Map();
  spans = new Spans();
  /** @type {Course[]} operations, oldest first */
  courses = [];
  /** Who leads by the last step, as `leaderOf` says of a document. @type {string | null} */
  leader = null;
  #ledTerm = 0;

  /** @type {Map<string, Course>} */
  #course = new Map();
  /** @type {Map<string, Flight>} */
  #flights = new Map();
  /** @type {Map<number, Flight>} by the event of the delivery */
  #delivered = new Map();
  /** @type {Map<string, number>} the newest operation that is written so */
  #byLabel = new Map();
  /** @type {Map<string, (number | null)[]>} who takes which row of a client */
  #slots = new Map();
  /** @type {Map<string, { role: Replica["role"], term: number, condition: NodeState["state"] }>} */
  #nodes = new Map();
  /** Whether a node changed in the step at hand. */
  #isTouched = false;
  /** @type {Sign | null} the newest command */
  #command = null;

  /** What there is before the first step. @param {ClusterState} state @param {number} us */
  begin(state, us) {
    [this.#ledTerm] = state.led_terms;
    for (const id in state.clients) this.#addLane(id, true, us);
    for (const id in state.nodes) this.#addNode(id, state.nodes[id].replicas[0], state.nodes[id].state, us);
    for (const id in state.operations) this.#addCourse(state.operations[id], { ...state.operations[id] }, -1);
    for (const id in state.messages) {
      const message = state.messages[id];
      if (message.dropped_us === null) this.#addFlight(message, { sequence: -1, cause: null });
    }
    this.#cutSegments(us);
  }

  /** @param {Step} step */
  add(step) {
    this.#isTouched = false;
    let discarded = 0;
    for (const patch of step.patches) {
      const [kind, path, value] = patch;
      switch (path[0]) {
        case "messages": this.#onMessage(kind, path, value, step); break;
        case "operations": this.#onOperation(kind, path, value, step); break;
        case "nodes":
          if (path[4] === "discarded" && kind === "+") discarded++;
          else this.#onNode(kind, path, value, step);
          break;
        case "led_terms": if (path[1] === 0) this.#ledTerm = Number(value); break;
        case "clients": if (kind === "=" && path.length === 2 && !this.lanes.has(String(path[1]))) this.#addLane(String(path[1]), true, step.at_us); break;
        case "command": this.#onCommand(String(value), step); break;
      }
    }
    if (this.#isTouched) this.#cutSegments(step.at_us);
    this.#sign(step, discarded);
    if (this.#command !== null && step.cause === this.#command.sequence && step.text !== null && this.#command.says === "") this.#command.says = step.text;
  }

  /** The names of the lanes from top to bottom: the nodes between the clients. @param {number} [us] lanes that ended before are left out */
  order(us = -Infinity) {
    const lanes = [...this.lanes.values()].filter((lane) => lane.to_us >= us);
    const clients = lanes.filter((lane) => lane.isClient).map((lane) => lane.id);
    const nodes = lanes.filter((lane) => !lane.isClient).map((lane) => lane.id).sort();
    const above = Math.ceil(clients.length / 2);
    return [...clients.slice(0, above), ...nodes, ...clients.slice(above)];
  }

  /** @param {number | string} operation */
  course(operation) {
    return this.#course.get(String(operation));
  }

  /** @param {number | string} message */
  flight(message) {
    return this.#flights.get(String(message));
  }

  // --- lanes ---------------------------------------------------------------------------------------

  /** @param {string} id @param {boolean} isClient @param {number} us */
  #addLane(id, isClient, us) {
    this.lanes.set(id, { id, isClient, from_us: us, to_us: Infinity, segments: [] });
  }

  /** @param {string} id @param {Pick<Replica, "role" | "term">} replica @param {NodeState["state"]} condition @param {number} us */
  #addNode(id, { role, term }, condition, us) {
    this.#addLane(id, false, us);
    this.#nodes.set(id, { role, term, condition });
    this.#isTouched = true;
  }

  /** @param {Patch[0]} kind @param {Path} path @param {unknown} value @param {Step} step */
  #onNode(kind, path, value, step) {
    const id = String(path[1]);
    if (path.length === 2) {
      const lane = this.lanes.get(id);
      // What becomes of a new node comes as changes of its own.
      if (kind === "=") this.#addNode(id, { role: "follower", term: 1 }, "up", step.at_us);
      else if (lane !== undefined) {
        lane.to_us = step.at_us;
        const last = lane.segments[lane.segments.length - 1];
        if (last) last.to_us = step.at_us;
        this.#nodes.delete(id);
        this.#isTouched = true;
      }
      return;
    }
    const node = this.#nodes.get(id);
    if (node === undefined || kind !== "=") return;
    if (path[2] === "state") node.condition = /** @type {NodeState["state"]} */ (value);
    else if (path[2] === "replicas" && path[3] === 0 && path[4] === "role") node.role = /** @type {Replica["role"]} */ (value);
    else if (path[2] === "replicas" && path[3] === 0 && path[4] === "term") node.term = Number(value);
    else return;
    this.#isTouched = true;
  }

  /** Ends the stretches that are over and begins those that follow. @param {number} us */
  #cutSegments(us) {
    let leader = null;
    let highest = this.#ledTerm - 1;
    for (const [id, { role, term, condition }] of this.#nodes) {
      if (role === "leader" && condition !== "dead" && term > highest) [leader, highest] = [id, term];
    }
    this.leader = leader;
    for (const [id, { role, term, condition }] of this.#nodes) {
      const { segments } = /** @type {Lane} */ (this.lanes.get(id));
      const isOld = role === "leader" && condition !== "dead" && id !== leader;
      let last = segments[segments.length - 1];
      if (last && last.role === role && last.term === term && last.condition === condition && last.isOld === isOld) continue;
      if (last?.from_us === us) {
        segments.pop(); // Several changes of one moment are one.
        last = segments[segments.length - 1];
      } else if (last) last.to_us = us;
      segments.push({ from_us: us, to_us: Infinity, role, term, condition, isOld, beginsTerm: last?.term !== term });
    }
  }

  // --- messages ------------------------------------------------------------------------------------

  /** @param {Patch[0]} kind @param {Path} path @param {unknown} value @param {Step} step */
  #onMessage(kind, path, value, step) {
    if (kind === "=" && path.length === 2) return this.#addFlight(/** @type {MessageState} */ (value), step);
    const flight = this.#flights.get(String(path[1]));
    if (flight === undefined) return;
    if (kind === "-") {
      if (step.name !== "message.delivered" || flight.to_us !== Infinity) return;
      flight.fate = "delivered";
      this.#delivered.set(step.sequence, flight);
      this.spans.close(flight, step.at_us);
    } else if (path[2] === "dropped_us") this.spans.close(flight, Number(value));
    else if (path[2] === "reason") flight.fate = /** @type {Flight["fate"]} */ (value);
    else if (path[2] === "arrives_us") flight.arrives_us = Number(value);
  }

  /** @param {MessageState} message @param {{ sequence: number, cause: number | null }} step */
  #addFlight(message, { sequence, cause }) {
    const asked = cause === null ? undefined : this.#delivered.get(cause);
    const { id, kind, source, target, label, term, success } = message;
    let { operation } = message;
    if (operation === null && kind === "append") operation = this.#byLabel.get(label.replace(/ \+\d+$/, "")) ?? null;
    if (operation === null && kind === "reply") operation = asked?.operation ?? null;
    /** @type {Flight} */
    const flight = {
      type: "message", sequence, from_us: message.sent_us, to_us: Infinity, chunk: 0, id, kind, source, target, label, operation, term,
      arrives_us: message.arrives_us, success, fate: "",
      isRoutine: kind === "heartbeat" || (kind === "reply" && asked?.isRoutine === true),
    };
    this.#flights.set(String(id), flight);
    this.spans.add(flight);
  }

  // --- operations ----------------------------------------------------------------------------------

  /** @param {Patch[0]} kind @param {Path} path @param {unknown} value @param {Step} step */
  #onOperation(kind, path, value, step) {
    if (kind !== "=") return;
    if (path.length === 2) {
      // What is said of it later comes as changes of its own.
      const whole = /** @type {Operation} */ (value);
      this.#addCourse(whole, {
        ...whole, attempts: 1, returned_us: null, outcome: "pending", result: null, version: 0, node: null, index: null, term: null,
        acknowledged_us: null, lost: false, lost_because: null, stale: null, staleness: null,
      }, step.sequence);
      return;
    }
    const course = this.#course.get(String(path[1]));
    if (course === undefined) return;
    const field = String(path[2]);
    Object.assign(course.operation, { [field]: value });
    course.changes.push({ at_us: step.at_us, field, value });
    if (field !== "outcome" || value === "pending") return;
    this.spans.close(course, step.at_us);
    const slots = this.#slots.get(course.operation.client);
    if (slots?.[course.slot] === course.operation.id) slots[course.slot] = null;
  }

  /** @param {Operation} whole @param {Operation} first @param {number} sequence */
  #addCourse({ id, client }, first, sequence) {
    let slots = this.#slots.get(client);
    if (slots === undefined) this.#slots.set(client, (slots = []));
    const free = slots.findIndex((taken) => taken === null);
    const slot = free >= 0 ? free : Math.min(slots.length, SLOTS - 1);
    const isOver = first.outcome !== "pending";
    if (!isOver) slots[slot] = id;
    /** @type {Course} */
    const course = { type: "operation", sequence, from_us: first.called_us, to_us: isOver ? first.returned_us ?? first.called_us : Infinity, chunk: 0, operation: { ...first }, first, changes: [], slot };
    this.#course.set(String(id), course);
    this.#byLabel.set(operationWords(first), id);
    this.courses.push(course);
    this.spans.add(course);
  }

  // --- signs ---------------------------------------------------------------------------------------

  /** @param {string} text @param {Step} step */
  #onCommand(text, step) {
    this.#command = null;
    if (/^(write|read|cas|delete)\b/.test(text)) return;
    this.#command = this.#addSign("command", null, text, step);
  }

  /** Marks what the step is, if it is something to mark. @param {Step} step @param {number} discarded how many entries it took out of a log */
  #sign(step, discarded) {
    const kind = SIGNS[step.name];
    if (kind === undefined) return;
    const path = step.patches.find(([, each]) => each[0] === "nodes")?.[1];
    if (path === undefined) return;
    const id = String(path[1]);
    const node = this.#nodes.get(id);
    // On a follower that something is committed is news, not the moment of it.
    if (kind === "commit" && id !== this.leader) return;
    const label = kind === "truncate" ? `−${discarded}` : kind === "election" || kind === "leader" ? `term ${node?.term ?? ""}` : "";
    // Whoever was there from the beginning did not join.
    if (kind === "join" && step.at_us === 0) return;
    if (kind !== "truncate" || discarded > 0) this.#addSign(kind, id, label, step);
  }

  /** @param {SignKind} kind @param {string | null} lane @param {string} label @param {Step} step */
  #addSign(kind, lane, label, { sequence, at_us, text }) {
    /** @type {Sign} */
    const sign = { type: "sign", sequence, from_us: at_us, to_us: at_us, chunk: 0, kind, lane, label, says: text ?? "", operation: null };
    this.spans.add(sign);
    return sign;
  }
}

/** @type {Record<string, SignKind>} what is marked on a node's lifeline, by the name of the event */
const SIGNS = {
  "node.killed": "kill",
  "node.restarted": "restart",
  "node.paused": "pause",
  "node.resumed": "resume",
  "node.added": "join",
  "node.removed": "leave",
  "election.started": "election",
  "leader.started": "leader",
  "leader.stepped_down": "deposed",
  "commit.advanced": "commit",
  "log.truncated": "truncate",
};

/** What was known of an operation at a time. @param {Course} course @param {number} us @returns {Operation} */
export function operationAt({ operation, first, changes }, us) {
  if (changes.length === 0 || changes[changes.length - 1].at_us <= us) return operation;
  const then = { ...first };
  for (const { at_us, field, value } of changes) if (at_us <= us) Object.assign(then, { [field]: value });
  return then;
}

/** What is wrong with an operation, if anything is. @param {Operation} operation @returns {"lost" | "stale" | "failed" | "unknown" | null} */
export function problemOf({ lost, stale, outcome }) {
  if (lost) return "lost";
  if (stale === true) return "stale";
  return outcome === "failed" || outcome === "unknown" ? outcome : null;
}
