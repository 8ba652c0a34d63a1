"""What each kind of step does. One class a kind; `KINDS` names them all.

A step is compiled once from its plan document and then asked by many enrollments, so
it holds no state. It is asked on three occasions and answers with a move:

- `arrive`: an enrollment has come to it;
- `wake`: the due instant that it asked for has come;
- `stirred`: something happened to the customer while the enrollment waits.

What is said here about a step kind is all there is to say: its rules stand nowhere else
but, for Send and Survey, in `journeykit.engine.guards`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from journeykit.engine.calendar import add, isoformat, to_ms
from journeykit.engine.commands import CallAction
from journeykit.engine.conditions import (
    Missing,
    Predicate,
    ValueOf,
    compile_condition,
    compile_value,
)
from journeykit.engine.customer import Enrollment, size_of
from journeykit.engine.draft import Ending, Happening, Run, Starting, Stir, cut
from journeykit.engine.due import DueRule
from journeykit.engine.ids import (
    bucket,
    called_id,
    delivery_id,
    emitted_id,
    item_key,
)
from journeykit.engine.limits import (
    ITEM_BYTES,
    ITEM_KEYS,
    ITEMS_BYTES,
    RESULT_BYTES,
    VARIABLES_BYTES,
)
from journeykit.engine.moves import STAND, Go, Leave, Move, Stay
from journeykit.engine.values import Document, Values, bounded, key_text, run_key
from journeykit.model.durations import Duration
from journeykit.model.events import (
    CALL_COMPLETED,
    CALL_FAILED,
    MESSAGE,
    SURVEY_ANSWERED,
)
from journeykit.model.rules import MARKETING_EXPIRES, fates_beyond
from journeykit.model.surveys import said_in

LayOut = Callable[[Sequence[Document], str | None], str | None]
"""Compile steps that are followed by a step id, and return the id of the first."""

Paths = frozenset[tuple[str | int, ...]]

CAUSES_TOO_MUCH = Leave("emit_limit", failed=True)
BY_EXIT = "exit"
FROM_ELSEWHERE = "removed_by_journey"
"""Why a run left that an Exit of another one ended, if that one gives no reason."""


class Step:
    """What all kinds have in common.

    Attributes:
        id: The step's id.
        then: The id of the step behind it; None is the end.
        on: The move to it.
        paths: The references that it reads.
        since: The id of an earlier step from which on it listens.
        looks: Whether it waits for the profile to change.
        gathers: The name of the events that it gathers; empty if it gathers none.
    """

    kind: ClassVar[str]
    paths: Paths = frozenset()
    since: str | None = None
    looks: bool = False
    gathers: str = ""

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Keep what every step has; the kinds add their own."""
        self.id: str = document["id"]
        self.then = then
        self.on = Go(then)

    def arrive(self, run: Run) -> Move:
        """An enrollment has come to this step."""
        raise NotImplementedError

    def wake(self, run: Run) -> Move:
        """The due instant has come for an enrollment that waits here."""
        return self.on

    def hears(self) -> Sequence[tuple[str, int, Predicate | None]]:
        """Event name, path and condition of each event that ends a wait here."""
        return ()

    def stirred(self, run: Run, stir: Stir) -> Move | None:
        """Something has happened while an enrollment waits here; None: stay."""
        return None


LOST = frozenset({"bounced", "failed", "rejected"})
"""What becomes of a message that does not arrive."""

SAME_ADDRESS = "same_address"
"""Why a message failed: somebody else has got it at that address."""


