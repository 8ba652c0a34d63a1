"""A definition written in Python is checked at once, and says where its author stands."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from journeykit import (
    Arm,
    Branch,
    Cap,
    DefinitionError,
    Emit,
    Exit,
    ExitRule,
    Expression,
    Goal,
    Holdout,
    InvalidJourney,
    Journey,
    QuietHours,
    Send,
    Split,
    Until,
    Wait,
    WaitFor,
    When,
    Window,
    api,
    days,
    event,
    hours,
    on,
    profile,
)
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import REASONS, words_of
from journeykit.errors import Source
from journeykit.model.definition import source_of
from journeykit.model.documents import from_json
from journeykit.model.names import ENGINE_REASONS

ROOT = Path(__file__).parents[2]


def here() -> int:
    """The line that calls this."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_every_definition_knows_the_line_of_its_author() -> None:
    for _ in range(3):  # pydantic builds its validators on first use
        send, line = Send("email", "hello"), here()

        assert source_of(send) == Source(__file__, line)


def test_a_journey_read_from_json_before_changes_nothing_about_that() -> None:
    from_json('{"id":"a","trigger":{"name":"x"},"steps":[{"type":"exit"}]}')

    journey = Journey(id="a", trigger=on("x"), steps=[Exit()])

    assert source_of(journey) == source_of(journey.steps[0]) is not None
    assert source_of(journey).file == __file__


def test_steps_keep_their_lines_when_the_journey_names_them() -> None:
    first = here() + 4
    journey = Journey(
        id="a",
        trigger=on("x"),
        steps=[Wait(days(1)), Split([Arm("a", 100, [
            Send("email", "hello"),
        ])])],
    )  # fmt: skip

    lines = [source_of(step).line - first for step in journey.walk()]
    assert lines[0] == 0
    assert lines[2] == 1


def invalid(make: Callable[[], object]) -> str:
    for _ in range(2):  # the second time pydantic has its validator
        with pytest.raises(DefinitionError) as caught:
            make()
        assert caught.value.source is not None
        assert caught.value.source.file == __file__
    return caught.value.message


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: Send("email"), "Send: send needs 'template'"),
    (
        lambda: Send("email", "x", tpoic="news"),
        "Send.tpoic: 'tpoic' is not a field of send; did you mean 'topic'?",
    ),
    (lambda: Send("email", 5), 'Send.template: must be text: quote it, "5"'),
    (lambda: Send([], "x"), "at least 1"),
    (
        lambda: Send("email", "x", variables={"x": object()}),
        "neither a JSON value nor",
    ),
    (lambda: Wait("two days"), "Wait.due: duration 'two days' is not understood"),
    (lambda: Wait(Until()), "give an instant, a time, weekdays or a window"),
    (lambda: Wait(Until(before=days(1))), "before needs an instant"),
    (lambda: Until("2026-01-01T00:00:00"), "has no offset"),
    (lambda: Window("22:00", "22:00"), "a window from 22:00 to 22:00 is empty"),
    (lambda: Window("9:00", "22:00"), "needs two digits"),
    (lambda: Branch([When(on("x"))]), r"on('x') can't be asked in a Branch"),
    (lambda: Split([Arm("a", 30), Arm("b", 30)]), "must add up to 100"),
    (lambda: Split([Arm("a", 50), Arm("a", 50)]), "names of their own"),
    (lambda: WaitFor([]), "at least 1"),
    (lambda: Cap(1, within=days(1), calendar="day"), "exclude each other"),
    (lambda: Goal(5), "a condition is written"),
    (
        lambda: Journey("A", trigger=on("x"), steps=[]),
        "Journey.id: 'A' is no id, which has lower-case",
    ),
    (lambda: Journey("a", trigger=[], steps=[]), "Journey.trigger: needs at least 1"),
    (
        lambda: Journey("a", trigger="x", steps=[]),
        "Journey.trigger: 'x' is no event trigger",
    ),
    (
        lambda: Journey("a", trigger=on("x"), steps=[When(profile.x == 1)]),
        "Journey.steps.0: When is no step",
    ),
    (lambda: Exit("a", "b"), "Exit: 'b' is one value too many without a name"),
    (lambda: Journey("a", trigger=on("x"), steps=[5]), "Journey.steps.0: 5 is no step"),
    (
        lambda: Journey("a", trigger=on("x"), steps=[], zone="Mars"),
        "unknown time zone",
    ),
    (lambda: Journey("a", trigger=on("x"), steps=[], holdout=100), "less than 100"),
    (lambda: Journey("a", trigger=on("x"), steps=[], reentry="often"), "'never'"),
    (
        lambda: Journey(
            "a", trigger=on("x"), steps=[], starts_at="2026-01-01T00:00:00"
        ),
        "has no offset",
    ),
    (
        lambda: Journey(
            "a",
            trigger=on("x"),
            steps=[],
            starts_at="2026-01-02T00:00:00Z",
            ends_at="2026-01-01T00:00:00Z",
        ),
        "ends_at must come after starts_at",
    ),
]


