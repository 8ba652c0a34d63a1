"""What each kind of step does. One class a kind; `KINDS` names them all.

A step is compiled once from its plan document and then asked by many enrollments, so
it holds no state. It is asked on three occasions and answers with a move:

- `arrive`: an enrollment has come to it;
- `wake`: the due instant that it asked for has come;
- `stirred`: something happened to the customer while the enrollment waits.

What is said here about a step kind is all there is to say: its rules stand nowhere else
but, for Send, in `journeykit.engine.guards`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from journeykit.engine.conditions import Predicate, compile_condition
from journeykit.engine.draft import Happening, Run, Stir
from journeykit.engine.due import DueRule
from journeykit.engine.ids import bucket, emitted_id
from journeykit.engine.limits import (
    EMIT_GENERATIONS,
    EMITS_AT_ONCE,
)
from journeykit.engine.moves import STAND, Go, Leave, Move, Stay
from journeykit.engine.values import Document, Values
from journeykit.model.durations import Duration
from journeykit.model.rules import MARKETING_EXPIRES

LayOut = Callable[[Sequence[Document], str | None], str | None]
"""Compile steps that are followed by a step id, and return the id of the first."""

Paths = frozenset[tuple[str | int, ...]]


class Step:
    """What all kinds have in common.

    Attributes:
        id: The step's id.
        then: The id of the step behind it; None is the end.
        on: The move to it.
        paths: The references that it reads.
        since: The id of an earlier step from which on it listens.
        looks: Whether it waits for the profile to change.
    """

    kind: ClassVar[str]
    paths: Paths = frozenset()
    since: str | None = None
    looks: bool = False

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


class Send(Step):
    """Stands before the guards, which release the message or don't."""

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

    def arrive(self, run: Run) -> Move:
        """Let the guards decide, in the order of all that stand."""
        return STAND

    def wake(self, run: Run) -> Move:
        """The deferral is over: the guards decide again."""
        return STAND

    def expiry(self, purpose: str) -> Duration | None:
        """How late the message may go; a day for marketing unless it says otherwise."""
        if self.expires_after is None and not self.never_expires:
            return MARKETING_EXPIRES if purpose == "marketing" else None
        return self.expires_after


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
            return self._paths[latched][2]
        met = self.stirred(run, Stir(looks=True))
        if met is not None:
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
                return target
        return None


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
        generation = draft.generation + 1
        if generation > EMIT_GENERATIONS or draft.emits >= EMITS_AT_ONCE:
            return Leave("emit_limit", failed=True)
        properties, missing = self._properties.resolve(run.scope)
        id = emitted_id(enrollment.id, self.id, enrollment.visit)
        draft.emit(
            Happening(
                id,
                self._name,
                properties,
                generation=generation,
                test=enrollment.test,
            ),
            public=self._public,
        )
        run.note(
            "emitted", reason=self._name, detail=run.draft.written(properties, missing)
        )
        return self.on


class Exit(Step):
    """Ends the run."""

    kind = "exit"

    def __init__(self, document: Document, then: str | None, lay_out: LayOut) -> None:
        """Keep the reason."""
        super().__init__(document, then, lay_out)
        self._leave = Leave(document["reason"])

    def arrive(self, run: Run) -> Move:
        """Leave."""
        return self._leave


KINDS: dict[str, type[Step]] = {
    kind.kind: kind for kind in (Send, Wait, WaitFor, Branch, Split, Update, Emit, Exit)
}
