"""What the events by which runs were entered say: values, and numbers in bins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from journeykit.insight.causes.comparison import FEWEST_PEOPLE
from journeykit.insight.warehouse import Warehouse

_PROPERTIES = 40  # of the entry event
_LEVELS = 60  # of one property
_PLAIN = 12  # numbers of so few values are taken one by one
_NAME = r"^[\w$. -]{1,64}$"


def gather_properties(house: Warehouse) -> None:
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
