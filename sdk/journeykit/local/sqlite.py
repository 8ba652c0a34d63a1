"""The embedded store: everything in one SQLite file. Its tables: `journeykit.local.schema`.

A commit of many customers is one transaction, in which each kind of row is written by
one statement for all of them. That, and integers as keys, is what the speed comes from.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from msgspec.structs import replace

from journeykit.channels import Notice
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.commands import (
    AbsorbCustomer,
    CallAction,
    PublishEvent,
    SendMessage,
)
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Absorb, Stimulus, decoded, encoded
from journeykit.errors import DamagedDocument, StaleCatalog
from journeykit.local import privacy
from journeykit.local.database import Database, Synchronous
from journeykit.local.documents import (
    CURRENT,
    Documents,
    packed_command,
    unpacked_command,
)
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
from journeykit.runtime.addresses import addresses_of
from journeykit.runtime.catalogs import read_catalog
from journeykit.runtime.letters import mentions

_log = logging.getLogger("journeykit.store")

_KEPT_MS = 30 * 24 * 60 * 60 * 1000  # deliveries
_CATALOGS = 50  # kept revisions: weeks of publishing several times a day
_REFERENCES_MS = 400 * 24 * 60 * 60 * 1000
_REFERRED = 20  # of one key
_CONFLICTS_MS = 90 * 24 * 60 * 60 * 1000
_NOTICES_MS = 90 * 24 * 60 * 60 * 1000
_DIGITS = 24  # of a derived id: 12 bytes
_REMEMBERED = 16_384  # customers whose number is known without asking

# json_each takes a list of any length as one parameter: the statement stays prepared.
_LOAD = """
    select id, name, document from customer
    where name in (select value from json_each(?))"""
_NUMBERS = """
    select name, id, revision from customer
    where name in (select value from json_each(?))"""
_UPDATE = "update customer set revision = ?, document = ? where id = ? and revision = ?"
_SCAN = """
    select id, name, document from customer
    where name > ? order by name limit ?"""
_DUE = """
    select wakeup.due, name from wakeup join customer on id = customer
    where wakeup.due <= ? order by wakeup.due, customer limit ?"""
_CLAIM = """
    update command set due = ?, claimed = 1
    where id in (select id from command where due <= ? order by due, id limit ?)"""
_CLAIMED = """
    select id, customer, attempts, claimed, reserved, body from command
    where due <= ? order by due, id limit ?"""
_PARTS = "select max(n) >> 14, min(n) >> 14 from delivery"  # of the index
_FIND = """
    select name, channel, journey, version, step, enrollment, template, outcome, at,
        reason, provider_id, test, address
    from delivery
    join origin on origin.id = origin
    left join customer on customer.id = customer
    where delivery.n >> 14 = ?1
        and substr(delivery.id, 1, 4) = substr(?2, 1, 4) and delivery.id = ?2
    order by delivery.n desc limit 1"""
_PRUNE = """
    delete from delivery
    where n in (select n from delivery order by n limit ?) and at <= ?"""
_NEWEST = "select coalesce(max(revision), 0) from catalog"
_TALLY = """
    insert into tally values (?, ?, ?) on conflict (journey) do update set
        succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed"""
_REFER = """
    insert into reference values (?, ?, ?, ?) on conflict (key, customer) do update
    set delivery = excluded.delivery, at = excluded.at where excluded.at >= at"""
_REFERRED_BY = """
    select customer, delivery, at from reference
    where key = ? order by at desc limit ?"""
_PRUNE_REFERENCES = """
    delete from reference where (key, customer) in (
        select key, customer from reference where at <= ? order by at limit ?)"""
_ABSORBS = "select body from inbox where kind = 'absorb' order by id"
_OWNER = "select customer from identity where key = ?"
_OWN = """
    insert into identity values (?, ?, ?) on conflict (key) do update
    set customer = excluded.customer, at = excluded.at where customer = ?"""
_CONTEST = "insert or ignore into conflict values (?, ?, ?, ?, ?)"
_CONTESTED = """
    select key, kind, holder, claimant, at from conflict order by at desc limit ?"""
_PRUNE_CONFLICTS = "delete from conflict where at <= ?"
_NOTICE = "select customer, id, at, body, expires_at, read_at, dismissed_at from notice"
_POST = """
    insert or ignore into notice (customer, id, at, expires_at, read_at, dismissed_at,
        body) values (?, ?, ?, ?, ?, ?, ?)"""
_MARK = """
    update notice set read_at = coalesce(read_at, ?),
        dismissed_at = coalesce(dismissed_at, ?)
    where customer = ? and id = ?"""
_PRUNE_NOTICES = """
    delete from notice where n in (
        select n from notice where at <= ? order by at limit ?)"""
# What is kept may be in vain: of whoever publishes and is told that others were first.
_PRUNE_CONTENTS = """
    with newest (document) as (
        select cast(document as text) from catalog order by revision desc limit 1)
    delete from content where n <= (select max(n) from content) - ?
        and not exists (select 1 from newest where id in (
            json_extract(document, '$.content'),
            json_extract(document, '$.suppressions')))"""


class SQLiteStore:
    """A `Store` in one file. Several processes may have it open at the same time."""

    def __init__(self, database: Database, documents: Documents) -> None:
        """Take an open database; see `open`."""
        self._database = database
        self._documents = documents
        self._numbers: dict[str, int] = {}
        self._origins: dict[_Origin, int] = {}

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        synchronous: Synchronous = "NORMAL",
        busy_timeout_ms: int = 5000,
        readonly: bool = False,
    ) -> Self:
        """Open a database, or begin a new one.

        Args:
            path: The file.
            synchronous: `FULL`: what is committed survives a power cut. `NORMAL`: it
                survives the end of the process; after a power cut the file is sound,
                but the last commits may be gone.
            busy_timeout_ms: How long to wait for another process before `StoreBusy`.
            readonly: Whether only to look; then there must be a database.

        Raises:
            StoreError: The file can't be opened, or is no database of ours. Nothing in
                it was changed.
        """
        database = Database.open(
            Path(path),
            synchronous=synchronous,
            busy_timeout_ms=busy_timeout_ms,
            readonly=readonly,
        )
        try:
            if not readonly:
                with database as db:
                    layout = msgspec.json.encode(CURRENT).decode()
                    db.execute(
                        "insert or ignore into layout (fields) values (?)", (layout,)
                    )
            layouts = database.rows("select id, fields from layout")
        except BaseException:
            database.close()
            raise
        return cls(
            database, Documents({n: msgspec.json.decode(it) for n, it in layouts})
        )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    # Customers

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """Return the documents that there are, by id."""
        rows = self._database.rows(_LOAD, (_listed(ids),))
        self._remember({name: number for number, name, _ in rows})
        unpack = self._documents.unpacked
        return {name: unpack(doc, name, number) for number, name, doc in rows}

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        """Store changes, each whole, in one transaction."""
        refused: Collection[str] = ()
        try:
            with self._database as db:
                numbers = self._write(db, changes)
                _write_along(db, changes, along)
        except _StaleError:
            # Somebody else came first, which is rare: see who, and write the others.
            self._numbers.clear()
            if len({change.after.id for change in changes}) < len(changes):
                raise ValueError("a commit takes one change of a customer") from None
            with self._database as db:
                refused = _refused(db, changes)
                changes = [c for c in changes if c.after.id not in refused]
                numbers = self._write(db, changes)
                _write_along(db, changes, NOTHING if refused else along)
        self._remember(numbers)
        return refused

    def _write(
        self, db: sqlite3.Connection, changes: Sequence[Change]
    ) -> Mapping[str, int]:
        """Write documents, wake-ups and commands, and return the customers' numbers.

        Raises:
            _StaleError: Not all changes start from what is stored.
        """
        new = [change.after.id for change in changes if change.before is None]
        known = [change.after.id for change in changes if change.before is not None]
        numbers = self._numbered(db, known)
        numbers.update(zip(new, _next(db, "customer", len(new)), strict=True))
        if len(numbers) < len(changes):
            raise _StaleError

        inserts: list[Any] = []
        updates: list[Any] = []
        slept: list[Any] = []
        wakeups: list[Any] = []
        commands: list[Any] = []
        absorbs: list[Stimulus] = []
        packed = self._documents.packed
        for change in changes:
            before, after = change.before, change.after
            number = numbers[after.id]
            if before is None:
                was_due = None
                inserts.append((number, after.id, after.revision, packed(after)))
            else:
                was_due = before.next_due
                updates.append((after.revision, packed(after), number, before.revision))
            if was_due != after.next_due:
                if was_due is not None:
                    slept.append((was_due, number))
                if after.next_due is not None:
                    wakeups.append((after.next_due, number))
            for command in change.commands:
                if isinstance(command, AbsorbCustomer):  # nobody outside is asked
                    absorbs.append(Absorb.of(command))
                else:
                    row = (command.at, number, packed_command(command))
                    commands.append(row)

        many = db.executemany
        if inserts:
            sql = "insert or ignore into customer values (?, ?, ?, ?)"
            if many(sql, inserts).rowcount < len(inserts):
                raise _StaleError
        if updates and many(_UPDATE, updates).rowcount < len(updates):
            raise _StaleError
        if slept:
            many("delete from wakeup where due = ? and customer = ?", slept)
        if wakeups:
            many("insert or ignore into wakeup values (?, ?)", wakeups)
        if commands:
            ids = _next(db, "command", len(commands))
            many(
                "insert into command (id, due, customer, body) values (?, ?, ?, ?)",
                [(id, *row) for id, row in zip(ids, commands, strict=True)],
            )
        _put(db, absorbs)
        return numbers

    def _numbered(self, db: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the customers that there are."""
        known = self._numbers
        try:
            return {name: known[name] for name in names}
        except KeyError:
            rows = db.execute(_NUMBERS, (_listed(names),))
            return {name: number for name, number, _ in rows}

    def _remember(self, numbers: Mapping[str, int]) -> None:
        if len(self._numbers) + len(numbers) > _REMEMBERED:
            self._numbers.clear()
        self._numbers.update(numbers)

    def due(self, before: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return whose `next_due` is at or before an instant, and when, earliest first."""
        return self._database.rows(_DUE, (before, limit))

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """Return the customers behind an id, by id; who can't be read is passed over."""
        found: list[Customer] = []
        while wanted := limit - len(found):
            rows = self._database.rows(_SCAN, (after, wanted))
            for number, name, document in rows:
                after = name
                try:
                    found.append(self._documents.unpacked(document, name, number))
                except DamagedDocument as error:
                    _log.warning("passed over: %s", error)
            if len(rows) < wanted:
                break
        return found

    # Inbox, dead letters

    def put(self, stimuli: Sequence[Stimulus]) -> None:
        """Keep stimuli until they are handled."""
        with self._database as db:
            _put(db, stimuli)

    def pending(self, limit: int) -> Sequence[tuple[int, Stimulus]]:
        """Return the oldest stimuli; one that can't be read becomes a dead letter."""
        found: list[tuple[int, Stimulus]] = []
        while not found:
            broken: list[tuple[int, DeadLetter]] = []
            for id, kind, body in self._database.rows(
                "select id, kind, body from inbox order by id limit ?", (limit,)
            ):
                try:
                    found.append((id, decoded(kind, body)))
                except ValueError as error:
                    letter = DeadLetter(_now(), "inbox", str(error), "", kind, body)
                    broken.append((id, letter))
            if not broken:
                break
            with self._database as db:
                _bury(db, [letter for _, letter in broken])
                _remove(db, "inbox", [id for id, _ in broken])
        return found

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters."""
        with self._database as db:
            _bury(db, letters)

    def dead(self, after: int, limit: int) -> Sequence[DeadLetter]:
        """Return letters behind a number, by number."""
        rows = self._database.rows(
            "select at, door, reason, customer, kind, body, id from dead_letter "
            "where id > ? order by id limit ?",
            (after, limit),
        )
        return [DeadLetter(*row) for row in rows]

    def revive(self, ids: Sequence[int], *, into: Sequence[Stimulus]) -> None:
        """Remove letters and put stimuli into the inbox."""
        with self._database as db:
            _remove(db, "dead_letter", ids)
            _put(db, into)

    # Outbox, deliveries

    def take(self, now: int, limit: int, *, lease_until: int) -> Sequence[Task]:
        """Claim what is due; a command that can't be read becomes a dead letter."""
        tasks: list[Task] = []
        while (
            limit
            and not tasks
            and self._database.rows(
                "select 1 from command where due <= ? limit 1", (now,)
            )
        ):
            tasks = self._taken(now, limit, lease_until)
        return tasks

    def _taken(self, now: int, limit: int, lease_until: int) -> list[Task]:
        """Claim what can be read of what is due, and bury the rest."""
        tasks: list[Task] = []
        broken: list[int] = []
        letters: list[DeadLetter] = []
        with self._database as db:
            rows = db.execute(_CLAIMED, (now, limit)).fetchall()
            for id, customer, attempts, claimed, reserved, body in rows:
                try:
                    command = unpacked_command(body)
                except ValueError as error:
                    name = _name_of(db, customer)
                    broken.append(id)
                    letters.append(
                        DeadLetter(now, "outbox", str(error), name, "", body)
                    )
                    continue
                tasks.append(Task(id, command, attempts, bool(claimed), bool(reserved)))
            db.execute(_CLAIM, (lease_until, now, limit))
            _bury(db, letters)
            _remove(db, "command", broken)
        return tasks

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        """Write down what came of tasks, and put reports into the inbox."""
        origins: dict[_Origin, int] = {}
        with self._database as db:
            self._settle(db, settled, origins)
            _put(db, reports)
            _refer(db, references)
        self._origins.update(origins)

    def _settle(
        self,
        db: sqlite3.Connection,
        settled: Sequence[Settled],
        origins: dict[_Origin, int],
    ) -> None:
        tasks = {
            id: (customer, body)
            for id, customer, body in db.execute(
                "select id, customer, body from command "
                "where id in (select value from json_each(?))",
                (_listed([task.id for task in settled]),),
            )
        }
        again: list[Any] = []
        done: list[int] = []
        deliveries: list[Any] = []
        succeeded: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        latest = 0
        for task in settled:
            if task.id not in tasks:  # its lease lapsed, and somebody else settled it
                continue
            customer, body = tasks.pop(task.id)
            if task.outcome == "again":
                again.append((task.at, task.attempts, task.reserved, task.id))
                continue
            done.append(task.id)
            latest = max(latest, task.at)
            command = unpacked_command(body)
            if isinstance(command, PublishEvent | AbsorbCustomer):
                continue
            delivery, origin = _described(command)
            number = origins.get(origin) or self._origins.get(origin)
            if number is None:
                number = origins[origin] = _number_of_origin(db, origin)
            deliveries.append(
                (
                    _short(delivery),
                    customer,
                    number,
                    _short(command.enrollment),
                    task.outcome,
                    task.at,
                    task.reason,
                    task.provider_id,
                    _short(task.address),
                )
            )
            if not command.test and task.reason not in UNCOUNTED:
                if task.outcome == "sent":
                    succeeded[command.journey] += 1
                elif task.outcome != "returned":
                    failed[command.journey] += 1
        if again:
            db.executemany(
                "update command set due = ?, attempts = ?, reserved = ?, claimed = 0 "
                "where id = ?",
                again,
            )
        _remove(db, "command", done)
        if deliveries:
            db.executemany(
                "insert into delivery (id, customer, origin, enrollment, outcome, at, "
                "reason, provider_id, address) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                deliveries,
            )
            # Twice as many as came, so that it catches up, and never many at once.
            db.execute(_PRUNE, (2 * len(deliveries), latest - _KEPT_MS))
        if journeys := succeeded.keys() | failed.keys():
            db.executemany(_TALLY, [(j, succeeded[j], failed[j]) for j in journeys])

    def backlog(self) -> Mapping[str, int]:
        """Return the earliest due instant (0 if none waits), and how many wait."""
        ((due, waiting),) = self._database.rows(
            "select coalesce(min(due), 0), count(*) from command"
        )
        return {"due": due, "waiting": waiting}

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """Return the deliveries that are known, by id."""
        ((newest, oldest),) = self._database.rows(_PARTS)
        if newest is None:
            return {}
        found: dict[str, Delivery] = {}
        for id in ids:
            short = _short(id)
            for part in range(newest, oldest - 1, -1):  # most reports come soon
                if rows := self._database.rows(_FIND, (part, short)):
                    found[id] = _delivery(id, *rows[0])
                    break
        return found

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """Return how many deliveries of each journey succeeded and failed."""
        rows = self._database.rows("select * from tally")
        return {journey: (succeeded, failed) for journey, succeeded, failed in rows}

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """Count from 0 again."""
        with self._database as db:
            db.executemany(
                "delete from tally where journey = ?", [(j,) for j in journeys]
            )

    # Across customers

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """Claim one of `limit` places of a key; 0 if all are taken by others."""
        with self._database as db:
            own = db.execute(
                "select place from claim where key = ? and holder = ?", (key, holder)
            ).fetchone()
            if own:
                return int(own[0])
            (taken,) = db.execute(
                "select coalesce(max(place), 0) from claim where key = ?", (key,)
            ).fetchone()
            if taken >= limit:
                return 0
            db.execute(
                "insert into claim values (?, ?, ?, ?)", (key, holder, taken + 1, at)
            )
            return int(taken) + 1

    def release(self, key: str, holder: str, *, since: int) -> None:
        """Give back the place of a key that has one."""
        with self._database as db:
            db.execute(
                "delete from claim where key = :key and holder = :holder and at >= :since "
                "and not exists (select 1 from claim where key = :key and place > 1)",
                {"key": key, "holder": holder, "since": since},
            )

    def reserve(
        self, lane: str, slots: int, *, interval_us: int, burst: int, now_us: int
    ) -> int:
        """Reserve slots of a lane, and return the instant of the first one."""
        with self._database as db:
            row = db.execute(
                "select arrival from lane where name = ?", (lane,)
            ).fetchone()
            arrival = max(row[0], now_us) if row else now_us
            db.execute(
                "insert or replace into lane values (?, ?)",
                (lane, arrival + slots * interval_us),
            )
        return max(now_us, arrival - (burst - 1) * interval_us)

    # Catalogs

    def revision(self) -> int:
        """Return the newest revision; 0: nothing is published."""
        ((newest,),) = self._database.rows(_NEWEST)
        return int(newest)

    def current(self) -> CatalogDocument | None:
        """Return the newest catalog."""
        rows = self._database.rows(
            "select document from catalog order by revision desc limit 1"
        )
        return read_catalog(rows[0][0]) if rows else None

    def publish(self, catalog: CatalogDocument) -> None:
        """Make a catalog the newest one, if its revision is the next."""
        document = msgspec.json.encode(catalog)
        with self._database as db:
            (newest,) = db.execute(_NEWEST).fetchone()
            if catalog.revision != newest + 1:
                raise StaleCatalog(
                    f"catalog revision {newest} is published, so {catalog.revision} "
                    "can't be; look at what is new in it and publish again"
                )
            db.execute("insert into catalog values (?, ?)", (newest + 1, document))
            db.execute(
                "delete from catalog where revision <= ?", (newest + 1 - _CATALOGS,)
            )

    # Templates, references, notices

    def keep_content(self, id: str, content: bytes) -> None:
        """Keep a set of templates; one that is there already stays."""
        with self._database as db:
            # Behind all others, so that it isn't the next to go.
            moved = db.execute(
                "update content set n = (select max(n) from content) + 1 where id = ?",
                (id,),
            )
            if not moved.rowcount:
                db.execute(
                    "insert into content (id, templates) values (?, ?)", (id, content)
                )
            db.execute(_PRUNE_CONTENTS, (_CATALOGS,))

    def content(self, id: str) -> bytes | None:
        """Return a set of templates; None: it is not there."""
        rows = self._database.rows("select templates from content where id = ?", (id,))
        return rows[0][0] if rows else None

    def refer(self, references: Sequence[Reference]) -> None:
        """Keep references; of one key and customer the latest."""
        if references:
            with self._database as db:
                _refer(db, references)

    def referred(self, keys: Sequence[str]) -> Mapping[str, Sequence[Reference]]:
        """Return what is known by each key, latest first."""
        found: dict[str, Sequence[Reference]] = {}
        for key in keys:
            rows = self._database.rows(_REFERRED_BY, (_short(key), _REFERRED))
            if rows:
                found[key] = [
                    Reference(key, customer, _long(delivery), at)
                    for customer, delivery, at in rows
                ]
        return found

    def owners(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return who has each of these keys, if anybody has."""
        found: dict[str, str] = {}
        for key in keys:
            rows = self._database.rows(_OWNER, (_short(key),))
            if rows:
                found[key] = rows[0][0]
        return found

    def own(
        self, keys: Sequence[str], customer: str, *, at: int, instead_of: str = ""
    ) -> Mapping[str, str]:
        """Give a customer the keys that nobody has, or that `instead_of` has."""
        rows = [(_short(key), customer, at, instead_of) for key in keys]
        with self._database as db:
            db.executemany(_OWN, rows)
            return {
                key: db.execute(_OWNER, (_short(key),)).fetchone()[0] for key in keys
            }

    def disown(self, keys: Sequence[str], customer: str) -> None:
        """Take keys from a customer; those of somebody else stay theirs."""
        with self._database as db:
            db.executemany(
                "delete from identity where key = ? and customer = ?",
                [(_short(key), customer) for key in keys],
            )

    def handovers(self, customers: Sequence[str]) -> Sequence[Absorb]:
        """Return what merged customers have left, as far as it is still on its way."""
        found: list[Absorb] = []
        wanted = {*customers}
        for (body,) in self._database.rows(_ABSORBS, ()):
            try:
                stimulus = decoded("absorb", body)
            except ValueError:
                continue  # damaged: `pending` buries it
            if isinstance(stimulus, Absorb) and stimulus.merged in wanted:
                found.append(stimulus)
        return found

    def forget_handovers(self, customers: Sequence[str]) -> None:
        """Nothing is kept of them: what is handled is gone from the inbox."""

    def contest(self, conflict: Conflict) -> bool:
        """Keep a conflict, and say whether it is new."""
        kind, holder, at = conflict.kind, conflict.holder, conflict.at
        with self._database as db:
            db.execute(_PRUNE_CONFLICTS, (at - _CONFLICTS_MS,))
            added = db.execute(
                _CONTEST, (_short(conflict.key), conflict.claimant, kind, holder, at)
            )
            return added.rowcount > 0

    def contested(self, limit: int) -> Sequence[Conflict]:
        """Return the latest conflicts, newest first."""
        rows = self._database.rows(_CONTESTED, (limit,))
        return [Conflict(_long(key), *rest) for key, *rest in rows]

    def reconcile(self, key: str, claimant: str) -> bool:
        """Remove a conflict that somebody has dealt with."""
        with self._database as db:
            removed = db.execute(
                "delete from conflict where key = ? and claimant = ?",
                (_short(key), claimant),
            )
            return removed.rowcount > 0

    def post(self, notices: Sequence[Notice]) -> None:
        """Keep notices; one of an id that is there already changes nothing."""
        if not notices:
            return
        rows = [
            (
                *(one.customer, one.id, to_ms(one.at), _ms(one.expires_at)),
                *(_ms(one.read_at), _ms(one.dismissed_at)),
                msgspec.json.encode(one.body),
            )
            for one in notices
        ]
        oldest = max(to_ms(one.at) for one in notices) - _NOTICES_MS
        with self._database as db:
            db.executemany(_POST, rows)
            db.execute(_PRUNE_NOTICES, (oldest, 2 * len(rows)))

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        """Return a customer's notices, latest first."""
        rows = self._database.rows(
            f"{_NOTICE} where customer = ? order by at desc, id desc limit ?",
            (customer, limit),
        )
        return [_notice(*row) for row in rows]

    def mark(
        self, customer: str, id: str, *, read_at: int | None, dismissed_at: int | None
    ) -> Notice | None:
        """Note that one was read or dismissed, the first time each."""
        with self._database as db:
            db.execute(_MARK, (read_at, dismissed_at, customer, id))
            row = db.execute(
                f"{_NOTICE} where customer = ? and id = ?", (customer, id)
            ).fetchone()
        return _notice(*row) if row else None

    # Privacy

    def holdings(self, customers: Collection[str]) -> Sequence[Holding]:
        """Return what is kept about customers, their documents apart."""
        is_about = self._mentions(customers)
        with self._database.looking() as db:
            return privacy.holdings(db, customers, is_about)

    def erase(self, customers: Collection[str]) -> Mapping[str, int]:
        """Forget customers: their documents, and all that `holdings` returns."""
        is_about = self._mentions(customers)
        with self._database.overwriting() as db:
            erased = privacy.erase(db, customers, is_about)
        self._numbers.clear()
        return erased

    def _mentions(self, customers: Collection[str]) -> Callable[[str], bool]:
        """Make the test whether a text is about customers, by all that is known of them."""
        known: list[Customer] = []
        for id in customers:
            with contextlib.suppress(DamagedDocument):
                known += self.load([id]).values()
        return mentions(
            {*customers},
            {each for one in known for each in one.identifiers},
            {each for one in known for each in addresses_of(one)},
        )

    # Journal, jobs, bookmarks

    def journal(self, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return blocks of lines in the order of their commits."""
        return self._database.rows(
            "select id, lines from journal order by id limit ?", (limit,)
        )

    def forget(self, until: int) -> None:
        """Remove the blocks up to a number."""
        with self._database as db:
            db.execute("delete from journal where id <= ?", (until,))

    def save(self, job: Job) -> Job:
        """Store a new job, or how far one has come; one that is done is removed."""
        with self._database as db:
            if job.id:
                db.execute(
                    "update job set cursor = ?, visited = ? where id = ?",
                    (job.cursor, job.visited, job.id),
                )
            else:
                (id,) = _next(db, "job", 1)
                job = replace(job, id=id)
                db.execute(
                    "insert into job values (?, ?, ?, ?, ?, ?)",
                    (
                        id,
                        job.reason,
                        job.journey,
                        job.cursor,
                        job.visited,
                        job.started_at,
                    ),
                )
                db.execute("insert into job_people values (?, ?)", (id, job.people))
            if job.done:
                db.execute("delete from job where id = ?", (job.id,))
                db.execute("delete from job_people where job = ?", (job.id,))
        return job

    def unfinished(self) -> Sequence[Job]:
        """Return the jobs that are not done, oldest first."""
        return [
            Job(id, reason, journey, cursor, visited, False, started_at, people)
            for id, reason, journey, cursor, visited, started_at, people in (
                self._database.rows(
                    "select job.*, people from job join job_people on job = id "
                    "order by id"
                )
            )
        ]

    def bookmark(self, reader: str) -> str | None:
        """Return how far a reader has read; None: it has not begun."""
        rows = self._database.rows(
            "select place from bookmark where reader = ?", (reader,)
        )
        return rows[0][0] if rows else None

    def readers(self) -> Sequence[str]:
        """Return the names of all readers that have begun."""
        return [name for (name,) in self._database.rows("select reader from bookmark")]


class _StaleError(Exception):
    """A change does not start from what is stored."""


class _Origin(NamedTuple):
    """Where deliveries come from: as many as the journeys have sends and calls."""

    channel: str
    journey: str
    version: int
    step: str
    template: str
    test: bool


def _listed(values: Sequence[str] | Sequence[int]) -> str:
    return msgspec.json.encode(values).decode()


def _next(db: sqlite3.Connection, counter: str, count: int) -> range:
    """Give out numbers, none of them ever again: an old one may still be in somebody's hand."""
    if not count:
        return range(0)
    db.execute(
        "insert into counter values (?, ?) "
        "on conflict (name) do update set value = value + excluded.value",
        (counter, count),
    )
    (last,) = db.execute(
        "select value from counter where name = ?", (counter,)
    ).fetchone()
    return range(last - count + 1, last + 1)


def _refused(db: sqlite3.Connection, changes: Sequence[Change]) -> Collection[str]:
    names = _listed([change.after.id for change in changes])
    stored = {name: revision for name, _, revision in db.execute(_NUMBERS, (names,))}
    return {
        change.after.id
        for change in changes
        if stored.get(change.after.id)
        != (change.before.revision if change.before else None)
    }


def _write_along(
    db: sqlite3.Connection, changes: Sequence[Change], along: Along
) -> None:
    _remove(db, "inbox", along.handled)
    _bury(db, along.dead)
    if along.bookmark:
        db.execute("insert or replace into bookmark values (?, ?)", along.bookmark)
    if lines := b"".join([change.lines for change in changes] + [along.lines]):
        (id,) = _next(db, "journal", 1)
        db.execute("insert into journal values (?, ?)", (id, lines))


def _put(db: sqlite3.Connection, stimuli: Sequence[Stimulus]) -> None:
    if not stimuli:
        return
    ids = _next(db, "inbox", len(stimuli))
    db.executemany(
        "insert into inbox values (?, ?, ?)",
        [(id, *encoded(stimulus)) for id, stimulus in zip(ids, stimuli, strict=True)],
    )


def _bury(db: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
    if not letters:
        return
    ids = _next(db, "dead_letter", len(letters))
    db.executemany(
        "insert into dead_letter values (?, ?, ?, ?, ?, ?, ?)",
        [
            (id, new.at, new.door, new.reason, new.customer, new.kind, new.body)
            for id, new in zip(ids, letters, strict=True)
        ],
    )


def _refer(db: sqlite3.Connection, references: Sequence[Reference]) -> None:
    if not references:
        return
    db.executemany(
        _REFER,
        [
            (_short(one.key), one.customer, _short(one.delivery_id), one.at)
            for one in references
        ],
    )
    # Twice as many as came, so that it catches up, and never many at once.
    oldest = max(one.at for one in references) - _REFERENCES_MS
    db.execute(_PRUNE_REFERENCES, (oldest, 2 * len(references)))


def _notice(
    customer: str,
    id: str,
    at: int,
    body: bytes,
    *instants: int | None,
) -> Notice:
    expires_at, read_at, dismissed_at = [
        None if ms is None else to_datetime(ms) for ms in instants
    ]
    return Notice(
        id=id,
        customer=customer,
        at=to_datetime(at),
        body=msgspec.json.decode(body),
        expires_at=expires_at,
        read_at=read_at,
        dismissed_at=dismissed_at,
    )


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)


def _remove(db: sqlite3.Connection, table: str, ids: Sequence[int]) -> None:
    if ids:
        db.executemany(f"delete from {table} where id = ?", [(id,) for id in ids])  # noqa: S608 - ours


def _name_of(db: sqlite3.Connection, number: int) -> str:
    row = db.execute("select name from customer where id = ?", (number,)).fetchone()
    return row[0] if row else ""


def _described(command: SendMessage | CallAction) -> tuple[str, _Origin]:
    """Return the id of a delivery, and where it comes from."""
    if isinstance(command, CallAction):
        id, channel, template = command.call_id, command.action, ""
    else:
        id, channel, template = command.delivery_id, command.channel, command.template
    step = command.step
    return id, _Origin(
        channel, command.journey, command.version, step, template, command.test
    )


def _number_of_origin(db: sqlite3.Connection, origin: _Origin) -> int:
    found = db.execute(
        "select id from origin where channel = ? and journey = ? and version = ? "
        "and step = ? and template = ? and test = ?",
        origin,
    ).fetchone()
    if found:
        return int(found[0])
    added = db.execute(
        "insert into origin (channel, journey, version, step, template, test) "
        "values (?, ?, ?, ?, ?, ?)",
        origin,
    )
    return int(added.lastrowid or 0)


def _delivery(
    id: str,
    customer: str | None,
    channel: str,
    journey: str,
    version: int,
    step: str,
    enrollment: bytes | str,
    *rest: Any,
) -> Delivery:
    template, outcome, at, reason, provider_id, test, address = rest
    return Delivery(
        id=id,
        customer=customer or "",
        channel=channel,
        journey=journey,
        version=version,
        step=step,
        enrollment=_long(enrollment),
        template=template,
        outcome=outcome,
        at=at,
        reason=reason,
        provider_id=provider_id,
        test=bool(test),
        address=_long(address),
    )


def _short(id: str) -> bytes | str:
    """An id in half the bytes, if it is one of ours: 24 hexadecimal digits."""
    if len(id) == _DIGITS:
        try:
            short = bytes.fromhex(id)
        except ValueError:
            return id
        if short.hex() == id:
            return short
    return id


def _long(short: bytes | str) -> str:
    """What `_short` made short."""
    return short if isinstance(short, str) else short.hex()


def _now() -> int:
    return time.time_ns() // 1_000_000
