"""No marketing to who has been silent for long, and how a workspace sets that up."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given, strategies as st

from journeykit import Journey, Send, Wait, days, on
from journeykit.guarding import Contact, Guard, Refused
from journeykit.plugins import PluginManager, Registry
from journeykit.testing import Fate, GuardContract, Simulator, make_asked
from journeykit_sunset import guard as plugin
from journeykit_sunset.guard import Sunset

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)
SILENT: dict[str, Any] = {"created_at": LONG_AGO, "now": NOW}


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


class TestSunset(GuardContract):
    refused: ClassVar = (
        make_asked(**SILENT),
        make_asked(**SILENT, contact=Contact(engaged_at=ago(days=180))),
        make_asked(**SILENT, contact=Contact(bounced_at=ago(days=1))),
    )
    allowed: ClassVar = (
        make_asked(created_at=ago(days=30), now=NOW),
        make_asked(**SILENT, contact=Contact(engaged_at=ago(days=179, hours=23))),
        make_asked(**SILENT, contact=Contact(replied_at=ago(days=1))),
        make_asked(**SILENT, purpose="transactional"),
        make_asked(**SILENT, channel="sms", address="+447700900001"),
    )
    bad_settings: ClassVar = (
        {"days": 0},
        {"days": "180"},
        {"day": 180},
        {"channels": []},
        {"channels": "email"},
        {"attributes": [f"a{n}" for n in range(21)]},
    )

    def guard(self) -> Guard:
        return Sunset().configured({})


def asked(settings: dict[str, object], **changes: Any) -> Refused | None:
    return Sunset().configured(settings).ask(make_asked(**{**SILENT, **changes}))


def test_a_topic_may_go_all_the_same() -> None:
    settings: dict[str, object] = {"except_topics": ["win-back"]}

    assert asked(settings, topic="win-back") is None
    assert asked(settings, topic="news") is not None
    assert asked(settings, topic="") is not None


def test_another_channel_may_be_guarded_too() -> None:
    assert asked({"channels": ["email", "sms"]}, channel="sms") is not None


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-31T12:00:00Z",
        "2026-05-31T12:00:00+02:00",
        "2026-05-31T12:00:00",
        "2026-05-31",
        1_780_228_800,
        1_780_228_800_000,
        1_780_228_800.5,
    ],
)
def test_an_attribute_may_be_a_sign_of_life(value: object) -> None:
    profile = {"last_order_at": value}

    assert asked({"attributes": ["last_order_at"]}, profile=profile) is None
    assert asked({}, profile=profile) is not None


@pytest.mark.parametrize(
    "value",
    ["yesterday", "", None, True, [], {}, 1e300, float("nan"), "2026-09-01T00:00:00Z"],
    ids=repr,
)
def test_what_is_no_instant_of_the_past_is_none(value: object) -> None:
    profile = {"last_order_at": value}

    assert asked({"attributes": ["last_order_at"]}, profile=profile) is not None


def test_the_refusal_says_how_long_it_was() -> None:
    answer = asked({"days": 90}, contact=Contact(engaged_at=ago(days=100.5)))

    assert answer == Refused("no sign of life", {"silent_days": 100, "days": 90})


@given(
    silent=st.timedeltas(timedelta(0), timedelta(days=3000)),
    limit=st.integers(1, 3650),
)
def test_it_refuses_from_the_last_moment_of_its_days_on(
    silent: timedelta, limit: int
) -> None:
    contact = Contact(engaged_at=NOW - silent)

    answer = asked({"days": limit}, created_at=NOW - silent, contact=contact)

    assert (answer is not None) == (silent >= timedelta(days=limit))


def test_it_is_set_up_without_pydantic() -> None:
    program = (
        "import sys\n"
        "from journeykit_sunset.guard import Sunset\n"
        "assert Sunset().configured({'days': 30}).settings.days == 30\n"
        "assert 'pydantic' not in sys.modules, 'pydantic was loaded'\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_plugin_brings_the_guard() -> None:
    manager = PluginManager()
    manager.register(plugin, "sunset")
    manager.check_pending()

    assert list(Registry.from_plugins(manager).guards) == ["sunset"]


def test_in_a_journey_it_keeps_messages_back_until_there_is_a_sign() -> None:
    journey = Journey(
        "news",
        trigger=on("start"),
        steps=[
            Send("email", "hello"),
            Wait(days(91)),
            Send("email", "still-there"),
            Send("sms", "by-phone"),
        ],
    )
    guard = Sunset().configured({"days": 90})

    def opens(message: Any) -> Fate | None:
        return Fate("opened", after=days(2)) if message.customer == "bob" else None

    sim = Simulator(
        journey,
        start="2026-06-01T12:00:00Z",
        guards={guard.name: guard},
        fates={"email": opens},
    )
    sim.event("start", "ada")
    sim.event("start", "bob")
    sim.play_out()

    suppressed = sim.assert_suppressed("ada", "still-there", reason="guard")
    assert suppressed.detail["guard"] == "sunset"
    sim.assert_sent("ada", "by-phone")
    sim.assert_sent("bob", "still-there")
