"""Words in a picture: made safe, measured roughly, and cut where there is no room."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape

_LOST = "\ufffd"
# What turns the direction of the text after it, and so could change what a page says.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Shares of the font's size, of the broadest of the usual fonts (DejaVu Sans): it is better
# to cut a word early than to let two overlap.
_NARROW, _USUAL, _LARGE, _BROAD, _FULL = 0.41, 0.64, 0.77, 0.99, 1.0
_THIN = frozenset("fijlrtI.,:;'|!()[]-/ ·")
_THICK = frozenset("mwMW%@—→←↑↓…")


def safe(text: str) -> str:
    """Text as HTML and as XML, without what would break either or turn its direction."""
    return escape("".join(map(_kept, text)))


def _kept(letter: str) -> str:
    if letter in _TURNING:
        return ""
    if letter in "\t\n\r":
        return " "
    if unicodedata.category(letter) in ("Cc", "Cs") or letter in "\ufffe\uffff":
        return _LOST
    return letter


def width_of(text: str, *, size: float) -> float:
    """How wide text is, about, in the unit of the font's size."""
    return size * sum(map(_share, text))


def _share(letter: str) -> float:
    if letter in _THIN:
        return _NARROW
    if letter in _THICK:
        return _BROAD
    if letter.isascii():
        return _LARGE if letter.isupper() else _USUAL
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return _FULL
    return _USUAL


def shortened(text: str, *, size: float, room: float) -> str:
    """The text, or as much of it as there is room for, and an ellipsis."""
    if width_of(text, size=size) <= room:
        return text
    room -= width_of("…", size=size)
    kept = 0
    for letter in text:
        room -= size * _share(letter)
        if room < 0:
            break
        kept += 1
    return f"{text[:kept].rstrip()}…"


def in_lines(text: str, *, size: float, room: float, most: int) -> list[str]:
    """The text in so many lines at most, the last one cut.

    Lines are broken between words; a word that is too long for one, such as an id, behind
    a hyphen, a dot, a slash or an underscore in it.
    """
    lines: list[str] = []
    rest = [*_parts(text, size=size, room=room)]
    while rest and len(lines) < most:
        if len(lines) == most - 1:
            lines.append(shortened("".join(rest).strip(), size=size, room=room))
            break
        taken = max(1, _fitting(rest, size=size, room=room))
        line = "".join(rest[:taken]).strip()
        lines.append(shortened(line, size=size, room=room))
        rest = rest[taken:]
    return lines


_BREAKS = re.compile(r"[^-._/]*[-._/]+|[^-._/]+")


def _parts(text: str, *, size: float, room: float) -> Iterator[str]:
    """Yield what stays together, each word with the space before it."""
    for word in text.split():
        if width_of(word, size=size) <= room:
            yield f" {word}"
        else:
            for place, part in enumerate(_BREAKS.findall(word)):
                yield part if place else f" {part}"


def _fitting(parts: list[str], *, size: float, room: float) -> int:
    """How many of the parts fit in a line."""
    used = 0.0
    for place, part in enumerate(parts):
        used += width_of(part if place else part.lstrip(), size=size)
        if used > room:
            return place
    return len(parts)
