"""From findings to the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from journeykit.insight.charts.numbers import counted, day, whole
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.findings import Findings, Missing
from journeykit.insight.report.page import Section, page, quiet
from journeykit.insight.report.parts.attribution import attribution_part
from journeykit.insight.report.parts.causes import causes_part
from journeykit.insight.report.parts.funnels import funnels_part
from journeykit.insight.report.parts.journeys import journeys_part
from journeykit.insight.report.parts.lift import lift_part
from journeykit.insight.report.parts.maps import journey_maps_part, stages_part
from journeykit.insight.report.parts.messages import messages_part
from journeykit.insight.report.parts.objectives import objectives_part
from journeykit.insight.report.parts.paths import paths_part
from journeykit.insight.report.parts.retention import retention_part
from journeykit.insight.report.parts.surveys import surveys_part
from journeykit.insight.report.summary import summary_part

Part = TypeVar("Part")

RECORDED = (
    "These are recorded events, replayed: what was sent could change nothing of what "
    "people did. Read every figure as what was observed after a message, never as what "
    "a message caused."
)


def report(
    found: Findings, *, made_at: datetime, title: str = "", rtl: bool = False
) -> str:
    """Return the report as one HTML page.

    Args:
        found: What it tells.
        made_at: When it is made.
        title: Its heading; empty: the workspace's name.
        rtl: Whether the page runs from right to left.
    """
    draw = Drawing(rtl=rtl)
    return page(
        [*_sections(found, draw)],
        title=title or found.name,
        subtitle=_subtitle(found),
        notices=[
            *([RECORDED] if found.replayed else []),
            *_strangers(found),
            *found.problems,
        ],
        footer=f"Made by journeykit on {made_at:%Y-%m-%d %H:%M} UTC from the decision log "
        "and the event archive. Test traffic counts nowhere. No customer's name, id or "
        "address is in it.",
        rtl=rtl,
    )


_NAMED = 5  # journeys that are gone


def _strangers(found: Findings) -> Iterator[str]:
    """What the log tells of journeys that the workspace doesn't have, or no more."""
    known = {journey.id for journey in found.journeys}
    gone = [name for name in found.activity.entered_by if name not in known]
    if gone:
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        yield (
            "The log has runs of journeys that are not in the workspace: "
            f"{', '.join(gone[:_NAMED])}{more}. They count at a glance, among messages "
            "and goals, and have no map, funnel or lift."
        )


def _subtitle(found: Findings) -> str:
    if found.span is None:
        return "The log is empty."
    first, last = map(day, found.span)
    words = (
        f"{first} to {last}, UTC · {whole(found.activity.people)} people in journeys"
    )
    if found.test_runs:
        words += f" · {counted(found.test_runs, 'test run')} left out"
    return words


def _sections(found: Findings, draw: Drawing) -> Iterator[Section]:
    yield summary_part(found, draw)
    yield _part(
        found.objectives,
        "objectives",
        "Objectives",
        lambda told: objectives_part(told, draw),
    )
    coverage = None if isinstance(found.coverage, Missing) else found.coverage
    yield _part(
        found.stages,
        "map",
        "The customer journey",
        lambda told: stages_part(told, coverage, rtl=draw.rtl),
    )
    yield _part(
        found.performance,
        "journeys",
        "Journeys and goals",
        lambda told: journeys_part(told, found.activity, draw),
    )
    yield _part(
        found.funnels, "funnels", "Funnels", lambda told: funnels_part(told, draw)
    )
    yield _part(found.lift, "lift", "Lift", lambda told: lift_part(told, draw))
    yield _part(
        found.retention,
        "retention",
        "Retention",
        lambda told: retention_part(told, draw),
    )
    yield _part(
        found.messages,
        "messages",
        "Messages",
        lambda told: messages_part(told, (found.span or (0, 0))[1], draw),
    )
    yield _part(
        found.satisfaction,
        "surveys",
        "Surveys and satisfaction",
        lambda told: surveys_part(told, draw),
    )
    yield _part(
        found.causes, "causes", "Why people leave", lambda told: causes_part(told, draw)
    )
    yield _part(
        found.attribution,
        "attribution",
        "Attribution",
        lambda told: attribution_part(told, draw),
    )
    yield _part(
        found.flows,
        "journey-maps",
        "Step by step",
        lambda told: journey_maps_part(found.journeys, told, rtl=draw.rtl),
    )
    yield _part(found.paths, "paths", "Paths", lambda told: paths_part(told, draw))


def _part(
    told: Part | Missing, id: str, title: str, section: Callable[[Part], Section]
) -> Section:
    """A section, or one that says why there is none."""
    if isinstance(told, Missing):
        return Section(id, title, "", quiet(told.why, told.way_out))
    return section(told)
