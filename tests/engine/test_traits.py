from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from journeykit import (
    Average,
    Cadence,
    Catalog,
    Count,
    DefinitionError,
    Distinct,
    Emit,
    Event,
    Expected,
    FavoriteChannel,
    FavoriteHour,
    First,
    Journey,
    Last,
    Max,
    MostFrequent,
    Policies,
    Recent,
    Rfm,
    Sum,
    Trait,
    days,
    event,
    hours,
    months,
    on,
    react,
)
from journeykit.engine.calendar import LATEST, isoformat, to_ms
from journeykit.engine.conditions import Scope
from journeykit.engine.customer import Customer, Score, created
from journeykit.engine.draft import Draft
from journeykit.engine.learning import Recount
from journeykit.engine.stimuli import Recomputed
from journeykit.engine.traits import NO_TRAITS, TraitRules
from journeykit.model.segments import audience_plan
from journeykit.testing import make_event

BERLIN = ZoneInfo("Europe/Berlin")
T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = 24 * 3_600_000


def rules(*traits: Trait) -> TraitRules:
    return TraitRules.compile(trait.to_plan() for trait in traits)


def learn(
    computed: TraitRules, *told: tuple[float, dict[str, Any]], name: str = "bought"
) -> dict[str, Any]:
    """The states after events, each so many days after the start."""
    states: dict[str, Any] = {}
    for day, fields in told:
        at = to_ms(T0) + round(day * DAY)
        states = computed.learned(
            states,
            fields,
            name=name,
            occurred_at=at,
            at=to_ms(T0) + 400 * DAY if day < 0 else at,
            zone=BERLIN,
            scope=Scope(),
        )
    return states


def say(computed: TraitRules, states: dict[str, Any], day: float) -> dict[str, Any]:
    return computed.values(states, to_ms(T0) + round(day * DAY), BERLIN)


# --- what each kind says ------------------------------------------------------------------


def test_an_amount_is_exact_where_binary_fractions_are_not() -> None:
    computed = rules(Sum("spent", "bought", event.total))

    states = learn(computed, *[(n, {"total": 0.1}) for n in range(3)])

    assert say(computed, states, 3) == {"spent": 0.3}


def test_amounts_beyond_what_json_numbers_hold_are_exact() -> None:
    computed = rules(Sum("spent", "bought", event.total))

    states = learn(
        computed, *[(n, {"total": 1e15}) for n in range(3)], (4, {"total": 0.000001})
    )

    assert states["spent"][1] == "3000000000000000000001"
    assert say(computed, states, 5) == {"spent": 3e15}


@pytest.mark.parametrize(
    "total",
    [None, "12", True, [1], float("nan"), float("inf"), 1e16],
    ids=["none", "text", "true", "list", "nan", "infinite", "huge"],
)
def test_what_is_no_amount_does_not_count(total: object) -> None:
    computed = rules(
        Sum("spent", "bought", event.total), Max("most", "bought", event.total)
    )

    states = learn(computed, (0, {"total": total}))

    assert states == {}
    assert say(computed, states, 0) == {"spent": 0}


def test_an_event_feeds_a_trait_once_whichever_of_its_conditions_hold() -> None:
    computed = rules(
        Count("n", [on("bought", where=event.x > 1), on("bought", where=event.x > 2)])
    )

    states = learn(computed, (0, {"x": 3}), (1, {"x": 1}))

    assert say(computed, states, 1) == {"n": 1}


def test_an_event_that_says_nothing_leaves_the_states_alone() -> None:
    computed = rules(Count("n", on("bought", where=event.x > 1)))
    states = learn(computed, (0, {"x": 3}))

    after = computed.learned(
        states,
        {"x": 0},
        name="bought",
        occurred_at=to_ms(T0),
        at=to_ms(T0),
        zone=BERLIN,
        scope=Scope(),
    )

    assert after is states


