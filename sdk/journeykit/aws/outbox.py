"""The outbox of one invocation: the commands that SQS has brought, until they are settled.

The dispatcher claims from it and settles, as with any other outbox. What is different is
where a command waits: in a queue, which brings it as a message, maybe twice; the table
of deliveries says whether it is to be handed over (`journeykit.aws.deliveries` draws the
states). So a message is answered in one of these ways:

    its command is settled for good                 acknowledged
    it is to be tried again, or its slot is later   its row waits; a delayed copy of the
                                                    message is sent, then acknowledged
    somebody else has it under a lease              a delayed copy is sent, then acknowledged
    it is a duplicate of what is settled            acknowledged
    it can't be read                                buried with the reason, then acknowledged
    anything else                                   a batch item failure: SQS brings it again

Waiting is not a failure: a copy begins to count anew, so it never comes to the dead
letters, which are for what fails again and again.

What a settlement consists of, and what a process that ends in between leaves behind:

    0  references: by which other names the provider may report about it
         a reference to what came to nothing, which nobody ever asks for
    1  the row, with its reports in `rep`
         the message comes again and finds it; the reports are sent from there
    2  the reports, to the queue of events
         the same; a second report has the same id, or says the same, and is ignored
    3  `rep` is removed from the row
         only the counts are missing, which nobody relies on to be exact
    4  the delayed copies
         the message itself comes again, after its visibility timeout
    5  the counts for the breakers
"""

from __future__ import annotations

