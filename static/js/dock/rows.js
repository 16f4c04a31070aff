// @ts-check
/**
 * A table of many rows of which only those in sight exist: ten thousand cost as little as twenty.
 * One row can be gone to by keys; it stays while it has the focus, wherever the rest scrolls.
 */
import { make } from "../panels/drawer.js";

const SPARE = 6;

/**
 * @template T
 * @typedef {object} RowsWhat
 * @property {string} name what the table is called
 * @property {string} className
 * @property {string[]} heads of the columns
 * @property {(item: T) => number} key tells rows apart for good
 * @property {(row: HTMLElement, cells: HTMLElement[], item: T) => void} fill writes a row; called again when it may have changed
 * @property {(item: T) => void} choose pressed, or Enter on it
 * @property {(item: T) => void} [reach] gone to by keys
 * @property {(from: number, to: number) => void} [sight] told which positions are in sight, before their rows are written
 * @property {string} empty what is said when there is nothing
 */

/** @template T */
export class Rows {
  /** @type {Map<number, { row: HTMLElement, cells: HTMLElement[], item: T, position: number }>} */
  #made = new Map();
  #count = 0;
  /** @type {(position: number) => T} */
  #at = () => { throw new RangeError("no rows"); };
  /** The key of the row that Tab goes to. @type {number | null} */
  #active = null;
  #pitch = 0;
  #isAsked = false;
  /** How the grid is scrolled, and its height without the heads: asked for when it changes, because asking makes the browser lay the page out. */
  #sight = { top: 0, height: 0 };

