// @ts-check
/** The handout: a button for what the browser does anyway. */
import "./theme.js";

document.getElementById("print")?.addEventListener("click", () => window.print());
