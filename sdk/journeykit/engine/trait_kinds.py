"""The kinds of traits: how each learns, and what it says.

To add one: a rule here, in `KINDS`, and a definition in `journeykit.model.traits`.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar, TypeAlias, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec

from journeykit.engine.calendar import LATEST, add, isoformat
from journeykit.engine.conditions import (
    Missing,
    Predicate,
    Scope,
    ValueOf,
    compile_condition,
    compile_value,
)
from journeykit.engine.scalars import (
    MICRO,
    NOTHING,
    key_of,
    micro_of,
    number_of,
    order_of,
    scalar_of,
)
from journeykit.engine.sketches import (
    REGISTERS_BYTES,
    Sample,
    registers,
    registers_estimate,
    registers_united,
    value_hash,
)
from journeykit.engine.totals import (
    AVERAGE,
    COUNT,
    FIRST,
    GAPS,
    INSTANT_BYTES,
    LAST,
    MAX,
    MIN,
    SUM,
    TEXT_BYTES,
    Total,
    mean_gap,
)
from journeykit.engine.values import Document
from journeykit.model.durations import Duration

T = TypeVar("T")

States: TypeAlias = dict[str, Any]
"""Trait to its state; what a customer's document holds."""

SLICES = 24
"""Into how many slices a window falls for events that are not kept one by one."""

TABLE_BYTES = 64
"""Of a text where many are kept; what is longer is cut."""

_QUARTER_MS = 900_000  # every zone's offset today is whole quarters of an hour


class Rule:
    """One trait, compiled.

    Attributes:
        name: The trait's name.
        events: The names of the events that feed it.
        mark: What of its definition its state depends on, as a number.
        within: The window; None: of all time.
        slides: Whether the passing of time alone may change it.
        most_bytes: What its state may take as JSON, name and all.
    """

    __slots__ = (
        "_longest_ms",
        "_read",
        "_shortest_ms",
        "_when",
        "events",
        "mark",
        "most_bytes",
        "name",
        "within",
    )

    kind: ClassVar[str]

    def __init__(self, document: Document) -> None:
        """Compile the plan document of a trait."""
        self.name: str = document["name"]
        self._when: dict[str, tuple[Predicate | None, ...]] = {}
        for trigger in document["of"]:
            where: str | None = trigger["where"]
            asked = None if where is None else compile_condition(where)
            event: str = trigger["name"]
            self._when[event] = (*self._when.get(event, ()), asked)
        self.events = frozenset(self._when)
        value: str | None = document.get("value")
        self._read: ValueOf | None = None if value is None else compile_value(value)
        within: str | None = document.get("within")
        self.within = None if within is None else Duration.parse(within)
        self._shortest_ms = self.within.shortest_ms() if self.within else 0
        self._longest_ms = self.within.longest_ms() if self.within else 0
        self.mark = _mark(document)
        framed = len(msgspec.json.encode(self.name)) + len(":[4294967295,],")
        self.most_bytes = framed + self.largest()

    @property
    def slides(self) -> bool:
        """Whether the passing of time alone may change it."""
        return self.within is not None

    def own(self, states: States) -> Any:
        """Its state; None: none yet, or another definition's."""
        marked = states.get(self.name)
        if marked is None or marked[0] != self.mark:
            return None
        return marked[1]

    def heard(self, event: str, scope: Scope) -> object:
        """What an event says to it; nothing if its conditions or its value do."""
        for where in self._when[event]:
            if where is None or where(scope):
                break
        else:
            return NOTHING
        if self._read is None:
            return None
        try:
            return self.taken(self._read(scope))
        except Missing:
            return NOTHING

    def taken(self, value: object) -> object:
        """A value as the state holds it; nothing if it is of no use."""
        return scalar_of(value, TABLE_BYTES)

    def largest(self) -> int:
        """What the state alone may take as JSON."""
        raise NotImplementedError

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        """The state after an event at an instant; the same object: nothing changed."""
        raise NotImplementedError

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        """What the state says; it may be None, for no event so far."""
        raise NotImplementedError

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        """When it says something else by time alone, after `at`."""
        return LATEST

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        """The state of the events of both."""
        raise NotImplementedError

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        """The state without what has left the window; None: nothing is left."""
        return state

    def _is_over(self, instant: int, at: int, zone: ZoneInfo) -> bool:
        """Whether something of that instant has left the window."""
        if self.within is None or instant + self._shortest_ms > at:
            return False  # nearly always, and so nobody need ask the calendar
        return instant + self._longest_ms <= at or add(instant, self.within, zone) <= at

    def _left(
        self,
        rows: list[T],
        instant_of: Callable[[T], int],
        at: int,
        zone: ZoneInfo,
    ) -> list[T]:
        """What of some rows has not left the window; the same list if that is all.

        Who comes first need not leave first: of 31 January and 29 January, noon, a month
        later both are the 28th of February.

        Args:
            rows: By their instants, the earliest first.
            instant_of: When one was, milliseconds.
            at: The instant on the customer's path.
            zone: The customer's zone.
        """
        if not rows or instant_of(rows[0]) + self._shortest_ms > at:
            return rows
        return [row for row in rows if not self._is_over(instant_of(row), at, zone)]

    def _next_end(self, instants: Iterable[int], at: int, zone: ZoneInfo) -> int:
        """When the first of some instants leaves the window, after `at`; LATEST: none does.

        Args:
            instants: The earliest first.
            at: The instant on the customer's path.
            zone: The customer's zone.
        """
        due = LATEST
        if self.within is None:
            return due
        for instant in instants:
            if instant + self._shortest_ms >= due:
                break  # neither this one nor any later one leaves before
            end = add(instant, self.within, zone)
            if at < end < due:
                due = end
        return due


