"""Event patterns, compiled: does an event match?

`journeykit.model.patterns` says what a pattern is. An event is asked as the tree that
EventBridge would see:

    {"source": …, "detail-type": its name, "detail": its properties, "id": …, "time": …}

A field of the pattern matches if one of the values at its path does. Where the path goes
through lists there may be many; *array consistency* then wants all fields that go through
one list to match in the same element of it. `{"exists": false}` wants no value at the
path, in the elements that the fields before it (by name) have chosen. Only text, numbers,
true, false and null are values: an empty list or a mapping counts as absent. That is how
https://github.com/aws/event-ruler decides, the engine behind EventBridge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from journeykit.model.patterns import Field, Range, Rule, Test, names_of, parsed

_Takes: TypeAlias = Callable[[object], bool]

# Where a value was found: for each list on the way to it, how many keys of the path were
# passed by then, and the position in the list.
_Place: TypeAlias = tuple[tuple[int, int], ...]

_NOWHERE: _Place = ()
_ABSENT = object()
_LISTED = object()


class _Compiled(NamedTuple):
    """A field, ready to be asked.

    Attributes:
        path: The keys down to it.
        takes: Whether a value matches.
        absent: Whether it matches when there is no value.
        shared: How many keys it has in common with the field before it.
    """

    path: tuple[str, ...]
    takes: _Takes
    absent: bool
    shared: int


class Pattern:
    """A compiled pattern.

    Attributes:
        rules: What it was taken apart into.
        names: The names of the events that it can match; None: it may be any.
    """

    __slots__ = ("_rules", "names", "rules")

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read and compile it.

        Raises:
            DefinitionError: It is no pattern.
        """
        self.rules: tuple[Rule, ...] = parsed(document)
        self.names = names_of(self.rules)
        self._rules = [_compiled(rule) for rule in self.rules]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event matches; it is a tree as EventBridge has them."""
        for rule in self._rules:  # noqa: SIM110 - any() makes a generator each time
            if _holds(rule, event):
                return True
        return False

    def names_it(self, name: str) -> bool:
        """Whether the name alone leaves it open that an event of this name matches."""
        if self.names is not None:
            return name in self.names
        return any(
            all(field.takes(name) for field in rule if field.path == _NAME)
            for rule in self._rules
        )

    def shortfall(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What kept an event from matching, as a detail of a trace entry.

        Returns:
            `rule`, the field that does not match (of several alternatives, that of the one
            that got furthest), and `values` or `missing` as conditions have them. Empty
            if each field matches, but not all in the same element of a list.
        """
        furthest, found = -1, {}
        for rule in self._rules:
            for n, field in enumerate(rule):
                values = [value for value, _ in leaves(event, field.path)]
                if not any(map(field.takes, values)) and (values or not field.absent):
                    if n > furthest:
                        furthest, found = n, _said(field.path, values)
                    break
        return found


def _said(path: tuple[str, ...], values: Sequence[object]) -> dict[str, Any]:
    """Name a field as conditions do, with what was there."""
    inside = path[1:] if path[0] == "detail" else (f"${path[0]}",)
    name, rule = f"event.{'.'.join(inside)}", ".".join(path)
    if not values:
        return {"rule": rule, "missing": [name]}
    return {"rule": rule, "values": {name: values[0] if len(values) == 1 else values}}


_NAME = ("detail-type",)


# --- The event's side: what is where -----------------------------------------------------


def leaves(event: object, path: tuple[str, ...]) -> Iterator[tuple[object, _Place]]:
    """The values at a path, each with its place in the lists on the way.

    A key of the event may itself hold dots, as it may in EventBridge.
    """
    return _leaves(event, path, 0, _NOWHERE)


def _leaves(
    value: object, path: tuple[str, ...], passed: int, place: _Place
) -> Iterator[tuple[object, _Place]]:
    if isinstance(value, list | tuple):
        for n, item in enumerate(value):
            yield from _leaves(item, path, passed, (*place, (passed, n)))
    elif passed == len(path):
        if not isinstance(value, dict):
            yield value, place
    elif isinstance(value, dict):
        for end in range(passed + 1, len(path) + 1):
            key = path[passed] if end == passed + 1 else ".".join(path[passed:end])
            if key in value:
                yield from _leaves(value[key], path, end, place)


def _plain(event: object, path: tuple[str, ...]) -> object:
    """The value at a path, if there is no list on the way; `_LISTED` if there is one."""
    value = event
    for n, key in enumerate(path):
        if not isinstance(value, dict):
            return _LISTED if isinstance(value, list | tuple) else _ABSENT
        found = value.get(key, _ABSENT)
        if found is _ABSENT:
            # A key that holds dots stands for several of the path.
            return _LISTED if n + 1 < len(path) and _has_dots(value) else _ABSENT
        value = found
    if isinstance(value, list | tuple):
        return _LISTED
    return _ABSENT if isinstance(value, dict) else value


def _has_dots(value: Mapping[str, object]) -> bool:
    return any("." in key for key in value)


# --- The pattern's side ------------------------------------------------------------------


def _holds(rule: Sequence[_Compiled], event: Mapping[str, Any]) -> bool:
    """Whether all fields of a rule match."""
    for field in rule:
        value = _plain(event, field.path)
        if value is _LISTED:
            return _holds_in_lists(rule, event)
        if not (field.absent if value is _ABSENT else field.takes(value)):
            return False
    return True


