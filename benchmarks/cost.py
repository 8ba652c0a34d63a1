"""What AWS asks for: requests per event, step, wait and message, times list prices.

    python benchmarks/cost.py             # the table of docs/cost.md
    python benchmarks/cost.py --requests  # what is asked of AWS, request by request

The requests are counted, not estimated: the real functions run on the emulator, with the
batches of a busy stack (25 customers at once) or with one customer alone. Reads and writes of
DynamoDB are taken as it bills them, by the size of the whole item, before or after,
whichever is larger. Prices are those of `infra/prices.json`.

What Lambda bills is time, and the emulator has none: it is the CPU that `aws.py` measures,
and so many milliseconds for each request to AWS as `_TRIP_MS` says. Both are written down
below, with what they are taken from.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from journeykit import (
    Event,
    Exit,
    Goal,
    Journey,
    Send,
    WaitFor,
    When,
    days,
    on,
)
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.documents import packed
from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Customer
from journeykit.ports import Change
from journeykit.testing import RecordingChannel, make_event
from journeykit.testing.aws import AwsEmulator
from journeykit.testing.aws.account import LAMBDA
from journeykit.testing.aws.emulator import NAME
from journeykit.testing.aws.functions import Function
from journeykit.workspace import Workspace

sys.path.append(str(Path(__file__).parent.parent))

from benchmarks.reference import NOW, SIZES, reference_customer

PRICES = Path(__file__).parent.parent / "infra" / "prices.json"
BUSY, ALONE = 25, 1  # customers at once: a full batch of ingest's, or one
MOST_USD = 4.0
"""What a million steps of the reference document may cost."""

# What a request takes from a function in the same region, milliseconds. DynamoDB says
# "single-digit"; the others are asked once for a batch, and are taken as slow.
_TRIP_MS = {"dynamodb": 5, "sqs": 10, "firehose": 15, "eventbridge": 15}
# CPU of a record on one core, milliseconds: about what `benchmarks/aws.py` measured.
_CPU_MS = {"ingest": 4.0, "relay": 0.5, "deliver": 4.0}
_CORE_MB = 1769  # with that much memory a function has one core

_KB, _CHUNK, _RECORD = 1024, 64 * 1024, 5 * 1024


class Cost(NamedTuple):
    """What one of a kind takes.

    Attributes:
        units: What is billed, by the names of the prices, but for the customers table.
        writes: How often the customer's item is written.
        written: Bytes of it beside its document, one for each write that was counted.
        reads: How often it is read.
        read: The same of reads.
        requests: To AWS, by function, service and operation.
    """

    units: Mapping[str, float]
    writes: float
    written: Sequence[int]
    reads: float
    read: Sequence[int]
    requests: Mapping[tuple[str, str, str], float]

    def usd(self, document: int, price: Mapping[str, float]) -> float:
        """Return what a million cost, with documents that are stored in so many bytes."""
        units = Counter(self.units)
        units["dynamodb_write"] += self.writes * _units(document, self.written, _KB)
        units["dynamodb_read"] += self.reads * _units(document, self.read, 4 * _KB)
        return 1_000_000 * sum(n * price[name] for name, n in units.items())


def _units(document: int, others: Sequence[int], step: int) -> float:
    """How many units an item takes, on average."""
    found = [_steps(document + other, step) for other in others]
    return sum(found) / len(found) if found else 0


def _steps(size: int, step: int) -> int:
    return max(1, math.ceil(size / step))


def prices() -> dict[str, float]:
    """Return the list price of one of each unit."""
    found = json.loads(PRICES.read_text("utf-8"))["prices"]
    return {name: one["usd"] / one["per"] for name, one in found.items()}


# --- what happens --------------------------------------------------------------------


def _journey(id: str) -> Journey:
    """One that the reference customer is in: it waits in `wait-for-purchase`."""
    return Journey(
        id,
        trigger=on(f"{id}.began", where="event.amount > 100"),
        goal=Goal(on("order.placed"), id="purchase", within=days(7)),
        steps=[
            WaitFor(
                [
                    When(on(f"{id}.left"), [Exit("left")]),
                    When(on(f"{id}.asked"), [Send("email", "answer")]),
                ],
                id="wait-for-purchase",
                timeout=days(1),
                otherwise=[
                    WaitFor([When(on(f"{id}.left"), [Exit("left")])], timeout=days(2))
                ],
            )
        ],
    )


JOURNEYS = ("welcome", "cart", "win-back", "birthday")


def workspace() -> Workspace:
    """Return the journeys that the reference customer is in."""
    return Workspace(
        path=Path(), name="cost", journeys=tuple([_journey(id) for id in JOURNEYS])
    )


def costs(count: int) -> dict[str, Cost]:
    """Let each kind of thing happen to so many customers at once, and count.

    Returns:
        By kind: `ignored`, an event that matches nothing; `step`, an event that moves a
        journey on; `wake`, a wait that ends by the clock and is followed by another;
        `message`, a step that sends one message, with its delivery and report.
    """
    return {
        "ignored": _happened(count, "cart.began", amount=1),
        "step": _happened(count, "cart.left"),
        "message": _happened(count, "cart.asked"),
        "wake": _happened(count, ""),
    }


def _happened(count: int, name: str, **properties: object) -> Cost:
    with AwsEmulator(
        workspace(),
        start=to_datetime(NOW),
        channels={"email": RecordingChannel("email", address_attribute="email")},
    ) as aws:
        meter = _Meter(aws)
        aws.publish()
        people = [reference_customer(f"customer-{n:07}") for n in range(count)]
        _store(aws, [*people, reference_customer("warm")])
        # The functions are warm by then: they have clients, and have read the catalog.
        aws.put_events([_event("cart.asked", "warm")])
        with meter.running():
            if name:
                aws.put_events([_event(name, one.id, **properties) for one in people])
                # EventBridge's own requests to the queue, which SQS bills.
                meter.units["sqs_request"] += count
            else:
                count = sum(len(one.active) for one in aws.customers.values())
                aws.advance(days(1))
        if aws.failures or aws.dead_letters:
            errors = [line for _, line in aws.logs if '"ERROR"' in line]
            raise SystemExit(f"it did not work: {aws.failures or errors[:1]}")
        return meter.cost(count)


def _event(name: str, customer: str, **properties: object) -> Event:
    return make_event(name, customer, at=to_datetime(NOW), **properties)


def _store(aws: AwsEmulator, people: Sequence[Customer]) -> None:
    """Put customers into the table, and let the relay arm their timers."""
    customers = DynamoCustomers(
        aws.client("dynamodb"),
        aws.settings.customers_table,
        log=_ignore,
        bury=_ignore,
        clock=lambda: NOW,
    )
    customers.commit([Change(None, one) for one in people])
    aws.settle()


def _ignore(_: object) -> None:
    pass


# --- counting ------------------------------------------------------------------------


class _Meter:
    """Reads off what is billed, as botocore and the emulator pass by."""

    def __init__(self, aws: AwsEmulator) -> None:
        """Stand beside the clients."""
        self._aws = aws
        self._customers = aws.settings.customers_table
        self._memory_mb: dict[str, int] = {}
        self._runs = False
        self.units: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.written: list[int] = []
        self.read: list[int] = []
        for service in ("dynamodb", "sqs", "firehose", "events"):
            # All functions share the account's clients.
            events = aws.client(service).meta.events
            events.register("before-call", self._asked)
            events.register("after-call", self._answered)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count until the end of the block."""
        call = Function.__call__

        def invoked(function: Function, event: Mapping[str, Any]) -> Any:
            self._invoked(function, event)
            return call(function, event)

        before = self._polls()
        self._runs = True
        with mock.patch.object(Function, "__call__", invoked):
            yield
        self._runs = False
        for operation, n in (self._polls() - before).items():
            self.requests[LAMBDA, "sqs", operation] = n
            self.units["sqs_request"] += n

    def _polls(self) -> Counter[str]:
        """Lambda's own requests to the queues, which are billed like others."""
        requests = self._aws.requests.items()
        return Counter({it.operation: n for it, n in requests if it.by == LAMBDA})

    def cost(self, count: int) -> Cost:
        """Return what each of so many took."""
        return Cost(
            {name: n / count for name, n in self.units.items()},
            len(self.written) / count,
            tuple(self.written),
            len(self.read) / count,
            tuple(self.read),
            {key: n / count for key, n in self.requests.items()},
        )

    # --- functions -------------------------------------------------------------------

    def _invoked(self, function: Function, event: Mapping[str, Any]) -> None:
        name = _name(function.settings.name)
        self._memory_mb[name] = function.settings.memory_mb
        if name != "tick":  # once a minute, whoever is due
            self.units["lambda_request"] += 1
            core = min(1, function.settings.memory_mb / _CORE_MB)
            self._lasted(name, _CPU_MS[name] * len(event["Records"]) / core)

    def _lasted(self, function: str, ms: float) -> None:
        memory = self._memory_mb[function] / 1024
        self.units["lambda_gb_second"] += ms / 1000 * memory

    # --- requests --------------------------------------------------------------------

    def _asked(self, model: Any, params: Any, context: Any, **_: Any) -> None:
        if not self._runs or not _name(self._aws.running):
            return
        context["asked"] = asked = json.loads(params["body"])
        if model.name == "UpdateItem":
            context["before"] = self._item(asked)

    def _answered(self, model: Any, context: Any, **_: Any) -> None:
        by = _name(self._aws.running)
        asked = context.get("asked")
        if asked is None:
            return
        service = model.service_model.service_id.hyphenize()
        self.requests[by, service, model.name] += 1
        if by == "tick" and service == "dynamodb":
            return  # each minute, however many are due: see `idle_usd`
        self._lasted(by, _TRIP_MS[service])
        match model.name:
            case "GetItem":
                self._note_read(asked["TableName"], self._item(asked))
            case "UpdateItem":
                item = self._item(asked)
                self._note_write(asked["TableName"], context["before"], item)
            case "BatchWriteItem":
                for table, requests in asked["RequestItems"].items():
                    for one in requests:
                        self._note_write(table, {}, one["PutRequest"]["Item"])
            case "SendMessageBatch":
                size = sum(len(one["MessageBody"]) for one in asked["Entries"])
                self.units["sqs_request"] += _steps(size, _CHUNK)
            case "PutRecordBatch":
                sizes = [len(b64decode(one["Data"])) for one in asked["Records"]]
                billed = sum([_steps(size, _RECORD) * _RECORD for size in sizes])
                self.units["firehose_gb"] += billed / 2**30
            case other:
                raise AssertionError(f"it is not known what {other} costs")

    def _item(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        key = [value["S"] for value in asked["Key"].values()]
        return self._aws._account.item(asked["TableName"], *key) or {}

    def _note_read(self, table: str, item: Mapping[str, Any]) -> None:
        if table == self._customers:
            self.read.append(_beside(item))
        else:
            self.units["dynamodb_read"] += _steps(_size(item), 4 * _KB)

    def _note_write(
        self, table: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        if table == self._customers:
            self.written.append(max(_beside(before), _beside(after)))
        else:
            self.units["dynamodb_write"] += _steps(
                max(_size(before), _size(after)), _KB
            )


def _name(function: str) -> str:
    """`deliver` of `journeykit-deliver-email`; empty if it is none of the functions."""
    stack, _, name = function.partition("-")
    return name.partition("-")[0] if stack == NAME else ""


def _beside(item: Mapping[str, Any]) -> int:
    """Bytes of a customer's item beside the document."""
    return _size(item) - _length(item["d"]["B"]) if item else 0


def _length(data: bytes | str) -> int:
    """How many bytes there are; moto has some in base64."""
    return len(data) if isinstance(data, bytes) else len(b64decode(data))


def _size(item: Mapping[str, Any]) -> int:
    """Bytes of an item, as DynamoDB counts them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def _size_of(value: Mapping[str, Any]) -> int:
    ((kind, inside),) = value.items()
    match kind:
        case "S":
            return len(inside.encode())
        case "N":
            return (len(inside.strip("-0")) + 1) // 2 + 1
        case "B":
            return _length(inside)
        case "L":
            return 3 + sum(1 + _size_of(one) for one in inside)
        case "M":
            return 3 + len(inside) + _size(inside)
        case _:
            return 1


# --- what is told --------------------------------------------------------------------

KINDS = {
    "step": "a step, when an event comes",
    "wake": "a step, when a wait ends",
    "message": "a step that sends a message",
    "ignored": "an event that concerns nobody",
}


def table(busy: Mapping[str, Cost], alone: Mapping[str, Cost]) -> list[str]:
    """Return the table of docs/cost.md."""
    price = prices()
    stored = {kb: len(packed(reference_customer(kb=kb))) for kb in SIZES}
    sizes = " | ".join(f"{kb} KB" for kb in SIZES)
    kept = " | ".join(f"{size / _KB:.1f} KB" for size in stored.values())
    lines = [
        f"| a million of | {sizes} |",
        "| --- |" + " --: |" * len(SIZES),
        f"| *the document as it is stored* | {kept} |",
    ]
    for kind, words in KINDS.items():
        for cost, when in ((busy[kind], ""), (alone[kind], ", one at a time")):
            cells = " | ".join(f"{cost.usd(n, price):.2f}" for n in stored.values())
            lines.append(f"| {words}{when} | {cells} |")
    return lines


def idle(queues: int) -> dict[str, float]:
    """Return what a stack costs in a month of 30 days in which nothing happens.

    Args:
        queues: How many queues functions read.
    """
    price = prices()
    minutes = 30 * 24 * 60
    # Lambda keeps five requests open on a queue, of 20 seconds each.
    polls = queues * 5 * 3 * minutes
    # A tick reads its cursor and 64 shards, and moves its cursor.
    seconds = 66 * _TRIP_MS["dynamodb"] / 1000
    tick = 65 * price["dynamodb_read"] + price["dynamodb_write"]
    tick += price["lambda_request"] + seconds * 0.5 * price["lambda_gb_second"]
    return {
        "the key": price["kms_key_month"],
        "the tick, each minute": minutes * tick,
        f"Lambda asking {queues} queues": polls * price["sqs_request"],
    }


def idle_table(queues: int) -> list[str]:
    """Return the other table of docs/cost.md."""
    costs = idle(queues)
    lines = ["| a month of | USD |", "| --- | --: |"]
    lines += [f"| {words} | {usd:.2f} |" for words, usd in costs.items()]
    return [*lines, f"| together | {sum(costs.values()):.2f} |"]


QUEUES = 4  # events, wakes, feedback, one channel


def main() -> None:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", action="store_true")
    options = parser.parse_args()
    busy, alone = costs(BUSY), costs(ALONE)
    lines = [*table(busy, alone), "", *idle_table(QUEUES)]
    if options.requests:
        for kind, cost in busy.items():
            most = max(cost.written, default=0)
            lines += ["", f"{kind}: {cost.writes:g} writes, {cost.reads:g} reads"]
            lines += [f"  {most:8}  bytes beside the document, at most"]
            lines += [
                f"  {n:8.3f}  {' '.join(key)}" for key, n in cost.requests.items()
            ]
            lines += [f"  {n:8.6f}  {name}" for name, n in cost.units.items()]
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
