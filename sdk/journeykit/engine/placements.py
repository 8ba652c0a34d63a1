"""What a place in an app or on a page shows when it asks: the first content that may.

An ask is an event, `placement.requested`, and is handled like any other, but for one thing:
it goes to whoever may answer it one by one, and to nobody else once somebody has. First come
the runs that wait for it, by precedence, then the journeys that it starts, by priority. Each
of them goes on until it waits or ends, before the next has its turn. The first message that
the guards let go to the in-app channel is the answer. So a page view costs one journey's
message, whichever journeys would have had something to say.
"""

from __future__ import annotations

from journeykit.engine.draft import Draft, Happening
from journeykit.model.rules import INAPP, is_id


def begin(draft: Draft, happening: Happening) -> None:
    """Note what is asked; what a journey lets happen itself asks for nothing."""
    placement = happening.properties.get("placement")
    draft.answered = False
    if happening.generation == 0 and is_id(placement):
        draft.placement, draft.ask = placement, happening.id


def end(draft: Draft) -> None:
    """Nobody asks any more: what goes to the in-app channel goes to the inbox."""
    draft.placement = draft.ask = ""


def is_meant(draft: Draft, where: str) -> bool:
    """Whether a trigger's condition names the place that asks, so that its failing counts."""
    return bool(draft.placement) and f'event.placement == "{draft.placement}"' in where


def taken(draft: Draft, channel: str) -> str:
    """The place that a message is for, which has its answer then; empty: for none."""
    if channel != INAPP or draft.answered:
        return ""
    draft.answered = True
    return draft.placement
