"""What the decision log says: counts by journey, and the decisions about one customer.

The log is read while it is written. A decision may stand in it twice, when whoever wrote
the files died in between, and a line may be half there: the first is dropped by its
number, the second passed over.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from journeykit.engine.calendar import to_ms
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import INSTANTS
from journeykit.local.logs import log_files
from journeykit.ports import Journal

_BLOCK = 1 << 20  # bytes that are read at once: decoded together, lines take a third
_ALL = 1 << 62

T = TypeVar("T")


def decision_blocks(path: Path, journal: Journal) -> Iterator[bytes]:
    """Yield a log, oldest first, in blocks of whole lines.

    Args:
        path: The log's current file.
        journal: What is committed and not in the files.
    """
    # First: a block that gets into the files while they are read is there then.
    latest = [lines for _, lines in journal.journal(_ALL)]
    with contextlib.ExitStack() as stack:
        current = None
        with contextlib.suppress(FileNotFoundError):
            current = stack.enter_context(path.open("rb"))
        # From now on the open file may be put aside, and yet it is the last one.
        for name in log_files(path):
            with name.open("rb") as file:
                if current is None or not _is_same(file, current):
                    yield from _blocks(file)
        if current is not None:
            yield from _blocks(current)
    yield from latest


def _is_same(one: BinaryIO, other: BinaryIO) -> bool:
    return os.path.sameopenfile(one.fileno(), other.fileno())


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the whole lines of a file; what a crash left of one is left out."""
    rest = b""
    while block := file.read(_BLOCK):
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if end:
            yield block[:end]


def _decoded(decoder: msgspec.json.Decoder[T], block: bytes) -> Iterable[T]:
    """The lines of a block; those that are damaged are passed over."""
    try:
        return decoder.decode_lines(block)
    except msgspec.DecodeError:
        return _decodable(decoder, block)


def _decodable(decoder: msgspec.json.Decoder[T], block: bytes) -> Iterator[T]:
    for line in block.splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            yield decoder.decode(line)


def begins_at_the_start(path: Path) -> bool:
    """Whether no file of a log was taken away."""
    names = [file.stem for file in log_files(path)]
    numbers = [int(name[len(path.stem) + 1 :]) for name in names if name != path.stem]
    return numbers == list(range(1, len(numbers) + 1))


COUNTED = frozenset(
    [
        "entered",
        "held_out",
        "completed",
        "exited",
        "failed",
        "goal",
        "sent",
        "suppressed",
        "undelivered",
    ]
)
"""The kinds of decisions that are counted by journey and reason."""


class Totals(msgspec.Struct):
    """What the log says in numbers.

    Attributes:
        counts: How often something was decided: journey, kind and reason to number.
        cut: How many reactions decided more than a trace holds, so that it lacks some.
    """

    counts: Counter[tuple[str, str, str]]
    cut: int

    def by_reason(self, journey: str, kind: str) -> dict[str, int]:
        """How often something was decided for a journey, by reason."""
        return {
            reason: count
            for (whose, what, reason), count in sorted(self.counts.items())
            if (whose, what) == (journey, kind)
        }


class _Counted(msgspec.Struct, gc=False):
    """Of a line, what is counted by."""

    customer: str
    revision: int
    n: int
    kind: str
    journey: str = ""
    reason: str = ""


def totals(blocks: Iterable[bytes], until: Mapping[str, int]) -> Totals:
    """Count decisions, each once.

    Args:
        blocks: The log.
        until: Customer to the revision of the document that the counts are to go with:
            what was decided after that, or about others, isn't counted.
    """
    decoder = msgspec.json.Decoder(_Counted)
    counts: Counter[tuple[str, str, str]] = Counter()
    latest: dict[str, tuple[int, int]] = {}
    cut = 0
    for block in blocks:
        for found in _decoded(decoder, block):
            kind = found.kind
            # Below 0 are those that changed nothing.
            if found.n < 0 or (kind not in COUNTED and kind != "forgotten"):
                continue
            customer, number = found.customer, (found.revision, found.n)
            if found.revision > until.get(customer, -1):
                continue
            # Those about one customer are in order, unless they come once more.
            if latest.get(customer, (0, -1)) >= number:
                continue
            latest[customer] = number
            if kind == "forgotten":
                cut += found.reason == "trace"
            else:
                counts[found.journey, kind, found.reason] += 1
    return Totals(counts, cut)


class _Decided(msgspec.Struct, gc=False):
    """A line, whole."""

    customer: str
    revision: int
    n: int
    at: datetime
    kind: str
    event: str = ""
    source: str = ""
    journey: str = ""
    version: int = 0
    enrollment: str = ""
    step: str = ""
    reason: str = ""
    test: bool = False
    detail: dict[str, Any] = {}


def decisions_about(blocks: Iterable[bytes], log_id: str) -> Iterator[TraceEntry]:
    """Yield the decisions about one customer, each once, in their order."""
    decoder = msgspec.json.Decoder(_Decided)
    name = log_id.encode()
    seen: set[tuple[int, int, str, str]] = set()
    for block in blocks:
        if name not in block:
            continue
        own = b"".join(line for line in block.splitlines(keepends=True) if name in line)
        for found in _decoded(decoder, own):
            # Those that changed nothing share a revision, and are told by their event.
            key = (found.event, found.source) if found.n < 0 else ("", "")
            number = (found.revision, found.n, *key)
            if found.customer != log_id or number in seen:
                continue
            seen.add(number)
            yield TraceEntry(
                found.kind,
                to_ms(found.at),
                found.journey,
                found.version,
                found.enrollment,
                found.step,
                found.reason,
                _with_instants(found.detail),
                found.test,
            )


def _with_instants(detail: dict[str, Any]) -> dict[str, Any]:
    """The detail as it was decided: instants are numbers there, and text in the log."""
    if INSTANTS.isdisjoint(detail):
        return detail
    known = dict(detail)
    for name in INSTANTS & detail.keys():
        with contextlib.suppress(TypeError, ValueError):
            known[name] = to_ms(datetime.fromisoformat(detail[name]))
    return known
