"""Options of the test suite."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


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
