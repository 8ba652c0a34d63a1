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

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
)

from journeykit.errors import InputError, PluginLoadError

if TYPE_CHECKING:  # listing what is installed, as `--help` does, loads no msgspec
    import msgspec

    from journeykit.engine.asked import Asked, Refused

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
    says: Literal["", "hard_bounce", "unsubscribed"] = ""
    """What it says of the recipient, if anything: `hard_bounce` where nothing will ever
    arrive at the address; `unsubscribed` where they have told the provider or carrier to
    let no message of this channel through, whatever it is for."""


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
        delivery_id: Which message; empty where the provider doesn't say it.
        name: What happened: `message.delivered`, `message.bounced`, …
        id: The provider's id of this report; the same again is the same report.
        occurred_at: The aware instant when it happened.
        properties: What else is known: JSON values.
        provider_id: Where there is no `delivery_id`: the provider's id of the message, as
            its receipt had it.
        address: Where there is neither, as with a message that somebody wrote to us: who
            it is from. It is about everybody who was written to at that address.
    """

    delivery_id: str
    name: str
    id: str
    occurred_at: datetime
    properties: Mapping[str, object] = field(default_factory=dict)
    provider_id: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        """Refuse a naive instant, which would be read in the machine's zone."""
        _check_aware("occurred_at", self.occurred_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a template came to for one message; the medium has not looked at it yet.

    Attributes:
        parts: Rendered text by the ending of its file: `html`, `txt`, `json`.
        settings: The front matter, rendered: `subject`, `from`, `reply_to`, …
        links: Signed addresses for this message alone, by what they are for:
            `unsubscribe`, `preferences`; empty where no links are set up.
        locale: The locale that the text is written in, such as `de-CH`; empty if not known.
        direction: `ltr` or `rtl`.
        warnings: What an author should know, such as that it is long.
    """

    parts: Mapping[str, str]
    settings: Mapping[str, object] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    locale: str = ""
    direction: Literal["ltr", "rtl"] = "ltr"
    warnings: tuple[str, ...] = ()


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
        locale: The customer's, such as `de-CH`; empty if not known.
        zone: The customer's time zone as of the decision; empty if not known.
        placement: The place in an app or on a page that has asked for it; empty: none has.
        ask: The id of the event by which it asked.
        survey: The name of the survey that it asks; empty: it is none.
        asks: What the survey asks for: `nps`, `csat`, `ces`, `text`.
        content: What the template came to; None for a channel without a `medium`.
        body: What `Channel.render` made of it: what the provider gets.
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
    locale: str = ""
    zone: str = ""
    placement: str = ""
    ask: str = ""
    survey: str = ""
    asks: str = ""
    content: Content | None = None
    body: Any = None

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
        daily_quota: The most messages in any 24 hours; None: as many as come.
        reports_by: How callbacks name what they are about where it is not our delivery
            id: by the provider's own id (`provider_id`), and by the `address` of somebody
            who wrote to us. What they need to be understood is kept for these only.
    """

    batch_size: int = 1
    rate: float | None = None
    idempotent: bool = False
    on_uncertain: Literal["hold", "resend"] = "hold"
    daily_quota: int | None = None
    reports_by: frozenset[Literal["provider_id", "address"]] = frozenset()

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could ever be sent."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size} must be at least 1")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate={self.rate} must be more than 0, or None")
        if self.daily_quota is not None and self.daily_quota < 1:
            raise ValueError(
                f"daily_quota={self.daily_quota} must be at least 1, or None"
            )


class _Configurable(Protocol):
    """What has settings: a channel, an action or a guard."""

    Settings: ClassVar[type[Any] | str | None]
    settings: Any


Configurable = TypeVar("Configurable", bound=_Configurable)


def configured(
    item: Configurable, place: str, settings: Mapping[str, object]
) -> Configurable:
    """Return a copy of what has settings, with these.

    Raises:
        InputError: They are not what its `Settings` allows.
        PluginLoadError: `Settings` is a text that names nothing.
    """
    kind = settings_of(item)
    if kind is None:
        if settings:
            raise InputError(
                "there is nothing to set", place=f"{place}.{min(settings)}"
            )
        return item
    # Imported here because listing channels must not cost loading either.
    import msgspec

    if issubclass(kind, msgspec.Struct):
        return _with_struct(item, kind, place, settings)
    from pydantic import TypeAdapter, ValidationError

    own = copy(item)
    try:
        own.settings = TypeAdapter(kind).validate_python(settings)
    except ValidationError as err:
        # A key that isn't there comes first: what it was meant for is missing, too.
        errors = sorted(err.errors(), key=lambda each: each["type"] not in _NO_SUCH)
        first = errors[0]
        where = ".".join([place, *map(str, first["loc"])])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] in _NO_SUCH and len(first["loc"]) == 1:
            message += _meant(str(first["loc"][0]), kind)
        raise InputError(message, place=where) from err
    return own


# Of pydantic: in a model, and in a dataclass.
_NO_SUCH = ("extra_forbidden", "unexpected_keyword_argument")


