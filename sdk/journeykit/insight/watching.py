"""Watches: counts what is new in the log, looks at the day, tells, and pauses by rule.

Everything outside comes through a port: where the log's parts are, where counts are kept,
who tells, who pauses. So the command, `serve` and the scheduled function do the same.

On the shelf, where counts are kept:

    parts.json            which parts there are, in which state, and which days are in them
    counts/<part>.json    what a part comes to
    told.json             what was found lately, since when, who was told when, what is
                          still to be told, and when journeys stood still
    objectives.json       readings of objectives: see `journeykit.insight.readings`
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import msgspec

from journeykit.errors import JourneyKitError, StoreBusy, StoreError
from journeykit.insight.alarms import Alarm, headline, sentence
from journeykit.insight.daily import Counts, Day, Part, counted
from journeykit.insight.watch import READ_DAYS, Finding, Looked, looked_at
from journeykit.model.watching import Contact, WatchSettings

if TYPE_CHECKING:  # a function needs none of what makes these
    from journeykit.insight.objectives import ObjectiveFigures

_log = logging.getLogger("journeykit.watch")

REMIND_DAYS = 7
"""After so many days somebody is told again of what lasts."""
MISSED_DAYS = 7
"""So many days are looked at later, if nobody did in time. Of one that is longer ago
nobody is told, and nothing is paused for it."""
_GAP_DAYS = 3  # so long something may be quiet and still be the same thing
_FORGET_DAYS = 60
_ENOUGH_S = 60.0  # below it no further part is begun


class Shelf(Protocol):
    """Where counts are kept, by name."""

    def get(self, name: str) -> bytes | None:
        """Return what is kept; None: nothing."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Keep something in the place of what was there."""
        ...


class _PartState(msgspec.Struct):
    state: str
    days: tuple[str, str] | None = None  # the first and the last


class _Known(msgspec.Struct):
    """What was found, and who was told."""

    since: date
    last: date
    told: dict[str, date] = {}
    paused: bool = False


class _Memory(msgspec.Struct):
    looked: date | None = None
    known: dict[str, _Known] = {}
    untold: set[date] = set()  # days of which somebody could not be told
    stood: dict[str, date] = {}  # by journey, the last day on which it did not run


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watch came to.

    Attributes:
        looked: What is unusual.
        since: By a finding's key, since when it has been found.
        told: Whom something was told, as channels; in a dry run, whom it would have been.
        paused: The journeys that were paused; in a dry run, that would have been.
        failures: What could not be done, a sentence each.
        read: How many parts of the log were counted now.
    """

    looked: Looked
    since: Mapping[str, date]
    told: Sequence[str]
    paused: Sequence[str]
    failures: Sequence[str]
    read: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the objectives are at the end of a day.

    Attributes:
        figures: Each, with its history.
        left_out: Which could not be looked at, and why, a sentence each.
    """

    figures: Sequence[ObjectiveFigures] = ()
    left_out: Sequence[str] = ()


class Objectives(Protocol):
    """Says where the objectives are."""

    def __call__(
        self, day: date, *, dry_run: bool, time_left: Callable[[], float] | None
    ) -> Standing:
        """Say it of the end of a day.

        Args:
            day: Which day, of UTC.
            dry_run: Whether nothing is kept.
            time_left: Seconds that are left; None: as many as it takes.

        Raises:
            JourneyKitError: They can't be looked at now.
        """
        ...


def nothing_to_reach(
    day: date, *, dry_run: bool, time_left: Callable[[], float] | None
) -> Standing:
    """Say that there are no objectives."""
    return Standing()


Tell = Callable[[Contact, Alarm], str]
"""Tells somebody; returns what went wrong, empty if nothing did."""
Pause = Callable[[str, str], None]
"""Pauses a journey, with the reason; raises a JourneyKitError if that can't be done."""


