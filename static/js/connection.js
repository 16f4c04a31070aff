// @ts-check
/**
 * The socket: the only module that knows there is one. It turns what the server pushes into calls
 * and what the page asks into promises of an `Answer`; a question that gets no answer in time comes
 * back as a refusal in words, never as an exception.
 */

// By address, so that the type checker reads `ClientSocket` and not the client's minified code.
const client = await import(new URL("../vendor/socket.io.esm.min.js", import.meta.url).href);

const ANSWER_WITHIN_MS = 8000;

/** @type {Refusal} */
const NO_ANSWER = { says: "The server did not answer, so it is not known whether this was done. Look at the diagram before trying again." };

/**
 * @param {{
 *   keyframe(keyframe: RunKeyframe): void,
 *   frame(frame: Frame): void,
 *   status(status: ConnectionStatus, says: string): void,
 * }} listener
 * @returns {Connection}
 */
export function connect(listener) {
  // In a frame of another site there is no cookie: the page was given a room of its own.
  const { room: token, page } = document.body.dataset;
  // WebSocket first: it saves the polling round trips of a first load; polling is the fallback.
  const auth = token === undefined ? { page } : { room: token, page };
  const socket = /** @type {ClientSocket} */ (client.io({ auth, transports: ["websocket", "polling"], tryAllTransports: true, reconnectionDelay: 500, reconnectionDelayMax: 4000 }));
  let isClosed = false;

  socket.on("connect", () => listener.status("open", ""));
  socket.on("disconnect", (reason) => {
    if (isClosed) return;
    listener.status("lost", whoseFault());
    // After a disconnect asked for by the server the client library does not try again by itself.
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
  });
  socket.on("connect_error", () => listener.status("lost", whoseFault()));
  socket.on("keyframe", (keyframe) => listener.keyframe(keyframe));
  socket.on("frame", (frame) => listener.frame(frame));
  socket.on("room.closed", ({ says }) => {
    isClosed = true;
    socket.disconnect();
    listener.status("closed", String(says));
  });

  /** @param {string} event @param {object} payload @returns {Promise<Answer>} */
  async function ask(event, payload) {
    if (!socket.connected) return { ok: false, error: { says: "There is no connection to the server just now, so nothing was sent." } };
    try {
      return /** @type {Answer} */ (await socket.timeout(ANSWER_WITHIN_MS).emitWithAck(event, payload));
    } catch {
      return { ok: false, error: NO_ANSWER };
    }
  }

  return {
    command: (text) => ask("command", { text }),
    playback: (action, speed) => ask("playback", speed === undefined ? { action } : { action, speed }),
    restart: (options) => ask("restart", options),
    complete: (text) => ask("complete", { text }),
    resync: () => void ask("resync", {}),
    ledger: () => ask("ledger", {}),
    evidence: (promise) => ask("evidence", { promise }),
    why: (sequence, operation) => ask("why", { ...(sequence === null ? {} : { sequence }), ...(operation === undefined ? {} : { operation }) }),
    lesson: (request) => ask("lesson", request),
    open: (link) => ask("open", { link }),
    share: (look_us) => ask("share", look_us === undefined ? {} : { look_us }),
    branch: (at_us, text) => ask("branch", text === undefined ? { at_us } : { at_us, text }),
    enter: (branch) => ask("enter", { branch }),
    async history() {
      try {
        const response = await fetch(`/history.json?page=${page}`, token === undefined ? {} : { headers: { "X-Room": token } });
        const history = response.ok ? await response.json() : null;
        return history?.ok === false ? null : history;
      } catch {
        return null;
      }
    },
  };
}

/** Whose link failed, as far as the browser can tell. */
function whoseFault() {
  return navigator.onLine
    ? "The server does not answer. Your own connection looks fine; trying again…"
    : "This device is offline. The run waits on the server; trying again…";
}
