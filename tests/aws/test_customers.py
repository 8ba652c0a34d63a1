"""The customers in DynamoDB."""

from __future__ import annotations

import logging
import random
import zlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.aws.customers_stream import (
    TABLE,
    decided,
    images,
    lines,
    make_streaming_table,
)
from tests.aws.wire import Wire

from journeykit.aws import customers as module
from journeykit.aws.clients import client as client_of
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.documents import packed, packed_command, unpacked_command
from journeykit.aws.failures import LostRace
from journeykit.engine.commands import AbsorbCustomer, Command
from journeykit.engine.customer import SCHEMA, Customer
from journeykit.engine.stimuli import Absorb
from journeykit.errors import NewerStore, StoreBusy, StoreError
from journeykit.ports import Along, Change, DeadLetter
from journeykit.testing import MemoryStore
from journeykit.testing.store_contract import CustomerStoreContract, ScanContract
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    make_later,
    make_letter,
    make_message,
    make_newcomer,
    make_person,
)


class Customers(DynamoCustomers):
    """Keeps what it passes on beside the table, and has a clock to be set.

    Attributes:
        client: Of DynamoDB.
        lines: What was logged.
        letters: What was buried.
        waits: How long it has waited.
        now: The clock.
        healthy: Whether commands are dropped when they are old.
    """

    def __init__(self, client: Any, table: str = TABLE) -> None:
        self.client = client
        self.lines: list[bytes] = []
        self.letters: list[DeadLetter] = []
        self.waits: list[float] = []
        self.now = NOW
        self.healthy = True
        super().__init__(
            client,
            table,
            log=self.lines.append,
            bury=self.letters.extend,
            clock=lambda: self.now,
            keeps_all=lambda: not self.healthy,
            sleep=self.waits.append,
            draw=lambda: 1.0,
        )


@pytest.fixture
def client() -> Any:
    client = client_of("dynamodb")
    make_streaming_table(client)
    return client


@pytest.fixture
def store(client: Any) -> Customers:
    return Customers(client)


