// @ts-check
/** The rubric of an interview question: a person scores the own answer, and the score is remembered. */
import { update } from "./progress.js";

/** @param {string} question */
export function offerRubric(question) {
  const root = document.querySelector("[data-rubric]");
  if (root === null) return;
  const boxes = /** @type {HTMLInputElement[]} */ ([...root.querySelectorAll("input")]);
  root.addEventListener("change", () => {
    const score = boxes.filter((box) => box.checked).length;
    const says = root.querySelector(".score");
    if (says) says.textContent = `${score} of ${boxes.length}${score === boxes.length ? ": a senior's answer" : ""}`;
    update((progress) => {
      const times = progress.drills[question]?.times ?? 0;
      progress.drills[question] = { score, of: boxes.length, at: Date.now(), times };
    });
  });
}
