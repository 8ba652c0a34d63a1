"""A Send that falls back, through the store, the dispatcher and providers' callbacks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.runtime.conftest import T0, Provider, Shop

from journeykit import (
    ExitRule,
    Journey,
    Send,
    Wait,
    WaitFor,
    When,
    days,
    hours,
    on,
)
from journeykit.channels import Rejected, Report, RetryAfter, Sent, Uncertain

STEPS = [
    Send(["push", "sms"], "news", id="news", fallback_after=hours(2)),
    Send("email", "after"),
]


class World:
    """A shop with three providers, and a customer who has got a push at noon."""

    def __init__(self, *steps: Any, **options: Any) -> None:
        self.push, self.sms, self.email = map(Provider, ("push", "sms", "email"))
        journey = Journey("j", trigger=on("joined"), steps=steps or STEPS)
        providers = [self.push, self.sms, self.email]
        self.shop = Shop(journey, channels=providers, **options)

    def begin(self, *customers: str) -> Shop:
        for customer in customers or ("ada",):
            self.shop.happens("joined", customer)
        while self.shop.deliver():
            pass
        return self.shop

    @property
    def asked(self) -> list[int]:
        return [len(one.asked) for one in (self.push, self.sms, self.email)]


def test_a_message_that_nobody_hears_of_is_followed_by_the_next() -> None:
    world = World()
    shop = world.begin()

    shop.passes("+119m")
    assert world.asked == [1, 0, 0]

    shop.passes("+2h")
    assert world.asked == [1, 1, 1]


def test_a_callback_that_it_was_delivered_spares_the_next() -> None:
    world = World()
    shop = world.begin()

    shop.report(world.push.asked[0].delivery_id, "message.delivered")
    shop.passes("+5h")

    assert world.asked == [1, 0, 1]


def test_what_a_provider_refuses_goes_over_the_next_at_once() -> None:
    world = World()
    world.push.answer = lambda m: Rejected(m.delivery_id, "no such device")

    world.begin()

    assert world.asked == [1, 1, 1]
    assert "fell_back failed" in world.shop.said


def test_a_callback_that_it_bounced_does_the_same() -> None:
    world = World()
    shop = world.begin()

    shop.report(world.push.asked[0].delivery_id, "message.bounced", bounce="hard")
    shop.passes("+1m")

    assert world.asked == [1, 1, 1]


def test_who_has_opted_out_of_a_channel_gets_it_over_the_next() -> None:
    world = World()
    world.push.answer = lambda m: Rejected(m.delivery_id, "opted out", "unsubscribed")

    shop = world.begin()

    assert world.asked == [1, 1, 1]
    assert "fell_back failed" in shop.said
    assert [word.channel for word in shop.customer("ada").consents] == ["push"]


def test_a_run_hears_that_its_message_found_somebody_who_has_opted_out() -> None:
    steps = [Send("push", "news"), Wait(days(1)), Send("email", "after")]
    out = ExitRule(on("message.unsubscribed"), reason="opted_out")
    journeys = [
        Journey("j", trigger=on("joined"), steps=steps, exit_rules=[out]),
        Journey("other", trigger=on("joined"), steps=steps[1:], exit_rules=[out]),
    ]
    push, email = Provider("push"), Provider("email")
    push.answer = lambda m: Rejected(m.delivery_id, "opted out", "unsubscribed")
    shop = Shop(*journeys, channels=[push, email])
    shop.happens("joined", "ada")
    shop.deliver()

    shop.passes("+25h")

    assert [message.journey for message in email.asked] == ["other"]
    assert "exited opted_out" in shop.said


def test_a_callback_that_they_have_opted_out_does_the_same() -> None:
    world = World()
    shop = world.begin()
    id = world.push.asked[0].delivery_id
    reports = [
        Report(id, "message.rejected", "r1", T0),
        Report(id, "message.unsubscribed", "r2", T0, {"purpose": ""}),
    ]

    shop.runtime.feedback(reports, now=shop.now)
    shop.passes("+1m")

    assert world.asked == [1, 1, 1]


def test_a_provider_that_is_busy_for_longer_is_passed_over() -> None:
    world = World()
    world.push.answer = lambda m: RetryAfter(m.delivery_id, 3 * 3600)

    shop = world.begin()
    shop.passes("+10h")

    assert world.asked == [1, 1, 1]
    assert shop.said[:5] == [
        "entered",
        "sent",
        "waiting fallback",
        "suppressed expired",
        "fell_back not_sent",
    ]


def test_one_that_is_busy_for_a_while_is_asked_again() -> None:
    world = World()
    world.push.answer = lambda m: RetryAfter(m.delivery_id, 3600)
    shop = world.begin()
    world.push.answer = lambda m: Sent(m.delivery_id)

    shop.passes("+61m")
    shop.report(world.push.asked[0].delivery_id, "message.delivered")

    ids = {message.delivery_id for message in world.push.asked}
    assert len(world.push.asked) == 2
    assert len(ids) == 1
    assert world.sms.asked == []


def test_nothing_is_handed_over_when_the_next_channel_has_had_its_turn() -> None:
    """However long it stood in a queue."""
    world = World()
    shop = world.shop
    shop.happens("joined")

    shop.now = shop.ms("+3h")  # no dispatcher ran until then
    shop.runtime.tick(shop.now)
    while shop.deliver():
        pass

    assert world.asked == [0, 1, 1]


def test_of_an_uncertain_one_the_time_decides() -> None:
    world = World()
    world.push.answer = lambda m: Uncertain(m.delivery_id, "timeout")
    shop = world.begin()
    assert world.asked == [1, 0, 0]

    shop.passes("+2h")

    assert world.asked == [1, 1, 1]


def test_a_journey_can_wait_for_what_a_callback_says() -> None:
    steps = [
        Send("push", "news", id="news"),
        WaitFor(
            [When(on("message.opened"), [Send("email", "opened")])],
            timeout=days(1),
            otherwise=[Send("sms", "unopened")],
            since="news",
        ),
    ]
    world = World(*steps)
    shop = world.begin("ada", "bob")
    ada = next(m for m in world.push.asked if m.customer == "ada")

    shop.report(ada.delivery_id, "message.opened")
    shop.passes("+1h")
    shop.passes("+25h")

    assert [m.customer for m in world.email.asked] == ["ada"]
    assert [m.customer for m in world.sms.asked] == ["bob"]


@pytest.mark.parametrize("times", [1, 3])
def test_a_callback_that_comes_again_changes_nothing(times: int) -> None:
    world = World()
    shop = world.begin()
    id = world.push.asked[0].delivery_id

    for _ in range(times):
        shop.report(id, "message.bounced", bounce="soft")
    shop.passes("+1m")

    assert world.asked == [1, 1, 1]
