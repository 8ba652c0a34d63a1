"""The whole path through AWS on a laptop: templates and functions as they are, over moto.

    with AwsEmulator(workspace, start="2026-06-01T09:00:00Z") as aws:
        aws.publish()
        aws.put_events([make_event("cart.updated", "ada", total=120)])
        aws.advance(hours(5))
        aws.messages

It needs the extra: pip install 'journeykit[emulate]'.
"""

from __future__ import annotations

try:
    import moto as moto
    import time_machine as time_machine
    import yaml as yaml  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError(
        f"the emulator needs {error.name}: pip install 'journeykit[emulate]'"
    ) from error

from journeykit.testing.aws.account import EMULATOR as EMULATOR, Request as Request
from journeykit.testing.aws.emulator import (
    AwsEmulator as AwsEmulator,
    DeadLetter as DeadLetter,
    Response as Response,
)
from journeykit.testing.aws.functions import (
    FunctionError as FunctionError,
    Killed as Killed,
)
from journeykit.testing.aws.hops import Failure as Failure