class Send(Step):
    """Stands before the guards, which release the message or don't.

    With `fallback_after` it then waits for word of the message, as long as there is
    another channel: `enrollment.tried` says how many have had their chance.
    """

    kind = "send"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile the variables."""
        super().__init__(document, then, lay_out)
        self.channels: tuple[str, ...] = tuple(document["channel"])
        self.template: str = document["template"]
        self.variables = Values(document["variables"])
        self.paths = self.variables.paths
        self.topic: str | None = document["topic"]
        self.purpose: str | None = document["purpose"]
        expires: str | None = document["expires_after"]
        self.expires_after = (
            Duration.parse(expires) if expires and expires != "never" else None
        )
        self.never_expires = expires == "never"
        self.on_capped: str = document["on_capped"]
        self.on_quiet: str = document["on_quiet"]
        self.after_refusal: dict[str, str] = {
            "expired": document["on_expired"],
            "refused": document["on_refused"],
            "capped": self.on_capped,
            "quiet": self.on_quiet,
        }
        self.asks: str = document.get("kind", "")
        self._survey: str = document.get("survey") or ""
        # Journeys that were published by earlier releases have none of these.
        fallback: str | None = document.get("fallback_after")
        self.fallback_after = Duration.parse(fallback) if fallback else None
        self.fallback_unless: str = document.get("fallback_unless", "delivered")
        self.once: bool = document.get("once_per_address", False)
        self._enough = fates_beyond(self.fallback_unless)

    def arrive(self, run: Run) -> Move:
        """Let the guards decide, in the order of all that stand."""
        return STAND

    def wake(self, run: Run) -> Move:
        """The deferral is over, or the time of a channel: the guards decide."""
        enrollment = run.enrollment
        if enrollment.tried and not enrollment.standing:
            return self.fall_back(run, "timeout")
        return STAND

    def hears(self) -> Sequence[tuple[str, int, Predicate | None]]:
        """What becomes of a message, if another channel may follow."""
        if self.fallback_after is None:
            return ()
        return [(MESSAGE + fate, 0, None) for fate in sorted(self._enough | LOST)]

    def stirred(self, run: Run, stir: Stir) -> Move | None:
        """Go on if a message of this step is known to have done its work.

        If the last one did not arrive, the next channel has its turn at once.
        """
        enrollment, event = run.enrollment, run.scope.event or {}
        if not enrollment.tried or stir.event is None:
            return None
        fate, id = stir.event.removeprefix(MESSAGE), event.get("delivery_id")
        of = self._which(enrollment, id)
        if of is None:
            return None
        is_there = fate == "failed" and event.get("reason") == SAME_ADDRESS
        if fate in self._enough or is_there:
            detail = {"event": stir.event, "channel": self.channels[of]}
            run.note("went_on", reason="event", detail=detail)
            return self.done(run)
        waits = not (enrollment.standing or enrollment.arriving)
        if fate in LOST and waits and of + 1 == enrollment.tried:
            return self.fall_back(run, fate)
        return None

    def awaits(self, enrollment: Enrollment, id: str) -> bool:
        """Whether an enrollment at this step waits for word of this very message."""
        if not enrollment.tried or enrollment.standing or enrollment.arriving:
            return False
        last = enrollment.tried - 1
        return id == delivery_id(enrollment.id, self.id, enrollment.visit, last)

    def fall_back(self, run: Run, because: str) -> Move:
        """Let the next channel have its turn: all guards are asked about it."""
        enrollment = run.enrollment
        over = self.channels[enrollment.tried - 1]
        run.note("fell_back", reason=because, detail={"channel": over})
        enrollment.due = None
        enrollment.standing = True
        return STAND

    def done(self, run: Run) -> Move:
        """Go on behind this step."""
        run.enrollment.standing = False
        run.enrollment.tried = 0
        return self.on

    def passed_over(self, run: Run) -> Move | None:
        """A message does not go: go on; None: an earlier one is still waited for."""
        return self.done(run)

    def survey_of(self, journey: str) -> str:
        """The name of the survey that its messages ask; empty: they ask nothing."""
        return (self._survey or journey) if self.asks else ""

    def asked(self, run: Run, zone: ZoneInfo, position: int) -> int | None:
        """Until when the answer to a message that just went is waited for; None: not."""
        return None

    def answer_by(self, enrollment: Enrollment) -> int | None:
        """Until when the answer to an earlier message is waited for; None: not."""
        return None

    def released(self, enrollment: Enrollment) -> Iterator[str]:
        """The ids of the messages so far, in the order of their channels."""
        for n in range(enrollment.tried):
            yield delivery_id(enrollment.id, self.id, enrollment.visit, n)

    def _which(self, enrollment: Enrollment, id: object) -> int | None:
        """Over which of the channels a message went; None: it is none of these."""
        each = enumerate(self.released(enrollment))
        return next((n for n, own in each if own == id), None)

    def expiry(self, purpose: str) -> Duration | None:
        """How late the message may go; a day for marketing unless it says otherwise."""
        if self.expires_after is None and not self.never_expires:
            return MARKETING_EXPIRES if purpose == "marketing" else None
        return self.expires_after


class Survey(Send):
    """Sends a message that asks something, and waits for the answer.

    While it waits, `enrollment.tried` is more than 0, as with a fallback; the run's result
    for this step holds until when, and over which channels it was asked.
    """

    kind = "survey"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Lay out what follows without an answer."""
        super().__init__(document, then, lay_out)
        within: str | None = document["within"]
        self._within = Duration.parse(within) if within else None
        self._otherwise = self.on
        if self._within is not None:
            self._otherwise = Go(lay_out(document["otherwise"], then))

    def arrive(self, run: Run) -> Move:
        """Let the guards decide; what was answered in an earlier round is over."""
        if not run.enrollment.tried:
            run.forget(self.id)
        return STAND

    def hears(self) -> Sequence[tuple[str, int, Predicate | None]]:
        """The answer, and what becomes of the messages."""
        if self._within is None:
            return super().hears()
        fates = LOST if self.fallback_after is None else self._enough | LOST
        heard = sorted([SURVEY_ANSWERED, *(MESSAGE + fate for fate in fates)])
        return [(name, 0, None) for name in heard]

    def asked(self, run: Run, zone: ZoneInfo, position: int) -> int | None:
        """From the first message on; a fallback does not begin the wait anew."""
        if self._within is None:
            return None
        draft, known = run.draft, run.enrollment.results.get(self.id)
        until: int = (
            add(max(draft.at, draft.now), self._within, zone)
            if known is None
            else known["until"]
        )
        asked = [*([] if known is None else known["asked"]), position]
        run.put(self.id, {"until": until, "asked": asked})
        return until

    def answer_by(self, enrollment: Enrollment) -> int | None:
        """From the first message on; None before it."""
        known = enrollment.results.get(self.id)
        return None if self._within is None or known is None else known["until"]

    def wake(self, run: Run) -> Move:
        """The time is up: of the answer, of a channel, or of a deferral."""
        if self._is_over(run):
            return self._timed_out(run)
        return super().wake(run)

    def stirred(self, run: Run, stir: Stir) -> Move | None:
        """Go on with the answer; without hope for one, turn to the next channel."""
        if self._within is None:
            return super().stirred(run, stir)
        enrollment, event = run.enrollment, run.scope.event or {}
        which = self._which(enrollment, event.get("delivery_id"))
        if which is None or stir.event is None:
            return None
        if stir.event == SURVEY_ANSWERED:
            return self._answered(run, event, self.channels[which])
        fate = stir.event.removeprefix(MESSAGE)
        if fate in LOST:
            return self._lost(run, which, fate)
        if fate in self._enough and enrollment.due != self.answer_by(enrollment):
            detail = {"event": stir.event, "channel": self.channels[which]}
            run.note("waiting", reason="answer", detail=detail)
            self._wait_on(run)
        return None

    def _lost(self, run: Run, which: int, fate: str) -> Move | None:
        """A message did not arrive: the next channel has its turn, if it was the last."""
        enrollment = run.enrollment
        known = enrollment.results[self.id]
        left = [n for n in known["asked"] if n != which]
        run.put(self.id, {**known, "asked": left})
        run.draft.changed = True
        if enrollment.standing or enrollment.arriving:
            return None
        is_last = which + 1 == enrollment.tried
        if not left or (is_last and self._has_next(enrollment)):
            return self.fall_back(run, fate)
        if is_last:
            self._wait_on(run)
        return None

    def awaits(self, enrollment: Enrollment, id: str) -> bool:
        """Not if it was asked by another message as well, and there is no channel left."""
        if not super().awaits(enrollment, id):
            return False
        known = enrollment.results.get(self.id)
        alone = known is not None and known["asked"] == [enrollment.tried - 1]
        return self._has_next(enrollment) or alone

    def fall_back(self, run: Run, because: str) -> Move:
        """Let the next channel have its turn; without one nobody will answer."""
        enrollment = run.enrollment
        if self._has_next(enrollment):
            return super().fall_back(run, because)
        return self._not_asked(run)

    def passed_over(self, run: Run) -> Move | None:
        """Without a message before, nobody was asked; else that may be answered."""
        enrollment = run.enrollment
        if self._within is None or not enrollment.tried:
            return self._unanswered(run)
        if not enrollment.results[self.id]["asked"]:  # what was sent did not arrive
            return self._not_asked(run)
        if self._is_over(run):
            return self._timed_out(run)
        self._wait_on(run)
        return None

    def answers(self, enrollment: Enrollment, event: Mapping[str, Any]) -> bool:
        """Whether an event answers what a run at this step has asked."""
        return self._which(enrollment, event.get("delivery_id")) is not None

    def _has_next(self, enrollment: Enrollment) -> bool:
        return self.fallback_after is not None and enrollment.tried < len(self.channels)

    def _wait_on(self, run: Run) -> None:
        """Wait for the answer, and turn to no other channel any more."""
        enrollment = run.enrollment
        enrollment.standing = enrollment.arriving = False
        enrollment.due = self.answer_by(enrollment)
        run.draft.changed = True

    def _is_over(self, run: Run) -> bool:
        until = self.answer_by(run.enrollment)
        return until is not None and until <= run.draft.at

    def _timed_out(self, run: Run) -> Move:
        run.note("went_on", reason="timeout")
        return self._unanswered(run)

    def _not_asked(self, run: Run) -> Move:
        over = self.channels[run.enrollment.tried - 1]
        run.note("went_on", reason="not_asked", detail={"channel": over})
        return self._unanswered(run)

    def _unanswered(self, run: Run) -> Move:
        run.forget(self.id)
        self.done(run)
        return self._otherwise

    def _answered(
        self, run: Run, event: Mapping[str, Any], channel: str
    ) -> Move | None:
        """Keep the answer as the result."""
        score, text = event.get("score"), event.get("text")
        if isinstance(score, float) and score.is_integer():
            score = int(score)  # as some write 9
        said = said_in(self.asks, str(score), text if isinstance(text, str) else "")
        if said is None:
            return None  # whoever made the event up; the customer may still answer
        result = {
            "kind": self.asks,
            "survey": self.survey_of(run.plan.id),
            "channel": channel,
            **said.properties(self.asks),
        }
        size = size_of(result)
        if said.text and (size > RESULT_BYTES or not run.draft.has_room(size)):
            result["text"] = cut(said.text)
        run.put(self.id, result)
        run.note("went_on", reason="answered", detail=run.draft.written(result))
        return self.done(run)


