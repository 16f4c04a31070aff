// @ts-check
/**
 * The panel beside the diagram: how the cluster behaves, what the clients ask, what the chosen node
 * holds. Everything it does is a command; everything it shows is read back from the run.
 */
import { apart, duration, lastIndex, leaderOf, majority, replicaOf, roleLabels } from "../store.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
const list = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (document.getElementById(id));

const LATENCIES_US = [20_000, 100_000, 300_000, 600_000, 1_500_000];
const LOSSES = [0, 5, 20, 50];
/** Speeds of a node's clock, in percent of true time. */
const CLOCKS = [50, 80, 100, 125];
/** Operations per second of each client, as `load` says them. */
const LOADS = { gentle: 0.5, busy: 8 };
/** More operations than this per second are a busy client's. */
const GENTLE_MAX = 2;
/** How long a button waits to be pressed once more. */
const SURE_MS = 4000;

/** Whether a button was pressed a second time: at first it asks. @param {HTMLElement} press @param {string} question */
export function isSure(press, question) {
  if (press.dataset.asked !== undefined) return true;
  press.dataset.asked = press.textContent ?? "";
  press.textContent = question;
  setTimeout(() => {
    press.textContent = press.dataset.asked ?? "";
    delete press.dataset.asked;
  }, SURE_MS);
  return false;
}

/** A story checks more than once that it goes as told; a cluster to begin with at most makes sure that it is there. @param {Scenario} scenario */
const isStory = ({ expects }) => expects > 1;
/** What background traffic writes and reads, so that the visitor's own keys stay as they are. */
const LOAD_KEY = "y";

