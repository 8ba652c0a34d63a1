"""The in-app inbox over HTTP: who may read which, and what became of a notice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from journeykit.channels import Notice
from journeykit.credentials import Secret
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import StoreFull
from journeykit.http.door import MAX_ACT
from journeykit.http.inbox import LONGEST_PAGE, PAGE
from journeykit.http.messages import Answer, Request
from journeykit.links import Link, Links, LinkSettings
from journeykit.local.door import Door
from journeykit.local.http_keys import Keys
from journeykit.model.events import Event, checked
from journeykit.testing.memory import MemoryStore

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
SECRET = "s3cret-of-the-shop-" + "x" * 32
URL = "https://post.example.com"
SHOP = "https://shop.example.com"
SETTINGS = LinkSettings(url=URL, secret=SECRET, origins=(SHOP,))
LINKS = Links(URL, Secret(SECRET), workspace="shop")
KEY = "k3y-of-the-shop-1234"
ADA = LINKS.inbox("ada", now=NOON)


class Desk:
    def __init__(self) -> None:
        self.taken: list[Event] = []

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        for event in stimuli:
            assert isinstance(event, Event)
            self.taken.append(checked(event))

    def permissions(self, customer: str) -> Any:
        raise AssertionError("nobody asks")

    def health(self) -> Mapping[str, object]:
        return {"status": "ok"}

    def metrics(self) -> str:
        return ""

    def report(self, channel: str, reports: object, *, timeout: float) -> None:
        raise AssertionError("nobody posts callbacks here")


class App:
    """An app, its door, and the inboxes behind it."""

    def __init__(self, board: Any = None, *, settings: LinkSettings = SETTINGS) -> None:
        self.desk = Desk()
        self.board = board or MemoryStore()
        self.now = NOON
        self.door = Door(
            self.desk,
            keys=Keys.from_environment({"JOURNEYKIT_API_KEYS": f"shop:{KEY}"}),
            clock=lambda: self.now,
            links=settings,
            workspace="shop",
            inbox=self.board,
        )

    def post(self, id: str, *, customer: str = "ada", **more: Any) -> None:
        notice = {"at": NOON - timedelta(hours=1), "body": {"title": id}, **more}
        self.board.post([Notice(id=id, customer=customer, **notice)])

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        token: str = ADA,
        **headers: str,
    ) -> tuple[Answer, Any]:
        given = {"host": "post.example.com", **headers}
        if token:
            given["authorization"] = f"Bearer {token}"
        request = Request(
            method=method,
            path=path.partition("?")[0],
            headers=given,
            body=body,
            url=f"{URL}{path}",
        )
        answer = self.door.answer(request)
        return answer, json.loads(answer.body) if answer.body else None

    def list(self, query: str = "", *, token: str = ADA) -> Any:
        answer, content = self.call("GET", f"/v1/inbox/ada{query}", token=token)
        assert answer.status == 200
        return content


# What is shown


def test_an_inbox_is_listed_latest_first() -> None:
    app = App()
    app.post("old", at=NOON - timedelta(days=1))
    app.post("new", body={"title": "Hi", "link": "app://cart"})
    app.post("other", customer="bob")

    content = app.list()

    assert content == {
        "notices": [
            {
                "id": "new",
                "at": "2026-06-07T11:00:00Z",
                "body": {"title": "Hi", "link": "app://cart"},
                "expires_at": None,
                "read_at": None,
            },
            {
                "id": "old",
                "at": "2026-06-06T12:00:00Z",
                "body": {"title": "old"},
                "expires_at": None,
                "read_at": None,
            },
        ],
        "unread": 2,
        "next": None,
    }


def test_an_empty_inbox_is_one() -> None:
    assert App().list() == {"notices": [], "unread": 0, "next": None}


def test_what_was_put_away_or_has_expired_is_not_shown() -> None:
    app = App()
    app.post("kept", expires_at=NOON + timedelta(seconds=1))
    app.post("expired", expires_at=NOON)
    app.post("gone")
    app.call("POST", "/v1/inbox/ada/gone/dismiss")

    assert [one["id"] for one in app.list()["notices"]] == ["kept"]


def test_it_is_listed_page_by_page() -> None:
    app = App()
    for n in range(45):
        app.post(f"n{n:02}", at=NOON - timedelta(minutes=n))

    first = app.list()
    second = app.list(f"?after={first['next']}")
    third = app.list(f"?limit=100&after={second['next']}")

    assert [len(page["notices"]) for page in (first, second, third)] == [PAGE, PAGE, 5]
    found = [one["id"] for page in (first, second, third) for one in page["notices"]]
    assert found == [f"n{n:02}" for n in range(45)]
    assert [page["unread"] for page in (first, second, third)] == [45] * 3
    assert third["next"] is None


def test_the_next_page_begins_behind_what_was_put_away_since() -> None:
    app = App()
    for n in range(4):
        app.post(f"n{n}", at=NOON - timedelta(minutes=n))
    first = app.list("?limit=2")
    app.call("POST", f"/v1/inbox/ada/{first['next']}/dismiss")

    second = app.list(f"?limit=2&after={first['next']}")

    assert [one["id"] for one in second["notices"]] == ["n2", "n3"]


@pytest.mark.parametrize(
    "limit", ["0", "-1", "x", str(LONGEST_PAGE + 1), "9" * 30, "²"]
)
def test_a_page_has_its_bounds(limit: str) -> None:
    answer, content = App().call("GET", f"/v1/inbox/ada?limit={quote(limit)}")

    assert answer.status == 400
    assert content == {"error": f"limit: a number from 1 to {LONGEST_PAGE}"}


def test_a_query_has_its_bounds() -> None:
    assert App().call("GET", "/v1/inbox/ada?" + "&".join(["a=b"] * 50))[0].status == 400


# What became of it


def test_a_notice_is_read_once() -> None:
    app = App()
    app.post("n1")

    _, content = app.call("POST", "/v1/inbox/ada/n1/read")
    app.now += timedelta(minutes=5)
    app.call("POST", "/v1/inbox/ada/n1/read")

    assert content["read_at"] == "2026-06-07T12:00:00Z"
    assert app.list()["unread"] == 0
    first, again = app.desk.taken
    assert first.id == again.id
    assert (first.name, first.customer) == ("message.opened", "ada")
    assert first.properties == {"delivery_id": "n1", "channel": "inapp"}


def test_a_tap_names_its_link() -> None:
    app = App()
    app.post("n1")

    for link in ("app://cart", "app://help", "app://cart"):
        body = json.dumps({"link": link}).encode()
        assert app.call("POST", "/v1/inbox/ada/n1/click", body)[0].status == 200

    assert [event.name for event in app.desk.taken] == ["message.clicked"] * 3
    assert len({event.id for event in app.desk.taken}) == 2
    assert app.desk.taken[0].properties["link"] == "app://cart"
    assert app.list()["unread"] == 0


def test_what_was_put_away_is_said() -> None:
    app = App()
    app.post("n1")

    app.call("POST", "/v1/inbox/ada/n1/dismiss")

    [event] = app.desk.taken
    assert event.name == "message.dismissed"
    assert app.list()["notices"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/inbox/ada/none/read", b"", 404),
        ("/v1/inbox/ada/n1/burn", b"", 404),
        ("/v1/inbox/ada/n1", b"", 404),
        ("/v1/inbox/ada/n1/click", b"{", 400),
        ("/v1/inbox/ada/n1/click", b'{"more": 1}', 400),
        ("/v1/inbox/ada/n1/click", json.dumps({"link": "x" * 3_000}).encode(), 400),
        ("/v1/inbox/ada/n1/click", b" " * (MAX_ACT + 1), 413),
        ("/v1/inbox/ada/%FF/read", b"", 400),
        (f"/v1/inbox/ada/{'x' * 300}/read", b"", 404),
    ],
)
def test_what_cant_be_done_is_told(path: str, body: bytes, status: int) -> None:
    app = App()
    app.post("n1")

    assert app.call("POST", path, body)[0].status == status
    assert app.desk.taken == []


# Who may ask


def test_a_customer_reads_no_other_inbox() -> None:
    app = App()
    app.post("n1", customer="bob")

    for method, path in (("GET", "/v1/inbox/bob"), ("POST", "/v1/inbox/bob/n1/read")):
        answer, content = app.call(method, path)
        assert answer.status == 403
        assert content == {"error": "this token is for another customer's inbox"}
    assert app.desk.taken == []


def test_a_server_reads_any_inbox() -> None:
    app = App()
    app.post("n1")

    assert len(app.list(token=KEY)["notices"]) == 1


def test_a_token_ends_after_a_day() -> None:
    app = App()
    app.now += timedelta(days=1)

    answer, content = app.call("GET", "/v1/inbox/ada")

    assert answer.status == 401
    assert content["error"].startswith("the token has expired")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "guessed-key-1234567",
        ADA[:-1],
        ADA + "x",
        Links(URL, Secret(SECRET), workspace="other").inbox("ada", now=NOON),
        "a.b",
    ],
    ids=["none", "unknown", "cut", "longer", "other", "dot"],
)
def test_strangers_are_sent_away(token: str) -> None:
    answer, _ = App().call("GET", "/v1/inbox/ada", token=token)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="journeykit"'


def test_a_link_of_a_message_is_no_token_for_the_inbox() -> None:
    other = LINKS.token(Link(kind="preferences", customer="ada", at=NOON))

    assert App().call("GET", "/v1/inbox/ada", token=other)[0].status == 401


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_a_customer_may_have_any_name(customer: str) -> None:
    app = App()
    app.post("n1", customer=customer)
    token = LINKS.inbox(customer, now=NOON)

    answer, content = app.call(
        "GET", f"/v1/inbox/{quote(customer, safe='')}", token=token
    )

    assert answer.status == 200
    assert [one["id"] for one in content["notices"]] == ["n1"]


def test_without_links_only_keys_will_do() -> None:
    app = App(settings=LinkSettings())

    assert app.call("GET", "/v1/inbox/ada")[0].status == 401
    assert app.call("GET", "/v1/inbox/ada", token=KEY)[0].status == 200


# From a web page


def test_a_page_of_ours_may_read_the_answer() -> None:
    app = App()

    answer, _ = app.call("GET", "/v1/inbox/ada", origin=SHOP)
    refused, _ = app.call("GET", "/v1/inbox/ada", token="", origin=SHOP)

    for one in (answer, refused):  # also why it was refused
        assert one.headers["Access-Control-Allow-Origin"] == SHOP
        assert one.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in one.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "*", SHOP + ".evil.example", SHOP.upper()],
)
def test_no_other_page_may(origin: str) -> None:
    app = App()

    for method in ("GET", "OPTIONS"):
        answer, _ = app.call(method, "/v1/inbox/ada", origin=origin)
        assert not [
            name for name in answer.headers if name.startswith("Access-Control")
        ]


def test_a_browser_asks_before_it_sends_a_token() -> None:
    app = App()

    for path in ("/v1/inbox/ada", "/v1/inbox/ada/n1/read"):
        answer, _ = app.call("OPTIONS", path, token="", origin=SHOP)
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert (
            answer.headers["Access-Control-Allow-Headers"]
            == "Authorization, Content-Type"
        )
    assert app.desk.taken == []


# What goes wrong


class Broken:
    def notices(self, customer: str, *, limit: int) -> Any:
        raise StoreFull("full")

    def mark(self, customer: str, id: str, **_: Any) -> Any:
        raise StoreFull("full")


def test_an_inbox_that_cant_be_read_is_no_empty_one() -> None:
    app = App(Broken())

    assert app.call("GET", "/v1/inbox/ada")[0].status == 503
    assert app.call("POST", "/v1/inbox/ada/n1/read")[0].status == 503


def test_the_log_names_no_customer() -> None:
    door = App().door

    assert door.shown("/v1/inbox/ada") == "/v1/inbox/-"
    assert door.shown("/v1/inbox/ada/n1/read") == "/v1/inbox/-/-/-"
