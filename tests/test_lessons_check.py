"""The check of lessons: a good file passes and is counted; for every rule a file that breaks it is caught."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from server.__main__ import main
from server.lessons import checking
from server.lessons.library import Library
from server.lessons.playing import play_lesson
from server.lessons.rules import Finding, check_course, check_text
from server.lessons.verdicts import Where, said_where
from tests.serving import ROOT
from tests.small_lesson import MISCONCEPTIONS, PREDICT, QUIZ, RUN, SMALL, folder, library


def findings(path: Path, text: str) -> list[Finding]:
    """What a check finds in a lesson with this text."""
    found = library(path, text)
    assert found.broken == []
    lesson = found.lessons["small"]
    count, played = play_lesson(found, lesson)
    assert count > 0
    return [*check_text(found, lesson), *played, *check_course(found)]


def test_the_small_lesson_is_green_and_counted(tmp_path: Path) -> None:
    """Every assertion is one that was measured in a run."""
    found = library(tmp_path)
    lesson = found.lessons["small"]
    count, played = play_lesson(found, lesson)
    assert [*check_text(found, lesson), *played, *check_course(found)] == []
    assert count >= 60


def test_every_belief_is_met_somewhere(tmp_path: Path) -> None:
    """In a lesson that exists, by a prediction or nudge, and once more in a quiz."""
    library(tmp_path)
    row = "M-NOT-MET: { belief: Nobody asks., tempting: It is quiet., lesson: unwritten }\n"
    (tmp_path / "misconceptions.yaml").write_text(MISCONCEPTIONS + row, encoding="utf-8")
    assert [finding.says for finding in check_course(Library([tmp_path]))] == [
        "M-NOT-MET: there is no lesson unwritten.",
        "M-NOT-MET is confronted by no prediction or nudge.",
        "M-NOT-MET is asked for in no quiz.",
    ]


BREACHES: dict[str, tuple[str, int, str]] = {
    "too many words": (SMALL.replace("Write something.", "word " * 130), 1, "130 words of prose"),
    "a colour alone": (SMALL.replace("Write something.", "See the red node."), 1, "'red node'"),
    "no prediction": (SMALL.replace(PREDICT, "").replace("```predict", "```observe"), 1, "no predict block"),
    "reached at once": (
        SMALL.replace('ever: "acknowledged >= 1"', 'now: "lost == 0"').replace(
            'now: "node(A).last_index >= 1 and lag(B) == 0 and lag(C) == 0"', 'now: "lag(B) == 0"'
        ),
        2,
        "reached before anything is done",
    ),
    "reached by waiting": (
        SMALL.replace("scene: plain", "scene: busy"), 2, "reached by doing nothing for 60 s",
    ),
    "a solution that is none": (
        SMALL.replace('solution: [ "write x 1", "wait 3s" ]', 'solution: [ "read x" ]'),
        2,
        "does not reach the goal: Something is stored; Both followers hold it",
    ),
    "a solution that is refused": (
        SMALL.replace("forbid: [kill]", "allow: [read]"), 2, "uses write, which the step refuses",
    ),
    "a solution that is late": (SMALL.replace("forbid: [kill]", "within: 100ms"), 2, "(too late)"),
    "a misfire that hits": (
        SMALL.replace('misfire: [ "read x", "wait 2s" ]', 'misfire: [ "write x 1", "wait 3s" ]'),
        3,
        "its misfire reaches the goal",
    ),
    "a nudge that never shows": (
        SMALL.replace('when: "count(reads) > 0 and count(writes) == 0"', 'when: "lost > 5"'),
        3,
        "does not make it show",
    ),
    "another nudge shows": (
        SMALL.replace(
            "nudges:\n",
            'nudges:\n  - { id: first, when: "count(reads) > 0", say: x, misfire: [ read x, wait 2s ] }\n',
        ),
        3,
        "look.reading: on every seed its misfire does not make it show, but 'first'",
    ),
    "a truth no option has": (SMALL.replace('match: "x == 0"', 'match: "x == 7"'), 4, "no option fits"),
    "two that match": (
        SMALL.replace('match: "x > 0"', 'match: "x >= 0"'), 4, "'none', 'both' fit; exactly one",
    ),
    "the wrong one is marked": (
        SMALL.replace('match: "x == 0"', 'match: "x < 0"').replace('match: "x > 0"', 'match: "x == 0"'),
        4,
        "that is 'both', which has a `mis`",
    ),
    "a wrong option without reasons": (
        SMALL.replace('    mis: M-REPL-INSTANT\n    why: "It must travel."\n', ""),
        4,
        "the option 'both' is wrong and needs `mis` and `why`",
    ),
    "a number that is not": (SMALL.replace('match: "x == 1"', 'match: "x == 5"'), 4, "its match denies"),
    "an expectation that fails": (
        SMALL.replace(RUN, RUN.replace("lag(B) == 1", "lag(B) == 0")), 4, "this did not hold: lag(B) == 0",
    ),
    "a show that proves nothing": (
        SMALL.replace(', "expect lag(B) == 1" ]\n```', " ]\n```"), 4, "has no expect",
    ),
    "a show that fails": (
        SMALL.replace('"expect lag(B) == 1" ]\n```', '"expect lag(B) == 0" ]\n```'), 4, "bet.both: on every",
    ),
    "a quiz without reasons": (SMALL.replace(', why: "You saw it."', ""), 4, "'after' is right and needs"),
    "a quiz without a belief": (
        SMALL.replace('moment", mis: M-REPL-INSTANT,', 'moment",'), 4, "'at-once' is wrong and needs `mis`",
    ),
    "an answer that shows": (
        SMALL.replace('"None yet"', '"None of the followers has it yet at all"'), 5, "it gives itself away",
    ),
    "a catch-all": (SMALL.replace('"Both of them"', '"All of the above"'), 5, "is a catch-all"),
    "an unknown belief": (
        SMALL.replace("M-REPL-INSTANT", "M-NOBODY-KNOWS"), 6, "M-NOBODY-KNOWS is not in misconceptions.yaml",
    ),
    "a belief nobody has": (
        SMALL.replace("misconceptions: [", "misconceptions: [M-OK-IS-FOREVER, "),
        6,
        "no answer or nudge has it",
    ),
    "a need nobody teaches": (SMALL.replace("needs: []", "needs: [magic]"), 6, "'magic' is not taught"),
    "a belief without a quiz": (SMALL.replace(QUIZ, ""), 6, "M-REPL-INSTANT is asked for in no quiz"),
    "too large a scene": (SMALL.replace("scene: plain", "scene: large"), 8, "more than 7 nodes"),
    "a scene in no words": (SMALL.replace("scene: plain", "scene: busy"), 1, "needs a title and an `about`"),
    "a command that is refused": (
        SMALL.replace(RUN, RUN.replace('"write y 1"', '"kill B", "kill B"')), 0, "the experiment broke off",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BREACHES)
def test_every_rule_catches_who_breaks_it(tmp_path: Path, what: str) -> None:
    """With the rule that is not kept and words that say what to mend."""
    text, rule, says = BREACHES[what]
    assert text != SMALL
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes/busy.yaml").write_text('title: Busy\nscript: [ "load writes 0.2/s" ]\n')
    (tmp_path / "scenes/large.yaml").write_text("title: Large\nabout: Many.\nsettings: { nodes: 9 }\n")
    found = findings(tmp_path, text)
    assert [each for each in found if each.rule == rule and says in each.says], found
    assert all(each.file and each.line for each in found)


def test_a_truth_that_depends_on_when_one_presses_is_caught(tmp_path: Path) -> None:
    """A learner reads before he presses the button: the same option must be right then."""
    text = SMALL.replace('probe: "2 - lag(B) - lag(C)"', 'probe: "time"')
    text = text.replace('match: "x == 0"', 'match: "x < 100s"').replace(
        'match: "x > 0"', 'match: "x >= 100s"'
    )
    says = [each.says for each in findings(tmp_path, text)]
    assert says == [
        "bet: what is right is not always the same: 'none' on every seed; "
        "'both' on every seed, when the learner first waits 120 s."
    ]


FOLDED = {
    "a match": (
        SMALL.replace('match: "x == 0"', 'match: "x == 7"'),
        "bet: on every seed the run measures 0: no",
    ),
    "an experiment": (
        SMALL.replace(RUN, RUN.replace('"write y 1"', '"kill B", "kill B"')),
        "bet: on every seed",
    ),
    "a solution": (
        SMALL.replace('solution: [ "write x 1", "wait 3s" ]', 'solution: [ "read x", "resume B" ]'),
        "look: on every seed the solution broke off: script, entry 2",
    ),
    "a probe": (
        SMALL.replace('probe: "2 - lag(B) - lag(C)"', 'probe: "node(A).term * 0 + time / 1s"'),
        "bet: the run measures",
    ),
    "an option without a belief": (
        SMALL.replace('    mis: M-REPL-INSTANT\n    why: "It must travel."\n', ""),
        "bet: on every seed the run measures 0: the option 'both'",
    ),
    "an unmarked quiz": (
        SMALL.replace('mis: M-REPL-INSTANT, why: "It must travel." }\n  - { id: after', "}\n  - { id: after"),
        "later: the option 'at-once' is wrong and needs `mis` and `why`.",
    ),
}


@pytest.mark.parametrize("what", FOLDED)
def test_one_fault_is_one_sentence(tmp_path: Path, what: str) -> None:
    """However many seeds, options and later steps it shows in."""
    text, says = FOLDED[what]
    assert text != SMALL
    found = library(tmp_path, text)
    lesson = found.lessons["small"]
    told = [each.says for each in [*check_text(found, lesson), *play_lesson(found, lesson)[1]]]
    assert len(told) == 1, told
    assert told[0].startswith(says)


def test_what_is_found_says_on_which_seeds(tmp_path: Path) -> None:
    """All of them, some, or only when a learner waits."""
    small = library(tmp_path, SMALL.replace("seed: [1, 2]", "seed: [1, 2, 3]")).lessons["small"]
    assert said_where([Where(1), Where(2), Where(3), Where(3, True)], small) == "on every seed"
    assert said_where([Where(3), Where(1)], small) == "on seeds 1 and 3"
    late = "on seed 2, when the learner first waits 120 s,"
    assert said_where([Where(2, True)], small) == late
    assert said_where([Where(1), Where(1, True), Where(2, True)], small) == f"on seed 1 and {late}"


def test_what_a_condition_remembers_is_of_one_run_alone(tmp_path: Path) -> None:
    """The file is read once and played many times, by many learners."""
    twice = '"expect not ever(node(A).last_index == 2)", "write y 1"'
    text = SMALL.replace(RUN, RUN.replace('"write y 1"', twice))
    assert findings(tmp_path, text) == []


def test_right_answers_may_not_all_stand_at_one_place(tmp_path: Path) -> None:
    """Over the whole course, once there are enough to tell."""
    quizzes = ""
    for number in range(15):
        quizzes += QUIZ.replace("id: later", f"id: later-{number}")
    found = library(tmp_path, SMALL.replace(QUIZ, quizzes))
    assert [each.rule for each in check_course(found)] == [5]


def printed(files: list[Path]) -> tuple[int, str]:
    out = io.StringIO()
    status = checking.check(files, None, out)
    return status, out.getvalue()


def test_the_command_prints_what_it_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each file and in all, with an exit status that a machine understands."""
    ours = folder(tmp_path)
    monkeypatch.setattr(checking, "folders", lambda extra: [ours])
    status, text = printed([ours / "01-small.md"])
    assert status == 0
    assert text.startswith("✓ 01-small.md: ")
    assert text.splitlines()[-1].endswith("assertions measured in all; nothing to mend.")
    assert printed([])[0] == 0
    (ours / "01-small.md").write_text(SMALL.replace('match: "x == 0"', 'match: "x == 7"'))
    status, text = printed([])
    assert status == 1
    assert re.search(r"^    line \d+: bet: on every seed the run measures 0: no option fits", text, re.M)
    assert text.count("    The rule: On every seed exactly the options without `mis` fit") == 1
    assert text.splitlines()[-1].endswith("; 1 to mend.")
    (ours / "01-small.md").write_text("nothing")
    assert printed([])[0] == 1
    status, text = printed([ours / "01-small.md"])
    assert status == 1
    assert "nothing was measured" not in text, "it follows from the fault"
    assert text.splitlines()[-1] == "0 assertions measured in all; 1 to mend."


