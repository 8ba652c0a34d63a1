"""What comes of a request, asked of real servers on this machine."""

from __future__ import annotations

import builtins
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from journeykit.network import Network
from journeykit.transport import (
    BODY_LIMIT,
    Blocked,
    MockTransport,
    NoAnswer,
    Response,
    Transport,
    Unreachable,
)

# A key that protects nothing, with a certificate for hooks.example.com; good for 100 years.
CERTIFICATE = Path(__file__).with_name("hooks.example.com.pem")
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"

Answer = Callable[[socket.socket, bytes], None]


def say(*parts: bytes) -> Answer:
    return lambda sock, request: sock.sendall(b"".join(parts))


def say_and_hang_up(*parts: bytes) -> Answer:
    def answer(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"".join(parts))
        sock.shutdown(socket.SHUT_RDWR)

    return answer


class Server:
    """Answers requests as it is told, and counts connections."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in?token=t-1"

    def close(self) -> None:
        self.over.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            pass  # wakes who waits in accept
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self.over.is_set():
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=[sock])
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):  # whoever asked may have gone
            self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        sock.settimeout(0.05)
        if self._tls is not None:
            sock.settimeout(5)
            sock = self._tls.wrap_socket(sock, server_side=True)
            sock.settimeout(0.05)
        with sock:
            while request := self.read(sock):
                self.requests.append(request)
                self.answer(sock, request)

    def read(self, sock: socket.socket) -> bytes:
        """One request, whose body is as long as it says; empty if there is none more."""
        request = b""
        while not complete(request):
            try:
                piece = sock.recv(65536)
            except TimeoutError:
                if self.over.is_set():
                    return b""
                continue
            if not piece:
                return b""
            request += piece
        return request


def complete(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    _, _, length = head.lower().partition(b"content-length: ")
    return bool(end) and len(body) >= int(length.split(b"\r\n")[0] or b"0")


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answer: Answer, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(timeout=5, network=Network(["127.0.0.0/8"]))
    yield made
    made.close()


@pytest.fixture
def hasty() -> Iterator[Transport]:
    """A transport that soon loses patience."""
    made = Transport(timeout=0.2, network=Network(["127.0.0.0/8"]))
    yield made
    made.close()


def test_an_answer_comes_back_with_its_headers_and_body(
    serve: Serve, transport: Transport
) -> None:
    server = serve(say(b"HTTP/1.1 201 Made\r\nX-Id: 7\r\nContent-Length: 2\r\n\r\n{}"))

    response = transport.post(server.url, b'{"a":1}', {"X-Key": "k"})

    assert isinstance(response, Response)
    assert (response.status, response.body, response.complete) == (201, b"{}", True)
    assert response.headers["x-id"] == "7"
    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?token=t-1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"X-Key: k" in head
    assert body == b'{"a":1}'


def test_what_is_fetched_is_asked_for_without_a_body(
    serve: Serve, transport: Transport
) -> None:
    server = serve(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))

    response = transport.get(server.url, {"X-Key": "k"})

    assert isinstance(response, Response)
    assert response.body == b"ok"
    [request] = server.requests
    assert request.startswith(b"GET /in?token=t-1 HTTP/1.1\r\n")
    assert b"X-Key: k" in request
    assert b"content-length" not in request.lower()


def test_what_is_fetched_goes_where_it_may(transport: Transport) -> None:
    assert isinstance(transport.get("http://169.254.169.254/latest"), Blocked)


def test_a_connection_is_used_again(serve: Serve, transport: Transport) -> None:
    server = serve(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))

    for _ in range(5):
        assert isinstance(transport.post(server.url, b"x"), Response)

    assert len(server.requests) == 5
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        NO_CONTENT,
    ],
)
def test_every_whole_answer_leaves_the_connection_usable(
    serve: Serve, transport: Transport, answer: bytes
) -> None:
    server = serve(say(answer))

    responses = [transport.post(server.url, b"x") for _ in range(3)]

    assert all(isinstance(r, Response) and r.complete for r in responses)
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        say_and_hang_up(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"),
        say_and_hang_up(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        # It doesn't say that it will close, and does.
        say_and_hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ],
    ids=["says so", "old", "silently"],
)
def test_a_connection_that_was_closed_is_replaced(
    serve: Serve, transport: Transport, answer: Answer
) -> None:
    server = serve(answer)

    for _ in range(3):
        response = transport.post(server.url, b"x")
        assert isinstance(response, Response)
        assert (response.body, response.complete) == (b"ok", True)
        until_closed(transport)

    assert server.connections == 3


def until_closed(transport: Transport) -> None:
    """Wait until a server's good-bye has arrived."""
    for connections in transport._idle.values():
        for _, connection in connections:
            deadline = time.monotonic() + 5
            while connection.is_connected and time.monotonic() < deadline:
                pass


