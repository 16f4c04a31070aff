// @ts-check
/**
 * The comparison: the same commands and seed under two or three settings, side by side on one line of
 * time. One document holds all runs, so the store, the clock and the line of time are those of any page.
 */
import { connect } from "./connection.js";
import { Diagram } from "./diagram/diagram.js";
import "./lessons/theme.js";
import { Timeline } from "./panels/timeline.js";
import { Clock, firstAfter, Playback, seconds, Store } from "./store.js";

/** @typedef {{ acknowledged: number, lost: number, stale_reads: number, answered: number, ended: number, write_median_us: number | null, write_p95_us: number | null, leaderless_us: number, leaderless_since_us: number | null, messages: number }} Figures */
/** @typedef {{ lanes: Record<string, ClusterState>, figures: Record<string, Figures>, difference: { at_us: number, says: Record<string, string> } | null }} Comparison */
/** @typedef {{ name: string, root: HTMLElement, diagram: Diagram, choice: HTMLSelectElement, told: HTMLElement }} Lane */

const REPLICATIONS = ["async", "semi-sync", "quorum", "sync"];
const THIRD = { replication: "sync" };
const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const ms = (/** @type {number | null} */ us) => (us === null ? "–" : us < 1e6 ? `${Math.round(us / 1000)} ms` : seconds(us));

/** What the table says: words, the figure in words, and whether it is bad news. @type {[string, (figures: Figures, nowUs: number) => string, ((figures: Figures) => boolean)?][]} */
const ROWS = [
  ["acknowledged writes", ({ acknowledged }) => String(acknowledged)],
  ["acknowledged, then lost", ({ lost }) => String(lost), ({ lost }) => lost > 0],
  ["stale reads", ({ stale_reads }) => String(stale_reads), ({ stale_reads }) => stale_reads > 0],
  ["write latency, median", ({ write_median_us }) => ms(write_median_us)],
  ["write latency, 95th percentile", ({ write_p95_us }) => ms(write_p95_us)],
  ["operations answered OK", ({ answered, ended }) => (ended === 0 ? "–" : `${Math.round((100 * answered) / ended)} % of ${ended}`)],
  ["without a leader", ({ leaderless_us, leaderless_since_us }, nowUs) => seconds(leaderless_us + (leaderless_since_us === null ? 0 : nowUs - leaderless_since_us), 1)],
  ["messages sent", ({ messages }) => messages.toLocaleString("en")],
];

const store = new Store();
const clock = new Clock();
/** @type {Map<string, Lane>} */
const lanes = new Map();
/** @type {Timeline | null} */
let timeline = null;
let isPaintAsked = false;
let spokenAtMs = 0;

const connection = connect({
  keyframe: (keyframe) => store.takeKeyframe(keyframe),
  frame(frame) {
    if (!store.takeFrame(frame)) connection.resync();
  },
  status(status, says) {
    document.body.dataset.connection = status;
    showBanner(status === "open" ? "" : says);
  },
});
const playback = new Playback(store, clock, connection, reported);

/** What the line of time needs of a page. */
const page = /** @type {Page} */ (/** @type {unknown} */ ({
  store, clock, connection, say,
  get viewUs() {
    return store.viewUs;
  },
  seek: (/** @type {number | null} */ us) => playback.seek(us),
  stepBy: (/** @type {1 | -1} */ direction) => playback.stepBy(direction),
  recall: () => playback.recall(),
  play: () => playback.play(),
  pause: () => playback.pause(),
}));

/** @returns {Comparison | null} */
const shown = () => /** @type {Comparison | null} */ (/** @type {unknown} */ (store.state));

/** @param {Answer} answer */
function reported(answer) {
  if (!answer.ok) say(answer.error?.says ?? "The server refused this without giving a reason.");
  return answer.ok;
}

/** @param {string} sentence */
function say(sentence) {
  const toast = Object.assign(document.createElement("div"), { textContent: sentence });
  byId("toasts").replaceChildren(toast);
  setTimeout(() => toast.remove(), 7000);
}

/** @param {string} says */
function showBanner(says) {
  const banner = byId("banner");
  const words = says || store.notice;
  banner.hidden = words === "";
  if (banner.textContent !== words) banner.textContent = words;
}

/** Sends a command to all runs: to a branch when the past is shown. @param {string} text */
async function send(text) {
  return reported(await (store.viewUs === null ? connection.command(text) : connection.branch(store.viewUs, text)));
}

// --- the runs -------------------------------------------------------------------------------------

