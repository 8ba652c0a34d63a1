"""Definitions as JSON and YAML, in and out: every form says the same.

The canonical JSON is one line: fields in their order, defaults left out, `type` and the
ids of steps always there. It is what a version's fingerprint is made from, so it never
changes for a journey that didn't. YAML is for people: durations in short, the type and
the id of a step first, one trigger or goal without a list around it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import re
from typing import Any, TypeVar, cast, get_args, overload

from pydantic import TypeAdapter, ValidationError

from journeykit.errors import InvalidJourney, Source
from journeykit.model.complaints import CLASSES, complaints_of
from journeykit.model.definition import document_of, is_definition, placed
from journeykit.model.journey import Journey
from journeykit.model.reading import Node, read_json, read_yaml
from journeykit.model.triggers import EventTrigger, Happens
from journeykit.model.yaml_text import yaml_text

T = TypeVar("T")


def to_json(definition: object) -> str:
    """Write a definition as canonical JSON, in one line."""
    document = document_of(definition)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def to_yaml(definition: object) -> str:
    """Write a definition as canonical YAML 1.2, for people to read and edit."""
    return yaml_text(document_of(definition, form="yaml"))


@overload
def from_json(text: str | bytes, *, file: str = "") -> Journey: ...
@overload
def from_json(text: str | bytes, cls: type[T], *, file: str = "") -> T: ...
def from_json(text: str | bytes, cls: type[Any] = Journey, *, file: str = "") -> Any:
    """Read a definition from JSON; `file` is what errors call the text.

    Raises:
        InvalidJourney: It is no JSON, or no such definition; each issue says where.
    """
    return _defined(read_json(text, file=file), cls, file)


@overload
def from_yaml(text: str | bytes, *, file: str = "") -> Journey: ...
@overload
def from_yaml(text: str | bytes, cls: type[T], *, file: str = "") -> T: ...
def from_yaml(text: str | bytes, cls: type[Any] = Journey, *, file: str = "") -> Any:
    """Read a definition from YAML 1.2; `file` is what errors call the text.

    Raises:
        InvalidJourney: It is no YAML, or no such definition; each issue says where.
    """
    return _defined(read_yaml(text, file=file), cls, file)


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _defined(node: Node, cls: type[T], file: str) -> T:
    try:
        item: T = _adapter(cast(Any, cls)).validate_python(node.value)
    except ValidationError as error:
        raise InvalidJourney(
            f"{file or 'the text'} can't be read as {_called(cls)}:",
            issues=[each.problem(file) for each in complaints_of(error, node, cls)],
        ) from None  # the issues are the validation error, in the author's words
    _place(item, node, file)
    return item


def _called(cls: Any) -> str:
    """`Journey`, or `a list of Touchpoint` where several are read at once."""
    if not get_args(cls):
        return str(cls.__name__)
    # A union of kinds has no name of its own: its first one stands for them.
    one = get_args(cls)[0]
    return f"a list of {one.__name__ if isinstance(one, type) else 'definitions'}"


def _place(item: object, node: Node, file: str) -> None:
    """Tell each definition where it was read, but not what a default put in its place."""
    if isinstance(item, list | tuple):
        nodes = node.parts if isinstance(node.value, list) else {0: node}
        for n, part in enumerate(item):
            _place(part, nodes[n], file)
    elif is_definition(item):
        if isinstance(node.value, dict):
            for field in dataclasses.fields(cast(Any, item)):
                if (part := node.parts.get(field.name)) is not None:
                    _place(getattr(item, field.name), part, file)
        placed(item, Source(file or "text", node.place.line))


# JSON Schema

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def json_schema(cls: Any = Journey, *, name: str = "") -> dict[str, Any]:
    """Describe the JSON and YAML of a definition as JSON Schema, draft 2020-12.

    Editors complete and check YAML files with it. What a schema can't say, such as
    weights that add up to 100, is said when a file is read.

    Args:
        cls: The definition, or a union of several kinds of it.
        name: What a union is called.
    """
    body = _adapter(cast(Any, cls)).json_schema()
    parts: dict[str, Any] = body.pop("$defs", {})
    own = name or cls.__name__
    for part_name, part in parts.items():
        _describe(part, CLASSES[part_name])
    if "properties" in body:  # a union has none of its own
        _describe(body, CLASSES[own])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:journeykit:schema:{own.lower()}",
        **body,
        **({"$defs": parts} if parts else {}),
    }


def _describe(part: dict[str, Any], cls: Any) -> None:
    """Say of each field what the class says of it, and which type it must tell."""
    text, _, attributes = (inspect.getdoc(cls) or "").partition("\n\nAttributes:\n")
    part["description"] = text
    for name, says in _ATTRIBUTE.findall(_inherited(cls) + attributes):
        if name in part["properties"]:
            part["properties"][name]["description"] = " ".join(says.split())
    for field in part["properties"].values():
        # pydantic takes the bounds of "one or several" for those of a text.
        if "array" in [option.get("type") for option in field.get("anyOf", ())]:
            for bound in {"minLength", "maxLength"} & field.keys():
                field[bound.replace("Length", "Items")] = field.pop(bound)
    if "type" in part["properties"] and cls not in (EventTrigger, Happens):
        part["required"] = ["type", *part.get("required", [])]


def _inherited(cls: Any) -> str:
    """The attributes that the class has from those above it, the nearest last."""
    above = [inspect.getdoc(each) or "" for each in cls.__mro__[-2:0:-1]]
    return "".join(f"{doc.partition('Attributes:')[2]}\n" for doc in above)
