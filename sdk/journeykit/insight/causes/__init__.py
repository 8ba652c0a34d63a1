"""What goes with leaving a journey: associated, which is not the same as its cause.

Of everything that is known of a run (how it was entered, what was sent and what wasn't,
when, to whom) it is asked whether runs of which it is true are left more often than the
others. Many such questions find something by chance, so the answers are corrected for
how many were asked. And runs of one person are alike, so they count for less than as many
people.
"""

from journeykit.insight.causes.comparison import (
    FEWEST_EXPECTED,
    FEWEST_PEOPLE,
    FEWEST_RUNS,
)
from journeykit.insight.causes.factors import (
    Causes,
    Churn,
    Factor,
    Kind,
    Leaving,
    Place,
)
from journeykit.insight.causes.search import MOST_RUNS, causes

__all__ = [
    "FEWEST_EXPECTED",
    "FEWEST_PEOPLE",
    "FEWEST_RUNS",
    "MOST_RUNS",
    "Causes",
    "Churn",
    "Factor",
    "Kind",
    "Leaving",
    "Place",
    "causes",
]
