// @ts-check
/**
 * What this browser remembers of a learner: steps done, quiz items that come back, interview drills, challenges.
 * It stays on this device; a file or a code takes it to another.
 */

const PLACE = "progress";
/** Days until a quiz item returns, after each time it was right. */
export const RETURNS_AFTER_DAYS = [1, 3, 8, 20];
export const DAY_MS = 24 * 3600 * 1000;
const FILE_CHARACTERS_MAX = 1_000_000;
const ROWS_MAX = 5000;
/** `lesson/step@rev`, and for a quiz item `lesson/step@rev#question`. */
const STEP_KEY = /^[a-z0-9-]{1,60}\/[a-z0-9-]{1,60}@\d{1,6}$/;
const QUIZ_KEY = /^[a-z0-9-]{1,60}\/[a-z0-9-]{1,60}@\d{1,6}#[a-z0-9-]{1,60}$/;
const DRILL_KEY = /^[a-z0-9-]{1,60}$/;
/** `challenge@rev`. */
const CHALLENGE_KEY = /^[a-z0-9-]{1,60}@\d{1,6}$/;
const COMMANDS_MAX = 10_000;

/**
 * @typedef {object} StepRecord
 * @property {boolean} done
 * @property {number} tries wrong answers given
 * @property {number} hints
 * @property {string | null} prediction the first answer to its first prediction
 * @property {number} seen how often it was entered
 * @property {number} at when it was last changed, in milliseconds
 */
/**
 * @typedef {object} QuizRecord
 * @property {number} stage how often in a row it was right; all stages passed: learned
 * @property {number | null} due when it returns; null once it is learned
 * @property {string} correct
 * @property {Record<string, string>} whys
 */
/** @typedef {{ score: number, of: number, at: number, times: number }} DrillRecord */
/** @typedef {{ best: number, at: number }} ChallengeRecord the fewest commands, and when that was */
/** @typedef {{ version: 1, steps: Record<string, StepRecord>, quizzes: Record<string, QuizRecord>, drills: Record<string, DrillRecord>, challenges: Record<string, ChallengeRecord> }} Progress */

/** @returns {Progress} */
const nothing = () => ({ version: 1, steps: {}, quizzes: {}, drills: {}, challenges: {} });

/** @returns {Progress} what is remembered; nothing when it cannot be read */
export function load() {
  try {
    return checked(JSON.parse(localStorage.getItem(PLACE) ?? "null"));
  } catch {
    return nothing();
  }
}

/** @param {Progress} progress */
function save(progress) {
  try {
    localStorage.setItem(PLACE, JSON.stringify(progress));
  } catch {
    // Without storage everything works but is forgotten with the page.
  }
}

/** Changes what is remembered. @param {(progress: Progress) => void} change */
export function update(change) {
  const progress = load();
  change(progress);
  save(progress);
}

/** @param {string} lesson @param {string} step @param {number | string} rev */
export const keyOf = (lesson, step, rev) => `${lesson}/${step}@${rev}`;

/** The record of a step, made when there is none. @param {Progress} progress @param {string} key */
export function stepRecord(progress, key) {
  return (progress.steps[key] ??= { done: false, tries: 0, hints: 0, prediction: null, seen: 0, at: 0 });
}

/** A quiz item was right for the first time: it returns tomorrow. @param {Progress} progress @param {string} key @param {string} correct @param {Record<string, string>} whys @param {number} nowMs */
export function learn(progress, key, correct, whys, nowMs) {
  progress.quizzes[key] ??= { stage: 0, due: nowMs + RETURNS_AFTER_DAYS[0] * DAY_MS, correct, whys };
}

/** A quiz item came back. @param {QuizRecord} record @param {boolean} isRight @param {number} nowMs */
export function review(record, isRight, nowMs) {
  record.stage = isRight ? record.stage + 1 : 0;
  const days = RETURNS_AFTER_DAYS[record.stage];
  record.due = days === undefined ? null : nowMs + days * DAY_MS;
}

/** Keys of the quiz items that are due, the longest waiting first. @param {Progress} progress @param {number} nowMs */
export function due(progress, nowMs) {
  const isDue = (/** @type {QuizRecord} */ { due: at }) => at !== null && at <= nowMs;
  return Object.entries(progress.quizzes).filter(([, record]) => isDue(record)).sort(([, a], [, b]) => Number(a.due) - Number(b.due)).map(([key]) => key);
}

/** The quiz items that come back next: in how many days, at least one, and how many of them; null when none will. @param {Progress} progress @param {number} nowMs */
export function returning(progress, nowMs) {
  const midnight = new Date(nowMs).setHours(24, 0, 0, 0);
  const days = Object.values(progress.quizzes).flatMap(({ due: at }) => (at === null || at <= nowMs ? [] : [Math.max(0, Math.ceil((at - midnight) / DAY_MS))]));
  const inDays = Math.min(...days);
  return days.length === 0 ? null : { inDays, count: days.filter((each) => each === inDays).length };
}

/** The fewest commands so far; null when it was not reached yet. @param {Progress} progress @param {string} challenge @param {number | string} rev */
export const bestOf = (progress, challenge, rev) => progress.challenges[`${challenge}@${rev}`]?.best ?? null;

/** A challenge was reached with so many commands; only fewer are remembered. @param {Progress} progress @param {string} challenge @param {number | string} rev @param {number} commands @param {number} nowMs */
export function score(progress, challenge, rev, commands, nowMs) {
  const best = bestOf(progress, challenge, rev);
  if (best === null || commands < best) progress.challenges[`${challenge}@${rev}`] = { best: commands, at: nowMs };
}