def test_a_late_event_takes_its_place_by_its_own_time() -> None:
    computed = rules(
        First("first", "bought", event.x),
        Last("last", "bought", event.x),
        Last("last_at", "bought"),
    )

    states = learn(computed, (5, {"x": "b"}), (2, {"x": "a"}))

    assert say(computed, states, 6) == {
        "first": "a",
        "last": "b",
        "last_at": "2026-06-06T12:00:00Z",
    }


def test_a_window_of_days_follows_the_clocks_of_the_customer() -> None:
    computed = rules(Count("n", "bought", within=days(7)))
    at = to_ms(datetime(2026, 10, 20, 10, tzinfo=UTC))  # clocks go back on the 25th
    states = computed.learned(
        {}, {}, name="bought", occurred_at=at, at=at, zone=BERLIN, scope=Scope()
    )

    due = computed.next_change("n", states, at, BERLIN)

    assert due == at + 7 * DAY + 3_600_000
    assert computed.value("n", states, due - 1, BERLIN) == 1
    assert computed.value("n", states, due, BERLIN) == 0
    assert computed.next_change("n", states, due, BERLIN) == LATEST


def test_older_events_of_a_window_leave_it_in_slices() -> None:
    computed = rules(Count("n", "bought", within=days(24), exact=2))
    states = learn(computed, *[(n / 10, {}) for n in range(100)])

    counts = [say(computed, states, 24 + n / 10)["n"] for n in range(101)]

    assert counts == sorted(counts, reverse=True)
    assert counts[0] == pytest.approx(100, abs=8)
    assert all(abs(count - (100 - n)) <= 8 for n, count in enumerate(counts))
    assert counts[-1] == 0


def test_distinct_values_are_estimated_when_there_are_many() -> None:
    computed = rules(
        Distinct("exact", "bought", event.x, exact=256),
        Distinct("rough", "bought", event.x, exact=8),
    )

    states = learn(computed, *[(n / 100, {"x": f"v{n % 200}"}) for n in range(400)])

    said = say(computed, states, 5)
    assert said["exact"] == 200
    assert said["rough"] == pytest.approx(200, rel=0.15)


def test_one_and_yes_and_the_text_of_one_are_three_values() -> None:
    computed = rules(Distinct("n", "bought", event.x))

    states = learn(
        computed, *[(n, {"x": x}) for n, x in enumerate([1, 1.0, True, "1"])]
    )

    assert say(computed, states, 5) == {"n": 3}


def test_of_values_that_came_equally_often_the_latest_is_the_favorite() -> None:
    computed = rules(
        MostFrequent("brand", "bought", event.x),
        MostFrequent("lately", "bought", event.x, within=days(3)),
    )

    states = learn(computed, *[(n, {"x": x}) for n, x in enumerate("aabbc")])

    assert say(computed, states, 4.5) == {"brand": "b", "lately": "b"}
    assert say(computed, states, 6.5) == {"brand": "b", "lately": "c"}
    assert say(computed, states, 9) == {"brand": "b"}


def test_a_frequent_value_is_not_lost_among_many_rare_ones() -> None:
    computed = rules(MostFrequent("brand", "bought", event.x, exact=4))
    told = [(n / 10, {"x": "often" if n % 3 == 0 else f"rare-{n}"}) for n in range(90)]

    states = learn(computed, *told)

    assert say(computed, states, 10) == {"brand": "often"}


def test_recent_values_stand_the_newest_first_and_each_once() -> None:
    computed = rules(Recent("seen", "bought", event.sku, limit=3))

    states = learn(computed, *[(n, {"sku": sku}) for n, sku in enumerate("abacda")])

    assert say(computed, states, 6) == {"seen": ["a", "d", "c"]}


def test_the_favorite_hour_is_that_of_the_zone_in_which_the_customer_is_now() -> None:
    computed = rules(FavoriteHour("hour", "bought"))
    states = learn(computed, (0, {}), (1, {}), (1.3, {}))

    assert computed.value("hour", states, to_ms(T0), BERLIN) == 14
    tokyo = ZoneInfo("Asia/Tokyo")
    assert computed.value("hour", states, to_ms(T0), tokyo) == 21


