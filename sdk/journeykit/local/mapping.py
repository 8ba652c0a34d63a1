"""A mapping: how the rows of a table are events. It is a file of TOML.

    event = { value = "order.placed" }
    customer = "customer_id"
    occurred_at = { column = "ordered_at", zone = "America/New_York" }

    [properties]
    amount = { column = "total", type = "number" }
    coupon = "coupon_code"

A text names a column; `{ value = … }` is the same for all rows. An empty cell is not there.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping as AnyMapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from journeykit.engine.calendar import (
    instant_of,
    isoformat,
    reading_of,
    shown_at,
    to_datetime,
    to_ms,
)
from journeykit.errors import DefinitionError, InputError
from journeykit.model.events import PROFILE_UPDATED, Event, checked
from journeykit.model.issues import meant
from journeykit.model.misread import explained
from journeykit.model.plain_text import printable
from journeykit.model.zones import zone as zone_of

Kind = Literal["any", "text", "number", "integer", "boolean", "instant", "json"]

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_DELIMITERS = (";", "\t", "|", ",")
_EXACT = 2**53  # beyond it not every whole number is a float
_CHOICE = re.compile(r"Invalid enum value '(?P<given>.*)'(?: - at `\$\.(?P<key>\w+)`)?")


def _numeral(decimal: str, thousands: str) -> re.Pattern[str]:
    """How a number is written: the same sign between all groups of three, or none."""
    group = rf"(?P<apart>[{thousands}])[0-9]{{3}}(?:(?P=apart)[0-9]{{3}})*"
    grouped = rf"[0-9]{{1,3}}(?:{group})?"
    sign = re.escape(decimal)
    return re.compile(
        rf"(?=[+-]?{sign}?[0-9])(?P<whole>[+-]?(?:{grouped}|[0-9]*))"
        rf"(?P<part>{sign}[0-9]*)?(?P<power>[eE][+-]?[0-9]+)?"
    )


_SPACES = " \u00a0\u202f'\u2019"
_NUMERALS = {
    ".": _numeral(".", "," + _SPACES),
    ",": _numeral(",", "." + _SPACES),
}
_THOUSANDS = re.compile(f"[.,{_SPACES}]")
_UTC = zone_of("UTC")


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value comes from, and what it is.

    Attributes:
        column: The column that holds it.
        value: What it is in all rows, instead of a column.
        type: What it is to be; `any`: as it is, which in CSV is text.
        zone: Of an instant without an offset: whose clocks showed it.
        format: Of an instant: how it is written, as Python's `strptime` has it.
        decimal: Of a number: the decimal sign, `.` or `,`; the other one, spaces or
            apostrophes may stand between groups of three digits.
    """

    column: str = ""
    value: Any = None
    type: Kind = "any"
    zone: str = ""
    format: str = ""
    decimal: Literal[".", ","] = "."


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: a text names a column, a table is a `Field`."""

    event: str | Field
    customer: str | Field = ""
    occurred_at: str | Field = ""
    id: str | Field = ""
    source: str | Field = ""
    identifiers: dict[str, str | Field] = {}
    properties: dict[str, str | Field] | Literal["*"] = {}
    only: dict[str, list[Any]] = {}
    delimiter: str = ","
    encoding: str = "utf-8"


class Mapping:
    """Makes events of rows.

    Attributes:
        delimiter: What stands between two cells of a CSV file.
        encoding: Of its text.
    """

    def __init__(self, document: Document, *, place: str = "") -> None:
        """Check what can be checked without a row.

        Raises:
            InputError: It can't be right; the message names the key.
        """
        self._place = place
        self._event = self._field("event", document.event)
        self._customer = self._field("customer", document.customer)
        self._occurred_at = self._field("occurred_at", document.occurred_at, "instant")
        self._id = self._field("id", document.id)
        self._source = self._field("source", document.source)
        self._identifiers = {
            kind: self._field(f"identifiers.{kind}", field)
            for kind, field in document.identifiers.items()
        }
        self._takes_all = document.properties == "*"
        self._properties = (
            {}
            if isinstance(document.properties, str)
            else {
                name: self._field(f"properties.{name}", field)
                for name, field in document.properties.items()
            }
        )
        self._only = document.only
        self.delimiter = document.delimiter
        self.encoding = document.encoding
        if len(document.delimiter) != 1:
            self._wrong("delimiter", "is one character")
        if _is_nothing(self._customer) and not self._identifiers:
            self._wrong("customer", "is missing; name a column, or identifiers")
        undated = _is_nothing(self._occurred_at)
        if undated and self._event.value != PROFILE_UPDATED:
            self._wrong("occurred_at", "is missing; when did it happen?")

    @classmethod
    def read(cls, path: Path) -> Mapping:
        """Read a file.

        Raises:
            InputError: It can't be read, or can't be right.
        """
        place = str(path)
        try:
            text = path.read_bytes()
            document = tomllib.loads(text.decode("utf-8-sig"))
        except OSError as error:
            raise InputError(f"can't be read: {error.strerror}", place=place) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"is not TOML: {error}", place=place) from error
        try:
            return cls(msgspec.convert(document, Document), place=place)
        except msgspec.ValidationError as error:
            raise InputError(_misread(document, error), place=place) from error

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it names."""
        return frozenset(column for _, column in self._named())

    def _named(self) -> Iterator[tuple[str, str]]:
        """The columns that it names, each with the key that does."""
        fields = {
            "event": self._event,
            "customer": self._customer,
            "occurred_at": self._occurred_at,
            "id": self._id,
            "source": self._source,
            **{f"identifiers.{kind}": it for kind, it in self._identifiers.items()},
            **{f"properties.{name}": it for name, it in self._properties.items()},
        }
        for key, field in fields.items():
            if field.column:
                yield key, field.column
        for column in self._only:
            yield "only", column

    def check_columns(self, columns: Sequence[str], *, name: str) -> None:
        """Refuse a table that hasn't the columns that are named.

        Args:
            columns: Those that it has.
            name: What the table is called in messages.

        Raises:
            InputError: One isn't there; the message names the key, and the column that was
                probably meant.
        """
        for key, column in self._named():
            if column not in columns:
                shown = printable(column)[:80]
                way_out = _apart(columns, self.delimiter) or meant(column, columns[:50])
                said = f"{name} has no column {shown!r}; {printable(way_out)[:500]}"
                self._wrong(key, said)

    def takes(self, row: AnyMapping[str, Any]) -> bool:
        """Whether a row is one of those that are wanted."""
        return all(
            any(_is_wanted(row.get(column), value) for value in values)
            for column, values in self._only.items()
        )

    def event(
        self, row: AnyMapping[str, Any], *, id: str, source: str, received_at: datetime
    ) -> Event:
        """Make an event of a row.

        Args:
            row: Column to value.
            id: Its id, if the mapping has none.
            source: Its source, if the mapping has none.
            received_at: The instant of the import.

        Raises:
            InputError: It can't be one; the message names the column.
        """
        if self._takes_all:
            used = self.columns
            properties = {name: row[name] for name in row if name not in used}
        else:
            properties = _values(self._properties, row)
        occurred_at = self._occurred_at
        at = received_at if _is_nothing(occurred_at) else _instant(occurred_at, row)
        return checked(
            Event(
                id=_text(self._id, row) or id,
                name=_text(self._event, row),
                customer=_text(self._customer, row),
                occurred_at=at,
                received_at=received_at,
                properties=properties,
                source=_text(self._source, row) or source,
                identifiers={
                    kind: text
                    for kind, field in self._identifiers.items()
                    if (text := _text(field, row))
                },
                history=True,
            )
        )

    def _field(self, key: str, given: str | Field, kind: Kind = "any") -> Field:
        field = Field(column=given) if isinstance(given, str) else given
        if field.column and field.value is not None:
            self._wrong(key, "has a column or a value, not both")
        if not isinstance(given, str) and _is_nothing(field):
            self._wrong(key, 'names no column: { column = "…" }, or { value = "…" }')
        if field.zone:
            try:
                zone_of(field.zone)
            except DefinitionError as error:
                self._wrong(key, error.message)
        return (
            field if field.type != "any" else msgspec.structs.replace(field, type=kind)
        )

    def _wrong(self, key: str, what: str) -> None:
        raise InputError(f"{key}: {what}", place=self._place)


