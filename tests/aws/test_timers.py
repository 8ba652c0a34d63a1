from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings, strategies as st

from journeykit.aws import timers as module
from journeykit.aws.queues import Parcel, Unsendable
from journeykit.aws.timers import MINUTE_MS, SHARDS, Ticked, Timers
from journeykit.errors import StoreBusy, StoreError

NOW = 1_790_000_040_000  # a minute begins
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
QUARTER_MS = 15 * MINUTE_MS
TABLE = "timers"


class Wakes:
    """A queue that remembers when each wake-up would be handed over, and to whom."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.parcels: list[Parcel] = []
        self.arrivals: list[tuple[str, int]] = []
        self.fails_after: int | None = None
        self.refuses: set[str] = set()

    def send(self, parcels: Sequence[Parcel]) -> None:
        refused = {}
        for place, parcel in enumerate(parcels):
            if self.fails_after is not None and len(self.parcels) >= self.fails_after:
                raise StoreBusy("the queue is busy")
            customer = customer_of(parcel)
            if customer in self.refuses:
                refused[place] = "InvalidMessageContents"
                continue
            self.parcels.append(parcel)
            arrival = self._clock() + 1000 * parcel.delay_s
            self.arrivals.append((customer, arrival))
        if refused:
            raise Unsendable("can't be sent", refused=refused)

    @property
    def customers(self) -> list[str]:
        return [customer for customer, _ in self.arrivals]


def customer_of(parcel: Parcel) -> str:
    assert parcel.attributes["kind"] == "wake_up"
    return msgspec.json.decode(parcel.body)["customer"]


class Clock:
    """A clock that stands still until somebody moves it."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Table:
    """The calls of DynamoDB that timers make, in memory; `before` runs before each."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.calls: list[str] = []
        self.page = 10_000

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.before(name)

    def get_item(self, *, Key: Mapping[str, Any], **_: object) -> Mapping[str, Any]:
        self._called("get_item")
        row = self.rows.get(key_of(Key))
        return {"Item": row} if row is not None else {}

    def update_item(
        self,
        *,
        Key: Mapping[str, Any],
        ConditionExpression: str,
        ExpressionAttributeValues: Mapping[str, Any],
        **_: object,
    ) -> Mapping[str, Any]:
        self._called("update_item")
        row = self.rows.get(key_of(Key))
        wanted = {
            name: ExpressionAttributeValues[f":{name}"] for name in ("minute", "shard")
        }
        if row is not None and (
            " or " not in ConditionExpression or place_of(wanted) <= place_of(row)
        ):
            raise ClientError(
                {"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem"
            )
        self.rows[key_of(Key)] = {**Key, **wanted}
        self.after("update_item")
        return {}

    def batch_write_item(
        self, *, RequestItems: Mapping[str, Sequence[Any]]
    ) -> Mapping[str, Any]:
        self._called("batch_write_item")
        requests = RequestItems[TABLE]
        assert 1 <= len(requests) <= 25
        for request in requests:
            item = request["PutRequest"]["Item"]
            self.rows[key_of(item)] = item
        self.after("batch_write_item")
        return {"UnprocessedItems": {}}

    def query(
        self, *, ExpressionAttributeValues: Mapping[str, Any], **asked: Any
    ) -> Mapping[str, Any]:
        self._called("query")
        bucket = ExpressionAttributeValues[":bucket"]["S"]
        return self._page(
            sorted(key for key in self.rows if key[0] == bucket),
            asked,
            self.page,
        )

    def scan(self, **asked: Any) -> Mapping[str, Any]:
        self._called("scan")
        return self._page(sorted(self.rows), asked, self.page)

    def _page(
        self, keys: Sequence[tuple[str, str]], asked: Mapping[str, Any], limit: int
    ) -> Mapping[str, Any]:
        assert asked["ConsistentRead"] is True
        if start := asked.get("ExclusiveStartKey"):
            keys = [key for key in keys if key > key_of(start)]
        page = keys[:limit]
        answer: dict[str, Any] = {"Items": [self.rows[key] for key in page]}
        if len(keys) > limit:
            bucket, due = page[-1]
            answer["LastEvaluatedKey"] = {"bucket": {"S": bucket}, "due": {"S": due}}
        return answer


def key_of(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["bucket"]["S"], item["due"]["S"]


def place_of(row: Mapping[str, Any]) -> tuple[int, int]:
    return int(row["minute"]["N"]), int(row["shard"]["N"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wakes(clock: Clock) -> Wakes:
    return Wakes(clock)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def timers(table: Table, wakes: Wakes, clock: Clock) -> Timers:
    return over(table, wakes, clock)


def over(client: Any, wakes: Any, clock: Callable[[], int]) -> Timers:
    return Timers(client, TABLE, wakes, clock=clock, sleep=lambda _: None)  # type: ignore[arg-type]


def rows_of(table: Table) -> list[tuple[str, str]]:
    return sorted(key for key in table.rows if key[0] != "cursor")


def cursor_of(table: Table) -> tuple[int, int]:
    return place_of(table.rows["cursor", "tick"])


# --- arming --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead_ms", "delay_s"),
    [(-HOUR_MS, 0), (-1000, 0), (0, 1), (1, 2), (60_000, 61), (899_000, 900)],
)
def test_what_is_due_within_a_quarter_of_an_hour_is_a_message(
    timers: Timers, table: Table, wakes: Wakes, ahead_ms: int, delay_s: int
) -> None:
    timers.arm([(NOW + ahead_ms, "ada")], now=NOW)

    assert [parcel.delay_s for parcel in wakes.parcels] == [delay_s]
    assert wakes.customers == ["ada"]
    assert not table.rows


def test_what_is_due_later_is_a_row(timers: Timers, table: Table, wakes: Wakes) -> None:
    timers.arm([(NOW + 899_001, "ada")], now=NOW)

    ((bucket, due),) = rows_of(table)
    assert bucket.startswith(f"T#{NOW // MINUTE_MS + 14}#")
    assert due == f"{NOW + 899_001}#ada"
    ttl = int(table.rows[bucket, due]["ttl"]["N"])
    assert ttl == (NOW + 899_001) // 1000 + 7 * 24 * 60 * 60
    assert not wakes.parcels


def test_the_same_is_armed_once(timers: Timers, table: Table, wakes: Wakes) -> None:
    timers.arm([(NOW + DAY_MS, "ada")] * 2 + [(NOW, "bob")] * 2, now=NOW)

    assert len(rows_of(table)) == 1
    assert wakes.customers == ["bob"]


def test_many_are_armed_in_batches(timers: Timers, table: Table) -> None:
    timers.arm([(NOW + DAY_MS, f"c{n}") for n in range(60)], now=NOW)

    assert table.calls.count("batch_write_item") == 3
    assert len(rows_of(table)) == 60


def test_customers_are_spread_over_the_shards(timers: Timers, table: Table) -> None:
    timers.arm([(NOW + DAY_MS, f"c{n}") for n in range(1000)], now=NOW)

    shards = {bucket[-2:] for bucket, _ in rows_of(table)}
    assert len(shards) == SHARDS


def test_a_cursor_is_set_before_the_first_row_and_not_again(
    timers: Timers, table: Table
) -> None:
    timers.arm([(NOW + DAY_MS, "ada")], now=NOW)
    timers.arm([(NOW + DAY_MS, "bob")], now=NOW + HOUR_MS)

    assert table.calls == ["update_item", "batch_write_item", "batch_write_item"]
    assert cursor_of(table) == (NOW // MINUTE_MS, SHARDS - 1)


def test_a_cursor_that_is_there_stays(table: Table, wakes: Wakes, clock: Clock) -> None:
    over(table, wakes, clock).arm([(NOW + DAY_MS, "ada")], now=NOW)

    over(table, wakes, clock).arm([(NOW + 2 * DAY_MS, "bob")], now=NOW + DAY_MS)

    assert cursor_of(table) == (NOW // MINUTE_MS, SHARDS - 1)


def test_rows_that_were_stored_too_late_are_messages_as_well(
    timers: Timers, table: Table, wakes: Wakes, clock: Clock
) -> None:
    def hang(call: str) -> None:
        if call == "batch_write_item":
            clock.now += 14 * MINUTE_MS

    table.before = hang

    timers.arm([(NOW + QUARTER_MS, "ada"), (NOW + DAY_MS, "bob")], now=NOW)

    assert wakes.arrivals == [("ada", NOW + QUARTER_MS + 1000)]
    assert len(rows_of(table)) == 2


def test_what_the_table_leaves_over_is_written_again(
    timers: Timers, table: Table
) -> None:
    whole, given = table.batch_write_item, []

    def half(*, RequestItems: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        requests = RequestItems[TABLE]
        given.append(len(requests))
        half = math.ceil(len(requests) / 2)
        whole(RequestItems={TABLE: requests[:half]})
        rest = requests[half:]
        return {"UnprocessedItems": {TABLE: rest} if rest else {}}

    table.batch_write_item = half  # type: ignore[method-assign]

    timers.arm([(NOW + DAY_MS, f"c{n}") for n in range(25)], now=NOW)

    assert given == [25, 12, 6, 3, 1]
    assert len(rows_of(table)) == 25


def test_a_table_that_never_takes_the_rest_is_busy(
    timers: Timers, table: Table
) -> None:
    def nothing(*, RequestItems: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        return {"UnprocessedItems": RequestItems}

    table.batch_write_item = nothing  # type: ignore[method-assign]

    with pytest.raises(StoreBusy, match="did not take 1 wake-ups"):
        timers.arm([(NOW + DAY_MS, "ada")], now=NOW)


# --- waking --------------------------------------------------------------------------


def test_a_tick_sends_what_is_due_up_to_the_end_of_the_next_minute(
    timers: Timers, wakes: Wakes, clock: Clock
) -> None:
    due = NOW + HOUR_MS
    dues = {
        "past": due - 1,
        "now": due,
        "this-minute": due + 59_999,
        "next-minute": due + 119_999,
        "later": due + 120_000,
    }
    timers.arm([(at, id) for id, at in dues.items()], now=NOW)
    clock.now = due

    ticked = timers.tick(due)

    assert sorted(wakes.arrivals) == sorted(
        [
            ("past", due + 1000),
            ("now", due + 1000),
            ("this-minute", due + 61_000),
            ("next-minute", due + 121_000),
        ]
    )
    assert ticked == Ticked(sent=4, oldest_ms=1)


def test_nobody_is_woken_twice_by_the_next_tick(
    timers: Timers, wakes: Wakes, clock: Clock
) -> None:
    timers.arm([(NOW + HOUR_MS, "ada")], now=NOW)
    for minutes in range(1, 65):
        clock.now = NOW + minutes * MINUTE_MS
        timers.tick(clock.now)

    assert wakes.arrivals == [("ada", NOW + HOUR_MS + 1000)]


def test_a_tick_that_is_on_time_reads_one_minute(
    timers: Timers, table: Table, clock: Clock
) -> None:
    timers.tick(NOW)
    table.calls.clear()

    timers.tick(NOW + MINUTE_MS)

    assert table.calls == ["get_item", *["query"] * SHARDS, "update_item"]


def test_the_first_tick_of_a_new_stack_begins_minutes_ago(
    timers: Timers, table: Table
) -> None:
    ticked = timers.tick(NOW)

    assert ticked == Ticked()
    assert table.calls == ["get_item", "scan", "update_item"]
    assert cursor_of(table) == (NOW // MINUTE_MS + 1, SHARDS - 1)


def test_a_first_tick_that_comes_days_late_finds_every_row(
    timers: Timers, wakes: Wakes, clock: Clock
) -> None:
    timers.arm([(NOW + HOUR_MS, "ada")], now=NOW)
    clock.now = NOW + 3 * DAY_MS

    ticked = timers.tick(clock.now)

    assert wakes.arrivals == [("ada", clock.now)]
    assert ticked.oldest_ms == 3 * DAY_MS - HOUR_MS


def test_a_long_storm_is_read_in_pages(
    timers: Timers, table: Table, wakes: Wakes, clock: Clock
) -> None:
    timers.arm([(NOW + HOUR_MS, f"c{n}") for n in range(500)], now=NOW)
    clock.now = NOW + HOUR_MS - MINUTE_MS
    timers.tick(clock.now - MINUTE_MS)
    table.page = 3

    timers.tick(clock.now)

    assert sorted(wakes.customers) == sorted(f"c{n}" for n in range(500))


@pytest.mark.parametrize("page", [10_000, 1], ids=["small table", "large table"])
def test_after_an_outage_the_next_ticks_catch_up(
    timers: Timers,
    table: Table,
    wakes: Wakes,
    clock: Clock,
    page: int,
) -> None:
    timers.tick(NOW)
    dues = [NOW + 20 * MINUTE_MS + n * 7 * MINUTE_MS for n in range(100)]
    timers.arm([(due, f"c{n}") for n, due in enumerate(dues)], now=NOW)
    clock.now = NOW + 12 * HOUR_MS
    table.page = page

    behind = []
    while not behind or behind[-1]:
        behind.append(timers.tick(clock.now).behind_ms)

    assert sorted(wakes.customers) == sorted(f"c{n}" for n in range(100))
    assert behind == sorted(behind, reverse=True)
    # 240 minutes in a run if the table is too large to be read as a whole.
    assert len(behind) == (1 if page == 10_000 else 3)
    assert page == 10_000 or behind == [478 * MINUTE_MS, 238 * MINUTE_MS, 0]


def test_a_run_ends_in_time_and_the_next_one_goes_on(
    timers: Timers, table: Table, wakes: Wakes, clock: Clock
) -> None:
    timers.tick(NOW)
    timers.arm([(NOW + HOUR_MS, f"c{n}") for n in range(200)], now=NOW)
    table.page = 1

    def slow(call: str) -> None:
        clock.now += 100 if call == "query" else 0

    table.before = slow
    clock.now = NOW + HOUR_MS
    runs, behind = 0, 1
    while behind:
        started = clock.now
        behind = timers.tick(clock.now).behind_ms
        runs += 1
        assert clock.now - started < 60_000

    assert runs > 5
    assert sorted(wakes.customers) == sorted(f"c{n}" for n in range(200))


def test_a_run_that_is_cut_off_repeats_a_few_seconds_of_it(
    timers: Timers, table: Table, clock: Clock
) -> None:
    timers.tick(NOW)
    timers.arm([(NOW + HOUR_MS, f"c{n}") for n in range(20)], now=NOW)
    table.page = 1
    clock.now = NOW + HOUR_MS

    class CutOffError(BaseException):
        pass

    def slow(call: str) -> None:
        clock.now += 100 if call == "query" else 0
        if clock.now > NOW + HOUR_MS + 12_000:
            raise CutOffError

    table.before = slow
    with pytest.raises(CutOffError):
        timers.tick(clock.now)

    read = table.calls.count("query")
    minute, shard = cursor_of(table)
    done = (minute - NOW // MINUTE_MS - 2) * SHARDS + shard + 1
    assert 120 <= read <= 121
    assert read - done <= 60


def test_a_busy_queue_keeps_the_cursor_where_it_stopped(
    timers: Timers, table: Table, wakes: Wakes, clock: Clock
) -> None:
    timers.tick(NOW)
    ids = [f"c{n}" for n in range(300)]
    timers.arm([(NOW + HOUR_MS, id) for id in ids], now=NOW)
    clock.now = NOW + HOUR_MS
    wakes.fails_after = 200

    with pytest.raises(StoreBusy):
        timers.tick(clock.now)
    wakes.fails_after = None
    timers.tick(clock.now)

    assert set(wakes.customers) == set(ids)
    assert len(wakes.customers) <= 300 + 120  # so many are sent together, about


def test_two_ticks_at_once_do_no_harm(table: Table, wakes: Wakes, clock: Clock) -> None:
    one, other = over(table, wakes, clock), over(table, wakes, clock)
    one.tick(NOW)
    one.arm([(NOW + HOUR_MS, f"c{n}") for n in range(50)], now=NOW)
    clock.now = NOW + HOUR_MS
    between = iter([lambda: other.tick(clock.now)])

    def meanwhile(call: str) -> None:
        if call == "update_item":
            next(between, lambda: None)()

    table.before = meanwhile
    one.tick(clock.now)
    table.before = lambda _: None
    clock.now += MINUTE_MS
    one.tick(clock.now)

    assert set(wakes.customers) == {f"c{n}" for n in range(50)}
    assert len(wakes.customers) <= 100
    assert cursor_of(table) == (clock.now // MINUTE_MS + 1, SHARDS - 1)


def test_a_clock_behind_the_cursor_moves_nothing(
    timers: Timers, table: Table, clock: Clock
) -> None:
    timers.tick(NOW)
    was = cursor_of(table)

    assert timers.tick(NOW - HOUR_MS) == Ticked()
    assert cursor_of(table) == was


def test_what_no_queue_takes_holds_up_nobody(
    timers: Timers, wakes: Wakes, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    timers.arm([(NOW + HOUR_MS, "ada"), (NOW + HOUR_MS, "eve")], now=NOW)
    wakes.refuses = {"eve"}
    clock.now = NOW + HOUR_MS

    with caplog.at_level(logging.ERROR):
        timers.tick(clock.now)
    timers.tick(clock.now + MINUTE_MS)

    assert wakes.customers == ["ada"]
    assert "1 wake-ups can't be sent" in caplog.text
    assert "eve" not in caplog.text


# --- whatever happens ----------------------------------------------------------------

SKEW_MS = 60_000  # between two functions' clocks; AWS keeps them within milliseconds


class World:
    """True time, in which calls take as long as they like and ticks come as they may."""

    def __init__(
        self, ticks: Sequence[int], hangs: Iterator[int], skews: tuple[int, int]
    ) -> None:
        self.now = NOW
        self.table = Table()
        self.wakes = Wakes(lambda: self.now)
        self.ticks = sorted(ticks)
        self.hangs = hangs
        self.path = Path(self.wakes)
        self.relay = over(self.table, self.path, lambda: self.now + skews[0])
        self.ticker = over(self.table, self.wakes, lambda: self.now + skews[1])
        self.skews = skews

    def pass_to(self, then: int) -> None:
        """Let time pass, with the ticks in it."""
        while self.ticks and self.ticks[0] <= then:
            self.now = max(self.now, self.ticks.pop(0))
            self.tick()
        self.now = max(self.now, then)

    def tick(self) -> Ticked:
        before, after = self.table.before, self.table.after
        self.table.before = self.table.after = lambda _: None
        ticked = self.ticker.tick(self.now + self.skews[1])
        self.table.before, self.table.after = before, after
        return ticked

    def hang(self, call: str) -> None:
        if call in ("batch_write_item", "update_item"):
            self.pass_to(self.now + next(self.hangs, 0))

    def arm(self, wakeups: Sequence[tuple[int, str]], *, dies: bool) -> None:
        """Arm as the relay does: again, until it has come to its end."""
        self.table.before = self.table.after = self.hang
        self.path.is_cut = dies  # what was stored too late has its row, and no more
        try:
            self.relay.arm(wakeups, now=self.now + self.skews[0])
        except StoreError:
            self.path.is_cut = False
            self.hang("batch_write_item")
            self.relay.arm(wakeups, now=self.now + self.skews[0])
        self.table.before = self.table.after = lambda _: None


class Path:
    """The relay's way to the queue."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self.is_cut = False

    def send(self, parcels: Sequence[Parcel]) -> None:
        if self.is_cut:
            raise StoreError("the function was ended")
        self._wakes.send(parcels)


