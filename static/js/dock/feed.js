// @ts-check
/** Keeps what the dock draws in step with the store: each step is folded once, as it comes. */
import { Series } from "./series-model.js";
import { SpaceTime } from "./spacetime-model.js";

/** How long one look may take, in real milliseconds; what is left is folded at the next. */
const BUDGET_MS = 10;
/** So many steps are folded between two looks at the clock. */
const STRIDE = 200;

export class Feed {
  space = new SpaceTime();
  series = new Series();
  /** How often it was begun anew: another run, or more or less of its past. */
  version = 0;
  /** What is being begun anew; what was there before is shown until it has caught up. */
  #next = { space: this.space, series: this.series };
  #run = -1;
  #first = -1;
  /** The sequence of the newest step folded. */
  #folded = -2;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
  }

  /** Folds what is new. @returns {boolean} whether everything known is folded */
  update() {
    const { store } = this.page;
    // Several clusters side by side are no matter of one dock.
    if (store.newest === null || !("nodes" in store.newest)) return true;
    const first = store.steps[0]?.sequence ?? store.sequence + 1;
    if (store.run !== this.#run || first !== this.#first || this.#folded > store.sequence) this.#begin(first);
    const end = performance.now() + BUDGET_MS;
    const { steps } = store;
    let position = this.#folded + 1 - first;
    for (let since = 0; position < steps.length; position++, since++) {
      if (since >= STRIDE) {
        if (performance.now() > end) break;
        since = 0;
      }
      this.#next.space.add(steps[position]);
      this.#next.series.add(steps[position], this.#next.space);
    }
    this.#folded = first + position - 1;
    if (position < steps.length) return false;
    if (this.space !== this.#next.space) {
      ({ space: this.space, series: this.series } = this.#next);
      this.version++;
    }
    return true;
  }

  /** @param {number} first the sequence of the first step known */
  #begin(first) {
    const { store } = this.page;
    const isOther = store.run !== this.#run;
    this.#run = store.run;
    this.#first = first;
    this.#folded = first - 1;
    this.#next = { space: new SpaceTime(), series: new Series() };
    const us = store.earliestUs;
    const state = /** @type {ClusterState} */ (store.stateAt(-1));
    this.#next.space.begin(state, us);
    this.#next.series.begin(state, this.#next.space, us);
    if (isOther) {
      // Nothing of another run is shown.
      ({ space: this.space, series: this.series } = this.#next);
      this.version++;
    }
    void this.page.recall();
  }
}
