"""Events and profiles with good defaults, and ids that are the same in every run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from journeykit.channels import DeliveryStatus, Engagement
from journeykit.engine.ids import bucket, derived
from journeykit.model.events import MESSAGE, Event, checked, instant
from journeykit.testing.channels import SentMessage

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When things happen that don't say when: a Monday morning without clock changes near."""

_REPORTED = sorted(map(str, {*DeliveryStatus, *Engagement, "dismissed"}))


def make_event(
    name: str,
    customer: str = "ada",
    properties: dict[str, Any] | None = None,
    /,
    *,
    at: datetime | str = MONDAY,
    id: str | None = None,
    source: str = "",
    test: bool = False,
    identifiers: Mapping[str, str] | None = None,
    **more: Any,
) -> Event:
    """Make an event: `make_event("order.placed", at="2026-06-01T09:00:00Z", amount=40)`.

    Args:
        name: What happened.
        customer: To whom.
        properties: What it carries; for names that can't be keywords.
        at: When it occurred and was received.
        id: Its id; derived from the rest if not given, so equal events have equal ids.
        source: Who says so.
        test: Whether it is test traffic.
        identifiers: By which other names the customer is known; then they may be empty.
        **more: What else it carries.

    Raises:
        InputError: It is no event that a door would take.
    """
    when = instant(at, place="at")
    carried = {**(properties or {}), **more}
    told = json.dumps(carried, sort_keys=True, default=repr)
    names = [f"{kind}:{value}" for kind, value in sorted((identifiers or {}).items())]
    return checked(
        Event(
            id=id or derived(name, customer, when.isoformat(), told, *names),
            name=name,
            customer=customer,
            properties=carried,
            occurred_at=when,
            received_at=when,
            source=source,
            test=test,
            identifiers=dict(identifiers or {}),
        )
    )


def make_profile(id: str = "ada", **attributes: Any) -> dict[str, Any]:
    """Make a profile that can be reached everywhere: `make_profile("ada", plan="pro")`.

    The address ends in example.com and the number is of the range that the United
    Kingdom keeps for fiction, so that neither is anybody's. None removes an attribute.
    """
    profile = {
        "id": id,
        "email": f"{id}@example.com",
        "phone": f"+447700900{bucket('phone', id) % 1000:03d}",
        "zone": "Europe/London",
        **attributes,
    }
    return {name: value for name, value in profile.items() if value is not None}


def delivery_event(
    message: SentMessage,
    what: str = "delivered",
    *,
    at: datetime | str | None = None,
    **more: Any,
) -> Event:
    """Make the event by which a provider reports on a message.

    Args:
        message: Which: one of a simulator's `sends`.
        what: A delivery status or an engagement: `bounced`, `opened`, `clicked`.
        at: When; a minute after the message if not given.
        **more: What else it carries, such as `bounce="soft"`.

    Raises:
        ValueError: There is no such report.
    """
    if what not in _REPORTED:
        raise ValueError(f"no provider reports {what!r}; one of {', '.join(_REPORTED)}")
    return make_event(
        f"{MESSAGE}{what}",
        message.customer,
        at=message.at + timedelta(minutes=1) if at is None else at,
        id=derived("report", message.delivery_id, what),
        delivery_id=message.delivery_id,
        enrollment=message.enrollment,
        journey=message.journey,
        step=message.step,
        channel=message.channel,
        address=message.address,  # not the profile's, which may have changed since
        template=message.template,
        **more,
    )
