"""The HTTP door with what stands behind it, in moto, as API Gateway meets it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from tests.aws.state_table import make_state_table

from journeykit.aws.api_keys import ApiKey, ApiKeys
from journeykit.aws.bus import Bus
from journeykit.aws.clients import client
from journeykit.aws.door import CloudDesk, CloudDoor
from journeykit.aws.keys import KnownKeys, new_key
from journeykit.aws.queues import Queue
from journeykit.channels import Callback
from journeykit.engine.stimuli import Stimulus
from journeykit.http.keys import SCOPES, Writer, digest_of
from journeykit_handlers.routes import resolver

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
JSON = "application/json"
BUS = "shop"


class Entrance:
    """Those who knock at a door.

    Attributes:
        app: What leads them to it.
        key: One that may do everything.
    """

    app: APIGatewayHttpResolver
    key: str

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        kind: str = JSON,
        headers: Mapping[str, str] | None = None,
        **context: object,
    ) -> tuple[int, Any]:
        """Send a request, and return the status and what was answered."""
        answer = self.answer(
            method, path, body, key=key, kind=kind, headers=headers, **context
        )
        text = answer["body"]
        return answer["statusCode"], json.loads(text) if text else None

    def answer(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        kind: str = JSON,
        headers: Mapping[str, str] | None = None,
        **context: object,
    ) -> dict[str, Any]:
        given = {"content-type": kind, "host": "api.example.com", **(headers or {})}
        if key != "":
            given.setdefault("authorization", f"Bearer {key or self.key}")
        return self.app.resolve(request_event(method, path, body, given, context), None)


class Quiet(Entrance):
    """A door behind which there is only a list.

    Attributes:
        taken: What came in.
    """

    def __init__(self) -> None:
        self.taken: list[object] = []
        self.key = "the-key"
        self.door = CloudDoor(
            cast(CloudDesk, self),
            keys=cast(KnownKeys, self),
            channels=["email"],
            clock=lambda: NOON,
        )
        self.app = resolver(self.door)

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        self.taken += stimuli

    def pass_on(self, channel: str, callback: Callback) -> None:
        self.taken.append(callback)

    def health(self) -> Mapping[str, object]:
        return {"status": "ok", "queued": 3}

    def writer_of(self, key: str) -> Writer | None:
        return Writer("shop") if key == self.key else None


class Site(Entrance):
    """A door and those who knock, with what stands behind it.

    Attributes:
        now: The clock of the keys, milliseconds.
    """

    def __init__(self) -> None:
        self.dynamodb, self.sqs, self.events = map(
            client, ("dynamodb", "sqs", "events")
        )
        self.now = round(NOON.timestamp() * 1000)
        self.keys = ApiKeys(self.dynamodb, make_state_table(self.dynamodb))
        self.key = self.new_key("shop", *SCOPES)
        self.urls = {
            name: self.sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in ("events", "feedback", "archive")
        }
        self.events.create_event_bus(Name=BUS)
        self.events.put_rule(
            Name="all", EventBusName=BUS, EventPattern='{"source": [{"prefix": ""}]}'
        )
        arn = self.sqs.get_queue_attributes(
            QueueUrl=self.urls["archive"], AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        self.events.put_targets(
            Rule="all", EventBusName=BUS, Targets=[{"Id": "archive", "Arn": arn}]
        )
        self.door = CloudDoor(
            CloudDesk(
                Bus(self.events, BUS, sleep=lambda _: None),
                Queue(self.sqs, self.urls["events"], sleep=lambda _: None),
                Queue(self.sqs, self.urls["feedback"], sleep=lambda _: None),
            ),
            keys=KnownKeys(self.keys, clock=lambda: self.now),
            channels=["email"],
            clock=lambda: NOON,
        )
        self.app = resolver(self.door)

    def new_key(self, name: str, *scopes: str, expires_at: int = 0) -> str:
        key = new_key()
        digest = digest_of(key).hex()
        self.keys.add(ApiKey(digest, name, scopes, self.now, expires_at))
        return key

    def taken(self, queue: str) -> list[dict[str, Any]]:
        """What is in a queue, as a function would get it."""
        records = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.urls[queue],
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            records += [as_record(message) for message in messages]
        return records


def request_event(
    method: str,
    path: str,
    body: object,
    headers: Mapping[str, str],
    context: Mapping[str, object],
) -> dict[str, Any]:
    """An event of an HTTP API, payload 2.0."""
    if isinstance(body, bytes):
        text, encoded = base64.b64encode(body).decode(), True
    else:
        text, encoded = body if isinstance(body, str) else json.dumps(body), False
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": dict(headers),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "domainName": "a1b2c3.execute-api.eu-central-1.amazonaws.com",
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_780_833_600_000,
            **context,
        },
        **({} if body is None else {"body": text}),
        "isBase64Encoded": encoded,
    }


def as_record(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of SQS's as a record of the event that Lambda makes of it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
    }
