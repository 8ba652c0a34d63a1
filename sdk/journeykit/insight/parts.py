"""Parts of a decision log as files: those on this machine, and those got from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol, TypeVar

from journeykit.errors import StoreError
from journeykit.insight.sources import Fetch, Partition

_BLOCK = 4 * 1024 * 1024
_LONGEST = 16 * 1024 * 1024  # a line that is longer is none of ours
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class FilesPart:
    """A part of a log that is files when its turn comes; see `daily.Part`.

    Attributes:
        name: What it is called.
        state: The same as long as the files are as they were; empty: nobody knows.
        fetch: Gets the files.
    """

    name: str
    state: str
    fetch: Fetch

    def blocks(self) -> Iterator[bytes]:
        """Yield whole lines; what a crash left of one at the end is left out.

        Raises:
            StoreError: A file can't be read.
        """
        with self.fetch() as paths:
            for path in paths:
                try:
                    with path.open("rb") as file:
                        yield from _blocks(file)
                except (OSError, EOFError, zlib.error) as error:
                    raise StoreError(
                        f"{self.name} can't be read ({type(error).__name__}); if "
                        f"{path.name} is damaged, look at it yourself, and remove it"
                    ) from error


def stored_part(name: str, keys: Sequence[str], size: int, fetch: Fetch) -> FilesPart:
    """Return a part that lies in S3, where an object never changes.

    Args:
        name: The day's, of which there may be several parts.
        keys: Its objects.
        size: Their bytes.
        fetch: Gets them.
    """
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    first = hashlib.sha256(keys[0].encode()).hexdigest() if keys else ""
    return FilesPart(f"{name}/{first[:8]}", f"{digest[:24]}:{size}", fetch)


UNPACKED = 12
"""A byte of compressed decisions is so many of lines, or somewhat more."""


class Stored(Protocol):
    """A day of a log in S3."""

    @property
    def name(self) -> str:
        """The day's."""
        ...

    @property
    def size(self) -> int:
        """Its bytes as they lie there."""
        ...


Day = TypeVar("Day", bound=Stored)


def stored_partitions(
    days: Iterable[Day],
    fetched: Callable[[Day], AbstractContextManager[Sequence[Path]]],
) -> list[Partition]:
    """Return days of a log in S3, each to be got and read when its turn comes.

    Args:
        days: The days.
        fetched: Gets the files of one.
    """
    return [
        Partition(one.name, partial(fetched, one), one.size * UNPACKED) for one in days
    ]


def parts_of(partitions: Iterable[Partition]) -> Iterator[FilesPart]:
    """Yield the files of partitions that are on this machine already, one each.

    A file by itself: one that is put aside stays as it is, and is counted once.
    """
    for partition in partitions:
        with partition.fetch() as paths:
            for path in paths:
                if path.is_file():
                    yield _file_part(path)


def _file_part(path: Path) -> FilesPart:
    @contextmanager
    def fetch() -> Iterator[Sequence[Path]]:
        yield [path]

    seen = path.stat()
    # Those of one day in a folder may be called like those of another.
    day = path.parent.name
    name = f"{day}/{path.name}" if day.startswith("day=") else path.name
    return FilesPart(name, f"{seen.st_size}:{seen.st_mtime_ns}", fetch)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    packed = file.read(2) == _GZIP
    file.seek(0)
    source: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
    rest = b""
    is_passing = False  # over a line that is too long: memory must not hold it
    while block := source.read(_BLOCK):
        if is_passing:
            end = block.find(b"\n") + 1
            if not end:
                continue
            is_passing, block = False, block[end:]
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if end:
            yield block[:end]
        if len(rest) > _LONGEST:
            rest, is_passing = b"", True
            yield b"{\n"  # counts as damaged
