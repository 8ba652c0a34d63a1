"""Call and Collect as their authors write them, and what `check` says of results."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from journeykit import (
    Branch,
    Call,
    Collect,
    Condition,
    DefinitionError,
    EventTrigger,
    Exit,
    ExitRule,
    Expression,
    Goal,
    InvalidCondition,
    Journey,
    Send,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    days,
    event,
    has,
    hours,
    on,
    profile,
    size,
    step,
)
from journeykit.model.check import Issue, Schemas, check
from journeykit.model.conditions import text_of
from journeykit.model.documents import (
    from_json,
    from_yaml,
    json_schema,
    to_json,
    to_yaml,
)

CODE = step("call-voucher").result.code
ITEMS = step("collect").result.items


def journey(*steps: Any, **fields: Any) -> Journey:
    return Journey(**{"id": "j", "trigger": on("posted"), "steps": steps, **fields})


def digest(**options: Any) -> Collect:
    return Collect(on("posted"), **{"window": hours(1), "keep": ["author"], **options})


def mail(**variables: Any) -> Send:
    return Send("email", "hello", variables=variables)


def issues(*steps: Any, **fields: Any) -> list[Issue]:
    return check([journey(*steps, **fields)])


# The reference


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (CODE, 'step["call-voucher"].result.code'),
        (ITEMS[0].author, "step.collect.result.items[0].author"),
        (step("a.b").result["odd name"], 'step["a.b"].result["odd name"]'),
    ],
)
def test_a_result_is_referred_to_by_its_step(reference: Any, text: str) -> None:
    assert text_of(reference) == text
    assert text_of(Expression(text)) == text


def test_a_result_stands_in_conditions_like_any_field() -> None:
    condition = has(step("collect").result) & (size(ITEMS) > 2) & (CODE == "A1")

    assert Condition.parse(condition.text) == condition


def test_step_takes_an_id() -> None:
    with pytest.raises(InvalidCondition, match="takes a step's id"):
        step(Call("voucher"))  # type: ignore[arg-type]


def test_in_a_text_a_step_stands_in_brackets() -> None:
    with pytest.raises(InvalidCondition, match=r'write step\["call-voucher"\].result'):
        Condition.parse('step("call-voucher").result.code == "A1"')


def test_step_alone_is_compared_with_nothing() -> None:
    with pytest.raises(InvalidCondition, match="step is no condition"):
        Condition.parse("step")


# The definitions


def test_the_ids_say_what_the_steps_do() -> None:
    made = journey(Call("voucher"), digest(), Call("voucher"))

    assert [s.id for s in made.steps] == ["call-voucher", "collect", "call-voucher-2"]


def test_they_survive_json_and_yaml() -> None:
    made = journey(
        Call("voucher", {"total": profile.total}, retries=0, on_error=[mail(), Exit()]),
        Call("crm", on_error="exit", timeout=days(1)),
        digest(cancel=on("deleted"), by=event.id, until_count=3, on_empty="proceed"),
        digest(window=Until(time="18:00"), include_entry=False, max_items=1),
        mail(code=CODE, items=ITEMS),
    )

    assert from_json(to_json(made)) == made
    assert from_yaml(to_yaml(made)) == made


def test_the_steps_of_a_failure_have_ids_of_their_own() -> None:
    made = journey(Call("voucher", on_error=[mail()]), mail())

    assert [s.id for s in made.walk()] == [
        "call-voucher",
        "send-email-hello",
        "send-email-hello-2",
    ]


def test_one_field_to_keep_needs_no_list() -> None:
    assert digest(keep="author").keep == ("author",)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Call("voucher", timeout=hours(0)), "timeout: a call takes its time"),
        (lambda: Call("voucher", retries=21), "less than or equal to 20, not 21"),
        (
            lambda: Call("voucher", on_error="retry"),
            "'continue' or 'exit', not 'retry'",
        ),
        (lambda: Call("voucher", on_error=[Send("email")]), "needs 'template'"),
        (lambda: Call("voucher", on_error=[3]), "on_error.0: 3 is no step"),
        (lambda: Call("voucher", on_error=3), "on_error: must be a list, not 3"),
        (lambda: digest(window=hours(0)), "window: nothing can come in no time"),
        (lambda: digest(window=Until(profile.at)), "window: it opens on arrival"),
        (lambda: digest(by=event.id), "cancel and by belong together"),
        (lambda: digest(cancel=on("deleted")), "and the field by which it names it"),
        (lambda: digest(max_items=51), "less than or equal to 50"),
        (lambda: digest(until_count=0), "greater than or equal to 1"),
        (lambda: Collect("posted", window=hours(1)), r"write on\('posted'\)"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        make()


def test_the_schema_describes_what_a_failure_leads_to() -> None:
    described = json_schema()["$defs"]["Call"]["properties"]["on_error"]

    assert described["oneOf"][0]["enum"] == ["continue", "exit"]
    assert described["oneOf"][1]["type"] == "array"


# Actions


def test_an_action_that_nobody_provides_is_an_error() -> None:
    [issue] = check([journey(Call("vuocher"))], actions=["voucher", "claim"])

    assert issue.level == "error"
    assert issue.step == "call-vuocher"
    assert issue.message == (
        "journey 'j' calls action 'vuocher' but no installed plugin provides it; "
        "installed: 'claim', 'voucher'"
    )


def test_without_plugins_no_action_is_provided() -> None:
    [issue] = check([journey(Call("voucher"))], actions=[])

    assert issue.message.endswith("provides it; installed: none")


def test_actions_are_not_asked_for_where_nobody_knows_them() -> None:
    assert check([journey(Call("voucher"))]) == []


# Results


@pytest.mark.parametrize(
    "steps",
    [
        [Call("voucher"), mail(code=CODE)],
        [Wait(days(2)), Call("voucher"), Wait(days(1)), mail(code=CODE)],
        [Call("voucher"), Branch([When(CODE == "A1", [mail(code=CODE)])])],
        [Call("voucher"), Call("crm", {"code": CODE}), Update({"code": CODE})],
        [Call("voucher", on_error=[Exit()]), mail(code=CODE)],
        [
            Call("voucher"),
            WaitFor([When(on("used", where=event.code == CODE))], timeout=days(1)),
        ],
        [
            WaitFor(
                [When(on("a"), [Call("voucher", id="call-voucher")])],
                timeout=days(1),
                otherwise=[Exit()],
            ),
            mail(code=CODE),
        ],
        [digest(), mail(items=ITEMS, first=ITEMS[0].author, n=step("collect").result)],
        [digest(keep=()), mail(count=step("collect").result.count)],
    ],
)
def test_a_result_may_be_read_behind_its_step(steps: list[Any]) -> None:
    assert issues(*steps) == []


@pytest.mark.parametrize(
    ("steps", "level", "problem"),
    [
        (
            [mail(code=CODE), Call("voucher")],
            "error",
            "'call-voucher' comes after this step, so there is no result yet",
        ),
        (
            [Call("voucher", {"code": CODE})],
            "error",
            "'call-voucher' comes after this step, so there is no result yet",
        ),
        (
            [Call("voucher"), mail(code=step("call-vuocher").result)],
            "error",
            "only a Call, a Collect and a Survey have a result; did you mean 'call-voucher'?",
        ),
        (
            [Wait(days(1)), mail(code=step("wait-1d").result)],
            "error",
            "only a Call, a Collect and a Survey have a result; there is none",
        ),
        (
            [Call("voucher"), mail(code=step("call-voucher").code)],
            "error",
            'all there is of a step is its result: step["call-voucher"].result',
        ),
        (
            [
                Branch([When(profile.vip == True, [Call("voucher")])]),
                mail(code=CODE),
            ],
            "warning",
            "'call-voucher' doesn't lie on every path to this step",
        ),
        (
            [
                Branch(
                    [When(profile.vip == True, [Call("voucher")])],
                    otherwise=[mail(code=CODE)],
                ),
            ],
            "error",
            "'call-voucher' comes after this step",
        ),
        (
            [digest(), mail(items=step("collect").result.itmes)],
            "error",
            "a Collect has no 'itmes'; did you mean 'items'?",
        ),
        (
            [digest(), mail(first=ITEMS[0].auhtor)],
            "error",
            "an item has no 'auhtor'; did you mean 'author'?",
        ),
        (
            [digest(keep=()), mail(items=ITEMS)],
            "warning",
            "the items are empty: say which fields to keep",
        ),
    ],
)
def test_a_result_that_is_not_there_is_found(
    steps: list[Any], level: str, problem: str
) -> None:
    [issue] = issues(*steps)

    assert issue.level == level
    assert problem in issue.message


@pytest.mark.parametrize(
    "fields",
    [
        {"goal": Goal(CODE == "A1", within=days(1))},
        {"goal": Goal(on("used", where=event.code == CODE), within=days(1))},
        {"exit_rules": [ExitRule(CODE == "A1")]},
        {"trigger": on("posted", where=event.code == CODE)},
        {"key": CODE},
    ],
)
def test_only_steps_know_results(fields: dict[str, Any]) -> None:
    [issue] = issues(Call("voucher"), **fields)

    assert issue.level == "error"
    assert "can't know what steps have come to" in issue.message


# What a Collect hears


def test_a_window_that_cannot_end_before_the_journey_does_is_an_error() -> None:
    until = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-10T00:00:00Z"}

    [issue] = issues(digest(window=days(30)), on_end="eject", **until)

    assert "this wait can't end before 2026-01-29" in issue.message
    assert issues(digest(window=days(30), until_count=9), on_end="eject", **until) == []


class Posted(BaseModel, title="posted"):
    id: int
    author: str


@pytest.mark.parametrize(
    ("collect", "problem"),
    [
        (digest(cancel=on("deleted"), by=event.idd), "'posted' has no field 'idd'"),
        (
            Collect(on("posted", where=event.autor == "x"), window=hours(1), keep="id"),
            "'posted' has no field 'autor'",
        ),
    ],
)
def test_its_conditions_are_checked_against_the_declared_events(
    collect: Collect, problem: str
) -> None:
    [issue, *_] = check(
        [journey(collect, trigger=on("start"))], schemas=Schemas({"posted": Posted})
    )

    assert problem in issue.message


@pytest.mark.parametrize("listens", ["when", "cancel"])
def test_an_event_spelled_almost_like_a_declared_one_is_a_warning(listens: str) -> None:
    heard = {"when": on("posted"), "cancel": on("posted"), "by": event.id}
    heard[listens] = on("psoted")

    [issue] = check(
        [journey(Collect(window=hours(1), keep="id", **heard))],
        schemas=Schemas({"posted": Posted}),
    )

    assert issue.level == "warning"
    assert "event 'psoted' is not declared; did you mean 'posted'?" in issue.message


def test_what_calls_come_to_needs_no_declaration() -> None:
    made = journey(mail(), trigger=EventTrigger("call.failed"))

    assert check([made], schemas=Schemas({"call.faild": Posted})) == []
