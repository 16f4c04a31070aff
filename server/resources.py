"""Finds the folders that are not Python: static, templates and lessons.

A checkout keeps them beside `server/`; an installed package carries them inside it. Nothing else in
the server may look at where it was started from.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_BROWSER_LIBRARY = "vendor/socket.io.esm.min.js"
"""Of the folder static: what the installation fetches, and no page can do without."""


def folder(name: str) -> Path:
    """The folder `name`. Raises `FileNotFoundError` when the installation is not complete."""
    for root in (_PACKAGE.parent, _PACKAGE):
        # Beside an installed package lie other people's packages: only a checkout has ours there.
        is_ours = root is _PACKAGE or (root / "pyproject.toml").is_file()
        if is_ours and (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f"The folder {name} is missing from this installation.")


def missing() -> str | None:
    """The file or folder that this installation lacks, so that no page of it would work; `None`: nothing."""
    try:
        library = folder("static") / _BROWSER_LIBRARY
    except FileNotFoundError:
        return "static"
    return None if library.is_file() else str(library)
