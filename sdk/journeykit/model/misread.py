"""What is wrong with something that could not be read, in words that lead to the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from journeykit.model.events import MAX_DEPTH
from journeykit.model.plain_text import printable

_AT = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_WRONG = re.compile(r"Expected `(.+)`, got `(.+)`")
_DATE_TIME = "is no date-time; write one with an offset, such as 2026-06-07T12:00:00Z"


def explained(
    line: bytes,
    error: Exception,
    *,
    fields: Sequence[str] = (),
    of: str = "an event",
    else_: str = "put it into 'properties'",
) -> str:
    """Say what is wrong with a line of JSON.

    Args:
        line: As it came.
        error: What msgspec said of it.
        fields: Those that there are, if others are refused.
        of: What they are fields of.
        else_: What to do with one that is like none of them.
    """
    if isinstance(error, RecursionError):
        return f"nests deeper than {MAX_DEPTH} levels"
    if not isinstance(error, msgspec.ValidationError):
        shown = printable(line[:60].decode("utf-8", "replace"))
        return f"not a line of JSON ({error}): {shown}"
    text, path = str(error), ""
    if found := _AT.search(text):
        text, path = text[: found.start()], f"{printable(found[1])}: "
    if found := _MISSING.fullmatch(text):
        return f"{path}{found[1]} is missing"
    if found := _UNKNOWN.fullmatch(text):
        near = get_close_matches(found[1], fields, n=1)
        way_out = f"did you mean {near[0]!r}?" if near else else_
        return f"{path}{printable(found[1])!r} is no field of {of}; {way_out}"
    if found := _WRONG.fullmatch(text):
        return f"{path}is of type {found[2]}, needs {found[1]}"
    if "RFC3339" in text or "timezone" in text:
        return f"{path}{_DATE_TIME}"
    return f"{path}{printable(text)}"
