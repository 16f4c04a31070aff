"""One HTML file that shows a recorded run without a server: the page's own modules, styles and the run.

Modules cannot be loaded from a disk by address, so each becomes a `data:` address of its own, and an
import map gives it a name; relative imports are rewritten to those names. Nothing is translated or made
smaller. `connection.js` is replaced by `recording.js`, which answers from the record.

A policy in the file allows exactly these scripts and styles and no request to anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENTRY = "page.js"
REPLACED = {"connection.js": "recording.js"}
"""Modules that another one stands in for."""
LEFT_OUT = re.compile(r"(lessons|lecture)/.*|later\.js|panels/(home|controls|embed|opening|share)\.js")
"""What only other pages load: nothing in a recording asks for it."""
STYLES = ("page.css", "embed.css")
"""Style sheets of the page itself; those that its modules bring along come after them."""
PLACE = "<!-- offline -->"
"""Where a page has room for its parts, in its head."""

_SPECIFIER = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)"(\.{1,2}/[^"]+\.js)\"""")
_OWN_ADDRESS = re.compile(r"""new URL\("([^"]*)", import\.meta\.url\)""")
_NAME = "app/"


def assemble(page: str, static: Path, recording: Mapping[str, Any]) -> str:
    """The file. `page` is the page's HTML, without scripts and styles, with `PLACE` in its head."""
    assert page.count(PLACE) == 1
    sources = modules(static / "js")
    names = [*STYLES, *sorted(set(re.findall(r"css/([\w-]+\.css)", "".join(sources.values()))) - set(STYLES))]
    styles = "".join((static / "css" / name).read_text("utf-8") for name in names)
    imports = {_NAME + name: _address(source) for name, source in sources.items()}
    import_map = _json({"imports": imports})
    start = f'import "{_NAME}{ENTRY}";'
    assert "</style" not in styles
    policy = (
        f"default-src 'none'; script-src {_digest(import_map)} {_digest(start)} data:; "
        f"style-src {_digest(styles)} data:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<style>{styles}</style>\n"
        f'<script type="application/json" id="recording">{_json(recording)}</script>\n'
        f'<script type="importmap">{import_map}</script>\n'
        f'<script type="module">{start}</script>'
    )
    return page.replace(PLACE, head)


def modules(folder: Path) -> dict[str, str]:
    """What a recording's page can ever load, by its path, with bare names in place of relative imports."""
    found: dict[str, str] = {}
    waiting = [ENTRY]
    while waiting:
        name = waiting.pop()
        if name in found or LEFT_OUT.fullmatch(name):
            continue
        source = (folder / REPLACED.get(name, name)).read_text("utf-8")
        # What else a module would fetch from beside it is in the file already.
        source = _OWN_ADDRESS.sub(lambda match: f'new URL("data:text/css,/*{match[1]}*/")', source)
        found[name] = _SPECIFIER.sub(lambda match, name=name: _named(match, name), source)  # type: ignore[misc]
        waiting += sorted(set(re.findall(rf'"{_NAME}([^"]+)"', found[name])))
    return found


def _named(match: re.Match[str], importer: str) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), match[2]))
    return f'{match[1]}"{_NAME}{path}"'


def _address(source: str) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(source.encode()).decode()}"


def _json(value: object) -> str:
    """JSON that no value of it can end the script element of."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _digest(text: str) -> str:
    """How a policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
