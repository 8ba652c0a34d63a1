"""Reminds people of what they left in their cart."""

from journeykit import (
    Branch,
    Goal,
    Journey,
    Send,
    Wait,
    When,
    days,
    entry,
    event,
    has,
    hours,
    on,
    profile,
)

abandoned_cart = Journey(
    id="abandoned-cart",
    stage="conversion",
    trigger=on("cart.updated", where=event.total > 0),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),  # leaves at once
    topic="offers",
    objectives=["rescued-carts"],
    steps=[
        Wait(hours(4)),
        Send(
            "email",
            "cart-reminder",
            variables={"total": entry.total},
            touchpoint="cart-reminder",
        ),
        Wait(days(2)),
        Branch(
            [
                When(
                    has(profile.phone) & (entry.total >= 100),
                    [Send("sms", "cart-nudge")],
                )
            ],
            otherwise=[Send(["push", "email"], "cart-last-call")],
        ),
    ],
)
