"""A real cluster with a narrator beside it, for tests that read what is told."""

from __future__ import annotations

from typing import NamedTuple

from server.cluster import Settings, Simulation, events
from server.language import parse
from server.narration import Narrator, Telling

SECOND = 1_000_000


class Told(NamedTuple):
    """One sentence and its event."""

    event: events.Event
    telling: Telling


class Story:
    """A real cluster with a narrator beside it."""

    def __init__(self, seed: int = 7, **settings: str | int | bool) -> None:
        named = {name.replace("_", "-"): value for name, value in settings.items()}
        self.simulation = Simulation(Settings().with_values(named), seed)
        self.narrator = Narrator()
        self.told: list[Told] = []
        self.seen = 0

    def play(self, *script: str | float) -> Story:
        """Commands are carried out, numbers are seconds to wait."""
        for line in script:
            if isinstance(line, str):
                self.simulation.execute(parse(line))  # type: ignore[arg-type]
            else:
                self.simulation.run_until(self.simulation.now_us + int(line * SECOND))
            self.listen()
        return self

    def listen(self) -> None:
        trace = self.simulation.trace
        while self.seen < len(trace):
            event = trace[self.seen]
            self.seen += 1
            telling = self.narrator.tell(event)
            if telling is not None:
                self.told.append(Told(event, telling))

    @property
    def sentences(self) -> list[str]:
        return [told.telling.plain for told in self.told]

    def of(self, name: str) -> list[Telling]:
        """What was told of one kind of event."""
        return [told.telling for told in self.told if told.event.name == name]
