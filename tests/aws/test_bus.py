from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st
from moto.events.models import EventPattern
from msgspec.structs import replace
from tests.aws.wire import Wire

from journeykit import Catalog, Journey, Policies, Send, pattern
from journeykit.aws.bus import (
    EVERYTHING,
    HTTP,
    JOURNEYS,
    MAX_ENTRY,
    Bus,
    entry_size,
    event_of,
    names_of,
    patterns_of,
)
from journeykit.aws.clients import client
from journeykit.aws.queues import Unsendable
from journeykit.engine import facts
from journeykit.engine.commands import PublishEvent
from journeykit.engine.patterns import Pattern
from journeykit.errors import StoreBusy, StoreError
from journeykit.model.events import CUSTOMER_ALIASED, IDENTITY_CONFLICT, Event
from journeykit.testing.store_contract.samples import NOW, make_stimuli

BUS = "journeys"
PREFIX = "journeykit-listen-"
SENT_AT = datetime(2026, 6, 1, 12, 30, 1, tzinfo=UTC)
EVENT = make_stimuli()[0]
assert isinstance(EVENT, Event)


class World:
    """A bus, the queue that it fills, and time that passes."""

    def __init__(self) -> None:
        self.events: Any = client("events")
        self.sqs: Any = client("sqs")
        self.events.create_event_bus(Name=BUS)
        self.url = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        self.arn = "arn:aws:sqs:eu-central-1:123456789012:events"
        self.waits: list[float] = []
        self.seconds = 0.0
        self.bus = self.new_bus()

    def new_bus(self) -> Bus:
        return Bus(self.events, BUS, sleep=self.wait, seconds=lambda: self.seconds)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    def listen(self, *names: str) -> list[str]:
        return self.bus.listen(names, prefix=PREFIX, target_arn=self.arn)

    def rules(self) -> dict[str, Any]:
        found = self.events.list_rules(EventBusName=BUS)["Rules"]
        return {rule["Name"]: rule for rule in found}

    def heard(self, *names: str, source: str = "shop") -> list[str]:
        """Which of these events come to the queue."""
        for name in names:
            self.events.put_events(
                Entries=[
                    {
                        "Source": source,
                        "DetailType": name,
                        "Detail": '{"customer": "ada"}',
                        "EventBusName": BUS,
                    }
                ]
            )
        return [envelope["detail-type"] for envelope in self.envelopes()]

    def envelopes(self) -> list[Any]:
        found = []
        while batch := self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=600
        ).get("Messages"):
            found += [json.loads(message["Body"]) for message in batch]
        return found


@pytest.fixture
def world() -> World:
    return World()


def many(count: int) -> list[str]:
    return [f"event number {n:05}" for n in range(count)]


# --- events go out -------------------------------------------------------------------


def test_what_our_http_door_puts_on_the_bus_comes_in_as_it_was(world: World) -> None:
    world.listen(EVENT.name)

    world.bus.put([EVENT])

    (envelope,) = world.envelopes()
    assert envelope["source"] == HTTP
    assert event_of(envelope, SENT_AT) == EVENT
    assert event_of(json.dumps(envelope), SENT_AT) == EVENT
    assert event_of(json.dumps(envelope).encode(), SENT_AT) == EVENT


def test_what_journeys_publish_goes_to_others_and_does_not_come_back(
    world: World,
) -> None:
    world.listen("cart.rescued")
    world.events.put_rule(
        Name="others",
        EventBusName=BUS,
        EventPattern=json.dumps({"source": [JOURNEYS]}),
    )
    target = {"Id": "1", "Arn": world.arn}
    world.events.put_targets(Rule="others", EventBusName=BUS, Targets=[target])

    world.bus.put(
        [PublishEvent("e1", "cart.rescued", "ada", {"sum": 2.5}, NOW, test=True)]
    )

    (envelope,) = world.envelopes()  # by the others' rule only
    assert envelope["source"] == JOURNEYS
    assert envelope["detail-type"] == "cart.rescued"
    assert envelope["detail"] == {
        "customer": "ada",
        "id": "e1",
        "occurred_at": "2026-05-28T20:26:40Z",
        "test": True,
        "properties": {"sum": 2.5},
    }
    assert event_of(envelope, SENT_AT) is None


