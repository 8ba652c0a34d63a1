"""What an operator sees of a function: lines of JSON, and metrics. Nothing personal.

Customers are named by their `log_id`, as in the decision log. `message_id` and `event_id`
lead from a line to what came in, `deliveries` from a reaction to the messages that it
released, and `delivery_id` to what became of each.

Metrics are printed in CloudWatch's embedded format when an invocation ends, one line for
each set of labels: a batch costs as much as an event.
"""

from __future__ import annotations

import io
import sys

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from journeykit.happened import Delivered, Reacted

Labels = tuple[tuple[str, str], ...]

_NAMESPACE = "journeykit"  # unless Powertools' variables name another


class Measures(AmazonCloudWatchEMFProvider):
    """Powertools' metrics, which may have labels, and are added up over an invocation."""

    def __init__(self) -> None:
        """Have measured nothing yet."""
        super().__init__()
        self.namespace = self.namespace or _NAMESPACE
        self.service = self.service or _NAMESPACE
        self._measured: dict[Labels, dict[tuple[str, str], float]] = {}

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a count; its labels tell it from others of that name."""
        values = self._measured.setdefault(tuple(labels.items()), {})
        values[name, "Count"] = values.get((name, "Count"), 0) + value

    def lasted(self, name: str, milliseconds: float) -> None:
        """Note how long something took; the longest of an invocation is what counts."""
        values = self._measured.setdefault((), {})
        longest = max(milliseconds, values.get((name, "Milliseconds"), 0))
        values[name, "Milliseconds"] = longest

    def flush_metrics(self, raise_on_empty_metrics: bool = False) -> None:
        """Print what was measured, and begin anew."""
        measured, self._measured = self._measured, {}
        for labels, values in measured.items():
            for label, text in labels:
                self.add_dimension(label, text)
            for (name, unit), value in values.items():
                self.add_metric(name, unit, value)
            super().flush_metrics()


class Printed(io.TextIOBase):
    """Where `print` writes to, also if that is somewhere else by then."""

    def write(self, text: str) -> int:
        """Write it there."""
        return sys.stdout.write(text)

    def flush(self) -> None:
        """Have it seen."""
        sys.stdout.flush()


class Telemetry:
    """Takes what the application tells, and what it decides and delivers."""

    def __init__(self, logger: Logger, measures: Measures) -> None:
        """Join the parts."""
        self._logger = logger
        self._measures = measures
        self.count = measures.count
        self.lasted = measures.lasted

    def about(self, **keys: str) -> None:
        """Say what the lines are about that come next."""
        self._logger.append_keys(**keys)

    def reacted(self, reacted: Reacted) -> None:
        """Log and count one committed reaction that decided something."""
        self.count("Reactions")
        if not reacted.trace:
            return
        now = reacted.now.timestamp() * 1000
        deliveries = []
        for entry in reacted.trace:
            match entry.kind, entry.reason:
                case "sent", _:
                    deliveries.append(entry.detail.get("delivery_id", ""))
                case "suppressed", reason:
                    self.count("Suppressions", reason=reason)
                case "failed", _:
                    self.count("FailedRuns")
                case "went_on", "due":
                    self.lasted("WakeUpLateness", now - entry.at)
        self._logger.info(
            "reacted",
            log_id=reacted.log_id,
            revision=reacted.revision,
            stimulus=reacted.stimulus,
            journeys=sorted({entry.journey for entry in reacted.trace} - {""}),
            decisions=[
                f"{entry.kind} {entry.reason}".strip() for entry in reacted.trace
            ],
            deliveries=deliveries,
        )

    def delivered(self, delivered: Delivered) -> None:
        """Log and count what became of one message or call; test traffic isn't counted."""
        if not delivered.test:
            self.count(
                "Deliveries", channel=delivered.channel, outcome=delivered.outcome
            )
        self._logger.info(
            "delivered",
            delivery_id=delivered.delivery_id,
            kind=delivered.kind,
            channel=delivered.channel,
            provider=delivered.provider,
            journey=delivered.journey,
            step=delivered.step,
            outcome=delivered.outcome,
            reason=delivered.reason,
            attempts=delivered.attempts,
            test=delivered.test,
        )
