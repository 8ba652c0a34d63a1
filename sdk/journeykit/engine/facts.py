"""What an event says about the customer: attributes, consent, the state of an address.

A few event names mean something by themselves, whatever journeys there are; the list is
in `journeykit.model.events` and in the docs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from journeykit.engine import bounds
from journeykit.engine.conditions import Missing, Scope, ValueOf
from journeykit.engine.customer import Address, Consent
from journeykit.engine.draft import Draft, Happening
from journeykit.engine.guards import Guards
from journeykit.engine.ids import address_key
from journeykit.engine.limits import FAILURE_MS
from journeykit.model.events import (
    CONSENT_CHANGED,
    MESSAGE_BOUNCED,
    MESSAGE_COMPLAINED,
    MESSAGE_FAILED,
    MESSAGE_UNSUBSCRIBED,
    PROFILE_UPDATED,
)
from journeykit.model.rules import ID, ID_LENGTH, PURPOSES


def learned(draft: Draft, happening: Happening, guards: Guards) -> bool:
    """Write down what the event says; False and unchanged if it is too much."""
    learn = _LEARN.get(happening.name)
    return True if learn is None else learn(draft, happening.properties, guards)


def number(value: ValueOf, scope: Scope) -> float | None:
    """The number that a reference holds; None if it holds none."""
    try:
        found = value(scope)
    except Missing:
        return None
    return (
        found
        if isinstance(found, int | float) and not isinstance(found, bool)
        else None
    )


def _profile(draft: Draft, properties: Mapping[str, Any], guards: Guards) -> bool:
    before = draft.profile
    if not draft.write_profile(properties):
        return False
    if draft.profile is not before:
        draft.note("profile", detail=draft.written(properties))
    return True


def _consent(draft: Draft, properties: Mapping[str, Any], guards: Guards) -> bool:
    granted = properties.get("granted")
    channel, topic = _name(properties, "channel"), _name(properties, "topic")
    purpose = _name(properties, "purpose", among=PURPOSES)
    if granted is False:
        _withdraw(draft, channel, topic, purpose)
    elif granted is not True or None in (channel, topic, purpose):
        draft.note("ignored", reason="malformed_consent")
    else:
        said = Consent(True, draft.at, channel or "", topic or "", purpose or "")
        _write_consent(draft, said)
    return True


def _unsubscribed(draft: Draft, properties: Mapping[str, Any], guards: Guards) -> bool:
    channel, topic = _name(properties, "channel"), _name(properties, "topic")
    _withdraw(draft, channel, topic, "marketing")
    return True


def _withdraw(
    draft: Draft, channel: str | None, topic: str | None, purpose: str | None
) -> None:
    """Write a no; what of it can't be read means all: a misspelt no is still a no."""
    _write_consent(
        draft, Consent(False, draft.at, channel or "", topic or "", purpose or "")
    )


def _name(
    properties: Mapping[str, Any], field: str, *, among: Collection[str] = ()
) -> str | None:
    """A channel's, a topic's or a purpose's name; empty: all; None: it is no name."""
    value = properties.get(field)
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) > ID_LENGTH or not _is_id(value):
        return None
    return value if not among or value in among else None


def _write_consent(draft: Draft, consent: Consent) -> None:
    same = (consent.channel, consent.topic, consent.purpose)
    kept = [c for c in draft.consents if (c.channel, c.topic, c.purpose) != same]
    draft.consents = bounds.consents(draft, [*kept, consent])
    draft.changed = True
    said = {
        "channel": consent.channel,
        "topic": consent.topic,
        "purpose": consent.purpose,
    }
    draft.note(
        "consent", reason="granted" if consent.granted else "withdrawn", detail=said
    )


def _bounced(draft: Draft, properties: Mapping[str, Any], guards: Guards) -> bool:
    if properties.get("bounce") == "hard":
        _write_address(
            draft, properties, guards, "hard_bounce", suppressed="hard_bounce"
        )
        return _failed(draft, properties, guards)
    _write_address(draft, properties, guards, "bounced", bounced_at=draft.at)
    return True


def _complained(draft: Draft, properties: Mapping[str, Any], guards: Guards) -> bool:
    _write_address(draft, properties, guards, "complaint", suppressed="complaint")
    return True


def _write_address(
    draft: Draft,
    properties: Mapping[str, Any],
    guards: Guards,
    reason: str,
    **state: Any,
) -> None:
    """Note the state of an address: the one that the event names, or the profile's."""
    channel = _name(properties, "channel")
    if not channel:
        draft.note("ignored", reason="unknown_address")
        return
    rules = guards.rules_of(channel)
    address = properties.get("address") or rules.address(draft.profile, draft.customer)
    if not isinstance(address, str) or not address:
        draft.note("ignored", reason="unknown_address", detail={"channel": channel})
        return
    name = address_key(channel, rules.normalize(address))
    known = draft.addresses.get(name, Address())
    changed = Address(
        state.get("suppressed", known.suppressed),
        state.get("bounced_at", known.bounced_at),
    )
    draft.addresses = bounds.addresses(draft, {**draft.addresses, name: changed})
    draft.changed = True
    draft.note("address", reason=reason, detail={"channel": channel})


def _failed(draft: Draft, properties: Mapping[str, Any], guards: Guards) -> bool:
    """Give a message that never arrived back to the caps."""
    id = properties.get("delivery_id")
    lost = next((entry for entry in draft.ledger if entry.delivery_id == id), None)
    if lost is not None:
        draft.ledger = [entry for entry in draft.ledger if entry is not lost]
        # Not by whether the ledger still happens to know it: that depends on ticks.
        if lost.at + FAILURE_MS > draft.now:
            draft.counters = guards.counted(draft.counters, lost, -1)
        draft.changed = True
    return True


_is_id = re.compile(ID).fullmatch

_LEARN: dict[str, Callable[[Draft, Mapping[str, Any], Guards], bool]] = {
    PROFILE_UPDATED: _profile,
    CONSENT_CHANGED: _consent,
    MESSAGE_BOUNCED: _bounced,
    MESSAGE_COMPLAINED: _complained,
    MESSAGE_UNSUBSCRIBED: _unsubscribed,
    MESSAGE_FAILED: _failed,
}
