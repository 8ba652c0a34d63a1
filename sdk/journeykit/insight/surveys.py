"""Satisfaction: what surveys score, and what reviews and tickets say.

A message's answer counts once, the first; an answer that came without a message, from
another tool, counts as it is. What people wrote is counted and never shown.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from journeykit.engine.calendar import to_datetime
from journeykit.errors import InputError
from journeykit.insight.periods import Per, beginning, chosen
from journeykit.insight.stats.intervals import Interval, Share, wilson
from journeykit.insight.stats.scores import mean_on_scale, net_score
from journeykit.insight.warehouse import Warehouse
from journeykit.model.events import (
    REVIEW_POSTED,
    SURVEY_ANSWERED,
    TICKET_CLOSED,
    TICKET_OPENED,
)

Kind = Literal["nps", "csat", "ces", "text"]

_STARS = 5

# Kind → the least and the most that one can answer, the names of its groups from the best
# to the worst, and from which answer on one is in the best and in the middle one.
_SCALES: Mapping[str, tuple[int, int, tuple[str, str, str], int, int]] = {
    "nps": (0, 10, ("promoter", "passive", "detractor"), 9, 7),
    "csat": (1, 5, ("satisfied", "neutral", "dissatisfied"), 4, 3),
    "ces": (1, 7, ("easy", "neutral", "difficult"), 5, 4),
}

_DEFINITIONS = {
    "nps": "Net promoter score: the percentage of 9 and 10 minus that of 0 to 6, from "
    "-100 to 100; its interval by the adjusted Wald method (Rocks 2016).",
    "csat": "Satisfaction: how many percent answered 4 or 5 of 5; with Wilson's interval.",
    "ces": "Effort score: the mean answer of 1, hard, to 7, easy; with Student's interval.",
    "text": "Free text: how many wrote something.",
}


@dataclass(frozen=True, slots=True)
class Score:
    """Some answers to a survey.

    Attributes:
        channel: By which channel they came; empty: by any.
        starts_at: The week or month in which they came; None: whenever.
        answers: How many.
        score: For `nps` from -100 to 100, for `csat` percent, for `ces` the mean of 1 to
            7; None of nobody, and of `text`.
        interval: Of `score`; None where it says nothing.
        mean: The mean answer.
        groups: Each group to how many are in it, the best first.
        distribution: Each answer that one can give to how many gave it.
    """

    channel: str
    starts_at: datetime | None
    answers: int
    score: float | None
    interval: Interval | None
    mean: float | None
    groups: Mapping[str, int]
    distribution: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class SurveyFigures:
    """One survey.

    Attributes:
        survey: Its name.
        kind: `nps`, `csat`, `ces` or `text`.
        asked: Messages that asked.
        people: How many people these went to.
        response: Those that were answered, of those that asked and arrived, as far as
            that is known.
        elsewhere: Answers to no message that the log knows, such as another tool's.
        texts: Answers with a text.
        median_ms: How long half of those who answered took from the message, at most.
        total: All answers.
        channels: The same by channel, the most answers first.
        per: What the trend goes by.
        trend: The same by the week or month of the answer, in order.
        best: What the score can be at best.
        worst: What it can be at worst.
        definition: What is counted, over whom, in which window.
    """

    survey: str
    kind: Kind
    asked: int
    people: int
    response: Share
    elsewhere: int
    texts: int
    median_ms: float | None
    total: Score
    channels: Sequence[Score]
    per: Per
    trend: Sequence[Score]
    best: float
    worst: float
    definition: str


@dataclass(frozen=True, slots=True)
class Rating:
    """The reviews, or ratings of tickets, of a week, a month or all time.

    Attributes:
        starts_at: When it begins; None: of all time.
        count: How many.
        mean: Their mean, on a scale up to 5.
        interval: Of the mean; None of fewer than two.
    """

    starts_at: datetime | None
    count: int
    mean: float | None
    interval: Interval | None


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


@dataclass(frozen=True, slots=True)
class TicketCount:
    """Tickets of a topic, a priority, a week or a month.

    Attributes:
        name: The topic or priority; empty: not said.
        starts_at: The week or month in which they were opened; None: whenever.
        opened: How many.
        closed: How many of these are closed.
    """

    name: str
    starts_at: datetime | None
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class Tickets:
    """What tickets say.

    Attributes:
        opened: Tickets that were opened.
        people: By how many people.
        share_of_people: These, of the people whom the logs know.
        closed: The closed, of the opened.
        reopened: Tickets that were opened again after they had been closed.
        median_minutes: How long half of the closed took, at most.
        rating: What people said of how they were helped.
        topics: By topic, the most first.
        priorities: By priority, the most urgent first.
        per: What the trend goes by.
        trend: By the week or month in which they were opened.
        definition: What is counted, over whom, in which window.
    """

    opened: int
    people: int
    share_of_people: Share
    closed: Share
    reopened: int
    median_minutes: float | None
    rating: Rating
    topics: Sequence[TicketCount]
    priorities: Sequence[TicketCount]
    per: Per
    trend: Sequence[TicketCount]
    definition: str


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """What customers say.

    Attributes:
        surveys: Each survey that was sent or answered, by name.
        reviews: None: there are none.
        tickets: None: there are none.
        notes: What could not be counted, a sentence each.
    """

    surveys: Sequence[SurveyFigures]
    reviews: Reviews | None
    tickets: Tickets | None
    notes: Sequence[str]


def satisfaction(
    house: Warehouse, *, survey: str | None = None, per: Per | None = None
) -> Satisfaction:
    """Count what customers say in surveys, reviews and tickets.

    Args:
        house: The logs.
        survey: Only this survey, and nothing else.
        per: What trends go by; by week unless the log has more than half a year.

    Raises:
        InputError: There is no such survey in the logs.
    """
    per = chosen(house, per)
    notes: list[str] = []
    surveys = _surveys(house, per, notes)
    if survey is not None:
        only = [one for one in surveys if one.survey == survey]
        if not only:
            known = ", ".join(repr(one.survey) for one in surveys) or "none"
            raise InputError(
                f"no survey {survey!r} was sent or answered; these were: {known}"
            )
        return Satisfaction(only, None, None, notes)
    return Satisfaction(
        surveys, _reviews(house, per, notes), _tickets(house, per), notes
    )


# --- surveys ------------------------------------------------------------------------

_ANSWERS = """
create or replace temp table answers as
with told as (
    select person, happened_ms, event,
        coalesce(properties->>'$.survey', '') as survey,
        coalesce(properties->>'$.kind', '') as kind,
        TRY_CAST(properties->>'$.score' AS DOUBLE) as score,
        coalesce(properties->>'$.text', '') <> '' as has_text,
        coalesce(properties->>'$.channel', '') as channel,
        TRY_CAST('0x' || substr(properties->>'$.delivery_id', 1, 16) AS UBIGINT)
            as delivery
    from events
    where name = $answered and not test
        and ($since is null or happened_ms >= $since)
)
select t.survey, t.kind, t.score, t.has_text, t.channel, t.happened_ms,
    m.delivery, m.sent_ms
