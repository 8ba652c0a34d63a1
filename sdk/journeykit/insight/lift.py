"""What a journey changes: those it treats against those it holds out.

The unit is the person, since that is who is held out. Everybody counts from their first
entry, in the group they came into then, whatever happened to them afterwards: a message
that was suppressed is part of what the journey does. The outcome is looked at for the
same time in both groups, and only people for whom that time is over count.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from journeykit.errors import InputError
from journeykit.insight.comparisons import Comparison, Outcome, comparison
from journeykit.insight.entries import (
    Entered,
    FirstEntries,
    Reached,
    held_out_share,
)
from journeykit.insight.lapses import RETURN_DAYS, Baseline, baselines
from journeykit.insight.periods import days_of
from journeykit.insight.stats.intervals import LEVEL
from journeykit.insight.stats.sample_ratio import SampleRatio, sample_ratio
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Goal, Holdout, Journey

RECORDED = (
    "On recorded events nothing that is sent can change what people did: the true "
    "difference is zero, and what is seen of it is chance."
)

_NAME = re.compile(r"^[\w$. -]{1,64}$")


@dataclass(frozen=True, slots=True)
class Experiment:
    """A holdout, of one journey or of several that hold out the same people.

    Attributes:
        name: The journey, or the salt that the journeys share.
        journeys: The journeys.
        is_global: Whether it is about several of them together.
        share: The share held out now, 0 to 1.
        people: How many people entered, treated and held out.
        too_early: How many of them entered too late for their time to be over, for the
            outcome with the longest one.
        switched: How many came into the other group by a later entry, since the share
            held out was changed. They count where they first came.
        sample_ratio: Whether as many are held out as should be; None of nobody.
        comparisons: The outcomes; the first is the journey's own.
        problems: Why something can't be compared, a sentence each.
    """

    name: str
    journeys: tuple[str, ...]
    is_global: bool
    share: float
    people: int
    too_early: int
    switched: int
    sample_ratio: SampleRatio | None
    comparisons: tuple[Comparison, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lift:
    """What the journeys change, as far as they hold anybody out.

    Attributes:
        experiments: Those of single journeys, and then the global ones.
        baselines: How many come back by themselves, of journeys that wait for a silence.
        without: Journeys that hold nobody out, of which nothing can be said.
        recorded: What is to be said where the events are recorded ones; else empty.
        level: How sure the intervals are.
        definition: What is compared.
    """

    experiments: tuple[Experiment, ...]
    baselines: tuple[Baseline, ...]
    without: tuple[str, ...]
    recorded: str
    level: float
    definition: str = field(
        default="People, from their first entry on, in the group they came into then; "
        "only those whose time is over. The intervals are valid however often one looks; "
        "test traffic is left out."
    )


class EventOutcome(NamedTuple):
    """An event of the archive to compare by, whatever the goals are.

    Attributes:
        name: The event's name.
        within_days: For how long after the first entry it counts.
        value: The property that says what it is worth; None: nothing does.
    """

    name: str
    within_days: float
    value: str | None = None


class _Question(NamedTuple):
    """What was asked for; the fields are arguments of `lift`."""

    event: EventOutcome | None
    smallest: float | None
    level: float


def lift(
    house: Warehouse,
    journeys: Sequence[Journey],
    *,
    only: str | None = None,
    event: EventOutcome | None = None,
    smallest: float | None = None,
    return_days: float = RETURN_DAYS,
    level: float = LEVEL,
) -> Lift:
    """Compare who was treated with who was held out.

    Args:
        house: The logs.
        journeys: The definitions.
        only: Say it of this journey, and of the global holdout that it has a part in.
        event: Compare by this event of the archive instead of the journeys' goals.
        smallest: The difference of shares to plan for, such as 0.01 for one point.
        return_days: The days of the [baseline](journeykit.insight.lapses).
        level: How sure the intervals are to be.

    Raises:
        InputError: The event's window isn't positive, its property's name isn't one, or
            the difference isn't one.
    """
    _check(event, smallest)
    question = _Question(event, smallest, level)
    asked = [each for each in journeys if only in (None, each.id)]
    experiments = [
        _experiment(house, each.id, [each], question)
        for each in asked
        if each.holdout is not None
    ]
    experiments += [
        _experiment(house, salt, members, question)
        for salt, members in _groups(journeys)
        if only is None or only in {each.id for each in members}
    ]
    return Lift(
        experiments=tuple(experiments),
        baselines=baselines(house, asked, within_days=return_days, level=level),
        without=tuple(each.id for each in asked if each.holdout is None),
        recorded=RECORDED if house.replayed else "",
        level=level,
    )


def _check(event: EventOutcome | None, smallest: float | None) -> None:
    if event is not None and not 0 < event.within_days <= 3660:
        raise InputError(
            f"an event counts for between 0 and 3,660 days, not {event.within_days:g}",
            place="within",
        )
    if event is not None and event.value is not None and not _NAME.match(event.value):
        raise InputError(
            f"{event.value!r} is no property's name: letters, digits, `_`, `$`, `.`, "
            "`-` and spaces make one",
            place="value",
        )
    if smallest is not None and not 0 < abs(smallest) < 1:
        raise InputError(
            f"a difference of shares lies between 0 and 1, not {smallest:g}",
            place="smallest",
        )


def _groups(journeys: Iterable[Journey]) -> Iterator[tuple[str, list[Journey]]]:
    """Yield the salts that several journeys hold out the same share of people by."""
    found: dict[tuple[str, float], list[Journey]] = defaultdict(list)
    for journey in journeys:
        if journey.holdout is not None:
            salt = cast(Holdout, journey.holdout).salt or journey.id
            found[salt, held_out_share(journey)].append(journey)
    for (salt, _), members in found.items():
        if len(members) > 1:
            yield salt, members


def _experiment(
    house: Warehouse, name: str, journeys: Sequence[Journey], question: _Question
) -> Experiment:
    problems: list[str] = []
    if house.scope.since is not None:
        problems.append(
            "only entries since then count: who had entered before counts from the "
            "first entry behind it"
        )
    entries = FirstEntries(house, journeys)
    problems += entries.problems
    if question.event is not None:
        outcomes = [_of_event(question.event, entries)]
        problems += entries.archive_problems()
    else:
        outcomes = [
            _of_goals(goals, entries) for goals in _comparable(journeys, problems)
        ]
    daily = list(entries.daily())
    ids = tuple(each.id for each in journeys)
    share = held_out_share(journeys[0])
    return Experiment(
        name=name,
        journeys=ids,
        is_global=len(journeys) > 1,
        share=share,
        people=sum(each.people for each in daily),
        too_early=entries.too_early(
            max((outcome.within_days for outcome, _ in outcomes), default=0.0)
        ),
        switched=sum(each.switched for each in daily),
        sample_ratio=_sample_ratio([each for each in daily if each.is_checked]),
        comparisons=tuple(
            comparison(
                reached,
                outcome,
                journeys=ids,
                share=share,
                end_ms=house.span[1] if house.span else 0,
                smallest=question.smallest,
                level=question.level,
            )
            for outcome, reached in outcomes
        ),
        problems=tuple(problems),
    )


def _comparable(
    journeys: Sequence[Journey], problems: list[str]
) -> list[list[tuple[str, Goal]]]:
    """Find the goals to compare by, with their journeys, and note which can't be.

    Those of one journey are compared each for itself, those of several journeys together.
    """
    found: list[tuple[str, Goal]] = []
    for journey in journeys:
        if not journey.goals:
            problems.append(
                f"{journey.id} has no goal to compare by: give it one, or say --event"
            )
        for goal in journey.goals:
            if goal.within is not None:
                found.append((journey.id, goal))
                continue
            problems.append(
                f"goal {goal.id!r} of {journey.id} has no `within`: those held out are "
                "watched for ever and the others only while they run, so they can't be "
                "compared; give it one, or say --event and --within"
            )
    if len(journeys) > 1:
        return [found] if found else []
    return [[goal] for goal in found]


def _of_goals(
    goals: Sequence[tuple[str, Goal]], entries: FirstEntries
) -> tuple[Outcome, list[Reached]]:
    """Who reached any of these goals; the longest window holds for all of them."""
    names = sorted({goal.id or "goal" for _, goal in goals})
    within_days = max(
        days_of(goal.within) for _, goal in goals if goal.within is not None
    )
    outcome = Outcome(
        " or ".join(names),
        "goal",
        within_days,
        any(goal.value is not None for _, goal in goals),
    )
    ids = [(journey, goal.id or "") for journey, goal in goals]
    return outcome, entries.by_goals(ids, within_days)


def _of_event(
    event: EventOutcome, entries: FirstEntries
) -> tuple[Outcome, list[Reached]]:
    name, within_days, value = event
    return (
        Outcome(name, "event", within_days, value is not None),
        entries.by_event(name, within_days, value=value),
    )


def _sample_ratio(entries: Sequence[Entered]) -> SampleRatio | None:
    """Check the assignment, day by day; None of nobody."""
    days: dict[int, dict[float, list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0])
    )
    for each in entries:
        days[each.day][each.share][each.held_out] += each.people
    if not days:
        return None
    return sample_ratio(
        [(treated, held_out, share) for share, (treated, held_out) in shares.items()]
        for _, shares in sorted(days.items())
    )
