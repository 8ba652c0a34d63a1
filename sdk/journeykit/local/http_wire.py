"""HTTP/1.1 on a socket: read by h11, bounded here in bytes and in time.

h11 knows the protocol: what a head looks like, where a body ends, whether the connection
can go on. It forgives what a proxy in front may understand in another way (a folded
line, one that ends with LF alone, chunks beside a length): that is how requests are
smuggled, so it is refused here.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from email.utils import formatdate
from http import HTTPStatus
from secrets import token_hex

import h11

from journeykit.http.messages import Answer, Refused, Request, headers_of, id_of

MAX_LINE = 4 * 1024
"""Bytes of a request line."""

MAX_HEAD = 16 * 1024
"""Bytes of request line and headers."""

MAX_HEADERS = 64

_CHUNK = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_UNCLEAR = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_WITH_BODY = ("POST", "PUT", "PATCH")
# The request is read to its end; that it offers another protocol is passed over.
_READ = (
    h11.DONE,
    h11.MIGHT_SWITCH_PROTOCOL,  # type: ignore[attr-defined] # documented all the same
)


class Wire:
    """A connection. Whatever is waited for has its time as a whole, however it drips.

    Attributes:
        idle: Whether it waits for a request to begin.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Read nothing yet."""
        self.idle = False
        self._sock = sock
        self._http = h11.Connection(h11.SERVER)
        self._is_head = False

    def begins(self, seconds: float) -> bool:
        """Wait for the first bytes of a request; False: none come any more."""
        until = time.monotonic() + seconds
        self.idle = True
        try:
            # RFC 9112 §2.2: an empty line that an old client sent behind a body is
            # ignored. h11 would refuse it, so each request has an h11 of its own.
            while not (rest := self._http.trailing_data[0].removeprefix(b"\r\n")):
                if not self._more(until):
                    return False
        except TimeoutError:
            return False
        finally:
            self.idle = False
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._http.receive_data(rest)
        self._is_head = False
        return True

    def head(self, seconds: float) -> Request:
        """Return the next request, without its body.

        Raises:
            Refused: It is too large, too slow, no HTTP/1.1 as the standard has it, or
                leaves open where its body ends. The connection can't go on.
        """
        until = time.monotonic() + seconds
        while True:
            held, _ = self._http.trailing_data
            _check(held)
            if isinstance(event := self._event(), h11.Request):
                break
            self._wait(until, "head")
        self._is_head = event.method == b"HEAD"
        rest, _ = self._http.trailing_data
        if _UNCLEAR.search(held, 0, len(held) - len(rest)):
            raise Refused(400, "a line of the head is folded, cut, or not text")
        request = _request(event)
        if not request.announced:
            self._event()  # its end
        return request

    def body(self, seconds: float) -> bytes:
        """Return the body of the request, which a client may wait to be asked for.

        Raises:
            Refused: It ends too early, or is too slow.
        """
        until = time.monotonic() + seconds
        body = bytearray()
        while self._http.their_state is h11.SEND_BODY:
            event = self._event()
            if isinstance(event, h11.Data):
                body += event.data
            elif event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    self._sock.sendall(_CONTINUE)
                self._wait(until, "body")
        return bytes(body)

    def answer(self, answer: Answer, *, id: str, last: bool, seconds: float) -> bool:
        """Send an answer; return whether another request may follow.

        Args:
            answer: What to send; to `HEAD`, without its body.
            id: Of the request.
            last: Whether none may follow.
            seconds: How long the client may take.

        Raises:
            OSError: The client has left, or doesn't read.
        """
        headers = {
            "Date": formatdate(usegmt=True),
            **headers_of(answer, id=id),
        }
        if answer.status != HTTPStatus.NO_CONTENT:  # RFC 9110 §8.6
            headers["Content-Length"] = str(len(answer.body))
        # By hand: with h11 it is longer, and takes as long again as reading a request.
        goes_on = not last and self._http.their_state in _READ
        if not goes_on:
            headers["Connection"] = "close"
        first = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"
        lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
        data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self._sock.settimeout(seconds)
        self._sock.sendall(data if self._is_head else data + answer.body)
        return goes_on

    def linger(self, seconds: float) -> None:
        """End it, but read on for a moment.

        What is closed with something unread is reset, and a reset overtakes the answer.
        """
        self._sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while self._received(until):
                pass

    def hush(self) -> None:
        """Let nothing more come in; whoever waits for it is told that it is over."""
        with contextlib.suppress(OSError):  # it is over already
            self._sock.shutdown(socket.SHUT_RD)

    def cut(self) -> None:
        """Break it off, whoever is using it."""
        with contextlib.suppress(OSError):  # it is over already
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.close()

    def _event(self) -> object:
        """Return what comes next in what has been received."""
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            reason, _, _ = str(error).partition(": bytearray")  # what came in
            raise Refused(400, f"not HTTP/1.1 as it should be: {reason}") from error

    def _wait(self, until: float, part: str) -> None:
        try:
            self._more(until)
        except TimeoutError as error:
            raise Refused(408, f"the {part} took too long") from error

    def _more(self, until: float) -> bool:
        """Give h11 what comes; False: nothing will any more."""
        data = self._received(until)
        self._http.receive_data(data)
        return bool(data)

    def _received(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv(_CHUNK)


def _check(held: bytes) -> None:
    """Refuse a head that is too large or none at all, whether or not it is all there."""
    # Another protocol (TLS, say) is told at once instead of when time is up.
    if held and not held[:1].isalpha():
        raise Refused(400, "this is not HTTP")
    end = held.find(b"\r\n\r\n")
    size = len(held) if end < 0 else end
    if size > MAX_LINE and b"\r\n" not in held[:MAX_LINE]:
        raise Refused(414, f"the first line may have {MAX_LINE} bytes")
    if size > MAX_HEAD:
        raise Refused(431, f"the head may have {MAX_HEAD} bytes")


def _request(event: h11.Request) -> Request:
    """Read a head as far as we want to know, or refuse it."""
    if event.http_version not in (b"1.0", b"1.1"):
        raise Refused(505, "HTTP/1.1 is spoken here")
    if len(event.headers) > MAX_HEADERS:
        raise Refused(431, f"a request may have {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for raw, value in event.headers:
        name, text = raw.decode(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    if headers.get("expect", "100-continue").lower() != "100-continue":
        raise Refused(417, "only Expect: 100-continue can be met")
    method, length = event.method.decode(), headers.get("content-length")
    if "transfer-encoding" in headers:
        if length is not None:
            raise Refused(400, "Content-Length and Transfer-Encoding contradict")
        raise Refused(411, "send the body in one piece, with its Content-Length")
    if length is None and method in _WITH_BODY:
        raise Refused(411, "the header Content-Length is missing")
    target = _ABSOLUTE.sub("", event.target.decode(), count=1)
    return Request(
        method=method,
        path=target.partition("?")[0] or "/",
        headers=headers,
        announced=int(length or 0),
        id=id_of(headers, drawn=token_hex(8)),
        url=f"http://{headers.get('host', '')}{target}",
    )
