"""A launch: people who are in a segment already enter the journey that it starts.

A trigger like `entered("vip")` is about who enters the segment from now on. A launch asks
the same of who is in it by now, as if they entered it at this moment: once for each
customer, however often somebody launches. Who has been in the journey before is left out,
and so is who was taken out of it. A trigger on anything that happens is about nobody who
is there: an event of the past is not made to happen again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from journeykit.engine.calendar import to_datetime
from journeykit.engine.draft import Draft
from journeykit.engine.ids import derived
from journeykit.engine.plan import JourneyPlan
from journeykit.model.events import SEGMENT_ENTERED, STAGE_CHANGED

_ABOUT_BEING_IN = frozenset({SEGMENT_ENTERED, STAGE_CHANGED})


def concerns_somebody(plan: JourneyPlan) -> bool:
    """Whether a launch of this journey can enroll anybody."""
    return any(when.event in _ABOUT_BEING_IN for when in plan.entries)


def meets(draft: Draft, plan: JourneyPlan) -> dict[str, Any] | None:
    """The event that the first trigger would have met which the customer meets by now."""
    for when in plan.entries:
        for fields in _told(draft, when.event):
            draft.scope.event, draft.scope.entry = fields, None
            if when.where is None or when.where(draft.scope):
                return fields
    return None


def _told(draft: Draft, event: str | None) -> Iterator[dict[str, Any]]:
    """What would be told of where the customer is, as of entering it now."""
    if event == SEGMENT_ENTERED:
        for segment in sorted(draft.segments):
            yield _fields(draft, SEGMENT_ENTERED, {"segment": segment})
    elif event == STAGE_CHANGED and draft.stage:
        yield _fields(draft, STAGE_CHANGED, {"from": "", "to": draft.stage})


def _fields(draft: Draft, name: str, said: dict[str, Any]) -> dict[str, Any]:
    born = str(draft.before.created_at)
    what = "".join(said.values())
    return {
        **said,
        "$id": derived("launch", name, what, draft.customer, born, str(draft.at)),
        "$name": name,
        "$time": to_datetime(draft.at),
    }