def test_threads_have_connections_of_their_own(
    serve: Serve, transport: Transport
) -> None:
    echo = threading.Barrier(8)

    def answer(sock: socket.socket, request: bytes) -> None:
        echo.wait(5)  # so that eight requests are under way at once
        body = request.partition(b"\r\n\r\n")[2]
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    server = serve(answer)
    bodies = [f"message {n}".encode() for n in range(32)]

    with ThreadPoolExecutor(8) as pool:
        responses = [*pool.map(lambda body: transport.post(server.url, body), bodies)]

    assert [r.body for r in responses if isinstance(r, Response)] == bodies
    assert server.connections == 8


def test_nobody_at_the_door_is_unreachable(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    outcome = transport.post(f"http://127.0.0.1:{port}/", b"x")

    assert outcome == Unreachable("Connection refused")


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    outcome = Transport(network=Network(resolve=resolve)).post(
        "https://a.example/", b""
    )

    assert outcome == Unreachable("the host name can't be resolved")


def test_the_next_address_is_tried_if_one_is_dead(serve: Serve) -> None:
    server = serve(say(NO_CONTENT))
    network = Network(["127.0.0.0/8"], resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])
    transport = Transport(network=network)

    outcome = transport.post(f"http://hooks.example.com:{server.port}/", b"x")

    assert outcome == Response(204)
    assert f"Host: hooks.example.com:{server.port}".encode() in server.requests[0]
    transport.close()


def test_the_address_that_was_checked_is_the_one_that_is_called(serve: Serve) -> None:
    server = serve(say_and_hang_up(NO_CONTENT))
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    network = Network(["127.0.0.0/8"], resolve=lambda *_: next(answers))
    transport = Transport(network=network)
    url = f"http://rebinding.example.com:{server.port}/"

    first = transport.post(url, b"x")
    until_closed(transport)
    second = transport.post(url, b"x")

    assert first == Response(204)
    assert isinstance(second, Blocked)
    assert server.connections == 1


def test_a_blocked_url_is_not_called(serve: Serve) -> None:
    server = serve(say(NO_CONTENT))
    transport = Transport()

    outcome = transport.post(server.url, b"x")

    assert isinstance(outcome, Blocked)
    assert "not public" in outcome.reason
    assert server.connections == 0


def test_a_server_that_says_nothing_leaves_it_open(
    serve: Serve, hasty: Transport
) -> None:
    server = serve(lambda sock, request: None)

    outcome = hasty.post(server.url, b"x")

    assert outcome == NoAnswer("timed out")
    assert len(server.requests) == 1