  /** @param {RowsWhat<T>} what */
  constructor(what) {
    this.what = what;
    const heads = make("div", { className: "rows-line" }, ...what.heads.map((words) => role("columnheader", make("span", { textContent: words }))));
    this.heads = role("rowgroup", make("div", { className: "rows-head" }, role("row", heads)));
    this.body = role("rowgroup", make("div", { className: "rows-body" }));
    this.none = make("p", { className: "rows-none hint", textContent: what.empty });
    this.grid = role("grid", make("div", { className: `rows ${what.className}` }, this.heads, this.body));
    this.grid.setAttribute("aria-label", what.name);
    this.grid.tabIndex = 0; // Until there is a row to go to: what can be scrolled can be scrolled by keys.
    this.element = make("div", { className: "rows-frame" }, this.grid, this.none);
    this.grid.addEventListener("scroll", () => {
      this.#sight.top = this.grid.scrollTop;
      this.#ask();
    }, { passive: true });
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("focusin", (event) => this.#focused(event.target));
    this.body.addEventListener("click", (event) => {
      const held = this.#heldBy(event.target);
      if (held && !(event.target instanceof Element && event.target.closest("button"))) what.choose(held.item);
    });
    new ResizeObserver(() => {
      this.#measure();
      this.#ask();
    }).observe(this.grid);
  }

  /** How many rows there are. */
  get count() {
    return this.#count;
  }

  /**
   * Shows these rows.
   * @param {number} count @param {(position: number) => T} at
   * @param {number} onTop how many of them came on top of those that were shown: what is read stays where it is
   */
  show(count, at, onTop = 0) {
    this.#count = count;
    this.#at = at;
    this.none.hidden = count > 0;
    this.grid.setAttribute("aria-rowcount", String(count + 1));
    this.body.style.height = `${count * this.#pitch}px`;
    if (onTop > 0 && (this.#sight.top > this.#pitch / 2 || this.#hasFocus())) this.#scrollTo(this.#sight.top + onTop * this.#pitch);
    this.#draw();
  }

  /** Back to the first row. */
  rewind() {
    this.#scrollTo(0);
  }

  /** @param {number} top */
  #scrollTo(top) {
    this.#sight.top = this.grid.scrollTop = top;
  }

  /** Scrolls to a row. @param {number} position @param {boolean} [isFocused] */
  reveal(position, isFocused = false) {
    if (position < 0 || position >= this.#count) return;
    const top = position * this.#pitch;
    const room = this.#sight.height;
    if (top < this.#sight.top) this.#scrollTo(top);
    else if (top + this.#pitch > this.#sight.top + room) this.#scrollTo(top + this.#pitch - room);
    if (isFocused) this.#active = this.what.key(this.#at(position));
    this.#draw();
    if (isFocused) this.#made.get(/** @type {number} */ (this.#active))?.row.focus({ preventScroll: true });
  }

  /** @returns {{ from: number, to: number }} the positions in sight */
  inSight() {
    if (this.#pitch === 0) return { from: 0, to: 0 };
    const from = Math.max(0, Math.floor(this.#sight.top / this.#pitch));
    return { from, to: Math.min(this.#count, from + Math.ceil(this.#sight.height / this.#pitch) + 1) };
  }

  #measure() {
    this.#sight = { top: this.grid.scrollTop, height: this.grid.clientHeight - this.heads.offsetHeight };
    const pitch = parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 30;
    if (pitch === this.#pitch) return;
    this.#pitch = pitch;
    for (const { row } of this.#made.values()) row.remove();
    this.#made.clear();
  }

  #ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.body.style.height = `${this.#count * this.#pitch}px`;
      this.#draw();
    });
  }

  #draw() {
    const sight = this.inSight();
    const from = Math.max(0, sight.from - SPARE);
    const to = Math.min(this.#count, sight.to + SPARE);
    this.what.sight?.(sight.from, sight.to);
    /** @type {Set<number>} */
    const kept = new Set();
    for (let position = from; position < to; position++) kept.add(this.#place(position));
    const focused = this.#hasFocus() ? this.#active : null;
    for (const [key, { row }] of this.#made) {
      if (kept.has(key) || key === focused) continue;
      row.remove();
      this.#made.delete(key);
    }
    this.#offer(sight.from);
  }

  /** @param {number} position @returns {number} the row's key */
  #place(position) {
    const item = this.#at(position);
    const key = this.what.key(item);
    let held = this.#made.get(key);
    if (held === undefined) {
      const cells = this.what.heads.map(() => role("gridcell", make("span")));
      held = { row: role("row", make("div", { className: "rows-line", tabIndex: -1 }, ...cells)), cells, item, position: -1 };
      held.row.dataset.key = String(key);
      this.#made.set(key, held);
      this.body.append(held.row);
    }
    if (held.position !== position) {
      held.position = position;
      held.row.style.transform = `translateY(${position * this.#pitch}px)`;
      held.row.setAttribute("aria-rowindex", String(position + 2));
    }
    held.item = item;
    this.what.fill(held.row, held.cells, item);
    return key;
  }

  /** Makes one row the one that Tab goes to. @param {number} first the first in sight */
  #offer(first) {
    if (this.#active === null || !this.#made.has(this.#active)) this.#active = this.#count > first ? this.what.key(this.#at(first)) : null;
    this.grid.tabIndex = this.#active === null ? 0 : -1;
    for (const [key, { row }] of this.#made) {
      const tabIndex = key === this.#active ? 0 : -1;
      if (row.tabIndex === tabIndex) continue;
      row.tabIndex = tabIndex;
      for (const inner of row.querySelectorAll("button")) inner.tabIndex = tabIndex;
    }
  }

  #hasFocus() {
    return this.body.contains(document.activeElement);
  }

  /** @param {EventTarget | null} target */
  #heldBy(target) {
    const row = target instanceof Element ? target.closest("[data-key]") : null;
    return row === null ? undefined : this.#made.get(Number(row.getAttribute("data-key")));
  }

  /** @param {EventTarget | null} target */
  #focused(target) {
    const held = this.#heldBy(target);
    if (held === undefined) return;
    this.#active = this.what.key(held.item);
    this.#offer(0);
    this.what.reach?.(held.item);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const held = this.#heldBy(event.target);
    if (held === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.#sight.height / this.#pitch) - 1);
    const next = { ArrowDown: held.position + 1, ArrowUp: held.position - 1, PageDown: held.position + page, PageUp: held.position - page, Home: 0, End: this.#count - 1 }[event.key];
    if (next !== undefined) this.reveal(Math.max(0, Math.min(this.#count - 1, next)), true);
    else if (event.key === "Enter" && event.target === held.row) this.what.choose(held.item);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {string} name @param {HTMLElement} element */
function role(name, element) {
  element.setAttribute("role", name);
  return element;
}

/** @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