@pytest.fixture
def wire(client: Any, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The wire of the store's client; nobody waits before asking again."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    return Wire(client)


def item_of(client: Any, id: str = "ada") -> dict[str, Any]:
    found: dict[str, Any] = client.get_item(TableName=TABLE, Key={"id": {"S": id}})
    return found["Item"]


def revise(store: Customers, *commands: Command, id: str = "ada", **fields: Any) -> Any:
    """Commit somebody's next revision, after a look at the one before."""
    before = store.load([id]).get(id)
    after = make_later(before, **fields) if before else make_person(id, **fields)
    return store.commit([Change(before, after, commands)])


class OnMoto:
    """A table of its own for each test."""

    threads = 1  # moto is not made for more

    def make(self, folder: Path) -> Customers:
        client = client_of("dynamodb")
        make_streaming_table(client)
        return Customers(client)

    def decided(self, store: Customers) -> tuple[list[Command], bytes]:
        """What a relay finds in the stream, and what needed no write."""
        shown = images(store.client)
        commands = [body for image in shown for body in decided(image)]
        written = b"".join(map(lines, shown)) + b"".join(store.lines)
        return [*map(unpacked_command, commands)], written

    def buried(self, store: Customers) -> list[DeadLetter]:
        return store.letters


class TestCustomerStore(OnMoto, CustomerStoreContract):
    many = 130  # more than go into one request


class TestScan(OnMoto, ScanContract):
    in_order = False


# --- The item ------------------------------------------------------------------------


def test_one_item_is_all_there_is_of_a_customer(store: Customers) -> None:
    ada = make_person("ada", next_due=NOW + 5)

    store.commit([Change(None, ada, (make_message("d1"),), b"1\n")])

    assert item_of(store.client) == {
        "id": {"S": "ada"},
        "r": {"N": "1"},
        "d": {"B": packed(ada)},
        "due": {"N": str(NOW + 5)},
        "w": {"N": "1"},
        "out": {
            "M": {
                "1": {
                    "M": {
                        "at": {"N": str(NOW)},
                        "c": {"L": [{"B": packed_command(make_message("d1"))}]},
                    }
                }
            }
        },
        "log": {"B": zlib.compress(b"1\n")},
    }


def test_what_there_is_not_takes_no_room(store: Customers) -> None:
    store.commit([make_newcomer("ada")])

    assert item_of(store.client) == {
        "id": {"S": "ada"},
        "r": {"N": "1"},
        "d": {"B": packed(make_person("ada"))},
        "w": {"N": "1"},
        "out": {"M": {}},
    }


def test_decisions_stand_there_until_the_next_write(store: Customers) -> None:
    ada = make_person("ada")
    store.commit([Change(None, ada, lines=b"1\n")])

    store.commit([Change(ada, make_later(ada))])

    assert "log" not in item_of(store.client)


def test_commands_of_several_reactions_stand_under_the_last_revision(
    store: Customers,
) -> None:
    ada = make_person("ada", revision=3)

    store.commit([Change(None, ada, (make_message("d1"), make_message("d2")))])

    assert list(item_of(store.client)["out"]["M"]) == ["3"]
    (image,) = images(store.client)
    assert len(decided(image)) == 2


def test_it_says_which_revision_brought_the_wake_up(store: Customers) -> None:
    seen = []
    for due in (None, NOW, NOW, NOW + 1, NOW + 1, None, None, NOW + 1):
        revise(store, next_due=due)
        item = item_of(store.client)
        seen.append((item["r"]["N"], item["w"]["N"], item.get("due", {}).get("N")))

    assert seen == [
        ("1", "1", None),
        ("2", "2", str(NOW)),
        ("3", "3", str(NOW)),  # it is due by now: nobody else wakes them for it
        ("4", "4", str(NOW + 1)),
        ("5", "4", str(NOW + 1)),
        ("6", "6", None),
        ("7", "6", None),
        ("8", "8", str(NOW + 1)),
    ]


# --- What it costs -------------------------------------------------------------------


def test_a_reaction_is_one_read_and_one_write(store: Customers, wire: Wire) -> None:
    store.commit([make_newcomer("ada")])
    wire.sent.clear()

    revise(store, make_message("d1"))

    assert wire.sent == ["GetItem", "UpdateItem"]


def test_many_are_read_a_hundred_at_a_time(store: Customers, wire: Wire) -> None:
    store.load([f"c{n}" for n in range(250)])

    assert wire.sent == ["BatchGetItem"] * 3


def test_who_is_asked_for_twice_is_read_once(store: Customers, wire: Wire) -> None:
    store.commit([make_newcomer("ada")])

    assert set(store.load(["ada", "ada"])) == {"ada"}
    assert wire.sent == ["UpdateItem", "GetItem"]


def test_what_counts_is_read_consistently(store: Customers) -> None:
    asked: list[dict[str, Any]] = []
    store.client.meta.events.register(
        "provide-client-params.dynamodb", lambda params, **_: asked.append(params)
    )

    store.load(["ada"])
    store.load(["ada", "bob"])
    store.scan("", 1)
    revise(Customers(store.client), make_message("d1"))

    get, batch, scan, *_ = asked
    assert get["ConsistentRead"]
    assert batch["RequestItems"][TABLE]["ConsistentRead"]
    assert scan["ConsistentRead"]


# --- Answers that get lost -----------------------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_a_write_whose_answer_got_lost_is_no_refusal(
    store: Customers, wire: Wire, known: bool
) -> None:
    if known:
        store.commit([make_newcomer("ada")])
    before = store.load(["ada"]).get("ada")
    after = make_later(before) if before else make_person("ada")
    shown = len(images(store.client))
    wire.lose("UpdateItem")

    refused = store.commit([Change(before, after, (make_message("d1"),), b"1\n")])

    assert not refused
    assert wire.sent[-2:] == ["UpdateItem", "UpdateItem"]
    assert store.load(["ada"]) == {"ada": after}
    assert len(images(store.client)) == shown + 1  # and relayed once


def test_it_is_one_if_somebody_else_wrote_in_between(
    store: Customers, wire: Wire
) -> None:
    ada = make_person("ada")
    other = Customers(client_of("dynamodb"))
    wire.lose("UpdateItem")
    wire.before("UpdateItem", lambda: revise(other, profile={"x": 1}))

    assert store.commit([Change(None, ada)]) == {"ada"}

    assert store.load(["ada"])["ada"].profile == {"x": 1}


