"""The command line: flags only; each subcommand's work is in its own module.

`serve` runs on eventlet, which replaces the standard library's blocking calls before anything else is
imported; no other module names it.
"""

from __future__ import annotations

import argparse
import gc
import io
import logging
import os
import signal
import socket
import sys
import warnings
from pathlib import Path

from server import resources

MEMORY = ":memory:"
"""`--data :memory:` keeps rooms only until the server ends."""
CONNECTIONS_MAX = 4_096
"""Browsers served at once; each open tab holds one connection."""
BAD_USE = 2
"""Exit code: the request itself could not be carried out."""
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python -m server"
"""How a clone is installed and started; the same line is in the README."""
CUT_SHORT = 141
"""Exit code: nobody reads the output any more; what a shell reports for a program ended by that."""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and answer its exit code."""
    # A run keeps what happened: a million small objects that never die. Looking through all of them again
    # and again is what the collector's usual thresholds do; these look at the young often, at all seldom.
    gc.set_threshold(5_000, 5, 1_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # What a terminal has no sign for is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    flags = parser().parse_args(words or ["serve"])
    if flags.subcommand == "serve":
        return serve(flags.host, flags.port, flags.data, flags.lessons)
    try:
        status = delegate(flags)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read along (`| head`) has seen enough; what Python still holds for them goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_SHORT
    return status


def parser() -> argparse.ArgumentParser:
    """Every subcommand and flag."""
    top = argparse.ArgumentParser(
        prog="follow-the-leader",
        description="Watch leader-follower replication happen. Without a subcommand: serve.",
    )
    choices = top.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    serving = choices.add_parser("serve", help="start the web server")
    serving.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serving.add_argument(
        "--port", type=port_number, default=5000, help="default: %(default)s; 0: any free one"
    )
    serving.add_argument(
        "--data", metavar="DIR", help=f"where rooms are kept (default: {data_folder()}; {MEMORY}: nowhere)"
    )
    serving.add_argument(
        "--lessons", metavar="DIR", type=Path, help="a folder of your own lessons besides ours"
    )
    running = choices.add_parser("run", help="play a scenario file without a browser")
    running.add_argument("file", metavar="FILE", type=Path)
    running.add_argument("--json", action="store_true", help="print the whole outcome as JSON")
    checking = choices.add_parser("check", help="judge whether a recorded history is linearizable")
    checking.add_argument("file", metavar="FILE", type=Path)
    checking.add_argument(
        "--initial", default="null", metavar="JSON", help="what a register holds at first (default: null)"
    )
    helping = choices.add_parser("help", help="explain the command language")
    helping.add_argument("topic", metavar="TOPIC", nargs="?")
    exploring = choices.add_parser("explore", help="play random faults and hold runs against their promises")
    exploring.add_argument("--seeds", default="200", metavar="N", help="how many (default: %(default)s)")
    exploring.add_argument("--from", dest="first", default="0", metavar="SEED", help="default: %(default)s")
    exploring.add_argument("--system", default="textbook", help="default: %(default)s")
    exploring.add_argument("--policy", default="all", help="a value of the replication setting, or all")
    exploring.add_argument("--off", action="append", default=[], metavar="SWITCH", help="a safety switch")
    exploring.add_argument("--out", default=".", metavar="DIR", help="where scenario files of breaches go")
    teaching = choices.add_parser("lessons", help="check what lessons claim, or begin a new one")
    actions = teaching.add_subparsers(dest="action", required=True, metavar="ACTION")
    action = actions.add_parser("check", help="play lessons and measure what they claim")
    action.add_argument("files", metavar="FILE", nargs="*", type=Path)
    action.add_argument("--lessons", metavar="DIR", type=Path, help="a folder of your own besides ours")
    action = actions.add_parser("new", help="write one to begin with")
    action.add_argument(
        "files",
        metavar="NAME",
        nargs="+",
        type=Path,
        help="such as 17-mine, interview/23-mine or challenges/11-mine",
    )
    action.add_argument(
        "--lessons",
        metavar="DIR",
        type=Path,
        help="where to write it (default: ./lessons if it is there, else the current folder)",
    )
    action = actions.add_parser("translate", help="write the texts of a lesson for a translator to fill in")
    action.add_argument("language", metavar="LOCALE", help="such as de or pt-BR")
    action.add_argument("files", metavar="FILE", nargs="+", type=Path)
    action.set_defaults(lessons=None)
    measuring = choices.add_parser("bench", help="measure speed on this machine, beside peers")
    measuring.add_argument("parts", metavar="PART", nargs="*", help="what to measure (default: everything)")
    return top


def port_number(text: str) -> int:
    """A port as typed. Raises the error that argparse shows."""
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def data_folder() -> Path:
    """Where this platform keeps a user's application data."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "follow-the-leader"


