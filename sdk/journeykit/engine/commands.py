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
        not_after: Not to be handed over later without asking the guards again: when
            it expires or quiet hours begin, milliseconds; None: no such instant.
        attempts: How often a provider was asked before it came back as `Returned`.
        locale: The customer's locale, as of the decision; empty if not known.
        zone: The customer's time zone, as of the decision.
        once: Whether only one customer of those who share the address gets it.
        placement: Where an app or a page shows it, which has asked for it; empty: nobody
            has asked, and it goes to the inbox.
        ask: The id of the event that asked.
        survey: The name of the survey that it asks; empty: it is none.
        asks: What the survey asks for: `nps`, `csat`, `ces`, `text`.
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
    not_after: int | None = None
    attempts: int = 0
    locale: str = ""
    zone: str = ""
    once: bool = False
    placement: str = ""
    ask: str = ""
    survey: str = ""
    asks: str = ""


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


class CallAction(msgspec.Struct, tag="call_action", frozen=True, omit_defaults=True):
    """Run an action, and say what came of it with `call.completed` or `call.failed`.

    Attributes:
        call_id: Claim key here, idempotency key for the action.
        customer: Whom it is about.
        action: The action's name.
        arguments: What it gets, as of the decision.
        at: The decision's time, milliseconds.
        journey: The journey, and below its version, step and run.
        version: See `journey`.
        step: See `journey`.
        enrollment: See `journey`.
        retries: How often it is tried again.
        expires_at: Nobody waits for the result from then on, milliseconds.
        test: Whether it is test traffic, for mocks only.
    """

    call_id: str
    customer: str
    action: str
    arguments: dict[str, Any]
    at: int
    journey: str
    version: int
    step: str
    enrollment: str
    retries: int
    expires_at: int
    test: bool = False


class AbsorbCustomer(
    msgspec.Struct, tag="absorb_customer", frozen=True, omit_defaults=True
):
    """Hand what is known of a merged customer over to the one they were merged into.

    It comes to the survivor as the stimulus `Absorb`.

    Attributes:
        id: Derived of the merged customer's document: the same is absorbed once.
        customer: The survivor.
        merged: Who was merged into them.
        snapshot: The merged customer's document as JSON values, as it was then.
        at: When, milliseconds.
        log_id: By which name the logs know the merged customer.
    """

    id: str
    customer: str
    merged: str
    snapshot: dict[str, Any]
    at: int
    log_id: str = ""


Command = SendMessage | CallAction | PublishEvent | AbsorbCustomer
