// @ts-check
/** The handout: without what would give answers away, or with it; and a button for what the browser does anyway. */
import "./theme.js";

const sheet = /** @type {HTMLElement} */ (document.getElementById("main"));
const answers = /** @type {HTMLInputElement | null} */ (document.getElementById("answers"));
const says = document.getElementById("answers-says");
let isThere = sheet.dataset.answers === "yes";

/** Asks the server to play the experiments, and puts each step with what was measured in its place. */
async function fetchAnswers() {
  const address = new URL(location.href);
  address.searchParams.set("answers", "");
  const response = await fetch(address);
  if (!response.ok) throw new Error(response.statusText);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const steps = page.querySelectorAll(".sheet-step");
  sheet.querySelectorAll(".sheet-step").forEach((step, place) => steps[place] && step.replaceWith(steps[place]));
  isThere = true;
}

answers?.addEventListener("change", async () => {
  let told = "";
  if (answers.checked && !isThere) {
    if (says) says.textContent = "The experiments are being played …";
    await fetchAnswers().catch(() => { told = "What they measure could not be fetched. Try again."; });
  }
  if (says) says.textContent = told;
  sheet.dataset.answers = answers.checked ? "yes" : "no";
});

document.getElementById("print")?.addEventListener("click", () => window.print());
