"""The list of suppressed addresses of a stack, as operators change and read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.aws.test_publishing import Stack

from journeykit.engine.ids import address_key

ADA, BOB = (address_key("email", name) for name in ("ada", "bob"))


def ask(stack: Stack, **asked: Any) -> Mapping[str, Any]:
    return stack.publishing.answer({"suppressions": asked}, time_left=lambda: 60_000)


@pytest.fixture
def stack() -> Stack:
    stack = Stack()
    stack.publish()
    return stack


def test_addresses_are_added_and_taken_off(stack: Stack) -> None:
    added = ask(
        stack,
        add=[[ADA, "email", "manual", None], [BOB, "email", "complaint", 1000]],
    )
    gone = ask(stack, remove=[ADA])

    assert added == {"suppressions": {"before": 0, "after": 2, "same": False}}
    assert gone == {"suppressions": {"before": 2, "after": 1, "same": False}}


def test_the_same_again_changes_nothing(stack: Stack) -> None:
    for _ in range(2):
        done = ask(stack, add=[[ADA, "email", "manual", None]])

    assert done["suppressions"]["same"]


def test_the_list_is_read_page_by_page(stack: Stack) -> None:
    ask(stack, add=[[key, "email", "manual", 5000] for key in (ADA, BOB)])
    first = ask(stack, after="", limit=1)["suppressions"]["items"]
    second = ask(stack, after=first[0][0], limit=1)["suppressions"]["items"]
    third = ask(stack, after=second[0][0], limit=1)["suppressions"]["items"]

    assert [*first, *second] == [
        [key, "email", "manual", 5000] for key in sorted([ADA, BOB])
    ]
    assert third == []


def test_a_publish_keeps_the_list_and_proves_the_catalog_with_it(stack: Stack) -> None:
    ask(stack, add=[[ADA, "email", "manual", None]])

    stack.publish(hello="draft")

    assert len(ask(stack, after="")["suppressions"]["items"]) == 1


def test_a_list_can_be_begun_anew(stack: Stack) -> None:
    ask(stack, add=[[ADA, "email", "manual", None]])

    ask(stack, add=[[BOB, "email", "manual", None]], anew=True)

    assert [item[0] for item in ask(stack, after="")["suppressions"]["items"]] == [BOB]


@pytest.mark.parametrize(
    "item", [["x", "email", "manual", None], [ADA, "E-Mail", "manual", None]]
)
def test_what_is_no_address_is_refused(stack: Stack, item: list[Any]) -> None:
    answer = ask(stack, add=[item])

    assert answer["error"]["kind"] == "InputError"
