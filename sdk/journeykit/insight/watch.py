"""What is unusual about a day, held against its own history. No clock, no file.

Of each journey it is asked whether a day (an *anomaly*) or the last week (*drift*) is
beyond what `outlook` foretells: entries, messages that failed to go, runs that failed, the
share that reached a goal. How unlikely something must be follows from how many false
alarms are bearable in all (`FALSE_ALARM_DAYS`), shared among everything that is looked
at. On top of that it must be large enough to matter (`FACTORS`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

from journeykit.insight.daily import Day, JourneyDay, cohort
from journeykit.insight.outlook import (
    LONGEST,
    SHORTEST,
    Outlook,
    count_outlook,
    share_outlook,
)
from journeykit.insight.stats.tails import normal_beyond
from journeykit.model.watching import Figure, Sensitivity, WatchSettings

if TYPE_CHECKING:  # a function needs none of what makes these
    from journeykit.insight.objectives import ObjectiveFigures

Kind: TypeAlias = Literal["anomaly", "drift", "silence", "objective"]
Direction: TypeAlias = Literal["up", "down"]

FALSE_ALARM_DAYS: Mapping[Sensitivity, int] = {"low": 365, "medium": 90, "high": 21}
"""How often a workspace in which nothing is wrong may have a false alarm: one in so many
days, however many journeys it has."""
FACTORS: Mapping[Sensitivity, float] = {"low": 2.0, "medium": 1.5, "high": 1.25}
"""By how much a count, or the odds of a share, must have gone up or down to matter."""
LEAST = 5
"""Fewer than so many above or below what is expected matter to nobody."""

READ_DAYS = LONGEST + 7 + 28 + 1
"""Days that are needed to look at one: history, a week, and the time to reach a goal."""

_WEEK = 7
_WITHIN = (1, 3, 7, 14, 28)  # days in which a goal may be reached
_HALF = 0.5  # of what is reached at all is waited for
_REASONS = 12  # of one journey are looked at one by one, the most frequent ones
_READINGS = 6  # of an objective, without which it has no history
_BURST = 1.5  # so far above all bursts before must one be to be told
_Z_READING = 4.0
_RANGE = 0.99
_PAUSED = frozenset({"paused", "stopped", "draft", "closed"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unusual.

    Attributes:
        kind: `anomaly`: of one day; `drift`: of a week; `silence`: nothing was decided at
            all; `objective`: of a figure with a target.
        figure: What it is about.
        day: The day that was looked at.
        journey: The journey's id; empty: it is about no single one.
        reason: Of suppressions and failures, the reason; of conversion, the goal; of an
            objective, its id; empty: all together.
        direction: Whether it is more than expected or less.
        since: The first day that it is about.
        until: The last day that it is about.
        seen: The count or, with `of`, how many of those; an objective's value.
        expected: What was expected in the place of `seen`.
        low: From where on it would have been usual: 99 % of such days are within.
        high: Up to where.
        of: Of how many, where it is a share; None: it is a count, or an objective's value.
        chance: How likely something so far out is, if nothing is wrong.
        is_worse: Whether it is for the worse; of some figures nobody can tell.
        note: What else happened about then, such as a new version.
        definition: What is counted, over whom, in which window.
    """

    kind: Kind
    figure: Figure
    day: date
    journey: str
    reason: str
    direction: Direction
    since: date
    until: date
    seen: float
    expected: float
    low: float
    high: float
    of: int | None
    chance: float
    is_worse: bool
    note: str
    definition: str

    @property
    def key(self) -> str:
        """The same for the same thing on another day."""
        return f"{self.figure}/{self.journey}/{self.reason}/{self.direction}"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a day came to.

    Attributes:
        day: The day, of UTC.
        findings: What is unusual, the least likely first.
        tests: How many questions were asked of the day.
        young: Journeys that have too little history to be judged.
        problems: What the logs can't tell, a sentence each.
        definition: What is held against what, and how often it is wrong.
    """

    day: date
    findings: Sequence[Finding]
    tests: int
    young: Sequence[str]
    problems: Sequence[str]
    definition: str


@dataclass(frozen=True, slots=True)
class _Question:
    """A figure of one day or week, with what was to be expected."""

    kind: Kind
    figure: Figure
    journey: str
    reason: str
    since: date
    until: date
    seen: int
    outlook: Outlook
    both: bool
    worse: Direction
    definition: str
    usual: tuple[int, int] = (1 << 62, 0)
    """Such counts were there before: only one below the first or above the second is new."""


def looked_at(
    days: Mapping[date, Day],
    day: date,
    *,
    settings: WatchSettings,
    states: Mapping[str, str] | None = None,
    stood: Mapping[str, date] | None = None,
    objectives: Sequence[ObjectiveFigures] = (),
    problems: Sequence[str] = (),
) -> Looked:
    """Say what is unusual about a day.

    Args:
        days: What happened, `READ_DAYS` back; a day that isn't there had nothing.
        day: Which day, of UTC; it is over.
        settings: Which figures of which journeys, and how sensitive.
        states: Journeys that are not simply live: nobody is expected to enter them.
        stood: By journey, the last day on which it did not run: days up to it, that it
            has few entries on, are none to wonder at.
        objectives: Where their figures are at the end of that day.
        problems: What the logs can't tell.
    """
    states, stood = states or {}, stood or {}
    found: list[Finding] = []
    journeys = sorted({name for one in days.values() for name in one.journeys})
    are_live = [states.get(one, "live") not in _PAUSED for one in journeys]
    if "silence" in settings.of("").figures and (any(are_live) or not journeys):
        silence = _silence(days, day)
        found += [silence] if silence is not None else []
    questions: list[_Question] = []
    young = []
    if not found:  # when nothing is decided, all figures are what they are for that
        for journey in journeys:
            series = _Series(days, day, journey)
            if series.length < SHORTEST:
                young.append(journey)
                continue
            is_live = states.get(journey, "live") not in _PAUSED
            rule = settings.of(journey)
            questions += (
                one
                for one in _questions(series, is_live=is_live, stood=stood.get(journey))
                if one.figure in rule.figures
            )
    tests = sum(1 + one.both for one in questions)
    for one in questions:
        sensitivity = settings.of(one.journey).sensitivity
        finding = _judged(one, days, day, sensitivity, tests)
        if finding is not None:
            found.append(finding)
    if "objectives" in settings.of("").figures:
        for objective in objectives:
            found += _of_objective(objective, day)
    found = _without_doubles(found)
    found.sort(key=lambda one: (one.chance, one.key))
    return Looked(
        day,
        tuple(found),
        tests,
        tuple(young),
        tuple(problems),
        _definition(settings.rule.sensitivity),
    )


def _definition(sensitivity: Sensitivity) -> str:
    return (
        "Each journey's day, and its last seven days, are held against the "
        f"{LONGEST // 7} weeks before; test traffic is left out, and days are those of "
        f"UTC. At sensitivity {sensitivity} about one false alarm is to be expected in "
        f"{FALSE_ALARM_DAYS[sensitivity]} days, and what is off by less than a factor of "
        f"{FACTORS[sensitivity]:g} is none."
    )


# --- what is asked --------------------------------------------------------------------


class _Series:
    """A journey's days, up to the one that is looked at."""

    def __init__(self, days: Mapping[date, Day], day: date, journey: str) -> None:
        self.days = days
        self.day = day
        self.journey = journey
        first = min((one for one in days if journey in days[one].journeys), default=day)
        self.first = first
        self.length = (day - first).days

    def at(self, day: date) -> JourneyDay:
        known = self.days.get(day)
        return (known and known.journeys.get(self.journey)) or _NOTHING

    def until(self, last: date, count: int) -> list[JourneyDay]:
        """So many days up to one, oldest first, from the journey's first one on."""
        back = min(count, (last - self.first).days + 1)
        return [self.at(last - timedelta(days=ago)) for ago in range(back - 1, -1, -1)]

    def share_until(
        self, last: date, count: int, share: Callable[[JourneyDay], tuple[int, int]]
    ) -> list[tuple[int, int]]:
        return [share(one) for one in self.until(last, count)]


