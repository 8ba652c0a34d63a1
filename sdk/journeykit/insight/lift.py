"""What a journey changes: those it treats against those it holds out.

The unit is the person, since that is who is held out. Everybody counts from their first
entry, in the group they came into then, whatever happened to them afterwards: a message
that was suppressed is part of what the journey does. The outcome is looked at for the
same time in both groups, and only people for whom that time is over count.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

from journeykit.errors import InputError
from journeykit.insight.lapses import DAY_MS, RETURN_DAYS, Baseline, baselines
from journeykit.insight.stats.intervals import LEVEL, Interval, Share, newcombe
from journeykit.insight.stats.power import (
    Needed,
    every_look,
    least_effect,
    one_look,
)
from journeykit.insight.stats.sample_ratio import SampleRatio, sample_ratio
from journeykit.insight.stats.sequences import (
    FEWEST,
    Difference,
    Sample,
    Stratum,
    difference,
)
from journeykit.insight.stats.tails import binomial_at_least, binomial_at_most
from journeykit.insight.tables import number_at
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import Duration
from journeykit.model.journey import Goal, Holdout, Journey
from journeykit.model.triggers import EventTrigger

Verdict = Literal["higher", "lower", "open", "too_few"]

RECORDED = (
    "On recorded events nothing that is sent can change what people did: the true "
    "difference is zero, and what is seen of it is chance."
)

_NAME = re.compile(r"^[\w$. -]{1,64}$")
_MONTH = 365.2425 / 12
_LOOKS = 60  # points of a course that are kept
_SMALLEST = 0.1  # of the held-out's share: the effect that is planned for
_OTHER_SHARE = 1e-6  # less likely than that, a version held out another share


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


class _Sums(NamedTuple):
    """Outcomes of one day, share and group."""

    day: int
    share: float
    held_out: bool
    people: int
    reached: int
    value: float
    squares: float


class _Entries(NamedTuple):
    """First entries of one day, share and group."""

    day: int
    share: float
    held_out: bool
    people: int
    switched: int
    is_checked: bool


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
    asked = [each for each in journeys if only in (None, each.id)]
    experiments = [
        _experiment(
            house, [each], name=each.id, event=event, smallest=smallest, level=level
        )
        for each in asked
        if each.holdout is not None
    ]
    experiments += [
        _experiment(
            house, members, name=salt, event=event, smallest=smallest, level=level
        )
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
            found[salt, _share(journey)].append(journey)
    for (salt, _), members in found.items():
        if len(members) > 1:
            yield salt, members


def _share(journey: Journey) -> float:
    """The share held out, 0 to 1, as finely as the engine's ten thousand buckets are."""
    if journey.holdout is None:
        return 0.0
    return round(cast(Holdout, journey.holdout).share * 100) / 10_000


def days_of(length: Duration) -> float:
    """A length of time in days; a month is the mean one."""
    return length.months * _MONTH + length.days + length.ms / DAY_MS


class _Assignment(NamedTuple):
    """Who was held out how often.

    Attributes:
        shares: Journey and version to the share held out.
        unchecked: Those of which the share is only what was counted.
        left_out: Those that held nobody out.
    """

    shares: dict[tuple[str, int], float]
    unchecked: set[tuple[str, int]]
    left_out: list[str]


