"""What has been kept for long enough goes, where one process runs everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from journeykit.engine.calendar import to_datetime
from journeykit.local.erasing import Eraser
from journeykit.local.logs import LogFile, remove_lines
from journeykit.ports import DeadLetters, Job, Scan
from journeykit.runtime.privacy import MOST
from journeykit.runtime.retention import over
from journeykit.workspace.retention import RetentionSettings

RETAIN = "retain"
"""Why a job is there: what has been kept for long enough is to go."""

_LETTERS = 1000  # at once

LOGS: Mapping[str, Sequence[str]] = {
    "events": ("events.jsonl", "published.jsonl"),
    "decisions": ("decisions.jsonl",),
}
"""Which files hold what a setting is about."""


class Kept(Scan, DeadLetters, Protocol):
    """What is needed of a store."""


class Retained(NamedTuple):
    """What went, or would go.

    Attributes:
        customers: Who.
        events: How many lines of the event archive.
        decisions: How many lines of the decision log.
        dead_letters: How many.
    """

    customers: Sequence[str] = ()
    events: int = 0
    decisions: int = 0
    dead_letters: int = 0


class Retainer:
    """Lets go what has been kept for long enough, in the one process that writes the logs."""

    def __init__(
        self,
        store: Kept,
        eraser: Eraser,
        logs: Mapping[str, Sequence[LogFile]],
        settings: RetentionSettings,
    ) -> None:
        """Join the parts.

        Args:
            store: The database.
            eraser: Forgets people.
            logs: The log files, by the setting that is about them.
            settings: For how long what is kept.
        """
        self._store = store
        self._eraser = eraser
        self._logs = logs
        self._settings = settings

    @property
    def has_to(self) -> bool:
        """Whether anything ends at all."""
        return self._settings.says_something

    def run(self, *, now: int, looking: bool = False) -> Retained:
        """Let go.

        Args:
            now: The clock, milliseconds.
            looking: Whether only to say what would go.

        Raises:
            StoreError: Not all that is over is gone; the same again does the rest.
        """
        said = self._settings
        people: list[str] = []
        if said.customers is not None:
            people = [*over(self._store, before=now - said.customers)]
            if not looking:
                for start in range(0, len(people), MOST):
                    self._eraser.erase(people[start : start + MOST])
        return Retained(
            people,
            self._lines("events", said.events, now, looking=looking),
            self._lines("decisions", said.decisions, now, looking=looking),
            self._letters(said.dead_letters, now, looking=looking),
        )

    def _lines(self, part: str, span: int | None, now: int, *, looking: bool) -> int:
        if span is None:
            return 0
        is_over = older_than(to_datetime(now - span))
        count = 0
        for log in self._logs[part]:
            if not looking and _begins(log.path, is_over):
                log.put_aside()
            count += remove_lines(log.path, is_over, in_order=True, looking=looking)
        return count

    def _letters(self, span: int | None, now: int, *, looking: bool) -> int:
        if span is None:
            return 0
        ids = iter([*self._letters_before(now - span)])
        count = 0
        while page := [*islice(ids, _LETTERS)]:
            if not looking:
                self._store.revive(page, into=())
            count += len(page)
        return count

    def _letters_before(self, before: int) -> Iterator[int]:
        after = 0
        while page := self._store.dead(after, _LETTERS):
            after = page[-1].id
            yield from (one.id for one in page if one.at < before)


class _Stamped(msgspec.Struct):
    """When a line of a log was written, as nearly as it says."""

    received_at: datetime | None = None
    now: datetime | None = None
    occurred_at: datetime | None = None


_stamped = msgspec.json.Decoder(_Stamped)


def older_than(before: datetime) -> Callable[[bytes], bool]:
    """Make the test whether a line of a log was written before an instant.

    A line that doesn't say when stays.
    """

    def is_older(line: bytes) -> bool:
        try:
            said = _stamped.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        at = said.received_at or said.now or said.occurred_at
        return at is not None and at.tzinfo is not None and at < before

    return is_older


def _begins(path: Path, is_over: Callable[[bytes], bool]) -> bool:
    """Whether the first line of a file is over."""
    if not path.exists():
        return False
    with path.open("rb") as lines:
        return is_over(lines.readline())


def logs_of(folder: Path) -> dict[str, list[LogFile]]:
    """The logs of a folder for data, by the setting that is about them."""
    return {
        part: [LogFile(folder / name) for name in names] for part, names in LOGS.items()
    }


def retaining() -> Job:
    """Ask whoever writes the logs to let go what is over."""
    return Job(0, RETAIN, "")
