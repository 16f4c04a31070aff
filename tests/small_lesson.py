"""A small lesson made of pieces, so that a test can break one of them; and a folder that serves it."""

from __future__ import annotations

from pathlib import Path

from server.lessons.library import Library
from server.lessons.loader import read_lesson
from server.lessons.records import Lesson

FRONT = """\
---
id: small
rev: 1
title: A small lesson
minutes: 5
level: 1
needs: []
concepts: [smallness]
misconceptions: [M-REPL-INSTANT]
scene: plain
seed: [1, 2]
goal: After this you can break it.
---
"""

DO = """\
```do
goal:
  - { id: stored, text: "Something is stored", ever: "acknowledged >= 1" }
  - id: copied
    text: "Both followers hold it"
    now: "node(A).last_index >= 1 and lag(B) == 0 and lag(C) == 0"
  - { id: alive, text: "A never died", always: "node(A).up" }
forbid: [kill]
solution: [ "write x 1", "wait 3s" ]
hints: [ "Write.", "Write to A." ]
nudges:
  - id: reading
    when: "count(reads) > 0 and count(writes) == 0"
    say: "A read changes nothing."
    mis: M-REPL-INSTANT
    misfire: [ "read x", "wait 2s" ]
```
"""

PREDICT = """\
```predict
ask: "How many followers have it at once?"
measure: { run: bet, probe: "2 - lag(B) - lag(C)" }
options:
  - { id: none, text: "None yet", match: "x == 0" }
  - id: both
    text: "Both of them"
    match: "x > 0"
    mis: M-REPL-INSTANT
    why: "It must travel."
    show: [ "write y 2", "wait until node(A).last_index == 2 within 5s", "expect lag(B) == 1" ]
```
"""

RUN = """\
```run
do: [ "write y 1", "wait until node(A).last_index == 2 within 5s", "expect lag(B) == 1" ]
```
"""

QUIZ = """\
```quiz
id: later
ask: "When does a follower have it?"
answer: after
options:
  - { id: at-once, text: "At the same moment", mis: M-REPL-INSTANT, why: "It must travel." }
  - { id: after, text: "A message later", why: "You saw it." }
```
"""

BODY = f"""
## look: Look
Write something.

{DO}
## bet: Bet
Say what you expect, with `code`.

{PREDICT}{RUN}
```explain
text: A **copy** is late.
```
{QUIZ}
## again: Once more

```scene
use: plain
speed: 0.5
```
```run
id: apart
set: {{ latency: 1s }}
do: [ "write z 1", "wait 4s", "expect acknowledged == 1" ]
```
```observe
id: seen
ask: "How many OKs?"
kind: number
measure: {{ run: apart, probe: "acknowledged" }}
match: "x == 1"
tolerance: 0
slips:
  - {{ id: three, match: "x == 3", mis: M-REPL-INSTANT, why: "Copies send no OK to clients." }}
```
"""

SMALL = FRONT + BODY
SCENE = "title: Plain\nabout: Three nodes at rest.\nsettings: { failover: manual }\n"
MISCONCEPTIONS = "M-REPL-INSTANT: { belief: Copies are instant., tempting: It looks so., lesson: small }\n"


def lesson(text: str = SMALL, file: str = "01-small.md", kind: str = "lesson") -> Lesson:
    """The lesson of a text."""
    return read_lesson(text, file, kind)


def folder(path: Path, **files: str) -> Path:
    """A folder of lessons: the small one, its scene and its table, and what else is named."""
    content = {
        "01-small.md": SMALL,
        "scenes/plain.yaml": SCENE,
        "misconceptions.yaml": MISCONCEPTIONS,
        **{name.replace("__", "/").replace("_", "-") + ".md": text for name, text in files.items()},
    }
    for name, text in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return path


def library(path: Path, text: str = SMALL) -> Library:
    """A library whose only lesson has this text."""
    folder(path)
    (path / "01-small.md").write_text(text, encoding="utf-8")
    return Library([path])
