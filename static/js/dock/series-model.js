// @ts-check
/**
 * What the charts draw: how far each follower is behind, when nobody led, and what was answered when.
 * Folded from steps like the lifelines beside it; sampled for a window when it is drawn.
 */
import { difference, firstAfter } from "../store.js";

/** @typedef {{ at_us: number, value: number | null }} Sample from here on; null for nothing to say */
/** @typedef {{ at_us: number, latency_us: number, isRead: boolean, isAnswered: boolean, operation: number }} Ending */
/** @typedef {import("./spacetime-model.js").SpaceTime} SpaceTime */

/** Rates are counted over so long a time. */
export const RATE_WINDOW_US = 1_000_000;
/** Shares are taken of what ended in so long a time. */
export const SHARE_WINDOW_US = 3_000_000;
/** What waits for so long is not answered so far. */
const DUE_US = 1_500_000;
/** Nothing waits longer. */
const WAIT_MAX_US = 60_000_000;

export class Series {
  /** @type {Map<string, Sample[]>} by node: entries that the leader has and it does not; null for the leader, for the dead and without a leader */
  lags = new Map();
  /** @type {{ from_us: number, to_us: number }[]} stretches without a running leader */
  leaderless = [];
  /** @type {Ending[]} operations in the order of their ends */
  endings = [];

  /** @type {Map<string, { places: LogPlace[], isDead: boolean }>} */
  #logs = new Map();
  /** @type {Map<string, number>} whether an operation reads, and when it was called */
  #called = new Map();
  /** @type {Map<string, boolean>} */
  #reads = new Map();

  /** @param {ClusterState} state @param {SpaceTime} space what it is at that time @param {number} us */
  begin(state, space, us) {
    for (const id in state.nodes) this.#addNode(id, state.nodes[id]);
    for (const id in state.operations) this.#call(id, state.operations[id]);
    this.#note(space.leader, us);
  }

  /** @param {Step} step @param {SpaceTime} space with the step folded into it */
  add(step, space) {
    let isMoved = false;
    for (const [kind, path, value] of step.patches) {
      if (path[0] === "nodes") isMoved = this.#onNode(kind, path, value) || isMoved;
      else if (path[0] === "operations" && kind === "=") {
        if (path.length === 2) this.#call(String(path[1]), /** @type {Operation} */ (value));
        else if (path[2] === "outcome" && value !== "pending") this.#end(String(path[1]), value === "ok", step.at_us);
      }
    }
    if (isMoved) this.#note(space.leader, step.at_us);
  }

  /** @param {string} id @param {Operation} operation */
  #call(id, { called_us, kind }) {
    this.#called.set(id, called_us);
    this.#reads.set(id, kind === "read");
  }

  /** @param {string} id @param {boolean} isAnswered @param {number} us */
  #end(id, isAnswered, us) {
    const called = this.#called.get(id);
    if (called === undefined) return;
    this.endings.push({ at_us: us, latency_us: us - called, isRead: this.#reads.get(id) === true, isAnswered, operation: Number(id) });
    this.#called.delete(id);
    this.#reads.delete(id);
  }

  /** @param {string} id @param {NodeState} node */
  #addNode(id, node) {
    const [replica] = node.replicas;
    this.#logs.set(id, { places: [...replica.log], isDead: node.state === "dead" });
  }

  /** @param {Patch[0]} kind @param {Path} path @param {unknown} value @returns {boolean} whether a lag may have changed */
  #onNode(kind, path, value) {
    const id = String(path[1]);
    if (path.length === 2) {
      // A new node's log fills by patches of its own.
      if (kind === "=") this.#logs.set(id, { places: [], isDead: false });
      else this.#logs.delete(id);
      return true;
    }
    const log = this.#logs.get(id);
    if (log === undefined) return false;
    if (path[2] === "state") log.isDead = value === "dead";
    if (path[2] === "state" || path[4] === "role" || path[4] === "term") return true;
    if (path[4] !== "log" || path[3] !== 0 || path.length !== 5) return false;
    if (kind === "+") log.places.push(/** @type {Entry} */ (value));
    else if (kind === "<") log.places.length = Number(value);
    else if (kind === ">") log.places.splice(0, Number(value));
    return true;
  }

  /** Notes the lags and the leader as they are from now on. @param {string | null} leader @param {number} us */
  #note(leader, us) {
    const last = this.leaderless[this.leaderless.length - 1];
    if (leader === null && last?.to_us !== Infinity) this.leaderless.push({ from_us: us, to_us: Infinity });
    if (leader !== null && last?.to_us === Infinity) {
      if (last.from_us === us) this.leaderless.pop();
      else last.to_us = us;
    }
    const ours = leader === null ? undefined : this.#logs.get(leader)?.places;
    for (const [id, log] of this.#logs) {
      const value = ours === undefined || id === leader || log.isDead ? null : difference(ours, log.places).missing;
      let samples = this.lags.get(id);
      if (samples === undefined) this.lags.set(id, (samples = []));
      const before = samples[samples.length - 1];
      if (before?.value === value) continue;
      if (before?.at_us === us) before.value = value;
      else samples.push({ at_us: us, value });
    }
    for (const [id, samples] of this.lags) {
      if (!this.#logs.has(id) && samples[samples.length - 1].value !== null) samples.push({ at_us: us, value: null });
    }
  }

  // --- sampling ------------------------------------------------------------------------------------

  /** The endings between two times. @param {number} from @param {number} to */
  endingsWithin(from, to) {
    return this.endings.slice(firstAfter(this.endings, from), firstAfter(this.endings, to));
  }

  /** Answers a second at a time. @param {number} us @param {boolean} isRead */
  rateAt(us, isRead) {
    const answered = this.endingsWithin(us - RATE_WINDOW_US, us).filter((ending) => ending.isAnswered && ending.isRead === isRead);
    return (answered.length * 1_000_000) / RATE_WINDOW_US;
  }

  /**
   * The share of what was due lately that was answered; null when nothing was. What is asked and goes
   * without an answer counts as not answered from `DUE_US` on, for as long as it waits.
   * @param {number} us
   */
  shareAt(us) {
    const ended = this.endingsWithin(us - SHARE_WINDOW_US, us);
    const answered = ended.filter((ending) => ending.isAnswered).length;
    const isWaiting = (/** @type {number} */ called) => called <= us - DUE_US;
    let waiting = 0;
    for (const called of this.#called.values()) if (isWaiting(called)) waiting++;
    // What ended later was waiting then as well.
    for (let position = firstAfter(this.endings, us); position < this.endings.length; position++) {
      const { at_us, latency_us } = this.endings[position];
      if (at_us - latency_us > us) continue;
      if (isWaiting(at_us - latency_us)) waiting++;
      if (at_us > us + WAIT_MAX_US) break;
    }
    return ended.length + waiting === 0 ? null : answered / (ended.length + waiting);
  }

  /** @param {string} node @param {number} us */
  lagAt(node, us) {
    const samples = this.lags.get(node) ?? [];
    return samples[firstAfter(samples, us) - 1]?.value ?? null;
  }

  /** Whether nobody led at a time. @param {number} us */
  isLeaderless(us) {
    return this.leaderless.some(({ from_us, to_us }) => from_us <= us && us < to_us);
  }
}
