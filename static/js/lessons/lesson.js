// @ts-check
/**
 * The lesson beside the cluster. The server knows how far the learner has come and judges everything;
 * this panel shows that, and turns buttons into messages. All steps are in the page from the start.
 */
import { isSure, Panel as Controls } from "../panels/controls.js";
import { learn, keyOf, stepRecord, update } from "./progress.js";
import { make, Question, told, tongue, words } from "./questions.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const button = (/** @type {string} */ id) => /** @type {HTMLButtonElement} */ (document.getElementById(id));
/** In somebody else's page no other page of ours may be gone to. */
const isFramed = document.body.dataset.framed !== undefined;
/** What lets time pass: whoever asks for it wants to see it happen. */
const MOVING = ["again", "open", "next", "run", "show", "refute", "sentence", "restore"];

export class Panel {
  /** @type {LessonState | null} */
  #drawn = null;
  #isAsked = false;
  /** Whether the next change of step comes from this page, so that the focus goes along. */
  #follows = false;
  /** @type {Map<string, Question>} */
  #questions = new Map();
  #step = "";
  /** What the step offers, as it is shown. */
  #offers = "null";
  /** The newest event when a played run was over and stood still, so that its end can be looked at; null while time passes. @type {number | null} */
  #heldAt = null;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.controls = new Controls(page);
    this.root = byId("lesson");
    this.id = this.root.dataset.lesson ?? "";
    this.rev = this.root.dataset.rev ?? "1";
    this.language = this.root.dataset.language || undefined;
    /** @type {HTMLElement[]} */
    this.steps = [...this.root.querySelectorAll(".step")].map((step) => /** @type {HTMLElement} */ (step));
    for (const root of this.root.querySelectorAll("[data-question]")) {
      const question = new Question(/** @type {HTMLElement} */ (root), (request) => this.act(request));
      this.#questions.set(question.id, question);
    }
    this.#listen();
    void this.#addWays();
  }

  /** What only some visits need. */
  async #addWays() {
    const asked = new URLSearchParams(location.search);
    void import("./panes.js").then((module) => module.offerPanes());
    if (isFramed) void import("./framed.js").then((module) => module.tellParent(this.id));
    if (this.root.dataset.kind === "challenge") void import("./challenge.js").then((module) => new module.Challenge(this.page, this.root));
    if (this.root.dataset.kind === "interview") void import("./rubric.js").then((module) => module.offerRubric(this.id));
    if (asked.has("present") || asked.has("notes")) {
      const module = await import("./present.js");
      if (asked.has("notes")) module.showNotes(this);
      else module.present(this);
    }
  }

  #listen() {
    button("go-back").addEventListener("click", () => void this.back());
    button("go-on").addEventListener("click", () => void this.next());
    button("show-me").addEventListener("click", () => void this.act({ action: "show" }));
    button("restore").addEventListener("click", () => void this.act({ action: "restore" }));
    button("explore").addEventListener("click", () => void this.act({ action: "explore" }));
    document.getElementById("again")?.addEventListener("click", () => void this.beginAgain(button("again")));
    button("back-home").addEventListener("click", () => void this.#goHome());
    for (const link of this.root.querySelectorAll("[data-to]")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        void this.open(link.getAttribute("data-to") ?? "");
      });
    }
    for (const each of this.root.querySelectorAll("[data-experiment]")) {
      each.querySelector("button")?.addEventListener("click", () => void this.act({ action: "run", run: each.getAttribute("data-experiment") ?? "" }));
    }
    for (const each of this.root.querySelectorAll("[data-item]")) {
      each.querySelector("button")?.addEventListener("click", () => void this.act({ action: "sentence", item: each.getAttribute("data-item") ?? "" }));
    }
    for (const each of this.root.querySelectorAll(".take-hint")) each.addEventListener("click", () => void this.act({ action: "hint" }));
  }

  // --- what the learner does ----------------------------------------------------------------------

  /** Sends a message; a refusal is shown. @param {LessonRequest} request */
  async act(request) {
    const { page } = this;
    if (page.viewUs !== null) page.seek(null);
    const answer = await page.connection.lesson(request);
    if (!answer.ok) {
      page.say(answer.error?.says ?? "The server refused this.", "bad");
      return false;
    }
    if (MOVING.includes(request.action) && !page.store.isPlaying) page.playback("play");
    if (["run", "show", "refute", "sentence"].includes(request.action)) document.dispatchEvent(new CustomEvent("lesson:watch"));
    return true;
  }

  /** @param {string} step */
  async open(step) {
    if (step === this.#step && this.page.store.lesson?.id === this.id) return;
    this.#follows = true;
    await this.act({ action: "open", lesson: this.id, step, language: this.language });
  }

  async next() {
    if (this.#place + 1 < this.steps.length) {
      this.#follows = true;
      await this.act({ action: "next" });
      return;
    }
    if (isFramed) return;
    const { next, folder } = this.root.dataset;
    location.assign(next ? `/${folder}/${next}${addressOf("")}` : `/${folder}${this.language ? `?language=${this.language}` : ""}`);
  }

  /** Forgets what was answered here and goes back to the first step; it asks first, on the button itself. @param {HTMLElement} press */
  async beginAgain(press) {
    if (!isSure(press, "Forget all answers?")) return;
    if (!(await this.act({ action: "again" }))) return;
    // Nothing of what the page showed before is true of a lesson that was never begun.
    location.assign(addressOf("") || location.pathname);
  }

  async back() {
    const before = this.steps[this.#place - 1];
    if (before) await this.open(before.dataset.step ?? "");
  }

  async #goHome() {
    if (this.page.store.lesson?.id === this.id) await this.act({ action: "restore" });
    else await this.act({ action: "open", lesson: this.id, step: this.#step || undefined, language: this.language });
  }

  /** @returns {number} */
  get #place() {
    return this.steps.findIndex((step) => step.dataset.step === this.#step);
  }

  /** Whether nothing was answered or done in it yet. */
  get isNew() {
    const lesson = this.#drawn;
    return lesson === null || (lesson.done.length === 0 && Object.values(lesson.questions).every(({ answer }) => answer === null));
  }

  /** Which step is shown, from 0, and the element with it. */
  get current() {
    return { place: this.#place, element: this.steps[this.#place] ?? this.steps[0] };
  }

  // --- showing ------------------------------------------------------------------------------------

  change() {
    this.controls.change();
    const { store } = this.page;
    if (store.newest === null) return;
    const lesson = store.lesson?.id === this.id ? store.lesson : null;
    if (!this.#isAsked) this.#arrive(lesson);
    if (lesson === null) return this.#drawAbsence();
    this.#goOn();
    if (lesson === this.#drawn) return;
    if (isOutdated(lesson, this.root)) return;
    const before = this.#drawn;
    this.#drawn = lesson;
    Object.assign(tongue, { language: lesson.language ?? "", english: lesson.english });
    this.#draw(lesson, before);
    this.#hold(lesson, before);
    remember(this.id, this.rev, lesson, before, this.#questions);
    document.dispatchEvent(new CustomEvent("lesson:changed", { detail: lesson }));
  }

  /** What was played stands still at its end, unless there is still something to do. @param {LessonState} lesson @param {LessonState | null} before */
  #hold(lesson, before) {
    if (lesson.playing !== null) this.#heldAt = null;
    const isOver = lesson.playing === null && before !== null && before.playing !== null && before.playing.kind !== "show";
    if (!isOver || lesson.step !== before.step || (lesson.goal !== null && !lesson.goal.reached && lesson.place === null)) return;
    this.#heldAt = this.page.store.sequence;
    this.page.playback("pause");
  }

  /** A command lets time pass again. */
  #goOn() {
    const { store } = this.page;
    const heldAt = this.#heldAt;
    if (heldAt === null || store.sequence <= heldAt) return;
    if (!store.steps.some((step) => step.sequence > heldAt && step.name === "command.accepted")) return;
    this.#heldAt = null;
    if (!store.isPlaying) this.page.playback("play");
  }

  /** @param {LessonState | null} lesson */
  #arrive(lesson) {
    this.#isAsked = true;
    const step = this.root.dataset.step || undefined;
    const isSpoken = (lesson?.language ?? undefined) === this.language;
    if (lesson !== null && isSpoken && (step === undefined || step === lesson.step)) return;
    void this.act({ action: "open", lesson: this.id, step, language: this.language });
  }

  /** The room plays something else: another tab took it, or a new run was begun. */
  #drawAbsence() {
    if (this.#drawn === null) return;
    byId("away").hidden = false;
    byId("away-says").textContent = "This cluster has left the lesson.";
  }

  /** @param {LessonState} lesson @param {LessonState | null} before */
  #draw(lesson, before) {
    if (lesson.step !== this.#step) this.#showStep(lesson.step);
    this.#drawBar(lesson);
    this.#drawPlace(lesson);
    void this.#drawOffers(lesson);
    const { element } = this.current;
    /** @type {HTMLElement | null} */
    let fresh = null;
    for (const [id, question] of this.#questions) {
      const state = lesson.questions[id];
      if (!state || !question.draw(state, lesson)) continue;
      fresh ??= [question.outcome, question.echo].find((shown) => shown !== null && element.contains(shown)) ?? null;
    }
    drawTask(element, lesson);
    this.#drawRuns(lesson);
    drawItems(lesson);
    this.#drawExplains(element, lesson);
    this.#drawPlayed(lesson);
    this.#drawFoot(lesson);
    if (fresh !== null && before !== null) fresh.scrollIntoView({ block: "nearest" });
  }

  /** Controls that the step keeps for later go; those of a step before come back. @param {LessonState} lesson */
  async #drawOffers({ offers }) {
    const asked = JSON.stringify(offers);
    if (asked === this.#offers) return;
    this.#offers = asked;
    const { hideControls, isOffered } = await import("./controls.js");
    if (asked !== this.#offers) return;
    this.page.offers = (text) => isOffered(offers, text);
    hideControls(offers);
    this.controls.redraw();
  }

  /** What explains is shown once its questions are answered; one of an earlier step may have been passed over. @param {HTMLElement} element @param {LessonState} lesson */
  #drawExplains(element, { explains, questions }) {
    for (const each of element.querySelectorAll("[data-explain]")) {
      const explain = /** @type {HTMLElement} */ (each);
      explain.hidden = !explains[Number(explain.dataset.explain)];
      const open = (explain.dataset.after ?? "").split(" ").filter((id) => questions[id]?.result === null);
      const earlier = open.map((id) => this.#questions.get(id)).find((question) => question && !element.contains(question.root));
      const waiting = /** @type {HTMLElement} */ (explain.nextElementSibling);
      waiting.hidden = !explain.hidden || earlier === undefined || open.some((id) => element.contains(this.#questions.get(id)?.root ?? null));
      const link = /** @type {HTMLButtonElement} */ (waiting.querySelector("button"));
      setText(link, earlier?.root.querySelector(".ask")?.textContent ?? "");
      link.onclick = () => void this.open(earlier?.root.closest(".step")?.getAttribute("data-step") ?? "");
    }
  }

  /** @param {string} id */
  #showStep(id) {
    const isFirst = this.#step === "";
    this.#step = id;
    for (const step of this.steps) step.hidden = step.dataset.step !== id;
    byId("lesson-body").scrollTop = 0;
    const value = /** @type {HTMLInputElement | null} */ (document.getElementById("value"));
    if (value) value.value = value.defaultValue; // Another step is another story: it counts from its own beginning.
    history.replaceState(null, "", addressOf(id));
    document.dispatchEvent(new CustomEvent("lesson:step"));
    if (!isFirst && this.#follows) byId(`title-${id}`).focus({ preventScroll: true });
    this.#follows = false;
    update((progress) => {
      const record = stepRecord(progress, keyOf(this.id, id, this.rev));
      record.seen += 1;
      record.at = Date.now();
    });
    const focus = this.current.element.querySelector("[data-focus]");
    void import("./focus.js").then((module) => module.point(focus));
  }

  /** @param {LessonState} lesson */
  #drawBar({ done }) {
    for (const link of this.root.querySelectorAll("[data-to]")) {
      const id = link.getAttribute("data-to") ?? "";
      const isDone = done.includes(id);
      link.className = isDone ? "done" : "";
      if (id === this.#step) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
      link.setAttribute("aria-label", `${link.getAttribute("data-name")}${isDone ? ", done" : ""}`);
    }
  }

  /** @param {LessonState} lesson */
  #drawPlace({ place, playing, stopped }) {
    const says = placeWords(place, playing, this.current.element, (id) => this.#questions.get(id));
    byId("away").hidden = says === "";
    byId("away-says").replaceChildren(...words(says));
    byId("stopped").hidden = stopped === null;
    byId("stopped").textContent = stopped === null ? "" : `It broke off: ${stopped}`;
  }

  /** @param {LessonState} lesson */
  #drawRuns({ runs, playing, goal }) {
    let isNext = true;
    const task = goal !== null && !goal.reached ? this.current.element.querySelector("[data-task]") : null;
    for (const each of this.current.element.querySelectorAll("[data-experiment]")) {
      const run = each.getAttribute("data-experiment") ?? "";
      const state = runs[run];
      const press = /** @type {HTMLButtonElement} */ (each.querySelector("button"));
      turnOff(press, state === "locked" || playing !== null);
      // Only one is to be pressed now: what stands further down is for afterwards.
      const isAfterwards = task !== null && (task.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
      press.classList.toggle("primary", isNext && state !== "done" && !isAfterwards);
      isNext &&= state === "done";
      const note = /** @type {HTMLElement} */ (each.querySelector(".hint"));
      note.textContent = state === "locked" ? "First say what you expect." : state === "playing" ? "Watch the cluster." : state === "done" ? "Done. You may play it once more." : isAfterwards ? "For afterwards: first try it yourself." : "";
    }
  }

  /** The lines of what is played stand below what they belong to. @param {LessonState} lesson */
  #drawPlayed({ playing }) {
    const list = byId("played");
    list.hidden = playing === null;
    if (playing === null) return;
    const id = CSS.escape(playing.id.split(".")[0]);
    const holder = { run: `[data-experiment="${id}"]`, show: `[data-task="${id}"]`, refute: `[data-question="${id}"]`, sentence: `[data-item="${id}"]` }[playing.kind];
    const here = this.current.element;
    const place = here.querySelector(holder) ?? here.querySelector(`[data-echo="${id}"]`) ?? this.root.querySelector(holder);
    const isNew = list.parentElement !== place;
    if (isNew) place?.append(list);
    // What is only checked happens at no time of its own, and is written for authors.
    const lines = playing.lines.filter(({ text }) => !text.startsWith("expect "));
    const rows = lines.map(({ text, done }, position) => {
      const isNext = !done && (position === 0 || lines[position - 1].done);
      return make("li", { className: done ? "done" : isNext ? "next" : "" }, make("span", {}, done ? "✓" : isNext ? "▸" : "·"), make("code", {}, text));
    });
    list.replaceChildren(...rows);
    const next = /** @type {HTMLElement | null} */ (list.querySelector(".next"));
    if (next) list.scrollTop = next.offsetTop - 60;
    if (isNew) list.scrollIntoView({ block: "nearest" });
  }

  /** @param {LessonState} lesson */
  #drawFoot(lesson) {
    const { place, element } = this.current;
    const isLast = place === this.steps.length - 1;
    const isDone = lesson.done.includes(this.#step);
    button("go-back").disabled = place <= 0;
    const hasTask = lesson.goal !== null || element.querySelector("[data-task]") !== null;
    button("show-me").hidden = !hasTask || lesson.challenge?.par === null;
    turnOff(button("show-me"), lesson.playing?.kind === "show");
    const go = button("go-on");
    const words = isLast ? (this.root.dataset.next ? `Next ${{ lesson: "lesson", interview: "question", challenge: "challenge" }[lesson.kind]} →` : "Finish") : "Next →";
    go.hidden = isFramed && isLast;
    go.textContent = isDone || isLast ? words : "Skip →";
    go.classList.toggle("primary", isDone);
    const isAgain = lesson.challenge !== null && lesson.challenge.par !== null && lesson.goal?.reached !== true;
    const isOver = isLast && !isAgain && this.steps.every((step) => lesson.done.includes(step.dataset.step ?? ""));
    if (isOver && lesson.kind !== "challenge" && byId("finish").hidden) requestAnimationFrame(() => byId("finish").scrollIntoView({ block: "nearest" }));
    byId("finish").hidden = !isOver;
    button("explore").hidden = lesson.place === "explore";
    button("explore").disabled = lesson.playing !== null;
    const again = document.getElementById("again");
    if (again) again.hidden = this.isNew;
  }
}

/** The address of a step of this page; of its beginning, with what the visit keeps, for none. @param {string} step */
function addressOf(step) {
  const asked = new URLSearchParams(location.search);
  asked.set("step", step);
  if (step === "") for (const name of ["step", "notes"]) asked.delete(name);
  return asked.size === 0 ? "" : `?${asked.toString().replace(/(present|notes)=(?=&|$)/, "$1")}`;
}

/** Whether the file has changed since this page was made; then the page is loaded anew, once. @param {LessonState} lesson @param {HTMLElement} root */
function isOutdated({ revision, language }, root) {
  // Another tab may have the same lesson in another language.
  if (revision === root.dataset.revision || (language ?? "") !== root.dataset.language) return false;
  try {
    if (sessionStorage.getItem("reloaded-for") === revision) return false;
    sessionStorage.setItem("reloaded-for", revision);
  } catch {
    return false; // In a frame of another site there may be no storage.
  }
  location.reload();
  return true;
}

/** What to say of a cluster that is not the step's own; nothing while it is. @param {string | null} place @param {LessonPlaying | null} playing @param {HTMLElement} step @param {(id: string) => Question | undefined} question */
function placeWords(place, playing, step, question) {
  if (place === "explore") return "You are exploring: everything is allowed, nothing is judged.";
  if (place?.startsWith("show:")) {
    const [id, option] = place.slice(5).split(".");
    const text = question(id)?.options.find((each) => each.dataset.option === option)?.querySelector(".text")?.textContent ?? "";
    return playing === null ? `This is what speaks against “${text}”.` : `Watch what speaks against “${text}”.`;
  }
  if (place?.startsWith("run:") && playing === null && step.querySelector("[data-task]")) return "This is the cluster of the experiment.";
  return "";
}

/** @param {HTMLElement} step @param {LessonState} lesson */
function drawTask(step, { goal, nudge, hints, hints_left: left, playing, place, done, challenge, step: id }) {
  const task = step.querySelector("[data-task]");
  if (task === null) return;
  // A challenge is begun anew each time: what was reached before does not count now.
  const isDone = (challenge === null && done.includes(id)) || goal?.reached === true;
  setText(task.querySelector(".tally"), goal === null ? (isDone ? "done" : "") : isDone ? `${goal.of} of ${goal.of} done` : `${goal.held} of ${goal.of} done`);
  for (const row of task.querySelectorAll("[data-clause]")) {
    const clause = goal?.clauses.find((each) => each.id === row.getAttribute("data-clause"));
    const isHeld = isDone || clause?.held === true;
    // What must not be broken is no merit yet while the rest is to be done.
    const isKept = isHeld && clause?.keeps === true && !isDone && goal?.reached !== true;
    row.className = isKept ? "kept" : isHeld ? "held" : clause?.broken ? "broken" : "";
    setText(row.querySelector(".tick"), isHeld ? "✓" : clause?.broken ? "✗" : "");
    setText(row.querySelector(".state"), isKept ? "so far" : isHeld ? "done" : clause?.broken ? "no longer possible: restore the scene" : "not yet");
  }
  const note = /** @type {HTMLElement} */ (task.querySelector(".task-note"));
  const isBroken = !isDone && goal?.clauses.some((each) => each.broken);
  const says = isDone && (challenge ?? goal)?.shown ? "Done, by the worked solution. Restore the scene to do it yourself." : goal?.late && !isDone ? "Too late: the time for this is over. Restore the scene." : isBroken ? "This can no longer be reached here. Restore the scene." : place !== null && goal === null && playing === null && !isDone ? "Go back to the lesson to be judged." : "";
  note.hidden = says === "";
  setText(note, says);
  const box = /** @type {HTMLElement} */ (task.querySelector(".nudge"));
  box.hidden = nudge === null || isDone;
  if (box.dataset.says !== (nudge?.says ?? "")) {
    box.dataset.says = nudge?.says ?? "";
    told(box, nudge?.says ?? "");
  }
  const list = /** @type {HTMLElement} */ (task.querySelector(".hints"));
  while (list.childElementCount < hints.length) list.append(told(make("li"), hints[list.childElementCount]));
  while (list.childElementCount > hints.length) list.lastElementChild?.remove();
  const more = /** @type {HTMLElement} */ (task.querySelector(".take-hint"));
  more.hidden = left === 0 || isDone;
  setText(more, `${hints.length === 0 ? "Hint" : "Another hint"} (${left} left)`);
}

/** @param {LessonState} lesson */
function drawItems({ items, playing }) {
  for (const row of document.querySelectorAll("[data-item]")) {
    const held = items[row.getAttribute("data-item") ?? ""];
    const isPlaying = playing?.kind === "sentence" && playing.id === row.getAttribute("data-item");
    row.className = isPlaying ? "playing" : held === true ? "held" : held === false ? "broken" : "";
    setText(row.querySelector(".held"), isPlaying ? "playing…" : held === true ? "✓ measured: it happened" : held === false ? "✗ it went another way" : "");
    turnOff(/** @type {HTMLButtonElement} */ (row.querySelector("button")), playing !== null);
  }
}

/** Shows that a button is of no use now. It keeps the focus, and who presses it all the same is told why. @param {HTMLButtonElement} press @param {boolean} isOff */
function turnOff(press, isOff) {
  press.setAttribute("aria-disabled", String(isOff));
}

/** @param {Element | null} element @param {string} text */
function setText(element, text) {
  if (element !== null && element.textContent !== text) element.textContent = text;
}

let remembered = "";

/** Notes what is new in this browser's progress. @param {string} id @param {string} rev @param {LessonState} lesson @param {LessonState | null} before @param {Map<string, Question>} questions */
function remember(id, rev, lesson, before, questions) {
  const news = JSON.stringify([lesson.done, lesson.step, lesson.hints.length, lesson.questions]);
  if (news === remembered) return;
  remembered = news;
  const nowMs = Date.now();
  update((progress) => {
    for (const step of lesson.done) {
      const record = stepRecord(progress, keyOf(id, step, rev));
      if (!record.done) Object.assign(record, { done: true, at: nowMs });
    }
    const here = stepRecord(progress, keyOf(id, lesson.step, rev));
    here.hints = Math.max(here.hints, lesson.hints.length);
    for (const [name, question] of questions) {
      const state = lesson.questions[name];
      if (!state || state.answer === null) continue;
      const key = keyOf(id, question.root.closest(".step")?.getAttribute("data-step") ?? lesson.step, rev);
      const record = stepRecord(progress, key);
      if (question.block === "predict") record.prediction ??= JSON.stringify(state.answer);
      const isOther = JSON.stringify(state) !== JSON.stringify(before?.questions[name]);
      if (before !== null && isOther && state.result?.right === false) record.tries += 1;
      if (question.block === "quiz" && state.result?.right) {
        const whys = Object.entries(state.result.options).map(([option, { why }]) => [option, why ?? ""]);
        learn(progress, `${key}#${name}`, state.result.correct[0], Object.fromEntries(whys), nowMs);
      }
    }
  });
}
