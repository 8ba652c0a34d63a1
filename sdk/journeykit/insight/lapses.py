"""How many come back by themselves: the number that must stand beside every win-back.

Whoever writes to customers who went silent sees some of them return, and takes it for a
success. Most would have returned anyway. On the recorded year of shopping that the demo
replays, nothing that is sent can change anything, and yet 44.5 % of those who have been
silent for 30 days shop again within the next 14.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from journeykit.insight.periods import DAY_MS
from journeykit.insight.stats.intervals import LEVEL, Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey, ReEntry
from journeykit.model.steps import Send

RETURN_DAYS = 14.0
"""Within how many days somebody counts as returned, unless it is asked otherwise."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How many came back after a journey's first message was due.

    Attributes:
        journey: The journey.
        step: Its first Send: whoever comes here has done nothing for as long as the
            journey waits before it.
        within_days: Within how many days they came back.
        returned: Of the runs that came to the step, those whose customer entered the
            journey anew in time.
        too_early: Runs that came to the step so late that the log ends before the days
            are over; they count nowhere.
        natural: Whether nothing that was sent could change it, the events being recorded
            ones; else it holds what the messages did too.
        definition: What is counted.
    """

    journey: str
    step: str
    within_days: float
    returned: Share
    too_early: int
    natural: bool
    definition: str


def baselines(
    house: Warehouse,
    journeys: Iterable[Journey],
    *,
    within_days: float = RETURN_DAYS,
    level: float = LEVEL,
) -> tuple[Baseline, ...]:
    """Count who came back, for each journey that starts anew with every return.

    These are the journeys with `reentry="restart"`: they wait for a silence, which every
    new entry ends.
    """
    found = []
    for journey in journeys:
        step = first_send(journey)
        restarts = cast(ReEntry, journey.reentry).mode == "restart"
        if not restarts or step is None or house.span is None:
            continue
        came, returned, too_early = house.row(
            """
            with came as (
                select v.person, v.run, min(v.arrived_ms) as arrived_ms,
                    -- The run's own entry is no return, even if it sends at once.
                    greatest(min(v.arrived_ms), any_value(r.entered_ms) + 1) as from_ms
                from visits v join runs r using (run)
                where v.journey = $journey and v.step = $step and not v.test
                group by v.person, v.run
            ),
            entries as (
                select person, entered_ms from runs
                where journey = $journey and not test
            ),
            followed as (
                select c.arrived_ms, e.entered_ms as back_ms
                from came c asof left join entries e
                    on c.person = e.person and e.entered_ms >= c.from_ms
            )
            select
                count(*) filter (arrived_ms + $within <= $end),
                count(*) filter (
                    arrived_ms + $within <= $end and back_ms <= arrived_ms + $within
                ),
                count(*) filter (arrived_ms + $within > $end)
            from followed
            """,
            {
                "journey": journey.id,
                "step": step,
                "within": int(within_days * DAY_MS),
                "end": house.span[1],
            },
        )
        found.append(
            Baseline(
                journey=journey.id,
                step=step,
                within_days=within_days,
                returned=Share.from_counts(returned, came, level=level),
                too_early=too_early,
                natural=house.replayed,
                definition=_definition(journey.id, step, within_days, house.replayed),
            )
        )
    return tuple(found)


def first_send(journey: Journey) -> str | None:
    """The id of the first step of a journey that sends; None if none does."""
    return next((step.id for step in journey.walk() if isinstance(step, Send)), None)


def _definition(journey: str, step: str, days: float, replayed: bool) -> str:
    said = (
        f"Of the runs of {journey} that came to its first message ({step}), sent or not, "
        f"those whose customer entered {journey} again within {days:g} days; runs that "
        "came there later than that before the log's end, and test traffic, are left out."
    )
    if replayed:
        return (
            f"{said} The events were recorded before, so no message had a part in it."
        )
    return (
        f"{said} What the messages themselves did is in it: a holdout tells it apart."
    )
