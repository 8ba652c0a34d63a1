"""What every source keeps, as tests to subclass."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from journeykit.channels import Callback
from journeykit.errors import ForgedCallback, InputError
from journeykit.model.events import Event, checked
from journeykit.sources import Source


class SourceContract:
    """Subclass it in a plugin's tests, and say which source it is about.

    Attributes:
        posted: Requests as they really come, signed, by what they are: each is one or more
            events.
        ignored: Others that are signed as well, and of which nothing comes.
        bad_settings: Settings that it doesn't allow.
    """

    posted: ClassVar[Mapping[str, Callback]] = {}
    ignored: ClassVar[Mapping[str, Callback]] = {}
    bad_settings: ClassVar[Sequence[Mapping[str, object]]] = ()

    def source(self) -> Source:
        """Make the source, set up."""
        raise NotImplementedError

    @pytest.fixture(name="source")
    def _source(self) -> Source:
        return self.source()

    def test_it_has_a_name_that_can_stand_in_a_path(self, source: Source) -> None:
        """Its door is `/v1/sources/NAME`."""
        from journeykit.model.rules import is_id

        assert is_id(source.name)

    def test_there_are_examples(self) -> None:
        """A contract about nothing proves nothing."""
        assert self.posted, "say in `posted` what comes in"

    def test_what_comes_in_is_events_that_a_door_takes(self, source: Source) -> None:
        """Each names somebody, and keeps the bounds of every door."""
        for what, callback in self.posted.items():
            events = [*source.events(callback)]
            assert events, f"nothing comes of {what}"
            for event in events:
                assert checked(event, what) is event

    def test_what_concerns_nobody_is_dropped(self, source: Source) -> None:
        """And not refused: whoever posts it would post it for ever."""
        for what, callback in self.ignored.items():
            assert not [*source.events(callback)], f"something comes of {what}"

    def test_the_same_again_is_the_same(self, source: Source) -> None:
        """Whoever gets no answer posts again, later."""
        for callback in self.posted.values():
            later = callback.received_at + timedelta(minutes=5)
            again = replace(callback, received_at=later)
            assert _ids(source, again) == _ids(source, callback)

    def test_a_body_that_was_changed_is_refused(self, source: Source) -> None:
        """Anybody can post to a door that needs no key."""
        for callback in self.posted.values():
            with pytest.raises(ForgedCallback):
                list(source.events(replace(callback, body=callback.body + b" ")))

    def test_who_does_not_sign_is_refused(self, source: Source) -> None:
        """The same without its headers."""
        for callback in self.posted.values():
            with pytest.raises(ForgedCallback):
                list(source.events(replace(callback, headers={})))

    def test_headers_may_hold_anything(self, source: Source) -> None:
        """Anybody can post them: what is odd is refused, or means nothing."""
        for callback in self.posted.values():
            for name in callback.headers:
                for odd in ("", "\xfc", "%", "0" * 10_000):
                    headers = {**callback.headers, name: odd}
                    with contextlib.suppress(InputError):
                        list(source.events(replace(callback, headers=headers)))

    def test_settings_that_cannot_be_are_refused(self, source: Source) -> None:
        """An operator is told which one, and not by an exception of a library's."""
        for settings in self.bad_settings:
            with pytest.raises(InputError) as error:
                source.configured(settings)
            assert error.value.place.startswith(source.name)


def _ids(source: Source, callback: Callback) -> list[tuple[Any, ...]]:
    def identity(event: Event) -> tuple[Any, ...]:
        return event.id, event.name, event.customer, event.properties

    return [identity(event) for event in source.events(callback)]
