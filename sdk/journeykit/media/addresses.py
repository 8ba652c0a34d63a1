"""Whom providers write to: e-mail with its domain in ASCII, numbers in E.164."""

from __future__ import annotations

import re
from dataclasses import dataclass

from journeykit.errors import ContentError

LONGEST = 254
"""Characters of an e-mail address: RFC 5321 §4.5.3.1.3 allows 256 with its brackets."""

# RFC 5321 §4.1.2: Dot-string. Quoted local parts are legal; nobody has one but attackers.
_ATOM = r"[^\s\x00-\x20\x7f-\x9f@<>()\[\]\\,;:\".]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+", re.IGNORECASE)

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164: 15 digits at most


@dataclass(frozen=True, slots=True)
class Recipient:
    """An e-mail address, taken apart.

    Attributes:
        local: What stands before the `@`.
        domain: What stands after it, in ASCII (`xn--…` for others).
    """

    local: str
    domain: str

    @property
    def is_ascii(self) -> bool:
        """Whether it can be written to without SMTPUTF8 (RFC 6531)."""
        return self.local.isascii()

    def __str__(self) -> str:
        """Write it as a provider takes it."""
        return f"{self.local}@{self.domain}"


def recipient_of(address: str) -> Recipient:
    """Take an e-mail address apart, and its domain to ASCII.

    Raises:
        ContentError: It is no address that could be written to; the message doesn't quote
            it.
    """
    local, at, domain = address.strip(" ").rpartition("@")
    if (
        not at
        or not _LOCAL.fullmatch(local)
        or len(local.encode(errors="replace")) > 64
    ):
        raise ContentError("the address is no e-mail address")
    domain = ascii_domain(domain)
    if not _DOMAIN.fullmatch(domain) or len(local) + 1 + len(domain) > LONGEST:
        raise ContentError("the domain of the address can't be one")
    try:
        local.encode()
    except UnicodeEncodeError as err:
        raise ContentError("the address is no text") from err
    return Recipient(local, domain)


def ascii_domain(domain: str) -> str:
    """Return a domain in lower case and ASCII, as IDNA 2008 and UTS 46 have it.

    Raises:
        ContentError: It can't be one.
    """
    if domain.isascii():
        return domain.lower()
    # IDNA 2008: the standard library's 2003 would write to fass.de what is for faß.de.
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as err:
        raise ContentError("the domain of the address can't be one") from err


def number_of(text: str) -> str:
    """Return a telephone number as E.164 has it: `+4917012345678`.

    Args:
        text: As people write it, with spaces, dashes or brackets, but with its country
            (`+49`): an answer comes from the whole number, and must be known for this one.

    Raises:
        ContentError: It can't be a number; the message doesn't quote it.
    """
    if _E164.fullmatch(text):
        return text  # how it should be, and no metadata to load
    if not {"+", "\uff0b"} & {*text}:  # the wide one is typed in East Asia
        raise ContentError("the number can't be one, or lacks its country")
    import phonenumbers

    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as err:
        raise ContentError("the number can't be one, or lacks its country") from err
    # Possible, and not valid: plans of numbers change before the metadata does.
    if number.extension or not phonenumbers.is_possible_number(number):
        raise ContentError("the number can't be one")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
