"""Scores by plain rules: who may leave, who may want more, and what they may want next."""

from collections.abc import Iterable

from journeykit.hookspecs import hookimpl
from journeykit.scoring import Score
from journeykit_propensity.churn import Churn
from journeykit_propensity.cross_sell import CrossSell
from journeykit_propensity.upsell import Upsell

__all__ = ["Churn", "CrossSell", "Upsell"]


@hookimpl
def journeykit_scores() -> Iterable[Score]:
    """Yield the three models."""
    yield Churn()
    yield CrossSell()
    yield Upsell()
