"""How fast the durable runtime is: abandoned carts (W1) and a storm of timers (W3).

    python benchmarks/carts.py W1 100000                # product and baseline, three rounds
    python benchmarks/carts.py W1 10000 --batch 1 --synchronous FULL
    python benchmarks/carts.py W3 100000 --rounds 1
    python benchmarks/carts.py W1 20000 --profile       # where the time goes

**W1.** N customers leave a cart; every second one buys an hour later; the others get an
e-mail after 24 hours and a text 48 hours later. Timed from the first event offered, as a
line of JSON, to the last journey durably ended. **W3.** N customers wait in the first wait,
due within one minute, in scattered order. Timed from there until all have durably decided
the e-mail and wait in the next step.

The whole product is in the loop: the journey compiled from its definition, events decoded
and checked, deduplication, guards, trace and decision log, SQLite, and the message durable
before the channel is called, which does nothing but note it. Counts are checked, exactly.

The baseline of W1 is what a team writes by hand for exactly this journey, on SQLite too: a
table of instances, a table of messages to send, a table of events seen; 500 events a
transaction, or one. That of W3 is the ceiling: the same with tables and statements chosen
for this one thing. Neither is a product: no second journey, no guards, no explanation, no delivery. Both run
in turns, each in a process of its own; the ratio is what to compare.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import platform
import pstats
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from journeykit import (
    Exit,
    Journey,
    Send,
    WaitFor,
    When,
    hookimpl,
    hours,
    on,
)
from journeykit.channels import Capabilities, Channel, Message, Receipt, Sent
from journeykit.local.embedded import Embedded, collect_less_often
from journeykit.local.logs import log_files
from journeykit.model.formats import decode_event
from journeykit.plugins import PluginManager, Registry
from journeykit.workspace import Workspace

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
HOUR_MS = 3_600_000

CART = Journey(
    "abandoned-cart",
    trigger=on("cart.added"),
    steps=[
        WaitFor(
            [When(on("order.placed"), [Exit("converted")])],
            timeout=hours(24),
            otherwise=[
                Send("email", "abandoned"),
                WaitFor(
                    [When(on("order.placed"), [Exit("converted")])],
                    timeout=hours(48),
                    otherwise=[Send("sms", "abandoned")],
                ),
            ],
        )
    ],
)


def line(kind: str, number: int, after_ms: int) -> bytes:
    """An event as it comes in: about 430 bytes of JSON."""
    at = START + timedelta(milliseconds=after_ms)
    return json.dumps(
        {
            "id": f"{kind}-{number:09d}",
            "name": kind,
            "customer": f"user-{number:09d}",
            "occurred_at": at.isoformat(timespec="milliseconds"),
            "properties": {
                "app": {"package": "shop-web", "version": "3.14.1"},
                "client": {"platform": "ios", "locale": "de_DE", "country": "DE"},
                "attributes": {
                    "campaign": "none",
                    "url": f"/help/page/{number % 1000}",
                    "sku": f"SKU-{number * 7919 % 100000:06d}",
                    "category": "shoes",
                },
                "metrics": {"price": float(number % 900), "qty": 1.0},
                "endpoint": {"channel": "EMAIL", "address": f"u{number}@example.com"},
            },
        },
        separators=(",", ":"),
    ).encode()


def carts(n: int) -> list[bytes]:
    """Everybody leaves a cart within a second."""
    return [line("cart.added", i, i % 1000) for i in range(n)]


def orders(n: int) -> list[bytes]:
    """Every second one buys an hour later."""
    return [line("order.placed", i, HOUR_MS) for i in range(0, n, 2)]


def must(what: str, found: int, expected: int) -> None:
    """Raise if a count is not what it must be: a fast wrong run is no result."""
    if found != expected:
        raise SystemExit(f"{what}: {found:,}, and it must be {expected:,}")


class Recorder(Channel):
    """Notes what it is handed."""

    capabilities = Capabilities(batch_size=1000, idempotent=True)

    def __init__(self, name: str, seen: Counter[str]) -> None:
        """Note into a counter, by the deliveries' ids."""
        self.name = name
        self._seen = seen

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Note the messages."""
        self._seen.update(message.delivery_id for message in messages)
        return [Sent(message.delivery_id) for message in messages]


class Recorders:
    """A plugin that carries both channels."""

    def __init__(self) -> None:
        """Have seen nothing."""
        self.seen: Counter[str] = Counter()

    @hookimpl
    def journeykit_channels(self) -> Iterable[Channel]:
        """Carry what the journey names."""
        yield Recorder("email", self.seen)
        yield Recorder("sms", self.seen)


class Product:
    """The embedded runtime on a database of its own."""

    def __init__(self, folder: Path, *, synchronous: str) -> None:
        """Publish the journey."""
        manager = PluginManager()
        self.recorders = Recorders()
        manager.register(self.recorders, "recorders")
        self.embedded = Embedded.open(
            Workspace(path=folder, name="bench", journeys=(CART,)),
            Registry.from_plugins(manager),
            synchronous="FULL" if synchronous == "FULL" else "NORMAL",
        )
        self.embedded.publish(now=START_MS)
        collect_less_often()  # as `journeykit run` and `serve` do

    def feed(self, lines: Sequence[bytes], batch: int) -> None:
        """Handle events, so many a commit."""
        for start in range(0, len(lines), batch):
            events = [decode_event(text) for text in lines[start : start + batch]]
            self.embedded.replay(
                events, clock=int(events[-1].received_at.timestamp() * 1000)
            )

    def settle(self, after_ms: int) -> None:
        """Let time pass."""
        self.embedded.settle(START_MS + after_ms)

    def check(self, n: int, *, finished: bool) -> None:
        """Raise if any count is not what it must be."""
        store, after, outcomes = self.embedded.store, "", Counter[str]()
        active = 0
        while page := store.scan(after, 1000):
            after = page[-1].id
            active += sum(len(customer.active) for customer in page)
            outcomes.update(past.outcome for one in page for past in one.past.values())
        seen = self.recorders.seen
        bought = (n + 1) // 2
        must("messages twice", max(seen.values(), default=0) - 1, 0)
        must("commands left", store.backlog()["waiting"], 0)
        if finished:
            must("converted", outcomes["exited:converted"], bought)
            must("completed", outcomes["completed"], n - bought)
            must("waiting", active, 0)
            must("messages", len(seen), 2 * (n - bought))
            must("timers left", len(store.due(START_MS + 10_000 * HOUR_MS, 1)), 0)
        else:
            must("waiting", active, n)
            must("messages", len(seen), n)


def product(work: str, n: int, batch: int, synchronous: str) -> dict[str, float]:
    """Time the product; return what was measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = Product(folder, synchronous=synchronous)
        if work == "W1":
            first, second = carts(n), orders(n)
            began = time.perf_counter()
            shop.feed(first, batch)
            phases = [time.perf_counter()]
            shop.feed(second, batch)
            phases.append(time.perf_counter())
            shop.settle(24 * HOUR_MS + 1000)
            phases.append(time.perf_counter())
            shop.settle(72 * HOUR_MS + 2000)
        else:
            # Their waits end within a minute, in scattered order.
            first = [line("cart.added", i, i * 7919 % 60_000) for i in range(n)]
            first.sort(key=lambda text: text[text.index(b"occurred_at") :][:42])
            shop.feed(first, 1000)
            phases = []
            began = time.perf_counter()
            shop.embedded.runtime.tick(START_MS + 24 * HOUR_MS + 60_000, virtual=True)
        seconds = time.perf_counter() - began
        if work == "W3":  # not timed: the messages are handed over, to be counted
            shop.settle(24 * HOUR_MS + 60_000)
        shop.check(n, finished=work == "W1")
        shop.embedded.close()
        kept = folder / ".journeykit"
        size = (kept / "journeykit.db").stat().st_size
        log = sum(path.stat().st_size for path in log_files(kept / "decisions.jsonl"))
    return {
        "seconds": seconds,
        "bytes": size / n,
        "log_bytes": log / n,
        **{f"until_{k}": at - began for k, at in enumerate(phases, 1)},
    }


