"""`journeykit measure surveys`: how surveys score, and what reviews and tickets say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

import click

from journeykit.cli.figures import (
    NONE,
    about_logs,
    bar,
    between,
    meaning,
    percent,
    print_json,
    took,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import counted, faint, row, wrapped
from journeykit.insight.periods import Per
from journeykit.insight.ratings import Rating
from journeykit.insight.reviews import Reviews
from journeykit.insight.satisfaction import Satisfaction, satisfaction
from journeykit.insight.stats.intervals import Interval, Share
from journeykit.insight.surveys import Score, SurveyFigures
from journeykit.insight.tickets import TicketCount, Tickets

_MINUTE = 60_000
_TOPICS = 10


@click.command("surveys")
@over_logs
@click.option("--survey", metavar="NAME", help="Only this survey.")
@click.option(
    "--per",
    type=click.Choice(["week", "month"]),
    help="What trends go by; weeks, unless the log has more than half a year.",
)
@with_json
def command(
    *,
    workspace: Path,
    choice: LogChoice,
    survey: str | None,
    per: str | None,
    as_json: bool,
) -> None:
    """Say how surveys score, and what reviews and tickets say."""
    with warehouse(workspace, choice) as sight:
        found = satisfaction(sight.house, survey=survey, per=cast("Per | None", per))
        if as_json:
            print_json(found, sight.house)
            return
        for line in [*_lines(found), *about_logs(sight.house)]:
            click.echo(line)


def _lines(found: Satisfaction) -> Iterator[str]:
    for survey in found.surveys:
        yield from _survey(survey)
        yield ""
    if found.reviews is not None:
        yield from _reviews(found.reviews)
        yield ""
    if found.tickets is not None:
        yield from _tickets(found.tickets)
        yield ""
    if not found.surveys and found.reviews is None and found.tickets is None:
        yield from wrapped(
            "no survey was sent or answered, and there are no reviews or tickets; a "
            "Survey step asks, and review.posted and ticket.opened tell of the others"
        )
    for note in found.notes:
        yield from wrapped(note, first="! ", indent="  ")


def _survey(survey: SurveyFigures) -> Iterator[str]:
    yield rule(f"{survey.survey or 'unnamed'} · {survey.kind}")
    total = survey.total
    if survey.kind != "text":
        yield from row("score", _score(survey, total))
        yield from row(
            "groups",
            ", ".join(
                f"{_group(n, name)} ({percent(n / total.answers)})"
                for name, n in total.groups.items()
                if total.answers
            ),
        )
    yield from row("answers", _answers(survey))
    if survey.asked:
        yield from row("response", _share(survey.response))
    if survey.median_ms is not None:
        yield from row("after", f"half of them within {took(survey.median_ms)}")
    for answer, count in total.distribution.items():
        share = count / total.answers if total.answers else 0.0
        yield f"  {answer:>2}  {bar(share)}  {count:>7,}  {percent(share):>7}"
    if len(survey.channels) > 1:
        for one in survey.channels:
            yield from row(one.channel or "elsewhere", _score(survey, one))
    if len(survey.trend) > 1 and survey.kind != "text":
        yield faint(f"  by {survey.per} of the answer")
        for one in survey.trend:
            yield from row(_day(one.starts_at), _score(survey, one))
    yield from meaning(survey.definition)


def _group(count: int, name: str) -> str:
    """`2 promoters`, `2 satisfied`."""
    is_noun = name in ("promoter", "passive", "detractor")
    return counted(count, name) if is_noun else f"{count:,} {name}"


def _score(survey: SurveyFigures, one: Score) -> str:
    if one.score is None:
        return f"{NONE} nobody has answered" if survey.kind != "text" else ""
    digits = 2 if survey.kind == "ces" else 0
    signed = "+" if survey.kind == "nps" else ""
    unit = " %" if survey.kind == "csat" else ""
    said = f"{one.score:{signed}.{digits}f}{unit}"
    reach = _reach(one.interval, signed, digits, unit)
    return f"{said}{reach} of {counted(one.answers, 'answer')}"


def _reach(interval: Interval | None, signed: str, digits: int, unit: str) -> str:
    if interval is None:
        return ""
    low, high = (
        f"{interval.low:{signed}.{digits}f}",
        f"{interval.high:{signed}.{digits}f}",
    )
    return f" ({low} to {high}{unit})"


def _answers(survey: SurveyFigures) -> str:
    parts = [f"{survey.total.answers:,}"]
    if survey.texts and survey.kind != "text":
        parts.append(f"{survey.texts:,} with a text")
    if survey.elsewhere:
        parts.append(f"{survey.elsewhere:,} to no message of ours")
    return ", ".join(parts)


def _share(share: Share) -> str:
    if share.share is None:
        return NONE
    return (
        f"{share.count:,} of {share.of:,}, {percent(share.share)} "
        f"({between(share.interval)})"
    )


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


def _rating(rating: Rating) -> str:
    if rating.mean is None:
        return ""
    reach = _reach(rating.interval, "", 2, "")
    return f"{rating.mean:.2f} of 5{reach} of {counted(rating.count, 'rating')}"


def _reviews(reviews: Reviews) -> Iterator[str]:
    yield rule("reviews")
    yield from row("rating", _rating(reviews.total))
    yield from row("good", _share(reviews.good))
    yield from row("poor", _share(reviews.poor))
    for stars, count in sorted(reviews.distribution.items(), reverse=True):
        share = count / reviews.total.count if reviews.total.count else 0.0
        yield f"  {stars:>2}  {bar(share)}  {count:>7,}  {percent(share):>7}"
    if len(reviews.trend) > 1:
        yield faint(f"  by {reviews.per}")
        for one in reviews.trend:
            yield from row(_day(one.starts_at), _rating(one))
    yield from meaning(reviews.definition)


def _tickets(tickets: Tickets) -> Iterator[str]:
    yield rule("tickets")
    yield from row("opened", f"{tickets.opened:,}")
    yield from row("people", _share(tickets.share_of_people))
    yield from row("closed", _share(tickets.closed))
    if tickets.median_minutes is not None:
        minutes = took(tickets.median_minutes * _MINUTE)
        yield from row("open", f"half of the closed for no longer than {minutes}")
    yield from row("reopened", f"{tickets.reopened:,}" if tickets.reopened else "")
    yield from row("helped", _rating(tickets.rating))
    yield from _counts("by topic", tickets.topics[:_TOPICS])
    yield from _counts("by priority", tickets.priorities)
    if len(tickets.trend) > 1:
        yield from _counts(f"by {tickets.per}", tickets.trend)
    yield from meaning(tickets.definition)


def _counts(title: str, counts: Sequence[TicketCount]) -> Iterator[str]:
    if not counts or (len(counts) == 1 and not counts[0].name):
        return
    yield faint(f"  {title}")
    for one in counts:
        name = _day(one.starts_at) or one.name or "not said"
        yield from row(name, f"{one.opened:,} opened, {one.closed:,} of them closed")
