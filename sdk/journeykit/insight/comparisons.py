"""One outcome, compared: treated against held out, day by day, and how many it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from journeykit.insight.entries import Reached
from journeykit.insight.periods import DAY_MS
from journeykit.insight.stats.intervals import Interval, Share, newcombe
from journeykit.insight.stats.power import Needed, every_look, least_effect, one_look
from journeykit.insight.stats.sequences import (
    FEWEST,
    Difference,
    Sample,
    Stratum,
    difference,
)

Verdict = Literal["higher", "lower", "open", "too_few"]

TEN_YEARS = 3653
"""Days; what takes longer than that is not told to the day, as no pace lasts so long."""

_LOOKS = 60  # points of a course that are kept
_SMALLEST = 0.1  # of the held-out's share: the effect that is planned for
_NOBODY = Sample(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is compared.

    Attributes:
        name: The goal's id, or the event's name.
        kind: `goal` or `event`.
        within_days: For how long after the first entry it counts.
        value: Whether it has a value that is compared too.
    """

    name: str
    kind: Literal["goal", "event"]
    within_days: float
    value: bool


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the two groups.

    Attributes:
        people: How many people whose time is over.
        reached: How many of them reached it, with Wilson's interval, which holds for a
            single look.
        value: What that was worth in all; None where nothing has a value.
        value_per_person: That by the people, those who reached nothing among them.
    """

    people: int
    reached: Share
    value: float | None
    value_per_person: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """What was known at the end of a day.

    Attributes:
        at_ms: The end of the day, milliseconds UTC.
        treated: How many treated people had their time over.
        held_out: How many held-out ones.
        difference: How much larger the treated's share was.
        interval: Its interval, valid at all looks together; None while there were too
            few.
    """

    at_ms: int
    treated: int
    held_out: int
    difference: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One outcome, compared.

    Attributes:
        outcome: What is compared.
        treated: Those whom the journey treats.
        held_out: Those it holds out.
        conversion: By how much the treated's share is larger; None if a group is empty.
        value: By how much their value per person is larger; None without a value.
        one_look: Newcombe's interval of the shares' difference, for who looks once at a
            number of people fixed before; None if a group is empty.
        relative: The difference by the held-out's share; None if that is 0.
        extra: How many of the treated would not have reached it otherwise: the
            difference times their number; None if a group is empty.
        verdict: `higher` or `lower` if the interval leaves out 0, `open` if it doesn't,
            `too_few` while there is none.
        smallest: The difference that is planned for: unless asked otherwise a tenth of
            the held-out's share, or of what is missing from it to 1 if that is less;
            None if nobody or everybody held out has reached it.
        needed: How many people that takes, looked at every day; None: see above.
        needed_once: How many, looked at once.
        days_left: Days until there are so many, at the pace of entries so far; 0 if
            there are; None if that can't be said.
        detectable: The smallest difference that would show now, four times of five; None
            while there are too few.
        looks: How it went, day by day, thinned to 60 points at most.
        definition: What is counted.
    """

    outcome: Outcome
    treated: Arm
    held_out: Arm
    conversion: Difference | None
    value: Difference | None
    one_look: Interval | None
    relative: float | None
    extra: float | None
    verdict: Verdict
    smallest: float | None
    needed: Needed | None
    needed_once: Needed | None
    days_left: int | None
    detectable: float | None
    looks: tuple[Look, ...]
    definition: str

    @property
    def is_zero_inside(self) -> bool:
        """Whether no difference is still possible, as far as anybody can tell."""
        interval = self.conversion.interval if self.conversion else None
        return interval is None or 0.0 in interval


def comparison(
    days: Sequence[Reached],
    outcome: Outcome,
    *,
    journeys: Sequence[str],
    share: float,
    end_ms: int,
    smallest: float | None,
    level: float,
) -> Comparison:
    """Compare those treated with those held out.

    Args:
        days: What became of them, in the order of days.
        outcome: What is compared.
        journeys: The journeys that they entered.
        share: The share held out now, 0 to 1.
        end_ms: When the log ends: the last day is looked at then.
        smallest: The difference of shares to plan for; None: a tenth of the held-out's.
        level: How sure the intervals are to be.
    """
    so_far = _SoFar(level)
    looks = [*_looks(days, so_far, end_ms)]
    conversion = so_far.conversion()
    treated = so_far.arm(False, has_value=outcome.value)
    held_out = so_far.arm(True, has_value=outcome.value)
    people = treated.people + held_out.people
    if smallest is None and (base := held_out.reached.share):
        smallest = _SMALLEST * min(base, 1 - base) or None
    needed = once = detectable = None
    if conversion is not None and smallest is not None:
        needed = every_look(conversion.spread, smallest, held_out=share, level=level)
        once = one_look(conversion.held_out, smallest, held_out=share, level=level)
    if conversion is not None and conversion.interval is not None:
        detectable = least_effect(conversion.spread, people, level=level)
    return Comparison(
        outcome=outcome,
        treated=treated,
        held_out=held_out,
        conversion=conversion,
        value=so_far.value_difference() if outcome.value else None,
        one_look=_once(treated, held_out, level),
        relative=_relative(conversion),
        extra=conversion.difference * treated.people if conversion else None,
        verdict=_verdict(conversion),
        smallest=smallest,
        needed=needed,
        needed_once=once,
        days_left=_days_left(needed, people, days),
        detectable=detectable,
        looks=_thinned(looks),
        definition=_definition(outcome, journeys),
    )


