"""What the runtime needs of the world, as protocols of three methods or fewer.

One class may keep several of them, as the SQLite store does. All of them keep the
promises of their contract suites in `journeykit.testing`. Instants are milliseconds since the
epoch, UTC; every method may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from journeykit.channels import Notice
from journeykit.engine.commands import Command
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Absorb, Stimulus


class Change(msgspec.Struct, frozen=True, gc=False):
    """What a batch of reactions made of one customer.

    Attributes:
        before: The document that was loaded; None: there was none.
        after: The document to be stored.
        commands: What was decided to do.
        lines: The decisions, as lines of JSON.
    """

    before: Customer | None
    after: Customer
    commands: tuple[Command, ...] = ()
    lines: bytes = b""


class DeadLetter(msgspec.Struct, frozen=True):
    """Something that came in and can't be handled, with the reason.

    Attributes:
        at: When it was given up.
        door: Where it came in: `http`, `run`, `inbox`, `outbox`.
        reason: Why, in words for a person.
        customer: Whom it is about, if that can be told.
        kind: The kind of stimulus or command, so that it can be tried again; empty if
            it could not even be read.
        body: What came in: a stimulus or command as `encoded`, else the raw bytes.
        id: Its number in the store; 0: not stored yet.
        outside: What else stood on the outside of a message of a queue, without which
            the same body would not be the same message; an embedded store has none.
    """

    at: int
    door: str
    reason: str
    customer: str
    kind: str
    body: bytes
    id: int = 0
    outside: Mapping[str, str] = {}


class Along(msgspec.Struct, frozen=True):
    """What is stored with a commit, or not at all.

    Attributes:
        handled: Inbox entries that are done with this commit.
        dead: What can't be handled.
        bookmark: A reader's name, and how far it has read with this commit.
        lines: Decisions that changed no document.
    """

    handled: tuple[int, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    bookmark: tuple[str, str] | None = None
    lines: bytes = b""


NOTHING = Along()


class CustomerStore(Protocol):
    """The documents, with what was decided about them."""

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """Return the documents that there are, by id.

        Raises:
            DamagedDocument: One of them can't be read by anybody.
            StoreError: None can be read, for example because a later release wrote one.
        """
        ...

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        """Store changes, each whole: document, wake-up, commands and decisions.

        A change is refused if the stored revision is no longer `before.revision`.

        Returns:
            The customers whose change was refused. The other changes are stored; `along` is
            stored only if none was refused.

        Raises:
            StoreError: Nothing of it was stored.
        """
        ...

    def due(self, before: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return whose `next_due` is at or before an instant, and when, earliest first."""
        ...


class Scan(Protocol):
    """All customers, in an order that stays, for jobs that visit everybody."""

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """Return the customers behind an id (empty: from the start), by id."""
        ...


class Inbox(Protocol):
    """Stimuli that are to be handled, by whoever handles them; `Along.handled` ends one."""

    def put(self, stimuli: Sequence[Stimulus]) -> None:
        """Keep stimuli until they are handled."""
        ...

    def pending(self, limit: int) -> Sequence[tuple[int, Stimulus]]:
        """Return the oldest, each with its number."""
        ...


class Task(msgspec.Struct, frozen=True):
    """A command that was claimed: nobody else is handed it before the lease runs out.

    Attributes:
        id: Its number in the store.
        command: What to do.
        attempts: How often it was handed over before.
        lapsed: Whether it was claimed before and nobody said what came of it, so that it
            may have been done.
        reserved: Whether it has its slot of the pace already.
    """

    id: int
    command: Command
    attempts: int = 0
    lapsed: bool = False
    reserved: bool = False


Outcome = Literal["sent", "failed", "uncertain", "returned", "again"]
"""What came of a task. All but `again` are final; `returned` went back to the customer."""


SAME_ADDRESS = "same_address"
"""Why a message failed that somebody else of its address has got instead."""

UNCOUNTED = frozenset({SAME_ADDRESS})
"""Reasons of failures that say nothing against a journey: no breaker counts them."""


