"""A stack whose watch is looked at: a journey, and logs as Firehose writes them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.insight.some_days import some_days

from journeykit.insight.daily import Day
from journeykit.testing.aws import EMULATOR, AwsEmulator
from journeykit.workspace import Workspace

JOURNEY = """
from journeykit import Journey, Send, on

cart = Journey(
    id="cart",
    trigger=on("cart.updated"),
    purpose="transactional",
    steps=[Send("email", "left")],
)
"""
SETTINGS = """
name = "shop"
channels = {email = "file"}

[watch]
tell = ["email:ops@example.com"]
pause = ["failures"]
"""
DAYS = 43  # of history; the last one is the day before the emulator's clock
START = date(2026, 1, 5) + timedelta(days=DAYS)


@contextmanager
def stack(folder: Path) -> Iterator[AwsEmulator]:
    (folder / "journeys").mkdir()
    (folder / "journeys" / "cart.py").write_text(JOURNEY, "utf-8")
    (folder / "journeykit.toml").write_text(SETTINGS, "utf-8")
    workspace = Workspace.load(folder)
    with AwsEmulator(workspace, start=f"{START}T06:00:00Z") as emulator:
        emulator.publish()
        yield emulator


def put_days(aws: AwsEmulator, days: dict[date, Day]) -> None:
    """Write the decision log as Firehose does: an object of lines by day, compressed."""
    s3 = aws._account.client("s3")
    [bucket] = aws._deployed._buckets
    with aws._account.used_by(EMULATOR):
        for day, what in days.items():
            s3.put_object(
                Bucket=bucket,
                Key=f"decisions/day={day}/one.gz",
                Body=gzip.compress(b"".join(lines_of(day, what))),
            )


def lines_of(day: date, what: Day) -> Iterator[bytes]:
    revision = 0
    for kind, reasons in what.journeys["cart"].counts.items():
        for reason, count in reasons.items():
            for _ in range(count):
                revision += 1
                line: dict[str, Any] = {
                    "customer": "c",
                    "revision": revision,
                    "n": 0,
                    "now": f"{day}T12:00:00Z",
                    "at": f"{day}T12:00:00Z",
                    "kind": kind,
                    "journey": "cart",
                    "version": 1,
                    "enrollment": f"{revision:024x}",
                    "reason": "" if kind == "sent" else reason,
                }
                if kind == "sent":
                    line["detail"] = {"channel": reason}
                yield json.dumps(line).encode() + b"\n"


def some_faulty_days() -> dict[date, Day]:
    def change(day: int, shape: dict[str, Any]) -> None:
        if day == DAYS - 1:
            shape["failed"] = 0.3

    return some_days(DAYS, change)
