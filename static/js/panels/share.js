// @ts-check
/**
 * Sharing: the link to the run, how to put it into another page, the files it can be taken away as, and
 * the way back in from a scenario file.
 */
import { seconds } from "../store.js";

const FILE_BYTES_MAX = 200 * 1024;
const COPIED_MS = 2500;
const NO_ANSWER = "The server did not answer, so nothing was done.";

/** @type {{ name: string, label: string, about: string }[]} files that the server writes */
const FILES = [
  { name: "replay.html", label: "Replay (HTML)", about: "one file that plays this run anywhere, without a network" },
  { name: "scenario.yaml", label: "Scenario (YAML)", about: "the run as a script: open it here, or with python -m server run" },
  { name: "trace.json", label: "Trace (JSON)", about: "every event and the outcome" },
  { name: "shiviz.log", label: "ShiViz log", about: "every event with its vector clock" },
  { name: "sequence.mmd", label: "Sequence diagram (Mermaid)", about: "operations, messages, crashes and elections" },
];

/** @param {Page} page */
export function openShare(page) {
  document.querySelector("dialog.share")?.remove();
  addStyles();
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { className: "share" }));
  dialog.setAttribute("aria-labelledby", "share-title");
  const close = button("Close", () => dialog.close());
  const fault = make("p", { className: "fault", hidden: true });
  fault.setAttribute("role", "alert");
  dialog.append(
    make("div", { className: "share-head" }, make("h2", { id: "share-title", textContent: "Share this run" }), close),
    make("div", { className: "share-body" }, linkSection(page), downloadSection(page, fault), openSection(page, dialog, fault), fault),
  );
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.showModal();
}

/** The dialog is seldom opened: its styles come with it. */
function addStyles() {
  if (document.getElementById("share-styles")) return;
  document.head.append(Object.assign(document.createElement("link"), { id: "share-styles", rel: "stylesheet", href: new URL("../../css/share.css", import.meta.url).href }));
}

// --- the link ------------------------------------------------------------------------------------

/** From the beginning, or at the moment that is shown: who looks at the past means that one. @param {Page} page */
function linkSection(page) {
  const { viewUs, nowUs } = page.store;
  const momentUs = viewUs ?? nowUs;
  const says = make("p", { className: "hint", textContent: "Asking for the link…" });
  const there = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox", checked: viewUs !== null }));
  const choice = make("label", { className: "moment", hidden: true }, there, make("span", { textContent: `Show this moment, ${seconds(momentUs)}` }));
  const address = copyRow("Link to this run");
  const frame = copyRow("HTML of a frame");
  const embed = make("details", { hidden: true }, make("summary", { textContent: "Put it into a page" }), frame.row);
  const section = make("section", {}, make("h3", { textContent: "Link" }), address.row, choice, says, embed, ...lessonFrame());
  const ask = async () => {
    const isThere = there.checked;
    const answer = await page.connection.share(isThere ? Math.round(momentUs) : undefined);
    if (isThere !== there.checked) return;
    const { link } = answer;
    for (const part of [address.row, choice, embed]) part.hidden = !answer.ok || link === undefined;
    if (!answer.ok || link === undefined) {
      says.textContent = answer.error?.says ?? answer.says ?? NO_ANSWER;
      return;
    }
    says.textContent = `${answer.says} ${isThere ? "Opening it shows that moment, standing still; Play goes on from there." : "Opening it begins the run anew."}`;
    address.field.value = `${location.origin}/play?${link}`;
    frame.field.value = `<iframe src="${location.origin}/embed?${link.replaceAll("&", "&amp;")}" width="760" height="620" title="A replication cluster"></iframe>`;
  };
  there.addEventListener("change", () => void ask());
  address.row.hidden = true;
  void ask();
  return section;
}

/** On the page of a lesson: the lesson itself for another page, from the step that is shown. */
function lessonFrame() {
  const lesson = /** @type {HTMLElement | null} */ (document.querySelector("[data-lesson]"))?.dataset.lesson;
  if (lesson === undefined) return [];
  const step = new URLSearchParams(location.search).get("step");
  const title = (document.getElementById("lesson-title")?.textContent ?? "").replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const frame = `<iframe src="${location.origin}/embed/${lesson}${step ? `/${step}` : ""}" width="100%" height="760" title="${title}"></iframe>`;
  return [make("details", {}, make("summary", { textContent: "Put this lesson into a page" }), copyRow("HTML of a frame with the lesson", frame).row)];
}

/** @param {string} name @param {string} text */
function copyRow(name, text = "") {
  const field = /** @type {HTMLInputElement} */ (make("input", { type: "text", readOnly: true, value: text, spellcheck: false }));
  field.setAttribute("aria-label", name);
  field.addEventListener("focus", () => field.select());
  const copy = button("Copy", () => void copyText(field).then((isDone) => {
    copy.textContent = isDone ? "Copied" : "Press Ctrl C";
    setTimeout(() => (copy.textContent = "Copy"), COPIED_MS);
  }));
  copy.classList.add("primary");
  copy.setAttribute("aria-live", "polite");
  return { row: make("div", { className: "row" }, field, copy), field };
}

