// @ts-check
/** Points at what a step is about: the rest of the diagram steps back until something happens. */

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

/** @param {Element | null} focus an element that names the targets; null for none */
export function point(focus) {
  const targets = (focus?.getAttribute("data-focus") ?? "").split(" ").filter((target) => /^(node|log|client|link|panel):[\w-]+$/.test(target));
  const named = (/** @type {string} */ kind) => targets.filter((target) => target.startsWith(`${kind}:`)).map((target) => target.slice(kind.length + 1));
  const links = named("link").flatMap((link) => link.split("-"));
  const nodes = new Set([...named("node"), ...named("log"), ...links.filter((end) => /[A-Z]/.test(end))]);
  const clients = new Set([...named("client"), ...links.filter((end) => /\d/.test(end))]);
  const logs = new Set([...named("log"), ...(named("log").length === 0 ? nodes : [])]);
  const rules = [];
  if (focus?.getAttribute("data-dim") === "yes" && nodes.size + clients.size > 0) {
    const fade = "{ opacity: .42; transition: opacity .2s; }";
    if (nodes.size > 0) rules.push(`body:not([data-acting]) .diagram .node${not("> .grip", "data-id", nodes)} ${fade}`, `body:not([data-acting]) .diagram .log${[...logs].map((id) => `:not([data-log="${id}"])`).join("")} ${fade}`);
    if (clients.size > 0) rules.push(`body:not([data-acting]) .diagram .client${not("> .grip", "data-id", clients)} ${fade}`);
  }
  for (const id of named("node")) rules.push(`.diagram .node:has(> .grip[data-id="${id}"]) .body { filter: drop-shadow(0 0 7px var(--candidate)); }`);
  for (const id of named("client")) rules.push(`.diagram .client:has(> .grip[data-id="${id}"]) .box { filter: drop-shadow(0 0 5px var(--candidate)); }`);
  for (const id of named("panel")) rules.push(`#show-${id} { outline: 2px solid var(--candidate); }`);
  delete document.body.dataset.acting;
  sheet.replaceSync(rules.join("\n"));
}

/** A selector for elements that do not have a child with one of these values. @param {string} child @param {string} attribute @param {Set<string>} values */
const not = (child, attribute, values) => [...values].map((value) => `:not(:has(${child}[${attribute}="${value}"]))`).join("");

// Once something happens, played or done by the learner, everything counts.
for (const name of ["lesson:watch", "page:act"]) document.addEventListener(name, () => (document.body.dataset.acting = "yes"));