/** @param {string} name */
function makeLane(name) {
  const root = Object.assign(document.createElement("article"), { className: "lane" });
  root.setAttribute("aria-label", `Run ${name}`);
  const head = Object.assign(document.createElement("div"), { className: "lane-head" });
  const title = Object.assign(document.createElement("h2"), { textContent: `${name}` });
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", `Replication of run ${name}`);
  choice.append(...REPLICATIONS.map((value) => new Option(`replication ${value}`, value)));
  choice.addEventListener("change", () => begin(laneSettings().map((own, position) => (String(position + 1) === name ? { ...own, replication: choice.value } : own))));
  head.append(title, choice);
  const host = Object.assign(document.createElement("div"), { className: "diagram" });
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", `Diagram of run ${name}`);
  const told = Object.assign(document.createElement("p"), { className: "told" });
  root.append(head, host, told);
  byId("lanes").append(root);
  const diagram = new Diagram(host, {
    redraw,
    choose(target) {
      if (target.kind === "node") void send(`${name}: ${lanes.get(name) && shown()?.lanes[name].nodes[target.id]?.state === "dead" ? "restart" : "kill"} ${target.id}`);
    },
  });
  return { name, root, diagram, choice, told };
}

/** Where there is room the figures stand beside each other, a line for each run: they are seen with the runs. */
const isWide = matchMedia("(min-width: 900px)");
isWide.addEventListener("change", change);

/** The settings of each run, as they began. */
const laneSettings = () => store.start.lanes ?? [];

/** Begins anew with these settings. @param {Record<string, SettingValue>[]} settings @param {number} [seed] */
function begin(settings, seed = store.start.seed) {
  void connection.restart({ seed, scenario: store.start.scenario ?? undefined, settings: store.start.settings, lanes: settings }).then(reported);
}

/** After every change of the run or of the moment shown. */
function change() {
  const comparison = shown();
  if (comparison === null) return;
  const names = Object.keys(comparison.lanes);
  if ([...lanes.keys()].join() !== names.join()) {
    byId("lanes").replaceChildren();
    lanes.clear();
    for (const name of names) lanes.set(name, makeLane(name));
  }
  const own = laneSettings();
  for (const lane of lanes.values()) {
    const replication = String(comparison.lanes[lane.name].settings.replication ?? own[Number(lane.name) - 1]?.replication);
    if (lane.choice.value !== replication && document.activeElement !== lane.choice) lane.choice.value = replication;
    lane.root.classList.toggle("differs", comparison.difference !== null && comparison.difference.at_us === store.viewUs);
    tell(lane);
  }
  byId("lane-count").textContent = names.length === 3 ? "Two runs only" : "Add a third run";
  showDifference(comparison.difference);
  showFigures(comparison);
  showTransport();
  showBanner("");
  timeline ??= new Timeline(page);
  timeline.change();
  redraw();
}

/** The newest sentence of one run. @param {Lane} lane */
function tell({ name, told }) {
  const { steps } = store;
  for (let position = firstAfter(steps, store.shownUs) - 1; position >= 0 && position > steps.length - 4000; position--) {
    const { text, tone, at_us, lane } = steps[position];
    if (text === null || lane !== name) continue;
    const words = `${seconds(at_us)} — ${text}`;
    if (told.textContent !== words) told.textContent = words;
    told.dataset.tone = tone ?? "info";
    return;
  }
  told.textContent = "";
}

/** @param {Comparison["difference"]} difference */
function showDifference(difference) {
  const host = byId("difference");
  const words = difference === null ? "" : `${difference.at_us} ${JSON.stringify(difference.says)}`;
  if (host.dataset.said === words) return;
  host.dataset.said = words;
  if (difference === null) return host.replaceChildren("Up to here all runs are the same.");
  const go = Object.assign(document.createElement("button"), { type: "button", textContent: seconds(difference.at_us) });
  go.setAttribute("aria-label", `Go to the first difference, ${seconds(difference.at_us)}`);
  go.addEventListener("click", () => playback.seek(difference.at_us));
  const lead = document.createElement("b");
  lead.append("First difference at ", go);
  const parts = Object.entries(difference.says).map(([name, says]) => Object.assign(document.createElement("span"), { textContent: `${name}: ${says || "not yet"}` }));
  host.replaceChildren(lead, ...parts);
}