class Wait(Step):
    """Waits for a while, or until an instant."""

    kind = "wait"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile the due rule."""
        super().__init__(document, then, lay_out)
        self.due = DueRule(document["due"])
        self.paths = self.due.paths
        self.answers: dict[str, Move] = {
            "proceed": self.on,
            "exit_past": Leave("instant_past"),
            "exit_missing": Leave("instant_missing"),
        }
        self.on_past: str = document["on_past"]
        self.on_missing: str = document["on_missing"]

    def arrive(self, run: Run) -> Move:
        """Compute the due instant in the zone known now, and keep it."""
        due, zone = run.due(self.due)
        if due.state == "future":
            return Stay(due.instant, zone) if due.instant > run.draft.at else self.on
        what = self.on_past if due.state == "past" else self.on_missing
        run.note(
            "went_on", reason=due.state, detail={"rule": self.due.text, "so": what}
        )
        if what == "skip_step":
            return Go(run.plan.behind(self.then))
        return self.answers["proceed" if what == "proceed" else f"exit_{due.state}"]

    def wake(self, run: Run) -> Move:
        """The time is up."""
        run.note("went_on", reason="due")
        return self.on


class WaitFor(Step):
    """Waits for the first of several things to happen."""

    kind = "wait_for"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile what each path waits for."""
        super().__init__(document, then, lay_out)
        self._paths: list[tuple[str | None, Predicate | None, Go]] = []
        paths: set[tuple[str | int, ...]] = set()
        for path in document["paths"]:
            when = path["when"]
            event = None if isinstance(when, str) else when["name"]
            text = when if isinstance(when, str) else when["where"]
            where = compile_condition(text) if text else None
            paths |= where.paths if where else set()
            self._paths.append((event, where, Go(lay_out(path["steps"], then))))
        self._timeout = DueRule(document["timeout"]) if document["timeout"] else None
        self._otherwise = Go(lay_out(document["otherwise"], then))
        self._on_missing: str = document["on_missing"]
        self.since = document["since"]
        if self._timeout:
            paths |= self._timeout.paths
        self.paths = frozenset(paths)
        self.looks = any(event is None for event, _, _ in self._paths)

    def hears(self) -> Sequence[tuple[str, int, Predicate | None]]:
        """The events among the paths."""
        return [
            (event, n, where)
            for n, (event, where, _) in enumerate(self._paths)
            if event is not None
        ]

    def arrive(self, run: Run) -> Move:
        """Take what has happened since, or holds already; else wait."""
        latched = run.enrollment.latches.get(self.id, -1)
        if latched >= 0:
            run.note(
                "went_on", reason="event", detail={"path": latched, "since": self.since}
            )
            self._used(run)
            return self._paths[latched][2]
        if self.looks and (met := self.stirred(run, Stir(looks=True))) is not None:
            return met
        if self._timeout is None:
            return Stay(None)
        due, zone = run.due(self._timeout)
        if due.state == "future" and due.instant > run.draft.at:
            return Stay(due.instant, zone)
        if due.state == "missing" and self._on_missing == "exit":
            return Leave("instant_missing")
        if due.state != "future":
            detail = {"rule": self._timeout.text, "so": "proceed"}
            run.note("went_on", reason=due.state, detail=detail)
            return self._otherwise
        return self.wake(run)

    def wake(self, run: Run) -> Move:
        """The time is up."""
        run.note("went_on", reason="timeout")
        return self._otherwise

    def stirred(self, run: Run, stir: Stir) -> Move | None:
        """Take the first path that is met."""
        for n, (event, where, target) in enumerate(self._paths):
            if stir.meets(event) and run.matches(where):
                detail: dict[str, Any] = {"path": n}
                if event is not None:
                    detail["event"] = event
                if where is not None:
                    detail |= run.explained(where)
                run.note(
                    "went_on",
                    reason="condition" if event is None else "event",
                    detail=detail,
                )
                if event is not None:
                    self._used(run)
                return target
        return None

    def _used(self, run: Run) -> None:
        """Let the event that was taken not count once more, in a loop."""
        latches = run.enrollment.latches
        if self.id in latches:
            rest = {id: path for id, path in latches.items() if id != self.id}
            run.enrollment.latches = rest


