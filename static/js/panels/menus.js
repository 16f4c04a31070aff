// @ts-check
/**
 * Menus: what can be done to a node, a link, a message or a client. Actions are data; choosing one
 * sends its commands. While a message's menu is open the run waits, for it would arrive meanwhile.
 */
import { duration, leaderOf, roleLabels, seconds } from "../store.js";

/** @param {Page} page @param {Target} target @param {Point} at @param {Element} element what gets the focus back */
export function openTargetMenu(page, target, at, element) {
  const { state } = page.store;
  if (state === null) return;
  switch (target.kind) {
    case "node": return void openMenu(page, `Node ${target.id} · ${roleLabels(state)[target.id]}`, [...page.nodeActions(target.id), ...why(page, ["nodes", target.id], true)], at, element);
    case "client": return void openMenu(page, `Client ${target.id}${beliefOf(state, target.id)}`, clientActions(target.id, state), at, element);
    case "link": return void openMenu(page, linkTitle(target), linkActions(target, state), at, element);
    case "message": {
      const message = state.messages[target.id];
      if (message && message.dropped_us === null) openMessageMenu(page, message, at, element);
    }
  }
}

/** @param {Page} page @param {MessageState} message @param {Point} at @param {Element} element */
function openMessageMenu(page, message, at, element) {
  const wasPlaying = page.isPlaying;
  if (wasPlaying) page.pause();
  const menu = openMenu(page, `${message.kind} ${message.kind === "heartbeat" ? "" : message.label} · ${spoken(message.source)} → ${spoken(message.target)}, ${messageFacts(message)}`, [
    { label: "Drop", commands: [`drop message ${message.id}`], tone: "danger" },
    { label: "Delay 1 s", commands: [`delay message ${message.id} 1s`] },
    { label: "Duplicate", commands: [`duplicate message ${message.id}`] },
    { label: "Deliver now", commands: [`deliver message ${message.id}`] },
    ...why(page, ["messages", String(message.id)], false),
  ], at, element);
  menu.addEventListener("toggle", (event) => {
    if (wasPlaying && /** @type {ToggleEvent} */ (event).newState === "closed") page.play();
  });
}

/** What a message carries and when, in a few words. @param {MessageState} message */
function messageFacts({ term, count, sent_us, arrives_us }) {
  const carried = count > 0 ? `${count} ${count === 1 ? "entry" : "entries"}, ` : "";
  return `${carried}${term === null ? "" : `term ${term}, `}sent ${seconds(sent_us)}, arrives ${seconds(arrives_us)}`;
}

/**
 * An action that explains the newest event that made something as it is shown.
 * @param {Page} page @param {Path} path the beginning of the path of what that event changed
 * @param {boolean} isTold whether only events count that were told @returns {Action[]}
 */
function why(page, path, isTold) {
  const { steps } = page.store;
  for (let position = page.store.positionAt(page.shownUs()) - 1; position >= 0; position--) {
    const { text, patches, sequence } = steps[position];
    if (isTold && text === null) continue;
    if (patches.some(([, changed]) => path.every((key, depth) => changed[depth] === key))) {
      return [{ label: "Why?", about: text ?? "what led to this", run: () => page.why(sequence) }];
    }
  }
  return [];
}

/** Whom a client takes for the leader, where it is wrong. @param {ClusterState} state @param {string} client */
function beliefOf(state, client) {
  const { knows = null, last = null } = state.clients[client] ?? {};
  return last === null || knows === null || knows === leaderOf(state) ? "" : ` · still believes ${knows} leads`;
}

/** @param {string} client @param {ClusterState} state @returns {Action[]} */
function clientActions(client, state) {
  const node = state.clients[client].knows;
  const rest = [...Object.keys(state.nodes).filter((other) => other !== node), ...Object.keys(state.clients).filter((other) => other !== client).map(spoken)];
  const isolate = node !== null && state.nodes[node] ? [{ label: `Isolate with ${node}`, commands: [`partition ${node} ${spoken(client)} | ${rest.join(" ")}`], about: "the two reach each other and nobody else" }] : [];
  return [
    ...isolate,
    { label: "Read x", commands: [`read x by ${client}`] },
    { label: "Write steadily", commands: [`load writes 2/s by ${client}`], about: "two writes a second" },
    { label: "Read steadily", commands: [`load reads 2/s by ${client}`], about: "two reads a second" },
    { label: "Stop the load", commands: [`load stop by ${client}`] },
  ];
}

const spoken = (/** @type {string} */ end) => (end >= "0" && end <= "9" ? `client ${end}` : end);

