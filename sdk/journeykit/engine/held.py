"""Messages that were released and came back: kept, and asked about again when due.

The dispatcher hands back what it can't deliver in time: a rate is used up, a provider
asks for patience, a breaker is open, quiet hours have begun. Such a message doesn't
count for caps while it is held. It is asked about as it was released, for its own
channel and address, and goes out under the same delivery id.

The run has gone on meanwhile. If it ends early, by a goal or otherwise, its held
messages end with it; if it comes to its end, they are still sent. A run that waits at
its Send for word of a message, before the next channel has its turn, hears at once if
the message is given up: it expires when that turn comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec.structs import replace

from journeykit.engine.commands import SendMessage
from journeykit.engine.customer import Held, size_of
from journeykit.engine.draft import Draft
from journeykit.engine.guards import Envelope, Guards, Refusal
from journeykit.engine.ids import enrollment_id
from journeykit.engine.limits import HELD, HELD_BYTES
from journeykit.engine.plan import JourneyPlan
from journeykit.engine.release import released, released_of, surroundings
from journeykit.engine.steps import Send
from journeykit.engine.stimuli import Returned
from journeykit.engine.trace import TraceEntry

_SEARCHED = 200  # entries into a journey, from the latest: a microsecond each


def came_back(
    draft: Draft, returned: Returned, guards: Guards, *, at: int, stopped: bool
) -> None:
    """Give a message back to the caps, and keep it until it may be asked about again."""
    message, until = returned.message, returned.until
    held = Held(message, at, until)
    run = _run_of(draft, message)
    if run is not None:
        _give_back(draft, message, guards)
    expires_at = message.expires_at
    if stopped or run in (None, "ended early"):
        _note(draft, "suppressed", held, "run_ended")
    elif expires_at is not None and until >= expires_at:
        detail = {"until": until, "expires_first": expires_at}
        _note(draft, "suppressed", held, "expired", detail)
    elif _is_full(draft, held):
        _note(draft, "suppressed", held, "held_full", {"count": len(draft.held)})
    else:
        draft.held = [*draft.held, held]
        _note(draft, "deferred", held, returned.reason, {"until": until})


def _give_back(draft: Draft, message: SendMessage, guards: Guards) -> None:
    """Take a message out of what the caps count."""
    id = message.delivery_id
    draft.ledger = [entry for entry in draft.ledger if entry.delivery_id != id]
    draft.counters = guards.counted(draft.counters, released_of(message, 0), -1)
    draft.changed = True


def _run_of(
    draft: Draft, message: SendMessage
) -> Literal["running", "completed", "ended early"] | None:
    """What has become of a message's run; None: it is none of this customer's.

    That is so if they were erased and came back, or if it was very long ago.
    """
    if any(run.id == message.enrollment for run in draft.active):
        return "running"
    past = draft.past.get(message.journey)
    if past is None:
        return None
    latest = draft.forgotten + past.count
    created_at = draft.before.created_at
    for n in range(latest, max(0, latest - _SEARCHED), -1):
        id = enrollment_id(message.journey, draft.customer, created_at, n)
        if id == message.enrollment:
            is_over = past.removed or n in past.early
            return "ended early" if is_over else "completed"
    return None


def _is_full(draft: Draft, held: Held) -> bool:
    if len(draft.held) >= HELD:
        return True
    return size_of(draft.held) + size_of(held) > HELD_BYTES


def asked_again(
    draft: Draft, held: Held, plan: JourneyPlan | None, guards: Guards
) -> bool:
    """Ask the guards about a held message that is due; True if it goes.

    Args:
        draft: Whose it is.
        held: The message.
        plan: Its journey, as far as the catalog still holds the version.
        guards: Whom to ask.
    """
    if draft.sends_left <= 0:  # what is due stays so, and an immediate wake-up follows
        if held.due is None:
            _keep(draft, held, draft.at)
        return False
    message = held.message
    expires_at = message.expires_at
    if expires_at is not None and expires_at <= draft.now:
        _give_up(draft, held, "expired", {"expired_at": expires_at})
        return False
    zone = draft.zone if plan is None else draft.zone_of(plan)[0]
    seen = surroundings(draft, zone)
    envelope = Envelope(
        draft.customer,
        message.journey,
        (message.channel,),
        message.topic,
        message.purpose,
        message.address,
        message.step,
        message.template,
        message.survey,
        # It was released beside what its own run had asked over other channels.
        _of_its_run(draft, message) if message.survey else (),
    )
    answer = guards.ask(envelope, seen)
    if isinstance(answer, Refusal):
        _refused(draft, held, plan, answer)
        return False
    _forget(draft, held)
    until = guards.not_after(message.channel, message.purpose, seen, expires_at)
    released(draft, guards, replace(message, not_after=until))
    detail = {"channel": message.channel, "template": message.template}
    _note(draft, "sent", held, "", {**detail, "held": True})
    return True


def _of_its_run(draft: Draft, message: SendMessage) -> tuple[str, ...]:
    """The surveys in the ledger that are of the same run."""
    own = message.enrollment
    return tuple(id for id, one in draft.surveys.items() if one.enrollment == own)


def _refused(
    draft: Draft, held: Held, plan: JourneyPlan | None, refusal: Refusal
) -> None:
    """Hold it on if the author and the time allow it, else give it up."""
    until, expires_at = refusal.until, held.message.expires_at
    if until is None:
        _give_up(draft, held, refusal.reason, refusal.detail)
        return
    detail = {**refusal.detail, "until": until}
    if not _defers(plan, held, refusal.group):
        _give_up(draft, held, refusal.reason, detail)
    elif expires_at is not None and until >= expires_at:
        _give_up(draft, held, refusal.reason, {**detail, "expires_first": expires_at})
    else:
        _keep(draft, held, until)
        _note(draft, "deferred", held, refusal.reason, detail)


def _defers(plan: JourneyPlan | None, held: Held, group: str) -> bool:
    """Whether the Send says that such a message waits; the default if it is gone."""
    step = None if plan is None else plan.steps.get(held.message.step)
    if not isinstance(step, Send):
        return group == "quiet"
    return {"capped": step.on_capped, "quiet": step.on_quiet}.get(group) == "defer"


def parked(draft: Draft, held: Held) -> None:
    """Keep a message whose journey is paused until that is over."""
    _keep(draft, held, None)
    _note(draft, "parked", held, "paused")


def dropped(draft: Draft, wanted: Callable[[Held], bool]) -> None:
    """Give up those messages whose run has ended early."""
    for held in draft.held:
        if wanted(held):
            _give_up(draft, held, "run_ended")


def _give_up(
    draft: Draft, held: Held, reason: str, detail: dict[str, Any] | None = None
) -> None:
    _forget(draft, held)
    _note(draft, "suppressed", held, reason, detail)


def _keep(draft: Draft, held: Held, due: int | None) -> None:
    kept = replace(held, due=due)
    draft.held = [kept if item is held else item for item in draft.held]
    draft.changed = True


def _forget(draft: Draft, held: Held) -> None:
    draft.held = [item for item in draft.held if item is not held]
    draft.changed = True


def _note(
    draft: Draft,
    kind: str,
    held: Held,
    reason: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """Record a decision about a message, as one of its run, which may be over."""
    message = held.message
    draft.trace.append(
        TraceEntry(
            kind,
            draft.at,
            message.journey,
            message.version,
            message.enrollment,
            message.step,
            reason,
            {"delivery_id": message.delivery_id, **(detail or {})},
            message.test,
        )
    )
