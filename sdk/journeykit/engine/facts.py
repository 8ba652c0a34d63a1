"""What an event says about the customer: attributes, consent, the state of an address.

A few event names mean something by themselves, whatever journeys there are; the list is
in `journeykit.model.events` and in the docs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec.structs import replace

from journeykit.engine import bounds, consent as consents, scoring, surveys
from journeykit.engine.calendar import to_ms
from journeykit.engine.conditions import Missing, Scope, ValueOf
from journeykit.engine.consent import MARKETING
from journeykit.engine.customer import Address, Consent, Released
from journeykit.engine.draft import Draft, Happening
from journeykit.engine.guards import Guards
from journeykit.engine.ids import address_key, is_derived
from journeykit.engine.limits import ENGAGED_MS, FAILURE_MS, FUTURE_MS, LISTS
from journeykit.engine.trace import TraceEntry
from journeykit.model.events import (
    ADDRESS_RESTORED,
    ADDRESS_SUPPRESSED,
    CONSENT_CHANGED,
    CONSENT_CONFIRMED,
    CONSENT_REQUESTED,
    ENGAGED,
    IDENTITY_CONFLICT,
    LIST_JOINED,
    LIST_LEFT,
    MESSAGE_BOUNCED,
    MESSAGE_CLICKED,
    MESSAGE_COMPLAINED,
    MESSAGE_FAILED,
    MESSAGE_OPENED,
    MESSAGE_REJECTED,
    MESSAGE_REPLIED,
    MESSAGE_UNSUBSCRIBED,
    PROFILE_UPDATED,
    SCORE_UPDATED,
    SURVEY_ANSWERED,
)
from journeykit.model.rules import ID, ID_LENGTH, PURPOSES

MANUAL = "manual"
"""Why an address is suppressed, if whoever does it gives no reason."""

_Learn = Callable[[Draft, Happening, Guards], bool]


def learned(draft: Draft, happening: Happening, guards: Guards) -> bool:
    """Write down what the event says; False and unchanged if it is too much."""
    learn = _LEARN.get(happening.name)
    return True if learn is None else learn(draft, happening, guards)


def is_automated(happening: Happening) -> bool:
    """Whether a machine opened, clicked or answered: that means nothing to anybody."""
    return happening.name in ENGAGED and happening.properties.get("automated") is True


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


def _profile(draft: Draft, happening: Happening, guards: Guards) -> bool:
    before = draft.profile
    if not draft.write_profile(happening.properties):
        return False
    if draft.profile is not before:
        draft.note("profile", detail=draft.written(happening.properties))
    return True


# --- static lists ----------------------------------------------------------------------


def _joined(draft: Draft, happening: Happening, guards: Guards) -> bool:
    name = _name(happening.properties, "list")
    if not name:
        draft.note("ignored", reason="malformed_list")
    elif name not in draft.lists and len(draft.lists) >= LISTS:
        draft.note("ignored", reason="too_many_lists", detail={"segment": name})
    elif name not in draft.lists:
        draft.lists = {**draft.lists, name: draft.at}
        draft.changed = True
    return True


def _left(draft: Draft, happening: Happening, guards: Guards) -> bool:
    name = _name(happening.properties, "list")
    if not name:
        draft.note("ignored", reason="malformed_list")
    elif name in draft.lists:
        draft.lists = {known: at for known, at in draft.lists.items() if known != name}
        draft.changed = True
    return True


# --- consent ---------------------------------------------------------------------------


def _consent(draft: Draft, happening: Happening, guards: Guards) -> bool:
    properties = happening.properties
    granted = properties.get("granted")
    channel, topic = _name(properties, "channel"), _name(properties, "topic")
    purpose = _name(properties, "purpose", among=PURPOSES)
    source = consents.source_of(properties.get("source"))
    if granted is False:
        _withdraw(draft, channel, topic, purpose, source)
    elif granted is not True or None in (channel, topic, purpose):
        draft.note("ignored", reason="malformed_consent")
    else:
        said = Consent(
            True, draft.at, channel or "", topic or "", purpose or "", source
        )
        if _is_stale(draft, happening, said):
            draft.note("ignored", reason="stale_consent")
        else:
            _write_word(draft, said)
    return True


def _is_stale(draft: Draft, happening: Happening, yes: Consent) -> bool:
    """Whether a yes was said before the no that it would undo, and came in after it."""
    if happening.occurred_at is None:
        return False
    said_at = to_ms(happening.occurred_at) + FUTURE_MS  # clocks differ
    return any(
        not (known.granted or known.pending)
        and (known.channel, known.topic, known.purpose)
        == (yes.channel, yes.topic, yes.purpose)
        and known.at > said_at
        for known in draft.consents
    )


def _requested(draft: Draft, happening: Happening, guards: Guards) -> bool:
    """Note that somebody asks for something, which waits until they confirm it."""
    properties = happening.properties
    channel, topic = _name(properties, "channel"), _name(properties, "topic")
    if channel is None or topic is None:
        draft.note("ignored", reason="malformed_consent")
        return True
    source = consents.source_of(properties.get("source"))
    asked = Consent(False, draft.at, channel, topic, MARKETING, source, pending=True)
    if consents.is_granted(draft.consents, asked):
        draft.note("ignored", reason="granted_already")
        return True
    _write_consents(draft, consents.with_request(draft.consents, asked))
    _note_word(draft, asked, "requested")
    return True


def _confirmed(draft: Draft, happening: Happening, guards: Guards) -> bool:
    properties = happening.properties
    channel, topic = _name(properties, "channel"), _name(properties, "topic")
    if channel is None or topic is None:
        draft.note("ignored", reason="malformed_consent")
        return True
    source = consents.source_of(properties.get("source"))
    if not _confirm(draft, channel, topic, source):
        # An old link, clicked again: whoever has said no since then has said so.
        draft.note("ignored", reason="nothing_to_confirm")
    return True


def _confirm(draft: Draft, channel: str, topic: str, source: str) -> bool:
    """Make a yes of what was requested there; False if nothing was."""
    words, made = consents.confirmed(
        draft.consents, channel=channel, topic=topic, at=draft.at, source=source
    )
    if made:
        _write_consents(draft, words)
        for word in made:
            _note_word(draft, word, "confirmed")
    return bool(made)


def _unsubscribed(draft: Draft, happening: Happening, guards: Guards) -> bool:
    properties = happening.properties
    channel, topic = _name(properties, "channel"), _name(properties, "topic")
    purpose: str | None = MARKETING
    if "purpose" in properties:
        purpose = _name(properties, "purpose", among=PURPOSES)
    source = consents.source_of(properties.get("source")) or "unsubscribed"
    _withdraw(draft, channel, topic, purpose, source)
    return True


def _withdraw(
    draft: Draft,
    channel: str | None,
    topic: str | None,
    purpose: str | None,
    source: str,
) -> None:
    """Write a no; what of it can't be read means all: a misspelt no is still a no."""
    _write_word(
        draft,
        Consent(False, draft.at, channel or "", topic or "", purpose or "", source),
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


def _write_word(draft: Draft, word: Consent) -> None:
    _write_consents(draft, consents.with_word(draft.consents, word))
    _note_word(draft, word, "granted" if word.granted else "withdrawn")


def _write_consents(draft: Draft, words: list[Consent]) -> None:
    draft.consents = bounds.consents(draft, words)
    draft.changed = draft.consent_changed = True


def _note_word(draft: Draft, word: Consent, which: str) -> None:
    said = {"channel": word.channel, "topic": word.topic, "purpose": word.purpose}
    if word.source:
        said["source"] = word.source
    draft.note("consent", reason=which, detail=said)


def _answered(draft: Draft, happening: Happening, guards: Guards) -> bool:
    surveys.answered(draft, happening)
    return True


# --- who somebody is ---------------------------------------------------------------------


def _conflict(draft: Draft, happening: Happening, guards: Guards) -> bool:
    """Note that somebody else has an identifier, who is known as well."""
    kind = _name(happening.properties, "kind")
    draft.note("identity", reason="conflict", detail={"kinds": [kind]} if kind else {})
    return True


# --- what came of a message --------------------------------------------------------------


def _bounced(draft: Draft, happening: Happening, guards: Guards) -> bool:
    if happening.properties.get("bounce") == "hard":
        _write_address(
            draft, happening, guards, "hard_bounce", suppressed="hard_bounce"
        )
        return _failed(draft, happening, guards)
    _write_address(draft, happening, guards, "bounced", bounced_at=draft.at)
    _note_lost(draft, happening, _released(draft, happening))
    return True


def _complained(draft: Draft, happening: Happening, guards: Guards) -> bool:
    _write_address(draft, happening, guards, "complaint", suppressed="complaint")
    return True


def _suppressed(draft: Draft, happening: Happening, guards: Guards) -> bool:
    reason = _name(happening.properties, "reason") or MANUAL
    _write_address(draft, happening, guards, "suppressed", suppressed=reason)
    return True


def _restored(draft: Draft, happening: Happening, guards: Guards) -> bool:
    _write_address(draft, happening, guards, "restored", suppressed="", bounced_at=None)
    return True


def _engaged(draft: Draft, happening: Happening, guards: Guards) -> bool:
    if is_automated(happening):
        return True
    replied = happening.name == MESSAGE_REPLIED
    if (found := _address_of(draft, happening, guards)) is not None:
        _, key = found
        known = draft.addresses.get(key, Address())
        last = known.engaged_at
        if last is None or last + ENGAGED_MS <= draft.at:
            known = replace(known, engaged_at=draft.at)
        if replied:
            known = replace(known, replied_at=draft.at)
        _keep_address(draft, key, known)
    if replied:
        _obey(draft, happening.properties)
    return True


def _obey(draft: Draft, properties: Mapping[str, Any]) -> None:
    """Do what somebody asks for who answers with one of the words for it.

    `stop` is a no to the channel, whatever for. `start` takes exactly that back and
    confirms what waits there, and is no yes to anything else: it may be the answer to
    another question.
    """
    channel, keyword = _name(properties, "channel"), properties.get("keyword")
    if keyword == "stop":
        _withdraw(draft, channel, "", "", "keyword")
    elif keyword == "start" and channel:
        _confirm(draft, channel, "", "keyword")
        stopped = (channel, "", "")
        if any(
            (word.channel, word.topic, word.purpose) == stopped
            and not (word.granted or word.pending)
            for word in draft.consents
        ):
            _write_word(draft, Consent(True, draft.at, channel, source="keyword"))


def _write_address(
    draft: Draft, happening: Happening, guards: Guards, reason: str, **state: Any
) -> None:
    """Note the state of an address: the one that the event names, or the profile's."""
    channel = _name(happening.properties, "channel")
    if not channel:
        draft.note("ignored", reason="unknown_address")
        return
    found = _address_of(draft, happening, guards)
    if found is None:
        draft.note("ignored", reason="unknown_address", detail={"channel": channel})
        return
    _, key = found
    known = draft.addresses.get(key, Address())
    _keep_address(draft, key, replace(known, **state))
    detail = {"channel": channel}
    if reason == "suppressed":
        detail["rule"] = state["suppressed"]
    draft.note("address", reason=reason, detail=detail)


def _address_of(
    draft: Draft, happening: Happening, guards: Guards
) -> tuple[str, str] | None:
    """The channel and the key of the address that an event is about; None: not known.

    `address_key` is what a report brings: where the message went then, which may not be
    where the profile says that the customer is now.
    """
    properties = happening.properties
    channel = _name(properties, "channel")
    if not channel:
        return None
    if is_derived(key := properties.get("address_key")):
        return channel, str(key)
    rules = guards.rules_of(channel)
    address = properties.get("address") or rules.address(draft.profile, draft.customer)
    if not isinstance(address, str) or not address:
        return None
    return channel, address_key(channel, rules.normalize(address))


def _keep_address(draft: Draft, key: str, state: Address) -> None:
    if state == draft.addresses.get(key, Address()):
        return
    others = {name: known for name, known in draft.addresses.items() if name != key}
    if state == Address():
        draft.addresses = others
    else:  # the last one to change stands last, and is forgotten last
        draft.addresses = bounds.addresses(draft, {**others, key: state})
    draft.changed = True


def _failed(draft: Draft, happening: Happening, guards: Guards) -> bool:
    """Give a message that never arrived back to the caps."""
    lost = _released(draft, happening)
    _note_lost(draft, happening, lost)
    if lost is not None:
        draft.ledger = [entry for entry in draft.ledger if entry is not lost]
        # Not by whether the ledger still happens to know it: that depends on ticks.
        if lost.at + FAILURE_MS > draft.now:
            draft.counters = guards.counted(draft.counters, lost, -1)
        draft.changed = True
    return True


def _released(draft: Draft, happening: Happening) -> Released | None:
    """The message that an event is about, if the ledger still knows it."""
    id = happening.properties.get("delivery_id")
    return next((entry for entry in draft.ledger if entry.delivery_id == id), None)


def _note_lost(draft: Draft, happening: Happening, lost: Released | None) -> None:
    """Note at its run that a message did not arrive, and why, as one of few words.

    What others say of it in words of theirs is not repeated: it could quote anything.
    """
    properties = happening.properties
    id = properties.get("delivery_id")
    if not is_derived(id):
        return  # no message of ours, or nobody knows which
    lost_by = LOST_BY.get(happening.name, "failed")
    reason = properties.get("reason")
    if lost_by == "failed" and isinstance(reason, str) and reason in OWN_FAILURES:
        lost_by = reason
    detail = {"delivery_id": id}
    for field in ("channel", "template"):
        if name := _name(properties, field):
            detail[field] = name
    run, step = properties.get("enrollment"), _name(properties, "step")
    journey = _name(properties, "journey") or (lost.journey if lost else "")
    is_known = journey != "" and is_derived(run)
    own = (item.version for item in draft.active if is_known and item.id == run)
    draft.trace.append(
        TraceEntry(
            "undelivered",
            draft.at,
            journey,
            next(own, 0),
            str(run) if is_known else "",
            (step or "") if is_known else "",
            lost_by,
            detail,
            happening.test,
        )
    )
    draft.changed = True  # so that it is remembered, and counted once


OWN_FAILURES = frozenset({"content", "same_address", "gave_up"})
"""Why a message failed that no provider has refused: words of our own."""

LOST_BY = {MESSAGE_BOUNCED: "bounced", MESSAGE_REJECTED: "rejected"}
"""What events say by their names about a message that did not arrive."""

_is_id = re.compile(ID).fullmatch

_LEARN: dict[str, _Learn] = {
    PROFILE_UPDATED: _profile,
    CONSENT_CHANGED: _consent,
    CONSENT_REQUESTED: _requested,
    CONSENT_CONFIRMED: _confirmed,
    ADDRESS_SUPPRESSED: _suppressed,
    ADDRESS_RESTORED: _restored,
    MESSAGE_BOUNCED: _bounced,
    MESSAGE_COMPLAINED: _complained,
    MESSAGE_UNSUBSCRIBED: _unsubscribed,
    MESSAGE_FAILED: _failed,
    MESSAGE_REJECTED: _failed,
    MESSAGE_OPENED: _engaged,
    MESSAGE_CLICKED: _engaged,
    MESSAGE_REPLIED: _engaged,
    SCORE_UPDATED: scoring.learned,
    LIST_JOINED: _joined,
    LIST_LEFT: _left,
    IDENTITY_CONFLICT: _conflict,
    SURVEY_ANSWERED: _answered,
}

TEACHING = frozenset(_LEARN)
"""The names of the events that say something about a customer by themselves."""
