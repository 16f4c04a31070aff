// @ts-check
/** The interview drill: one question, a minute, one's own answer, said or typed, then the rubric. */
import { load, update } from "./progress.js";
import { make, words } from "./questions.js";
import { Voice } from "./voice.js";

const SECONDS = 60;
/** What was said to the question before. @type {Voice | null} */
let said = null;
/** @typedef {{ question: string, title: string, steps: { blocks: { kind: string, points?: { id: string, text: string }[], items?: { say: string }[], html?: string, questions?: { ask: string, answer: string }[] }[] }[] }} Interview */

/** @param {string[]} questions ids @param {() => void} changed */
export async function drill(questions, changed) {
  const start = /** @type {HTMLElement} */ (document.getElementById("drill-start"));
  const host = /** @type {HTMLElement} */ (document.getElementById("drill-item"));
  const id = pick(questions);
  if (id === undefined) return;
  const response = await fetch(`/interview/${id}.json`);
  if (!response.ok) return void host.replaceChildren(make("p", { className: "hint" }, "This question could not be fetched. Try again."));
  /** @type {Interview} */
  const interview = await response.json();
  start.hidden = true;
  const again = () => {
    start.hidden = false;
    start.textContent = "Another question";
    start.focus();
  };
  said?.discard();
  ask(host, interview, (answer, voice) => {
    said = voice;
    score(host, id, interview, answer, voice.playback(), again, changed);
  });
}

/** The question that was drilled least, and of these the one drilled longest ago or else any. @param {string[]} questions */
function pick(questions) {
  const { drills } = load();
  const times = (/** @type {string} */ id) => drills[id]?.times ?? 0;
  const fewest = Math.min(...questions.map(times));
  const rare = questions.filter((id) => times(id) === fewest);
  return rare[Math.floor(Math.random() * rare.length)];
}

/** @param {HTMLElement} host @param {Interview} interview @param {(answer: string, voice: Voice) => void} done */
function ask(host, { question, title }, done) {
  const field = /** @type {HTMLTextAreaElement} */ (make("textarea", { rows: 6, maxLength: 4000, placeholder: "Say it aloud, record it, or type it." }));
  field.setAttribute("aria-label", "Your answer");
  const left = make("p", { className: "drill-clock" }, `${SECONDS} s`);
  left.setAttribute("role", "timer");
  const says = make("p", { className: "hint" });
  says.setAttribute("role", "status");
  const ready = make("button", { className: "button primary", type: "button" }, "Done");
  let startedMs = performance.now();
  let heldMs = 0;
  // While the browser asks about the microphone, the minute waits.
  const voice = new Voice((isAsking) => {
    if (isAsking) heldMs = performance.now();
    else startedMs += performance.now() - heldMs;
    isHeld = isAsking;
  });
  let isHeld = false;
  const timer = setInterval(() => {
    voice.tick();
    if (isHeld) return;
    const seconds = Math.max(0, Math.ceil(SECONDS - (performance.now() - startedMs) / 1000));
    left.textContent = `${seconds} s`;
    left.dataset.late = String(seconds <= 10);
    if (seconds > 0) return;
    clearInterval(timer);
    void voice.close();
    says.textContent = "The minute is over. Finish the sentence, then score yourself.";
  }, 250);
  ready.addEventListener("click", async () => {
    clearInterval(timer);
    await voice.close();
    done(field.value, voice);
  });
  const heading = make("p", { className: "ask", tabIndex: -1 }, ...words(question || title));
  const card = make("div", { className: "card" }, heading, left, field, make("div", { className: "row wrap" }, ready, voice.button), voice.says, says);
  card.addEventListener("keydown", (event) => {
    // By the place of the key: with Alt it may write another letter.
    if (!event.altKey || event.ctrlKey || event.metaKey || event.code !== "KeyR") return;
    event.preventDefault();
    if (!event.repeat) void voice.turn();
  });
  host.replaceChildren(card);
  field.focus();
}

/** @param {HTMLElement} host @param {string} id @param {Interview} interview @param {string} answer @param {HTMLElement | null} spoken @param {() => void} again @param {() => void} changed */
function score(host, id, { question, title, steps }, answer, spoken, again, changed) {
  const blocks = steps.flatMap((step) => step.blocks);
  const points = blocks.find((block) => block.kind === "rubric")?.points ?? [];
  const sentences = blocks.find((block) => block.kind === "short_answer")?.items ?? [];
  const rows = points.map(({ text }) => make("label", { className: "point" }, make("input", { type: "checkbox" }), make("span", {}, ...words(text))));
  const says = make("p", { className: "score" });
  says.setAttribute("role", "status");
  const keep = make("button", { className: "button primary", type: "button" }, "Keep this score");
  keep.addEventListener("click", () => {
    const ticked = rows.filter((row) => row.querySelector("input")?.checked).length;
    update((progress) => {
      const times = (progress.drills[id]?.times ?? 0) + 1;
      progress.drills[id] = { score: ticked, of: points.length, at: Date.now(), times };
    });
    says.textContent = `${ticked} of ${points.length}, kept.`;
    keep.remove();
    changed();
    again();
  });
  const link = make("a", { href: `/interview/${id}` }, "Play the answer");
  const own = answer.trim() === "" ? [] : [make("details", { open: true }, make("summary", {}, "Your answer"), make("p", { className: "own" }, answer))];
  const short = make("details", {}, make("summary", {}, "The short answer"), make("ol", { className: "sheet-sentences" }, ...sentences.map(({ say }) => make("li", {}, ...words(say)))), link);
  const senior = new DOMParser().parseFromString(blocks.find((block) => block.kind === "senior")?.html ?? "", "text/html");
  const followUps = blocks.find((block) => block.kind === "follow_ups")?.questions ?? [];
  const more = make("details", {}, make("summary", {}, "What a senior adds"), make("div", { className: "prose senior" }, ...senior.body.childNodes),
    make("dl", { className: "sheet-follow" }, ...followUps.flatMap(({ ask, answer }) => [make("dt", {}, ...words(ask)), make("dd", {}, ...words(answer))])));
  const legend = make("legend", { className: "card-title", tabIndex: -1 }, "Score yourself");
  host.replaceChildren(make("p", { className: "ask" }, ...words(question || title)), ...own, short, more, ...(spoken ? [spoken] : []), make("fieldset", { className: "card rubric" }, legend, ...rows, keep, says));
  legend.focus();
}
