"""Messages: what was sent on which channel, what became of it, what was held back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from journeykit.insight.charts.bars import Bar, Bars
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.lines import Dot, Line, Lines
from journeykit.insight.charts.numbers import (
    NOTHING,
    SECOND,
    counted,
    percent,
    whole,
)
from journeykit.insight.map.words import reason_in_words
from journeykit.insight.messages import MessageFigures, Messages
from journeykit.insight.periods import Per
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, paragraph, quiet
from journeykit.insight.stats.intervals import Share

_LEAD = "What was sent, what became of it, and what was held back."
_ROWS = 20  # templates in the table; the command tells all
_REASONS = 10


def messages_part(messages: Messages, until: int, draw: Drawing) -> Section:
    """The section.

    Args:
        messages: What to tell.
        until: Where the log ends: a week or month that is not over is no trend.
        draw: Draws its figures.
    """
    body = "".join(_body(messages, until, draw))
    return Section("messages", "Messages", _LEAD, body)


def _body(messages: Messages, until: int, draw: Drawing) -> Iterator[str]:
    total = messages.total
    if not total.released and not total.suppressed:
        yield quiet("no message was sent or held back in this time")
        return
    fates = _fates(total)
    if fates.bars:
        yield draw.figure(fates, note=messages.definition)
    else:
        yield paragraph(f"{fates.title}: nobody reported it.")
        yield paragraph(messages.definition, kind="note")
    if messages.silent_channels:
        names = ", ".join(messages.silent_channels)
        yield paragraph(
            f"No delivery was ever reported on {names}: there a message counts as "
            "arrived if nobody said that it failed.",
            kind="note",
        )
    if not any(share.count for share in (total.opened, total.clicked, total.delivered)):
        yield quiet(
            "no provider reported what became of these messages",
            "How reports come in is in the documentation under feedback.",
        )
    rows = messages.rows[:_ROWS]
    more = len(messages.rows) - len(rows)
    yield draw.table(
        Table(
            [
                "template",
                "channel",
                "sent",
                "arrived",
                "opened",
                "clicked",
                "replied",
                "left",
                "held back",
            ],
            [*map(_row, rows)],
        ),
        caption="By template and channel",
        note="Opened, clicked, replied and left (unsubscribed) are of those that "
        "arrived; held back is of all that were to be sent."
        + (
            f" {more} more are told by journeykit measure messages." if more > 0 else ""
        ),
    )
    if len(total.suppressed) > 1:
        yield draw.figure(_held_back(total))
    elif total.suppressed:
        ((reason, count),) = total.suppressed.items()
        yield paragraph(
            f"{counted(count, 'message')} held back, all for one reason: "
            f"{reason_in_words(reason)}."
        )
    dots = [
        (round(one.starts_at.timestamp() * SECOND), one)
        for one in messages.trend
        if one.starts_at is not None and _end(one.starts_at, messages.per) <= until
    ]
    if len(dots) > 2:
        yield draw.figure(_trend(messages, dots))


def _end(starts_at: datetime, per: Per) -> int:
    """When a week or month is over, in milliseconds."""
    if per == "week":
        ends_at = starts_at + timedelta(days=7)
    else:
        year, month = divmod(starts_at.year * 12 + starts_at.month, 12)
        ends_at = starts_at.replace(year=year, month=month + 1)
    return round(ends_at.timestamp() * SECOND)


def _fates(total: MessageFigures) -> Bars:
    said: Sequence[tuple[str, Share]] = (
        ("delivered, of those sent where it is reported", total.delivered),
        ("bounced, of those sent", total.bounced),
        ("opened, of those that arrived", total.opened),
        ("clicked, of those that arrived", total.clicked),
        ("replied, of those that arrived", total.replied),
        ("unsubscribed, of those that arrived", total.unsubscribed),
        ("complained, of those that arrived", total.complained),
        ("held back, of those to be sent", total.held_back),
    )
    return Bars(
        f"What became of {whole(total.released)} messages to "
        f"{whole(total.people)} people",
        [
            Bar(
                name,
                share.share,
                f"{percent(share.share)} of {whole(share.of)}",
                (share.interval.low, share.interval.high) if share.interval else None,
            )
            for name, share in said
            if share.share is not None
            and (share.count or name.startswith(("opened", "clicked")))
        ],
        "share",
        most=1.0,
    )


def _row(one: MessageFigures) -> list[str]:
    return [
        one.template or "(none)",
        one.channel or NOTHING,
        whole(one.released),
        whole(one.reached),
        percent(one.opened.share),
        percent(one.clicked.share),
        percent(one.replied.share),
        percent(one.unsubscribed.share),
        percent(one.held_back.share),
    ]


def _held_back(total: MessageFigures) -> Bars:
    reasons = sorted(total.suppressed.items(), key=lambda one: (-one[1], one[0]))
    return Bars(
        "Why messages were held back",
        [
            Bar(reason_in_words(reason), count, whole(count))
            for reason, count in reasons[:_REASONS]
        ],
        "messages",
    )


def _trend(messages: Messages, dots: Sequence[tuple[int, MessageFigures]]) -> Lines:
    lines = [Line("sent", [Dot(at, one.released) for at, one in dots])]
    if messages.total.suppressed:
        held = [Dot(at, sum(one.suppressed.values())) for at, one in dots]
        lines.append(Line("held back", held))
    if messages.total.opened.count:
        lines.append(Line("opened", [Dot(at, one.opened.count) for at, one in dots]))
    if messages.total.clicked.count:
        lines.append(Line("clicked", [Dot(at, one.clicked.count) for at, one in dots]))
    return Lines(f"Messages by {messages.per}", lines, words=whole)
