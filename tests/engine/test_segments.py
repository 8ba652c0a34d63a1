from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    Branch,
    Condition,
    Count,
    DefinitionError,
    Emit,
    Exit,
    Goal,
    Journey,
    Last,
    Segment,
    Send,
    Stage,
    Sum,
    Update,
    Wait,
    WaitFor,
    When,
    api,
    audience_plan,
    consent,
    days,
    event,
    has,
    hours,
    inactive,
    older_than,
    on,
    profile,
    segment,
    trait,
    within_last,
    within_next,
)
from journeykit.engine.consent import ConsentView
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import next_audience

ORDERS = Count("orders", "order.placed")
LAST_ORDER = Last("last_order", "order.placed")
SPENT = Sum("spent", "order.placed", value=event.total)
BUSY = Count("busy", "order.placed", within=days(10))

LOYAL = Segment("loyal", trait.orders >= 2)
LAPSED = Segment("lapsed", older_than(trait.last_order, days(30)))


def entering(name: str, **more: Any) -> Journey:
    return Journey(
        f"on-{name}",
        trigger=on("segment.entered", where=event.segment == name),
        steps=[Send("email", name)],
        **{"reentry": "always", **more},
    )


# --- an event makes it so -----------------------------------------------------------------


def test_the_event_that_makes_a_condition_hold_enters_the_segment(drive):
    ada = drive(entering("loyal"), audience=audience_plan([ORDERS], [LOYAL]))

    assert ada.event("order.placed") == []
    told = ada.event("order.placed", "+1h")

    assert told == ["segment entered", "entered", "sent loyal", "completed"]
    assert ada.customer.segments == {"loyal": ada.ms("+1h")}


def test_crossing_a_threshold_in_and_out_is_entered_and_left_once_each(drive):
    hot = Segment("hot", profile.score >= 10)
    ada = drive(audience=audience_plan([], [hot]))

    for score in (3, 11, 12, 40, 9, 2):
        ada.event("profile.updated", score=score)

    assert ada.reasons("segment") == ["entered", "left"]


def test_what_nobody_reads_of_the_profile_judges_nobody(drive):
    hot = Segment("hot", profile.score >= 10)
    ada = drive(audience=audience_plan([], [hot]))
    ada.event("profile.updated", score=11)

    assert ada.event("profile.updated", name="Ada") == ["profile"]


def test_truth_and_the_number_one_are_told_apart(drive):
    paying = Segment("paying", profile.paying == True)
    ada = drive(audience=audience_plan([], [paying]))
    ada.event("profile.updated", paying=1)

    assert ada.event("profile.updated", paying=True) == ["profile", "segment entered"]


def test_a_segment_can_ask_for_others_whatever_their_order(drive):
    best = Segment("best", (segment.loyal == True) & (segment.rich == True))
    rich = Segment("rich", trait.spent >= 100)
    ada = drive(audience=audience_plan([ORDERS, SPENT], [best, LOYAL, rich]))

    ada.event("order.placed", total=90)
    ada.event("order.placed", total=20)

    assert list(ada.customer.segments) == ["loyal", "rich", "best"]


def test_not_in_another_segment_is_left_on_the_first_event(drive):
    """Case 40: "not E" is left on the first E."""
    never = Segment("never-ordered", ~has(trait.last_order))
    once = Segment("at-most-one", trait.orders <= 1)
    ada = drive(audience=audience_plan([ORDERS, LAST_ORDER], [never, once]))

    assert ada.event("visited") == ["segment entered", "segment entered"]
    assert ada.event("order.placed") == ["segment left"]
    assert ada.event("order.placed") == ["segment left"]
    assert ada.customer.segments == {}


def test_consents_decide_too_and_where_nothing_was_said_there_is_nothing(drive):
    reachable = Segment("reachable", consent.email == True)
    refused = Segment("refused", consent["email:news"] == False)
    ada = drive(audience=audience_plan([], [reachable, refused]))

    ada.event("visited")
    ada.event("consent.changed", channel="email", granted=True)
    assert [*ada.customer.segments] == ["reachable"]
    ada.event("consent.changed", channel="email", topic="news", granted=False)
    assert [*ada.customer.segments] == ["reachable", "refused"]
    ada.event("message.unsubscribed", channel="email")
    assert [*ada.customer.segments] == ["refused"]


