"""Plain text: what customers typed, made safe to show to a person."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text in one line that can't command a terminal: the rest is escaped, `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
