"""Which logs are read: the decision log and the event archive, in partitions.

A partition is what is read at once: a file, or the objects of one day in S3. It is got
when its turn comes and let go afterwards, so that logs of any size need little space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from journeykit.engine.calendar import to_ms
from journeykit.errors import InputError

_DAY_MS = 86_400_000
_AT_ONCE = 512 * 1024 * 1024  # bytes of files that are read together

Fetch = Callable[[], AbstractContextManager[Sequence[Path]]]
"""Gets the files of a partition, and lets them go."""


@dataclass(frozen=True)
class Partition:
    """A part of a log.

    Attributes:
        name: What it is called in messages, such as a file's name or a day.
        fetch: Gets its files: lines of JSON, compressed if they end in `.gz`.
        size: Bytes; None: not known before it is got.
    """

    name: str
    fetch: Fetch
    size: int | None = None


@dataclass(frozen=True)
class Logs:
    """What there is to read.

    Attributes:
        decisions: The decision log, oldest first.
        events: The event archive, oldest first; empty where there is none.
        replayed: Whether the events were recorded ones, so that no message had any effect
            on what followed.
        problems: What is known to be missing, a sentence each.
    """

    decisions: Sequence[Partition]
    events: Sequence[Partition] = ()
    replayed: bool = False
    problems: Sequence[str] = field(default_factory=tuple)


def files(paths: Iterable[Path]) -> list[Partition]:
    """Return partitions of files that are there already, several small ones in one.

    Args:
        paths: The files, oldest first.
    """
    found: list[Partition] = []
    together: list[Path] = []
    size = 0
    for path in [*paths, None]:
        more = path.stat().st_size if path is not None else 0
        if together and (path is None or size + more > _AT_ONCE):
            name = together[0].name if len(together) == 1 else f"{together[0].name} …"
            found.append(Partition(name, _these(together), size))
            together, size = [], 0
        if path is not None:
            together.append(path)
            size += more
    return found


def logs_in(
    folder: Path, *, since: int | None = None, until: int | None = None
) -> Logs:
    """Find the logs in a folder: by day as they are in S3, or as on one machine.

    Args:
        folder: Has folders `decisions/day=…` and `events/day=…`, or files
            `decisions*.jsonl` and `events*.jsonl`.
        since: Days before it are left out, milliseconds; None: none.
        until: Days behind it are left out; None: none.

    Raises:
        InputError: There are no decisions in it.
    """
    if not folder.is_dir():
        raise InputError("is no folder", place=str(folder))
    decisions = _by_day(folder / "decisions", since, until)
    events = _by_day(folder / "events", since, until)
    if not decisions:
        decisions = files(_as_on_a_machine(folder, "decisions"))
        events = events or files(_as_on_a_machine(folder, "events"))
        events += files(_as_on_a_machine(folder, "published"))
    if not decisions:
        raise InputError(
            "there are no decisions in it: neither decisions/day=…/ nor decisions*.jsonl",
            place=str(folder),
        )
    return Logs(decisions, events)


def in_days(day: str, since: int | None, until: int | None) -> bool:
    """Tell whether a day, as in `day=2026-11-30`, may hold something of a time.

    What arrives at midnight may be filed a day late, and up to an hour is buffered.
    """
    try:
        at = to_ms(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return False
    return (since is None or at + _DAY_MS > since) and (
        until is None or at < until + _DAY_MS
    )


def _by_day(folder: Path, since: int | None, until: int | None) -> list[Partition]:
    found: list[Partition] = []
    if not folder.is_dir():
        return found
    for day in sorted(folder.glob("day=*")):
        if in_days(day.name.removeprefix("day="), since, until):
            paths = sorted(path for path in day.rglob("*") if path.is_file())
            if paths:
                found.append(Partition(f"{folder.name}/{day.name}", _these(paths)))
    return found


def _as_on_a_machine(folder: Path, name: str) -> list[Path]:
    """The files of a log: those put aside first, by their numbers, then the current."""
    aside = sorted(folder.glob(f"{name}-[0-9]*.jsonl*"))
    return [*aside, *sorted(folder.glob(f"{name}.jsonl*"))]


def _these(paths: Sequence[Path]) -> Fetch:
    @contextmanager
    def fetch() -> Iterator[Sequence[Path]]:
        yield paths

    return fetch
