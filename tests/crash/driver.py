"""Runs a world of events through the embedded runtime, and kills it again and again.

    python -m tests.crash.driver FOLDER --kills 200 --seed 7

It forks the runtime from a process that has everything loaded, so that a hundred deaths
take seconds, and sends SIGKILL at random moments until it has died often enough. Then it
lets it finish. With `--at N` it dies by its own hand instead, at the N-th moment at which
the outside can see a difference: before and after each commit, each hand-over, each line
of a log. Several folders are several worlds; each next one dies one moment later.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from journeykit.channels import Capabilities, Channel, Message, Receipt, Sent
from journeykit.cli.run import _run
from journeykit.hookspecs import hookimpl
from journeykit.local.embedded import Embedded
from journeykit.local.logs import LogFile
from journeykit.local.sqlite import SQLiteStore
from journeykit.plugins import PluginManager, Registry
from journeykit.workspace import Workspace


class Notebook(Channel):
    """A provider that writes down what it gets, in a file that outlives everybody."""

    def __init__(self, name: str, path: Path, *, idempotent: bool) -> None:
        self.name = name
        self.provider = "notebook"
        self.capabilities = Capabilities(batch_size=3, idempotent=idempotent)
        self._path = path

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        lines = "".join(f"{m.delivery_id} {m.customer}\n" for m in messages)
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, lines.encode())
        os.close(file)
        return [Sent(m.delivery_id) for m in messages]


class Notebooks:
    """The plugin that carries all channels of a world."""

    def __init__(self, path: Path, *, idempotent: bool) -> None:
        self._path = path
        self._idempotent = idempotent

    @hookimpl
    def journeykit_channels(self) -> Iterable[Channel]:
        for name in ("email", "sms", "push", "print"):
            yield Notebook(name, self._path, idempotent=self._idempotent)


def opened(folder: Path, *, idempotent: bool, synchronous: str) -> Embedded:
    """Open a world: `workspace/` and `events.jsonl` in a folder."""
    manager = PluginManager()
    manager.register(Notebooks(folder / "sent.txt", idempotent=idempotent), "notebooks")
    return Embedded.open(
        Workspace.load(folder / "workspace"),
        Registry.from_plugins(manager),
        data=folder / "data",
        synchronous="FULL" if synchronous == "FULL" else "NORMAL",
    )


def run(folder: Path, options: argparse.Namespace) -> None:
    """What `journeykit run` does."""
    with opened(
        folder, idempotent=options.idempotent, synchronous=options.synchronous
    ) as world:
        if world.store.revision() == 0:
            world.publish(now=0)
        told = _run(
            world,
            str(folder / "events.jsonl"),
            until=datetime.fromisoformat(options.until),
            format="native",
            size=options.batch,
            from_start=False,
        )
        list(told)


def die_at(number: int) -> list[int]:
    """Let the process kill itself at the n-th moment; return the count, as it goes."""
    count = [0]

    def moment() -> None:
        count[0] += 1
        if count[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: type[Any], name: str) -> None:
        original = getattr(owner, name)

        def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
            moment()
            result = original(self, *args, **kwargs)
            moment()
            return result

        setattr(owner, name, watched)

    changing = ("commit", "take", "settle", "put", "forget", "publish", "save", "own")
    for name in changing:
        around(SQLiteStore, name)
    around(Notebook, "send")
    around(LogFile, "append")
    return count


def child(work: Callable[[], object]) -> int:
    """Fork a child that works and leaves."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        traceback.print_exc()
    finally:
        os._exit(status)


def ended(pid: int, deadline: float) -> int | None:
    """Wait for a child until a deadline; None: it still lives."""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.0005)


def main() -> None:
    """Kill it as often as is wanted, let it finish, and say how often that was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--until", required=True)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=0.1)
    parser.add_argument("--at", type=int, default=0)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--synchronous", default="NORMAL")
    parser.add_argument("--idempotent", action="store_true")
    options = parser.parse_args()
    kills = 0
    for number, folder in enumerate(options.folders):
        if options.at:
            kills += killed_at(options.at + number, folder, options)
        kills += killed_at_random(folder, options)
        status = ended(child(lambda: run(folder, options)), float("inf"))  # noqa: B023
        if status:
            sys.exit(f"the last run failed after {kills} kills: {status}")
    sys.stdout.write(json.dumps({"kills": kills}))


def killed_at(number: int, folder: Path, options: argparse.Namespace) -> int:
    """Let a run die at its n-th moment; return whether it did."""

    def work() -> None:
        count = die_at(number)
        run(folder, options)
        (folder / "moments").write_text(str(count[0]))

    status = ended(child(work), float("inf"))
    if status not in (0, -signal.SIGKILL):
        sys.exit(f"the first run failed: {status}")
    return int(status == -signal.SIGKILL)


def killed_at_random(folder: Path, options: argparse.Namespace) -> int:
    """Kill runs again and again; return how often, until one came to its end."""
    draw = random.Random(options.seed)
    kills = 0
    while kills < options.kills:
        pid = child(lambda: run(folder, options))
        status = ended(pid, time.monotonic() + draw.uniform(0, options.longest))
        if status == 0:
            break
        if status is not None:
            sys.exit(f"a run failed after {kills} kills: {status}")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
    return kills


if __name__ == "__main__":
    main()
