"""`journeykit import`: what happened before, out of a file, without a message."""  # noqa: N999 - the command's name

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import click
import msgspec

from journeykit.cli.lines import STDIN, numbered_lines
from journeykit.cli.operating import in_workspace
from journeykit.cli.replay import read_instant
from journeykit.cli.run import announce, stopping
from journeykit.cli.stack import stack_named
from journeykit.cli.terminal import Progress, wrapped
from journeykit.engine.calendar import isoformat, to_datetime
from journeykit.errors import InputError
from journeykit.local.embedded import (
    Embedded,
    archive_lines,
    collect_less_often,
    wall_clock,
)
from journeykit.local.feed import Batch, Place
from journeykit.local.importing import DOOR, History, by_format, by_mapping, rows_of
from journeykit.local.mapping import Mapping
from journeykit.local.tables import PARQUET
from journeykit.model.formats import FORMATS, Format
from journeykit.model.shapes import Shapes
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import Along
from journeykit.runtime.runtime import BATCH
from journeykit.workspace import Workspace
from journeykit.workspace.bundled import manifest_of

if TYPE_CHECKING:
    from journeykit.aws.importing import Begun, Import
    from journeykit.aws.stack import Stack

_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", PARQUET)
_NAMES = 10  # of events that are listed

ReadFrom = Callable[[Place, int], History]
"""Reads a file behind a place; the first batch ends behind a line, unless that is 0."""


class Learner(Protocol):
    """Who learns from batches."""

    def begun(self) -> tuple[Place, int]:
        """Return how far the file was read, and where a batch ends that was begun; or 0."""
        ...

    def learn(self, batch: Batch) -> int:
        """Learn from a batch; return how many events could not be taken."""
        ...


@click.command("import")
@in_workspace
@click.option(
    "--stack",
    metavar="NAME",
    help="Into this stack in AWS, with your own credentials.",
)
@click.option(
    "--events",
    "events_path",
    metavar="FILE",
    required=True,
    help="CSV or Parquet with a mapping, else lines of JSON; gzipped or not.",
)
@click.option(
    "--mapping",
    "mapping_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="How rows are events: a file of TOML.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    help="Which spelling lines of JSON have; auto tells line by line.",
)
@click.option(
    "--since",
    metavar="INSTANT",
    callback=read_instant,
    help="Leave out what occurred before: 2025-01-01T00:00:00Z.",
)
@click.option(
    "--until",
    metavar="INSTANT",
    callback=read_instant,
    help="Leave out what occurred then or later, when the door was open already.",
)
@click.option(
    "--as",
    "name",
    metavar="NAME",
    default="",
    help="By which name to remember how far the file was read; its path if not given.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=BATCH,
    show_default=True,
    help="How many rows are stored at once.",
)
@click.option("--dry-run", is_flag=True, help="Read all of it, and store nothing.")
def command(
    *,
    workspace: Path,
    events_path: str,
    data: Path | None,
    stack: str | None,
    mapping_path: Path | None,
    format_: str,
    since: datetime | None,
    until: datetime | None,
    name: str,
    batch: int,
    dry_run: bool,
) -> None:
    """Import what happened before into WORKSPACE: it feeds traits and profiles.

    No journey moves by it, nothing is sent because of it, and nobody enters a segment: who
    is in one afterwards was so all along. The same command goes on where it was stopped,
    and reads of a file that has grown what is new.
    """
    if events_path == STDIN:
        raise InputError("a file, since it is known by its place", place="--events")
    mapping = Mapping.read(mapping_path) if mapping_path else None
    if mapping is None and events_path.endswith(_TABLES):
        raise InputError(
            "a table needs --mapping, a file that says how its rows are events",
            place=events_path,
        )
    path = Path(events_path)

    def history(start: Place, first_end: int = 0) -> History:
        if mapping is None:
            lines = numbered_lines(events_path)
            read = by_format(cast(Format, format_))
        else:
            lines, read = rows_of(path, mapping), by_mapping(mapping, name=path.name)
        return History(
            lines,
            read,
            name=events_path,
            start=start,
            size=batch,
            first_end=first_end,
            since=since,
            until=until,
        )

    if dry_run:
        for line in _tried(
            history(Place()), Shapes(Workspace.load(workspace).enforced)
        ):
            click.echo(line)
        return
    reader = f"{DOOR}:{name or path.resolve()}"
    where = stack_named(stack, "", data)
    loaded = Workspace.load(workspace)
    registry = Registry.from_plugins(plugin_manager())
    if where is not None:
        for line in _imported(_InAStack(where, loaded, registry, reader), history):
            click.echo(line)
        return
    with Embedded.open(
        loaded,
        registry,
        data=data,
        observers=registry.observers.without("metrics"),
    ) as embedded:
        announce(embedded, publish=False)
        collect_less_often()
        for line in _imported(_Here(embedded, reader), history):
            click.echo(line)


