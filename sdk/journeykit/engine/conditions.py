"""A condition is compiled once to closures and then asked for every event.

CEL has three outcomes: true, false and an error (a missing field, `"a" < 1`). `&&` and
`||` absorb an error on either side where the other side decides; whatever still ends
in an error does not hold. So instead of computing three outcomes, each node is compiled
to the test that is asked of it, "is it true?" or "is it false?", and an error answers
no to both. Negation swaps the questions, and De Morgan does the rest: `a && b` is true
when both are true and false when one is false. Errors need no exceptions on the way.

Where a truth value is itself compared (`(event.a == 1) == event.gift`) and in values,
`_ERROR` stands for the error.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, NamedTuple, Protocol, TypeAlias, assert_never
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import LATEST, add, instant_of, subtract
from journeykit.model import cel
from journeykit.model.durations import Duration

Keys: TypeAlias = tuple[str | int, ...]


class Clock(Protocol):
    """What time it is for a customer, and where: `journeykit.engine.draft.Draft` is one."""

    @property
    def at(self) -> int:
        """The instant on the customer's path, milliseconds."""
        ...

    @property
    def zone(self) -> ZoneInfo:
        """The customer's zone, else UTC."""
        ...


class Scope:
    """What a condition may look at; each part is JSON, or None where there is none.

    Attributes:
        event: Properties of the event being matched, with `$id`, `$name`, `$time`.
        entry: The same of the event that started the run.
        profile: The customer's attributes.
        step: The run's results: step id to what holds the `result`.
        trait: What is computed of the customer's events, and scores.
        segment: Segment to whether the customer is in it.
        consent: Channel, or channel and topic (`email:news`), to whether marketing is
            allowed there; not there where nothing was said.
        clock: What time it is for the customer, and in which zone.
    """

    __slots__ = (
        "clock",
        "consent",
        "entry",
        "event",
        "profile",
        "segment",
        "step",
        "trait",
    )

    def __init__(
        self,
        *,
        event: Mapping[str, object] | None = None,
        entry: Mapping[str, object] | None = None,
        profile: Mapping[str, object] | None = None,
        step: Mapping[str, object] | None = None,
        trait: Mapping[str, object] | None = None,
        segment: Mapping[str, object] | None = None,
        consent: Mapping[str, object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Hold the parts; they may be exchanged between two questions."""
        self.event = event
        self.entry = entry
        self.profile = profile
        self.step = step
        self.trait = trait
        self.segment = segment
        self.consent = consent
        self.clock = clock


class Missing(Exception):
    """A value that isn't there, or can't be computed from what is.

    Attributes:
        path: The text of the path that is missing, or of the whole expression.
    """

    def __init__(self, path: str) -> None:
        """Name the path."""
        super().__init__(f"{path} is missing")
        self.path = path


class Explanation(NamedTuple):
    """Why a condition held, or did not, in the values that it saw.

    Attributes:
        holds: Whether it held.
        values: The value of each path that was there.
        missing: The paths that were needed and not there.
        errors: What could not be answered, such as text ordered against a number.
        would_hold_if: What would have had to differ, in plain words; empty if it held.
    """

    holds: bool
    values: dict[str, object]
    missing: tuple[str, ...]
    errors: tuple[str, ...]
    would_hold_if: str


_Test: TypeAlias = Callable[[Scope], bool]
_Read: TypeAlias = Callable[[Scope], object]
_Words: TypeAlias = Callable[[Scope], str]

# What a read returns for an error; no kind, so that no comparison takes it.
_ERROR = object()


class Predicate:
    """A compiled condition.

    Attributes:
        text: The condition's CEL text, as given.
        paths: The paths that it reads, such as `("event", "total")`.
        holds: The compiled test itself; calling it saves the hop through `__call__`.
        asks_time: Whether its answer may change although nothing happens.
    """

    __slots__ = (
        "_edges",
        "_explain",
        "_expr",
        "asks_time",
        "holds",
        "paths",
        "text",
    )

    def __init__(self, text: str) -> None:
        """Parse and compile the text."""
        self.text = text
        self._expr = expr = cel.parse(text)
        self.paths: frozenset[Keys] = cel.paths(expr)
        self.holds: _Test = _truth(expr, want=True)
        tests = dict.fromkeys(cel.time_tests(expr))
        self._edges = tuple(_edges(test) for test in tests)
        self.asks_time = bool(tests)
        self._explain: Callable[[Scope], Explanation] | None = None

    def __call__(self, scope: Scope) -> bool:
        """Tell whether the condition holds; one that ends in an error does not."""
        return self.holds(scope)

    @property
    def expr(self) -> cel.Expr:
        """The syntax tree of the text."""
        return self._expr

    def __repr__(self) -> str:
        """Show the text."""
        return f"Predicate({self.text!r})"

    def next_change(self, scope: Scope) -> int:
        """Find the first instant after now at which time alone may change the answer.

        That is an edge of one of its time tests, the value of which is there; the others
        may outweigh it, so at that instant it is asked again. LATEST: never.
        """
        clock = scope.clock
        if clock is None or not self._edges:
            return LATEST
        at = clock.at
        return min(
            (edge for edges in self._edges for edge in edges(scope) if edge > at),
            default=LATEST,
        )

    def explain(self, scope: Scope) -> Explanation:
        """Tell whether the condition holds, and why."""
        if self._explain is None:  # Most conditions are never asked why.
            self._explain = _explanation(self._expr, self.holds)
        return self._explain(scope)


class ValueOf:
    """A compiled value, such as a goal's `event.amount`.

    Attributes:
        text: The expression's CEL text, as given.
        paths: The paths that it reads.
    """

    __slots__ = ("_expr", "_read", "paths", "text")

    def __init__(self, text: str) -> None:
        """Parse and compile the text."""
        self.text = text
        self._expr = expr = cel.parse(text)
        self.paths: frozenset[Keys] = cel.paths(expr)
        # A value is JSON: of `event["$time"]` the text, not the instant.
        self._read = _field(expr) if isinstance(expr, cel.Path) else _value(expr)

    def __call__(self, scope: Scope) -> object:
        """Give the JSON value.

        Raises:
            Missing: A field is not there, or the value can't be computed.
        """
        value = self._read(scope)
        if value is _ERROR:
            missing = _missing(_reads(_needed(self._expr)), scope)
            raise Missing(missing[0] if missing else str(self._expr))
        return cel.instant_text(value) if isinstance(value, datetime) else value

    def __repr__(self) -> str:
        """Show the text."""
        return f"ValueOf({self.text!r})"


def compile_condition(text: str) -> Predicate:
    """Compile a condition's CEL text.

    Raises:
        InvalidCondition: The text does not parse.
    """
    return Predicate(text)


def compile_value(text: str) -> ValueOf:
    """Compile a value's CEL text.

    Raises:
        InvalidCondition: The text does not parse.
    """
    return ValueOf(text)


# --- Tests: is it true? is it false? ------------------------------------------------


def _truth(expr: cel.Expr, *, want: bool) -> _Test:
    """Compile the question whether the expression is `want`; an error answers no."""
    match expr:
        case cel.Not(operand):
            return _truth(operand, want=not want)
        case cel.And(operands) | cel.Or(operands):
            tests = [_truth(operand, want=want) for operand in operands]
            return _all(tests) if isinstance(expr, cel.And) is want else _any(tests)
        case cel.Compare(op, cel.Path() as path, cel.Literal(value)) if want:
            return _literal_test(path, op, value) or _is(_value(expr), want)
        case cel.In(cel.Path() as path, cel.Items(items)) if want:
            return _one_of_test(_value(path), items) or _is(_value(expr), want)
        case cel.Has(cel.Path(root, (str() as key,))) | cel.In(
            cel.Literal(str() as key), cel.Path(root, ())
        ) if want:
            return _has_test(root, key)
        case _:
            return _is(_value(expr), want)


def _is(read: _Read, want: bool) -> _Test:
    return lambda scope: read(scope) is want


def _all(tests: Sequence[_Test]) -> _Test:
    if len(tests) == 2:
        first, second = tests
        return lambda scope: first(scope) and second(scope)

    def every(scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110 - all() makes a generator for each event
            if not test(scope):
                return False
        return True

    return every


def _any(tests: Sequence[_Test]) -> _Test:
    if len(tests) == 2:
        first, second = tests
        return lambda scope: first(scope) or second(scope)

    def some(scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110 - likewise
            if test(scope):
                return True
        return False

    return some


# The commonest shapes, without the detour over a value that may be an error: measured
# at half the time for `event.total > 0`.


def _literal_test(path: cel.Path, op: str, literal: object) -> _Test | None:
    """Compare a field with a literal; only `!=` needs to know an error from a value."""
    read, compare, kinds = _value(path), _COMPARISONS[op], _KINDS_LIKE[type(literal)]
    if op == "!=" or (op != "==" and kinds == (NoneType,)):
        return None
    if len(path.keys) != 1 or path.keys[0] == "$time":

        def nested(scope: Scope) -> bool:
            value = read(scope)
            return type(value) in kinds and compare(value, literal)

        return nested
    fields_of, (key,) = operator.attrgetter(path.root), path.keys

    def field(scope: Scope) -> bool:
        fields = fields_of(scope)
        if fields is None:
            return False
        value = fields.get(key, _ERROR)
        return type(value) in kinds and compare(value, literal)

    return field


def _one_of_test(read: _Read, items: tuple[cel.Expr, ...]) -> _Test | None:
    texts = frozenset(
        item.value
        for item in items
        if isinstance(item, cel.Literal) and isinstance(item.value, str)
    )
    if len(texts) < len(items):
        return None

    def one_of(scope: Scope) -> bool:
        value = read(scope)
        return type(value) is str and value in texts

    return one_of


def _has_test(root: str, key: str) -> _Test:
    fields_of = operator.attrgetter(root)

    def has(scope: Scope) -> bool:
        fields = fields_of(scope)
        return fields is not None and key in fields

    return has


# --- Values -------------------------------------------------------------------------


def _value(expr: cel.Expr) -> _Read:
    """Compile the value of an expression, or `_ERROR`."""
    match expr:
        case cel.Literal(value):
            return lambda _scope: value
        case cel.Items(items):
            return _items([_value(item) for item in items])
        case cel.Path(root, keys):
            field = _field(expr)
            if keys == ("$time",) and root in ("event", "entry"):
                # The only JSON text that is an instant without being asked to be one.
                return lambda scope: _instant(field(scope))
            return field
        case cel.Has(path):
            return _has(_field(cel.Path(path.root, path.keys[:-1])), path.keys[-1])
        case cel.Call("timestamp", (cel.Literal(value),)):
            at = _instant(value)
            return lambda _scope: at
        case cel.Call(name, (target, cel.Literal(text))) if name in cel.TIME_METHODS:
            return _time_test(name, _value(target), Duration.parse(str(text)))
        case cel.Call(name, args):
            return _call(_FUNCTIONS[name], [_value(arg) for arg in args])
        case cel.Compare("==" | "!=" as op, left, right):
            return _equality(_value(left), _value(right), equal=op == "==")
        case cel.Compare(op, left, right):
            return _ordering(_COMPARISONS[op], _value(left), _value(right))
        case cel.In(item, container):
            return _call(_inside, [_value(item), _value(container)])
        case cel.Not() | cel.And() | cel.Or():
            return _outcome(_truth(expr, want=True), _truth(expr, want=False))
        case _:
            assert_never(expr)


def _field(path: cel.Path) -> _Read:
    """Compile a path's JSON value: a map's field, a list's item, the whole root."""
    fields_of = operator.attrgetter(path.root)
    match path.keys:
        case ():

            def root(scope: Scope) -> object:
                fields = fields_of(scope)
                return _ERROR if fields is None else dict(fields)

            return root
        case (str() as key,):

            def field(scope: Scope) -> object:
                fields = fields_of(scope)
                return _ERROR if fields is None else fields.get(key, _ERROR)

            return field
        case (str() as first, *rest):

            def nested(scope: Scope) -> object:
                fields = fields_of(scope)
                value = _ERROR if fields is None else fields.get(first, _ERROR)
                for key in rest:
                    value = _under(value, key)
                return value

            return nested
        case _:
            # A root is a map of named fields: it has no positions.
            return lambda _scope: _ERROR


def _under(value: object, key: str | int) -> object:
    if isinstance(value, dict):
        return value.get(key, _ERROR)
    if isinstance(value, list | tuple) and isinstance(key, int) and key < len(value):
        return value[key]
    return _ERROR


def _items(reads: Sequence[_Read]) -> _Read:
    def items(scope: Scope) -> object:
        values = [read(scope) for read in reads]
        return _ERROR if _ERROR in values else values

    return items


def _has(parent_of: _Read, key: str | int) -> _Read:
    def has(scope: Scope) -> object:
        parent = parent_of(scope)
        return key in parent if isinstance(parent, dict) else _ERROR

    return has


def _call(function: Callable[..., object], reads: Sequence[_Read]) -> _Read:
    """Compile a call; a function gets an error as it gets any value of no use to it."""
    if len(reads) == 1:
        (read,) = reads
        return lambda scope: function(read(scope))
    first, second = reads
    return lambda scope: function(first(scope), second(scope))


def _equality(left: _Read, right: _Read, *, equal: bool) -> _Read:
    def equality(scope: Scope) -> object:
        one, other = left(scope), right(scope)
        if one is _ERROR or other is _ERROR:
            return _ERROR
        return _equal(one, other) is equal

    return equality


def _ordering(compare: Callable[[Any, Any], bool], left: _Read, right: _Read) -> _Read:
    def ordering(scope: Scope) -> object:
        one, other = left(scope), right(scope)
        kind = _ORDERED.get(type(one))
        if kind is None or _ORDERED.get(type(other)) is not kind:
            return _ERROR
        return compare(one, other)

    return ordering


def _outcome(holds: _Test, fails: _Test) -> _Read:
    def outcome(scope: Scope) -> object:
        return True if holds(scope) else False if fails(scope) else _ERROR

    return outcome


# --- Where an instant lies -----------------------------------------------------------
#
# Each test is true over one stretch of time, which begins and ends with an edge: from x + d
# on, from x until before x + d, from x - d until before x. So time can change its answer at
# an edge only. Months and days move on the customer's calendar, see `calendar.add`.


def _time_test(name: str, read: _Read, length: Duration) -> _Read:
    def older_than(scope: Scope) -> object:
        value, clock = read(scope), scope.clock
        if clock is None or (x := _when(value, clock)) is None:
            return _ERROR
        return add(x, length, clock.zone) <= clock.at

    def within_last(scope: Scope) -> object:
        value, clock = read(scope), scope.clock
        if clock is None or (x := _when(value, clock)) is None:
            return _ERROR
        at = clock.at
        return x <= at < add(x, length, clock.zone)

    def within_next(scope: Scope) -> object:
        value, clock = read(scope), scope.clock
        if clock is None or (x := _when(value, clock)) is None:
            return _ERROR
        at = clock.at
        return at < x and subtract(x, length, clock.zone) <= at

    tests: dict[str, _Read] = {
        "olderThan": older_than,
        "withinLast": within_last,
        "withinNext": within_next,
    }
    return tests[name]


def _edges(test: cel.Call) -> Callable[[Scope], tuple[int, ...]]:
    """Compile the edges of a time test; none where its value is no instant."""
    target, length = test.args
    read = _value(target)
    duration = Duration.parse(
        str(length.value if isinstance(length, cel.Literal) else 0)
    )

    def edges(scope: Scope) -> tuple[int, ...]:
        value, clock = read(scope), scope.clock
        if clock is None or (x := _when(value, clock)) is None:
            return ()
        if test.name == "withinNext":
            return subtract(x, duration, clock.zone), x
        end = add(x, duration, clock.zone)
        return (end,) if test.name == "olderThan" else (x, end)

    return edges


def _when(value: object, clock: Clock) -> int | None:
    """Read an instant as a Wait does: RFC 3339, a date in the customer's zone, a number."""
    return None if value is _ERROR else instant_of(value, clock.zone)


# --- What CEL's values do -----------------------------------------------------------

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

_KINDS: dict[type, str] = {
    int: "a number",
    float: "a number",
    str: "text",
    bool: "true or false",
    datetime: "an instant",
    NoneType: "null",
    list: "a list",
    tuple: "a list",
    dict: "a map",
}
# The Python types of each type's kind; the common one first.
_KINDS_LIKE: dict[type, tuple[type, ...]] = {
    int: (int, float),
    float: (float, int),
    str: (str,),
    bool: (bool,),
    NoneType: (NoneType,),
}
_ORDERED: dict[type, str] = {
    kind: _KINDS[kind] for kind in (int, float, str, bool, datetime)
}


def _equal(one: object, other: object) -> bool:
    """Compare as CEL does: by number, never across kinds, lists and maps in depth."""
    kind = _KINDS.get(type(one))
    if kind is None or _KINDS.get(type(other)) is not kind:
        return False
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(
            key in other and _equal(value, other[key]) for key, value in one.items()
        )
    return one == other


def _inside(item: object, container: object) -> object:
    if item is _ERROR:
        return _ERROR
    match container:
        case list() | tuple():
            if type(item) is str:
                return item in container
            return any(_equal(item, each) for each in container)
        case dict() if type(item) in (str, int, float, bool):
            return type(item) is str and item in container
        case _:
            return _ERROR


def _size(value: object) -> object:
    return len(value) if isinstance(value, str | list | tuple | dict) else _ERROR


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _instant(value: object) -> object:
    """Read RFC 3339 text, or, as CEL does, whole seconds since the epoch."""
    match value:
        case datetime():
            return value
        case str():
            try:
                return cel.instant(value)
            except ValueError:
                return _ERROR
        case int() if not isinstance(value, bool):
            try:
                return _EPOCH + timedelta(seconds=value)
            except OverflowError:
                return _ERROR
        case _:
            return _ERROR


def _on_texts(method: Callable[[str, str], bool]) -> Callable[[object, object], object]:
    def call(text: object, part: object) -> object:
        if type(text) is str and type(part) is str:
            return method(text, part)
        return _ERROR

    return call


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "size": _size,
    "timestamp": _instant,
    "startsWith": _on_texts(str.startswith),
    "endsWith": _on_texts(str.endswith),
    "contains": _on_texts(operator.contains),
}


_VERBS = {"startsWith": "start with", "endsWith": "end with", "contains": "contain"}
_LIES = {
    "olderThan": "{length} back or more",
    "withinLast": "within the last {length}",
    "withinNext": "within the next {length}",
}

# --- Explanations -------------------------------------------------------------------


def _needed(expr: cel.Expr) -> Iterator[cel.Path]:
    """Yield the paths without which the expression is an error."""
    match expr:
        case cel.Path():
            yield expr
        case cel.Has(path):
            # has() asks about the last key only; what it stands under must be there.
            yield cel.Path(path.root, path.keys[:-1])
        case _:
            for child in cel.children(expr):
                yield from _needed(child)


def _reads(paths: Iterable[cel.Path]) -> list[tuple[str, _Read]]:
    return [(str(path), _field(path)) for path in dict.fromkeys(paths)]


def _missing(reads: Sequence[tuple[str, _Read]], scope: Scope) -> list[str]:
    return [text for text, read in reads if read(scope) is _ERROR]


def _explanation(expr: cel.Expr, holds: _Test) -> Callable[[Scope], Explanation]:
    """Compile the answer to the question why."""
    seen, needed = _reads(cel.references(expr)), _reads(_needed(expr))
    shortfall, errors = _shortfall(expr, want=True), _errors(expr, truth=True)

    def explain(scope: Scope) -> Explanation:
        held = holds(scope)
        values = ((text, read(scope)) for text, read in seen)
        return Explanation(
            holds=held,
            values={text: value for text, value in values if value is not _ERROR},
            missing=tuple(_missing(needed, scope)),
            errors=tuple(dict.fromkeys(errors(scope))),
            would_hold_if="" if held else shortfall(scope),
        )

    return explain


def _errors(expr: cel.Expr, *, truth: bool = False) -> Callable[[Scope], Sequence[str]]:
    """Compile what could not be answered although all that it needs is there."""
    logical = isinstance(expr, cel.Not | cel.And | cel.Or)
    parts = cel.children(expr)
    if isinstance(expr, cel.Has):
        parts = (cel.Path(expr.path.root, expr.path.keys[:-1]),)
    read, reads = _value(expr), [_value(part) for part in parts]
    inner = [_errors(part, truth=logical) for part in parts]

    def errors(scope: Scope) -> Sequence[str]:
        value = read(scope)
        if value is not _ERROR and not logical:
            no_truth = truth and not isinstance(value, bool)
            return [f"{expr} is {_kind(value)}, not true or false"] if no_truth else []
        if deeper := [error for part in inner for error in part(scope)]:
            return deeper
        values = [read(scope) for read in reads]
        # Where a part is missing, it is listed as such.
        return [] if logical or _ERROR in values else _reason(expr, values, scope)

    return errors


def _reason(expr: cel.Expr, values: Sequence[object], scope: Scope) -> list[str]:
    """Say why an expression has no answer for the values of its parts."""
    kinds = " and ".join(map(_kind, values))
    match expr:
        case cel.Path():
            value = _field(expr)(scope)  # Only `$time` is there and yet no value.
            if value is _ERROR:
                return []
            return [f"{expr} is {_shown(value)}, no RFC 3339 timestamp"]
        case cel.Compare(op):
            return [f"{expr}: {op} can't order {kinds}"]
        case cel.In():
            return [f"{expr}: {_kind(values[1])} can't hold {_kind(values[0])}"]
        case cel.Has(path):
            parent = cel.Path(path.root, path.keys[:-1])
            return [f"{expr}: {parent} is {kinds}, not a map"]
        case cel.Call("timestamp"):
            return [f"{expr}: {_shown(values[0])} is no RFC 3339 timestamp"]
        case cel.Call(name) if name in cel.TIME_METHODS:
            if scope.clock is None:
                return [f"{expr}: nobody knows here what time it is"]
            return [f"{expr}: {_shown(values[0])} is no instant"]
        case cel.Call(name):
            return [f"{expr}: {name} can't take {kinds}"]
        case _:
            return []


def _shortfall(expr: cel.Expr, *, want: bool) -> _Words:
    """Compile the words for what keeps the expression from being `want`, or none."""
    match expr:
        case cel.Not(operand):
            return _shortfall(operand, want=not want)
        case cel.And(operands) | cel.Or(operands):
            parts = [_shortfall(operand, want=want) for operand in operands]
            if isinstance(expr, cel.And) is want:
                return lambda scope: _together([part(scope) for part in parts])

            def branches(scope: Scope) -> str:
                words = [part(scope) for part in parts]
                return f"either {', or '.join(words)}" if all(words) else ""

            return branches
        case _:
            test, wish = _truth(expr, want=want), _wish(expr, want=want)
            subject, reads = str(_subject(expr)), _reads(cel.references(expr))

            def leaf(scope: Scope) -> str:
                return "" if test(scope) else wish + _seen(subject, reads, scope)

            return leaf


def _together(words: Sequence[str]) -> str:
    """Join what fell short; alternatives in brackets where they are not alone."""
    short = [each for each in words if each]
    if len(short) > 1:
        short = [f"({w})" if w.startswith("either ") else w for w in short]
    return " and ".join(short)


def _wish(expr: cel.Expr, *, want: bool) -> str:
    """Say what would have made the expression `want`."""
    would, to = f"{_subject(expr)} would have had", "to" if want else "not to"
    match expr:
        case cel.Compare(op, left, right):
            if right == _subject(expr):
                op, right = _MIRRORED.get(op, op), left
            op = op if want else _NEGATED[op]
            be = {"==": "be", "!=": "be anything but"}.get(op, f"be {op}")
            return f"{would} to {be} {right}"
        case cel.Has() | cel.In(cel.Literal(str()), cel.Path(_, ())):
            return f"{would} to be {'there' if want else 'absent'}"
        case cel.In(_, cel.Items() as items):
            return f"{would} to be {'one' if want else 'none'} of {items}"
        case cel.In(item, _):
            return f"{would} {to} hold {item}"
        case cel.Call(name, (_, arg)) if name in _VERBS:
            return f"{would} {to} {_VERBS[name]} {arg}"
        case cel.Call(name, (_, cel.Literal(length))) if name in _LIES:
            return f"{would} {to} lie {_LIES[name].format(length=length)}"
        case _:
            return f"{would} to be {'true' if want else 'false'}"


def _subject(expr: cel.Expr) -> cel.Expr:
    """Pick what a sentence about the expression is about."""
    match expr:
        case cel.Compare(_, left, right):
            return right if isinstance(left, cel.Literal) else left
        case cel.Has(path):
            return path
        case cel.In(cel.Literal(str() as key), cel.Path(root, ())):
            return cel.Path(root, (key,))
        case cel.In(item, container):
            return item if isinstance(container, cel.Items) else container
        case cel.Call(name, (target, *_)) if name in _VERBS or name in _LIES:
            return target
        case _:
            return expr


def _seen(subject: str, reads: Sequence[tuple[str, _Read]], scope: Scope) -> str:
    """Say in brackets what was there instead; the subject is not named twice."""
    seen = []
    for text, read in reads:
        value = read(scope)
        was = "was missing" if value is _ERROR else f"was {_shown(value)}"
        seen.append(was if text == subject else f"{text} {was}")
    return f" ({'; '.join(seen)})" if seen else ""


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    """Print a value as JSON, cut where it gets long."""
    if isinstance(value, datetime):
        return cel.instant_text(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"
