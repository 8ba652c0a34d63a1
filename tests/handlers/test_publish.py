"""What operators ask for, and what they are told."""

from __future__ import annotations

import json
from typing import Any

from tests.handlers.conftest import Stack, draft, envelope, sqs_record

from journeykit import Call, Journey, Send, Wait, hours, on

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    steps=[Wait(hours(4)), Send("email", "reminder")],
)
HELLO = Journey("hello", trigger=on("signed.up"), steps=[Send("email", "welcome")])


def heard(stack: Stack) -> set[str]:
    """The names of the events that the bus brings."""
    names: set[str] = set()
    for rule in stack.events.list_rules(EventBusName="shop")["Rules"]:
        assert rule["Name"].startswith("journeykit-listen-")
        pattern = json.loads(rule["EventPattern"])
        # The first one asks for identifiers as well: such an event comes in by any name.
        for either in pattern.get("$or", [pattern]):
            names |= set(either.get("detail-type", ()))
    return names


def ask(stack: Stack, **request: Any) -> Any:
    return stack.invoke("publish", request)


def test_a_publish_says_what_is_new(stack: Stack) -> None:
    answer = stack.publish(CART, note="first carts")

    assert answer == {
        "publish": {
            "revision": 1,
            "before": 0,
            "is_new": True,
            "added": {"cart": 1},
            "changed": {},
            "closed": [],
            "policies": True,
            "states": {},
            "templates": False,
            "audience": [],
            "schemas": [],
            "visited": [],
            "launched": [],
        }
    }


def test_a_second_publish_says_what_has_changed(stack: Stack) -> None:
    stack.publish(CART, HELLO)
    later = Journey("cart", trigger=on("cart.updated"), steps=[Wait(hours(9))])

    answer = stack.publish(later)["publish"]

    assert (answer["before"], answer["revision"]) == (1, 2)
    assert answer["changed"] == {"cart": [1, 2]}
    assert answer["closed"] == ["hello"]


def test_nothing_is_published_if_nothing_is_new(stack: Stack) -> None:
    stack.publish(CART)

    answer = stack.publish(CART)["publish"]

    assert not answer["is_new"]
    assert answer["revision"] == answer["before"] == 1


def test_a_dry_run_changes_nothing(stack: Stack) -> None:
    answer = stack.publish(CART, dry_run=True)["publish"]

    assert answer["is_new"]
    assert heard(stack) == set()
    assert stack.publish(CART)["publish"]["revision"] == 1


def test_the_bus_brings_what_journeys_hear_and_what_profiles_are_made_of(
    stack: Stack,
) -> None:
    stack.publish(CART)

    assert {"cart.updated", "profile.updated", "consent.changed"} <= heard(stack)


def test_what_nobody_hears_any_more_is_not_brought(stack: Stack) -> None:
    stack.publish(CART, HELLO)

    stack.publish(CART)

    assert "cart.updated" in heard(stack)
    assert "signed.up" not in heard(stack)


def test_who_has_looked_at_another_revision_is_refused(stack: Stack) -> None:
    stack.publish(CART)

    answer = stack.publish(HELLO, expected=0)

    assert answer["error"]["kind"] == "StaleCatalog"
    assert "revision 1 is live" in answer["error"]["message"]


def test_a_channel_without_a_queue_is_refused_before_anything_is_changed(
    stack: Stack,
) -> None:
    stack.sqs.delete_queue(QueueUrl=stack.urls["deliver-email"])

    answer = stack.publish(CART)

    assert "'email'" in answer["error"]["message"]
    assert "no queue" in answer["error"]["message"]
    assert heard(stack) == set()


def test_a_channel_that_the_bundle_does_not_carry_is_refused(stack: Stack) -> None:
    by_fax = Journey("fax", trigger=on("signed.up"), steps=[Send("fax", "hello")])

    answer = stack.publish(by_fax)

    assert answer["error"]["kind"] == "DefinitionError"
    assert "'fax'" in answer["error"]["message"]


