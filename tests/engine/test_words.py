"""Every decision has words, and the engine's own source says which decisions there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from journeykit.engine import facts, trace, words
from journeykit.engine.catalog import State
from journeykit.engine.steps import LOST
from journeykit.engine.stimuli import ReturnReason
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import explanation_of, words_of

NEW_YORK = ZoneInfo("America/New_York")
NOON = 1_780_833_600_000  # 2026-06-07T12:00:00Z

ENGINE = Path(words.__file__).parent
KINDS = re.findall(r"^`(\w+)`", trace.__doc__ or "", re.MULTILINE)

# What stands in the source where a reason is no literal: the reasons it can be. An empty
# set is an author's own name for something, and must do with any text.
NOT_LITERAL = {
    "state": set(get_args(State)) - {"live"},
    "due.state": {"past", "missing"},
    "reason": {"bounced", "hard_bounce", "complaint", "suppressed", "restored"},
    "which": {"granted", "withdrawn", "requested", "confirmed"},
    "what": {"goal", "exit_rule"},
    "why": {"replay_too_old", "profile_too_large"},
    "lost_by": {*facts.LOST_BY.values(), *facts.OWN_FAILURES, "failed"},
    "part": {"key", "goal_watch", "journey"},
    "unclaimed": {"not_unique", "claim_failed"},
    "*refusal": {"entered_before", "already_in", "cooldown", "max_entries"},
    "goal.id": set[str](),
    "change.name": set[str](),
    "arm": set[str](),
    "how": {"listed", "counted", "taken_back"},
    "cause": {"", "imported", "merged"},
    "because": {"timeout", "not_sent", *LOST},
    "self._name": set[str](),
    "answer.name": set[str](),
    "self._journey": set[str](),
    "item.reason": {"removed_by_journey"},
    "returned.reason": set(get_args(ReturnReason)),
    "self.action": set[str](),
    "rule.reason": set[str](),
    "document['reason']": set[str](),
}
# A refusal's reason is passed on; the refusals themselves are found where they are made.
PASSED_ON = {"refusal.reason", "first.reason"}
# A held-out run does nothing that could be told, and it ends as silently.
NEVER_TRACED = {("exited", "watched")}
AUTHORS = "vip-customers_2"


def texts(node: ast.expr | None) -> set[str]:
    """The texts that an expression can be."""
    if node is None:
        return {""}
    if isinstance(node, ast.Constant):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return texts(node.body) | texts(node.orelse)
    source = ast.unparse(node)
    if source in PASSED_ON:
        return set()
    assert source in NOT_LITERAL, f"which reasons can {source!r} be?"
    return NOT_LITERAL[source] or {AUTHORS}


def decisions() -> Iterator[tuple[str, str]]:
    """Every kind and reason that the engine's source can put into a trace."""
    for path in ENGINE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield from found(name, node)


