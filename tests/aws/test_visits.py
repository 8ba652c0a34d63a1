from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace
from tests.aws.customers_table import make_customers_table
from tests.aws.state_table import make_state_table

from journeykit.aws.claims import DynamoClaims
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.messages import Visit, received
from journeykit.aws.queues import Parcel, Queue, Unsendable
from journeykit.aws.visits import SETTLED_S, VisitPages
from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Customer, Enrollment, Held
from journeykit.engine.stimuli import Launch, WakeUp
from journeykit.errors import NewerStore, StoreBusy
from journeykit.ports import Change
from journeykit.testing.store_contract.samples import make_message, make_person

NOW = 1_790_000_000_000


class Wakes:
    """A queue: what is in it, and how long it is kept back."""

    def __init__(self) -> None:
        self.waiting: deque[Parcel] = deque()
        self.woken: list[str] = []
        self.delays: list[int] = []
        self.fails = False
        self.refuses: set[str] = set()

    def send(self, parcels: Sequence[Parcel]) -> None:
        if self.fails:
            raise StoreBusy("the queue is busy")
        refused = {}
        for place, parcel in enumerate(parcels):
            stimulus = read(parcel)
            if isinstance(stimulus, Visit):
                self.waiting.append(parcel)
                continue
            assert isinstance(stimulus, WakeUp)
            if stimulus.customer in self.refuses:
                refused[place] = "InvalidMessageContents"
                continue
            self.woken.append(stimulus.customer)
            self.delays.append(parcel.delay_s)
        if refused:
            raise Unsendable("can't be sent", refused=refused)

    def next(self) -> Visit:
        visit = read(self.waiting.popleft())
        assert isinstance(visit, Visit)
        return visit


def read(parcel: Parcel) -> object:
    named = {name: {"stringValue": it} for name, it in parcel.attributes.items()}
    return received({"body": parcel.body, "messageAttributes": named})


class People:
    """All customers."""

    def __init__(self, people: Sequence[Customer]) -> None:
        self.people = people
        self.error: Exception | None = None

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        if self.error is not None:
            raise self.error
        ids = [one.id for one in self.people]
        start = ids.index(after) + 1 if after else 0
        return self.people[start : start + limit]


class Claims:
    """Claims, in memory."""

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        assert (limit, at) == (1, NOW)
        return int(self.holders.setdefault(key, holder) == holder)


class World:
    """A job's surroundings."""

    def __init__(self, people: Sequence[Customer], **options: Any) -> None:
        self.people, self.wakes, self.claims = People(people), Wakes(), Claims()
        numbers = itertools.count()
        self.pages = VisitPages(
            self.people,
            self.wakes,
            self.claims,
            token=lambda: f"t{next(numbers)}",
            **{"page": 3, **options},
        )

    def run(self) -> int:
        """Do what waits until nothing does; return how many messages that took."""
        count = 0
        while self.wakes.waiting:
            self.pages.page(self.wakes.next(), now=NOW)
            count += 1
        return count


def make_run(journey: str = "cart") -> Enrollment:
    return Enrollment(
        id=f"run of {journey}", journey=journey, version=1, n=1, entered_at=NOW
    )


def make_people(count: int) -> list[Customer]:
    """Of whom every second one is in the journey."""
    return [
        make_person(f"c{n:02}", active=[make_run()] if n % 2 else [])
        for n in range(count)
    ]


def held(journey: str) -> Held:
    return Held(make_message("m1", journey=journey), NOW)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 20])
def test_whoever_is_concerned_is_woken_once(count: int) -> None:
    people = make_people(count)
    world = World(people)

    world.pages.begin("stop", "cart", now=NOW)
    messages = world.run()

    assert world.wakes.woken == [one.id for one in people if one.active]
    assert messages == count // 3 + 1


@pytest.mark.parametrize(
    ("person", "is_woken"),
    [
        (make_person("ada", active=[make_run("cart")]), True),
        (make_person("ada", active=[make_run("other"), make_run("cart")]), True),
        (make_person("ada", active=[make_run("other")]), False),
        (make_person("ada", held=[held("cart")]), True),
        (make_person("ada", held=[held("other")]), False),
        (make_person("ada"), False),
    ],
    ids=["run", "second run", "other run", "held", "held of another", "nothing"],
)
def test_a_run_and_a_held_message_are_concerned(
    person: Customer, is_woken: bool
) -> None:
    world = World([person])

    world.pages.begin("resume", "cart", now=NOW)
    world.run()

    assert world.wakes.woken == (["ada"] if is_woken else [])


def test_a_job_begins_when_everybody_goes_by_the_new_catalog() -> None:
    world = World([])

    visit = world.pages.begin("stop", "cart", now=NOW)

    (parcel,) = world.wakes.waiting
    assert parcel.delay_s == SETTLED_S
    assert read(parcel) == visit
    assert (visit.reason, visit.journey, visit.started_at) == ("stop", "cart", NOW)


