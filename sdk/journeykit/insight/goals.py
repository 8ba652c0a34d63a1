"""Goals: who reached them, how soon, and what that is worth.

Counted from the decision log alone. Test runs are left out; people who are held out are
counted beside the others, never among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import (
    start_of_next_month,
    start_of_next_week,
    subtract,
    to_datetime,
)
from journeykit.insight.clusters import (
    Tally,
    mean_interval,
    share_interval,
    tally,
)
from journeykit.insight.stats.intervals import Interval, Share
from journeykit.insight.survival import Curve, curve_of, thinned
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import Duration
from journeykit.model.journey import Goal, Journey


@dataclass(frozen=True, slots=True)
class Reached:
    """How many of some runs reached a goal.

    Attributes:
        entered: Runs that entered, all of them.
        people: The people whose runs these are.
        counted: The runs that `share` is of: all of them or, if the goal has a window,
            those whose window is over.
        reached: How many of the counted reached it.
        share: `reached` of `counted`, 0 to 1; None: none is counted yet.
        interval: Of `share`. Runs of one person are not independent of each other, which
            makes it wider.
        counted_people: The people who have a counted run.
        reached_people: How many of these reached it in any of them.
        share_of_people: `reached_people` of `counted_people`.
        interval_of_people: Of `share_of_people`.
        open: Runs that may still reach it: their window is not over or, where there is no
            window, they are under way.
        reached_early: Runs that reached it although their window is not over, so that
            they are not among the counted.
    """

    entered: int
    people: int
    counted: int
    reached: int
    share: float | None
    interval: Interval | None
    counted_people: int
    reached_people: int
    share_of_people: float | None
    interval_of_people: Interval | None
    open: int
    reached_early: int


@dataclass(frozen=True, slots=True)
class Worth:
    """What reaching a goal was worth, in the currency of the goal's value.

    Attributes:
        known: How many reached goals the log or the archive says the worth of.
        unknown: How many it does not.
        total: The sum.
        median: Of a goal reached.
        per_goal: The mean of a goal reached.
        per_entry: The mean of a counted run, whether it reached the goal or not; a goal
            of unknown worth adds nothing to it, so it is the least that it may be.
        interval: Of `per_entry`.
        per_person: The mean of a person who has a counted run, likewise.
    """

    known: int
    unknown: int
    total: float
    median: float | None
    per_goal: float | None
    per_entry: float | None
    interval: Interval | None
    per_person: float | None


@dataclass(frozen=True, slots=True)
class TimeToConvert:
    """How long runs took from their entry to the goal, in milliseconds.

    Attributes:
        reached: How many runs it is of.
        quarter_ms: A quarter of them took no longer.
        median_ms: Half of them took no longer.
        three_quarters_ms: Three quarters of them took no longer.
        longest_ms: None took longer.
        half_ms: Half of *all* runs had reached it so long after their entry; None: fewer
            than half ever did.
        curve: The share of all runs that had reached it, by the time since the entry.
    """

    reached: int
    quarter_ms: float | None
    median_ms: float | None
    three_quarters_ms: float | None
    longest_ms: float | None
    half_ms: float | None
    curve: Curve


@dataclass(frozen=True, slots=True)
class Span:
    """The runs that entered in one week or month.

    Attributes:
        starts_at: When it begins, UTC.
        entered: Runs that entered in it.
        counted: Those that `share` is of; see `Reached`.
        reached: How many of the counted reached the goal.
        share: `reached` of `counted`.
        interval: Of `share`.
        worth: What goals are worth that runs of this span reached.
        is_partial: The log does not have the whole span, or some of its runs may still
            reach the goal.
    """

    starts_at: datetime
    entered: int
    counted: int
    reached: int
    share: float | None
    interval: Interval | None
    worth: float
    is_partial: bool


@dataclass(frozen=True, slots=True)
class GoalFigures:
    """One goal of one journey.

    Attributes:
        journey: The journey's id.
        goal: The goal's id.
        within: Its window, in the short spelling: `7d`; empty: as long as the run lasts.
        is_declared: The workspace has such a goal; otherwise only the log knows it.
        treated: Runs that were not held out.
        held_out: Runs that were; None if nobody was.
        worth: What reaching it was worth to the treated; None if it has no value.
        time: How long it took the treated.
        per: What `trend` goes by: `week` or `month`.
        trend: The treated by the week or month of their entry, in order.
        definition: What is counted, over whom, in which window.
    """

    journey: str
    goal: str
    within: str
    is_declared: bool
    treated: Reached
    held_out: Reached | None
    worth: Worth | None
    time: TimeToConvert
    per: str
    trend: Sequence[Span]
    definition: str


@dataclass(frozen=True, slots=True)
class JourneyFigures:
    """One journey in numbers.

    `entered` is the sum of `held_out`, `waiting`, `completed`, `exited` and `failed`.

    Attributes:
        journey: The journey's id.
        name: What people call it.
        entered: Runs that entered, held out or not.
        people: The people whose runs these are.
        held_out: Runs that only watch their goal.
        waiting: Runs that are under way.
        completed: Runs that came to the end.
        exited: Runs that ended early.
        failed: Runs that could not go on.
        sent: Messages released.
        suppressed: Messages that were not sent.
        goals: Its goals, in their order.
    """

    journey: str
    name: str
    entered: int
    people: int
    held_out: int
    waiting: int
    completed: int
    exited: int
    failed: int
    sent: int
    suppressed: int
    goals: Sequence[GoalFigures]


@dataclass(frozen=True, slots=True)
class Performance:
    """All journeys in numbers.

    Attributes:
        since_at: Since when entries count; None: the log is empty.
        until_at: Until when it is counted.
        journeys: Those of the workspace in their order, then those that only the log
            knows.
        is_replay: The events were recorded ones: nothing was caused by a message.
        test_runs: Runs of test traffic, which count nowhere.
        definition: What is counted, over whom.
    """

    since_at: datetime | None
    until_at: datetime | None
    journeys: Sequence[JourneyFigures]
    is_replay: bool
    test_runs: int
    definition: str


# How they are counted


def performance(
    house: Warehouse, journeys: Sequence[Journey] = (), *, journey: str | None = None
) -> Performance:
    """Count every journey and its goals.

    Args:
        house: The logs.
        journeys: The definitions, which say the goals' windows and values.
        journey: Only this one.
    """
    definition = (
        "Runs that entered a journey, by where they stand or how they ended; test "
        "traffic is left out, and nothing is sent to people who are held out."
    )
    if house.span is None:
        return Performance(None, None, (), house.replayed, house.test_runs, definition)
    first, last = house.span
    counts = {row[0]: row[1:] for row in house.rows(_COUNTS)}
    messages = dict(house.rows(_SENT))
    unsent = dict(house.rows(_UNSENT))
    declared = {one.id: one for one in journeys}
    known = [*declared, *sorted(counts.keys() - declared.keys())]
    figures = []
    for id in known:
        if journey not in (None, id):
            continue
        entered, people, held_out, waiting, completed, exited, failed = counts.get(
            id, (0,) * 7
        )
        one = declared.get(id)
        figures.append(
            JourneyFigures(
                id,
                one.name if one else "",
                entered,
                people,
                held_out,
                waiting,
                completed,
                exited,
                failed,
                sent=messages.get(id, 0),
                suppressed=unsent.get(id, 0),
                goals=tuple(_goals_of(house, id, one)),
            )
        )
    since = first if house.scope.since is None else max(first, house.scope.since)
    return Performance(
        to_datetime(since),
        to_datetime(last),
        tuple(figures),
        house.replayed,
        house.test_runs,
        definition,
    )


_COUNTS = """
select journey, count(*), count(distinct person),
    count(*) filter (outcome = 'held_out'), count(*) filter (outcome = 'waiting'),
    count(*) filter (outcome = 'completed'), count(*) filter (outcome = 'exited'),
    count(*) filter (outcome = 'failed')