class Settled(msgspec.Struct, frozen=True):
    """What came of a task.

    Attributes:
        id: The task's number.
        outcome: What came of it.
        at: When; for `again`, when it is to be claimed again.
        attempts: How often it was handed over so far.
        reason: Why it was not sent, as a word or in words.
        provider_id: The provider's own id of a message.
        reserved: For `again`: whether it keeps its slot of the pace.
        address: See `Delivery.address`.
    """

    id: int
    outcome: Outcome
    at: int
    attempts: int = 0
    reason: str = ""
    provider_id: str = ""
    reserved: bool = False
    address: str = ""


class Outbox(Protocol):
    """Committed commands, until it is known what came of them."""

    def take(self, now: int, limit: int, *, lease_until: int) -> Sequence[Task]:
        """Claim what is due, oldest due first, until the lease runs out."""
        ...

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        """Write down what came of tasks, and put reports into the inbox, all or nothing.

        A final outcome is kept as a `Delivery` for 30 days, and counted for its journey,
        but for `UNCOUNTED`. References are kept with it, as by `References.refer`.
        """
        ...

    def backlog(self) -> Mapping[str, int]:
        """Return how many commands wait: `due`, the earliest due instant, and `waiting`."""
        ...


class Delivery(msgspec.Struct, frozen=True):
    """What became of one message or call, as far as it is known.

    Attributes:
        id: The delivery's id, or the call's.
        customer: Whose.
        channel: The channel's name, or the action's.
        journey: The journey, and below its version, step, run and template.
        version: See `journey`.
        step: See `journey`.
        enrollment: See `journey`.
        template: See `journey`.
        outcome: `sent`, `failed` or `uncertain`; `returned` if it went back.
        at: When that was.
        reason: Why it was not sent.
        provider_id: The provider's own id.
        test: Whether it is test traffic.
        address: `ids.address_key` of where a message went: a report is about that address,
            wherever the profile says that the customer is by then. Empty: of a call, or
            not kept yet.
    """

    id: str
    customer: str
    channel: str
    journey: str
    version: int
    step: str
    enrollment: str
    template: str
    outcome: str
    at: int
    reason: str = ""
    provider_id: str = ""
    test: bool = False
    address: str = ""


class Deliveries(Protocol):
    """What became of messages."""

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """Return the deliveries that are known, by id."""
        ...

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """Return how many deliveries of each journey succeeded and failed, for breakers."""
        ...

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """Count from 0 again."""
        ...


class Claims(Protocol):
    """What must be exact across customers: the first N, one per address."""

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """Claim one of `limit` places of a key; the same holder again gets the same one.

        Returns:
            The place, from 1; 0 if all are taken by others.
        """
        ...

    def release(self, key: str, holder: str, *, since: int) -> None:
        """Give back the place of a key that has one, so that another may have it.

        Nothing happens if somebody else holds it, if more than one is taken, or if it was
        claimed before `since`: whoever had it then had it for something else.
        """
        ...


class Slots(Protocol):
    """Rates across processes: one row a lane, one update a batch."""

    def reserve(
        self, lane: str, slots: int, *, interval_us: int, burst: int, now_us: int
    ) -> int:
        """Reserve slots of a lane, `interval_us` apart, up to `burst` of them at once.

        Returns:
            The instant of the first one, microseconds; `now_us` or later. The generic cell
            rate algorithm (ITU-T I.371).
        """
        ...


class CatalogDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A published catalog: everything that decides beside the customer.

    Attributes:
        revision: Counts publishes and changes of state.
        at: When it was published.
        release: The release of journeykit that wrote it.
        journeys: Plan documents: of each journey the live version and those before it.
        policies: The plan document of the policies.
        states: What operators, breakers and the workspace say: journey to state.
        reasons: Why a journey is in its state: journey to words.
        fingerprints: Journey to the fingerprint of what its author wrote, live version.
        note: What changed, in words.
        by_workspace: The journeys whose state is the workspace's word, which the next
            publish may take back; None: written before this was kept.
        relay: `unhealthy`: what was decided may not have been handed over for long, so
            customers keep their commands for more than the usual 25 hours. In AWS only.
        content: The id of the templates that were published with it, see `Contents`;
            empty: none were.
        facts: What channels said about those templates, for their rules; by channel.
        suppressions: The id of the addresses that nothing goes to, among `Contents`; empty:
            there are none.
        audience: The plan document of traits, segments and stages, with `since`: by each
            name, when its definition was first published, milliseconds. `defined` says so
            of all that customers are judged by: `[revision, milliseconds]`.
        schemas: What events must hold to be taken: JSON Schema by name.
        schema: The shape of this document.
    """

    revision: int
    at: int
    release: str
    journeys: list[dict[str, Any]]
    policies: dict[str, Any]
    states: dict[str, str] = {}
    reasons: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    note: str = ""
    by_workspace: list[str] | None = None
    relay: str = ""
    content: str = ""
    facts: dict[str, dict[str, Any]] = {}
    suppressions: str = ""
    audience: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    schema: int = 1


class Catalogs(Protocol):
    """The published catalogs; the newest one counts."""

    def revision(self) -> int:
        """Return the newest revision; 0: nothing is published. Cheap, asked all the time."""
        ...

    def current(self) -> CatalogDocument | None:
        """Return the newest catalog.

        Raises:
            StoreError: It was written by a later release.
        """
        ...

    def publish(self, catalog: CatalogDocument) -> None:
        """Make a catalog the newest one, if its revision is the next.

        Raises:
            StaleCatalog: Somebody else has published in between; nothing is changed.
        """
        ...


class Contents(Protocol):
    """Published templates, each set under an id that is made of its bytes."""

    def keep_content(self, id: str, content: bytes) -> None:
        """Keep a set of templates; one that is there already stays."""
        ...

    def content(self, id: str) -> bytes | None:
        """Return a set of templates; None: it is not there."""
        ...


class Reference(msgspec.Struct, frozen=True):
    """By which name other than ours somebody outside knows a delivery.

    Attributes:
        key: `ids.address_key` of channel and address, or `ids.provider_key` of channel and
            provider's id.
        customer: Whose delivery it was.
        delivery_id: Which; of several to one customer under one key the latest.
        at: When that was.
    """

    key: str
    customer: str
    delivery_id: str
    at: int


class References(Protocol):
    """Who is meant when a provider names an address, or an id of its own."""

    def refer(self, references: Sequence[Reference]) -> None:
        """Keep references; of one key and customer the latest. They live 400 days."""
        ...

    def referred(self, keys: Sequence[str]) -> Mapping[str, Sequence[Reference]]:
        """Return what is known by each key, latest first, 20 of a key at most."""
        ...


class Conflict(msgspec.Struct, frozen=True):
    """An identifier of somebody that somebody else has been named by, who is known too.

    Attributes:
        key: `ids.identity_key` of the identifier.
        kind: Its kind.
        holder: Whose it is, and stays.
        claimant: Who was named by it as well.
        at: When that was first seen, milliseconds.
    """

    key: str
    kind: str
    holder: str
    claimant: str
    at: int


class Identities(Protocol):
    """Whose an identifier is. The first who is named by it has it."""

    def owners(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return who has each of these keys (`ids.identity_key`), if anybody has."""
        ...

    def own(
        self, keys: Sequence[str], customer: str, *, at: int, instead_of: str = ""
    ) -> Mapping[str, str]:
        """Give a customer the keys that nobody has, or that `instead_of` has.

        Returns:
            Who has each of them then.
        """
        ...

    def disown(self, keys: Sequence[str], customer: str) -> None:
        """Take keys from a customer; those of somebody else stay theirs."""
        ...


class Handovers(Protocol):
    """What merged customers have left, until their survivors have it.

    It goes out with the commit that merges them. Here it is read by whoever comes to a
    tombstone before it has come to the survivor.
    """

    def handovers(self, customers: Sequence[str]) -> Sequence[Absorb]:
        """Return what merged customers have left, as far as it is still on its way.

        It may have arrived, too: the same is taken in once.
        """
        ...

    def forget_handovers(self, customers: Sequence[str]) -> None:
        """Keep nothing of merged customers but where they have gone to."""
        ...


class Conflicts(Protocol):
    """Identifiers that two known people are named by, until somebody has looked.

    They live 90 days.
    """

    def contest(self, conflict: Conflict) -> bool:
        """Keep a conflict, and say whether it is new: of a key and a claimant there is one."""
        ...

    def contested(self, limit: int) -> Sequence[Conflict]:
        """Return the latest conflicts, newest first."""
        ...

    def reconcile(self, key: str, claimant: str) -> bool:
        """Remove a conflict that somebody has dealt with, and say whether there was one."""
        ...


