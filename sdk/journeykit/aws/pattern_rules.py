"""The rules that bring in what the patterns of triggers may match.

A trigger's pattern sees an event as the engine does; a rule of the bus sees the envelope
around it. Both agree on `detail-type`, and on `source` but for what came in at our own HTTP
door, where the detail holds the sender's. Of the rest they may differ: what the engine
calls `detail` can be the envelope's detail or its `properties`. So a rule asks for name
and source only. It brings in all that the pattern may match, and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from journeykit.engine.patterns import Pattern
from journeykit.model.envelopes import HTTP, JOURNEYS
from journeykit.model.patterns import Rule, Test

_OTHERS = [{"anything-but": [JOURNEYS]}]


def rules_of(pattern: Pattern) -> Iterator[Mapping[str, Any]]:
    """The patterns of rules that bring in what a trigger's pattern may match.

    Args:
        pattern: A trigger's.
    """
    for rule in pattern.rules:
        yield _outer(rule)


def _outer(rule: Rule) -> Mapping[str, Any]:
    name = _tests(rule, "detail-type")
    source = _tests(rule, "source")
    asked: dict[str, Any] = {} if name is None else {"detail-type": name}
    # What journeys have published must not come back, and one field takes no two tests.
    if source is None or Pattern({"source": source}).matches({"source": JOURNEYS}):
        return {**asked, "source": _OTHERS}
    at_the_door = {"source": [HTTP], "detail": {"source": source}}
    return {**asked, "$or": [{"source": source}, at_the_door]}


def _tests(rule: Rule, key: str) -> list[Any] | None:
    """The tests of a field as a pattern has them; None: there are none that can be."""
    for field in rule:
        if field.path == (key,):
            return [_document(test) for test in field.tests]
    return None


def _document(test: Test) -> Any:
    value = test.value
    match test.kind:
        case "equals":
            return value
        case "prefix-ignore-case" | "suffix-ignore-case":
            return {test.kind[: len("prefix")]: {"equals-ignore-case": value}}
        case "wildcard":
            return {"wildcard": _wild(value)}
        case "numeric":
            return {"numeric": _bounds(value)}
        case "anything-but":
            return {"anything-but": _other(value)}
        case _:
            return {test.kind: value}


def _wild(parts: Sequence[str]) -> str:
    escaped = [part.replace("\\", "\\\\").replace("*", "\\*") for part in parts]
    return "*".join(escaped)


def _bounds(asked: Any) -> list[Any]:
    low, with_low, high, with_high = asked
    if low == high:
        return ["=", low]
    bounds: list[Any] = []
    if low > float("-inf"):
        bounds += [">=" if with_low else ">", low]
    if high < float("inf"):
        bounds += ["<=" if with_high else "<", high]
    return bounds


def _other(tests: Sequence[Test]) -> Any:
    kind = tests[0].kind
    if kind == "equals":
        return [test.value for test in tests]
    texts = [_wild(t.value) if kind == "wildcard" else t.value for t in tests]
    return {kind: texts}
