"""A tap on a button answers the question above it, unless it says a keyword."""

import pytest

from journeykit.media.keywords import keyword_of, keyword_of_tap


@pytest.mark.parametrize(
    ("value", "keyword"),
    [
        ("STOP", "stop"),
        (" Start ", "start"),
        ("help", "help"),
        ("Cancel", ""),
        ("yes", ""),
        ("STOP all", ""),
        ("", ""),
        (None, ""),
        (["STOP"], ""),
    ],
    ids=range(9),
)
def test_only_what_a_button_reports_in_full_is_a_keyword(
    value: object, keyword: str
) -> None:
    assert keyword_of_tap(value) == keyword


def test_what_somebody_types_is_understood_more_widely() -> None:
    assert (keyword_of("Cancel"), keyword_of_tap("Cancel")) == ("stop", "")
