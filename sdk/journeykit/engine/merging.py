"""Merging: two documents of one person become one.

It takes two reactions, since a commit is about one customer. In the first one the merged
customer becomes a *tombstone*, which names the survivor, and all that was known of them
goes out as a command; in the second one the survivor takes it in, exactly once. What
happens to the merged customer in between happens to the survivor: whoever loads a
tombstone turns to the one that it names. So nothing waits, and nothing is lost.

**Who becomes part of whom.** Somebody of whom no sender has ever said an id, and who is
known by devices alone, is nobody in particular yet. Only they are merged without being
asked for, and that is judged when their document becomes the tombstone. Two of that sort
are merged in the order of their ids. So no two are ever merged into each other but by
operators; where these manage it, all their states meet in the one of the smallest id,
whose tombstone comes to life again.

**What becomes of each part**, with mine the survivor's:

================ ====================================================================
part             the rule
================ ====================================================================
id, creation     mine: what is derived of them stays as it is
clock, catalog   the later one
profile          mine stands, and what I lack is theirs; too much of it is left out
addresses        the stricter word: suppressed, bounced last; engaged and replied last
consents         the stricter word on the same: a no before a yes, the later of two equal
                 ones. A yes that was confirmed undoes no no of the other's
active           all runs, under their own ids. Where a journey lets nobody in twice, by
                 key, the run that has come further stays, and the other exits `merged`
past             entry counters, last in and out: the larger; keys and open goals: all;
                 arms of splits: mine, then theirs; removed, if either was
ledger, seen     all of both, as far as the bounds go; lifetime counters: the sum
held             all of both, as far as the bounds go
traits           `TraitRules.united`
scores           by name the later one
lists            all of both, since the earlier instant
segments         judged by what is known of both; of those that either was in, the person
                 has entered none now, and left none that I was not in
stage            mine if I have one; judged anew
progress         of each trigger how far both have come together, else mine, else theirs;
                 a schedule that either was due for is due for neither again
identifiers      all of both
salt             mine
================ ====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from journeykit.engine import bounds, schedules, sequences
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import AbsorbCustomer
from journeykit.engine.customer import (
    Address,
    Consent,
    Customer,
    Enrollment,
    Released,
    Visits,
    created,
    size_of,
)
from journeykit.engine.draft import Draft
from journeykit.engine.ids import derived, log_id
from journeykit.engine.limits import (
    ABSORBED_BYTES,
    ACTIVE_BYTES,
    ACTIVE_RUNS,
    ADDRESSES,
    HELD,
    HELD_BYTES,
    IDENTIFIERS,
    IDENTIFIERS_BYTES,
    SEEN,
)
from journeykit.engine.stimuli import Merge
from journeykit.engine.trace import TraceEntry
from journeykit.model.identity import is_made

# What a draft and a customer have in common; the rest is the id's, or computed.
_PARTS = tuple(
    name for name in Customer.__struct_fields__ if name in set(Draft.__slots__)
)
FORGOTTEN = "@"
"""Stands in `Customer.absorbed` where there were more than are remembered."""

_SINGLE = ("never", "after_exit", "restart")  # re-entry: one run at a time


# --- identifiers ---------------------------------------------------------------------


def linked(draft: Draft, identifiers: Mapping[str, str]) -> None:
    """Write down by which other names the customer is known from now on."""
    known = set(draft.identifiers)
    new = [
        f"{kind}:{value}"
        for kind, value in identifiers.items()
        if f"{kind}:{value}" not in known
    ]
    if not new:
        return
    if kept := fitting(draft.identifiers, new):
        draft.identifiers = [*draft.identifiers, *kept]
        draft.changed = True
        draft.note("identity", reason="linked", detail={"kinds": _kinds(kept)})
    if left := [each for each in new if each not in kept]:
        draft.note("identity", reason="full", detail={"kinds": _kinds(left)})


def fitting(known: Sequence[str], new: Iterable[str]) -> list[str]:
    """Return for which of these further identifiers a document has room."""
    room = IDENTIFIERS - len(known)
    left = IDENTIFIERS_BYTES - sum([len(each.encode()) for each in known])
    kept: list[str] = []
    for each in new:
        size = len(each.encode())
        if len(kept) < room and size <= left:
            kept.append(each)
            left -= size
    return kept


def _kinds(identifiers: Iterable[str]) -> list[str]:
    return [identifier.partition(":")[0] for identifier in identifiers]


def is_known(customer: str, identifiers: Iterable[str], weak: Sequence[str]) -> bool:
    """Whether somebody is a person by the word of a sender, and not only a device.

    Args:
        customer: Their id.
        identifiers: By which other names they are known: `kind:value`.
        weak: The kinds that name devices.
    """
    if not is_made(customer):
        return True
    return any(kind not in weak for kind in _kinds(identifiers))


# --- the one who becomes part --------------------------------------------------------


def refuses(draft: Draft, call: Merge) -> bool:
    """Whether the customer is somebody whom nobody may merge without being told to."""
    weak = call.unless_known
    return weak is not None and is_known(draft.customer, draft.identifiers, weak)


def buried(draft: Draft, call: Merge) -> None:
    """Leave a tombstone, and hand all that was known over to whom it names."""
    before = draft.before
    parts = {name: getattr(draft, name) for name in _PARTS}
    snapshot = replace(before, **parts, next_due=None)
    draft.commands.append(
        AbsorbCustomer(
            derived("absorb", mark_of(snapshot)),
            call.into,
            draft.customer,
            msgspec.to_builtins(replace(snapshot, salt=""), str_keys=True),
            draft.at,
            log_id(before.id, before.salt),
        )
    )
    # So that no id is ever derived twice, should the tombstone come to life.
    forgotten = draft.forgotten + sum(past.count for past in draft.past.values())
    empty = created(before.id, before.created_at)
    for name in _PARTS:
        if name not in ("clock", "catalog"):
            setattr(draft, name, getattr(empty, name))
    draft.active = []
    draft.absorbed = [mark_of(snapshot)]  # by which it is seen whether it has arrived
    draft.forgotten = forgotten
    draft.scope.profile = draft.profile
    draft.merged_into = call.into
    draft.profile_changed = draft.consent_changed = False
    draft.changed = True
    draft.note("identity", reason="merged", detail={"active": len(snapshot.active)})


def mark_of(snapshot: Customer) -> str:
    """What tells a snapshot from any other, also of who was erased and came back."""
    return f"{snapshot.id}@{snapshot.created_at}.{snapshot.revision}"


def merged_id(mark: str) -> str:
    """Whose snapshot it was, by its mark in `Customer.absorbed`; `FORGOTTEN`: empty."""
    return mark.rpartition("@")[0]


def awaits(tombstone: Customer, heir: Customer | None) -> bool:
    """Whether what a tombstone has left is not with the heir yet, as far as they know."""
    if heir is None or heir.merged_into:
        return bool(tombstone.absorbed)
    return not {*tombstone.absorbed} <= {*heir.absorbed}


def _marks(marks: Iterable[str]) -> list[str]:
    """The latest of these marks, as many as there is room for."""
    kept: list[str] = []
    left = ABSORBED_BYTES
    ordered = list(dict.fromkeys(marks))
    for mark in reversed(ordered):
        left -= len(mark.encode())
        if left < 0:
            break
        kept.append(mark)
    if len(kept) < len(ordered) and FORGOTTEN not in kept:
        kept.append(FORGOTTEN)
    return kept[::-1]


# --- the one who takes it in ---------------------------------------------------------


def absorbed(
    draft: Draft, theirs: Customer, catalog: Catalog, *, log_id: str
) -> list[Enrollment]:
    """Take in what was known of another one.

    Args:
        draft: Who takes it in.
        theirs: The other one's document.
        catalog: The journeys and traits.
        log_id: By which name the logs know the other one.

    Returns:
        The runs that must exit, which the caller sees to.
    """
    draft.changed = True
    draft.clock = max(draft.clock, theirs.clock)
    _profile(draft, theirs)
    _addresses(draft, theirs)
    _consents(draft, theirs)
    _past(draft, theirs)
    _ledger(draft, theirs)
    _held(draft, theirs)
    _known(draft, theirs, catalog)
    marks = [*theirs.absorbed, *draft.absorbed, mark_of(theirs)]
    draft.absorbed = _marks(marks)
    draft.note(
        "identity",
        reason="absorbed",
        detail={"log_id": log_id, "active": len(theirs.active)},
    )
    return _runs(draft, theirs, catalog)


def _profile(draft: Draft, theirs: Customer) -> None:
    missing = {
        name: value
        for name, value in theirs.profile.items()
        if name not in draft.profile and value is not None
    }
    if not missing:
        return
    written = missing
    if not draft.write_profile(missing):
        # Small things first: as many as there is room for.
        written = {
            name: missing[name]
            for name in sorted(missing, key=lambda name: (size_of(missing[name]), name))
            if draft.write_profile({name: missing[name]})
        }
        left = len(missing) - len(written)
        draft.note("forgotten", reason="profile", detail={"count": left})
    if written:
        draft.note("profile", detail=draft.written(written))


def _addresses(draft: Draft, theirs: Customer) -> None:
    if not theirs.addresses:
        return
    united = dict(draft.addresses)
    for key, other in theirs.addresses.items():
        own = united.pop(key, Address())
        united[key] = Address(
            own.suppressed or other.suppressed,
            _later(own.bounced_at, other.bounced_at),
            _later(own.engaged_at, other.engaged_at),
            _later(own.replied_at, other.replied_at),
        )
    while len(united) > ADDRESSES:
        united = bounds.addresses(draft, united)
    draft.addresses = united


def _later(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _consents(draft: Draft, theirs: Customer) -> None:
    if not theirs.consents:
        return
    united = united_consents(draft.consents, theirs.consents)
    if united != draft.consents:
        draft.consents = bounds.consents(draft, united)
        draft.consent_changed = True


def united_consents(
    mine: Sequence[Consent], theirs: Sequence[Consent]
) -> list[Consent]:
    """The words of both: of two on the same the stricter one, of two alike the later.

    What one of them has said no to stays refused, whatever the other one has confirmed:
    a yes loses the power to outlive the other's noes.
    """
    weak_mine = [_weakened(word, theirs) for word in mine]
    weak_theirs = [_weakened(word, mine) for word in theirs]
    found: dict[tuple[str, str, str, bool], Consent] = {}
    for word in [*weak_mine, *weak_theirs]:
        key = (word.channel, word.topic, word.purpose, word.pending)
        known = found.pop(key, None)
        found[key] = word if known is None else _stricter(known, word)
    return sorted(found.values(), key=lambda word: word.at)


def _weakened(word: Consent, others: Sequence[Consent]) -> Consent:
    if word.over is None:
        return word
    noes = any(not (other.granted or other.pending) for other in others)
    return replace(word, over=None) if noes else word


def _stricter(one: Consent, other: Consent) -> Consent:
    if one.granted != other.granted:
        return other if one.granted else one
    later = other if other.at >= one.at else one
    return replace(later, over=_later(one.over, other.over)) if one.granted else later


def _past(draft: Draft, theirs: Customer) -> None:
    for journey, other in theirs.past.items():
        past = draft.writable_past(journey)
        if (other.last_out or 0) > (past.last_out or 0):
            past.outcome = other.outcome
        _add_visits(past, other)
        past.arms = {**other.arms, **past.arms}
        past.removed = past.removed or other.removed
        known = {finished.id for finished in past.finished}
        new = [finished for finished in other.finished if finished.id not in known]
        past.finished = [*past.finished, *new]
        for key, visits in other.keys.items():
            own = draft.writable_visits(past, key)
            _add_visits(own, visits)


def _add_visits(mine: Visits, theirs: Visits) -> None:
    """Take the larger of each, which is the stricter one wherever re-entry asks."""
    most = max(len(mine.recent), len(theirs.recent))
    mine.count = max(mine.count, theirs.count)
    mine.last_in = max(mine.last_in, theirs.last_in)
    mine.last_out = _later(mine.last_out, theirs.last_out)
    recent = sorted([*mine.recent, *theirs.recent])
    mine.recent = recent[-most:] if most else []


def _ledger(draft: Draft, theirs: Customer) -> None:
    entries: dict[str, Released] = {
        entry.delivery_id: entry for entry in [*theirs.ledger, *draft.ledger]
    }
    draft.ledger = sorted(entries.values(), key=lambda entry: entry.at)
    mine, others = draft.surveys, theirs.surveys
    draft.surveys = {**others, **mine}
    for id in mine.keys() & others.keys():
        if others[id].answered:
            draft.surveys[id] = others[id]
    counters = dict(draft.counters)
    for scope, count in theirs.counters.items():
        counters[scope] = counters.get(scope, 0) + count
    draft.counters = counters
    seen = sorted({**theirs.seen, **draft.seen}.items(), key=lambda item: item[1])
    draft.seen = dict(seen[-SEEN:])


def _held(draft: Draft, theirs: Customer) -> None:
    """Hold what the other one held, as far as there is room."""
    known = {held.message.delivery_id for held in draft.held}
    for held in theirs.held:
        message = replace(held.message, customer=draft.customer)
        if message.delivery_id in known:
            continue
        own = replace(held, message=message)
        if len(draft.held) < HELD and size_of(draft.held) + size_of(own) <= HELD_BYTES:
            draft.held = [*draft.held, own]
            continue
        draft.trace.append(
            TraceEntry(
                "suppressed",
                draft.at,
                message.journey,
                message.version,
                message.enrollment,
                message.step,
                "held_full",
                {"delivery_id": message.delivery_id, "count": len(draft.held)},
                message.test,
            )
        )


def _known(draft: Draft, theirs: Customer, catalog: Catalog) -> None:
    """What is computed of events, and by which names the customer is known."""
    if theirs.traits:
        draft.traits = catalog.traits.united(
            draft.traits, theirs.traits, at=draft.at, zone=draft.zone
        )
    scores = dict(draft.scores)
    for name, score in theirs.scores.items():
        if name not in scores or scores[name].at < score.at:
            scores[name] = score
    if theirs.scores:
        draft.scores = scores
    if theirs.lists:
        draft.lists = _earliest(draft.lists, theirs.lists)
    if theirs.stage and not draft.stage:
        draft.stage, draft.staged_at = theirs.stage, theirs.staged_at
    if theirs.progress:
        mine = draft.progress
        draft.progress = sequences.united(mine, theirs.progress, catalog.ways)
        schedules.united(draft, mine, theirs.progress, catalog)
    if theirs.flips_at is not None:
        flips = (theirs.flips_at, draft.flips_at)
        draft.flips_at = min(at for at in flips if at is not None)
    known = {*draft.identifiers}
    new = [each for each in theirs.identifiers if each not in known]
    kept = fitting(draft.identifiers, new)
    draft.identifiers = [*draft.identifiers, *kept]
    if len(kept) < len(new):
        count = len(known) + len(new)
        draft.note("identity", reason="full", detail={"count": count})


def since_both(draft: Draft, theirs: Customer) -> None:
    """Say since when the customer is in segments that the other one was in as well."""
    both = draft.segments.keys() & theirs.segments.keys()
    if both:
        since = {name: theirs.segments[name] for name in both}
        draft.segments = {
            name: min(at, since.get(name, at)) for name, at in draft.segments.items()
        }


def _earliest(mine: Mapping[str, int], theirs: Mapping[str, int]) -> dict[str, int]:
    return {
        name: min(at for at in (mine.get(name), theirs.get(name)) if at is not None)
        for name in sorted({*mine, *theirs})
    }


# --- runs ----------------------------------------------------------------------------


def _runs(draft: Draft, theirs: Customer, catalog: Catalog) -> list[Enrollment]:
    """Go on with all runs; return those that must end."""
    own = {run.id for run in draft.active}
    # Their numbers count their own entries, and would be taken for mine.
    taken = [replace(run, n=0) for run in theirs.active if run.id not in own]
    furthest: dict[tuple[str, str], Enrollment] = {}
    leaving: list[Enrollment] = []
    for run in [*draft.active, *taken]:
        if not _is_single(run, catalog):
            continue
        place = (run.journey, run.key)
        other = furthest.get(place)
        if other is None:
            furthest[place] = run
            continue
        behind, ahead = sorted((other, run), key=_how_far)
        furthest[place] = ahead
        leaving.append(behind)
    draft.active = [*draft.active, *taken]
    gone = {run.id for run in leaving}
    kept = [run for run in draft.active if run.id not in gone]
    strangers = sorted((run for run in kept if run.id not in own), key=_how_far)
    for run in strangers:
        if len(kept) <= ACTIVE_RUNS and size_of(kept) <= ACTIVE_BYTES:
            break
        kept = [each for each in kept if each is not run]
        leaving.append(run)
    return leaving


def _is_single(run: Enrollment, catalog: Catalog) -> bool:
    plan = catalog.live.get(run.journey) or catalog.plan_of(run)
    return plan is None or plan.reentry.mode in _SINGLE


def _how_far(run: Enrollment) -> tuple[int, int, str]:
    """How far a run has come; of two alike the one that began first has come further."""
    return run.visit, -run.entered_at, run.id


def dropped(draft: Draft, run: Enrollment) -> None:
    """End a run of whose journey no plan is left."""
    draft.active = [item for item in draft.active if item is not run]
    draft.trace.append(
        TraceEntry(
            "exited",
            draft.at,
            run.journey,
            run.version,
            run.id,
            run.step,
            "merged",
            test=run.test,
        )
    )


def revived(draft: Draft) -> None:
    """Bring a tombstone to life again: somebody has said that it is the one to survive.

    Whoever brings stimuli turns to the survivor; they come here only where two were
    merged into each other.
    """
    draft.merged_into = ""
    draft.absorbed = []  # its own past is still to come back
    draft.changed = True