@pytest.mark.parametrize(
    "theirs",
    [
        Change(None, make_person("ada", profile={"x": 1}), (make_message("d1"),)),
        Change(None, make_person("ada"), (make_message("d2"),)),
        Change(None, make_person("ada")),
    ],
    ids=["document", "commands", "no commands"],
)
def test_it_is_one_if_something_else_stands_there(
    store: Customers, wire: Wire, theirs: Change
) -> None:
    other = Customers(client_of("dynamodb"))
    wire.answer("UpdateItem", {}, status=500)
    wire.before("UpdateItem", lambda: other.commit([theirs]))

    refused = store.commit([Change(None, make_person("ada"), (make_message("d1"),))])

    assert refused == {"ada"}


def test_what_is_written_for_the_second_time_is_refused(store: Customers) -> None:
    change = Change(None, make_person("ada"), (make_message("d1"),))

    assert not store.commit([change])
    assert store.commit([change]) == {"ada"}


# --- What goes wrong -----------------------------------------------------------------

FAILURES: Sequence[tuple[str, type[StoreError], str]] = [
    ("ThrottlingException", StoreBusy, "try again later"),
    ("ProvisionedThroughputExceededException", StoreBusy, "try again later"),
    ("RequestLimitExceeded", StoreBusy, "try again later"),
    ("TransactionConflictException", StoreBusy, "try again later"),
    ("AccessDeniedException", StoreError, "allow it in the policy of your"),
    ("ResourceNotFoundException", StoreError, "deploy the stack"),
    ("ValidationException", StoreError, "please report it"),
]


RETRIED = {code for code, _, _ in FAILURES[:3]}  # by botocore, twice


@pytest.mark.parametrize(
    ("code", "kind", "words"), FAILURES, ids=[f[0] for f in FAILURES]
)
def test_a_failure_says_who_is_to_do_something(
    store: Customers, wire: Wire, code: str, kind: type[StoreError], words: str
) -> None:
    asks = {
        "GetItem": lambda: store.load(["ada"]),
        "BatchGetItem": lambda: store.load(["ada", "bob"]),
        "UpdateItem": lambda: store.commit([make_newcomer("ada")]),
        "Scan": lambda: store.scan("", 9),
    }
    for operation, ask in asks.items():
        wire.refuse(operation, code, times=3 if code in RETRIED else 1)

        with pytest.raises(StoreError, match=words) as caught:
            ask()

        assert type(caught.value) is kind
        assert str(caught.value).startswith("the customers table: ")
        assert "ada" not in str(caught.value)
        assert ask() is not None  # as if nothing had been


def test_throttling_is_waited_out(store: Customers, wire: Wire) -> None:
    wire.refuse("UpdateItem", "ThrottlingException", times=2)

    assert not store.commit([make_newcomer("ada")])

    assert wire.sent == ["UpdateItem"] * 3


def test_without_a_table_nobody_can_be_told_to_be_unreadable(
    store: Customers,
) -> None:
    store.client.delete_table(TableName=TABLE)

    for ids in (["ada"], ["ada", "bob"]):
        with pytest.raises(StoreError, match="deploy the stack"):
            store.load(ids)


def test_what_was_stored_before_a_failure_stays(store: Customers, wire: Wire) -> None:
    changes = [make_newcomer(id) for id in ("ada", "bob", "cyd")]
    along = Along(dead=(make_letter("poison"),), lines=b"1\n")
    wire.let("UpdateItem")
    wire.refuse("UpdateItem", "ThrottlingException", times=3)

    with pytest.raises(StoreBusy):
        store.commit(changes, along=along)

    assert set(store.load(["ada", "bob", "cyd"])) == {"ada"}
    assert (store.lines, store.letters) == ([], [])
    assert store.commit(changes, along=along) == {"ada"}  # to be looked at again
    assert not store.commit([], along=along)
    assert (store.lines, len(store.letters)) == ([b"1\n"], 1)


def test_no_answer_at_all_is_busy_and_found_out_later(
    store: Customers, wire: Wire
) -> None:
    wire.lose("UpdateItem", times=3)

    with pytest.raises(StoreBusy, match="may have happened"):
        store.commit([make_newcomer("ada")])

    assert store.load(["ada"]) == {"ada": make_person("ada")}


