"""The conditions of `Index.find`: read by a grammar of their own, written as SQL with parameters.

    condition  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = "not" negation | comparison
    comparison = sum [ ("<" | "<=" | ">" | ">=" | "=" | "==" | "!=" | "<>") sum
                     | ["not"] "between" sum "and" sum | ["not"] "in" "(" sum { "," sum } ")" | ["not"] "like" text ]
    sum        = product { ("+" | "-") product }
    product    = sign { ("*" | "/") sign }
    sign       = "-" sign | number | 'text' | name | "name" | `name` | "true" | "false" | "(" condition ")"
               | ("abs" | "min" | "max") "(" sum { "," sum } ")"

Nothing of the text reaches the database but numbers and texts, as parameters, and names that the index has.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from ..errors import InvalidArgumentError

_TOKEN = re.compile(
    r"""(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    |(?P<word>\w+)
    |(?P<sign><=|>=|==|!=|<>|[-+*/()<>=,])""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_KEYWORDS = frozenset(("and", "or", "not", "between", "in", "like", "true", "false"))
_FUNCTIONS = {"abs": "abs", "min": "least", "max": "greatest"}
_COMPARISONS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "=", "==": "=", "!=": "<>", "<>": "<>"}
_LONGEST = 10_000
_DEEPEST = 60


@dataclass(frozen=True)
class Column:
    """Something that a condition may name.

    Attributes:
        sql: what stands for it in a query.
        kind: what it is.
        threshold: of an attribute: the probability from which it counts as present.
    """

    sql: str
    kind: Literal["number", "text"] = "number"
    threshold: float | None = None


@dataclass(frozen=True)
class Clause:
    """A part of a query.

    Attributes:
        sql: with a `?` for each parameter.
        parameters: in their order.
    """

    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Value(Clause):
    """A part of a condition; `column` is set while it is an attribute alone, which is a number or a truth."""

    kind: str = "number"
    column: Column | None = field(default=None)
    start: int = 0


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """The keyword or sign that it is, in small letters; "" for texts, numbers and quoted names."""
        return self.text.lower() if self.kind in ("word", "sign", "end") else ""


def condition(text: str, columns: Mapping[str, Column]) -> Clause:
    """A condition as SQL. An attribute that stands alone means that it is present.

    Args:
        text: such as `Smiling > 0.8 and not Eyeglasses`.
        columns: what may be named. Names are found without regard to case, and spaces stand for underscores, where
            that leaves no doubt; those with other characters are put in double quotes or backquotes.

    Raises:
        InvalidArgumentError: it is not understood; the message says where and what was expected.
    """
    parser = _Parser(text, columns, "condition")
    value = parser.truth(parser.disjunction())
    parser.end()
    return Clause(value.sql, value.parameters)


