// @ts-check
/**
 * The diagram as a picture of its own: one SVG in which every colour and letter is written out, so that
 * it needs no style sheet, in the theme that is shown; and the same as PNG.
 */
import { seconds } from "../store.js";

const SVG = "http://www.w3.org/2000/svg";
/** What a style sheet can say of a shape, and what holds when nobody says anything. @type {Record<string, string>} */
const DEFAULTS = {
  "fill": "rgb(0, 0, 0)", "fill-opacity": "1", "stroke": "none", "stroke-width": "1px", "stroke-opacity": "1",
  "stroke-dasharray": "none", "stroke-linecap": "butt", "stroke-linejoin": "miter", "opacity": "1", "paint-order": "normal",
  "font-family": "", "font-size": "", "font-weight": "400", "text-anchor": "start", "text-decoration-line": "none",
};
/** Those that an element does not hand down. */
const OWN = ["opacity", "text-decoration-line"];
/** Kept of an element's own attributes: what says where and how large it is. */
const GEOMETRY = /^(d|x|y|x1|x2|y1|y2|cx|cy|r|rx|ry|width|height|transform|viewBox|points|dx|dy|id|pathLength|orient|ref[XY]|marker.*|pattern.*|opacity|stroke-dasharray|font-size)$/;
/** Only there to be hit by a pointer. */
const UNSEEN = ".grip, .hit, .spot, .handle";
const PNG_SCALE = 2;
const CAPTION_HEIGHT = 64;

/** @param {Page} page @returns {SVGElement} */
export function drawing(page) {
  const layers = /** @type {SVGSVGElement[]} */ ([...document.querySelectorAll("#diagram > svg")]);
  const { width, height } = layers[0].viewBox.baseVal;
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const root = make("svg", { xmlns: SVG, width, height: height + CAPTION_HEIGHT, viewBox: `0 0 ${width} ${height + CAPTION_HEIGHT}` });
  const [sentence, origin] = captions(page);
  root.append(Object.assign(make("title", {}), { textContent: `A replication cluster at ${seconds(page.shownUs())}` }));
  root.append(Object.assign(make("desc", {}), { textContent: `${sentence} ${origin}` }));
  root.append(make("rect", { width, height: height + CAPTION_HEIGHT, fill: colour("--paper") }));
  for (const layer of layers) {
    const own = getComputedStyle(layer);
    const group = make("g", Object.fromEntries(["font-family", "font-size", "font-weight"].map((name) => [name, own.getPropertyValue(name)])));
    for (const child of layer.children) group.append(...copied(child, own));
    root.append(group);
  }
  const text = (/** @type {string} */ words, /** @type {number} */ y, /** @type {number} */ size, /** @type {string} */ fill) =>
    Object.assign(make("text", { x: 16, y, fill, "font-size": size, "font-family": getComputedStyle(document.body).fontFamily }), { textContent: fitted(words, width - 32, size) });
  root.append(make("rect", { y: height, width, height: 1, fill: colour("--line") }));
  root.append(text(sentence, height + 26, 14, colour("--ink")), text(origin, height + 48, 12, colour("--ink-2")));
  return root;
}

/** What happened last, and where the picture is from. @param {Page} page @returns {[string, string]} */
function captions(page) {
  const { store } = page;
  const { run } = /** @type {ClusterState} */ (page.shownState());
  const told = store.tellings.at(-1);
  const modified = run.modified.length > 0 ? ` · Modified: ${run.modified.join(", ")} off` : "";
  return [told === undefined ? seconds(page.shownUs()) : `${seconds(told.at_us)} — ${told.text}`, `Follow the Leader · ${run.system} · seed ${run.seed} · ${seconds(page.shownUs())}${modified}`];
}

/** As much of a text as fits a width. @param {string} words @param {number} width @param {number} size */
function fitted(words, width, size) {
  const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  context.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  if (context.measureText(words).width <= width) return words;
  let kept = words;
  while (kept !== "" && context.measureText(`${kept}…`).width > width) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}…`;
}

/** An element with what its style sheets say of it written out; nothing when it is not seen. @param {Element} element @param {CSSStyleDeclaration} above @returns {Node[]} */
function copied(element, above) {
  const style = getComputedStyle(element);
  const isDefinition = element.closest("defs") !== null;
  if (!isDefinition && (style.display === "none" || style.visibility === "hidden" || element.matches(UNSEEN))) return [];
  const copy = document.createElementNS(SVG, element.localName);
  for (const { name, value } of element.attributes) if (GEOMETRY.test(name)) copy.setAttribute(name, value);
  for (const [name, plain] of Object.entries(DEFAULTS)) {
    const value = style.getPropertyValue(name);
    const inherited = OWN.includes(name) ? plain : above.getPropertyValue(name);
    if (value !== inherited) paint(copy, name, value);
  }
  for (const name of ["marker-start", "marker-end"]) {
    const value = style.getPropertyValue(name);
    if (value !== "none" && value !== "") copy.setAttribute(name, value.replaceAll('"', ""));
  }
  for (const child of element.childNodes) {
    if (child instanceof Element) copy.append(...copied(child, style));
    else if (child instanceof Text) copy.append(child.data);
  }
  return [copy];
}

/** Sets one property as an attribute, in words that every viewer knows. @param {Element} copy @param {string} name @param {string} value */
function paint(copy, name, value) {
  const clear = /^rgba\((\d+), (\d+), (\d+), ([\d.]+)\)$/.exec(value);
  if (clear !== null) {
    const [, red, green, blue, part] = clear;
    copy.setAttribute(name, Number(part) === 0 ? "none" : `rgb(${red}, ${green}, ${blue})`);
    if (Number(part) > 0 && Number(part) < 1) copy.setAttribute(`${name}-opacity`, part);
  } else if (name === "text-decoration-line") copy.setAttribute("text-decoration", value);
  else copy.setAttribute(name, value.replaceAll('url("#', "url(#").replaceAll('")', ")"));
}

/** @param {string} name @param {Record<string, string | number>} attributes @returns {SVGElement} */
function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (key !== "xmlns") element.setAttribute(key, String(value));
  return element;
}

/** The picture as a file's text. @param {Page} page */
export function svgText(page) {
  return new XMLSerializer().serializeToString(drawing(page));
}

/** The picture as PNG, twice as fine as the screen's. @param {Page} page @returns {Promise<Blob>} */
export async function pngBlob(page) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(page))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * PNG_SCALE;
  canvas.height = image.naturalHeight * PNG_SCALE;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob === null ? reject(new Error("no picture")) : resolve(blob)), "image/png"));
}
