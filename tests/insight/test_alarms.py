"""What alarms say, and that every medium takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from journeykit import Channel, InputError, Message, Receipt, Rejected, RetryAfter, Sent
from journeykit.channels import Uncertain
from journeykit.insight.alarms import Alarm, hand_over, message_of, sentence
from journeykit.insight.watch import Finding
from journeykit.model.watching import Contact
from journeykit.workspace.previews import RENDERERS

DAY = date(2026, 6, 1)


def finding(**said: Any) -> Finding:
    known: dict[str, Any] = {
        "kind": "anomaly",
        "figure": "failures",
        "day": DAY,
        "journey": "cart",
        "reason": "step_limit",
        "direction": "up",
        "since": DAY,
        "until": DAY,
        "seen": 40,
        "expected": 2.0,
        "low": 0,
        "high": 6,
        "of": 400,
        "chance": 1e-20,
        "is_worse": True,
        "note": "version 3 began on 2026-06-01",
        "definition": "Of the runs that ended, those that failed.",
    }
    return Finding(**{**known, **said})


def alarm(*findings: Finding, paused: Sequence[str] = ()) -> Alarm:
    return Alarm("shop", DAY, findings or (finding(),), paused)


def test_a_share_is_told_with_what_was_expected() -> None:
    assert sentence(finding()) == (
        "failed runs (step_limit) of cart up on 2026-06-01: 40 of 400 (10 %), expected "
        "0.5 % (0 % to 1.5 %); version 3 began on 2026-06-01"
    )


def test_a_count_a_week_and_silence_are_told_in_their_own_words() -> None:
    count = finding(figure="entries", of=None, reason="", note="", expected=2.26)
    week = replace(count, kind="drift", since=date(2026, 5, 26))
    silence = finding(kind="silence", figure="silence", expected=1234.0)

    assert sentence(count) == (
        "entries of cart up on 2026-06-01: 40, expected 2.3 (0 to 6)"
    )
    assert "from 2026-05-26 to 2026-06-01" in sentence(week)
    assert sentence(silence).startswith("nothing was decided on 2026-06-01, nor since")


def test_what_authors_wrote_is_escaped_and_does_not_command_a_terminal() -> None:
    bad = alarm(finding(reason="<b>\x1b[2J\n", journey="<i>"))

    page = message_of(bad, Contact("email", "a@example.com"), medium="email")

    assert page.content is not None
    assert "<b>" not in page.content.parts["html"]
    assert "\x1b" not in bad.subject + "".join(bad.lines())
    assert "\n" not in bad.subject


@pytest.mark.parametrize("medium", list(RENDERERS))
@pytest.mark.parametrize("count", [1, 60])
def test_every_medium_takes_an_alarm(medium: str, count: int) -> None:
    many = [finding(reason=f"reason-{number}") for number in range(count)]
    message = message_of(
        alarm(*many, paused=["cart"]),
        Contact(medium, "somebody@example.com"),
        medium=medium,
    )

    body = RENDERERS[medium](message)

    assert "failed runs" in str(body)


def test_the_same_alarm_is_the_same_delivery() -> None:
    ops = Contact("email", "ops@example.com")

    one = message_of(alarm(), ops, medium="")
    again = message_of(alarm(), ops, medium="email")
    other = message_of(alarm(), Contact("email", "b@example.com"), medium="")

    assert one.delivery_id == again.delivery_id != other.delivery_id
    assert one.content is None
    assert one.variables["findings"] == alarm().lines()


class Answering(Channel):
    """Answers with these, one after the other."""

    name = "chat"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[Message] = []

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.sent += messages
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer]


MESSAGE = message_of(alarm(), Contact("chat", "#ops"), medium="")


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([Sent("d")], ""),
        ([RetryAfter("d", 5), Sent("d")], ""),
        ([RetryAfter("d", 5)] * 3, "chat takes nothing now"),
        ([Rejected("d", "no such room")], "chat refuses it: no such room"),
        ([Uncertain("d", "timeout")], ""),
        ([OSError("tel +1555")], "chat can't be reached (OSError)"),
        ([InputError("no secret")], "no secret"),
    ],
    ids=["sent", "again", "busy", "rejected", "uncertain", "outage", "unset"],
)
def test_what_becomes_of_an_alarm_is_said(answers: list[Any], problem: str) -> None:
    channel = Answering(*answers)
    waits: list[float] = []

    assert hand_over(channel, MESSAGE, sleep=waits.append) == problem

    assert len(channel.sent) == len(answers)
    assert waits == [5] * (len(answers) - 1)