export class Panel {
  /** @type {string} */
  #client = "1";
  /** @type {ClusterState | null} */
  #drawn = null;
  /** @type {string | null} */
  #subject = null;
  /** The run that values are counted for. */
  #run = -1;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    for (const group of document.querySelectorAll("[data-setting]")) {
      group.addEventListener("change", (event) => {
        const { value } = /** @type {HTMLInputElement} */ (event.target);
        void this.#try(`set ${group.getAttribute("data-setting")} ${value}`);
      });
    }
    this.#listenToOperations();
    this.#listenToCluster();
    this.#listenToSafety();
  }

  #listenToOperations() {
    const key = () => field("key").value.trim();
    const who = () => `by ${this.#client}${list("write-to").value === "" ? "" : ` to ${list("write-to").value}`}`;
    onSubmit("write-form", async () => {
      const value = field("value");
      if (await this.page.send(`write ${key()} ${value.value.trim()} ${who()}`) && /^\d{1,8}$/.test(value.value)) value.value = String(Number(value.value) + 1);
    });
    onSubmit("read-form", () => void this.page.send(`read ${key()} by ${this.#client}`));
    onSubmit("cas-form", () => void this.page.send(`cas ${key()} ${field("expected").value.trim()} ${field("replacement").value.trim()} ${who()}`));
    byId("delete").addEventListener("click", () => void this.page.send(`delete ${key()} ${who()}`));
    list("write-to").addEventListener("change", () => nameTarget());
    list("reads").addEventListener("change", () => void this.#try(`set reads ${list("reads").value}`));
    field("key").addEventListener("input", () => this.#nameKey());
    byId("clients").addEventListener("change", (event) => {
      this.#client = /** @type {HTMLInputElement} */ (event.target).value;
    });
    byId("load").addEventListener("change", (event) => void this.#load(/** @type {HTMLInputElement} */ (event.target).value));
  }

  #listenToCluster() {
    const { page } = this;
    byId("heal").addEventListener("click", () => void page.send("heal"));
    list("latency").addEventListener("change", () => void this.#try(`set latency ${Number(list("latency").value) / 1000}ms`));
    list("loss").addEventListener("change", () => void this.#try(`loss all ${list("loss").value}%`));
    byId("add-node").addEventListener("click", () => {
      const letter = page.store.state?.next_node;
      if (letter) void page.send(`add ${letter}`);
    });
    const start = () => page.store.start;
    byId("end-script").addEventListener("click", () => void page.restart({}));
    // One run is soon made again; a tree of branches is not.
    const mayGo = (/** @type {string} */ id) => page.store.branches.length < 2 || isSure(byId(id), "Drop all branches?");
    byId("reset").addEventListener("click", () => mayGo("reset") && void page.restart(start().scenario ? { scenario: /** @type {string} */ (start().scenario) } : { seed: start().seed, settings: start().settings }));
    byId("new-seed").addEventListener("click", () => mayGo("new-seed") && void page.restart({ seed: start().seed + 1, settings: start().settings }));
    byId("scenarios").addEventListener("click", () => void this.#chooseScenario());
  }

  #listenToSafety() {
    const details = /** @type {HTMLDetailsElement} */ (byId("switches"));
    for (const element of [details, byId("read-rules")]) {
      element.addEventListener("toggle", () => void import("./switches.js").then((module) => module.showSwitches(this.page)), { once: true });
    }
    const reveal = () => {
      if (location.hash !== "#switches") return;
      details.open = true;
      details.scrollIntoView({ block: "start" });
      details.querySelector("summary")?.focus({ preventScroll: true });
    };
    addEventListener("hashchange", reveal);
    document.getElementById("modified")?.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(null, "", "#switches");
      reveal();
    });
    reveal();
    list("clock").addEventListener("change", () => void this.#try(`set clock ${list("clock").value} on ${this.#subject}`));
  }

  /** Sends a command; on a refusal the control goes back to what holds. @param {string} text */
  async #try(text) {
    if (await this.page.send(text)) return;
    this.#drawn = null;
    this.change();
  }

  /** @param {string} level */
  async #load(level) {
    if (level === "off") return void (await this.#try("load stop"));
    const rate = LOADS[level === "busy" ? "busy" : "gentle"];
    const clients = Object.keys(this.page.store.state?.clients ?? {});
    // The last client is the background's; the others are left to the visitor.
    const client = clients[clients.length - 1] ?? "1";
    await this.page.send(...["writes", "reads"].map((kind) => `load ${kind} ${rate}/s on ${LOAD_KEY} by ${client}`));
  }

  async #chooseScenario() {
    const { page } = this;
    try {
      const response = await fetch("/scenarios.json");
      if (!response.ok) throw new Error(response.statusText);
      const scenarios = /** @type {Scenario[]} */ (await response.json());
      if (scenarios.length === 0) return page.say("The server offers no scenarios.");
      const actions = (/** @type {(scenario: Scenario) => boolean} */ fits) => scenarios.filter(fits).map(({ id, title, about }) => ({ label: title, about, run: () => void page.restart({ scenario: id }) }));
      page.menu("Start a scenario", [
        { label: "One rule switched off", about: "a disaster for each safety switch", more: actions(({ off }) => off.length > 0) },
        { label: "Only a cluster", about: "nothing happens by itself", more: actions((each) => !isStory(each) && each.off.length === 0) },
        ...actions((each) => isStory(each) && each.off.length === 0),
      ], byId("scenarios"));
    } catch {
      page.say("The list of scenarios could not be fetched.", "bad");
    }
  }

  // --- showing ------------------------------------------------------------------------------------

  /** Draws everything anew: what is offered has changed. */
  redraw() {
    this.#drawn = null;
    this.#subject = null;
    this.change();
  }

  change() {
    const { state } = this.page.store;
    const subject = this.page.subject();
    if (state === null) return;
    this.#countAnew();
    const before = this.#drawn;
    this.#drawn = state;
    if (before?.settings !== state.settings || before?.nodes !== state.nodes) this.#drawSettings(state);
    if (before?.nodes !== state.nodes) fillTargets(Object.keys(state.nodes));
    if (before?.clients !== state.clients) this.#drawClients(state);
    if (before?.links !== state.links || before?.settings !== state.settings) drawNetwork(state);
    if (before?.nodes !== state.nodes || before?.groups !== state.groups || subject !== this.#subject) {
      this.#subject = subject;
      this.#drawInspector(state, subject);
      byId("add-node").hidden = state.next_node === null;
      setText(byId("add-node"), `Add ${state.next_node}`);
    }
    this.#drawScript();
  }

  /** In a new run, which is no branch of another one, the values to write begin at the first. */
  #countAnew() {
    const { run, branches } = this.page.store;
    if (this.#run !== -1 && run !== this.#run && branches.length < 2) field("value").value = field("value").defaultValue;
    this.#run = run;
  }

  /** @param {ClusterState} state */
  #drawSettings(state) {
    for (const group of document.querySelectorAll("[data-setting]")) {
      const value = String(state.settings[group.getAttribute("data-setting") ?? ""]);
      for (const radio of group.querySelectorAll("input")) radio.checked = radio.value === value;
    }
    setText(byId("replication-hint"), replicationHint(state));
    setText(byId("failover-hint"), failoverHint(state));
    this.#nameKey();
  }

  #nameKey() {
    const { state } = this.page.store;
    if (state === null) return;
    const key = field("key").value.trim() || "x";
    setText(byId("delete-key"), key);
    const routes = [["leader", "the leader"], ["any", "any node"], ["round-robin", "each in turn"], ...Object.keys(state.nodes).map((node) => [node, node])];
    fill(list("reads"), routes.map(([value, words]) => [value, `${key} from ${words}`]), String(state.settings.reads));
  }

  /** @param {ClusterState} state */
  #drawClients(state) {
    const host = byId("clients");
    const clients = Object.keys(state.clients);
    if (!state.clients[this.#client]) this.#client = clients[0] ?? "1";
    if (host.childElementCount !== clients.length) {
      host.replaceChildren(...clients.map((client) => {
        const label = document.createElement("label");
        const radio = document.createElement("input");
        Object.assign(radio, { type: "radio", name: "client", value: client, checked: client === this.#client });
        radio.setAttribute("aria-label", `Client ${client}`);
        const words = document.createElement("span");
        words.textContent = client;
        label.append(radio, words);
        return label;
      }));
    }
    const busiest = Math.min(...Object.values(state.clients).flatMap(({ load }) => [load.write ?? Infinity, load.read ?? Infinity]));
    const level = busiest === Infinity ? "off" : busiest >= 1e6 / GENTLE_MAX ? "gentle" : "busy";
    for (const radio of byId("load").querySelectorAll("input")) radio.checked = radio.value === level;
    setText(byId("load-hint"), loadHint(state));
  }

  /** @param {ClusterState} state @param {string | null} node */
  #drawInspector(state, node) {
    byId("inspector").hidden = node === null;
    if (node === null) return;
    setText(byId("inspector-title"), `Node ${node} · ${roleLabels(state)[node]}${state.nodes[node].state === "paused" ? " · paused" : ""}`);
    const facts = nodeFacts(state, node);
    const host = byId("inspector-facts");
    if (host.childElementCount !== facts.length * 2) host.replaceChildren(...facts.flatMap(() => [document.createElement("dt"), document.createElement("dd")]));
    facts.flat().forEach((text, position) => setText(host.children[position], text));
    const clock = Number(state.nodes[node].settings.clock ?? state.settings.clock);
    const speeds = [...new Set([...CLOCKS, clock])].sort((a, b) => a - b);
    fill(list("clock"), speeds.map((percent) => [String(percent), `${percent} %`]), String(clock));
    this.#drawActions(node);
  }

  /** @param {string} node */
  #drawActions(node) {
    const host = byId("inspector-actions");
    const isOffered = (/** @type {Action} */ { commands, more }) => (more ?? [{ commands }]).some((each) => (each.commands ?? []).every((text) => this.page.offers(text)));
    const actions = this.page.nodeActions(node).filter(isOffered);
    const signature = `${node}: ${actions.map((action) => action.label).join()}`;
    if (host.dataset.for === signature) return;
    // Keep the keyboard where it was when "Kill" becomes "Restart" under it.
    const position = [...host.children].indexOf(/** @type {Element} */ (document.activeElement));
    host.dataset.for = signature;
    host.replaceChildren(...actions.map((action) => this.#makeButton(node, action.label, action.tone === "danger")));
    if (position >= 0) /** @type {HTMLElement | undefined} */ (host.children[Math.min(position, host.childElementCount - 1)])?.focus();
  }

  /** @param {string} node @param {string} label @param {boolean} isDangerous */
  #makeButton(node, label, isDangerous) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = isDangerous ? "button kill" : "button";
    // The panel follows the leader: what cannot be taken back says whom it means.
    button.textContent = isDangerous ? `${label} ${node}` : label;
    button.addEventListener("click", () => {
      // Looked up again: what it sends depends on the cluster as it is now.
      const action = this.page.nodeActions(node).find((candidate) => candidate.label === label);
      if (action?.commands) void this.page.send(...action.commands);
      else if (action?.more) this.page.menu(`${label} ${node}`, action.more, button);
    });
    return button;
  }

  #drawScript() {
    const { script } = this.page.store;
    const host = byId("script");
    // A run that only starts with some traffic has no story to follow.
    const isStory = script !== null && (script.lines.length > 2 || script.lines.some((line) => !line.done));
    host.hidden = !isStory;
    if (!isStory) return;
    const signature = script.title + script.broken.join() + script.lines.map((line) => line.done).join();
    if (host.dataset.for === signature) return;
    host.dataset.for = signature;
    setText(byId("script-title"), script.title);
    setText(byId("script-about"), script.about);
    const result = scriptResult(script);
    setText(byId("script-result"), result.says);
    byId("script-result").dataset.tone = result.tone;
    byId("script-lines").replaceChildren(...script.lines.map(({ text, done }, position) => {
      const item = document.createElement("li");
      const isBroken = script.broken.includes(position);
      item.className = isBroken ? "done broken" : done ? "done" : "";
      const mark = document.createElement("span");
      mark.textContent = isBroken ? "✗" : done ? "✓" : "·";
      const code = document.createElement("code");
      code.textContent = text;
      item.append(mark, code);
      return item;
    }));
    const next = host.querySelector("li:not(.done)");
    if (next instanceof HTMLElement) byId("script-lines").scrollTop = next.offsetTop - 60;
  }
}

