"""What the commands that read logs share: which logs, from when to when, as tables."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from journeykit.cli.operating import in_workspace, looking
from journeykit.cli.terminal import Progress
from journeykit.engine.calendar import to_ms
from journeykit.errors import InputError
from journeykit.insight.feeds import worth_paths
from journeykit.insight.parts import stored_partitions
from journeykit.insight.sources import Logs, Partition, files, logs_in
from journeykit.insight.warehouse import Scope, Warehouse, import_duckdb
from journeykit.local.logs import log_files
from journeykit.workspace import Workspace

if TYPE_CHECKING:
    from journeykit.aws.logs import StoredLogs

Command = TypeVar("Command", bound=Callable[..., Any])

_ALL = 1 << 62
_REPLAYED = "run:"  # of bookmarks: `run` has read events from a file


class LogChoice(NamedTuple):
    """Which logs to read.

    Attributes:
        data: The folder for data; None: the workspace's own.
        stack: The stack in AWS whose logs they are; None: those of this machine.
        logs: A folder or `s3://` address that holds logs; None: see above.
        since: Runs that began from then on, milliseconds; None: all.
        until: What was decided before then; None: all.
    """

    data: Path | None = None
    stack: str | None = None
    logs: str | None = None
    since: int | None = None
    until: int | None = None


class Sight(NamedTuple):
    """What there is to look at.

    Attributes:
        workspace: The definitions.
        house: The logs as tables.
    """

    workspace: Workspace
    house: Warehouse


class _Day(click.ParamType[int]):
    """A day, from its midnight UTC on, or an instant."""

    name = "day"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day like 2026-11-30, nor an instant", param)
        if at.tzinfo is None:
            if len(value) > len("2026-11-30"):
                self.fail(f"{value!r} does not say its offset from UTC", param)
            at = at.replace(tzinfo=UTC)
        return to_ms(at)


def over_logs(command: Command) -> Command:
    """Give a command the workspace, and the options that say which logs are read.

    It is called with `workspace: Path` and `choice: LogChoice` in place of them.
    """

    def wrapped(
        *,
        data: Path | None,
        stack: str | None,
        logs: str | None,
        since: int | None,
        until: int | None,
        **rest: Any,
    ) -> Any:
        said = [name for name, one in (("--data", data), ("--stack", stack)) if one]
        if (logs and said) or len(said) > 1:
            both = " and ".join([*said, *(["--logs"] if logs else [])])
            raise click.UsageError(f"{both} name different logs; say one of them")
        if since is not None and until is not None and since >= until:
            raise click.UsageError("--since is not before --until")
        return command(choice=LogChoice(data, stack, logs, since, until), **rest)

    wrapped.__name__ = getattr(command, "__name__", "command")
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = getattr(  # type: ignore[attr-defined]
        command, "__click_params__", []
    )
    for option in (
        click.option(
            "--until",
            type=_Day(),
            help="Only what was decided before this day, UTC, or instant.",
        ),
        click.option(
            "--since",
            type=_Day(),
            help="Only runs that began on this day, UTC, or later.",
        ),
        click.option(
            "--logs",
            metavar="PLACE",
            help="Read logs that lie elsewhere: a folder, or s3://BUCKET, in which "
            "they are by day.",
        ),
        click.option(
            "--stack",
            metavar="NAME",
            help="Read the logs of this stack in AWS, with your own credentials.",
        ),
    ):
        wrapped = option(wrapped)
    return in_workspace(wrapped)  # type: ignore[return-value]


@contextlib.contextmanager
def warehouse(
    path: Path, choice: LogChoice, *, journey: str | None = None
) -> Iterator[Sight]:
    """Read the logs into tables.

    Args:
        path: The workspace.
        choice: Which logs.
        journey: Only this journey's runs.

    Raises:
        InputError: The folder is no workspace, there are no logs, or duckdb is missing.
        StoreError: A log can't be read.
    """
    import_duckdb()
    workspace = Workspace.load(path)
    if journey is not None:
        workspace.journey(journey)
    with contextlib.ExitStack() as stack:
        logs = stack.enter_context(chosen(path, choice))
        if not logs.decisions:
            raise InputError(
                "there are no decisions to read; journeykit run or serve makes some, "
                "or say with --data, --stack or --logs where they are",
                place=str(path),
            )
        progress = Progress("logs", total=len(logs.decisions) + len(logs.events))
        house = stack.enter_context(
            Warehouse.open(
                counted(logs, progress),
                scope=Scope(choice.since, choice.until, journey),
                worth=worth_paths(workspace.journeys),
            )
        )
        progress.done()
        yield Sight(workspace, house)


@contextlib.contextmanager
def chosen(path: Path, choice: LogChoice) -> Iterator[Logs]:
    """Find the logs that were chosen.

    Raises:
        InputError: There are none, or AWS can't be asked.
    """
    if choice.stack is not None:
        from journeykit.aws.logs import StoredLogs

        yield _stored(StoredLogs.of_stack(choice.stack), choice)
    elif choice.logs is not None and choice.logs.startswith("s3://"):
        from journeykit.aws.logs import StoredLogs

        yield _stored(StoredLogs.at(choice.logs), choice)
    elif choice.logs is not None:
        yield logs_in(Path(choice.logs), since=choice.since, until=choice.until)
    else:
        with _local(path, choice.data) as logs:
            yield logs


def _stored(stored: StoredLogs, choice: LogChoice) -> Logs:
    """The logs in a bucket. A part of them is got when its turn comes."""
    since, until = choice.since, choice.until
    events = stored.events(since=since, until=until)
    return Logs(
        decisions=stored_partitions(
            stored.decisions(since=since, until=until), stored.fetched
        ),
        events=stored_partitions(events, stored.fetched),
        problems=[] if events else ["there is no event archive in that bucket"],
    )


@contextlib.contextmanager
def _local(workspace: Path, data: Path | None) -> Iterator[Logs]:
    """The logs of this machine; what is committed and in no file yet among them."""
    with (
        looking(workspace, data) as look,
        tempfile.TemporaryDirectory(prefix="journeykit-") as folder,
    ):
        # First: a block that gets into the files meanwhile stands in both, once counted.
        late = Path(folder) / "decisions-in-the-database.jsonl"
        late.write_bytes(b"".join(lines for _, lines in look.store.journal(_ALL)))
        decisions = files([*log_files(look.log), late])
        here = look.log.parent
        archive = here / "events.jsonl"
        events = files(log_files(archive))
        events += files(log_files(here / "published.jsonl"))
        problems = []
        if not events:
            problems.append(
                "there is no event archive here, so nothing is known of what customers "
                "did but what decisions say"
            )
        replayed = any(reader.startswith(_REPLAYED) for reader in look.store.readers())
        yield Logs(decisions, events, replayed=replayed, problems=problems)


def counted(logs: Logs, progress: Progress) -> Logs:
    """The same logs, and a line in the terminal that says how far they are read."""
    read = 0

    def told(partition: Partition) -> Partition:
        @contextlib.contextmanager
        def fetch() -> Iterator[Any]:
            nonlocal read
            read += 1
            progress(read)
            with partition.fetch() as paths:
                yield paths

        return Partition(partition.name, fetch, partition.size)

    return Logs(
        [told(one) for one in logs.decisions],
        [told(one) for one in logs.events],
        logs.replayed,
        logs.problems,
    )
