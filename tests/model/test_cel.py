from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, strategies as st

from journeykit.errors import InvalidCondition
from journeykit.model import cel
from journeykit.model.cel import (
    Call,
    Compare,
    Expr,
    Has,
    In,
    Items,
    Literal,
    Not,
    Path,
    parse,
    paths,
    unparse,
)
from journeykit.model.durations import Duration

# --- Any tree that the subset can say ------------------------------------------------

KEYS = st.text(max_size=4) | st.integers(0, cel.INT_MAX)
PATHS = st.builds(
    Path, st.sampled_from(cel.ROOTS), st.lists(KEYS, max_size=3).map(tuple)
)
LITERALS = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(cel.INT_MIN, cel.INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
)
HAS = PATHS.filter(lambda path: bool(path.keys) and cel.is_name(path.keys[-1])).map(Has)
TIMES = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zones
    datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.timezones(),
)
STAMPS = TIMES.map(lambda at: Call("timestamp", (Literal(cel.instant_text(at)),)))


def compounds(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    some = st.lists(inner, min_size=2, max_size=3)
    targets = PATHS | st.text(max_size=3).map(Literal)
    return st.one_of(
        st.builds(Compare, st.sampled_from(cel.OPERATORS), inner, inner),
        st.builds(In, inner, inner),
        st.builds(Not, inner),
        st.builds(Call, st.sampled_from(cel.METHODS), st.tuples(targets, inner)),
        st.builds(Call, st.just("size"), st.tuples(inner)),
        some.map(tuple).map(Items),
        some.map(lambda each: cel.conjunction(*each)),
        some.map(lambda each: cel.disjunction(*each)),
    )


LENGTHS = st.builds(Duration, days=st.integers(0, 400), ms=st.integers(1, 10**9))
TIME_TESTS = st.builds(
    Call,
    st.sampled_from(cel.TIME_METHODS),
    st.tuples(PATHS | STAMPS, LENGTHS.map(str).map(Literal)),
)
TREES = st.recursive(
    PATHS | LITERALS | HAS | STAMPS | TIME_TESTS, compounds, max_leaves=12
)


@given(TREES)
def test_what_is_printed_reads_back_as_the_same_tree(tree):
    assert parse(unparse(tree)) == tree


@given(TREES)
def test_no_parentheses_are_printed_that_could_be_left_out(tree):
    text = unparse(tree)
    pairs = []
    opened = []
    quoted = escaped = False
    for place, char in enumerate(text):
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char == "(":
            opened.append(place)
        elif char == ")":
            pairs.append((opened.pop(), place))

    for first, last in pairs:
        if first and (text[first - 1].isalpha()):
            continue  # a function's own
        without = f"{text[:first]} {text[first + 1 : last]} {text[last + 1 :]}"
        with suppress(InvalidCondition):
            assert parse(without) != tree, without


TOKENS = """
    event .a ["b"] [0] == < in && || ! ( ) [ ] , - 1 2.5 1e9 "x" ' \\ has( size( //
    timestamp( .startsWith( true null 0x é
""".split()  # noqa: SIM905 - a list of 31 would take 31 lines
ALMOST = st.lists(
    st.sampled_from([*TOKENS, " ", "\n", "\x00", "\ud800"]), max_size=40
).map("".join)


@given(st.text() | ALMOST | st.binary().map(lambda data: data.decode("latin-1")))
@example("(" * 4_000)
@example("!" * 4_000)
@example("[" * 4_000)
@example("-" * 4_000)
@example("1" * 4_096)
@example("0x" + "f" * 4_000)
@example("event" + ".a" * 2_000)
@example("event" + '["\\u0000"]' * 300)
@example("event.a == 1 && " * 255)
@example('"' + "\\" * 4_000)
@example(" " * 4_096)
@example('event.a == "\ud800"')
@example("1e999")
def test_text_from_anywhere_is_read_or_refused_with_a_reason(text):
    try:
        tree = parse(text)
    except InvalidCondition as error:
        reason = error.message
    else:
        reason = "^"
        assert parse(unparse(tree)) == tree

    assert reason.endswith("^")


def test_text_beyond_the_limit_is_refused_before_it_is_read():
    with pytest.raises(InvalidCondition, match=r"4,097 characters: the limit is 4,096"):
        parse(" " * 4_097)


# --- One meaning, one spelling -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("event.total>0", "event.total > 0"),
        ("event . total\n\t== 1.50", "event.total == 1.5"),
        ('event["total"] == 1', "event.total == 1"),
        ("event['odd name'] == 'it\\'s'", 'event["odd name"] == "it\'s"'),
        ('event["in"] == 1', 'event["in"] == 1'),
        ("event.package == 1", "event.package == 1"),
        ("(event.a == 1) && ((event.b == 2))", "event.a == 1 && event.b == 2"),
        ("event.a && (event.b && event.c)", "event.a && event.b && event.c"),
        ("event.a || (event.b && event.c)", "event.a || event.b && event.c"),
        ("(event.a || event.b) && event.c", "(event.a || event.b) && event.c"),
        ("!(event.a)", "!event.a"),
        ("!(event.a == 1)", "!(event.a == 1)"),
        ("!event.a == event.b", "!event.a == event.b"),
        ("(event.a == 1) == true", "(event.a == 1) == true"),
        ("event.a in ['x',1,2.0,null,]", 'event.a in ["x", 1, 2.0, null]'),
        ("event.a == 0x1F // hexadecimal", "event.a == 31"),
        ("event.a == - 5", "event.a == -5"),
        ("event.a == 1e3", "event.a == 1000.0"),
        ("event.a == .5", "event.a == 0.5"),
        ('event.a == "\\101\\x41\\u0041\\U00000041"', 'event.a == "AAAA"'),
        ('event.a == "\\a\\?\\`"', 'event.a == "\\u0007?`"'),
        ('event.a == "a\u202eb"', 'event.a == "a\\u202eb"'),
        ('event.name.startsWith("A")', 'event.name.startsWith("A")'),
        ('"abc".contains(event.part)', '"abc".contains(event.part)'),
        ("has(event.a.b)", "has(event.a.b)"),
        ('has(event["a"])', "has(event.a)"),
        ("event.items[0].sku == 'x'", 'event.items[0].sku == "x"'),
        ("-9223372036854775808 < event.a", "-9223372036854775808 < event.a"),
    ],
)
def test_a_text_has_one_canonical_form(text, canonical):
    assert unparse(parse(text)) == canonical
    assert unparse(parse(canonical)) == canonical


