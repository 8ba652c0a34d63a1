"""What the operating commands share: where the data is, and how it is opened."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import click

from journeykit.cli.terminal import Progress
from journeykit.engine.customer import Customer
from journeykit.errors import DefinitionError, InputError
from journeykit.happened import Reacted
from journeykit.local.embedded import (
    DATA,
    DRY_RUN,
    Embedded,
    data_folder_of,
    wall_clock,
)
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.zones import zone
from journeykit.observers import (
    AFTER_DELIVERY,
    AFTER_REACTION,
    Observer,
    Observers,
)
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import CatalogDocument, Job, Outbox, Scan
from journeykit.runtime.catalogs import NOTHING_PUBLISHED
from journeykit.runtime.concerned import EVERYBODY, LAUNCH
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant

_PAGE = 1000  # customers that are read at once
_LOOKED_AT = 10_000  # customers among whom one that is spelled alike is looked for

Command = TypeVar("Command", bound=Callable[..., Any])


def in_workspace(command: Command) -> Command:
    """Give a command the argument and the option that say where the data is."""
    workspace = click.argument(
        "workspace", default=".", type=click.Path(path_type=Path)
    )
    return workspace(with_data(command))


def with_data(command: Command) -> Command:
    """Give a command the option that says where the data is."""
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"The folder for data; {DATA} in the workspace if not given.",
    )(command)


def with_durability(command: Command) -> Command:
    """Give a command that runs journeys the options of how it does."""
    synchronous = click.option(
        "--synchronous",
        type=click.Choice(["NORMAL", "FULL"]),
        default="NORMAL",
        show_default=True,
        help="FULL: what was stored survives a power failure as well.",
    )
    publish = click.option(
        "--publish",
        is_flag=True,
        help="Publish the workspace first, if it has changed.",
    )
    return synchronous(publish(command))


def with_dry_run(command: Command) -> Command:
    """Give a command that runs journeys the option that nothing goes out."""
    return click.option(
        "--dry-run",
        is_flag=True,
        help="Send nothing: mocks take all messages and calls. What it stores is in a "
        f"folder {DRY_RUN} of its own, inside that for data.",
    )(command)


class Look(NamedTuple):
    """What there is to look at, also while `serve` writes to it.

    Attributes:
        store: The database, which nothing is written to.
        log: The decision log's current file.
    """

    store: SQLiteStore
    log: Path

    @property
    def catalog(self) -> CatalogDocument:
        """The newest published catalog.

        Raises:
            DefinitionError: There is none.
        """
        document = self.store.current()
        if document is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        return document


@contextlib.contextmanager
def looking(workspace: Path, data: Path | None) -> Iterator[Look]:
    """Open the data of a workspace to look at it.

    Raises:
        InputError: The folder is no workspace.
        StoreError: There is no database, or it can't be opened.
    """
    with _opened(workspace, data, readonly=True) as store:
        log = database(workspace, data).with_name("decisions.jsonl")
        yield Look(store, log)


@contextlib.contextmanager
def storing(workspace: Path, data: Path | None) -> Iterator[SQLiteStore]:
    """Open the database of a workspace, to change what needs no journey's definition.

    So a journey can be paused while somebody has broken the file that it stands in.

    Raises:
        InputError: The folder is no workspace.
        StoreError: There is no database, or it can't be opened.
    """
    with _opened(workspace, data, readonly=False) as store:
        yield store


@contextlib.contextmanager
def operating(
    workspace: Path, data: Path | None, *, observers: Sequence[Observer[Reacted]] = ()
) -> Iterator[Embedded]:
    """Open a workspace that is in use, to decide about people.

    Args:
        workspace: Its folder.
        data: The folder for data, if it isn't the workspace's own.
        observers: Who is told of reactions, beside the plugins.

    Raises:
        InputError: The folder is no workspace.
        StoreError: There is no database, or it can't be opened.
        InvalidJourney: Something in the workspace is wrong.
    """
    with _opened(workspace, data, readonly=True):
        pass  # or else there is nothing to operate
    manager = plugin_manager()
    told = Observers(
        [*observers, *manager.observers(AFTER_REACTION)],
        [*manager.observers(AFTER_DELIVERY)],
    )
    with Embedded.open(
        Workspace.load(workspace),
        Registry.from_plugins(manager),
        data=data,
        observers=told,
        relays=False,  # the log is written by `serve` or `run`
    ) as embedded:
        yield embedded


@contextlib.contextmanager
def _opened(
    workspace: Path, data: Path | None, *, readonly: bool
) -> Iterator[SQLiteStore]:
    path = database(workspace, data)
    if data is None and not path.exists():
        Workspace.load(workspace)  # says so if it is none
    if not path.exists():
        readonly = True  # so that none is begun
    store = SQLiteStore.open(path, readonly=readonly)
    try:
        yield store
    finally:
        store.close()


def database(workspace: Path, data: Path | None) -> Path:
    """The file of the database."""
    return data_folder_of(workspace, data) / "journeykit.db"


# What is published


def live_versions(catalog: CatalogDocument) -> dict[str, int]:
    """The newest version of each journey that is published, by its id."""
    return {id: plan["version"] for id, plan in live_plans(catalog).items()}


def live_plans(catalog: CatalogDocument) -> dict[str, Mapping[str, Any]]:
    """The plan of each journey's newest version, by its id."""
    plans: dict[str, Mapping[str, Any]] = {}
    for plan in sorted(catalog.journeys, key=lambda plan: int(plan["version"])):
        plans[plan["id"]] = plan
    return dict(sorted(plans.items()))


