from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import botocore.session
import pytest
from msgspec.structs import replace
from tests.aws.customers_table import TABLE, make_customers_table

from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.failures import LostRace
from journeykit.aws.relay import Image
from journeykit.aws.repair import KEPT_MS, Repair, Repaired
from journeykit.errors import StoreError
from journeykit.ports import Change
from journeykit.testing.store_contract.samples import (
    make_call,
    make_later,
    make_message,
    make_person,
)

NOW = 1_790_000_000_000
HOUR_MS = 60 * 60_000


class Passing:
    """A relay that notes what it is asked to pass on."""

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.fails_for: set[str] = set()

    def pass_on(self, images: Sequence[Image]) -> Collection[int]:
        self.images += [one for one in images if one.customer not in self.fails_for]
        return [n for n, one in enumerate(images) if one.customer in self.fails_for]


class World:
    """A table with customers in it, a relay behind it."""

    def __init__(self) -> None:
        self.client = botocore.session.get_session().create_client("dynamodb")
        make_customers_table(self.client)
        self.now = NOW
        self.store = DynamoCustomers(
            self.client,
            TABLE,
            log=_unexpected,
            bury=_unexpected,
            clock=lambda: self.now,
        )
        self.relay = Passing()
        self.repair = Repair(self.client, TABLE, self.relay)  # type: ignore[arg-type]

    def commit(self, *changes: Change) -> None:
        assert not self.store.commit(changes)

    def run(self, **asked: Any) -> Repaired:
        return self.repair.run(now=self.now, **asked)


@pytest.fixture
def world() -> World:
    return World()


def test_commands_and_due_instants_are_passed_on_again(world: World) -> None:
    first = make_person("ada", next_due=NOW + HOUR_MS)
    second = make_later(first)
    message, call = make_message("m1"), make_call("c1")
    world.commit(Change(None, first, (message,), b"{}\n"))
    world.commit(Change(first, second, (call,)))
    world.commit(Change(None, make_person("bob")))

    repaired = world.run()

    assert repaired == Repaired(done=True, customers=2, commands=2, timers=1)
    images = {image.customer: image for image in world.relay.images}
    ada = images["ada"]
    assert [revision for revision, _ in ada.commands] == [1, 2]
    # Due since revision 1: it is armed again all the same.
    assert (ada.revision, ada.due, ada.lines) == (2, NOW + HOUR_MS, b"")
    assert images["bob"] == Image("bob", 1)


@pytest.mark.parametrize("everything", [False, True])
def test_old_commands_are_passed_on_if_asked_for(
    world: World, everything: bool
) -> None:
    first = make_person("ada")
    world.commit(Change(None, first, (make_message("old"),)))
    world.now += KEPT_MS
    world.commit(Change(None, make_person("bob"), (make_message("new"),)))
    assert world.run(looking=True).commands == 2
    world.now += 1

    repaired = world.run(everything=everything)

    assert repaired.commands == (2 if everything else 1)


def test_an_empty_table_is_done_at_once(world: World) -> None:
    assert world.run() == Repaired(done=True)


def test_a_run_goes_on_where_the_last_one_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeykit.aws.repair._PAGE", 4)
    ids = [f"c{n}" for n in range(10)]
    world.commit(
        *[Change(None, make_person(id), (make_message(id, customer=id),)) for id in ids]
    )

    runs = [world.run(time_left=lambda: 0)]
    while not runs[-1].done:
        runs.append(world.run(cursor=runs[-1].cursor, time_left=lambda: 0))

    assert [run.customers for run in runs] == [4, 4, 2]
    assert [bool(run.cursor) for run in runs] == [True, True, False]
    assert sorted(image.customer for image in world.relay.images) == ids


def test_one_run_goes_through_if_there_is_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeykit.aws.repair._PAGE", 4)
    world.commit(*[Change(None, make_person(f"c{n}")) for n in range(10)])

    assert world.run() == Repaired(done=True, customers=10)


def test_a_page_of_which_something_fails_is_begun_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeykit.aws.repair._PAGE", 4)
    world.commit(*[Change(None, make_person(f"c{n}")) for n in range(10)])
    order = [one.id for one in world.store.scan("", 10)]
    world.relay.fails_for = {order[5]}

    stopped = world.run()
    world.relay.fails_for = set()
    repaired = world.run(cursor=stopped.cursor)

    assert stopped == Repaired(cursor=order[3], customers=4, failed=1)
    assert repaired == Repaired(done=True, customers=6)
    assert {image.customer for image in world.relay.images} == set(order)


def test_looking_passes_nothing_on_and_says_who_lags(world: World) -> None:
    dues = [NOW - HOUR_MS, NOW - 5 * 60_000 - 1, NOW - 5 * 60_000, NOW + 1, None]
    world.commit(
        *[
            Change(None, make_person(f"c{n}", next_due=due), (make_message(f"m{n}"),))
            for n, due in enumerate(dues)
        ]
    )

    looked = world.run(looking=True)

    assert looked == Repaired(done=True, customers=5, commands=5, timers=4, lagging=2)
    assert world.relay.images == []


@pytest.mark.parametrize(
    "damage",
    [
        {"r": {"S": "seven"}},
        {"due": {"S": "soon"}},
        {"out": {"L": []}},
        {"out": {"M": {"1": {"M": {"at": {"N": "1"}}}}}},
        {"out": {"M": {"one": {"M": {"at": {"N": "1"}, "c": {"L": []}}}}}},
    ],
    ids=["revision", "due", "out", "commands", "revision of commands"],
)
def test_an_item_that_cant_be_read_is_passed_over(
    world: World, damage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    world.commit(Change(None, make_person("ada")))
    world.client.put_item(
        TableName=TABLE, Item={"id": {"S": "eve"}, "r": {"N": "1"}, **damage}
    )

    with caplog.at_level(logging.DEBUG, logger="journeykit"):
        repaired = world.run(everything=True)

    assert repaired == Repaired(done=True, customers=2, unreadable=1)
    assert [image.customer for image in world.relay.images] == ["ada"]
    assert "passed over" in caplog.text
    assert "eve" not in caplog.text


def test_a_table_that_is_not_there_is_said(world: World) -> None:
    world.client.delete_table(TableName=TABLE)

    with pytest.raises(StoreError, match="the customers table") as raised:
        world.run()
    assert not isinstance(raised.value, LostRace)


def test_a_repair_may_run_twice(world: World) -> None:
    world.commit(Change(None, make_person("ada"), (make_message("m1"),)))

    assert world.run() == world.run()
    first, second = world.relay.images
    assert replace(first) == second


def _unexpected(_: Collection[object]) -> None:
    raise AssertionError("nothing is to come here")
