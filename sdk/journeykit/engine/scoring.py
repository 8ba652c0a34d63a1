"""Scores: what a model says of a customer, kept with the instant at which it said so.

The engine computes none. Whoever has a model reports what it says with `score.updated`;
conditions see the latest word as `trait.NAME`, and when it was said as `trait.NAME_at`.
"""

from __future__ import annotations

import math
import re
from typing import Any, TypeGuard

from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Score
from journeykit.engine.draft import Draft, Happening
from journeykit.engine.guards import Guards
from journeykit.engine.limits import SCORE_CHARACTERS, SCORES
from journeykit.engine.traits import TraitView
from journeykit.model.rules import ID_LENGTH

NAME = r"[a-z][a-z0-9_]*"
"""How a score may be called: as a trait, so that a condition can say `trait.churn`."""

_is_name = re.compile(NAME).fullmatch


def is_score_name(name: object) -> TypeGuard[str]:
    """Whether a score can be called so; `x_at` is the instant of the score `x`."""
    return (
        isinstance(name, str)
        and len(name) <= ID_LENGTH
        and _is_name(name) is not None
        and not name.endswith("_at")
    )


def is_score(value: object) -> bool:
    """Whether a score can be this: a finite number, or a short name."""
    if isinstance(value, str):
        return 0 < len(value) <= SCORE_CHARACTERS and value.isprintable()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= _LARGEST


_LARGEST = 2**53  # beyond it JSON's readers disagree


def learned(draft: Draft, happening: Happening, guards: Guards) -> bool:
    """Keep what `score.updated` says; null forgets the score."""
    properties = happening.properties
    name, value = properties.get("name"), properties.get("value")
    if not is_score_name(name) or not (value is None or is_score(value)):
        draft.note("ignored", reason="malformed_score")
        return True
    traits = draft.scope.trait
    if value is not None and isinstance(traits, TraitView) and traits.is_taken(name):
        draft.note("ignored", reason="malformed_score")
        return True
    at = draft.at if happening.occurred_at is None else to_ms(happening.occurred_at)
    known = draft.scores.get(name)
    if known is not None and known.at > at:
        draft.note("ignored", reason="stale_score", detail={"rule": name})
        return True
    if known is None and value is not None and len(draft.scores) >= SCORES:
        draft.note("ignored", reason="too_many_scores", detail={"limit": SCORES})
        return True
    if value is None:
        if known is not None:
            _write(draft, name, None)
        return True
    _write(draft, name, Score(value, at))
    return True


def _write(draft: Draft, name: str, score: Score | None) -> None:
    """Write a score, or forget it; only another value stirs anybody."""
    known = draft.scores.get(name)
    scores = {n: s for n, s in draft.scores.items() if n != name}
    if score is not None:
        scores[name] = score
    draft.scores = scores
    draft.changed = True
    before: Any = None if known is None else known.value
    after: Any = None if score is None else score.value
    if before != after:
        draft.profile_changed = True
        draft.note("score", detail=draft.written({name: after}))
