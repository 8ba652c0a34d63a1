from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

JOURNEY = """
    from journeykit import Journey, Send, Wait, hours, on

    REMINDER = Journey(
        id="reminder",
        trigger=on("cart.updated"),
        steps=[Wait(hours(4)), Send("email", "reminder")],
    )
"""


def test_a_journey_is_tested_with_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        JOURNEY
        + """
    def test_reminder(simulator, recording_channel):
        sim = simulator(REMINDER, channels=[recording_channel])
        sim.event("cart.updated", "ada")
        sim.advance(hours(4))
        sim.assert_sent("ada", "reminder", at="2026-01-05T13:00:00Z")
    """
    )

    result = pytester.runpytest("-p", "no:randomly", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["journeykit: *"])


def test_a_failing_assertion_tells_the_story(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        JOURNEY
        + """
    def test_reminder(simulator):
        sim = simulator(REMINDER)
        sim.event("cart.updated", "ada")
        sim.assert_sent("ada", "reminder")
    """
    )

    result = pytester.runpytest("-p", "no:randomly", "-p", "no:cacheprovider")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       sim.assert_sent(*",
            "E*'ada' was not sent 'reminder'",
            "E*day 1  09:00  ada  reminder  waits until 2026-01-05 13:00",
        ]
    )
    result.stdout.no_fnmatch_line("*def assert_sent*")
    result.stdout.no_fnmatch_line("*- simulation 1 -*")


def test_any_failing_test_shows_its_simulations(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        JOURNEY
        + """
    def test_reminder(simulator):
        sim = simulator(REMINDER)
        sim.event("cart.updated", "ada")
        simulator(REMINDER, keep=False)
        assert len(sim.sends) == 1
    """
    )

    result = pytester.runpytest("-p", "no:randomly", "-p", "no:cacheprovider")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*- simulation 1 -*", "day 1  09:00  ada  reminder  waits until *"]
    )
    result.stdout.fnmatch_lines(["*- simulation 2 -*", "*keeps no trace*"])


def test_the_plugin_loads_nothing_of_journeykit_by_itself() -> None:
    code = (
        "import sys, journeykit.testing.pytest_plugin\n"
        "print(sorted(m for m in sys.modules if m.startswith('journeykit')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(
        ["journeykit", "journeykit.testing", "journeykit.testing.pytest_plugin"]
    )
