"""Triggers that ask for several events: how far a customer has come on the way to one.

Theory of operation. A sequence has *parts*: an event that happens so many times, or a
time in which one stays away. For each part only the *latest* way of having come so far is
kept, since it is the one whose windows stay open longest: if any earlier one could still
be completed by what follows, so could the latest. That makes what is kept a handful of
instants, however many events there are, and still nothing is missed. (`since="first"`
says otherwise for what follows it: there the first one stays.)

A sequence is kept as a row of *slots*, each an instant or 0. A part that asks for n events
has a slot for each of the first n - 1: the instant from which the window of whoever has
come so far counts. That is the first of these events in the first part, and the end of
the part before in any other. Behind them stands the end of the part. An absence has the
instant at which it will be over; that is pinned, like the due instant of a wait.

Windows are asked forward from their anchor: an event counts while anchor + window > at. An
event at the very instant at which an absence is over is handled first, and undoes it.

Of one event all that is undone goes before all that is counted, and later parts before
earlier ones, so that it counts once on each way. With the last part the row is empty
again: what has started a run does not count for the next.

Each value of the journey's key has a row of its own, and so has test traffic. Rows stand
in the order in which they were last written, the oldest first.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from journeykit.engine.calendar import add, to_datetime, to_ms
from journeykit.engine.conditions import Predicate, ValueOf, compile_condition
from journeykit.engine.customer import Progress, size_of
from journeykit.engine.draft import Draft, JourneyFacts
from journeykit.engine.limits import ENTRY_BYTES, PROGRESS_BYTES, PROGRESS_ROWS
from journeykit.engine.trace import TraceEntry
from journeykit.engine.values import Document
from journeykit.model.durations import Duration

_EMPTY = 0
_NO_HURRY = Duration(months=1200)  # longer than anybody keeps a document
_CROWD = (
    8  # fewer rows are kept until their turn comes, though nothing may come of them
)


class Role(NamedTuple):
    """What an event is to a sequence: something that counts, or that undoes.

    Attributes:
        event: The event's name.
        where: Its condition.
        part: The part's place.
        undoes: Whether it undoes what the part has come to.
    """

    event: str
    where: Predicate | None
    part: int
    undoes: bool


class Part(NamedTuple):
    """One part of a sequence, and where its slots are.

    Attributes:
        times: How many events it asks for; 0: it is an absence.
        within: Its window.
        start: Its first slot.
        end: The slot of its end; None: it is the last part, or an absence follows, which
            begins at once.
        keeps_first: Whether an absence that has begun doesn't begin anew.
        shortest: Milliseconds that the window has at least, in every zone.
        longest: And at most.
    """

    times: int
    within: Duration | None
    start: int
    end: int | None
    keeps_first: bool
    shortest: int
    longest: int


class Row(msgspec.Struct, array_like=True, gc=False):
    """How far one sequence has come, for one value of the key.

    Attributes:
        key: The key, as text; empty without one.
        test: Whether it is that of test traffic.
        slots: See the module.
        due: When an absence is over; None: none is waited for.
        fields: What is kept of the event that the run would be started with.
    """

    key: str
    test: bool
    slots: list[int]
    due: int | None = None
    fields: dict[str, Any] | None = None

    @property
    def done(self) -> int:
        """How many slots the way that has come furthest has behind it."""
        return max((nth for nth, slot in enumerate(self.slots, 1) if slot), default=0)


class Completed(NamedTuple):
    """A sequence that is whole since an event did not come, and starts a run.

    Attributes:
        fields: What is kept of the event before, as conditions see one.
        test: Whether it is test traffic.
    """

    fields: dict[str, Any]
    test: bool


class Way:
    """A sequence trigger of a journey, compiled.

    Attributes:
        name: What its progress is kept under: `journey/0`.
        plan: Whose trigger it is.
        roles: The events that mean something to it.
    """

    __slots__ = ("_fields", "_mark", "_parts", "_size", "name", "plan", "roles")

    def __init__(
        self,
        document: Document,
        plan: JourneyFacts,
        *,
        name: str,
        key: ValueOf | None,
        fields: Collection[str],
    ) -> None:
        """Compile a SequenceTrigger.

        Args:
            document: The trigger's plan document.
            plan: Whose trigger it is.
            name: What its progress is kept under.
            key: The journey's key.
            fields: The event's fields that a run is to know.
        """
        self.name = name
        self.plan = plan
        # A row means nothing under another definition; its mark tells them apart.
        text = json.dumps([document, key and key.text], sort_keys=True)
        self._mark = zlib.crc32(text.encode())
        keys = {str(path[1]) for path in key.paths if path[1:]} if key else set()
        self._fields = sorted({*fields, *keys, "$id", "$name", "$time"})
        self.roles: list[Role] = []
        self._parts: list[Part] = []
        parts = document["parts"]
        size = 0
        for place, item in enumerate(parts):
            is_last = place + 1 == len(parts)
            then_absent = not is_last and parts[place + 1]["type"] == "without"
            within = Duration.parse(item["within"]) if item["within"] else None
            absent = item["type"] == "without"
            times = 0 if absent else item["times"]
            own = 1 if absent else times - 1
            end = None if is_last or then_absent else size + own
            first = absent and item["since"] == "first"
            span = within or _NO_HURRY
            least, most = span.shortest_ms(), span.longest_ms()
            self._parts.append(Part(times, within, size, end, first, least, most))
            size += own + (end is not None)
            self.roles.append(_role(item["when"], place, undoes=absent))
            unless = None if absent else item["unless"]
            if unless:
                self.roles.append(_role(unless, place, undoes=True))
        self._size = size

    # --- what happens ---------------------------------------------------------------

    def heard(
        self, draft: Draft, roles: Collection[Role], key: str | None, *, every_row: bool
    ) -> bool:
        """Take an event that has these roles; whether it starts a run.

        Args:
            draft: The customer; `scope.event` is the event.
            roles: What the event is to this sequence.
            key: The event's key; None: it has none.
            every_row: Whether an event without a key undoes what it undoes for all keys.
        """
        zone, _ = draft.zone_of(self.plan)
        rows = self._rows(draft.progress)
        if key is None:
            undone = [role for role in roles if role.undoes and every_row]
            before = [Row(*row) for row in rows]
            after = [
                self._advanced(row, undone, draft, zone)[0]
                if row.test == draft.test
                else row
                for row in before
            ]
            if after != before:
                self._keep(draft, map(msgspec.to_builtins, after))
            if not all(role.undoes for role in roles):
                plan, at = self.plan, draft.at
                draft.trace.append(
                    TraceEntry(
                        "not_entered",
                        at,
                        plan.id,
                        plan.version,
                        reason="key_missing",
                        test=draft.test,
                    )
                )
            return False
        others = [row for row in rows if row[0] != key or row[1] != draft.test]
        if len(others) == len(rows):
            known = Row(key, draft.test, [_EMPTY] * self._size)
        else:
            known = next(Row(*row) for row in rows if row not in others)
        row, is_whole = self._advanced(known, roles, draft, zone)
        if is_whole or row != known:
            self._keep(draft, [*others, msgspec.to_builtins(row)])
            if draft.explain:
                self._show(draft, known, row, is_whole=is_whole)
        return is_whole

    def turned(self, draft: Draft, due: int) -> list[Completed]:
        """Let the absences end that end now; the runs that start because of that."""
        found: list[Completed] = []
        after: list[list[Any]] = []
        for written in self._rows(draft.progress):
            row = Row(*written)
            if row.due is None or row.due > due:
                after.append(written)
                continue
            slots = [*row.slots]
            for part in self._parts:
                if part.times == 0 and _EMPTY < slots[part.start] <= due:
                    if part.end is None:
                        found.append(Completed(_restored(row.fields), row.test))
                        slots = [_EMPTY] * self._size
                        break
                    slots[part.end] = slots[part.start]
                    slots[part.start] = _EMPTY
            after.append(msgspec.to_builtins(self._row(row, slots, row.fields)))
        self._keep(draft, after)
        return found

    def knows(self, progress: Progress) -> bool:
        """Whether some progress is on the way to this very trigger."""
        return bool(progress.state) and bool(progress.state[0] == self._mark)

    def united(self, mine: Progress, theirs: Progress) -> Progress:
        """The progress of a customer who was two; see the module's `united`."""
        rows = {(row[0], row[1]): row for row in mine.state[1:]}
        others: list[list[Any]] = []
        last = self._parts[-1]
        for written in theirs.state[1:] if self.knows(mine) else ():
            if (written[0], written[1]) not in rows:
                others.append(written)
                continue
            row, own = Row(*written), Row(*rows[written[0], written[1]])
            slots = list(map(max, own.slots, row.slots))
            later = last.times == 0 and row.slots[last.start] > own.slots[last.start]
            fields = row.fields if later else own.fields
            united = self._row(own, slots, fields)
            rows[own.key, own.test] = msgspec.to_builtins(united)
        return self._written([*others, *rows.values()][-PROGRESS_ROWS:])

    def _advanced(
        self, row: Row, roles: Collection[Role], draft: Draft, zone: ZoneInfo
    ) -> tuple[Row, bool]:
        """A row after an event, and whether the sequence is whole."""
        slots, fields = [*row.slots], row.fields
        for role in roles:
            if role.undoes:
                self._undo(slots, role.part)
        counted = sorted({role.part for role in roles if not role.undoes}, reverse=True)
        for place in counted:
            part = self._parts[place]
            ends = self._count(slots, place, draft.at, zone)
            if not ends:
                continue
            if place + 1 == len(self._parts):
                return self._row(row, [_EMPTY] * self._size, None), True
            if part.end is not None:
                slots[part.end] = draft.at
                continue
            absence = self._parts[place + 1]
            if slots[absence.start] == _EMPTY or not absence.keeps_first:
                if absence.end is None:  # the run is started with this very event
                    fields = self._kept(draft)
                    if fields is None:
                        slots[absence.start] = _EMPTY
                        continue
                within = absence.within or Duration()
                slots[absence.start] = add(draft.at, within, zone)
        return self._row(row, slots, fields), False

    def _count(self, slots: list[int], place: int, at: int, zone: ZoneInfo) -> bool:
        """Count an event for a part; whether the part ends with it."""
        part, ends = self._parts[place], False
        for nth in range(part.times, 0, -1):
            if nth > 1:
                anchor = slots[part.start + nth - 2]
            else:
                anchor = self._ended(slots, place, at)
            is_first = place == 0 and nth == 1
            if anchor == _EMPTY or not (is_first or _is_open(part, anchor, at, zone)):
                continue
            if nth == part.times:
                ends = True
            else:
                slots[part.start + nth - 1] = anchor
        return ends

    def _ended(self, slots: list[int], place: int, at: int) -> int:
        """When the part before has ended; the first part may begin at any time."""
        if place == 0:
            return at
        end = self._parts[place - 1].end
        return _EMPTY if end is None else slots[end]

    def _undo(self, slots: list[int], place: int) -> None:
        """Forget what a part has come to, and the end of the one before."""
        part = self._parts[place]
        own = 1 if part.times == 0 else part.times - 1
        slots[part.start : part.start + own] = [_EMPTY] * own
        if place and (end := self._parts[place - 1].end) is not None:
            slots[end] = _EMPTY

    # --- what is kept ---------------------------------------------------------------

    def _kept(self, draft: Draft) -> dict[str, Any] | None:
        """What the run will need of the event; None if it is too much."""
        event: Mapping[str, Any] = draft.scope.event or {}
        kept = {name: event[name] for name in self._fields if name in event}
        kept["$time"] = to_ms(event["$time"])  # the document holds JSON values
        if size_of(kept) <= ENTRY_BYTES:
            return kept
        plan = self.plan
        draft.trace.append(
            TraceEntry(
                "not_entered",
                draft.at,
                plan.id,
                plan.version,
                reason="entry_too_large",
                detail={"limit": ENTRY_BYTES},
                test=draft.test,
            )
        )
        return None

    def _show(self, draft: Draft, before: Row, row: Row, *, is_whole: bool) -> None:
        """Record how far the customer has come."""
        detail: dict[str, Any] = {"trigger": self.name, "of": len(row.slots) + 1}
        detail["done"] = detail["of"] if is_whole else row.done
        if row.due is not None:
            detail["until"] = row.due
        is_undone = not is_whole and row.done < before.done
        plan = self.plan
        draft.trace.append(
            TraceEntry(
                "counted",
                draft.at,
                plan.id,
                plan.version,
                reason="undone" if is_undone else "",
                detail=detail,
                test=row.test,
            )
        )

    def _row(self, row: Row, slots: list[int], fields: dict[str, Any] | None) -> Row:
        """The row with other slots; without what no slot needs any more."""
        pending = [
            slots[part.start]
            for part in self._parts
            if part.times == 0 and slots[part.start] != _EMPTY
        ]
        last = self._parts[-1]
        waits = last.times == 0 and slots[last.start] != _EMPTY
        due = min(pending, default=None)
        return Row(row.key, row.test, slots, due, fields if waits else None)

    def _rows(self, progress: Mapping[str, Progress]) -> list[list[Any]]:
        """The rows as they are written: most of them are only passed on."""
        known = progress.get(self.name)
        return known.state[1:] if known is not None and self.knows(known) else []

    def _written(self, rows: list[list[Any]]) -> Progress:
        due = min((row[3] for row in rows if row[3] is not None), default=None)
        return Progress(due, [self._mark, *rows])

    def _keep(self, draft: Draft, after: Iterable[list[Any]]) -> None:
        """Write the rows; the oldest are forgotten if there are too many."""
        rows = [row for row in after if any(row[2])]
        # Those of which nothing can come any more; the oldest are the first of them.
        while rows and not self._may_come(rows[0][2], draft.at):
            del rows[0]
        if len(rows) > PROGRESS_ROWS:
            rows = rows[-PROGRESS_ROWS:]
            draft.note("forgotten", reason="progress", detail={"trigger": self.name})
        progress = dict(draft.progress)
        progress.pop(self.name, None)
        if rows:
            progress[self.name] = self._written(rows)
        draft.progress = progress
        draft.changed = True

    def _may_come(self, slots: list[int], at: int) -> bool:
        """Whether anything may still come of a row: a window is open, or an absence."""
        for place, part in enumerate(self._parts):
            own = part.times - 1 if part.times else 1
            begun = [slots[part.start : part.start + own]]
            end = self._parts[place - 1].end if place else None
            if end is not None:
                begun.append([slots[end]])
            for anchor in (slot for group in begun for slot in group if slot):
                if part.times == 0 or part.within is None or at - anchor < part.longest:
                    return True
        return False


