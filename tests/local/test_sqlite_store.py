"""The SQLite store: the contract, and all that can happen to a file."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from journeykit.engine.customer import Customer, Enrollment, created
from journeykit.engine.stimuli import WakeUp
from journeykit.errors import NewerStore, StaleCatalog, StoreBusy, StoreError, StoreFull
from journeykit.local.schema import MIGRATIONS, migrate
from journeykit.local.sqlite import SQLiteStore
from journeykit.ports import Along, Change, Job, Settled, Store
from journeykit.testing import StoreContract
from journeykit.testing.store_contract.messages import (
    AT,
    KEY,
    make_notice,
    make_reference,
)
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    make_call,
    make_catalog,
    make_full,
    make_later,
    make_letter,
    make_message,
    make_newcomer,
    make_person,
    make_stimuli,
)
from journeykit.testing.store_contract.whole import decide, settled

DATA = Path(__file__).parent / "data"


class TestNormal(StoreContract):
    def make(self, folder: Path) -> SQLiteStore:
        return SQLiteStore.open(folder / "journeykit.db", synchronous="NORMAL")

    def reopen(self, store: Store, folder: Path) -> Store:
        store.close()
        return self.make(folder)


class TestFull(TestNormal):
    def make(self, folder: Path) -> SQLiteStore:
        return SQLiteStore.open(folder / "journeykit.db", synchronous="FULL")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journeykit.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with closing(SQLiteStore.open(path, busy_timeout_ms=50)) as store:
        yield store


def raw(path: Path) -> closing[sqlite3.Connection]:
    """The file as any other program sees it."""
    return closing(sqlite3.connect(path, isolation_level=None))


def folder_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


# Opening


def test_a_new_database_is_its_owners_alone(store: SQLiteStore, path: Path) -> None:
    store.put([WakeUp("ada")])

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes["journeykit.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_an_empty_file_is_a_beginning(path: Path) -> None:
    path.touch()

    with closing(SQLiteStore.open(path)) as store:
        assert store.revision() == 0


def test_a_closed_database_is_one_file(path: Path) -> None:
    store = SQLiteStore.open(path)
    store.commit([make_newcomer("ada")])

    store.close()

    assert list(folder_of(path)) == ["journeykit.db"]
    with pytest.raises(StoreError, match="closed"):
        store.load(["ada"])
    with pytest.raises(StoreError, match="closed"):
        store.put([WakeUp("ada")])


def text(path: Path) -> None:
    path.write_text("customer,plan\nada,paid\n" * 500)


def short_text(path: Path) -> None:
    path.write_text("x")


def another_application(path: Path) -> None:
    with raw(path) as db:
        db.execute("create table notes (text)")


def marked_by_another_application(path: Path) -> None:
    with raw(path) as db:
        db.execute("pragma application_id = 7")


def later_release(path: Path) -> None:
    SQLiteStore.open(path).close()
    with raw(path) as db:
        db.execute(f"pragma user_version = {len(MIGRATIONS) + 1}")


def cut_in_half(path: Path) -> None:
    SQLiteStore.open(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def header_overwritten(path: Path) -> None:
    SQLiteStore.open(path).close()
    whole = path.read_bytes()
    path.write_bytes(bytes(200) + whole[200:])


UNFIT: dict[Callable[[Path], None], str] = {
    text: "is no database",
    short_text: "is no database",
    another_application: "is another application's database",
    marked_by_another_application: "is another application's database",
    later_release: f"shape {len(MIGRATIONS) + 1}, this one reads up to {len(MIGRATIONS)}",
    cut_in_half: "is damaged",
    header_overwritten: "is no database",
}


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("make", UNFIT, ids=lambda make: make.__name__)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], readonly: bool
) -> None:
    make(path)
    before = folder_of(path)

    with pytest.raises(StoreError, match=UNFIT[make]) as refused:
        SQLiteStore.open(path, readonly=readonly)

    assert str(path) in str(refused.value)
    assert (refused.type is NewerStore) == (make is later_release)
    # Who only looks may leave an empty log beside it, as SQLite does.
    after = folder_of(path)
    assert (after if not readonly else {path.name: after[path.name]}) == before


@pytest.mark.parametrize("readonly", [False, True])
def test_a_folder_is_no_database(tmp_path: Path, readonly: bool) -> None:
    with pytest.raises(StoreError, match=r"unable to open|can't be opened"):
        SQLiteStore.open(tmp_path, readonly=readonly)


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be opened"):
        SQLiteStore.open(tmp_path / "missing" / "journeykit.db")

    assert list(tmp_path.iterdir()) == []


# Only to look


def test_where_there_is_nothing_to_look_at_it_says_how_to_begin(path: Path) -> None:
    with pytest.raises(StoreError, match="`journeykit run`"):
        SQLiteStore.open(path, readonly=True)

    assert not path.exists()


def test_who_only_looks_sees_what_is_there_and_writes_nothing(path: Path) -> None:
    with closing(SQLiteStore.open(path)) as store:
        store.commit([make_newcomer("ada")])

        with closing(SQLiteStore.open(path, readonly=True)) as look:
            assert set(look.load(["ada"])) == {"ada"}
            store.commit([make_newcomer("bob")])
            assert set(look.load(["ada", "bob"])) == {"ada", "bob"}
            with pytest.raises(StoreError, match="readonly"):
                look.put([WakeUp("ada")])


def test_who_only_looks_needs_nobody_else(path: Path) -> None:
    with closing(SQLiteStore.open(path)) as store:
        store.commit([make_newcomer("ada")])
    before = path.read_bytes()

    with closing(SQLiteStore.open(path, readonly=True)) as look:
        assert set(look.load(["ada"])) == {"ada"}

    assert path.read_bytes() == before


def test_who_only_looks_does_not_bring_it_up_to_date(path: Path) -> None:
    path.touch()

    with pytest.raises(StoreError, match="earlier journeykit"):
        SQLiteStore.open(path, readonly=True)


# Shapes


def test_a_database_of_the_first_shape_is_read(path: Path) -> None:
    with raw(path) as db:
        db.executescript((DATA / "shape-1.sql").read_text(encoding="utf-8"))

    with closing(SQLiteStore.open(path)) as store:
        people = store.load(["ada", "bob", "cyd"])
        assert people["ada"] == make_full("ada", next_due=NOW)
        assert len(people["bob"].profile) == 40
        assert people["cyd"].profile == {"huge": 2**80}
        assert list(store.due(NOW, 9)) == [(NOW, "ada")]
        assert store.find(["ab12" * 6])["ab12" * 6].provider_id == "p1"
        assert store.find(["c1"])["c1"].reason == "no stock"
        assert store.tallies() == {"welcome": (1, 1)}
        again, lapsed = store.take(NOW + HOUR, 9, lease_until=NOW + HOUR)
        assert again.command == make_message("d2")
        assert (again.attempts, again.reserved, again.lapsed) == (1, True, False)
        assert (lapsed.command, lapsed.lapsed) == (make_message("d3"), True)
        known = make_stimuli()[:5]  # what there was then
        assert [stimulus for _, stimulus in store.pending(9)] == known
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]
        assert [letter.reason for letter in store.dead(0, 9)] == ["poison"]
        assert store.claim("first-2", "bob", 2, at=NOW) == 2
        assert store.reserve("sms", 1, interval_us=100, burst=1, now_us=0) == 1300
        assert store.current() == make_catalog(1)
        (job,) = store.unfinished()
        assert job == Job(
            1, "enroll", "welcome", "5", 4, False, NOW, b'{"customer":"ada"}\n'
        )
        assert store.bookmark("events.jsonl") == "17"
        assert not store.commit([Change(people["ada"], make_later(people["ada"]))])


def test_a_database_of_the_second_shape_is_read(path: Path) -> None:
    with raw(path) as db:
        db.executescript((DATA / "shape-2.sql").read_text(encoding="utf-8"))

    with closing(SQLiteStore.open(path)) as store:
        people = store.load(["ada", "bob", "cyd"])
        assert people["ada"].active == make_full("ada").active
        assert people["cyd"].profile == {"huge": 2**80}
        assert store.find(["ab12" * 6])["ab12" * 6].address == KEY
        assert store.find(["c1"])["c1"].address == ""
        again, lapsed = store.take(NOW + HOUR, 9, lease_until=NOW + HOUR)
        assert again.command == make_message(
            "d2", locale="de-CH", zone="Europe/Zurich", once=True
        )
        assert (again.attempts, again.reserved, lapsed.lapsed) == (1, True, True)
        live = store.current()
        assert live is not None
        assert live.facts == {"whatsapp": {"free": ["hello"]}}
        assert store.content(live.content) == b"templates"
        assert store.content(live.suppressions) == b"addresses"
        [known] = store.referred([KEY])[KEY]
        assert known == make_reference("ada", delivery_id="ab12" * 6)
        assert [*store.notices("ada", limit=9)] == [
            make_notice("n2"),
            make_notice(
                "n1",
                expires_at=AT + timedelta(days=3),
                read_at=AT + timedelta(hours=1),
            ),
        ]
        ada = people["ada"]
        assert not store.commit([Change(ada, make_later(ada))])


def test_migrations_are_done_in_order_and_once(path: Path) -> None:
    first = ("create table a (x)",)
    second = ("alter table a add column y default 7", "create table b (x)")
    with raw(path) as db:
        migrate(db, "it", (first,))
        db.execute("insert into a values (1)")

        migrate(db, "it", (first, second))
        migrate(db, "it", (first, second))

        assert db.execute("select * from a").fetchall() == [(1, 7)]
        assert db.execute("pragma user_version").fetchone() == (2,)


def test_a_migration_is_done_whole_or_not_at_all(path: Path) -> None:
    first = ("create table a (x)",)
    broken = ("create table b (x)", "create table a (x)")
    with raw(path) as db:
        with pytest.raises(sqlite3.OperationalError):
            migrate(db, "it", (first, broken))

        tables = db.execute("select name from sqlite_master").fetchall()
        assert tables == [("a",)]
        assert db.execute("pragma user_version").fetchone() == (1,)


def test_several_processes_may_begin_it_together(path: Path) -> None:
    stores: list[SQLiteStore] = []
    threads = [
        threading.Thread(target=lambda: stores.append(SQLiteStore.open(path)))
        for _ in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(stores) == 6
    stores[0].commit([make_newcomer("ada")])
    for store in stores:
        assert set(store.load(["ada"])) == {"ada"}
        store.close()


# Documents


def test_a_document_of_an_earlier_layout_is_read(path: Path) -> None:
    ada = make_full("ada")
    SQLiteStore.open(path).close()
    earlier = {
        "Customer": ["active", "past", "id", "schema", "created_at", "revision"],
        "Enrollment": ["journey", "id", "version", "entered_at", "n", "step"],
        "Past": ["last_in", "count"],
    }
    run, past = ada.active[0], ada.past["vouchers"]
    places = [
        [["welcome", run.id, run.version, run.entered_at, run.n, run.step]],
        {"vouchers": [past.last_in, past.count]},
        7,
        1,
        ada.created_at,
        ada.revision,
    ]
    # The layout's number stands where the id would, which is the first place today.
    places[0], places[2] = places[2], places[0]
    order = earlier["Customer"]
    order[0], order[2] = order[2], order[0]
    with raw(path) as db:
        db.execute("insert into layout values (7, ?)", (json.dumps(earlier),))
        db.execute(
            "insert into customer values (1, 'ada', 1, ?)",
            (msgspec.msgpack.encode(places),),
        )

    with closing(SQLiteStore.open(path)) as store:
        found = store.load(["ada"])["ada"]

        assert found == replace(
            created("ada", ada.created_at),
            clock=0,
            revision=1,
            active=[Enrollment("e1", "welcome", 3, 1, run.entered_at, step=run.step)],
            past={"vouchers": type(past)(past.count, past.last_in)},
        )
        assert not store.commit([Change(found, make_later(found))])
        assert store.load(["ada"])["ada"] == make_later(found)


def document(db: sqlite3.Connection) -> bytes:
    (found,) = db.execute("select document from customer").fetchone()
    return bytes(found)


def of_a_later_schema(stored: bytes) -> bytes:
    places = msgspec.msgpack.decode(stored)
    return msgspec.msgpack.encode(
        [p + 1 if n == 2 else p for n, p in enumerate(places)]
    )


def of_an_unknown_layout(stored: bytes) -> bytes:
    return msgspec.msgpack.encode([99, *msgspec.msgpack.decode(stored)[1:]])


@pytest.mark.parametrize("change", [of_a_later_schema, of_an_unknown_layout])
def test_a_document_of_a_later_release_is_refused(
    store: SQLiteStore, path: Path, change: Callable[[bytes], bytes]
) -> None:
    store.commit([make_newcomer("ada")])
    with raw(path) as db:
        changed = change(document(db))
        db.execute("update customer set document = ?", (changed,))

        with pytest.raises(NewerStore, match="customer row 1 was written"):
            store.load(["ada"])
        with pytest.raises(NewerStore, match="customer row 1 was written"):
            store.scan("", 9)

        assert document(db) == changed


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x00",
        b"x",
        b"{",
        b"[]",
        b"\x90",
        b"\x91\x01",
        b"\xff" * 9,
        b"{}",
        b"\xc0",
    ],
)
def test_a_damaged_document_says_which_row_and_not_whose_it_is(
    store: SQLiteStore, path: Path, damaged: bytes
) -> None:
    store.commit([make_newcomer("ada"), make_newcomer("bob")])
    with raw(path) as db:
        db.execute("update customer set document = ? where name = 'ada'", (damaged,))

    with pytest.raises(StoreError, match="row 1 can't be read") as caught:
        store.load(["ada", "bob"])
    assert "ada" not in str(caught.value)
    assert set(store.load(["bob"])) == {"bob"}


def test_a_scan_passes_over_who_cant_be_read(
    store: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.commit([make_newcomer(name) for name in ("ada", "bob", "cyd", "dan")])
    with raw(path) as db:
        db.execute("update customer set document = x'00' where name < 'c'")

    with caplog.at_level("WARNING", "journeykit.store"):
        page = store.scan("", 2)

    assert [customer.id for customer in page] == ["cyd", "dan"]  # a full page
    assert "customer row 1 " in caplog.text
    assert "ada" not in caplog.text


def test_every_cut_of_a_document_is_noticed(store: SQLiteStore, path: Path) -> None:
    store.commit([Change(None, make_full("ada"))])
    with raw(path) as db:
        whole = document(db)
        for end in range(len(whole)):
            db.execute("update customer set document = ?", (whole[:end],))
            with pytest.raises(StoreError):
                store.load(["ada"])


def test_a_large_document_is_compressed(store: SQLiteStore, path: Path) -> None:
    runs = [
        Enrollment(f"{n:024}", "welcome", 3, n, NOW, step="wait-1d", due=NOW + HOUR)
        for n in range(50)
    ]
    ada = make_person("ada", active=runs)

    store.commit([Change(None, ada)])

    with raw(path) as db:
        assert len(document(db)) < len(msgspec.json.encode(ada)) / 4
    assert store.load(["ada"]) == {"ada": ada}


# What can't be read does not hold up the rest


def test_a_stimulus_that_cant_be_read_becomes_a_dead_letter(
    store: SQLiteStore, path: Path
) -> None:
    store.put([WakeUp("ada"), WakeUp("bob"), WakeUp("cyd")])
    with raw(path) as db:
        db.execute("update inbox set kind = 'visit' where id = 1")
        db.execute("update inbox set body = x'ff' where id = 2")

    assert [stimulus for _, stimulus in store.pending(2)] == [WakeUp("cyd")]

    visit, broken = store.dead(0, 9)
    assert (visit.door, visit.kind) == ("inbox", "visit")
    assert "'visit'" in visit.reason
    assert (broken.kind, broken.body) == ("wake_up", b"\xff")
    assert len(store.pending(9)) == 1


def test_a_command_that_cant_be_read_becomes_a_dead_letter(
    store: SQLiteStore, path: Path
) -> None:
    decide(store, make_message("d1"), make_message("d2"), make_message("d3"))
    with raw(path) as db:
        db.execute("update command set body = x'ff' where id < 3")

    (task,) = store.take(NOW, 2, lease_until=NOW + HOUR)

    assert task.command == make_message("d3")
    letters = store.dead(0, 9)
    assert [(x.at, x.door, x.customer) for x in letters] == [(NOW, "outbox", "ada")] * 2
    assert store.backlog()["waiting"] == 1


def test_thousands_of_rows_that_cant_be_read_are_all_passed_over(
    store: SQLiteStore, path: Path
) -> None:
    store.put([WakeUp("ada")] * 1200)
    decide(store, *(make_message(f"d{n}") for n in range(1200)))
    with raw(path) as db:
        db.execute("update inbox set body = x'ff' where id < 1200")
        db.execute("update command set body = x'ff' where id < 1200")

    ((number, _),) = store.pending(1)
    (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)

    assert (number, task.id) == (1200, 1200)


def test_taking_nothing_takes_nothing(store: SQLiteStore) -> None:
    decide(store, make_message("d1"))

    assert not store.take(NOW, 0, lease_until=NOW + HOUR)


def test_a_catalog_of_a_later_release_is_refused(store: SQLiteStore) -> None:
    store.publish(make_catalog(1, schema=2))

    with pytest.raises(NewerStore, match="schema 2"):
        store.current()


def test_a_damaged_catalog_is_an_error_of_ours(store: SQLiteStore, path: Path) -> None:
    store.publish(make_catalog(1))
    with raw(path) as db:
        db.execute("update catalog set document = '{}'")

    with pytest.raises(StoreError, match="catalog can't be read"):
        store.current()


def test_the_last_fifty_catalogs_are_kept(store: SQLiteStore, path: Path) -> None:
    for revision in range(1, 61):
        store.publish(make_catalog(revision))

    with raw(path) as db:
        kept = db.execute("select revision from catalog order by 1").fetchall()
    assert kept == [(n,) for n in range(11, 61)]


# Several processes: each has a store of its own


def test_what_one_process_writes_the_others_see(path: Path) -> None:
    with (
        closing(SQLiteStore.open(path)) as one,
        closing(SQLiteStore.open(path)) as two,
    ):
        one.commit([make_newcomer("ada")])
        ada = two.load(["ada"])["ada"]
        assert not two.commit([Change(ada, make_later(ada, next_due=NOW))])

        assert set(
            one.commit([Change(ada, make_later(ada)), make_newcomer("bob")])
        ) == {"ada"}
        assert set(two.commit([make_newcomer("bob"), make_newcomer("cyd")])) == {"bob"}
        assert list(one.due(NOW, 9)) == [(NOW, "ada")]

        one.publish(make_catalog(1))
        assert two.revision() == 1
        with pytest.raises(StaleCatalog):
            two.publish(make_catalog(1))


def test_a_process_that_has_loaded_nothing_can_commit(path: Path) -> None:
    with closing(SQLiteStore.open(path)) as one:
        one.commit([make_newcomer("ada"), make_newcomer("bob")])
        ada, bob = one.load(["ada", "bob"]).values()

    with closing(SQLiteStore.open(path)) as two:
        assert not two.commit(
            [Change(bob, make_later(bob)), Change(ada, make_later(ada))]
        )

        assert {c.revision for c in two.scan("", 9)} == {2}


def test_origins_are_written_once(path: Path) -> None:
    with (
        closing(SQLiteStore.open(path)) as one,
        closing(SQLiteStore.open(path)) as two,
        raw(path) as db,
    ):
        for n, store in enumerate((one, two, one, two)):
            settled(store, make_message(f"d{n}"), "sent")
            settled(store, make_message(f"t{n}", test=True), "sent")

        assert db.execute("select count(*) from origin").fetchone() == (2,)
        assert len(one.find([f"d{n}" for n in range(4)])) == 4


def test_deliveries_are_found_in_every_part_of_the_index(
    store: SQLiteStore, path: Path
) -> None:
    settled(store, make_message("first"), "returned")
    for n in range(1, 4):  # as if that many were in between
        with raw(path) as db:
            db.execute("update delivery set n = n + 100000 where n > 100000")
            db.execute("update delivery set n = 100000 * ? + 1 where n = 2", (n,))
        settled(store, make_message(f"d{n}"), "sent")
    settled(store, make_message("first"), "sent")

    found = store.find(["first", "d1", "d2", "d3", "d4"])

    assert {id: found[id].outcome for id in found} == dict.fromkeys(
        ("first", "d1", "d2", "d3"), "sent"
    )


# A lock, a full disk, a crash


def test_a_locked_database_is_busy_and_works_on(store: SQLiteStore, path: Path) -> None:
    store.commit([make_newcomer("ada")])
    with raw(path) as other:
        other.execute("begin exclusive")
        with pytest.raises(StoreBusy, match="locked by another process"):
            store.commit([make_newcomer("bob")])
        with pytest.raises(StoreBusy):
            store.put([WakeUp("ada")])
        assert set(store.load(["ada", "bob"])) == {"ada"}, "looking needs no lock"
        other.execute("rollback")

    assert not store.commit([make_newcomer("bob")])
    assert set(store.load(["ada", "bob"])) == {"ada", "bob"}


def test_a_full_disk_leaves_nothing_half_done(store: SQLiteStore) -> None:
    ada = make_person("ada", next_due=NOW)
    store.commit([Change(None, ada, (make_message("d0"),), b"1\n")])
    (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)
    limit = "pragma max_page_count"
    ((pages,),) = store._database.rows("pragma page_count")
    store._database.rows(f"{limit} = {pages}")
    many = [
        Change(
            None,
            make_person(f"c{n}", next_due=NOW),
            (make_message(f"d{n}"),),
            b"2\n" * 99,
        )
        for n in range(500)
    ]
    change = Change(ada, make_later(ada, next_due=None), lines=b"2\n")

    with pytest.raises(StoreFull, match="no space left"):
        store.commit([change, *many], along=Along(bookmark=("r", "1")))
    with pytest.raises(StoreFull):
        store.settle(
            [Settled(task.id, "sent", NOW)],
            reports=[WakeUp("x" * 200) for _ in range(999)],
        )

    assert {c.id: c.revision for c in store.scan("", 999)} == {"ada": 1}
    assert list(store.due(NOW, 999)) == [(NOW, "ada")]
    assert [lines for _, lines in store.journal(9)] == [b"1\n"]
    assert store.bookmark("r") is None
    assert store.backlog()["waiting"] == 1
    assert store.find(["d0"]) == {}
    assert list(store.pending(9)) == []

    store._database.rows(f"{limit} = 1000000")
    assert not store.commit([change, *many], along=Along(bookmark=("r", "1")))
    store.settle([Settled(task.id, "sent", NOW)])
    assert len(store.scan("", 999)) == 501
    assert store.find(["d0"])["d0"].outcome == "sent"


def test_a_damaged_page_is_an_error_of_ours(path: Path) -> None:
    with closing(SQLiteStore.open(path)) as store:
        store.commit([make_newcomer(f"c{n}") for n in range(999)])
    whole = bytearray(path.read_bytes())
    whole[3 * 4096 :] = b"\x7f" * (len(whole) - 3 * 4096)
    path.write_bytes(whole)

    with (
        pytest.raises(StoreError, match="damaged"),
        closing(SQLiteStore.open(path)) as s,
    ):
        s.load(["c7"])


def states(path: Path) -> set[int]:
    with closing(SQLiteStore.open(path)) as store:
        found = store.scan("", 999)
        assert {c.id for c in found} == {f"c{n}" for n in range(len(found))}
        return {len(found)}


def test_a_log_that_was_cut_off_loses_last_commits_and_nothing_else(
    tmp_path: Path,
) -> None:
    """As after a power cut: the write-ahead log ends anywhere."""
    source = tmp_path / "source" / "journeykit.db"
    source.parent.mkdir()
    store = SQLiteStore.open(source)
    for n in range(20):
        store.commit(
            [Change(None, make_person(f"c{n}"), (make_message(f"d{n}"),), b"line\n")]
        )
    main, log = source.read_bytes(), source.with_name("journeykit.db-wal").read_bytes()
    store.close()

    found: list[int] = []
    for n, end in enumerate([*range(0, len(log), 3001), len(log) - 1, len(log)]):
        copy = tmp_path / str(n) / "journeykit.db"
        copy.parent.mkdir()
        copy.write_bytes(main)
        copy.with_name("journeykit.db-wal").write_bytes(log[:end])
        with closing(SQLiteStore.open(copy)) as store:
            count = len(store.scan("", 99))
            assert store.backlog()["waiting"] == len(store.journal(99)) == count
            found.append(count)

    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 20)


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    program = f"""
from journeykit.engine.customer import created
from journeykit.local.sqlite import SQLiteStore
from journeykit.ports import Change