/** @param {string} form @param {() => void} action */
function onSubmit(form, action) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

/** @param {Element} element @param {string} text */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes a list's options what they should be, without disturbing one that is open. @param {HTMLSelectElement} select @param {string[][]} options @param {string} value */
function fill(select, options, value) {
  const isKnown = options.some(([candidate]) => candidate === value);
  const all = isKnown ? options : [[value, value], ...options];
  if ([...select.options].map((option) => option.value + option.text).join() !== all.map((option) => option.join("")).join()) {
    select.replaceChildren(...all.map(([candidate, words]) => new Option(words, candidate)));
  }
  if (select.value !== value) select.value = value;
}

/** To which node writes may be sent; one that is gone is no target. @param {string[]} nodes */
function fillTargets(nodes) {
  const chosen = list("write-to").value;
  fill(list("write-to"), [["", "the leader it knows"], ...nodes.map((node) => /** @type {[string, string]} */ ([node, node]))], nodes.includes(chosen) ? chosen : "");
  nameTarget();
}

/** The button says where a write goes that does not go where writes go. */
function nameTarget() {
  const target = list("write-to").value;
  setText(/** @type {HTMLElement} */ (document.querySelector("#write-form .write")), target === "" ? "Write" : `Write to ${target}`);
}

/** @param {ClusterState} state */
function drawNetwork(state) {
  const latency = Number(state.settings.latency);
  const choices = [...new Set([...LATENCIES_US, latency])].sort((a, b) => a - b);
  fill(list("latency"), choices.map((us) => [String(us), duration(us)]), String(latency));
  const loss = Math.max(0, ...Object.values(state.links).map((link) => link.loss_percent));
  const losses = [...new Set([...LOSSES, loss])].sort((a, b) => a - b);
  fill(list("loss"), losses.map((percent) => [String(percent), percent === 0 ? "none" : `${percent} %`]), String(loss));
}