def test_two_jobs_do_not_touch_each_other() -> None:
    world = World(make_people(4))

    world.pages.begin("stop", "cart", now=NOW)
    world.pages.begin("publish", "cart", now=NOW)
    world.run()

    assert sorted(world.wakes.woken) == ["c01", "c01", "c03", "c03"]


def test_the_next_page_knows_how_far_the_job_is() -> None:
    world = World(make_people(8))
    first = world.pages.begin("stop", "cart", now=NOW)

    second = world.pages.page(world.wakes.next(), now=NOW)

    assert second == replace(
        first, cursor="c02", visited=1, page=1, token=second.token if second else ""
    )
    assert second is not None
    assert second.token != first.token


def test_wake_ups_and_pages_are_spread_over_time() -> None:
    people = [make_person(f"c{n}", active=[make_run()]) for n in range(6)]
    world = World(people, page=5, per_second=2)
    world.pages.begin("resume", "cart", now=NOW)

    world.pages.page(world.wakes.next(), now=NOW)

    assert world.wakes.delays == [0, 0, 1, 1, 2]
    (parcel,) = world.wakes.waiting
    assert parcel.delay_s == 2


def test_a_page_that_concerns_nobody_holds_up_nothing() -> None:
    world = World([make_person(f"c{n}") for n in range(6)], per_second=0.01)
    world.pages.begin("resume", "cart", now=NOW)

    world.pages.page(world.wakes.next(), now=NOW)

    assert [parcel.delay_s for parcel in world.wakes.waiting] == [0]


def test_nothing_is_kept_back_for_longer_than_a_queue_does() -> None:
    people = [make_person(f"c{n}", active=[make_run()]) for n in range(6)]
    world = World(people, per_second=0.001)
    world.pages.begin("resume", "cart", now=NOW)

    world.pages.page(world.wakes.next(), now=NOW)

    assert world.wakes.delays == [0, 900, 900]
    assert [parcel.delay_s for parcel in world.wakes.waiting] == [900]


def test_a_page_that_comes_again_wakes_again_and_makes_no_second_job() -> None:
    world = World(make_people(20))
    world.pages.begin("stop", "cart", now=NOW)
    first = world.wakes.next()

    for _ in range(3):
        world.pages.page(first, now=NOW)
    messages = world.run()

    assert world.wakes.woken.count("c01") == 3
    assert all(world.wakes.woken.count(f"c{n:02}") == 1 for n in range(3, 20, 2))
    assert messages == 3 + 5  # each page once; page 1 was there two more times


def test_a_page_that_fails_comes_again_and_the_job_goes_on() -> None:
    world = World(make_people(20))
    world.pages.begin("stop", "cart", now=NOW)
    first = world.wakes.next()
    world.wakes.fails = True
    with pytest.raises(StoreBusy):
        world.pages.page(first, now=NOW)
    world.wakes.fails = False

    world.pages.page(first, now=NOW)
    world.run()

    assert world.wakes.woken == [f"c{n:02}" for n in range(1, 20, 2)]


def test_a_customer_of_a_later_release_is_waited_for() -> None:
    world = World(make_people(3))
    world.pages.begin("stop", "cart", now=NOW)
    world.people.error = NewerStore("deploy that release here too")

    with pytest.raises(NewerStore):
        world.pages.page(world.wakes.next(), now=NOW)


def test_whom_no_queue_takes_holds_up_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(make_people(8))
    world.wakes.refuses = {"c01"}
    world.pages.begin("stop", "cart", now=NOW)

    with caplog.at_level(logging.DEBUG):
        world.run()

    assert world.wakes.woken == ["c03", "c05", "c07"]
    assert "1 wake-ups can't be sent" in caplog.text
    assert "c01" not in caplog.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), count=st.integers(0, 30), page=st.integers(1, 7))
