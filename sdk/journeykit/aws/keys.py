"""Who writes, by the API key: looked up by its hash, and remembered for a minute.

So no time that a look takes tells anything about a key. What was found counts for a
minute, and so does that nothing was: for so long a key that was revoked goes on to work.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from journeykit.aws.api_keys import ApiKey
from journeykit.errors import InputError
from journeykit.http.keys import Writer, digest_of

PREFIX = "jk_"
"""What every key begins with, so that scanners for leaked secrets know one."""

REMEMBERED_S = 60

_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST = 1_000  # of those that are known, and as many of those that are not


def new_key() -> str:
    """Return a key that nobody has: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def checked_name(name: str) -> str:
    """Return a name for a key, which stands in the log.

    Raises:
        InputError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a key's name has up to 64 letters, digits, hyphens and underscores, and "
            f"{name!r:.80} doesn't"
        )
    return name


class Kept(Protocol):
    """Where keys are kept."""

    def find(self, digest: str) -> ApiKey | None:
        """Return the key of a hash; None: there is none."""
        ...


class KnownKeys:
    """Looks keys up, and remembers for a minute what came of it."""

    def __init__(
        self, kept: Kept, *, clock: Callable[[], int] = lambda: int(time.time() * 1000)
    ) -> None:
        """Remember nothing yet.

        Args:
            kept: Where they are looked up.
            clock: What time it is, milliseconds.
        """
        self._kept = kept
        self._clock = clock
        # Apart, so that a flood of wrong keys doesn't drive out the right ones.
        self._known: dict[bytes, tuple[int, ApiKey | None]] = {}
        self._unknown: dict[bytes, tuple[int, ApiKey | None]] = {}

    def writer_of(self, key: str) -> Writer | None:
        """Return whose a key is; None: nobody's, or it has expired.

        Raises:
            StoreError: It can't be looked up now.
        """
        if not _SHAPE.fullmatch(key):  # costs nobody a look
            return None
        found = self._found(digest_of(key))
        if found is None or not found.is_good(self._clock()):
            return None
        return Writer(found.name, found.scopes)

    def _found(self, digest: bytes) -> ApiKey | None:
        now = self._clock()
        until, found = self._known.get(digest) or self._unknown.get(digest, (0, None))
        if now < until:
            return found
        found = self._kept.find(digest.hex())
        if found and not hmac.compare_digest(found.digest, digest.hex()):
            found = None
        self._known.pop(digest, None)
        place = self._unknown if found is None else self._known
        if len(place) >= _MOST:
            place.clear()
        place[digest] = (now + REMEMBERED_S * 1000, found)
        return found
