"""The warehouse: the logs as tables, to be asked by SQL.

Both logs are read partition by partition into a DuckDB database that lies in a scratch
file once it is large, so memory is bounded however long the logs are. Ids are kept as
the first 64 of their 96 bits: among 100 million runs two are the same with a probability
of 1 in 3,700 (the birthday bound, n²/2⁶⁵), which no figure would show.

The decision log knows people by `log_id`, the archive by the customer's id. A decision
names the event that it reacts to, so where both logs have an event, they say together who
is who; no document is read. Who was erased is in no archive, and stays anonymous. Events are
known by source and id. Lines that were written before they named the source are joined
by the id, where one event only has it.

Instants are milliseconds since 1970, UTC. The tables:

============  ====================================================================
`decisions`   every decision, once
`runs`        enrollments: when they began, what became of them
`goals`       goals reached, once for each run
`visits`      the steps of each run in their order
`messages`    messages that were released, and what became of them
`unsent`      messages that were suppressed
`refused`     entries that were refused
`events`      the archive, each event once
`stays`       who was in which segment and stage, and when
============  ====================================================================

Test traffic is in none of the figures that are made of them: `test` says what it is.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from journeykit.errors import InputError, StoreError
from journeykit.insight.sources import Logs, Partition
from journeykit.insight.tables import (
    BEGUN,
    BY_ID,
    COUNT_LACKING,
    DECISION,
    DROP_DOUBLES,
    DROP_TWICE,
    DROP_UNTIMELY,
    EVENT,
    EVENTS,
    FILL_GOALS,
    FILL_HEADLESS,
    FILL_MESSAGES,
    FILL_RUNS,
    FILL_UNSENT,
    FILL_VISITS,
    FIND_ODD,
    JOIN_BY_ID,
    JOIN_STAYS,
    KEEP_JOURNEY,
    LAST_ARRIVAL,
    LOAD_DECISIONS,
    LOAD_EVENTS,
    REFUSED,
    RENUMBER,
    STAYS,
    TABLES,
    TOLD_OF,
    WHO,
    number_at,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_MB = 640
"""What the database may take; the rest goes to the scratch file.

