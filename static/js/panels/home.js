// @ts-check
/**
 * The welcome beside the cluster: one invitation at a time. It follows the run, not a script: what
 * is offered next depends on what is alive and what was asked.
 */
import { leaderOf } from "../store.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @typedef {{ step: string, says: string, button: string | null, commands: string[] }} Invitation */

export class Panel {
  #hasKilled = false;
  #hasRead = false;
  #hasRestarted = false;
  /** @type {Invitation | null} */
  #shown = null;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    byId("invite").addEventListener("click", () => void this.#accept());
  }

  async #accept() {
    const { page } = this;
    const invitation = this.#shown;
    if (invitation === null) return;
    if (invitation.commands.length === 0) return void location.assign("/play");
    if (!page.store.isPlaying) page.playback("play");
    if (!(await page.send(...invitation.commands))) return;
    if (invitation.button?.startsWith("Read")) this.#hasRead = true;
    if (invitation.button?.startsWith("Bring")) this.#hasRestarted = true;
    this.change();
  }

  change() {
    const { state } = this.page.store;
    if (state === null) return;
    if (Object.values(state.nodes).some((node) => node.state === "dead")) this.#hasKilled = true;
    const invitation = this.#next(state);
    if (this.#shown?.says === invitation.says && this.#shown.button === invitation.button) return;
    this.#shown = invitation;
    byId("invitation-step").textContent = invitation.step;
    byId("invitation-says").textContent = invitation.says;
    const button = /** @type {HTMLButtonElement} */ (byId("invite"));
    button.textContent = invitation.button ?? "Wait for it…";
    button.disabled = invitation.button === null;
  }

  /** @param {ClusterState} state @returns {Invitation} */
  #next(state) {
    const leader = leaderOf(state);
    const dead = Object.keys(state.nodes).filter((node) => state.nodes[node].state === "dead");
    const alive = Object.keys(state.nodes).filter((node) => !dead.includes(node));
    if (leader === null && state.settings.failover === "manual" && alive.length > 0) {
      return { step: "Nobody leads", says: "Failover is manual here: the cluster waits for a person to choose.", button: "Promote the freshest node", commands: ["promote freshest"] };
    }
    if (leader === null && dead.length * 2 >= Object.keys(state.nodes).length) {
      return { step: "Too few are left", says: "An election needs a majority, and there is none. Nothing can be written until a node returns.", button: `Bring ${dead[0]} back`, commands: [`restart ${dead[0]}`] };
    }
    if (leader === null) {
      return { step: "Now watch", says: `${alive.join(" and ")} wait for a heartbeat that does not come. The first whose ring runs out asks the others for their votes.`, button: null, commands: [] };
    }
    if (dead.length > 0 && !this.#hasRead) {
      return { step: `${leader} took over`, says: `The votes made ${leader} the leader of a new term. Did the value survive?`, button: "Read x from the new leader", commands: ["read x from leader"] };
    }
    if (dead.length > 0) {
      return { step: "One copy is missing", says: `${dead[0]} knows nothing of the new leader. What happens when it returns?`, button: `Bring ${dead[0]} back`, commands: [`restart ${dead[0]}`] };
    }
    if (this.#hasKilled && this.#hasRestarted) {
      return { step: "Your turn", says: "It follows the new leader and copies what it missed. Now choose how safe a write must be, cut links, and try to lose one.", button: "Open the Playground", commands: [] };
    }
    return { step: "Start here", says: "Take away the node that everything depends on and watch what the others do.", button: "Kill the leader", commands: ["kill leader"] };
  }
}
