"""`watch` as `serve` runs it: in a process of its own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from journeykit.cli.watch_daily import DailyWatch, _logged
from journeykit.errors import StoreError


def test_what_fails_in_the_other_process_is_said_here(tmp_path: Path) -> None:
    daily = DailyWatch(tmp_path / "nowhere", tmp_path)

    with pytest.raises(StoreError, match=r"a watch failed: Error: .*is no workspace"):
        daily()


def test_after_the_end_nothing_is_begun(tmp_path: Path) -> None:
    daily = DailyWatch(tmp_path / "nowhere", None)
    daily.stop()

    daily()  # or else it would raise


def test_findings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    said = (
        '{"days": [{"day": "2026-06-01", "findings": [{"sentence": "failed runs up"}],'
        ' "paused": ["cart"], "failures": ["email was not told: no"]}]}'
    )

    with caplog.at_level(logging.INFO, "journeykit.watch"):
        failures = _logged(said)

    assert failures == ["email was not told: no"]
    assert [record.message for record in caplog.records] == [
        *("failed runs up", "cart is paused", "watched 2026-06-01: 1 findings")
    ]
    assert _logged("not json") == []
