"""Three models by plain rules, and journeys that make the next best offer of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, strategies as st

import journeykit_propensity
from journeykit.engine.calendar import to_ms
from journeykit.local.embedded import Embedded
from journeykit.model.events import PLACEMENT_REQUESTED, Event
from journeykit.plugins import Registry, plugin_manager
from journeykit.runtime.placements import Shown
from journeykit.scoring import Features, Score
from journeykit.testing import ScoreContract, make_features
from journeykit.workspace import Workspace
from journeykit_propensity import Churn, CrossSell, Upsell

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXAMPLE = Path(__file__).parent.parent / "example"


def known(**traits: Any) -> Features:
    """A customer with these traits; `silent_days` says when they last bought."""
    profile, scores = traits.pop("profile", {}), traits.pop("scores", {})
    silent = traits.pop("silent_days", None)
    if silent is not None:
        traits["last_order"] = (NOW - timedelta(days=silent)).isoformat()
    return Features(
        customer="ada",
        created_at=NOW - timedelta(days=400),
        now=NOW,
        profile=profile,
        traits=traits,
        scores=scores,
    )


def asked(score: Score, features: Features, **settings: object) -> Any:
    return score.configured(settings).score(features)


class TestChurn(ScoreContract):
    scored: ClassVar = (known(silent_days=3), known(silent_days=90, order_cadence=2.0))
    silent: ClassVar = (make_features(), make_features(traits={"last_order": "once"}))
    bad_settings: ClassVar = ({"usual_days": 0}, {"rhythm": 7}, {"last": 7})

    def score(self) -> Score:
        return Churn()


class TestUpsell(ScoreContract):
    scored: ClassVar = (
        known(orders=3),
        known(orders=9, order_value=4.0, recent_order_value=9.0, scores={"churn": 0.2}),
    )
    silent: ClassVar = (make_features(), known(orders=3, profile={"plan": "gold"}))
    bad_settings: ClassVar = ({"weight_of_growth": 2}, {"loyal_orders": 0})

    def score(self) -> Score:
        return Upsell().configured({"top_plans": ["gold"]})


class TestCrossSell(ScoreContract):
    scored: ClassVar = (
        known(recent_categories=["shoes"]),
        known(recent_categories=["hats", "shoes"]),
    )
    silent: ClassVar = (make_features(), known(recent_categories=["shoes", "socks"]))
    bad_settings: ClassVar = ({"goes_with": ["shoes"]}, {"otherwise": "shoes"})

    def score(self) -> Score:
        return CrossSell().configured({"goes_with": {"shoes": ["socks"]}})


# Churn


@pytest.mark.parametrize(
    ("times", "expected"),
    [(0, 0.0067), (1, 0.0759), (2, 0.5), (3, 0.9241), (40, 1.0)],
    ids=["today", "in rhythm", "late", "very late", "gone"],
)
def test_who_is_silent_for_longer_than_usual_may_leave(
    times: int, expected: float
) -> None:
    features = known(silent_days=10 * times, order_cadence=10.0)

    assert asked(Churn(), features) == expected


def test_who_has_no_rhythm_yet_has_that_of_the_shop() -> None:
    assert asked(Churn(), known(silent_days=90)) == 0.5
    assert asked(Churn(), known(silent_days=90), usual_days=90) < 0.1


def test_a_few_purchases_in_a_row_make_no_rhythm() -> None:
    assert asked(Churn(), known(silent_days=7, order_cadence=0.01)) < 0.1


def test_of_who_never_bought_nothing_is_said() -> None:
    assert asked(Churn(), known()) is None
    assert asked(Upsell(), known()) is None
    assert asked(CrossSell(), known(), otherwise=["shoes"]) is None


@given(
    silent=st.floats(0, 10_000),
    longer=st.floats(0, 10_000),
    cadence=st.none() | st.floats(0, 10_000),
)
def test_churn_is_a_share_and_silence_never_makes_it_less(
    silent: float, longer: float, cadence: float | None
) -> None:
    traits = {} if cadence is None else {"order_cadence": cadence}

    first = asked(Churn(), known(silent_days=silent, **traits))
    then = asked(Churn(), known(silent_days=silent + longer, **traits))

    assert 0 <= first <= then <= 1


# Upsell


def test_who_is_loyal_and_spends_more_may_want_more() -> None:
    features = known(orders=8, order_value=40.0, recent_order_value=60.0)

    assert asked(Upsell(), features) == 1.0


def test_loyalty_and_growth_count_each_for_its_share() -> None:
    loyal = known(orders=8, order_value=40.0, recent_order_value=40.0)
    new = known(orders=2, order_value=40.0, recent_order_value=60.0)

    assert asked(Upsell(), loyal) == 0.5
    assert asked(Upsell(), new) == 0.625
    assert asked(Upsell(), new, weight_of_growth=0) == 0.25


def test_who_may_leave_is_not_asked_for_more() -> None:
    features = known(orders=8, scores={"churn": 0.9})

    assert asked(Upsell(), features) == pytest.approx(0.05)
    assert asked(Upsell(), features, churn="") == 0.5


def test_who_has_the_highest_plan_cant_have_more() -> None:
    features = known(orders=8, profile={"plan": "gold"})

    assert asked(Upsell(), features, top_plans=["gold"]) is None
    assert asked(Upsell(), features, top_plans=["platinum"]) == 0.5


# Cross-sell

GOES = {"goes_with": {"shoes": ["socks", "care"], "coats": ["scarves"]}}


@pytest.mark.parametrize(
    ("bought", "expected"),
    [
        (["shoes"], "socks"),
        (["shoes", "socks"], "care"),
        (["coats", "shoes"], "scarves"),
        (["scarves", "coats", "shoes"], "socks"),
        (["hats"], "shoes"),
        (["shoes", "socks", "care"], None),
    ],
    ids=["best", "next best", "latest first", "has it", "otherwise", "has all"],
)
def test_what_goes_with_the_latest_purchase_is_offered_and_never_what_they_have(
    bought: list[str], expected: str | None
) -> None:
    features = known(recent_categories=bought)

    assert asked(CrossSell(), features, **GOES, otherwise=["shoes"]) == expected


def test_what_is_no_list_offers_nothing() -> None:
    assert asked(CrossSell(), known(recent_categories="shoes"), **GOES) is None


# The example


class Shop:
    """The example workspace at work, by the event clock and then by ours."""

    def __init__(self, embedded: Embedded) -> None:
        self.embedded = embedded
        self.now = NOW
        self._count = 0

    def orders(self, customer: str, *orders: tuple[int, str, float]) -> None:
        """Let somebody buy: how many days ago, of which category, for how much."""
        events = [
            self._event(
                "order.placed",
                customer,
                NOW - timedelta(days=ago),
                category=category,
                total=total,
            )
            for ago, category, total in sorted(orders, reverse=True)
        ]
        self.embedded.runtime.ingest(events, now=None)

    def _event(
        self, name: str, customer: str, at: datetime, **properties: object
    ) -> Event:
        self._count += 1
        return Event(
            id=f"e-{self._count}",
            name=name,
            customer=customer,
            occurred_at=at,
            received_at=at,
            properties=properties,
        )

    def score(self) -> None:
        pages = self.embedded.scoring.pages(self.embedded.store, now=to_ms(self.now))
        assert [page.failed for page in pages] == [{}]

    def shown(self, customer: str) -> Shown:
        event = self._event(
            PLACEMENT_REQUESTED, customer, self.now, placement="home-banner"
        )
        return self.embedded.decide(event, now=to_ms(self.now))

    def scores(self, customer: str) -> dict[str, object]:
        found = self.embedded.store.load([customer])[customer]
        return {name: score.value for name, score in found.scores.items()}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "inapp"})
    manager.register(journeykit_propensity, "propensity")
    registry = Registry.from_plugins(manager)
    workspace = Workspace.load(EXAMPLE)
    assert [one for one in workspace.check(registry) if one.level != "hint"] == []
    opened = Embedded.open(workspace, registry, data=tmp_path)
    with closing(opened) as embedded:
        embedded.publish(now=to_ms(NOW - timedelta(days=400)))
        yield Shop(embedded)


def test_who_bought_shoes_is_offered_what_goes_with_them(shop: Shop) -> None:
    shop.orders("ada", (20, "shoes", 80.0))
    shop.score()

    shown = shop.shown("ada")

    assert shop.scores("ada")["cross_sell"] == "socks"
    assert shown.journey == "cross-sell"
    assert shown.content is not None
    assert shown.content["title"] == "socks for you"


def test_who_is_loyal_and_spends_more_is_offered_more_and_then_what_goes_with_it(
    shop: Shop,
) -> None:
    shop.orders("ada", *((300 - 30 * n, "shoes", 40.0) for n in range(8)))
    shop.orders("ada", (30, "coats", 90.0), (1, "coats", 90.0))
    shop.score()

    assert [shop.shown("ada").journey for _ in range(3)] == [
        "upsell",
        "cross-sell",
        "news-for-all",
    ]


def test_of_who_is_new_nothing_is_known_and_the_news_are_shown(shop: Shop) -> None:
    shop.score()

    shown = shop.shown("new")

    assert shown.journey == "news-for-all"
    assert [one.journey for one in shown.reasons] == ["upsell", "cross-sell"]


def test_who_turns_silent_is_written_to_once_the_score_says_so(shop: Shop) -> None:
    shop.orders("ada", (40, "shoes", 40.0), (30, "shoes", 40.0), (20, "shoes", 40.0))
    shop.score()  # after twice their rhythm it is as likely as not
    assert shop.scores("ada")["churn"] == 0.5
    assert "stay" not in shop.embedded.store.load(["ada"])["ada"].past

    shop.now += timedelta(days=10)
    shop.score()

    assert shop.scores("ada")["churn"] == 0.9241
    assert shop.embedded.store.load(["ada"])["ada"].past["stay"].count == 1


def test_what_is_bought_meanwhile_is_not_offered_after_the_next_scoring(
    shop: Shop,
) -> None:
    shop.orders("ada", (20, "shoes", 80.0))
    shop.score()
    shop.orders("ada", (0, "socks", 8.0))
    shop.now += timedelta(days=1)

    shop.score()

    assert shop.scores("ada")["cross_sell"] == "care"
