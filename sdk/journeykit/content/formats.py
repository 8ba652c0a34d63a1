"""How locales write numbers, money and dates: CLDR's data for a stated set of them.

It is 68 KB for 60 locales. Babel has all 700, takes 33 MB and 120 ms to import, which is a
lot to carry into a function for a comma. `tests/content/cldr.py` makes the file, and the
tests hold what is written against Babel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from journeykit.content.locales import fallbacks
from journeykit.errors import ContentError

_PLAIN: Mapping[str, Any] = {
    "decimal": ".",
    "group": ",",
    "grouping": [3, 3],
    "number": ["#", "-#"],
    "percent": ["#%", "-#%"],
    "currency": ["¤\u00a0#", "-¤\u00a0#"],
    "symbols": {},
    "dates": dict.fromkeys(("short", "medium", "long", "full"), "y-MM-dd"),
    "times": {"short": "HH:mm", "medium": "HH:mm:ss"},
    "months": [f"{month:02}" for month in range(1, 13)],
    "halves": ["AM", "PM"],
    "era": "CE",
    "plurals": {"one": "n in 1"},
}
# What a pattern is made of: quoted text, a run of one letter, anything else.
_PART = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)")
_LONGEST_PATTERN = 100


@cache
def _all() -> dict[str, dict[str, Any]]:
    path = Path(__file__).with_name("formats.json")
    found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return found


def known(locale: str) -> bool:
    """Whether there are formats for a locale, or for its language."""
    return any(each in _all() for each in fallbacks(locale))


@lru_cache(maxsize=256)
def formats(locale: str) -> Formats:
    """Return how a locale writes; plainly, if it isn't known."""
    merged: dict[str, Any] = dict(_PLAIN)
    for each in reversed(fallbacks(locale)):
        merged |= _all().get(each, {})
    return Formats(merged)


class Formats:
    """How one locale writes.

    Attributes:
        decimal: What stands before the decimals.
        number: Patterns for a number that is positive, and for a negative one; `#` stands
            for the digits.
        percent: The same for a share in percent.
        currency: The same for money; `¤` stands for the currency.
        dates: Patterns by style.
        times: Patterns by style.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Take CLDR's data as `formats.json` has it."""
        self.decimal: str = data["decimal"]
        self.number: tuple[str, str] = tuple(data["number"])
        self.percent: tuple[str, str] = tuple(data["percent"])
        self.currency: tuple[str, str] = tuple(data["currency"])
        self.dates: Mapping[str, str] = data["dates"]
        self.times: Mapping[str, str] = data["times"]
        self._data = data

    def grouped(self, digits: str) -> str:
        """Return whole digits in groups: 1,234,567, or 12,34,567 in India."""
        last, others = self._data["grouping"]
        parts = [digits[-last:]]
        digits = digits[:-last]
        while digits:
            parts.insert(0, digits[-others:])
            digits = digits[:-others]
        group: str = self._data["group"]
        return group.join(parts)

    def digits_of(self, currency: str) -> int:
        """Return how many decimals a currency has: 0 of the yen."""
        digits: int = _all()[""]["digits"].get(currency, 2)
        return digits

    def symbol_of(self, currency: str) -> str:
        """Return how the locale writes a currency; its code, if it has no sign for it."""
        symbol: str = self._data["symbols"].get(currency, currency)
        return symbol

    def written(self, at: datetime, pattern: str) -> str:
        """Return a moment by a pattern of CLDR: `d. MMMM y`.

        https://www.unicode.org/reports/tr35/tr35-dates.html#Date_Field_Symbol_Table

        Raises:
            ContentError: There is a letter in it that isn't known here.
        """
        if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
            raise ContentError(
                "a date's style is short, medium, long, full or a pattern"
            )
        found: list[str] = []
        end = 0
        for part in _PART.finditer(pattern):
            quoted, field, _, other = part.groups()
            if field is not None:
                found.append(self._field(at, field))
            else:
                text = other if quoted is None else quoted.replace("''", "'") or "'"
                found.append(text)
            end = part.end()
        if end < len(pattern):
            raise ContentError("a date's pattern has a quote without an end")
        return "".join(found)

    def _field(self, at: datetime, field: str) -> str:
        letter, width = field[0], len(field)
        name = _NAMES.get(letter)
        if name is not None and width >= 3:
            return self._name(at, letter, name, width)
        if letter in ("E", "c"):
            return self._name(at, letter, "days", 3)
        if letter in ("a", "B"):
            half: str = self._data["halves"][at.hour >= 12]
            return half
        if letter == "G":
            era: str = self._data["era"]
            return era
        value = _VALUES.get(letter)
        if value is None or width > 4:
            raise ContentError(
                f"a date's pattern has `{field[:8]}`, which is none of y M d E H h m s a; "
                "text stands in quotes: 'o''clock'"
            )
        number = value(at)
        if letter == "y" and width == 2:
            number %= 100
        return f"{number:0{width}}"

    def _name(self, at: datetime, letter: str, name: str, width: int) -> str:
        index = at.month - 1 if name == "months" else at.weekday()
        if width == 3:
            name = f"{name}_short"
        elif letter in ("L", "c"):
            name = f"{name}_alone"
        names = self._data.get(name) or self._data.get(name.partition("_")[0])
        found: str = names[index] if names else str(at.isoweekday())
        return found

    def plural(self, count: Decimal) -> str:
        """Return CLDR's plural category of a count, such as `one` or `other`.

        https://www.unicode.org/reports/tr35/tr35-numbers.html#Language_Plural_Rules
        """
        operands = _operands(count)
        for category in ("zero", "one", "two", "few", "many"):
            rule = self._data["plurals"].get(category)
            if rule is not None and _holds(rule, operands):
                return category
        return "other"


