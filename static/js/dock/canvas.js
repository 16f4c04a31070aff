// @ts-check
/** A canvas as sharp as the screen, in the colours and letters of the page's theme. */

export const SANS = '"Inter", "Noto Sans", system-ui, sans-serif';
export const MONO = '"JetBrains Mono", "DejaVu Sans Mono", ui-monospace, monospace';

const NAMES = /** @type {const} */ ([
  "paper", "panel", "well", "ink", "ink-2", "ink-3", "line", "line-2", "leader", "leader-strong", "leader-soft", "leader-ink", "follower", "follower-strong",
  "follower-soft", "candidate", "candidate-strong", "candidate-soft", "dead", "ok", "ok-strong", "bad", "bad-strong", "bad-soft", "doubt-ink", "on-strong", "t1-ink", "t2-ink", "t3-ink", "t4-ink", "t5-ink", "t6-ink",
]);

/** @typedef {Record<typeof NAMES[number], string>} Colours */

/** @type {Colours | null} */
let colours = null;
let theme = "";
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** The page's colours as they are in the theme shown. @returns {Colours} */
export function coloursNow() {
  const now = document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light");
  if (colours !== null && now === theme) return colours;
  theme = now;
  const style = getComputedStyle(document.documentElement);
  colours = /** @type {Colours} */ (Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim() || "#888888"])));
  return colours;
}

/** Tells the theme is another. @param {() => void} listener */
export function onTheme(listener) {
  prefersDark.addEventListener("change", listener);
  new MutationObserver(listener).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
}

/** The colour that words about a term have. @param {Colours} all @param {number} term */
export function termInk(all, term) {
  return all[/** @type {"t1-ink"} */ (`t${((Math.max(1, term) - 1) % 6) + 1}-ink`)];
}

/**
 * Empties a canvas of a size in CSS pixels; it has as many points as the screen.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 */
export function blank(canvas, width, height) {
  const scale = Math.min(3, devicePixelRatio || 1);
  const across = Math.round(width * scale);
  const down = Math.round(height * scale);
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Lines of one look, drawn together. */
export class Strokes {
  /** @type {Map<string, { colour: string, width: number, dash: number[], alpha: number, path: Path2D }>} */
  #looks = new Map();

  /** @param {string} colour @param {number} width @param {number[]} dash @param {number} alpha @returns {Path2D} */
  path(colour, width, dash = [], alpha = 1) {
    const key = `${colour} ${width} ${dash.join()} ${alpha}`;
    let look = this.#looks.get(key);
    if (look === undefined) this.#looks.set(key, (look = { colour, width, dash, alpha, path: new Path2D() }));
    return look.path;
  }

  /** @param {CanvasRenderingContext2D} context */
  draw(context) {
    for (const { colour, width, dash, alpha, path } of this.#looks.values()) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.globalAlpha = alpha;
      context.setLineDash(dash);
      context.stroke(path);
    }
    context.globalAlpha = 1;
    context.setLineDash([]);
  }
}

/** Where words already stand on a line, so that none are written over others. */
export class Room {
  /** @type {Map<string, { from: number, to: number }[]>} */
  #taken = new Map();

  /** Takes a stretch of a line if it is free. @param {string} line @param {number} from @param {number} to */
  take(line, from, to) {
    let taken = this.#taken.get(line);
    if (taken === undefined) this.#taken.set(line, (taken = []));
    if (taken.some((each) => each.from < to && each.to > from)) return false;
    taken.push({ from, to });
    return true;
  }
}
