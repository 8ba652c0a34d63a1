"""When the timer goes off decides nothing but when messages are released (§6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from hypothesis import assume, given, strategies as st
from tests.properties.worlds import (
    ANY,
    DAY,
    HOUR,
    MINUTE,
    TIMELESS,
    Dice,
    Life,
    Moment,
    Told,
    aware,
    examples,
    is_cut,
    rolls,
    stories,
    worlds,
)

from journeykit import Catalog, Customer, SendMessage, WakeUp, react
from journeykit.engine.calendar import LATEST
from journeykit.engine.ids import seen_hash
from journeykit.engine.limits import SENDS_PER_REACTION

RELEASES = {"sent", "suppressed", "deferred"}


def ticked(story: Sequence[Moment], dice: Dice) -> list[Moment]:
    """The same events with wake-ups in between that overtake no waiting event."""
    found: list[Moment] = []
    for moment, following in zip(story, [*story[1:], None], strict=True):
        found.append(moment)
        if following is None:
            break
        tick = moment.now
        while dice.number(3):
            tick += dice.pick(0, 1, MINUTE, 30 * MINUTE, HOUR, 5 * HOUR, DAY)
            if tick >= following.received:
                break
            found.append(Moment(tick, tick, tick, WakeUp("ada")))
    return found


def with_an_end(story: list[Moment]) -> list[Moment]:
    """One more event, long after, that changes something whatever came before."""
    end = story[-1].now + 20 * DAY
    return [*story, Moment(end, end, end, ("profile.updated", {"end": 1}), "the-end")]


def path(life: Life) -> list[Told]:
    """What was decided; a stimulus that was declined at the door is on no path."""
    return [
        told
        for told in life.told
        if told.entry.reason not in ("duplicate", "replay_too_old")
    ]


def is_whole(life: Life) -> bool:
    """Whether no reaction met its limits (§7, §8).

    One that ran out of budget leaves over what was due before it, and a trace that was
    cut doesn't tell all.
    """
    return not any(
        is_cut(reaction)
        or (
            reaction.customer.next_due is not None
            and reaction.customer.next_due < reaction.customer.clock
        )
        for _, reaction in life.reactions
    )


def essence(life: Life, story: Sequence[Moment]) -> Customer:
    """The document apart from what depends on when it was written, and decides nothing.

    That is: the count of writes; the wall clock of releases, and of the events that Emit
    steps let happen; goals that nobody watches any more, which a later write forgets; and
    where somebody was seen last, since a report of these stories is about what was sent
    by then, and without a timer that is less.
    """
    customer = life.customer
    assert customer is not None
    received = {seen_hash(source, m.id) for m in story for source in ("", "enroll")}
    past = {
        journey: msgspec.structs.replace(
            known,
            finished=[
                run
                for run in known.finished
                if any((watch.until or 0) > customer.clock for watch in run.watches)
            ],
        )
        for journey, known in customer.past.items()
    }
    seen = {hash: at for hash, at in customer.seen.items() if hash in received}
    return msgspec.structs.replace(
        customer, revision=0, ledger=[], past=past, seen=seen, addresses={}
    )


@examples(150)
@given(st.data())
def test_without_guards_that_look_at_the_clock_ticks_change_nothing(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds(TIMELESS))
    story = with_an_end(data.draw(stories(world.start, TIMELESS, orderly=True)))

    punctual = Life(world).live(story, timer=True)
    idle = Life(world).live(story)
    ticking = Life(world).live(ticked(story, data.draw(rolls(60))))

    assume(all(is_whole(life) for life in (punctual, idle, ticking)))
    for other in (idle, ticking):
        assert [t.entry for t in path(other)] == [t.entry for t in path(punctual)]
        assert other.sent == punctual.sent
        assert essence(other, story) == essence(punctual, story)


@examples(150)
@given(st.data())
def test_the_path_is_the_same_up_to_the_first_release_that_a_late_tick_changed(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds(ANY))
    story = with_an_end(data.draw(stories(world.start, orderly=True)))

    punctual = Life(world).live(story, timer=True)
    idle = Life(world).live(story)
    ticking = Life(world).live(ticked(story, data.draw(rolls(60))))

    assume(all(is_whole(life) for life in (punctual, idle, ticking)))
    assert_same_up_to_a_late_release(path(punctual), path(idle))
    assert_same_up_to_a_late_release(path(punctual), path(ticking))


def assert_same_up_to_a_late_release(one: list[Told], two: list[Told]) -> None:
    for left, right in zip(one, two, strict=False):
        if {left.entry.kind, right.entry.kind} <= RELEASES and (
            left.entry.enrollment,
            left.entry.step,
        ) == (right.entry.enrollment, right.entry.step):
            late = (left.now - left.entry.at) != (right.now - right.entry.at)
            if late:
                return
        assert left.entry == right.entry
    assert len(one) == len(two)


def dues(catalog: Catalog, customer: Customer) -> Iterator[int]:
    """All that happens by itself: runs, held messages, and the customer's own."""
    yield from map(catalog.due_of, customer.active)
    yield from map(catalog.due_of_held, customer.held)
    yield from own_dues(customer)


