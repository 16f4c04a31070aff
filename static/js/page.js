// @ts-check
/**
 * The page: wires the connection, the run and the widgets together, and owns what they share: the
 * chosen node, refusals, keys, the theme. What is seldom needed (menus, palette, help, table) is
 * fetched when it is first asked for, or when the page has come to rest (`later.js`).
 */
import { connect } from "./connection.js";
import { Diagram } from "./diagram/diagram.js";
import { Story } from "./panels/story.js";
import { Clock, duration, leaderOf, Playback, replicaOf, Store } from "./store.js";

const TOAST_MS = 7000;
/** The line of time has nothing to show before. */
const TIMELINE_AFTER_MS = 1000;
/** By then the page has all it needs at first. */
const LATER_AFTER_MS = 4000;
const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

const store = new Store();
const clock = new Clock();
/** @type {{ change(): void }[]} */
const panels = [];
let isPaintAsked = false;
/** Whether a command was sent whose first change is still to come, and whether the next paint shows it. */
let changeDue = false;
let paintDue = false;

// --- what the page offers its widgets -------------------------------------------------------------

/** @type {Page} */
const page = {
  store,
  clock,
  selected: null,
  connection: connect({
    keyframe(keyframe) {
      store.takeKeyframe(keyframe);
    },
    frame(frame) {
      const heard = store.sequence;
      if (!store.takeFrame(frame)) page.connection.resync();
      // The run moves by itself as well: what answers a command begins with its acceptance.
      if (changeDue && frame.steps.some((step) => step.sequence > heard && step.name === "command.accepted")) {
        changeDue = false;
        paintDue = true;
      }
    },
    status: showStatus,
  }),
  async send(...texts) {
    for (const text of texts) {
      if (!reported(await page.command(text))) return false;
    }
    return true;
  },
  command(text) {
    changeDue = true;
    document.dispatchEvent(new CustomEvent("page:act"));
    // What is done in the past leaves what came after as it was: it begins a branch.
    return store.viewUs === null ? page.connection.command(text) : page.connection.branch(store.viewUs, text);
  },
  get viewUs() {
    return store.viewUs;
  },
  shownUs: () => store.shownUs,
  shownState: () => store.state,
  seek: (us) => playback.seek(us),
  stepBy: (direction) => playback.stepBy(direction),
  recall: () => playback.recall(),
  play: () => playback.play(),
  pause: () => playback.pause(),
  get isPlaying() {
    return playback.isPlaying;
  },
  highlighted: null,
  highlight(what) {
    page.highlighted = what;
    const changed = store.steps.find((step) => step.sequence === what?.sequence)?.patches.map(([, path]) => path) ?? [];
    const named = (/** @type {string} */ kind) => changed.filter((path) => path[0] === kind && path.length > 1).map((path) => String(path[1]));
    need(import("./diagram/spotlight.js"), ({ light }) => light(store.state, what?.operation === undefined ? [] : [what.operation], named("messages"), named("nodes")));
    if (what?.node !== undefined) page.selected = what.node;
    refresh();
  },
  why(sequence, operation) {
    need(import("./panels/why.js"), (module) => module.openWhy(page, sequence, operation));
  },
  playback(action, speed) {
    void page.connection.playback(action, speed).then(reported);
  },
  async restart(options) {
    page.select(null);
    document.querySelector(".side")?.scrollTo({ top: 0 });
    return reported(await page.connection.restart(options));
  },
  subject() {
    if (store.state === null) return null;
    if (page.selected !== null && store.state.nodes[page.selected]) return page.selected;
    return leaderOf(store.state) ?? Object.keys(store.state.nodes)[0] ?? null;
  },
  select(node) {
    page.selected = node;
    refresh();
  },
  say,
  offers: () => true,
  open(what) {
    if (what === "palette") openPalette();
    else if (what === "help") need(import("./panels/help.js"), (module) => module.openHelp(page, KEYS, keysAreOn));
    else if (what === "ledger") need(import("./panels/ledger.js"), (module) => module.toggleLedger(page));
    else need(import("./panels/table.js"), (module) => module.toggleTable(page));
  },
  judge(promise) {
    need(import("./panels/evidence.js"), (module) => module.openEvidence(page, promise));
  },
  nodeActions,
  menu(title, actions, at) {
    need(import("./panels/menus.js"), (module) => module.openMenu(page, title, actions, at));
  },
};

