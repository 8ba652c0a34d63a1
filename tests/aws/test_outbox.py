from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from botocore.exceptions import ConnectionClosedError
from msgspec.structs import replace
from tests.aws.state_table import make_state_table
from tests.aws.wire import Wire

from journeykit import Journey, Policies, Send, on
from journeykit.aws.clients import client
from journeykit.aws.deliveries import KEPT_S, DynamoDeliveries
from journeykit.aws.messages import (
    command_of,
    command_parcel,
    id_of,
    letter_parcel,
    outside_of,
    received,
)
from journeykit.aws.outbox import SqsOutbox
from journeykit.aws.queues import Parcel, Queue
from journeykit.aws.references import DynamoReferences
from journeykit.aws.tallies import DynamoTallies
from journeykit.channels import (
    Action,
    ActionCall,
    CallOutcome,
    Capabilities,
    Channel,
    Completed,
    Message,
    Notice,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
)
from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog, State
from journeykit.engine.commands import Command, PublishEvent, SendMessage
from journeykit.engine.stimuli import Returned, Stimulus, WakeUp
from journeykit.errors import StoreBusy, StoreError
from journeykit.model.events import Event
from journeykit.ports import (
    CatalogDocument,
    DeadLetter,
    Delivery,
    Reference,
    Settled,
    Task,
)
from journeykit.runtime.dispatcher import LEASE_MS, Dispatcher
from journeykit.testing.store_contract import DeliveriesContract, OutboxContract
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    make_call,
    make_message,
)

MINUTE = 60_000
TABLE = "deliveries"
VISIBLE_MS = 6 * MINUTE  # more than a function may take, less than a lease


def make_table(dynamodb: Any) -> str:
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return TABLE


class Lane(Queue):
    """A queue whose messages stay where the test sees them."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud = cloud
        self.url = f"https://sqs/{name}"
        self.waiting: list[tuple[int, dict[str, Any]]] = []  # from when on
        self.is_down = False

    def send(self, parcels: Sequence[Parcel]) -> None:
        if not parcels:
            return
        with self.cloud.step(f"send to {self.name}"):
            if self.is_down:
                raise StoreBusy(f"{self.name} is busy")
            for parcel in parcels:
                self.add(parcel)

    def add(self, parcel: Parcel) -> dict[str, Any]:
        """Put a message in, as SQS hands it over."""
        self.cloud.messages += 1
        record = {
            "messageId": f"m{self.cloud.messages}",
            "body": parcel.body,
            "attributes": {"SentTimestamp": str(self.cloud.now)},
            "messageAttributes": {
                name: {"stringValue": value, "dataType": "String"}
                for name, value in parcel.attributes.items()
            },
        }
        self.waiting.append((self.cloud.now + 1000 * parcel.delay_s, record))
        return record


class Killed(BaseException):
    """The process ends: nobody may catch it."""


class Cloud:
    """Deliveries, queues, and a function that is invoked with what is in them.

    Attributes:
        now: The clock, milliseconds.
        script: What to do before or after the next calls to AWS, by their number.
        steps: The names of the calls so far.
    """

    def __init__(self, dynamodb: Any = None) -> None:
        self.now = NOW
        self.messages = 0
        self.steps: list[str] = []
        self.script: dict[int, Callable[[], None]] = {}  # before a call
        self.script_after: dict[int, Callable[[], None]] = {}
        self.is_dead = False  # the process, until SQS hands its messages to another
        self.dynamodb: Any = dynamodb or client("dynamodb")
        make_table(self.dynamodb)
        make_state_table(self.dynamodb)
        emitter = self.dynamodb.meta.events
        emitter.register("before-call.dynamodb", self._before)
        emitter.register("after-call.dynamodb", self._after)
        self.events = Lane(self, "events")
        self.lanes: dict[str, Lane] = {}
        self.letters: list[DeadLetter] = []
        self.references = DynamoReferences(self.dynamodb, "state")
        self.tallies = DynamoTallies(self.dynamodb, "state")
        self.deliveries = DynamoDeliveries(
            self.dynamodb, TABLE, self.tallies, clock=lambda: self.now
        )
        self.channel = Provider()
        self.action = Voucher()
        self.states: dict[str, State] = {}

    def close(self) -> None:
        """Leave an empty account to the next cloud of this client."""
        emitter = self.dynamodb.meta.events
        emitter.unregister("before-call.dynamodb", self._before)
        emitter.unregister("after-call.dynamodb", self._after)
        for table in (TABLE, "state"):
            self.dynamodb.delete_table(TableName=table)

    # Calls to AWS

    def _before(self, model: Any, **_: object) -> None:
        self._counted(model.name)

    def _after(self, **_: object) -> None:
        self._do(self.script_after)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._counted(name)
        yield
        self._do(self.script_after)

    def _counted(self, name: str) -> None:
        self.steps.append(name)
        self._do(self.script)

    def _do(self, script: dict[int, Callable[[], None]]) -> None:
        if self.is_dead:
            raise Killed
        if (act := script.pop(len(self.steps), None)) is not None:
            act()

    # Queues and functions

    def lane(self, command: Command) -> Lane:
        name = command.channel if isinstance(command, SendMessage) else "calls"
        return self.lanes.setdefault(name, Lane(self, name))

    def release(self, *commands: Command, revision: int = 1) -> list[dict[str, Any]]:
        """Put commands into their queues, as the relay does."""
        return [self.lane(c).add(command_parcel(c, revision)) for c in commands]

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        with self.step("bury"):
            self.letters += letters

    def outbox(self, records: Sequence[Mapping[str, Any]]) -> SqsOutbox:
        return SqsOutbox(
            records,
            client=self.dynamodb,
            table=TABLE,
            queue_of=self.lane,
            events=self.events,
            references=self.references,
            tallies=self.tallies,
            bury=self.bury,
            clock=lambda: self.now,
        )

    def invoke(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Hand records to the function; return what is to come again."""
        outbox = self.outbox(records)
        dispatcher = Dispatcher(
            Outgoing(outbox, self.deliveries),
            lambda: Catalog.compile(
                [JOURNEY], policies=Policies(), states=self.states, revision=1
            ),
            channels={"email": self.channel},
            actions={"voucher": self.action},
        )
        with suppress(StoreError):
            while dispatcher.deliver(self.now):
                pass
        return outbox.failures()

    def poll(self) -> bool:
        """Let SQS hand over what is visible; False if nothing is."""
        for lane in [*self.lanes.values()]:
            batch = [it for it in lane.waiting if it[0] <= self.now][:10]
            if not batch:
                continue
            lane.waiting = [it for it in lane.waiting if it not in batch]
            records = [record for _, record in batch]
            try:
                failed = self.invoke(records)
            except Killed:
                self.is_dead = False
                failed = [record["messageId"] for record in records]
            again = [it for it in records if it["messageId"] in failed]
            lane.waiting += [(self.now + VISIBLE_MS, record) for record in again]
            return True
        return False

    def settle(self, until: int = NOW + 3 * HOUR) -> None:
        """Let time pass until nothing waits any more."""
        for _ in range(500):
            while self.poll():
                pass
            nexts = [at for lane in self.lanes.values() for at, _ in lane.waiting]
            if not nexts or min(nexts) > until:
                return
            self.now = max(self.now, min(nexts))
        pytest.fail("it never comes to an end")

    def reports(self) -> list[Stimulus]:
        return [received(record) for _, record in self.events.waiting]  # type: ignore[misc]

    def row(self, id: str) -> dict[str, Any]:
        item = self.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": id}})
        return {name: next(iter(v.values())) for name, v in item["Item"].items()}


