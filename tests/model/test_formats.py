from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.errors import InputError
from journeykit.model.cloudevents import binary_event
from journeykit.model.events import Event, checked
from journeykit.model.formats import decode_event, spelling_of
from journeykit.model.segment_spec import Frame

NOW = datetime(2026, 6, 7, 12, tzinfo=UTC)
SAID = "2026-06-07T11:59:58Z"


def read(line: dict[str, Any], **how: Any) -> Event:
    return decode_event(json.dumps(line).encode(), **how)


def call(**fields: Any) -> dict[str, Any]:
    """A call with the common fields of https://segment.com/docs/connections/spec/common/."""
    common = {
        "messageId": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        "userId": "97980cfea0067",
        "timestamp": SAID,
    }
    return {key: value for key, value in {**common, **fields}.items() if value}


# --- the Segment spec -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name", "properties"),
    [
        (
            {"type": "track", "event": "Item Purchased", "properties": {"revenue": 14}},
            "Item Purchased",
            {"revenue": 14},
        ),
        (
            {"type": "identify", "traits": {"plan": "premium"}},
            "profile.updated",
            {"plan": "premium"},
        ),
        (
            {
                "type": "page",
                "name": "Home",
                "category": "Docs",
                "properties": {"url": "https://example.com", "name": "Start"},
            },
            "page.viewed",
            {"url": "https://example.com", "name": "Start", "category": "Docs"},
        ),
        ({"type": "screen", "name": "Cart"}, "screen.viewed", {"name": "Cart"}),
        (
            {"type": "group", "groupId": 7, "traits": {"employees": 420}},
            "group.joined",
            {"group_id": "7", "traits": {"employees": 420}},
        ),
        (
            {"type": "alias", "previousId": "39239-239239"},
            "customer.aliased",
            {"previous_id": "39239-239239"},
        ),
    ],
    ids=["track", "identify", "page", "screen", "group", "alias"],
)
def test_each_call_of_segments_becomes_an_event(
    fields: dict[str, Any], name: str, properties: dict[str, Any]
) -> None:
    event = read(call(**fields))

    assert (event.name, event.properties) == (name, properties)
    assert (event.source, event.customer) == ("segment", "97980cfea0067")


def test_who_is_anonymous_is_known_by_an_identifier() -> None:
    line = call(type="track", event="Song Played", anonymousId="507f191e", userId=None)
    known = call(type="track", event="Song Played", anonymousId="507f191e")

    assert (read(line).customer, read(line).identifiers) == (
        "",
        {"anonymous": "507f191e"},
    )
    assert read(known).customer == "97980cfea0067"
    assert read(known).identifiers == {"anonymous": "507f191e"}


def test_an_alias_makes_an_identifier_of_the_id_before() -> None:
    event = read(call(type="alias", previousId="39239-239239"))

    assert event.customer == "97980cfea0067"
    assert event.identifiers == {"anonymous": "39239-239239"}


def test_an_alias_keeps_its_own_anonymous_id() -> None:
    line = call(type="alias", previousId="a-98", anonymousId="a-99", userId=None)

    event = read(line)

    assert event.identifiers == {"anonymous": "a-99"}
    assert event.properties == {"previous_id": "a-98"}


def test_an_alias_of_nobody_is_refused() -> None:
    with pytest.raises(InputError, match="userId is missing, and so is anonymousId"):
        read(call(type="alias", previousId="a-98", userId=None))


@given(
    skew=st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)),
    waited=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
)
def test_a_clients_clock_is_corrected_however_wrong_it_is(
    skew: timedelta, waited: timedelta
) -> None:
    sent_at = NOW + skew
    said = sent_at - waited
    line = call(type="track", event="x", timestamp=said.isoformat())

    event = read(line | {"sentAt": sent_at.isoformat()}, received_at=NOW)

    assert event.occurred_at == NOW - waited
    assert event.received_at == NOW


