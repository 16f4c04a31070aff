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
/** Sentences given for a moment of the past. */
const TELLINGS_SHOWN = 300;

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

/**
 * What a step is on the line of time, for those that a person may want to go to.
 * @param {Step} step @returns {Set<MarkKind>}
 */
export function marksOf({ name, patches }) {
  /** @type {Set<MarkKind>} */
  const kinds = new Set();
  if (name in MARKS) kinds.add(MARKS[name]);
  for (const [kind, path, value] of patches) {
    if (kind !== "=") continue;
    const holder = path[path[0] === "lanes" ? 2 : 0];
    const last = path[path.length - 1];
    if (holder === "operations" && last === "lost" && value === true) kinds.add("loss");
    if (holder === "operations" && last === "stale" && value === true) kinds.add("stale");
    if (holder === "verdicts" && /** @type {Verdict} */ (value)?.held === false) kinds.add("violation");
  }
  return kinds;
}

/** @type {Record<string, MarkKind>} the kind of event by its name, where the name alone decides */
const MARKS = {
  "election.started": "election",
  "leader.started": "leader",
  "node.killed": "crash",
  "write.acknowledged": "ok",
};

/**
 * The run as it was sent, step by step. `state` and `tellings` are those of the moment that is shown,
 * which is the newest unless `view` was asked for an earlier one.
 */
export class Store {
  /** @type {ClusterState | null} the newest document */
  newest = null;
  nowUs = 0;
  /** The past moment that is shown; null while the newest is. @type {number | null} */
  viewUs = null;
  /** Which run this is: another after a restart and on another branch. */
  run = 0;
  /** @type {Branch[]} */
  branches = [];
  /** The branch that is shown. */
  branch = 1;
  /** Whether stretches in which nothing is told are passed over. */
  skipsIdle = false;
  /** Whether `steps` begins with the first event. */
  isComplete = false;
  /** Whether what happened before `steps` is there to be asked for. */
  lacksPast = false;
  /** @type {Mark[]} what there is to go to, oldest first */
  marks = [];
  isPlaying = false;
  speed = 1;
  /** The newest event applied; -1 before any. */
  sequence = -1;
  /** @type {Telling[]} what was told, oldest first */
  #told = [];
  /** @type {RunKeyframe["start"]} */
  start = { seed: 1, settings: {}, scenario: null };
  /** @type {Script | null} */
  script = null;
  /** Progress in the lesson that the room is in. @type {LessonState | null} */
  lesson = null;
  /** What the server says about the room, such as why it stands still; empty for nothing. */
  notice = "";
  /** @type {Step[]} */
  steps = [];

  /** @type {{ position: number, state: ClusterState }[]} documents before `steps[position]` */
  #keyframes = [];
  /** @type {{ position: number, state: ClusterState } | null} the document that was rebuilt last */
  #rebuilt = null;
  #number = -1;
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /** Calls `listener` after every change. @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /** The document of the moment shown. */
  get state() {
    return this.viewUs === null ? this.newest : this.stateAt(this.viewUs);
  }

  /** The time of the moment shown. */
  get shownUs() {
    return this.viewUs ?? this.nowUs;
  }

