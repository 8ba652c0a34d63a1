"""Events that mean nothing to anybody, known without a look at the customer.

Most of what comes in concerns nobody: nobody listens to its name, or whoever does asks for
something else of its fields. Whether that is so can be said of the event alone. Then the
document need not be read, and nothing is decided: what is due is left to its wake-up,
which lets it happen at its own instant all the same.

It is only said where no trace of the event would remain either. So an event that is late,
or from the future, or from so long ago that it has to be refused, is handled like any
other; so is every event while segments, stages or schedules are declared, as then whoever
is seen for the first time begins to be in them.
"""

from __future__ import annotations

from collections.abc import Iterator

from journeykit.engine import facts
from journeykit.engine.calendar import to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.conditions import Predicate, Scope
from journeykit.engine.draft import Happening
from journeykit.engine.limits import FUTURE_MS, SEEN_MS
from journeykit.model.events import INNER, PLACEMENT_REQUESTED, Event


class Unheard:
    """What a catalog has no ear for."""

    __slots__ = ("_catalog", "_heard", "_never")

    def __init__(self, catalog: Catalog) -> None:
        """Look through the catalog."""
        self._catalog = catalog
        self._never = catalog.judges or bool(catalog.schedules or catalog.shapes)
        # Names of which every event has to be handled, whatever it holds.
        self._heard = frozenset([*INNER, PLACEMENT_REQUESTED]).union(
            facts.TEACHING, catalog.traits.hears, catalog.running, _starters(catalog)
        )

    def holds(self, event: Event, *, now: int | None) -> bool:
        """Whether an event means nothing to anybody.

        Args:
            event: The event.
            now: The wall clock, milliseconds; None: the event clock.
        """
        catalog, name = self._catalog, event.name
        if self._never or name in self._heard or event.history or event.identifiers:
            return False
        if name in catalog.hears and not self._fails(event):
            return False
        occurred_at, received_at, age = event.occurred_at, event.received_at, 0
        if occurred_at is not received_at:
            age = to_ms(received_at) - to_ms(occurred_at)
        return -FUTURE_MS <= age < catalog.certainly_young_ms and (
            now is None or now - to_ms(received_at) < SEEN_MS
        )

    def _fails(self, event: Event) -> bool:
        """Whether no trigger can be met, whoever the customer is."""
        happening = Happening(
            event.id,
            event.name,
            event.properties,
            event.occurred_at,
            source=event.source,
        )
        fields, entries = happening.fields(0), self._catalog.entries
        found = entries.candidates(event.name, fields, event.source)
        if not found:
            return True
        scope, tree = Scope(event=fields), None
        for entry in found:
            if entry.pattern is not None:
                tree = tree or happening.tree(0)
                if not entry.pattern.matches(tree):
                    continue
            where = entry.when.where
            if where is None or not _asks_the_event_alone(where) or where(scope):
                return False
        return True


def _starters(catalog: Catalog) -> Iterator[str]:
    """The names of which every event starts something, whatever it holds."""
    entries = catalog.entries
    for name in entries.names:
        found = [(it.pattern, it.when.where) for it in entries.all(name)]
        if (None, None) in found:
            yield name


def _asks_the_event_alone(where: Predicate) -> bool:
    return not where.asks_time and all(path[0] == "event" for path in where.paths)
