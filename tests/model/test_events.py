from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from journeykit.errors import InputError
from journeykit.model.events import INNER, checked
from journeykit.model.formats import decode_event
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
        (
            {"userId": "u", "messageId": "m"},
            "event: a track line needs the event's name",
        ),
        (
            {"messageId": "m", "event": "x"},
            "userId is missing, and so is anonymousId",
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


def test_somebody_is_named_by_an_id_or_by_identifiers() -> None:
    event = decode_event(native(customer="", identifiers={"email": "a@example.com"}))

    assert (event.customer, event.identifiers) == ("", {"email": "a@example.com"})
    with pytest.raises(InputError, match="customer: needs 1 to 256 characters"):
        decode_event(native(customer=""))


@pytest.mark.parametrize(
    ("identifiers", "said"),
    [
        ({"E-Mail": "a"}, "'E-Mail' is no kind of identifier"),
        ({"email": ""}, "identifiers.email: needs 1 to 256 characters"),
        ({"email": "a\x00b"}, "is not plain text"),
        ({f"k{n}": "a" for n in range(9)}, "may be 8, these are 9"),
    ],
)
def test_identifiers_keep_their_bounds(identifiers: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as error:
        decode_event(native(identifiers=identifiers))

    assert said in str(error.value)


@pytest.mark.parametrize("name", [*sorted(INNER), "~welcome/0", "~"])
def test_what_only_the_engine_tells_is_taken_of_nobody(name: str) -> None:
    segments: dict[str, Any] = {
        "type": "track",
        "messageId": "m",
        "userId": "ada",
        "event": name,
    }
    segments |= {"timestamp": "2026-06-01T09:00:00Z", "properties": {"segment": "vip"}}
    cloud: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "shop",
        "type": name,
    }
    cloud |= {"subject": "ada", "time": "2026-06-01T09:00:00Z"}
    bridged: dict[str, Any] = {"id": "1", "source": "shop", "detail-type": name}
    bridged |= {"time": "2026-06-01T09:00:00Z", "detail": {"customer": "ada"}}
    said = "is what the engine itself tells; nobody sends it"

    for line in (native(name=name), *map(_line, (segments, cloud, bridged))):
        with pytest.raises(InputError, match=said):
            decode_event(line)
    with pytest.raises(InputError, match=said):
        checked(msgspec.structs.replace(make_event("x"), name=name))


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()
