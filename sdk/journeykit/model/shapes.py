"""What events must hold to be taken, as JSON Schema: checked wherever they are handled.

Authors write pydantic models; what is published of them is their JSON Schema, so a function
in AWS checks exactly what `journeykit serve` checks, and loads no pydantic for it. So a
model's own validators aren't run, and nothing is coerced: `"5"` is no integer.

Checked are the keywords that pydantic writes (JSON Schema 2020-12):

    type, enum, const, anyOf, oneOf, allOf, $ref
    properties, required, additionalProperties, minProperties, maxProperties
    items, prefixItems, minItems, maxItems, uniqueItems
    minLength, maxLength, pattern; format: date-time, date, time, uuid
    minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf

Others say nothing here.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from journeykit.errors import DefinitionError
from journeykit.model.plain_text import printable

Document: TypeAlias = Mapping[str, Any]

MAX_SCHEMAS = 64 * 1024
"""Bytes of all schemas together, as JSON: they are part of each catalog."""

_Test: TypeAlias = Callable[[Any, str], str]
"""Says what is wrong with a value at a path; empty if nothing is."""

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda it: isinstance(it, str),
    "integer": lambda it: (
        not isinstance(it, bool)
        and (isinstance(it, int) or (isinstance(it, float) and it.is_integer()))
    ),
    "number": lambda it: isinstance(it, int | float) and not isinstance(it, bool),
    "boolean": lambda it: isinstance(it, bool),
    "null": lambda it: it is None,
    "array": lambda it: isinstance(it, list | tuple),
    "object": lambda it: isinstance(it, dict),
}
_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_MOST_NEAR = 100  # fields among which a misspelt one is looked for: each takes 20 µs
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _uuid(text: str) -> None:
    if _UUID.fullmatch(text) is None:
        raise ValueError


_FORMATS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "date-time": (datetime.fromisoformat, "a date-time"),
    "date": (date.fromisoformat, "a date"),
    "time": (time.fromisoformat, "a time"),
    "uuid": (_uuid, "a UUID"),
}


class Shapes:
    """The schemas of events, ready to check by. False if there are none."""

    __slots__ = ("_tests",)

    def __init__(self, documents: Mapping[str, Document] = {}) -> None:
        """Compile them.

        Args:
            documents: JSON Schema by the name of an event: what its properties are.

        Raises:
            DefinitionError: One of them can't be read.
        """
        self._tests = {
            name: _Compiler(name, document).test()
            for name, document in documents.items()
        }

    def __bool__(self) -> bool:
        """Whether there is anything to check."""
        return bool(self._tests)

    def wrong(self, name: str, properties: Mapping[str, Any]) -> str:
        """Say what is wrong with an event; empty if nothing is, or nothing is declared.

        It names the field and what it must be, never what stands there. A schema that
        can't be asked about this event says so as well: it is that event's misfortune, and
        nobody else's that came with it.
        """
        test = self._tests.get(name)
        if test is None:
            return ""
        try:
            return test(properties, "")
        except Exception as error:  # noqa: BLE001 - one must not stop the others
            # Without the message, which may quote what stands there.
            return f"it can't be checked ({type(error).__name__})"


def partial(document: Document) -> dict[str, Any]:
    """Return the schema of a change to what a schema describes: all of it may be left out.

    An attribute that is null is taken away, so null may always stand there.
    """
    loose = {key: value for key, value in document.items() if key != "required"}
    loose["properties"] = {
        name: {"anyOf": [part, {"type": "null"}]}
        for name, part in document.get("properties", {}).items()
    }
    return loose


class _Compiler:
    """Makes tests of one schema. A definition is compiled once, also if it names itself."""

    def __init__(self, name: str, document: Document) -> None:
        self._name = name
        self._root = document
        self._defined: dict[str, _Test] = {}

    def test(self) -> _Test:
        try:
            return self._test(self._root)
        except (AttributeError, KeyError, TypeError, ValueError, re.error) as error:
            kind = type(error).__name__
            raise DefinitionError(
                f"the schema of {self._name!r} can't be read ({kind}: {error})"
            ) from error

    def _test(self, schema: Any) -> _Test:
        if schema is True or schema == {}:
            return _anything
        if schema is False:
            return lambda value, path: f"{path or 'it'}: must not be there"
        tests = [*self._tests(schema)]
        if not tests:
            return _anything
        return tests[0] if len(tests) == 1 else _all(tests)

    def _tests(self, schema: Document) -> Sequence[_Test]:
        found: list[_Test] = []
        if reference := schema.get("$ref"):
            found.append(self._reference(reference))
        if kinds := schema.get("type"):
            found.append(_of_kind([kinds] if isinstance(kinds, str) else kinds))
        if "const" in schema:
            found.append(_one_of([schema["const"]]))
        if "enum" in schema:
            found.append(_one_of(schema["enum"]))
        if parts := schema.get("allOf"):
            found += [self._test(part) for part in parts]
        for key in ("anyOf", "oneOf"):
            if parts := schema.get(key):
                found.append(_any([self._test(part) for part in parts]))
        found += _of_text(schema)
        found += _of_number(schema)
        found += self._of_list(schema)
        found += self._of_object(schema)
        return found

    def _reference(self, reference: str) -> _Test:
        """What tests a definition, which may be in the middle of being compiled."""
        name = reference.removeprefix("#/$defs/")
        if name not in self._defined:
            self._defined[name] = _anything
            self._defined[name] = self._test(self._root["$defs"][name])
        return lambda value, path: self._defined[name](value, path)

    def _of_list(self, schema: Document) -> Sequence[_Test]:
        found: list[_Test] = []
        least, most = schema.get("minItems"), schema.get("maxItems")
        if least is not None or most is not None:
            found.append(_sized(_is_list, least, most, "items"))
        if schema.get("uniqueItems"):
            found.append(_unique)
        first = [self._test(part) for part in schema.get("prefixItems", ())]
        if first or "items" in schema:
            found.append(_items(first, self._test(schema.get("items", True))))
        return found

    def _of_object(self, schema: Document) -> Sequence[_Test]:
        found: list[_Test] = []
        least, most = schema.get("minProperties"), schema.get("maxProperties")
        if least is not None or most is not None:
            found.append(_sized(_is_object, least, most, "fields"))
        known = {
            name: self._test(part)
            for name, part in schema.get("properties", {}).items()
        }
        more = schema.get("additionalProperties", True)
        required = tuple(schema.get("required", ()))
        if known or required or more is not True:
            strangers = None if more is False else self._test(more)
            found.append(_fields(known, required, strangers))
        return found


def _anything(value: Any, path: str) -> str:
    return ""


def _at(path: str, what: str) -> str:
    return f"{path}: {what}" if path else what


def _all(tests: Sequence[_Test]) -> _Test:
    def test(value: Any, path: str) -> str:
        for each in tests:
            if wrong := each(value, path):
                return wrong
        return ""

    return test


def _any(tests: Sequence[_Test]) -> _Test:
    def test(value: Any, path: str) -> str:
        said = ""
        for each in tests:
            if not (wrong := each(value, path)):
                return ""
            # Of what is wrong with it as this and as that, the deepest says most.
            if wrong.count(".") > said.count(".") or not said:
                said = wrong
        return said

    return test


def _of_kind(kinds: Sequence[str]) -> _Test:
    checks = [_KINDS[kind] for kind in kinds]
    needed = " or ".join(_NAMES[kind] for kind in kinds)

    def test(value: Any, path: str) -> str:
        if any(check(value) for check in checks):
            return ""
        return _at(path, f"needs {needed}, is {_named(value)}")

    return test


def _named(value: Any) -> str:
    for kind, check in _KINDS.items():
        if kind != "integer" and check(value):
            return _NAMES[kind]
    return type(value).__name__


def _one_of(values: Sequence[Any]) -> _Test:
    known = ", ".join(map(repr, values))[:200]

    def test(value: Any, path: str) -> str:
        # In JSON, as not in Python, 1 is not true.
        for each in values:
            if value == each and isinstance(value, bool) is isinstance(each, bool):
                return ""
        return _at(path, f"is none of {known}")

    return test


def _of_text(schema: Document) -> Sequence[_Test]:
    found: list[_Test] = []
    least, most = schema.get("minLength"), schema.get("maxLength")
    if least is not None or most is not None:
        found.append(_sized(_is_text, least, most, "characters"))
    if pattern := schema.get("pattern"):
        found.append(_matching(re.compile(pattern)))
    if known := _FORMATS.get(schema.get("format", "")):
        found.append(_formatted(*known))
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _sized(
    concerns: Callable[[Any], bool], least: int | None, most: int | None, what: str
) -> _Test:
    def test(value: Any, path: str) -> str:
        if not concerns(value):
            return ""
        if least is not None and len(value) < least:
            return _at(path, f"needs at least {least} {what}, has {len(value)}")
        if most is not None and len(value) > most:
            return _at(path, f"may have {most} {what}, has {len(value)}")
        return ""

    return test


def _matching(pattern: re.Pattern[str]) -> _Test:
    def test(value: Any, path: str) -> str:
        if not isinstance(value, str) or pattern.search(value):
            return ""
        return _at(path, f"does not match {pattern.pattern[:100]}")

    return test


def _formatted(read: Callable[[str], object], what: str) -> _Test:
    def test(value: Any, path: str) -> str:
        if not isinstance(value, str):
            return ""
        try:
            read(value)
        except ValueError:
            return _at(path, f"is not {what}")
        return ""

    return test


def _keeps(holds: Callable[[Any, Any], bool], bound: Any, value: Any) -> bool:
    return holds(value, bound)


def _of_number(schema: Document) -> Sequence[_Test]:
    bounds: list[tuple[Callable[[Any], bool], str]] = []
    for key, holds, words in _BOUNDS:
        if (bound := schema.get(key)) is not None:
            bounds.append((functools.partial(_keeps, holds, bound), f"{words} {bound}"))
    if (step := schema.get("multipleOf")) is not None:
        bounds.append(
            (lambda it: _is_multiple(it, step), f"must be a multiple of {step}")
        )
    if not bounds:
        return ()
    is_number = _KINDS["number"]

    def test(value: Any, path: str) -> str:
        if is_number(value):
            for holds, words in bounds:
                if not holds(value):
                    return _at(path, words)
        return ""

    return [test]


_BOUNDS: Sequence[tuple[str, Callable[[Any, Any], bool], str]] = (
    ("minimum", lambda it, bound: it >= bound, "must be at least"),
    ("maximum", lambda it, bound: it <= bound, "must be at most"),
    ("exclusiveMinimum", lambda it, bound: it > bound, "must be more than"),
    ("exclusiveMaximum", lambda it, bound: it < bound, "must be less than"),
)


def _is_multiple(value: float, step: float) -> bool:
    times = value / step
    if not math.isfinite(times):  # 1e308 of 0.01
        return False
    # 0.3 is three times 0.1, and 1234567.89 is 123456789 times 0.01.
    return math.isclose(times, round(times), rel_tol=1e-14, abs_tol=1e-9)


def _unique(value: Any, path: str) -> str:
    if not _is_list(value):
        return ""
    # Each is looked at once: a list may have as many items as fit into an event. Of text,
    # whose hashes nobody can foresee who would like them all to be the same.
    texts = {msgspec.json.encode(_plain(item), order="sorted") for item in value}
    return "" if len(texts) == len(value) else _at(path, "holds something twice")


def _plain(value: Any) -> Any:
    """The same value in the one way to write it: in JSON 1.0 is 1, and 1 is not true."""
    if isinstance(value, float):
        is_whole = value.is_integer() and -(2.0**63) <= value < 2.0**64
        return int(value) if is_whole else value
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if _is_list(value) else value


def _items(first: Sequence[_Test], rest: _Test) -> _Test:
    def test(value: Any, path: str) -> str:
        if not _is_list(value):
            return ""
        for place, item in enumerate(value):
            each = first[place] if place < len(first) else rest
            if wrong := each(item, f"{path}[{place}]"):
                return wrong
        return ""

    return test


def _fields(
    known: Mapping[str, _Test], required: Sequence[str], strangers: _Test | None
) -> _Test:
    def test(value: Any, path: str) -> str:
        if not isinstance(value, dict):
            return ""
        within = f"{path}." if path else ""
        for name in required:
            if name not in value:
                return f"{within}{name}: is missing{_misspelt(name, value, known)}"
        for name, part in value.items():
            each = known.get(name, strangers)
            if each is None:
                near = get_close_matches(name[:80], known, 1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                return f"{within}{printable(name)[:80]}: is not declared{meant}"
            if wrong := each(part, f"{within}{printable(name)[:80]}"):
                return wrong
        return ""

    return test


def _misspelt(name: str, value: Mapping[str, Any], known: Mapping[str, _Test]) -> str:
    strangers = [key for key in islice(value, _MOST_NEAR) if key not in known]
    near = get_close_matches(name, strangers, 1)
    return f"; there is {printable(near[0])[:80]!r}" if near else ""


NO_SHAPES = Shapes()
"""Nothing is declared, so nothing is checked."""