def test_documents_that_a_batch_leaves_over_are_asked_for_again(
    store: Customers, wire: Wire
) -> None:
    ids = [f"c{n}" for n in range(9)]
    store.commit([*map(make_newcomer, ids)])
    keys = [{"id": {"S": id}} for id in ids]
    for left in (9, 9, 5, 5):
        over = {TABLE: {"Keys": keys[:left], "ConsistentRead": True}}
        wire.answer("BatchGetItem", {"Responses": {}, "UnprocessedKeys": over})

    found = store.load(ids)

    assert set(found) == set(ids[:5])  # the others were never answered
    # Longer each time, and anew when it moves.
    assert store.waits == pytest.approx([0.05, 0.1, 0.05, 0.1])


def test_they_are_not_asked_for_for_ever(store: Customers, wire: Wire) -> None:
    keys = [{"id": {"S": id}} for id in ("ada", "bob")]
    over = {TABLE: {"Keys": keys, "ConsistentRead": True}}
    wire.answer("BatchGetItem", {"Responses": {}, "UnprocessedKeys": over}, times=99)

    with pytest.raises(StoreBusy, match="2 documents"):
        store.load(["ada", "bob"])

    assert wire.sent == ["BatchGetItem"] * 7
    assert len(store.waits) == 6


def test_more_than_a_page_holds_is_read_page_by_page(
    store: Customers, wire: Wire
) -> None:
    dice = random.Random(1)
    texts = {f"f{n}": dice.randbytes(1000).hex() for n in range(120)}  # 240 KB
    ids = [f"c{n}" for n in range(10)]
    people = [make_person(id, profile=texts, next_due=NOW) for id in ids]
    store.commit([Change(None, person) for person in people])

    assert set(store.load(ids)) == set(ids)
    wire.sent.clear()
    assert {customer.id for customer in store.scan("", 99)} == set(ids)
    assert {id for _, id in store.due(NOW, 99)} == set(ids)
    assert wire.sent == ["Scan"] * 4  # a page is a megabyte


def test_an_item_that_is_too_large_says_so_once(store: Customers, wire: Wire) -> None:
    words = "Item size to update has exceeded the maximum allowed size"
    wire.refuse("UpdateItem", "ValidationException", message=words)

    with pytest.raises(StoreError, match="400 KB") as caught:
        store.commit(
            [make_newcomer("ada"), make_newcomer("bob")], along=Along(lines=b"1\n")
        )

    assert not isinstance(caught.value, StoreBusy)
    assert "ada" not in str(caught.value)
    assert wire.sent == ["UpdateItem"] * 2
    assert set(store.load(["ada", "bob"])) == {"bob"}
    assert store.lines == []


def test_moto_says_it_the_same_way(store: Customers) -> None:
    dice = random.Random(1)
    texts = {f"f{n}": dice.randbytes(1000).hex() for n in range(450)}

    with pytest.raises(StoreError, match="400 KB"):
        store.commit([Change(None, make_person("ada", profile=texts))])


def write(client: Any, id: str, document: bytes) -> None:
    client.put_item(
        TableName=TABLE,
        Item={
            "id": {"S": id},
            "r": {"N": "1"},
            "d": {"B": document},
            "out": {"M": {}},
        },
    )


@pytest.mark.parametrize(
    "document",
    [packed(make_person("ada", schema=SCHEMA + 1)), b"\x02 of the future"],
    ids=["schema", "format"],
)
def test_a_document_of_a_later_release_is_refused(
    store: Customers, document: bytes
) -> None:
    write(store.client, "ada", document)
    store.commit([make_newcomer("bob")])

    for ids in (["ada"], ["ada", "bob"]):
        with pytest.raises(NewerStore, match="deploy that release"):
            store.load(ids)
    with pytest.raises(NewerStore):
        store.scan("", 9)

    assert item_of(store.client)["d"]["B"] == document


def test_a_damaged_document_concerns_nobody_else(
    store: Customers, caplog: pytest.LogCaptureFixture
) -> None:
    store.commit([make_newcomer(id) for id in ("bob", "cyd", "dan")])
    write(store.client, "ada", b"{}")
    store.client.put_item(TableName=TABLE, Item={"id": {"S": "eve"}})

    for id in ("ada", "eve"):
        with pytest.raises(StoreError, match="can't be read") as caught:
            store.load(["bob", id])
        assert id not in str(caught.value)
    assert store.load([]) == {}  # it is not the table
    with caplog.at_level(logging.WARNING, "journeykit.store"):
        pages = [store.scan("", 3), store.scan("", 99)]

    assert [{it.id for it in page} for page in pages] == [{"bob", "cyd", "dan"}] * 2
    assert "passed over: a customer's document can't be read" in caplog.text
    assert not {"ada", "eve"} & set(caplog.text.split())