def _experiment(
    house: Warehouse,
    journeys: Sequence[Journey],
    *,
    name: str,
    event: EventOutcome | None,
    smallest: float | None,
    level: float,
) -> Experiment:
    problems: list[str] = []
    if house.scope.since is not None:
        problems.append(
            "only entries since then count: who had entered before counts from the "
            "first entry behind it"
        )
    share = _share(journeys[0])
    assignment = _assignment(house, journeys, share, problems)
    entries = list(_entries(house, journeys, assignment))
    outcomes = list(_outcomes(journeys, event, problems))
    if event is not None:
        problems += _archive_problems(house, journeys)
    longest = max((outcome.within_days for outcome, _ in outcomes), default=0.0)
    comparisons = [
        _comparison(
            _sums(house, journeys, outcome, goals, event, assignment),
            outcome,
            journeys=journeys,
            share=share,
            end=house.span[1] if house.span else 0,
            smallest=smallest,
            level=level,
        )
        for outcome, goals in outcomes
    ]
    checked = [each for each in entries if each.is_checked]
    return Experiment(
        name=name,
        journeys=tuple(each.id for each in journeys),
        is_global=len(journeys) > 1,
        share=share,
        people=sum(each.people for each in entries),
        too_early=_too_early(house, journeys, longest, assignment),
        switched=sum(each.switched for each in entries),
        sample_ratio=sample_ratio(_days(checked)) if checked else None,
        comparisons=tuple(comparisons),
        problems=tuple(problems),
    )


def _outcomes(
    journeys: Sequence[Journey], event: EventOutcome | None, problems: list[str]
) -> Iterator[tuple[Outcome, list[Goal]]]:
    """Yield what can be compared, and note what can't."""
    if event is not None:
        has_value = event.value is not None
        yield Outcome(event.name, "event", event.within_days, has_value), []
        return
    comparable: list[Goal] = []
    for journey in journeys:
        if not journey.goals:
            problems.append(
                f"{journey.id} has no goal to compare by: give it one, or say --event"
            )
        for goal in journey.goals:
            if goal.within is None:
                problems.append(
                    f"goal {goal.id!r} of {journey.id} has no `within`: those held out "
                    "are watched for ever and the others only while they run, so they "
                    "can't be compared; give it one, or say --event and --within"
                )
            else:
                comparable.append(goal)
                if len(journeys) == 1:
                    yield _of_goals([goal]), [goal]
    if len(journeys) > 1 and comparable:
        yield _of_goals(comparable), comparable


def _of_goals(goals: Sequence[Goal]) -> Outcome:
    names = sorted({goal.id or "goal" for goal in goals})
    days = max(days_of(goal.within) for goal in goals if goal.within is not None)
    return Outcome(
        " or ".join(names), "goal", days, any(goal.value is not None for goal in goals)
    )


# Out of the logs. Everybody's first entry, and the group they came into with it.

_FIRST = """
first as (
    select person, journey, version, event, entered_ms, held_out, switched
    from (
        select
            person, journey, version, event, entered_ms, held_out,
            row_number() over (partition by person order by entered_ms, run) as place,
            bool_or(held_out) over (partition by person)
                <> bool_and(held_out) over (partition by person) as switched
        from runs
        where not test and list_contains($journeys, journey)
    )
    where place = 1
        and not list_contains($left_out, journey || chr(31) || version)
)
"""

_BY_GOAL = """
each_reached as (
    select
        f.person, g.journey, g.goal,
        arg_min(g.worth, g.reached_ms) as worth
    from first f join goals g using (person)
    where not g.test and list_contains($goals, g.journey || chr(31) || g.goal)
        and g.reached_ms between f.entered_ms and f.entered_ms + $within
    group by f.person, g.journey, g.goal
),
reached as (select person, sum(worth) as worth from each_reached group by person)
"""

# The entry itself doesn't count, nor what came at the same instant with it.
_BY_EVENT = f"""
reached as (
    select
        f.person, sum({number_at("$path", "e.properties")}) as worth
    from first f join events e using (person)
    where e.name = $event and not e.test
        and e.happened_ms > f.entered_ms
        and e.happened_ms <= f.entered_ms + $within
    group by f.person
)
"""

_SUMS = """
select
    (f.entered_ms + $within) // 86400000 as day, f.journey, f.version, f.held_out,
    count(*),
    count(r.person), coalesce(sum(r.worth), 0), coalesce(sum(r.worth * r.worth), 0)
from first f left join reached r using (person)
where f.entered_ms + $within <= $end
group by all
order by all
"""


