"""A Send that stands before the guards: released, deferred or suppressed.

The guards say whether a message may go; here is what follows from their answer, by the
options that the author gave the Send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from journeykit.engine import bounds, placements, surveys
from journeykit.engine.calendar import add
from journeykit.engine.commands import SendMessage
from journeykit.engine.customer import Asking, Released
from journeykit.engine.draft import Draft, Run
from journeykit.engine.guards import Clear, Envelope, Guards, Refusal, Surroundings
from journeykit.engine.ids import delivery_id
from journeykit.engine.limits import CATCH_UP_MS
from journeykit.engine.moves import Leave
from journeykit.engine.steps import Send


def try_release(run: Run, step: Send, guards: Guards) -> bool:
    """Decide about a standing Send; False if it goes on standing, for later."""
    draft, enrollment, plan = run.draft, run.enrollment, run.plan
    if step.id in run.sends and not run.waited:
        run.note("suppressed", reason="loop")
        return _passed_over(run, step)
    if draft.sends_left <= 0:
        enrollment.due = draft.at
        enrollment.generation = run.generation
        enrollment.sprint = run.since_wait
        return False
    zone, _ = draft.zone_of(plan)
    purpose = step.purpose or plan.purpose
    expiry, expires_at = step.expiry(purpose), None
    if expiry is not None:
        expires_at = add(enrollment.arrived_at, expiry, zone)
        if expires_at <= draft.now:
            detail = {"rule": f"after {expiry.short}", "expired_at": expires_at}
            return _suppressed(run, step, Refusal("expired", "expired", detail=detail))
    tried = enrollment.tried
    if tried and step.asks and (answer_by := step.answer_by(enrollment)) is not None:
        # Nobody is asked once nobody waits for the answer any more.
        if answer_by <= draft.now:
            detail = {"rule": "within", "expired_at": answer_by}
            return _suppressed(run, step, Refusal("expired", "expired", detail=detail))
        expires_at = answer_by if expires_at is None else min(answer_by, expires_at)
    if run.released and run.waited:
        # Catch-up must not send two messages at once that had a wait between them.
        enrollment.due = draft.now + min(CATCH_UP_MS, run.waited)
        run.note("deferred", reason="catch_up", detail={"until": enrollment.due})
        return False
    envelope = Envelope(
        draft.customer,
        plan.id,
        step.channels[tried:] if tried else step.channels,
        step.topic or plan.topic,
        purpose,
        "",
        step.id,
        step.template,
        step.survey_of(plan.id) if step.asks else "",
        tuple(step.released(enrollment)) if tried else (),
    )
    seen = surroundings(draft, zone)
    answer = guards.ask(envelope, seen)
    if isinstance(answer, Refusal):
        return _refused(run, step, answer, expires_at)
    answer = replace(answer, position=tried + answer.position) if tried else answer
    until: int | None = None
    if step.fallback_after is not None:
        until = _turn_of_the_next(run, step, answer, envelope, guards, seen)
    if until is not None:  # then this one must not go any more, wherever it is
        expires_at = until if expires_at is None else min(until, expires_at)
    not_after = guards.not_after(answer.channel, purpose, seen, expires_at)
    _sent(run, step, answer, envelope, guards, zone, expires_at, not_after)
    answer_by = step.asked(run, zone, answer.position) if step.asks else None
    if until is None and answer_by is None:
        run.move = step.done(run)
        return True
    enrollment.standing = False
    enrollment.tried = answer.position + 1
    if until is not None and (answer_by is None or until < answer_by):
        enrollment.due = until
        detail = {"until": until, "unless": step.fallback_unless}
        run.note("waiting", reason="fallback", detail=detail)
    else:
        enrollment.due = answer_by
        run.note("waiting", reason="answer", detail={"until": answer_by})
    return False


def _turn_of_the_next(
    run: Run,
    step: Send,
    clear: Clear,
    envelope: Envelope,
    guards: Guards,
    seen: Surroundings,
) -> int | None:
    """When another channel takes over; None: it does not, or there is none that could.

    A channel has its time from the decision on, however late this step was reached.
    """
    rest = step.channels[clear.position + 1 :]
    if step.fallback_after is None or not rest:
        return None
    if not guards.reachable(replace(envelope, channels=rest), seen):
        return None
    return add(max(run.draft.at, run.draft.now), step.fallback_after, seen.zone)


def surroundings(draft: Draft, zone: ZoneInfo) -> Surroundings:
    """What the guards see of the customer now."""
    return Surroundings(
        draft.now,
        zone,
        draft.profile,
        draft.addresses,
        draft.consents,
        draft.ledger,
        draft.counters,
        draft.before.created_at,
        draft.surveys,
    )


def _refused(run: Run, step: Send, refusal: Refusal, expires_at: int | None) -> bool:
    """Defer if the author and the time allow it, else suppress."""
    if refusal.until is None:
        return _suppressed(run, step, refusal)
    detail = {**refusal.detail, "until": refusal.until}
    option = {"capped": step.on_capped, "quiet": step.on_quiet}.get(refusal.group)
    if option == "defer":
        if expires_at is None or refusal.until < expires_at:
            run.enrollment.due = refusal.until
            run.note("deferred", reason=refusal.reason, detail=detail)
            return False
        # It won't go because it would be too late then: that is for `on_expired` to say.
        detail["expires_first"] = expires_at
        return _suppressed(run, step, replace(refusal, group="expired", detail=detail))
    return _suppressed(run, step, replace(refusal, detail=detail))


def _suppressed(run: Run, step: Send, refusal: Refusal) -> bool:
    """Record why it isn't sent, and do what the author wants then."""
    run.note("suppressed", reason=refusal.reason, detail=refusal.detail)
    # Who was written to over another channel has not gone without the message.
    if step.after_refusal[refusal.group] == "exit" and not run.enrollment.tried:
        step.done(run)
        run.move = Leave(refusal.reason)
        return True
    return _passed_over(run, step)


