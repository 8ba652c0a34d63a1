"""The customer document as JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from journeykit import Goal, Journey, Send, Wait, days, entry, hours, on
from journeykit.engine.customer import SCHEMA, decode, encode, upgraded

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
