"""What `check` finds: errors, warnings and hints, each with its place and way out."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, NamedTuple, get_args

from journeykit.errors import Source
from journeykit.model.definition import source_of

Level = Literal["error", "warning", "hint"]


class Issue(NamedTuple):
    """One thing to look at.

    Attributes:
        level: `error`: it can't work · `warning`: it probably isn't meant ·
            `hint`: it could be said better.
        message: What it is and the way out, without the place.
        source: The place in the author's file, where known.
        journey: Whose it is; empty if it is no journey's.
        step: At which step; empty if at none.
    """

    level: Level
    message: str
    source: Source | None = None
    journey: str = ""
    step: str = ""

    def __str__(self) -> str:
        """Print it in one line, the place first."""
        place = f"{self.source}: " if self.source else ""
        owner = "/".join(filter(None, [self.journey, self.step]))
        return f"{place}{self.level}: {f'{owner}: ' if owner else ''}{self.message}"


LEVELS: tuple[Level, ...] = get_args(Level)


def by_weight(found: Issue) -> tuple[int, str, int]:
    """What to sort issues by: errors first, then by file and line."""
    return (LEVELS.index(found.level), *(found.source or ("", 0)))


def issue(
    level: Level, message: str, item: object, *, journey: str = "", step: str = ""
) -> Issue:
    """Make an issue about a definition."""
    return Issue(level, message, source_of(item), journey, step)


def meant(
    word: str, known: Iterable[str], *, none: str = "", alike: float = 0.6
) -> str:
    """Name what was probably meant, or all there is; `none` if there is nothing.

    Args:
        word: What was written.
        known: What there is.
        none: What to say if that is nothing.
        alike: How much of two words has to agree, from 0 to 1.
    """
    names = sorted(set(known))
    if close := get_close_matches(word, names, 1, alike):
        return f"did you mean {close[0]!r}?"
    return f"there is {', '.join(map(repr, names))}" if names else none
