"""Where households and the shop meet: what they do there, and what is in their way."""

from journeykit import Touchpoint

touchpoints = [
    Touchpoint(
        "store-visit",
        stage="conversion",
        channel="store",
        event="purchase",
        actions="fills a basket and pays",
        motivation="the week's groceries",
        friction="queues in the evening",
        owner="stores",
    ),
    Touchpoint(
        "coupon-mailing",
        stage="consideration",
        channel="mail",
        event="campaign_received",
        actions="looks through the coupons",
        questions="is there something in it that we buy anyway?",
        friction="coupons for products nobody here eats",
        owner="campaigns",
    ),
    Touchpoint(
        "coupon-redemption",
        stage="conversion",
        channel="store",
        event="coupon_redeemed",
        actions="hands over a coupon at the till",
        friction="left at home",
        owner="stores",
    ),
    Touchpoint(
        "welcome",
        stage="consideration",
        channel="email",
        motivation="find out whether this shop is worth a second trip",
        owner="campaigns",
    ),
    Touchpoint(
        "coupon-reminder",
        stage="conversion",
        channel="email",
        questions="until when are they good?",
        friction="coupons are forgotten within a week",
        owner="campaigns",
    ),
    Touchpoint(
        "thank-you",
        stage="advocacy",
        channel="email",
        friction="a message for every basket would be too much",
        owner="campaigns",
    ),
    Touchpoint("we-miss-you", stage="retention", channel="email", owner="campaigns"),
    Touchpoint("winback-coupon", stage="retention", channel="email", owner="campaigns"),
    Touchpoint("last-call", stage="retention", channel="email", owner="campaigns"),
]
