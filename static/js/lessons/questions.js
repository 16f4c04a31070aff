// @ts-check
/**
 * A question of a lesson: takes the answer, and when the run has been measured shows it beside the truth.
 * Radio buttons, boxes, a number or an order; what was right comes from the server, never from this page.
 */

/** @typedef {(request: LessonRequest) => Promise<boolean>} Act */

export class Question {
  /** The result that is shown. @type {string} */
  #shown = "";
  /** @type {LessonQuestion | null} */
  #state = null;
  /** Whether what is wrong with the answers that were not chosen is told as well. */
  #tellsOthers = false;

  /**
   * @param {HTMLElement} root @param {Act} act
   */
  constructor(root, act) {
    this.root = root;
    this.act = act;
    this.id = root.dataset.question ?? "";
    this.block = root.dataset.block ?? "";
    this.choice = root.dataset.choice ?? "one";
    this.run = root.dataset.run ?? "";
    this.options = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-option]")]);
    this.check = /** @type {HTMLButtonElement} */ (root.querySelector(".check"));
    this.outcome = /** @type {HTMLElement} */ (root.querySelector(".outcome"));
    this.pending = /** @type {HTMLElement} */ (root.querySelector(".pending"));
    /** Where the result is shown besides: in the step whose run has measured it. */
    this.echo = /** @type {HTMLElement | null} */ (document.querySelector(`[data-echo="${CSS.escape(this.id)}"]`));
    this.isMeasured = false;
    root.addEventListener("change", () => this.#chosen());
    root.addEventListener("input", () => this.#showCheck());
    this.check.addEventListener("click", () => void this.#send());
    for (const option of this.options) {
      for (const button of option.querySelectorAll(".move")) button.addEventListener("click", () => this.#move(option, /** @type {HTMLElement} */ (button)));
      option.querySelector(".show-why")?.addEventListener("click", () => void act({ action: "refute", question: this.id, option: option.dataset.option }));
    }
  }

  // --- answering ----------------------------------------------------------------------------------

  /** A prediction may be changed until it is measured, so it counts at once; anything else is sent when asked for. */
  get #countsAtOnce() {
    return this.block === "predict" && this.choice === "one" && !this.isMeasured;
  }

  #chosen() {
    if (this.#countsAtOnce) void this.#send();
    else this.#showCheck();
  }

  /** What is chosen on the page; null for nothing. @returns {LessonAnswer | null} */
  get answer() {
    if (this.choice === "order") return this.#order();
    if (this.choice === "number") {
      const field = /** @type {HTMLInputElement} */ (this.root.querySelector("input"));
      return field.value === "" ? null : field.valueAsNumber;
    }
    const chosen = this.#inputs().filter((input) => input.checked).map((input) => input.value);
    return this.choice === "many" ? chosen : (chosen[0] ?? null);
  }

  #order() {
    return [...this.root.querySelectorAll("[data-option]")].map((option) => option.getAttribute("data-option") ?? "");
  }

  #inputs() {
    return /** @type {HTMLInputElement[]} */ ([...this.root.querySelectorAll("input")]);
  }

