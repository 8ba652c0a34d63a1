"""Which resources a function works with: the template names them in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec
from msgspec.structs import fields

from journeykit.errors import InputError

PREFIX = "JOURNEYKIT_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the resources; a function is given those that it may use.

    Each comes from the environment, in capitals and with `JOURNEYKIT_` before it.

    Attributes:
        customers_table: The customers' documents; its stream is what the relay reads.
        timers_table: Wake-ups that are more than a quarter of an hour away.
        deliveries_table: What became of messages and calls.
        state_table: Catalogs, claims, rates, keys: whatever is not a customer's.
        events_queue: URL: stimuli on their way in.
        wakes_queue: URL: wake-ups and visits.
        feedback_queue: URL: what providers say about messages.
        dead_letter_queue: URL: what can't be handled.
        calls_queue: URL: calls of actions.
        deliver_queues: What a channel's queue URL begins with; the channel's name follows.
        bus: The name of the event bus.
        listen_rules: What the names of the rules begin with that publish owns.
        events_queue_arn: The target of these rules.
        dead_letter_queue_arn: Where EventBridge puts what the target didn't take for a day.
        decisions_stream: The Firehose stream of the decision log.
        archive_stream: The Firehose stream of the event archive.
        records_bucket: The bucket of the event archive and the decision log.
        alarm_topic: ARN: the SNS topic of whoever is on call.
        manifest: The path of the bundle's manifest.
    """

    customers_table: str = ""
    timers_table: str = ""
    deliveries_table: str = ""
    state_table: str = ""
    events_queue: str = ""
    wakes_queue: str = ""
    feedback_queue: str = ""
    dead_letter_queue: str = ""
    calls_queue: str = ""
    deliver_queues: str = ""
    bus: str = ""
    listen_rules: str = "journeykit-listen-"
    events_queue_arn: str = ""
    dead_letter_queue_arn: str = ""
    decisions_stream: str = ""
    archive_stream: str = ""
    records_bucket: str = ""
    alarm_topic: str = ""
    manifest: str = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Take what is set; what is missing is refused when it is needed."""
        names = {field.name: PREFIX + field.name.upper() for field in fields(cls)}
        return cls(
            **{name: environ[key] for name, key in names.items() if environ.get(key)}
        )

    def required(self, name: str) -> str:
        """Return a setting that must be there.

        Raises:
            InputError: It isn't; the message names the variable.
        """
        value: str = getattr(self, name)
        if not value:
            raise InputError(
                "is not set; the template of the stack sets it for each function "
                "that needs it",
                place=f"environment: {PREFIX}{name.upper()}",
            )
        return value