_NOTHING = JourneyDay()


def _entries(one: JourneyDay) -> int:
    return one.count("entered") + one.count("held_out")


def _ended(one: JourneyDay) -> int:
    return one.count("completed") + one.count("exited") + one.count("failed")


def _attempts(one: JourneyDay) -> int:
    return one.count("sent") + one.count("suppressed")


def _questions(
    series: _Series, *, is_live: bool, stood: date | None
) -> Iterator[_Question]:
    yield from _counted(
        series,
        "entries",
        _entries,
        is_live=is_live,
        stood=stood,
        definition="runs that began in the journey, held-out ones too",
    )
    for reason in _reasons(series, "failed"):
        yield from _shared(
            series,
            "failures",
            reason,
            lambda one, reason=reason: (  # type: ignore[misc]
                one.count("failed", reason),
                _ended(one),
            ),
            worse="up",
            definition="of the runs that ended, those that ended by a fault"
            + (f", {reason}" if reason else ""),
        )
    for reason in _reasons(series, "suppressed"):
        yield from _shared(
            series,
            "suppressions",
            reason,
            lambda one, reason=reason: (  # type: ignore[misc]
                one.count("suppressed", reason),
                _attempts(one),
            ),
            both=not reason,
            worse="up",
            definition="of the messages that were due, those that were suppressed"
            + (f", {reason}" if reason else ""),
        )
    for reason in _reasons(series, "undelivered"):
        yield from _shared(
            series,
            "undelivered",
            reason,
            lambda one, reason=reason: (  # type: ignore[misc]
                one.count("undelivered", reason),
                max(one.count("sent"), one.count("undelivered", reason)),
            ),
            worse="up",
            definition="of as many messages as were released that day, how many were "
            "found not to have arrived" + (f", {reason}" if reason else ""),
        )
    goals = sorted(
        {goal for one in series.until(series.day, READ_DAYS) for goal in one.reached}
    )
    for goal in goals[:_REASONS]:
        yield from _converted(series, goal)
        if is_live and (stood is None or stood < series.day):
            yield from _unreached(series, goal)


