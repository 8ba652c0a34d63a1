"""A file of events is read batch by batch, and on from where it was left."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given, strategies as st

from journeykit.engine.calendar import to_ms
from journeykit.errors import InputError
from journeykit.local.feed import Batch, Feed, Place
from journeykit.model.events import instant


def line(minute: int, id: str = "") -> bytes:
    return json.dumps(
        {
            "id": id or f"e{minute}",
            "name": "page.viewed",
            "customer": "ada",
            "occurred_at": f"2026-06-01T12:{minute:02}:00Z",
        }
    ).encode()


def ms(minute: int) -> int:
    return to_ms(instant(f"2026-06-01T12:{minute:02}:00Z"))


def feed(
    lines: Iterable[bytes], *, start: Place | None = None, size: int = 2, **more: Any
) -> Feed:
    numbered = iter([*enumerate(lines, 1)])
    return Feed(numbered, name="events", start=start or Place(), size=size, **more)


def ids(batches: Iterable[Batch]) -> list[list[str]]:
    return [[event.id for event in batch.events] for batch in batches]


LINES = [line(minute) for minute in range(5)]


def test_lines_come_in_batches_with_the_place_behind_each() -> None:
    reading = feed(LINES)

    batches = [*reading.batches()]

    assert ids(batches) == [["e0", "e1"], ["e2", "e3"], ["e4"]]
    assert [batch.place.line for batch in batches] == [2, 4, 5]
    assert [batch.place.clock for batch in batches] == [ms(1), ms(3), ms(4)]
    assert reading.ended


def test_nothing_is_read_of_nothing() -> None:
    assert [*feed([]).batches()] == []


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 5))
def test_from_every_place_it_goes_on_behind_it(
    first: int, second: int, stop: int
) -> None:
    batches = [*feed(LINES, size=first).batches()][:stop]
    place = batches[-1].place if batches else Place()

    rest = [*feed(LINES, start=place, size=second).batches()]

    read = [id for batch in ids([*batches, *rest]) for id in batch]
    assert read == ["e0", "e1", "e2", "e3", "e4"]


def test_a_line_that_was_changed_where_it_stopped_is_refused() -> None:
    place = next(feed(LINES).batches()).place
    other = [LINES[0], line(1, "another"), *LINES[2:]]

    with pytest.raises(InputError, match="events:2: this line is another one"):
        next(feed(other, start=place).batches())


@pytest.mark.parametrize("left", [0, 3])
def test_a_file_that_is_shorter_than_what_was_read_is_refused(left: int) -> None:
    (*_, last) = feed(LINES).batches()

    with pytest.raises(InputError, match=f"events:{left}: the file ends here"):
        next(feed(LINES[:left], start=last.place).batches())


def test_a_file_that_was_read_to_its_end_has_nothing_more() -> None:
    (*_, last) = feed(LINES).batches()

    assert [*feed(LINES, start=last.place).batches()] == []


def test_what_occurred_earlier_than_a_line_above_is_received_with_that() -> None:
    reading = feed([line(3), line(1), line(4), line(2)])

    events = [event for batch in reading.batches() for event in batch.events]

    assert [to_ms(event.occurred_at) for event in events] == [
        ms(3),
        ms(1),
        ms(4),
        ms(2),
    ]
    assert [to_ms(event.received_at) for event in events] == [
        ms(3),
        ms(3),
        ms(4),
        ms(4),
    ]
    assert reading.late == 2


def test_a_late_event_after_a_pause_is_received_with_the_last_one_before() -> None:
    first = next(feed([line(3), line(4)]).batches())

    (batch,) = feed([line(3), line(4), line(1)], start=first.place).batches()

    assert [to_ms(event.received_at) for event in batch.events] == [ms(4)]


def test_a_line_that_tells_nothing_is_a_dead_letter_and_counts_as_read() -> None:
    (batch,) = feed([line(1), b"{", line(2)], size=5).batches()

    (letter,) = batch.dead
    assert ids([batch]) == [["e1", "e2"]]
    assert (letter.door, letter.body, letter.at) == ("run", b"{", ms(1))
    assert letter.reason.startswith("events:2: ")
    assert batch.place.line == 3


def test_it_stops_before_what_is_later_than_until() -> None:
    reading = feed(LINES, size=10, until=instant("2026-06-01T12:02:00Z"))

    (batch,) = reading.batches()

    assert ids([batch]) == [["e0", "e1", "e2"]]
    assert batch.place.line == 3
    assert not reading.ended


# What comes when it comes


class Pipe:
    """Lines that come when the test says."""

    def __init__(self) -> None:
        self._items: SimpleQueue[bytes | Exception | None] = SimpleQueue()

    def write(self, *items: bytes | Exception | None) -> None:
        for item in items:
            self._items.put(item)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        while (item := self._items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            number += 1
            yield number, item


def live(pipe: Pipe, **more: Any) -> Feed:
    return Feed(pipe.lines(), name="<stdin>", start=Place(), size=3, live=True, **more)


def test_what_has_come_is_a_batch_when_nothing_more_comes() -> None:
    pipe = Pipe()
    batches = live(pipe).batches()

    pipe.write(*LINES[:2])
    first = next(batches)
    pipe.write(*LINES[2:], None)

    # A machine that is busy may have made two of it.
    assert first.events[0].id == "e0"
    rest = [id for batch in ids([first, *batches]) for id in batch]
    assert rest == ["e0", "e1", "e2", "e3", "e4"]


def test_a_batch_from_a_pipe_is_never_larger_than_it_may_be() -> None:
    pipe = Pipe()
    pipe.write(*LINES, None)

    sizes = [len(batch.events) for batch in live(pipe).batches()]

    assert sum(sizes) == 5
    assert max(sizes) <= 3


def test_what_came_before_a_pipe_broke_is_handled_first() -> None:
    pipe = Pipe()
    pipe.write(*LINES[:2], InputError("can't read on", place="<stdin>:3"))
    read: list[Batch] = []

    with pytest.raises(InputError, match="can't read on"):
        read.extend(live(pipe).batches())

    assert [id for batch in ids(read) for id in batch] == ["e0", "e1"]


def test_nobody_waits_for_a_pipe_who_wants_to_stop() -> None:
    pipe, stopped = Pipe(), threading.Event()
    reading = live(pipe, stopped=stopped.is_set)
    batches = reading.batches()
    pipe.write(LINES[0])

    first: Sequence[Batch] = [next(batches)]
    stopped.set()
    rest = [*batches]
    pipe.write(None)  # so that its thread ends

    assert ids([*first, *rest]) == [["e0"]]
    assert not reading.ended
