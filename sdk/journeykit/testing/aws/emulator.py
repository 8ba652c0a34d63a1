"""The emulator: the whole path through AWS in this process, on a clock of its own."""

from __future__ import annotations

import base64
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from journeykit.aws.api_keys import ApiKey, ApiKeys
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.documents import unpacked
from journeykit.aws.keys import new_key
from journeykit.aws.messages import stimulus_parcel
from journeykit.aws.settings import Settings
from journeykit.aws.templates import templates_folder
from journeykit.carriers import set_up
from journeykit.channels import Action, Channel, Message
from journeykit.engine.calendar import add, isoformat, to_datetime, to_ms
from journeykit.engine.catalog import State
from journeykit.engine.customer import Customer
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError, JourneyKitError
from journeykit.http.keys import digest_of
from journeykit.insight.declared import declared, encoded
from journeykit.local.embedded import draft_of
from journeykit.manifest import OBJECTIVES, Manifest, PluginEntry
from journeykit.model.durations import Duration
from journeykit.model.events import Event, checked, instant
from journeykit.model.journey import Journey
from journeykit.model.steps import Call, Send
from journeykit.model.zones import zone
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import Change
from journeykit.testing.aws.account import EMULATOR, Account, Request
from journeykit.testing.aws.doubles import PROVIDER, Kept, Named, contributing
from journeykit.testing.aws.functions import loggers_restored
from journeykit.testing.aws.hops import Failure
from journeykit.testing.aws.stack import Deployed
from journeykit.workspace import Workspace

NAME = "journeykit"
"""The stack's name."""

REGION = "eu-central-1"
_UTC = zone("UTC")
SOURCE = "emulator"
"""The source of events that don't say theirs."""

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_ENTRIES = 10  # events in one request to EventBridge
_PLUGIN = PluginEntry(
    name=PROVIDER,
    value="journeykit.testing.aws.doubles",
    hooks=("journeykit_actions", "journeykit_channels"),
)
_BUILT_IN = "journeykit"  # the distribution whose plugins go along


class DeadLetter(NamedTuple):
    """Something that was not handled.

    Attributes:
        queue: Where it lies.
        reason: Why; empty if SQS has put it there after too many attempts.
        kind: What it is: `event`, `command`; empty: an event as EventBridge brought it.
        body: The message.
    """

    queue: str
    reason: str
    kind: str
    body: str


