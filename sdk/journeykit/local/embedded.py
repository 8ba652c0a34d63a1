"""A workspace with its database: all that runs journeys on one machine.

The folder for data (`.journeykit` in the workspace, unless told otherwise) holds

    journeykit.db       customers, commands, timers, the published catalogs
    decisions.jsonl     the decision log, with what was put aside of it
    events.jsonl        the event archive, likewise
    published.jsonl     events that journeys publish, likewise
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec
from msgspec.structs import replace

try:
    import fcntl
except ImportError:  # Windows: there two at once are the operator's own business
    fcntl = None  # type: ignore[assignment]

from journeykit.carriers import rules_of
from journeykit.channels import Channel
from journeykit.content.composer import Composer
from journeykit.content.templates import Library
from journeykit.engine.calendar import isoformat
from journeykit.engine.commands import PublishEvent
from journeykit.errors import (
    DefinitionError,
    StaleCatalog,
    StoreBusy,
    UnknownChannel,
)
from journeykit.local.erasing import Eraser
from journeykit.local.logs import LogFile
from journeykit.local.retaining import RETAIN, Retainer
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import Event
from journeykit.observers import Observers
from journeykit.plugins import Registry
from journeykit.ports import NOTHING, Along, CatalogDocument, Job
from journeykit.runtime.catalogs import (
    Draft,
    LiveCatalog,
    Published,
    has_old_versions,
    next_catalog,
)
from journeykit.runtime.composing import PublishedTemplates, composing
from journeykit.runtime.concerned import EVERYBODY, everybody_is
from journeykit.runtime.dispatcher import LEASE_MS, Dispatcher
from journeykit.runtime.placements import Placements, Shown
from journeykit.runtime.retries import HORIZON_MS
from journeykit.runtime.rosters import ERASE, erasure_of
from journeykit.runtime.runtime import BATCH, Ingested, Runtime
from journeykit.runtime.scoring import Scoring
from journeykit.runtime.visits import Visits
from journeykit.workspace import Workspace

DATA = ".journeykit"
"""The folder for data in a workspace, unless another is named."""

DRY_RUN = "dry-run"
"""The folder in it for the data of dry runs."""


def collect_less_often() -> None:
    """Let Python look for garbage in cycles more rarely; for processes that do this only.

    A batch makes thousands of documents, events and decisions. They are trees, which
    go when nobody refers to them any more; by the usual thresholds Python searches them
    for cycles a hundred times a second, which takes a fifth of the time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


Synchronous = Literal["NORMAL", "FULL"]

_TURN = 10 * BATCH  # wake-ups, before what they have decided is handed over
_RELAY = 64  # blocks of decisions that are taken at once


def wall_clock() -> int:
    """What time it is, milliseconds."""
    return time.time_ns() // 1_000_000


