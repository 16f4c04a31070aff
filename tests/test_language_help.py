"""Help for people who type commands: completion while they do, and what help prints."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from dataclasses import fields

import pytest

from server import language
from server.cluster.settings import SETTINGS
from server.language import Expect, LanguageError, WaitUntil, complete, grammar, help_text, parse
from server.language.grammar import ROWS
from server.language.vocabulary import FACTS
from tests.serving import ROOT

# --- completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "hint"),
    [
        ("", ("write", "read"), "Type a command"),
        ("k", ("kill",), "kill <node>"),
        ("kill ", ("A", "B", "C", "leader"), "kill <node>"),
        ("kill l", ("leader",), "kill <node>"),
        ("write x 1 ", ("by", "to"), "write <key> <value>"),
        ("write x 1 by 2 ", ("to",), "write <key> <value>"),
        ("set rep", ("replication",), "set <setting> <value>"),
        ("set replication ", ("async", "semi-sync", "quorum", "sync"), "set <setting>"),
        ("set replication se", ("semi-sync",), "set <setting>"),
        ("set flush 20ms ", ("on",), "set <setting>"),
        ("cut A->", ("A", "B", "C"), "cut <end>"),
        ("partition A ", ("A", "B", "C", "leader"), "partition"),
        ("load ", ("writes", "reads", "stop"), "load writes <rate>"),
        ("drop ", ("next", "message"), "drop next"),
        ("wait ", ("until", "300ms"), "wait <time>"),
        ("heal ", ("A", "B", "C"), "heal ["),
        ("expect los", ("lost",), "expect <expression>"),
        ("expect node(", ("A", "B", "C", "leader"), "expect"),
        ("expect node(B).ro", ("role",), "expect"),
        ("expect node(B).role == ", ("leader", "follower", "candidate"), "expect"),
        ("expect op(1).outcome == un", ("unknown",), "expect"),
        ("expect writes.", ("where",), "expect"),
        ("expect count(writes.where(ack", ("acked", "acknowledged"), "expect"),
        ("expect any n in f", ("followers", "freshest"), "expect"),
        ("wait until lost ", ("==", "!="), "wait until"),
        ("wait until lost == 1 w", ("within",), "wait until"),
        ("nonsense ", (), "There is no command 'nonsense'"),
        ("kill Q ", (), "'Q' is not a node"),
        ("kill A # why", (), "comment"),
        ("kill leedr", ("leader",), "Did you mean leader?"),
        ("set replication asinc", ("async",), "Did you mean async?"),
        ("write x 1 bye", ("by",), "Did you mean by?"),
        ("load writes 2/s ", ("on", "by"), "[on <key>]"),
    ],
)
def test_completion_offers_what_fits_next(text: str, first: tuple[str, ...], hint: str) -> None:
    """The palette offers the words that the parser would take, the likely ones first."""
    offered = complete(text, nodes="ABC", clients=("1", "2"))
    assert offered.words[: len(first)] == first
    assert bool(first) == bool(offered.words)
    assert hint in offered.hint


def test_completion_never_offers_what_the_parser_refuses() -> None:
    """Typing an offered word after any prefix of an example leads on: no error at that word."""
    for row in ROWS:
        for text in row.examples:
            words = text.split()
            for count in range(len(words)):
                stem = " ".join([*words[:count], ""])
                offered = complete(stem).words
                assert count == 0 or offered or row.make in (Expect, WaitUntil) or "message" in stem, stem
                for word in offered:
                    check_leads_on(stem, word)


def check_leads_on(stem: str, word: str) -> None:
    """The line so far may be unfinished, but the last word must not be at fault."""
    if stem.startswith(("expect ", "wait until ")):
        return  # Kinds decide there, and a word may be the beginning of something longer.
    problem: LanguageError | None = None
    try:
        parse(stem + word)
    except LanguageError as error:
        problem = error
    if problem is not None and problem.word is not None:
        # The other end of a link may be offered although it is the same one: that is told at once.
        assert "two different ends" in problem.says or "named twice" in problem.says, (stem, word)


def test_set_offers_only_settings_that_can_change() -> None:
    """`set nodes` would be refused, so it is not offered; nor is `on` where it would be refused."""
    assert "nodes" not in complete("set ").words
    assert complete("set replication async ").words == ()


# --- help ----------------------------------------------------------------------------------------


def test_help_shows_every_command_setting_and_fact() -> None:
    """Nothing that can be said is missing from help."""
    overview = help_text()
    for row in ROWS:
        assert row.form in overview
        assert row.says in overview
    for name in SETTINGS:
        assert name in help_text("settings")
        assert SETTINGS[name].says in help_text(name)
    for name, row in FACTS.items():
        assert row.says in help_text("facts")
        assert row.says in help_text(name)
    assert "kill leader" in help_text("kill")
    with pytest.raises(LanguageError, match=r"Did you mean kill\?"):
        help_text("kil")


def test_help_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints and says by its exit status whether there was something to print."""
    assert language.main("kill") == 0
    assert "kill <node>" in capsys.readouterr().out
    assert language.main("nothing-like-this") == 2
    assert "There is no help" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="Elsewhere a pipe breaks in other ways.")
def test_help_may_be_cut_short() -> None:
    """`help | head` ends quietly: nobody reads on, and that is no fault."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "server", "help"]
    ended = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_grammar_rows_are_plain_data() -> None:
    """What goes out as JSON has the fields that were agreed on."""
    rows = grammar()
    assert len(rows) == len(ROWS)
    for row in rows:
        assert set(row) == {"form", "examples", "says", "group"}
        assert row["form"].split()[0] == row["examples"][0].split()[0]
        assert row["says"].endswith(".")


def test_rows_fill_every_field_of_their_command() -> None:
    """No field of a command is out of a person's reach."""
    for row in ROWS:
        places = [part for part in row.parts if not isinstance(part, str)]
        filled = {name for place in (*places, *(tail.place for tail in row.tails)) for name in place.fields}
        assert filled | set(row.fixed) == {item.name for item in fields(row.make)}


def test_package_tour_is_true() -> None:
    """The session in the package's docstring gives what it shows."""
    outcome = doctest.testmod(language, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted >= 3
    assert outcome.failed == 0
