"""What devices show of a message, as HTML without script: one figure each.

They are drawn, not photographed: a phone's own font, size and line breaks differ. What a
device cuts is cut at about the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from urllib.parse import urlsplit

from journeykit.media.chat import META_BUTTONS, META_LABEL, Chat
from journeykit.media.email import Email
from journeykit.media.inapp import InApp
from journeykit.media.push import Push
from journeykit.media.sms import Sms, not_gsm, segmented
from journeykit.media.whatsapp import WhatsApp
from journeykit.workspace.previews import Body, Preview

PHONE = 375
"""How wide a mail is shown on a phone, in CSS pixels."""

_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s<>()]+[^\s<>().,;:!?]")


def figures(shown: Preview, *, app: str, images: bool = False) -> Iterator[str]:
    """Yield a figure for each device that shows a message.

    Args:
        shown: The message, which can be sent.
        app: What the workspace is called, for the names of apps and senders.
        images: Whether pictures are loaded; else a box stands for each.
    """
    body = shown.body
    if body is not None:
        yield from _DEVICES[type(body)](body, _Look(shown, app, images))


class _Look:
    """What all figures of a message have in common."""

    def __init__(self, shown: Preview, app: str, images: bool) -> None:
        self.direction = shown.direction
        self.lang = shown.found or shown.locale
        self.app = app
        self.images = images

    def words(self) -> str:
        """Attributes of an element that holds the message's own words."""
        lang = f' lang="{escape(self.lang)}"' if self.lang else ""
        return f'dir="{self.direction}"{lang}'

    def picture(self, url: str, alt: str, css: str = "") -> str:
        if not url:
            return ""
        if self.images:
            return (
                f'<img class="picture {css}" src="{escape(url)}" alt="{escape(alt)}">'
            )
        label = escape(alt or urlsplit(url).path.rpartition("/")[2] or "picture")
        return f'<span class="picture {css}" role="img" aria-label="{label}">{label}</span>'


def _figure(kind: str, caption: str, inside: str) -> str:
    return (
        f'<figure class="device {kind}">{inside}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _linked(text: str) -> str:
    """Words with their addresses underlined, as phones show them."""
    marked = _LINK.sub(lambda found: f"\x00{found[0]}\x01", text)
    return (
        _lines(marked).replace("\x00", '<span class="link">').replace("\x01", "</span>")
    )


# E-mail


def _email(mail: Email, look: _Look) -> Iterator[str]:
    sender = mail.sender.name or mail.sender.address
    preview = mail.preheader or " ".join(mail.text.split())
    row = (
        f'<div class="inbox" {look.words()}><span class="avatar" aria-hidden="true">'
        f"{escape(sender[:1].upper())}</span><span class=from>{escape(sender)}</span>"
        f'<span class="line"><b>{escape(mail.subject)}</b>'
        f' <span class="faint">· {escape(preview[:200])}</span></span></div>'
    )
    if not mail.html:
        yield _figure("window", "Mail program", f"{row}{_text_part(mail, look)}")
        return
    head = (
        f'<div class="subject" {look.words()}>{escape(mail.subject)}</div>'
        f'<div class="sender" dir="ltr">{escape(mail.sender.name)} '
        f'<span class="faint">&lt;{escape(mail.sender.address)}&gt;</span></div>'
    )
    frame = _frame(mail, look)
    yield _figure(
        "window",
        "Desktop",
        f"{row}{head}{frame.replace('WIDTH', '100%')}",
    )
    yield _figure(
        "phone mail",
        f"Phone, {PHONE} pixels wide",
        f'<div class="screen">{head}{frame.replace("WIDTH", str(PHONE))}</div>',
    )


def _frame(mail: Email, look: _Look) -> str:
    """The mail in a frame of its own, in which nothing runs and no link leads anywhere."""
    # Links would open in the frame; a new window is what its sandbox forbids.
    base = '<base target="_blank">'
    found = _HEAD.search(mail.html)
    html = (
        mail.html[: found.end()] + base + mail.html[found.end() :]
        if found
        else base + mail.html
    )
    if not look.images:
        html = html.replace("<img ", '<img data-not-loaded="" ')
    return (
        f'<iframe sandbox title="{escape(mail.subject)}" width="WIDTH" height="620" '
        f'srcdoc="{escape(html)}"></iframe>'
    )


def _text_part(mail: Email, look: _Look) -> str:
    return f'<pre class="text" {look.words()}>{escape(mail.text)}</pre>'


def email_details(mail: Email, look_of: Preview) -> str:
    """Return the parts of a mail that no device shows at once: text and headers."""
    look = _Look(look_of, "", images=False)
    headers = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in (
            ("From", str(mail.sender)),
            *(("Reply-To", str(each)) for each in mail.reply_to),
            *mail.headers.items(),
        )
    )
    return (
        f"<details open><summary>Text part</summary>{_text_part(mail, look)}</details>"
        f'<details><summary>Headers</summary><dl class="headers">{headers}</dl></details>'
    )


