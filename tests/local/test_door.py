import base64
import gzip
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.engine.stimuli import Enroll, Stimulus, encoded
from journeykit.errors import InputError, StoreFull
from journeykit.http.body import MAX_BODY, MAX_EVENTS
from journeykit.http.door import Busy
from journeykit.http.messages import Answer, Request
from journeykit.local.door import Door, is_here
from journeykit.local.http_keys import Keys
from journeykit.model.events import Event

NOW = datetime(2026, 6, 7, 12, tzinfo=UTC)
KEY = "k3y-of-the-shop-1234"
JSON = {"content-type": "application/json"}
EVENT = {
    "id": "o-1",
    "name": "order.placed",
    "customer": "ada",
    "occurred_at": "2026-06-07T11:59:58Z",
    "properties": {"amount": 40},
}
SEGMENT = {
    "type": "track",
    "messageId": "s-1",
    "userId": "ada",
    "event": "order.placed",
    "timestamp": "2026-06-07T11:59:58Z",
    "properties": {"amount": 40},
}


class MemoryDesk:
    """Keeps what it is handed, as a store would have to write it down."""

    def __init__(self, *, error: Exception | None = None, status: str = "ok") -> None:
        self.taken: list[Stimulus] = []
        self.error = error
        self.status = status

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        if self.error:
            raise self.error
        for stimulus in stimuli:
            encoded(stimulus)
        self.taken += stimuli

    def health(self) -> Mapping[str, object]:
        return {"status": self.status, "queued": 3}

    def metrics(self) -> str:
        return "journeykit_events_total 7\n"


def door(desk: MemoryDesk | None = None, *, keys: str = "") -> Door:
    known = Keys.from_environment({"JOURNEYKIT_API_KEYS": keys})
    return Door(desk or MemoryDesk(), keys=known, clock=lambda: NOW)


def post(
    at: Door, path: str, content: object, headers: Mapping[str, str] = JSON
) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return at.answer(Request(method="POST", path=path, headers=headers, body=body))