minutes = st.integers(0, 60).map(lambda n: n * MINUTE_MS)
instants = st.one_of(
    st.sampled_from([899_000, 899_001, 900_000, 900_001, 960_000, 1_020_000]),
    st.integers(14 * MINUTE_MS, 22 * MINUTE_MS),
    st.integers(-HOUR_MS, 3 * HOUR_MS),
    minutes,
)
arming = st.tuples(
    minutes,  # after the one before
    st.lists(instants, min_size=1, max_size=4),  # due, from then
    st.booleans(),
)
hangings = st.one_of(
    st.just(0),
    st.integers(0, 20 * MINUTE_MS),
    st.integers(12 * MINUTE_MS, 16 * MINUTE_MS),
)


@st.composite
def tick_times(draw: st.DrawFn) -> list[int]:
    """Every minute, more or less; twice; and not at all for a while."""
    jitter = draw(st.lists(st.integers(0, 2 * MINUTE_MS), min_size=1, max_size=5))
    start = draw(st.integers(0, 400))
    outage = range(start, start + draw(st.integers(0, 400)))
    return [
        NOW + minute * MINUTE_MS + jitter[minute % len(jitter)]
        for minute in range(480)
        if minute not in outage
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    armings=st.lists(arming, min_size=1, max_size=4),
    ticks=tick_times(),
    hangs=st.lists(hangings, max_size=12),
    skews=st.tuples(st.integers(-SKEW_MS, SKEW_MS), st.integers(-SKEW_MS, SKEW_MS)),
    is_large=st.booleans(),
)
def test_everybody_is_woken_at_their_instant_or_after_it(
    monkeypatch: pytest.MonkeyPatch,
    armings: list[tuple[int, list[int], bool]],
    ticks: list[int],
    hangs: list[int],
    skews: tuple[int, int],
    is_large: bool,
) -> None:
    monkeypatch.setattr(module, "SHARDS", 2)  # a query takes our time, not DynamoDB's
    world = World(ticks, iter(hangs), skews)
    if is_large:
        world.table.page = 1
    due_of = {}
    for n, (after, dues, dies) in enumerate(armings):
        world.pass_to(world.now + after)
        wakeups = [(world.now + due, f"customer-{n}#{m}") for m, due in enumerate(dues)]
        due_of.update({customer: due for due, customer in wakeups})
        world.arm(wakeups, dies=dies)
    world.pass_to(max([*due_of.values(), world.now]))
    while world.tick().behind_ms:
        pass

    woken = world.wakes.arrivals
    skew = max(abs(skew) for skew in skews)
    assert {customer for customer, _ in woken} == set(due_of)
    for customer, at in woken:
        assert at + skew >= due_of[customer]


