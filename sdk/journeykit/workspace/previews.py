"""What each template comes to, for a medium and a locale: as it would be sent.

The template is composed and rendered by what delivers messages as well, with made-up
customers, links that are signed by nobody, and the variables of an example.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from journeykit.carriers import set_up
from journeykit.channels import Channel, Message
from journeykit.content.composer import GLOBALS, Composer, placed, variant
from journeykit.content.locales import direction, tag
from journeykit.content.templates import Library
from journeykit.credentials import Secret
from journeykit.engine.conditions import Scope
from journeykit.engine.values import Values
from journeykit.errors import ContentError, DefinitionError, InputError, UnknownChannel
from journeykit.links import Links
from journeykit.media.chat import Chat, chat_of
from journeykit.media.email import Email, email_of
from journeykit.media.inapp import InApp, inapp_of
from journeykit.media.push import Push, push_of
from journeykit.media.sms import Sms, sms_of
from journeykit.media.whatsapp import WhatsApp, whatsapp_of
from journeykit.model.documents import to_json
from journeykit.model.journey import Journey
from journeykit.model.steps import Send, Survey
from journeykit.plugins import Registry
from journeykit.workspace.placeholders import placeholder

if TYPE_CHECKING:
    from journeykit.workspace import Workspace

Body: TypeAlias = Email | Sms | Push | InApp | WhatsApp | Chat

EXAMPLES = "examples"
"""The folder inside `templates/` with `NAME.json`: variables to preview a template with."""

MOST_EXAMPLE_BYTES = 256 * 1024

_NOBODY = "Nobody yet <sender@example.invalid>"
RENDERERS: Mapping[str, Callable[[Message], Body]] = {
    "email": lambda message: email_of(message, sender=_NOBODY),
    "sms": sms_of,
    "push": push_of,
    "inapp": inapp_of,
    "whatsapp": whatsapp_of,
    "chat": chat_of,
}
"""What makes a medium's value of a message where nobody carries it."""

MEDIA = tuple(RENDERERS)
"""The media, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One message as it would be sent, or why it can't be.

    Attributes:
        template: The template's name.
        medium: `email`, `sms`, …
        locale: Whose locale was asked for; empty: nobody's.
        found: The locale of the template that was taken; empty: the one for everybody.
        direction: `ltr` or `rtl`.
        channel: The channel that it is shown as sent over.
        provider: Who carries that; empty: nobody here, so no provider's limits hold.
        sent_by: The step that sends it, `journey/step`; empty: none.
        body: What is sent; None: nothing is, see `problem`.
        problem: Why it can't be sent.
        warnings: What an author should know.
        made_up: The variables that no example gives.
    """

    template: str
    medium: str
    locale: str
    found: str = ""
    direction: str = "ltr"
    channel: str = ""
    provider: str = ""
    sent_by: str = ""
    body: Body | None = None
    problem: str = ""
    warnings: Sequence[str] = ()
    made_up: Sequence[str] = ()