def test_a_request_that_is_not_confirmed_is_no_yes(drive):
    reachable = Segment("reachable", consent.email == True)
    ada = drive(audience=audience_plan([], [reachable]))

    ada.event("consent.requested", channel="email")
    assert ada.customer.segments == {}

    assert "segment entered" in ada.event("consent.confirmed", channel="email")


def test_an_update_step_changes_segments_before_the_next_step(drive):
    gold = Segment("gold", profile.tier == "gold")
    promote = Journey(
        "promote",
        trigger=on("won"),
        steps=[
            Update({"tier": "gold"}),
            Branch(
                [When(segment.gold == True, [Send("email", "welcome")])],
                otherwise=[Send("email", "sorry")],
            ),
            Wait(days(1)),
        ],
    )
    ada = drive(promote, entering("gold"), audience=audience_plan([], [gold]))

    ada.event("won")

    assert ada.sent == ["welcome +0s", "gold +0s"]


def test_test_traffic_feeds_no_trait_and_no_segment(drive):
    ada = drive(audience=audience_plan([ORDERS], [LOYAL]))

    for _ in range(3):
        assert ada.event("order.placed", test=True) == []

    assert ada.customer.segments == ada.customer.traits == {}


def test_a_late_event_moves_no_journey_but_who_the_customer_is_today_is_told(drive):
    ada = drive(
        entering("loyal"),
        Journey("orders", trigger=on("order.placed"), steps=[Send("email", "thanks")]),
        audience=audience_plan([ORDERS], [LOYAL]),
    )
    ada.event("order.placed", "+10d")

    told = ada.event("order.placed", "+10d", occurred="+1d")

    assert told[:2] == ["segment entered", "ignored too_late"]
    assert ada.sent == ["thanks +240h", "loyal +240h"]


def test_a_test_run_that_enters_a_segment_starts_test_runs(drive):
    hot = Segment("hot", profile.score >= 10)
    waiting = entering("hot")
    waiting = Journey("w", trigger=waiting.triggers[0], steps=[Wait(days(1))])
    ada = drive(waiting, audience=audience_plan([], [hot]))

    ada.event("profile.updated", test=True, score=11)

    assert ada.run.test


# --- time makes it so ---------------------------------------------------------------------


def test_a_segment_flips_by_itself_when_only_time_passes(drive):
    ada = drive(entering("lapsed"), audience=audience_plan([LAST_ORDER], [LAPSED]))
    ada.event("order.placed")
    assert ada.due_in == "+720h"

    ada.until("+31d")

    assert ada.sent == ["lapsed +720h"]
    assert ada.due is None


def test_what_happens_in_between_moves_the_flip(drive):
    ada = drive(entering("lapsed"), audience=audience_plan([LAST_ORDER], [LAPSED]))
    ada.event("order.placed")

    ada.until("+20d")
    ada.event("order.placed", "+20d")
    ada.until("+49d")
    assert ada.sent == []
    ada.until("+51d")

    assert ada.sent == ["lapsed +1200h"]


def test_an_event_in_the_last_second_comes_before_the_flip(drive):
    ada = drive(entering("lapsed"), audience=audience_plan([LAST_ORDER], [LAPSED]))
    ada.event("order.placed")

    ada.event("order.placed", "+30d")
    ada.wake("+30d")

    assert ada.sent == []
    assert ada.reasons("segment") == []


def test_a_late_wake_up_fires_each_flip_at_its_own_instant(drive):
    recent = Segment("recent", within_last(trait.last_order, days(2)))
    ada = drive(audience=audience_plan([LAST_ORDER], [recent, LAPSED]))
    ada.event("order.placed")

    ada.wake("+90d")

    at = [(entry.reason, entry.at) for entry in ada.trace if entry.kind == "segment"]
    assert at == [
        ("entered", ada.ms("+0s")),
        ("left", ada.ms("+2d")),
        ("entered", ada.ms("+30d")),
    ]


