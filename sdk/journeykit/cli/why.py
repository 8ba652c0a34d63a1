"""`journeykit why CUSTOMER`: each decision about one customer, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import cast

import click

from journeykit.cli.lines import DeadLetters, EventLines, profiles
from journeykit.cli.replay import read_instant, replayed, zone_of
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, strong, wrapped
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import explanation_of, instant_in_words, words_of
from journeykit.model.events import Format
from journeykit.model.plain_text import printable
from journeykit.testing import Traced
from journeykit.workspace import Workspace

_ENDS = frozenset({"completed", "exited", "failed"})
_ALIKE = 2  # of many decisions that differ in nothing but their time, so many are told
_RUNS = 5  # of many runs through a journey, so many are told


@click.command("why")
@click.argument("customer")
@click.argument("workspace", default=".", type=click.Path(path_type=Path))
@click.option(
    "--events",
    "events_path",
    metavar="FILE",
    required=True,
    help="Lines of JSON, gzipped or not: our own or Segment's; - is the standard input.",
)
@click.option(
    "--profiles",
    "profiles_path",
    metavar="FILE",
    help="Customers that are known beforehand: lines of JSON with an id.",
)
@click.option("--journey", "-j", metavar="ID", help="Tell only of this journey.")
@click.option(
    "--until",
    metavar="INSTANT",
    callback=read_instant,
    help="Stop here, 2026-06-30T00:00:00Z; else when nothing is due any more.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "native", "segment"]),
    default="auto",
    help="Which spelling the events have; auto tells line by line.",
)
@click.option("--all", "all_", is_flag=True, help="Leave out nothing that repeats.")
def command(
    *,
    customer: str,
    workspace: Path,
    events_path: str,
    profiles_path: str | None,
    journey: str | None,
    until: datetime | None,
    format_: str,
    all_: bool,
) -> None:
    """Say why CUSTOMER did, or did not, get what the journeys of WORKSPACE send.

    The customer's events are replayed with every decision explained: the rule, the values
    that it saw, and what would have had to differ.
    """
    loaded = Workspace.load(workspace)
    if journey is not None:
        loaded.journey(journey)
    entries: list[TraceEntry] = []

    def decided(traced: Traced) -> None:
        if traced.customer == customer:
            entries.append(traced.entry)

    lines = EventLines(events_path, DeadLetters(), format=cast(Format, format_))
    mine = [
        profile
        for profile in (profiles(profiles_path) if profiles_path else ())
        if profile["id"] == customer
    ]
    simulator = replayed(
        loaded,
        lines,
        profiles=mine,
        until=until,
        customer=customer,
        explain=True,
        on_trace=decided,
    )
    zone = zone_of(simulator, customer)
    told = [entry for entry in entries if journey in (None, entry.journey)]
    click.echo(
        f"{strong(printable(customer))}, until "
        f"{instant_in_words(int(simulator.now.timestamp() * 1000), zone=zone)}, "
        f"told by the clock of {zone}"
    )
    dead = lines.dead
    for line in wrapped(dead.in_words()) if dead.count else ():
        click.echo(line, err=True)
    for line in explained(told, zone=zone, all=all_):
        click.echo(line)


def explained(
    entries: Sequence[TraceEntry], *, zone: tzinfo, all: bool = False
) -> Iterator[str]:
    """Explain decisions, by journey and run; those of no journey come first.

    Args:
        entries: The decisions about one customer, in order.
        zone: Whose clock to tell the instants by.
        all: Whether to tell also of earlier runs, and of what differs from what was
            told in nothing but its time.
    """
    journeys = dict.fromkeys(entry.journey for entry in entries)
    if not journeys:
        yield "no decision was taken; the journeys listen to other events"
    for journey in sorted(journeys, key=bool):
        own = [entry for entry in entries if entry.journey == journey]
        yield ""
        yield rule(journey or "the customer")
        yield from _of_journey(own, zone, all)


def _of_journey(
    entries: Sequence[TraceEntry], zone: tzinfo, all: bool
) -> Iterator[str]:
    """The runs, and then what led to none."""
    runs: dict[str, list[TraceEntry]] = {}
    for entry in entries:
        runs.setdefault(entry.enrollment, []).append(entry)
    in_vain = runs.pop("", [])
    hidden = 0 if all else max(0, len(runs) - _RUNS)
    if hidden:
        yield f"  {hidden:,} earlier run{'s' * (hidden > 1)}; --all tells of everything"
    for n, own in list(enumerate(runs.values(), 1))[hidden:]:
        yield f"  {strong(f'run {n}')}, {_fate(own, zone)}"
        yield from _decisions(own, zone, all)
    if runs and in_vain:
        yield f"  {strong('no run')}"
    yield from _decisions(in_vain, zone, all)


def _fate(entries: Sequence[TraceEntry], zone: tzinfo) -> str:
    """From when to when a run went, and how it ended."""
    start = instant_in_words(entries[0].at, zone=zone)
    ends = [entry for entry in entries if entry.kind in _ENDS]
    if not ends:
        return f"from {start}, still going"
    return f"from {start} to {instant_in_words(ends[-1].at, zone=zone)}"


def _decisions(entries: Sequence[TraceEntry], zone: tzinfo, all: bool) -> Iterator[str]:
    """The decisions, each with what there is to say about it."""
    told: dict[tuple[str, str, str], int] = {}
    for entry in entries:
        likeness = (entry.kind, entry.reason, entry.step)
        told[likeness] = told.get(likeness, 0) + 1
        if told[likeness] > _ALIKE and not all:
            continue
        when = instant_in_words(entry.at, zone=zone)
        indent = " " * (len(when) + 6)
        at = f" (at {entry.step})" if entry.step else ""
        first, *rest = wrapped(
            f"{words_of(entry, zone=zone)}{at}", first=indent, indent=indent
        )
        yield f"    {faint(when)}  {first[len(indent) :]}"
        yield from rest
        for text in explanation_of(entry, zone=zone):
            yield from wrapped(text, first=f"{indent}· ", indent=f"{indent}  ")
    for (kind, reason, _), count in told.items():
        if count > _ALIKE and not all:
            last = [e for e in entries if (e.kind, e.reason) == (kind, reason)][-1]
            words = words_of(TraceEntry(kind, 0, reason=reason))
            yield from wrapped(
                f"{count - _ALIKE:,} more like it, the last at "
                f"{instant_in_words(last.at, zone=zone)}: {words}",
                first="    … ",
                indent="      ",
            )
