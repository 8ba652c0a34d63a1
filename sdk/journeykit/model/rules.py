"""Numbers and names that both definitions and the engine go by, each in one place.

No pydantic here: the engine reads them too.
"""

from __future__ import annotations

import re
from typing import Literal, TypeGuard, get_args

from journeykit.model.durations import Duration, hours

ID = r"[a-z0-9][a-z0-9._-]*"
"""How a journey, a step, a channel or a topic may be called."""

ID_LENGTH = 64

_is_id = re.compile(ID).fullmatch


def is_id(name: object) -> TypeGuard[str]:
    """Whether something may be called so: a step, a topic, a place that asks."""
    return isinstance(name, str) and len(name) <= ID_LENGTH and _is_id(name) is not None


INAPP = "inapp"
"""The channel of in-app messages: what waits in an inbox, or answers a placement."""

Purpose = Literal["marketing", "transactional"]
"""Why a message is sent: what the customer must consent to, or what they asked for."""

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

Fate = Literal["delivered", "opened", "clicked", "replied"]
"""What may become of a message that arrives, as far as a Send can ask for it."""

_ENDS_IT = frozenset({"complained", "unsubscribed"})
_BEYOND: dict[str, frozenset[str]] = {
    "delivered": frozenset({"delivered", "opened", "dismissed", "clicked", "replied"}),
    "opened": frozenset({"opened", "dismissed", "clicked", "replied"}),
    "clicked": frozenset({"clicked"}),
    "replied": frozenset({"replied"}),
}


def fates_beyond(fate: str) -> frozenset[str]:
    """The fates of a message that include this one: what was opened was delivered.

    Who complains or unsubscribes has got it, and wants no more of it.
    """
    return _BEYOND[fate] | _ENDS_IT


STEPS_PER_SPRINT = 100
"""Steps without a wait in between: beyond it is a loop."""

COLLECTED_ITEMS = 50
"""Items that one Collect lists: more is a page of its own, not a message."""

SEQUENCE_PARTS = 8
"""Parts of one trigger that asks for several events."""

SEQUENCE_EVENTS = 50
"""Events that one such trigger counts in all: it remembers when each of them came."""

MARKETING_EXPIRES: Duration = hours(24)
"""How late a marketing message may go if its Send doesn't say."""

SEGMENTS = 200
"""How many there may be: a customer who is in all of them has 16 KB of that."""

STAGES = 20
"""How many stages a lifecycle may have."""
