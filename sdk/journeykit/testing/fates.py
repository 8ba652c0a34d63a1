"""What becomes of messages in a simulation, where nobody sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from journeykit.channels import DeliveryStatus, Engagement
from journeykit.engine.calendar import add, to_datetime
from journeykit.engine.commands import SendMessage
from journeykit.engine.draft import UTC
from journeykit.errors import DefinitionError
from journeykit.model.durations import Duration
from journeykit.model.events import Event
from journeykit.testing.channels import SentMessage
from journeykit.testing.factories import delivery_event

_WORDS = sorted(map(str, {*DeliveryStatus, *Engagement, "dismissed"} - {"queued"}))
_AT_ONCE = Duration()


@dataclass(frozen=True, slots=True)
class Fate:
    """One thing that becomes of a message: `Fate("opened", after="3h")`.

    Attributes:
        what: A delivery status or an engagement: `delivered`, `bounced`, `opened`, ….
        after: How long after its release; days are those of UTC.
        properties: What the report carries beside: `{"bounce": "hard"}`.
    """

    what: str
    after: Duration | str = _AT_ONCE
    properties: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no provider reports.

        Raises:
            ValueError: There is no such report, or it is no duration.
        """
        if self.what not in _WORDS:
            close = get_close_matches(self.what, _WORDS, n=1)
            way_out = f"did you mean {close[0]!r}?" if close else ", ".join(_WORDS)
            raise ValueError(f"no message is ever {self.what!r:.40}; {way_out}")
        try:
            object.__setattr__(self, "after", Duration.parse(self.after))
        except DefinitionError as error:
            raise ValueError(f"after: {error.message}") from error

    @classmethod
    def parse(cls, text: str) -> Fate:
        """Read `opened`, or `opened after 3h`.

        Raises:
            ValueError: It is neither.
        """
        what, between, after = text.partition(" after ")
        return cls(what.strip(), after.strip() if between else _AT_ONCE)


Told: TypeAlias = str | Fate | Sequence[str | Fate] | None
"""What becomes of a message, in order: `"delivered"`, `"opened after 3h"`; None: nobody
ever hears of it."""

Fates: TypeAlias = Mapping[str, Told | Callable[[SentMessage], Told]]
"""Channel to what becomes of its messages, or to a function of the message."""


def checked_fates(fates: Fates) -> Fates:
    """Return fates, each read, so that a misspelt one shows at the start.

    Raises:
        ValueError: No message is ever that.
    """
    return {
        channel: told if callable(told) else _read(told)
        for channel, told in fates.items()
    }


def reports_on(
    command: SendMessage, fates: Fates, *, now: int
) -> Iterator[tuple[int, Event]]:
    """Yield what is reported on a message that is released now, and when.

    Raises:
        ValueError: A function says what no message ever is.
    """
    told = fates.get(command.channel)
    if told is None:
        return
    message = SentMessage.from_command(command)
    for fate in _read(told(message) if callable(told) else told):
        at = add(now, Duration.parse(fate.after), UTC)
        yield (
            at,
            delivery_event(
                message, fate.what, at=to_datetime(at), **dict(fate.properties)
            ),
        )


def _read(told: Told) -> tuple[Fate, ...]:
    if told is None:
        return ()
    several = [told] if isinstance(told, str | Fate) else told
    return tuple(one if isinstance(one, Fate) else Fate.parse(one) for one in several)
