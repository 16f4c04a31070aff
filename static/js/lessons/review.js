// @ts-check
/** Quiz items that have come back, one after another. What was right is known from the time they were learned. */
import { due, load, review as judge, update } from "./progress.js";
import { make, told, words } from "./questions.js";

/** @typedef {{ kind: string, id: string, ask: string, options: { id: string, text: string }[], tongue?: { language: string, english: string[] } }} Quiz */

/** @param {() => void} over */
export async function review(over) {
  const start = /** @type {HTMLElement} */ (document.getElementById("review-start"));
  const host = /** @type {HTMLElement} */ (document.getElementById("review-item"));
  const key = due(load(), Date.now())[0];
  start.hidden = key !== undefined;
  if (key === undefined) {
    host.replaceChildren();
    return over();
  }
  const quiz = await fetchQuiz(key);
  if (quiz === null) {
    update((progress) => delete progress.quizzes[key]); // The question is not asked any more.
    return review(over);
  }
  ask(host, key, quiz, () => void review(over));
}

/** @param {string} key @returns {Promise<Quiz | null>} */
async function fetchQuiz(key) {
  const [, lesson, step, rev, id] = /^(.+)\/(.+)@(\d+)#(.+)$/.exec(key) ?? [];
  for (const folder of ["lessons", "interview", "challenges"]) {
    const response = await fetch(`/${folder}.json`);
    if (!response.ok) continue;
    const index = await response.json();
    const rows = /** @type {{ id: string, rev: number }[]} */ (index.lessons ?? index.questions ?? index.challenges ?? []);
    if (!rows.some((row) => row.id === lesson && String(row.rev) === rev)) continue;
    const language = new URLSearchParams(location.search).get("language");
    const { steps, language: spoken, english } = await (await fetch(`/${folder}/${lesson}.json${language === null ? "" : `?language=${encodeURIComponent(language)}`}`)).json();
    const blocks = /** @type {{ id: string, blocks: Quiz[] }[]} */ (steps).find((each) => each.id === step)?.blocks ?? [];
    const quiz = blocks.find((block) => block.kind === "quiz" && block.id === id);
    return quiz === undefined ? null : { ...quiz, tongue: { language: spoken ?? "", english } };
  }
  return null;
}

/** @param {HTMLElement} host @param {string} key @param {Quiz} quiz @param {() => void} next */
function ask(host, key, quiz, next) {
  const record = load().quizzes[key];
  const title = told(make("p", { className: "ask", id: "review-ask", tabIndex: -1 }), quiz.ask, quiz.tongue);
  const options = make("div", { className: "options" });
  options.setAttribute("role", "radiogroup");
  options.setAttribute("aria-labelledby", "review-ask");
  for (const option of quiz.options) {
    const radio = make("input", { type: "radio", name: "review", value: option.id });
    const row = make("div", { className: "option" }, make("label", {}, radio, told(make("span", { className: "text" }), option.text, quiz.tongue), make("span", { className: "mark" })));
    row.dataset.option = option.id;
    options.append(row);
  }
  const says = make("p", { className: "review-outcome" });
  says.setAttribute("role", "status");
  const check = /** @type {HTMLButtonElement} */ (make("button", { className: "button primary", type: "button" }, "Check"));
  check.addEventListener("click", () => {
    const chosen = /** @type {HTMLInputElement | null} */ (options.querySelector("input:checked"))?.value;
    if (chosen === undefined) return;
    const isRight = chosen === record.correct;
    update((progress) => judge(progress.quizzes[key], isRight, Date.now()));
    mark(options, chosen, record.correct);
    says.replaceChildren(isRight ? "Right. " : "Not so. ", ...words(record.whys[chosen] ?? ""));
    check.replaceWith(onward(next));
  });
  host.replaceChildren(make("div", { className: "card question quiz" }, title, options, says, check));
  title.focus({ preventScroll: true });
}

/** @param {() => void} next */
function onward(next) {
  const button = make("button", { className: "button primary", type: "button" }, "On");
  button.addEventListener("click", next);
  return button;
}

/** @param {HTMLElement} options @param {string} chosen @param {string} correct */
function mark(options, chosen, correct) {
  for (const row of options.querySelectorAll(".option")) {
    const option = /** @type {HTMLElement} */ (row);
    const isRight = option.dataset.option === correct;
    option.dataset.mark = isRight ? "right" : option.dataset.option === chosen ? "wrong" : "";
    const sign = option.querySelector(".mark");
    if (sign) sign.textContent = isRight ? "✓" : option.dataset.mark === "wrong" ? "✗" : "";
    for (const input of option.querySelectorAll("input")) input.disabled = true;
  }
}
