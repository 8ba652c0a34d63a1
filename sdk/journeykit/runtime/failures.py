"""What our own logs say about an error: its messages may quote what somebody brought."""

from __future__ import annotations

import traceback


def places(error: BaseException) -> str:
    """The type of an error and where it came about, a frame a line; no values."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f'  File "{it.filename}", line {it.lineno}, in {it.name}' for it in frames]
    return "\n".join([type(error).__name__, *lines])
