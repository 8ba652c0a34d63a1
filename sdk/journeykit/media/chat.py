"""Chat: a text with buttons, as Messenger, Instagram and Slack have it.

What one service takes, another doesn't; a template is written once, and each plugin cuts it
its way, or refuses. The limits here are the widest. What the narrower ones would do to it
stands in the warnings: Messenger 2000 characters ([send]), 640 beside buttons, three of them
of 20 characters ([button]); Instagram 1000 bytes ([instagram]); Slack recommends 4000
characters ([slack]) and takes 75 on a button ([element]).

[send]: https://developers.facebook.com/docs/messenger-platform/reference/send-api
[button]: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button
[instagram]: https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message
[slack]: https://docs.slack.dev/reference/methods/chat.postMessage
[blocks]: https://docs.slack.dev/block-kit/
[element]: https://docs.slack.dev/reference/block-kit/block-elements/button-element
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from journeykit.channels import Message
from journeykit.errors import ContentError
from journeykit.media.destinations import link_of
from journeykit.media.document import content_of, document_of
from journeykit.media.wording import fits, lines_of, one_line, required

TEXT, LABEL, BUTTONS, VALUE = 4000, 75, 10, 1000
"""The most characters of a text and on a button, the most buttons, the most characters of
what a tap reports."""

BLOCKS, BLOCKS_SIZE = 50, 32 * 1024
"""The most of Slack's own blocks ([blocks]), and how many bytes they may be together."""

MESSENGER_TEXT, MESSENGER_TEXT_BESIDE_BUTTONS = 2000, 640
META_LABEL, META_BUTTONS = 20, 3
INSTAGRAM_BYTES = 1000


class _Button(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    url: str = ""
    value: str = ""


class _Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    image: str = ""
    image_alt: str = ""
    buttons: list[_Button] = []
    blocks: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Button:
    """Something to tap.

    Attributes:
        label: What stands on it.
        url: Where it leads; empty: a tap is an answer.
        value: What such an answer is reported as.
    """

    label: str
    url: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat message, before a provider's limits.

    Attributes:
        text: What it says; may have lines.
        buttons: What there is to tap.
        image: A picture, by https.
        image_alt: What the picture shows, in words.
        blocks: Slack's own blocks, shown instead of all that; `text` is what a notification
            of them says.
        warnings: What an author should know.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    image: str = ""
    image_alt: str = ""
    blocks: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


def chat_of(message: Message) -> Chat:
    """Return what a message is in a chat, of its `json` part, or `txt` for mere text.

    A button whose label comes to nothing is left out, so that a template can make one
    conditional.

    Raises:
        ContentError: Something is missing, is not what it may be, or is too long.
    """
    content = content_of(message, "chat")
    if "json" not in content.parts and "txt" in content.parts:
        found = _Template(text=content.parts["txt"])
    else:
        found = document_of(message, "chat", _Template)
    text = required(lines_of(found.text).strip(), what="text of the chat message")
    buttons = []
    for each in found.buttons:
        label = one_line(each.label)
        if not label:
            continue
        fits(label, what="label of a button", most=LABEL)
        if each.url.strip():
            buttons.append(Button(label, link_of(each.url, what="URL of a button")))
        else:
            value = fits(one_line(each.value) or label, what="value", most=VALUE)
            buttons.append(Button(label, value=value))
    if len(buttons) > BUTTONS:
        raise ContentError(f"there are {len(buttons)} buttons; {BUTTONS} are the most")
    if len(found.blocks) > BLOCKS:
        raise ContentError(
            f"there are {len(found.blocks)} blocks; {BLOCKS} are the most"
        )
    if len(json.dumps(found.blocks)) > BLOCKS_SIZE:
        raise ContentError(f"the blocks have more than {BLOCKS_SIZE} bytes")
    chat = Chat(
        text=fits(text, what="text", most=TEXT),
        buttons=tuple(buttons),
        image=link_of(found.image, what="image") if found.image.strip() else "",
        image_alt=one_line(found.image_alt),
        blocks=tuple(found.blocks),
    )
    return replace(chat, warnings=(*content.warnings, *_warnings(chat)))


def _warnings(chat: Chat) -> list[str]:
    """What Messenger and Instagram do not take of what Slack takes."""
    found = []
    length, size = len(chat.text), len(chat.text.encode())
    most = MESSENGER_TEXT_BESIDE_BUTTONS if chat.buttons else MESSENGER_TEXT
    if length > most:
        beside = " beside buttons" if chat.buttons else ""
        found.append(f"{length} characters; Messenger takes {most}{beside}")
    if size > INSTAGRAM_BYTES:
        found.append(f"{size} bytes; Instagram takes {INSTAGRAM_BYTES}")
    if len(chat.buttons) > META_BUTTONS:
        found.append(
            f"{len(chat.buttons)} buttons; Messenger and Instagram take {META_BUTTONS}"
        )
    if any(len(button.label) > META_LABEL for button in chat.buttons):
        found.append(
            f"a label of more than {META_LABEL} characters; "
            "Messenger and Instagram take no more"
        )
    return found
