"""The parts of the application, each made when it is first asked for.

What a part needs is imported then, too: a function that only relays never loads the
runtime, and one that only ticks has no client of Firehose. So the template can give each
function the names of the resources that it may use, and no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from journeykit.aws.clients import client
from journeykit.aws.settings import Settings
from journeykit.observers import AFTER_DELIVERY, AFTER_REACTION, Observers

if TYPE_CHECKING:
    from journeykit.aws.bus import Bus
    from journeykit.aws.catalogs import DynamoCatalogs
    from journeykit.aws.claims import DynamoClaims
    from journeykit.aws.contents import DynamoContents
    from journeykit.aws.customers import DynamoCustomers
    from journeykit.aws.decisions import DecisionLog
    from journeykit.aws.deliveries import DynamoDeliveries
    from journeykit.aws.door import CloudDoor
    from journeykit.aws.identities import DynamoIdentities
    from journeykit.aws.levels import Levels
    from journeykit.aws.logs import StoredLogs
    from journeykit.aws.notices import DynamoNotices
    from journeykit.aws.publishing import Publishing
    from journeykit.aws.queues import Queue
    from journeykit.aws.references import DynamoReferences
    from journeykit.aws.relay import Relay
    from journeykit.aws.repair import Repair
    from journeykit.aws.scores import ScorePages
    from journeykit.aws.slots import DynamoSlots
    from journeykit.aws.stores import Outgoing
    from journeykit.aws.tallies import DynamoTallies
    from journeykit.aws.timers import Timers
    from journeykit.aws.visits import VisitPages
    from journeykit.aws.watch_shelf import AlarmTopic, BucketShelf
    from journeykit.channels import Channel
    from journeykit.engine.commands import Command
    from journeykit.engine.guards import ChannelRules
    from journeykit.guarding import Guard
    from journeykit.http.preferences import Offers, Permissions
    from journeykit.links import Links
    from journeykit.manifest import Manifest
    from journeykit.model.events import Event
    from journeykit.plugins import Registry
    from journeykit.ports import DeadLetter, Delivery
    from journeykit.runtime.catalogs import LiveCatalog
    from journeykit.runtime.composing import Compose
    from journeykit.runtime.dispatcher import Dispatcher
    from journeykit.runtime.placements import Placements, Shown
    from journeykit.runtime.runtime import Runtime
    from journeykit.sources import Source

WATCH_BYTES = 64 * 1024 * 1024
"""What a watch gets of a log at once: tables of objectives need the rest of the disk."""

ASK_EVERY_MS = 5_000
"""How old a function's catalog may be: to ask for each event would cost a read of its own."""

_VISIT_CLAIMS_MS = 30 * 24 * 60 * 60_000
"""A page may stand for 14 days in its queue, and as long among the dead letters."""


class Telemetry(Protocol):
    """Who is told how the functions do."""

    def about(self, **keys: str) -> None:
        """Say what the lines of the log are about that come next."""
        ...

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Count something."""
        ...

    def lasted(self, name: str, milliseconds: float) -> None:
        """Note how long something took, or waited."""
        ...


class Untold:
    """Telemetry that nobody looks at."""

    def about(self, **keys: str) -> None:
        """Do nothing."""

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Do nothing."""

    def lasted(self, name: str, milliseconds: float) -> None:
        """Do nothing."""


def wall_clock() -> int:
    """What time it is, milliseconds."""
    return time.time_ns() // 1_000_000


class Onward:
    """Seconds that only go on, as fast as the faster of two clocks.

    The wall clock may be set back, and the other may stand still while Lambda keeps the
    process frozen between two invocations. What is too old by either is too old.
    """

    def __init__(self, wall: Callable[[], int], steady: Callable[[], float]) -> None:
        """Take a clock in milliseconds, and one in seconds."""
        self._wall = wall
        self._steady = steady
        self._last = (wall() / 1000, steady())
        self._passed = 0.0

    def __call__(self) -> float:
        """Return how many have passed."""
        (wall, steady), now = self._last, (self._wall() / 1000, self._steady())
        self._passed += max(0.0, now[0] - wall, now[1] - steady)
        self._last = now
        return self._passed