_NAMES = {"M": "months", "L": "months", "E": "days", "c": "days"}
_VALUES: Mapping[str, Callable[[datetime], int]] = {
    "y": lambda at: at.year,
    "M": lambda at: at.month,
    "L": lambda at: at.month,
    "d": lambda at: at.day,
    "H": lambda at: at.hour,
    "h": lambda at: at.hour % 12 or 12,
    "m": lambda at: at.minute,
    "s": lambda at: at.second,
}


def _operands(count: Decimal) -> dict[str, Decimal]:
    """Return what CLDR's rules ask about a number: n, i, v, w, f, t and e."""
    count = abs(count)
    _, _, decimals = f"{count:f}".partition(".")
    significant = decimals.rstrip("0")
    return {
        "n": count,
        "i": Decimal(int(count)),
        "v": Decimal(len(decimals)),
        "w": Decimal(len(significant)),
        "f": Decimal(decimals or 0),
        "t": Decimal(significant or 0),
        "e": Decimal(0),
    }


_RELATION = re.compile(r"([nivwfte])(?: mod (\d+))?( not)? in ([\d.,]+)")


def _holds(rule: str, operands: Mapping[str, Decimal]) -> bool:
    """Whether a rule holds: `v in 0 and i mod 10 in 2..4 or …`."""
    return any(
        all(_relates(relation, operands) for relation in part.split(" and "))
        for part in rule.split(" or ")
    )


def _relates(relation: str, operands: Mapping[str, Decimal]) -> bool:
    found = _RELATION.fullmatch(relation)
    if found is None:
        raise ValueError(f"{relation!r} is no relation of CLDR's plural rules")
    operand, divisor, negated, ranges = found.groups()
    value = operands[operand]
    if divisor is not None:
        value %= int(divisor)
    inside = any(_between(value, each) for each in ranges.split(","))
    return inside is (negated is None)


def _between(value: Decimal, ends: str) -> bool:
    first, _, last = ends.partition("..")
    # A range holds whole numbers only.
    return value == int(value) and int(first) <= value <= int(last or first)
