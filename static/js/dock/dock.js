// @ts-check
/**
 * The dock below the transport bar: the run over time, as a diagram, tables, logs, charts and events.
 * One tab is open at a time and only that one is drawn, at most once a frame.
 */
import { closeDrawer, make } from "../panels/drawer.js";
import { onTheme } from "./canvas.js";
import { ChartsTab } from "./charts.js";
import { EventsTab } from "./events.js";
import { Feed } from "./feed.js";
import { LogsTab } from "./logs.js";
import { OperationsTab } from "./operations.js";
import { SpaceTimeTab } from "./spacetime.js";
import { TimeView } from "./view.js";

/** @typedef {{ element: HTMLElement, says?: HTMLElement, frame(moment: { timeUs: number, atMs: number }): void }} DockTab */

const HEIGHT_MIN = 150;
const HEIGHT_STEP = 24;
const KEY = "dock-height";

const styles = new Promise((resolve) => {
  const link = /** @type {HTMLLinkElement} */ (make("link", { rel: "stylesheet", href: new URL("../../css/dock.css", import.meta.url).href }));
  link.addEventListener("load", resolve);
  link.addEventListener("error", resolve);
  document.head.append(link);
});

export class Dock {
  /** The tab that is open. @type {string | null} */
  shown = null;
  #isAsked = false;
  /** The run that is drawn. */
  #run = -1;
  /** @type {Map<string, DockTab>} */
  #made = new Map();