def test_the_favorite_channel_is_that_of_messages_engaged_with() -> None:
    computed = rules(FavoriteChannel("channel"))

    states = learn(
        computed,
        (0, {"channel": "email"}),
        (1, {"channel": "push"}),
        (2, {"channel": "push"}),
        name="message.clicked",
    )

    assert say(computed, states, 3) == {"channel": "push"}
    assert computed.hears == {"message.clicked", "message.opened", "message.replied"}


def test_cadence_needs_two_events_and_what_is_expected_three() -> None:
    computed = rules(
        Cadence("gap", "bought"),
        Expected("due", "bought", factor=2),
        Average("a", "x", event.y),
    )

    one, two, three = (
        learn(computed, *[(4 * n, {}) for n in range(k)]) for k in (1, 2, 3)
    )

    assert say(computed, one, 1) == {}
    assert say(computed, two, 5) == {"gap": 4}
    assert say(computed, three, 9) == {"gap": 4, "due": "2026-06-17T12:00:00Z"}


def test_rfm_scores_by_thresholds_and_fades_with_time() -> None:
    computed = rules(
        Rfm(
            "rfm",
            "bought",
            event.total,
            recency=[days(10), days(20)],
            frequency=[2, 4],
            monetary=[100, 200],
            within=days(30),
        )
    )
    states = learn(computed, (0, {"total": 90}), (1, {"total": 110}), (2, {"total": 1}))

    scores = {}
    at = to_ms(T0) + 2 * DAY
    while at < LATEST:
        scores[(at - to_ms(T0)) // DAY] = computed.value("rfm", states, at, BERLIN)[
            "score"
        ]  # type: ignore[index]
        at = computed.next_change("rfm", states, at, BERLIN)

    assert scores == {
        2: "323",
        12: "223",
        22: "123",
        30: "122",
        31: "111",
        32: "111",
    }
    assert say(computed, {}, 0) == {}


def test_text_is_cut_to_the_room_that_there_is() -> None:
    computed = rules(Last("last", "bought", event.x), Recent("seen", "bought", event.x))

    states = learn(computed, (0, {"x": "ä" * 500}))

    assert say(computed, states, 1) == {"last": "ä" * 64, "seen": ["ä" * 32]}


# --- definitions --------------------------------------------------------------------------


def test_the_state_of_another_definition_counts_as_none() -> None:
    before = rules(Count("n", "bought"), Count("other", "bought"))
    states = learn(before, (0, {}), (1, {}))
    after = rules(Count("n", "bought", within=days(30)), Count("other", "bought"))

    assert say(after, states, 2) == {"n": 0, "other": 2}


def test_thresholds_only_read_a_state_and_keep_it() -> None:
    before = rules(Rfm("rfm", "bought", event.total))
    states = learn(before, (0, {"total": 300}))
    after = rules(Rfm("rfm", "bought", event.total, monetary=[100]))

    said = after.value("rfm", states, to_ms(T0), BERLIN)

    assert said == {"recency": 5, "frequency": 1, "monetary": 2, "score": "512"}


def test_what_nobody_declares_any_more_goes_with_the_next_write() -> None:
    states = learn(rules(Count("old", "bought"), Count("n", "bought")), (0, {}))
    after = rules(Count("n", "bought"))

    states = after.learned(
        states,
        {},
        name="bought",
        occurred_at=to_ms(T0),
        at=to_ms(T0),
        zone=BERLIN,
        scope=Scope(),
    )

    assert states.keys() == {"n"}


def test_a_damaged_plan_document_says_which_trait_it_is() -> None:
    with pytest.raises(DefinitionError, match="trait 'n' is damaged"):
        TraitRules.compile([{"type": "count", "name": "n"}])


def test_a_field_of_a_later_release_changes_no_state() -> None:
    document = Count("n", "bought").to_plan()

    (old,) = TraitRules.compile([document]).rules.values()
    (new,) = TraitRules.compile([{**document, "later": None}]).rules.values()

    assert old.mark == new.mark