SCHEMA = """
create table instance(
  customer text, journey text, step integer, due integer, version integer, context text,
  primary key (customer, journey)
) without rowid;
create index instance_due on instance(due) where due is not null;
create table message(
  number integer primary key, customer text, journey text, step integer, channel text,
  body text, unique (customer, journey, step)
);
create table seen(id text primary key) without rowid;
"""
WAITING, REMINDED, DONE, CONVERTED = range(1, 5)


class ByHand:
    """The same journey as a team writes it that takes no engine."""

    def __init__(self, folder: Path, *, synchronous: str, batch: int) -> None:
        """Begin an empty database."""
        self.db = sqlite3.connect(folder / "hand.db", isolation_level=None)
        for pragma in ("journal_mode=wal", f"synchronous={synchronous}"):
            self.db.execute(f"pragma {pragma}")
        self.db.execute("pragma cache_size=-64000")
        self.db.execute("pragma wal_autocheckpoint=4000")
        self.db.executescript(SCHEMA)
        self.batch = batch

    def _transactions(self, items: Sequence[object]) -> Iterator[Sequence[object]]:
        for start in range(0, len(items), self.batch):
            self.db.execute("begin immediate")
            yield items[start : start + self.batch]
            self.db.execute("commit")

    def feed(self, lines: Sequence[bytes]) -> None:
        """Handle events."""
        run = self.db.execute
        for batch in self._transactions(lines):
            for text in batch:
                event = json.loads(text)  # type: ignore[arg-type]
                if not run(
                    "insert or ignore into seen values (?)", (event["id"],)
                ).rowcount:
                    continue
                customer = event["customer"]
                found = run(
                    "select step, version from instance where customer=? and journey=?",
                    (customer, "cart"),
                ).fetchone()
                at = datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000
                if event["name"] == "cart.added" and found is None:
                    due = int(at) + 24 * HOUR_MS
                    run(
                        "insert into instance values (?, ?, ?, ?, 1, '{}')",
                        (customer, "cart", WAITING, due),
                    )
                elif event["name"] == "order.placed" and found[0] <= REMINDED:
                    self._move(customer, found[1], CONVERTED, None)

    def settle(self, now: int) -> int:
        """Move everybody who is due."""
        run, count = self.db.execute, 0
        while True:
            due = run(
                "select customer, step, version from instance where due <= ? "
                "order by due limit 1000",
                (now,),
            ).fetchall()
            if not due:
                return count
            for batch in self._transactions(due):
                for customer, step, version in batch:  # type: ignore[misc]
                    first = step == WAITING
                    after = now + 48 * HOUR_MS if first else None
                    self._move(customer, version, REMINDED if first else DONE, after)
                    run(
                        "insert into message(customer, journey, step, channel, body) "
                        "values (?, 'cart', ?, ?, '{}')",
                        (customer, step, "email" if first else "sms"),
                    )
                    count += 1

    def _move(self, customer: str, version: int, step: int, due: int | None) -> None:
        self.db.execute(
            "update instance set step=?, due=?, version=? "
            "where customer=? and journey='cart' and version=?",
            (step, due, version + 1, customer, version),
        )


