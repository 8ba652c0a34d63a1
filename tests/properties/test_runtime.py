"""What the runtime decides depends on the stream alone, whoever stores it and in what cuts."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, strategies as st
from tests.properties.worlds import (
    CUSTOMERS,
    DAY,
    HOUR,
    Change,
    Dice,
    Life,
    Moment,
    World,
    aware,
    examples,
    ms,
    rolls,
    story,
    worlds,
)

from journeykit import (
    Absorb,
    AbsorbCustomer,
    Customer,
    Enroll,
    Event,
    SendMessage,
    WakeUp,
)
from journeykit.engine.commands import Command
from journeykit.engine.ids import log_id, made_id
from journeykit.engine.redaction import redacted
from journeykit.engine.stimuli import Stimulus
from journeykit.engine.trace import TraceEntry
from journeykit.happened import Reacted
from journeykit.local.sqlite import SQLiteStore
from journeykit.observers import Observer, Observers
from journeykit.ports import NOTHING, Along, Change as Stored, Store
from journeykit.runtime.runtime import Runtime
from journeykit.testing import MemoryStore, RecordingChannel, Simulator

EVER = 1 << 60  # later than anything is due
FOREVER = 40 * DAY

VISITORS = {name: made_id("anonymous", name) for name in CUSTOMERS}
"""Who they are as long as nobody has said who they are."""

NAMES = {log_id(name, ""): name for name in (*CUSTOMERS, *VISITORS.values())}
"""What customers are called in the logs, if nothing is drawn."""

CHANNELS = [
    RecordingChannel("push"),
    RecordingChannel("email", address_attribute="email"),
    RecordingChannel("sms", address_attribute="phone"),
]


class Told(NamedTuple):
    """A decision, told without values, and by which write it is stored."""

    revision: int
    now: int
    entry: TraceEntry


class Outcome(NamedTuple):
    """All that came of a stream.

    Attributes:
        customers: Everybody's document.
        told: By customer, what was decided.
        commands: By customer, what is to be done.
        lines: By customer, what stands in the log.
    """

    customers: Mapping[str, Customer]
    told: Mapping[str, Sequence[Told]]
    commands: Mapping[str, Sequence[Command]]
    lines: Mapping[str, Sequence[Any]]


# --- streams ------------------------------------------------------------------------


class Arrival(NamedTuple):
    """Something that comes in, and the wall clock when it is handled."""

    now: int
    stimulus: Event | Enroll | WakeUp


def told_of(
    world: World, moments: Sequence[Moment], customer: str
) -> Iterator[Arrival]:
    """What is told of one customer, as a stream that no longer asks what was sent."""
    life = Life(world, name=customer)
    for moment in moments:
        what = moment.what
        if isinstance(what, Change) or (
            isinstance(what, Enroll) and what.journey not in life.catalog.live
        ):
            continue
        life.wake_until(moment.received - 1)
        stimulus = life.stimulus(moment)
        assert not isinstance(stimulus, Absorb)
        life.react(stimulus, moment.now)
        yield Arrival(moment.now, stimulus)


def stream(
    world: World,
    dice: Sequence[Dice],
    *,
    orderly: bool,
    at: Callable[[Moment], Moment],
    visits: bool = False,
) -> list[Arrival]:
    """What happens to some customers, in the order in which it comes in."""
    arrivals: list[Arrival] = []
    for customer, own in zip(CUSTOMERS, dice, strict=False):
        is_visitor = visits and own.rare(2)
        id = VISITORS[customer] if is_visitor else customer
        moments = story(own, world.start, customer=id, orderly=orderly, size=10)
        told = told_of(world, [at(moment) for moment in moments], id)
        browser = customer if is_visitor else ""
        arrivals += (
            [named(arrival, browser, own) for arrival in told] if visits else told
        )
    return sorted(arrivals, key=lambda arrival: arrival.now)


def named(arrival: Arrival, browser: str, dice: Dice) -> Arrival:
    """The same as a browser tells it, or as somebody who has signed in with one."""
    one = arrival.stimulus
    if not isinstance(one, Event) or not (browser or dice.rare(4)):
        return arrival
    known = {"anonymous": browser or dice.pick(*CUSTOMERS[::-1])}
    customer = "" if browser else one.customer
    said = msgspec.structs.replace(one, customer=customer, identifiers=known)
    return arrival._replace(stimulus=said)


def punctual(moment: Moment) -> Moment:
    """Received when it occurred, and handled then."""
    return moment._replace(now=moment.received, occurred=moment.received)


def in_a_crowd(moment: Moment) -> Moment:
    """Handled at one of few instants, with many others."""
    return moment._replace(now=-(-moment.now // (6 * HOUR)) * 6 * HOUR)


@st.composite
def streams(
    draw: st.DrawFn,
    world: World,
    *,
    orderly: bool = True,
    at: Callable[[Moment], Moment] = punctual,
    visits: bool = False,
) -> list[Arrival]:
    """What happens to up to three customers, of whom some are visitors at first."""
    dice = [draw(rolls(165)) for _ in range(draw(st.integers(1, 3)))]
    return stream(world, dice, orderly=orderly, at=at, visits=visits)


def cut(arrivals: Sequence[Arrival], dice: Dice) -> Iterator[list[Arrival]]:
    """The same in pieces."""
    start = 0
    while start < len(arrivals):
        size = 1 + dice.pick(0, 1, 2, 5, 30)
        yield [*arrivals[start : start + size]]
        start += size


# --- whoever decides ----------------------------------------------------------------


class Shell:
    """A runtime on a store, and what it says."""

    def __init__(self, world: World, store: Store) -> None:
        self.store = store
        self.told: dict[str, list[Told]] = defaultdict(list)
        catalog = simulator_of(world).catalog  # with the same rules of addresses
        observer = Observer("test", "journeykit_after_reaction", self._hear)
        self.runtime = Runtime(
            store,
            lambda **_: catalog,
            inbox=store,
            observers=Observers(reactions=[observer]),
            salt=str,
        )

    def _hear(self, reacted: Reacted) -> None:
        self.told[NAMES[reacted.log_id]] += [
            Told(reacted.revision, ms(reacted.now), redacted(entry, frozenset()))
            for entry in reacted.trace
        ]

    def replay(self, arrivals: Sequence[Arrival]) -> None:
        """Handle a batch by the event clock."""
        self.runtime.ingest([arrival.stimulus for arrival in arrivals], now=None)

    def outcome(self) -> Outcome:
        return Outcome(
            {one.id: one for one in self.store.scan("", 100)},
            dict(self.told),
            commands_of(self.store),
            lines_of(self.store),
        )


def commands_of(store: Store) -> Mapping[str, Sequence[Command]]:
    """By customer, what waits to be done."""
    found: dict[str, list[Command]] = defaultdict(list)
    for task in store.take(EVER, 100_000, lease_until=EVER + 1):
        found[task.command.customer].append(task.command)
    return dict(found)


def lines_of(store: Store) -> Mapping[str, Sequence[Any]]:
    """By customer, what stands in the log."""
    found: dict[str, list[Any]] = defaultdict(list)
    for _, block in store.journal(100_000):
        for text in block.splitlines():
            line = msgspec.json.decode(text)
            found[NAMES[line["customer"]]].append(line)
    return dict(found)


def simulated(world: World, arrivals: Sequence[Arrival]) -> Outcome:
    """What the simulator makes of a stream."""
    told: dict[str, list[Told]] = defaultdict(list)
    commands: dict[str, list[Command]] = defaultdict(list)

    def note(command: Command) -> None:
        if not isinstance(command, AbsorbCustomer):  # it is done at once everywhere
            commands[command.customer].append(command)

    simulator = simulator_of(
        world,
        on_trace=lambda one: told[one.customer].append(
            Told(one.revision, one.now_ms, redacted(one.entry, frozenset()))
        ),
        on_command=note,
    )
    for _, stimulus in arrivals:
        if isinstance(stimulus, Enroll):
            simulator.enroll(
                stimulus.journey,
                stimulus.customer,
                stimulus.entry,
                at=stimulus.received_at,
                id=stimulus.id,
            )
        else:
            assert isinstance(stimulus, Event)
            simulator.feed(stimulus)
    simulator.advance_to(aware(the_end(arrivals)))
    return Outcome(
        dict(simulator.customers),
        told,
        {id: sorted(found, key=_at) for id, found in commands.items()},
        {},
    )


def simulator_of(world: World, **options: Any) -> Simulator:
    """A simulator of a world in which nothing has happened."""
    return Simulator(
        world.journeys,
        start=world.start,
        policies=world.policies,
        channels=CHANNELS,
        audience=world.audience,
        explain=False,
        keep=False,
        **options,
    )


def _at(command: Command) -> int:
    return command.at


def the_end(arrivals: Sequence[Arrival]) -> int:
    return arrivals[-1].now + FOREVER


def replayed(
    world: World,
    batches: Iterable[Sequence[Arrival]],
    store: Store,
    *,
    ticks: bool = False,
) -> Outcome:
    """What a runtime makes of a stream by the event clock, batch by batch."""
    shell, clock = Shell(world, store), 0
    for batch in batches:
        shell.replay(batch)
        clock = batch[-1].now
        if ticks:
            shell.runtime.tick(clock - 1, virtual=True)
    shell.runtime.tick(clock + FOREVER, virtual=True)
    return shell.outcome()


# --- by the event clock -------------------------------------------------------------


@examples(25)
@given(st.data())
def test_by_the_event_clock_the_runtime_decides_what_the_simulator_decides(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    arrivals = data.draw(streams(world, visits=True))

    expected = simulated(world, arrivals)
    outcome = replayed(world, [arrivals], MemoryStore())

    assert outcome.customers == expected.customers
    assert told_once(outcome) == told_once(expected)
    assert outcome.commands == expected.commands


def told_once(outcome: Outcome) -> Mapping[str, Sequence[Told]]:
    """Without what was dropped as known, which isn't told of events that nobody hears."""
    return {
        customer: [one for one in told if one.entry.reason != "duplicate"]
        for customer, told in outcome.told.items()
    }


