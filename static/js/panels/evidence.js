// @ts-check
/**
 * What speaks against a promise: every breach in a sentence, and its operations in order of time as
 * a counterexample that can be followed, lit on the diagram above.
 */
import { light } from "../diagram/spotlight.js";
import { operationWords, seconds } from "../store.js";
import { closeDrawer, make, openDrawer, shownName } from "./drawer.js";
import { whyWrite } from "./why.js";

/** @param {Page} page @param {string} promise */
export function openEvidence(page, promise) {
  const name = `evidence ${promise}`;
  if (shownName() === name) return closeDrawer();
  new Evidence(page, promise, name);
}

class Evidence {
  /** @type {Finding[] | null} */
  #findings = null;
  #chosen = 0;
  #drawn = "";
  #sequence = -1;
  /** @type {Operation[]} operations once seen: the run forgets old ones, a person still reading does not */
  #known = [];

  /** @param {Page} page @param {string} promise @param {string} name */
  constructor(page, promise, name) {
    this.page = page;
    this.promise = promise;
    const chip = this.chip = () => document.querySelector(`[data-verdict="${CSS.escape(promise)}"]`);
    this.drawer = openDrawer(page, name, "", {
      refresh: () => void this.#ask(),
      origin: chip,
      closed: () => chip()?.setAttribute("aria-expanded", "false"),
    });
    this.says = make("p", { className: "drawer-says" });
    this.list = make("div", { className: "findings" });
    this.list.setAttribute("role", "group");
    this.list.setAttribute("aria-label", "What was found");
    this.story = make("div", { className: "counterexample" });
    this.drawer.body.append(this.says, make("div", { className: "evidence-columns" }, this.list, this.story));
    this.drawer.title.tabIndex = -1;
    this.#draw();
    this.drawer.title.focus({ preventScroll: true });
    void this.#ask();
  }

  async #ask() {
    if (this.page.store.sequence < this.#sequence) this.#known = []; // A new run counts its operations from 1 again.
    this.#sequence = this.page.store.sequence;
    const answer = await this.page.connection.evidence(this.promise);
    if (!answer.ok) return void (this.says.textContent = answer.error?.says ?? "The evidence could not be fetched.");
    this.#findings = answer.findings ?? [];
    if (this.drawer.element.isConnected) this.#draw();
  }

