"""How long a place waits for its answer: `POST /v1/decide` without the socket.

    python benchmarks/decide.py [--asks 2000] [--journeys 20]

A workspace on SQLite (NORMAL), the in-app channel of `plugins/inapp`, one thread that asks.
Each ask enters a journey, passes the guards, is committed, composed and left in the inbox.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from journeykit.engine.calendar import to_datetime
from journeykit.local.embedded import Embedded, wall_clock
from journeykit.local.service import Service
from journeykit.model.events import PLACEMENT_REQUESTED, Event
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

JOURNEYS = """
from journeykit import Journey, Send, asked, event, profile

shown = Journey(
    "shown", trigger=asked("home-banner"), reentry="always", purpose="transactional",
    steps=[Send("inapp", "news", variables={{"name": profile.name}})],
)
others = [
    Journey(
        f"other-{{n}}", trigger=asked("home-banner", where=profile.plan == f"p{{n}}"),
        priority=1, steps=[Send("inapp", "news")],
    )
    for n in range({others})
]
globals().update({{one.id: one for one in others}})
"""


def main() -> None:
    """Ask, and print how long it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--asks", type=int, default=2000)
    parser.add_argument("--journeys", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "journeys").mkdir()
        (folder / "templates").mkdir()
        (folder / "journeykit.toml").write_text('name = "bench"\n')
        text = JOURNEYS.format(others=options.journeys - 1)
        (folder / "journeys" / "banner.py").write_text(text)
        news = json.dumps({"title": "Hello {{ name | default('you') }}"})
        (folder / "templates" / "news.inapp.json").write_text(news)
        registry = Registry.from_plugins(
            plugin_manager(environ={"JOURNEYKIT_PLUGINS": "inapp"})
        )
        with Embedded.open(Workspace.load(folder), registry) as embedded:
            embedded.publish(now=wall_clock())
            service = Service(embedded)
            service.start()
            try:
                asked(service, options.asks)
            finally:
                service.stop()


def asked(service: Service, count: int) -> None:
    """Ask about a few hundred customers in turn."""
    taken = []
    for n in range(count):
        now = to_datetime(wall_clock())
        ask = Event(
            id=f"ask-{n}",
            name=PLACEMENT_REQUESTED,
            customer=f"customer-{n % 400}",
            occurred_at=now,
            received_at=now,
            properties={"placement": "home-banner"},
            source="decide",
        )
        begun = time.perf_counter()
        shown = service.decide(ask)
        taken.append(time.perf_counter() - begun)
        if shown.content is None:
            raise SystemExit(f"nothing was shown: {shown.reasons}")
    taken = sorted(taken[count // 10 :])  # the first ones load templates
    for share in (0.5, 0.95, 0.99):
        each = 1000 * taken[int(len(taken) * share)]
        print(f"p{share * 100:.0f}: {each:.2f} ms")  # noqa: T201 - its result


if __name__ == "__main__":
    main()
