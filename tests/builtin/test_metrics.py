"""What happened is counted, and can be read by Prometheus."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, strategies as st

from journeykit.builtin import metrics
from journeykit.builtin.metrics import Metrics
from journeykit.engine.trace import TraceEntry
from journeykit.happened import Delivered, Reacted
from journeykit.plugins import Registry, plugin_manager

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REACTED = Reacted(
    log_id="l1",
    revision=3,
    stimulus="cart.updated",
    trace=(
        TraceEntry("entered", 0, journey="cart"),
        TraceEntry("suppressed", 0, journey="cart", reason="no_consent"),
    ),
    commands=1,
    now=NOON,
)
DELIVERED = Delivered(
    delivery_id="d1",
    kind="message",
    channel="email",
    provider="ses",
    journey="cart",
    step="send",
    outcome="sent",
    reason="",
    attempts=1,
    at=NOON,
)

# The grammar of a line, after the page that builtin/metrics.py names.
LABEL = r'[a-zA-Z_]\w*="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
SAMPLE = re.compile(rf"[a-zA-Z_:][\w:]*\{{{LABEL}(?:,{LABEL})*\}} \d+")


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)


def test_nothing_has_happened_at_the_start() -> None:
    assert Metrics().text() == (
        "# HELP journeykit_reactions_total Committed reactions.\n"
        "# TYPE journeykit_reactions_total counter\n"
        "# HELP journeykit_decisions_total Decisions about customers.\n"
        "# TYPE journeykit_decisions_total counter\n"
        "# HELP journeykit_deliveries_total "
        "What became of messages, calls and published events.\n"
        "# TYPE journeykit_deliveries_total counter\n"
    )


def test_reactions_and_their_decisions_are_counted() -> None:
    counted = Metrics()

    counted.journeykit_after_reaction(REACTED)
    counted.journeykit_after_reaction(replace(REACTED, trace=REACTED.trace[:1]))

    lines = counted.text().splitlines()
    assert 'journeykit_reactions_total{stimulus="cart.updated"} 2' in lines
    assert (
        'journeykit_decisions_total{kind="entered",reason="",journey="cart"} 2' in lines
    )
    assert (
        'journeykit_decisions_total{kind="suppressed",reason="no_consent",'
        'journey="cart"} 1'
    ) in lines


def test_deliveries_are_counted_and_test_traffic_is_not() -> None:
    counted = Metrics()

    counted.journeykit_after_delivery(DELIVERED)
    counted.journeykit_after_delivery(replace(DELIVERED, outcome="failed"))
    counted.journeykit_after_delivery(replace(DELIVERED, outcome="failed", test=True))

    of_deliveries = [
        line
        for line in counted.text().splitlines()
        if line.startswith("journeykit_deliveries_total")
    ]
    assert of_deliveries == [
        'journeykit_deliveries_total{kind="message",channel="email",outcome="failed"} 1',
        'journeykit_deliveries_total{kind="message",channel="email",outcome="sent"} 1',
    ]


@given(stimulus=st.text(st.characters(exclude_categories=())))
def test_whatever_an_event_is_called_the_page_can_be_read(stimulus: str) -> None:
    counted = Metrics()

    counted.journeykit_after_reaction(replace(REACTED, stimulus=stimulus, trace=()))

    [sample] = [
        line
        for line in counted.text().removesuffix("\n").split("\n")
        if not line.startswith("# ")
    ]
    assert (found := SAMPLE.fullmatch(sample))
    assert unescaped(found[1]) == stimulus.encode("utf-8", "replace").decode()


def test_names_from_outside_cannot_fill_the_memory() -> None:
    counted = Metrics()

    for n in range(metrics.MOST + 5):
        name = replace(REACTED, stimulus=f"event-{n}", trace=())
        counted.journeykit_after_reaction(name)

    lines = counted.text().splitlines()
    assert 'journeykit_reactions_total{stimulus="(other)"} 5' in lines
    assert 'journeykit_reactions_total{stimulus="event-0"} 1' in lines
    assert len(lines) == 6 + metrics.MOST + 1


def test_what_is_known_is_still_counted_when_there_is_no_room() -> None:
    counted = Metrics()

    for n in [*range(metrics.MOST + 1), 0]:
        name = replace(REACTED, stimulus=f"event-{n}", trace=())
        counted.journeykit_after_reaction(name)

    assert 'journeykit_reactions_total{stimulus="event-0"} 2' in counted.text()


def test_no_count_is_lost_between_threads() -> None:
    counted = Metrics()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(400):
            pool.submit(counted.journeykit_after_reaction, REACTED)

    assert 'journeykit_reactions_total{stimulus="cart.updated"} 400' in counted.text()


def test_each_plugin_manager_has_its_own_counts() -> None:
    environ = {"JOURNEYKIT_PLUGINS": "none"}
    manager, other = plugin_manager(environ=environ), plugin_manager(environ=environ)

    Registry.from_plugins(manager).observers.after_reaction(REACTED)

    assert 'stimulus="cart.updated"} 1' in manager.get_plugin("metrics").text()
    assert "cart.updated" not in other.get_plugin("metrics").text()
