"""Timers: whoever has something due is woken at that instant.

    bucket (partition key)          due (sort key)           ttl
    T#<minute since 1970>#<shard>   <due, ms>#<customer>     due + 7 days, seconds
    cursor                          tick                     none; minute, shard: read so far

What is due within a quarter of an hour needs no row: SQS keeps a message back for as
long. Everything else is a row, which `tick` reads a minute ahead and sends as a message
that comes at its instant. Nobody deletes a row when a due instant changes, and a wake-up
may come twice: it is a nudge, and who has nothing due stays asleep.

Why no row is ever written behind the cursor's back: a row is due more than a quarter of
an hour after `arm` was called, and `tick` reads it two minutes before it is due at the
earliest. A call that hangs in between could be late all the same, so `arm` looks at the
clock again when its rows are stored. Of those that are due within `_MARGIN_MS` by then it
sends a message too. So a row is read, or a message was sent, or `arm` did not come to its
end: then its stream record was not acknowledged either, and comes again. All it takes is
that two functions' clocks are less than three minutes apart.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from journeykit.aws.failures import LostRace, pauses, translated
from journeykit.aws.messages import stimulus_parcel
from journeykit.aws.queues import MAX_DELAY_S, Parcel, Queue, Unsendable
from journeykit.aws.tables import rows
from journeykit.engine.limits import DAY_MS
from journeykit.engine.stimuli import WakeUp
from journeykit.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger("journeykit.timers")

SHARDS = 64
"""Of a minute: a partition takes 1,000 writes and 3,000 reads a second, and many wait for
nine o'clock. Rows say which shard they are in, so it is never to be lowered."""

MINUTE_MS = 60_000

# SQS counts a delay by its own clock, and ingest asks what is due by its own. A wake-up
# that comes a moment early finds nothing due, and nobody sends it again.
_EARLY_MS = 1000
_SOON_MS = MAX_DELAY_S * 1000 - _EARLY_MS  # as far as a message is kept back
_MARGIN_MS = 5 * MINUTE_MS  # two of them are how far `tick` reads ahead
_KEPT_S = 7 * DAY_MS // 1000  # rows outlive an outage of a week

_PAGE = 1000  # wake-ups that are sent at once, which takes about a second
_FULL = 100  # from so many on they are sent; a shard alone has few, and requests cost
_BATCH = 25  # rows in one BatchWriteItem
_ATTEMPTS = 6  # of what DynamoDB leaves over of a batch
_KEY_BYTES = 1024  # of a sort key

_BEGIN = 5  # minutes read if there is no cursor
_MOST = 240  # minutes in one run: 15,360 queries
_RUN_MS = 45_000  # then the next run goes on; the function's timeout is 2 minutes
_SAVE_MS = 5_000  # so much is done twice at most if a run is cut off
_PAGES = 8  # of 1 MB, that are read to learn of a small table all that is in it
_WORTH = 4  # minutes: 256 queries cost what a page costs
_TABLE = "the timers table"  # in messages
_CURSOR = {"bucket": {"S": "cursor"}, "due": {"S": "tick"}}


class Ticked(msgspec.Struct, frozen=True):
    """What a run of `tick` has done.

    Attributes:
        sent: How many wake-ups it sent.
        oldest_ms: How late the latest of them was when it was sent; 0: all in time.
        behind_ms: How far behind the clock it stopped; 0: nothing is left over.
    """

    sent: int = 0
    oldest_ms: int = 0
    behind_ms: int = 0