def _reasons(series: _Series, kind: str) -> list[str | None]:
    """None, which is all of them, and each reason if there are several."""
    totals: dict[str, int] = {}
    for one in series.until(series.day, LONGEST + _WEEK):
        for reason, count in one.counts.get(kind, {}).items():
            totals[reason] = totals.get(reason, 0) + count
    if not totals:
        return []
    by_count = sorted(totals, key=lambda reason: (-totals[reason], reason))
    return [None, *(by_count[:_REASONS] if len(by_count) > 1 else ())]


def _counted(
    series: _Series,
    figure: Figure,
    count: Callable[[JourneyDay], int],
    *,
    is_live: bool,
    stood: date | None,
    definition: str,
) -> Iterator[_Question]:
    for length in (1, _WEEK):
        since = series.day - timedelta(days=length - 1)
        window = [count(one) for one in series.until(series.day, length)]
        before = since - timedelta(days=1)
        history = [count(one) for one in series.until(before, LONGEST)]
        outlook = count_outlook(history, days=length)
        if outlook is None or len(window) < length:
            continue
        is_running = is_live and (stood is None or stood < since)
        if not is_running and sum(window) < outlook.mean:
            continue  # somebody wants it so
        known = [count(one) for one in series.until(before, READ_DAYS)]
        yield _Question(
            "drift" if length > 1 else "anomaly",
            figure,
            series.journey,
            "",
            since,
            series.day,
            _lasting(window, outlook),
            outlook,
            both=True,
            worse="down",
            definition=definition,
            usual=_usual(known, length),
        )


