"""A stack in moto: what the template makes, the handlers, and events as Lambda has them."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.handlers import shop_plugin

from journeykit import Journey, Policies
from journeykit.aws.cloud import Cloud
from journeykit.manifest import Manifest, PluginEntry

REGION = "eu-central-1"
QUEUES = (
    "events",
    "wakes",
    "feedback",
    "dead-letters",
    "deliver-calls",
    "deliver-email",
)
SECOND = 1000


class Context:
    """What Lambda hands a function beside the event."""

    function_name = "shop-function"
    memory_limit_in_mb = 512
    invoked_function_arn = (
        f"arn:aws:lambda:{REGION}:123456789012:function:shop-function"
    )
    aws_request_id = "7b6c7b2e-0a9f-4d6e-8f0e-3d0a6f4b9c11"

    def __init__(self, left: int = 300 * SECOND) -> None:
        self.left = left

    def get_remaining_time_in_millis(self) -> int:
        return self.left


class Stack:
    """Tables, queues and bus, and the functions that work with them."""

    def __init__(self, folder: Path) -> None:
        self.dynamodb = boto3.client("dynamodb")
        self.sqs = boto3.client("sqs")
        self.events = boto3.client("events")
        self.firehose = boto3.client("firehose")
        self.urls = {
            name: self.sqs.create_queue(QueueName=f"shop-{name}")["QueueUrl"]
            for name in QUEUES
        }
        self._table("customers", "id")
        self._table("timers", "bucket", "due")
        self._table("deliveries", "id")
        self._table("state", "pk", "sk")
        self.events.create_event_bus(Name="shop")
        boto3.client("s3").create_bucket(
            Bucket="shop-logs",
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )
        for log in ("decisions", "events"):
            self.firehose.create_delivery_stream(
                DeliveryStreamName=f"shop-{log}",
                DeliveryStreamType="DirectPut",
                ExtendedS3DestinationConfiguration={
                    "RoleARN": "arn:aws:iam::123456789012:role/firehose",
                    "BucketARN": "arn:aws:s3:::shop-logs",
                    "Prefix": f"{log}/",
                },
            )
        self.manifest = Manifest(
            workspace="shop",
            plugins=(
                PluginEntry(
                    name="shop",
                    value="tests.handlers.shop_plugin",
                    hooks=("journeykit_channels", "journeykit_actions"),
                ),
            ),
            channels={"email": "shop"},
            actions=("greet",),
        )
        self.manifest.write(folder / "manifest.json")
        arn = f"arn:aws:sqs:{REGION}:123456789012:shop-events"
        self.environ = {
            "JOURNEYKIT_CUSTOMERS_TABLE": "customers",
            "JOURNEYKIT_TIMERS_TABLE": "timers",
            "JOURNEYKIT_DELIVERIES_TABLE": "deliveries",
            "JOURNEYKIT_STATE_TABLE": "state",
            "JOURNEYKIT_EVENTS_QUEUE": self.urls["events"],
            "JOURNEYKIT_WAKES_QUEUE": self.urls["wakes"],
            "JOURNEYKIT_FEEDBACK_QUEUE": self.urls["feedback"],
            "JOURNEYKIT_DEAD_LETTER_QUEUE": self.urls["dead-letters"],
            "JOURNEYKIT_CALLS_QUEUE": self.urls["deliver-calls"],
            "JOURNEYKIT_DELIVER_QUEUES": self.urls["deliver-email"].removesuffix(
                "email"
            ),
            "JOURNEYKIT_BUS": "shop",
            "JOURNEYKIT_EVENTS_QUEUE_ARN": arn,
            "JOURNEYKIT_DEAD_LETTER_QUEUE_ARN": arn.replace("events", "dead-letters"),
            "JOURNEYKIT_DECISIONS_STREAM": "shop-decisions",
            "JOURNEYKIT_ARCHIVE_STREAM": "shop-events",
            "JOURNEYKIT_MANIFEST": str(folder / "manifest.json"),
            "POWERTOOLS_SERVICE_NAME": "shop",
            "POWERTOOLS_METRICS_NAMESPACE": "journeykit",
        }
        os.environ.update(self.environ)

    def _table(self, name: str, key: str, sort: str = "") -> None:
        keys = {key: "HASH", **({sort: "RANGE"} if sort else {})}
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": k, "KeyType": v} for k, v in keys.items()],
            AttributeDefinitions=[
                {"AttributeName": k, "AttributeType": "S"} for k in keys
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={
                "StreamEnabled": True,
                "StreamViewType": "NEW_IMAGE",
            },
        )

    # --- functions -------------------------------------------------------------------

    def invoke(
        self, name: str, event: Mapping[str, Any], context: Context | None = None
    ) -> Any:
        """What a handler answers; the event has been through JSON, as in Lambda."""
        bootstrap = importlib.import_module("journeykit_handlers.bootstrap")
        # The bus waits half a minute before it removes a rule.
        bootstrap.Cloud = partial(Cloud, sleep=lambda _: None)  # type: ignore[attr-defined]
        module = importlib.import_module(f"journeykit_handlers.{name}")
        told = json.loads(json.dumps(event))
        return module.lambda_handler(told, context or Context())

    def cold(self) -> None:
        """From now on the functions run in new processes."""
        for name in [*sys.modules]:
            if name.startswith("journeykit_handlers."):
                del sys.modules[name]

    def publish(self, *journeys: Journey, **fields: Any) -> Mapping[str, Any]:
        """These journeys are live from now on; what the function answers."""
        asked = {"draft": draft(*journeys), **fields}
        answer: Mapping[str, Any] = self.invoke("publish", {"publish": asked})
        return answer

    def relay(self) -> Any:
        """Whatever is in the customers' stream is relayed, from its start."""
        return self.invoke("relay", {"Records": self.stream()})

    def deliver(self, **context: int) -> Any:
        """Whatever stands in the queue of the emails is handed over."""
        records = self.taken("deliver-email")
        return self.invoke("deliver", {"Records": records}, Context(**context))

    # --- what stands where -----------------------------------------------------------

    def taken(self, queue: str) -> list[dict[str, Any]]:
        """All messages of a queue, as the records that Lambda hands a function."""
        records: list[dict[str, Any]] = []
        while found := self.sqs.receive_message(
            QueueUrl=self.urls[queue],
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            for message in found:
                self.sqs.delete_message(
                    QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"]
                )
                records.append(
                    {
                        "messageId": message["MessageId"],
                        "receiptHandle": message["ReceiptHandle"],
                        "body": message["Body"],
                        "attributes": message["Attributes"],
                        "messageAttributes": {
                            name: {
                                "stringValue": value["StringValue"],
                                "stringListValues": [],
                                "binaryListValues": [],
                                "dataType": value["DataType"],
                            }
                            for name, value in message.get(
                                "MessageAttributes", {}
                            ).items()
                        },
                        "md5OfBody": message["MD5OfBody"],
                        "eventSource": "aws:sqs",
                        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue}",
                        "awsRegion": REGION,
                    }
                )
        return records

    def stream(self) -> list[dict[str, Any]]:
        """The records of the customers' stream, as Lambda hands them to a function."""
        streams = boto3.client("dynamodbstreams")
        arn = self.dynamodb.describe_table(TableName="customers")["Table"][
            "LatestStreamArn"
        ]
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        records: list[dict[str, Any]] = []
        for shard in shards:
            iterator = streams.get_shard_iterator(
                StreamArn=arn,
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            records += streams.get_records(ShardIterator=iterator)["Records"]
        # moto shows an item that an UpdateItem begins once more, before it has anything.
        return [
            _as_in_lambda(record)
            for record in records
            if "r" in record["dynamodb"]["NewImage"]
        ]

    def letters(self) -> list[tuple[str, str, str]]:
        """The dead letters: door, reason and body of each."""
        return [
            (
                record["messageAttributes"]["door"]["stringValue"],
                record["messageAttributes"]["reason"]["stringValue"],
                record["body"],
            )
            for record in self.taken("dead-letters")
        ]

    def delayed(self, queue: str) -> int:
        """How many messages a queue keeps back for a while."""
        name = "ApproximateNumberOfMessagesDelayed"
        found = self.sqs.get_queue_attributes(
            QueueUrl=self.urls[queue], AttributeNames=[name]
        )
        return int(found["Attributes"][name])

    def customers(self) -> list[str]:
        """Who has a document."""
        items = self.dynamodb.scan(TableName="customers")["Items"]
        return sorted(item["id"]["S"] for item in items)


def _as_in_lambda(value: Any) -> Any:
    """What botocore reads of a stream, in the JSON of an event: binary as base64."""
    if isinstance(value, Mapping):
        return {name: _as_in_lambda(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_in_lambda(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.timestamp() if hasattr(value, "timestamp") else value


def draft(*journeys: Journey, policies: Policies | None = None) -> dict[str, Any]:
    """What publishing these journeys is about."""
    return {
        "journeys": {journey.id: journey.to_plan() for journey in journeys},
        "fingerprints": {journey.id: journey.fingerprint for journey in journeys},
        "policies": (policies or Policies()).to_plan(),
        "states": {},
    }


def sqs_record(
    body: str, *, id: str = "message-1", sent: int | None = None, **attributes: str
) -> dict[str, Any]:
    """A record of SQS, as Lambda hands it to a function; sent just now, or when told."""
    at = str(int(time.time() * SECOND) if sent is None else sent)
    return {
        "messageId": id,
        "receiptHandle": f"handle of {id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": at,
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": at,
        },
        "messageAttributes": {
            name: {
                "stringValue": value,
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
            for name, value in attributes.items()
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:shop-events",
        "awsRegion": REGION,
    }


def envelope(
    name: str, customer: str = "ada", *, id: str = "event-1", **properties: Any
) -> str:
    """An event, as EventBridge sends it to a queue."""
    return json.dumps(
        {
            "version": "0",
            "id": id,
            "detail-type": name,
            "source": "shop.checkout",
            "account": "123456789012",
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [],
            "detail": {"customer": customer, "properties": properties},
        }
    )


def failures(answer: Mapping[str, Sequence[Mapping[str, str]]]) -> list[str]:
    """Which records are to come again."""
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


@pytest.fixture
def provider() -> shop_plugin.Provider:
    """Who carries email."""
    return shop_plugin.PROVIDER


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """An empty stack, in an empty account."""
    kept = dict(os.environ)
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_SESSION_TOKEN="testing",
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_ACCOUNT_ID_ENDPOINT_MODE="disabled",
        AWS_EC2_METADATA_DISABLED="true",
    )
    os.environ.pop("AWS_PROFILE", None)
    shop_plugin.PROVIDER.__init__()  # type: ignore[misc]
    logger = logging.getLogger("journeykit")
    handlers, level = [*logger.handlers], logger.level
    try:
        with mock_aws():
            stack = Stack(tmp_path)
            yield stack
            stack.cold()
    finally:
        logger.handlers[:], logger.level = handlers, level
        os.environ.clear()
        os.environ.update(kept)