@examples(25)
@given(st.data())
def test_by_the_event_clock_cuts_and_ticks_change_nothing(data: st.DataObject) -> None:
    world = data.draw(worlds())
    arrivals = data.draw(streams(world, visits=True))

    whole = replayed(world, [arrivals], MemoryStore())
    cuts = replayed(
        world, cut(arrivals, data.draw(rolls(30))), MemoryStore(), ticks=True
    )

    assert cuts == whole


@examples(10)
@given(st.data())
def test_by_the_event_clock_every_store_keeps_the_same(data: st.DataObject) -> None:
    world = data.draw(worlds())
    arrivals = data.draw(streams(world, visits=True))

    whole = replayed(world, [arrivals], MemoryStore())
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SQLiteStore.open(Path(folder) / "journeykit.db")) as store,
    ):
        kept = replayed(world, cut(arrivals, data.draw(rolls(30))), store, ticks=True)

    assert kept == whole


# --- by the wall clock --------------------------------------------------------------


def crowds(arrivals: Sequence[Arrival]) -> Iterator[list[Arrival]]:
    """All that is handled at one instant, instant by instant."""
    start = 0
    for end in range(1, len(arrivals) + 1):
        if end == len(arrivals) or arrivals[end].now != arrivals[start].now:
            yield [*arrivals[start:end]]
            start = end


