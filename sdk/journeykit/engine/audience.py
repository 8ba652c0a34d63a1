"""Who a customer is: segments, the lifecycle stage, and when time alone changes them.

Theory of operation
===================

**Nodes.** Each segment is a node, and all stages together are one. A node knows what it
reads: fields of the profile, traits, consents, lists, other nodes. They stand in an order
in which each comes after those that it reads; a circle is refused.

**Judging.** What a reaction has changed is found by looking which containers of the draft
are others than when it was last asked. Only the nodes that read of them are asked again,
and the nodes that read those whose answer is another one now. So an event costs what it
changes, however many segments there are.

**Time.** A condition with `olderThan` and its kin, or on a sliding trait, may change its
answer by itself. `flips_at` is the first instant at which that could be so for any node;
it is one of the customer's due instants, and at each of them all such nodes are judged.
Between two of them nothing can change but by what happens.

**Another audience.** Who was last judged by other definitions is judged anew by those that
have changed, as of when these were published, without anybody entering or leaving: what
somebody is has not changed, only what it is called. `Audience.version` tells definitions
apart. A node that is what it was, and reads only what is, goes on as if nothing had been
published: what flips it by then is told, at its own instant. The document of the audience
says of each definition in which revision of the catalog it was published, and the customer
knows the revision that they were judged by.
"""

from __future__ import annotations

