"""How many customers are in each segment, who they are, and which segments overlap.

Customers are added one by one as a scan brings them, and none of them is kept but for a
sample: those whose ids have the smallest hashes, so that it is the same sample whatever
the order, and another page of the scan changes it no more than another customer does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import Generic, NamedTuple, Protocol, TypeVar

from journeykit.engine.audience import HIDDEN
from journeykit.engine.customer import Customer
from journeykit.engine.limits import DAY_MS

PAGE = 1000
"""Customers that are read at once."""

LATELY = (1, 7, 30)
"""For how many days it is told how many came in."""

Item = TypeVar("Item")


class Scan(Protocol):
    """All customers; `journeykit.ports.Scan` is one."""

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """Return the customers behind an id."""
        ...


def everybody(scan: Scan) -> Iterator[Customer]:
    """Yield all customers by their ids, without what is left of those who were merged."""
    after = ""
    while page := scan.scan(after, PAGE):
        yield from (one for one in page if not one.merged_into)
        after = page[-1].id


class Sample(Generic[Item]):
    """A few of many, chosen by the hashes of their ids."""

    def __init__(self, size: int) -> None:
        """Begin with nobody.

        Args:
            size: How many at most; of fewer it is all.
        """
        self._size = size
        self._heap: list[tuple[int, str, Item]] = []

    def add(self, id: str, item: Item) -> None:
        """Offer somebody; an id is offered once."""
        if not self._size:
            return
        digest = blake2b(id.encode(errors="surrogatepass"), digest_size=8).digest()
        entry = (-int.from_bytes(digest, "big"), id, item)
        if len(self._heap) < self._size:
            heappush(self._heap, entry)
        elif entry[0] > self._heap[0][0]:
            heappushpop(self._heap, entry)

    def items(self) -> list[tuple[str, Item]]:
        """Those who were chosen, by their ids."""
        return sorted(
            ((id, item) for _, id, item in self._heap), key=lambda pair: pair[0]
        )


class Overlap(NamedTuple):
    """Two segments, and who is in both.

    Attributes:
        one: A segment.
        other: Another one.
        both: How many are in both.
        of_one: Which share of `one` that is; 0 of nobody.
        of_other: Which share of `other`.
        jaccard: `both` through those who are in either (P. Jaccard, 1912,
            https://doi.org/10.1111/j.1469-8137.1912.tb05611.x): 0 apart, 1 the same.
    """

    one: str
    other: str
    both: int
    of_one: float
    of_other: float
    jaccard: float


class Headcount:
    """Counts customers by segment and stage.

    Attributes:
        count: How many customers there are.
        sizes: Segment to those who are in it; hidden segments are not counted.
        stages: Stage to those who are in it; empty text: in none.
        lately: Segment and a number of days to those who came in since.
        elsewhere: How many were last judged by other definitions.
        overdue: How many have a segment or a stage that time may have changed meanwhile.
    """

    def __init__(self, *, at: int, version: int | None = None) -> None:
        """Begin with nobody.

        Args:
            at: The present, milliseconds.
            version: That of the published audience; None: not known.
        """
        self._at = at
        self._version = version
        self.count = self.elsewhere = self.overdue = 0
        self.sizes: Counter[str] = Counter()
        self.stages: Counter[str] = Counter()
        self.lately: Counter[tuple[str, int]] = Counter()
        self._both: Counter[tuple[str, str]] = Counter()

    def add(self, customer: Customer) -> None:
        """Count a customer in, by what their document says."""
        self.count += 1
        self.stages[customer.stage] += 1
        names = sorted(n for n in customer.segments if not n.startswith(HIDDEN))
        for place, name in enumerate(names):
            self.sizes[name] += 1
            for other in names[place + 1 :]:
                self._both[name, other] += 1
            since = self._at - customer.segments[name]
            for days in LATELY:
                if since < days * DAY_MS:
                    self.lately[name, days] += 1
        if self._version is not None and customer.audience != self._version:
            self.elsewhere += 1
        elif customer.flips_at is not None and customer.flips_at <= self._at:
            self.overdue += 1

    def share(self, name: str) -> float:
        """Which share of everybody is in a segment."""
        return self.sizes[name] / self.count if self.count else 0.0

    def overlaps(self, names: Sequence[str]) -> list[Overlap]:
        """Every two of some segments, those that are most alike first."""
        ordered = sorted(names)
        found = [
            self._overlap(one, other)
            for place, one in enumerate(ordered)
            for other in ordered[place + 1 :]
        ]
        return sorted(found, key=lambda item: (-item.jaccard, item.one, item.other))

    def _overlap(self, one: str, other: str) -> Overlap:
        both = self._both[one, other]
        mine, theirs = self.sizes[one], self.sizes[other]
        either = mine + theirs - both
        return Overlap(
            one,
            other,
            both,
            both / mine if mine else 0.0,
            both / theirs if theirs else 0.0,
            both / either if either else 0.0,
        )


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Counts as shares of their sum; nothing of nothing."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}
