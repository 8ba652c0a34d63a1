"""When a message is one too many, and when it is too late in the evening."""

from journeykit import Cap, ConsentDefault, Policies, QuietHours, Topic, Window, hours

policies = Policies(
    caps=[Cap(1, within=hours(7 * 24), topic="thanks")],
    quiet_hours=[QuietHours(Window("21:00", "08:00"))],
    consent=[ConsentDefault("allow")],  # the data says nothing of consent
    topics=[
        Topic("coupons", "Coupons"),
        Topic("thanks", "Thank you"),
        Topic("welcome", "Welcome"),
        Topic("winback", "We miss you"),
    ],
)
