"""What every store keeps: the promises of `journeykit.ports`, as tests to subclass."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from journeykit.engine.commands import CallAction, Command, PublishEvent, SendMessage
from journeykit.engine.customer import (
    Address,
    Consent,
    Customer,
    Enrollment,
    Finished,
    Past,
    Released,
    Visits,
    Watch,
    created,
)
from journeykit.engine.stimuli import Enroll, Remove, Returned, Stimulus, WakeUp
from journeykit.errors import StaleCatalog
from journeykit.model.events import Event
from journeykit.ports import (
    Along,
    CatalogDocument,
    Change,
    DeadLetter,
    Delivery,
    Job,
    Outcome,
    Settled,
    Store,
    Task,
)

T = TypeVar("T")

NOW = 1_780_000_000_000
HOUR = 60 * 60 * 1000
DAY = 24 * HOUR
INSTANT = datetime(2026, 6, 1, 12, 30, 0, 250_000, tzinfo=UTC)

# No door lets NUL in; everything else may be somebody's id.
ODD_IDS = (
    *("a'b", 'a"b', "a;b -- c", "a/b\\c", "%_*?", " ", "\n\t", "0", "1e3", "null"),
    *("Zoë", "名前", "👩‍👩‍👧", "\u202e", "\x7f\x1f", "x" * 256, "🙂" * 64),
)


class StoreContract:
    """What every store keeps.

    class TestMyStore(StoreContract):
        def make(self, folder: Path) -> Store:
            return MyStore.open(folder / "my.db")

        def reopen(self, store: Store, folder: Path) -> Store:
            store.close()
            return self.make(folder)
    """

    def make(self, folder: Path) -> Store:
        """Return an empty store; it may keep its files in the folder."""
        raise NotImplementedError

    def reopen(self, store: Store, folder: Path) -> Store:
        """Return the store as the next process finds it, if it outlives a process."""
        return store

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        store = self.make(tmp_path)
        yield store
        store.close()

    # Customers

    def test_nobody_is_in_an_empty_store(self, store: Store) -> None:
        assert store.load(["ada"]) == {}
        assert store.load([]) == {}
        assert list(store.scan("", 10)) == []
        assert list(store.due(NOW, 10)) == []

    def test_a_document_is_loaded_as_it_was_committed(self, store: Store) -> None:
        ada = _full("ada")

        assert not store.commit([Change(None, ada)])

        assert store.load(["ada", "bob"]) == {"ada": ada}

    def test_a_document_of_256_kb_is_kept(self, store: Store) -> None:
        letters = random.Random(1)
        texts = ("".join(letters.choices("abcdefgh é🙂", k=1000)) for _ in range(190))
        ada = _person("ada", profile={f"field {n}": t for n, t in enumerate(texts)})

        store.commit([Change(None, ada)])

        assert store.load(["ada"]) == {"ada": ada}

    @pytest.mark.parametrize(
        "value", [2**64, -(2**63) - 1, 0.1, 1e300, "", None, [[[]]], {"": {}}, True]
    )
    def test_an_attribute_is_kept_to_the_last_digit(
        self, store: Store, value: Any
    ) -> None:
        ada = _person("ada", profile={"x": value})

        store.commit([Change(None, ada, (_send("d1", variables={"x": value}),))])

        assert store.load(["ada"]) == {"ada": ada}
        (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)
        assert task.command == _send("d1", variables={"x": value})

    @pytest.mark.parametrize("id", ODD_IDS, ids=ascii)
    def test_every_id_that_a_door_lets_in_is_kept(self, store: Store, id: str) -> None:
        person = _person(id, next_due=NOW)
        others = [_person("Ada"), _person("b"), _person("zz")]
        store.commit([Change(None, other) for other in [*others, person]])

        store.commit([Change(person, _after(person), (_send("d1", customer=id),))])

        assert store.load([id]) == {id: _after(person)}
        assert list(store.due(NOW, 9)) == [(NOW, id)]
        assert {found.id for found in store.scan("", 9)} == {"Ada", "b", "zz", id}
        assert store.take(NOW, 1, lease_until=NOW)[0].command.customer == id

    def test_thousands_are_loaded_at_once(self, store: Store) -> None:
        people = [_person(f"c{n}") for n in range(2500)]
        store.commit([Change(None, person) for person in people])
        asked = [f"c{n}" for n in range(5000)]

        found = store.load([*asked, *asked])

        assert found == {person.id: person for person in people}

    def test_a_loaded_document_is_nobody_elses(self, store: Store) -> None:
        ada = _person("ada", profile={"tags": ["a"]})
        store.commit([Change(None, ada)])

        ada.profile["tags"].append("b")
        store.load(["ada"])["ada"].profile["tags"].append("c")

        assert store.load(["ada"])["ada"].profile == {"tags": ["a"]}

    def test_a_change_of_an_older_revision_is_refused_whole(self, store: Store) -> None:
        first = _person("ada", next_due=NOW + HOUR)
        second = _after(first, next_due=NOW + 2 * HOUR)
        store.commit([Change(None, first)])
        store.commit([Change(first, second)])

        late = _after(first, next_due=NOW)
        refused = store.commit([Change(first, late, (_send("d1"),), b"late\n")])

        assert set(refused) == {"ada"}
        assert store.load(["ada"]) == {"ada": second}
        assert list(store.due(NOW + DAY, 9)) == [(NOW + 2 * HOUR, "ada")]
        assert store.backlog()["waiting"] == 0
        assert list(store.journal(9)) == []

    def test_who_is_there_already_is_not_new(self, store: Store) -> None:
        ada = _person("ada", profile={"plan": "paid"})
        store.commit([Change(None, ada)])

        refused = store.commit([Change(None, _person("ada")), _new("bob")])

        assert set(refused) == {"ada"}
        assert store.load(["ada", "bob"]) == {"ada": ada, "bob": _person("bob")}

    def test_who_is_not_there_is_not_changed(self, store: Store) -> None:
        ada = _person("ada")

        refused = store.commit([Change(ada, _after(ada)), _new("bob")])

        assert set(refused) == {"ada"}
        assert set(store.load(["ada", "bob"])) == {"bob"}

    def test_the_others_of_a_commit_are_stored(self, store: Store) -> None:
        people = [_person(f"c{n}", next_due=NOW) for n in range(9)]
        store.commit([Change(None, person) for person in people])
        stale = people[4]
        store.commit([Change(stale, _after(stale))])

        refused = store.commit(
            [
                Change(
                    person, _after(person, next_due=None), (_send(person.id),), b"x\n"
                )
                for person in people
            ]
        )

        assert set(refused) == {"c4"}
        assert list(store.due(NOW, 99)) == [(NOW, "c4")]
        assert {c.revision for c in store.scan("", 99)} == {2}
        assert store.backlog()["waiting"] == 8
        assert [lines for _, lines in store.journal(9)] == [b"x\n" * 8]

    def test_a_commit_takes_one_change_of_a_customer(self, store: Store) -> None:
        ada = _person("ada")

        with pytest.raises(ValueError, match="one change"):
            store.commit([Change(None, ada), Change(ada, _after(ada))])

        assert store.load(["ada"]) == {}

    def test_each_revision_is_written_once_however_many_try(self, store: Store) -> None:
        store.commit([_new("ada"), _new("bob")])

        def write(_: int) -> None:
            for _ in range(10):
                before = store.load(["ada", "bob"])
                open = {
                    id: Change(c, _after(c), lines=b"x") for id, c in before.items()
                }
                while open:
                    refused = store.commit([*open.values()])
                    now = store.load([*refused])
                    open = {
                        id: Change(c, _after(c), lines=b"x") for id, c in now.items()
                    }

        _together(write, range(4))

        revisions = {id: c.revision for id, c in store.load(["ada", "bob"]).items()}
        assert revisions == {"ada": 41, "bob": 41}
        assert sum(len(lines) for _, lines in store.journal(999)) == 80

    def test_what_goes_along_is_stored_with_the_commit(self, store: Store) -> None:
        store.put([WakeUp("x"), WakeUp("y")])
        numbers = [number for number, _ in store.pending(9)]

        store.commit(
            [Change(None, _person("ada"), lines=b"1\n"), _new("bob")],
            along=Along(
                handled=(numbers[0],),
                dead=(_letter("poison"),),
                bookmark=("events.jsonl", "17"),
                lines=b"2\n",
            ),
        )

        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("y")]
        assert [letter.reason for letter in store.dead(0, 9)] == ["poison"]
        assert store.bookmark("events.jsonl") == "17"
        assert [lines for _, lines in store.journal(9)] == [b"1\n2\n"]

    def test_what_goes_along_needs_no_change(self, store: Store) -> None:
        store.commit([], along=Along(bookmark=("r", "1"), lines=b"1\n"))

        assert store.bookmark("r") == "1"
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]

    def test_nothing_goes_along_with_a_refusal(self, store: Store) -> None:
        store.commit([_new("ada")], along=Along(bookmark=("r", "1")))
        store.put([WakeUp("x")])
        ((number, _),) = store.pending(9)

        refused = store.commit(
            [_new("ada"), Change(None, _person("bob"), lines=b"1\n")],
            along=Along(
                handled=(number,),
                dead=(_letter("poison"),),
                bookmark=("r", "2"),
                lines=b"2\n",
            ),
        )

        assert set(refused) == {"ada"}
        assert len(store.pending(9)) == 1
        assert list(store.dead(0, 9)) == []
        assert store.bookmark("r") == "1"
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]

    # Wake-ups

    def test_who_is_due_comes_earliest_first(self, store: Store) -> None:
        offsets = {"ada": 3, "bob": 1, "cyd": 2, "dan": 4, "eve": None}
        store.commit(
            [
                Change(None, _person(id, next_due=None if n is None else NOW + n))
                for id, n in offsets.items()
            ]
        )

        assert list(store.due(NOW, 9)) == []
        assert list(store.due(NOW + 3, 9)) == [
            (NOW + 1, "bob"),
            (NOW + 2, "cyd"),
            (NOW + 3, "ada"),
        ]
        assert list(store.due(NOW + 9, 2)) == [(NOW + 1, "bob"), (NOW + 2, "cyd")]

    def test_the_wake_up_moves_with_the_document(self, store: Store) -> None:
        seen = []
        person = _person("ada")
        store.commit([Change(None, person)])

        for due in (NOW + 5, NOW + 5, NOW + 2, None, None, NOW + 7, NOW + 9):
            after = _after(person, next_due=due)
            store.commit([Change(person, after)])
            person = after
            seen.append([at - NOW for at, _ in store.due(NOW + DAY, 9)])

        assert seen == [[5], [5], [2], [], [], [7], [9]]

    # Scan

    def test_everybody_is_visited_once_in_order(self, store: Store) -> None:
        ids = ["b", "a", "é", "z", "🙂", "aa", "B", "\uffff"]
        store.commit([_new(id) for id in ids])

        found: list[str] = []
        while page := store.scan(found[-1] if found else "", 3):
            found += [customer.id for customer in page]

        assert found == sorted(ids)

    # Inbox

    def test_the_oldest_stimulus_comes_first(self, store: Store) -> None:
        store.put([WakeUp("a"), WakeUp("b")])
        store.put([])
        store.put([WakeUp("c")])

        first = store.pending(2)
        assert [stimulus for _, stimulus in first] == [WakeUp("a"), WakeUp("b")]

        store.commit([], along=Along(handled=tuple(number for number, _ in first)))
        ((number, last),) = store.pending(2)
        assert last == WakeUp("c")
        assert number > max(number for number, _ in first)

    def test_every_kind_of_stimulus_is_kept(self, store: Store) -> None:
        stimuli = _stimuli()

        store.put(stimuli)

        assert [stimulus for _, stimulus in store.pending(9)] == stimuli

    def test_a_stimulus_can_be_handled_only_once(self, store: Store) -> None:
        store.put([WakeUp("a")])
        ((number, _),) = store.pending(9)

        store.commit([], along=Along(handled=(number,)))
        store.put([WakeUp("b")])
        store.commit([], along=Along(handled=(number,)))

        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("b")]

    # Outbox

    def test_every_kind_of_command_is_kept(self, store: Store) -> None:
        commands = (
            _send("d1", variables={"a": [1, {"b": None}]}, not_after=5, attempts=2),
            _call("c1", arguments={"x": 1.5}),
            PublishEvent("e1", "sent.out", "ada", {"x": "y"}, NOW, test=True),
        )

        store.commit([Change(None, _person("ada"), commands)])

        tasks = store.take(NOW, 9, lease_until=NOW + HOUR)
        assert tuple(task.command for task in tasks) == commands
        assert tasks[0] == Task(tasks[0].id, commands[0])

    def test_what_is_due_first_is_claimed_first(self, store: Store) -> None:
        offsets = (3, 1, 2, 1, 9)
        _decide(store, *(_send(f"d{n}", at=NOW + n) for n in offsets))

        def taken(now: int, limit: int) -> list[int]:
            tasks = store.take(now, limit, lease_until=now + HOUR)
            return [task.command.at - NOW for task in tasks]

        assert taken(NOW, 9) == []
        assert taken(NOW + 3, 3) == [1, 1, 2]
        assert taken(NOW + 3, 3) == [3]
        assert taken(NOW + 3, 3) == []

    def test_a_claimed_command_is_left_alone_until_its_lease_ends(
        self, store: Store
    ) -> None:
        _decide(store, _send("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW + HOUR)

        assert not store.take(NOW + HOUR - 1, 9, lease_until=NOW + DAY)
        (again,) = store.take(NOW + HOUR, 9, lease_until=NOW + 2 * HOUR)

        assert not task.lapsed
        assert again == replace(task, lapsed=True)

    def test_a_command_that_is_to_be_tried_again_comes_when_it_is_due(
        self, store: Store
    ) -> None:
        _decide(store, _send("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW + HOUR)

        store.settle([Settled(task.id, "again", NOW + 5, attempts=1, reserved=True)])

        assert not store.take(NOW + 4, 9, lease_until=NOW + HOUR)
        (again,) = store.take(NOW + 5, 9, lease_until=NOW + HOUR)
        assert again == replace(task, attempts=1, reserved=True)
        assert store.find(["d1"]) == {}
        assert store.tallies() == {}

        store.settle([Settled(task.id, "again", NOW + 6, attempts=2)])
        (again,) = store.take(NOW + 6, 9, lease_until=NOW + HOUR)
        assert again == replace(task, attempts=2)

    def test_a_settled_command_never_comes_again(self, store: Store) -> None:
        _decide(store, *(_send(f"d{n}") for n in range(4)))
        tasks = store.take(NOW, 9, lease_until=NOW + HOUR)
        outcomes: tuple[Outcome, ...] = ("sent", "failed", "uncertain", "returned")

        store.settle(
            [
                Settled(task.id, outcome, NOW + 1)
                for task, outcome in zip(tasks, outcomes, strict=True)
            ]
        )

        assert not store.take(NOW + DAY, 9, lease_until=NOW + 2 * DAY)
        found = store.find([f"d{n}" for n in range(4)])
        assert [found[f"d{n}"].outcome for n in range(4)] == list(outcomes)

    def test_the_first_word_counts(self, store: Store) -> None:
        _decide(store, _send("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW)

        store.settle([Settled(task.id, "sent", NOW + 1)])
        store.settle([Settled(task.id, "failed", NOW + 2)])
        store.settle([Settled(task.id, "again", NOW + 3)])

        assert store.find(["d1"])["d1"].outcome == "sent"
        assert store.tallies() == {"welcome": (1, 0)}
        assert not store.take(NOW + DAY, 9, lease_until=NOW + DAY)

    def test_a_number_is_never_given_twice(self, store: Store) -> None:
        _decide(store, _send("d1"))
        (old,) = store.take(NOW, 9, lease_until=NOW)
        store.settle([Settled(old.id, "sent", NOW)])
        _decide(store, _send("d2"))

        store.settle([Settled(old.id, "failed", NOW)])

        (task,) = store.take(NOW, 9, lease_until=NOW)
        assert task.id != old.id
        assert store.tallies() == {"welcome": (1, 0)}

    def test_reports_come_in_with_what_they_report(self, store: Store) -> None:
        _decide(store, _send("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW)
        reports = [WakeUp("ada"), WakeUp("bob")]

        store.settle([Settled(task.id, "sent", NOW)], reports=reports)
        store.settle([], reports=[WakeUp("cyd")])

        came = [stimulus for _, stimulus in store.pending(9)]
        assert came == [*reports, WakeUp("cyd")]

    def test_several_workers_claim_different_commands(self, store: Store) -> None:
        _decide(store, *(_send(f"d{n}") for n in range(60)))

        def work(_: int) -> list[int]:
            claimed: list[int] = []
            while tasks := store.take(NOW, 3, lease_until=NOW + HOUR):
                claimed += [task.id for task in tasks]
            return claimed

        claimed = [id for ids in _together(work, range(6)) for id in ids]

        assert len(claimed) == len(set(claimed)) == 60

    def test_the_backlog_is_what_is_not_settled(self, store: Store) -> None:
        assert store.backlog() == {"due": 0, "waiting": 0}
        _decide(store, _send("d1", at=NOW + 5), _send("d2", at=NOW + 2))
        assert store.backlog() == {"due": NOW + 2, "waiting": 2}

        (task,) = store.take(NOW + 2, 9, lease_until=NOW + 9)
        assert store.backlog() == {"due": NOW + 5, "waiting": 2}

        store.settle([Settled(task.id, "sent", NOW + 3)])
        assert store.backlog() == {"due": NOW + 5, "waiting": 1}

    # Deliveries

    def test_a_delivery_tells_what_became_of_a_message(self, store: Store) -> None:
        message = _send("ab12" * 6, test=True, enrollment="cd34" * 6)
        _settled(store, message, "failed", reason="no such\nnumber", provider_id="p 1")

        assert store.find(["ab12" * 6, "AB12" * 6, "x"]) == {
            "ab12" * 6: Delivery(
                id="ab12" * 6,
                customer="ada",
                channel="email",
                journey="welcome",
                version=3,
                step="send-email",
                enrollment="cd34" * 6,
                template="hello",
                outcome="failed",
                at=NOW,
                reason="no such\nnumber",
                provider_id="p 1",
                test=True,
            )
        }

    def test_a_delivery_tells_what_became_of_a_call(self, store: Store) -> None:
        _settled(store, _call("c1"), "sent")

        assert store.find(["c1"]) == {
            "c1": Delivery(
                id="c1",
                customer="ada",
                channel="voucher",
                journey="welcome",
                version=3,
                step="call-voucher",
                enrollment="e1",
                template="",
                outcome="sent",
                at=NOW,
            )
        }

    def test_a_published_event_is_no_delivery(self, store: Store) -> None:
        _settled(store, PublishEvent("e1", "sent.out", "ada", {}, NOW), "failed")

        assert store.find(["e1"]) == {}
        assert store.tallies() == {}
        assert store.backlog()["waiting"] == 0

    @pytest.mark.parametrize(
        "id", ["", "a", "abcd", "0" * 24, "ABCDEF" * 4, "é" * 24, "0 " * 12, "x" * 256]
    )
    def test_a_delivery_is_found_by_any_id(self, store: Store, id: str) -> None:
        _settled(store, _send("abcdef01" * 3), "sent")
        _settled(store, _send(id, enrollment=id), "failed")

        found = store.find([id])

        assert found[id].outcome == "failed"
        assert found[id].enrollment == id

    def test_a_message_that_went_back_and_out_again_is_one_delivery(
        self, store: Store
    ) -> None:
        _settled(store, _send("d1"), "returned", reason="pace")
        assert store.find(["d1"])["d1"].outcome == "returned"

        _settled(store, _send("d1"), "sent")

        assert store.find(["d1"])["d1"].outcome == "sent"
        assert store.tallies() == {"welcome": (1, 0)}

    def test_deliveries_are_counted_for_their_journey(self, store: Store) -> None:
        for n, outcome in enumerate(
            ("sent", "sent", "failed", "uncertain", "returned")
        ):
            _settled(store, _send(f"d{n}"), outcome)
        _settled(store, _call("c1", journey="vouchers"), "sent")
        _settled(store, _send("test", test=True), "failed")

        assert store.tallies() == {"welcome": (2, 2), "vouchers": (1, 0)}

        store.reset_tallies(["welcome", "unheard-of"])
        _settled(store, _send("d9"), "failed")
        assert store.tallies() == {"welcome": (0, 1), "vouchers": (1, 0)}

    def test_deliveries_are_kept_for_30_days(self, store: Store) -> None:
        for n in range(5):
            _settled(store, _send(f"old{n}"), "sent", at=NOW)
        for n in range(5):
            _settled(store, _send(f"new{n}"), "sent", at=NOW + 30 * DAY - 1)
        assert len(store.find([f"old{n}" for n in range(5)])) == 5

        for n in range(5):  # each takes some of the oldest along
            _settled(store, _send(f"last{n}"), "sent", at=NOW + 30 * DAY)

        assert store.find([f"old{n}" for n in range(5)]) == {}
        assert len(store.find([f"new{n}" for n in range(5)])) == 5

    # Claims

    def test_places_are_given_in_order(self, store: Store) -> None:
        places = [store.claim("first-3", f"c{n}", 3, at=NOW) for n in range(5)]

        assert places == [1, 2, 3, 0, 0]

    def test_a_holder_keeps_its_place(self, store: Store) -> None:
        for n in range(3):
            store.claim("k", f"c{n}", 3, at=NOW)

        assert [store.claim("k", f"c{n}", 3, at=NOW) for n in range(3)] == [1, 2, 3]
        assert store.claim("k", "c2", 1, at=NOW) == 3, "also when the limit was lowered"
        assert store.claim("k", "c3", 4, at=NOW) == 4, "and others when it was raised"

    @pytest.mark.parametrize("key", ODD_IDS, ids=ascii)
    def test_keys_have_nothing_to_do_with_each_other(
        self, store: Store, key: str
    ) -> None:
        assert store.claim("k", key, 1, at=NOW) == 1
        assert store.claim(key, "k", 1, at=NOW) == 1
        assert store.claim(key, key, 1, at=NOW) == 0
        assert store.claim(f"{key}k", key, 1, at=NOW) == 1

    def test_nobody_gets_a_place_too_many(self, store: Store) -> None:
        holders = [f"c{n}" for n in range(20)]

        places = _together(
            lambda n: [store.claim("k", holder, 3, at=NOW) for holder in holders],
            range(10),
        )

        assert len({tuple(found) for found in places}) == 1, "all see the same places"
        assert sorted(places[0]) == [0] * 17 + [1, 2, 3]

    # Slots

    def test_the_first_slots_are_free_at_once(self, store: Store) -> None:
        def reserve(slots: int, now_us: int) -> int:
            return store.reserve("sms", slots, interval_us=100, burst=3, now_us=now_us)

        assert [reserve(1, 1000) for _ in range(5)] == [1000, 1000, 1000, 1100, 1200]
        assert reserve(2, 1300) == 1300
        assert reserve(1, 1300) == 1500
        assert reserve(4, 9000) == 9000, "an idle lane saves up no more than its burst"
        assert reserve(1, 9000) == 9200
        assert store.reserve("push", 1, interval_us=100, burst=1, now_us=9000) == 9000

    def test_slots_follow_the_generic_cell_rate_algorithm(self, store: Store) -> None:
        draw = random.Random(20)
        for lane in range(20):
            interval, burst = draw.randint(1, 50), draw.randint(1, 9)
            oracle = _Cells(interval, burst)
            now = 0
            for _ in range(20):
                now += draw.randint(0, 3 * interval)
                slots = draw.randint(1, 4)
                expected = [oracle.cell(now) for _ in range(slots)]
                first = store.reserve(
                    str(lane), slots, interval_us=interval, burst=burst, now_us=now
                )
                assert first == expected[0]

    def test_no_slot_is_given_twice(self, store: Store) -> None:
        def work(_: int) -> list[int]:
            return [
                store.reserve("sms", 2, interval_us=10, burst=1, now_us=0)
                for _ in range(10)
            ]

        given = sorted(at for found in _together(work, range(6)) for at in found)

        assert given == [20 * n for n in range(60)]

    # Catalogs

    def test_nothing_is_published_at_first(self, store: Store) -> None:
        assert store.revision() == 0
        assert store.current() is None

    def test_the_newest_catalog_counts(self, store: Store) -> None:
        for revision in range(1, 61):
            store.publish(_catalog(revision))

        assert store.revision() == 60
        assert store.current() == _catalog(60)

    @pytest.mark.parametrize("revision", [-1, 0, 1, 2, 4])
    def test_only_the_next_revision_is_published(
        self, store: Store, revision: int
    ) -> None:
        store.publish(_catalog(1))
        store.publish(_catalog(2))

        with pytest.raises(StaleCatalog, match="2"):
            store.publish(_catalog(revision, note="too late"))

        assert store.revision() == 2
        assert store.current() == _catalog(2)

    def test_of_two_who_publish_at_once_one_wins(self, store: Store) -> None:
        def publish(n: int) -> bool:
            try:
                store.publish(_catalog(1, note=str(n)))
            except StaleCatalog:
                return False
            return True

        assert sum(_together(publish, range(6))) == 1
        assert store.revision() == 1

    # Dead letters

    def test_dead_letters_are_numbered_and_paged(self, store: Store) -> None:
        store.bury([])
        store.bury([_letter("a"), _letter("b", body=b"\x00\xff"), _letter("c")])

        first, second = store.dead(0, 2)
        assert (first, second) == (
            _letter("a", id=first.id),
            _letter("b", body=b"\x00\xff", id=second.id),
        )
        assert [letter.reason for letter in store.dead(second.id, 9)] == ["c"]

    def test_a_revived_letter_is_a_stimulus(self, store: Store) -> None:
        store.bury([_letter("a"), _letter("b")])
        first, second = store.dead(0, 9)

        store.revive([first.id], into=[WakeUp("ada")])

        assert [letter.id for letter in store.dead(0, 9)] == [second.id]
        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("ada")]

    # Journal, jobs, bookmarks

    def test_the_journal_keeps_the_order_of_commits(self, store: Store) -> None:
        for n in range(4):
            change = Change(None, _person(f"c{n}"), lines=b"%d\n" % n)
            store.commit([change, Change(None, _person(f"d{n}"))])
        store.commit([_new("silent")])

        blocks = list(store.journal(3))
        assert [lines for _, lines in blocks] == [b"0\n", b"1\n", b"2\n"]

        store.forget(blocks[-1][0])
        ((number, lines),) = store.journal(3)
        assert lines == b"3\n"
        assert number > blocks[-1][0]

        store.forget(number)
        store.commit([], along=Along(lines=b"4\n"))
        assert store.journal(3)[0][0] > number, "no number is given twice"

    def test_a_job_goes_on_where_it_stopped(self, store: Store) -> None:
        people = b'{"customer": "ada"}\n' * 1000
        first = store.save(Job(0, "enroll", "welcome", started_at=NOW, people=people))
        second = store.save(Job(0, "stop", "vouchers", started_at=NOW))
        assert list(store.unfinished()) == [first, second]
        assert first.people == people
        assert first.id != second.id

        moved = store.save(replace(first, cursor="ada", visited=17))
        assert moved.id == first.id
        assert list(store.unfinished()) == [moved, second]

        store.save(replace(moved, cursor="zoe", visited=99, done=True))
        assert list(store.unfinished()) == [second]

        store.save(moved)
        assert list(store.unfinished()) == [second], "over is over"

    def test_a_bookmark_is_the_last_one(self, store: Store) -> None:
        assert store.bookmark("r") is None

        store.commit([], along=Along(bookmark=("r", "1")))
        store.commit([], along=Along(bookmark=("r", "2")))
        store.commit([], along=Along(bookmark=("q", "")))

        assert store.bookmark("r") == "2"
        assert store.bookmark("q") == ""

    # The next process

    def test_the_next_process_finds_everything(
        self, store: Store, tmp_path: Path
    ) -> None:
        ada = _full("ada", next_due=NOW)
        commands = (_send("d1"), _send("d2"), _send("d3"))
        store.commit(
            [Change(None, ada, commands, b"1\n")], along=Along(bookmark=("r", "1"))
        )
        done, waiting, claimed = store.take(NOW, 3, lease_until=NOW + HOUR)
        store.settle(
            [
                Settled(done.id, "sent", NOW),
                Settled(waiting.id, "again", NOW + 5, attempts=1),
            ],
            reports=[WakeUp("ada")],
        )
        store.claim("k", "ada", 1, at=NOW)
        store.reserve("sms", 1, interval_us=100, burst=1, now_us=1000)
        store.publish(_catalog(1))
        store.bury([_letter("poison")])
        job = store.save(Job(0, "resume", "welcome"))

        store = self.reopen(store, tmp_path)

        assert store.load(["ada"]) == {"ada": ada}
        assert list(store.due(NOW, 9)) == [(NOW, "ada")]
        assert [lines for _, lines in store.journal(9)] == [b"1\n"]
        assert store.bookmark("r") == "1"
        assert store.find(["d1"])["d1"].outcome == "sent"
        assert store.tallies() == {"welcome": (1, 0)}
        assert list(store.take(NOW + HOUR, 9, lease_until=NOW + DAY)) == [
            replace(waiting, attempts=1),
            replace(claimed, lapsed=True),
        ]
        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("ada")]
        assert store.claim("k", "bob", 1, at=NOW) == 0
        assert store.reserve("sms", 1, interval_us=100, burst=1, now_us=1000) == 1100
        assert store.current() == _catalog(1)
        assert [letter.reason for letter in store.dead(0, 9)] == ["poison"]
        assert list(store.unfinished()) == [job]
        assert not store.commit([Change(ada, _after(ada, next_due=None))])
        assert list(store.due(NOW, 9)) == []
        store.close()


class _Cells:
    """The generic cell rate algorithm, cell by cell, as the standard writes it down."""

    def __init__(self, interval: int, burst: int) -> None:
        self._interval = interval
        self._tolerance = (burst - 1) * interval
        self._arrival = 0

    def cell(self, now: int) -> int:
        """When a cell that comes now may go; it waits for that."""
        at = max(now, self._arrival - self._tolerance)
        self._arrival = max(at, self._arrival) + self._interval
        return at


def _together(function: Callable[[int], T], arguments: Sequence[int]) -> list[T]:
    """Call a function from a thread for each argument, all at the same time."""
    with ThreadPoolExecutor(len(arguments)) as threads:
        return list(threads.map(function, arguments))


def _person(id: str, **fields: Any) -> Customer:
    return replace(created(id, NOW), **{"revision": 1, **fields})


def _after(customer: Customer, **fields: Any) -> Customer:
    return replace(customer, **{"revision": customer.revision + 1, **fields})


def _new(id: str) -> Change:
    return Change(None, _person(id))


def _full(id: str, **fields: Any) -> Customer:
    """Somebody in whose document every part has something."""
    watch = Watch("bought", NOW + DAY)
    return _person(
        id,
        clock=NOW,
        catalog=7,
        profile={"city": "Zürich", "nested": {"list": [1, None, "x"]}, "big": 2**63},
        addresses={"a": Address("bounced", NOW)},
        consents=[Consent(True, NOW, channel="email")],
        active=[
            Enrollment(
                "e1",
                "welcome",
                3,
                1,
                NOW,
                entry={"sum": 1.5},
                step="wait",
                due=NOW + HOUR,
                latches={"wait": -1},
                watches=[watch],
            )
        ],
        past={
            "vouchers": Past(
                2,
                NOW,
                NOW,
                [NOW],
                keys={"k": Visits(1, NOW)},
                finished=[Finished("e0", 1, watches=[watch])],
            )
        },
        ledger=[Released(NOW, "email", "", "welcome", "marketing", "d0")],
        counters={"all": 3},
        seen={2**64 - 1: NOW, 0: NOW},
        **fields,
    )


def _send(id: str, **fields: Any) -> SendMessage:
    message = SendMessage(
        delivery_id=id,
        customer="ada",
        channel="email",
        address="ada@example.com",
        template="hello",
        variables={},
        at=NOW,
        journey="welcome",
        version=3,
        step="send-email",
        enrollment="e1",
        purpose="marketing",
    )
    return replace(message, **fields)


def _call(id: str, **fields: Any) -> CallAction:
    call = CallAction(
        call_id=id,
        customer="ada",
        action="voucher",
        arguments={},
        at=NOW,
        journey="welcome",
        version=3,
        step="call-voucher",
        enrollment="e1",
        retries=2,
        expires_at=NOW + DAY,
    )
    return replace(call, **fields)


def _decide(store: Store, *commands: Command) -> None:
    """Commit commands of Ada's, whoever she is by now."""
    before = store.load(["ada"]).get("ada")
    after = _after(before) if before else _person("ada")
    assert not store.commit([Change(before, after, commands)])


