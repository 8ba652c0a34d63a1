"""What a channel is, and the words for what becomes of a message.

A channel plugin subclasses `Channel` and returns one receipt per message:

    class Shout(Channel):
        name = "shout"

        def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
            print(*(f"{m.address}: {m.template.upper()}!" for m in messages))
            return [Sent(m.delivery_id) for m in messages]

What could go wrong is in the receipt and not in an exception. A channel knows
nothing of journeys being decided: the engine never imports this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias, TypeVar

from journeykit.errors import InputError

ANY = "*"
"""The name of a channel that carries whatever channel a journey names."""


class DeliveryStatus(StrEnum):
    """How far a delivery has come: one vocabulary for all providers."""

    QUEUED = "queued"
    """Decided and committed; no provider has it yet."""
    SENT = "sent"
    """The provider took it. Whether it arrives is not known yet."""
    DEFERRED = "deferred"
    """The provider tries again by itself, because the receiver asked it to wait."""
    DELIVERED = "delivered"
    """The receiver's side took it; nobody knows whether a person saw it."""
    BOUNCED = "bounced"
    """The receiver's side refused it: the address is wrong, full or blocking."""
    REJECTED = "rejected"
    """The provider refused it: malformed, forbidden, or on its suppression list."""
    FAILED = "failed"
    """Given up for another reason, such as too many retries."""
    UNCERTAIN = "uncertain"
    """It may have been sent or not, and the provider can't be asked."""


class Engagement(StrEnum):
    """What a person did with a message that reached them."""

    OPENED = "opened"
    """Opened, as far as a tracking pixel can tell; machines open messages too."""
    CLICKED = "clicked"
    """Followed a tracked link."""
    COMPLAINED = "complained"
    """Reported it as spam: never write to this address again."""
    UNSUBSCRIBED = "unsubscribed"
    """Asked for no more messages of this kind."""
    REPLIED = "replied"
    """Answered it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message."""

    delivery_id: str
    provider_id: str = ""
    """The provider's own id, by which it reports on the message later."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The provider has not taken the message; ask again after so many seconds."""

    delivery_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider will never take the message; asking again is useless."""

    delivery_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The provider may have taken the message, for example when it timed out."""

    delivery_id: str
    reason: str


