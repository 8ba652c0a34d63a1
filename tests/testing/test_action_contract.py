"""The contract of actions finds what is wrong with one, and nothing with a right one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Any, ClassVar, Self

import pytest

from journeykit.channels import (
    Action,
    ActionCall,
    CallAgain,
    CallFailed,
    CallOutcome,
    Completed,
)
from journeykit.testing import ActionContract
from journeykit.testing.contracts import Trouble

pytest_plugins = ["pytester"]


class Crm:
    """A double of a provider that puts labels on people."""

    def __init__(self) -> None:
        self.labels: dict[str, object] = {}
        self.trouble: Trouble | None = None

    def put(self, key: str, label: object, *, token: str) -> int:
        trouble, self.trouble = self.trouble, None
        if trouble == "busy":
            return 503
        if trouble == "refusing":
            return 403
        self.labels[key] = label
        if trouble == "silent":
            raise TimeoutError
        return 200


@dataclass(frozen=True)
class LabelSettings:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    token: str

    def __repr__(self) -> str:
        return "LabelSettings()"


class Label(Action):
    """An action as it should be; the broken ones below differ in one thing each."""

    name = "label"
    batch_size = 10
    Settings = LabelSettings
    settings: LabelSettings

    def __init__(self, crm: Crm) -> None:
        self.crm: Crm | None = crm

    def mock(self) -> Self:
        mock = copy(self)
        mock.crm = None
        return mock

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return [self.outcome(call) for call in calls]

    def key(self, call: ActionCall) -> str:
        return call.call_id

    def outcome(self, call: ActionCall) -> CallOutcome:
        label = call.arguments.get("label")
        if not isinstance(label, str):
            return CallFailed(call.call_id, "label must be a text")
        if self.crm is None:
            return Completed(call.call_id)
        try:
            status = self.crm.put(self.key(call), label, token=self.settings.token)
        except TimeoutError:
            return CallAgain(call.call_id, 5)
        return self.answered(call, status)

    def answered(self, call: ActionCall, status: int) -> CallOutcome:
        if status == 503:
            return CallAgain(call.call_id, 30)
        if status == 403:
            return CallFailed(call.call_id, "the CRM refuses")
        return Completed(call.call_id, {"label": call.arguments["label"]})


class LabelContract(ActionContract):
    arguments = {"label": "gold"}  # noqa: RUF012 - as an author would write it
    bad_arguments = ({}, {"label": 5})
    bad_settings = ({}, {"token": "t0p-secret", "tokn": "x"})
    secrets = ("t0p-secret",)
    kind: type[Label] = Label

    def setup_method(self) -> None:
        self.crm = Crm()

    def action(self) -> Action:
        return self.kind(self.crm).configured({"token": "t0p-secret"})

    def effects(self) -> object:
        return self.crm.labels

    def troubled(self, trouble: Trouble) -> Action | None:
        self.crm.trouble = trouble
        return self.action()


class TestLabel(LabelContract):
    pass


class Nameless(Label):
    name = " "


class Greedy(Label):
    batch_size = 0


class Wordy(Label):
    def answered(self, call: ActionCall, status: int) -> CallOutcome:
        found = super().answered(call, status)
        long = {"text": "x" * 2048}
        return replace(found, result=long) if isinstance(found, Completed) else found


class NotJson(Label):
    def answered(self, call: ActionCall, status: int) -> CallOutcome:
        return Completed(call.call_id, {"labels": (1, 2)})


class Silent(Label):
    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        return super().run(calls)[:1]


class Fragile(Label):
    def outcome(self, call: ActionCall) -> CallOutcome:
        if "label" not in call.arguments:
            raise KeyError("label")
        return super().outcome(call)


class Lenient(Label):
    def outcome(self, call: ActionCall) -> CallOutcome:
        return super().outcome(replace(call, arguments={"label": "gold"}))


class Repeating(Label):
    """Gives the provider a key of its own, and not the call's."""

    def key(self, call: ActionCall) -> str:
        assert self.crm is not None
        return f"{call.call_id}-{len(self.crm.labels)}"


class Hasty(Label):
    def answered(self, call: ActionCall, status: int) -> CallOutcome:
        if status == 503:
            return CallFailed(call.call_id, "busy")
        return super().answered(call, status)


class Stubborn(Label):
    def answered(self, call: ActionCall, status: int) -> CallOutcome:
        if status == 403:
            return CallAgain(call.call_id, 1)
        return super().answered(call, status)


