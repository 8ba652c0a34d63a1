"""What publishing makes of the traits, segments and stages that are live."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from journeykit import (
    Count,
    DefinitionError,
    Journey,
    Policies,
    Segment,
    Send,
    Stage,
    Wait,
    audience_plan,
    days,
    on,
    trait,
)
from journeykit.model.triggers import becomes
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import (
    Draft,
    Published,
    compiled,
    next_catalog,
    read_catalog,
    with_state,
)

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
SLOWER = Journey("hello", trigger=on("joined"), steps=[Wait(days(1))])
BECOMES = Journey("rich", trigger=becomes(trait.orders > 9), steps=[Wait(days(1))])
ORDERS = Count("orders", "order.placed")
LOYAL = Segment("loyal", trait.orders >= 2)
STAGES = [Stage("new"), Stage("active", trait.orders >= 1)]


def draft(
    *journeys: Journey, states: dict[str, str] | None = None, **parts: Any
) -> Draft:
    return Draft(
        {journey.id: journey.to_plan() for journey in journeys},
        {journey.id: journey.fingerprint for journey in journeys},
        Policies().to_plan(),
        states or {},
        audience=audience_plan(**parts) if parts else {},
    )


def published(*steps: Draft) -> list[Published]:
    """Publish them one after the other, at 1, 2, 3 …; each goes through JSON."""
    found: list[Published] = []
    current: CatalogDocument | None = None
    for at, step in enumerate(steps, 1):
        found.append(next_catalog(current, step, at=at))
        current = read_catalog(msgspec.json.encode(found[-1].document))
    return found


def test_without_an_audience_the_document_says_nothing_of_one() -> None:
    (first,) = published(draft(HELLO))

    assert first.document.audience == {}
    assert not first.audience
    assert b"audience" not in msgspec.json.encode(first.document)


def test_what_is_new_is_named_and_dated() -> None:
    (first,) = published(draft(HELLO, traits=[ORDERS], segments=[LOYAL], stages=STAGES))

    assert first.audience == [
        "trait orders",
        "segment loyal",
        "stage new",
        "stage active",
    ]
    assert first.document.audience["since"] == {
        "orders": 1,
        "segment:loyal": 1,
        "stage:new": 1,
        "stage:active": 1,
    }
    assert first.document.audience["at"] == 1
    assert first.judges_anew


def test_the_same_again_is_nothing_new() -> None:
    same = draft(HELLO, traits=[ORDERS], segments=[LOYAL])

    _, again = published(same, same)

    assert not again.is_new
    assert not again.judges_anew
    assert again.document.audience["at"] == 1


def test_only_what_has_another_definition_has_another_date() -> None:
    _, second = published(
        draft(HELLO, traits=[ORDERS], segments=[LOYAL]),
        draft(HELLO, traits=[ORDERS], segments=[Segment("loyal", trait.orders >= 3)]),
    )

    assert second.is_new
    assert second.audience == ["segment loyal"]
    assert second.document.audience["since"] == {"orders": 1, "segment:loyal": 2}
    assert second.document.audience["at"] == 2


def test_what_is_gone_is_named() -> None:
    _, second = published(draft(HELLO, traits=[ORDERS], segments=[LOYAL]), draft(HELLO))

    assert second.audience == ["trait orders", "segment loyal"]
    assert compiled(second.document, channels={}).audience.version == 0


def test_another_order_of_stages_is_another_lifecycle() -> None:
    _, second = published(
        draft(HELLO, traits=[ORDERS], stages=STAGES),
        draft(HELLO, traits=[ORDERS], stages=STAGES[::-1]),
    )

    assert second.audience == ["the order of the stages"]
    assert second.judges_anew


def test_another_version_of_a_journey_judges_nobody_anew() -> None:
    _, second = published(
        draft(HELLO, traits=[ORDERS], segments=[LOYAL]),
        draft(SLOWER, traits=[ORDERS], segments=[LOYAL]),
    )

    assert second.changed == {"hello": 2}
    assert not second.judges_anew


def test_a_trigger_that_brings_a_segment_along_judges_everybody_anew() -> None:
    _, second = published(
        draft(HELLO, traits=[ORDERS]), draft(HELLO, BECOMES, traits=[ORDERS])
    )

    assert second.judges_anew
    assert not second.audience
    assert compiled(second.document, channels={}).audience.names == {"~rich/0"}


def test_it_does_so_when_its_journey_becomes_live() -> None:
    waiting = {"rich": "draft"}
    (first,) = published(draft(BECOMES, states=waiting, traits=[ORDERS]))
    assert compiled(first.document, channels={}).audience.is_empty

    live = with_state(first.document, "rich", "live", at=7, reason="")

    assert live.audience["at"] == 7
    assert live.audience["since"] == {"orders": 1}
    assert compiled(live, channels={}).audience.names == {"~rich/0"}


def test_a_pause_judges_nobody_anew() -> None:
    (first,) = published(draft(BECOMES, traits=[ORDERS], segments=[LOYAL]))

    paused = with_state(first.document, "rich", "paused", at=7, reason="")

    assert paused.audience == first.document.audience


def test_versions_differ_by_definitions_and_by_nothing_else() -> None:
    first, second, third = (
        compiled(each.document, channels={}).audience.version
        for each in published(
            draft(HELLO, traits=[ORDERS], segments=[LOYAL]),
            draft(SLOWER, traits=[ORDERS], segments=[LOYAL]),
            draft(SLOWER, traits=[ORDERS], segments=[LOYAL], stages=STAGES),
        )
    )

    assert first == second
    assert len({first, third, 0}) == 3
    assert first < 2**53  # every JSON reader takes it as it is


@pytest.mark.parametrize(
    "damaged",
    [{"segments": [{}]}, {"segments": [{"id": "x", "when": "1 +"}]}, {"stages": 3}],
    ids=["no id", "no condition", "no list"],
)
def test_a_damaged_document_is_refused_and_not_run(damaged: dict[str, Any]) -> None:
    (first,) = published(draft(HELLO))
    document = msgspec.structs.replace(first.document, audience=damaged)

    with pytest.raises(DefinitionError):
        compiled(document, channels={})