def test_days_are_those_of_the_customers_calendar(drive):
    """The clocks in Berlin go back on 25 October 2026, so the day has 25 hours."""
    fresh = Segment("fresh", within_last(trait.last_order, days(1)))
    ada = drive(
        start="2026-10-24T10:00:00+00:00", audience=audience_plan([LAST_ORDER], [fresh])
    )
    ada.event("profile.updated", zone="Europe/Berlin")

    ada.event("order.placed")

    assert ada.due_in == "+25h"


def test_another_zone_moves_the_flip(drive):
    fresh = Segment("fresh", within_last(trait.last_order, days(1)))
    ada = drive(
        start="2026-10-24T10:00:00+00:00", audience=audience_plan([LAST_ORDER], [fresh])
    )
    ada.event("order.placed")
    assert ada.due_in == "+24h"

    ada.event("profile.updated", "+1h", zone="Europe/Berlin")

    assert ada.due_in == "+25h"


def test_something_ahead_is_near_for_a_while_and_then_over(drive):
    ending = Segment("ending", within_next(profile.contract_ends, days(14)))
    ada = drive(audience=audience_plan([], [ending]), start="2026-06-01T12:00:00+00:00")
    ada.event("profile.updated", contract_ends="2026-07-01")

    ada.until("2026-07-05T00:00:00+00:00")

    at = [entry.at for entry in ada.trace if entry.kind == "segment"]
    days_told = [ada.from_ms(instant).isoformat() for instant in at]
    assert days_told == ["2026-06-17T00:00:00+00:00", "2026-07-01T00:00:00+00:00"]


@pytest.mark.parametrize("value", ["soon", None, True, [], "2026-07-01T00:00:00"])
def test_what_is_no_instant_puts_nobody_in_and_sets_no_timer(drive, value):
    ending = Segment("ending", within_next(profile.contract_ends, days(14)))
    ada = drive(audience=audience_plan([], [ending]))

    ada.event("profile.updated", contract_ends=value, name="Ada")

    assert ada.customer.segments == {}
    assert ada.due is None


def test_a_past_event_segment_knows_what_is_too_old_and_what_is_to_come(drive):
    """Case 40: "E in the last 10 days", and two of them."""
    twice = Segment("twice", trait.busy >= 2)
    once = Segment("once", trait.busy >= 1)
    ada = drive(audience=audience_plan([BUSY], [once, twice]))
    ada.event("visited")

    ada.event("order.placed", "+20d", occurred="+5d")
    assert ada.customer.segments == {}  # 15 days old
    ada.event("order.placed", "+20d", occurred="+17d")
    assert [*ada.customer.segments] == ["once"]  # 3 days old; one in and one too old
    ada.event("order.placed", "+20d", occurred="+40d")  # clamped: it counts as now
    assert [*ada.customer.segments] == ["once", "twice"]
    ada.until("+28d")
    assert [*ada.customer.segments] == ["once"]
    ada.until("+31d")
    assert ada.customer.segments == {}


# --- goals, exits and waits look ----------------------------------------------------------


def test_who_joins_an_exit_segment_in_a_long_wait_is_out_at_once(drive):
    """G5, by an event and by time."""
    nurture = Journey(
        "nurture",
        trigger=on("started"),
        exit_rules=[segment.lapsed == True],
        steps=[Wait(days(60)), Send("email", "still-there")],
    )
    ada = drive(nurture, audience=audience_plan([LAST_ORDER], [LAPSED]))
    ada.event("order.placed")
    ada.event("started", "+1d")

    ada.until("+30d")

    assert ada.runs == []
    assert ada.trace[-1].kind == "exited"
    assert ada.trace[-1].at == ada.ms("+30d")


def test_a_goal_and_a_wait_see_segments_traits_and_the_stage(drive):
    onboarding = Journey(
        "onboarding",
        trigger=on("started"),
        goal=Goal(trait.stage == "active"),
        steps=[
            WaitFor(
                [When(trait.orders >= 1, [Send("email", "first-order")])],
                timeout=days(30),
            ),
            Wait(days(30)),
        ],
    )
    ada = drive(
        onboarding,
        audience=audience_plan(
            [ORDERS],
            [LOYAL],
            [Stage("new"), Stage("active", segment.loyal == True)],
        ),
    )
    ada.event("started")

    ada.event("order.placed", "+1d")
    ada.event("order.placed", "+2d")

    assert ada.sent == ["first-order +24h"]
    assert ada.reasons("goal") == ["goal"]
    assert ada.runs == []


