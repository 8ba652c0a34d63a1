"""Readings of objectives, taken once and kept: what a day's figure is held against.

An objective's history is its figure at the ends of the weeks before, half a year back. Each
is taken when its week is over, and kept on the shelf; so a day's watch reads the log as far
back as the figure itself goes (`lookback`), and not half a year each time. The first watch,
and the first one of another measure, takes what is missing from the log.

Where little fits, such as in a function, the figures of the day go first, then as much
history as fits; an objective whose own logs are too large is left out, which is said.

On the shelf:

    objectives.json       by objective: what was measured how, and its readings
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from journeykit.engine.calendar import start_of_next_week, to_datetime, to_ms
from journeykit.errors import JourneyKitError, StoreError
from journeykit.insight.declared import Declared, encoded
from journeykit.insight.feeds import worth_paths
from journeykit.insight.lookback import lookback
from journeykit.insight.objectives import (
    ObjectiveFigures,
    Reading,
    due_of,
    objective_figures,
    status_of,
)
from journeykit.insight.periods import DAY_MS, midnight
from journeykit.insight.sources import Logs, Partition
from journeykit.insight.warehouse import MEMORY_MB, Scope, Warehouse, import_duckdb
from journeykit.insight.watching import Shelf, Standing
from journeykit.model.definition import document_of
from journeykit.model.mapping import Objective

WEEKS = 26
"""So many ends of weeks are a history."""

_NAME = "objectives.json"
_ENDED = (
    "all objectives are left out: the try before this one was ended while it read the "
    "log for them"
)
_KEPT = 2 * WEEKS  # readings of one objective: a look at a day gone by needs older ones
_WEEK_MS = 7 * DAY_MS
_UTC = ZoneInfo("UTC")
_BUILDING = (
    2.0  # to make tables of lines takes up to so many times what reading them does
)
_SPARE_S = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What there is room for.

    Attributes:
        lines: Bytes of lines that are read at most.
        memory_mb: What the database may take.
    """

    lines: int
    memory_mb: int = MEMORY_MB


class _Ended(msgspec.Struct):
    """The figure on the objective's date, which stays as it is."""

    at: int
    value: float | None
    definition: str


class _Kept(msgspec.Struct):
    """What is known of one objective.

    Attributes:
        measure: What is measured, as a digest.
        readings: By instant, milliseconds; None: there was nothing to count.
        ended: The figure on its date, once that is over.
    """

    measure: str
    readings: dict[int, float | None] = {}
    ended: _Ended | None = None


class _Shelved(msgspec.Struct):
    trying: date | None = None  # somebody reads, or was ended while reading
    objectives: dict[str, _Kept] = {}


@dataclass
class _Need:
    """What is to be read for one objective.

    Attributes:
        objective: The objective.
        now: The instant of its figure, milliseconds.
        missing: The instants of its history that were never taken, oldest first.
        since: From when on the logs are needed for a reading at an instant.
    """

    objective: Objective
    now: int
    missing: list[int]
    since: Callable[[int], int | None]

    def begin(self) -> int | None:
        """From when on the logs are needed for all of it; None: from their beginning."""
        return self.since(min([self.now, *self.missing[:1]]))


class _NoTimeError(JourneyKitError):
    """There is no time left to read on."""