from told t left join messages m on t.delivery = m.delivery
where coalesce(not m.test, true)
qualify t.delivery is null
    or row_number() over (partition by t.delivery order by t.happened_ms, t.event) = 1
"""


def _surveys(house: Warehouse, per: Per, notes: list[str]) -> list[SurveyFigures]:
    house.execute(_ANSWERS, {"answered": SURVEY_ANSWERED, "since": house.scope.since})
    kinds = ", ".join(f"('{kind}', {s[0]}, {s[1]})" for kind, s in _SCALES.items())
    house.execute(
        f"""
        create or replace temp table kept as
        select a.*, {beginning("a.happened_ms", per)} as period
        from answers a left join (values {kinds}) k(kind, least, most) using (kind)
        where case when a.kind = 'text' then has_text
            else a.score between k.least and k.most and a.score = floor(a.score) end
        """
    )
    (all_of_them,) = house.row("select count(*) from answers")
    (kept,) = house.row("select count(*) from kept")
    if all_of_them > kept:
        notes.append(
            f"{all_of_them - kept:,} of {all_of_them:,} answers have no score that their "
            "kind of survey knows, and are left out"
        )
    asked = {
        (survey, kind): counts
        for survey, kind, *counts in house.rows(
            """
            select survey, coalesce(asks, ''), count(*), count(distinct person),
                count(*) filter (
                    undelivered is null and bounced_ms is null
                    or exists (select 1 from kept k where k.delivery = m.delivery)
                ),
                count(*) filter (
                    exists (select 1 from kept k where k.delivery = m.delivery)
                )
            from messages m where survey is not null and not test group by all
            """
        )
    }
    answered = {
        (survey, kind): counts
        for survey, kind, *counts in house.rows(
            """
            select survey, kind, count(*) filter (delivery is null),
                count(*) filter (has_text), median(happened_ms - sent_ms)
            from kept group by all
            """
        )
    }
    by_channel = _scored(house, "channel")
    by_period = _scored(house, "period")
    figures = []
    for survey, kind in sorted({*asked, *answered}):
        if kind not in _DEFINITIONS:
            continue
        messages, people, arrived, replied = asked.get((survey, kind), (0, 0, 0, 0))
        elsewhere, texts, median_ms = answered.get((survey, kind), (0, 0, None))
        channels = by_channel.get((survey, kind), {})
        periods = by_period.get((survey, kind), {})
        total: Counter[int] = Counter()
        for counts_of in channels.values():
            total.update(counts_of)
        worst, best = _ends(kind)
        figures.append(
            SurveyFigures(
                survey,
                kind,
                messages,
                people,
                Share.from_counts(replied, arrived),
                elsewhere,
                texts,
                median_ms,
                _score(kind, total),
                sorted(
                    (_score(kind, c, channel=name) for name, c in channels.items()),
                    key=lambda one: (-one.answers, one.channel),
                ),
                per,
                [_score(kind, c, period=at) for at, c in sorted(periods.items())],
                best,
                worst,
                f"{_DEFINITIONS[kind]} Of each message the first answer counts. Response: "
                "messages answered, of those that asked and are not known to have "
                "failed. Test traffic is left out.",
            )
        )
    house.execute("drop table answers")
    house.execute("drop table kept")
    return figures


def _ends(kind: str) -> tuple[float, float]:
    """What a score of this kind can be at worst and at best."""
    return {"nps": (-100.0, 100.0), "csat": (0.0, 100.0), "ces": (1.0, 7.0)}.get(
        kind, (0.0, 0.0)
    )


def _scored(
    house: Warehouse, column: Literal["channel", "period"]
) -> Mapping[tuple[str, str], Mapping[Any, Counter[int]]]:
    """By survey and kind, then by channel or period: how often each answer was given."""
    found: defaultdict[tuple[str, str], defaultdict[Any, Counter[int]]]
    found = defaultdict(lambda: defaultdict(Counter))
    for survey, kind, name, score, count in house.rows(
        f"select survey, kind, {column}, coalesce(score, 0), count(*) from kept "
        "group by all"
    ):
        found[survey, kind][name][int(score)] += count
    return found


def _score(
    kind: str, answers: Counter[int], *, channel: str = "", period: int | None = None
) -> Score:
    """What some answers come to."""
    at = None if period is None else to_datetime(period)
    count = answers.total()
    if kind == "text":
        return Score(channel, at, count, None, None, None, {}, {})
    least, most, names, best_from, middle_from = _SCALES[kind]
    best = sum(n for answer, n in answers.items() if answer >= best_from)
    worst = sum(n for answer, n in answers.items() if answer < middle_from)
    groups = dict(zip(names, (best, count - best - worst, worst), strict=True))
    distribution = {answer: answers[answer] for answer in range(least, most + 1)}
    if not count:
        return Score(channel, at, 0, None, None, None, groups, distribution)
    total = sum(answer * n for answer, n in answers.items())
    squares = sum(answer * answer * n for answer, n in answers.items())
    mean = total / count
    interval: Interval | None
    if kind == "nps":
        score = 100 * (best - worst) / count
        interval = _times(net_score(best, count - best - worst, worst), 100)
    elif kind == "csat":
        score, interval = 100 * best / count, _times(wilson(best, count), 100)
    else:
        score = mean
        interval = mean_on_scale(count, total, squares, low=least, high=most)
    return Score(channel, at, count, score, interval, mean, groups, distribution)


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(interval.low * factor, interval.high * factor, interval.level)


# --- reviews and tickets ------------------------------------------------------------


def _stars(table: str) -> str:
    """A rating on a scale up to 5; null where there is none that makes sense."""
    rating = f"TRY_CAST({table}.properties->>'$.rating' AS DOUBLE)"
    scale = f"coalesce(TRY_CAST({table}.properties->>'$.scale' AS DOUBLE), {_STARS})"
    return (
        f"case when {scale} > 0 and {rating} between 0 and {scale} "
        f"then {rating} * {_STARS} / {scale} end"
    )


def _reviews(house: Warehouse, per: Per, notes: list[str]) -> Reviews | None:
    asked = {"name": REVIEW_POSTED, "since": house.scope.since}
    found = house.rows(
        f"""
        select {_stars("e")} as stars, {beginning("e.happened_ms", per)} as period,
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
    unread = sum(count for stars, _, count in found if stars is None)
    if unread:
        notes.append(
            f"{unread:,} reviews have no rating within their scale, and are left out"
        )
    rated = [(stars, at, count) for stars, at, count in found if stars is not None]
    (people,) = house.row(
        f"""
        select count(distinct person) from events e
        where e.name = $name and not e.test and {_stars("e")} is not null
            and ($since is null or e.happened_ms >= $since)
        """,
        asked,
    )
    count = sum(n for _, _, n in rated)
    rounded: Counter[int] = Counter()
    for stars, _, n in rated:
        rounded[max(1, math.floor(stars + 0.5))] += n
    return Reviews(
        _rating((stars, n) for stars, _, n in rated),
        people,
        {stars: rounded[stars] for stars in range(1, _STARS + 1)},
        Share.from_counts(sum(n for stars, _, n in rated if stars >= 4), count),
        Share.from_counts(sum(n for stars, _, n in rated if stars <= 2), count),
        per,
        [
            _rating(((stars, n) for stars, one, n in rated if one == at), at)
            for at in sorted({at for _, at, _ in rated})
        ],
        f"Events `{REVIEW_POSTED}`, their `rating` brought to a scale up to {_STARS}; its "
        "mean with Student's interval. Good: 4 and more; poor: 2 and fewer. Test traffic "
        "is left out.",
    )


