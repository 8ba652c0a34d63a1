"""What people already send: Segment's calls, CloudEvents, and what sources read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journeykit.channels import Callback
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import ForgedCallback, InputError
from journeykit.http.messages import Answer, Request
from journeykit.local.door import Door
from journeykit.model.events import Event
from journeykit.sources import Source

NOW = datetime(2026, 6, 7, 12, tzinfo=UTC)
JSON = {"content-type": "application/json"}


class Desk:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        self.taken += stimuli

    def report(self, channel: str, reports: Any, *, timeout: float) -> None:
        raise NotImplementedError

    def permissions(self, customer: str) -> Any:
        raise NotImplementedError

    def health(self) -> Mapping[str, object]:
        return {"status": "ok"}

    def metrics(self) -> str:
        return ""


class Till(Source):
    """Signed with a header."""

    name = "till"

    def handshake(self, callback: Callback) -> str | None:
        return callback.headers.get("x-challenge")

    def events(self, callback: Callback) -> Iterable[Event]:
        if callback.headers.get("x-till") != "secret":
            raise ForgedCallback("is not ours", place="x-till")
        if callback.body == b"unset":
            raise InputError("is not set", place="environment: TILL")
        try:
            sales = json.loads(callback.body)
        except ValueError as error:
            raise InputError("is no JSON", place="body") from error
        for sale in sales:
            yield Event(
                id=sale["receipt"],
                name="order.placed",
                customer=sale["card"],
                occurred_at=callback.received_at - timedelta(minutes=1),
                received_at=datetime(2020, 1, 1, tzinfo=UTC),
                properties={"url": callback.url},
                history=True,
            )


def posted(
    path: str,
    content: object,
    headers: Mapping[str, str] = JSON,
    *,
    method: str = "POST",
) -> tuple[Answer, list[Any]]:
    desk = Desk()
    door = Door(desk, clock=lambda: NOW, sources={"till": Till()})
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = Request(
        method=method,
        path=path,
        headers=headers,
        body=body,
        url=f"http://localhost{path}?a=1",
    )
    return door.answer(request), desk.taken


# Segment


def test_segments_libraries_need_nothing_but_another_host() -> None:
    """As analytics-python posts: https://github.com/segmentio/analytics-python."""
    batch = {
        "batch": [
            {
                "type": "track",
                "messageId": "m-1",
                "userId": "ada",
                "anonymousId": None,
                "event": "Order Placed",
                "properties": {"amount": 40},
                "timestamp": "2026-06-07T13:59:50Z",
                "context": {"library": {"name": "analytics-python"}},
                "integrations": {},
            },
            {
                "type": "identify",
                "messageId": "m-2",
                "anonymousId": "a-17",
                "timestamp": "2026-06-07T13:59:55Z",
                "traits": {"plan": "pro"},
            },
        ],
        "context": {"locale": "de-CH", "timezone": "Europe/Zurich"},
        "sentAt": "2026-06-07T14:00:00Z",
    }

    answer, [placed, known] = posted("/v1/batch", batch)

    assert answer.status == 200
    assert placed.occurred_at == NOW - timedelta(seconds=10)
    assert placed.properties["context"] == {
        "locale": "de-CH",
        "timezone": "Europe/Zurich",
    }
    assert known.properties == {
        "plan": "pro",
        "zone": "Europe/Zurich",
        "locale": "de-CH",
    }
    assert (known.customer, known.identifiers) == ("", {"anonymous": "a-17"})


def test_a_call_may_leave_out_what_its_path_says() -> None:
    answer, [event] = posted("/v1/track", {"userId": "ada", "event": "Song Played"})

    assert answer.status == 200
    assert (event.name, event.occurred_at, event.received_at) == (
        "Song Played",
        NOW,
        NOW,
    )


def test_identify_has_two_spellings() -> None:
    _, [segments] = posted("/v1/identify", {"userId": "ada", "traits": {"a": 1}})
    ours = {"id": "i-1", "customer": "ada", "attributes": {"a": 1}}
    _, [own] = posted("/v1/identify", ours)
    by_email = {**ours, "customer": "", "identifiers": {"email": "a@example.com"}}
    _, [named] = posted("/v1/identify", by_email)

    assert (segments.name, own.name) == ("profile.updated", "profile.updated")
    assert segments.properties == own.properties == {"a": 1}
    assert named.identifiers == {"email": "a@example.com"}


def test_a_call_that_says_nothing_is_refused() -> None:
    answer, taken = posted("/v1/group", {"userId": "ada"})

    assert (answer.status, taken) == (400, [])
    assert b"groupId is missing" in answer.body


def test_history_does_not_come_in_by_the_door() -> None:
    event = {
        "id": "1",
        "name": "x",
        "customer": "ada",
        "occurred_at": "2020-01-01T00:00:00Z",
    }

    answer, taken = posted("/v1/events", event | {"history": True})

    assert (answer.status, taken) == (400, [])
    assert b"journeykit import" in answer.body


# CloudEvents


