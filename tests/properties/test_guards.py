"""Each release, suppression and deferral, against rules that were told a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random

from hypothesis import given, strategies as st
from tests.properties.oracle import (
    Known,
    Letter,
    Question,
    Said,
    closed,
    expires_at,
    is_full,
    is_tired,
    next_turn,
    verdict,
)
from tests.properties.worlds import (
    DAY,
    HOUR,
    MINUTE,
    Dice,
    Life,
    Moment,
    Report,
    World,
    examples,
    is_cut,
    stories,
    story,
    world_of,
    worlds,
)

from journeykit import Event, Reaction, Send, TraceEntry
from journeykit.engine.react import Stimulus
from journeykit.model.events import MESSAGE_BOUNCED, MESSAGE_FAILED

GROUPS = {
    "expired": "on_expired",
    "frequency_cap": "on_capped",
    "quiet_hours": "on_quiet",
    "open_hours": "on_quiet",
    "closed_day": "on_quiet",
}


class TraceWasCut(Exception):
    """A trace that was too long (§8) can't be witnessed."""


class Witness:
    """Reads the trace as it comes and asks the oracle about every message.

    Attributes:
        seen: How often each verdict was met.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.life = Life(world, explain=True)
        self.known = Known()
        self.seen: Counter[str] = Counter()
        self.arrived: dict[str, tuple[str, int]] = {}
        self.tried: dict[str, int] = {}
        self.journeys = {journey.id: journey for journey in world.journeys}

    def meet(self, moment: Moment) -> None:
        """One moment, preceded by what is due if the moment gives something back."""
        if isinstance(moment.what, Report):
            # The trace doesn't say when in the reaction; so nothing else is due in it.
            while self.life.due is not None and self.life.due < moment.now:
                self.read(self.life.wake(moment.now), moment.now)
        stimulus = self.life.stimulus(moment)
        lost = self._lost_by(stimulus)
        if any(
            letter.id == lost and letter.at + 3 * DAY <= moment.now
            for letter in self.known.letters
        ):
            return  # too late to give it back to every cap (limits.FAILURE_MS)
        reaction = self.life.react(stimulus, moment.now)
        reasons = {entry.reason for entry in reaction.trace}
        if lost and not reasons & {"duplicate", "replay_too_old"}:
            letters = self.known.letters
            self.known.letters = [item for item in letters if item.id != lost]
        self.read(reaction, moment.now)

    def _lost_by(self, stimulus: Stimulus) -> str:
        """The delivery that never arrived, for good, by this event's word."""
        if not isinstance(stimulus, Event):
            return ""
        lost = stimulus.name == MESSAGE_FAILED or (
            stimulus.name == MESSAGE_BOUNCED
            and stimulus.properties.get("bounce") == "hard"
        )
        return str(stimulus.properties.get("delivery_id", "")) if lost else ""

    def read(self, reaction: Reaction, now: int) -> None:
        """Follow the trace: what was learned, where runs are, what became of messages."""
        if is_cut(reaction):
            raise TraceWasCut
        released: dict[str, int] = {}
        gone: set[tuple[str, str]] = set()  # a step sends one message a reaction
        until: dict[str, int] = {}
        for entry in reaction.trace:
            match entry.kind:
                case "profile" | "updated":
                    self._learn(entry)
                case "consent":
                    key = tuple(
                        entry.detail[k] for k in ("channel", "topic", "purpose")
                    )
                    self.known.hear(entry.reason, Said(False, *key, at=entry.at))
                case "address":
                    self._note_address(entry)
                case "waiting" if entry.reason == "fallback":
                    assert entry.detail["until"] == until.pop(entry.enrollment)
                    self.seen["waits for word"] += 1
                case "fell_back":
                    assert entry.enrollment in self.tried
                    self.seen[f"falls back: {entry.reason}"] += 1
                case "went_on" if entry.enrollment in self.tried:
                    self._left(entry)
                    self.seen["word came"] += 1
                case "sent" | "suppressed" | "deferred":
                    arrived = self._arrival(entry)
                    if entry.reason == "loop":
                        assert (entry.enrollment, entry.step) in gone
                        assert released[entry.enrollment] == entry.at
                        self.seen["suppressed loop"] += 1
                    elif entry.reason == "catch_up":
                        assert released[entry.enrollment] < entry.at
                        assert now < entry.detail["until"] <= now + HOUR
                        self.seen["deferred catch_up"] += 1
                    else:
                        self._ask(entry, now, arrived)
                    if entry.kind == "sent":
                        # Two with a wait between them never go in one reaction.
                        assert released.get(entry.enrollment, entry.at) == entry.at
                        released[entry.enrollment] = entry.at
                        assert (entry.enrollment, entry.step) not in gone
                        gone.add((entry.enrollment, entry.step))
                        turn = self._next_turn(entry, now)
                        if turn is not None:
                            until[entry.enrollment] = turn
                            continue
                    if entry.kind != "deferred":  # it may come to this step again
                        self._left(entry)
        assert not until

    def _left(self, entry: TraceEntry) -> None:
        self.arrived.pop(entry.enrollment)
        self.tried.pop(entry.enrollment, None)

    def _next_turn(self, entry: TraceEntry, now: int) -> int | None:
        """When another channel takes over, and from which on."""
        journey = self.journeys[entry.journey]
        step = journey.step(entry.step)
        assert isinstance(step, Send)
        tried = step.channel.index(entry.detail["channel"]) + 1
        asked = Question("ada", journey, step, now, 0, tried)
        turn = next_turn(self.world.policies, self.known, asked)
        if turn is not None:
            self.tried[entry.enrollment] = tried
        return turn

    def _learn(self, entry: TraceEntry) -> None:
        self.known.profile |= entry.detail["values"]
        for name in [name for name, v in self.known.profile.items() if v is None]:
            del self.known.profile[name]

    def _note_address(self, entry: TraceEntry) -> None:
        state = self.known.state_of(entry.detail["channel"], "ada")
        if entry.reason == "bounced":
            self.known.resting[state] = entry.at
        elif entry.reason == "restored":
            self.known.lost.discard(state)
            self.known.resting.pop(state, None)
        else:
            self.known.lost.add(state)

    def _ask(self, entry: TraceEntry, now: int, arrived: int) -> None:
        """The oracle says the same: sent, or the same reason; and for how long."""
        journey = self.journeys[entry.journey]
        step = journey.step(entry.step)
        assert isinstance(step, Send)
        tried = self.tried.get(entry.enrollment, 0)
        asked = Question("ada", journey, step, now, arrived, tried)
        expected, channel = verdict(self.world.policies, self.known, asked)
        self.seen[f"{entry.kind} {expected}"] += 1
        if entry.kind == "sent":
            assert (expected, channel) == ("sent", entry.detail["channel"])
            letter = asked.by(channel)
            id = entry.detail["delivery_id"]
            self.known.letters.append(Letter(**{**vars(letter), "id": id}))
            return
        assert entry.reason == expected
        until = entry.detail.get("until")
        if entry.kind == "deferred":
            assert getattr(step, GROUPS[expected]) == "defer"
            expiry = expires_at(self.known, asked)
            assert isinstance(until, int)
            assert now < until
            assert expiry is None or until < expiry
        if expected == "frequency_cap" and isinstance(until, int):
            assert self._frees_up(asked, channel, until)
        elif GROUPS.get(expected) == "on_quiet" and isinstance(until, int):
            assert list(self._forbidding(asked, channel, until)) == []
            step_ms = max((until - now) // 20, MINUTE)
            for instant in {now, until - 1, *range(now, until, step_ms)}:
                assert list(self._forbidding(asked, channel, instant))

    def _frees_up(self, asked: Question, channel: str, instant: int) -> bool:
        """Whether some cap that is full now has room from that instant on."""
        letter = asked.by(channel or asked.channels[0])
        policies = self.world.policies
        if is_tired(policies, self.known, letter, asked, instant - 1):
            return not is_tired(policies, self.known, letter, asked, instant)
        return any(
            is_full(cap, self.known, letter, asked)
            and is_full(cap, self.known, letter, asked, instant - 1)
            and not is_full(cap, self.known, letter, asked, instant)
            for cap in self.world.policies.caps
        )

    def _forbidding(self, asked: Question, channel: str, instant: int) -> Iterator[str]:
        """The rules of the hour that say no then."""
        policies, known = self.world.policies, self.known
        return closed(policies, channel, asked.purpose, instant, asked, known)

    def _arrival(self, entry: TraceEntry) -> int:
        """When the run came to the step: at the first that is told of it there."""
        run = entry.enrollment
        if self.arrived.get(run, ("", 0))[0] != entry.step:
            self.arrived[run] = (entry.step, entry.at)
        return self.arrived[run][1]


@examples(150)
@given(st.data())
def test_a_message_goes_exactly_if_no_rule_forbids_it(data: st.DataObject) -> None:
    world = data.draw(worlds())
    witness = Witness(world)

    with suppress(TraceWasCut):
        for moment in data.draw(stories(world.start)):
            witness.meet(moment)


def test_these_worlds_reach_every_answer_of_the_guards() -> None:
    seen: Counter[str] = Counter()

    for seed in range(900):
        dice = Dice(Random(seed).randbytes(3000))
        world = world_of(dice, [dice, dice, dice])
        witness = Witness(world)
        with suppress(TraceWasCut):
            for moment in story(dice, world.start):
                witness.meet(moment)
        seen += witness.seen

    assert set(seen) == {
        "sent sent",
        "suppressed expired",
        "suppressed suppression_list",
        "suppressed no_consent",
        "suppressed no_address",
        "suppressed bounce_cool_down",
        "suppressed loop",
        *(
            f"{kind} {reason}"
            for kind in ("suppressed", "deferred")
            for reason in ("frequency_cap", "quiet_hours", "open_hours", "closed_day")
        ),
        "deferred catch_up",
        "waits for word",
        "word came",
        "falls back: timeout",
        "falls back: failed",
        "falls back: bounced",
    }
