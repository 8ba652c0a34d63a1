"""The HTTP door of `journeykit serve`: requests in, stimuli handed over, answers out.

`DoorServer` in `journeykit.local.http_server` brings the requests, read by h11.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from journeykit.channels import Channel, Report
from journeykit.errors import ForgedCallback, InputError, StoreError
from journeykit.http.door import Busy, Desk, Door as SharedDoor, Route, not_stored
from journeykit.http.feedback import (
    FEEDBACK,
    MAX_CALLBACK,
    ROUTE,
    callback_in,
    greeted,
    is_ours,
    strange,
    thanked,
)
from journeykit.http.keys import Writer, given_key
from journeykit.http.messages import Answer, Refused, Request
from journeykit.links import LinkSettings
from journeykit.local.http_keys import Keys

if TYPE_CHECKING:
    from journeykit.http.inbox import Board
    from journeykit.http.placements import Decide
    from journeykit.sources import Source

LOG = logging.getLogger("journeykit.http")

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class LocalDesk(Desk, Protocol):
    """What the door of one machine hands things to."""

    def report(
        self, channel: str, reports: Sequence[Report], *, timeout: float
    ) -> None:
        """Return when what a channel's provider says is durable.

        Raises:
            Busy: There is no room, or it isn't durable in time.
            StoreError: It can't be made durable now.
        """
        ...

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
        channels: Mapping[str, Channel] | None = None,
        links: LinkSettings | None = None,
        workspace: str = "",
        inbox: Board | None = None,
        decide: Decide | None = None,
        sources: Mapping[str, Source] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            desk: Takes what comes in.
            keys: Who may come in. Without any, everybody who calls this machine by a
                name of its own (`localhost`) may.
            clock: Tells the instant that is stamped on what comes in.
            timeout: How many seconds a request waits until what it brought is durable.
            channels: Whose callbacks are taken.
            links: `[links]` of the workspace; without a URL there are no pages.
            workspace: Its name, which is signed with each link.
            inbox: Where in-app messages are; None: there are none.
            decide: Says what a place is to show that asks; None: nobody may ask.
            sources: What may post here, by name.
        """
        super().__init__(
            desk,
            clock=clock,
            timeout=timeout,
            links=links,
            workspace=workspace,
            inbox=inbox,
            decide=decide,
            sources=sources or {},
            source=(sources or {}).__getitem__,
        )
        self.keys = keys or Keys()
        self._here = desk
        self._channels = channels or {}
        if self._channels:
            self.routes[ROUTE] = Route(
                "GET POST",
                self._called_back,
                open=True,
                raw=True,
                public=True,
                most=MAX_CALLBACK,
            )
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

    def pattern(self, path: str) -> str:
        """Return the path of a route that a path is one of; a channel must be carried."""
        found = super().pattern(path)
        named = path.removeprefix(FEEDBACK)
        return "" if found == ROUTE and named not in self._channels else found

    def _called_back(self, request: Request) -> Answer:
        """Take what a provider says, if its channel knows it for the provider's."""
        name = request.path.removeprefix(FEEDBACK)
        channel = self._channels[name]
        callback = callback_in(
            request, received_at=self._clock(), url=self._outer(request.url)
        )
        try:
            if answer := greeted(channel.handshake, callback):
                return answer
            if request.method != "POST":
                raise strange()
            reports = channel.feedback(callback)
        except ForgedCallback as error:
            LOG.warning("id=%s forged: %s", request.id, error)
            raise Refused(403, "not signed by the channel's provider") from error
        except InputError as error:
            if is_ours(error):  # not set up: nobody else's fault
                LOG.error("id=%s %s", request.id, error)
                raise Refused(
                    503, "it can't be verified now", Retry_After="60"
                ) from error
            LOG.warning("id=%s unreadable: %s", request.id, error.place)
            raise Refused(400, "not what the channel's provider sends") from error
        try:
            self._here.report(name, reports, timeout=self._timeout)
        except Busy as error:
            raise Refused(503, "too much is waiting", Retry_After="1") from error
        except StoreError as error:
            raise not_stored(error) from error
        return thanked(request, count=len(reports))

    def _outer(self, url: str) -> str:
        """Return what was called as its caller knows it, which some sign.

        Behind a proxy this machine has another name than it has out there.
        """
        if self.links is None:
            return url
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self.links.url.rstrip('/')}{parts.path}{query}"

    def _metrics(self, request: Request) -> Answer:
        return Answer(
            status=200,
            body=self._here.metrics().encode(),
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
