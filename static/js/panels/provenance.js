// @ts-check
/**
 * Where an answer came from: a card beside whatever stands for an operation (a client's box, an
 * event, a log cell, a message), shown on hover and on focus and given to screen readers as the
 * description of what has the focus.
 */
import { duration, lackers, operationWords, seconds } from "../store.js";

const SESSION_PROMISES = ["read_your_writes", "monotonic_reads", "monotonic_writes", "writes_follow_reads", "consistent_prefix", "bounded_staleness"];
const SHOW_AFTER_MS = 120;
const HIDE_AFTER_MS = 220;

/** What an operation's answer rests on, sentence by sentence. @param {Operation} operation @param {ClusterState} [state] the run, to say why an answer does not come @returns {string[]} */
export function provenance(operation, state) {
  const { client, kind, key, called_us, returned_us, outcome, node, version, result, staleness, stale, lost_because, attempts } = operation;
  const asked = `Client ${client}, ${operationWords(operation)}, asked at ${seconds(called_us)}${attempts > 1 ? ` (${attempts} tries)` : ""}.`;
  if (outcome === "pending") return [asked, ...awaiting(operation, state)];
  if (outcome === "unknown") return [asked, "No answer came: it may or may not have happened."];
  const at = returned_us === null ? "" : ` at ${seconds(returned_us)}`;
  if (outcome === "failed") return [asked, `Refused${node ? ` by ${node}` : ""}${at}.`];
  if (kind !== "read") return [asked, `${node ?? "The leader"} answered OK${at}.`, ...(lost_because ? [`LOST: ${lost_because}`] : [])];
  const found = result === null ? `nothing stored for ${key}` : `${key} = ${result}`;
  const which = version > 0 ? `, version ${version} (the entry at index ${version})` : ", before any write of it";
  return [asked, `Served by ${node ?? "a node"}${at}: ${found}${which}.`, ...(staleness ? [staleness] : stale === false ? ["Nothing newer had been acknowledged."] : [])];
}

/** Why there is no answer yet, as far as it can be seen. @param {Operation} operation @param {ClusterState} [state] @returns {string[]} */
function awaiting(operation, state) {
  if (state === undefined) return ["No answer yet."];
  const { client, target } = operation;
  if (state.nodes[target]?.state === "dead") {
    const why = state.clients[client]?.knows === target ? `Client ${client} still believes ${target} leads` : `Client ${client} asked ${target}`;
    return [`${why}, but ${target} is dead: no answer will come, and it gives up ${duration(Number(state.settings["operation-timeout"]))} after it asked.`];
  }
  const missing = lackers(state, operation);
  if (missing.length === 0) return ["No answer yet."];
  const rule = { sync: "Sync waits for every follower", quorum: "Quorum waits for a majority", "semi-sync": "Semi-sync waits for some followers" }[String(state.settings.replication)] ?? "";
  return [`No answer yet. ${rule}: ${missing.join(" and ")} ${missing.length === 1 ? "does" : "do"} not hold it.`];
}

/** Starts explaining, once for a page. @param {Page} page */
export function explain(page) {
  started ??= new Provenance(page);
}

/** @type {Provenance | null} */
let started = null;

