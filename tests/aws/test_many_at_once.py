"""More is due at one instant than one reaction may do."""

from __future__ import annotations

from pathlib import Path

from tests.aws.beside_sqlite import Sqlite, of_cloud, salt

from journeykit import Journey, Send, Wait, hours, on
from journeykit.engine.calendar import to_ms
from journeykit.engine.limits import SENDS_PER_REACTION
from journeykit.testing import RecordingChannel, make_event
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

START = "2026-06-01T09:00:00Z"


def test_what_is_left_over_for_want_of_budget_is_woken_for_again(
    tmp_path: Path,
) -> None:
    count = SENDS_PER_REACTION + 8
    steps = [Wait(hours(1)), Send("email", "hello")]
    journeys = [Journey(f"j{n:02}", trigger=on("x"), steps=steps) for n in range(count)]
    workspace = Workspace(path=Path(), name="shop", journeys=journeys)
    here, there = RecordingChannel(), RecordingChannel()
    event = make_event("x", "ada", at=START, source="shop")

    with AwsEmulator(
        workspace, start=START, channels={"email": there}, salt=salt
    ) as aws:
        start = to_ms(aws.now)
        aws.publish()
        aws.put_events([event])
        aws.advance(hours(2))
        cloud = of_cloud(aws, [there])
        sqlite = Sqlite(workspace, tmp_path, channels={"email": here})
        sqlite.embedded.publish(now=start)
        sqlite.happens([(start, event)], aws)
        over_sqlite = sqlite.outcome()

        assert cloud.lines == over_sqlite.lines
        assert cloud.messages == over_sqlite.messages
        assert cloud.customers == over_sqlite.customers
        assert len(cloud.messages) == count
        assert cloud.customers["ada"].next_due is None
        assert not aws.failures
