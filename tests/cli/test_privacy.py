"""A person asks what is kept about them, and to be forgotten."""

from __future__ import annotations

import json
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.cli.conftest import Shop

from journeykit.engine.ids import log_id
from journeykit.local.embedded import DRY_RUN, alone, archive_lines
from journeykit.local.erasing import job_of
from journeykit.local.logs import log_lines
from journeykit.local.service import Service
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import Event
from journeykit.ports import Change, DeadLetter, Job
from journeykit.testing import make_event
from journeykit.testing.store_contract.samples import make_person

SECRET = "ada.lovelace@example.com"
AT_TEN = "2026-01-05T10:30:00Z"


def live(shop: Shop, *events: Event) -> None:
    """Let events come in at a door, which archives them, and be decided."""
    with shop.embedded() as embedded:
        embedded.archive.append(archive_lines(events))
        embedded.runtime.ingest(events, now=None)
        embedded.relay()


def lived(shop: Shop) -> None:
    """Ada and Bob: profiles, runs, a message each."""
    for id, email in (("ada", SECRET), ("bob", "bob@example.com")):
        live(
            shop,
            make_event("profile.updated", id, email=email),
            make_event("subscribed", id),
            make_event("cart.updated", id, note=f"for {id}"),
        )
        shop.happen(until=AT_TEN)


def everywhere(shop: Shop) -> bytes:
    """All bytes of the data folder."""
    data = shop.folder / ".journeykit"
    return b"".join(file.read_bytes() for file in sorted(data.rglob("*.*")))


def anonymous(id: str) -> dict[str, Any]:
    """What an event says of somebody of whom it knows no more than a device."""
    return {"customer": "", "identifiers": {"anonymous": id}}


def test_all_that_is_kept_about_somebody_is_written_down(published: Shop) -> None:
    lived(published)

    told = json.loads(published("export", "ada").stdout)

    assert told["customer"] == "ada"
    (document,) = told["documents"]
    assert document["profile"] == {"email": SECRET}
    assert [event["name"] for event in told["events"]] == [
        "profile.updated",
        "subscribed",
        "cart.updated",
    ]
    assert {line["kind"] for line in told["decisions"]} >= {"entered", "sent"}
    assert len(told["commands"]) == 2
    assert "bob" not in json.dumps(told)


def test_an_export_is_a_file_that_only_its_owner_reads(
    published: Shop, tmp_path: Path
) -> None:
    lived(published)
    file = tmp_path / "ada.json"

    result = published("export", "ada", "--out", str(file))

    assert "3 events" in result.stdout
    assert json.loads(file.read_text("utf-8"))["customer"] == "ada"
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_others_could_read_is_its_owners_alone_afterwards(
    published: Shop, tmp_path: Path
) -> None:
    lived(published)
    file = tmp_path / "ada.json"
    file.touch()
    file.chmod(0o644)

    published("export", "ada", "--out", str(file))

    assert file.stat().st_mode & 0o077 == 0


def test_nobody_is_written_down_who_is_not_known(published: Shop) -> None:
    lived(published)

    result = published("export", "bab")

    assert result.exit_code == 1
    assert "did you mean 'bob'?" in result.stderr


def test_who_is_erased_is_nowhere_any_more(published: Shop) -> None:
    lived(published)
    (ada,) = published.customers("ada")
    assert SECRET.encode() in everywhere(published)

    result = published("erase", "ada", "--yes")

    assert result.exit_code == 0
    assert "1 customer erased:" in result.stdout
    assert "3 lines of the event archive" in " ".join(result.stdout.split())
    left = everywhere(published)
    assert SECRET.encode() not in left
    assert b'"ada"' not in left
    assert b"for ada" not in left
    assert b"bob@example.com" in left
    # Its lines stay, and nobody can tell whose they are.
    assert log_id("ada", ada.salt).encode() in left
    assert ada.salt.encode() not in left
    assert published("export", "ada").exit_code == 1
    assert json.loads(published("export", "bob").stdout)["customer"] == "bob"


def test_nothing_is_sent_to_who_was_erased(published: Shop) -> None:
    lived(published)

    published("erase", "ada", "--yes")

    with published.embedded() as embedded:
        embedded.runtime.tick(2**45)
        waiting = embedded.store.take(2**45, 99, lease_until=2**46)
    assert {task.command.customer for task in waiting} == {"bob"}


def test_to_erase_asks_first(published: Shop) -> None:
    lived(published)

    result = published("erase", "ada", input="n\n")

    assert result.exit_code == 1
    assert published.customers("ada")