import json
from collections.abc import (
    Collection,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from hashlib import blake2b
from operator import is_not
from typing import Any, Literal, NamedTuple, Self

from journeykit.engine.calendar import LATEST
from journeykit.engine.conditions import Predicate, compile_condition
from journeykit.engine.draft import Draft, explained
from journeykit.engine.traits import TraitRules
from journeykit.engine.values import Document
from journeykit.errors import DefinitionError
from journeykit.model.events import SEGMENT_ENTERED, SEGMENT_LEFT, STAGE_CHANGED
from journeykit.model.precedence import Circle, in_order

HIDDEN = "~"
"""How the names of segments and traits begin that no author has given."""

STAGE = "stage"
"""The name under which `trait` holds the stage."""

_OF_STAGE = frozenset([STAGE, "stage_since"])
_BYTES = 6  # of the version: 48 bits, which every JSON reader takes as a whole number


class Change(NamedTuple):
    """What somebody is now that they were not, or the other way round.

    Attributes:
        kind: `segment` or `stage`.
        name: The segment; of the stage, the new one, or empty.
        before: Of the stage, the one before, or empty.
        entered: Of a segment, whether the customer is in it now.
        rule: The condition; None: a list, or everybody.
    """

    kind: Literal["segment", "stage"]
    name: str
    before: str = ""
    entered: bool = True
    rule: Predicate | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether no author knows of it."""
        return self.name.startswith(HIDDEN)


class Defined(NamedTuple):
    """When a definition was published.

    Attributes:
        revision: The first revision of the catalog that has it.
        at: When that was published, milliseconds.
    """

    revision: int
    at: int


_NOT_KNOWN = Defined(LATEST, LATEST)  # with each publish, as far as anybody can tell


class _Node:
    """A segment, or the stages.

    Attributes:
        name: The segment's; empty for the stages.
        test: The condition of a segment; None: it is a list.
        stages: The stages, the last one first.
        readers: The places of the nodes that read this one.
        is_timed: Whether its answer may change by itself.
        sliding: The sliding traits that it reads.
        defined: When it was published, or what it reads was, whichever is later.
    """

    __slots__ = (
        "defined",
        "is_timed",
        "name",
        "readers",
        "sliding",
        "stages",
        "test",
    )

    def __init__(
        self,
        name: str,
        test: Predicate | None,
        stages: tuple[tuple[str, Predicate | None], ...] = (),
    ) -> None:
        self.name = name
        self.test = test
        self.stages = stages
        self.readers: list[int] = []
        self.is_timed = False
        self.sliding: tuple[str, ...] = ()
        self.defined = _NOT_KNOWN

    @property
    def tests(self) -> Iterator[Predicate]:
        """Its conditions."""
        if self.test is not None:
            yield self.test
        yield from (test for _, test in self.stages if test is not None)

    def reads(self, root: str) -> set[str]:
        """What it reads of a root: names, or empty text for all of it."""
        return {
            str(path[1]) if path[1:] else ""
            for test in self.tests
            for path in test.paths
            if path[0] == root
        }


class Audience:
    """The segments and stages that are live, ready to judge by.

    Attributes:
        version: Tells these definitions from others; 0: there are none.
        at: Since when they are live, milliseconds.
        names: The segments, hidden ones among them.
        stages: The stages, the earliest first.
        is_empty: Whether there is nothing to judge.
    """

    def __init__(
        self,
        nodes: list[_Node],
        traits: TraitRules,
        *,
        version: int,
        at: int,
        defined: Mapping[str, Sequence[int]] = {},
    ) -> None:
        """Index what the nodes read; use `compile` to make an audience."""
        self._nodes = _in_order(nodes)
        self._traits = traits
        self.version = version
        self.at = at
        self.names = frozenset(node.name for node in self._nodes if node.name)
        self.stages = tuple(
            name for node in self._nodes for name, _ in reversed(node.stages)
        )
        self.is_empty = not self._nodes
        self._by_field: dict[str, list[int]] = {}
        self._by_trait: dict[str, list[int]] = {}
        self._by_list: dict[str, list[int]] = {}
        self._by_consent: list[int] = []
        self._by_score: list[int] = []
        places = {node.name: place for place, node in enumerate(self._nodes)}
        for place, node in enumerate(self._nodes):
            self._index(place, node)
            for read in _read_nodes(node) & places.keys():
                self._nodes[places[read]].readers.append(place)
            node.defined = self._defined(node, places, defined)
        self._timed = [n for n, node in enumerate(self._nodes) if node.is_timed]

    def _defined(
        self,
        node: _Node,
        places: Mapping[str, int],
        defined: Mapping[str, Sequence[int]],
    ) -> Defined:
        own = f"segment:{node.name}" if node.name else "stages"
        traits = (f"trait:{name}" for name in node.reads("trait") - _OF_STAGE)
        found = [
            Defined(*defined[name]) if name in defined else _NOT_KNOWN
            for name in (own, *traits)
        ]
        # What it reads stands before it. What there is no more was there once.
        found += [
            self._nodes[places[read]].defined if read in places else _NOT_KNOWN
            for read in _read_nodes(node)
        ]
        return max(found)

    def _index(self, place: int, node: _Node) -> None:
        read = node.reads("trait") - _OF_STAGE
        node.sliding = tuple(sorted(filter(self._traits.is_sliding, read)))
        node.is_timed = bool(node.sliding) or any(test.asks_time for test in node.tests)
        fields = node.reads("profile")
        if node.is_timed or read:
            fields |= {"zone"}  # by whose calendar and clock it is said
        for field in sorted(fields):
            self._by_field.setdefault(field, []).append(place)
        for name in sorted(read):
            self._by_trait.setdefault(name, []).append(place)
        if read:
            self._by_score.append(place)
        if node.reads("consent"):
            self._by_consent.append(place)
        if node.test is None and node.name:
            self._by_list.setdefault(node.name, []).append(place)

    @classmethod
    def compile(
        cls,
        document: Document,
        traits: TraitRules,
        brought: Iterable[tuple[Iterable[Document], Iterable[Document]]] = (),
    ) -> Self:
        """Compile segments and stages.

        Args:
            document: The plan document of the audience: `segments`, `stages`, `traits`,
                `at` and `defined`, each of which may be missing. `defined` says of
                `trait:NAME`, `segment:NAME` and `stages` in which revision of the
                catalog, and when, they were published; of what it doesn't know, nobody
                knows that it was there before.
            traits: The traits, hidden ones among them.
            brought: The hidden traits and segments of live journeys' triggers.

        Raises:
            DefinitionError: Two have one name, or they read each other in a circle.
        """
        segments = list(document.get("segments") or ())
        stages = list(document.get("stages") or ())
        defined = [list(document.get("traits") or ()), [*segments], stages]
        hidden = []
        for own_traits, own_segments in brought:
            segments += own_segments
            hidden += [*own_traits, *own_segments]
        # In whatever order the journeys are: they define the same.
        defined.append(sorted(hidden, key=json.dumps))
        nodes: dict[str, _Node] = {}
        for item in segments:
            name = item["id"]
            if name in nodes:
                raise DefinitionError(f"two segments are called {name!r}; rename one")
            when = None if item.get("listed") else compile_condition(item["when"])
            nodes[name] = _Node(name, when)
        if stages:
            tests = tuple((s["id"], _compiled(s.get("when"))) for s in stages)
            nodes[""] = _Node("", None, tests[::-1])
        return cls(
            list(nodes.values()),
            traits,
            # Where there is nothing to judge, nobody is judged by anything.
            version=_version(defined) if nodes else 0,
            at=document.get("at") or 0,
            defined=document.get("defined") or {},
        )

    def differing(self, revision: int) -> dict[int, int]:
        """Say which nodes are others than in an earlier revision of the catalog.

        Returns:
            Their places, each with when it was published, milliseconds.
        """
        return {
            place: min(node.defined.at, self.at)
            for place, node in enumerate(self._nodes)
            if node.defined.revision > revision
        }

    def named(self, places: Iterable[int]) -> set[str]:
        """Name the nodes at some places; the stages are the empty name."""
        return {self._nodes[place].name for place in places}

    def judge(
        self,
        draft: Draft,
        *,
        everything: bool = False,
        timed: bool = False,
        also: Collection[int] | None = None,
        without: Collection[int] = (),
    ) -> list[Change]:
        """Write down who the customer is at `draft.at`; return what is new about them.

        Args:
            draft: The customer. `draft.judged` is what they were last judged by.
            everything: Whether to ask every node, whatever has changed.
            timed: Whether to ask those that time alone may change.
            also: The places of nodes to ask in any case, as they are others than before.
            without: The places of nodes that are not asked yet, whatever has changed.
        """
        places = range(len(self._nodes)) if everything else self._affected(draft)
        draft.judged = _known(draft)
        dirty = {*places, *self._timed} if timed else {*places, *(also or ())}
        if without:
            dirty.difference_update(without)
        is_other = everything or also is not None
        if not (dirty or is_other):
            return []
        changes: list[Change] = []
        is_timed = False
        # Readers stand behind what they read, so one pass comes by everybody.
        for place in range(min(dirty, default=0), len(self._nodes)):
            if place not in dirty:
                continue
            node = self._nodes[place]
            is_timed = is_timed or node.is_timed
            change = self._segment(node, draft) if node.name else _stage(node, draft)
            if change is not None:
                changes.append(change)
                dirty.update(node.readers)
                if without:
                    dirty.difference_update(without)
        if everything:
            changes += self.gone(draft)
        if is_timed or is_other:
            self._set_flip(draft, without, timed=timed)
        return changes

    def changed(self, draft: Draft) -> set[str]:
        """What has changed since the customer was last judged, as conditions call it."""
        known = draft.judged or _known(draft.before)
        return {
            root
            for root, before, now in zip(_ROOTS, known, _known(draft), strict=True)
            if now is not before
        }

    def _segment(self, node: _Node, draft: Draft) -> Change | None:
        name, test = node.name, node.test
        holds = name in draft.lists if test is None else test(draft.scope)
        if holds is (name in draft.segments):
            return None
        if holds:
            draft.segments = {**draft.segments, name: draft.at}
        else:
            draft.segments = {
                known: since for known, since in draft.segments.items() if known != name
            }
        draft.changed = True
        return Change("segment", name, entered=holds, rule=test)

    def gone(self, draft: Draft) -> Iterator[Change]:
        """Take out of segments, and of a stage, that there are no more."""
        gone = [name for name in draft.segments if name not in self.names]
        for name in gone:
            yield Change("segment", name, entered=False)
        if gone:
            draft.segments = {
                name: since
                for name, since in draft.segments.items()
                if name in self.names
            }
            draft.changed = True
        if draft.stage and draft.stage not in self.stages:
            yield Change("stage", "", before=draft.stage)
            draft.stage, draft.staged_at, draft.changed = "", draft.at, True

    def _set_flip(self, draft: Draft, without: Collection[int], *, timed: bool) -> None:
        flips_at = LATEST
        known = draft.flips_at
        if known is not None and known <= draft.at and not timed:
            flips_at = known  # due, and yet to come: only its own instant ends it
        scope, traits = draft.scope, self._traits
        sliding: set[str] = set()  # many may read one
        for place in self._timed:
            if place not in without:
                node = self._nodes[place]
                sliding.update(node.sliding)
                for test in node.tests:
                    flips_at = min(flips_at, test.next_change(scope))
        for name in sliding:
            slides_at = traits.next_change(name, draft.traits, draft.at, draft.zone)
            flips_at = min(flips_at, slides_at)
        due = None if flips_at >= LATEST else flips_at
        if due != draft.flips_at:
            draft.flips_at, draft.changed = due, True

    def _affected(self, draft: Draft) -> set[int]:
        """The nodes that read something which is not what it was."""
        profile, traits, consents, scores, lists = draft.judged or _known(draft.before)
        found: set[int] = set()
        if draft.profile is not profile:
            for field, places in self._by_field.items():
                if not field or _differs(profile, draft.profile, field):
                    found.update(places)
        if draft.traits is not traits:
            for name, places in self._by_trait.items():
                if not name or traits.get(name) is not draft.traits.get(name):
                    found.update(places)
        if draft.lists is not lists:
            for name, places in self._by_list.items():
                if (name in lists) is not (name in draft.lists):
                    found.update(places)
        if draft.consents is not consents:
            found.update(self._by_consent)
        if draft.scores is not scores:
            found.update(self._by_score)
        return found


class Memberships(Mapping[str, bool]):
    """What conditions see as `segment`: every segment, and whether somebody is in it."""

    __slots__ = ("_audience", "_draft")

    def __init__(self, audience: Audience, draft: Draft) -> None:
        """Look at a draft, which may change."""
        self._audience = audience
        self._draft = draft

    def __getitem__(self, name: str) -> bool:
        """Tell whether the customer is in it.

        Raises:
            KeyError: There is no such segment.
        """
        if name in self._draft.segments:
            return True
        if name in self._audience.names:
            return False
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a segment."""
        return name in self._audience.names

    def __iter__(self) -> Iterator[str]:
        """Name the segments that authors have named."""
        return iter(sorted(n for n in self._audience.names if not n.startswith(HIDDEN)))

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)


