"""What `journeykit serve` runs: one thread decides, one hands over, many knock.

Whoever brings events waits until they are committed. The deciding thread takes what has
come together in the meantime as one batch, so that a thousand requests cost one commit.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, TimeoutError as Late
from itertools import chain

from journeykit.channels import Report
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import DefinitionError, JourneyKitError, StoreBusy, StoreError
from journeykit.http.door import Busy
from journeykit.http.preferences import Permissions, offers_of
from journeykit.local.embedded import Embedded, archive_lines, wall_clock
from journeykit.local.retaining import RETAIN, retaining
from journeykit.model.events import Event
from journeykit.ports import Job
from journeykit.runtime.failures import places
from journeykit.runtime.identities import survivor_of
from journeykit.runtime.placements import Shown
from journeykit.runtime.reports import of_runs
from journeykit.runtime.rosters import ERASE
from journeykit.runtime.runtime import BATCH

_log = logging.getLogger("journeykit.serve")

WAITING = 20_000
"""Stimuli that may stand in the queue; whoever comes then is told to come back."""

_TICK_S = 0.2  # how late a wait may end when nothing else happens
_WAKE_UPS = 2 * BATCH  # then events get their turn
_LOOK_MS = 2_000  # how often to look for jobs that only this process can do
_MINUTE_MS = 60 * 1000
_DAY_MS = 24 * 60 * _MINUTE_MS
_RETAIN_MS = _DAY_MS  # how often what is over goes
_LEFT_MS = 60_000  # how often for those that somebody left behind
_AGAIN_S = 1.0  # after the store failed
_PATIENCE = 0.8  # of its timeout is how long a report waits for its message

# Their messages say it all. Those of others may quote what a customer brought.
_OURS = (StoreError, DefinitionError)


class _Parcel:
    """What one request brought: stimuli, or what a channel's provider says."""

    __slots__ = ("again_at", "channel", "done", "pause", "reports", "stimuli", "until")

    def __init__(
        self,
        stimuli: Sequence[Stimulus] = (),
        *,
        reports: Sequence[Report] = (),
        channel: str = "",
        until: float = 0.0,
    ) -> None:
        self.stimuli = stimuli
        self.reports = reports
        self.channel = channel
        self.until = until
        self.again_at = 0.0
        self.pause = _TICK_S
        self.done: Future[None] = Future()

    @property
    def size(self) -> int:
        return len(self.stimuli) + len(self.reports)


