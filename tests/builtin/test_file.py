import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given, strategies as st

from journeykit.builtin.file import FileChannel
from journeykit.channels import Channel, Message, Sent
from journeykit.errors import InputError
from journeykit.testing import ChannelContract

MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="email",
    address="c1",
    template="welcome",
    variables={"name": "Zoë"},
    at=datetime(2026, 3, 2, 9, tzinfo=UTC),
    journey="welcome-series",
    step="send-email-welcome",
    purpose="marketing",
)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def test_a_message_is_one_json_line(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"

    FileChannel(path).send([MESSAGE])

    assert lines(path) == [
        {
            "delivery_id": "d1",
            "at": "2026-03-02T09:00:00Z",
            "customer": "c1",
            "channel": "email",
            "address": "c1",
            "template": "welcome",
            "variables": {"name": "Zoë"},
            "journey": "welcome-series",
            "step": "send-email-welcome",
            "purpose": "marketing",
            "topic": None,
            "test": False,
        }
    ]


def test_batches_are_appended_and_each_is_on_disk_when_send_returns(
    tmp_path: Path,
) -> None:
    path = tmp_path / "messages.jsonl"
    channel = FileChannel(path)

    first = channel.send([MESSAGE, replace(MESSAGE, delivery_id="d2")])
    after_first = len(lines(path))
    channel.send([replace(MESSAGE, delivery_id="d3")])

    assert first == [Sent("d1"), Sent("d2")]
    assert after_first == 2
    assert [line["delivery_id"] for line in lines(path)] == ["d1", "d2", "d3"]


def test_the_parent_folder_is_made_when_the_first_message_goes(tmp_path: Path) -> None:
    path = tmp_path / "out" / "today" / "messages.jsonl"
    channel = FileChannel(path)
    made_early = path.parent.exists()

    channel.send([MESSAGE])

    assert not made_early
    assert path.exists()


def test_instants_are_written_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    berlin = timezone(timedelta(hours=1))

    FileChannel(path).send([replace(MESSAGE, at=datetime(2026, 3, 2, tzinfo=berlin))])

    assert lines(path)[0]["at"] == "2026-03-01T23:00:00Z"


def test_what_json_does_not_know_is_written_as_text(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"

    FileChannel(path).send([replace(MESSAGE, variables={"total": Decimal("1.50")})])

    assert lines(path)[0]["variables"] == {"total": "1.50"}


# Every character there is, lone surrogates included, since senders' JSON may hold them.
@given(st.text(st.characters()), st.dictionaries(st.text(), st.text(st.characters())))
def test_whatever_customers_typed_is_read_back(
    name: str, variables: dict[str, str]
) -> None:
    message = replace(MESSAGE, address=name, variables=variables)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "messages.jsonl"
        FileChannel(path).send([message, message])
        found = lines(path)

    assert [(line["address"], line["variables"]) for line in found] == [
        (name, variables)
    ] * 2


def test_an_operator_can_set_the_path(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.jsonl"

    FileChannel().configured({"path": str(path)}).send([MESSAGE])

    assert len(lines(path)) == 1


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(InputError, match=r"^file\.pth: "):
        FileChannel().configured({"pth": "x"})


class TestContract(ChannelContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, tmp_path: Path) -> None:
        self.path = tmp_path / "messages.jsonl"

    def channel(self) -> Channel:
        return FileChannel(self.path)

    def accepted(self) -> list[object]:
        found = lines(self.path) if self.path.is_file() else []
        return [line["delivery_id"] for line in found]

    def troubled(
        self, trouble: Literal["busy", "refusing", "silent", "unreachable"]
    ) -> Channel | None:
        if trouble != "unreachable":  # a disk does nothing of the kind
            return None
        return FileChannel(self.path.parent)
