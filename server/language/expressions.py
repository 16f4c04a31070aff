"""The expression language over a run's facts: text in, a fast question out.

`wait until`, `expect`, lesson goals and predictions all ask with it. An expression is read once, by
recursive descent, into nested closures, because it is asked again after every event. Names and kinds
are checked while reading; nothing here ever runs text as Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from server.cluster.settings import NODE_LETTERS, SETTINGS
from server.language import evaluation
from server.language.evaluation import COMPARISONS, Expression, Part, Run, Watch, constant
from server.language.vocabulary import (
    CALLS,
    END,
    FACTS,
    FIELDS,
    NODE,
    NODES,
    NONE,
    NUMBER,
    OPERATIONS,
    SETTING_KINDS,
    STORE,
    TEXT,
    TIME,
    TRUTH,
    Kind,
)
from server.language.words import LanguageError, Token, TokenReader, read_time, shown, suggestion


def compile_expression(text: str) -> Expression:
    """Read an expression. Raises `LanguageError` and nothing else, whatever the text."""
    return ExpressionReader(text).read()


def compile_condition(text: str) -> Expression:
    """Read an expression that must be true or false, as after `expect`. Raises `LanguageError`."""
    return ExpressionReader(text).read(is_condition=True)


class Name(NamedTuple):
    """A bare word whose meaning its neighbour decides: beside a role, `leader` is the role's name."""

    word: str
    at: int


_CONSTANTS: dict[str, tuple[Kind, Any]] = {
    "none": (NONE, None), "true": (TRUTH, True), "false": (TRUTH, False), "on": (TRUTH, True),
    "off": (TRUTH, False),
}  # fmt: skip
_LETTERS = tuple(NODE_LETTERS)
_ROLES = tuple(name for name, row in FACTS.items() if row.kind is NODE and not row.takes)
_LISTS = tuple(name for name, row in FACTS.items() if row.kind in (NODES, OPERATIONS))
_ASKED = tuple(name for name, row in FACTS.items() if row.takes)
"""Facts that are asked about something: `lag(C)`."""