def told(draft: Draft, changes: Iterable[Change], hears: Container[str]) -> None:
    """Note who the customer is now, and tell journeys that hear of it."""
    for change in changes:
        name = change.name
        detail: dict[str, Any] = {}
        if change.rule is not None and not change.is_hidden:
            detail = explained(change.rule, draft.scope, explain=draft.explain)
        if change.kind == "stage":
            detail = {"from": change.before, **detail}
            draft.note(
                "stage", reason=change.name if change.name else "none", detail=detail
            )
            if STAGE_CHANGED in hears:
                draft.tell(STAGE_CHANGED, {"from": change.before, "to": name})
            continue
        if not change.is_hidden:
            draft.note(
                "segment",
                reason="entered" if change.entered else "left",
                detail={"segment": name, **detail},
            )
        happens = SEGMENT_ENTERED if change.entered else SEGMENT_LEFT
        if happens in hears:
            draft.tell(happens, {"segment": name})


def silently(draft: Draft, changes: Iterable[Change], *, cause: str = "") -> None:
    """Note who the customer is; nobody has entered or left anything.

    Args:
        draft: The customer.
        changes: What they are now and were not, and the other way round.
        cause: `imported`: their past was; `merged`: whom they took in was all that
            already; empty: there are new definitions.
    """
    detail: dict[str, Any] = {}
    for change in changes:
        if change.is_hidden:
            continue
        if change.kind == "stage":
            detail["stage"] = change.name
        else:
            detail.setdefault("in" if change.entered else "out", []).append(change.name)
    if detail or cause != "merged":
        draft.note("judged", reason=cause, detail=detail)


