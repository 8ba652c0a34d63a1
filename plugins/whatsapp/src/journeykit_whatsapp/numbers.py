"""Telephone numbers: what WhatsApp takes, and which of them are one and the same."""

from __future__ import annotations

import re

_LOOSE = re.compile(r"[\s\u00a0().\-/\u2010-\u2015]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164: 15 digits at most

# WhatsApp knows people by other numbers than those that they are called by: Meta's docs say
# so of Brazil and Mexico ("the extra added prefix of the phone number may be modified"), and
# the same is done with Argentina's. Each is a prefix that mobile numbers have or lack.
_SAME = (
    (re.compile(r"\+521([0-9]{10})"), r"+52\1"),
    (re.compile(r"\+549([0-9]{10})"), r"+54\1"),
    # Eight digits of a mobile number begin with 6 to 9, of a landline with 2 to 5.
    (re.compile(r"\+55([0-9]{2})9([6-9][0-9]{7})"), r"+55\1\2"),
)


def number_in(text: str) -> str | None:
    """Return a number as `+4917012345678`; None: it is none, or lacks its country."""
    found = _LOOSE.sub("", text)
    if found.startswith("00"):
        found = f"+{found[2:]}"
    return found if _E164.fullmatch(found) else None


def compared(text: str) -> str:
    """Return the form in which the numbers that WhatsApp has for one person are equal."""
    number = number_in(text)
    if number is None:
        return text
    for pattern, form in _SAME:
        if found := pattern.fullmatch(number):
            return found.expand(form)
    return number
