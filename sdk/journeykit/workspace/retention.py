"""For how long what is kept: `[retention]` in journeykit.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from journeykit.errors import DefinitionError, InputError
from journeykit.model.durations import Duration

KEYS = ("customers", "dead_letters", "decisions", "events")
DAY_MS = 24 * 60 * 60 * 1000
_LONGEST_MS = 36_600 * DAY_MS  # a hundred years


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """For how long what is kept, milliseconds; None: for good.

    Attributes:
        customers: A customer of whom nothing is heard, and who is in no journey.
        events: A line of the event archive, and of what journeys publish.
        decisions: A line of the decision log.
        dead_letters: What could not be handled.
    """

    customers: int | None = None
    events: int | None = None
    decisions: int | None = None
    dead_letters: int | None = None

    @property
    def says_something(self) -> bool:
        """Whether anything ends at all."""
        spans = (self.customers, self.events, self.decisions, self.dead_letters)
        return any(one is not None for one in spans)


def retention_of(table: Mapping[str, object]) -> RetentionSettings:
    """Read `[retention]`.

    Raises:
        InputError: It says what it can't; the place is the key.
    """
    for key in table:
        if key not in KEYS:
            raise InputError(
                f"is not a key; there are {', '.join(KEYS)}", place=f"retention.{key}"
            )
    return RetentionSettings(**{key: _span(key, value) for key, value in table.items()})


def _span(key: str, value: object) -> int:
    place = f"retention.{key}"
    try:
        length = Duration.parse(str(value))
    except DefinitionError as error:
        raise InputError(error.message, place=place) from error
    milliseconds = length.days * DAY_MS + length.ms
    if length.months or not DAY_MS <= milliseconds <= _LONGEST_MS:
        raise InputError(
            f"{value!r} is no number of days from 1d on; two years are 730d",
            place=place,
        )
    return milliseconds
