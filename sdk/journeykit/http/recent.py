"""What was counted just now, so that it counts once a minute, however often it comes."""

from __future__ import annotations

import threading

_MOST_REMEMBERED = 10_000


class Recent:
    """The ids of a minute, some ten thousand of them; many threads may ask at once."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lock = threading.Lock()
        self._minutes: dict[str, int] = {}

    def has(self, id: str, minute: int) -> bool:
        """Whether it was counted in this minute; from now on it is."""
        with self._lock:
            if id in self._minutes:
                return True
            if len(self._minutes) >= _MOST_REMEMBERED:
                self._minutes = {
                    id: at for id, at in self._minutes.items() if at == minute
                }
                if len(self._minutes) >= _MOST_REMEMBERED:
                    self._minutes.clear()
            self._minutes[id] = minute
            return False

    def forget(self, id: str) -> None:
        """Let it count again: nothing has come of it."""
        with self._lock:
            self._minutes.pop(id, None)
