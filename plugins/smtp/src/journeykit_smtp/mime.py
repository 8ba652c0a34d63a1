"""A mail as it stands on the wire: MIME, and headers that nobody mangles on the way.

`email.policy.SMTP` folds at 78 characters. What has no space in 78, as the URL of a
`List-Unsubscribe`, it writes as an encoded word (RFC 2047), which no mailbox reads as a URL:
the one-click unsubscribing that Gmail and Yahoo ask for is gone. So headers are written here
in one line each, as RFC 5322 §2.1.1 allows up to 998 characters, and only the subject and
names, which are words, are encoded.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from email.generator import BytesGenerator
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from io import BytesIO
from typing import Any

from journeykit.errors import ContentError
from journeykit.media.addresses import Recipient
from journeykit.media.email import Email

LONGEST_LINE = 998
"""Characters of a line without its end: RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6."""

_VALUE = re.compile(r"[^\x00-\x1f\x7f]*")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_DOT_ATOM = re.compile(r"[A-Za-z0-9_-]{1,64}")


class OneLine(EmailPolicy):
    """Writes the headers of a mail as they were given: checked, and in one line."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Keep a header as text; those that MIME itself needs are parsed as ever."""
        if name.lower().startswith(("content-", "mime-")):
            return super().header_store_parse(name, value)
        text = str(value)
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
            raise ContentError(
                f"the header {name:.40} has a character that none can have"
            )
        if len(name) + 2 + len(text.encode()) > LONGEST_LINE:
            raise ContentError(f"the header {name} is too long for one line")
        return name, text

    def fold(self, name: str, value: Any) -> str:
        """Write a header."""
        if name.lower().startswith(("content-", "mime-")):
            return str(super().fold(name, value))
        return f"{name}: {value}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Write a header for the wire."""
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii")


# Quoted-printable or base64 where it is needed, so that no relay has to convert anything,
# which would break a signature (DKIM) that was made before.
_POLICY = OneLine(linesep=SMTP.linesep, cte_type="7bit")


def message_id(delivery_id: str, domain: str) -> str:
    """Return the Message-ID of a delivery: the same however often it is sent.

    A mailbox that gets both copies of an uncertain mail can know them for one.
    """
    if not _DOT_ATOM.fullmatch(delivery_id):
        delivery_id = hashlib.sha256(delivery_id.encode(errors="replace")).hexdigest()
    return f"<{delivery_id}@{domain}>"


def wire(mail: Email, recipient: Recipient, *, id: str, at: datetime) -> bytes:
    """Return a mail as it goes out, lines ended by CRLF.

    Args:
        mail: What to send.
        recipient: Whom to; one whose address is not ASCII needs SMTPUTF8.
        id: The Message-ID.
        at: When it was decided, for `Date`.

    Raises:
        ContentError: A header can't be one.
    """
    message = EmailMessage(policy=_POLICY.clone(utf8=not recipient.is_ascii))
    message["From"] = str(mail.sender)
    message["To"] = str(recipient)
    if mail.reply_to:
        message["Reply-To"] = ", ".join(map(str, mail.reply_to))
    message["Subject"] = _words(mail.subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = id
    for name, value in mail.headers.items():
        if name in message or name.lower().startswith(("content-", "mime-", "bcc")):
            raise ContentError(f"the header {name:.40} is set by the channel itself")
        if not value.isascii():
            raise ContentError(f"the header {name:.40} is not ASCII")
        message[name] = value
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    buffer = BytesIO()
    # `From ` at a line's start is nobody's business but a mailbox file's.
    BytesGenerator(buffer, mangle_from_=False).flatten(message)
    return buffer.getvalue()


def _words(text: str) -> str:
    """Return a subject in ASCII; no encoded word is longer than 75 (RFC 2047 §2)."""
    if text.isascii():
        return text
    return Header(text, "utf-8", maxlinelen=75).encode(linesep="")
