"""Publishing, and what is left of it when its function is killed at a bad moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from journeykit import (
    Journey,
    Policies,
    Segment,
    Send,
    audience_plan,
    entered,
    every,
    on,
    profile,
)
from journeykit.aws.parts import ASK_EVERY_MS, Parts
from journeykit.aws.publishing import _STORED_MS, Publishing
from journeykit.aws.settings import Settings
from journeykit.aws.visits import SETTLED_S
from journeykit.engine.guards import ChannelRules
from journeykit.model.identity import IdentityRules
from journeykit.testing import MemoryStore

NOW = 1_790_000_000_000
HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])


class Killed(BaseException):
    """The process ends here."""


class Stack:
    """Everything behind `publish`: it notes each call, and may be killed at one."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = NOW
        self.calls: list[str] = []
        self.kill_at: int | None = None
        self.storing_takes_ms = 0
        self.queues = {"shop-deliver-email"}
        self.publishing = Publishing(
            cast(
                Parts,
                SimpleNamespace(
                    catalogs=SimpleNamespace(
                        current=self.store.current,
                        revision=self.store.revision,
                        publish=self._store,
                    ),
                    bus=SimpleNamespace(hear=self._noted, listen=self._noted_last),
                    tallies=SimpleNamespace(reset_tallies=self._reset),
                    visits=SimpleNamespace(begin=self._begin),
                    levels=SimpleNamespace(exists=lambda name: name in self.queues),
                    contents=self.store,
                    guards={},
                    rules={"email": ChannelRules(lambda profile, id: id, str)},
                    manifest=SimpleNamespace(actions=(), identity=IdentityRules()),
                ),
            ),
            Settings(
                deliver_queues="https://sqs/shop-deliver-",
                events_queue_arn="arn:events",
                dead_letter_queue_arn="arn:dead",
            ),
            clock=lambda: self.now,
        )

    def publish(
        self,
        *journeys: Journey,
        existing: Sequence[str] = (),
        audience: Mapping[str, Any] = {},
        dry_run: bool = False,
        **states: str,
    ) -> Mapping[str, Any]:
        """Publish the one journey, or others, in a state of the workspace's."""
        draft = {
            "journeys": {one.id: one.to_plan() for one in journeys or [HELLO]},
            "fingerprints": {one.id: one.fingerprint for one in journeys or [HELLO]},
            "policies": Policies().to_plan(),
            "states": states,
            "audience": audience,
        }
        asked: Any = {"publish": {"draft": draft, "dry_run": dry_run}}
        if existing:
            asked["publish"]["existing"] = [*existing]
        return self.publishing.answer(asked, time_left=lambda: 60_000)

    @property
    def revision(self) -> int:
        return self.store.revision()

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.kill_at == len(self.calls):
            raise Killed

    def _noted(self, *_: Any, **__: Any) -> None:
        self._note("hear")

    def _noted_last(self, *_: Any, **__: Any) -> None:
        self._note("listen")

    def _reset(self, *_: Any) -> None:
        self._note("reset")

    def _begin(self, reason: str, journey: str, *, now: int) -> None:
        assert now == self.now
        is_usual = (reason, journey) == ("publish", "hello")
        self._note("visit" if is_usual else f"{reason} {journey}".rstrip())

    def _store(self, document: Any) -> None:
        self.now += self.storing_takes_ms
        self.store.publish(document)
        self._note("store")  # killed there, it is stored all the same


@pytest.fixture
def stack() -> Stack:
    """A journey is live and paused, by the workspace's word."""
    stack = Stack()
    assert "error" not in stack.publish(hello="paused")
    stack.calls.clear()
    return stack


@pytest.mark.parametrize("state", ["live", "stopped"])
def test_who_is_killed_while_publishing_leaves_nobody_standing(
    stack: Stack, state: str
) -> None:
    """Said again, nothing is new: so the visit has to have begun by then."""
    stack.publish(hello=state)
    calls = len(stack.calls)
    assert calls > 3

    for kill_at in range(1, calls + 1):
        stack = Stack()
        stack.publish(hello="paused")
        stack.calls.clear()
        stack.kill_at = kill_at
        with pytest.raises(Killed):
            stack.publish(hello=state)
        is_stored = stack.revision == 2
        stack.kill_at = None
        again = stack.publish(hello=state)["publish"]

        assert stack.revision == 2
        assert again["is_new"] is not is_stored
        assert "visit" in stack.calls


def test_a_visit_is_begun_when_the_bus_is_ready(stack: Stack) -> None:
    """Writing rules takes up to a minute, and a visit waits no longer."""
    answer = stack.publish()["publish"]

    assert answer["visited"] == ["hello"]
    assert stack.calls == ["hear", "visit", "store", "reset", "listen"]


