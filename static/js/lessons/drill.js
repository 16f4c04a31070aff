// @ts-check
/** The interview drill: one question, a minute, one's own answer, then the rubric. */
import { load, update } from "./progress.js";
import { make, words } from "./questions.js";

const SECONDS = 60;
/** @typedef {{ question: string, title: string, steps: { blocks: { kind: string, points?: { id: string, text: string }[], items?: { say: string }[] }[] }[] }} Interview */

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
  ask(host, interview, (answer) => score(host, id, interview, answer, again, changed));
}

/** The question that was drilled least, and of these the one drilled longest ago or else any. @param {string[]} questions */
function pick(questions) {
  const { drills } = load();
  const times = (/** @type {string} */ id) => drills[id]?.times ?? 0;
  const fewest = Math.min(...questions.map(times));
  const rare = questions.filter((id) => times(id) === fewest);
  return rare[Math.floor(Math.random() * rare.length)];
}

/** @param {HTMLElement} host @param {Interview} interview @param {(answer: string) => void} done */
function ask(host, { question, title }, done) {
  const field = /** @type {HTMLTextAreaElement} */ (make("textarea", { rows: 6, maxLength: 4000, placeholder: "Say it aloud, or type it." }));
  field.setAttribute("aria-label", "Your answer");
  const left = make("p", { className: "drill-clock" }, `${SECONDS} s`);
  left.setAttribute("role", "timer");
  const says = make("p", { className: "hint" });
  says.setAttribute("role", "status");
  const ready = make("button", { className: "button primary", type: "button" }, "Done");
  const startedMs = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.max(0, Math.ceil(SECONDS - (performance.now() - startedMs) / 1000));
    left.textContent = `${seconds} s`;
    left.dataset.late = String(seconds <= 10);
    if (seconds > 0) return;
    clearInterval(timer);
    says.textContent = "The minute is over. Finish the sentence, then score yourself.";
  }, 250);
  ready.addEventListener("click", () => {
    clearInterval(timer);
    done(field.value);
  });
  const heading = make("p", { className: "ask", tabIndex: -1 }, ...words(question || title));
  host.replaceChildren(make("div", { className: "card" }, heading, left, field, says, ready));
  field.focus();
}

/** @param {HTMLElement} host @param {string} id @param {Interview} interview @param {string} answer @param {() => void} again @param {() => void} changed */
function score(host, id, { question, title, steps }, answer, again, changed) {
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
  const legend = make("legend", { className: "card-title", tabIndex: -1 }, "Score yourself");
  host.replaceChildren(make("p", { className: "ask" }, ...words(question || title)), ...own, short, make("fieldset", { className: "card rubric" }, legend, ...rows, keep, says));
  legend.focus();
}