def own_dues(customer: Customer) -> Iterator[int]:
    """When segments, the stage, or the way to a trigger may change by time alone."""
    own = [customer.flips_at, *(one.due for one in customer.progress.values())]
    yield from (due for due in own if due is not None)


@examples(80)
@given(st.data())
def test_next_due_is_the_earliest_due_and_waking_before_it_does_nothing(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world)

    for moment in data.draw(stories(world.start, states=True, merges=True)):
        if life.meet(moment) is None:
            continue
        customer = life.customer
        assert customer is not None
        if customer.catalog < life.catalog.revision:
            continue  # what changed nothing has not obeyed the new catalog either
        earliest = min(dues(life.catalog, customer), default=LATEST)
        assert customer.next_due == (None if earliest == LATEST else earliest)
        early = moment.now if customer.next_due is None else customer.next_due - 1
        reaction = react(
            customer, WakeUp("ada"), catalog=life.catalog, now=aware(early)
        )
        assert reaction.customer is customer
        assert not reaction.commands
        assert not reaction.trace


@examples(80)
@given(st.data())
def test_whoever_has_something_due_is_done_after_finitely_many_wake_ups(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world).live(data.draw(stories(world.start, states=True, merges=True)))

    late = life.reactions[-1][0] + data.draw(st.sampled_from([0, HOUR, DAY, 40 * DAY]))
    count = 0
    while (due := life.due) is not None and due <= late:
        life.wake(late)
        count += 1
        assert life.due is None or life.due >= due
        assert count < 2000
    for _, reaction in life.reactions:
        messages = [c for c in reaction.commands if isinstance(c, SendMessage)]
        assert len(messages) <= SENDS_PER_REACTION


@examples(80)
@given(st.data())
def test_the_clock_never_runs_back_and_a_wake_up_moves_it_no_further_than_it_must(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world)

    clock = 0
    for moment in data.draw(stories(world.start, merges=True)):
        # A held-out run ends without a word when its last window closes.
        closing = [
            run.due or 0
            for run in (life.customer.active if life.customer else [])
            if run.held_out and (run.due or 0) <= moment.now
        ]
        # Nor needs anything be told of a segment that is hidden, or of nobody's schedule.
        before = life.customer
        turns = [due for due in own_dues(before) if due <= moment.now] if before else []
        reaction = life.meet(moment)
        assert reaction is not None
        assert life.customer is not None
        assert life.customer.clock >= clock
        if isinstance(moment.what, WakeUp) and clock:
            happened = [entry.at for entry in reaction.trace]
            latest = [moment.now] if turns else [clock, *closing, *happened]
            assert life.customer.clock <= max(latest)
        clock = life.customer.clock


@examples(80)
@given(st.data())
def test_the_trace_is_in_the_order_of_its_instants(data: st.DataObject) -> None:
    world = data.draw(worlds())
    life = Life(world)

    last = 0
    for moment in data.draw(stories(world.start, merges=True)):
        before = life.customer
        reaction = life.meet(moment)
        assert reaction is not None
        instants = [entry.at for entry in reaction.trace]
        assert instants == sorted(instants)
        assert all(at >= last for at in instants)
        if (
            reaction.customer is not before
        ):  # what writes nothing has no instant to keep
            last = max([last, *instants])
        if life.due is not None:  # left over for a wake-up "with the same at" (§7)
            last = min(last, life.due)
