"""Publishing, and what is left of it when its function is killed at a bad moment."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from journeykit import Journey, Policies, Send, on
from journeykit.aws.parts import ASK_EVERY_MS, Parts
from journeykit.aws.publishing import _STORED_MS, Publishing
from journeykit.aws.settings import Settings
from journeykit.aws.visits import SETTLED_S
from journeykit.engine.guards import ChannelRules
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
                    manifest=SimpleNamespace(actions=()),
                ),
            ),
            Settings(
                deliver_queues="https://sqs/shop-deliver-",
                events_queue_arn="arn:events",
                dead_letter_queue_arn="arn:dead",
            ),
            clock=lambda: self.now,
        )

    def publish(self, **states: str) -> Mapping[str, Any]:
        """Publish the one journey, in a state of the workspace's."""
        plan: Any = HELLO.to_plan()
        draft = {
            "journeys": {"hello": plan},
            "fingerprints": {"hello": HELLO.fingerprint},
            "policies": Policies().to_plan(),
            "states": states,
        }
        asked = {"publish": {"draft": draft}}
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
        assert (reason, journey, now) == ("publish", "hello", self.now)
        self._note("visit")

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
