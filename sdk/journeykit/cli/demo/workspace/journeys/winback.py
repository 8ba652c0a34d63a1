"""Write three times to a household that has stopped shopping; a purchase starts anew."""

from journeykit import Journey, Send, Wait, hours, on

winback = Journey(
    id="winback",
    name="We miss you",
    stage="retention",
    objectives=["keep-households"],
    trigger=on("purchase"),
    reentry="restart",  # the count of the quiet hours begins again with every purchase
    topic="winback",
    priority=10,
    steps=[
        Wait(hours(720)),
        Send("email", "we-miss-you", touchpoint="we-miss-you"),
        Wait(hours(888 - 720)),
        Send("email", "here-is-a-coupon", touchpoint="winback-coupon"),
        Wait(hours(1224 - 888)),
        Send("email", "last-call", touchpoint="last-call"),
    ],
)
