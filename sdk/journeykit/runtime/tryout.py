"""Who would be in a segment, before anybody publishes it.

Customers are judged as a reaction would judge them, by the engine's own predicates, on a
draft that is thrown away afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from journeykit.engine.audience import HIDDEN
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import Customer
from journeykit.engine.draft import Draft
from journeykit.engine.values import Document
from journeykit.engine.views import Views

TRIED = f"{HIDDEN}tried/"
"""How the names of conditions begin that are tried: no author can have given them."""


class Tryout:
    """Judges customers by an audience that isn't published."""

    def __init__(
        self, audience: Document, policies: Document, tried: Iterable[tuple[str, str]]
    ) -> None:
        """Compile it.

        Args:
            audience: The plan document of traits, segments and stages.
            policies: The plan document of the policies, which say what consent is.
            tried: Conditions, each with a name of its own.

        Raises:
            DefinitionError: A condition is none, or they ask for each other in a circle.
        """
        conditions: Mapping[str, str] = dict(tried)
        segments: Sequence[Mapping[str, Any]] = [
            *(audience.get("segments") or ()),
            *({"id": TRIED + n, "when": when} for n, when in conditions.items()),
        ]
        self._names = tuple(conditions)
        self._catalog = Catalog.compile(
            (), policies=policies, audience={**audience, "segments": segments}
        )

    def found(self, customer: Customer, at: int) -> list[str]:
        """Name the conditions that hold for a customer.

        Args:
            customer: The document.
            at: The present, milliseconds; the customer's own clock if that is later.
        """
        draft = Draft(customer, now=at, explain=False)
        draft.scope = views = Views(draft, self._catalog)
        draft.begin(max(at, customer.clock))
        self._catalog.audience.judge(draft, everything=True)
        segments = draft.segments
        views.close()
        return [name for name in self._names if TRIED + name in segments]
