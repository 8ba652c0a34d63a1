"""Asks models about customers, and reports what they say as events.

A job goes through all customers page by page. Nobody is decided about while a model is
asked: what it says comes in as `score.updated`, like what a model elsewhere would report.
Only what has changed is reported, so that a daily job writes to those for whom it matters.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import Customer, Score as Known
from journeykit.engine.ids import derived, log_id
from journeykit.engine.limits import DAY_MS
from journeykit.engine.scoring import is_score
from journeykit.errors import DefinitionError
from journeykit.model.events import SCORE_UPDATED, Event
from journeykit.model.zones import zone
from journeykit.runtime.failures import places
from journeykit.runtime.runtime import Runtime
from journeykit.scoring import Features, Score

_log = logging.getLogger("journeykit.scores")

SOURCE = "journeykit.scores"
"""The source of what is reported."""

PAGE = 500
"""Customers that are read at once."""


class Scan(Protocol):
    """All customers; `journeykit.ports.Scan` is one."""

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """Return the customers behind an id."""
        ...


class Scored(msgspec.Struct, frozen=True):
    """What came of a job, or of a page of it.

    Attributes:
        customers: How many were scored.
        reported: How many scores were reported, because they had changed or were old.
        failed: How many could not be computed, by score.
        cursor: The last customer; empty: it is through.
    """

    customers: int = 0
    reported: int = 0
    failed: Mapping[str, int] = {}
    cursor: str = ""


class Scoring:
    """Scores customers. One thread calls it."""

    def __init__(
        self, scores: Mapping[str, Score], runtime: Runtime, catalog: Any
    ) -> None:
        """Join the parts.

        Args:
            scores: The models, set up, by name.
            runtime: Takes what is reported.
            catalog: Returns the live catalog, which knows the traits.
        """
        self._scores = scores
        self._runtime = runtime
        self._catalog = catalog

    @property
    def names(self) -> Sequence[str]:
        """What there is to compute."""
        return sorted(self._scores)

    def pages(
        self, scan: Scan, *, now: int, after: str = "", names: Iterable[str] = ()
    ) -> Iterator[Scored]:
        """Score everybody page by page; yield what came of it so far, after each.

        Args:
            scan: All customers.
            now: The wall clock, milliseconds.
            after: The customer behind whom it begins: the cursor of one that was stopped.
            names: The scores; all of them if none is named.

        Raises:
            StoreError: What was yielded is stored, and the same job may go on there.
        """
        so_far = Scored(cursor=after)
        while True:
            page = scan.scan(so_far.cursor, PAGE)
            done = self.score(page, now=now, names=names)
            so_far = Scored(
                so_far.customers + done.customers,
                so_far.reported + done.reported,
                dict(Counter(so_far.failed) + Counter(done.failed)),
                page[-1].id if len(page) == PAGE else "",
            )
            yield so_far
            if not so_far.cursor:
                return

    def score(
        self, customers: Sequence[Customer], *, now: int, names: Iterable[str] = ()
    ) -> Scored:
        """Score customers and report what has changed.

        Raises:
            StoreError: Nothing was stored; the same may be tried again.
        """
        living = [one for one in customers if not one.merged_into]
        said, failed = self.said(living, now=now, names=names)
        events = [
            _event(customer, name, value, now)
            for customer, values in zip(living, said, strict=True)
            for name, value in values.items()
            if self._counts(name, value, customer.scores.get(name), now)
        ]
        if events:
            self._runtime.ingest(events, now=now, door="scores")
        return Scored(len(living), len(events), failed)

    def said(
        self, customers: Sequence[Customer], *, now: int, names: Iterable[str] = ()
    ) -> tuple[list[dict[str, float | str | None]], dict[str, int]]:
        """Say what the models say of customers, and how many values failed, by score."""
        features = features_of(customers, self._catalog(), now)
        said: list[dict[str, float | str | None]] = [{} for _ in customers]
        failed: Counter[str] = Counter()
        for name in sorted({*names} or self._scores.keys()):
            score = self._scores[name]
            size = max(1, min(score.batch_size, PAGE))
            for start in range(0, len(features), size):
                batch = features[start : start + size]
                values = _asked(score, name, batch)
                if values is None:
                    failed[name] += len(batch)
                    continue
                for place, value in enumerate(values, start):
                    if value is None or is_score(value):
                        said[place][name] = value
                    else:
                        failed[name] += 1
                        one = customers[place]
                        _log.error(
                            "score %r says of customer %s what is neither a number nor "
                            "a short name: a %s",
                            *(name, log_id(one.id, one.salt), type(value).__name__),
                        )
        return said, dict(failed)

    def _counts(
        self, name: str, value: float | str | None, known: Known | None, now: int
    ) -> bool:
        """Whether a score is worth a report."""
        if known is None or value is None:
            return (known is None) != (value is None)
        score = self._scores[name]
        if now - known.at >= score.refresh_days * DAY_MS:
            return True
        if isinstance(value, str) or isinstance(known.value, str):
            return bool(value != known.value)
        return bool(abs(value - known.value) > score.tolerance)


def features_of(
    customers: Sequence[Customer], catalog: Catalog, now: int
) -> list[Features]:
    """What is known of customers at an instant, as models see it."""
    at = to_datetime(now)
    return [
        Features(
            customer=one.id,
            created_at=to_datetime(one.created_at),
            now=at,
            zone=str(zone_of := _zone(one)),
            profile=MappingProxyType(one.profile),
            traits=catalog.traits.values(one.traits, now, zone_of),
            segments=frozenset(name for name in one.segments if name[:1] != "~"),
            stage=one.stage,
            scores={name: score.value for name, score in one.scores.items()},
        )
        for one in customers
    ]


def _zone(customer: Customer) -> ZoneInfo:
    name = customer.profile.get("zone")
    try:
        return zone(name) if isinstance(name, str) else zone("UTC")
    except DefinitionError:
        return zone("UTC")


def _asked(
    score: Score, name: str, batch: Sequence[Features]
) -> Sequence[float | str | None] | None:
    """What a model says of a batch; None: it fails, which stops nobody else."""
    try:
        values = [*score.scores(batch)]
    except Exception as error:  # noqa: BLE001 - a model is somebody else's code
        # Without its words, which may quote what is known of somebody.
        _log.error("score %r fails: %s", name, places(error))
        return None
    if len(values) != len(batch):
        _log.error(
            "score %r says %d values of %d customers", name, len(values), len(batch)
        )
        return None
    return values


def _event(customer: Customer, name: str, value: float | str | None, now: int) -> Event:
    at = to_datetime(now)
    return Event(
        id=derived(SCORE_UPDATED, customer.id, name, str(now)),
        name=SCORE_UPDATED,
        customer=customer.id,
        occurred_at=at,
        received_at=at,
        properties={"name": name, "value": value},
        source=SOURCE,
    )