def test_who_is_not_known_is_not_erased(published: Shop) -> None:
    lived(published)

    result = published("erase", "nobody", "--yes")

    assert result.exit_code == 1
    assert "nothing was erased" in result.stderr


def test_many_are_erased_by_a_file(published: Shop, tmp_path: Path) -> None:
    lived(published)
    file = tmp_path / "gone.txt"
    file.write_text("ada\nbob\ncyd\n")

    result = published("erase", "--file", str(file), "--yes")

    assert "2 customers erased" in result.stdout
    assert "1 of those named were not known" in result.stdout


def test_events_of_an_identifier_go_with_whose_it_is(published: Shop) -> None:
    lived(published)
    events = [
        replace(make_event("page.viewed", "x", page=id), **anonymous(id))
        for id in ("a-17", "a-18")
    ]
    with published.embedded() as embedded:
        embedded.archive.append(archive_lines(events))
        ada = embedded.store.load(["ada"])["ada"]
        after = replace(ada, identifiers=["anonymous:a-17"], revision=ada.revision + 1)
        assert not embedded.store.commit([Change(ada, after)])

    published("erase", "ada", "--yes")

    lines = b"".join(log_lines(published.folder / ".journeykit/events.jsonl"))
    assert b"a-17" not in lines
    assert b"a-18" in lines


@pytest.mark.parametrize(
    ("kind", "known", "written"),
    [
        ("email", "ada@x.de", " ADA@x.de"),
        ("phone", "+49228123", "+49 (228) 12-3"),
    ],
)
def test_events_of_an_identifier_go_however_it_was_written(
    published: Shop, kind: str, known: str, written: str
) -> None:
    lived(published)
    seen = make_event("page.viewed", "x", page="of-ada")
    other = make_event("page.viewed", "x", page="of-bob")
    events = [
        replace(seen, customer="", identifiers={kind: written}),
        replace(other, customer="", identifiers={kind: written + "9"}),
    ]
    with published.embedded() as embedded:
        embedded.archive.append(archive_lines(events))
        ada = embedded.store.load(["ada"])["ada"]
        after = replace(ada, identifiers=[f"{kind}:{known}"], revision=ada.revision + 1)
        assert not embedded.store.commit([Change(ada, after)])

    published("erase", "ada", "--yes")

    lines = b"".join(log_lines(published.folder / ".journeykit/events.jsonl"))
    assert b"of-ada" not in lines
    assert b"of-bob" in lines


def test_a_running_serve_erases_itself(published: Shop) -> None:
    lived(published)
    with published.embedded() as embedded:
        service = Service(embedded)
        service.start()
        try:
            result = published("erase", "ada", "--yes")
        finally:
            service.stop()

    assert "erased by the process that is running" in result.stdout
    assert SECRET.encode() not in everywhere(published)


