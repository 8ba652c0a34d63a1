"""What a score is: a model's word about a customer, such as how likely they are to leave.

A score plugin subclasses `Score` and returns a number, a name, or None:

    class Churn(Score):
        name = "churn"

        def score(self, features: Features) -> float | str | None:
            silence = features.age("last_order")
            return None if silence is None else min(1.0, silence.days / 90)

A job asks for it, `journeykit score`, now and then and never while a journey decides; so it
may be as slow as it is, and ask whom it likes. What it says is reported as the event
`score.updated`. Conditions see the latest word as `trait.churn`, and when it was said as
`trait.churn_at`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import msgspec

from journeykit.channels import configured

__all__ = ["Features", "Score"]


class Features(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a customer when they are scored.

    Attributes:
        customer: The customer's id.
        created_at: Since when they are known, aware.
        now: The instant of the scoring, aware.
        zone: Their time zone.
        profile: Their attributes; not to be changed.
        traits: What is computed of their events, by name; what has no value isn't there.
            Instants are RFC 3339 text.
        segments: The segments that they are in.
        stage: Their lifecycle stage; empty: none.
        scores: What was said of them before, by score.
    """

    customer: str
    created_at: datetime
    now: datetime
    zone: str = "UTC"
    profile: Mapping[str, Any] = {}
    traits: Mapping[str, Any] = {}
    segments: frozenset[str] = frozenset()
    stage: str = ""
    scores: Mapping[str, float | str] = {}

    def number(self, name: str) -> float | None:
        """Return a trait that is a number; None: it has no value, or is none."""
        value = self.traits.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value)

    def age(self, name: str) -> timedelta | None:
        """Return how long ago an instant is that a trait holds; None: it holds none."""
        value = self.traits.get(name)
        if not isinstance(value, str):
            return None
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return None
        return self.now - instant if instant.tzinfo is not None else None


class Score(ABC):
    """A model; plugin authors subclass this.

    Constructors do no work.

    Attributes:
        name: What conditions call it, `trait.NAME`: lower-case letters, digits and `_`,
            and no `_at` at its end. A trait of the workspace has another name.
        tolerance: A number that differs by no more from the one before isn't reported.
        refresh_days: After so many times 24 hours it is reported all the same, so that its
            date says that somebody looked.
        batch_size: How many customers `scores` is asked about at once, 500 at most.
        Settings: A msgspec Struct for what an operator may set, or else a dataclass or a
            pydantic model, or where it is, as text; None: there is nothing to set.
        settings: An instance of `Settings`, once there is one.
    """

    name: str
    tolerance: float = 0.01
    refresh_days: int = 30
    batch_size: int = 500
    Settings: ClassVar[type[Any] | str | None] = None
    settings: Any = None

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this score that has these settings.

        Raises:
            InputError: The settings are not what `Settings` allows; the place is the
                score's name and the field.
        """
        return configured(self, self.name, settings)

    @abstractmethod
    def score(self, features: Features) -> float | str | None:
        """Return what the model says: a number, a name of 64 characters, or None.

        None means that there is nothing to say: a score that was known is forgotten.
        """

    def scores(self, batch: Sequence[Features]) -> Sequence[float | str | None]:
        """Return what the model says of each, in their order.

        Override it where a model is asked about many at once. What it raises leaves the
        scores of the batch as they are; the job goes on.
        """
        return [self.score(features) for features in batch]
