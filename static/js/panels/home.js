// @ts-check
/**
 * The welcome beside the cluster: one invitation at a time, towards the leader's death, what becomes of
 * the visitor's value, and a write that is lost although its client was told OK. It follows the run, not
 * a script: what is offered next depends on what is alive, cut off, asked and answered.
 */
import { leaderOf, replicaOf } from "../store.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** The visitor's client and key: background traffic uses others. */
const CLIENT = "1";
const KEY = "x";

/**
 * @typedef {object} Invitation
 * @property {string} step
 * @property {string} says
 * @property {string} [more] what comes after the answer in `says`
 * @property {"good" | "bad"} [tone] of an answer
 * @property {string} [button] none while there is only something to watch
 * @property {string[]} [commands] none: go to the playground
 */

export class Panel {
  /** @type {Invitation | null} */
  #shown = null;
  /** The visitor's newest write and read: the run forgets old operations, the story does not. @type {Operation | null} */
  #write = null;
  /** @type {Operation | null} */
  #read = null;
  #hasLost = false;
  #run = -1;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    byId("invite").addEventListener("click", () => void this.#accept());
  }

  async #accept() {
    const { page } = this;
    const invitation = this.#shown;
    if (!invitation?.button) return;
    if (!invitation.commands) return void location.assign("/play");
    if (!page.store.isPlaying) page.playback("play");
    await page.send(...invitation.commands);
    this.change();
  }

  change() {
    const { state } = this.page.store;
    if (state === null) return;
    this.#remember(state);
    const invitation = this.#next(state);
    if (JSON.stringify(this.#shown) === JSON.stringify(invitation)) return;
    this.#shown = invitation;
    byId("invitation").dataset.tone = invitation.tone ?? "";
    byId("invitation-step").textContent = invitation.step;
    byId("invitation-says").textContent = invitation.says;
    byId("invitation-more").textContent = invitation.more ?? "";
    const button = /** @type {HTMLButtonElement} */ (byId("invite"));
    button.textContent = invitation.button ?? "Wait for it…";
    button.disabled = invitation.button === undefined;
    byId("onward").hidden = invitation.button !== undefined && !invitation.commands;
  }

  /** @param {ClusterState} state */
  #remember({ operations }) {
    const { run } = this.page.store;
    if (run !== this.#run) {
      this.#write = this.#read = null;
      this.#hasLost = false;
      this.#run = run;
    }
    for (const id in operations) {
      const operation = operations[id];
      if (operation.client !== CLIENT || operation.key !== KEY) continue;
      if (operation.kind === "write" && operation.id >= (this.#write?.id ?? 0)) this.#write = operation;
      if (operation.kind === "read" && operation.id >= (this.#read?.id ?? 0)) this.#read = operation;
      if (operation.lost) this.#hasLost = true;
    }
  }

  /** @param {ClusterState} state @returns {Invitation} */
  #next(state) {
    const leader = leaderOf(state);
    const dead = Object.keys(state.nodes).filter((node) => state.nodes[node].state === "dead");
    const alive = Object.keys(state.nodes).filter((node) => !dead.includes(node));
    if (leader === null) return leaderless(state, dead, alive);
    if (dead.length > 0) return this.#aftermath(state, leader, dead[0]);
    const lonely = alive.find((node) => replicaOf(state, node).role === "leader" && isCutOff(state, node, alive));
    if (lonely !== undefined) return this.#cutOff(lonely);
    if (this.#hasLost) {
      const quorum = "Under quorum it would not have had its OK before a majority held the write. Choose how safe a write must be, cut links, and try to lose one.";
      return { step: "Your turn", says: `Client ${CLIENT} was told OK, and still the write is gone.`, more: quorum, button: "Open the Playground" };
    }
    if (replicaOf(state, leader).term > 1) return this.#inviteLoss(state, leader, alive);
    const value = this.#write?.acknowledged_us == null ? KEY : label(this.#write);
    return { step: "Start here", says: `Take away the node that everything depends on, and see what becomes of ${value}.`, button: "Kill the leader", commands: ["kill leader"] };
  }

  /** Somebody leads again, and a node is still dead. @param {ClusterState} state @param {string} leader @param {string} dead @returns {Invitation} */
  #aftermath(state, leader, dead) {
    const read = this.#read;
    const isAsked = read !== null && read.id > (this.#write?.id ?? 0) && (read.node ?? read.target) === leader;
    const step = `${leader} took over`;
    if (!isAsked || read.outcome === "unknown" || read.outcome === "failed") {
      const promise = this.#write?.acknowledged_us == null ? "" : ` Client ${CLIENT} had been told that ${label(this.#write)} is stored.`;
      return { step, says: `The votes made ${leader} the leader of term ${replicaOf(state, leader).term}.${promise} Did it survive?`, button: "Read x from the new leader", commands: [`read ${KEY} by ${CLIENT} from leader`] };
    }
    if (read.outcome === "pending") return { step, says: `Client ${CLIENT} asks ${leader} for ${KEY}.` };
    const isCut = Object.values(state.links).some(({ cut }) => cut);
    return { step, ...this.#fate(state, read), more: `${dead} knows nothing of ${leader}. What happens when it returns?`, button: `Bring ${dead} back`, commands: [...(isCut ? ["heal"] : []), `restart ${dead}`] };
  }

  /** What became of the visitor's value, from what the run says of it. @param {ClusterState} state @param {Operation} read @returns {{ says: string, tone: "good" | "bad" }} */
  #fate(state, read) {
    const found = read.result === null ? `${KEY} holds nothing` : `${KEY} is ${read.result}`;
    const write = this.#write;
    if (write === null) return { says: `${found}.`, tone: "good" };
    if (write.lost) return { says: `${label(write)} is gone. ${write.lost_because ?? ""}`, tone: "bad" };
    if (read.result !== write.value) return { says: `${found}: ${label(write)} is not there, and nobody had been told that it was.`, tone: "bad" };
    if (write.acknowledged_us === null) return { says: `${label(write)} survived, although client ${CLIENT} never had an OK for it.`, tone: "good" };
    const holders = Object.keys(state.nodes).filter((node) => state.nodes[node].state !== "dead" && holds(state, node, write));
    return { says: `${label(write)} survived: ${listed(holders)} had it.`, tone: "good" };
  }

  /** @param {ClusterState} state @param {string} leader @param {string[]} alive @returns {Invitation} */
  #inviteLoss(state, leader, alive) {
    const followers = alive.filter((node) => node !== leader);
    const commands = followers.map((node) => `cut ${leader} ${node}`);
    if (state.settings.replication !== "async") commands.unshift("set replication async");
    return {
      step: "Now lose one", says: `The others had their copies in time. ${leader} answers OK before any has arrived, so what if none gets out?`,
      button: `Cut ${leader} off from ${listed(followers)}`, commands,
    };
  }

  /** A leader without a link to anybody. @param {string} leader @returns {Invitation} */
  #cutOff(leader) {
    const write = this.#write;
    const isHere = write !== null && (write.node ?? write.target) === leader && write.acknowledged_us !== null;
    if (write !== null && write.lost) {
      return { step: "OK, and gone", says: `${label(write)} is gone. ${write.lost_because ?? ""}`, tone: "bad", more: `Client ${CLIENT} still believes it is stored.`, button: "Heal the links", commands: ["heal"] };
    }
    if (write?.outcome === "pending") return { step: `${leader} is cut off`, says: `Client ${CLIENT} writes ${label(write)}.` };
    if (isHere && this.#isAlone(write)) {
      return { step: `OK, says ${leader}`, says: `Client ${CLIENT} was told that ${label(write)} is stored. Nobody but ${leader} has it.`, button: `Kill ${leader}`, commands: [`kill ${leader}`] };
    }
    const value = Number(write?.value) + 1 || 2;
    return { step: `${leader} is cut off`, says: `Client ${CLIENT} notices nothing and goes on writing to ${leader}. It will be told OK.`, button: `Write ${KEY}=${value}`, commands: [`write ${KEY} ${value} by ${CLIENT}`] };
  }

  /** Whether only the node that answered has a write. @param {Operation} write */
  #isAlone(write) {
    const { state } = this.page.store;
    return state !== null && Object.keys(state.nodes).every((node) => node === write.node || !holds(state, node, write));
  }
}