class Embedded(AbstractContextManager["Embedded"]):
    """Everything of one workspace on one machine, ready to use; close it at the end.

    Attributes:
        workspace: What the team wrote.
        store: The database.
        data: The folder that its data is in.
        catalog: The newest published catalog.
        runtime: Decides and stores.
        dispatcher: Hands over what was decided.
        visits: Runs jobs that concern many.
        eraser: Forgets people; only whoever writes the logs may ask it.
        retainer: Lets go what has been kept for long enough, likewise.
        placements: Answers places that ask what to show.
        scoring: Asks models about customers.
        decisions: The decision log.
        archive: The event archive.
    """

    def __init__(
        self,
        workspace: Workspace,
        registry: Registry,
        store: SQLiteStore,
        data: Path,
        *,
        synchronous: Synchronous = "NORMAL",
        workers: int = 1,
        relays: bool = True,
        observers: Observers | None = None,
        dry_run: bool = False,
    ) -> None:
        """Join the parts; `open` does it for a workspace.

        Raises:
            InvalidJourney: Nobody carries a channel, or does an action.
        """
        self.workspace = workspace
        self.store = store
        self.data = data
        self._relays = relays
        self._opened = contextlib.ExitStack()  # what is closed at the end
        self._opened.callback(store.close)
        # What leaves the database for a log must be as safe there as it was here.
        sync = synchronous == "FULL"
        self.decisions = LogFile(data / "decisions.jsonl", sync=sync)
        self.archive = LogFile(data / "events.jsonl", sync=sync)
        self._outside = LogFile(data / "published.jsonl", sync=sync)
        self._carriers = _carriers(workspace, registry, store.current())
        actions = workspace.actions(registry)
        self.catalog = LiveCatalog(
            store,
            channels={name: rules_of(one) for name, one in self._carriers.items()},
            actions=actions.keys(),
            guards=workspace.guards(registry),
            contents=store,
        )
        runtime = partial(
            Runtime,
            store,
            self.catalog,
            observers=observers,
            loggable=workspace.loggable,
            identity=workspace.identity,
        )
        self.runtime = runtime(inbox=store)
        compose = composing(self._composer(registry))
        self.dispatcher = Dispatcher(
            store,
            self.catalog,
            channels=self._carriers,
            actions=actions,
            publish=self._publish_outside,
            observers=observers,
            workers=workers,
            compose=compose,
            seeds=workspace.seeds,
            dry_run=dry_run,
        )
        # After the dispatcher, which says where channels leave in-app messages.
        self.placements = Placements(
            runtime(),  # one of its own, since any thread may call it
            channels=self._carriers,
            compose=compose,
            board=store,
            seeds=workspace.seeds,
            dry_run=dry_run,
        )
        self.scoring = Scoring(workspace.scores(registry), runtime(), self.catalog)
        self.visits = Visits(store, store, self.runtime)
        self.eraser = Eraser(store, [self.archive, self._outside])
        logs = {"events": [self.archive, self._outside], "decisions": [self.decisions]}
        self.retainer = Retainer(store, self.eraser, logs, workspace.retention)

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Who carries each channel, set up."""
        return self._carriers

    @classmethod
    def open(
        cls,
        workspace: Workspace,
        registry: Registry,
        *,
        data: Path | None = None,
        synchronous: Synchronous = "NORMAL",
        workers: int = 1,
        relays: bool = True,
        observers: Observers | None = None,
        dry_run: bool = False,
    ) -> Self:
        """Open the database of a workspace, and make it if it isn't there.

        Args:
            workspace: What the team wrote.
            registry: The plugins.
            data: The folder for data; `.journeykit` in the workspace if not given.
            synchronous: `NORMAL`: after a crash of the process nothing is lost, after
                one of the machine perhaps the last moments; `FULL`: neither.
            workers: How many batches of one channel go at the same time.
            relays: Whether to write the logs. One process does; what others decide
                stays in the database until then.
            observers: Plugins that look on.
            dry_run: Whether nothing goes out. Then the data is in a folder of its own
                inside the folder for data: what was sent for show must not count.

        Raises:
            StoreError: The database can't be opened.
            InvalidJourney: Nobody carries a channel, or does an action.
        """
        folder = data_folder(workspace, data)
        folder = folder / DRY_RUN if dry_run else folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            if relays:
                stack.enter_context(alone(folder))
            store = SQLiteStore.open(folder / "journeykit.db", synchronous=synchronous)
            stack.callback(store.close)
            embedded = cls(
                workspace,
                registry,
                store,
                folder,
                synchronous=synchronous,
                workers=workers,
                relays=relays,
                observers=observers,
                dry_run=dry_run,
            )
            embedded._opened = stack.pop_all()
            return embedded

    def close(self) -> None:
        """Write what is left for the logs, and let go of files and locks."""
        try:
            if self._relays:
                self.relay()
        finally:
            for log in (self.decisions, self.archive, self._outside):
                log.close()
            self._opened.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    # --- what happens ----------------------------------------------------------------

    def relay(self) -> int:
        """Write committed decisions into their log; return how many blocks that were.

        Raises:
            StoreError: They can't be written; they stay in the database.
        """
        count = 0
        while blocks := self.store.journal(_RELAY):
            self.decisions.append(b"".join(lines for _, lines in blocks))
            self.store.forget(blocks[-1][0])
            count += len(blocks)
        return count

    def replay(
        self,
        events: Sequence[Event],
        *,
        clock: int,
        along: Along = NOTHING,
        archived: bool = False,
    ) -> Ingested:
        """Handle a batch of events by the event clock, and what follows from it.

        Args:
            events: In their order; each was received when its `received_at` says.
            clock: The instant of the last one, milliseconds.
            along: What is to be stored with it.
            archived: Whether they go to the archive.

        Raises:
            StoreError: Nothing was stored.
        """
        if archived:
            self.archive.append(archive_lines(events))
        ingested = self.runtime.ingest(events, now=None, along=along, door="run")
        self.settle(clock - 1)
        return ingested

    def decide(self, event: Event, *, now: int) -> Shown:
        """Say what a place is to show, by the wall clock. Any thread may ask.

        Args:
            event: The ask, `placement.requested`, which is archived.
            now: The wall clock, milliseconds.

        Raises:
            InputError: It is about nobody, or not what the schemas say.
            StoreError: Nothing was stored; the same ask may come again.
            DefinitionError: Nothing is published.
        """
        self.placements.refuse(event)
        self.archive.append(archive_lines([event]))
        return self.placements.decide(event, now=now)

    def settle(self, clock: int) -> None:
        """Let happen what is due by an instant of the event clock, and hand it over.

        Nobody waits: what is put off until later than the clock stays put off.
        """
        while True:
            moved = self.runtime.tick(clock, virtual=True, most=_TURN)
            moved += self.runtime.drain(None)
            while delivered := self.dispatcher.deliver(clock, virtual=True):
                moved += delivered
            self.relay()
            if not moved:
                break

    def finish(self, clock: int) -> None:
        """Hand over what was put off for a short while, though the clock has stopped.

        The event clock does not go on by itself behind the last event. What waits for
        its turn, for another attempt, or for a lease that a killed process left, is not
        left behind for that: it goes as if the time for it had come.
        """
        until = clock + LEASE_MS + HORIZON_MS
        while self.store.backlog()["waiting"]:
            due = self.store.backlog()["due"]
            if due > until:
                break
            self.dispatcher.deliver(max(due, clock), virtual=True)
            self.runtime.drain(None)
        self.relay()

    # --- what operators do -----------------------------------------------------------

    def publish(
        self, *, now: int, note: str = "", expected: int | None = None
    ) -> Published:
        """Make the journeys and policies of the workspace the live ones, with `pin`.

        Args:
            now: The clock, milliseconds.
            note: What changed, in the publisher's words.
            expected: The revision that the publisher has looked at; None: whichever.

        If everybody is to be woken because of it, that is an unfinished job then.

        Returns:
            What is new; nothing is published if nothing is.

        Raises:
            StaleCatalog: Another revision than the expected one is live.
        """
        current = self.store.current()
        revision = current.revision if current else 0
        if expected is not None and expected != revision:
            raise StaleCatalog(
                f"catalog revision {revision} is live, and not {expected}; "
                "look at what has changed since, then publish again"
            )
        library = self.workspace.all_templates()
        draft = draft_of(self.workspace, self._carriers, library)
        published = next_catalog(current, draft, at=now, note=note)
        if current is not None and published.is_new and has_old_versions(current):
            in_use = self._versions_in_use()
            published = next_catalog(current, draft, at=now, note=note, in_use=in_use)
        if current is None or published.is_new:
            if draft.content:  # first, so that no catalog names what isn't there
                self.store.keep_content(draft.content, library.to_bytes())
            if everybody_is(current, published.document):
                # First, so that whoever is killed in between has left the job behind;
                # a visit too many does no harm.
                self.store.save(Job(0, "publish", EVERYBODY, started_at=now))
            self.store.publish(published.document)
            changed = {*published.added, *published.changed}
            self.store.reset_tallies(changed)
        return published

    def _versions_in_use(self) -> set[tuple[str, int]]:
        """The journeys and versions that somebody runs on, or waits for a goal of."""
        found: set[tuple[str, int]] = set()
        after = ""
        while page := self.store.scan(after, BATCH):
            after = page[-1].id
            for customer in page:
                found |= {(run.journey, run.version) for run in customer.active}
                for journey, past in customer.past.items():
                    found |= {(journey, run.version) for run in past.finished}
                for held in customer.held:
                    found.add((held.message.journey, held.message.version))
        return found

    def differs(self) -> bool:
        """Whether the workspace differs from what is published."""
        current = self.store.current()
        draft = draft_of(self.workspace, self._carriers, self.workspace.all_templates())
        return current is None or next_catalog(current, draft, at=0).is_new

    def pages(self, job: Job, *, now: int) -> Iterator[Job]:
        """Do a job page by page, and yield it after each, stored."""
        people: Sequence[str]
        if job.reason == ERASE:
            asked = erasure_of(job)
            people = asked.people
            self.eraser.erase(people, archive=asked.archive)
        elif job.reason == RETAIN:
            people = self.retainer.run(now=now).customers
        else:
            yield from self.visits.pages(job, now=now)
            return
        yield self.store.save(replace(job, visited=len(people), done=True))

    def visit(self, reason: str, journey: str, *, now: int, people: bytes = b"") -> Job:
        """Visit those who run in a journey or, with `people`, those who are named."""
        job = Job(0, reason, journey, people=people)
        return self.visits.run(job, now=now)

    def _composer(self, registry: Registry) -> Composer:
        """What makes messages of the published templates."""
        workspace = self.workspace
        library = PublishedTemplates(lambda: self.catalog.document, self.store)
        links = workspace.links.links(workspace.name)
        return Composer(library, engines=registry.engines, links=links)

    def _publish_outside(self, events: Sequence[PublishEvent]) -> None:
        lines = b"".join(
            msgspec.json.encode(
                {
                    "id": event.id,
                    "name": event.name,
                    "customer": event.customer,
                    "occurred_at": isoformat(event.at),
                    "properties": event.properties,
                    "source": "journeykit",
                    "test": event.test,
                }
            )
            + b"\n"
            for event in events
        )
        self._outside.append(lines)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one who writes the logs of a folder.

    Raises:
        StoreBusy: Another process does.
    """
    path = folder / "lock"
    path.touch(mode=0o600)
    with path.open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreBusy(
                    f"another journeykit run or serve works in {folder}; stop it, or "
                    "give --data another folder"
                ) from error
        yield