const playback = new Playback(store, clock, page.connection, (answer) => reported(answer));
const diagram = new Diagram(byId("diagram"), {
  redraw,
  choose(target, at, element) {
    if (target.kind === "node") page.select(target.id);
    need(import("./panels/menus.js"), (module) => module.openTargetMenu(page, target, at, element));
  },
});
const story = new Story(page);
panels.push(story);

/** @param {string} node @returns {Action[]} */
function nodeActions(node) {
  const { state } = store;
  if (state === null || !state.nodes[node]) return [];
  const remove = { label: "Remove", commands: [`remove ${node}`], about: "leaves the cluster for good" };
  const condition = state.nodes[node].state;
  if (condition === "dead") return [{ label: "Restart", commands: [`restart ${node}`], about: "comes back with what its disk held" }, remove];
  const others = Object.keys(state.nodes).filter((other) => other !== node);
  const isAlone = state.groups?.some((group) => group.length === 1 && group[0] === node) ?? false;
  const leader = leaderOf(state);
  /** @type {Action[]} */
  const actions = [{ label: "Kill", commands: [`kill ${node}`], tone: "danger", about: "loses what is only in memory" }];
  actions.push(condition === "paused" ? { label: "Resume", commands: [`resume ${node}`] } : { label: "Pause", commands: [`pause ${node}`], about: "stands still and notices nothing" });
  actions.push(isAlone ? { label: "Reconnect", commands: ["heal"] } : { label: "Isolate", commands: [`partition ${node} | ${others.join(" ")}`], about: "cut off from the other nodes" });
  actions.push({ label: "Slow", more: slowActions(node, others, state) });
  if (node !== leader) actions.push({ label: "Promote", commands: [`promote ${node}`], about: "leader by decree, however stale" });
  if (leader !== null && node !== leader) actions.push({ label: "Switch over", commands: [`switchover ${node}`], about: "planned: catches up first" });
  if (leader !== null && node !== leader && replicaOf(state, node).role === "leader") actions.push({ label: "Rejoin", commands: [`rejoin ${node}`] });
  return [...actions, remove];
}

/** @param {string} node @param {string[]} others @param {ClusterState} state @returns {Action[]} */
function slowActions(node, others, state) {
  const spoken = (/** @type {string} */ name, /** @type {number} */ times) => `${(Number(state.settings[name]) * times) / 1000}ms`;
  const links = (/** @type {number} */ times) => others.map((other) => `latency ${node} ${other} ${spoken("latency", times)}`);
  return [
    { label: "Slow network", commands: links(4), about: `${duration(Number(state.settings.latency) * 4)} to every other node` },
    { label: "Slow disk", commands: [`set flush 1s on ${node}`], about: "a flush takes 1 s" },
    { label: "Slow to apply", commands: [`set apply 1s on ${node}`], about: "each entry takes 1 s until it can be read" },
    { label: "Normal speed", commands: [...links(1), `set flush ${spoken("flush", 1)} on ${node}`, `set apply ${spoken("apply", 1)} on ${node}`] },
  ];
}

/** @param {Answer} answer */
function reported(answer) {
  if (!answer.ok) say(answer.error?.says ?? "The server refused this without giving a reason.", "bad");
  return answer.ok;
}

/** Shows a sentence for a few seconds. @param {string} sentence @param {Tone} [tone] */
function say(sentence, tone = "info") {
  const toasts = byId("toasts");
  const same = [...toasts.children].find((toast) => toast.firstElementChild?.textContent === sentence);
  same?.remove();
  const toast = document.createElement("div");
  toast.dataset.tone = tone;
  const words = document.createElement("p");
  words.textContent = sentence;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", "Dismiss");
  close.addEventListener("click", () => toast.remove());
  toast.append(words, close);
  toasts.append(toast);
  while (toasts.childElementCount > 3) toasts.firstElementChild?.remove();
  setTimeout(() => toast.remove(), TOAST_MS);
}

/** Uses a part of the page that may still have to be fetched. @template Part @param {Promise<Part>} part @param {(part: Part) => unknown} use */
function need(part, use) {
  const missing = () => say("This part of the page has not come: the server does not answer. Reload the page when it does.", "bad");
  void part.then(use, missing);
}

let trouble = "";

/** @param {ConnectionStatus} status @param {string} says */
function showStatus(status, says) {
  trouble = status === "open" ? "" : says;
  document.body.dataset.connection = status;
  showBanner();
}

