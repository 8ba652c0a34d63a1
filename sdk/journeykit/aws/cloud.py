"""The application: what each function does.

What becomes of a record:

- it is handled: acknowledged;
- it can never be handled (it can't be read, nobody knows what it means): a dead letter with
  the reason, and acknowledged;
- it says that it comes from a provider, and doesn't: counted, logged, and acknowledged. Anybody
  can post to a callback's address, and dead letters are for what somebody can mend;
- it can't be handled now (`StoreBusy`, nothing is published yet, a catalog that this bundle
  can't run, a secret or a setting without which nobody can tell who has signed a callback):
  it raises, and the queue brings it again. What has come too often so goes to
  the queue's own dead-letter queue; the log says why, by the message's id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from journeykit.aws.parts import Parts
from journeykit.errors import (
    DefinitionError,
    ForgedCallback,
    InputError,
    StaleCatalog,
    StoreError,
)
from journeykit.http.feedback import is_ours
from journeykit.runtime.failures import places

if TYPE_CHECKING:
    from journeykit.channels import Channel, Report
    from journeykit.model.events import Event

T = TypeVar("T")

_log = logging.getLogger("journeykit.aws")

_ENOUGH_MS = 30_000
"""The end of an invocation, in which nothing more is handed over: for one answer of a slow
provider, and to settle."""


class Cloud(Parts):
    """Does what the functions do, with the parts that they are made of."""

    # --- what the functions do -------------------------------------------------------

    def ingest(self, record: Mapping[str, Any]) -> None:
        """Handle a record of the events queue or of the wakes queue.

        Raises:
            JourneyKitError: It can't be handled now; the same record may come again.
        """
        from journeykit.aws.messages import Visit, received
        from journeykit.engine.stimuli import WakeUp

        with self._trying("a record is to come again"):
            stimulus, now = self._read(record, received, "events"), self._clock()
            if id := getattr(stimulus, "id", ""):
                self.telemetry.about(event_id=id)
            match stimulus:
                case None:  # buried, or an event that our own journeys have published
                    return
                case Visit(reason="score"):
                    self.score_pages.page(stimulus, now=now)
                case Visit():
                    self.visits.page(stimulus, now=now)
                case WakeUp():
                    self.runtime.wake([stimulus.customer], now=now)
                case _:
                    self.runtime.ingest([stimulus], now=now, door="events")

    def tick(self) -> int:
        """Send the wake-ups that are due; return how many that were.

        Raises:
            StoreError: The next tick goes on where this one stopped.
        """
        with self._trying("the next tick goes on where this one stopped"):
            ticked = self.timers.tick(self._clock())
        self.telemetry.count("WakeUpsSent", ticked.sent)
        lateness = max(ticked.oldest_ms, ticked.behind_ms)
        self.telemetry.lasted("TickLateness", lateness)
        return ticked.sent

    def relay(self, records: Sequence[Mapping[str, Any]]) -> Sequence[str]:
        """Pass on what changes of customers ask for, from records of the table's stream.

        Returns:
            The sequence numbers that are to come again, the lowest first.
        """
        written = [
            float(record["dynamodb"]["ApproximateCreationDateTime"])
            for record in records
            if "ApproximateCreationDateTime" in record.get("dynamodb", {})
        ]
        if written:
            age = self._clock() - 1000 * min(written)
            self.telemetry.lasted("RelayAge", max(0, age))
        with self._trying("the records are to come again"):
            return self.relays.run(records)

    def deliver(
        self, records: Sequence[Mapping[str, Any]], *, time_left: Callable[[], int]
    ) -> Sequence[str]:
        """Hand over the commands of a batch, as far as the time allows.

        Args:
            records: Of the channels' queues, or of the calls'.
            time_left: Milliseconds until the function is ended.

        Returns:
            The ids of the messages that are to come again.
        """
        from journeykit.aws.outbox import SqsOutbox

        outbox = SqsOutbox(
            records,
            client=self._dynamodb,
            table=self._settings.required("deliveries_table"),
            queue_of=self.queue_of,
            events=self.queue("events_queue"),
            references=self.references,
            tallies=self.tallies,
            bury=self.bury,
            clock=self._clock,
        )
        self._outgoing.outbox = outbox
        # What is handed over has to be settled too before the function is ended.
        reserve = min(_ENOUGH_MS, time_left() // 2)
        try:
            while (
                self.dispatcher.deliver(
                    self._clock(), seconds=(time_left() - reserve) / 1000
                )
                and time_left() > _ENOUGH_MS
            ):
                pass
        except (StoreError, DefinitionError, StaleCatalog) as error:
            _log.error("what was not handed over comes again: %s", error)
            self.telemetry.count("Failures")
        self.telemetry.count("ChannelsDown", len(self.dispatcher.open_breakers))
        return outbox.failures()

    def feedback(self, record: Mapping[str, Any]) -> None:
        """Handle a record of the feedback queue: what a provider says about messages.

        It is archived before anything is decided, so that no decision is without a cause.

        Raises:
            JourneyKitError: It can't be handled now; the same record may come again.
        """
        with self._trying("a record is to come again"):
            channels = self.channels
            told = self._read(record, partial(_reports_in, channels), "feedback")
            if told and told[1]:
                name, reports = told
                self.runtime.feedback(
                    reports, now=self._clock(), channel=name, archive=self._archived
                )

    def _archived(self, events: Sequence[Event]) -> None:
        from journeykit.aws.archive import envelope_lines

        self.archive.append(envelope_lines(events))

    def publish(
        self, request: Mapping[str, Any], *, time_left: Callable[[], int]
    ) -> dict[str, Any]:
        """Do what an operator asks for, and answer; `publishing` says what there is."""
        with self._trying("an operator's request failed"):
            return self.publishing.answer(request, time_left=time_left)

    # --- what they have in common ----------------------------------------------------

    def _read(
        self,
        record: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], T],
        door: str,
    ) -> T | None:
        """Read a record; what can't be read is buried, with the reason.

        Raises:
            InputError: It can't be verified as long as something of ours isn't there.
        """
        from journeykit.aws.messages import attribute, letter_of

        self.telemetry.about(
            message_id=record.get("messageId", ""), event_id=attribute(record, "trace")
        )
        try:
            return read(record)
        except ForgedCallback as error:
            _log.warning("a callback is forged; it is dropped: %s", error.place)
            self.telemetry.count("ForgedCallbacks")
            return None
        except (InputError, ValueError) as error:
            if isinstance(error, InputError) and is_ours(error):
                raise
            # Without its words, which may quote what came in; the letter has them.
            kind = type(error).__name__
            _log.error("a record can't be read (%s); it is a dead letter now", kind)
            self.bury([letter_of(record, door, str(error), self._clock())])
            return None

    @contextmanager
    def _trying(self, otherwise: str) -> Iterator[None]:
        """Log and count what fails, without a word of what came in."""
        try:
            yield
        except Exception as error:
            _log.error("%s: %s", otherwise, _said(error))
            self.telemetry.count("Failures")
            raise


def _reports_in(
    channels: Mapping[str, Channel], record: Mapping[str, Any]
) -> tuple[str, Sequence[Report]]:
    """What a provider says about messages, and the name of the channel that read it.

    Raises:
        ForgedCallback: It is not from whom it says it is.
        InputError: It can't be read, or not yet, or is of nobody who is known here.
    """
    from journeykit.aws.callbacks import callback_of
    from journeykit.channels import Channel as Silent

    name, callback = callback_of(record)
    if name and name not in channels:
        raise InputError(f"nobody carries channel {name!r:.80} here")
    if name:
        return name, channels[name].feedback(callback)
    # SNS and EventBridge can't say whose it is; whoever it isn't for refuses it, or has
    # nothing to say about it. Nobody is asked who never says anything.
    known, unset = "", None
    for name, channel in channels.items():
        if type(channel).feedback is Silent.feedback:
            continue
        try:
            if reports := channel.feedback(callback):
                return name, reports
        except InputError as error:
            if unset is None and is_ours(error):
                unset = error
            continue
        known = known or name
    if unset is not None:  # it may be whose this is
        raise unset
    if not known:
        raise InputError("it is about no channel that is carried here")
    return known, ()


def _said(error: Exception) -> str:
    """An error's words, if they are ours about the account; else where it came about."""
    if isinstance(error, StoreError | DefinitionError | StaleCatalog | InputError):
        return str(error)
    return places(error)