def test_it_is_done_here_when_whoever_worked_there_is_done_without_it(
    published: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a `run` does, which looks for no jobs.
    lived(published)
    working = ExitStack()
    working.enter_context(alone(published.folder / ".journeykit"))
    monkeypatch.setattr("journeykit.cli.running.time.sleep", lambda _: working.close())

    result = published("erase", "ada", "--yes")

    assert "1 customer erased" in result.stdout
    assert SECRET.encode() not in everywhere(published)
    with published.embedded() as embedded:
        assert not embedded.store.unfinished()


def known_of(shop: Shop) -> list[str]:
    with shop.embedded() as embedded:
        return [one.id for one in embedded.store.scan("", 99)]


def events_of(shop: Shop) -> bytes:
    return b"".join(log_lines(shop.folder / ".journeykit/events.jsonl"))


def test_a_running_serve_leaves_the_archive_if_it_is_told_to(published: Shop) -> None:
    lived(published)
    with published.embedded() as embedded:
        service = Service(embedded)
        service.start()
        try:
            result = published("erase", "ada", "--yes", "--no-archive")
        finally:
            service.stop()

    assert "erased by the process that is running" in result.stdout
    assert known_of(published) == ["bob"]
    assert b'"ada"' in events_of(published)


def test_what_was_only_tried_is_erased_whoever_erases(published: Shop) -> None:
    lived(published)
    folder = published.folder / ".journeykit" / DRY_RUN
    folder.mkdir()
    with closing(SQLiteStore.open(folder / "journeykit.db")) as tried:
        tried.commit([Change(None, make_person("ada"))])
    with published.embedded() as embedded:
        service = Service(embedded)
        service.start()
        try:
            published("erase", "ada", "--yes")
        finally:
            service.stop()

    with closing(SQLiteStore.open(folder / "journeykit.db")) as tried:
        assert not tried.load(["ada"])


def test_a_job_that_was_left_calls_nobody_who_was_erased(published: Shop) -> None:
    lived(published)
    with published.embedded() as embedded:
        left = Job(0, "enroll", "abandoned_cart", people=b"ada\nbob\n")
        embedded.store.save(left)
    assert b"ada\nbob" in everywhere(published)
    told = json.loads(published("export", "ada").stdout)

    published("erase", "ada", "--yes")

    (job,) = told["jobs"]
    assert (job["reason"], job["customer"]) == ("enroll", "ada")
    assert b"ada\nbob" not in everywhere(published)
    with published.embedded() as embedded:
        assert embedded.visits.unfinished(now=2**41) == 1
        assert not embedded.store.unfinished()


def test_to_erase_closes_what_was_left_of_it_before(published: Shop) -> None:
    lived(published)
    with published.embedded() as embedded:
        embedded.store.save(job_of(["ada"]))
        embedded.store.save(job_of(["ada", "bob"]))

    published("erase", "ada", "--yes")

    with published.embedded() as embedded:
        (left,) = embedded.store.unfinished()
        assert b"ada" not in left.people
    # Who comes back isn't forgotten again by what is left.
    live(published, make_event("subscribed", "ada"))
    with published.embedded() as embedded:
        assert [*embedded.pages(left, now=2**41)]
    assert known_of(published) == ["ada"]


def test_somebody_who_was_merged_is_one_person(published: Shop) -> None:
    lived(published)
    database = published.folder / ".journeykit/journeykit.db"
    with closing(SQLiteStore.open(database)) as store:
        people = store.load(["ada", "bob"])
        ada, bob = people["ada"], people["bob"]
        changes = [
            Change(before, replace(before, revision=before.revision + 1, **fields))
            for before, fields in (
                (ada, {"merged_into": "bob"}),
                (bob, {"absorbed": ["ada@17.3"]}),
            )
        ]
        assert not store.commit(changes)

    told = json.loads(published("export", "ada").stdout)
    published("erase", "ada", "--yes")

    assert told["customer"] == "bob"
    assert {one["id"] for one in told["documents"]} == {"ada", "bob"}
    assert published("export", "bob").exit_code == 1
    assert b"bob@example.com" not in everywhere(published)


@pytest.mark.parametrize(
    ("body", "goes"),
    [
        (b'{"customer":"ada","name":""}', True),
        (b'{"customer":"adam","name":""}', False),
        (b"To=ada.lovelace%40example.com", True),
        (b'{"customer":"bob","note":"ada"}', False),
        (b"\xff", False),
    ],
    ids=["id", "another id", "address", "another field", "no text"],
)
def test_what_nobody_could_read_goes_if_it_is_about_them(
    published: Shop, body: bytes, goes: bool
) -> None:
    lived(published)
    with published.embedded() as embedded:
        embedded.store.bury([DeadLetter(0, "run", "unreadable", "", "", body)])

    told = json.loads(published("export", "ada").stdout)
    published("erase", "ada", "--yes")

    with published.embedded() as embedded:
        assert len(embedded.store.dead(0, 9)) == (not goes)
    assert ("dead_letters" in told) is goes


def test_who_has_a_damaged_document_is_erased_too(published: Shop) -> None:
    lived(published)
    database = published.folder / ".journeykit/journeykit.db"
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("update customer set document = x'00' where name = 'ada'")

    result = published("erase", "ada", "--yes")

    assert result.exit_code == 0, result.output
    assert b'"ada"' not in everywhere(published)


def test_what_was_left_behind_is_erased_anyway(published: Shop) -> None:
    lived(published)
    published("erase", "ada", "--yes")
    with published.embedded() as embedded:
        embedded.archive.append(archive_lines([make_event("late", "ada")]))

    unknown = published("erase", "ada", "--yes")
    result = published("erase", "ada", "--yes", "--anyway")

    assert unknown.exit_code == 1
    assert "1 lines of the event archive" in " ".join(result.stdout.split())
    assert b'"ada"' not in everywhere(published)


def test_the_archive_stays_if_somebody_says_so(published: Shop) -> None:
    lived(published)

    published("erase", "ada", "--yes", "--no-archive")
    told = json.loads(published("export", "bob", "--no-archive").stdout)

    assert b'"ada"' in b"".join(
        log_lines(published.folder / ".journeykit/events.jsonl")
    )
    assert told["events"] == told["decisions"] == []


def test_an_export_does_not_tell_how_to_read_the_log(published: Shop) -> None:
    lived(published)
    (ada,) = published.customers("ada")

    assert ada.salt not in published("export", "ada").stdout
