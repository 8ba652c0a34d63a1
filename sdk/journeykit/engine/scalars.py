"""The values that traits keep: text, numbers, yes and no, each in bounded room."""

from __future__ import annotations

import math
from typing import Any, cast

import msgspec

NOTHING: Any = object()
"""No value: nothing heard, nothing to say."""

MOST_NUMBER = 1e15
"""Beyond it, either way, a number is not counted: it is a mistake, or no amount."""

MICRO = 1_000_000
"""Amounts are added as whole millionths: exact, in any order."""

_EXACT_INTEGER = 2**53


def number_of(value: object) -> object:
    """A number, whole where it can be; nothing if it is none, or beyond all measure."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING
    if not -MOST_NUMBER <= value <= MOST_NUMBER:  # NaN is not either
        return NOTHING
    return int(value) if isinstance(value, float) and value.is_integer() else value


def micro_of(value: object) -> object:
    """An amount in whole millionths."""
    number = number_of(value)
    if number is NOTHING or isinstance(number, int):
        return number if number is NOTHING else kept(cast("int", number) * MICRO)
    part, whole = math.modf(cast("float", number))  # both exact
    return kept(int(whole) * MICRO + round(part * MICRO))


def kept(number: int) -> int | str:
    """A whole number as every reader of JSON can hold it."""
    return number if -_EXACT_INTEGER < number < _EXACT_INTEGER else str(number)


def amount_of(micro: int, count: int) -> int | float:
    """An amount in millionths, divided by a count, as a number."""
    whole, rest = divmod(micro, MICRO * count)
    return micro / (MICRO * count) if rest else whole


def scalar_of(value: object, most: int) -> object:
    """Text (cut), a number, yes or no; nothing of anything else, or of empty text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _cut(value, most) if value else NOTHING
    return number_of(value)


def _cut(text: str, most: int) -> str:
    """The beginning of a text that takes no more room than that as JSON."""
    if len(text) * 6 <= most:  # a control character is six
        return text
    text = text[:most]
    while len(msgspec.json.encode(text)) - 2 > most:
        text = text[:-1]
    return text


def key_of(value: object) -> str:
    """A scalar as text: yes, 1 and "1" are three values."""
    if isinstance(value, str):
        return f"s{value}"
    return f"b{value}" if isinstance(value, bool) else f"n{value}"


def order_of(value: object) -> tuple[int, Any]:
    """An order of JSON's scalars: nothing, no, yes, numbers, text."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    return (3, value) if isinstance(value, str) else (2, value)