def draft_of(
    workspace: Workspace, channels: Mapping[str, Channel], library: Library
) -> Draft:
    """What publishing a workspace is about.

    Args:
        workspace: Its journeys and policies.
        channels: Who carries its channels.
        library: Its templates.
    """
    return Draft(
        {journey.id: journey.to_plan() for journey in workspace.journeys},
        {journey.id: journey.fingerprint for journey in workspace.journeys},
        workspace.policies.to_plan(),
        dict(workspace.states),
        content=library.id if library.files else "",
        facts=workspace.facts(channels, library),
        audience=workspace.audience,
        schemas=workspace.enforced,
    )


def data_folder(workspace: Workspace, data: Path | None) -> Path:
    """Where the data of a workspace is."""
    return data_folder_of(workspace.path, data)


def data_folder_of(workspace: Path, data: Path | None) -> Path:
    """Where the data of the workspace in a folder is."""
    return workspace / DATA if data is None else data


_line = msgspec.json.Encoder().encode


def archive_lines(events: Sequence[Event]) -> bytes:
    """Events as the archive holds them: lines that every door would take again."""
    return b"".join(_line(event) + b"\n" for event in events)


def _carriers(
    workspace: Workspace, registry: Registry, published: CatalogDocument | None
) -> dict[str, Channel]:
    """Who carries each channel; those that only published versions name among them.

    One that nobody carries any more is left out: the catalog says who needs it.
    """
    carriers = workspace.channels(registry)
    for name in sorted(_channels_of(published.journeys if published else [])):
        if name not in carriers:
            with contextlib.suppress(UnknownChannel, DefinitionError):
                carriers[name] = registry.channel(name, workspace.providers.get(name))
    return carriers


def _channels_of(part: object) -> Iterator[str]:
    """The channels that the Sends in plan documents name."""
    if isinstance(part, dict):
        if part.get("type") in ("send", "survey"):
            yield from part["channel"]
        for value in part.values():
            yield from _channels_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from _channels_of(value)