def test_an_action_that_the_bundle_does_not_do_is_refused(stack: Stack) -> None:
    calls = Journey("calls", trigger=on("signed.up"), steps=[Call("unknown")])

    answer = stack.publish(calls)

    assert "'unknown'" in answer["error"]["message"]


def test_a_journey_is_paused_and_goes_on_by_a_visit(stack: Stack) -> None:
    stack.publish(CART)

    paused = ask(stack, state={"journey": "cart", "state": "paused", "reason": "typo"})
    live = ask(stack, state={"journey": "cart", "state": "live"})

    assert paused == {
        "state": {
            "journey": "cart",
            "before": "live",
            "state": "paused",
            "reason": "typo",
            "revision": 2,
        }
    }
    assert (live["state"]["before"], live["state"]["state"]) == ("paused", "live")
    assert stack.delayed("wakes") == 1


def test_stopping_ends_the_runs_of_whoever_is_visited(stack: Stack) -> None:
    stack.publish(CART)
    event = sqs_record(envelope("cart.updated", "ada"))
    stack.invoke("ingest", {"Records": [event]})

    answer = ask(stack, state={"journey": "cart", "state": "stopped"})

    assert answer["state"]["state"] == "stopped"
    assert stack.delayed("wakes") == 1


def test_an_unknown_journey_can_t_be_paused(stack: Stack) -> None:
    stack.publish(CART)

    answer = ask(stack, state={"journey": "crat", "state": "paused"})

    assert "'crat'" in answer["error"]["message"]


def test_a_state_in_the_draft_has_its_people_visited(stack: Stack) -> None:
    stack.publish(CART)
    stopped = {**draft(CART), "states": {"cart": "stopped"}}

    answer = ask(stack, publish={"draft": stopped})["publish"]

    assert answer["states"] == {"cart": "stopped"}
    assert answer["visited"] == ["cart"]
    assert stack.delayed("wakes") == 1


def test_the_status_tells_of_journeys_and_queues(stack: Stack) -> None:
    stack.publish(CART, note="first carts")
    stack.sqs.send_message(QueueUrl=stack.urls["dead-letters"], MessageBody="lost")

    status = ask(stack, status={})["status"]

    assert status["catalog"]["revision"] == 1
    assert status["catalog"]["note"] == "first carts"
    assert [(one["journey"], one["state"]) for one in status["journeys"]] == [
        ("cart", "live")
    ]
    assert status["queues"]["dead letters"]["waiting"] == 1
    assert status["queues"]["channel email"] == {
        "waiting": 0,
        "in_flight": 0,
        "delayed": 0,
    }


def test_the_relay_can_be_said_to_be_unhealthy(stack: Stack) -> None:
    stack.publish(CART)

    unhealthy, wrong = ask(stack, relay="unhealthy"), ask(stack, relay="so-so")

    assert unhealthy == {"relay": {"relay": "unhealthy", "revision": 2}}
    assert ask(stack, status={})["status"]["relay"] == "unhealthy"
    assert "so-so" in wrong["error"]["message"]
    assert ask(stack, relay="")["relay"]["relay"] == ""


def test_a_repair_passes_on_what_the_relay_has_lost(stack: Stack) -> None:
    stack.publish(HELLO)
    address = envelope("profile.updated", "ada", id="0", email="ada@example.org")
    event = envelope("signed.up", "ada", id="1")
    records = [sqs_record(address), sqs_record(event)]
    stack.invoke("ingest", {"Records": records})

    answer = ask(stack, repair={})["repair"]

    assert (answer["done"], answer["customers"], answer["commands"]) == (True, 1, 1)
    assert len(stack.taken("deliver-email")) == 1


def test_a_request_for_nothing_or_for_several_things_is_refused(stack: Stack) -> None:
    nothing = ask(stack)
    several = ask(stack, status={}, relay="")
    unknown = ask(stack, wish="a pony")

    assert "ask for one of" in nothing["error"]["message"]
    assert "ask for one of" in several["error"]["message"]
    assert "wish" in unknown["error"]["message"]
