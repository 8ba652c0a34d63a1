"""Killed at any moment, nothing is lost and nothing happens twice."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.crash.worlds import (
    Outcome,
    World,
    cart_events,
    cart_world,
    run_all,
    visitor_world,
)

from journeykit.cli.demo import WORKSPACE
from journeykit.cli.demo.shopping import END, year_of_shopping
from journeykit.local.embedded import archive_lines

CUSTOMERS = 300


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which three hundred leave a cart."""
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    return cart_world(folder, customers=CUSTOMERS)


def same(disturbed: Outcome, undisturbed: Outcome, *, told_twice: bool = False) -> None:
    """Everything that was decided, and what is stored, is the same.

    `told_twice`: A merge cuts a batch in pieces, and how far the file was read is stored
    with the last one. So events of a piece may be read once more, and are known by then.
    """
    assert disturbed.customers == undisturbed.customers
    more = disturbed.decisions - undisturbed.decisions
    assert not undisturbed.decisions - disturbed.decisions
    assert told_twice or not more
    assert {json.loads(line).get("reason") for line in more} <= {"duplicate"}
    assert disturbed.catalog == undisturbed.catalog
    assert disturbed.waiting == undisturbed.waiting == 0


def counted(outcome: Outcome, customers: int) -> None:
    """The numbers of the workload are exact."""
    ends = Counter(one["past"]["cart"]["outcome"] for one in outcome.customers.values())
    bought = (customers + 1) // 2
    assert ends == {"exited:converted": bought, "completed": customers - bought}
    assert len(outcome.deliveries) == 2 * (customers - bought)
    kinds = Counter(json.loads(line)["kind"] for line in outcome.decisions)
    assert kinds["sent"] == 2 * (customers - bought)


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    world: World, synchronous: str
) -> None:
    options = ("--idempotent", "--synchronous", synchronous)
    world.run(*options)
    killed = world.copy("killed")

    kills = killed.run(*options, "--kills", "150", "--longest", "0.12", "--seed", "7")

    assert kills > 50
    before, after = world.outcome(), killed.outcome()
    same(after, before)
    counted(after, CUSTOMERS)
    # The provider was told each time which message it is, so people got each once.
    assert after.asked.keys() == before.asked.keys()
    assert set(after.deliveries.values()) == {"sent"}


@pytest.mark.slow
def test_a_provider_that_can_not_tell_gets_no_message_twice(world: World) -> None:
    world.run()
    killed = world.copy("killed")

    kills = killed.run("--kills", "150", "--longest", "0.12", "--seed", "11")

    assert kills > 50
    before, after = world.outcome(), killed.outcome()
    same(after, before)
    assert max(after.asked.values()) == 1
    # What may have been sent or not is marked, and only that.
    uncertain = {id for id, what in after.deliveries.items() if what == "uncertain"}
    assert after.deliveries.keys() == uncertain | after.asked.keys()
    # A death leaves one batch of three in doubt, if it comes while one is handed over.
    assert len(uncertain) < len(after.deliveries) / 4


@pytest.mark.slow
def test_a_run_that_dies_at_each_moment_in_turn_ends_as_if_nothing_had_happened(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    world = cart_world(folder, customers=12)
    world.run("--idempotent", "--batch", "4", "--at", str(10**9))
    moments = int((folder / "moments").read_text())
    before = world.outcome()

    worlds = [world.copy(f"killed-{moment}") for moment in range(1, moments + 1)]
    kills = run_all(worlds, "--idempotent", "--batch", "4", "--at", "1")

    assert kills == moments
    for killed in worlds:
        after = killed.outcome()
        same(after, before)
        assert after.asked.keys() == before.asked.keys()
    assert moments > 40


@pytest.mark.slow
def test_who_they_are_is_the_same_at_whatever_moment_it_dies(tmp_path: Path) -> None:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    world = visitor_world(folder, customers=8)
    world.run("--idempotent", "--batch", "9", "--at", str(10**9))
    moments = int((folder / "moments").read_text())
    before = world.outcome()

    worlds = [world.copy(f"killed-{moment}") for moment in range(1, moments + 1)]
    kills = run_all(worlds, "--idempotent", "--batch", "9", "--at", "1")

    assert kills == moments
    for killed in worlds:
        after = killed.outcome()
        same(after, before, told_twice=True)
        assert after.asked.keys() == before.asked.keys()


@pytest.mark.slow
def test_the_demos_households_survive_it_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    workspace = folder / "workspace"
    shutil.copytree(WORKSPACE, workspace, ignore=shutil.ignore_patterns("__*"))
    (workspace / "journeykit.toml").write_text('zone = "America/New_York"')
    world = World(folder, until=END)
    world.lines(archive_lines(year_of_shopping(households=40)).splitlines())
    world.run("--idempotent", "--batch", "200")
    killed = world.copy("killed")

    kills = killed.run(
        *("--idempotent", "--batch", "50", "--kills", "100"),
        *("--longest", "0.3", "--seed", "3"),
    )

    assert kills > 30
    before, after = world.outcome(), killed.outcome()
    same(after, before)
    assert after.asked.keys() == before.asked.keys()


def test_one_death_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    world = cart_world(folder, customers=40)
    world.run("--idempotent")
    killed = world.copy("killed")

    kills = killed.run("--idempotent", "--at", "17")

    assert kills == 1
    same(killed.outcome(), world.outcome())


def test_one_death_in_a_merge_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    world = visitor_world(folder, customers=8)
    world.run("--idempotent", "--batch", "9", "--at", str(10**9))
    moments = int((folder / "moments").read_text())
    killed = world.copy("killed")

    kills = killed.run("--idempotent", "--batch", "9", "--at", str(moments // 3))

    before, after = world.outcome(), killed.outcome()
    assert kills == 1
    same(after, before, told_twice=True)
    kinds = Counter(
        (line["kind"], line.get("journey"))
        for line in map(json.loads, before.decisions)
    )
    assert kinds["identity", None] >= 8
    starts = {"keen", "lapsed", "daily", "quiet", "left"}
    assert all(kinds["entered", journey] for journey in starts)
    assert kinds["exited", "keen"]
    assert sum(bool(one.get("merged_into")) for one in before.customers.values()) == 4


def test_every_event_twice_is_every_event_once(world: World) -> None:
    world.run("--idempotent")
    twice = world.copy("twice")
    draw = random.Random(5)
    lines = list(world.events)
    for line in world.events:
        after = lines.index(line) + 1
        lines.insert(draw.randint(after, min(len(lines), after + 20)), line)
    twice.lines(lines).run("--idempotent")

    before, after_ = world.outcome(), twice.outcome()

    assert len(lines) == 2 * len(world.events)
    counted(after_, CUSTOMERS)
    assert after_.asked == before.asked


def test_a_stream_shuffled_within_a_second_gives_the_same_counts(world: World) -> None:
    shuffled = world.copy("shuffled")
    draw = random.Random(9)
    carts = [line for line in cart_events(CUSTOMERS) if b"cart.added" in line]
    orders = [line for line in cart_events(CUSTOMERS) if b"order.placed" in line]
    draw.shuffle(carts)
    draw.shuffle(orders)
    shuffled.lines([*carts, *orders]).run("--idempotent")

    outcome = shuffled.outcome()

    counted(outcome, CUSTOMERS)
    assert set(outcome.asked.values()) == {1}
