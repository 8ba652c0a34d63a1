"""What one rendering has used up, for template engines to keep to their limits by.

A template is a program by somebody who need not be trusted. So whatever it makes is
weighed when it is made: then everything that lives in it is small, each single operation
is short, and it is enough to look at the clock between them. That works in any thread,
unlike a signal.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from journeykit.content.engine import LIMITS, Limits
from journeykit.errors import ContentError

MOST_ITEMS = 10_000
"""Of a list and of all that is in it, together."""

MOST_BITS = 1024
"""Of a whole number: 308 digits, as large as a float can be."""

MOST_DEPTH = 40
"""Of macros that call each other, and of what they include."""

TOO_LONG = (
    f"it takes too long; a message has {LIMITS.seconds:g} seconds for all its texts"
)
"""What is said of a template that doesn't come to an end in time."""

_WORK = 32  # times the output: what may be made on the way to it
_LOOKS = 16  # operations on what is short between two looks at the clock
_LONG = 4096  # characters and items; an operation on more may take a while itself


class Meter:
    """Counts what one rendering uses up. It belongs to one thread."""

    __slots__ = ("_depth", "_end", "_limits", "_loops", "_made", "_steps", "_written")

    def __init__(self, limits: Limits) -> None:
        """Begin to count."""
        self._limits = limits
        self._loops = self._made = self._written = self._steps = self._depth = 0
        # The processor time of this thread: a busy machine fails nobody's message.
        self._end = time.thread_time() + limits.seconds

    @property
    def limits(self) -> Limits:
        """What is allowed."""
        return self._limits

    def step(self) -> None:
        """Count one operation.

        Raises:
            ContentError: The time is up.
        """
        self._steps += 1
        if self._steps % _LOOKS == 0:
            self._look()

    def _look(self) -> None:
        if time.thread_time() > self._end:
            raise ContentError(TOO_LONG)

    def loop(self) -> None:
        """Count one run of a loop's body, of a macro or of what is included.

        Raises:
            ContentError: They are too many, or the time is up.
        """
        self._loops += 1
        if self._loops > self._limits.loops:
            raise ContentError(f"its loops run more than {self._limits.loops:,} times")
        self.step()

    def enter(self) -> None:
        """Go one level deeper; `leave` when that is done.

        Raises:
            ContentError: That is too deep.
        """
        self.loop()
        if self._depth >= MOST_DEPTH:
            raise ContentError(f"it nests deeper than {MOST_DEPTH} levels")
        self._depth += 1

    def leave(self) -> None:
        """Come back from `enter`."""
        self._depth -= 1

    def written(self, text: str) -> None:
        """Count what has become part of the result.

        Raises:
            ContentError: It is too long.
        """
        self._written += len(text)
        self.fits(self._written)

    def fits(self, length: int) -> None:
        """Refuse a text of so many characters, best before it is made.

        Raises:
            ContentError: It is too long.
        """
        if length > self._limits.output_bytes:
            most = self._limits.output_bytes // 1024
            raise ContentError(f"it makes more than {most:,} KB of text")

    def numbers(self, items: int) -> None:
        """Refuse a list of so many items, best before it is made.

        Raises:
            ContentError: It is too long.
        """
        if items > MOST_ITEMS:
            raise ContentError(f"it makes a list of more than {MOST_ITEMS:,} items")

    def weigh(self, value: Any) -> None:
        """Refuse a value that is too large, or that no template may have.

        Raises:
            ContentError: It is one.
        """
        length = items = 0
        if isinstance(value, str):
            length = len(value)
        elif isinstance(value, _CONTAINERS):
            waiting: list[Any] = [value]
            while waiting:
                each = waiting.pop()
                items += 1
                if isinstance(each, str):
                    length += len(each)
                elif isinstance(each, Mapping):
                    self.numbers(items + len(each) + len(waiting))
                    waiting += [*each, *each.values()]
                elif isinstance(each, _CONTAINERS):
                    self.numbers(items + len(each) + len(waiting))
                    waiting += each
                else:
                    _check(each)
                if items > MOST_ITEMS:
                    self.numbers(items)
        else:
            _check(value)
            return
        self.fits(length)
        if length + items > _LONG:
            self._look()
        self._made += length + 8 * items
        if self._made > _WORK * self._limits.output_bytes:
            raise ContentError("it makes too much text on the way")

    def listed(self, items: Iterable[Any]) -> list[Any]:
        """Return a list of what comes one by one.

        Raises:
            ContentError: It is too much.
        """
        found: list[Any] = []
        for item in items:
            self.step()
            found.append(item)
            self.numbers(len(found))
        return found

    def looped(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield items, and count them as runs of a loop."""
        for item in items:
            self.loop()
            yield item


_CONTAINERS = (list, tuple, Mapping, range)


def _check(value: object) -> None:
    """Refuse what is neither JSON nor a moment."""
    if value is None or isinstance(value, bool | float | Decimal | date | range):
        return
    if isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise ContentError("a number is too large")
        return
    raise ContentError("a list may hold text, numbers and lists, and nothing else")
