"""What a source is: it turns what something outside posts to us into events.

A source plugin subclasses `Source` and reads one request:

    class Shouts(Source):
        name = "shouts"

        def events(self, callback: Callback) -> Iterable[Event]:
            said = msgspec.json.decode(callback.body)
            yield Event(
                id=said["id"],
                name="shouted",
                customer=said["who"],
                occurred_at=callback.received_at,
                received_at=callback.received_at,
            )

It has a door of its own, `POST /v1/sources/NAME`, where the workspace names it: `sources = ["shouts"]`
under `[ingest]`. Nobody has an API key there, so the source says itself who may speak: by a
signature, as whoever posts signs. It never runs where journeys are decided.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from journeykit.channels import Callback, configured
from journeykit.model.events import Event


class Source(ABC):
    """Something outside that says what has happened; plugin authors subclass this.

    Constructors do no work.

    Attributes:
        name: What its path and `journeykit.toml` call it.
        Settings: A msgspec Struct, a dataclass or a pydantic model of what an operator may
            set, or where it is, as text; None: there is nothing to set.
        settings: An instance of `Settings`, once there is one.
    """

    name: str
    Settings: ClassVar[type[Any] | str | None] = None
    settings: Any = None

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this source that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                source's name and the field.
        """
        return configured(self, self.name, settings)

    def handshake(self, callback: Callback) -> str | None:
        """Return what to answer somebody who asks whether the address is ours.

        None: it is no such question.

        Raises:
            ForgedCallback: It is not from whom it says it is.
        """
        return None

    @abstractmethod
    def events(self, callback: Callback) -> Iterable[Event]:
        """Read a request; nothing, if it says nothing that concerns anybody here.

        The same request again must give the same ids: whoever gets no answer posts again.
        The door stamps `received_at`, and the source's name where an event has no `source`.

        Args:
            callback: The request, byte for byte; `callback.received_at` is now.

        Raises:
            ForgedCallback: It is not from whom it says it is.
            InputError: It can't be read.
        """
