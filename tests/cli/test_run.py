"""`journeykit run`: a file of events through a workspace, for good, and on from there."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Shop

from journeykit.local.sqlite import SQLiteStore

ENOUGH = 60.0  # seconds until a test that hangs is a test that fails
COMMAND = (str(Path(sys.executable).with_name("journeykit")), "run")


def line(name: str, customer: str, at: str, **properties: object) -> bytes:
    return json.dumps(
        {
            "id": f"{name}-{customer}-{at}",
            "name": name,
            "customer": customer,
            "occurred_at": f"2026-06-{at}Z",
            "properties": properties,
        }
    ).encode()


CARTS = [
    line("cart.updated", "ada", "01T12:00:00"),
    line("cart.updated", "ben", "01T12:10:00"),
    line("order.placed", "ben", "01T12:30:00"),
]
LATER = line("page.viewed", "cyd", "01T14:00:00")


@pytest.fixture(autouse=True)
def _messages_go_to_a_file(shop: Shop) -> None:
    path = json.dumps(str(shop.folder / "messages.jsonl"))
    shop.write(
        "journeykit.toml",
        f'name = "shop"\nchannels = {{email = "file"}}\nsettings.file.path = {path}\n',
    )


def events(shop: Shop, *lines: bytes, name: str = "events.jsonl") -> str:
    """The file of events, with these lines."""
    path = shop.folder / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def messages(shop: Shop) -> list[str]:
    """To whom messages went."""
    path = shop.folder / "messages.jsonl"
    if not path.exists():
        return []
    return [json.loads(text)["customer"] for text in path.read_text().splitlines()]


@contextmanager
def stored(shop: Shop) -> Iterator[SQLiteStore]:
    """The database, to be looked at."""
    path = shop.folder / ".journeykit" / "journeykit.db"
    with closing(SQLiteStore.open(path, readonly=True)) as store:
        yield store


def test_the_first_run_publishes_and_says_what_it_did(shop: Shop) -> None:
    path = events(shop, *CARTS, LATER)

    done = shop("run", "--events", path)

    assert done.exit_code == 0
    assert done.stdout == f"4 events of {path}\n"
    assert done.stderr == "published as catalog revision 1\n"
    assert messages(shop) == ["ada"]


@pytest.mark.parametrize("secret", ["", "x" * 32])
def test_a_missing_secret_of_links_is_said_before_messages_wait_for_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("SHOP_LINKS", secret)
    settings = shop.folder / "journeykit.toml"
    links = '[links]\nurl = "https://post.example.com"\nsecret = "$SHOP_LINKS"\n'
    settings.write_text(f"{settings.read_text()}\n{links}")

    done = shop("run", "--events", events(shop, *CARTS, LATER))

    says_so = "can have no links: environment: SHOP_LINKS" in " ".join(
        done.stderr.split()
    )
    assert says_so is not bool(secret)


def test_a_second_run_takes_nothing(shop: Shop) -> None:
    path = events(shop, *CARTS, LATER)
    shop("run", "--events", path)

    again = shop("run", "--events", path)

    assert again.stdout == f"0 events of {path}, from line 5 on\n"
    assert messages(shop) == ["ada"]


def test_a_file_that_has_grown_is_read_from_where_it_ended(shop: Shop) -> None:
    path = events(shop, *CARTS)
    shop("run", "--events", path)
    before = messages(shop)
    events(shop, *CARTS, LATER)

    done = shop("run", "--events", path)

    assert before == []
    assert done.stdout == f"1 event of {path}, from line 4 on\n"
    assert messages(shop) == ["ada"]


def test_another_file_of_the_same_name_is_refused(shop: Shop) -> None:
    path = events(shop, *CARTS)
    shop("run", "--events", path)
    events(shop, LATER, *CARTS)

    done = shop("run", "--events", path)

    assert done.exit_code == 1
    assert f"{path}:3: this line is another one" in done.stderr


def test_from_start_reads_all_of_it_and_what_was_handled_counts_once(
    shop: Shop,
) -> None:
    path = events(shop, *CARTS, LATER)
    shop("run", "--events", path)

    again = shop("run", "--events", path, "--from-start")

    assert again.stdout == f"4 events of {path}\n"
    assert messages(shop) == ["ada"]


def test_until_lets_time_go_on_and_stops_before_what_is_later(shop: Shop) -> None:
    path = events(shop, *CARTS, LATER)

    early = shop("run", "--events", path, "--until", "2026-06-01T12:59:59Z")
    nobody = messages(shop)
    on_time = shop("run", "--events", path, "--until", "2026-06-01T13:00:00Z")
    one = messages(shop)
    past = shop("run", "--events", path, "--until", "2026-06-01T12:00:00Z")

    assert early.stdout == f"3 events of {path}\n"
    assert on_time.stdout == f"0 events of {path}, from line 4 on\n"
    assert (nobody, one) == ([], ["ada"])
    assert past.exit_code == 1
    assert "the run has come to 2026-06-01T12:30:00Z already" in past.stderr


def test_bad_and_late_lines_are_told_and_take_nobody_with_them(shop: Shop) -> None:
    late = line("cart.updated", "dan", "01T12:00:01")
    path = events(shop, *CARTS, b"{", late, LATER)

    done = shop("run", "--events", path)

    assert done.exit_code == 0
    assert done.stdout.startswith(f"5 events of {path}\n1 occurred before one")
    assert "1 could not be handled: journeykit dead-letters list\n" in done.stdout
    assert sorted(messages(shop)) == ["ada", "dan"]
    with stored(shop) as store:
        (letter,) = store.dead(0, 10)
    assert (letter.door, letter.body) == ("run", b"{")


def test_a_zipped_file_is_read_as_well(shop: Shop) -> None:
    path = shop.folder / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join([*CARTS, LATER])))

    done = shop("run", "--events", str(path))

    assert done.stdout == f"4 events of {path}\n"
    assert messages(shop) == ["ada"]


def test_a_draft_is_not_what_runs_unless_it_is_published(shop: Shop) -> None:
    path = events(shop, *CARTS)
    shop("run", "--events", path)
    cart = shop.folder / "journeys" / "cart.py"
    cart.write_text(cart.read_text().replace("hours(1)", "hours(2)"))

    notice = shop("run", "--events", path)
    published = shop("run", "--events", path, "--publish")
    quiet = shop("run", "--events", path)

    assert "the workspace differs from catalog revision 1" in notice.stderr
    assert published.stderr == "published as catalog revision 2\n"
    assert quiet.stderr == ""


def test_what_has_no_turn_yet_goes_before_it_ends(shop: Shop) -> None:
    shop.write("policies.yaml", "pace: {email: 60/h}\n")
    path = events(
        shop,
        *(line("subscribed", f"customer-{n}", "01T12:00:00") for n in range(10)),
        LATER,
    )

    done = shop("run", "--events", path)

    assert done.stdout == f"11 events of {path}\n"
    assert len(messages(shop)) == 10


# A process of its own


def environment() -> Mapping[str, str]:
    return {**os.environ, "JOURNEYKIT_PLUGINS": "none", "PYTHONWARNINGS": "error"}


@contextmanager
def running(shop: Shop, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*COMMAND, *arguments, str(shop.folder)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_known(shop: Shop, process: subprocess.Popen[bytes], customer: str) -> None:
    """Wait until somebody is stored."""
    end = time.monotonic() + ENOUGH
    path = shop.folder / ".journeykit" / "journeykit.db"
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        if path.exists() and shop("customer", customer).exit_code == 0:
            return
        time.sleep(0.02)


def test_a_signal_lets_it_finish_the_batch_and_say_where_it_stopped(
    shop: Shop,
) -> None:
    names = [f"customer-{n:04}" for n in range(1500)]
    path = events(shop, *(line("subscribed", name, "01T12:00:00") for name in names))

    with running(shop, "--events", path, "--batch", "1") as process:
        until_known(shop, process, names[0])
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=ENOUGH)
    after = shop("run", "--events", path)

    count = int(said.split()[0].replace(b",", b""))
    assert (process.returncode, errors) == (0, b"published as catalog revision 1\n")
    assert 1 <= count < 1500
    assert f"stopped behind line {count:,}; the same command" in said.decode()
    assert f"{1500 - count:,} events of {path}, from line {count + 1:,}" in after.stdout
    assert sorted(messages(shop)) == names


def test_lines_of_a_pipe_are_handled_when_they_come_and_archived(shop: Shop) -> None:
    with running(shop, "--events", "-") as process:
        assert process.stdin is not None
        process.stdin.write(CARTS[0] + b"\n")
        process.stdin.flush()
        until_known(shop, process, "ada")
        said, _ = process.communicate(CARTS[1] + b"\n", timeout=ENOUGH)

    archive = shop.folder / ".journeykit" / "events.jsonl"
    archived = [
        json.loads(text)["customer"] for text in archive.read_text().splitlines()
    ]
    assert said == b"2 events of <stdin>\n"
    assert archived == ["ada", "ben"]


def test_a_pipe_from_which_nothing_comes_can_be_stopped(shop: Shop) -> None:
    with running(shop, "--events", "-") as process:
        assert process.stdin is not None
        process.stdin.write(CARTS[0] + b"\n")
        process.stdin.flush()
        until_known(shop, process, "ada")
        process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 0
        assert process.stdout is not None
        said = process.stdout.read().decode()

    assert said.startswith("1 event of <stdin>\n")
    assert "stopped behind line 1" in said


# What may go wrong around it


def broken(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that it says when it can't go on."""
    assert done.returncode == 1, done
    said = done.stderr.removeprefix("published as catalog revision 1\n")
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


