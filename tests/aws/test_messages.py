from __future__ import annotations

import base64
import json
import math
import string
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from journeykit.aws.bus import HTTP, JOURNEYS
from journeykit.aws.messages import (
    Visit,
    command_of,
    command_parcel,
    letter_of,
    letter_parcel,
    received,
    stimulus_parcel,
    visit_parcel,
)
from journeykit.aws.queues import MAX_BYTES, Parcel
from journeykit.engine.commands import CallAction, Command, PublishEvent, SendMessage
from journeykit.engine.stimuli import (
    Enroll,
    Remove,
    Returned,
    ReturnReason,
    Stimulus,
    WakeUp,
    encoded,
)
from journeykit.errors import InputError
from journeykit.model.events import MAX_LINE, Event
from journeykit.ports import DeadLetter
from journeykit.testing.store_contract.samples import (
    NOW,
    make_call,
    make_letter,
    make_message,
    make_stimuli,
)

SENT_AT = datetime(2026, 6, 1, 12, 30, 0, 250_000, tzinfo=UTC)
SENT_MS = 1_780_317_000_250


def record_of(parcel: Parcel, **fields: Any) -> dict[str, Any]:
    """The parcel as Lambda hands it to a function."""
    return {
        "messageId": "m1",
        "body": parcel.body,
        "attributes": {"SentTimestamp": str(SENT_MS)},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"}
            for name, value in parcel.attributes.items()
        },
        "eventSource": "aws:sqs",
        **fields,
    }


def envelope(detail: Any = None, **fields: Any) -> dict[str, Any]:
    """An envelope as EventBridge writes one."""
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "order.placed",
        "source": "shop",
        "account": "123456789012",
        "time": "2026-06-01T12:29:58Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {"customer": "ada", "sum": 12.5} if detail is None else detail,
        **fields,
    }


def from_bus(document: object) -> Stimulus | Visit | None:
    return received(record_of(Parcel(json.dumps(document))))


# What SQS takes, by its documentation; a body of anything else is refused for ever.
def is_sendable(text: str) -> bool:
    return all(
        c in "\t\n\r"
        or "\x20" <= c <= "\ud7ff"
        or "\ue000" <= c <= "\ufffd"
        or c >= "\U00010000"
        for c in text
    )


# --- our own -------------------------------------------------------------------------

