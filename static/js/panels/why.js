// @ts-check
/**
 * Why? What led to what somebody asked about, one sentence a link, in plain or in precise words: the
 * causes of an event from the command or timer on, or the course of a write. What was asked about
 * stands above it. Every link can be gone to.
 */
import { seconds } from "../store.js";
import { make, openDrawer, shownName } from "./drawer.js";

/** Whether sentences carry indexes, terms and names of events; the same for every chain. */
let isPrecise = false;

/** A button that asks what became of a write. @param {Page} page @param {number} operation @param {string} label the write in words */
export function whyWrite(page, operation, label) {
  const button = make("button", { type: "button", className: "loss-why", textContent: "Why?" });
  button.setAttribute("aria-label", `Why? What became of ${label}`);
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    page.why(null, operation);
  });
  return button;
}

/** @param {Page} page @param {number | null} sequence the event that is asked about @param {number} [operation] the write, instead */
export async function openWhy(page, sequence, operation) {
  const origin = document.activeElement;
  const opener = shownName() === "ledger" ? "#show-ledger" : `[data-verdict="${shownName()?.split(" ")[1] ?? ""}"]`;
  const { run } = page.store;
  const answer = await page.connection.why(sequence, operation);
  if (!answer.ok || !answer.chain) return page.say(answer.error?.says ?? "The server did not answer.", "bad");
  const { chain } = answer;
  const drawer = openDrawer(page, "why", "Why?", { refresh: () => page.store.run !== run && drawer.close(), origin: () => (origin?.isConnected ? origin : document.querySelector(opener)), closed: () => page.highlight(null) });
  const toggle = /** @type {HTMLButtonElement} */ (make("button", { className: "button", type: "button", textContent: "Precise words" }));
  drawer.title.after(toggle);
  toggle.addEventListener("click", () => {
    isPrecise = !isPrecise;
    draw();
  });
  const asked = make("p", { className: "why-asked" });
  const list = make("ol", { className: "chain" });
  asked.hidden = chain.length < 2;
  drawer.element.insertBefore(asked, drawer.body);
  drawer.body.append(list);
  draw();
  list.querySelector("button")?.focus({ preventScroll: true });

  function draw() {
    toggle.setAttribute("aria-pressed", String(isPrecise));
    const end = chain.find((reason) => reason.asked) ?? chain[chain.length - 1];
    if (end) asked.replaceChildren(make("b", { textContent: `${seconds(end.at_us)} ` }), words(end));
    list.replaceChildren(...chain.map((reason) => link(page, reason)));
  }
}

/** @param {Reason} reason */
const words = ({ plain, precise }) => (isPrecise ? precise : plain);

/** @param {Page} page @param {Reason} reason */
function link(page, reason) {
  const go = /** @type {HTMLButtonElement} */ (make("button", { type: "button", className: "moment", textContent: seconds(reason.at_us) }));
  go.setAttribute("aria-label", `Go to ${seconds(reason.at_us)}`);
  go.addEventListener("click", () => {
    page.pause();
    page.seek(reason.at_us);
    page.highlight({ sequence: reason.sequence });
  });
  const item = make("li", {}, go, make("span", { textContent: words(reason) }));
  item.classList.toggle("asked", reason.asked);
  return item;
}