class Branch(Step):
    """Takes the first path whose condition holds."""

    kind = "branch"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile the conditions and lay out their steps."""
        super().__init__(document, then, lay_out)
        self._paths = [
            (compile_condition(path["when"]), Go(lay_out(path["steps"], then)))
            for path in document["paths"]
        ]
        self._otherwise = Go(lay_out(document["otherwise"], then))
        self.paths = frozenset(p for rule, _ in self._paths for p in rule.paths)

    def arrive(self, run: Run) -> Move:
        """Ask in order."""
        asked: list[dict[str, Any]] = []
        for n, (condition, target) in enumerate(self._paths):
            if condition(run.scope):
                detail = {"path": n, **run.explained(condition), **_asked(asked)}
                run.note("branched", reason="path", detail=detail)
                return target
            if run.draft.explain:
                asked.append(run.explained(condition))
        run.note("branched", reason="otherwise", detail=_asked(asked))
        return self._otherwise


def _asked(before: list[dict[str, Any]]) -> dict[str, Any]:
    return {"asked": before} if before else {}


class Split(Step):
    """Takes an arm by a hash, and remembers it."""

    kind = "split"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Lay the arms end to end from 0 to 9999."""
        super().__init__(document, then, lay_out)
        self._targets: dict[str, Go] = {}
        self._ends: list[tuple[int, str]] = []
        end = 0
        for arm in document["arms"]:
            end += round(arm["weight"] * 100)
            self._ends.append((end, arm["name"]))
            self._targets[arm["name"]] = Go(lay_out(arm["steps"], then))
        self.sticky: bool = document["on_reentry"] == "sticky"

    def arrive(self, run: Run) -> Move:
        """An arm once assigned stays, whatever becomes of the weights."""
        known = run.assigned(self.id) if self.sticky else None
        arm = known if known in self._targets else self._drawn(run)
        if self.sticky and arm != known:
            run.assign(self.id, arm)
        run.note("split", reason=arm, detail={"known": True} if known == arm else None)
        return self._targets[arm]

    def _drawn(self, run: Run) -> str:
        salt = f"{run.plan.id}/{self.id}"
        if not self.sticky:
            salt += f"/{run.enrollment.id}/{run.enrollment.visit}"
        number = bucket(salt, run.draft.customer)
        return next(name for end, name in self._ends if number < end)


