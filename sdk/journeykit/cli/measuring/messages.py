"""`journeykit measure messages`: what became of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import click

from journeykit.cli.figures import (
    about_logs,
    between,
    meaning,
    percent,
    print_json,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, row, wrapped
from journeykit.insight.messages import ALL, By, MessageFigures, Messages, messages
from journeykit.insight.periods import Per
from journeykit.insight.stats.intervals import Share
from journeykit.model.plain_text import printable

_SHARES = ("delivered", "opened", "clicked", "replied", "bounced")
_TOLD = (*_SHARES, "complained", "unsubscribed")


@click.command("messages")
@over_logs
@click.option("--journey", metavar="ID", help="Only this journey's messages.")
@click.option(
    "--by",
    type=click.Choice([str(one) for one in ALL]),
    multiple=True,
    default=("channel", "template"),
    show_default=True,
    help="Tell them apart by this; may be given more than once.",
)
@click.option(
    "--per",
    type=click.Choice(["week", "month"]),
    help="What the trend goes by; weeks, unless the log has more than half a year.",
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    journey: str | None,
    by: tuple[str, ...],
    per: str | None,
    as_json: bool,
) -> None:
    """Say what became of messages, by channel and template."""
    with warehouse(workspace, choice, journey=journey) as sight:
        found = messages(
            sight.house,
            by=[cast(By, one) for one in dict.fromkeys(by)],
            per=cast("Per | None", per),
        )
        if as_json:
            print_json(found, sight.house)
            return
        for line in [*_lines(found), *about_logs(sight.house)]:
            click.echo(line)


def _lines(found: Messages) -> Iterator[str]:
    yield rule(f"messages · {found.total.released:,} released")
    yield f"  {'':<12}{'released':>9}{''.join(f'{name:>10}' for name in _SHARES)}"
    for figures in found.rows:
        yield from wrapped(_name(found, figures), first="  ", indent="    ")
        yield f"  {'':<12}{figures.released:>9,}{_shares(figures)}"
        yield from _rest(figures)
    if len(found.rows) > 1:
        yield "  together"
        yield f"  {'':<12}{found.total.released:>9,}{_shares(found.total)}"
    if intervals := list(_intervals(found.total)):
        yield ""
        yield from intervals
    if len(found.trend) > 1:
        yield ""
        yield faint(f"  by {found.per} of release")
        for span in found.trend:
            at = f"{span.starts_at:%Y-%m-%d}" if span.starts_at else ""
            yield f"  {at:<12}{span.released:>9,}{_shares(span)}"
    if found.silent_channels:
        names = ", ".join(
            printable(name or "unknown") for name in found.silent_channels
        )
        yield from wrapped(
            f"nothing was ever reported of messages by {names}, so it is not known what "
            "became of them",
            first="! ",
            indent="  ",
        )
    yield from meaning(found.definition)


def _name(found: Messages, figures: MessageFigures) -> str:
    parts = [getattr(figures, name) or f"unknown {name}" for name in found.by]
    return printable(" · ".join(parts) or "all")


def _shares(figures: MessageFigures) -> str:
    shares: list[Share] = [getattr(figures, name) for name in _SHARES]
    return "".join(f"{percent(one.share):>10}" for one in shares)


def _rest(figures: MessageFigures) -> Iterator[str]:
    parts = []
    for name in ("complained", "unsubscribed"):
        one: Share = getattr(figures, name)
        if one.count:
            parts.append(f"{name} {one.count:,} ({percent(one.share)})")
    parts += [f"not delivered: {_reasons(figures.undelivered)}"] * bool(
        figures.undelivered
    )
    parts += [f"suppressed: {_reasons(figures.suppressed)}"] * bool(figures.suppressed)
    if parts:
        for line in wrapped("; ".join(parts), first=" " * 14, indent=" " * 14):
            yield faint(line)


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{printable(reason)} {n:,}" for reason, n in counts.items())


def _intervals(total: MessageFigures) -> Iterator[str]:
    for name in _TOLD:
        one: Share = getattr(total, name)
        if one.share is None:
            continue
        yield from row(
            name,
            f"{one.count:,} of {one.of:,}, {percent(one.share)} "
            f"({between(one.interval)})",
            columns=15,
        )
