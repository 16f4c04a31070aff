"""The search behind `linearizability.py`: just-in-time linearization of one register.

It knows numbers only. Values are numbered by the caller; `UNSEEN` stands for every value that no
operation will look at any more, so that configurations which differ only in such a value are one.
"""

from __future__ import annotations

UNSEEN = -1
"""The register holds something that nobody will look at."""

Configuration = tuple[int, int]
"""What the register holds, and the bits of the open operations that have taken effect."""


class Step:
    """One operation to be placed. A `read` must see `value`; a `cas` turns `expected` into it."""

    __slots__ = ("bit", "called", "expected", "kind", "returned", "twins", "value")

    def __init__(self, kind: str, value: int, expected: int, called: int, returned: int | None) -> None:
        self.kind = kind
        self.value = value
        self.expected = expected
        self.called = called
        self.returned = returned
        """`None`: it may take effect at any time after its call, or never."""
        self.bit = 0
        """Its bit while it is open; 0 before, and when it needs none."""
        self.twins = 0
        """Bits of open steps just like it that must take effect first. Of steps that may all never
        happen, which one does makes no difference, so only one order is tried."""


class Search:
    """One search. After `run`, `held` is the answer and `explored` what it cost: how often
    a step was tried on a configuration."""

    def __init__(
        self, steps: list[Step], initial: int, values: int, explored_max: int, width: int | None = None
    ) -> None:
        self.held: bool | None = True
        self.explored = 0
        self.width = width
        """The most configurations kept at any moment, the thriftiest ones; `None`: all of them."""
        self.is_cut = False
        """Whether some were not kept: finding no explanation then proves nothing."""
        self.explored_max = explored_max
        self.steps = _without_useless(steps, values)
        self.observers = [0] * values
        """By value: steps that look at it and have not returned."""
        self.coming_observers = [0] * values
        """By value: steps that must look at it and are not called yet."""
        self.coming_producers = [0] * values
        self.open_reads = [0] * values
        self.open_writes = [0] * values
        self.open_producers = [0] * values
        self.open_cas = [0] * values
        """By the value expected: cas steps that must happen."""
        self.open_takers = [0] * values
        """By the value expected: all cas steps."""
        self.open: dict[int, Step] = {}
        """Open writes and cas by bit."""
        self.optional = 0
        """Bits of open steps that never return."""
        self.hidden = 0
        """Bits of open writes that must happen and whose value nobody will look at."""
        self.bits_used = 0
        self.bits_free: list[int] = []
        self._count()
        state = initial if self.observers[initial] else UNSEEN
        self.configurations: dict[Configuration, None] = {(state, 0): None}

    def _count(self) -> None:
        for step in self.steps:
            if step.kind == "read":
                self.observers[step.value] += 1
                self.coming_observers[step.value] += 1
                continue
            self.coming_producers[step.value] += 1
            if step.kind == "cas":
                self.observers[step.expected] += 1
                if step.returned is not None:
                    self.coming_observers[step.expected] += 1

    def run(self) -> None:
        """Walk all calls and returns in order. Sets `held`."""
        moments = [(step.called, 0, place) for place, step in enumerate(self.steps)]
        for place, step in enumerate(self.steps):
            if step.returned is not None:
                moments.append((step.returned, 1, place))
        moments.sort()
        for _, is_return, place in moments:
            if not is_return:
                self._call(self.steps[place])
                continue
            self._return(self.steps[place])
            if self.explored > self.explored_max:
                self.held = None
                return
            if not self.configurations:
                self.held = None if self.is_cut else False
                return

    # --- a call ------------------------------------------------------------------------------------

    def _call(self, step: Step) -> None:
        value = step.value
        if step.kind == "read":
            step.bit = bit = self._take_bit()
            self.coming_observers[value] -= 1
            self.open_reads[value] |= bit
            self.configurations = {
                (state, mask | bit if state == value else mask): None for state, mask in self.configurations
            }
            return
        self.coming_producers[value] -= 1
        if step.kind == "cas" and step.returned is not None:
            self.coming_observers[step.expected] -= 1
        if step.returned is None and not self.observers[value]:
            return  # Nobody will see it: as if it never happened.
        step.bit = bit = self._take_bit()
        self.open[bit] = step
        if step.returned is None:
            step.twins = self._twins(step)
            self.optional |= bit
        elif step.kind == "cas":
            self.open_cas[step.expected] |= bit
        if step.kind == "cas":
            self.open_takers[step.expected] |= bit
        else:
            self.open_writes[value] |= bit
            if step.returned is not None and not self.observers[value]:
                self.hidden |= bit
        self.open_producers[value] |= bit

    def _twins(self, step: Step) -> int:
        twins = self.open_producers[step.value] & self.optional
        if not twins:
            return 0
        return sum(
            bit
            for bit, other in self.open.items()
            if bit & twins and other.kind == step.kind and other.expected == step.expected and bit != step.bit
        )

    def _take_bit(self) -> int:
        if self.bits_free:
            return self.bits_free.pop()
        self.bits_used += 1
        return 1 << (self.bits_used - 1)

    # --- a return ----------------------------------------------------------------------------------

    def _return(self, step: Step) -> None:
        bit = step.bit
        after: dict[Configuration, None] = {}
        waiting: list[Configuration] = []
        for configuration in self.configurations:
            if configuration[1] & bit:
                after[(configuration[0], configuration[1] ^ bit)] = None
            else:
                waiting.append(configuration)
        if waiting and self.open:
            self._expand(waiting, bit, after)
        if self.optional and len(after) > 1:
            after = _without_dominated(after, self.optional)
        if self.width is not None and len(after) > self.width:
            self.is_cut = True
            after = dict.fromkeys(list(after)[: self.width])
        self.configurations = after
        self._close(step)

    def _expand(self, waiting: list[Configuration], goal: int, after: dict[Configuration, None]) -> None:
        """Let open steps take effect in every order until the one with bit `goal` has."""
        met = dict.fromkeys(waiting)
        candidates = list(self.open.items())
        for state, mask in waiting:  # It grows meanwhile: those with fewer steps taken come first.
            self.explored += len(candidates)
            if self.explored > self.explored_max:
                return
            if self.width is not None and len(after) >= 4 * self.width:
                self.is_cut = True
                return
            for bit, step in candidates:
                if mask & bit or step.twins & ~mask:
                    continue
                following = self._effect(state, mask, step)
                if following is None:
                    continue
                if following[1] & goal:
                    after[(following[0], following[1] ^ goal)] = None
                elif following not in met:
                    met[following] = None
                    waiting.append(following)

    def _effect(self, state: int, mask: int, step: Step) -> Configuration | None:
        """The configuration after a step takes effect; `None` when it cannot or need not be tried."""
        value = step.value
        if step.kind == "cas":
            if state != step.expected:
                return None
            mask |= step.bit
        else:
            mask |= step.bit | self.hidden
        if state not in (UNSEEN, value) and self._is_needed(state, mask):
            return None
        if step.returned is None and not (self.open_reads[value] | self.open_takers[value]) & ~mask:
            return None  # Nobody would see it now: better left for later.
        if not self.observers[value]:
            return (UNSEEN, mask)
        return (value, mask | self.open_reads[value])

    def _is_needed(self, value: int, mask: int) -> bool:
        """Whether somebody must still see `value` and nobody is left to put it there again."""
        if not self.coming_observers[value] and not self.open_cas[value] & ~mask:
            return False
        return not self.coming_producers[value] and not self.open_producers[value] & ~mask

    def _close(self, step: Step) -> None:
        clear = ~step.bit
        if step.kind == "read":
            self.open_reads[step.value] &= clear
            observed = step.value
        else:
            del self.open[step.bit]
            self.open_producers[step.value] &= clear
            self.open_writes[step.value] &= clear
            self.hidden &= clear
            observed = step.expected
            if step.kind == "cas":
                self.open_cas[observed] &= clear
                self.open_takers[observed] &= clear
        self.bits_free.append(step.bit)
        if observed >= 0:
            self.observers[observed] -= 1
            if not self.observers[observed]:
                self._forget(observed)

    def _forget(self, value: int) -> None:
        """Nobody will look at `value` any more."""
        useless = self.open_producers[value] & self.optional
        for bit in [bit for bit in self.open if bit & useless]:
            step = self.open.pop(bit)
            self.open_producers[value] &= ~bit
            self.open_writes[value] &= ~bit
            self.optional &= ~bit
            self.bits_free.append(bit)
            if step.kind == "cas":
                self.open_takers[step.expected] &= ~bit
                self.observers[step.expected] -= 1
                if not self.observers[step.expected]:
                    self._forget(step.expected)
        self.hidden |= self.open_writes[value]
        self.configurations = {
            (UNSEEN if state == value else state, mask & ~useless): None
            for state, mask in self.configurations
        }