# No door lets in control characters or half a character; U+FFFE and U+FFFF it does.
characters = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(
    "\ufffe\uffff"
)
texts = st.text(characters, max_size=20)
ids = st.text(characters, min_size=1, max_size=20)
integers = st.integers(-(2**63), 2**64 - 1)
moments = st.integers(0, 4_000_000_000_000)
instants = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(8999, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | integers
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(texts, plain, max_size=3)
messages = st.builds(
    SendMessage,
    delivery_id=ids,
    customer=ids,
    channel=texts,
    address=texts,
    template=texts,
    variables=objects,
    at=moments,
    journey=texts,
    version=st.integers(1, 99),
    step=texts,
    enrollment=texts,
    purpose=st.sampled_from(["marketing", "transactional"]),
    topic=texts,
    expires_at=st.none() | moments,
    test=st.booleans(),
    not_after=st.none() | moments,
    attempts=st.integers(0, 9),
)
calls = st.builds(
    CallAction,
    call_id=ids,
    customer=ids,
    action=texts,
    arguments=objects,
    at=moments,
    journey=texts,
    version=st.integers(1, 99),
    step=texts,
    enrollment=texts,
    retries=st.integers(0, 9),
    expires_at=moments,
    test=st.booleans(),
)
published = st.builds(PublishEvent, ids, texts, ids, objects, moments, st.booleans())
commands: st.SearchStrategy[Command] = messages | calls | published
stimuli: st.SearchStrategy[Stimulus] = st.one_of(
    st.builds(
        Event,
        id=ids,
        name=ids,
        customer=ids,
        occurred_at=instants,
        received_at=instants,
        properties=objects,
        source=texts,
        test=st.booleans(),
    ),
    st.builds(
        Enroll,
        id=ids,
        journey=ids,
        customer=ids,
        received_at=instants,
        entry=objects,
        test=st.booleans(),
    ),
    st.builds(Remove, id=ids, journey=ids, customer=ids, received_at=instants),
    st.builds(WakeUp, ids),
    st.builds(
        Returned,
        message=messages,
        until=moments,
        reason=st.sampled_from(get_args(ReturnReason)),
        received_at=instants,
    ),
)


@given(stimulus=stimuli, delay=st.integers(0, 900))
def test_every_stimulus_survives_the_way_through_a_message(
    stimulus: Stimulus, delay: int
) -> None:
    parcel = stimulus_parcel(stimulus, delay_s=delay)

    assert received(record_of(parcel)) == stimulus
    assert parcel.delay_s == delay
    assert all(map(is_sendable, [parcel.body, *parcel.attributes.values()]))
    assert all(parcel.attributes.values())


@given(command=commands, revision=st.integers(1, 10**12))
def test_every_command_survives_the_way_through_a_message(
    command: Command, revision: int
) -> None:
    parcel = command_parcel(command, revision)

    assert command_of(record_of(parcel)) == (command, revision)
    assert all(map(is_sendable, [parcel.body, *parcel.attributes.values()]))
    assert all(parcel.attributes.values())


@given(
    kind=st.text() | st.sampled_from(["", "event", "enroll", "returned", "visit"]),
    body=st.one_of(
        st.text(st.characters()),
        st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
        st.builds(json.dumps, plain),
        st.builds(
            lambda at, text: text[:at] + text[at + 1 :],
            st.integers(0, 200),
            st.sampled_from([stimulus_parcel(s).body for s in make_stimuli()]),
        ),
        st.builds(lambda detail: json.dumps(envelope(detail)), plain),
    ),
    sent=st.none() | st.text() | st.integers(),
)
def test_whatever_comes_in_raises_nothing_but_what_a_door_raises(
    kind: str, body: str, sent: Any
) -> None:
    record = record_of(Parcel(body, {"kind": kind}), attributes={"SentTimestamp": sent})
    for read in (received, command_of):
        with suppress(ValueError, InputError):
            read(record)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"body": None},
        {"body": b"{}"},
        {"body": "{}", "messageAttributes": None},
        {"body": "{}", "messageAttributes": {"kind": None}},
        {"body": "{}", "messageAttributes": {"kind": {"stringValue": 1}}},
        {"body": "{}", "attributes": "x"},
        {"body": "{}", "attributes": {"SentTimestamp": "9" * 400}},
        {"body": "{}", "attributes": {"SentTimestamp": "²"}},
    ],
    ids=str,
)
def test_a_record_of_any_shape_is_refused_by_name(record: Mapping[str, Any]) -> None:
    with pytest.raises((ValueError, InputError)):
        received(record)
    with pytest.raises(ValueError, match="command"):
        command_of(record)


