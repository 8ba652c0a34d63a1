"""The HTTP door of `journeykit serve`: requests in, stimuli handed over, answers out.

`DoorServer` in `journeykit.local.http_server` brings the requests, read by h11.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from journeykit.http.door import Desk, Door as SharedDoor, Route
from journeykit.http.keys import Writer, given_key
from journeykit.http.messages import Answer, Refused, Request
from journeykit.local.http_keys import Keys

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class LocalDesk(Desk, Protocol):
    """What the door of one machine hands things to."""

    def metrics(self) -> str:
        """Return what is counted, as Prometheus reads it."""
        ...


class Door(SharedDoor):
    """Answers requests to this machine. It may be asked by many threads at once."""

    def __init__(
        self,
        desk: LocalDesk,
        *,
        keys: Keys | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout: float = 10.0,
    ) -> None:
        """Open nothing yet.

        Args:
            desk: Takes what comes in.
            keys: Who may come in. Without any, everybody who calls this machine by a
                name of its own (`localhost`) may.
            clock: Tells the instant that is stamped on what comes in.
            timeout: How many seconds a request waits until what it brought is durable.
        """
        super().__init__(desk, clock=clock, timeout=timeout)
        self.keys = keys or Keys()
        self._metrics_of = desk.metrics
        self.routes["/health"] = Route("GET", self._health, open=True)
        self.routes["/metrics"] = Route("GET", self._metrics)

    def writer(self, request: Request) -> Writer | None:
        """Return who has the key; without any keys, whoever is on this machine."""
        if self.keys:
            name = self.keys.name_of(given_key(request.headers))
            return None if name is None else Writer(name)
        # A web page can point a name of its own at this machine (DNS rebinding), and
        # its visitors' browsers would then call us.
        if not is_here(request.headers.get("host", "localhost")):
            raise Refused(421, "without API keys the door is for localhost only")
        return Writer()

    def _metrics(self, request: Request) -> Answer:
        return Answer(
            status=200,
            body=self._metrics_of().encode(),
            headers={"Content-Type": PROMETHEUS},
        )


def is_here(host: str) -> bool:
    """Whether a host, with or without a port, is a name that this machine has for itself."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
