"""A place asks what to show: answered at once, stored, and the same again for the same ask."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeykit.channels import Channel
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.errors import StoreFull
from journeykit.hookspecs import hookimpl
from journeykit.http.messages import Request
from journeykit.local.door import Door
from journeykit.local.embedded import Embedded
from journeykit.local.http_keys import Keys
from journeykit.local.logs import log_lines
from journeykit.local.service import Service
from journeykit.plugins import Registry, plugin_manager
from journeykit.runtime.catalogs import set_state
from journeykit.runtime.identities import NOBODY
from journeykit.workspace import Workspace
from journeykit_inapp import InAppChannel

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
ENOUGH = 30.0  # seconds until a test that hangs is a test that fails
KEY = "k3y-of-the-shop-1234"
SECRET = "s3cret-of-the-shop-" + "x" * 32
SETTINGS = f"""
name = "shop"

[links]
url = "https://post.example.com"
secret = "{SECRET}"
"""
OFFERS = """
from journeykit import Journey, ReEntry, Send, asked, profile

always = ReEntry("always")
pro = Journey(
    "pro-offer",
    trigger=asked("home-banner", where=profile.plan == "free"),
    priority=10,
    reentry=always,
    pace="1/h",
    steps=[Send("inapp", "offer", variables={"name": profile.name})],
)
usual = Journey(
    "usual", trigger=asked("home-banner"), reentry=always,
    steps=[Send("inapp", "usual")],
)
broken = Journey(
    "broken", trigger=asked("sidebar"), reentry=always,
    steps=[Send("inapp", "broken", variables={"title": profile.title})],
)
"""
TEMPLATES = {
    "offer.inapp.json": {"title": "{{ name }}, go pro", "style": "banner", "ttl": 600},
    "usual.inapp.json": {"title": "New in our shop"},
    "broken.inapp.json": {"title": "{{ title }}"},
}


class Shop:
    """A workspace that is served, on a clock of the test's."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        *,
        dry_run: bool = False,
        schemas: str = "",
    ) -> None:
        (folder / "journeys").mkdir()
        (folder / "templates").mkdir()
        enforced = f"{SETTINGS}\n[ingest]\nschemas = 'enforce'\n"
        (folder / "journeykit.toml").write_text(enforced if schemas else SETTINGS)
        if schemas:
            (folder / "schemas.py").write_text(schemas)
        (folder / "journeys" / "offers.py").write_text(OFFERS)
        for name, content in TEMPLATES.items():
            (folder / "templates" / name).write_text(json.dumps(content))

        class Plugins:
            @hookimpl
            def journeykit_channels(self) -> list[Channel]:
                return [InAppChannel()]

        manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
        manager.register(Plugins(), "doubles")
        workspace = Workspace.load(folder)
        self.now = to_ms(START)
        self.embedded = stack.enter_context(
            Embedded.open(workspace, Registry.from_plugins(manager), dry_run=dry_run)
        )
        self.store = self.embedded.store
        self.embedded.publish(now=self.now)
        self.service = Service(self.embedded, clock=lambda: self.now)
        self.service.start()
        stack.callback(self.service.stop)
        self.door = Door(
            self.service,
            keys=Keys.from_environment({"JOURNEYKIT_API_KEYS": KEY}),
            clock=lambda: to_datetime(self.now),
            links=workspace.links,
            workspace=workspace.name,
            inbox=self.store,
            decide=self.service.decide,
        )
        links = workspace.links.links(workspace.name)
        assert links is not None
        self.token = links.inbox("ada", now=START)

    def call(self, path: str, content: object = None, **more: str) -> tuple[int, Any]:
        """Ask the door, and return its status and its answer."""
        method = more.pop("method", "POST")
        body = b"" if content is None else json.dumps(content).encode()
        headers = {
            "authorization": f"Bearer {more.pop('key', KEY)}",
            "content-type": "application/json",
            "host": "post.example.com",
        }
        path, _, query = path.partition("?")
        answer = self.door.answer(
            Request(
                method=method,
                path=path,
                headers=headers,
                body=body,
                url=f"https://post.example.com{path}?{query}",
            )
        )
        return answer.status, json.loads(answer.body)

    def identify(self, **attributes: object) -> None:
        body = {"id": f"i-{attributes}", "customer": "ada", "attributes": attributes}
        assert self.call("/v1/identify", body)[0] == 200

    def decide(self, placement: str = "home-banner", **more: object) -> Any:
        body = {"customer": "ada", "placement": placement, **more}
        status, answer = self.call("/v1/decide", body)
        assert status == 200, answer
        return answer

    def inbox(self, query: str = "") -> list[Any]:
        answer = self.call(f"/v1/inbox/ada{query}", method="GET")[1]
        notices: list[Any] = answer["notices"]
        return notices


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield Shop(tmp_path, stack)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + ENOUGH
    while not holds():
        assert time.monotonic() < end, "it never comes"
        time.sleep(0.01)


