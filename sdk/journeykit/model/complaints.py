"""What pydantic finds wrong with a document, in its author's words and with the place.

pydantic reports each member of a union that a value failed to be. An author meant one
of them, so here only the nearest one complains.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, cast, get_args, get_type_hints

from pydantic import ValidationError

from journeykit.errors import DefinitionError, Problem
from journeykit.model import (
    journey,
    mapping,
    measures,
    policies,
    schedules,
    segments,
    steps,
    traits,
    triggers,
)
from journeykit.model.definition import is_definition
from journeykit.model.names import VALUES, slug
from journeykit.model.reading import Node, Place

Path = tuple[str | int, ...]

_NOWHERE = Place(0, 0)
_SHAPE = frozenset({"dataclass_type", "model_attributes_type"})
_TAG = frozenset({"union_tag_invalid", "union_tag_not_found"})
_ABSENT = frozenset({"missing", "missing_argument"})
_SURPLUS = "unexpected_keyword_argument"
# What is wrong inside a mapping; any other complaint about one is that it is none of
# the scalars that could stand there as well.
_INSIDE = _TAG | _ABSENT | {_SURPLUS, "value_error"}
_OWN = frozenset(
    {"duration", "rate", "condition", "time_of_day", "cron", "value_error"}
)


class Complaint(NamedTuple):
    """One thing that is wrong.

    Attributes:
        path: The fields and positions that lead to it, as in the document.
        place: Where it stands.
        text: What is wrong, and the way out.
    """

    path: Path
    place: Place
    text: str

    def problem(self, file: str) -> Problem:
        """The path, then what is wrong, at its place in this file."""
        path = ".".join(map(str, self.path))
        text = f"{path}: {self.text}" if path else self.text
        return Problem(text, file, *self.place)


def complaints_of(
    error: ValidationError, node: Node, cls: Any, *, positional: Sequence[str] = ()
) -> list[Complaint]:
    """List what is wrong with a document that was to be this class, or a list of it.

    Args:
        error: What pydantic found.
        node: The document.
        cls: The class, or `list[cls]`.
        positional: The fields whose values pydantic was given without their names.
    """
    found = []
    for raw in error.errors(include_url=False):
        first, *rest = raw["loc"] or ("",)
        if isinstance(first, int) and first < len(positional):
            first = positional[first]
        path = (first, *rest) if raw["loc"] else ()
        found.append(_Issue(raw, path, node, cls))
    kept = [issue for issue in found if not any(map(issue.yields_to, found))]
    complaints: dict[Path, Complaint] = {}
    for issue in sorted(kept, key=lambda issue: issue.kind not in _OWN):
        cause = issue.context.get("error")
        if isinstance(cause, journey.DoubledSteps):
            doubled = _doubled(issue.node, issue.path, cause.ids)
            complaints.update({(*each.path, ""): each for each in doubled})
            continue
        complaint = issue.complaint()
        # Of several at one place the first, in our own words, says it best.
        complaints.setdefault((*complaint.path, issue.missing), complaint)
    return sorted(complaints.values(), key=lambda complaint: complaint.place)


def lines_of_call(
    error: ValidationError,
    cls: Any,
    args: Sequence[object],
    kwargs: Mapping[str, object],
) -> list[str]:
    """List what is wrong with a definition that was written in Python: `Send.template: …`."""
    names = [field.name for field in dataclasses.fields(cls) if not field.kw_only]
    node = _node({**dict(zip(names, args, strict=False)), **kwargs})
    found = complaints_of(error, node, cls, positional=names)
    return [
        f"{'.'.join(map(str, (cls.__name__, *each.path)))}: {each.text}"
        for each in found
    ]


def _doubled(node: Node, path: Path, ids: Collection[str]) -> Iterator[Complaint]:
    """Find the steps of these ids, which their journey has more than once."""
    is_step = isinstance(node.value, Mapping) and "type" in node.value
    if is_step and node.value.get("id") in ids:
        place = node.parts["id"].place
        text = journey.used_twice(node.value["id"])
        yield Complaint((*path, "id"), place, text)
    for part, inner in node.parts.items():
        if part not in VALUES:
            yield from _doubled(inner, (*path, part), ids)


def _node(value: object) -> Node:
    """Make a node of a value that stands in no text."""
    items: Mapping[Any, object] = {}
    if isinstance(value, Mapping):
        items = value
    elif isinstance(value, list | tuple):
        items = dict(enumerate(value))
    return Node(value, _NOWHERE, {key: _node(part) for key, part in items.items()})


class _Issue:
    """One of pydantic's errors, and what of the document it is about."""

    def __init__(self, raw: Any, path: Path, node: Node, cls: Any) -> None:
        self.kind: str = raw["type"]
        self.message: str = raw["msg"]
        self.context: Mapping[str, Any] = raw.get("ctx", {})
        self.given: object = raw["input"]
        self.path: Path = ()
        self.node = node
        self.place = node.place
        self.classes: Sequence[Any] = tuple(_classes(cls))
        for part in path:
            self._follow(part)
        self.field = str(path[-1]) if path else ""
        self.missing = self.field if self.kind in _ABSENT else ""

    def _follow(self, part: str | int) -> None:
        """Go one part further; a part that only names a type narrows the classes."""
        name = str(part)
        fields = [hints[name] for c in self.classes if name in (hints := _hints(c))]
        known = part in self.node.parts
        if isinstance(part, int) or fields:
            if known and fields:
                found = (c for hint in fields for c in _classes(hint))
                self.classes = tuple(dict.fromkeys(found))
        elif named := tuple(c for c in self.classes if part in _names(c)):
            self.classes = named
            return
        if known:
            self.place = self.node.keys.get(cast(str, part), self.place)
            self.node = self.node.parts[part]
            self.path = (*self.path, part)
            if self.kind != _SURPLUS:
                self.place = self.node.place

    def yields_to(self, other: _Issue) -> bool:
        """Whether another issue says better what this one is about."""
        if other is self or other.path[: len(self.path)] != self.path:
            return False
        if self.kind in _SHAPE:
            return other.kind not in _SHAPE or len(other.path) > len(self.path)
        if self.missing:
            meant = get_close_matches(other.field, [self.missing], 1)
            return (
                other.kind == _SURPLUS and other.path[:-1] == self.path and bool(meant)
            )
        about_none = isinstance(self.node.value, dict) and self.kind not in _INSIDE
        return about_none and (
            other.kind in _INSIDE or len(other.path) > len(self.path)
        )

    def complaint(self) -> Complaint:
        text = self._text()
        field, colon, rest = text.partition(": ")
        if colon and (part := self.node.parts.get(field)):  # a rule about one field
            return Complaint((*self.path, field), part.place, rest)
        return Complaint(self.path, self.place, text)

    def _text(self) -> str:
        cause = self.context.get("error")
        if isinstance(cause, DefinitionError):
            # A value that stands for a definition: `reentry: always` for a ReEntry.
            return re.sub(r"^[A-Z]\w+\.\w+: ", "", cause.message)
        if cause is not None and not self.kind.startswith("date"):
            return str(cause)
        if self.kind in _TAG:
            return self._no_such_type()
        owner = _owner(self.classes)
        if self.missing:
            return f"{owner} needs {self.missing!r}"
        if self.kind == _SURPLUS:
            known = dict.fromkeys(name for c in self.classes for name in _hints(c))
            return (
                f"{self.field!r:.80} is not a field of {owner}; "
                f"{_meant(self.field, known)}"
            )
        if self.kind == "unexpected_positional_argument":
            return f"{_shown(self.given)} is one value too many without a name"
        way_out = _spelled(self.classes, self.node.value)
        if self.kind in _SHAPE and self.place is _NOWHERE:
            return (
                f"{_shown(self.node.value)} is no {owner.removeprefix('a ')}{way_out}"
            )
        if self.kind in _SHAPE:
            return f"{owner} is a mapping of fields, not {_shown(self.node.value)}"
        if self.kind == "string_pattern_mismatch":
            return _no_name(str(self.given), self.context["pattern"])
        if self.kind == "string_type" and isinstance(self.given, int | float):
            return f'must be text: quote it, "{_shown(self.given)}"'
        if self.kind.startswith("date"):
            example = "2026-06-07T12:00:00Z" if "time" in self.kind else "2026-06-07"
            why = self.context.get("error", "")
            why = f" ({why})" if "range" in why else ""
            return f"{_shown(self.given)} is not understood{why}: write {example}"
        if self.kind in ("is_instance_of", "too_short", "too_long"):
            return self._no_sequence()
        text = re.sub(r"^\w+ should ", "must ", self.message)
        text = re.sub(r", unable to parse .*", "", text).replace("a valid i", "an i")
        text = text.replace("a valid ", "a ")
        if not text.startswith("must be "):
            return text
        expected = re.findall(r"'([^']+)'", self.context.get("expected", ""))
        close = get_close_matches(str(self.given), expected, 1)
        way_out = f"; did you mean {close[0]!r}?" if close else ""
        return f"{text}, not {_shown(self.given)}{way_out}"

    def _no_sequence(self) -> str:
        if self.kind == "is_instance_of":
            return f"must be a list, not {_shown(self.given)}"
        least, most = self.context.get("min_length"), self.context.get("max_length")
        bound = f"at least {least}" if self.kind == "too_short" else f"at most {most}"
        return f"needs {bound}, has {self.context['actual_length']}"

    def _no_such_type(self) -> str:
        types = re.findall(r"'([^']+)'", self.context.get("expected_tags", ""))
        types = types or [name for c in self.classes for name in _tags(c)]
        what = "trigger" if "event" in types else "step"
        what = "part of a sequence" if "happens" in types else what
        what = "trait" if "count" in types else what
        what = "measure" if "active" in types else what
        if not isinstance(self.given, Mapping):
            way_out = _spelled(self.classes, self.given)
            return f"{_shown(self.given)} is no {what}{way_out}"
        if self.kind == "union_tag_not_found":
            return f"a {what} needs a type: {', '.join(types)}"
        tag = str(self.context["tag"])
        return f"{tag!r:.80} is no type of {what}; {_meant(tag, types)}"


