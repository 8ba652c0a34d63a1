"""The bounds of the customer document: what is forgotten when a part is full.

Nothing here decides about a message; it keeps the document small enough for any store.
Whatever is given up leaves an entry in the trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from journeykit.engine import sequences
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import Address, Consent, Past, size_of
from journeykit.engine.draft import Draft
from journeykit.engine.limits import (
    ADDRESSES,
    CONSENTS,
    CONSENTS_BYTES,
    ENTRY_BYTES,
    KEY_CHARACTERS,
    LEDGER,
    LEDGER_BYTES,
    PAST_BYTES,
    PAST_KEY_MS,
    PAST_KEYS,
    REPLY_MS,
    SEEN,
    SEEN_MS,
    SURVEYS,
    TRACE_BYTES,
    VARIABLES_BYTES,
)
from journeykit.engine.trace import TraceEntry
from journeykit.engine.values import bounded

_ENTRIES_UNMEASURED = 64  # so many entries stay below TRACE_BYTES unless they explain


def remembered(draft: Draft, hash: int, received_at: int) -> dict[int, int]:
    """The events already handled, with one more; the old ones are forgotten."""
    seen = draft.seen
    if seen and next(iter(seen.values())) + SEEN_MS <= draft.now:
        seen = {key: at for key, at in seen.items() if at + SEEN_MS > draft.now}
    seen = {**seen, hash: received_at}
    if len(seen) > SEEN:
        oldest = next(iter(seen))
        draft.note("forgotten", reason="seen", detail={"received_at": seen.pop(oldest)})
    draft.changed = True
    return seen


def consents(draft: Draft, items: list[Consent]) -> list[Consent]:
    """The consents, without the oldest yes of a topic if there are too many.

    A yes is asked for again; a no that was forgotten would be broken. So would a request
    that nobody has confirmed; after every yes it goes first.
    """
    # Two names and a source of 64 characters: below 40 nobody needs to measure.
    while len(items) > CONSENTS or (
        len(items) > 40 and size_of(items) > CONSENTS_BYTES
    ):
        oldest = min(
            items,
            key=lambda item: (
                not item.granted,
                not item.pending,
                not item.topic,
                item.at,
            ),
        )
        draft.note("forgotten", reason="consent", detail={"topic": oldest.topic})
        items = [item for item in items if item is not oldest]
    return items


def addresses(draft: Draft, items: dict[str, Address]) -> dict[str, Address]:
    """The states of addresses, without the oldest if there are too many.

    First goes one at which nobody but people did anything, then one that has bounced, and
    only then one to which nothing may be sent.
    """
    if len(items) > ADDRESSES:
        name = min(
            items,
            key=lambda name: (items[name].suppressed != "", _bounced(items[name])),
        )
        draft.note("forgotten", reason="address")
        return {key: item for key, item in items.items() if key != name}
    return items


def _bounced(address: Address) -> bool:
    return address.bounced_at is not None


def variables(
    resolved: tuple[dict[str, Any], list[str]],
) -> tuple[dict[str, Any], list[str]]:
    """A message's variables, without the largest ones if they are too much."""
    return bounded(resolved, VARIABLES_BYTES)


def kept(draft: Draft, catalog: Catalog) -> None:
    """Forget what no rule will ask for any more, and the oldest of what is too much."""
    if draft.ledger:
        _keep_ledger(draft, catalog.guards.ledger_ms, catalog.guards.survey_ms)
    if draft.surveys and draft.ledger is not draft.before.ledger:
        asks = draft.surveys
        known = [item.delivery_id for item in draft.ledger if item.delivery_id in asks]
        if len(known) < len(asks) or len(known) > SURVEYS:
            draft.surveys = {id: asks[id] for id in known[-SURVEYS:]}
    if draft.past is not draft.before.past:
        _keep_past(draft)
    if draft.progress is not draft.before.progress:
        sequences.within_bounds(draft)


def _keep_past(draft: Draft) -> None:
    """Forget what is over; then, while it is too much, what can be missed most easily."""
    most = keys = 0
    for journey, past in tuple(draft.past.items()):
        most += _PAST_MOST
        if past.finished:
            most += _keep_finished(draft, journey, past) * 2 * ENTRY_BYTES
        if past.keys:
            _keep_keys(draft, journey, past)
            past = draft.past[journey]
            keys += len(past.keys)
            most += _KEY_MOST * len(past.keys)
            most += sum([14 * len(visits.recent) for visits in past.keys.values()])
        most += 14 * len(past.recent) + _ARM_MOST * len(past.arms)
    if most <= PAST_BYTES and keys <= PAST_KEYS:
        return  # so few can't be too much, whatever they are: no need to measure
    for forget in (_oldest_keys, _soonest_watches, _oldest_journeys):
        for part, journey in forget(draft):
            keys = sum(len(past.keys) for past in draft.past.values())
            if keys <= PAST_KEYS and size_of(draft.past) <= PAST_BYTES:
                return
            draft.note("forgotten", reason=part, detail={"journey": journey})