def test_a_condition_may_be_about_the_consent_alone(drive):
    nurture = Journey(
        "nurture",
        trigger=on("started"),
        exit_rules=[consent.email == False],
        steps=[Wait(days(60))],
    )
    ada = drive(nurture)
    ada.event("started")

    ada.event("message.unsubscribed", channel="email")

    assert ada.reasons("exited") == ["exit_rule"]


# --- keep_while_in_segment ----------------------------------------------------------------


def gated(id: str = "gated", **more: Any) -> Journey:
    return Journey(
        id,
        trigger=[on("started"), api()],
        keep_while_in_segment="member",
        **{"steps": [Wait(days(30)), Send("email", id)], **more},
    )


MEMBER = Segment("member", profile.member == True)


def test_leaving_the_segment_ends_only_the_running_run_that_is_kept_in_it(drive):
    """Case 28."""
    free = Journey("free", trigger=on("started"), steps=[Wait(days(30))])
    short = gated("short", steps=[Send("email", "short")], reentry="never")
    ada = drive(gated(), free, short, audience=audience_plan([], [MEMBER]))
    ada.event("profile.updated", member=True)
    ada.event("started")
    assert {run.journey for run in ada.runs} == {"gated", "free"}

    told = ada.event("profile.updated", "+1d", member=False)

    assert told == ["profile", "segment left", "exited left_segment"]
    assert [run.journey for run in ada.runs] == ["free"]
    assert ada.customer.past["gated"].outcome == "exited:left_segment"
    assert ada.customer.past["short"].outcome == "completed"


def test_entering_the_segment_ends_nobody(drive):
    free = Journey("free", trigger=on("started"), steps=[Wait(days(30))])
    ada = drive(free, gated(), audience=audience_plan([], [MEMBER]))
    ada.event("started")

    assert ada.event("profile.updated", member=True) == ["profile", "segment entered"]
    assert [run.journey for run in ada.runs] == ["free"]


def test_who_is_not_in_the_segment_does_not_enter(drive):
    ada = drive(gated(), audience=audience_plan([], [MEMBER]))

    ada.event("started")
    ada.enroll("gated")

    assert ada.reasons("not_entered") == ["not_in_segment", "not_in_segment"]


def test_a_goal_that_is_reached_by_what_takes_them_out_is_reached(drive):
    winback = Journey(
        "winback",
        trigger=on("segment.entered", where=event.segment == "lapsed"),
        keep_while_in_segment="lapsed",
        goal=on_order(),
        steps=[Wait(days(30)), Send("email", "please")],
    )
    ada = drive(winback, audience=audience_plan([LAST_ORDER], [LAPSED]))
    ada.event("order.placed")
    ada.until("+31d")

    told = ada.event("order.placed", "+35d")

    assert told == ["segment left", "goal goal", "exited goal_reached"]


def on_order() -> Goal:
    return Goal(on("order.placed"))


def test_held_out_people_are_watched_to_the_end_all_the_same(drive):
    kept = gated(holdout=99.99, goal=Goal(on("order.placed"), within=days(60)))
    ada = drive(kept, audience=audience_plan([], [MEMBER]))
    ada.event("profile.updated", member=True)
    ada.event("started")
    assert ada.run.held_out

    ada.event("profile.updated", member=False)
    ada.event("order.placed", "+5d")

    assert ada.reasons("goal") == ["goal"]


def test_a_gate_that_is_no_segment_any_more_keeps_everybody(drive):
    ada = drive(gated(), audience=audience_plan([], [MEMBER]))
    ada.event("profile.updated", member=True)
    ada.event("started")

    ada.publish(gated(), audience={})
    ada.wake("+1h")

    assert [run.journey for run in ada.runs] == ["gated"]


# --- static lists -------------------------------------------------------------------------