def run(
    shop: Shop, path: str, *, before: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own in which something is done before."""
    text = "\n".join([*before, "from journeykit.cli import main", "main()"])
    return subprocess.run(
        [sys.executable, "-c", text, "run", str(shop.folder), "--events", path],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=ENOUGH,
    )


FULL_LOG = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))
"""


def test_a_full_disk_ends_it_with_one_sentence_and_the_same_command_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"customer-{n:04}" for n in range(1500)]
    path = events(shop, *(line("subscribed", name, "01T12:00:00") for name in names))
    connect = sqlite3.connect

    def small(*args: Any, **more: Any) -> sqlite3.Connection:
        database = connect(*args, **more)
        database.execute("pragma max_page_count = 150")
        return database

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", small)
        full = shop("run", "--events", path, "--batch", "100")
    with stored(shop) as store:
        there = len(store.scan("", 10_000))
    after = shop("run", "--events", path)

    assert full.exit_code == 1
    assert re.fullmatch(
        r"published as catalog revision 1\n"
        r"Error: there is no space left for .*; it works on when there is\n",
        full.stderr,
    )
    assert 0 < there < 1500
    assert there % 100 == 0  # a batch is stored whole or not at all
    assert (
        after.stdout
        == f"{1500 - there:,} events of {path}, from line {there + 1:,} on\n"
    )
    assert sorted(messages(shop)) == names
    with stored(shop) as store:
        assert len(store.scan("", 10_000)) == 1500
        assert store.backlog()["waiting"] == 0


