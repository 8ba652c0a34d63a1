"""Points: what can be written, and what is refused with a way out."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from journeykit.errors import InputError
from journeykit.insight.points import (
    FATES,
    MARKS,
    EventPoint,
    MessagePoint,
    Point,
    RunPoint,
    StayPoint,
    StepPoint,
    point,
)

READ = {
    "order.placed": EventPoint("order.placed"),
    "Order Completed": EventPoint("Order Completed"),
    "order.placed where event.amount > 40": EventPoint(
        "order.placed", "event.amount > 40"
    ),
    "event:a/b": EventPoint("a/b"),
    "event:a@b where has(event.x)": EventPoint("a@b", "has(event.x)"),
    "welcome/send-1": StepPoint("welcome", "send-1"),
    "welcome/send-1@clicked": MessagePoint("welcome", "send-1", "clicked"),
    "welcome@sent": MessagePoint("welcome", "", "sent"),
    "*@delivered": MessagePoint("", "", "delivered"),
    "welcome@entered": RunPoint("welcome", "entered"),
    "welcome@exited:goal_reached": RunPoint("welcome", "exited", "goal_reached"),
    "welcome@goal:purchase": RunPoint("welcome", "goal", "purchase"),
    "stage:retention": StayPoint("stage", "retention"),
    "segment:vip": StayPoint("segment", "vip"),
}


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=READ)
def test_a_point_is_read(text: str, expected: Point) -> None:
    assert point(text) == expected


WRONG = {
    "": "1 to",
    "   ": "1 to",
    "Welcome/Send": "event:Welcome/Send",
    "welcome/": "welcome/send-1",
    "welcome@read": "one of entered, completed",
    "welcome/send-1@goal": "one of sent, delivered",
    "welcome@entered:x": "one of entered",
    "*@goal": "only messages are of any journey",
    "*/send-1@sent": "a step belongs to a journey",
    "*/send-1": "only messages are of any journey",
    "order.placed where event.amount >": "where 'event.amount >'",
    "order.placed where profile.vip == true": "not `profile`",
    "order.placed where event.at.olderThan('P1D')": "no now",
    "stage:Ret ention": "no name of a stage",
    "event:": "1 to 128",
    "x" * 129: "1 to 128",
    "x" * 5_000: "1 to",
}


@pytest.mark.parametrize(("text", "why"), WRONG.items(), ids=lambda text: text[:40])
def test_what_is_no_point_is_refused_with_a_way_out(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        point(text)

    assert why in str(caught.value)


IDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
NAMES = (
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
    .map(lambda name: name[:40])
    .filter(lambda name: " where " not in name)
)
POINTS = st.one_of(
    st.builds(EventPoint, NAMES, st.sampled_from([None, "event.amount > 1"])),
    st.builds(StepPoint, IDS, IDS),
    st.builds(RunPoint, IDS, st.sampled_from(MARKS)),
    st.builds(RunPoint, IDS, st.sampled_from(["goal", "exited", "failed"]), IDS),
    st.builds(MessagePoint, IDS, IDS, st.sampled_from(FATES)),
    st.builds(MessagePoint, st.just(""), st.just(""), st.sampled_from(FATES)),
    st.builds(StayPoint, st.sampled_from(["stage", "segment"]), IDS),
)


@given(POINTS)
def test_what_a_point_prints_reads_as_the_same_point(one: Point) -> None:
    assert point(str(one)) == one