@pytest.mark.parametrize("sent_at", [1780833600, 1.5, True, [], "noon"], ids=str)
def test_a_clock_that_says_nothing_corrects_nothing(sent_at: object) -> None:
    line = call(type="track", event="x", timestamp="2026-06-07T11:59:00Z")

    event = read(line | {"sentAt": sent_at}, received_at=NOW)

    assert event.occurred_at == NOW - timedelta(minutes=1)


def test_the_clock_of_a_batch_counts_for_its_calls() -> None:
    frame = Frame(NOW, sent_at=NOW + timedelta(hours=3))
    line = call(type="track", event="x", timestamp="2026-06-07T14:59:00Z")

    event = read(line, received_at=NOW, frame=frame)

    assert event.occurred_at == NOW - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fields", "stamp"),
    [
        ({}, NOW),
        ({"sentAt": "2026-06-07T15:00:00Z"}, None),
        ({"sentAt": "2026-06-07T15:00:00Z", "originalTimestamp": SAID}, NOW),
        ({"sentAt": "just now"}, NOW),
        ({"sentAt": "2026-06-07T15:00:00"}, NOW),
    ],
    ids=["not-sent", "from-a-file", "corrected-before", "no-date", "no-offset"],
)
def test_nothing_is_corrected_without_two_clocks(
    fields: dict[str, Any], stamp: datetime | None
) -> None:
    event = read(call(type="track", event="x", **fields), received_at=stamp)

    assert event.occurred_at == datetime.fromisoformat(SAID)


def test_what_has_no_timestamp_happened_when_it_came_in() -> None:
    line = call(type="track", event="x", timestamp=None)

    assert read(line, received_at=NOW).occurred_at == NOW
    with pytest.raises(InputError, match="timestamp is missing"):
        read(line)


def test_without_a_message_id_the_same_again_is_the_same_event() -> None:
    line = call(type="track", event="x", messageId=None)
    other = line | {"properties": {"revenue": 1}}
    sent_again = line | {"sentAt": "2026-06-07T12:30:00Z"}
    undated = call(type="track", event="x", messageId=None, timestamp=None)
    later = NOW + timedelta(seconds=1)

    assert read(line).id == read(sent_again).id != read(other).id
    assert read(undated, received_at=NOW).id != read(undated, received_at=later).id


def test_an_event_keeps_of_its_context_what_a_journey_may_ask() -> None:
    context = {
        "ip": "8.8.8.8",
        "userAgent": "Mozilla/5.0",
        "campaign": {"name": "TPS Innovation Newsletter", "source": "Newsletter"},
        "locale": "en-US",
        "device": {
            "token": "ff15bc0c20c4aa6cd50854ff165fd265c838e5405bfeb9571066395b8c9da449"
        },
    }

    event = read(call(type="track", event="x", context=context))

    assert event.properties == {
        "context": {"campaign": context["campaign"], "locale": "en-US"}
    }


def test_identify_takes_zone_and_locale_from_the_device_unless_they_are_said() -> None:
    context = {"timezone": "Europe/Amsterdam", "locale": "nl-NL"}
    nonsense = {"timezone": "Europe/Nowhere", "locale": 7}
    said = {"zone": "Asia/Tokyo"}

    assert read(call(type="identify", context=context)).properties == {
        "zone": "Europe/Amsterdam",
        "locale": "nl-NL",
    }
    assert read(call(type="identify", context=nonsense)).properties == {}
    assert (
        read(call(type="identify", context=context, traits=said)).properties["zone"]
        == "Asia/Tokyo"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "delete"}, "'delete' is no call of Segment's"),
        ({"type": "group"}, "groupId is missing"),
        ({"type": "alias"}, "previousId is missing"),
        ({"type": "track"}, "event: a track line needs the event's name"),
        (
            {"type": "track", "event": "x", "timestamp": "2015-2-02T00:30:08.276Z"},
            "timestamp: is no date-time",
        ),
        ({"type": "track", "event": "x", "properties": [1]}, "properties: is of type"),
    ],
)
def test_a_call_that_says_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        read(call(**fields), place="calls.jsonl:3", received_at=NOW)

    assert said in str(error.value)
    assert error.value.place == "calls.jsonl:3"


