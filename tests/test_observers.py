"""Observers hear what happened, and none of them can break a run."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from datetime import UTC, datetime

import pytest

from journeykit.channels import Channel
from journeykit.errors import PluginLoadError
from journeykit.happened import Delivered, Reacted
from journeykit.hookspecs import hookimpl
from journeykit.observers import Observers
from journeykit.plugins import PluginManager, Registry

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REACTED = Reacted(
    log_id="l1", revision=3, stimulus="cart.updated", trace=(), commands=1, now=NOON
)
DELIVERED = Delivered(
    delivery_id="d1",
    kind="message",
    channel="email",
    provider="ses",
    journey="cart",
    step="send",
    outcome="sent",
    reason="",
    attempts=1,
    at=NOON,
)


def observers(*, traced: bool = False, **plugins: object) -> Observers:
    manager = PluginManager()
    if traced:
        manager.trace_calls()
    for name, plugin in plugins.items():
        manager.register(plugin, name)
    return Registry.from_plugins(manager).observers


class Listening:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    @hookimpl
    def journeykit_after_reaction(self, reacted: Reacted) -> None:
        self.heard.append(reacted)

    @hookimpl
    def journeykit_after_delivery(self, delivered: Delivered) -> None:
        self.heard.append(delivered)


class Failing:
    """Fails whenever it is told of a reaction."""

    @hookimpl
    def journeykit_after_reaction(self, reacted: Reacted) -> None:
        raise ValueError(f"ada@example.com {reacted.log_id}")


def test_everybody_who_wants_to_know_is_told() -> None:
    first, second = Listening(), Listening()
    told = observers(first=first, second=second)

    told.after_reaction(REACTED)
    told.after_delivery(DELIVERED)

    assert first.heard == second.heard == [REACTED, DELIVERED]


def test_those_of_two_places_are_told_together() -> None:
    first, second = Listening(), Listening()
    told = observers(first=first).also(observers(second=second))

    told.after_reaction(REACTED)
    told.after_delivery(DELIVERED)

    assert first.heard == second.heard == [REACTED, DELIVERED]


def test_an_observer_may_leave_out_the_argument() -> None:
    class Counting:
        count = 0

        @hookimpl
        def journeykit_after_delivery(self) -> None:
            self.count += 1

    counting = Counting()

    observers(counting=counting).after_delivery(DELIVERED)

    assert counting.count == 1


def test_who_runs_a_journey_can_tell_that_nobody_wants_to_know() -> None:
    class Silent:
        @hookimpl
        def journeykit_channels(self) -> Iterable[Channel]:
            yield from ()

    nobody, somebody = observers(silent=Silent()), observers(failing=Failing())

    assert (nobody.want_reactions, nobody.want_deliveries) == (False, False)
    assert (somebody.want_reactions, somebody.want_deliveries) == (True, False)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_an_observer_that_fails_keeps_nobody_else_from_being_told(
    names: tuple[str, str],
) -> None:
    listening = Listening()
    told = observers(**dict(zip(names, [Failing(), listening], strict=True)))

    told.after_reaction(REACTED)

    assert listening.heard == [REACTED]


def test_a_failure_is_logged_once_with_the_plugin_and_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = observers(failing=Failing())

    with caplog.at_level(logging.ERROR, "journeykit.plugins"):
        told.after_reaction(REACTED)
        told.after_reaction(REACTED)

    [record] = caplog.records
    assert record.name == "journeykit.plugins"
    assert (
        "plugin 'failing' (no distribution) failed in journeykit_after_reaction: "
        in (record.message)
    )
    assert "ValueError at " in record.message
    assert "test_observers.py:" in record.message
    assert "ada@example.com" not in caplog.text


def test_each_hook_of_a_plugin_that_fails_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hopeless(Failing):
        @hookimpl
        def journeykit_after_delivery(self) -> None:
            raise OSError

    told = observers(hopeless=Hopeless())

    with caplog.at_level(logging.ERROR, "journeykit.plugins"):
        told.after_reaction(REACTED)
        told.after_delivery(DELIVERED)

    assert len(caplog.records) == 2


def test_a_wrapper_of_an_observer_hook_is_refused() -> None:
    class Wrapping:
        @hookimpl(wrapper=True)
        def journeykit_after_reaction(self) -> Generator[None]:
            yield

    with pytest.raises(PluginLoadError, match=r"'wrapping' .* a plain @hookimpl"):
        observers(wrapping=Wrapping())


def test_what_observers_are_told_is_printed_on_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = observers(listening=Listening(), traced=True)
    capsys.readouterr()

    told.after_delivery(DELIVERED)

    assert capsys.readouterr().err == (
        f"listening: journeykit_after_delivery(delivered={DELIVERED!r})\n"
    )
