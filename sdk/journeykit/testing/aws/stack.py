"""Makes what the templates of `infra/` say: tables, queues, the bus, functions, hops.

What moto can make is made by the requests with which CloudFormation would make it. What it
can't is left out: keys, roles, alarms, the HTTP API in front of its function, and Firehose
behind the bus.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from journeykit.aws.settings import Settings as Resources
from journeykit.aws.templates import TEMPLATE
from journeykit.errors import InputError
from journeykit.testing.aws.account import EMULATOR, Account
from journeykit.testing.aws.functions import Function, FunctionError, Settings
from journeykit.testing.aws.hops import Failure, FromQueue, FromStream
from journeykit.testing.aws.template import Resource, Stack, read

NESTED = "AWS::CloudFormation::Stack"


class Deployed:
    """What stands in the account.

    Attributes:
        functions: By the last part of their handler's module: `ingest`, `deliver`. Of a
            function that stands there several times, once for each channel, the first.
        queues: The queues before functions, in the order in which they are looked at.
        streams: The streams before functions.
        dead_letter_queues: The names of the queues that nobody reads.
        expiring: Tables with the attribute that says when an item's time is over.
    """

    def __init__(
        self,
        account: Account,
        *,
        folder: Path,
        name: str,
        channels: Sequence[str],
        environment: Mapping[str, str],
        printed: Callable[[str, str], None],
        salt: Callable[[], str] | None,
        failures: list[Failure],
        disorder: Random | None,
    ) -> None:
        """Make all of it.

        Args:
            account: Where.
            folder: With the templates.
            name: The stack's.
            channels: The channels that are carried.
            environment: What is set for all functions in place of the template's word.
            printed: Called with a function's name and each line that it prints.
            salt: Draws what new customers are named by in the logs.
            failures: Where failed invocations are noted.
            disorder: Draws which messages come twice, and in which order.

        Raises:
            InputError: A template can't be read.
        """
        self._account = account
        self._environment = environment
        self._printed = printed
        self._salt = salt
        self._failures = failures
        self._disorder = disorder
        self.functions: dict[str, Function] = {}
        self.queues: list[FromQueue] = []
        self.streams: list[FromStream] = []
        self.expiring: dict[str, str] = {}
        self._buckets: list[str] = []
        self._read: dict[str, None] = {}  # objects that were read, in their order
        self._queue_names: list[str] = []
        stacks = list(_stacks(folder, name, account.region, channels))
        for kind, make in (
            ("AWS::S3::Bucket", self._bucket),
            ("AWS::SNS::Topic", self._topic),
            ("AWS::DynamoDB::Table", self._table),
            ("AWS::SQS::Queue", self._queue),
            ("AWS::SQS::Queue", self._redrive),
            ("AWS::Events::EventBus", self._bus),
            ("AWS::Events::Rule", self._rule),
            ("AWS::KinesisFirehose::DeliveryStream", self._delivery_stream),
            ("AWS::Serverless::Function", self._function),
        ):
            for stack in stacks:
                for resource in stack.resources(kind):
                    make(stack, resource)
        self.queues.sort(key=lambda hop: _order(hop.queue))
        read_ones = {hop.queue for hop in self.queues}
        self.dead_letter_queues = [n for n in self._queue_names if n not in read_ones]

    def call(self, module: str, event: Mapping[str, Any]) -> None:
        """Invoke a function by the schedule; what fails is noted."""
        function = self.functions[module]
        try:
            function(event)
        except FunctionError as error:
            self._failures.append(
                Failure(self._account.now, function.settings.name, error)
            )

    @cached_property
    def settings(self) -> Resources:
        """The names of all resources, as the functions are told them."""
        told: dict[str, str] = {}
        for function in self.functions.values():
            told |= function.settings.environment
        return Resources.from_environment(told)

    def armed_minutes(self) -> Sequence[int]:
        """The minutes of the timer rows that the tick has not read yet."""
        table = self.settings.timers_table
        cursor = self._account.item(table, "cursor", "tick")
        read = (-1, -1)
        if cursor is not None:
            read = (int(cursor["minute"]["N"]), int(cursor["shard"]["N"]))
        places = map(_place, self._account.partitions(table))
        return [place[0] for place in places if place > read]

    def new_objects(self, prefix: str) -> Iterator[bytes]:
        """Yield what was written to the buckets since it was last asked for."""
        s3 = self._account.client("s3")
        with self._account.used_by(EMULATOR):
            for bucket in self._buckets:
                pages = s3.get_paginator("list_objects_v2")
                for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                    for key in [one["Key"] for one in page.get("Contents", ())]:
                        if f"{bucket}/{key}" not in self._read:
                            self._read[f"{bucket}/{key}"] = None
                            found = s3.get_object(Bucket=bucket, Key=key)
                            yield found["Body"].read()

    @property
    def hops(self) -> Sequence[FromStream | FromQueue]:
        """What hands something to a function, in the order in which it is looked at."""
        return (*self.streams, *self.queues)

    # --- what is kept, and where it goes ---------------------------------------------

    def _table(self, stack: Stack, resource: Resource) -> None:
        said = resource.properties
        name = stack.physical(resource.id)
        stream = said.get("StreamSpecification")
        self._account.client("dynamodb").create_table(
            TableName=name,
            AttributeDefinitions=said["AttributeDefinitions"],
            KeySchema=said["KeySchema"],
            BillingMode="PAY_PER_REQUEST",
            **(
                {"StreamSpecification": {"StreamEnabled": True, **stream}}
                if stream
                else {}
            ),
        )
        if ends := said.get("TimeToLiveSpecification"):
            self.expiring[name] = ends["AttributeName"]

    def _queue(self, stack: Stack, resource: Resource) -> None:
        said = resource.properties
        name = stack.physical(resource.id)
        attributes = {
            key: str(said[key])
            for key in ("DelaySeconds", "MessageRetentionPeriod", "VisibilityTimeout")
            if key in said
        }
        self._account.client("sqs").create_queue(QueueName=name, Attributes=attributes)
        self._queue_names.append(name)

    def _redrive(self, stack: Stack, resource: Resource) -> None:
        """Name a queue's dead letters; its own are another of the stack's."""
        policy = resource.properties.get("RedrivePolicy")
        if policy is not None:
            self._account.client("sqs").set_queue_attributes(
                QueueUrl=self._account.queue_url(stack.physical(resource.id)),
                Attributes={"RedrivePolicy": json.dumps(policy)},
            )

    def _bus(self, stack: Stack, resource: Resource) -> None:
        name = stack.physical(resource.id)
        self._account.client("events").create_event_bus(Name=name)

    def _rule(self, stack: Stack, resource: Resource) -> None:
        said = resource.properties
        targets = [one for one in said.get("Targets", ()) if ":sqs:" in one["Arn"]]
        if not targets or "EventPattern" not in said:
            return  # moto can bring events to queues only
        bus = said.get("EventBusName", "default")
        events, name = self._account.client("events"), stack.physical(resource.id)
        events.put_rule(
            Name=name, EventBusName=bus, EventPattern=json.dumps(said["EventPattern"])
        )
        events.put_targets(
            Rule=name,
            EventBusName=bus,
            Targets=[{"Id": one["Id"], "Arn": one["Arn"]} for one in targets],
        )

    def _bucket(self, stack: Stack, resource: Resource) -> None:
        name = stack.physical(resource.id)
        self._account.client("s3").create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": self._account.region},
        )
        self._buckets.append(name)

    def _topic(self, stack: Stack, resource: Resource) -> None:
        name = stack.physical(resource.id)
        self._account.client("sns").create_topic(Name=name)

    def _delivery_stream(self, stack: Stack, resource: Resource) -> None:
        said = resource.properties["ExtendedS3DestinationConfiguration"]
        self._account.client("firehose").create_delivery_stream(
            DeliveryStreamName=stack.physical(resource.id),
            ExtendedS3DestinationConfiguration={
                "RoleARN": said["RoleARN"],
                "BucketARN": said["BucketARN"].lower(),
                # Firehose fills in the day; moto would take it for a name.
                "Prefix": said.get("Prefix", "").partition("!{")[0],
            },
        )

    # --- functions, and what hands them something ------------------------------------

    def _function(self, stack: Stack, resource: Resource) -> None:
        said = resource.properties
        variables = said.get("Environment", {}).get("Variables", {})
        settings = Settings(
            name=stack.physical(resource.id),
            handler=said["Handler"],
            environment={
                name: str(self._environment.get(name, value))
                for name, value in variables.items()
            },
            timeout_s=int(said.get("Timeout", 3)),
            memory_mb=int(said.get("MemorySize", 128)),
        )
        function = Function(
            settings, self._account, printed=self._printed, salt=self._salt
        )
        module = settings.handler.split(".")[-2]
        self.functions.setdefault(module, function)
        for source in said.get("Events", {}).values():
            self._mapping(function, source["Type"], source.get("Properties", {}))

    def _mapping(self, function: Function, kind: str, said: Mapping[str, Any]) -> None:
        reports = "ReportBatchItemFailures" in said.get("FunctionResponseTypes", ())
        if kind == "SQS":
            self.queues.append(
                FromQueue(
                    self._account,
                    function,
                    queue=said["Queue"].rpartition(":")[2],
                    batch_size=int(said.get("BatchSize", 10)),
                    reports=reports,
                    failures=self._failures,
                    disorder=self._disorder,
                )
            )
        elif kind == "DynamoDB":
            self.streams.append(
                FromStream(
                    self._account,
                    function,
                    table=said["Stream"].split("/")[1],
                    batch_size=int(said.get("BatchSize", 100)),
                    reports=reports,
                    bisects=bool(said.get("BisectBatchOnFunctionError", False)),
                    failures=self._failures,
                )
            )
        elif kind not in ("Schedule", "ScheduleV2", "HttpApi"):
            raise InputError(f"event source {kind} is not emulated")


def _place(bucket: str) -> tuple[int, int]:
    """The minute and shard of a timer's partition; that of the cursor is before all."""
    kind, *place = bucket.split("#")
    return (int(place[0]), int(place[1])) if kind == "T" else (-1, -1)


