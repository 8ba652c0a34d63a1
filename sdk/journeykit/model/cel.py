"""A condition's text is a documented subset of CEL: its syntax tree, parser and printer.

The tree is what the text means, without its spelling: `event.total`, `event["total"]`
and `event . total` are one `Path`, and `(a && b) && c` is one `And` of three. So
`parse(unparse(expr)) == expr`, and `unparse(parse(text))` is the one canonical text.

The grammar, loosest first; CEL's own (https://cel.dev) less what is not listed:

    or       = and { "||" and }
    and      = relation { "&&" relation }
    relation = unary [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") unary ]
    unary    = "!" unary | ["-"] number | member
    member   = ( name | text ) { "." name | "[" text | whole number "]" }
               [ "." method "(" or ")" ]
             | function "(" or ")" [ "." method "(" or ")" ] | "(" or ")"
             | "[" [ or { "," or } ] "]"
             | "true" | "false" | "null"
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import NamedTuple, TypeAlias, assert_never

from journeykit.errors import DefinitionError, InvalidCondition
from journeykit.model.durations import Duration

# Bounds for text from anywhere: a condition that needs more should be two steps.
MAX_TEXT = 4_096
MAX_NESTING = 32
MAX_NODES = 256

INT_MIN, INT_MAX = -(2**63), 2**63 - 1  # CEL's int

ROOTS = ("event", "entry", "profile", "step", "trait", "segment", "consent")
METHODS = ("startsWith", "endsWith", "contains")
TIME_METHODS = ("olderThan", "withinLast", "withinNext")
"""Ours, not CEL's: how an instant lies to now. The argument is a literal duration."""
FUNCTIONS = ("size", "timestamp")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")

