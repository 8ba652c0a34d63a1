"""Surveys: what is asked, what an answer can be, and how answers are grouped.

No pydantic here: the engine and the answer pages read it too.

- `nps`, Net Promoter Score, 0 to 10: 9 and 10 are promoters, 7 and 8 passives, the rest
  detractors (Reichheld, "The One Number You Need to Grow", Harvard Business Review 81(12),
  2003, pp. 46-54).
- `csat`, customer satisfaction, 1 to 5: 4 and 5 are satisfied ("top two boxes").
- `ces`, Customer Effort Score, 1 to 7, how easy it was: 5 to 7 found it easy (the version
  of Dixon, Toman and DeLisi, "The Effortless Experience", 2013).
- `text`: words only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

SurveyKind = Literal["nps", "csat", "ces", "text"]
"""What a survey asks for."""

SURVEY_KINDS: tuple[SurveyKind, ...] = get_args(SurveyKind)

MAX_TEXT = 2_000
"""Characters of an answer in words that are kept."""

MAX_QUESTION = 300
"""Characters of a question."""


class Scale(NamedTuple):
    """The scores that an answer may have, and what they are called.

    Attributes:
        low: The lowest score.
        high: The highest one.
        groups: From the best down: the lowest score of a group, and its name.
    """

    low: int
    high: int
    groups: tuple[tuple[int, str], ...]

    @property
    def scores(self) -> range:
        """All of them, the lowest first."""
        return range(self.low, self.high + 1)

    def group_of(self, score: int) -> str:
        """The group that a score is in."""
        return next(name for least, name in self.groups if score >= least)


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "nps": Scale(0, 10, ((9, "promoter"), (7, "passive"), (0, "detractor"))),
        "csat": Scale(1, 5, ((4, "satisfied"), (3, "neutral"), (1, "dissatisfied"))),
        "ces": Scale(1, 7, ((5, "easy"), (4, "neutral"), (1, "difficult"))),
    }
)
"""By kind; an answer to `text` has no score."""


class Said(NamedTuple):
    """What somebody answers.

    Attributes:
        score: On the kind's scale; None: the kind has none.
        text: In words; empty: nothing.
    """

    score: int | None
    text: str = ""

    def properties(self, kind: str) -> dict[str, Any]:
        """What `survey.answered` carries of it: `score` and `group`, and `text`."""
        found: dict[str, Any] = {}
        if self.score is not None:
            found["score"] = self.score
            found["group"] = SCALES[kind].group_of(self.score)
        if self.text:
            found["text"] = self.text
        return found


def said_in(kind: str, score: str, text: str) -> Said | None:
    """What a form, or a reply, says; None: it is no answer to such a survey.

    Args:
        kind: What was asked for.
        score: The digits; of whatever script.
        text: The words; cut if they are too many.
    """
    words = _words(text)
    if kind == "text":
        return Said(None, words) if words else None
    scale, number = SCALES.get(kind), _number(score)
    if scale is None or number is None or number not in scale.scores:
        return None
    return Said(number, words)


def allowed(kind: str) -> str:
    """What an answer to a kind can be, in words."""
    scale = SCALES.get(kind)
    return "words" if scale is None else f"a score from {scale.low} to {scale.high}"


def said_by_reply(kind: str, reply: str) -> Said | None:
    """What a reply says to a survey: `9`, `9/10`, `9 great service`; None: no answer.

    A score must stand at the beginning: a number elsewhere may be about anything.
    """
    if kind == "text":
        return said_in(kind, "", reply)
    found = _begins.match(reply[: MAX_TEXT * 2])
    if found is None or kind not in SCALES:
        return None
    of = _number(found["of"] or "")
    if of is not None and of != SCALES[kind].high:
        return None  # `3/4` of something else
    return said_in(kind, found["score"], found["text"])


# Neither a part of a longer number, a decimal, a time (`9:30`) nor an ordinal (`9th`).
_begins = re.compile(
    r"\s*(?P<score>\d{1,2})(?:\s*/\s*(?P<of>\d{1,2}))?"
    r"(?![\d/]|[.,:]\d|\w)[\s.,;:!?\u2013\u2014-]*(?P<text>.*)",
    re.DOTALL,
)


def _number(digits: str) -> int | None:
    """A number of one or two digits, of whatever script; None: it is none."""
    digits = digits.strip()
    return int(digits) if len(digits) <= 2 and digits.isdecimal() else None


def _words(text: str) -> str:
    """Words without what no person types: control characters, half characters."""
    lines = text[: MAX_TEXT * 2].replace("\r\n", "\n").replace("\r", "\n")
    lines = lines.replace("\t", " ")
    kept = (c for c in lines if c == "\n" or unicodedata.category(c) not in _NOT_TYPED)
    return "".join(kept).strip()[:MAX_TEXT].rstrip()


_NOT_TYPED = frozenset({"Cc", "Cs"})
