"""Counts by journey and day, out of the lines of a decision log: what `watch` goes by.

A log is counted part by part: a file, or a day in S3. What a part comes to is small, is
kept, and never counted again as long as the part stays as it is; parts add up. A day is
one of UTC, and a decision belongs to that on which it was made (`now`), so that what has
been counted doesn't change when somebody's events come late.

Which share of a day's entries has reached a goal within so many days can't be told from
counts. Each day keeps samples of the runs that entered, and of those that reached a goal:
those with the smallest numbers, which are as good as drawn by lot, since a run's id is a
hash. Of two such samples, what is below the lower one's limit is the same sample of runs
in both (E. Cohen and H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007,
doi:10.1145/1281100.1281133). Up to `SAMPLE` runs a day it is all of them.
"""

from __future__ import annotations

import base64
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

SCHEMA = 1
SAMPLE = 512
"""Runs of a journey and day that are kept one by one."""

_REASONS = 50  # of one kind, by journey and day; what there is beside them is "other"
_OTHER = "other"
_BYTES = 5  # of a run's number: two of 512 are the same in one of 8 million days
_COUNTED = frozenset(
    {
        *("entered", "held_out", "completed", "exited", "failed", "goal"),
        *("sent", "suppressed", "undelivered"),
    }
)


class Sample(msgspec.Struct, frozen=True):
    """Runs of a day, or those with the smallest numbers of them.

    Attributes:
        runs: Their numbers in order, 5 bytes each, in Base64.
        is_cut: Whether there are more.
    """

    runs: str = ""
    is_cut: bool = False

    @classmethod
    def of(cls, numbers: Iterable[int], *, is_cut: bool = False) -> Sample:
        """Keep the smallest of these numbers."""
        kept = sorted(set(numbers))
        is_cut = is_cut or len(kept) > SAMPLE
        raw = b"".join(one.to_bytes(_BYTES, "big") for one in kept[:SAMPLE])
        return cls(base64.b64encode(raw).decode(), is_cut)

    def numbers(self) -> Sequence[int]:
        """Return the numbers, the smallest first."""
        return _numbers(self.runs)

    def plus(self, other: Sample) -> Sample:
        """Return the sample of both together."""
        mine, theirs = self.numbers(), other.numbers()
        limit = min(_limit(self, mine), _limit(other, theirs))
        is_cut = self.is_cut or other.is_cut
        both = (one for one in (*mine, *theirs) if one <= limit)
        return Sample.of(both, is_cut=is_cut)


@lru_cache(maxsize=512)  # a journey's days are asked again and again
def _numbers(runs: str) -> tuple[int, ...]:
    raw = base64.b64decode(runs)
    return tuple(
        int.from_bytes(raw[i : i + _BYTES], "big") for i in range(0, len(raw), _BYTES)
    )


_NO_LIMIT = 1 << 8 * _BYTES


def _limit(sample: Sample, numbers: Sequence[int]) -> int:
    """Up to which number a sample holds all runs."""
    return numbers[-1] if sample.is_cut and numbers else _NO_LIMIT


class JourneyDay(msgspec.Struct, omit_defaults=True):
    """What happened in a journey on one day. Test traffic is left out.

    Attributes:
        counts: How often: by kind of decision, then by reason; of `goal` by goal, of
            `sent` by channel. Held-out runs count as `held_out` only.
        versions: Entries by version.
        entered: The runs that entered and are treated.
        reached: The runs that reached a goal, by goal.
    """

    counts: dict[str, dict[str, int]] = {}
    versions: dict[str, int] = {}
    entered: Sample = Sample()
    reached: dict[str, Sample] = {}

    def count(self, kind: str, reason: str | None = None) -> int:
        """How often a kind of decision was made; of one reason, or of all."""
        known = self.counts.get(kind, {})
        return sum(known.values()) if reason is None else known.get(reason, 0)

    def plus(self, other: JourneyDay) -> JourneyDay:
        """Return what happened in both."""
        counts = {kind: dict(known) for kind, known in self.counts.items()}
        for kind, known in other.counts.items():
            _add(counts.setdefault(kind, {}), known)
        versions = dict(self.versions)
        _add(versions, other.versions)
        reached = dict(self.reached)
        for goal, sample in other.reached.items():
            reached[goal] = reached.get(goal, Sample()).plus(sample)
        return JourneyDay(counts, versions, self.entered.plus(other.entered), reached)


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


