"""Options of the test suite."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from tests.chromium import Tab, browser


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files are rewritten on request only, and then read in the diff."""
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what the engine does into the golden files of tests/journeys",
    )


@pytest.fixture(autouse=True)
def loggers_left_alone() -> Iterator[None]:
    """Handlers that a test's functions have put on our logger go with the test."""
    logger = logging.getLogger("journeykit")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser that runs no script of a page; tests take `tab`."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.call("Emulation.setScriptExecutionDisabled", value=True)
        yield opened


@pytest.fixture
def tab(chromium: Tab) -> Tab:
    """The browser's page on a large bright screen, whatever a test before it did."""
    chromium.complaints.clear()
    chromium.resize(1280, 900)
    chromium.call("Emulation.setEmulatedMedia", media="", features=[])
    return chromium