def test_unfinished_lessons_do_not_fail_the_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are checked and shown all the same."""
    ours = folder(tmp_path)
    monkeypatch.setattr(checking, "folders", lambda extra: [ours])
    wrong = SMALL.replace('match: "x == 0"', 'match: "x == 7"')
    (ours / "01-small.md").write_text(wrong.replace("level: 1", "level: 1\nstatus: wip"))
    status, text = printed([])
    assert status == 0
    assert "(wip)" in text


@pytest.mark.parametrize(
    ("folder", "kind"), [("", "lesson"), ("interview", "interview"), ("challenges", "challenge")]
)
def test_a_new_lesson_is_green_from_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str, kind: str
) -> None:
    """`lessons new` writes a file of its folder's kind that the check passes; it never overwrites one."""
    path = tmp_path / folder / "17-my-lesson.md"
    assert main(["lessons", "new", str(path)]) == 0
    assert main(["lessons", "check", str(path)]) == 0
    assert main(["lessons", "new", str(path)]) == 2
    assert main(["lessons", "new", str(tmp_path / "Bad Name")]) == 2
    assert "nothing to mend" in capsys.readouterr().out
    assert "my-lesson" in Library([ROOT / "lessons", tmp_path]).shelf(kind)


def test_a_library_of_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing measured is nothing proved."""
    monkeypatch.setattr(checking, "folders", lambda extra: [tmp_path])
    assert Library([tmp_path]).lessons == {}
    status, text = printed([])
    assert status == 1
    assert "nothing was measured" in text


def test_a_file_is_checked_with_what_lies_beside_it(tmp_path: Path) -> None:
    """An author's own scenes and beliefs need not be named; a belief that is missing is given its place."""
    own = folder(tmp_path / "own")
    assert printed([own / "01-small.md"])[0] == 0
    (own / "misconceptions.yaml").write_text("")
    (own / "01-small.md").write_text(SMALL.replace("M-REPL-INSTANT", "M-MY-OWN"))
    status, text = printed([own / "01-small.md"])
    assert status == 1
    assert f"into {own / 'misconceptions.yaml'}." in text
    (own / "scenes/plain.yaml").write_text("title: [")
    status, text = printed([own / "01-small.md"])
    assert status == 1
    assert text.startswith("✗ plain.yaml, line 1: this is not YAML")
    assert "    line 1: there is no scene plain." in text
    assert "cannot be opened" not in text, "it follows from that"


@pytest.mark.parametrize(
    ("name", "lies"),
    [("17-mine", ""), ("interview/17-mine", "interview"), ("challenges/17-mine", "challenges")],
)
def test_every_kind_of_new_file_goes_into_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, lies: str
) -> None:
    """The one that is named, else `lessons` below the current folder, else the current folder; its whole path
    is said."""
    monkeypatch.chdir(tmp_path)
    for words, place in (
        ([], tmp_path),
        (["--lessons", "own"], tmp_path / "own"),
        ([], tmp_path / "lessons"),
    ):
        if place.name == "lessons":
            place.mkdir()
        assert main(["lessons", "new", name, *words]) == 0
        path = place / lies / "17-mine.md"
        assert path.is_file()
        assert capsys.readouterr().out.startswith(f"{path} is written.")


def test_another_name_for_a_new_file_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taken as it stands; but what lies outside the folder that is named is not written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lessons").mkdir()
    assert main(["lessons", "new", "lessons/17-mine"]) == 0
    assert (tmp_path / "lessons/17-mine.md").is_file()
    assert main(["lessons", "new", "other/17-mine", "--lessons", "lessons"]) == 2
    assert "other/17-mine does not lie in a folder of lessons such as lessons" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
