"""A condition can be checked against what an event or a profile is declared to hold.

The declarations are pydantic models; what is read is their JSON Schema, since a
condition sees JSON: an alias is the field's name, a datetime is text. Where a schema
allows anything (`dict[str, Any]`, `extra="allow"`), nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias

from pydantic import BaseModel

from journeykit.model import cel
from journeykit.model.conditions import Condition, Expression, expr_of

_Schema: TypeAlias = dict[str, Any]

_KINDS = {
    "string": "text",
    "integer": "a number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a map",
}
_INSTANT = "an instant"
_ORDERED = frozenset({"text", "a number", _INSTANT})
_SPECIAL: dict[str, _Schema] = {
    "$id": {"type": "string"},
    "$name": {"type": "string"},
    "$time": {"type": "instant"},
}


def check_condition(
    condition: Condition | Expression,
    *,
    event: type[BaseModel] | None = None,
    entry: type[BaseModel] | None = None,
    profile: type[BaseModel] | None = None,
    traits: Mapping[str, Any] | None = None,
) -> list[str]:
    """List what can't be right about a condition, or a value, given the schemas.

    A model is named in the messages by its title (`class X(BaseModel, title=…)`), or
    else by its class; a root without a model is not checked. What `trait` holds is not declared by a
    model but follows from the traits: `traits` is its JSON Schema.
    """
    declared = {"event": event, "entry": entry, "profile": profile}
    documents = {
        root: model.model_json_schema(mode="validation")
        for root, model in declared.items()
        if model is not None
    }
    if traits is not None:
        documents["trait"] = dict(traits)
    expr = condition.expr if isinstance(condition, Condition) else expr_of(condition)
    truth = isinstance(condition, Condition)
    check = _Check(documents)
    return list(
        dict.fromkeys([*check.absent(expr), *check.mismatches(expr, truth=truth)])
    )


class _Type(NamedTuple):
    """What a value may be; `kinds` empty means that nothing is known."""

    kinds: frozenset[str] = frozenset()
    values: tuple[object, ...] = ()
    is_time_text: bool = False

    def __str__(self) -> str:
        return " or ".join(sorted(self.kinds - {"null"}) or ["null"])


_UNKNOWN = _Type()


class _Absent(Exception):
    """A path that no schema of the model allows; the message says why."""


@dataclass(frozen=True, slots=True)
class _Check:
    documents: dict[str, _Schema]

    # Fields

    def variants(self, path: cel.Path) -> list[_Schema] | None:
        """Find the schemas that a path's value may have; None if anything goes."""
        if (document := self.documents.get(path.root)) is None:
            return None
        if path.root != "profile" and path.keys and path.keys[0] in _SPECIAL:
            return [_SPECIAL[str(path.keys[0])]] if len(path.keys) == 1 else None
        schemas = list(_alternatives(document, document))
        for depth, key in enumerate(path.keys):
            found: list[_Schema] = []
            for schema in schemas:
                under = _under(schema, key)
                if under is True:
                    return None
                if isinstance(under, dict):
                    found.extend(_alternatives(under, document))
            if not found:
                raise _Absent(_no_such(path, depth, schemas))
            schemas = found
        return schemas

    def type_of(self, expr: cel.Expr) -> _Type:
        match expr:
            case cel.Literal(value):
                return _Type(frozenset({_kind_of(value)}), (value,))
            case cel.Items():
                return _Type(frozenset({"a list"}))
            case cel.Call("timestamp"):
                return _Type(frozenset({_INSTANT}))
            case cel.Call("size"):
                return _Type(frozenset({"a number"}))
            case cel.Path():
                try:
                    return _type(self.variants(expr))
                except _Absent:
                    return _UNKNOWN
            case _:
                return _Type(frozenset({"true or false"}))

    # Problems

    def absent(self, expr: cel.Expr) -> Iterator[str]:
        for path in cel.references(expr):
            try:
                self.variants(path)
            except _Absent as absent:
                yield str(absent)

    def mismatches(self, expr: cel.Expr, *, truth: bool = False) -> Iterator[str]:
        match expr:
            case cel.Compare():
                yield from self.comparison(expr)
            case cel.In(item, container):
                yield from self.membership(expr, item, container)
            case cel.Call(name, args):
                yield from self.call(expr, name, args)
            case cel.Path() if truth:
                field = self.type_of(expr)
                if field.kinds and "true or false" not in field.kinds:
                    yield f"{expr} is {field}, so it is never true: compare it"
            case _:
                pass
        logical = isinstance(expr, cel.Not | cel.And | cel.Or)
        for child in cel.children(expr):
            yield from self.mismatches(child, truth=logical)

    def comparison(self, expr: cel.Compare) -> Iterator[str]:
        left, right = self.type_of(expr.left), self.type_of(expr.right)
        if not left.kinds or not right.kinds:
            return
        common = left.kinds & right.kinds
        for side, other, text in (
            (left, right, expr.left),
            (right, left, expr.right),
        ):
            if side.is_time_text and other.kinds == {_INSTANT}:
                yield f"{expr}: {text} is text: write timestamp({text})"
                return
            if expr.op not in ("==", "!=") and not side.kinds & _ORDERED:
                yield f"{expr}: {text} is {side}, which {expr.op} can't order"
                return
        if expr.op not in ("==", "!="):
            if not common & _ORDERED:
                yield f"{expr}: {expr.op} can't order {left} and {right}"
        elif not common and {"null"} not in (left.kinds, right.kinds):
            never = "never equal" if expr.op == "==" else "always different"
            yield f"{expr}: {expr.left} is {left} and {expr.right} is {right}: {never}"
        else:
            yield from _unlisted(expr, left, right)
            yield from _unlisted(expr, right, left)

    def membership(
        self, expr: cel.In, item: cel.Expr, container: cel.Expr
    ) -> Iterator[str]:
        holder, held = self.type_of(container), self.type_of(item)
        if holder.kinds and not holder.kinds & {"a list", "a map"}:
            part = (
                f": write {container}.contains({item})"
                if "text" in holder.kinds
                else ""
            )
            yield f"{expr}: {container} is {holder}, which holds no items{part}"
        if isinstance(container, cel.Items) and held.kinds:
            for each in container.items:
                yield from self.comparison(cel.Compare("==", item, each))

    def call(
        self, expr: cel.Call, name: str, args: tuple[cel.Expr, ...]
    ) -> Iterator[str]:
        takes = _TAKES[name]
        if name in cel.TIME_METHODS:
            yield from self.time_test(expr, args)
        for arg in args[:1] if name in cel.TIME_METHODS else args:
            given = self.type_of(arg)
            if given.kinds and not given.kinds & takes:
                hint = (
                    f": write {args[1]} in {arg}"
                    if name == "contains" and "a list" in given.kinds
                    else ""
                )
                yield f"{expr}: {arg} is {given}, which {name} does not take{hint}"

    def time_test(self, expr: cel.Call, args: tuple[cel.Expr, ...]) -> Iterator[str]:
        # A field of an event may be an instant in seconds; no trait counts those.
        path = args[0]
        is_trait = isinstance(path, cel.Path) and path.root == "trait"
        if is_trait and self.type_of(path).kinds == _NUMBER:
            yield f"{expr}: {path} is a number, and no instant"


