// @ts-check
/** The handout: without what would give answers away, or with it; and a button for what the browser does anyway. */
import "./theme.js";

const answers = /** @type {HTMLInputElement | null} */ (document.getElementById("answers"));
answers?.addEventListener("change", () => document.getElementById("main")?.setAttribute("data-answers", answers.checked ? "yes" : "no"));

document.getElementById("print")?.addEventListener("click", () => window.print());
