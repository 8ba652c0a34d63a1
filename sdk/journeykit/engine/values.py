"""Constants and references that become values at the moment of a decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from journeykit.engine.conditions import Missing, Scope, ValueOf, compile_value

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