# Names and classes


def _meant(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), 1)
    return (
        f"did you mean {close[0]!r}?" if close else f"it is one of {', '.join(known)}"
    )


def _no_name(given: str, pattern: str) -> str:
    if not pattern.startswith("^[a-z0-9]"):
        return f"{given!r:.80} is no name of an event, such as order.placed"
    return (
        f"{given!r:.80} is no id, which has lower-case letters, digits, '.', '_' and "
        f"'-'; write {slug(given)!r}"
    )


def _spelled(classes: Sequence[type[object]], given: object) -> str:
    """Say how to write what a plain text was meant for; empty if nobody can tell."""
    if isinstance(given, str) and triggers.EventTrigger in classes:
        return f"; write on({given!r:.80})"
    if isinstance(given, str) and steps.Window in classes:
        return f"; write Window({given!r:.80}, '08:00')"
    if steps.When in classes:
        return "; write When(on('order.placed'), [...])"
    if given is None and steps.Send in classes:
        return "; is there a function that returns nothing?"
    return ""


def _shown(value: object) -> str:
    match value:
        case None:
            return "None"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _ if is_definition(value):
            return type(value).__name__
        case _:
            return f"{value!r:.60}"


def _owner(classes: Sequence[type[object]]) -> str:
    """Call the thing what the author calls it: `wait_for`, `quiet hours`."""
    if len(classes) != 1:
        return "a step" if steps.Send in classes else "this"
    cls = classes[0]
    if issubclass(cls, steps._Step):
        return next(iter(_tags(cls)))
    return " ".join(re.findall("[A-Z]+[a-z]*", cls.__name__)).lower()