def _rating(rated: Iterable[tuple[float, int]], period: int | None = None) -> Rating:
    pairs = list(rated)
    count = sum(n for _, n in pairs)
    total = math.fsum(stars * n for stars, n in pairs)
    squares = math.fsum(stars * stars * n for stars, n in pairs)
    return Rating(
        None if period is None else to_datetime(period),
        count,
        total / count if count else None,
        mean_on_scale(count, total, squares, low=0, high=_STARS),
    )


_TICKETS = """
create or replace temp table tickets as
with told as (
    select person, happened_ms, name = $opened as opens,
        coalesce(properties->>'$.ticket', '') as ticket,
        coalesce(properties->>'$.topic', '') as topic,
        coalesce(properties->>'$.priority', '') as priority,
        TRY_CAST(properties->>'$.minutes' AS DOUBLE) as minutes
    from events
    where name in ($opened, $closed) and not test
        and ($since is null or happened_ms >= $since)
),
first as (
    select ticket, min(happened_ms) filter (opens) as opened_ms,
        arg_min(person, happened_ms) filter (opens) as person,
        arg_min(topic, happened_ms) filter (opens) as topic,
        arg_min(priority, happened_ms) filter (opens) as priority
    from told where ticket <> '' group by ticket
),
closings as (
    select t.ticket, min(t.happened_ms) as closed_ms,
        arg_min(t.minutes, t.happened_ms) as minutes
    from told t join first f using (ticket)
    where not t.opens and t.happened_ms >= f.opened_ms
    group by t.ticket
)
select f.*, c.closed_ms,
    coalesce(c.minutes, (c.closed_ms - f.opened_ms) / 60000.0) as minutes,
    exists (
        select 1 from told t
        where t.ticket = f.ticket and t.opens and t.happened_ms > c.closed_ms
    ) as is_reopened
from first f left join closings c using (ticket)
where f.opened_ms is not null
"""

