from __future__ import annotations

import copy
import operator
import pickle
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from enum import Enum, StrEnum
from pathlib import Path

import pytest
from hypothesis import assume, given, strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from journeykit.errors import InvalidCondition
from journeykit.model import conditions
from journeykit.model.conditions import (
    Condition,
    Expression,
    Reference,
    event,
    size,
    text_of,
)
from journeykit.model.durations import days

AT = datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1)))


class Plan(StrEnum):
    PRO = "pro"


class Color(Enum):
    RED = "red"


# What authors write is evaluated as they write it: the linter would rewrite half of it.
NAMES = {**vars(conditions), "AT": AT, "Color": Color, "Plan": Plan, "days": days}


# --- Python prints CEL -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "text"),
    [
        ("event.total > 0", "event.total > 0"),
        ("0 < event.total", "event.total > 0"),
        ("event.total == 1.0", "event.total == 1.0"),
        ("event.gift == True", "event.gift == true"),
        ("event.note != None", "event.note != null"),
        ("event.note == 'say \"hi\"\\n'", 'event.note == "say \\"hi\\"\\n"'),
        ('event["odd name"] == 1', 'event["odd name"] == 1'),
        ('event["in"] == 1', 'event["in"] == 1'),
        ('event.items[0].sku == "x"', 'event.items[0].sku == "x"'),
        ('event["$time"] >= AT', 'event["$time"] >= timestamp("2026-03-01T09:00:00Z")'),
        (
            'timestamp(event.at) < event["$time"]',
            'event["$time"] > timestamp(event.at)',
        ),
        (
            "timestamp(event.at) < AT",
            'timestamp(event.at) < timestamp("2026-03-01T09:00:00Z")',
        ),
        ('event.codes == [1, "x"]', 'event.codes == [1, "x"]'),
        ("event.plan == Plan.PRO", 'event.plan == "pro"'),
        ("event.total <= profile.limit", "event.total <= profile.limit"),
        ("size(event.items) > 2", "size(event.items) > 2"),
        ("has(profile.phone)", "has(profile.phone)"),
        ('has(event["odd name"])', '"odd name" in event'),
        ('has(event.map["odd name"])', '"odd name" in event.map'),
        ('one_of(event.currency, ["EUR", "USD"])', 'event.currency in ["EUR", "USD"]'),
        ('one_of("vip", profile.tags)', '"vip" in profile.tags'),
        ('starts_with(event.name, "A")', 'event.name.startsWith("A")'),
        (
            "ends_with(event.mail, profile.domain)",
            "event.mail.endsWith(profile.domain)",
        ),
        ('contains("abc", event.part)', '"abc".contains(event.part)'),
        ("~(event.a == 1)", "!(event.a == 1)"),
        ("~has(event.a) & (event.b == 2)", "!has(event.a) && event.b == 2"),
        (
            "(event.a == 1) & (event.b == 2) & (event.c == 3)",
            "event.a == 1 && event.b == 2 && event.c == 3",
        ),
        (
            "(event.a == 1) & ((entry.b == 2) | (event.c == 3))",
            "event.a == 1 && (entry.b == 2 || event.c == 3)",
        ),
    ],
)
def test_operators_print_cel(python, text):
    condition = eval(python, dict(NAMES))

    assert condition.text == text
    assert condition == Condition.parse(text)


def test_every_name_is_free_for_the_fields():
    for name in ("text", "expr", "parse", "keys", "items", "copy", "_private", "__x"):
        assert text_of(event[name]) == text_of(getattr(event, name)) == f"event.{name}"
    assert not [name for name in dir(Reference) if not name.startswith("__")]


# --- Traps -----------------------------------------------------------------------------

PARENTHESES = "Put parentheses around each comparison"


