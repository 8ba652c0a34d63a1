"""`journeykit status`: where everybody is, and what has become of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from journeykit.cli.operating import (
    Look,
    customers,
    in_workspace,
    live_versions,
    looking,
    published,
)
from journeykit.cli.options import with_json
from journeykit.cli.stack import on_a_stack, stack_named
from journeykit.cli.stack_status import told_of_stack
from journeykit.cli.story import rule
from journeykit.cli.terminal import Progress, row, wrapped
from journeykit.engine.calendar import LATEST, isoformat
from journeykit.engine.customer import Customer
from journeykit.engine.ids import log_id
from journeykit.errors import InputError
from journeykit.local.decisions import (
    Totals,
    begins_at_the_start,
    decision_blocks,
    totals,
)
from journeykit.local.embedded import wall_clock
from journeykit.local.retaining import RETAIN
from journeykit.model.plain_text import printable
from journeykit.ports import DeadLetters, Job
from journeykit.runtime.rosters import ERASE
from journeykit.workspace.reading import meant

_LETTERS = 10_000  # that are counted; beyond it the number says nothing new


@click.command("status")
@in_workspace
@on_a_stack
@click.option("--journey", "-j", metavar="ID", help="Tell only of this journey.")
@with_json
def command(
    *,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    journey: str | None,
    as_json: bool,
) -> None:
    """Say how the journeys of WORKSPACE stand, and what waits or failed.

    Counts of entries and ends come from the decision log, who is where from the
    customers; both must add up, and it is said if they don't.
    """
    if where := stack_named(stack, function, data):
        _tell(where.ask({"status": {}})["status"], journey, told_of_stack, as_json)
        return
    with looking(workspace, data) as look:
        if journey is not None:
            published(look.catalog, journey)
        document = _document(look, now=wall_clock())
    _tell(document, journey, _told, as_json)


def _tell(
    document: dict[str, Any],
    journey: str | None,
    told: Callable[[Mapping[str, Any]], Iterator[str]],
    as_json: bool,
) -> None:
    """Print a document, or what it says of one journey, as JSON or in words."""
    if journey is not None:
        known = [each["journey"] for each in document["journeys"]]
        if journey not in known:
            raise InputError(
                f"no journey {journey!r} is published; {meant(journey, known)}"
            )
        document["journeys"] = [
            each for each in document["journeys"] if each["journey"] == journey
        ]
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in told(document):
        click.echo(line)


class _Present:
    """Where everybody is now.

    Attributes:
        count: How many customers there are.
        revisions: Customer, by the name in the logs, to the document's revision.
        waiting: Journey to runs that go through its steps.
        versions: Journey and version to runs.
        steps: Journey, version and step to runs that are there.
        held: Journey to messages that wait to be asked about again.
    """

    def __init__(self) -> None:
        self.count = 0
        self.revisions: dict[str, int] = {}
        self.waiting: Counter[str] = Counter()
        self.versions: Counter[tuple[str, int]] = Counter()
        self.steps: Counter[tuple[str, int, str]] = Counter()
        self.held: Counter[str] = Counter()

    def add(self, customer: Customer) -> None:
        """Count a customer in."""
        self.count += 1
        self.revisions[log_id(customer.id, customer.salt)] = customer.revision
        for run in customer.active:
            self.versions[run.journey, run.version] += 1
            if not run.held_out:
                self.waiting[run.journey] += 1
                self.steps[run.journey, run.version, run.step] += 1
        for held in customer.held:
            self.held[held.message.journey] += 1


def _document(look: Look, *, now: int) -> dict[str, Any]:
    """All that is said, as JSON values."""
    catalog, store = look.catalog, look.store
    present = _Present()
    progress = Progress("customers")
    for customer in customers(store):
        present.add(customer)
        progress(present.count)
    progress.done()
    log = totals(decision_blocks(look.log, store), present.revisions)
    tallies = store.tallies()
    waiting = store.backlog()
    return {
        "at": isoformat(now),
        "catalog": {
            "revision": catalog.revision,
            "published_at": isoformat(catalog.at),
            "note": catalog.note,
        },
        "customers": present.count,
        "journeys": [
            {
                "journey": id,
                "state": catalog.states.get(id, "live"),
                "reason": catalog.reasons.get(id, ""),
                "version": version,
                **_people(id, present, log),
                "deliveries": dict(
                    zip(("sent", "failed"), tallies.get(id, (0, 0)), strict=True)
                ),
            }
            for id, version in live_versions(catalog).items()
        ],
        "outbox": {
            "waiting": waiting["waiting"],
            "due_at": isoformat(waiting["due"]) if waiting["waiting"] else None,
        },
        "next_wake_up_at": next(
            (isoformat(at) for at, _ in store.due(LATEST, 1)), None
        ),
        "dead_letters": _count(store),
        "jobs": [_job(job) for job in store.unfinished()],
        "log": {"is_whole": begins_at_the_start(look.log), "cut": log.cut},
    }


def _people(id: str, present: _Present, log: Totals) -> dict[str, Any]:
    """One journey's people: those who came, and where they are."""
    held_out = sum(log.by_reason(id, "held_out").values())
    ended = {
        kind: log.by_reason(id, kind) for kind in ("completed", "exited", "failed")
    }
    completed = sum(ended["completed"].values())
    entered = sum(log.by_reason(id, "entered").values()) + held_out
    rest = completed + sum(ended["exited"].values()) + sum(ended["failed"].values())
    return {
        "entered": entered,
        "held_out": held_out,
        "waiting": present.waiting[id],
        "completed": completed,
        "exited": ended["exited"],
        "failed": ended["failed"],
        "adds_up": entered == held_out + present.waiting[id] + rest,
        "goals": log.by_reason(id, "goal"),
        "sent": sum(log.by_reason(id, "sent").values()),
        "suppressed": log.by_reason(id, "suppressed"),
        "undelivered": log.by_reason(id, "undelivered"),
        "held": present.held[id],
        "versions": {
            str(number): count
            for (journey, number), count in sorted(present.versions.items())
            if journey == id
        },
        "steps": [
            {"version": number, "step": step, "people": count}
            for (journey, number, step), count in sorted(present.steps.items())
            if journey == id
        ],
    }


