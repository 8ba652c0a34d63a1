"""What a guard is: a rule of your own about which messages may go.

A guard plugin subclasses `Guard` and returns why it refuses, or None:

    class NoSundays(Guard):
        name = "no-sundays"

        def ask(self, asked: Asked) -> Refused | None:
            local = asked.now.astimezone(ZoneInfo(asked.zone))
            return Refused("no Sundays") if local.weekday() == 6 else None

It is asked while the engine decides, after consent, address and the channel's own rule and
before caps and quiet hours, so it must be pure: no clock, no network, nothing drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from journeykit.channels import configured
from journeykit.engine.asked import Asked, Contact, Refused

__all__ = ["Asked", "Contact", "Guard", "Refused"]


class Guard(ABC):
    """A rule about which messages may go; plugin authors subclass this.

    Constructors do no work.

    Attributes:
        name: What the trace and `journeykit.toml` call it.
        Settings: A msgspec Struct for what an operator may set, or else a dataclass or a
            pydantic model, or where it is, as text; None: there is nothing to set. Each
            function that decides sets guards up, and needs no pydantic otherwise.
        settings: An instance of `Settings`, once there is one.
    """

    name: str
    Settings: ClassVar[type[Any] | str | None] = None
    settings: Any = None

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this guard that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                guard's name and the field.
        """
        return configured(self, self.name, settings)

    @abstractmethod
    def ask(self, asked: Asked) -> Refused | None:
        """Return why a message may not go; None: this guard has nothing against it.

        Pure: equal questions get equal answers.
        """