@dataclass(frozen=True)
class Watching:
    """Looks after a workspace.

    Attributes:
        workspace: The workspace's name.
        settings: What is looked after.
        parts: Finds the parts of the decision log that may hold something of these days.
        shelf: Where counts are kept.
        states: Says which journeys are not simply live.
        tell: Tells somebody.
        pause: Pauses a journey.
        objectives: Says where the objectives are at the end of a day; nowhere without it.
        everybody: Tells those who are told of everything; None: there is nobody.
    """

    workspace: str
    settings: WatchSettings
    parts: Callable[[date, date], Iterable[Part]]
    shelf: Shelf
    states: Callable[[], Mapping[str, str]]
    tell: Tell
    pause: Pause
    objectives: Objectives = nothing_to_reach
    everybody: Callable[[Alarm], str] | None = None

    def missed(self, day: date) -> Iterator[date]:
        """Yield the days up to one that are still to be looked at, a week's at most.

        At those nobody has looked yet, or somebody could not be told of them.
        """
        memory = self._memory()
        first = oldest = day - timedelta(days=MISSED_DAYS - 1)
        if memory.looked is None:
            first = day
        elif memory.looked >= first:
            first = memory.looked + timedelta(days=1)
        for ago in range(MISSED_DAYS):
            one = oldest + timedelta(days=ago)
            if one >= first or one in memory.untold:
                yield one

    def run(
        self,
        day: date,
        *,
        dry_run: bool = False,
        may_act: bool = True,
        may_pause: bool = True,
        time_left: Callable[[], float] | None = None,
    ) -> Watched:
        """Look at a day, which is over.

        Of a day before the latest one that was looked at, nobody is told who could be
        told then, and nothing is paused for it. What was done is noted at once, so that
        a crash makes nobody be told twice.

        Args:
            day: Which day, of UTC.
            dry_run: Whether nobody is told, nothing is paused, and nothing noted.
            may_act: Whether anybody may be told, and journeys paused.
            may_pause: Whether journeys may be paused.
            time_left: Seconds that are left; None: as many as it takes.

        Raises:
            StoreBusy: There was no time for all; what is counted so far is kept.
            StoreError: The log can't be read, or the counts not be kept.
        """
        days, problems, read = self._days(day, dry_run=dry_run, time_left=time_left)
        failures: list[str] = []
        standing = Standing()
        if "objectives" in self.settings.of("").figures:
            try:
                standing = self.objectives(day, dry_run=dry_run, time_left=time_left)
            except JourneyKitError as error:
                failures.append(f"the objectives can't be looked at: {error}")
        memory = self._memory()
        states = self.states()
        is_latest = may_act and (memory.looked is None or day >= memory.looked)
        if is_latest:
            for journey, state in states.items():
                if state != "live":  # as it is now, on the day behind
                    memory.stood[journey] = day + timedelta(days=1)
        looked = looked_at(
            days,
            day,
            settings=self.settings,
            states=states,
            stood=memory.stood,
            objectives=standing.figures,
            problems=[*problems, *standing.left_out],
        )
        since = _noted(memory, looked.findings, day)
        paused: list[str] = []
        told: list[str] = []
        if is_latest or (may_act and day in memory.untold):
            if is_latest and may_pause:
                paused, failed = self._paused(looked, memory, states, dry_run=dry_run)
                failures += failed
            told, failed = self._told(
                looked, memory, paused, states, standing.left_out, dry_run=dry_run
            )
            failures += failed
            if not dry_run:
                memory.untold.discard(day)
                if failed:
                    memory.untold.add(day)
                memory.looked = max(day, memory.looked or day)
                self._note(memory)
        return Watched(looked, since, told, paused, failures, read)

    # --- counting --------------------------------------------------------------------

    def _days(
        self, day: date, *, dry_run: bool, time_left: Callable[[], float] | None
    ) -> tuple[dict[date, Day], list[str], int]:
        """Count what is new, and add up what there is of the days that are needed."""
        first = day - timedelta(days=READ_DAYS - 1)
        index = self._index()
        counts = Counts()
        read, left = 0, 0
        for part in self.parts(first, day):
            known = index.get(part.name)
            if known is not None and part.state and known.state == part.state:
                if not _overlaps(known.days, first, day):
                    continue
                if found := self._kept(part.name):
                    counts = counts.plus(_of_days(found, first, day))
                    continue
            if read and time_left is not None and time_left() < _ENOUGH_S:
                left += 1
                continue
            found = counted(part)
            read += 1
            counts = counts.plus(_of_days(found, first, day))
            if part.state and not dry_run:
                days = sorted(found.days)
                span = (days[0], days[-1]) if days else None
                self.shelf.put(_place(part.name), found.encoded())
                index[part.name] = _PartState(part.state, span)
                self.shelf.put("parts.json", msgspec.json.encode(index))
        if left:
            raise StoreBusy(
                f"{read} parts of the log are counted, and {left} are not yet; the same "
                "again goes on there"
            )
        return _by_date(counts), _problems(counts), read

    def _index(self) -> dict[str, _PartState]:
        text = self.shelf.get("parts.json")
        try:
            return msgspec.json.decode(text or b"{}", type=dict[str, _PartState])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}  # it is made anew

    def _kept(self, part: str) -> Counts | None:
        text = self.shelf.get(_place(part))
        return Counts.decoded(text) if text is not None else None

    def _memory(self) -> _Memory:
        text = self.shelf.get("told.json")
        try:
            return msgspec.json.decode(text or b"{}", type=_Memory)
        except (msgspec.DecodeError, UnicodeDecodeError):
            _log.warning("what was told is damaged; it may be told again")
            return _Memory()

    def _note(self, memory: _Memory) -> None:
        self.shelf.put("told.json", msgspec.json.encode(memory))

    # --- acting ----------------------------------------------------------------------

    def _paused(
        self,
        looked: Looked,
        memory: _Memory,
        states: Mapping[str, str],
        *,
        dry_run: bool,
    ) -> tuple[list[str], list[str]]:
        """Pause the journeys whose rule says so, each finding once."""
        paused: list[str] = []
        failures: list[str] = []
        for finding in looked.findings:
            journey = finding.journey
            stood = memory.stood.get(journey)
            if (
                not journey
                or not finding.is_worse
                or finding.figure not in self.settings.of(journey).pause
                or states.get(journey, "live") != "live"
                or memory.known[finding.key].paused  # somebody let it go on again
                or (stood is not None and finding.since <= stood)  # it may be why
                or journey in paused
            ):
                continue
            if not dry_run:
                reason = f"watch: {sentence(finding)}"
                try:
                    self.pause(journey, reason)
                except JourneyKitError as error:
                    failures.append(f"{journey} can't be paused: {error}")
                    continue
                memory.known[finding.key].paused = True
                memory.stood[journey] = looked.day + timedelta(days=1)
                self._note(memory)
                _log.warning("%s is paused: %s", journey, headline(finding))
            paused.append(journey)
        return paused, failures

    def _told(
        self,
        looked: Looked,
        memory: _Memory,
        paused: Sequence[str],
        states: Mapping[str, str],
        left_out: Sequence[str],
        *,
        dry_run: bool,
    ) -> tuple[list[str], list[str]]:
        """Tell each finding, once, to those who are to be told of it."""
        # A try before this one may have paused it, and told nobody.
        stopped = {
            finding.journey
            for finding in looked.findings
            if memory.known[finding.key].paused
            and states.get(finding.journey) == "paused"
        }
        stopped.update(paused)
        told: list[str] = []
        failures: list[str] = []
        contacts: dict[Contact | None, list[Finding]] = {}
        for finding in looked.findings:
            for one in self.settings.of(finding.journey).tell:
                contacts.setdefault(one, []).append(finding)
        if self.everybody is not None and looked.findings:
            contacts[None] = [*looked.findings]
        for contact, findings in contacts.items():
            name = contact.channel if contact is not None else "everybody"
            mark = _mark(contact)
            due = [
                finding
                for finding in findings
                if _is_due(memory.known[finding.key].told.get(mark), looked.day)
            ]
            if not due:
                continue
            journeys = {finding.journey for finding in due}
            alarm = Alarm(
                self.workspace,
                looked.day,
                due,
                sorted(stopped & journeys),
                left_out,
            )
            if not dry_run:
                problem = self._tried(contact, alarm)
                if problem:
                    failures.append(f"{name} was not told: {problem}")
                    continue
                for finding in due:
                    memory.known[finding.key].told[mark] = looked.day
                self._note(memory)
            told.append(name)
        return told, failures

    def _tried(self, contact: Contact | None, alarm: Alarm) -> str:
        """Tell somebody; one who can't be told must not keep the others from it."""
        try:
            if contact is not None:
                return self.tell(contact, alarm)
            return self.everybody(alarm) if self.everybody is not None else ""
        except JourneyKitError as error:
            return str(error)


