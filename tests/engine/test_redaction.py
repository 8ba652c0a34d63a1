"""What customers are and do stays out of decision logs, unless somebody marked it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from tests.journeys.test_golden import FILES, Story

from journeykit import (
    Branch,
    Call,
    Cap,
    ConsentDefault,
    Emit,
    Exit,
    Goal,
    Holdout,
    Journey,
    Policies,
    QuietHours,
    ReEntry,
    Repeat,
    Send,
    Start,
    Until,
    Update,
    Wait,
    WaitFor,
    When,
    Window,
    api,
    days,
    entry,
    event,
    hours,
    on,
    profile,
    step,
)
from journeykit.engine.records import lines_of
from journeykit.engine.redaction import KNOWN, redacted
from journeykit.engine.trace import TraceEntry

NOTHING: frozenset[str] = frozenset()
SECRET = "s3cr3t"
SECRET_NUMBER = 0.00031337  # added to numbers, so that comparisons come out the same


def text_of(entry: TraceEntry) -> str:
    return lines_of([entry], customer="log-id", revision=1, now=0).decode()


def leaks(text: str) -> bool:
    return SECRET in text or "31337" in text


# --- every decision of every golden journey -------------------------------------------


def planted(value: Any, authors: str) -> Any:
    """The same value with a secret in it, unless the author of a journey knows it."""
    if isinstance(value, dict):
        return {name: planted(part, authors) for name, part in value.items()}
    if isinstance(value, list):
        return [planted(part, authors) for part in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value if abs(value) > 1e8 else value + SECRET_NUMBER  # or an instant
    # What is a zone, an instant, or compared with a constant leads another way then.
    is_instant = value[:4].isdigit()
    return value if is_instant or value in authors or "/" in value else value + SECRET


def decided(file: Any) -> Iterator[TraceEntry]:
    """What a golden story decides when there is a secret in all that comes in."""
    story = json.loads(file.read_text("utf-8"))
    authors = json.dumps(story["journeys"]) + json.dumps(story.get("policies", {}))
    for stimulus in story["stimuli"]:
        heard = stimulus.get("event", {})
        # Of these the engine itself knows what their properties are: ids and names.
        known = heard.get("name", "").startswith(("message.", "consent.", "call."))
        if "properties" in heard and not known:
            heard["properties"] = planted(heard["properties"], authors)
        if "entry" in stimulus.get("enroll", {}):
            stimulus["enroll"]["entry"] = planted(stimulus["enroll"]["entry"], authors)
    told = Story(story, through_json=False, explain=True)
    told.tell()
    yield from told.decided


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_no_golden_journey_logs_what_it_was_told(file: Any) -> None:
    for item in decided(file):
        assert not leaks(text_of(redacted(item, NOTHING)))


def test_the_golden_journeys_do_show_it_where_nothing_is_hidden() -> None:
    told = [leaks(text_of(item)) for file in FILES for item in decided(file)]

    assert sum(told) > 10


# --- a life in which everything that can be logged holds a secret ---------------------


EVERYTHING = Journey(
    "j",
    trigger=[on("start", where=event.total > 1), on("begin", where=event.total < 1)],
    key=event.order,
    reentry=ReEntry("after_exit", max_entries=9),
    goal=[
        Goal(
            on("paid", where=event.sum > 1),
            id="paid",
            value=event.sum,
            on_goal="continue",
        ),
        Goal(on("paid"), id="fixed", value=5, on_goal="continue"),
    ],
    exit_rules=[on("left", where=event.why == SECRET + "!")],
    steps=[
        Branch([When(entry.total > 1e9)], otherwise=[]),
        Update({"tier": entry.tier, "gone": entry.nothing}),
        Emit("emitted", {"tier": profile.tier}),
        Start("k", {"tier": profile.tier}),
        Exit("over", journey="k", key=entry.order),
        Call("voucher", {"tier": profile.tier}),
        Branch([When(step("call-voucher").result.code == "x")], otherwise=[]),
        Repeat([Wait(hours(1))], times=2, until=profile.name == entry.tier),
        WaitFor([When(on("go", where=event.to == entry.tier))], timeout=hours(9)),
        Wait(Until(time="09:00")),
        Send("sms", "x", variables={"tier": profile.tier, "gone": profile.gone}),
        Send("email", "y"),
        Send("push", "z"),
        Wait(days(30)),
    ],
)
OTHER = Journey(
    "k",
    trigger=api(where=entry.tier != "none"),
    holdout=Holdout(99.99),
    goal=Goal(on("done", where=event.to == entry.tier)),
    steps=[],
)  # fmt: skip
POLICIES = Policies(
    caps=[Cap(0, channel="push")],
    quiet_hours=[QuietHours(Window("09:00", "10:00"))],
    consent=[ConsentDefault("refuse", channel="email")],
)


@pytest.fixture
def life(drive: Any) -> Any:
    """A customer who meets about everything."""
    ada = drive(EVERYTHING, OTHER, policies=POLICIES, explain=True)
    number = 7 + SECRET_NUMBER
    told = {"total": number, "tier": SECRET, "order": SECRET}
    ada.event("profile.updated", tier="x", name=SECRET, zone="Pacific/Chatham")
    ada.event("begin", **told)
    ada.event("start", **told)
    ada.completed({"code": SECRET})
    ada.event("paid", sum=number, order=SECRET)
    ada.event("profile.updated", zone=f"{SECRET}/City")
    ada.until("+3h")
    ada.event("go", to="elsewhere" + SECRET, order=SECRET)
    ada.event("go", to=SECRET, order=SECRET)
    ada.event("left", why=SECRET, order=SECRET)
    ada.until("+5d")
    ada.event("start", **told)
    ada.event("left", why=SECRET + "!", order=SECRET)
    ada.event("start", **told)
    ada.failed(SECRET)
    ada.event("call.completed", call_id=SECRET)
    return ada


def test_no_decision_of_it_leaks(life: Any) -> None:
    for item in life.trace:
        # The exit rule names its constant, and that is its author's.
        shown = text_of(redacted(item, NOTHING)).replace(SECRET + "!", "")
        assert not leaks(shown), item


def test_it_does_meet_about_everything(life: Any) -> None:
    """Lest the test above holds because nothing happens."""
    leaking = {item.kind for item in life.trace if leaks(text_of(item))}

    assert leaking >= {
        *("profile", "unmatched", "entered", "updated", "emitted", "started", "called"),
        *("took_out", "held_out", "branched", "repeated", "went_on", "waiting", "goal"),
        *("exited", "ignored"),
    }


def test_rules_reasons_ids_instants_and_names_stay(life: Any) -> None:
    for item in life.trace:
        shown = redacted(item, NOTHING)
        assert replace(shown, detail={}) == replace(item, detail={})
        for name in ("rule", "until", "missing", "delivery_id", "path", "tried"):
            assert shown.detail.get(name) == item.detail.get(name)


def test_every_field_may_be_marked(life: Any) -> None:
    marked = frozenset(
        f"{root}.{name}"
        for root in ("event", "profile")
        for name in ("total", "tier", "order", "sum", "to", "why", "name", "zone")
    )

    shown = [redacted(item, marked) for item in life.trace]

    assert any(map(leaks, map(text_of, shown)))
    told = {
        name
        for item in shown
        for name, value in item.detail.items()
        if value == KNOWN or (name == "values" and KNOWN in value.values())
    }
    # Keys, and what goes to actions and comes from them, is no field to be marked.
    assert told == {"key", "values", "call_id"}


# --- one by one -----------------------------------------------------------------------


def hides(detail: dict[str, Any], *loggable: str, kind: str = "branched") -> Any:
    shown = redacted(TraceEntry(kind, 0, detail=detail), frozenset(loggable))
    return dict(shown.detail)


def test_a_decision_with_nothing_to_hide_is_the_same() -> None:
    entry = TraceEntry("waiting", 0, detail={"until": 5})

    assert redacted(entry, NOTHING) is entry


def test_a_value_of_a_field_that_is_not_marked_is_known() -> None:
    values = {"event.total": 40, "profile.tier": "gold"}

    assert hides({"values": values}, "event.total") == {
        "values": {"event.total": 40, "profile.tier": "known"}
    }


def test_a_field_of_the_entry_is_one_of_an_event() -> None:
    values = {"entry.total": 40, 'entry["a b"]': 1}

    assert hides({"values": values}, "event.total") == {
        "values": {"entry.total": 40, 'entry["a b"]': "known"}
    }
    assert hides({"values": values}, 'event["a b"]')["values"]['entry["a b"]'] == 1


def test_what_is_in_a_marked_field_may_be_shown_and_a_longer_name_not() -> None:
    values = {"event.cart.total": 40, "event.cart_id": 1}

    assert hides({"values": values}, "event.cart") == {
        "values": {"event.cart.total": 40, "event.cart_id": "known"}
    }


def test_the_words_stay_only_if_each_value_in_them_may_be_shown() -> None:
    detail = {
        "values": {"event.total": 40, "event.tier": "x"},
        "would_hold_if": "event.total (40) were at least 100",
    }

    assert "would_hold_if" not in hides(detail, "event.total")
    assert "would_hold_if" in hides(detail, "event.total", "event.tier")


def test_conditions_that_were_asked_before_are_hidden_too() -> None:
    detail = {"asked": [{"rule": "event.a", "values": {"event.a": 1}}]}

    assert hides(detail) == {
        "asked": [{"rule": "event.a", "values": {"event.a": "known"}}]
    }


def test_the_worth_of_a_goal_is_its_authors_or_a_fields() -> None:
    read = {"value": 40, "of": "event.amount"}

    assert hides({"value": 5}, kind="goal") == {"value": 5}
    assert hides(read, kind="goal") == {"value": "known", "of": "event.amount"}
    assert hides(read, "event.amount", kind="goal") == read


def test_a_zone_of_the_journey_is_no_secret() -> None:
    own = {"zone": "Europe/Rome", "zone_from": "profile"}
    theirs = {"zone": "Europe/Rome", "zone_from": "journey"}

    assert hides(own)["zone"] == "known"
    assert hides(own, "profile.zone") == own
    assert hides(theirs) == theirs


@pytest.mark.parametrize("reason", ["frequency_cap", "max_entries", "no_consent"])
def test_our_own_counts_are_shown(reason: str) -> None:
    kind = "not_entered" if reason == "max_entries" else "suppressed"
    entry = TraceEntry(kind, 0, reason=reason, detail={"values": {"sent": 2}})

    assert redacted(entry, NOTHING) == entry


def test_an_authors_reason_of_that_name_shows_nothing() -> None:
    entry = TraceEntry(
        "exited", 0, reason="max_entries", detail={"values": {"profile.x": 2}}
    )

    assert redacted(entry, NOTHING).detail == {"values": {"profile.x": "known"}}


def test_a_detail_that_nobody_has_thought_of_is_hidden() -> None:
    assert hides({"novelty": "Ada Lovelace"}) == {"novelty": "known"}


def test_the_decision_itself_stays_as_it_was() -> None:
    entry = TraceEntry("branched", 0, detail={"values": {"event.a": 1}})

    redacted(entry, NOTHING)

    assert entry.detail == {"values": {"event.a": 1}}
