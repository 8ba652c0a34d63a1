"""`journeykit erase CUSTOMER`: a person is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import click
from msgspec.structs import replace

from journeykit.cli.operating import storing
from journeykit.cli.people import named, split
from journeykit.cli.running import was_done
from journeykit.cli.stack import of_people, with_archive
from journeykit.cli.terminal import row, wrapped
from journeykit.errors import InputError, JourneyKitError, StoreBusy
from journeykit.local.embedded import DRY_RUN, alone, data_folder_of
from journeykit.local.erasing import Eraser, archives, job_of
from journeykit.local.sqlite import SQLiteStore
from journeykit.ports import Job
from journeykit.runtime.privacy import MOST, Erased, erase, findable, together

_PATIENCE_S = 60.0


@click.command("erase")
@click.argument("customer", nargs=-1, metavar="(CUSTOMER | --file FILE) [WORKSPACE]")
@click.option(
    "--file",
    "file",
    metavar="FILE",
    help="Many: a customer's id a line; - is the standard input.",
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for data; .journeykit in the workspace if not given.",
)
@with_archive
@click.option(
    "--anyway",
    is_flag=True,
    help="Also an id that has no document: what came in, or was left, behind an erasure.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
def command(
    *,
    customer: Sequence[str],
    file: str | None,
    data: Path | None,
    stack: str | None,
    no_archive: bool,
    anyway: bool,
    yes: bool,
) -> None:
    """Forget one CUSTOMER, or those whom a file names, for good.

    Documents, identifiers, queues, dead letters, the in-app inbox, what became of
    messages, and the lines of the event archive go. The decision log stays and is
    anonymous then. A running `serve` does it itself. With --stack it is done from here,
    with your own credentials: it reads three tables whole, and the archive.
    """
    one, workspace = split(customer, file)
    ids = [each.customer for each in named(one, file, {})]
    if stack is not None:
        archive = not no_archive
        _of_stack(stack, ids, data=data, archive=archive, anyway=anyway, yes=yes)
        return
    with storing(workspace, data) as store:
        known = [id for id in ids if anyway or findable(store, id) is not None]
    if not known:
        who = f"customer {one!r}" if one is not None else "one of them"
        raise InputError(f"there is no {who}; nothing was erased")
    _ask(known, yes=yes)
    erased = _erased(workspace, data, known, archive=not no_archive)
    for line in _told(erased, len(ids) - len(known)):
        click.echo(line)


def _ask(ids: Sequence[str], *, yes: bool) -> None:
    if not yes:
        who = f"{ids[0]!r}" if len(ids) == 1 else f"{len(ids):,} customers"
        click.confirm(f"Forget {who} for good?", abort=True)


def _of_stack(
    stack: str,
    ids: Sequence[str],
    *,
    data: Path | None,
    archive: bool,
    anyway: bool,
    yes: bool,
) -> None:
    """Forget people in AWS, a thousand at a time."""
    kept = of_people(stack, data)
    known = [id for id in ids if anyway or findable(kept.store, id) is not None]
    if not known:
        raise InputError("nobody of that name is known there; nothing was erased")
    _ask(known, yes=yes)
    done: list[Erased] = []
    for start in range(0, len(known), MOST):
        cleared = kept.cleared() if archive else _nothing
        page = known[start : start + MOST]
        try:
            done.append(erase(kept.store, page, archive=cleared, anyway=True))
        except JourneyKitError:
            click.echo(
                "Not all of it is forgotten: the same again with --anyway does the rest.",
                err=True,
            )
            raise
    for line in _told(together(done), len(ids) - len(known)):
        click.echo(line)
    for line in wrapped(
        "Events of the last minutes may be on their way into the archive: the same again "
        "with --anyway, in a quarter of an hour, finds them."
        if archive
        else "The archive was not searched; it ends with ArchiveDays."
    ):
        click.echo(line)


def _nothing(is_about: Callable[[bytes], bool]) -> int:
    return 0


def _erased(
    workspace: Path, data: Path | None, ids: Sequence[str], *, archive: bool
) -> Erased | None:
    """Forget people here, or have `serve` do it; None: it did."""
    folder = data_folder_of(workspace, data)
    _forget_tried(folder / DRY_RUN, ids)
    with storing(workspace, data) as store, ExitStack() as stack:
        job: Job | None = None
        try:
            stack.enter_context(alone(folder))
        except StoreBusy:
            job = store.save(job_of(ids, archive=archive))
            if was_done(store, job, folder, stack, patience_s=_PATIENCE_S):
                return None
        done = Eraser(store, archives(folder)).erase(ids, archive=archive)
        if job is not None:
            store.save(replace(job, done=True))
    return done


def _forget_tried(folder: Path, ids: Sequence[str]) -> None:
    """Forget people where something was only tried: it knows them, too.

    Raises:
        StoreBusy: Something is tried there right now.
    """
    if not (folder / "journeykit.db").exists():
        return
    with alone(folder), closing(SQLiteStore.open(folder / "journeykit.db")) as tried:
        Eraser(tried, archives(folder)).erase(ids)


def _told(erased: Erased | None, unknown: int) -> Iterator[str]:
    if erased is None:
        yield "erased by the process that is running"
    else:
        plural = "s" * (erased.people != 1)
        yield f"{erased.people:,} customer{plural} erased:"
        for part, count in erased.parts.items():
            yield from row(f"{count:,}", part.replace("_", " "))
        yield from row(f"{erased.lines:,}", "lines of the event archive")
    if unknown:
        yield from wrapped(f"{unknown:,} of those named were not known")
    yield from wrapped(
        "Backups, files that channels wrote, and what providers know are not journeykit's "
        "to erase. An event that comes in later makes a new customer."
    )
