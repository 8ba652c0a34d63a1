"""API keys of one machine, from a variable or a file; known by their hashes only."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from journeykit.errors import InputError
from journeykit.http.keys import digest_of

VARIABLE = "JOURNEYKIT_API_KEYS"

SHORTEST = 16
"""Characters of a key: of random ones, as many can't be guessed over a network."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_KEY = re.compile(r"[!-+\--9;-~]+")  # visible ASCII without a comma or a colon
_HASH = re.compile(r"[0-9a-fA-F]{64}")


class Keys:
    """The keys that are known, by their names.

    A key is random and long, so its plain SHA-256 tells nothing about it.
    """

    def __init__(self, hashes: Mapping[str, bytes] | None = None) -> None:
        """Know the SHA-256 digests of some keys, by the keys' names."""
        self._hashes = MappingProxyType(dict(hashes or {}))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Keys:
        """Take the keys of `JOURNEYKIT_API_KEYS`: `KEY` or `NAME:KEY`, comma between.

        Raises:
            InputError: One can't be a key; the message has its number, never the key.
        """
        found: dict[str, bytes] = {}
        entries = [entry.strip() for entry in environ.get(VARIABLE, "").split(",")]
        for number, entry in enumerate(filter(None, entries), 1):
            name, colon, key = entry.rpartition(":")
            if not colon:
                name = f"key-{number}"
            place = f"{VARIABLE}, entry {number}"
            if len(key) < SHORTEST or not _KEY.fullmatch(key):
                raise InputError(
                    f"a key has at least {SHORTEST} visible ASCII characters, and no "
                    f"comma or colon among them",
                    place=place,
                )
            _add(found, name, digest_of(key), place)
        return cls(found)

    @classmethod
    def from_file(cls, path: Path) -> Keys:
        """Take the keys of a file of lines `NAME:SHA256`; `#` begins a comment.

        Raises:
            InputError: The file can't be read, holds no key, or a line is none of these.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise InputError(f"can't read: {reason}", place=str(path)) from error
        found: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            entry = line.partition("#")[0].strip()
            if not entry:
                continue
            name, _, digest = entry.rpartition(":")
            place = f"{path}:{number}"
            if not _HASH.fullmatch(digest):
                raise InputError(
                    "a line is NAME:SHA256, the key's hash as 64 hexadecimal digits",
                    place=place,
                )
            _add(found, name, bytes.fromhex(digest), place)
        if not found:  # whoever names a file means to have keys
            raise InputError("there is no key in it", place=str(path))
        return cls(found)

    def __len__(self) -> int:
        """How many there are; none: nobody is asked for one."""
        return len(self._hashes)

    def name_of(self, key: str) -> str | None:
        """Return the name of a key; None: it is unknown."""
        digest = digest_of(key)
        found = None
        # All are compared, whole, so that the time taken tells nothing.
        for name, known in self._hashes.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _add(found: dict[str, bytes], name: str, digest: bytes, place: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            "a key's name has up to 64 letters, digits, hyphens and underscores",
            place=place,
        )
    if name in found:
        raise InputError(f"there is a key {name!r} before this one", place=place)
    found[name] = digest
