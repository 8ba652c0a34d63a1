"""What the commands write to a terminal: words that fit, emphasis, and progress."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from journeykit.model.plain_text import printable

WIDEST = 100
_PATIENCE = 0.5  # seconds without a word before progress shows
_REFRESH = 0.1
_NAMES = 12  # columns for the names of rows


def width() -> int:
    """How many columns to fill: those of the terminal, 100 at most."""
    return min(shutil.get_terminal_size((80, 24)).columns, WIDEST)


def strong(text: str) -> str:
    """The text, emphasized where that can be seen and is wanted."""
    return text if "NO_COLOR" in os.environ else click.style(text, bold=True)


def faint(text: str) -> str:
    """The text, held back where that can be seen and is wanted."""
    return text if "NO_COLOR" in os.environ else click.style(text, dim=True)


def wrapped(text: str, *, first: str = "", indent: str = "") -> Iterator[str]:
    """Yield the text in lines that fit, the first behind `first`, the rest indented."""
    yield from textwrap.wrap(
        printable(text),
        width(),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,  # a path in two pieces is no use to anybody
        break_on_hyphens=False,
    ) or [first.rstrip()]


def row(name: str, text: str, *, columns: int = _NAMES) -> Iterator[str]:
    """Yield a named line, and those that it goes on in; nothing if there is no text."""
    if text:
        head = f"  {printable(name):<{columns - 1}} "
        yield from wrapped(text, first=head, indent=" " * (columns + 2))


def rows(named: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield named lines whose texts begin below each other, however long the names are."""
    longest = max((len(printable(name)) for name, text in named if text), default=0)
    columns = min(max(_NAMES, longest + 2), width() // 2)
    for name, text in named:
        yield from row(name, text, columns=columns)


def counted(count: int, noun: str) -> str:
    """A number of something: `1 customer`, `1,200 customers`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


class Progress:
    """One line on a terminal's standard error that says how far it is; else nothing."""

    def __init__(self, what: str = "events", *, total: int | None = None) -> None:
        """Start the clock.

        Args:
            what: What is counted.
            total: How many there are, if that is known.
        """
        self._what = what
        self._total = total
        self._started = self._shown = time.monotonic()
        self._is_seen = sys.stderr.isatty()
        self._is_open = False

    def __call__(self, count: int, now: datetime | None = None) -> None:
        """Show the number so far and, if there is one, the virtual clock."""
        clock = time.monotonic()
        wait = _REFRESH if self._is_open else _PATIENCE
        if not self._is_seen or clock - self._shown < wait:
            return
        self._shown, self._is_open = clock, True
        share = f" of {self._total:,}" if self._total else ""
        seconds = clock - self._started
        clock_then = f" · {now:%Y-%m-%d}" if now else ""
        line = f"{count:,}{share} {self._what}{clock_then} · {seconds:.0f} s"
        click.echo(f"\r{line:<{width() - 1}}", nl=False, err=True)

    def done(self) -> None:
        """Leave no trace of it."""
        if self._is_open:
            click.echo(f"\r{' ' * (width() - 1)}\r", nl=False, err=True)
            self._is_open = False