def test_a_static_list_is_joined_and_left_by_events(drive):
    beta = Segment("beta", listed=True)
    ada = drive(entering("beta"), audience=audience_plan([], [beta]))

    ada.event("list.joined", list="beta")
    ada.event("list.joined", list="beta")
    assert ada.sent == ["beta +0s"]
    ada.event("list.left", list="beta")

    assert ada.reasons("segment") == ["entered", "left"]
    assert ada.customer.lists == {}


def test_a_list_may_be_filled_before_its_segment_is_published(drive):
    ada = drive()
    ada.event("list.joined", list="beta")

    ada.publish(
        entering("beta"), audience=audience_plan([], [Segment("beta", listed=True)])
    )
    ada.wake("+1h")

    assert [*ada.customer.segments] == ["beta"]
    assert ada.sent == []  # who is there already has not entered


@pytest.mark.parametrize("named", [{}, {"list": "No Name"}, {"list": 3}, {"list": ""}])
def test_a_list_without_a_name_is_ignored_and_said_so(drive, named):
    ada = drive(audience=audience_plan([], [Segment("beta", listed=True)]))

    assert ada.event("list.joined", **named) == ["ignored malformed_list"]
    assert ada.event("list.left", **named) == ["ignored malformed_list"]


def test_a_customer_is_on_so_many_lists_and_no_more(drive):
    ada = drive()
    for n in range(200):
        ada.event("list.joined", list=f"list-{n}")

    assert ada.event("list.joined", list="one-more") == ["ignored too_many_lists"]
    assert len(ada.customer.lists) == 200


# --- stages -------------------------------------------------------------------------------

STAGES = [
    Stage("awareness"),
    Stage("conversion", trait.orders >= 1),
    Stage("retention", trait.orders >= 3),
]


def test_the_stage_is_the_last_one_whose_condition_holds(drive):
    advance = Journey(
        "advance",
        trigger=on("stage.changed", where=event.to == "retention"),
        steps=[Send("email", "thanks")],
    )
    ada = drive(advance, audience=audience_plan([ORDERS], [], STAGES))

    ada.event("visited")
    for _ in range(3):
        ada.event("order.placed")

    assert ada.reasons("stage") == ["awareness", "conversion", "retention"]
    assert [detail["from"] for detail in ada.details("stage")] == [
        "",
        "awareness",
        "conversion",
    ]
    assert ada.sent == ["thanks +0s"]


def test_time_in_a_stage_can_be_asked_for(drive):
    stuck = Segment(
        "stuck",
        (trait.stage == "conversion") & older_than(trait.stage_since, days(14)),
    )
    ada = drive(entering("stuck"), audience=audience_plan([ORDERS], [stuck], STAGES))
    ada.event("visited")
    ada.event("order.placed", "+1d")

    ada.until("+20d")

    assert ada.sent == ["stuck +360h"]


def test_a_stage_may_be_left_by_time_alone(drive):
    stages = [Stage("sleeping"), Stage("awake", within_last(trait.last_order, days(7)))]
    ada = drive(audience=audience_plan([LAST_ORDER], [], stages))
    ada.event("order.placed")

    ada.until("+8d")

    assert ada.reasons("stage") == ["awake", "sleeping"]
    assert ada.customer.staged_at == ada.ms("+7d")


def test_who_meets_no_stage_is_in_none(drive):
    ada = drive(
        audience=audience_plan([], [], [Stage("paying", profile.plan == "pro")])
    )

    ada.event("profile.updated", plan="pro")
    ada.event("profile.updated", plan="free")

    assert ada.reasons("stage") == ["paying", "none"]
    assert ada.customer.stage == ""


# --- publishing ---------------------------------------------------------------------------


def test_publishing_a_segment_makes_nobody_enter_it(drive):
    ada = drive(audience=audience_plan([ORDERS], []))
    for _ in range(3):
        ada.event("order.placed")

    ada.publish(entering("loyal"), audience=audience_plan([ORDERS], [LOYAL]))
    told = ada.wake("+1h")

    assert told == ["judged"]
    assert ada.details("judged")[-1] == {"in": ["loyal"]}
    assert [*ada.customer.segments] == ["loyal"]
    assert ada.sent == []