@pytest.mark.parametrize(("make", "problem"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_names_file_line_and_field(
    make: Callable[[], object], problem: str
) -> None:
    assert problem in invalid(make)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda: Wait(Until("2026-02-30T00:00:00Z")),
            "'2026-02-30T00:00:00Z' is no instant: day ",
        ),
        (
            lambda: Journey(
                "a", trigger=on("x"), steps=[], starts_at="2026-02-30T00:00:00Z"
            ),
            "'2026-02-30T00:00:00Z' is not understood (day value is outside",
        ),
        (lambda: Holdout(0.001), "0.001 has more than two decimals; write 0.01"),
        (lambda: Arm("a", 33.333), "33.333 has more than two decimals; write 33.33"),
        (lambda: Journey("a", trigger="x", steps=[]), "write on('x')"),
        (
            lambda: WaitFor(["order.placed"]),
            "'order.placed' is no when; write When(on(",
        ),
        (lambda: api(event.a > 1), "api(…): a condition needs its name, where="),
        (lambda: QuietHours("21:00"), "'21:00' is no window; write Window('21:00', "),
        (lambda: Journey("a", trigger=on("x"), steps=[None]), "None is no step; "),
        (
            lambda: on("x", event.a > 1),
            "on('x', …): a condition needs its name, where=",
        ),
        (lambda: Emit("x", {"a": object()}), "a: an object is neither a JSON value"),
    ],
)
def test_a_mistake_says_the_way_out(make: Callable[[], object], problem: str) -> None:
    assert problem in invalid(make)


def test_an_instant_of_text_is_read_as_one_and_a_reference_as_one() -> None:
    assert Until("2026-02-28T00:00:00Z").instant == datetime(2026, 2, 28, tzinfo=UTC)
    assert isinstance(Until("profile.renews_at").instant, Expression)


@pytest.mark.parametrize("reason", sorted(ENGINE_REASONS))
def test_the_reasons_of_the_engine_are_not_for_authors(reason: str) -> None:
    assert f"{reason!r} is what the engine says" in invalid(lambda: Exit(reason))
    assert "is what the engine says" in invalid(
        lambda: ExitRule(on("x"), reason=reason)
    )


def test_the_reasons_of_the_engine_are_all_known() -> None:
    told = {
        reason for kind in ("suppressed", "failed") for reason in REASONS[kind] or ()
    }
    # What ends a run can also be named by authors, so that kind has no closed list.
    ends = {
        reason
        for reason in ENGINE_REASONS
        if words_of(TraceEntry("exited", 0, reason=reason)) != f"left: {reason}"
    }

    assert told | ends | {"watched"} == ENGINE_REASONS


def test_ids_that_appear_twice_are_all_named() -> None:
    with pytest.raises(InvalidJourney) as caught:
        Journey("a", trigger=on("x"), steps=[Exit(id="x"), Exit(id="x")])

    assert len(caught.value.issues) == 2
    assert all(f"{__file__}:" in str(issue) for issue in caught.value.issues)


def test_a_definition_never_changes() -> None:
    send = Send("email", "hello")

    with pytest.raises(AttributeError):
        send.template = "other"  # type: ignore[misc]


README = """
from journeykit import (
    Branch, Goal, Journey, Send, Split, Arm, Until, Wait, WaitFor, When, Policies, Cap,
    QuietHours, Window, days, entry, event, has, hours, on, profile,
)

abandoned_cart = Journey(
    id="abandoned-cart",
    stage="conversion",
    trigger=on("cart.updated", where=event.total > 0),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),
    exit_rules=[on("cart.emptied"), profile.blocked == True],
    reentry="restart",
    holdout=10,
    steps=[
        Wait(hours(4)),
        Send("email", "cart-reminder", variables={"total": entry.total}),
        Wait(Until(time="10:00", weekdays=["mon", "fri"])),
        WaitFor([When(on("message.opened"))], timeout=days(2)),
        Branch(
            [When(has(profile.phone) & (entry.total >= 100), [Send("sms", "cart-nudge")])],
            otherwise=[Send(["push", "email"], "cart-last-call")],
        ),
        Split([Arm("a", 50, [Send("email", "x")]), Arm("b", 50)]),
    ],
)
policies = Policies(caps=[Cap(1, within=days(1))], quiet_hours=[QuietHours(Window("22:00", "08:00"))])
"""


def mypy(folder: Path, source: str) -> str:
    (folder / "journeys.py").write_text(source)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file="),
            *("--cache-dir", str(folder / "cache"), "journeys.py"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"MYPYPATH": str(ROOT / "sdk"), "PATH": ""},
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_is_content_with_a_journey_and_needs_no_plugin(tmp_path: Path) -> None:
    assert "Success" in mypy(tmp_path, README)


AS_TEXT_AND_BY_NAME = """
from journeykit import Branch, Journey, Send, Wait, WaitFor, When, days, has, on, profile

steps = [Send("email", "x"), Wait(days(1)), Wait("2d")]
Journey(
    "a",
    trigger=on("x"),
    starts_at="2026-06-01T00:00:00Z",
    steps=[
        *steps,
        Branch([When(has(profile.vip), steps)], otherwise=steps),
        WaitFor([When(on("y"), steps)], timeout="2d", otherwise=steps),
    ],
)
Journey("b", trigger=on("x"), steps=steps)
"""


@pytest.mark.slow
def test_mypy_takes_steps_that_have_a_name_and_instants_as_text(tmp_path: Path) -> None:
    assert "Success" in mypy(tmp_path, AS_TEXT_AND_BY_NAME)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("within=days(7)", "within=7"),
        ('template="x"', "template=5"),
        ("Wait(hours(4))", 'Wait("4h", on_past="later")'),
        ("holdout=10", 'holdout="ten"'),
        ('reentry="restart"', 'reentry="sometimes"'),
    ],
)
def test_mypy_finds_what_would_fail(tmp_path: Path, right: str, wrong: str) -> None:
    source = README.replace('"email", "x"', '"email", template="x"')
    assert right in source

    assert "error:" in mypy(tmp_path, source.replace(right, wrong))


def test_conditions_need_no_quotes_and_no_and() -> None:
    with pytest.raises(DefinitionError, match="Write & for `and`"):
        Branch([When((event.a == 1) and (profile.b == 2))])
    with pytest.raises(DefinitionError, match="days"):
        Wait(hours(1) + __import__("datetime").timedelta(days=1))