def _misread(document: AnyMapping[str, Any], error: msgspec.ValidationError) -> str:
    """What is wrong with a file, by the key where it stands; msgspec names none in a table."""
    for table in ("identifiers", "properties", "only"):
        part = document.get(table)
        kind: Any = list[Any] if table == "only" else str | Field
        for name, value in part.items() if isinstance(part, dict) else ():
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as inner:
                nested = "." if " - at `$." in str(inner) else ": "
                fields = Field.__struct_fields__
                return f"{table}.{printable(name)}{nested}{_said(inner, fields)}"
    return _said(error, Document.__struct_fields__)


def _said(error: msgspec.ValidationError, fields: Sequence[str]) -> str:
    if found := _CHOICE.fullmatch(str(error)):
        there = get_args(Kind) if found["key"] == "type" else (".", ",")
        given = printable(found["given"])[:80]
        return f"{found['key']}: there is no {given!r}; {meant(given, there)}"
    said = explained(b"", error, fields=fields).replace("of an event", "of it")
    return said.replace("; put it into 'properties'", "")


def _apart(columns: Sequence[str], delimiter: str) -> str:
    """What stands between the cells, if they have all been taken for one."""
    for sign in _DELIMITERS:
        if len(columns) == 1 and sign != delimiter and sign in columns[0]:
            shown = "\\t" if sign == "\t" else sign
            return f'its cells seem to have another delimiter: delimiter = "{shown}"'
    return ""