def get(at: Door, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    return at.answer(Request(method="GET", path=path, headers=headers or {}))


def content(answer: Answer) -> Any:
    assert answer.headers["Content-Type"] == "application/json"
    return json.loads(answer.body)


# Events


def test_an_event_is_taken_and_stamped() -> None:
    desk = MemoryDesk()

    answer = post(door(desk), "/v1/events", EVENT)

    assert answer.status == 200
    assert content(answer) == {"accepted": 1, "rejected": []}
    [event] = desk.taken
    assert isinstance(event, Event)
    assert (event.id, event.received_at) == ("o-1", NOW)


def test_the_doors_stamp_wins_over_the_senders() -> None:
    desk = MemoryDesk()

    post(door(desk), "/v1/events", EVENT | {"received_at": "2020-01-01T00:00:00Z"})

    [event] = desk.taken
    assert isinstance(event, Event)
    assert event.received_at == NOW


def test_the_clock_is_read_once_a_request() -> None:
    instants = iter([NOW])
    desk = MemoryDesk()
    at = Door(desk, clock=lambda: next(instants))

    post(at, "/v1/events", [EVENT, EVENT | {"id": "o-2"}, SEGMENT])

    assert [one.received_at for one in desk.taken if isinstance(one, Event)] == [
        NOW,
        NOW,
        NOW,
    ]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([EVENT, SEGMENT]), "application/json"),
        (json.dumps({"batch": [EVENT, SEGMENT], "sentAt": "x"}), "application/json"),
        (f"{json.dumps(EVENT)}\n\n{json.dumps(SEGMENT)}", "application/x-ndjson"),
        (f"{json.dumps(EVENT)}\r\n{json.dumps(SEGMENT)}\r\n", "application/jsonl"),
        (f"\ufeff[{json.dumps(EVENT)}, {json.dumps(SEGMENT)}]", "application/json"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/batch"])
def test_a_batch_comes_in_any_of_its_forms(path: str, body: str, kind: str) -> None:
    desk = MemoryDesk()

    answer = post(door(desk), path, body.encode(), {"content-type": kind})

    assert content(answer) == {"accepted": 2, "rejected": []}
    assert [one.id for one in desk.taken if isinstance(one, Event)] == ["o-1", "s-1"]


def test_an_event_with_more_in_it_is_cut_out_byte_by_byte() -> None:
    desk = MemoryDesk()
    tricky = EVENT | {"properties": {"note": '], [{"batch": "}\\', "zoë": ["{", 1.5]}}

    post(door(desk), "/v1/events", [tricky, EVENT])

    [event, _] = desk.taken
    assert isinstance(event, Event)
    assert event.properties == tricky["properties"]


def test_a_bad_event_of_a_batch_is_named_and_the_rest_is_taken() -> None:
    desk = MemoryDesk()
    nameless = {key: value for key, value in EVENT.items() if key != "id"}

    answer = post(door(desk), "/v1/events", [EVENT, nameless, 7, SEGMENT])

    assert answer.status == 200
    assert content(answer) == {
        "accepted": 2,
        "rejected": [
            {"index": 1, "error": "id is missing"},
            {"index": 2, "error": "is of type int, needs object"},
        ],
    }
    assert len(desk.taken) == 2


def test_if_no_event_can_be_taken_it_is_the_clients_error() -> None:
    answer = post(door(), "/v1/events", {"id": "1"})

    assert answer.status == 400
    assert content(answer) == {
        "error": "name is missing",
        "accepted": 0,
        "rejected": [{"index": 0, "error": "name is missing"}],
    }


def test_an_event_says_itself_when_it_occurred() -> None:
    timeless = {key: value for key, value in EVENT.items() if key != "occurred_at"}

    answer = post(door(), "/v1/events", timeless)

    assert content(answer)["error"] == "occurred_at is missing"


@pytest.mark.parametrize("body", [b"[]", b'{"batch": []}'])
def test_an_empty_batch_is_done_at_once(body: bytes) -> None:
    answer = post(door(MemoryDesk(error=Busy())), "/v1/events", body)

    assert content(answer) == {"accepted": 0, "rejected": []}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,",
        b"5",
        b'"text"',
        b"null",
        b'{"batch": 5}',
        b'{"batch": null}',
        b'[{"amount": NaN}]',
        b"[Infinity]",
        b"[1] [2]",
        b'["\xff"]',
        b"\xff\xfe[\x00]\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_of_a_malformed_body_nothing_is_taken(body: bytes) -> None:
    desk = MemoryDesk()

    answer = post(door(desk), "/v1/events", body)

    assert answer.status == 400
    assert content(answer)["error"]
    assert desk.taken == []


@pytest.mark.parametrize(
    "properties",
    [
        b'{"x": NaN}',
        b'{"x": 1e999}',
        b'{"x": "\\ud800"}',
        b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"x": ' + b"9" * 5000 + b"}",
        b'{"x": 18446744073709551616}',
    ],
)
def test_what_is_no_json_value_is_refused(properties: bytes) -> None:
    desk = MemoryDesk()
    body = json.dumps(EVENT).encode().replace(b'{"amount": 40}', properties)

    answer = post(door(desk), "/v1/events", body)

    assert answer.status == 400
    assert desk.taken == []


def test_a_batch_has_an_end() -> None:
    desk = MemoryDesk()
    batch = [EVENT] * (MAX_EVENTS + 1)

    answer = post(door(desk), "/v1/events", batch)

    assert answer.status == 413
    assert content(answer)["error"] == (
        "a batch may have 1000 events, this one has 1001"
    )
    assert desk.taken == []


def test_an_error_is_short_however_long_the_mistake() -> None:
    answer = post(door(), "/v1/events", EVENT | {"n" * 200_000: 1})

    assert len(answer.body) < 1_000


# Identify and enroll


def test_an_identification_updates_the_profile() -> None:
    desk = MemoryDesk()

    answer = post(
        door(desk),
        "/v1/identify",
        {"id": "i-1", "customer": "ada", "attributes": {"plan": "pro", "city": None}},
    )

    assert content(answer) == {"accepted": 1, "rejected": []}
    assert desk.taken == [
        Event(
            id="i-1",
            name="profile.updated",
            customer="ada",
            occurred_at=NOW,
            received_at=NOW,
            properties={"plan": "pro", "city": None},
        )
    ]


def test_an_enrollment_is_a_call() -> None:
    desk = MemoryDesk()

    answer = post(
        door(desk),
        "/v1/enroll",
        {"id": "c-1", "journey": "welcome", "customer": "ada", "entry": {"n": 1}},
    )

    assert content(answer) == {"accepted": 1, "rejected": []}
    assert desk.taken == [
        Enroll(
            id="c-1", journey="welcome", customer="ada", received_at=NOW, entry={"n": 1}
        )
    ]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/identify", {"customer": "ada", "attributes": {}}, "id is missing"),
        ("/v1/identify", {"id": "", "customer": "a", "attributes": {}}, "id: needs"),
        ("/v1/identify", {"id": "1", "customer": "a", "attributes": 5}, "attributes"),
        (
            "/v1/identify",
            {"id": "1", "customer": "a", "traits": {}},
            "'traits' is no field",
        ),
        (
            "/v1/identify",
            {"id": "1", "customer": "a", "attributes": {"x": "\ud800"}},
            "malformed",
        ),
        (
            "/v1/identify",
            {
                "id": "1",
                "customer": "a",
                "attributes": {},
                "occurred_at": "2026-06-07T12:00:00",
            },
            "no offset",
        ),
        ("/v1/enroll", {"id": "1", "journey": "w"}, "customer is missing"),
        ("/v1/enroll", {"id": "1", "journey": "", "customer": "a"}, "journey: needs"),
        ("/v1/enroll", [], "the body is of type array, needs object"),
    ],
)
def test_a_wrong_call_is_refused_and_the_field_named(
    path: str, body: object, said: str
) -> None:
    desk = MemoryDesk()

    answer = post(door(desk), path, body)

    assert answer.status == 400
    assert said in content(answer)["error"]
    assert desk.taken == []