/** @param {ClusterState} state */
function replicationHint(state) {
  const { settings } = state;
  const done = { received: "has received the write", applied: "has applied the write" }[String(settings.level)] ?? "has the write on disk";
  const followers = Number(settings["semi-sync-followers"]);
  const { needed, voters } = majority(state);
  switch (settings.replication) {
    case "semi-sync": return `The leader answers OK once ${followers === 1 ? "one follower" : `${followers} followers`} ${followers === 1 ? done : done.replace("has", "have")}.`;
    case "quorum": return `The leader answers OK once a majority, ${needed} of ${voters}, ${done}.`;
    case "sync": return `The leader answers OK once every follower ${done}: one dead follower blocks all writes.`;
    default: return "The leader answers OK before any follower has the write. Cut its links, write, kill it: lost.";
  }
}

/** @param {ClusterState} state */
function failoverHint({ settings }) {
  if (settings.failover === "manual") return "When the leader dies, nobody takes over until you promote a node.";
  const shortest = Number(settings["election-timeout-min"]) / 1e6;
  const longest = Number(settings["election-timeout-max"]) / 1e6;
  return `Followers hold an election after ${shortest === longest ? shortest : `${shortest}–${longest}`} s without a heartbeat.`;
}

/** Who makes the background traffic, and with what. @param {ClusterState} state */
function loadHint({ clients }) {
  const busy = Object.keys(clients).filter((client) => clients[client].load.write !== null || clients[client].load.read !== null);
  if (busy.length === 0) return "Nobody asks anything but you.";
  const who = busy.length === 1 ? `Client ${busy[0]} does` : `Clients ${busy.join(", ")} do`;
  return `${who} this; ${busy.length === Object.keys(clients).length ? "you can as well" : "the others are yours"}.`;
}

