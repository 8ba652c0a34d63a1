"""Event patterns as EventBridge has them: read, checked, and taken apart.

A pattern is a tree in the shape of the event; at its leaves are lists of what a value may
be. All fields must match; of a list, one. `$or` holds alternatives:

    {"detail-type": ["order.placed"],
     "detail": {"total": [{"numeric": [">", 100]}], "country": ["DE", "AT"]}}

What it means and which patterns are refused follow AWS's documentation and its open
engine: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
and https://github.com/aws/event-ruler. Three things are our own: `$or` is always
alternatives and never a field's name, numbers may be of any size, and a pattern has at
most `MAX_PATTERN` characters as JSON and `MAX_RULES` combinations of alternatives, which
are the quotas of EventBridge.

Here a pattern becomes *rules*, one for each combination of alternatives: a list of fields,
each with the tests of which one must hold. `journeykit.engine.patterns` asks them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Literal, NamedTuple, TypeAlias

from journeykit.errors import DefinitionError

MAX_PATTERN = 2048
"""Characters of a pattern as compact JSON: the quota of EventBridge."""

MAX_RULES = 1000
"""Combinations of alternatives: the limit of EventBridge."""

MAX_NESTING = 32

SEEN_FIELDS = ("source", "detail-type", "detail", "id", "time")
"""What a pattern can see of an event here; of EventBridge's other fields there is none."""

Kind: TypeAlias = Literal[
    "equals",
    "equals-ignore-case",
    "prefix",
    "prefix-ignore-case",
    "suffix",
    "suffix-ignore-case",
    "wildcard",
    "numeric",
    "cidr",
    "exists",
    "anything-but",
]


class Range(NamedTuple):
    """From where to where a number may lie.

    Attributes:
        low: The lower bound; minus infinity: none.
        with_low: Whether the bound itself is inside.
        high: The upper bound; infinity: none.
        with_high: Whether the bound itself is inside.
    """

    low: float = -math.inf
    with_low: bool = False
    high: float = math.inf
    with_high: bool = False


class Test(NamedTuple):
    """What one value of an event may be.

    Attributes:
        kind: How it is compared.
        value: With what: JSON for `equals`, text, the texts between the asterisks for
            `wildcard`, a `Range` for `numeric`, whether it must be there for `exists`,
            and for `anything-but` the tests none of which may hold.
    """

    kind: Kind
    value: Any


class Field(NamedTuple):
    """A field of an event, and the tests of which one must hold for it.

    Attributes:
        path: The keys down to it. A dot in a key of the pattern parts keys, too.
        tests: The tests.
    """

    path: tuple[str, ...]
    tests: tuple[Test, ...]


Rule: TypeAlias = tuple[Field, ...]
"""Fields that must all match, in the order of their dotted names."""