# --- what conditions see ------------------------------------------------------------------


def draft_with(customer: Customer) -> Draft:
    return Draft(customer, now=to_ms(T0), explain=False)


def test_conditions_see_traits_the_stage_and_scores() -> None:
    computed = rules(Count("orders", "bought"), Last("last", "bought"))
    customer = replace(
        created("ada", to_ms(T0)),
        traits=learn(computed, (0, {})),
        stage="retention",
        staged_at=to_ms(T0),
        scores={"churn": Score(0.7, to_ms(T0)), "orders": Score(9, 0)},
    )

    view = computed.view(draft_with(customer))

    assert dict(view) == {
        "orders": 1,
        "last": "2026-06-01T12:00:00Z",
        "stage": "retention",
        "stage_since": "2026-06-01T12:00:00Z",
        "churn": 0.7,
        "churn_at": "2026-06-01T12:00:00Z",
        "orders_at": "1970-01-01T00:00:00Z",
    }
    assert len(view) == 7
    assert "nothing" not in view
    assert view.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        view["nothing"]


def test_hidden_traits_are_seen_by_who_knows_their_name_alone() -> None:
    document = {**Count("n", "bought").to_plan(), "name": "~journey/0"}
    computed = TraitRules.compile([document])

    view = computed.view(draft_with(created("ada", to_ms(T0))))

    assert view["~journey/0"] == 0
    assert list(view) == []


# --- in reactions -------------------------------------------------------------------------


def catalog_with(*traits: Trait, journeys: tuple[Journey, ...] = ()) -> Catalog:
    return Catalog.compile(
        journeys, policies=Policies(), audience=audience_plan(traits)
    )


def after(catalog: Catalog, *events: Event) -> Customer:
    customer: Customer | None = None
    for each in events:
        customer = react(customer, each, catalog=catalog, now=each.received_at).customer
    assert customer is not None
    return customer


def counted(catalog: Catalog, customer: Customer) -> object:
    return catalog.traits.value("n", customer.traits, customer.clock, BERLIN)


def test_an_event_that_no_journey_hears_feeds_a_trait() -> None:
    catalog = catalog_with(Count("n", "order.placed"))

    ada = after(catalog, make_event("order.placed"), make_event("page.viewed"))

    assert counted(catalog, ada) == 1


def test_the_same_event_again_counts_once() -> None:
    catalog = catalog_with(Count("n", "order.placed"))
    twice = make_event("order.placed", id="o-1")

    assert counted(catalog, after(catalog, twice, twice)) == 1


def test_test_traffic_and_machines_feed_nothing() -> None:
    catalog = catalog_with(Count("n", ["order.placed", "message.opened"]))

    ada = after(
        catalog,
        make_event("order.placed", test=True),
        make_event("message.opened", automated=True, channel="email"),
        make_event("message.opened", channel="email"),
    )

    assert counted(catalog, ada) == 1


def test_an_event_that_is_too_late_for_journeys_feeds_a_trait_in_its_place() -> None:
    catalog = catalog_with(Last("n", "order.placed", event.x))
    late = replace(
        make_event("order.placed", x="early", id="late"),
        occurred_at=datetime(2025, 1, 1, tzinfo=UTC),
    )

    ada = after(catalog, make_event("order.placed", x="new", id="new"), late)

    assert counted(catalog, ada) == "new"


@pytest.mark.parametrize(("public", "count"), [(True, 1), (False, 0)])
def test_what_happens_between_journeys_feeds_a_trait_if_it_is_published(
    public: bool, count: int
) -> None:
    journey = Journey(
        "j", trigger=on("start"), steps=[Emit("offer.made", public=public)]
    )
    catalog = catalog_with(Count("n", "offer.made"), journeys=(journey,))

    assert counted(catalog, after(catalog, make_event("start"))) == count


def test_without_traits_nothing_is_computed() -> None:
    assert catalog_with().traits.hears == frozenset()
    assert NO_TRAITS.rules == {}