TUNED = """
create table customer(id integer primary key, name text unique);
create table instance(
  id integer primary key, customer integer, step integer, version integer
);
create table timer(due integer, instance integer, version integer,
  primary key (due, instance)) without rowid;
create table message(number integer primary key, instance integer, step integer);
"""


def tuned(n: int, synchronous: str) -> float:
    """Time W3 by hand with everything chosen for it: integers as keys, sets of rows.

    It is the ceiling of what Python and SQLite can do, for one journey only.
    """
    with tempfile.TemporaryDirectory() as name:
        db = sqlite3.connect(Path(name) / "tuned.db", isolation_level=None)
        for pragma in ("journal_mode=wal", f"synchronous={synchronous}"):
            db.execute(f"pragma {pragma}")
        db.execute("pragma cache_size=-64000")
        db.executescript(TUNED)
        db.execute("begin")
        names = ((i, f"user-{i:09d}") for i in range(n))
        db.executemany("insert into customer values (?, ?)", names)
        rows = ((i, i, WAITING) for i in range(n))
        db.executemany("insert into instance values (?, ?, ?, 1)", rows)
        dues = ((START_MS + i * 7919 % 60_000, i) for i in range(n))
        db.executemany("insert into timer values (?, ?, 1)", dues)
        db.execute("commit")
        db.execute("pragma wal_checkpoint(truncate)")
        now = START_MS + 61_000
        began = time.perf_counter()
        while due := db.execute(
            "select due, instance from timer join instance on id = instance and "
            "instance.version = timer.version where due <= ? order by due, instance "
            "limit 1000",
            (now,),
        ).fetchall():
            db.execute("begin immediate")
            db.execute("delete from timer where (due, instance) <= (?, ?)", due[-1])
            ids = [(instance,) for _, instance in due]
            db.executemany(
                f"update instance set step={REMINDED}, version=2 "  # noqa: S608 - ours
                f"where id=? and step={WAITING}",
                ids,
            )
            after = [(now + 48 * HOUR_MS, instance) for (instance,) in ids]
            db.executemany("insert into timer values (?, ?, 2)", after)
            db.executemany("insert into message(instance, step) values (?, 1)", ids)
            db.execute("commit")
        seconds = time.perf_counter() - began
        (count,) = db.execute("select count(*) from message").fetchone()
        must("messages", count, n)
        db.close()
    return seconds