def _passed_over(run: Run, step: Send) -> bool:
    """Go on without the message, unless an earlier one is still waited for."""
    run.move = step.passed_over(run)
    return run.move is not None


def _sent(
    run: Run,
    step: Send,
    clear: Clear,
    envelope: Envelope,
    guards: Guards,
    zone: ZoneInfo,
    expires_at: int | None,
    not_after: int | None,
) -> None:
    """Release the message with its variables as of now."""
    draft, enrollment, plan = run.draft, run.enrollment, run.plan
    id = delivery_id(enrollment.id, step.id, enrollment.visit, clear.position)
    variables, missing = bounds.variables(step.variables.resolve(run.scope))
    placement = draft.placement and placements.taken(draft, clear.channel)
    message = SendMessage(
        delivery_id=id,
        customer=draft.customer,
        channel=clear.channel,
        address=clear.address,
        template=step.template,
        variables=variables,
        at=draft.at,
        journey=plan.id,
        version=plan.version,
        step=step.id,
        enrollment=enrollment.id,
        purpose=envelope.purpose,
        topic=envelope.topic,
        expires_at=expires_at,
        test=enrollment.test,
        not_after=not_after,
        locale=_locale(draft.profile),
        zone=zone.key,
        once=step.once,
        placement=placement,
        ask=draft.ask if placement else "",
        survey=envelope.survey,
        asks=step.asks,
    )
    released(draft, guards, message)
    detail: dict[str, Any] = {"delivery_id": id, "channel": clear.channel}
    detail["template"] = step.template
    if placement:
        detail["placement"] = placement
    if envelope.survey:
        detail["survey"], detail["asks"] = envelope.survey, step.asks
    if missing:
        detail["missing"] = missing
    run.note("sent", detail=detail)
    run.released, run.waited = True, 0
    run.sends = (*run.sends, step.id)


def _locale(profile: Mapping[str, Any]) -> str:
    """The customer's locale, `de-CH`, by RFC 5646; empty if the profile has none."""
    value = profile.get("locale")
    if not isinstance(value, str):
        return ""
    locale = value.replace("_", "-")  # as operating systems write it
    return locale if len(locale) <= _LOCALE and _is_locale(locale) else ""


_LOCALE = 35  # characters, as RFC 5646 (4.4.1) wants to be provided for
_is_locale = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*").fullmatch


def released(draft: Draft, guards: Guards, message: SendMessage) -> None:
    """Command the message, and write it into the ledger."""
    draft.commands.append(message)
    draft.sends_left -= 1
    entry = released_of(message, draft.now)
    if message.survey:
        draft.ledger = [*draft.ledger, entry]
        asks = Asking(
            message.asks, message.survey, message.enrollment, test=message.test
        )
        draft.surveys = {**draft.surveys, message.delivery_id: asks}
    elif guards.concerned(entry) or (
        draft.surveys and surveys.is_followed_by(draft, entry)
    ):
        draft.ledger = [*draft.ledger, entry]
    draft.counters = guards.counted(draft.counters, entry, +1)


def released_of(message: SendMessage, now: int) -> Released:
    """A message as the ledger has it."""
    return Released(
        now,
        message.channel,
        message.topic,
        message.journey,
        message.purpose,
        message.delivery_id,
    )