/** The failed link, or else what the server has to say about the room. */
function showBanner() {
  const banner = byId("banner");
  const says = trouble || store.notice;
  banner.hidden = says === "";
  banner.classList.toggle("notice", trouble === "");
  if (banner.dataset.says === says) return;
  banner.dataset.says = says;
  banner.replaceChildren(says);
  if (document.body.dataset.connection !== "closed") return;
  const reload = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Reload" });
  reload.addEventListener("click", () => location.reload());
  banner.append(" ", reload);
}

// --- painting -------------------------------------------------------------------------------------

let run = store.run;
store.subscribe(() => {
  clock.follow(store, performance.now());
  if (store.run !== run) {
    run = store.run;
    // What was chosen is of a run that is not shown any more: this one may not have it.
    if (page.highlighted !== null) page.highlight(null);
  }
  refresh();
});

/** The palette takes up what was typed while it was on its way. */
function openPalette() {
  let typed = "";
  const keep = (/** @type {KeyboardEvent} */ event) => {
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
    typed += event.key;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener("keydown", keep, { capture: true });
  const module = import("./panels/palette.js").finally(() => removeEventListener("keydown", keep, { capture: true }));
  need(module, ({ openPalette: open }) => open(page, typed));
}

/** Brings every panel up to date and the diagram at the next paint. */
function refresh() {
  if (page.selected !== null && store.state && !store.state.nodes[page.selected]) page.selected = null;
  for (const panel of panels) panel.change();
  showBanner();
  redraw();
}

function redraw() {
  if (isPaintAsked) return;
  isPaintAsked = true;
  requestAnimationFrame(paint);
}

/** @param {number} atMs */
function paint(atMs) {
  isPaintAsked = false;
  if (store.newest === null) return;
  const timeUs = playback.read(atMs);
  const state = /** @type {ClusterState} */ (store.state);
  diagram.draw(state, page.selected, timeUs);
  story.tick(timeUs, atMs);
  if (paintDue) {
    paintDue = false;
    performance.mark("painted");
  }
  if (page.isPlaying) redraw();
}

// --- keys -----------------------------------------------------------------------------------------

const click = (/** @type {string} */ id) => () => document.getElementById(id)?.click();
const focus = (/** @type {string} */ id) => () => {
  const field = document.getElementById(id);
  field?.focus();
  if (field instanceof HTMLInputElement) field.select();
};

/** @type {(KeyHelp & { run: Record<string, (key: string) => void> })[]} */
const KEYS = [
  { keys: "Space", says: "Play or pause the run", run: { " ": click("play") } },
  { keys: ". or →", says: "Step to the next event", run: { ".": click("step"), ArrowRight: click("step") } },
  { keys: ", or ←", says: "Step back to the event before", run: { ",": click("step-back"), ArrowLeft: click("step-back") } },
  { keys: "[ and ]", says: "Go to the last or next election, crash, loss …", run: { "[": click("jump-back"), "]": click("jump-on") } },
  { keys: "0", says: "Back to the newest moment", run: { 0: () => page.seek(null) } },
  { keys: "w", says: "Write: go to the value", run: { w: focus("value") } },
  { keys: "r", says: "Read the key", run: { r: () => void page.send(`read ${readKey()}`) } },
  { keys: "k", says: "Kill the chosen node, or the leader", run: { k: () => void page.send(`kill ${page.selected ?? "leader"}`) } },
  { keys: "1 – 9", says: "Choose a node", run: Object.fromEntries([..."123456789"].map((digit) => [digit, choose])) },
  { keys: "Esc", says: "Leave a field, choose no node, close what is open", run: { Escape: () => page.select(null) } },
  { keys: "Ctrl K or /", says: "Type a command", run: { "/": () => page.open("palette") } },
  { keys: "t", says: "The diagram as a table, and back", run: { t: () => page.open("table") } },
  { keys: "s", says: "The run as a space-time diagram", run: { s: click("tab-space-time") } },
  { keys: "e", says: "List the events", run: { e: click("tab-events") } },
  { keys: "l", says: "The ledger: where every write went", run: { l: () => page.open("ledger") } },
  { keys: "d", says: "Dark or light", run: { d: click("switch-theme") } },
  { keys: "?", says: "This help", run: { "?": () => page.open("help") } },
];

/** Keys that may be held down. */
const REPEATED = [".", ",", "ArrowLeft", "ArrowRight", "[", "]"];

/** @param {string} digit */
function choose(digit) {
  const node = Object.keys(store.state?.nodes ?? {})[Number(digit) - 1];
  if (node) page.select(node);
}

function readKey() {
  const field = document.getElementById("key");
  return field instanceof HTMLInputElement && field.value.trim() ? field.value.trim() : "x";
}

/** Whether keys without Ctrl do anything; remembered, because they get in the way of some. */
const keysAreOn = {
  get() {
    try {
      return localStorage.getItem("keys") !== "off";
    } catch {
      return true; // In a frame of another site there may be no storage.
    }
  },
  set: (/** @type {boolean} */ isOn) => localStorage.setItem("keys", isOn ? "on" : "off"),
};

document.addEventListener("keydown", (event) => {
  const target = event.target instanceof Element ? event.target : document.body;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    page.open("palette");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !REPEATED.includes(event.key) || !keysAreOn.get()) return;
  if (event.key === "Escape" && target instanceof HTMLInputElement && !target.closest("dialog")) return target.blur();
  if (document.querySelector("dialog:modal")) return;
  if (target.closest("input:not([type=radio]), textarea, select, dialog, [popover], [contenteditable]")) return;
  // What is gone through by arrows keeps them.
  if (event.key.startsWith("Arrow") && target.closest("input, [role=tab], [role=slider], [role=listbox], [role=grid], [tabindex]:not(main)")) return;
  // A button or link under the focus keeps its own Space; a radio keeps its own keys.
  if (event.key === " " && target.closest("button, a, summary, [role=button], input")) return;
  const run = KEYS.find((entry) => event.key in entry.run)?.run[event.key];
  if (run === undefined) return;
  event.preventDefault();
  run(event.key);
});