def by_hand(work: str, n: int, batch: int, synchronous: str) -> dict[str, float]:
    """Time the baseline."""
    if work == "W3":
        return {"seconds": tuned(n, synchronous)}
    with tempfile.TemporaryDirectory() as name:
        size = 1 if batch == 1 else 500
        hand = ByHand(Path(name), synchronous=synchronous, batch=size)
        first, second = carts(n), orders(n)
        began = time.perf_counter()
        hand.feed(first)
        hand.feed(second)
        hand.settle(START_MS + 24 * HOUR_MS + 1000)
        hand.settle(START_MS + 72 * HOUR_MS + 2000)
        seconds = time.perf_counter() - began
        expected = 2 * (n - (n + 1) // 2)
        (count,) = hand.db.execute("select count(*) from message").fetchone()
        must("messages", count, expected)
        hand.db.close()
    return {"seconds": seconds}


WHO: dict[str, Callable[[str, int, int, str], dict[str, float]]] = {
    "product": product,
    "by-hand": by_hand,
}


def measured(who: str, options: argparse.Namespace) -> dict[str, float]:
    """Run one of them in a process of its own."""
    command = [sys.executable, __file__, options.work, str(options.n), "--one", who]
    command += ["--batch", str(options.batch), "--synchronous", options.synchronous]
    done = subprocess.run(  # noqa: S603 - this very file
        command, check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", choices=["W1", "W3"])
    parser.add_argument("n", type=int, nargs="?", default=100_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--synchronous", choices=["NORMAL", "FULL"], default="NORMAL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--one", choices=WHO, help=argparse.SUPPRESS)
    options = parser.parse_args()
    arguments = (options.work, options.n, options.batch, options.synchronous)
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(product, *arguments)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    if options.one:
        result = WHO[options.one](*arguments)
        result["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps(result))
        return
    rates: dict[str, list[float]] = {who: [] for who in WHO}
    last: dict[str, dict[str, float]] = {}
    for _ in range(options.rounds):
        for who in WHO:
            last[who] = measured(who, options)
            rates[who].append(options.n / last[who]["seconds"])
    sys.stdout.write("\n".join([*told(options, rates, last), ""]))


def told(
    options: argparse.Namespace,
    rates: dict[str, list[float]],
    last: dict[str, dict[str, float]],
) -> Iterator[str]:
    """What came out, in lines."""
    yield (
        f"{options.work}, {options.n:,} customers, batch {options.batch}, "
        f"{options.synchronous}; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
    for who, found in rates.items():
        each = ", ".join(f"{rate:,.0f}" for rate in found)
        median = statistics.median(found)
        yield f"{who:8} {median:9,.0f} a second  ({each})  {last[who]['mb']:.0f} MB"
    pairs = zip(rates["product"], rates["by-hand"], strict=True)
    ratio = statistics.median([ours / theirs for ours, theirs in pairs])
    one = last["product"]
    yield f"ratio    {ratio:9.2f}"
    yield f"disk     {one['bytes']:9.0f} B a customer, log {one['log_bytes']:.0f} B"


if __name__ == "__main__":
    main()
