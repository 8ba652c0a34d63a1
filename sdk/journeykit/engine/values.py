"""Constants and references that become values at the moment of a decision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from journeykit.engine.conditions import Missing, Scope, ValueOf, compile_value
from journeykit.engine.customer import size_of
from journeykit.engine.ids import derived
from journeykit.engine.limits import KEY_CHARACTERS

Document = Mapping[str, Any]


class Values:
    """Names and what they stand for: `{"total": {"cel": "entry.total"}, "kind": "x"}`."""

    __slots__ = ("_constants", "_references", "paths")

    def __init__(self, document: Document) -> None:
        """Compile the references once; constants are copied for each use."""
        self._constants: dict[str, Any] = {}
        self._references: list[tuple[str, Any]] = []
        self.paths: frozenset[tuple[str | int, ...]] = frozenset()
        for name, value in document.items():
            compiled = _compiled(value)
            if compiled is value:
                self._constants[name] = value
            else:
                self._references.append((name, compiled))
                self.paths |= {p for part in _parts(compiled) for p in part.paths}

    def resolve(self, scope: Scope) -> tuple[dict[str, Any], list[str]]:
        """The values now, and the names of those whose reference holds nothing."""
        values, missing = dict(self._constants), []
        for name, compiled in self._references:
            try:
                values[name] = _resolved(compiled, scope)
            except Missing:
                missing.append(name)
        return values, missing


def bounded(
    resolved: tuple[dict[str, Any], list[str]], most: int
) -> tuple[dict[str, Any], list[str]]:
    """Resolved values without the largest ones if they take more bytes than that."""
    values, missing = resolved
    while size_of(values) > most:
        largest = max(values, key=lambda name: size_of(values[name]))
        values = {name: value for name, value in values.items() if name != largest}
        missing = [*missing, largest]
    return values, missing


def key_text(value: object) -> str | None:
    """A value as text to tell runs or items apart by; None if it is no such value."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 7 and 7.0 are one number, as in conditions
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def run_key(value: object) -> str | None:
    """A value as the key of a run; the hash of a very long one."""
    text = key_text(value)
    if text is None or len(text) <= KEY_CHARACTERS:
        return text
    return derived("key", text)


def _compiled(value: Any) -> Any:
    """The value itself if it is constant, else the same shape with compiled parts."""
    if isinstance(value, Mapping):
        if set(value) == {"cel"}:
            return compile_value(value["cel"])
        parts = {key: _compiled(part) for key, part in value.items()}
        return value if all(parts[key] is value[key] for key in value) else parts
    if isinstance(value, list):
        items = [_compiled(part) for part in value]
        same = all(a is b for a, b in zip(items, value, strict=True))
        return value if same else items
    return value


def _resolved(compiled: Any, scope: Scope) -> Any:
    if isinstance(compiled, ValueOf):
        return compiled(scope)
    if isinstance(compiled, Mapping):
        return {key: _resolved(part, scope) for key, part in compiled.items()}
    if isinstance(compiled, list):
        return [_resolved(part, scope) for part in compiled]
    return compiled


def _parts(compiled: Any) -> Iterator[ValueOf]:
    if isinstance(compiled, ValueOf):
        yield compiled
    elif isinstance(compiled, Mapping):
        for part in compiled.values():
            yield from _parts(part)
    elif isinstance(compiled, list):
        for part in compiled:
            yield from _parts(part)
