// @ts-check
/**
 * The spotlight: makes chosen operations stand out wherever they are drawn or listed, and lets the
 * rest of the diagram step back. It is one style sheet of a few rules over `data-operation`, so what
 * is drawn later is lit as well, and nobody who draws needs to know.
 */

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

/** @param {string[]} names a selector for any of these values of an attribute; null for no value */
const any = (/** @type {string} */ attribute, /** @type {Iterable<string | number>} */ names) => {
  const values = [...new Set(names)].map(String).filter((name) => /^\w+$/.test(name));
  return values.length === 0 ? null : `:is(${values.map((value) => `[${attribute}="${value}"]`).join()})`;
};

/**
 * Lights operations, with the clients that asked and the nodes that answered. Nothing lit, nothing dimmed.
 * @param {ClusterState | null} state @param {number[]} operations
 * @param {string[]} [messages] single messages to light @param {string[]} [circles] single nodes to light
 */
export function light(state, operations, messages = [], circles = []) {
  const ids = any("data-operation", operations);
  const known = operations.flatMap((id) => state?.operations[id] ?? []);
  const single = [
    ...(any("data-id", messages) === null ? [] : [`.diagram .message${any("data-id", messages)} .pill { stroke: var(--ink); stroke-width: 3; }`]),
    ...(any("data-id", circles) === null ? [] : [`.diagram .node:has(> .grip${any("data-id", circles)}) .body { stroke-width: 7; }`]),
  ];
  if (ids === null) return void sheet.replaceSync(single.join("\n"));
  const clients = any("data-id", known.map(({ client }) => client));
  const nodes = any("data-id", known.flatMap(({ node }) => node ?? []));
  const rules = [
    `.diagram :is(.cell:not(.empty), .discarded, .message):not(${ids}) { opacity: .28; }`,
    `.diagram :is(.cell, .discarded)${ids} { opacity: 1; }`,
    `.diagram :is(.cell, .discarded)${ids} > rect:first-child { stroke-width: 3.5; stroke-dasharray: none; }`,
    `.diagram :is(.cell, .discarded)${ids}:not(.lost) > rect:first-child { stroke: var(--ink); }`,
    `.diagram .cell.lost${ids} > rect:first-child { stroke-dasharray: 5 3; }`,
    `.diagram .message${ids} .pill { stroke: var(--ink); stroke-width: 3; }`,
    `.ledger tbody tr${ids} > :is(th, td) { background: var(--lit); }`,
  ];
  if (clients !== null) {
    rules.push(`.diagram .client:not(:has(> .grip${clients})) { opacity: .4; }`);
    rules.push(`.diagram .client:has(> .grip${clients}) .box { stroke: var(--ink); stroke-width: 3; }`);
  }
  if (nodes !== null) rules.push(`.diagram .node:not(.dead):has(> .grip${nodes}) .body { stroke-width: 7; }`);
  sheet.replaceSync(rules.join("\n"));
}