def test_a_page_is_as_long_as_asked_for_whoever_is_passed_over(
    store: Customers, wire: Wire
) -> None:
    write(store.client, "ada", b"{}")
    store.commit([make_newcomer(id) for id in ("bob", "cyd", "dan", "eve")])
    wire.sent.clear()

    first = store.scan("", 2)
    rest = store.scan(first[-1].id, 99)

    assert len(first) == 2
    assert {it.id for it in [*first, *rest]} == {"bob", "cyd", "dan", "eve"}
    assert store.scan(rest[-1].id, 2) == []


def test_what_only_an_embedded_store_keeps_is_refused(store: Customers) -> None:
    for along in (Along(bookmark=("r", "1")), Along(handled=(1,))):
        with pytest.raises(ValueError, match="embedded"):
            store.commit([make_newcomer("ada")], along=along)

    assert store.load(["ada"]) == {}


def test_a_log_that_fails_leaves_the_letters_for_the_next_try(
    client: Any,
) -> None:
    def fail(lines: bytes) -> None:
        raise StoreBusy("the decision log: AWS is busy")

    letters: list[DeadLetter] = []
    store = DynamoCustomers(
        client, TABLE, log=fail, bury=letters.extend, clock=lambda: NOW
    )

    with pytest.raises(StoreBusy, match="decision log"):
        store.commit([], along=Along(dead=(make_letter("poison"),), lines=b"1\n"))

    assert letters == []


def test_a_table_that_is_busy_is_no_race(store: Customers, wire: Wire) -> None:
    wire.refuse("UpdateItem", "ThrottlingException", times=3)

    with pytest.raises(StoreBusy) as caught:
        store.commit([make_newcomer("ada")])

    assert not isinstance(caught.value, LostRace)


# --- Commands of the last 25 hours ---------------------------------------------------


def revisions(store: Customers) -> list[int]:
    """Of which the commands stand there."""
    return sorted(map(int, item_of(store.client)["out"]["M"]))


def test_old_commands_go_with_the_next_write(store: Customers, wire: Wire) -> None:
    revise(store, make_message("d1"))
    store.now = NOW + HOUR
    revise(store, make_message("d2"))

    store.now = NOW + 25 * HOUR
    revise(store)
    assert revisions(store) == [1, 2]
    store.now += 1
    revise(store, make_message("d4"))
    assert revisions(store) == [2, 4]
    store.now += DAY + HOUR
    wire.sent.clear()
    revise(store)
    assert revisions(store) == [4]
    store.now += 1
    revise(store)
    assert revisions(store) == []
    assert wire.sent == ["GetItem", "UpdateItem", "GetItem"] * 2  # the last ones ours


def test_so_many_old_ones_as_one_expression_holds_go_with_a_write(
    store: Customers,
) -> None:
    store.healthy = False
    before = make_person("ada")
    store.commit([Change(None, before)])
    for n in range(130):
        after = make_later(before)
        assert not store.commit([Change(before, after, (make_message(f"d{n}"),))])
        before = after
    store.healthy = True
    store.now += 26 * HOUR

    left = []
    for _ in range(2):
        revise(store)
        left.append(len(revisions(store)))

    assert left == [30, 0]


def test_none_is_dropped_while_the_relay_is_unhealthy(store: Customers) -> None:
    revise(store, make_message("d1"))
    store.now = NOW + 40 * DAY
    store.healthy = False

    revise(store, make_message("d2"))
    assert revisions(store) == [1, 2]

    store.healthy = True
    revise(store)
    assert revisions(store) == [2]


def test_who_was_loaded_by_another_process_is_asked_for(
    store: Customers, wire: Wire
) -> None:
    revise(store, make_message("d1"))
    before = store.load(["ada"])["ada"]
    other = Customers(store.client)
    other.now = NOW + 26 * HOUR
    wire.sent.clear()

    assert not other.commit([Change(before, make_later(before), (make_message("d2"),))])

    assert wire.sent == ["GetItem", "UpdateItem"]
    assert revisions(store) == [2]


