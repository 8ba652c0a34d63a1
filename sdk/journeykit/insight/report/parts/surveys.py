"""What people say: survey scores, reviews and tickets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeykit.insight.charts.bars import Bar, Bars, Stack, Stacks
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.lines import Dot, Line, Lines
from journeykit.insight.charts.numbers import (
    NOTHING,
    SECOND,
    amount,
    counted,
    percent,
    span,
    whole,
)
from journeykit.insight.ratings import Rating
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, heading, quiet
from journeykit.insight.reviews import Reviews
from journeykit.insight.satisfaction import Satisfaction
from journeykit.insight.surveys import Score, SurveyFigures
from journeykit.insight.tickets import Tickets

_LEAD = "What people answer when they are asked, and what they say by themselves."
_NAMES = {"nps": "NPS", "csat": "CSAT", "ces": "CES", "text": "free text"}


def surveys_part(satisfaction: Satisfaction, draw: Drawing) -> Section:
    """The section."""
    body = "".join(_body(satisfaction, draw))
    return Section("surveys", "Surveys and satisfaction", _LEAD, body)


def _body(satisfaction: Satisfaction, draw: Drawing) -> Iterator[str]:
    scored = [one for one in satisfaction.surveys if one.total.score is not None]
    if not satisfaction.surveys:
        yield quiet(
            "nobody was asked, and no answers came",
            'Ask with a step: Survey("email", "how-was-it", kind="nps").',
        )
    else:
        yield draw.table(_table(satisfaction.surveys), caption="Surveys")
    for one in scored:
        yield from _survey(one, draw)
    if satisfaction.reviews is not None and satisfaction.reviews.total.count:
        yield from _reviews(satisfaction.reviews, draw)
    if satisfaction.tickets is not None and satisfaction.tickets.opened:
        yield from _tickets(satisfaction.tickets, draw)


def _table(surveys: Sequence[SurveyFigures]) -> Table:
    return Table(
        [
            "survey",
            "kind",
            "asked",
            "response",
            "answers",
            "score",
            "interval",
            "texts",
        ],
        [
            [
                one.survey,
                _NAMES[one.kind],
                whole(one.asked),
                percent(one.response.share),
                whole(one.total.answers),
                _score(one, one.total.score),
                _interval(one, one.total),
                whole(one.texts),
            ]
            for one in surveys
        ],
    )


def _score(one: SurveyFigures, score: float | None) -> str:
    if score is None:
        return NOTHING
    return f"{amount(score)} %" if one.kind == "csat" else amount(score)


def _interval(one: SurveyFigures, score: Score) -> str:
    if score.interval is None:
        return NOTHING
    low, high = score.interval.low, score.interval.high
    return f"{_score(one, low)} to {_score(one, high)}"


def _survey(one: SurveyFigures, draw: Drawing) -> Iterator[str]:
    yield heading(f"{one.survey} ({_NAMES[one.kind]})")
    rows = [Stack("all", [*one.total.groups.values()])]
    if len(one.channels) > 1:
        rows += [Stack(c.channel, [*c.groups.values()]) for c in one.channels]
    took = f" Half of those who answered did within {span(one.median_ms)}."
    yield draw.figure(
        Stacks("Answers by group", [*one.total.groups], rows, "answers"),
        note=one.definition + (took if one.median_ms is not None else ""),
    )
    yield draw.figure(
        Bars(
            "Each answer",
            [
                Bar(
                    str(answer),
                    count,
                    f"{whole(count)} · {percent(count / one.total.answers)}",
                )
                for answer, count in one.total.distribution.items()
            ],
            "answers",
        )
    )
    dots = [
        Dot(
            round(score.starts_at.timestamp() * SECOND),
            score.score,
            (score.interval.low, score.interval.high) if score.interval else None,
        )
        for score in one.trend
        if score.starts_at is not None
    ]
    if sum(dot.value is not None for dot in dots) > 2:
        yield draw.figure(
            Lines(
                f"Score by {one.per}",
                [Line(_NAMES[one.kind], dots)],
                words=lambda score: _score(one, score),
                from_zero=False,
                bounds=(one.worst, one.best),
            )
        )


def _reviews(reviews: Reviews, draw: Drawing) -> Iterator[str]:
    total = reviews.total.count
    yield heading("Reviews")
    yield draw.figure(
        Bars(
            f"{counted(total, 'review')}, on average {amount(reviews.total.mean)} of 5",
            [
                Bar(f"{stars} ★", count, f"{whole(count)} · {percent(count / total)}")
                for stars, count in sorted(reviews.distribution.items(), reverse=True)
            ],
            "reviews",
        ),
        note=reviews.definition,
    )
    yield from _ratings(reviews.trend, f"Rating by {reviews.per}", draw)


def _tickets(tickets: Tickets, draw: Drawing) -> Iterator[str]:
    yield heading("Tickets")
    words = (
        f"{counted(tickets.opened, 'ticket')}, {percent(tickets.closed.share)} closed"
    )
    bars = [
        Bar(each.name or "(no topic)", each.opened, whole(each.opened))
        for each in tickets.topics
    ]
    if bars:
        yield draw.figure(Bars(words, bars, "tickets"), note=tickets.definition)
    dots = [
        Dot(round(each.starts_at.timestamp() * SECOND), each.opened)
        for each in tickets.trend
        if each.starts_at is not None
    ]
    if len(dots) > 2:
        yield draw.figure(
            Lines(f"Tickets by {tickets.per}", [Line("opened", dots)], words=whole)
        )


def _ratings(trend: Sequence[Rating], title: str, draw: Drawing) -> Iterator[str]:
    dots = [
        Dot(
            round(each.starts_at.timestamp() * SECOND),
            each.mean,
            (each.interval.low, each.interval.high) if each.interval else None,
        )
        for each in trend
        if each.starts_at is not None
    ]
    if sum(dot.value is not None for dot in dots) > 2:
        yield draw.figure(
            Lines(title, [Line("mean", dots)], words=amount, bounds=(1.0, 5.0))
        )
