"""Reads a file of events for `journeykit run`: batch by batch, and on from where it stopped.

The place is kept with each batch that is stored, so that a run that was killed goes on
behind the last line that counts. By it stands what the line was, so that another file of
the same name is not taken for the one that was begun.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.errors import InputError
from journeykit.model.events import Event
from journeykit.model.formats import Format, decode_event
from journeykit.ports import DeadLetter

_PATIENCE_S = 0.05  # a batch from a pipe is what has come when nothing more comes
_WAY_OUT = (
    "give the file another name, or --from-start to read all of it: "
    "events that were handled are known by their ids"
)
_ASKED_S = 0.2  # how long a pipe is waited for before somebody may say: enough


class Place(msgspec.Struct, frozen=True):
    """How far a file was read.

    Attributes:
        line: The last line that counts.
        mark: A hash of that line.
        clock: The event clock then, milliseconds.
    """

    line: int = 0
    mark: str = ""
    clock: int = 0


@dataclass
class Batch:
    """Some lines, read.

    Attributes:
        events: What they tell, each received when it occurred, or with the one before.
        dead: The lines that tell nothing.
        place: How far that is.
    """

    events: list[Event] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    place: Place = field(default_factory=Place)


class Feed:
    """The events of a file from a place on.

    Attributes:
        late: How many events occurred before one that stands above them.
        ended: Whether the last line was read; else `until` or a stop has come.
        torn: Whether the last line has no end and is no event: somebody writes it just
            now, so it is left for the next time.
    """

    def __init__(
        self,
        lines: Iterator[tuple[int, bytes]],
        *,
        name: str,
        start: Place,
        size: int,
        format: Format = "auto",
        until: datetime | None = None,
        live: bool = False,
        stopped: Callable[[], object] = bool,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> None:
        """Read nothing yet.

        Args:
            lines: The lines with their numbers.
            name: What the file is called in messages.
            start: Where to begin.
            size: How many lines a batch has at most.
            format: Which spelling the lines have.
            until: Stop before the first event that occurred later.
            live: Whether lines come when they come, as from a pipe.
            stopped: Whether nobody wants to wait any longer for what comes live.
            is_whole: Whether the last line has an end; asked when it was read.
        """
        self._lines = lines
        self._name = name
        self._start = start
        self._size = size
        self._format = format
        self._until = None if until is None else to_ms(until)
        self._live = live
        self._stopped = stopped
        self._is_whole = is_whole
        self.late = 0
        self.ended = False
        self.torn = False

    def batches(self) -> Iterator[Batch]:
        """Yield what was read, batch by batch.

        Raises:
            InputError: The file can't be read, or isn't the one that was begun.
        """
        place = self._start
        lines = behind(self._lines, place, self._name)
        if self._live:
            batches = _live(lines, self._size, self._stopped)
        else:
            batches = _together(self._untorn(lines), self._size)
        for numbered in batches:
            batch = Batch()
            for number, line in numbered:
                at = place.clock
                try:
                    event = decode_event(
                        line, place=f"{self._name}:{number}", format=self._format
                    )
                    occurred_at = to_ms(event.occurred_at)
                    if self._until is not None and occurred_at > self._until:
                        batch.place = place
                        yield batch
                        return
                    batch.events.append(self._received(event, occurred_at, at))
                    at = max(at, occurred_at)
                except InputError as error:
                    batch.dead.append(DeadLetter(at, "run", str(error), "", "", line))
                place = Place(number, mark_of(line), at)
            batch.place = place
            yield batch
        self.ended = not self._stopped()

    def _untorn(
        self, lines: Iterator[tuple[int, bytes]]
    ) -> Iterator[tuple[int, bytes]]:
        """The lines, without a last one that is still being written."""
        last: tuple[int, bytes] | None = None
        for item in lines:
            if last is not None:
                yield last
            last = item
        if last is None:
            return
        try:
            decode_event(last[1], format=self._format)
        except InputError:
            self.torn = not self._is_whole()
        if not self.torn:
            yield last

    def _received(self, event: Event, occurred_at: int, clock: int) -> Event:
        """The event as it was received: when it occurred, or with the one before."""
        if occurred_at >= clock:
            if event.received_at == event.occurred_at:
                return event
            return replace(event, received_at=event.occurred_at)
        self.late += 1
        return replace(event, received_at=to_datetime(clock))


def behind(
    lines: Iterator[tuple[int, bytes]],
    place: Place,
    name: str,
    *,
    way_out: str = _WAY_OUT,
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines behind a place, if the line there is the one that was read.

    Args:
        lines: All lines, with their numbers.
        place: How far they were read.
        name: What the file is called in messages.
        way_out: What somebody can do who has another file.

    Raises:
        InputError: It is another file than the one that was begun.
    """
    number = 0
    for number, line in lines:
        if number < place.line:
            continue
        if number > place.line:
            yield number, line
        elif mark_of(line) != place.mark:
            raise InputError(
                "this line is another one than when the file was read up to here; "
                + way_out,
                place=f"{name}:{number}",
            )
    if number < place.line:
        raise InputError(
            f"the file ends here, and was read up to line {place.line}; " + way_out,
            place=f"{name}:{number}",
        )


def mark_of(line: bytes) -> str:
    """Return what tells a line from another one in its place."""
    return blake2b(line, digest_size=8).hexdigest()


def _together(
    lines: Iterator[tuple[int, bytes]], size: int
) -> Iterator[list[tuple[int, bytes]]]:
    """Put lines together, as many as there may be."""
    batch = []
    for item in lines:
        batch.append(item)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def _live(
    lines: Iterator[tuple[int, bytes]], size: int, stopped: Callable[[], object]
) -> Iterator[list[tuple[int, bytes]]]:
    """Put lines together that have come, until there are no more or it is enough."""
    came: queue.Queue[tuple[int, bytes] | Exception | None] = queue.Queue(2 * size)

    def read() -> None:
        try:
            for item in lines:
                came.put(item)
        except Exception as error:  # noqa: BLE001 - told to whoever reads the batches
            came.put(error)
        came.put(None)

    threading.Thread(target=read, name="journeykit-read", daemon=True).start()
    batch: list[tuple[int, bytes]] = []
    while True:
        try:
            item = came.get(timeout=_PATIENCE_S if batch else _ASKED_S)
        except queue.Empty:
            if batch:
                yield batch
                batch = []
            elif stopped():
                return
            continue
        if isinstance(item, tuple):
            batch.append(item)
            if len(batch) < size:
                continue
        if batch:
            yield batch
            batch = []
        if isinstance(item, Exception):
            raise item
        if item is None:
            return