def _settled(
    store: Store, command: Command, outcome: Any, *, at: int = NOW, **said: Any
) -> None:
    """Let a command be decided, claimed and settled."""
    _decide(store, command)
    (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)
    store.settle([Settled(task.id, outcome, at, **said)])


def _stimuli() -> list[Stimulus]:
    return [
        Event(
            id="1",
            name="order.placed",
            customer="ada",
            occurred_at=INSTANT,
            received_at=INSTANT,
            properties={"sum": 1.5, "items": [{"sku": "é"}]},
            source="shop",
            test=True,
        ),
        Enroll(
            id="2",
            journey="welcome",
            customer="ada",
            received_at=INSTANT,
            entry={"plan": None},
        ),
        Remove(id="3", journey="welcome", customer="ada", received_at=INSTANT),
        Returned(
            message=_send("d1", variables={"x": 1}),
            until=NOW,
            reason="pace",
            received_at=INSTANT,
        ),
        WakeUp("ada"),
    ]


def _letter(reason: str, **fields: Any) -> DeadLetter:
    return replace(DeadLetter(NOW, "http", reason, "ada", "event", b"body"), **fields)


def _catalog(revision: int, **fields: Any) -> CatalogDocument:
    document = CatalogDocument(
        revision=revision,
        at=NOW,
        release="0.1.0",
        journeys=[{"id": "welcome", "version": revision, "steps": []}],
        policies={"caps": []},
        states={"welcome": "paused"},
        reasons={"welcome": "because"},
        fingerprints={"welcome": "abc"},
    )
    return replace(document, **fields)
