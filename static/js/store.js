// @ts-check
/**
 * What the page knows of the run, and which moment of it is shown.
 *
 * `Store` folds the server's patches into documents that never change once made: a patch copies the
 * few objects on its path and shares the rest, so widgets compare by identity and a keyframe of the
 * past costs next to nothing. `Clock` turns frames, which arrive in bursts, into a steady time.
 */

/** Steps between two remembered documents: rebuilding any moment applies fewer than this many. */
const STEPS_PER_KEYFRAME = 250;
/** Steps remembered before the oldest are forgotten. */
const STEPS_MAX = 20_000;
const TELLINGS_MAX = 300;

/**
 * A copy of `value` that this round of patches may change in place.
 * @param {any} value
 * @param {Set<object>} fresh objects copied earlier in the same round
 */
function own(value, fresh) {
  if (fresh.has(value)) return value;
  const copy = Array.isArray(value) ? value.slice() : { ...value };
  fresh.add(copy);
  return copy;
}

/**
 * The document after one patch. `document` itself stays as it was unless it is in `fresh`.
 * @template {object} T
 * @param {T} document
 * @param {Patch} patch
 * @param {Set<object>} fresh
 * @returns {T}
 */
export function applyPatch(document, patch, fresh) {
  const [kind, path, value] = patch;
  if (path.length === 0) return /** @type {T} */ (value);
  const root = own(document, fresh);
  let holder = root;
  for (let depth = 0; depth < path.length - 1; depth++) {
    const key = path[depth];
    holder = holder[key] = own(holder[key], fresh);
  }
  const last = path[path.length - 1];
  if (kind === "=") holder[last] = value;
  else if (kind === "-") delete holder[last];
  else {
    const list = (holder[last] = own(holder[last], fresh));
    if (kind === "+") list.push(value);
    else if (kind === "<") list.length = value;
    else list.splice(0, value);
  }
  return root;
}

/** The run as it was sent, step by step. */
export class Store {
  /** @type {ClusterState | null} the newest document */
  state = null;
  nowUs = 0;
  isPlaying = false;
  speed = 1;
  /** The newest event applied; -1 before any. */
  sequence = -1;
  /** @type {Telling[]} what was told, oldest first */
  tellings = [];
  /** @type {RunKeyframe["start"]} */
  start = { seed: 1, settings: {}, scenario: null };
  /** @type {Script | null} */
  script = null;
  /** What the server says about the room, such as why it stands still; empty for nothing. */
  notice = "";
  /** @type {Step[]} */
  steps = [];

  /** @type {{ position: number, at_us: number, state: ClusterState }[]} documents before `steps[position]` */
  #keyframes = [];
  #number = -1;
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /** Calls `listener` after every change. @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /** @param {RunKeyframe} keyframe */
  takeKeyframe(keyframe) {
    const continues = keyframe.sequence === this.sequence && this.state !== null && keyframe.now_us >= this.nowUs;
    this.#number = keyframe.number;
    this.state = keyframe.state;
    this.sequence = keyframe.sequence;
    this.start = keyframe.start;
    this.script = keyframe.script;
    this.notice = keyframe.notice ?? "";
    if (!continues) {
      this.steps = [];
      this.#keyframes = [{ position: 0, at_us: keyframe.now_us, state: keyframe.state }];
      this.tellings = [...keyframe.recent];
    }
    this.#takeTime(keyframe);
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} false when a frame before it is missing: ask for a keyframe
   */
  takeFrame(frame) {
    if (this.state === null || frame.number !== this.#number + 1) return frame.number <= this.#number;
    this.#number = frame.number;
    this.notice = frame.notice ?? "";
    this.#tickScript(frame.script_done ?? 0, frame.script_broken ?? []);
    this.#takeSteps(frame.steps);
    this.#takeTime(frame);
    return true;
  }

  /** @param {number} done @param {number[]} broken */
  #tickScript(done, broken) {
    const { script } = this;
    if (script === null || script.lines.filter((line) => line.done).length === done) return;
    this.script = { ...script, broken, lines: script.lines.map((line, position) => ({ ...line, done: position < done })) };
  }

