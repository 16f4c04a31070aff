// @ts-check
/** What a challenge has besides a lesson's step: the count of commands, par, and the best of this browser. */
import { bestOf, load, score as remember, update } from "./progress.js";

const byId = (/** @type {string} */ id) => document.getElementById(id);

export class Challenge {
  /** Whether the learner says that it cannot be done: then the reasons are offered. */
  #isClaimed = false;

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    this.root = root;
    this.id = root.dataset.lesson ?? "";
    this.rev = root.dataset.rev ?? "1";
    this.quizzes = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-question]")]);
    this.runs = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-experiment]")]);
    byId("claim")?.addEventListener("click", () => this.#claim());
    document.addEventListener("lesson:changed", (event) => this.draw(/** @type {CustomEvent<LessonState>} */ (event).detail));
    const { lesson } = page.store;
    if (lesson?.id === this.id) this.draw(lesson);
  }

  #claim() {
    this.#isClaimed = true;
    const { lesson } = this.page.store;
    if (lesson?.id === this.id) this.draw(lesson);
    const quiz = this.quizzes[0];
    quiz?.scrollIntoView({ block: "nearest" });
    quiz?.querySelector("input")?.focus({ preventScroll: true });
  }

  /** @param {LessonState} lesson */
  draw({ challenge, goal, questions, done }) {
    if (challenge === null) return;
    const { commands, par, score } = challenge;
    if (score !== null) update((progress) => remember(progress, this.id, this.rev, score, Date.now()));
    const best = bestOf(load(), this.id, this.rev);
    setText(byId("count-commands"), String(score ?? commands));
    setText(byId("count-par"), par === null ? "none" : String(par));
    setText(byId("count-best"), best === null ? "–" : String(best));
    const says = goal?.reached && score !== null && par !== null ? reachedWords(score, par, best) : "";
    const line = byId("reached");
    if (line) line.hidden = says === "";
    setText(line, says);
    const isKnown = done.length > 0;
    this.#drawReasons(isKnown, par === null, Object.values(questions).some(({ answer }) => answer !== null));
    for (const run of this.runs) run.hidden = !isKnown;
  }

  /** A question belongs to what is explained afterwards; to a goal out of reach, to whoever says so. @param {boolean} isKnown @param {boolean} isImpossible @param {boolean} isAnswered */
  #drawReasons(isKnown, isImpossible, isAnswered) {
    const isOpen = isKnown || (isImpossible && (this.#isClaimed || isAnswered));
    for (const quiz of this.quizzes) quiz.hidden = !isOpen;
    const claim = byId("claim");
    if (!claim) return;
    claim.setAttribute("aria-expanded", String(isOpen));
    claim.hidden = isKnown;
  }
}

/** @param {number} score @param {number} par @param {number | null} best */
function reachedWords(score, par, best) {
  const beside = score === par ? "That is par." : score < par ? `That is ${par - score} under par: better than the author.` : `Par is ${par}: it can be done with ${score - par} fewer.`;
  const before = best !== null && best < score ? ` Your best is ${best}.` : "";
  return `✓ Reached with ${score} ${score === 1 ? "command" : "commands"}. ${beside}${before}`;
}

/** @param {HTMLElement | null} element @param {string} text */
function setText(element, text) {
  if (element !== null && element.textContent !== text) element.textContent = text;
}