def _meant(name: str, kind: type) -> str:
    """What somebody may have meant by a setting that there isn't."""
    from difflib import get_close_matches

    fields = getattr(kind, "model_fields", None) or getattr(
        kind, "__dataclass_fields__", {}
    )
    close = get_close_matches(name, [*fields], 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def settings_of(item: _Configurable | type[_Configurable]) -> type[Any] | None:
    """Return the class of a plugin's settings, loaded by now; None: nothing to set.

    Raises:
        PluginLoadError: `Settings` is a text that names nothing.
    """
    named = item.Settings
    if not isinstance(named, str):
        return named
    owner = item if isinstance(item, type) else type(item)
    module, _, name = named.partition(":")
    try:
        found = getattr(import_module(module), name)
        if not isinstance(found, type):
            raise TypeError("that is no class")
    except Exception as err:  # whatever a stranger's module may raise
        cause = " ".join(str(err).split())
        raise PluginLoadError(
            f"{owner.__module__}.{owner.__qualname__}.Settings names {named!r}, which "
            f"can't be loaded: {type(err).__name__}: {cause}; write 'module:Class'"
        ) from err
    return found


_in_struct = re.compile(r"^(?P<what>.+?)(?: - at `\$\.(?P<where>[^`]+)`)?$", re.DOTALL)


def _with_struct(
    item: Configurable,
    kind: type[msgspec.Struct],
    place: str,
    settings: Mapping[str, object],
) -> Configurable:
    """The same where `Settings` is a msgspec Struct, which loads no pydantic."""
    import msgspec

    own = copy(item)
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    for name in sorted(settings.keys() - known):
        there = ", ".join(sorted(known))
        raise InputError(
            f"there is no such setting; there are {there}", place=f"{place}.{name}"
        )
    try:
        own.settings = msgspec.convert(dict(settings), kind, dec_hook=_of_text)
    except msgspec.ValidationError as err:
        said = _in_struct.match(str(err))
        what, at = (said["what"], said["where"]) if said else (str(err), None)
        where = f"{place}.{at}" if at else place
        raise InputError(what, place=where) from err
    return own


def _of_text(kind: type, value: object) -> object:
    """What is made of one text, such as a Path or a Secret."""
    if not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")  # noqa: TRY004 - msgspec adds the place
    return kind(value)


class NoticeBoard(Protocol):
    """Where an in-app channel leaves its messages; the store keeps it."""

    def post(self, notices: Sequence[Notice]) -> None:
        """Keep notices; one of an id that is there already changes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message in a customer's in-app inbox.

    Attributes:
        id: The delivery's id.
        customer: Whose.
        at: The aware instant when it was left there.
        body: What the app shows: JSON values.
        expires_at: The aware instant from which on it is not shown; None: shown for as
            long as the inbox keeps it.
        read_at: When it was first read; None: not yet.
        dismissed_at: When it was put away; None: not yet.
    """

    id: str
    customer: str
    at: datetime
    body: Mapping[str, object]
    expires_at: datetime | None = None
    read_at: datetime | None = None
    dismissed_at: datetime | None = None


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
        medium: Whose templates its messages are made of: `email`, `sms`, `push`, …; empty:
            it takes the template's name and the variables as they are.
        Settings: A pydantic model, a dataclass or a msgspec Struct for what an operator
            may set, or where it is: `"journeykit_shout.settings:ShoutSettings"` is loaded
            when it is needed; None: there is nothing to set.
        settings: An instance of `Settings`, once there is one.
        board: Where in-app messages are left; set before `send` is called.
    """

    name: str
    provider: str = ""
    address_attribute: str | None = None
    medium: str = ""
    board: NoticeBoard | None = None
    capabilities: Capabilities = Capabilities()
    Settings: ClassVar[type[Any] | str | None] = None
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

    def facts(self, templates: Mapping[str, Mapping[str, object]]) -> Mapping[str, Any]:
        """Return what `rule` needs to know of the templates of this medium.

        It is asked when a workspace is published, and kept with the catalog, so it must be
        small JSON. By default there is nothing to know.

        Args:
            templates: By the template's name: its front matter, before rendering; of a
                template whose file is JSON, the document (if it is one before rendering).
        """
        return {}

    def rule(self, asked: Asked) -> Refused | None:
        """Return why the channel's own rule refuses a message; None: it does not.

        It is called while deciding, after consent and address, so it must be pure. An
        example: WhatsApp takes free text only within 24 hours of the customer's last word.
        """
        return None

    def render(self, message: Message) -> Message:
        """Return the message with the `body` that the medium makes of its `content`.

        Pure: whoever previews a message calls it as well. By default nothing is done.

        Raises:
            ContentError: It can't be sent so: too long, or something is missing.
        """
        return message

    def handshake(self, callback: Callback) -> str | None:
        """Return what to answer a provider that asks whether the address is ours.

        Some ask before they call back (Meta's `hub.challenge`). None: it is no such
        question, or not from the provider.
        """
        return None

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                provider's name and the field.
        """
        return configured(self, self.provider or self.name, settings)

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
        these messages it took, so all of them count as uncertain. What `Secret.reveal`
        raises may pass: without its secret nothing was sent, and all are tried again.
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
        self.medium = channel.medium
        self.render = channel.render  # type: ignore[method-assign]  # what it would check
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
        Settings: A pydantic model, a dataclass or a msgspec Struct for what an operator
            may set, or where it is: `"journeykit_shout.settings:ShoutSettings"` is loaded
            when it is needed; None: there is nothing to set.
        settings: An instance of `Settings`, once there is one.
        claims: What must be exact across customers; set before `run` is called.
    """

    name: str
    batch_size: int = 1
    rate: float | None = None
    Settings: ClassVar[type[Any] | str | None] = None
    settings: Any = None
    claims: ClaimPlaces | None = None

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this action that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                action's name and the field.
        """
        return configured(self, self.name, settings)

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