def test_nobody_is_asked_for_without_need(store: Customers, wire: Wire) -> None:
    revise(store, make_message("d1"))
    ada = store.load(["ada"])["ada"]
    later, latest = make_later(ada), make_later(make_later(ada))
    wire.sent.clear()

    Customers(store.client).commit([Change(ada, later)])  # nothing is decided
    store.commit([Change(later, latest, (make_message("d2"),))])  # an old memory
    last = make_later(latest)
    store.commit([Change(latest, last, (make_message("d3"),))])  # just written

    assert wire.sent == ["UpdateItem", "GetItem", "UpdateItem", "UpdateItem"]
    assert revisions(store) == [1, 3, 4]
    store.now += 26 * HOUR
    store.commit([Change(last, make_later(last), (make_message("d5"),))])
    assert revisions(store) == [5]


def test_who_is_not_there_any_more_is_refused(store: Customers) -> None:
    ada = make_person("ada")
    change = Change(ada, make_later(ada), (make_message("d1"),))

    assert store.commit([change]) == {"ada"}
    revise(store)
    revise(store)
    assert store.commit([change]) == {"ada"}


def test_what_is_remembered_is_bounded(
    store: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 5)
    ids = [f"c{n}" for n in range(12)]
    store.commit([*map(make_newcomer, ids)])

    for id in ids:
        store.load([id])
        assert len(store._known) <= 5
    for id in ids:
        assert not revise(store, make_message("d1"), id=id)
        assert len(store._known) <= 5


def large(id: str, size: int) -> Command:
    """A command that takes about so many bytes, however it is packed."""
    noise = random.Random(id).randbytes(size).hex()
    return make_message(id, variables={"noise": noise})


def test_too_many_commands_hold_a_customer_back_and_nobody_else(
    store: Customers,
) -> None:
    for n in range(3):
        revise(store, large(f"d{n}", 15_000))
    ada = store.load(["ada"])["ada"]
    one_more = Change(ada, make_later(ada), (large("d3", 15_000),), b"1\n")

    with pytest.raises(StoreBusy, match="64 KB of commands") as caught:
        store.commit([one_more, make_newcomer("bob")])

    assert "ada" not in str(caught.value).split()
    assert store.load(["ada", "bob"]) == {"ada": ada, "bob": make_person("bob")}
    assert not revise(store, make_message("d4"))  # that one fits
    store.now += 25 * HOUR + 1
    ada = store.load(["ada"])["ada"]
    assert not store.commit(
        [Change(ada, make_later(ada), one_more.commands, one_more.lines)]
    )


def test_they_are_counted_by_bytes(store: Customers) -> None:
    for n in range(4):
        assert not revise(store, *[make_message(f"d{n}-{m}") for m in range(50)])


def test_nobody_waits_for_commands_that_alone_are_too_many(store: Customers) -> None:
    commands = [large(f"d{n}", 10_000) for n in range(8)]

    assert not revise(store, *commands)

    with pytest.raises(StoreBusy):
        revise(store, make_message("d8"))
    assert not revise(store)  # who decides nothing needs no room


# --- As in memory --------------------------------------------------------------------

tables = count()
dues = st.none() | st.integers(NOW, NOW + 3)
steps = st.lists(
    st.dictionaries(
        st.sampled_from(["ada", "bob", "cyd"]),
        # From which revision it starts, counted from the newest; when the next is due;
        # how many commands there are.
        st.tuples(st.integers(0, 2), dues, st.integers(0, 2)),
        min_size=1,
    ),
    max_size=8,
)


