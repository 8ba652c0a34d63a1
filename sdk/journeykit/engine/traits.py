"""Traits: what is computed of a customer's events, as they come, in bounded room.

Theory of operation. A trait's *state* is a JSON value that stands for all the events it
has heard of, and is a function of their *set*: an event that comes late takes the place
that its own time gives it, and any order gives the same state. So the archive, read
again, gives the same traits, and two customers who turn out to be one have the traits
that one customer would have had. Where that can't be (more different values than there
is room for), the trait says so in `docs/traits.md`, and how far off it may be.

A trait is of all time or *slides*: it counts an event until `add(occurred_at, within)`,
in the customer's zone. The newest events are kept one by one, so that they leave at
their own instants; older ones are counted in slices of the window, which leave as a
whole at their middle. Sliding traits change by the passing of time alone: `next_change`
says when.

What a trait is defined by is part of its state, as a number of 32 bits: the state of
another definition counts as none. Whoever changes a definition begins anew, or fills it
in from the archive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, Self
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import LATEST, isoformat
from journeykit.engine.conditions import Scope
from journeykit.engine.customer import Score
from journeykit.engine.scalars import NOTHING
from journeykit.engine.trait_kinds import KINDS, Rule, States
from journeykit.engine.values import Document
from journeykit.errors import DefinitionError

TRAITS_BYTES = 24 * 1024
"""What all declared traits of one customer may take together, as JSON."""


class Known(Protocol):
    """What of a customer the view looks at: `journeykit.engine.draft.Draft` is one."""

    at: int
    traits: dict[str, Any]
    scores: dict[str, Score]
    stage: str
    staged_at: int

    @property
    def zone(self) -> ZoneInfo:
        """The customer's zone, else UTC."""
        ...


