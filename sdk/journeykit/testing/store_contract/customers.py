"""What a store of customers keeps."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import random
from typing import Any, ClassVar

import pytest

from journeykit.engine.commands import Command
from journeykit.ports import Along, Change, CustomerStore, DeadLetter, Scan
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    ODD_IDS,
    make_full,
    make_later,
    make_letter,
    make_message,
    make_newcomer,
    make_person,
)


class CustomerStoreContract(Contract):
    """What whoever keeps the documents keeps.

    Attributes:
        many: How many customers are thousands.
    """

    many: ClassVar[int] = 2500

    def decided(self, store: Any) -> tuple[list[Command], bytes]:
        """Return the commands and lines that are committed, once in a test, at its end."""
        raise NotImplementedError

    def buried(self, store: Any) -> list[DeadLetter]:
        """Return what went along as dead letters."""
        raise NotImplementedError

    def test_nobody_is_in_an_empty_store(self, store: CustomerStore) -> None:
        assert store.load(["ada"]) == {}
        assert store.load([]) == {}
        assert list(store.due(NOW, 10)) == []

    def test_a_document_is_loaded_as_it_was_committed(
        self, store: CustomerStore
    ) -> None:
        ada = make_full("ada")

        assert not store.commit([Change(None, ada)])

        assert store.load(["ada", "bob"]) == {"ada": ada}

    def test_a_document_of_256_kb_is_kept(self, store: CustomerStore) -> None:
        letters = random.Random(1)
        texts = ("".join(letters.choices("abcdefgh é🙂", k=1000)) for _ in range(190))
        ada = make_person("ada", profile={f"field {n}": t for n, t in enumerate(texts)})

        store.commit([Change(None, ada)])

        assert store.load(["ada"]) == {"ada": ada}

    @pytest.mark.parametrize(
        "value", [2**64, -(2**63) - 1, 0.1, 1e300, "", None, [[[]]], {"": {}}, True]
    )
    def test_an_attribute_is_kept_to_the_last_digit(
        self, store: CustomerStore, value: Any
    ) -> None:
        ada = make_person("ada", profile={"x": value})

        store.commit([Change(None, ada, (make_message("d1", variables={"x": value}),))])

        assert store.load(["ada"]) == {"ada": ada}
        commands, _ = self.decided(store)
        assert commands == [make_message("d1", variables={"x": value})]

    @pytest.mark.parametrize("id", ODD_IDS, ids=ascii)
    def test_every_id_that_a_door_lets_in_is_kept(
        self, store: CustomerStore, id: str
    ) -> None:
        person = make_person(id, next_due=NOW)
        others = [make_person("Ada"), make_person("b"), make_person("zz")]
        store.commit([Change(None, other) for other in [*others, person]])

        store.commit(
            [Change(person, make_later(person), (make_message("d1", customer=id),))]
        )

        assert store.load([id]) == {id: make_later(person)}
        assert list(store.due(NOW, 9)) == [(NOW, id)]
        assert set(store.load(["Ada", "b", "zz"])) == {"Ada", "b", "zz"}
        commands, _ = self.decided(store)
        assert [command.customer for command in commands] == [id]

    def test_thousands_are_loaded_at_once(self, store: CustomerStore) -> None:
        people = [make_person(f"c{n}") for n in range(self.many)]
        store.commit([Change(None, person) for person in people])
        asked = [f"c{n}" for n in range(2 * self.many)]

        found = store.load([*asked, *asked])

        assert found == {person.id: person for person in people}

    def test_a_loaded_document_is_nobody_elses(self, store: CustomerStore) -> None:
        ada = make_person("ada", profile={"tags": ["a"]})
        store.commit([Change(None, ada)])

        ada.profile["tags"].append("b")
        store.load(["ada"])["ada"].profile["tags"].append("c")

        assert store.load(["ada"])["ada"].profile == {"tags": ["a"]}

    def test_a_change_of_an_older_revision_is_refused_whole(
        self, store: CustomerStore
    ) -> None:
        first = make_person("ada", next_due=NOW + HOUR)
        second = make_later(first, next_due=NOW + 2 * HOUR)
        store.commit([Change(None, first)])
        store.commit([Change(first, second)])

        late = make_later(first, next_due=NOW)
        refused = store.commit([Change(first, late, (make_message("d1"),), b"late\n")])

        assert set(refused) == {"ada"}
        assert store.load(["ada"]) == {"ada": second}
        assert list(store.due(NOW + DAY, 9)) == [(NOW + 2 * HOUR, "ada")]
        assert self.decided(store) == ([], b"")

    def test_who_is_there_already_is_not_new(self, store: CustomerStore) -> None:
        ada = make_person("ada", profile={"plan": "paid"})
        store.commit([Change(None, ada)])

        refused = store.commit([Change(None, make_person("ada")), make_newcomer("bob")])

        assert set(refused) == {"ada"}
        assert store.load(["ada", "bob"]) == {"ada": ada, "bob": make_person("bob")}

    def test_who_is_not_there_is_not_changed(self, store: CustomerStore) -> None:
        ada = make_person("ada")

        refused = store.commit([Change(ada, make_later(ada)), make_newcomer("bob")])

        assert set(refused) == {"ada"}
        assert set(store.load(["ada", "bob"])) == {"bob"}

    def test_the_others_of_a_commit_are_stored(self, store: CustomerStore) -> None:
        people = [make_person(f"c{n}", next_due=NOW) for n in range(9)]
        store.commit([Change(None, person) for person in people])
        stale = people[4]
        store.commit([Change(stale, make_later(stale))])

        refused = store.commit(
            [
                Change(
                    person,
                    make_later(person, next_due=None),
                    (make_message(person.id),),
                    b"x\n",
                )
                for person in people
            ]
        )

        assert set(refused) == {"c4"}
        assert list(store.due(NOW, 99)) == [(NOW, "c4")]
        found = store.load([person.id for person in people])
        assert {customer.revision for customer in found.values()} == {2}
        commands, lines = self.decided(store)
        assert len(commands) == 8
        assert lines == b"x\n" * 8

    def test_a_commit_takes_one_change_of_a_customer(
        self, store: CustomerStore
    ) -> None:
        ada = make_person("ada")

        with pytest.raises(ValueError, match="one change"):
            store.commit([Change(None, ada), Change(ada, make_later(ada))])

        assert store.load(["ada"]) == {}

    def test_each_revision_is_written_once_however_many_try(
        self, store: CustomerStore
    ) -> None:
        store.commit([make_newcomer("ada"), make_newcomer("bob")])

        def write(_: int) -> None:
            for _ in range(10):
                before = store.load(["ada", "bob"])
                open = {
                    id: Change(c, make_later(c), lines=b"x") for id, c in before.items()
                }
                while open:
                    refused = store.commit([*open.values()])
                    now = store.load([*refused])
                    open = {
                        id: Change(c, make_later(c), lines=b"x")
                        for id, c in now.items()
                    }

        self.together(write, 4)

        revisions = {id: c.revision for id, c in store.load(["ada", "bob"]).items()}
        assert revisions == {"ada": 41, "bob": 41}
        assert self.decided(store) == ([], b"x" * 80)

    def test_what_has_no_document_goes_along_with_a_commit(
        self, store: CustomerStore
    ) -> None:
        store.commit(
            [Change(None, make_person("ada"), lines=b"1\n"), make_newcomer("bob")],
            along=Along(dead=(make_letter("poison"),), lines=b"2\n"),
        )
        store.commit([], along=Along(lines=b"3\n"))

        assert [letter.reason for letter in self.buried(store)] == ["poison"]
        assert self.decided(store) == ([], b"1\n2\n3\n")

    def test_it_stays_behind_if_anybody_is_refused(self, store: CustomerStore) -> None:
        store.commit([make_newcomer("ada")])

        refused = store.commit(
            [make_newcomer("ada"), Change(None, make_person("bob"), lines=b"1\n")],
            along=Along(dead=(make_letter("poison"),), lines=b"2\n"),
        )

        assert set(refused) == {"ada"}
        assert self.buried(store) == []
        assert self.decided(store) == ([], b"1\n")

    # Wake-ups

    def test_who_is_due_comes_earliest_first(self, store: CustomerStore) -> None:
        offsets = {"ada": 3, "bob": 1, "cyd": 2, "dan": 4, "eve": None}
        store.commit(
            [
                Change(None, make_person(id, next_due=None if n is None else NOW + n))
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

    def test_the_wake_up_moves_with_the_document(self, store: CustomerStore) -> None:
        seen = []
        person = make_person("ada")
        store.commit([Change(None, person)])

        for due in (NOW + 5, NOW + 5, NOW + 2, None, None, NOW + 7, NOW + 9):
            after = make_later(person, next_due=due)
            store.commit([Change(person, after)])
            person = after
            seen.append([at - NOW for at, _ in store.due(NOW + DAY, 9)])

        assert seen == [[5], [5], [2], [], [], [7], [9]]


class ScanContract(Contract):
    """What whoever can visit everybody keeps.

    Attributes:
        in_order: Whether that is by id; False: in an order of the store's own, that stays.
    """

    in_order: ClassVar[bool] = True

    def fill(self, store: Any, *changes: Change) -> None:
        """Commit changes."""
        assert not store.commit(changes)

    def test_nobody_is_to_be_visited_at_first(self, store: Scan) -> None:
        assert list(store.scan("", 10)) == []

    def test_everybody_is_visited_once_in_order(self, store: Scan) -> None:
        ids = ["b", "a", "é", "z", "🙂", "aa", "B", "\uffff"]
        self.fill(store, *map(make_newcomer, ids))

        found = _visited(store, 3)

        assert sorted(found) == sorted(ids)
        assert not self.in_order or found == sorted(ids)
        assert _visited(store, 1) == _visited(store, 99) == found


def _visited(store: Scan, page: int) -> list[str]:
    """Everybody's ids, as they come, so many at a time."""
    found: list[str] = []
    while customers := store.scan(found[-1] if found else "", page):
        found += [customer.id for customer in customers]
    return found
