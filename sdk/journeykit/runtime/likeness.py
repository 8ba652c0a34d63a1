"""What the people of a group have in common, against everybody.

A `Likeness` adds up customers one by one, in bounded memory, whatever their order: of a
number it keeps the mean and the deviation, of a word how many have it. `typical` says in
what a group differs from everybody, the largest difference first.

How large a difference is, is measured by Cohen's effect sizes, which put numbers and
shares on one scale: *d* = (mean of the group - mean of all) / deviation of all, and
*h* = 2·asin(√p) - 2·asin(√q) for two shares. 0.2 is a small one, and what is below that
isn't worth a line (J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd
ed. 1988, §2.2 and §6.2). The mean and the deviation are kept by Welford's update
(B. P. Welford, Technometrics 4(3), 1962, https://doi.org/10.2307/1266577).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Customer
from journeykit.engine.draft import Draft
from journeykit.engine.limits import DAY_MS
from journeykit.engine.traits import TraitRules
from journeykit.engine.values import Document
from journeykit.model import cel

Facts = Mapping[str, float | frozenset[str]]
"""What is known of one customer: numbers, and words of which there may be several."""

DAYS_SINCE = "days since "
"""How a fact begins that an instant has become."""

SMALL = 0.2
"""The smallest effect that is told."""

_FIELDS = 500  # of facts that one Likeness keeps
_WORDS = 200  # different words of one field; with more it is a name and no category
_CHARACTERS = 64  # of a word; what is longer is text
_FEW = 3  # people who must share a word before it says anything
_HOUR_KINDS = frozenset({"favorite_hour"})


class FactReader:
    """Reads what is known of customers as numbers and words.

    Every fact is called as conditions call it (`trait.orders`, `profile.plan`); the hour
    that somebody prefers is a word, since a mean of hours says nothing.
    """

    def __init__(self, traits: Sequence[Document]) -> None:
        """Compile the traits.

        Args:
            traits: The plan documents of the declared traits.
        """
        self._rules = TraitRules.compile(traits)
        self._hours = frozenset(
            each["name"] for each in traits if each["type"] in _HOUR_KINDS
        )

    def facts(self, customer: Customer, at: int) -> dict[str, float | frozenset[str]]:
        """What is known of a customer.

        Args:
            customer: The document.
            at: The present, milliseconds; the customer's own clock if that is later.
        """
        found: dict[str, float | frozenset[str]] = {}
        at = max(at, customer.clock)
        values = self._rules.values(customer.traits, at, zone_of(customer))
        for name, value in values.items():
            if name in self._hours:
                found[f"trait.{name}"] = frozenset([f"{value}:00"])
            elif isinstance(value, Mapping):
                for part, own in value.items():
                    _add(found, f"trait.{name}.{part}", own, at)
            else:
                _add(found, f"trait.{name}", value, at)
        for name, score in customer.scores.items():
            if name not in values:
                _add(found, f"trait.{name}", score.value, at)
        for name, value in customer.profile.items():
            _add(found, f"profile.{name}", value, at)
        for name in customer.segments:
            if not name.startswith("~"):
                found[f"segment.{name}"] = frozenset(["true"])
        if customer.stage:
            found["trait.stage"] = frozenset([customer.stage])
        return found


def zone_of(customer: Customer) -> ZoneInfo:
    """A customer's own zone, else UTC."""
    return Draft(customer, now=customer.clock, explain=False).zone


def _add(
    found: dict[str, float | frozenset[str]], name: str, value: object, at: int
) -> None:
    """Add a JSON value, as far as it says something that people can have in common."""
    if isinstance(value, bool):
        found[name] = frozenset(["true" if value else "false"])
    elif isinstance(value, int | float):
        number = float(value)
        if math.isfinite(number):
            found[name] = number
    elif isinstance(value, str):
        if (instant := _instant(value)) is not None:
            found[DAYS_SINCE + name] = (at - instant) / DAY_MS
        elif 0 < len(value) <= _CHARACTERS:
            found[name] = frozenset([value])
    elif isinstance(value, list):
        words = [w for w in value if isinstance(w, str) and 0 < len(w) <= _CHARACTERS]
        if words:
            found[name] = frozenset(words)