def settled(shop: Shop) -> None:
    until(lambda: shop.store.backlog()["waiting"] == 0)


def test_a_place_gets_its_content_at_once(shop: Shop) -> None:
    shop.identify(plan="free", name="Ada")

    shown = shop.decide()

    assert shown["content"]["title"] == "Ada, go pro"
    assert shown["content"]["placement"] == "home-banner"
    assert (shown["journey"], shown["step"]) == ("pro-offer", "send-inapp-offer")
    assert (shown["again"], shown["reasons"]) == (False, [])
    assert shown["at"] == "2026-06-01T09:00:00Z"
    assert shown["expires_at"] == "2026-06-01T09:10:00Z"


def test_who_has_not_answered_is_named_with_the_reason(shop: Shop) -> None:
    shown = shop.decide()

    assert shown["journey"] == "usual"
    assert shown["reasons"] == [{"reason": "condition", "journey": "pro-offer"}]


def test_nobody_is_asked_at_a_place_that_no_journey_knows(shop: Shop) -> None:
    shown = shop.decide("nowhere")

    assert (shown["content"], shown["notice"]) == (None, "")
    assert shown["reasons"] == [{"reason": "no_journey"}]
    assert shop.store.load(["ada"]) == {}


def test_what_is_shown_can_be_read_tapped_and_put_away_at_once(shop: Shop) -> None:
    id = shop.decide()["notice"]

    status, notice = shop.call(f"/v1/inbox/ada/{id}/click", {"link": "app://pro"})

    assert (status, notice["id"]) == (200, id)
    assert notice["read_at"] == "2026-06-01T09:00:00Z"


def test_what_is_shown_at_a_place_is_not_in_the_inbox_as_well(shop: Shop) -> None:
    id = shop.decide()["notice"]

    assert shop.inbox() == []
    assert [one["id"] for one in shop.inbox("?placement=home-banner")] == [id]


def test_the_same_ask_is_answered_with_the_same_and_decided_once(shop: Shop) -> None:
    first = shop.decide(id="ask-1")
    shop.identify(plan="free")
    shop.now += 60_000

    again = shop.decide(id="ask-1")

    assert (again["notice"], again["content"]) == (first["notice"], first["content"])
    assert (again["again"], again["at"]) == (True, first["at"])
    assert len(shop.inbox("?placement=home-banner")) == 1


def test_without_an_id_each_ask_is_one_of_its_own(shop: Shop) -> None:
    first, second = shop.decide(), shop.decide()

    assert first["id"] != second["id"]
    assert first["notice"] != second["notice"]


def test_it_is_decided_archived_and_logged_like_any_event(shop: Shop) -> None:
    shop.decide(id="ask-1", properties={"page": "start"})
    shop.service.stop()

    kinds = [
        line["kind"]
        for line in map(json.loads, log_lines(shop.embedded.decisions.path))
        if line["event"] == "ask-1"
    ]
    [archived] = map(json.loads, log_lines(shop.embedded.archive.path))
    assert kinds[-3:] == ["entered", "sent", "completed"]
    assert archived["name"] == "placement.requested"
    assert archived["properties"] == {"page": "start", "placement": "home-banner"}


def test_the_message_is_settled_as_sent_without_waiting_for_its_pace(
    shop: Shop,
) -> None:
    shop.identify(plan="free", name="Ada")
    ids = [shop.decide()["notice"] for _ in range(3)]  # the pace is one an hour

    settled(shop)

    found = shop.store.find(ids)
    assert [found[id].outcome for id in ids] == ["sent"] * 3


def test_a_pause_after_the_answer_takes_nothing_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    take = type(shop.store).take
    monkeypatch.setattr(
        type(shop.store), "take", lambda *a, **k: take(*a, **k) if go.is_set() else []
    )
    id = shop.decide()["notice"]
    set_state(shop.store, "usual", "paused", now=shop.now, reason="a test")
    go.set()

    settled(shop)

    assert shop.store.find([id])[id].outcome == "sent"
    assert shop.decide()["reasons"][-1] == {"reason": "paused", "journey": "usual"}


