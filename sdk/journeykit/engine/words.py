"""Trace entries in plain words: for timelines, and for who asks why.

Two tables hold everything that is said. `_WORDS` has one fragment for each reason of each
kind, `_DIFFERENTLY` what would have had to differ, where the entry itself doesn't know.
The reason `*` stands for the names that authors give. Within a text `{name}` is a field
of the entry or of its detail, and `[…]` falls away if one of its names isn't known: a
long trace is cut, and then the details go first. `[…|…]` has something else to say then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from journeykit.engine.calendar import to_datetime
from journeykit.engine.limits import (
    ACTIVE_RUNS,
    EMIT_GENERATIONS,
    EMITS_AT_ONCE,
    ENTRY_BYTES,
    HELD,
    HELD_BYTES,
    IDENTIFIERS,
    ITEM_BYTES,
    ITEMS_BYTES,
    LISTS,
    PROFILE_BYTES,
    PROFILE_KEYS,
    SCORES,
)
from journeykit.engine.trace import TraceEntry
from journeykit.model.rules import STEPS_PER_SPRINT

ANY = "*"

_CONDITIONAL = frozenset({"unmatched", "branched", "repeated", "exited"})
_BY_RULES = ("channel_rule", "guard")  # that others have written
_WRITTEN = ("profile", "score", "updated", "emitted", "started", "called")

_NOT_SENT = {
    "expired": "too late[, it {rule}]",
    "suppression_list": "the address is suppressed[: {rule}]",
    "no_consent": "no consent[, {rule}]",
    "no_address": "no address[ for {channel}]",
    "channel_rule": "[{channel}|the channel] does not take it[: {rule}]"
    "[, as its rule fails: {failed}]",
    "bounce_cool_down": "the address rests after a bounce[ until {until}]",
    "guard": "[the guard {guard}|a guard] refuses it[: {rule}]"
    "[, as it fails: {failed}]",
    "frequency_cap": "[{cap}: {count}|a cap][; the next could have gone at {until}]",
    "quiet_hours": "[{rule}|quiet hours]",
    "open_hours": "outside of open hours[, {rule}]",
    "closed_day": "a closed day[, {rule}]",
}

_LOST = "not delivered[, {template}][ by {channel}]:"

_WORDS: dict[str, dict[str, str]] = {
    "ignored": {
        "duplicate": "ignored what was handled before",
        "too_late": "[{event}|an event] came too late to move a journey",
        "no_api_trigger": "ignored a call: [{journey}|the journey] takes none",
        "malformed_consent": "ignored a consent that says neither yes nor no",
        "stale_consent": "ignored a yes that was said before the latest no",
        "granted_already": "ignored a request: the customer has said yes to that",
        "nothing_to_confirm": "ignored a confirmation: nothing waits for one",
        "automated": "ignored [{event}|what a machine did]: a machine did it",
        "answered": "ignored an answer: the survey was answered before",
        "profile_too_large": "ignored an emitted event: the profile would get too large",
        "unknown_address": "ignored a report on an address that isn't known",
        "late_result": "ignored the result of a call: nobody waits for it",
        "no_such_journey": "ignored a call: there is no journey[ {journey}]",
        "malformed_list": "ignored a list that has no name",
        "too_many_lists": "ignored the list[ {segment}]: the customer is on too many",
        "endless": "went no further[ with {event}]: one thing led to too many others",
        "malformed_score": "ignored a score that has no name or no value",
        "stale_score": "ignored a score[ {rule}] that is older than the one known",
        "too_many_scores": "ignored a score: there are too many",
    },
    "refused": {
        "replay_too_old": "refused: nobody knows any more if it was handled before",
        "profile_too_large": "refused: the profile would get too large",
    },
    "clamped": {"": "an event from the future[, {occurred_at},] counts as now"},
    "profile": {"": "the profile changed[: {written}]"},
    "score": {"": "scored anew[: {written}]"},
    "traits": {"": "[{count}|some] traits were computed again from the archive"},
    "segment": {
        "entered": "came into the segment[ {segment}]",
        "left": "left the segment[ {segment}]",
    },
    "stage": {
        "none": "is in no stage any more[, was in {from}]",
        ANY: "is in stage {reason} now[, was in {from}]",
    },
    "judged": {
        "": "judged by new definitions[; in: {in}][; no longer in: {out}][; stage {stage}]",
        "imported": "judged by the past that was imported[; in: {in}]"
        "[; no longer in: {out}][; stage {stage}]",
        "merged": "is what the other customer was[; in: {in}][; stage {stage}]",
    },
    "consent": {
        "granted": "said yes[ to {about}][, {source}]",
        "withdrawn": "said no[ to {about}][, {source}]",
        "requested": "asked[ for {about}][, {source}], which is not confirmed yet",
        "confirmed": "confirmed[ {about}][, {source}]",
    },
    "address": {
        "bounced": "the[ {channel}] address bounced and rests",
        "hard_bounce": "the[ {channel}] address is suppressed: a hard bounce",
        "complaint": "the[ {channel}] address is suppressed: a complaint",
        "suppressed": "the[ {channel}] address is suppressed[: {rule}]",
        "restored": "the[ {channel}] address is no longer suppressed, nor rests",
    },
    "identity": {
        "linked": "is known by another name from now on[: {kinds_told}]",
        "conflict": "an identifier is somebody else's[: {kinds_told}]; nobody is merged",
        "full": "has too many identifiers to be known by another one[: {kinds_told}]",
        "merged": "became part of another customer[, with {active} runs]",
        "absorbed": "took in another customer[, with {active} runs]",
    },
    "removed": {"": "was taken out of the journey: triggers enter them no more"},
    "not_entered": {
        "paused": "did not enter: the journey is paused",
        "stopped": "did not enter: the journey is stopped",
        "draft": "did not enter: the journey is a draft",
        "closed": "did not enter: the journey is closed",
        "not_started": "did not enter: the journey has not started yet",
        "journey_ended": "did not enter: the journey has ended",
        "removed": "did not enter: the customer was taken out of the journey",
        "key_missing": "did not enter: the event lacks the journey's key",
        "exit_rule": "did not enter: an exit rule holds already",
        "entered_before": "did not enter: once only[, and that was {last_in}]",
        "already_in": "did not enter: inside already[ since {since}]",
        "cooldown": "did not enter: shut[ for {rule}] after the last exit",
        "max_entries": "did not enter: [all {rule} entries are used up|too many entries]",
        "entry_too_large": "did not enter: the event says too much",
        "too_many_enrollments": "did not enter: too many runs are open",
        "not_in_segment": "did not enter: not in the segment[ {segment}]",
        "condition": "did not enter: the trigger's condition does not hold",
        "launched_before": "did not enter: has been in the journey before its launch",
        "unique_missing": "did not enter: lacks what has to be unique",
        "not_unique": "did not enter: somebody else of the same value has",
        "claim_failed": "did not enter: nobody could say whether it is the only one",
    },
    "claiming": {"": "asks whether nobody else of the same value has entered"},
    "unmatched": {
        "condition": "no entry: the trigger's condition does not hold",
        "pattern": "no entry: the trigger's pattern does not match[, by {rule}]",
        "goal": "no goal: its condition does not hold",
        "exit_rule": "no exit: the rule's condition does not hold",
    },
    "counted": {
        "": "on the way in[: {done} of {of}][, over at {until}]",
        "undone": "on the way in, what had come is undone[: {done} of {of} are left]",
    },
    "entered": {"": "entered"},
    "held_out": {"": "held out: gets nothing, to measure what the journey does"},
    "waiting": {
        "": "waits [until {until}|for something to happen]",
        "fallback": "waits[ until {until}] for word that it was [{unless}|received]",
        "answer": "waits[ until {until}] for the answer[: the {channel} message has arrived]",
    },
    "fell_back": {
        "timeout": "turns to the next channel: no such word[ of the {channel}] in time",
        "bounced": "turns to the next channel: the[ {channel}] message bounced",
        "rejected": "turns to the next channel: the[ {channel}] message was rejected",
        "failed": "turns to the next channel: the[ {channel}] message failed",
        "not_sent": "turns to the next channel: the[ {channel}] message did not go in time",
    },
    "went_on": {
        "due": "the wait is over",
        "past": "the instant to wait for has passed[: {so}]",
        "missing": "the instant to wait for is missing[: {so}]",
        "event": "[{event}|what it waits for] happened",
        "condition": "what it waits for holds",
        "timeout": "the time is up",
        "completed": "the action is done[: {written}]",
        "failed": "the action failed[: {why}]",
        "collected": "collected [{count}|what came][, and lists {listed} of them]",
        "confirmed": "begins: what it waited for is confirmed",
        "answered": "answered[: {written}]",
        "not_asked": "nobody was asked: the[ {channel}] message did not arrive",
    },
    "branched": {
        "path": "took path[ {number}]",
        "otherwise": "took the other way: no condition holds",
    },
    "split": {ANY: "took arm {reason}[, {known}]"},
    "updated": {"": "wrote to the profile[: {written}]"},
    "emitted": {ANY: "let {reason} happen"},
    "started": {ANY: "lets the customer enter {reason}[: {written}]"},
    "took_out": {
        ANY: "[{missing} is missing, so nobody leaves|lets the customer leave]"
        "[ the run {key} of] {reason}"
    },
    "repeated": {
        "round": "begins [round {rounds} of {times}|another round]",
        "until": "goes on[ after {rounds} rounds]: its condition holds",
        "times": "goes on[ after {rounds} rounds]",
    },
    "called": {ANY: "called {reason}[: {written}]"},
    "collected": {
        "listed": "collected the event[, the {nth}]",
        "counted": "counted the event[, the {nth}], without listing it",
        "taken_back": "took an event back[, {count} are left]",
    },
    "sent": {"": "sent[ {template}][ by {channel}][, {after}]"},
    "deferred": {
        "catch_up": "holds the message back: one before it has only just gone",
        "frequency_cap": "holds the message back[ until {until}]: [{cap}|a cap]",
        "quiet_hours": "holds the message back[ until {until}]: [{rule}|quiet hours]",
        "open_hours": "holds the message back[ until {until}]: [{rule}|closed]",
        "closed_day": "holds the message back[ until {until}]: a closed day",
        "pace": "the message came back[ until {until}]: too many at once",
        "retry": "the message came back[ until {until}]: the provider did not take it",
        "breaker": "the message came back[ until {until}]: the channel is down",
        "paused": "the message came back[ until {until}]: its journey is paused",
        "late": "the message came back[ until {until}]: it may not go so late unasked",
        "no_channel": "the message came back[ until {until}]: nobody carries it",
    },
    "suppressed": {
        **{name: f"not sent: {text}" for name, text in _NOT_SENT.items()},
        "loop": "not sent: this step has sent one just now",
        "run_ended": "not sent after all: its run has ended",
        "held_full": "not sent after all: too many messages came back",
    },
    "undelivered": {
        "content": f"{_LOST} there was nothing that could be sent",
        "same_address": f"{_LOST} somebody else has got it at that address",
        "gave_up": f"{_LOST} its provider did not take it, however often it was asked",
        "bounced": f"{_LOST} it bounced",
        "rejected": f"{_LOST} the provider did not send it",
        "failed": f"{_LOST} the provider refused it, or could not deliver it",
    },
    "parked": {
        "paused": "stops here: the journey is paused",
        "unconfirmed": "waits[ until {until}] for a consent to be confirmed",
    },
    "goal": {ANY: "reached {reason}[, worth {value}][ {after_end}]"},
    "completed": {"": "completed"},
    "exited": {
        "stopped": "left: the journey was stopped",
        "removed": "left: taken out of the journey",
        "restarted": "left: it starts anew",
        "merged": "left: after a merge another run of the journey goes on",
        "goal_reached": "left: the goal is reached",
        "journey_ended": "left: the journey has ended",
        "instant_past": "left: the instant to wait for has passed",
        "instant_missing": "left: the instant to wait for is missing",
        "step_deleted": "left: its step is gone",
        "removed_by_journey": "left: a step of another run ended it",
        "left_segment": "left: not in the segment[ {segment}] any more",
        "call_failed": "left: the action failed, or took too long",
        "undetermined": "left: nobody knows what the action would have done",
        "nothing_collected": "left: there was nothing to collect",
        "not_confirmed": "left: the consent was not confirmed",
        **{
            name: f"left: a message was not sent ({name.replace('_', ' ')})"
            for name in _NOT_SENT
        },
        "exit": "left by an Exit step",
        "exit_rule": "left: an exit rule is met[, {event} happened]",
        ANY: "left: {reason}[, {event} happened]",
    },
    "failed": {
        "step_limit": f"failed: more than {STEPS_PER_SPRINT} steps without a wait",
        "emit_limit": "failed: its events cause too many others",
        "profile_too_large": "failed: the profile would get too large",
    },
    "forgotten": {
        "seen": "forgot an event that was handled[ ({received_at})]: too many of late",
        "profile": "left out [{count}|some] attributes of who was merged: too many",
        "consent": "forgot a consent[ to {topic}]: too many topics",
        "address": "forgot the state of an address: too many addresses",
        "ledger": "forgot the oldest messages: more than caps may count",
        "key": "forgot the oldest key[ of {journey}]: too many keys",
        "goal_watch": "forgot the oldest goal[ of {journey}] that was watched: too many",
        "journey": "forgot that the customer was ever in [{journey}|a journey]: too many",
        "progress": "forgot the oldest way to [{trigger}|a trigger]: too many",
        "trace": "the trace was too long: the details are gone[, and {lost} entries]",
    },
}

_WAITED = "It could have gone [at {until}|when they end], with on_quiet='defer'"
_EXPIRES = "[, but would have expired before that, at {expires_first}]"

_DIFFERENTLY: dict[str, dict[str, str]] = {
    "ignored": {
        "duplicate": "A new event needs a new id.",
        "too_late": "Policies' max_age says how late an event may come.",
        "no_api_trigger": "It needs trigger=api().",
        "malformed_consent": "A yes needs granted: true; channel and topic are names, "
        "the purpose is marketing or transactional.",
        "stale_consent": "To undo a no, a yes has to be said after it.",
        "nothing_to_confirm": "It takes a consent.requested that was not answered yet.",
        "automated": "Only what people do counts.",
        "answered": "The first answer to a message counts.",
        "profile_too_large": f"A profile holds {PROFILE_KEYS} attributes and "
        f"{PROFILE_BYTES // 1024} KB.",
        "unknown_address": "The event needs a channel, and an address unless the "
        "profile has it.",
        "late_result": "A Call's timeout says how long its result is waited for.",
        "no_such_journey": "The catalog holds no journey of this name.",
        "malformed_list": "The event needs `list`, the name of a static list.",
        "too_many_lists": f"One customer may be on {LISTS} static lists.",
        "endless": "Triggers, segments and steps start each other in a circle; a "
        "condition would have had to end it.",
        "malformed_score": "A score is a number or a short name, and is called as a "
        "trait is.",
        "stale_score": "By occurred_at, what is known was said later.",
        "too_many_scores": f"A customer has {SCORES} scores at most.",
    },
    "refused": {
        "replay_too_old": "It came in at {received_at}; 48 hours later is too late.",
        "profile_too_large": f"A profile holds {PROFILE_KEYS} attributes and "
        f"{PROFILE_BYTES // 1024} KB.",
    },
    "clamped": {"": "It came in at {to}; more than 5 minutes ahead is a mistake."},
    "identity": {
        "conflict": "Two people who are both known are merged by "
        "`journeykit identities merge` only.",
        "full": f"A customer has {IDENTIFIERS} identifiers at most.",
    },
    "removed": {"": "An enroll call would let them in again."},
    "not_entered": {
        "paused": "The journey would have to be live.",
        "stopped": "The journey would have to be live.",
        "draft": "The journey would have to be live.",
        "closed": "The journey would have to be live.",
        "removed": "An enroll call would let them in again.",
        "not_in_segment": "keep_while_in_segment takes only who is in it.",
        "not_started": "It would have had to come at or after the journey's starts_at.",
        "journey_ended": "It would have had to come before the journey's ends_at.",
        "key_missing": "The event would have had to carry what the journey's key names.",
        "entered_before": "Re-entry would have to be other than 'never'.",
        "already_in": "The run[ of {since}] would have had to end first, or re-entry "
        "to be 'always' or 'restart'.",
        "cooldown": "From {until} on it would have entered.",
        "launched_before": "A launch is for who has never been in; an event or a call "
        "lets them in again.",
        "unique_missing": "The customer would have had to have what `unique` names.",
        "not_unique": "The customer would have had to be the first of that value.",
        "claim_failed": "The action `claim` would have had to answer in time.",
        "max_entries": "An entry less would have left room; max_entries is {rule}.",
        "entry_too_large": "The fields of the event that the journey names may take "
        f"{ENTRY_BYTES} bytes.",
        "too_many_enrollments": f"One customer may be in {ACTIVE_RUNS} runs at once.",
    },
    "waiting": {
        "": "By the clock of {zone}, {whose}.",
        "fallback": "fallback_after says how long; then the next channel has its turn.",
        "answer": "within says how long, from the first message on.",
    },
    "fell_back": {
        "timeout": "fallback_unless says what word it takes.",
        "bounced": "The next channel has its turn at once.",
        "rejected": "The next channel has its turn at once.",
        "failed": "The next channel has its turn at once.",
        "not_sent": "It was given up before the time of its channel was over.",
    },
    "went_on": {
        "past": "on_past says what follows, here {option}.",
        "missing": "on_missing says what follows, here {option}.",
        "timeout": "Nothing of what it waited for came in time.",
        "failed": "on_error says what follows.",
        "not_asked": "otherwise says what follows.",
    },
    "collected": {
        "counted": f"An item may take {ITEM_BYTES} bytes, all of them {ITEMS_BYTES}; "
        "max_items says how many there may be.",
    },
    "deferred": {
        "catch_up": "Two messages of one run that have a wait between them never go at "
        "once, however late it is.",
        "frequency_cap": "All guards are asked again then.",
        "quiet_hours": "All guards are asked again then.",
        "open_hours": "All guards are asked again then.",
        "closed_day": "All guards are asked again then.",
        "pace": "All guards are asked again then.",
        "retry": "All guards are asked again then.",
        "breaker": "All guards are asked again then.",
        "paused": "All guards are asked again then.",
        "late": "All guards are asked again then.",
        "no_channel": "All guards are asked again then.",
    },
    "suppressed": {
        "expired": "It would have had to go before {expired_at}.",
        "suppression_list": "Nothing goes to this {channel} address any more.",
        "no_consent": "It takes a consent.changed with granted: true[ for {about}].",
        "no_address": "The profile would have had to hold an address for {channel}.",
        "channel_rule": "[A rule that fails refuses: its plugin has a fault, {failed}."
        "|It is a rule of whoever carries {channel}.]",
        "bounce_cool_down": "It would have had to go at {until} or later.",
        "guard": "[A guard that fails refuses: its plugin has a fault, {failed}."
        "|It is a rule of the plugin's; it may have settings.]",
        "loop": "The run came back without a wait; a step sends one message at a time.",
        "run_ended": "Who leaves a journey early gets none of its held messages.",
        "held_full": f"A document holds {HELD} messages and {HELD_BYTES // 1024} KB of "
        "them.",
        "frequency_cap": "[With on_capped='defer' it would have expired first, at "
        "{expires_first}.|One message less would have left room; on_capped='defer' "
        "waits for it.]",
        "quiet_hours": f"{_WAITED}{_EXPIRES}.",
        "open_hours": f"{_WAITED}{_EXPIRES}.",
        "closed_day": f"{_WAITED}{_EXPIRES}.",
    },
    "undelivered": {
        "content": "[It was noted: {why}.|A template and its variables have to make a "
        "message; check and preview say if they don't.]",
        "same_address": "once_per_address=False would have let it go to each of them.",
        "gave_up": "[It was noted: {why}.]",
        "bounced": "[It was noted: {why}.]",
        "rejected": "[It was noted: {why}.]",
        "failed": "[It was noted: {why}.]",
    },
    "exited": {
        "restarted": "Re-entry is 'restart': a new entry ends the run before.",
        "merged": "Two customers turned out to be one, who may be in the journey once.",
        "goal_reached": "on_goal='continue' would have let it go on.",
        "instant_past": "on_past='proceed' would have let it go on.",
        "instant_missing": "on_missing='proceed' would have let it go on.",
        "step_deleted": "The version that it runs on has no such step.",
        "removed_by_journey": "It was an Exit with this journey's id.",
        "call_failed": "on_error='continue' would have let it go on.",
        "undetermined": "A simulation takes what actions come to from its calls.",
        "nothing_collected": "on_empty='proceed' would have let it go on.",
        "not_confirmed": "on_unconfirmed='proceed' would have let it begin at once.",
    },
    "failed": {
        "step_limit": "The journey goes in a circle: it needs a wait.",
        "emit_limit": f"At most {EMIT_GENERATIONS} events and starts cause one another, "
        f"and {EMITS_AT_ONCE} at once.",
        "profile_too_large": f"A profile holds {PROFILE_KEYS} attributes and "
        f"{PROFILE_BYTES // 1024} KB.",
    },
}

_FOLLOWS = {
    "proceed": "goes on",
    "skip_step": "passes over the next step",
    "exit": "leaves",
}
_WHOSE = {
    "profile": "the customer's",
    "journey": "the journey's, since the customer's isn't known",
    "default": "since neither the customer's nor the journey's is known",
}
INSTANTS = frozenset(
    "until since last_in expired_at expires_first occurred_at received_at to".split()  # noqa: SIM905 - reads better
)
"""The names under which a detail holds an instant, if it is a number."""

REASONS: dict[str, tuple[str, ...] | None] = {
    kind: None if ANY in reasons else tuple(reasons) for kind, reasons in _WORDS.items()
}
"""Every kind of decision with its reasons; None where authors name them."""

_SHOWN = 6  # values of a long list, in words
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


def words_of(entry: TraceEntry, *, zone: tzinfo | None = None) -> str:
    """One decision as a fragment of a sentence: `not sent: quiet 21:00-08:00`.

    Args:
        entry: The decision.
        zone: Whose clock the instants are told by; UTC, and said so, if not given.

    Raises:
        KeyError: No engine of this release decides that.
    """
    reasons = _WORDS[entry.kind]
    reason = entry.reason if entry.reason in reasons else ANY if ANY in reasons else ""
    return _filled(reasons[reason], _known(entry, zone))


def explanation_of(entry: TraceEntry, *, zone: tzinfo | None = None) -> list[str]:
    """What there is to say beneath the words: rule, values, what would have to differ.

    Args:
        entry: The decision; only a reaction that explains leaves the values in it.
        zone: Whose clock the instants are told by; UTC, and said so, if not given.
    """
    detail = entry.detail
    lines: list[str] = []
    if entry.kind in _CONDITIONAL or entry.reason in ("condition", "exit_rule"):
        for asked in (*detail.get("asked", ()), detail):
            lines += _condition(asked)
    elif entry.reason in _BY_RULES and detail.get("values"):
        lines.append(f"Saw: {_listed(detail['values'], ' = ')}.")
    elif entry.kind in ("entered", "held_out") and detail.get("values"):
        lines.append(f"Kept of the event: {_listed(detail['values'], ' = ')}.")
    elif entry.kind in ("sent", *_WRITTEN) and detail.get("missing"):
        lines.append(f"Left out, because missing: {', '.join(detail['missing'])}.")
    if detail.get("tried"):
        lines.append(f"Tried {_listed(detail['tried'], ': ').replace('_', ' ')}.")
    differently = _DIFFERENTLY.get(entry.kind, {}).get(entry.reason, "")
    return [*lines, *filter(None, [_filled(differently, _known(entry, zone))])]


def instant_in_words(instant: int, *, zone: tzinfo | None = None) -> str:
    """An instant as people read it: `2026-06-08 09:00`, with ` UTC` if without a zone."""
    at = to_datetime(instant)
    return (
        f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if zone else f"{at:%Y-%m-%d %H:%M} UTC"
    )


def _condition(detail: Mapping[str, Any]) -> list[str]:
    """A condition, what it saw, and what would have had to differ."""
    rule, values, differently = map(detail.get, ("rule", "values", "would_hold_if"))
    if not isinstance(rule, str):
        return []
    lines = [f"Condition: {rule}"]
    if values:
        lines.append(f"Saw: {_listed(values, ' = ')}.")
    if differently:
        lines.append(f"{differently}.")
    elif detail.get("missing"):
        lines.append(f"Missing: {', '.join(detail['missing'])}.")
    return lines


def _known(entry: TraceEntry, zone: tzinfo | None) -> dict[str, str]:
    """The names that a text may use, those without a value left out."""
    detail = entry.detail
    known = {
        "journey": entry.journey,
        "reason": entry.reason,
        **{name: str(value) for name, value in detail.items() if value is not None},
    }
    for name in INSTANTS & detail.keys():
        if isinstance(detail[name], int):
            known[name] = instant_in_words(detail[name], zone=zone)
    return {name: text for name, text in {**known, **_told(entry)}.items() if text}


def _told(entry: TraceEntry) -> dict[str, str]:
    """What a detail says in other words; an empty text for what it doesn't say."""
    detail, told = entry.detail, {}
    if entry.kind in _WRITTEN or entry.reason == "completed":
        shown = detail.get("values")
        told["written"] = _listed(shown, " = ") if shown else _names(detail)
    if detail.get("kinds"):
        told["kinds_told"] = ", ".join(detail["kinds"])
    if entry.kind == "consent" and detail:
        told["about"] = _about(detail)
    if entry.reason == "no_consent" and detail:
        told["about"] = _about(detail.get("values") or detail)
    if entry.reason == "frequency_cap" and "values" in detail:
        sent = detail["values"]["sent"]
        told["cap"] = _cap(detail["rule"])
        told["count"] = f"{sent} {'was' if sent == 1 else 'were'} sent"
    if entry.reason == "suppression_list" and "rule" in detail:
        told["rule"] = detail["rule"].replace("_", " ")
    if "zone_from" in detail:
        told["whose"] = _WHOSE[detail["zone_from"]]
        if "not_a_zone" in detail:
            wrong = f"for the customer's, {detail['not_a_zone']!r}, is none"
            told["whose"] = f"{told['whose'].partition(',')[0]}, {wrong}"
    if detail.get("held"):
        told["after"] = "after it came back"
    if detail.get("known"):
        told["known"] = "as before"
    if detail.get("after_end"):
        told["after_end"] = "after its end"
    if "so" in detail:
        told |= {"so": _FOLLOWS[detail["so"]], "option": repr(detail["so"])}
    if entry.reason == "collected" and detail.get("listed") == detail.get("count"):
        told["listed"] = ""  # all of them: nothing to say
    if entry.kind == "collected" and "count" in detail:
        told["nth"] = _nth(detail["count"])
    if "path" in detail:
        told["number"] = str(detail["path"] + 1)
    if entry.reason == "trace" and detail.get("entries", 0) > detail.get("kept", 0):
        told["lost"] = str(detail["entries"] - detail["kept"])
    return told