def test_everybody_is_woken_whatever_comes_again_or_fails(
    data: st.DataObject, count: int, page: int
) -> None:
    world = World(make_people(count), page=page)
    world.pages.begin("stop", "cart", now=NOW)
    handled = 0
    faults = data.draw(
        st.lists(st.sampled_from(["fails", "dies", "twice"]), max_size=30)
    )
    while world.wakes.waiting:
        world.wakes.waiting.rotate(data.draw(st.integers(-2, 2)))
        parcel = world.wakes.waiting[0]
        fault = faults.pop() if faults else ""
        world.wakes.fails = fault == "fails"
        visit = world.wakes.next()
        handled += 1
        try:
            world.pages.page(visit, now=NOW)
        except StoreBusy:
            world.wakes.waiting.append(parcel)
        if fault in ("dies", "twice"):  # it was done, and nobody knows
            world.wakes.waiting.append(parcel)

    assert set(world.wakes.woken) == {f"c{n:02}" for n in range(1, count, 2)}
    assert handled <= (count // page + 1) + 2 * 30  # no job became many


def test_a_job_runs_over_dynamodb_and_sqs() -> None:
    session = botocore.session.get_session()
    dynamodb, sqs = session.create_client("dynamodb"), session.create_client("sqs")
    url = sqs.create_queue(QueueName="wakes")["QueueUrl"]
    store = DynamoCustomers(
        dynamodb,
        make_customers_table(dynamodb),
        log=lambda _: None,
        bury=lambda _: None,
        clock=lambda: NOW,
    )
    store.commit([Change(None, one) for one in make_people(10)])
    claims = DynamoClaims(dynamodb, make_state_table(dynamodb))
    pages = VisitPages(store, Queue(sqs, url), claims, page=4)
    visit: Visit | None = pages.begin("stop", "cart", now=NOW)

    assert pages.page(replace(visit, token="somebody else's"), now=NOW)
    assert pages.page(visit, now=NOW) is None
    woken: list[str] = []
    while messages := received_by(sqs, url):
        for message in messages:
            stimulus = received(message)
            if isinstance(stimulus, Visit):
                pages.page(stimulus, now=NOW)
            elif isinstance(stimulus, WakeUp):
                woken.append(stimulus.customer)

    assert sorted(woken) == [f"c{n:02}" for n in range(1, 10, 2)]


def received_by(sqs: Any, url: str) -> list[Mapping[str, Any]]:
    """What is in a queue, as Lambda hands it over."""
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    found = answer.get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [
        {
            "body": message["Body"],
            "messageAttributes": {
                name: {"stringValue": value["StringValue"]}
                for name, value in message["MessageAttributes"].items()
            },
        }
        for message in found
    ]


class Parts(People):
    """All customers, in parts, as a parallel scan reads them."""

    def scan(
        self, after: str, limit: int, *, part: int = 0, parts: int = 1
    ) -> Sequence[Customer]:
        if self.error is not None:
            raise self.error
        mine = [one for n, one in enumerate(self.people) if n % parts == part % parts]
        start = [one.id for one in mine].index(after) + 1 if after else 0
        return mine[start : start + limit]


@pytest.mark.parametrize("count", [0, 1, 5, 30])
def test_a_visit_of_everybody_goes_in_parts_and_wakes_each_once(count: int) -> None:
    world = World([make_person(f"c{n:02}") for n in range(count)], parts=4)
    world.pages._scan = Parts(world.people.people)

    world.pages.begin("publish", "", now=NOW)
    assert len(world.wakes.waiting) == 4
    world.run()

    assert sorted(world.wakes.woken) == [f"c{n:02}" for n in range(count)]


def test_parts_of_a_job_do_not_take_each_others_pages() -> None:
    world = World([make_person(f"c{n:02}") for n in range(12)], parts=2)
    world.pages._scan = Parts(world.people.people)

    world.pages.begin("publish", "", now=NOW)
    world.run()

    assert set(world.claims.holders) == {
        f"t0/{part}.{page}" for part in range(2) for page in range(3)
    }


def test_a_launch_reaches_everybody_with_one_id_for_each_job() -> None:
    world = World([make_person("ada"), make_person("bob")], parts=1)
    sent: list[Launch] = []
    send = world.wakes.send

    def noted(parcels: Sequence[Parcel]) -> None:
        found = [read(parcel) for parcel in parcels]
        sent.extend(one for one in found if isinstance(one, Launch))
        send(
            [p for p, one in zip(parcels, found, strict=True) if isinstance(one, Visit)]
        )

    world.wakes.send = noted  # type: ignore[method-assign]
    visit = world.pages.begin("launch", "vips", now=NOW)
    world.run()

    assert [(one.customer, one.journey) for one in sent] == [
        ("ada", "vips"),
        ("bob", "vips"),
    ]
    assert {one.id for one in sent} == {f"visit-{visit.id}"}
    assert {to_ms(one.received_at) for one in sent} == {NOW}


def test_dynamodb_reads_all_parts_of_a_table() -> None:
    dynamodb = botocore.session.get_session().create_client("dynamodb")
    store = DynamoCustomers(
        dynamodb,
        make_customers_table(dynamodb),
        log=lambda _: None,
        bury=lambda _: None,
        clock=lambda: NOW,
    )
    store.commit([Change(None, make_person(f"c{n:02}")) for n in range(20)])

    found: list[str] = []
    for part in range(3):
        after = ""
        while page := store.scan(after, 3, part=part, parts=3):
            found += [one.id for one in page]
            after = page[-1].id

    assert sorted(found) == [f"c{n:02}" for n in range(20)]
