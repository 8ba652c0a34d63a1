"""The action `claim` gives away places of the store, and never more than there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from journeykit.builtin.claim import ClaimAction
from journeykit.channels import Action, ActionCall, CallFailed, Completed
from journeykit.testing.contracts import ActionContract

CALL = ActionCall(
    call_id="call-1",
    customer="ada",
    arguments={"key": "spring", "limit": 2},
    at=datetime(2026, 3, 2, 9, 0, 0, 123000, tzinfo=UTC),
    journey="spring",
    step="claim",
)


class Places:
    """The places of a store, in memory."""

    def __init__(self) -> None:
        self.holders: dict[str, list[str]] = {}
        self.last_at = 0

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        self.last_at = at
        holders = self.holders.setdefault(key, [])
        if holder not in holders:
            if len(holders) >= limit:
                return 0
            holders.append(holder)
        return holders.index(holder) + 1


def claiming(places: Places) -> ClaimAction:
    action = ClaimAction()
    action.claims = places
    return action


def answer(action: Action, call: ActionCall = CALL) -> object:
    [outcome] = action.run([call])
    return outcome.result if isinstance(outcome, Completed) else outcome


def asked(customer: str = "ada", **arguments: object) -> ActionCall:
    return replace(CALL, customer=customer, arguments={**CALL.arguments, **arguments})


class TestClaim(ActionContract):
    arguments = CALL.arguments
    bad_arguments = (
        {},
        {"key": "spring"},
        {"limit": 2},
        {"key": "spring", "limit": 2, "holdr": "ada"},
        *(
            {"key": key, "limit": 2}
            for key in (None, True, "", ["a"], "x" * 257, "\ud800")
        ),
        *(
            {"key": "k", "limit": limit}
            for limit in (None, True, 0, -1, 1.5, "2", 10**10)
        ),
        *({"key": "k", "limit": 2, "holder": holder} for holder in (None, "", {})),
    )

    def setup_method(self) -> None:
        self.places = Places()

    def action(self) -> Action:
        return claiming(self.places)

    def effects(self) -> object:
        return self.places.holders


def test_the_first_get_a_place_and_the_others_none() -> None:
    action = claiming(Places())

    found = [answer(action, asked(customer)) for customer in ("ada", "ben", "cleo")]

    assert found == [
        {"granted": True, "place": 1},
        {"granted": True, "place": 2},
        {"granted": False, "place": 0},
    ]


def test_the_same_holder_gets_the_same_place() -> None:
    action = claiming(Places())

    first = answer(action, asked("ada"))
    again = answer(action, replace(asked("ada"), call_id="call-2"))

    assert again == first


def test_whoever_is_named_as_holder_holds_the_place() -> None:
    places = Places()

    answer(claiming(places), asked("ada", holder="ada@example.com"))

    assert places.holders == {"spring": ["ada@example.com"]}


@pytest.mark.parametrize(("number", "key"), [(5, "5"), (5.0, "5"), (2.5, "2.5")])
def test_a_number_names_the_same_however_it_was_written(
    number: float, key: str
) -> None:
    places = Places()

    answer(claiming(places), asked(key=number, limit=1.0))

    assert list(places.holders) == [key]


def test_a_claim_is_of_the_instant_of_the_decision() -> None:
    places = Places()

    answer(claiming(places))

    assert places.last_at == 1772442000123


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"key": True}, "key must be a text or a number, of 1 to 256 characters"),
        ({"limit": 0}, "limit must be a whole number from 1 to 1000000000"),
        (
            {"lmit": 1},
            "there is no argument 'lmit'; there are key, limit and holder",
        ),
    ],
)
def test_bad_arguments_are_answered_with_what_is_right(
    arguments: Mapping[str, object], reason: str
) -> None:
    assert answer(claiming(Places()), asked(**arguments)) == CallFailed(
        "call-1", reason
    )


def test_a_reason_does_not_quote_a_key_which_may_be_an_address() -> None:
    outcome = answer(claiming(Places()), asked(key="ada@example.com" * 30))

    assert isinstance(outcome, CallFailed)
    assert "ada" not in outcome.reason


def test_test_traffic_is_granted_no_real_place() -> None:
    places = Places()

    found = answer(claiming(places), replace(CALL, test=True))

    assert found == {"granted": True, "place": 0}
    assert places.holders == {}


def test_a_mock_needs_no_store() -> None:
    assert answer(ClaimAction().mock()) == {"granted": True, "place": 0}


def test_without_a_store_nothing_can_be_done_at_all() -> None:
    with pytest.raises(RuntimeError, match="set `claims` before `run`"):
        ClaimAction().run([CALL])
