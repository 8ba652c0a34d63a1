"""Lists of suppressed addresses as other systems write them: CSV, or an address a line."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from journeykit.channels import Channel
from journeykit.engine.calendar import to_ms
from journeykit.engine.facts import MANUAL
from journeykit.engine.ids import address_key, is_derived
from journeykit.engine.limits import SUPPRESSIONS
from journeykit.errors import ContentError, InputError
from journeykit.media.addresses import number_of, recipient_of
from journeykit.model.rules import ID_LENGTH
from journeykit.runtime.suppressing import Addition, checked_addition
from journeykit.workspace.reading import meant

COLUMNS = ("address", "channel", "reason", "at", "key")
"""What a line may say, in this order where nothing else is said."""

STDIN = "-"
_MOST_BYTES = 100 * SUPPRESSIONS * 4
_SEPARATORS = (";", "\t", ",")
# As the exports of providers call them.
_NAMES = {
    **{name: name for name in COLUMNS},
    **dict.fromkeys(
        ("email", "e-mail", "emailaddress", "email_address", "email address"), "address"
    ),
    **dict.fromkeys(("phone", "phone_number", "phonenumber", "number"), "address"),
    **dict.fromkeys(
        ("created", "created_at", "date", "time", "timestamp", "lastupdatetime"), "at"
    ),
    **dict.fromkeys(("type", "cause"), "reason"),
}


# What nobody can be written to at would never match, and yet seem to be on the list.
_READ: Mapping[str, Callable[[str], object]] = {
    "email": recipient_of,
    "sms": number_of,
}


class Speller:
    """Knows how each channel spells its addresses."""

    def __init__(self, carriers: Mapping[str, Channel]) -> None:
        """Take who carries the channels."""
        self._carriers = carriers

    def key(self, channel: str, address: str) -> str:
        """Under which name an address is kept.

        Raises:
            InputError: Nobody carries the channel, or it is no address there.
        """
        carrier = self._carriers.get(channel)
        if carrier is None:
            raise InputError(
                f"nobody carries channel {channel!r:.80}; {meant(channel, self._carriers)}"
            )
        attribute = carrier.address_attribute
        profile = {} if attribute is None else {attribute: address}
        found = carrier.address(profile, address)
        if not found:
            raise InputError(f"is no address of channel {channel}")
        known = carrier.normalize(found)
        read = _READ.get(carrier.medium)
        if read is not None:
            try:
                read(known)
            except ContentError as error:
                raise InputError(f"is no address of channel {channel}") from error
            except ModuleNotFoundError:
                pass  # numbers are read by a package that not everybody has
        return address_key(channel, known)


def lines_of(
    path: str,
    speller: Speller,
    *,
    channel: str,
    reason: str,
    columns: Sequence[str],
    refused: Callable[[str], None],
) -> Iterator[Addition]:
    """Yield the addresses of a file.

    Args:
        path: The file; - is the standard input.
        speller: Knows how addresses are spelled.
        channel: Of a line that names none.
        reason: The same.
        columns: What a line says, where the file has no header; empty: as `COLUMNS`.
        refused: Is told what is wrong with a line, and where; the others proceed.

    Raises:
        InputError: It can't be read, or is too large.
    """
    place = "<stdin>" if path == STDIN else path
    text = _text(path, place)
    first = text.split("\n", 1)[0]
    separator = next((one for one in _SEPARATORS if one in first), ",")
    names: Sequence[str] = columns or COLUMNS
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if rows.line_num == 1 and (header := _header(cells)) is not None:
                names = header
                continue
            said = dict(zip(names, cells, strict=False))
            try:
                yield _line(said, speller, channel=channel, reason=reason)
            except InputError as error:
                refused(f"{place}:{rows.line_num}: {error}")
    except csv.Error as error:
        raise InputError(f"is no CSV: {error}", place=place) from error


def _text(path: str, place: str) -> str:
    try:
        if path == STDIN:
            body = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                body = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", place=place) from error
    if len(body) > _MOST_BYTES:
        raise InputError(f"has more than {_MOST_BYTES // 1_000_000} MB", place=place)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("is no UTF-8", place=place) from error


def _header(cells: Sequence[str]) -> Sequence[str] | None:
    """The columns that a first line names; None: it is no header."""
    if any("@" in cell or cell[:1] in "+0123456789" for cell in cells if cell):
        return None  # an address; `email` behind it is the channel
    names = [_NAMES.get(cell.casefold(), "") for cell in cells]
    return names if {"address", "key"} & set(names) else None


def _line(
    said: Mapping[str, str], speller: Speller, *, channel: str, reason: str
) -> Addition:
    channel = said.get("channel") or channel
    if not channel:
        raise InputError("names no channel, and --channel doesn't either")
    address, key = said.get("address", ""), said.get("key", "")
    if address:
        key = speller.key(channel, address)
    elif not is_derived(key):
        raise InputError("names neither an address nor the key of one")
    why = reason_of(said.get("reason", "")) or reason_of(reason) or MANUAL
    return checked_addition(Addition(key, channel, why, _instant(said.get("at", ""))))


def reason_of(text: str) -> str:
    """A reason as a name: `Hard Bounce` becomes `hard_bounce`."""
    name = re.sub(r"[^a-z0-9._-]+", "_", text.casefold()).strip("._-")
    return name[:ID_LENGTH]


def _instant(text: str) -> int | None:
    """When it was, as far as that can be told: ISO 8601, or seconds since the epoch."""
    if not text:
        return None
    try:
        if text.isdecimal():
            number = int(text)
            at = number if number > 100_000_000_000 else number * 1000
            return (
                at if at < 4_102_444_800_000 else None
            )  # a year after 2100 is a mistake
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError("its date is none; write 2026-06-07T12:00:00Z") from error
    return to_ms(found if found.tzinfo else found.replace(tzinfo=UTC))
