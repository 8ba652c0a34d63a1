"""Which runs of a journey there are, and which of them were left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from journeykit.insight.causes.factors import Churn, Leaving
from journeykit.insight.entries import KNOWN, entered_by_events
from journeykit.insight.periods import DAY_MS, days_of
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey, ReEntry

_BACK = "('restarted', 'merged')"


def leaving_of(journey: Journey, churn: Churn | None) -> Leaving:
    """Return how leaving such a journey is told."""
    if churn is not None:
        return "silence" if churn.is_silence else "event"
    if journey.goals:
        return "no_goal"
    is_anew = cast(ReEntry, journey.reentry).mode == "restart"
    return "not_back" if is_anew else "ended_early"


def look(
    house: Warehouse,
    journey: Journey,
    leaving: Leaving,
    churn: Churn | None,
    most_runs: int,
) -> Iterator[str]:
    """Put the runs into a table, with when they were left, if they were."""
    (count,) = house.row(
        "select count(*) from runs where journey = $journey and not test and not held_out",
        {"journey": journey.id},
    )
    every = -(-count // most_runs) or 1
    if every > 1:
        yield f"of {count:,} runs those of one in {every} people were looked at"
    windows = [
        days_of(each.within) for each in journey.goals if each.within is not None
    ]
    if churn is not None:
        windows = [churn.within_days]
    house.execute("drop table if exists cause_runs")
    house.execute(
        """
        create temp table cause_runs (
            run UBIGINT, person UBIGINT, version INTEGER, event UBIGINT,
            entered_ms BIGINT, is_decided BOOLEAN, is_left BOOLEAN, left_ms BIGINT
        )
        """
    )
    told = _TOLD_BY[leaving]
    # Who was erased has no events any more, which is no silence.
    known = f"and {KNOWN}" if churn is not None else ""
    parameters: dict[str, object] = {
        "journey": journey.id,
        "every": every,
        "within": int(max(windows, default=0.0) * DAY_MS),
        "end": house.span[1] if house.span else 0,
    }
    if churn is not None:
        parameters["event"] = churn.event
        parameters["archived"] = entered_by_events(house, [journey])
    house.execute(
        f"""
        insert into cause_runs
        with mine as (
            select * from runs
            where journey = $journey and not test and not held_out
                and person % $every::UBIGINT = 0::UBIGINT {known}
        )
        {told}
        """,
        parameters,
    )


_TOLD_BY: Mapping[Leaving, str] = {
    "no_goal": """
        , reached as (
            select run, true as is_reached from goals
            where journey = $journey group by run
        )
        select
            m.run, person, version, event, entered_ms,
            ended_ms is not null and entered_ms + $within <= $end,
            is_reached is null,
            case when is_reached is null and outcome in ('exited', 'failed')
                then ended_ms end
        from mine m left join reached using (run)
    """,
    "not_back": f"""
        select
            run, person, version, event, entered_ms, ended_ms is not null,
            reason not in {_BACK},
            case when reason not in {_BACK} and outcome <> 'completed' then ended_ms end
        from mine where $within = 0 and $end >= 0
    """,
    "ended_early": """
        select
            run, person, version, event, entered_ms, ended_ms is not null,
            outcome in ('exited', 'failed'),
            case when outcome in ('exited', 'failed') then ended_ms end
        from mine where $within = 0 and $end >= 0
    """,
    "event": """
        , gone as (
            select m.run, min(e.happened_ms) as gone_ms
            from mine m join events e using (person)
            where e.name = $event and not e.test and e.happened_ms > m.entered_ms
                and e.happened_ms <= m.entered_ms + $within
            group by m.run
        )
        select
            m.run, person, version, event, entered_ms, entered_ms + $within <= $end,
            gone_ms is not null, gone_ms
        from mine m left join gone using (run)
    """,
    "silence": """
        , heard as (
            select distinct m.run
            from mine m join events e using (person)
            where e.name = $event and not e.test and e.happened_ms > m.entered_ms
                and e.happened_ms <= m.entered_ms + $within
        )
        select
            m.run, person, version, event, entered_ms, entered_ms + $within <= $end,
            h.run is null, null
        from mine m left join heard h using (run)
    """,
}


def totals(house: Warehouse, level: float) -> tuple[Share, int, int]:
    """Count the runs, and keep those of which it is known whether they were left.

    Returns:
        The share that was left, of how many people the runs are, and how many are not
        decided yet.
    """
    runs, left, people, undecided = house.row(
        """
        select
            count(*) filter (is_decided), count(*) filter (is_decided and is_left),
            count(distinct person) filter (is_decided),
            count(*) filter (not is_decided)
        from cause_runs
        """
    )
    house.execute("delete from cause_runs where not is_decided")
    return Share.from_counts(left, runs, level=level), people, undecided
