"""First entries: who came into which group, when, and what became of them.

Everybody counts once for some journeys, from their first entry into one of them, in the
group they came into with it. What they reached is added up by the day on which their time
was over, which is all that a comparison needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from journeykit.insight.periods import DAY_MS
from journeykit.insight.stats.tails import binomial_at_least, binomial_at_most
from journeykit.insight.tables import number_at
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Holdout, Journey
from journeykit.model.triggers import EventTrigger

_OTHER_SHARE = 1e-6  # less likely than that, a version held out another share


class Entered(NamedTuple):
    """First entries of one day, share and group.

    Attributes:
        day: The day, counted from 1970-01-01 UTC.
        share: The share that was held out, 0 to 1.
        held_out: Whether these people were.
        people: How many they are.
        switched: How many of them came into the other group by a later entry.
        is_checked: Whether the share is known, and not only counted.
    """

    day: int
    share: float
    held_out: bool
    people: int
    switched: int
    is_checked: bool


class Reached(NamedTuple):
    """What became of people whose time was over on one day, by share and group.

    Attributes:
        day: The day, counted from 1970-01-01 UTC.
        share: The share that was held out, 0 to 1.
        held_out: Whether these people were.
        people: How many they are.
        reached: How many of them reached it.
        value: What that was worth in all.
        squares: The sum of each person's value, squared.
    """

    day: int
    share: float
    held_out: bool
    people: int
    reached: int
    value: float
    squares: float


# Who was erased has no events any more, their entry's neither. It is asked of the entry
# alone: what comes later, such as reports on messages, only those treated may have.
KNOWN = """(
    not list_contains($archived, journey) or event in (select event from events)
)"""
"""In SQL: whether what a run's person did afterwards would be in the archive."""


def _first(where: str = "true") -> str:
    """In SQL: everybody's first entry, of those of which `where` holds."""
    return f"""
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
        where place = 1 and {where}
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

_REACHED = """
select
    (f.entered_ms + $within) // 86400000 as day, f.journey, f.version, f.held_out,
    count(*),
    count(r.person), coalesce(sum(r.worth), 0), coalesce(sum(r.worth * r.worth), 0)
from first f left join reached r using (person)
where f.entered_ms + $within <= $end
group by all
order by all
"""


class FirstEntries:
    """Everybody's first entry into some journeys that hold out the same people.

    The definitions are of today. An older version may have held out another share, or
    nobody; the counts say so where it could hardly be chance.

    Attributes:
        problems: What was found of older versions, a sentence each.
    """

    def __init__(self, house: Warehouse, journeys: Sequence[Journey]) -> None:
        """Find which share each version held out.

        Args:
            house: The logs.
            journeys: The definitions.
        """
        self.problems: list[str] = []
        self._house = house
        self._journeys = journeys
        self._shares: dict[tuple[str, int], float] = {}
        self._unchecked: set[tuple[str, int]] = set()
        self._left_out: list[str] = []
        self._find_shares(held_out_share(journeys[0]))

    def _find_shares(self, share: float) -> None:
        rows = self._rows(
            f"""
            with {_first()}
            select journey, version, count(*), count(*) filter (held_out)
            from first group by all order by all
            """
        )
        latest = {journey: version for journey, version, *_ in rows}
        for journey, version, people, held_out in rows:
            self._shares[journey, version] = share
            chance = min(
                binomial_at_most(held_out, people, share),
                binomial_at_least(held_out, people, share),
            )
            if version == latest[journey] or chance > _OTHER_SHARE:
                continue  # of the latest it is a mismatch, which the check finds
            if held_out in (0, people):
                self._left_out.append(_pair(journey, version))
                whom = "nobody" if held_out == 0 else "everybody"
                self.problems.append(
                    f"{people:,} people entered version {version} of {journey} first, "
                    f"which held {whom} out: they are left out"
                )
                continue
            self._shares[journey, version] = held_out / people
            self._unchecked.add((journey, version))
            self.problems.append(
                f"version {version} of {journey} held out {held_out / people:.1%} and "
                f"not {share:.1%}: its people are weighted by that, and whether it was "
                "meant can't be checked"
            )

    def daily(self) -> Iterator[Entered]:
        """Count the entries by day, share and group."""
        for day, journey, version, held_out, people, switched in self._rows(
            f"""
            with {_first()}
            select
                entered_ms // 86400000, journey, version, held_out, count(*),
                count(*) filter (switched)
            from first group by all order by all
            """
        ):
            key = journey, version
            is_checked = key not in self._unchecked
            yield Entered(
                day, self._shares[key], held_out, people, switched, is_checked
            )

    def too_early(self, within_days: float) -> int:
        """Count the people for whom so many days are not over yet."""
        if self._house.span is None:
            return 0
        ((count,),) = self._rows(
            f"""
            with {_first()}
            select count(*) from first where entered_ms + $within > $end
            """,
            **self._window(within_days),
        )
        return int(count)

    def by_goals(
        self, goals: Iterable[tuple[str, str]], within_days: float
    ) -> list[Reached]:
        """Add up who reached any of these goals, and what they were worth.

        Args:
            goals: Journey and goal; a goal counts where the person entered its journey.
            within_days: For how long after the first entry it counts.
        """
        return self._reached(
            f"with {_first()}, {_BY_GOAL} {_REACHED}",
            within_days,
            goals=[_pair(journey, goal) for journey, goal in goals],
        )

    def by_event(
        self, name: str, within_days: float, *, value: str | None = None
    ) -> list[Reached]:
        """Add up who had an event of the archive, and what it was worth.

        Args:
            name: The event's name.
            within_days: For how long after the first entry it counts.
            value: The property that says what it is worth; None: nothing does.
        """
        return self._reached(
            f"with {_first(KNOWN)}, {_BY_EVENT} {_REACHED}",
            within_days,
            event=name,
            # The whole object is no number.
            path="$" if value is None else f'$."{value}"',
            archived=entered_by_events(self._house, self._journeys),
        )

    def archive_problems(self) -> Iterator[str]:
        """Say where the archive of events doesn't reach."""
        house = self._house
        (begin,) = house.row("select min(received_ms) from events where not test")
        if begin is None:
            yield "there is no event archive, so nothing can be compared by an event"
            return
        ((early, unknown),) = self._rows(
            f"""
            with {_first()}
            select count(*) filter (is_known and entered_ms < $begin),
                count(*) filter (not is_known)
            from (select entered_ms, {KNOWN} as is_known from first)
            """,
            begin=begin,
            archived=entered_by_events(house, self._journeys),
            left_out=[],
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

    def _reached(
        self, query: str, within_days: float, **parameters: object
    ) -> list[Reached]:
        return [
            Reached(day, self._shares[journey, version], *sums)
            for day, journey, version, *sums in self._rows(
                query, **self._window(within_days), **parameters
            )
        ]

    def _window(self, within_days: float) -> dict[str, object]:
        span = self._house.span
        return {"within": int(within_days * DAY_MS), "end": span[1] if span else 0}

    def _rows(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Rows about these journeys, without the versions that are left out."""
        return self._house.rows(
            query,
            {
                "journeys": [each.id for each in self._journeys],
                "left_out": self._left_out,
                **parameters,
            },
        )


def held_out_share(journey: Journey) -> float:
    """The share held out, 0 to 1, as finely as the engine's ten thousand buckets are."""
    if journey.holdout is None:
        return 0.0
    return round(cast(Holdout, journey.holdout).share * 100) / 10_000


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


def _pair(journey: str, name: str | int) -> str:
    """A journey with its version or goal, as one value in SQL."""
    return f"{journey}\x1f{name}"