def test_a_call_nests_no_deeper_than_an_event() -> None:
    deep: object = 1
    for _ in range(40):
        deep = [deep]

    answer = post(
        door(), "/v1/identify", {"id": "1", "customer": "a", "attributes": {"x": deep}}
    )

    assert content(answer)["error"] == "attributes.x: nests deeper than 32 levels"


# Routes, types, sizes


def test_elsewhere_there_is_nothing() -> None:
    answer = get(door(), "/v1/../health")

    assert answer.status == 404
    assert "/v1/events" in content(answer)["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/events", "POST"),
        ("HEAD", "/v1/enroll", "POST"),
        ("OPTIONS", "/v1/identify", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    method: str, path: str, allowed: str
) -> None:
    answer = door().answer(Request(method=method, path=path))

    assert answer.status == 405
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "br"},
        {"content-type": "application/json", "content-encoding": "gzip, gzip"},
    ],
)
def test_another_kind_of_body_is_refused(headers: Mapping[str, str]) -> None:
    answer = post(door(), "/v1/events", EVENT, headers)

    assert answer.status == 415


def test_a_call_is_no_line_of_lines() -> None:
    answer = post(door(), "/v1/enroll", b"{}", {"content-type": "application/x-ndjson"})

    assert answer.status == 415


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf8"'])
def test_utf_8_may_be_said(charset: str) -> None:
    headers = {"content-type": f"Application/JSON ; charset={charset}"}

    assert post(door(), "/v1/events", EVENT, headers).status == 200


def test_a_packed_body_is_unpacked() -> None:
    desk = MemoryDesk()
    packed = gzip.compress(json.dumps([EVENT]).encode())

    answer = post(door(desk), "/v1/events", packed, JSON | {"content-encoding": "gzip"})

    assert content(answer)["accepted"] == 1


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (50 * MAX_BODY))
    assert len(bomb) < MAX_BODY

    answer = post(door(), "/v1/events", bomb, JSON | {"content-encoding": "gzip"})

    assert answer.status == 413


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"{}",
        gzip.compress(b"[]", mtime=0)[:-1],
        gzip.compress(b"[]", mtime=0) + b"x",
        gzip.compress(b"[]", mtime=0) + gzip.compress(b"[]", mtime=0),
    ],
)
def test_damaged_gzip_is_refused(packed: bytes) -> None:
    answer = post(door(), "/v1/events", packed, JSON | {"content-encoding": "gzip"})

    assert answer.status == 400


