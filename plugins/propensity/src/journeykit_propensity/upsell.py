"""Who may want more: loyal customers who spend more than they did."""

from __future__ import annotations

from typing import Annotated

import msgspec

from journeykit.scoring import Features, Score

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class UpsellSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set.

    Attributes:
        orders: The trait that counts purchases.
        value: The trait that holds what a purchase of theirs is worth on average.
        recent_value: The same of the last time.
        loyal_orders: From so many purchases on somebody is as loyal as can be.
        growth: Who spends this share more than before has grown as far as counts.
        weight_of_growth: How much growth counts; loyalty counts the rest.
        churn: The score that says who may leave, and is not to be asked for more; empty:
            nobody says so.
        plan: The profile's attribute that holds the plan; empty: there are no plans.
        top_plans: Who has one of these can't have more.
    """

    orders: str = "orders"
    value: str = "order_value"
    recent_value: str = "recent_order_value"
    loyal_orders: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    growth: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.5
    weight_of_growth: _Share = 0.5
    churn: str = "churn"
    plan: str = "plan"
    top_plans: tuple[str, ...] = ()


class Upsell(Score):
    """Says from 0 to 1 how likely somebody is to take more of what they have."""

    name = "upsell"
    Settings = UpsellSettings
    settings = UpsellSettings()

    def score(self, features: Features) -> float | None:
        """Return loyalty and growth together; None: they never bought, or have it all."""
        settings: UpsellSettings = self.settings
        orders = features.number(settings.orders)
        if not orders:
            return None
        if settings.plan and features.profile.get(settings.plan) in settings.top_plans:
            return None
        loyalty = min(1.0, orders / settings.loyal_orders)
        share = settings.weight_of_growth
        found = (1 - share) * loyalty + share * self._growth(features)
        leaving = features.scores.get(settings.churn) if settings.churn else None
        if isinstance(leaving, int | float):
            found *= 1 - min(1.0, max(0.0, leaving))
        return round(found, 4)

    def _growth(self, features: Features) -> float:
        """How far the latest purchases are above all of them, from 0 to 1."""
        settings: UpsellSettings = self.settings
        before = features.number(settings.value)
        now = features.number(settings.recent_value)
        if before is None or now is None or before <= 0:
            return 0.0
        return min(1.0, max(0.0, (now / before - 1) / settings.growth))
