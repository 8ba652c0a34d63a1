"""Templates whose file is JSON: what they came to, as a value of a declared shape."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from journeykit.channels import Message
from journeykit.errors import ContentError

Shape = TypeVar("Shape", bound=msgspec.Struct)


class TemplateError(ContentError):
    """What is wrong with a template whatever its variables are: what it has, or lacks.

    `check` calls it an error; of other ContentErrors the values may be the reason.
    """


_PLACE = re.compile(r" - at `(?P<place>[^`]*)`$")

_OF_SHAPE = re.compile(r"(^|: )(lacks `|has a field that it can't have: )")


def content_of(message: Message, medium: str) -> Any:
    """Return the content of a message, which a medium can't do without.

    Raises:
        ContentError: Nothing was rendered for it.
    """
    if message.content is None:
        raise ContentError(f"nothing was rendered for {medium}")
    return message.content


def document_of(message: Message, medium: str, shape: type[Shape]) -> Shape:
    """Return the `json` part of a message as a value.

    Numbers and truth values may be written as text, because what a template renders is
    always text: `"badge": "{{ count }}"`.

    Raises:
        ContentError: There is no such part, it is no JSON, or not of this shape. The
            message names the field, and nothing that stands in it.
    """
    part = content_of(message, medium).parts.get("json")
    if part is None:
        raise TemplateError(f"the template has no file for {medium} that ends in .json")
    try:
        document = msgspec.json.decode(part)
        return msgspec.convert(document, shape, strict=False)
    except msgspec.ValidationError as err:
        said = _said(str(err))
        kind = TemplateError if _OF_SHAPE.search(said) else ContentError
        raise kind(f"the {medium} template: {said}") from None
    except msgspec.DecodeError:
        raise ContentError(f"the {medium} template is no JSON") from None


def _said(error: str) -> str:
    """An error of msgspec in our words, without the values that some of them quote."""
    place = ""
    if found := _PLACE.search(error):
        error = error[: found.start()]
        place = found["place"].removeprefix("$").removeprefix(".")
    if error.startswith("Invalid enum value"):
        error = "is none of what it may be"
    elif "unknown field" in error:
        error = "has a field that it can't have: " + error.rpartition(" field ")[2]
    elif "missing required field" in error:
        error = "lacks " + error.rpartition(" field ")[2]
    elif error.startswith("Expected"):
        error = "e" + error[1:]
    else:
        error = "can't be read"
    return f"{place}: {error}" if place else error
