"""The bare pages that ours is compared with, served by `python -m server.bench.echo` on a free port.

`/echo`: a button that sends a value to a bare Flask-SocketIO handler and shows what comes back.
`/dots`: a hundred groups that move with every frame, and nothing else.
They stand beside our own pages, in the same application, but nothing of ours is in their way.
"""

from __future__ import annotations

import socket
import time

from server import service, web
from server.rooms import Rooms
from server.store import Store

ECHO = """<!doctype html><title>Echo</title>
<input aria-label="Value"><button>Write</button><output></output>
<script type="module" src="/echo.js"></script>"""

ECHO_SCRIPT = """
import { io } from "/static/vendor/socket.io.esm.min.js";
const socket = io("/echo", { transports: ["websocket"] });
const [value, button, output] = ["input", "button", "output"].map((name) => document.querySelector(name));
button.addEventListener("click", async () => {
  output.textContent = await socket.emitWithAck("echo", value.value);
});"""

DOTS = """<!doctype html><title>Dots</title><svg width="1200" height="640"></svg>
<script type="module" src="/dots.js"></script>"""

DOTS_SCRIPT = """
const svg = document.querySelector("svg");
const dots = Array.from({ length: 100 }, (_, number) => {
  svg.insertAdjacentHTML("beforeend",
    `<g><rect x="-14" y="-9" width="28" height="18" rx="9" fill="teal"/><text>${number}</text></g>`);
  return svg.lastElementChild;
});
requestAnimationFrame(function paint(at) {
  dots.forEach((dot, number) => {
    const x = ((at / 2000 + number / dots.length) % 1) * 1200;
    dot.setAttribute("transform", `translate(${x.toFixed(1)},${20 + (number * 37) % 600})`);
  });
  requestAnimationFrame(paint);
});"""


def serve() -> None:
    """Print the address and serve until killed."""
    app = web.create_app(Rooms(service.start_play, Store(None), time.time), service.CATALOGUE)
    for address, text in {"/echo": ECHO, "/dots": DOTS}.items():
        app.add_url_rule(address, address, lambda text=text: text)
    for address, text in {"/echo.js": ECHO_SCRIPT, "/dots.js": DOTS_SCRIPT}.items():
        headers = {"Content-Type": "text/javascript"}
        app.add_url_rule(address, address, lambda text=text, headers=headers: (text, headers))
    sockets = app.extensions["socketio"]
    sockets.on_event("echo", lambda text: text, namespace="/echo")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    print(f"The bare pages are at http://127.0.0.1:{port}/", flush=True)
    sockets.run(app, host="127.0.0.1", port=port, allow_unsafe_werkzeug=True)


if __name__ == "__main__":
    serve()
