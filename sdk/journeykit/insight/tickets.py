"""What tickets say: how many, about what, and how long they were open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from journeykit.engine.calendar import to_datetime
from journeykit.insight.periods import Per, beginning
from journeykit.insight.ratings import Rating, rating_of, stars
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.events import TICKET_CLOSED, TICKET_OPENED


@dataclass(frozen=True, slots=True)
class TicketCount:
    """Tickets of a topic, a priority, a week or a month.

    Attributes:
        name: The topic or priority; empty: not said.
        starts_at: The week or month in which they were opened; None: whenever.
        opened: How many.
        closed: How many of these are closed.
    """

    name: str
    starts_at: datetime | None
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class Tickets:
    """What tickets say.

    Attributes:
        opened: Tickets that were opened.
        people: By how many people.
        share_of_people: These, of the people whom the logs know.
        closed: The closed, of the opened.
        reopened: Tickets that were opened again after they had been closed.
        median_minutes: How long half of the closed took, at most.
        rating: What people said of how they were helped.
        topics: By topic, the most first.
        priorities: By priority, the most urgent first.
        per: What the trend goes by.
        trend: By the week or month in which they were opened.
        definition: What is counted, over whom, in which window.
    """

    opened: int
    people: int
    share_of_people: Share
    closed: Share
    reopened: int
    median_minutes: float | None
    rating: Rating
    topics: Sequence[TicketCount]
    priorities: Sequence[TicketCount]
    per: Per
    trend: Sequence[TicketCount]
    definition: str


_TICKETS = """
create or replace temp table tickets as
with told as (
    select person, happened_ms, name = $opened as opens,
        coalesce(properties->>'$.ticket', '') as ticket,
        coalesce(properties->>'$.topic', '') as topic,
        coalesce(properties->>'$.priority', '') as priority,
        TRY_CAST(properties->>'$.minutes' AS DOUBLE) as minutes
    from events
    where name in ($opened, $closed) and not test
        and ($since is null or happened_ms >= $since)
),
first as (
    select ticket, min(happened_ms) filter (opens) as opened_ms,
        arg_min(person, happened_ms) filter (opens) as person,
        arg_min(topic, happened_ms) filter (opens) as topic,
        arg_min(priority, happened_ms) filter (opens) as priority
    from told where ticket <> '' group by ticket
),
closings as (
    select t.ticket, min(t.happened_ms) as closed_ms,
        arg_min(t.minutes, t.happened_ms) as minutes
    from told t join first f using (ticket)
    where not t.opens and t.happened_ms >= f.opened_ms
    group by t.ticket
)
select f.*, c.closed_ms,
    coalesce(c.minutes, (c.closed_ms - f.opened_ms) / 60000.0) as minutes,
    exists (
        select 1 from told t
        where t.ticket = f.ticket and t.opens and t.happened_ms > c.closed_ms
    ) as is_reopened
from first f left join closings c using (ticket)
where f.opened_ms is not null
"""

_PRIORITIES = ("urgent", "high", "normal", "low")


def ticket_figures(house: Warehouse, per: Per) -> Tickets | None:
    """Count the tickets; None: there are none.

    Args:
        house: The logs.
        per: What the trend goes by.
    """
    asked = {
        "opened": TICKET_OPENED,
        "closed": TICKET_CLOSED,
        "since": house.scope.since,
    }
    house.execute(_TICKETS, asked)
    opened, people, closed, reopened, minutes = house.row(
        "select count(*), count(distinct person), count(closed_ms), "
        "count(*) filter (is_reopened), median(minutes) from tickets"
    )
    if not opened:
        house.execute("drop table tickets")
        return None
    (known,) = house.row(
        """
        select count(*) from (
            select person from events where not test
            union select person from runs where not test
        )
        """
    )
    rated = house.rows(
        f"""
        select {stars("e")} as stars, count(*) from events e
        where e.name = $closed and not e.test
            and ($since is null or e.happened_ms >= $since) and stars is not null
        group by all
        """,
        {"closed": TICKET_CLOSED, "since": house.scope.since},
    )

    def counted(column: str) -> list[TicketCount]:
        return [
            TicketCount(
                name if isinstance(name, str) else "",
                to_datetime(name) if isinstance(name, int) else None,
                *counts,
            )
            for name, *counts in house.rows(
                f"select {column} as one, count(*), count(closed_ms) from tickets "
                "group by one order by 2 desc, 1"
            )
        ]

    priorities = counted("priority")
    rank = {name: n for n, name in enumerate(_PRIORITIES)}
    figures = Tickets(
        opened,
        people,
        Share.from_counts(people, known),
        Share.from_counts(closed, opened),
        reopened,
        minutes,
        rating_of(rated),
        counted("topic"),
        sorted(priorities, key=lambda one: rank.get(one.name, len(rank))),
        per,
        sorted(
            counted(beginning("opened_ms", per)),
            key=lambda one: one.starts_at.timestamp() if one.starts_at else 0.0,
        ),
        f"Tickets by their `ticket`, each once, from its first `{TICKET_OPENED}` to the "
        f"first `{TICKET_CLOSED}` behind it; how long it was open is `minutes` if that "
        "says so. Test traffic is left out.",
    )
    house.execute("drop table tickets")
    return figures
