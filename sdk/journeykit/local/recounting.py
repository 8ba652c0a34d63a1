"""Computing traits again from the archive, where one process runs everything.

The archive is read as a whole, in several passes if it is large: each pass computes the
traits of a share of the customers, so that memory stays bounded. What is found goes the
way of every decision: a stimulus, a reaction, a commit.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.customer import Customer
from journeykit.engine.draft import Draft
from journeykit.engine.ids import identity_key
from journeykit.engine.learning import Recount
from journeykit.engine.stimuli import Recomputed, Stimulus
from journeykit.engine.trait_kinds import States
from journeykit.engine.traits import TraitRules
from journeykit.errors import InputError
from journeykit.local.embedded import Embedded
from journeykit.local.logs import log_files, log_lines
from journeykit.model.events import Event
from journeykit.model.formats import decode_event
from journeykit.model.zones import zone

PASS_BYTES = 256 * 1024 * 1024
"""Of the archive, for which one pass is enough: about a million events."""

_BATCH = 1000
_UTC = zone("UTC")
_log = logging.getLogger("journeykit.traits")


class Recounted(NamedTuple):
    """What came of computing traits again.

    Attributes:
        customers: Of how many customers.
        differing: Trait to how many of them had something else.
        repaired: How many customers have been written.
        events: How many events of the archive were read.
        unreadable: How many lines of it could not be.
        since: When the first of them came in, milliseconds; None: there are none.
        left: How many differ and were left as they are: they are older than what the
            archive has of them, so that it knows less than they do.
    """

    customers: int
    differing: Mapping[str, int]
    repaired: int
    events: int
    unreadable: int
    since: int | None
    left: int = 0


class Recounting:
    """Computes traits again, and compares or repairs. Nobody else may work meanwhile."""

    def __init__(
        self, embedded: Embedded, names: Sequence[str], *, pass_bytes: int = PASS_BYTES
    ) -> None:
        """Prepare it.

        Args:
            embedded: Where everything is; it has its logs to itself.
            names: Which traits of the published catalog.
            pass_bytes: How much of the archive goes with one pass.
        """
        self._embedded = embedded
        self._names = tuple(names)
        catalog = embedded.catalog()
        self._shapes = catalog.shapes
        rules = catalog.traits.rules
        self._rules = TraitRules(rules[name] for name in names)
        folder = embedded.archive.path.parent
        self._logs = [embedded.archive.path, folder / "published.jsonl"]
        size = sum(f.stat().st_size for log in self._logs for f in log_files(log))
        self._passes = 1 + size // pass_bytes
        self._events = self._unreadable = 0
        self._since: int | None = None

    def run(self, *, now: int, repair: bool, anyway: bool = False) -> Recounted:
        """Compute all of it again.

        Who has learned of something and is older than what the archive has of them, is
        left as they are: events of theirs have been removed from it, or never were in it.

        Args:
            now: The wall clock, milliseconds.
            repair: Whether to write what is found, or only to compare.
            anyway: Whether to take the archive's word also for those who are older.

        Raises:
            InputError: The archive has no events at all.
        """
        if next(self._archived(count=False), None) is None:
            raise InputError(
                "the archive has no events, so all traits would be empty by it; "
                "nothing was changed"
            )
        embedded = self._embedded
        embedded.runtime.drain(now)  # what the archive has, everybody has learned
        merged, owners = self._merged(), _Owners(embedded)
        customers = repaired = left = 0
        differing: Counter[str] = Counter()
        for part in range(self._passes):
            known = {one.id: one for one in self._customers(part)}
            recounts = {
                id: Recount(self._rules, _zone_of(one)) for id, one in known.items()
            }
            first: dict[str, int] = {}
            for event in self._archived(count=part == 0):
                id = event.customer or owners.of(event)
                id = merged.get(id, id)
                if not id or self._part_of(id) != part:
                    continue
                if self._shapes and self._shapes.wrong(event.name, event.properties):
                    continue  # it became a dead letter, and nobody has learned of it
                if id not in recounts:
                    recounts[id] = Recount(self._rules, _UTC)
                came_at = to_ms(event.received_at)
                first[id] = min(came_at, first.get(id, came_at))
                recounts[id].add(event)
            found: list[Stimulus] = []
            for id, recount in recounts.items():
                one = known.get(id)
                at = one.clock if one else now
                states = recount.states(at)
                before = self._rules.pruned(one.traits if one else {}, at, recount.zone)
                customers += 1
                differs = [n for n in self._names if states.get(n) != before.get(n)]
                has_learned = any(name in before for name in self._names)
                is_older = one is not None and one.created_at < first.get(id, now)
                if differs and has_learned and is_older and not anyway:
                    left += 1
                    continue
                differing.update(differs)
                if differs:
                    found.append(self._told(id, states, first.get(id, now)))
            repaired += len(found)
            if repair:
                self._repair(found, now)
        found_in = (self._events, self._unreadable, self._since)
        return Recounted(customers, differing, repaired, *found_in, left)

    def _told(self, id: str, states: States, born: int) -> Recomputed:
        return Recomputed(
            id="traits",
            customer=id,
            traits=states,
            names=self._names,
            received_at=to_datetime(born),
        )

    def _repair(self, found: Sequence[Stimulus], now: int) -> None:
        for start in range(0, len(found), _BATCH):
            page = found[start : start + _BATCH]
            self._embedded.runtime.ingest(page, now=now, door="job")
            self._embedded.relay()

    def _part_of(self, id: str) -> int:
        return crc32(id.encode(errors="surrogatepass")) % self._passes

    def _scanned(self) -> Iterator[Customer]:
        after = ""
        while page := self._embedded.store.scan(after, _BATCH):
            yield from page
            after = page[-1].id

    def _customers(self, part: int) -> Iterator[Customer]:
        for one in self._scanned():
            if not one.merged_into and self._part_of(one.id) == part:
                yield one

    def _merged(self) -> Mapping[str, str]:
        """Who was merged into whom, in the end."""
        into = {one.id: one.merged_into for one in self._scanned() if one.merged_into}
        found = {}
        for id, survivor in into.items():
            seen = {id}
            while survivor in into and survivor not in seen:
                seen.add(survivor)
                survivor = into[survivor]
            found[id] = survivor
        return found

    def _archived(self, *, count: bool) -> Iterator[Event]:
        """The events of the archive, and those that journeys have published."""
        for log in self._logs:
            for number, line in enumerate(log_lines(log), 1):
                try:
                    event = decode_event(line, format="native")
                except InputError as error:
                    self._unreadable += count
                    if count:
                        # What stands in it is somebody's; where it stands is not.
                        _log.warning(
                            "line %d of %s is no event (%s)",
                            number,
                            log.name,
                            type(error).__name__,
                        )
                    continue
                if count:
                    at = to_ms(event.received_at)
                    self._events += 1
                    self._since = at if self._since is None else min(self._since, at)
                yield event


class _Owners:
    """Whose identifiers are, for events that came without a customer."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded
        self._known: dict[str, str] = {}

    def of(self, event: Event) -> str:
        """The customer's id; empty: nobody is known by any of these."""
        keys = [identity_key(kind, value) for kind, value in event.identifiers.items()]
        new = [key for key in keys if key not in self._known]
        if new:
            owners = self._embedded.store.owners(new)
            if len(self._known) > 100 * _BATCH:
                self._known.clear()
            self._known.update({key: owners.get(key, "") for key in new})
        return next((id for key in keys if (id := self._known.get(key, ""))), "")


def _zone_of(customer: Customer) -> ZoneInfo:
    return Draft(customer, now=customer.clock, explain=False).zone