def _stage(node: _Node, draft: Draft) -> Change | None:
    """Find the last stage whose condition holds."""
    scope = draft.scope
    now, rule = next(
        ((name, test) for name, test in node.stages if test is None or test(scope)),
        ("", None),
    )
    before = draft.stage
    if now == before:
        return None
    draft.stage, draft.staged_at, draft.changed = now, draft.at, True
    return Change("stage", now, before=before, rule=rule)


_Known = tuple[Mapping[str, Any], Mapping[str, Any], object, object, Mapping[str, int]]


def _known(of: Any) -> _Known:
    """What nodes may read of a customer or a draft; it is compared by identity."""
    return of.profile, of.traits, of.consents, of.scores, of.lists


def is_stale(draft: Draft) -> bool:
    """Whether anything has changed since the customer was last judged."""
    if draft.judged is not None:
        return any(map(is_not, draft.judged, _known(draft)))
    before = draft.before
    return (
        draft.profile is not before.profile
        or draft.traits is not before.traits
        or draft.consents is not before.consents
        or draft.scores is not before.scores
        or draft.lists is not before.lists
    )


_ROOTS = ("profile", "trait", "consent", "trait", "segment")

_MISSING = object()


def _differs(before: Mapping[str, Any], after: Mapping[str, Any], field: str) -> bool:
    """Whether a field is not what it was; to Python 1 is True, to a condition not."""
    one, other = before.get(field, _MISSING), after.get(field, _MISSING)
    if one is other:
        return False
    plain = type(one) is type(other) and not isinstance(one, dict | list)
    return not plain or bool(one != other)


def _compiled(text: str | None) -> Predicate | None:
    return None if text is None else compile_condition(text)


def _version(defined: list[Any]) -> int:
    """Tell definitions apart; 0 for none at all."""
    if not any(defined):
        return 0
    text = json.dumps(defined, separators=(",", ":"), sort_keys=True)
    return int.from_bytes(blake2b(text.encode(), digest_size=_BYTES).digest(), "big")


def _read_nodes(node: _Node) -> set[str]:
    """The nodes that a node reads, by name."""
    stage = {""} if node.reads("trait") & _OF_STAGE else set()
    return (node.reads("segment") - {""}) | stage


def _in_order(nodes: list[_Node]) -> list[_Node]:
    """Put each node behind those that it reads.

    Raises:
        DefinitionError: They read each other in a circle.
    """
    by_name = {node.name: node for node in nodes}
    try:
        order = in_order({name: _read_nodes(node) for name, node in by_name.items()})
    except Circle as circle:
        names = " → ".join(name or "the stages" for name in circle.names)
        raise DefinitionError(
            f"segments ask for each other in a circle: {names}"
        ) from (circle)
    return [by_name[name] for name in order]
