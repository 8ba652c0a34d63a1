"""What a household's purchases and coupons add up to."""

from journeykit import Cadence, Count, Last

purchases = Count("purchases", "purchase")
gap = Cadence("gap", "purchase")  # days from one purchase to the next, on average
last_purchase = Last("last_purchase", "purchase")
coupons = Count("coupons", "coupon_redeemed")