def test_cloud_events_come_in_all_three_ways() -> None:
    one = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop",
        "type": "order.placed",
        "subject": "ada",
        "time": "2026-06-07T11:00:00Z",
        "data": {"amount": 40},
    }
    binary = {f"ce-{name}": str(one[name]) for name in one if name != "data"}

    _, structured = posted(
        "/v1/events", one, {"content-type": "application/cloudevents+json"}
    )
    _, batched = posted(
        "/v1/events", [one], {"content-type": "application/cloudevents-batch+json"}
    )
    _, in_headers = posted("/v1/events", {"amount": 40}, JSON | binary)

    assert structured == batched == in_headers
    [event] = structured
    assert (event.name, event.source, event.received_at) == (
        "order.placed",
        "/shop",
        NOW,
    )


def test_a_cloud_event_without_data_needs_no_content_type() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": "/shop",
        "ce-type": "visited",
        "ce-subject": "ada",
    }

    answer, [event] = posted("/v1/events", b"", headers)

    assert answer.status == 200
    assert (event.name, event.properties, event.occurred_at) == ("visited", {}, NOW)


def test_what_is_wrong_with_a_binary_cloud_event_is_said() -> None:
    headers = JSON | {"ce-specversion": "1.0", "ce-id": "e-1", "ce-type": "x"}

    answer, taken = posted("/v1/events", {}, headers)

    assert (answer.status, taken) == (400, [])
    assert b"source is missing" in answer.body


# Sources


SIGNED = {"x-till": "secret"}
SALES = [{"receipt": "r-1", "card": "ada"}, {"receipt": "r-2", "card": "ben"}]


def test_a_source_has_a_door_without_a_key() -> None:
    answer, events = posted("/v1/sources/till", SALES, SIGNED)

    assert answer.status == 200
    assert [event.id for event in events] == ["r-1", "r-2"]
    assert {event.source for event in events} == {"till"}
    assert {event.received_at for event in events} == {NOW}
    assert {event.occurred_at for event in events} == {NOW - timedelta(minutes=1)}
    assert not any(event.history for event in events)
    assert events[0].properties["url"].endswith("/v1/sources/till?a=1")


def test_events_of_a_source_keep_the_bounds_of_every_door() -> None:
    sales = [*SALES, {"receipt": "", "card": "ada"}]

    answer, events = posted("/v1/sources/till", sales, SIGNED)

    assert answer.status == 200
    assert len(events) == 2
    assert json.loads(answer.body)["rejected"] == [
        {"index": 2, "error": "id: needs 1 to 256 characters, has 0"}
    ]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (SALES, {}, 401),
        (b"{", SIGNED, 400),
        (b"unset", SIGNED, 503),
        ([SALES[0]] * 1001, SIGNED, 400),
    ],
    ids=["forged", "unreadable", "not-set-up", "too-many"],
)
def test_what_a_source_cannot_take_is_refused(
    body: object, headers: Mapping[str, str], status: int
) -> None:
    answer, taken = posted("/v1/sources/till", body, headers)

    assert (answer.status, taken) == (status, [])


def test_the_log_has_nothing_of_what_was_posted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="journeykit.http"):
        posted("/v1/sources/till", SALES, {"x-till": "guessed"})
        posted("/v1/sources/till", b"card of ada", SIGNED)

    assert "card of" not in caplog.text
    assert "guessed" not in caplog.text


def test_a_source_may_be_asked_whether_the_address_is_ours() -> None:
    asking = {"x-challenge": "42"}

    asked, taken = posted("/v1/sources/till", b"", asking, method="GET")
    strange, _ = posted("/v1/sources/till", b"", {}, method="GET")

    assert (asked.status, asked.body, taken) == (200, b"42", [])
    assert strange.status == 403
    assert b"provider" not in strange.body, "nobody's channel is asked here"


def test_a_source_that_the_workspace_does_not_name_has_no_door() -> None:
    assert posted("/v1/sources/shopify", SALES, SIGNED)[0].status == 404


def test_the_log_shows_which_source_it_was() -> None:
    door = Door(Desk(), clock=lambda: NOW, sources={"till": Till()})

    assert door.shown("/v1/sources/till") == "/v1/sources/till"
    assert door.shown("/v1/sources/ada") == "-"


@pytest.mark.parametrize("path", ["/v1/events", "/v1/track", "/v1/sources/till"])
def test_what_only_the_engine_tells_comes_in_at_no_door(path: str) -> None:
    desk = Desk()
    inner = "segment.entered"
    call = {"type": "track", "messageId": "m", "userId": "mallory", "event": inner}
    native = {"id": "1", "name": inner, "customer": "mallory"}
    native |= {"occurred_at": "2026-06-07T11:00:00Z"}
    body = {"/v1/events": native, "/v1/track": call, "/v1/sources/till": []}[path]

    class Forger(Till):
        def events(self, callback: Callback) -> Iterable[Event]:
            yield Event(
                id="1",
                name=inner,
                customer="mallory",
                occurred_at=NOW,
                received_at=NOW,
            )

    door = Door(desk, clock=lambda: NOW, sources={"till": Forger()})
    answer = door.answer(
        Request(
            method="POST",
            path=path,
            headers={"host": "127.0.0.1", **JSON},
            body=json.dumps(body).encode(),
            url=path,
        )
    )

    assert answer.status == 400
    assert "the engine itself tells" in json.loads(answer.body)["error"]
    assert desk.taken == []
