"""Each rule of `check` fires where it should, and keeps quiet on the right thing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import BaseModel
from tests.strategies import journeys, policies

from journeykit import (
    Arm,
    Branch,
    Cap,
    Condition,
    ConsentDefault,
    Emit,
    Exit,
    ExitRule,
    Goal,
    Journey,
    Objective,
    OpenHours,
    Policies,
    QuietHours,
    ReEntry,
    Send,
    Split,
    Topic,
    Touchpoint,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    api,
    days,
    entry,
    event,
    has,
    hours,
    minutes,
    on,
    profile,
)
from journeykit.model.check import Issue, Schemas, check
from journeykit.model.rules import STEPS_PER_SPRINT

YES = Condition.parse("true")
ALLOWED = (ConsentDefault("allow"),)


def journey(*steps: Any, **fields: Any) -> Journey:
    given: dict[str, Any] = {"id": "cart", "trigger": on("cart.updated"), **fields}
    return Journey(steps=steps, **given)


def found(*journeys: Journey, **world: Any) -> list[Issue]:
    return check(journeys, **world)


def only(level: str, *journeys: Journey, **world: Any) -> Issue:
    """The one issue that there is."""
    [issue] = found(*journeys, **world)
    assert issue.level == level
    return issue


def mail(**fields: Any) -> Send:
    return Send("email", "reminder", **fields)


# Names


def test_two_journeys_of_one_id_are_an_error_that_names_both_places() -> None:
    issue = only("error", journey(mail()), journey(mail()))

    assert issue.message.startswith("two journeys have the id 'cart', first at ")
    assert __file__ in issue.message
    assert issue.source is not None
    assert not found(journey(mail()), journey(mail(), id="other"))


def test_a_channel_that_nobody_carries_is_an_error_with_the_nearest_name() -> None:
    issue = only(
        "error", journey(mail(), Send("emial", "x")), channels={"email", "sms"}
    )

    assert issue.message == "nobody carries channel 'emial'; did you mean 'email'?"
    assert (issue.journey, issue.step) == ("cart", "send-emial-x")
    assert not found(journey(mail()), channels=["email"])
    assert not found(journey(Send("emial", "x")))  # not known which there are


def test_a_topic_that_is_not_declared_is_an_error() -> None:
    rules = Policies(topics=[Topic("news")], consent=ALLOWED)

    of_step = only("error", journey(mail(topic="newz")), policies=rules)
    of_journey = only("error", journey(mail(), topic="newz"), policies=rules)

    assert of_step.message == "topic 'newz' is not known; did you mean 'news'?"
    assert of_journey.message == of_step.message
    assert not found(journey(mail(topic="news")), policies=rules)
    assert not found(journey(mail(topic="x")), policies=Policies(consent=ALLOWED))


def test_a_touchpoint_that_is_not_declared_is_an_error() -> None:
    store = Touchpoint("store", "retention", "store")

    issue = only("error", journey(mail(touchpoint="stor")), touchpoints=[store])

    assert issue.message == "touchpoint 'stor' is not known; did you mean 'store'?"
    assert not found(journey(mail(touchpoint="store")), touchpoints=[store])


def test_an_objective_that_is_not_declared_is_an_error() -> None:
    known = [
        Objective("revenue", "revenue", 1, datetime(2026, 1, 1, tzinfo=UTC).date())
    ]

    issue = only("error", journey(mail(), objectives=["profit"]), objectives=known)

    assert issue.message == "objective 'profit' is not known; there is 'revenue'"
    assert not found(journey(mail(), objectives=["revenue"]), objectives=known)


def test_an_empty_template_name_is_an_error() -> None:
    issue = only("error", journey(Send("email", " ")))

    assert issue.message == "the template has an empty name; give it one"


def test_a_policy_about_something_unknown_is_an_error() -> None:
    rules = Policies(caps=[Cap(1, journey="kart")], consent=ALLOWED)

    issue = only("error", journey(mail()), policies=rules)

    assert issue.message == "journey 'kart' is not known; did you mean 'cart'?"
    right = Policies(caps=[Cap(1, journey="cart", channel="email")], consent=ALLOWED)
    assert not found(journey(mail()), policies=right, channels=["email"])


def test_a_numbered_id_is_a_hint() -> None:
    issue = only("hint", journey(mail(), Wait(days(1)), mail()))

    assert issue.step == "send-email-reminder-2"
    assert "give it an id of its own" in issue.message
    assert not found(journey(mail(), Wait(days(1)), mail(id="second")))


# event and entry


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (journey(Branch([When(event.total > 1, [mail()])])), "a Branch"),
        (journey(mail(variables={"x": [{"y": event.total}]})), "a Send"),
        (journey(Update({"x": event.total})), "an Update"),
        (journey(Emit("x", {"x": event.total})), "an Emit"),
        (journey(Wait(Until(event.total))), "a Wait"),
        (
            journey(WaitFor([When(on("x"))], timeout=Until(event.total))),
            "a WaitFor's timeout",
        ),
        (
            journey(WaitFor([When(event.total > 1)], timeout=days(1))),
            "a WaitFor without a trigger",
        ),
        (journey(exit_rules=[event.total > 1]), "an exit rule without a trigger"),
        (
            journey(exit_rules=[ExitRule(event.total > 1)]),
            "an exit rule without a trigger",
        ),
        (journey(goal=Goal(event.total > 1)), "a goal without a trigger"),
        (
            journey(goal=Goal(profile.a == 1, value=event.total)),
            "a goal without a trigger",
        ),
        (journey(trigger=api(where=event.total > 1)), "an api trigger"),
    ],
)
def test_event_is_an_error_where_only_entry_is_known(
    wrong: Journey, place: str
) -> None:
    [issue] = [issue for issue in found(wrong) if issue.level == "error"]

    assert issue.message == (
        f"event.total: {place} has no event that is being matched; write entry.total "
        "for the event that started the run"
    )


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (journey(trigger=on("x", where=entry["odd name"] > 1)), "a journey's trigger"),
        (journey(key=entry["odd name"]), "a key"),
    ],
)
def test_entry_is_an_error_where_there_is_no_run_yet(
    wrong: Journey, place: str
) -> None:
    issue = only("error", wrong)

    assert issue.message == (
        f'entry["odd name"]: {place} is asked before there is a run; '
        'write event["odd name"]'
    )


def test_event_and_entry_are_right_where_they_mean_something() -> None:
    right = journey(
        Branch(
            [When(entry.total > profile.limit, [mail(variables={"x": entry.total})])]
        ),
        WaitFor([When(on("x", where=event.a == entry.a))], timeout=Until(entry.ends)),
        trigger=[on("cart.updated", where=event.total > 0), api(where=entry.total > 0)],
        key=event.cart,
        goal=Goal(on("y", where=event.a == entry.a), value=event.amount),
        exit_rules=[on("z", where=event.a == entry.a), ExitRule(entry.a == profile.a)],
    )

    assert not found(right)


# Declared fields


class CartUpdated(BaseModel):
    total: float
    country: str


class OrderPlaced(BaseModel):
    amount: float


class Person(BaseModel):
    phone: str | None = None


SCHEMAS = Schemas({"cart.updated": CartUpdated, "order.placed": OrderPlaced}, Person)


@pytest.mark.parametrize(
    "wrong",
    [
        journey(trigger=on("cart.updated", where=event.totl > 1)),
        journey(Branch([When(entry.totl > 1)])),
        journey(mail(variables={"x": entry.totl})),
    ],
)
def test_a_misspelt_field_is_an_error(wrong: Journey) -> None:
    issue = only("error", wrong, schemas=SCHEMAS)

    assert "'CartUpdated' has no field 'totl'; did you mean 'total'?" in issue.message


def test_declared_fields_and_undeclared_events_are_right() -> None:
    right = journey(
        Branch([When((entry.total > 1) & has(profile.phone))]),
        WaitFor([When(on("something.else", where=event.x == 1))], timeout=days(1)),
        goal=Goal(on("order.placed"), value=event.amount),
    )

    assert not found(right, schemas=SCHEMAS)


def test_entry_may_have_the_fields_of_any_event_that_starts_the_journey() -> None:
    either = [on("cart.updated"), on("order.placed")]

    assert not found(
        journey(Branch([When(entry.amount > 1)]), trigger=either), schemas=SCHEMAS
    )
    assert found(
        journey(Branch([When(entry.amout > 1)]), trigger=either), schemas=SCHEMAS
    )


def test_an_event_spelled_almost_like_a_declared_one_is_a_warning() -> None:
    issue = only("warning", journey(goal=Goal(on("order.placd"))), schemas=SCHEMAS)

    assert issue.message == (
        "event 'order.placd' is not declared; did you mean 'order.placed'?"
    )
    ours = only("warning", journey(goal=Goal(on("score.updatd"))), schemas=SCHEMAS)
    assert "did you mean 'score.updated'?" in ours.message
    own = journey(trigger=on("order.placed"), goal=Goal(on("card.updated")))
    others = Schemas(events={"order.placed": SCHEMAS.events["order.placed"]})
    assert not found(own, schemas=others), "names of ours are offered for slips only"
    emitted = journey(Emit("order.placd"), goal=Goal(on("order.placd")))
    assert not found(emitted, schemas=SCHEMAS)


# Paths


@pytest.mark.parametrize(
    "first",
    [
        Exit(),
        Branch([When(profile.a == 1, [Exit()])], otherwise=[mail(), Exit("x")]),
        Split([Arm("a", 50, [Exit("x")]), Arm("b", 50, [Exit("y")])]),
        WaitFor([When(on("x"), [Exit()])], timeout=days(1), otherwise=[Exit("z")]),
    ],
)
def test_a_step_behind_the_end_of_every_path_is_an_error(first: Any) -> None:
    issue = only("error", journey(first, mail(id="late"), mail(id="later")))

    assert issue.step == "late"
    assert issue.message.startswith("never reached: every path ends at ")


@pytest.mark.parametrize(
    "first",
    [
        Branch([When(profile.a == 1, [Exit()])]),
        Split([Arm("a", 50, [mail()]), Arm("b", 50, [mail(id="b")])]),  # they rejoin
        WaitFor([When(on("x"))], timeout=days(1), otherwise=[Exit()]),
    ],
)
def test_a_step_that_some_path_reaches_is_right(first: Any) -> None:
    assert not found(journey(first, Wait(days(1)), mail(id="late")))


def test_a_step_behind_an_exit_that_may_be_passed_over_is_reached() -> None:
    until = Wait(Until(profile.renews_at), on_missing="skip_step")

    assert not found(journey(until, Exit(), mail()))
    assert found(journey(Wait(Until(profile.renews_at)), Exit(), mail()))


def test_what_follows_a_missing_timeout_is_an_error() -> None:
    wrong = journey(WaitFor([When(on("x"))], otherwise=[mail()]))

    messages = [issue.message for issue in found(wrong)]

    assert "otherwise is never reached without a timeout; give one" in messages


def test_a_wait_without_end_is_a_warning() -> None:
    issue = only("warning", journey(WaitFor([When(on("x"))])))

    assert (
        issue.message == "waits for ever for what may never happen; give it a timeout"
    )
    assert not found(journey(WaitFor([When(on("x"))], timeout=days(30))))


def listening(since: str) -> WaitFor:
    return WaitFor([When(on("x"))], timeout=days(1), since=since, id="listen")


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([mail(id="a"), listening("b")], "since='b' is no step; did you mean"),
        ([mail(id="a"), listening("listen")], "since names this step itself"),
        ([listening("a"), mail(id="a")], "since='a' doesn't lie on every path"),
        (
            [Branch([When(profile.a == 1, [mail(id="a")])]), listening("a")],
            "since='a' doesn't lie on every path to this step; did you mean 'branch'?",
        ),
    ],
)
def test_since_must_name_a_step_on_every_path(steps: list[Any], problem: str) -> None:
    issues = [issue for issue in found(journey(*steps)) if issue.level == "error"]

    assert len(issues) == 1
    assert issues[0].message.startswith(problem.split(";")[0])


@pytest.mark.parametrize(
    "steps",
    [
        [mail(id="a"), Wait(days(1)), listening("a")],
        [mail(id="a"), Branch([When(profile.a == 1, [listening("a")])])],
        [
            Branch([When(profile.a == 1, [Exit()])], otherwise=[mail(id="a")]),
            listening("a"),
        ],
        [Branch([When(profile.a == 1, [mail()])], id="a"), listening("a")],
    ],
)
def test_since_may_name_any_step_that_lies_before_for_certain(steps: list[Any]) -> None:
    assert not found(journey(*steps))


def test_an_event_that_falls_between_send_and_listener_is_a_warning() -> None:
    opened = WaitFor([When(on("message.opened"))], timeout=days(1))

    issue = only("warning", journey(mail(id="hello"), Wait(hours(1)), opened))

    assert issue.message == (
        "'message.opened' doesn't count if it comes between 'hello' and this step; "
        "add since='hello', or wait for it at once"
    )
    latched = WaitFor([When(on("message.opened"))], timeout=days(1), since="hello")
    assert not found(journey(mail(id="hello"), Wait(hours(1)), latched))
    assert not found(journey(mail(id="hello"), opened))
    assert not found(journey(Wait(hours(1)), opened))


def test_a_hundred_steps_without_a_wait_are_the_most() -> None:
    updates = [Update({"n": n}, id=f"update-{n}") for n in range(102)]

    issue = only("error", journey(*updates))

    assert STEPS_PER_SPRINT == 100
    assert issue.step == "update-100"
    assert issue.message.startswith("more than 100 steps without a wait")
    assert not found(journey(*updates[:100]))
    assert not found(journey(*updates[:60], Wait(days(1)), *updates[60:]))


# Time

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "steps",
    [
        [Wait(Until(JULY))],
        [Wait(days(20)), Wait(days(21))],
        [Branch([When(profile.a == 1, [Wait(days(20))])], otherwise=[Wait(days(40))])],
        [WaitFor([When(on("x"))], timeout=days(40), otherwise=[mail()])],
    ],
)
def test_a_wait_that_cannot_end_before_the_journey_does_is_an_error(steps: Any) -> None:
    span: dict[str, Any] = {"starts_at": JUNE, "ends_at": JULY, "on_end": "eject"}

    issue = only("error", journey(*steps, **span))

    assert issue.message.startswith("this wait can't end before ")
    assert "on_end='eject': nobody gets past it" in issue.message
    assert not found(journey(*steps, **{**span, "on_end": "finish"}))
    assert not found(journey(Wait(days(20)), mail(), **span))


def test_an_instant_before_the_journey_starts_is_a_warning() -> None:
    past = Wait(Until(datetime(2025, 12, 24, tzinfo=UTC)))

    issue = only("warning", journey(past, starts_at=JUNE))

    assert "has passed for everybody" in issue.message
    assert not found(journey(Wait(Until(JULY)), starts_at=JUNE))
    assert not found(journey(past))


def rules(**fields: Any) -> Policies:
    return Policies(consent=ALLOWED, **fields)


def test_hours_that_never_open_are_an_error() -> None:
    night = OpenHours([Window("22:00", "24:00")])
    quiet = QuietHours(Window("20:00", "08:00"))

    issue = only("error", policies=rules(quiet_hours=[quiet], open_hours=[night]))

    assert "leave no hour of the week for marketing messages" in issue.message
    assert not found(policies=rules(quiet_hours=[quiet]))
    monday = QuietHours(Window("00:00", "24:00", weekdays=["mon"]))
    assert not found(policies=rules(quiet_hours=[monday]))


def test_hours_that_never_open_for_one_channel_name_it() -> None:
    never = QuietHours(Window("00:00", "24:00"), channel="sms", purpose="all")

    issues = found(policies=rules(quiet_hours=[never]))

    assert [issue.level for issue in issues] == ["error", "error"]
    assert all("messages over 'sms'" in issue.message for issue in issues)


def test_a_message_that_expires_in_quiet_hours_is_a_warning() -> None:
    quiet = rules(quiet_hours=[QuietHours(Window("20:00", "08:00"))])

    issue = only("warning", journey(mail(expires_after=hours(2))), policies=quiet)

    assert "expires after 2h, and quiet hours can hold it back for 12h" in issue.message
    assert not found(journey(mail()), policies=quiet)  # a day, by default
    skipped = mail(expires_after=hours(2), on_quiet="skip")
    assert not found(journey(skipped), policies=quiet)
    transactional = mail(expires_after=hours(2), purpose="transactional")
    assert not found(journey(transactional), policies=quiet)


def test_a_weekend_holds_a_message_back_for_longer_than_its_day() -> None:
    weekdays = Window("08:00", "18:00", weekdays=["mon", "tue", "wed", "thu", "fri"])

    issue = only(
        "warning", journey(mail()), policies=rules(open_hours=[OpenHours([weekdays])])
    )

    assert (
        "expires after 24h, and quiet hours can hold it back for 62h" in issue.message
    )


def test_an_unwritten_consent_default_is_a_hint() -> None:
    issue = only("hint", policies=Policies())

    assert "add a consent rule with default 'allow' or 'refuse'" in issue.message
    assert not found(policies=rules())


# Goals


def test_a_holdout_without_a_goal_is_a_warning() -> None:
    issue = only("warning", journey(mail(), holdout=10))

    assert issue.message == "a holdout measures nothing without a goal; give one"


def test_a_holdout_whose_goal_has_no_window_is_a_warning() -> None:
    issue = only("warning", journey(mail(), holdout=10, goal=Goal(on("x"))))

    assert "goal 'goal' has no `within`" in issue.message
    assert not found(journey(mail(), holdout=10, goal=Goal(on("x"), within=days(30))))
    assert not found(journey(mail(), goal=Goal(on("x"))))


def test_a_goal_that_goes_on_without_a_window_is_a_warning() -> None:
    issue = only("warning", journey(mail(), goal=Goal(on("x"), on_goal="continue")))

    assert "it only counts while the run lasts" in issue.message
    windowed = Goal(on("x"), on_goal="continue", within=days(1))
    assert not found(journey(mail(), goal=windowed))


# Chains of events


def emits(name: str, *rest: Any, id: str = "cart", **fields: Any) -> Journey:
    return journey(Emit(name), *rest, id=id, **fields)


def test_a_journey_that_starts_itself_at_once_is_an_error() -> None:
    issue = only("error", emits("cart.updated", reentry="always"))

    assert issue.message.startswith(
        "cart starts itself without a wait and without end; limit it"
    )


@pytest.mark.parametrize(
    "right",
    [
        emits("cart.updated", reentry="never"),
        emits("cart.updated", reentry=ReEntry("always", cooldown=days(1))),
        emits("cart.updated", reentry=ReEntry("always", max_entries=3)),
        emits(
            "cart.updated",
            reentry="always",
            trigger=on("cart.updated", where=event.a == 1),
        ),
        emits("cart.updated", Wait(days(1))),  # it is still in when the event comes
        emits("other", reentry="always"),
        journey(Wait(minutes(1)), Emit("cart.updated"), reentry="never"),
        journey(Wait(minutes(1)), Emit("cart.updated"), exit_rules=[profile.a == 1]),
        journey(
            Wait(minutes(1)), Branch([When(profile.a == 1, [Emit("cart.updated")])])
        ),
        journey(Exit(), trigger=on("x"), reentry="always"),
    ],
)
def test_a_journey_whose_event_starts_nothing_for_ever_is_right(right: Journey) -> None:
    assert not found(right)


@pytest.mark.parametrize("mode", ["after_exit", "restart"])
def test_a_run_that_has_ended_can_be_started_again_at_once(mode: Any) -> None:
    assert only("error", emits("cart.updated", reentry=mode))


def test_two_journeys_that_start_each_other_are_an_error_of_both() -> None:
    there = emits("b", id="there", trigger=on("a"), reentry="always")
    back = emits("a", id="back", trigger=on("b"), reentry="always")

    messages = [issue.message for issue in found(there, back)]

    assert [message.split(" start")[0] for message in messages] == [
        "there → back → there",
        "back → there → back",
    ]
    slow = journey(
        Wait(days(1)), Emit("a"), id="back", trigger=on("b"), reentry="always"
    )
    assert [issue.level for issue in found(there, slow)] == ["warning", "warning"]


def test_an_emit_in_an_arm_is_found_and_one_behind_waits_in_all_arms_is_not() -> None:
    waits = Split([Arm("a", 50, [Wait(days(1))]), Arm("b", 50, [Wait(days(2))])])
    one = Split([Arm("a", 50, [Wait(days(1))]), Arm("b", 50)], id="one")

    assert only("error", journey(one, Emit("cart.updated"), reentry="always"))
    assert only("warning", journey(waits, Emit("cart.updated"), reentry="always"))


@pytest.mark.parametrize("mode", ["after_exit", "always", "restart"])
def test_a_journey_that_starts_itself_after_a_wait_is_a_warning(mode: Any) -> None:
    circle = journey(Wait(minutes(1)), Emit("cart.updated"), reentry=mode)

    issue = only("warning", circle)

    assert issue.message.startswith("cart starts itself for ever; if that isn't meant")
    assert "reentry='never'" in issue.message


def test_a_wait_of_nothing_is_an_error_and_no_wait() -> None:
    issues = found(journey(Wait(hours(0)), Emit("cart.updated")))

    assert [issue.level for issue in issues] == ["error", "error"]
    messages = sorted(issue.message for issue in issues)
    assert messages[0].startswith("a wait of nothing is no wait")
    assert messages[1].startswith("cart starts itself without a wait and without end")


def test_ids_with_a_number_are_one_hint_of_each_journey() -> None:
    hint = only("hint", journey(*(Wait(days(1)) for _ in range(101))))

    assert "this is the second 'wait-1d'" in hint.message
    assert ", and 99 more have one," in hint.message


# All together


def test_issues_come_in_the_order_of_the_files_and_print_their_place() -> None:
    issues = found(journey(Exit(), mail()), journey(Send("email", " "), id="b"))

    lines = [issue.source.line for issue in issues if issue.source]
    assert lines == sorted(lines)
    assert str(issues[0]).startswith(f"{__file__}:")
    assert ": error: cart/send-email-reminder: never reached" in str(issues[0])


@settings(max_examples=50)
@given(journeys(), policies())
def test_what_is_generated_is_free_of_errors_but_for_its_dates(
    generated: Journey, generated_rules: Policies
) -> None:
    issues = check(
        [generated], policies=generated_rules, channels=["email", "sms", "push"]
    )

    errors = [issue for issue in issues if issue.level == "error"]
    allowed = ("this wait can't end", "never reached", "quiet hours and open hours")
    assert not [e for e in errors if not e.message.startswith(allowed)]