def _parameters(
    journeys: Sequence[Journey], left_out: Sequence[str] = ()
) -> dict[str, object]:
    return {"journeys": [each.id for each in journeys], "left_out": list(left_out)}


def _sums(
    house: Warehouse,
    journeys: Sequence[Journey],
    outcome: Outcome,
    goals: Sequence[Goal],
    event: EventOutcome | None,
    assignment: _Assignment,
) -> list[_Sums]:
    """Add the outcomes up by day on which somebody's time was over."""
    parameters = _parameters(journeys, assignment.left_out)
    parameters["within"] = int(outcome.within_days * DAY_MS)
    parameters["end"] = house.span[1] if house.span else 0
    if event is not None:
        parameters["event"] = event.name
        parameters["path"] = _path(event.value)
        parameters["archived"] = entered_by_events(house, journeys)
        by, known = _BY_EVENT, f"and {KNOWN}"
    else:
        wanted = {id(goal) for goal in goals}
        parameters["goals"] = [
            f"{journey.id}\x1f{goal.id}"
            for journey in journeys
            for goal in journey.goals
            if id(goal) in wanted
        ]
        by, known = _BY_GOAL, ""
    first = _FIRST.replace("place = 1", f"place = 1 {known}")
    rows = house.rows(f"with {first}, {by} {_SUMS}", parameters)
    return [
        _Sums(day, assignment.shares[journey, version], *rest)
        for day, journey, version, *rest in rows
    ]


# Who was erased has no events any more, their entry's neither. It is asked of the entry
# alone: what comes later, such as reports on messages, only those treated may have.
KNOWN = """(
    not list_contains($archived, journey) or event in (select event from events)
)"""
"""In SQL: whether what a run's person did afterwards would be in the archive."""


def entered_by_events(house: Warehouse, journeys: Sequence[Journey]) -> list[str]:
    """The journeys that are entered by events only, which the archive has, too.

    All of them if there is no archive, in which nobody is known.
    """
    if house.row("select count(*) from events") == (0,):
        return [each.id for each in journeys]
    asked = [
        each.id
        for each in journeys
        if all(isinstance(trigger, EventTrigger) for trigger in each.triggers)
    ]
    found = house.rows(
        "select distinct r.journey from runs r join events e using (event) "
        "where list_contains($journeys, r.journey) order by 1",
        {"journeys": asked},
    )
    return [id for (id,) in found]


def _path(name: str | None) -> str:
    """A property's path in JSON; the whole object, which is no number, if there is none."""
    return "$" if name is None else f'$."{name}"'


def _assignment(
    house: Warehouse,
    journeys: Sequence[Journey],
    share: float,
    problems: list[str],
) -> _Assignment:
    """Find which share each version held out.

    The definitions are of today. An older version may have held out another share, or
    nobody; the counts say so where it could hardly be chance.
    """
    rows = house.rows(
        f"""
        with {_FIRST}
        select journey, version, count(*), count(*) filter (held_out)
        from first group by all order by all
        """,
        _parameters(journeys),
    )
    found = _Assignment({}, set(), [])
    latest = {journey: version for journey, version, *_ in rows}
    for journey, version, people, held_out in rows:
        found.shares[journey, version] = share
        chance = min(
            binomial_at_most(held_out, people, share),
            binomial_at_least(held_out, people, share),
        )
        if version == latest[journey] or chance > _OTHER_SHARE:
            continue  # of the latest it is a mismatch, which the check finds
        if held_out in (0, people):
            found.left_out.append(f"{journey}\x1f{version}")
            whom = "nobody" if held_out == 0 else "everybody"
            problems.append(
                f"{people:,} people entered version {version} of {journey} first, which "
                f"held {whom} out: they are left out"
            )
            continue
        found.shares[journey, version] = held_out / people
        found.unchecked.add((journey, version))
        problems.append(
            f"version {version} of {journey} held out {held_out / people:.1%} and not "
            f"{share:.1%}: its people are weighted by that, and whether it was meant "
            "can't be checked"
        )
    return found


