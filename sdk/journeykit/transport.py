"""HTTP for channels and actions: one request, and what came of it.

    transport = Transport(timeout=15)
    outcome = transport.post("https://hooks.example.com/messages", b"{}")
    receipt = receipt_of(message.delivery_id, outcome)

An outcome says whether the request can have arrived, which is what a retry hangs on.
It is known by which call failed, connecting or asking, and never guessed from an error.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import weakref
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

from journeykit.channels import Receipt, Rejected, RetryAfter, Sent, Uncertain
from journeykit.network import PORTS, Network, Refused, Target

if TYPE_CHECKING:  # urllib3 is an extra
    from urllib3.connection import HTTPConnection

BODY_LIMIT = 64 * 1024
"""So much of an answer's body is read; a provider's word on one batch is a few KB."""

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=1)
"""The bounds of what a provider may ask for by `Retry-After`."""

ENVIRONMENT = "environment"
"""As a proxy: what `HTTPS_PROXY` and `NO_PROXY` say."""

_IDLE_SECONDS = (
    30.0  # routers forget a silent connection after minutes, and tell nobody
)
_IDLE_CONNECTIONS = 16  # kept for each origin; as many threads send at full speed


@dataclass(frozen=True, slots=True)
class Response:
    """The server answered.

    Attributes:
        status: Such as 200.
        headers: By name in lower case.
        body: Its first 64 KB.
        complete: Whether that is all of it; if not there was more, or it came too slowly.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)  # it may repeat what it was sent
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Blocked:
    """The URL must not be called, and was not."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There was no connection, so the request certainly did not arrive."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request was under way, and nobody knows whether it arrived."""

    reason: str


Outcome: TypeAlias = Response | Blocked | Unreachable | NoAnswer
"""What came of a request."""


def receipt_of(delivery_id: str, outcome: Outcome) -> Receipt:
    """Return the receipt that an outcome means for the message that was posted.

    A RetryAfter of 0 seconds is one whose delay is left to the caller.
    """
    match outcome:
        case Blocked(reason):
            return Rejected(delivery_id, f"blocked: {reason}")
        case Unreachable():
            return RetryAfter(delivery_id, 0)
        case NoAnswer(reason):
            return Uncertain(delivery_id, reason)
        case Response(status) if 200 <= status < 300:
            return Sent(delivery_id)
        case Response(status) if 300 <= status < 400:
            return Rejected(delivery_id, f"{_phrase(status)}: redirects, not followed")
        case Response(status) if _is_passing(status):
            return RetryAfter(delivery_id, retry_after(outcome))
        case Response(status) if 400 <= status < 500 or status in _NEVER:
            return Rejected(delivery_id, _phrase(status))
        case Response(status) if 500 <= status < 600:
            # Whoever broke may have passed it on before, and so may a gateway that has
            # waited in vain. It is asked again if the channel is idempotent.
            return Uncertain(delivery_id, _phrase(status))
        case Response(status):
            return Uncertain(
                delivery_id, f"{_phrase(status)}: no answer that HTTP knows"
            )


def retry_after(response: Response) -> float:
    """Seconds until a server wants to be asked again; 0 if it doesn't say.

    A date is measured by the server's own clock. What it asks for is kept within a second
    and a day.
    """
    said = response.headers.get("retry-after", "").strip()
    if not said:
        return 0.0
    if said.isascii() and said.isdigit():
        # Longer texts are beyond a day, and int() refuses the longest.
        wait = timedelta(seconds=int(said)) if len(said) < 9 else LONGEST
    else:
        try:
            there = parsedate_to_datetime(response.headers["date"])
            wait = parsedate_to_datetime(said) - there
        # What is no date is told in each of these ways.
        except (KeyError, ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(wait, SHORTEST), LONGEST).total_seconds()


def _is_passing(status: int) -> bool:
    """Whether nothing was done, and the same request may work later."""
    return status in (408, 425, 429, 503)


_NEVER = (501, 505)  # what a server can't do it won't have learned


