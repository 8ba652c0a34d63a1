"""What reports cost: the demo's year by parts, and a log of any size in bounded memory.

    python benchmarks/insight.py year                     # of demo-output, see below
    python benchmarks/insight.py size --millions 20
    python benchmarks/insight.py size --millions 100 --memory 1024 --gzip

**year** reads what `journeykit demo` has left (`--out`, `demo-output` unless told
otherwise) and writes its report: with the command, of which every round is printed, and
into nothing, part by part, of which the median is: wall time, CPU, and the peak of memory.
Each round is a process of its own. The command looks at two parts at once, which is why
the parts, one after the other, take longer.

**size** makes decision logs up, a partition a day, each when its turn comes and gone
afterwards, as days are got from S3; making them is not counted. A person has two runs half
the log apart, in one of three journeys with two messages and a week between them, so runs
span partitions; a tenth is held out, one run in 101 is test traffic, one block in 1,000
stands there twice. A run of this counts only if its tables say exactly what was made up.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import inspect
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

from journeykit import Goal, Journey, Send, Wait, days, on
from journeykit.insight.feeds import worth_paths
from journeykit.insight.flow import flow
from journeykit.insight.goals import performance
from journeykit.insight.lift import lift
from journeykit.insight.messages import messages
from journeykit.insight.sources import Logs, Partition
from journeykit.insight.warehouse import MEMORY_MB, Warehouse

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 100
AHEAD = 7  # days between the two messages
JOURNEYS = 3
PER_RUN = 5.85  # decisions of a run, about


# --- the year ----------------------------------------------------------------------------


def year(out: Path, *, once: bool, rounds: int) -> None:
    """Print what the report on the demo's year takes, by parts."""
    if once:
        say(json.dumps(_year(out)))
        return
    told: list[dict[str, list[float]]] = []
    for _ in range(rounds):
        say("the command           {:9.2f} s {:9.2f} s CPU".format(*_command(out)))
        done = subprocess.run(  # noqa: S603 - this file
            [sys.executable, __file__, "year", "--out", str(out), "--once"],
            check=True,
            capture_output=True,
            text=True,
        )
        told.append(json.loads(done.stdout))
    for part in told[0]:
        wall, cpu = (
            statistics.median(one[part][place] for one in told) for place in (0, 1)
        )
        unit = "s" if part not in ("peak memory", "size of the page") else "MB"
        say(f"{part:<22}{wall:9.2f} {unit}" + (f"{cpu:9.2f} s CPU" if cpu else ""))


