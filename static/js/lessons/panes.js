// @ts-check
/** Where lesson, cluster and controls do not fit beside each other they take turns, as tabs. */

const KEYS = { ArrowRight: 1, ArrowLeft: -1 };

/** Makes the tabs work; style decides when they are needed. */
export function offerPanes() {
  const tabs = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-pane]")]);
  const show = (/** @type {string} */ pane) => {
    document.body.dataset.pane = pane;
    for (const tab of tabs) {
      const isShown = tab.dataset.pane === pane;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => show(tab.dataset.pane ?? "lesson"));
    tab.addEventListener("keydown", (event) => {
      const by = KEYS[/** @type {keyof typeof KEYS} */ (event.key)];
      if (by === undefined) return;
      const seen = tabs.filter((each) => each.offsetParent !== null);
      const next = seen[(seen.indexOf(tab) + by + seen.length) % seen.length] ?? tabs[place];
      event.preventDefault();
      next.click();
      next.focus();
    });
  });
  show("lesson");
  document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.addEventListener("lesson:step", () => show("lesson"));
  // Whoever has something played wants to see it.
  document.addEventListener("lesson:watch", () => {
    if (matchMedia("(max-width: 900px)").matches) show("cluster");
  });
  document.addEventListener("lesson:changed", (event) => {
    const { goal } = /** @type {CustomEvent<LessonState>} */ (event).detail;
    const badge = document.getElementById("pane-badge");
    if (badge) badge.textContent = goal === null ? "" : `${goal.reached ? goal.of : goal.held}/${goal.of}`;
  });
}
