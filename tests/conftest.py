"""Options of the test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files are rewritten on request only, and then read in the diff."""
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what the engine does into the golden files of tests/journeys",
    )