class ExpressionReader(TokenReader):
    """Reads one expression out of `text[start:end]`; offsets in errors count from the text's start."""

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        super().__init__(text, start, len(text) if end is None else end)
        self._frame: list[Any] = []
        """One slot per variable; the closures read it."""
        self._variables: dict[str, tuple[int, Kind]] = {}
        self._item: tuple[int, Kind] | None = None
        """Inside `where(…)`: slot and kind of the item whose fields may be named bare."""
        self._watched: list[Watch] = []

    def read(self, is_condition: bool = False) -> Expression:
        """The whole expression; a condition must be true or false."""
        first = self._peek()
        if first.sort == "end":
            self._peek(*self._starters())
            says = "Here belongs an expression, such as lost == 0."
            raise LanguageError(says, None, first.at, self._starters())
        part = self._settled(self._any_of())
        if self._peek().sort != "end":
            raise self._unexpected(f"after {shown(part.source)}")
        if is_condition:
            self._truth(part)
        else:
            evaluation.check_answer(part)
        return Expression(self.text, part.kind, tuple(self._watched), part.run)

    # --- operators, loosest first ---

    def _any_of(self) -> Part | Name:
        return self._joined("or", self._all_of, evaluation.some)

    def _all_of(self) -> Part | Name:
        return self._joined("and", self._negation, evaluation.every)

    def _joined(
        self, word: str, inner: Callable[[], Part | Name], combine: Callable[[tuple[Run, ...]], Run]
    ) -> Part | Name:
        first = inner()
        if self._peek(word).text != word:
            return first
        parts = [self._truth(self._settled(first))]
        while self._accept(word):
            parts.append(self._truth(self._settled(inner())))
        run = combine(tuple(part.run for part in parts))
        return Part(TRUTH, run, parts[0].at, evaluation.joined(parts, word))

    def _negation(self) -> Part | Name:
        first = self._peek()
        count = 0
        while self._accept("not"):
            count += 1
        inner = self._comparison()
        if not count:
            return inner
        part = self._truth(self._settled(inner))
        run = evaluation.negation(part.run)
        return Part(TRUTH, run if count % 2 else evaluation.negation(run), first.at, f"not {part.source}")

    def _comparison(self) -> Part | Name:
        left = self._sum()
        sign = self._accept(*COMPARISONS)
        if sign is None:
            return self._membership(left)
        compared = self._compared(left, sign)
        again = self._peek()
        if again.text in COMPARISONS:
            says = "Compare two things at a time, and join comparisons with and."
            raise LanguageError(says, again.text, again.at, ("and",))
        return compared

    def _compared(self, left: Part | Name, sign: Token) -> Part:
        """Reads the right side and compares."""
        self._offer_choices(left)
        one, other = self._side_by_side(left, self._sum())
        run = evaluation.comparison(one, sign.text, other)
        if run is None:
            raise evaluation.cannot_compare(one, sign.text, other)
        return Part(TRUTH, run, one.at, f"{one.source} {sign.text} {other.source}")

    def _membership(self, left: Part | Name) -> Part | Name:
        is_negated = self._peek("in").text == "not" and self._tokens[self._next + 1].text == "in"
        if is_negated:
            self._take()
        if self._accept("in") is None:
            return left
        found = self._among_choices(left) if self._accept("(") else self._among_list(self._settled(left))
        return found._replace(run=evaluation.negation(found.run)) if is_negated else found

    def _among_list(self, part: Part) -> Part:
        self._peek(*_LISTS)
        group = self._settled(self._primary())
        if group.kind.item is None or part.kind not in (group.kind.item, NONE):
            says = f"{shown(group.source)} is not a list that could hold {shown(part.source)}."
            raise LanguageError(says, group.source, group.at, _LISTS)
        one, many = part.run, group.run
        source = f"{part.source} in {group.source}"
        return Part(TRUTH, lambda facts: one(facts) in many(facts), part.at, source)

    def _among_choices(self, left: Part | Name) -> Part:
        equal = Token("sign", "==", self._peek().at)
        parts = [self._compared(left, equal)]
        while self._accept(","):
            parts.append(self._compared(left, equal))
        self._expect(")", parts[-1].source)
        return parts[0]._replace(run=evaluation.some(tuple(part.run for part in parts)))

    def _sum(self) -> Part | Name:
        return self._calculated(("+", "-"), self._product)

    def _product(self) -> Part | Name:
        return self._calculated(("*", "/"), self._signed)

    def _calculated(self, signs: tuple[str, ...], inner: Callable[[], Part | Name]) -> Part | Name:
        first = inner()
        sign = self._accept(*signs)
        if sign is None:
            return first
        total = self._settled(first)
        steps: list[tuple[str, Run]] = []
        while sign is not None:
            part = self._settled(inner())
            kind = evaluation.arithmetic_kind(total.kind, sign.text, part.kind)
            if kind is None:
                both = f"{shown(total.source)} is {total.kind.says}, {shown(part.source)} is {part.kind.says}"
                raise LanguageError(f"{both}: {sign.text} does not fit between.", part.source, part.at)
            steps.append((sign.text, part.run))
            total = Part(kind, total.run, total.at, f"{total.source} {sign.text} {part.source}")
            sign = self._accept(*signs)
        return total._replace(run=evaluation.calculation(total.run, tuple(steps)))

    def _signed(self) -> Part | Name:
        first = self._peek()
        count = 0
        while self._accept("-"):
            count += 1
        inner = self._primary()
        if not count:
            return inner
        part = self._settled(inner)
        if part.kind not in (NUMBER, TIME):
            says = f"{shown(part.source)} is {part.kind.says}, not a number."
            raise LanguageError(says, part.source, part.at)
        if count % 2 == 0:
            return part
        run = evaluation.calculation(constant(-1), (("*", part.run),))
        return Part(part.kind, run, first.at, f"-{part.source}", part.literal)

    # --- what stands alone ---

    def _primary(self) -> Part | Name:
        token = self._peek(*self._starters())
        self._enter(token.at)
        part = self._after_dots(self._atom(token))
        self._depth -= 1
        return part

    def _starters(self) -> tuple[str, ...]:
        own = FIELDS[self._item[1]] if self._item else ()
        return (*self._variables, *own, *FACTS, *CALLS, "not", "none", *NODE_LETTERS[:3])

    def _atom(self, token: Token) -> Part | Name:
        if token.sort == "word":
            return self._word(self._take())
        if self._accept("("):
            inner = self._any_of()
            self._expect(")", "(")
            return inner
        literal = evaluation.literal(token)
        if literal is None:
            raise self._unexpected("where a fact or a value belongs")
        self._take()
        return literal

    def _word(self, token: Token) -> Part | Name:
        word = token.text
        if word in _CONSTANTS:
            kind, value = _CONSTANTS[word]
            return Part(kind, constant(value), token.at, word, True)
        if word in ("all", "any") and self._peek().sort == "word":
            return self._quantified(token)
        if self._accept("("):
            return self._call(token)
        return Name(word, token.at)

    def _after_dots(self, part: Part | Name) -> Part | Name:
        while self._accept("."):
            owner = self._settled(part)
            fits = (*FIELDS.get(owner.kind, ()), *(("where",) if owner.kind.item else ()))
            token = self._peek(*fits)
            if token.sort != "word":
                raise self._unexpected(f"after {shown(owner.source + '.')}", fits[:6])
            self._take()
            if token.text == "where" and owner.kind.item is not None:
                part = self._where(owner)
            elif owner.kind is STORE:
                part = evaluation.stored(owner, token.text)
            else:
                part = evaluation.dotted(owner, token)
        return part

    # --- names ---

    def _offer_choices(self, left: Part | Name) -> None:
        """Where the text ends after a comparison: the words that the left side can be."""
        part = self._resolved(left, None) if isinstance(left, Name) else left
        if part is not None:
            self._peek(*(part.kind.choices or ((*NODE_LETTERS[:3], "none") if part.kind is NODE else ())))

    def _side_by_side(self, left: Part | Name, right: Part | Name) -> tuple[Part, Part]:
        """Both sides of a comparison, a bare word taken for what its neighbour makes of it."""
        if isinstance(left, Name) and isinstance(right, Name):
            if self._resolved(left, None) is None and self._resolved(right, None) is not None:
                right = self._settled(right)
            else:
                left = self._settled(left)
        if isinstance(left, Name):
            assert isinstance(right, Part)
            return self._settled(left, right.kind), right
        return left, self._settled(right, left.kind)

    def _resolved(self, name: Name, beside: Kind | None) -> Part | None:
        """What a bare word means here, or `None`."""
        word, at = name
        if beside is not None and beside.choices:
            choice = next((item for item in beside.choices if item in (word, word.replace("_", "-"))), None)
            if choice is not None:
                return Part(beside, constant(choice), at, choice, True)
        if word in self._variables:
            slot, kind = self._variables[word]
            return Part(kind, self._slot_reader(slot), at, word)
        if self._item is not None and word in FIELDS[self._item[1]]:
            slot, kind = self._item
            row = FIELDS[kind][word]
            return Part(row.kind, evaluation.dotted_run(self._slot_reader(slot), row.read), at, word)
        if beside is TEXT:
            return Part(TEXT, constant(word), at, word, True)
        if word in FACTS and word not in _ASKED:
            return Part(FACTS[word].kind, FACTS[word].read, at, word)
        letter = word.upper() if beside in (NODE, END) else word
        return Part(NODE, constant(letter), at, letter, True) if letter in _LETTERS else None

    def _settled(self, part: Part | Name, beside: Kind | None = None) -> Part:
        """The part with a bare word decided. Raises for a word that means nothing here."""
        if isinstance(part, Part):
            return part
        return self._resolved(part, beside) or self._refuse(part, beside)

    def _refuse(self, name: Name, beside: Kind | None) -> Part:
        word, at = name
        if beside is not None and beside.choices:
            hint = suggestion(word, beside.choices)
            says = f"{shown(word)} is not {beside.says}: {', '.join(beside.choices)}.{hint}"
            raise LanguageError(says, word, at, beside.choices)
        form = FACTS[word].example if word in _ASKED else CALLS.get(word)
        if form is not None:
            raise LanguageError(f"{word} must be told of what: {form}.", word, at, ("(",))
        if beside is NODE:
            fits = (*_ROLES, *_LETTERS)
            hint = suggestion(word, fits)
            says = f"{shown(word)} is not a node: A to {NODE_LETTERS[-1]}, {', '.join(_ROLES)}.{hint}"
            raise LanguageError(says, word, at, fits)
        fits = self._starters()
        hint = suggestion(word, fits) or f" Facts: {', '.join(FACTS)}."
        raise LanguageError(f"There is no fact called {shown(word)}.{hint}", word, at, fits)

    def _slot_reader(self, slot: int) -> Run:
        frame = self._frame
        return lambda facts: frame[slot]

    def _truth(self, part: Part) -> Part:
        """The part, once it is sure that it is true or false."""
        if part.kind in (TRUTH, NONE):
            return part
        ending = {NUMBER: "== 1", TIME: "> 2s"}.get(part.kind, "!= none")
        if part.kind.choices:
            ending = f"== {part.kind.choices[0]}"
        says = f"{shown(part.source)} is {part.kind.says}, not true or false: compare it, such as"
        raise LanguageError(f"{says} {part.source} {ending}.", part.source, part.at, COMPARISONS)

    # --- calls and lists; the name and its parenthesis have been read ---

    def _call(self, token: Token) -> Part:
        if token.text in ("ever", "always", "held"):
            return self._watch(token)
        if token.text == "count":
            return self._count(token)
        if token.text == "setting":
            return self._setting(token)
        known = (*_ASKED, *(name for name in CALLS if name not in ("all", "any")))
        if token.text not in _ASKED:
            says = f"There is nothing called {token.text}(…).{suggestion(token.text, known)}"
            raise LanguageError(says, token.text, token.at, known)
        fact = FACTS[token.text]
        parts: list[Part] = []
        for kind in fact.takes:
            if parts:
                self._expect(",", f"{token.text}({parts[0].source}")
            parts.append(self._argument(token, kind))
        source = f"{token.text}({', '.join(part.source for part in parts)})"
        run = evaluation.application(fact.read, tuple(part.run for part in parts))
        part = Part(fact.kind, run, token.at, source)
        if fact.kind is STORE and self._accept(","):
            part = self._stored_key(part)
        self._expect(")", source[:-1])
        return part

    def _argument(self, token: Token, kind: Kind) -> Part:
        if kind is not NUMBER:
            self._peek(*NODE_LETTERS[:3], *_ROLES)
        part = self._settled(self._sum(), NODE if kind is END else kind)
        if kind is END and part.kind is NUMBER and part.literal:
            return part._replace(run=constant(part.source))
        if part.kind not in (NODE if kind is END else kind, NONE):
            says = f"{token.text}(…) takes {kind.says}, not {part.kind.says}: {FACTS[token.text].example}."
            raise LanguageError(says, part.source, part.at, () if kind is NUMBER else _LETTERS)
        return part

    def _stored_key(self, store: Part) -> Part:
        token = self._peek("x")
        if token.sort not in ("word", "text"):
            raise self._unexpected("where a key belongs")
        return evaluation.stored(store, self._take().text.strip("\"'"))

    def _count(self, token: Token) -> Part:
        self._peek(*_LISTS)
        part = self._settled(self._any_of())
        if part.kind.item is None:
            says = f"{shown(part.source)} is {part.kind.says}, not a list: {CALLS['count']}."
            raise LanguageError(says, part.source, part.at, _LISTS)
        self._expect(")", f"count({part.source}")
        run = part.run
        return Part(NUMBER, lambda facts: len(run(facts)), token.at, f"count({part.source})")

    def _watch(self, token: Token) -> Part:
        if self._variables or self._item:
            says = f"{token.text}(…) belongs outside all, any and where: {token.text}(any n in nodes: …)."
            raise LanguageError(says, token.text, token.at)
        part = self._truth(self._settled(self._any_of()))
        source, duration_us = f"{token.text}({part.source}", 0
        if token.text == "held":
            self._expect(",", source)
            time = evaluation.literal(self._peek("1s", "500ms"))
            if time is None or time.kind is not TIME:
                raise self._unexpected("where a time belongs", ("1s",))
            duration_us = read_time(self._take().text) or 0
            source += f", {time.source}"
        self._expect(")", source)
        watch = Watch(token.text, part.run, duration_us)
        self._watched.append(watch)
        return Part(TRUTH, watch.value, token.at, source + ")")

    def _setting(self, token: Token) -> Part:
        word = self._peek(*SETTINGS)
        if word.sort != "word":
            raise self._unexpected("where a setting's name belongs")
        name = word.text.replace("_", "-")
        if name not in SETTINGS:
            says = f"There is no setting called {shown(word.text)}.{suggestion(name, SETTINGS)}"
            raise LanguageError(says, word.text, word.at, tuple(SETTINGS))
        self._take()
        letter = constant(None)
        if self._accept(","):
            letter = self._argument(token._replace(text="node"), NODE).run
        self._expect(")", f"setting({name}")
        kind = SETTING_KINDS[name]
        return Part(kind, lambda facts: facts.setting(name, letter(facts)), token.at, f"setting({name})")

    def _quantified(self, token: Token) -> Part:
        self._enter(token.at)
        variable = self._take()
        if variable.text in (*FACTS, *CALLS, *_CONSTANTS, *_LETTERS, "not", "and", "or", "in"):
            says = f"{shown(variable.text)} already means something: choose another name, such as n."
            raise LanguageError(says, variable.text, variable.at, ("n",))
        self._expect("in", f"{token.text} {variable.text}")
        self._peek(*_LISTS)
        group = self._settled(self._primary())
        if group.kind.item is None:
            says = f"{shown(group.source)} is {group.kind.says}, not a list."
            raise LanguageError(says, group.source, group.at, _LISTS)
        source = f"{token.text} {variable.text} in {group.source}"
        self._expect(":", source)
        slot, outer = self._new_slot(), self._variables
        self._variables = {**outer, variable.text: (slot, group.kind.item)}
        body = self._truth(self._settled(self._any_of()))
        self._variables = outer
        self._depth -= 1
        run = evaluation.loop(self._frame, slot, group.run, body.run, token.text == "all")
        return Part(TRUTH, run, token.at, f"{source}: {body.source}")

    def _where(self, owner: Part) -> Part:
        assert owner.kind.item is not None
        self._expect("(", f"{owner.source}.where")
        slot, outer = self._new_slot(), self._item
        self._item = (slot, owner.kind.item)
        body = self._truth(self._settled(self._any_of()))
        self._item = outer
        source = f"{owner.source}.where({body.source}"
        self._expect(")", source)
        run = evaluation.selection(self._frame, slot, owner.run, body.run)
        return Part(owner.kind, run, owner.at, source + ")")

    def _new_slot(self) -> int:
        self._frame.append(None)
        return len(self._frame) - 1
