from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.conftest import Shop

from journeykit.engine.commands import SendMessage
from journeykit.ports import DeadLetter, Job, Settled
from journeykit.testing import make_event

HELD_OUT = """\
from journeykit import Goal, Holdout, Journey, Wait, days, on

half = Journey(
    "half",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), within=days(30)),
    holdout=Holdout(50),
    steps=[Wait(days(1))],
)
"""


@pytest.fixture
def busy(published: Shop) -> Shop:
    """Three have come to the cart: one waits, one has got a message, one has bought."""
    published.happen(
        make_event("cart.updated", "ada"),
        make_event("cart.updated", "bob"),
        make_event("order.placed", "bob", at="2026-01-05T09:10:00Z"),
        until="2026-01-05T11:00:00Z",
    )
    published.happen(make_event("cart.updated", "cyd", at="2026-01-05T11:00:00Z"))
    return published


def test_everybody_who_entered_is_somewhere(busy: Shop) -> None:
    told = words(busy("status").stdout)

    assert "people 3 entered = 1 waiting + 1 completed + 1 exited" in told
    assert "exited goal reached 1" in told
    assert "goals goal 1" in told
    assert "now at 1 wait-1h" in told
    assert "messages 1 released" in told


def test_what_is_in_no_file_yet_counts_as_well(busy: Shop) -> None:
    (log,) = busy.folder.glob(".journeykit/decisions.jsonl")
    lines = log.read_bytes()

    busy("enroll", "cart", "dan")

    assert log.read_bytes() == lines  # `serve` or `run` writes it
    assert journey(busy, "cart")["entered"] == 4


def test_a_decision_that_is_in_the_log_twice_counts_once(busy: Shop) -> None:
    before = journey(busy, "cart")
    (log,) = busy.folder.glob(".journeykit/decisions.jsonl")

    log.write_bytes(log.read_bytes() * 2 + b'{"half of a li')

    assert journey(busy, "cart") == before


def test_it_is_said_when_the_log_lacks_its_start(busy: Shop) -> None:
    (log,) = busy.folder.glob(".journeykit/decisions.jsonl")
    log.rename(log.with_name("decisions-000001.jsonl"))
    assert journey(busy, "cart")["adds_up"]

    log.with_name("decisions-000001.jsonl").unlink()
    log.with_name("decisions-000002.jsonl").touch()
    told = words(busy("status").stdout)

    assert "people 0 entered ≠ 1 waiting" in told
    assert "the log does not go back to the start: files were taken away" in told


def test_it_is_said_when_somebody_is_lost_without_a_reason(busy: Shop) -> None:
    (log,) = busy.folder.glob(".journeykit/decisions.jsonl")
    log.write_bytes(b"")

    assert "or somebody was lost: please report it" in words(busy("status").stdout)


def test_who_is_held_out_adds_up_with_the_others(shop: Shop) -> None:
    shop.write("journeys/half.py", HELD_OUT)
    shop("publish")
    shop.happen(*(make_event("cart.updated", f"c{n}") for n in range(20)))

    half = journey(shop, "half")

    assert 0 < half["held_out"] < 20
    assert half["entered"] == 20 == half["held_out"] + half["waiting"]
    assert half["adds_up"]


def test_older_versions_say_how_many_are_on_them(busy: Shop) -> None:
    path = busy.folder / "journeys/cart.py"
    path.write_text(path.read_text().replace("hours(1)", "hours(2)"))
    busy("publish")

    told = words(busy("status", "--journey", "cart").stdout)

    assert "cart · v2" in told
    assert "older 1 on v1" in told
    assert "wait-1h (v1)" in told


def test_a_state_is_told_with_its_reason(busy: Shop) -> None:
    busy("pause", "cart", "--reason", "a typo")

    assert "state paused: a typo" in words(busy("status").stdout)


def test_one_journey_can_be_asked_for(busy: Shop) -> None:
    told = busy("status", "-j", "news").stdout

    assert "news · v1" in told
    assert "cart · v1" not in told
    assert "did you mean 'cart'?" in busy("status", "-j", "card").stderr


def test_deliveries_are_counted_by_what_came_of_them(busy: Shop) -> None:
    with busy.embedded() as embedded:
        (task,) = embedded.store.take(2**45, 10, lease_until=2**45 + 1)
        assert isinstance(task.command, SendMessage)
        embedded.store.settle([Settled(task.id, "sent", 2**45)])

    assert journey(busy, "cart")["deliveries"] == {"sent": 1, "failed": 0}
    told = words(busy("status").stdout)
    assert "1 handed over and 0 failed since the last publish or resume" in told
    assert "to deliver nothing" in told


def test_what_waits_is_told(busy: Shop) -> None:
    with busy.embedded() as embedded:
        embedded.store.save(Job(0, "enroll", "cart", started_at=1, people=b"ada"))
        embedded.store.bury([DeadLetter(1, "http", "no JSON", "", "", b"{")])

    told = words(busy("status").stdout)

    assert "to deliver 1 message or call, the first was due 2026-01-05 10:00" in told
    assert "wake-ups the next was due 2026-01-05 12:00" in told
    assert "unfinished enroll of cart, begun 1970-01-01 00:00 UTC" in told
    assert "failed 1 dead letter: journeykit dead-letters list" in told


def test_json_says_it_all(busy: Shop) -> None:
    document = json.loads(busy("status", "--json").stdout)

    assert document["catalog"]["revision"] == 1
    assert document["customers"] == 3
    assert [each["journey"] for each in document["journeys"]] == ["cart", "news"]
    assert document["journeys"][0]["steps"] == [
        {"version": 1, "step": "wait-1h", "people": 1}
    ]
    assert document["log"] == {"is_whole": True, "cut": 0}


def test_it_fits_eighty_columns(busy: Shop) -> None:
    assert max(map(len, busy("status").stdout.splitlines())) <= 80


def test_a_data_folder_elsewhere_is_found(shop: Shop) -> None:
    elsewhere = shop.folder.parent / "data"

    assert shop("publish", "--data", str(elsewhere)).exit_code == 0
    assert shop("status", "--data", str(elsewhere)).exit_code == 0
    assert "there is no database" in shop("status").stderr


def words(text: str) -> str:
    return " ".join(text.split())


def journey(shop: Shop, id: str) -> dict[str, Any]:
    document = json.loads(shop("status", "--json").stdout)
    found: dict[str, Any] = next(
        each for each in document["journeys"] if each["journey"] == id
    )
    return found
