"""Reads history for `journeykit import`: batch by batch, and on from where it stopped.

How far a file was read is stored with each batch, so that a row is learned once by file and
place in it, whatever kills the process. A row that is none of an event is a dead letter, and
the rest proceeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.errors import InputError
from journeykit.local.feed import Batch, Place, behind, mark_of
from journeykit.local.mapping import Mapping
from journeykit.local.tables import csv_rows, is_parquet, parquet_rows
from journeykit.model.events import MAX_LINE, Event
from journeykit.model.formats import Format, decode_event
from journeykit.ports import DeadLetter

DOOR = "import"
"""Where dead letters of an import came in."""

Lines = Iterator[tuple[int, bytes]]
ReadLine = Callable[[bytes, int, datetime], Event | None]
"""Makes an event of a line, its number and the instant of the import; None: not wanted."""

_rows = msgspec.json.Decoder(dict[str, Any])
_LARGEST = 2 * MAX_LINE  # bytes of a row: its columns' names are in it
_NAMES = 50  # of events that are counted apart
_OTHERS = "(others)"
_WAY_OUT = (
    "--as NAME reads all of it as another file; what came in before stays, and counts "
    "besides"
)


def rows_of(path: Path, mapping: Mapping) -> Lines:
    """Yield the rows of a table as JSON.

    Raises:
        InputError: It can't be read, or hasn't the columns that the mapping names.
    """
    check = partial(mapping.check_columns, name=path.name)
    if is_parquet(path):
        return parquet_rows(path, check=check)
    return csv_rows(
        path, delimiter=mapping.delimiter, encoding=mapping.encoding, check=check
    )


def by_mapping(mapping: Mapping, *, name: str) -> ReadLine:
    """Return what makes an event of a table's row.

    Args:
        mapping: How.
        name: The file's, by which a row's event is named that has no id of its own.
    """

    def read(line: bytes, number: int, now: datetime) -> Event | None:
        if len(line) > _LARGEST:
            raise InputError(f"a row may have {_LARGEST} bytes")
        try:
            row = _rows.decode(line)
        except msgspec.DecodeError as error:
            raise InputError(
                "has more or fewer cells than there are columns"
            ) from error
        if not mapping.takes(row):
            return None
        return mapping.event(row, id=f"{name}:{number}", source=DOOR, received_at=now)

    return read


def by_format(format: Format) -> ReadLine:
    """Return what makes an event of a line of JSON."""

    def read(line: bytes, number: int, now: datetime) -> Event | None:
        event = decode_event(line, format=format)
        return replace(event, received_at=now, history=True)

    return read


@dataclass
class Told:
    """What a file tells, as far as it was read.

    Attributes:
        events: How many events.
        left_out: How many rows weren't wanted.
        dead: How many are none.
        first_dead: What is wrong with the first of them.
        names: How many events there are of each name.
        customers: How many customers they name.
        earliest: When the first of them occurred, milliseconds; 0: there are none.
        latest: When the last of them did.
    """

    events: int = 0
    left_out: int = 0
    dead: int = 0
    first_dead: str = ""
    names: Counter[str] = field(default_factory=Counter)
    earliest: int = 0
    latest: int = 0
    _customers: set[int] = field(default_factory=set)

    @property
    def customers(self) -> int:
        """How many different customers there are, or who identifiers name."""
        return len(self._customers)

    def count(self, event: Event) -> None:
        """Count an event."""
        at = to_ms(event.occurred_at)
        self.earliest = min(self.earliest or at, at)
        self.latest = max(self.latest, at)
        known = event.name in self.names or len(self.names) < _NAMES
        self.names[event.name if known else _OTHERS] += 1
        who = event.customer or tuple(sorted(event.identifiers.items()))
        self._customers.add(hash(who))
        self.events += 1


class History:
    """The events of a file from a place on, batch by batch.

    Attributes:
        told: What was read so far.
    """

    def __init__(
        self,
        lines: Lines,
        read: ReadLine,
        *,
        name: str,
        start: Place,
        size: int,
        first_end: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            lines: The lines or rows, with their numbers.
            read: Makes an event of one.
            name: What the file is called in messages.
            start: Where to begin.
            size: How many lines a batch has at most.
            first_end: The line behind which the first batch ends, however many it has:
                one that was begun before comes again as it was; 0: as any other.
            since: What occurred before that is left out.
            until: What occurred at or after that is left out: from then on the door
                itself was open, say.
        """
        self._lines = lines
        self._read = read
        self._name = name
        self._start = start
        self._size = size
        self._first_end = first_end
        self._since = since
        self._until = until
        self.told = Told()

    def batches(self, now: int) -> Iterator[Batch]:
        """Yield what was read, batch by batch.

        Args:
            now: The instant of the import, milliseconds: all is received then.

        Raises:
            InputError: The file can't be read, or isn't the one that was begun.
        """
        batch, count, at = Batch(), 0, to_datetime(now)
        told = self.told
        for number, line in behind(
            self._lines, self._start, self._name, way_out=_WAY_OUT
        ):
            try:
                event = self._read(line, number, at)
                if event is None or not self._is_wanted(event):
                    told.left_out += 1
                else:
                    told.count(event)
                    batch.events.append(event)
            except Exception as error:  # noqa: BLE001 - a row must not stop the others
                place = f"{self._name}:{number}"
                is_ours = not isinstance(error, InputError)
                reason = f"{place}: {type(error).__name__ if is_ours else error}"
                told.first_dead = told.first_dead or reason
                told.dead += 1
                batch.dead.append(
                    DeadLetter(now, DOOR, reason, "", "", line[:MAX_LINE])
                )
            count += 1
            batch.place = Place(number, mark_of(line), now)
            if number < self._first_end:
                continue
            if count >= self._size or number == self._first_end:
                yield batch
                batch, count = Batch(), 0
        if count:
            yield batch

    def _is_wanted(self, event: Event) -> bool:
        at = event.occurred_at
        return not (
            (self._since is not None and at < self._since)
            or (self._until is not None and at >= self._until)
        )
