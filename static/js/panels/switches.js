// @ts-check
/**
 * The safety switches, each with the promise it defends, and the rules for reads. What there is to
 * switch comes from the server's table of settings; how it stands comes from the run.
 */
import { make } from "./drawer.js";

/** @typedef {{ name: string, kind: string, says: string, defends: string, default: SettingValue }} SettingRow */

/** @type {Record<string, { title: string, hints: Record<string, [string, string]> }>} */
const RULES = {
  "leader-reads": {
    title: "Before the leader answers a read",
    hints: {
      plain: ["nothing: at once", "It answers from its own store, even if another leads by now."],
      "read-index": ["a round of heartbeats", "It first makes sure, by a round of heartbeats, that it still leads."],
      lease: ["a lease", "It trusts a recent proof for a while: quick, and as good as the nodes’ clocks."],
    },
  },
  session: {
    title: "What a client’s reads wait for",
    hints: {
      none: ["nothing", "A read may show less than the client has already written or seen."],
      "read-your-writes": ["its own writes", "A node answers once it has applied what this client last wrote."],
      "monotonic-reads": ["all it wrote or saw", "A node answers once it has applied whatever this client has written or seen."],
      "bounded-staleness": ["a recent state", "A node answers once it can vouch that it misses nothing older than the staleness bound (10 s unless set)."],
    },
  },
};

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
let isShown = false;

/** Fills the two sections of the panel, once. @param {Page} page */
export function showSwitches(page) {
  if (isShown) return;
  isShown = true;
  byId("read-list").append(...Object.keys(RULES).map((name) => makeRule(page, name)));
  byId("switch-list").append(make("p", { className: "hint", textContent: "Fetching the switches…" }));
  page.store.subscribe(() => draw(page));
  draw(page);
  void fetchSwitches(page);
}

/** @param {Page} page */
async function fetchSwitches(page) {
  const host = byId("switch-list");
  try {
    const response = await fetch("/language.json");
    if (!response.ok) throw new Error(response.statusText);
    const { settings } = /** @type {{ settings: SettingRow[] }} */ (await response.json());
    host.replaceChildren(...settings.filter((row) => row.kind === "switch").map((row) => makeSwitch(page, row)));
    draw(page);
    // Elsewhere the run is a part of something that a scenario would end.
    if (document.body.dataset.page === "play") void offerDisasters(page, host);
  } catch {
    host.replaceChildren(make("p", { className: "hint", textContent: "The list of switches could not be fetched. Reload the page to try again." }));
  }
}

/** Beside each switch the scenario that shows what happens without it. @param {Page} page @param {HTMLElement} host */
async function offerDisasters(page, host) {
  const response = await fetch("/scenarios.json");
  if (!response.ok) return;
  const scenarios = /** @type {Scenario[]} */ (await response.json());
  for (const button of host.querySelectorAll("[role=switch]")) {
    const scenario = scenarios.find(({ off }) => off.includes(button.getAttribute("data-switch") ?? ""));
    if (scenario === undefined) continue;
    const watch = make("button", { type: "button", className: "disaster", textContent: "Watch a run without it", title: scenario.title });
    watch.addEventListener("click", () => void page.restart({ scenario: scenario.id }));
    button.parentElement?.append(watch);
  }
}

/** `Vote check` for `vote-check` @param {string} name */
const titleOf = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("-", " ");

/** @param {Page} page @param {SettingRow} row */
function makeSwitch(page, { name, says, defends, default: plain }) {
  const button = make("button", { type: "button" });
  button.setAttribute("role", "switch");
  button.setAttribute("aria-labelledby", `switch-${name}`);
  button.setAttribute("aria-describedby", `defends-${name}`);
  button.dataset.switch = name;
  button.addEventListener("click", () => void page.send(`set ${name} ${button.getAttribute("aria-checked") === "true" ? "off" : "on"}`));
  const about = make("p", { className: "hint", id: `defends-${name}`, textContent: defends ? `Defends: ${defends}.` : says, title: says });
  const line = make("div", { className: "switch" }, make("b", { id: `switch-${name}`, textContent: titleOf(name) }), button, about);
  line.dataset.plain = String(plain);
  return line;
}

/** @param {Page} page @param {string} name */
function makeRule(page, name) {
  const { title, hints } = RULES[name];
  const select = /** @type {HTMLSelectElement} */ (make("select", { id: `rule-${name}` }));
  select.append(...Object.entries(hints).map(([value, [words]]) => new Option(words, value)));
  select.setAttribute("aria-describedby", `hint-${name}`);
  select.dataset.rule = name;
  select.addEventListener("change", () => void page.send(`set ${name} ${select.value}`).then(() => draw(page)));
  return make("div", { className: "rule" }, make("label", { htmlFor: select.id, textContent: title }), select, make("p", { className: "hint", id: `hint-${name}` }));
}

/** Shows how everything stands in the run. @param {Page} page */
function draw(page) {
  const settings = page.store.state?.settings;
  if (!settings) return;
  for (const each of byId("switch-list").querySelectorAll("button[role=switch]")) {
    const button = /** @type {HTMLElement} */ (each);
    const isOn = settings[button.dataset.switch ?? ""] === true;
    if (button.getAttribute("aria-checked") === String(isOn)) continue;
    button.setAttribute("aria-checked", String(isOn));
    // Off where a sound run has it on: that is what makes a run a modified one.
    button.parentElement?.classList.toggle("off", !isOn && button.parentElement.dataset.plain === "true");
  }
  for (const select of byId("read-list").querySelectorAll("select")) {
    const value = String(settings[select.dataset.rule ?? ""]);
    if (select.value !== value) select.value = value;
    const hint = byId(`hint-${select.dataset.rule}`);
    const words = RULES[select.dataset.rule ?? ""].hints[value]?.[1] ?? "";
    if (hint.textContent !== words) hint.textContent = words;
  }
}