/** @param {{ source: string, target: string }} link */
const linkTitle = ({ source, target }) => `Link ${spoken(source)} – ${spoken(target)}`;

/** @param {{ source: string, target: string }} link @param {ClusterState} state @returns {Action[]} */
function linkActions({ source, target }, state) {
  const a = spoken(source);
  const b = spoken(target);
  const there = state.links[`${source}>${target}`];
  const back = state.links[`${target}>${source}`];
  const slow = Number(state.settings[source === a ? "latency" : "client-latency"]) * 4;
  /** @type {Action[]} */
  const actions = [];
  if (!there?.cut || !back?.cut) actions.push({ label: "Cut", commands: [`cut ${a} ${b}`], tone: "danger" });
  if (!there?.cut) actions.push({ label: `Cut only ${a} → ${b}`, commands: [`cut ${a} -> ${b}`] });
  if (!back?.cut) actions.push({ label: `Cut only ${b} → ${a}`, commands: [`cut ${b} -> ${a}`] });
  if (there || back) actions.push({ label: "Heal", commands: [`heal ${a} ${b}`] });
  actions.push({ label: "Slow", commands: [`latency ${a} ${b} ${slow / 1000}ms`], about: `${duration(slow)} each way` });
  actions.push({ label: "Lose one in five", commands: [`loss ${a} ${b} 20%`] });
  return actions;
}

/**
 * @param {Page} page @param {string} title @param {Action[]} actions
 * @param {Element | Point} at @param {Element} [origin] what gets the focus back
 * @returns {HTMLElement}
 */
export function openMenu(page, title, actions, at, origin = at instanceof Element ? at : undefined) {
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.popover = "auto";
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", title);
  const heading = document.createElement("p");
  heading.textContent = title;
  const left = offered(page, actions);
  menu.append(heading, ...left.map((action) => makeItem(page, title, action, menu, at, origin)));
  if (left.length === 0) menu.append(Object.assign(document.createElement("small"), { textContent: "This step keeps for later what can be done here." }));
  (document.querySelector("main") ?? document.body).append(menu);
  menu.showPopover();
  place(menu, at);
  menu.addEventListener("keydown", (event) => moveFocus(event, menu));
  menu.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    const hadFocus = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (hadFocus && (origin instanceof HTMLElement || origin instanceof SVGElement)) origin.focus({ preventScroll: true });
  });
  items(menu)[0]?.focus();
  return menu;
}

/** What is left of a list of actions where a lesson's step keeps some for later. @param {Page} page @param {Action[]} actions @returns {Action[]} */
export function offered(page, actions) {
  return actions.filter(({ commands, more }) => (more ? offered(page, more).length > 0 : (commands ?? []).every((text) => page.offers(text))));
}

/** @param {Page} page @param {string} title @param {Action} action @param {HTMLElement} menu @param {Element | Point} at @param {Element | undefined} origin */
function makeItem(page, title, action, menu, at, origin) {
  const item = document.createElement("button");
  item.type = "button";
  item.setAttribute("role", "menuitem");
  if (action.more) item.setAttribute("aria-haspopup", "menu");
  item.className = action.tone ?? "";
  item.append(Object.assign(document.createElement("span"), { textContent: action.more ? `${action.label}…` : action.label }));
  if (action.about) item.append(Object.assign(document.createElement("small"), { textContent: action.about }));
  item.addEventListener("click", () => {
    menu.hidePopover();
    if (action.more) openMenu(page, `${title} · ${action.label}`, action.more, at, origin);
    else if (action.run) action.run();
    else void page.send(...(action.commands ?? []));
  });
  return item;
}

/** @param {HTMLElement} menu @returns {HTMLElement[]} */
const items = (menu) => [...menu.querySelectorAll("button")];

/** @param {KeyboardEvent} event @param {HTMLElement} menu */
function moveFocus(event, menu) {
  const all = items(menu);
  const position = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = { ArrowDown: position + 1, ArrowUp: position - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  all[(next + all.length) % all.length].focus();
}

/** Beside the point or element, and inside the window. @param {HTMLElement} menu @param {Element | Point} at */
function place(menu, at) {
  const box = at instanceof Element ? at.getBoundingClientRect() : new DOMRect(at.x, at.y, 0, 0);
  const { width, height } = menu.getBoundingClientRect();
  const below = box.bottom + 6 + height <= innerHeight ? box.bottom + 6 : Math.max(8, box.top - height - 6);
  menu.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left))}px`;
  menu.style.top = `${Math.max(8, Math.min(innerHeight - height - 8, below))}px`;
}