@given(
    due=st.integers(0, 4_000_000_000_000), customer=st.text(min_size=1, max_size=256)
)
def test_a_row_says_who_is_due_when_whatever_the_id(due: int, customer: str) -> None:
    row = module._row(due, customer)

    assert module.due_of(row) == (due, customer)
    minute, shard = divmod(module._place_of(row["bucket"]["S"]), SHARDS)
    assert minute == due // MINUTE_MS
    assert 0 <= shard < SHARDS
    assert len(row["due"]["S"].encode()) <= 1024


# --- over moto -----------------------------------------------------------------------


def created() -> Any:
    client = botocore.session.get_session().create_client("dynamodb")
    client.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "bucket", "KeyType": "HASH"},
            {"AttributeName": "due", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "bucket", "AttributeType": "S"},
            {"AttributeName": "due", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def test_rows_are_armed_read_and_sent_over_dynamodb(wakes: Wakes, clock: Clock) -> None:
    client = created()
    timers = over(client, wakes, clock)
    ids = [f"c#{n}" for n in range(40)] + ["\U0001f600" * 256]
    timers.arm([(NOW + HOUR_MS, id) for id in ids], now=NOW)
    clock.now = NOW + HOUR_MS
    timers.tick(clock.now)
    clock.now += MINUTE_MS

    again = over(client, wakes, clock).tick(clock.now)

    assert sorted(wakes.customers) == sorted(ids)
    assert again == Ticked()


def test_minute_by_minute_over_dynamodb(wakes: Wakes, clock: Clock) -> None:
    timers = over(created(), wakes, clock)
    timers.arm([(NOW + 16 * MINUTE_MS, "ada")], now=NOW)
    clock.now = NOW + 14 * MINUTE_MS
    timers.tick(clock.now)
    assert wakes.customers == []
    clock.now += MINUTE_MS

    timers.tick(clock.now)

    assert wakes.arrivals == [("ada", NOW + 16 * MINUTE_MS + 1000)]
