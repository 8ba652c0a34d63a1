"""A deployed stack, as an operator's machine reaches it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from journeykit.aws import stack as stack_module
from journeykit.aws.stack import Refused, Stack
from journeykit.cli import group
from journeykit.errors import InputError, StoreError


class Function:
    """Lambda, with one function, in place of botocore's client."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.names: list[str] = []
        self.answer: Any = {}
        self.answers: list[Any] = []  # one after the other, if there are any
        self.error = ""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.names.append(FunctionName)
        self.asked.append(json.loads(Payload))
        answer = self.answers.pop(0) if self.answers else self.answer
        text = json.dumps(answer).encode()
        failed = {"FunctionError": self.error} if self.error else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(text), **failed}


class Session:
    """botocore's session, in an account with one function and one stack."""

    def __init__(self, function: Function, outputs: dict[str, str]) -> None:
        self._function = function
        self._outputs = outputs

    def create_client(self, service: str, **options: Any) -> Any:
        if service == "lambda":
            return self._function
        client = botocore.session.get_session().create_client(service)
        stubber = Stubber(client)
        outputs = [
            {"OutputKey": key, "OutputValue": value}
            for key, value in self._outputs.items()
        ]
        found = {
            "StackName": "prod",
            "StackStatus": "CREATE_COMPLETE",
            "Outputs": outputs,
        }
        stack = {**found, "CreationTime": datetime(2026, 6, 1, tzinfo=UTC)}
        if outputs:
            stubber.add_response("describe_stacks", {"Stacks": [stack]}, NAMED)
        else:
            said = "Stack with id prod does not exist"
            stubber.add_client_error(
                "describe_stacks", "ValidationError", said, 400, expected_params=NAMED
            )
        stubber.activate()
        return client


NAMED = {"StackName": "prod"}


@pytest.fixture
def outputs() -> dict[str, str]:
    """The outputs of the stack; none: there is no stack."""
    return {"Topic": "arn", "PublishFunction": "prod-publish"}


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, outputs: dict[str, str]) -> Function:
    """The function that the stack has."""
    one = Function()
    monkeypatch.setattr(stack_module, "session", lambda: Session(one, outputs))
    return one


def run(*args: str) -> Result:
    return CliRunner().invoke(group, args, prog_name="journeykit")


def test_the_function_is_found_by_the_name_of_its_stack(function: Function) -> None:
    function.answer = {"status": {"at": "now"}}

    said = Stack("prod").ask({"status": {}})

    assert said == {"status": {"at": "now"}}
    assert function.names == ["prod-publish"]


@pytest.mark.parametrize("outputs", [{}])
def test_a_stack_that_is_not_there_is_said_to_be_missing(function: Function) -> None:
    with pytest.raises(InputError, match="there is no stack 'prod'"):
        Stack("prod").ask({"status": {}})


@pytest.mark.parametrize("outputs", [{"Topic": "arn"}])
def test_a_stack_of_somebody_else_is_said_to_be_none_of_ours(
    function: Function,
) -> None:
    with pytest.raises(InputError, match="none of journeykit's"):
        Stack("prod").ask({"status": {}})


def test_without_credentials_it_says_how_to_get_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(stack_module, "session", botocore.session.get_session)

    way_out = r"[^.]; sign in to the account, and say which by AWS_PROFILE"
    with pytest.raises(StoreError, match=way_out):
        Stack("prod").ask({"status": {}})


def test_what_the_stack_refuses_is_said_in_its_words(function: Function) -> None:
    function.answer = {
        "error": {"kind": "StaleCatalog", "message": "revision 2 is live"}
    }

    with pytest.raises(Refused, match=r"^revision 2 is live$"):
        Stack(function="publish").ask({"status": {}})


