"""`journeykit causes`: what goes with leaving a journey."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.lift import days_said
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, row, strong, wrapped
from journeykit.insight.causes import Causes, Churn, Factor, Place, causes
from journeykit.insight.stats.intervals import Share

_SHOWN = 12


@click.command("causes")
@click.argument("journey", metavar="JOURNEY")
@over_logs
@click.option(
    "--churn", metavar="EVENT", help="Somebody has left if this event happens to them."
)
@click.option(
    "--silent",
    metavar="EVENT",
    help="Somebody has left if this event doesn't happen, such as a purchase.",
)
@click.option(
    "--within",
    metavar="DURATION",
    help="For how long after the entry either is looked for, such as 30d.",
)
@click.option("--all", "show_all", is_flag=True, help="Show everything looked at.")
@with_json
def command(
    *,
    journey: str,
    workspace: Path,
    choice: LogChoice,
    churn: str | None,
    silent: str | None,
    within: str | None,
    show_all: bool,
    as_json: bool,
) -> None:
    """Look for what goes with leaving JOURNEY: associated, not proven to cause it.

    Unless --churn or --silent says otherwise, a run is left if it is over and no goal of
    the journey was reached.
    """
    left = _churn(churn, silent, within)
    with warehouse(workspace, choice) as (there, house):
        found = causes(
            house,
            there.journey(journey),
            touchpoints=there.touchpoints,
            personas=there.personas,
            churn=left,
        )
        problems = [*found.problems, *house.problems]
    if as_json:
        document = document_of(found)
        document["problems"] = problems
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in told(found, problems=problems, shown=None if show_all else _SHOWN):
        click.echo(line)


def _churn(churn: str | None, silent: str | None, within: str | None) -> Churn | None:
    if churn and silent:
        raise click.UsageError("--churn and --silent are two ways to tell; say one")
    event = churn or silent
    if event is None:
        if within:
            raise click.UsageError("--within says more of --churn or --silent")
        return None
    if within is None:
        option = "--churn" if churn else "--silent"
        raise click.UsageError(f"{option} needs --within, such as --within 30d")
    return Churn(event, days_said(within, "within"), is_silence=silent is not None)


def document_of(found: Causes) -> dict[str, Any]:
    """All of it as JSON values."""
    document = asdict(found)
    for factor, said in zip(found.factors, document["factors"], strict=True):
        said |= {"words": factor.words, "points_to": factor.points_to}
    return document


# In words


def told(found: Causes, *, problems: list[str], shown: int | None) -> Iterator[str]:
    """Tell what was found, for a terminal."""
    yield rule(f"{found.journey} · what goes with leaving")
    yield from row("runs left", f"{_share(found.left)}, of {found.people:,} people")
    if found.undecided:
        yield from row("not known", f"{found.undecided:,} runs whose time isn't over")
    yield from (faint(line) for line in row("", found.definition))
    places = [place for place in found.places if place.left.count]
    if places:
        yield ""
        yield f"  {strong('Where they leave')}"
    for place in places:
        yield from _place(place)
    yield ""
    yield f"  {strong('Associated with leaving')}"
    listed = found.associated if shown is not None else found.factors
    if not listed:
        yield from wrapped("Nothing that can be told from chance.", first="  ")
    for factor in listed[:shown]:
        yield from _factor(factor)
    if shown is not None and len(listed) > shown:
        yield from wrapped(f"{len(listed) - shown} more: --all", first="  ")
    yield ""
    yield from (faint(line) for line in row("looked at", _looked_at(found)))
    for problem in problems:
        yield from row("note", problem)


def _looked_at(found: Causes) -> str:
    few = f"; of {found.too_few} others there is too little" if found.too_few else ""
    return (
        f"{found.looked_at} factors{few}. Of those called associated at most "
        f"{1 - found.level:.0%} are expected to be chance (Benjamini-Hochberg); their "
        "intervals are widened for having been picked. Associated is not caused: try a "
        "change on half of the people with a Split, or hold some out."
    )


def _place(place: Place) -> Iterator[str]:
    text = f"{place.step}: {_share(place.left)} who came there"
    if place.touchpoint:
        text += f"; touchpoint {place.touchpoint}"
    if place.friction:
        text += f", friction noted: {'; '.join(place.friction)}"
    yield from wrapped(text, first="    ", indent="    ")


def _factor(factor: Factor) -> Iterator[str]:
    low, high = factor.interval.low * 100, factor.interval.high * 100
    sign = "+" if factor.difference >= 0 else "-"
    more = "" if factor.associated else ", may be chance"
    yield from wrapped(
        f"{factor.words}: {factor.difference * 100:+.1f} points "
        f"({low:+.1f} to {high:+.1f}){more}",
        first=f"  {sign} ",
        indent="    ",
    )
    text = (
        f"left {_share(factor.group)}, others {_share(factor.others)}; "
        f"see {factor.points_to}"
    )
    if factor.friction:
        text += f", friction noted: {'; '.join(factor.friction)}"
    if factor.also:
        text += f"; the same runs: {', '.join(factor.also)}"
    for line in wrapped(text, first="    ", indent="    "):
        yield faint(line)


def _share(share: Share) -> str:
    text = f"{share.count:,} of {share.of:,}"
    return text if share.share is None else f"{text} ({share.share:.1%})"
