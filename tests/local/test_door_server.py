import contextlib
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError
from journeykit.http.body import MAX_BODY
from journeykit.http.messages import Refused
from journeykit.local.door import Door
from journeykit.local.http_keys import Keys
from journeykit.local.http_server import DoorServer, Limits
from journeykit.local.http_wire import MAX_HEAD, Wire

KEY = "k3y-of-the-shop-1234"
EVENT = (
    b'{"id": "o-1", "name": "order.placed", "customer": "ada",'
    b' "occurred_at": "2026-06-07T11:59:58Z"}'
)
POST = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
ENOUGH = 30.0  # seconds until a test that hangs is a test that fails


class MemoryDesk:
    """Keeps what it is handed; `gate` makes it slow."""

    def __init__(self) -> None:
        self.taken: list[Stimulus] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        self.entered.set()
        assert self.gate.wait(ENOUGH)
        self.taken += stimuli

    def health(self) -> Mapping[str, object]:
        return {"status": "ok"}

    def metrics(self) -> str:
        return ""


@contextlib.contextmanager
def serving(
    desk: MemoryDesk | None = None, *, keys: str = "", **limits: Any
) -> Iterator[DoorServer]:
    known = Keys.from_environment({"JOURNEYKIT_API_KEYS": keys})
    door = Door(desk or MemoryDesk(), keys=known)
    with DoorServer(door, port=0, limits=Limits(**limits)) as server:
        yield server


def connected(server: DoorServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=ENOUGH)


