"""Which events traits learn of: as they come, and again from an archive."""

from __future__ import annotations

from collections.abc import Collection
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import to_ms
from journeykit.engine.conditions import Scope
from journeykit.engine.draft import Draft, Happening
from journeykit.engine.facts import is_automated
from journeykit.engine.ids import seen_hash
from journeykit.engine.limits import FUTURE_MS, SEEN_MS
from journeykit.engine.trait_kinds import States
from journeykit.engine.traits import TraitRules
from journeykit.model.events import Event


def feed(rules: TraitRules, draft: Draft, happening: Happening) -> None:
    """Let a customer's traits learn of an event, if it is one that they learn of.

    They don't of test traffic, of what a machine did to a message, and of what the
    archive will never hold: what happened only between journeys.

    Args:
        rules: The traits.
        draft: The customer.
        happening: The event; its name is in `rules.hears`.
    """
    if happening.test or happening.inner or is_automated(happening):
        return
    if happening.generation and not happening.public:
        return
    occurred_at = draft.at
    if happening.occurred_at is not None:
        occurred_at = min(occurred_at, to_ms(happening.occurred_at))
    states = rules.learned(
        draft.traits,
        happening.fields(draft.at),
        name=happening.name,
        occurred_at=occurred_at,
        at=draft.at,
        zone=draft.zone,
        scope=draft.scope,
    )
    if states is not draft.traits:
        draft.traits, draft.changed = states, True


def replaced(draft: Draft, states: States, names: Collection[str]) -> bool:
    """Put other states in the place of those of some traits; whether that changed any."""
    kept = {name: state for name, state in draft.traits.items() if name not in names}
    after = {**kept, **{name: states[name] for name in names if name in states}}
    if after == draft.traits:
        return False
    count = sum(after.get(name) != draft.traits.get(name) for name in names)
    draft.traits, draft.changed = after, True
    draft.note("traits", detail={"count": count})
    return True


class Recount:
    """One customer's traits, computed again from the archive, event by event.

    Attributes:
        zone: The customer's zone.
    """

    __slots__ = ("_rules", "_scope", "_seen", "_states", "zone")

    def __init__(self, rules: TraitRules, zone: ZoneInfo) -> None:
        """Begin with nothing.

        Args:
            rules: The traits.
            zone: The customer's zone.
        """
        self._rules = rules
        self.zone = zone
        self._scope = Scope()
        self._seen: dict[int, int] = {}
        self._states: States = {}

    def add(self, event: Event) -> None:
        """Learn of the event that came next.

        What comes again within the time in which the engine knows it again counts once.
        """
        if event.test or event.name not in self._rules.hears:
            return
        received_at, occurred_at = to_ms(event.received_at), to_ms(event.occurred_at)
        hash = seen_hash(event.source, event.id)
        known = self._seen.get(hash)
        # An import that was killed has archived again what it read again.
        if known is not None and (event.history or received_at < known + SEEN_MS):
            return
        self._seen[hash] = received_at
        is_clamped = occurred_at > received_at + FUTURE_MS
        when = event.received_at if is_clamped else event.occurred_at
        happening = Happening(event.id, event.name, event.properties, when)
        if is_automated(happening):
            return
        self._states = self._rules.learned(
            self._states,
            happening.fields(received_at),
            name=event.name,
            occurred_at=min(occurred_at, received_at),
            at=received_at,
            zone=self.zone,
            scope=self._scope,
        )

    def states(self, at: int) -> States:
        """The states as of an instant, without what has left its window by then."""
        return self._rules.pruned(self._states, at, self.zone)