  #draw() {
    const verdict = this.page.store.state?.verdicts[this.promise];
    if (!verdict) return;
    const sign = verdict.held === null ? "–" : verdict.held ? "✓" : "✗";
    const findings = this.#findings ?? [];
    const operations = findings[this.#chosen]?.operations ?? [];
    const signature = JSON.stringify([verdict, findings, this.#chosen, operations.map((id) => this.#operation(id))]);
    this.chip()?.setAttribute("aria-expanded", "true"); // Chips are made anew when others join them.
    if (signature === this.#drawn) return;
    this.#drawn = signature;
    this.drawer.element.dataset.held = String(verdict.held);
    this.drawer.title.textContent = `${sign} ${verdict.title}`;
    this.says.textContent = sentence(verdict, this.#findings);
    this.#drawFindings(findings);
    this.#drawStory(operations);
    light(this.page.store.state, operations);
  }

  /** @param {Finding[]} findings */
  #drawFindings(findings) {
    // A single finding that the verdict has already told is not told again.
    this.list.hidden = findings.length === 0 || findings.length === 1 && this.says.textContent?.includes(findings[0].says) === true;
    this.drawer.element.classList.toggle("single", this.list.hidden);
    if (this.list.hidden) return;
    const buttons = [...this.list.children];
    if (buttons.map((button) => button.textContent).join("\n") !== findings.map(({ says }) => says).join("\n")) {
      const focused = buttons.indexOf(/** @type {Element} */ (document.activeElement));
      this.list.replaceChildren(...findings.map(({ says }, position) => {
        const button = make("button", { type: "button", className: "finding", textContent: says });
        button.addEventListener("click", () => {
          this.#chosen = position;
          this.#draw();
        });
        return button;
      }));
      if (focused >= 0) /** @type {HTMLElement | undefined} */ (this.list.children[Math.min(focused, findings.length - 1)])?.focus();
    }
    [...this.list.children].forEach((button, position) => button.setAttribute("aria-pressed", String(position === this.#chosen)));
  }

  /** An operation as it is, or as it last was. @param {number} id @returns {Operation | undefined} */
  #operation(id) {
    const now = this.page.store.state?.operations[id];
    const before = this.#known.findIndex((operation) => operation.id === id);
    if (now && before >= 0) this.#known[before] = now;
    else if (now) this.#known.push(now);
    return now ?? this.#known[before];
  }

  /** @param {number[]} ids */
  #drawStory(ids) {
    if (ids.length === 0) return this.story.replaceChildren();
    const operations = ids.flatMap((id) => this.#operation(id) ?? []).sort((a, b) => a.called_us - b.called_us);
    const end = (/** @type {Operation} */ operation) => operation.returned_us ?? this.page.store.nowUs;
    const first = Math.min(...operations.map((operation) => operation.called_us));
    const span = Math.max(1, Math.max(...operations.map(end)) - first);
    const rows = operations.map((operation) => timelineRow(this.page, operation, (operation.called_us - first) / span, (end(operation) - operation.called_us) / span));
    const missing = ids.length - operations.length;
    const list = make("ol", {}, ...rows);
    list.setAttribute("aria-label", "The operations in order of time");
    this.story.replaceChildren(list, ...(missing > 0 ? [make("p", { className: "hint", textContent: `${missing} earlier ${missing === 1 ? "operation is" : "operations are"} no longer shown.` })] : []));
  }
}

/** @param {Verdict} verdict @param {Finding[] | null} findings */
function sentence({ held, says }, findings) {
  if (held === null) return says || "Not judged yet.";
  const start = says === "" ? "" : `${says}${/[.!)]$/.test(says) ? "" : "."} `;
  return findings !== null && findings.length > 1 ? `${start}${findings.length} findings; choose one to see it on the diagram.` : start.trim();
}

/** @param {Page} page @param {Operation} operation @param {number} from part of the time shown @param {number} length */
function timelineRow(page, operation, from, length) {
  const bar = make("span", { className: "bar-of-time" });
  bar.style.left = `${(from * 100).toFixed(1)}%`;
  bar.style.width = `${Math.max(1.5, length * 100).toFixed(1)}%`;
  const track = make("span", { className: "track" }, bar);
  track.setAttribute("aria-hidden", "true");
  const row = make("li", { className: `${operation.kind}${operation.lost ? " lost" : ""}${operation.returned_us === null ? " open" : ""}` },
    make("b", { textContent: `Client ${operation.client}` }),
    make("code", { textContent: operationWords(operation) }),
    make("span", { className: "times", textContent: `${seconds(operation.called_us)} – ${operation.returned_us === null ? "no answer" : seconds(operation.returned_us)}` }),
    make("span", { className: "result", textContent: resultWords(operation) }, ...(operation.lost ? [" ", whyWrite(page, operation.id, operationWords(operation))] : [])),
    track);
  row.dataset.operation = String(operation.id);
  return row;
}

/** @param {Operation} operation */
function resultWords({ kind, key, outcome, result, node, lost, stale }) {
  const by = node === null ? "" : `, answered by ${node}`;
  if (outcome === "pending") return "still waiting";
  if (outcome === "unknown") return "outcome unknown: no answer came";
  if (outcome === "failed") return `refused${by}`;
  if (kind === "read") return `found ${result === null ? "nothing" : `${key} = ${result}`}${by}${stale ? " – stale" : ""}`;
  return `OK${by}${lost ? " – then LOST" : ""}`;
}