def _holds_in_lists(rule: Sequence[_Compiled], event: Mapping[str, Any]) -> bool:
    """Whether all fields match, those that go through one list in the same element.

    Fields that share a list stand side by side, as they are sorted by name. So all there
    is to know of those before is where the last one has been in the lists that the next
    one shares: there are never more such places than values in the event.
    """
    places: set[_Place] = {_NOWHERE}
    for field in rule:
        found = list(leaves(event, field.path))
        # What is behind the keys in common are other lists.
        places = {_within(place, field.shared) for place in places}
        lengths = {len(place) for place in places}
        every = _prefixes([place for _, place in found], lengths)
        hits = [place for value, place in found if field.takes(value)]
        fits = _prefixes(hits, lengths)
        behind = {at for place in places for at in fits.get(place, ())}
        if field.absent:
            behind |= {place for place in places if place not in every}
        if not behind:
            return False
        places = behind
    return True


def _within(place: _Place, keys: int) -> _Place:
    """The part of a place that lies in the lists behind the first keys of a path."""
    return tuple(item for item in place if item[0] <= keys)


def _prefixes(
    places: Sequence[_Place], lengths: set[int]
) -> dict[_Place, list[_Place]]:
    """Places by their beginnings of these lengths."""
    found: dict[_Place, list[_Place]] = {}
    for place in places:
        for length in lengths:
            found.setdefault(place[:length], []).append(place)
    return found


def _compiled(rule: Rule) -> list[_Compiled]:
    fields: list[_Compiled] = []
    before: tuple[str, ...] = ()
    for field in rule:
        fields.append(
            _Compiled(
                field.path,
                _takes(field.tests),
                any(test == _MUST_BE_ABSENT for test in field.tests),
                _shared(before, field.path),
            )
        )
        before = field.path
    return fields


_MUST_BE_ABSENT = Test("exists", False)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many keys two paths begin with in common."""
    for n, (key, its) in enumerate(zip(one, other, strict=False)):
        if key != its:
            return n
    return min(len(one), len(other))


def _takes(tests: Sequence[Test]) -> _Takes:
    """Compile the tests of which one must hold."""
    texts = frozenset(
        test.value
        for test in tests
        if test.kind == "equals" and isinstance(test.value, str)
    )
    others = [
        _TESTS[test.kind](test.value)
        for test in tests
        if not (test.kind == "equals" and isinstance(test.value, str))
    ]
    if not others:
        return lambda value: isinstance(value, str) and value in texts
    if len(others) == 1 and not texts:
        return others[0]

    def takes(value: object) -> bool:
        if isinstance(value, str) and value in texts:
            return True
        return any(other(value) for other in others)

    return takes


def _equals(wanted: object) -> _Takes:
    if isinstance(wanted, str):
        return lambda value: value == wanted
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    return lambda value: _is_number(value) and value == wanted


def _is_number(value: object) -> bool:
    return type(value) is int or type(value) is float


def _on_text(test: Callable[[str, str], bool], *, lower: bool = False) -> Any:
    def made(wanted: str) -> _Takes:
        if lower:
            return lambda value: isinstance(value, str) and test(value.lower(), wanted)
        return lambda value: isinstance(value, str) and test(value, wanted)

    return made


def _wildcard(parts: tuple[str, ...]) -> _Takes:
    """Find the texts between the asterisks one behind the other.

    The earliest place for each is the best, so it takes one pass and no going back.
    """
    first, *between, last = parts if len(parts) > 1 else (parts[0], "")
    is_exact = len(parts) == 1

    def takes(value: object) -> bool:
        if not isinstance(value, str):
            return False
        if is_exact:
            return value == first
        end = len(value) - len(last)
        at = len(first)
        if at > end or not (value.startswith(first) and value.endswith(last)):
            return False
        for part in between:
            found = value.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return takes


def _numeric(asked: Range) -> _Takes:
    low, with_low, high, with_high = asked

    def takes(value: Any) -> bool:
        if not _is_number(value):
            return False
        above = value >= low if with_low else value > low
        return bool(above and (value <= high if with_high else value < high))

    return takes


def _cidr(text: str) -> _Takes:
    # Only who asks for addresses pays for the module.
    from ipaddress import ip_address, ip_network

    block = ip_network(text, strict=False)

    def takes(value: object) -> bool:
        if not isinstance(value, str):
            return False
        try:
            address = ip_address(value)
        except ValueError:
            return False
        return address.version == block.version and address in block

    return takes


def _exists(wanted: bool) -> _Takes:
    return lambda value: wanted


def _anything_but(tests: Sequence[Test]) -> _Takes:
    hit = _takes(tests)
    return lambda value: not hit(value)


_TESTS: dict[str, Callable[[Any], _Takes]] = {
    "equals": _equals,
    "equals-ignore-case": _on_text(str.__eq__, lower=True),
    "prefix": _on_text(str.startswith),
    "prefix-ignore-case": _on_text(str.startswith, lower=True),
    "suffix": _on_text(str.endswith),
    "suffix-ignore-case": _on_text(str.endswith, lower=True),
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "exists": _exists,
    "anything-but": _anything_but,
}


def needed(rule: Rule) -> Iterator[Field]:
    """The fields of a rule without which it can't match."""
    for field in rule:
        if not any(test == _MUST_BE_ABSENT for test in field.tests):
            yield field
