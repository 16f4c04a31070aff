// @ts-check
/** Words for the events that the narrator passes over, made of what each of them changed. */
import { seconds } from "../store.js";

/** @typedef {import("./spacetime-model.js").SpaceTime} SpaceTime */

/** The field of a replica that says what happened, and how. @type {Record<string, [string, (node: string, value: any) => string]>} */
const OF_REPLICA = {
  "term.advanced": ["term", (node, term) => `${node} moves on to term ${term}.`],
  "timer.set": ["election_at_us", (node, us) => (us === null ? `${node}’s election timer is off.` : `${node}’s election timer fires at ${seconds(us)}.`)],
  "leader.recognised": ["leader", (node, leader) => (leader === null ? `${node} knows of no leader.` : `${node} takes ${leader} for the leader.`)],
  "leader.started": ["role", (node) => `${node} leads.`],
  "leader.stepped_down": ["role", (node) => `${node} is a follower again.`],
  "election.started": ["role", (node) => `${node} stands for election.`],
  "vote.counted": ["votes", (node, votes) => `${node} has the votes of ${votes.join(" and ")}.`],
  "handover.started": ["handing_over_to", (node, successor) => `${node} begins to hand over to ${successor}.`],
  "handover.ended": ["handing_over_to", (node) => `${node} gives up handing over.`],
  "entry.appended": ["log", (node, entry) => `${node} puts ${entry.label} into its log at index ${entry.index}.`],
  "entry.received": ["log", (node, entry) => `${node} receives ${entry.label} for index ${entry.index}.`],
  "entry.applied": ["applied_index", (node, index) => `${node} applies entry ${index}.`],
  "log.flushed": ["flushed_index", (node, index) => `${node} has its log on disk up to entry ${index}.`],
  "log.truncated": ["log", (node, count) => `${node} keeps only the first ${count} of its entries.`],
  "commit.advanced": ["commit_index", (node, index) => `${node} takes entry ${index} for committed.`],
  "store.rebuilt": ["applied_index", (node, index) => `${node} built its store anew, up to entry ${index}.`],
};

/** What an event that is not told changed, in words; empty when nothing of it is seen. @param {Step} step @param {SpaceTime} space @returns {string} */
export function untold({ name, patches }, space) {
  const first = (/** @type {string} */ holder) => patches.find(([, path]) => path[0] === holder && path.length > 1);
  if (name in OF_REPLICA) {
    const [field, says] = OF_REPLICA[name];
    // An old message that is no longer drawn may leave the picture with any event: that is not what it is about.
    const patch = patches.find(([kind, path]) => kind !== "-" && kind !== ">" && path[2] === "replicas" && path[4] === field && path.length === 5);
    return patch === undefined ? "" : says(String(patch[1][1]), patch[2]);
  }
  switch (name.split(".")[0]) {
    case "message": {
      const flight = patches.map(([, path]) => (path[0] === "messages" ? space.flight(String(path[1])) : undefined)).findLast((each) => each !== undefined);
      return flight === undefined ? "" : `${flight.kind} ${flight.kind === "heartbeat" ? "" : `${flight.label} `}${flight.source} → ${flight.target}`;
    }
    case "command": return String(patches.find(([, path]) => path[0] === "command")?.[2] ?? "");
    case "setting": {
      const patch = patches.find(([, path]) => path.at(-2) === "settings");
      return patch === undefined ? "" : `${patch[1].at(-1)}${patch[1].length > 2 ? ` of ${patch[1][1]}` : ""} = ${String(patch[2])}`;
    }
    case "link": return String(first("links")?.[1][1] ?? "").replace(">", " → ");
    case "client": {
      const patch = patches.find(([, path]) => path[0] === "clients" && path[2] === "knows");
      if (patch === undefined) return "";
      return patch[2] === null ? `Client ${patch[1][1]} knows of no leader any more.` : `Client ${patch[1][1]} believes from now on that ${patch[2]} leads.`;
    }
    case "node": return String(first("nodes")?.[1][1] ?? "");
    case "operation": case "request": case "read": case "write": {
      const operation = first("operations")?.[1][1];
      return operation === undefined ? "" : `operation ${operation}`;
    }
    default: return "";
  }
}
