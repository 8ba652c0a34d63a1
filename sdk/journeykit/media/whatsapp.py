"""WhatsApp: a template that Meta approved, or free-form text, a picture, or buttons.

`WhatsApp.payload` is what the Cloud API takes beside the address ([messages]); AWS End User
Messaging Social takes the same. Limits are Meta's: [text] 4096 characters; [templates] 1024
in a body, 60 in a header; [buttons] three of 20 characters under a body of 1024.

[messages]: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
[text]: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages
[templates]: https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
[buttons]: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/interactive-reply-buttons-messages
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from journeykit.channels import Message
from journeykit.errors import ContentError
from journeykit.media.destinations import link_of
from journeykit.media.document import content_of, document_of
from journeykit.media.wording import fits, lines_of, one_line, required

TEXT, BODY, CAPTION, HEADER, FOOTER = 4096, 1024, 1024, 60, 60
"""The most characters of a free text, of a body with buttons or of a template, of what
stands under a picture, of a header and of a footer."""

LABEL, BUTTONS, TEMPLATE_BUTTONS, REPLY = 20, 3, 10, 256
"""The most characters on a button, the most buttons of a free-form message and of a
template, the most characters of what a tap reports."""

Kind = Literal["template", "text", "media", "buttons"]

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2}|_[0-9]{3})?")
_MEDIA = ("image", "video", "document", "audio")


class _Button(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str = ""
    url: str = ""
    reply: str = ""
    code: str = ""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str = ""
    image: str = ""
    video: str = ""
    document: str = ""
    filename: str = ""


class _Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    template: str = ""
    language: str = ""
    components: list[dict[str, Any]] | None = None
    header: _Header | str | None = None
    body: list[str] | dict[str, str] | str | None = None
    text: str = ""
    footer: str = ""
    buttons: list[_Button] = []
    image: str = ""
    video: str = ""
    document: str = ""
    audio: str = ""
    filename: str = ""
    caption: str = ""
    preview_url: bool = False
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to tap in a free-form message.

    Attributes:
        label: What stands on it.
        url: Where it leads; empty: a tap is an answer.
        reply: What such an answer is reported as.
    """

    label: str
    url: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsApp:
    """A WhatsApp message as it is handed over.

    Attributes:
        kind: `template`: what Meta approved, at any time. `text`, `media`, `buttons`:
            free-form, within 24 hours of the customer's last word.
        payload: `type` and what belongs to it, as the Cloud API has them.
        text: What it says; of a template, the `sample` that the author gave for the
            preview, since only Meta has its words.
        template: The name of what was approved; empty for free-form.
        language: Its language code, such as `de` or `en_US`.
        parameters: The values in its body, as the preview shows them.
        buttons: What there is to tap, of a free-form message.
        media: The address of a picture, video, document or sound.
        warnings: What an author should know.
    """

    kind: Kind
    payload: Mapping[str, Any]
    text: str = ""
    template: str = ""
    language: str = ""
    parameters: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    media: str = ""
    warnings: tuple[str, ...] = field(default=())


def kind_of(document: Mapping[str, object]) -> Kind:
    """Return what a template file makes, rendered or not: for `Channel.facts`."""
    if document.get("template"):
        return "template"
    if any(document.get(name) for name in _MEDIA) and not document.get("buttons"):
        return "media"
    return "buttons" if document.get("buttons") else "text"


