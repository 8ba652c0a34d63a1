"""The HTTP door in AWS takes and answers what `journeykit serve` does, and lets in nobody else."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator
from tests.aws.site import NOON, Quiet, Site, request_event
from tests.aws.wire import Wire

from journeykit.aws.bus import MAX_ENTRY, entry_size
from journeykit.aws.callbacks import callback_of
from journeykit.aws.door import _ROOMY, MAX_CALLBACK, MAX_HEAD, MAX_HEADERS
from journeykit.aws.keys import new_key
from journeykit.aws.messages import received
from journeykit.channels import Callback
from journeykit.engine.stimuli import Enroll, Stimulus
from journeykit.http.body import MAX_BODY, MAX_EVENTS
from journeykit.http.messages import Request
from journeykit.local.door import Door
from journeykit.local.http_keys import Keys
from journeykit.model.events import Event
from journeykit.model.formats import decode_event

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
}
CALL = {"messageId": "s-1", "userId": "ada", "timestamp": "2026-06-07T11:59:58Z"}
CLOUD = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "shop",
    "type": "order.placed",
    "subject": "ada",
    "data": {"amount": 40},
}
BINARY = {f"ce-{name}": str(value) for name, value in CLOUD.items() if name != "data"}
IDENTIFY = {"id": "i-1", "customer": "ada", "attributes": {"plan": "pro"}}
ENROLL = {"id": "c-1", "journey": "welcome", "customer": "ada"}


@pytest.fixture
def site(aws: None) -> Site:
    return Site()


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


# What is taken


def test_an_event_goes_onto_the_bus_with_the_doors_stamp(site: Site) -> None:
    status, content = site.call("POST", "/v1/events", EVENT)

    assert (status, content) == (200, {"accepted": 1, "rejected": []})
    [record] = site.taken("archive")
    envelope = json.loads(record["body"])
    assert envelope["source"] == "journeykit.http"
    assert envelope["detail-type"] == "order.placed"
    assert received(record) == decode_event(
        json.dumps(EVENT).encode(), received_at=NOON
    )


def test_attributes_go_onto_the_bus_as_an_event(site: Site) -> None:
    assert site.call("POST", "/v1/identify", IDENTIFY)[0] == 200

    [record] = site.taken("archive")
    event = received(record)
    assert isinstance(event, Event)
    assert (event.name, event.properties) == ("profile.updated", {"plan": "pro"})
    assert event.occurred_at == event.received_at == NOON


def test_an_enroll_call_goes_into_the_events_queue(site: Site) -> None:
    assert site.call("POST", "/v1/enroll", ENROLL)[0] == 200

    [record] = site.taken("events")
    assert received(record) == Enroll(
        id="c-1", journey="welcome", customer="ada", received_at=NOON
    )


def test_a_large_batch_goes_out_whole(site: Site) -> None:
    lines = b"\n".join(json.dumps(EVENT | {"id": f"o-{n}"}).encode() for n in range(25))

    status, content = site.call(
        "POST", "/v1/events", lines, kind="application/x-ndjson"
    )

    assert (status, content["accepted"]) == (200, 25)
    ids = {received(record).id for record in site.taken("archive")}  # type: ignore[union-attr]
    assert ids == {f"o-{n}" for n in range(25)}


# The same words as at `journeykit serve`


class MemoryDesk:
    def __init__(self) -> None:
        self.taken: list[Stimulus] = []

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        self.taken += stimuli

    def health(self) -> Mapping[str, object]:
        return {"status": "ok"}

    def metrics(self) -> str:
        return ""


LOCAL_KEY = "k3y-of-the-shop-1234"
NDJSON = "application/x-ndjson"
GZIP = {"content-encoding": "gzip"}
SAME: Sequence[tuple[str, object, str, Mapping[str, str]]] = [
    ("/v1/events", EVENT, "application/json", {}),
    ("/v1/events", [EVENT, EVENT | {"id": "o-2"}], "application/json", {}),
    ("/v1/events", {"batch": [SEGMENT]}, "application/json", {}),
    ("/v1/batch", {"batch": [SEGMENT], "sentAt": 1}, "application/json", {}),
    ("/v1/import", {"batch": [SEGMENT], "context": {}}, "application/json", {}),
    ("/v1/track", SEGMENT, "application/json", {}),
    ("/v1/track", SEGMENT | {"type": "page"}, "application/json", {}),
    ("/v1/page", CALL | {"name": "Home"}, "application/json", {}),
    ("/v1/screen", CALL | {"name": "Home"}, "application/json", {}),
    ("/v1/group", CALL | {"groupId": "g-1"}, "application/json", {}),
    ("/v1/group", CALL, "application/json", {}),
    ("/v1/alias", CALL | {"previousId": "a-1"}, "application/json", {}),
    ("/v1/identify", CALL | {"traits": {"plan": "pro"}}, "application/json", {}),
    ("/v1/identify", {"anonymousId": "a-1"}, "application/json", {}),
    ("/v1/events", CLOUD, "application/cloudevents+json", {}),
    ("/v1/events", [CLOUD, EVENT], "application/cloudevents-batch+json", {}),
    ("/v1/events", {"amount": 40}, "application/json", BINARY),
    ("/v1/events", b"", "application/json", BINARY),
    ("/v1/events", [1], "application/json", BINARY),
    ("/v1/identify", CLOUD, "application/cloudevents+json", {}),
    ("/v1/events", EVENT | {"history": True}, "application/json", {}),
    ("/v1/events", json.dumps(EVENT).encode() + b"\n\n{}\n", NDJSON, {}),
    ("/v1/events", gzip.compress(json.dumps(EVENT).encode()), "application/json", GZIP),
    ("/v1/events", gzip.compress(b"x" * MAX_BODY * 3), "application/json", GZIP),
    ("/v1/events", b"\x1f\x8bno gzip", "application/json", GZIP),
    ("/v1/events", b"\xff\xfe", "application/json", {}),
    ("/v1/events", b"", "application/json", {}),
    ("/v1/events", b"[" * 100_000, "application/json", {}),
    ("/v1/events", b"{" + b'"a":{' * 100_000, "application/json", {}),
    ("/v1/events", [EVENT, {"id": "o-5", "user": "ada"}], "application/json", {}),
    ("/v1/events", {"name": "order.placed"}, "application/json", {}),
    ("/v1/events", [], "application/json", {}),
    ("/v1/events", [EVENT] * (MAX_EVENTS + 1), "application/json", {}),
    ("/v1/events", EVENT, "text/plain", {}),
    ("/v1/events", EVENT, "application/json; charset=latin-1", {}),
    ("/v1/events", EVENT, "application/json", {"content-encoding": "br"}),
    ("/v1/events", b"x" * (MAX_BODY + 1), "application/json", {}),
    ("/v1/events", b"x" * (2 * MAX_BODY), "application/json", {}),
    ("/v1/identify", IDENTIFY, "application/json", {}),
    (
        "/v1/identify",
        IDENTIFY | {"attributes": {"a": "\ud800"}},
        "application/json",
        {},
    ),
    ("/v1/identify", IDENTIFY | {"customer": ""}, "application/json", {}),
    ("/v1/enroll", ENROLL, "application/json", {}),
    ("/v1/enroll", {"id": "c-2", "journey": "welcome"}, "application/json", {}),
    ("/v1/enroll", ENROLL | {"id": "\x00"}, "application/json", {}),
]


@pytest.mark.parametrize(
    ("path", "body", "kind", "headers"), SAME, ids=map(str, range(len(SAME)))
)
def test_it_answers_and_takes_what_the_local_door_does(
    path: str, body: object, kind: str, headers: Mapping[str, str]
) -> None:
    local = MemoryDesk()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    keys = Keys.from_environment({"JOURNEYKIT_API_KEYS": LOCAL_KEY})
    at_home = Door(local, keys=keys, clock=lambda: NOON).answer(
        Request(
            method="POST",
            path=path,
            headers={
                "content-type": kind,
                "authorization": f"Bearer {LOCAL_KEY}",
                **headers,
            },
            body=raw,
        )
    )
    cloud = Quiet()

    status, content = cloud.call("POST", path, raw, kind=kind, headers=headers)

    assert (status, content) == (at_home.status, json.loads(at_home.body))
    assert cloud.taken == local.taken


# Who is let in


@pytest.mark.parametrize("path", ["/v1/events", "/v1/identify", "/v1/enroll"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer guessed"},
        {"authorization": f"Bearer {new_key()}"},
        {"authorization": "Basic %%%"},
        {"x-api-key": "jk_" + "é" * 43},
    ],
    ids=range(6),
)
def test_whoever_has_no_key_gets_401_and_no_hint(
    site: Site, path: str, headers: Mapping[str, str]
) -> None:
    status, content = site.call("POST", path, EVENT, key="", headers=headers)

    assert status == 401
    assert content == {"error": "an API key is needed: Authorization: Bearer KEY"}
    assert site.taken("archive") == site.taken("events") == []


@pytest.mark.parametrize(
    ("scope", "path", "body"),
    [
        ("track", "/v1/events", EVENT),
        ("track", "/v1/batch", {"batch": [SEGMENT]}),
        ("identify", "/v1/identify", IDENTIFY),
        ("enroll", "/v1/enroll", ENROLL),
    ],
)
def test_a_key_is_for_its_scopes_only(
    site: Site, scope: str, path: str, body: object
) -> None:
    scopes = ["track", "identify", "enroll"]
    right = site.new_key("right", scope)
    wrong = site.new_key("wrong", *(other for other in scopes if other != scope))

    assert site.call("POST", path, body, key=right)[0] == 200
    status, content = site.call("POST", path, body, key=wrong)

    assert (status, content) == (403, {"error": f"this key is not for {scope!r}"})


ALIAS = {"type": "alias", "userId": "ada", "previousId": "bob", "messageId": "a"}
WHO = [
    ("/v1/events", EVENT | {"name": "profile.updated"}),
    ("/v1/events", EVENT | {"name": "customer.aliased"}),
    ("/v1/events", EVENT | {"identifiers": {"customer": "bob"}}),
    ("/v1/batch", {"batch": [ALIAS]}),
    ("/v1/batch", {"batch": [SEGMENT | {"type": "identify"}]}),
    ("/v1/track", SEGMENT | {"event": "profile.updated"}),
    ("/v1/import", {"batch": [ALIAS]}),
]


@pytest.mark.parametrize(("path", "body"), WHO, ids=range(len(WHO)))
def test_who_somebody_is_needs_the_scope_for_it_by_whichever_way(
    site: Site, path: str, body: object
) -> None:
    track = site.new_key("track", "track")
    both = site.new_key("both", "track", "identify")

    status, content = site.call("POST", path, body, key=track)

    assert status == 400
    assert "this key is not for 'identify'" in content["rejected"][0]["error"]
    assert site.taken("archive") == []
    assert site.call("POST", path, body, key=both)[0] == 200


def test_the_rest_of_a_batch_is_taken(site: Site) -> None:
    track = site.new_key("track", "track")

    status, content = site.call(
        "POST", "/v1/events", [EVENT, ALIAS, EVENT | {"id": "o-2"}], key=track
    )

    assert (status, content["accepted"]) == (200, 2)
    assert [one["index"] for one in content["rejected"]] == [1]


def test_a_key_that_has_ended_is_as_good_as_none(site: Site) -> None:
    key = site.new_key("old", "track", expires_at=site.now + 1000)
    assert site.call("POST", "/v1/events", EVENT, key=key)[0] == 200

    site.now += 1000

    assert site.call("POST", "/v1/events", EVENT, key=key)[0] == 401


def test_whom_iam_has_let_in_needs_no_key(site: Site) -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/shop/ada@example.com"
    signed = {"authorizer": {"iam": {"userArn": arn, "accountId": "123456789012"}}}

    assert site.call("POST", "/v1/events", EVENT, key="", **signed)[0] == 200
    assert site.call("POST", "/v1/enroll", ENROLL, key="", **signed)[0] == 200


@pytest.mark.parametrize("authorizer", [{}, {"iam": {}}, {"jwt": {"claims": {}}}])
def test_another_authorizer_lets_nobody_in(
    quiet: Quiet, authorizer: Mapping[str, object]
) -> None:
    status, _ = quiet.call("POST", "/v1/events", EVENT, key="", authorizer=authorizer)

    assert status == 401


def test_health_tells_strangers_nothing(quiet: Quiet) -> None:
    status, content = quiet.call("GET", "/v1/health", key="")

    assert (status, content) == (200, {"status": "ok"})
    assert quiet.call("GET", "/v1/health")[1] == {"status": "ok", "queued": 3}


# Bounds


def test_who_posts_a_form_is_told_nothing_but_that_it_was_taken(site: Site) -> None:
    answer = site.door.answer(
        Request(
            method="POST",
            path="/v1/feedback/email",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=b"MessageStatus=delivered",
        )
    )

    assert (answer.status, answer.body, answer.count) == (204, b"", 1)


@pytest.mark.parametrize(
    "headers",
    [
        {f"x-{n}": "1" for n in range(MAX_HEADERS)},
        {"x-long": "1" * MAX_HEAD},
    ],
    ids=["many", "long"],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/feedback/email"])
def test_a_head_that_is_too_large_is_refused(
    quiet: Quiet, path: str, headers: Mapping[str, str]
) -> None:
    assert quiet.call("POST", path, EVENT, headers=headers)[0] == 431


def test_an_event_that_fits_no_bus_is_rejected_by_its_index(quiet: Quiet) -> None:
    room = MAX_ENTRY - len(json.dumps(EVENT | {"properties": {"text": ""}}))
    wide = EVENT | {"properties": {"text": "x" * room}}

    status, content = quiet.call("POST", "/v1/events", [EVENT, wide])

    assert (status, content["accepted"]) == (200, 1)
    [rejected] = content["rejected"]
    assert rejected["index"] == 1
    assert "on the bus" in rejected["error"]


def test_a_line_that_grows_when_it_is_written_is_rejected_as_well(quiet: Quiet) -> None:
    body = json.dumps(EVENT | {"properties": {"n": "N"}}).replace(
        '"N"', f"[{','.join(['1e15'] * 20_000)}]"
    )
    assert len(body) < MAX_ENTRY / 2

    status, content = quiet.call("POST", "/v1/events", body)

    assert (status, content["accepted"]) == (400, 0)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


@given(st.dictionaries(st.text(), _json), st.booleans())
def test_no_short_line_grows_out_of_its_bound(
    properties: dict[str, Any], ascii: bool
) -> None:
    text = json.dumps(
        EVENT | {"properties": properties}, ensure_ascii=ascii, separators=(",", ":")
    )
    try:
        event = decode_event(text.encode("utf-8", "surrogatepass"), received_at=NOON)
    except ValueError:
        return  # half a character: no door takes it

    assert entry_size(event) <= (MAX_ENTRY // _ROOMY) * len(text) + 512


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/identify", IDENTIFY | {"attributes": {"bio": "x" * MAX_ENTRY}}),
        ("/v1/enroll", ENROLL | {"entry": {"bio": "x" * (MAX_BODY - 100)}}),
    ],
)
def test_a_call_that_nobody_could_pass_on_is_too_large(
    quiet: Quiet, path: str, body: object
) -> None:
    assert quiet.call("POST", path, body)[0] == 413


@given(
    st.binary(max_size=200),
    st.sampled_from(["/v1/events", "/v1/identify", "/v1/enroll", "/v1/feedback/email"]),
    st.sampled_from(["application/json", NDJSON, "", "a/b"]),
    st.sampled_from(["", "gzip", "br"]),
)
def test_whatever_comes_there_is_an_answer(
    body: bytes, path: str, kind: str, encoding: str
) -> None:
    status, content = Quiet().call(
        "POST", path, body, kind=kind, headers={"content-encoding": encoding}
    )

    assert status in (200, 400, 413, 415)
    assert isinstance(content, dict)


@pytest.mark.parametrize(
    "event",
    [
        {"isBase64Encoded": True, "body": "no base64!"},
        {"isBase64Encoded": True, "body": "A" * (3 * MAX_BODY)},
        {"body": "x" * (3 * MAX_BODY)},
        {"headers": None},
    ],
    ids=range(4),
)
def test_an_odd_event_of_the_gateways_is_answered(
    quiet: Quiet, event: Mapping[str, Any]
) -> None:
    whole = request_event("POST", "/v1/events", None, {}, {}) | event
    if whole["headers"] is not None:
        whole["headers"] = {
            "content-type": "application/json",
            "authorization": f"Bearer {quiet.key}",
        }

    answer = quiet.app.resolve(whole, None)

    assert answer["statusCode"] in (400, 401, 413)


# When AWS is in trouble


def _operation(site: Site, path: str) -> tuple[Any, str, object]:
    return {
        "/v1/events": (site.events, "PutEvents", EVENT),
        "/v1/identify": (site.events, "PutEvents", IDENTIFY),
        "/v1/enroll": (site.sqs, "SendMessageBatch", ENROLL),
        "/v1/feedback/email": (site.sqs, "SendMessageBatch", {}),
    }[path]


@pytest.mark.parametrize(
    "path", ["/v1/events", "/v1/identify", "/v1/enroll", "/v1/feedback/email"]
)
@pytest.mark.parametrize("code", ["AccessDeniedException", "InternalFailure"])
def test_what_cannot_be_passed_on_is_to_come_again(
    site: Site, path: str, code: str
) -> None:
    client, operation, body = _operation(site, path)
    Wire(client).refuse(operation, code, times=99)

    answer = site.answer("POST", path, body)

    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "5"
    assert "the same again is safe" in answer["body"]


def test_while_keys_cannot_be_looked_up_nobody_comes_in(site: Site) -> None:
    Wire(site.dynamodb).refuse("GetItem", "ResourceNotFoundException", times=9)

    answer = site.answer("POST", "/v1/events", EVENT)

    assert answer["statusCode"] == 503
    assert site.taken("archive") == []


def test_a_mistake_of_ours_is_answered_and_logged_without_what_came_in(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(MemoryDesk):
        def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
            raise KeyError("ada")

    site.door._desk = Broken()

    status, content = site.call("POST", "/v1/events", EVENT)

    assert status == 500
    assert "JKJaXmPLvHcESHA=" in content["error"]
    assert "KeyError" in caplog.text
    assert "ada" not in caplog.text


# Callbacks


def test_a_callback_goes_into_the_feedback_queue_as_it_came(site: Site) -> None:
    body = b'\x00{"type": "message.opened"}\xff'
    headers = {
        "webhook-id": "msg-1",
        "Webhook-Signature": "v1,abc",
        "cookie": "a=b",
        "x-forwarded-for": "203.0.113.7",
        "x-amz-sns-topic-arn": "arn:forged",
    }

    status, content = site.call(
        "POST", "/v1/feedback/email", body, key="", kind="text/x", headers=headers
    )

    assert (status, content) == (200, {"accepted": 1, "rejected": []})
    [record] = site.taken("feedback")
    channel, callback = callback_of(record)
    assert channel == "email"
    assert callback == Callback(
        body=body,
        headers={
            "content-type": "text/x",
            "host": "api.example.com",
            "webhook-id": "msg-1",
            "webhook-signature": "v1,abc",
        },
        received_at=NOON,
        url="https://a1b2c3.execute-api.eu-central-1.amazonaws.com/v1/feedback/email",
    )


@pytest.mark.parametrize(
    "channel", ["sms", "", "email/x", "<channel>", "em%61il", ".."]
)
def test_a_callback_of_a_channel_that_is_not_here_is_not_taken(
    site: Site, channel: str
) -> None:
    status, _ = site.call("POST", f"/v1/feedback/{channel}", {}, key="")

    assert status == 404
    assert site.taken("feedback") == []


def test_a_callback_has_a_bound(quiet: Quiet) -> None:
    assert (
        quiet.call("POST", "/v1/feedback/email", b"x" * MAX_CALLBACK, key="")[0] == 200
    )
    assert (
        quiet.call("POST", "/v1/feedback/email", b"x" * (MAX_CALLBACK + 1), key="")[0]
        == 413
    )


# Routes


def test_every_answer_has_the_headers_that_every_answer_has(quiet: Quiet) -> None:
    answer = quiet.answer("GET", "/v1/health")

    assert answer["headers"] == {
        "X-Request-Id": "JKJaXmPLvHcESHA=",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": "application/json",
    }


def test_a_request_may_bring_its_own_id(quiet: Quiet) -> None:
    answer = quiet.answer("GET", "/v1/health", headers={"X-Request-Id": "r-7"})

    assert answer["headers"]["X-Request-Id"] == "r-7"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/events", 404),
        ("GET", "/v1/events", 405),
        ("POST", "/v1/health", 405),
        ("HEAD", "/v1/health", 200),
        ("OPTIONS", "/v1/events", 405),
    ],
)
def test_each_route_takes_its_method(
    quiet: Quiet, method: str, path: str, status: int
) -> None:
    assert quiet.answer(method, path)["statusCode"] == status


def test_a_stage_may_stand_before_the_path(quiet: Quiet) -> None:
    status, _ = quiet.call("POST", "/prod/v1/events", EVENT, stage="prod")

    assert status == 200


# OpenAPI


def described(quiet: Quiet) -> dict[str, Any]:
    status, content = quiet.call("GET", "/v1/openapi.json")
    assert status == 200
    return content  # type: ignore[no-any-return]


def test_the_description_is_for_those_who_have_a_key(quiet: Quiet) -> None:
    assert quiet.call("GET", "/v1/openapi.json", key="")[0] == 401


def test_every_route_is_described(quiet: Quiet) -> None:
    document = described(quiet)

    assert document["openapi"].startswith("3.1")
    assert {
        (method.upper(), path.replace("{", "<").replace("}", ">"))
        for path, methods in document["paths"].items()
        for method in methods
    } == {
        (method, path)
        for path, route in quiet.door.routes.items()
        for method in route.method.split()
        if method != "OPTIONS"
    }


def schema(document: Mapping[str, Any], path: str) -> Draft202012Validator:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    return Draft202012Validator(content["application/json"]["schema"])


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("/v1/events", EVENT, {"name": "order.placed"}),
        ("/v1/events", [EVENT, SEGMENT], [EVENT, 1]),
        ("/v1/events", {"batch": [SEGMENT]}, {"batch": 1}),
        ("/v1/batch", {"batch": [SEGMENT]}, {"batch": [{}]}),
        ("/v1/identify", IDENTIFY, {"id": "i-1", "customer": "ada"}),
        ("/v1/identify", IDENTIFY, IDENTIFY | {"more": 1}),
        ("/v1/enroll", ENROLL, ENROLL | {"journey": 1}),
    ],
    ids=range(7),
)
def test_the_description_says_what_is_taken(
    quiet: Quiet, path: str, right: object, wrong: object
) -> None:
    validator = schema(described(quiet), path)

    assert validator.is_valid(right)
    assert quiet.call("POST", path, right)[0] == 200
    assert not validator.is_valid(wrong)
    status, content = quiet.call("POST", path, wrong)
    assert status == 400 or content["rejected"]


# Logs


def test_the_log_has_nothing_of_what_came_in(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    who = EVENT | {"customer": "zoe-7f"}
    secrets = [site.key, "zoe-7f", "203.0.113.7", "s3cret", "order.placed"]
    bodies: Sequence[tuple[str, object]] = [
        ("/v1/events", who),
        ("/v1/events", [who, {"id": "o-2", "name": "zoe-7f", "customer": 1}]),
        (
            "/v1/identify",
            IDENTIFY | {"customer": "zoe-7f", "attributes": {"s3cret": "\ud800"}},
        ),
        ("/v1/enroll", ENROLL | {"customer": "zoe-7f\x00"}),
        ("/v1/feedback/email", "zoe-7f"),
        ("/v1/events", '{"zoe-7f'),
    ]

    for path, body in bodies:
        site.call("POST", path, body)
        site.call("POST", path, body, key="", headers={"x-api-key": "s3cret"})
    Wire(site.events).refuse("PutEvents", "AccessDeniedException", times=9)
    site.call("POST", "/v1/events", who)

    lines = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("botocore", "urllib3"))
    ]
    assert any("key=shop" in line for line in lines)
    assert [text for text in secrets if text in "\n".join(lines)] == []