def test_traits_that_were_computed_again_replace_those_that_are_named() -> None:
    catalog = catalog_with(Count("n", "order.placed"), Count("other", "order.placed"))
    ada = after(catalog, make_event("order.placed"))
    recount = Recount(catalog.traits, BERLIN)
    for n in range(3):
        recount.add(make_event("order.placed", id=f"{n}"))
    told = Recomputed(
        id="work",
        customer="ada",
        traits=recount.states(ada.clock),
        names=("n",),
        received_at=T0,
    )

    reaction = react(ada, told, catalog=catalog, now=T0)

    assert counted(catalog, reaction.customer) == 3
    assert catalog.traits.value("other", reaction.customer.traits, 0, BERLIN) == 1
    assert [(e.kind, e.detail) for e in reaction.trace] == [("traits", {"count": 1})]
    assert reaction.customer.clock == ada.clock
    again = react(reaction.customer, told, catalog=catalog, now=T0)
    assert again.customer is reaction.customer


def test_a_recount_takes_what_comes_again_once_and_the_past_always_once() -> None:
    computed = rules(Count("n", "order.placed"))
    recount = Recount(computed, BERLIN)
    same = make_event("order.placed", id="o")
    days_later = datetime(2026, 7, 1, tzinfo=UTC)

    recount.add(same)
    recount.add(same)
    recount.add(replace(same, received_at=days_later))  # so late nobody knows it again
    recount.add(replace(same, id="p", history=True))
    recount.add(replace(same, id="p", history=True, received_at=days_later))
    recount.add(replace(same, id="q", test=True))

    assert (
        computed.value("n", recount.states(to_ms(days_later)), to_ms(T0), BERLIN) == 3
    )


def test_a_future_that_is_no_matter_of_clocks_is_taken_for_now() -> None:
    computed = rules(Last("n", "order.placed"))
    recount = Recount(computed, BERLIN)

    recount.add(
        replace(
            make_event("order.placed"), occurred_at=datetime(2030, 1, 1, tzinfo=UTC)
        )
    )

    said = computed.value("n", recount.states(to_ms(T0)), to_ms(T0), BERLIN)
    assert said == make_event("x").received_at.isoformat().replace("+00:00", "Z")


def test_a_window_of_hours_is_elapsed_time() -> None:
    computed = rules(Count("n", "bought", within=hours(24)))
    states = learn(computed, (0, {}))

    assert computed.next_change("n", states, to_ms(T0), BERLIN) == to_ms(T0) + DAY


# --- windows of the calendar --------------------------------------------------------------


SLIDING = [
    Count("it", "bought", within=months(1)),
    Distinct("it", "bought", event.n, within=months(1)),
    MostFrequent("it", "bought", event.n, within=months(1)),
    Recent("it", "bought", event.n, within=months(1)),
]


@pytest.mark.parametrize("trait", SLIDING, ids=lambda trait: type(trait).__name__)
def test_who_comes_first_need_not_leave_a_window_first(trait: Trait) -> None:
    # A month after the 31st of January is the 28th of February, as it is after the 29th.
    early, late = (
        to_ms(datetime.fromisoformat(text))
        for text in ("2026-01-29T12:00:00Z", "2026-01-31T09:00:00Z")
    )
    computed, zone = rules(trait), ZoneInfo("UTC")
    states: dict[str, Any] = {}
    for n, at in enumerate((early, late)):
        states = computed.learned(
            states,
            {"n": n},
            name="bought",
            occurred_at=at,
            at=at,
            zone=zone,
            scope=Scope(),
        )

    said, at = [], late
    while (at := computed.next_change("it", states, at, zone)) < LATEST:
        pruned = computed.pruned(states, at, zone)
        said.append((isoformat(at), len(pruned)))

    assert said == [("2026-02-28T09:00:00Z", 1), ("2026-02-28T12:00:00Z", 0)]
    value = computed.values(states, to_ms(datetime(2026, 2, 28, 10, tzinfo=UTC)), zone)
    assert value["it"] in (1, 0, [0]), "the one of the 29th is there"
