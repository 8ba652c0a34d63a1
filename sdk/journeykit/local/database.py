"""One SQLite file: opened with care, written in transactions, with errors in our words."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from journeykit.errors import StoreBusy, StoreError, StoreFull
from journeykit.local.schema import MIGRATIONS, migrate, shape_of

Synchronous = Literal["NORMAL", "FULL"]
"""When a commit is on the disk: at the latest before it matters to the file, or at once."""

_CACHE_KB = 32_000  # the pages of some 100,000 customers who wait
_CHECKPOINT_PAGES = 4_000  # 16 MB: fewer and longer ones cost less than SQLite's 1,000
_LEAST_SIZE = 512  # bytes: SQLite's smallest page
_LEAST_FREE = 1 << 20  # bytes below which an IO error is taken for a full disk


class Database:
    """A connection that any thread may use, one at a time.

    `with database as db:` is a transaction: the block's end commits it, an exception
    rolls it back. SQLite's errors come out as ours; after one of them the database works
    on as soon as the cause is gone.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Take an open connection that begins no transactions by itself."""
        self._connection = connection
        self._path = path
        # One connection for all, since a second one would drop its cached pages at
        # every commit of the first.
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        synchronous: Synchronous,
        busy_timeout_ms: int,
        readonly: bool,
    ) -> Self:
        """Open the file, or begin a new one, and bring it to this release's shape.

        Raises:
            StoreError: There is none to be read, or it can't be read; it is as it was.
        """
        if readonly and not path.exists():
            raise StoreError(
                f"there is no database {path} yet; `journeykit run` and `journeykit "
                "serve` begin one"
            )
        try:
            if not path.exists():
                path.touch(mode=0o600)  # it will hold what is known of people
            elif 0 < path.stat().st_size < _LEAST_SIZE:
                # SQLite would take it for an empty one and write over it.
                raise _no_database(path)
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}",
                uri=True,
                timeout=busy_timeout_ms / 1000,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path} can't be opened: {error}") from error
        try:
            shape = shape_of(connection, str(path))
            if not readonly:
                _prepare(connection, path, synchronous, busy_timeout_ms / 1000)
            elif shape < len(MIGRATIONS):
                raise StoreError(
                    f"{path} was written by an earlier journeykit; `journeykit run` "
                    "and `journeykit serve` bring it up to date"
                )
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise _translated(error, path) from error
            raise
        return cls(connection, path)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return what a query finds."""
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise _translated(error, self._path) from error

    @contextmanager
    def looking(self) -> Iterator[sqlite3.Connection]:
        """Let several queries see the same moment, and write nothing."""
        with self._lock:
            try:
                self._connection.execute("begin")
                try:
                    yield self._connection
                finally:
                    self._connection.rollback()
            except sqlite3.Error as error:
                raise _translated(error, self._path) from error

    @contextmanager
    def overwriting(self) -> Iterator[sqlite3.Connection]:
        """Be a transaction after which nobody can read what it removes, not in the file.

        What others read at that moment stays in the write-ahead log until they are done.
        """
        (before,) = self.rows("pragma secure_delete")[0]
        self.rows("pragma secure_delete = on")
        try:
            with self as db:
                yield db
            self.rows("pragma wal_checkpoint(truncate)")
        finally:
            self.rows(f"pragma secure_delete = {before}")

    def __enter__(self) -> sqlite3.Connection:
        """Begin a transaction that nobody can come in between of."""
        self._lock.acquire()
        try:
            self._connection.execute("begin immediate")
        except BaseException as error:
            self._lock.release()
            if isinstance(error, sqlite3.Error):
                raise _translated(error, self._path) from error
            raise
        return self._connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Commit; roll back after an exception, also one that the commit raised."""
        try:
            if error is None:
                self._connection.execute("commit")
        except sqlite3.Error as failure:
            error = failure
        finally:
            try:
                # SQLite has rolled back by itself after some errors.
                if self._connection.in_transaction:
                    self._connection.rollback()
            finally:
                self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise _translated(error, self._path) from error

    def close(self) -> None:
        """Write everything into the file itself, if nobody else reads it, and let go."""
        with self._lock:
            try:
                # What a burst of messages has left behind goes back to the disk.
                self._connection.executescript("pragma incremental_vacuum")
                self._connection.execute("pragma wal_checkpoint(truncate)")
            except sqlite3.Error:
                pass  # the write-ahead log stays, and the next one to open reads it
            finally:
                self._connection.close()


def _prepare(
    db: sqlite3.Connection, path: Path, synchronous: Synchronous, patience: float
) -> None:
    db.execute("pragma auto_vacuum = incremental")  # counts for a new file only
    if (mode := _write_ahead(db, patience)) != "wal":
        raise StoreError(
            f"{path} is on a file system without shared memory, such as a network "
            f"drive, where only journal mode {mode!r} works; use a local disk"
        )
    db.execute(f"pragma synchronous = {synchronous}")
    db.execute(f"pragma cache_size = -{_CACHE_KB}")
    db.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    db.execute(f"pragma journal_size_limit = {_CHECKPOINT_PAGES * 4096 * 2}")
    migrate(db, str(path))


def _write_ahead(db: sqlite3.Connection, patience: float) -> str:
    """Log ahead of writing; return the journal's mode, which is `wal` if all is well."""
    until = time.monotonic() + patience
    while True:
        try:
            (mode,) = db.execute("pragma journal_mode = wal").fetchone()
        except sqlite3.OperationalError as error:
            # For this one lock SQLite doesn't wait by itself.
            if (
                error.sqlite_errorcode != sqlite3.SQLITE_BUSY
                or time.monotonic() > until
            ):
                raise
            time.sleep(0.01)
        else:
            return str(mode)


def _translated(error: sqlite3.Error, path: Path) -> StoreError:
    # Only what SQLite itself raised has a code; its lower byte is the kind.
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                f"{path} is locked by another process; try again, or end that one"
            )
        case sqlite3.SQLITE_FULL:
            return _full(path)
        case sqlite3.SQLITE_IOERR if _free(path) < _LEAST_FREE:
            return _full(path)
        case sqlite3.SQLITE_NOTADB:
            return _no_database(path)
        case sqlite3.SQLITE_CORRUPT:
            return StoreError(
                f"{path} is damaged ({error}); restore the last backup of it"
            )
        case _:
            return StoreError(f"{path}: {error}")


def _no_database(path: Path) -> StoreError:
    return StoreError(
        f"{path} is no database, or its beginning is damaged; nothing in it was changed"
    )


def _full(path: Path) -> StoreFull:
    return StoreFull(f"there is no space left for {path}; it works on when there is")


def _free(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _LEAST_FREE
