"""JSON and YAML text as plain values that know where they stand.

Only what JSON can say is read, so that the two agree. YAML is 1.2 with its core schema:
`on` and `22:00` are text, and so is a date, which the definitions read themselves. Text
comes from anywhere, hence the bounds; an alias counts with everything that it repeats.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from journeykit.errors import InvalidJourney, Problem

MAX_BYTES = 1_000_000  # a journey of 100 steps has about 10,000
MAX_DEPTH = 64
MAX_NODES = 50_000


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: What JSON would hold.
        place: Where it starts.
        parts: The nodes of a mapping or a sequence.
        keys: Where a mapping's keys stand.
        size: How many nodes it has, repeated ones counted each time.
    """

    value: Any
    place: Place
    parts: Mapping[Any, Node] = field(default_factory=dict)
    keys: Mapping[str, Place] = field(default_factory=dict)
    size: int = 1


def unreadable(file: str, place: Place | None, problem: str) -> InvalidJourney:
    """Make the error for a text that can't be read, or not at this place."""
    return InvalidJourney(
        f"{file or 'the text'} can't be read:",
        issues=[Problem(problem, file, *(place or ()))],
    )


def decoded(text: str | bytes, file: str) -> str:
    """Read bytes as UTF-8, and refuse what is too long to be a definition."""
    if len(text) > MAX_BYTES:
        problem = f"{len(text):,} bytes: the limit is {MAX_BYTES:,}; split it up"
        raise unreadable(file, None, problem)
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}; save it as UTF-8"
        raise unreadable(file, None, problem) from error


class _Builder:
    """Puts nodes together; says no to what neither JSON nor YAML should hold."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0

    def begin(self, place: Place, depth: int, size: int = 1) -> None:
        """Count what begins here, before it costs anything."""
        self.count += size
        if self.count > MAX_NODES:
            problem = f"more than {MAX_NODES:,} values: split it up"
            raise unreadable(self.file, place, problem)
        if depth > MAX_DEPTH:
            problem = f"nests deeper than {MAX_DEPTH} levels"
            raise unreadable(self.file, place, problem)

    def mapping(self, items: Sequence[tuple[Node, Node]], place: Place) -> Node:
        parts: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for key, part in items:
            if not isinstance(key.value, str):
                shown = json.dumps(key.value)
                problem = f'a key is text: quote it, "{shown[:40]}"'
                raise unreadable(self.file, key.place, problem)
            if key.value in parts:
                problem = (
                    f"{key.value!r:.80} stands here and in line "
                    f"{keys[key.value].line}; leave one"
                )
                raise unreadable(self.file, key.place, problem)
            parts[key.value], keys[key.value] = part, key.place
        value = {key: part.value for key, part in parts.items()}
        size = 1 + sum(part.size for part in parts.values())
        return Node(value, place, parts, keys, size)

    def sequence(self, items: Sequence[Node], place: Place) -> Node:
        value = [part.value for part in items]
        size = 1 + sum(part.size for part in items)
        return Node(value, place, dict(enumerate(items)), size=size)


# JSON

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


def read_json(text: str | bytes, *, file: str = "") -> Node:
    """Read one JSON value.

    Raises:
        InvalidJourney: It is none, or it goes beyond the bounds.
    """
    text = decoded(text, file)
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        raise unreadable(file, place, f"not JSON: {error.msg}") from error
    except ValueError as error:  # `NaN`, or a number of 5,000 digits
        problem = f"not JSON: {str(error).partition(';')[0]}"
        raise unreadable(file, None, problem) from error
    except RecursionError as error:
        problem = f"nests deeper than {MAX_DEPTH} levels"
        raise unreadable(file, None, problem) from error
    return _Json(text, file).node(0)


class _Json(_Builder):
    """Goes through text that the standard library has found to be JSON."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(file)
        self.tokens: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self.lines = [0, *(n + 1 for n, char in enumerate(text) if char == "\n")]

    def place(self, token: re.Match[str]) -> Place:
        line = bisect_right(self.lines, token.start())
        return Place(line, token.start() - self.lines[line - 1] + 1)

    def node(self, depth: int) -> Node:
        return self.read(next(self.tokens), depth)

    def read(self, token: re.Match[str], depth: int) -> Node:
        place = self.place(token)
        self.begin(place, depth)
        if token[0] == "{":
            items: list[tuple[Node, Node]] = []
            while (key := next(self.tokens))[0] != "}":
                if key[0] == ",":
                    continue
                name = Node(json.loads(key[0]), self.place(key))
                next(self.tokens)  # the colon
                items.append((name, self.node(depth + 1)))
            return self.mapping(items, place)
        if token[0] == "[":
            parts: list[Node] = []
            while (part := next(self.tokens))[0] != "]":
                if part[0] != ",":
                    parts.append(self.read(part, depth + 1))
            return self.sequence(parts, place)
        value = json.loads(token[0])
        if isinstance(value, float) and not math.isfinite(value):
            raise unreadable(self.file, place, f"{token[0]:.40} is too large a number")
        return Node(value, place)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