class Parts:
    """Everything that the functions are made of, over the resources of `settings`."""

    def __init__(
        self,
        settings: Settings,
        *,
        telemetry: Telemetry | None = None,
        observers: Observers | None = None,
        clock: Callable[[], int] = wall_clock,
        salt: Callable[[], str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make nothing yet.

        Args:
            settings: The names of the resources.
            telemetry: Who is told how it goes.
            observers: Who is told of reactions and deliveries, beside the plugins.
            clock: What time it is, milliseconds.
            salt: Draws what a new customer's name in the logs is made with; None: as
                the runtime does.
            sleep: Waits between two attempts, seconds.
            steady: Seconds that only go on, by which a catalog grows old.
        """
        self._settings = settings
        self.telemetry = telemetry or Untold()
        self._own_observers = observers or Observers()
        self._clock = clock
        self._salt = salt
        self._sleep = sleep
        self._steady = steady
        self._queues: dict[str, Queue] = {}

    # --- dead letters ----------------------------------------------------------------

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what can never be handled, with the reason."""
        from journeykit.aws.messages import letter_parcel

        if letters:
            parcels = [letter_parcel(letter) for letter in letters]
            self.queue("dead_letter_queue").send(parcels)
            self.telemetry.count("DeadLetters", len(letters))

    # --- resources -------------------------------------------------------------------

    @cached_property
    def _dynamodb(self) -> Any:
        return client("dynamodb")

    @cached_property
    def _sqs(self) -> Any:
        return client("sqs")

    def queue(self, setting: str) -> Queue:
        """The queue whose URL a setting names."""
        return self._queue_at(self._settings.required(setting))

    def queue_of(self, command: Command) -> Queue:
        """The queue in which a command waits: its channel's, that of the calls, or wakes."""
        from journeykit.engine.commands import AbsorbCustomer, SendMessage

        if isinstance(command, AbsorbCustomer):
            return self.queue("wakes_queue")  # which customers are reached by, too
        if isinstance(command, SendMessage):
            prefix = self._settings.required("deliver_queues")
            return self._queue_at(prefix + command.channel)
        return self.queue("calls_queue")

    @cached_property
    def levels(self) -> Levels:
        """How much stands in the queues."""
        from journeykit.aws.levels import Levels

        return Levels(self._sqs)

    def _queue_at(self, url: str) -> Queue:
        from journeykit.aws.queues import Queue

        if url not in self._queues:
            self._queues[url] = Queue(self._sqs, url, sleep=self._sleep)
        return self._queues[url]

    @cached_property
    def bus(self) -> Bus:
        """The bus, on which journeys publish events."""
        from journeykit.aws.bus import Bus

        name = self._settings.required("bus")
        return Bus(client("events"), name, sleep=self._sleep)

    @cached_property
    def decisions(self) -> DecisionLog:
        """The decision log."""
        from journeykit.aws.decisions import DecisionLog

        stream = self._settings.required("decisions_stream")
        return DecisionLog(self._firehose, stream, sleep=self._sleep)

    @cached_property
    def archive(self) -> DecisionLog:
        """The event archive, for what does not come to it by the bus."""
        from journeykit.aws.decisions import DecisionLog

        stream = self._settings.required("archive_stream")
        return DecisionLog(
            self._firehose, stream, sleep=self._sleep, what="event archive"
        )

    @cached_property
    def _firehose(self) -> Any:
        return client("firehose")

    # --- what is watched -------------------------------------------------------------

    @cached_property
    def _s3(self) -> Any:
        return client("s3")

    @cached_property
    def stored_logs(self) -> StoredLogs:
        """The logs in S3, by day."""
        from journeykit.aws.logs import StoredLogs

        bucket = self._settings.required("records_bucket")
        return StoredLogs(bucket, part_bytes=WATCH_BYTES, s3=self._s3)

    @cached_property
    def watch_shelf(self) -> BucketShelf:
        """Where a watch keeps what it has counted."""
        from journeykit.aws.watch_shelf import BucketShelf

        return BucketShelf(self._s3, self._settings.required("records_bucket"))

    @cached_property
    def alarm_topic(self) -> AlarmTopic:
        """Whoever is on call."""
        from journeykit.aws.watch_shelf import AlarmTopic

        return AlarmTopic(client("sns"), self._settings.required("alarm_topic"))

    def states(self) -> Mapping[str, str]:
        """The journeys that are not simply live."""
        document = self.catalogs.current()
        return document.states if document is not None else {}

    def pause(self, journey: str, reason: str) -> None:
        """Let nobody enter a journey or move on in it.

        Raises:
            DefinitionError: There is no such journey, or it is in no state for that.
            StoreError: It can't be stored.
        """
        from journeykit.aws.publishing import Operated
        from journeykit.runtime.states import changed_state

        changed_state(
            Operated(self), journey, "paused", now=self._clock(), reason=reason
        )

    # --- what is stored --------------------------------------------------------------

    @cached_property
    def catalogs(self) -> DynamoCatalogs:
        """The published catalogs."""
        from journeykit.aws.catalogs import DynamoCatalogs

        table = self._settings.required("state_table")
        return DynamoCatalogs(self._dynamodb, table, sleep=self._sleep)

    @cached_property
    def claims(self) -> DynamoClaims:
        """What must be exact across customers."""
        from journeykit.aws.claims import DynamoClaims

        table = self._settings.required("state_table")
        return DynamoClaims(self._dynamodb, table, sleep=self._sleep)

    @cached_property
    def contents(self) -> DynamoContents:
        """The published templates."""
        from journeykit.aws.contents import DynamoContents

        return DynamoContents(self._dynamodb, self._settings.required("state_table"))

    @cached_property
    def references(self) -> DynamoReferences:
        """Who is meant by an address, or by a provider's id."""
        from journeykit.aws.references import DynamoReferences

        table = self._settings.required("state_table")
        return DynamoReferences(self._dynamodb, table, sleep=self._sleep)

    @cached_property
    def identities(self) -> DynamoIdentities:
        """Whose an identifier is."""
        from journeykit.aws.identities import DynamoIdentities

        table = self._settings.required("state_table")
        return DynamoIdentities(self._dynamodb, table)

    @cached_property
    def notices(self) -> DynamoNotices:
        """The customers' in-app inboxes."""
        from journeykit.aws.notices import DynamoNotices

        return DynamoNotices(self._dynamodb, self._settings.required("state_table"))

    @cached_property
    def slots(self) -> DynamoSlots:
        """Rates across functions."""
        from journeykit.aws.slots import DynamoSlots

        return DynamoSlots(self._dynamodb, self._settings.required("state_table"))

    @cached_property
    def tallies(self) -> DynamoTallies:
        """What the journeys' breakers count."""
        from journeykit.aws.tallies import DynamoTallies

        return DynamoTallies(self._dynamodb, self._settings.required("state_table"))

    @cached_property
    def customers(self) -> DynamoCustomers:
        """The customers' documents."""
        from journeykit.aws.customers import DynamoCustomers

        return DynamoCustomers(
            self._dynamodb,
            self._settings.required("customers_table"),
            log=lambda lines: self.decisions.append(lines),
            bury=self.bury,
            clock=self._clock,
            keeps_all=self._relay_is_down,
            sleep=self._sleep,
        )

    def _relay_is_down(self) -> bool:
        document = self.catalog.document
        return document is not None and bool(document.relay)

    @cached_property
    def deliveries(self) -> DynamoDeliveries:
        """What became of messages."""
        from journeykit.aws.deliveries import DynamoDeliveries

        table = self._settings.required("deliveries_table")
        return DynamoDeliveries(
            self._dynamodb,
            table,
            self.tallies,
            clock=self._clock,
            sleep=self._sleep,
        )

    # --- what decides ----------------------------------------------------------------

    @cached_property
    def manifest(self) -> Manifest:
        """What the bundle holds."""
        from journeykit.manifest import Manifest

        return Manifest.read(self._settings.required("manifest"))

    @cached_property
    def objectives_file(self) -> Path:
        """Says which objectives a watch looks at; if it isn't there, at none."""
        from journeykit.manifest import OBJECTIVES

        return Path(self._settings.required("manifest")).with_name(OBJECTIVES)

    def _registry(self, *hooks: str) -> Registry:
        """The plugins that have any of these hooks; the others stay unloaded."""
        from journeykit.plugins import Registry

        return Registry.from_manifest(self.manifest, hooks=hooks)

    @cached_property
    def _deciding(self) -> Registry:
        return self._registry(
            "journeykit_channels", "journeykit_guards", AFTER_REACTION
        )

    @cached_property
    def rules(self) -> Mapping[str, ChannelRules]:
        """How customers are addressed on each channel, and the channel's own rule."""
        from journeykit.carriers import rules_from

        return rules_from(self.manifest, self._deciding)

    @cached_property
    def guards(self) -> Mapping[str, Guard]:
        """The guards of plugins, set up."""
        from journeykit.carriers import guards_from

        return guards_from(self.manifest, self._deciding)

    @cached_property
    def catalog(self) -> LiveCatalog:
        """The newest catalog, or the one that was it a moment ago."""
        from journeykit.runtime.catalogs import LiveCatalog

        return LiveCatalog(
            self.catalogs,
            channels=self.rules,
            actions=self.manifest.actions,
            guards=self.guards,
            contents=self.contents,
            ask_every_ms=ASK_EVERY_MS,
            clock=Onward(self._clock, self._steady),
        )

    @cached_property
    def runtime(self) -> Runtime:
        """What decides and stores."""
        from journeykit.aws.stores import Kept
        from journeykit.runtime.runtime import Runtime, back_off

        make = Runtime if self._salt is None else partial(Runtime, salt=self._salt)
        return make(
            Kept(self),
            self.catalog,
            observers=self._observers(self._deciding),
            loggable=self.manifest.loggable,
            identity=self.manifest.identity,
            # Each attempt is a read and a write of one hot item: nobody hurries here.
            back_off=partial(back_off, at_once=0, sleep=self._sleep),
        )

    def _observers(self, registry: Registry) -> Observers:
        # Nobody asks a function for the page of Prometheus.
        return self._own_observers.also(registry.observers.without("metrics"))

    @cached_property
    def visits(self) -> VisitPages:
        """Visits of many customers, page by page."""
        from journeykit.aws.visits import VisitPages

        wakes = self.queue("wakes_queue")
        return VisitPages(self.customers, wakes, self._visit_claims)

    @cached_property
    def _visit_claims(self) -> DynamoClaims:
        """Who does a page of a job."""
        from journeykit.aws.claims import DynamoClaims

        return DynamoClaims(
            self._dynamodb,
            self._settings.required("state_table"),
            scope="VISIT",
            keep_ms=_VISIT_CLAIMS_MS,
            sleep=self._sleep,
        )

    @cached_property
    def score_pages(self) -> ScorePages:
        """Models that are asked about many customers, page by page."""
        from journeykit.aws.scores import ScorePages
        from journeykit.carriers import scores_from
        from journeykit.runtime.scoring import Scoring

        models = scores_from(self.manifest, self._registry("journeykit_scores"))
        return ScorePages(
            self.customers,
            self.queue("wakes_queue"),
            self._visit_claims,
            Scoring(models, self.runtime, self.catalog),
        )

    # --- what passes on --------------------------------------------------------------

    @cached_property
    def timers(self) -> Timers:
        """Wake-ups that are far away."""
        from journeykit.aws.timers import Timers

        return Timers(
            self._dynamodb,
            self._settings.required("timers_table"),
            self.queue("wakes_queue"),
            clock=self._clock,
            sleep=self._sleep,
        )

    @cached_property
    def relays(self) -> Relay:
        """What passes on what changes of customers ask for."""
        from journeykit.aws.relay import Relay

        return Relay(
            queue_of=self.queue_of,
            bus=self.bus,
            timers=self.timers,
            decisions=self.decisions,
            bury=self.bury,
            clock=self._clock,
        )

    @cached_property
    def repair(self) -> Repair:
        """What sends again what the relay may have lost."""
        from journeykit.aws.repair import Repair

        table = self._settings.required("customers_table")
        return Repair(self._dynamodb, table, self.relays)

    # --- what hands over -------------------------------------------------------------

    @cached_property
    def _carrying(self) -> Registry:
        return self._registry(
            "journeykit_channels",
            "journeykit_actions",
            "journeykit_template_engines",
            AFTER_DELIVERY,
        )

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """Who carries each channel, set up."""
        from journeykit.carriers import channels_from

        folder = Path(self._settings.required("manifest")).parent
        return channels_from(self.manifest, self._carrying, folder=folder)

    @cached_property
    def _outgoing(self) -> Outgoing:
        from journeykit.aws.stores import Outgoing

        return Outgoing(self)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """What hands over. One for the process, since it knows which channels are down."""
        from journeykit.carriers import actions_from
        from journeykit.runtime.dispatcher import Dispatcher

        folder = Path(self._settings.required("manifest")).parent
        return Dispatcher(
            self._outgoing,
            self.catalog,
            channels=self.channels,
            actions=actions_from(self.manifest, self._carrying, folder=folder),
            observers=self._observers(self._carrying),
            compose=self._compose,
            seeds=self.manifest.seeds,
        )

    @cached_property
    def links(self) -> Links | None:
        """What makes and reads the links of messages; None: none are set up."""
        return self.manifest.links.links(self.manifest.workspace)

    @cached_property
    def _compose(self) -> Compose:
        from journeykit.content.composer import Composer
        from journeykit.runtime.composing import PublishedTemplates, composing

        library = PublishedTemplates(lambda: self.catalog.document, self.contents)
        engines = self._carrying.engines
        return composing(Composer(library, engines=engines, links=self.links))

    # --- what operators and clients ask for ------------------------------------------

    @cached_property
    def publishing(self) -> Publishing:
        """What answers operators."""
        from journeykit.aws.publishing import Publishing

        return Publishing(self, self._settings, clock=self._clock)

    @cached_property
    def door(self) -> CloudDoor:
        """What takes events over HTTP."""
        from journeykit.aws.api_keys import ApiKeys
        from journeykit.aws.door import CloudDesk, CloudDoor
        from journeykit.aws.keys import KnownKeys

        return CloudDoor(
            CloudDesk(
                self.bus,
                self.queue("events_queue"),
                self.queue("feedback_queue"),
                permissions=self._permissions,
                find=self._messages,
            ),
            keys=KnownKeys(
                ApiKeys(self._dynamodb, self._settings.required("state_table"))
            ),
            channels=self.manifest.channels,
            greet=lambda name, callback: self.channels[name].handshake(callback),
            links=self.manifest.links,
            workspace=self.manifest.workspace,
            inbox=self.notices,
            decide=self.decide,
            sources=self.manifest.sources,
            source=lambda name: self._sources[name],
        )

    @cached_property
    def _sources(self) -> Mapping[str, Source]:
        """What may post here, set up; loaded when the first one does."""
        from journeykit.carriers import sources_from

        return sources_from(self.manifest, self._registry("journeykit_sources"))

    def decide(self, event: Event) -> Shown:
        """Say what a place is to show that asks, at once.

        The ask goes to the bus for the archive; no rule brings it back.

        Raises:
            StoreError: Nothing was decided; the same ask may come again.
            DefinitionError: Nothing is published.
            InputError: It is larger than the bus takes, about nobody, or not what the
                schemas say.
        """
        from journeykit.aws.queues import Unsendable
        from journeykit.errors import InputError

        self.placements.refuse(event)
        try:
            self.bus.put([event])
        except Unsendable as error:
            raise InputError(str(error)) from error
        return self.placements.decide(event, now=self._clock())

    @cached_property
    def placements(self) -> Placements:
        """What answers places that ask what to show."""
        from journeykit.runtime.placements import Placements

        for channel in self.channels.values():
            channel.board = self.notices
        return Placements(
            self.runtime,
            channels=self.channels,
            compose=self._compose,
            board=self.notices,
            seeds=self.manifest.seeds,
        )

    def _messages(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """What is known of messages, also of those that are just being handed over."""
        return self.deliveries.find(ids, unsettled=True)

    def _permissions(self, customer: str) -> Permissions:
        """What a customer has said about messages, and may say."""
        from journeykit.http.preferences import Permissions, offers_of

        found = self.customers.load([customer]).get(customer)
        if found is not None and found.merged_into:
            from journeykit.runtime.identities import survivor_of

            survivor = survivor_of(customer, self.customers.load, {})
            found = self.customers.load([survivor]).get(survivor)
        revision = self.catalogs.revision()
        if revision != self._offered[0]:
            offers = offers_of(self.catalogs.current(), self.manifest.channels)
            self._offered = (revision, offers)
        return Permissions(found.consents if found else (), self._offered[1])

    @cached_property
    def _offered(self) -> tuple[int, Offers]:
        """What customers may choose from, and of which revision of the catalog."""
        from journeykit.http.preferences import Offers

        return -1, Offers()
