"""`journeykit run`: events from a file through the journeys of a workspace, for good."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import cast

import click
import msgspec

from journeykit.cli.lines import STDIN, ends_whole, numbered_lines, with_events
from journeykit.cli.operating import in_workspace, with_dry_run, with_durability
from journeykit.cli.replay import read_instant
from journeykit.cli.terminal import Progress, wrapped
from journeykit.engine.calendar import isoformat, to_datetime, to_ms
from journeykit.errors import InputError
from journeykit.local.embedded import (
    Embedded,
    Synchronous,
    collect_less_often,
    wall_clock,
)
from journeykit.local.feed import Feed, Place
from journeykit.local.logs import log_files
from journeykit.model.formats import Format
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import Along
from journeykit.runtime.concerned import EVERYBODY
from journeykit.runtime.runtime import BATCH
from journeykit.workspace import Workspace


@click.command("run")
@in_workspace
@with_events
@click.option(
    "--until",
    metavar="INSTANT",
    callback=read_instant,
    help="Let time go on, or stop, here: 2026-06-30T00:00:00Z.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=BATCH,
    show_default=True,
    help="How many events are stored at once.",
)
@click.option(
    "--from-start", is_flag=True, help="Read the file from its start once more."
)
@with_durability
@with_dry_run
def command(
    *,
    workspace: Path,
    events_path: str,
    data: Path | None,
    until: datetime | None,
    format_: str,
    batch: int,
    synchronous: str,
    from_start: bool,
    publish: bool,
    dry_run: bool,
) -> None:
    """Handle events through the journeys of WORKSPACE, durably, and send what they send.

    The clock is that of the events: what was waited for between two of them happens
    between them. A run that was stopped, or killed, goes on where it was.
    """
    loaded = Workspace.load(workspace)
    registry = Registry.from_plugins(plugin_manager())
    with Embedded.open(
        loaded,
        registry,
        data=data,
        synchronous=cast(Synchronous, synchronous),
        observers=registry.observers.without("metrics"),  # nobody asks for them here
        dry_run=dry_run,
    ) as embedded:
        announce(embedded, publish=publish, dry_run=dry_run)
        collect_less_often()
        for line in _run(
            embedded,
            events_path,
            until=until,
            format=cast(Format, format_),
            size=batch,
            from_start=from_start,
        ):
            click.echo(line)


def announce(embedded: Embedded, *, publish: bool, dry_run: bool = False) -> None:
    """Publish what was never published, and say what runs and what does not."""
    if dry_run:
        text = f"dry run: nothing is sent; what comes of it is in {embedded.data}"
        for line in wrapped(text):
            click.echo(line, err=True)
    try:
        if (links := embedded.workspace.links.links()) is not None:
            links.check()
    except InputError as error:
        for line in wrapped(f"messages wait, since they can have no links: {error}"):
            click.echo(line, err=True)
    if embedded.store.revision() == 0 or publish:
        published = embedded.publish(now=wall_clock())
        if published.is_new:
            revision = published.document.revision
            click.echo(f"published as catalog revision {revision}", err=True)
    elif embedded.differs():
        text = (
            f"the workspace differs from catalog revision {embedded.store.revision()}, "
            "which is what runs; journeykit publish makes it live"
        )
        for line in wrapped(text):
            click.echo(line, err=True)


def _run(
    embedded: Embedded,
    path: str,
    *,
    until: datetime | None,
    format: Format,
    size: int,
    from_start: bool,
) -> Iterator[str]:
    is_live = path == STDIN
    # What traits are computed of once more must be there. What is there, is.
    is_archived = not is_live and _is_of(embedded.archive.path, path)
    name = "<stdin>" if is_live else path
    reader = f"run:{Path(path).resolve()}"
    known = None if is_live or from_start else embedded.store.bookmark(reader)
    start = msgspec.json.decode(known, type=Place) if known else Place()
    if until is not None and to_ms(until) < start.clock:
        raise InputError(
            f"the run has come to {isoformat(start.clock)} already", place="--until"
        )
    # What a run that was killed has left to be taken in comes before what it had not read.
    embedded.runtime.drain(None)
    if start.clock:  # else nobody was decided about yet
        _catch_up(embedded, start.clock)
    place, events, dead, commands = start, 0, 0, 0
    progress = Progress()
    with stopping() as stopped:
        feed = Feed(
            numbered_lines(path),
            name=name,
            start=start,
            size=size,
            format=format,
            until=until,
            live=is_live,
            stopped=lambda: stopped,
            is_whole=lambda: ends_whole(path),
        )
        for read in feed.batches():
            mark = msgspec.json.encode(read.place).decode()
            ingested = embedded.replay(
                read.events,
                clock=read.place.clock,
                along=Along(
                    dead=tuple(read.dead),
                    bookmark=None if is_live else (reader, mark),
                ),
                archived=not is_archived,
            )
            place = read.place
            events += len(read.events)
            dead += len(read.dead) + ingested.dead
            commands += ingested.commands
            progress(events, to_datetime(place.clock))
            if stopped:
                break
        if not stopped:
            end = place.clock if until is None else to_ms(until)
            if until is not None:
                embedded.settle(end)
            embedded.finish(end)
    progress.done()
    yield from _told(embedded, feed, name, start, place, events, dead, stopped)


def _is_of(archive: Path, path: str) -> bool:
    """Whether a file is one of the archive's own, read again."""
    return Path(path).resolve() in {file.resolve() for file in log_files(archive)}


def _catch_up(embedded: Embedded, clock: int) -> None:
    """Wake everybody whom a publish concerns, by the clock of the events."""
    for job in embedded.store.unfinished():
        if job.reason == "publish" and job.journey == EVERYBODY:
            embedded.visits.run(job, now=clock)


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Finish the batch when somebody wants an end; the list then holds the signal."""
    signals: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if signals:  # the second time at once
            raise KeyboardInterrupt
        signals.append(signum)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(
    embedded: Embedded,
    feed: Feed,
    name: str,
    start: Place,
    place: Place,
    events: int,
    dead: int,
    stopped: list[int],
) -> Iterator[str]:
    """What was done, and what is left to do."""
    behind = f", from line {start.line + 1:,} on" if start.line else ""
    yield f"{events:,} event{'s' * (events != 1)} of {name}{behind}"
    if feed.late:
        yield from wrapped(
            f"{feed.late:,} occurred before one that stands above them; they were "
            "handled in the order of the lines"
        )
    if feed.torn:
        yield "its last line is not whole yet; the same command reads it when it is"
    if dead:
        yield f"{dead:,} could not be handled: journeykit dead-letters list"
    backlog = embedded.store.backlog()
    if backlog["waiting"]:
        yield from wrapped(
            f"{backlog['waiting']:,} message{'s' * (backlog['waiting'] != 1)} can't go "
            "yet; they go when journeykit run or serve is started later"
        )
    if stopped:
        yield f"stopped behind line {place.line:,}; the same command goes on there"
