"""`journeykit simulate`: events from a file through the journeys of a workspace."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import click

from journeykit.cli.lines import DeadLetters, EventLines, profiles, with_events
from journeykit.cli.replay import (
    DecisionLog,
    MessageFile,
    not_among,
    read_calls,
    read_fates,
    read_instant,
    replayed,
    writing,
    zone_of,
)
from journeykit.cli.story import Moment, rule, story
from journeykit.cli.terminal import wrapped
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import words_of
from journeykit.model.events import Event
from journeykit.model.formats import Format
from journeykit.model.plain_text import printable
from journeykit.testing import Simulator, Traced
from journeykit.testing.fates import Fates
from journeykit.workspace import Workspace

_MOMENTS = 40  # of one customer, before it is only said how many more there are


@click.command("simulate")
@click.argument("workspace", default=".", type=click.Path(path_type=Path))
@with_events
@click.option(
    "--profiles",
    "profiles_path",
    metavar="FILE",
    help="Customers that are known beforehand: lines of JSON with an id.",
)
@click.option(
    "--calls",
    metavar="FILE",
    callback=read_calls,
    help="What actions come to: a JSON object, the result by the action's name.",
)
@click.option(
    "--fates",
    metavar="FILE",
    callback=read_fates,
    help="What becomes of messages: a JSON object, a fate by the channel's name.",
)
@click.option(
    "--until",
    metavar="INSTANT",
    callback=read_instant,
    help="Stop here, 2026-06-30T00:00:00Z; else when nobody waits any more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one decision a line.")
@click.option("--customer", metavar="ID", help="Replay only this customer's events.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write messages.jsonl, decisions.jsonl and dead-letters.jsonl here.",
)
@click.option(
    "--explain", is_flag=True, help="Put the values that conditions saw into decisions."
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Tell the stories of so many customers.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a line was not taken.")
def command(
    *,
    workspace: Path,
    events_path: str,
    profiles_path: str | None,
    calls: dict[str, dict[str, Any] | None],
    fates: Fates,
    until: datetime | None,
    as_json: bool,
    customer: str | None,
    format_: str,
    out: Path | None,
    explain: bool,
    show: int,
    strict: bool,
) -> None:
    """Replay events through the journeys of WORKSPACE and tell what happens.

    Lines are handled in the order in which they stand, each at its own time. A line that
    is no event is passed over and counted; with --out it goes to dead-letters.jsonl, with
    the reason and its place.
    """
    loaded = Workspace.load(workspace)
    again = f"{shlex.quote(str(workspace))} --events {shlex.quote(str(events_path))}"
    stories = _Stories(show, again=again)
    with contextlib.ExitStack() as stack:
        sinks = []
        if as_json:
            sinks.append(DecisionLog(lambda lines: click.echo(lines, nl=False)))
        messages = None
        dead = DeadLetters()
        if out is not None:
            paths = [
                out / f"{name}.jsonl"
                for name in ("messages", "decisions", "dead-letters")
            ]
            not_among(paths, [events_path, profiles_path])
            stack.enter_context(writing(out))
            messages = MessageFile(paths[0])
            file = stack.enter_context(paths[1].open("wb"))
            sinks.append(DecisionLog(file.write))
            dead = DeadLetters(paths[2])
        lines = EventLines(events_path, dead, format=cast(Format, format_))

        def on_trace(traced: Traced) -> None:
            for sink in sinks:
                sink(traced)
            stories.decided(traced)

        simulator = replayed(
            loaded,
            lines,
            profiles=profiles(profiles_path) if profiles_path else (),
            calls=calls,
            fates=fates,
            until=until,
            explain=explain,
            customer=customer,
            on_event=stories.heard,
            on_trace=on_trace,
            on_command=messages,
        )
        for sink in (*sinks, *([messages] if messages else ())):
            sink.flush()
    for line in _taken(lines, stories, simulator):
        click.echo(line, err=as_json)
    for line in wrapped(dead.in_words()) if dead.count else ():
        click.echo(line, err=True)
    if not as_json:
        for line in _happened(stories, simulator, out):
            click.echo(line)
    if strict and dead.count:
        raise SystemExit(1)


class _Stories:
    """The events and decisions of the first few customers.

    Attributes:
        events: How many events there were.
        customers: Whom they were about.
        general: How often each decision was taken that is no single journey's.
    """

    def __init__(self, most: int, *, again: str) -> None:
        self._most = most
        self._again = printable(again)
        self._moments: dict[str, list[Moment]] = {}
        self._more: Counter[str] = Counter()
        self.events = 0
        self.customers: set[str] = set()
        self.general: Counter[tuple[str, str]] = Counter()

    def heard(self, event: Event) -> None:
        """Keep an event."""
        self.events += 1
        self.customers.add(event.customer)
        if len(self._moments) < self._most:
            self._moments.setdefault(event.customer, [])
        self._keep(event.customer, event)

    def decided(self, traced: Traced) -> None:
        """Keep a decision."""
        if not traced.journey:
            self.general[traced.kind, traced.reason] += 1
        self._keep(traced.customer, traced.entry)

    def _keep(self, customer: str, moment: Moment) -> None:
        moments = self._moments.get(customer)
        if moments is None:
            return
        if len(moments) < _MOMENTS:
            moments.append(moment)
        else:
            self._more[customer] += 1

    def told(self, simulator: Simulator) -> Iterator[str]:
        """The stories, a heading above each."""
        for customer, moments in self._moments.items():
            zone = zone_of(simulator, customer)
            yield rule(f"{customer} ({zone})")
            yield from story(moments, zone=zone)
            if more := self._more[customer]:
                name = printable(shlex.quote(customer))
                yield f"  … and {more:,} more: journeykit why {name} {self._again}"
            yield ""
        others = len(self.customers) - len(self._moments)
        if others and self._moments:
            yield f"{others:,} more: --show {len(self.customers)} tells of everybody."
            yield ""


def _taken(lines: EventLines, stories: _Stories, simulator: Simulator) -> Iterator[str]:
    """How much came in, and what was the matter with it."""
    customers, events = len(stories.customers), stories.events
    yield (
        f"{events:,} event{'s' * (events != 1)} of {customers:,} "
        f"customer{'s' * (customers != 1)}, until {simulator.now:%Y-%m-%d %H:%M} UTC"
    )
    if lines.late:
        yield from wrapped(
            f"{lines.late:,} of the events occurred before one that stands above them, "
            f"the first at {lines.first_late}. They are handled in the order of the "
            "lines, as if each had come in late."
        )
    for (kind, reason), count in sorted(stories.general.items()):
        if kind in ("ignored", "clamped", "forgotten"):
            often = "once" if count == 1 else f"{count:,} times"
            yield f"{often} {words_of(TraceEntry(kind, 0, reason=reason))}"


def _happened(
    stories: _Stories, simulator: Simulator, out: Path | None
) -> Iterator[str]:
    """The stories, the journeys, and where everything lies."""
    yield ""
    yield from stories.told(simulator)
    yield rule("journeys")
    yield str(simulator.report())
    if out is not None:
        yield ""
        yield f"messages   {out / 'messages.jsonl'}"
        yield f"decisions  {out / 'decisions.jsonl'}"
