// @ts-check
/**
 * A lesson in somebody else's page: tells that page how high it would like to be and what was completed. The
 * page may be anybody's, so nothing is said that is not already on the screen.
 */

/** What the cluster needs, where both are beside each other. */
const HEIGHT_MIN = 640;

/** @param {string} lesson */
export function tellParent(lesson) {
  for (const link of document.querySelectorAll("a[href]:not([href^='?'], [href^='#'])")) {
    // Only this page may be framed: the others open beside it.
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener");
  }
  if (window.parent === window) return;
  const steps = [...document.querySelectorAll(".step")].map((step) => /** @type {HTMLElement} */ (step).dataset.step ?? "");
  let height = 0;
  /** @type {string[]} */
  let done = [];
  const say = (/** @type {object} */ what) => window.parent.postMessage({ from: "follow-the-leader", lesson, ...what }, "*");
  const measure = () => {
    const now = neededHeight();
    if (now === height) return;
    height = now;
    say({ event: "height", height });
  };
  const watcher = new ResizeObserver(measure);
  for (const part of [document.body, ...document.querySelectorAll("#lesson > *, #lesson-body > *")]) watcher.observe(part);
  document.addEventListener("lesson:changed", (event) => {
    const state = /** @type {CustomEvent<LessonState>} */ (event).detail;
    const fresh = state.done.filter((step) => !done.includes(step));
    done = state.done;
    for (const step of fresh) say({ event: "completed", step, done: steps.filter((each) => done.includes(each)), steps });
  });
  measure();
}

/** So high that nothing has to be scrolled. It must not grow with the frame, or both would grow for ever. */
function neededHeight() {
  if (matchMedia("(max-width: 900px)").matches) return Math.ceil(document.body.getBoundingClientRect().height);
  const height = (/** @type {string} */ selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.offsetHeight ?? 0;
  const body = /** @type {HTMLElement} */ (document.getElementById("lesson-body"));
  const parts = [...body.children].filter((part) => part.checkVisibility());
  const content = parts.reduce((sum, part) => sum + part.getBoundingClientRect().height + parseFloat(getComputedStyle(part).marginTop), 40);
  const lesson = height(".lesson-head") + height("#away") + content + height(".lesson-foot");
  return Math.ceil(Math.max(HEIGHT_MIN, lesson) + height(".panes") + height(".credit"));
}