@pytest.mark.parametrize(
    ("python", "fix"),
    [
        ("(event.a == 1) and (event.b == 2)", "Write & for `and`"),
        ("(event.a == 1) or (event.b == 2)", "| for `or`"),
        ("not (event.a == 1)", "~ for `not`"),
        ("not event.a", "Compare it: event.a == True, or has(event.a)"),
        ("event.a and event.b", "Compare it: event.a == True"),
        ("0 < event.a < 5", "(0 < x) & (x < 5) for 0 < x < 5"),
        ('event.a in ["x"]', "one_of(x, […]) for `x in […]`"),
        ('"x" in event.tags', "write one_of('x', event.tags)"),
        ("event.a == 1 & event.b == 2", PARENTHESES),
        ('event.a == "x" & event.b == "y"', PARENTHESES),
        ("event.a > 1 | (event.b == 2)", PARENTHESES),
        ("(event.a == 1) & event.gift", PARENTHESES),
        ("event.gift & (event.a == 1)", PARENTHESES),
        ("event.a == (event.b == 1)", PARENTHESES),
        ("~event.a == 1", "~(event.a == …)"),
        ("event == 3", "name one of its fields, such as event.total"),
        ("event.a == entry", "name one of its fields, such as entry.total"),
        ("event.a == event", "name one of its fields, such as event.total"),
        ("event.a == object()", "an object of type object is not a plain value"),
        ('event.a == b"x"', "an object of type bytes is not a plain value"),
        ("event.a == Color.RED", "write its .value"),
        ('event.a == {"x"}', "write one_of(x, […]) with a list"),
        ("event.a == date(2026, 3, 1)", "write a datetime with tzinfo"),
        ("event.a == datetime(2026, 3, 1)", "tzinfo=UTC"),
        ("event.a < datetime.min.replace(tzinfo=AT.tzinfo)", "years 1 to 9999"),
        ('event.a == float("nan")', "write a finite number"),
        ('event.a == float("inf")', "write a finite number"),
        ("event.a == 2**63", "more than 64 bit"),
        ('event.a == "\\ud800"', "half a surrogate pair"),
        ('event["\\ud800"] == 1', "half a surrogate pair"),
        ("event.a + 1 > 2", "there is no arithmetic"),
        ("1 - event.a > 2", "there is no arithmetic"),
        ("-event.a > 2", "there is no arithmetic"),
        ("len(event.items) > 2", "write size(event.items)"),
        ("[*event.items]", "write one_of(x, event.items) or size(event.items)"),
        ('event.mail.endswith("x")', "Write starts_with(x, y), ends_with(x, y)"),
        ("event[0]", "in brackets stands a text"),
        ("event.items[-1]", "its position from 0"),
        ("event.items[1:]", "its position from 0"),
        ("event.items[True]", "its position from 0"),
        ('setattr(event, "total", 1)', "it can't be assigned to"),
        ("has(event)", "has() takes a field"),
        ('has("phone")', "has() takes a field, such as has(event.phone), not 'p"),
        ("has(event.items[2])", "write size(event.items) > 2"),
        ('one_of(event.a, "xyz")', "one_of() takes a list or a field"),
        ('one_of(event.a, {"x"})', "one_of() takes a list or a field"),
        ("starts_with(event.a, 1)", "takes a field and a text, not 1"),
        ('size("abc")', "size() takes a field"),
        ('timestamp("2026-03-01")', "RFC 3339 with an offset"),
        ("timestamp(3)", "takes a field or RFC 3339 text"),
        ("max(event.a, event.b)", "has no truth value"),
        ('{event.a: 1, event["a"]: 2}', "has no truth value"),
        ("Condition()", "Condition.parse"),
        ('Condition.parse("3")', "compare it"),
        ('Condition.parse("event.a && size(event.b)")', "compare it"),
        ('Condition.parse("!event")', "name one of its fields"),
        ("Condition.parse('event.a == \"' + \"\\t\" * 4_000 + '\"')", "canonical form"),
    ],
)
def test_a_trap_raises_with_the_fix(python, fix):
    with pytest.raises(InvalidCondition) as error:
        eval(python, dict(NAMES))

    assert fix in error.value.message


BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.mod),
    *(operator.and_, operator.or_, operator.xor),
    *(operator.lt, operator.le, operator.gt, operator.ge),
]


TEXT = "x"
LEFT = [event.a, event.a == 1]
RIGHT = [event.b, event.b == 2, 1, 2.5, TEXT, None, True, [1], AT]


# By position: hypothesis compares what it draws, which a reference does not take.
@given(
    st.integers(0, len(BINARY) - 1),
    st.integers(0, len(LEFT) - 1),
    st.integers(0, len(RIGHT) - 1),
    st.booleans(),
)
def test_no_python_operator_gives_anything_but_a_condition_or_the_fix(
    function, left, right, swapped
):
    operands = [LEFT[left], RIGHT[right]]
    # Python formats text with whatever has items before it asks the other operand.
    assume(not (BINARY[function] is operator.mod and swapped and RIGHT[right] is TEXT))

    try:
        made = BINARY[function](*(reversed(operands) if swapped else operands))
    except (InvalidCondition, TypeError):
        return

    assert isinstance(made, Condition)


# --- Values among values ----------------------------------------------------------------


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_conditions_and_references_are_copied_and_pickled_whole(again):
    assert again(event.total > 0) == (event.total > 0)
    for expression in (event["odd name"].b[1], size(event.a), Expression("event.b")):
        copied = again(expression)
        assert type(copied) is type(expression)
        assert text_of(copied) == text_of(expression)


def test_dunder_probes_make_no_references():
    with pytest.raises(AttributeError):
        event.__wrapped__  # noqa: B018 - the access is the point


def test_a_condition_is_equal_and_hashed_by_its_canonical_text():
    assert Condition.parse("event.a>0") == (event.a > 0)
    assert len({Condition.parse("event.a>0"), event.a > 0, event.a > 1}) == 2
    assert (event.a > 0) != "event.a > 0"
    assert repr(event.a > 0) == "Condition.parse('event.a > 0')"
    assert str(event.a > 0) == "event.a > 0"


def test_a_condition_never_changes():
    with pytest.raises(AttributeError, match="frozen"):
        (event.a > 0).text = "true"  # type: ignore[misc]