from runs where not test group by journey
"""
_SENT = "select journey, count(*) from messages where not test group by journey"
_UNSENT = "select journey, count(*) from unsent where not test group by journey"


def _goals_of(
    house: Warehouse, journey: str, declared: Journey | None
) -> Iterator[GoalFigures]:
    """Yield the goals that are declared, then those that only the log knows."""
    goals = {goal.id or "": goal for goal in (declared.goals if declared else ())}
    told = house.rows(
        "select distinct goal from goals where journey = ? and not test order by 1",
        [journey],
    )
    for id in [*goals, *(goal for (goal,) in told if goal not in goals)]:
        yield goal_figures(house, journey, id, goals.get(id))


def goal_figures(
    house: Warehouse, journey: str, goal: str, declared: Goal | None = None
) -> GoalFigures:
    """Count one goal of one journey.

    Args:
        house: The logs; not empty.
        journey: The journey's id.
        goal: The goal's id.
        declared: Its definition, which says its window; without it every run counts.
    """
    if house.span is None:
        raise LookupError("the log is empty")
    first, last = house.span
    within = declared.within if declared else None
    cutoff = last if within is None else subtract(last, within, _UTC)
    house.execute("drop table if exists goal_runs")
    longest = None if within is None else within.longest_ms()
    house.execute(
        _GOAL_RUNS,
        {
            "journey": journey,
            "goal": goal,
            "cutoff": cutoff,
            "last": last,
            "longest": longest,
        },
    )
    begins = max(first, house.scope.since or first)
    per = "week" if last - begins <= _WEEKS else "month"
    treated = _reached(house, within, held_out=False)
    held_out = _reached(house, within, held_out=True)
    worth = _worth(house)
    has_value = worth.known > 0 or (declared is not None and declared.value is not None)
    return GoalFigures(
        journey,
        goal,
        within.short if within else "",
        declared is not None,
        treated,
        held_out if held_out.entered else None,
        worth if has_value else None,
        _time(house, longest=longest),
        per,
        tuple(_trend(house, per, first=begins, cutoff=cutoff, last=last)),
        _definition(journey, goal, within),
    )


_UTC = ZoneInfo("UTC")
_WEEKS = 26 * 7 * 86_400_000  # up to half a year is shown by weeks
_BINS = 2000  # times to convert are told apart by so much of the longest
_POINTS = 120  # of a curve that is shown

_GOAL_RUNS = """
create temp table goal_runs as
select
    r.run, r.person, r.held_out, r.entered_ms, r.outcome, g.reached_ms, g.worth,
    g.reached_ms is not null as is_reached, r.entered_ms <= $cutoff as is_counted,
    $last - r.entered_ms as seen_for
