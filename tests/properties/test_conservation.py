"""Nobody is lost, and nothing is done twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import assume, given, strategies as st
from tests.properties.worlds import Change, Life, examples, is_cut, stories, worlds

from journeykit import PublishEvent, Reaction, SendMessage
from journeykit.engine.ids import delivery_id, emitted_id


@examples(80)
@given(st.data())
def test_whoever_entered_is_held_out_or_waits_or_has_ended_once(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world)
    told: Counter[tuple[str, str]] = Counter()

    for moment in data.draw(stories(world.start, states=True)):
        reaction = life.meet(moment)
        if reaction is None:
            continue
        assert life.customer is not None
        assume(not is_cut(reaction))
        told += Counter((entry.kind, entry.journey) for entry in reaction.trace)
        for journey in world.journeys:
            entered = told["entered", journey.id]
            held_out = told["held_out", journey.id]
            ended = sum(
                told[kind, journey.id] for kind in ("completed", "exited", "failed")
            )
            runs = [run for run in life.customer.active if run.journey == journey.id]
            past = life.customer.past.get(journey.id)
            assert entered == ended + sum(not run.held_out for run in runs)
            assert held_out >= sum(run.held_out for run in runs)
            assert (past.count if past else 0) == entered + held_out
            if past:
                assert past.count >= len(runs)


@examples(80)
@given(st.data())
def test_each_run_enters_once_ends_at_most_once_and_does_nothing_after_it(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world).live(data.draw(stories(world.start, states=True)), timer=True)

    ended: set[str] = set()
    begun: set[str] = set()
    assume(not any(is_cut(reaction) for _, reaction in life.reactions))
    for entry, _ in life.told:
        if not entry.enrollment:
            continue
        if entry.kind in ("entered", "held_out"):
            assert entry.enrollment not in begun
            begun.add(entry.enrollment)
        assert entry.enrollment in begun
        if entry.kind != "goal":  # a goal's window may outlast its run
            assert entry.enrollment not in ended
        if entry.kind in ("completed", "exited", "failed"):
            ended.add(entry.enrollment)


@examples(80)
@given(st.data())
def test_every_goal_is_reached_at_most_once_by_a_run(data: st.DataObject) -> None:
    world = data.draw(worlds())
    life = Life(world).live(data.draw(stories(world.start, states=True)), timer=True)

    reached = Counter(
        (entry.enrollment, entry.reason)
        for entry, _ in life.told
        if entry.kind == "goal"
    )

    assert set(reached.values()) <= {1}


VISITS = 400  # more than a run of these worlds makes in its loops


@examples(80)
@given(st.data())
def test_ids_of_commands_are_derived_and_no_delivery_id_comes_twice(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world).live(data.draw(stories(world.start, states=True)), timer=True)

    commands = [c for _, reaction in life.reactions for c in reaction.commands]
    messages = [c for c in commands if isinstance(c, SendMessage)]
    assume(not any(is_cut(reaction) for _, reaction in life.reactions))
    published = [c for c in commands if isinstance(c, PublishEvent)]
    told = Counter(e.detail["delivery_id"] for e, _ in life.told if e.kind == "sent")
    emitting = {(e.enrollment, e.step) for e, _ in life.told if e.kind == "emitted"}
    made = {
        (_first_channel, _second_channel): {(m.enrollment, m.step) for m in messages},
        (emitted_id,): emitting,
    }
    derived = {
        make(run, step, visit)
        for makes, steps in made.items()
        for run, step in steps
        for visit in range(VISITS)
        for make in makes
    }

    assert Counter(message.delivery_id for message in messages) == told
    assert set(told.values()) <= {1}
    assert len({event.id for event in published}) == len(published)
    assert {c.delivery_id for c in messages} | {c.id for c in published} <= derived


def _first_channel(enrollment: str, step: str, visit: int) -> str:
    return delivery_id(enrollment, step, visit, 0)


def _second_channel(enrollment: str, step: str, visit: int) -> str:
    return delivery_id(enrollment, step, visit, 1)


@examples(80)
@given(st.data())
def test_an_event_that_is_handled_twice_does_nothing_the_second_time(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world)

    for moment in data.draw(stories(world.start, states=True)):
        if isinstance(moment.what, Change):
            life.meet(moment)
            continue
        stimulus = life.stimulus(moment)
        first = life.react(stimulus, moment.now)
        again = life.react(stimulus, moment.now)
        due = first.customer.next_due
        if due is None or due > moment.now:
            assert again.customer is first.customer
        sent = {command.delivery_id for command in messages_of(first)}
        assert not sent & {command.delivery_id for command in messages_of(again)}


def messages_of(reaction: Reaction) -> list[SendMessage]:
    return [c for c in reaction.commands if isinstance(c, SendMessage)]
