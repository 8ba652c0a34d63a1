"""Which release of journeykit runs here. Nothing is loaded to know it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """The release of journeykit that runs here."""
    try:
        return version("journeykit")
    except PackageNotFoundError:  # run from a bundle that was stripped of metadata
        return "unknown"