  /** What was told by the moment shown, oldest first. */
  get tellings() {
    if (this.viewUs === null) return this.#told;
    const end = firstAfter(this.#told, this.viewUs);
    return this.#told.slice(Math.max(0, end - TELLINGS_SHOWN), end);
  }

  /** Shows a moment of the past, or with null the newest one. @param {number | null} us */
  view(us) {
    this.viewUs = us === null || us >= this.nowUs ? null : Math.max(us, this.earliestUs);
    for (const listener of this.#listeners) listener();
  }

  /** @param {RunKeyframe} keyframe */
  takeKeyframe(keyframe) {
    const isSame = keyframe.run === this.run && this.newest !== null;
    const continues = isSame && keyframe.sequence === this.sequence && keyframe.now_us >= this.nowUs;
    this.#number = keyframe.number;
    this.newest = keyframe.state;
    this.sequence = keyframe.sequence;
    this.start = keyframe.start;
    this.script = keyframe.script;
    this.notice = keyframe.notice ?? "";
    this.lesson = keyframe.lesson ?? null;
    this.run = keyframe.run;
    this.branches = keyframe.branches;
    this.branch = keyframe.branch;
    if (!isSame) this.viewUs = null;
    if (!continues) this.#beginAt(keyframe.state, keyframe.sequence < 0);
    if (!continues) this.#told = [...keyframe.recent];
    this.#takeTime(keyframe);
  }

  /** Forgets all steps: `state` is what there is before the next one. @param {ClusterState} state @param {boolean} isComplete */
  #beginAt(state, isComplete) {
    this.steps = [];
    this.marks = [];
    this.isComplete = isComplete;
    this.lacksPast = !isComplete;
    this.#keyframes = [{ position: 0, state }];
    this.#rebuilt = null;
  }

  /**
   * Adds what happened before the first step known.
   * @param {RunHistory} history
   * @returns {boolean} whether it is of this run and leaves no gap
   */
  takeHistory({ run, state, steps }) {
    const known = this.steps;
    const first = known.length > 0 ? known[0].sequence : this.sequence + 1;
    const older = steps.filter((step) => step.sequence < first);
    if (run !== this.run) return false;
    this.lacksPast = false;
    if ((older[older.length - 1]?.sequence ?? -1) !== first - 1) return false;
    const isComplete = (steps[0]?.sequence ?? 0) === 0;
    this.#beginAt(state, isComplete);
    this.lacksPast = false; // The server has no more than it gave.
    this.#told = [];
    this.newest = this.#fold(state, [...older, ...known]);
    for (const listener of this.#listeners) listener();
    return true;
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} false when a frame before it is missing: ask for a keyframe
   */
  takeFrame(frame) {
    if (this.newest === null || frame.number !== this.#number + 1) return frame.number <= this.#number;
    this.#number = frame.number;
    this.notice = frame.notice ?? "";
    if (frame.lesson !== undefined) this.lesson = frame.lesson;
    this.#tickScript(frame.script_done ?? 0, frame.script_broken ?? []);
    this.newest = this.#fold(this.newest, frame.steps);
    if (this.steps.length > STEPS_MAX) this.#forgetOldest();
    this.#takeTime(frame);
    return true;
  }

  /** @param {number} done @param {number[]} broken */
  #tickScript(done, broken) {
    const { script } = this;
    if (script === null || script.lines.filter((line) => line.done).length === done) return;
    this.script = { ...script, broken, lines: script.lines.map((line, position) => ({ ...line, done: position < done })) };
  }

  /** The document after these steps, which become part of the history. @param {ClusterState} state @param {Step[]} steps */
  #fold(state, steps) {
    let fresh = new Set();
    for (const step of steps) {
      for (const patch of step.patches) state = applyPatch(state, patch, fresh);
      this.steps.push(step);
      this.sequence = step.sequence;
      if (step.text !== null) this.#told.push(/** @type {Telling} */ (step));
      for (const kind of marksOf(step)) this.marks.push({ kind, at_us: step.at_us, sequence: step.sequence });
      if (this.steps.length - this.#keyframes[this.#keyframes.length - 1].position >= STEPS_PER_KEYFRAME) {
        this.#keyframes.push({ position: this.steps.length, state });
        fresh = new Set(); // The remembered document must not be changed in place.
      }
    }
    return state;
  }

  #forgetOldest() {
    const kept = this.#keyframes.findIndex((keyframe) => this.steps.length - keyframe.position <= STEPS_MAX / 2);
    if (kept <= 0) return;
    const dropped = this.#keyframes[kept].position;
    const { at_us } = this.steps[dropped];
    this.steps = this.steps.slice(dropped);
    this.marks = this.marks.filter((mark) => mark.at_us >= at_us);
    this.#told = this.#told.filter((telling) => telling.at_us >= at_us);
    this.#keyframes = this.#keyframes.slice(kept).map((keyframe) => ({ ...keyframe, position: keyframe.position - dropped }));
    this.#rebuilt = null;
    this.isComplete = this.lacksPast = false;
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
    return this.isComplete ? 0 : (this.steps[0]?.at_us ?? this.nowUs);
  }

