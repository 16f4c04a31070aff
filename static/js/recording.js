// @ts-check
/**
 * Takes the place of `connection.js` in a file that plays without a server: it tells the page what was
 * recorded, answers from the record what it can, and refuses in words what would need a run.
 */

/**
 * @typedef {object} Recording
 * @property {string} title
 * @property {string | null} link
 * @property {ClusterState} state the document before the first step
 * @property {Step[]} steps
 * @property {number} now_us
 * @property {RunKeyframe["start"]} start
 * @property {LifeLine[]} ledger
 * @property {Record<string, Finding[]>} evidence
 */

const NOT_LIVE = { ok: false, error: { says: "This is a recording: it can be looked at, not changed." } };
const THE_END = { ok: false, error: { says: "The recording ends here." } };

// There is nobody to ask, and whoever asks is told so at once.
globalThis.fetch = () => Promise.resolve(new Response("", { status: 404 }));

/**
 * @param {{
 *   keyframe(keyframe: RunKeyframe): void,
 *   frame(frame: Frame): void,
 *   status(status: ConnectionStatus, says: string): void,
 * }} listener
 * @returns {Connection}
 */
export function connect(listener) {
  const recording = /** @type {Recording} */ (JSON.parse(document.getElementById("recording")?.textContent ?? "{}"));
  const { state, steps, now_us, start } = recording;
  const run = 1;
  let number = 0;
  let speed = 1;

  /** @param {Step[]} fresh */
  const frame = (fresh) => listener.frame({ number: ++number, now_us, playing: false, speed, steps: fresh });

  // Later: whoever asked for a connection is still being made.
  setTimeout(() => {
    listener.status("open", "");
    const sequence = (steps[0]?.sequence ?? 0) - 1;
    const branches = [{ id: 1, name: "main", parent: null, at_us: 0, now_us }];
    listener.keyframe({ number, now_us: steps[0]?.at_us ?? now_us, playing: false, speed, sequence, state, recent: [], start, script: null, run, branches, branch: 1 });
    frame(steps);
  });

  /** @param {Step} step @param {boolean} asked @returns {Reason} */
  const reason = ({ sequence, at_us, name, text }, asked) => {
    const plain = text ?? name.replace(/[._]/g, " ");
    return { sequence, at_us, name, plain, precise: `${name}: ${plain}`, asked };
  };

  /** @param {number | null} sequence @param {number} [operation] @returns {Reason[]} */
  function chain(sequence, operation) {
    /** @type {Reason[]} */
    const reasons = [];
    const first = steps[0]?.sequence ?? 0;
    const line = recording.ledger.find((each) => each.operation === operation);
    if (line !== undefined) {
      // What was told of the write from its call on, and the end of its leader.
      const told = steps.filter(({ at_us, text }) => at_us >= line.called_us && (text?.includes(line.label) || text?.startsWith(`${line.confirmed_by} is dead`)));
      return told.map((step) => reason(step, step.text?.includes("lost") === true));
    }
    for (let step = steps[(sequence ?? -1) - first]; step; step = steps[(step.cause ?? -1) - first]) {
      reasons.unshift(reason(step, step.sequence === sequence));
    }
    return reasons;
  }

  const refuse = () => Promise.resolve(NOT_LIVE);
  return {
    command: refuse,
    restart: refuse,
    lesson: refuse,
    branch: refuse,
    enter: refuse,
    open: refuse,
    share: refuse,
    complete: () => Promise.resolve({ ok: true, completions: [], hint: NOT_LIVE.error.says }),
    resync() {},
    playback(action, wanted) {
      speed = wanted ?? speed;
      if (wanted !== undefined) frame([]);
      return Promise.resolve(action === "step" ? THE_END : { ok: true });
    },
    ledger: () => Promise.resolve({ ok: true, lines: recording.ledger }),
    evidence: (promise) => Promise.resolve({ ok: true, findings: recording.evidence[promise] ?? [] }),
    why: (sequence, operation) => Promise.resolve({ ok: true, chain: chain(sequence, operation) }),
    history: () => Promise.resolve(null),
  };
}