def parsed(pattern: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Take a pattern apart.

    Args:
        pattern: As JSON values.

    Returns:
        Its rules, of which one must match.

    Raises:
        DefinitionError: It is no pattern; the message names the field.
    """
    if not isinstance(pattern, Mapping):
        raise _wrong((), "it is a mapping of fields")
    try:
        size = len(json.dumps(pattern, separators=(",", ":"), ensure_ascii=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong((), f"can't be written as JSON ({error})") from error
    if size > MAX_PATTERN:
        raise _wrong((), f"has {size} characters as JSON; it may have {MAX_PATTERN}")
    rules = _rules(pattern, ())
    return tuple(tuple(sorted(rule, key=_dotted)) for rule in rules)


def names_of(rules: Sequence[Rule]) -> frozenset[str] | None:
    """The names of the events that a pattern can match; None: it may be any."""
    names: set[str] = set()
    for rule in rules:
        exact = [
            {test.value for test in field.tests}
            for field in rule
            if field.path == ("detail-type",)
            and all(
                test.kind == "equals" and isinstance(test.value, str)
                for test in field.tests
            )
        ]
        if not exact:
            return None
        names |= set.intersection(*exact)
    return frozenset(names)


def unseen(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The fields that the pattern wants and that no event here can have."""
    found = {
        field.path[0]: None
        for rule in rules
        for field in rule
        if not _is_seen(field.path)
        and not any(test == Test("exists", False) for test in field.tests)
    }
    return tuple(found)


def _is_seen(path: tuple[str, ...]) -> bool:
    if path[0] == "detail":
        return len(path) > 1
    return path[0] in SEEN_FIELDS and len(path) == 1


def _dotted(field: Field) -> str:
    return ".".join(field.path)


def _wrong(path: Sequence[str], message: str) -> DefinitionError:
    return DefinitionError(f"{'.'.join(path)}: {message}" if path else message)


def _rules(node: Mapping[str, Any], path: tuple[str, ...]) -> list[list[Field]]:
    """The combinations of alternatives of a mapping of fields."""
    if not node:
        raise _wrong(path, "needs a field at least")
    if len(path) > MAX_NESTING:
        raise _wrong(path[:3], f"nests deeper than {MAX_NESTING} levels")
    rules: list[list[Field]] = [[]]
    for key, value in node.items():
        if not isinstance(key, str) or not key:
            raise _wrong(path, f"{key!r:.80} is no name of a field")
        if key == "$or":
            more = list(_alternatives(value, path))
        elif isinstance(value, Mapping):
            more = _rules(value, (*path, *key.split(".")))
        else:
            below = (*path, *key.split("."))
            more = [[Field(below, tuple(_tests(value, below)))]]
        if len(rules) * len(more) > MAX_RULES:
            raise _wrong(path, f"its $or make more than {MAX_RULES} combinations")
        rules = [[*rule, *other] for rule in rules for other in more]
    return rules


def _alternatives(value: object, path: tuple[str, ...]) -> Iterator[list[Field]]:
    if (
        not isinstance(value, list | tuple)
        or len(value) < 2
        or not all(isinstance(part, Mapping) for part in value)
    ):
        raise _wrong((*path, "$or"), "holds a list of two or more mappings of fields")
    for part in value:
        for key in part:
            if key in _TESTS:
                raise _wrong(
                    (*path, "$or"),
                    f"{key!r} is a test and no field; write the field around it",
                )
        yield from _rules(part, path)


def _tests(value: object, path: tuple[str, ...]) -> Iterator[Test]:
    """The tests of a leaf."""
    if not isinstance(value, list | tuple):
        raise _wrong(path, f"what it may be stands in a list: [{_shown(value)}]")
    if not value:
        raise _wrong(path, "the list is empty, so nothing would match")
    for item in value:
        if isinstance(item, Mapping):
            yield _test(item, path)
        elif _is_scalar(item):
            yield Test("equals", item)
        else:
            raise _wrong(path, f"{_shown(item)} is no value that a field can have")


def _test(item: Mapping[str, Any], path: tuple[str, ...]) -> Test:
    if len(item) != 1:
        raise _wrong(path, f"a test has one key, {_shown(dict(item))} has {len(item)}")
    ((kind, value),) = item.items()
    made = _TESTS.get(kind)
    if made is None:
        raise _wrong(path, f"{kind!r:.80} is no test; there are {', '.join(_TESTS)}")
    return made(value, path)


def _text(value: object, path: tuple[str, ...], what: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, f"{what} takes text, not {_shown(value)}")
    return value


def _at_an_end(kind: Literal["prefix", "suffix"]) -> Callable[..., Test]:
    """Read `prefix` and `suffix`, which may ignore the case."""

    def test(value: object, path: tuple[str, ...]) -> Test:
        if isinstance(value, Mapping):
            if set(value) != {"equals-ignore-case"}:
                raise _wrong(path, f"{kind} takes text, or equals-ignore-case with it")
            text = _text(value["equals-ignore-case"], path, kind)
            ignoring: Kind = (
                "prefix-ignore-case" if kind == "prefix" else "suffix-ignore-case"
            )
            return Test(ignoring, text.lower())
        return Test(kind, _text(value, path, kind))

    return test


def _ignoring_case(value: object, path: tuple[str, ...]) -> Test:
    return Test("equals-ignore-case", _text(value, path, "equals-ignore-case").lower())


def _wildcard(value: object, path: tuple[str, ...]) -> Test:
    """Part the text at its asterisks; a backslash makes one an ordinary character."""
    text = _text(value, path, "wildcard")
    parts: list[str] = []
    part, escaped = "", False
    for char in text:
        if escaped:
            if char not in "*\\":
                raise _wrong(path, "in a wildcard, \\ goes before * or \\ only")
            part, escaped = part + char, False
        elif char == "\\":
            escaped = True
        elif char == "*":
            if parts and not part:
                raise _wrong(path, f"{_shown(text)} has two asterisks in a row")
            parts.append(part)
            part = ""
        else:
            part += char
    if escaped:
        raise _wrong(path, "in a wildcard, \\ goes before * or \\ only")
    return Test("wildcard", (*parts, part))


def _numeric(value: object, path: tuple[str, ...]) -> Test:
    """Read `[">", 0, "<=", 5]`."""
    if not isinstance(value, list | tuple) or len(value) not in (2, 4):
        raise _wrong(path, 'numeric takes one or two bounds: [">", 0, "<=", 5]')
    asked = Range()
    for op, bound in zip(value[::2], value[1::2], strict=True):
        if op not in ("=", "<", "<=", ">", ">="):
            raise _wrong(path, f"numeric has = < <= > >=, not {_shown(op)}")
        if not _is_number(bound):
            raise _wrong(path, f"numeric compares with a number, not {_shown(bound)}")
        if op == "=":
            if len(value) > 2:
                raise _wrong(path, "numeric with = takes no other bound")
            asked = Range(bound, True, bound, True)
        elif op[0] == ">":
            if asked.low != -math.inf or asked.high != math.inf:
                raise _wrong(path, "numeric takes a lower bound, then an upper one")
            asked = asked._replace(low=bound, with_low=op == ">=")
        else:
            if asked.high != math.inf:
                raise _wrong(path, "numeric takes one upper bound")
            asked = asked._replace(high=bound, with_high=op == "<=")
    if not asked.low < asked.high and value[0] != "=":
        raise _wrong(path, f"no number is in {_shown(list(value))}")
    return Test("numeric", asked)


def _cidr(value: object, path: tuple[str, ...]) -> Test:
    text = _text(value, path, "cidr")
    try:
        if "/" not in text:
            raise ValueError
        ip_network(text, strict=False)
    except ValueError:
        raise _wrong(
            path, f"{_shown(text)} is no block of addresses such as 10.0.0.0/24"
        ) from None
    return Test("cidr", text)


def _exists(value: object, path: tuple[str, ...]) -> Test:
    if not isinstance(value, bool):
        raise _wrong(path, f"exists is true or false, not {_shown(value)}")
    return Test("exists", value)


def _anything_but(value: object, path: tuple[str, ...]) -> Test:
    if not isinstance(value, Mapping):
        return Test("anything-but", tuple(_other_values(value, path)))
    kinds = ("prefix", "suffix", "equals-ignore-case", "wildcard")
    if len(value) != 1 or next(iter(value)) not in kinds:
        raise _wrong(path, f"anything-but takes one of {', '.join(kinds)}, or values")
    ((kind, given),) = value.items()
    texts = given if isinstance(given, list | tuple) else [given]
    if not texts:
        raise _wrong(path, f"anything-but {kind} takes text, or a list of texts")
    for text in texts:
        if not _text(text, path, f"anything-but {kind}") and kind != "wildcard":
            raise _wrong(path, f"anything-but {kind} can't take an empty text")
    return Test("anything-but", tuple(_TESTS[kind](text, path) for text in texts))


def _other_values(value: object, path: tuple[str, ...]) -> Iterator[Test]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values or not (
        all(isinstance(item, str) for item in values) or all(map(_is_number, values))
    ):
        raise _wrong(
            path,
            "anything-but takes texts or numbers, and not both: "
            f"{_shown(list(values))} is neither",
        )
    for item in values:
        yield Test("equals", item)


_TESTS: dict[str, Callable[[Any, tuple[str, ...]], Test]] = {
    "prefix": _at_an_end("prefix"),
    "suffix": _at_an_end("suffix"),
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
    "exists": _exists,
}


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool) or _is_number(value)


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
