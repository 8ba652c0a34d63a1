from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Shop

from journeykit.engine.stimuli import WakeUp, encoded
from journeykit.local.embedded import wall_clock
from journeykit.ports import DeadLetter
from journeykit.testing import make_event

EVENT = make_event("cart.updated", "ada", total=3, email="ada@example.org")


@pytest.fixture
def buried(published: Shop) -> Shop:
    """A line that is no event, an old event, a command, and a wake-up."""
    with published.embedded() as embedded:
        embedded.store.bury(
            [
                DeadLetter(1_767_600_000_000, "http", "no JSON", "", "", b"{\x1b"),
                DeadLetter(2, "inbox", "KeyError: 'x'", "ada", *encoded(EVENT)),
                DeadLetter(3, "outbox", "damaged", "bob", "send_message", b"\x80"),
                DeadLetter(4, "timer", "KeyError: 'x'", "bob", *encoded(WakeUp("bob"))),
            ]
        )
    return published


def test_they_are_listed_and_counted_by_reason(buried: Shop) -> None:
    told = words(buried("dead-letters", "list").stdout)

    assert "1 2026-01-05 08:00 UTC http unreadable: no JSON" in told
    assert "event of ada: KeyError: 'x'" in told
    assert "2 KeyError: 'x' 1 no JSON" in told


def test_the_latest_are_listed_if_there_are_many(buried: Shop) -> None:
    told = buried("dead-letters", "list", "--limit", "1").stdout

    assert "wake_up of bob" in told
    assert "event of ada" not in told
    assert "3 earlier ones; --limit 4 lists all" in told


def test_none_are_said_to_be_none(published: Shop) -> None:
    assert published("dead-letters", "list").stdout == "there are no dead letters\n"


def test_json_holds_what_came_in(buried: Shop) -> None:
    lines = buried("dead-letters", "list", "--json").stdout.splitlines()

    unreadable, event, *_ = map(json.loads, lines)
    assert unreadable["body"] == "{\x1b"
    assert event["body"]["properties"]["total"] == 3
    assert event["kind"] == "event"


def test_one_is_shown_whole(buried: Shop) -> None:
    told = buried("dead-letters", "show", "2").stdout

    assert "reason      KeyError: 'x'" in told
    assert '"email": "ada@example.org"' in told
    assert "\x1b" not in buried("dead-letters", "show", "1").stdout


def test_one_that_there_is_not_is_an_error(buried: Shop) -> None:
    result = buried("dead-letters", "show", "99")

    assert result.exit_code == 1
    assert "there is no dead letter 99" in result.stderr


def test_an_event_is_tried_again(buried: Shop) -> None:
    result = buried("dead-letters", "redrive", "2", "4")

    assert result.exit_code == 0
    assert "2 to be tried again; `journeykit serve`" in result.stdout
    with buried.embedded() as embedded:
        assert [s for _, s in embedded.store.pending(9)] == [EVENT, WakeUp("bob")]
        assert [letter.id for letter in embedded.store.dead(0, 9)] == [1, 3]


def test_what_can_not_be_tried_again_stays_with_the_reason(buried: Shop) -> None:
    result = buried("dead-letters", "redrive", "1", "3", "4")

    assert result.exit_code == 1
    assert "1 stays: it could not be read" in result.stderr
    assert "3 stays: 'send_message' is no kind of stimulus" in result.stderr
    with buried.embedded() as embedded:
        assert [letter.id for letter in embedded.store.dead(0, 9)] == [1, 2, 3]


def test_all_that_can_be_are_tried_again(buried: Shop) -> None:
    result = buried("dead-letters", "redrive", "--all")

    assert result.exit_code == 0
    assert "2 to be tried again" in result.stdout


def test_one_that_is_too_old_comes_with_a_warning(buried: Shop) -> None:
    told = words(buried("dead-letters", "redrive", "2").stdout)

    assert "1 came in more than 48 hours ago" in told
    assert "replay_too_old" in told


def test_a_redriven_event_is_handled_as_if_nothing_had_been(published: Shop) -> None:
    with published.embedded() as embedded:
        embedded.store.bury([DeadLetter(2, "inbox", "a bug", "ada", *encoded(EVENT))])

    published("dead-letters", "redrive", "1")
    with published.embedded() as embedded:
        embedded.runtime.drain(None)

    assert [run.journey for run in published.customers("ada")[0].active] == ["cart"]


def test_an_event_that_is_refused_again_is_a_dead_letter_again(buried: Shop) -> None:
    buried("dead-letters", "redrive", "2")
    with buried.embedded() as embedded:
        embedded.runtime.drain(wall_clock())

    assert "nobody knows any more" in buried("dead-letters", "list").stdout


def test_they_are_removed_for_good(buried: Shop) -> None:
    assert buried("dead-letters", "drop", "1").exit_code == 2  # nobody said yes
    assert buried("dead-letters", "drop", "1", "--yes").stdout == "1 removed\n"
    assert buried("dead-letters", "drop", "--all", "--yes").stdout == "3 removed\n"
    assert "there are no dead letters" in buried("dead-letters", "list").stdout


@pytest.mark.parametrize("arguments", [[], ["2", "--all"], ["x", "2"], ["a", "b"]])
def test_which_ones_must_be_clear(buried: Shop, arguments: list[str]) -> None:
    for command in ("redrive", "drop"):
        assert buried("dead-letters", command, *arguments).exit_code == 2


def words(text: str) -> str:
    return " ".join(text.split())
