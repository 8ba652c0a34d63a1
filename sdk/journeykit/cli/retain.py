"""`journeykit retain`: what has been kept for long enough goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import click
from msgspec.structs import replace

from journeykit.cli.operating import in_workspace, storing
from journeykit.cli.running import was_done
from journeykit.cli.stack import of_people
from journeykit.cli.terminal import row, wrapped
from journeykit.engine.calendar import to_datetime
from journeykit.errors import InputError, StoreBusy
from journeykit.local.embedded import alone, data_folder_of, wall_clock
from journeykit.local.erasing import Eraser, archives
from journeykit.local.retaining import Retained, Retainer, logs_of, retaining
from journeykit.ports import Job
from journeykit.runtime.privacy import MOST, erase
from journeykit.runtime.retention import over
from journeykit.workspace import Workspace
from journeykit.workspace.retention import RetentionSettings

_PATIENCE_S = 600.0
_FOLDERS = {"events": ("events/", "failed/events/"), "decisions": ("decisions/",)}


@click.command("retain")
@in_workspace
@click.option("--stack", metavar="NAME", help="In this stack in AWS, with your rights.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def command(
    *, workspace: Path, data: Path | None, stack: str | None, dry_run: bool, yes: bool
) -> None:
    """Let go what has been kept for longer than [retention] in journeykit.toml says.

    Customers are forgotten as by `journeykit erase`; lines of the logs and dead letters go.
    A running `serve` does it every day, and by itself.
    """
    settings = Workspace.load(workspace).retention
    if not settings.says_something:
        raise InputError(
            "nothing ends: journeykit.toml has no [retention]; write "
            'customers = "730d" in it'
        )
    if not dry_run and not yes:
        click.confirm("Let go for good what has been kept for longer?", abort=True)
    retained: Retained | None
    if stack is not None:
        retained = _of_stack(stack, settings, data=data, looking=dry_run)
    else:
        retained = _here(workspace, data, settings, looking=dry_run)
    for line in _told(retained, dry_run=dry_run, stack=stack):
        click.echo(line)


def _here(
    workspace: Path, data: Path | None, settings: RetentionSettings, *, looking: bool
) -> Retained | None:
    """Let go here, or have `serve` do it; None: it did."""
    folder = data_folder_of(workspace, data)
    with storing(workspace, data) as store, ExitStack() as stack:
        eraser = Eraser(store, archives(folder))
        retainer = Retainer(store, eraser, logs_of(folder), settings)
        if looking:
            return retainer.run(now=wall_clock(), looking=True)
        job: Job | None = None
        try:
            stack.enter_context(alone(folder))
        except StoreBusy:
            job = store.save(retaining())
            if was_done(store, job, folder, stack, patience_s=_PATIENCE_S):
                return None
        retained = retainer.run(now=wall_clock())
        if job is not None:
            store.save(replace(job, done=True))
        return retained


def _of_stack(
    stack: str, settings: RetentionSettings, *, data: Path | None, looking: bool
) -> Retained:
    """Let go in AWS: customers, and objects of days that are over."""
    kept = of_people(stack, data)
    now = wall_clock()
    people: list[str] = []
    if settings.customers is not None:
        people = [*over(kept.store, before=now - settings.customers)]
        if not looking:
            for start in range(0, len(people), MOST):
                erase(kept.store, people[start : start + MOST], archive=kept.cleared())
    counts = {
        part: sum(
            len(keys) if looking else kept.records.delete(keys)
            for folder in _FOLDERS[part]
            if (keys := [*kept.records.before(folder, day)])
        )
        for part, day in _last_days(settings, now)
    }
    return Retained(people, counts.get("events", 0), counts.get("decisions", 0))


def _last_days(settings: RetentionSettings, now: int) -> Iterator[tuple[str, date]]:
    """The first day that stays, of what ends by days."""
    for part, span in (("events", settings.events), ("decisions", settings.decisions)):
        if span is not None:
            yield part, to_datetime(now - span).date()


def _told(
    retained: Retained | None, *, dry_run: bool, stack: str | None
) -> Iterator[str]:
    if retained is None:
        yield "done by the process that is running"
        return
    yield "would go:" if dry_run else "gone:"
    what = "lines" if stack is None else "objects"
    yield from row(f"{len(retained.customers):,}", "customers")
    yield from row(f"{retained.events:,}", f"{what} of the event archive")
    yield from row(f"{retained.decisions:,}", f"{what} of the decision log")
    if stack is None:
        yield from row(f"{retained.dead_letters:,}", "dead letters")
    else:
        yield from wrapped("Dead letters end after 14 days by themselves.")