/** @param {HTMLInputElement} field */
async function copyText(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // Only a secure page has a clipboard; what is selected can be copied everywhere.
    field.select();
    return document.execCommand("copy");
  }
}

// --- files to take away --------------------------------------------------------------------------

/** @param {Page} page @param {HTMLElement} fault */
function downloadSection(page, fault) {
  const list = make("ul", { className: "downloads" });
  const add = (/** @type {string} */ label, /** @type {string} */ about, /** @type {() => Promise<void>} */ save) => {
    const start = button(label, () => {
      if (start.ariaDisabled === "true") return;
      fault.hidden = true;
      start.ariaDisabled = "true"; // Were it disabled, it would lose the focus.
      void save().catch((problem) => tell(fault, problem)).finally(() => (start.ariaDisabled = "false"));
    });
    const words = make("span", { className: "hint", textContent: about, id: `about-${list.childElementCount}` });
    start.setAttribute("aria-describedby", words.id);
    list.append(make("li", {}, start, words));
  };
  add("Picture (PNG)", "the diagram as it is shown, in this theme", async () => offer("diagram.png", await (await import("./snapshot.js")).pngBlob(page)));
  add("Picture (SVG)", "the same, to be scaled and edited", async () => offer("diagram.svg", new Blob([(await import("./snapshot.js")).svgText(page)], { type: "image/svg+xml" })));
  for (const { name, label, about } of FILES) add(label, about, () => download(name));
  return make("section", {}, make("h3", { textContent: "Download" }), list);
}

/** @param {string} name */
async function download(name) {
  const response = await fetch(`/export/${name}?page=${document.body.dataset.page}`).catch(() => null);
  if (response === null) throw new Error(NO_ANSWER);
  if (!response.ok) throw new Error(await refusal(response));
  offer(name, await response.blob());
}

/** Hands a file to the browser's downloads. @param {string} name @param {Blob} blob */
function offer(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = /** @type {HTMLAnchorElement} */ (make("a", { href: address, download: `follow-the-leader-${name}` }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// --- a file to come in ---------------------------------------------------------------------------

/** @param {Page} page @param {HTMLDialogElement} dialog @param {HTMLElement} fault */
function openSection(page, dialog, fault) {
  const input = /** @type {HTMLInputElement} */ (make("input", { type: "file", accept: ".yaml,.yml,text/yaml,application/yaml" }));
  const label = make("label", { className: "field" }, make("span", { textContent: "Scenario file, up to 200 KB" }), input);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file === undefined) return;
    fault.hidden = true;
    void bring(file).then(() => {
      dialog.close();
      page.say(`${file.name} is playing.`, "good");
    }, (problem) => tell(fault, problem)).finally(() => (input.value = ""));
  });
  return make("section", {}, make("h3", { textContent: "Open" }), label, make("p", { className: "hint", textContent: "It begins a new run in place of this one." }));
}

/** @param {File} file */
async function bring(file) {
  if (file.size > FILE_BYTES_MAX) throw new Error(`${file.name} has ${Math.ceil(file.size / 1024).toLocaleString("en")} KB; a scenario file has at most ${FILE_BYTES_MAX / 1024} KB.`);
  const response = await fetch(`/scenario?page=${document.body.dataset.page}`, { method: "POST", body: file, headers: { "Content-Type": "application/yaml" } }).catch(() => null);
  if (response === null) throw new Error(NO_ANSWER);
  const answer = /** @type {Answer | null} */ (await response.json().catch(() => null));
  if (answer === null || !answer.ok) throw new Error(answer?.error?.says ?? NO_ANSWER);
}

// --- parts ---------------------------------------------------------------------------------------

/** The sentence of an answer that is a refusal. @param {Response} response */
async function refusal(response) {
  const answer = /** @type {Answer | null} */ (await response.json().catch(() => null));
  return answer?.error?.says ?? `The server refused this (${response.status}).`;
}

/** @param {HTMLElement} fault @param {unknown} problem */
function tell(fault, problem) {
  fault.textContent = problem instanceof Error ? problem.message : String(problem);
  fault.hidden = false;
  fault.scrollIntoView({ block: "nearest" });
}

/** @param {string} label @param {() => void} run */
function button(label, run) {
  const element = /** @type {HTMLButtonElement} */ (make("button", { type: "button", className: "button", textContent: label }));
  element.addEventListener("click", run);
  return element;
}

/** @param {string} name @param {Record<string, unknown>} properties @param {...(Node | string)} children @returns {HTMLElement} */
function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
