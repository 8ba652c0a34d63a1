"""Who may leave: how long somebody has been silent, by their own rhythm."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

import msgspec

from journeykit.scoring import Features, Score

_DAY = timedelta(days=1)


class ChurnSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set.

    Attributes:
        last: The trait that holds the instant of the latest purchase, or visit.
        cadence: The trait that holds the mean number of days between two of them.
        usual_days: The rhythm of who hasn't one of their own yet: the shop's.
        shortest_days: A rhythm that is faster counts as this one: who bought three times in
            a week is not gone after the next.
        half: After so many times their rhythm it is as likely as not that they are gone.
        steepness: How fast that turns: with 2.5, from 8 in 100 at their rhythm to 92 in 100
            at three times of it.
    """

    last: str = "last_order"
    cadence: str = "order_cadence"
    usual_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 45.0
    shortest_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 7.0
    half: Annotated[float, msgspec.Meta(gt=0, le=100)] = 2.0
    steepness: Annotated[float, msgspec.Meta(gt=0, le=20)] = 2.5


class Churn(Score):
    """Says from 0 to 1 how likely it is that somebody doesn't come back by themselves."""

    name = "churn"
    Settings = ChurnSettings
    settings = ChurnSettings()

    def score(self, features: Features) -> float | None:
        """Return a number by a logistic curve over silence; None: they never came."""
        settings: ChurnSettings = self.settings
        silence = features.age(settings.last)
        if silence is None:
            return None
        own = features.number(settings.cadence)
        rhythm = settings.usual_days if own is None else own
        rhythm = max(rhythm, settings.shortest_days)
        times = max(0.0, silence / _DAY) / rhythm
        # Beyond these the curve is flat, and exp() would overflow.
        turn = min(50.0, max(-50.0, settings.steepness * (times - settings.half)))
        return round(1 / (1 + math.exp(-turn)), 4)
