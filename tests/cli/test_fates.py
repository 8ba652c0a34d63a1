"""What becomes of messages, said in a file: `journeykit simulate` and `why`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.cli import group

JOURNEY = """
from journeykit import Journey, Send, hours, on

news = Journey(
    "news",
    trigger=on("signed.up"),
    steps=[Send(["push", "sms", "email"], "news", fallback_after=hours(2))],
)
"""
SETTINGS = """
[channels]
push = "console"
sms = "console"
email = "console"
"""
EVENT = (
    '{"id": "1", "name": "signed.up", "customer": "ada", '
    '"occurred_at": "2026-06-01T09:00:00Z"}\n'
)

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "news.py").write_text(JOURNEY)
    (tmp_path / "journeykit.toml").write_text(SETTINGS)
    (tmp_path / "events.jsonl").write_text(EVENT)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")

    def run(*arguments: str, fates: str | None) -> Result:
        if fates is not None:
            (folder / "fates.json").write_text(fates)
        given = ["--events", "events.jsonl", "--fates", "fates.json"]
        return CliRunner().invoke(group, [*arguments, *given])

    return run


def test_a_simulation_takes_fates_from_a_file(run: Run) -> None:
    fates = """{
        "push": {"what": "bounced", "after": "5m", "properties": {"bounce": "hard"}},
        "sms": ["deferred", "delivered after 1h"],
        "email": null
    }"""

    told = run("simulate", fates=fates).stdout

    assert "the push address is suppressed: a hard bounce" in told
    assert "turns to the next channel: the push message bounced" in told
    assert "message.delivered happened" in told
    assert "sent news by email" not in told


def test_without_any_nobody_hears_of_a_message(run: Run) -> None:
    told = " ".join(run("simulate", fates="{}").stdout.split())

    assert "waits until 2026-06-01 11:00 for word that it was delivered" in told
    assert "turns to the next channel: no such word of the push in time" in told
    assert "sent news by email" in told


def test_why_takes_them_too(run: Run) -> None:
    result = run("why", "ada", fates='{"push": "failed"}')

    assert "turns to the next channel: the push message failed" in result.stdout
    assert "The next channel has its turn at once." in result.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "can't be read: No such file"),
        ("oops", "no table of channels and what becomes of their messages"),
        ('{"push": 7}', "Expected `str | object | array | null`, got `int`"),
        ('{"push": "deliverd"}', "did you mean 'delivered'?"),
        ('{"push": {"what": "opened", "when": 1}}', "unknown field `when`"),
        ('{"push": "opened after a while"}', "is not understood"),
        ("[]", '; write {"push": "bounced", "email": "opened after 3h"}'),
    ],
    ids=range(7),
)
def test_a_file_that_is_no_table_of_fates_is_an_error(
    run: Run, text: str | None, said: str
) -> None:
    result = run("simulate", fates=text)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_without_events_they_mean_nothing_to_why(folder: Path) -> None:
    (folder / "fates.json").write_text('{"push": "failed"}')

    result = CliRunner().invoke(group, ["why", "ada", "--fates", "fates.json"])

    assert result.exit_code == 2
    assert "--calls and --fates go with --events" in result.stderr


def test_a_channel_that_nobody_sends_over_is_an_error(run: Run) -> None:
    result = run("simulate", fates='{"emial": "bounced"}')

    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "nobody sends over channel 'emial'; did you mean 'email'?" in said
