"""Which triggers can an event meet? An index, so that not all of them need be asked.

Most triggers want something of one field: `event.campaign == "spring"`, a total above 100,
an address that starts with "/shop/". An index knows of each trigger one such *need*: what
must hold for the trigger to be met, though it may not be enough. It gives the triggers
whose need an event meets; only their whole conditions are asked then.

Of several needs the most selective one is taken: equality before a prefix before a range
of numbers before a field that must be there; among equals the one that the fewest other
triggers share. What needs nothing that an index can know is always asked.

A need never says no where the condition would say yes. It may say yes too often: `1` and
`true` are one value to it, and a list holds each of its elements.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from journeykit.engine.conditions import Predicate
from journeykit.engine.patterns import Pattern, leaves, needed
from journeykit.model import cel
from journeykit.model.events import INNER
from journeykit.model.patterns import Field, Range, Rule

T = TypeVar("T")

LEAST = 8
"""Fewer triggers are asked one by one: that is as fast as to ask an index."""

MOST_NEEDS = 64
"""Of how many alternatives a trigger may be indexed by; with more it is always asked."""

_SOURCE = (
    "$source"  # no property can be asked for it: patterns see it, conditions don't
)

_COMPACT = 8
_PLAIN = frozenset({str, int, float, bool})
_NUMBERS = frozenset({int, float})
_ABSENT = object()


class Need(NamedTuple):
    """What must hold for one field of an event.

    Attributes:
        path: The field: keys below the event's properties.
        kind: `equals`, `prefix`, `numeric` or `there`.
        value: With what it is compared: a value, a text, a `Range`; None for `there`.
        joins: Whether a key of the event may stand for several of the path, as
            `state.status` does for a pattern.
    """

    path: tuple[str, ...]
    kind: str
    value: Any = None
    joins: bool = False

    @property
    def rank(self) -> int:
        """How much it lets through by its kind: less is better."""
        if self.kind == "equals":
            is_word = isinstance(self.value, str | int | float)
            return 0 if is_word and not isinstance(self.value, bool) else 4
        if self.kind == "prefix":
            return 1 if self.value else 5
        if self.kind == "numeric":
            asked: Range = self.value
            return 2 if asked.low > -math.inf and asked.high < math.inf else 3
        return 5


Choice: TypeAlias = tuple[Need, ...]
"""Needs of which one must hold."""

Needs: TypeAlias = Sequence[Choice]
"""Choices that must all hold, so that any of them will do for an index."""


# --- What a condition, what a pattern needs ----------------------------------------------


def needs_of_condition(expr: cel.Expr) -> list[Choice]:
    """What must hold of the event for a condition to hold; empty: nothing that is known."""
    match expr:
        case cel.And(operands):
            return _narrowed(
                [choice for part in operands for choice in needs_of_condition(part)]
            )
        case cel.Or(operands):
            return _any_of([needs_of_condition(part) for part in operands])
        case cel.Compare(op, cel.Path("event") as path, cel.Literal(value)):
            return _compared(path, op, value)
        case cel.Compare(op, cel.Literal(value), cel.Path("event") as path):
            return _compared(path, _MIRRORED.get(op, op), value)
        case cel.In(cel.Path("event") as path, cel.Items(items)) if len(
            items
        ) <= MOST_NEEDS and all(isinstance(item, cel.Literal) for item in items):
            values = [item.value for item in items if isinstance(item, cel.Literal)]
            return _about(path, [("equals", value) for value in values])
        case cel.Call(
            "startsWith", (cel.Path("event") as path, cel.Literal(str() as text))
        ):
            return _about(path, [("prefix", text)])
        case cel.Has(cel.Path("event") as path):
            return _about(path, [("there", None)])
        case _:
            return []


def _narrowed(choices: list[Choice]) -> list[Choice]:
    """Make one range of several of one field: from 100 on, and below 200."""
    ranges: dict[tuple[str, ...], Range] = {}
    others: list[Choice] = []
    for choice in choices:
        need = choice[0]
        if len(choice) > 1 or need.kind != "numeric":
            others.append(choice)
            continue
        one: Range = need.value
        known = ranges.get(need.path, Range())
        low, with_low = max(
            (known.low, not known.with_low), (one.low, not one.with_low)
        )
        high, with_high = min((known.high, known.with_high), (one.high, one.with_high))
        ranges[need.path] = Range(low, not with_low, high, with_high)
    narrow = [(Need(path, "numeric", each),) for path, each in ranges.items()]
    return [*others, *narrow]


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _compared(path: cel.Path, op: str, value: object) -> list[Choice]:
    if op == "==":
        return _about(path, [("equals", value)])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    asked = {
        "<": Range(high=value),
        "<=": Range(high=value, with_high=True),
        ">": Range(low=value),
        ">=": Range(low=value, with_low=True),
    }.get(op)
    return [] if asked is None else _about(path, [("numeric", asked)])


def _about(path: cel.Path, tests: Sequence[tuple[str, object]]) -> list[Choice]:
    keys = path.keys
    # "$time" is an instant and no text; and a position in a list is nothing to look up.
    if not keys or keys == ("$time",) or not all(isinstance(k, str) for k in keys):
        return []
    names = tuple(map(str, keys))
    return [tuple(Need(names, kind, value) for kind, value in tests)]


def _any_of(parts: Sequence[list[Choice]]) -> list[Choice]:
    """One choice out of one for each alternative, if each has any."""
    best = [min(part, key=_weight) for part in parts if part]
    joined = tuple(need for choice in best for need in choice)
    if len(best) < len(parts) or len(joined) > MOST_NEEDS:
        return []
    return [joined]


def needs_of_pattern(pattern: Pattern) -> list[Choice]:
    """What must hold of the event for a pattern to match."""
    rules = pattern.rules
    return (
        _needs_of_rule(rules[0])
        if len(rules) == 1
        else _any_of([_needs_of_rule(rule) for rule in rules])
    )


def _needs_of_rule(rule: Rule) -> list[Choice]:
    return [choice for field in needed(rule) if (choice := _of_field(field))]


def _of_field(field: Field) -> Choice | None:
    path = field.path
    if path[0] == "detail":
        path = path[1:]
    elif path == ("source",):
        path = (_SOURCE,)
    elif path == ("id",):
        path = ("$id",)
    else:
        return None
    if len(field.tests) > MOST_NEEDS:
        return None
    joins = len(path) > 1
    if all(test.kind in ("equals", "prefix", "numeric") for test in field.tests):
        return tuple(Need(path, test.kind, test.value, joins) for test in field.tests)
    return (Need(path, "there", None, joins),)


def _weight(choice: Choice) -> tuple[int, int]:
    return max((need.rank for need in choice), default=0), len(choice)


# --- The index ---------------------------------------------------------------------------


class Index(Generic[T]):
    """Things that stand in an order, by what they need of an event.

    Attributes:
        all: The things, in their order.
    """

    __slots__ = ("_always", "_by_key", "_fields", "_joins", "_source", "all")

    def __init__(self, items: Sequence[tuple[T, Needs]], *, least: int = LEAST) -> None:
        """Index things.

        Args:
            items: Each with what it needs of an event, in their order.
            least: Fewer are not worth an index.
        """
        self.all: tuple[T, ...] = tuple(item for item, _ in items)
        self._always: list[int] | None = None
        self._joins = False
        self._fields: list[_Asked] = []
        self._by_key: dict[str, list[_Asked]] = {}
        self._source: _Look | None = None
        if len(items) < least:
            return
        self._always = always = []
        shared = Counter(
            need for _, needs in items for choice in needs for need in set(choice)
        )
        fields: dict[tuple[str, ...], _Field] = {}
        for place, (_, needs) in enumerate(items):
            choice = min(needs, key=partial(_selectivity, shared), default=None)
            if choice is None:
                always.append(place)
            for need in choice or ():
                fields.setdefault(need.path, _Field()).add(need, place)
                self._joins |= need.joins
        for path, found in fields.items():
            asked = found.compiled(path)
            if path == (_SOURCE,):
                self._source = asked[-1]
                continue
            self._fields.append(asked)
            self._by_key.setdefault(path[0], []).append(asked)

    def candidates(self, fields: Mapping[str, Any], source: str) -> Sequence[T]:
        """The things that an event may meet, in their order.

        Args:
            fields: The event's properties, and `$id`.
            source: The event's source.
        """
        if self._always is None:
            return self.all
        if self._joins and any("." in key for key in fields):
            return self.all  # such a key stands for several of a path
        asked: Iterable[_Asked] = self._fields
        if len(self._by_key) > len(fields):  # rather go through the event's own fields
            by_key = self._by_key
            asked = [one for key in fields if key in by_key for one in by_key[key]]
        places: Sequence[int] = self._always
        for key, below, ask, look in asked:
            value = whole = fields.get(key, _ABSENT)
            if below:
                value = whole.get(below) if type(whole) is dict else None
            if type(value) in _PLAIN:
                found = ask(value)
            elif whole is _ABSENT:
                continue
            else:
                found = look(whole)
            if found:
                places = [*places, *found] if places else found
        if self._source is not None and (found := self._source(source)):
            places = [*places, *found]
        things = self.all
        if len(places) <= 1:
            return (things[places[0]],) if places else ()
        return [things[place] for place in sorted(set(places))]


_Look: TypeAlias = Callable[[Any], Sequence[int]]
_Ask: TypeAlias = Callable[[Any], Sequence[int] | None]


_Asked: TypeAlias = tuple[str, str, _Ask, _Look]
"""The question who needs what an event holds in one field.