class _SoFar:
    """The sums up to some day, by share and group."""

    def __init__(self, level: float) -> None:
        self.level = level
        self.reached: defaultdict[tuple[float, bool], Sample]
        self.reached = defaultdict(lambda: _NOBODY)
        self.value: defaultdict[tuple[float, bool], Sample]
        self.value = defaultdict(lambda: _NOBODY)

    def add(self, sums: Reached) -> None:
        """Count some people in."""
        key = sums.share, sums.held_out
        reached, value = self.reached[key], self.value[key]
        people = reached.count + sums.people
        self.reached[key] = Sample.from_count(int(reached.total) + sums.reached, people)
        self.value[key] = Sample(
            people, value.total + sums.value, value.squares + sums.squares
        )

    def conversion(self) -> Difference | None:
        """By how much the treated's share is larger; None if a group is empty."""
        return difference(_strata(self.reached), binary=True, level=self.level)

    def value_difference(self) -> Difference | None:
        """By how much their value per person is larger; None if a group is empty."""
        return difference(_strata(self.value), binary=False, level=self.level)

    def people(self, held_out: bool) -> int:
        """How many are in a group."""
        return sum(sample.count for sample in _of(self.reached, held_out))

    def arm(self, held_out: bool, *, has_value: bool) -> Arm:
        """A group, summed up."""
        people = self.people(held_out)
        reached = sum(int(sample.total) for sample in _of(self.reached, held_out))
        value = None
        if has_value:
            value = sum(sample.total for sample in _of(self.value, held_out))
        return Arm(
            people,
            Share.from_counts(reached, people, level=self.level),
            value,
            value / people if value is not None and people else None,
        )


def _of(
    samples: Mapping[tuple[float, bool], Sample], held_out: bool
) -> Iterator[Sample]:
    return (sample for (_, held), sample in samples.items() if held == held_out)


def _strata(samples: Mapping[tuple[float, bool], Sample]) -> list[Stratum]:
    return [
        Stratum(
            samples.get((share, False), _NOBODY),
            samples.get((share, True), _NOBODY),
            share,
        )
        for share in sorted({share for share, _ in samples})
    ]


def _looks(days: Iterable[Reached], so_far: _SoFar, end_ms: int) -> Iterator[Look]:
    """Count day by day, and yield what was known at the end of each."""
    for day, of_day in groupby(days, key=lambda each: each.day):
        for each in of_day:
            so_far.add(each)
        if (now := so_far.conversion()) is not None:
            yield Look(
                min((day + 1) * DAY_MS, end_ms),
                so_far.people(False),
                so_far.people(True),
                now.difference,
                now.interval,
            )


def _thinned(looks: Sequence[Look]) -> tuple[Look, ...]:
    """Every so-manieth look, the last in any case."""
    apart = max(1, -(-len(looks) // _LOOKS))
    return tuple(looks[::-apart][::-1])


def _once(treated: Arm, held_out: Arm, level: float) -> Interval | None:
    if not (treated.people and held_out.people):
        return None
    return newcombe(
        treated.reached.count,
        treated.people,
        held_out.reached.count,
        held_out.people,
        level=level,
    )


def _relative(conversion: Difference | None) -> float | None:
    if conversion is None or conversion.held_out == 0:
        return None
    return conversion.difference / conversion.held_out


def _verdict(conversion: Difference | None) -> Verdict:
    if conversion is None or conversion.interval is None:
        return "too_few"
    if 0.0 in conversion.interval:
        return "open"
    return "higher" if conversion.difference > 0 else "lower"


def _days_left(
    needed: Needed | None, people: int, days: Sequence[Reached]
) -> int | None:
    """How long until enough people have had their time, at the pace so far."""
    if needed is None or not people:
        return None
    if people >= needed.people:
        return 0
    pace = people / (days[-1].day - days[0].day + 1)
    return -int(-(needed.people - people) // pace)


def _definition(outcome: Outcome, journeys: Sequence[str]) -> str:
    verb = "reached" if outcome.kind == "goal" else "had"
    said = (
        f"Of the people who entered {' or '.join(journeys)}, the share that {verb} "
        f"{outcome.name} within {outcome.within_days:g} days of their first entry; only "
        "people for whom these days are over, each in the group of that entry. Test "
        "traffic is left out."
    )
    if outcome.kind == "goal" and len(journeys) > 1:
        said += " A goal counts only where the person entered its journey too."
    return f"{said} An interval begins with {FEWEST} people in each group."