class Service:
    """Decides and delivers until it is told to stop. Doors call `accept`."""

    def __init__(
        self,
        embedded: Embedded,
        *,
        clock: Callable[[], int] = wall_clock,
        metrics: Callable[[], str] = str,
        watch: Callable[[], None] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            embedded: The workspace with its database.
            clock: What time it is, milliseconds.
            metrics: What is counted, in Prometheus's format.
            watch: Looks at the day that is over; None: nobody does.
        """
        self._embedded = embedded
        self._clock = clock
        self._metrics = metrics
        self._parcels: queue.SimpleQueue[_Parcel] = queue.SimpleQueue()
        self._early: list[_Parcel] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._committed = threading.Event()
        self._failure: dict[str, str] = {}
        self._pages: Iterator[Job] = iter(())
        self._look_at = clock() + _LOOK_MS
        self._left_at = clock() + _LEFT_MS
        self._retain_at = clock() + _LEFT_MS
        self._threads = [
            threading.Thread(target=self._decide, name="journeykit-decide"),
            threading.Thread(target=self._deliver, name="journeykit-deliver"),
        ]
        at = embedded.workspace.watch.at_minute
        if watch is not None and at is not None:
            self._threads.append(
                threading.Thread(
                    target=self._watch, args=(watch, at), name="journeykit-watch"
                )
            )
        every = embedded.workspace.scored_by.every_ms
        if every is not None and embedded.scoring.names:
            self._threads.append(
                threading.Thread(
                    target=self._score, args=(every,), name="journeykit-score"
                )
            )

    def start(self) -> None:
        """Begin to decide and to hand over."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what was accepted, hand over what is due, and return."""
        with self._lock:  # so that whatever is taken stands in the queue by now
            self._stopping.set()
        self._committed.set()
        for thread in self._threads:
            thread.join()

    # --- the door --------------------------------------------------------------------

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        """Return when stimuli are decided and stored.

        Raises:
            Busy: The queue is full, or it takes longer than the timeout: then they may
                be handled all the same, and bringing them again does no harm.
            StoreError: They could not be stored.
            Exception: They can't be handled, by a mistake of ours; the others were.
        """
        self._hand_in(_Parcel(stimuli), timeout)

    def report(
        self, channel: str, reports: Sequence[Report], *, timeout: float
    ) -> None:
        """Return when what a channel's provider says is decided and stored.

        A provider may speak of a message before we have written down that it has it, and
        many never say anything twice: then it waits here for that.

        Raises:
            Busy: As `accept` does.
            StoreError: It could not be stored.
        """
        until = time.monotonic() + timeout * _PATIENCE
        self._hand_in(_Parcel(reports=reports, channel=channel, until=until), timeout)

    def _hand_in(self, parcel: _Parcel, timeout: float) -> None:
        if not parcel.size:
            return
        with self._lock:
            if self._stopping.is_set() or self._waiting + parcel.size > WAITING:
                raise Busy("too much is waiting; come back in a second")
            self._waiting += parcel.size
            self._parcels.put(parcel)
        try:
            parcel.done.result(timeout)
        except Late as error:
            raise Busy(f"not stored within {timeout:g} s; bring it again") from error

    def decide(self, event: Event) -> Shown:
        """Say what a place is to show, once that is stored.

        Whoever asks waits for nobody else: it is decided in the asking thread, and stored
        by a commit of its own.

        Raises:
            StoreError: It could not be stored, or the service is stopping.
            DefinitionError: Nothing is published.
        """
        if self._stopping.is_set():
            raise StoreBusy("it is stopping; ask again")
        try:
            return self._embedded.decide(event, now=self._clock())
        finally:
            self._committed.set()

    def permissions(self, customer: str) -> Permissions:
        """What a customer has said about messages, and may say.

        Any thread may ask: the store is read, and nothing is decided.
        """
        load = self._embedded.store.load
        survivor = survivor_of(customer, load, {})
        found = load([survivor]).get(survivor)
        document = self._embedded.store.current()
        carried = self._embedded.channels
        return Permissions(
            found.consents if found else (), offers_of(document, carried)
        )

    def health(self) -> Mapping[str, object]:
        """Whether it works, what is the matter, and how much waits."""
        failures = dict(self._failure)
        breakers = self._embedded.dispatcher.open_breakers
        store: dict[str, object] = {}
        try:
            store["catalog"] = self._embedded.store.revision()
            store.update(self._embedded.store.backlog())
        except StoreError as error:
            failures["store"] = f"{type(error).__name__}: {error}"
        return {
            "status": "failing" if failures else "ok",
            **({"failures": failures} if failures else {}),
            **({"channels_down": list(breakers)} if breakers else {}),
            "queued": self._waiting,
            **store,
        }

    def metrics(self) -> str:
        """What is counted."""
        return self._metrics()

    # --- deciding --------------------------------------------------------------------

    def _decide(self) -> None:
        embedded = self._embedded
        while True:
            before = self._clock()  # what came in by then stands in the queue
            parcels = self._collected()
            try:
                if parcels:
                    self._ingest(parcels)
                moved = embedded.runtime.drain(self._clock())
                moved += embedded.runtime.tick(before, most=_WAKE_UPS)
                if not self._stopping.is_set():
                    moved += self._visit(before)
                embedded.relay()
                self._failure.pop("decide", None)
            except Exception as error:  # noqa: BLE001 - a service goes on
                self._fails("decide", error)
                _refuse(parcels, error)
                self._stopping.wait(_AGAIN_S)
                moved = 0
            if parcels or moved:
                self._committed.set()
            elif self._stopping.is_set() and self._parcels.empty():
                _refuse(self._early, StoreBusy("it is stopping; say it again"))
                return

    def _visit(self, now: int) -> int:
        """Do a page of a job that somebody left behind; return how many pages that were.

        Perhaps nobody did, and its process is at it: doing the same twice does no harm.
        """
        if next(self._pages, None) is not None:
            return 1
        if self._embedded.retainer.has_to and now >= self._retain_at:
            self._retain_at = now + _RETAIN_MS
            self._pages = self._embedded.pages(retaining(), now=now)
            return 1
        if now >= self._look_at:
            self._look_at = now + _LOOK_MS
            jobs = self._embedded.store.unfinished()
            if now >= self._left_at:
                self._left_at = now + _LEFT_MS
            else:
                jobs = [job for job in jobs if job.reason in (ERASE, RETAIN)]
            self._pages = chain.from_iterable(
                self._embedded.pages(job, now=now) for job in jobs
            )
            return min(len(jobs), 1)
        return 0

    def _collected(self) -> list[_Parcel]:
        """What has come together, up to a batch; waits a moment if that is nothing."""
        parcels: list[_Parcel] = []
        count = 0
        try:
            wait = 0.0 if self._stopping.is_set() else _TICK_S
            parcels.append(self._parcels.get(timeout=wait or 0.001))
            count = parcels[0].size
            while count < BATCH:
                parcels.append(self._parcels.get_nowait())
                count += parcels[-1].size
        except queue.Empty:
            pass
        with self._lock:
            self._waiting -= count
        if self._early:
            now, early = time.monotonic(), self._early
            self._early = [parcel for parcel in early if parcel.again_at > now]
            parcels += [parcel for parcel in early if parcel.again_at <= now]
        return parcels

    def _ingest(self, parcels: Sequence[_Parcel]) -> None:
        """Archive parcels, and handle them.

        Raises:
            JourneyKitError: The store or the catalog fails; the rest is to be refused.
        """
        archived: list[_Parcel] = []
        lines: list[bytes] = []
        for parcel in parcels:
            if parcel.reports:
                self._report(parcel)
                continue
            parcel.stimuli = of_runs(parcel.stimuli, self._embedded.store.find)
            events = [one for one in parcel.stimuli if isinstance(one, Event)]
            try:
                lines.append(archive_lines(events))
                archived.append(parcel)
            except Exception as error:  # noqa: BLE001 - one must not stop the others
                parcel.done.set_exception(error)
        self._embedded.archive.append(b"".join(lines))
        if archived:
            self._handle(archived)

    def _report(self, parcel: _Parcel) -> None:
        """Take what a provider says. What can't be now is its sender's to send again."""
        try:
            self._embedded.runtime.feedback(
                parcel.reports,
                now=self._clock(),
                channel=parcel.channel,
                settles_late=True,
                archive=self._archive,
            )
        except StoreBusy as error:
            now = time.monotonic()
            if now + parcel.pause < parcel.until and not self._stopping.is_set():
                parcel.again_at, parcel.pause = now + parcel.pause, 2 * parcel.pause
                self._early.append(parcel)
            else:
                parcel.done.set_exception(error)
        except Exception as error:  # noqa: BLE001 - one must not stop the others
            parcel.done.set_exception(error)
        else:
            parcel.done.set_result(None)

    def _archive(self, events: Sequence[Event]) -> None:
        self._embedded.archive.append(archive_lines(events))

    def _handle(self, parcels: Sequence[_Parcel]) -> None:
        """Handle parcels as one batch, or one by one if that fails because of one."""
        stimuli = [one for parcel in parcels for one in parcel.stimuli]
        try:
            self._embedded.runtime.ingest(stimuli, now=self._clock(), door="http")
        except JourneyKitError:
            raise
        except Exception as error:  # noqa: BLE001 - one must not stop the others
            if len(parcels) == 1:
                parcels[0].done.set_exception(error)
            else:
                for parcel in parcels:
                    self._handle([parcel])
        else:
            for parcel in parcels:
                parcel.done.set_result(None)

    # --- scoring ---------------------------------------------------------------------

    def _score(self, every: int) -> None:
        """Ask models about everybody, each time that a span since 1970 is over.

        A page at a time, and in a thread of its own: a model may take its time. Who isn't
        there at such an instant asks at the next one.
        """
        embedded = self._embedded
        due = (self._clock() // every + 1) * every
        while not self._stopping.wait(_TICK_S):
            now = self._clock()
            if now < due:
                continue
            due = (now // every + 1) * every
            try:
                so_far = (0, 0)
                for done in embedded.scoring.pages(embedded.store, now=now):
                    so_far = done.customers, done.reported
                    self._committed.set()
                    if self._stopping.is_set():
                        return
                _log.info("%d customers scored, %d scores reported", *so_far)
                self._failure.pop("score", None)
            except Exception as error:  # noqa: BLE001 - a service goes on
                self._fails("score", error)

    # --- watching --------------------------------------------------------------------

    def _watch(self, look: Callable[[], None], minute: int) -> None:
        """Look at the day before at a time of day, UTC, and when the service starts.

        Who was not there at that time looks a minute after the start: what was looked at
        already is found so, and told to nobody once more.
        """
        due = self._clock() + _LEFT_MS
        while not self._stopping.wait(_TICK_S):
            now = self._clock()
            if now < due:
                continue
            due = (now - minute * _MINUTE_MS) // _DAY_MS * _DAY_MS
            due += _DAY_MS + minute * _MINUTE_MS
            try:
                look()
                self._failure.pop("watch", None)
            except Exception as error:  # noqa: BLE001 - a service goes on
                self._fails("watch", error)

    # --- handing over ----------------------------------------------------------------

    def _deliver(self) -> None:
        embedded = self._embedded
        while True:
            self._committed.clear()
            last = not self._threads[0].is_alive()  # nothing is added any more
            try:
                count = embedded.dispatcher.deliver(self._clock())
                self._failure.pop("deliver", None)
            except Exception as error:  # noqa: BLE001 - a service goes on
                self._fails("deliver", error)
                self._stopping.wait(_AGAIN_S)
                count = 0
            if count:
                continue
            if last:
                return
            self._committed.wait(_TICK_S)

    def _fails(self, what: str, error: Exception) -> None:
        """Remember a failure for `health`, and log it once."""
        name = type(error).__name__
        ours = isinstance(error, _OURS)
        text = f"{name}: {error}" if ours else name
        if self._failure.get(what) != text:
            _log.error("%s: %s", what, text if ours else places(error))
        self._failure[what] = text


def _refuse(parcels: Sequence[_Parcel], error: Exception) -> None:
    """Tell those who still wait that nothing of theirs was stored."""
    for parcel in parcels:
        if not parcel.done.done():
            said = str(error) if isinstance(error, _OURS) else type(error).__name__
            parcel.done.set_exception(StoreError(said))
