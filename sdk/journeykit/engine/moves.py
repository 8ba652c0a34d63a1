"""What a step says when it is asked: where the enrollment goes next."""

from __future__ import annotations

import msgspec


class Go(msgspec.Struct, frozen=True, gc=False):
    """Go on to a step; None is the end of the journey."""

    to: str | None


class Stay(msgspec.Struct, frozen=True, gc=False):
    """Wait here until `due`, or until something happens; None: only that.

    `zone` says in which time zone the instant was found, where that matters.
    """

    due: int | None
    zone: dict[str, str] = {}


class Stand(msgspec.Struct, frozen=True, gc=False):
    """Stand before a message: the guards decide, in the order of all that stand."""


class Leave(msgspec.Struct, frozen=True, gc=False):
    """End the run early.

    `failed` means a fault, such as a loop; otherwise it is an exit.
    """

    reason: str
    failed: bool = False


Move = Go | Stay | Stand | Leave
STAND = Stand()
