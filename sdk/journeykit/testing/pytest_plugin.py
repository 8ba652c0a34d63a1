"""The pytest plugin: the fixtures `simulator`, `aws_emulator` and `recording_channel`.

A failing test shows the timelines of the simulators that it made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

# Nothing of journeykit is imported at the top: pytest imports this file before a coverage
# tool starts, which would count every line that runs at import as never run.
if TYPE_CHECKING:
    from journeykit.testing import AwsEmulator, RecordingChannel, Simulator

# Without this a contract that fails would show a bare AssertionError.
pytest.register_assert_rewrite(
    "journeykit.testing.contracts",
    "journeykit.testing.engine_contract",
    "journeykit.testing.guards",
    "journeykit.testing.store_contract",
)

_MADE = pytest.StashKey["list[Simulator]"]()


def pytest_report_header() -> str:
    """Say which journeykit is tested with."""
    return f"journeykit: {version('journeykit')}"


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Callable[..., Simulator]:
    """Make a Simulator of the given journeys; it starts on a Monday unless told when."""
    from journeykit.testing import Simulator
    from journeykit.testing.factories import MONDAY

    made = request.node.stash.setdefault(_MADE, [])

    def make(journeys: Any, **settings: Any) -> Simulator:
        simulator = Simulator(journeys, **{"start": MONDAY, **settings})
        made.append(simulator)
        return simulator

    return make


@pytest.fixture
def aws_emulator() -> Iterator[Callable[..., AwsEmulator]]:
    """Deploy a workspace into an AWS account that is not there, until the test is over.

    One of them at a time: the clock of the process is the emulator's. It is a Monday at the
    beginning, unless told when.
    """
    from journeykit.testing.factories import MONDAY

    with ExitStack() as stack:

        def make(workspace: Any, **settings: Any) -> AwsEmulator:
            from journeykit.testing import AwsEmulator

            return stack.enter_context(
                AwsEmulator(workspace, **{"start": MONDAY, **settings})
            )

        yield make


@pytest.fixture
def recording_channel() -> RecordingChannel:
    """A channel that carries any other and keeps the messages."""
    from journeykit.testing import RecordingChannel

    return RecordingChannel()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the timelines, unless one of our assertions failed, which shows its own."""
    report = yield
    made: list[Simulator] = item.stash.get(_MADE, [])
    if report.failed and call.when == "call" and call.excinfo is not None:
        place = call.excinfo.traceback[-1].frame.f_globals.get("__name__")
        if place != "journeykit.testing.assertions":
            for n, simulator in enumerate(made, 1):
                report.sections.append((f"simulation {n}", _told(simulator)))
    return report


def _told(simulator: Simulator) -> str:
    """The timeline; whatever is wrong with it must not end the whole test run."""
    from journeykit.model.plain_text import printable

    try:
        return simulator.timeline()
    except Exception as error:  # noqa: BLE001 - see above
        return printable(f"{type(error).__name__}: {error}")
