"""What reviews say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from journeykit.insight.periods import Per, beginning
from journeykit.insight.ratings import STARS, Rating, rating_of, stars
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse
from journeykit.model.events import REVIEW_POSTED


@dataclass(frozen=True, slots=True)
class Reviews:
    """What reviews say.

    Attributes:
        total: All of them.
        people: Of how many people they are.
        distribution: Stars, 1 to 5, to how many gave them, rounded.
        good: Those of 4 stars and more.
        poor: Those of 2 stars and fewer.
        per: What the trend goes by.
        trend: By the week or month in which they were posted.
        definition: What is counted, over whom, in which window.
    """

    total: Rating
    people: int
    distribution: Mapping[int, int]
    good: Share
    poor: Share
    per: Per
    trend: Sequence[Rating]
    definition: str


def review_figures(house: Warehouse, per: Per, notes: list[str]) -> Reviews | None:
    """Count the reviews; None: there are none.

    Args:
        house: The logs.
        per: What the trend goes by.
        notes: What could not be counted is added to it.
    """
    asked = {"name": REVIEW_POSTED, "since": house.scope.since}
    found = house.rows(
        f"""
        select {stars("e")} as stars, {beginning("e.happened_ms", per)} as period,
            count(*)
        from events e
        where e.name = $name and not e.test
            and ($since is null or e.happened_ms >= $since)
        group by all
        """,
        asked,
    )
    if not found:
        return None
    unread = sum(count for given, _, count in found if given is None)
    if unread:
        notes.append(
            f"{unread:,} reviews have no rating within their scale, and are left out"
        )
    rated = [(given, at, count) for given, at, count in found if given is not None]
    (people,) = house.row(
        f"""
        select count(distinct person) from events e
        where e.name = $name and not e.test and {stars("e")} is not null
            and ($since is null or e.happened_ms >= $since)
        """,
        asked,
    )
    count = sum(n for _, _, n in rated)
    rounded: Counter[int] = Counter()
    for given, _, n in rated:
        rounded[max(1, math.floor(given + 0.5))] += n
    return Reviews(
        rating_of((given, n) for given, _, n in rated),
        people,
        {given: rounded[given] for given in range(1, STARS + 1)},
        Share.from_counts(sum(n for given, _, n in rated if given >= 4), count),
        Share.from_counts(sum(n for given, _, n in rated if given <= 2), count),
        per,
        [
            rating_of(((given, n) for given, one, n in rated if one == at), at)
            for at in sorted({at for _, at, _ in rated})
        ],
        f"Events `{REVIEW_POSTED}`, their `rating` brought to a scale up to {STARS}; its "
        "mean with Student's interval. Good: 4 and more; poor: 2 and fewer. Test traffic "
        "is left out.",
    )
