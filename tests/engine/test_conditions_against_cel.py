"""Our answers are CEL's: held against Google's implementation, over anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from journeykit.engine.conditions import Scope, compile_condition
from journeykit.model import cel

google = pytest.importorskip("cel_expr_python.cel")
ENV = google.NewEnv(variables=dict.fromkeys(cel.ROOTS, google.Type.DYN))

# --- Data: each name mostly has its own type, and sometimes anything or nothing. ------

INSTANTS = (
    "2026-03-01T09:00:00Z",
    "2026-03-01T10:00:00+01:00",
    "2026-03-01t09:00:00.000z",
    "2026-03-01T09:00:00.5Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
)
NO_INSTANTS = (
    "2026-03-01T09:00:00",
    "2026-03-01",
    "2026-02-30T09:00:00Z",
    "20260301T090000Z",
    "0001-01-01T00:00:00+14:00",
)
# Google's C++ compares an int with a double after rounding it to a double. CEL's
# specification says "as if on one number line", and so do we; they part beyond 2**53,
# where a double is near. So these doubles are near no such int.
INTS = st.integers(-3, 3) | st.sampled_from(
    [cel.INT_MIN, cel.INT_MAX, 2**53, 2**53 + 1, 1_772_355_600]
)
DOUBLES = st.sampled_from([0.0, -0.0, 1.0, -1.5, 2.5, 0.1, 1e-300, 1e300, -1e300])
NOT_FINITE = st.sampled_from([float("nan"), float("inf"), float("-inf")])
TEXTS = (
    st.sampled_from(["", "a", "ab", "b", "\U0001f600", "\uffff", "é", 'q"\\\n'])
    | st.sampled_from(INSTANTS + NO_INSTANTS)
    | st.text(max_size=3)
)
SCALARS = st.none() | st.booleans() | INTS | DOUBLES | TEXTS
ODD_NAMES = ("in", "contains", "odd name", "größe", "\u2028", "")
JSON = st.recursive(
    SCALARS | NOT_FINITE,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("a", *ODD_NAMES)), inner, max_size=3)
    ),
    max_leaves=6,
)


def mostly(usual: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.integers(0, 9).flatmap(lambda n: JSON if n == 9 else usual)


FIELDS = {
    "n": mostly(INTS | DOUBLES | NOT_FINITE),
    "text": mostly(TEXTS),
    "yes": mostly(st.booleans()),
    "at": mostly(st.sampled_from(INSTANTS)),
    "$time": mostly(st.sampled_from(INSTANTS)),
    "list": mostly(st.lists(SCALARS, max_size=3)),
    "map": mostly(
        st.fixed_dictionaries(
            {}, optional={"n": INTS | DOUBLES, "a": JSON, "in": TEXTS, "": SCALARS}
        )
    ),
} | dict.fromkeys(ODD_NAMES, JSON)


def scopes() -> st.SearchStrategy[dict[str, object]]:
    properties = st.fixed_dictionaries({}, optional=FIELDS) | st.fixed_dictionaries(
        FIELDS
    )
    return st.fixed_dictionaries(
        {"event": properties}, optional={"entry": properties, "profile": properties}
    )


# --- Conditions: mostly well typed, so that not all of them are errors. ---------------


def path(*keys: str | int) -> st.SearchStrategy[cel.Expr]:
    roots = st.sampled_from(["event", "event", "event", "entry", "profile"])
    return roots.map(lambda root: cel.Path(root, keys))


def literal(values: st.SearchStrategy[object]) -> st.SearchStrategy[cel.Expr]:
    return values.map(cel.Literal)


def call(name: str, *args: st.SearchStrategy[cel.Expr]) -> st.SearchStrategy[cel.Expr]:
    return st.tuples(*args).map(lambda drawn: cel.Call(name, drawn))


ANY_PATH = st.builds(
    cel.Path,
    st.sampled_from(cel.ROOTS),
    st.lists(st.sampled_from([*FIELDS, "a", 0, 1]), max_size=3).map(tuple),
)
TEXT = path("text") | path("map", "in") | literal(TEXTS)
LIST = path("list") | st.lists(
    literal(SCALARS) | path("n") | path("text"), max_size=3
).map(lambda items: cel.Items(tuple(items)))
MAP = path("map") | path()
NUMBER = path("n") | path("map", "n") | path("list", 0) | literal(INTS | DOUBLES)
NUMBER |= call("size", TEXT | LIST | MAP)
STAMP = literal(st.sampled_from(INSTANTS[:4]))
INSTANT = path("$time") | call("timestamp", path("at") | path("n") | STAMP)
TRUTH = path("yes") | literal(st.booleans())
ANY = st.one_of(ANY_PATH, TEXT, LIST, MAP, NUMBER, INSTANT, TRUTH, literal(st.none()))
HAS = (path("text") | ANY_PATH).filter(
    lambda expr: bool(expr.keys) and cel.is_name(expr.keys[-1])
)
OPERATOR = st.sampled_from(cel.OPERATORS)


def both(kind: st.SearchStrategy[cel.Expr]) -> st.SearchStrategy[cel.Expr]:
    return st.builds(cel.Compare, OPERATOR, kind, kind)


LEAVES = st.one_of(
    TRUTH,
    both(NUMBER),
    both(TEXT),
    both(INSTANT),
    both(LIST),
    both(ANY),
    HAS.map(cel.Has),
    st.builds(cel.In, NUMBER | TEXT, LIST),
    st.builds(cel.In, TEXT, MAP),
    st.builds(cel.In, ANY, ANY),
    *(call(name, TEXT, TEXT) for name in cel.METHODS),
    *(call(name, ANY_PATH | TEXT, ANY) for name in cel.METHODS),
)


def compounds(inner: st.SearchStrategy[cel.Expr]) -> st.SearchStrategy[cel.Expr]:
    some = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        some.map(lambda each: cel.conjunction(*each)),
        some.map(lambda each: cel.disjunction(*each)),
        inner.map(cel.Not),
        both(inner),
        st.builds(cel.In, inner, st.lists(inner | ANY).map(tuple).map(cel.Items)),
    )


CONDITIONS = st.recursive(LEAVES, compounds, max_leaves=6)


def for_google(expr: cel.Expr) -> cel.Expr:
    """Write out what journeykit does by itself: `$time` is an instant."""
    match expr:
        case cel.Path("event" | "entry", ("$time",)):
            return cel.Call("timestamp", (expr,))
        case cel.Items(items):
            return cel.Items(tuple(map(for_google, items)))
        case cel.Call(name, (target, arg)):
            return cel.Call(name, (for_google(target), for_google(arg)))
        case cel.Call(name, (arg,)):
            return cel.Call(name, (for_google(arg),))
        case cel.Compare(op, left, right):
            return cel.Compare(op, for_google(left), for_google(right))
        case cel.In(item, container):
            return cel.In(for_google(item), for_google(container))
        case cel.Not(operand):
            return cel.Not(for_google(operand))
        case cel.And(operands) | cel.Or(operands):
            return replace(expr, operands=tuple(map(for_google, operands)))
        case _:
            return expr


def googles(expr: cel.Expr, data: dict[str, object]) -> bool | str:
    text = cel.unparse(for_google(expr))
    value = ENV.compile(text, disable_check=True).eval(data=data)
    if value.type().name() == "ERROR":
        return "error"
    plain = value.plain_value()
    return plain if isinstance(plain, bool) else "no truth value"


def ours(expr: cel.Expr, data: dict[str, object]) -> bool | str:
    holds = compile_condition(cel.unparse(expr))
    fails = compile_condition(cel.unparse(cel.Not(expr)))
    scope = Scope(**data)
    return True if holds(scope) else False if fails(scope) else "error"


@settings(max_examples=600)
@given(CONDITIONS, scopes())
def test_every_condition_has_the_outcome_that_cel_gives_it(expr, data):
    expected = googles(expr, data)

    actual = ours(expr, data)

    assert actual == ("error" if expected == "no truth value" else expected)
