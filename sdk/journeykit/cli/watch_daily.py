"""`journeykit watch` as `serve` runs it: in a process of its own.

Reading a day's log takes a core and some memory for a while, which whoever waits for an
answer of the service must not feel.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

from journeykit.cli.watch import UNUSUAL
from journeykit.errors import StoreError
from journeykit.model.plain_text import printable

_log = logging.getLogger("journeykit.watch")

_LONGEST_S = 6 * 60 * 60
_SAID = 500  # characters of an error
_MAIN = "from journeykit.cli import main; main()"


class DailyWatch:
    """Runs the command for a workspace."""

    def __init__(self, workspace: Path, data: Path | None) -> None:
        """Run nothing yet.

        Args:
            workspace: Its folder.
            data: The folder for data, if it isn't the workspace's own.
        """
        self._command = [sys.executable, "-c", _MAIN, "watch", str(workspace), "--json"]
        if data is not None:
            self._command += ["--data", str(data)]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def __call__(self) -> None:
        """Look at the days that are over, and log what is unusual.

        Raises:
            StoreError: It failed; the message says why.
        """
        with self._lock:
            if self._stopped:
                return
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        try:
            said, wrong = self._process.communicate(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise StoreError("a watch took too long, and was ended") from None
        if self._stopped:
            return
        failures = _logged(said)
        if self._process.returncode not in (0, UNUSUAL):
            why = "; ".join(failures) or " ".join(wrong.split())[-_SAID:]
            raise StoreError(printable(f"a watch failed: {why}"))

    def stop(self) -> None:
        """End what is running; the next one looks at the same day again."""
        with self._lock:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()


def _logged(said: str) -> list[str]:
    """Log what the command has found; return what it could not do."""
    try:
        days = json.loads(said)["days"]
    except (ValueError, KeyError):
        return []
    failures: list[str] = []
    for day in days:
        for finding in day["findings"]:
            _log.warning("%s", printable(finding["sentence"]))
        for journey in day["paused"]:
            _log.warning("%s is paused", printable(journey))
        _log.info("watched %s: %d findings", day["day"], len(day["findings"]))
        failures += day["failures"]
    return failures