def test_events_go_ten_at_a_time(world: World) -> None:
    wire = Wire(world.events)

    world.bus.put([])
    world.bus.put([replace(EVENT, id=str(n)) for n in range(21)])

    assert wire.sent == ["PutEvents"] * 3


class Scale:
    """A client that weighs what it is to put."""

    def __init__(self) -> None:
        self.requests: list[list[int]] = []

    def put_events(self, *, Entries: Any) -> Any:
        self.requests.append(
            [
                len(f"{it['Source']}{it['DetailType']}{it['Detail']}".encode())
                for it in Entries
            ]
        )
        return {"Entries": [{"EventId": "1"}] * len(Entries)}


@given(sizes=st.lists(st.integers(0, MAX_ENTRY), max_size=25))
def test_requests_are_within_what_eventbridge_takes(sizes: Sequence[int]) -> None:
    scale: Any = Scale()
    events = [replace(EVENT, properties={"x": "é" * (size // 2)}) for size in sizes]
    too_large = [n for n, it in enumerate(events) if entry_size(it) > MAX_ENTRY]

    if too_large:
        with pytest.raises(Unsendable) as caught:
            Bus(scale, BUS).put(events)
        assert list(caught.value.refused) == too_large
    else:
        Bus(scale, BUS).put(events)

    assert list(itertools.chain(*scale.requests)) == [
        entry_size(event) for event in events if entry_size(event) <= MAX_ENTRY
    ]
    assert all(len(request) <= 10 for request in scale.requests)
    assert all(sum(request) < 1_000_000 for request in scale.requests)


def test_the_rest_of_a_request_is_put_again(world: World) -> None:
    world.listen(EVENT.name)
    Wire(world.events).answer(
        "PutEvents",
        {
            "FailedEntryCount": 2,
            "Entries": [
                {"EventId": "1"},
                {"ErrorCode": "InternalFailure"},
                {"ErrorCode": "ThrottlingException"},
            ],
        },
    )

    world.bus.put([replace(EVENT, id=id) for id in ("a", "b", "c")])

    assert sorted(it["detail"]["id"] for it in world.envelopes()) == ["b", "c"]
    assert len(world.waits) == 1


def test_a_bus_that_stays_busy_is_given_up_in_the_end(world: World) -> None:
    wire = Wire(world.events)
    busy = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
    wire.answer("PutEvents", busy, times=99)

    with pytest.raises(StoreBusy, match="'journeys' did not take 1 events"):
        world.bus.put([EVENT])

    assert len(wire.sent) == 5


def test_an_event_that_is_refused_stops_nobody_else(world: World) -> None:
    world.listen(EVENT.name)
    large = replace(EVENT, properties={"x": "a" * MAX_ENTRY})
    Wire(world.events).answer(
        "PutEvents",
        {
            "FailedEntryCount": 2,
            "Entries": [
                {"ErrorCode": "MalformedDetail"},
                {"ErrorCode": "InternalFailure"},
            ],
        },
    )

    with pytest.raises(Unsendable, match="2 of 3") as caught:
        world.bus.put([EVENT, large, replace(EVENT, id="b")])

    assert set(caught.value.refused) == {0, 1}
    assert [it["detail"]["id"] for it in world.envelopes()] == ["b"]


def test_a_right_that_is_missing_is_the_operators(world: World) -> None:
    code = "NotAuthorizedForSourceException"
    Wire(world.events).answer(
        "PutEvents", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code}]}
    )

    with pytest.raises(StoreError, match=code) as caught:
        world.bus.put([EVENT])

    assert not isinstance(caught.value, StoreBusy | Unsendable)


# --- patterns ------------------------------------------------------------------------


def matches(pattern: str, name: str, source: str = "shop") -> bool:
    event: Any = {"detail-type": name, "source": source, "detail": {"customer": "a"}}
    return EventPattern(None, json.loads(pattern)).matches_event(event)


characters = st.characters(exclude_categories=["Cs", "Cc"])
event_names = st.text(characters, min_size=1, max_size=128)


@given(names=st.sets(event_names, max_size=40), other=event_names)
def test_patterns_bring_in_what_is_heard_and_nothing_else(
    names: Collection[str], other: str
) -> None:
    patterns = patterns_of(names)

    for name in {*names, other}:
        found = [pattern for pattern in patterns if matches(pattern, name)]
        assert len(found) == (name in names), "once, or it would come twice"
        assert not any(matches(pattern, name, JOURNEYS) for pattern in patterns)
    assert all(len(pattern) <= 2048 for pattern in patterns)


@given(
    names=st.sets(event_names, max_size=40),
    kinds=st.sets(
        st.text("abcdefghijklmnopqrstuvwxyz0-", min_size=1, max_size=64), max_size=17
    ),
    data=st.data(),
)
def test_who_has_an_identifier_comes_in_whatever_happened(
    names: Collection[str], kinds: Collection[str], data: st.DataObject
) -> None:
    patterns = patterns_of(names, kinds=sorted(kinds))

    given_kinds = data.draw(st.sets(st.sampled_from([*kinds, "other"])))
    name = data.draw(st.sampled_from([*names, "page.viewed"]))
    detail = {"customer": "a", "identifiers": dict.fromkeys(given_kinds, "value")}
    event: Any = {"detail-type": name, "source": "shop", "detail": detail}
    found = [
        pattern
        for pattern in patterns
        if EventPattern(None, json.loads(pattern)).matches_event(event)
    ]
    assert bool(found) == (name in names or bool(kinds & given_kinds))
    assert len(found) < 2 or len(patterns_of(names)) > 1, "once, or it is read twice"
    assert all(len(pattern) <= 2048 for pattern in patterns)


def test_patterns_are_few() -> None:
    names = many(1000)

    patterns = patterns_of(names)

    listed = sum(len(name) + 3 for name in names)
    assert len(patterns) <= 1.05 * listed / 2048 + 1


def test_the_same_names_make_the_same_patterns() -> None:
    assert patterns_of(many(300)) == patterns_of(set(many(300)))


def test_too_many_names_for_a_bus_let_everything_in() -> None:
    assert len(patterns_of(many(8000))) <= 100
    assert patterns_of(many(12_000)) == [EVERYTHING]
    assert matches(EVERYTHING, "anything")
    assert not matches(EVERYTHING, "anything", JOURNEYS)


def test_a_name_may_have_the_characters_of_json() -> None:
    name = 'a "quoted\\ name"\u2028\uffff'

    (pattern,) = patterns_of([name])

    assert matches(pattern, name)
    assert not matches(pattern, name.lower() + " ")


def test_what_says_something_about_a_customer_comes_in_though_nobody_hears_it() -> None:
    catalog = Catalog.compile([], policies=Policies())

    names = names_of(catalog)

    assert names > catalog.hears
    # Of conflicts nobody is told from outside.
    assert names >= facts._LEARN.keys() - {IDENTITY_CONFLICT}
    assert names >= {CUSTOMER_ALIASED}


# --- patterns of triggers --------------------------------------------------------------

SHOP = {"source": ["shop"], "detail": {"x": [1]}}


def rules_for(*given: dict[str, Any]) -> list[str]:
    triggers = [pattern(each) for each in given]
    journey = Journey("j", trigger=triggers, steps=[Send("email", "x")])
    return patterns_of(names_of(Catalog.compile([journey], policies=Policies())))


def is_brought(rules: list[str], **envelope: Any) -> bool:
    event = {"source": "shop", "detail-type": "e", "detail": {}, **envelope}
    return any(Pattern(json.loads(rule)).matches(event) for rule in rules)


def test_a_pattern_that_lists_its_names_adds_names_and_no_rule() -> None:
    (rule,) = rules_for({"detail-type": ["order.placed"], "detail": {"x": [1]}})

    assert "order.placed" in json.loads(rule)["detail-type"]


def test_a_pattern_of_a_source_brings_it_in_from_bus_and_door_alike() -> None:
    rules = rules_for(SHOP)

    assert is_brought(rules, source="shop")
    assert is_brought(rules, source=HTTP, detail={"source": "shop"})
    assert not is_brought(rules, source="web")
    assert not is_brought(rules, source=HTTP, detail={"source": "web"})
    assert not is_brought(rules, source=JOURNEYS)


@pytest.mark.parametrize(
    "test",
    [
        {"prefix": "order."},
        {"prefix": {"equals-ignore-case": "ORDER."}},
        {"suffix": ".placed"},
        {"suffix": {"equals-ignore-case": ".PLACED"}},
        {"equals-ignore-case": "Order.Placed"},
        {"wildcard": "or*pl*d"},
        {"anything-but": ["e"]},
        {"anything-but": {"prefix": ["e", "f"]}},
        {"anything-but": {"wildcard": ["e*"]}},
    ],
    ids=str,
)
def test_a_pattern_of_a_part_of_the_name_brings_in_such_names_only(test: Any) -> None:
    rules = rules_for({"detail-type": [test]})

    assert is_brought(rules, **{"detail-type": "order.placed"})
    assert not is_brought(rules)
    assert not is_brought(rules, **{"detail-type": "order.placed"}, source=JOURNEYS)


@pytest.mark.parametrize(
    "given",
    [
        {"detail": {"x": [1]}},
        {"source": [{"prefix": "journeykit."}]},
        {"$or": [SHOP, {"id": [{"exists": True}]}]},
        {"source": ["s" * 1000, "t" * 950]},
    ],
    ids=["any", "ours-too", "one-alternative", "too-long"],
)
def test_a_pattern_that_no_rule_can_follow_brings_in_everything_but_our_own(
    given: dict[str, Any],
) -> None:
    assert rules_for(given) == [EVERYTHING]


def test_every_rule_is_one_that_eventbridge_takes(world: World) -> None:
    rules = rules_for(SHOP, {"detail-type": [{"wildcard": "a\\**"}]})

    for rule in rules:
        world.events.test_event_pattern(
            EventPattern=rule,
            Event=json.dumps(
                {"id": "1", "source": "s", "detail-type": "d", "account": "1",
                 "time": "2026-06-01T12:00:00Z", "region": "r", "resources": [],
                 "detail": {}}
            ),
        )  # fmt: skip


# --- rules ---------------------------------------------------------------------------


def test_nothing_comes_in_before_somebody_listens(world: World) -> None:
    assert world.heard("order.placed") == []


def test_what_is_heard_comes_in_once(world: World) -> None:
    names = many(200)

    rules = world.listen(*names)

    assert len(rules) > 1
    assert set(world.rules()) == set(rules)
    assert all(rule.startswith(PREFIX) for rule in rules)
    assert sorted(world.heard(names[0], names[-1], "other")) == [names[0], names[-1]]


def test_to_listen_again_changes_nothing(world: World) -> None:
    first = world.listen(*many(200))
    wire = Wire(world.events)

    assert world.listen(*many(200)) == first

    assert set(wire.sent) == {"ListRules", "PutTargets"}
    assert world.waits == []


def test_what_nobody_hears_any_more_stays_out(world: World) -> None:
    world.listen("a", "b")

    world.listen("b", "c")

    assert world.heard("a", "b", "c") == ["b", "c"]
    assert len(world.rules()) == 1


def test_nobody_is_heard_any_more(world: World) -> None:
    world.listen("a")

    assert world.listen() == []

    assert world.rules() == {}


def test_old_rules_stay_until_the_new_ones_are_sure_to_match(world: World) -> None:
    world.listen("a")
    heard_meanwhile: list[list[str]] = []
    bus = Bus(
        world.events,
        BUS,
        sleep=lambda _: heard_meanwhile.append(world.heard("a", "b")),
    )

    bus.listen(["b"], prefix=PREFIX, target_arn=world.arn)

    assert heard_meanwhile == [["a", "b"]]
    assert world.heard("a", "b") == ["b"]


@pytest.mark.parametrize(("passed", "left"), [(0, 30), (20, 10), (99, 0)])
def test_who_heard_before_the_publish_waits_for_what_is_left_after_it(
    world: World, passed: float, left: float
) -> None:
    world.listen("a")
    world.bus.hear(["b"], prefix=PREFIX, target_arn=world.arn)
    assert sorted(world.heard("a", "b")) == ["a", "b"]
    world.seconds += passed

    world.listen("b")

    assert world.waits == [left]
    assert world.heard("a", "b") == ["b"]


def test_rules_of_somebody_who_got_no_further_are_waited_for(world: World) -> None:
    world.listen("a")
    world.new_bus().hear(["b"], prefix=PREFIX, target_arn=world.arn)

    world.new_bus().listen(["b"], prefix=PREFIX, target_arn=world.arn)

    assert world.waits == [30]


def test_rules_of_others_are_left_alone(world: World) -> None:
    pattern = json.dumps({"source": ["x"]})
    for name in ("archive", "journeykit-liste", "my-journeykit-listen-1"):
        world.events.put_rule(Name=name, EventBusName=BUS, EventPattern=pattern)
    world.events.put_rule(Name=f"{PREFIX}1", EventPattern=pattern)  # another bus

    world.listen("a")
    world.listen()

    assert set(world.rules()) == {
        "archive",
        "journeykit-liste",
        "my-journeykit-listen-1",
    }
    assert world.events.list_rules(NamePrefix=PREFIX)["Rules"]


def test_without_a_prefix_nothing_is_touched(world: World) -> None:
    with pytest.raises(ValueError, match="prefix"):
        world.bus.listen(["a"], prefix="", target_arn=world.arn)

    assert world.rules() == {}


def test_a_rule_that_somebody_switched_off_or_changed_is_written_again(
    world: World,
) -> None:
    (rule,) = world.listen("a")
    world.events.disable_rule(Name=rule, EventBusName=BUS)

    world.listen("a")
    assert world.rules()[rule]["State"] == "ENABLED"

    pattern = json.dumps({"detail-type": ["b"]})
    world.events.put_rule(Name=rule, EventBusName=BUS, EventPattern=pattern)
    world.listen("a")
    assert world.heard("a", "b") == ["a"]


def test_what_the_queue_does_not_take_is_kept(world: World) -> None:
    dead = "arn:aws:sqs:eu-central-1:123456789012:dead"

    (rule,) = world.bus.listen(
        ["a"], prefix=PREFIX, target_arn=world.arn, dead_letter_arn=dead
    )

    answer = world.events.list_targets_by_rule(Rule=rule, EventBusName=BUS)
    (target,) = answer["Targets"]
    assert target["Arn"] == world.arn
    assert target["DeadLetterConfig"] == {"Arn": dead}


def test_a_bus_without_room_lets_everything_in(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # botocore takes the quota for throttling, and asks three times.
    Wire(world.events).refuse("PutRule", "LimitExceededException", times=3)

    rules = world.listen("a")

    assert [world.rules()[rule]["EventPattern"] for rule in rules] == [EVERYTHING]
    assert world.heard("a", "b") == ["a", "b"]
    assert "no room" in caplog.text


def test_a_bus_without_any_room_names_the_way_out(world: World) -> None:
    Wire(world.events).refuse("PutRule", "LimitExceededException", times=6)

    with pytest.raises(StoreError, match="Service Quotas"):
        world.listen("a")


def test_a_target_that_is_being_changed_is_written_again(world: World) -> None:
    entry = {"ErrorCode": "ConcurrentModificationException", "TargetId": "events"}
    Wire(world.events).answer(
        "PutTargets", {"FailedEntryCount": 1, "FailedEntries": [entry]}
    )

    world.listen("a")

    assert world.heard("a") == ["a"]
    assert len(world.waits) == 1


def test_a_target_that_is_refused_names_the_queue(world: World) -> None:
    entry = {"ErrorCode": "AccessDeniedException", "TargetId": "events"}
    Wire(world.events).answer(
        "PutTargets", {"FailedEntryCount": 1, "FailedEntries": [entry]}
    )

    with pytest.raises(StoreError, match="AccessDeniedException"):
        world.listen("a")


def test_a_rule_that_somebody_else_removes_meanwhile_is_gone(world: World) -> None:
    (old,) = world.listen("a")

    def remove() -> None:
        world.events.remove_targets(Rule=old, EventBusName=BUS, Ids=["events"])
        world.events.delete_rule(Name=old, EventBusName=BUS)

    Wire(world.events).before("ListTargetsByRule", remove)

    world.listen("b")

    assert len(world.rules()) == 1


# Of a change: list, put, aim, list; then of the stale one: list targets, remove, delete.
@pytest.mark.parametrize("done", range(8))
def test_a_publisher_that_ends_in_between_misses_no_event(
    world: World, done: int
) -> None:
    world.listen("both", "old")
    left = itertools.count(done, -1)
    before = world.events.meta.events

    def die(**_: object) -> None:
        if next(left) == 0:
            raise KeyboardInterrupt

    before.register("before-call.events", die)
    with nullcontext() if done == 7 else pytest.raises(KeyboardInterrupt):
        world.listen("both", "new")
    before.unregister("before-call.events", die)

    assert "both" in world.heard("both")
    world.listen("both", "new")
    assert world.heard("both", "old", "new") == ["both", "new"]
