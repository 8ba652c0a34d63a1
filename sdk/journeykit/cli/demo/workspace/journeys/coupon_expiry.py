"""Remind a household of its coupons a week before they end, unless it has used one."""

from journeykit import (
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
)

redeemed = on("coupon_redeemed")

coupon_expiry = Journey(
    id="coupon-expiry",
    name="Your coupons end soon",
    stage="conversion",
    objectives=["redeem-coupons"],
    trigger=on("campaign_received"),
    key=event.campaign_id,  # a household may be in several campaigns at once
    on_missing_key="ignore",
    goal=Goal(
        redeemed,
        id="redeemed",
        within=days(90),
        value=event.sales_value,  # of the whole basket
        on_goal="continue",
    ),
    holdout=10,  # percent who get no reminder, to see whether it does anything
    topic="coupons",
    steps=[
        WaitFor(
            [When(redeemed, [Exit("redeemed-in-time")])],
            timeout=Until(entry.end_date, before=days(7), time="10:00"),
        ),
        Send(
            "email",
            "coupons-end-soon",
            touchpoint="coupon-reminder",
            variables={"campaign": entry.campaign_type, "until": entry.end_date},
        ),
    ],
)
