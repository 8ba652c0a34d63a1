"""Mailboxes: who a mail is from and to, checked, and as a header wants them.

A name that is not ASCII is written as [RFC 2047] says.

[RFC 2047]: https://www.rfc-editor.org/rfc/rfc2047
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import Header

from journeykit.errors import ContentError
from journeykit.media import addresses
from journeykit.media.wording import fits, line_of

_LONGEST = 400  # characters of a name and an address
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and a name where there is one.

    Attributes:
        address: Such as `shop@example.com`; the domain in ASCII.
        name: Such as `Jörgs Laden`; empty: none.
    """

    address: str
    name: str = ""

    def __str__(self) -> str:
        """Return the value of a header: ASCII alone, in one line."""
        if not self.name:
            return self.address
        if not self.name.isascii() or "=?" in self.name:
            # No word of more than 75 characters, RFC 2047 §2; a header's folding comes
            # later, so they are parted by a space.
            words = Header(self.name, "utf-8", maxlinelen=75).encode(linesep="")
            return f"{words} <{self.address}>"
        if _ATOMS.fullmatch(self.name):
            return f"{self.name} <{self.address}>"
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.address}>'


def mailbox_of(text: str, *, what: str = "address") -> Mailbox:
    """Return a mailbox that was written as `a@example.com` or `Name <a@example.com>`.

    Raises:
        ContentError: It is none, or more than one; the message does not quote it.
    """
    text = fits(line_of(text, what=what), what=what, most=_LONGEST)
    name = ""
    if "<" in text or ">" in text:
        found = _NAMED.fullmatch(text)
        if found is None:
            raise ContentError(f"the {what} must be like `Name <name@example.com>`")
        name, text = found["name"].strip(), found["address"].strip()
        if quoted := _QUOTED.fullmatch(name):
            name = re.sub(r"\\(.)", r"\1", quoted[1])
    return Mailbox(address_of(text, what=what), name)


def mailboxes_of(
    text: str, *, what: str = "address", most: int = 10
) -> tuple[Mailbox, ...]:
    """Return mailboxes that are parted by commas.

    Raises:
        ContentError: One is none, or there are too many.
    """
    text = fits(line_of(text, what=what), what=what, most=_LONGEST * most)
    # A comma in quotation marks is part of a name.
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^",])+', text)
    found = tuple(mailbox_of(part, what=what) for part in parts if part.strip())
    if len(found) > most:
        raise ContentError(f"there are {len(found)} of the {what}; {most} are the most")
    return found


def address_of(text: str, *, what: str = "address") -> str:
    """Return an e-mail address, its domain in ASCII.

    Raises:
        ContentError: It is none, or needs a server that takes more than ASCII; the message
            does not quote it.
    """
    try:
        found = addresses.recipient_of(text)
    except ContentError as err:
        raise ContentError(f"the {what} must be like name@example.com") from err
    if not found.is_ascii:
        raise ContentError(f"the {what} must be ASCII before the @")
    return str(found)