class Day(msgspec.Struct, omit_defaults=True):
    """What happened on one day.

    Attributes:
        journeys: By journey.
        decisions: How many decisions there were about anything.
    """

    journeys: dict[str, JourneyDay] = {}
    decisions: int = 0

    def plus(self, other: Day) -> Day:
        """Return what happened in both."""
        journeys = dict(self.journeys)
        for name, more in other.journeys.items():
            journeys[name] = journeys[name].plus(more) if name in journeys else more
        return Day(journeys, self.decisions + other.decisions)


class Counts(msgspec.Struct, omit_defaults=True):
    """What a part of a log comes to.

    Attributes:
        days: By day, `2026-11-30`.
        damaged: Lines that can't be read.
        repeated: Decisions that stood in it more than once; they count once.
        cut: Reactions that decided more than a trace holds, so that it lacks some.
        tests: Decisions about test traffic, which count nowhere else.
        schema: The number of this form.
    """

    days: dict[str, Day] = {}
    damaged: int = 0
    repeated: int = 0
    cut: int = 0
    tests: int = 0
    schema: int = SCHEMA

    def plus(self, other: Counts) -> Counts:
        """Return what both come to."""
        days = dict(self.days)
        for name, more in other.days.items():
            days[name] = days[name].plus(more) if name in days else more
        return Counts(
            days,
            self.damaged + other.damaged,
            self.repeated + other.repeated,
            self.cut + other.cut,
            self.tests + other.tests,
        )

    def encoded(self) -> bytes:
        """Return it as JSON."""
        return _encode(self)

    @classmethod
    def decoded(cls, text: bytes) -> Counts | None:
        """Read it; None: it is damaged, or of another release, and is to be made anew."""
        try:
            found = _decoder.decode(text)
        except (msgspec.DecodeError, ValueError):
            return None
        return found if found.schema == SCHEMA else None


_encode = msgspec.json.Encoder(order="deterministic").encode
_decoder = msgspec.json.Decoder(Counts)


class Part(Protocol):
    """A part of a log that is counted at once: a file, or a day in S3.

    What was counted of it holds as long as it is in the same `state`; if that is empty,
    it is counted each time.
    """

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def state(self) -> str:
        """Which state it is in."""
        ...

    def blocks(self) -> Iterator[bytes]:
        """Yield its lines, whole, some megabytes at once."""
        ...


class _Detail(msgspec.Struct, gc=False):
    channel: str = ""
    held: Any = None


class _Line(msgspec.Struct, gc=False):
    customer: str
    revision: int
    n: int
    now: str
    kind: str
    journey: str = ""
    version: int = 0
    enrollment: str = ""
    reason: str = ""
    event: str = ""
    source: str = ""
    test: bool = False
    detail: _Detail | None = None


class _Kept:
    """The runs with the smallest numbers so far."""

    __slots__ = ("_runs", "is_cut")

    def __init__(self) -> None:
        self._runs: set[int] = set()
        self.is_cut = False

    def add(self, run: int) -> None:
        self._runs.add(run)
        if len(self._runs) >= 8 * SAMPLE:
            self._runs = set(sorted(self._runs)[:SAMPLE])
            self.is_cut = True

    def sample(self) -> Sample:
        return Sample.of(self._runs, is_cut=self.is_cut)