# SMS


def _sms(sms: Sms, look: _Look) -> Iterator[str]:
    sender = sms.sender or "Sender"
    inside = (
        f'<div class="screen"><div class="bar">{escape(sender)}</div>'
        f'<div class="talk" {look.words()}><p class="bubble gray">{_linked(sms.text)}</p>'
        "</div></div>"
    )
    yield _figure("phone sms", "Messages", inside)
    parts = segmented(sms.text)
    listed = "".join(f"<li {look.words()}>{_lines(part)}</li>" for part in parts)
    foreign = not_gsm(sms.text)
    why = ""
    if foreign:
        named = " ".join(f"<kbd>{escape(c)}</kbd> U+{ord(c):04X}" for c in foreign[:12])
        more = f" and {len(foreign) - 12} more" if len(foreign) > 12 else ""
        why = (
            f'<p class="note">Not in the GSM alphabet, so every character takes 16 bits: '
            f"{named}{more}</p>"
        )
    yield (
        '<figure class="device sheet">'
        f'<ol class="segments">{listed}</ol>{why}'
        "<figcaption>Segments, each paid for</figcaption></figure>"
    )


# Push


def _push(push: Push, look: _Look) -> Iterator[str]:
    thumb = look.picture(push.image, "", "thumb")
    words = (
        f'<span class="words" {look.words()}><b>{escape(push.title)}</b>'
        f"<span>{_lines(push.body)}</span></span>"
    )
    icon = (
        f'<span class="icon" aria-hidden="true">{escape(look.app[:1].upper())}</span>'
    )
    yield _figure(
        "phone lock apple",
        "Apple, lock screen",
        '<div class="screen"><div class="clock" aria-hidden="true">9:41</div>'
        f'<div class="notice" dir="{look.direction}">{icon}{words}{thumb}</div></div>',
    )
    yield _figure(
        "phone lock android",
        "Android, lock screen",
        '<div class="screen"><div class="clock" aria-hidden="true">9:41</div>'
        f'<div class="notice" dir="{look.direction}"><span class="app">{icon}'
        f"{escape(look.app)} · now</span>{words}{look.picture(push.image, '', 'wide')}"
        "</div></div>",
    )


# In-app


def _inapp(inapp: InApp, look: _Look) -> Iterator[str]:
    buttons = "".join(
        f'<span class="button{"" if place == 0 else " quiet"}">{escape(each.label)}</span>'
        for place, each in enumerate(inapp.actions)
    )
    picture = look.picture(inapp.image, inapp.image_alt, "wide")
    message = (
        f'<div class="message {inapp.style}" {look.words()}>{picture}'
        f'<div class="inside"><b>{escape(inapp.title)}</b>'
        f"<p>{_linked(inapp.body)}</p>"
        f'<div class="actions">{buttons}</div></div></div>'
    )
    yield _figure(
        "phone app",
        f"In the app, as a {inapp.style}; an app may draw it its own way",
        f'<div class="screen"><div class="bar">{escape(look.app)}</div>'
        f'<div class="page">{message}<i></i><i></i></div></div>',
    )


# WhatsApp and chats


def _whatsapp(whatsapp: WhatsApp, look: _Look) -> Iterator[str]:
    inside = look.picture(whatsapp.media, "", "wide")
    header, footer, buttons = _parts_of(whatsapp)
    if header:
        inside += f"<b>{escape(header)}</b><br>"
    if whatsapp.text:
        inside += _marked(whatsapp.text, whatsapp_style=True)
    elif whatsapp.template:
        inside += (
            f"<i>Template {escape(whatsapp.template)} ({escape(whatsapp.language)}), "
            "whose words Meta has. A <code>sample</code> shows them here.</i>"
        )
    if footer:
        inside += f'<br><span class="faint">{escape(footer)}</span>'
    taps = "".join(f'<span class="tap">{escape(label)}</span>' for label in buttons)
    yield _figure(
        "phone whatsapp",
        "WhatsApp",
        f'<div class="screen"><div class="bar">{escape(look.app)}</div>'
        f'<div class="talk" {look.words()}><div class="bubble"><p>{inside}</p>{taps}</div>'
        "</div></div>",
    )
    if whatsapp.template and whatsapp.parameters:
        listed = "".join(f"<li>{escape(value)}</li>" for value in whatsapp.parameters)
        yield (
            '<figure class="device sheet">'
            f'<ol class="segments" {look.words()}>{listed}</ol>'
            "<figcaption>Values for the approved template</figcaption></figure>"
        )


