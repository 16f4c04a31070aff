"""The package as others get it: a wheel that carries its pages and runs from any folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests

from server import __main__ as command_line
from server import resources
from server.__main__ import INSTALL, main
from tests.serving import ROOT, Server


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `pip install .` builds it, with the build tools that are here already."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_a_wheel_carries_everything_and_nothing_else(wheel: Path) -> None:
    """Pages, scripts, the fetched library and the lessons; no tests, no build tools."""
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "server/__main__.py",
        "server/static/vendor/socket.io.esm.min.js",
        "server/static/vendor/socket.io.LICENSE.txt",
        "server/templates/play.html",
    ):
        assert wanted in names
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"server"}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lessons").rglob("*.*")}
    assert {f"server/{name}" for name in here} <= set(names)


@pytest.mark.slow
def test_an_installed_wheel_serves_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    """Installed apart from this checkout and started elsewhere, it finds its own pages."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*command, str(wheel)], check=True, timeout=120)
    (tmp_path / "elsewhere").mkdir()
    with Server(env={"PYTHONPATH": str(site)}, cwd=tmp_path / "elsewhere") as server:
        page = requests.get(f"{server.url}play", timeout=10)
        assert page.status_code == 200
        library = requests.get(f"{server.url}static/vendor/socket.io.esm.min.js", timeout=10)
        assert library.status_code == 200
    where = subprocess.run(
        [sys.executable, "-c", "import server; print(server.__file__)"],
        env={"PYTHONPATH": str(site)},
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site)), "it was the installed one that was tried"


def test_a_clone_that_is_not_installed_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not serve pages that cannot work; the line to type is the README's."""
    monkeypatch.setattr(resources, "folder", lambda name: tmp_path / name)
    monkeypatch.setattr(command_line, "listen", lambda host, port: pytest.fail("it began to serve"))
    assert main(["serve", "--port", "0", "--data", ":memory:"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{tmp_path / 'static/vendor/socket.io.esm.min.js'} is missing: ")
    assert printed.err.endswith(f"{INSTALL}\n")
    assert INSTALL in (ROOT / "README.md").read_text(encoding="utf-8")
