"""How fast events find their journeys: many journeys, a filter each (W2).

    python benchmarks/fanin.py W2a                        # 100, 1,000 and 10,000 journeys
    python benchmarks/fanin.py W2b                        # and what comes of it, durably
    python benchmarks/fanin.py W2b --batch 1 --events 20000
    python benchmarks/fanin.py W2a --journeys 1000 --profile

Journey j listens to one of ten names and has one filter: the same value, the beginning of
a text, or a range of numbers. Of the events every tenth meets exactly one journey; of the
others every second one has a name that is listened to and fails every filter, and nobody
listens to the rest.

**W2a.** Decode the line and find the journey; timed in CPU, as it waits for nothing.
**W2b.** The same, and for each match: not twice, read the customer, begin a run with its
wait of 24 hours and one e-mail, durably, on SQLite. 100,000 customers are stored before
the clock starts. The whole product is in the loop, as `carts.py` says it.

Three baselines, in processes of their own and in turns. *By hand* is an index written for
exactly these filters: a look-up by value, one by the beginning of each length, and a
bisection of ranges that don't overlap; for W2b with tables of its own, 500 events a
transaction or one. *One by one* asks every journey of the name, in plain Python. *Asked in
turn* is the product without its index: the same conditions, every journey of the name
asked.
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
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from journeykit import (
    Catalog,
    Condition,
    Journey,
    Policies,
    Send,
    Wait,
    event,
    hookimpl,
    hours,
    on,
    starts_with,
)
from journeykit.channels import Capabilities, Channel, Message, Receipt, Sent
from journeykit.engine import matching
from journeykit.engine.conditions import Scope
from journeykit.engine.customer import created
from journeykit.local.embedded import Embedded, collect_less_often
from journeykit.model.events import Event
from journeykit.model.formats import decode_event
from journeykit.plugins import PluginManager, Registry
from journeykit.ports import Change
from journeykit.workspace import Workspace

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
DAY_MS = 86_400_000
NAMES = [f"ev_type_{n:02d}" for n in range(20)]  # the first ten are listened to
CUSTOMERS = 100_000


def filters(n: int) -> list[tuple[str, str, Any]]:
    """Of each journey the name that it listens to, the kind of its filter, and with what."""
    made: list[tuple[str, str, Any]] = []
    for j in range(n):
        kind = ("equal", "prefix", "range")[j % 3]
        low = 1000.0 * (j + 1)
        with_what: Any = {
            "equal": f"camp{j:05d}",
            "prefix": f"/shop/dept{j:05d}/",
            "range": (low, low + 500),
        }[kind]
        made.append((NAMES[j % 10], kind, with_what))
    return made


def condition(kind: str, with_what: Any) -> Condition:
    """A filter as an author writes it."""
    if kind == "equal":
        made: Condition = event.attributes.campaign == with_what
        return made
    if kind == "prefix":
        return starts_with(event.attributes.url, with_what)
    low, high = with_what
    made = (event.metrics.price >= low) & (event.metrics.price <= high)
    return made  # noqa: RET504 - its type is known now


def journeys(n: int) -> list[Journey]:
    """The journeys: an e-mail, and a day's wait."""
    return [
        Journey(
            f"j{j:05d}",
            trigger=on(name, where=condition(kind, with_what)),
            purpose="transactional",
            reentry="always",
            steps=[Send("email", "hello"), Wait(hours(24))],
        )
        for j, (name, kind, with_what) in enumerate(filters(n))
    ]