def _tags(cls: type[object]) -> Iterator[str]:
    for field in dataclasses.fields(cast(Any, cls)):
        if field.name == "type":
            yield str(field.default)


def _names(cls: type[object]) -> set[str]:
    """What pydantic may call a class on the way to a field of it."""
    return {cls.__name__, *_tags(cls)}


_NAMES = {
    name: value
    for module in (
        schedules,
        triggers,
        steps,
        journey,
        policies,
        mapping,
        measures,
        traits,
        segments,
    )
    for name, value in vars(module).items()
}

CLASSES: Mapping[str, Any] = {
    name: value
    for name, value in _NAMES.items()
    if isinstance(value, type) and is_definition(value)
}
"""Everything that an author can write, by its name."""


@functools.cache
def _hints(cls: Any) -> Mapping[str, Any]:
    """The fields of a definition class and what they hold."""
    hints = get_type_hints(cls, globalns=_NAMES, include_extras=True)
    fields = {field.name for field in dataclasses.fields(cls)}
    return {name: hint for name, hint in hints.items() if name in fields}


def _classes(hint: Any) -> Iterator[type[object]]:
    """Find the definition classes inside a type."""
    if isinstance(hint, type) and is_definition(hint):
        yield hint
    for part in get_args(hint):
        yield from _classes(part)
