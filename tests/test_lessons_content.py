"""Every lesson, interview question and challenge of the program keeps what it claims, on all its seeds.

The same as `python -m server lessons check`: each run is played, and how much was measured is counted.
"""

from __future__ import annotations

import pytest

from server import resources
from server.lessons.library import Library
from server.lessons.playing import play_lesson
from server.lessons.records import Lesson
from server.lessons.rules import check_course, check_text

LIBRARY = Library([resources.folder("lessons")])
READY = [lesson for lesson in LIBRARY.everything() if lesson.status == "ready"]
ASSERTIONS_MIN = {"lesson": 50, "interview": 50, "challenge": 35}
"""What measures less claims next to nothing."""


def test_every_file_can_be_read() -> None:
    """None is left out."""
    assert [each.says for each in LIBRARY.broken] == []
    assert READY


@pytest.mark.slow
@pytest.mark.parametrize("lesson", READY, ids=lambda lesson: f"{lesson.kind}-{lesson.id}")
def test_what_it_claims_is_measured(lesson: Lesson) -> None:
    """Goals, nudges, predictions and claims, on every seed."""
    assertions, played = play_lesson(LIBRARY, lesson)
    assert [str(each) for each in [*check_text(LIBRARY, lesson), *played]] == []
    assert assertions >= ASSERTIONS_MIN[lesson.kind]


def test_the_course_holds_together() -> None:
    """Needs are taught earlier, every misconception is confronted and asked for, answers vary their place."""
    assert [str(each) for each in check_course(LIBRARY)] == []