@examples(25)
@given(st.data())
def test_by_the_wall_clock_cuts_change_nothing(data: st.DataObject) -> None:
    world = data.draw(worlds())
    arrivals = data.draw(streams(world, orderly=False, at=in_a_crowd, visits=True))
    ticks = data.draw(st.lists(st.booleans(), min_size=1, max_size=8))
    dice = data.draw(rolls(60))

    whole, cuts = Shell(world, MemoryStore()), Shell(world, MemoryStore())
    for n, crowd in enumerate(crowds(arrivals)):
        now = crowd[0].now
        whole.runtime.ingest([one.stimulus for one in crowd], now=now)
        for piece in cut(crowd, dice):
            cuts.runtime.ingest([one.stimulus for one in piece], now=now)
        if ticks[n % len(ticks)]:
            whole.runtime.tick(now)
            cuts.runtime.tick(now)

    assert cuts.outcome() == whole.outcome()


# --- two at once --------------------------------------------------------------------


class Committed(NamedTuple):
    """One customer's part of a batch, as it was stored."""

    customer: str
    stimuli: Sequence[Stimulus]
    now: int


class Contested(MemoryStore):
    """A store in which somebody else may come in between a load and a commit.

    Attributes:
        history: What was stored, in this order.
        between: What others do before the next commits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Committed] = []
        self.between: list[Callable[[], object]] = []
        self.batch: Callable[[str], Committed] = lambda id: Committed(id, [], 0)

    def commit(
        self, changes: Sequence[Stored], *, along: Along = NOTHING
    ) -> Collection[str]:
        batch = self.batch
        if self.between:
            self.between.pop()()
        refused = super().commit(changes, along=along)
        self.history += [
            batch(change.after.id)
            for change in changes
            if change.after.id not in refused
        ]
        self.batch = batch  # the same once more, for whoever was refused
        return refused


def handled(shell: Shell, store: Contested, batch: Sequence[Arrival] | int) -> None:
    """Let one of several runtimes handle a batch, or wake whoever is due."""
    if isinstance(batch, int):
        store.batch = lambda id: Committed(id, [WakeUp(id)], batch)
        shell.runtime.tick(batch)
        return
    now = batch[0].now
    store.batch = lambda id: Committed(
        id, [one.stimulus for one in batch if one.stimulus.customer == id], now
    )
    shell.runtime.ingest([one.stimulus for one in batch], now=now)


@examples(25)
@given(st.data())
def test_two_runtimes_on_one_store_decide_as_one_after_the_other(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    arrivals = data.draw(streams(world, orderly=False, at=in_a_crowd))
    dice = data.draw(rolls(80))
    store = Contested()
    shells = [Shell(world, store), Shell(world, store)]

    work: list[Sequence[Arrival] | int] = []
    for crowd in crowds(arrivals):
        work += cut(crowd, dice)
        work += [crowd[0].now] * dice.number(3)
    while work:
        first, *others = work[: 1 + dice.number(4)]
        del work[: 1 + len(others)]
        store.between = [
            lambda batch=batch: handled(shells[1], store, batch)  # type: ignore[misc]
            for batch in others
        ]
        handled(shells[0], store, first)
        while store.between:  # nobody was there to be overtaken
            store.between.pop()()
    disturbed = Shell(world, store).outcome()

    alone = Shell(world, MemoryStore())
    for customer, stimuli, now in store.history:
        assert {stimulus.customer for stimulus in stimuli} == {customer}
        alone.runtime.ingest(stimuli, now=now)
    expected = alone.outcome()
    assert disturbed.customers == expected.customers
    assert disturbed.commands == expected.commands
    assert changes(disturbed) == changes(expected)
    assert_nobody_is_lost(disturbed)


def changes(outcome: Outcome) -> Mapping[str, Sequence[Any]]:
    """The decisions that changed something, in the order of what they changed."""
    return {
        customer: [line for line in lines if line["n"] >= 0]
        for customer, lines in outcome.lines.items()
        if any(line["n"] >= 0 for line in lines)
    }


def assert_nobody_is_lost(outcome: Outcome) -> None:
    """Whoever entered waits or has ended once, and nothing is sent twice."""
    for customer, lines in outcome.lines.items():
        if any(line["kind"] == "forgotten" for line in lines):
            continue
        begun = [one["enrollment"] for one in lines if one["kind"] == "entered"]
        ended = [
            one["enrollment"]
            for one in lines
            if one["kind"] in ("completed", "exited", "failed")
        ]
        waiting = [
            run.id for run in outcome.customers[customer].active if not run.held_out
        ]
        assert sorted(begun) == sorted([*ended, *waiting])
    messages = [
        command.delivery_id
        for commands in outcome.commands.values()
        for command in commands
        if isinstance(command, SendMessage)
    ]
    assert len(set(messages)) == len(messages)