# CEL's grammar does not take these as names, so after a path they need brackets.
_KEYWORDS = frozenset({"true", "false", "null", "in"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class _Node:
    """What every part of a syntax tree has: it prints as its canonical text."""

    __slots__ = ()

    def __str__(self) -> str:
        """Print the canonical text."""
        return unparse(self)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Literal(_Node):
    """A value written in the text: `3`, `2.5`, `"x"`, `true`, `null`."""

    value: bool | float | str | None

    # `1`, `1.0` and `true` are one value to Python and three to CEL; their repr differs.
    def __eq__(self, other: object) -> bool:
        """Tell two literals apart by type as well as by value."""
        if not isinstance(other, Literal):
            return NotImplemented
        return repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(repr(self.value))


@dataclass(frozen=True, slots=True)
class Items(_Node):
    """A list written in the text: `["a", event.code]`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Path(_Node):
    """A reference: a root and the fields and positions under it."""

    root: str
    keys: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Has(_Node):
    """`has(event.phone)`; the last key is a name, as CEL's `has` wants it."""

    path: Path


@dataclass(frozen=True, slots=True)
class Call(_Node):
    """A function or method of the subset; a method's target comes first."""

    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Compare(_Node):
    """Two values and one of `== != < <= > >=`."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class In(_Node):
    """A list holds the item, or a map has the key."""

    item: Expr
    container: Expr


@dataclass(frozen=True, slots=True)
class Not(_Node):
    """`!operand`."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And(_Node):
    """Two or more operands joined by `&&`; none is itself an `And`."""

    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or(_Node):
    """Two or more operands joined by `||`; none is itself an `Or`."""

    operands: tuple[Expr, ...]


Expr: TypeAlias = Literal | Items | Path | Has | Call | Compare | In | Not | And | Or


def conjunction(*operands: Expr) -> Expr:
    """All of these, flat."""
    return _joined(And, operands)


def disjunction(*operands: Expr) -> Expr:
    """Any of these, flat."""
    return _joined(Or, operands)


def _joined(kind: type[And | Or], operands: tuple[Expr, ...]) -> Expr:
    if len(operands) == 1:
        return operands[0]
    flat: list[Expr] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return kind(tuple(flat))


def time_tests(expr: Expr) -> Iterator[Call]:
    """Yield each test of an instant against now, in their order, repeats included."""
    if isinstance(expr, Call) and expr.name in TIME_METHODS:
        yield expr
    for child in children(expr):
        yield from time_tests(child)


def is_name(key: str | int) -> bool:
    """Whether a key may stand after a dot; any other stands in brackets."""
    return (
        isinstance(key, str)
        and _NAME.fullmatch(key) is not None
        and key not in _KEYWORDS
    )


def children(expr: Expr) -> tuple[Expr, ...]:
    """Name the parts of a node, left to right."""
    match expr:
        case Literal() | Path():
            return ()
        case Items(items):
            return items
        case Has(path):
            return (path,)
        case Call(_, args):
            return args
        case Compare(_, left, right):
            return (left, right)
        case In(item, container):
            return (item, container)
        case Not(operand):
            return (operand,)
        case And(operands) | Or(operands):
            return operands
        case _:
            assert_never(expr)


def references(expr: Expr) -> Iterator[Path]:
    """Yield each path that the expression reads, in its order, repeats included.

    `"odd name" in event` asks for one field of the event, so it reads
    `event["odd name"]` and not the whole event.
    """
    match expr:
        case Path():
            yield expr
        case In(Literal(str() as key), Path(root, ())):
            yield Path(root, (key,))
        case _:
            for child in children(expr):
                yield from references(child)


def paths(expr: Expr) -> frozenset[tuple[str | int, ...]]:
    """Collect the paths that an expression reads, such as `("event", "total")`."""
    return frozenset((path.root, *path.keys) for path in references(expr))


# --- Instants -----------------------------------------------------------------------

# `datetime.fromisoformat` takes far more than RFC 3339 (`20240101T00`, week dates).
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def instant(text: str) -> datetime:
    """Read an RFC 3339 timestamp as an aware UTC instant, to the microsecond.

    Raises:
        ValueError: The text is no RFC 3339 timestamp, or has no offset.
    """
    if _RFC_3339.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not an RFC 3339 timestamp with an offset")
    try:
        value = datetime.fromisoformat(text.upper())
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except OverflowError as err:
        raise ValueError(f"{text!r} is before year 1 or after year 9999") from err


def instant_text(value: datetime) -> str:
    """Print an aware instant as RFC 3339 in UTC, with no more digits than it needs."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


# --- Printer ------------------------------------------------------------------------

_LOOSEST, _AND, _RELATION, _UNARY = range(4)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def unparse(expr: Expr) -> str:
    """Print the canonical text: double quotes, single spaces, fewest parentheses."""
    return _print(expr, _LOOSEST)


def _print(expr: Expr, tightness: int) -> str:
    match expr:
        case Literal(value):
            return _print_literal(value)
        case Items(items):
            return f"[{', '.join(_print(item, _LOOSEST) for item in items)}]"
        case Path(root, keys):
            return root + "".join(
                f".{key}" if is_name(key) else f"[{_print_literal(key)}]"
                for key in keys
            )
        case Has(path):
            return f"has({_print(path, _LOOSEST)})"
        case Call(name, (target, arg)) if name in METHODS or name in TIME_METHODS:
            return f"{_print(target, _UNARY)}.{name}({_print(arg, _LOOSEST)})"
        case Call(name, args):
            return f"{name}({', '.join(_print(arg, _LOOSEST) for arg in args)})"
        case Not(operand):
            return f"!{_print(operand, _UNARY)}"
        case Compare(op, left, right):
            text, own = (
                f"{_print(left, _UNARY)} {op} {_print(right, _UNARY)}",
                _RELATION,
            )
        case In(item, container):
            text = f"{_print(item, _UNARY)} in {_print(container, _UNARY)}"
            own = _RELATION
        case And(operands):
            text = " && ".join(_print(operand, _RELATION) for operand in operands)
            own = _AND
        case Or(operands):
            text = " || ".join(_print(operand, _AND) for operand in operands)
            own = _LOOSEST
        case _:
            assert_never(expr)
    return f"({text})" if own < tightness else text


def _print_literal(value: bool | float | str | None) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case _:
            return repr(value)


def quoted(text: str) -> str:
    """Print text as a CEL string; what does not print is escaped."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


# --- Parser -------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str  # name, int, double, text, op, end
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""
      (?P<space> (?: [ \t\r\n\f] | //[^\n]* )+ )
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<double> [0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+ )
    | (?P<int> 0[xX][0-9a-fA-F]+ | [0-9]+ )
    | (?P<text> "(?: [^"\\\r\n] | \\. )*" | '(?: [^'\\\r\n] | \\. )*' )
    | (?P<op> && | \|\| | [=!<>]= | [!<>().,\[\]-] )
    """,
    re.VERBOSE | re.ASCII,
)

# What people write that is CEL, or nearly, and not in the subset; and the way out.
_NOT_HERE = {
    "+": "there is no arithmetic: compare the fields themselves, or send the sum as "
    "a field of the event",
    "?": "there is no `a ? b : c`: write (a && b) || (!a && c)",
    "=": "a single = compares nothing: write ==",
    "&": "write && for `and`",
    "|": "write || for `or`",
    "{": "there are no map literals: compare the fields one by one",
    "`": 'there are no backticks: write event["odd name"]',
    '"': "the text has no closing quote; a line break inside is written \\n",
}
_NOT_HERE |= dict.fromkeys("-*/%", _NOT_HERE["+"])
_NOT_HERE |= {":": _NOT_HERE["?"], "'": _NOT_HERE['"']}
_WORDS = {"and": "&&", "or": "||", "not": "!", "none": "null", "nil": "null"}
_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_CONVERSIONS = frozenset(
    {"bool", "bytes", "double", "duration", "dyn", "int", "string", "type", "uint"}
)

_STRING_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))",
    re.ASCII,
)
_SIMPLE_ESCAPES = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))


def parse(text: str) -> Expr:
    """Read a text of the subset as its syntax tree.

    Raises:
        InvalidCondition: With the text, a caret under the place, and the fix.
    """
    if len(text) > MAX_TEXT:
        raise InvalidCondition(
            f"a condition of {len(text):,} characters: the limit is {MAX_TEXT:,}; "
            f"split it into two steps: {text[:40]!r}…"
        )
    return _Parser(text).whole()


class _Parser:
    """One pass over the tokens, one method a line of the grammar."""

    __slots__ = ("at", "depth", "nodes", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self.scan())
        self.at = 0
        self.depth = 0
        self.nodes = 0

    def scan(self) -> Iterator[_Token]:
        position, match = 0, _TOKEN.match
        while found := match(self.text, position):
            kind, end = found.lastgroup, found.end()
            if kind != "space":
                yield _Token(str(kind), found[0], position, end)
            position = end
        if position < len(self.text):
            char = self.text[position]
            raise self.error(
                _NOT_HERE.get(char, f"unexpected character {char!r}"), position
            )
        yield _Token("end", "", position, position)

    # Tokens

    def take(self) -> _Token:
        token = self.tokens[self.at]
        if token.kind != "end":
            self.at += 1
        return token

    def takes(self, text: str) -> bool:
        """Whether the next token is this operator or keyword; if so, take it."""
        token = self.tokens[self.at]
        if token.text == text and token.kind in ("op", "name"):
            self.at += 1
            return True
        return False

    def expect(self, text: str, why: str) -> None:
        if not self.takes(text):
            raise self.error(f"expected {text} {why}", self.tokens[self.at].start)

    def node(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(
                f"more than {MAX_NODES} parts: split the condition into two steps",
                self.tokens[self.at].start,
            )

    def deeper(self, read: Callable[[], Expr]) -> Expr:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(
                f"nested more than {MAX_NESTING} deep: split the condition",
                self.tokens[self.at - 1].start,
            )
        expr = read()
        self.depth -= 1
        return expr

    # The grammar

    def whole(self) -> Expr:
        if self.tokens[0].kind == "end":
            raise self.error("an empty condition: write one, or leave it out", 0)
        expr = self.disjunction()
        token = self.tokens[self.at]
        if token.kind != "end":
            raise self.unexpected(token)
        return expr

    def disjunction(self) -> Expr:
        operands = [self.conjunction()]
        while self.takes("||"):
            operands.append(self.conjunction())
        return disjunction(*operands)

    def conjunction(self) -> Expr:
        operands = [self.relation()]
        while self.takes("&&"):
            operands.append(self.relation())
        return conjunction(*operands)

    def relation(self) -> Expr:
        left = self.unary()
        operator = self.tokens[self.at]
        if not self.is_relation(operator):
            return left
        self.at += 1
        self.node()
        right = self.unary()
        if self.is_relation(again := self.tokens[self.at]):
            raise self.error(
                "comparisons don't chain: write a < b && b < c", again.start
            )
        if operator.text == "in":
            return In(left, right)
        return Compare(operator.text, left, right)

    def is_relation(self, token: _Token) -> bool:
        return token.text in OPERATORS or (token.text == "in" and token.kind == "name")

    def unary(self) -> Expr:
        self.node()
        if self.takes("!"):
            return Not(self.deeper(self.unary))
        token = self.take()
        if token.text == "-" and token.kind == "op":
            number = self.take()
            if number.kind not in ("int", "double"):
                raise self.error(
                    "minus stands before a number only: there is no arithmetic",
                    token.start,
                )
            return self.number(number, "-")
        return self.member(token)

    def member(self, token: _Token) -> Expr:
        match token.kind, token.text:
            case (("int" | "double"), _):
                return self.number(token)
            case "text", _:
                return self.method(Literal(self.string(token)))
            case "name", ("true" | "false"):
                return Literal(token.text == "true")
            case "name", "null":
                return Literal(None)
            case "name", name if self.takes("("):
                return self.function(name, token)
            case "name", name if name in ROOTS:
                return self.path(name)
            case "op", "(":
                expr = self.deeper(self.disjunction)
                self.expect(")", "to close the parenthesis")
                return expr
            case "op", "[":
                return self.deeper(self.items)
            case "name", name:
                raise self.unknown(name, token)
            case _:
                raise self.unexpected(token)

    def items(self) -> Expr:
        items: list[Expr] = []
        while not self.takes("]"):
            items.append(self.disjunction())
            if not self.takes(","):
                self.expect("]", "or a comma in the list")
                break
        return Items(tuple(items))

    def path(self, root: str) -> Expr:
        keys: list[str | int] = []
        while True:
            if self.takes("["):
                self.node()
                keys.append(self.key())
                self.expect("]", "after the key")
            elif self.tokens[self.at].text == "." and not self.at_method():
                self.at += 1
                self.node()
                field = self.take()
                if field.kind != "name" or field.text in _KEYWORDS:
                    raise self.error(
                        "a name must follow the dot; any other key stands in "
                        f'brackets: {root}["odd name"]',
                        field.start,
                    )
                keys.append(field.text)
            else:
                return self.method(Path(root, tuple(keys)))

    def key(self) -> str | int:
        token = self.take()
        if token.kind == "text":
            return self.string(token)
        if token.kind == "int":
            return self.whole_number(token)
        raise self.error(
            "in brackets stands a text, or for a list its position from 0: "
            'event["odd name"], event.items[0]',
            token.start,
        )

    def at_method(self) -> bool:
        after = self.tokens[self.at + 1 : self.at + 3]
        return len(after) == 2 and after[0].kind == "name" and after[1].text == "("

    def method(self, target: Expr) -> Expr:
        dot = self.tokens[self.at]
        if dot.text != "." or dot.kind != "op":
            return target
        if not self.at_method():
            raise self.error("a text has no fields", dot.start)
        self.at += 1
        name = self.take()
        if name.text not in METHODS and name.text not in TIME_METHODS:
            raise self.not_here(name, f"{name.text}({target})")
        self.at += 1
        if name.text in TIME_METHODS:
            return self.time_test(name, target)
        self.node()
        arg = self.deeper(self.disjunction)
        self.expect(")", f"after the one argument of {name.text}")
        return Call(name.text, (target, arg))

    def time_test(self, name: _Token, target: Expr) -> Expr:
        """An instant's place in time; how long is written out, so that it is known."""
        self.node()
        if isinstance(target, Literal):
            raise self.error(
                f"{name.text} asks where an instant lies: write "
                f"event.field.{name.text}(…), or timestamp(…).{name.text}(…)",
                name.start,
            )
        token = self.take()
        if token.kind != "text":
            raise self.error(
                f"{name.text} takes a duration that is written out, such as "
                f'{target}.{name.text}("P30D")',
                token.start,
            )
        try:
            duration = Duration.parse(self.string(token))
        except DefinitionError as err:
            raise self.error(err.message, token.start) from err
        if duration == Duration() and name.text != "olderThan":
            raise self.error(
                f"{name.text} a time of no length nothing ever lies", token.start
            )
        self.expect(")", f"after the one argument of {name.text}")
        return Call(name.text, (target, Literal(str(duration))))

    def function(self, name: str, token: _Token) -> Expr:
        if name != "has" and name not in FUNCTIONS:
            if name in METHODS or name in TIME_METHODS:
                raise self.error(f"write event.field.{name}(…)", token.start)
            raise self.not_here(token, "")
        start = self.tokens[self.at].start
        self.node()
        arg = self.deeper(self.disjunction)
        self.expect(")", f"after the one argument of {name}")
        if name == "has":
            if not (isinstance(arg, Path) and arg.keys and is_name(arg.keys[-1])):
                raise self.error(
                    "has() takes a field, such as has(event.phone); write "
                    '"odd name" in event for another key',
                    start,
                )
            return Has(arg)
        if name == "timestamp" and isinstance(arg, Literal):
            self.check_instant(arg, start)
        called = Call(name, (arg,))
        after = [each.text for each in self.tokens[self.at : self.at + 2]]
        is_tested = after[:1] == ["."] and after[1:] and after[1] in TIME_METHODS
        return self.method(called) if name == "timestamp" and is_tested else called

    def check_instant(self, literal: Literal, start: int) -> None:
        try:
            instant(str(literal.value) if isinstance(literal.value, str) else "")
        except ValueError as err:
            raise self.error(
                "timestamp() takes RFC 3339 with an offset, such as "
                'timestamp("2026-03-01T09:00:00Z")',
                start,
            ) from err

    # Literals

    def number(self, token: _Token, sign: str = "") -> Literal:
        follower = self.tokens[self.at]
        if follower.start == token.end and follower.kind in ("name", "int", "double"):
            raise self.error(
                f"{token.text + follower.text!r} is not a number; "
                "unsigned literals (1u) are not in the subset",
                token.start,
            )
        if token.kind == "double":
            double = float(sign + token.text)
            if math.isinf(double):
                raise self.error("the number is beyond a double's range", token.start)
            return Literal(double)
        return Literal(self.whole_number(token, sign))

    def whole_number(self, token: _Token, sign: str = "") -> int:
        # Base 0 reads 0x10 as CEL does, but refuses 007; and Python refuses to convert
        # more than 4,300 digits, where 40 are already beyond 64 bit.
        digits = token.text.lstrip("0")[:40] or "0"
        whole = int(sign + (digits if digits.isdigit() else token.text[:40]), 0)
        if not INT_MIN <= whole <= INT_MAX:
            raise self.error(
                "the whole number needs more than 64 bit: write a double, such as "
                "1e20, or compare it as text",
                token.start,
            )
        return whole

    def string(self, token: _Token) -> str:
        body = token.text[1:-1]
        follower = self.tokens[self.at]
        if follower.kind == "text" and follower.start == token.end:
            raise self.error(
                "two texts side by side; triple quotes are not in the subset",
                follower.start,
            )
        if not body.isascii() and (bad := re.search("[\ud800-\udfff]", body)):
            raise self.error(
                "half a surrogate pair is no character", token.start + bad.end()
            )
        if "\\" not in body:
            return body

        def char(escape: re.Match[str]) -> str:
            *codes, simple = escape.groups()
            place = token.start + 1 + escape.start()
            if simple is not None:
                if simple not in _SIMPLE_ESCAPES:
                    raise self.error(
                        f"unknown escape \\{simple}: write \\\\ for one \\", place
                    )
                return _SIMPLE_ESCAPES[simple]
            number = int(next(filter(None, codes)), 8 if codes[3] else 16)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                raise self.error(f"{escape[0]} is no character", place)
            return chr(number)

        return _STRING_ESCAPE.sub(char, body)

    # Errors

    def unknown(self, name: str, token: _Token) -> InvalidCondition:
        if self.tokens[self.at].kind == "text" and name.lower() in (
            "r",
            "b",
            "br",
            "rb",
        ):
            return self.error(
                'raw texts and bytes are not in the subset: write "…"', token.start
            )
        if operator := _WORDS.get(name.lower()):
            return self.error(f"write {operator} for `{name}`", token.start)
        if name.lower() in ("true", "false"):
            return self.error(f"write {name.lower()}", token.start)
        close = get_close_matches(name, ROOTS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"write event.{name}?"
        return self.error(
            f"unknown name {name!r}; {hint} A path starts with one of: "
            f"{', '.join(ROOTS)}",
            token.start,
        )

    def not_here(self, token: _Token, as_function: str) -> InvalidCondition:
        name = token.text
        if name in FUNCTIONS:
            fix = f"{name} is a function: write {as_function}"
        elif name == "matches":
            fix = (
                "there are no regular expressions: write startsWith, endsWith, contains"
            )
        elif name == "step":
            fix = (
                'in a text a step stands in brackets: write step["call-voucher"].result'
            )
        elif name in _MACROS:
            fix = f"the macro {name} is not in the subset: write x in event.items"
        elif name in _CONVERSIONS:
            fix = (
                f"the conversion {name}() is not in the subset: send the field with "
                "the type that you compare it with"
            )
        else:
            known = (*METHODS, *TIME_METHODS, "has", *FUNCTIONS)
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            fix = f"{name} is not in the subset; {hint}It has: {', '.join(known)}"
        return self.error(fix, token.start)

    def unexpected(self, token: _Token) -> InvalidCondition:
        if token.kind == "end":
            return self.error(
                "the condition ends too early: a value is missing", token.start
            )
        if token.text == "-":
            return self.error(_NOT_HERE["-"], token.start)
        if token.kind == "name" and (operator := _WORDS.get(token.text.lower())):
            return self.error(f"write {operator} for `{token.text}`", token.start)
        return self.error(f"unexpected {token.text[:40]}", token.start)

    def error(self, message: str, position: int) -> InvalidCondition:
        """Show the line, or what fits of it, with a caret under the position."""
        first = max(self.text.rfind("\n", 0, position) + 1, position - 60)
        last = self.text.find("\n", position)
        line = self.text[first : min(last if last >= 0 else MAX_TEXT, first + 100)]
        shown = "".join(char if char.isprintable() else "�" for char in line)
        return InvalidCondition(
            f"{message}\n    {shown}\n    {' ' * (position - first)}^"
        )
