"""`journeykit import --stack`: history out of a file, learned once by a stack's customers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.aws.order_shop import Shop, open_shop

from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.importing import Bookmarks
from journeykit.errors import StoreBusy
from journeykit.runtime.runtime import Runtime

ROWS = [
    "ada,2025-03-01 10:00,40",
    "ben,2025-03-02 10:00,10",
    "ada,2025-03-03 10:00,2.5",
    "cy,2025-03-04 10:00,1",
    "ben,2025-03-05 10:00,5",
]
KNOWN = {"ada": (2, 42.5), "ben": (2, 15), "cy": (1, 1)}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with open_shop(tmp_path, monkeypatch) as shop:
        yield shop


def fails_once(
    monkeypatch: pytest.MonkeyPatch, of: type, name: str, after: int
) -> None:
    """Let a method fail once, when it has worked so often."""
    works = getattr(of, name)
    calls: list[None] = []

    def method(*given: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == after + 1:
            raise StoreBusy("the process is killed")
        return works(*given, **named)

    monkeypatch.setattr(of, name, method)


def test_rows_are_learned_and_nobody_moves(shop: Shop) -> None:
    shop.rows(*ROWS)

    result = shop.imports()

    assert result.exit_code == 0, result.output
    assert "5 events of 3 customers" in result.stdout
    assert shop.known == KNOWN
    assert "regulars" in shop.cloud.customer("ada").segments
    assert shop.cloud.messages == []
    assert [one.active for one in shop.cloud.customers.values()] == [[], [], []]


def test_the_archive_has_what_was_imported_as_history(shop: Shop) -> None:
    shop.rows(*ROWS[:2])

    shop.imports()

    details = [line["detail"] for line in shop.lines("events/")]
    assert [one["id"] for one in details] == ["orders.csv:2", "orders.csv:3"]
    assert [one["customer"] for one in details] == ["ada", "ben"]
    assert all(one["history"] for one in details)


def test_the_same_command_reads_what_is_new(shop: Shop) -> None:
    shop.rows(*ROWS[:3])
    shop.imports()
    again = shop.imports()
    shop.rows(*ROWS)

    more = shop.imports()

    assert "0 events" in again.stdout
    assert "2 events" in more.stdout
    assert shop.known == KNOWN


@pytest.mark.parametrize(
    ("of", "name", "after"),
    [
        (DynamoCustomers, "_stored", 0),
        (DynamoCustomers, "_stored", 1),
        (DynamoCustomers, "_stored", 3),
        (Bookmarks, "begin", 1),
        (Bookmarks, "end", 0),
        (Bookmarks, "end", 1),
    ],
)
def test_wherever_an_import_is_cut_off_each_row_counts_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, of: type, name: str, after: int
) -> None:
    shop.rows(*ROWS)
    fails_once(monkeypatch, of, name, after)

    cut_off = shop.imports("--batch", "3")
    shop.rows(*ROWS, "dee,2025-03-06 10:00,7")  # it has grown, too
    rest = shop.imports("--batch", "2")

    assert cut_off.exit_code == 1
    assert rest.exit_code == 0, rest.output
    assert shop.known == {**KNOWN, "dee": (1, 7)}


def test_an_event_that_comes_in_meanwhile_counts_as_well(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.rows(*ROWS)
    commit = DynamoCustomers.commit
    came: list[None] = []

    def slowly(self: Any, changes: Any, **along: Any) -> Any:
        if changes and not came:
            came.append(None)
            shop.cloud.event("order.placed", "ada", amount=100)
            shop.cloud.settle()
        return commit(self, changes, **along)

    monkeypatch.setattr(DynamoCustomers, "commit", slowly)

    result = shop.imports()

    assert result.exit_code == 0, result.output
    assert came
    assert shop.known == {**KNOWN, "ada": (3, 142.5)}


def test_two_who_import_the_same_at_once_learn_it_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.rows(*ROWS)
    ingest = Runtime.ingest
    others: list[Any] = []

    def interrupted(self: Runtime, *given: Any, **named: Any) -> Any:
        if named.get("door") == "import" and not others:
            others.append(None)
            others[0] = shop.imports()
        return ingest(self, *given, **named)

    monkeypatch.setattr(Runtime, "ingest", interrupted)

    result = shop.imports()

    assert others[0].exit_code == 0, others[0].output
    assert result.exit_code == 1
    assert "somebody else imports" in result.stderr
    assert shop.known == KNOWN


def test_another_file_waits_until_a_batch_is_ended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.rows(*ROWS)
    shop.rows("ada,2025-04-01 10:00,1", name="april.csv")
    fails_once(monkeypatch, Bookmarks, "end", 0)
    shop.imports()

    early = shop.imports(name="april.csv")
    shop.imports()
    late = shop.imports(name="april.csv")

    assert early.exit_code == 1
    assert "orders.csv" in early.stderr
    assert late.exit_code == 0, late.output
    assert shop.known == {**KNOWN, "ada": (3, 43.5)}


def test_what_the_schema_refuses_is_a_dead_letter_with_the_reason(shop: Shop) -> None:
    shop.rows("ada,2025-03-01 10:00,", "ben,never,1", "cy,2025-03-04 10:00,1")

    result = shop.imports()

    assert "2 could not be taken" in result.stdout
    reasons = " ".join(letter.reason for letter in shop.cloud.dead_letters)
    assert "not what the schema says: amount" in reasons
    assert "'never' is no instant" in reasons
    assert shop.known == {"cy": (1, 1)}


def test_a_file_without_an_event_is_refused(shop: Shop) -> None:
    shop.rows("ada,never,1")

    result = shop.imports()

    assert result.exit_code == 1
    assert "nothing was stored" in result.stderr
    assert shop.cloud.dead_letters == []


def test_a_folder_for_data_and_a_stack_are_two_places(shop: Shop) -> None:
    shop.rows(*ROWS)

    result = shop.imports("--data", str(shop.folder / "data"))

    assert result.exit_code == 2
    assert shop.known == {}