class Outgoing:
    """What the dispatcher needs beside an outbox, which here is nothing."""

    def __init__(self, outbox: SqsOutbox, deliveries: DynamoDeliveries) -> None:
        self._outbox = outbox
        self._deliveries = deliveries

    def __getattr__(self, name: str) -> Any:
        is_its = hasattr(self._outbox, name)
        return getattr(self._outbox if is_its else self._deliveries, name)

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        raise NotImplementedError

    def reserve(self, lane: str, slots: int, **rate: int) -> int:
        raise NotImplementedError

    def revision(self) -> int:
        raise NotImplementedError

    def current(self) -> CatalogDocument | None:
        raise NotImplementedError

    def publish(self, catalog: CatalogDocument) -> None:
        raise NotImplementedError

    def post(self, notices: Sequence[Notice]) -> None:
        raise NotImplementedError


JOURNEY = Journey(
    id="welcome",
    trigger=on("signed.up"),
    steps=[Send("email", "hello")],
    exit_rules=[on("message.sent"), on("message.uncertain")],
    version=3,
)


class Provider(Channel):
    """A provider whose answers a test decides, by delivery and by how often it asked."""

    def __init__(self) -> None:
        self.name = "email"
        self.capabilities = Capabilities(batch_size=10, idempotent=True)
        self.asked: list[str] = []
        self.answers: dict[str, list[Callable[[str], Receipt]]] = {}
        self.always: dict[str, Callable[[str], Receipt]] = {}

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [self._answer(message.delivery_id) for message in messages]

    def _answer(self, id: str) -> Receipt:
        self.asked.append(id)
        if self.answers.get(id):
            return self.answers[id].pop(0)(id)
        return self.always.get(id, Sent)(id)


class Voucher(Action):
    """An action that always works."""

    name = "voucher"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        self.asked += [call.call_id for call in calls]
        return [Completed(call.call_id, {"code": "x"}) for call in calls]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def names(reports: Sequence[Stimulus]) -> list[str]:
    return [it.name for it in reports if isinstance(it, Event)]


# --- contracts -----------------------------------------------------------------------