def _tried(history: History, shapes: Shapes) -> Iterator[str]:
    """Read all of it, and say what an import would find."""
    shown: list[str] = []
    refused, first = 0, ""
    progress = Progress("rows")
    for batch in history.batches(wall_clock()):
        shown += [
            archive_lines([event]).decode().rstrip()
            for event in batch.events[: 3 - len(shown)]
        ]
        for event in batch.events if shapes else ():
            if wrong := shapes.wrong(event.name, event.properties):
                refused += 1
                first = first or f"{event.name} {event.id}: {wrong}"
        progress(history.told.events, to_datetime(history.told.latest))
    progress.done()
    yield "dry run: nothing is stored"
    yield from _told(history)
    if refused:
        said = f"{refused:,} are not what the schemas say. The first: {first}"
        yield from wrapped(said)
    if shown:
        yield "the first events:"
        yield from shown


class _Here:
    """Learns in the workspace's own database."""

    def __init__(self, embedded: Embedded, reader: str) -> None:
        self._embedded = embedded
        self._reader = reader

    def begun(self) -> tuple[Place, int]:
        return _place(self._embedded.store.bookmark(self._reader)), 0

    def learn(self, batch: Batch) -> int:
        embedded = self._embedded
        # First, so that nothing is decided that the archive doesn't know; a row that
        # comes twice there has one id.
        embedded.archive.append(archive_lines(batch.events))
        mark = msgspec.json.encode(batch.place).decode()
        along = Along(dead=tuple(batch.dead), bookmark=(self._reader, mark))
        ingested = embedded.runtime.ingest(
            batch.events, now=wall_clock(), along=along, door=DOOR
        )
        embedded.relay()
        return ingested.dead


class _InAStack:
    """Learns in a stack's tables."""

    _import: Import
    _begun: Begun

    def __init__(
        self, stack: Stack, workspace: Workspace, registry: Registry, reader: str
    ) -> None:
        from journeykit.aws.importing import of_stack

        manifest = manifest_of(workspace, registry)
        self._import = of_stack(stack, manifest, name=reader)
        self._begun = self._import.begun()

    def begun(self) -> tuple[Place, int]:
        return _place(self._begun.place), self._begun.ahead

    def learn(self, batch: Batch) -> int:
        place = msgspec.json.encode(batch.place).decode()
        dead = self._import.learn(
            batch.events,
            batch.dead,
            before=self._begun,
            end=batch.place.line,
            place=place,
        )
        self._begun = self._begun._replace(place=place, ahead=0)
        return dead


def _place(known: str | None) -> Place:
    return msgspec.json.decode(known, type=Place) if known else Place()


def _imported(learner: Learner, history: ReadFrom) -> Iterator[str]:
    start, first_end = learner.begun()
    feed = history(start, first_end)
    refused = 0
    place = start
    progress = Progress("rows")
    with stopping() as stopped:
        for batch in feed.batches(wall_clock()):
            if place == Place() and not batch.events and batch.dead:
                raise InputError(
                    f"nothing was stored: of the first {len(batch.dead):,} rows none is "
                    f"an event. The first: {feed.told.first_dead}"
                )
            refused += learner.learn(batch)
            place = batch.place
            progress(feed.told.events, to_datetime(feed.told.latest))
            if stopped:
                break
    progress.done()
    if start.line:
        yield f"from line {start.line + 1:,} on"
    yield from _told(feed)
    if refused or feed.told.dead:
        count = refused + feed.told.dead
        yield f"{count:,} could not be taken: journeykit dead-letters list"
    if stopped:
        yield f"stopped behind line {place.line:,}; the same command goes on there"


def _told(history: History) -> Iterator[str]:
    told = history.told
    people = f"{told.customers:,} customer{'s' * (told.customers != 1)}"
    yield f"{told.events:,} event{'s' * (told.events != 1)} of {people}"
    if told.events:
        yield f"from {isoformat(told.earliest)} to {isoformat(told.latest)}"
    for name, count in told.names.most_common(_NAMES):
        yield f"  {count:>12,}  {name}"
    if told.left_out:
        yield f"{told.left_out:,} left out"
    if told.dead:
        yield from wrapped(f"{told.dead:,} are no events. The first: {told.first_dead}")
