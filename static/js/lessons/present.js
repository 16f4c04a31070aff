// @ts-check
/**
 * A lesson on a wall: large type, nothing to press, led by a clicker. A second window has the presenter's
 * notes; both watch the same room, so they are in the same step by themselves.
 */
import { inTongue, make, words } from "./questions.js";

/** @typedef {import("./lesson.js").Panel} Panel */
/** @typedef {{ kind: string, say?: string, ask?: string, watch_for?: string, if_low?: string, if_high?: string, minutes?: number }} Note */

const CHANNEL = "presenting";
/** How long the line on how to go on stays. */
const SHOWN_MS = 6000;
/** The height of a window, in pixels, whose picture needs no enlargement. */
const ROOM_HEIGHT = 655;
const CAPTION_SIZES_EM = [1.25, 1.1, 0.95, 0.8];
const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {Panel} panel */
export function present(panel) {
  document.body.dataset.present = "yes";
  // The picture is drawn for less room than there is and then made larger, its words with it.
  const grow = () => document.documentElement.style.setProperty("--scale", String(Math.max(1, Math.min(2.6, innerHeight / ROOM_HEIGHT))));
  addEventListener("resize", grow);
  grow();
  const head = make("header", { className: "wall-head" }, make("p", { className: "wall-crumb" }), make("p", { className: "wall-title" }));
  document.querySelector(".stage")?.prepend(head);
  const blank = make("div", { className: "blank", hidden: true });
  blank.setAttribute("role", "status");
  document.body.append(blank);
  const way = make("nav", { className: "wall-ways" });
  way.setAttribute("aria-label", "Projector view");
  const notes = make("button", { className: "button", type: "button" }, "Notes (N)");
  const again = make("button", { className: "button", type: "button" }, "Begin again (R)");
  const leave = make("button", { className: "button", type: "button" }, "Leave (Esc)");
  const how = make("p", { className: "wall-how" }, "On: PageDown or a clicker · Back: PageUp · Blank: B");
  way.append(how, notes, again, leave);
  document.body.append(way);
  const remind = reminder(way);
  document.addEventListener("pointermove", remind);
  notes.addEventListener("click", () => openNotes(panel));
  again.addEventListener("click", () => void panel.beginAgain(again));
  leave.addEventListener("click", () => location.assign(location.pathname));
  const show = () => {
    const { place, element } = panel.current;
    const asked = [...element.querySelectorAll("[data-question]:not([hidden])")];
    const ask = (asked.find((question) => !question.getAttribute("data-result")) ?? asked[asked.length - 1])?.querySelector(".ask");
    for (const each of document.querySelectorAll(".ask")) each.classList.toggle("in-title", each === ask);
    const title = document.querySelector("#lesson-title")?.textContent ?? "";
    hush(panel);
    // Who rehearsed would open on the answers.
    again.hidden = panel.isNew;
    head.children[0].textContent = `${title} · ${place + 1} of ${panel.steps.length}`;
    head.children[1].replaceChildren(...[...(ask ?? element.querySelector("h2") ?? element).childNodes].map((node) => node.cloneNode(true)));
  };
  document.addEventListener("lesson:changed", show);
  const channel = new BroadcastChannel(CHANNEL);
  const turn = (/** @type {string} */ key) => key === "blank" ? toggleBlank(blank) : void beat(panel, key === "on" ? 1 : -1);
  channel.addEventListener("message", ({ data }) => turn(String(data)));
  listen(turn, panel, { openNotes: () => openNotes(panel), again: () => again.hidden ? remind() : (remind(), void panel.beginAgain(again)), leave: () => location.assign(location.pathname), lost: remind });
  new MutationObserver(fitCaption).observe(byId("narration-text"), { childList: true, characterData: true, subtree: true });
  document.addEventListener("lesson:step", () => played.clear());
}

/** The sentence of the moment is as large as its place allows. */
function fitCaption() {
  const box = byId("narration");
  for (const size of CAPTION_SIZES_EM) {
    box.style.fontSize = `${size}em`;
    if (box.scrollHeight <= box.clientHeight) return;
  }
}

/** Shows how to go on, for a while: at first, and to whoever looks for it. @param {HTMLElement} way */
function reminder(way) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const remind = () => {
    clearTimeout(timer);
    way.dataset.shown = "yes";
    timer = setTimeout(() => delete way.dataset.shown, SHOWN_MS);
  };
  remind();
  return remind;
}

/** @param {HTMLElement} blank */
function toggleBlank(blank) {
  blank.hidden = !blank.hidden;
  blank.textContent = blank.hidden ? "" : "The screen is blank. Press B to show it.";
}