class TraitRules:
    """All traits of an audience, compiled.

    Attributes:
        rules: Trait to its rule, in the order of their declaration.
        hears: The names of the events that feed any.
        most_bytes: What their states may take together, as JSON.
    """

    __slots__ = ("_by_event", "hears", "most_bytes", "rules")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Index the rules; use `compile` to make them of documents."""
        self.rules = {rule.name: rule for rule in rules}
        self._by_event: dict[str, tuple[Rule, ...]] = {}
        for rule in self.rules.values():
            for event in rule.events:
                self._by_event[event] = (*self._by_event.get(event, ()), rule)
        self.hears = frozenset(self._by_event)
        self.most_bytes = sum(rule.most_bytes for rule in self.rules.values())

    @classmethod
    def compile(cls, documents: Iterable[Document]) -> Self:
        """Compile the plan documents of traits.

        Raises:
            DefinitionError: One of them is damaged.
        """
        rules = []
        for document in documents:
            try:
                rules.append(KINDS[document["type"]](document))
            except (LookupError, TypeError, ValueError, AttributeError) as err:
                raise DefinitionError(
                    f"the plan document of trait {document.get('name')!r:.80} is "
                    f"damaged ({err!r:.200}); publish it again"
                ) from err
        return cls(rules)

    def learned(
        self,
        states: States,
        fields: Mapping[str, object],
        *,
        name: str,
        occurred_at: int,
        at: int,
        zone: ZoneInfo,
        scope: Scope,
    ) -> States:
        """The states after an event; the same object if it changed none of them.

        Args:
            states: The states before, which stay as they are.
            fields: The event as conditions see it, with `$id`, `$name` and `$time`.
            name: Its name.
            occurred_at: When it happened, milliseconds; not later than `at`.
            at: The instant on the customer's path.
            zone: The customer's zone.
            scope: What conditions are asked in; its `event` is put back afterwards.
        """
        found: States | None = None
        before, scope.event = scope.event, fields
        for rule in self._by_event.get(name, ()):
            heard = rule.heard(name, scope)
            if heard is NOTHING:
                continue
            known = rule.own(states)
            state = rule.learned(known, occurred_at, heard, at, zone)
            if state is not known:
                if found is None:
                    # What nobody declares any more goes with the next write.
                    found = {k: v for k, v in states.items() if k in self.rules}
                found[rule.name] = [rule.mark, state]
        scope.event = before
        return states if found is None else found

    def view(self, known: Known) -> Mapping[str, object]:
        """What conditions see as `trait`: computed when it is asked for."""
        return TraitView(self, known)

    def value(self, name: str, states: States, at: int, zone: ZoneInfo) -> object:
        """One trait's value as JSON.

        Raises:
            KeyError: It has none yet, or there is no such trait.
        """
        rule = self.rules[name]
        value = rule.value(rule.own(states), at, zone)
        if value is NOTHING:
            raise KeyError(name)
        return value

    def values(self, states: States, at: int, zone: ZoneInfo) -> dict[str, object]:
        """The values of all declared traits that have one, without hidden ones."""
        return {
            name: value
            for name, rule in self.rules.items()
            if not name.startswith("~")
            and (value := rule.value(rule.own(states), at, zone)) is not NOTHING
        }

    def is_sliding(self, name: str) -> bool:
        """Whether the passing of time alone may change this trait."""
        rule = self.rules.get(name)
        return rule is not None and rule.slides

    def next_change(self, name: str, states: States, at: int, zone: ZoneInfo) -> int:
        """The first instant after `at` when time alone may change it; LATEST: never."""
        rule = self.rules.get(name)
        if rule is None or not rule.slides:
            return LATEST
        state = rule.own(states)
        return LATEST if state is None else rule.next_change(state, at, zone)

    def united(
        self, mine: States, theirs: States, *, at: int, zone: ZoneInfo
    ) -> States:
        """The states of one customer who has had the events of both."""
        found = {}
        for name, rule in self.rules.items():
            own, other = rule.own(mine), rule.own(theirs)
            if own is not None and other is not None:
                own = rule.united(own, other, at, zone)
            elif own is None:
                own = other
            if own is not None:
                found[name] = [rule.mark, own]
        return found

    def pruned(self, states: States, at: int, zone: ZoneInfo) -> States:
        """The states without what has left its window: equal values, equal states."""
        found = {}
        for name, rule in self.rules.items():
            state = rule.own(states)
            if state is not None:
                state = rule.pruned(state, at, zone)
            if state is not None:
                found[name] = [rule.mark, state]
        return found


class TraitView(Mapping[str, object]):
    """What conditions see as `trait`: declared traits, the stage, and scores.

    Instants are RFC 3339 text. A declared trait goes before a score of its name.
    """

    __slots__ = ("_computed", "_known", "_rules")

    def __init__(self, rules: TraitRules, known: Known) -> None:
        """Compute nothing yet."""
        self._rules = rules
        self._known = known
        # Many segments may ask for one trait: its state, the instant and the zone for
        # which it was computed, and what came of it.
        self._computed: dict[str, tuple[object, int, ZoneInfo, object]] = {}

    def __getitem__(self, name: str) -> object:
        """Compute one."""
        value = self._value(name)
        if value is NOTHING:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None, /) -> Any:
        """Compute one; the default if it has no value."""
        value = self._value(name)
        return default if value is NOTHING else value

    def __contains__(self, name: object) -> bool:
        """Whether it has a value."""
        return isinstance(name, str) and self._value(name) is not NOTHING

    def is_taken(self, name: str) -> bool:
        """Whether a score of this name would never be seen: it is something else's."""
        return name in self._rules.rules or name in ("stage", "stage_since")

    def __iter__(self) -> Iterator[str]:
        """Name all that have a value, without hidden ones."""
        known = self._known
        names = dict.fromkeys(self._rules.rules)
        names.update(dict.fromkeys(("stage", "stage_since")))
        for score in known.scores:
            names.update(dict.fromkeys((score, f"{score}_at")))
        return (n for n in names if not n.startswith("~") and n in self)

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)

    def _value(self, name: str) -> object:
        known = self._known
        rule = self._rules.rules.get(name)
        if rule is not None:
            state, at, zone = rule.own(known.traits), known.at, known.zone
            last = self._computed.get(name)
            if last is not None and last[0] is state and last[1:3] == (at, zone):
                return last[3]
            value = rule.value(state, at, zone)
            self._computed[name] = state, at, zone, value
            return value
        if name == "stage":
            return known.stage or NOTHING
        if name == "stage_since":
            return isoformat(known.staged_at) if known.stage else NOTHING
        if (score := known.scores.get(name)) is not None:
            return score.value
        if (score := known.scores.get(name.removesuffix("_at"))) is not None:
            return isoformat(score.at)
        return NOTHING


NO_TRAITS = TraitRules()
"""Where none are declared."""
