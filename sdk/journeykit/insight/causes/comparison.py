"""Comparing the runs of which something is true with the others, and what chance explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from journeykit.insight.causes.factors import Factor, Kind, words_of
from journeykit.insight.causes.places import Where
from journeykit.insight.stats.clusters import Sums, effect, interval
from journeykit.insight.stats.intervals import Share
from journeykit.insight.stats.many import benjamini_hochberg, level_of_selected
from journeykit.insight.stats.proportions import least_expected
from journeykit.insight.warehouse import Warehouse

FEWEST_RUNS = 30
"""How many runs a group needs before anything is said of it."""

FEWEST_PEOPLE = 20
"""How many people they must be of, so that nobody is recognized and chance has its say."""

FEWEST_EXPECTED = 5.0
"""How many runs each cell would have if there were no difference (Cochran's rule)."""

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


def tested_of(house: Warehouse) -> tuple[list[_Tested], int]:
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
            also=tuple(words_of(one.kind, one.name, one.level) for one in members[1:])
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


def judged(tested: Sequence[_Tested], at: Where, level: float) -> list[Factor]:
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