class Readings:
    """Says where objectives are, and keeps what it has read."""

    def __init__(
        self,
        declared: Declared,
        shelf: Shelf,
        logs: Callable[[int | None, int], AbstractContextManager[Logs]],
        *,
        bounds: Bounds | None = None,
        scratch: Path | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            declared: The objectives.
            shelf: Where readings are kept.
            logs: Finds the logs from an instant (None: from their beginning) to another
                one; more of them does no harm.
            bounds: What there is room for; None: for anything. With them, a watch that
                was ended while it read leaves objectives alone when it is tried again.
            scratch: Where the database puts what it has no memory for; a folder of the
                system if not given.
        """
        self._declared = declared
        self._shelf = shelf
        self._logs = logs
        self._bounds = bounds
        self._scratch = scratch

    def __call__(
        self,
        day: date,
        *,
        dry_run: bool = False,
        time_left: Callable[[], float] | None = None,
    ) -> Standing:
        """Say where the objectives are at the end of a day; see `watching.Objectives`.

        Raises:
            InputError: duckdb is not installed.
            StoreError: A log can't be read, or the readings not be kept.
        """
        import_duckdb()
        end = midnight(day + timedelta(days=1))
        shelved = self._shelved()
        needs = self._needs(shelved, end)
        left_out: list[str] = []
        if needs and self._bounds is not None and shelved.trying == day:
            left_out = [_ENDED]
            needs = []
        found: dict[str, ObjectiveFigures] = {}
        if needs:
            self._note(shelved, day, dry_run=dry_run)
            try:
                found, left_out = self._read(needs, end, time_left)
            finally:
                for need in needs:
                    if need.objective.id in found:
                        _keep(shelved, need, found[need.objective.id], end)
                self._note(shelved, None, dry_run=dry_run)
        figures = [
            self._with_history(one, shelved.objectives[one.id], found.get(one.id), end)
            for one in self._declared.objectives
        ]
        return Standing([one for one in figures if one is not None], left_out)

    # --- what is known -------------------------------------------------------------

    def _shelved(self) -> _Shelved:
        text = self._shelf.get(_NAME)
        try:
            shelved = msgspec.json.decode(text or b"{}", type=_Shelved)
        except (msgspec.DecodeError, UnicodeDecodeError):
            shelved = _Shelved()  # taken anew
        known = shelved.objectives
        shelved.objectives = {}
        for one in self._declared.objectives:
            measure = _digest(one, self._declared)
            kept = known.get(one.id)
            if kept is None or kept.measure != measure:
                kept = _Kept(measure)
            shelved.objectives[one.id] = kept
        return shelved

    def _note(self, shelved: _Shelved, trying: date | None, *, dry_run: bool) -> None:
        if not dry_run:
            shelved.trying = trying
            self._shelf.put(_NAME, msgspec.json.encode(shelved))

    def _needs(self, shelved: _Shelved, end: int) -> list[_Need]:
        """Say what is to be read; nothing of an objective whose date is over and known."""
        needs = []
        for one in self._declared.objectives:
            kept = shelved.objectives[one.id]
            due = due_of(one)
            if kept.ended is not None and end > due:
                continue
            missing = [at for at in _weeks(end) if at not in kept.readings]
            if end > due:
                missing = []  # it is held against its target alone
            since = partial(_since, one, self._declared)
            needs.append(_Need(one, min(end, due) - 1, missing, since))
        return needs

    def _with_history(
        self,
        objective: Objective,
        kept: _Kept,
        figures: ObjectiveFigures | None,
        end: int,
    ) -> ObjectiveFigures | None:
        if figures is None:
            if kept.ended is None or end <= due_of(objective):
                return None
            return _as_it_ended(objective, kept.ended)
        at = figures.at
        if at is None:
            return figures
        history = [
            Reading(to_datetime(then), kept.readings[then])
            for then in _weeks(end)
            if then in kept.readings and to_datetime(then) <= at
        ]
        return replace(figures, history=tuple(history))

    # --- what is read --------------------------------------------------------------

    def _read(
        self, needs: list[_Need], end: int, time_left: Callable[[], float] | None
    ) -> tuple[dict[str, ObjectiveFigures], list[str]]:
        """Read as much as there is room for; return figures by objective, and what not."""
        import duckdb

        left_out: list[str] = []
        while needs:
            since = _earliest([need.begin() for need in needs])
            with self._logs(since, end) as logs:
                size = sum(one.size or 0 for one in (*logs.decisions, *logs.events))
                if self._bounds is not None and size > self._bounds.lines:
                    needs, without = _less(needs)
                    left_out += (self._too_large(one, size) for one in without)
                    continue
                try:
                    return self._figures(needs, since, end, logs, time_left), left_out
                except _NoTimeError:
                    return {}, [*left_out, *map(_too_slow, needs)]
                except duckdb.Error as error:
                    why = str(error).splitlines()[0]
                    if self._bounds is None:
                        raise StoreError(f"the database fails: {why}") from error
                    names = ", ".join(repr(need.objective.id) for need in needs)
                    failed = (
                        f"objectives {names} are left out: the database fails: {why}"
                    )
                    return {}, [*left_out, failed]
        return {}, left_out

    def _figures(
        self,
        needs: Sequence[_Need],
        since: int | None,
        end: int,
        logs: Logs,
        time_left: Callable[[], float] | None,
    ) -> dict[str, ObjectiveFigures]:
        if time_left is not None:
            logs = _in_time(logs, time_left)
        memory = self._bounds.memory_mb if self._bounds is not None else MEMORY_MB
        with Warehouse.open(
            logs,
            scope=Scope(until=end),
            worth=worth_paths(self._declared.journeys),
            memory_mb=memory,
            scratch=self._scratch,
        ) as house:
            return {
                need.objective.id: objective_figures(
                    house,
                    need.objective,
                    self._declared.journeys,
                    instants=need.missing,
                )
                for need in needs
            }

    def _too_large(self, need: _Need, size: int) -> str:
        most = self._bounds.lines if self._bounds is not None else 0
        return (
            f"objective {need.objective.id!r} is left out: the logs that it needs have "
            f"about {_gb(size)} of lines, and {_gb(most)} are read at most"
        )


def _since(objective: Objective, declared: Declared, at: int) -> int | None:
    if objective.measure is None:
        return at
    return lookback(objective.measure, at, declared.journeys)


def _earliest(instants: Sequence[int | None]) -> int | None:
    known = [at for at in instants if at is not None]
    return min(known) if len(known) == len(instants) else None


def _less(needs: list[_Need]) -> tuple[list[_Need], list[_Need]]:
    """What to read instead of too much, and whose figures that leaves out.

    Whoever needs all of the log goes first. Then history is given up, half of it at a
    time, before the figures of the day are.
    """
    whole = [need for need in needs if need.begin() is None]
    if whole:
        return [need for need in needs if need not in whole], whole
    if any(need.missing for need in needs):
        for need in needs:
            need.missing = need.missing[(len(need.missing) + 1) // 2 :]
        return needs, []
    furthest = min(needs, key=lambda need: need.begin() or 0)
    return [need for need in needs if need is not furthest], [furthest]


def _in_time(logs: Logs, time_left: Callable[[], float]) -> Logs:
    """The same logs, which are read on only while there is time to make tables of them."""
    began = time_left()

    def bounded(partition: Partition) -> Partition:
        @contextmanager
        def fetch() -> Iterator[Sequence[Path]]:
            left = time_left()
            if left < _SPARE_S + _BUILDING * (began - left):
                raise _NoTimeError("no time is left")
            with partition.fetch() as paths:
                yield paths

        return replace(partition, fetch=fetch)

    return replace(
        logs,
        decisions=[*map(bounded, logs.decisions)],
        events=[*map(bounded, logs.events)],
    )


def _too_slow(need: _Need) -> str:
    return (
        f"objective {need.objective.id!r} is left out: there was no time to read all of "
        "the log that it needs"
    )


def _gb(size: int) -> str:
    return f"{size / 1024**3:.1f} GB"


# --- what is kept ---------------------------------------------------------------------


def _keep(shelved: _Shelved, need: _Need, figures: ObjectiveFigures, end: int) -> None:
    """Note the readings, those that came to nothing too: nobody need look again."""
    kept = shelved.objectives[need.objective.id]
    taken = {to_ms(one.at): one.value for one in figures.history}
    for at in need.missing:
        kept.readings[at] = taken.get(at)
    for at in sorted(kept.readings)[:-_KEPT]:
        del kept.readings[at]
    is_over = end > due_of(need.objective) and figures.at is not None
    if is_over and figures.at == to_datetime(need.now):  # else the log ends before
        kept.ended = _Ended(need.now, figures.value, figures.definition)


def _as_it_ended(objective: Objective, ended: _Ended) -> ObjectiveFigures | None:
    if ended.value is None:
        return None
    return ObjectiveFigures(
        objective.id,
        objective.kpi,
        objective.target,
        objective.aim,
        objective.by,
        unit="",
        at=to_datetime(ended.at),
        value=ended.value,
        interval=None,
        of=0,
        share_of_target=None,
        expected=None,
        status=status_of(objective, ended.value, None, is_due=True),
        is_certain=True,
        history=(),
        journeys=(),
        problem="",
        definition=ended.definition,
    )


def _digest(objective: Objective, declared: Declared) -> str:
    """What tells two measures apart; the target may change, and the history stays."""
    goals = encoded(Declared([], declared.journeys))
    text = json.dumps([document_of(objective.measure), str(objective.by)]).encode()
    return hashlib.sha256(text + goals).hexdigest()[:16]


def _weeks(end: int) -> list[int]:
    """The last instants of the weeks before the end of a day, oldest first.

    That of a week which ends with the day itself is taken a day later: then what came
    late is there too.
    """
    next_one = start_of_next_week(end - 1, _UTC)
    return [next_one - ago * _WEEK_MS - 1 for ago in range(WEEKS, 0, -1)]
