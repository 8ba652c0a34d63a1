"""Reminds people of their cart."""

from journeykit import Journey, Send, on, profile

cart = Journey(
    id="abandoned-cart",
    stage="conversion",
    trigger=on("cart.updated"),
    topic="offers",
    steps=[
        Send(
            ["push", "sms", "email"],
            "cart-reminder",
            variables={"first_name": profile.first_name},
        )
    ],
)
