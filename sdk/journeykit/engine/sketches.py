"""Counting different values without keeping them: in little room, and about right.

Both kinds here are the same whatever the order in which the values came, and two of one
kind can be united: that is what traits need, which learn of late events late, and of two
customers that they are one.

`Registers` counts for all time. It is HyperLogLog (Flajolet and others 2007) with the
estimator of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
(https://arxiv.org/abs/1702.01284, algorithm 6), which needs no table of corrections and
is as good for few values as for many.

`Sample` counts in a window that slides. It keeps those values whose hash ends in enough
zero bits, each with the instant when it was last seen: adaptive sampling (Flajolet 1990,
after Wegman). Of what it had to drop it knows, for each number of zero bits, until when
that counts; so it is exact again as soon as a crowd has passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

_BITS = 9
_REGISTERS = 1 << _BITS
_REST = 64 - _BITS  # bits of a hash in which zeros are counted

# A register holds at most 56, so one of 64 characters stands for it.
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}

_EMPTY = "0" * _REGISTERS

REGISTERS_BYTES = _REGISTERS + 2
"""What the text of `Registers` takes as JSON."""
REGISTERS_ERROR = 1.04 / math.sqrt(_REGISTERS)
"""The standard error of `registers_estimate`, as a share: under 5 percent."""


def value_hash(text: str) -> int:
    """64 bits that stand for a value."""
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def registers(hashes: Iterable[int], known: str = "") -> str:
    """Add values to registers; the same text if nothing is new to them.

    Args:
        hashes: What stands for the values.
        known: The registers so far; empty: none.
    """
    text = known or _EMPTY
    higher: dict[int, int] = {}
    for hash in hashes:
        index, rest = hash >> _REST, hash & ((1 << _REST) - 1)
        rank = _REST - rest.bit_length() + 1
        if rank > higher.get(index, _VALUES[text[index]]):
            higher[index] = rank
    if not higher:
        return text
    held = list(text)
    for index, rank in higher.items():
        held[index] = _DIGITS[rank]
    return "".join(held)


def registers_united(mine: str, theirs: str) -> str:
    """The registers of all values of both."""
    return "".join(
        a if _VALUES[a] >= _VALUES[b] else b for a, b in zip(mine, theirs, strict=True)
    )


def registers_estimate(text: str) -> int:
    """How many different values there were, within about 5 percent."""
    counts = [0] * (_REST + 2)
    for digit in text:
        counts[_VALUES[digit]] += 1
    m = float(_REGISTERS)
    z = m * _tau(1 - counts[_REST + 1] / m)
    for count in reversed(counts[1 : _REST + 1]):
        z = 0.5 * (z + count)
    z += m * _sigma(counts[0] / m)
    return round(m * m / (2 * math.log(2) * z))


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x, before = x * x, z
        z, y = z + x * y, y + y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x, before = math.sqrt(x), z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3


_RANKS = 32
"""Zero bits that are told apart: at 32 of them a value stands for four billion."""


class Sample:
    """Different values in a window that slides, each with when it was last seen.

    Attributes:
        seen: Hash to the latest instant, milliseconds.
        lost: For each number of zero bits, the latest instant of a value that had as many
            and was dropped; 0: none was.
    """

    __slots__ = ("_most", "lost", "seen")

    def __init__(self, state: list[Any] | None, *, most: int) -> None:
        """Read a state, which stays as it is.

        Args:
            state: What `state` gave.
            most: How many values are kept.
        """
        pairs, lost = state if state else ([], [])
        self.seen: dict[int, int] = dict(pairs)
        self.lost: list[int] = list(lost)
        self._most = most

    def state(self) -> list[Any]:
        """As JSON values: the same for the same values, whatever their order."""
        pairs = sorted(self.seen.items(), key=lambda pair: (pair[1], pair[0]))
        return [[list(pair) for pair in pairs], self.lost]

    def add(self, hash: int, at: int) -> None:
        """A value was seen at an instant."""
        self.seen[hash] = max(at, self.seen.get(hash, at))
        while len(self.seen) > self._most:
            ranks = {_rank(hash) for hash in self.seen}
            # Those don't count at the moment; they only stand by for when they do.
            self._drop(min(ranks & self._incomplete() or ranks))

    def forget(self, is_over: Callable[[int], bool]) -> None:
        """Drop what is not in the window any more."""
        if any(map(is_over, self.seen.values())):
            self.seen = {h: at for h, at in self.seen.items() if not is_over(at)}
        if self.lost:
            self.lost = [at if at and not is_over(at) else 0 for at in self.lost]
            while self.lost and not self.lost[-1]:
                self.lost.pop()

    def unite(self, other: Sample) -> None:
        """Take in what another one has seen."""
        for rank, at in enumerate(other.lost):
            if at:
                self._drop(rank, at)
        for hash, at in other.seen.items():
            self.add(hash, at)

    def estimate(self) -> int:
        """How many different values there are; exact where none was dropped."""
        lost = self._incomplete()
        if not lost:
            return len(self.seen)
        # Of all values, the share that has so many zero bits and is kept.
        share = 1 - sum(map(_share, lost))
        counted = sum(_rank(hash) not in lost for hash in self.seen)
        return round(counted / share) if share > 0 else len(self.seen)

    def _incomplete(self) -> set[int]:
        """The numbers of zero bits of which something that counts was dropped."""
        return {rank for rank, at in enumerate(self.lost) if at}

    def _drop(self, rank: int, at: int = 0) -> None:
        """Let go of all values with so many zero bits."""
        while len(self.lost) <= rank:
            self.lost.append(0)
        gone = [hash for hash in self.seen if _rank(hash) == rank]
        self.lost[rank] = max(self.lost[rank], at, *(self.seen.pop(h) for h in gone), 1)


def _rank(hash: int) -> int:
    return min((hash & -hash).bit_length() - 1 if hash else _RANKS, _RANKS)


def _share(rank: int) -> float:
    return 2.0**-rank if rank == _RANKS else 2.0 ** -(rank + 1)
