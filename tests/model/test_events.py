from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from journeykit.errors import InputError
from journeykit.model.events import checked, decode_event
from journeykit.testing import make_event


def native(**fields: Any) -> bytes:
    """A line in our own spelling; None leaves a field out."""
    good = {"id": "1", "name": "x", "customer": "ada"}
    return json.dumps(good | {"occurred_at": "2026-06-01T09:00:00Z"} | fields).encode()


CONTROL = st.characters(categories=["Cc"])


@given(field=st.sampled_from(["id", "name", "customer", "source"]), control=CONTROL)
def test_no_door_takes_a_name_with_a_control_character(
    field: str, control: str
) -> None:
    event = msgspec.structs.replace(make_event("x"), **{field: f"a{control}b"})

    with pytest.raises(InputError, match=f"{field}: .* is not plain text") as caught:
        checked(event)

    assert str(caught.value).isprintable()


@given(control=CONTROL)
def test_what_is_wrong_with_a_line_is_said_without_control_characters(
    control: str,
) -> None:
    good = {
        "id": "1",
        "name": "x",
        "customer": "ada",
        "occurred_at": "2026-06-01T09:00:00Z",
    }
    nested: object = 1
    for _ in range(40):
        nested = [nested]
    wrong = [
        json.dumps(good | {control: 1}),
        json.dumps(good | {"properties": {control: nested}}),
        f"oops{control}",
    ]

    for line in wrong:
        with pytest.raises(InputError) as caught:
            decode_event(line.encode())

        assert str(caught.value).isprintable()


def test_a_property_may_be_called_as_segment_calls_its_ids() -> None:
    line = native(properties={"messageId": "abc", "userId": 7, "type": "x"})

    assert decode_event(line).properties["messageId"] == "abc"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"occured_at": "2026-01-01T00:00:00Z"}, "did you mean 'occurred_at'?"),
        ({"total": 1}, "'total' is no field of an event; put it into 'properties'"),
        ({"customer": 7}, "customer: is of type int, needs str"),
        ({"occurred_at": "2026-01-01"}, "occurred_at: is no date-time"),
    ],
)
def test_what_is_wrong_with_a_line_leads_to_the_way_out(
    line: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as error:
        decode_event(native(**line))

    assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"userId": "u", "event": "x"}, "messageId is missing"),
        (
            {"userId": "u", "messageId": "m"},
            "event: a track line needs the event's name",
        ),
        (
            {"anonymousId": "u", "messageId": "m", "event": "x"},
            "userId is missing; an anonymousId",
        ),
    ],
)
def test_a_line_of_segments_is_known_by_its_ids(
    line: dict[str, Any], said: str
) -> None:
    text = json.dumps({"type": "track", "timestamp": "2026-01-01T00:00:00Z", **line})

    with pytest.raises(InputError) as error:
        decode_event(text.encode())

    assert said in str(error.value)