/** How far a scenario has come, and at its end how its expectations fared. @param {Script} script @returns {{ says: string, tone: string }} */
function scriptResult({ lines, broken }) {
  const done = lines.filter((line) => line.done).length;
  if (done < lines.length) return { says: `${done} of ${lines.length} lines done${broken.length > 0 ? `, ${broken.length} not as expected` : ""}`, tone: broken.length > 0 ? "bad" : "info" };
  const expected = lines.filter(({ text }, position) => text.startsWith("expect ") || broken.includes(position)).length;
  if (broken.length > 0) return { says: `Over: ${broken.length} of ${expected} expectations did not hold`, tone: "bad" };
  return { says: expected === 0 ? "Over: everything was done" : expected === 1 ? "Over: its one expectation held" : `Over: all ${expected} expectations held`, tone: "good" };
}

/** @param {ClusterState} state @param {string} node @returns {string[][]} */
function nodeFacts(state, node) {
  const replica = replicaOf(state, node);
  const leader = leaderOf(state);
  const own = state.nodes[node].settings;
  const stored = Object.entries(replica.store).map(([key, { value }]) => `${key}=${value}`).join(" ");
  const facts = [
    ["term", String(replica.term)],
    ["log / on disk", `${lastIndex(replica)} / ${replica.flushed_index}`],
    ["committed / applied", `${replica.commit_index} / ${replica.applied_index}`],
    ["store", stored === "" ? "empty" : stored],
  ];
  if (node === leader) {
    for (const other in state.nodes) {
      const condition = state.nodes[other].state;
      if (other !== node) facts.push([`lag of ${other}${condition === "up" ? "" : ` (${condition})`}`, entries(apart(state, other))]);
    }
  } else facts.push(["behind the leader", leader === null ? "no leader" : entries(apart(state, node))]);
  for (const name of ["flush", "apply"]) if (own[name] !== undefined) facts.push([`${name} takes`, duration(Number(own[name]))]);
  return facts;
}

/** @param {{ missing: number, extra: number }} difference */
const entries = ({ missing, extra }) => `${missing} ${missing === 1 ? "entry" : "entries"}${extra > 0 ? `, ${extra} extra` : ""}`;