def test_the_path_says_which_call_it_is() -> None:
    line = call(event="Item Purchased")
    frame = Frame(NOW, "track")

    event = read(line, format="segment", received_at=NOW, frame=frame)

    assert event.name == "Item Purchased"
    with pytest.raises(InputError, match="is 'page', and this is the place of 'track'"):
        read(line | {"type": "page"}, format="segment", frame=frame)


# --- CloudEvents ----------------------------------------------------------------------


def cloud(**fields: Any) -> dict[str, Any]:
    """The example of https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md."""
    example = {
        "specversion": "1.0",
        "type": "com.github.pull_request.opened",
        "source": "https://github.com/cloudevents/spec/pull",
        "subject": "123",
        "id": "A234-1234-1234",
        "time": "2018-04-05T17:31:00Z",
        "comexampleextension1": "value",
        "datacontenttype": "application/json",
        "data": {"much": "wow"},
    }
    return {key: value for key, value in {**example, **fields}.items() if value}


def test_a_cloud_event_is_read() -> None:
    event = read(cloud(), received_at=NOW)

    assert event == Event(
        id="A234-1234-1234",
        name="com.github.pull_request.opened",
        customer="123",
        occurred_at=datetime(2018, 4, 5, 17, 31, tzinfo=UTC),
        received_at=NOW,
        properties={"much": "wow"},
        source="https://github.com/cloudevents/spec/pull",
    )


def test_extensions_say_whom_a_cloud_event_is_about() -> None:
    event = read(cloud(customer="ada", anonymousid="a-17", test=True))

    assert (event.customer, event.identifiers) == ("ada", {"anonymous": "a-17"})
    assert event.test


def test_data_in_base64_is_read_if_it_is_json() -> None:
    packed = base64.b64encode(b'{"much": "wow"}').decode()

    assert read(cloud(data=None, data_base64=packed)).properties == {"much": "wow"}
    with pytest.raises(InputError, match="datacontenttype: 'text/xml' is not read"):
        read(cloud(data=None, data_base64=packed, datacontenttype="text/xml"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"specversion": "0.3"}, "specversion: '0.3' is not read here; send '1.0'"),
        ({"subject": None}, "subject is missing: whom is it about?"),
        ({"source": None}, "source is missing"),
        ({"specversion": None}, "specversion is missing"),
        ({"source": "s" * 308}, "source: may have 256 characters, has 308"),
        ({"time": None}, "time is missing"),
        ({"data": "<much wow/>"}, "data: is of type str, needs object"),
        ({"data": None, "data_base64": "%%%"}, "data_base64: is no base64"),
        ({"data": None, "data_base64": "//79"}, "data_base64: holds no object"),
        ({"data": None, "data_base64": "WzFd"}, "data_base64: holds no object"),
        ({"time": "2018-04-05T17:31:00"}, "occurred_at: 2018-04-05T17:31:00 has no"),
    ],
)
def test_a_cloud_event_that_says_too_little_is_refused(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as error:
        read(cloud(**fields))

    assert said in str(error.value)


def binary(**fields: str) -> dict[str, str]:
    """Headers as in the examples of the HTTP binding, 3.1.4."""
    example = {
        "ce-specversion": "1.0",
        "ce-type": "com.example.someevent",
        "ce-time": "2018-04-05T03:56:24Z",
        "ce-id": "1234-1234-1234",
        "ce-source": "/mycontext/subcontext",
        "ce-subject": "ada",
        "content-type": "application/json; charset=utf-8",
    }
    return example | {name.replace("_", "-"): value for name, value in fields.items()}


def test_a_binary_cloud_event_is_read_from_its_headers() -> None:
    event = binary_event(binary(ce_test="true"), b'{"much": "wow"}', NOW)

    assert checked(event).name == "com.example.someevent"
    assert (event.customer, event.source) == ("ada", "/mycontext/subcontext")
    assert event.properties == {"much": "wow"}
    assert event.test
    assert binary_event(binary(), b"", NOW).properties == {}
    assert not binary_event(binary(ce_test="false"), b"", NOW).test


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (binary(ce_test="TRUE"), "ce-test: is 'TRUE', and is to be 'true' or 'false'"),
        (binary(ce_test="1"), "ce-test: is '1'"),
        (binary(ce_time="yesterday"), "ce-time: is no date-time"),
        ({"ce-specversion": "1.0"}, "ce-id is missing"),
    ],
    ids=["capitals", "number", "time", "missing"],
)
def test_what_is_wrong_with_a_header_is_said_by_its_name(
    headers: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError) as error:
        binary_event(headers, b"", NOW)

    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        # The examples of the binding, 3.1.3.2.
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ('"ada \\"the\\" first"', 'ada "the" first'),
        ("plain", "plain"),
    ],
)
def test_headers_are_decoded_as_the_binding_says(header: str, value: str) -> None:
    event = binary_event(binary(ce_subject=header), b"{}", NOW)

    assert event.customer == value


