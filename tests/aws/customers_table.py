"""The customers table as the template has it, and its stream as Lambda hands it over."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

TABLE = "customers"


def make_customers_table(client: Any) -> str:
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return TABLE


def make_record(
    item: Mapping[str, Any] | None, *, number: int = 1, event: str = "MODIFY"
) -> dict[str, Any]:
    """A record of the stream about an item as a client reads it; None: it was removed."""
    data: dict[str, Any] = {
        "ApproximateCreationDateTime": 1_790_000_000.0,
        "SequenceNumber": str(number),
        "SizeBytes": 100,
        "StreamViewType": "NEW_IMAGE",
    }
    if item is not None:
        data["NewImage"] = {name: handed_over(value) for name, value in item.items()}
    return {
        "eventID": str(number),
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": data,
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:1:table/customers/stream/1",
    }


def handed_over(value: Mapping[str, Any]) -> dict[str, Any]:
    """A value as Lambda hands it over: as JSON, so bytes are base64."""
    ((kind, inside),) = value.items()
    if kind == "B":
        return {"B": b64encode(inside).decode()}
    if kind == "BS":
        return {"BS": [b64encode(one).decode() for one in inside]}
    if kind == "M":
        return {"M": {name: handed_over(one) for name, one in inside.items()}}
    if kind == "L":
        return {"L": [handed_over(one) for one in inside]}
    return {kind: inside}
