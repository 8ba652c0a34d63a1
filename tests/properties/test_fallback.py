"""Whatever happens: one channel at a time, each with its own id, and none after a word."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any, Literal, NamedTuple

from hypothesis import given, strategies as st
from tests.properties.worlds import HOUR, MINUTE, aware, examples

from journeykit import (
    Cap,
    Catalog,
    Customer,
    Event,
    Goal,
    Journey,
    Policies,
    QuietHours,
    Repeat,
    Send,
    SendMessage,
    Stimulus,
    Wait,
    WakeUp,
    Window,
    hours,
    on,
    react,
)
from journeykit.engine.catalog import State
from journeykit.engine.customer import decode, encode
from journeykit.engine.ids import delivery_id
from journeykit.engine.stimuli import Returned
from journeykit.engine.trace import TraceEntry
from journeykit.model.rules import Fate, fates_beyond

START = 1_780_315_200_000  # 2026-06-01T12:00Z
CHANNELS = ("push", "sms", "email", "letter")
LOST = ("bounced", "failed", "rejected")
FATES = ("delivered", "opened", "clicked", "replied", "complained", "deferred", *LOST)
AFTER_HOURS = 3
VISITS = 16  # three rounds of three steps, and some


class Act(NamedTuple):
    """Something that happens, so long after the one before.

    Attributes:
        gap: Milliseconds.
        what: A fate of the n-th last message, or something else.
        n: Which message it is about.
        hours: Until when a message that comes back is held.
    """

    gap: int
    what: str
    n: int
    hours: int


ACTS = st.builds(
    Act,
    st.sampled_from([0, 1, MINUTE, HOUR, 3 * HOUR, 3 * HOUR - 1, 5 * HOUR, 24 * HOUR]),
    st.sampled_from(
        [
            *(*FATES, *LOST, "timer", "timer", "wake", "wake", "back"),
            *("pause", "live", "start", "bought", "no", "yes"),
        ]
    ),
    st.integers(0, 3),
    st.integers(0, 6),
)

POLICIES = (
    Policies(),
    Policies(quiet_hours=[QuietHours(Window("20:00", "08:00"))]),
    Policies(caps=[Cap(2, within=hours(24))]),
)


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    channels = draw(st.permutations(CHANNELS))[: draw(st.integers(2, 4))]
    send = Send(
        list(channels),
        "news",
        id="news",
        fallback_after=hours(AFTER_HOURS),
        fallback_unless=draw(st.sampled_from(["delivered", "opened", "clicked"])),
        expires_after=draw(st.sampled_from([None, "never", hours(4)])),
        on_capped=draw(st.sampled_from(["skip", "defer", "exit"])),
        on_refused=draw(st.sampled_from(["skip", "exit"])),
    )
    return Journey(
        "j",
        trigger=on("start"),
        reentry=draw(st.sampled_from(["after_exit", "always", "restart"])),
        goal=Goal(on("bought")),
        steps=[Repeat([send, Wait(hours(30))], times=3)],
    )


class Went(NamedTuple):
    """A message that was released: when, in which visit, over which of the channels."""

    at: int
    visit: int
    position: int
    message: SendMessage


class World:
    """A customer, and everything that was released and heard."""

    def __init__(self, journey: Journey, policies: Policies) -> None:
        self.journey = journey
        self.policies = policies
        self.state: State = "live"
        self.revision = 0
        self.now = START
        self.count = 0
        self.customer: Customer | None = None
        self.released: list[SendMessage] = []
        self.went: list[Went] = []
        self.heard: list[tuple[int, str, str]] = []  # when, of which message, what
        self.given_up: list[tuple[int, str]] = []
        self.trace: list[TraceEntry] = []
        self.publish()

    def publish(self) -> None:
        self.revision += 1
        self.catalog = Catalog.compile(
            [self.journey],
            policies=self.policies,
            states={} if self.state == "live" else {"j": self.state},
            revision=self.revision,
        )

    def react(self, stimulus: Stimulus) -> None:
        before = None if self.customer is None else decode(encode(self.customer))
        reaction = react(
            before, stimulus, catalog=self.catalog, now=aware(self.now), explain=False
        )
        self.customer = reaction.customer
        self.trace += reaction.trace
        for entry in reaction.trace:
            if entry.kind == "suppressed" and "delivery_id" in entry.detail:
                self.given_up.append((self.now, entry.detail["delivery_id"]))
        for command in reaction.commands:
            assert isinstance(command, SendMessage)
            if all(known.delivery_id != command.delivery_id for known in self.released):
                self.went.append(self.placed(command))
            self.released.append(command)

    def placed(self, message: SendMessage) -> Went:
        """Where the id says that it belongs."""
        (found,) = (
            (visit, position)
            for visit in range(1, VISITS)
            for position in range(4)
            if delivery_id(message.enrollment, "news", visit, position)
            == message.delivery_id
        )
        return Went(self.now, *found, message)

    def happens(self, act: Act) -> None:
        if act.what == "timer":  # which is on time, all the while
            end = self.now + act.gap
            while self.due is not None and self.due <= end:
                self.now = max(self.due, self.now)
                self.react(WakeUp("ada"))
            self.now = end
            return
        self.now += act.gap
        match act.what:
            case "wake":
                self.react(WakeUp("ada"))
            case "pause" | "live":
                self.state = "paused" if act.what == "pause" else "live"
                self.publish()
                self.react(WakeUp("ada"))
            case "start" | "bought":
                self.event(act.what)
            case "no" | "yes":
                channel = CHANNELS[act.n]
                self.event(
                    "consent.changed", granted=act.what == "yes", channel=channel
                )
            case _ if not self.released:
                pass
            case "back":
                self.back(act)
            case fate:
                about = self.released[-1 - act.n % len(self.released)]
                self.heard.append((self.now, about.delivery_id, fate))
                self.event(
                    f"message.{fate}",
                    delivery_id=about.delivery_id,
                    enrollment=about.enrollment,
                    channel=about.channel,
                )

    def back(self, act: Act) -> None:
        """A message comes back that nobody has heard of yet."""
        message = self.released[-1 - act.n % len(self.released)]
        held = self.customer.held if self.customer else []
        known = {id for _, id, _ in self.heard}
        known |= {one.message.delivery_id for one in held}
        known |= {id for _, id in self.given_up}
        if message.delivery_id not in known:
            until = self.now + act.hours * HOUR
            reason: Literal["pace"] = "pace"
            self.react(
                Returned(
                    message=message,
                    until=until,
                    reason=reason,
                    received_at=aware(self.now),
                )
            )

    def event(self, name: str, **properties: Any) -> None:
        self.count += 1
        self.react(
            Event(
                id=f"e{self.count}",
                name=name,
                customer="ada",
                properties=properties,
                occurred_at=aware(self.now),
                received_at=aware(self.now),
            )
        )

    @property
    def due(self) -> int | None:
        return self.customer.next_due if self.customer else None


@st.composite
def lives(draw: st.DrawFn) -> World:
    world = World(draw(journeys()), draw(st.sampled_from(POLICIES)))
    world.event("start")
    for act in draw(st.lists(ACTS, max_size=25)):
        world.happens(act)
    return world


def rounds(world: World) -> list[list[Went]]:
    """The messages of each visit to the step, in the order of their release."""
    found: dict[tuple[str, int], list[Went]] = {}
    for went in world.went:
        found.setdefault((went.message.enrollment, went.visit), []).append(went)
    return list(found.values())


@examples(150)
@given(lives())
def test_never_two_channels_at_once_before_the_time_is_up(world: World) -> None:
    for messages in rounds(world):
        for one, other in pairwise(messages):
            id = one.message.delivery_id
            lost = any(
                about == id and fate in LOST and one.at <= at <= other.at
                for at, about, fate in world.heard
            )
            given_up = any(
                about == id and one.at <= at <= other.at for at, about in world.given_up
            )
            assert lost or given_up or other.at - one.at >= AFTER_HOURS * HOUR


@examples(150)
@given(lives())
def test_the_channels_go_in_their_order_and_their_ids_differ(world: World) -> None:
    for messages in rounds(world):
        positions = [went.position for went in messages]
        assert positions == sorted(set(positions))
        for went in messages:
            step = world.journey.step("news")
            assert isinstance(step, Send)
            assert went.message.channel == step.channel[went.position]


@examples(150)
@given(lives())
def test_behind_word_of_a_message_no_other_channel_follows(world: World) -> None:
    step = world.journey.step("news")
    assert isinstance(step, Send)
    unless: Fate = step.fallback_unless
    for messages in rounds(world):
        ids = [went.message.delivery_id for went in messages]
        word = [
            at
            for at, about, fate in world.heard
            if about in ids and fate in fates_beyond(unless)
        ]
        # What is due at the very instant of an event comes behind it.
        assert all(went.at <= min(word) for went in messages if word)


@examples(150)
@given(lives())
def test_nothing_goes_once_the_next_channel_has_its_turn(world: World) -> None:
    for messages in rounds(world):
        for one, other in pairwise(messages):
            again = [
                message
                for message in world.released
                if message.delivery_id == one.message.delivery_id
            ]
            assert other.at >= (one.message.expires_at or 0) or any(
                about == one.message.delivery_id
                for _, about, *_ in (*world.heard, *world.given_up)
            )
            held = world.customer.held if world.customer else []
            assert all(
                item.message.delivery_id != one.message.delivery_id for item in held
            )
            assert len({message.expires_at for message in again}) == 1


def test_these_lives_fall_back_for_every_reason() -> None:
    seen = set()
    for seed in range(150):
        random = Random(seed)
        step = Send(
            ["push", "sms", "email"], "news", id="news", fallback_after=hours(3)
        )
        world = World(Journey("j", trigger=on("start"), steps=[step]), POLICIES[0])
        world.event("start")
        for _ in range(12):
            gap = random.choice([1, MINUTE, HOUR, 3 * HOUR])
            what = random.choice([*LOST, "timer", "wake", "back", "opened"])
            world.happens(Act(gap, what, random.randrange(2), random.randrange(6)))
        seen |= {entry.reason for entry in world.trace if entry.kind == "fell_back"}

    assert seen == {"timeout", "bounced", "rejected", "failed", "not_sent"}