class Timers:
    """Arms wake-ups and sends them. Any number of processes may, at the same time."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        wakes: Queue,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Join the parts.

        Args:
            client: Of DynamoDB.
            table: The table of the rows.
            wakes: The queue that wakes customers.
            clock: The wall clock, milliseconds.
            sleep: Waits between two attempts, seconds.
        """
        self._client = client
        self._table = table
        self._wakes = wakes
        self._clock = clock
        self._sleep = sleep
        self._has_cursor = False

    # --- arming ----------------------------------------------------------------------

    def arm(self, wakeups: Sequence[tuple[int, str]], *, now: int) -> None:
        """See to it that customers are woken when something is due; may be repeated.

        Args:
            wakeups: The due instant, milliseconds, and the customer's id of each.
            now: The clock, milliseconds; no later than it is.

        Raises:
            StoreError: Not all of them are armed; the same again does no harm.
        """
        wakeups = list(dict.fromkeys(wakeups))  # no batch takes a row twice
        self._send([one for one in wakeups if one[0] <= now + _SOON_MS], now=now)
        later = [one for one in wakeups if one[0] > now + _SOON_MS]
        if not later:
            return
        self._begin(now)
        for start in range(0, len(later), _BATCH):
            self._write(later[start : start + _BATCH])
        stored_at = max(now, self._clock())
        late = [one for one in later if one[0] <= stored_at + _MARGIN_MS]
        self._send(late, now=stored_at)

    def _begin(self, now: int) -> None:
        """Set the cursor before the first row, so that `tick` begins early enough."""
        if not self._has_cursor:
            self._move(_place(now // MINUTE_MS, SHARDS - 1), first=True)
            self._has_cursor = True

    def _write(self, wakeups: Iterable[tuple[int, str]]) -> None:
        """Write a batch of rows, and what DynamoDB leaves over of it again."""
        left: Sequence[Any] = [
            {"PutRequest": {"Item": _row(due, customer)}} for due, customer in wakeups
        ]
        waits = pauses(_ATTEMPTS)
        while left:
            with translated(_TABLE):
                answer = self._client.batch_write_item(RequestItems={self._table: left})
            left = answer.get("UnprocessedItems", {}).get(self._table, [])
            if left:
                try:
                    self._sleep(next(waits))
                except StopIteration:
                    raise StoreBusy(
                        f"{_TABLE} did not take {len(left)} wake-ups; try again"
                    ) from None

    # --- waking ----------------------------------------------------------------------

    def tick(self, now: int) -> Ticked:
        """Send what is due up to the end of the next minute, each for its own instant.

        After an outage it goes on where it stopped, and reads so much in one run that the
        function comes to its end; the next run goes on. Two runs at once do the same
        twice. Rows of more than a week ago may be gone: then a repair arms them again.

        Args:
            now: The clock, milliseconds.

        Raises:
            StoreError: It stopped; the next run goes on from there.
        """
        started = self._clock()
        last = _place(now // MINUTE_MS + 1, SHARDS - 1)
        done = self._cursor()
        if done is None:
            done = last - (_BEGIN + 1) * SHARDS
        count = oldest = saved_at = 0
        saved = read = done
        waiting: list[tuple[int, str]] = []

        def send() -> None:
            nonlocal count, oldest, done
            if waiting:
                at = now + max(0, self._clock() - started)
                self._send(waiting, now=at)
                count += len(waiting)
                oldest = max(oldest, at - min(waiting)[0])
                waiting.clear()
            done = read

        try:
            for place, pages in self._places(done, last):
                spent = max(0, self._clock() - started)
                if spent >= _RUN_MS:
                    break
                for dues in pages:
                    waiting += dues
                    if len(waiting) >= _FULL:
                        send()
                read = place
                if spent >= saved_at + _SAVE_MS:
                    send()
                    saved, saved_at = done, spent
                    if not self._move(done):
                        break  # another run is further; it sees to the rest
            send()
        except StoreError:
            with suppress(StoreError):
                self._move(done)
            raise
        if done > saved:
            self._move(done)
        behind = 0 if done >= last else now - (done + 1) // SHARDS * MINUTE_MS
        return Ticked(count, oldest, max(0, behind))

    def _places(self, done: int, last: int) -> Iterator[tuple[int, _Pages]]:
        """Yield the places behind the cursor with what is due in each, page by page."""
        known = self._small(done, last)
        if known is not None:
            for place in sorted(known):
                dues = known[place]
                yield place, [dues[n : n + _PAGE] for n in range(0, len(dues), _PAGE)]
            if last > done:
                yield last, ()  # there is nothing else up to there
            return
        for place in range(done + 1, min(last, done + _MOST * SHARDS) + 1):
            yield place, self._rows(place)

    def _rows(self, place: int) -> Iterator[list[tuple[int, str]]]:
        """Yield what is due in a shard of a minute."""
        items = rows(
            self._client,
            what=_TABLE,
            TableName=self._table,
            KeyConditionExpression="#bucket = :bucket",
            ExpressionAttributeNames={"#bucket": "bucket"},
            ExpressionAttributeValues={
                ":bucket": {"S": _bucket(*divmod(place, SHARDS))}
            },
        )
        while page := [*islice(items, _PAGE)]:
            yield [due_of(item) for item in page]

    def _small(
        self, done: int, last: int
    ) -> Mapping[int, list[tuple[int, str]]] | None:
        """What is due behind the cursor, by place, if the table is small.

        After an outage, a few pages with all that the table holds take less than a query
        for each shard of each minute. None: there are more pages than are worth it.
        """
        minutes = (last - done) // SHARDS
        if minutes < _WORTH:
            return None
        scan = {"TableName": self._table, "ConsistentRead": True}
        found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for answer in islice(self._scanned(scan), min(minutes // _WORTH, _PAGES)):
            for item in answer["Items"]:
                place = _place_of(item["bucket"]["S"])
                if done < place <= last:
                    found[place].append(due_of(item))
            if "LastEvaluatedKey" not in answer:
                return found
        return None

    def _scanned(self, scan: dict[str, Any]) -> Iterator[Any]:
        while True:
            with translated(_TABLE):
                answer = self._client.scan(**scan)
            yield answer
            scan["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _send(self, wakeups: Sequence[tuple[int, str]], *, now: int) -> None:
        """Send wake-ups, each so that it comes at its instant and not before."""
        if not wakeups:
            return
        try:
            self._wakes.send([_parcel(due, id, now=now) for due, id in wakeups])
        except Unsendable as error:
            # Nothing else is held up for them. Who they are for is not for the log.
            _log.error("%d wake-ups can't be sent: %s", len(error.refused), error)

    # --- the cursor ------------------------------------------------------------------

    def _cursor(self) -> int | None:
        """The last place that was read to its end; None: there is no cursor yet."""
        with translated(_TABLE):
            answer = self._client.get_item(
                TableName=self._table, Key=_CURSOR, ConsistentRead=True
            )
        item = answer.get("Item")
        if item is None:
            return None
        return _place(int(item["minute"]["N"]), int(item["shard"]["N"]))

    def _move(self, place: int, *, first: bool = False) -> bool:
        """Move the cursor ahead, or set the first one; False if it is there already."""
        minute, shard = divmod(place, SHARDS)
        is_new = "attribute_not_exists(#minute)"
        is_ahead = "#minute < :minute or (#minute = :minute and #shard < :shard)"
        values = {":minute": {"N": str(minute)}, ":shard": {"N": str(shard)}}
        try:
            with translated(_TABLE):
                self._client.update_item(
                    TableName=self._table,
                    Key=_CURSOR,
                    UpdateExpression="set #minute = :minute, #shard = :shard",
                    ConditionExpression=is_new if first else f"{is_new} or {is_ahead}",
                    ExpressionAttributeNames={"#minute": "minute", "#shard": "shard"},
                    ExpressionAttributeValues=values,
                )
        except LostRace:
            return False
        return True


_Pages = Iterable[Sequence[tuple[int, str]]]


def _place(minute: int, shard: int) -> int:
    """The shards of all minutes, in the order in which they are read."""
    return minute * SHARDS + shard


def _bucket(minute: int, shard: int) -> str:
    return f"T#{minute}#{shard:02}"


def _place_of(bucket: str) -> int:
    """The place of a bucket; -1 if it is the cursor's row."""
    if not bucket.startswith("T#"):
        return -1
    _, minute, shard = bucket.split("#")
    return _place(int(minute), int(shard))


def _row(due: int, customer: str) -> dict[str, Any]:
    shard = crc32(customer.encode()) % SHARDS
    key = f"{due:013}#{customer}"
    row: dict[str, Any] = {
        "bucket": {"S": _bucket(due // MINUTE_MS, shard)},
        "ttl": {"N": str(due // 1000 + _KEPT_S)},
    }
    if len(key.encode()) > _KEY_BYTES:  # 256 characters of four bytes, say
        row["customer"] = {"S": customer}
        key = f"{due:013}#{sha256(customer.encode()).hexdigest()}"
    row["due"] = {"S": key}
    return row


def due_of(row: Mapping[str, Any]) -> tuple[int, str]:
    """Read a row: when somebody is due, milliseconds, and who."""
    due, _, customer = row["due"]["S"].partition("#")
    return int(due), row["customer"]["S"] if "customer" in row else customer


def _parcel(due: int, customer: str, *, now: int) -> Parcel:
    """A wake-up that comes at its instant, or a second later."""
    delay_s = math.ceil((due + _EARLY_MS - now) / 1000)
    return stimulus_parcel(WakeUp(customer), delay_s=max(0, delay_s))