_PRIORITIES = ("urgent", "high", "normal", "low")


def _tickets(house: Warehouse, per: Per) -> Tickets | None:
    asked = {
        "opened": TICKET_OPENED,
        "closed": TICKET_CLOSED,
        "since": house.scope.since,
    }
    house.execute(_TICKETS, asked)
    opened, people, closed, reopened, minutes = house.row(
        "select count(*), count(distinct person), count(closed_ms), "
        "count(*) filter (is_reopened), median(minutes) from tickets"
    )
    if not opened:
        house.execute("drop table tickets")
        return None
    (known,) = house.row(
        """
        select count(*) from (
            select person from events where not test
            union select person from runs where not test
        )
        """
    )
    rated = house.rows(
        f"""
        select {_stars("e")} as stars, count(*) from events e
        where e.name = $closed and not e.test
            and ($since is null or e.happened_ms >= $since) and stars is not null
        group by all
        """,
        {"closed": TICKET_CLOSED, "since": house.scope.since},
    )

    def counted(column: str) -> list[TicketCount]:
        return [
            TicketCount(
                name if isinstance(name, str) else "",
                to_datetime(name) if isinstance(name, int) else None,
                *counts,
            )
            for name, *counts in house.rows(
                f"select {column} as one, count(*), count(closed_ms) from tickets "
                "group by one order by 2 desc, 1"
            )
        ]

    priorities = counted("priority")
    rank = {name: n for n, name in enumerate(_PRIORITIES)}
    figures = Tickets(
        opened,
        people,
        Share.from_counts(people, known),
        Share.from_counts(closed, opened),
        reopened,
        minutes,
        _rating(rated),
        counted("topic"),
        sorted(priorities, key=lambda one: rank.get(one.name, len(rank))),
        per,
        sorted(
            counted(beginning("opened_ms", per)),
            key=lambda one: one.starts_at.timestamp() if one.starts_at else 0.0,
        ),
        f"Tickets by their `ticket`, each once, from its first `{TICKET_OPENED}` to the "
        f"first `{TICKET_CLOSED}` behind it; how long it was open is `minutes` if that "
        "says so. Test traffic is left out.",
    )
    house.execute("drop table tickets")
    return figures