def serve(host: str, port: int, data: str | None, lessons: Path | None = None) -> int:
    """Serve until interrupted: then the process ends here. Answers 2 when it cannot begin."""
    missing = resources.missing()
    if missing is not None:
        print(
            f"{missing} is missing: the pages need what the installation fetches. Install and start with: "
            f"{INSTALL}",
            file=sys.stderr,
        )
        return BAD_USE
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet

    eventlet.monkey_patch()
    import eventlet.wsgi

    from server import store

    try:
        listener = listen(host, port)
        kept = store.Store(None if data == MEMORY else Path(data or data_folder()))
    except (OSError, store.StoreUnusable) as problem:
        print(problem, file=sys.stderr)
        return BAD_USE
    from server import service, web

    if lessons is not None:
        if not lessons.is_dir():
            print(f"{lessons} is no folder of lessons.", file=sys.stderr)
            return BAD_USE
        service.LESSON_FOLDERS.append(lessons)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    rooms = service.open_rooms(kept)
    app = web.create_app(rooms, service.CATALOGUE, async_mode="eventlet")
    web.start_playing(app)
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Only noted: raised here, an interrupt would end whichever green thread happens to run.
        signal.signal(number, lambda number, frame: signals.append(number))
    print(f"Follow the Leader is at {address(listener)} (Ctrl-C ends it).", flush=True)
    serving = eventlet.spawn(
        eventlet.wsgi.server,
        listener,
        app,
        log=logging.getLogger("server.requests"),
        environ={"wsgi.errors": Ignored()},
        protocol=type("Protocol", (eventlet.wsgi.HttpProtocol,), {"log_message": Ignored.log_message}),
        max_size=CONNECTIONS_MAX,
        debug=False,
    )
    while not signals and not serving.dead:
        eventlet.sleep(0.1)
    rooms.save()
    kept.close()
    if not signals:
        serving.wait()  # It ended by itself: show why.
    print("\nThe server has ended." + ("" if data == MEMORY else " Its rooms are kept."), flush=True)
    logging.shutdown()
    # Everything is kept. An orderly end would take millions of events apart, one by one, for a minute.
    os._exit(0)


class Ignored(io.TextIOBase):
    """Where the web server may complain of what clients do; faults of ours go through `logging`."""

    def write(self, text: str) -> int:
        return len(text)

    def log_message(self, *arguments: object) -> None:
        """In the place of the request handler's method that prints."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError` whose text is a sentence for the person at the terminal.

    Made here because eventlet's own would share a port that another server already has."""
    try:
        family, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":  # A port left by an ended server may be taken again at once.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(128)
    except OSError as problem:
        raise OSError(f"Port {port} on {host} cannot be used: {problem.strerror}.") from problem
    return listener


def address(listener: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def delegate(flags: argparse.Namespace) -> int:
    """Hand a subcommand to the module that does it."""
    if flags.subcommand == "run":
        from server import run

        return run.run_file(flags.file, as_json=flags.json)
    if flags.subcommand == "check":
        from server import guarantees

        return guarantees.run_check(flags.file, initial=flags.initial)
    if flags.subcommand == "explore":
        from server import explore

        return explore.main(flags.seeds, flags.first, flags.system, flags.policy, flags.off, flags.out)
    if flags.subcommand == "lessons":
        from server.lessons import checking

        into = getattr(flags, "language", None)
        return checking.main(flags.action, flags.files, flags.lessons, language=into)
    if flags.subcommand == "bench":
        from server import bench

        return bench.main(flags.parts)
    from server import language

    try:
        print(language.help_text(flags.topic))
    except language.LanguageError as problem:
        print(problem, file=sys.stderr)
        return BAD_USE
    return 0


if __name__ == "__main__":
    sys.exit(main())