class Doubled:
    """An outbox as the contracts expect it: the queue is looked into with each claim.

    Each `take` is an invocation with all that is in the queue and in nobody's hand, before
    its delay is over too: the rows decide. A command keeps its number.
    """

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.revision = 0
        self.invocations: list[tuple[SqsOutbox, set[str]]] = []
        self.numbers: dict[tuple[str, int], int] = {}
        self.newest: dict[int, int] = {}
        self.hidden: dict[str, int] = {}

    def decide(self, *commands: Command) -> None:
        self.revision += 1
        self.cloud.release(*commands, revision=self.revision)

    def take(self, now: int, limit: int, *, lease_until: int) -> Sequence[Task]:
        self.cloud.now = max(self.cloud.now, now)
        records = [
            record
            for lane in self.cloud.lanes.values()
            for _, record in lane.waiting
            if self.hidden.get(record["messageId"], 0) <= now
        ]
        outbox = self.cloud.outbox(records)
        self.invocations.append((outbox, {it["messageId"] for it in records}))
        tasks = []
        for task in outbox.take(now, limit, lease_until=lease_until):
            held = outbox._held[task.id]
            self.hidden[held.message_id] = now + VISIBLE_MS
            command = id_of(held.command), held.revision
            number = self.numbers.setdefault(command, len(self.numbers) + 1)
            self.newest[number] = task.id
            tasks.append(replace(task, id=number))
        self._acknowledge()
        return tasks

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        self.cloud.now = max(
            [self.cloud.now, *(it.at for it in settled if it.outcome != "again")]
        )
        own = [replace(it, id=self.newest[it.id]) for it in settled]
        for outbox, _ in reversed(self.invocations):
            outbox.settle(own, reports=reports)
            reports = ()
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Take what is acknowledged out of the queue."""
        for outbox, handed in self.invocations:
            done = handed - {*outbox.failures()}
            for lane in self.cloud.lanes.values():
                lane.waiting = [
                    it for it in lane.waiting if it[1]["messageId"] not in done
                ]

    def backlog(self) -> Mapping[str, int]:
        waiting = sum(len(lane.waiting) for lane in self.cloud.lanes.values())
        return {"due": 0, "waiting": waiting}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cloud.deliveries, name)


class TestOutbox(OutboxContract):
    threads = 1  # moto has no lock

    # A command is due when it comes, and SQS has no order.
    test_what_is_due_first_is_claimed_first = None  # type: ignore[assignment]
    # What waits is in the queues: CloudWatch tells how many, and how old the oldest is.
    test_the_backlog_is_what_is_not_settled = None  # type: ignore[assignment]

    def make(self, folder: Path) -> Doubled:
        return Doubled()

    def decide(self, store: Doubled, *commands: Command) -> None:
        store.decide(*commands)

    def inbox(self, store: Doubled) -> Sequence[Stimulus]:
        return store.cloud.reports()


class TestDeliveries(DeliveriesContract):
    threads = 1
    forgets: ClassVar[bool] = True  # by the clock, before DynamoDB removes the row

    def make(self, folder: Path) -> Doubled:
        return Doubled()

    def decide(self, store: Doubled, *commands: Command) -> None:
        store.decide(*commands)

    # The empty id is missing: no key can be empty, and ours never are.
    @pytest.mark.parametrize(
        "id", ["a", "0" * 24, "ABCDEF" * 4, "é" * 24, "0 " * 12, "x" * 256]
    )
    def test_a_delivery_is_found_by_any_id(self, store: Doubled, id: str) -> None:  # type: ignore[override]
        super().test_a_delivery_is_found_by_any_id(store, id)


# --- claims --------------------------------------------------------------------------


def taken(outbox: SqsOutbox, now: int = NOW) -> list[tuple[str, Task]]:
    tasks = outbox.take(now, 100, lease_until=now + LEASE_MS)
    return [(id_of(task.command), task) for task in tasks]


def delays(lane: Lane, now: int) -> list[int]:
    return [(at - now) // 1000 for at, _ in lane.waiting]


def test_a_command_is_handed_over_once_however_often_it_comes(cloud: Cloud) -> None:
    message = make_message("d1")
    cloud.release(message, message, revision=1)
    cloud.settle()
    cloud.release(message, revision=1)
    cloud.settle()

    assert cloud.channel.asked == ["d1"]
    assert names(cloud.reports()) == ["message.sent"]
    assert cloud.tallies.tallies() == {"welcome": (1, 0)}


def test_twice_in_one_batch_is_told_without_asking(cloud: Cloud) -> None:
    records = cloud.release(make_message("d1"), make_message("d1"))
    outbox = cloud.outbox(records)

    ((id, _),) = taken(outbox)

    assert id == "d1"
    assert cloud.steps == ["UpdateItem"]
    assert outbox.counts == {"dropped": 1}
    assert outbox.failures() == [records[0]["messageId"]]


def test_what_somebody_else_has_comes_again_when_its_lease_ends(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"), revision=7)
    taken(cloud.outbox([record]))
    cloud.lane(make_message("d1")).waiting.clear()
    cloud.now += 90_500
    second = cloud.outbox([record])

    assert taken(second, cloud.now) == []

    assert second.failures() == []
    assert second.counts == {"put_off": 1}
    ((at, copy),) = cloud.lane(make_message("d1")).waiting
    assert at - cloud.now == 510_000  # 10 minutes less 90.5 s, in whole seconds
    assert command_of(copy) == (make_message("d1"), 7)


def test_no_copy_is_kept_back_for_longer_than_sqs_can(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    outbox = cloud.outbox([record])
    outbox.take(NOW, 1, lease_until=NOW + HOUR)
    lane = cloud.lane(make_message("d1"))
    lane.waiting.clear()

    taken(cloud.outbox([record]))

    assert delays(lane, NOW) == [900]


def test_a_lapsed_command_may_have_been_sent(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    taken(cloud.outbox([record]))

    ((_, task),) = taken(cloud.outbox([record]), NOW + LEASE_MS)

    assert task.lapsed
    assert task.attempts == 0


def test_a_claim_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    cloud: Cloud,
) -> None:
    (record,) = cloud.release(make_message("d1"))
    Wire(cloud.dynamodb).lose("UpdateItem")

    ((_, task),) = taken(cloud.outbox([record]))

    assert not task.lapsed


def test_a_lapsed_claim_whose_answer_was_lost_is_still_lapsed(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    taken(cloud.outbox([record]))
    Wire(cloud.dynamodb).lose("UpdateItem")

    ((_, task),) = taken(cloud.outbox([record]), NOW + LEASE_MS)

    assert task.lapsed


def test_a_claim_that_nobody_knows_about_is_asked_for_again(cloud: Cloud) -> None:
    """botocore gives up, though it was claimed: the same invocation finds it is its own."""
    (record,) = cloud.release(make_message("d1"))
    Wire(cloud.dynamodb).lose("UpdateItem", times=3)
    outbox = cloud.outbox([record])
    with pytest.raises(StoreBusy):
        taken(outbox)

    ((_, task),) = taken(outbox)

    assert not task.lapsed


def test_an_older_release_is_dropped_while_a_later_one_waits(cloud: Cloud) -> None:
    first = make_message("d1", variables={"n": 1})
    second = make_message("d1", variables={"n": 2})
    (old,) = cloud.release(first, revision=3)
    (new,) = cloud.release(second, revision=9)
    outbox = cloud.outbox([new])
    ((_, task),) = taken(outbox)
    outbox.settle([Settled(task.id, "again", NOW + MINUTE)])

    late = cloud.outbox([old])
    assert taken(late, NOW + HOUR) == []

    assert late.failures() == []
    assert late.counts == {"dropped": 1}
    ((_, task),) = taken(cloud.outbox([new]), NOW + HOUR)
    assert task.command == second


def test_what_went_back_is_released_again_by_a_later_revision_only(
    cloud: Cloud,
) -> None:
    (first,) = cloud.release(make_message("d1"), revision=3)
    outbox = cloud.outbox([first])
    ((_, task),) = taken(outbox)
    outbox.settle([Settled(task.id, "returned", NOW, attempts=2)])

    assert taken(cloud.outbox([first])) == []
    (second,) = cloud.release(make_message("d1", attempts=2), revision=4)
    ((_, task),) = taken(cloud.outbox([second]))

    assert (task.attempts, task.lapsed, task.reserved) == (0, False, False)


def test_a_dead_letter_that_is_sent_again_is_the_release_that_it_was(
    cloud: Cloud,
) -> None:
    """Once it went back; then the relay could not send what was released again."""
    message = make_message("d1")
    first = cloud.outbox(cloud.release(message, revision=5))
    ((_, task),) = taken(first)
    first.settle([Settled(task.id, "returned", NOW, reason="pace")])
    parcel = letter_parcel(
        DeadLetter(
            NOW,
            "relay",
            "access is denied",
            message.customer,
            "command",
            msgspec.json.encode(message),
            outside=outside_of(message, 9),
        )
    )

    replayed = cloud.outbox([cloud.lane(message).add(parcel)])

    assert [id for id, _ in taken(replayed)] == ["d1"]


def test_what_is_settled_stays_so_whatever_comes_later(cloud: Cloud) -> None:
    cloud.release(make_message("d1"), revision=3)
    cloud.settle()

    cloud.release(make_message("d1"), revision=99)
    cloud.settle()

    assert cloud.channel.asked == ["d1"]


def test_a_row_that_is_kept_no_longer_is_not_there(cloud: Cloud) -> None:
    """DynamoDB may take days to remove it; moto never does."""
    cloud.release(make_message("d1"))
    cloud.settle()
    assert list(cloud.deliveries.find(["d1"])) == ["d1"]

    cloud.now += KEPT_S * 1000 + 1000
    assert cloud.deliveries.find(["d1"]) == {}
    cloud.release(make_message("d1", at=cloud.now))
    cloud.settle(until=cloud.now)

    assert cloud.channel.asked == ["d1", "d1"]
    assert list(cloud.deliveries.find(["d1"])) == ["d1"]


def test_what_can_not_be_claimed_now_stops_nobody_who_is(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    records = cloud.release(make_message("d1"), make_message("d2"), make_message("d3"))
    wire = Wire(cloud.dynamodb)
    wire.let("UpdateItem")
    wire.refuse("UpdateItem", "ThrottlingException", times=3)
    outbox = cloud.outbox(records)

    assert [id for id, _ in taken(outbox)] == ["d1"]
    assert "come again" in caplog.text
    assert [id for id, _ in taken(outbox)] == ["d2", "d3"]


def test_what_can_never_be_claimed_stops_nobody_either(cloud: Cloud) -> None:
    records = cloud.release(make_message("d1"), make_message("d2"))
    Wire(cloud.dynamodb).refuse("UpdateItem", "ValidationException")
    outbox = cloud.outbox(records)

    assert [id for id, _ in taken(outbox)] == ["d2"]
    assert outbox.failures() == [record["messageId"] for record in records]


def test_if_nothing_is_claimed_the_reason_is_told(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1")))
    Wire(cloud.dynamodb).refuse("UpdateItem", "AccessDeniedException")

    with pytest.raises(StoreError, match="AccessDenied"):
        taken(outbox)

    assert outbox.failures() == ["m1"]


def test_no_more_is_claimed_than_was_asked_for(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(*(make_message(f"d{n}") for n in range(5))))

    assert outbox.take(NOW, 0, lease_until=NOW + LEASE_MS) == []
    assert len(outbox.take(NOW, 2, lease_until=NOW + LEASE_MS)) == 2

    assert cloud.steps == ["UpdateItem"] * 2
    assert len(outbox.failures()) == outbox.backlog()["waiting"] == 5


# --- what can't be read --------------------------------------------------------------


def test_what_can_not_be_read_is_a_dead_letter_and_the_rest_proceeds(
    cloud: Cloud,
) -> None:
    lane = cloud.lane(make_message("d1"))
    lane.add(Parcel('{"type": "send_fax"}', {"kind": "command", "revision": "1"}))
    lane.add(Parcel("{", {"kind": "wake_up"}))
    cloud.release(make_message(""), make_message("é" * 1025), make_message("d1"))

    cloud.settle()

    assert cloud.channel.asked == ["d1"]
    assert [(letter.door, letter.kind) for letter in cloud.letters] == [
        ("outbox", "command"),
        ("outbox", "wake_up"),
        ("outbox", "command"),
        ("outbox", "command"),
    ]
    assert cloud.letters[0].body == b'{"type": "send_fax"}'
    assert "send_fax" in cloud.letters[0].reason
    assert all(letter.reason for letter in cloud.letters)


def test_what_can_not_be_buried_comes_again(cloud: Cloud) -> None:
    def fail() -> None:
        raise StoreBusy("the dead letters' queue is busy")

    record = cloud.lane(make_message("d1")).add(Parcel("{"))
    cloud.script[1] = fail

    assert cloud.invoke([record]) == ["m1"]
    assert cloud.invoke([record]) == []
    assert len(cloud.letters) == 1


# --- settle --------------------------------------------------------------------------


def test_what_is_to_be_tried_again_waits_in_the_queue_and_not_in_its_dead_letters(
    cloud: Cloud,
) -> None:
    cloud.channel.answers["d1"] = [lambda id: RetryAfter(id, 120)] * 3
    (record,) = cloud.release(make_message("d1"))

    assert cloud.invoke([record]) == []

    row = cloud.row("d1")
    assert (row["s"], int(row["due"]), row["n"]) == ("waiting", NOW + 120_000, "1")
    lane = cloud.lane(make_message("d1"))
    assert delays(lane, NOW) == [0, 120]
    lane.waiting.pop(0)
    cloud.settle()
    assert cloud.channel.asked == ["d1"] * 4
    assert cloud.row("d1")["s"] == "sent"


def test_what_is_to_go_on_at_once_comes_back_a_little_later(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1")))
    cloud.lane(make_message("d1")).waiting.clear()
    ((_, task),) = taken(outbox)

    outbox.settle([Settled(task.id, "again", NOW)])

    assert delays(cloud.lane(make_message("d1")), NOW) == [30]


def test_attempts_and_slots_are_kept_while_it_waits(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    outbox = cloud.outbox([record])
    ((_, task),) = taken(outbox)
    outbox.settle([Settled(task.id, "again", NOW + 5, attempts=3, reserved=True)])
    outbox = cloud.outbox([record])

    ((_, task),) = taken(outbox, NOW + 5)
    assert (task.attempts, task.reserved) == (3, True)

    ((_, task),) = taken(cloud.outbox([record]), NOW + 5 + LEASE_MS)
    assert (task.attempts, task.lapsed, task.reserved) == (3, True, True)


def test_what_is_settled_costs_two_writes_and_a_count(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1"), make_message("d2")))
    tasks = taken(outbox)

    outbox.settle([Settled(task.id, "sent", NOW) for _, task in tasks])

    assert cloud.steps == ["UpdateItem"] * 5  # one count for both


def test_the_reports_of_a_settlement_are_kept_until_they_are_sent(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    cloud.events.is_down = True

    assert cloud.invoke([record]) == ["m1"]
    assert cloud.row("d1")["s"] == "sent"
    assert cloud.row("d1")["rep"]
    assert cloud.invoke([record]) == ["m1"]

    cloud.events.is_down = False
    assert cloud.invoke([record]) == []
    assert names(cloud.reports()) == ["message.sent"]
    assert "rep" not in cloud.row("d1")
    assert cloud.channel.asked == ["d1"]


def test_reports_that_were_sent_need_not_be_forgotten_at_once(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    outbox = cloud.outbox([record])
    ((_, task),) = taken(outbox)
    wire = Wire(cloud.dynamodb)
    wire.let("UpdateItem")
    wire.refuse("UpdateItem", "AccessDeniedException")

    outbox.settle([Settled(task.id, "sent", NOW)], reports=[WakeUp("ada")])

    assert outbox.failures() == []
    assert cloud.reports() == [WakeUp("ada")]
    cloud.invoke([record])
    assert cloud.reports() == [WakeUp("ada")] * 2
    assert "rep" not in cloud.row("d1")


def test_reports_of_a_shape_that_nobody_knows_are_lost_and_nothing_else(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    (record,) = cloud.release(make_message("d1"))
    cloud.settle()
    cloud.dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": "d1"}},
        UpdateExpression="SET rep = :rep",
        ExpressionAttributeValues={":rep": {"B": b"\x00"}},
    )

    with caplog.at_level(logging.ERROR):
        assert cloud.invoke([record]) == []

    assert "d1" in caplog.text
    assert "rep" not in cloud.row("d1")


def test_a_settlement_whose_answer_was_lost_counts_and_is_reported(
    cloud: Cloud,
) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1"), make_message("d2")))
    (_, first), (_, second) = taken(outbox)
    wire = Wire(cloud.dynamodb)
    wire.lose("UpdateItem")
    wire.let("UpdateItem")
    wire.lose("UpdateItem")

    outbox.settle(
        [Settled(first.id, "sent", NOW), Settled(second.id, "again", NOW + 5000)],
        reports=[WakeUp("ada")],
    )

    assert cloud.reports() == [WakeUp("ada")]
    assert outbox.failures() == []
    assert delays(cloud.lane(make_message("d1")), NOW) == [0, 0, 5]
    assert cloud.tallies.tallies() == {"welcome": (1, 0)}


def test_who_comes_too_late_puts_nothing_off(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    lane = cloud.lane(make_message("d1"))
    lane.waiting.clear()
    late = cloud.outbox([record])
    ((_, old),) = taken(late)
    taken(cloud.outbox([record]), NOW + LEASE_MS)

    late.settle([Settled(old.id, "again", NOW + 1)])

    assert late.failures() == []
    assert lane.waiting == []
    assert cloud.row("d1")["s"] == "claimed"


def test_what_was_sent_was_sent_however_late_that_is_known(cloud: Cloud) -> None:
    (record,) = cloud.release(make_message("d1"))
    late, quick = cloud.outbox([record]), cloud.outbox([record])
    ((_, old),) = taken(late)
    ((_, new),) = taken(quick, NOW + LEASE_MS)

    late.settle([Settled(old.id, "sent", NOW + 1)], reports=[WakeUp("late")])
    quick.settle([Settled(new.id, "uncertain", NOW + 2)], reports=[WakeUp("quick")])

    assert cloud.row("d1")["s"] == "sent"
    assert cloud.reports() == [WakeUp("late")]
    assert late.failures() == quick.failures() == []
    assert cloud.tallies.tallies() == {"welcome": (1, 0)}


def test_a_breaker_without_its_counts_stops_nothing(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1")))
    ((_, task),) = taken(outbox)
    wire = Wire(cloud.dynamodb)
    wire.let("UpdateItem")
    wire.refuse("UpdateItem", "AccessDeniedException")

    outbox.settle([Settled(task.id, "failed", NOW)])

    assert outbox.failures() == []
    assert "not counted" in caplog.text


def test_what_is_not_settled_comes_again(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1"), make_message("d2")))
    (_, first), _ = taken(outbox)

    outbox.settle([Settled(first.id, "sent", NOW)])

    assert outbox.failures() == ["m2"]


def test_a_settlement_that_fails_half_way_finishes_what_it_began(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(*(make_message(f"d{n}") for n in range(3))))
    tasks = [task for _, task in taken(outbox)]
    wire = Wire(cloud.dynamodb)
    wire.let("UpdateItem")
    wire.refuse("UpdateItem", "AccessDeniedException")
    settled = [Settled(task.id, "sent", NOW) for task in tasks]

    with pytest.raises(StoreError, match="AccessDenied"):
        outbox.settle(settled, reports=[WakeUp("ada")])

    assert cloud.reports() == [WakeUp("ada")]
    assert outbox.failures() == ["m2", "m3"]

    outbox.settle(settled)
    assert outbox.failures() == []
    assert cloud.tallies.tallies() == {"welcome": (3, 0)}


REFERENCE = Reference("ab" * 12, "ada", "d1", NOW)


def test_references_are_kept_before_anybody_can_know_of_the_message(
    cloud: Cloud,
) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1")))
    [(_, task)] = taken(outbox)
    wire = Wire(cloud.dynamodb)

    outbox.settle([Settled(task.id, "sent", NOW)], references=[REFERENCE])

    assert wire.sent[:2] == ["BatchWriteItem", "UpdateItem"]
    assert cloud.references.referred([REFERENCE.key]) == {REFERENCE.key: [REFERENCE]}


def test_what_was_sent_was_sent_though_its_references_are_lost(cloud: Cloud) -> None:
    outbox = cloud.outbox(cloud.release(make_message("d1")))
    [(_, task)] = taken(outbox)
    Wire(cloud.dynamodb).refuse("BatchWriteItem", "AccessDeniedException")

    with pytest.raises(StoreError, match="AccessDenied"):
        outbox.settle([Settled(task.id, "sent", NOW)], references=[REFERENCE])

    assert cloud.row("d1")["s"] == "sent"
    assert outbox.failures() == []


def test_reports_are_kept_with_what_they_are_about(cloud: Cloud) -> None:
    message = make_message("d1")
    cloud.channel.always["d2"] = lambda id: Rejected(id, "no such address")
    records = cloud.release(message, make_message("d2"), make_call("c1"))
    kept: dict[str, list[str]] = {}

    def look() -> None:
        for id in ("d1", "d2", "c1"):
            parcels = msgspec.msgpack.decode(cloud.row(id)["rep"], type=list[Parcel])
            kept[id] = [json.loads(parcel.body)["name"] for parcel in parcels]

    cloud.script[3 + 3 + 1] = look  # claimed, settled, and then they are sent
    cloud.invoke(records)

    assert kept == {
        "d1": ["message.sent"],
        "d2": ["message.failed"],
        "c1": ["call.completed"],
    }


def test_that_somebody_opted_out_is_kept_with_the_message_that_found_out(
    cloud: Cloud,
) -> None:
    cloud.channel.always["d2"] = lambda id: Rejected(id, "opted out", "unsubscribed")
    records = cloud.release(make_message("d1"), make_message("d2"))
    kept: dict[str, list[str]] = {}

    def look() -> None:
        for id in ("d1", "d2"):
            parcels = msgspec.msgpack.decode(cloud.row(id)["rep"], type=list[Parcel])
            kept[id] = [json.loads(parcel.body)["name"] for parcel in parcels]

    cloud.script[2 + 2 + 1] = look  # claimed, settled, and then they are sent
    cloud.invoke(records)

    assert kept == {
        "d1": ["message.sent"],
        "d2": ["message.failed", "message.unsubscribed"],
    }


# --- what the dispatcher makes of it -------------------------------------------------


def test_a_message_that_comes_too_late_goes_back_to_its_customer(cloud: Cloud) -> None:
    message = make_message("d1", not_after=NOW - 1, expires_at=NOW + DAY)
    cloud.release(message)
    cloud.settle()

    assert cloud.channel.asked == []
    assert cloud.reports() == [
        Returned(
            message=message, until=NOW, reason="late", received_at=to_datetime(NOW)
        )
    ]


def test_a_call_that_nobody_waits_for_any_more_has_failed(cloud: Cloud) -> None:
    cloud.release(make_call("c1", expires_at=NOW))
    cloud.settle()

    assert cloud.action.asked == []
    assert cloud.deliveries.find(["c1"])["c1"].outcome == "failed"


def test_an_event_that_came_to_the_wrong_place_is_settled(cloud: Cloud) -> None:
    cloud.release(PublishEvent("e1", "sent.out", "ada", {}, NOW))
    cloud.settle()

    assert not any(lane.waiting for lane in cloud.lanes.values())
    assert cloud.deliveries.find(["e1"]) == {}


def test_what_became_of_many_is_found_in_few_requests(cloud: Cloud) -> None:
    cloud.release(make_message("d0"))
    cloud.settle()
    row = cloud.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "d0"}})["Item"]
    ids = [f"d{n}" for n in range(120)]
    for start in range(0, 120, 25):
        put = [
            {"PutRequest": {"Item": {**row, "id": {"S": id}}}}
            for id in ids[start : start + 25]
        ]
        cloud.dynamodb.batch_write_item(RequestItems={TABLE: put})
    cloud.steps.clear()

    found = cloud.deliveries.find([*ids, *ids, "", "x" * 3000, "unheard-of"])

    assert sorted(found) == sorted(ids)
    assert cloud.steps == ["BatchGetItem"] * 2


def test_a_message_is_known_from_its_claim_on(cloud: Cloud) -> None:
    """A provider may report while the function is still at work."""
    message = make_message("d1", test=True)
    outbox = cloud.outbox(cloud.release(message, make_call("c1")))
    (_, first), _ = taken(outbox)

    assert cloud.deliveries.find(["d1", "c1"]) == {}
    found = cloud.deliveries.find(["d1", "c1", "d2"], unsettled=True)
    assert found == {
        "d1": Delivery(
            id="d1",
            customer=message.customer,
            channel=message.channel,
            journey=message.journey,
            version=message.version,
            step=message.step,
            enrollment=message.enrollment,
            template=message.template,
            outcome="claimed",
            at=NOW,
            test=True,
        ),
        "c1": found["c1"],
    }
    outbox.settle([Settled(first.id, "again", NOW + MINUTE)])
    (waiting,) = cloud.deliveries.find(["d1"], unsettled=True).values()
    assert waiting == replace(found["d1"], outcome="waiting")


def test_what_went_back_is_described_anew_when_it_is_claimed_again(
    cloud: Cloud,
) -> None:
    (record,) = cloud.release(make_message("d1", test=True), revision=3)
    outbox = cloud.outbox([record])
    ((_, task),) = taken(outbox)
    outbox.settle([Settled(task.id, "returned", NOW, reason="pace")])

    again = make_message("d1", version=4)
    taken(cloud.outbox(cloud.release(again, revision=9)), NOW + HOUR)

    (found,) = cloud.deliveries.find(["d1"], unsettled=True).values()
    assert (found.version, found.at, found.reason) == (4, NOW + HOUR, "")
    assert not found.test


def test_keys_that_are_left_over_are_asked_for_again(cloud: Cloud) -> None:
    cloud.release(make_message("d1"))
    cloud.settle()
    waits: list[float] = []
    deliveries = DynamoDeliveries(
        cloud.dynamodb, TABLE, cloud.tallies, clock=lambda: NOW, sleep=waits.append
    )
    left = {TABLE: {"Keys": [{"id": {"S": "d1"}}], "ConsistentRead": True}}
    wire = Wire(cloud.dynamodb)
    wire.answer("BatchGetItem", {"Responses": {}, "UnprocessedKeys": left})

    assert list(deliveries.find(["d1"])) == ["d1"]
    assert len(waits) == 1

    wire.answer("BatchGetItem", {"Responses": {}, "UnprocessedKeys": left}, times=99)
    with pytest.raises(StoreBusy, match="1 keys"):
        deliveries.find(["d1"])


# --- whatever fails, wherever --------------------------------------------------------


def act_of(cloud: Cloud, kind: str) -> Callable[[], None]:
    def act() -> None:
        if kind == "killed":
            cloud.is_dead = True
            raise Killed
        if cloud.steps[-1][0].isupper():  # a call of DynamoDB's, by way of botocore
            raise ConnectionClosedError(endpoint_url="https://dynamodb")
        raise StoreBusy("the queue is busy")

    return act


def live_through(cloud: Cloud) -> None:
    """All that can become of commands, in one batch; then time passes."""
    cloud.channel.answers["again"] = [lambda id: RetryAfter(id, 90)]
    sent, again = make_message("sent"), make_message("again")
    late = make_message("late", not_after=NOW - 1, expires_at=NOW + DAY)
    cloud.release(sent, again, late, sent)
    cloud.lane(sent).add(Parcel("{", {"kind": "command"}))
    cloud.release(make_call("call"))
    cloud.settle()
    cloud.release(sent, late)  # duplicates that were long on their way
    cloud.settle()


RIGHT = {"sent": "sent", "again": "sent", "late": "returned", "call": "sent"}
REPORTS = {
    "sent:message.sent",
    "again:message.sent",
    "late returned",
    "call:call.completed",
}


def reported(cloud: Cloud) -> list[str]:
    """What was reported, each time it was."""
    return [
        it.id if isinstance(it, Event) else f"{it.message.delivery_id} returned"
        for it in cloud.reports()
        if isinstance(it, Event | Returned)
    ]


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("killed", False),  # before a call; after one is before the next
        ("failed", False),
        ("lost", False),  # it happened, and the answer got lost for good
        ("killed", True),
    ],
    ids=["killed", "failed", "lost", "killed, and the channel holds"],
)
def test_whatever_fails_nothing_is_lost_and_nothing_goes_twice(
    kind: str, holds: bool
) -> None:
    dynamodb = client("dynamodb")

    def begun() -> Cloud:
        cloud = Cloud(dynamodb)
        if holds:
            cloud.channel.capabilities = Capabilities(
                batch_size=10, idempotent=False, on_uncertain="hold"
            )
        return cloud

    whole = begun()
    live_through(whole)
    steps = [*whole.steps]
    assert sorted(reported(whole)) == sorted(REPORTS)
    assert whole.channel.asked == ["sent", "again", "again"]
    assert len(whole.letters) == 1
    assert whole.tallies.tallies() == {"welcome": (3, 0)}
    whole.close()

    for number, step in enumerate(steps, 1):
        place = f"{kind} at call {number}, {step}"
        cloud = begun()
        script = cloud.script_after if kind == "lost" else cloud.script
        script[number] = act_of(cloud, kind)

        live_through(cloud)

        assert not script, place
        assert not any(lane.waiting for lane in cloud.lanes.values()), place
        assert cloud.letters, place
        outcomes = {
            id: it.outcome for id, it in cloud.deliveries.find([*RIGHT]).items()
        }
        asked = Counter(cloud.channel.asked)
        if holds:
            # Whoever may have been asked is not asked again, and that is told.
            unsure = {id for id, it in outcomes.items() if it == "uncertain"}
            assert outcomes == {**RIGHT, **dict.fromkeys(unsure, "uncertain")}, place
            assert {id.split(":")[0].split()[0] for id in reported(cloud)} == {*RIGHT}
            assert asked["sent"] <= 1, place
            assert asked["again"] <= 2, place
        else:
            assert outcomes == RIGHT, place
            assert {*reported(cloud)} == REPORTS, place
        assert asked["late"] == 0, place
        succeeded, failed = cloud.tallies.tallies().get("welcome", (0, 0))
        assert succeeded + failed <= 4, place
        cloud.close()