def test_a_body_that_is_too_large_is_refused_before_it_comes() -> None:
    request = Request(
        method="POST", path="/v1/events", headers=JSON, announced=MAX_BODY + 1
    )

    answer = door().admit(request)

    assert answer is not None
    assert answer.status == 413


def test_a_body_of_exactly_the_bound_may_come() -> None:
    request = Request(
        method="POST", path="/v1/events", headers=JSON, announced=MAX_BODY
    )

    assert door().admit(request) is None


# Keys


def basic(user: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:'.encode()).decode()}"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"authorization": basic(KEY)},
        {"x-api-key": KEY},
    ],
)
def test_a_key_comes_in_any_of_three_ways(headers: Mapping[str, str]) -> None:
    at = door(keys=f"other-key-1234567890,shop:{KEY}")

    answer = post(at, "/v1/events", EVENT, {**JSON, **headers})

    assert (answer.status, answer.key, answer.count) == (200, "shop", 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY}\xff"},
        {"authorization": KEY},
        {"authorization": "Basic ???"},
        {"authorization": "Basic ÿ"},
        {"authorization": basic("")},
        {"authorization": "Bearer x", "x-api-key": KEY},
        {"x-api-key": KEY[:-1]},
    ],
)
def test_without_a_known_key_nobody_learns_a_thing(headers: Mapping[str, str]) -> None:
    desk = MemoryDesk()

    answer = post(
        door(desk, keys=f"shop:{KEY}"), "/v1/events", EVENT, {**JSON, **headers}
    )

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="journeykit"'
    assert content(answer) == {
        "error": "an API key is needed: Authorization: Bearer KEY"
    }
    assert desk.taken == []


def test_without_a_key_no_body_is_wanted() -> None:
    request = Request(
        method="POST", path="/v1/events", headers=JSON, announced=2 * MAX_BODY
    )

    answer = door(keys=KEY).admit(request)

    assert answer is not None
    assert answer.status == 401


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "::1"])
def test_without_keys_this_machine_may_come_in(host: str) -> None:
    assert post(door(), "/v1/events", EVENT, JSON | {"host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1:80", "localhost.evil.io"])
def test_without_keys_no_other_name_is_answered(host: str) -> None:
    assert not is_here(host)
    assert post(door(), "/v1/events", EVENT, JSON | {"host": host}).status == 421