def _usual(history: Sequence[int], days: int) -> tuple[int, int]:
    """Between which counts so many days are nothing new, whatever is to be expected.

    Some journeys are entered in bursts, on days that nobody can foretell. There a day
    without entries is none to wonder at, nor is another burst, if it isn't far larger.
    What only one of the last eight weeks was like may have been a fault.
    """
    totals = [
        sum(history[end - days : end]) for end in range(len(history), days - 1, -1)
    ]
    alike = sorted(totals[_WEEK - days :: _WEEK][: LONGEST // _WEEK])
    low = alike[1] if len(alike) > 1 else 0
    is_in_bursts = sum(not count for count in history) > len(history) / 2
    return low, round(_BURST * max(totals)) if is_in_bursts else 0


def _shared(
    series: _Series,
    figure: Figure,
    reason: str | None,
    share: Callable[[JourneyDay], tuple[int, int]],
    *,
    worse: Direction,
    definition: str,
    both: bool = False,
) -> Iterator[_Question]:
    for length in (1, _WEEK):
        since = series.day - timedelta(days=length - 1)
        before = since - timedelta(days=1)
        window = series.share_until(series.day, length, share)
        history = series.share_until(before, LONGEST, share)
        yield from _share_question(
            series,
            figure,
            reason or "",
            window,
            history,
            since,
            worse,
            definition,
            both,
        )


def _share_question(
    series: _Series,
    figure: Figure,
    reason: str,
    window: Sequence[tuple[int, int]],
    history: Sequence[tuple[int, int]],
    since: date,
    worse: Direction,
    definition: str,
    both: bool,
) -> Iterator[_Question]:
    outlook = share_outlook(history, [n for _, n in window])
    if outlook is None:
        return
    yield _Question(
        "drift" if len(window) > 1 else "anomaly",
        figure,
        series.journey,
        reason,
        since,
        since + timedelta(days=len(window) - 1),
        _lasting([x for x, _ in window], outlook),
        outlook,
        both=both,
        worse=worse,
        definition=definition,
    )


def _lasting(window: Sequence[int], outlook: Outlook) -> int:
    """What a window comes to; of several days, with the one furthest out set to its mean.

    A week isn't drifting because one day of it was bad: that day was an anomaly.
    """
    if len(window) == 1:
        return window[0]
    off = [seen - mean for seen, mean in zip(window, outlook.days, strict=True)]
    is_more = sum(off) > 0
    extreme = max(off) if is_more else min(off)
    return round(sum(window) - extreme)


def _converted(series: _Series, goal: str) -> Iterator[_Question]:
    """Ask for the share of runs that reach a goal, of the latest whose time is over."""
    within = _within(series, goal)
    if within is None:
        return
    last = series.day - timedelta(days=within)
    back = min(LONGEST + _WEEK, (last - series.first).days + 1)
    shares = []
    for ago in range(back - 1, -1, -1):
        on = last - timedelta(days=ago)
        found = cohort(series.days, series.journey, goal, on=on, within=within)
        shares.append((found.reached, found.entered))
    span = "the same day" if not within else f"{within} days"
    definition = (
        f"of the runs that began then, held-out ones left out, those that reached {goal} "
        f"within {span}"
    )
    for length in (1, _WEEK):
        window, history = shares[-length:], shares[:-length]
        yield from _share_question(
            series,
            "conversion",
            goal,
            window,
            history[-LONGEST:],
            last - timedelta(days=length - 1),
            "down",
            definition,
            True,
        )


def _unreached(series: _Series, goal: str) -> Iterator[_Question]:
    """Ask whether a goal that is reached as a rule is not reached at all any more.

    A share must wait until the time of its runs is over; that a goal's event doesn't come
    shows at once. Fewer than usual say nothing here: fewer may have begun.
    """

    def reached(one: JourneyDay) -> int:
        return one.count("goal", goal)

    for length in (1, _WEEK):
        since = series.day - timedelta(days=length - 1)
        if any(map(reached, series.until(series.day, length))):
            continue
        before = since - timedelta(days=1)
        history = [*map(reached, series.until(before, LONGEST))]
        outlook = count_outlook(history, days=length)
        if outlook is None:
            continue
        yield _Question(
            "drift" if length > 1 else "anomaly",
            "conversion",
            series.journey,
            goal,
            since,
            series.day,
            0,
            outlook,
            both=False,
            worse="down",
            definition=f"times that {goal} was reached, by whoever had begun, held-out "
            "runs too",
            usual=_usual([*map(reached, series.until(before, READ_DAYS))], length),
        )


def _within(series: _Series, goal: str) -> int | None:
    """In how many days half of those reach a goal who do within four weeks."""
    longest = _WITHIN[-1]
    end = series.day - timedelta(days=longest)
    totals = dict.fromkeys(_WITHIN, 0)
    for ago in range(min(LONGEST, (end - series.first).days + 1)):
        on = end - timedelta(days=ago)
        for within in _WITHIN:
            found = cohort(series.days, series.journey, goal, on=on, within=within)
            totals[within] += found.reached
    if not totals[longest]:
        return None
    return next(
        within
        for within in _WITHIN
        if totals[within] >= _HALF * totals[longest] or within == longest
    )


# --- what is answered -----------------------------------------------------------------


def _judged(
    question: _Question,
    days: Mapping[date, Day],
    day: date,
    sensitivity: Sensitivity,
    tests: int,
) -> Finding | None:
    outlook, seen = question.outlook, question.seen
    direction: Direction = "up" if seen > outlook.mean else "down"
    if not question.both and direction != question.worse:
        return None
    if abs(seen - outlook.mean) < LEAST:
        return None
    if not _matters(seen, outlook, FACTORS[sensitivity]):
        return None
    low, high = question.usual
    if (seen >= low) if direction == "down" else (seen <= high):
        return None
    far = outlook.at_least if direction == "up" else outlook.at_most
    chance = far(seen)
    if chance > 1 / (FALSE_ALARM_DAYS[sensitivity] * max(1, tests)):
        return None
    low, high = outlook.range(_RANGE)
    return Finding(
        question.kind,
        question.figure,
        day,
        question.journey,
        question.reason,
        direction,
        question.since,
        question.until,
        seen,
        outlook.mean,
        low,
        high,
        outlook.of,
        chance,
        direction == question.worse,
        _new_version(days, question),
        _in_words(question),
    )


def _in_words(question: _Question) -> str:
    definition = question.definition[:1].upper() + question.definition[1:]
    if question.kind == "drift" and question.seen:
        return (
            f"{definition}: of seven days, with the one that is furthest out set to what "
            "was expected of it."
        )
    return f"{definition}."


def _matters(seen: int, outlook: Outlook, factor: float) -> bool:
    """Whether a count, or the odds of a share, is off by at least this factor."""
    expected = max(outlook.mean, 0.1)
    ratio = (seen + 0.1) / expected
    if outlook.of is not None:
        rest = max(outlook.of - outlook.mean, 0.1)
        ratio *= rest / (outlook.of - seen + 0.1)
    return ratio >= factor or ratio <= 1 / factor


def _new_version(days: Mapping[date, Day], question: _Question) -> str:
    """Which version had its first entry in the window, or in the week before."""
    before: set[str] = set()
    fresh: dict[str, date] = {}
    for day in sorted(days):
        journey = days[day].journeys.get(question.journey)
        if day > question.until or journey is None:
            continue
        for version in journey.versions:
            if version in before:
                continue
            if before and day >= question.since - timedelta(days=_WEEK):
                fresh[version] = day
            before.add(version)
    return "; ".join(
        f"version {version} began on {day}" for version, day in fresh.items()
    )


def _silence(days: Mapping[date, Day], day: date) -> Finding | None:
    """Nothing was decided at all, on a day on which something is decided as a rule."""
    known = days.get(day)
    if known is not None and known.decisions:
        return None
    first = min((one for one in days if days[one].decisions), default=day)
    history = [
        found.decisions if (found := days.get(day - timedelta(days=ago))) else 0
        for ago in range(min(LONGEST, (day - first).days), 0, -1)
    ]
    week = history[-LONGEST:]
    busy = sum(count > 0 for count in week)
    if len(week) < _WEEK or busy < len(week) / 2:
        return None
    since = day
    while (since - timedelta(days=1)) > first and not (
        (found := days.get(since - timedelta(days=1))) and found.decisions
    ):
        since -= timedelta(days=1)
    usual = median(count for count in week if count)
    return Finding(
        "silence",
        "silence",
        day,
        "",
        "",
        "down",
        since,
        day,
        0,
        usual,
        min(count for count in week if count),
        max(week),
        None,
        # Laplace's rule of succession: of so many days, so many were silent.
        (len(week) - busy + 1) / (len(week) + 2),
        True,
        "",
        "Decisions in the log on that day, about anything but test traffic.",
    )


def _of_objective(objective: ObjectiveFigures, day: date) -> Iterator[Finding]:
    """A target that was missed, and a figure that has left its own history."""
    value = objective.value
    if value is None:
        return
    better: Direction = "up" if objective.aim == "at_least" else "down"
    worse: Direction = "down" if better == "up" else "up"
    if objective.status == "missed":
        yield _objective_finding(
            objective, day, worse, objective.target, objective.target, 0.0, True
        )
        return
    readings = [one.value for one in objective.history if one.value is not None]
    at = objective.at
    if at is not None and objective.history and objective.history[-1].at >= at:
        readings = readings[:-1]  # the last one is the value itself
    if len(readings) < _READINGS:
        return
    if objective.expected is not None:  # it adds up: what counts is by how much
        steps = [b - a for a, b in itertools.pairwise(readings)]
        usual, seen = median(steps), value - readings[-1]
        spread = _mad(steps)
        if seen < usual:  # the last span is not over yet
            return
        middle = readings[-1] + usual
    else:
        usual, seen, spread = median(readings), value, _mad(readings)
        middle = usual
    spread = max(spread, abs(usual) * 0.01, 1e-9)
    z = (seen - usual) / spread
    outside = value > max(readings) or value < min(readings)
    if abs(z) < _Z_READING or not outside:
        return
    direction: Direction = "up" if z > 0 else "down"
    yield _objective_finding(
        objective,
        day,
        direction,
        middle,
        middle + math.copysign(3 * spread, z),
        normal_beyond(z),
        direction == worse,
    )


def _objective_finding(
    objective: ObjectiveFigures,
    day: date,
    direction: Direction,
    expected: float,
    edge: float,
    chance: float,
    is_worse: bool,
) -> Finding:
    note = ""
    if objective.status in ("missed", "behind"):
        note = f"its target, {objective.aim.replace('_', ' ')} {objective.target:g}, "
        note += (
            f"was for {objective.by}"
            if objective.status == "missed"
            else f"is for {objective.by}"
        )
    return Finding(
        "objective",
        "objectives",
        day,
        "",
        objective.id,
        direction,
        day,
        day,
        objective.value or 0.0,
        expected,
        min(expected, edge),
        max(expected, edge),
        None,
        chance,
        is_worse,
        note,
        objective.definition,
    )


def _mad(values: Sequence[float]) -> float:
    """The median deviation from the median, as of a normal's standard deviation."""
    middle = median(values)
    return 1.4826 * median(abs(value - middle) for value in values)


def _without_doubles(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out drift of what is an anomaly today, and a sum whose parts say more."""
    anomalies = {one.key for one in findings if one.kind == "anomaly"}
    kept = [one for one in findings if one.kind != "drift" or one.key not in anomalies]
    detailed = {
        (one.kind, one.figure, one.journey, one.direction)
        for one in kept
        if one.reason and one.figure in ("failures", "suppressions", "undelivered")
    }
    return [
        one
        for one in kept
        if one.reason
        or one.figure not in ("failures", "suppressions", "undelivered")
        or (one.kind, one.figure, one.journey, one.direction) not in detailed
    ]
