"""What a channel's own rule and plugins' guards are asked about, and how they refuse.

Both are pure functions of what they are asked: they run while the engine decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Contact(msgspec.Struct, frozen=True, gc=False):
    """What is known of the address that a message would go to.

    Attributes:
        bounced_at: When it last bounced softly, aware; None: not within memory.
        engaged_at: When a person last opened, clicked or answered something there.
        replied_at: When somebody last wrote to us from there.
    """

    bounced_at: datetime | None = None
    engaged_at: datetime | None = None
    replied_at: datetime | None = None


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A message that may be about to go, and whom to.

    Attributes:
        customer: The customer's id.
        created_at: Since when the customer is known, aware.
        now: The wall clock of the decision, aware.
        zone: The customer's time zone.
        journey: The journey's id.
        step: The step's id.
        channel: The channel that it would go over.
        address: Where it would go.
        template: The template's name.
        topic: What it is about; empty: nothing in particular.
        purpose: `marketing` or `transactional`.
        profile: The customer's attributes; not to be changed.
        contact: What is known of the address.
        facts: What the channel said about its templates when they were published.
    """

    customer: str
    created_at: datetime
    now: datetime
    zone: str
    journey: str
    step: str
    channel: str
    address: str
    template: str
    topic: str
    purpose: str
    profile: Mapping[str, Any]
    contact: Contact
    facts: Mapping[str, Any] = {}


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The message may not go; the trace says so.

    Attributes:
        rule: Which rule, in words: `24-hour window`.
        values: What it saw: JSON values, no personal data.
    """

    rule: str
    values: Mapping[str, Any] = {}
