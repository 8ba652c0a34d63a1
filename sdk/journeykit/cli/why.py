"""`journeykit why CUSTOMER`: each decision about one customer, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple, cast

import click

from journeykit.cli.decided import decided_about
from journeykit.cli.lines import DeadLetters, EventLines, profiles
from journeykit.cli.operating import (
    Look,
    clock_of,
    customer_of,
    in_workspace,
    looking,
    published,
)
from journeykit.cli.replay import (
    read_calls,
    read_fates,
    read_instant,
    replayed,
    zone_of,
)
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, strong, wrapped
from journeykit.engine.calendar import to_ms
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import explanation_of, instant_in_words, words_of
from journeykit.local.decisions import begins_at_the_start
from journeykit.model.formats import Format
from journeykit.model.plain_text import printable
from journeykit.testing import Traced
from journeykit.testing.fates import Fates
from journeykit.workspace import Workspace

_ENDS = frozenset({"completed", "exited", "failed"})
_ALIKE = 2  # of many decisions that differ in nothing but their time, so many are told
_RUNS = 5  # of many runs through a journey, so many are told


@click.command("why")
@click.argument("customer")
@in_workspace
@click.option(
    "--events",
    "events_path",
    metavar="FILE",
    help="Replay these instead: lines of JSON, gzipped or not; - is the standard input.",
)
@click.option(
    "--profiles",
    "profiles_path",
    metavar="FILE",
    help="For --events: customers that are known beforehand, lines of JSON with an id.",
)
@click.option(
    "--calls",
    metavar="FILE",
    callback=read_calls,
    help="For --events: what actions come to, a JSON object of action to result.",
)
@click.option(
    "--fates",
    metavar="FILE",
    callback=read_fates,
    help="For --events: what becomes of messages, a JSON object by channel.",
)
@click.option("--journey", "-j", metavar="ID", help="Tell only of this journey.")
@click.option(
    "--since",
    metavar="INSTANT",
    callback=read_instant,
    help="Tell only what was decided from here on, 2026-06-01T00:00:00Z.",
)
@click.option(
    "--until",
    metavar="INSTANT",
    callback=read_instant,
    help="Stop here, 2026-06-30T00:00:00Z; else where there is nothing more to tell.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "native", "segment"]),
    default="auto",
    help="For --events: which spelling they have; auto tells line by line.",
)
@click.option("--all", "all_", is_flag=True, help="Leave out nothing that repeats.")
def command(
    *,
    customer: str,
    workspace: Path,
    data: Path | None,
    events_path: str | None,
    profiles_path: str | None,
    calls: dict[str, dict[str, Any] | None],
    fates: Fates,
    journey: str | None,
    since: datetime | None,
    until: datetime | None,
    format_: str,
    all_: bool,
) -> None:
    """Say why CUSTOMER did, or did not, get what the journeys of WORKSPACE send.

    It is told from the decision log. With --events, the customer's events are replayed
    instead, with every decision explained: the rule, the values that it saw, and what
    would have had to differ.
    """
    if events_path is not None:
        loaded = Workspace.load(workspace)
        if journey is not None:
            loaded.journey(journey)
        lines = EventLines(events_path, DeadLetters(), format=cast(Format, format_))
        known = profiles(profiles_path) if profiles_path else ()
        history = _replayed(loaded, lines, customer, known, calls, fates, until)
    elif profiles_path is not None or calls or fates:
        raise click.UsageError("--profiles, --calls and --fates go with --events")
    else:
        with looking(workspace, data) as look:
            history = _logged(look, customer, journey, until)
    start = None if since is None else to_ms(since)
    told = [
        entry
        for entry in history.entries
        if journey in (None, entry.journey) and (start is None or entry.at >= start)
    ]
    click.echo(
        f"{strong(printable(customer))}, until "
        f"{instant_in_words(history.until, zone=history.zone)}, "
        f"told by the clock of {history.zone}"
    )
    for line in wrapped(history.not_taken) if history.not_taken else ():
        click.echo(line, err=True)
    for line in explained(told, zone=history.zone, all=all_):
        click.echo(line)
    if not told and history.silence:
        for line in wrapped(history.silence):
            click.echo(line)


class _History(NamedTuple):
    """What was decided about one customer.

    Attributes:
        entries: The decisions, in order.
        until: Up to when, milliseconds.
        zone: By whose clock to tell it.
        not_taken: What is missing in it, because it could not be read.
        silence: What to say beside if there is nothing to tell.
    """

    entries: Sequence[TraceEntry]
    until: int
    zone: tzinfo
    not_taken: str = ""
    silence: str = ""


def _replayed(
    workspace: Workspace,
    lines: EventLines,
    customer: str,
    known: Iterable[dict[str, object]],
    calls: dict[str, dict[str, Any] | None],
    fates: Fates,
    until: datetime | None,
) -> _History:
    """Replay a customer's events."""
    entries: list[TraceEntry] = []

    def decided(traced: Traced) -> None:
        if traced.customer == customer:
            entries.append(traced.entry)

    simulator = replayed(
        workspace,
        lines,
        profiles=[profile for profile in known if profile["id"] == customer],
        calls=calls,
        fates=fates,
        until=until,
        customer=customer,
        explain=True,
        on_trace=decided,
    )
    return _History(
        entries,
        to_ms(simulator.now),
        zone_of(simulator, customer),
        not_taken=lines.dead.in_words(),
    )


def _logged(
    look: Look, customer: str, journey: str | None, until: datetime | None
) -> _History:
    """Find what the decision log says about a customer."""
    catalog = look.catalog
    if journey is not None:
        published(catalog, journey)
    document = customer_of(look, customer)
    entries = decided_about(look, document)
    if until is not None:
        entries = [entry for entry in entries if entry.at <= to_ms(until)]
    silence = (
        ""
        if begins_at_the_start(look.log)
        else "files of the decision log were taken away; it may have stood there"
    )
    end = document.clock if until is None else to_ms(until)
    return _History(entries, end, clock_of(document, catalog), silence=silence)


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
