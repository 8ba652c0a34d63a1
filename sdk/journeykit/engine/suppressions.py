"""Addresses to which nothing goes, whoever has them.

What a bounce or a complaint says about an address stands in the document of its customer.
This list is for what comes from elsewhere: the suppressions of the system before, of a
provider, of a register that nobody may be called from. Of most such addresses no customer
is known, yet, so they are nobody's document; and since the engine alone decides, they are
an input of it, published with the catalog.

It holds no address, only `ids.address_key` of each, sorted, in 19 bytes:

    format 1 · length of the header (4 bytes, big-endian) · header, JSON
    n keys of 12 bytes, ascending
    zlib(n channels of 1 byte · n reasons of 2 bytes · n instants of 4 bytes, seconds)

Channels and reasons are numbers of those that the header names.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from journeykit.engine.limits import SUPPRESSIONS
from journeykit.errors import InputError

_FORMAT = 1
_HEAD = struct.Struct(">BI")
_KEY = 12
_COLUMNS = 7  # bytes of one address besides its key
_REASONS = 1000  # a reason is a kind, and no remark
_INSTANTS = 2**32  # seconds; from 2106 on it takes another format


class Suppression(NamedTuple):
    """One address to which nothing goes.

    Attributes:
        key: `ids.address_key` of its channel and its spelling there.
        channel: The channel's name.
        reason: Why, as a name.
        at: Since when, milliseconds; to the second.
    """

    key: str
    channel: str
    reason: str
    at: int


class _Header(msgspec.Struct):
    channels: list[str]
    reasons: list[str]
    count: int


class SuppressionList:
    """Which addresses nothing goes to. It does not change: `with_` makes another one."""

    def __init__(self, items: Iterable[Suppression] = ()) -> None:
        """Take the addresses; of one that is named twice the later suppression.

        Raises:
            InputError: They are too many.
        """
        latest: dict[bytes, Suppression] = {}
        for item in items:
            key = bytes.fromhex(item.key)
            known = latest.get(key)
            if known is None or known.at < item.at:
                latest[key] = item
        if len(latest) > SUPPRESSIONS:
            raise InputError(
                f"{len(latest):,} addresses are more than the {SUPPRESSIONS:,} that a "
                "list may have; those of people who are customers can be suppressed one "
                "by one instead, by events address.suppressed"
            )
        if len({item.reason for item in latest.values()}) > _REASONS:
            raise InputError(f"more than {_REASONS} reasons are none: name fewer")
        ordered = [latest[key] for key in sorted(latest)]
        self._keys = b"".join(sorted(latest))
        self._channels = sorted({item.channel for item in ordered})
        self._reasons = sorted({item.reason for item in ordered})
        channels = {name: n for n, name in enumerate(self._channels)}
        reasons = {name: n for n, name in enumerate(self._reasons)}
        self._of = bytes(channels[item.channel] for item in ordered)
        self._why = [reasons[item.reason] for item in ordered]
        self._since = [max(0, min(item.at // 1000, _INSTANTS - 1)) for item in ordered]

    def __len__(self) -> int:
        """How many addresses there are."""
        return len(self._of)

    def __iter__(self) -> Iterator[Suppression]:
        """All of them, by their keys."""
        for n in range(len(self)):
            yield self._item(n)

    def get(self, key: str) -> Suppression | None:
        """What is known of an address; None: something may go to it."""
        wanted, keys = bytes.fromhex(key), self._keys
        low, high = 0, len(self._of)
        while low < high:  # about a microsecond for a thousand, three for all
            middle = (low + high) // 2
            found = keys[middle * _KEY : middle * _KEY + _KEY]
            if found == wanted:
                return self._item(middle)
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return None

    def _item(self, n: int) -> Suppression:
        return Suppression(
            self._keys[n * _KEY : n * _KEY + _KEY].hex(),
            self._channels[self._of[n]],
            self._reasons[self._why[n]],
            self._since[n] * 1000,
        )

    def with_(self, items: Iterable[Suppression]) -> SuppressionList:
        """The list with more; one that is there stays unless the other is later."""
        return SuppressionList([*self, *items])

    def without(self, keys: Collection[str]) -> SuppressionList:
        """The list without some."""
        gone = frozenset(keys)
        return SuppressionList(item for item in self if item.key not in gone)

    @property
    def by_reason(self) -> Mapping[tuple[str, str], int]:
        """How many there are by channel and reason."""
        counts: dict[tuple[str, str], int] = {}
        for channel, reason in zip(self._of, self._why, strict=True):
            name = self._channels[channel], self._reasons[reason]
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))

    def to_bytes(self) -> bytes:
        """Write the list; equal lists are equal bytes."""
        count = len(self)
        header = msgspec.json.encode(_Header(self._channels, self._reasons, count))
        columns = (
            self._of
            + struct.pack(f">{count}H", *self._why)
            + struct.pack(f">{count}I", *self._since)
        )
        return b"".join(
            [
                _HEAD.pack(_FORMAT, len(header)),
                header,
                self._keys,
                zlib.compress(columns, 6),
            ]
        )

    @classmethod
    def from_bytes(cls, body: bytes) -> SuppressionList:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: It is damaged, or of a later release. Nothing may be sent then:
                nobody knows to whom.
        """
        try:
            format, length = _HEAD.unpack_from(body)
            if format != _FORMAT:
                raise ValueError(f"format {format} is of a later release")
            start = _HEAD.size + length
            header = msgspec.json.decode(body[_HEAD.size : start], type=_Header)
            count = header.count
            if not 0 <= count <= SUPPRESSIONS:
                raise ValueError(f"{count} addresses are too many")
            end = start + count * _KEY
            read = zlib.decompressobj()
            columns = read.decompress(body[end:], _COLUMNS * count + 1)
            if len(columns) != _COLUMNS * count or end > len(body):
                raise ValueError("it is cut off, or something is behind it")
            self = cls()
            self._keys = body[start:end]
            self._channels, self._reasons = header.channels, header.reasons
            self._of = columns[:count]
            self._why = list(struct.unpack(f">{count}H", columns[count : 3 * count]))
            self._since = list(struct.unpack(f">{count}I", columns[3 * count :]))
            if count and (
                max(self._of) >= len(self._channels)
                or max(self._why) >= len(self._reasons)
            ):
                raise ValueError("it names what its header doesn't")
        except (struct.error, zlib.error, msgspec.DecodeError) as error:
            raise ValueError(f"it is no list of suppressions: {error}") from error
        return self

    @property
    def id(self) -> str:
        """What the published list is called: SHA-256 of its bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


EMPTY = SuppressionList()