def whatsapp_of(message: Message) -> WhatsApp:
    """Return what a message is on WhatsApp, of its `json` part, or `txt` for mere text.

    A template names what was approved, and its values in order or by name:
    `{"template": "cart_reminder", "language": "de", "body": ["{{ first_name }}"]}`. Who
    needs more writes `components` as the Cloud API has them. Free-form is `text`, with
    `buttons`, `header` and `footer`, or one of `image`, `video`, `document`, `audio`.

    Raises:
        ContentError: Something is missing, is not what it may be, or is too long.
    """
    content = content_of(message, "whatsapp")
    if "json" not in content.parts and "txt" in content.parts:
        found = _Template(text=content.parts["txt"])
    else:
        found = document_of(message, "whatsapp", _Template)
    if found.template:
        return _approved(found, content.warnings)
    for name in ("components", "language", "sample"):
        if getattr(found, name):
            raise ContentError(f"`{name}` is for what names a `template`")
    if found.body is not None:
        raise ContentError("`body` is for what names a `template`; write `text`")
    media = [name for name in _MEDIA if getattr(found, name).strip()]
    if len(media) > 1:
        raise ContentError(f"only one of {', '.join(_MEDIA)} can be sent at once")
    buttons = _buttons(found.buttons)
    if media and not buttons:
        return _media(found, media[0], content.warnings)
    text = required(lines_of(found.text).strip(), what="text of the WhatsApp message")
    if buttons:
        return _interactive(found, text, buttons, media, content.warnings)
    if found.header is not None or found.footer:
        raise ContentError("`header` and `footer` are for a message with `buttons`")
    body = {
        "body": fits(text, what="text", most=TEXT),
        "preview_url": found.preview_url,
    }
    return WhatsApp(
        kind="text",
        payload={"type": "text", "text": body},
        text=text,
        warnings=content.warnings,
    )


def _approved(found: _Template, warnings: tuple[str, ...]) -> WhatsApp:
    """What Meta approved, with our values."""
    if not _NAME.fullmatch(found.template):
        raise ContentError(
            "`template` must be the approved name: small letters, digits and underscores"
        )
    if not _LANGUAGE.fullmatch(found.language):
        raise ContentError("`language` must be a code such as `de` or `en_US`")
    if found.text or any(
        getattr(found, name) for name in (*_MEDIA, "caption", "footer")
    ):
        raise ContentError(
            "a message that names a `template` has its words from Meta: "
            "leave out text, pictures and footer, or put them into `header` and `body`"
        )
    parameters: tuple[str, ...] = ()
    if found.components is not None:
        if found.body is not None or found.header is not None or found.buttons:
            raise ContentError("write `components`, or header, body and buttons")
        components: list[dict[str, Any]] = list(found.components)
    else:
        named, parameters = _parameters(found.body)
        components = [*_header_component(found.header)]
        if named:
            components.append({"type": "body", "parameters": named})
        components.extend(_button_components(found.buttons))
    template: dict[str, Any] = {
        "name": found.template,
        "language": {"policy": "deterministic", "code": found.language},
    }
    if components:
        template["components"] = components
    return WhatsApp(
        kind="template",
        payload={"type": "template", "template": template},
        text=lines_of(found.sample).strip(),
        template=found.template,
        language=found.language,
        parameters=parameters,
        warnings=warnings,
    )


def _parameters(
    body: Sequence[str] | Mapping[str, str] | str | None,
) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """The parameters of a body, and their texts.

    Meta refuses line breaks, tabs and runs of spaces in them, so they become one space.
    """
    if body is None:
        return [], ()
    if isinstance(body, str):
        body = [body]
    names = list(body) if isinstance(body, Mapping) else [""] * len(body)
    texts = list(body.values()) if isinstance(body, Mapping) else list(body)
    values = []
    for name, text in zip(names, texts, strict=True):
        value = required(one_line(text), what="value of a parameter")
        parameter = {"type": "text", "text": fits(value, what="value", most=BODY)}
        if name:
            parameter["parameter_name"] = name
        values.append(parameter)
    return values, tuple(value["text"] for value in values)


def _header_component(header: _Header | str | None) -> list[dict[str, Any]]:
    if header is None:
        return []
    return [{"type": "header", "parameters": [_header_of(header)]}]


def _header_of(header: _Header | str) -> dict[str, Any]:
    """A header as both kinds of message have it."""
    if isinstance(header, str):
        header = _Header(text=header)
    if header.text:
        text = fits(one_line(header.text), what="header", most=HEADER)
        return {"type": "text", "text": text}
    for kind in ("image", "video", "document"):
        if url := getattr(header, kind):
            media = {"link": link_of(url, what=f"{kind} of the header")}
            if kind == "document" and header.filename:
                media["filename"] = one_line(header.filename)
            return {"type": kind, kind: media}
    raise ContentError("`header` needs a text, an image, a video or a document")


