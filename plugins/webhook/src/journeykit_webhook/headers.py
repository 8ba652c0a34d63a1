"""Which headers an operator may add, and what they may say."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_OURS = re.compile(
    "webhook-.*|content-.*|host|idempotency-key|connection|transfer-encoding",
    re.IGNORECASE,
)


def check_name(name: str) -> None:
    """Refuse what can't be a header's name, and the channel's own headers.

    Raises:
        ValueError: It may not be set.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be a header's name")
    if _OURS.fullmatch(name):
        raise ValueError(f"{name!r} is set by the channel itself")


def check_value(value: str) -> None:
    """Refuse what can't be a header's value; the message doesn't quote it.

    Raises:
        ValueError: It would be another header, or none.
    """
    if not _VALUE.fullmatch(value):
        raise ValueError("a header's value is printable ASCII, in one line")
