"""What the year is to bring."""

from datetime import date

from journeykit import Active, Arrival, Conversion, Objective, days

END_OF_YEAR = date(2017, 12, 31)

objectives = [
    Objective(
        "keep-households",
        kpi="percent of households that shop within 30 days",
        target=95,
        by=END_OF_YEAR,
        measure=Active("purchase", days(30)),
    ),
    Objective(
        "redeem-coupons",
        kpi="percent of campaigns with a coupon redeemed",
        target=12,
        by=END_OF_YEAR,
        measure=Conversion("coupon-expiry"),
    ),
    Objective(
        "third-purchase",
        kpi="percent of new households with a third purchase within 30 days",
        target=50,
        by=END_OF_YEAR,
        # Who was known before is welcomed at no step.
        measure=Arrival("welcome", "send-email-one-of-us", among="send-email-welcome"),
    ),
]
