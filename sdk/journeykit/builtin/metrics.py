"""Counts what is decided and delivered, in the format that Prometheus reads.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from journeykit.happened import Delivered, Reacted
from journeykit.hookspecs import hookimpl

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What `Metrics.text` is, for whoever serves it."""

MOST = 1000
"""How many series a counter has at most: names of events come from outside."""

OTHER = "(other)"
"""Stands for all labels of what is counted beyond `MOST`."""


class _Series:
    """A counter with labels; what is beyond `MOST` is counted together."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, *values: str) -> None:
        count = self._counts.get(values, 0)
        if not count and len(self._counts) >= MOST:
            values = (OTHER,) * len(values)
            count = self._counts.get(values, 0)
        self._counts[values] = count + 1

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self._name} {self._text}"
        yield f"# TYPE {self._name} counter"
        for values, count in sorted(self._counts.items()):
            pairs = zip(self._labels, map(_escaped, values), strict=True)
            labels = ",".join(f'{label}="{value}"' for label, value in pairs)
            yield f"{self._name}{{{labels}}} {count}"


class Metrics:
    """An observer that counts; one of them for each plugin manager.

    Whoever serves the numbers finds it there: `manager.get_plugin("metrics")`.
    """

    def __init__(self) -> None:
        """Begin at 0: Prometheus knows that a counter begins anew with its process."""
        self._lock = threading.Lock()
        self._reactions = _Series(
            "journeykit_reactions_total", "Committed reactions.", "stimulus"
        )
        self._decisions = _Series(
            "journeykit_decisions_total",
            "Decisions about customers.",
            *("kind", "reason", "journey"),
        )
        self._deliveries = _Series(
            "journeykit_deliveries_total",
            "What became of messages, calls and published events.",
            *("kind", "channel", "outcome"),
        )

    @hookimpl
    def journeykit_after_reaction(self, reacted: Reacted) -> None:
        """Count a reaction and its decisions."""
        with self._lock:
            self._reactions.add(reacted.stimulus)
            for entry in reacted.trace:
                self._decisions.add(entry.kind, entry.reason, entry.journey)

    @hookimpl
    def journeykit_after_delivery(self, delivered: Delivered) -> None:
        """Count a delivery, but not of test traffic: nobody waits for that."""
        if delivered.test:
            return
        with self._lock:
            self._deliveries.add(delivered.kind, delivered.channel, delivered.outcome)

    def text(self) -> str:
        """Return the numbers as a page in the text format."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterable[str]:
        for series in (self._reactions, self._decisions, self._deliveries):
            yield from series.lines()


def _escaped(value: str) -> str:
    """A label's value as the format wants it between its quotes."""
    # A lone surrogate has no UTF-8, and would take the whole page with it.
    value = value.encode("utf-8", "replace").decode()
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
