"""The decorator behind everything that an author writes.

A definition is a frozen pydantic dataclass that forbids unknown fields and builds its
validator only when it is first used. On top of that it keeps the place in the author's
file where it was written, and says that place when it is wrong.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from journeykit.errors import DefinitionError, InvalidJourney, Source
from journeykit.model.conditions import Condition, Expression, text_of
from journeykit.model.cron import Cron
from journeykit.model.durations import Duration
from journeykit.model.rates import Rate

T = TypeVar("T")

_SOURCE = "__journeykit_source__"
_OWN_FRAMES = ("journeykit.", "pydantic.", "importlib")
_CONFIG = ConfigDict(extra="forbid", defer_build=True, validate_default=True)


@dataclass_transform(
    frozen_default=True, field_specifiers=(dataclasses.field, dataclasses.Field, Field)
)
def definition(cls: type[T]) -> type[T]:
    """Make a class a definition; see the module for what that means."""
    made = dataclass(frozen=True, config=_CONFIG)(cls)
    validated_init = cast(Callable[..., None], made.__init__)

    @functools.wraps(validated_init)
    def init(self: T, *args: object, **kwargs: object) -> None:
        try:
            validated_init(self, *args, **kwargs)
        except ValidationError as error:
            _reraise_whole(error)
            # Imported here: it knows all definitions, and so can't be above them.
            from journeykit.model.complaints import lines_of_call

            text = "; ".join(lines_of_call(error, cls, args, kwargs))
            # `from None`: the text above is the validation error, in the author's words.
            raise DefinitionError(text, source=_author()) from None
        except TypeError as error:  # an argument too many, or a missing one
            raise DefinitionError(
                f"{cls.__name__}: {error}", source=_author()
            ) from None
        finally:
            # pydantic puts its own back when it builds the validator, on first use.
            made.__init__ = init  # type: ignore[assignment, method-assign]
        object.__setattr__(self, _SOURCE, _author())

    made.__init__ = init  # type: ignore[assignment, method-assign]
    return cast(type[T], made)


def source_of(item: object) -> Source | None:
    """Where the author wrote this definition; None if it came from JSON."""
    source = getattr(item, _SOURCE, None)
    return source if isinstance(source, Source) else None


def placed(item: T, source: Source) -> T:
    """Say where a definition that was read from a file stands, and return it."""
    object.__setattr__(item, _SOURCE, source)
    return item


def _reraise_whole(error: ValidationError) -> None:
    """Let an error that lists places of its own pass as it is."""
    for issue in error.errors(include_url=False):
        cause = issue.get("ctx", {}).get("error")
        if isinstance(cause, InvalidJourney):
            raise cause from None


def is_definition(value: object) -> bool:
    """Whether this value is an instance of a definition class."""
    return dataclasses.is_dataclass(value) and hasattr(value, "__pydantic_validator__")


def rebuilt(item: T, change: Callable[[object], Mapping[str, object]]) -> T:
    """Copy a tree of definitions, each node with the fields that `change` gives it.

    Definitions are frozen and may be used twice by their author, so a change never
    touches the original. `change` sees parents before children, in document order.
    """
    clone = copy.copy(item)
    for name, value in change(item).items():
        object.__setattr__(clone, name, value)
    for field in dataclasses.fields(cast(Any, clone)):
        value = getattr(clone, field.name)
        if isinstance(value, tuple) and any(is_definition(part) for part in value):
            parts = tuple(rebuilt(part, change) for part in value)
            object.__setattr__(clone, field.name, parts)
    return clone


Form = Literal["canonical", "yaml", "plan"]


def document_of(item: object, *, form: Form = "canonical") -> Any:
    """Write a definition as plain JSON values.

    Args:
        item: A definition, or a value inside one.
        form: `canonical` omits defaults and nulls, so that a version's fingerprint
            survives a release that adds an optional field; `yaml` is the same with
            durations in their short spelling; `plan` writes every field, for the
            engine, which has no defaults of its own.
    """
    if is_definition(item):
        return {
            field.name: document_of(value, form=form)
            for field in dataclasses.fields(cast(Any, item))
            for value in [getattr(item, field.name)]
            if form == "plan" or field.name == "type" or value != _default(field)
        }
    if isinstance(item, Duration):
        return item.short if form == "yaml" else str(item)
    if isinstance(item, Rate | Cron):
        return str(item)
    if isinstance(item, Condition):
        return item.text
    if isinstance(item, Expression):
        return text_of(item)
    if isinstance(item, datetime):
        return item.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(item, date):
        return item.isoformat()
    if isinstance(item, Mapping):
        return _values(item)
    if isinstance(item, str | int | float | None):
        return item
    if isinstance(item, Sequence):
        return [document_of(part, form=form) for part in item]
    raise TypeError(f"a definition can't hold a {type(item).__name__}")


def _values(item: object) -> Any:
    """Write constants as they are and an expression so that no text can pass for it."""
    if isinstance(item, Expression):
        return {"cel": text_of(item)}
    if isinstance(item, Rate):
        return str(item)
    if isinstance(item, Mapping):
        # Sorted: two spellings of one mapping are one definition, with one fingerprint.
        return {str(key): _values(item[key]) for key in sorted(item)}
    if isinstance(item, list | tuple):
        return [_values(part) for part in item]
    return item


_UNSET = object()


def _default(field: dataclasses.Field[Any]) -> object:
    default = field.default
    if default is not dataclasses.MISSING:
        return getattr(default, "default", default)  # a pydantic FieldInfo holds it
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _UNSET


def _author() -> Source | None:
    """The nearest caller that is neither this package nor pydantic."""
    frame = sys._getframe(2)
    while frame is not None:
        if not str(frame.f_globals.get("__name__", "")).startswith(_OWN_FRAMES):
            return Source(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
