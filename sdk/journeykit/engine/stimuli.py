"""Stimuli: all that can make the engine decide. Values, each about one customer.

A stimulus may be kept and handled later, by another process: `encoded` and `decoded`
carry it there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from journeykit.engine.commands import SendMessage
from journeykit.model.events import Event


class WakeUp(msgspec.Struct, frozen=True):
    """A nudge: this customer may have something due. A stale one does nothing."""

    customer: str


class Enroll(msgspec.Struct, frozen=True, kw_only=True):
    """A call that enrolls a customer by the name of a journey with an `api()` trigger.

    Attributes:
        id: The caller's id; the same again is the same call again.
        journey: The journey's id.
        customer: Whom.
        received_at: When the call came in.
        entry: What the run is to know, as `entry`.
        test: Whether it is test traffic.
    """

    id: str
    journey: str
    customer: str
    received_at: datetime
    entry: dict[str, Any] = {}
    test: bool = False


class Remove(msgspec.Struct, frozen=True, kw_only=True):
    """A call that takes a customer out of a journey, and keeps triggers from re-entering.

    All their runs of the journey end (`removed`). A trigger that is met later enters
    nobody (`removed`); an `Enroll` call does, and ends the ban.

    Attributes:
        id: The caller's id; the same again is the same call again.
        journey: The journey's id.
        customer: Whom.
        received_at: When the call came in.
    """

    id: str
    journey: str
    customer: str
    received_at: datetime


ReturnReason = Literal["pace", "retry", "breaker", "paused", "late", "no_channel"]
"""Its rate was used up · the provider did not take it · the channel is down · its journey
is paused · quiet hours have begun, or it has expired · nobody carries its channel."""


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """A released message that could not go in time: it passes the guards again, later.

    Attributes:
        message: The command as it was given; `attempts` counts what was tried so far.
        until: When it may be asked again, milliseconds.
        reason: Why it could not go.
        received_at: When it came back.
    """

    message: SendMessage
    until: int
    reason: ReturnReason
    received_at: datetime

    @property
    def customer(self) -> str:
        """Whose message it is."""
        return self.message.customer


Stimulus = Event | Enroll | WakeUp | Remove | Returned

_KINDS: dict[str, type[Stimulus]] = {
    "event": Event,
    "enroll": Enroll,
    "wake_up": WakeUp,
    "remove": Remove,
    "returned": Returned,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_encode = msgspec.msgpack.Encoder().encode
_decoders = {name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()}


def kind_of(stimulus: Stimulus) -> str:
    """The name of a stimulus's kind: `event`, `enroll`, `wake_up`, `remove`, `returned`."""
    return _NAMES[type(stimulus)]


def encoded(stimulus: Stimulus) -> tuple[str, bytes]:
    """Write a stimulus as its kind and MessagePack."""
    return _NAMES[type(stimulus)], _encode(stimulus)


def decoded(kind: str, document: bytes) -> Stimulus:
    """Read what `encoded` wrote.

    Raises:
        ValueError: It is of a kind that this release doesn't know, or damaged
            (`msgspec.ValidationError` is a ValueError).
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        raise ValueError(f"{kind!r:.40} is no kind of stimulus that this release knows")
    return decoder.decode(document)