def test_the_environment_names_keys_or_numbers_them() -> None:
    keys = Keys.from_environment(
        {"JOURNEYKIT_API_KEYS": f" shop:{KEY} ,, another-key-567890"}
    )

    assert keys.name_of(KEY) == "shop"
    assert keys.name_of("another-key-567890") == "key-2"
    assert keys.name_of("a third one that nobody knows") is None
    assert len(Keys.from_environment({})) == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("short", "at least 16"),
        ("a key of several words", "visible ASCII"),
        (f"sh op:{KEY}", "a key's name"),
        (f":{KEY}", "a key's name"),
        (f"shop:{KEY},shop:another-key-567890", "before this one"),
    ],
)
def test_a_bad_key_is_refused_and_not_shown(value: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Keys.from_environment({"JOURNEYKIT_API_KEYS": value})

    assert KEY not in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_file_holds_the_hashes_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# ours\n\nshop:{sha256(KEY.encode()).hexdigest()}  # since May\n")

    assert Keys.from_file(path).name_of(KEY) == "shop"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"shop:{KEY}", "keys:1: a line is NAME:SHA256"),
        (f"{'0' * 64}", "a key's name"),
        ("# none yet", "keys: there is no key in it"),
        (f"a:{'0' * 64}\na:{'1' * 64}", "keys:2: there is a key 'a' before this one"),
    ],
)
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(text)

    with pytest.raises(InputError, match=said):
        Keys.from_file(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Keys.from_file(tmp_path / "keys")


# Health, metrics, and what goes wrong behind the door


def test_health_needs_no_key_and_tells_a_stranger_little() -> None:
    at = door(keys=KEY)

    answer = get(at, "/health")
    known = get(at, "/health", {"x-api-key": KEY})

    assert (answer.status, content(answer)) == (200, {"status": "ok"})
    assert content(known) == {"status": "ok", "queued": 3}


def test_failing_health_is_a_503() -> None:
    answer = get(door(MemoryDesk(status="failing")), "/health")

    assert answer.status == 503
    assert content(answer) == {"status": "failing", "queued": 3}


def test_metrics_need_a_key() -> None:
    at = door(keys=KEY)

    assert get(at, "/metrics").status == 401
    answer = get(at, "/metrics", {"x-api-key": KEY})
    assert answer.body == b"journeykit_events_total 7\n"
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("error", [Busy(), StoreFull("no space left")])
def test_what_isnt_durable_is_to_come_again(error: Exception) -> None:
    answer = post(door(MemoryDesk(error=error)), "/v1/events", EVENT)

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert content(answer)["error"].endswith("the same again is safe")


def test_a_mistake_of_ours_is_logged_without_what_came_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = door(MemoryDesk(error=ValueError("ada@example.com can't be written")))

    with caplog.at_level(logging.ERROR):
        answer = post(at, "/v1/events", EVENT)

    assert answer.status == 500
    assert "ValueError" in caplog.text
    assert "in _hand_over" in caplog.text
    assert "example.com" not in caplog.text
    assert b"example.com" not in answer.body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=8,
)
events = st.fixed_dictionaries(
    {},
    optional={
        **{name: json_values | st.just(value) for name, value in EVENT.items()},
        **{name: json_values | st.just(value) for name, value in SEGMENT.items()},
        "batch": json_values,
        "journey": st.text(),
        "attributes": json_values,
        "entry": json_values,
    },
)
texts = (events | st.lists(events) | json_values).map(json.dumps).map(str.encode)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Something that was nearly right."""
    text = bytearray(draw(texts))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        text[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(text)


@given(
    path=st.sampled_from(["/v1/events", "/v1/identify", "/v1/enroll"]),
    body=st.binary() | texts | damaged(),
    kind=st.sampled_from(["application/json", "application/x-ndjson"]),
)
def test_no_body_whatsoever_is_our_mistake(path: str, body: bytes, kind: str) -> None:
    desk = MemoryDesk()

    answer = post(door(desk), path, body, {"content-type": kind})

    assert answer.status in (200, 400, 415)
    found = content(answer)
    assert len(desk.taken) == found.get("accepted", 0) == answer.count
    assert answer.status == 200 or found["error"]


@given(st.lists(st.sampled_from(["good", "bad"]), max_size=12))
def test_every_event_is_either_accepted_or_rejected_by_its_index(
    kinds: list[str],
) -> None:
    desk = MemoryDesk()
    batch = [
        EVENT | {"id": str(index)} if kind == "good" else {"id": str(index)}
        for index, kind in enumerate(kinds)
    ]

    found = content(post(door(desk), "/v1/events", batch))

    accepted = [int(one.id) for one in desk.taken if isinstance(one, Event)]
    rejected = [one["index"] for one in found["rejected"]]
    assert len(accepted) == found["accepted"]
    assert sorted([*accepted, *rejected]) == list(range(len(kinds)))
    assert all(kinds[index] == "good" for index in accepted)


def test_a_misspelt_field_of_a_call_says_which_was_meant() -> None:
    call = {"id": "c-1", "journey": "welcome", "custmer": "ada"}

    answer = post(door(), "/v1/enroll", call)

    assert answer.status == 400
    assert json.loads(answer.body)["error"] == (
        "'custmer' is no field of the body; did you mean 'customer'?"
    )
