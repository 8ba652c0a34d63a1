"""What every score keeps, as tests to subclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from journeykit.engine.scoring import is_score, is_score_name
from journeykit.errors import InputError
from journeykit.scoring import Features, Score

_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def make_features(**changes: Any) -> Features:
    """Make what is known of a customer: for a month, and nothing else.

    Args:
        **changes: Fields that are to be other than that: `traits={"orders": 3}`.

    Raises:
        TypeError: There is no such field.
    """
    known: dict[str, Any] = {
        "customer": "ada",
        "created_at": _NOW - timedelta(days=30),
        "now": _NOW,
        "zone": "Europe/London",
    }
    given = {**known, **changes}
    for name in ("profile", "traits", "scores"):
        given[name] = MappingProxyType(dict(given.get(name, {})))
    return Features(**given)


class ScoreContract:
    """Subclass it in a plugin's tests, and say which score it is about.

    Attributes:
        scored: Customers of whom it says something.
        silent: Customers of whom it has nothing to say.
        bad_settings: Settings that it doesn't allow.
    """

    scored: ClassVar[Sequence[Features]] = ()
    silent: ClassVar[Sequence[Features]] = ()
    bad_settings: ClassVar[Sequence[Mapping[str, object]]] = ()

    def score(self) -> Score:
        """Make the score, set up."""
        raise NotImplementedError

    @pytest.fixture(name="score")
    def _score(self) -> Score:
        return self.score()

    def test_it_has_a_name_that_conditions_can_say(self, score: Score) -> None:
        """As `trait.NAME`."""
        assert is_score_name(score.name)

    def test_it_is_asked_about_a_sensible_number_at_once(self, score: Score) -> None:
        """And says when a number has changed, and when it is old."""
        assert 1 <= score.batch_size <= 500
        assert score.tolerance >= 0
        assert score.refresh_days >= 1

    def test_there_are_examples_of_both_answers(self) -> None:
        """Or nothing that follows would say anything."""
        assert self.scored, "give `scored`: customers of whom it says something"
        assert self.silent, "give `silent`: customers of whom it has nothing to say"

    def test_it_says_a_number_or_a_short_name(self, score: Score) -> None:
        """That a document can hold."""
        for value in score.scores(self.scored):
            assert is_score(value), value

    def test_of_whom_it_knows_nothing_it_says_nothing(self, score: Score) -> None:
        """By None, and not by 0, which is a number like others."""
        for features, value in zip(self.silent, score.scores(self.silent), strict=True):
            assert value is None, features

    def test_a_batch_is_answered_in_its_order(self, score: Score) -> None:
        """One answer for each, which is what it says of them alone."""
        batch = [*self.scored, *self.silent]
        values = [*score.scores(batch)]
        assert len(values) == len(batch)
        assert values == [score.scores([one])[0] for one in batch]
        assert [*score.scores(batch[::-1])] == values[::-1]
        assert [*score.scores([])] == []

    def test_it_bears_a_customer_of_whom_little_is_known(self, score: Score) -> None:
        """And traits that are something else than it thinks."""
        for features in self.scored:
            strange = {name: [None] for name in features.traits}
            bare = replace(
                features, profile={}, traits={}, scores={}, segments=frozenset()
            )
            for value in score.scores([bare, replace(features, traits=strange)]):
                assert value is None or is_score(value)

    def test_settings_that_it_does_not_allow_are_refused(self) -> None:
        """With the place in `journeykit.toml`."""
        kind = type(self.score())
        if kind.Settings is None:
            with pytest.raises(InputError):
                kind().configured({"anything": 1})
        for settings in self.bad_settings:
            with pytest.raises(InputError) as failure:
                kind().configured(settings)
            assert (failure.value.place or "").startswith(kind.name)
