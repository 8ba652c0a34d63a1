"""What the conditions of a reaction see of the customer, made when it is first asked for.

Most reactions ask for no trait, no segment and no consent, and should not pay for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from journeykit.engine.audience import Memberships
from journeykit.engine.catalog import Catalog
from journeykit.engine.conditions import Scope
from journeykit.engine.consent import ConsentView
from journeykit.engine.draft import Draft


class Views(Scope):
    """The scope of one reaction. The slots of what nobody has asked for are empty."""

    __slots__ = ("_catalog", "_draft")

    def __init__(self, draft: Draft, catalog: Catalog) -> None:
        """Look at a draft, which may change."""
        # Not by the class above, which fills all slots.
        self._draft: Draft | None = draft
        self._catalog = catalog
        self.event = self.entry = self.step = None
        self.profile = draft.profile
        self.clock = draft

    def __getattr__(self, name: str) -> Mapping[str, object] | None:
        """Make what an empty slot is to hold."""
        draft, catalog = self._draft, self._catalog
        if draft is None or name not in ("trait", "segment", "consent"):
            raise AttributeError(name)
        made: Mapping[str, object] | None
        if name == "trait":
            made = catalog.traits.view(draft)
        elif name == "consent":
            made = ConsentView(catalog.guards.consent, draft)
        else:
            names = catalog.audience.names
            made = Memberships(catalog.audience, draft) if names else None
        setattr(self, name, made)
        return made

    def close(self) -> None:
        """Let go of the draft: the two hold each other, and who does is freed late."""
        self._draft = self.clock = self.trait = self.segment = self.consent = None
