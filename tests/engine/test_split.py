"""Branch and Split: which way on."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Arm,
    Branch,
    Exit,
    Journey,
    Send,
    Split,
    Update,
    When,
    entry,
    on,
    profile,
)
from journeykit.engine.ids import bucket
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def test_a_branch_takes_the_first_path_whose_condition_holds(drive: Any) -> None:
    ada = drive(
        journey(
            Branch(
                [
                    When(entry.x > 9, [Send("email", "nine")]),
                    When(entry.x > 1, [Send("email", "one")]),
                    When(entry.x > 0, [Send("email", "none")]),
                ]
            )
        )
    )

    ada.event("start", x=5)

    assert ada.sent == ["one +0s"]


def test_a_branch_without_a_match_takes_the_other_way(drive: Any) -> None:
    ada = drive(
        journey(
            Branch([When(entry.x > 9)], otherwise=[Send("email", "else")]),
            Send("sms", "then"),
        )
    )

    ada.event("start", x=5)

    assert ada.sent == ["else +0s", "then +0s"]


def test_a_path_without_steps_rejoins(drive: Any) -> None:
    ada = drive(
        journey(Branch([When(entry.x > 1)], otherwise=[Exit()]), Send("sms", "then"))
    )

    ada.event("start", x=5)

    assert ada.sent == ["then +0s"]


@pytest.mark.parametrize("entered", [{}, {"x": None}, {"x": "text"}, {"x": {"y": 1}}])
def test_what_is_missing_or_of_another_type_does_not_hold(
    drive: Any, entered: dict[str, Any]
) -> None:
    ada = drive(journey(Branch([When(entry.x > 1)], otherwise=[Send("sms", "else")])))

    ada.event("start", **entered)

    assert ada.sent == ["else +0s"]


def test_the_trace_explains_what_was_missing(drive: Any) -> None:
    ada = drive(journey(Branch([When(entry.x > 1)])), explain=True)

    ada.event("start")

    (branched,) = ada.details("branched")
    assert branched["asked"][0]["missing"] == ["entry.x"]


def test_paths_nest_and_rejoin_from_everywhere(drive: Any) -> None:
    inner = Branch([When(entry.y == 1, [Update({"deep": 1})])])
    ada = drive(journey(Branch([When(entry.x == 1, [inner])]), Send("sms", "then")))

    ada.event("start", x=1, y=1)

    assert ada.customer.profile == {"deep": 1}
    assert ada.sent == ["then +0s"]


def test_exit_ends_the_run_with_the_authors_reason(drive: Any) -> None:
    ada = drive(journey(Exit("not-interested"), Send("sms", "never")))

    ada.event("start")

    assert ada.did == ["entered", "exited not-interested"]


def halves(**options: Any) -> Split:
    return Split(
        [Arm("a", 50, [Update({"a": 1})]), Arm("b", 50, [Update({"b": 1})])],
        id="halves",
        **options,
    )


def test_the_same_customer_takes_the_same_arm_in_any_process(drive: Any) -> None:
    first, second = drive(journey(halves())), drive(journey(halves()))

    first.event("start")
    second.event("start", "+9h")

    assert first.reasons("split") == second.reasons("split")


def test_shares_are_about_what_the_weights_say() -> None:
    buckets = [bucket("j/split", f"customer-{n}") for n in range(2000)]

    share = sum(number < 9000 for number in buckets) / len(buckets)

    assert 0.88 < share < 0.92


def test_another_step_changes_nobodys_arm(drive: Any) -> None:
    plain, longer = drive(journey(halves())), drive(journey(Update({"x": 1}), halves()))

    plain.event("start")
    longer.event("start")

    assert plain.reasons("split") == longer.reasons("split")


@pytest.mark.parametrize("on_reentry", ["sticky", "redraw"])
def test_an_arm_sticks_on_re_entry_unless_it_is_drawn_anew(
    drive: Any, on_reentry: Any
) -> None:
    ada = drive(journey(halves(on_reentry=on_reentry)))

    for _ in range(20):
        ada.event("start")

    arms = set(ada.reasons("split"))
    assert len(arms) == (1 if on_reentry == "sticky" else 2)


def test_assignments_made_stay_when_weights_are_edited(drive: Any) -> None:
    ada = drive(journey(halves()))
    ada.event("start")
    (arm,) = ada.reasons("split")
    other = "b" if arm == "a" else "a"
    edited = Split([Arm(arm, 0.01), Arm(other, 99.99)], id="halves")

    ada.publish(journey(edited, version=2))
    ada.event("start")

    assert ada.reasons("split") == [arm, arm]
    assert ada.details("split")[1] == {"known": True}


def test_an_arm_that_is_gone_is_drawn_anew(drive: Any) -> None:
    ada = drive(journey(halves()))
    ada.event("start")

    ada.publish(journey(Split([Arm("c", 100)], id="halves"), version=2))
    ada.event("start")

    assert ada.reasons("split")[1] == "c"


def test_two_splits_are_drawn_apart(drive: Any) -> None:
    splits = [Split([Arm("a", 50), Arm("b", 50)], id=f"split-{n}") for n in range(30)]
    ada = drive(journey(*splits))

    ada.event("start")

    assert set(ada.reasons("split")) == {"a", "b"}


def test_the_profile_a_path_wrote_is_there_for_the_next_step(drive: Any) -> None:
    ada = drive(
        journey(Update({"x": 1}), Branch([When(profile.x == 1, [Send("sms", "yes")])]))
    )

    ada.event("start")

    assert ada.sent == ["yes +0s"]
