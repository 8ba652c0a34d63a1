"""Rows of CSV and Parquet files as lines of JSON: column to value.

CSV is read by the standard library: all its values are text, an empty cell is none. Parquet
is read by DuckDB, which the extra `parquet` brings; values keep their types as far as JSON
has them, instants are RFC 3339 text.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import glob
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

import msgspec

from journeykit.errors import InputError

PARQUET = ".parquet"
"""What the names of Parquet files end with, and their first and last four bytes are PAR1."""

MAX_COLUMNS = 1_000

_MAGIC = b"PAR1"
_GZIP = b"\x1f\x8b"
_LONGEST = 16 * 1024 * 1024  # characters of a cell; the standard library stops at 128k
_PAGE = 2_000  # rows of Parquet that are taken at once
_INSTANT = "TIMESTAMP WITH TIME ZONE"  # DuckDB would need pytz to make a datetime of it
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_encode = msgspec.json.Encoder(decimal_format="number").encode

CheckColumns: TypeAlias = Callable[[Sequence[str]], None]
"""Refuses columns; it raises an InputError."""


def _anything(columns: Sequence[str]) -> None:
    """Take any columns."""


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its first bytes.

    Raises:
        InputError: It can't be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", place=str(path)) from error


def csv_rows(
    path: Path,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    check: CheckColumns = _anything,
) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a CSV file as JSON, with the numbers of their last lines.

    The first row names the columns. A row that has more or fewer cells is a JSON array
    instead: it can't be told which cell is what, and whoever reads it refuses it.

    Args:
        path: The file, gzipped or not.
        delimiter: What stands between two cells.
        encoding: Of the text; a byte order mark is passed over.
        check: Gets the columns before the first row is read.

    Raises:
        InputError: The file can't be read, or has no row that names columns.
    """
    number = 0
    reader = csv.reader(())
    csv.field_size_limit(_LONGEST)
    try:
        with _opened(path) as file:
            text = io.TextIOWrapper(
                file, encoding=_encoding(encoding, path), newline=""
            )
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            columns = next(reader, [])
            _check_columns(columns, path)
            check(columns)
            for row in reader:
                number = reader.line_num
                if not row:
                    continue
                if len(row) != len(columns):
                    yield number, _encode(row)
                    continue
                cells = zip(columns, row, strict=True)
                yield number, _encode({name: cell for name, cell in cells if cell})
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not {error.encoding} somewhere behind line {reader.line_num}; say in the "
            'mapping what it is: encoding = "latin-1"',
            place=str(path),
        ) from error
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"can't read on: {reason}" if number else f"can't read: {reason}",
            place=f"{path}:{number + 1}" if number else str(path),
        ) from error


def parquet_rows(
    path: Path, *, check: CheckColumns = _anything
) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a Parquet file as JSON, with their numbers, from 1.

    Args:
        path: The file.
        check: Gets the columns before the first row is read.

    Raises:
        InputError: The file can't be read, DuckDB isn't there, or a column has a type
            that JSON has not.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError(
            'Parquet needs DuckDB: pip install "journeykit[parquet]"', place=str(path)
        ) from error
    number = 0
    try:
        with duckdb.connect(config={"threads": 1}) as db:
            source, names = "from read_parquet(?)", [glob.escape(str(path.resolve()))]
            known = db.execute(f"describe select * {source}", names).fetchall()
            columns = [str(row[0]) for row in known]
            _check_columns(columns, path)
            check(columns)
            instants = {place for place, row in enumerate(known) if row[1] == _INSTANT}
            wanted = ", ".join(
                f"epoch_us({_quoted(name)})" if place in instants else _quoted(name)
                for place, name in enumerate(columns)
            )
            rows = db.execute(f"select {wanted} {source}", names)
            while page := rows.fetchmany(_PAGE):
                for row in page:
                    number += 1
                    yield number, _encode(_cells(columns, row, instants))
    except InputError:
        raise
    except (duckdb.Error, ValueError, TypeError, OverflowError) as error:
        if not number:
            raise InputError(
                f"is no Parquet file, or cut off ({type(error).__name__})",
                place=str(path),
            ) from error
        raise InputError(
            f"can't read on ({type(error).__name__})", place=f"{path}:{number}"
        ) from error


def _cells(
    columns: list[str], row: tuple[Any, ...], instants: set[int]
) -> dict[str, Any]:
    found = {}
    for place, (name, value) in enumerate(zip(columns, row, strict=True)):
        if value is not None:
            found[name] = _instant(value) if place in instants else value
    return found


def _instant(microseconds: int) -> datetime | str:
    """What the number says; a text if no calendar has it, which is no instant to anybody."""
    try:
        return _EPOCH + timedelta(0, 0, microseconds)
    except OverflowError:
        return f"{microseconds} microseconds"


def _check_columns(columns: list[str], path: Path) -> None:
    if not any(columns):
        raise InputError("has no row that names the columns", place=str(path))
    if len(columns) > MAX_COLUMNS:
        raise InputError(
            f"may have {MAX_COLUMNS} columns, this one has {len(columns)}",
            place=str(path),
        )
    doubled = {name for name in columns if columns.count(name) > 1}
    if doubled:
        names = ", ".join(map(repr, sorted(doubled)))
        raise InputError(f"two columns are named {names}", place=str(path))


def _encoding(name: str, path: Path) -> str:
    try:
        known = codecs.lookup(name).name
    except LookupError as error:
        raise InputError(f"encoding {name!r} is not known", place=str(path)) from error
    return "utf-8-sig" if known == "utf-8" else known


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        if file.peek(2)[:2] == _GZIP:
            yield cast(BinaryIO, stack.enter_context(gzip.open(file)))
        else:
            yield file