  async #send() {
    const { answer } = this;
    if (answer === null) return;
    this.check.disabled = true;
    if (!(await this.act({ action: "answer", question: this.id, answer }))) this.#shown = "";
    this.#showCheck();
  }

  #showCheck() {
    const { answer } = this;
    const isNew = JSON.stringify(answer) !== JSON.stringify(this.#state?.answer ?? null);
    this.check.hidden = this.#countsAtOnce || !(this.#state?.open ?? true);
    this.check.disabled = answer === null || !isNew;
  }

  /** @param {HTMLElement} option @param {HTMLElement} button */
  #move(option, button) {
    const by = Number(button.dataset.move);
    const other = by < 0 ? option.previousElementSibling : option.nextElementSibling;
    if (other === null) return;
    if (by < 0) other.before(option);
    else other.after(option);
    button.focus();
    this.#showCheck();
  }

  // --- showing ------------------------------------------------------------------------------------

  /** @param {LessonQuestion} state @param {LessonState} lesson @returns {boolean} whether a result has appeared */
  draw(state, lesson) {
    this.isMeasured = lesson.runs[this.run] === "done";
    const isFresh = this.#state === null;
    const isOther = isFresh || JSON.stringify(this.#state?.answer) !== JSON.stringify(state.answer);
    this.#state = state;
    // What was seen is asked when there is something to have seen.
    const isOver = !state.open && (state.answer !== null || state.result !== null);
    this.root.hidden = this.block === "observe" && !state.open && !isOver;
    if (isOther && state.answer !== null) this.#showAnswer(state.answer);
    for (const input of this.#inputs()) input.disabled = isOver;
    for (const button of this.root.querySelectorAll(".move")) /** @type {HTMLButtonElement} */ (button).disabled = isOver;
    this.#showCheck();
    this.pending.hidden = this.block !== "predict" || state.answer === null || state.result !== null;
    if (!this.pending.hidden) this.pending.textContent = pendingWords(lesson, this.run);
    const shown = JSON.stringify([state.result, state.answer]);
    if (shown === this.#shown) return false;
    this.#shown = shown;
    this.#showResult(state);
    return state.result !== null && !isFresh;
  }

  /** @param {LessonAnswer} answer */
  #showAnswer(answer) {
    if (this.choice === "number") this.#inputs()[0].value = String(answer);
    else if (this.choice === "order" && Array.isArray(answer)) {
      const list = /** @type {HTMLElement} */ (this.options[0]?.parentElement);
      list.append(...answer.flatMap((id) => this.options.filter((option) => option.dataset.option === id)));
    } else for (const input of this.#inputs()) input.checked = Array.isArray(answer) ? answer.includes(input.value) : input.value === answer;
  }

  /** @param {LessonQuestion} state */
  #showResult({ answer, result }) {
    this.root.dataset.result = result === null ? "" : result.right === null ? "unclear" : result.right ? "right" : "wrong";
    for (const option of this.options) this.#markOption(option, answer, result);
    this.outcome.hidden = result === null;
    this.#showEcho(answer, result);
    // A question that was passed over has a result, and nobody's answer.
    for (const shown of [this.root, this.echo]) shown?.toggleAttribute("data-unasked", result !== null && answer === null);
    if (result === null) return;
    const children = this.#told(answer, result);
    if (answer !== null && result.right !== null && !this.#tellsOthers && this.#hasOthers(answer, result)) {
      const others = make("button", { className: "as-link", type: "button" }, "Why not the others?");
      others.addEventListener("click", () => {
        this.#tellsOthers = true;
        for (const option of this.options) this.#markOption(option, answer, result);
        others.remove();
        /** @type {HTMLElement | null} */ (this.root.querySelector(".why:not([hidden])"))?.scrollIntoView({ block: "nearest" });
      });
      children.push(others);
    }
    this.outcome.replaceChildren(...children);
  }

  /** @param {LessonAnswer | null} answer @param {LessonResult | null} result */
  #showEcho(answer, result) {
    if (this.echo === null) return;
    this.echo.hidden = result === null;
    this.echo.dataset.result = this.root.dataset.result;
    if (result !== null) this.echo.querySelector(".outcome")?.replaceChildren(...this.#told(answer, result));
  }

  /** What was said beside what was measured, and the way to what speaks against it. @param {LessonAnswer | null} answer @param {LessonResult} result */
  #told(answer, result) {
    const title = make("p", { className: "outcome-title" }, answer === null ? "Passed over" : result.right === null ? "Another way" : result.right ? "✓ Right" : "✗ Not so");
    const children = [title];
    if (result.measured !== null) {
      const own = answer === null ? [] : [make("dt", { className: "you-said" }, "You said"), inTongue(make("dd", { className: "you-said" }, this.#said(answer)), this.#tongue)];
      children.push(make("dl", {}, ...own, make("dt", {}, "Measured"), inTongue(make("dd", { className: "measured" }, result.measured), this.choice === "order" ? this.#tongue : "")));
    }
    if (result.measured !== null && result.means) children.push(told(make("p", { className: "means" }), result.means));
    children.push(told(make("p"), result.says));
    if (this.block === "quiz" && result.right === false && this.#state?.open) children.push(make("p", { className: "hint" }, "Choose another answer."));
    const chosen = typeof answer === "string" ? result.options[answer] : undefined;
    if (result.right === false && chosen?.show) {
      const why = make("button", { className: "button", type: "button" }, "Show me why");
      why.addEventListener("click", () => void this.act({ action: "refute", question: this.id, option: String(answer) }));
      children.push(why);
    }
    return children;
  }

  /** Whether there is something to say against answers that were not chosen. @param {LessonAnswer} answer @param {LessonResult} result */
  #hasOthers(answer, { options, measured, right }) {
    const isChosen = (/** @type {string} */ id) => (Array.isArray(answer) ? answer.includes(id) : answer === id);
    return (measured !== null || right === true) && this.choice !== "order" && Object.keys(options).some((id) => !isChosen(id) && !options[id].matched && (options[id].why !== null || options[id].show));
  }

  /** @param {HTMLElement} option @param {LessonAnswer | null} answer @param {LessonResult | null} result */
  #markOption(option, answer, result) {
    const id = option.dataset.option ?? "";
    const isChosen = Array.isArray(answer) ? answer.includes(id) : answer === id;
    const verdict = result?.options[id];
    // Of a quiz the right answer is not given away by a wrong one.
    const isTold = result !== null && verdict !== undefined && this.choice !== "order" && (result.measured !== null || result.right === true || isChosen);
    const isRight = isTold && verdict.matched;
    const isWrong = isTold && isChosen && !verdict.matched;
    option.dataset.mark = isRight ? "right" : isWrong ? "wrong" : "";
    const mark = option.querySelector(".mark");
    if (mark) mark.textContent = isRight ? (result?.measured === null ? "✓ right" : "✓ measured") : isWrong ? "✗" : "";
    const why = /** @type {HTMLElement | null} */ (option.querySelector(".why"));
    if (why) {
      // What is said of the chosen one stands below.
      why.hidden = !this.#tellsOthers || !isTold || isChosen || verdict.why === null || (this.block !== "quiz" && verdict.matched);
      told(why, verdict?.why ?? "");
    }
    const show = /** @type {HTMLElement | null} */ (option.querySelector(".show-why"));
    if (show) show.hidden = !this.#tellsOthers || !isTold || isChosen || verdict.matched || !verdict.show;
  }

  /** In which language the options are, where it is not the page's. */
  get #tongue() {
    return /** @type {HTMLElement | null | undefined} */ (this.options[0]?.querySelector(".text"))?.lang ?? "";
  }

  /** The learner's answer in words. @param {LessonAnswer} answer */
  #said(answer) {
    if (typeof answer === "number") return `${answer}${this.root.dataset.unit ? ` ${this.root.dataset.unit}` : ""}`;
    const text = (/** @type {string} */ id) => this.options.find((option) => option.dataset.option === id)?.querySelector(".text")?.textContent ?? id;
    if (typeof answer === "string") return text(answer);
    return answer.length === 0 ? "none of them" : answer.map(text).join(this.choice === "order" ? ", then " : "; ");
  }
}

/** @param {LessonState} lesson @param {string} run */
function pendingWords(lesson, run) {
  const here = document.querySelector(`.step:not([hidden]) [data-experiment="${CSS.escape(run)}"]`);
  if (run === "") return "Noted. The cluster will tell.";
  if (lesson.runs[run] === "playing") return "Noted. The run is on…";
  return here === null ? "Noted. The next steps measure it." : "Noted. Now run it.";
}

/** A plain text with what stands in `backticks` set as code. @param {string} text @returns {(Node | string)[]} */
export function words(text) {
  return text.split("`").map((part, place) => (place % 2 === 0 ? part : make("code", {}, part)));
}

/** In which language the authors of what the server tells have written. */
export const tongue = { language: "", english: /** @type {string[]} */ ([]) };

/** Says in which language an element is; the page's own for none. @param {HTMLElement} element @param {string} language */
export function inTongue(element, language) {
  if (language !== "") element.lang = language;
  else element.removeAttribute("lang");
  return element;
}

/** Puts an author's text into an element, in its language. @param {HTMLElement} element @param {string} text @param {typeof tongue} [of] */
export function told(element, text, of = tongue) {
  element.replaceChildren(...words(text));
  return inTongue(element, text === "" || of.english.includes(text) ? "" : of.language);
}

/**
 * An element with properties and children.
 * @param {string} name @param {Record<string, unknown>} [properties] @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
