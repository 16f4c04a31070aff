"""A run as a room plays it: commands of its visitor on top of the script it may have started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from server.cluster.commands import CommandRefused
from server.language import Directive
from server.picture import Picture
from server.protocol import ScriptFrame, StartFrame
from server.run import Run, Step
from server.scenario import Scenario, check_seed
from server.store import Start


class Play:
    """Lets a run's time pass in pieces: one happening of the cluster or of the script at a time.

    A script that the cluster refuses, because the visitor changed things, stops there: `notice` says so."""

    def __init__(self, start: Start, scenario: Scenario | None) -> None:
        """Raises `CommandRefused` when the seed or a setting does not fit."""
        told = scenario or Scenario()
        self.scenario = replace(
            told,
            seed=told.seed if start.seed is None else check_seed(start.seed),
            settings={**told.settings, **start.settings},
        )
        self.run = Run(scenario=self.scenario)
        self.notice: str | None = None
        self._now_us = 0
        self._scenario_id = start.scenario
        self._has_script = bool(self.scenario.script)
        self._play_script(0)

    @property
    def start(self) -> StartFrame:
        """What the run began with."""
        return {
            "seed": self.scenario.seed,
            "settings": self.scenario.settings,
            "scenario": self._scenario_id,
        }

    @property
    def script(self) -> ScriptFrame | None:
        """The scenario's lines and which of them are done; `None` when there is no story to follow: no
        script, or one that only sets the scene."""
        if not any(isinstance(line.action, Directive) for line in self.scenario.script):
            return None
        done = self.script_done
        return {
            "title": self.scenario.title,
            "about": self.scenario.about,
            "broken": self.script_broken,
            "lines": [
                {"text": line.text, "done": number < done} for number, line in enumerate(self.scenario.script)
            ],
        }

    @property
    def script_done(self) -> int:
        """How many lines of the script are done."""
        return self.run.script.next_line

    @property
    def script_broken(self) -> list[int]:
        """Which of them expected what did not come true, counted from 0."""
        return [each.line for each in self.run.script.expectations if not each.held]

    @property
    def now_us(self) -> int:
        """Virtual time. The run's own clock stands at what happened last: were it moved with every tick,
        a script that waits for a time would go on at another moment each time it is played."""
        return max(self._now_us, self.run.now_us)

    @property
    def event_count(self) -> int:
        """How many events the run has had."""
        return self.run.event_count

    @property
    def told_count(self) -> int:
        """How many of them were told."""
        return self.run.told_count

    @property
    def state(self) -> Mapping[str, Any]:
        """Everything visible now."""
        return self.run.picture.state

    @property
    def memory(self) -> dict[str, Any]:
        """What the learner has done, when the run is part of a lesson; else empty."""
        return {}

    @property
    def lesson(self) -> dict[str, Any] | None:
        """The learner's progress, when the run is part of a lesson."""
        return None

    def ledger(self) -> list[dict[str, Any]]:
        """The life lines of the newest writes, newest first."""
        return self.run.ledger()

    def evidence(self, promise: str) -> list[dict[str, Any]]:
        """What shows that a promise is broken. Raises `CommandRefused` for an unknown promise."""
        return self.run.evidence(promise)

    def why(self, sequence: int | None, operation: int | None = None) -> list[dict[str, Any]]:
        """What led to an event, or became of a write. Raises `CommandRefused` when there is none such."""
        return self.run.why(sequence, operation)

    def blank_state(self) -> dict[str, Any]:
        """The document before the first event."""
        return Picture(self.scenario.seed, self.scenario.system).state

    def take_steps(self) -> list[Step]:
        """The steps since this was last asked."""
        return self.run.take_steps()

    def next_at_us(self) -> int | None:
        """When the next thing is due, in the cluster or in the script."""
        due = [self.run.next_at_us(), self.run.script.next_at_us() if self._has_script else None]
        return min((at_us for at_us in due if at_us is not None), default=None)

    def command(self, text: str) -> None:
        """Carry out the visitor's line now. Raises `CommandRefused`."""
        self.run.advance(self.now_us)
        self.run.command(text)

    def step(self) -> bool:
        """Let the next thing happen; `False` when nothing is left."""
        next_us = self.next_at_us()
        if next_us is None:
            return False
        if self._has_script:
            self._play_script(next_us)
        else:
            self.run.step()
        return True

    def advance(self, until_us: int) -> None:
        """Let everything happen that is due up to `until_us`."""
        while (next_us := self.next_at_us()) is not None and next_us <= until_us:
            self.step()
        self._now_us = max(self._now_us, until_us)

    def _play_script(self, until_us: int) -> None:
        if not self._has_script:
            return
        try:
            self.run.play_script(until_us)
        except CommandRefused as problem:
            self.notice = f"The scenario stopped: {problem}"
        self._has_script = self.notice is None and not self.run.script.is_done