def published(catalog: CatalogDocument, journey: str) -> Mapping[str, Any]:
    """The plan of a journey's newest version.

    Raises:
        InputError: It isn't published; the message names the one spelled alike.
    """
    plans = live_plans(catalog)
    if journey not in plans:
        raise InputError(
            f"no journey {journey!r} is published; {meant(journey, plans)}"
        )
    return plans[journey]


# Who is meant


def customers(scan: Scan) -> Iterator[Customer]:
    """Everybody, by their ids."""
    after = ""
    while page := scan.scan(after, _PAGE):
        yield from page
        after = page[-1].id


def customer_of(look: Look, id: str) -> Customer:
    """The document of a customer.

    Raises:
        InputError: There is none; the message names those spelled alike.
    """
    document = look.store.load([id]).get(id)
    if document is None:
        close = _spelled_alike(look.store, id)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise InputError(f"there is no customer {id!r}{hint}")
    return document


def _spelled_alike(scan: Scan, id: str) -> list[str]:
    """Up to three ids like this one, of the first customers and of those near it."""
    near = [customer.id for customer in scan.scan(id[: len(id) // 2], _PAGE)]
    first: list[str] = []
    while len(first) < _LOOKED_AT and (
        page := scan.scan(first[-1] if first else "", _PAGE)
    ):
        first += [customer.id for customer in page]
    known = sorted({*near, *first})
    close = get_close_matches(id, known, n=3)
    close += [name for name in known if id in name and name not in close]
    return close[:3]


def clock_of(customer: Customer, catalog: CatalogDocument | None) -> ZoneInfo:
    """By whose clock to tell of a customer: their own, else a journey's, else UTC."""
    plans = live_plans(catalog) if catalog is not None else {}
    visited = sorted(plans.values(), key=lambda plan: plan["id"] not in customer.past)
    for name in (customer.profile.get("zone"), *(plan["zone"] for plan in visited)):
        if isinstance(name, str):
            with contextlib.suppress(DefinitionError):
                return zone(name)
    return zone("UTC")


# What is done


def catch_up(embedded: Embedded, journey: str) -> None:
    """Do what is left of visits of a journey that were interrupted."""
    for job in embedded.store.unfinished():
        if job.journey == journey and not job.people:
            _run(embedded, job)


def visited(
    embedded: Embedded, reason: str, journey: str, *, people: bytes = b""
) -> int:
    """Run a visit job to its end, and return how many were visited.

    If the same was asked before for the same people, and interrupted, that goes on
    instead: nobody is called twice.
    """
    job = Job(0, reason, journey, people=people)
    goes_on = people or journey == EVERYBODY or reason == LAUNCH
    for left in embedded.store.unfinished() if goes_on else ():
        if (left.reason, left.journey, left.people) == (reason, journey, people):
            job = left
    return _run(embedded, job)


def _run(embedded: Embedded, job: Job) -> int:
    """Run a job, with a line that says how far it is."""
    progress = Progress("visits")
    count = job.visited
    try:
        for page in embedded.visits.pages(job, now=wall_clock()):
            count = page.visited
            progress(count)
    finally:
        progress.done()
    return count


def still_to_go(outbox: Outbox) -> Iterator[str]:
    """Yield who hands over what waits, if anything does."""
    if count := outbox.backlog()["waiting"]:
        waits = "message or call waits" if count == 1 else "messages and calls wait"
        yield f"{count:,} {waits} for `journeykit serve` or `journeykit run`"


def confirmed(question: str, *, yes: bool) -> None:
    """Ask a person, unless `--yes` has answered already.

    Raises:
        click.Abort: They don't want it.
        click.UsageError: Nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes: nobody can be asked here")
    click.confirm(question, abort=True, err=True)
