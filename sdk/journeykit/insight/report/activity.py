"""How much happened, week by week: what stands at the head of the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from journeykit.insight.charts.numbers import DAY, counted
from journeykit.insight.warehouse import Warehouse

_MONDAY = 4 * DAY  # 1970-01-05
_BY_DAY = 70 * DAY  # a log that is no longer than this is shown by day
_EVENTS = 12


@dataclass(frozen=True, slots=True)
class EventCount:
    """One kind of event in the archive.

    Attributes:
        name: The event's.
        count: How many there are.
        people: Of how many people; those whom no decision knows among them.
    """

    name: str
    count: int
    people: int


@dataclass(frozen=True, slots=True)
class Activity:
    """How much happened.

    Attributes:
        people: People with a run.
        entered: Runs that began, held out or not.
        sent: Messages released.
        goals: Goals reached by runs that were not held out, each once for each run.
        per: What `starts` are: `day` or `week`.
        starts: When each whole day or week begins, in milliseconds; those of which the
            log has a part only are left out.
        entered_by: By journey, runs that began in each.
        sent_by: Messages released in each.
        goals_by: Goals reached in each.
        events: The most frequent kinds of events.
        kinds: How many kinds of events there are.
        definition: What is counted.
    """

    people: int
    entered: int
    sent: int
    goals: int
    per: str
    starts: Sequence[int]
    entered_by: Mapping[str, Sequence[int]]
    sent_by: Sequence[int]
    goals_by: Sequence[int]
    events: Sequence[EventCount]
    kinds: int
    definition: str


def activity(house: Warehouse) -> Activity:
    """Count how much happened."""
    first, last = house.span or (0, 0)
    step = DAY if last - first <= _BY_DAY else 7 * DAY
    begin = -((_MONDAY - first) // step)  # the first that is whole
    end = (last - _MONDAY) // step
    starts = [_MONDAY + step * n for n in range(begin, max(begin, end))]

    def by(sql: str) -> dict[str, list[int]]:
        found: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(starts))
        for name, n, count in house.rows(sql, [_MONDAY, step]):
            if begin <= n < begin + len(starts):
                found[name][n - begin] = count
        return dict(found)

    entered = by(
        "select journey, (entered_ms - ?) // ? as n, count(*) from runs "
        "where not test group by all order by 1"
    )
    sent = by(
        "select '', (sent_ms - ?) // ? as n, count(*) from messages "
        "where not test group by all"
    )
    goals = by(
        "select '', (reached_ms - ?) // ? as n, count(*) from goals "
        "where not test and not held_out group by all"
    )
    people, runs = house.row(
        "select count(distinct person), count(*) from runs where not test"
    )
    (messages,) = house.row("select count(*) from messages where not test")
    (reached,) = house.row("select count(*) from goals where not test and not held_out")
    kinds = house.rows(
        "select name, count(*), count(distinct person) from events where not test "
        "group by name order by 2 desc, 1"
    )
    nothing = [0] * len(starts)
    return Activity(
        people=people,
        entered=runs,
        sent=messages,
        goals=reached,
        per="day" if step == DAY else "week",
        starts=starts,
        entered_by=entered,
        sent_by=sent.get("", nothing),
        goals_by=goals.get("", nothing),
        events=[EventCount(*row) for row in kinds[:_EVENTS]],
        kinds=len(kinds),
        definition=_definition(house, len(starts), "day" if step == DAY else "week"),
    )


def _definition(house: Warehouse, spans: int, per: str) -> str:
    tests = (
        f"{counted(house.test_runs, 'run')} of test traffic left out"
        if house.test_runs
        else "there is no test traffic in the log"
    )
    return (
        "People with a run, runs that began, messages released, and goals reached by "
        f"runs that were not held out, in the whole log; {tests}. The small lines show "
        f"the {counted(spans, f'whole {per}')} in it, UTC."
    )