@pytest.mark.parametrize(
    ("takes_ms", "visits"), [(20_000, 1), (20_001, 2)], ids=["in time", "too slow"]
)
def test_a_visit_that_would_come_too_early_is_begun_once_more(
    stack: Stack, takes_ms: int, visits: int
) -> None:
    stack.storing_takes_ms = takes_ms

    stack.publish()

    assert stack.calls.count("visit") == visits


def test_a_visit_comes_when_nobody_goes_by_the_old_catalog() -> None:
    """Stored late, believed to be live for a while, and decided by at the last moment."""
    given_up_ms = 27_000  # a write, by its client: see `journeykit.aws.clients`

    assert _STORED_MS + ASK_EVERY_MS + given_up_ms < SETTLED_S * 1000


def test_a_state_that_concerns_nobody_is_no_reason_to_visit() -> None:
    stack = Stack()

    stack.publish()
    answer = stack.publish(hello="paused")["publish"]

    assert answer["visited"] == []
    assert "visit" not in stack.calls


def test_a_channel_that_is_not_deployed_is_refused_with_the_parameter_for_it() -> None:
    stack = Stack()
    stack.queues.clear()

    error = stack.publish()["error"]

    assert error["kind"] == "UnknownChannel"
    assert "deploy with --parameter EmailConcurrency=2 (0 means not" in error["message"]
    assert stack.calls == []


VIPS = Journey("vips", trigger=entered("vip"), steps=[Send("email", "hello")])
AUDIENCE = audience_plan([], [Segment("vip", profile.plan == "pro")], [])


@pytest.mark.parametrize(
    ("journeys", "options"),
    [
        ([HELLO, Journey("daily", trigger=every("day", at="09:00"), steps=[])], {}),
        ([HELLO], {"audience": AUDIENCE}),
    ],
    ids=["schedule", "segment"],
)
def test_everybody_is_visited_whom_something_new_is_to_wake(
    journeys: list[Journey], options: dict[str, Any]
) -> None:
    stack = Stack()
    stack.publish()
    stack.calls.clear()

    answer = stack.publish(*journeys, **options)["publish"]
    again = stack.publish(*journeys, **options)["publish"]

    assert answer["visited"] == [""]
    assert again["visited"] == []
    assert stack.calls.count("publish") == 1
    assert stack.calls.index("publish") < stack.calls.index("store")


def test_a_launch_is_begun_for_existing_members_even_if_nothing_is_new() -> None:
    stack = Stack()
    stack.publish()
    stack.calls.clear()

    answers = [
        stack.publish(HELLO, VIPS, audience=AUDIENCE, existing=["vips"])["publish"]
        for _ in range(2)
    ]

    assert [answer["launched"] for answer in answers] == [["vips"], ["vips"]]
    assert [answer["is_new"] for answer in answers] == [True, False]
    assert stack.calls.count("launch vips") == 2  # the engine enrolls each once


def test_a_launch_of_a_journey_on_an_event_is_begun_for_nobody() -> None:
    stack = Stack()

    answer = stack.publish(existing=["hello"])["publish"]

    assert answer["launched"] == []
    assert "launch hello" not in stack.calls


def test_a_dry_run_launches_nobody_and_says_whom_it_would() -> None:
    stack = Stack()

    answer = stack.publish(VIPS, audience=AUDIENCE, existing=["vips"], dry_run=True)[
        "publish"
    ]

    assert answer["launched"] == ["vips"]
    assert stack.calls == []


@pytest.mark.parametrize(
    ("states", "existing", "said"),
    [
        ({}, "nobody", "isn't in the workspace"),
        ({"vips": "draft"}, "vips", "is draft"),
    ],
    ids=["unknown", "draft"],
)
def test_what_cant_be_launched_is_refused_before_anything_is_published(
    states: dict[str, str], existing: str, said: str
) -> None:
    stack = Stack()

    answer = stack.publish(VIPS, audience=AUDIENCE, existing=[existing], **states)

    assert said in answer["error"]["message"]
    assert stack.calls == []
    assert stack.revision == 0


def test_a_schedule_that_was_stopped_begins_anew_for_everybody() -> None:
    stack = Stack()
    daily = Journey("daily", trigger=every("day", at="09:00"), steps=[])
    stack.publish(daily)

    for state in ("stopped", "live"):
        asked = {"state": {"journey": "daily", "state": state}}
        stack.publishing.answer(asked, time_left=lambda: 60_000)

    assert stack.calls[-1] == "resume"
    assert "stop daily" in stack.calls
