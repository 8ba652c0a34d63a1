"""What starts a journey, reaches a goal, or ends a wait: triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Literal, Never

from pydantic import Discriminator, Tag

from journeykit.errors import DefinitionError
from journeykit.model.conditions import Condition
from journeykit.model.definition import _author, definition
from journeykit.model.names import EventName


@definition
class EventTrigger:
    """An event of this name, if the condition holds for it.

    Attributes:
        name: The event's name.
        where: A condition on `event`, `profile` and, where a run listens, `entry`.
    """

    name: EventName
    _: KW_ONLY
    type: Literal["event"] = "event"
    where: Condition | None = None


@definition
class ApiTrigger:
    """Nothing but a call: somebody enrolls the customer by name of the journey.

    Attributes:
        where: A condition on `entry` (what the call carries) and `profile`.
    """

    _: KW_ONLY
    type: Literal["api"] = "api"
    where: Condition | None = None


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("type", "event"))
    return str(getattr(value, "type", "event"))


Trigger = Annotated[
    Annotated[EventTrigger, Tag("event")] | Annotated[ApiTrigger, Tag("api")],
    Discriminator(_kind),
]


def on(name: str, *surplus: Never, where: Condition | None = None) -> EventTrigger:
    """Listen to an event: `on("cart.updated", where=event.total > 0)`."""
    if surplus:
        raise DefinitionError(
            f"on({name!r:.80}, …): a condition needs its name, where=…",
            source=_author(),
        )
    return EventTrigger(name, where=where)


def api(*surplus: Never, where: Condition | None = None) -> ApiTrigger:
    """Let only an enroll call start the journey."""
    if surplus:
        raise DefinitionError(
            "api(…): a condition needs its name, where=…", source=_author()
        )
    return ApiTrigger(where=where)