def _is_wanted(cell: Any, value: Any) -> bool:
    """Whether a cell is a value; in CSV all cells are text."""
    if isinstance(cell, str) and not isinstance(value, str):
        return cell.strip().lower() == str(value).lower()
    return bool(cell == value)


def _is_nothing(field: Field) -> bool:
    return not field.column and field.value is None


def _values(
    fields: AnyMapping[str, Field], row: AnyMapping[str, Any]
) -> dict[str, Any]:
    found = {}
    for name, field in fields.items():
        value = field.value if field.value is not None else row.get(field.column)
        if value is not None:
            found[name] = _typed(field, value)
    return found


def _text(field: Field, row: AnyMapping[str, Any]) -> str:
    value = field.value if field.value is not None else row.get(field.column)
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # an id that went through a spreadsheet
    if isinstance(value, bool | list | dict):
        raise InputError(f"is no text: {type(value).__name__}", place=field.column)
    return str(value)


def _typed(field: Field, value: Any) -> Any:
    """A value as its field wants it.

    Raises:
        InputError: It is something else.
    """
    try:
        match field.type:
            case "any":
                return value
            case "text":
                return _text(field, {field.column: value})
            case "number":
                return _number(field, value)
            case "integer":
                return _integer(field, value)
            case "boolean":
                return _boolean(value)
            case "json":
                return msgspec.json.decode(value) if isinstance(value, str) else value
            case "instant":
                return isoformat(_milliseconds(field, value))
    except (ValueError, OverflowError, RecursionError, InputError) as error:
        shown = repr(value)[:60]
        is_number = isinstance(value, str) and field.type in ("number", "integer")
        sign = f"; the decimal sign is {field.decimal!r}" if is_number else ""
        raise InputError(
            f"{shown} is no {field.type}{sign}", place=field.column or "value"
        ) from error


def _number(field: Field, value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - said with the place by whoever called
    if not isinstance(value, str):
        return _finite(float(value))
    found = _NUMERALS[field.decimal].fullmatch(value.strip())
    if found is None:
        raise ValueError
    whole = _THOUSANDS.sub("", found["whole"])
    part, power = found["part"] or "", found["power"] or ""
    if not part and not power:
        return int(whole)
    number = _finite(float(f"{whole}.{part[1:]}{power}"))
    is_whole = number.is_integer() and abs(number) <= _EXACT
    return int(number) if is_whole else number


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError
    return number


def _integer(field: Field, value: Any) -> int:
    number = _number(field, value)
    if not float(number).is_integer():
        raise ValueError
    return int(number)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    said = str(value).strip().lower()
    if said not in _TRUE | _FALSE:
        raise ValueError
    return said in _TRUE


def _instant(field: Field, row: AnyMapping[str, Any]) -> datetime:
    value = field.value if field.value is not None else row.get(field.column)
    if value is None:
        raise InputError("occurred_at: is empty", place=field.column)
    try:
        return to_datetime(_milliseconds(field, value))
    except (ValueError, OverflowError, InputError) as error:
        raise InputError(
            f"occurred_at: {value!r:.60} is no instant{_way_out(field, value)}",
            place=field.column,
        ) from error


def _way_out(field: Field, value: Any) -> str:
    if isinstance(value, str) and not field.zone:
        return '; without an offset, say whose clock it was: zone = "Europe/Berlin"'
    return "; say how it is written: format" if isinstance(value, str) else ""


def _milliseconds(field: Field, value: Any) -> int:
    """An instant, in milliseconds.

    Raises:
        ValueError: It is none.
    """
    zone = zone_of(field.zone) if field.zone else None
    if isinstance(value, str):
        value = value.strip()
        if field.format:
            return _on_clocks(datetime.strptime(value, field.format), zone)  # noqa: DTZ007
        if value.replace(".", "", 1).isdigit() and len(value) > 8:
            value = float(value)  # seconds or milliseconds, in CSV
    found = instant_of(value, zone or _UTC) if zone or _is_whole(value) else None
    if found is None and isinstance(value, str):
        return _on_clocks(datetime.fromisoformat(value), zone)
    if found is None:
        raise ValueError
    return found


def _is_whole(value: Any) -> bool:
    """Whether a value needs no zone: a date would."""
    return not isinstance(value, str) or len(value) > len("2026-06-07")


def _on_clocks(wall: datetime, zone: ZoneInfo | None) -> int:
    """When a zone's clocks first showed something; what has an offset needs no zone."""
    if wall.tzinfo is not None:
        wall, zone = wall.astimezone(UTC), _UTC
    if zone is None:
        raise ValueError
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return to_ms(at)  # neither in a gap nor the second of two
    minutes = wall.hour * 60 + wall.minute
    shown = shown_at(reading_of(wall.date(), minutes), zone)
    if shown is None:
        raise ValueError
    return shown + wall.second * 1000 + wall.microsecond // 1000