  /** How many of the steps had happened by a time. @param {number} timeUs */
  positionAt(timeUs) {
    return firstAfter(this.steps, timeUs);
  }

  /**
   * The document as it was when every event up to `timeUs` had happened.
   * @param {number} timeUs
   * @returns {ClusterState | null}
   */
  stateAt(timeUs) {
    if (timeUs >= this.nowUs || this.#keyframes.length === 0) return this.newest;
    const end = this.positionAt(timeUs);
    let base = this.#keyframes[0];
    for (const keyframe of this.#keyframes) if (keyframe.position <= end) base = keyframe;
    // Played on, most moments follow the one before them.
    if (this.#rebuilt !== null && this.#rebuilt.position <= end && this.#rebuilt.position >= base.position) base = this.#rebuilt;
    if (base.position === end) return base.state;
    let state = base.state;
    const fresh = new Set();
    for (let position = base.position; position < end; position++) {
      for (const patch of this.steps[position].patches) state = applyPatch(state, patch, fresh);
    }
    this.#rebuilt = { position: end, state };
    return state;
  }
}

/** The position of the first item after a time; items are in the order of their times. @param {{ at_us: number }[]} items @param {number} timeUs */
export function firstAfter(items, timeUs) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].at_us <= timeUs) low = middle + 1;
    else high = middle;
  }
  return low;
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

/** Nothing told for so long is an idle stretch. */
const IDLE_US = 1_500_000;

/** Time as a person commands it: the run as it goes on, or what is recorded of its past. */
export class Playback {
  #isReplaying = false;
  #readAtMs = 0;
  /** @type {Promise<void> | null} what is under way to bring the past */
  #recalling = null;
  /** The run whose past was not to be had: it is too long, or out of reach. */
  #beyond = -1;

  /**
   * @param {Store} store @param {Clock} clock @param {Connection} connection
   * @param {(answer: Answer) => unknown} report tells a person what was refused
   */
  constructor(store, clock, connection, report) {
    this.store = store;
    this.clock = clock;
    this.connection = connection;
    this.report = report;
  }

  /** Whether time passes, recorded or live. */
  get isPlaying() {
    return this.store.viewUs === null ? this.store.isPlaying : this.#isReplaying;
  }

  play() {
    if (this.store.viewUs === null) return this.#ask("play");
    this.#readAtMs = performance.now();
    this.#replay(true);
  }

  pause() {
    if (this.store.viewUs === null) this.#ask("pause");
    else this.#replay(false);
  }