// --- header and theme -----------------------------------------------------------------------------

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";
const showTheme = () => byId("switch-theme").setAttribute("aria-pressed", String(isDark()));
/** Pictures painted in the old colours are painted anew, wherever in the run one stands. */
const retheme = () => {
  showTheme();
  refresh();
};

byId("switch-theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  // A cookie, so that the next page is painted right from the start.
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=strict`;
  retheme();
});
prefersDark.addEventListener("change", retheme);
showTheme();
document.getElementById("open-help")?.addEventListener("click", () => page.open("help"));
document.getElementById("open-palette")?.addEventListener("click", () => page.open("palette"));
document.getElementById("open-share")?.addEventListener("click", () => need(import("./panels/share.js"), (module) => module.openShare(page)));
if (location.search !== "" && document.body.dataset.page === "play") need(import("./panels/opening.js"), (module) => module.openAddress(page));

// The line of time is drawn once the cluster is on screen.
setTimeout(() => need(import("./panels/timeline.js"), (module) => panels.push(new module.Timeline(page))), TIMELINE_AFTER_MS);

// The dock comes when one of its tabs is gone to.
const dockTabs = byId("dock-tabs");
/** @type {import("./dock/dock.js").Dock | null} */
let dock = null;
const theDock = () => import("./dock/dock.js").then(({ Dock }) => {
  if (dock === null) panels.push((dock = new Dock(page, dockTabs, byId("dock"))));
  return dock;
});
dockTabs?.addEventListener("focusin", () => need(theDock(), () => {}), { once: true });
dockTabs?.addEventListener("click", (event) => {
  const name = event.target instanceof Element ? event.target.closest("[role=tab]")?.getAttribute("data-tab") : null;
  if (name && dockTabs.checkVisibility()) need(theDock(), (made) => made.toggle(name));
});

// What stands for an operation explains itself from the first touch on.
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, () => need(import("./panels/provenance.js"), (module) => module.explain(page)), { once: true });
}

// --- what this page has besides -------------------------------------------------------------------

/** @type {Record<string, () => Promise<{ Panel: new (page: Page) => { change(): void } }>>} */
const PANELS = { home: () => import("./panels/home.js"), lesson: () => import("./lessons/lesson.js"), embed: () => import("./panels/embed.js"), replay: () => import("./panels/replay.js") };
const { Panel } = await (PANELS[document.body.dataset.page ?? ""] ?? (() => import("./panels/controls.js")))();
panels.push(new Panel(page));
refresh();
// A recording has everything in itself.
if (document.body.dataset.page !== "replay") setTimeout(() => need(import("./later.js"), () => {}), LATER_AFTER_MS);