class Update(Step):
    """Writes to the profile."""

    kind = "update"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile the values."""
        super().__init__(document, then, lay_out)
        self._values = Values(document["values"])
        self.paths = self._values.paths

    def arrive(self, run: Run) -> Move:
        """Write what is known: a missing reference changes nothing, null removes."""
        values, missing = self._values.resolve(run.scope)
        if not run.draft.write_profile(values):
            return Leave("profile_too_large", failed=True)
        run.note("updated", detail=run.draft.written(values, missing))
        return self.on


class Emit(Step):
    """Lets an event happen to this customer, when the rounds are done."""

    kind = "emit"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile the properties."""
        super().__init__(document, then, lay_out)
        self._name: str = document["name"]
        self._properties = Values(document["properties"])
        self._public: bool = document["public"]
        self.paths = self._properties.paths

    def arrive(self, run: Run) -> Move:
        """Queue the event, within bounds."""
        draft, enrollment = run.draft, run.enrollment
        if not draft.may_cause():
            return CAUSES_TOO_MUCH
        properties, missing = self._properties.resolve(run.scope)
        id = emitted_id(enrollment.id, self.id, enrollment.visit)
        draft.emit(
            Happening(
                id,
                self._name,
                properties,
                generation=draft.generation + 1,
                test=enrollment.test,
            ),
            public=self._public,
        )
        run.note(
            "emitted", reason=self._name, detail=run.draft.written(properties, missing)
        )
        return self.on