/** How many of a lesson's steps are done, of its present revision and of an older one. @param {Progress} progress @param {string} lesson @param {string[]} steps @param {number} rev */
export function doneOf(progress, lesson, steps, rev) {
  const now = steps.filter((step) => progress.steps[keyOf(lesson, step, rev)]?.done).length;
  const ever = steps.filter((step) => Object.keys(progress.steps).some((key) => key.startsWith(`${lesson}/${step}@`) && progress.steps[key].done)).length;
  return { now, ever };
}

/** Whether there is nothing to remember yet. @param {Progress} progress */
export const isEmpty = (progress) => Object.values(progress).every((part) => typeof part !== "object" || Object.keys(part).length === 0);

// --- files ------------------------------------------------------------------------------------------

/** The file's text. */
export const exported = () => JSON.stringify(load(), null, 2);

/**
 * Adds what a file holds to what is remembered; of each thing the better result stays.
 * @param {string} text
 * @param {string} what what held it
 * @returns {string} a sentence on what was done, or why nothing was
 */
export function imported(text, what = "This file") {
  if (text.length > FILE_CHARACTERS_MAX) return `${what} is too large to be progress. Nothing was changed.`;
  /** @type {Progress} */
  let incoming;
  try {
    incoming = checked(JSON.parse(text));
  } catch (problem) {
    const says = problem instanceof SyntaxError ? "it is not JSON" : problem instanceof Error ? problem.message : "it cannot be read";
    return `${what} holds no progress: ${says}. Nothing was changed.`;
  }
  update((progress) => merge(progress, incoming));
  const count = Object.values(incoming.steps).filter(({ done }) => done).length;
  const scores = Object.keys(incoming.challenges).length;
  return `Added: ${count} ${count === 1 ? "step" : "steps"} done, ${Object.keys(incoming.quizzes).length} quiz items${scores === 0 ? "" : `, ${scores} ${scores === 1 ? "challenge" : "challenges"}`}.`;
}

/** @param {Progress} progress @param {Progress} incoming */
function merge(progress, incoming) {
  for (const [key, record] of Object.entries(incoming.steps)) {
    const own = progress.steps[key];
    progress.steps[key] = own === undefined ? record : { ...(own.at >= record.at ? own : record), done: own.done || record.done, seen: Math.max(own.seen, record.seen) };
  }
  for (const [key, record] of Object.entries(incoming.quizzes)) {
    const own = progress.quizzes[key];
    if (own === undefined || record.stage > own.stage) progress.quizzes[key] = record;
  }
  for (const [key, record] of Object.entries(incoming.drills)) {
    const own = progress.drills[key];
    if (own === undefined || record.at > own.at) progress.drills[key] = record;
  }
  for (const [key, record] of Object.entries(incoming.challenges)) {
    const own = progress.challenges[key];
    if (own === undefined || record.best < own.best) progress.challenges[key] = record;
  }
}

/** What is really progress. Throws an Error with the reason when it is not. @param {any} found @returns {Progress} */
function checked(found) {
  if (found === null) return nothing();
  if (!isRecord(found)) throw new Error("it is not a list of steps");
  if (found.version !== 1) throw new Error("its version is not known here");
  return {
    version: 1,
    steps: table(found.steps, "steps", STEP_KEY, (row) => ({
      done: row.done === true, tries: count(row.tries), hints: count(row.hints),
      prediction: typeof row.prediction === "string" ? row.prediction.slice(0, 200) : null, seen: count(row.seen), at: count(row.at),
    })),
    quizzes: table(found.quizzes, "quizzes", QUIZ_KEY, (row) => ({
      stage: Math.min(count(row.stage), RETURNS_AFTER_DAYS.length), due: row.due === null ? null : count(row.due),
      correct: String(row.correct).slice(0, 60), whys: isRecord(row.whys) ? Object.fromEntries(Object.entries(row.whys).slice(0, 20).map(([id, why]) => [id.slice(0, 60), String(why).slice(0, 500)])) : {},
    })),
    drills: table(found.drills, "drills", DRILL_KEY, (row) => ({ score: count(row.score), of: count(row.of), at: count(row.at), times: count(row.times) })),
    challenges: table(found.challenges, "challenges", CHALLENGE_KEY, (row) => ({ best: commands(row.best), at: count(row.at) })),
  };
}

/** @param {unknown} value @returns {value is Record<string, any>} */
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} value */
const count = (value) => (typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0);

/** A score, which nobody can have got without a command. @param {unknown} value */
function commands(value) {
  if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > COMMANDS_MAX) throw new Error("a challenge's best is no number of commands");
  return Number(value);
}

/**
 * @template T
 * @param {unknown} found @param {string} name @param {RegExp} keys @param {(row: Record<string, any>) => T} read
 * @returns {Record<string, T>}
 */
function table(found, name, keys, read) {
  if (found === undefined) return {};
  if (!isRecord(found)) throw new Error(`its ${name} are not a table`);
  const rows = Object.entries(found);
  if (rows.length > ROWS_MAX) throw new Error(`it has more than ${ROWS_MAX} ${name}`);
  return Object.fromEntries(rows.map(([key, row]) => {
    if (!keys.test(key) || !isRecord(row)) throw new Error(`${key.slice(0, 40)} is nothing that belongs among its ${name}`);
    return [key, read(row)];
  }));
}
