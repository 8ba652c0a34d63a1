"""When a wait is over: the due instant, computed once on arrival and kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from journeykit.engine.calendar import (
    Window,
    add,
    instant_of,
    next_time,
    subtract,
    to_ms,
)
from journeykit.engine.conditions import Missing, Scope, ValueOf, compile_value
from journeykit.engine.values import Document
from journeykit.model.clocktimes import ClosingTime, TimeOfDay, weekday_numbers
from journeykit.model.durations import Duration


class Due(msgspec.Struct, frozen=True, gc=False):
    """A due instant, or why there is none.

    Attributes:
        instant: Milliseconds; on `missing` it means nothing.
        state: `future` (or now) · `past` · `missing`.
    """

    instant: int
    state: Literal["future", "past", "missing"] = "future"


MISSING = Due(0, "missing")


class DueRule:
    """Computes due instants, for a Duration or an Until.

    Attributes:
        text: The rule in words.
        elapsed: Whether the customer's time zone does not matter.
    """

    __slots__ = (
        "_after",
        "_anchor",
        "_before",
        "_time",
        "_weekdays",
        "_window",
        "elapsed",
        "text",
    )

    def __init__(self, document: str | Document) -> None:
        """Compile a duration's text, or the document of an Until."""
        until: Document = {"after": document} if isinstance(document, str) else document
        self._anchor = _anchor(until.get("instant"))
        self._before = _duration(until.get("before"))
        self._after = _duration(until.get("after"))
        time = until.get("time")
        self._time = None if time is None else TimeOfDay.parse(time).minutes
        self._weekdays = weekday_numbers(until.get("weekdays") or ())
        self._window = window_of(until["window"]) if until.get("window") else None
        self.text = document if isinstance(document, str) else _text(until)
        after = self._after
        self.elapsed = (
            self._anchor is None
            and self._time is None
            and not self._weekdays
            and self._window is None
            and (after is None or not (after.months or after.days))
        )

    @property
    def paths(self) -> frozenset[tuple[str | int, ...]]:
        """The references that it reads."""
        anchor = self._anchor
        return anchor.paths if isinstance(anchor, ValueOf) else frozenset()

    def __call__(self, arrival: int, zone: ZoneInfo, scope: Scope) -> Due:
        """When it is due for somebody who arrives now."""
        base = arrival
        if self._anchor is not None:
            anchored = _value(self._anchor, zone, scope)
            if anchored is None:
                return MISSING
            base = anchored
        if self._after is not None:
            base = add(base, self._after, zone)
        elif self._before is not None:
            base = subtract(base, self._before, zone)
        if self._window is not None:
            base = self._window.next_open(base, zone)
        elif self._time is not None:
            base = next_time(base, self._time, self._weekdays, zone)
        elif self._weekdays:
            base = Window(0, 24 * 60, self._weekdays).next_open(base, zone)
        return Due(base, "past" if base < arrival else "future")


def _anchor(document: str | None) -> ValueOf | int | None:
    if document is None:
        return None
    try:
        return to_ms(datetime.fromisoformat(document))
    except ValueError:
        return compile_value(document)


def _value(anchor: ValueOf | int, zone: ZoneInfo, scope: Scope) -> int | None:
    if isinstance(anchor, int):
        return anchor
    try:
        return instant_of(anchor(scope), zone)
    except Missing:
        return None


def _duration(text: str | None) -> Duration | None:
    return None if text is None else Duration.parse(text)


def window_of(document: Document) -> Window:
    """The window that a definition's document describes."""
    return Window(
        TimeOfDay.parse(document["start"]).minutes,
        ClosingTime.parse(document["end"]).minutes,
        weekday_numbers(document.get("weekdays") or ()),
    )


def _text(document: Document) -> str:
    parts: list[Any] = [
        f"{name} {value}"
        for name, value in document.items()
        if value and name not in ("type", "window", "weekdays")
    ]
    if document.get("weekdays"):
        parts.append(f"weekdays {' '.join(document['weekdays'])}")
    if document.get("window"):
        parts.append(
            f"window {document['window']['start']}-{document['window']['end']}"
        )
    return ", ".join(parts)
