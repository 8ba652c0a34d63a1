"""Worlds to be killed in: journeys, a file of events, and what became of it all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from journeykit.engine.ids import log_id
from journeykit.local.logs import log_lines
from journeykit.local.sqlite import SQLiteStore

ROOT = Path(__file__).parent.parent.parent
START = datetime(2026, 1, 1, tzinfo=UTC)

CART = """
from journeykit import Exit, Journey, Send, WaitFor, When, hours, on

cart = Journey(
    "cart",
    trigger=on("cart.added"),
    steps=[
        WaitFor(
            [When(on("order.placed"), [Exit("converted")])],
            timeout=hours(24),
            otherwise=[
                Send("email", "reminder"),
                WaitFor(
                    [When(on("order.placed"), [Exit("converted")])],
                    timeout=hours(48),
                    otherwise=[Send("sms", "reminder")],
                ),
            ],
        )
    ],
)
"""

WHO_THEY_ARE = {
    "traits.py": """
from journeykit import Count, Last

traits = [
    Count("orders", "order.placed"),
    Count("recent", "page.viewed", within="1d"),
    Last("last_order", "order.placed"),
]
""",
    "segments.yaml": """
- {id: keen, when: "trait.recent >= 3"}
- {id: lapsed, when: 'trait.last_order.olderThan("P1D")'}
""",
    "journeys/who.py": """
from journeykit import (
    Journey, Send, Wait, entered, every, hours, inactive, on,
)

keen = Journey(
    "keen",
    trigger=entered("keen"),
    reentry="always",
    keep_while_in_segment="keen",
    steps=[Wait(hours(20)), Send("email", "keen"), Wait(hours(20)), Send("sms", "too")],
)
lapsed = Journey("lapsed", trigger=entered("lapsed"), steps=[Send("email", "come-back")])
daily = Journey(
    "daily",
    trigger=every("day", at="09:00", segment="lapsed"),
    reentry="always",
    steps=[Send("push", "daily")],
)
quiet = Journey(
    "quiet",
    trigger=inactive("page.viewed", for_=hours(36)),
    reentry="always",
    steps=[Send("sms", "quiet")],
)
left = Journey(
    "left",
    trigger=on("page.viewed")
    .then(on("cart.added"), within=hours(1))
    .without(on("order.placed"), within=hours(3)),
    steps=[Send("push", "left")],
)
""",
    "journeys/cart.py": CART,
}
"""A segment that flips by time, a sliding trait, inactivity, a schedule, a sequence."""


@dataclass(frozen=True)
class Outcome:
    """What became of a world.

    Attributes:
        customers: The documents, without what is drawn.
        decisions: The log's lines under the customers' ids, each once.
        repeated: How many lines stood there twice.
        asked: How often the provider was asked for each delivery.
        deliveries: Delivery to what is stored about it, for thirty days.
        waiting: Commands that are left.
        catalog: The revision.
    """

    customers: dict[str, Any]
    decisions: Counter[str]
    repeated: int
    asked: Counter[str]
    deliveries: dict[str, str]
    waiting: int
    catalog: int


class World:
    """A folder with a workspace and events, to be run in a process of its own."""

    def __init__(self, folder: Path, *, until: datetime) -> None:
        self.folder = folder
        self.until = until

    def copy(self, name: str) -> World:
        """The same world, before anything has happened."""
        other = self.folder.with_name(name)
        other.mkdir()
        shutil.copytree(self.folder / "workspace", other / "workspace")
        shutil.copy(self.folder / "events.jsonl", other / "events.jsonl")
        return World(other, until=self.until)

    def lines(self, lines: Iterable[bytes]) -> World:
        """The same world with other events."""
        (self.folder / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        return self

    def run(self, *options: str) -> int:
        """Run it to its end; return how often it was killed before."""
        return run_all([self], *options)

    @property
    def events(self) -> list[bytes]:
        return (self.folder / "events.jsonl").read_bytes().splitlines()

    def outcome(self) -> Outcome:
        """What became of it."""
        store = SQLiteStore.open(self.folder / "data" / "journeykit.db", readonly=True)
        customers, names, after = {}, {}, ""
        while page := store.scan(after, 1000):
            after = page[-1].id
            for customer in page:
                document = msgspec.to_builtins(customer, str_keys=True)
                names[log_id(customer.id, document.pop("salt"))] = customer.id
                customers[customer.id] = document
        decisions, repeated = self._decisions(names)
        sent = self.folder / "sent.txt"
        notes = sent.read_text().splitlines() if sent.exists() else []
        asked = Counter(line.split()[0] for line in notes)
        ids = {
            line["detail"]["delivery_id"]
            for line in map(json.loads, decisions)
            if line["kind"] == "sent"
        }
        found = store.find(sorted(ids))
        outcome = Outcome(
            customers,
            decisions,
            repeated,
            asked,
            {id: one.outcome for id, one in found.items()},
            store.backlog()["waiting"],
            store.revision(),
        )
        store.close()
        return outcome

    def _decisions(self, names: dict[str, str]) -> tuple[Counter[str], int]:
        """The decisions, each once, as readers of the log read it."""
        seen: dict[tuple[Any, ...], bytes] = {}
        repeated = 0
        found: Counter[str] = Counter()
        for text in log_lines(self.folder / "data" / "decisions.jsonl"):
            line = json.loads(text)
            event = line.get("event", "") if line["n"] < 0 else ""
            key = (line["customer"], line["revision"], line["n"], event)
            if key in seen:
                assert seen[key] == text, "two decisions of one name"
                repeated += 1
                continue
            seen[key] = text
            line["customer"] = names.get(line["customer"], "nobody")
            detail = line.get("detail", {})
            if "log_id" in detail:  # whoever was merged
                detail["log_id"] = names[detail["log_id"]]
            found[json.dumps(line, sort_keys=True)] += 1
        return found, repeated


def run_all(worlds: Sequence[World], *options: str) -> int:
    """Run worlds one by one, in one process; return how often they were killed."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.crash.driver"),
            *(str(world.folder) for world in worlds),
            *("--until", worlds[0].until.isoformat(), *options),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    kills: int = json.loads(done.stdout)["kills"]
    return kills