class Heard(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Message
    content: Any


def heard(sock: socket.socket) -> Heard:
    """Read the next answer."""
    answer = HTTPResponse(sock)
    answer.begin()
    body = answer.read()
    return Heard(answer.status, answer.headers, json.loads(body) if body else None)


def said(server: DoorServer, data: bytes) -> Heard:
    """Say something raw, and return the first answer."""
    with connected(server) as sock:
        sock.sendall(data)
        return heard(sock)


def is_over(sock: socket.socket) -> bool:
    """Wait until the other side ends it; anything else that comes is no end."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def posting(body: bytes, *more: bytes) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return POST + JSON + length + b"".join(more) + b"\r\n" + body


# What a client wants


def test_events_come_in_by_the_standard_librarys_client() -> None:
    desk = MemoryDesk()
    with serving(desk, keys=f"shop:{KEY}") as server:
        client = HTTPConnection("127.0.0.1", server.port, timeout=ENOUGH)
        headers = {"Content-Type": "application/json", "X-Api-Key": KEY}
        statuses = []
        for _ in range(3):
            client.request("POST", "/v1/events", b"[%b]" % EVENT, headers)
            answer = client.getresponse()
            statuses.append((answer.status, json.loads(answer.read())["accepted"]))
        client.close()

    assert statuses == [(200, 1)] * 3
    assert len(desk.taken) == 3


def test_an_answer_says_which_request_it_is_for() -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: a-1\r\n\r\n"))
        echoed = heard(sock)
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: a\tb\r\n\r\n"))
        drawn = heard(sock)

    assert echoed.headers["X-Request-Id"] == "a-1"
    assert len(drawn.headers["X-Request-Id"] or "") == 16


def test_head_has_the_headers_and_no_body() -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(b"HEAD /health HTTP/1.0\r\n\r\n")
        answer = sock.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 16\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    desk = MemoryDesk()
    with serving(desk) as server, connected(server) as sock:
        last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        sock.sendall(posting(EVENT) + GET + posting(b"[]") + b"\r\n" + last)
        answers = sock.makefile("rb").read()

    assert re.findall(rb"^{\"(\w+)", answers, re.MULTILINE) == [
        b"accepted",
        b"status",
        b"accepted",
        b"status",
    ]
    assert len(desk.taken) == 1


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    with serving() as server, connected(server) as sock:
        whole = posting(EVENT, b"Expect: 100-continue\r\n")
        head, body = whole[: -len(EVENT)], whole[-len(EVENT) :]
        sock.sendall(head)
        word = sock.recv(1_000)
        sock.sendall(body)
        answer = heard(sock)

    assert word == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 200


def test_a_client_that_asks_first_and_may_not_is_told_so() -> None:
    with serving(keys=KEY) as server, connected(server) as sock:
        sock.sendall(posting(EVENT, b"Expect: 100-continue\r\n")[: -len(EVENT)])
        answer = heard(sock)

    assert answer.status == 401


def test_a_refused_head_request_is_told_so_without_a_body() -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(b"HEAD /health HTTP/1.1\r\nHost: a\r\nExpect: bread\r\n\r\n")
        answer = sock.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 417 ")
    assert answer.endswith(b"\r\n\r\n")


def test_an_old_client_is_answered_and_let_go() -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        answer = heard(sock)

        assert answer.status == 200
        assert is_over(sock)


def test_a_target_may_be_a_whole_address_and_have_a_query() -> None:
    with serving() as server:
        answer = said(
            server, GET.replace(b"/health", b"http://localhost:1/health?probe=1")
        )

    assert answer.status == 200


def test_an_offer_to_speak_another_protocol_is_declined() -> None:
    offer = b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with serving() as server, connected(server) as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", offer))
        first = heard(sock)
        sock.sendall(GET)
        second = heard(sock)

    assert (first.status, second.status) == (200, 200)


# Hostile heads


LENGTH = b"Content-Length: 2\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /health\r\n\r\n", 400),
        (b"GET  /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /hea lth HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1 \r\n\r\n", 400),
        (b"G\x00T /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /h\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        # With none of its own, a Host that isn't ours could go unnoticed.
        (b"GET /health HTTP/1.2\r\n\r\n", 505),
        (b"GET /health HTTP/0.9\r\n\r\n", 505),
        (b"GET / HTTP/11\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nExpect: bread\r\n\r\n", 417),
        (b"\r\n\r\n\r\n", 400),
        (b"GET /" + b"a" * 5_000, 414),
        (b"GET /health HTTP/1.1\r\n" + b"X: " + b"a" * MAX_HEAD, 431),
        (b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 64 + b"\r\n", 431),
        (POST + JSON + b"\r\n", 411),
        (POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", 411),
        (POST + JSON + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n[]", 400),
        (POST + JSON + LENGTH + b"transfer-encoding: x\r\n\r\n[]", 400),
        (POST + JSON + LENGTH + b"Content-Length: 3\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: 2, 3\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: +2\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: 0x2\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: -2\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: \xb2\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length:\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: 999999999999999999999\r\n\r\n[]", 400),
        (POST + JSON + b"Content-Length: 99999999999999999999\r\n\r\n[]", 413),
        (POST + LENGTH + b"\r\n[]", 415),
    ],
)
def test_a_hostile_head_is_refused_and_the_connection_ended(
    data: bytes, status: int
) -> None:
    desk = MemoryDesk()
    with serving(desk) as server, connected(server) as sock:
        # What follows must not be taken for a request of its own.
        sock.sendall(data + posting(EVENT))
        answer = heard(sock)

        assert (answer.status, bool(answer.content["error"])) == (status, True)
        assert answer.headers["Connection"] == "close"
        assert is_over(sock)
    assert desk.taken == []


@pytest.mark.parametrize("lengths", [LENGTH + LENGTH, b"Content-Length: 2, 2\r\n"])
def test_a_length_that_is_said_twice_is_one(lengths: bytes) -> None:
    # RFC 9110 §8.6 leaves it to us. Equal ones can be read in one way only, so nothing
    # can be smuggled by them; those that differ are refused, above.
    with serving() as server, connected(server) as sock:
        sock.sendall(POST + JSON + lengths + b"\r\n[]" + GET)
        sock.shutdown(socket.SHUT_WR)
        answers = sock.makefile("rb").read()

    assert re.findall(rb"^HTTP/1\.1 (\d+)", answers, re.MULTILINE) == [b"200", b"200"]


def test_more_than_was_announced_is_no_part_of_the_body() -> None:
    desk = MemoryDesk()
    with serving(desk) as server, connected(server) as sock:
        sock.sendall(posting(EVENT) + b'{"more": true}')
        answers = sock.makefile("rb").read()

    assert re.findall(rb"^HTTP/1\.1 (\d+)", answers, re.MULTILINE) == [b"200", b"400"]
    assert len(desk.taken) == 1


def test_less_than_was_announced_is_no_body() -> None:
    desk = MemoryDesk()
    with serving(desk) as server, connected(server) as sock:
        sock.sendall(posting(EVENT)[:-1])
        sock.shutdown(socket.SHUT_WR)
        answer = heard(sock)

    assert answer.status == 400
    assert f"(received {len(EVENT) - 1} bytes, " in answer.content["error"]
    assert desk.taken == []


def test_a_body_that_is_too_large_is_answered_while_it_still_comes() -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(posting(b" " * (MAX_BODY + 1)))

        assert heard(sock).status == 413


def test_without_a_key_a_connection_ends_before_the_body() -> None:
    desk = MemoryDesk()
    with serving(desk, keys=KEY) as server, connected(server) as sock:
        sock.sendall(posting(EVENT))
        answer = heard(sock)

        assert answer.status == 401
        assert is_over(sock)
    assert desk.taken == []


def test_a_refusal_of_something_read_leaves_the_connection_open() -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(posting(b"{"))
        first = heard(sock).status
        sock.sendall(GET.replace(b"/health", b"/nothing"))
        second = heard(sock).status
        sock.sendall(GET)
        third = heard(sock).status

    assert (first, second, third) == (400, 404, 200)


# Slow clients, and many of them


@pytest.mark.parametrize(
    "data", [b"GET /health HTTP/1.1\r\nX: ", b"G", posting(EVENT)[:-50]]
)
def test_a_request_that_drips_has_its_time_as_a_whole(data: bytes) -> None:
    with serving(head=0.2, body=0.2) as server, connected(server) as sock:
        sock.sendall(data)
        done = threading.Event()

        def drip() -> None:
            while not done.wait(0.05):  # a drop before a single read is out of time
                with contextlib.suppress(OSError):
                    sock.send(b"a")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            answer = heard(sock)
        finally:
            done.set()
            thread.join()

    assert answer.status == 408


def test_whoever_says_nothing_is_let_go() -> None:
    with serving(idle=0.05) as server, connected(server) as sock:
        assert is_over(sock)


def test_there_is_a_place_again_when_somebody_has_left() -> None:
    with serving(connections=2) as server:
        first, second = connected(server), connected(server)
        with first, second:
            first.sendall(GET)
            assert heard(first).status == 200
            second.sendall(b"G")
            turned_away = said(server, b"")
        while (again := said(server, GET)).status == 503:
            pass  # until both have left

    assert turned_away.status == 503
    assert turned_away.headers["Retry-After"] == "1"
    assert again.status == 200


def test_those_who_wait_for_the_store_are_answered_when_it_is_done() -> None:
    desk = MemoryDesk()
    desk.gate.clear()
    with serving(desk) as server:
        socks = [connected(server) for _ in range(10)]
        for sock in socks:
            sock.sendall(posting(EVENT))
        assert desk.entered.wait(ENOUGH)
        desk.gate.set()
        statuses = [heard(sock).status for sock in socks]
        for sock in socks:
            sock.close()

    assert statuses == [200] * 10
    assert len(desk.taken) == 10


def test_a_client_that_leaves_hurts_nobody() -> None:
    desk = MemoryDesk()
    with serving(desk) as server:
        for data in (b"", b"GET", posting(EVENT)[:-3], GET, posting(EVENT)):
            with connected(server) as sock:
                sock.sendall(data)

        assert said(server, GET).status == 200


# Start and stop


def test_without_keys_the_door_opens_for_this_machine_only() -> None:
    server = DoorServer(Door(MemoryDesk()), host="0.0.0.0", port=0)

    with pytest.raises(InputError, match=r"^0\.0\.0\.0:0: without API keys .* 127\.0"):
        server.start()


def test_with_keys_it_opens_for_all() -> None:
    keys = Keys.from_environment({"JOURNEYKIT_API_KEYS": KEY})
    server = DoorServer(Door(MemoryDesk(), keys=keys), host="0.0.0.0", port=0)
    with server:
        assert said(server, GET).status == 200


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", None), ("127.0.0.1", 70_000)])
def test_where_it_cant_listen_it_says_so(host: str, port: int | None) -> None:
    with serving() as other:
        taken = other.port if port is None else port
        server = DoorServer(Door(MemoryDesk()), host=host, port=taken)

        with pytest.raises(InputError, match=f"^{host}:{taken}: can't listen there"):
            server.start()


def test_stopping_lets_a_request_come_to_its_end() -> None:
    desk = MemoryDesk()
    desk.gate.clear()
    with serving(desk) as server:
        with connected(server) as sock, connected(server) as idle:
            idle.sendall(GET)
            heard(idle)
            sock.sendall(posting(EVENT))
            assert desk.entered.wait(ENOUGH)
            stopped: list[bool] = []
            stopping = threading.Thread(
                target=lambda: stopped.append(server.stop(within=ENOUGH))
            )
            stopping.start()
            assert is_over(idle)  # so it is stopping
            desk.gate.set()
            answer = heard(sock)
        stopping.join()

        assert stopped == [True]
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"
        with pytest.raises(ConnectionRefusedError):
            connected(server)


def test_stopping_waits_for_nobody_for_ever() -> None:
    desk = MemoryDesk()
    desk.gate.clear()
    with serving(desk) as server, connected(server) as sock:
        sock.sendall(posting(EVENT))
        assert desk.entered.wait(ENOUGH)

        assert server.stop(within=0.05) is False
        assert is_over(sock)
        desk.gate.set()


# The log


def test_the_log_has_a_line_a_request_and_nothing_of_what_it_held(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="journeykit.http")
    with serving(keys=f"shop:{KEY}") as server:
        said(server, posting(EVENT, b"X-Api-Key: %b\r\n" % KEY.encode()))
        said(server, GET.replace(b"/health", b"/x?email=ada@example.com"))
        said(server, b"\xff\xfe\r\n\r\n")

    words = [line.getMessage().split() for line in caplog.records]
    # Each connection has a thread, which writes its line once its answer is sent.
    assert sorted(line[:4] + line[5:6] for line in words) == [
        ["-", "-", "400", "n=0", "key=-"],
        ["GET", "-", "404", "n=0", "key=-"],  # it may name anybody
        ["POST", "/v1/events", "200", "n=1", "key=shop"],
    ]
    assert all(part not in caplog.text for part in (KEY, "example.com", "o-1"))


# Whatever comes


@given(st.binary() | st.text().map(str.encode))
def test_a_head_is_read_or_refused(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        wire = Wire(ours)
        with contextlib.suppress(Refused):
            assert not wire.begins(ENOUGH) or wire.head(ENOUGH).method


pieces = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"GET ",
        b"POST ",
        b"/v1/events",
        b" HTTP/1.1\r\n",
        b"Host: localhost\r\n",
        b"Content-Length: 2\r\n",
        b"Content-Length: 101\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
        JSON,
        POST,
        GET,
        EVENT,
        b"[]",
        b"\xff",
        b"\x00",
    ]
)


@settings(max_examples=60)
@given(st.lists(pieces | st.binary(max_size=20), max_size=12).map(b"".join))
def test_whatever_is_said_the_answers_end_and_none_is_a_5xx(data: bytes) -> None:
    with serving() as server, connected(server) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answers = sock.makefile("rb").read()

    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", answers, re.MULTILINE)
    assert [status for status in statuses if status[:1] == b"5"] in ([], [b"505"])
