"""Groups of customers that nobody has declared: whom they hold, and what they share.

Everybody is read twice, page by page, and nobody is kept: once to see where the groups
are, from a sample if there are very many, and once to count who is in which. So memory is
that of the sample, whatever the number of customers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeykit.engine.customer import Customer
from journeykit.engine.values import Document
from journeykit.errors import DefinitionError, InputError
from journeykit.model.conditions import Condition
from journeykit.model.segments import Persona, Segment
from journeykit.runtime import rfm
from journeykit.runtime.headcount import Sample, Scan, everybody
from journeykit.runtime.likeness import (
    DAYS_SINCE,
    FactReader,
    Likeness,
    Typical,
)
from journeykit.runtime.tryout import Tryout

SAMPLE = 50_000
"""Customers of whom the groups are made; there may be as many as you like to count."""

TYPICAL = 4
"""Differences from everybody that a definition tells of."""

Facts = Mapping[str, Any]


def _nobody(count: int) -> None:
    """Show nothing of how far it is."""


@dataclass
class Group:
    """A group that was found.

    Attributes:
        id: Its name, which its segment and its persona have, too.
        story: Who they are, as far as it is known beforehand.
        when: The condition that finds them; None: no short one does.
        likeness: What they have in common, and how many they are.
        found: How many its condition finds.
        both: How many of those are in the group.
    """

    id: str
    story: str = ""
    when: Condition | None = None
    likeness: Likeness = field(default_factory=Likeness)
    found: int = 0
    both: int = 0

    @property
    def size(self) -> int:
        """How many they are."""
        return self.likeness.count

    @property
    def precision(self) -> float:
        """Which share of those whom the condition finds is in the group."""
        return self.both / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Which share of the group the condition finds."""
        return self.both / self.size if self.size else 0.0

    def typical(self, everybody: Likeness, *, most: int = TYPICAL) -> list[Typical]:
        """In what they differ from everybody."""
        return self.likeness.typical(everybody, most=most)

    def segment(self, *, how: str) -> Segment | None:
        """Their segment; None: there is no condition for it.

        Args:
            how: Where it comes from, in words.
        """
        if self.when is None:
            return None
        return Segment(self.id, self.when, description=[how])

    def persona(self, story: Sequence[str]) -> Persona:
        """Their persona, of whom somebody is still to say what they want.

        Args:
            story: What is known of them.
        """
        return Persona(self.id, segment=self.id, story=story)


@dataclass(frozen=True)
class Discovery:
    """What was found among all customers.

    Attributes:
        groups: The groups, those that nobody is in left out.
        everybody: What all customers have in common.
        rest: How many are in none of the groups.
        sampled: Of how many the groups were made.
        detail: How they were found: JSON values.
    """

    groups: Sequence[Group]
    everybody: Likeness
    rest: int
    sampled: int
    detail: Mapping[str, Any]


def rfm_fields(
    traits: Sequence[Document], *, recency: str, frequency: str, monetary: str
) -> rfm.RfmFields:
    """Find the traits that say when, how often and how much.

    Args:
        traits: The plan documents of the published traits.
        recency: The trait to take; empty: the only one that can be meant, as for each.
        frequency: See `recency`.
        monetary: See `recency`; there need be none.

    Raises:
        InputError: There is none, or there are several; the message says what to do.
    """
    said: dict[str, str] = {}
    for what, name, kind in (
        ("recency", recency, "last"),
        ("frequency", frequency, "count"),
        ("monetary", monetary, "sum"),
    ):
        known = [trait["name"] for trait in traits]
        if name:
            if name not in known:
                raise InputError(
                    f"--{what}: no trait {name!r} is published; {_listed(known)}"
                )
            said[what] = name
            continue
        fit = [
            trait["name"]
            for trait in traits
            if trait["type"] == kind and (kind != "last" or trait["value"] is None)
        ]
        allowed = [*fit] or ([""] if what == "monetary" else [])
        if len(allowed) > 1:  # what is of all time, if there is one such
            ages = [t["name"] for t in traits if t["name"] in fit and not t["within"]]
            allowed = ages if len(ages) == 1 else allowed
        if not allowed:
            raise InputError(
                f"no trait says the {what}: declare a {kind.capitalize()} and publish it, "
                f"or name another trait with --{what}"
            )
        if len(allowed) > 1:
            raise InputError(
                f"several traits may say the {what}; name one with --{what}: "
                f"{', '.join(allowed)}"
            )
        said[what] = allowed[0]
    return rfm.RfmFields(**said)


def _listed(names: Sequence[str]) -> str:
    return f"there is {', '.join(names)}" if names else "there is none"


