"""`journeykit emulate`: events from a file through the whole path in AWS, on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from journeykit.cli.lines import DeadLetters, EventLines, profiles
from journeykit.cli.replay import installed_channels, read_instant
from journeykit.cli.story import rule
from journeykit.cli.terminal import Progress, wrapped
from journeykit.errors import InputError
from journeykit.model.events import Event
from journeykit.model.formats import Format
from journeykit.testing import Simulator
from journeykit.testing.record import Record
from journeykit.testing.report import Report, report
from journeykit.workspace import Workspace

if TYPE_CHECKING:
    from journeykit.testing.aws import AwsEmulator


@click.command("emulate")
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
@click.option(
    "--until",
    metavar="INSTANT",
    callback=read_instant,
    help="Let time go on, or stop, here: 2026-06-30T00:00:00Z.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "native", "segment"]),
    default="auto",
    help="Which spelling the events have; auto tells line by line.",
)
def command(
    *,
    workspace: Path,
    events_path: str,
    profiles_path: str | None,
    until: datetime | None,
    format_: str,
) -> None:
    """Send events through the journeys of WORKSPACE as they would go in AWS.

    Bus, queues, tables and functions are those of the templates, in the memory of this
    process. Nobody gets a message, and nothing leaves the machine.
    """
    try:
        from journeykit.testing.aws import AwsEmulator
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    loaded = Workspace.load(workspace)
    dead = DeadLetters()
    lines = EventLines(events_path, dead, format=cast(Format, format_))
    events = iter(lines)
    first = next(events, None)
    if first is None:
        raise InputError(_why_nothing(dead), place=lines.name)
    installed_channels(loaded)  # says where a wrong provider stands
    start = first.occurred_at
    known = profiles(profiles_path) if profiles_path else ()
    customers = Simulator((), start=start, profiles=known).customers
    with AwsEmulator(loaded, start=start) as aws:
        aws.know(customers.values())
        aws.publish()
        progress = Progress()
        aws.run(_counted(chain([first], events), progress, until), until=until)
        progress.done()
        for text in _told(aws, lines, loaded):
            click.echo(text)


def _why_nothing(dead: DeadLetters) -> str:
    """What to say if there was no event."""
    if not dead.count:
        return "there is no event in it; an event is a line of JSON"
    lines = f"its {dead.count:,} lines" if dead.count > 1 else "its only line"
    return f"{lines} can't be read; the first: {dead.first}"


def _counted(
    events: Iterator[Event], progress: Progress, until: datetime | None
) -> Iterator[Event]:
    """Say how far it is; pass over what occurred after the end, wherever it stands."""
    for count, event in enumerate(events, 1):
        if until is None or event.occurred_at <= until:
            yield event
        progress(count, event.occurred_at)


def _told(aws: AwsEmulator, lines: EventLines, workspace: Workspace) -> Iterator[str]:
    """What came in, what became of it, and what AWS was asked for."""
    name, count = lines.name, lines.read
    yield f"{count:,} event{'s' * (count != 1)} of {name}, until {aws.now:%F %H:%M} UTC"
    if lines.late:
        yield from wrapped(
            f"{lines.late:,} occurred before one that stands above them; they were "
            "handled in the order of the lines"
        )
    if lines.dead.count:
        yield f"{lines.dead.count:,} could not be read. The first: {lines.dead.first}"
    for (queue, why), often in Counter(
        (letter.queue, letter.reason or "tried too often")
        for letter in aws.dead_letters
    ).items():
        yield from wrapped(f"{often:,} dead in {queue}: {why}", indent="  ")
    for function, often in Counter(one.function for one in aws.failures).items():
        yield f"{function} failed {often:,} times, and was tried again"
    yield ""
    yield rule("journeys")
    yield str(_report(aws, workspace))
    yield ""
    yield rule("messages")
    sent = Counter((one.channel, one.template) for one in aws.messages)
    for (channel, template), often in sorted(sent.items()):
        yield f"{often:>9,}  {channel}  {template}"
    if not sent:
        yield "          none"
    yield ""
    yield rule("requests to AWS")
    yield from _requests(aws)


def _report(aws: AwsEmulator, workspace: Workspace) -> Report:
    """What became of everybody, by the decision log."""
    record = Record(keep=False, on_trace=None, on_command=None)
    for line in aws.decisions:
        journey, reason = line.get("journey", ""), line.get("reason", "")
        record.counts[journey, line["kind"], reason] += 1
        worth = line.get("detail", {}).get("value")
        if line["kind"] == "goal" and isinstance(worth, int | float):
            record.values[journey, reason] += worth
    journeys = [journey.id for journey in workspace.journeys]
    return report(journeys, record, aws.customers.values())


def _requests(aws: AwsEmulator) -> Iterator[str]:
    """How many requests there were, by service and operation."""
    from journeykit.testing.aws import EMULATOR

    counts: Counter[tuple[str, str]] = Counter()
    for request, often in aws.requests.items():
        if request.by != EMULATOR:  # who only wants to print something
            counts[request.service, request.operation] += often
    for (service, operation), often in sorted(counts.items()):
        yield f"{often:>9,}  {service}  {operation}"
    yield f"{sum(counts.values()):>9,}  in all"
