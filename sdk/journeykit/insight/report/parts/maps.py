"""The maps: the whole customer journey stage by stage, and each journey step by step."""

from __future__ import annotations

from collections.abc import Sequence

from journeykit.insight.coverage import Coverage
from journeykit.insight.flow import JourneyFlow
from journeykit.insight.map.page import journey_section, stage_section
from journeykit.insight.report.page import Section, paragraph, quiet
from journeykit.insight.stages import StageMap
from journeykit.model.journey import Journey

_STAGES = (
    "Where customers and company meet, stage by stage: what is sent and observed, what "
    "people do, want, ask and stumble over, and who is where."
)
_JOURNEYS = "How runs go through each journey, step by step."


def stages_part(map: StageMap, coverage: Coverage | None, *, rtl: bool) -> Section:
    """The section of the whole customer journey, with what it lacks."""
    if not any(column.touchpoints or column.journeys for column in map.columns):
        body = quiet(
            "nothing is on the map yet",
            "Declare touchpoints with their stages in touchpoints.py, and give journeys "
            "a stage.",
        )
    else:
        body = stage_section(map, coverage, rtl=rtl, heading=0, folded=True)
    return Section("map", "The customer journey", _STAGES, body)


def journey_maps_part(
    journeys: Sequence[Journey], flows: Sequence[JourneyFlow], *, rtl: bool
) -> Section:
    """The section of the single journeys."""
    by_id = {flow.journey: flow for flow in flows}
    entered = [one for one in journeys if (f := by_id.get(one.id)) and f.entered]
    body = "".join(
        journey_section(
            journey,
            by_id.get(journey.id),
            rtl=rtl,
            heading=3,
            folded=True,
            closed=place > 0,  # one is seen at once, and the others are not scrolled by
        )
        for place, journey in enumerate(entered)
    )
    if quiets := [one.name or one.id for one in journeys if one not in entered]:
        body += paragraph(
            f"Nobody entered {', '.join(quiets)}; journeykit map JOURNEY draws what is "
            "defined."
        )
    return Section(
        "journey-maps",
        "Step by step",
        _JOURNEYS,
        body or quiet("the workspace has no journeys"),
    )