class Holding(msgspec.Struct, frozen=True):
    """Something that is kept about a customer beside their document.

    Attributes:
        part: What it is: `claim`, `command`, `conflict`, `dead_letter`, `delivery`,
            `identifier`, `notice`, `reference`, `stimulus`.
        body: What is kept, as JSON values.
    """

    part: str
    body: dict[str, Any]


class Privacy(Protocol):
    """All that a store knows of people, to be shown to them, and to be forgotten."""

    def holdings(self, customers: Collection[str]) -> Sequence[Holding]:
        """Return what is kept about customers, their documents apart."""
        ...

    def erase(self, customers: Collection[str]) -> Mapping[str, int]:
        """Forget customers: their documents, and all that `holdings` returns.

        The places that they have claimed stay taken, by nobody in particular: a count that
        was exact stays so.

        Returns:
            How much of each part was removed; `document` among the parts.
        """
        ...


class Notices(Protocol):
    """The customers' in-app inboxes; `journeykit.channels.NoticeBoard` is a part of it."""

    def post(self, notices: Sequence[Notice]) -> None:
        """Keep notices; one of an id that is there already changes nothing."""
        ...

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        """Return a customer's notices, latest first; they live 90 days."""
        ...

    def mark(
        self, customer: str, id: str, *, read_at: int | None, dismissed_at: int | None
    ) -> Notice | None:
        """Note that one was read or dismissed, the first time each; return it after that.

        None: there is no such notice.
        """
        ...


class DeadLetters(Protocol):
    """What could not be handled, until somebody looks."""

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters."""
        ...

    def dead(self, after: int, limit: int) -> Sequence[DeadLetter]:
        """Return letters behind a number, by number."""
        ...

    def revive(self, ids: Sequence[int], *, into: Sequence[Stimulus]) -> None:
        """Remove letters and put stimuli into the inbox, all or nothing."""
        ...


class Journal(Protocol):
    """Decisions that are committed and not yet in the log's files."""

    def journal(self, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return blocks of lines in the order of their commits, each with its number."""
        ...

    def forget(self, until: int) -> None:
        """Remove the blocks up to a number: they are in the files."""
        ...


class Job(msgspec.Struct, frozen=True):
    """A visit of many customers, which goes on where it stopped.

    Attributes:
        id: Its number; 0: not stored yet.
        reason: Why: `resume`, `stop`, `publish`, `launch`, `enroll`, `remove`; or `erase`
            and `retain`, which visit nobody.
        journey: Whom it concerns: those who run in this journey; for `launch`, whoever is
            in what it is about; empty: everybody.
        cursor: How far it has come; the last customer's id, or a line of `people`.
        visited: How many customers were visited so far.
        done: Whether it is over.
        started_at: When it began.
        people: For `enroll` and `remove`: whom, as lines of JSON; for `erase` as an object;
            else empty. Who is erased is taken out of it: see `runtime/rosters.py`.
    """

    id: int
    reason: str
    journey: str
    cursor: str = ""
    visited: int = 0
    done: bool = False
    started_at: int = 0
    people: bytes = b""


class Jobs(Protocol):
    """Visit jobs, kept so that they survive whoever runs them."""

    def save(self, job: Job) -> Job:
        """Store a new job (id 0) or how far one has come; return it with its number."""
        ...

    def unfinished(self) -> Sequence[Job]:
        """Return the jobs that are not done, oldest first."""
        ...


class Bookmarks(Protocol):
    """How far readers have read; `Along.bookmark` writes one."""

    def bookmark(self, reader: str) -> str | None:
        """Return how far a reader has read; None: it has not begun."""
        ...


class Store(
    CustomerStore,
    Scan,
    Inbox,
    Outbox,
    Deliveries,
    Claims,
    Slots,
    Catalogs,
    Contents,
    References,
    Identities,
    Handovers,
    Conflicts,
    Notices,
    Privacy,
    DeadLetters,
    Journal,
    Jobs,
    Bookmarks,
    Protocol,
):
    """All of it in one place, as an embedded store keeps it."""

    def close(self) -> None:
        """Let go of files and locks; nothing may be asked afterwards."""
        ...
