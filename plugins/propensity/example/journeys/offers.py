"""The next best offer for whoever looks at the first page, and a letter to who may leave."""

from journeykit import (
    Goal,
    Journey,
    ReEntry,
    Send,
    Wait,
    asked,
    becomes,
    days,
    event,
    has,
    on,
    trait,
)

# One offer a day each; who has had it is shown the next best one.
daily = ReEntry("after_exit", cooldown=days(1))

upsell = Journey(
    "upsell",
    stage="retention",
    trigger=asked("home-banner", where=trait.upsell >= 0.6),
    priority=20,
    reentry=daily,
    goal=Goal(on("plan.changed", where=event.to == "gold"), within=days(14)),
    steps=[Send("inapp", "go-gold")],
)

cross_sell = Journey(
    "cross-sell",
    stage="retention",
    trigger=asked("home-banner", where=has(trait.cross_sell)),
    priority=10,
    reentry=daily,
    goal=Goal(on("order.placed"), value=event.total, within=days(7)),
    steps=[
        Send("inapp", "goes-with", variables={"category": trait.cross_sell}),
    ],
)

welcome = Journey(
    "news-for-all",
    trigger=asked("home-banner"),
    reentry="always",
    steps=[Send("inapp", "news")],
)

stay = Journey(
    "stay",
    stage="retention",
    trigger=becomes(trait.churn >= 0.7),
    reentry=ReEntry("after_exit", cooldown=days(90)),
    goal=Goal(on("order.placed"), value=event.total, within=days(30)),
    steps=[Send("inapp", "miss-you"), Wait(days(7)), Send("inapp", "voucher")],
)