def amount(text: str, columns: Mapping[str, Column]) -> Clause:
    """A number to sort by, such as `Smiling` or `Smiling - Young`, as SQL. Raises as `condition` does."""
    parser = _Parser(text, columns, "sort")
    value = parser.number(parser.disjunction())
    parser.end()
    return Clause(value.sql, value.parameters)


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, Column], called: str) -> None:
        self._text, self._columns, self._called = text, columns, called
        self._depth = self._next = 0
        if len(text) > _LONGEST:
            raise InvalidArgumentError(f"the {called} has {len(text)} characters; expected at most {_LONGEST}")
        self._tokens = self._split()

    # Words

    def _split(self) -> list[_Token]:
        tokens, place = [], _SPACE.match(self._text).end()  # type: ignore[union-attr]
        while place < len(self._text):
            match = _TOKEN.match(self._text, place)
            if match is None:
                self._fail(place, f"{self._text[place]!r} is not understood")
            tokens.append(_Token(str(match.lastgroup), match.group(), place))
            place = _SPACE.match(self._text, match.end()).end()  # type: ignore[union-attr]
        return [*tokens, _Token("end", "", len(self._text))]

    def _fail(self, place: int, what: str) -> NoReturn:
        first = max(place - 30, 0)
        shown = self._text[first : place + 30].replace("\n", " ")
        raise InvalidArgumentError(f"{self._called}: {what}\n  {shown}\n  {' ' * (place - first)}^")

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *words: str) -> str:
        """The next word if it is one of these, else ""."""
        word = self._token.word
        if word and word in words:
            self._next += 1
            return word
        return ""

    def _expect(self, word: str) -> None:
        if not self._take(word):
            self._fail(self._token.start, f"expected {word!r}")

    def end(self) -> None:
        """Nothing follows."""
        if self._token.kind != "end":
            self._fail(self._token.start, f"expected the end, or `and` or `or`, before {self._token.text[:40]!r}")

    # Grammar

    def disjunction(self) -> _Value:
        """A condition, or a value alone."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(self._token.start, f"more than {_DEEPEST} brackets or signs within each other")
        value = self._joined("or", self._conjunction)
        self._depth -= 1
        return value

    def _conjunction(self) -> _Value:
        return self._joined("and", self._negation)

    def _joined(self, word: str, part: Any) -> _Value:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return self._made(f" {word} ".join("{}" for _ in parts), [self.truth(value) for value in parts], "truth")

    def _negation(self) -> _Value:
        # A loop: a thousand times "not" is no reason to run out of stack.
        count, start = 0, self._token.start
        while self._take("not"):
            count += 1
        value = self._comparison()
        if not count:
            return value
        value = self.truth(value)
        return self._made("not {}" if count % 2 else "{}", [value], "truth", start)

    def _comparison(self) -> _Value:
        left = self.sum()
        negated = "not " if self._take("not") else ""
        if self._take("between"):
            low = self.number(self.sum())
            self._expect("and")
            return self._made(f"{{}} {negated}between {{}} and {{}}", [self.number(left), low, self.number(self.sum())])
        if self._take("in"):
            choices = self._list()
            same = self.text if left.kind == "text" else self.number
            places = ", ".join("{}" for _ in choices)
            return self._made(f"{{}} {negated}in ({places})", [same(left), *map(same, choices)])
        if self._take("like"):
            return self._made(f"{{}} {negated}like {{}}", [self.text(left), self.text(self.sum())])
        if negated:
            self._fail(self._token.start, "expected `between`, `in` or `like` after `not`")
        sign = self._take(*_COMPARISONS)
        if not sign:
            return left
        right = self.sum()
        kinds = {left.kind, right.kind}
        same = self.truth if "truth" in kinds else self.text if "text" in kinds else self.number
        compared = self._made(f"{{}} {_COMPARISONS[sign]} {{}}", [same(left), same(right)])
        if self._token.word in _COMPARISONS:
            self._fail(self._token.start, "comparisons are joined by `and`, or written with `between`")
        return compared

    def sum(self) -> _Value:
        """Numbers added and subtracted, or a value alone."""
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._sign))

    def _chain(self, signs: Sequence[str], part: Any) -> _Value:
        value = part()
        while sign := self._take(*signs):
            value = self._made(f"{{}} {sign} {{}}", [self.number(value), self.number(part())], "number")
        return value

    def _sign(self) -> _Value:
        count, start = 0, self._token.start
        while self._take("-"):
            count += 1
        value = self._atom()
        if not count:
            return value
        return self._made("- {}" if count % 2 else "{}", [self.number(value)], "number", start)

    def _atom(self) -> _Value:
        token = self._token
        self._next += 1
        if token.kind == "number":
            return _Value("?", (float(token.text),), "number", start=token.start)
        if token.kind == "text":
            return _Value("?", (token.text[1:-1].replace("''", "'"),), "text", start=token.start)
        if token.kind == "quoted":
            quote = token.text[0]
            return self._named(token.text[1:-1].replace(quote * 2, quote), token)
        if token.word == "(":
            value = self.disjunction()
            self._expect(")")
            return value
        if token.word in ("true", "false"):
            return _Value(token.word, (), "truth", start=token.start)
        if token.kind == "word" and token.word not in _KEYWORDS:
            if token.word in _FUNCTIONS and self._token.word == "(":
                return self._function(token)
            return self._named(token.text, token)
        self._fail(token.start, "expected an attribute, a number or a condition")

    def _function(self, token: _Token) -> _Value:
        values = [self.number(value) for value in self._list()]
        if token.word == "abs" and len(values) > 1:
            self._fail(token.start, "abs takes one number")
        places = ", ".join("{}" for _ in values)
        return self._made(f"{_FUNCTIONS[token.word]}({places})", values, "number", token.start)

    def _list(self) -> list[_Value]:
        """Values in brackets."""
        self._expect("(")
        values = [self.disjunction()]
        while self._take(","):
            values.append(self.disjunction())
        self._expect(")")
        return values

    def _named(self, name: str, token: _Token) -> _Value:
        column = self._columns.get(name)
        if column is None:
            alike = [other for other in self._columns if _loose(other) == _loose(name)]
            if len(alike) > 1:
                self._fail(token.start, f"{name!r} may be {' or '.join(map(repr, alike))}")
            if not alike:
                near = difflib.get_close_matches(_loose(name), map(_loose, self._columns), n=1, cutoff=0.75)
                meant = next((other for other in self._columns if near and _loose(other) == near[0]), None)
                hint = f"; do you mean {meant}?" if meant else ""
                self._fail(token.start, f"the index has no attribute {name!r}{hint}")
            column = self._columns[alike[0]]
        attribute = column if column.threshold is not None else None
        return _Value(column.sql, (), column.kind, attribute, token.start)

    # Kinds

    def truth(self, value: _Value) -> _Value:
        """A condition; an attribute becomes one."""
        if value.column is not None:
            return _Value(f"({value.sql} >= ?)", (value.column.threshold,), "truth", start=value.start)
        return self._of_kind(value, "truth", "a condition, such as a comparison,")

    def number(self, value: _Value) -> _Value:
        """A number."""
        return self._of_kind(value, "number", "a number")

    def text(self, value: _Value) -> _Value:
        """A text."""
        return self._of_kind(value, "text", "a text in single quotes")

    def _of_kind(self, value: _Value, kind: str, called: str) -> _Value:
        if value.kind != kind:
            self._fail(value.start, f"expected {called} here")
        return value

    def _made(self, form: str, parts: Sequence[_Value], kind: str = "truth", start: int | None = None) -> _Value:
        parameters = tuple(parameter for part in parts for parameter in part.parameters)
        sql = "(" + form.format(*(part.sql for part in parts)) + ")"
        return _Value(sql, parameters, kind, start=parts[0].start if start is None else start)


def _loose(name: str) -> str:
    return name.casefold().replace(" ", "_")
