"""What surveys score.

A message's answer counts once, the first; an answer that came without a message, from
another tool, counts as it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from journeykit.engine.calendar import to_datetime
from journeykit.insight.periods import Per, beginning
from journeykit.insight.scales import SCALES
from journeykit.insight.stats.intervals import Interval, Share, wilson
from journeykit.insight.stats.scores import mean_on_scale, net_score
from journeykit.insight.warehouse import Warehouse
from journeykit.model.events import SURVEY_ANSWERED

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
    kind: str
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


_KEPT = """
create or replace temp table kept as
select a.*, {period} as period
from answers a left join (values {kinds}) k(kind, least, most) using (kind)
where case when a.kind = 'text' then has_text
    else a.score between k.least and k.most and a.score = floor(a.score) end
"""

_ASKED = """
select survey, coalesce(asks, ''), count(*), count(distinct person),
    count(*) filter (
        undelivered is null and bounced_ms is null
        or exists (select 1 from kept k where k.delivery = m.delivery)
    ),
    count(*) filter (exists (select 1 from kept k where k.delivery = m.delivery))
from messages m where survey is not null and not test group by all
"""

_ANSWERED = """
select survey, kind, count(*) filter (delivery is null), count(*) filter (has_text),
    median(happened_ms - sent_ms)
from kept group by all
"""


def survey_figures(house: Warehouse, per: Per, notes: list[str]) -> list[SurveyFigures]:
    """Count each survey that was sent or answered, by name.

    Args:
        house: The logs.
        per: What trends go by.
        notes: What could not be counted is added to it.
    """
    house.execute(_ANSWERS, {"answered": SURVEY_ANSWERED, "since": house.scope.since})
    kinds = ", ".join(
        f"('{kind}', {scale.least}, {scale.most})" for kind, scale in SCALES.items()
    )
    period = beginning("a.happened_ms", per)
    house.execute(_KEPT.format(period=period, kinds=kinds))
    (answers,) = house.row("select count(*) from answers")
    (kept,) = house.row("select count(*) from kept")
    if answers > kept:
        notes.append(
            f"{answers - kept:,} of {answers:,} answers have no score that their kind of "
            "survey knows, and are left out"
        )
    asked = _by_survey(house, _ASKED)
    answered = _by_survey(house, _ANSWERED)
    by_channel = _scored(house, "channel")
    by_period = _scored(house, "period")
    house.execute("drop table answers")
    house.execute("drop table kept")
    figures = []
    for survey, kind in sorted({*asked, *answered}):
        if kind not in _DEFINITIONS:
            continue
        messages, people, arrived, replied = asked.get((survey, kind), (0, 0, 0, 0))
        elsewhere, texts, median_ms = answered.get((survey, kind), (0, 0, None))
        channels = by_channel.get((survey, kind), {})
        periods = by_period.get((survey, kind), {})
        scale = SCALES.get(kind)
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
                _score(kind, sum(channels.values(), Counter())),
                sorted(
                    (_score(kind, c, channel=name) for name, c in channels.items()),
                    key=lambda one: (-one.answers, one.channel),
                ),
                per,
                [_score(kind, c, period=at) for at, c in sorted(periods.items())],
                scale.best_score if scale else 0.0,
                scale.worst_score if scale else 0.0,
                f"{_DEFINITIONS[kind]} Of each message the first answer counts. Response: "
                "messages answered, of those that asked and are not known to have "
                "failed. Test traffic is left out.",
            )
        )
    return figures


def _by_survey(house: Warehouse, query: str) -> Mapping[tuple[str, str], Sequence[Any]]:
    """By survey and kind: what a query says of it."""
    return {(survey, kind): counts for survey, kind, *counts in house.rows(query)}


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
    scale = SCALES[kind]
    best = sum(n for answer, n in answers.items() if answer >= scale.best_from)
    worst = sum(n for answer, n in answers.items() if answer < scale.middle_from)
    middle = count - best - worst
    groups = dict(zip(scale.groups, (best, middle, worst), strict=True))
    distribution = {a: answers[a] for a in range(scale.least, scale.most + 1)}
    if not count:
        return Score(channel, at, 0, None, None, None, groups, distribution)
    total = sum(answer * n for answer, n in answers.items())
    squares = sum(answer * answer * n for answer, n in answers.items())
    mean = total / count
    interval: Interval | None
    if kind == "nps":
        score = 100 * (best - worst) / count
        interval = _times(net_score(best, middle, worst), 100)
    elif kind == "csat":
        score, interval = 100 * best / count, _times(wilson(best, count), 100)
    else:
        score = mean
        interval = mean_on_scale(
            count, total, squares, low=scale.least, high=scale.most
        )
    return Score(channel, at, count, score, interval, mean, groups, distribution)


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(interval.low * factor, interval.high * factor, interval.level)