  /** @param {Page} page @param {HTMLElement} list of tabs @param {HTMLElement} host */
  constructor(page, list, host) {
    this.page = page;
    this.list = list;
    this.host = host;
    this.tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);
    this.feed = new Feed(page);
    this.view = new TimeView();
    this.view.moved = () => this.change();
    this.handle = make("div", { className: "dock-handle", tabIndex: 0 });
    this.body = make("div", { className: "dock-body" });
    host.append(this.handle, this.body);
    this.#makeHandle();
    list.addEventListener("keydown", (event) => this.#keyInTabs(event));
    document.addEventListener("keydown", (event) => this.#keyAnywhere(event));
    onTheme(() => this.change());
    new ResizeObserver(() => this.change()).observe(this.body);
    addEventListener("resize", () => this.#setHeight(this.#wishedHeight()));
    this.ready = styles;
  }

  /** Opens a tab, or closes the dock when that tab is open. @param {string} name */
  async toggle(name) {
    await this.ready;
    // A drawer may cover what is open.
    if (this.shown === name && !this.host.hidden) this.close();
    else this.open(name);
  }

  /** @param {string} name */
  open(name) {
    closeDrawer();
    const wasOpen = this.shown !== null;
    this.shown = name;
    let tab = this.#made.get(name);
    if (tab === undefined) this.#made.set(name, (tab = this.#make(name)));
    this.body.replaceChildren(tab.element);
    this.host.hidden = false;
    this.host.setAttribute("aria-labelledby", `tab-${name}`);
    this.#markTabs();
    this.#setHeight(this.#wishedHeight());
    this.change();
    if (!wasOpen && this.host.getBoundingClientRect().bottom > innerHeight) this.host.scrollIntoView({ block: "end" });
  }

  close() {
    const hadFocus = this.host.contains(document.activeElement);
    const tab = this.tabs.find((each) => each.dataset.tab === this.shown);
    this.shown = null;
    this.host.hidden = true;
    this.body.replaceChildren();
    this.#markTabs();
    // What was chosen here has no row any more that would tell why the rest is dim.
    if (this.page.highlighted !== null) this.page.highlight(null);
    if (hadFocus) tab?.focus({ preventScroll: true });
  }

  /** After every change of the run, of the moment shown or of what is lit. */
  change() {
    if (this.host.hidden || this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame((atMs) => this.#frame(atMs));
  }

  /** @param {number} atMs */
  #frame(atMs) {
    this.#isAsked = false;
    const { page, shown } = this;
    if (shown === null || this.host.hidden || page.store.newest === null) return;
    if (page.store.run !== this.#run) {
      this.#run = page.store.run;
      // What was said of something chosen is not true of another run or branch.
      for (const { says } of this.#made.values()) says?.replaceChildren();
    }
    const isUpToDate = this.feed.update();
    const timeUs = page.viewUs === null ? page.clock.read(atMs) : page.shownUs();
    this.#made.get(shown)?.frame({ timeUs, atMs });
    if (page.isPlaying || !isUpToDate) this.change();
  }

  /** @param {string} name @returns {DockTab} */
  #make(name) {
    const { page, feed, view } = this;
    const redraw = () => this.change();
    switch (name) {
      case "operations": return new OperationsTab(page, feed, redraw);
      case "logs": return new LogsTab(page, redraw);
      case "charts": return new ChartsTab(page, feed, view, redraw);
      case "events": return new EventsTab(page, feed, redraw);
      default: return new SpaceTimeTab(page, feed, view, redraw);
    }
  }

  // --- tabs ------------------------------------------------------------------------------------------

  #markTabs() {
    const { activeElement } = document;
    for (const tab of this.tabs) {
      const isShown = tab.dataset.tab === this.shown;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown || (this.shown === null && tab === this.tabs[0]) || tab === activeElement ? 0 : -1;
      // The row of tabs may be shorter than all of them.
      if (isShown) this.list.scrollLeft += Math.max(0, tab.getBoundingClientRect().right - this.list.getBoundingClientRect().right) - Math.max(0, this.list.getBoundingClientRect().left - tab.getBoundingClientRect().left);
    }
  }

  /** @param {KeyboardEvent} event */
  #keyInTabs(event) {
    const { tabs } = this;
    const position = tabs.findIndex((tab) => tab === event.target);
    const next = { ArrowRight: position + 1, ArrowLeft: position - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (position < 0 || next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.tabIndex = 0;
    tab.focus();
    if (this.shown !== null) this.open(/** @type {string} */ (tab.dataset.tab));
  }

  /** @param {KeyboardEvent} event */
  #keyAnywhere(event) {
    if (event.key !== "Escape" || this.host.hidden) return;
    if (document.querySelector("dialog[open], [popover]:popover-open") || (event.target instanceof HTMLInputElement && event.target.value !== "")) return;
    this.close();
  }

  // --- height ----------------------------------------------------------------------------------------

  #makeHandle() {
    const { handle } = this;
    handle.setAttribute("role", "separator");
    handle.setAttribute("aria-orientation", "horizontal");
    handle.setAttribute("aria-label", "Height of the dock");
    handle.setAttribute("aria-valuemin", String(HEIGHT_MIN));
    let from = { y: 0, height: 0 };
    const drag = (/** @type {PointerEvent} */ event) => this.#setHeight(from.height + from.y - event.clientY, true);
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      from = { y: event.clientY, height: this.host.offsetHeight };
      handle.addEventListener("pointermove", drag);
    });
    for (const kind of ["pointerup", "pointercancel"]) handle.addEventListener(kind, () => handle.removeEventListener("pointermove", drag));
    handle.addEventListener("dblclick", () => {
      localStorage.removeItem(KEY);
      this.#setHeight(this.#wishedHeight());
    });
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowUp: HEIGHT_STEP, ArrowDown: -HEIGHT_STEP, PageUp: 5 * HEIGHT_STEP, PageDown: -5 * HEIGHT_STEP }[event.key];
      const height = event.key === "Home" ? HEIGHT_MIN : event.key === "End" ? Infinity : by === undefined ? undefined : this.host.offsetHeight + by;
      if (height === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.#setHeight(height, true);
    });
  }

  #wishedHeight() {
    return Number(localStorage.getItem(KEY)) || (innerWidth > 900 ? Math.max(204, Math.min(340, innerHeight * 0.25)) : Math.max(280, Math.min(360, innerHeight * 0.4)));
  }

  get #mostHeight() {
    return Math.max(HEIGHT_MIN, Math.round(innerHeight * (innerWidth > 900 ? 0.7 : 0.6)));
  }

  /** @param {number} height @param {boolean} [isKept] */
  #setHeight(height, isKept = false) {
    const fitting = Math.round(Math.max(HEIGHT_MIN, Math.min(this.#mostHeight, height)));
    this.host.style.height = `${fitting}px`;
    this.handle.setAttribute("aria-valuenow", String(fitting));
    this.handle.setAttribute("aria-valuemax", String(this.#mostHeight));
    if (isKept) localStorage.setItem(KEY, String(fitting));
    this.change();
  }
}
