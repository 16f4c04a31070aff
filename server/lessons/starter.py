"""The files that a new lesson, interview question or challenge begins with: small, whole, and green when
they are checked."""

_BET = """\
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
    show: [ "write y 1", "wait until lag(B) == 1 within 5s", "expect lag(C) == 1" ]
```
```run
id: bet
do: [ "write y 1", "wait until lag(B) == 1 within 5s", "expect lag(C) == 1" ]
```
"""

LESSON = (
    """\
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
"""
    + _BET
    + """\
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
)

QUESTION = (
    """\
---
id: @ID@
rev: 1
title: @TITLE@
question: When does a follower have a write?
source: twenty
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

## say: Say it first

Say your answer aloud before you read on. This text is Markdown; at most 120 words in a step.

## bet: Right after the write

Copies travel as messages do.

"""
    + _BET
    + """
## answer: The short answer

```short_answer
sentences:
  - id: later
    say: "A follower has a write one message after its leader."
    play: [ "write x 1", "wait until node(A).last_index >= 1 within 5s" ]
    expect: "lag(B) == 1"
  - id: then
    say: "Left alone, it catches up."
    play: [ "write x 1", "wait 4s" ]
    expect: "lag(B) == 0 and lag(C) == 0"
```

## hidden: What the short answer hides

```hides
points:
  - id: cut
    say: "Behind a cut link it stays behind, and does not know it."
    play: [ "cut A C", "write x 1", "wait 4s" ]
    expect: "lag(B) == 0 and lag(C) == 1"
```

## more: What a senior adds

```senior
text: |
  - **How far behind** is counted in entries and in seconds; they are not the same.
```
```follow_ups
questions:
  - ask: "How would you notice?"
    answer: "Ask the leader where its log ends, and each follower what it has applied."
```
```rubric
points:
  - { id: trade-off, text: "I said what waiting for the copies would cost." }
  - { id: failure, text: "I named what happens when the leader dies first." }
  - { id: number, text: "I said how long it takes: about a message." }
  - { id: system, text: "I named where a real system shows its lag." }
```
```quiz
id: at-once
ask: "When does a follower have a write?"
answer: after
options:
  - id: same
    text: "At the same moment as the leader"
    mis: M-REPL-INSTANT
    why: "It must travel first."
    show: [ "write x 1", "wait until node(A).last_index >= 1 within 5s", "expect lag(B) == 1" ]
  - { id: after, text: "One message later than the leader", why: "That is how long the copy is on its way." }
```
"""
)

CHALLENGE = """\
---
id: @ID@
rev: 1
title: @TITLE@
minutes: 3
level: 1
status: wip
needs: []
concepts: []
scene: three-nodes
seed: [1, 2, 3]
goal: Leave one follower behind while the other has everything.
---

## behind: One behind
Keep one copy from the news. The cluster itself must not notice: no node may die.

```do
forbid: [kill, pause, remove]
goal:
  - id: apart
    text: "For two seconds B has an entry that C lacks"
    held: { for: 2s, that: "lag(B) == 0 and lag(C) >= 1" }
solution: [ "cut A C", "write x 1", "wait 5s" ]
hints: [ "Copies travel over links." ]
nudges:
  - id: both
    when: "node(A).last_index >= 1 and lag(B) == 0 and lag(C) == 0"
    after: 2s
    say: "Both have it. What keeps a message from arriving?"
    misfire: [ "write x 1", "wait 6s" ]
```
```explain
text: A follower that cannot be reached stays as it is, and serves what it has.
```
"""

STARTERS = {"interview": QUESTION, "challenges": CHALLENGE}
"""By the folder that the file is to lie in; elsewhere it is a lesson."""
