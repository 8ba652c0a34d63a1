"""A customers table with its stream, and what that has shown so far."""

from __future__ import annotations

import zlib
from typing import Any

from journeykit.aws.clients import session

TABLE = "customers"


def make_streaming_table(client: Any, name: str = TABLE) -> str:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return name


def images(client: Any, name: str = TABLE) -> list[dict[str, Any]]:
    """The items as each write left them, in their order."""
    arn = client.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    streams = session().create_client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    place = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[dict[str, Any]] = []
    while records := (page := streams.get_records(ShardIterator=place))["Records"]:
        shown = [record["dynamodb"]["NewImage"] for record in records]
        # moto shows a new item twice, the first time with nothing but its key.
        found += [image for image in shown if len(image) > 1]
        place = page["NextShardIterator"]
    return found


def decided(image: dict[str, Any]) -> list[bytes]:
    """The commands of the write that left an item like this."""
    entry = image["out"]["M"].get(image["r"]["N"])
    return [it["B"] for it in entry["M"]["c"]["L"]] if entry else []


def lines(image: dict[str, Any]) -> bytes:
    """The decisions of the write that left an item like this."""
    return zlib.decompress(image["log"]["B"]) if "log" in image else b""
