"""Who was in which segment and stage, against the documents that the engine made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random

from tests.insight.recording import written

from journeykit import (
    Journey,
    Segment,
    Stage,
    Wait,
    audience_plan,
    days,
    has,
    hours,
    on,
    profile,
)
from journeykit.engine.calendar import to_ms
from journeykit.engine.ids import log_id
from journeykit.insight.flow import PEOPLE
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import Simulator

WELCOME = Journey("welcome", trigger=on("signed.up"), steps=[Wait(days(1))])
VIP = Segment("vip", has(profile.vip))
QUIET = Segment("quiet", ~has(profile.vip))  # of whom more is known is in it no more
AUDIENCE = audience_plan(
    [],
    [VIP, QUIET],
    [Stage("trial", has(profile.trial)), Stage("paying", has(profile.paid))],
)
START = datetime.fromisoformat("2026-06-01T00:00:00Z")

Being = tuple[int, str, str]  # who, segment or stage, its name


def simulator() -> Simulator:
    return Simulator(WELCOME, audience=AUDIENCE, start=START)


def person(customer: str) -> int:
    return int(log_id(customer, "salt")[:16], 16)


def survivors(sim: Simulator, people: list[str]) -> Mapping[str, str]:
    """Who everybody is in the end."""
    found = {}
    for name in people:
        heir = name
        while (document := sim._customers[heir]).merged_into:
            heir = document.merged_into
        found[name] = heir
    return found


def beings(sim: Simulator, people: list[str]) -> set[tuple[str, str, str]]:
    """What everybody's document says that they are in now."""
    found = set()
    for name in people:
        document = sim._customers[name]
        found |= {(name, "segment", each) for each in document.segments}
        if document.stage:
            found.add((name, "stage", document.stage))
    return found


def stays_at(house: Warehouse, at: int) -> set[Being]:
    rows = house.rows(
        "select person, kind, name from stays "
        "where from_ms <= ? and (to_ms is null or to_ms > ?)",
        [at, at],
    )
    assert len(rows) == len(set(rows)), "nobody is in the same thing twice"
    return set(rows)


def test_at_every_instant_people_are_in_what_their_documents_say(
    tmp_path: Path,
) -> None:
    random = Random(7)
    people = [f"c{n}" for n in range(24)]
    sim = simulator()
    alive = list(people)
    samples = []
    for name in people:
        sim.identify(name, {"seen": True})

    for day in range(60):
        for name in random.sample(alive, 5):
            field = random.choice(["vip", "trial", "paid"])
            sim.identify(name, {field: random.choice([True, True, None])})
        if day % 3 == 2:
            merged, into = random.sample(alive, 2)
            sim.merge(merged, into)
            alive.remove(merged)
        sim.advance(hours(12))
        samples.append((to_ms(sim.now), beings(sim, people)))
        sim.advance(hours(12))

    heirs = survivors(sim, people)
    assert len(set(heirs.values())) == 4
    with Warehouse.open(written(tmp_path, sim)) as house:
        for at, documents in samples:
            assert stays_at(house, at) == {
                (person(heirs[name]), kind, of) for name, kind, of in documents
            }
        (ended,) = house.row(
            "select count(*) from stays where to_ms is null and person not in "
            f"({', '.join(str(person(name)) for name in alive)})"
        )
    assert ended == 0


def test_what_only_the_merged_customer_was_in_ends_with_the_merge(
    tmp_path: Path,
) -> None:
    sim = simulator()
    sim.identify("ada", {"vip": True})
    sim.identify("device", {"seen": True})
    sim.advance(days(1))
    merged_ms = to_ms(sim.now)
    sim.merge("device", "ada")

    with Warehouse.open(written(tmp_path, sim)) as house:
        (stay,) = house.rows("select person, to_ms from stays where name = 'quiet'")
        everybody = f"select count(*) from stays where true{PEOPLE}"
        assert house.row(everybody, ["quiet"]) == (0,)

    assert stay == (person("ada"), merged_ms)


def test_what_the_survivor_goes_on_with_is_one_stay(tmp_path: Path) -> None:
    sim = simulator()
    sim.identify("ada", {"seen": True})
    sim.advance(days(1))
    began_ms = to_ms(sim.now)
    sim.identify("device", {"vip": True, "paid": True})
    sim.advance(days(1))
    sim.merge("device", "ada")
    sim.advance(days(1))
    ended_ms = to_ms(sim.now)
    sim.identify("ada", {"vip": None, "paid": None})

    with Warehouse.open(written(tmp_path, sim)) as house:
        stays = house.rows(
            "select person, kind, from_ms, to_ms from stays "
            "where name in ('vip', 'paying') order by kind"
        )

    assert stays == [
        (person("ada"), kind, began_ms, ended_ms) for kind in ("segment", "stage")
    ]