/** @param {Panel} panel */
function openNotes(panel) {
  window.open(`${location.pathname}?notes`, `notes-${panel.id}`, "width=900,height=760");
}

/** @type {Record<string, string>} */
const TURNS = { PageDown: "on", ArrowRight: "on", " ": "on", Enter: "on", PageUp: "back", ArrowLeft: "back", b: "blank", B: "blank", ".": "blank" };

/** The clicker's keys come before those of the page. @param {(turn: string) => void} turn @param {Panel} panel @param {{ openNotes?: () => void, again?: () => void, leave: () => void, lost?: () => void }} ways with what is told of a key that does nothing */
function listen(turn, panel, { openNotes, again, leave, lost }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest("dialog, input:not([type=radio], [type=checkbox]), select, textarea")) return;
    const isPress = (event.key === "Enter" || event.key === " ") && target.closest("button, a, summary, input, [role=button]");
    const known = TURNS[event.key] !== undefined && !isPress;
    const digit = /^[1-9]$/.test(event.key);
    const letter = event.key.toLowerCase();
    if (!known && !digit && letter !== "n" && letter !== "r" && event.key !== "Escape") return lost?.();
    event.preventDefault();
    event.stopImmediatePropagation();
    if (known && !event.repeat) turn(TURNS[event.key]);
    else if (digit) choose(panel, Number(event.key));
    else if (event.key === "Escape") leave();
    else if (letter === "r" && !event.repeat) again?.();
    else if (!event.repeat) openNotes?.();
  }, { capture: true });
}

/** The hall has voted: its answer becomes the answer. @param {Panel} panel @param {number} number */
function choose(panel, number) {
  const question = [...panel.current.element.querySelectorAll("[data-question]:not([hidden])")].find((each) => !each.getAttribute("data-result"));
  const option = question?.querySelectorAll(".option input")[number - 1];
  if (!(option instanceof HTMLInputElement) || option.disabled) return;
  option.click();
  /** @type {HTMLButtonElement | null} */ (question?.querySelector(".check:not([hidden])"))?.click();
}

/** Experiments that were played since the step was come to: who comes back to one can see it again. @type {Set<string>} */
const played = new Set();
let isRepeated = false;

/** The next thing to happen: ask, play, tell, go on. @param {Panel} panel @param {1 | -1} by */
async function beat(panel, by) {
  const lesson = panel.page.store.lesson;
  if (lesson === null) return;
  if (by < 0) hush(panel, true);
  if (by < 0) return void (lesson.place !== null ? await panel.act({ action: "restore" }) : await panel.back());
  if (lesson.playing !== null) {
    // What is seen once more can be cut short.
    if (!isRepeated || !(await panel.act({ action: "restore" }))) return;
    return void (await panel.next());
  }
  const { element } = panel.current;
  const open = openQuestions(panel, lesson);
  if (open.length > 0) {
    // The first press asks for the answer, and only the next one does without it: nothing is answered by itself.
    if (noticed?.question !== open[0]) return void ask(panel, open[0]);
    const passed = await panel.act({ action: "answer", question: open[0].dataset.question, answer: null });
    hush(panel, true);
    if (!passed) return;
    if (open.length > 1) return void ask(panel, open[1]);
  }
  const experiment = [...element.querySelectorAll("[data-experiment]")].map((each) => each.getAttribute("data-experiment") ?? "").find((run) => lesson.runs[run] !== "done" || !played.has(run));
  if (experiment !== undefined) {
    isRepeated = lesson.runs[experiment] === "done";
    played.add(experiment);
    return void (await panel.act({ action: "run", run: experiment }));
  }
  if (element.querySelector("[data-task]") !== null && !lesson.done.includes(lesson.step) && lesson.goal?.reached !== true) return void (await panel.act({ action: "show" }));
  await panel.next();
}

/** What the presenter was told of a question without an answer. @type {{ question: HTMLElement, step: HTMLElement, words: HTMLElement } | null} */
let noticed = null;

/** Measured questions that nobody has answered: those of this step, and those of earlier steps that a run here waits for. @param {Panel} panel @param {LessonState} lesson */
function openQuestions(panel, lesson) {
  const { element, place } = panel.current;
  const runs = new Set([...element.querySelectorAll("[data-experiment]")].map((each) => each.getAttribute("data-experiment") ?? ""));
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".question[data-question]")]).filter((question) => {
    const { block, question: id = "", run = "" } = question.dataset;
    const state = lesson.questions[id];
    if (block === "quiz" || question.hidden || !state?.open || state.answer !== null) return false;
    // What was just chosen is on its way to the server.
    if (question.querySelector("input[type=radio]:checked") !== null) return false;
    if (element.contains(question)) return run === "" || lesson.runs[run] !== "ready";
    const step = /** @type {HTMLElement} */ (question.closest(".step"));
    return panel.steps.indexOf(step) < place && runs.has(run) && lesson.runs[run] === "locked";
  });
}