store = SQLiteStore.open({str(path)!r})
for n in range(100_000):
    store.commit([Change(None, created(f"c{{n:06}}", n), lines=b"x")])
    print(n, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(50):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        last = max([last, *map(int, process.stdout.read().split("\n")[:-1])])

    with closing(SQLiteStore.open(path)) as store:
        count = len(store.scan("", 100_000))
        assert count in (last + 1, last + 2)
        assert len(store.journal(100_000)) == count


def test_a_mistake_in_a_batch_stores_nothing_of_it(store: SQLiteStore) -> None:
    wrong: Any = Customer("bob", NOW, 1, profile={"x": object()})

    with pytest.raises(TypeError):
        store.commit([make_newcomer("ada"), Change(None, wrong)])
    with pytest.raises(UnicodeEncodeError):
        store.bury([make_letter("a"), make_letter("\ud800")])

    assert store.scan("", 9) == []
    assert store.dead(0, 9) == []
    assert not store.commit([make_newcomer("ada")])


def test_a_call_is_counted_with_its_journeys_messages(store: SQLiteStore) -> None:
    settled(store, make_call("c1"), "failed")
    settled(store, make_message("d1"), "sent")

    assert store.tallies() == {"welcome": (1, 1)}


# Templates, references, inboxes


def test_a_database_of_the_first_shape_takes_what_later_ones_keep(path: Path) -> None:
    with raw(path) as db:
        db.executescript((DATA / "shape-1.sql").read_text(encoding="utf-8"))

    with closing(SQLiteStore.open(path)) as store:
        store.keep_content("a", b"templates")
        store.refer([make_reference("ada")])
        store.post([make_notice("d1")])
        settled(store, make_message("d9"), "sent")

        assert store.content("a") == b"templates"
        assert [*store.referred([KEY])[KEY]] == [make_reference("ada")]
        assert [*store.notices("ada", limit=9)] == [make_notice("d1")]
        assert store.find(["c1", "d9"])["c1"].address == ""


def test_the_templates_of_the_live_catalog_are_kept_whatever_comes(
    store: SQLiteStore,
) -> None:
    store.keep_content("live", b"live")
    store.keep_content("addresses", b"addresses")
    store.publish(make_catalog(1, content="live", suppressions="addresses"))

    for n in range(60):  # of publishers who were told that others were first
        store.keep_content(f"in-vain-{n}", b"x")

    assert store.content("live") == b"live"
    assert store.content("addresses") == b"addresses"
    assert [n for n in range(60) if store.content(f"in-vain-{n}")] == [*range(10, 60)]


def test_templates_that_are_kept_again_are_the_last_to_go(store: SQLiteStore) -> None:
    for n in range(50):
        store.keep_content(str(n), b"x")
    store.keep_content("0", b"x")

    store.keep_content("50", b"x")

    assert store.content("0") == b"x"
    assert store.content("1") is None


def test_references_are_kept_for_400_days(store: SQLiteStore) -> None:
    store.refer([make_reference(f"old{n}") for n in range(3)])

    store.refer([make_reference("new", at=NOW + 400 * DAY - 1)])
    before = len(store.referred([KEY])[KEY])
    store.refer([make_reference("newer", at=NOW + 400 * DAY)])
    store.refer([make_reference("newest", at=NOW + 400 * DAY)])

    assert before == 4
    assert {one.customer for one in store.referred([KEY])[KEY]} == {
        *("new", "newer", "newest")
    }


def test_notices_are_kept_for_90_days(store: SQLiteStore) -> None:
    store.post([make_notice("d1"), make_notice("d2", customer="bob")])

    store.post([make_notice("d3", at=AT + timedelta(days=90))])

    assert [one.id for one in store.notices("ada", limit=9)] == ["d3"]
    assert [*store.notices("bob", limit=9)] == []


def test_a_settlement_that_fails_keeps_no_references(store: SQLiteStore) -> None:
    decide(store, make_message("d1"))
    (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)

    with pytest.raises(UnicodeEncodeError):
        store.settle(
            [Settled(task.id, "sent", NOW)],
            references=[make_reference("ada"), make_reference("\ud800")],
        )

    assert store.referred([KEY]) == {}
    assert store.find(["d1"]) == {}