def _instant(text: str) -> int | None:
    if len(text) < 20 or not text[:4].isdigit():  # most texts aren't, and this is cheap
        return None
    try:
        return to_ms(cel.instant(text))
    except ValueError:
        return None


class Typical(NamedTuple):
    """Something in which a group differs from everybody.

    Attributes:
        field: What: `trait.orders`, `profile.plan`, `days since trait.last_order`.
        kind: `mean` of a number, or `share` of those who have a word.
        word: The word; empty: it is a number.
        here: The mean, or the share, in the group.
        everywhere: The same of everybody.
        lift: `here` / `everywhere`; None where that would be by zero, or of a negative.
        effect: Cohen's *d* or *h*: how large the difference is, and in which direction.
    """

    field: str
    kind: Literal["mean", "share"]
    word: str
    here: float
    everywhere: float
    lift: float | None
    effect: float


class _Moments:
    """The mean and the deviation of numbers that come one by one."""

    __slots__ = ("count", "mean", "squares")

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.squares += before * (value - self.mean)

    @property
    def deviation(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else 0.0


class Likeness:
    """What customers have in common; they are added one by one.

    Attributes:
        count: How many there are.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self.count = 0
        self._numbers: dict[str, _Moments] = {}
        self._words: dict[str, dict[str, int] | None] = {}

    def add(self, facts: Facts) -> None:
        """Add a customer."""
        self.count += 1
        for name, value in facts.items():
            if isinstance(value, float):
                moments = self._numbers.get(name)
                if moments is None:
                    if self._is_full:
                        continue
                    moments = self._numbers[name] = _Moments()
                moments.add(value)
                continue
            if name not in self._words:
                if self._is_full:
                    continue
                self._words[name] = {}
            counts = self._words[name]
            if counts is None:
                continue
            for word in value:
                counts[word] = counts.get(word, 0) + 1
            if len(counts) > _WORDS:
                self._words[name] = None

    @property
    def _is_full(self) -> bool:
        return len(self._numbers) + len(self._words) >= _FIELDS

    def mean(self, field: str) -> float | None:
        """The mean of a number among those who have it; None: nobody has."""
        moments = self._numbers.get(field)
        return None if moments is None else moments.mean

    def words(self, field: str) -> Sequence[tuple[str, int]]:
        """The words of a field and how many have each, the most frequent first."""
        counts = self._words.get(field) or {}
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    def typical(self, everybody: Likeness, *, most: int) -> list[Typical]:
        """In what these differ from everybody, the largest difference first.

        Of a field the one word that says most is told. What is nearly everybody's own,
        such as a name or an address, is left out.

        Args:
            everybody: All customers, these among them.
            most: How many differences at most.
        """
        if not self.count:
            return []
        found = [*self._means(everybody), *self._shares(everybody)]
        found.sort(key=lambda item: (-abs(item.effect), item.field))
        return found[:most]

    def _means(self, everybody: Likeness) -> Iterator[Typical]:
        for name, here in self._numbers.items():
            all_ = everybody._numbers.get(name)
            if all_ is None or not all_.deviation:
                continue
            effect = (here.mean - all_.mean) / all_.deviation
            if abs(effect) >= SMALL:
                lift = here.mean / all_.mean if min(here.mean, all_.mean) > 0 else None
                yield Typical(name, "mean", "", here.mean, all_.mean, lift, effect)

    def _shares(self, everybody: Likeness) -> Iterator[Typical]:
        for name, counts in everybody._words.items():
            own = self._words.get(name)
            if not (counts and own) or _are_names(counts):
                continue
            told = []
            for word, count in own.items():
                if count < _FEW:
                    continue
                here = count / self.count
                everywhere = counts.get(word, count) / everybody.count
                effect = _angle(here) - _angle(everywhere)
                if effect >= SMALL:
                    lift = here / everywhere
                    told.append(
                        Typical(name, "share", word, here, everywhere, lift, effect)
                    )
            if told:
                yield min(told, key=lambda item: (-item.effect, item.word))


def _are_names(counts: Mapping[str, int]) -> bool:
    """Whether nearly everybody has a word of their own."""
    return sum(counts.values()) < 2 * len(counts) and len(counts) > _FEW


def _angle(share: float) -> float:
    return 2 * math.asin(math.sqrt(min(share, 1.0)))