class _Totalled(Rule):
    """A trait whose events add up to one small sum: of all time, or in a window.

    Its state is the sum; or, in a window, the newest events one by one, each `[instant,
    value]`, and slices of older ones, each `[number, sum]`.
    """

    __slots__ = ("_exact", "_slice_ms", "_total")

    def __init__(self, document: Document, total: Total) -> None:
        """Compile the plan document of a trait."""
        self._total = total
        slides = document["within"] is not None
        self._exact: int = document["exact"] if slides else 0
        super().__init__({**document, "exact": self._exact or None})
        if self.within is not None:
            self._slice_ms = max(1, -(-self.within.longest_ms() // SLICES))

    def largest(self) -> int:
        one = self._total.largest
        if not self._exact:
            return one
        # A value takes no more room than a sum of one.
        kept = self._exact * (INSTANT_BYTES + 3 + one)
        return kept + (SLICES + 2) * (INSTANT_BYTES + 3 + one) + 6

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        total = self._total
        if self.within is None:
            one = total.one(at, value)
            sum = one if state is None else total.joined(state, one)
            return sum if _differs(sum, state) else state
        if self._is_over(at, now, zone):
            return state
        return self._with(state, [[at, value]], (), now, zone)

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        if state is not None and self.within is not None:
            state = self._sum(*self._live(state, at, zone))
        return self._total.value(state)

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        if self.within is None:
            return LATEST
        events, slices = state
        return min(
            self._next_end((instant for instant, _ in events), at, zone),
            self._next_end((self._middle(number) for number, _ in slices), at, zone),
        )

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is None:
            return self._total.joined(mine, theirs)
        united = self._with(mine, theirs[0], theirs[1], at, zone)
        return self.pruned(united, at, zone)

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is None:
            return state
        events, slices = self._live(state, at, zone)
        return [events, slices] if events or slices else None

    def live_sum(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        """The sum of what counts now; None: nothing does."""
        return state if self.within is None else self._sum(*self._live(state, at, zone))

    def _with(
        self,
        state: Any,
        events: Iterable[list[Any]],
        slices: Iterable[list[Any]],
        now: int,
        zone: ZoneInfo,
    ) -> Any:
        """A state with more events and slices, and without what is over."""
        total = self._total
        kept, older = ([], []) if state is None else self._live(state, now, zone)
        kept, sums = list(kept), dict(older)
        for number, sum in slices:
            known = sums.get(number)
            sums[number] = sum if known is None else total.joined(known, sum)
        for event in events:
            insort(kept, event, key=_by_instant)
        while len(kept) > self._exact:
            at, value = kept.pop(0)
            number, sum = at // self._slice_ms, total.one(at, value)
            known = sums.get(number)
            sums[number] = sum if known is None else total.joined(known, sum)
        return [kept, [list(pair) for pair in sorted(sums.items())]]

    def _live(
        self, state: Any, at: int, zone: ZoneInfo
    ) -> tuple[list[list[Any]], list[list[Any]]]:
        events, slices = state
        return (
            self._left(events, _instant_of, at, zone),
            self._left(slices, lambda part: self._middle(part[0]), at, zone),
        )

    def _middle(self, number: int) -> int:
        return number * self._slice_ms + self._slice_ms // 2

    def _sum(self, events: list[list[Any]], slices: list[list[Any]]) -> Any:
        total = self._total
        sum = None
        for _, part in slices:
            sum = part if sum is None else total.joined(sum, part)
        for at, value in events:
            part = total.one(at, value)
            sum = part if sum is None else total.joined(sum, part)
        return sum


def _differs(total: Any, before: Any) -> bool:
    """Whether a total is another one; what was joined is one of the two, or new."""
    return total is not before and (isinstance(total, list) or total != before)


def _instant_of(event: Sequence[Any]) -> int:
    return cast(int, event[0])


def _by_instant(event: Sequence[Any]) -> tuple[Any, ...]:
    return event[0], order_of(event[1])


class _Count(_Totalled):
    """How many events."""

    kind = "count"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Count`."""
        super().__init__(document, COUNT)


class _Sum(_Totalled):
    """The sum of a number, exact to its millionths."""

    kind = "sum"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Sum`."""
        super().__init__(document, SUM)

    def taken(self, value: object) -> object:
        return micro_of(value)


class _Average(_Totalled):
    """The mean of a number."""

    kind = "average"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Average`."""
        super().__init__(document, AVERAGE)

    def taken(self, value: object) -> object:
        return micro_of(value)


class _Min(_Totalled):
    """The smallest number."""

    kind = "min"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Min`."""
        super().__init__(document, MIN)

    def taken(self, value: object) -> object:
        return number_of(value)


class _Max(_Totalled):
    """The largest number."""

    kind = "max"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Max`."""
        super().__init__(document, MAX)

    def taken(self, value: object) -> object:
        return number_of(value)


class _First(_Totalled):
    """What the first event said, or when it was."""

    kind = "first"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.First`."""
        super().__init__(document, FIRST)

    def taken(self, value: object) -> object:
        return scalar_of(value, TEXT_BYTES)


class _Last(_Totalled):
    """What the last event said, or when it was: it alone is kept, in a window too."""

    kind = "last"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Last`."""
        super().__init__({**document, "exact": 1}, LAST)

    def taken(self, value: object) -> object:
        return scalar_of(value, TEXT_BYTES)

    def largest(self) -> int:
        return self._total.largest

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        one = self._total.one(at, value)
        sum = one if state is None else self._total.joined(state, one)
        return state if sum is state or self._is_over(sum[0], now, zone) else sum

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        if state is not None and self._is_over(state[0], at, zone):
            state = None
        return self._total.value(state)

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        due = LATEST if self.within is None else add(state[0], self.within, zone)
        return due if due > at else LATEST

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        return self._total.joined(mine, theirs)

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        return None if self._is_over(state[0], at, zone) else state


class _Cadence(_Totalled):
    """The mean time between two events, in days."""

    kind = "cadence"

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Cadence`."""
        super().__init__(document, GAPS)


class _Expected(_Totalled):
    """When the next event would come, if the customer kept their own mean gap."""

    kind = "expected"

    __slots__ = ("_at_least", "_factor")

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Expected`."""
        self._factor: float = document["factor"]
        self._at_least: int = document["at_least"]
        super().__init__(document, GAPS)

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        sum = None if state is None else self.live_sum(state, at, zone)
        gap = mean_gap(sum, at_least=self._at_least)
        if sum is None or gap is None:
            return NOTHING
        return isoformat(min(sum[2] + round(gap * self._factor), LATEST))


class _Rfm(Rule):
    """Recency, frequency and monetary value, each as a score from 1 up.

    Its state is when the last event was, ever, and the state of an average, which knows
    how many there were and their sum.
    """

    kind = "rfm"

    __slots__ = ("_amounts", "_frequency", "_monetary", "_recency")

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Rfm`."""
        self._amounts = _Average(document)
        self._recency = [Duration.parse(text) for text in document["recency"]]
        self._frequency: list[float] = document["frequency"]
        self._monetary: list[float] = document["monetary"]
        super().__init__(document)

    @property
    def slides(self) -> bool:
        """Always: recency is the passing of time."""
        return True

    def taken(self, value: object) -> object:
        return micro_of(value)

    def largest(self) -> int:
        return self._amounts.largest() + INSTANT_BYTES + 3

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        last, amounts = (at, None) if state is None else state
        amounts = self._amounts.learned(amounts, at, value, now, zone)
        return [max(last, at), amounts]

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        if state is None:
            return NOTHING
        last, amounts = state
        total = None if amounts is None else self._amounts.live_sum(amounts, at, zone)
        count, amount = total or (0, 0)
        passed = sum(add(last, each, zone) <= at for each in self._recency)
        recency = len(self._recency) + 1 - passed
        frequency = 1 + sum(count >= each for each in self._frequency)
        monetary = 1 + sum(int(amount) >= each * MICRO for each in self._monetary)
        return {
            "recency": recency,
            "frequency": frequency,
            "monetary": monetary,
            "score": f"{recency}{frequency}{monetary}",
        }

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        last, amounts = state
        due = LATEST
        if amounts is not None:
            due = self._amounts.next_change(amounts, at, zone)
        for each in self._recency:
            passes = add(last, each, zone)
            if at < passes < due:
                due = passes
        return due

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        amounts = theirs[1] if mine[1] is None else mine[1]
        if mine[1] is not None and theirs[1] is not None:
            amounts = self._amounts.united(mine[1], theirs[1], at, zone)
        return [max(mine[0], theirs[0]), amounts]

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        last, amounts = state
        if amounts is not None:
            amounts = self._amounts.pruned(amounts, at, zone)
        return [last, amounts]


class _Distinct(Rule):
    """How many different values.

    Of all time: their hashes, sorted; beyond `exact` of them the text of registers. In a
    window: a sample.
    """

    kind = "distinct"

    __slots__ = ("_exact",)

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Distinct`."""
        self._exact: int = document["exact"]
        super().__init__(document)

    def largest(self) -> int:
        if self.within is None:
            return max(21 * self._exact + 2, REGISTERS_BYTES)
        return (21 + INSTANT_BYTES + 2) * self._exact + 33 * INSTANT_BYTES

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        hash = value_hash(key_of(value))
        if self.within is None:
            return self._added(state, [hash])
        if self._is_over(at, now, zone):
            return state
        sample = Sample(state, most=self._exact)
        sample.forget(lambda instant: self._is_over(instant, now, zone))
        sample.add(hash, at)
        after = sample.state()
        return state if after == state else after

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        if state is None:
            return 0
        if self.within is not None:
            sample = Sample(state, most=self._exact)
            sample.forget(lambda instant: self._is_over(instant, at, zone))
            return sample.estimate()
        return registers_estimate(state) if isinstance(state, str) else len(state)

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        pairs, lost = state
        return min(
            self._next_end((instant for _, instant in pairs), at, zone),
            self._next_end(sorted(filter(None, lost)), at, zone),
        )

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is not None:
            sample = Sample(mine, most=self._exact)
            sample.unite(Sample(theirs, most=self._exact))
            return sample.state()
        if isinstance(theirs, str):
            mine, theirs = theirs, mine
        if isinstance(theirs, str):
            return registers_united(mine, theirs)
        return self._added(mine, theirs)

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is None:
            return state
        sample = Sample(state, most=self._exact)
        sample.forget(lambda instant: self._is_over(instant, at, zone))
        return sample.state() if sample.seen or sample.lost else None

    def _added(self, state: Any, hashes: Iterable[int]) -> Any:
        if isinstance(state, str):
            return registers(hashes, state)
        known = set(state or ())
        more = known.union(hashes)
        if len(more) == len(known):
            return state
        return sorted(more) if len(more) <= self._exact else registers(more)


class _MostFrequent(Rule):
    """The value that came most often; of several, the one that came last.

    Of all time: a table of `[value, how often, when last]`. When it is full, a new value
    takes over the place of the rarest and its count: the Space-Saving algorithm
    (Metwally and others 2005), which never loses a value that makes up more than its
    share of the table. In a window: the newest events, `[instant, value]`.
    """

    kind = "most_frequent"

    __slots__ = ("_exact",)

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.MostFrequent`."""
        self._exact: int = document["exact"]
        super().__init__(document)

    def largest(self) -> int:
        return self._exact * (TABLE_BYTES + 2 + INSTANT_BYTES + 12 + 3) + 2

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        if self.within is not None:
            if self._is_over(at, now, zone):
                return state
            return self._newest(state, [[at, value]], now, zone)
        rows = list(state or ())
        keys = [key_of(row[0]) for row in rows]
        place = bisect_left(keys, key := key_of(value))
        if place < len(keys) and keys[place] == key:
            _, count, last = rows[place]
            rows[place] = [value, count + 1, max(at, last)]
            return rows
        count = 0
        if len(rows) >= self._exact:
            rarest = min(range(len(rows)), key=lambda n: _rank(rows[n]))
            count = rows.pop(rarest)[1]
            place = bisect_left([key_of(row[0]) for row in rows], key)
        rows.insert(place, [value, count + 1, at])
        return rows

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        if not state:
            return NOTHING
        if self.within is not None:
            table: dict[str, list[Any]] = {}
            for instant, value in self.pruned(state, at, zone) or ():
                key = key_of(value)
                _, count, last = table.get(key, (value, 0, instant))
                table[key] = [value, count + 1, max(last, instant)]
            state = list(table.values())
        return max(state, key=_rank)[0] if state else NOTHING

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        if self.within is None:
            return LATEST
        return self._next_end((instant for instant, _ in state), at, zone)

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is not None:
            return self._newest(mine, theirs, at, zone)
        # Summaries are merged by adding what both know and keeping the largest (Agarwal
        # and others, "Mergeable summaries", 2012).
        table = _table(mine)
        for value, count, last in theirs:
            known = table.get(key := key_of(value))
            if known is None:
                table[key] = [value, count, last]
            else:
                table[key] = [value, known[1] + count, max(known[2], last)]
        most = sorted(table, key=lambda each: _rank(table[each]), reverse=True)
        return _listed({key: table[key] for key in most[: self._exact]})

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is None:
            return state
        return self._left(state, _instant_of, at, zone) or None

    def _newest(
        self, state: Any, events: Iterable[list[Any]], now: int, zone: ZoneInfo
    ) -> Any:
        kept = [*(state or ()), *events]
        kept.sort(key=_by_instant)
        kept = kept[-self._exact :]
        return state if _is_same(kept, state) else self.pruned(kept, now, zone)


class _FavoriteChannel(_MostFrequent):
    """The channel of the messages that the customer does most with."""

    kind = "favorite_channel"


def _is_same(rows: Sequence[Any], before: Sequence[Any] | None) -> bool:
    """Whether these are the rows of before; to Python `1 == True`, and here it isn't."""
    return (
        before is not None
        and len(rows) == len(before)
        and all(map(operator.is_, rows, before))
    )


def _rank(row: Sequence[Any]) -> tuple[Any, ...]:
    value, count, last = row
    return count, last, order_of(value)


def _table(rows: Iterable[list[Any]]) -> dict[str, list[Any]]:
    return {key_of(row[0]): row for row in rows}


def _listed(table: Mapping[str, list[Any]]) -> list[list[Any]]:
    return [table[key] for key in sorted(table)]


class _Recent(Rule):
    """The latest different values, the newest first: `[value, when last]`."""

    kind = "recent"

    __slots__ = ("_limit",)

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.Recent`."""
        self._limit: int = document["limit"]
        super().__init__(document)

    def largest(self) -> int:
        return self._limit * (TABLE_BYTES + 2 + INSTANT_BYTES + 3) + 2

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        if self._is_over(at, now, zone):
            return state
        return self._with(state, [[value, at]], now, zone)

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        return [value for value, _ in self.pruned(state or [], at, zone) or ()]

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        return self._next_end((instant for _, instant in reversed(state)), at, zone)

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        return self._with(mine, theirs, at, zone)

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is None:
            return state
        if not state or state[-1][1] + self._shortest_ms > at:
            return state or None
        return [row for row in state if not self._is_over(row[1], at, zone)] or None

    def _with(
        self, state: Any, rows: Iterable[list[Any]], now: int, zone: ZoneInfo
    ) -> Any:
        table = _table(state or ())
        for value, at in rows:
            known = table.get(key := key_of(value))
            if known is None or known[1] < at:
                table[key] = [value, at]
        kept = sorted(
            table.values(), key=lambda row: (row[1], order_of(row[0])), reverse=True
        )[: self._limit]
        return state if _is_same(kept, state) else self.pruned(kept, now, zone)


class _FavoriteHour(Rule):
    """The hour of the customer's day in which most of the newest events were.

    Its state is when they were, in quarters of an hour since 1970: they are read in the
    zone that the customer is in now, however it was known when they happened.
    """

    kind = "favorite_hour"

    __slots__ = ("_exact",)

    def __init__(self, document: Document) -> None:
        """Compile a `journeykit.FavoriteHour`."""
        self._exact: int = document["exact"]
        super().__init__(document)

    def largest(self) -> int:
        return 9 * self._exact + 2

    def learned(self, state: Any, at: int, value: Any, now: int, zone: ZoneInfo) -> Any:
        if self._is_over(at, now, zone):
            return state
        return self._with(state, [at // _QUARTER_MS], now, zone)

    def value(self, state: Any, at: int, zone: ZoneInfo) -> object:
        hours: dict[int, tuple[int, int]] = {}
        for quarter in self.pruned(state or [], at, zone) or ():
            hour = _hour(quarter * _QUARTER_MS, zone)
            hours[hour] = (hours.get(hour, (0, 0))[0] + 1, quarter)
        return max(hours, key=lambda hour: hours[hour]) if hours else NOTHING

    def next_change(self, state: Any, at: int, zone: ZoneInfo) -> int:
        return self._next_end((quarter * _QUARTER_MS for quarter in state), at, zone)

    def united(self, mine: Any, theirs: Any, at: int, zone: ZoneInfo) -> Any:
        return self._with(mine, theirs, at, zone)

    def pruned(self, state: Any, at: int, zone: ZoneInfo) -> Any:
        if self.within is None:
            return state
        return (
            self._left(state, lambda quarter: quarter * _QUARTER_MS, at, zone) or None
        )

    def _with(
        self, state: Any, quarters: Iterable[int], now: int, zone: ZoneInfo
    ) -> Any:
        kept = sorted([*(state or ()), *quarters])[-self._exact :]
        return state if kept == state else self.pruned(kept, now, zone)


KINDS: dict[str, Callable[[Document], Rule]] = {
    cast("type[Rule]", rule).kind: rule
    for rule in (
        _Count,
        _Sum,
        _Min,
        _Max,
        _Average,
        _First,
        _Last,
        _Distinct,
        _MostFrequent,
        _Recent,
        _FavoriteHour,
        _FavoriteChannel,
        _Cadence,
        _Expected,
        _Rfm,
    )
}


def _mark(document: Document) -> int:
    """What of a definition its state depends on; not its name, nor how it is described.

    What is None is left out, so that a field of a later release, None where it isn't
    given, changes no state that there is.
    """
    said = {
        field: value
        for field, value in document.items()
        if value is not None and field not in _UNMARKED
    }
    said["of"] = [[trigger["name"], trigger["where"]] for trigger in document["of"]]
    encoded = msgspec.json.encode(said, order="sorted")
    return int.from_bytes(blake2b(encoded, digest_size=4).digest(), "big")


# What only says how a state is read.
_UNMARKED = frozenset(
    {
        "name",
        "description",
        "of",
        "recency",
        "frequency",
        "monetary",
        "factor",
        "at_least",
    }
)


def _hour(instant: int, zone: ZoneInfo) -> int:
    return datetime.fromtimestamp(instant // 1000, zone).hour