# The most bytes that one of them can take, written as JSON.
_PAST_MOST = 400  # two names of 64 characters, and numbers
_ARM_MOST = 140  # two names of 64 characters
_KEY_MOST = 6 * KEY_CHARACTERS + 100  # a control character takes six


def _oldest_keys(draft: Draft) -> Iterator[tuple[str, str]]:
    """Drop keys, oldest first; a key with a running enrollment stays.

    Each of these generators yields before it drops, and is not asked on when it fits.
    """
    running = {(run.journey, run.key) for run in draft.active}
    ages = sorted(
        (visits.last_in, journey, key)
        for journey, past in draft.past.items()
        for key, visits in past.keys.items()
        if (journey, key) not in running
    )
    for _, journey, key in ages:
        yield "key", journey
        past = draft.writable_past(journey)
        past.keys = {name: visits for name, visits in past.keys.items() if name != key}


def _soonest_watches(draft: Draft) -> Iterator[tuple[str, str]]:
    """Stop watching goals of ended runs, the soonest to close first."""
    ends = sorted(
        (max(watch.until or 0 for watch in item.watches), journey, item.id)
        for journey, past in draft.past.items()
        for item in past.finished
    )
    for _, journey, id in ends:
        yield "goal_watch", journey
        past = draft.writable_past(journey)
        past.finished = [item for item in past.finished if item.id != id]


def _oldest_journeys(draft: Draft) -> Iterator[tuple[str, str]]:
    """Forget whole journeys in which nobody runs, the longest past first.

    One from which the customer was removed goes last: triggers would enter them again.
    """
    running = {run.journey for run in draft.active}
    ages = sorted(
        (past.removed, past.last_in, journey)
        for journey, past in draft.past.items()
        if journey not in running
    )
    for _, _, journey in ages:
        yield "journey", journey
        draft.forgotten += draft.writable_past(journey).count
        del draft.past[journey]


def _keep_ledger(draft: Draft, window: int, of_surveys: int) -> None:
    ledger, surveys = draft.ledger, draft.surveys
    if surveys:  # a reply is about the last message, also if no cap counts it
        window = max(window, REPLY_MS)
    if ledger[0].at + window <= draft.now:
        ledger = [
            entry
            for entry in ledger
            if entry.at + (of_surveys if entry.delivery_id in surveys else window)
            > draft.now
        ]
        if len(ledger) == len(draft.ledger):  # old surveys are the first
            ledger = draft.ledger
    # Three names of 64 characters each: below 200 nobody needs to measure.
    while len(ledger) > LEDGER or (
        len(ledger) > 200 and size_of(ledger) > LEDGER_BYTES
    ):
        ledger = ledger[max(1, len(ledger) - LEDGER) :]
        draft.note("forgotten", reason="ledger")
    draft.ledger = ledger


def _keep_finished(draft: Draft, journey: str, past: Past) -> int:
    """Drop the ended runs whose windows have closed; return how many are left."""
    at = draft.clock
    kept = [f for f in past.finished if any((w.until or 0) > at for w in f.watches)]
    if len(kept) < len(past.finished):
        draft.writable_past(journey).finished = kept
    return len(kept)


def _keep_keys(draft: Draft, journey: str, past: Past) -> None:
    """Drop the keys that are too old for anybody to ask for."""
    oldest = draft.clock - PAST_KEY_MS
    running = {run.key for run in draft.active if run.journey == journey}
    kept = {
        key: visits
        for key, visits in past.keys.items()
        if visits.last_in > oldest or key in running
    }
    if len(kept) < len(past.keys):
        draft.writable_past(journey).keys = kept


def trace(entries: list[TraceEntry], *, explained: bool) -> tuple[TraceEntry, ...]:
    """The trace, cut if it is too long: details first, then what nobody counts."""
    if len(entries) <= _ENTRIES_UNMEASURED and not explained:
        return tuple(entries)
    if size_of(entries) <= TRACE_BYTES:
        return tuple(entries)
    bare = [msgspec.structs.replace(entry, detail={}) for entry in entries]
    if size_of(bare) > TRACE_BYTES:
        bare = [entry for entry in bare if entry.kind in _COUNTED]
    while size_of(bare) > TRACE_BYTES:
        bare = bare[: len(bare) * 3 // 4]
    cut = {"entries": len(entries), "kept": len(bare)}
    return (*bare, TraceEntry("forgotten", entries[-1].at, reason="trace", detail=cut))


# What the numbers of a journey are counted from: entered = held out + waiting + …
_COUNTED = frozenset(
    [
        "entered",
        "held_out",
        "sent",
        "suppressed",
        "undelivered",
        "goal",
        "completed",
        "exited",
        "failed",
        "refused",
    ]
)
