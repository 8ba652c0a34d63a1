"""Two documents of one person become one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    Goal,
    Journey,
    ReEntry,
    Segment,
    Send,
    Stage,
    Wait,
    audience_plan,
    days,
    entered,
    every,
    finished,
    has,
    hours,
    left,
    on,
    profile,
    stuck,
)
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import AbsorbCustomer
from journeykit.engine.consent import ConsentRules
from journeykit.engine.customer import (
    Address,
    Asking,
    Consent,
    Customer,
    Held,
    Past,
    Released,
    Score,
    Visits,
    created,
    decode,
    encode,
)
from journeykit.engine.ids import made_id
from journeykit.engine.limits import ACTIVE_RUNS, IDENTIFIERS, PROFILE_KEYS
from journeykit.engine.merging import merged_id, united_consents
from journeykit.engine.react import Reaction, react
from journeykit.engine.stimuli import Absorb, Merge, WakeUp
from journeykit.errors import StaleCatalog
from journeykit.model.events import Event
from journeykit.model.policies import Policies
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import next_audience
from journeykit.testing.store_contract.samples import make_message

START = datetime.fromisoformat("2026-06-01T12:00:00Z")
MS = to_ms(START)
VISITOR = made_id("anonymous", "a-17")

welcome = Journey(
    id="welcome",
    trigger=on("signed.up"),
    goal=Goal(on("order.placed"), within=days(7), on_goal="continue"),
    steps=[Wait(days(1)), Send("email", "one"), Wait(days(1)), Send("email", "two")],
)
every_cart = Journey(
    id="cart",
    trigger=on("cart.updated"),
    reentry=ReEntry("always"),
    steps=[Wait(hours(4)), Send("email", "cart")],
)


def catalog_of(*journeys: Journey, revision: int = 1) -> Catalog:
    return Catalog.compile(journeys, policies=Policies(), revision=revision)


CATALOG = catalog_of(welcome, every_cart)


def happen(
    customer: Customer, name: str, *, at: datetime = START, id: str = "", **more: Any
) -> Customer:
    event = Event(
        id=id or f"{name}-{customer.id}-{at}",
        name=name,
        customer=customer.id,
        occurred_at=at,
        received_at=at,
        properties=more,
    )
    return react(customer, event, catalog=CATALOG, now=at).customer


def merged(
    loser: Customer,
    into: str,
    *,
    at: datetime = START,
    unless_known: Sequence[str] | None = None,
) -> Reaction:
    merge = Merge(
        id="m",
        customer=loser.id,
        into=into,
        received_at=at,
        unless_known=None if unless_known is None else tuple(unless_known),
    )
    return react(loser, merge, catalog=CATALOG, now=at)


def command_in(reaction: Reaction) -> AbsorbCustomer:
    [command] = [it for it in reaction.commands if isinstance(it, AbsorbCustomer)]
    return command


def joined(
    survivor: Customer,
    loser: Customer,
    *,
    at: datetime = START,
    catalog: Catalog = CATALOG,
) -> Reaction:
    """The survivor after taking in the other one."""
    command = command_in(merged(loser, survivor.id, at=at))
    return react(survivor, Absorb.of(command), catalog=catalog, now=at)


def ada(**fields: Any) -> Customer:
    return replace(created("ada", MS), **fields)


def visitor(**fields: Any) -> Customer:
    return replace(created(VISITOR, MS - 1, salt="pepper"), **fields)


# --- who becomes part ----------------------------------------------------------------


def test_a_tombstone_names_the_survivor_and_holds_nothing_else() -> None:
    before = happen(visitor(profile={"city": "Bonn"}), "signed.up")

    reaction = merged(before, "ada")

    after = reaction.customer
    assert after.merged_into == "ada"
    assert (after.id, after.created_at, after.salt) == (VISITOR, MS - 1, "pepper")
    assert after.next_due is None
    assert (after.profile, after.active, after.past, after.seen) == ({}, [], {}, {})
    assert [(it.kind, it.reason) for it in reaction.trace] == [("identity", "merged")]


def test_the_snapshot_goes_out_whole_and_without_its_salt() -> None:
    before = happen(visitor(profile={"city": "Bonn"}), "signed.up")

    command = command_in(merged(before, "ada"))

    assert command.customer == "ada"
    assert command.merged == VISITOR
    assert command.snapshot["profile"] == {"city": "Bonn"}
    assert len(command.snapshot["active"]) == 1
    assert "salt" not in command.snapshot
    assert command.log_id
    assert "pepper" not in str(command)


def test_what_was_due_before_the_merge_happens_before_it() -> None:
    before = happen(visitor(), "signed.up")

    reaction = merged(before, "ada", at=START + timedelta(days=1, hours=1))

    kinds = [entry.kind for entry in reaction.trace]
    assert kinds.index("sent") < kinds.index("identity")
    assert len(reaction.commands) == 2


def test_the_same_merge_again_does_nothing() -> None:
    once = merged(visitor(), "ada")

    again = merged(once.customer, "ada")

    assert again.customer is once.customer
    assert again.commands == ()


def test_nobody_becomes_part_of_themselves() -> None:
    reaction = merged(ada(), "ada")

    assert reaction.customer.merged_into == ""
    assert reaction.commands == ()


@pytest.mark.parametrize(
    ("customer", "goes"),
    [
        (visitor(), True),
        (visitor(identifiers=["anonymous:a-17"]), True),
        (visitor(identifiers=["anonymous:a-17", "email:ada@example.com"]), False),
        (ada(), False),
    ],
    ids=["unnamed", "device", "person", "by-id"],
)
def test_only_who_is_nobody_in_particular_is_merged_unasked(
    customer: Customer, goes: bool
) -> None:
    reaction = merged(customer, "somebody", unless_known=["anonymous"])

    assert bool(reaction.customer.merged_into) is goes
    assert bool(reaction.commands) is goes
    assert reaction.trace[-1].reason == ("merged" if goes else "conflict")


def test_a_wake_up_finds_nothing_in_a_tombstone() -> None:
    tombstone = merged(happen(visitor(), "signed.up"), "ada").customer

    later = START + timedelta(days=30)
    reaction = react(tombstone, WakeUp(VISITOR), catalog=CATALOG, now=later)

    assert reaction.customer is tombstone
    assert reaction.commands == ()


def test_whoever_survives_after_all_comes_to_life_and_reuses_no_id() -> None:
    first = happen(visitor(), "signed.up")
    tombstone = merged(first, "ada").customer

    again = happen(tombstone, "signed.up", id="again")

    assert again.merged_into == ""
    assert again.active[0].id != first.active[0].id


# --- who takes it in -----------------------------------------------------------------


def test_runs_go_on_under_their_own_ids() -> None:
    loser = happen(visitor(), "signed.up")

    reaction = joined(ada(), loser, at=START + timedelta(hours=1))

    [run] = reaction.customer.active
    assert run.id == loser.active[0].id
    assert reaction.customer.next_due == MS + 24 * 3_600_000
    later = react(
        reaction.customer,
        WakeUp("ada"),
        catalog=CATALOG,
        now=START + timedelta(days=1),
    )
    [message] = later.commands
    assert (message.customer, message.enrollment) == ("ada", run.id)  # type: ignore[union-attr]


def test_what_came_due_on_the_way_happens_at_its_own_instant() -> None:
    command = command_in(merged(happen(visitor(), "signed.up"), "ada"))
    late = START + timedelta(days=1, hours=2)

    absorbed = react(ada(), Absorb.of(command), catalog=CATALOG, now=late).customer
    woken = react(absorbed, WakeUp("ada"), catalog=CATALOG, now=late)

    [sent] = [entry for entry in woken.trace if entry.kind == "sent"]
    assert sent.at == MS + 24 * 3_600_000


def test_of_two_runs_the_further_one_stays_and_the_other_exits() -> None:
    loser = happen(visitor(), "signed.up")
    day_two = START + timedelta(days=1, hours=1)
    loser = react(loser, WakeUp(VISITOR), catalog=CATALOG, now=day_two).customer
    survivor = happen(ada(), "signed.up", at=day_two)

    reaction = joined(survivor, loser, at=day_two)

    assert [run.id for run in reaction.customer.active] == [loser.active[0].id]
    [exited] = [entry for entry in reaction.trace if entry.kind == "exited"]
    assert (exited.reason, exited.enrollment) == ("merged", survivor.active[0].id)


def test_of_two_runs_as_far_the_earlier_one_stays() -> None:
    survivor = happen(ada(), "signed.up", at=START + timedelta(minutes=5))
    loser = happen(visitor(), "signed.up")

    reaction = joined(survivor, loser, at=START + timedelta(hours=1))

    assert [run.id for run in reaction.customer.active] == [loser.active[0].id]


def test_a_goal_is_counted_for_the_run_that_goes_on_alone() -> None:
    both = joined(happen(ada(), "signed.up"), happen(visitor(), "signed.up")).customer

    order = Event(
        id="o",
        name="order.placed",
        customer="ada",
        occurred_at=START,
        received_at=START,
    )
    reaction = react(both, order, catalog=CATALOG, now=START)

    goals = [entry for entry in reaction.trace if entry.kind == "goal"]
    assert [entry.enrollment for entry in goals] == [both.active[0].id]


def test_where_a_journey_lets_in_any_number_all_go_on() -> None:
    both = joined(happen(ada(), "cart.updated"), happen(visitor(), "cart.updated"))

    assert len(both.customer.active) == 2


def test_a_run_whose_journey_is_gone_stays_or_ends_without_a_plan() -> None:
    empty = catalog_of(every_cart)
    survivor, loser = happen(ada(), "signed.up"), happen(visitor(), "signed.up")

    reaction = joined(survivor, loser, catalog=empty)

    assert len(reaction.customer.active) == 1
    assert [entry.reason for entry in reaction.trace if entry.kind == "exited"] == [
        "merged"
    ]


def test_too_many_runs_end_with_the_least_far_of_the_others() -> None:
    survivor, loser = ada(), visitor()
    for n in range(ACTIVE_RUNS - 10):
        survivor = happen(survivor, "cart.updated", id=f"s{n}")
        loser = happen(loser, "cart.updated", id=f"l{n}")

    reaction = joined(survivor, loser)

    assert len(reaction.customer.active) == ACTIVE_RUNS
    own = {run.id for run in survivor.active}
    assert own <= {run.id for run in reaction.customer.active}


def test_the_survivors_profile_stands_and_its_gaps_are_filled() -> None:
    survivor = ada(profile={"city": "Bonn", "vip": False})
    loser = visitor(profile={"city": "Köln", "mkt_agree": True})

    after = joined(survivor, loser).customer

    assert after.profile == {"city": "Bonn", "vip": False, "mkt_agree": True}


def test_what_no_profile_can_hold_is_left_out_and_said() -> None:
    survivor = ada(profile={f"a{n}": n for n in range(PROFILE_KEYS - 2)})
    loser = visitor(profile={f"b{n}": n for n in range(5)})

    reaction = joined(survivor, loser)

    assert len(reaction.customer.profile) == PROFILE_KEYS
    [said] = [entry for entry in reaction.trace if entry.kind == "forgotten"]
    assert (said.reason, said.detail) == ("profile", {"count": 3})


def test_of_two_words_on_an_address_the_stricter_one_holds() -> None:
    survivor = ada(addresses={"k": Address(bounced_at=5, engaged_at=9)})
    loser = visitor(
        addresses={"k": Address("complaint", engaged_at=3), "l": Address("manual")}
    )

    after = joined(survivor, loser).customer

    assert after.addresses == {
        "k": Address("complaint", 5, 9),
        "l": Address("manual"),
    }


def test_entry_counters_take_the_larger_one() -> None:
    survivor = ada(
        past={
            "welcome": Past(
                2, 10, 20, [5, 10], outcome="completed", arms={"s": "a"}, early=[2]
            )
        }
    )
    loser = visitor(
        past={
            "welcome": Past(
                3,
                7,
                30,
                [6, 7],
                outcome="exited:x",
                arms={"s": "b", "t": "c"},
                early=[1],
                keys={"k": Visits(1, MS)},
                removed=True,
            ),
            "cart": Past(1, 7, 8),
        }
    )

    after = joined(survivor, loser).customer

    assert after.past["welcome"] == Past(
        3,
        10,
        30,
        [7, 10],
        outcome="exited:x",
        arms={"s": "a", "t": "c"},
        early=[2],
        keys={"k": Visits(1, MS)},
        removed=True,
    )
    assert after.past["cart"] == Past(1, 7, 8)


def test_caps_count_what_both_have_got() -> None:
    day_two = START + timedelta(days=1)
    survivor, loser = happen(ada(), "signed.up"), happen(visitor(), "cart.updated")
    loser = react(loser, WakeUp(VISITOR), catalog=CATALOG, now=day_two).customer
    survivor = react(survivor, WakeUp("ada"), catalog=CATALOG, now=day_two).customer

    after = joined(survivor, loser, at=day_two).customer

    ids = {entry.delivery_id for entry in [*survivor.ledger, *loser.ledger]}
    assert {entry.delivery_id for entry in after.ledger} == ids
    assert after.seen.keys() >= survivor.seen.keys() | loser.seen.keys()


def test_a_survey_that_either_has_answered_is_answered() -> None:
    when = START + timedelta(hours=1)
    entries = [Released(MS, "sms", "", "j", "marketing", id) for id in "abc"]
    asks = Asking("nps", "s")
    done = replace(asks, answered=True)
    survivor = ada(ledger=entries[:2], surveys={"a": asks, "b": done})
    loser = visitor(ledger=entries, surveys={"a": done, "b": asks, "c": asks})

    after = joined(survivor, loser, at=when).customer

    assert {id: one.answered for id, one in after.surveys.items()} == {
        "a": True,
        "b": True,
        "c": False,
    }
    assert decode(encode(after)).surveys == after.surveys
    again = happen(
        after, "survey.answered", at=when, delivery_id="a", kind="nps", score=1
    )
    assert again.surveys == after.surveys


def test_lifetime_counters_add_up() -> None:
    after = joined(ada(counters={"all": 2}), visitor(counters={"all": 3, "x": 1}))

    assert after.customer.counters == {"all": 5, "x": 1}


def test_held_messages_are_the_survivors() -> None:
    message = make_message("d" * 24, customer=VISITOR, journey="cart")
    loser = visitor(held=[Held(message, MS, MS + 3_600_000)])

    after = joined(ada(), loser).customer

    assert [held.message.customer for held in after.held] == ["ada"]
    assert after.next_due == MS + 3_600_000


def test_of_scores_the_later_counts() -> None:
    survivor = ada(scores={"churn": Score(0.1, 5), "upsell": Score(1, 9)})
    loser = visitor(scores={"churn": Score(0.9, 6), "upsell": Score(2, 8)})

    after = joined(survivor, loser).customer

    assert after.scores == {"churn": Score(0.9, 6), "upsell": Score(1, 9)}


def test_both_are_known_by_all_names() -> None:
    survivor = ada(identifiers=["email:ada@example.com"], absorbed=["~x@1.1"])
    loser = visitor(identifiers=["anonymous:a-17"], absorbed=["~y@1.1"])

    after = joined(survivor, loser).customer

    assert after.identifiers == ["email:ada@example.com", "anonymous:a-17"]
    assert [merged_id(mark) for mark in after.absorbed] == ["~y", "~x", VISITOR]


def test_names_are_bounded() -> None:
    survivor = ada(identifiers=[f"anonymous:s{n}" for n in range(IDENTIFIERS - 1)])
    loser = visitor(identifiers=["anonymous:a", "anonymous:b"])

    reaction = joined(survivor, loser)

    assert len(reaction.customer.identifiers) == IDENTIFIERS
    assert ("identity", "full") in [(it.kind, it.reason) for it in reaction.trace]


def test_the_same_is_taken_in_once() -> None:
    command = command_in(merged(visitor(counters={"all": 3}), "ada"))
    once = react(ada(), Absorb.of(command), catalog=CATALOG, now=START).customer

    years_later = START + timedelta(days=900)
    again = react(once, Absorb.of(command), catalog=CATALOG, now=years_later)

    assert again.customer is once
    assert again.trace == ()


def test_nothing_is_too_late_to_be_taken_in() -> None:
    command = command_in(merged(visitor(profile={"x": 1}), "ada"))

    later = START + timedelta(days=30)
    reaction = react(ada(), Absorb.of(command), catalog=CATALOG, now=later)

    assert reaction.refused == ""
    assert reaction.customer.profile == {"x": 1}


def test_who_has_seen_a_newer_catalog_waits_for_it() -> None:
    command = command_in(merged(visitor(catalog=1), "ada"))
    newer = replace(command, snapshot={**command.snapshot, "catalog": 9})

    with pytest.raises(StaleCatalog):
        react(ada(), Absorb.of(newer), catalog=CATALOG, now=START)


def test_a_survivor_whom_nobody_has_met_begins_with_it() -> None:
    command = command_in(merged(happen(visitor(), "signed.up"), "ada"))

    reaction = react(None, Absorb.of(command), catalog=CATALOG, now=START)

    assert reaction.customer.id == "ada"
    assert len(reaction.customer.active) == 1


def test_documents_of_both_survive_being_written() -> None:
    both = joined(happen(ada(), "signed.up"), happen(visitor(), "cart.updated"))

    assert decode(encode(both.customer)) == both.customer


# --- consent -------------------------------------------------------------------------


def said(granted: bool, at: int, topic: str = "", **more: Any) -> Consent:
    return Consent(granted, at, "email", topic, "marketing", **more)


@pytest.mark.parametrize(
    ("mine", "theirs", "word"),
    [
        ([said(True, 9)], [said(False, 1)], "no"),
        ([said(False, 1)], [said(True, 9)], "no"),
        ([said(True, 1)], [said(True, 9)], "yes"),
        ([], [said(True, 9)], "yes"),
        ([said(False, 1)], [said(True, 9, "news", over=8)], "no"),
        ([said(True, 9, "news", over=8), said(False, 1)], [], "yes"),
        (
            [said(True, 9, "news", over=8), said(False, 1)],
            [said(True, 9, "news")],
            "yes",
        ),
    ],
    ids=[
        "yes-no",
        "no-yes",
        "yes-yes",
        "nothing-yes",
        "a-confirmed-yes-of-the-other",
        "ones-own-confirmed-yes",
        "confirmed-and-said-again",
    ],
)
def test_of_two_words_the_stricter_one_holds(
    mine: list[Consent], theirs: list[Consent], word: str
) -> None:
    united = united_consents(mine, theirs)

    assert ConsentRules([]).ask("email", "news", "marketing", united).word == word


def test_a_no_of_the_one_stops_the_runs_of_the_other() -> None:
    survivor = ada(consents=[Consent(False, MS, "email", purpose="marketing")])
    both = joined(survivor, happen(visitor(), "signed.up")).customer

    reaction = react(
        both, WakeUp("ada"), catalog=CATALOG, now=START + timedelta(days=1)
    )

    assert reaction.commands == ()
    assert [entry.reason for entry in reaction.trace if entry.kind == "suppressed"] == [
        "no_consent"
    ]


def test_instants_of_the_survivor_never_run_back() -> None:
    late = to_datetime(MS + 1000)
    loser = happen(visitor(), "signed.up", at=late)
    command = command_in(merged(loser, "ada", at=late))

    reaction = react(ada(), Absorb.of(command), catalog=CATALOG, now=START)

    assert reaction.customer.clock >= loser.clock


# --- who the customer is -------------------------------------------------------------


def with_audience(
    audience: dict[str, Any], *journeys: Journey, revision: int = 1
) -> Catalog:
    return Catalog.compile(
        journeys, policies=Policies(), revision=revision, audience=audience
    )


def met(
    customer: Customer | None,
    name: str,
    catalog: Catalog,
    *,
    id: str = "ada",
    at: datetime = START,
    **properties: Any,
) -> Customer:
    return react(
        customer,
        Event(
            id=f"{name}-{id}-{at}",
            name=name,
            customer=id,
            occurred_at=at,
            received_at=at,
            properties=properties,
        ),
        catalog=catalog,
        now=at,
    ).customer


def taken_in(
    survivor: Customer | None,
    loser: Customer,
    catalog: Catalog,
    *,
    at: datetime,
    later: Catalog | None = None,
) -> Reaction:
    merge = Merge(id="m", customer=loser.id, into="ada", received_at=at)
    command = command_in(react(loser, merge, catalog=catalog, now=at))
    return react(survivor, Absorb.of(command), catalog=later or catalog, now=at)


UNKNOWN = Segment("unknown", ~has(profile.email))
KNOWN = Segment("known", has(profile.email))
SEEN = Segment("seen", has(profile.seen))
says_left = Journey(
    id="left", trigger=left("unknown"), reentry="always", steps=[Send("email", "left")]
)
says_entered = Journey(
    id="in", trigger=entered("known"), reentry="always", steps=[Send("email", "in")]
)
LATER = START + timedelta(days=1)


def test_a_visitor_takes_nobody_out_of_a_segment_that_they_were_not_in() -> None:
    catalog = with_audience(audience_plan([], [UNKNOWN]), says_left)
    known = met(None, "profile.updated", catalog, email="ada@example.com")
    unknown = met(None, "page", catalog, id=VISITOR)
    assert [*unknown.segments] == ["unknown"]

    reaction = taken_in(known, unknown, catalog, at=LATER)

    assert reaction.customer.segments == {}
    assert [entry.kind for entry in reaction.trace] == ["identity"]


def test_what_makes_both_together_leave_is_told_once() -> None:
    catalog = with_audience(audience_plan([], [UNKNOWN]), says_left)
    first = met(None, "page", catalog)
    other = met(None, "profile.updated", catalog, id=VISITOR, email="ada@example.com")

    reaction = taken_in(first, other, catalog, at=LATER)

    assert reaction.customer.past["left"].count == 1


def test_who_was_in_a_segment_as_the_other_one_is_in_it_since_then() -> None:
    catalog = with_audience(audience_plan([], [KNOWN]), says_entered)
    first = met(None, "page", catalog)
    other = met(None, "profile.updated", catalog, id=VISITOR, email="ada@example.com")

    reaction = taken_in(first, other, catalog, at=LATER)

    assert reaction.customer.segments == {"known": MS}
    assert [entry.kind for entry in reaction.trace] == ["profile", "identity", "judged"]
    told = reaction.trace[-1]
    assert (told.reason, told.detail) == ("merged", {"in": ["known"]})


@pytest.mark.parametrize(
    ("mine", "told"),
    [({}, [("merged", {"stage": "paying"})]), ({"trial": True}, [])],
    ids=["no stage of one's own", "a stage of one's own"],
)
def test_the_stage_that_comes_of_the_other_one_is_told_and_not_entered(
    mine: dict[str, Any], told: list[Any]
) -> None:
    stages = [Stage("trial", has(profile.trial)), Stage("paying", has(profile.paid))]
    catalog = with_audience(audience_plan([], [], stages))
    first = met(None, "profile.updated", catalog, seen=True, **mine)
    other = met(None, "profile.updated", catalog, id=VISITOR, paid=True)

    reaction = taken_in(first, other, catalog, at=LATER)

    kinds = [entry.kind for entry in reaction.trace]
    assert reaction.customer.stage == "paying"
    assert [(e.reason, e.detail) for e in reaction.trace if e.kind == "judged"] == told
    assert kinds.count("stage") == (0 if told else 1)


def test_what_only_both_together_are_is_entered() -> None:
    both = Segment("known", has(profile.email) & has(profile.seen))
    catalog = with_audience(audience_plan([], [both]), says_entered)
    first = met(None, "profile.updated", catalog, seen=True)
    other = met(None, "profile.updated", catalog, id=VISITOR, email="ada@example.com")

    reaction = taken_in(first, other, catalog, at=LATER)

    assert reaction.customer.past["in"].count == 1


def test_what_was_published_since_the_merge_is_not_entered_by_it() -> None:
    known = CatalogDocument(0, 0, "", [], {})
    documents = []
    for revision, segments in enumerate(([SEEN], [SEEN, KNOWN]), 1):
        drafted = audience_plan([], segments)
        document, _ = next_audience(
            known, drafted, revision=revision, at=revision, plans=[]
        )
        known = CatalogDocument(revision, 1, "", [], {}, audience=document)
        documents.append(document)
    before, after = (
        with_audience(document, says_entered, revision=revision)
        for revision, document in enumerate(documents, 1)
    )
    first = met(None, "page", before)
    other = met(
        None,
        "profile.updated",
        before,
        id=VISITOR,
        email="ada@example.com",
        seen=True,
    )

    reaction = taken_in(first, other, before, at=LATER, later=after)

    assert sorted(reaction.customer.segments) == ["known", "seen"]
    assert "in" not in reaction.customer.past


def test_a_tombstone_has_no_schedule_and_no_stage() -> None:
    weekly = Journey(
        id="weekly",
        trigger=every("day", at="09:00"),
        steps=[Send("inapp", "news")],
    )
    stuck_there = Journey(
        id="stuck", trigger=stuck("new", for_=days(2)), steps=[Send("inapp", "how")]
    )
    audience = audience_plan([], [], [Stage("new")])
    catalog = with_audience(audience, weekly, stuck_there)
    loser = met(None, "page", catalog, id=VISITOR)
    assert loser.next_due is not None

    merge = Merge(id="m", customer=VISITOR, into="ada", received_at=START)
    tombstone = react(loser, merge, catalog=catalog, now=START).customer

    assert (tombstone.next_due, tombstone.progress) == (None, {})
    for other in (
        catalog,
        with_audience({**audience, "at": MS + 1}, weekly, revision=2),
    ):
        woken = react(
            tombstone, WakeUp(VISITOR), catalog=other, now=START + timedelta(days=30)
        )
        assert woken.customer is tombstone
        assert (woken.commands, woken.trace) == ((), ())


def test_what_clocks_showed_when_a_visitor_was_due_comes_for_nobody_twice() -> None:
    daily = Journey(
        id="daily",
        trigger=every("day", at="09:00"),
        reentry="always",
        steps=[Send("inapp", "news")],
    )
    catalog = catalog_of(daily)
    early, ten = START.replace(hour=1), START.replace(hour=10)
    loser = react(
        met(None, "page", catalog, id=VISITOR, at=early),
        WakeUp(VISITOR),
        catalog=catalog,
        now=ten,
    ).customer
    # In New York it is six o'clock: nine is still to come there.
    before = met(None, "profile.updated", catalog, at=ten, zone="America/New_York")
    assert before.next_due == to_ms(START.replace(hour=13))

    after = taken_in(before, loser, catalog, at=ten).customer

    assert after.next_due == to_ms(START.replace(day=2, hour=13))
    again = react(
        after, WakeUp("ada"), catalog=catalog, now=START.replace(day=2, hour=14)
    )
    assert [it.kind for it in again.trace].count("entered") == 1


def test_a_survivor_who_was_due_later_stays_due_as_before() -> None:
    daily = Journey(
        id="daily",
        trigger=every("day", at="09:00"),
        reentry="always",
        steps=[Send("inapp", "news")],
    )
    catalog = catalog_of(daily)
    early, ten = START.replace(hour=1), START.replace(hour=10)
    loser, before = (
        react(
            met(None, "page", catalog, id=id, at=early),
            WakeUp(id),
            catalog=catalog,
            now=ten,
        ).customer
        for id in (VISITOR, "ada")
    )

    after = taken_in(before, loser, catalog, at=ten).customer

    assert after.progress == before.progress
    assert after.next_due == before.next_due


def test_what_the_merge_itself_finds_out_about_a_stopped_journey_is_heard() -> None:
    after = Journey(
        id="after", trigger=finished("welcome"), steps=[Send("email", "sorry")]
    )
    live = catalog_of(welcome, after)
    stopped = Catalog.compile(
        [welcome, after],
        policies=Policies(),
        revision=2,
        states={"welcome": "stopped"},
    )
    loser = met(None, "signed.up", live, id=VISITOR)
    merge = Merge(id="m", customer=VISITOR, into="ada", received_at=START)

    reaction = react(loser, merge, catalog=stopped, now=START)

    told = [(entry.kind, entry.journey) for entry in reaction.trace]
    assert told[:2] == [("exited", "welcome"), ("entered", "after")]
