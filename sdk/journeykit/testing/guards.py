"""What every guard keeps, as tests to subclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar

import msgspec
import pytest

from journeykit.engine.verdict import verdict
from journeykit.errors import InputError
from journeykit.guarding import Asked, Contact, Guard, Refused

_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def make_asked(**changes: Any) -> Asked:
    """Make a question: marketing by e-mail to somebody who has been known for a month.

    Args:
        **changes: Fields that are to be other than that: `purpose="transactional"`.

    Raises:
        TypeError: There is no such field.
    """
    known: dict[str, Any] = {
        "customer": "ada",
        "created_at": _NOW - timedelta(days=30),
        "now": _NOW,
        "zone": "Europe/London",
        "journey": "welcome",
        "step": "send-email-hello",
        "channel": "email",
        "address": "ada@example.com",
        "template": "hello",
        "topic": "news",
        "purpose": "marketing",
        "profile": {"email": "ada@example.com"},
        "contact": Contact(),
    }
    given = {**known, **changes}
    given["profile"] = MappingProxyType(dict(given["profile"]))
    return Asked(**given)


class GuardContract:
    """Subclass it in a plugin's tests, and say which guard it is about.

    Attributes:
        refused: Questions that the guard refuses.
        allowed: Questions that it has nothing against.
        bad_settings: Settings that it doesn't allow.
    """

    refused: ClassVar[Sequence[Asked]] = ()
    allowed: ClassVar[Sequence[Asked]] = ()
    bad_settings: ClassVar[Sequence[Mapping[str, object]]] = ()

    def guard(self) -> Guard:
        """Make the guard, set up."""
        raise NotImplementedError

    @pytest.fixture(name="guard")
    def _guard(self) -> Guard:
        return self.guard()

    def test_it_has_a_name(self, guard: Guard) -> None:
        """For the trace and for `journeykit.toml`."""
        assert isinstance(guard.name, str)
        assert guard.name

    def test_there_are_examples_of_both_answers(self) -> None:
        """Or nothing that follows would say anything."""
        assert self.refused, "give `refused`: questions that it refuses"
        assert self.allowed, "give `allowed`: questions that it has nothing against"

    def test_it_refuses_what_it_is_there_for(self, guard: Guard) -> None:
        """With words, and values that the trace can hold."""
        for asked in self.refused:
            answer = guard.ask(asked)
            assert isinstance(answer, Refused), asked
            assert answer.rule, "say in words which rule it was"
            msgspec.json.encode(dict(answer.values))
            assert "failed" not in (verdict(guard.ask, asked) or {})

    def test_it_lets_go_what_it_has_nothing_against(self, guard: Guard) -> None:
        """By None, and not by anything else that is false."""
        for asked in self.allowed:
            assert guard.ask(asked) is None, asked

    def test_equal_questions_get_equal_answers(self, guard: Guard) -> None:
        """It has no clock, no memory, and draws nothing; nor has another one of it."""
        other = self.guard()
        for asked in (*self.refused, *self.allowed, *self.refused):
            assert guard.ask(asked) == guard.ask(asked) == other.ask(asked)

    def test_what_it_saw_names_nobody(self, guard: Guard) -> None:
        """Refusals are logged: neither the customer nor the address may be in them."""
        for asked in self.refused:
            answer = guard.ask(asked)
            assert answer is not None
            said = f"{answer.rule} {dict(answer.values)}".casefold()
            assert asked.address.casefold() not in said
            assert asked.customer.casefold() not in said.split()

    def test_it_bears_a_customer_of_whom_little_is_known(self, guard: Guard) -> None:
        """One that fails refuses, and then keeps all messages back."""
        for asked in (*self.refused, *self.allowed):
            bare = msgspec.structs.replace(
                asked, profile=MappingProxyType({}), contact=Contact(), topic=""
            )
            assert "failed" not in (verdict(guard.ask, bare) or {})

    def test_settings_that_it_does_not_allow_are_refused(self) -> None:
        """With the place in `journeykit.toml`."""
        kind = type(self.guard())
        if kind.Settings is None:
            with pytest.raises(InputError):
                kind().configured({"anything": 1})
        for settings in self.bad_settings:
            with pytest.raises(InputError) as failure:
                kind().configured(settings)
            assert (failure.value.place or "").startswith(kind.name)