_NUMBER = frozenset({"a number"})
_TIMES = frozenset({"text", "a number", _INSTANT})
_TAKES = dict.fromkeys(cel.METHODS, frozenset({"text"})) | {
    **dict.fromkeys(cel.TIME_METHODS, _TIMES),
    "size": frozenset({"text", "a list", "a map"}),
    "timestamp": _TIMES,
}


def _unlisted(expr: cel.Compare, literal: _Type, field: _Type) -> Iterator[str]:
    """Yield a literal that is not among the values that the field may have."""
    if len(literal.values) != 1 or len(field.values) < 1 or field.kinds == {"null"}:
        return
    (value,) = literal.values
    if value is None or any(value == each for each in field.values):
        return
    known = ", ".join(repr(each) for each in field.values)
    yield f"{expr}: the declared values are {known}{_suggest(value, field.values)}"


def _suggest(word: object, known: Any) -> str:
    close = get_close_matches(str(word), [str(each) for each in known], 1, 0.7)
    return f"; did you mean {close[0]!r}?" if close else ""


# --- JSON Schema ----------------------------------------------------------------------


def _alternatives(schema: Any, document: _Schema) -> Iterator[_Schema]:
    """Yield the plain schemas behind references and unions."""
    if not isinstance(schema, dict):
        yield {}
    elif reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        yield from _alternatives(document["$defs"][name], document)
    elif union := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for each in union:
            yield from _alternatives(each, document)
    else:
        yield schema


def _under(schema: _Schema, key: str | int) -> _Schema | bool:
    """Find what stands under a key: a schema, anything (True) or nothing (False)."""
    kind = schema.get("type")
    if kind is None and not schema.get("enum") and "const" not in schema:
        return True
    if kind == "array" and isinstance(key, int):
        if key < len(prefix := schema.get("prefixItems", ())):
            return dict(prefix[key])
        items = schema.get("items", not prefix)
        return items if isinstance(items, dict) and items else bool(items)
    if kind != "object" or not isinstance(key, str):
        return False
    properties = schema.get("properties")
    if properties and key in properties:
        return dict(properties[key]) or True
    extra = schema.get("additionalProperties", properties is None)
    if isinstance(extra, dict):
        return extra or True
    return bool(extra)


def _no_such(path: cel.Path, depth: int, schemas: list[_Schema]) -> str:
    key, parent = path.keys[depth], cel.Path(path.root, path.keys[:depth])
    maps = [schema for schema in schemas if schema.get("type") == "object"]
    if isinstance(key, int) or not maps:
        return f"{path}: {parent} is {_type(schemas)}, it has no {_shown(key)}"
    owner = next((schema["title"] for schema in maps if "title" in schema), str(parent))
    known = [name for schema in maps for name in schema.get("properties", ())]
    if not depth and path.root != "profile":
        known += _SPECIAL
    return f"{path}: {owner!r} has no field {key!r}{_suggest(key, known)}"


def _shown(key: str | int) -> str:
    return f"field {key!r}" if isinstance(key, str) else f"item {key}"


def _type(schemas: list[_Schema] | None) -> _Type:
    if schemas is None:
        return _UNKNOWN
    kinds: set[str] = set()
    values: list[object] = []
    open_values = times = False
    for schema in schemas:
        listed = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        name = schema.get("type")
        if name == "instant":
            kinds.add(_INSTANT)
        elif name in _KINDS:
            kinds.add(_KINDS[name])
        elif listed:
            kinds.update(_kind_of(value) for value in listed)
        else:
            return _UNKNOWN
        values.extend(listed)
        open_values |= not listed and name != "null"
        times |= schema.get("format") == "date-time"
    return _Type(frozenset(kinds), () if open_values else tuple(values), times)


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "text"
