"""The trace: what the engine decided about runs and messages, and why.

The kinds of entry, in the order in which a run can meet them:

=============  ==================================================================
`ignored`      the stimulus moved nothing (`reason`: duplicate, too_late, …)
`refused`      the stimulus was not accepted (`reason`: profile_too_large, …)
`clamped`      an event from the future counts as now
`profile`      the profile changed
`score`        a score of the customer was computed
`traits`       traits were computed again from the archive
`segment`      the customer has come into a segment, or left it (`reason`: entered, left)
`stage`        the lifecycle stage is another one (`reason`: the new stage, or none)
`judged`       the customer was judged by new definitions of segments and stages, by an
               imported past, or together with somebody they took in (`reason`)
`consent`      a consent was given or withdrawn, requested or confirmed (`reason`)
`address`      an address was suppressed or restored, or rests after a bounce (`reason`)
`identity`     the customer is known by another name, was merged into somebody, took
               somebody in, or shares a name with somebody (`reason`)
`removed`      a call took the customer out of a journey, for good
`not_entered`  a trigger was met, and the customer did not enter (`reason`)
`claiming`     a trigger was met, and it is asked whether somebody else of the same value
               has entered; the command is in the reaction
`unmatched`    an event had the right name and failed the condition (explained runs)
`counted`      one of several events that a trigger asks for (explained runs); or what had
               come of them is undone (`reason`: undone)
`entered`      an enrollment started
`held_out`     an enrollment started that gets nothing, to measure the lift
`waiting`      the enrollment waits at a step; `until` says how long
`fell_back`    a Send turns to its next channel (`reason`: timeout, bounced, rejected,
               failed, not_sent)
`went_on`      a wait ended (`reason`: due, past, missing, event, condition, timeout,
               completed, failed, collected, confirmed, answered, not_asked)
`branched`     a Branch took a path
`split`        a Split took an arm
`updated`      an Update wrote to the profile
`emitted`      an Emit let an event happen
`started`      a Start lets the customer enter another journey
`took_out`     an Exit ends runs of another journey
`repeated`     a Repeat began a round, or ended (`reason`: round, until, times)
`called`       a Call asked for an action; the command is in the reaction
`collected`    a Collect took an event, or took one back (explained runs)
`sent`         a message was released; the command is in the reaction
`deferred`     a message waits at its step for `until` (`reason`: the guard), or it came
               back and is held until then (`reason`: pace, retry, breaker)
`suppressed`   a message was not sent (`reason`: the guard), the customer goes on
`undelivered`  a message that was released did not arrive (`reason`: content, same_address,
               gave_up, bounced, rejected, failed)
`parked`       the journey is paused: the enrollment stays before its next step, a
               message that came back stays held; or it has yet to begin, since a consent
               is not confirmed (`reason`: paused, unconfirmed)
`goal`         a goal was reached
`completed`    the enrollment came to the end of its steps
`exited`       the enrollment ended early (`reason`)
`failed`       the enrollment ended by a fault (`reason`: step_limit, emit_limit, …)
`forgotten`    a bound of the document made it forget something old (`reason`)
=============  ==================================================================
"""

from __future__ import annotations

from typing import Any

import msgspec


class TraceEntry(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """One decision.

    Attributes:
        kind: What happened; the module lists the kinds.
        at: The instant on the customer's path, milliseconds.
        journey: Whose decision it was, and below the version, run and step.
        version: See `journey`.
        enrollment: See `journey`.
        step: See `journey`.
        reason: Why, as one word that can be counted.
        detail: What it was decided on: rule, values, what would have had to differ.
        test: Whether test traffic brought it about, which no figure counts.
    """

    kind: str
    at: int
    journey: str = ""
    version: int = 0
    enrollment: str = ""
    step: str = ""
    reason: str = ""
    detail: dict[str, Any] = {}
    test: bool = False
