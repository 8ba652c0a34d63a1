"""How fast the functions are in AWS: what a cold start takes, and what an event.

    python benchmarks/aws.py                # four functions, seven processes each
    python benchmarks/aws.py ingest --rounds 3

**Cold**: CPU of a fresh process, with compiled modules (.pyc): importing the handler, and
making the parts and clients that the first invocation needs; botocore is cut down as in
the bundle. **First**: that invocation, of
ten records, which reads and compiles the catalog. **Warm**: an invocation of ten records of
ten customers with the reference document, per record: our CPU and botocore's. **botocore**: its part of it: serializing,
signing, parsing, for so many requests a record.

There is no network and no store in it: `lambda_process.py` answers below botocore, from a
table in memory. What Lambda itself does, and waiting for AWS, comes on top. Events and
stream records are those that the emulator made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import botocore

from journeykit.aws import bundle
from journeykit.aws.customers import DynamoCustomers
from journeykit.engine.calendar import to_datetime
from journeykit.engine.customer import Customer
from journeykit.manifest import Manifest, PluginEntry
from journeykit.ports import Change
from journeykit.testing import RecordingChannel, make_event
from journeykit.testing.aws import AwsEmulator
from journeykit.testing.aws.functions import Function

sys.path.append(str(Path(__file__).parent.parent))

from benchmarks.cost import workspace
from benchmarks.reference import NOW, reference_customer

FUNCTIONS = ("ingest", "tick", "relay", "deliver")
RECORDS = 10
TARGETS_MS = {"ingest": 300, "tick": 300, "relay": 300, "deliver": 450}

CHANNEL = '''
"""A channel that carries nothing anywhere."""

from journeykit.channels import Channel, Sent
from journeykit.hookspecs import hookimpl


class Silent(Channel):
    name = "email"
    provider = "silent"
    address_attribute = "email"

    def send(self, messages):
        return [Sent(message.delivery_id) for message in messages]


@hookimpl
def journeykit_channels():
    yield Silent()
'''


def cases(folder: Path) -> dict[str, Path]:
    """Write down what each function is handed, and what there is in the tables."""
    (folder / "silent.py").write_text(CHANNEL)
    _bundle_botocore(folder)
    manifest = folder / "manifest.json"
    Manifest(
        workspace="bench",
        plugins=(
            PluginEntry(name="silent", value="silent", hooks=("journeykit_channels",)),
        ),
        channels={"email": "silent"},
    ).write(manifest)
    seen: dict[str, tuple[Mapping[str, str], Any]] = {}
    people = [reference_customer(f"customer-{n:07}") for n in range(RECORDS)]
    with AwsEmulator(
        workspace(), start=to_datetime(NOW), channels={"email": RecordingChannel()}
    ) as aws:
        aws.publish()
        customers = DynamoCustomers(
            aws.client("dynamodb"),
            aws.settings.customers_table,
            log=_ignore,
            bury=_ignore,
            clock=lambda: NOW,
        )
        customers.commit([Change(None, one) for one in people])
        aws.settle()
        names = (
            aws.settings.customers_table,
            aws.settings.state_table,
            aws.settings.timers_table,
        )
        tables = {
            name: json.loads(json.dumps([*aws._account.items(name)], default=_base64))
            for name in names
        }
        tables[aws.settings.timers_table] = [*_timers(people)]
        with _watched(seen):
            aws.put_events(
                [make_event("cart.asked", one.id, at=aws.now) for one in people]
            )
        tick = aws._deployed.functions["tick"]
        seen["tick"] = (tick.settings.environment, {})
    written = {}
    for name, (variables, event) in seen.items():
        written[name] = folder / f"{name}.json"
        case = {
            "function": name,
            "environment": {**variables, **_OURS, "JOURNEYKIT_MANIFEST": str(manifest)},
            "event": event,
            "tables": tables,
            "now": NOW,
            "count": RECORDS,
        }
        written[name].write_text(json.dumps(case))
    return written


_OURS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_SESSION_TOKEN": "none",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_LAMBDA_FUNCTION_NAME": "journeykit",
    "LAMBDA_TASK_ROOT": "/var/task",
    "JOURNEYKIT_SECRETS_PATH": "",
}


def _bundle_botocore(folder: Path) -> None:
    """Put botocore there as a bundle has it: without the services that nobody calls."""
    whole = Path(botocore.__file__).parent

    def left_out(path: str, names: list[str]) -> set[str]:
        if Path(path) != whole / "data":
            return {"__pycache__"}
        folders = {one for one in names if (whole / "data" / one).is_dir()}
        return folders - bundle.SERVICES

    shutil.copytree(whole, folder / "botocore", ignore=left_out)
    bundle._cut_endpoints(folder / "botocore" / "data")


def _ignore(_: object) -> None:
    pass


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _timers(people: Sequence[Customer]) -> Iterator[dict[str, Any]]:
    """Rows of the minute that the tick reads next, each in a shard of its own."""
    minute = NOW // 60_000
    yield {
        "bucket": {"S": "cursor"},
        "due": {"S": "tick"},
        "minute": {"N": str(minute)},
        "shard": {"N": "63"},
    }
    for shard, one in enumerate(people):
        yield {
            "bucket": {"S": f"T#{minute + 1}#{shard:02}"},
            "due": {"S": f"{NOW + 70_000:013}#{one.id}"},
        }


@contextmanager
def _watched(seen: dict[str, tuple[Mapping[str, str], Any]]) -> Iterator[None]:
    """Keep the first event of each function."""
    call = Function.__call__

    def invoked(function: Function, event: Mapping[str, Any]) -> Any:
        name = function.settings.handler.split(".")[1]
        seen.setdefault(name, (function.settings.environment, event))
        return call(function, event)

    with mock.patch.object(Function, "__call__", invoked):
        yield


def measured(case: Path, count: int) -> dict[str, float]:
    """Run a process."""
    command = [sys.executable, str(Path(__file__).parent / "lambda_process.py")]
    done = subprocess.run(  # noqa: S603 - this very folder
        [*command, str(case), str(count)],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(case.parent)},
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("functions", nargs="*", metavar="function", default=FUNCTIONS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=50, help="warm invocations")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        known = cases(Path(name))
        results: dict[str, list[dict[str, float]]] = {}
        for turn in range(options.rounds + 1):
            for function in options.functions:
                result = measured(known[function], options.count)
                if turn:  # the first writes the .pyc
                    results.setdefault(function, []).append(result)
    sys.stdout.write("\n".join([*told(results), ""]))


def told(results: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[str]:
    """What came out, in lines."""
    yield (
        f"{RECORDS} records, reference document; Python {platform.python_version()}, "
        f"botocore {botocore.__version__}; milliseconds of CPU, medians"
    )
    loops = [one["loop"] for rounds in results.values() for one in rounds]
    yield (
        "how fast the machine was meanwhile: a loop of a million additions took "
        f"{1000 * statistics.median(loops):.0f} ms"
    )
    yield "function      cold  (import + construct)   first   a record: warm  botocore"
    for function, rounds in results.items():
        ms = {
            name: 1000 * statistics.median(one[name] for one in rounds)
            for name in rounds[0]
        }
        cold = [1000 * (one["import"] + one["construct"]) for one in rounds]
        each = ", ".join(f"{one:.0f}" for one in sorted(cold))
        yield (
            f"{function:10} {statistics.median(cold):7.0f}  "
            f"({ms['import']:.0f} + {ms['construct']:.0f})".ljust(43)
            + f"{ms['first']:7.0f} {ms['warm']:17.2f} {ms['botocore']:9.2f}"
            f"  in {ms['requests'] / 1000:.1f} requests  (cold: {each})"
        )


if __name__ == "__main__":
    main()
