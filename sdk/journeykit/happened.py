"""What observer hooks are told of: one frozen value each, without personal data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # listing plugins must not load what the engine is made of
    from journeykit.engine.trace import TraceEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacted:
    """One committed reaction.

    Attributes:
        log_id: By what name logs know the customer.
        revision: The customer's document afterwards.
        stimulus: What it reacted to: an event's name, `enroll`, `remove`, `returned` or
            `wake_up`.
        trace: What was decided.
        commands: How many commands came of it.
        now: The wall clock of the reaction.
    """

    log_id: str
    revision: int
    stimulus: str
    trace: tuple[TraceEntry, ...]
    commands: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of one message or call.

    Attributes:
        delivery_id: The delivery's id, or the call's.
        kind: `message`, `call` or `event` (a published one).
        channel: The channel's name, or the action's.
        provider: Who carried it.
        journey: The journey, and below its step.
        step: See `journey`.
        outcome: `sent`, `failed`, `uncertain`, `returned` or `again`.
        reason: Why it was not sent.
        attempts: How often it was handed over.
        at: When.
        test: Whether it is test traffic.
    """

    delivery_id: str
    kind: str
    channel: str
    provider: str
    journey: str
    step: str
    outcome: str
    reason: str
    attempts: int
    at: datetime
    test: bool = False
