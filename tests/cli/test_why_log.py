from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Shop

from journeykit.testing import make_event


@pytest.fixture
def told(published: Shop) -> Shop:
    """Ada got a message, and bob bought before he would have."""
    published.happen(
        make_event("cart.updated", "ada"),
        make_event("cart.updated", "bob"),
        make_event("subscribed", "bob", at="2026-01-05T09:05:00Z"),
        make_event("order.placed", "bob", at="2026-01-05T09:10:00Z"),
        until="2026-01-05T11:00:00Z",
    )
    return published


def test_the_log_tells_what_a_replay_tells(told: Shop) -> None:
    event = {
        "id": "1",
        "name": "cart.updated",
        "customer": "ada",
        "occurred_at": "2026-01-05T09:00:00Z",
    }
    told.write("events.jsonl", json.dumps(event))
    events = str(told.folder / "events.jsonl")

    logged = told("why", "ada").stdout.splitlines()
    replayed = told("why", "ada", "--events", events).stdout.splitlines()

    assert "  run 1, from 2026-01-05 04:00 to 2026-01-05 05:00" in logged
    assert [line for line in logged[1:] if "·" not in line] == [
        line for line in replayed[1:] if "·" not in line
    ]


def test_nobody_elses_decisions_are_told(told: Shop) -> None:
    assert "the goal is reached" not in told("why", "ada").stdout
    assert "the goal is reached" in told("why", "bob").stdout


def test_a_decision_that_is_in_the_log_twice_is_told_once(told: Shop) -> None:
    before = told("why", "bob", "--all").stdout
    (log,) = told.folder.glob(".journeykit/decisions.jsonl")

    log.write_bytes(log.read_bytes() * 2)

    assert told("why", "bob", "--all").stdout == before


def test_what_is_in_no_file_yet_is_told(told: Shop) -> None:
    told("stop", "cart", "--yes")
    told("enroll", "news", "ada")  # refused
    told("remove", "news", "ada")

    assert "news" in told("why", "ada").stdout


def test_one_journey_can_be_asked_for(told: Shop) -> None:
    assert "cart ─" not in told("why", "bob", "-j", "news").stdout
    assert "did you mean 'news'?" in told("why", "bob", "-j", "new").stderr


def test_it_is_told_from_an_instant_to_another(told: Shop) -> None:
    since, until = "2026-01-05T09:01:00Z", "2026-01-05T09:06:00Z"

    text = told("why", "bob", "--since", since, "--until", until).stdout

    assert "sent hello" in text
    assert "the goal is reached" not in text
    assert "cart ─" not in text


def test_an_unknown_customer_is_an_error(told: Shop) -> None:
    result = told("why", "adda")

    assert result.exit_code == 1
    assert "there is no customer 'adda'; did you mean 'ada'?" in result.stderr


def test_of_somebody_who_moved_nothing_there_is_nothing_to_tell(told: Shop) -> None:
    told.happen(make_event("profile.updated", "cyd", x=1))

    assert "cart" not in told("why", "cyd").stdout


def test_it_is_said_if_the_log_lacks_its_start(told: Shop) -> None:
    (log,) = told.folder.glob(".journeykit/decisions.jsonl")
    log.unlink()
    log.with_name("decisions-000007.jsonl").touch()

    assert "files of the decision log were taken away" in told("why", "ada").stdout


def test_what_belongs_to_a_replay_needs_events(told: Shop) -> None:
    result = told("why", "ada", "--profiles", "profiles.jsonl")

    assert result.exit_code == 2
    assert "go with --events" in result.stderr
