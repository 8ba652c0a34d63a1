"""Equal inputs give equal reactions, whatever else happened on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from hypothesis import given, strategies as st
from tests.properties.worlds import CUSTOMERS, Life, examples, stories, worlds

from journeykit import Customer
from journeykit.engine.customer import decode, encode, upgraded

ROOT = Path(__file__).parents[2]


@examples(40)
@given(st.data())
def test_equal_inputs_give_equal_reactions_and_leave_the_input_unchanged(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    story = data.draw(stories(world.start, states=True, merges=True))
    life, other = Life(world, explain=True), Life(world, explain=True)

    for moment in story:
        before = deepcopy(life.customer)
        given_in = life.customer
        once, again = life.meet(moment), other.meet(moment)

        assert once == again
        assert given_in == before


@examples(40)
@given(st.data())
def test_a_document_may_be_encoded_and_decoded_between_any_two_stimuli(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    story = data.draw(stories(world.start, states=True, merges=True))

    plain = Life(world).live(story, timer=True)
    stored = Life(world, carry=lambda c: decode(encode(c))).live(story, timer=True)
    read = Life(world, carry=_upgraded).live(story, timer=True)

    assert stored.reactions == plain.reactions
    assert read.reactions == plain.reactions


def _upgraded(customer: Customer) -> Customer:
    return upgraded(json.loads(encode(customer)))


@examples(30)
@given(st.data())
def test_the_order_of_journeys_in_the_catalog_means_nothing(
    data: st.DataObject,
) -> None:
    world = data.draw(worlds())
    story = data.draw(stories(world.start, states=True, merges=True))
    shuffled = data.draw(st.permutations(world.journeys))
    other = replace(world, journeys=tuple(shuffled))

    one = Life(world).live(story, timer=True)
    two = Life(other).live(story, timer=True)

    assert one.reactions == two.reactions


@examples(30)
@given(st.data())
def test_customers_are_independent_of_each_other(data: st.DataObject) -> None:
    world = data.draw(worlds())
    catalog = world.catalog()
    lives = {name: data.draw(stories(world.start, customer=name)) for name in CUSTOMERS}
    alone = {name: Life(world, name=name).live(lives[name]) for name in CUSTOMERS}

    crowd = {name: Life(world, name=name, catalog=catalog) for name in CUSTOMERS}
    order = sorted(
        (moment.now, n, name)
        for name in CUSTOMERS
        for n, moment in enumerate(lives[name])
    )
    for _, n, name in order:
        crowd[name].meet(lives[name][n])

    for name in CUSTOMERS:
        assert crowd[name].reactions == alone[name].reactions


TOLD_IN_A_FRESH_PROCESS = """
import hashlib
import msgspec
from random import Random
from journeykit.engine.customer import encode
from tests.properties.worlds import Dice, Life, story, world_of

told = hashlib.sha256()
for seed in range(60):
    dice = Dice(Random(seed).randbytes(3000))
    world = world_of(dice, [dice, dice, dice])
    life = Life(world, explain=True).live(story(dice, world.start), timer=True)
    for _, reaction in life.reactions:
        told.update(encode(reaction.customer))
        told.update(msgspec.json.encode((reaction.commands, reaction.trace)))
print(told.hexdigest())
"""


def test_another_process_with_another_hash_seed_decides_alike() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", TOLD_IN_A_FRESH_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(told) == 1
