"""Faces for groups of households, so that it is people whom a team speaks of.

They are made up, as a workshop would make them up; their segments are not.
"""

from journeykit import Persona

personas = [
    Persona(
        "nia",
        segment="newcomers",
        name="New-in-town Nia",
        story="Moved here last month and tries the shops around her, one after another.",
        motivation="a shop that has what she cooks with",
        questions="is it worth a second trip?",
        friction="finds nothing in a shop that she doesn't know",
        owner="campaigns",
    ),
    Persona(
        "rosa",
        segment="regulars",
        name="Round-the-corner Rosa",
        story="Lives two streets away and comes by every other day, for what is missing.",
        motivation="in and out in ten minutes",
        questions="does anybody notice that I am here all the time?",
        friction="queues in the evening",
        owner="stores",
    ),
    Persona(
        "carl",
        segment="coupon-cutters",
        name="Coupon Carl",
        story="Plans the week around what is cheaper, and keeps coupons at the fridge.",
        motivation="to pay less for what he buys anyway",
        questions="until when are they good?",
        friction="coupons are forgotten within a week",
        owner="campaigns",
    ),
    Persona(
        "lou",
        segment="lapsed",
        name="Long-gone Lou",
        story="Used to come every week; then another shop opened on the way to work.",
        motivation="a reason to take the detour",
        questions="have they changed anything since?",
        friction="the other shop is on the way",
        owner="campaigns",
    ),
]
