"""Codes that prove themselves: a shop needs the secret to verify one, and no database.

A code is its campaign's prefix and twenty symbols of Crockford's Base32, which has no I, L,
O and U (https://www.crockford.com/base32.html):

    SPRING-7K3M9-XQ2WT-H8RZ4-9ABCD
           └────┬────┘ └┬┘└──┬──┘└ a check symbol: mistyped or not, without the secret
             50 bits    │  30 bits that prove number, day and prefix
            of number   └ 15 bits of day: the first one on which it is worth nothing

Of a million codes that expire on one day, two are equal with a chance of 1 in 2000.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MEANT = str.maketrans("OIL", "011")
_BITS = 5  # of a symbol
_NUMBER, _DAY, _PROOF = 50, 15, 30  # bits; with the check symbol 20 symbols
_LENGTH = (_NUMBER + _DAY + _PROOF) // _BITS + 1
_FIRST_DAY = date(2020, 1, 1)  # 15 bits of days from here reach to the year 2109
_SHORTEST_SECRET = 16  # characters; it must not be possible to try them all


class Verdict(StrEnum):
    """What a shop says to a code."""

    VALID = "valid"
    """It is one of ours. Whether it was used before is for the shop to know."""
    MISTYPED = "mistyped"
    """It can't be any code; ask to type it again."""
    UNKNOWN = "unknown"
    """It was never drawn for this campaign."""
    EXPIRED = "expired"
    """It was, and is worth nothing any more."""


def draw(id: str, *, prefix: str, expires_on: date, secret: str) -> str:
    """Return the code of an id: the same for the same arguments.

    Raises:
        ValueError: The secret is too short.
    """
    number = _mac(_NUMBER, secret, "number", id)
    day = (expires_on - _FIRST_DAY).days
    signed = number << _DAY | day
    proof = _mac(_PROOF, secret, "proof", _canonical(prefix), str(signed))
    symbols = _symbols(signed << _PROOF | proof)
    symbols.append(_check(symbols))
    body = "".join(_SYMBOLS[symbol] for symbol in symbols)
    return "-".join([prefix, *(body[n : n + 5] for n in range(0, _LENGTH, 5))])


def verify(code: str, *, prefix: str, secret: str, now: datetime) -> Verdict:
    """Say what a code is worth, however it was typed: case, spaces, O for 0, I for 1.

    Args:
        code: What the customer gave.
        prefix: The campaign's prefix.
        secret: With which it was drawn.
        now: An aware instant.
    """
    found = _canonical(code)
    if not found.startswith(start := _canonical(prefix)):
        return Verdict.UNKNOWN
    body = found.removeprefix(start)
    if len(body) != _LENGTH or not set(body) <= set(_SYMBOLS):
        return Verdict.MISTYPED
    *symbols, check = map(_SYMBOLS.index, body)
    if check != _check(symbols):
        return Verdict.MISTYPED
    value = 0
    for symbol in symbols:
        value = value << _BITS | symbol
    signed, proof = value >> _PROOF, value & ((1 << _PROOF) - 1)
    right = _mac(_PROOF, secret, "proof", start, str(signed))
    if not hmac.compare_digest(str(proof), str(right)):
        return Verdict.UNKNOWN
    return (
        Verdict.EXPIRED if now >= end_of(signed & ((1 << _DAY) - 1)) else Verdict.VALID
    )


def expiry(at: datetime, *, valid_days: int) -> date:
    """Return the first day, in UTC, on which a code that is drawn now is worth nothing."""
    return at.astimezone(UTC).date() + timedelta(days=valid_days + 1)


def end_of(day: int) -> datetime:
    """Return the instant at which a code of this day number ends."""
    return midnight(_FIRST_DAY + timedelta(days=day))


def midnight(day: date) -> datetime:
    """Return the instant at which a day begins in UTC."""
    return datetime.combine(day, time(), UTC)


def _mac(bits: int, secret: str, *parts: str) -> int:
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"the secret must have {_SHORTEST_SECRET} characters or more")
    digest = hmac.digest(secret.encode(), "\0".join(parts).encode(), "sha256")
    return int.from_bytes(digest) >> (8 * len(digest) - bits)


def _symbols(value: int) -> list[int]:
    count = _LENGTH - 1
    return [value >> _BITS * n & 31 for n in reversed(range(count))]


def _check(symbols: Sequence[int]) -> int:
    """Luhn's algorithm modulo 32: one wrong symbol, and most swaps, don't pass."""
    total = 0
    for n, symbol in enumerate(reversed(symbols)):
        product = symbol * (2 - n % 2)
        total += product // 32 + product % 32
    return -total % 32


def _canonical(text: str) -> str:
    return re.sub(r"[\s-]+", "", text).upper().translate(_MEANT)