  /** @param {Step[]} steps */
  #takeSteps(steps) {
    let state = /** @type {ClusterState} */ (this.state);
    let fresh = new Set();
    for (const step of steps) {
      for (const patch of step.patches) state = applyPatch(state, patch, fresh);
      this.steps.push(step);
      this.sequence = step.sequence;
      if (step.text !== null) this.tellings.push(/** @type {Telling} */ (step));
      if (this.steps.length - this.#keyframes[this.#keyframes.length - 1].position >= STEPS_PER_KEYFRAME) {
        this.#keyframes.push({ position: this.steps.length, at_us: step.at_us, state });
        fresh = new Set(); // The remembered document must not be changed in place.
      }
    }
    this.state = state;
    if (this.tellings.length > TELLINGS_MAX) this.tellings = this.tellings.slice(-TELLINGS_MAX);
    if (this.steps.length > STEPS_MAX) this.#forgetOldest();
  }

  #forgetOldest() {
    const kept = this.#keyframes.findIndex((keyframe) => this.steps.length - keyframe.position <= STEPS_MAX / 2);
    if (kept <= 0) return;
    const dropped = this.#keyframes[kept].position;
    this.steps = this.steps.slice(dropped);
    this.#keyframes = this.#keyframes.slice(kept).map((keyframe) => ({ ...keyframe, position: keyframe.position - dropped }));
  }

  /** @param {{ now_us: number, playing: boolean, speed: number }} frame */
  #takeTime(frame) {
    this.nowUs = frame.now_us;
    this.isPlaying = frame.playing;
    this.speed = frame.speed;
    for (const listener of this.#listeners) listener();
  }

  /** The earliest time that `stateAt` can rebuild. */
  get earliestUs() {
    return this.#keyframes.length > 0 ? this.#keyframes[0].at_us : 0;
  }

  /**
   * The document as it was when every event up to `timeUs` had happened.
   * @param {number} timeUs
   * @returns {ClusterState | null}
   */
  stateAt(timeUs) {
    if (timeUs >= this.nowUs || this.#keyframes.length === 0) return this.state;
    let base = this.#keyframes[0];
    for (const keyframe of this.#keyframes) if (keyframe.at_us <= timeUs) base = keyframe;
    // Several events may share an instant, so the steps decide, not the keyframe's own time.
    let state = base.state;
    const fresh = new Set();
    for (let position = base.position; position < this.steps.length && this.steps[position].at_us <= timeUs; position++) {
      for (const patch of this.steps[position].patches) state = applyPatch(state, patch, fresh);
    }
    return state;
  }
}

/** How far the shown time may stray from the server's before it jumps, in real milliseconds. */
const STRAY_MS_MAX = 350;
/** How long the clock runs on by itself when no frame comes, in real milliseconds. */
const ALONE_MS_MAX = 1500;

/**
 * The moment shown. While playing it runs on by itself between frames and never backwards; small
 * differences from the server are worked off by going a little faster or slower.
 */
export class Clock {
  #shownUs = 0;
  #readAtMs = 0;
  #frameUs = 0;
  #frameAtMs = 0;
  #isPlaying = false;
  #speed = 1;

  /**
   * @param {{ nowUs: number, isPlaying: boolean, speed: number }} run
   * @param {number} atMs real time of arrival
   */
  follow(run, atMs) {
    const isNewRun = run.nowUs < this.#frameUs;
    this.#frameUs = run.nowUs;
    this.#frameAtMs = atMs;
    this.#isPlaying = run.isPlaying;
    this.#speed = run.speed;
    if (isNewRun || !run.isPlaying) this.#shownUs = run.nowUs;
  }

  get isMoving() {
    return this.#isPlaying;
  }

  /** @param {number} atMs real time @returns {number} microseconds to show */
  read(atMs) {
    const passedMs = Math.max(0, atMs - this.#readAtMs);
    this.#readAtMs = atMs;
    if (!this.#isPlaying) return this.#shownUs;
    const aloneMs = Math.min(ALONE_MS_MAX, Math.max(0, atMs - this.#frameAtMs));
    const targetUs = this.#frameUs + aloneMs * 1000 * this.#speed;
    const strayMs = (targetUs - this.#shownUs) / (1000 * this.#speed);
    if (strayMs > STRAY_MS_MAX) this.#shownUs = targetUs;
    else if (strayMs > -STRAY_MS_MAX && aloneMs < ALONE_MS_MAX) {
      const rate = 1 + Math.max(-0.5, Math.min(0.5, (strayMs - passedMs) / 200));
      const onUs = this.#shownUs + passedMs * 1000 * this.#speed * rate;
      this.#shownUs = Math.max(this.#shownUs, Math.min(onUs, targetUs + STRAY_MS_MAX * 1000 * this.#speed));
    }
    return this.#shownUs;
  }
}

// --- reading a document: what several widgets say in the same words -----------------------------

/** `4.82 s` @param {number} us @param {number} [digits] */
export function seconds(us, digits = 2) {
  return `${(us / 1e6).toFixed(digits)} s`;
}

/** `300 ms`, `3.5 s`: a length of time, as short as it is exact. @param {number} us */
export function duration(us) {
  return us < 1e6 ? `${us / 1000} ms` : `${us / 1e6} s`;
}

/** @param {ClusterState} state @param {string} node */
export function replicaOf(state, node) {
  return state.nodes[node].replicas[0];
}

/** The running leader of the highest term, or null. @param {ClusterState} state */
export function leaderOf(state) {
  let leader = null;
  for (const node in state.nodes) {
    const replica = replicaOf(state, node);
    if (state.nodes[node].state === "dead" || replica.role !== "leader") continue;
    if (leader === null || replica.term > replicaOf(state, leader).term) leader = node;
  }
  return leader;
}

/** The index of a log's last entry; 0 when empty. @param {Replica} replica */
export function lastIndex(replica) {
  return replica.log.length > 0 ? replica.log[replica.log.length - 1].index : 0;
}

/** How many of the leader's entries a node does not hold; 0 without a leader. @param {ClusterState} state @param {string} node */
export function behind(state, node) {
  const leader = leaderOf(state);
  return leader === null || leader === node ? 0 : Math.max(0, lastIndex(replicaOf(state, leader)) - lastIndex(replicaOf(state, node)));
}

/**
 * The role as people say it. Followers that run are numbered in letter order; letters stay fixed.
 * @param {ClusterState} state @returns {Record<string, string>}
 */
export function roleLabels(state) {
  /** @type {Record<string, string>} */
  const labels = {};
  const leader = leaderOf(state);
  let followers = 0;
  for (const node in state.nodes) {
    const { role } = replicaOf(state, node);
    if (state.nodes[node].state === "dead") labels[node] = role === "leader" ? "dead, was Leader" : "dead";
    else if (role === "leader") labels[node] = node === leader ? "Leader" : "Old leader";
    else if (role === "candidate") labels[node] = "Candidate";
    else labels[node] = state.nodes[node].voter ? `Follower ${++followers}` : "Joining";
  }
  return labels;
}

/** How many votes elect a leader, and of how many. @param {ClusterState} state */
export function majority(state) {
  const voters = Object.values(state.nodes).filter((node) => node.voter).length;
  return { voters, needed: Math.floor(voters / 2) + 1 };
}

/** An operation in a few words: `write x=3`, `read x`. @param {Operation} operation */
export function operationWords({ kind, key, value, expected }) {
  if (kind === "write") return `${key}=${value}`;
  if (kind === "cas") return `${key}:${expected ?? "∅"}→${value}`;
  return kind === "delete" ? `delete ${key}` : `read ${key}`;
}

/**
 * The other nodes that do not hold a pending write on disk, `C (dead)`, where its answer may wait for them;
 * none while no leader has put it into its log.
 * @param {ClusterState} state @param {Operation} operation @returns {string[]}
 */
export function lackers(state, { outcome, index, term, kind }) {
  const leader = leaderOf(state);
  if (outcome !== "pending" || kind === "read" || index === null || leader === null || state.settings.replication === "async") return [];
  return Object.keys(state.nodes).filter((node) => {
    const { log, flushed_index } = replicaOf(state, node);
    const isHeld = flushed_index >= index && log.some((entry) => entry.index === index && entry.term === term);
    return node !== leader && state.nodes[node].voter && !isHeld;
  }).map((node) => (state.nodes[node].state === "up" ? node : `${node} (${state.nodes[node].state})`));
}

/** Which operation a step is about, if it is about one. @param {Step | Telling} step @returns {string | null} */
export function operationOf(step) {
  for (const [, path, value] of "patches" in step ? step.patches : []) {
    if (path[0] === "operations" && path.length > 1) return String(path[1]);
    const made = /** @type {{ operation?: number | null } | null} */ (typeof value === "object" ? value : null);
    if (made?.operation) return String(made.operation);
  }
  return null;
}
