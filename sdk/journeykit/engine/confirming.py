"""Runs that begin when a consent is confirmed.

Who enters while nothing of what the journey has to say may be said, and something of it
only because a request is not confirmed yet, waits before the first step. A journey that
may write to them over another channel, or about another topic, begins at once: the guards
then keep back what is not confirmed.
"""

from __future__ import annotations

from typing import Literal

from journeykit.engine.draft import Draft
from journeykit.engine.guards import Guards
from journeykit.engine.limits import CONFIRM_MS
from journeykit.engine.plan import JourneyPlan

Outlook = Literal["open", "pending", "closed"]
"""`open`: something may be said · `pending`: not before a request is confirmed ·
`closed`: nothing may, and nothing is waited for."""


def outlook(draft: Draft, plan: JourneyPlan, guards: Guards) -> Outlook:
    """What a journey's marketing may say to the customer, as far as consent goes."""
    found: set[str] = set()
    for channels, topic in plan.marketing:
        for channel in channels:
            answer = guards.consent.ask(channel, topic, "marketing", draft.consents)
            if not answer.allows:
                found.add(answer.word)
            elif guards.rules_of(channel).address(draft.profile, draft.customer):
                return "open"
            else:
                found.add("unreachable")
    if "pending" in found:
        return "pending"
    return "open" if "unreachable" in found else "closed"


def is_to_wait(draft: Draft, plan: JourneyPlan, guards: Guards) -> bool:
    """Whether somebody who enters now is to wait for a confirmation."""
    if not (draft.consents and plan.waits_for_consent and plan.marketing):
        return False
    if not any(said.pending for said in draft.consents):
        return False
    return outlook(draft, plan, guards) == "pending"


def lapses_at(draft: Draft, plan: JourneyPlan, guards: Guards) -> int:
    """Until when it is waited: the latest request that concerns it is good for so long."""
    requests = [
        answer.consent.at + CONFIRM_MS
        for channels, topic in plan.marketing
        for channel in channels
        if (
            answer := guards.consent.ask(channel, topic, "marketing", draft.consents)
        ).consent
        and answer.word == "pending"
    ]
    return max(requests, default=draft.at)