def _command(out: Path) -> tuple[float, float]:
    """What `journeykit report` takes, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        begun = _clocks(resource.RUSAGE_CHILDREN)
        subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-c", "from journeykit.cli import main; main()"),
                *("report", str(out / "workspace"), "--data", str(out / "data")),
                *("--out", str(Path(folder) / "report.html")),
            ],
            check=True,
            capture_output=True,
        )
        return _plus((0, 0), begun, _clocks(resource.RUSAGE_CHILDREN))


def _year(out: Path) -> dict[str, list[float]]:
    from journeykit.cli.insight import LogChoice, chosen
    from journeykit.insight.report import findings as looking
    from journeykit.insight.report.write import report
    from journeykit.workspace import Workspace

    took: dict[str, list[float]] = {}
    begun = _clocks()
    workspace = Workspace.load(out / "workspace")
    with contextlib.ExitStack() as stack:
        logs = stack.enter_context(
            chosen(out / "workspace", LogChoice(data=out / "data"))
        )
        with _timed(took, "reading the logs"):
            house = stack.enter_context(
                Warehouse.open(logs, worth=worth_paths(workspace.journeys))
            )
        house.is_small = False  # so that no two parts are looked at at once
        for name, part in [*vars(looking).items()]:
            # What the report asks others; some once a journey, which adds up.
            if inspect.isfunction(part) and part.__module__ != looking.__name__:
                setattr(looking, name, _watched(part, took, name))
        found = looking.findings(house, workspace)
        with _timed(took, "drawing the page"):
            page = report(found, made_at=datetime.now(UTC))
    took["all of it"] = [*_plus((0, 0), begun, _clocks())]
    took["peak memory"] = [peak_mb(), 0]
    took["size of the page"] = [len(page.encode()) / 1e6, 0]
    return took


def _watched(
    part: Callable[..., Any], took: dict[str, list[float]], name: str
) -> Callable[..., Any]:
    def watched(*args: Any, **options: Any) -> Any:
        with _timed(took, name):
            return part(*args, **options)

    return watched


@contextlib.contextmanager
def _timed(took: dict[str, list[float]], name: str) -> Iterator[None]:
    begun = _clocks()
    try:
        yield
    finally:
        wall, cpu = took.get(name, (0.0, 0.0))
        took[name] = [*_plus((wall, cpu), begun, _clocks())]


def _plus(
    known: tuple[float, float], start: tuple[float, float], end: tuple[float, float]
) -> tuple[float, float]:
    return known[0] + end[0] - start[0], known[1] + end[1] - start[1]


def _clocks(whose: int = resource.RUSAGE_SELF) -> tuple[float, float]:
    used = resource.getrusage(whose)
    return time.perf_counter(), used.ru_utime + used.ru_stime


# --- a log of any size -------------------------------------------------------------------


class MadeUp:
    """Logs that are made when they are read.

    Attributes:
        counts: What was made up, each decision once.
        took: How long that took, by the clock and of CPU.
        bytes: How much was made, not compressed.
        lines: How many lines, those that stand there twice too.
    """

    def __init__(self, millions: float, folder: Path, *, packed: bool) -> None:
        """Make nothing yet."""
        self._per_day = round(millions * 1e6 / PER_RUN / DAYS)
        self._folder = folder
        self._packed = packed
        self.counts: Counter[str] = Counter()
        self.took = 0.0, 0.0
        self.bytes = 0
        self.lines = 0

    def logs(self) -> Logs:
        """Both logs, a partition a day."""
        return Logs(
            [
                Partition(
                    f"decisions/day={day}",
                    partial(self._made, day, self._decisions),
                    self._per_day * 1700,  # bytes, as a listing would say
                )
                for day in range(DAYS + AHEAD)
            ],
            [
                Partition(
                    f"events/day={day}",
                    partial(self._made, day, self._events),
                    self._per_day * 270,
                )
                for day in range(DAYS)
            ],
        )

    @contextlib.contextmanager
    def _made(
        self, day: int, make: Callable[[int, IO[str]], None]
    ) -> Iterator[Sequence[Path]]:
        begun = _clocks()
        path = self._folder / f"day-{day}.jsonl{'.gz' if self._packed else ''}"
        with (
            gzip.open(path, "wt", compresslevel=1) if self._packed else path.open("w")
        ) as file:
            make(day, file)
        self.took = _plus(self.took, begun, _clocks())
        try:
            yield [path]
        finally:
            path.unlink()

    def _decisions(self, day: int, file: IO[str]) -> None:
        if day < DAYS:
            self._write(file, (self._begin(run, day) for run in self._runs(day)))
        if day >= AHEAD:
            made = (self._end(run, day) for run in self._runs(day - AHEAD))
            self._write(file, made)

    def _events(self, day: int, file: IO[str]) -> None:
        self._write(file, (self._heard(run, day) for run in self._runs(day)))

    def _write(self, file: IO[str], blocks: Iterator[str]) -> None:
        batch: list[str] = []
        for block in blocks:
            batch.append(block)
            if len(batch) == 10_000:
                self._flush(file, batch)
                batch = []
        self._flush(file, batch)

    def _flush(self, file: IO[str], batch: list[str]) -> None:
        text = "".join(batch)
        file.write(text)
        self.bytes += len(text)
        self.lines += text.count("\n")

    def _runs(self, day: int) -> range:
        return range(day * self._per_day, (day + 1) * self._per_day)

    def _begin(self, run: int, day: int) -> str:
        who, at, journey = self._who(run), _at(day, run), run % JOURNEYS
        held, counts = run % 10 == 0, self.counts
        test = run % 101 == 0
        mark = ',"test":true' if test else ""
        kind = "held_out" if held else "entered"
        block = (
            f'{{"customer":"{who}","revision":{self._revision(run)},"n":0,"at":"{at}",'
            f'"now":"{at}","kind":"{kind}","journey":"journey-{journey}","version":1,'
            f'"enrollment":"{_id(2, run)}","event":"e-{run}"{mark},'
            '"detail":{"fields":["total"]}}\n'
        )
        if not test:
            counts[kind] += 1
        if not held:
            block += self._sent(run, who, at, journey, "hello", 1, 0, mark)
            block += (
                f'{{"customer":"{who}","revision":{self._revision(run)},"n":2,'
                f'"at":"{at}","now":"{at}","kind":"waiting","journey":"journey-{journey}",'
                f'"version":1,"enrollment":"{_id(2, run)}","step":"wait-7d",'
                f'"event":"e-{run}"{mark},"detail":{{"until":"{_at(day + AHEAD, run)}"}}}}\n'
            )
            if not test:
                counts["sent"] += 1
        return 2 * block if run % 1000 == 1 else block

    def _sent(
        self,
        run: int,
        who: str,
        at: str,
        journey: int,
        template: str,
        n: int,
        more: int,
        mark: str,
    ) -> str:
        return (
            f'{{"customer":"{who}","revision":{self._revision(run) + more},"n":{n},'
            f'"at":"{at}","now":"{at}","kind":"sent","journey":"journey-{journey}",'
            f'"version":1,"enrollment":"{_id(2, run)}",'
            f'"step":"send-email-{template}","event":"e-{run}"{mark},'
            f'"detail":{{"delivery_id":"{_id(3 + more, run)}","channel":"email",'
            f'"template":"{template}"}}}}\n'
        )

    def _end(self, run: int, day: int) -> str:
        who, at, journey = self._who(run), _at(day, run), run % JOURNEYS
        test, counts = run % 101 == 0, self.counts
        mark = ',"test":true' if test else ""
        start = (
            f'{{"customer":"{who}","revision":{self._revision(run) + 1},"n":%d,'
            f'"at":"{at}","now":"{at}","kind":"%s","journey":"journey-{journey}",'
            f'"version":1,"enrollment":"{_id(2, run)}"%s{mark}'
        )
        reached = run % 5 == 1 or run % 50 == 0
        goal = ""
        if reached:
            said = ',"reason":"bought"'
            goal = start % (0, "goal", said) + ',"detail":{"value":10.0}}\n'
            counts["goal"] += not test
        if run % 10 == 0:
            return goal
        step = ',"step":"wait-7d","reason":"due"'
        block = goal + start % (1, "went_on", step) + "}\n"
        if run % 4 == 1:
            said = ',"step":"send-email-more","reason":"frequency_cap"'
            block += (
                start % (2, "suppressed", said) + ',"detail":{"rule":"at most 1"}}\n'
            )
            counts["suppressed"] += not test
        else:
            block += self._sent(run, who, at, journey, "more", 2, 1, mark)
            counts["sent"] += not test
        counts["completed"] += not test
        said = ',"step":"send-email-more"'
        return block + start % (3, "completed", said) + "}\n"

    def _heard(self, run: int, day: int) -> str:
        at, test = _at(day, run), run % 101 == 0
        head = (
            f'"customer":"c-{self._person(run)}","occurred_at":"{at}",'
            f'"received_at":"{at}","test":{str(test).lower()},"properties":'
        )
        block = (
            f'{{"id":"e-{run}","name":"signed.up",{head}{{"total":{run % 90}}},'
            '"source":"shop"}\n'
        )
        if run % 3 == 0 and run % 10:
            self.counts["opened"] += not test
            block += (
                f'{{"id":"o-{run}","name":"message.opened",{head}{{"delivery_id":'
                f'"{_id(3, run)}","channel":"email"}},"source":"feedback"}}\n'
            )
        return block

    def _person(self, run: int) -> int:
        return run % (self._per_day * DAYS // 2)

    def _who(self, run: int) -> str:
        return _id(1, self._person(run))

    def _revision(self, run: int) -> int:
        return 1 + 2 * (run // (self._per_day * DAYS // 2))


_SECONDS = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in range(86_400)]
_DATES = [f"{START + timedelta(days=n):%Y-%m-%dT}" for n in range(DAYS + AHEAD + 1)]


def _at(day: int, run: int) -> str:
    return _DATES[day] + _SECONDS[run * 37 % 86_400]


def _id(kind: int, number: int) -> str:
    """An id of 96 bits, as scattered as a hash and never the same twice."""
    mixed = (number * 8 + kind) * 0x9E3779B97F4A7C15 % (1 << 64)
    return f"{mixed:016x}{kind:08x}"


def journeys() -> list[Journey]:
    """The journeys that the made-up logs are of."""
    return [
        Journey(
            f"journey-{n}",
            trigger=on("signed.up"),
            reentry="always",
            goal=Goal(on("bought"), id="bought", within=days(30)),
            holdout=10,
            steps=[Send("email", "hello"), Wait(days(AHEAD)), Send("email", "more")],
        )
        for n in range(JOURNEYS)
    ]


def size(millions: float, *, memory_mb: int, packed: bool, folder: Path | None) -> None:
    """Print what it takes to read so many million decisions, and to ask about them."""
    with tempfile.TemporaryDirectory(prefix="insight-", dir=folder) as here:
        scratch, made_in = Path(here) / "scratch", Path(here) / "made"
        scratch.mkdir()
        made_in.mkdir()
        made = MadeUp(millions, made_in, packed=packed)
        disk = Disk(scratch)
        begun, base = _clocks(), peak_mb()
        read_at: list[tuple[float, float]] = []
        with disk, _opened(made, memory_mb, scratch, read_at) as house:
            tables = _plus((0, 0), read_at[0], _clocks())
            start = _plus(begun, (0, 0), made.took)  # as if it had been made before
            reading, cpu = _plus((0, 0), start, read_at[0])
            mb = made.bytes / 1e6
            say(
                f"{made.lines / 1e6:,.1f} million lines, {mb / 1000:,.1f} GB"
                f"{', compressed' if packed else ''}, in {len(made.logs().decisions)} "
                f"+ {len(made.logs().events)} partitions",
                f"reading          {reading:9.1f} s {cpu:9.1f} s CPU   "
                f"{mb / reading:,.0f} MB/s, {made.lines / reading:,.0f} lines/s",
                f"making tables    {tables[0]:9.1f} s {tables[1]:9.1f} s CPU",
            )
            check(house, made)
            ask(house)
        say(
            f"peak memory      {peak_mb():9,.0f} MB  ({base:,.0f} before; the database may "
            f"have {memory_mb:,})",
            f"peak of scratch  {disk.peak / 1e6:9,.0f} MB  "
            f"({disk.peak / made.lines:.0f} bytes a line)",
            f"making it up     {made.took[0]:9.1f} s {made.took[1]:9.1f} s CPU   "
            "(not counted)",
        )


@contextlib.contextmanager
def _opened(
    made: MadeUp, memory_mb: int, scratch: Path, read_at: list[tuple[float, float]]
) -> Iterator[Warehouse]:
    """The warehouse; and when its last partition was read."""
    logs = made.logs()
    last = logs.events[-1]

    @contextlib.contextmanager
    def fetch() -> Iterator[Sequence[Path]]:
        with last.fetch() as paths:
            yield paths
        read_at.append(_clocks())

    events = [*logs.events[:-1], Partition(last.name, fetch, last.size)]
    with Warehouse.open(
        Logs(logs.decisions, events), memory_mb=memory_mb, scratch=scratch
    ) as house:
        yield house


def ask(house: Warehouse) -> None:
    """Ask what a report asks, and print how long each answer took."""
    defined = journeys()
    for name, question in (
        ("flow of a journey", lambda: flow(house, defined[0])),
        ("performance", lambda: performance(house, defined)),
        ("messages", lambda: messages(house)),
        ("lift", lambda: lift(house, defined)),
    ):
        begun = _clocks()
        question()
        wall, cpu = _plus((0, 0), begun, _clocks())
        say(f"{name:<17}{wall:9.1f} s {cpu:9.1f} s CPU")


def check(house: Warehouse, made: MadeUp) -> None:
    """A fast wrong reading is no result: every count must be what was made up."""
    asked = {
        "entered": "select count(*) from runs where not test and not held_out",
        "held_out": "select count(*) from runs where not test and held_out",
        "completed": "select count(*) from runs where not test and outcome='completed'",
        "sent": "select count(*) from messages where not test",
        "opened": "select count(opened_ms) from messages where not test",
        "suppressed": "select count(*) from unsent where not test",
        "goal": "select count(*) from goals where not test",
    }
    found = {name: house.row(sql)[0] for name, sql in asked.items()}
    if found != {name: made.counts[name] for name in asked}:
        raise SystemExit(f"wrong: {found}, and made up were {dict(made.counts)}")
    people, known = house.row(
        "select count(distinct person), count(*) filter (not customer_known) from events"
    )
    if known or people != made._per_day * DAYS // 2:
        raise SystemExit(f"wrong: {people} people, {known} events of nobody")


class Disk:
    """How much a folder holds at most, looked at again and again."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self.peak = 0
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        """Begin."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            total = 0
            for path in self._folder.rglob("*"):
                with contextlib.suppress(OSError):
                    total += path.stat().st_size
            self.peak = max(self.peak, total)


def main() -> None:
    """Run one of the two."""
    options = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    what = options.add_subparsers(dest="what", required=True)
    of_year = what.add_parser("year")
    of_year.add_argument("--out", type=Path, default=Path("demo-output"))
    of_year.add_argument("--rounds", type=int, default=3)
    of_year.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    of_size = what.add_parser("size")
    of_size.add_argument("--millions", type=float, default=20)
    of_size.add_argument("--memory", type=int, default=MEMORY_MB, metavar="MB")
    of_size.add_argument("--gzip", action="store_true", help="as Firehose writes them")
    of_size.add_argument("--folder", type=Path, help="where all of it lies meanwhile")
    chosen = options.parse_args()
    if chosen.what == "year":
        year(chosen.out, once=chosen.once, rounds=chosen.rounds)
    else:
        size(
            chosen.millions,
            memory_mb=chosen.memory,
            packed=chosen.gzip,
            folder=chosen.folder,
        )


def say(*lines: str) -> None:
    """Print for whoever runs this by hand."""
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def peak_mb() -> float:
    """The most memory that this process has had, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
