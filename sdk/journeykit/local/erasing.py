"""Forgetting people where one process runs everything: the database and its logs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

from journeykit.local.logs import LogFile, remove_lines
from journeykit.ports import Job
from journeykit.runtime.privacy import MOST, Erased, Kept, erase, together
from journeykit.runtime.rosters import ERASE, Erasure

ARCHIVES = ("events.jsonl", "published.jsonl")
"""The logs whose lines name who they are about."""


class Eraser:
    """Forgets people, in the one process that writes the logs."""

    def __init__(self, store: Kept, archives: Sequence[LogFile]) -> None:
        """Take the store, and the logs whose lines name customers."""
        self._store = store
        self._archives = archives

    def erase(self, ids: Collection[str], *, archive: bool = True) -> Erased:
        """Forget people, however many.

        Args:
            ids: Whom.
            archive: Whether the lines about them go, too.

        Raises:
            StoreError: Not all of it is forgotten; the same again does the rest.
        """
        names = [*ids]
        pages = [names[start : start + MOST] for start in range(0, len(names), MOST)]
        clear = self._cleared if archive else _nothing
        return together(
            [erase(self._store, page, archive=clear, anyway=True) for page in pages]
        )

    def _cleared(self, is_about: Callable[[bytes], bool]) -> int:
        removed = 0
        for log in self._archives:
            log.put_aside()
            removed += remove_lines(log.path, is_about)
        return removed


def _nothing(is_about: Callable[[bytes], bool]) -> int:
    return 0


def archives(folder: Path) -> list[LogFile]:
    """The logs of a folder for data whose lines name customers."""
    return [LogFile(folder / name) for name in ARCHIVES]


def job_of(ids: Sequence[str], *, archive: bool = True) -> Job:
    """Ask whoever writes the logs to forget people."""
    asked = Erasure([*ids], archive)
    return Job(0, ERASE, "", people=msgspec.json.encode(asked))
