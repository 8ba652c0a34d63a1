"""Findings in words, and as a message for whoever is to be told.

The message is made here and not of a template: an alarm must go out, too, when the
templates of a workspace are what is wrong. It passes no guard, and counts for no cap: it
is for a colleague. It says figures and ids of journeys, and nothing of any customer.
"""

from __future__ import annotations

import hashlib
import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import assert_never

import msgspec

from journeykit.channels import (
    Channel,
    Content,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import JourneyKitError
from journeykit.insight.watch import Finding
from journeykit.model.plain_text import printable
from journeykit.model.watching import Contact

TEMPLATE = "journeykit-watch"
"""What a channel without a medium, such as `console`, is given as the template's name."""

_NOBODY = "journeykit-watch"  # stands where a customer's id does
_SHOWN = 20  # findings of one message
_SMS = 300  # characters: two segments
_SHORT = 160  # of a notification
_CHAT = 2000  # characters: what the strictest of chats takes
_TRIES = 3
_LONGEST_WAIT_S = 20.0
_NAMES: Mapping[str, str] = {
    "entries": "entries",
    "conversion": "conversion",
    "failures": "failed runs",
    "suppressions": "suppressed messages",
    "undelivered": "undelivered messages",
    "objectives": "objective",
    "silence": "silence",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """What somebody is to be told.

    Attributes:
        workspace: The workspace's name.
        day: The day that was looked at.
        findings: What is unusual about it.
        paused: The journeys that were paused because of it.
        left_out: What could not be looked at, a sentence each.
    """

    workspace: str
    day: date
    findings: Sequence[Finding]
    paused: Sequence[str] = ()
    left_out: Sequence[str] = ()

    @property
    def subject(self) -> str:
        """One line."""
        count = len(self.findings)
        what = "finding" if count == 1 else "findings"
        return (
            f"{_said(self.workspace)}: {count} {what} on {self.day}, "
            f"{headline(self.findings[0])}"
        )

    def lines(self) -> list[str]:
        """Each finding in a line, and what was done."""
        lines = [sentence(one) for one in self.findings[:_SHOWN]]
        if more := len(self.findings) - _SHOWN:
            lines += [f"and {more} more"] if more > 0 else []
        lines += [
            f"journey {_said(one)} is paused: `journeykit resume {_said(one)}` lets it "
            "go on"
            for one in self.paused
        ]
        lines += map(_said, self.left_out)
        return lines


def headline(finding: Finding) -> str:
    """A finding in a few words: `failed runs of cart up`."""
    if finding.kind == "silence":
        return "nothing was decided"
    what = _NAMES[finding.figure]
    if finding.reason:
        what += f" ({_said(finding.reason)})"
    of = f" of {_said(finding.journey)}" if finding.journey else ""
    return f"{what}{of} {finding.direction}"


def sentence(finding: Finding) -> str:
    """A finding in a sentence, with its figures."""
    head = headline(finding)
    if finding.kind == "silence":
        return (
            f"{head} on {finding.day}, nor since {finding.since}; usual are "
            f"{finding.expected:,.0f} decisions a day. Do events come in, and is the "
            "log written?"
        )
    when = (
        f"on {finding.until}"
        if finding.since == finding.until
        else f"from {finding.since} to {finding.until}"
    )
    if finding.kind == "objective":
        text = f"{head}: {finding.seen:,.4g}, expected about {finding.expected:,.4g}"
    elif finding.of is None:
        text = (
            f"{head} {when}: {finding.seen:,.0f}, expected {_about(finding.expected)} "
            f"({finding.low:,.0f} to {finding.high:,.0f})"
        )
    else:
        of = finding.of
        text = (
            f"{head} {when}: {finding.seen:,.0f} of {of:,} ({_percent(finding.seen, of)}), "
            f"expected {_percent(finding.expected, of)} "
            f"({_percent(finding.low, of)} to {_percent(finding.high, of)})"
        )
    return f"{text}; {finding.note}" if finding.note else text


def _about(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


def _percent(count: float, of: int) -> str:
    return f"{100 * count / of:.3g} %" if of else "none"


def _said(text: str) -> str:
    """What an author wrote, in one line and without what commands a terminal."""
    return " ".join(printable(text).split())


def message_of(alarm: Alarm, contact: Contact, *, medium: str) -> Message:
    """Make the message that tells somebody.

    Args:
        alarm: What to tell.
        contact: Whom.
        medium: The channel's.
    """
    lines = alarm.lines()
    keys = [f"{one.key} {one.since}" for one in alarm.findings]
    named = "\n".join(
        [alarm.workspace, str(alarm.day), contact.channel, contact.address, *keys]
    )
    return Message(
        # The same alarm again is the same delivery, which an idempotent provider drops.
        delivery_id=hashlib.sha256(named.encode()).hexdigest()[:24],
        customer=_NOBODY,
        channel=contact.channel,
        address=contact.address,
        template=TEMPLATE,
        variables={"subject": alarm.subject, "findings": lines},
        at=datetime(alarm.day.year, alarm.day.month, alarm.day.day, tzinfo=UTC),
        journey=_NOBODY,
        step=str(alarm.day),
        purpose="transactional",
        content=_content(alarm, lines, medium) if medium else None,
    )


def _content(alarm: Alarm, lines: Sequence[str], medium: str) -> Content:
    text = "\n".join([alarm.subject, "", *(f"- {line}" for line in lines)])
    settings: dict[str, object] = {}
    parts: dict[str, str] = {}
    if medium == "sms":
        parts["txt"] = _cut("\n".join([f"{alarm.subject}.", *lines]), _SMS)
    elif medium in ("push", "inapp"):
        title = f"{_said(alarm.workspace)}: {headline(alarm.findings[0])}"
        body = {"title": _cut(title, 60), "body": _cut(" · ".join(lines), _SHORT)}
        parts["json"] = msgspec.json.encode(body).decode()
    elif medium == "email":
        settings["subject"] = _cut(alarm.subject, 200)
        parts = {"txt": text, "html": _page(alarm, lines)}
    else:
        parts["txt"] = _cut(text, _CHAT)
    return Content(parts=parts, settings=settings, locale="en")


def _page(alarm: Alarm, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    definitions = "".join(
        f"<li>{html.escape(headline(one))}: {html.escape(one.definition)}</li>"
        for one in alarm.findings[:_SHOWN]
    )
    return (
        f'<!doctype html><html lang="en"><body><h1>{html.escape(alarm.subject)}</h1>'
        f"<ul>{items}</ul><h2>What is counted</h2><ul>{definitions}</ul></body></html>"
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def hand_over(
    channel: Channel, message: Message, *, sleep: Callable[[float], None] = time.sleep
) -> str:
    """Hand a message to who carries its channel; return what is wrong, empty if nothing.

    What nobody knows the fate of counts as sent: an alarm too many is worse than none only
    at three in the morning, and the finding is told again when it lasts.
    """
    try:
        if channel.medium:
            message = channel.render(message)
        receipt: Receipt = RetryAfter(message.delivery_id, 0)
        for attempt in range(_TRIES):
            receipt = channel.send([message])[0]
            if not isinstance(receipt, RetryAfter) or attempt == _TRIES - 1:
                break
            sleep(min(receipt.seconds, _LONGEST_WAIT_S))
    except JourneyKitError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - of a plugin; its words may quote an address
        return f"{message.channel} can't be reached ({type(error).__name__})"
    match receipt:
        case Sent() | Uncertain():
            return ""
        case Rejected(reason=reason):
            return f"{message.channel} refuses it: {reason}"
        case RetryAfter():
            return f"{message.channel} takes nothing now"
        case _:
            assert_never(receipt)
