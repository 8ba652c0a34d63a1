"""What a measure comes to at an instant: one rule for each kind of measure.

A gauge is a measure made ready to be read at any instant of the log. What happened after
the instant does not count, so that its past readings are what one would have seen then;
but the log may since have learned of events that came late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from journeykit.insight.gauges.events import (
    active,
    occurrences,
    reach,
    returning,
    total,
)
from journeykit.insight.gauges.gauge import Gauge, silent
from journeykit.insight.gauges.journeys import arrival, conversion, revenue
from journeykit.insight.gauges.messages import message_rate
from journeykit.insight.gauges.people import membership
from journeykit.insight.gauges.surveys import survey_score
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey
from journeykit.model.measures import (
    Active,
    Arrival,
    Conversion,
    Measure,
    Membership,
    MessageRate,
    Occurrences,
    Reach,
    Returning,
    Revenue,
    SurveyScore,
    Total,
)


def gauge(house: Warehouse, measure: Measure, journeys: Sequence[Journey]) -> Gauge:
    """Make a measure ready; there is one at a time, as they share their tables.

    Args:
        house: The logs.
        measure: What to measure.
        journeys: The definitions, which say the windows of goals.

    Raises:
        LookupError: It asks for a journey or a goal that is not in the workspace.
    """
    needs_events = isinstance(measure, Occurrences | Total | Reach | Active | Returning)
    if needs_events and not house.row("select count(*) from events")[0]:
        return silent("there is no event archive, so nothing is known of events")
    match measure:
        case Conversion():
            return conversion(house, measure, journeys)
        case Arrival():
            return arrival(house, measure)
        case Revenue():
            return revenue(house, measure)
        case Occurrences():
            return occurrences(house, measure)
        case Total():
            return total(house, measure)
        case Reach():
            return reach(house, measure)
        case Active():
            return active(house, measure)
        case Returning():
            return returning(house, measure)
        case Membership():
            return membership(house, measure)
        case SurveyScore():
            return survey_score(house, measure)
        case MessageRate():
            return message_rate(house, measure)
        case _:
            assert_never(measure)
