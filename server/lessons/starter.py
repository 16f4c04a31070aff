"""The file that a new lesson begins with: small, whole, and green when it is checked."""

STARTER = """\
---
id: @ID@
rev: 1
title: @TITLE@
minutes: 5
level: 1
status: wip
needs: []
concepts: []
misconceptions: [M-REPL-INSTANT]
scene: three-nodes
seed: [1, 2, 3]
goal: After this you can say when a copy has what its leader has.
---

## look: See a copy arrive
Write something, and watch the copies follow. This text is Markdown; at most 120 words in a step.

```scene
use: three-nodes
```
```do
goal:
  - id: stored
    text: "Both followers hold a new entry"
    now: "node(A).last_index >= 1 and lag(B) == 0 and lag(C) == 0"
solution: [ "write x 1", "wait 3s" ]
hints: [ "Press *Write*." ]
nudges:
  - id: reading
    when: "count(reads) > 0 and count(writes) == 0"
    say: "A read changes nothing. Write something."
    misfire: [ "read x", "wait 2s" ]
```

## bet: Say what you expect
```predict
ask: "The leader has just appended a write. How many followers have it?"
measure: { run: bet, probe: "2 - lag(B) - lag(C)" }
options:
  - { id: none, text: "None yet", match: "x == 0" }
  - id: both
    text: "Both of them"
    match: "x > 0"
    mis: M-REPL-INSTANT
    why: "A copy takes the time of a message."
```
```run
do: [ "write y 1", "wait until node(A).last_index >= 2 within 5s", "expect lag(B) == 1" ]
```
```explain
text: A copy is behind by as long as a message takes.
```
```quiz
id: later
ask: "When does a follower have a write?"
answer: after
options:
  - id: at-once
    text: "At the same moment as the leader"
    mis: M-REPL-INSTANT
    why: "It must travel first."
  - { id: after, text: "One message later than the leader", why: "That is what you saw." }
```
"""
