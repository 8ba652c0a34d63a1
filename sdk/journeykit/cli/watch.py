"""`journeykit watch`: what is unusual about a day, told to whom it concerns."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from journeykit.channels import Channel
from journeykit.cli.figures import plain
from journeykit.cli.insight import LogChoice, chosen, counted as shown
from journeykit.cli.operating import in_workspace, looking, storing
from journeykit.cli.options import with_json
from journeykit.cli.states import changed
from journeykit.cli.story import rule
from journeykit.cli.terminal import Progress, counted, faint, row, strong, wrapped
from journeykit.engine.calendar import to_datetime
from journeykit.insight.alarms import Alarm, hand_over, headline, message_of, sentence
from journeykit.insight.daily import Part
from journeykit.insight.parts import parts_of, stored_part
from journeykit.insight.periods import midnight
from journeykit.insight.sources import Logs
from journeykit.insight.watch import Finding
from journeykit.insight.watching import (
    MISSED_DAYS,
    FolderShelf,
    MemoryShelf,
    Objectives,
    Shelf,
    Watched,
    Watching,
    nothing_to_reach,
)
from journeykit.local.embedded import data_folder, wall_clock
from journeykit.model.watching import Contact
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

UNUSUAL = 3
"""The exit status if something is unusual."""

FOLDER = "watch"
"""Inside the folder for data: what was counted, found and told."""


class _Place(NamedTuple):
    """Where a watch has its logs, and what it may do there.

    Attributes:
        choice: The logs.
        here: The parts that are on this machine; None: they are in S3.
        states: Journeys that are not simply live.
        shelf: Where counts are kept.
        may_act: Whether anybody is told, and journeys are paused.
    """

    choice: LogChoice
    here: Sequence[Part] | None
    states: Mapping[str, str]
    shelf: Shelf
    may_act: bool


@click.command("watch")
@in_workspace
@click.option(
    "--at",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day to look at, of UTC; yesterday, and the days of the week before at "
    "which nobody has looked, if not given.",
)
@click.option(
    "--stack",
    metavar="NAME",
    help="Look at the logs of this stack in AWS, and only look: its own function tells.",
)
@click.option(
    "--logs",
    metavar="PLACE",
    help="Only look at logs that lie elsewhere: a folder, or s3://BUCKET.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Tell nobody, pause nothing, and note nothing: say who would be told.",
)
@click.option("--no-objectives", is_flag=True, help="Leave the objectives alone.")
@with_json
@click.pass_context
def command(
    ctx: click.Context,
    *,
    workspace: Path,
    data: Path | None,
    at: datetime | None,
    stack: str | None,
    logs: str | None,
    dry_run: bool,
    no_objectives: bool,
    as_json: bool,
) -> None:
    """Hold a day of WORKSPACE against the weeks before it, and say what is unusual.

    Entries, conversion, failures, suppressions, messages that did not arrive, and
    objectives. Whoever `[watch]` of journeykit.toml names is told, once; journeys are
    paused if it says so. Ends with 3 if something is unusual.
    """
    loaded = Workspace.load(workspace)
    with contextlib.ExitStack() as open_until_done:
        place = open_until_done.enter_context(
            _place(loaded, LogChoice(data, stack, logs))
        )
        watching = _watching(loaded, place, no_objectives=no_objectives)
        yesterday = to_datetime(wall_clock()).date() - timedelta(days=1)
        if at is not None:
            if at.date() > yesterday:
                raise click.UsageError(f"{at:%Y-%m-%d} is not over yet")
            days = [at.date()]
        else:
            days = [*watching.missed(yesterday)] or [yesterday]
        done = [
            watching.run(
                day,
                dry_run=dry_run or not place.may_act,
                may_act=yesterday - day < timedelta(days=MISSED_DAYS),
                may_pause=day == yesterday,
            )
            for day in days
        ]
    is_acting = place.may_act and not dry_run
    if as_json:
        days_told = [_document(one, is_acting=is_acting) for one in done]
        click.echo(json.dumps({"days": days_told}, indent=2, ensure_ascii=False))
    else:
        for one in done:
            is_old = yesterday - one.looked.day >= timedelta(days=MISSED_DAYS)
            for line in _told(one, loaded, is_acting=is_acting, is_old=is_old):
                click.echo(line)
    if any(one.failures for one in done):
        ctx.exit(1)
    if any(one.looked.findings for one in done):
        ctx.exit(UNUSUAL)


# --- where the logs are ---------------------------------------------------------------


@contextlib.contextmanager
def _place(loaded: Workspace, choice: LogChoice) -> Iterator[_Place]:
    said = [choice.data, choice.stack, choice.logs]
    if sum(one is not None for one in said) > 1:
        raise click.UsageError("--data, --stack and --logs name different logs")
    if choice.stack is not None:
        from journeykit.aws.stack import Stack
        from journeykit.aws.watch_shelf import shelf_of_stack

        status = Stack(choice.stack).ask({"status": {}})["status"]
        states = {one["journey"]: one["state"] for one in status["journeys"]}
        shelf = MemoryShelf(shelf_of_stack(choice.stack))
        yield _Place(choice, None, states, shelf, may_act=False)
    elif (choice.logs or "").startswith("s3://"):
        yield _Place(choice, None, {}, MemoryShelf(), may_act=False)
    elif choice.logs is not None:
        with chosen(loaded.path, choice) as logs:
            here = [*parts_of(logs.decisions)]
            yield _Place(choice, here, {}, MemoryShelf(), may_act=False)
    else:
        with looking(loaded.path, choice.data) as look:
            states = look.catalog.states
        kept = FolderShelf(data_folder(loaded, choice.data) / FOLDER)
        with chosen(loaded.path, choice) as logs:
            here = [*parts_of(logs.decisions)]
            yield _Place(choice, here, states, kept, may_act=True)


def _stored(choice: LogChoice, first: date, last: date) -> Iterator[Part]:
    from journeykit.aws.logs import StoredLogs

    stored = (
        StoredLogs.of_stack(choice.stack)
        if choice.stack is not None
        else StoredLogs.at(choice.logs or "")
    )
    since, until = midnight(first), midnight(last + timedelta(days=1))
    for one in stored.decisions(since=since, until=until):
        fetch = partial(stored.fetched, one)
        yield stored_part(one.name, one.keys, one.size, fetch)


# --- what is done ---------------------------------------------------------------------


def _watching(loaded: Workspace, place: _Place, *, no_objectives: bool) -> Watching:
    registry = Registry.from_plugins(plugin_manager())
    carriers: dict[str, Channel] = {}

    def tell(contact: Contact, alarm: Alarm) -> str:
        if not carriers:
            carriers.update(loaded.channels(registry))
        channel = carriers.get(contact.channel)
        if channel is None:
            return f"nobody carries channel {contact.channel!r}"
        return hand_over(channel, message_of(alarm, contact, medium=channel.medium))

    def pause(journey: str, reason: str) -> None:
        with storing(loaded.path, place.choice.data) as store:
            changed(store, journey, "paused", reason=reason)

    def parts(first: date, last: date) -> Iterable[Part]:
        if place.here is not None:
            return place.here
        return _stored(place.choice, first, last)

    return Watching(
        loaded.name,
        loaded.watch,
        parts,
        place.shelf,
        lambda: place.states,
        tell,
        pause,
        _objectives(loaded, place) if not no_objectives else nothing_to_reach,
    )


def _objectives(loaded: Workspace, place: _Place) -> Objectives:
    from journeykit.insight.declared import declared
    from journeykit.insight.readings import Readings

    found = declared(loaded.objectives, loaded.journeys, loaded.watch)
    if found is None:
        return nothing_to_reach

    @contextlib.contextmanager
    def logs(since: int | None, until: int) -> Iterator[Logs]:
        # What is on this machine is read as a whole: nothing of it has to be got.
        choice = place.choice._replace(since=since if place.here is None else None)
        with chosen(loaded.path, choice._replace(until=until)) as read:
            progress = Progress("logs", total=len(read.decisions) + len(read.events))
            yield shown(read, progress)
            progress.done()

    return Readings(found, place.shelf, logs)


# --- what is said ---------------------------------------------------------------------


def _told(
    done: Watched, loaded: Workspace, *, is_acting: bool, is_old: bool
) -> Iterator[str]:
    looked = done.looked
    yield rule(f"{loaded.name}, {looked.day}")
    if not looked.findings:
        yield "  nothing unusual"
    for finding in looked.findings:
        yield from _finding(finding, done.since.get(finding.key))
    yield ""
    yield from row("asked", f"{counted(looked.tests, 'question')} of the day")
    if looked.young:
        weeks = "too little history, four weeks are needed"
        yield from row("young", f"{', '.join(looked.young)}: {weeks}")
    would = "" if is_acting else "would be "
    if done.told:
        yield from row("told", f"{would}{', '.join(dict.fromkeys(done.told))}")
    elif looked.findings and not loaded.watch.contacts:
        yield from row(
            "told", "nobody; [watch] in journeykit.toml says whom: tell = [...]"
        )
    elif looked.findings and is_old:
        yield from row("told", "nobody, of a day more than a week ago")
    if done.paused:
        yield from row("paused", f"{would}{', '.join(done.paused)}")
    for each in (*done.failures, *looked.problems):
        yield from wrapped(each, first="! ", indent="  ")
    for line in wrapped(looked.definition, first="  ", indent="  "):
        yield faint(line)


def _finding(finding: Finding, since: date | None) -> Iterator[str]:
    mark = "!" if finding.is_worse else "~"
    first, *rest = wrapped(sentence(finding), first=f"{mark} ", indent="  ")
    yield strong(first)
    yield from (strong(line) for line in rest)
    if since is not None and since < finding.since:
        yield f"  so it has been since {since}"
    for line in wrapped(finding.definition, first="  ", indent="  "):
        yield faint(line)


def _document(done: Watched, *, is_acting: bool) -> dict[str, Any]:
    looked = done.looked
    return {
        "day": looked.day.isoformat(),
        "findings": [
            {
                **plain(finding),
                "headline": headline(finding),
                "sentence": sentence(finding),
                "found_since": str(done.since.get(finding.key, finding.since)),
            }
            for finding in looked.findings
        ],
        "tests": looked.tests,
        "young": list(looked.young),
        "is_dry_run": not is_acting,
        "told": list(done.told),
        "paused": list(done.paused),
        "failures": list(done.failures),
        "problems": list(looked.problems),
        "read_parts": done.read,
        "definition": looked.definition,
    }