# YAML

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_DIGITS = 400  # a number in a definition has a dozen; Python reads at most 4,300


def read_yaml(text: str | bytes, *, file: str = "") -> Node:
    """Read one YAML document.

    Raises:
        InvalidJourney: It is none, says what JSON can't, or goes beyond the bounds.
    """
    # Imported here: it takes 60 ms, which reading JSON need not pay.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    text = decoded(text, file)
    try:
        return _Yaml(YAML(typ="safe", pure=True).parse(text), file).document()
    except InvalidJourney:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else None
        problem = " ".join(filter(None, [error.context, error.problem]))
        raise unreadable(file, place, f"not YAML: {problem}") from error
    except Exception as error:  # garbage makes the parser itself stumble, too
        problem = f"not YAML: {' '.join(str(error).split())}"
        raise unreadable(file, None, problem) from error


class _Yaml(_Builder):
    """Builds nodes from the events of ruamel's parser."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        super().__init__(file)
        self.events = events
        self.anchors: dict[str, Node] = {}

    def next(self) -> tuple[str, Any]:
        event = next(self.events)
        return type(event).__name__.removesuffix("Event"), event

    def document(self) -> Node:
        for kind, event in iter(self.next, None):
            if kind == "StreamEnd":
                raise unreadable(self.file, None, "it is empty")
            if kind not in ("StreamStart", "DocumentStart"):
                node = self.node(kind, event, 0)
                break
        self.next()  # the end of the document
        kind, event = self.next()
        if kind != "StreamEnd":
            problem = "a second document starts here: one file holds one"
            raise unreadable(self.file, _place(event), problem)
        return node

    def node(self, kind: str, event: Any, depth: int) -> Node:
        place = _place(event)
        if kind == "Alias":
            known = self.anchors.get(event.anchor)
            if known is None:
                problem = f"*{event.anchor:.40} has no &{event.anchor:.40} before it"
                raise unreadable(self.file, place, problem)
            self.begin(place, depth, known.size)
            return known
        self.begin(place, depth)
        if event.tag is not None:
            problem = f"tags such as {event.tag:.40} are not taken; quote what is text"
            raise unreadable(self.file, place, problem)
        if kind == "Scalar":
            node = Node(self.scalar(event, place), place)
        elif kind == "SequenceStart":
            node = self.sequence(list(self.items("SequenceEnd", depth + 1)), place)
        else:
            flat = self.items("MappingEnd", depth + 1)
            node = self.mapping([(key, next(flat)) for key in flat], place)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def items(self, end: str, depth: int) -> Iterator[Node]:
        while True:
            kind, event = self.next()
            if kind == end:
                return
            yield self.node(kind, event, depth)

    def scalar(self, event: Any, place: Place) -> object:
        if event.style:  # quoted, or a block: text in any case
            return event.value
        value = plain(event.value)
        if isinstance(value, float) and not math.isfinite(value):
            problem = f"{event.value:.40} is no finite number"
            raise unreadable(self.file, place, problem)
        return value


def plain(text: str) -> object:
    """Say what an unquoted scalar means: YAML 1.2's core schema, and nothing else."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".nan", "nan").lower())
    return text


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