class Response(NamedTuple):
    """What the HTTP function answered.

    Attributes:
        status: 200 and so on.
        body: What was in it, read as JSON if it is that; bytes if it is no text.
        headers: By their names, as they were written.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = {}


class AwsEmulator(AbstractContextManager["AwsEmulator"]):
    """A stack of journeykit in an AWS account that is not there.

    The templates of `infra/` say which tables, queues and functions there are, moto keeps
    what is in them, and the functions' code is what runs in Lambda. Between them the
    emulator does what moto doesn't. Nothing leaves the machine, nobody's credentials are
    used, and nobody is sent anything. Within the block the clock of the whole process is
    the emulator's.

    Attributes:
        messages: What was handed to the channels that were not given, in order.
        failures: Invocations that failed, or some of their records; AWS tries each again.
        logs: Each line that a function printed, after the function's name.
    """

    def __init__(
        self,
        workspace: Workspace | Journey | Path | str,
        *,
        start: datetime | str,
        channels: Mapping[str, Channel] | None = None,
        actions: Collection[Action] = (),
        infra: Path | None = None,
        salt: Callable[[], str] | None = None,
        disorder: Random | None = None,
    ) -> None:
        """Make nothing yet.

        Args:
            workspace: What the bundle is built of: a workspace, its folder, or a journey
                by itself, whose customers' ids are their addresses.
            start: What time it is at the beginning.
            channels: Who carries a channel, by the name that journeys have for it. All
                others keep their messages in `messages`.
            actions: What Call steps run. Of those installed, the built-in ones are run
                as they are and the others as their mocks.
            infra: The folder of the templates; the workspace's, or those of this release.
            salt: Draws what a new customer's name in the logs is made with.
            disorder: Draws which messages come twice, and in which order they come: SQS
                may do both. None: each comes once, in its order.

        Raises:
            InvalidJourney: The workspace can't be read.
        """
        if isinstance(workspace, Journey):
            named = dict.fromkeys(_channels_of([workspace]), "console")
            workspace = Workspace(
                path=Path(), name=workspace.id, journeys=[workspace], providers=named
            )
        self._workspace = (
            workspace if isinstance(workspace, Workspace) else Workspace.load(workspace)
        )
        self._channels = dict(channels or {})
        self._actions = {action.name: action for action in actions}
        self._infra = infra
        self._salt = salt
        self._disorder = disorder
        self._account = Account(REGION, start=to_ms(instant(start)))
        self._carried: Mapping[str, Channel] = {}
        self._deployed: Deployed
        self._expired = self._ticked = self._events = 0
        self._decisions: dict[str, bytes] = {}
        self._stack = ExitStack()
        self.messages: list[Message] = []
        self.failures: list[Failure] = []
        self.logs: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        """Deploy the stack into an empty account.

        Raises:
            InputError: There are no templates, or the emulator can't read them.
            DefinitionError: Nobody carries a channel, or several do and the workspace
                names none; or nobody does an action.
        """
        registry = Registry.from_plugins(plugin_manager())
        channels, actions = self._carriers(registry), self._doers(registry)
        self._carried = {channel.name: channel for channel in channels}
        with ExitStack() as stack:
            stack.enter_context(loggers_restored())
            bundle = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            manifest = self._manifest(registry, channels, actions)
            manifest.write(bundle / "manifest.json")
            of = self._workspace
            watched = declared(of.objectives, of.journeys, of.watch)
            if watched is not None:
                (bundle / OBJECTIVES).write_bytes(encoded(watched))
            stack.enter_context(contributing(channels, actions))
            stack.enter_context(self._account)
            self._deployed = Deployed(
                self._account,
                folder=self._infra or templates_folder(self._workspace.path),
                name=NAME,
                channels=[channel.name for channel in channels],
                environment={
                    "JOURNEYKIT_MANIFEST": str(bundle / "manifest.json"),
                    "JOURNEYKIT_SECRETS_PATH": "",  # nobody needs them here
                },
                printed=lambda name, line: self.logs.append((name, line)),
                salt=self._salt,
                failures=self.failures,
                disorder=self._disorder,
            )
            self._account.requests.clear()  # those were CloudFormation's
            self._expired = self._account.now
            self._ticked = self._account.now // _MINUTE_MS
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""
        self._stack.close()

    # --- the bundle ------------------------------------------------------------------

    def _carriers(self, registry: Registry) -> list[Channel]:
        """Who carries each channel: those given, and for the others who keeps them."""
        names = _channels_of(self._workspace.journeys)
        carriers: list[Channel] = []
        for name in sorted(
            names | self._workspace.providers.keys() | {*self._channels}
        ):
            if name in self._channels:
                carriers.append(Named(name, self._channels[name]))
            else:
                carrier = registry.channel(name, self._workspace.providers.get(name))
                carriers.append(Kept(name, carrier, self.messages))
        return carriers

    def _doers(self, registry: Registry) -> list[Action]:
        """What Call steps run, beside what is built in."""
        steps = [step for one in self._workspace.journeys for step in one.walk()]
        names = {one.action for one in steps if isinstance(one, Call)}
        mocks = []
        for name in sorted(
            names - self._actions.keys() - _built_in(registry, "action")
        ):
            action = registry.action(name)
            mock = set_up(
                action, name, self._workspace.settings, folder=self._workspace.path
            ).mock()
            if mock is not None:  # else its calls fail with `no_action`
                mocks.append(mock)
        return [*mocks, *self._actions.values()]

    def _manifest(
        self,
        registry: Registry,
        channels: Sequence[Channel],
        actions: Sequence[Action],
    ) -> Manifest:
        """What a bundle would hold, with doubles in place of who reaches anybody."""
        own = [one for one in registry.plugins if one.distribution == _BUILT_IN]
        names = {action.name for action in actions}
        return Manifest(
            workspace=self._workspace.name,
            plugins=(
                *[
                    PluginEntry(
                        name=one.name,
                        value=one.value,
                        distribution=one.distribution,
                        version=one.version,
                        hooks=tuple(one.hooks),
                    )
                    for one in own
                    if one.name not in ("console", "file", "metrics")
                ],
                _PLUGIN,
            ),
            channels={channel.name: PROVIDER for channel in channels},
            actions=tuple(sorted(names | _built_in(registry, "action"))),
            loggable=tuple(sorted(self._workspace.loggable)),
            identity=self._workspace.identity,
            watch=self._workspace.watch,
            links=self._workspace.links,
            seeds={name: tuple(to) for name, to in self._workspace.seeds.items()},
        )

    # --- what comes in ---------------------------------------------------------------

    def publish(
        self, workspace: Workspace | None = None, **asked: Any
    ) -> dict[str, Any]:
        """Make the journeys of the workspace the live ones, as `journeykit publish` does.

        Args:
            workspace: Another one, of the same bundle; that of the emulator if not given.
            asked: What else the request may say: `expected`, `note`, `dry_run`.

        Returns:
            What is new, as the function says it.

        Raises:
            JourneyKitError: The function refuses.
        """
        of = workspace or self._workspace
        library = of.all_templates()
        draft = draft_of(of, self._carried, library)
        templates = library.to_bytes() if draft.content else b""
        request = {
            "draft": msgspec.to_builtins(draft._asdict()),
            "templates": msgspec.to_builtins(templates),
            **asked,
        }
        found: dict[str, Any] = self.ask({"publish": request})["publish"]
        return found

    def pause(self, journey: str, *, reason: str = "") -> None:
        """Pause a journey."""
        self._set(journey, "paused", reason)

    def resume(self, journey: str) -> None:
        """Let a journey go on that is paused or stopped; whom it concerns is visited."""
        self._set(journey, "live", "")

    def stop(self, journey: str, *, reason: str = "") -> None:
        """Stop a journey; whom it concerns is visited."""
        self._set(journey, "stopped", reason)

    def _set(self, journey: str, state: State, reason: str) -> None:
        self.ask({"state": {"journey": journey, "state": state, "reason": reason}})

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the publish function something, and handle what follows from it now.

        Raises:
            JourneyKitError: It refuses; the message is its own.
            FunctionError: It failed.
        """
        answer: dict[str, Any] = self._deployed.functions["publish"](request)
        if "error" in answer:
            raise JourneyKitError(
                f"{answer['error']['kind']}: {answer['error']['message']}"
            )
        self.settle()
        return answer

    def event(
        self,
        name: str,
        customer: str,
        properties: Mapping[str, Any] | None = None,
        /,
        *,
        id: str | None = None,
        test: bool = False,
        **more: Any,
    ) -> Event:
        """Put an event on the bus that occurs now, and handle what follows from it now.

        Args:
            name: What happened, in the past tense.
            customer: The customer's id.
            properties: What is known about it, for names that are taken or no keywords.
            id: The event's id; one that no other has if not given.
            test: Whether it is test traffic.
            more: Properties as keywords.

        Returns:
            The event.

        Raises:
            InputError: It is none that a door would take.
        """
        self._events += 1
        event = Event(
            id=id or f"event-{self._events}",
            name=name,
            customer=customer,
            occurred_at=self.now,
            received_at=self.now,
            properties={**(properties or {}), **more},
            source=SOURCE,
            test=test,
        )
        self.put_events([event])
        return event

    def know(self, customers: Iterable[Customer]) -> None:
        """Store customers of whom nobody has heard, as they would be after an import."""
        table = DynamoCustomers(
            self._account.client("dynamodb"),
            self.settings.customers_table,
            log=lambda _: None,
            bury=lambda _: None,
            clock=lambda: self._account.now,
        )
        with self._account.used_by(EMULATOR):
            refused = table.commit([Change(None, one) for one in customers])
        if refused:
            raise InputError(f"they are stored already: {', '.join(sorted(refused))}")
        self.settle()

    def put_events(self, events: Iterable[Event]) -> None:
        """Put events on the bus, now, and handle what follows from them now.

        Raises:
            InputError: One is no event that a door would take.
        """
        entries = [self._entry(checked(event)) for event in events]
        client = self._account.client("events")
        for start in range(0, len(entries), _ENTRIES):
            answer = client.put_events(Entries=entries[start : start + _ENTRIES])
            if answer["FailedEntryCount"]:
                raise InputError(f"the bus does not take them: {answer['Entries']}")
        self.settle()

    def put(self, stimuli: Iterable[Stimulus]) -> None:
        """Put stimuli into the events queue, and handle what follows from them now.

        So come enroll calls, removals, wake-ups, and what a test makes up.
        """
        for stimulus in stimuli:
            parcel = stimulus_parcel(stimulus)
            self._account.client("sqs").send_message(
                QueueUrl=self.settings.events_queue,
                MessageBody=parcel.body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in parcel.attributes.items()
                },
            )
        self.settle()

    def run(
        self, events: Iterable[Event], *, until: datetime | str | None = None
    ) -> None:
        """Put each event on the bus when it occurred, and let time pass in between.

        What is due at the same instant as an event happens after it. An event that
        occurred before one that stands above it comes in when that one did.

        Args:
            events: In their order.
            until: Let time pass up to here; what occurs later is left out.
        """
        end = None if until is None else to_ms(instant(until))
        for at, group in groupby(events, lambda event: to_ms(event.occurred_at)):
            if end is not None and at > end:
                break
            self._pass_time(at - 1)
            if at > self._account.now:
                self._account.move_to(at)
            self.put_events(group)
        if end is not None:
            self._pass_time(end)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | Mapping[str, Any] | Sequence[Any] = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Knock at the HTTP door, as API Gateway does, and handle what follows now.

        Args:
            method: `GET`, `POST`.
            path: With its query: `/v1/events`.
            body: Bytes or text as they are; anything else as JSON.
            headers: What the request says of itself.

        Raises:
            FunctionError: The function failed; API Gateway answers 500 then.
        """
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
            headers = {"content-type": "application/json", **(headers or {})}
        answer = self._deployed.functions["http"](
            self._api_event(method, path, _bytes(body), headers or {})
        )
        self.settle()
        told: Any = answer.get("body") or ""
        if answer.get("isBase64Encoded"):
            told = base64.b64decode(told)
            with suppress(UnicodeDecodeError):
                told = told.decode()
        with suppress(ValueError):
            told = json.loads(told)
        return Response(answer["statusCode"], told, _headers_of(answer))

    def post(
        self, path: str, body: Any, *, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Post something to the HTTP door: see `request`."""
        return self.request("POST", path, body, headers=headers)

    def new_api_key(self, *scopes: str) -> str:
        """Make an API key for the HTTP door; a request brings it as a bearer token.

        Args:
            scopes: What it may do; `journeykit keys` says what there is.
        """
        key = new_key()
        ApiKeys(self._account.client("dynamodb"), self.settings.state_table).add(
            ApiKey(digest_of(key).hex(), "emulator", scopes, self._account.now)
        )
        return key

    # --- what goes wrong -------------------------------------------------------------

    @property
    def running(self) -> str:
        """The name of the function that is running; empty: none is.

        For whoever makes requests fail: those of the emulator itself must not.
        """
        caller = self._account.caller
        return "" if caller == EMULATOR else caller

    def restart(self) -> None:
        """End the functions' processes: each begins with a cold start."""
        for hop in self._deployed.hops:
            hop.function.forget()
        for function in self._deployed.functions.values():
            function.forget()

    def replay_stream(self) -> None:
        """Hand the relay the stream from its first record on, once more."""
        for stream in self._deployed.streams:
            stream.begin_again()
        self.settle()

    # --- time ------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What time it is."""
        return to_datetime(self._account.now)

    def advance(self, until: Duration | datetime | str) -> None:
        """Let time pass: for a duration, or up to an instant, with what is due then.

        Raises:
            InputError: The instant is in the past, or neither.
        """
        if isinstance(until, str) and not until[:4].isdigit():
            until = Duration.parse(until)
        if isinstance(until, Duration):
            end = add(self._account.now, until, _UTC)
        else:
            end = to_ms(instant(until))
            if end < self._account.now:
                raise InputError(
                    f"{isoformat(end)} is past; it is {self.now:%F %T} now"
                )
        self._pass_time(end)

    def settle(self) -> None:
        """Handle what can be handled at this instant; the clock stands still."""
        while any(hop.run() for hop in self._deployed.hops):
            pass

    def _pass_time(self, end: int) -> None:
        """Go from one instant to the next at which something can happen."""
        self.settle()
        while True:
            dues = [hop.next_at() for hop in self._deployed.hops] + [self._tick_at()]
            at = min((due for due in dues if due is not None), default=end + 1)
            if at > end:
                break
            self._account.move_to(at)
            self._expire()
            if at % _MINUTE_MS == 0 and at == self._tick_at():
                self._tick()
            self.settle()
        if end > self._account.now:
            self._account.move_to(end)

    def _tick_at(self) -> int | None:
        """When the tick will next find something; those before it are left out.

        A tick reads the rows up to the minute after its own, and a tick that finds none
        does nothing but move its cursor, which the next one does as well.
        """
        minutes = self._deployed.armed_minutes()
        if not minutes:
            return None
        return _MINUTE_MS * max(min(minutes) - 1, self._ticked + 1)

    def _tick(self) -> None:
        self._ticked = self._account.now // _MINUTE_MS
        self._deployed.call("tick", {})

    def _expire(self) -> None:
        """Let DynamoDB delete what is over, once a day."""
        if self._account.now - self._expired >= _DAY_MS:
            self._expired = self._account.now
            for table, attribute in self._deployed.expiring.items():
                self._account.expire(table, attribute)

    # --- what came of it -------------------------------------------------------------

    @property
    def decisions(self) -> Sequence[Mapping[str, Any]]:
        """The lines of the decision log, each once, by the clock and by customer."""
        for text in self._deployed.new_objects("decisions/"):
            for line in text.splitlines():
                self._decisions.setdefault(line.decode(), line)
        read = [msgspec.json.decode(line) for line in self._decisions.values()]
        return sorted(
            read, key=lambda one: (one["now"], one["customer"], one["revision"])
        )

    def customer(self, id: str) -> Customer:
        """What is stored about somebody.

        Raises:
            KeyError: Nothing is.
        """
        with self._account.used_by(EMULATOR):
            item = self._account.client("dynamodb").get_item(
                TableName=self.settings.customers_table,
                Key={"id": {"S": id}},
                ConsistentRead=True,
            )["Item"]
        return unpacked(item["d"]["B"], id)

    @property
    def customers(self) -> Mapping[str, Customer]:
        """Everybody who is stored, by id."""
        table = self.settings.customers_table
        ids = [item["id"]["S"] for item in self._account.items(table)]
        return {id: self.customer(id) for id in ids}

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """What was not handled, in all queues that nobody reads."""
        return [
            DeadLetter(
                queue,
                held.attributes.get("reason", ""),
                held.attributes.get("kind", ""),
                held.body,
            )
            for queue in self._deployed.dead_letter_queues
            for held in self._account.held(queue)
        ]

    @property
    def requests(self) -> Counter[Request]:
        """How many requests of each kind there were; those made for Lambda are its own."""
        return Counter(self._account.requests)

    @property
    def settings(self) -> Settings:
        """The names of all resources."""
        return self._deployed.settings

    def client(self, service: str) -> Any:
        """Return a client of a service of the account, to look at what is there."""
        return self._account.client(service)

    # --- in the forms of AWS ---------------------------------------------------------

    def _entry(self, event: Event) -> dict[str, Any]:
        detail: dict[str, Any] = {
            "id": event.id,
            "customer": event.customer,
            # The envelope's own time has no milliseconds.
            "occurred_at": isoformat(to_ms(event.occurred_at)),
            "properties": event.properties,
        }
        if event.test:
            detail["test"] = True
        if event.identifiers:
            detail["identifiers"] = event.identifiers
        return {
            "EventBusName": self.settings.bus,
            "Source": event.source or SOURCE,
            "DetailType": event.name,
            "Time": event.occurred_at,
            "Detail": json.dumps(detail),
        }

    def _api_event(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """A request as API Gateway hands it over, in its format 2.0."""
        raw_path, _, query = path.partition("?")
        known = {name.lower(): value for name, value in headers.items()}
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": raw_path,
            "rawQueryString": query,
            "headers": {"host": "emulated", "content-length": str(len(body)), **known},
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "emulated",
                "domainName": "emulated",
                "http": {
                    "method": method,
                    "path": raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "emulator",
                },
                "requestId": f"request-{self._account.now}",
                "routeKey": "$default",
                "stage": "$default",
                "time": f"{self.now:%d/%b/%Y:%H:%M:%S %z}",
                "timeEpoch": self._account.now,
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }


def _headers_of(answer: Mapping[str, Any]) -> Mapping[str, str]:
    """The headers of an answer, where one may stand alone or among several of its name."""
    several = answer.get("multiValueHeaders") or {}
    joined = {name: ", ".join(texts) for name, texts in several.items()}
    return {**(answer.get("headers") or {}), **joined}


def _channels_of(journeys: Iterable[Journey]) -> set[str]:
    steps = [step for journey in journeys for step in journey.walk()]
    return {name for one in steps if isinstance(one, Send) for name in one.channel}


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


def _built_in(registry: Registry, kind: str) -> set[str]:
    """The names of what journeykit itself contributes of a kind."""
    return {
        label.removeprefix(f"{kind} ")
        for one in registry.plugins
        if one.distribution == _BUILT_IN
        for label in one.contributes
        if label.startswith(f"{kind} ")
    }
