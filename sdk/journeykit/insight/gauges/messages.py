"""Gauges of messages: what became of them."""

from __future__ import annotations

from journeykit.insight.clusters import tally
from journeykit.insight.gauges.gauge import (
    Figure,
    Gauge,
    begin,
    lately,
    share_of_runs,
    silent,
)
from journeykit.insight.occurrences import FATE_MS
from journeykit.insight.warehouse import Warehouse
from journeykit.model.measures import MessageRate


def message_rate(house: Warehouse, measure: MessageRate) -> Gauge:
    """Make ready the percent of messages of which something was heard."""
    heard = " or ".join(f"{column} is not null" for column in FATE_MS.values())
    if not house.row(f"select count(*) from messages where {heard}")[0]:
        return silent("no provider has reported what became of any message")

    def read(at: int) -> Figure:
        return share_of_runs(
            tally(
                house,
                f"""
                select count(*) as n,
                    count(*) filter ({FATE_MS[measure.what]} <= $at) as x
                from messages
                where not test and sent_ms > $oldest and sent_ms <= $at
                    and ($journey = '' or journey = $journey)
                    and ($channel = '' or channel = $channel)
                    and ($made_of = '' or "template" = $made_of)
                group by person
                """,
                {
                    "at": at,
                    "oldest": begin(at, measure.over),
                    "journey": measure.journey or "",
                    "channel": measure.channel or "",
                    "made_of": measure.template or "",
                },
            )
        )

    named = {
        "journey": measure.journey,
        "channel": measure.channel,
        "template": measure.template,
    }
    only = ", ".join(f"{what} {name!r}" for what, name in named.items() if name)
    which = f" of {only}" if only else ""
    return Gauge(
        read,
        f"Percent of messages{which} sent {lately(measure.over)} that "
        f"were {measure.what}, as far as providers report it; test traffic left out.",
    )