def test_content_that_cant_be_composed_is_no_content(shop: Shop) -> None:
    shown = shop.decide("sidebar")
    settled(shop)

    assert shown["content"] is None
    assert shown["reasons"][-1]["reason"] == "content"
    assert shown["reasons"][-1]["journey"] == "broken"
    assert shop.inbox("?placement=sidebar") == []


def test_test_traffic_is_answered_and_left_nowhere(shop: Shop) -> None:
    shown = shop.decide(test=True)
    settled(shop)

    assert shown["content"]["title"] == "New in our shop"
    assert shop.inbox("?placement=home-banner") == []


def test_a_dry_run_answers_and_leaves_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        shop = Shop(tmp_path, stack, dry_run=True)

        assert shop.decide()["content"]["title"] == "New in our shop"
        settled(shop)
        assert shop.inbox("?placement=home-banner") == []


def test_a_customers_own_token_may_ask_for_them_and_learns_no_reasons(
    shop: Shop,
) -> None:
    status, shown = shop.call("/v1/inbox/ada/home-banner/ask", key=shop.token)

    assert (status, shown["content"]["title"]) == (200, "New in our shop")
    assert shown["reasons"] == []
    assert shop.call("/v1/inbox/bob/home-banner/ask", key=shop.token)[0] == 403
    assert shop.call("/v1/inbox/ada/home-banner/ask", key="nobody")[0] == 401


def test_an_app_may_say_where_it_asks_and_ask_twice(shop: Shop) -> None:
    ask = {"id": "a-1", "properties": {"page": "start"}}

    _, first = shop.call("/v1/inbox/ada/home-banner/ask", ask, key=shop.token)
    _, again = shop.call("/v1/inbox/ada/home-banner/ask", ask, key=shop.token)

    assert (again["notice"], again["again"]) == (first["notice"], True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customer": "ada"}, "placement"),
        ({"customer": "ada", "placement": "Home Banner"}, "placement"),
        ({"customer": "", "placement": "home"}, "customer"),
        ({"customer": "ada", "placement": "home", "at": 1}, "at"),
        (
            {"customer": "ada", "placement": "home", "properties": {"placement": "x"}},
            "properties",
        ),
        ({"customer": "ada", "placement": "home", "id": "x" * 257}, "id"),
    ],
    ids=["no place", "no name", "nobody", "unknown", "place twice", "long id"],
)
def test_what_is_no_ask_is_refused(shop: Shop, body: object, field: str) -> None:
    status, answer = shop.call("/v1/decide", body)

    assert status == 400
    assert field in answer["error"]


@pytest.mark.parametrize(
    "identifiers", [{"crm": "x"}, {"email": "null"}], ids=["kind", "value"]
)
def test_who_asks_about_nobody_is_told_and_it_is_no_dead_letter(
    shop: Shop, identifiers: dict[str, str]
) -> None:
    body = {"placement": "home-banner", "identifiers": identifiers}

    status, answer = shop.call("/v1/decide", body)

    assert (status, answer["error"]) == (400, NOBODY)
    assert dead(shop) == 0
    assert not (shop.embedded.archive.path).exists()


def dead(shop: Shop) -> int:
    return len(shop.store.dead(0, 10))


def test_an_ask_that_is_not_as_declared_is_refused_and_no_dead_letter(
    tmp_path: Path,
) -> None:
    schemas = (
        "from pydantic import BaseModel\n"
        "class Ask(BaseModel):\n    page: str\n"
        "events = {'placement.requested': Ask}\n"
    )
    with ExitStack() as stack:
        shop = Shop(tmp_path, stack, schemas=schemas)
        body = {"placement": "home-banner", "customer": "ada"}

        status, answer = shop.call("/v1/decide", body)
        taken, _ = shop.call("/v1/decide", {**body, "properties": {"page": "start"}})

        assert (status, taken) == (400, 200)
        assert "what the schema says: page: is missing" in answer["error"]
        assert dead(shop) == 0


def test_what_a_place_says_of_itself_is_bounded(shop: Shop) -> None:
    body = {"placement": "home-banner", "customer": "ada"}

    for size, expected in ((16_000, 200), (17_000, 400)):
        ask = {**body, "properties": {"page": "x" * size}}
        assert shop.call("/v1/decide", ask)[0] == expected