@settings(
    max_examples=15,
    deadline=None,
    # Each example has a table of its own.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=steps, looks=st.lists(st.booleans(), min_size=8, max_size=8))
def test_any_changes_leave_what_they_leave_in_memory(
    client: Any,
    steps: Sequence[dict[str, tuple[int, int | None, int]]],
    looks: Sequence[bool],
) -> None:
    table = make_streaming_table(client, f"customers-{next(tables)}")
    store = Customers(client, table)
    memory = MemoryStore()
    ever: dict[str, list[Customer]] = {}
    numbers = count()

    for step, look in zip(steps, looks, strict=False):
        if look:
            store.load([*step])
        changes = []
        for id, (back, due, decides) in step.items():
            known: list[Customer | None] = [None, *ever.get(id, ())]
            before = known[max(0, len(known) - 1 - back)]
            fields: Any = {"next_due": due, "profile": {"n": next(numbers)}}
            after = (
                make_later(before, **fields) if before else make_person(id, **fields)
            )
            commands = [
                make_message(f"d{next(numbers)}", customer=id) for _ in range(decides)
            ]
            changes.append(Change(before, after, tuple(commands), b"x\n"))
        refused = set(memory.commit(changes))

        assert set(store.commit(changes)) == refused
        for change in changes:
            if change.after.id not in refused:
                ever.setdefault(change.after.id, []).append(change.after)
        assert store.load(["ada", "bob", "cyd"]) == memory.load(["ada", "bob", "cyd"])
        for instant in (NOW + 1, NOW + 9):
            assert sorted(store.due(instant, 9)) == sorted(memory.due(instant, 9))
        assert {one.id for one in store.scan("", 9)} == set(ever)
    shown = images(client, table)
    sent = [unpacked_command(body) for image in shown for body in decided(image)]
    tasks = memory.take(NOW + DAY, 999, lease_until=NOW + DAY)
    assert sent == [task.command for task in tasks]
    journal = b"".join(block for _, block in memory.journal(999))
    assert b"".join(map(lines, shown)) == journal


# --- merged customers -----------------------------------------------------------------


def make_absorb(merged: str, *, revision: int = 1) -> AbsorbCustomer:
    snapshot = {"id": merged, "created_at": NOW, "revision": revision}
    return AbsorbCustomer(f"absorb {merged}", "ada", merged, snapshot, NOW)


def make_tombstone(store: Customers, id: str) -> Customer:
    """Merge somebody into ada, who had a message a moment ago."""
    before = make_person(id, revision=1, profile={"plan": "paid"})
    store.commit([Change(None, before, (make_message(id),))])
    gone = make_person(id, revision=2, merged_into="ada", absorbed=[f"{id}@1.1"])
    store.commit([Change(before, gone, (make_absorb(id),), lines=b"1\n")])
    return gone


def test_what_a_tombstone_has_left_can_be_read_until_it_is_forgotten(
    store: Customers, client: Any
) -> None:
    gone = make_tombstone(store, "bob")
    store.commit([make_newcomer("eve")])

    left = store.handovers(["bob", "eve", "nobody"])

    assert left == [Absorb.of(make_absorb("bob"))]
    assert store.load(["bob"]) == {"bob": gone}
    assert store.due(NOW + 2 * DAY, 9) == [(NOW + DAY + HOUR + 1, "bob")]


def test_a_tombstone_is_emptied_when_its_time_is_over(
    store: Customers, client: Any
) -> None:
    gone = make_tombstone(store, "bob")
    store.now += DAY + HOUR + 1

    Customers(client).forget_handovers([])
    store.forget_handovers(["bob"])

    assert store.handovers(["bob"]) == []
    assert store.due(NOW + 99 * DAY, 9) == []
    assert store.load(["bob"]) == {"bob": gone}
    item = client.get_item(TableName=TABLE, Key={"id": {"S": "bob"}})["Item"]
    assert {*item} == {"id", "r", "d", "out"}


@pytest.mark.parametrize("healthy", [True, False], ids=["too-early", "relay-is-down"])
def test_a_tombstone_keeps_what_may_have_to_be_passed_on_again(
    store: Customers, healthy: bool
) -> None:
    make_tombstone(store, "bob")
    store.healthy = healthy
    store.now += HOUR if healthy else 2 * DAY

    store.forget_handovers(["bob"])

    assert store.handovers(["bob"])
    assert store.due(NOW + 99 * DAY, 9) == [(store.now + DAY + HOUR, "bob")]


def test_who_came_to_life_again_is_not_emptied(store: Customers) -> None:
    gone = make_tombstone(store, "bob")
    alive = make_person("bob", revision=3)
    store.commit([Change(gone, alive, (make_message("again"),))])
    store.now += 2 * DAY

    store.forget_handovers(["bob"])

    assert store.handovers(["bob"])
    assert store.due(NOW + 99 * DAY, 9) == []