  /** @param {boolean} isReplaying */
  #replay(isReplaying) {
    this.#isReplaying = isReplaying;
    this.store.view(this.store.viewUs); // So that everybody shows it.
  }

  /** @param {"play" | "pause" | "step"} action */
  #ask(action) {
    void this.connection.playback(action).then(this.report);
  }

  /** Shows a past moment, or with null the newest one. @param {number | null} us */
  seek(us) {
    const { store } = this;
    // The run waits while somebody looks at its past: nothing of it is missed.
    if (us !== null && us < store.nowUs && store.viewUs === null && store.isPlaying) this.#ask("pause");
    if (us !== null && us < store.earliestUs && store.lacksPast) void this.recall().then(() => store.view(us));
    else store.view(us);
  }

  /** Goes to the next moment at which something was told, or to the one before. @param {1 | -1} direction */
  stepBy(direction) {
    if (direction > 0 && this.store.viewUs === null) return this.#ask("step");
    this.#isReplaying = false;
    if (direction > 0) this.seek(this.#nextTold(this.store.shownUs));
    else void this.#stepBack();
  }

  async #stepBack() {
    const { store } = this;
    if (store.viewUs === null && store.isPlaying) this.#ask("pause");
    if (this.#lastTold(store.shownUs) <= store.earliestUs) await this.recall();
    this.seek(this.#lastTold(store.shownUs));
  }

  /** @param {number} us @returns {number | null} */
  #nextTold(us) {
    const { steps } = this.store;
    for (let position = firstAfter(steps, us); position < steps.length; position++) {
      if (steps[position].text !== null) return steps[position].at_us;
    }
    return null;
  }

  /** @param {number} us */
  #lastTold(us) {
    const { steps } = this.store;
    for (let position = firstAfter(steps, us - 1) - 1; position >= 0; position--) {
      if (steps[position].text !== null) return steps[position].at_us;
    }
    return this.store.earliestUs;
  }

  /** The time to show at a frame; recorded time passes here. @param {number} atMs */
  read(atMs) {
    const { store } = this;
    if (store.viewUs === null) return this.clock.read(atMs);
    if (!this.#isReplaying) return store.viewUs;
    const passedMs = Math.min(100, Math.max(0, atMs - this.#readAtMs));
    this.#readAtMs = atMs;
    store.view(this.#pastIdle(store.viewUs) + passedMs * 1000 * store.speed);
    if (store.viewUs === null) {
      this.#isReplaying = false;
      this.#ask("play");
    }
    return store.shownUs;
  }

  /** Where to go on from: past a stretch in which nothing is told, when a person asked for that. @param {number} us */
  #pastIdle(us) {
    const toldUs = this.store.skipsIdle ? this.#nextTold(us) : null;
    return toldUs !== null && toldUs - us > IDLE_US ? toldUs - IDLE_US / 2 : us;
  }

  /** Brings what happened before this page came, where it is to be had. @returns {Promise<void>} */
  recall() {
    const { store, store: { run } } = this;
    if (store.lacksPast && run !== this.#beyond) this.#recalling ??= this.connection.history().then((history) => {
      this.#recalling = null;
      if (history === null) this.#beyond = run;
      else store.takeHistory(history);
    });
    return this.#recalling ?? Promise.resolve();
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

/** The running leader of the newest leadership; null when that one is dead, whoever else still believes to lead. @param {ClusterState} state */
export function leaderOf(state) {
  let leader = null;
  for (const node in state.nodes) {
    const replica = replicaOf(state, node);
    if (state.nodes[node].state === "dead" || replica.role !== "leader" || replica.term < state.led_terms[0]) continue;
    if (leader === null || replica.term > replicaOf(state, leader).term) leader = node;
  }
  return leader;
}

/** The index of a log's last entry; 0 when empty. @param {Replica} replica */
export function lastIndex(replica) {
  return replica.log.length > 0 ? replica.log[replica.log.length - 1].index : 0;
}

/**
 * How two logs differ. An entry is held by both only where index and term agree: then all before it agree too
 * (Raft §5.3). Logs may begin late; what lies before is the most the two can share.
 * @param {LogPlace[]} ours the leader's @param {LogPlace[]} theirs
 * @returns {{ missing: number, extra: number }} how many of ours they lack, and what they have in other places
 */
export function difference(ours, theirs) {
  const last = ours.at(-1)?.index ?? 0;
  const end = theirs.at(-1)?.index ?? 0;
  const first = theirs[0]?.index ?? 1;
  for (let position = ours.length - 1; position >= 0 && ours[position].index >= first; position--) {
    const { index, term } = ours[position];
    if (theirs[index - first]?.term === term) return { missing: last - index, extra: end - index };
  }
  const shared = Math.min(last, end, Math.max(first, ours[0]?.index ?? 1) - 1);
  return { missing: last - shared, extra: end - shared };
}

/** How a node's log differs from the leader's; not at all without a leader. @param {ClusterState} state @param {string} node */
export function apart(state, node) {
  const leader = leaderOf(state);
  return leader === null || leader === node ? { missing: 0, extra: 0 } : difference(replicaOf(state, leader).log, replicaOf(state, node).log);
}

/** The same in words: `3 behind, 2 extra`; empty when the two agree. @param {ClusterState} state @param {string} node */
export function apartWords(state, node) {
  const { missing, extra } = apart(state, node);
  return [missing > 0 ? `${missing} behind` : "", extra > 0 ? `${extra} extra` : ""].filter(Boolean).join(", ");
}

/** The role as people say it. Followers that run are numbered in letter order; letters stay fixed. @param {ClusterState} state @returns {Record<string, string>} */
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
 * none while no leader has put it into its log. @param {ClusterState} state @param {Operation} operation @returns {string[]}
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