@pytest.mark.parametrize(
    ("fields", "body", "said"),
    [
        ({"ce_subject": "%FF"}, b"{}", "ce-subject: is not UTF-8"),
        ({"content_type": "text/plain"}, b"x", "datacontenttype: 'text/plain'"),
    ],
)
def test_a_binary_cloud_event_that_is_none_is_refused(
    fields: dict[str, str], body: bytes, said: str
) -> None:
    with pytest.raises(InputError) as error:
        binary_event(binary(**fields), body, NOW)

    assert said in str(error.value)


# --- EventBridge ----------------------------------------------------------------------


def envelope(**detail: Any) -> dict[str, Any]:
    """As in https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "order.placed",
        "source": "shop",
        "account": "111122223333",
        "time": "2026-06-07T11:00:00Z",
        "region": "us-west-1",
        "resources": [],
        "detail": {"customer": "ada", "amount": 40, **detail},
    }


def test_an_envelope_of_eventbridge_is_read() -> None:
    event = read(envelope(), received_at=NOW)

    assert (event.name, event.customer, event.source) == ("order.placed", "ada", "shop")
    assert event.properties == {"amount": 40}
    assert event.id == "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    assert event.received_at == NOW


def test_an_archive_says_when_our_door_received_what_is_in_it() -> None:
    detail = {"received_at": SAID, "source": "app", "properties": {"amount": 1}}
    line = envelope(**detail) | {"source": "journeykit.http"}

    archived, told = read(line), read(line, received_at=NOW)

    assert archived.received_at == datetime.fromisoformat(SAID)
    assert archived.source == "app"
    assert told.received_at == NOW  # nobody's word but the door's own
    assert told.source == "journeykit.http"


def test_what_journeys_published_does_not_come_in_again() -> None:
    with pytest.raises(InputError, match="what journeys publish for others"):
        read(envelope() | {"source": "journeykit.journeys"}, place="archive:1")


def test_a_detail_about_nobody_is_refused() -> None:
    with pytest.raises(InputError, match=r"archive:1: detail\.customer is missing"):
        read(envelope(customer=""), place="archive:1")

    with pytest.raises(InputError, match=r"detail\.customer: is of type int"):
        read(envelope(customer=1))
    misspelt = envelope()
    misspelt["detailType"] = misspelt.pop("detail-type")
    with pytest.raises(InputError, match="detail-type is missing"):
        read(misspelt)

    known = read(envelope(customer="", identifiers={"email": "a@example.com"}))
    assert known.identifiers == {"email": "a@example.com"}


# --- telling them apart ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "spelling"),
    [
        (call(type="track", event="x"), "segment"),
        ({"type": "track", "event": "x"}, "segment"),
        (cloud(), "cloudevents"),
        (envelope(), "eventbridge"),
        ({"id": "1", "name": "x", "customer": "ada", "type": "x"}, "native"),
        ({"id": "1", "name": "x", "properties": {"specversion": "1.0"}}, "native"),
    ],
)
def test_each_spelling_is_known_by_its_fields(
    line: dict[str, Any], spelling: str
) -> None:
    assert spelling_of(json.dumps(line).encode()) == spelling