The field's first key. The second one, if that is all of it; empty: the first one is, or
not even two are. What asks of a text, a number or a truth that stands right there. What
asks of whatever stands under the first key. No named tuple: those are slow to take apart.
"""


def _selectivity(shared: Mapping[Need, int], choice: Choice) -> tuple[int, int, str]:
    # By text at last, so that an index is the same whatever the order of hashes.
    rank, _ = _weight(choice)
    return rank, sum(shared[need] for need in choice), repr(choice)


class _Field:
    """Who needs what of one field."""

    def __init__(self) -> None:
        self.equals: dict[object, list[int]] = {}
        self.prefixes: dict[int, dict[str, list[int]]] = {}
        self.ranges: list[tuple[Range, int]] = []
        self.there: list[int] = []

    def add(self, need: Need, place: int) -> None:
        """Note a need of the thing at this place."""
        match need.kind:
            case "equals":
                self.equals.setdefault(need.value, []).append(place)
            case "prefix":
                texts = self.prefixes.setdefault(len(need.value), {})
                texts.setdefault(need.value, []).append(place)
            case "numeric":
                self.ranges.append((need.value, place))
            case _:
                self.there.append(place)

    def compiled(self, path: tuple[str, ...]) -> _Asked:
        """Compile the question who needs what stands in the field."""
        ask, there, rest = self._asked(), self.there, path[1:]

        def several(value: object) -> Sequence[int]:
            """Ask of all that lies in lists, or under keys that hold dots."""
            places = list(there)
            for leaf, _ in leaves(value, rest):
                places += ask(leaf) or ()
            return places

        def look(value: object) -> Sequence[int]:
            below = value
            for key in rest:
                if type(below) is not dict:
                    return several(value) if isinstance(below, list | tuple) else ()
                if key not in below:
                    is_joined = any("." in other for other in below)
                    return several(value) if is_joined else ()
                below = below[key]
            if isinstance(below, dict | list | tuple):
                return several(value)
            found = ask(below) or ()
            return [*there, *found] if there else found

        if there or len(rest) > 1:
            return path[0], "", look, look
        return path[0], rest[0] if rest else "", ask, look

    def _asked(self) -> _Ask:
        """Compile the question who needs this text, number, truth or null."""
        equals, prefixes = self.equals, sorted(self.prefixes.items())
        within = _ranges(self.ranges) if self.ranges else None
        nobody: list[int] = []
        if not prefixes and within is None:
            return equals.get
        if within is not None and not equals and not prefixes:
            return within
        if not equals and within is None and len(prefixes) == 1:
            ((size, begun),) = prefixes
            return lambda value: (
                begun.get(value[:size], nobody) if type(value) is str else nobody
            )

        def ask(value: Any) -> Sequence[int]:
            places = equals.get(value, nobody)
            kind = type(value)
            if kind is str:
                for length, texts in prefixes:
                    if found := texts.get(value[:length]):
                        places = [*places, *found]
            elif within is not None and (inside := within(value)):
                places = [*places, *inside]
            return places

        return ask


def _ranges(ranges: Sequence[tuple[Range, int]]) -> _Look:
    """Compile the question in which ranges a value lies, if it is a number.

    The bounds part the numbers into slots, of which each bound is one. A table says which
    ranges cover a slot; where ranges overlap so much that it would be large, a tree over
    the slots does, in which a range stands at a few nodes.
    """
    bounds = sorted(
        {
            end
            for each, _ in ranges
            for end in (each.low, each.high)
            if abs(end) < math.inf
        }
    )
    size = 2 * len(bounds) + 1

    def slot(value: float) -> int:
        n = bisect_left(bounds, value)
        return 2 * n + 1 if n < len(bounds) and bounds[n] == value else 2 * n

    covered: list[tuple[int, int, int]] = []  # first, behind the last, whose
    for each, place in ranges:
        first = 0 if each.low == -math.inf else slot(each.low) + (not each.with_low)
        behind = size if each.high == math.inf else slot(each.high) + each.with_high
        covered.append((first, behind, place))
    if sum(behind - first for first, behind, _ in covered) <= _COMPACT * len(ranges):
        table: list[list[int]] = [[] for _ in range(size)]
        for first, behind, place in covered:
            for n in range(first, behind):
                table[n].append(place)
        return lambda value: table[slot(value)] if type(value) in _NUMBERS else ()
    tree: list[list[int]] = [[] for _ in range(2 * size)]
    for first, behind, place in covered:
        low, high = first + size, behind + size
        while low < high:
            if low & 1:
                tree[low].append(place)
                low += 1
            if high & 1:
                high -= 1
                tree[high].append(place)
            low, high = low >> 1, high >> 1

    def within(value: Any) -> Sequence[int]:
        places: list[int] = []
        if type(value) not in _NUMBERS:
            return places
        node = slot(value) + size
        while node:
            places += tree[node]
            node >>= 1
        return places

    return within


# --- All triggers of a catalog -----------------------------------------------------------


class Hearing(NamedTuple):
    """An event that something is for.

    Attributes:
        event: The event's name; None: the pattern says it.
        where: The condition.
        pattern: The pattern, of a trigger that has one.
    """

    event: str | None
    where: Predicate | None = None
    pattern: Pattern | None = None

    @property
    def needs(self) -> list[Choice]:
        """What must hold of the event."""
        needs = [] if self.pattern is None else needs_of_pattern(self.pattern)
        if self.where is not None:
            needs += needs_of_condition(self.where.expr)
        return needs


class Triggers(Generic[T]):
    """Everything that events start, in the order of precedence.

    Attributes:
        names: The names of the events that start something; of patterns that name
            events only in part, or not at all, `others` knows.
        others: Those patterns.
    """

    __slots__ = ("_named", "_others", "_place", "names", "others")

    def __init__(
        self, items: Sequence[tuple[T, Hearing]], *, least: int = LEAST
    ) -> None:
        """Index what events start, given in the order of precedence."""
        self._place = {id(item): place for place, (item, _) in enumerate(items)}
        named: dict[str, list[tuple[T, Needs]]] = {}
        open_: list[tuple[T, Needs]] = []
        others: list[Pattern] = []
        for item, hearing in items:
            needs, pattern = hearing.needs, hearing.pattern
            names = None if pattern is None else pattern.names
            if hearing.event is not None:
                names = frozenset([hearing.event])
            elif pattern is not None and names is None:
                open_.append((item, needs))
                others.append(pattern)
            for name in names or ():
                named.setdefault(name, []).append((item, needs))
        self._named = {name: Index(found, least=least) for name, found in named.items()}
        self._others = Index(open_, least=least) if open_ else None
        self.names = frozenset(named)
        self.others = tuple(others)

    def candidates(
        self, name: str, fields: Mapping[str, Any], source: str = ""
    ) -> Sequence[T]:
        """What an event may start, by precedence; its conditions are still to be asked."""
        index = self._named.get(name)
        found = () if index is None else index.candidates(fields, source)
        if self._others is None or name in INNER:
            return found
        return self._joined(found, self._others.candidates(fields, source))

    def all(self, name: str) -> Sequence[T]:
        """What listens to events of this name; for who wants to know why it didn't start."""
        index = self._named.get(name)
        found = () if index is None else index.all
        if self._others is None or name in INNER:
            return found
        names_it = [pattern.names_it(name) for pattern in self.others]
        more = [
            item
            for item, is_it in zip(self._others.all, names_it, strict=True)
            if is_it
        ]
        return self._joined(found, more)

    def _joined(self, some: Sequence[T], more: Sequence[T]) -> Sequence[T]:
        if not some or not more:
            return some or more
        return sorted([*some, *more], key=lambda item: self._place[id(item)])


class HeardNames(frozenset[str]):
    """The names of events that mean something, where patterns don't list them all.

    Like a set, it holds what it lists; asked for another name, it asks the patterns. What
    happens inside is heard by its listed name only.

    Attributes:
        patterns: The patterns.
    """

    patterns: tuple[Pattern, ...] = ()

    def __contains__(self, name: object) -> bool:
        """Whether an event of this name may mean something to anybody."""
        if frozenset.__contains__(self, name):
            return True
        if not isinstance(name, str) or name in INNER:
            return False
        return any(pattern.names_it(name) for pattern in self.patterns)


def heard(names: Iterable[str], patterns: tuple[Pattern, ...]) -> frozenset[str]:
    """The names of all events that mean something; a plain set without patterns."""
    if not patterns:
        return frozenset(names)
    found = HeardNames(names)
    found.patterns = patterns
    return found
