"""Thank for a purchase, at most once a week and never at night: see policies.py."""

from journeykit import Journey, Send, entry, on

weekly_thanks = Journey(
    id="weekly-thanks",
    name="Thank you",
    stage="advocacy",
    objectives=["keep-households"],
    trigger=on("purchase"),
    reentry="always",  # one that waits for the morning doesn't stand in another's way
    topic="thanks",
    steps=[
        Send(
            "email",
            "thank-you",
            touchpoint="thank-you",
            variables={"spent": entry.sales_value, "departments": entry.departments},
        ),
    ],
)