def _entries(
    house: Warehouse, journeys: Sequence[Journey], assignment: _Assignment
) -> Iterator[_Entries]:
    rows = house.rows(
        f"""
        with {_FIRST}
        select
            entered_ms // 86400000, journey, version, held_out, count(*),
            count(*) filter (switched)
        from first group by all order by all
        """,
        _parameters(journeys, assignment.left_out),
    )
    for day, journey, version, held_out, people, switched in rows:
        key = journey, version
        yield _Entries(
            day,
            assignment.shares[key],
            held_out,
            people,
            switched,
            key not in assignment.unchecked,
        )


def _too_early(
    house: Warehouse,
    journeys: Sequence[Journey],
    within_days: float,
    assignment: _Assignment,
) -> int:
    if house.span is None:
        return 0
    (count,) = house.row(
        f"""
        with {_FIRST}
        select count(*) from first where entered_ms + $within > $end
        """,
        {
            **_parameters(journeys, assignment.left_out),
            "within": int(within_days * DAY_MS),
            "end": house.span[1],
        },
    )
    return int(count)


def _archive_problems(house: Warehouse, journeys: Sequence[Journey]) -> Iterator[str]:
    """Say where the archive doesn't reach."""
    (first,) = house.row("select min(received_ms) from events where not test")
    if first is None:
        yield "there is no event archive, so nothing can be compared by an event"
        return
    early, unknown = house.row(
        f"""
        with {_FIRST}
        select count(*) filter (is_known and entered_ms < $first),
            count(*) filter (not is_known)
        from (select entered_ms, {KNOWN} as is_known from first)
        """,
        {
            **_parameters(journeys),
            "first": first,
            "archived": entered_by_events(house, journeys),
        },
    )
    if early:
        yield (
            f"{early:,} people entered before the archive begins: of their first days "
            "some events may be missing, in both groups alike"
        )
    if unknown:
        yield (
            f"{unknown:,} people whose entry is not in the archive, since they were "
            "erased or it begins later, are left out, in both groups alike"
        )


# Comparing


def _days(entries: Iterable[_Entries]) -> Iterator[list[tuple[int, int, float]]]:
    by_day: dict[int, dict[float, list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0])
    )
    for each in entries:
        by_day[each.day][each.share][each.held_out] += each.people
    for _, shares in sorted(by_day.items()):
        yield [(counts[0], counts[1], share) for share, counts in shares.items()]


class _Running:
    """The sums so far, by share and group."""

    def __init__(self) -> None:
        self.reached: dict[tuple[float, bool], Sample] = {}
        self.value: dict[tuple[float, bool], Sample] = {}

    def add(self, sums: _Sums) -> None:
        """Count a day in."""
        key = sums.share, sums.held_out
        none = Sample(0, 0.0, 0.0)
        before = self.reached.get(key, none)
        reached = int(before.total) + sums.reached
        self.reached[key] = Sample.from_count(reached, before.count + sums.people)
        before = self.value.get(key, none)
        self.value[key] = Sample(
            before.count + sums.people,
            before.total + sums.value,
            before.squares + sums.squares,
        )

    def compared(self, *, level: float) -> Difference | None:
        """The shares, compared."""
        return difference(_strata(self.reached), binary=True, level=level)

    def people(self, held_out: bool) -> int:
        """How many are in a group."""
        return sum(s.count for (_, held), s in self.reached.items() if held == held_out)


def _strata(samples: Mapping[tuple[float, bool], Sample]) -> list[Stratum]:
    none = Sample(0, 0.0, 0.0)
    return [
        Stratum(
            samples.get((share, False), none), samples.get((share, True), none), share
        )
        for share in sorted({share for share, _ in samples})
    ]


