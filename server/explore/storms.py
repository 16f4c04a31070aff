"""Storms: faults that follow one another in an order in which they can hurt.

Each is a family of schedules that single moves hardly ever meet, with chance left in its steps. A step
that the cluster refuses is left out, and the storm goes on.
"""

from __future__ import annotations

from server.cluster import commands, events
from server.cluster.settings import SECOND
from server.explore.moves import KEYS, Moves


class Storms(Moves):
    """Sequences of moves."""

    # --- before and after -----------------------------------------------------------------------------

    def _calm_leader(self) -> str | None:
        """Who leads; mostly after all that was broken has been repaired, for a storm that meets a broken
        cluster comes to nothing."""
        if self._chance(70):
            self._make_whole()
        if self._leader() is None:
            self._await(events.LeaderStarted)
        return self._leader()

    def _others(self, leader: str) -> list[str]:
        """The followers that run and vote, in any order."""
        nodes = self.trial.simulation.nodes
        others = [name for name in self._names("up") if name != leader and nodes[name].is_voter]
        self.random.shuffle(others)
        return others

    def _await(self, *kinds: type[events.Event]) -> events.Event | None:
        return self.trial.advance_to(kinds, self.trial.now_us + 2 * self.settings.election_timeout_max_us)

    def _await_leader(self, old: str) -> str | None:
        """Whoever leads, or will lead, instead of `old`; the operator sees to it where nobody votes."""
        if self.is_manual:
            self._do(commands.Promote(self._other_than(old)))
        end_us = self.trial.now_us + 2 * self.settings.election_timeout_max_us
        while (leader := self._leader()) in (None, old):
            if self.trial.advance_to((events.LeaderStarted,), end_us) is None:
                return None
        return leader

    def _await_answer(self, client: str) -> None:
        """Go on until the client's last operation has ended, or for as long as an election may take."""
        pending = self.trial.simulation.clients[client].pending
        operation = next(reversed(pending), None)
        end_us = self.trial.now_us + self.settings.election_timeout_max_us
        while operation in pending and self.trial.advance_to((events.OperationEnded,), end_us) is not None:
            pass

    def _let_spread(self) -> None:
        """Give what was written last the time to reach every disk and, mostly, to be known as committed."""
        settings = self.settings
        spread_us = 2 * settings.latency_us + settings.flush_us
        self.trial.advance(self.trial.now_us + spread_us + self._up_to(2 * settings.heartbeat_us))

    def _write(self, key: str, client: str, to: str) -> None:
        """A write, and its answer."""
        if self._do(self._next_write(key, client, to)):
            self._await_answer(client)

    # --- two leaders ----------------------------------------------------------------------------------

    def _two_leaders(self) -> None:
        """One leader is left alone with a client while another is chosen and takes a write: whatever the
        first one answers afterwards may be out of date."""
        leader = self._calm_leader()
        if leader is None or len(self._others(leader)) < 2:
            return
        first, *rest = self.clients
        key = self._pick(KEYS)
        if is_quiet := self._chance(70):
            self._do(commands.StopLoad())  # Whoever lacks what was just written cannot be chosen.
        self._write(key, first, leader)
        self._let_spread()
        ways = (self._miss, self._hand_over, self._stand_late, self._lose_members, self._pause_leader)
        old = self._pick(ways)(leader)
        side = [old]
        if len(self.trial.simulation.nodes) > 4 and self._chance(40):
            side.append(self._other_than(old))
        self._part(side, first)
        self._do(commands.Read(key, first))
        new = self._await_leader(old)
        if new is not None and self._chance(30):
            self._change_members(side, new)
            self._write(key, first, old)
        if rest and new is not None:
            self._write(key, rest[0], new)
        self._do(commands.Resume(old))
        for _ in self.trial.simulation.nodes:  # One for each that the client may take for the leader.
            self._do(commands.Read(key, first))
        self._wait(percent_at_once=0)
        self._do(commands.Read(key, first))
        if is_quiet:
            self._start_load()
        self.gaps_left -= 2

    def _part(self, side: list[str], client: str) -> None:
        """Cut these nodes off, together with one client."""
        ends = (*self.trial.simulation.nodes, *self.clients)
        rest = tuple(each for each in ends if each not in side and each != client)
        self._do(commands.Partition(((*side, client), rest)))

    def _change_members(self, side: list[str], new: str) -> None:
        """While two lead, members leave on the new leader's side, or join on the old one's."""
        if self._chance(50):
            for name in [each for each in self.trial.simulation.nodes if each not in (*side, new)]:
                self._remove_node(name)
            return
        for _ in range(2):
            joined = self._join()
            if joined is None:
                return
            side.append(joined)
            self._part(side, self.clients[0])
            self._await(events.NodeAdmitted)

    def _miss(self, leader: str) -> str:
        """One follower misses the leader for longer than the rest, of whom some forget when they heard it."""
        one, *rest = self._others(leader)
        self._do(commands.Cut(leader, one, False))
        self._linger()
        if self._chance(50):
            for name in rest:
                self._blink(name)
        return leader

    def _linger(self) -> None:
        """Nearly the shortest silence after which a follower stands."""
        shortest_us = self.settings.election_timeout_min_us
        self.trial.advance(self.trial.now_us + shortest_us * 3 // 4 + self._up_to(shortest_us // 4))

    def _hand_over(self, leader: str) -> str:
        """The leader tells another to stand; nobody waits for its silence."""
        self._do(commands.Switchover(self._pick(self._others(leader))))
        self._await(events.ElectionStarted, events.LeaderStarted)
        return leader

    def _stand_late(self, leader: str) -> str:
        """A candidate stands still while votes come in: it wins when it runs again."""
        one = self._pick(self._others(leader))
        self._do(commands.Switchover(one) if self._chance(70) else commands.Cut(leader, one, False))
        stood = self._await(events.ElectionStarted)
        if not isinstance(stood, events.ElectionStarted):
            return leader
        self._do(commands.Pause(stood.node))
        self.trial.advance(self.trial.now_us + 3 * self.settings.latency_us)
        return stood.node

    def _lose_members(self, leader: str) -> str:
        """Of the followers, those leave for good who have just confirmed the leader; the rest miss it."""
        others = self._others(leader)
        half = len(others) // 2
        for name in others[:half]:
            self._do(commands.Cut(leader, name, False))
        self._linger()
        for name in others[half:]:
            self._remove_node(name)
        return leader

    def _pause_leader(self, leader: str) -> str:
        """It stands still, and has not noticed when it runs again."""
        self._do(commands.Pause(leader))
        return leader

    # --- what only few have ---------------------------------------------------------------------------

    def _relay(self) -> None:
        """Raft's figure 8: two nodes lead in turn, each with an entry that nobody else has; the first one
        returns, spreads its old entry, and is gone as soon as somebody calls it safe."""
        self._calm_leader()
        self._do(commands.StopLoad())
        self._do(commands.SetSetting("retries", 10))  # Somebody shall still ask when the first one returns.
        one = self._lead_alone(self.clients[0])
        if one is None:
            return
        self._do(commands.Kill(one))
        self._do(commands.Heal())
        if self._await(events.LeaderStarted) is None:
            return
        other = self._lead_alone(self.clients[-1])
        if other is None or other == one:
            return
        self._do(commands.Kill(other))
        self._do(commands.Heal())
        self._do(commands.Restart(one))
        if self._await(events.LeaderStarted) is not None:
            safe = (events.CommitAdvanced, events.WriteAcknowledged, events.WriteAcknowledged)
            self._await(self._pick(safe))
        if self._chance(30):
            self.trial.advance(self.trial.now_us + self._up_to(self.settings.latency_us))
        if self._chance(70):
            self._part([one], self.clients[0])  # What it has on the wire is lost with it.
        self._do(commands.Kill(one))
        self._do(commands.Restart(other))
        self._await(events.LeaderStarted)
        self._do(commands.Restart(one))
        self._start_load()
        self.gaps_left -= 5

    def _lead_alone(self, client: str) -> str | None:
        """Let the leader write what reaches its own disk only; gives its name."""
        leader = self._leader()
        if leader is None:
            return None
        self._part([leader], client)
        self._do(self._next_write(self._pick(KEYS), client, leader))
        self._await_flush(leader)
        return leader

    def _await_flush(self, name: str) -> None:
        """Go on until a node has put something into its log and all of it is on its disk."""
        end_us, last_index = self.trial.now_us + self.settings.election_timeout_max_us, 0
        kinds = (events.EntryAppended, events.LogFlushed)
        while (event := self.trial.advance_to(kinds, end_us)) is not None:
            if not isinstance(event, events.EntryAppended | events.LogFlushed) or event.node != name:
                continue
            if isinstance(event, events.EntryAppended):
                last_index = event.entry.index
            elif event.index >= last_index > 0:
                return

    def _shrink(self) -> None:
        """Members leave while half of those who stay lag behind, and then whoever has all is gone."""
        leader = self._calm_leader()
        if leader is None or len(self._others(leader)) < 4:
            return
        others = self._others(leader)
        lagging, leaving = others[: len(others) // 2], others[len(others) // 2 :]
        for name in lagging:
            if self._chance(50):
                self._do(commands.SetSetting("flush", 4 * SECOND, name))
            else:
                self._do(commands.Cut(leader, name, False))
        self._write(self._pick(KEYS), self.clients[-1], leader)
        for name in leaving:
            self._remove_node(name)
        for name in lagging:
            self._blink(name)
        self._do(commands.Heal())
        self._do(commands.Kill(leader))
        self._await(events.LeaderStarted)
        self.gaps_left -= 2

    # --- clients --------------------------------------------------------------------------------------

    def _repeat_refused(self) -> None:
        """With nobody leading, a client asks in vain; copies of what it asked come when somebody leads."""
        leader = self._calm_leader()
        if leader is None or not (others := self._others(leader)):
            return
        client, key = self._pick(self.clients), self._pick(KEYS)
        self._blink(leader)  # It leads no longer, and says that nobody does.
        known = tuple(self.trial.simulation.network.in_flight)
        self._do(self._next_write(key, client, others[0]))
        for _ in range(3):
            self._copy_late(known)
            known = tuple(self.trial.simulation.network.in_flight)
            self._wait(percent_at_once=0)
        self._await_leader(leader)
        for _ in range(3):
            self.trial.advance(self.trial.now_us + self.settings.election_timeout_max_us // 2)
            self._do(commands.Read(key, self._pick(self.clients)))
        self.gaps_left -= 2

    def _copy_late(self, known: tuple[int, ...]) -> None:
        """Let every write on the wire besides the known messages arrive again, much later."""
        in_flight, delay_us = self.trial.simulation.network.in_flight, self.settings.election_timeout_max_us
        writes = [number for number, each in in_flight.items() if each.message.kind == "write"]
        for number in writes:
            if number not in known and self._do(commands.DuplicateMessage(number)):
                copy = next(reversed(in_flight))
                self._do(commands.DelayMessage(copy, delay_us // 2 + self._up_to(delay_us)))

    def _look_around(self) -> None:
        """One client asks node after node about a key that has just changed, while the news is slow to
        reach one of them; sometimes the leader dies meanwhile."""
        leader = self._calm_leader()
        if self.has_proven_reads or leader is None:
            return
        key, client = self._pick(KEYS), self._pick(self.clients)
        slow = self._other_than(leader)
        self._write(key, client, leader)
        self._let_spread()
        self._do(commands.SetLatency(leader, slow, True, 2 * self.settings.election_timeout_min_us))
        if self._chance(50):
            self._do(self._delete(key, client, leader))
            self._await_answer(client)
        else:
            self._write(key, client, leader)
        reader = self._pick(self.clients)
        if self._chance(30):
            self._do(commands.Kill(leader))
        names = [name for name in self.trial.simulation.nodes if name not in (leader, slow)]
        for name in (leader, *names[:2], slow):
            self._do(commands.Read(key, reader, name))
            self._await_answer(reader)
        self.gaps_left -= 1
