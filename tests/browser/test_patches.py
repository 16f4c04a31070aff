"""What the page folds from patches is what the server has, whatever was done to the cluster.

`static/js/store.js` itself is fed by a socket of its own; at moments of the test's choosing the document
that it folded is compared with a keyframe, byte for byte, order of keys included.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.visitor import Visitor

MOMENTS = 8
"""How often a run is compared."""

LISTEN = """async () => {
  const root = document.querySelector('script[type=module]').src.replace('js/page.js', '');
  const { io } = await import(root + 'vendor/socket.io.esm.min.js');
  const { Store } = await import(root + 'js/store.js');
  const socket = io({ transports: ['websocket'], forceNew: true });
  const store = new Store();
  const seen = { keyframes: 0, frames: 0, missed: 0 };
  let wake = () => {};
  const probe = window.probe = { socket, store, seen, last: null };
  probe.next = () => new Promise((resolve) => { wake = resolve; });
  socket.on('keyframe', (keyframe) => {
    seen.keyframes++;
    probe.last = keyframe;
    store.takeKeyframe(keyframe);
    wake();
  });
  socket.on('frame', (frame) => {
    seen.frames++;
    if (!store.takeFrame(frame)) seen.missed++;
    wake();
  });
  if (probe.last === null) await probe.next();
}"""

ASK = "([name, payload]) => window.probe.socket.emitWithAck(name, payload)"

COMPARE = """async () => {
  const { socket, store, seen } = window.probe;
  await socket.emitWithAck('playback', { action: 'pause' });
  // What the pause itself shows comes before the answer to a later question.
  await socket.emitWithAck('complete', { text: '' });
  const folded = JSON.stringify(store.state);
  const { sequence, nowUs } = store;
  const arrived = window.probe.next();
  await socket.emitWithAck('resync', {});
  await arrived;
  const { state, sequence: last, now_us } = window.probe.last;
  return { folded, sent: JSON.stringify(state), sequence, last, nowUs, now_us, seen };
}"""

RANDOM_LINES = [
    "write {key} {value} by {client}",
    "write {key} {value} to {node}",
    "read {key} by {client} from any",
    "cas {key} 1 {value}",
    "delete {key}",
    "kill {node}",
    "restart {node}",
    "pause {node}",
    "resume {node}",
    "promote {node}",
    "partition {node} | {others}",
    "cut {node} -> {other}",
    "heal",
    "loss all 20%",
    "latency {node} {other} 900ms",
    "drop next append {node} -> {other}",
    "set replication quorum",
    "set reads any",
    "set flush 400ms on {node}",
    "load writes 4/s by {client}",
    "load stop",
    "add D",
    "remove D",
]


def ask(page: Page, name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A question over the listener's socket."""
    answer: dict[str, Any] = page.evaluate(ASK, [name, payload])
    return answer


def random_line(random: Random) -> str:
    """A command that may or may not fit the cluster as it is: a refusal changes nothing either."""
    node, other = random.sample("ABC", 2)
    others = " ".join(letter for letter in "ABC" if letter != node)
    return random.choice(RANDOM_LINES).format(
        key=random.choice("xyz"),
        value=random.randint(1, 3),
        client=random.choice("12"),
        node=node,
        other=other,
        others=others,
    )


def go_on(page: Page, random: Random) -> dict[str, Any]:
    """Plays to some moment, holds the run and compares; answers what has been seen so far."""
    ask(page, "playback", {"action": "play"})
    page.wait_for_timeout(random.randint(50, 500))  # Chooses the moment; nothing is waited for.
    found = page.evaluate(COMPARE)
    assert found["sequence"] == found["last"]
    assert found["nowUs"] == found["now_us"]
    assert found["folded"] == found["sent"]
    seen: dict[str, Any] = found["seen"]
    return seen


@pytest.mark.parametrize("start", [{"seed": 21}, {"scenario": "partition-heal"}, {"scenario": "async-loss"}])
def test_folded_patches_are_what_the_server_has(visitor: Visitor, start: dict[str, Any]) -> None:
    """Random commands at random moments, in runs of their own and in the middle of stories."""
    random = Random(str(start))
    page = visitor.page
    page.evaluate(LISTEN)
    assert ask(page, "restart", start)["ok"]
    ask(page, "playback", {"action": "speed", "speed": 10})
    while page.evaluate("() => window.probe.store.script?.lines.some((line) => !line.done) ?? false"):
        go_on(page, random)
    accepted = 0
    for _ in range(MOMENTS):
        for _ in range(random.randint(1, 4)):
            accepted += ask(page, "command", {"text": random_line(random)})["ok"]
        seen = go_on(page, random)
    assert accepted > MOMENTS / 2
    assert seen["frames"] > MOMENTS
    assert seen["missed"] == 0
    page.evaluate("() => window.probe.socket.disconnect()")


PATCHES = """async () => {
  const root = document.querySelector('script[type=module]').src.replace('js/page.js', '');
  const { applyPatch } = await import(root + 'js/store.js');
  const before = { list: [1, 2, 3, 4], map: { a: 1, b: 2 }, kept: {} };
  const was = JSON.stringify(before);
  const fresh = new Set();
  let after = before;
  for (const patch of [
    ['+', ['list'], 5], ['>', ['list'], 2], ['<', ['list'], 2], ['=', ['list', 0], 9],
    ['-', ['map', 'a']], ['=', ['map', 'c'], { d: 1 }], ['=', ['map', 'c', 'd'], 2],
  ]) after = applyPatch(after, patch, fresh);
  const whole = applyPatch(before, ['=', [], { e: 1 }], new Set());
  return [after, was === JSON.stringify(before), after.kept === before.kept, whole];
}"""


def test_each_kind_of_patch(visitor: Visitor) -> None:
    """Set, delete, append, keep the first, drop the first; older documents stay as they were."""
    after, is_unchanged, shares, whole = visitor.page.evaluate(PATCHES)
    assert after == {"list": [9, 4], "map": {"b": 2, "c": {"d": 2}}, "kept": {}}
    assert is_unchanged
    assert shares
    assert whole == {"e": 1}
