"""Golden journeys: each file here tells what an engine is held to, and is held to it.

A file is a story: `journeys`, `policies`, and `stimuli`, each with what it leads to in
`then`: the trace, a line an entry, and `→` a message. At the end stand the `counts`.

A stimulus is an `event`, an `enroll` call, the journey of a `remove` call or of a `launch`,
or a `wake` for a `customer` (`ada` if not given), at the instant `at`, by the wall clock
`now` if that is later; `returns` names the template of the message that comes back, to be held `until`;
`until` alone wakes all customers whenever something is due up to that instant; `states`
and `publish` change the catalog. `channels` names the attribute by which a channel is addressed;
`audience` has the `traits`, `segments` and `stages`.

`pytest tests/journeys --rewrite-golden` writes what the engine does into the files: read
the difference before you commit it.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from journeykit import (
    Catalog,
    Enroll,
    Event,
    Journey,
    Policies,
    Segment,
    Stage,
    WakeUp,
    audience_plan,
    react,
)
from journeykit.engine.calendar import isoformat, to_datetime, to_ms
from journeykit.engine.commands import CallAction, Command, SendMessage
from journeykit.engine.customer import Customer, decode, encode
from journeykit.engine.guards import ChannelRules
from journeykit.engine.react import Reaction
from journeykit.engine.stimuli import Launch, Remove, Returned, Stimulus
from journeykit.engine.trace import TraceEntry
from journeykit.model.documents import from_json, from_yaml, to_json, to_yaml
from journeykit.model.traits import AnyTrait

FILES = sorted(Path(__file__).parent.glob("*.json"))
SHOWN = (
    "until",
    "zone_from",
    "value",
    "after_end",
    "tried",
    "missing",
    "expired_at",
    "path",
    "rounds",
    "segment",
)

Document = dict[str, Any]

each_file = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


@each_file
def test_the_engine_does_what_the_story_says(
    file: Path, request: pytest.FixtureRequest
) -> None:
    story = json.loads(file.read_text("utf-8"))

    told = Story(story, through_json=True).tell()

    if request.config.getoption("--rewrite-golden"):
        file.write_text(laid_out(told) + "\n", "utf-8")
    else:
        assert told == story


@each_file
def test_it_makes_no_difference_that_documents_go_through_json(file: Path) -> None:
    story = json.loads(file.read_text("utf-8"))

    kept, decoded = (Story(story, through_json=flag) for flag in (False, True))

    assert kept.tell() == decoded.tell()
    assert kept.customers == decoded.customers


@each_file
def test_explaining_decides_nothing(file: Path) -> None:
    story = json.loads(file.read_text("utf-8"))

    plain, explained = (
        Story(story, through_json=False, explain=flag) for flag in (False, True)
    )

    assert plain.tell()["counts"] == explained.tell()["counts"]
    assert plain.customers == explained.customers
    assert plain.commands == explained.commands


@each_file
def test_its_journeys_are_canonical_and_survive_yaml(file: Path) -> None:
    story = json.loads(file.read_text("utf-8"))

    for document in story["journeys"]:
        journey = from_json(json.dumps(document))

        assert json.loads(to_json(journey)) == document
        assert from_yaml(to_yaml(journey)) == journey


@each_file
def test_whoever_entered_is_somewhere(file: Path) -> None:
    story = json.loads(file.read_text("utf-8"))

    counts = Story(story, through_json=False).tell()["counts"]

    ends = ("held_out", "waiting", "completed", "exited", "failed")
    assert counts.get("entered", 0) == sum(counts.get(end, 0) for end in ends)


class Story:
    """The customers of one file, and the catalog they live by."""

    def __init__(
        self, document: Document, *, through_json: bool, explain: bool = False
    ) -> None:
        """Open the file at its first line."""
        self.document = document
        self.customers: dict[str, Customer] = {}
        self.commands: list[Command] = []
        self.decided: list[TraceEntry] = []
        self._through_json = through_json
        self._explain = explain
        self._journeys = document["journeys"]
        self._states: dict[str, Any] = {}
        self._revision = 0
        self._count = 0
        self._compile()

    def tell(self) -> Document:
        """The same document with what happens now."""
        stimuli = [
            {**stimulus, "then": self._happens(stimulus)}
            for stimulus in self.document["stimuli"]
        ]
        return {**self.document, "stimuli": stimuli, "counts": self._counts()}

    def _compile(self) -> None:
        self._revision += 1
        policies = json.dumps(self.document.get("policies", {}))
        self.catalog = Catalog.compile(
            [from_json(json.dumps(item), Journey) for item in self._journeys],
            policies=from_json(policies, Policies),
            channels={
                channel: _addressed_by(attribute)
                for channel, attribute in self.document.get("channels", {}).items()
            },
            states=self._states,
            revision=self._revision,
            audience=_audience(self.document.get("audience", {})),
        )

    def _happens(self, stimulus: Document) -> list[str]:
        customer = stimulus.get("customer", "ada")
        self._count += 1
        if "states" in stimulus or "publish" in stimulus:
            self._states |= stimulus.get("states", {})
            self._journeys = stimulus.get("publish", self._journeys)
            self._compile()
            return []
        if "until" in stimulus and "returns" not in stimulus:
            return self._until(to_ms(_instant(stimulus["until"])))
        at = _instant(stimulus["at"])
        now = _instant(stimulus["now"]) if "now" in stimulus else at
        match stimulus:
            case {"event": event}:
                event = {"id": f"event-{self._count}", **event}
                event["occurred_at"] = _instant(event.get("occurred_at", at))
                heard = Event(customer=customer, received_at=at, **event)
                return self._react(heard, now)
            case {"enroll": call}:
                call = {"id": f"call-{self._count}", **call}
                called = Enroll(customer=customer, received_at=at, **call)
                return self._react(called, now)
            case {"launch": journey}:
                id = stimulus.get("id", f"call-{self._count}")
                launched = Launch(
                    id=id, journey=journey, customer=customer, received_at=at
                )
                return self._react(launched, now)
            case {"remove": journey}:
                id = stimulus.get("id", f"call-{self._count}")
                removed = Remove(
                    id=id, journey=journey, customer=customer, received_at=at
                )
                return self._react(removed, now)
            case {"returns": template, "until": until}:
                message = next(
                    command
                    for command in reversed(self.commands)
                    if isinstance(command, SendMessage)
                    and (command.customer, command.template) == (customer, template)
                )
                returned = Returned(
                    message=message,
                    until=to_ms(_instant(until)),
                    reason=stimulus.get("reason", "pace"),
                    received_at=at,
                )
                return self._react(returned, now)
            case _:
                return self._react(WakeUp(customer), now)

    def _until(self, end: int) -> list[str]:
        """Wake whoever is due, in the order of their timers, as one timer would."""
        told: list[str] = []
        while True:
            dues = [
                (customer.next_due, id)
                for id, customer in self.customers.items()
                if customer.next_due is not None and customer.next_due <= end
            ]
            if not dues:
                return told
            due, id = min(dues)
            told += self._react(WakeUp(id), to_datetime(due))

    def _react(self, stimulus: Stimulus, now: datetime) -> list[str]:
        customer = self.customers.get(stimulus.customer)
        if customer is not None and self._through_json:
            customer = decode(encode(customer))
        reaction = react(
            customer, stimulus, catalog=self.catalog, now=now, explain=self._explain
        )
        self.customers[stimulus.customer] = reaction.customer
        self.commands += reaction.commands
        self.decided += reaction.trace
        several = len({s.get("customer", "ada") for s in self.document["stimuli"]}) > 1
        who = f"{stimulus.customer}: " if several else ""
        return [who + line for line in _lines(reaction, now)]

    def _counts(self) -> dict[str, int]:
        traced = Counter(entry.kind for entry in self.decided)
        counts = {
            "entered": traced["entered"] + traced["held_out"],
            "held_out": traced["held_out"],
            "waiting": sum(
                not run.held_out
                for customer in self.customers.values()
                for run in customer.active
            ),
            **{
                kind: traced[kind]
                for kind in ("completed", "exited", "failed", "sent", "suppressed")
            },
        }
        return {
            name: count for name, count in counts.items() if count or name == "sent"
        }


def _lines(reaction: Reaction, now: datetime) -> list[str]:
    commands = iter(reaction.commands)
    lines: list[str] = []
    for entry in reaction.trace:
        lines.append(_line(entry))
        if entry.kind in ("sent", "called"):
            lines.append(_command(next(commands), now))
    return lines + [_command(command, now) for command in commands]


def _line(entry: TraceEntry) -> str:
    place = "/".join(part for part in (entry.journey, entry.step) if part)
    detail = {
        name: isoformat(value) if name in ("until", "expired_at") else value
        for name in SHOWN
        if (value := entry.detail.get(name)) is not None
    }
    said = [f"{name}={json.dumps(value)}" for name, value in detail.items()]
    words = [isoformat(entry.at), place, entry.kind, entry.reason, *said]
    return " ".join(word for word in words if word)


def _command(command: Command, now: datetime) -> str:
    if isinstance(command, SendMessage):
        said = f"{command.channel} {command.template} to {command.address}"
        values = command.variables
    elif isinstance(command, CallAction):
        said, values = f"call {command.action}", command.arguments
    else:
        said, values = f"publish {command.name}", command.properties
    shown = f" {json.dumps(values, ensure_ascii=False)}" if values else ""
    return f"→ {isoformat(to_ms(now))} {said}{shown}"


def _audience(document: Document) -> Document:
    """Traits, segments and stages as a workspace's files hold them."""

    def read(part: str, kind: Any) -> Any:
        return from_json(json.dumps(document.get(part, [])), list[kind])

    return audience_plan(
        read("traits", AnyTrait), read("segments", Segment), read("stages", Stage)
    )


def _instant(text: str | datetime) -> datetime:
    value = datetime.fromisoformat(text) if isinstance(text, str) else text
    return value.astimezone(UTC)


def _addressed_by(attribute: str) -> ChannelRules:
    def address(profile: Any, customer: str) -> Any:
        return profile.get(attribute)

    return ChannelRules(address=address, normalize=str.lower)


def laid_out(value: Any, indent: str = "", room: int = 88) -> str:
    """Write JSON for reading: on one line what fits, the rest a part a line."""
    flat = json.dumps(value, ensure_ascii=False)
    if (len(flat) + len(indent) <= room - 1 and indent) or not value:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key)}: {laid_out(part, inner, room - len(key) - 4)}"
            for key, part in value.items()
        ]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        parts = [laid_out(part, inner, room) for part in value]
        opening, closing = "[", "]"
    else:
        return flat
    body = ",\n".join(inner + part for part in parts)
    return f"{opening}\n{body}\n{indent}{closing}"
