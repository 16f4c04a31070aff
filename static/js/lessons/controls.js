// @ts-check
/** A step may keep controls for later: the page hides them and says so, and the server refuses their commands. */

/** A control or a group of them, and commands of which one must be offered for it to be of use. @type {[string, string[]][]} */
const CONTROLS = [
  ['.group:has(> [data-setting="replication"])', ["set replication quorum"]],
  ['.group:has(> [data-setting="failover"])', ["set failover manual"]],
  ["#write-form", ["write x 1"]],
  ["#reads", ["set reads B"]],
  ["#read-form", ["read x"]],
  ["#cas-form", ["cas x 1 2"]],
  [".setting:has(#write-to)", ["write x 1", "cas x 1 2", "delete x"]],
  [".row:has(> #delete)", ["delete x"]],
  ["#operations details", ["write x 1", "cas x 1 2", "delete x"]],
  ["#operations", ["write x 1", "read x"]],
  [".group:has(> #load)", ["load stop"]],
  [".setting:has(#clock)", ["set clock 80 on A"]],
  [".field:has(> #latency)", ["set latency 100ms"]],
  [".field:has(> #loss)", ["loss all 5%"]],
  ["#heal", ["heal"]],
  [".group:has(#heal)", ["set latency 100ms", "loss all 5%", "heal"]],
  ["#switches", ["set fencing off"]],
  ["#read-rules", ["set session none"]],
  [".group:has(> #switches)", ["set fencing off", "set session none"]],
  [".group:has(> .row > #add-node)", ["add D"]],
  ["#inspector", ["kill A", "pause A", "partition A | B C", "latency A B 1s", "promote B", "switchover B", "remove B", "set clock 80 on A"]],
];

/** Whether a step offers a command: the same rule as the server's. @param {LessonOffers | null} offers @param {string} text */
export function isOffered(offers, text) {
  if (offers === null) return true;
  const words = text.toLowerCase().split(/\s+/);
  const begins = (/** @type {string} */ entry) => entry.toLowerCase().split(/\s+/).every((word, place) => words[place] === word);
  return !offers.lock.some(begins) && (offers.only === null || offers.only.some(begins));
}

/** Hides what a step keeps for later, and says so. @param {LessonOffers | null} offers */
export function hideControls(offers) {
  for (const [selector, commands] of CONTROLS) {
    const isKept = !commands.some((text) => isOffered(offers, text));
    for (const control of document.querySelectorAll(`.side ${selector}`)) control.toggleAttribute("data-kept", isKept);
  }
  const says = document.getElementById("kept-says") ?? Object.assign(document.createElement("p"), { id: "kept-says", className: "hint", textContent: "This step needs no other controls. “Explore freely” brings all of them." });
  says.hidden = offers === null;
  document.querySelector(".side")?.append(says);
}
