"""What the scores are computed of."""

from journeykit import Average, Cadence, Count, Last, Recent, days, event

orders = Count("orders", "order.placed")
last_order = Last("last_order", "order.placed")
cadence = Cadence("order_cadence", "order.placed")
value = Average("order_value", "order.placed", event.total)
recent_value = Average(
    "recent_order_value", "order.placed", event.total, within=days(60)
)
categories = Recent("recent_categories", "order.placed", event.category)
