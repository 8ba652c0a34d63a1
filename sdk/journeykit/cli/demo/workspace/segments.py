"""Groups of households that the shop speaks of; `personas.py` gives some a face."""

from journeykit import Segment, hours, older_than, trait

segments = [
    Segment(
        "newcomers",
        trait.purchases < 3,
        name="Newcomers",
        description="Has shopped twice at most since the data began.",
    ),
    Segment(
        "regulars",
        (trait.gap < 4) & (trait.purchases >= 10),
        name="Regulars",
        description="Is here every few days: less than four from one visit to the next.",
    ),
    Segment(
        "coupon-cutters",
        trait.coupons >= 1,
        name="Coupon cutters",
        description="Has redeemed a coupon at least once.",
    ),
    Segment(
        "lapsed",
        older_than(trait.last_purchase, hours(720)),  # as long as winback waits
        name="Lapsed",
        description="Has not shopped for 30 times 24 hours.",
    ),
]
