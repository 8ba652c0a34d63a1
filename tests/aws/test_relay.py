from __future__ import annotations

import json
import logging
import random
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import botocore.session
import msgspec
import pytest
from boto3.dynamodb.types import Binary, TypeSerializer
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace
from tests.aws.customers_table import handed_over, make_customers_table, make_record

from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.documents import packed_command
from journeykit.aws.messages import command_of, letter_parcel
from journeykit.aws.queues import MAX_BYTES, NoQueue, Parcel, Queue, Unsendable
from journeykit.aws.relay import Image, Relay, image_of, plain
from journeykit.engine.commands import CallAction, Command, PublishEvent, SendMessage
from journeykit.errors import InputError, StoreBusy, StoreError
from journeykit.ports import Change, DeadLetter
from journeykit.testing.store_contract.samples import (
    make_call,
    make_later,
    make_message,
    make_person,
)

NOW = 1_790_000_000_000
HOUR_MS = 60 * 60_000


class Place:
    """Any destination: it keeps what it is handed, and fails if it is told to."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.error: Exception | None = None
        self.calls = 0

    def take(self, things: Sequence[Any]) -> None:
        self.calls += 1
        if isinstance(self.error, Unsendable):
            self.kept += [
                one for n, one in enumerate(things) if n not in self.error.refused
            ]
        if self.error is not None:
            raise self.error
        self.kept += things

    send = put = take

    def entry(self, event: PublishEvent) -> bytes:
        return f"entry of {event.id}".encode()

    def arm(self, wakeups: Sequence[tuple[int, str]], *, now: int) -> None:
        assert now == NOW
        self.take(wakeups)

    def append(self, lines: bytes) -> None:
        self.take(lines.splitlines())


class World:
    """A relay, and everything behind it."""

    def __init__(self) -> None:
        self.queues = {"email": Place(), "sms": Place(), None: Place()}
        self.bus, self.timers, self.log, self.letters = (Place() for _ in range(4))
        self.relay = Relay(
            queue_of=self.queue_of,
            bus=self.bus,
            timers=self.timers,
            decisions=self.log,
            bury=self.letters.take,
            clock=lambda: NOW,
        )

    @property
    def places(self) -> Mapping[str, Place]:
        return {
            **{f"queue of {name}": place for name, place in self.queues.items()},
            "bus": self.bus,
            "timers": self.timers,
            "log": self.log,
            "letters": self.letters,
        }

    def queue_of(self, command: Command) -> Place:
        channel = command.channel if isinstance(command, SendMessage) else None
        return self.queues[channel]

    def sent(self, channel: str | None) -> list[tuple[Command, int]]:
        return [read(parcel) for parcel in self.queues[channel].kept]


def read(parcel: Parcel) -> tuple[Command, int]:
    named = {name: {"stringValue": it} for name, it in parcel.attributes.items()}
    return command_of({"body": parcel.body, "messageAttributes": named})


@pytest.fixture
def world() -> World:
    return World()


def make_event(id: str, **fields: Any) -> PublishEvent:
    event = PublishEvent(id, "order.seen", "ada", {"sum": 1}, NOW)
    return replace(event, **fields)


def make_item(
    id: str = "ada",
    revision: int = 7,
    *,
    commands: Sequence[Command | bytes] = (),
    older: Mapping[int, Sequence[Command]] = {},
    due: int | None = None,
    due_since: int | None = None,
    lines: bytes = b"",
) -> dict[str, Any]:
    """An item of the customers table, as a client reads it."""
    out = {**older, **({revision: commands} if commands else {})}
    item: dict[str, Any] = {
        "id": {"S": id},
        "r": {"N": str(revision)},
        "d": {"B": b"the document"},
        "w": {"N": str(due_since if due_since is not None else revision)},
        "out": {
            "M": {
                str(number): {
                    "M": {
                        "at": {"N": str(NOW)},
                        "c": {"L": [{"B": packed(one)} for one in those]},
                    }
                }
                for number, those in out.items()
            }
        },
    }
    if due is not None:
        item["due"] = {"N": str(due)}
    if lines:
        item["log"] = {"B": zlib.compress(lines)}
    return item


def packed(command: Command | bytes) -> bytes:
    return command if isinstance(command, bytes) else packed_command(command)


# --- reading -------------------------------------------------------------------------

numbers = st.integers(-(10**37), 10**37)
values = st.recursive(
    st.none() | st.booleans() | st.text() | st.binary() | numbers,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=values)
def test_a_value_is_the_same_by_stream_and_by_client(value: Any) -> None:
    typed = unwrapped(TypeSerializer().serialize(value))

    assert plain(typed) == value
    assert plain(json.loads(json.dumps(handed_over(typed)))) == value


def unwrapped(value: Any) -> Any:
    """boto3 has bytes of a class of its own."""
    if isinstance(value, Binary):
        return value.value
    if isinstance(value, dict):
        return {name: unwrapped(one) for name, one in value.items()}
    return [unwrapped(one) for one in value] if isinstance(value, list) else value


def test_sets_and_fractions_are_read_too() -> None:
    assert plain({"SS": ["a"]}) == ["a"]
    assert plain({"NS": ["1", "2.5"]}) == [1, 2.5]
    assert plain({"BS": ["YQ=="]}) == [b"a"]


@pytest.mark.parametrize(
    "value", ["text", {}, {"S": "a", "N": "1"}, {"X": 1}, {"N": "one"}, {"B": "?"}]
)
def test_what_is_no_value_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        plain(value)


commands = st.one_of(
    st.integers(0, 99).map(lambda n: make_message(f"{n:024}")),
    st.integers(0, 99).map(lambda n: make_call(f"{n:024}")),
    st.integers(0, 99).map(lambda n: make_event(f"{n:024}")),
)


@given(
    id=st.text(min_size=1, max_size=256),
    revision=st.integers(0, 2**40),
    own=st.lists(commands, max_size=3),
    others=st.dictionaries(st.integers(0, 99), st.lists(commands, max_size=3)),
    due=st.none() | st.integers(-(2**40), 2**43),
    is_new=st.booleans(),
    lines=st.binary(),
)
def test_an_image_is_what_its_own_write_has_decided(
    id: str,
    revision: int,
    own: list[Command],
    others: dict[int, list[Command]],
    due: int | None,
    is_new: bool,
    lines: bytes,
) -> None:
    others.pop(revision, None)
    item = make_item(
        id,
        revision,
        commands=own,
        older=others,
        due=due,
        due_since=None if is_new else revision - 1,
        lines=lines,
    )

    image = image_of(json.loads(json.dumps(make_record(item))))

    assert image == Image(
        id,
        revision,
        due if is_new else None,
        tuple((revision, packed_command(one)) for one in own),
        lines,
    )


@pytest.mark.parametrize("event", ["REMOVE", "SOMETHING_NEW", None])
def test_a_record_that_is_no_write_is_nothing(event: Any) -> None:
    assert image_of(make_record(None, event=event)) is None


def broken_records() -> Mapping[str, Any]:
    def without(name: str) -> Any:
        item = make_item(lines=b"{}\n", due=NOW)
        del item[name]
        return make_record(item)

    def with_(**fields: Any) -> Any:
        return make_record({**make_item(due=NOW), **fields})

    return {
        "no object": "text",
        "no data": {"eventName": "MODIFY"},
        "keys only": make_record(None),
        "no id": without("id"),
        "no revision": without("r"),
        "no revision of the due instant": without("w"),
        "revision is text": with_(r={"S": "7"}),
        "due is text": with_(due={"S": "soon"}),
        "log is no zlib": with_(log={"B": b"lines"}),
        "log is text": with_(log={"S": "lines"}),
        "out is a list": with_(out={"L": []}),
        "out has no commands": with_(out={"M": {"7": {"M": {"at": {"N": "1"}}}}}),
        "commands are text": with_(out={"M": {"7": {"M": {"c": {"L": [{"S": "a"}]}}}}}),
    }


@pytest.mark.parametrize("record", broken_records().values(), ids=broken_records())
def test_a_record_that_cant_be_read_is_a_dead_letter(world: World, record: Any) -> None:
    good = make_record(make_item(commands=[make_message("m1")]), number=2)

    failed = world.relay.run([record, good])

    assert failed == []
    (letter,) = world.letters.kept
    assert (letter.door, letter.customer, letter.kind) == ("relay", "", "")
    assert letter.reason
    assert b'"d"' not in letter.body
    assert msgspec.json.decode(letter.body)
    assert world.sent("email") == [(make_message("m1"), 7)]


# --- passing on ----------------------------------------------------------------------


def test_everything_goes_where_it_belongs(world: World) -> None:
    message, text, call, event = (
        make_message("m1"),
        make_message("m2", channel="sms"),
        make_call("c1"),
        make_event("e1"),
    )
    item = make_item(
        commands=[message, text, call, event],
        older={6: [make_message("old")]},
        due=NOW + HOUR_MS,
        lines=b'{"a":1}\n{"b":2}\n',
    )

    failed = world.relay.run([make_record(item)])

    assert failed == []
    assert world.sent("email") == [(message, 7)]
    assert world.sent("sms") == [(text, 7)]
    assert world.sent(None) == [(call, 7)]
    assert world.bus.kept == [event]
    assert world.timers.kept == [(NOW + HOUR_MS, "ada")]
    assert world.log.kept == [b'{"a":1}', b'{"b":2}']
    assert world.letters.kept == []


def test_an_invocation_is_one_request_a_destination(world: World) -> None:
    records = [
        make_record(
            make_item(
                f"c{n}",
                commands=[make_message(f"m{n}"), make_event(f"e{n}")],
                due=NOW + n,
                lines=b"{}\n",
            ),
            number=n,
        )
        for n in range(1, 41)
    ]

    world.relay.run(records)

    called = {name: place.calls for name, place in world.places.items() if place.calls}
    assert called == {"queue of email": 1, "bus": 1, "timers": 1, "log": 1}
    assert len(world.queues["email"].kept) == 40


def test_a_due_instant_of_an_earlier_write_is_not_armed_again(world: World) -> None:
    world.relay.run([make_record(make_item(due=NOW + HOUR_MS, due_since=6))])

    assert world.timers.calls == 0


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0, 1]])
def test_of_several_due_instants_the_newest_is_armed(
    world: World, order: list[int]
) -> None:
    records = [
        make_record(make_item(revision=7 + n, due=NOW + n), number=n) for n in range(3)
    ]

    world.relay.run([records[n] for n in order])

    assert world.timers.kept == [(NOW + 2, "ada")]


def test_a_write_that_decided_nothing_asks_for_nothing(world: World) -> None:
    assert (
        world.relay.run([make_record(make_item()), make_record(None, event="REMOVE")])
        == []
    )
    assert not any(place.calls for place in world.places.values())


def test_no_records_are_no_work(world: World) -> None:
    assert world.relay.run([]) == []


# --- what fails ----------------------------------------------------------------------


def mixed() -> list[dict[str, Any]]:
    """Records of which each goes to one destination only."""
    asked: list[dict[str, Any]] = [
        {},
        {"commands": [make_message("m1")]},
        {"commands": [make_message("m2", channel="sms")]},
        {"commands": [make_call("c1")]},
        {"commands": [make_event("e1")]},
        {"due": NOW},
        {"lines": b"{}\n"},
        {"commands": [b"damaged"]},
        {"commands": [make_message("m3")]},
    ]
    return [
        make_record(make_item(f"c{n}", **it), number=95 + n)
        for n, it in enumerate(asked)
    ]


FAILED = {
    "queue of email": ["96", "103"],
    "queue of sms": ["97"],
    "queue of None": ["98"],
    "bus": ["99"],
    "timers": ["100"],
    "log": ["101"],
    "letters": ["102"],
}


@pytest.mark.parametrize("name", FAILED)
def test_if_one_destination_is_busy_the_others_get_theirs(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.places[name].error = StoreBusy(f"{name} is busy")

    with caplog.at_level(logging.WARNING):
        failed = world.relay.run(mixed())

    assert failed == FAILED[name]
    kept = {name: len(place.kept) for name, place in world.places.items()}
    assert kept == {
        other: 0 if other == name else len(those) for other, those in FAILED.items()
    }
    assert f"{name} is busy" in caplog.text


def test_the_lowest_sequence_number_stands_first(world: World) -> None:
    for place in world.places.values():
        place.error = StoreBusy("busy")

    failed = world.relay.run(mixed())

    assert failed == [str(number) for number in range(96, 104)]


def test_the_rest_is_passed_on_when_the_records_come_again(world: World) -> None:
    world.bus.error = StoreBusy("busy")
    failed = world.relay.run(mixed())
    world.bus.error = None
    again = [
        record
        for record in mixed()
        if int(record["dynamodb"]["SequenceNumber"]) >= int(failed[0])
    ]

    assert world.relay.run(again) == []
    assert world.bus.kept == [make_event("e1")]


def test_commands_that_have_no_queue_are_dead_letters(world: World) -> None:
    error = NoQueue("there is no queue 'fax'")
    world.queues["sms"].error = error

    failed = world.relay.run(mixed())

    assert failed == []
    _, letter = world.letters.kept
    assert letter == DeadLetter(
        NOW,
        "relay",
        str(error),
        "ada",
        "command",
        msgspec.json.encode(make_message("m2", channel="sms")),
        outside={"revision": "7", "trace": "m2"},
    )
    named = letter_parcel(letter)
    assert read(named) == (make_message("m2", channel="sms"), 7)
    assert len(world.queues["email"].kept) == 2


@pytest.mark.parametrize("name", ["queue of sms", "bus"])
def test_a_right_that_is_missing_is_waited_for(world: World, name: str) -> None:
    world.places[name].error = StoreError("access is denied")

    assert world.relay.run(mixed()) == FAILED[name]
    assert len(world.letters.kept) == 1  # what can't be read, as ever
    assert len(world.queues["email"].kept) == 2


def test_a_channel_that_nobody_knows_is_a_dead_letter(world: World) -> None:
    del world.queues["sms"]

    assert world.relay.run(mixed()) == []
    assert [letter.reason for letter in world.letters.kept] == [
        "its queue is not known: 'sms'",
        "a command can't be passed on: it does not begin as documents and commands do",
    ]


def test_a_setting_that_is_missing_stops_the_relay(world: World) -> None:
    def refuse(command: Command) -> Place:
        raise InputError("is not set", place="JOURNEYKIT_CALLS_QUEUE")

    world.relay._queue_of = refuse

    with pytest.raises(InputError):
        world.relay.run(mixed())
    assert not any(place.calls for place in world.places.values())


def test_what_alone_cant_be_sent_is_a_dead_letter(world: World) -> None:
    world.queues["email"].error = Unsendable("1 of 2", refused={1: "too large"})
    world.bus.error = Unsendable("1 of 1", refused={0: "MalformedDetail"})

    assert world.relay.run(mixed()) == []
    assert world.sent("email") == [(make_message("m1"), 7)]
    reasons = [letter.reason for letter in world.letters.kept]
    assert reasons[1:] == ["too large", "MalformedDetail"]


def test_an_event_that_the_bus_refuses_can_be_put_on_it_later(world: World) -> None:
    world.bus.error = Unsendable("1 of 1", refused={0: "access is denied"})
    record = make_record(make_item(commands=[make_event("e1")]))

    assert world.relay.run([record]) == []

    (letter,) = world.letters.kept
    assert (letter.kind, letter.body) == ("entry", b"entry of e1")
    parcel = letter_parcel(letter)
    assert (parcel.attributes["kind"], parcel.body) == ("entry", "entry of e1")


def test_a_dead_letter_that_nobody_takes_holds_up_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.letters.error = Unsendable("1 of 1", refused={0: "too large"})

    with caplog.at_level(logging.ERROR):
        assert world.relay.run(mixed()) == []
    assert "1 dead letters are lost" in caplog.text


def test_timers_that_cant_be_used_are_waited_for(world: World) -> None:
    world.timers.error = StoreError("access is denied")

    assert world.relay.run(mixed()) == FAILED["timers"]


def test_lines_that_no_log_takes_are_a_dead_letter_and_stop_nothing(
    world: World,
) -> None:
    world.log.error = StoreError("there is no such stream")
    records = [
        make_record(
            make_item(
                f"c{n}",
                commands=[make_message(f"m{n}")],
                due=NOW,
                lines=b'{"n":%d}\n' % n,
            ),
            number=n,
        )
        for n in range(3)
    ]

    assert world.relay.run(records) == []

    assert len(world.sent("email")) == len(world.timers.kept) == 3
    (letter,) = world.letters.kept
    assert letter.kind == "decisions"
    assert letter.body == b'{"n":0}\n{"n":1}\n{"n":2}\n'
    assert letter.reason == (
        "the decision log can't be written: there is no such stream"
    )


def test_lines_that_are_neither_logged_nor_buried_come_again(world: World) -> None:
    world.log.error = StoreError("there is no such stream")
    world.letters.error = StoreBusy("the dead letters' queue is busy")
    records = [
        make_record(make_item(f"c{n}", lines=b"{}\n"), number=n) for n in range(3)
    ]

    assert world.relay.run(records) == ["0", "1", "2"]


@pytest.mark.parametrize("letter", ["x", "\ufffe"], ids=["text", "in base64"])
@pytest.mark.parametrize("size", [10, 200_000, 900_000], ids="{:,} bytes".format)
def test_lines_that_no_log_takes_fit_into_dead_letters(
    world: World, size: int, letter: str
) -> None:
    world.log.error = StoreError("there is no such stream")
    line = b'"%s"\n' % (letter * (size // len(letter.encode()))).encode()
    records = [make_record(make_item(f"c{n}", lines=line), number=n) for n in range(9)]

    world.relay.run(records)

    assert b"".join(one.body for one in world.letters.kept) == 9 * line
    parcels = [letter_parcel(one) for one in world.letters.kept]
    assert all(parcel.size <= MAX_BYTES for parcel in parcels)
    if size < 700_000:  # what fits is whole
        assert not any("cut" in parcel.attributes for parcel in parcels)
        assert all(one.body.endswith(b'"\n') for one in world.letters.kept)


def test_a_command_of_a_later_release_is_waited_for(world: World) -> None:
    later = b"\x02" + packed_command(make_message("m9"))[1:]
    record = make_record(
        make_item(commands=[make_message("m1"), later], due=NOW), number=5
    )

    assert world.relay.run([record]) == ["5"]
    assert world.sent("email") == [(make_message("m1"), 7)]
    assert world.timers.kept
    assert world.letters.kept == []


def test_a_damaged_command_takes_nothing_with_it(world: World) -> None:
    item = make_item(
        commands=[make_message("m1"), b"damaged", make_event("e1")], due=NOW
    )

    assert world.relay.run([make_record(item)]) == []
    assert world.sent("email") == [(make_message("m1"), 7)]
    assert world.bus.kept == [make_event("e1")]
    assert world.timers.kept == [(NOW, "ada")]
    (letter,) = world.letters.kept
    assert (letter.customer, letter.kind, letter.body) == ("ada", "", b"damaged")


def test_a_record_without_a_number_brings_all_of_them_again(world: World) -> None:
    record = make_record(make_item(due=NOW))
    del record["dynamodb"]["SequenceNumber"]
    world.timers.error = StoreBusy("busy")

    assert world.relay.run([record]) == [""]


def test_the_log_names_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    secret = "ada.lovelace@example.com"
    world.queues["email"].error = NoQueue("there is no queue 'email'")
    world.timers.error = StoreBusy("busy")
    message = make_message("m1", customer=secret, address=secret)
    item = make_item(secret, commands=[message, b"damaged"], due=NOW)

    with caplog.at_level(logging.DEBUG):
        world.relay.run([make_record(item), make_record({"id": {"S": secret}})])

    assert len(world.letters.kept) == 3
    assert caplog.text
    assert secret not in caplog.text


def test_a_dead_letter_fits_into_its_queue(world: World) -> None:
    large = make_record({**make_item(), "r": {"S": "x"}, "d": {"B": b"\0" * 390_000}})

    world.relay.run([large])

    (letter,) = world.letters.kept
    assert letter_parcel(letter).size < 10_000


# --- at least once, in any order -----------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_nothing_is_lost_whatever_fails_and_how_often(
    data: st.DataObject, seed: int
) -> None:
    world, draw = World(), random.Random(seed)
    revisions: dict[str, int] = {}
    records = []
    expected: set[tuple[str, str]] = set()
    for n in range(data.draw(st.integers(1, 12), label="records")):
        id = draw.choice(["ada", "bob"])
        revision = revisions[id] = revisions.get(id, 0) + 1
        decided: list[Command] = [
            make(f"{n}-{m}", customer=id)
            for m, make in enumerate([make_message, make_call, make_event])
            if draw.random() < 0.5
        ]
        expected.update((type(it).__name__, key(it)) for it in decided)
        expected.add(("line", f"{id}/{revision}"))
        records.append(
            make_record(
                make_item(
                    id,
                    revision,
                    commands=decided,
                    due=NOW + n,
                    lines=f"{id}/{revision}\n".encode(),
                ),
                number=n,
            )
        )
    left = records
    for _ in range(20):
        for place in world.places.values():
            place.error = StoreBusy("busy") if draw.random() < 0.4 else None
        failed = world.relay.run(left[: draw.randint(1, len(left))])
        first = int(failed[0]) if failed else None
        if first is not None:
            left = [it for it in left if int(it["dynamodb"]["SequenceNumber"]) >= first]
    for place in world.places.values():
        place.error = None
    assert world.relay.run(left) == []
    draw.shuffle(records)
    done = found(world)
    world.relay.run(records)  # the stream is replayed, and not in its order

    assert done == found(world) == expected
    newest = {
        id: max(due for due, who in world.timers.kept if who == id) for id in revisions
    }
    assert newest == {
        id: max(
            NOW + int(it["dynamodb"]["SequenceNumber"])
            for it in records
            if it["dynamodb"]["NewImage"]["id"]["S"] == id
        )
        for id in revisions
    }


def found(world: World) -> set[tuple[str, str]]:
    sent = [command for channel in world.queues for command, _ in world.sent(channel)]
    return {
        *((type(it).__name__, key(it)) for it in [*sent, *world.bus.kept]),
        *(("line", line.decode()) for line in world.log.kept),
    }


def key(command: Command) -> str:
    if isinstance(command, SendMessage):
        return command.delivery_id
    return command.call_id if isinstance(command, CallAction) else command.id


# --- over moto -----------------------------------------------------------------------


def test_what_the_store_has_written_is_relayed(world: World) -> None:
    session = botocore.session.get_session()
    dynamodb, sqs = session.create_client("dynamodb"), session.create_client("sqs")
    url = sqs.create_queue(QueueName="deliver-email")["QueueUrl"]
    table = make_customers_table(dynamodb)
    store = DynamoCustomers(
        dynamodb,
        table,
        log=_unexpected,
        bury=_unexpected,
        clock=lambda: NOW,
    )
    world.queues["email"] = Queue(sqs, url)  # type: ignore[assignment]
    records: list[Mapping[str, Any]] = []

    def commit(*changes: Change) -> None:
        assert not store.commit(changes)
        for change in changes:
            item = dynamodb.get_item(
                TableName=table, Key={"id": {"S": change.after.id}}
            )
            records.append(make_record(item["Item"], number=len(records)))

    first = make_person("ada", next_due=NOW + HOUR_MS)
    second = make_later(first)
    third = make_later(second, next_due=None)
    commit(Change(None, first, (make_message("m1"),), b'{"n":1}\n'))
    commit(Change(first, second, (make_message("m2"), make_call("c1"))))
    commit(Change(second, third, (), b'{"n":3}\n'))

    assert world.relay.run(records) == []

    assert world.timers.kept == [(NOW + HOUR_MS, "ada")]
    assert world.log.kept == [b'{"n":1}', b'{"n":3}']
    assert world.sent(None) == [(make_call("c1"), 2)]
    got = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    assert sorted(
        (json.loads(one["Body"])["delivery_id"], revision_of(one)) for one in got
    ) == [("m1", "1"), ("m2", "2")]


def revision_of(message: Mapping[str, Any]) -> str:
    return message["MessageAttributes"]["revision"]["StringValue"]


def _unexpected(_: Collection[object]) -> None:
    raise AssertionError("nothing is to come here")