/** @param {Comparison} comparison */
function showFigures({ figures }) {
  const table = byId("figures");
  const names = Object.keys(figures);
  const own = laneSettings();
  const words = [["by this moment", ...names.map((name) => `${name}  ${own[Number(name) - 1]?.replication ?? ""}`)], ...ROWS.map(([title, says]) => [title, ...names.map((name) => says(figures[name], store.shownUs))])];
  const said = JSON.stringify([words, isWide.matches]);
  if (table.dataset.said === said) return;
  table.dataset.said = said;
  const caption = /** @type {HTMLElement} */ (table.querySelector("caption"));
  const cellOf = (/** @type {number} */ figure, /** @type {number} */ run) => {
    const isTitle = figure === 0 || run === 0;
    const cell = Object.assign(document.createElement(isTitle ? "th" : "td"), { textContent: words[figure][run] });
    const isColumn = (isWide.matches ? run : figure) === 0;
    if (isTitle && figure + run > 0) cell.setAttribute("scope", isColumn ? "col" : "row");
    if (isTitle) return cell;
    cell.dataset.figure = words[figure][0];
    if (ROWS[figure - 1][2]?.(figures[names[run - 1]])) cell.className = "bad";
    return cell;
  };
  const figureOf = (/** @type {number} */ line, /** @type {number} */ column) => (isWide.matches ? cellOf(column, line) : cellOf(line, column));
  const [lines, columns] = isWide.matches ? [names.length + 1, words.length] : [words.length, names.length + 1];
  const rows = Array.from({ length: lines }, (_, line) => {
    const row = document.createElement("tr");
    row.append(...Array.from({ length: columns }, (_, column) => figureOf(line, column)));
    return row;
  });
  const head = document.createElement("thead");
  head.append(rows[0]);
  const body = document.createElement("tbody");
  body.append(...rows.slice(1));
  table.replaceChildren(caption, head, body);
}

function showTransport() {
  const { isPlaying } = playback;
  byId("play-words").textContent = isPlaying ? "Pause" : "Play";
  byId("play").setAttribute("aria-label", isPlaying ? "Pause playback" : "Play");
  byId("play-sign").setAttribute("d", isPlaying ? "M2,0.5h3v11h-3zM7.5,0.5h3v11h-3z" : "M2,0.5L11,6L2,11.5z");
  const speed = /** @type {HTMLSelectElement} */ (byId("speed"));
  if (document.activeElement !== speed) speed.value = String(store.speed);
  byId("count").textContent = `${(store.sequence + 1).toLocaleString("en")} events`;
}

// --- painting -------------------------------------------------------------------------------------

store.subscribe(() => {
  clock.follow(store, performance.now());
  change();
});

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
  const comparison = /** @type {Comparison} */ (shown());
  for (const [name, lane] of lanes) if (comparison.lanes[name]) lane.diagram.draw(comparison.lanes[name], null, timeUs);
  byId("time").textContent = seconds(timeUs);
  speak(atMs);
  if (playback.isPlaying) redraw();
}

/** Speaks the runs' newest sentences now and then. @param {number} atMs */
function speak(atMs) {
  if (atMs - spokenAtMs < 5000) return;
  spokenAtMs = atMs;
  const words = [...lanes.values()].map(({ name, told }) => `Run ${name}: ${told.textContent}`).join(" ");
  if (byId("spoken").textContent !== words) byId("spoken").textContent = words;
}

// --- what a person does -----------------------------------------------------------------------------

const valueOf = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id)).value.trim();
byId("play").addEventListener("click", () => (playback.isPlaying ? playback.pause() : playback.play()));
byId("step").addEventListener("click", () => playback.stepBy(1));
byId("step-back").addEventListener("click", () => playback.stepBy(-1));
byId("speed").addEventListener("change", () => void connection.playback("speed", Number(valueOf("speed"))).then(reported));
byId("write-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void send(`write ${valueOf("key")} ${valueOf("value")}`).then((isDone) => {
    const value = /** @type {HTMLInputElement} */ (byId("value"));
    if (isDone && /^\d+$/.test(value.value)) value.value = String(Number(value.value) + 1);
  });
});
byId("read").addEventListener("click", () => void send(`read ${valueOf("key")} from any`));
byId("kill").addEventListener("click", () => void send("kill leader"));
byId("slow").addEventListener("click", () => void send("latency all 1500ms"));
byId("heal").addEventListener("click", () => void send("heal"));
byId("command-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (valueOf("command") === "") return;
  void send(valueOf("command")).then((isDone) => {
    if (isDone) /** @type {HTMLInputElement} */ (byId("command")).value = "";
  });
});
byId("open-palette").addEventListener("click", () => byId("command").focus());
byId("new-seed").addEventListener("click", () => begin(laneSettings(), store.start.seed + 1));
byId("lane-count").addEventListener("click", () => begin(laneSettings().length === 3 ? laneSettings().slice(0, 2) : [...laneSettings(), THIRD]));
document.addEventListener("keydown", (event) => {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, button, [tabindex]")) return;
  const run = { " ": () => byId("play").click(), ".": () => playback.stepBy(1), ",": () => playback.stepBy(-1), 0: () => playback.seek(null), k: () => byId("kill").click() }[event.key];
  if (run === undefined) return;
  event.preventDefault();
  run();
});