@dataclass(slots=True)
class Previews:
    """Previews the templates of a workspace.

    Attributes:
        workspace: Whose.
        registry: What is installed.
        at: The instant that is now for the templates.
        given: Variables that go before those of examples.
        profile: Attributes of the customer; the variables of a step that need no more
            than these are computed.
        source: The templates.
    """

    workspace: Workspace
    registry: Registry
    at: datetime
    given: Mapping[str, object] = field(default_factory=dict)
    profile: Mapping[str, object] = field(default_factory=dict)
    source: Library = field(init=False)
    _carriers: dict[str, Channel] = field(init=False, default_factory=dict)
    _troubles: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the templates, and find who carries what."""
        self.source = self.workspace.all_templates()
        for name, provider in self.workspace.providers.items():
            try:
                channel = self.registry.channel(name, provider)
                who = channel.provider or channel.name
                settings = self.workspace.settings
                self._carriers[name] = set_up(
                    channel, who, settings, folder=self.workspace.path
                )
            except (UnknownChannel, DefinitionError, InputError) as error:
                self._troubles[name] = str(error)

    def of(
        self, templates: Sequence[str] = (), *, locales: Sequence[str] = ()
    ) -> Iterator[Preview]:
        """Yield each message that there can be: by template, medium and locale.

        Args:
            templates: Their names; none: all that there are.
            locales: Whose locales to show; none: each that a template has files for.

        Raises:
            InputError: There is no template of that name, or an example can't be read.
        """
        known = self.source.templates()
        for name in templates or sorted(known):
            if name not in known:
                raise InputError(
                    f"there is no template {name!r}; there are: "
                    f"{', '.join(sorted(known)) or 'none'}",
                    place=str(self.workspace.path / "templates"),
                )
            there = {found.medium for found in known[name]}
            for medium in [each for each in MEDIA if each in there]:
                for locale in locales or self.source.locales(name, medium):
                    yield self.one(name, medium, locale)

    def one(self, name: str, medium: str, locale: str) -> Preview:
        """Return what one message comes to."""
        sent = self.sent(name, medium)
        channel = sent.channel
        shown = Preview(
            template=name,
            medium=medium,
            locale=locale,
            direction=direction(locale or self.source.locale),
            channel=channel,
            sent_by=sent.step,
        )
        try:
            variables, made_up = self.variables(name, medium, locale, sent)
            shown = replace(shown, made_up=made_up)
            message = self.message(name, locale, variables, sent)
            content = self.composer().compose(message, medium)
            shown = replace(shown, found=content.locale, direction=content.direction)
            return self._rendered(shown, replace(message, content=content))
        except ContentError as error:
            return replace(shown, problem=str(error))

    def _rendered(self, shown: Preview, message: Message) -> Preview:
        """Render as the channel's carrier would, or as any would where there is none."""
        carrier = self._carriers.get(shown.channel)
        warnings: list[str] = []
        if trouble := self._troubles.get(shown.channel):
            warnings.append(f"channel {shown.channel}: {trouble}")
        body = None
        if carrier is not None and carrier.medium == shown.medium:
            try:
                body = carrier.render(message).body
                shown = replace(shown, provider=carrier.provider or carrier.name)
            except InputError as error:  # such as a secret that this machine hasn't
                warnings.append(f"channel {shown.channel}: {error}")
        if body is None:
            body = RENDERERS[shown.medium](message)
            if isinstance(body, Email) and str(body.sender) == _NOBODY:
                warnings.append("no sender: set `from` in the template or the channel")
        return replace(shown, body=body, warnings=(*body.warnings, *warnings))

    def carrier(self, channel: str) -> Channel | None:
        """Return who carries a channel, set up; None: nobody does, or wrongly."""
        return self._carriers.get(channel)

    def composer(self, *, pretended: Links | None = None) -> Composer:
        """Return what composes, with links that nobody has signed.

        Args:
            pretended: The links where none are set up; None: then there are none.
        """
        links = self.workspace.links
        made: Links | None = links.links(self.workspace.name) or pretended
        if made is not None:
            # Not the workspace's secret: whoever gets to see a preview could use its links.
            made = replace(made, secret=Secret("preview" * 8), previous_secret=None)
        return Composer(lambda: self.source, self.registry.engines, made)

    def message(
        self, name: str, locale: str, variables: Mapping[str, object], sent: Sent
    ) -> Message:
        """Return a message to nobody, as it is before it is composed."""
        zone = self.profile.get("zone")
        return Message(
            delivery_id="preview",
            customer="preview",
            channel=sent.channel,
            address="preview@example.invalid",
            template=name,
            variables=variables,
            at=self.at,
            journey=sent.step.partition("/")[0],
            step=sent.step.partition("/")[2],
            purpose=sent.purpose,
            topic=sent.topic,
            survey=sent.survey,
            asks=sent.send.kind if isinstance(sent.send, Survey) else "",
            test=True,
            locale=locale or self.source.locale,
            zone=zone if isinstance(zone, str) else "",
        )

    def variables(
        self,
        name: str,
        medium: str,
        locale: str,
        sent: Sent,
        *,
        optional: bool = False,
    ) -> tuple[dict[str, object], tuple[str, ...]]:
        """Return variables for a template, and the names of those that are made up.

        Args:
            name: The template's.
            medium: For which medium.
            locale: For whom.
            sent: The step, which gives some.
            optional: Whether to make those up as well that it can do without.

        Raises:
            ContentError: The template is none.
            InputError: An example can't be read.
        """
        known = {
            **self._computed(sent),
            **self._example(name),
            **(self._example(f"{name}.{tag(locale)}") if locale else {}),
            **self.given,
        }
        chosen = variant(self.source, name, medium, locale)
        load = chosen.load()
        needed: set[str] = set()
        for source in chosen.sources():
            engine = self.registry.engines.get(source.engine)
            if engine is None:
                continue  # composing says so
            try:
                needed |= engine.variables(source.text, load=load)
                if optional:
                    needed |= engine.optional(source.text, load=load)
            except ContentError as error:
                raise placed(error, source, chosen) from error
        made_up = tuple(sorted(needed - known.keys() - GLOBALS))
        return {**{each: placeholder(each) for each in made_up}, **known}, made_up

    def _computed(self, sent: Sent) -> dict[str, Any]:
        """The variables of the step, as far as they are constants or of the profile."""
        if sent.send is None:
            return {}
        document = json.loads(to_json(sent.send)).get("variables", {})
        return Values(document).resolve(Scope(profile=self.profile))[0]

    def _example(self, name: str) -> dict[str, object]:
        path = self.workspace.path / "templates" / EXAMPLES / f"{name}.json"
        return read_variables(path) if path.is_file() else {}

    def sent(self, name: str, medium: str) -> Sent:
        """Return who sends a template over a channel of this medium."""
        found = None
        for journey in self.workspace.journeys:
            for step in journey.walk():
                if not isinstance(step, Send) or step.template != name:
                    continue
                for channel in step.channel:
                    if self._is_of(channel, medium):
                        return Sent.by(journey, step, channel)
                found = found or Sent.by(journey, step, medium)
        of_medium = (c for c in sorted(self._carriers) if self._is_of(c, medium))
        return found or Sent(channel=next(of_medium, medium))

    def _is_of(self, channel: str, medium: str) -> bool:
        carrier = self._carriers.get(channel)
        return channel == medium or (carrier is not None and carrier.medium == medium)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a template is sent.

    Attributes:
        channel: Over which channel.
        send: By which step; None: by nobody.
        step: What people call that, `journey/step`.
        purpose: Of the message.
        topic: What it is about.
    """

    channel: str
    send: Send | None = None
    step: str = ""
    purpose: str = "marketing"
    topic: str | None = None

    @property
    def survey(self) -> str:
        """The name of the survey that it asks; empty: it is none."""
        journey = self.step.partition("/")[0]
        return (self.send.survey or journey) if isinstance(self.send, Survey) else ""

    @classmethod
    def by(cls, journey: Journey, send: Send, channel: str) -> Sent:
        """Return how a step sends it."""
        return cls(
            channel=channel,
            send=send,
            step=f"{journey.id}/{send.id}",
            purpose=send.purpose or journey.purpose,
            topic=send.topic or journey.topic,
        )


def read_variables(path: Path) -> dict[str, object]:
    """Read a JSON object from a file.

    Raises:
        InputError: It can't be read, or is none; the place is the file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_EXAMPLE_BYTES + 1)
        if len(text) > MOST_EXAMPLE_BYTES:
            raise InputError("has more than 256 KB", place=str(path))
        found = json.loads(text)
    except OSError as error:
        reason = error.strerror or "can't be read"
        raise InputError(f"can't be read: {reason}", place=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON: {error}", place=str(path)) from error
    if not isinstance(found, dict):
        raise InputError("must be a JSON object: names and values", place=str(path))
    return found
