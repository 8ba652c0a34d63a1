"""Stimuli: all that can make the engine decide. Values, each about one customer.

A stimulus may be kept and handled later, by another process: `encoded` and `decoded`
carry it there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

import msgspec
from msgspec.structs import replace

from journeykit.engine.calendar import to_datetime
from journeykit.engine.commands import AbsorbCustomer, SendMessage
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


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A journey is launched for who is there: enter it if you are in what it is about.

    Attributes:
        id: Of the launch and this customer; the same again is the same launch again.
        journey: The journey's id.
        customer: Whom.
        received_at: When their turn came.
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


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """Make a customer part of another one: only a tombstone is left, which names them.

    All that was known goes out as the command `AbsorbCustomer`.

    Attributes:
        id: What was the reason; the same again is the same merge again.
        customer: Who becomes part.
        into: Of whom.
        received_at: When.
        unless_known: Only if they are nobody in particular yet: their id was made up, and
            all their identifiers are of these kinds. None: whoever they are.
    """

    id: str
    customer: str
    into: str
    received_at: datetime
    unless_known: tuple[str, ...] | None = None


class Absorb(msgspec.Struct, frozen=True, kw_only=True):
    """Take in what was known of a customer who was merged into this one.

    Attributes:
        id: The command's; the same again changes nothing.
        customer: Who takes it in.
        merged: Whose it was.
        snapshot: Their document as JSON values.
        received_at: When they were merged.
        log_id: By which name the logs know them.
    """

    id: str
    customer: str
    merged: str
    snapshot: dict[str, Any]
    received_at: datetime
    log_id: str = ""

    @classmethod
    def of(cls, command: AbsorbCustomer) -> Self:
        """The stimulus that a command asks for."""
        return cls(
            id=command.id,
            customer=command.customer,
            merged=command.merged,
            snapshot=command.snapshot,
            received_at=to_datetime(command.at),
            log_id=command.log_id,
        )


class Recomputed(msgspec.Struct, frozen=True, kw_only=True):
    """What traits say was computed again from the archive: keep that.

    It happens at the customer's own clock, so that time does not pass because of it.

    Attributes:
        id: Of the work that it belongs to.
        customer: Whose traits they are.
        traits: Their states, by name; a name of `names` that isn't here has none.
        names: Which traits were computed again; the others stay.
        received_at: When the customer was created, if nobody knows them yet.
    """

    id: str
    customer: str
    traits: dict[str, Any]
    names: tuple[str, ...]
    received_at: datetime


Stimulus = (
    Event | Enroll | WakeUp | Remove | Returned | Launch | Merge | Absorb | Recomputed
)

_KINDS: dict[str, type[Stimulus]] = {
    "event": Event,
    "enroll": Enroll,
    "wake_up": WakeUp,
    "remove": Remove,
    "returned": Returned,
    "launch": Launch,
    "merge": Merge,
    "absorb": Absorb,
    "recomputed": Recomputed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_encode = msgspec.msgpack.Encoder().encode
_decoders = {name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()}


def readdressed(stimulus: Stimulus, customer: str) -> Stimulus:
    """The same for another customer: whoever the first one was merged into."""
    if isinstance(stimulus, Returned):
        return replace(stimulus, message=replace(stimulus.message, customer=customer))
    return replace(stimulus, customer=customer)


def kind_of(stimulus: Stimulus) -> str:
    """The name of a stimulus's kind: `event`, `wake_up`, and so on."""
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
