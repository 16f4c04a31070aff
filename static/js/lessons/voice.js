// @ts-check
/**
 * An answer that is said instead of typed. It is recorded into this page's memory: nothing is sent, nothing is
 * stored, and it is gone with the page or with the next question.
 */
import { make } from "./questions.js";

/** What is said where no recording can be made. @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError: "The microphone was not allowed. Allow it for this page in your browser, or type your answer.",
  NotFoundError: "There is no microphone here. Type your answer, or say it aloud and only score it.",
  NotReadableError: "The microphone is in use by something else. Close that, or type your answer.",
};
const OTHERWISE = "The microphone did not work. Type your answer, or say it aloud and only score it.";
const UNAVAILABLE = "This browser lets this page record nothing. Type your answer, or say it aloud and only score it.";

/** The recording of one answer, with its button and its words. */
export class Voice {
  /** @type {MediaRecorder | null} */
  #recorder = null;
  /** What the recording is heard with. @type {HTMLElement | null} */
  player = null;
  /** @type {Promise<void>} */
  #saved = Promise.resolve();
  #address = "";
  #startedMs = 0;
  #lengthMs = 0;
  #isOver = false;
  #isAsking = false;

  /** @param {(isAsking: boolean) => void} asking told while the browser asks whether the page may listen */
  constructor(asking) {
    this.asking = asking;
    this.button = /** @type {HTMLButtonElement} */ (make("button", { className: "button record", type: "button" }));
    this.button.setAttribute("aria-keyshortcuts", "Alt+R");
    /** Beside the button's name and not in it, which would be read out anew each second. */
    this.time = make("span", { className: "record-time" });
    this.time.setAttribute("aria-hidden", "true");
    this.says = make("p", { className: "hint", textContent: "What you record is not sent and not kept." });
    this.says.setAttribute("role", "status");
    this.button.addEventListener("click", () => void this.turn());
    this.#name("Record your answer");
    addEventListener("pagehide", () => this.discard());
  }

  get isRecording() {
    return this.#recorder !== null;
  }

  /** Starts, or stops. */
  async turn() {
    if (this.#isOver || this.#isAsking) return;
    if (this.isRecording) return void (await this.stop());
    if (!navigator.mediaDevices || typeof MediaRecorder === "undefined") return this.#refuse(UNAVAILABLE);
    this.#isAsking = true;
    this.asking(true);
    this.says.textContent = "Your browser asks whether this page may listen.";
    try {
      this.#begin(await navigator.mediaDevices.getUserMedia({ audio: true }));
    } catch (error) {
      this.#refuse(REFUSALS[error instanceof Error ? error.name : ""] ?? OTHERWISE);
    }
    this.#isAsking = false;
    this.asking(false);
  }

  /** Shows how long it has been. */
  tick() {
    if (this.isRecording) this.time.textContent = clock(performance.now() - this.#startedMs);
  }

  /** Ends the recording, if there is one; from then on what was said can be heard. */
  async stop() {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
    await this.#saved;
  }

  /** No more is recorded; what was, stays. */
  async close() {
    this.#isOver = true;
    this.button.disabled = true;
    await this.stop();
  }

  /** What was said, with the means to hear it; `null` when nothing was. @returns {HTMLElement | null} */
  playback() {
    if (this.#address === "") return null;
    const player = /** @type {HTMLAudioElement} */ (make("audio", { controls: true, src: this.#address }));
    player.setAttribute("aria-label", "Your recorded answer");
    // A recording does not know its own length until its end was once looked for.
    player.addEventListener("loadedmetadata", () => {
      if (player.duration !== Infinity) return;
      player.addEventListener("durationchange", () => (player.currentTime = 0), { once: true });
      player.currentTime = Number.MAX_SAFE_INTEGER;
    });
    this.player = make("figure", { className: "spoken" }, make("figcaption", {}, `What you said, ${clock(this.#lengthMs)}`), player);
    return this.player;
  }

  /** Forgets what was said, and lets the microphone go. */
  discard() {
    if (this.#recorder !== null) release(this.#recorder.stream);
    this.#recorder = null;
    this.#forget();
    this.#name("Record your answer");
  }

  #forget() {
    if (this.#address !== "") URL.revokeObjectURL(this.#address);
    this.#address = "";
    this.player?.remove();
  }

  /** @param {MediaStream} stream */
  #begin(stream) {
    if (this.#isOver) return release(stream);
    this.#forget();
    /** @type {MediaRecorder} */
    let recorder;
    try {
      recorder = new MediaRecorder(stream);
    } catch (error) {
      release(stream);
      throw error;
    }
    /** @type {Blob[]} */
    const pieces = [];
    recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    this.#saved = new Promise((saved) => recorder.addEventListener("stop", () => {
      release(stream);
      if (this.#recorder !== recorder) return saved(); // It was discarded.
      this.#recorder = null;
      this.#lengthMs = performance.now() - this.#startedMs;
      this.#address = URL.createObjectURL(new Blob(pieces, { type: recorder.mimeType }));
      this.#name("Record it again");
      this.says.textContent = `Recorded ${clock(this.#lengthMs)}. You hear it beside the rubric.`;
      saved();
    }));
    this.#recorder = recorder;
    this.#startedMs = performance.now();
    recorder.start();
    this.says.textContent = "Recording.";
    this.#name("Stop recording");
    this.tick();
  }

  /** @param {string} says */
  #refuse(says) {
    this.says.textContent = says;
  }

  /** @param {string} label */
  #name(label) {
    this.button.dataset.recording = String(this.isRecording);
    this.button.replaceChildren(label, " ", this.isRecording ? this.time : make("kbd", { className: "wide-only" }, "Alt R"));
  }
}

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** @param {number} ms */
function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