def test_an_ask_that_was_answered_with_nothing_says_so_when_it_comes_again(
    shop: Shop,
) -> None:
    first = shop.decide("nowhere", id="a-1")
    shop.decide("sidebar", id="a-2")

    again = shop.decide("sidebar", id="a-2")

    assert (first["again"], first["reasons"]) == (False, [{"reason": "no_journey"}])
    assert (again["content"], again["again"]) == (None, True)
    assert again["reasons"] == [{"reason": "duplicate"}]


def test_an_ask_is_no_event_to_be_sent(shop: Shop) -> None:
    status, answer = shop.call(
        "/v1/events",
        {
            "id": "e-1",
            "name": "placement.requested",
            "customer": "ada",
            "occurred_at": "2026-06-01T09:00:00Z",
            "properties": {"placement": "home-banner"},
        },
    )

    assert status == 400
    assert "/v1/decide" in answer["error"]


def test_a_key_of_another_scope_may_not_ask(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = shop.door.writer
    monkeypatch.setattr(
        shop.door, "writer", lambda r: writer(r)._replace(scopes=("track",))
    )

    assert shop.call("/v1/decide", {"customer": "ada", "placement": "home"})[0] == 403


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(("inbox",), 403), (("decide",), 403), (("decide", "inbox"), 200)],
    ids=["inbox", "decide", "both"],
)
def test_at_an_inbox_a_key_has_to_be_for_deciding_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, scopes: tuple[str, ...], status: int
) -> None:
    writer = shop.door.writer
    monkeypatch.setattr(
        shop.door, "writer", lambda r: writer(r)._replace(scopes=scopes)
    )

    found, answer = shop.call("/v1/inbox/ada/home-banner/ask")

    assert found == status
    assert status == 200 or "this key is not for" in answer["error"]
    if "inbox" in scopes:
        assert shop.call("/v1/inbox/ada", method="GET")[0] == 200


def test_what_cant_be_stored_is_to_be_asked_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **more: object) -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr(type(shop.store), "commit", full)

    status, answer = shop.call(
        "/v1/decide", {"customer": "ada", "placement": "home-banner"}
    )

    assert status == 503
    assert "the same again is safe" in answer["error"]


def test_who_asks_while_it_stops_is_told_to_come_back(shop: Shop) -> None:
    shop.service.stop()

    status, _ = shop.call("/v1/decide", {"customer": "ada", "placement": "home-banner"})

    assert status == 503


def test_many_that_ask_at_once_each_get_an_answer_and_no_cap_is_broken(
    shop: Shop,
) -> None:
    customers = [f"c{n % 5}" for n in range(40)]

    def asks(customer: str) -> str:
        body = {"customer": customer, "placement": "home-banner"}
        status, shown = shop.call("/v1/decide", body)
        assert status == 200, shown
        return str(shown["notice"])

    with ThreadPoolExecutor(8) as pool:
        notices = [*pool.map(asks, customers)]
    settled(shop)

    assert len({*notices}) == 40
    documents = shop.store.load(sorted({*customers}))
    assert [documents[one].past["usual"].count for one in documents] == [8] * 5


def test_a_notice_is_shown_no_longer_than_its_time(shop: Shop) -> None:
    shop.identify(plan="free", name="Ada")
    shop.decide()
    shop.now += int(timedelta(minutes=10).total_seconds() * 1000)

    assert shop.inbox("?placement=home-banner") == []


def test_who_is_known_by_another_name_may_be_asked_about(shop: Shop) -> None:
    shop.call(
        "/v1/identify",
        {
            "id": "i-1",
            "customer": "ada",
            "identifiers": {"anonymous": "a-17"},
            "attributes": {"plan": "free", "name": "Ada"},
        },
    )

    shown = shop.decide(customer="", identifiers={"anonymous": "a-17"})

    assert shown["customer"] == "ada"
    assert shown["content"]["title"] == "Ada, go pro"


def test_who_is_nobody_yet_is_shown_something_and_is_somebody_from_then_on(
    shop: Shop,
) -> None:
    first = shop.decide(customer="", identifiers={"anonymous": "new"})
    second = shop.decide(customer="", identifiers={"anonymous": "new"})

    assert first["content"]["title"] == "New in our shop"
    assert first["customer"] == second["customer"] != ""