def _phrase(status: int) -> str:
    """Name a status in our words: the server's may hold anything."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


_Idle: TypeAlias = "dict[tuple[str, str, int], list[tuple[float, HTTPConnection]]]"


class Transport:
    """Asks over connections that are kept and used again; from any thread.

    Nothing is retried and no redirect is followed: both are the caller's business.

    Args:
        timeout: The most seconds that one request takes, however slowly the answer comes;
            only resolving the name has the system's own limits.
        connect_timeout: The most seconds for reaching one address.
        network: Where requests may go.
        proxy: `http://proxy:3128`, or `environment`; None: there is no proxy. Through one
            only https is called.
        ca_file: The certificates to trust; None: the system's.

    Raises:
        ImportError: urllib3 is not installed.
        ValueError: The proxy's URL is none.
    """

    def __init__(
        self,
        *,
        timeout: float = 15.0,
        connect_timeout: float = 5.0,
        network: Network | None = None,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
    ) -> None:
        """Connect to nobody yet."""
        try:
            import urllib3.connection
        except ImportError as err:
            raise ImportError(
                "journeykit.transport needs urllib3: pip install 'journeykit[http]'"
            ) from err
        self._urllib3 = urllib3.connection
        self.timeout = timeout
        self.connect_timeout = connect_timeout
        self.network = Network() if network is None else network
        self._proxies, self._bypass = _proxies(proxy)
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._idle: _Idle = {}
        self._lock = Lock()
        weakref.finalize(self, _close, self._idle)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Outcome:
        """Post a body, and return what came of it.

        Raises:
            ValueError: A header can't be one.
        """
        return self._asked("POST", url, body, headers)

    def get(
        self, url: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Outcome:
        """Fetch something small, such as a certificate, and return what came of it.

        Raises:
            ValueError: A header can't be one.
        """
        return self._asked("GET", url, None, headers)

    def _asked(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Outcome:
        deadline = monotonic() + self.timeout
        try:
            target = self.network.target(url)
            connection = self._kept(target) or self._connected(target, deadline)
        except Refused as err:
            return Blocked(str(err))
        except (OSError, http.client.HTTPException) as err:
            return Unreachable(_reason(err))
        try:
            response = _exchange(connection, method, target, body, headers, deadline)
        except (OSError, http.client.HTTPException) as err:
            connection.close()
            return NoAnswer(_reason(err))
        except BaseException:
            connection.close()
            raise
        if response.complete and not connection.is_closed:
            self._keep(target, connection)
        else:
            connection.close()
        return response

    def close(self) -> None:
        """Close the connections that nobody uses; more may be opened."""
        with self._lock:
            _close(self._idle)

    def _kept(self, target: Target) -> HTTPConnection | None:
        """Return a connection that is still open. Its address was checked, so still is."""
        while True:
            with self._lock:
                idle = self._idle.get(target.origin)
                if not idle:
                    return None
                since, connection = idle.pop()
            # A server that is done with it has closed it, which can be read off it.
            if monotonic() - since < _IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()

    def _keep(self, target: Target, connection: HTTPConnection) -> None:
        with self._lock:
            idle = self._idle.setdefault(target.origin, [])
            if len(idle) < _IDLE_CONNECTIONS:
                idle.append((monotonic(), connection))
                return
        connection.close()

    def _connected(self, target: Target, deadline: float) -> HTTPConnection:
        """Open a connection to an address that was checked.

        Raises:
            Refused: The target must not be called.
            OSError: It can't be reached.
        """
        proxy = self._proxy_for(target)
        if proxy is not None:
            if target.scheme != "https":
                raise Refused("through a proxy only https:// is called")
            self.network.check_unresolved(target)
            return self._opened(target, proxy, deadline, tunnel=True)
        failure: OSError = TimeoutError("timed out")
        for address in self.network.addresses(target):
            try:
                return self._opened(target, str(address), deadline)
            except OSError as err:
                failure = err
        raise failure

    def _opened(
        self, target: Target, to: str, deadline: float, *, tunnel: bool = False
    ) -> HTTPConnection:
        """Connect to an address, or by way of a proxy's URL."""
        host, port, login = _proxy_parts(to) if tunnel else (to, target.port, {})
        seconds = min(self.connect_timeout, _left(deadline))
        connection: HTTPConnection
        if target.scheme == "https":
            connection = self._urllib3.HTTPSConnection(
                host,
                port,
                timeout=seconds,
                ssl_context=self._tls,
                server_hostname=target.host,  # SNI, and what the certificate must name
            )
        else:
            connection = self._urllib3.HTTPConnection(host, port, timeout=seconds)
        if tunnel:
            connection.set_tunnel(target.host, target.port, login)
        # Once closed it must not be opened again behind our back, and unchecked.
        connection.auto_open = 0
        try:
            connection.connect()
        except Exception as err:
            connection.close()
            # urllib3 wraps what the system said in errors of its own.
            cause = err if isinstance(err, OSError) else err.__cause__
            raise cause if isinstance(cause, OSError) else OSError(str(err)) from err
        return connection

    def _proxy_for(self, target: Target) -> str | None:
        if self._bypass is not None and self._bypass(target.host):
            return None
        return self._proxies.get(target.scheme)


