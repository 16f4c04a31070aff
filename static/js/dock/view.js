// @ts-check
/**
 * Which stretch of time is on screen: shared by the space-time diagram and the charts, so that both
 * show the same. It follows the moment shown until a person moves it away.
 */

const SPAN_US_MIN = 100_000;
const SPAN_US_MAX = 3_600_000_000;
/** Where in the window the moment shown stands while time passes. */
const NOW_AT = 0.88;
/** How near to the left edge the moment shown may come before the window moves on: what led to it is to be seen. */
const PAST_AT = 0.3;
/** Where it stands after a jump out of the window. */
const JUMP_AT = 0.7;

export class TimeView {
  fromUs = 0;
  spanUs = 9_000_000;
  isFollowing = true;
  /** @type {() => void} what to do when a person moved it */
  moved = () => {};
  #shownUs = 0;
  #earliestUs = 0;
  #latestUs = 0;

  get toUs() {
    return this.fromUs + this.spanUs;
  }

  /** Where a time is in the window: 0 at its left edge, 1 at its right. @param {number} us */
  at(us) {
    return (us - this.fromUs) / this.spanUs;
  }

  /** Moves the window so that the moment shown is in it, unless a person moved it. @param {number} shownUs @param {boolean} isLive @param {number} earliestUs @param {number} latestUs */
  follow(shownUs, isLive, earliestUs, latestUs) {
    this.#shownUs = shownUs;
    this.#earliestUs = earliestUs;
    this.#latestUs = Math.max(shownUs, latestUs);
    if (!this.isFollowing) return;
    if (!isLive && (this.at(shownUs) < 0 || this.at(shownUs) > 1)) this.fromUs = shownUs - JUMP_AT * this.spanUs;
    const late = shownUs - NOW_AT * this.spanUs;
    const early = shownUs - PAST_AT * this.spanUs;
    this.fromUs = isLive ? late : Math.min(early, Math.max(late, this.fromUs));
    this.fromUs = Math.max(this.fromUs, this.#leastFrom);
  }

  /** The run's beginning stands a little inside of the window. */
  get #leastFrom() {
    return this.#earliestUs - 0.015 * this.spanUs;
  }

  /** Shows less or more time. @param {number} factor below 1 for less @param {number} [at] what stays where it is; without, the moment shown */
  zoom(factor, at) {
    const isShown = this.at(this.#shownUs) >= 0 && this.at(this.#shownUs) <= 1;
    const anchor = at !== undefined && !this.isFollowing ? at : isShown ? this.at(this.#shownUs) : 0.5;
    const us = this.fromUs + anchor * this.spanUs;
    this.spanUs = Math.max(SPAN_US_MIN, Math.min(SPAN_US_MAX, this.spanUs * factor));
    this.fromUs = us - anchor * this.spanUs;
    this.#hold();
    this.moved();
  }

  /** Shows earlier or later times. @param {number} share of the window, above 0 for later */
  pan(share) {
    this.isFollowing = false;
    this.fromUs += share * this.spanUs;
    this.#hold();
    this.moved();
  }

  /** Shows everything that is known. */
  fit() {
    this.isFollowing = false;
    const length = Math.max(1_000_000, this.#latestUs - this.#earliestUs);
    this.spanUs = Math.min(SPAN_US_MAX, length * 1.04);
    this.fromUs = this.#earliestUs - 0.02 * length;
    this.moved();
  }

  /** Brings a time into the window. @param {number} us */
  reveal(us) {
    const at = this.at(us);
    if (at >= 0.04 && at <= 0.96) return;
    this.isFollowing = false;
    this.fromUs = us - (at < 0 ? 0.2 : 0.8) * this.spanUs;
    this.#hold();
    this.moved();
  }

  /** Goes with the moment shown again. */
  resume() {
    this.isFollowing = true;
    this.moved();
  }

  /** Keeps some of the run on screen. */
  #hold() {
    const margin = 0.5 * this.spanUs;
    this.fromUs = Math.max(Math.min(this.fromUs, this.#latestUs - margin), Math.min(this.#leastFrom, this.#latestUs - this.spanUs));
    this.fromUs = Math.max(this.fromUs, this.#leastFrom);
  }
}

/**
 * Round times to label an axis with.
 * @param {number} fromUs @param {number} toUs @param {number} most how many labels have room
 * @returns {{ us: number, words: string }[]}
 */
export function ticks(fromUs, toUs, most) {
  const span = toUs - fromUs;
  let unit = 1_000;
  for (let factor = 0; span / unit > most; factor++) unit *= [2, 2.5, 2][factor % 3];
  const digits = Math.max(0, Math.min(3, 6 - Math.floor(Math.log10(unit) + 1e-9)));
  const found = [];
  for (let us = Math.ceil(Math.max(0, fromUs) / unit) * unit; us <= toUs; us += unit) {
    found.push({ us, words: `${(us / 1e6).toFixed(digits)} s` });
  }
  return found;
}

/**
 * Lets a person move and zoom a window over an element: drag, shift or sideways wheel, Ctrl and wheel,
 * two fingers. A press that does not move is a click.
 * @param {HTMLElement} element @param {TimeView} view
 * @param {() => { left: number, width: number }} plot where in the element time runs, in CSS pixels
 * @param {(x: number, y: number) => void} click in the element
 */
export function steer(element, view, plot, click) {
  /** @type {Map<number, { x: number, y: number, startX: number, startY: number, isMoved: boolean }>} */
  const fingers = new Map();
  const shareOf = (/** @type {number} */ clientX) => (clientX - element.getBoundingClientRect().left - plot().left) / plot().width;
  element.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(clampWheel(event.deltaY) / 300), shareOf(event.clientX));
    else if (sideways !== 0 && Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) view.pan(clampWheel(sideways) / plot().width);
    else return;
    event.preventDefault();
  }, { passive: false });
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY, isMoved: fingers.size > 0 });
  });
  element.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (finger === undefined) return;
    if (!finger.isMoved && Math.hypot(event.clientX - finger.startX, event.clientY - finger.startY) < 5) return;
    if (!element.hasPointerCapture(event.pointerId)) element.setPointerCapture(event.pointerId);
    finger.isMoved = true;
    const movedBy = event.clientX - finger.x;
    const others = [...fingers.entries()].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    if (others.length === 0) view.pan(-movedBy / plot().width);
    else {
      const before = Math.max(12, Math.abs(finger.x - others[0].x));
      const after = Math.max(12, Math.abs(event.clientX - others[0].x));
      view.isFollowing = false;
      view.zoom(before / after, shareOf((event.clientX + others[0].x) / 2));
      others[0].isMoved = true;
    }
    finger.x = event.clientX;
    finger.y = event.clientY;
  });
  element.addEventListener("pointerup", (event) => {
    const finger = fingers.get(event.pointerId);
    fingers.delete(event.pointerId);
    if (finger === undefined || finger.isMoved) return;
    const box = element.getBoundingClientRect();
    click(event.clientX - box.left, event.clientY - box.top);
  });
  element.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
}

/** @param {number} delta */
const clampWheel = (delta) => Math.max(-160, Math.min(160, delta));