@pytest.mark.parametrize("kind", ["wakeup", "command", "Event", " event", "null"])
def test_a_kind_that_nobody_knows_is_refused_by_name(kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{kind}' is no kind of stimulus"):
        received(record_of(Parcel('{"customer": "ada"}', {"kind": kind})))


@pytest.mark.parametrize("stimulus", make_stimuli(), ids=lambda s: type(s).__name__)
def test_fields_of_a_later_release_are_passed_over(stimulus: Stimulus) -> None:
    parcel = stimulus_parcel(stimulus)
    later = {**json.loads(parcel.body), "introduced_in_2030": {"x": 1}}

    assert received(record_of(Parcel(json.dumps(later), parcel.attributes))) == stimulus


def test_a_command_of_a_later_release_is_read_as_far_as_it_is_known() -> None:
    parcel = command_parcel(make_message("d1"), 7)
    later = {**json.loads(parcel.body), "introduced_in_2030": [1]}

    command, _ = command_of(record_of(Parcel(json.dumps(later), parcel.attributes)))

    assert command == make_message("d1")


@pytest.mark.parametrize(
    "revision", ["-1", "1.5", "²", "1" * 30, " 1", "one"], ids=ascii
)
def test_a_command_needs_a_revision_that_is_one(revision: str) -> None:
    parcel = command_parcel(make_call("c1"), 7)
    attributes = {**parcel.attributes, "revision": revision}

    with pytest.raises(ValueError, match="no revision"):
        command_of(record_of(Parcel(parcel.body, attributes)))


def test_a_command_that_was_a_dead_letter_has_no_revision() -> None:
    letter = DeadLetter(NOW, "relay", "no queue", "ada", "command", b"")
    body = msgspec.json.encode(make_message("d1"))

    parcel = letter_parcel(replace(letter, body=body))

    assert command_of(record_of(parcel)) == (make_message("d1"), 0)


def test_a_body_is_bounded() -> None:
    body = json.dumps({"customer": "a" * MAX_BYTES})

    with pytest.raises(InputError, match="1048576 bytes"):
        received(record_of(Parcel(body, {"kind": "wake_up"})))


@pytest.mark.parametrize(
    "stimulus",
    [
        WakeUp(""),
        WakeUp("x" * 257),
        WakeUp("a\x00b"),
        replace(make_stimuli()[0], properties={"x": 2**64}),
        replace(make_stimuli()[0], name=""),
        replace(make_stimuli()[1], entry={"deep": json.loads("[" * 40 + "]" * 40)}),
        replace(make_stimuli()[2], customer="\x07"),
        replace(make_stimuli()[3], received_at=datetime(2026, 6, 1)),  # noqa: DTZ001
    ],
    ids=["empty", "long", "nul", "number", "name", "deep", "bell", "naive"],
)
def test_what_no_door_would_let_in_is_refused_here_too(stimulus: Stimulus) -> None:
    with pytest.raises(InputError):
        received(record_of(stimulus_parcel(stimulus)))


def test_what_an_action_answered_may_nest_as_deep_as_it_likes() -> None:
    result = json.loads("[" * 40 + "]" * 40)
    report = Event(
        id="c1:call.completed",
        name="call.completed",
        customer="ada",
        occurred_at=SENT_AT,
        received_at=SENT_AT,
        properties={"call_id": "c1", "result": {"deep": result}},
        source="dispatcher",
    )

    assert received(record_of(stimulus_parcel(report))) == report


def test_what_nests_too_deep_to_be_read_is_refused() -> None:
    depth = 60_000  # newer Pythons go deeper than older ones
    body = '{"message":' * depth + "1" + "}" * depth

    with pytest.raises(ValueError, match="deep"):
        received(record_of(Parcel(body, {"kind": "returned"})))


def test_a_reason_does_not_quote_what_came() -> None:
    parcel = Parcel('{"customer": {"mail": "ada@example.com"}}', {"kind": "wake_up"})

    with pytest.raises(ValueError, match="wake_up: Expected `str`") as caught:
        received(record_of(parcel))

    assert "ada@" not in str(caught.value)


def test_the_trace_says_what_a_message_is_about() -> None:
    traces = [stimulus_parcel(s).attributes.get("trace") for s in make_stimuli()]
    assert traces == ["1", "2", "3", "d1", None, "5", "6", "7"]
    assert command_parcel(make_message("d1"), 1).attributes["trace"] == "d1"
    assert command_parcel(make_call("c1"), 1).attributes["trace"] == "c1"
    event = PublishEvent("e1", "sent.out", "ada", {}, NOW)
    assert command_parcel(event, 1).attributes["trace"] == "e1"


def test_a_part_of_a_visit_of_everybody_survives_the_way() -> None:
    visit = Visit("j1", "launch", "welcome", cursor="ada", part=2, parts=4)

    assert received(record_of(visit_parcel(visit))) == visit


def test_a_page_of_a_visit_survives_the_way() -> None:
    visit = Visit("j1", "resume", "welcome", cursor="ada\uffff", visited=7, page=2)

    parcel = visit_parcel(visit)

    assert received(record_of(parcel)) == visit
    assert is_sendable(parcel.body)


# --- from the bus --------------------------------------------------------------------


def test_an_event_of_the_bus_is_stamped_when_its_queue_took_it() -> None:
    assert from_bus(envelope()) == Event(
        id="7bf73129-1428-4cd3-a780-95db273d1602",
        name="order.placed",
        customer="ada",
        occurred_at=datetime(2026, 6, 1, 12, 29, 58, tzinfo=UTC),
        received_at=SENT_AT,
        properties={"sum": 12.5},
        source="shop",
    )


def test_what_the_detail_says_of_the_event_comes_before_the_envelope() -> None:
    detail = {
        "customer": "ada",
        "id": "order-7",
        "occurred_at": "2026-06-01T12:00:00+02:00",
        "received_at": "2020-01-01T00:00:00Z",  # of no door of ours
        "test": True,
        "properties": {"sum": 1},
        "else": 2,
    }

    event = from_bus(envelope(detail))

    assert isinstance(event, Event)
    assert event.id == "order-7"
    assert event.occurred_at == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert event.received_at == SENT_AT
    assert event.properties == {"sum": 1}
    assert event.test


def test_without_properties_all_other_fields_are_the_properties() -> None:
    detail = {
        "customer": "ada",
        "id": "1",
        "occurred_at": "2026-06-01T12:00:00Z",
        "test": False,
        "source": "till 4",
        "received_at": "yesterday",
        "items": [1],
    }

    event = from_bus(envelope(detail))

    assert isinstance(event, Event)
    assert event.source == "shop"
    assert event.properties == {
        "source": "till 4",
        "received_at": "yesterday",
        "items": [1],
    }


def test_our_own_http_door_has_stamped_already() -> None:
    detail = {
        "customer": "ada",
        "id": "1",
        "occurred_at": "2026-06-01T11:00:00Z",
        "received_at": "2026-06-01T12:00:00.123Z",
        "source": "web",
        "test": False,
        "properties": {},
    }

    event = from_bus(envelope(detail, source=HTTP))

    assert isinstance(event, Event)
    assert event.source == "web"
    assert event.received_at == datetime(2026, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def test_our_own_http_door_stamps_always() -> None:
    with pytest.raises(InputError, match="received_at"):
        from_bus(envelope({"customer": "ada", "properties": {}}, source=HTTP))


def test_what_journeys_publish_does_not_come_back() -> None:
    assert from_bus(envelope(source=JOURNEYS)) is None


@pytest.mark.parametrize(
    ("detail", "fields", "said"),
    [
        ({}, {}, "customer"),
        ({"customer": 7}, {}, "customer"),
        ({"customer": ""}, {}, "customer"),
        ({"customer": "x" * 257}, {}, "customer"),
        ({"customer": "a\nb"}, {}, "customer"),
        ({"customer": "ada", "id": 7}, {}, "id"),
        ({"customer": "ada", "test": "yes"}, {}, "test"),
        ({"customer": "ada", "properties": [1]}, {}, "properties"),
        ({"customer": "ada", "properties": None}, {}, "properties"),
        ({"customer": "ada", "occurred_at": "noon"}, {}, "occurred_at"),
        ({"customer": "ada", "occurred_at": "2026-06-01T12:00:00"}, {}, "offset"),
        ({"customer": "ada", "occurred_at": "0001-01-01T00:00:00Z"}, {}, "year"),
        ({"customer": "ada", "x": 2**65}, {}, "64 bits"),
        ({"customer": "ada", "x": json.loads("[" * 40 + "]" * 40)}, {}, "32 levels"),
        ([], {}, "detail"),
        (None, {"detail-type": ""}, "name"),
        (None, {"detail-type": "x" * 129}, "name"),
        (None, {"source": None}, "source"),
        (None, {"time": "2026-06-01"}, "time"),
    ],
    ids=str,
)
def test_an_envelope_keeps_the_bounds_of_every_door(
    detail: Any, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        from_bus(envelope(detail, **fields))


def test_an_envelope_holds_a_line_that_other_doors_take_and_not_much_more() -> None:
    fits = {"customer": "ada", "x": "a" * (MAX_LINE - 100)}
    too_long = {"customer": "ada", "x": "a" * (MAX_LINE + 4096)}

    assert isinstance(from_bus(envelope(fits)), Event)
    with pytest.raises(InputError, match="bytes"):
        from_bus(envelope(too_long))


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{", "NaN", "\ud800", '"x"'], ids=ascii
)
def test_what_is_no_envelope_is_refused(body: str) -> None:
    with pytest.raises(InputError, match="envelope"):
        received(record_of(Parcel(body)))


def test_no_number_of_an_event_is_infinite() -> None:
    body = json.dumps(envelope()).replace("12.5", "1e999")

    with pytest.raises(InputError):
        received(record_of(Parcel(body)))
    assert not math.isfinite(json.loads(body)["detail"]["sum"])


# --- dead letters --------------------------------------------------------------------


@pytest.mark.parametrize("stimulus", make_stimuli(), ids=lambda s: type(s).__name__)
def test_a_dead_letter_can_be_sent_to_its_queue_again(stimulus: Stimulus) -> None:
    kind, body = encoded(stimulus)

    parcel = letter_parcel(make_letter("poison", kind=kind, body=body))

    assert received(record_of(parcel)) == stimulus
    assert parcel.attributes["reason"] == "poison"
    assert parcel.attributes["door"] == "http"


@pytest.mark.parametrize(
    "attributes",
    [
        {"kind": "wake_up_call", "trace": "e1"},
        {"kind": "callback", "channel": "email"},
        {"kind": "command", "revision": "12", "trace": "d1"},
        {},
    ],
    ids=lambda attributes: attributes.get("kind", "envelope"),
)
def test_a_record_that_can_not_be_read_is_buried_as_it_came(
    attributes: Mapping[str, str],
) -> None:
    """A later release may have written it, which will read it again."""
    record = record_of(Parcel("{later", dict(attributes)))

    parcel = letter_parcel(letter_of(record, "events", "unknown", NOW))

    assert parcel.body == "{later"
    assert parcel.attributes == {
        **attributes,
        "door": "events",
        "reason": "unknown",
    }


def test_a_dead_command_is_readable_whoever_wrote_it() -> None:
    command = make_call("c1", arguments={"x": "\uffff"})
    packed = msgspec.msgpack.encode(command)

    parcel = letter_parcel(make_letter("no queue", kind="command", body=packed))

    assert command_of(record_of(parcel)) == (command, 0)


@given(body=st.binary(), reason=st.text(), kind=st.text(), door=st.text())
def test_every_dead_letter_can_be_sent(
    body: bytes, reason: str, kind: str, door: str
) -> None:
    letter = make_letter(reason, body=body, kind=kind, door=door)

    parcel = letter_parcel(letter)

    values = [parcel.body, *parcel.attributes.values()]
    assert all(values)
    assert all(map(is_sendable, values))
    if parcel.attributes.get("encoding") == "base64" and body:
        assert base64.b64decode(parcel.body) == body
    elif body:
        assert parcel.body == body.decode()


@pytest.mark.parametrize("letters", [string.ascii_letters, "é", "\x00"], ids=ascii)
def test_a_dead_letter_is_cut_to_what_a_queue_takes(letters: str) -> None:
    body = (letters * MAX_BYTES)[:MAX_BYTES].encode()

    parcel = letter_parcel(make_letter("too large", kind="", body=body))

    assert MAX_BYTES - 4 < parcel.size <= MAX_BYTES
    assert parcel.attributes["cut"] == "true"
