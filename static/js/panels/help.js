// @ts-check
/** Help: the keys, the marks on the diagram, and the command language as the server describes it. */

/** @typedef {{ form: string, examples: string[], says: string }} CommandRow */

/** @param {Page} page @param {KeyHelp[]} keys @param {{ get(): boolean, set(isOn: boolean): void }} keysAreOn */
export function openHelp(page, keys, keysAreOn) {
  document.querySelector("dialog.help")?.remove();
  const dialog = document.createElement("dialog");
  dialog.className = "help";
  dialog.setAttribute("aria-labelledby", "help-title");
  const head = make("div", "help-head", make("h2", "", "Help"), closeButton(dialog));
  head.firstElementChild?.setAttribute("id", "help-title");
  const commands = make("div", "help-commands", make("p", "hint", "Fetching the commands…"));
  dialog.append(head, make("div", "help-body", keySection(keys, keysAreOn), diagramSection(), make("section", "", make("h3", "", "Commands"), commands)));
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.showModal();
  void showCommands(page, commands);
}

/** @param {HTMLDialogElement} dialog */
function closeButton(dialog) {
  const button = /** @type {HTMLButtonElement} */ (make("button", "button", "Close"));
  button.type = "button";
  button.addEventListener("click", () => dialog.close());
  return button;
}

/** @param {KeyHelp[]} keys @param {{ get(): boolean, set(isOn: boolean): void }} keysAreOn */
function keySection(keys, keysAreOn) {
  const rows = keys.map(({ keys: names, says }) => make("div", "key-row", make("dt", "", make("kbd", "", names)), make("dd", "", says)));
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = keysAreOn.get();
  box.addEventListener("change", () => keysAreOn.set(box.checked));
  return make("section", "", make("h3", "", "Keys"), make("dl", "keys", ...rows), make("label", "check", box, "Single keys work (Ctrl K always does)"));
}

function diagramSection() {
  const lines = [
    "Click a node, a link, a message or a client, or press Enter on it, for what can be done to it.",
    "The ring around a follower runs out towards an election; every heartbeat fills it again.",
    "A cell of a log is one entry: dashed in memory, solid on disk, ✓ committed, a green bar when it can be read.",
    "“+14” on a message means 14 more entries, “✓137” that a follower has all up to entry 137; “–” in a log is the empty entry of a new leader.",
    "To lose a write that was acknowledged: under Async, cut the leader’s links, write, and kill it. Slow links alone lose nothing: copies that were sent arrive even so.",
    "A speech bubble means that the client was told OK. Red, dashed and named “acked, lost” is a promise broken.",
    "A crown marks a leader, hollow for one that others have replaced; ✗ marks a dead node or message; ‖ a paused node.",
    "Orange is the leader and writes, blue followers and reads, purple an election.",
  ];
  return make("section", "", make("h3", "", "The diagram"), make("ul", "", ...lines.map((line) => make("li", "", line))));
}

/** @param {Page} page @param {HTMLElement} host */
async function showCommands(page, host) {
  try {
    const response = await fetch("/language.json");
    if (!response.ok) throw new Error(response.statusText);
    const { commands } = /** @type {{ commands: CommandRow[] }} */ (await response.json());
    host.replaceChildren(...commands.map(({ form, examples, says }) =>
      make("div", "command-row", make("code", "", form), make("p", "", says), make("p", "examples", ...examples.map((example) => tryButton(page, example))))));
  } catch {
    host.replaceChildren(make("p", "hint", "The list of commands could not be fetched."));
  }
}

/** @param {Page} page @param {string} example */
function tryButton(page, example) {
  const button = /** @type {HTMLButtonElement} */ (make("button", "button example", example));
  button.type = "button";
  button.title = "Send this command";
  button.addEventListener("click", () => void page.send(example));
  return button;
}

/** @param {string} name @param {string} className @param {...(Node | string)} children @returns {HTMLElement} */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