def _is_due(told: date | None, day: date) -> bool:
    return told is None or (day - told).days >= REMIND_DAYS


def _mark(contact: Contact | None) -> str:
    """By what it is noted that somebody was told; no address stands in it."""
    if contact is None:
        return "everybody"
    named = f"{contact.channel}:{contact.address}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _noted(
    memory: _Memory, findings: Sequence[Finding], day: date
) -> Mapping[str, date]:
    """Note what is found, and say since when it has been."""
    for key, old in [*memory.known.items()]:
        if (day - old.last).days > _FORGET_DAYS:
            del memory.known[key]
    memory.untold = {one for one in memory.untold if (day - one).days < MISSED_DAYS}
    since = {}
    for finding in findings:
        known = memory.known.get(finding.key)
        if known is None or abs((day - known.last).days) > _GAP_DAYS:
            known = memory.known[finding.key] = _Known(finding.since, day)
        known.last = max(known.last, day)
        since[finding.key] = min(known.since, finding.since)
    return since


def _overlaps(days: tuple[str, str] | None, first: date, last: date) -> bool:
    return (
        days is not None
        and days[0] <= last.isoformat()
        and days[1] >= first.isoformat()
    )


def _of_days(counts: Counts, first: date, last: date) -> Counts:
    low, high = first.isoformat(), last.isoformat()
    return Counts(
        {day: found for day, found in counts.days.items() if low <= day <= high},
        counts.damaged,
        counts.repeated,
        counts.cut,
        counts.tests,
    )


