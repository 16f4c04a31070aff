// @ts-check
/**
 * The command palette: one line of the command language, with what could come next. A refused line
 * stays, with the word at fault underlined and what would fit there.
 */

const ASK_AFTER_MS = 60;
/** @type {string[]} what was sent, newest last */
const history = [];

/** @param {Page} page @param {string} [typed] what the line begins with */
export function openPalette(page, typed = "") {
  document.querySelector("dialog.palette")?.remove();
  const dialog = document.createElement("dialog");
  dialog.className = "palette";
  dialog.setAttribute("aria-label", "Type a command");
  const form = document.createElement("form");
  const input = document.createElement("input");
  Object.assign(input, { type: "text", placeholder: "write x 1", spellcheck: false, autocomplete: "off", value: typed });
  input.setAttribute("aria-label", "Command");
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", "palette-list");
  input.setAttribute("aria-expanded", "true");
  input.setAttribute("autocapitalize", "off");
  const send = Object.assign(document.createElement("button"), { type: "submit", className: "button primary", textContent: "Send" });
  form.append(input, send);
  const fault = Object.assign(document.createElement("div"), { className: "fault", hidden: true });
  fault.setAttribute("role", "alert");
  const hint = Object.assign(document.createElement("p"), { className: "hint" });
  const list = Object.assign(document.createElement("ul"), { id: "palette-list" });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What could come next");
  dialog.append(form, fault, hint, list);
  document.body.append(dialog);
  new Palette(page, dialog, form, input, fault, hint, list);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.showModal();
}

class Palette {
  #chosen = -1;
  #past = history.length;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Page} page @param {HTMLDialogElement} dialog @param {HTMLFormElement} form @param {HTMLInputElement} input @param {HTMLElement} fault @param {HTMLElement} hint @param {HTMLElement} list */
  constructor(page, dialog, form, input, fault, hint, list) {
    this.page = page;
    this.dialog = dialog;
    this.input = input;
    this.fault = fault;
    this.hint = hint;
    this.list = list;
    input.addEventListener("input", () => this.#typed());
    input.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    void this.#complete();
  }

  #typed() {
    this.fault.hidden = true;
    this.input.removeAttribute("aria-invalid");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#complete(), ASK_AFTER_MS);
  }

  async #complete() {
    const text = this.input.value;
    const answer = await this.page.connection.complete(text);
    if (this.input.value !== text) return;
    // What is wrong with the line that was sent is told once, and by the fault.
    this.hint.textContent = !this.fault.hidden ? "" : answer.ok ? (answer.hint ?? "") : (answer.error?.says ?? "");
    this.#chosen = -1;
    this.list.replaceChildren(...(answer.completions ?? []).slice(0, 40).map((word, position) => {
      const item = document.createElement("li");
      item.id = `completion-${position}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.textContent = word;
      item.addEventListener("click", () => this.#take(word));
      return item;
    }));
  }

  /** Puts a completion in place of the word that was begun. @param {string} word */
  #take(word) {
    const text = this.input.value;
    const start = text.length - (/\S*$/.exec(text)?.[0].length ?? 0);
    this.input.value = `${text.slice(0, start)}${word} `;
    this.input.focus();
    this.#typed();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const options = [...this.list.children];
    if (event.key === "Tab" && options.length > 0 && !event.shiftKey && this.input.value !== "") {
      event.preventDefault();
      this.#take(options[Math.max(0, this.#chosen)].textContent ?? "");
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (this.input.value === "" || this.#past < history.length) && history.length > 0 && this.#chosen < 0 && event.key === "ArrowUp") {
      event.preventDefault();
      this.#past = Math.max(0, this.#past - 1);
      this.input.value = history[this.#past];
      this.#typed();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.#choose(this.#chosen + (event.key === "ArrowDown" ? 1 : -1), options);
    } else if (event.key === "Enter" && this.#chosen >= 0) {
      event.preventDefault();
      this.#take(options[this.#chosen].textContent ?? "");
    }
  }

  /** @param {number} position @param {Element[]} options */
  #choose(position, options) {
    options[this.#chosen]?.setAttribute("aria-selected", "false");
    this.#chosen = Math.max(-1, Math.min(options.length - 1, position));
    const option = options[this.#chosen];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  async #send() {
    const text = this.input.value.trim();
    if (text === "") return;
    const answer = await this.page.command(text);
    if (answer.ok) {
      history.push(text);
      this.dialog.close();
    } else this.#showFault(this.input.value, answer.error ?? { says: "The server refused this." });
  }

  /** What would fit in this run: what was probably meant comes first, nodes that are not there do not come. @param {string} text @param {string} says @param {string[]} fits */
  #best(text, says, fits) {
    const nodes = this.page.store.state?.nodes ?? {};
    const meant = /Did you mean (\S+)\?/.exec(says)?.[1];
    const there = fits.filter((word) => !/^[A-I]$/.test(word) || nodes[word] || /^\s*add\b/i.test(text));
    return meant && there.includes(meant) ? [meant, ...there.filter((word) => word !== meant)] : there;
  }

  /** @param {string} text @param {Refusal} refusal */
  #showFault(text, { says, word, at, fits }) {
    this.fault.hidden = false;
    this.hint.textContent = "";
    this.input.setAttribute("aria-invalid", "true");
    const line = document.createElement("code");
    const start = at ?? (word ? text.indexOf(word) : -1);
    if (start >= 0) {
      const wrong = document.createElement("u");
      wrong.textContent = text.slice(start, start + (word?.length ?? 0)) || " ";
      line.append(text.slice(0, start), wrong, text.slice(start + (word?.length ?? 0)));
    } else line.append(text);
    const sentence = Object.assign(document.createElement("p"), { textContent: says });
    this.fault.replaceChildren(line, sentence);
    const fitting = this.#best(text, says, fits ?? []);
    if (fitting.length > 0) {
      const would = Object.assign(document.createElement("p"), { className: "fits", textContent: "Would fit: " });
      for (const candidate of fitting.slice(0, 12)) {
        const button = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: candidate });
        button.addEventListener("click", () => {
          if (start >= 0) this.input.value = text.slice(0, start) + candidate + text.slice(start + (word?.length ?? 0));
          this.input.focus();
          this.#typed();
        });
        would.append(button);
      }
      this.fault.append(would);
    }
  }
}
