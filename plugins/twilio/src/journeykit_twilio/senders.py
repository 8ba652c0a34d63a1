"""Who can send an SMS: a number, a short code, or a name of 11 characters."""

from __future__ import annotations

import re

_SENDER = re.compile(r"\+[1-9][0-9]{4,14}|[0-9]{3,8}|[A-Za-z0-9 &+_-]{1,11}")


def is_sender(text: str) -> bool:
    """Return whether Twilio could have a sender of this name."""
    return _SENDER.fullmatch(text) is not None
