"""E-mail: subject, HTML with its CSS in it, a text part, and the headers of a mailing.

A marketing mail gets the headers of one-click unsubscribing ([RFC 8058]), which Gmail and
Yahoo ask of whoever sends many. Gmail shows the first 102 KB of a mail and a link to the rest
([clipping]), so that what stands at the end, such as the way to unsubscribe, is not seen.

[RFC 8058]: https://www.rfc-editor.org/rfc/rfc8058
[clipping]: https://mailchimp.com/help/gmail-is-clipping-my-email/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser

from journeykit.channels import Content, Message
from journeykit.errors import ContentError
from journeykit.links import list_unsubscribe
from journeykit.media.document import TemplateError, content_of
from journeykit.media.html_text import text_of_html, without_comments
from journeykit.media.mailbox import Mailbox, mailbox_of, mailboxes_of
from journeykit.media.wording import (
    fits,
    line_of,
    lines_of,
    one_line,
    required,
    written,
)

CLIPPED = 102 * 1024
"""Bytes of HTML of which Gmail shows no more."""

SIZE = 1024 * 1024
"""The most bytes of HTML and text together; nobody reads more, so it is a mistake."""

SUBJECT, SUBJECT_SHOWN = 250, 70
"""The most characters of a subject, and about how many a mailbox shows."""

PREHEADER = 250
"""The most characters of what a mailbox shows after the subject."""

MOST_HEADERS = 20

SETTINGS = frozenset({"subject", "preheader", "from", "reply_to", "headers"})
"""What front matter may say to a mail."""

# RFC 5322 §3.6.8, and of those only what is for private use: nobody sets `Bcc` by template.
_OWN_HEADER = re.compile(r"[Xx]-[A-Za-z0-9-]{1,60}")
# Behind a short preheader a mailbox would show the first words of the mail; these are none.
_PADDING = "&#847;&zwnj;&nbsp;" * 60
_PREHEADER_STYLE = (
    "display:none;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all"
)
_HTML = re.compile(r"<html\b(?P<attributes>[^>]*)>", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_STYLE = re.compile(r"<style\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    r"""A mail as it is handed over; whoever sends it puts the MIME around it.

    Attributes:
        subject: One line.
        html: The whole document; empty: the mail is text alone.
        text: The text part, always there; lines end with `\n`.
        sender: Who it is from.
        reply_to: Who gets the answers; empty: the sender.
        preheader: What a mailbox shows after the subject; it is in `html` already.
        headers: More headers, such as `List-Unsubscribe`: ASCII, one line each.
        size: Bytes of HTML and text together, before they are encoded.
        warnings: What an author should know.
    """

    subject: str
    html: str
    text: str
    sender: Mailbox
    reply_to: tuple[Mailbox, ...] = ()
    preheader: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    warnings: tuple[str, ...] = ()


def email_of(message: Message, *, sender: str = "") -> Email:
    """Return what a message is as a mail.

    Of the content it takes the `html` and the `txt` part (either will do), and from front
    matter `subject`, `preheader`, `from`, `reply_to` and `headers` (names with `X-`).

    Args:
        message: With its content.
        sender: Who it is from where the template doesn't say so: `Name <a@example.com>`.

    Raises:
        ContentError: Something is missing, is not what it may be, or it is too large; or
            there is a `<style>` and css-inline isn't installed.
    """
    content = content_of(message, "email")
    settings = content.settings
    warnings = list(content.warnings)
    if "subject" not in settings:
        raise TemplateError(
            "there is no subject; write `subject: …` between lines of --- at the top"
        )
    subject = fits(
        required(
            line_of(written(settings.get("subject")), what="subject"), what="subject"
        ),
        what="subject",
        most=SUBJECT,
    )
    if len(subject) > SUBJECT_SHOWN:
        warnings.append(
            f"the subject has {len(subject)} characters; "
            f"mailboxes show about {SUBJECT_SHOWN}, telephones about 40"
        )
    own = written(settings.get("from")).strip() or sender
    if not own:
        kind = ContentError if "from" in settings else TemplateError
        raise kind("there is no sender; set `from` in the template or the channel")
    preheader = fits(
        one_line(written(settings.get("preheader"))), what="preheader", most=PREHEADER
    )
    html = written_html = content.parts.get("html", "").strip()
    if html:
        html = _finished(html, content, subject=subject, preheader=preheader)
    text = lines_of(content.parts.get("txt", "")).strip() or text_of_html(html)
    if not text.strip():
        raise ContentError("the mail is empty")
    size = len(html.encode("utf-8", "replace")) + len(text.encode("utf-8", "replace"))
    if size > SIZE:
        raise ContentError(f"the mail has {size} bytes; {SIZE} are the most")
    headers = _own_headers(settings.get("headers"))
    headers |= _list_headers(message, content, html + text, warnings)
    if html:
        warnings.extend(
            _faults(written_html, size=len(html.encode("utf-8", "replace")))
        )
    return Email(
        subject=subject,
        html=html,
        text=text,
        sender=mailbox_of(own, what="sender"),
        reply_to=mailboxes_of(
            written(settings.get("reply_to")), what="reply-to address"
        ),
        preheader=preheader,
        headers=headers,
        size=size,
        warnings=tuple(warnings),
    )


def inlined(html: str) -> str:
    """Return HTML with the rules of its `<style>` in the elements they are for.

    Many clients drop `<style>`. What can't be inlined stays there: `@media`, `:hover`.
    Nothing is fetched. Without a `<style>` the text is returned as it is.

    Raises:
        ContentError: There is a `<style>`, and css-inline isn't installed.
    """
    if not _STYLE.search(html):
        return html
    try:
        import css_inline
    except ImportError:
        raise ContentError(
            "the template has a <style>, which css-inline puts where mail clients "
            "see it; install journeykit[email]"
        ) from None
    inliner = css_inline.CSSInliner(
        keep_style_tags=True,
        remove_inlined_selectors=True,
        load_remote_stylesheets=False,
    )
    try:
        return inliner.inline(html)
    except css_inline.InlineError:
        raise ContentError("the CSS of the template can't be inlined") from None


def _finished(html: str, content: Content, *, subject: str, preheader: str) -> str:
    """A whole document: styles in place, language and direction said, preheader in it."""
    if not _HTML.search(html):
        head = f"<title>{escape(subject)}</title>"
        body = html if _BODY.search(html) else f"<body>{html}</body>"
        html = (
            '<html><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"{head}</head>{body}</html>"
        )
    # Language and direction first: `[dir=rtl]` and `:lang(ar)` may stand in the styles.
    html = _HTML.sub(lambda found: _with_language(found, content), html, count=1)
    html = inlined(lines_of(html))
    if not html.lstrip()[:9].lower().startswith("<!doctype"):
        html = f"<!doctype html>{html}"  # else browsers lay out as in 1998
    if preheader and (found := _BODY.search(html)):
        hidden = f'<div style="{_PREHEADER_STYLE}">{escape(preheader)}{_PADDING}</div>'
        html = html[: found.end()] + hidden + html[found.end() :]
    if pixel := content.links.get("open"):
        # Whoever shows it tells that the mail was opened; only where that is set up.
        picture = f'<img src="{escape(pixel)}" width="1" height="1" alt="">'
        end = html.lower().rfind("</body>")
        html = html[:end] + picture + html[end:] if end >= 0 else html + picture
    return html


def _with_language(found: re.Match[str], content: Content) -> str:
    attributes = found["attributes"]
    if content.locale and not re.search(r"\blang\s*=", attributes, re.IGNORECASE):
        attributes += f' lang="{escape(content.locale)}"'
    if not re.search(r"\bdir\s*=", attributes, re.IGNORECASE):
        attributes += f' dir="{content.direction}"'
    return f"<html{attributes}>"


def _own_headers(value: object) -> dict[str, str]:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise ContentError("`headers` must be names and values")
    if len(value) > MOST_HEADERS:
        raise ContentError(
            f"there are {len(value)} headers; {MOST_HEADERS} are the most"
        )
    headers = {}
    for name, text in value.items():
        if not _OWN_HEADER.fullmatch(str(name)):
            raise ContentError("a name in `headers` must be like `X-Campaign`")
        line = line_of(written(text), what=f"header {name}")
        if not line.isascii():
            raise ContentError(f"the header {name} must be ASCII")
        headers[str(name)] = fits(line, what=f"header {name}", most=900)
    return headers


def _list_headers(
    message: Message, content: Content, said: str, warnings: list[str]
) -> dict[str, str]:
    """The headers by which a mailbox offers to unsubscribe, RFC 2369 and RFC 8058."""
    if message.purpose != "marketing":
        return {}
    link = content.links.get("unsubscribe", "")
    if not link:
        warnings.append(
            "no way to unsubscribe: marketing mail needs one, see [links] of journeykit.toml"
        )
        return {}
    if link not in said and unescape(said).find(link) < 0:
        warnings.append("no link to unsubscribe in the mail: use {{ unsubscribe_url }}")
    if not link.startswith("https://"):
        warnings.append("no one-click unsubscribing: that needs an address with https")
    if not link.isascii() or re.search(r"[\s<>,]", link):
        raise ContentError("the address to unsubscribe can't stand in a header")
    return list_unsubscribe(link)


def _faults(html: str, *, size: int) -> list[str]:
    """What a mail client would not show, or not to everybody, of HTML as it was written."""
    found = _Faults()
    # Not closed: of a tag that never ends there is nothing to say, and it takes long.
    found.feed(without_comments(html))
    warnings = []
    if size > CLIPPED:
        warnings.append(
            f"the HTML has {size // 1024} KB; Gmail shows {CLIPPED // 1024} of them"
        )
    if found.stripped:
        named = ", ".join(f"<{tag}>" for tag in sorted(found.stripped))
        warnings.append(f"mail clients drop or block {named}")
    if found.handlers:
        warnings.append("mail clients drop scripts in attributes such as onclick")
    if found.mute:
        many = "image has" if found.mute == 1 else "images have"
        warnings.append(f'{found.mute} {many} no alt; write alt="" for decoration')
    if found.plain:
        many = "address is" if found.plain == 1 else "addresses are"
        warnings.append(f"{found.plain} {many} http:// and not https://")
    if found.embedded:
        warnings.append(
            "Gmail and Outlook show no pictures that are in the mail as data:"
        )
    return warnings


class _Faults(HTMLParser):
    """Counts what authors are warned of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stripped: set[str] = set()
        self.handlers = self.mute = self.plain = self.embedded = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "form", "iframe", "object", "embed", "video", "audio"):
            self.stripped.add(tag)
        if tag == "link" and "stylesheet" in given.get("rel", "").lower():
            self.stripped.add(tag)
        self.handlers += any(name.startswith("on") for name in given)
        self.mute += tag == "img" and "alt" not in given
        for name in ("href", "src"):
            address = given.get(name, "").strip().lower()
            self.plain += address.startswith("http://")
            self.embedded += name == "src" and address.startswith("data:")