def _role(document: Document, part: int, *, undoes: bool) -> Role:
    where: str | None = document["where"]
    condition = None if where is None else compile_condition(where)
    return Role(document["name"], condition, part, undoes)


def _is_open(part: Part, anchor: int, at: int, zone: ZoneInfo) -> bool:
    """Whether the window that began then is still open: the calendar is asked last."""
    past = at - anchor
    if part.within is None or past < part.shortest:
        return True
    return past < part.longest and add(anchor, part.within, zone) > at


def _restored(fields: dict[str, Any] | None) -> dict[str, Any]:
    """The kept fields of an event, as conditions see one."""
    kept = dict(fields or {})
    if "$time" in kept:
        kept["$time"] = to_datetime(kept["$time"])
    return kept


def kept(draft: Draft, ways: Mapping[str, Way]) -> None:
    """Forget the way to triggers that are there no more, or ask for something else."""
    gone = [
        name
        for name, one in draft.progress.items()
        if _is_sequence(one) and not (name in ways and ways[name].knows(one))
    ]
    if gone:
        draft.progress = {n: one for n, one in draft.progress.items() if n not in gone}
        draft.changed = True


def united(
    mine: Mapping[str, Progress],
    theirs: Mapping[str, Progress],
    ways: Mapping[str, Way],
) -> dict[str, Progress]:
    """How far one customer has come who was two: of each slot the later instant.

    What is no sequence's is mine, else theirs.
    """
    both = {**theirs, **mine}
    for name, one in theirs.items():
        if name in mine and name in ways and ways[name].knows(one):
            both[name] = ways[name].united(mine[name], one)
    return both


def within_bounds(draft: Draft) -> None:
    """Forget the oldest rows while all of them together are too much."""
    while size_of(draft.progress) > PROGRESS_BYTES:
        name = max(_sized(draft.progress), default=(0, ""))[1]
        if not name:
            return
        known = draft.progress[name]
        rows = known.state[2:]
        rest = {**draft.progress}
        del rest[name]
        if rows:
            due = min((row[3] for row in rows if row[3] is not None), default=None)
            rest[name] = Progress(due, [known.state[0], *rows])
        draft.progress = rest
        draft.note("forgotten", reason="progress", detail={"trigger": name})


def _sized(progress: Mapping[str, Progress]) -> Iterator[tuple[int, str]]:
    """Each sequence with its size."""
    for name, one in progress.items():
        if _is_sequence(one):
            yield size_of(one), name


def _is_sequence(progress: Progress) -> bool:
    """Whether it is a sequence's; schedules and claims keep theirs beside them."""
    return len(progress.state) > 1 and isinstance(progress.state[1], list)
