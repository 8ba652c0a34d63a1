"""Brings requests from sockets to the door: a thread a connection, a bounded number."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from secrets import token_hex
from types import TracebackType
from typing import Self

from journeykit.errors import InputError
from journeykit.http.messages import Refused, Request, line_of
from journeykit.local.door import Door, is_here
from journeykit.local.http_keys import VARIABLE
from journeykit.local.http_wire import Wire

LOG = logging.getLogger("journeykit.http")

_FAREWELLS = 32
"""Connections beyond the limit that are told so; any beyond these are just closed."""

_BACKLOG = 128
_LOOK = 0.01  # seconds between two looks at who is still there
_FULL = Refused(503, "all connections are taken; try again", Retry_After="1").answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many clients there may be, and how many seconds each may take.

    Attributes:
        connections: Of all clients at once.
        idle: Until a request begins.
        head: From its first byte to the end of its headers.
        body: For its body.
        send: Until the client has taken the answer.
        linger: For what it still sends behind a request that is answered already.
    """

    connections: int = 128
    idle: float = 10.0
    head: float = 10.0
    body: float = 30.0
    send: float = 10.0
    linger: float = 1.0


class DoorServer:
    """Listens at an address, from `start` to `stop`, for one time.

    Attributes:
        host: Where it listens.
        port: At which port; if it was 0, after `start` the one that the system chose.
    """

    def __init__(
        self,
        door: Door,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        limits: Limits | None = None,
    ) -> None:
        """Listen nowhere yet."""
        self.host = host
        self.port = port
        self._door = door
        self._limits = limits or Limits()
        self._stopping = False
        self._lock = threading.Lock()
        self._open: set[Wire] = set()

    def start(self) -> None:
        """Begin to listen, and return.

        Raises:
            InputError: It can't listen there; or others could reach it there, and there
                are no API keys.
        """
        place = f"{self.host}:{self.port}"
        if not 0 <= self.port < 2**16:  # getaddrinfo would cut it down to 16 bits
            raise InputError("can't listen there: no such port", place=place)
        try:
            [(family, _, _, _, address), *_] = socket.getaddrinfo(
                self.host or None,
                self.port,
                type=socket.SOCK_STREAM,
                flags=socket.AI_PASSIVE,
            )
            if not self._door.keys and not is_here(str(address[0])):
                raise InputError(
                    "without API keys the door opens at 127.0.0.1 only, for this "
                    f"machine; set {VARIABLE}",
                    place=place,
                )
            self._listener = socket.create_server(
                address, family=family, backlog=_BACKLOG
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"can't listen there: {reason}", place=place) from error
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._bell, self._ear = socket.socketpair()
        self._accepting = threading.Thread(
            target=self._accept, name="journeykit-door", daemon=True
        )
        self._accepting.start()

    def stop(self, *, within: float = 10.0) -> bool:
        """Take no more requests, and let those that have begun come to their end.

        Args:
            within: How many seconds they may take; then they are cut off.

        Returns:
            Whether all of them came to their end.
        """
        until = time.monotonic() + within
        self._stopping = True
        self._bell.close()
        self._accepting.join()
        while (wires := self._wires()) and time.monotonic() < until:
            for wire in wires:
                if wire.idle:
                    wire.hush()
            time.sleep(_LOOK)
        for wire in wires:
            wire.cut()
        return not wires

    def _wires(self) -> list[Wire]:
        with self._lock:
            return list(self._open)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _accept(self) -> None:
        """Take connections until the bell rings."""
        with self._listener, self._ear:
            while True:
                ready, _, _ = select.select([self._listener, self._ear], [], [])
                if self._ear in ready:
                    return
                try:
                    sock, _ = self._listener.accept()
                except (BlockingIOError, ConnectionError):
                    continue  # the client has changed its mind
                except OSError as error:  # no more files or memory for now
                    LOG.warning("no connection can be taken: %s", error)
                    time.sleep(0.1)
                    continue
                self._take(sock)

    def _take(self, sock: socket.socket) -> None:
        """Give a connection a thread, if only to say that there is no place."""
        with self._lock:
            beyond = len(self._open) - self._limits.connections
            if beyond >= _FAREWELLS:
                sock.close()
                return
            wire = Wire(sock)
            work = self._turn_away if beyond >= 0 else self._converse
            thread = threading.Thread(
                target=self._run, args=(wire, work), name="journeykit-door", daemon=True
            )
            self._open.add(wire)
        thread.start()

    def _run(self, wire: Wire, work: Callable[[Wire], None]) -> None:
        try:
            work(wire)
            wire.linger(self._limits.linger)
        except OSError:
            pass  # the client has left; what it brought is durable or wasn't taken
        finally:
            wire.close()
            with self._lock:
                self._open.remove(wire)

    def _turn_away(self, wire: Wire) -> None:
        wire.answer(_FULL, id=token_hex(8), last=True, seconds=self._limits.send)
        LOG.warning("503: all %d connections are taken", self._limits.connections)

    def _converse(self, wire: Wire) -> None:
        """Answer one request after the other."""
        while not self._stopping and wire.begins(self._limits.idle):
            if not self._exchange(wire):
                return

    def _exchange(self, wire: Wire) -> bool:
        """Read a request and answer it; return whether another one may follow."""
        begun = time.monotonic()
        request: Request | None = None
        try:
            request = wire.head(self._limits.head)
            answer = self._door.admit(request)
            if answer is None:
                body = wire.body(self._limits.body)
                answer = self._door.answer(replace(request, body=body, announced=None))
        except Refused as refused:
            answer = refused.answer
        # With few places left, those who are silent don't keep theirs.
        crowded = len(self._open) * 2 > self._limits.connections
        last = crowded or self._stopping
        id = request.id if request else token_hex(8)
        try:
            return wire.answer(answer, id=id, last=last, seconds=self._limits.send)
        finally:
            seconds = time.monotonic() - begun
            if request:
                request = replace(request, path=self._door.shown(request.path))
            LOG.info("%s", line_of(request, answer, id=id, seconds=seconds))
