"""Ids are derived, never drawn: the same inputs give the same ids, whoever computes them.

All ids are BLAKE2b (RFC 7693) over the parts, joined by a character that no part may
hold, so that ("a", "bc") and ("ab", "c") differ.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from journeykit.model.identity import MADE

_BYTES = 12  # 96 bits: among 10 billion messages two are alike once in a billion times
_SEPARATOR = "\x1f"
_looks_derived = re.compile(f"[0-9a-f]{{{2 * _BYTES}}}").fullmatch
BUCKETS = 10_000  # basis points: shares are in percent to two decimals


def _number(text: str) -> int:
    """64 bits that stand for a text."""
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def derived(*parts: str) -> str:
    """An id of 24 hexadecimal characters over the parts."""
    return _hex(_SEPARATOR.join(parts))


def _hex(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=_BYTES).hexdigest()


def enrollment_id(journey: str, customer: str, created_at: int, n: int) -> str:
    """The id of the customer's n-th entry into a journey.

    `created_at` keeps a customer who was erased and came back from reproducing it.
    """
    return _hex(f"enrollment\x1f{journey}\x1f{customer}\x1f{created_at}\x1f{n}")


def delivery_id(enrollment: str, step: str, visit: int, position: int) -> str:
    """The claim key of one message, and the idempotency key given to the provider."""
    return _hex(f"delivery\x1f{enrollment}\x1f{step}\x1f{visit}\x1f{position}")


def emitted_id(enrollment: str, step: str, visit: int) -> str:
    """The id of an event that an Emit lets happen, or of an entry that a Start asks for."""
    return _hex(f"event\x1f{enrollment}\x1f{step}\x1f{visit}")


def told_id(customer: str, created_at: int, revision: int, n: int) -> str:
    """The id of the n-th thing that the reaction on this revision tells of itself."""
    return _hex(f"told\x1f{customer}\x1f{created_at}\x1f{revision}\x1f{n}")


def called_id(enrollment: str, step: str, visit: int) -> str:
    """The claim key of one call, and the idempotency key given to the action."""
    return _hex(f"call\x1f{enrollment}\x1f{step}\x1f{visit}")


def answer_id(delivery: str) -> str:
    """The id of the answer to a survey's message: there is one, however it comes."""
    return _hex(f"answer\x1f{delivery}")


def item_key(text: str) -> str:
    """What stands for the event that a Collect may be told to take back."""
    return _hex(f"item\x1f{text}")[:12]  # 48 bits: among 250, once in 9 billion windows


def address_key(channel: str, address: str) -> str:
    """Under which name the state of an address is kept: short, and not the address."""
    return derived("address", channel, address)


def provider_key(channel: str, provider_id: str) -> str:
    """Under which name a delivery is found by the id that its provider gave it."""
    return derived("provider", channel, provider_id)


def identity_key(kind: str, value: str) -> str:
    """Under which name it is kept whose an identifier is: short, and not the identifier."""
    return derived("identity", kind, value)


def made_id(kind: str, value: str) -> str:
    """The id of a customer of whom nothing is known but an identifier."""
    return MADE + derived("customer", kind, value)


def is_derived(value: object) -> bool:
    """Whether something looks like an id of ours."""
    return isinstance(value, str) and _looks_derived(value) is not None


def log_id(customer: str, salt: str) -> str:
    """By what name logs know a customer: nobody can tell it from the id alone."""
    return _hex(f"log\x1f{salt}\x1f{customer}")


def seen_hash(source: str, event: str) -> int:
    """64 bits that stand for an event in the list of those already handled."""
    return _number(f"{source}\x1f{event}")


def bucket(salt: str, customer: str) -> int:
    """Where a customer falls between 0 and 9999, the same in every process and year."""
    return _number(f"{salt}\x1f{customer}") % BUCKETS
