"""The narrator: an event and what came before it, as a sentence.

Every sentence follows from the events alone; nothing is guessed. What happens all the time (heartbeats,
replies, flushes, timers) is not told, nor is dense background traffic unless something goes wrong.
"""

from __future__ import annotations

from server.cluster.events import Event
from server.narration import operations, replication, surroundings
from server.narration.memory import Memory
from server.narration.words import Telling

_TELLERS = {**surroundings.TELLERS, **replication.TELLERS, **operations.TELLERS}


class Narrator:
    """Tells one run. Give it every event, in order."""

    def __init__(self) -> None:
        self.memory = Memory()

    def tell(self, event: Event) -> Telling | None:
        """The event in words, or `None` when a learner would not miss it."""
        teller = _TELLERS.get(type(event))
        telling = teller(self.memory, event) if teller is not None else None
        self.memory.observe(event)
        return telling
