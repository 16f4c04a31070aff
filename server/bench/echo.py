"""The bare pages that ours is compared with; `python -m server.bench.echo` serves them.

`/echo`: a button that sends a value over a bare Flask-SocketIO server and shows what comes back.
`/dots`: a hundred groups that move with every frame, and nothing else.
"""

from __future__ import annotations

import flask
from flask_socketio import SocketIO

from server import resources

DOTS = 100

ECHO = """<!doctype html><title>Echo</title>
<input aria-label="Value"><button>Write</button><output></output>
<script type="module">
import { io } from "/static/vendor/socket.io.esm.min.js";
const socket = io({ transports: ["websocket"] });
const [value, button, output] = ["input", "button", "output"].map((name) => document.querySelector(name));
button.addEventListener("click", () => socket.emit("echo", { text: value.value }));
socket.on("echoed", ({ text }) => { output.textContent = text; });
</script>"""

DOTS_PAGE = f"""<!doctype html><title>Dots</title>
<svg viewBox="0 0 1000 600" style="width: 100%; height: 90vh"></svg>
<script type="module">
const svg = document.querySelector("svg");
const dots = Array.from({{ length: {DOTS} }}, (_, number) => {{
  svg.insertAdjacentHTML("beforeend",
    `<g><rect x="-14" y="-9" width="28" height="18" rx="9" fill="teal"/><text>${{number}}</text></g>`);
  return svg.lastElementChild;
}});
requestAnimationFrame(function paint(at) {{
  dots.forEach((dot, number) => {{
    const way = (at / 2000 + number / dots.length) % 1;
    const y = 100 + (number * 37) % 400;
    dot.setAttribute("transform", `translate(${{(way * 1000).toFixed(1)}},${{y}})`);
  }});
  requestAnimationFrame(paint);
}});
</script>"""


def serve() -> None:
    """Serve on a free port and print the address, until killed."""
    app = flask.Flask(__name__, static_folder=resources.folder("static"), static_url_path="/static")
    app.add_url_rule("/echo", "echo", lambda: ECHO)
    app.add_url_rule("/dots", "dots", lambda: DOTS_PAGE)
    socketio = SocketIO(app)  # With the server it chooses itself, which is the one ours uses.
    socketio.on_event("echo", lambda payload: socketio.emit("echoed", payload, to=flask.request.sid))  # type: ignore[attr-defined]
    port = free_port()
    print(f"http://127.0.0.1:{port}/", flush=True)
    socketio.run(app, port=port)
