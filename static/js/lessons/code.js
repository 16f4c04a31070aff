// @ts-check
/** Progress by code: this browser's goes to the server for some days, another device fetches it by what is typed. */
import { imported, isEmpty, load } from "./progress.js";

const NO_ANSWER = "The server did not answer. Nothing was changed.";
const BYTES_MAX = 128 * 1024;
/** @typedef {{ ok: boolean, error?: { says: string }, code?: string, days?: number, progress?: object }} CodeAnswer */

const find = (/** @type {string} */ id) => document.getElementById(id);

/** Makes the button and the form work. @param {() => void} whenAdded */
export function offerCode(whenAdded) {
  const take = /** @type {HTMLButtonElement | null} */ (find("take-code"));
  const form = /** @type {HTMLFormElement | null} */ (find("code-form"));
  const field = /** @type {HTMLInputElement | null} */ (find("code"));
  const says = find("code-says");
  const given = find("code-given");
  if (!take || !form || !field || !says || !given) return;
  take.addEventListener("click", async () => {
    const progress = load();
    const text = JSON.stringify(progress);
    if (isEmpty(progress)) return given.replaceChildren(line("There is no progress yet that a code could carry."));
    if (new Blob([text]).size > BYTES_MAX) return given.replaceChildren(line("This progress is too large for a code. Save it to a file instead."));
    take.disabled = true;
    const answer = await ask("/progress", text);
    take.disabled = false;
    if (!answer.ok || !answer.code) return given.replaceChildren(line(answer.error?.says ?? NO_ANSWER));
    const code = Object.assign(document.createElement("p"), { className: "code" });
    code.textContent = `${answer.code.slice(0, 4)} ${answer.code.slice(4)}`;
    given.replaceChildren(code, line(`Type it on the other device, on this same page. It is good for ${answer.days} days and holds what you have done until now; whoever has it can fetch that.`));
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await ask("/progress/fetch", JSON.stringify({ code: field.value }));
    if (!answer.ok || !answer.progress) {
      says.textContent = answer.error?.says ?? NO_ANSWER;
      return;
    }
    says.textContent = imported(JSON.stringify(answer.progress), "This code");
    field.value = "";
    whenAdded();
  });
}

/** @param {string} text */
const line = (text) => Object.assign(document.createElement("p"), { className: "hint", textContent: text });

/** @param {string} path @param {string} body @returns {Promise<CodeAnswer>} */
async function ask(path, body) {
  try {
    const response = await fetch(path, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    return await response.json();
  } catch {
    return { ok: false };
  }
}