def test_a_function_that_fails_is_told_from_one_that_refuses(
    function: Function,
) -> None:
    function.error = "Unhandled"
    function.answer = {
        "errorType": "Runtime.ImportModuleError",
        "errorMessage": "no h11",
    }

    with pytest.raises(StoreError, match=r"failed: Runtime.ImportModuleError: no h11"):
        Stack(function="publish").ask({"status": {}})


def test_a_function_of_somebody_else_is_not_believed(function: Function) -> None:
    function.answer = "Hello from Lambda!"

    with pytest.raises(StoreError, match="is it the publish function"):
        Stack(function="hello").ask({"status": {}})


def test_a_request_that_lambda_does_not_take_is_not_sent(function: Function) -> None:
    with pytest.raises(InputError, match="publish fewer journeys"):
        Stack(function="publish").ask({"publish": "x" * 7_000_000})

    assert function.asked == []


# The command line


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace with one journey."""
    folder = tmp_path / "shop"
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeykit.toml").write_text(
        'name = "shop"\nchannels = { email = "console" }\n'
    )
    (folder / "journeys" / "cart.py").write_text(
        "from journeykit import Journey, Send, on\n"
        'cart = Journey("cart", trigger=on("cart.updated"), '
        'zone="Europe/London", steps=[Send("email", "reminder")])\n'
    )
    return folder


NEWS = {
    "revision": 2,
    "before": 1,
    "is_new": True,
    "added": {"hello": 1},
    "changed": {"cart": [1, 2]},
    "closed": ["old"],
    "policies": False,
    "states": {"cart": "stopped"},
    "visited": ["cart"],
}


def test_publish_sends_the_draft_and_tells_what_is_new(
    function: Function, shop: Path
) -> None:
    function.answer = {"publish": NEWS}

    said = run("publish", str(shop), "--function", "publish", "--note", "hi")

    assert said.output.splitlines() == [
        "published as catalog revision 2",
        "  new       hello  v1",
        "  changed   cart   v1 → v2",
        "  closed    old    nobody enters any more",
        "  state     cart   stopped",
        "whoever is in cart is being visited: they obey its new state",
    ]
    asked = function.asked[0]["publish"]
    assert list(asked["draft"]["journeys"]) == ["cart"]
    assert (asked["note"], asked["expected"], asked["dry_run"]) == ("hi", None, False)


def test_a_dry_run_says_what_would_be_new(function: Function, shop: Path) -> None:
    function.answer = {"publish": {**NEWS, "visited": []}}

    said = run(
        "publish", str(shop), "--function", "publish", "--dry-run", "--expect", "1"
    )

    assert said.output.startswith("would be published as catalog revision 2\n")
    assert function.asked[0]["publish"]["dry_run"]
    assert function.asked[0]["publish"]["expected"] == 1


def test_nothing_new_is_said_so(function: Function, shop: Path) -> None:
    function.answer = {"publish": {**NEWS, "is_new": False}}

    said = run("publish", str(shop), "--function", "publish")

    assert said.output == "nothing differs from catalog revision 1, which is live\n"


@pytest.mark.parametrize(
    ("command", "state", "first", "second"),
    [
        (
            "pause",
            "paused",
            "cart is paused now (catalog revision 3)",
            "nobody enters it",
        ),
        ("resume", "live", "cart is live now (catalog revision 3)", "being visited"),
        ("stop", "stopped", "cart is stopped now (catalog revision 3)", "runs end"),
    ],
)
def test_a_state_is_changed_in_the_stack(
    function: Function, command: str, state: str, first: str, second: str
) -> None:
    before = "paused" if command == "resume" else "live"
    function.answer = {
        "state": {
            "journey": "cart",
            "before": before,
            "state": state,
            "reason": "typo",
            "revision": 3,
        }
    }
    sure = ["--yes"] if command == "stop" else []

    said = run(command, "cart", "--function", "publish", "--reason", "typo", *sure)

    assert said.output.splitlines()[0] == first
    assert second in said.output
    asked = {"journey": "cart", "state": state, "reason": "typo"}
    assert function.asked == [{"state": asked}]


def test_nobody_stops_a_journey_of_a_stack_unasked(function: Function) -> None:
    said = run("stop", "cart", "--function", "publish")

    assert said.exit_code == 2
    assert function.asked == []


STATUS = {
    "at": "2026-06-01T12:00:00Z",
    "catalog": {
        "revision": 3,
        "published_at": "2026-06-01T11:00:00Z",
        "note": "first carts",
    },
    "relay": "unhealthy",
    "journeys": [
        {
            "journey": "cart",
            "state": "paused",
            "reason": "typo",
            "version": 2,
            "deliveries": {"sent": 1200, "failed": 3},
        }
    ],
    "queues": {
        "events": {"waiting": 0, "in_flight": 0, "delayed": 0},
        "dead letters": {"waiting": 12, "in_flight": 1, "delayed": 0},
    },
}


def test_status_tells_how_a_stack_stands(function: Function) -> None:
    function.answer = {"status": STATUS}

    said = run("status", "--function", "publish")

    assert "catalog revision 3, since 2026-06-01 11:00 UTC: first carts" in said.output
    assert "the relay is unhealthy" in said.output
    assert "paused: typo" in said.output
    assert "1,200 handed over and 3 failed" in said.output
    assert "12 waiting, 1 in flight" in said.output


def test_status_prints_the_document_itself(function: Function) -> None:
    function.answer = {"status": STATUS}

    said = run("status", "--function", "publish", "--json")

    assert json.loads(said.output) == STATUS


def test_status_of_a_journey_that_is_not_there_names_the_one_that_was_meant(
    function: Function,
) -> None:
    function.answer = {"status": STATUS}

    said = run("status", "--function", "publish", "--journey", "crat")

    assert said.exit_code == 1
    assert "did you mean 'cart'?" in said.output


def repaired(**found: Any) -> dict[str, Any]:
    """What the function answers to a run of a repair."""
    nothing = dict.fromkeys(
        ("customers", "commands", "timers", "lagging", "failed", "unreadable"), 0
    )
    return {**nothing, "cursor": "", "done": True, **found}


def test_a_repair_goes_on_until_it_is_through(function: Function) -> None:
    function.answers = [
        repaired(cursor="ada", done=False, customers=2, commands=1),
        repaired(customers=1, timers=3, lagging=1),
    ]

    result = run("repair", "--stack", "prod")

    assert [asked["repair"]["cursor"] for asked in function.asked] == ["", "ada"]
    assert result.stdout == (
        "3 customers; 1 commands and 3 wake-ups were passed on again\n"
        "1 should have been woken minutes ago\n"
    )


def test_a_repair_that_gets_no_further_says_where_to_go_on(function: Function) -> None:
    function.answers = [
        repaired(cursor="ada", done=False, customers=2),
        repaired(cursor="ada", done=False, failed=2),
    ]

    result = run("repair", "--stack", "prod", "--everything")

    assert result.exit_code == 1
    assert "--from 'ada'" in " ".join(result.stderr.split())
    assert all(asked["repair"]["everything"] for asked in function.asked)


def test_a_look_passes_nothing_on(function: Function) -> None:
    function.answer = repaired(customers=2, commands=1)

    result = run("repair", "--stack", "prod", "--look")

    assert function.asked[0]["repair"]["looking"]
    assert "would be passed on" in result.stdout


def test_a_repair_is_of_a_stack() -> None:
    assert "--stack NAME" in run("repair").stderr


@pytest.mark.parametrize("name", ["Shop", ""], ids=["capital", "empty"])
def test_a_name_that_no_stack_has_is_refused(function: Function, name: str) -> None:
    result = run("status", "--stack", name)

    assert result.exit_code == 1
    assert f"'{name}' is no name: small letters, digits and -" in result.stderr
    assert function.names == []