class RealMock(Label):
    def mock(self) -> Self:
        return self


class Mockless(Label):
    def mock(self) -> Self:
        raise NotImplementedError


class Forgetful(Label):
    """Keeps the call at hand where all threads see it."""

    def __init__(self, crm: Crm) -> None:
        super().__init__(crm)
        self.two_at_once = Barrier(2, timeout=0.5)

    def outcome(self, call: ActionCall) -> CallOutcome:
        self.at_hand = call
        self.two_at_once.wait()
        return super().outcome(self.at_hand)


class Unchecked(Label):
    def configured(self, settings: Mapping[str, object]) -> Self:
        done = copy(self)
        done.settings = LabelSettings(str(settings.get("token")))
        return done


class Gossiping(Label):
    def answered(self, call: ActionCall, status: int) -> CallOutcome:
        if status == 403:
            return CallFailed(call.call_id, f"refused {self.settings.token}")
        return super().answered(call, status)


@dataclass(frozen=True)
class ShownSettings:
    token: str


class Chatty(Label):
    Settings = ShownSettings


def contract(kind: type[Label]) -> LabelContract:
    found = LabelContract()
    found.kind = kind
    found.setup_method()
    return found


BROKEN: Sequence[tuple[type[Label], Callable[..., Any]]] = [
    (Nameless, LabelContract.test_it_says_what_it_is_called_and_what_it_takes),
    (Greedy, LabelContract.test_it_says_what_it_is_called_and_what_it_takes),
    (Wordy, LabelContract.test_a_call_that_is_right_completes),
    (NotJson, LabelContract.test_a_call_that_is_right_completes),
    (Silent, LabelContract.test_each_call_of_a_batch_gets_one_outcome_of_its_own),
    (Fragile, LabelContract.test_bad_arguments_fail_for_good_with_a_reason),
    (Lenient, LabelContract.test_bad_arguments_fail_for_good_with_a_reason),
    (Repeating, LabelContract.test_the_same_call_twice_is_done_once),
    (Repeating, LabelContract.test_a_lost_answer_does_not_do_it_twice),
    (Hasty, LabelContract.test_a_busy_provider_is_asked_again),
    (Stubborn, LabelContract.test_a_refusal_is_final),
    (RealMock, LabelContract.test_the_mock_completes_and_changes_nothing),
    (Mockless, LabelContract.test_the_mock_completes_and_changes_nothing),
    (Forgetful, LabelContract.test_it_can_be_run_from_several_threads),
    (Unchecked, LabelContract.test_settings_are_checked),
    (Chatty, LabelContract.test_settings_are_checked),
]


@pytest.mark.parametrize(("kind", "promise"), BROKEN)
def test_what_breaks_a_promise_fails_the_test_of_it(
    kind: type[Label], promise: Callable[[LabelContract], None]
) -> None:
    with pytest.raises((Exception, pytest.fail.Exception)):
        promise(contract(kind))


@pytest.mark.parametrize("kind", [Gossiping, Chatty])
def test_a_secret_that_can_be_seen_fails_the_test_of_it(
    kind: type[Label], caplog: pytest.LogCaptureFixture
) -> None:
    told = contract(kind)
    told.bad_settings = ()  # type: ignore[misc]

    with pytest.raises(AssertionError, match="t0p-secret"):
        told.test_secrets_stay_secret(caplog)


def test_an_action_that_asks_nobody_needs_no_provider() -> None:
    class Asking(LabelContract):
        def troubled(self, trouble: Trouble) -> Action | None:
            return None

    with pytest.raises(pytest.skip.Exception, match="asks nobody"):
        Asking().test_a_busy_provider_is_asked_again()


def test_a_contract_that_names_no_action_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="say in your subclass"):
        ActionContract().test_a_call_that_is_right_completes()


def test_a_failing_promise_shows_what_was_compared(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from journeykit.builtin.claim import ClaimAction
        from journeykit.testing import ActionContract

        class Wrong(ClaimAction):
            batch_size = -1

        class TestWrong(ActionContract):
            def action(self):
                return Wrong()
        """)

    done = pytester.runpytest_subprocess("-p", "no:randomly", "-k", "what_it_takes")

    done.stdout.fnmatch_lines(["E * assert -1 >= 1*", "E * where -1 = *batch_size*"])
