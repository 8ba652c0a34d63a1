"""Signatures as in Standard Webhooks 1.0 (https://www.standardwebhooks.com).

The headers name the message, the second of the attempt, and one `v1` signature for each
secret: HMAC-SHA256 over `id.timestamp.body`, in base64. A receiver may use `verify`, or
any of the libraries that the specification has.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping

PREFIX = "whsec_"
BYTES = range(24, 65)  # as the specification has it
TOLERANCE = 5 * 60
"""Seconds that an attempt may be old, or a clock wrong: a replay comes later."""


class WrongSignature(ValueError):
    """A request that is not, or not any more, from whom it says it is."""


def new_secret() -> str:
    """Return a secret that nobody has."""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Return the key in a secret, which looks like `whsec_MfKQ9r8G…`.

    Raises:
        ValueError: It is none; the message doesn't repeat it.
    """
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in BYTES:
        raise ValueError(
            f"a secret is {PREFIX} and base64 of {BYTES[0]} to {BYTES[-1]} bytes; "
            "journeykit_webhook.new_secret() makes one"
        )
    return key


def signed(id: str, body: bytes, *secrets: str, at: float) -> dict[str, str]:
    """Return the three headers of a webhook.

    Args:
        id: Of the message, the same in each attempt.
        body: As it will be sent, byte for byte.
        secrets: One; two while the old one gives way to a new one.
        at: When the attempt is made, in seconds since 1970.
    """
    second = str(int(at))
    signatures = [_signature(secret, id, second, body) for secret in secrets]
    return {
        "webhook-id": id,
        "webhook-timestamp": second,
        "webhook-signature": " ".join(signatures),
    }


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> str:
    """Return a webhook's id if it was signed with the secret in the last five minutes.

    Drop a webhook whose id you have had: an attempt whose answer got lost is repeated.

    Args:
        secret: What both sides know.
        headers: Of the request; their names may be in any case.
        body: Of the request, byte for byte, before anything parsed it.
        now: Seconds since 1970; None: the clock's.

    Raises:
        WrongSignature: It was not, or nobody can tell.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        id = given["webhook-id"]
        second = given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
    except KeyError as err:
        raise WrongSignature(f"there is no header {err}") from err
    if not (second.isascii() and second.isdigit() and len(second) < 12):
        raise WrongSignature("webhook-timestamp is no number of seconds")
    if abs((time.time() if now is None else now) - int(second)) > TOLERANCE:
        raise WrongSignature(
            "webhook-timestamp is more than five minutes away from now"
        )
    # Compared in constant time, and as bytes, since a stranger wrote the others.
    expected = _signature(secret, id, second, body).encode()
    if not any(
        hmac.compare_digest(expected, found.encode(errors="replace"))
        for found in signatures
    ):
        raise WrongSignature("webhook-signature is not of this secret and body")
    return id


def _signature(secret: str, id: str, second: str, body: bytes) -> str:
    content = f"{id}.{second}.".encode(errors="replace") + body
    digest = hmac.new(key_of(secret), content, hashlib.sha256).digest()
    return f"v1,{b64encode(digest).decode()}"
