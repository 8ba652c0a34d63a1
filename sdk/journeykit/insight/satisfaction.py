"""Satisfaction: what customers say in surveys, reviews and tickets.

What people wrote is counted and never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from journeykit.errors import InputError
from journeykit.insight.periods import Per, chosen
from journeykit.insight.reviews import Reviews, review_figures
from journeykit.insight.surveys import SurveyFigures, survey_figures
from journeykit.insight.tickets import Tickets, ticket_figures
from journeykit.insight.warehouse import Warehouse


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
    surveys = survey_figures(house, per, notes)
    if survey is not None:
        only = [one for one in surveys if one.survey == survey]
        if not only:
            known = ", ".join(repr(one.survey) for one in surveys) or "none"
            raise InputError(
                f"no survey {survey!r} was sent or answered; these were: {known}"
            )
        return Satisfaction(only, None, None, notes)
    return Satisfaction(
        surveys, review_figures(house, per, notes), ticket_figures(house, per), notes
    )