class Exit(Step):
    """Ends the run; or, when the rounds are done, runs of another journey."""

    kind = "exit"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Keep the reason, and compile the key."""
        super().__init__(document, then, lay_out)
        self._leave = Leave(document["reason"])
        self._journey: str | None = document["journey"]
        reason: str = document["reason"]
        self._reason = FROM_ELSEWHERE if reason == BY_EXIT else reason
        self._key = compile_value(document["key"]) if document["key"] else None
        self.paths = self._key.paths if self._key else frozenset()

    def arrive(self, run: Run) -> Move:
        """Leave, or let others leave."""
        if self._journey is None:
            return self._leave
        if not run.draft.may_cause():
            return CAUSES_TOO_MUCH
        key: str | None = None
        detail: dict[str, Any] = {}
        if self._key is not None:
            key = self._key_of(self._key, run)
            detail = {"missing": self._key.text} if key is None else {"key": cut(key)}
        if self._key is None or key is not None:
            run.draft.cause(Ending(self._journey, key, self._reason, run.enrollment.id))
        run.note("took_out", reason=self._journey, detail=detail)
        return self.on

    def _key_of(self, reference: ValueOf, run: Run) -> str | None:
        try:
            return run_key(reference(run.scope))
        except Missing:
            return None


class Start(Step):
    """Lets the customer enter another journey, when the rounds are done."""

    kind = "start"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile what the other run is to know."""
        super().__init__(document, then, lay_out)
        self._journey: str = document["journey"]
        self._entry = Values(document["entry"])
        self.paths = self._entry.paths

    def arrive(self, run: Run) -> Move:
        """Queue the entry, within bounds."""
        draft, enrollment = run.draft, run.enrollment
        if not draft.may_cause():
            return CAUSES_TOO_MUCH
        entry, missing = self._entry.resolve(run.scope)
        id = emitted_id(enrollment.id, self.id, enrollment.visit)
        generation = draft.generation + 1
        draft.cause(Starting(id, self._journey, entry, generation, enrollment.test))
        run.note("started", reason=self._journey, detail=draft.written(entry, missing))
        return self.on


class Repeat(Step):
    """Goes through its steps several times; each round ends here again."""

    kind = "repeat"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Lay out a round, which leads back here."""
        super().__init__(document, then, lay_out)
        self._round = Go(lay_out(document["steps"], self.id))
        self._times: int = document["times"]
        until: str | None = document["until"]
        self._until = compile_condition(until) if until else None
        self.paths = self._until.paths if self._until else frozenset()

    def arrive(self, run: Run) -> Move:
        """Begin another round, or go on.

        The count is dropped when the run leaves: see `Runs`.
        """
        enrollment = run.enrollment
        count = enrollment.rounds.get(self.id, 0)
        detail: dict[str, Any] = {"rounds": count, "times": self._times}
        if count >= self._times:
            run.note("repeated", reason="times", detail=detail)
            return self.on
        if self._until is not None and self._until(run.scope):
            explained = run.explained(self._until)
            run.note("repeated", reason="until", detail={**detail, **explained})
            return self.on
        enrollment.rounds = {**enrollment.rounds, self.id: count + 1}
        detail["rounds"] = count + 1
        run.note("repeated", reason="round", detail=detail)
        return self._round


class Goto(Step):
    """Goes on at another step."""

    kind = "goto"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Lead there, and not to the step behind."""
        super().__init__(document, then, lay_out)
        self.on = Go(document["to"])

    def arrive(self, run: Run) -> Move:
        """Go on there. What it does is what the step there does, so it leaves no trace."""
        return self.on


