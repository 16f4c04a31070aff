// @ts-check
/**
 * The drawer below the transport bar: room for one thing at a time that is read beside the diagram
 * and so must not cover it. Esc or *Close* puts it away, and the focus back where it came from.
 */
import { light } from "../diagram/spotlight.js";

const REFRESH_MS = 500;
const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @typedef {object} Drawer
 * @property {string} name
 * @property {HTMLElement} element
 * @property {HTMLElement} title
 * @property {HTMLElement} body
 * @property {() => void} close
 */

/** @type {Drawer | null} */
let opened = null;

/** The name of what the drawer shows, or null. */
export const shownName = () => opened?.name ?? null;

/** Puts the drawer away. */
export const closeDrawer = () => opened?.close();

/**
 * Opens the drawer in place of whatever is there.
 * @param {Page} page @param {string} name @param {string} words what the region is called
 * @param {{ refresh(): void, origin(): Element | null, closed?(): void }} what `refresh` is called when the run
 *   has moved, at most every 500 ms; `origin` is what gets the focus back
 * @returns {Drawer}
 */
export function openDrawer(page, name, words, what) {
  closeDrawer();
  // The dock waits behind it.
  const dock = byId("dock");
  const coversDock = !dock.hidden;
  dock.hidden = true;
  const title = make("h2", { id: "drawer-title", textContent: words });
  const close = /** @type {HTMLButtonElement} */ (make("button", { className: "button", type: "button", textContent: "Close" }));
  const head = make("div", { className: "drawer-head" }, title, close);
  const body = make("div", { className: "drawer-body" });
  const element = make("section", { className: `drawer ${name}` }, head, body);
  element.setAttribute("aria-labelledby", "drawer-title");
  dock.after(element);

  const moment = () => `${page.store.run} ${page.store.sequence} ${page.viewUs}`;
  let shown = moment();
  const timer = setInterval(() => {
    if (moment() === shown) return;
    shown = moment();
    what.refresh();
  }, REFRESH_MS);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open], [popover]:popover-open")) return;
    drawer.close();
  };
  const drawer = {
    name, element, title, body,
    close() {
      if (opened !== drawer) return;
      opened = null;
      clearInterval(timer);
      document.removeEventListener("keydown", onKey);
      const hadFocus = element.contains(document.activeElement);
      element.remove();
      dock.hidden = !coversDock;
      light(null, []);
      what.closed?.();
      const origin = what.origin();
      if (hadFocus && origin instanceof HTMLElement) origin.focus({ preventScroll: true });
    },
  };
  close.addEventListener("click", () => drawer.close());
  document.addEventListener("keydown", onKey);
  opened = drawer;
  if (element.getBoundingClientRect().bottom > innerHeight) element.scrollIntoView({ block: "end" });
  return drawer;
}

/**
 * An element with properties and children.
 * @param {string} name @param {Record<string, unknown>} [properties] @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
