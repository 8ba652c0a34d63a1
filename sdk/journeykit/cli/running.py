"""A job for whoever works in a folder for data: waiting until it is done."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from pathlib import Path

from journeykit.errors import StoreBusy
from journeykit.local.embedded import alone
from journeykit.local.sqlite import SQLiteStore
from journeykit.ports import Job

_LOOK_S = 0.1


def was_done(
    store: SQLiteStore, job: Job, folder: Path, stack: ExitStack, *, patience_s: float
) -> bool:
    """Wait for whoever works in the folder to do a job.

    False: it ended without it, as a `run` does. Then the folder is ours as long as the
    stack says.

    Raises:
        StoreBusy: It takes long; it will be done.
    """
    until = time.monotonic() + patience_s
    while _is_left(store, job):
        with suppress(StoreBusy):
            stack.enter_context(alone(folder))
            return not _is_left(store, job)
        if time.monotonic() > until:
            raise StoreBusy(
                "the running process has not done it yet; it stays its job, and "
                "`journeykit status` shows it until it is done"
            )
        time.sleep(_LOOK_S)
    return True


def _is_left(store: SQLiteStore, job: Job) -> bool:
    return any(left.id == job.id for left in store.unfinished())