class Counter:
    """Counts the lines of one part, each decision once.

    What comes twice is told by customer, revision and number, and by the event where the
    number is below 0. 8 bytes are kept of each decision until it is done.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._seen: dict[tuple[str, str, str, str], array[int]] = {}
        self._all: dict[str, int] = {}
        self._versions: dict[tuple[str, str, int], array[int]] = {}
        self._entered: dict[tuple[str, str], _Kept] = {}
        self._reached: dict[tuple[str, str, str], _Kept] = {}
        self._damaged = self._cut = self._tests = 0
        self._decoder = msgspec.json.Decoder(_Line)

    def read(self, block: bytes) -> None:
        """Count whole lines."""
        try:
            lines: Iterable[_Line] = self._decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            lines = self._readable(block)
        for line in lines:
            self._count(line)

    def _readable(self, block: bytes) -> Iterator[_Line]:
        for line in block.splitlines():
            try:
                yield self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._damaged += 1

    def _count(self, line: _Line) -> None:
        if line.test:
            self._tests += 1
            return
        day = line.now[:10] if line.now[-1:] == "Z" else _day_of(line.now)
        if not day:
            self._damaged += 1
            return
        self._all[day] = self._all.get(day, 0) + 1
        kind, journey = line.kind, line.journey
        if kind not in _COUNTED or not journey:
            self._cut += kind == "forgotten" and line.reason == "trace"
            return
        reason, detail = line.reason, line.detail
        if kind == "sent":
            if detail is not None and detail.held is not None:
                return  # it was released before, and came back
            reason = detail.channel if detail is not None else ""
        event = (line.event, line.source) if line.n < 0 else None
        number = hash((line.customer, line.revision, line.n, event))
        self._numbers(self._seen, (day, journey, kind, reason)).append(number)
        if kind == "entered":
            version = (day, journey, line.version)
            self._numbers(self._versions, version).append(number)
            self._entered.setdefault((day, journey), _Kept()).add(_run(line.enrollment))
        elif kind == "goal":
            key = (day, journey, reason)
            self._reached.setdefault(key, _Kept()).add(_run(line.enrollment))

    @staticmethod
    def _numbers(of: dict[Any, array[int]], key: Any) -> array[int]:
        found = of.get(key)
        if found is None:
            found = of[key] = array("q")
        return found

    def counts(self) -> Counts:
        """Return what it comes to."""
        days = {day: Day(decisions=count) for day, count in self._all.items()}
        repeated = 0
        for (day, name, kind, reason), numbers in sorted(self._seen.items()):
            count = _distinct(numbers)
            repeated += len(numbers) - count
            journey = days[day].journeys.setdefault(name, JourneyDay(counts={}))
            known = journey.counts.setdefault(kind, {})
            if len(known) >= _REASONS and reason not in known:
                reason = _OTHER
            known[reason] = known.get(reason, 0) + count
        for (day, name, version), numbers in sorted(self._versions.items()):
            journey = days[day].journeys[name]
            journey.versions = {**journey.versions, str(version): _distinct(numbers)}
        for (day, name), kept in self._entered.items():
            days[day].journeys[name].entered = kept.sample()
        for (day, name, goal), kept in sorted(self._reached.items()):
            journey = days[day].journeys[name]
            if len(journey.reached) < _REASONS:
                journey.reached = {**journey.reached, goal: kept.sample()}
        return Counts(
            dict(sorted(days.items())), self._damaged, repeated, self._cut, self._tests
        )


def counted(part: Part) -> Counts:
    """Count a part of a log."""
    counter = Counter()
    for block in part.blocks():
        counter.read(block)
    return counter.counts()


_SOME = 1_000_000


def _distinct(numbers: array[int]) -> int:
    """How many different ones there are; a set of all could take all memory."""
    if len(numbers) <= _SOME:
        return len(set(numbers))
    pieces = -(-len(numbers) // _SOME)
    return sum(
        len({one for one in numbers if one % pieces == piece})
        for piece in range(pieces)
    )


def _run(enrollment: str) -> int:
    """A run's number: the first bytes of its id, which is a hash."""
    with suppress(ValueError):
        return int(enrollment[: 2 * _BYTES], 16)
    return 0


def _day_of(instant: str) -> str:
    try:
        return datetime.fromisoformat(instant).astimezone(UTC).date().isoformat()
    except ValueError:
        return ""


class Cohort(msgspec.Struct, frozen=True):
    """Of the runs that entered on one day, how many reached a goal in time.

    Attributes:
        entered: How many runs are looked at.
        reached: How many of them reached it.
    """

    entered: int
    reached: int


def cohort(
    days: Mapping[date, Day], journey: str, goal: str, *, on: date, within: int
) -> Cohort:
    """Say how many of a day's runs reached a goal on that day or so many days after.

    Args:
        days: At least those from `on` to so many days after.
        journey: The journey's id.
        goal: The goal's id.
        on: The day on which they entered.
        within: How many days after it count, too.
    """
    first = days.get(on)
    own = first.journeys.get(journey) if first is not None else None
    if own is None:
        return Cohort(0, 0)
    runs = own.entered.numbers()
    limit = _limit(own.entered, runs)
    reached: set[int] = set()
    for later in range(within + 1):
        found = days.get(date.fromordinal(on.toordinal() + later))
        known = found.journeys.get(journey) if found is not None else None
        sample = known.reached.get(goal) if known is not None else None
        if sample is not None:
            numbers = sample.numbers()
            limit = min(limit, _limit(sample, numbers))
            reached.update(numbers)
    of = bisect_right(runs, limit)
    return Cohort(of, sum(one in reached for one in runs[:of]))