Receipt: TypeAlias = Sent | RetryAfter | Rejected | Uncertain
"""What came of handing one message to a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a provider posts to us, as it came: nobody has looked at it yet.

    Attributes:
        body: Byte for byte.
        headers: By their names in lower case.
        received_at: The aware instant when it came in; it may be read much later.
        method: Of the request.
        url: What was called, with its query, where that is known; some sign it.
    """

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime
    method: str = "POST"
    url: str = ""

    def __post_init__(self) -> None:
        """Refuse a naive instant, which would be read in the machine's zone."""
        _check_aware("received_at", self.received_at)


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says about a message.

    Attributes:
        delivery_id: Which message.
        name: What happened: `message.delivered`, `message.bounced`, …
        id: The provider's id of this report; the same again is the same report.
        occurred_at: The aware instant when it happened.
        properties: What else is known: JSON values.
    """

    delivery_id: str
    name: str
    id: str
    occurred_at: datetime
    properties: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a naive instant, which would be read in the machine's zone."""
        _check_aware("occurred_at", self.occurred_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for one address, as the engine decided it.

    Attributes:
        delivery_id: Names this delivery for ever; hand it to the provider as its
            idempotency key, and back in the receipt.
        customer: The customer's id.
        channel: The channel that the journey names, such as `email`.
        address: Where it goes, as the channel's own `address` found it.
        template: The template's name.
        variables: The template's variables, as of the decision.
        at: The aware instant of the decision.
        journey: The journey's id.
        step: The step's id.
        purpose: `marketing` or `transactional`.
        topic: What the customer can unsubscribe from, if the step has a topic.
        test: Whether this is test traffic, which must not reach a real person.
    """

    delivery_id: str
    customer: str
    channel: str
    address: str
    template: str
    variables: Mapping[str, object]
    at: datetime
    journey: str
    step: str
    purpose: str
    topic: str | None = None
    test: bool = False

    def __post_init__(self) -> None:
        """Refuse a naive instant, which would be read in the machine's zone."""
        _check_aware("at", self.at)


def _check_aware(name: str, instant: datetime) -> None:
    if instant.utcoffset() is None:
        raise ValueError(f"{name}={instant.isoformat()} has no UTC offset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do; the caller keeps to it.

    Attributes:
        batch_size: The most messages that one `send` takes.
        rate: The most messages in a second; None: as many as come.
        idempotent: Whether the provider drops a second message of one delivery id,
            so that an uncertain one can simply be sent again.
        on_uncertain: What becomes of an uncertain message where the provider is not
            idempotent: `hold` it, or `resend` it and risk that it arrives twice.
    """

    batch_size: int = 1
    rate: float | None = None
    idempotent: bool = False
    on_uncertain: Literal["hold", "resend"] = "hold"

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could ever be sent."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size} must be at least 1")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate={self.rate} must be more than 0, or None")


class _Configurable(Protocol):
    """What has settings: a channel or an action."""

    Settings: ClassVar[type[Any] | None]
    settings: Any


Configurable = TypeVar("Configurable", bound=_Configurable)


def _configured(
    item: Configurable, place: str, settings: Mapping[str, object]
) -> Configurable:
    if item.Settings is None:
        if settings:
            raise InputError(
                "there is nothing to set", place=f"{place}.{min(settings)}"
            )
        return item
    # Imported here because listing channels must not cost loading pydantic.
    from pydantic import TypeAdapter, ValidationError

    configured = copy(item)
    try:
        configured.settings = TypeAdapter(item.Settings).validate_python(settings)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join([place, *map(str, first["loc"])])
        raise InputError(first["msg"], place=where) from err
    return configured


class Channel(ABC):
    """A medium and who carries it; plugin authors subclass this.

    Only `name` and `send` are needed. Constructors do no work: a channel is made
    whenever plugins are loaded, also where nothing is sent.

    Attributes:
        name: The channel that journeys name, such as `email`; `*` carries any.
        provider: Who carries it, such as `ses`; empty: the same as `name`.
        address_attribute: The profile attribute that holds the address; None: the
            customer's id is the address.
        capabilities: What the provider can do.
        Settings: A pydantic model or a dataclass for what an operator may set; None:
            there is nothing to set.
        settings: An instance of `Settings`, once there is one.
    """

    name: str
    provider: str = ""
    address_attribute: str | None = None
    capabilities: Capabilities = Capabilities()
    Settings: ClassVar[type[Any] | None] = None
    settings: Any = None

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Return the customer's address on this channel; None if there is none.

        This is called while deciding, so it must be pure: what it returns depends
        on its arguments alone.
        """
        if self.address_attribute is None:
            return customer_id
        found = profile.get(self.address_attribute)
        return found if isinstance(found, str) and found else None

    def normalize(self, address: str) -> str:
        """Return the form under which equal addresses compare equal.

        It serves comparing, as with a suppression list; messages go to the address
        as it was given. Pure, like `address`.
        """
        # A customer's id is opaque: A1 and a1 may be two people.
        return address if self.address_attribute is None else address.casefold()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                provider's name and the field.
        """
        return _configured(self, self.provider or self.name, settings)

    def mock(self) -> Channel:
        """Return what carries test traffic and dry runs instead: it reaches nobody.

        By default it says `Sent` to everything; a better one checks what the provider
        would.
        """
        return _Mock(self)

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Hand the messages to the provider and return one receipt each.

        Raise only when the provider is out of reach. Nobody knows then which of
        these messages it took, so all of them count as uncertain.
        """

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what a provider's callback says about messages that were sent.

        By default it says nothing: the provider reports no other way than by receipts.
        The same callback again gives reports of the same ids, since a provider that
        got no answer repeats itself. Judge its age by `received_at`: that it was read
        late is no fault of the provider's.

        Raises:
            InputError: It is forged, too old, or unreadable; nobody tries it again.
        """
        return ()


class _Mock(Channel):
    """Says `Sent` to everything, and sends nothing."""

    def __init__(self, channel: Channel) -> None:
        self.name = channel.name
        self.provider = f"{channel.provider or channel.name} (mock)"
        self.capabilities = replace(channel.capabilities, idempotent=True)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


@dataclass(frozen=True, slots=True)
class Completed:
    """The action is done."""

    call_id: str
    result: Mapping[str, object] = field(default_factory=dict)
    """JSON values, 2 KB at most: what the journey may branch on."""


@dataclass(frozen=True, slots=True)
class CallAgain:
    """The action is not done, and may be tried again after so many seconds."""

    call_id: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The action can't be done; trying again is useless."""

    call_id: str
    reason: str


CallOutcome: TypeAlias = Completed | CallAgain | CallFailed
"""What came of one call of an action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCall:
    """One call of an action, as the engine decided it.

    Attributes:
        call_id: Names this call for ever: whoever gets it twice does it once.
        customer: The customer's id.
        arguments: What the step says, as of the decision.
        at: The aware instant of the decision.
        journey: The journey's id.
        step: The step's id.
        test: Whether this is test traffic, which must change nothing real.
    """

    call_id: str
    customer: str
    arguments: Mapping[str, object]
    at: datetime
    journey: str
    step: str
    test: bool = False


class ClaimPlaces(Protocol):
    """What must be exact across customers; the store keeps it."""

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """Claim one of `limit` places of a key; 0 if all are taken by others."""
        ...


class Action(ABC):
    """What a Call step does to the world; plugin authors subclass this.

    Constructors do no work. `run` may be called from several threads at once.

    Attributes:
        name: What journeys call it.
        batch_size: The most calls that one `run` takes.
        rate: The most calls in a second; None: as many as come.
        Settings: A pydantic model or a dataclass for what an operator may set; None:
            there is nothing to set.
        settings: An instance of `Settings`, once there is one.
        claims: What must be exact across customers; set before `run` is called.
    """

    name: str
    batch_size: int = 1
    rate: float | None = None
    Settings: ClassVar[type[Any] | None] = None
    settings: Any = None
    claims: ClaimPlaces | None = None

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this action that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                action's name and the field.
        """
        return _configured(self, self.name, settings)

    def mock(self) -> Self | None:
        """Return what runs instead for test traffic: it must change nothing real.

        By default there is nothing that would: test calls fail with `no_mock`.
        """
        return None

    @abstractmethod
    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        """Do what the calls ask, once for each call id, and return one outcome each.

        Raise only when nothing could be done at all: all calls are tried again.
        """
