"""Whoever waits for a confirmation gets nothing of the journey before it."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, strategies as st
from tests.properties.worlds import (
    Dice,
    Life,
    examples,
    stories,
    story,
    world_of,
    worlds,
)

from journeykit import TraceEntry

AFTER = {"goal", "exited"}  # what may become of a run that has not begun


def followed(told: list[TraceEntry]) -> Counter[str]:
    """What came next of each run that waited, and that it was nothing else."""
    waiting: set[str] = set()
    seen: Counter[str] = Counter()
    for entry in told:
        if entry.kind == "parked" and entry.reason == "unconfirmed":
            waiting.add(entry.enrollment)
            seen["waits"] += 1
        elif entry.enrollment in waiting:
            if entry.kind == "went_on" and entry.reason == "confirmed":
                waiting.remove(entry.enrollment)
                seen["begins"] += 1
                continue
            assert entry.kind in AFTER, entry
            assert entry.step == ""
            if entry.kind == "exited":
                waiting.remove(entry.enrollment)
                seen[f"leaves: {entry.reason}"] += 1
    return seen


@examples(150)
@given(st.data())
def test_a_run_that_waits_for_a_confirmation_does_nothing_else(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world)

    life.live(data.draw(stories(world.start)), timer=True)

    followed([entry for entry, _ in life.told])
    for run in life.customer.active if life.customer else ():
        assert not run.unconfirmed or (run.step, run.visit) == ("", 0)


def test_these_worlds_have_people_who_wait_and_who_begin() -> None:
    seen: Counter[str] = Counter()

    for seed in range(600):
        dice = Dice(Random(seed).randbytes(3000))
        world = world_of(dice, [dice, dice, dice])
        life = Life(world).live(story(dice, world.start), timer=True)
        seen += followed([entry for entry, _ in life.told])

    assert seen["waits"] > 10
    assert seen["begins"]
    assert seen.keys() > {"waits", "begins"}
