"""Which models are asked about customers, and how often: `[scores]` in journeykit.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from journeykit.errors import DefinitionError, InputError
from journeykit.model.durations import Duration
from journeykit.model.rules import is_id

_KEYS = ("every", "run")
_DAY_MS = 24 * 60 * 60 * 1000
_SHORTEST_MS, _LONGEST_MS = 60_000, 366 * _DAY_MS


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """What an operator says about scores.

    Attributes:
        run: The models that are asked, by name.
        every_ms: How often `serve` asks them, milliseconds; None: only `journeykit score`
            does.
    """

    run: tuple[str, ...] = ()
    every_ms: int | None = None


def scores_of(table: Mapping[str, object]) -> ScoreSettings:
    """Read `[scores]`.

    Raises:
        InputError: It says what it can't; the place is the key.
    """
    for key in table:
        if key not in _KEYS:
            raise InputError(
                "is not a key; `run` names scores, `every` says how often",
                place=f"scores.{key}",
            )
    names = table.get("run", [])
    if not isinstance(names, list) or not all(map(is_id, names)):
        raise InputError('is a list of names: ["churn"]', place="scores.run")
    return ScoreSettings(tuple(dict.fromkeys(names)), _every(table.get("every")))


def _every(value: object) -> int | None:
    if value is None:
        return None
    try:
        length = Duration.parse(str(value))
    except DefinitionError as error:
        raise InputError(error.message, place="scores.every") from error
    milliseconds = length.days * _DAY_MS + length.ms
    if length.months or not _SHORTEST_MS <= milliseconds <= _LONGEST_MS:
        raise InputError(
            f"{value!r} is not from 1m to 366d; write 1d", place="scores.every"
        )
    return milliseconds
