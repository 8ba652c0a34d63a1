"""A workspace whose journeys are live in a stack, and the command line about that stack."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from journeykit.aws.crowd import crowd_of
from journeykit.aws.stack import Stack
from journeykit.cli import group
from journeykit.runtime.headcount import everybody
from journeykit.runtime.likeness import FactReader
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

FILES = {
    "journeykit.toml": '[channels]\nemail = "console"\n[ingest]\nschemas = "enforce"\n'
    '[identity]\nkinds = ["email", "card"]\n',
    "journeys/thanks.py": "from journeykit import *\n"
    'thanks = Journey("thanks", trigger=[on("order.placed"), entered("regulars")],\n'
    '    reentry="always", steps=[Send("email", "thanks")])\n',
    "traits.py": "from journeykit import *\n"
    'orders = Count("orders", "order.placed")\n'
    'spent = Sum("spent", "order.placed", event.amount)\n'
    'last_order = Last("last_order", "order.placed")\n',
    "segments.yaml": "- {id: regulars, when: trait.orders >= 2}\n",
    "schemas.py": "from pydantic import BaseModel\n"
    "class Order(BaseModel):\n    amount: float\n"
    'events = {"order.placed": Order}\n',
    "orders.toml": 'event = { value = "order.placed" }\ncustomer = "who"\n'
    'occurred_at = { column = "at", zone = "UTC" }\n'
    '[properties]\namount = { column = "total", type = "number" }\n',
}


class Shop:
    """A workspace whose journeys are live in a stack, and the command line.

    Attributes:
        folder: The workspace.
        cloud: The stack.
    """

    def __init__(self, folder: Path, cloud: AwsEmulator) -> None:
        self.folder = folder
        self.cloud = cloud

    def rows(self, *rows: str, name: str = "orders.csv") -> None:
        """Write a file of orders."""
        text = "\n".join(["who,at,total", *rows]) + "\n"
        (self.folder / name).write_text(text)

    def __call__(self, *words: str) -> Result:
        """Run a command about the stack."""
        return CliRunner().invoke(group, [*words, "--stack", "shop", str(self.folder)])

    def imports(self, *options: str, name: str = "orders.csv") -> Result:
        mapping = self.folder / "orders.toml"
        events = ["--events", str(self.folder / name), "--mapping", str(mapping)]
        result = self("import", *events, *options)
        self.cloud.settle()
        return result

    @property
    def known(self) -> dict[str, tuple[float, float]]:
        """How many orders everybody has placed, and what they have spent."""
        found = crowd_of(Stack("shop"))
        reader = FactReader(found.catalog.audience["traits"])
        facts = {one.id: reader.facts(one, one.clock) for one in everybody(found.scan)}
        return {
            id: (one["trait.orders"], one["trait.spent"]) for id, one in facts.items()
        }

    def lines(self, prefix: str) -> list[Any]:
        """The lines of a log."""
        s3, bucket = self.cloud.client("s3"), self.cloud.settings.records_bucket
        found: list[Any] = []
        for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            body = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            found += map(json.loads, gzip.decompress(body).splitlines())
        return found


@contextmanager
def open_shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """What the outputs of the template say stands in moto; its CloudFormation can't."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with AwsEmulator(Workspace.load(folder), start=datetime.now(UTC)) as cloud:
        settings = cloud.settings
        outputs = {
            "CustomersTable": settings.customers_table,
            "DeliveriesTable": settings.deliveries_table,
            "StateTable": settings.state_table,
            "TimersTable": settings.timers_table,
            "DeadLetterQueue": settings.dead_letter_queue,
            "RecordsBucket": settings.records_bucket or "records",
        }
        monkeypatch.setattr(Stack, "output", lambda _, key: outputs[key])
        cloud.publish()
        yield Shop(folder, cloud)
