"""A conversation with a mail server: what its replies, and its silence, say of a mail.

RFC 5321 §4.2.1: 2yz is done, 4yz is not now, 5yz is never. Before the server has the whole
mail, with the dot behind it, silence means that it has nothing (§6.1); afterwards nobody
knows.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from typing import Literal

from journeykit.channels import Receipt, Rejected, RetryAfter, Sent, Uncertain
from journeykit.media.addresses import Recipient

GREYLISTED_SECONDS = 300.0
"""After a 4yz for one recipient: whoever greylists lets the next attempt in after minutes."""

# RFC 3463 §3.2: bad destination mailbox, system or syntax; moved. RFC 7505: no mail there.
_NOBODY = re.compile(r"5\.1\.(1|2|3|6|10)\b")

Security = Literal["starttls", "tls", "none"]


class NotNow(Exception):
    """The server can't be talked to; no mail is concerned."""


@dataclass(frozen=True, slots=True)
class Server:
    """Which server, and how to talk to it.

    Attributes:
        host: Its name.
        port: Such as 587 or 465.
        security: `starttls`: encrypted after the first words; `tls`: from the start;
            `none`: not at all.
        context: What is trusted.
        timeout: The most seconds for each reply.
        hello: As whom to present oneself; None: by the name of this host.
        login: User and password; None: neither.
    """

    host: str
    port: int
    security: Security
    context: ssl.SSLContext
    timeout: float
    hello: str | None = None
    login: tuple[str, str] | None = field(default=None, repr=False)


class Session:
    """One connection; mails go over it one after the other."""

    def __init__(self, server: Server) -> None:
        """Connect, encrypt and log in.

        Raises:
            NotNow: It didn't come to that; the message says where it ended.
        """
        self._smtp = _connected(server)
        self.lost = False

    def send(self, id: str, sender: str, recipient: Recipient, mail: bytes) -> Receipt:
        """Hand over a mail.

        Args:
            id: The delivery's.
            sender: Who gets it back if it can't be delivered.
            recipient: Whom to.
            mail: As it stands on the wire.
        """
        smtp, at = self._smtp, "MAIL"
        options = []
        if not recipient.is_ascii:
            if not smtp.has_extn("smtputf8"):
                return Rejected(
                    id, "the server has no SMTPUTF8, which the address needs"
                )
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            code, said = smtp.mail(sender, options)
            if code == 250:
                at = "RCPT"
                code, said = smtp.rcpt(str(recipient))
            if code in (250, 251):
                at = "DATA"
                code, said = smtp.docmd("DATA")
                if code == 354:
                    smtp.send(_stuffed(mail))
                    at = "the end of the mail"
                    smtp.send(b".\r\n")
                    code, said = smtp.getreply()
                    if code == 250:
                        return Sent(id)
        except (OSError, smtplib.SMTPException) as error:
            self._lose()
            if at == "the end of the mail":
                return Uncertain(id, f"{at}: {_reason(error)}")
            return RetryAfter(id, 0)
        self._reset(code)
        return _refused(id, at, code, said)

    def close(self) -> None:
        """Say goodbye, if anybody listens."""
        if not self.lost:
            _close(self._smtp)

    def _reset(self, code: int) -> None:
        """Be ready for the next mail."""
        try:
            if code == 421:  # it closes the connection, RFC 5321 §3.8
                raise smtplib.SMTPServerDisconnected
            self._smtp.rset()
        except (OSError, smtplib.SMTPException):
            self._lose()

    def _lose(self) -> None:
        self.lost = True
        self._smtp.close()


def _connected(server: Server) -> smtplib.SMTP:
    """Connect, encrypt and log in.

    Raises:
        NotNow: It didn't come to that.
    """
    at, smtp = "connecting", None
    try:
        smtp = _opened(server)
        at = "EHLO"
        smtp.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            at = "STARTTLS"
            smtp.starttls(context=server.context)
            smtp.ehlo()
        if server.login:
            at = "AUTH"
            smtp.login(*server.login)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        if smtp is not None:
            _close(smtp)
        raise NotNow(f"{at}: {_reason(error)}") from None
    return smtp


def _close(smtp: smtplib.SMTP) -> None:
    try:
        smtp.quit()
    except (OSError, smtplib.SMTPException):
        smtp.close()


def _opened(server: Server) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(
            server.host,
            server.port,
            local_hostname=server.hello,
            timeout=server.timeout,
            context=server.context,
        )
    return smtplib.SMTP(
        server.host, server.port, local_hostname=server.hello, timeout=server.timeout
    )


def _stuffed(mail: bytes) -> bytes:
    """Return a mail with the dots at lines' starts doubled: RFC 5321 §4.5.2."""
    if not mail.endswith(b"\r\n"):
        mail += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", mail)


def _refused(id: str, at: str, code: int, said: bytes) -> Receipt:
    """Return the receipt for a reply that is no yes; its words may quote the address."""
    if 400 <= code < 500:
        return RetryAfter(id, GREYLISTED_SECONDS if at == "RCPT" else 0)
    enhanced = re.match(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b", said)
    status = enhanced.group().decode() if enhanced else ""
    reason = f"{at}: {code} {status}".rstrip()
    if 500 <= code < 600:
        nobody = at == "RCPT" and _NOBODY.match(status)
        return Rejected(id, reason, says="hard_bounce" if nobody else "")
    # A reply that is none; the server has not said that it took the mail.
    return Uncertain(id, reason) if at.startswith("the end") else RetryAfter(id, 0)


def _reason(error: Exception) -> str:
    """Say what went wrong, without a word of the server's."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "timed out"
    return (error.strerror if isinstance(error, OSError) else "") or type(
        error
    ).__name__