def test_a_log_that_can_not_be_written_loses_no_decision(shop: Shop) -> None:
    path = events(shop, *CARTS, LATER)
    log = shop.folder / ".journeykit" / "decisions.jsonl"
    log.parent.mkdir()
    old = b"{}\n" * 1_000_000
    log.write_bytes(old)

    full = run(shop, path, before=[FULL_LOG.format(size=len(old) + 100)])
    during = log.read_bytes()
    after = run(shop, path)

    assert f"there is no space left to write {log}" in broken(full)
    assert during == old
    assert after.returncode == 0
    lines = log.read_bytes().removeprefix(old).splitlines()
    kinds = [json.loads(text)["kind"] for text in lines]
    assert kinds.count("entered") == 2
    assert kinds.count("sent") == 1
    assert messages(shop) == ["ada"]


def test_half_a_line_that_a_crash_left_in_a_log_is_cut_off(shop: Shop) -> None:
    log = shop.folder / ".journeykit" / "decisions.jsonl"
    log.parent.mkdir()
    log.write_bytes(b'{"customer": "c"}\n{"customer": "d", "ki')

    done = shop("run", "--events", events(shop, *CARTS))

    assert done.exit_code == 0
    lines = [json.loads(text) for text in log.read_bytes().splitlines()]
    assert lines[0] == {"customer": "c"}
    assert lines[1]["kind"] == "entered"


