"""Starts the real server as its own process, for the tests that need one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 30.0
"""How long a start or an end may take on a busy machine."""


class Server:
    """`python -m server serve`, on a free port unless one is named.

    Leaving the context ends it and checks how it went."""

    def __init__(
        self,
        data: str | Path = ":memory:",
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        port: int = 0,
    ) -> None:
        self.url = ""
        self.errors: list[str] = []
        """Every line it wrote to its error output: none, when all is well."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--port", str(port), "--data", str(data)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        self._reader = Thread(target=lambda: self.errors.extend(self._process.stderr or ()), daemon=True)
        self._reader.start()

    def __enter__(self) -> Server:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            self.end()
            raise RuntimeError(f"The server did not start: {line}{''.join(self.errors)}")
        self.url = found[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.end()
        if kind is None:
            assert self.errors == [], "".join(self.errors)
            assert code == 0

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and wait until it has; answers its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(PATIENCE_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return code