def test_whoever_is_new_enters_what_their_first_event_makes_true(drive):
    anybody = Segment("anybody", ~has(profile.banned))
    ada = drive(entering("anybody"), audience=audience_plan([], [anybody]))

    ada.event("visited")

    assert ada.sent == ["anybody +0s"]


def test_an_event_that_makes_nothing_true_leaves_no_document(drive):
    ada = drive(audience=audience_plan([ORDERS], [LOYAL]))

    ada.event("visited")

    assert ada.customer.revision == 0


def test_a_segment_that_is_no_more_is_left_without_a_word(drive):
    leaving = Journey(
        "leaving", trigger=on("segment.left"), steps=[Send("email", "bye")]
    )
    ada = drive(leaving, audience=audience_plan([ORDERS], [LOYAL]))
    ada.event("order.placed")
    ada.event("order.placed")

    ada.publish(leaving, audience=audience_plan([ORDERS], []))
    ada.wake("+1h")

    assert ada.customer.segments == {}
    assert ada.details("judged")[-1] == {"out": ["loyal"]}
    assert ada.sent == []


def test_flips_before_the_publish_are_silent_and_those_after_it_are_not(drive):
    ada = drive(audience=audience_plan([LAST_ORDER], []))
    ada.event("order.placed")
    ada.publish(
        entering("lapsed"),
        entering("gone"),
        audience={
            **audience_plan(
                [LAST_ORDER],
                [LAPSED, Segment("gone", older_than(trait.last_order, days(60)))],
            ),
            "at": ada.ms("+45d"),
        },
    )

    ada.wake("+60d")

    assert [*ada.customer.segments] == ["lapsed", "gone"]
    assert ada.sent == ["gone +1440h"]


def test_an_equal_audience_judges_nobody_anew(drive):
    ada = drive(audience=audience_plan([ORDERS], [LOYAL]))
    ada.event("order.placed")
    ada.event("order.placed")

    ada.publish(audience=audience_plan([ORDERS], [LOYAL]))

    assert ada.wake("+1h") == []


def test_segments_that_ask_for_each_other_in_a_circle_are_refused(drive):
    chicken = Segment("chicken", segment.egg == True)
    egg = Segment("egg", segment.chicken == True)

    with pytest.raises(DefinitionError, match="chicken → egg → chicken"):
        drive(audience=audience_plan([], [chicken, egg]))


def test_two_segments_of_one_name_are_refused(drive):
    with pytest.raises(DefinitionError, match="two segments are called 'loyal'"):
        drive(audience=audience_plan([], [LOYAL, LOYAL]))


# --- bounds -------------------------------------------------------------------------------


def test_what_goes_in_a_circle_comes_to_an_end_and_says_so(drive):
    """Entering makes them leave, and leaving makes them enter."""
    low = Segment("low", profile.level == "low")
    raised = Journey(
        "raise",
        trigger=on("segment.entered"),
        reentry="always",
        steps=[Update({"level": "high"})],
    )
    lowered = Journey(
        "lower",
        trigger=on("segment.left"),
        reentry="always",
        steps=[Update({"level": "low"})],
    )
    ada = drive(raised, lowered, audience=audience_plan([], [low]))

    ada.event("profile.updated", level="low")

    assert "endless" in ada.reasons("ignored")
    assert len(ada.trace) < 100


def test_an_emitted_event_makes_segments_too_and_they_are_a_generation_further(drive):
    hot = Segment("hot", profile.score >= 10)
    emitting = Journey(
        "emitting",
        trigger=on("started"),
        steps=[Emit("profile.updated", {"score": 20}), Exit()],
    )
    ada = drive(emitting, entering("hot"), audience=audience_plan([], [hot]))

    ada.event("started")

    assert ada.sent == ["hot +0s"]


def test_inner_events_are_not_remembered_as_seen(drive):
    hot = Segment("hot", profile.score >= 10)
    ada = drive(entering("hot"), audience=audience_plan([], [hot]))

    ada.event("profile.updated", score=11)

    assert len(ada.customer.seen) == 1


def test_the_trace_says_why_if_it_is_asked_to(drive):
    ada = drive(audience=audience_plan([ORDERS], [LOYAL]), explain=True)
    ada.event("order.placed")
    ada.event("order.placed")

    (detail,) = ada.details("segment")

    assert detail == {
        "segment": "loyal",
        "rule": "trait.orders >= 2",
        "values": {"trait.orders": 2},
    }


