"""Lines of JSON as they come in: events, profiles, and what is wrong with some of them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import click
import msgspec

from journeykit.errors import InputError
from journeykit.model.events import MAX_LINE, Event
from journeykit.model.formats import FORMATS, Format, decode_event

STDIN = "-"
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"

Command = TypeVar("Command", bound=Callable[..., Any])


def with_events(command: Command) -> Command:
    """Give a command the options that say which events it takes, and how they are spelled."""
    events = click.option(
        "--events",
        "events_path",
        metavar="FILE",
        required=True,
        help="Lines of JSON, gzipped or not, in any of the formats; - is the standard input.",
    )
    spelling = click.option(
        "--format",
        "format_",
        type=click.Choice(FORMATS),
        default="auto",
        help="Which spelling the events have; auto tells line by line.",
    )
    return events(spelling(command))


class DeadLetters:
    """The lines that could not be taken, in a file if there is to be one.

    Each is an object of `place`, `reason` and `line`, so that a mended copy of the lines
    can be handed in again.

    Attributes:
        path: The file, made when the first one comes; None: they are only counted.
        count: How many there are.
        first: What the first was about, for people to read.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Take away what an earlier run left, so that none are there if there are none.

        Raises:
            OSError: It can't be taken away.
        """
        if path is not None:
            path.unlink(missing_ok=True)
        self.path = path
        self.count = 0
        self.first = ""

    def put(self, place: str, reason: str, line: bytes) -> None:
        """Count one, and write it down if there is a file.

        Raises:
            OSError: The file can't be written.
        """
        if self.path is not None:
            text = line.decode("utf-8", "backslashreplace")
            letter = {"place": place, "reason": reason, "line": text}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(letter)}\n")
        self.count += 1
        self.first = self.first or f"{place}: {reason}"

    def in_words(self) -> str:
        """How many there are, where to find them, and the first; empty if none."""
        if not self.count:
            return ""
        was = "line was" if self.count == 1 else "lines were"
        see = f"see {self.path}" if self.path else "simulate --out DIR keeps them"
        return f"{self.count:,} {was} not taken; {see}. The first: {self.first}"


class EventLines:
    """The events of a file, in the order of its lines; bad lines are dead letters.

    Attributes:
        read: How many lines were taken.
        late: How many of them are older than one before them.
        first_late: Where the first of these stands.
        dead: The lines that were not.
    """

    def __init__(
        self, path: str, dead: DeadLetters, *, format: Format = "auto"
    ) -> None:
        """Read nothing yet.

        Args:
            path: The file, gzipped or not; `-` is the standard input.
            dead: Where bad lines go.
            format: Which spelling the lines have.
        """
        self.path = path
        self.name = "<stdin>" if path == STDIN else path
        self.read = 0
        self.late = 0
        self.first_late = ""
        self.dead = dead
        self._last = (self.name, b"")
        self._format = format

    def __iter__(self) -> Iterator[Event]:
        """Yield the events.

        Raises:
            InputError: The file can't be read, or ends in the middle.
        """
        latest: datetime | None = None
        for number, line in numbered_lines(self.path):
            place = f"{self.name}:{number}"
            try:
                event = decode_event(line, place=place, format=self._format)
            except InputError as error:
                self.dead.put(place, error.message, line)
                continue
            self._last = (place, line)
            self.read += 1
            if latest is None or event.occurred_at >= latest:
                latest = event.occurred_at
            else:
                self.late += 1
                self.first_late = self.first_late or place
            yield event

    def refuse(self, reason: str) -> None:
        """Make the line of the event that was yielded last a dead letter after all."""
        place, line = self._last
        self.dead.put(place, reason, line)


def profiles(path: str) -> list[dict[str, object]]:
    """Read a file of profiles: a line of JSON each, with an `id` among the attributes.

    Raises:
        InputError: The file can't be read, or a line is no profile; it says which.
    """
    found: dict[str, dict[str, object]] = {}
    for number, line in numbered_lines(path):
        place = f"{path}:{number}"
        try:
            profile = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InputError(f"not a line of JSON ({error})", place=place) from error
        if not isinstance(profile, dict) or not isinstance(profile.get("id"), str):
            raise InputError(
                'a profile is an object with an id: {"id": "ada", "zone": "Europe/Paris"}',
                place=place,
            )
        if profile["id"] in found:
            raise InputError(
                f"there is a profile of {profile['id']!r} before this one", place=place
            )
        found[profile["id"]] = profile
    return list(found.values())


def numbered_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, with their numbers.

    A line that is longer than any may be is cut behind that length, so that it can be
    refused without ever being in memory.

    Raises:
        InputError: The file can't be read, or ends in the middle.
    """
    name = "<stdin>" if path == STDIN else path
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(MAX_LINE + 2):
                number += 1
                part = line
                while part and not part.endswith(b"\n"):
                    part = file.readline(MAX_LINE)
                if number == 1:
                    line = line.removeprefix(_BOM)
                if not line.isspace():
                    yield number, line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"can't read on: {reason}" if number else f"can't read: {reason}",
            place=f"{name}:{number + 1}" if number else name,
        ) from error


def ends_whole(path: str) -> bool:
    """Whether a file's last line has an end; of a gzipped one nobody can say."""
    with Path(path).open("rb") as file:
        if file.read(2) == _GZIP:
            return True
        file.seek(-1, io.SEEK_END)
        return file.read(1) == b"\n"


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open the file, unpacked if it is gzipped, whatever its name says."""
    with contextlib.ExitStack() as stack:
        if path == STDIN:
            file = _standard_input(stack)
        else:
            file = cast(BinaryIO, stack.enter_context(Path(path).open("rb")))
        peek = getattr(file, "peek", None)  # a test's standard input has none
        if peek is not None and peek(2)[:2] == _GZIP:
            file = cast(BinaryIO, stack.enter_context(gzip.open(file)))
        yield file


def _standard_input(stack: contextlib.ExitStack) -> BinaryIO:
    """The standard input behind a buffer of our own.

    Python can't end while a thread holds the lock of its own one, waiting for a line.
    """
    try:
        number = sys.stdin.fileno()
    except OSError:  # a test's
        return cast(BinaryIO, sys.stdin.buffer)
    return stack.enter_context(open(number, "rb", closefd=False))