def found(name: str, call: ast.Call) -> Iterator[tuple[str, str]]:
    """The decisions that one call makes."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    args = call.args
    if name in ("note", "TraceEntry"):
        if isinstance(args[0], ast.Name):  # the functions that pass a kind on
            return
        reason = args[6] if len(args) > 6 else given.get("reason")
        for kind in texts(args[0]):
            yield from ((kind, text) for text in texts(reason))
    elif name in ("_note", "_give_up"):  # of a held message
        kinds, reason = (
            (texts(args[1]), args[3]) if name == "_note" else ({"suppressed"}, args[2])
        )
        if not isinstance(reason, ast.Name):
            yield from ((kind, text) for kind in kinds for text in texts(reason))
    elif name == "not_entered":
        kind = given.get("kind") or (args[4] if len(args) > 4 else None)
        for text in texts(args[2]):
            yield from ((k, text) for k in (texts(kind) if kind else ["not_entered"]))
    elif name == "Leave":
        ended = "failed" if "failed" in given else "exited"
        yield from ((ended, text) for text in texts(args[0]))
    elif name in ("Refusal", "HoursRule"):
        for text in texts(args[0 if name == "Refusal" else 1]):
            yield from (("suppressed", text), ("exited", text))
            if name == "HoursRule" or texts(args[1]) & {"capped", "quiet"}:
                yield "deferred", text


DECISIONS = sorted((set(decisions()) | {("completed", "")}) - NEVER_TRACED)


def test_the_source_yields_the_decisions_that_the_trace_documents() -> None:
    assert {kind for kind, _ in DECISIONS} == set(KINDS)
    assert len(DECISIONS) > 80


@pytest.mark.parametrize(("kind", "reason"), DECISIONS)
def test_every_decision_has_words_of_its_own(kind: str, reason: str) -> None:
    told = words._WORDS[kind]

    assert reason in told or (reason == AUTHORS and "*" in told)


@pytest.mark.parametrize(("kind", "reason"), DECISIONS)
def test_a_decision_whose_details_were_cut_still_has_words(
    kind: str, reason: str
) -> None:
    entry = TraceEntry(kind, NOON, "winback", 1, "e", "s", reason)

    said = [words_of(entry), *explanation_of(entry)]

    assert said[0].strip()
    assert not [text for text in said if re.search(r"[\[\]{}|]|None", text)]


def test_no_words_are_kept_for_what_the_engine_never_decides() -> None:
    known = {
        (kind, AUTHORS if reason == "*" else reason)
        for table in (words._WORDS, words._DIFFERENTLY)
        for kind, reasons in table.items()
        for reason in reasons
    }

    # Not in the source but in the model: what Exit and ExitRule are called by default.
    assert known - set(DECISIONS) <= {("exited", "exit"), ("exited", "exit_rule")}


DETAILS = [
    (
        TraceEntry(
            "suppressed",
            NOON,
            reason="frequency_cap",
            detail={
                "rule": "at most 2 within 24h (*|*|*|marketing)",
                "values": {"sent": 2, "limit": 2},
                "until": NOON + 3_600_000,
            },
        ),
        (
            "not sent: at most 2 within 24h (all channels): 2 were sent; "
            "the next could have gone at 2026-06-07 09:00"
        ),
    ),
    (
        TraceEntry(
            "deferred",
            NOON,
            reason="frequency_cap",
            detail={
                "rule": "at most 1 ever (email|news|winback|all)",
                "values": {"sent": 1, "limit": 1},
                "until": NOON,
            },
        ),
        (
            "holds the message back until 2026-06-07 08:00: "
            "at most 1 ever (by email, about news, from winback, any purpose)"
        ),
    ),
    (
        TraceEntry(
            "suppressed",
            NOON,
            reason="quiet_hours",
            detail={"rule": "quiet 21:00-08:00"},
        ),
        "not sent: quiet 21:00-08:00",
    ),
    (
        TraceEntry(
            "suppressed",
            NOON,
            reason="suppression_list",
            detail={"rule": "hard_bounce", "channel": "email"},
        ),
        "not sent: the address is suppressed: hard bounce",
    ),
    (
        TraceEntry("sent", NOON, detail={"channel": "sms", "template": "nudge"}),
        "sent nudge by sms",
    ),
    (
        TraceEntry("waiting", NOON, detail={"until": NOON}),
        "waits until 2026-06-07 08:00",
    ),
    (TraceEntry("waiting", NOON), "waits for something to happen"),
    (TraceEntry("split", NOON, reason="b"), "took arm b"),
    (
        TraceEntry("split", NOON, reason="b", detail={"known": True}),
        "took arm b, as before",
    ),
    (
        TraceEntry("went_on", NOON, reason="past", detail={"so": "skip_step"}),
        "the instant to wait for has passed: passes over the next step",
    ),
    (
        TraceEntry(
            "not_entered", NOON, reason="already_in", detail={"rule": "", "since": NOON}
        ),
        "did not enter: inside already since 2026-06-07 08:00",
    ),
    (
        TraceEntry(
            "goal", NOON, reason="bought", detail={"value": 9.5, "after_end": True}
        ),
        "reached bought, worth 9.5 after its end",
    ),
    (
        TraceEntry(
            "consent", NOON, reason="withdrawn", detail={"channel": "", "topic": ""}
        ),
        "said no to everything",
    ),
    (
        TraceEntry(
            "exited", NOON, reason="unsubscribed", detail={"event": "plan.cancelled"}
        ),
        "left: unsubscribed, plan.cancelled happened",
    ),
    (
        TraceEntry("profile", NOON, detail={"values": {"plan": "gold", "age": 7}}),
        'the profile changed: plan = "gold", age = 7',
    ),
    (
        TraceEntry("profile", NOON, detail={"fields": ["plan"]}),
        "the profile changed: plan",
    ),
]


@pytest.mark.parametrize(("entry", "said"), DETAILS)
def test_the_details_are_told_on_the_customers_clock(
    entry: TraceEntry, said: str
) -> None:
    assert words_of(entry, zone=NEW_YORK) == said


def test_without_a_zone_the_instants_say_that_they_are_utc() -> None:
    entry = TraceEntry("waiting", NOON, detail={"until": NOON})

    assert words_of(entry) == "waits until 2026-06-07 12:00 UTC"


def test_a_condition_is_explained_by_rule_values_and_what_would_have_to_differ() -> (
    None
):
    entry = TraceEntry(
        "unmatched",
        NOON,
        reason="condition",
        detail={
            "rule": "event.total > 5",
            "values": {"event.total": 3},
            "would_hold_if": "event.total would have had to be > 5 (was 3)",
        },
    )

    assert explanation_of(entry) == [
        "Condition: event.total > 5",
        "Saw: event.total = 3.",
        "event.total would have had to be > 5 (was 3).",
    ]


def test_a_branch_explains_the_paths_that_it_did_not_take() -> None:
    asked = {"rule": "has(profile.phone)", "values": {}, "missing": ["profile.phone"]}
    entry = TraceEntry("branched", NOON, reason="otherwise", detail={"asked": [asked]})

    assert explanation_of(entry) == [
        "Condition: has(profile.phone)",
        "Missing: profile.phone.",
    ]


def test_an_unsent_message_is_explained_by_what_the_author_could_change() -> None:
    entry = TraceEntry(
        "suppressed",
        NOON,
        reason="quiet_hours",
        detail={"rule": "quiet 21:00-08:00", "expires_first": NOON},
    )

    assert explanation_of(entry, zone=NEW_YORK) == [
        (
            "It could have gone when they end, with on_quiet='defer', but would have expired "
            "before that, at 2026-06-07 08:00."
        )
    ]


def test_the_channels_that_were_tried_are_named() -> None:
    entry = TraceEntry(
        "suppressed",
        NOON,
        reason="no_address",
        detail={
            "channel": "push",
            "tried": {"push": "no_address", "sms": "no_consent"},
        },
    )

    assert "Tried push: no address, sms: no consent." in explanation_of(entry)


def test_what_a_run_keeps_of_its_event_is_told() -> None:
    entry = TraceEntry("entered", NOON, detail={"values": {"total": 12.5}})

    assert explanation_of(entry) == ["Kept of the event: total = 12.5."]


def test_a_wait_says_by_whose_clock_it_was_reckoned() -> None:
    known = {"until": NOON, "zone": "Europe/Paris", "zone_from": "profile"}
    entry = TraceEntry("waiting", NOON, detail=known)

    assert explanation_of(entry) == ["By the clock of Europe/Paris, the customer's."]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(values=st.dictionaries(st.text(max_size=12), JSON, max_size=9))
def test_whatever_a_customer_calls_an_attribute_can_be_told(
    values: dict[str, object],
) -> None:
    entry = TraceEntry("profile", NOON, detail={"values": values})

    assert words_of(entry).startswith("the profile changed")
    assert explanation_of(entry) == []
