"""From the HTTP door to the callback: who may do what, and that no log says who somebody is."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from journeykit import (
    Callback,
    Channel,
    ForgedCallback,
    InputError,
    Journey,
    Message,
    Receipt,
    Rejected,
    Report,
    Send,
    Sent,
    Update,
    WaitFor,
    When,
    api,
    hours,
    on,
)
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

NOON = datetime.fromisoformat("2026-06-07T12:00:00Z")
CUSTOMER = "customer-ada-77"
PERSONAL = (
    CUSTOMER,
    "ada.lovelace@example.org",
    "Lovelace",
    "velvet-armchair",
    "198.51.100.23",
)
SECRET = "the-loft-secret-9d1c"


class Loft(Channel):
    """Sends by pigeon, tells what it sent, and verifies who comes back."""

    name = "email"
    address_attribute = "email"

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.lacks_secret = False

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.sent += messages
        return [
            Rejected(one.delivery_id, "no such loft")
            if one.template == "refused"
            else Sent(one.delivery_id)
            for one in messages
        ]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        if self.lacks_secret:
            raise InputError("is not set, or empty", place="environment: LOFT_SECRET")
        given = callback.headers.get("x-loft-signature", "")
        if not hmac.compare_digest(given.encode(), signature(callback.body).encode()):
            raise ForgedCallback("the signature is wrong", place="loft: callback")
        said = json.loads(callback.body)
        return [Report(said["leg"], said["what"], said["id"], callback.received_at)]


def signature(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, "sha256").hexdigest()


WORKSPACE = Workspace(
    path=Path(),
    name="loft",
    journeys=(
        Journey(
            "thanks",
            trigger=[on("order.placed"), api()],
            reentry="always",
            steps=[
                Send("email", "thanks", variables={"item": "${event.item}"}),
                WaitFor([When(on("message.opened"))], timeout=hours(2)),
                Update({"opened": True}),
                Send("email", "refused"),
            ],
        ),
    ),
)


@pytest.fixture
def loft() -> Loft:
    return Loft()


@pytest.fixture
def aws(loft: Loft) -> Iterator[AwsEmulator]:  # moto is started by the emulator itself
    with AwsEmulator(WORKSPACE, start=NOON, channels={"email": loft}) as emulator:
        emulator.publish()
        yield emulator


class Writer:
    """Somebody who writes with a key."""

    def __init__(self, aws: AwsEmulator, *scopes: str) -> None:
        self.aws = aws
        self.key = aws.new_api_key(*scopes)

    def post(self, path: str, **body: Any) -> int:
        headers = {"authorization": f"Bearer {self.key}"}
        return self.aws.post(path, body, headers=headers).status


def everything(writer: Writer) -> None:
    """An address, an order, and an enrollment of somebody who has a name."""
    attributes = {"email": "ada.lovelace@example.org", "surname": "Lovelace"}
    assert (
        writer.post("/v1/identify", id="i-1", customer=CUSTOMER, attributes=attributes)
        == 200
    )
    assert (
        writer.post(
            "/v1/events",
            id="o-1",
            name="order.placed",
            customer=CUSTOMER,
            occurred_at=NOON.isoformat(),
            properties={"item": "velvet-armchair", "ip": "198.51.100.23"},
        )
        == 200
    )
    assert (
        writer.post("/v1/enroll", id="c-1", journey="thanks", customer=CUSTOMER) == 200
    )


def called_back(
    aws: AwsEmulator, message: Message, what: str, *, signed: bool = True
) -> int:
    said = {"leg": message.delivery_id, "what": what, "id": f"r-{what}"}
    body = json.dumps(said).encode()
    headers = {"x-loft-signature": signature(body) if signed else "forged"}
    return aws.request("POST", "/v1/feedback/email", body, headers=headers).status


def test_what_a_provider_signs_moves_the_journey_and_what_is_forged_does_not(
    aws: AwsEmulator, loft: Loft
) -> None:
    everything(Writer(aws, "track", "identify", "enroll"))
    first = loft.sent[0]

    assert called_back(aws, first, "message.opened", signed=False) == 200
    assert "opened" not in aws.customer(CUSTOMER).profile
    assert aws.dead_letters == []  # or strangers could fill them
    told = [line for name, line in aws.logs if name.endswith("feedback")]
    assert any("a callback is forged; it is dropped: loft: callback" in x for x in told)

    assert called_back(aws, first, "message.opened") == 200
    assert aws.customer(CUSTOMER).profile["opened"] is True


def test_what_cannot_be_verified_yet_comes_again_until_it_can(
    aws: AwsEmulator, loft: Loft
) -> None:
    everything(Writer(aws, "track", "identify", "enroll"))
    loft.lacks_secret = True

    assert called_back(aws, loft.sent[0], "message.opened") == 200
    assert aws.dead_letters == []
    assert "opened" not in aws.customer(CUSTOMER).profile

    loft.lacks_secret = False
    aws.advance(hours(1))

    assert aws.customer(CUSTOMER).profile["opened"] is True


def test_nobody_gets_further_than_the_door_without_the_right_key(
    aws: AwsEmulator, loft: Loft
) -> None:
    tracker = Writer(aws, "track")

    assert tracker.post("/v1/enroll", id="c-1", journey="thanks", customer="x") == 403
    assert tracker.post("/v1/identify", id="i-1", customer="x", attributes={}) == 403
    tracker.key = "jk_" + "A" * 43
    assert tracker.post("/v1/enroll", id="c-1", journey="thanks", customer="x") == 401

    assert aws.customers == {}
    assert loft.sent == []


def test_no_log_of_any_function_says_who_somebody_is(
    aws: AwsEmulator, loft: Loft
) -> None:
    writer = Writer(aws, "track", "identify", "enroll")
    everything(writer)
    called_back(aws, loft.sent[0], "message.opened")
    called_back(aws, loft.sent[0], "message.clicked", signed=False)
    # What is wrong in each of the ways in which something can be.
    writer.post("/v1/events", id="o-2", name="Lovelace", customer=CUSTOMER)
    writer.post("/v1/identify", id="i-2", customer=CUSTOMER, attributes={"\ud800": 1})
    writer.post("/v1/velvet-armchair")
    aws.request("POST", "/v1/events", b'{"Lovelace', headers={"x-api-key": writer.key})
    aws.request("POST", "/v1/feedback/email", CUSTOMER.encode())
    aws.advance(hours(3))

    functions = {name for name, _ in aws.logs}
    assert {"http", "ingest", "relay", "deliver", "feedback"} <= {
        name.rpartition("-")[2] if "deliver" not in name else "deliver"
        for name in functions
    }
    told = "\n".join(f"{name}: {line}" for name, line in aws.logs)
    secrets = [*PERSONAL, writer.key, writer.key[3:], SECRET]
    assert [text for text in secrets if text in told] == []
    assert loft.sent


def test_the_decision_log_says_neither(aws: AwsEmulator) -> None:
    everything(Writer(aws, "track", "identify", "enroll"))
    aws.advance(hours(3))

    told = json.dumps([dict(line) for line in aws.decisions])

    assert aws.decisions
    assert [text for text in PERSONAL if text in told] == []
