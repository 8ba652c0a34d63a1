"""Logs as files of lines that are put aside when they are large.

The current file is `NAME.jsonl`; those before it are `NAME-000001.jsonl`, and so on, and
are written anew only to forget somebody: compress, ship or remove them as you like. A line is whole or
not there: what a crash left of one is cut off when the file is opened again. One process
writes a log.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from journeykit.errors import StoreError, StoreFull

_log = logging.getLogger("journeykit.logs")

MAX_BYTES = 64 * 1024 * 1024
"""Beyond it a file is put aside: large enough to be few, small enough to open."""

_TAIL = 1024 * 1024  # a line is shorter: an event has 256 KB, a reaction's trace 32


class LogFile:
    """Appends lines. Any thread may.

    Attributes:
        path: The current file.
    """

    def __init__(
        self, path: Path, *, max_bytes: int = MAX_BYTES, sync: bool = False
    ) -> None:
        """Open nothing yet.

        Args:
            path: The current file, `decisions.jsonl`; its folder is made if need be.
            max_bytes: When to put it aside.
            sync: Whether lines must be on the disk, not just with the system.
        """
        self.path = path
        self._max_bytes = max_bytes
        self._sync = sync
        self._file: FileIO | None = None
        self._size = 0
        self._lock = threading.Lock()

    def append(self, lines: bytes) -> None:
        """Append whole lines, all of them or none.

        Args:
            lines: Each with its end.

        Raises:
            StoreFull: There is no space left.
            StoreError: The file can't be written.
        """
        if not lines:
            return
        with self._lock:
            try:
                file = self._opened()
                rest = memoryview(lines)
                while rest:  # a disk that is nearly full takes a part
                    rest = rest[file.write(rest) :]
                if self._sync:
                    os.fsync(file.fileno())
            except OSError as error:
                self._undo()
                raise _explained(error, self.path) from error
            self._size += len(lines)
            if self._size >= self._max_bytes:
                try:
                    self._put_aside()
                except OSError as error:  # the lines are in it; the next ones try again
                    _log.warning("%s can't be put aside: %s", self.path, error.strerror)

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def put_aside(self) -> None:
        """Put the current file aside now, so that all lines are in files nobody writes.

        Raises:
            StoreError: It can't be.
        """
        with self._lock:
            try:
                if self.path.exists() and self.path.stat().st_size:
                    self._opened()  # which cuts off what a crash left of a line
                    self._put_aside()
            except OSError as error:
                raise _explained(error, self.path) from error

    def _opened(self) -> FileIO:
        if self._file is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)  # events are personal data
            size = _whole(self.path)
            # Unbuffered: what was not written must not be tried again behind our back.
            self._file = self.path.open("ab", buffering=0)
            self._file.truncate(size)
            self._size = size
            if self._sync:
                _sync_folder(self.path.parent)
        return self._file

    def _undo(self) -> None:
        """Cut off what was written of the lines, if anything can be done at all."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            self._file.close()
            self._file = None

    def _put_aside(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        numbers = [number for number, _ in _aside(self.path)]
        name = f"{self.path.stem}-{max(numbers, default=0) + 1:06}{self.path.suffix}"
        self.path.replace(self.path.with_name(name))


def log_files(path: Path) -> list[Path]:
    """The files of a log, oldest first; the current one is the last."""
    files = [file for _, file in _aside(path)]
    return [*files, path] if path.exists() else files


def log_lines(path: Path) -> Iterator[bytes]:
    """The lines of a log, oldest first; what a crash left of a line is passed over."""
    for file in log_files(path):
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield line


def remove_lines(
    path: Path,
    is_meant: Callable[[bytes], bool],
    *,
    in_order: bool = False,
    looking: bool = False,
) -> int:
    """Remove lines from the files of a log that were put aside; return how many.

    A file is written anew beside itself and then put in its place, so that it is whole at
    every moment.

    Args:
        path: The log's current file, which is left as it is.
        is_meant: Whether a line is to go.
        in_order: Whether those that are to go come before those that aren't. Then a file
            is read no further if its first line stays, and one of which nothing is left
            is removed.
        looking: Whether only to count, in the current file too.

    Raises:
        StoreFull: There is no space left.
        StoreError: A file can't be written; it is as it was.
    """
    removed = 0
    for file in log_files(path):
        if file == path and not looking:
            continue
        beside = file.with_suffix(".part")
        try:
            with file.open("rb") as lines:
                if in_order and not is_meant(lines.readline()):
                    continue
                lines.seek(0)
                meant = count = 0
                for line in lines:
                    meant += is_meant(line)
                    count += 1
            if not meant:
                continue
            if looking:
                removed += meant
                continue
            if in_order and meant == count:
                file.unlink()
                removed += meant
                continue
            beside.touch(mode=0o600)
            with file.open("rb") as lines, beside.open("wb") as kept:
                kept.writelines(line for line in lines if not is_meant(line))
                kept.flush()
                os.fsync(kept.fileno())
            beside.replace(file)
            _sync_folder(file.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise _explained(error, file) from error
        removed += meant
    return removed


def _aside(path: Path) -> list[tuple[int, Path]]:
    number = re.compile(rf"{re.escape(path.stem)}-(\d+){re.escape(path.suffix)}")
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    matches = ((number.fullmatch(file.name), file) for file in files)
    return sorted((int(match[1]), file) for match, file in matches if match)


def _whole(path: Path) -> int:
    """The bytes of a file up to the end of its last whole line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    end = tail.rfind(b"\n") + 1
    # What a crash leaves in a log's first line begins like one.
    if size and not end and (size > _TAIL or not tail.startswith(b"{")):
        raise StoreError(
            f"{path} does not end in lines; it is no log, so nothing is written to it"
        )
    return size - len(tail) + end


def _sync_folder(folder: Path) -> None:
    """Let the name of a new file be on the disk too, where folders can be synced."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _explained(error: OSError, path: Path) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(f"there is no space left to write {path}; make some")
    return StoreError(f"{path} can't be written: {error.strerror or error}")
