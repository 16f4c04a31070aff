"""Lesson files: what is read from a good one, and the sentence that every bad one gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.cluster.commands import CommandRefused
from server.lessons import documents
from server.lessons.fields import load
from server.lessons.library import Library
from server.lessons.loader import load_glossary, load_misconceptions
from server.lessons.records import Experiment, Explain, Prose, Question, Setup, Task
from tests.small_lesson import DO, PREDICT, QUIZ, RUN, SMALL, folder, lesson, library

INTERVIEW = """\
---
id: ask
rev: 1
title: A question
minutes: 5
level: 1
scene: plain
seed: 1
goal: After this you can answer.
question: What is a leader?
---

## short: Short
```short_answer
sentences:
  - { id: one, say: "One node orders writes.", play: [ "write x 1", wait 2s ], expect: "leaders == 1" }
```
```senior
text: It *leads*.
```
```follow_ups
questions: [ { ask: "Why?", answer: "Order." } ]
```
```rubric
points: [ { id: number, text: "Names a number" } ]
```
"""


def test_a_good_file_becomes_records() -> None:
    """Every block in its place, with stages, ids and explains resolved."""
    small = lesson()
    assert (small.id, small.number, small.seeds) == ("small", 1, (1, 2))
    look, bet, again = small.steps
    assert [type(block) for block in look.blocks] == [Prose, Task]
    assert [type(block) for block in bet.blocks] == [Prose, Question, Experiment, Explain, Question]
    assert [type(block) for block in again.blocks] == [Setup, Experiment, Question]
    assert bet.questions[0].measure is not None
    assert bet.questions[0].measure.stage == "run:bet"
    assert bet.explains[0].after == ("bet",)
    assert small.base(bet) is look
    assert small.base(again) is again
    assert bet.words == 6


def test_prose_is_rendered_and_never_markup() -> None:
    """Markdown without HTML: what looks like an element is text."""
    text = SMALL.replace("Write something.", "Write *something* <script>alert(1)</script> [x](javascript:1).")
    html = lesson(text).steps[0].blocks[0]
    assert isinstance(html, Prose)
    assert "<em>something</em>" in html.html
    assert "<script" not in html.html
    assert "href=" not in html.html


def test_words_stay_words() -> None:
    """`no`, `on` and `off` are ids and values like any others."""
    text = SMALL.replace("id: at-once,", "id: no,").replace("{ latency: 1s }", "{ pre-vote: on }")
    text = text.replace("concepts: [smallness]", "concepts: [false-alarm, true-time]")
    small = lesson(text)
    assert small.concepts == ("false-alarm", "true-time")
    assert small.questions()[1].options[0].id == "no"
    run = small.experiment("apart")
    assert run is not None
    assert run.setup is not None
    assert run.setup.settings == {"pre-vote": True}


def test_an_interview_question_has_its_own_blocks() -> None:
    """They are unknown in a lesson."""
    question = lesson(INTERVIEW, "ask.md", "interview")
    assert question.question == "What is a leader?"
    assert [item.id for item in question.steps[0].sentences] == ["one"]
    with pytest.raises(CommandRefused, match="no block called 'short_answer'"):
        lesson(INTERVIEW.replace("question: What is a leader?\n", ""), "ask.md")


BROKEN = {
    "no front matter": (SMALL.removeprefix("---\n"), "line 1: a lesson begins with front matter"),
    "no end": ("---\nid: x\n", "line 1: the front matter has no end"),
    "not YAML": (SMALL.replace("rev: 1", "rev: [1"), "this is not YAML"),
    "missing": (SMALL.replace("title: A small lesson\n", ""), "title: this text is missing"),
    "unknown key": (SMALL.replace("rev: 1", "rev: 1\ncolour: x"), "line 4, colour: there is no such field"),
    "twice": (SMALL.replace("rev: 1", "rev: 1\nrev: 2"), "line 4, rev: this field is there twice"),
    "level": (SMALL.replace("level: 1", "level: 9"), "level: a whole number from 1 to 4"),
    "seed": (SMALL.replace("seed: [1, 2]", "seed: [a]"), "seed: a whole number"),
    "another name": (SMALL.replace("id: small", "id: tall"), "'tall' is not the file's name"),
    "no step": (SMALL[: SMALL.index("## look")], "there is no step"),
    "early prose": (SMALL.replace("## look: Look", "Hello\n\n## look: Look"), "before the first step"),
    "heading": (SMALL.replace("## look: Look", "## Look"), "'Look' is no step"),
    "same step": (SMALL.replace("## again:", "## look:"), "the step look is there twice"),
    "block": (SMALL.replace("```quiz", "```quizz"), "there is no block called 'quizz'"),
    "two tasks": (SMALL.replace(PREDICT, DO + DO), "do: one such block fits into a step"),
    "command": (SMALL.replace('"write x 1"', '"wriet x 1"'), "do.solution[1]: 'wriet x 1'"),
    "condition": (SMALL.replace("acknowledged >= 1", "acknowleged >= 1"), "do.goal[1].ever: 'acknowleged"),
    "no truth": (SMALL.replace('"node(A).up"', '"node(A).term"'), "do.goal[3].always"),
    "two clauses": (SMALL.replace('always: "node', 'now: "lost == 0", always: "node'), "exactly one of now"),
    "no solution": (SMALL.replace('solution: [ "write x 1", "wait 3s" ]\n', ""), "do.solution: the commands"),
    "hints": (SMALL.replace('[ "Write.",', '[ "a", "b", "c",'), "do.hints: at most 3"),
    "misfire": (SMALL.replace('    misfire: [ "read x", "wait 2s" ]\n', ""), "nudges[1].misfire"),
    "mapping": (SMALL.replace('"wait 3s" ]', "expect all n in nodes: n.up ]"), "put quotes around"),
    "match": (SMALL.replace('match: "x == 0"', 'match: "x == B"'), "options[1].match"),
    "match of facts": (SMALL.replace('match: "x == 0"', 'match: "lost == 0"'), "'lost' is neither"),
    "no match": (SMALL.replace(', match: "x == 0"', ""), "options[1].match: an option of a measured"),
    "measure": (SMALL.replace('probe: "2 -', 'prob: "2 -'), "exactly one of probe"),
    "two measures": (SMALL.replace('probe: "2 -', 'most: "1", probe: "2 -'), "exactly one of probe"),
    "stage": (SMALL.replace("{ run: bet,", "{ run: crash,"), "there is no run block crash"),
    "answer": (SMALL.replace("answer: after", "answer: before"), "quiz.answer: there is no option 'before'"),
    "same option": (SMALL.replace("id: after,", "id: at-once,"), "options: the id at-once is there twice"),
    "same question": (SMALL.replace("id: later", "id: bet"), "question: the id bet is there twice"),
    "no id": (SMALL.replace("id: later", "id: La Ter"), "'La Ter' is no id"),
    "mis": (SMALL.replace("mis: M-REPL-INSTANT, why", "mis: instant, why"), "no misconception's id"),
    "explain": (
        SMALL.replace("text: A **copy**", "after: [b]\ntext: A **copy**"),
        "there is no question 'b'",
    ),
    "setting": (SMALL.replace("{ latency: 1s }", "{ latencies: 1s }"), "run.set"),
    "number": (SMALL.replace('match: "x == 1"\n', ""), "match: a number needs a match"),
    "run": (SMALL.replace(RUN, "```run\ntext: x\n```\n"), "run.do: an experiment has at least one"),
    "quiz kind": (SMALL.replace("answer: after", "answer: after\nkind: many"), "kind: a quiz without"),
}


NOT_YAML = {
    "a list that goes on": ("rev: [1\ntitle: x\n", 1, "a comma or the closing ] is missing in this line ("),
    "a mapping that goes on": ("options:\n  - { id: a, x: b\n  - { id: c }\n", 2, "the closing } is missing"),
    "a comma": ('do: [ "a",\n  "b"\n  "c" ]\n', 2, "a comma or the closing ]"),
    "a colon in braces": ("a:\n  { id: a, text: b: c }\n", 2, "a text with a colon in it needs quotes"),
    "a quote that goes on": ('ask: "x\nkind: one\nmore: "y"\n', 1, "the quote that is opened in this line"),
    "a quote without an end": ('a: 1\nask: "x\nkind: one\n', 2, "the quote that is opened in this line"),
    "quotes in quotes": ('a: 1\nask: "an "OK" came"\n', 2, "a text goes on after its closing quote"),
    "indented less": ("ask: x\noptions:\n  - id: a\n    text: b\n   match: x\n", 5, "line's indentation"),
    "indented more": ("ask: x\n  kind: one\n", 2, "this line's indentation does not fit"),
    "a text outside": ("text: |\n  a\n b\nc: d\n", 3, "this line's indentation does not fit"),
    "a colon": ("a: 1\ntext: one: two\n", 2, "a text with a colon and a blank in it needs quotes"),
    "no colon": ("ask: x\nkind one\nmatch: y\n", 2, "this line is no field"),
    "a tab": ("a:\n\tb: 1\n", 2, "a tab stands here"),
    "a bracket too many": ("a: 1\nb: [1]]\n", 2, "closes a bracket that none opened"),
    "bold": ("a: 1\ntext: **bold** words\n", 2, "a text that begins with * needs quotes"),
    "code": ("a: 1\ntext: `code`\n", 2, "a text that begins with ` needs quotes"),
    "a tag": ("a: 1\ntext: !x y\n", 2, "a text that begins with ! needs quotes"),
    "an escape": ('a: 1\ntext: "\\q"\n', 2, "a backslash begins an escape"),
    "a control character": ("a: 1\ntext: \x01\n", 2, "a character that no text has (0x1)"),
    "a text after the sign": ("a: 1\ntext: | x\n  y\n", 2, "the text after | begins in the next line"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "a line --- stands in it"),
}


@pytest.mark.parametrize("what", NOT_YAML)
def test_what_is_not_yaml_is_told_in_plain_words_at_the_line_to_mend(what: str) -> None:
    """That is not always the line where the parser could not go on."""
    text, line, says = NOT_YAML[what]
    with pytest.raises(CommandRefused) as refusal:
        load(text, "01-small.md", 10, "predict")
    sentence = str(refusal.value)
    assert sentence.startswith(f"01-small.md, line {9 + line}")
    assert "this is not YAML: " in sentence
    assert says in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "until"),
    [
        (SMALL.replace("```\n```run", "```run"), "before line 50"),
        (SMALL.removesuffix("```\n"), "before the end of the file"),
    ],
)
def test_a_block_that_is_not_closed_is_named_where_it_begins(text: str, until: str) -> None:
    """Not at the next one, which Markdown takes for a part of it."""
    opened = "```predict" if "line" in until else "```observe"
    with pytest.raises(CommandRefused) as refusal:
        lesson(text)
    line = text.splitlines().index(opened) + 1
    says = f"01-small.md, line {line}: the block {opened[3:]} that begins here is not closed {until}: "
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(what: str) -> None:
    """With file and line, the field where there is one, and what is wrong with it."""
    text, says = BROKEN[what]
    assert text != SMALL
    with pytest.raises(CommandRefused) as refusal:
        lesson(text)
    sentence = str(refusal.value)
    assert sentence.startswith("01-small.md, line ")
    assert says in sentence
    assert "\n" not in sentence


def test_a_broken_file_is_left_out_and_the_rest_serve(tmp_path: Path) -> None:
    """Its name and its fault are known; a scene that is missing counts as a fault."""
    folder(
        tmp_path,
        **{"02_other": SMALL.replace("id: small", "id: other").replace("scene: plain", "scene: gone")},
    )
    folder(tmp_path, **{"03_bad": "nothing"})
    found = Library([tmp_path])
    assert list(found.lessons) == ["small"]
    says = {each.file: each.says for each in found.broken}
    assert "begins with front matter" in says["03-bad.md"]
    assert "there is no scene 'gone'" in says["02-other.md"]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """And only then is anything said to have changed."""
    found = library(tmp_path)
    before = found.lessons["small"].revision
    assert not found.refresh()
    (tmp_path / "01-small.md").write_text(SMALL.replace("A small lesson", "Another title"))
    assert found.refresh()
    assert found.lessons["small"].title == "Another title"
    assert found.lessons["small"].revision != before
    (tmp_path / "01-small.md").unlink()
    assert found.refresh()
    assert found.lessons == {}


def test_a_teachers_folder_stands_beside_ours(tmp_path: Path) -> None:
    """What has the same name replaces ours."""
    ours, theirs = folder(tmp_path / "ours"), folder(tmp_path / "theirs")
    (theirs / "01-small.md").write_text(SMALL.replace("A small lesson", "My own"))
    assert Library([ours, theirs]).lessons["small"].title == "My own"


def test_the_document_gives_no_answer_away(tmp_path: Path) -> None:
    """Pages get texts and ids; matches, marks and misconceptions of options stay here."""
    found = library(tmp_path)
    document = documents.document(found, found.lessons["small"])
    assert [step["id"] for step in document["steps"]] == ["look", "bet", "again"]
    question = next(block for block in document["steps"][1]["blocks"] if block["kind"] == "predict")
    assert question["options"] == [{"id": "none", "text": "None yet"}, {"id": "both", "text": "Both of them"}]
    assert question["run"] == "bet"
    text = str(document["steps"])
    for secret in ("x == 0", "It must travel", "You saw it", "'answer'"):
        assert secret not in text


def test_tables_are_read(tmp_path: Path) -> None:
    """Misconceptions and glossary, with errors like any other file's."""
    path = tmp_path / "misconceptions.yaml"
    path.write_text("M-X-Y: { belief: b, tempting: t, lesson: small, step: bet }\n")
    assert load_misconceptions(path)["M-X-Y"].step == "bet"
    path.write_text("wrong: { belief: b, tempting: t }\n")
    with pytest.raises(CommandRefused, match=r"misconceptions\.yaml, line 1, wrong: a misconception's id"):
        load_misconceptions(path)
    path = tmp_path / "glossary.yaml"
    path.write_text("leader: { says: The node that orders writes., aliases: { mysql: source } }\n")
    assert load_glossary(path)["leader"].aliases == {"mysql": "source"}


def test_quizzes_may_be_measured_too() -> None:
    """Then no answer is written down."""
    text = SMALL.replace(
        QUIZ,
        """```quiz
id: later
ask: "How many are behind?"
measure: { run: bet, probe: "lag(B) + lag(C)" }
options:
  - { id: zero, text: "None", match: "x == 0", mis: M-REPL-INSTANT, why: "Both." }
  - { id: two, text: "Two", match: "x == 2" }
```
""",
    )
    assert lesson(text).questions()[1].answer is None
