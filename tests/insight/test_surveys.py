"""Survey scores, reviews and tickets against counts by hand."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.insight.recording import record
from tests.insight.tables import DAY, START, emptied, put

from journeykit import Event, Journey, Send, Survey, days, on
from journeykit.errors import InputError
from journeykit.insight.satisfaction import Satisfaction, satisfaction
from journeykit.insight.sources import Logs
from journeykit.insight.surveys import SurveyFigures
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event, simulate

ASK = Journey(
    "ask",
    trigger=on("order.delivered"),
    steps=[
        Survey("email", "how-likely", kind="nps", survey="loyalty", within=days(7)),
        Send("email", "thanks"),
    ],
)
PEOPLE = ["ada", "ben", "cleo", "dan"]


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    with Warehouse.open(Logs([])) as opened:
        yield opened


def happened(name: str, customer: str, hour: int = 9, **options: Any) -> Event:
    return make_event(name, customer, at=f"2026-06-01T{hour:02}:00:00Z", **options)


DELIVERED = [happened("order.delivered", one) for one in PEOPLE]


def asked_of() -> dict[str, str]:
    """Who was asked by which message."""
    story = simulate(ASK, DELIVERED, explain=False)
    return {
        traced.customer: traced.entry.detail["delivery_id"]
        for traced in story.trace
        if traced.kind == "sent" and traced.step == "survey-nps"
    }


def answer(customer: str, delivery: str, score: int, hour: int, **more: Any) -> Event:
    return happened(
        "survey.answered",
        customer,
        hour,
        survey="loyalty",
        kind="nps",
        score=score,
        channel="email",
        delivery_id=delivery,
        **more,
    )


def told(
    name: str, at: int = START, person: int = 1, **properties: Any
) -> dict[str, Any]:
    told.count += 1  # type: ignore[attr-defined]
    number = told.count  # type: ignore[attr-defined]
    return {
        "event": number, "id": str(number), "source": "", "name": name,
        "person": person, "customer_known": True, "happened_ms": at,
        "received_ms": at, "test": False, "properties": json.dumps(properties),
    }  # fmt: skip


told.count = 0  # type: ignore[attr-defined]


def only(found: Satisfaction) -> SurveyFigures:
    (survey,) = found.surveys
    return survey


def test_a_message_is_answered_once_by_its_first_answer(tmp_path: Path) -> None:
    asked = asked_of()
    answers = [
        answer("ada", asked["ada"], 10, 10, text="lovely"),
        answer("ben", asked["ben"], 3, 11),
        answer("ada", asked["ada"], 0, 12),
    ]

    with Warehouse.open(record(tmp_path, ASK, [*DELIVERED, *answers])) as house:
        survey = only(satisfaction(house))

    assert (survey.survey, survey.kind, survey.asked, survey.people) == (
        "loyalty", "nps", 4, 4
    )  # fmt: skip
    assert (survey.response.count, survey.response.of) == (2, 4)
    assert survey.total.groups == {"promoter": 1, "passive": 0, "detractor": 1}
    assert (survey.total.score, survey.texts, survey.elsewhere) == (0, 1, 0)
    assert survey.median_ms == 1.5 * 3_600_000


def test_what_other_tools_asked_counts_beside(empty: Warehouse) -> None:
    put(
        emptied(empty),
        "events",
        [told("survey.answered", survey="x", kind="nps", score=9) for _ in range(3)],
    )

    survey = only(satisfaction(empty))

    assert (survey.asked, survey.elsewhere, survey.total.answers) == (0, 3, 3)
    assert survey.response.share is None
    assert survey.total.score == 100


def test_answers_to_test_messages_count_nowhere(tmp_path: Path) -> None:
    events = [happened("order.delivered", "ada", test=True)]
    delivery = next(
        traced.entry.detail["delivery_id"]
        for traced in simulate(ASK, events, explain=False).trace
        if traced.kind == "sent"
    )
    events.append(answer("ada", delivery, 9, 10))  # the answer doesn't know that

    with Warehouse.open(record(tmp_path, ASK, events)) as house:
        assert satisfaction(house).surveys == []


def test_an_answer_beyond_the_scale_is_left_out_and_told(empty: Warehouse) -> None:
    wrong: list[Any] = [11, -1, 4.5, "many", None]
    put(
        emptied(empty),
        "events",
        [told("survey.answered", survey="x", kind="nps", score=one) for one in wrong]
        + [told("survey.answered", survey="x", kind="guess", score=1)]
        + [told("survey.answered", survey="x", kind="nps", score=7)],
    )

    found = satisfaction(empty)

    assert only(found).total.answers == 1
    assert found.notes[0].startswith("6 of 7 answers have no score")


def test_free_text_is_counted_and_not_shown(empty: Warehouse) -> None:
    put(
        emptied(empty),
        "events",
        [
            told("survey.answered", survey="x", kind="text", text="my secret"),
            told("survey.answered", survey="x", kind="text", text=""),
        ],
    )

    found = satisfaction(empty)

    assert (only(found).texts, only(found).total.answers) == (1, 1)
    assert "secret" not in repr(found)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["nps", "csat", "ces"]),
            st.integers(1, 5),
            st.integers(0, 30),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_scores_are_those_of_a_count_by_hand(
    empty: Warehouse, answers: list[tuple[str, int, int]]
) -> None:
    put(
        emptied(empty),
        "events",
        [
            told(
                "survey.answered",
                START + day * DAY,
                survey="s",
                kind=kind,
                score=score,
                channel="email" if day % 2 else "sms",
            )
            for kind, score, day in answers
        ],
    )

    found = satisfaction(empty, per="week")

    assert {one.kind for one in found.surveys} == {kind for kind, _, _ in answers}
    for survey in found.surveys:
        scores = [score for kind, score, _ in answers if kind == survey.kind]
        assert survey.total.score == pytest.approx(_by_hand(survey.kind, scores))
        assert survey.total.mean == pytest.approx(statistics.mean(scores))
        assert +Counter(survey.total.distribution) == Counter(scores)
        assert sum(survey.total.groups.values()) == len(scores)
        if survey.total.interval is not None and survey.kind != "nps":
            assert survey.total.score in survey.total.interval
        weeks: dict[int, list[int]] = {}
        for kind, score, day in answers:
            if kind == survey.kind:
                weeks.setdefault(day // 7, []).append(score)
        assert [one.score for one in survey.trend] == [
            pytest.approx(_by_hand(survey.kind, weeks[week])) for week in sorted(weeks)
        ]
        assert sum(one.answers for one in survey.channels) == len(scores)


def _by_hand(kind: str, scores: list[int]) -> float:
    if kind == "nps":
        up, down = sum(s >= 9 for s in scores), sum(s <= 6 for s in scores)
        return 100 * (up - down) / len(scores)
    if kind == "csat":
        return 100 * sum(s >= 4 for s in scores) / len(scores)
    return statistics.mean(scores)


def test_one_survey_can_be_asked_for(empty: Warehouse) -> None:
    put(
        emptied(empty),
        "events",
        [told("survey.answered", survey=one, kind="ces", score=7) for one in "ab"],
    )

    assert only(satisfaction(empty, survey="b")).survey == "b"
    with pytest.raises(InputError, match="these were: 'a', 'b'"):
        satisfaction(empty, survey="c")


def test_nothing_said_is_nothing(empty: Warehouse) -> None:
    found = satisfaction(emptied(empty))

    assert (found.surveys, found.reviews, found.tickets, found.notes) == (
        [], None, None, []
    )  # fmt: skip


def test_reviews_of_all_scales_are_brought_to_five_stars(empty: Warehouse) -> None:
    put(
        emptied(empty),
        "events",
        [
            told("review.posted", START, 1, rating=5),
            told("review.posted", START, 2, rating=8, scale=10),
            told("review.posted", START + 7 * DAY, 2, rating=20, scale=100),
            told("review.posted", START, 3, rating=9),
            told("review.posted", START, 3, rating=1, scale=0),
        ],
    )

    found = satisfaction(empty, per="week")

    reviews = found.reviews
    assert reviews is not None
    assert (reviews.total.count, reviews.total.mean, reviews.people) == (3, 10 / 3, 2)
    assert reviews.distribution == {1: 1, 2: 0, 3: 0, 4: 1, 5: 1}
    assert (reviews.good.count, reviews.poor.count) == (2, 1)
    assert [one.mean for one in reviews.trend] == [4.5, 1]
    assert found.notes == [
        "2 reviews have no rating within their scale, and are left out"
    ]


def test_tickets_count_once_from_opening_to_closing(empty: Warehouse) -> None:
    hour = 3_600_000
    put(
        emptied(empty),
        "events",
        [
            told("ticket.opened", START, 1, ticket="a", topic="bill", priority="low"),
            told("ticket.closed", START + hour, 1, ticket="a", rating=4),
            told("ticket.opened", START + 2 * hour, 1, ticket="a"),
            told(
                "ticket.opened", START, 2, ticket="b", topic="bill", priority="urgent"
            ),
            told("ticket.closed", START + 9 * hour, 2, ticket="b", minutes=30),
            told("ticket.opened", START + 8 * DAY, 2, ticket="c"),
            told("ticket.closed", START, 3, ticket="never opened"),
        ],
    )

    tickets = satisfaction(empty, per="week").tickets

    assert tickets is not None
    assert (tickets.opened, tickets.people, tickets.reopened) == (3, 2, 1)
    assert (tickets.closed.count, tickets.median_minutes) == (2, 45)
    assert tickets.share_of_people.of == 3
    assert tickets.rating.mean == 4
    assert [(one.name, one.opened) for one in tickets.topics] == [("bill", 2), ("", 1)]
    assert [one.name for one in tickets.priorities] == ["urgent", "low", ""]
    assert [(one.opened, one.closed) for one in tickets.trend] == [(2, 2), (1, 0)]