_CHANNEL = "Channel"  # the parameter of channel.yaml with the name


def _stacks(
    folder: Path, name: str, region: str, channels: Sequence[str]
) -> Iterator[Stack]:
    """The stack, then one for each channel, and one for the actions."""
    template = read(folder / TEMPLATE)
    # A channel is deployed if so many batches at once are more than none.
    concurrency = {
        parameter: "2" if parameter[: -len(_SUFFIX)].lower() in channels else "0"
        for parameter in template.get("Parameters", {})
        if parameter.endswith(_SUFFIX) and not parameter.startswith(_NO_CHANNELS)
    }
    stack = Stack(template, name=name, region=region, parameters=concurrency)
    yield stack
    parts: dict[str, Stack] = {}
    said: Mapping[str, Any] = {}
    for resource in stack.resources(NESTED):
        said = resource.properties.get("Parameters", {})
        if _CHANNEL in said:
            parts[said[_CHANNEL]] = Stack(
                read(folder / resource.properties["TemplateURL"]),
                name=f"{name}-{resource.id}",
                region=region,
                parameters=said,
            )
    like = next(iter(parts.values()), None)
    for channel in channels:
        # One of the team's own, for which the template has no block yet.
        if channel not in parts and like is not None:
            parts[channel] = like.again(f"{name}-{channel}", {_CHANNEL: channel})
    yield from parts.values()


_SUFFIX = "Concurrency"
_NO_CHANNELS = ("Action", "Ingest")


def _order(queue: str) -> int:
    """Events first: what comes in at a due instant is handled before what is due then."""
    for place, ending in enumerate(("-events", "-feedback", "-wakes")):
        if queue.endswith(ending):
            return place
    return len(queue)
