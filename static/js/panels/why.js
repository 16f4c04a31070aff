// @ts-check
/**
 * Why? The chain of causes from a command or a timer to what somebody asked about, one sentence a
 * link, in plain or in precise words. Every link can be gone to.
 */
import { seconds } from "../store.js";
import { make, openDrawer } from "./drawer.js";

/** Whether sentences carry indexes, terms and names of events; the same for every chain. */
let isPrecise = false;

/** @param {Page} page @param {number} sequence the event that is asked about */
export async function openWhy(page, sequence) {
  const origin = document.activeElement;
  const answer = await page.connection.why(sequence);
  if (!answer.ok || !answer.chain) return page.say(answer.error?.says ?? "The server did not answer.", "bad");
  const { chain } = answer;
  const drawer = openDrawer(page, "why", "Why?", { refresh() {}, origin: () => origin, closed: () => page.highlight(null) });
  const toggle = /** @type {HTMLButtonElement} */ (make("button", { className: "button", type: "button", textContent: "Precise words" }));
  drawer.title.after(toggle);
  toggle.addEventListener("click", () => {
    isPrecise = !isPrecise;
    draw();
  });
  const list = make("ol", { className: "chain" });
  drawer.body.append(list);
  draw();
  list.querySelector("button")?.focus();

  function draw() {
    toggle.setAttribute("aria-pressed", String(isPrecise));
    list.replaceChildren(...chain.map((reason, position) => link(page, reason, position === chain.length - 1)));
  }
}

/** @param {Page} page @param {Reason} reason @param {boolean} isAsked */
function link(page, reason, isAsked) {
  const go = /** @type {HTMLButtonElement} */ (make("button", { type: "button", className: "moment", textContent: seconds(reason.at_us) }));
  go.setAttribute("aria-label", `Go to ${seconds(reason.at_us)}`);
  go.addEventListener("click", () => {
    page.pause();
    page.seek(reason.at_us);
    page.highlight({ sequence: reason.sequence });
  });
  const item = make("li", {}, go, make("span", { textContent: isPrecise ? reason.precise : reason.plain }));
  item.classList.toggle("asked", isAsked);
  return item;
}
