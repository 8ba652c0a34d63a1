"""Gauges of surveys: their scores."""

from __future__ import annotations

from journeykit.insight.gauges.gauge import Figure, Gauge, begin, lately
from journeykit.insight.scales import SCALES
from journeykit.insight.stats.intervals import of_mean
from journeykit.insight.warehouse import Warehouse
from journeykit.model.events import SURVEY_ANSWERED
from journeykit.model.measures import SurveyScore


def survey_score(house: Warehouse, measure: SurveyScore) -> Gauge:
    """Make ready the score of one survey, or of all of a kind."""
    scale = SCALES[measure.kind]
    house.execute(
        """
        create or replace temp table gauged_answers as
        select arg_min(score, happened_ms) as score, min(happened_ms) as happened_ms
        from (
            select happened_ms,
                TRY_CAST(json_extract_string(properties, '/score') AS DOUBLE) as score,
                json_extract_string(properties, '/delivery_id') as delivery_id,
                source || ' ' || id as own_id
            from events
            where name = $name and not test
                and json_extract_string(properties, '/kind') = $kind
                and ($survey = '' or
                    json_extract_string(properties, '/survey') = $survey)
        )
        where score between $least and $most and score = floor(score)
            and not exists (  -- what a message of test traffic asked for
                select 1 from messages m where m.test and m.delivery =
                    TRY_CAST('0x' || substr(delivery_id, 1, 16) AS UBIGINT)
            )
        group by coalesce(delivery_id, own_id)
        """,
        {
            "name": SURVEY_ANSWERED,
            "kind": measure.kind,
            "survey": measure.survey or "",
            "least": scale.least,
            "most": scale.most,
        },
    )
    best, middle = scale.best_from, scale.middle_from
    scored, what = {
        "nps": (
            f"""case when score >= {best} then 100::DOUBLE
                when score < {middle} then -100::DOUBLE else 0::DOUBLE end""",
            f"Percent of answers from {best} on less percent up to {middle - 1}",
        ),
        "csat": (
            f"case when score >= {best} then 100::DOUBLE else 0::DOUBLE end",
            f"Percent of answers from {best} on",
        ),
        "ces": ("score", "Mean answer"),
    }[measure.kind]

    def read(at: int) -> Figure:
        count, total, squares = house.row(
            f"""
            select count(*), coalesce(sum(x), 0), coalesce(sum(x * x), 0) from (
                select {scored} as x from gauged_answers
                where happened_ms > ? and happened_ms <= ?
            )
            """,
            [begin(at, measure.over), at],
        )
        value = total / count if count else None
        return Figure(value, count, of_mean(count, total, squares))

    whose = f"survey {measure.survey!r}" if measure.survey else "all surveys"
    return Gauge(
        read,
        f"{what} of {whose} of kind {measure.kind} {lately(measure.over)}; each message's "
        "first answer, test traffic left out.",
    )
