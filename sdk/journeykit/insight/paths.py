"""Paths: the ways that runs took through a journey, or people through events.

Three views of the same: what directly follows what, how often and after how long; the
variants, which are whole ways; and the flow by position, to be drawn as a Sankey diagram.
The first is what process mining calls a directly-follows graph.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from journeykit.errors import InputError
from journeykit.insight.funnels import in_ms
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.durations import Duration

NodeKind = Literal["start", "step", "end"]

START = "start"
END = "no more"
OTHER = "other"
"""Names that are too rare to be shown by themselves; `PathNode.is_other` tells them from a
step or event that is called so."""

DEPTH = 8
"""How many positions the flow shows, if nobody says."""

MOST_VARIANTS = 10
MOST_NAMES = 12
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class PathNode:
    """A step or event, or where ways begin and end.

    Attributes:
        key: What edges and links call it: `step:` and its name, `start`, `end:` and how.
        name: What to show.
        kind: `start`, `step` (an event, if the ways are through events) or `end`.
        count: How often ways came by.
        cases: How many ways did, each once.
        is_other: It stands for all that are too rare.
    """

    key: str
    name: str
    kind: NodeKind
    count: int
    cases: int
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class PathEdge:
    """One thing directly behind another.

    Attributes:
        source: The key of the one.
        target: The key of the other.
        count: How often.
        of_source: These, of all that went on from the one or ended there.
        median_ms: How long half of them took, at most; None at the start and the end.
    """

    source: str
    target: str
    count: int
    of_source: Share
    median_ms: float | None


@dataclass(frozen=True, slots=True)
class Variant:
    """One whole way.

    Attributes:
        steps: The keys it came by, in order; at most as many as the flow has positions.
        end: The key of its end; empty: it went on beyond what is shown.
        count: How many took it.
        share: Of all ways.
        median_ms: How long half of them took, at most, from the first to the last of all
            steps.
    """

    steps: Sequence[str]
    end: str
    count: int
    share: float
    median_ms: float | None


@dataclass(frozen=True, slots=True)
class PathLink:
    """The flow between two positions.

    Attributes:
        position: From which position it comes: 0 is the first step.
        source: The key of what stood there.
        target: The key of what stood at the next, or of the end.
        count: How many.
    """

    position: int
    source: str
    target: str
    count: int


@dataclass(frozen=True, slots=True)
class Paths:
    """The ways that were taken.

    Attributes:
        subject: The journey's id; empty: ways through events.
        unit: What takes a way: `runs`, or `people`, or their `visits` between silences.
        cases: How many ways there are.
        nodes: Start, steps by how often they were come by, ends.
        edges: The most frequent first.
        variants: The most frequent first, as many as were asked for.
        variant_count: How many there are in all.
        links: By position, then the most frequent first.
        depth: How many positions variants and links have.
        definition: What is counted, over whom, in which window.
    """

    subject: str
    unit: Literal["runs", "people", "visits"]
    cases: int
    nodes: Sequence[PathNode]
    edges: Sequence[PathEdge]
    variants: Sequence[Variant]
    variant_count: int
    links: Sequence[PathLink]
    depth: int
    definition: str


def paths_of_journey(
    house: Warehouse,
    journey: str,
    *,
    depth: int = DEPTH,
    variants: int = MOST_VARIANTS,
) -> Paths:
    """Follow the runs of a journey from step to step.

    Args:
        house: The logs.
        journey: Its id.
        depth: How many positions variants and the flow have.
        variants: How many variants to tell.

    Raises:
        InputError: A number is out of bounds.
    """
    _check(depth, variants)
    house.execute(
        """
        create or replace temp table taken as
        select run as way, place as nth, 'step:' || step as name, arrived_ms as at_ms
        from visits where journey = $journey and not test
        """,
        {"journey": journey},
    )
    house.execute(
        """
        create or replace temp table ended as
        select r.run as way,
            'end:' || case when outcome in ('exited', 'failed') and reason <> ''
                then outcome || ': ' || reason else outcome end as name
        from runs r
        where journey = $journey and not test and not held_out
        """,
        {"journey": journey},
    )
    return _followed(
        house,
        journey,
        "runs",
        depth,
        variants,
        f"Runs of {journey} and the steps that they came to, in order; a run that is not "
        "over ends in `waiting`. Left out: test traffic, and who is held out.",
    )


def paths_of_events(
    house: Warehouse,
    *,
    names: Sequence[str] = (),
    start: str | None = None,
    gap: Duration | str | None = None,
    repeats: bool = False,
    depth: int = DEPTH,
    variants: int = MOST_VARIANTS,
) -> Paths:
    """Follow people from event to event.

    Args:
        house: The logs.
        names: Only these events; if not given, all but what is told of messages, of
            which the rarest are taken together.
        start: Ways begin at a person's first event of this name.
        gap: After a silence as long as this a new way begins.
        repeats: Whether an event that follows its like is a step of its own.
        depth: How many positions variants and the flow have.
        variants: How many variants to tell.

    Raises:
        InputError: A number is out of bounds, or there are too many names.
    """
    _check(depth, variants)
    if len(names) > MOST_NAMES:
        raise InputError(
            f"ways go through {MOST_NAMES} events at most, not {len(names)}"
        )
    silence = None if gap is None else in_ms(Duration.parse(gap))
    if silence == 0:
        raise InputError("a silence is longer than nothing")
    known = [
        name
        for (name,) in house.rows(
            """
            select name from events
            where not test and ($since is null or happened_ms >= $since)
                and case when len($names::VARCHAR[]) > 0 then name in $names
                    else not starts_with(name, 'message.') end
            group by name order by count(*) desc, name limit $most
            """,
            {"since": house.scope.since, "names": list(names), "most": MOST_NAMES},
        )
    ]
    house.execute(
        """
        create or replace temp table taken as
        with heard as (
            select person, happened_ms as at_ms, received_ms, event,
                case when name in $known then 'step:' || name else 'other' end as name,
                min(happened_ms) filter (name = $start) over (partition by person)
                    as start_ms
            from events
            where not test and ($since is null or happened_ms >= $since)
                and case when len($names::VARCHAR[]) > 0 then name in $names or name = $start
                    else not starts_with(name, 'message.') end
        ),
        begun as (
            select *, lag(name) over in_order as before,
                at_ms - lag(at_ms) over in_order as since_ms
            from heard where $start is null or at_ms >= start_ms
            window in_order as (partition by person order by at_ms, received_ms, event)
        ),
        parted as (
            select *, count(*) filter (since_ms is null or since_ms >= $silence) over (
                partition by person order by at_ms, received_ms, event
            ) as part
            from begun
        )
        select hash(person, case when $silence is null then 0 else part end) as way,
            row_number() over (
                partition by person, case when $silence is null then 0 else part end
                order by at_ms, received_ms, event
            ) as nth,
            name, at_ms
        from parted
        where $repeats or before is null or before <> name
            or ($silence is not null and since_ms >= $silence)
        """,
        {
            "known": known,
            "start": start,
            "names": list(names),
            "since": house.scope.since,
            "silence": silence,
            "repeats": repeats,
        },
    )
    house.execute(
        "create or replace temp table ended as "
        "select distinct way, 'end:' || $end as name from taken",
        {"end": END},
    )
    return _followed(
        house,
        "",
        "people" if silence is None else "visits",
        depth,
        variants,
        "Events of the archive in the order in which they happened, a way for each person"
        + (f" and each time between silences of {gap}" if silence else "")
        + (f", from their first {start} on" if start else "")
        + ("" if repeats else "; the same event again at once is one step")
        + ". Test traffic is left out.",
    )


def _check(depth: int, variants: int) -> None:
    if not 1 <= depth <= _DEEPEST:
        raise InputError(f"a way has 1 to {_DEEPEST} positions, not {depth}")
    if not 0 <= variants <= 1000:
        raise InputError(f"0 to 1,000 variants are told, not {variants}")


def _followed(
    house: Warehouse,
    subject: str,
    unit: Literal["runs", "people", "visits"],
    depth: int,
    most: int,
    definition: str,
) -> Paths:
    """Make the three views of the tables `taken` and `ended`."""
    (cases,) = house.row("select count(*) from ended")
    house.execute(
        """
        create or replace temp table followed as
        select way, nth, name, at_ms,
            lead(name) over in_order as next_name,
            lead(at_ms) over in_order - at_ms as took_ms
        from taken window in_order as (partition by way order by nth)
        """
    )
    counts = house.rows(
        "select name, count(*), count(distinct way) from taken group by name "
        "order by 2 desc, 1"
    )
    ends = house.rows(
        "select name, count(*) from ended group by name order by 2 desc, 1"
    )
    nodes = [PathNode(START, START, "start", cases, cases)]
    nodes += [_node(name, *numbers) for name, *numbers in counts]
    nodes += [_node(name, count, count) for name, count in ends]
    follows = house.rows(
        """
        select 'start', coalesce(t.name, e.name), count(*), null
        from ended e left join taken t on t.way = e.way and t.nth = 1 group by 2
        union all
        select name, next_name, count(*), median(took_ms)
        from followed where next_name is not null group by 1, 2
        union all
        select f.name, e.name, count(*), null
        from followed f join ended e using (way) where f.next_name is null group by 1, 2
        """
    )
    leaving: Counter[str] = Counter()
    for source, _, count, _ in follows:
        leaving[source] += count
    edges = [
        PathEdge(source, target, n, Share.from_counts(n, leaving[source]), median_ms)
        for source, target, n, median_ms in follows
    ]
    edges.sort(key=lambda edge: (-edge.count, edge.source, edge.target))
    # Numbers in the order of the names: lists of them are put together and told apart in
    # half the time, and their order is that of the names.
    names = sorted(name for name, *_ in counts)
    told = house.rows(
        """
        with numbered as (
            select unnest($names) as name, unnest(range(len($names))) as number
        ),
        told as (
            select way,
                list_sort(
                    list(nth * len($names) + number) filter (nth <= $depth)
                ) as steps,
                max(nth) as last, max(at_ms) - min(at_ms) as took_ms
            from taken join numbered using (name) group by way
        ),
        ways as (
            select coalesce(steps, []) as steps, took_ms,
                case when coalesce(last, 0) <= $depth then name else '' end as ending
            from ended left join told using (way)
        )
        select steps, ending, count(*), median(took_ms), count(*) over ()
        from ways group by steps, ending order by 3 desc, steps, ending limit $most
        """,
        {"names": names, "depth": depth, "most": max(most, 1)},
    )
    variants = [
        Variant(
            tuple(names[step % len(names)] for step in steps),
            ending, count, count / cases, median_ms,
        )
        for steps, ending, count, median_ms, _ in told[:most]
    ]  # fmt: skip
    links = [
        PathLink(nth - 1, source, target, count)
        for nth, source, target, count in house.rows(
            """
            select f.nth, f.name, coalesce(f.next_name, e.name) as target, count(*)
            from followed f join ended e using (way) where f.nth < $depth
                or (f.nth = $depth and f.next_name is null)
            group by all order by 1, 4 desc, 2, 3
            """,
            {"depth": depth},
        )
    ]
    for table in ("taken", "ended", "followed"):
        house.execute(f"drop table {table}")
    return Paths(
        subject,
        unit,
        cases,
        nodes,
        edges,
        variants,
        told[0][4] if told else 0,
        links,
        depth,
        definition,
    )


def _node(key: str, count: int, cases: int) -> PathNode:
    kind, _, name = key.partition(":")
    if kind == OTHER:
        return PathNode(key, OTHER, "step", count, cases, True)
    return PathNode(key, name, "end" if kind == "end" else "step", count, cases)


def thinned(links: Sequence[PathLink], *, most: int = 6) -> list[PathLink]:
    """Take together what is rare at each position, so that a picture stays readable.

    Args:
        links: The flow.
        most: How many steps each position shows by name.
    """
    standing: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for link in links:
        if not link.position:
            standing[0][link.source] += link.count
        standing[link.position + 1][link.target] += link.count
    shown = {
        position: {name for name, _ in _most(counts, most)}
        for position, counts in standing.items()
    }

    def told(position: int, name: str) -> str:
        return name if name in shown[position] else OTHER

    counts: Counter[tuple[int, str, str]] = Counter()
    for link in links:
        source = told(link.position, link.source)
        target = told(link.position + 1, link.target)
        counts[link.position, source, target] += link.count
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return [PathLink(*key, count) for key, count in ordered]


def _most(counts: Counter[str], most: int) -> Sequence[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ordered if len(ordered) <= most else ordered[: most - 1]
