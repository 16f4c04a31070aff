// @ts-check
/**
 * The run told in time: the transport bar, the sentence of the moment and the verdicts on what the
 * cluster promises.
 */
import { firstAfter, seconds } from "../store.js";

const SPOKEN_EVERY_MS = 3000;
const TIME_EVERY_MS = 90;
/** Always shown; the others when broken or asked for. */
const MAIN_VERDICTS = ["durable", "linearizable", "one_leader_per_term", "available"];
/** Below this width, in CSS pixels, the row of verdicts may be wider than the window. */
const NARROW = 620;
/** How long a sentence is kept from lighter ones, by its weight. */
const READING_MS = [0, 700, 3500, 5000, 5000];
/** Where these bring bad news, a promise broke. */
const BREAKING = ["leader.started", "operation.ended", "commit.advanced", "entry.appended", "entry.applied", "entry.received"];
/** A client that got no answer and says no more than that: news of the past, which must not displace a loss. */
const GIVEN_UP = / gives up on .*happened\.$/;
/** Bad news of which there is much, and which is soon made good. */
const COMMON = ["message.dropped", "operation.retried"];

/** Acknowledged writes are gone. What else breaks with that is told after it. */
const LOST = /acknowledged writes? (is|are) lost/;

/**
 * Losses weigh most, then other broken promises, then crashes and who leads, then votes and what went well, then the
 * rest. @param {Telling} telling
 */
function weight({ name, tone, text }) {
  if (name === "operation.ended" && GIVEN_UP.test(text)) return 1;
  if (tone === "bad" && BREAKING.includes(name)) return LOST.test(text) ? 4 : 3;
  if (name === "leader.started" || (tone === "bad" && !COMMON.includes(name))) return 2;
  return tone === "info" || tone === null ? 0 : 1;
}

