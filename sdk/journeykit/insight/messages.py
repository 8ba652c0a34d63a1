"""Messages: what was released, what became of it, and what was suppressed.

What machines opened and clicked is left out before it gets here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from journeykit.engine.calendar import to_datetime
from journeykit.errors import InputError
from journeykit.insight.periods import Per, beginning, chosen
from journeykit.insight.stats.intervals import Share
from journeykit.insight.warehouse import Warehouse

By = Literal["channel", "template", "journey", "step"]
"""What messages are told apart by."""

ALL: Sequence[By] = ("channel", "template", "journey", "step")

_NONE = (0,) * 17  # counts of a row, if nothing was released


@dataclass(frozen=True, slots=True)
class MessageFigures:
    """Some messages, such as those of one template on one channel.

    Attributes:
        channel: Their channel; empty: of any, or not known.
        template: Their template, likewise.
        journey: Their journey, likewise.
        step: Their step, likewise.
        starts_at: The week or month in which they were released; None: whenever.
        released: Messages that the engine let go.
        people: To how many people.
        delivered: Of those released on channels that tell what has arrived; of nobody
            where no channel does.
        undelivered: Reason to how many are known not to have arrived.
        bounced: Those refused at the address, of the released on channels of which
            anything was reported at all.
        reached: How many count as arrived: delivered, or on a channel that doesn't tell,
            released and not known to have failed. The next five are of these, as far as
            they are on channels that ever told of such a thing; else they are of nobody.
        opened: Opened by a person, as far as that can be told.
        clicked: A link of which was followed.
        replied: Answered.
        complained: Called spam.
        unsubscribed: After which somebody wanted no more.
        clicked_of_opened: The clicked that were opened, of the opened.
        suppressed: Reason to how many were not sent.
        held_back: The suppressed, of all that were to be sent.
    """

    channel: str
    template: str
    journey: str
    step: str
    starts_at: datetime | None
    released: int
    people: int
    delivered: Share
    undelivered: Mapping[str, int]
    bounced: Share
    reached: int
    opened: Share
    clicked: Share
    replied: Share
    complained: Share
    unsubscribed: Share
    clicked_of_opened: Share
    suppressed: Mapping[str, int]
    held_back: Share


@dataclass(frozen=True, slots=True)
class Messages:
    """What became of all messages.

    Attributes:
        by: What the rows are told apart by.
        rows: The most released first.
        total: All messages together.
        per: What the trend goes by.
        trend: All messages by the week or month of their release, in order.
        silent_channels: Channels of which nothing was ever reported.
        definition: What is counted, over whom, in which window.
    """

    by: Sequence[By]
    rows: Sequence[MessageFigures]
    total: MessageFigures
    per: Per
    trend: Sequence[MessageFigures]
    silent_channels: Sequence[str]
    definition: str


def messages(
    house: Warehouse,
    *,
    by: Sequence[By] = ("channel", "template"),
    per: Per | None = None,
) -> Messages:
    """Count messages and what became of them.

    Args:
        house: The logs.
        by: What to tell them apart by.
        per: What the trend goes by; by week unless the log has more than half a year.

    Raises:
        InputError: `by` names something else, or something twice.
    """
    if unknown := [name for name in by if name not in ALL]:
        raise InputError(
            f"messages have no {unknown[0]!r}; write one of {', '.join(ALL)}"
        )
    if len(set(by)) < len(by):
        raise InputError(f"messages are told apart once by each of {', '.join(by)}")
    per = chosen(house, per)
    _prepare(house, per)
    rows = _figures(house, by)
    silent = house.rows(
        "select distinct channel from message_rows where not speaks order by 1"
    )
    total = _figures(house, ())
    result = Messages(
        tuple(by),
        rows,
        total[0] if total else _figure({}, None, _NONE, {}, {}),
        per,
        _figures(house, (), in_time=True),
        [channel for (channel,) in silent],
        "Messages released, each once; what was reported of unknown ones is not counted. "
        "Delivered and bounced are shares of the released; opened, clicked, replied, "
        "complained and unsubscribed are shares of those that arrived: on a channel that "
        "reports deliveries the delivered, on any other those not known to have failed. "
        "What a channel never reports is not known there, and no share of anything. "
        "Left out: test traffic, and what machines opened and clicked.",
    )
    house.execute("drop table message_rows")
    house.execute("drop table unsent_rows")
    return result


def _prepare(house: Warehouse, per: Per) -> None:
    """Say of each message whether it arrived, and of each suppression what of."""
    house.execute(
        f"""
        create or replace temp table message_rows as
        with told as (
            select distinct
                TRY_CAST('0x' || substr(properties->>'$.delivery_id', 1, 16) AS UBIGINT)
                    as delivery
            from events where name = 'message.delivered'
        ),
        -- What is never told on a channel is not known there, which is not the same as 0.
        channels as (
            select coalesce(channel, '') as channel,
                bool_or(t.delivery is not null) as tells,
                bool_or(
                    delivered_ms is not null or bounced_ms is not null
                    or undelivered is not null or complained_ms is not null
                    or unsubscribed_ms is not null
                ) as speaks,
                bool_or(opened_ms is not null) as tells_opened,
                bool_or(clicked_ms is not null) as tells_clicked,
                bool_or(replied_ms is not null) as tells_replied
            from messages m left join told t using (delivery)
            where not m.test group by 1
        )
        select m.person, c.channel, coalesce(m."template", '') as "template",
            m.journey, m.step, {beginning("m.sent_ms", per)} as period,
            c.tells, c.speaks, c.tells_opened, c.tells_clicked, c.tells_replied,
            coalesce(m.undelivered, case when m.bounced_ms is not null then 'bounced' end)
                as lost,
            m.delivered_ms is not null as is_delivered,
            m.delivered_ms is not null or m.complained_ms is not null
                or m.unsubscribed_ms is not null or (not c.tells and lost is null)
                as is_reached,
            m.bounced_ms is not null or coalesce(m.undelivered = 'bounced', false)
                as is_bounced,
            m.opened_ms is not null as is_opened,
            m.clicked_ms is not null as is_clicked,
            m.replied_ms is not null as is_replied,
            m.complained_ms is not null as is_complained,
            m.unsubscribed_ms is not null as is_unsubscribed
        from messages m join channels c on coalesce(m.channel, '') = c.channel
        where not m.test
        """
    )
    # Not every line of a suppression says which message it was. Where a step only ever
    # sent one, it was that one.
    house.execute(
        f"""
        create or replace temp table unsent_rows as
        with sole as (
            select journey, step,
                case when count(distinct channel) = 1 then min(channel) end as channel,
                case when count(distinct "template") = 1 then min("template") end
                    as "template"
            from message_rows group by journey, step
        )
        select coalesce(u.channel, o.channel, '') as channel,
            coalesce(u."template", o."template", '') as "template",
            u.journey, u.step, u.reason, {beginning("u.happened_ms", per)} as period
        from unsent u left join sole o using (journey, step)
        where not u.test
        """
    )


def _figures(
    house: Warehouse, by: Sequence[By], *, in_time: bool = False
) -> list[MessageFigures]:
    columns = [f'"{name}"' for name in by] + (["period"] if in_time else [])
    keys = ", ".join(columns) or "1"
    found: defaultdict[tuple[Any, ...], tuple[int, ...]] = defaultdict(lambda: _NONE)
    for row in house.rows(
        f"""
        select count(*), count(distinct person),
            count(*) filter (is_delivered and tells), count(*) filter (tells),
            count(*) filter (is_bounced), count(*) filter (speaks),
            count(*) filter (is_reached),
            count(*) filter (is_opened), count(*) filter (is_reached and tells_opened),
            count(*) filter (is_clicked), count(*) filter (is_reached and tells_clicked),
            count(*) filter (is_replied), count(*) filter (is_reached and tells_replied),
            count(*) filter (is_reached and is_complained),
            count(*) filter (is_reached and is_unsubscribed),
            count(*) filter (is_reached and speaks),
            count(*) filter (is_clicked and is_opened),
            {keys}
        from message_rows group by {", ".join(columns) or "()"}
        """
    ):
        found[row[len(_NONE) :]] = row[: len(_NONE)]
    lost = _reasons(house, "lost", "message_rows", columns)
    unsent = _reasons(house, "reason", "unsent_rows", columns)
    figures = []
    for key in {**found, **unsent}:
        names: dict[str, str] = dict(zip(by, key, strict=False))
        period = key[-1] if in_time else None
        figures.append(
            _figure(names, period, found[key], lost.get(key, {}), unsent.get(key, {}))
        )
    if in_time:
        figures.sort(key=lambda one: to_key(one.starts_at))
    else:
        figures.sort(
            key=lambda one: (-one.released, one.channel, one.template, one.journey)
        )
    return figures


def _reasons(
    house: Warehouse, reason: str, table: str, columns: Sequence[str]
) -> Mapping[tuple[Any, ...], Mapping[str, int]]:
    keys = ", ".join(columns) or "1"
    counts: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in house.rows(
        f"""
        select {reason}, count(*), {keys} from {table} where {reason} is not null
        group by {", ".join([reason, *columns])} order by 2 desc, 1
        """
    ):
        counts[row[2:]][row[0]] += row[1]
    return counts


def to_key(starts_at: datetime | None) -> float:
    """What sorts periods."""
    return starts_at.timestamp() if starts_at else 0.0


def _figure(
    names: Mapping[str, str],
    period: int | None,
    counts: Sequence[int],
    lost: Mapping[str, int],
    unsent: Mapping[str, int],
) -> MessageFigures:
    (
        released,
        people,
        delivered,
        of_delivered,
        bounced,
        of_bounced,
        reached,
        opened,
        of_opened,
        clicked,
        of_clicked,
        replied,
        of_replied,
        complained,
        unsubscribed,
        heard,
        both,
    ) = counts
    held_back = sum(unsent.values())
    return MessageFigures(
        names.get("channel", ""),
        names.get("template", ""),
        names.get("journey", ""),
        names.get("step", ""),
        None if period is None else to_datetime(period),
        released,
        people,
        Share.from_counts(delivered, of_delivered),
        dict(lost),
        Share.from_counts(bounced, of_bounced),
        reached,
        Share.from_counts(opened, of_opened),
        Share.from_counts(clicked, of_clicked),
        Share.from_counts(replied, of_replied),
        Share.from_counts(complained, heard),
        Share.from_counts(unsubscribed, heard),
        Share.from_counts(both, opened),
        dict(unsent),
        Share.from_counts(held_back, released + held_back),
    )
