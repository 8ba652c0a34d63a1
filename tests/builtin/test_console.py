import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from journeykit.builtin.console import ConsoleChannel
from journeykit.channels import Channel, Message, Sent
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


def printed(*messages: Message) -> str:
    stream = io.StringIO()
    ConsoleChannel(stream).send(messages)
    return stream.getvalue()


def test_a_message_is_one_readable_line() -> None:
    assert printed(MESSAGE) == (
        '2026-03-02T09:00:00+00:00  email to c1: welcome {"name": "Zoë"}'
        "  [welcome-series, send-email-welcome]\n"
    )


def test_every_message_is_called_sent() -> None:
    messages = [MESSAGE, replace(MESSAGE, delivery_id="d2")]

    assert ConsoleChannel(io.StringIO()).send(messages) == [Sent("d1"), Sent("d2")]


def test_without_a_stream_it_prints_to_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ConsoleChannel().send([MESSAGE])

    assert capsys.readouterr().out == printed(MESSAGE)


def test_test_traffic_is_marked() -> None:
    assert printed(replace(MESSAGE, test=True)).endswith("] [test]\n")


def test_the_instant_keeps_its_offset() -> None:
    berlin = timezone(timedelta(hours=1))

    line = printed(replace(MESSAGE, at=datetime(2026, 3, 2, 9, tzinfo=berlin)))

    assert line.startswith("2026-03-02T09:00:00+01:00 ")


@given(st.text(), st.text())
def test_whatever_customers_typed_stays_on_one_line(address: str, name: str) -> None:
    text = printed(replace(MESSAGE, address=address, variables={"name": name}))

    [line] = text.splitlines()
    assert line.isprintable()


def test_the_customer_id_is_the_address() -> None:
    assert ConsoleChannel().address({"email": "ada@example.org"}, "c1") == "c1"


class TestContract(ChannelContract):
    def setup_method(self) -> None:
        self.stream = io.StringIO()

    def channel(self) -> Channel:
        return ConsoleChannel(self.stream)

    def accepted(self) -> list[str]:
        numbers = re.findall(r" to person-(\d+)@example\.com: ", self.stream.getvalue())
        return [f"delivery-{number}" for number in numbers]