class Provenance {
  /** @type {Element | null} */
  #subject = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #asked = "";
  /** @type {Map<string, Finding[]>} */
  #findings = new Map();

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.card = Object.assign(document.createElement("div"), { className: "provenance", id: "provenance", hidden: true });
    this.card.setAttribute("role", "tooltip");
    (document.querySelector("main") ?? document.body).append(this.card);
    document.addEventListener("pointerover", (event) => event.pointerType !== "touch" && this.#point(event.target));
    document.addEventListener("focusin", (event) => this.#point(event.target, true));
    document.addEventListener("focusout", () => this.#later(null, HIDE_AFTER_MS));
    document.addEventListener("pointerdown", () => this.#show(null));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#show(null));
    page.store.subscribe(() => this.#subject !== null && this.#write());
    this.#point(document.activeElement, true);
  }

  /** @param {EventTarget | null} target @param {boolean} [isFocus] */
  #point(target, isFocus = false) {
    if (!(target instanceof Element) || this.card.contains(target)) return clearTimeout(this.#timer);
    const subject = target.closest("[data-operation]");
    // The ledger and the evidence say all this themselves.
    const isTold = subject === null || subject.closest(".drawer") !== null || this.#operation(subject) === undefined;
    if (isFocus && !isTold) return this.#show(subject);
    this.#later(isTold ? null : subject, isTold ? HIDE_AFTER_MS : SHOW_AFTER_MS);
  }

  /** @param {Element | null} subject @param {number} afterMs */
  #later(subject, afterMs) {
    clearTimeout(this.#timer);
    // When the pointer leaves, what has the focus is explained again.
    const next = () => subject ?? document.activeElement?.closest("[data-operation]:focus-visible:not(.drawer *)") ?? null;
    this.#timer = setTimeout(() => this.#show(next()), afterMs);
  }

  /** @param {Element} subject */
  #operation(subject) {
    return this.page.store.state?.operations[subject.getAttribute("data-operation") ?? ""];
  }

  /** @param {Element | null} subject */
  #show(subject) {
    clearTimeout(this.#timer);
    if (this.#subject !== subject) this.#subject?.removeAttribute("aria-describedby");
    this.#subject = subject;
    this.card.hidden = subject === null;
    if (subject === null) return;
    if (subject.hasAttribute("tabindex")) subject.setAttribute("aria-describedby", this.card.id);
    this.#write();
    this.#place(subject);
    void this.#askSessions();
  }

  #write() {
    const { state } = this.page.store;
    const operation = this.#subject && this.#operation(this.#subject);
    if (!operation || state === null || !this.#subject?.isConnected) return this.#show(null);
    const lines = [...provenance(operation, state), ...this.#broken(operation.id)];
    const said = lines.join("\n");
    if (this.card.dataset.said === said) return;
    this.card.dataset.said = said;
    this.card.classList.toggle("bad", operation.lost || operation.stale === true);
    this.card.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  }

  /** The session guarantees that an operation broke, each with its sentence. @param {number} id */
  #broken(id) {
    const verdicts = this.page.store.state?.verdicts ?? {};
    return SESSION_PROMISES.flatMap((promise) =>
      (this.#findings.get(promise) ?? []).filter(({ operations }) => operations.includes(id)).map(({ says }) => `✗ ${verdicts[promise]?.title ?? promise}: ${says}`));
  }

  /** Asks for the evidence of what is broken, once for every change of the verdicts. */
  async #askSessions() {
    const { state } = this.page.store;
    const broken = SESSION_PROMISES.filter((promise) => state?.verdicts[promise]?.held === false);
    const asked = `${this.page.store.start.seed} ${broken.map((promise) => promise + state?.verdicts[promise].says).join()}`;
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#findings.clear();
    for (const promise of broken) {
      const answer = await this.page.connection.evidence(promise);
      if (answer.ok) this.#findings.set(promise, answer.findings ?? []);
    }
    if (this.#subject === null) return;
    this.#write();
    if (this.#subject !== null) this.#place(this.#subject);
  }

  /** Below its subject, or above where there is no room; at the far end of a line, whose words it would hide. @param {Element} subject */
  #place(subject) {
    const box = subject.getBoundingClientRect();
    const { width, height } = this.card.getBoundingClientRect();
    const below = box.bottom + 8 + height <= innerHeight ? box.bottom + 8 : Math.max(8, box.top - height - 8);
    if (box.width > 2 * width) {
      this.card.style.left = `${box.right - width - 12}px`;
      this.card.style.top = `${Math.max(8, Math.min(innerHeight - height - 8, box.top - 4))}px`;
      return;
    }
    this.card.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left + Math.min(0, (box.width - width) / 2)))}px`;
    this.card.style.top = `${below}px`;
  }
}