/** @param {ClusterState} state @param {string[]} dead @param {string[]} alive @returns {Invitation} */
function leaderless(state, dead, alive) {
  if (state.settings.failover === "manual" && alive.length > 0) {
    return { step: "Nobody leads", says: "Failover is manual here: the cluster waits for a person to choose.", button: "Promote the freshest node", commands: ["promote freshest"] };
  }
  if (dead.length * 2 >= Object.keys(state.nodes).length) {
    return { step: "Too few are left", says: "An election needs a majority, and there is none. Nothing can be written until a node returns.", button: `Bring ${dead[0]} back`, commands: [`restart ${dead[0]}`] };
  }
  return { step: "Now watch", says: `${listed(alive)} wait for a heartbeat that does not come. The first whose ring runs out asks the others for their votes.` };
}

/** @param {Operation} write */
const label = ({ key, value }) => `${key}=${value}`;

/** `B`, `B and C` @param {string[]} names */
const listed = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}` : names.join());

/** Whether a node's log has the entry of a write. @param {ClusterState} state @param {string} node @param {Operation} write */
const holds = (state, node, write) => replicaOf(state, node).log.some((entry) => entry.index === write.index && entry.term === write.term);

/** Whether nothing a node sends reaches any other. @param {ClusterState} state @param {string} node @param {string[]} alive */
function isCutOff({ links }, node, alive) {
  const others = alive.filter((other) => other !== node);
  return others.length > 0 && others.every((other) => links[`${node}>${other}`]?.cut);
}
