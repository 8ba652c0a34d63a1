"""What the kinds of surveys can be answered with, and what the answers come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Scale(NamedTuple):
    """How a kind of survey is answered.

    Attributes:
        least: The least that one can answer.
        most: The most.
        groups: The names of its groups, from the best to the worst.
        best_from: From which answer on one is in the best group.
        middle_from: From which answer on one is in the middle one.
        worst_score: What the score can be at worst.
        best_score: What it can be at best.
    """

    least: int
    most: int
    groups: tuple[str, str, str]
    best_from: int
    middle_from: int
    worst_score: float
    best_score: float


# Promoters and detractors: Reichheld 2003, "The one number you need to grow", Harvard
# Business Review 81(12):46-54. Satisfied are the top two boxes.
SCALES: Mapping[str, Scale] = {
    "nps": Scale(0, 10, ("promoter", "passive", "detractor"), 9, 7, -100.0, 100.0),
    "csat": Scale(1, 5, ("satisfied", "neutral", "dissatisfied"), 4, 3, 0.0, 100.0),
    "ces": Scale(1, 7, ("easy", "neutral", "difficult"), 5, 4, 1.0, 7.0),
}
"""Kind to scale; a free text has none."""
