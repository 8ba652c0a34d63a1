"""What is known of the runs that are looked at, a row for each thing that is true of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from journeykit.insight.causes.places import Where
from journeykit.insight.causes.properties import gather_properties
from journeykit.insight.warehouse import Warehouse
from journeykit.model.segments import Persona

# What is known of them. Each row says that something is true of a run, or of a stay at a
# step. Where `is_whole`, it isn't true of all others; else of those with another level.

_HAD = """
create temp table cause_had (
    kind VARCHAR, name VARCHAR, level VARCHAR, step VARCHAR, is_whole BOOLEAN,
    is_stay BOOLEAN, person UBIGINT, is_left BOOLEAN
)
"""

_INSERTS = (
    """
    select 'version', '', version::varchar, '', false, false, person, is_left
    from cause_runs
    """,
    """
    select
        s.kind, s.name, '', '', true, false, r.person, r.is_left
    from cause_runs r join stays s
        on s.person = r.person and s.from_ms <= r.entered_ms
        and (s.to_ms is null or s.to_ms > r.entered_ms)
    group by r.run, s.kind, s.name, r.person, r.is_left
    """,
    """
    select
        case d.kind when 'split' then 'arm' else 'path' end, d.step,
        case when d.kind = 'split' then d.reason
            when d.reason = 'otherwise' then d.reason
            else coalesce(d.path, d.reason) end,
        d.step, false, false, r.person, r.is_left
    from cause_runs r join decisions d using (run)
    where d.kind in ('split', 'branched')
    qualify row_number() over (
        partition by d.run, d.step order by d.revision, d.n
    ) = 1
    """,
    """
    select
        'deferral', d.step, d.reason, d.step, true, false, r.person, r.is_left
    from cause_runs r join decisions d using (run)
    where d.kind = 'deferred'
    group by r.run, d.step, d.reason, r.person, r.is_left
    """,
    """
    select
        'suppression', u.step, u.reason, u.step, true, false, r.person, r.is_left
    from cause_runs r join unsent u using (run)
    group by r.run, u.step, u.reason, r.person, r.is_left
    """,
)

# The first message of each run: by which channel, which template, how late at its step.
_FIRST_MESSAGE = """
with sent_first as (
    select
        r.run, r.person, r.is_left, m.step, m.channel, m."template", m.sent_ms
    from cause_runs r join messages m using (run)
    qualify row_number() over (partition by m.run order by m.sent_ms, m.delivery) = 1
),
waited as (
    select
        f.*, f.sent_ms - (
            select max(v.arrived_ms) from visits v
            where v.run = f.run and v.step = f.step and v.arrived_ms <= f.sent_ms
        ) as late_ms
    from sent_first f
)
select 'channel', '', channel, step, false, false, person, is_left
from waited where channel is not null
union all
select 'template', '', "template", step, false, false, person, is_left
from waited where "template" is not null
union all
select
    'delay', '',
    case
        when late_ms < 60000 then 'at once'
        when late_ms < 3600000 then 'within an hour'
        when late_ms < 43200000 then 'within 12 hours'
        when late_ms < 86400000 then 'within a day'
        else 'later than a day' end,
    step, false, false, person, is_left
from waited where late_ms is not null
"""

# Stays at steps, and whether the run was left there. One where it went on isn't.
_STAYS = """
create temp table cause_stays as
select
    v.step, r.person,
    r.is_left and r.left_ms is not null and r.left_ms >= v.arrived_ms
        and (v.left_ms is null or r.left_ms < v.left_ms) as is_left
from cause_runs r join visits v using (run)
"""


def gather(
    house: Warehouse,
    at: Where,
    personas: Iterable[Persona],
    zone: str,
    *,
    is_whole: bool,
) -> None:
    """Write down what is known of the runs; not whole, only where they were left."""
    for table in (
        "cause_had",
        "cause_stays",
        "cause_hours",
        "cause_said",
        "cause_bins",
    ):
        house.execute(f"drop table if exists {table}")
    house.execute(_HAD)
    house.execute(_STAYS)
    if not is_whole:
        return
    for query in (*_INSERTS, _FIRST_MESSAGE):
        house.execute(f"insert into cause_had {query}")
    for persona in personas:
        house.execute(
            """
            insert into cause_had
            select 'persona', $persona, '', '', true, false, person, is_left
            from cause_had where kind = 'segment' and name = $segment
            """,
            {"persona": persona.name or persona.id, "segment": persona.segment},
        )
    _gather_hours(house, zone)
    gather_properties(house)
    house.execute(
        """
        insert into cause_had
        select 'step', step, '', step, false, true, person, is_left from cause_stays
        """
    )
    if at.friction:
        house.execute(
            """
            insert into cause_had
            select
                'friction', '',
                case when list_contains($steps, step) then 'noted' else 'none' end,
                '', false, true, person, is_left
            from cause_stays
            """,
            {"steps": list(at.friction)},
        )


def _gather_hours(house: Warehouse, zone: str) -> None:
    """When runs were entered, by the clocks of a zone."""
    first, last = house.row("select min(entered_ms), max(entered_ms) from cause_runs")
    if first is None:
        return
    house.execute("create temp table cause_hours (from_ms BIGINT, offset_ms BIGINT)")
    for start, offset in _offsets(first, last, zone):
        house.execute(
            "insert into cause_hours values ($start, $offset)",
            {"start": start, "offset": offset},
        )
    house.execute(
        """
        insert into cause_had
        with locally as (
            select r.person, r.is_left, r.entered_ms + h.offset_ms as local_ms
            from cause_runs r asof join cause_hours h on r.entered_ms >= h.from_ms
        )
        select
            'hour', '',
            ['0 to 6', '6 to 12', '12 to 18', '18 to 24'][
                (local_ms % 86400000) // 21600000 + 1
            ],
            '', false, false, person, is_left
        from locally
        union all
        select
            'weekday', '',
            ['Thursday', 'Friday', 'Saturday', 'Sunday', 'Monday', 'Tuesday', 'Wednesday'][
                (local_ms // 86400000) % 7 + 1
            ],
            '', false, false, person, is_left
        from locally
        """
    )


def _offsets(first: int, last: int, zone: str) -> Iterator[tuple[int, int]]:
    """Yield from when on a zone is how far from UTC; to the hour."""
    hour, before = timedelta(hours=1), None
    at = datetime.fromtimestamp(first / 1000, UTC).replace(
        minute=0, second=0, microsecond=0
    )
    end = datetime.fromtimestamp(last / 1000, UTC)
    where = ZoneInfo(zone)
    while at <= end:
        offset = at.astimezone(where).utcoffset() or timedelta()
        if offset != before:
            yield int(at.timestamp() * 1000), int(offset.total_seconds() * 1000)
            before = offset
        at += hour