The limit is that of DuckDB's buffer manager. What goes past it (reading JSON, strings that
are being put together, what the allocator keeps) and Python come on top, up to about 300 MB
with two threads. So it is less than two thirds of the gigabyte that the whole process may
take, which is what DuckDB's manual advises ("Out-of-memory issues").
"""

_BUCKET = 6_000_000  # decisions that are put in order at once
_LARGE = 1024**3  # bytes of logs, from which on there is a scratch file
_BLOCK = 1 << 20
_UTC = "set timezone = 'UTC'"


@dataclass(frozen=True)
class Scope:
    """Which part of the logs counts.

    Attributes:
        since: Runs that began from then on, milliseconds; None: all.
        until: What was decided, and arrived, before then; None: all.
        journey: Runs of this journey only; None: of all.
    """

    since: int | None = None
    until: int | None = None
    journey: str | None = None


@dataclass
class Warehouse:
    """The logs of a workspace, ready to be asked.

    Attributes:
        scope: Which part of them it holds.
        replayed: Whether the events were recorded ones, which no message could change.
        problems: What the logs can't tell, a sentence each.
        span: From the first decision to the last instant of either log: the clock at a
            decision, or when an event arrived that no test brought about. None: there
            is no decision.
        test_runs: How many runs of test traffic there are, which count nowhere.
        is_small: Whether all of it lies in memory.
    """

    scope: Scope
    replayed: bool = False
    problems: list[str] = field(default_factory=list)
    span: tuple[int, int] | None = None
    test_runs: int = 0
    is_small: bool = False
    _lacking: int = field(default=0, repr=False)
    _database: DuckDBPyConnection | None = field(default=None, repr=False)
    _closing: contextlib.ExitStack = field(
        default_factory=contextlib.ExitStack, repr=False
    )

    @classmethod
    def open(
        cls,
        logs: Logs,
        *,
        scope: Scope | None = None,
        worth: Mapping[tuple[str, str], str] | None = None,
        memory_mb: int = MEMORY_MB,
        scratch: Path | None = None,
    ) -> Self:
        """Read logs.

        Args:
            logs: What to read.
            scope: Which part of them; all of them if not given.
            worth: By journey and goal the JSON pointer of the event's field that says
                what it is worth: the log holds values of loggable fields only.
            memory_mb: What the database may take.
            scratch: Where it puts what it has no memory for; a folder of the system if
                not given.

        Raises:
            InputError: duckdb is not installed.
            StoreError: A log can't be read.
        """
        import_duckdb()
        house = cls(scope or Scope(), logs.replayed, [*logs.problems])
        try:
            sizes = [one.size for one in (*logs.decisions, *logs.events)]
            house.is_small = (
                sum(_LARGE if one is None else one for one in sizes) < _LARGE
            )
            house._begin(memory_mb, scratch)
            # In one go: the lines of each partition would be written twice, to a log
            # for the case of a crash first, after which nobody asks for them.
            house.execute("begin")
            house._load(logs)
            house.execute("commit")
            house._build(worth or {})
        except BaseException:
            house.close()
            raise
        return house

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let it go."""
        self.close()

    def close(self) -> None:
        """Let go the database and its scratch file."""
        if self._database is not None:
            self._database.close()
            self._database = None
        self._closing.close()

    def beside(self) -> Self:
        """The same tables on a connection of its own, which another thread may ask.

        Neither sees the other's temporary tables. It is closed before this one is.
        """
        connection = self._connection.cursor()
        connection.execute(_UTC)  # a setting of each connection
        return replace(self, _database=connection, _closing=contextlib.ExitStack())

    def rows(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Ask, and return all rows.

        Args:
            sql: Text of ours; what comes from logs, people and definitions is a parameter.
            parameters: The values of `?` in their order, or of `$name` by their names.
        """
        return self._connection.execute(sql, parameters).fetchall()

    def row(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> tuple[Any, ...]:
        """Ask for one row, such as a count."""
        found = self._connection.execute(sql, parameters).fetchone()
        if found is None:
            raise LookupError(sql)
        return found

    def execute(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> None:
        """Make a temporary table, or change one."""
        self._connection.execute(sql, parameters)

    @property
    def _connection(self) -> DuckDBPyConnection:
        if self._database is None:
            raise RuntimeError("the warehouse is closed")
        return self._database

    # --- reading -------------------------------------------------------------------

    def _begin(self, memory_mb: int, scratch: Path | None) -> None:
        duckdb = import_duckdb()
        folder = self._closing.enter_context(
            tempfile.TemporaryDirectory(prefix="journeykit-", dir=scratch)
        )
        where = ":memory:" if self.is_small else str(Path(folder) / "insight.duckdb")
        self._database = duckdb.connect(where)
        for setting in (
            f"set memory_limit = '{int(memory_mb)}MB'",
            _UTC,
            "set enable_progress_bar = false",
            "set preserve_insertion_order = false",
        ):
            self._database.execute(setting)
        self._database.execute(
            "set temp_directory = $folder", {"folder": str(Path(folder) / "spilled")}
        )
        self._database.execute(TABLES)

    def _load(self, logs: Logs) -> None:
        scope = {"until": self.scope.until}
        damaged = 0
        for partition in logs.decisions:
            damaged += self._read(partition, LOAD_DECISIONS, DECISION, scope)
            if self.scope.journey is not None:
                # The others say from when to when the log goes, too.
                self._widen()
                self.execute(KEEP_JOURNEY, {"journey": self.scope.journey})
        for partition in logs.events:
            damaged += self._read(partition, LOAD_EVENTS, EVENT, scope)
        (untimely,) = self.row(DROP_UNTIMELY)
        if untimely:
            say = "1 event says" if untimely == 1 else f"{untimely:,} events say"
            self.problems.append(
                f"{say} no instant between 1970 and 2100, and count nowhere"
            )
        if damaged:
            are = "1 line is" if damaged == 1 else f"{damaged:,} lines are"
            self.problems.append(f"{are} damaged, and passed over")

    def _read(
        self,
        partition: Partition,
        sql: str,
        columns: Mapping[str, str],
        scope: Mapping[str, Any],
    ) -> int:
        """Read a partition; return how many lines of it are no JSON."""
        import duckdb

        with partition.fetch() as paths:
            names = [str(path) for path in paths if path.stat().st_size]
            if not names:
                return 0
            try:
                found = self._connection.execute(
                    sql, {"files": names, "columns": dict(columns), **scope}
                ).fetchone()
            except duckdb.Error as error:
                why = str(error).splitlines()[0]
                raise StoreError(f"{partition.name} can't be read: {why}") from error
            # Where something is left out on purpose, what is damaged can't be told.
            if any(value is not None for value in scope.values()):
                return 0
            lines = sum(map(_lines_in, paths))
            return max(0, lines - (found[0] if found else 0))

    # --- tables --------------------------------------------------------------------

    def _widen(self) -> None:
        """Let the span hold the decisions that are there."""
        first, last = self.row("select min(seen_ms), max(seen_ms) from decisions")
        if first is None:
            return
        before = self.span or (first, last)
        self.span = min(before[0], first), max(before[1], last)

    def _build(self, worth: Mapping[tuple[str, str], str]) -> None:
        self._widen()
        (last,) = self.row(LAST_ARRIVAL)
        if self.span is not None and last is not None:
            # What decided nothing tells, too, that time has passed and nobody came.
            self.span = self.span[0], max(self.span[1], last)
        (count,) = self.row("select count(*) from decisions")
        buckets = count // _BUCKET + 1
        self._drop_doubles(buckets)
        self.execute(STAYS)
        self._unite()
        since = {"since": self.scope.since}
        for bucket in range(buckets):
            part = {"buckets": buckets, "bucket": bucket}
            self.execute(BEGUN, {**part, **since})
            if self.scope.since is None:
                self.execute(FILL_HEADLESS, part)
            self.execute(FILL_VISITS, part)
            self.execute(FILL_RUNS, part)
        self.execute("drop table runs_begun")
        self.execute(FILL_GOALS)
        self.execute(FILL_UNSENT)
        self.execute(FILL_MESSAGES, since)
        self.execute(REFUSED)
        self.execute(TOLD_OF)
        self._join_by_id()
        self.execute(WHO)
        self.execute(DROP_TWICE)
        self.execute(EVENTS)
        self.execute("drop table arrived")
        self._find_worth(worth)
        self._look_for_gaps()

    def _drop_doubles(self, buckets: int) -> None:
        """Drop what stands in the log twice."""
        self.execute("create temp table odd (person UBIGINT, revision INTEGER)")
        dropped = 0
        for bucket in range(buckets):
            self.execute("delete from odd")
            self.execute(FIND_ODD, {"buckets": buckets, "bucket": bucket})
            if not self.row("select count(*) from odd")[0]:
                continue
            (doubles,) = self.row(DROP_DOUBLES)
            (lacking,) = self.row(COUNT_LACKING)
            dropped += doubles
            self._lacking += lacking
        if dropped:
            self.problems.append(
                f"{dropped:,} decisions stand in the log more than once, "
                "and are counted once"
            )

    def _unite(self) -> None:
        """Let who was merged be one person."""
        pairs = self.rows(
            """
            select absorbed, arg_max(person, happened_ms) from decisions
            where kind = 'identity' and reason = 'absorbed' and absorbed is not null
            group by absorbed
            """
        )
        if not pairs:
            return
        heirs = dict(pairs)
        united = []
        for one, next_heir in heirs.items():
            heir, seen = next_heir, {one}
            while heir in heirs and heir not in seen:
                seen.add(heir)
                heir = heirs[heir]
            united.append((one, heir))
        self.execute("create temp table united (one UBIGINT, heir UBIGINT)")
        self._connection.executemany("insert into united values (?, ?)", united)
        self.execute(RENUMBER)
        self.execute(
            "update decisions set person = united.heir from united "
            "where decisions.person = united.one"
        )
        self.execute(JOIN_STAYS)

    def _join_by_id(self) -> None:
        """Find the events of which the decisions say no source."""
        self.execute(BY_ID)
        clear, unclear = self.row(
            "select count(*) filter (is_clear), count(*) filter (is_unclear) from by_id"
        )
        if clear:
            self.execute(JOIN_BY_ID)
        if unclear:
            say = "1 id is" if unclear == 1 else f"{unclear:,} ids are"
            self.problems.append(
                f"{say} of several events, and the log doesn't say of which source: what "
                "was decided on them is joined to none"
            )

    def _find_worth(self, worth: Mapping[tuple[str, str], str]) -> None:
        """Ask the archive what goals are worth that the log says nothing of."""
        for (journey, goal), path in worth.items():
            self.execute(
                f"""
                update goals set worth = {number_at("$path", "events.properties")}
                from events
                where events.event = goals.event and goals.worth is null
                    and goals.journey = $journey and goals.goal = $goal
                """,
                {"path": path, "journey": journey, "goal": goal},
            )

    def _look_for_gaps(self) -> None:
        """Say what is missing, as far as the logs show it."""
        (self.test_runs,) = self.row("select count(*) from runs where test")
        (cut,) = self.row(
            "select count(*) from decisions where kind = 'forgotten' and reason = 'trace'"
        )
        if self._lacking and self.scope.journey is None:
            self.problems.append(
                f"of {self._lacking:,} reactions the log lacks some of the decisions"
            )
        if cut:
            self.problems.append(
                f"{cut:,} reactions decided more than a trace holds; the rest is not known"
            )
        if self.scope.since is None:
            (headless,) = self.row("select count(distinct run) from headless")
            if headless:
                self.problems.append(
                    f"{headless:,} runs began before the log does, and are left out"
                )
        total, unknown = self.row(
            "select count(*), count(*) filter (not customer_known) from events"
        )
        if total and unknown:
            self.problems.append(
                f"of {total:,} events {unknown:,} are about people of whom no decision "
                "is known"
            )


def import_duckdb() -> Any:
    """Return the module duckdb.

    Raises:
        InputError: It is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise InputError(
            "figures are made with DuckDB, which is not installed: "
            "pip install 'journeykit[insight]'"
        ) from error
    return duckdb


def _lines_in(path: Path) -> int:
    """How many whole lines a file has."""
    count = 0
    block = bytearray(_BLOCK)
    opened = gzip.open if path.suffix == ".gz" else io.FileIO
    with opened(path, "rb") as file:
        while size := file.readinto(block):
            count += block.count(b"\n", 0, size)
    return count