def cart_world(folder: Path, *, customers: int) -> World:
    """W1: everybody leaves a cart, every second one buys."""
    workspace = folder / "workspace"
    (workspace / "journeys").mkdir(parents=True)
    (workspace / "journeykit.toml").write_text("")
    (workspace / "journeys" / "cart.py").write_text(CART)
    world = World(folder, until=START + timedelta(days=4))
    return world.lines(cart_events(customers))


def cart_events(customers: int) -> Sequence[bytes]:
    return [
        *(_event("cart.added", n, n * 1000 // customers) for n in range(customers)),
        *(
            _event("order.placed", n, 3_600_000 + n * 1000 // customers)
            for n in range(0, customers, 2)
        ),
    ]


def _event(name: str, number: int, after_ms: int, **more: Any) -> bytes:
    at = START + timedelta(milliseconds=after_ms)
    return json.dumps(
        {
            "id": f"{name}-{number}",
            "name": name,
            "customer": f"customer-{number:05}",
            "occurred_at": at.isoformat(timespec="milliseconds"),
            "properties": {"total": number},
            **more,
        }
    ).encode()


def visitor_world(folder: Path, *, customers: int) -> World:
    """Everybody looks around; every second one does so before they sign in."""
    workspace = folder / "workspace"
    (workspace / "journeys").mkdir(parents=True)
    (workspace / "journeykit.toml").write_text("")
    for name, text in WHO_THEY_ARE.items():
        (workspace / name).write_text(text)
    world = World(folder, until=START + timedelta(days=4))
    return world.lines(visits(customers))


def visits(customers: int) -> Sequence[bytes]:
    """Three looks and a cart, of a browser first; then its owner signs in, and some buy."""
    hour = 3_600_000
    lines: list[tuple[int, bytes]] = []
    for n in range(customers):
        start = n * 600_000  # ten minutes apart, so that one batch has all of it
        browser = {"identifiers": {"anonymous": f"browser-{n}"}}
        unknown = {"customer": "", **browser} if n % 2 else {}
        for look in range(3):
            at = start + look * hour
            id = {"id": f"look-{n}-{look}"}
            lines.append((at, _event("page.viewed", n, at, **id, **unknown)))
        at = start + 2 * hour + 60_000
        lines.append((at, _event("cart.added", n, at, **unknown)))
        at += 60_000
        lines.append((at, _event("signed.in", n, at, **browser)))
        if n % 4 < 2:
            at += 60_000
            lines.append((at, _event("order.placed", n, at)))
        if n % 3 == 0:
            at = start + 30 * hour
            id = {"id": f"look-{n}-late"}
            lines.append((at, _event("page.viewed", n, at, **id, **browser)))
    return [line for _, line in sorted(lines)]