from runs r left join goals g on g.run = r.run and g.goal = $goal
    -- An older version of the journey may have had a longer window.
    and ($longest is null or g.reached_ms - r.entered_ms <= $longest)
where r.journey = $journey and not r.test
"""


def _definition(journey: str, goal: str, within: Duration | None) -> str:
    counted = (
        f"within {within.short} of the entry, counted for runs whose {within.short} are "
        "over"
        if within
        else "while the run lasts, counted for all runs that entered"
    )
    return (
        f"Runs of {journey!r} that reached goal {goal!r} {counted}; each once, test "
        "traffic and people who are held out left out."
    )


def _reached(house: Warehouse, within: Duration | None, *, held_out: bool) -> Reached:
    entered, people, early, waiting = house.row(
        """
        select count(*), count(distinct person),
            count(*) filter (is_reached and not is_counted),
            count(*) filter (not is_reached and case when $windowed
                then not is_counted else outcome in ('waiting', 'held_out') end)
        from goal_runs where held_out = $held_out
        """,
        {"windowed": within is not None, "held_out": held_out},
    )
    found = tally(
        house,
        """
        select count(*) as n, count(*) filter (is_reached) as x
        from goal_runs where is_counted and held_out = ? group by person
        """,
        [held_out],
    )
    of_people = Share.from_counts(found.some, found.people)
    return Reached(
        entered,
        people,
        int(found.runs),
        int(found.total),
        found.mean,
        share_interval(found),
        found.people,
        found.some,
        of_people.share,
        of_people.interval,
        waiting,
        early,
    )


def _worth(house: Warehouse) -> Worth:
    known, unknown, total, median = house.row(
        """
        select count(worth), count(*) - count(worth), coalesce(sum(worth), 0),
            median(worth)
        from goal_runs where is_reached and not held_out
        """
    )
    found = tally(
        house,
        """
        select count(*) as n, coalesce(sum(worth), 0) as x
        from goal_runs where is_counted and not held_out group by person
        """,
    )
    return Worth(
        known,
        unknown,
        total,
        median,
        total / known if known else None,
        found.mean,
        mean_interval(found),
        found.total / found.people if found.people else None,
    )


def _time(house: Warehouse, *, longest: int | None) -> TimeToConvert:
    reached, quarter, median, three_quarters, most = house.row(
        """
        select count(*), quantile_cont(took, 0.25), quantile_cont(took, 0.5),
            quantile_cont(took, 0.75), max(took)
        from (
            select (reached_ms - entered_ms)::DOUBLE as took
            from goal_runs where is_reached and not held_out
        )
        """
    )
    # Who can't reach it any more is looked at until the window or the log ends.
    window = longest if longest is not None else 1 << 62
    width = max(1, int(most or 0) // _BINS)
    steps = house.rows(
        """
        select ceil(greatest(took, 0) / $width) * $width as took,
            count(*) filter (is_reached), count(*) filter (not is_reached)
        from (
            select is_reached, (case when is_reached then reached_ms - entered_ms
                else least(seen_for, $window) end)::DOUBLE as took
            from goal_runs where not held_out
        )
        group by 1 order by 1
        """,
        {"width": width, "window": window},
    )
    curve = curve_of(steps)
    half = next((point.after_ms for point in curve.points if point.share >= 0.5), None)
    return TimeToConvert(
        reached,
        quarter,
        median,
        three_quarters,
        most,
        half,
        thinned(curve, most=_POINTS),
    )


def _trend(
    house: Warehouse, per: str, *, first: int, cutoff: int, last: int
) -> Iterator[Span]:
    unit = "week" if per == "week" else "month"
    rows = house.rows(
        f"""
        with by_person as (
            select epoch_ms(date_trunc('{unit}', epoch_ms(entered_ms))) as starts, person,
                count(*) as entered,
                count(*) filter (is_counted) as n,
                count(*) filter (is_counted and is_reached) as x,
                coalesce(sum(worth), 0) as worth
            from goal_runs where not held_out group by 1, 2
        )
        select starts, sum(entered), sum(worth), count(*) filter (n > 0),
            sum(n), sum(x), count(*) filter (x > 0), sum(n::DOUBLE * n),
            sum(n::DOUBLE * x), sum(x::DOUBLE * x)
        from by_person group by starts order by starts
        """
    )
    next_of = start_of_next_week if per == "week" else start_of_next_month
    for starts, entered, worth, *sums in rows:
        of_span = Tally(*sums)
        ends = next_of(starts, _UTC)
        yield Span(
            to_datetime(starts),
            int(entered),
            int(of_span.runs),
            int(of_span.total),
            of_span.mean,
            share_interval(of_span),
            float(worth),
            is_partial=starts < first or ends > min(cutoff, last),
        )