def test_an_answer_that_trickles_ends_at_the_deadline(
    serve: Serve, hasty: Transport
) -> None:
    def trickle(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not server.over.wait(0.02):
            sock.sendall(b"x")

    server = serve(trickle)

    # Each piece comes well within any time-out for one read.
    assert hasty.post(server.url, b"x") == NoAnswer("timed out")


def test_a_status_counts_though_its_body_never_ends(
    serve: Serve, hasty: Transport
) -> None:
    server = serve(say(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nso far"))

    response = hasty.post(server.url, b"x")
    again = hasty.post(server.url, b"x")

    assert (
        response
        == again
        == Response(202, {"content-length": "9"}, b"so far", complete=False)
    )
    assert server.connections == 2


def test_a_long_body_is_cut(serve: Serve, transport: Transport) -> None:
    body = b"x" * (BODY_LIMIT + 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    longer = serve(say(head % len(body), body))
    just = serve(say(head % BODY_LIMIT, body[1:]))

    cut = transport.post(longer.url, b"x")
    whole = transport.post(just.url, b"x")

    assert isinstance(cut, Response)
    assert isinstance(whole, Response)
    assert cut.body == whole.body == body[1:]
    assert (cut.complete, whole.complete) == (False, True)


@pytest.mark.parametrize(
    "answer",
    [
        say_and_hang_up(),
        say_and_hang_up(b"HTTP/1.1 20"),
        say_and_hang_up(b"220 smtp.example.com ESMTP\r\n"),
        say_and_hang_up(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
        say_and_hang_up(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
        say_and_hang_up(b"\x16\x03\x01\x02\x00\x01"),
    ],
    ids=["nothing", "half", "smtp", "headers", "header", "tls"],
)
def test_a_connection_that_breaks_after_the_request_leaves_it_open(
    serve: Serve, transport: Transport, answer: Answer
) -> None:
    server = serve(answer)

    outcome = transport.post(server.url, b"x")

    assert isinstance(outcome, NoAnswer)
    assert outcome.reason


def test_an_answer_counts_though_the_request_was_not_read_to_its_end(
    transport: Transport,
) -> None:
    """As from a server that finds a body too large."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(10)
                sock.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n")
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        port = listener.getsockname()[1]
        outcome = transport.post(f"http://127.0.0.1:{port}/", b"x" * 10_000_000)
        thread.join()

    assert isinstance(outcome, Response)
    assert outcome.status == 413


def test_a_redirect_is_not_followed(serve: Serve, transport: Transport) -> None:
    other = serve(say(NO_CONTENT))
    server = serve(
        say(
            b"HTTP/1.1 307 Moved\r\nContent-Length: 0\r\n",
            b"Location: %s\r\n\r\n" % other.url.encode(),
        )
    )

    outcome = transport.post(server.url, b"x")

    assert isinstance(outcome, Response)
    assert outcome.status == 307
    assert other.connections == 0


@pytest.mark.parametrize(
    "headers", [{"X-Key": "a\r\nX-Other: 1"}, {"X:Key": "1"}, {"X-Key": "名前"}]
)
def test_a_header_that_can_not_be_one_is_an_error_and_nothing_goes_out(
    serve: Serve, transport: Transport, headers: dict[str, str]
) -> None:
    server = serve(say(NO_CONTENT))

    with pytest.raises(ValueError):  # noqa: PT011 - whichever http.client has
        transport.post(server.url, b"x", headers)

    assert server.requests == []
    assert transport.post(server.url, b"x") == Response(204)


def test_nothing_of_a_request_is_logged(
    serve: Serve, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    malformed = b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n"
    server = serve(say_and_hang_up(malformed))

    with caplog.at_level(logging.DEBUG):
        outcome = transport.post(server.url, b"b-1", {"X-Key": "k-1"})

    assert isinstance(outcome, Response)
    assert not [word for word in ("t-1", "b-1", "k-1") if word in caplog.text]


# TLS: the name is checked, though the address is called


def tls(names: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.sni_callback = lambda sock, name, context: names.append(name)
    return context


def to_this_machine(*hosts: str, **options: object) -> Transport:
    network = Network([*hosts, "127.0.0.0/8"], resolve=lambda *_: ["127.0.0.1"])
    return Transport(timeout=5, network=network, **options)  # type: ignore[arg-type]


def test_the_certificate_is_checked_for_the_name(serve: Serve) -> None:
    names: list[str | None] = []
    server = serve(say(NO_CONTENT), tls(names))
    transport = to_this_machine(ca_file=CERTIFICATE)

    for _ in range(2):
        outcome = transport.post(f"https://hooks.example.com:{server.port}/", b"x")
        assert outcome == Response(204)

    assert names == ["hooks.example.com"]
    assert server.connections == 1
    transport.close()


def test_a_certificate_of_somebody_else_gets_no_request(serve: Serve) -> None:
    server = serve(say(NO_CONTENT), tls([]))
    transport = to_this_machine(ca_file=CERTIFICATE)

    outcome = transport.post(f"https://other.example.com:{server.port}/", b"x")

    assert isinstance(outcome, Unreachable)
    assert outcome.reason.startswith("certificate not trusted: ")
    assert server.requests == []


def test_a_certificate_that_nobody_vouches_for_gets_no_request(serve: Serve) -> None:
    server = serve(say(NO_CONTENT), tls([]))

    outcome = to_this_machine().post(f"https://hooks.example.com:{server.port}/", b"x")

    assert isinstance(outcome, Unreachable)
    assert outcome.reason.startswith("certificate not trusted: ")
    assert server.requests == []


def test_a_server_that_never_finishes_the_handshake_is_unreachable(
    serve: Serve,
) -> None:
    server = serve(lambda sock, request: None)
    network = Network(["127.0.0.0/8"])
    transport = Transport(timeout=0.2, network=network)

    outcome = transport.post(f"https://127.0.0.1:{server.port}/", b"x")

    assert outcome == Unreachable("timed out")


# Proxies


class Tunnel:
    """Does what a proxy does for CONNECT, and is itself the server behind it."""

    def __init__(self, status: bytes = b"200 Connected") -> None:
        self.status = status
        self.context = tls([])
        self.asked: list[bytes] = []

    def __call__(self, sock: socket.socket, request: bytes) -> None:
        self.asked.append(request)
        sock.sendall(b"HTTP/1.1 %s\r\n\r\n" % self.status)
        if self.status.startswith(b"200"):
            sock.settimeout(5)
            with self.context.wrap_socket(sock, server_side=True) as inner:
                inner_request = b""
                while piece := inner.recv(65536):
                    inner_request += piece
                    if complete(inner_request):
                        inner.sendall(NO_CONTENT)
                        inner_request = b""


def through(server: Server, *hosts: str, login: str = "") -> Transport:
    return Transport(
        timeout=5,
        network=Network(hosts),
        proxy=f"http://{login}127.0.0.1:{server.port}",
        ca_file=CERTIFICATE,
    )


def test_a_proxy_is_asked_for_a_tunnel_and_sees_nothing_else(serve: Serve) -> None:
    tunnel = Tunnel()
    transport = through(serve(tunnel), "hooks.example.com", login="ada:p%40ss@")

    for _ in range(2):
        outcome = transport.post("https://hooks.example.com/in", b"x", {"X-Key": "k"})
        assert outcome == Response(204)

    [asked] = tunnel.asked
    assert asked.startswith(b"CONNECT hooks.example.com:443 HTTP/1.")
    assert b"Proxy-Authorization: Basic YWRhOnBAc3M=" in asked  # ada:p@ss
    assert b"X-Key" not in asked
    transport.close()


def test_a_proxy_that_refuses_makes_it_unreachable(serve: Serve) -> None:
    server = serve(Tunnel(b"407 Who are you"))

    outcome = through(server, "hooks.example.com").post(
        "https://hooks.example.com/", b""
    )

    assert isinstance(outcome, Unreachable)


def test_through_a_proxy_only_names_on_the_list_are_called(serve: Serve) -> None:
    server = serve(Tunnel())

    unlisted = through(server).post("https://hooks.example.com/", b"x")
    private = through(server).post("https://127.0.0.1/", b"x")
    plain = through(server, "a.example").post("http://a.example/", b"x")

    assert [type(outcome) for outcome in (unlisted, private, plain)] == [Blocked] * 3
    assert server.connections == 0


def test_the_environment_is_obeyed_if_one_says_so(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel, direct = Tunnel(), serve(say(NO_CONTENT))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{serve(tunnel).port}")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{serve(tunnel).port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    network = Network(["hooks.example.com", "127.0.0.0/8"])
    transport = Transport(
        timeout=5, network=network, proxy="environment", ca_file=CERTIFICATE
    )

    assert transport.post("https://hooks.example.com/", b"x") == Response(204)
    assert transport.post(direct.url, b"x") == Response(204)
    assert len(tunnel.asked) == 1
    transport.close()


@pytest.mark.parametrize(
    "proxy", ["", "proxy:3128", "https://proxy", "http://", "ftp://p"]
)
def test_what_is_no_proxy_is_refused_and_not_repeated(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"looks like http://proxy\.example\.com:3128"):
        Transport(proxy=proxy)


# Without the extra, and without a network


def test_without_urllib3_the_way_to_get_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = builtins.__import__

    def missing(name: str, *arguments: object) -> object:
        if name.startswith("urllib3"):
            raise ImportError(name)
        return found(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)

    with pytest.raises(ImportError, match=r"pip install 'journeykit\[http\]'"):
        Transport()


def test_a_mock_keeps_requests_and_answers_as_it_is_told() -> None:
    plain = MockTransport()
    busy = MockTransport(
        lambda request: Response(429, {"x-body": request.body.decode()})
    )

    assert plain.post("https://example.com/", b"x", {"X-Key": "k"}) == Response(204)
    assert busy.post("https://example.com/", b"y") == Response(429, {"x-body": "y"})
    [request] = plain.requests
    assert (request.url, request.body, request.headers) == (
        "https://example.com/",
        b"x",
        {"X-Key": "k"},
    )
