"""Journeys that answer a place in an app or on a page when it asks what to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Never

from journeykit.errors import DefinitionError
from journeykit.model.conditions import Condition, event
from journeykit.model.definition import _author
from journeykit.model.events import PLACEMENT_REQUESTED
from journeykit.model.issues import Issue, issue
from journeykit.model.journey import Journey
from journeykit.model.rules import ID_LENGTH, INAPP, is_id
from journeykit.model.steps import Send
from journeykit.model.triggers import EventTrigger
from journeykit.model.ways import Ways


def asked(
    placement: str, *surplus: Never, where: Condition | None = None
) -> EventTrigger:
    """Answer a place that asks what to show: `asked("home-banner")`.

    It asks with `POST /v1/decide`. Journeys are asked by priority, one after the other, until
    one of them has sent something to the in-app channel without a wait before it.

    Args:
        placement: What the place is called: small letters, digits, `.`, `_` and `-`.
        *surplus: Nothing: a condition needs its name.
        where: A condition on `event` (what the place says of itself), `profile`,
            `trait` and `segment`.
    """
    if surplus:
        raise DefinitionError(
            f"asked({placement!r:.80}, …): a condition needs its name, where=…",
            source=_author(),
        )
    if not is_id(placement):
        raise DefinitionError(
            f"asked({placement!r:.80}): a place's name has 1 to {ID_LENGTH} small "
            "letters, digits, '.', '_' and '-', such as 'home-banner'",
            source=_author(),
        )
    here = event.placement == placement
    return EventTrigger(
        PLACEMENT_REQUESTED, where=here if where is None else here & where
    )


def placement_issues(journey: Journey) -> Iterator[Issue]:
    """Yield what keeps a journey that is asked from ever answering."""
    trigger = next(
        (
            one
            for one in journey.triggers
            if isinstance(one, EventTrigger) and one.name == PLACEMENT_REQUESTED
        ),
        None,
    )
    if trigger is None:
        return
    ways = Ways(journey)
    at_once = ways.reach(ways.first, lambda way: not way.waits)
    sends = [step for place, step in ways.steps.items() if place in at_once]
    if not any(isinstance(step, Send) and INAPP in step.channel for step in sends):
        yield issue(
            "warning",
            f"a place asks journey {journey.id!r} what to show, and gets no answer: no "
            f"Send to {INAPP!r} comes before the first wait",
            trigger,
            journey=journey.id,
        )