def test_a_segment_asks_nothing_of_an_event(drive):
    """`check` refuses it; an engine that gets it all the same puts nobody in."""
    odd = Segment("odd", Condition.parse("event.total > 0"))
    ada = drive(audience=audience_plan([ORDERS], [odd]))

    ada.event("order.placed", total=5)

    assert ada.customer.segments == {}


def test_waits_that_are_due_with_a_flip_come_after_it(drive):
    remind = Journey(
        "remind",
        trigger=on("order.placed"),
        reentry="always",
        steps=[
            Wait(days(30)),
            Branch(
                [When(segment.lapsed == True, [Send("email", "lapsed")])],
                otherwise=[Send("email", "active")],
            ),
        ],
    )
    ada = drive(remind, audience=audience_plan([LAST_ORDER], [LAPSED]))
    ada.event("order.placed")

    ada.until("+31d")

    assert ada.sent == ["lapsed +720h"]


def test_hours_are_elapsed(drive):
    fresh = Segment("fresh", within_last(trait.last_order, hours(36)))
    ada = drive(audience=audience_plan([LAST_ORDER], [fresh]))

    ada.event("order.placed")

    assert ada.due_in == "+36h"


def test_a_message_can_say_what_is_known_of_the_customer(drive):
    thanks = Journey(
        "thanks",
        trigger=on("order.placed"),
        steps=[Send("email", "thanks", variables={"orders": trait.orders})],
    )
    ada = drive(thanks, audience=audience_plan([ORDERS], []))

    ada.event("order.placed")

    assert ada.commands[0].variables == {"orders": 1}


def test_what_was_said_can_be_listed_by_channel_and_topic(drive):
    ada = drive()
    ada.event("consent.changed", channel="email", granted=True)
    ada.event("consent.changed", channel="sms", topic="news", granted=False)

    said = ConsentView(ada.catalog.guards.consent, ada.customer)

    assert dict(said) == {"email": True, "sms:news": False}
    assert len(said) == 2
    assert "push" not in said


# --- what was due when somebody published -------------------------------------------------


def audiences(*drafts: Any, at: list[int], journeys: Any = ()) -> list[dict[str, Any]]:
    """The documents of one publish after the other, as a runtime writes them."""
    known = CatalogDocument(0, 0, "", [], {})
    found: list[dict[str, Any]] = []
    plans = [journey.to_plan() for journey in journeys]
    for revision, (drafted, when) in enumerate(zip(drafts, at, strict=True), 1):
        document, _ = next_audience(
            known, drafted, revision=revision, at=when, plans=plans
        )
        known = CatalogDocument(revision, when, "", plans, {}, audience=document)
        found.append(document)
    return found


OTHER = Segment("other", has(profile.vip))


def test_what_was_due_before_a_publish_and_looked_at_after_it_is_told(drive):
    silent = Journey(
        "silent",
        trigger=inactive("order.placed", for_=days(30)),
        steps=[Send("email", "silent")],
    )
    journeys = [entering("lapsed"), silent]
    ada = drive()
    first, second = audiences(
        audience_plan([LAST_ORDER], [LAPSED]),
        audience_plan([LAST_ORDER], [LAPSED, OTHER]),
        at=[1, ada.ms("+30d") + 300_000],
        journeys=journeys,
    )
    ada = drive(*journeys, audience=first)
    ada.event("order.placed")

    ada.publish(*journeys, audience=second)
    ada.wake("+721h")

    assert ada.sent == ["lapsed +721h", "silent +721h"]
    [entered] = [entry for entry in ada.trace if entry.kind == "segment"]
    assert entered.at == ada.ms("+30d")
    assert ada.wake("+32d") == []