def _without_useless(steps: list[Step], values: int) -> list[Step]:
    """Without those that may never have happened and whose value nobody looks at: if they did
    happen, the rest would be just as well explained without them."""
    while True:
        looked_at = [False] * values
        for step in steps:
            if step.kind == "read":
                looked_at[step.value] = True
            elif step.kind == "cas":
                looked_at[step.expected] = True
        useful = [step for step in steps if step.returned is not None or looked_at[step.value]]
        if len(useful) == len(steps):
            return useful
        steps = useful


def _without_dominated(configurations: dict[Configuration, None], optional: int) -> dict[Configuration, None]:
    """Of configurations that differ only in the optional steps they used, keep the thrifty ones."""
    groups: dict[Configuration, list[int]] = {}
    for state, mask in sorted(configurations, key=lambda pair: (pair[1] & optional).bit_count()):
        used = groups.setdefault((state, mask & ~optional), [])
        spent = mask & optional
        if all(less & spent != less for less in used):
            used.append(spent)
    # The thriftiest of every group first: where only the first few are kept, they should differ.
    ranked = [
        (rank, (state, mask | spent))
        for (state, mask), used in groups.items()
        for rank, spent in enumerate(used)
    ]
    ranked.sort(key=lambda pair: pair[0])
    return {configuration: None for _, configuration in ranked}
