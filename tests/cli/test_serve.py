"""`journeykit serve` as it is started, used, stopped, and killed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Shop

from journeykit.local.sqlite import SQLiteStore

ENOUGH = 60.0  # seconds until a test that hangs is a test that fails
KEY = "k3y-of-the-shop-1234"
COMMAND = (str(Path(sys.executable).with_name("journeykit")), "serve")


def environment(keys: str = "") -> Mapping[str, str]:
    return {
        **os.environ,
        "JOURNEYKIT_PLUGINS": "none",
        "JOURNEYKIT_API_KEYS": keys,
        "PYTHONWARNINGS": "error",
    }


class Served:
    """A running `journeykit serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def post(self, *events: Mapping[str, Any], key: str = "") -> int:
        """Send events; return the status of the answer."""
        request = urllib.request.Request(
            f"{self.url}/v1/events",
            json.dumps(events).encode(),
            {"Content-Type": "application/json", "X-Api-Key": key},
        )
        try:
            with urllib.request.urlopen(request, timeout=ENOUGH) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=ENOUGH) as answer:
            return str(answer.read().decode())

    def ends(self, number: int) -> tuple[int, str]:
        """Send a signal; return the exit status, and what was said."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=ENOUGH)
        return self.process.returncode, said


@contextmanager
def serving(shop: Shop, *arguments: str, keys: str = "") -> Iterator[Served]:
    with (
        shop.folder.with_suffix(".log").open("ab") as log,
        subprocess.Popen(
            [*COMMAND, str(shop.folder), "--port", "0", *arguments],
            env=environment(keys),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("shop: http://127.0.0.1:"), line
            yield Served(process, line.split()[1].rstrip(","))
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _messages_go_to_a_file(shop: Shop) -> None:
    path = json.dumps(str(shop.folder / "messages.jsonl"))
    shop.write(
        "journeykit.toml",
        f'name = "shop"\nchannels = {{email = "file"}}\nsettings.file.path = {path}\n',
    )


def event(name: str, customer: str) -> Mapping[str, Any]:
    return {
        "id": f"{name}-{customer}",
        "name": name,
        "customer": customer,
        "occurred_at": datetime.now(UTC).isoformat(),
    }


def stored(shop: Shop) -> Mapping[str, int]:
    """Everybody that the database knows, and in how many journeys they are."""
    path = shop.folder / ".journeykit" / "journeykit.db"
    with closing(SQLiteStore.open(path, readonly=True)) as store:
        return {one.id: len(one.active) for one in store.scan("", 10_000)}


def messages(shop: Shop) -> list[tuple[str, str]]:
    path = shop.folder / "messages.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(m["customer"], m["template"]) for m in map(json.loads, lines)]


def test_it_says_where_it_listens_and_how_it_goes(shop: Shop) -> None:
    with serving(shop) as served:
        assert json.loads(served.get("/health"))["status"] == "ok"
        assert served.post(event("subscribed", "ada")) == 200

        metrics = served.get("/metrics")

    assert 'journeykit_reactions_total{stimulus="subscribed"} 1\n' in metrics


def test_it_stops_when_everything_that_was_accepted_is_done(shop: Shop) -> None:
    names = [f"customer-{n}" for n in range(50)]
    with serving(shop) as served:
        status = served.post(*(event("subscribed", name) for name in names))
        status_of_cart = served.post(event("cart.updated", "ada"))

        ended, said = served.ends(signal.SIGTERM)

    assert (status, status_of_cart, ended, said) == (200, 200, 0, "")
    assert stored(shop) == {"ada": 1, **dict.fromkeys(names, 0)}
    assert sorted(messages(shop)) == sorted((name, "hello") for name in names)


def test_what_was_accepted_survives_its_sudden_death(shop: Shop) -> None:
    accepted: list[str] = []
    enough = threading.Event()
    with serving(shop) as served:

        def bring() -> None:
            with contextlib.suppress(OSError, HTTPException):  # it is dead
                for n in itertools.count():
                    assert served.post(event("cart.updated", f"customer-{n}")) == 200
                    accepted.append(f"customer-{n}")
                    if n == 30:
                        enough.set()

        thread = threading.Thread(target=bring)
        thread.start()
        assert enough.wait(ENOUGH)
        ended, _ = served.ends(signal.SIGKILL)
        thread.join()
    after = stored(shop)

    with serving(shop) as served:
        again = served.post(*(event("cart.updated", name) for name in accepted))
        health = json.loads(served.get("/health"))
        served.ends(signal.SIGTERM)

    assert ended == -signal.SIGKILL
    assert after.keys() >= set(accepted)
    assert (again, health["status"]) == (200, "ok")
    assert set(stored(shop).values()) == {1}  # the same again has changed nothing


def test_with_keys_nobody_comes_in_without(shop: Shop) -> None:
    with serving(shop, keys=f"shop:{KEY}") as served:
        statuses = [
            served.post(event("subscribed", "ada"), key=key)
            for key in ("", "k3y-of-somebody-else", KEY)
        ]
        served.ends(signal.SIGTERM)

    assert statuses == [401, 401, 200]
    assert list(stored(shop)) == ["ada"]


def test_a_file_of_keys_is_taken_instead_of_the_variable(
    shop: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"other:{'0' * 64}\n")

    with serving(shop, "--keys", str(file), keys=KEY) as served:
        assert served.post(event("subscribed", "ada"), key=KEY) == 401


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "0.0.0.0"], "without API keys the door opens at 127.0.0.1 only"),
        (["--keys", "nowhere"], "nowhere: can't read: No such file or directory"),
    ],
)
def test_where_it_must_not_open_it_says_so(
    shop: Shop, arguments: list[str], reason: str
) -> None:
    done = subprocess.run(
        [*COMMAND, str(shop.folder), "--port", "0", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )

    assert done.returncode == 1
    assert reason in done.stderr


def test_a_dry_run_takes_events_and_sends_nothing(shop: Shop) -> None:
    with serving(shop, "--dry-run") as served:
        status = served.post(event("subscribed", "ada"))
        returncode, _ = served.ends(signal.SIGTERM)

    data = shop.folder / ".journeykit"
    with closing(SQLiteStore.open(data / "dry-run/journeykit.db")) as store:
        assert store.tallies() == {"news": (1, 0)}
    assert (status, returncode) == (200, 0)
    assert messages(shop) == []
    assert not (data / "journeykit.db").exists()