class Call(Step):
    """Lets an action do something, and waits for its result."""

    kind = "call"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile the arguments, and lay out what follows a failure."""
        super().__init__(document, then, lay_out)
        self.action: str = document["action"]
        self._arguments = Values(document["arguments"])
        self.paths = self._arguments.paths
        self._timeout = DueRule(document["timeout"])
        self._retries: int = document["retries"]
        on_error: str | Sequence[Document] = document["on_error"]
        self._on_error: Move = self.on
        if on_error == "exit":
            self._on_error = Leave("call_failed")
        elif not isinstance(on_error, str):
            self._on_error = Go(lay_out(on_error, then))

    def hears(self) -> Sequence[tuple[str, int, Predicate | None]]:
        """What comes of a call."""
        return [(CALL_COMPLETED, 0, None), (CALL_FAILED, 1, None)]

    def arrive(self, run: Run) -> Move:
        """Command the call. The action gets its time, however late this step was reached."""
        draft, enrollment, plan = run.draft, run.enrollment, run.plan
        run.forget(self.id)
        due, zone = run.due(self._timeout, start=max(draft.at, draft.now))
        arguments, missing = bounded(
            self._arguments.resolve(run.scope), VARIABLES_BYTES
        )
        id = called_id(enrollment.id, self.id, enrollment.visit)
        draft.commands.append(
            CallAction(
                call_id=id,
                customer=draft.customer,
                action=self.action,
                arguments=arguments,
                at=draft.at,
                journey=plan.id,
                version=plan.version,
                step=self.id,
                enrollment=enrollment.id,
                retries=self._retries,
                expires_at=due.instant,
                test=enrollment.test,
            )
        )
        said = draft.written(arguments, missing) if arguments or missing else {}
        run.note("called", reason=self.action, detail={"call_id": id, **said})
        return Stay(due.instant, zone)

    def wake(self, run: Run) -> Move:
        """The time is up."""
        run.note("went_on", reason="timeout")
        return self._on_error

    def stirred(self, run: Run, stir: Stir) -> Move | None:
        """Take the result, if it is of the call that the run waits for."""
        if stir.event not in (CALL_COMPLETED, CALL_FAILED):
            return None
        enrollment, event = run.enrollment, run.scope.event or {}
        id = called_id(enrollment.id, self.id, enrollment.visit)
        if event.get("call_id") != id:
            return None
        if event.get("undetermined") is True:  # a simulation that knows no result
            return Leave("undetermined")
        if stir.event == CALL_FAILED:
            return self._failed(run, event.get("reason"))
        result = event.get("result")
        if result is None:
            result = {}
        if not isinstance(result, dict):
            return self._failed(run, "malformed_result")
        if size_of(result) > RESULT_BYTES or not run.keep(self.id, result):
            return self._failed(run, "result_too_large")
        run.note("went_on", reason="completed", detail=run.draft.written(result))
        return self.on

    def _failed(self, run: Run, why: object) -> Move:
        detail = {"why": cut(why)} if isinstance(why, str) and why else None
        run.note("went_on", reason="failed", detail=detail)
        return self._on_error


class Collect(Step):
    """Gathers the events of a while.

    What it has so far is kept as its result, which only the steps behind it read.
    """

    kind = "collect"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Compile what is gathered and what takes it back."""
        super().__init__(document, then, lay_out)
        self._window = DueRule(document["window"])
        self.gathers, self._where = _listening(document["when"])
        self._cancel, self._cancel_where = _listening(document["cancel"])
        self._by = compile_value(document["by"]) if document["by"] else None
        self._keep: tuple[str, ...] = tuple(document["keep"])
        self._most: int = document["max_items"]
        self._enough: int | None = document["until_count"]
        self._with_entry: bool = document["include_entry"]
        proceeds = document["on_empty"] == "proceed"
        self._on_empty: Move = self.on if proceeds else Leave("nothing_collected")
        self.paths = self._window.paths
        for rule in (self._where, self._cancel_where, self._by):
            self.paths |= rule.paths if rule is not None else frozenset()
        if self._with_entry:  # then what is asked of events is asked of the entry, too
            fields = {path[1:] for path in self.paths if path[0] == "event"}
            fields |= {(name,) for name in (*self._keep, "$name")}
            self.paths |= {("entry", *path) for path in fields}

    def hears(self) -> Sequence[tuple[str, int, Predicate | None]]:
        """What is gathered, and what takes it back."""
        found = [(self.gathers, 0, self._where)]
        return found + ([(self._cancel, 1, self._cancel_where)] if self._cancel else [])

    def arrive(self, run: Run) -> Move:
        """Open the window; the event that started the run counts once."""
        before = {run.plan.gathers.get(id) for id in run.enrollment.results}
        run.put(self.id, {"count": 0, "gathered": []})
        if self._with_entry and self.gathers not in before:
            self._take_entry(run)
        due, zone = run.due(self._window)
        if self._is_full(run) or due.instant <= run.draft.at:
            return self._closed(run)
        return Stay(due.instant, zone)

    def wake(self, run: Run) -> Move:
        """The window closes."""
        return self._closed(run)

    def stirred(self, run: Run, stir: Stir) -> Move | None:
        """Take an event, or take one back."""
        if stir.event == self.gathers and run.matches(self._where):
            self._take(run, run.scope.event or {})
            return self._closed(run) if self._is_full(run) else None
        if stir.event == self._cancel and run.matches(self._cancel_where):
            self._take_back(run)
        return None

    def _take_entry(self, run: Run) -> None:
        scope, entry = run.scope, run.enrollment.entry
        if entry.get("$name") == self.gathers:
            heard, scope.event = scope.event, entry
            if run.matches(self._where):
                self._take(run, entry)
            scope.event = heard

    def _take(self, run: Run, fields: Mapping[str, Any]) -> None:
        """Count an event, and list it if there is room."""
        known, key = run.enrollment.results[self.id], self._key(run)
        count, gathered = known["count"] + 1, known["gathered"]
        items = _listed(gathered)
        item = {name: _plain(fields[name]) for name in self._keep if name in fields}
        is_listed = (
            len(items) < self._most
            and size_of(item) <= ITEM_BYTES
            and size_of([*items, item]) <= ITEMS_BYTES
            and self._kept(run, count, [*gathered, [key, item]])
        )
        if not is_listed:
            with_key = [*gathered, [key, None]]
            named = key and len(gathered) < ITEM_KEYS
            if not (named and self._kept(run, count, with_key)):
                run.put(self.id, {"count": count, "gathered": gathered})
        self._changed(run, "listed" if is_listed else "counted", count)

    def _take_back(self, run: Run) -> None:
        """Forget the event of which this one says that it is none any more."""
        known, key = run.enrollment.results[self.id], self._key(run)
        left = [pair for pair in known["gathered"] if not key or pair[0] != key]
        gone = len(known["gathered"]) - len(left)
        if gone:
            count = known["count"] - gone
            run.put(self.id, {"count": count, "gathered": left})
            self._changed(run, "taken_back", count)

    def _key(self, run: Run) -> str:
        """By what an event can be taken back; empty if it can't."""
        if self._by is None:
            return ""
        try:
            text = key_text(self._by(run.scope))
        except Missing:
            return ""
        return item_key(text) if text is not None else ""

    def _kept(self, run: Run, count: int, gathered: list[Any]) -> bool:
        return run.keep(self.id, {"count": count, "gathered": gathered})

    def _changed(self, run: Run, how: str, count: int) -> None:
        run.draft.changed = True
        if run.draft.explain:
            run.note("collected", reason=how, detail={"count": count})

    def _is_full(self, run: Run) -> bool:
        count: int = run.enrollment.results[self.id]["count"]
        return self._enough is not None and count >= self._enough

    def _closed(self, run: Run) -> Move:
        """What came together is the result now."""
        known = run.enrollment.results[self.id]
        count, items = known["count"], _listed(known["gathered"])
        run.put(self.id, {"count": count, "items": items})
        if not count and self._on_empty is not self.on:
            return self._on_empty
        detail = {"count": count, "listed": len(items)}
        run.note("went_on", reason="collected", detail=detail)
        return self.on


def _listening(document: Document | None) -> tuple[str, Predicate | None]:
    """The name and the condition of a trigger; an empty name if there is none."""
    if document is None:
        return "", None
    where: str | None = document["where"]
    return document["name"], compile_condition(where) if where else None


def _listed(gathered: list[Any]) -> list[Any]:
    """The items among what a Collect has gathered: pairs of a key and an item."""
    return [item for _, item in gathered if item is not None]


def _plain(value: Any) -> Any:
    """A field of an event as JSON: its `$time` is text in a document."""
    return isoformat(to_ms(value)) if isinstance(value, datetime) else value


KINDS: dict[str, type[Step]] = {
    kind.kind: kind
    for kind in (
        Send,
        Wait,
        WaitFor,
        Branch,
        Split,
        Update,
        Emit,
        Exit,
        Call,
        Collect,
        Start,
        Repeat,
        Goto,
        Survey,
    )
}
