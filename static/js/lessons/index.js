// @ts-check
/** The lists of lessons, interview questions and challenges: how far this browser's learner is, and what there is to practise. */
import "./theme.js";
import { offerCode } from "./code.js";
import { inTongue, make } from "./questions.js";
import { bestOf, doneOf, due, exported, imported, load, returning } from "./progress.js";

const kind = document.body.dataset.page ?? "lessons";
const find = (/** @type {string} */ id) => document.getElementById(id);

/** @type {HTMLElement[]} */
const entries = [...document.querySelectorAll("[data-entry]")].map((entry) => /** @type {HTMLElement} */ (entry));

function showProgress() {
  const progress = load();
  /** @type {{ at: number, entry: HTMLElement, step: string } | null} */
  let latest = null;
  for (const entry of entries) {
    const { entry: id = "", rev = "1", steps: names = "" } = entry.dataset;
    const steps = names.split(" ");
    const { now, ever } = doneOf(progress, id, steps, Number(rev));
    entry.dataset.state = now === steps.length ? "done" : now > 0 ? "begun" : "";
    const says = entry.querySelector(".entry-progress");
    const drill = kind === "interview" ? progress.drills[id] : undefined;
    const score = drill ? `scored ${drill.score} of ${drill.of}` : "";
    const done = now === steps.length ? "✓ done" : now > 0 ? `${now} of ${steps.length} done` : ever > 0 ? "updated since you did it" : "";
    if (entry.dataset.par !== undefined) showBest(entry, bestOf(progress, id, rev), now > 0);
    else if (says) says.textContent = [done, score].filter(Boolean).join(" · ");
    const stop = entry.querySelector(".stop");
    if (stop && entry.dataset.state === "done") stop.textContent = "✓";
    entry.querySelectorAll(".meter i").forEach((bar, place) => bar.classList.toggle("done", progress.steps[`${id}/${steps[place]}@${rev}`]?.done === true));
    const at = Math.max(0, ...steps.map((step) => progress.steps[`${id}/${step}@${rev}`]?.at ?? 0));
    const open = steps.find((step) => !progress.steps[`${id}/${step}@${rev}`]?.done);
    if (at > (latest?.at ?? 0) && open !== undefined) latest = { at, entry, step: open };
  }
  invite(latest, entries.find((entry) => entry.dataset.state !== "done"));
}

/** What a challenge took; its solution may only have been looked at. @param {HTMLElement} entry @param {number | null} best @param {boolean} isDone */
function showBest(entry, best, isDone) {
  const isImpossible = entry.dataset.par === "";
  const says = entry.querySelector(".entry-progress");
  if (best === null && isDone && !isImpossible) entry.dataset.state = "begun";
  if (says) says.textContent = best !== null ? `✓ your best ${best}` : isDone ? (isImpossible ? "✓ you know why" : "solution seen") : "";
}

/** Where to go on. @param {{ entry: HTMLElement, step: string } | null} latest @param {HTMLElement | undefined} next */
function invite(latest, next) {
  const link = /** @type {HTMLAnchorElement | null} */ (find("continue"));
  const entry = latest?.entry ?? next;
  const to = entry?.querySelector("a");
  if (!link || !entry || !to || (latest === null && entry === entries[0])) return;
  const address = new URL(to.href);
  if (latest) address.searchParams.set("step", latest.step);
  link.href = address.pathname + address.search;
  // In one piece: between the parts of a flexible box a blank would be lost.
  link.replaceChildren(make("span", {}, latest ? "Go on with " : "Next: ", inTongue(make("span", {}, to.textContent ?? ""), to.lang)));
}

// --- the file ---------------------------------------------------------------------------------------

find("export")?.addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([exported()], { type: "application/json" }));
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: "follow-the-leader-progress.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
});

find("import")?.addEventListener("change", async (event) => {
  const field = /** @type {HTMLInputElement} */ (event.target);
  const file = field.files?.[0];
  const says = find("import-says");
  if (!file || !says) return;
  says.textContent = file.size > 1_000_000 ? "This file is too large to be progress. Nothing was changed." : imported(await file.text());
  field.value = "";
  showProgress();
  offerReview();
});

offerCode(() => {
  showProgress();
  offerReview();
});

// --- practice ---------------------------------------------------------------------------------------

/** Shows the review where something has come back, and before that when something will. */
function offerReview() {
  const box = find("review");
  if (!box) return;
  const keys = due(load(), Date.now());
  const next = returning(load(), Date.now());
  box.hidden = keys.length === 0 && next === null;
  const start = find("review-start");
  if (start) start.hidden = keys.length === 0;
  const says = find("review-says");
  if (!says) return;
  const waiting = next === null ? "" : `${next.count} ${next.count === 1 ? "question comes" : "questions come"} back ${["later today", "tomorrow"][next.inDays] ?? `in ${next.inDays} days`}.`;
  says.textContent = keys.length > 0 ? `${keys.length} ${keys.length === 1 ? "question has" : "questions have"} come back to see whether you still know.` : waiting;
}

find("review-start")?.addEventListener("click", () => void import("./review.js").then((module) => module.review(offerReview)));
find("drill-start")?.addEventListener("click", () => void import("./drill.js").then((module) => module.drill(entries.map((entry) => entry.dataset.entry ?? ""), showProgress)));

showProgress();
offerReview();
