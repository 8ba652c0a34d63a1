"""Segments and stages of a workspace's files: checked, published, and told of."""

from __future__ import annotations

import json

from tests.cli.conftest import Shop

from journeykit.testing import make_event

TRAITS = """\
from journeykit import Count, Last

orders = Count("orders", "order.placed")
last_order = Last("last_order", "order.placed")
"""
SEGMENTS = """\
- id: loyal
  when: trait.orders >= 2
  description: Whoever came back.
- id: lapsed
  when: trait.last_order.olderThan("30d")
- {id: beta, listed: true}
"""
STAGES = """\
from journeykit import Stage, trait

lifecycle = [Stage("awareness"), Stage("conversion", trait.orders >= 1)]
"""
PERSONAS = """\
- id: hanna
  segment: loyal
  name: Hurried Hanna
  motivation: Not to have to think about it again.
"""
WINBACK = """\
from journeykit import Journey, Send, event, on

winback = Journey(
    "winback",
    trigger=on("segment.entered", where=event.segment == "lapsed"),
    keep_while_in_segment="lapsed",
    purpose="transactional",
    steps=[Send("email", "come-back")],
)
"""
FILES = {
    "traits.py": TRAITS,
    "segments.yaml": SEGMENTS,
    "stages.py": STAGES,
    "personas.yaml": PERSONAS,
    "journeys/winback.py": WINBACK,
}


def filled(shop: Shop, **changed: str) -> Shop:
    for name, text in {**FILES, **changed}.items():
        shop.write(name, text)
    return shop


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_files_are_read_and_right(shop: Shop) -> None:
    with filled(shop).embedded() as embedded:
        workspace = embedded.workspace

    assert [segment.id for segment in workspace.segments] == ["loyal", "lapsed", "beta"]
    assert [stage.id for stage in workspace.stages] == ["awareness", "conversion"]
    assert workspace.personas[0].name == "Hurried Hanna"
    assert shop("check").exit_code == 0


def test_what_is_wrong_is_said_with_its_place(shop: Shop) -> None:
    wrong = SEGMENTS.replace("trait.orders >= 2", "segment.loyl == true")

    result = filled(shop, **{"segments.yaml": wrong})("check")

    assert result.exit_code == 1
    assert "segments.yaml" in result.stdout
    assert "segment 'loyl' is not known; did you mean 'loyal'?" in words(result.stdout)


def test_a_condition_that_does_not_parse_is_said_with_its_line(shop: Shop) -> None:
    wrong = SEGMENTS.replace('olderThan("30d")', "olderThan(30)")

    result = filled(shop, **{"segments.yaml": wrong})("check")

    assert result.exit_code == 1
    assert "    5  error" in result.stdout
    assert "takes a duration that is written out" in result.stdout


def test_publishing_names_what_is_new_of_the_audience(shop: Shop) -> None:
    told = words(filled(shop)("publish").stdout)
    again = words(shop("publish").stdout)
    shop.write("segments.yaml", SEGMENTS.replace(">= 2", ">= 3"))
    changed = words(shop("publish").stdout)

    assert "audience set: trait orders, trait last_order, segment loyal" in told
    assert "nothing differs" in again
    assert "audience changed: segment loyal" in changed


def test_who_somebody_is_is_told_and_the_document_flips_by_itself(shop: Shop) -> None:
    filled(shop)("publish")
    shop.happen(
        make_event("order.placed", "ada"),
        make_event("order.placed", "ada", at="2026-01-06T09:00:00Z"),
    )

    told = words(shop("customer", "ada").stdout)
    shop.happen(until="2026-03-01T09:00:00Z")
    later = words(shop("customer", "ada").stdout)

    assert "stage conversion since 2026-01-05" in told
    assert "segment loyal since 2026-01-06" in told
    assert "orders 2" in told
    assert "may change by time alone, 2026-02-05" in told
    assert "segment lapsed since 2026-02-05" in later
    assert "winback: entered once, last 2026-02-05" in later


def test_why_tells_of_segments(shop: Shop) -> None:
    filled(shop)("publish")
    shop.happen(
        make_event("order.placed", "ada"),
        make_event("order.placed", "ada", at="2026-01-06T09:00:00Z"),
    )

    told = words(shop("why", "ada").stdout)

    assert "is in stage conversion now" in told
    assert "came into the segment loyal" in told


def test_the_log_holds_no_value_that_nobody_marked(shop: Shop) -> None:
    filled(shop)("publish")
    shop.happen(
        make_event("order.placed", "ada"),
        make_event("order.placed", "ada", at="2026-01-06T09:00:00Z"),
    )

    lines = (
        (shop.folder / ".journeykit/decisions.jsonl").read_text("utf-8").splitlines()
    )
    entries = [json.loads(line) for line in lines]

    (entered,) = [entry for entry in entries if entry["kind"] == "segment"]
    assert entered["detail"] == {"segment": "loyal", "rule": "trait.orders >= 2"}


def test_a_replay_knows_the_audience(shop: Shop) -> None:
    filled(shop)
    event = {"name": "order.placed", "customer": "ada", "properties": {}}
    shop.write(
        "events.jsonl",
        "\n".join(
            json.dumps(
                {**event, "id": str(n), "occurred_at": f"2026-01-0{n}T09:00:00Z"}
            )
            for n in (5, 6)
        ),
    )

    events = str(shop.folder / "events.jsonl")
    result = shop("simulate", "--events", events, "--until", "2026-03-01T00:00:00Z")

    assert result.exit_code == 0, result.output
    assert "came into the segment lapsed" in result.stdout or "winback" in result.stdout
