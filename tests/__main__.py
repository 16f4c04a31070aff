"""`python3 -m tests`: everything a change must pass, from a fresh clone with only Python and git.

Makes a virtual environment in .venv, installs the package with its test tools there, makes sure of a
browser, and runs pytest with whatever arguments were given. What is up to date is not done again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CHROMIUM = "CHROMIUM"
"""The environment variable that names the browser: set it to use one of your own."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OWN_BROWSER = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def main() -> int:
    """Prepare, then run pytest; its exit code is ours."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python is tried on.
        print(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    try:
        install()
    except subprocess.CalledProcessError as problem:
        print(f"The test environment could not be made: {problem}.", file=sys.stderr)
        return 2
    browser = find_browser() or fetch_browser()
    if browser is None:
        print(
            "No Chromium was found and none could be installed: the browser tests will fail.", file=sys.stderr
        )
    environment = {**os.environ, CHROMIUM: browser or ""}
    command = [str(PYTHON), "-m", "pytest", *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def install() -> None:
    """The package and its test tools in .venv, once for each state of what describes them."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for name in ("pyproject.toml", ".build/hook.py", ".build/package-lock.json"):
        digest.update((ROOT / name).read_bytes())
    stamp = VENV / "installed"
    if not stamp.is_file() or stamp.read_text("ascii") != digest.hexdigest():
        print("Installing the package and its test tools into .venv …", flush=True)
        venv.create(VENV, with_pip=True, clear=True)
        run(str(PYTHON), "-m", "pip", "install", "--quiet", "--editable", ".[test]")
        stamp.write_text(digest.hexdigest(), "ascii")
    run(str(PYTHON), ".build/hook.py")


def run(*command: str) -> None:
    """Run a command in the project's folder. Raises `CalledProcessError` when it fails."""
    subprocess.run(command, cwd=ROOT, check=True)


def find_browser() -> str | None:
    """A Chromium on this machine: named, on the path, or Playwright's own."""
    named = os.environ.get(CHROMIUM)
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return found
    asked = subprocess.run([str(PYTHON), "-c", OWN_BROWSER], capture_output=True, text=True, check=False)
    own = asked.stdout.strip()
    return own if own and Path(own).is_file() else None


def fetch_browser() -> str | None:
    """Install a Chromium: Playwright's own, or the system's where we may."""
    ways = [[str(PYTHON), "-m", "playwright", "install", "chromium"]]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        ways.append(["apt-get", "update"])
        ways.append(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    for way in ways:
        print(f"Looking for a browser: {' '.join(way[-3:])} …", flush=True)
        subprocess.run(way, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if found := find_browser():
            return found
    return None


if __name__ == "__main__":
    sys.exit(main())