def line(k: int, n: int) -> bytes:
    """The event number k: about 430 bytes of JSON."""
    drawn = ((k * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF) >> 33
    campaign, url, price = "none", f"/help/page/{drawn % 1000}", float(drawn % 900)
    if k % 10 == 0:
        j = (k // 10) % n
        name = NAMES[j % 10]
        if j % 3 == 0:
            campaign = f"camp{j:05d}"
        elif j % 3 == 1:
            url = f"/shop/dept{j:05d}/item-{drawn % 5000}"
        else:
            price = 1000.0 * (j + 1) + drawn % 500
    else:
        name = NAMES[drawn % 10 + (0 if k % 2 else 10)]
    customer = drawn % CUSTOMERS
    at = START + timedelta(milliseconds=k)
    return json.dumps(
        {
            "id": f"evt-{k:011d}",
            "name": name,
            "customer": f"user-{customer:09d}",
            "occurred_at": at.isoformat(timespec="milliseconds"),
            "properties": {
                "app": {"package": "shop-web", "version": "3.14.1"},
                "client": {"platform": "ios", "locale": "de_DE", "country": "DE"},
                "attributes": {
                    "campaign": campaign,
                    "url": url,
                    "sku": f"SKU-{drawn % 100000:06d}",
                    "category": "shoes",
                },
                "metrics": {"price": price, "qty": 1.0, "session_s": 312.5},
                "endpoint": {"channel": "EMAIL", "address": f"u{customer}@example.com"},
            },
        },
        separators=(",", ":"),
    ).encode()


def lines(events: int, n: int) -> list[bytes]:
    """The stream."""
    return [line(k, n) for k in range(events)]


def must(what: str, found: int, expected: int) -> None:
    """Raise if a count is not what it must be: a fast wrong run is no result."""
    if found != expected:
        raise SystemExit(f"{what}: {found:,}, and it must be {expected:,}")


# --- The product -------------------------------------------------------------------------


def matched(catalog: Catalog, decoded: Event) -> list[str]:
    """The journeys that an event starts, found as `react` finds them."""
    if decoded.name not in catalog.hears:
        return []
    fields = {
        **decoded.properties,
        "$id": decoded.id,
        "$name": decoded.name,
        "$time": decoded.occurred_at,
    }
    found = catalog.entries.candidates(decoded.name, fields, decoded.source)
    if not found:
        return []
    scope = Scope(event=fields)
    return [
        entry.plan.id
        for entry in found
        if entry.when.where is None or entry.when.where(scope)
    ]


def product_a(raw: Sequence[bytes], n: int) -> tuple[float, int]:
    """Time W2a."""
    catalog = Catalog.compile(journeys(n), policies=Policies())
    began, hits = time.process_time(), 0
    for text in raw:
        if matched(catalog, decode_event(text)):
            hits += 1
    return time.process_time() - began, hits


def in_turn_a(raw: Sequence[bytes], n: int) -> tuple[float, int]:
    """Time W2a without the index."""
    defaults: Any = matching.Triggers.__init__.__kwdefaults__
    defaults["least"] = sys.maxsize
    return product_a(raw, n)


class Recorder(Channel):
    """Notes what it is handed."""

    name = "email"
    capabilities = Capabilities(batch_size=1000, idempotent=True)

    def __init__(self) -> None:
        """Have seen nothing."""
        self.seen: Counter[str] = Counter()

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Note the messages."""
        self.seen.update(message.delivery_id for message in messages)
        return [Sent(message.delivery_id) for message in messages]


class Recorders:
    """A plugin that carries the channel."""

    def __init__(self) -> None:
        """Make it."""
        self.email = Recorder()

    @hookimpl
    def journeykit_channels(self) -> Iterable[Channel]:
        """Carry what the journeys name."""
        yield self.email


def product_b(
    raw: Sequence[bytes], n: int, batch: int, synchronous: str
) -> tuple[float, int]:
    """Time W2b."""
    with tempfile.TemporaryDirectory() as name:
        recorders, manager = Recorders(), PluginManager()
        manager.register(recorders, "recorders")
        embedded = Embedded.open(
            Workspace(path=Path(name), name="bench", journeys=tuple(journeys(n))),
            Registry.from_plugins(manager),
            synchronous="FULL" if synchronous == "FULL" else "NORMAL",
        )
        embedded.publish(now=START_MS)
        _store_customers(embedded)
        collect_less_often()  # as `journeykit run` and `serve` do
        began = time.perf_counter()
        for start in range(0, len(raw), batch):
            events = [decode_event(text) for text in raw[start : start + batch]]
            embedded.replay(
                events, clock=int(events[-1].received_at.timestamp() * 1000)
            )
        embedded.settle(START_MS + len(raw))
        seconds = time.perf_counter() - began
        store, after, active = embedded.store, "", 0
        while page := store.scan(after, 1000):
            after = page[-1].id
            active += sum(len(customer.active) for customer in page)
        seen = recorders.email.seen
        must("messages twice", max(seen.values(), default=0), 1)
        must("messages", len(seen), active)
        must("commands left", store.backlog()["waiting"], 0)
        must("timers", len(store.due(START_MS + 2 * DAY_MS, 1)), 1)
        embedded.close()
    return seconds, active


def _store_customers(embedded: Embedded) -> None:
    profile = {"country": "DE", "plan": "gold", "email": "u@example.com"}
    for start in range(0, CUSTOMERS, 1000):
        changes = []
        for n in range(start, start + 1000):
            customer = created(f"user-{n:09d}", START_MS, salt="0" * 16)
            customer.profile, customer.revision = profile, 1
            customer.catalog = 1  # the one that was published
            changes.append(Change(None, customer, (), b""))
        must("refused", len(embedded.store.commit(changes)), 0)


# --- By hand -----------------------------------------------------------------------------


class HandIndex:
    """An index for exactly these filters."""

    def __init__(self, n: int) -> None:
        """Build it."""
        self.of: dict[str, tuple[dict[str, int], dict[int, dict[str, int]], Any]] = {}
        ranges: dict[str, list[tuple[float, float, int]]] = {}
        for j, (name, kind, with_what) in enumerate(filters(n)):
            equal, prefix, _ = self.of.setdefault(name, ({}, {}, None))
            if kind == "equal":
                equal[with_what] = j
            elif kind == "prefix":
                prefix.setdefault(len(with_what), {})[with_what] = j
            else:
                ranges.setdefault(name, []).append((*with_what, j))
        for name, found in ranges.items():
            found.sort()
            self.of[name] = (*self.of[name][:2], ([low for low, _, _ in found], found))

    def match(self, decoded: dict[str, Any]) -> int | None:
        """The journey that an event starts."""
        known = self.of.get(decoded["name"])
        if known is None:
            return None
        equal, prefix, ranges = known
        properties = decoded["properties"]
        found = equal.get(properties["attributes"]["campaign"])
        if found is not None:
            return found
        url = properties["attributes"]["url"]
        for length, texts in prefix.items():
            found = texts.get(url[:length])
            if found is not None:
                return found
        if ranges is not None:
            lows, rows = ranges
            price = properties["metrics"]["price"]
            at = bisect_right(lows, price) - 1
            if at >= 0 and price <= rows[at][1]:
                row: int = rows[at][2]
                return row
        return None


_decode = msgspec.json.Decoder().decode


def hand_a(raw: Sequence[bytes], n: int) -> tuple[float, int]:
    """Time W2a by hand."""
    index = HandIndex(n)
    began, hits = time.process_time(), 0
    for text in raw:
        if index.match(_decode(text)) is not None:
            hits += 1
    return time.process_time() - began, hits


def one_by_one_a(raw: Sequence[bytes], n: int) -> tuple[float, int]:
    """Time W2a by a loop over the journeys of a name."""
    by_name: dict[str, list[tuple[str, Any]]] = {}
    for name, kind, with_what in filters(n):
        by_name.setdefault(name, []).append((kind, with_what))

    def holds(kind: str, with_what: Any, properties: dict[str, Any]) -> bool:
        if kind == "equal":
            return bool(properties["attributes"]["campaign"] == with_what)
        if kind == "prefix":
            return bool(properties["attributes"]["url"].startswith(with_what))
        return bool(with_what[0] <= properties["metrics"]["price"] <= with_what[1])

    began, hits = time.process_time(), 0
    for text in raw:
        decoded = _decode(text)
        properties = decoded["properties"]
        for kind, with_what in by_name.get(decoded["name"], ()):
            if holds(kind, with_what, properties):
                hits += 1
                break
    return time.process_time() - began, hits


SCHEMA = """
create table customer(id text primary key, profile text) without rowid;
create table run(
  customer text, journey integer, number integer, due integer, context text,
  primary key (customer, journey, number)
) without rowid;
create index run_due on run(due) where due is not null;
create table message(
  number integer primary key, customer text, journey integer, body text
);
create table seen(id text primary key) without rowid;
"""


def hand_b(
    raw: Sequence[bytes], n: int, batch: int, synchronous: str
) -> tuple[float, int]:
    """Time W2b by hand."""
    with tempfile.TemporaryDirectory() as name:
        db = sqlite3.connect(Path(name) / "hand.db", isolation_level=None)
        for pragma in ("journal_mode=wal", f"synchronous={synchronous}"):
            db.execute(f"pragma {pragma}")
        db.execute("pragma cache_size=-64000")
        db.execute("pragma wal_autocheckpoint=4000")
        db.executescript(SCHEMA)
        db.execute("begin")
        profile = '{"country":"DE","plan":"gold","email":"u@example.com"}'
        rows = ((f"user-{i:09d}", profile) for i in range(CUSTOMERS))
        db.executemany("insert into customer values (?, ?)", rows)
        db.execute("commit")
        db.execute("pragma wal_checkpoint(truncate)")
        index, size = HandIndex(n), 1 if batch == 1 else 500
        run, waiting, began = db.execute, 0, time.perf_counter()
        open_: list[tuple[dict[str, Any], int]] = []

        def flush() -> int:
            count = 0
            run("begin immediate")
            for decoded, journey in open_:
                if not run(
                    "insert or ignore into seen values (?)", (decoded["id"],)
                ).rowcount:
                    continue
                customer = decoded["customer"]
                json.loads(
                    run(
                        "select profile from customer where id=?", (customer,)
                    ).fetchone()[0]
                )
                (number,) = run(
                    "select count(*) from run where customer=? and journey=?",
                    (customer, journey),
                ).fetchone()
                at = datetime.fromisoformat(decoded["occurred_at"]).timestamp() * 1000
                run(
                    "insert into run values (?, ?, ?, ?, '{}')",
                    (customer, journey, number, int(at) + DAY_MS),
                )
                run(
                    "insert into message(customer, journey, body) values (?, ?, '{}')",
                    (customer, journey),
                )
                count += 1
            run("commit")
            open_.clear()
            return count

        for text in raw:
            decoded = _decode(text)
            found = index.match(decoded)
            if found is not None:
                open_.append((decoded, found))
                if len(open_) >= size:
                    waiting += flush()
        if open_:
            waiting += flush()
        seconds = time.perf_counter() - began
        (count,) = run("select count(*) from message").fetchone()
        must("messages", count, waiting)
        db.close()
    return seconds, waiting


A: dict[str, Callable[[Sequence[bytes], int], tuple[float, int]]] = {
    "product": product_a,
    "by hand": hand_a,
    "one by one": one_by_one_a,
    "asked in turn": in_turn_a,
}
B: dict[str, Callable[[Sequence[bytes], int, int, str], tuple[float, int]]] = {
    "product": product_b,
    "by hand": hand_b,
}


def once(who: str, n: int, options: argparse.Namespace) -> dict[str, float]:
    """Run one of them here."""
    raw = lines(options.events, n)
    if options.work == "W2a":
        seconds, hits = A[who](raw, n)
    else:
        seconds, hits = B[who](raw, n, options.batch, options.synchronous)
    must("matches", hits, (options.events + 9) // 10)
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rate": options.events / seconds, "mb": mb}


def measured(who: str, n: int, options: argparse.Namespace) -> dict[str, float]:
    """Run one of them in a process of its own."""
    # Who asks thousands of journeys gets through fewer events in the same time.
    is_slow = who in ("one by one", "asked in turn") and n > 1_000
    events = max(1_000, options.events // 40) if is_slow else options.events
    command = [sys.executable, __file__, options.work, "--one", who]
    command += ["--journeys", str(n), "--events", str(events)]
    command += ["--batch", str(options.batch), "--synchronous", options.synchronous]
    done = subprocess.run(  # noqa: S603 - this very file
        command, check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", choices=["W2a", "W2b"])
    parser.add_argument("--journeys", type=int, action="append")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--synchronous", choices=["NORMAL", "FULL"], default="NORMAL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--one", choices=A, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = options.journeys or [100, 1_000, 10_000]
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(once, "product", counts[0], options)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    if options.one:
        sys.stdout.write(json.dumps(once(options.one, counts[0], options)))
        return
    sys.stdout.write(
        f"{options.work}, {options.events:,} events, batch {options.batch}, "
        f"{options.synchronous}; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}\n"
    )
    for n in counts:
        who_runs = A if options.work == "W2a" else B
        rates: dict[str, list[float]] = {who: [] for who in who_runs}
        mb: dict[str, float] = {}
        for _ in range(options.rounds):
            for who, found in rates.items():
                result = measured(who, n, options)
                found.append(result["rate"])
                mb[who] = result["mb"]
        for who, found in rates.items():
            each = ", ".join(f"{rate:,.0f}" for rate in found)
            ratio = statistics.median(
                ours / theirs
                for ours, theirs in zip(rates["product"], found, strict=True)
            )
            sys.stdout.write(
                f"{n:6,} journeys  {who:13} {statistics.median(found):9,.0f} a second  "
                f"({each})  {mb[who]:.0f} MB  product/this {ratio:.2f}\n"
            )


if __name__ == "__main__":
    main()