def _by_date(counts: Counts) -> dict[date, Day]:
    found = {}
    for day, what in counts.days.items():
        try:
            found[date.fromisoformat(day)] = what
        except ValueError:
            continue  # a damaged line's
    return found


def _problems(counts: Counts) -> list[str]:
    problems = []
    if counts.damaged:
        problems.append(f"{counts.damaged:,} lines of the log are damaged")
    if counts.cut:
        problems.append(f"{counts.cut:,} reactions decided more than the log holds")
    return problems


def _place(part: str) -> str:
    return f"counts/{quote(part, safe='=.-')}.json"


# --- on one machine -------------------------------------------------------------------


class FolderShelf:
    """Keeps counts in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make nothing yet."""
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """See `Shelf.get`."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _explained(error, self._folder / name) from error

    def put(self, name: str, content: bytes) -> None:
        """See `Shelf.put`; a crash leaves the old or the new."""
        path = self._folder / name
        beside = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(path)
        except OSError as error:
            raise _explained(error, path) from error


def _explained(error: OSError, path: Path) -> StoreError:
    return StoreError(f"{path} can't be used: {error.strerror or error}")


class MemoryShelf:
    """Keeps counts as long as it is there itself: for dry runs and tests."""

    def __init__(self, below: Shelf | None = None) -> None:
        """Begin with nothing, or with what another one has, which stays as it is."""
        self._below = below
        self._kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """See `Shelf.get`."""
        if name not in self._kept and self._below is not None:
            return self._below.get(name)
        return self._kept.get(name)

    def put(self, name: str, content: bytes) -> None:
        """See `Shelf.put`."""
        self._kept[name] = content
