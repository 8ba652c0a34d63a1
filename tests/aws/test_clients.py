from __future__ import annotations

import subprocess
import sys

import pytest

from journeykit.aws.clients import client, session
from journeykit.runtime.release import release


@pytest.mark.parametrize("service", ["dynamodb", "sqs", "events", "firehose"])
def test_a_client_gives_up_before_its_function_does(service: str) -> None:
    config = client(service).meta.config

    tries = config.retries["total_max_attempts"]
    pauses = sum(2**n for n in range(tries - 1))  # at most, of the standard mode
    assert config.retries["mode"] == "standard"
    assert tries * (config.connect_timeout + config.read_timeout) + pauses < 30


def test_a_request_says_which_release_it_comes_from() -> None:
    sqs = client("sqs")
    seen: list[str] = []
    sqs.meta.events.register(
        "before-send.sqs.*",
        lambda request, **_: seen.append(str(request.headers["User-Agent"])),
    )

    sqs.create_queue(QueueName="q")

    assert f"journeykit/{release()}" in seen[0]


def test_all_clients_share_one_session() -> None:
    assert session() is session()


def test_clients_do_without_boto3() -> None:
    code = (
        "import sys, journeykit.aws.clients as c; c.client('sqs'); "
        "sys.exit('boto3' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