@dataclass
class Discoverer:
    """Reads all customers, twice.

    Attributes:
        scan: All customers.
        audience: The plan document of the published audience.
        policies: The plan document of the published policies.
        at: The present, milliseconds.
        progress: Is told how many were read.
        sample: Of how many customers groups are made.
    """

    scan: Scan
    audience: Document
    policies: Document
    at: int
    progress: Callable[[int], None] = _nobody
    sample: int = SAMPLE

    def __post_init__(self) -> None:
        """Make what reads facts."""
        self._reader = FactReader(self.audience.get("traits") or ())
        self._read = 0

    def by_rfm(self, fields: rfm.RfmFields) -> Discovery:
        """Find groups by recency, frequency and monetary value.

        Raises:
            DefinitionError: Nobody has bought anything.
        """
        sample: Sample[rfm.RfmValues] = Sample(self.sample)
        traits = self.audience.get("traits") or ()
        reader = FactReader([trait for trait in traits if trait["name"] in fields])
        for customer in self._everybody():
            values = _rfm(reader.facts(customer, self.at), fields)
            if values is not None:
                sample.add(customer.id, values)
        people = [values for _, values in sample.items()]
        if not people:
            raise DefinitionError(
                f"nobody has trait.{fields.recency} yet, so there is nothing to compare; "
                "import history, or `journeykit traits rebuild`"
            )
        cuts = rfm.cuts_of(people, monetary=bool(fields.monetary))
        named = list(rfm.conditions(fields, cuts))
        groups = [Group(f"rfm-{n.id}", n.story, when) for n, when in named]
        detail = {
            "recency": fields.recency,
            "frequency": fields.frequency,
            "monetary": fields.monetary,
            "cuts": {
                "hours": [*cuts.hours],
                "frequency": [*cuts.frequency],
                "monetary": [*cuts.monetary],
            },
        }

        def own(page: Sequence[Facts], found: Sequence[set[str]]) -> list[str | None]:
            return [next(iter(names), None) for names in found]

        return self._counted(groups, own, sampled=len(people), detail=detail)

    def by_clusters(
        self, *, names: Sequence[str] = (), groups: int | None = None, seed: int = 0
    ) -> Discovery:
        """Find groups of people who are near each other.

        Args:
            names: The features, as facts are called; none: all numeric traits.
            groups: How many groups; None: as many as are best apart.
            seed: Where k-means begins.

        Raises:
            InputError: scikit-learn isn't installed.
            DefinitionError: There are too few customers, or they don't differ.
        """
        try:
            # Imported here: it takes a second, and nobody else needs it.
            from journeykit.runtime.clusters import clusters_of
        except ImportError as error:
            raise InputError(
                "what finds clusters is not installed: pip install 'journeykit[discover]'"
            ) from error
        sample: Sample[dict[str, float]] = Sample(self.sample)
        for customer in self._everybody():
            sample.add(customer.id, _numbers(self._facts(customer), names))
        rows = [row for _, row in sample.items()]
        features = [*names] or sorted({name for row in rows for name in row})
        found = clusters_of(features, rows, groups=groups, seed=seed)
        made = [
            Group(f"cluster-{n}", when=rule) for n, rule in enumerate(found.rules, 1)
        ]

        def own(page: Sequence[Facts], _: Sequence[set[str]]) -> list[str | None]:
            return [f"cluster-{label + 1}" for label in found.labels(page)]

        detail = {
            "features": [*found.features.names],
            "silhouette": found.silhouette,
            "tried": {str(count): value for count, value in found.tried.items()},
            "seed": seed,
        }
        return self._counted(made, own, sampled=len(rows), detail=detail)

    def _counted(
        self,
        groups: Sequence[Group],
        own: Callable[[Sequence[Facts], Sequence[set[str]]], list[str | None]],
        *,
        sampled: int,
        detail: Mapping[str, Any],
    ) -> Discovery:
        """Read everybody once more, and put each into their group."""
        by_id = {group.id: group for group in groups}
        tried = [(g.id, g.when.text) for g in groups if g.when is not None]
        tryout = Tryout(self.audience, self.policies, tried)
        all_, rest = Likeness(), 0
        for page in _pages(self._everybody()):
            facts = [self._facts(customer) for customer in page]
            found = [{*tryout.found(customer, self.at)} for customer in page]
            for one, names, id in zip(facts, found, own(facts, found), strict=True):
                all_.add(one)
                if id is None:
                    rest += 1
                else:
                    by_id[id].likeness.add(one)
                for name in names:
                    by_id[name].found += 1
                    by_id[name].both += name == id
        some = [group for group in groups if group.size]
        return Discovery(some, all_, rest, sampled, detail)

    def _facts(self, customer: Customer) -> Facts:
        return self._reader.facts(customer, self.at)

    def _everybody(self) -> Iterator[Customer]:
        for customer in everybody(self.scan):
            self._read += 1
            self.progress(self._read)
            yield customer


def _rfm(facts: Facts, fields: rfm.RfmFields) -> rfm.RfmValues | None:
    """What the formulas look at; None: of somebody who has never bought."""
    days = facts.get(f"{DAYS_SINCE}trait.{fields.recency}")
    if not isinstance(days, float):
        return None
    numbers = []
    for name in (fields.frequency, fields.monetary):
        value = facts.get(f"trait.{name}")
        numbers.append(value if isinstance(value, float) else 0.0)
    return rfm.RfmValues(days, *numbers)


def _pages(customers: Iterator[Customer]) -> Iterator[list[Customer]]:
    page: list[Customer] = []
    for customer in customers:
        page.append(customer)
        if len(page) == 1000:
            yield page
            page = []
    if page:
        yield page


def _numbers(facts: Facts, names: Sequence[str]) -> dict[str, float]:
    """The numbers among facts: those that are named, else those of traits.

    The scores of an RFM trait say what the other traits say already.
    """
    return {
        name: value
        for name, value in facts.items()
        if isinstance(value, float)
        and (name in names if names else _is_own_trait(name))
    }


def _is_own_trait(name: str) -> bool:
    root, _, rest = name.removeprefix(DAYS_SINCE).partition(".")
    return root == "trait" and "." not in rest