def _comparison(
    sums: Sequence[_Sums],
    outcome: Outcome,
    *,
    journeys: Sequence[Journey],
    share: float,
    end: int,
    smallest: float | None,
    level: float,
) -> Comparison:
    running, looks = _Running(), []
    for day, of_day in _by_day(sums):
        for each in of_day:
            running.add(each)
        if (now := running.compared(level=level)) is not None:
            looks.append(
                Look(
                    min((day + 1) * DAY_MS, end),
                    running.people(False),
                    running.people(True),
                    now.difference,
                    now.interval,
                )
            )
    conversion = running.compared(level=level)
    value = None
    if outcome.value:
        value = difference(_strata(running.value), binary=False, level=level)
    treated = _arm(running, False, outcome, level)
    held_out = _arm(running, True, outcome, level)
    planned = smallest
    if planned is None and (base := held_out.reached.share):
        planned = _SMALLEST * min(base, 1 - base) or None
    needed = once = None
    if conversion is not None and planned is not None:
        needed = every_look(conversion.spread, planned, held_out=share, level=level)
        once = one_look(conversion.held_out, planned, held_out=share, level=level)
    people = treated.people + held_out.people
    detectable = None
    if conversion is not None and conversion.interval is not None:
        detectable = least_effect(conversion.spread, people, level=level)
    return Comparison(
        outcome=outcome,
        treated=treated,
        held_out=held_out,
        conversion=conversion,
        value=value,
        one_look=_once(treated, held_out, level),
        relative=_relative(conversion),
        extra=conversion.difference * treated.people if conversion else None,
        verdict=_verdict(conversion),
        smallest=planned,
        needed=needed,
        needed_once=once,
        days_left=_days_left(needed, people, sums),
        detectable=detectable,
        looks=tuple(_thinned(looks)),
        definition=_definition(outcome, journeys),
    )


def _by_day(sums: Sequence[_Sums]) -> Iterator[tuple[int, list[_Sums]]]:
    days: dict[int, list[_Sums]] = defaultdict(list)
    for each in sums:
        days[each.day].append(each)
    yield from sorted(days.items())


def _arm(running: _Running, held_out: bool, outcome: Outcome, level: float) -> Arm:
    people = running.people(held_out)
    reached = sum(
        int(s.total) for (_, held), s in running.reached.items() if held == held_out
    )
    value = None
    if outcome.value:
        value = sum(
            s.total for (_, held), s in running.value.items() if held == held_out
        )
    return Arm(
        people,
        Share.from_counts(reached, people, level=level),
        value,
        value / people if value is not None and people else None,
    )


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


def _days_left(needed: Needed | None, people: int, sums: Sequence[_Sums]) -> int | None:
    """How long until enough people have had their time, at the pace so far."""
    if needed is None or not people:
        return None
    if people >= needed.people:
        return 0
    days = [each.day for each in sums]
    pace = people / (max(days) - min(days) + 1)
    return -int(-(needed.people - people) // pace)


def _thinned(looks: list[Look]) -> list[Look]:
    """Every so-manieth look, the last in any case."""
    apart = max(1, -(-len(looks) // _LOOKS))
    return looks[::-apart][::-1]


def _definition(outcome: Outcome, journeys: Sequence[Journey]) -> str:
    entered = " or ".join(each.id for each in journeys)
    what = (
        f"reached {outcome.name}" if outcome.kind == "goal" else f"had {outcome.name}"
    )
    said = (
        f"Of the people who entered {entered}, the share that {what} within "
        f"{outcome.within_days:g} days of their first entry; only people for whom these "
        "days are over, each in the group of that entry. Test traffic is left out."
    )
    if outcome.kind == "goal" and len(journeys) > 1:
        said += " A goal counts only where the person entered its journey too."
    return f"{said} An interval begins with {FEWEST} people in each group."