def _parts_of(whatsapp: WhatsApp) -> tuple[str, str, list[str]]:
    """Header and footer where they are text, and what stands on the buttons."""
    interactive = whatsapp.payload.get("interactive", {})
    header = interactive.get("header", {})
    footer = interactive.get("footer", {})
    labels = [button.label for button in whatsapp.buttons]
    return header.get("text", ""), footer.get("text", ""), labels


def _chat(chat: Chat, look: _Look) -> Iterator[str]:
    picture = look.picture(chat.image, chat.image_alt, "wide")
    # What the narrow ones would not take stands in the warnings; it is shown all the same.
    taps = "".join(
        f'<span class="tap">{escape(button.label)}</span>' for button in chat.buttons
    )
    fits = len(chat.buttons) <= META_BUTTONS and all(
        len(button.label) <= META_LABEL for button in chat.buttons
    )
    yield _figure(
        "phone messenger",
        "Messenger, Instagram" + ("" if fits else " (not all of it fits)"),
        f'<div class="screen"><div class="bar">{escape(look.app)}</div>'
        f'<div class="talk" {look.words()}>{picture}'
        f'<div class="bubble gray"><p>{_linked(chat.text)}</p>{taps}</div></div></div>',
    )
    icon = (
        f'<span class="icon" aria-hidden="true">{escape(look.app[:1].upper())}</span>'
    )
    buttons = "".join(
        f'<span class="button quiet">{escape(button.label)}</span>'
        for button in chat.buttons
    )
    said = _marked(chat.text, whatsapp_style=False)
    if chat.blocks:
        said += f'<p class="note">… and {len(chat.blocks)} blocks of Slack\'s own.</p>'
    yield _figure(
        "window slack",
        "Slack",
        f'<div class="post" dir="{look.direction}">{icon}<div {look.words()}>'
        f'<b>{escape(look.app)}</b> <span class="badge">APP</span>'
        f'<p>{said}</p>{picture}<div class="actions">{buttons}</div></div></div>',
    )


def _marked(text: str, *, whatsapp_style: bool) -> str:
    """Words with the marks of WhatsApp and Slack: `*strong*`, `_stressed_`, `~gone~`."""
    html = _linked(text)
    for mark, tag in (("*", "b"), ("_", "i"), ("~", "s")):
        sign = re.escape(mark)
        html = re.sub(
            rf"(?<![\w{sign}]){sign}(?=\S)([^{sign}<>]*\S){sign}(?![\w{sign}])",
            rf"<{tag}>\1</{tag}>",
            html,
        )
    if not whatsapp_style:  # Slack writes links as <address|words>
        html = re.sub(
            r"&lt;[^&|]*?(?:<[^>]*>)?[^|&]*\|([^&]*)&gt;",
            r'<span class="link">\1</span>',
            html,
        )
    return html


_DEVICES: Mapping[type, Callable[..., Iterable[str]]] = {
    Email: _email,
    Sms: _sms,
    Push: _push,
    InApp: _inapp,
    WhatsApp: _whatsapp,
    Chat: _chat,
}


def facts(body: Body) -> list[tuple[str, str]]:
    """Return what there is to know of a message in numbers, each with its name."""
    if isinstance(body, Email):
        html, text = len(body.html.encode()), len(body.text.encode())
        return [
            ("Subject", f"{len(body.subject)} characters"),
            *([("HTML", f"{_kilobytes(html)} of 102 KB")] if html else []),
            ("Text part", _kilobytes(text)),
            (
                "One-click unsubscribe",
                "yes" if "List-Unsubscribe-Post" in body.headers else "no",
            ),
        ]
    if isinstance(body, Sms):
        encoding = "GSM 7 bit" if body.encoding == "gsm" else "UCS-2, 16 bit"
        alone, shared = (160, 153) if body.encoding == "gsm" else (70, 67)
        room = alone if body.segments == 1 else shared * body.segments
        return [
            ("Segments", str(body.segments)),
            ("Encoding", encoding),
            ("Length", f"{body.units} of {room} units"),
        ]
    if isinstance(body, Push):
        return [
            ("Payload", f"{body.size} of 4096 bytes"),
            *([("Leads to", body.link)] if body.link else []),
            *([("Worth showing for", f"{body.ttl} s")] if body.ttl is not None else []),
        ]
    if isinstance(body, InApp):
        return [
            ("Style", body.style),
            *((f"“{each.label}” leads to", each.url) for each in body.actions),
        ]
    if isinstance(body, WhatsApp):
        if body.template:
            return [("Approved template", body.template), ("Language", body.language)]
        return [("Free-form", "only within 24 hours of the customer's last message")]
    return [
        ("Text", f"{len(body.text)} characters"),
        *(
            (f"“{each.label}”", f"leads to {each.url}" if each.url else "is an answer")
            for each in body.buttons
        ),
    ]


def _kilobytes(size: int) -> str:
    return f"{size / 1024:.1f} KB" if size >= 1024 else f"{size} bytes"
