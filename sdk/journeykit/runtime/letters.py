"""Whom a dead letter is about, though nobody could read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import msgspec

from journeykit.model.identity import spelled

_DEEP = 64  # nothing of ours nests deeper
_WHO = frozenset({"customer", "into", "merged"})  # fields that name a customer


def mentions(
    ids: Collection[str], identifiers: Collection[str], addresses: Collection[str]
) -> Callable[[str], bool]:
    """Make the test whether a text is about people.

    Args:
        ids: Their ids, which count where a customer is named.
        identifiers: Their identifiers, each as `kind:value`.
        addresses: Where messages go to them, which count anywhere: what providers report
            names nothing else.
    """
    written = [part for one in addresses for part in {one, quote(one, safe="")}]
    # Of letters that were cut nothing else can be told.
    written += [f'"customer":{msgspec.json.encode(id).decode()}' for id in ids]
    words = "|".join(re.escape(one) for one in sorted(written, key=len, reverse=True))
    named = re.compile(rf"(?<![\w.+-])(?:{words})(?![\w@-]|\.\w)") if words else None

    def is_about(text: str) -> bool:
        if named is not None and named.search(text):
            return True
        with suppress(msgspec.DecodeError, RecursionError):
            return _names(msgspec.json.decode(text), ids, identifiers, _DEEP)
        return False

    return is_about


def _names(
    value: Any, ids: Collection[str], identifiers: Collection[str], left: int
) -> bool:
    """Whether a JSON value names one of these people anywhere."""
    if isinstance(value, str) and value[:1] == "{" and left:
        # An entry for the bus has its detail as text, and so have other envelopes.
        with suppress(msgspec.DecodeError):
            return _names(msgspec.json.decode(value), ids, identifiers, left - 1)
    if isinstance(value, list) and left:
        return any(_names(one, ids, identifiers, left - 1) for one in value)
    if not isinstance(value, dict) or not left:
        return False
    if any(isinstance(one := value.get(name), str) and one in ids for name in _WHO):
        return True
    said = value.get("identifiers")
    if isinstance(said, dict) and any(
        isinstance(v, str) and f"{k}:{spelled(k, v)}" in identifiers
        for k, v in said.items()
    ):
        return True
    return any(_names(one, ids, identifiers, left - 1) for one in value.values())
