"""Commands: what the engine tells the shell to do. Values, not calls.

A step is done when its command is committed; the shell may lose nothing and may do
everything twice, which is why each command carries an id that makes it idempotent.
"""

from __future__ import annotations

from typing import Any

import msgspec


class SendMessage(
    msgspec.Struct, gc=False, tag="send_message", frozen=True, omit_defaults=True
):
    """Send one message.

    Attributes:
        delivery_id: Claim key here, idempotency key at the provider.
        customer: Whom to.
        channel: Which channel was chosen.
        address: Where to, as the profile had it at the decision.
        template: The name of what to send.
        variables: What the template gets, as of the decision.
        at: The decision's time, milliseconds; the clock by which a template renders.
        journey: The journey, and below its version, step and run.
        version: See `journey`.
        step: See `journey`.
        enrollment: See `journey`.
        purpose: `marketing` or `transactional`.
        topic: What it is about; empty if nothing in particular.
        expires_at: Not to be sent from then on, milliseconds; None: never too late.
        test: Whether it is test traffic, for seed addresses and mocks only.
    """

    delivery_id: str
    customer: str
    channel: str
    address: str
    template: str
    variables: dict[str, Any]
    at: int
    journey: str
    version: int
    step: str
    enrollment: str
    purpose: str
    topic: str = ""
    expires_at: int | None = None
    test: bool = False


class PublishEvent(
    msgspec.Struct, tag="publish_event", frozen=True, omit_defaults=True
):
    """Publish an event that an `Emit(public=True)` let happen.

    Attributes:
        id: The event's derived id.
        name: Its name.
        customer: Whom it is about.
        properties: What it carries.
        at: When it happened, milliseconds.
        test: Whether it is test traffic.
    """

    id: str
    name: str
    customer: str
    properties: dict[str, Any]
    at: int
    test: bool = False


Command = SendMessage | PublishEvent
