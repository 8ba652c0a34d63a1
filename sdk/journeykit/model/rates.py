"""Rates: so many in a second, a minute, an hour. They spread what would go at once.

A rate is even: `600/min` is one every 100 milliseconds, not all at once. `60/min` and `1/s` are the same rate, written as the author wrote it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from journeykit.errors import DefinitionError
from journeykit.model.written import Written

_UNITS = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
_OTHER_NAMES = {
    **dict.fromkeys(["sec", "second", "seconds"], "s"),
    **dict.fromkeys(["m", "mins", "minute", "minutes"], "min"),
    **dict.fromkeys(["hr", "hrs", "hour", "hours"], "h"),
}

MOST = 1_000_000
"""In one unit; more is no limit for anybody, and probably a slip of the keyboard."""

PATTERN = f"^([1-9][0-9]{{0,5}}|{MOST})/({'|'.join(_UNITS)})$"


@dataclass(frozen=True, slots=True, repr=False)
class Rate(Written):
    """So many at most in a unit of time.

    Write it as text, `100/s`, `600/min`, `5000/h`, or with `rate("600/min")`.

    Attributes:
        count: How many, 1 to 1,000,000.
        unit: In which time: `s`, `min` or `h`.
    """

    KIND: ClassVar[str] = "rate"

    count: int
    unit: str

    def __post_init__(self) -> None:
        """Refuse what is no rate."""
        if type(self.count) is not int or not 1 <= self.count <= MOST:
            raise DefinitionError(
                f"a rate lets through 1 to {MOST:,} in its unit, not {self.count!r:.40}"
            )
        if self.unit not in _UNITS:
            raise DefinitionError(f"a rate is per s, min or h, not {self.unit!r:.40}")

    @classmethod
    def parse(cls, text: str | Rate) -> Rate:
        """Read `100/s`, `600/min` or `5000/h`.

        Raises:
            DefinitionError: It is none of these; the message says what to write.
        """
        if isinstance(text, Rate):
            return text
        match = re.fullmatch(PATTERN, text) if isinstance(text, str) else None
        if match is None:
            _refuse(text)
        return cls(int(match[1]), match[2])

    @property
    def interval_us(self) -> int:
        """From one to the next, in whole microseconds, rather too long than too short."""
        return -(-_UNITS[self.unit] // self.count)

    def __str__(self) -> str:
        """Print `600/min`; `parse` reads the same rate back."""
        return f"{self.count}/{self.unit}"

    def __repr__(self) -> str:
        """Print Python that makes this rate."""
        return f"rate({str(self)!r})"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: object, handler: object
    ) -> dict[str, Any]:
        """Describe the text in the JSON Schema of definitions."""
        return {
            "type": "string",
            "title": "Rate",
            "description": "So many at most in a second, a minute or an hour.",
            "pattern": PATTERN,
            "examples": ["100/s", "600/min", "5000/h"],
        }


def rate(text: str) -> Rate:
    """So many in a unit of time: `rate("600/min")`.

    Raises:
        DefinitionError: It is no rate; the message says what to write.
    """
    return Rate.parse(text)


def _refuse(text: object) -> NoReturn:
    """Say what is wrong, and what to write instead."""
    count, slash, unit = str(text).replace(" ", "").lower().partition("/")
    digits = count.replace(",", "").replace("_", "")
    unit = _OTHER_NAMES.get(unit, unit)
    way_out = "write '100/s', '600/min' or '5000/h'"
    if digits.isascii() and digits.isdigit():
        if not int(digits[:20]):
            way_out = (
                "a rate of 0 never lets anything through; pause the journey instead"
            )
        elif unit == "d" or unit.startswith("day"):
            way_out = "a rate is per s, min or h; what a day may see is a Cap"
        elif slash and unit in _UNITS and int(digits[:20]) <= MOST:
            way_out = f"write '{int(digits)}/{unit}'"
        elif slash and unit in _UNITS:
            way_out = f"it lets through at most {MOST:,} in its unit; leave it out"
    elif re.fullmatch(r"0*\.[0-9]+", digits) and unit in _UNITS:
        way_out = "write a whole number in a longer unit, such as '30/min' for '0.5/s'"
    raise DefinitionError(f"rate {text!r:.40} is not understood: {way_out}")
