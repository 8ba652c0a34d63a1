"""The customer document as JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from journeykit import Goal, Journey, Send, Wait, days, entry, hours, on
from journeykit.engine.customer import SCHEMA, created, decode, encode, upgraded

JOURNEY = Journey(
    id="j",
    trigger=on("start"),
    goal=Goal(on("bought"), within=days(7)),
    steps=[Wait(hours(1)), Send("sms", "x", variables={"sum": entry.sum})],
)


def test_a_document_survives_json(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.event("profile.updated", city="Turin", nested={"list": [1, None, "x"]})
    ada.event("start", sum=5)

    assert decode(encode(ada.customer)) == ada.customer


def test_fields_at_their_default_are_left_out(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.event("start")

    (run,) = json.loads(encode(ada.customer))["active"]

    assert run["step"] == "wait-1h"
    assert {"held_out", "arms", "latches", "standing"}.isdisjoint(run)


def test_a_document_of_this_release_is_read_as_it_is(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.event("start")

    assert upgraded(json.loads(encode(ada.customer))) == ada.customer


def test_a_document_of_a_later_release_is_refused(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.event("start")
    document = {**json.loads(encode(ada.customer)), "schema": SCHEMA + 1}

    with pytest.raises(ValueError, match="deploy that release here too"):
        upgraded(document)


def test_a_damaged_document_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"id": 7}')


# As the release before held messages and removals wrote it: kept, never rewritten.
OF_SCHEMA_1 = b"""
{"id": "ada", "created_at": 1780315200000, "schema": 1, "revision": 4,
 "clock": 1780318800000, "catalog": 2, "profile": {"city": "Turin"},
 "addresses": {"5d0c5a1f": {"suppressed": "hard_bounce"}},
 "consents": [{"granted": true, "at": 1780315200000, "topic": "news"}],
 "active": [{"id": "e1", "journey": "j", "version": 1, "n": 2,
   "entered_at": 1780315200000, "entry": {"sum": 5}, "step": "wait-1h", "visit": 1,
   "arrived_at": 1780315200000, "due": 1780322400000,
   "watches": [{"goal": "goal", "until": 1780920000000}]}],
 "past": {"j": {"count": 2, "last_in": 1780315200000, "last_out": 1780315100000,
   "outcome": "exited:goal_reached", "arms": {"split": "a"},
   "keys": {"k": {"count": 1, "last_in": 1780315200000}},
   "finished": [{"id": "e0", "version": 1,
     "watches": [{"goal": "goal", "until": 1780919900000}]}]}},
 "forgotten": 1, "counters": {"*|*|*|marketing": 1},
 "ledger": [[1780315200000, "sms", "", "j", "marketing", "d1"]],
 "seen": {"17179869184": 1780315200000}, "next_due": 1780322400000}
"""


def test_a_document_from_before_held_messages_and_removals_is_read() -> None:
    customer = upgraded(json.loads(OF_SCHEMA_1))

    assert decode(OF_SCHEMA_1) == replace(customer, schema=1)
    assert customer.held == []
    assert customer.salt == ""
    assert (customer.past["j"].removed, customer.past["j"].early) == (False, [])
    assert (customer.traits, customer.segments, customer.merged_into) == ({}, {}, "")
    assert json.loads(encode(customer)) == json.loads(OF_SCHEMA_1) | {"schema": SCHEMA}


def test_a_salt_stays_with_the_customer(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.customer = created("ada", ada.ms("+0h"), salt="of her own")

    ada.event("start", sum=5)

    assert ada.customer.salt == "of her own"
    assert json.loads(encode(ada.customer))["salt"] == "of her own"


def test_the_engine_draws_no_salt(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.event("start", sum=5)

    assert b"salt" not in encode(ada.customer)