/** Says that an answer is needed, and how to give it or do without. @param {Panel} panel @param {HTMLElement} question */
function ask(panel, question) {
  hush(panel, true);
  const many = question.querySelectorAll(".option input").length;
  const isHere = panel.current.element.contains(question);
  const how = !isHere ? "It was asked in an earlier step: go back for it" : many > 0 ? `Press 1 ${many === 2 ? "or" : "to"} ${many} for its answer` : "Enter its answer";
  const says = make("p", { className: "wall-vote" }, `The room has not voted. ${how}, or go on once more without one.`);
  says.setAttribute("role", "status");
  byId("lesson-body").prepend(says);
  says.scrollIntoView({ block: "nearest" });
  noticed = { question, step: panel.current.element, words: says };
}

/** Takes the words away once there is an answer, or another step. @param {Panel} panel @param {boolean} [now] */
function hush(panel, now = false) {
  if (noticed === null) return;
  const answer = panel.page.store.lesson?.questions[noticed.question.dataset.question ?? ""]?.answer ?? null;
  if (!now && answer === null && panel.current.element === noticed.step) return;
  noticed.words.remove();
  noticed = null;
}

// --- notes ------------------------------------------------------------------------------------------

/** @param {Panel} panel */
export async function showNotes(panel) {
  document.body.dataset.notes = "yes";
  const channel = new BroadcastChannel(CHANNEL);
  const clock = make("p", { className: "notes-clock" });
  const host = make("section", { className: "notes", id: "notes" });
  host.setAttribute("aria-label", "Presenter’s notes");
  byId("main").append(host);
  const startedMs = Date.now();
  const tell = () => (clock.textContent = `${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })} · ${Math.floor((Date.now() - startedMs) / 60_000)} min`);
  setInterval(tell, 5000);
  tell();
  /** @type {{ steps: { id: string, title: string, blocks: Note[] }[], language: string | null, english: string[] }} */
  const { steps, language, english } = await (await fetch(`${location.pathname}.json?audience=presenter${panel.language ? `&language=${panel.language}` : ""}`)).json();
  const show = () => {
    const place = Math.max(0, panel.current.place);
    const notes = steps[place].blocks.filter(({ kind }) => kind === "note");
    const next = steps[place + 1];
    host.replaceChildren(
      clock,
      make("h2", {}, `${place + 1} of ${steps.length}: ${steps[place].title}`),
      ...notes.flatMap((note) => noteRows(note, { language: language ?? "", english })),
      ...(notes.length === 0 ? [make("p", { className: "hint" }, "No notes for this step.")] : []),
      make("p", { className: "notes-next" }, next ? `Then: ${next.title}` : "This is the last step."),
      buttons(channel),
    );
  };
  document.addEventListener("lesson:changed", show);
  show();
  listen((turn) => channel.postMessage(turn), panel, { leave: () => close() });
}

/** @param {BroadcastChannel} channel */
function buttons(channel) {
  const make1 = (/** @type {string} */ label, /** @type {string} */ turn) => {
    const press = make("button", { className: "button", type: "button" }, label);
    press.addEventListener("click", () => channel.postMessage(turn));
    return press;
  };
  return make("div", { className: "row" }, make1("← Back", "back"), make1("On →", "on"), make1("Blank", "blank"));
}

/** @param {Note} note @param {{ language: string, english: string[] }} tongue */
function noteRows(note, tongue) {
  const rows = /** @type {[string, string | undefined][]} */ ([["Say", note.say], ["Ask", note.ask], ["Watch for", note.watch_for], ["If few are right", note.if_low], ["If most are right", note.if_high]]);
  const shown = rows.flatMap(([name, text]) => (text === undefined || text === null ? [] : [make("dt", {}, name), inTongue(make("dd", {}, ...beats(text)), tongue.english.includes(text) ? "" : tongue.language)]));
  return [make("dl", {}, ...shown), ...(note.minutes ? [make("p", { className: "hint" }, `${note.minutes} min`)] : [])];
}

/** A note's beats, one to a line. @param {string} text */
function beats(text) {
  return text.split("[beat]").map((part) => part.trim()).filter((part) => part !== "").map((part) => make("p", {}, ...words(part)));
}
