"""What people have in common, as a terminal shows it and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

from journeykit.cli.replay import read_instant
from journeykit.cli.terminal import WIDEST, Progress, width, wrapped
from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Customer
from journeykit.local.embedded import wall_clock
from journeykit.model.plain_text import printable
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import compiled
from journeykit.runtime.headcount import Scan, everybody
from journeykit.runtime.likeness import Typical

DIFFERENCES = 8
"""Differences from everybody that are told."""

_FIELD = 34  # columns for what differs

Command = TypeVar("Command", bound=Callable[..., Any])


def as_of(command: Command) -> Command:
    """Give a command the option that says when now is."""
    return click.option(
        "--at",
        metavar="INSTANT",
        callback=read_instant,
        help="As of then instead of now: 2026-06-30T00:00:00Z.",
    )(command)


def present(at: datetime | None) -> int:
    """The instant that a command is about, milliseconds."""
    return wall_clock() if at is None else to_ms(at)


def with_progress(scan: Scan) -> Iterator[Customer]:
    """Yield everybody, with a line that says how far it is."""
    progress = Progress("customers")
    try:
        for count, customer in enumerate(everybody(scan), 1):
            progress(count)
            yield customer
    finally:
        progress.done()


def version_of(catalog: CatalogDocument) -> int:
    """By which number documents know that they were judged by what is published."""
    return compiled(catalog, channels={}).audience.version


def typical_lines(found: Sequence[Typical]) -> Iterator[str]:
    """Yield the differences of a group, one each, in two columns."""
    if not found:
        yield "  nothing in which they differ much from everybody"
    column = min(_FIELD, max((len(_subject(each)) for each in found), default=0))
    for each in found:
        subject, says = printable(_subject(each)), _says(each)
        if len(subject) > column:
            yield from wrapped(subject, first="  ", indent="    ")
            yield f"  {'':<{column}}  {says}"
        else:
            yield f"  {subject:<{column}}  {says}"


def typical_words(found: Sequence[Typical]) -> list[str]:
    """The same as one sentence each, for a persona's story."""
    return [f"{_subject(each)}: {_says(each)}" for each in found]


def typical_json(found: Sequence[Typical]) -> list[dict[str, Any]]:
    """The same as JSON values."""
    return [each._asdict() for each in found]


def _subject(each: Typical) -> str:
    return f"{each.field} = {each.word}" if each.word else each.field


def _says(each: Typical) -> str:
    lift = f" ({amount(each.lift)} times)" if each.lift is not None else ""
    if each.kind == "share":
        return f"{percent(each.here)}, everybody {percent(each.everywhere)}{lift}"
    return f"{amount(each.here)}, everybody {amount(each.everywhere)}{lift}"


def amount(value: float) -> str:
    """A number to three digits, and never with an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """A share; what is more than nobody never looks like it."""
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{share:.0%}".replace("%", " %")


def people(count: int) -> str:
    """So many customers."""
    return "1 customer" if count == 1 else f"{count:,} customers"


def share_lines(shares: Mapping[str, tuple[int, float]]) -> Iterator[str]:
    """Yield counts with their shares, as bars.

    Args:
        shares: Name to the count, and to its share of everybody.
    """
    column = max((len(name) for name in shares), default=0)
    column = min(column, 30)
    room = min(width(), WIDEST) - column - 22
    for name, (count, share) in shares.items():
        bar = "▇" * round(share * max(10, room))
        line = (
            f"  {printable(name)[:column]:<{column}}  {count:>9,}  {percent(share):>5}"
        )
        yield f"{line}  {bar}".rstrip()
