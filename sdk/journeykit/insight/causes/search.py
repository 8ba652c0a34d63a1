"""The search for what goes with leaving a journey."""

from __future__ import annotations

from collections.abc import Iterable

from journeykit.errors import InputError
from journeykit.insight.causes.comparison import FEWEST_EXPECTED, judged, tested_of
from journeykit.insight.causes.factors import Causes, Churn, Leaving
from journeykit.insight.causes.facts import gather
from journeykit.insight.causes.places import Where, places_of
from journeykit.insight.causes.runs import leaving_of, look, totals
from journeykit.insight.stats.intervals import LEVEL
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey
from journeykit.model.mapping import Touchpoint
from journeykit.model.segments import Persona

MOST_RUNS = 200_000
"""More are looked at by a sample of the people."""


def causes(
    house: Warehouse,
    journey: Journey,
    *,
    touchpoints: Iterable[Touchpoint] = (),
    personas: Iterable[Persona] = (),
    churn: Churn | None = None,
    zone: str | None = None,
    most_runs: int = MOST_RUNS,
    level: float = LEVEL,
) -> Causes:
    """Look for what goes with leaving a journey.

    Without `churn` a run is left if it is over and its goals are not reached; of a
    journey without goals that starts anew with every entry, if that doesn't happen;
    else, if it ends before its last step.

    Args:
        house: The logs.
        journey: The definition.
        touchpoints: The workspace's, for their friction.
        personas: The workspace's, by their segments.
        churn: The event that tells who left, or whose absence does.
        zone: Whose hours and weekdays; the journey's own zone, or UTC.
        most_runs: Of more runs those of a sample of the people are looked at.
        level: How sure the intervals are to be; of those associated at most the rest is
            a false discovery.

    Raises:
        InputError: The time within which somebody churns isn't positive, or there is no
            archive in which the event could be.
    """
    if churn is not None and not 0 < churn.within_days <= 3660:
        raise InputError(
            f"churn is looked for between 0 and 3,660 days, not {churn.within_days:g}",
            place="within",
        )
    has_archive = house.row("select count(*) > 0 from events") == (True,)
    if churn is not None and not has_archive:
        raise InputError(
            "there is no event archive, in which events would say who left; leave out "
            "--churn and --silent, or say where the archive is"
        )
    leaving = leaving_of(journey, churn)
    problems = list(look(house, journey, leaving, churn, most_runs))
    left, people, undecided = totals(house, level)
    at = Where.of(journey, touchpoints)
    # Where all were left, or none, nothing goes with it.
    is_worth_it = FEWEST_EXPECTED <= left.count <= left.of - FEWEST_EXPECTED
    gather(house, at, personas, zone or journey.zone or "UTC", is_whole=is_worth_it)
    if not has_archive:
        problems.append(
            "there is no event archive, so the entry's properties were not looked at"
        )
    tested, too_few = tested_of(house)
    return Causes(
        journey=journey.id,
        leaving=leaving,
        left=left,
        people=people,
        undecided=undecided,
        factors=tuple(judged(tested, at, level)),
        looked_at=len(tested),
        too_few=too_few,
        places=tuple(places_of(house, journey, at, level))
        if leaving != "silence"
        else (),
        level=level,
        problems=tuple(problems),
        definition=_definition(journey, leaving, churn),
    )


def _definition(journey: Journey, leaving: Leaving, churn: Churn | None) -> str:
    id = journey.id
    how = {
        "no_goal": "it is over, and no goal of the journey was reached in its time",
        "not_back": "it ended otherwise than by a new entry of the same customer",
        "ended_early": "it was exited or failed before it came to its end",
    }.get(leaving)
    if churn is not None:
        has = "no" if churn.is_silence else "an"
        how = (
            f"its customer had {has} event {churn.event} within {churn.within_days:g} "
            "days of the entry"
        )
    return (
        f"Of the runs of {id} that are over or whose time is, a run is left if {how}. "
        "Each factor compares the runs of which it is true with the others of which it "
        "is known. Held-out people and test traffic are left out. What is found is "
        "associated with leaving, and need not cause it."
    )
