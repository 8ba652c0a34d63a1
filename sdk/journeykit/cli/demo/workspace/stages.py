"""How close a household and the shop are, the farthest first."""

from journeykit import Stage, segment, trait

shops = segment.lapsed == False

stages = [
    Stage(
        "awareness",
        name="Awareness",
        description="Has got a mailing and not shopped, as far as the data goes back.",
    ),
    Stage(
        "consideration",
        trait.purchases >= 1,
        name="Consideration",
        description="Has tried the shop.",
    ),
    Stage(
        "conversion",
        trait.purchases >= 2,
        name="Conversion",
        description="Has come back; also who was closer once, and has lapsed.",
    ),
    Stage(
        "retention",
        (trait.purchases >= 3) & shops,
        name="Retention",
        description="Shops here: three purchases or more, the last one lately.",
    ),
    Stage(
        "advocacy",
        (segment.regulars == True) & shops,
        name="Advocacy",
        description="This is their shop: here every few days.",
    ),
]