def test_a_zipped_file_that_was_cut_off_is_named_and_goes_on_when_it_is_whole(
    shop: Shop,
) -> None:
    path = shop.folder / "events.jsonl.gz"
    names = [f"customer-{n:04}" for n in range(600)]
    whole = gzip.compress(
        b"\n".join(line("subscribed", name, "01T12:00:00") for name in names)
    )
    path.write_bytes(whole[: len(whole) // 2])

    cut = shop("run", "--events", str(path), "--batch", "100")
    path.write_bytes(whole)
    after = shop("run", "--events", str(path))

    assert cut.exit_code == 1
    assert str(path) in cut.stderr
    assert "from line" in after.stdout
    assert sorted(messages(shop)) == names


def test_a_database_of_a_later_release_is_left_alone(shop: Shop) -> None:
    path = events(shop, *CARTS)
    shop("run", "--events", path)
    alter(shop, "pragma user_version = 99")

    done = shop("run", "--events", path, "--from-start")

    assert done.exit_code == 1
    assert "was written by a later journeykit (shape 99" in done.stderr
    assert "deploy that release here too" in done.stderr


def alter(shop: Shop, sql: str, *values: object) -> None:
    """Write into the database what another release would."""
    with closing(sqlite3.connect(shop.folder / ".journeykit" / "journeykit.db")) as db:
        db.execute(sql, values)
        db.commit()


def test_a_customer_of_a_later_release_stops_it_and_nothing_is_lost(
    shop: Shop,
) -> None:
    path = events(shop, *CARTS)
    shop("run", "--events", path)
    newer = json.dumps({"id": "ada", "schema": 99}).encode()
    alter(shop, "update customer set document = ? where name = 'ada'", newer)
    path = events(shop, *CARTS, LATER)

    done = shop("run", "--events", path)

    assert done.exit_code == 1
    assert "customer row 1 was written by a later journeykit (schema 99" in done.stderr
    with stored(shop) as store:
        assert store.bookmark(f"run:{Path(path).resolve()}") is not None


def published_with(shop: Shop, **more: object) -> None:
    """Publish by hand what a later release might have published."""
    path = shop.folder / ".journeykit" / "journeykit.db"
    with closing(SQLiteStore.open(path)) as store:
        document = store.current()
    assert document is not None
    plan = {
        **document.journeys[0],
        "version": 2,
        "steps": [{"id": "s", "type": "teleport", "to": "moon"}],
    }
    text = json.dumps(
        {
            "revision": 2,
            "at": 0,
            "release": "9.9",
            "journeys": [*document.journeys, plan],
            "policies": document.policies,
            **more,
        }
    )
    alter(shop, "insert into catalog values (2, ?)", text.encode())


def test_a_step_of_a_later_release_is_named_with_that_release(shop: Shop) -> None:
    path = events(shop, *CARTS)
    shop("publish")
    published_with(shop)

    done = shop("run", "--events", path)

    assert done.exit_code == 1
    assert "catalog revision 2, published by journeykit 9.9, can't run" in done.stderr
    assert "teleport" in done.stderr


def test_a_catalog_of_a_later_schema_is_refused(shop: Shop) -> None:
    path = events(shop, *CARTS)
    shop("publish")
    published_with(shop, schema=2)

    done = shop("run", "--events", path)

    assert done.exit_code == 1
    assert "the catalog was published by a later journeykit (schema 2" in done.stderr


def test_a_live_journey_whose_channel_nobody_carries_is_named_until_another_is_live(
    shop: Shop,
) -> None:
    path = events(shop, *CARTS)
    shop("run", "--events", path)
    shop.write("journeykit.toml", 'channels = {text = "console"}\n')
    cart = shop.folder / "journeys" / "cart.py"
    cart.write_text(cart.read_text().replace('"email"', '"text"'))
    (shop.folder / "journeys" / "news.py").unlink()
    path = events(shop, *CARTS, LATER)

    done = shop("run", "--events", path)
    published = shop("publish")
    after = shop("run", "--events", path)

    assert done.exit_code == 1
    assert "nobody carries channel 'email'" in done.stderr
    assert "install who does" in done.stderr
    assert (published.exit_code, after.exit_code) == (0, 0)


def test_a_last_line_that_is_still_being_written_is_left_for_the_next_run(
    shop: Shop,
) -> None:
    path = Path(events(shop, *CARTS))
    whole = path.read_bytes()
    path.write_bytes(whole + LATER[:40])
    first = shop("run", "--events", str(path))

    path.write_bytes(whole + LATER + b"\n")
    second = shop("run", "--events", str(path))

    assert "its last line is not whole yet" in first.stdout
    assert "dead-letters" not in first.stdout
    assert second.stdout == f"1 event of {path}, from line 4 on\n"


# Dry runs


def test_a_dry_run_sends_nothing_and_leaves_the_data_alone(shop: Shop) -> None:
    path = events(shop, *CARTS, LATER)

    result = shop("run", "--events", path, "--dry-run")

    assert result.exit_code == 0
    assert "dry run: nothing is sent" in " ".join(result.stderr.split())
    assert not (shop.folder / "messages.jsonl").exists()
    assert not (shop.folder / ".journeykit/journeykit.db").exists()
    with closing(
        SQLiteStore.open(shop.folder / ".journeykit/dry-run/journeykit.db")
    ) as store:
        assert store.tallies() == {"cart": (1, 0)}


def test_after_a_dry_run_everybody_gets_their_message(shop: Shop) -> None:
    path = events(shop, *CARTS, LATER)
    shop("run", "--events", path, "--dry-run")

    result = shop("run", "--events", path)

    assert result.exit_code == 0
    assert len((shop.folder / "messages.jsonl").read_text("utf-8").splitlines()) == 1
