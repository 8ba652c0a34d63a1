"""A store in memory, for tests and for runs that nobody has to remember."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set as AbstractSet,
)
from copy import deepcopy
from dataclasses import replace as with_fields
from datetime import UTC, datetime, timedelta
from heapq import nlargest, nsmallest
from itertools import count, islice
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from journeykit.channels import Notice
from journeykit.engine.commands import (
    AbsorbCustomer,
    CallAction,
    Command,
    PublishEvent,
)
from journeykit.engine.customer import Customer, decode, encode
from journeykit.engine.stimuli import Absorb, Stimulus, decoded, encoded
from journeykit.errors import StaleCatalog
from journeykit.ports import (
    NOTHING,
    UNCOUNTED,
    Along,
    CatalogDocument,
    Change,
    Conflict,
    DeadLetter,
    Delivery,
    Holding,
    Job,
    Reference,
    Settled,
    Task,
)
from journeykit.runtime.rosters import named_in, without

K = TypeVar("K")

_KEPT_MS = 30 * 24 * 60 * 60 * 1000  # deliveries
_REFERENCES_MS = 400 * 24 * 60 * 60 * 1000
_REFERRED = 20  # of one key
_CONFLICTS_MS = 90 * 24 * 60 * 60 * 1000
_NOTICES = timedelta(days=90)
_command: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class _Stored(msgspec.Struct, frozen=True):
    """A customer, and where in the order of first commits."""

    number: int
    revision: int
    next_due: int | None
    document: bytes


class _Queued(msgspec.Struct, frozen=True):
    """A command in the outbox."""

    due: int
    body: bytes
    attempts: int = 0
    claimed: bool = False
    reserved: bool = False


class MemoryStore:
    """A `Store` that is gone with its process; otherwise as good as any.

    Documents and commands are kept as bytes, so that nobody shares what another changes.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._customers: dict[str, _Stored] = {}
        self._inbox: dict[int, tuple[str, bytes]] = {}
        self._outbox: dict[int, _Queued] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._tallies: dict[str, tuple[int, int]] = {}
        self._claims: dict[str, dict[str, int]] = {}
        self._claimed_at: dict[tuple[str, str], int] = {}
        self._lanes: dict[str, int] = {}
        self._catalog: bytes | None = None
        self._revision = 0
        self._contents: dict[str, bytes] = {}
        self._references: dict[str, dict[str, Reference]] = {}
        self._owners: dict[str, str] = {}
        self._conflicts: dict[tuple[str, str], Conflict] = {}
        self._notices: dict[str, dict[str, Notice]] = {}
        self._letters: dict[int, DeadLetter] = {}
        self._journal: dict[int, bytes] = {}
        self._jobs: dict[int, Job] = {}
        self._bookmarks: dict[str, str] = {}

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    # Customers

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """Return the documents that there are, by id."""
        with self._lock:
            found = {id: self._customers[id] for id in ids if id in self._customers}
        return {id: decode(stored.document) for id, stored in found.items()}

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        """Store changes, each whole."""
        if len({change.after.id for change in changes}) < len(changes):
            raise ValueError("a commit takes one change of a customer")
        # What can go wrong goes wrong here, before anything is stored.
        documents = [encode(change.after) for change in changes]
        bodies = [
            [msgspec.json.encode(c) for c in change.commands] for change in changes
        ]
        refused: set[str] = set()
        lines: list[bytes] = []
        with self._lock:
            for change, document, commands in zip(
                changes, documents, bodies, strict=True
            ):
                after = change.after
                stored = self._customers.get(after.id)
                known = stored.revision if stored else None
                if known != (change.before.revision if change.before else None):
                    refused.add(after.id)
                    continue
                self._customers[after.id] = _Stored(
                    stored.number if stored else next(self._numbers),
                    after.revision,
                    after.next_due,
                    document,
                )
                for command, body in zip(change.commands, commands, strict=True):
                    number = next(self._numbers)
                    if isinstance(command, AbsorbCustomer):  # nobody outside is asked
                        self._inbox[number] = encoded(Absorb.of(command))
                    else:
                        self._outbox[number] = _Queued(command.at, body)
                lines.append(change.lines)
            if not refused:
                _remove(self._inbox, along.handled)
                self.bury(along.dead)
                if along.bookmark:
                    self._bookmarks.update([along.bookmark])
                lines.append(along.lines)
            if block := b"".join(lines):
                self._journal[next(self._numbers)] = block
        return refused

    def due(self, before: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return whose `next_due` is at or before an instant, and when, earliest first."""
        with self._lock:
            waiting = [
                (stored.next_due, stored.number, id)
                for id, stored in self._customers.items()
                if stored.next_due is not None and stored.next_due <= before
            ]
        return [(due, id) for due, _, id in nsmallest(limit, waiting)]

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """Return the customers behind an id, by id."""
        with self._lock:
            ids = nsmallest(limit, (id for id in self._customers if id > after))
            return list(self.load(ids).values())

    # Inbox, dead letters

    def put(self, stimuli: Sequence[Stimulus]) -> None:
        """Keep stimuli until they are handled."""
        entries = [encoded(stimulus) for stimulus in stimuli]
        with self._lock:
            for entry in entries:
                self._inbox[next(self._numbers)] = entry

    def pending(self, limit: int) -> Sequence[tuple[int, Stimulus]]:
        """Return the oldest stimuli, each with its number."""
        with self._lock:
            entries = [*islice(self._inbox.items(), limit)]
        return [(id, decoded(kind, body)) for id, (kind, body) in entries]

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters."""
        with self._lock:
            for letter in letters:
                id = next(self._numbers)
                self._letters[id] = replace(letter, id=id)

    def dead(self, after: int, limit: int) -> Sequence[DeadLetter]:
        """Return letters behind a number, by number."""
        with self._lock:
            behind = (letter for id, letter in self._letters.items() if id > after)
            return [*islice(behind, limit)]

    def revive(self, ids: Sequence[int], *, into: Sequence[Stimulus]) -> None:
        """Remove letters and put stimuli into the inbox."""
        with self._lock:
            self.put(into)
            _remove(self._letters, ids)

    # Outbox, deliveries

    def take(self, now: int, limit: int, *, lease_until: int) -> Sequence[Task]:
        """Claim what is due, oldest due first, until the lease runs out."""
        tasks: list[Task] = []
        with self._lock:
            due = [(q.due, id) for id, q in self._outbox.items() if q.due <= now]
            for _, id in nsmallest(limit, due):
                found = self._outbox[id]
                command = _command.decode(found.body)
                tasks.append(
                    Task(id, command, found.attempts, found.claimed, found.reserved)
                )
                self._outbox[id] = replace(found, due=lease_until, claimed=True)
        return tasks

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        """Write down what came of tasks, and put reports into the inbox."""
        with self._lock:
            self.put(reports)
            self.refer(references)
            for task in settled:
                queued = self._outbox.get(task.id)
                if queued is None:  # its lease lapsed, and somebody else settled it
                    continue
                if task.outcome == "again":
                    self._outbox[task.id] = _Queued(
                        task.at,
                        queued.body,
                        attempts=task.attempts,
                        reserved=task.reserved,
                    )
                else:
                    del self._outbox[task.id]
                    self._end(_command.decode(queued.body), task)

    def _end(self, command: Command, task: Settled) -> None:
        if isinstance(command, PublishEvent | AbsorbCustomer):
            return
        if isinstance(command, CallAction):
            id, channel, template = command.call_id, command.action, ""
        else:
            id = command.delivery_id
            channel, template = command.channel, command.template
        self._deliveries.pop(id, None)  # it may have gone back before
        self._deliveries[id] = Delivery(
            id=id,
            customer=command.customer,
            channel=channel,
            journey=command.journey,
            version=command.version,
            step=command.step,
            enrollment=command.enrollment,
            template=template,
            outcome=task.outcome,
            at=task.at,
            reason=task.reason,
            provider_id=task.provider_id,
            test=command.test,
            address=task.address,
        )
        for old in [*islice(self._deliveries.values(), 2)]:
            if old.at <= task.at - _KEPT_MS:
                del self._deliveries[old.id]
        counts = task.outcome != "returned" and task.reason not in UNCOUNTED
        if counts and not command.test:
            succeeded, failed = self._tallies.get(command.journey, (0, 0))
            sent = task.outcome == "sent"
            self._tallies[command.journey] = (succeeded + sent, failed + (not sent))

    def backlog(self) -> Mapping[str, int]:
        """Return the earliest due instant (0 if none waits), and how many wait."""
        with self._lock:
            due = min((queued.due for queued in self._outbox.values()), default=0)
            return {"due": due, "waiting": len(self._outbox)}

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """Return the deliveries that are known, by id."""
        with self._lock:
            return {id: self._deliveries[id] for id in ids if id in self._deliveries}

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """Return how many deliveries of each journey succeeded and failed."""
        with self._lock:
            return dict(self._tallies)

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """Count from 0 again."""
        with self._lock:
            _remove(self._tallies, journeys)

    # Across customers

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """Claim one of `limit` places of a key; 0 if all are taken by others."""
        with self._lock:
            places = self._claims.setdefault(key, {})
            if holder not in places and len(places) < limit:
                places[holder] = len(places) + 1
                self._claimed_at[key, holder] = at
            return places.get(holder, 0)

    def release(self, key: str, holder: str, *, since: int) -> None:
        """Give back the place of a key that has one."""
        with self._lock:
            held = self._claims.get(key, {}).keys() == {holder}
            if held and self._claimed_at[key, holder] >= since:
                del self._claims[key], self._claimed_at[key, holder]

    def reserve(
        self, lane: str, slots: int, *, interval_us: int, burst: int, now_us: int
    ) -> int:
        """Reserve slots of a lane, and return the instant of the first one."""
        with self._lock:
            arrival = max(now_us, self._lanes.get(lane, now_us))
            self._lanes[lane] = arrival + slots * interval_us
        return max(now_us, arrival - (burst - 1) * interval_us)

    # Catalogs

    def revision(self) -> int:
        """Return the newest revision; 0: nothing is published."""
        return self._revision

    def current(self) -> CatalogDocument | None:
        """Return the newest catalog."""
        if self._catalog is None:
            return None
        return msgspec.json.decode(self._catalog, type=CatalogDocument)

    def publish(self, catalog: CatalogDocument) -> None:
        """Make a catalog the newest one, if its revision is the next."""
        document = msgspec.json.encode(catalog)
        with self._lock:
            if catalog.revision != self._revision + 1:
                raise StaleCatalog(
                    f"catalog revision {self._revision} is published, so "
                    f"{catalog.revision} can't be"
                )
            self._catalog, self._revision = document, catalog.revision

    # Templates, references, notices

    def keep_content(self, id: str, content: bytes) -> None:
        """Keep a set of templates; one that is there already stays."""
        with self._lock:
            self._contents.setdefault(id, content)

    def content(self, id: str) -> bytes | None:
        """Return a set of templates; None: it is not there."""
        return self._contents.get(id)

    def refer(self, references: Sequence[Reference]) -> None:
        """Keep references; of one key and customer the latest."""
        with self._lock:
            for reference in references:
                known = self._references.setdefault(reference.key, {})
                before = known.get(reference.customer)
                if before is None or before.at <= reference.at:
                    known[reference.customer] = reference
                oldest = reference.at - _REFERENCES_MS
                _remove(known, [c for c, one in known.items() if one.at <= oldest])

    def referred(self, keys: Sequence[str]) -> Mapping[str, Sequence[Reference]]:
        """Return what is known by each key, latest first."""
        with self._lock:
            return {
                key: nlargest(_REFERRED, known.values(), key=lambda one: one.at)
                for key in keys
                if (known := self._references.get(key))
            }

    def owners(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return who has each of these keys, if anybody has."""
        with self._lock:
            return {key: self._owners[key] for key in keys if key in self._owners}

    def own(
        self, keys: Sequence[str], customer: str, *, at: int, instead_of: str = ""
    ) -> Mapping[str, str]:
        """Give a customer the keys that nobody has, or that `instead_of` has."""
        with self._lock:
            for key in keys:
                if self._owners.get(key, instead_of) == instead_of:
                    self._owners[key] = customer
            return {key: self._owners[key] for key in keys}

    def disown(self, keys: Sequence[str], customer: str) -> None:
        """Take keys from a customer; those of somebody else stay theirs."""
        with self._lock:
            _remove(self._owners, [k for k in keys if self._owners.get(k) == customer])

    def handovers(self, customers: Sequence[str]) -> Sequence[Absorb]:
        """Return what merged customers have left, as far as it is still on its way."""
        wanted = {*customers}
        with self._lock:
            pending = [it for it in self._inbox.values() if it[0] == "absorb"]
        stimuli = [decoded(*it) for it in pending]
        return [
            one for one in stimuli if isinstance(one, Absorb) and one.merged in wanted
        ]

    def forget_handovers(self, customers: Sequence[str]) -> None:
        """Nothing is kept of them: what is handled is gone from the inbox."""

    def contest(self, conflict: Conflict) -> bool:
        """Keep a conflict, and say whether it is new."""
        place = (conflict.key, conflict.claimant)
        oldest = conflict.at - _CONFLICTS_MS
        with self._lock:
            known = self._conflicts
            _remove(known, [key for key, one in known.items() if one.at <= oldest])
            return self._conflicts.setdefault(place, conflict) is conflict

    def contested(self, limit: int) -> Sequence[Conflict]:
        """Return the latest conflicts, newest first."""
        with self._lock:
            return nlargest(limit, self._conflicts.values(), key=lambda one: one.at)

    def reconcile(self, key: str, claimant: str) -> bool:
        """Remove a conflict that somebody has dealt with."""
        with self._lock:
            return self._conflicts.pop((key, claimant), None) is not None

    def post(self, notices: Sequence[Notice]) -> None:
        """Keep notices; one of an id that is there already changes nothing."""
        with self._lock:
            for notice in notices:
                inbox = self._notices.setdefault(notice.customer, {})
                inbox.setdefault(notice.id, deepcopy(notice))
                oldest = notice.at - _NOTICES
                _remove(inbox, [id for id, one in inbox.items() if one.at <= oldest])

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        """Return a customer's notices, latest first."""
        with self._lock:
            inbox = self._notices.get(customer, {}).values()
            latest = nlargest(limit, inbox, key=lambda one: (one.at, one.id))
            return [deepcopy(notice) for notice in latest]

    def mark(
        self, customer: str, id: str, *, read_at: int | None, dismissed_at: int | None
    ) -> Notice | None:
        """Note that one was read or dismissed, the first time each."""
        with self._lock:
            inbox = self._notices.get(customer, {})
            if id not in inbox:
                return None
            before = inbox[id]
            inbox[id] = with_fields(
                before,
                read_at=before.read_at or _instant(read_at),
                dismissed_at=before.dismissed_at or _instant(dismissed_at),
            )
            return deepcopy(inbox[id])

    # Privacy

    def holdings(self, customers: Collection[str]) -> Sequence[Holding]:
        """Return what is kept about customers, their documents apart."""
        with self._lock:
            return [
                Holding(part, msgspec.to_builtins(body))
                for part, body in self._holdings({*customers})
            ]

    def _holdings(self, customers: AbstractSet[str]) -> Iterator[tuple[str, Any]]:
        for key, places in self._claims.items():
            for holder, place in places.items():
                if holder in customers:
                    yield "claim", {"key": key, "customer": holder, "place": place}
        for queued in self._outbox.values():
            command = _command.decode(queued.body)
            if command.customer in customers:
                yield "command", command
        for conflict in self._conflicts.values():
            if not customers.isdisjoint((conflict.holder, conflict.claimant)):
                yield "conflict", conflict
        for letter in self._letters.values():
            if letter.customer in customers:
                yield "dead_letter", letter
        for delivery in self._deliveries.values():
            if delivery.customer in customers:
                yield "delivery", delivery
        for job in self._jobs.values():
            yield from (("job", told) for told in named_in(job, customers))
        for key, customer in self._owners.items():
            if customer in customers:
                yield "identifier", {"key": key, "customer": customer}
        for customer, inbox in self._notices.items():
            if customer in customers:
                yield from (("notice", notice) for notice in inbox.values())
        for known in self._references.values():
            for reference in known.values():
                if reference.customer in customers:
                    yield "reference", reference
        for kind, body in self._inbox.values():
            if (stimulus := decoded(kind, body)).customer in customers:
                yield "stimulus", stimulus

    def erase(self, customers: Collection[str]) -> Mapping[str, int]:
        """Forget customers: their documents, and all that `holdings` returns."""
        gone = {*customers}
        with self._lock:
            erased = Counter(part for part, _ in self._holdings(gone))
            erased["document"] = len(gone & self._customers.keys())
            _remove(self._customers, gone)
            _remove(self._notices, gone)
            for key, places in self._claims.items():
                self._claims[key] = {
                    f"~{uuid4().hex}" if holder in gone else holder: place
                    for holder, place in places.items()
                }
            _remove(self._claimed_at, [it for it in self._claimed_at if it[1] in gone])
            for known in self._references.values():
                _remove(known, gone)
            rows: Sequence[tuple[dict[Any, Any], Callable[[Any], bool]]] = (
                (self._outbox, lambda it: _command.decode(it.body).customer in gone),
                (self._inbox, lambda it: decoded(*it).customer in gone),
                (self._conflicts, lambda it: bool(gone & {it.holder, it.claimant})),
                (self._letters, lambda it: it.customer in gone),
                (self._deliveries, lambda it: it.customer in gone),
                (self._owners, lambda it: it in gone),
            )
            for things, is_theirs in rows:
                _remove(things, [key for key, it in things.items() if is_theirs(it)])
            jobs = [without(job, gone) for job in self._jobs.values()]
            self._jobs = {job.id: job for job in jobs if not job.done}
        return {part: number for part, number in sorted(erased.items()) if number}

    # Journal, jobs, bookmarks

    def journal(self, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return blocks of lines in the order of their commits."""
        with self._lock:
            return [*islice(self._journal.items(), limit)]

    def forget(self, until: int) -> None:
        """Remove the blocks up to a number."""
        with self._lock:
            _remove(self._journal, [id for id in self._journal if id <= until])

    def save(self, job: Job) -> Job:
        """Store a new job, or how far one has come; one that is done is removed."""
        with self._lock:
            if job.id == 0:
                job = replace(job, id=next(self._numbers))
                self._jobs[job.id] = job
            elif known := self._jobs.get(job.id):
                self._jobs[job.id] = replace(
                    known, cursor=job.cursor, visited=job.visited
                )
            if job.done:
                self._jobs.pop(job.id, None)
        return job

    def unfinished(self) -> Sequence[Job]:
        """Return the jobs that are not done, oldest first."""
        with self._lock:
            return [*self._jobs.values()]

    def bookmark(self, reader: str) -> str | None:
        """Return how far a reader has read; None: it has not begun."""
        return self._bookmarks.get(reader)


def _instant(ms: int | None) -> datetime | None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return None if ms is None else epoch + timedelta(milliseconds=ms)


def _remove(things: dict[K, Any], keys: Iterable[K]) -> None:
    for key in keys:
        things.pop(key, None)