def _button_components(buttons: Sequence[_Button]) -> list[dict[str, Any]]:
    """The values that buttons of a template take, by their place in it."""
    if len(buttons) > TEMPLATE_BUTTONS:
        raise ContentError(
            f"there are {len(buttons)} buttons; {TEMPLATE_BUTTONS} are the most"
        )
    components = []
    for place, button in enumerate(buttons):
        if button.url:  # what is added to the approved address
            kind, value = "url", {"type": "text", "text": one_line(button.url)}
        elif button.code:
            kind, value = (
                "copy_code",
                {"type": "coupon_code", "coupon_code": button.code},
            )
        elif button.reply:
            kind, value = "quick_reply", {"type": "payload", "payload": button.reply}
        else:
            continue  # it takes no value, but has its place
        components.append(
            {
                "type": "button",
                "sub_type": kind,
                "index": str(place),
                "parameters": [value],
            }
        )
    return components


def _buttons(buttons: Sequence[_Button]) -> tuple[Button, ...]:
    """The buttons of a free-form message; one whose label comes to nothing is left out."""
    found = []
    for button in buttons:
        label = one_line(button.label)
        if not label:
            continue
        fits(label, what="label of a button", most=LABEL)
        if button.code:
            raise ContentError("a button with a `code` is for what names a `template`")
        url = link_of(button.url, what="URL of a button") if button.url.strip() else ""
        reply = fits(one_line(button.reply) or label, what="reply", most=REPLY)
        found.append(Button(label, url, "" if url else reply))
    if len(found) > BUTTONS:
        raise ContentError(f"there are {len(found)} buttons; {BUTTONS} are the most")
    links = [button for button in found if button.url]
    if links and len(found) > 1:
        raise ContentError("WhatsApp takes one button with a `url`, or several without")
    labels = {button.label for button in found}
    if len(labels) < len(found):
        raise ContentError("two buttons have the same label")
    return tuple(found)


def _interactive(
    found: _Template,
    text: str,
    buttons: tuple[Button, ...],
    media: Sequence[str],
    warnings: tuple[str, ...],
) -> WhatsApp:
    if "audio" in media:
        raise ContentError("a message with buttons can't have `audio`")
    interactive: dict[str, Any] = {"body": {"text": fits(text, what="text", most=BODY)}}
    header = found.header
    if media:
        if header is not None:
            raise ContentError("write `header`, or one of image, video, document")
        header = _Header(
            **{media[0]: getattr(found, media[0])}, filename=found.filename
        )
    if header is not None:
        interactive["header"] = _header_of(header)
    if footer := one_line(found.footer):
        interactive["footer"] = {"text": fits(footer, what="footer", most=FOOTER)}
    if buttons[0].url:
        link = {"display_text": buttons[0].label, "url": buttons[0].url}
        interactive |= {
            "type": "cta_url",
            "action": {"name": "cta_url", "parameters": link},
        }
    else:
        replies = [
            {"type": "reply", "reply": {"id": button.reply, "title": button.label}}
            for button in buttons
        ]
        interactive |= {"type": "button", "action": {"buttons": replies}}
    return WhatsApp(
        kind="buttons",
        payload={"type": "interactive", "interactive": interactive},
        text=text,
        buttons=buttons,
        media=getattr(found, media[0]).strip() if media else "",
        warnings=warnings,
    )


def _media(found: _Template, kind: str, warnings: tuple[str, ...]) -> WhatsApp:
    url = link_of(getattr(found, kind), what=kind)
    media = {"link": url}
    caption = lines_of(found.caption or found.text).strip()
    if caption and kind == "audio":
        raise ContentError("`audio` can't have a caption")
    if caption:
        media["caption"] = fits(caption, what="caption", most=CAPTION)
    if found.filename and kind == "document":
        media["filename"] = one_line(found.filename)
    return WhatsApp(
        kind="media",
        payload={"type": kind, kind: media},
        text=caption,
        media=url,
        warnings=warnings,
    )
