"""What somebody may want next: what goes with what they bought, and they lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from journeykit.scoring import Features, Score

_Names = Annotated[tuple[str, ...], msgspec.Meta(max_length=50)]


class CrossSellSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set.

    Attributes:
        bought: The trait that lists what was bought, the latest first.
        goes_with: What goes with what, the best first: `shoes = ["socks", "care"]`.
        otherwise: What is offered to whoever has bought something else, the best first.
    """

    bought: str = "recent_categories"
    goes_with: Annotated[Mapping[str, _Names], msgspec.Meta(max_length=500)] = {}
    otherwise: _Names = ()


class CrossSell(Score):
    """Names what to offer next."""

    name = "cross_sell"
    Settings = CrossSellSettings
    settings = CrossSellSettings()

    def score(self, features: Features) -> str | None:
        """Return what goes with the latest purchase that has something; None: nothing.

        Nobody is offered what they have bought.
        """
        settings: CrossSellSettings = self.settings
        bought = _listed(features.traits.get(settings.bought))
        if not bought:
            return None
        for had in bought:
            for offer in settings.goes_with.get(had, ()):
                if offer not in bought:
                    return offer
        return next((one for one in settings.otherwise if one not in bought), None)


def _listed(value: object) -> Sequence[str]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return [one for one in value if isinstance(one, str)]