def test_plain_expressions_have_ordinary_equality():
    assert Expression("event . a") == Expression("event.a")
    assert Expression("event.a") != Expression("event.b")
    assert (Expression("event.a") == event.b).text == "event.b == event.a"


# --- pydantic ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    where: Condition | None = None
    value: Expression | None = None


GOAL = TypeAdapter(Goal)


def test_definitions_take_operators_or_text_and_keep_canonical_text():
    written = Goal(where=event.total > 0, value=event.amount)
    read = GOAL.validate_json('{"where": "event.total>0", "value": "event.amount"}')

    assert written == read
    assert hash(written) == hash(read)
    assert GOAL.dump_python(written) == {
        "where": "event.total > 0",
        "value": "event.amount",
    }
    assert GOAL.validate_json(GOAL.dump_json(written)) == written


def test_the_json_schema_says_that_they_are_text():
    properties = GOAL.json_schema()["properties"]

    assert properties["where"]["anyOf"][0]["type"] == "string"
    assert properties["value"]["anyOf"][0]["type"] == "string"


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ({"where": "event.a >"}, "a value is missing"),
        ({"where": 3}, 'or as text "event.total > 0", not as 3'),
        ({"where": event.gift}, "event.gift == True"),
        ({"value": "event."}, "a name must follow the dot"),
        ({"value": event.a > 0}, "a value is written event.amount"),
    ],
)
def test_a_wrong_condition_in_a_definition_names_its_place_and_the_fix(arguments, fix):
    with pytest.raises(ValidationError) as error:
        Goal(**arguments)

    (detail,) = error.value.errors()
    assert detail["loc"] == tuple(arguments)
    assert fix in detail["msg"]


def test_the_modules_that_the_engine_needs_load_no_pydantic():
    code = (
        "import sys, journeykit.engine.conditions, journeykit.model.conditions; "
        "sys.exit('pydantic' in sys.modules or 'pydantic_core' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- The tables in the docs ---------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text(
    encoding="utf-8"
)


def table(header: str) -> list[tuple[str, str]]:
    """Read the first two cells of a table's rows that hold real code."""
    lines = PAGE.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    cells = [line.split(" | ") for line in lines]
    return [
        (row[0].strip("| `"), row[1].strip("| `"))
        for row in cells
        if "event" in row[0] or "profile" in row[0]
    ]


@pytest.mark.parametrize(("python", "text"), table("| Python | CEL |"))
def test_the_table_of_the_subset_is_true(python, text):
    assert eval(python, dict(NAMES)).text == Condition.parse(text).text == text


@pytest.mark.parametrize(
    "python",
    [code for cell, _ in table("| you wrote |") for code in cell.split("`, `")],
)
def test_the_table_of_traps_is_true(python):
    with pytest.raises(InvalidCondition):
        eval(python, dict(NAMES))


# --- Types ------------------------------------------------------------------------------

USER_FILE = """
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from journeykit.model.conditions import (
    Condition, Expression, contains, entry, event, has, one_of, profile, size, timestamp
)


@dataclass
class Trigger:
    name: str
    where: Condition | None = None
    value: float | Expression | None = None
    key: Expression | None = None


currencies: Sequence[str] = ["EUR", "USD"]
launch = datetime(2026, 3, 1, tzinfo=UTC)
Trigger("a", where=event.total > 0, value=event.amount, key=event.order["odd key"])
Trigger("b", where=(event.a == 1) & ~has(profile.phone) | (entry.b != "x"))
Trigger("c", where=one_of(event.currency, currencies) & (event["$time"] >= launch))
Trigger("d", where=(size(event.items) > 2) & (timestamp(event.at) < launch))
Trigger("e", where=contains(event.note, "x") & one_of("vip", profile.tags))
Trigger("f", where=(0 < event.a) & (event.codes == [1, 2]) & (event.b == None))
condition: Condition = event.total > 0
"""

WRONG_LINES = {
    'Trigger("a", where=event.total)': "arg-type",
    'Trigger("a", value=event.total > 0)': "arg-type",
    "event.a + 1": "operator",
    'Trigger("a", where=event.a == object())': "arg-type",
    "(event.a == 1) & event.b": "operator",
    'event.mail.endswith("x")': "operator",
    "one_of(event.a, {1, 2})": "arg-type",
    "size(3)": "arg-type",
}


def mypy(folder: Path, source: str) -> str:
    """Check a user's file as users do: strictly, without plugins."""
    file = folder / "journey.py"
    file.write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(file)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_users_conditions_are_clean_under_strict_mypy_and_mistakes_are_not(tmp_path):
    pytest.importorskip("mypy")
    first = len(USER_FILE.splitlines()) + 1

    printed = mypy(tmp_path, USER_FILE + "\n".join(WRONG_LINES))

    found = [line for line in printed.splitlines() if ": error: " in line]
    expected = list(enumerate(WRONG_LINES.values(), first))
    assert [
        (int(line.split(":")[1]), line.rpartition("[")[2].rstrip("]")) for line in found
    ] == expected, printed
