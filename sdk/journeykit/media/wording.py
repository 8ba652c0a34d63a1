"""Words as they leave the house: no control characters, one line, cut where it is asked."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from journeykit.errors import ContentError

ELLIPSIS = "…"

_LINE_BREAK = re.compile(r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")  # as `str.splitlines`
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE = re.compile(r"[ \t]+$", re.MULTILINE)


def written(value: Any) -> str:
    """Return a setting as text; nothing, if it is not set."""
    return "" if value is None else str(value)


def lines_of(text: str) -> str:
    r"""Return text with `\n` between lines, without what is no character to be read.

    Control characters and halves of surrogate pairs come from data that was cut or
    damaged. Providers refuse the whole message for one of them.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = _CONTROL.sub("", text.replace("\u2029", "\n\n"))
    return _SPACE.sub("", text).strip("\n")


def one_line(text: str) -> str:
    """Return text in one line: every run of white space is one space."""
    return " ".join(lines_of(text).split())


def line_of(text: str, *, what: str) -> str:
    """Return text that must be one line already, as the value of a header must.

    Raises:
        ContentError: It has a line break or a control character, with which somebody who
            chose a variable's value could write headers of their own.
    """
    text = text.strip()
    if _LINE_BREAK.search(text):
        raise ContentError(f"the {what} has a line break; it must be one line")
    if _CONTROL.search(text):
        raise ContentError(f"the {what} has a control character")
    return text


def fits(text: str, *, what: str, most: int) -> str:
    """Return text that is no longer than it may be.

    Raises:
        ContentError: It is; the message says by how much.
    """
    if len(text) > most:
        raise ContentError(
            f"the {what} has {len(text)} characters; {most} are the most"
        )
    return text


def required(text: str, *, what: str) -> str:
    """Return text that must not be empty.

    Raises:
        ContentError: It is.
    """
    if not text.strip():
        raise ContentError(f"the {what} is empty")
    return text


def cut(text: str, most: int) -> str:
    """Return text of at most so many characters, with an ellipsis where it was cut.

    No character is parted from the marks and joiners that belong to it, and where there is
    a space near the end, no word is.
    """
    if len(text) <= most:
        return text
    if most < 1:
        return ""
    end = most - len(ELLIPSIS)
    while end > 0 and _belongs(text[end - 1], text[end]):
        end -= 1
    space = text.rfind(" ", 0, end + 1)
    if space >= end * 3 // 4 > 0:
        end = space
    return text[:end].rstrip() + ELLIPSIS


def _belongs(before: str, after: str) -> bool:
    """Whether two characters are parts of what a reader takes for one."""
    joiner = "\u200d"  # a family of emoji is several, joined
    return (
        after == joiner
        or before == joiner
        or unicodedata.combining(after) != 0
        or "\ufe00" <= after <= "\ufe0f"  # how an emoji is to look
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # its skin
        or ("\U0001f1e6" <= after <= "\U0001f1ff")  # flags are pairs of these
    )
