"""In-app messages: what an app shows of a customer's inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from journeykit.channels import Message
from journeykit.errors import ContentError
from journeykit.media.destinations import link_of
from journeykit.media.document import content_of, document_of
from journeykit.media.wording import fits, lines_of, one_line, required

SIZE = 16 * 1024
"""The most bytes of JSON that one message may be; an inbox is read as a whole."""

TITLE, BODY, LABEL, ACTIONS = 150, 4000, 40, 3
"""The most characters of a title, a body and a label, and the most actions."""

MOST_TTL = 90 * 24 * 3600
"""How many seconds a message may be shown: as long as an inbox keeps it."""

Style = Literal["card", "banner", "modal", "full"]
"""How an app shows it: in the inbox, above a page, over it, instead of it."""


class _Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    url: str = ""


class _Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    body: str = ""
    image: str = ""
    image_alt: str = ""
    link: str = ""
    actions: list[_Action] = []
    style: Style = "card"
    data: dict[str, str | int | float | bool | None] = {}
    ttl: int | str | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """Something to tap.

    Attributes:
        label: What stands on it.
        url: Where it leads: https or the app's own scheme.
    """

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InApp:
    """An in-app message as it is left in the inbox.

    Attributes:
        title: One line.
        body: Plain text, may have lines.
        image: A picture, by https.
        image_alt: What the picture shows, in words.
        link: Where a tap on the message leads; empty: nowhere.
        actions: What there is to tap, three at most.
        style: `card`, `banner`, `modal` or `full`.
        data: What the app gets beside it.
        ttl: Seconds for which it is shown; None: as long as the inbox keeps it.
        locale: What language it is in, such as `de-CH`; empty: not known.
        direction: `ltr` or `rtl`.
        placement: The place in the app that has asked for it; empty: it is for the inbox.
        ask: The id of the event by which it asked.
        warnings: What an author should know.
    """

    title: str
    body: str = ""
    image: str = ""
    image_alt: str = ""
    link: str = ""
    actions: tuple[Button, ...] = ()
    style: Style = "card"
    data: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    ttl: int | None = None
    locale: str = ""
    direction: Literal["ltr", "rtl"] = "ltr"
    placement: str = ""
    ask: str = ""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what an app gets: always all of these fields, see docs/media.md."""
        return {
            "title": self.title,
            "body": self.body,
            "image": self.image,
            "image_alt": self.image_alt,
            "link": self.link,
            "actions": [{"label": a.label, "url": a.url} for a in self.actions],
            "style": self.style,
            "data": dict(self.data),
            "locale": self.locale,
            "direction": self.direction,
            "placement": self.placement,
            "ask": self.ask,
        }


def inapp_of(message: Message) -> InApp:
    """Return what a message is in an app's inbox, of its `json` part.

    An action whose label or whose URL comes to nothing is left out, so that a template can
    make one conditional.

    Raises:
        ContentError: Something is missing, is not what it may be, or is too long.
    """
    content = content_of(message, "inapp")
    found = document_of(message, "inapp", _Template)
    actions = []
    for each in found.actions:
        label, url = one_line(each.label), each.url.strip()
        if label and url:
            fits(label, what="label of an action", most=LABEL)
            actions.append(
                Button(label, link_of(url, what="URL of an action", apps=True))
            )
    if len(actions) > ACTIONS:
        raise ContentError(f"there are {len(actions)} actions; {ACTIONS} are the most")
    title = required(one_line(found.title), what="title of the in-app message")
    image = link_of(found.image, what="image") if found.image.strip() else ""
    alt = one_line(found.image_alt)
    inapp = InApp(
        title=fits(title, what="title", most=TITLE),
        body=fits(lines_of(found.body).strip(), what="body", most=BODY),
        image=image,
        image_alt=alt,
        link=link_of(found.link, what="link", apps=True) if found.link.strip() else "",
        actions=tuple(actions),
        style=found.style,
        data=found.data,
        ttl=_seconds(found.ttl),
        locale=content.locale,
        direction=content.direction,
        placement=message.placement,
        ask=message.ask,
        warnings=content.warnings,
    )
    size = len(json.dumps(inapp.to_json(), ensure_ascii=False).encode())
    if size > SIZE:
        raise ContentError(f"the in-app message has {size} bytes; {SIZE} are the most")
    if image and not alt:
        missing = (
            "the image has no `image_alt`, so that not everybody knows what it shows"
        )
        return replace(inapp, warnings=(*inapp.warnings, missing))
    return inapp


def _seconds(value: int | str | None) -> int | None:
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:12]) <= MOST_TTL:
        raise ContentError(f"`ttl` must be 1 to {MOST_TTL} seconds")
    return int(text)