def _nth(number: int) -> str:
    """`1st`, `22nd`, `13th`."""
    tens, ones = divmod(number % 100, 10)
    return f"{number}{'th' if tens == 1 else _ORDINALS.get(ones, 'th')}"


def _names(detail: Mapping[str, Any]) -> str:
    names = detail.get("fields", ())
    return ", ".join([*names[:_SHOWN], "…"] if len(names) > _SHOWN else names)


def _listed(values: Mapping[str, Any], between: str) -> str:
    """`event.total = 3, profile.tier = "gold"`; a plain text after a colon stays bare."""
    items = list(values.items())
    texts = [
        f"{name}{between}{value if between == ': ' else json.dumps(value, ensure_ascii=False)}"
        for name, value in items[:_SHOWN]
    ]
    return ", ".join([*texts, "…"] if len(items) > _SHOWN else texts)


def _about(said: Mapping[str, Any]) -> str:
    """What a consent is about: `email, news, marketing`; nothing named means all."""
    parts = (said.get(name) for name in ("channel", "topic", "purpose"))
    return ", ".join(part for part in parts if part) or "everything"


def _cap(rule: str) -> str:
    """A cap's rule with its scope in words: `at most 2 within 24h (all channels)`."""
    limit, _, scope = rule.rstrip(")").partition(" (")
    channel, topic, journey, purpose = scope.split("|")
    parts = [
        "" if channel == ANY else f"by {channel}",
        "" if topic == ANY else f"about {topic}",
        "" if journey == ANY else f"from {journey}",
        # Caps are about marketing unless they say otherwise.
        {"marketing": "", "all": "any purpose"}.get(purpose, purpose),
    ]
    told = ", ".join(part for part in parts if part) or "all channels"
    return f"{limit} ({told})"


_optional = re.compile(r"\[([^\[\]|]*)(?:\|([^\[\]]*))?\]")
_name = re.compile(r"\{(\w+)\}")


def _filled(text: str, known: Mapping[str, str]) -> str:
    """Put the names' values in, and drop what lacks one; empty if that is all of it."""

    def chosen(match: re.Match[str]) -> str:
        wanted, instead = match[1], match[2] or ""
        return wanted if known.keys() >= set(_name.findall(wanted)) else instead

    text = _optional.sub(chosen, text)
    if not known.keys() >= set(_name.findall(text)):
        return ""
    return _name.sub(lambda match: known[match[1]], text)
