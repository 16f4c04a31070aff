"""A run told in sentences: plain ones for everybody, precise ones for those who ask.

`Narrator` is a fold over the trace and knows nothing else. `memory` is what it remembers, `words` how
names, lists and times are put; `surroundings`, `replication` and `operations` each have one function
per kind of event that is told. `links` has a sentence for every event, `courses` the way of one write.
"""

from server.narration.courses import course
from server.narration.links import describe
from server.narration.narrator import Narrator
from server.narration.words import Telling

__all__ = ["Narrator", "Telling", "course", "describe"]
