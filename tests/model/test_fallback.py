"""What an author may ask of a Send over several channels, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    DefinitionError,
    Duration,
    Goto,
    Journey,
    Policies,
    Repeat,
    Send,
    Wait,
    WaitFor,
    When,
    days,
    hours,
    minutes,
    on,
)
from journeykit.model.check import check
from journeykit.model.documents import from_json, from_yaml, to_json, to_yaml
from journeykit.model.durations import seconds
from journeykit.model.rules import fates_beyond


def send(**options: Any) -> Send:
    given: dict[str, Any] = {"fallback_after": hours(2), "expires_after": "never"}
    return Send(["push", "sms", "email"], "news", id="news", **{**given, **options})


def told(*steps: Any, **options: Any) -> list[str]:
    """What `check` says, without what it says of any journey."""
    journey = Journey("j", trigger=on("x"), steps=steps, **options)
    consent: Any = [{"default": "allow"}]
    issues = check([journey], policies=Policies(consent=consent))
    return [f"{issue.level}: {issue.message}" for issue in issues]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channel": "email"}, "fallback_after needs another channel to fall back to"),
        ({"channel": ["email"]}, 'channel=["email", "…"]'),
        ({"fallback_after": seconds(0)}, "fallback_after=0 gives the first channel no"),
        (
            {"fallback_after": None, "fallback_unless": "opened"},
            "fallback_unless needs fallback_after",
        ),
        ({"fallback_unless": "bounced"}, "'delivered', 'opened', 'clicked' or"),
        ({"fallback_after": "soon"}, "'soon' is not understood"),
        ({"fallback_after": 2}, "duration 2 has no unit"),
        ({"once_per_address": "perhaps"}, "once_per_address"),
    ],
    ids=range(8),
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {
        "channel": ["push", "sms"],
        "template": "news",
        "fallback_after": hours(2),
        **options,
    }

    with pytest.raises(DefinitionError) as failure:
        Send(**given)

    assert said in str(failure.value)


def test_it_survives_json_and_yaml() -> None:
    journey = Journey(
        "j",
        trigger=on("x"),
        steps=[send(fallback_unless="clicked", once_per_address=True)],
    )

    assert from_json(to_json(journey)) == journey
    assert from_yaml(to_yaml(journey)) == journey
    assert "fallback_after: 2h" in to_yaml(journey)
    assert "once_per_address: true" in to_yaml(journey)


def test_a_send_that_asks_for_nothing_says_nothing_of_it() -> None:
    text = to_json(Journey("j", trigger=on("x"), steps=[Send("email", "news")]))

    assert "fallback" not in text
    assert "once_per_address" not in text


def test_a_fallback_that_goes_in_time_is_fine() -> None:
    assert told(send()) == []
    assert told(send(expires_after=hours(5))) == []
    assert told(send(expires_after=None)) == []


@pytest.mark.parametrize(
    ("expires", "after", "said"),
    [
        (hours(4), hours(2), "'email' has its turn after 2 times 2h without word"),
        (hours(2), hours(2), "'sms' has its turn after 2h without word"),
        (None, hours(12), "it expires after 24h, and 'email' has its turn"),
        (None, days(1), "'sms' has its turn after 1d without word"),
        (days(1), hours(24), "'sms' has its turn after 24h without word"),
    ],
    ids=range(5),
)
def test_one_that_expires_before_its_turn_is_warned_of(
    expires: Duration | None, after: Duration, said: str
) -> None:
    (warning,) = told(send(expires_after=expires, fallback_after=after))

    assert warning.startswith("warning: it expires after")
    assert said in warning


def test_one_that_never_expires_is_not() -> None:
    steps = [send(expires_after=None, fallback_after=days(3))]

    assert told(*steps, purpose="transactional") == []


def test_a_step_behind_it_that_listens_may_come_too_late() -> None:
    listens = WaitFor([When(on("message.opened"))], timeout=days(1))

    (warning,) = told(send(), listens)

    assert "doesn't count if it comes between 'news' and this step" in warning
    assert "add since='news'" in warning


def test_with_since_it_does_not() -> None:
    listens = WaitFor([When(on("message.opened"))], timeout=days(1), since="news")

    assert told(send(), listens) == []


def test_a_fallback_is_no_wait_that_ends_a_loop() -> None:
    """Behind the last channel, and where all refuse, nobody waits."""
    (error,) = [line for line in told(send(), Goto("news")) if "error" in line]

    assert "loop without a wait" in error
    assert "since 'news' can be over at once" in error


def test_rounds_of_it_may_follow_each_other_without_a_wait() -> None:
    (warning,) = told(Repeat([send()], times=3))

    assert "a step sends one message at a time" in warning


def test_with_a_wait_they_may_not() -> None:
    assert told(Repeat([send(), Wait(minutes(5))], times=3)) == []


def test_what_was_replied_to_was_opened_and_delivered() -> None:
    assert fates_beyond("delivered") >= {"delivered", "opened", "clicked", "replied"}
    assert fates_beyond("opened") >= {"opened", "clicked", "replied", "dismissed"}
    assert "delivered" not in fates_beyond("opened")
    assert fates_beyond("clicked") == {"clicked", "complained", "unsubscribed"}
