"""What goes with leaving a journey: associated, which is not the same as its cause.

Of everything that is known of a run (how it was entered, what was sent and what wasn't,
when, to whom) it is asked whether runs of which it is true are left more often than the
others. Many such questions find something by chance, so the answers are corrected for
how many were asked. And runs of one person are alike, so they count for less than as many
people.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

from journeykit.errors import InputError
from journeykit.insight.lapses import DAY_MS
from journeykit.insight.lift import KNOWN, days_of, entered_by_events
from journeykit.insight.stats.clusters import Sums, effect, interval
from journeykit.insight.stats.intervals import LEVEL, Interval, Share
from journeykit.insight.stats.many import benjamini_hochberg, level_of_selected
from journeykit.insight.stats.proportions import least_expected
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey, ReEntry
from journeykit.model.mapping import Touchpoint
from journeykit.model.segments import Persona

FEWEST_RUNS = 30
"""How many runs a group needs before anything is said of it."""

FEWEST_PEOPLE = 20
"""How many people they must be of, so that nobody is recognized and chance has its say."""

FEWEST_EXPECTED = 5.0
"""How many runs each cell would have if there were no difference (Cochran's rule)."""

MOST_RUNS = 200_000
"""More are looked at by a sample of the people."""

_PROPERTIES = 40  # of the entry event
_LEVELS = 60  # of one property
_PLAIN = 12  # numbers of so few values are taken one by one
_NAME = r"^[\w$. -]{1,64}$"

Leaving = Literal["no_goal", "not_back", "ended_early", "event", "silence"]
Kind = Literal[
    "property",
    "hour",
    "weekday",
    "version",
    "segment",
    "persona",
    "stage",
    "arm",
    "path",
    "channel",
    "template",
    "delay",
    "deferral",
    "suppression",
    "step",
    "friction",
]


class Churn(NamedTuple):
    """An event by which somebody is known to have left.

    Attributes:
        event: The event's name.
        within_days: For how long after the entry it is looked for.
        is_silence: Whether its absence is what tells it, as of a purchase.
    """

    event: str
    within_days: float
    is_silence: bool = False


@dataclass(frozen=True, slots=True)
class Factor:
    """Something that is true of some runs and not of others.

    Attributes:
        kind: What sort of thing it is.
        name: Which: the property, or the step.
        level: Its value, or a range of values, or a reason.
        unit: What is counted: `run`, or `stay` at a step.
        group: Of the runs of which it is true, those that were left.
        others: Of all other runs of which it is known, those that were left.
        people: How many people the group's runs are of.
        difference: The first share minus the second.
        interval: Where the difference may lie; of an associated factor it is widened for
            having been picked out of many.
        p_value: Adjusted for how many factors were looked at.
        associated: Whether that is below the rate of false discoveries.
        step: The step that it points to; empty: the entry.
        touchpoint: The touchpoint that the step is; empty if none.
        friction: What the touchpoint's author noted to stand in the customer's way.
        also: Other properties, or a persona's segment, that are true of just the same
            runs, in words.
    """

    kind: Kind
    name: str
    level: str
    unit: Literal["run", "stay"]
    group: Share
    others: Share
    people: int
    difference: float
    interval: Interval
    p_value: float
    associated: bool
    step: str
    touchpoint: str
    friction: tuple[str, ...]
    also: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is, in words."""
        return _words(self.kind, self.name, self.level)

    @property
    def points_to(self) -> str:
        """Where to look, in words: a step and its touchpoint, or the entry."""
        if not self.step:
            return "the entry"
        at = f"step {self.step}"
        return f"{at}, touchpoint {self.touchpoint}" if self.touchpoint else at


@dataclass(frozen=True, slots=True)
class Place:
    """A step, and how many left there.

    Attributes:
        step: The step.
        touchpoint: The touchpoint that it is; empty if none.
        friction: What the touchpoint's author noted.
        left: Of those who came there, those who went no further and left.
    """

    step: str
    touchpoint: str
    friction: tuple[str, ...]
    left: Share


@dataclass(frozen=True, slots=True)
class Causes:
    """What goes with leaving a journey.

    Attributes:
        journey: The journey.
        leaving: How leaving is told.
        left: Of the runs of which it is known, those that were left.
        people: How many people these runs are of.
        undecided: Runs of which it isn't known yet.
        factors: What was looked at: first what is associated, the largest difference
            first, then the rest.
        looked_at: How many factors that is.
        too_few: Of how many there were too few runs or people to say anything.
        places: The steps, in the order of the journey; empty where leaving has no place.
        level: How sure the intervals are.
        problems: What couldn't be looked at, a sentence each.
        definition: What is counted.
    """

    journey: str
    leaving: Leaving
    left: Share
    people: int
    undecided: int
    factors: tuple[Factor, ...]
    looked_at: int
    too_few: int
    places: tuple[Place, ...]
    level: float
    problems: tuple[str, ...]
    definition: str

    @property
    def associated(self) -> tuple[Factor, ...]:
        """The factors that go with leaving more or less often."""
        return tuple(each for each in self.factors if each.associated)


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
    leaving = _leaving(journey, churn)
    problems = list(_look(house, journey, leaving, churn, most_runs))
    left, people, undecided = _totals(house, level)
    at = _Where.of(journey, touchpoints)
    # Where all were left, or none, nothing goes with it.
    is_worth_it = FEWEST_EXPECTED <= left.count <= left.of - FEWEST_EXPECTED
    _gather(house, at, personas, zone or journey.zone or "UTC", is_whole=is_worth_it)
    if not has_archive:
        problems.append(
            "there is no event archive, so the entry's properties were not looked at"
        )
    tested, too_few = _tested(house)
    return Causes(
        journey=journey.id,
        leaving=leaving,
        left=left,
        people=people,
        undecided=undecided,
        factors=tuple(_judged(tested, at, level)),
        looked_at=len(tested),
        too_few=too_few,
        places=tuple(_places(house, journey, at, level))
        if leaving != "silence"
        else (),
        level=level,
        problems=tuple(problems),
        definition=_definition(journey, leaving, churn),
    )


def _leaving(journey: Journey, churn: Churn | None) -> Leaving:
    if churn is not None:
        return "silence" if churn.is_silence else "event"
    if journey.goals:
        return "no_goal"
    is_anew = cast(ReEntry, journey.reentry).mode == "restart"
    return "not_back" if is_anew else "ended_early"


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


class _Where(NamedTuple):
    """What stands at the steps.

    Attributes:
        steps: The journey's steps, in order.
        touchpoints: Step to touchpoint.
        friction: Step to the friction noted at its touchpoint.
    """

    steps: list[str]
    touchpoints: dict[str, str]
    friction: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, journey: Journey, touchpoints: Iterable[Touchpoint]) -> _Where:
        """Read it out of the definitions."""
        known = {each.id: tuple(each.friction) for each in touchpoints}
        found = cls([], {}, {})
        for step in journey.walk():
            if step.id is None:
                continue
            found.steps.append(step.id)
            if touchpoint := getattr(step, "touchpoint", None):
                found.touchpoints[step.id] = touchpoint
                if friction := known.get(touchpoint):
                    found.friction[step.id] = friction
        return found


# Which runs there are, and which were left

_BACK = "('restarted', 'merged')"


def _look(
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
                and person % $every = 0 {known}
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


def _totals(house: Warehouse, level: float) -> tuple[Share, int, int]:
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
        f.*, f.sent_ms - v.arrived_ms as late_ms
    from sent_first f asof left join visits v
        on v.run = f.run and v.step = f.step and v.arrived_ms <= f.sent_ms
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


def _gather(
    house: Warehouse,
    at: _Where,
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
    _gather_properties(house)
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


def _gather_properties(house: Warehouse) -> None:
    """What the entry events say; numbers of many values in four bins of equal size."""
    keys = house.rows(
        """
        with sampled as (
            select e.properties from cause_runs r join events e using (event)
            where e.person = r.person limit 20000
        ),
        keyed as (select unnest(json_keys(properties)) as name from sampled)
        select name from keyed where regexp_full_match(name, $name)
        group by name order by count(*) desc, name limit $most
        """,
        {"name": _NAME, "most": _PROPERTIES},
    )
    names = [name for (name,) in keys]
    if not names:
        return
    # One look at each event's JSON for all of them, which is what takes the time.
    house.execute(
        """
        create temp table cause_said as
        with found as (
            select
                r.person, r.is_left, unnest($names) as name,
                unnest(json_extract_string(e.properties, $paths)) as said
            from cause_runs r join events e using (event)
            where e.person = r.person
        )
        select *, TRY_CAST(said as double) as number
        from found
        where length(said) <= 80 and said[1] not in ('{', '[')
        """,
        {"names": names, "paths": [f'$."{name}"' for name in names]},
    )
    house.execute(
        "create temp table cause_bins "
        "(name VARCHAR, level VARCHAR, low DOUBLE, high DOUBLE)"
    )
    figures = house.rows(
        """
        select
            name, count(distinct said), count(*), count(number),
            quantile_cont(number, [0.25, 0.5, 0.75])
        from cause_said group by name order by name
        """
    )
    for name, values, count, numbers, quartiles in figures:
        is_id = re.search(r"(^|_)id$", name) is not None
        if numbers == count and values > _PLAIN and not is_id:
            for low, high in _bins(quartiles):
                house.execute(
                    "insert into cause_bins values ($name, $level, $low, $high)",
                    {
                        "name": name,
                        "level": _range(low, high),
                        "low": low,
                        "high": high,
                    },
                )
    house.execute(
        """
        insert into cause_had
        select 'property', name, b.level, '', false, false, s.person, s.is_left
        from cause_said s join cause_bins b using (name)
        where (b.low is null or s.number > b.low)
            and (b.high is null or s.number <= b.high)
        """
    )
    # Of the rest the values that many people have; all others are one level, unnamed.
    house.execute(
        """
        insert into cause_had
        with common as (
            select name, said from cause_said
            where name not in (select name from cause_bins)
            group by name, said having count(distinct person) >= $people
            qualify row_number() over (
                partition by name order by count(*) desc, said
            ) <= $most
        )
        select
            'property', s.name, coalesce(c.said, ''), '', false, false,
            s.person, s.is_left
        from cause_said s left join common c on c.name = s.name and c.said = s.said
        where s.name in (select name from common)
        """,
        {"people": FEWEST_PEOPLE, "most": _LEVELS},
    )


def _bins(
    quartiles: Sequence[float],
) -> Iterator[tuple[float | None, float | None]]:
    low: float | None = None
    for high in (*sorted(set(quartiles)), None):
        yield low, high
        low = high


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {high:g}"
    return f"over {low:g}" if high is None else f"over {low:g}, up to {high:g}"


# Counting and comparing

_COUNTS = """
with per_person as (
    select
        kind, name, level, is_whole, is_stay, person, min(step) as step,
        count(distinct step) = 1 as is_one_step,
        count(*) as a, count(*) filter (is_left) as b
    from cause_had group by kind, name, level, is_whole, is_stay, person
),
parts as (
    select kind, name, person, count(*) as n, count(*) filter (is_left) as m
    from cause_had where not is_whole group by all
),
whole as (
    select person, count(*) as n, count(*) filter (is_left) as m
    from cause_runs group by person
),
part_sums as (
    select kind, name, count(*) as people, sum(n) as n, sum(m) as m,
        sum(n * n) as nn, sum(n * m) as nm, sum(m * m) as mm
    from parts group by all
),
whole_sums as (
    select count(*) as people, sum(n) as n, sum(m) as m,
        sum(n * n) as nn, sum(n * m) as nm, sum(m * m) as mm
    from whole
),
-- n and m are a person's runs in both groups, the others' are what is left of them.
met as (
    select
        x.*, coalesce(p.n, w.n) as n, coalesce(p.m, w.m) as m,
        coalesce(p.n, w.n) - a as c, coalesce(p.m, w.m) - b as d
    from per_person x
        left join parts p on not x.is_whole
            and p.kind = x.kind and p.name = x.name and p.person = x.person
        left join whole w on x.is_whole and w.person = x.person
),
added as (
    select
        kind, name, level, is_whole, is_stay,
        case when min(step) = max(step) and bool_and(is_one_step) then min(step)
            else '' end as step,
        count(*) as with_it, count(*) filter (c > 0) as with_both,
        sum(a) as a, sum(b) as b, sum(n) as n, sum(m) as m,
        sum(a * a) as aa, sum(a * b) as ab, sum(b * b) as bb,
        sum(c * c) as cc, sum(c * d) as cd, sum(d * d) as dd,
        sum(n * n) as nn, sum(n * m) as nm, sum(m * m) as mm,
        sum(a * c) as ac, sum(a * d) as ad, sum(b * c) as bc, sum(b * d) as bd
    from met group by kind, name, level, is_whole, is_stay
)
select
    x.kind, x.name, x.level, x.step, x.is_stay, x.with_it,
    t.people - x.with_it + x.with_both as without_it,
    t.people, x.a, x.b, t.n - x.a, t.m - x.b, x.aa, x.ab, x.bb,
    x.cc + t.nn - x.nn, x.cd + t.nm - x.nm, x.dd + t.mm - x.mm,
    x.ac, x.ad, x.bc, x.bd
from (
    select x.*, p.people as part_people, p.n as part_n from added x
        left join part_sums p using (kind, name)
) x join lateral (
    select people, n, m, nn, nm, mm from part_sums p
    where not x.is_whole and p.kind = x.kind and p.name = x.name
    union all
    select people, n, m, nn, nm, mm from whole_sums where x.is_whole
) t on true
where x.level <> '' or x.kind in ('segment', 'stage', 'persona', 'step')
order by x.kind, x.name, x.level
"""


class _Tested(NamedTuple):
    """A factor, before it is known how many there are."""

    kind: Kind
    name: str
    level: str
    step: str
    is_stay: bool
    people: int
    sums: Sums
    p_value: float
    design: float
    also: tuple[str, ...] = ()


def _tested(house: Warehouse) -> tuple[list[_Tested], int]:
    """Compare what can be compared; and say of how much there is too little."""
    found: list[_Tested] = []
    too_few = 0
    for kind, name, level, step, is_stay, people, others, *rest in house.rows(_COUNTS):
        sums = Sums(*rest)
        expected = least_expected(sums.b, sums.a, sums.d, sums.c)
        if (
            min(sums.a, sums.c) < FEWEST_RUNS
            or min(people, others) < FEWEST_PEOPLE
            or expected < FEWEST_EXPECTED
        ):
            too_few += 1
            continue
        if (compared := effect(sums)) is not None:
            found.append(
                _Tested(
                    kind, name, level, step, is_stay, people, sums,
                    compared.p_value, compared.design,
                )
            )  # fmt: skip
    return list(_united(_without_mirrors(found))), too_few


def _united(found: Iterable[_Tested]) -> list[_Tested]:
    """Make one of what tells the same runs: an id and its date, a persona's segment."""
    same: dict[object, list[_Tested]] = defaultdict(list)
    for number, each in enumerate(found):
        is_same = each.kind in ("property", "persona", "segment")
        same[(each.sums, each.people) if is_same else number].append(each)
    return [
        members[0]._replace(
            also=tuple(_words(one.kind, one.name, one.level) for one in members[1:])
        )
        for members in same.values()
    ]


def _without_mirrors(found: Iterable[_Tested]) -> Iterator[_Tested]:
    """Of two levels that say the same of each other, keep the one that is left more."""
    by_factor: dict[tuple[str, str], list[_Tested]] = defaultdict(list)
    for each in found:
        by_factor[each.kind, each.name].append(each)
    for members in by_factor.values():
        one = members[0].sums
        if len(members) == 2 and (one.a, one.b) == (
            members[1].sums.c,
            members[1].sums.d,
        ):
            yield max(members, key=lambda each: each.sums.b / each.sums.a)
        else:
            yield from members


def _judged(tested: Sequence[_Tested], at: _Where, level: float) -> list[Factor]:
    """Correct for how many there are, and put what is associated first."""
    adjusted = benjamini_hochberg([each.p_value for each in tested])
    selected = sum(p <= 1 - level for p in adjusted)
    widened = level_of_selected(selected, len(tested), level=level)
    factors = []
    for each, p_value in zip(tested, adjusted, strict=True):
        is_selected = p_value <= 1 - level
        sums = each.sums
        touchpoint = at.touchpoints.get(each.step, "")
        factors.append(
            Factor(
                kind=each.kind,
                name=each.name,
                level=each.level,
                unit="stay" if each.is_stay else "run",
                group=Share.from_counts(sums.b, sums.a, level=level),
                others=Share.from_counts(sums.d, sums.c, level=level),
                people=each.people,
                difference=sums.b / sums.a - sums.d / sums.c,
                interval=interval(
                    sums, each.design, level=widened if is_selected else level
                ),
                p_value=p_value,
                associated=is_selected,
                step=each.step,
                touchpoint=touchpoint,
                friction=at.friction.get(each.step, ()),
                also=each.also,
            )
        )
    return sorted(
        factors,
        key=lambda each: (
            not each.associated, -abs(each.difference), each.kind, each.name, each.level,
        ),
    )  # fmt: skip


def _places(
    house: Warehouse, journey: Journey, at: _Where, level: float
) -> Iterator[Place]:
    """Yield the steps that somebody came to, in the journey's order, older ones last."""
    counts = {
        step: (left, came)
        for step, came, left in house.rows(
            "select step, count(*), count(*) filter (is_left) from cause_stays "
            "group by step order by step"
        )
    }
    for step in dict.fromkeys([*at.steps, *counts]):
        if step in counts:
            yield Place(
                step,
                at.touchpoints.get(step, ""),
                at.friction.get(step, ()),
                Share.from_counts(*counts[step], level=level),
            )


def _words(kind: Kind, name: str, level: str) -> str:
    match kind:
        case "property":
            return f"entered with {name} {level}"
        case "hour":
            return f"entered between {level} o'clock"
        case "weekday":
            return f"entered on a {level}"
        case "version":
            return f"version {level}"
        case "segment" | "stage" | "persona":
            return f"in {kind} {name} at the entry"
        case "arm":
            return f"arm {level} at {name}"
        case "path":
            return f"path {level} at {name}"
        case "channel":
            return f"first message by {level}"
        case "template":
            return f"first message {level}"
        case "delay":
            return f"first message sent {level}"
        case "deferral":
            return f"held back at {name}: {level}"
        case "suppression":
            return f"not sent at {name}: {level}"
        case "step":
            return f"at step {name}, of all steps"
        case "friction":
            return "at a step whose touchpoint has friction noted"