/** A sentence of so many characters fits its box anywhere. */
const SHORT_CHARACTERS = 70;
/** Switches that the label of a modified run names. */
const NAMED_MAX = 3;
const PLAY_SIGN = "M2,0.5L11,6L2,11.5z";
const PAUSE_SIGN = "M2,0.5h3v11h-3zM7.5,0.5h3v11h-3z";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Story {
  #newest = -2;
  #run = -1;
  /** The event that the sentence shown is about. */
  #told = -1;
  #timeAtMs = 0;
  #spokenAtMs = -SPOKEN_EVERY_MS;
  #spoken = -2;
  /** What is to be spoken next. @type {Telling | undefined} */
  #due;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;
  #allVerdicts = false;
  /** What the row of verdicts was last fitted to. */
  #fitted = "";
  /** @type {Record<string, Verdict> | null} */
  #verdicts = null;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    byId("play").addEventListener("click", () => (page.isPlaying ? page.pause() : page.play()));
    byId("step").addEventListener("click", () => page.stepBy(1));
    byId("step-back").addEventListener("click", () => page.stepBy(-1));
    const speed = /** @type {HTMLSelectElement} */ (byId("speed"));
    speed.addEventListener("change", () => page.playback("speed", Number(speed.value)));
    byId("show-table").addEventListener("click", () => page.open("table"));
    byId("narration-why").addEventListener("click", () => page.why(this.#told));
    document.getElementById("show-ledger")?.addEventListener("click", () => page.open("ledger"));
  }

  /** After every change of the run. */
  change() {
    const { store, isPlaying } = this.page;
    setText(byId("play-words"), isPlaying ? "Pause" : "Play");
    byId("play").setAttribute("aria-label", isPlaying ? "Pause playback" : "Play");
    byId("play-sign").setAttribute("d", isPlaying ? PAUSE_SIGN : PLAY_SIGN);
    this.#showSpeed(store.speed);
    setText(byId("count"), `${(store.sequence + 1).toLocaleString("en")} events`);
    setText(byId("seed"), `seed ${store.start.seed}`);
    if (store.run !== this.#run) this.#forget();
    // While the run plays, the clock says what is due: see `tick`.
    if (store.viewUs !== null || !isPlaying || store.tellings.length === 0) {
      setText(byId("time"), seconds(store.shownUs));
      this.#tell(store.tellings, store.shownUs);
    }
    if (store.state) showModified(store.state.run.modified);
    if (store.state && store.state.verdicts !== this.#verdicts) this.#drawVerdicts(store.state.verdicts);
  }

  /** Every frame. @param {number} timeUs @param {number} atMs */
  tick(timeUs, atMs) {
    if (this.page.isPlaying && atMs - this.#timeAtMs < TIME_EVERY_MS) return;
    this.#timeAtMs = atMs;
    setText(byId("time"), seconds(timeUs));
    const { tellings } = this.page.store;
    // Frames come ahead of the time that is shown: nothing is told before that has come to it.
    if (tellings.length > 0) this.#tell(tellings, timeUs);
    this.#speak(tellings[firstAfter(tellings, timeUs) - 1], atMs);
  }

  /** @param {number} speed */
  #showSpeed(speed) {
    const select = /** @type {HTMLSelectElement} */ (byId("speed"));
    const value = String(speed);
    if (select.value === value) return;
    if (![...select.options].some((option) => option.value === value)) select.add(new Option(`${value}×`, value));
    select.value = value;
  }

  // --- the sentence of the moment ----------------------------------------------------------------

  /** Another run, or another branch: nothing that was told of the last one holds. */
  #forget() {
    this.#run = this.page.store.run;
    this.#newest = -2;
    this.#readUntilMs = 0;
    this.#spoken = -2;
    this.#spokenAtMs = -SPOKEN_EVERY_MS;
    setText(byId("spoken"), "");
  }

  /** @param {Telling[]} tellings oldest first @param {number} untilUs the time that is shown */
  #tell(tellings, untilUs) {
    const end = firstAfter(tellings, untilUs);
    let telling = tellings[end - 1];
    if (telling === undefined) {
      setText(byId("narration-time"), "");
      setText(byId("narration-before"), "");
      byId("narration").dataset.tone = "info";
      byId("narration-why").hidden = true;
      if (this.#newest !== -1) setText(byId("narration-text"), "Nothing has happened yet.");
      this.#newest = -1;
      return;
    }
    if (telling.sequence === this.#newest) return;
    const latest = telling;
    // Whoever goes to a moment reads of that moment, and at once.
    const isOther = latest.sequence < this.#newest || this.#newest < 0;
    const isChosen = isOther || !this.page.isPlaying;
    let first = end - 1;
    if (this.page.viewUs !== null && isChosen) while (first > 0 && tellings[first - 1].at_us === latest.at_us) first--;
    if (isOther || (this.page.viewUs !== null && isChosen)) this.#newest = tellings[first].sequence - 1;
    // Of what came at once, however much, the weightiest is told; and it stays long enough to be read.
    for (let place = end - 1; place >= 0 && tellings[place].sequence > this.#newest; place--) {
      if (weight(tellings[place]) > weight(telling)) telling = tellings[place];
    }
    const nowMs = performance.now();
    if (!isChosen && nowMs < this.#readUntilMs && weight(telling) < this.#weight && this.#newest !== -1) return;
    this.#newest = latest.sequence;
    this.#weight = weight(telling);
    this.#readUntilMs = nowMs + READING_MS[this.#weight];
    byId("narration").dataset.tone = telling.tone ?? "info";
    setText(byId("narration-time"), `${seconds(telling.at_us)} —`);
    const before = tellings[tellings.indexOf(telling) - 1];
    setText(byId("narration-before"), before ? `${seconds(before.at_us)} — ${before.text}` : "");
    this.#told = telling.sequence;
    byId("narration-why").hidden = false;
    byId("narration-text").replaceChildren(...marked(telling.text));
    fit(byId("narration"), telling.text);
  }

  /** How much the sentence that is shown weighs, and until when lighter ones wait. */
  #weight = 0;
  #readUntilMs = 0;

  /** Speaks the newest sentence now and then: a screen reader cannot follow every one. @param {Telling | undefined} telling @param {number} atMs */
  #speak(telling, atMs) {
    this.#due = telling;
    if (telling === undefined || telling.sequence === this.#spoken) return;
    const waitMs = this.#spokenAtMs + SPOKEN_EVERY_MS - atMs;
    if (waitMs > 0) {
      // Where time stands still nobody asks again.
      if (!this.page.isPlaying) this.#later ??= setTimeout(() => {
        this.#later = undefined;
        this.#speak(this.#due, performance.now());
      }, waitMs);
      return;
    }
    this.#spoken = telling.sequence;
    this.#spokenAtMs = atMs;
    setText(byId("spoken"), `${seconds(telling.at_us, 1)}: ${telling.text}`);
  }

  // --- verdicts ----------------------------------------------------------------------------------

  /** @param {Record<string, Verdict>} verdicts */
  #drawVerdicts(verdicts) {
    this.#verdicts = verdicts;
    const host = byId("verdicts");
    const keys = Object.keys(verdicts).sort((a, b) => rank(a) - rank(b));
    const shown = keys.filter((key) => this.#allVerdicts || MAIN_VERDICTS.includes(key) || verdicts[key].held === false);
    const chips = [...host.querySelectorAll("button[data-verdict]")];
    if (chips.map((chip) => chip.getAttribute("data-verdict")).join() !== shown.join()) {
      host.replaceChildren(...shown.map((key) => this.#makeChip(key)));
      if (shown.length < keys.length || this.#allVerdicts) host.append(this.#makeMore());
    }
    for (const chip of host.querySelectorAll("button[data-verdict]")) drawChip(chip, verdicts[chip.getAttribute("data-verdict") ?? ""]);
    this.#fitVerdicts(host, verdicts);
  }

  /**
   * Chips that do not fit in their row lose their words; if need be those that hold go behind the last one, and
   * then of those that are broken as many as must, the main ones last.
   * @param {HTMLElement} host @param {Record<string, Verdict>} verdicts
   */
  #fitVerdicts(host, verdicts) {
    const fitted = `${innerWidth} ${this.#allVerdicts} ${JSON.stringify(verdicts)}`;
    if (fitted === this.#fitted) return;
    this.#fitted = fitted;
    host.classList.remove("short", "terse");
    const chips = [...host.querySelectorAll("[data-verdict]")];
    for (const chip of chips) chip.removeAttribute("data-behind");
    host.classList.toggle("all", this.#allVerdicts);
    this.#nameMore(host, verdicts);
    if (this.#allVerdicts || innerWidth < NARROW) return; // A phone scrolls the row.
    const hide = [...["short", "terse"].map((name) => () => host.classList.add(name)), ...chips.reverse().map((chip) => () => chip.setAttribute("data-behind", ""))];
    for (const next of hide) {
      if (host.scrollWidth <= host.clientWidth) return;
      next();
      this.#nameMore(host, verdicts);
    }
  }

  /** Says on the last chip how many are behind it. @param {HTMLElement} host @param {Record<string, Verdict>} verdicts */
  #nameMore(host, verdicts) {
    const more = host.querySelector(".more");
    if (more === null || this.#allVerdicts) return;
    const shown = [...host.querySelectorAll("[data-verdict]")].filter((chip) => chip.checkVisibility()).map((chip) => chip.getAttribute("data-verdict"));
    const hidden = Object.keys(verdicts).filter((key) => !shown.includes(key));
    const broken = hidden.filter((key) => verdicts[key].held === false).length;
    setText(more, `+${hidden.length} more${broken > 0 ? " ✗" : ""}`);
    more.setAttribute("aria-label", `Show ${hidden.length} more guarantees${broken > 0 ? `, ${broken} of them broken` : ""}`);
  }

  /** @param {string} key */
  #makeChip(key) {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.dataset.verdict = key;
    chip.append(document.createElement("b"), " ", document.createElement("span"));
    chip.setAttribute("aria-expanded", "false");
    chip.addEventListener("click", () => this.page.judge(key));
    return chip;
  }

  #makeMore() {
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.setAttribute("aria-expanded", String(this.#allVerdicts));
    setText(more, "fewer");
    more.setAttribute("aria-label", "Show fewer guarantees");
    more.addEventListener("click", () => {
      this.#allVerdicts = !this.#allVerdicts;
      byId("verdicts").replaceChildren();
      if (this.#verdicts) this.#drawVerdicts(this.#verdicts);
      /** @type {HTMLElement | null} */ (byId("verdicts").querySelector(".more"))?.focus();
    });
    return more;
  }
}

/** Says on every page that the run is not a sound one. @param {string[]} modified the safety switches that are off */
function showModified(modified) {
  const badge = document.getElementById("modified");
  if (badge === null) return;
  badge.hidden = modified.length === 0;
  const named = modified.slice(0, modified.length > NAMED_MAX ? NAMED_MAX - 1 : NAMED_MAX);
  const more = modified.length - named.length;
  setText(badge, `⚠ Modified: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""} off`);
}

/** @param {string} key */
function rank(key) {
  const place = MAIN_VERDICTS.indexOf(key);
  return place < 0 ? MAIN_VERDICTS.length : place;
}

/** @param {Element} chip @param {Verdict} verdict */
function drawChip(chip, { held, title, says, brief }) {
  const isMain = MAIN_VERDICTS.includes(chip.getAttribute("data-verdict") ?? "");
  chip.className = `${held === null ? "open" : held ? "held" : "broken"}${isMain ? "" : " extra"}`;
  setText(/** @type {Element} */ (chip.firstElementChild), `${held === null ? "–" : held ? "✓" : "✗"} ${title}`);
  setText(/** @type {Element} */ (chip.lastElementChild), held === false ? brief : "");
  chip.setAttribute("aria-label", `${title}${held === false ? ` ${brief}. ${says}` : ""}: ${held === null ? "not judged yet" : held ? "holds" : "broken"}`);
}

/** A sentence with what stands in a log (`x=3`) set as code. @param {string} text @returns {(Node | string)[]} */
export function marked(text) {
  return text.split(/(\b\w{1,16}=[^\s,;:.]+)/).map((part, position) => {
    if (position % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

/** A sentence too long for its box is set smaller. Looking costs a layout, so short ones are not looked at. @param {HTMLElement} box @param {string} text */
function fit(box, text) {
  box.classList.remove("long");
  if (text.length > SHORT_CHARACTERS) box.classList.toggle("long", box.scrollHeight > box.clientHeight + 1);
}

/** @param {Element} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