def test_literals_of_different_types_are_different_trees():
    one = [parse(f"event.a == {each}") for each in ("1", "1.0", "true", '"1"', "-0.0")]

    assert len(set(one)) == 5


def test_paths_tell_what_a_condition_reads():
    tree = parse('has(event.a.b) && entry.c[0].d > 1 || "odd name" in profile')

    assert paths(tree) == {
        ("event", "a", "b"),
        ("entry", "c", 0, "d"),
        ("profile", "odd name"),
    }


def test_a_key_looked_for_in_a_field_reads_the_whole_field():
    assert paths(parse('"vip" in profile.tags')) == {("profile", "tags")}


# --- Errors say where, and what to write ----------------------------------------------


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "an empty condition"),
        ("event.total >", "a value is missing"),
        ("evnt.total > 0", "did you mean 'event'"),
        ("total > 0", "write event.total?"),
        ("event.a = 1", "write =="),
        ("event.a & event.b", "write && for `and`"),
        ("event.a and event.b", "write && for `and`"),
        ("not event.a", "write ! for `not`"),
        ("event.a == True", "write true"),
        ("event.a == None", "write null"),
        ("event.a + 1 > 2", "there is no arithmetic"),
        ("event.a -1 > 2", "there is no arithmetic"),
        ("-event.a > 2", "there is no arithmetic"),
        ("event.a ? 1 : 2", "(a && b) || (!a && c)"),
        ("1 < event.a < 5", "write a < b && b < c"),
        ('event.a.matches("x.*")', "startsWith, endsWith, contains"),
        ("event.list.exists(x, x > 1)", "write x in event.items"),
        ("int(event.a) > 1", "the conversion int()"),
        ("event.list.size() > 1", "write size(event.list)"),
        ("sizee(event.list) > 1", "did you mean size?"),
        ('startsWith(event.a, "x")', "write event.field.startsWith(…)"),
        ("has(event)", "has() takes a field"),
        ('has(event["odd name"])', '"odd name" in event'),
        ("event.null == 1", 'event["odd name"]'),
        ("event.`odd name` == 1", 'event["odd name"]'),
        ("event[event.a] == 1", "in brackets stands a text"),
        ("event.list[-1] == 1", "its position from 0"),
        ('event.a == {"k": 1}', "no map literals"),
        ('event.a == r"x"', "raw texts and bytes"),
        ('event.a == """x"""', "triple quotes"),
        ('event.a == "x', "no closing quote"),
        ('event.a == "\\q"', "unknown escape"),
        ('event.a == "\\ud800"', "is no character"),
        ("event.a == 1u", "is not a number"),
        ("event.a == 9223372036854775808", "more than 64 bit"),
        ("event.a == 1e999", "beyond a double's range"),
        ('event.a > timestamp("2026-03-01")', "RFC 3339 with an offset"),
        ('event.a > timestamp("2026-03-01T09:00:00")', "RFC 3339 with an offset"),
        ("event.a > timestamp(1)", "RFC 3339 with an offset"),
        ("(event.a == 1", "expected )"),
        ("event.a == 1 event.b == 2", "unexpected event"),
        ("(" * 33 + "event.a" + ")" * 33, "nested more than 32 deep"),
        (" && ".join(["event.a"] * 129), "more than 256 parts"),
    ],
)
def test_what_is_not_in_the_subset_is_refused_with_the_way_out(text, fix):
    with pytest.raises(InvalidCondition) as error:
        parse(text)

    assert fix in error.value.message


def test_an_error_shows_the_line_with_a_caret_under_the_place():
    with pytest.raises(InvalidCondition) as error:
        parse("event.a == 1 &&\n  event.b = 2")

    assert error.value.message.splitlines()[1:] == [
        "      event.b = 2",
        "              ^",
    ]


# --- Instants ------------------------------------------------------------------------


@given(TIMES)
def test_a_printed_instant_reads_back_as_the_same_instant(at):
    assert cel.instant(cel.instant_text(at)) == at.astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:00:00",
        "2026-03-01",
        "20260301T090000Z",
        "2026-W09-7T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01 09:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٦-03-01T09:00:00Z",
    ],
)
def test_what_is_no_rfc_3339_with_an_offset_is_no_instant(text):
    with pytest.raises(ValueError, match=r"timestamp|year|day|hour"):
        cel.instant(text)