@dataclass(frozen=True, slots=True)
class Request:
    """What a MockTransport was asked for."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


class MockTransport(Transport):
    """Asks nobody: it keeps the requests and answers as it is told.

    Attributes:
        requests: What it was asked for, in order.
        answer: The outcome of each request.
    """

    def __init__(
        self, answer: Callable[[Request], Outcome] = lambda _: Response(204)
    ) -> None:
        """Answer that there is nothing to say, unless told better."""
        self.requests: list[Request] = []
        self.answer = answer

    def _asked(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Outcome:
        request = Request(url, body or b"", dict(headers), method)
        self.requests.append(request)
        return self.answer(request)

    def close(self) -> None:
        """There is nothing to close."""


def _close(idle: _Idle) -> None:
    while idle:
        _, connections = idle.popitem()
        for _, connection in connections:
            connection.close()


def _exchange(
    connection: HTTPConnection,
    method: str,
    target: Target,
    body: bytes | None,
    headers: Mapping[str, str],
    deadline: float,
) -> Response:
    """Ask over an open connection.

    Raises:
        OSError: It broke, or the time is over.
        http.client.HTTPException: What came is no HTTP.
    """
    connection.timeout = _left(deadline)
    # A server may answer and close before it has read everything: the answer counts.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(
            method, target.path, body, {"Host": target.authority, **headers}
        )
    connection.response_class = _until(deadline)  # type: ignore[assignment] # makes one
    # Not urllib3's own, which logs the URL where an answer's headers are malformed.
    answer = http.client.HTTPConnection.getresponse(connection)
    content, complete = _content(answer)
    found: dict[str, str] = {}
    for name, value in answer.getheaders():
        found.setdefault(name.lower(), value)
    return Response(answer.status, MappingProxyType(found), content, complete)


def _content(answer: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """Read a body as far as it is of use, and say whether that is all.

    The status is there already and counts, whatever becomes of the rest.
    """
    content = bytearray()
    complete = False
    with answer, suppress(OSError, http.client.HTTPException):
        while len(content) <= BODY_LIMIT:
            if not (piece := answer.read1(BODY_LIMIT + 1 - len(content))):
                complete = not answer.length  # None: nobody said how long it is
                break
            content += piece
    return bytes(content[:BODY_LIMIT]), complete


class _Until(io.RawIOBase):
    """What comes off a socket before a deadline, however it trickles."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _until(deadline: float) -> Callable[..., http.client.HTTPResponse]:
    """Make responses that give up at a deadline."""

    def response(sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
        made = http.client.HTTPResponse(sock, **options)
        made.fp.close()
        made.fp = io.BufferedReader(_Until(sock, deadline))
        return made

    return response


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _proxies(
    proxy: str | None,
) -> tuple[Mapping[str, str], Callable[[str], object] | None]:
    """Return the proxies by the scheme of what is called, and who is called without."""
    bypass = None
    found = {} if proxy is None else dict.fromkeys(PORTS, proxy)
    if proxy == ENVIRONMENT:
        # Imported here because it is a whole HTTP client, and few want it.
        from urllib.request import getproxies_environment, proxy_bypass

        found, bypass = getproxies_environment(), proxy_bypass
    proxies = {scheme: found[scheme] for scheme in PORTS if scheme in found}
    for url in proxies.values():
        _proxy_parts(url)  # a wrong one is better found now
    return proxies, bypass


def _proxy_parts(url: str) -> tuple[str, int, dict[str, str]]:
    """Take a proxy's URL apart: host, port, and what logs in there.

    Raises:
        ValueError: It is no proxy's URL; the message doesn't repeat it.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("a proxy's URL looks like http://proxy.example.com:3128")
    if parts.username is None:
        return parts.hostname, parts.port or 80, {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    basic = b64encode(login.encode()).decode()
    return parts.hostname, parts.port or 80, {"Proxy-Authorization": f"Basic {basic}"}


def _reason(err: Exception) -> str:
    """Say what went wrong, without URL, address or anything that a server wrote."""
    if isinstance(err, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {err.verify_message}"
    if isinstance(err, TimeoutError):
        return "timed out"
    if isinstance(err, socket.gaierror):
        return "the host name can't be resolved"
    return (err.strerror if isinstance(err, OSError) else "") or type(err).__name__
