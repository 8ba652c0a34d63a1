"""Whatever stands before a door: it is taken, or refused by an error that is documented."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, strategies as st
from tests.properties.worlds import RULES, Dice, Life, examples, rolls, stories, worlds

from journeykit import Catalog, InputError, JourneyKitError, Policies, react
from journeykit.engine.customer import decode, encode, upgraded
from journeykit.model.formats import FORMATS, decode_event

REFUSALS = (ValueError, msgspec.ValidationError)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["P1D", "PT1H", "profile.x == 1", "email", "Europe/Berlin"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
lines = st.fixed_dictionaries(
    {
        "id": st.text(max_size=4),
        "name": st.sampled_from(
            ["cart.updated", "profile.updated", "consent.changed", "message.bounced"]
        ),
        "customer": st.just("ada"),
        "occurred_at": st.just("2026-03-07T20:00:00Z"),
    },
    optional={
        "properties": st.dictionaries(
            st.sampled_from(["amount", "item", "channel", "bounce", "zone", "granted"])
            | st.text(max_size=4),
            anything,
            max_size=4,
        ),
        "source": st.text(max_size=4),
        "received_at": st.sampled_from(["2026-03-07T20:00:00+01:00", "soon"]),
        "test": st.booleans(),
    },
)


@examples(200)
@given(st.binary(max_size=200))
@example(b"\xff")
@example(b"[" * 100_000)
@example(b'{"messageId":' * 20_000)
def test_bytes_are_an_event_or_an_input_error(line: bytes) -> None:
    with suppress(InputError):
        decode_event(line)


@examples(200)
@given(st.one_of(lines, anything), st.sampled_from(FORMATS))
def test_json_is_an_event_or_an_input_error(value: Any, format: Any) -> None:
    with suppress(InputError):
        decode_event(json.dumps(value).encode(), format=format)


@examples(100)
@given(lines.filter(lambda line: line["id"]), st.data())
@example(
    {
        "id": "1",
        "name": "profile.updated",
        "customer": "ada",
        "occurred_at": "2026-03-07T20:00:00Z",
        "properties": {"big": 10**40, "small": -(10**40), "\ud800": "\ud800"},
    },
    None,
)
def test_what_the_door_takes_can_be_decided_on_and_stored(
    line: dict[str, Any], data: st.DataObject | None
) -> None:
    try:
        event = decode_event(json.dumps(line).encode())
    except InputError:
        return
    catalog = (
        data.draw(worlds()).catalog()
        if data
        else Catalog.compile([], policies=Policies())
    )

    reaction = react(None, event, catalog=catalog, now=event.received_at, explain=True)

    assert decode(encode(reaction.customer)) == reaction.customer
    assert msgspec.json.encode((reaction.commands, reaction.trace))


def damaged(document: Any, dice: Dice, value: Any) -> Any:
    """A document of which some part, somewhere, is another value or missing."""
    damaged = deepcopy(document)
    place = damaged
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = keys[dice.number(len(keys))]
        if not isinstance(place[key], dict | list) or not place[key] or dice.rare():
            break
        place = place[key]
    if dice.rare() and isinstance(place, dict):
        del place[key]
    else:
        place[key] = value
    return damaged


@examples(100)
@given(worlds(), rolls(20), anything)
def test_a_damaged_plan_is_compiled_or_refused_by_an_error_of_ours(
    world: Any, dice: Dice, value: Any
) -> None:
    plan = damaged(world.journeys[0].to_plan(), dice, value)
    policies = world.policies.to_plan()
    if dice.rare():
        policies = damaged(policies, dice, value)

    with suppress(JourneyKitError):
        Catalog.compile([plan], policies=policies, channels=RULES)


@examples(100)
@given(st.data())
def test_a_damaged_document_is_read_or_refused_by_a_documented_error(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    life = Life(world).live(data.draw(stories(world.start)))
    assert life.customer is not None
    document = json.loads(encode(life.customer))
    broken = damaged(document, data.draw(rolls(20)), data.draw(anything))

    with suppress(*REFUSALS):
        read = upgraded(broken)
        assert decode(encode(read)) == read


@examples(100)
@given(anything)
def test_any_json_is_a_document_or_refused_by_a_documented_error(value: Any) -> None:
    document = value if isinstance(value, dict) else {"id": "x", "created_at": value}

    with suppress(*REFUSALS):
        upgraded(document)


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"\xff", b'{"id": 1}'])
def test_bytes_that_are_no_document_are_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(line)