import itertools
import logging
import math
import secrets
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from journeykit.aws.deliveries import Claim, Obstacle, Rows, is_key
from journeykit.aws.messages import (
    command_of,
    command_parcel,
    id_of,
    letter_of,
    stimulus_parcel,
)
from journeykit.aws.queues import MAX_DELAY_S, Parcel, Queue, Unsendable
from journeykit.engine.commands import AbsorbCustomer, Command, PublishEvent
from journeykit.engine.stimuli import Returned, Stimulus
from journeykit.errors import InputError, StoreBusy, StoreError
from journeykit.model.events import Event
from journeykit.ports import (
    UNCOUNTED,
    DeadLetter,
    Reference,
    References,
    Settled,
    Task,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from journeykit.aws.tallies import DynamoTallies

_log = logging.getLogger("journeykit.outbox")

_SOON_S = 30
"""What is to go on at once comes back after so many seconds: it had no time left here, or
something failed, and a copy that comes back at once would be a loop."""

_numbers = itertools.count(1)  # of tasks: none twice in a process, whose outbox it was
_reports = msgspec.msgpack.Decoder(list[Parcel])


class _Held(NamedTuple):
    """A claimed command.

    Attributes:
        message_id: Of the message that brought it.
        command: What to do.
        revision: Of the customer's document that released it.
        by: The token of the claim.
    """

    message_id: str
    command: Command
    revision: int
    by: str


class _Copy(NamedTuple):
    """A message that is to come again, delayed."""

    message_id: str
    command: Command
    revision: int
    until: int


class SqsOutbox:
    """`Outbox` over the records of one invocation.

    Attributes:
        counts: What became of messages that were not handed over: `buried`, `dropped`,
            `put_off`.
    """

    def __init__(
        self,
        records: Sequence[Mapping[str, Any]],
        *,
        client: DynamoDBClient,
        table: str,
        queue_of: Callable[[Command], Queue],
        events: Queue,
        references: References,
        tallies: DynamoTallies,
        bury: Callable[[Sequence[DeadLetter]], None],
        clock: Callable[[], int],
    ) -> None:
        """Join the parts.

        Args:
            records: Of the event that Lambda hands a function for SQS.
            client: Asks DynamoDB.
            table: Of deliveries.
            queue_of: The queue that a command comes from and waits in.
            events: The queue that reports go to.
            references: Keeps by which other names deliveries are known.
            tallies: Counts for the breakers.
            bury: Takes what can't be read.
            clock: The time, milliseconds.
        """
        self._open = deque(records)
        self._left = {record["messageId"]: True for record in records}
        self._rows = Rows(client, table)
        self._queue_of = queue_of
        self._events = events
        self._references = references
        self._tallies = tallies
        self._bury = bury
        self._clock = clock
        self._token = secrets.token_hex(6)
        self._held: dict[int, _Held] = {}
        self._known: dict[str, int] = {}  # id to the revision that was claimed here
        self._copies: list[_Copy] = []
        self.counts: Counter[str] = Counter()

    def failures(self) -> list[str]:
        """Return the ids of the messages that are to come again."""
        return list(self._left)

    # --- claim -----------------------------------------------------------------------

    def take(self, now: int, limit: int, *, lease_until: int) -> Sequence[Task]:
        """Claim what may be handed over now, in the order in which it came.

        Raises:
            StoreError: Nothing was claimed; what was not looked at comes again.
        """
        tasks: list[Task] = []
        failure: StoreError | None = None
        while self._open and len(tasks) < limit:
            try:
                task = self._taken(self._open[0], now, lease_until)
                self._open.popleft()
                if task is not None:
                    tasks.append(task)
            except StoreBusy as error:
                failure = error
                break  # the others would wait as long, for nothing
            except StoreError as error:
                failure = error
                self._open.popleft()
        try:
            self._send_copies()
        except StoreError as error:
            failure = error
        if failure is not None:
            if not tasks:
                raise failure
            # Raising would let what is claimed lapse.
            _log.warning("some commands come again: %s", failure)
        return tasks

    def _taken(
        self, record: Mapping[str, Any], now: int, lease_until: int
    ) -> Task | None:
        """Claim a record's command, or see what is to be done about it instead."""
        message_id = record["messageId"]
        try:
            command, revision = command_of(record)
            id = id_of(command)
            if not is_key(id):
                raise ValueError("its id is empty, or longer than any of ours")
        except (ValueError, InputError) as error:
            self._bury([letter_of(record, "outbox", str(error), now)])
            self._done(message_id, "buried")
            return None
        if self._known.get(id, -1) >= revision:  # twice in one batch
            self._done(message_id, "dropped")
            return None
        # The same for the same record, so that one who asks again finds it is its own.
        by = f"{self._token}-{len(self._open)}"
        claim = self._rows.claim(
            command, id, revision, by=by, now=now, lease_until=lease_until
        )
        if isinstance(claim, Claim):
            self._known[id] = revision
            number = next(_numbers)
            self._held[number] = _Held(message_id, command, revision, by)
            return Task(number, command, *claim)
        self._passed_over(message_id, command, revision, claim)
        return None

    def _passed_over(
        self, message_id: str, command: Command, revision: int, obstacle: Obstacle
    ) -> None:
        """Drop a duplicate, or let it come again when its row may be claimed."""
        id = id_of(command)
        if obstacle.until is not None:
            self._copies.append(_Copy(message_id, command, revision, obstacle.until))
            return
        if obstacle.reports:
            try:
                self._send_reports(_reports.decode(obstacle.reports))
            except ValueError:
                _log.error("the reports of command %s can't be read: they are lost", id)
            self._reported(id, obstacle.reports)
        _log.info("command %s is settled already; its duplicate is dropped", id)
        self._done(message_id, "dropped")

    # --- settle ----------------------------------------------------------------------

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        """Write down what came of tasks, and send reports to the queue of events.

        What somebody else has settled in the meantime stays as it is, and is not
        reported. Each task is settled whole or comes again. References come first, since
        a provider may report at once. What can't be kept of them is lost: that a message
        was sent is more than that an answer to it is understood.

        Raises:
            StoreError: Not all of it is settled; the same may be tried again.
        """
        own, loose = self._sorted(settled, reports)
        going = [stimulus_parcel(report) for report in loose]
        ended: list[tuple[_Held, Settled, bytes]] = []
        failures: list[StoreError] = []
        if references:
            try:
                self._references.refer(references)
            except StoreError as error:
                _log.error("callbacks may not be understood: %s", error)
                failures.append(error)
        for one in settled:
            held = self._held.get(one.id)
            if held is None or held.message_id not in self._left:
                continue  # it was settled before
            parcels = [stimulus_parcel(report) for report in own.get(one.id, ())]
            try:
                if one.outcome == "again":
                    self._wait(held, one)
                elif (rep := self._end(held, one, parcels)) is not None:
                    ended.append((held, one, rep))
                    going += parcels
            except StoreError as error:
                failures.append(error)
                break
        # Whatever failed: what is written in rows is carried on, or it came much later.
        try:
            self._finish(going, ended)
        except StoreError as error:
            failures.append(error)
        try:
            self._send_copies()
        except StoreError as error:
            failures.append(error)
        if failures:
            raise failures[0]

    def _sorted(
        self, settled: Sequence[Settled], reports: Sequence[Stimulus]
    ) -> tuple[Mapping[int, Sequence[Stimulus]], Sequence[Stimulus]]:
        """Sort reports by the task that each is about, and those about none."""
        held = {one.id: self._held[one.id] for one in settled if one.id in self._held}
        numbers = {id_of(task.command): number for number, task in held.items()}
        own: dict[int, list[Stimulus]] = {}
        loose: list[Stimulus] = []
        for report in reports:
            number = numbers.get(_about(report))
            if number is None:
                loose.append(report)
            else:
                own.setdefault(number, []).append(report)
        final = (one.id for one in settled if one.outcome != "again")
        if loose and (first := next((id for id in final if id in held), None)):
            own.setdefault(first, []).extend(loose)  # kept in a row, like the others
            loose = []
        return own, loose

    def _wait(self, held: _Held, settled: Settled) -> None:
        """Let a command wait, unless somebody else has it by now."""
        id = id_of(held.command)
        if self._rows.wait(id, settled, by=held.by):
            message_id, command, revision, _ = held
            self._copies.append(_Copy(message_id, command, revision, settled.at))
        else:
            _log.info("command %s is somebody else's by now", id)
            self._done(held.message_id, "dropped")

    def _end(
        self, held: _Held, settled: Settled, parcels: Sequence[Parcel]
    ) -> bytes | None:
        """Write down what came of a command, with its reports, which are returned.

        None: somebody else's word came first.
        """
        rep = msgspec.msgpack.encode(parcels) if parcels else b""
        id = id_of(held.command)
        is_ours = self._rows.end(
            held.command, id, held.revision, settled, by=held.by, reports=rep
        )
        if is_ours:
            return rep
        _log.warning("command %s was settled by somebody else before", id)
        self._done(held.message_id, "dropped")
        return None

    def _finish(
        self, going: Sequence[Parcel], ended: Sequence[tuple[_Held, Settled, bytes]]
    ) -> None:
        """Send reports; then those that they are about are done."""
        self._send_reports(going)
        tally: dict[str, list[int]] = {}
        for held, settled, rep in ended:
            if rep:
                self._reported(id_of(held.command), rep)
            self._done(held.message_id)
            _count(tally, held.command, settled)
        for journey, (succeeded, failed) in tally.items():
            try:
                self._tallies.add(journey, succeeded, failed)
            except StoreError as error:
                _log.warning("deliveries are not counted for their breaker: %s", error)

    def _send_reports(self, parcels: Sequence[Parcel]) -> None:
        try:
            self._events.send(parcels)
        except Unsendable as error:
            _log.error("reports are lost, nobody could ever send them: %s", error)

    def _reported(self, id: str, rep: bytes) -> None:
        """Forget reports that were sent; if that fails, they may be sent again."""
        try:
            self._rows.reported(id, rep)
        except StoreError as error:
            _log.info("what was reported stays in its row: %s", error)

    # --- messages --------------------------------------------------------------------

    def _send_copies(self) -> None:
        """Send what is to come again, each to the queue that it came from."""
        copies, self._copies = self._copies, []
        now = self._clock()
        queues: dict[str, tuple[Queue, list[_Copy]]] = {}
        for copy in copies:
            queue = self._queue_of(copy.command)
            queues.setdefault(queue.url, (queue, []))[1].append(copy)
        for queue, waiting in queues.values():
            queue.send(
                [
                    command_parcel(it.command, it.revision, delay_s=_delay(it, now))
                    for it in waiting
                ]
            )
            for copy in waiting:
                self._done(copy.message_id, "put_off")

    def _done(self, message_id: str, how: str = "") -> None:
        """Acknowledge a message."""
        if self._left.pop(message_id, False) and how:
            self.counts[how] += 1

    def backlog(self) -> Mapping[str, int]:
        """Return how many commands of this invocation are not settled."""
        return {"due": self._clock() if self._left else 0, "waiting": len(self._left)}


def _delay(copy: _Copy, now: int) -> int:
    """For how many seconds a copy is kept back; its row says whether that is enough."""
    if copy.until <= now:
        return _SOON_S
    return min(MAX_DELAY_S, math.ceil((copy.until - now) / 1000))


def _about(report: Stimulus) -> str:
    """The id of the delivery or call that a report is about; empty if of none."""
    if isinstance(report, Returned):
        return report.message.delivery_id
    if isinstance(report, Event):
        told = report.properties
        id = told.get("delivery_id") or told.get("call_id")
        # Some are no word of the message, such as that its recipient has opted out.
        own = report.id.removesuffix(f":{report.name}")
        return id if isinstance(id, str) else own
    return ""


def _count(tally: dict[str, list[int]], command: Command, settled: Settled) -> None:
    """Count a delivery for its journey's breaker; what went back is none."""
    if isinstance(command, PublishEvent | AbsorbCustomer) or command.test:
        return
    if settled.reason in UNCOUNTED:
        return
    if settled.outcome != "returned":
        counts = tally.setdefault(command.journey, [0, 0])
        counts[settled.outcome != "sent"] += 1
