"""Take a new household to its second and third purchase."""

from journeykit import (
    Branch,
    Exit,
    Goal,
    Journey,
    Send,
    Until,
    WaitFor,
    When,
    days,
    entry,
    event,
    on,
    timestamp,
)

# The data begins with the year: whoever shops in its first weeks has most likely shopped
# before. From March on a first purchase is one.
KNOWN_BEFORE = timestamp(entry["$time"]) < timestamp("2017-03-01T05:00:00Z")

# Two baskets within a second are one visit to the till.
again = on("purchase", where=event["$time"] != entry["$time"])

welcome = Journey(
    id="welcome",
    name="Welcome",
    stage="consideration",
    objectives=["third-purchase"],
    trigger=on("purchase"),
    reentry="never",
    goal=Goal(
        on("coupon_redeemed"),
        id="first-coupon",
        within=days(30),
        value=event.sales_value,
        on_goal="continue",
    ),
    topic="welcome",
    priority=20,
    steps=[
        Branch([When(KNOWN_BEFORE, [Exit("known-before")])]),
        Send("email", "welcome", touchpoint="welcome"),
        WaitFor(
            [When(again)], timeout=days(14), otherwise=[Exit("no-second-purchase")]
        ),
        Send("email", "thanks-for-coming-back", touchpoint="welcome"),
        WaitFor(
            [When(again)],
            id="third-purchase",
            timeout=Until(entry["$time"], after=days(30)),
            otherwise=[Exit("no-third-purchase")],
        ),
        Send("email", "one-of-us", touchpoint="welcome"),
    ],
)