def _count(letters: DeadLetters) -> int:
    count = last = 0
    while count < _LETTERS and (page := letters.dead(last, 1000)):
        count += len(page)
        last = page[-1].id
    return count


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "reason": job.reason,
        "journey": job.journey,
        "visited": job.visited,
        "started_at": isoformat(job.started_at),
    }


# In words


def _told(document: Mapping[str, Any]) -> Iterator[str]:
    catalog = document["catalog"]
    note = f": {printable(catalog['note'])}" if catalog["note"] else ""
    yield from wrapped(
        f"catalog revision {catalog['revision']}, since {_instant(catalog['published_at'])}"
        f"{note}"
    )
    yield f"{_counted(document['customers'], 'customer')}"
    for journey in document["journeys"]:
        yield ""
        yield rule(f"{journey['journey']} · v{journey['version']}")
        yield from _journey(journey, document)
    yield ""
    yield from _work(document)


def _journey(journey: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """One journey: its state, the sum, what that is made of, and who is where."""
    why = f": {journey['reason']}" if journey["reason"] else ""
    yield from row("state", f"{journey['state']}{why}")
    parts = [
        f"{count:,} {name.replace('_', ' ')}"
        for name in ("held_out", "waiting", "completed", "exited", "failed")
        if (count := _sum(journey[name]))
    ]
    sign = " = " if journey["adds_up"] else " ≠ "
    made_of = [" + ".join(parts) or "nobody"] if journey["entered"] or parts else []
    yield from row("people", sign.join([f"{journey['entered']:,} entered", *made_of]))
    if not journey["adds_up"]:
        yield from row("", _why_not(document))
    for name in ("exited", "failed", "goals"):
        yield from row(name, _by_reason(journey[name]))
    older = {
        number: count
        for number, count in journey["versions"].items()
        if int(number) != journey["version"]
    }
    yield from row(
        "older", ", ".join(f"{count:,} on v{number}" for number, count in older.items())
    )
    for n, step in enumerate(journey["steps"]):
        version = f" (v{step['version']})" if older else ""
        place = printable(step["step"]) or "before the first step"
        yield from row("" if n else "now at", f"{step['people']:>7,}  {place}{version}")
    said = [f"{journey['sent']:,} released"]
    said += [f"{journey['held']:,} held back"] * bool(journey["held"])
    deliveries = journey["deliveries"]
    if any(deliveries.values()):
        said.append(
            f"{deliveries['sent']:,} handed over and {deliveries['failed']:,} failed "
            "since the last publish or resume"
        )
    yield from row("messages", "; ".join(said))
    yield from row("not sent", _by_reason(journey["suppressed"]))
    yield from row("undelivered", _by_reason(journey["undelivered"]))


def _why_not(document: Mapping[str, Any]) -> str:
    log = document["log"]
    if not log["is_whole"]:
        return "(the log does not go back to the start: files were taken away)"
    if log["cut"]:
        return f"({log['cut']:,} times more was decided at once than a log line holds)"
    return "(the log lacks decisions, or somebody was lost: please report it)"


def _work(document: Mapping[str, Any]) -> Iterator[str]:
    """What is to be done, what is half done, and what failed."""
    yield rule("work")
    outbox, now = document["outbox"], document["at"]
    text = "nothing"
    if outbox["waiting"]:
        text = _counted(outbox["waiting"], "message or call", "messages and calls")
        text += f", the first{_when(outbox['due_at'], now)}"
    yield from row("to deliver", text)
    if wake_up := document["next_wake_up_at"]:
        yield from row("wake-ups", f"the next{_when(wake_up, now)}")
    for job in document["jobs"]:
        if job["reason"] in (ERASE, RETAIN):
            text = f"{job['reason']}; `journeykit serve` finishes it when it starts"
            yield from row("unfinished", text)
            continue
        yield from row(
            "unfinished",
            f"{job['reason']} of {job['journey'] or 'everybody'}, begun {_instant(job['started_at'])}, "
            f"{job['visited']:,} visited; `journeykit serve` finishes it when it starts",
        )
    text, count = "nothing", document["dead_letters"]
    if count:
        more = " or more" if count >= _LETTERS else ""
        text = f"{_counted(count, 'dead letter')}{more}: journeykit dead-letters list"
    yield from row("failed", text)


def _when(instant: str, now: str) -> str:
    """When something is due, and that it should have been if so."""
    # Both are RFC 3339 in UTC, which sorts by time up to the second.
    if instant[:19] < now[:19]:
        return f" was due {_instant(instant)}: `journeykit serve` or `run` sees to it"
    return f" is due {_instant(instant)}"


def _instant(text: str) -> str:
    return f"{text[:10]} {text[11:16]} UTC"


def _sum(counted: int | Mapping[str, int]) -> int:
    return counted if isinstance(counted, int) else sum(counted.values())


def _by_reason(counted: Mapping[str, int]) -> str:
    return ", ".join(
        f"{reason.replace('_', ' ') or 'all'} {count:,}"
        for reason, count in sorted(counted.items(), key=lambda item: -item[1])
    )


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
