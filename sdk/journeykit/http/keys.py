"""Who brings something: by the API key that a request comes with."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

SCOPES = ("track", "identify", "enroll", "inbox", "decide")
"""What a key may be for: events, attributes of profiles, enrollments, in-app inboxes, and to
ask what a place in an app or on a page shows."""


class Writer(NamedTuple):
    """Who brings something.

    Attributes:
        name: For the log; empty: anybody.
        scopes: What they may do.
    """

    name: str = ""
    scopes: Collection[str] = SCOPES


def given_key(headers: Mapping[str, str]) -> str:
    """Return the key that a request comes with; empty: none.

    It is `Authorization: Bearer KEY`, or the user name of `Authorization: Basic …` as
    Segment's libraries send it, or `X-Api-Key: KEY`.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return ""
        return pair.decode("latin-1").partition(":")[0]
    return headers.get("x-api-key", "")


def digest_of(key: str) -> bytes:
    """Return the SHA-256 of a key. It is random and long, so that tells nothing of it."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