def test_what_reads_of_something_new_is_new_itself(drive):
    ada = drive()
    bought = Last("last_order", on("order.placed", where=event.total > 0))
    best = Segment("best", (segment.lapsed == True) & has(profile.vip))
    first, second = audiences(
        audience_plan([LAST_ORDER], [LAPSED, best]),
        audience_plan([bought], [LAPSED, best]),
        at=[1, ada.ms("+40d")],
    )
    ada = drive(entering("lapsed"), entering("best"), audience=first)
    ada.event("profile.updated", vip=True)
    ada.event("order.placed", total=1)

    ada.publish(entering("lapsed"), entering("best"), audience=second)
    ada.wake("+41d")

    assert ada.sent == []
    assert ada.reasons("segment") == []


def test_each_of_two_publishes_counts_from_its_own_instant(drive):
    """Nobody looked in between, and what the first one brought has flipped by then."""
    ada = drive()
    first, _, third = audiences(
        audience_plan([LAST_ORDER], []),
        audience_plan([LAST_ORDER], [LAPSED]),
        audience_plan([LAST_ORDER], [LAPSED, OTHER]),
        at=[1, ada.ms("+10d"), ada.ms("+721h")],
    )
    ada = drive(audience=first)
    ada.event("order.placed")
    ada.publish()
    ada.publish(entering("lapsed"), audience=third)

    ada.wake("+722h")

    assert ada.sent == ["lapsed +722h"]


def test_waits_and_flips_before_a_publish_happen_in_their_order(drive):
    early, late = (
        Journey(
            f"after-{wait}",
            trigger=on("order.placed"),
            steps=[
                Wait(hours(wait)),
                Branch(
                    [When(segment.lapsed == True, [Send("email", "lapsed")])],
                    otherwise=[Send("email", "still-here")],
                ),
            ],
        )
        for wait in (719, 721)
    )
    ada = drive()
    first, second = audiences(
        audience_plan([LAST_ORDER], [LAPSED]),
        audience_plan([LAST_ORDER], [LAPSED, OTHER]),
        at=[1, ada.ms("+722h")],
    )
    ada = drive(early, late, audience=first)
    ada.event("order.placed")

    ada.publish(early, late, audience=second)
    ada.wake("+723h")

    assert ada.sent == ["still-here +723h", "lapsed +723h"]


def test_an_event_at_the_instant_of_a_flip_takes_no_other_flip_with_it(drive):
    over = Segment("over", older_than(profile.ends, days(30)))
    ada = drive(entering("over"), audience=audience_plan([LAST_ORDER], [LAPSED, over]))
    ada.event("profile.updated", ends=ada.start.isoformat())
    ada.event("order.placed")

    ada.event("order.placed", "+30d")  # not lapsed, then
    ada.wake("+30d")

    assert ada.sent == ["over +720h"]


def test_where_there_is_nothing_to_judge_nobody_is_judged(drive):
    ada = drive(entering("x"), audience=audience_plan([LAST_ORDER], []))
    ada.event("order.placed")
    before = ada.customer

    assert ada.wake("+1h") == []
    assert ada.customer is before


# --- history ------------------------------------------------------------------------------


def history(ada: Any, name: str, at: str, **properties: Any) -> list[str]:
    made = ada.stimulus(name, at, occurred="2026-05-01T00:00:00+00:00", **properties)
    return ada.react(replace(made, history=True), now=ada.instant(at))


def test_history_takes_out_who_should_be_out_and_moves_nobody_on(drive):
    few = Segment("few", trait.orders <= 1)
    kept = Journey(
        "kept",
        trigger=on("started"),
        keep_while_in_segment="few",
        steps=[Wait(days(1)), Send("email", "kept")],
    )
    exits = Journey(
        "exits",
        trigger=on("started"),
        exit_rules=[segment.few == False],
        steps=[Wait(days(1)), Send("email", "exits")],
    )
    waits = Journey(
        "waits",
        trigger=on("started"),
        steps=[
            WaitFor([When(segment.few == False)], timeout=days(9)),
            Send("email", "waits"),
        ],
    )
    ada = drive(kept, exits, waits, audience=audience_plan([ORDERS], [few]))
    ada.event("order.placed")
    ada.event("started")

    told = history(ada, "order.placed", "+1h")
    ada.wake("+2d")

    assert told == ["judged imported", "exited left_segment", "exited exit_rule"]
    assert [run.journey for run in ada.customer.active] == ["waits"]
    assert ada.sent == []
