from __future__ import annotations

from hypothesis import given, strategies as st

from journeykit.model.plain_text import printable


@given(st.text())
def test_whatever_was_typed_is_shown_in_one_line_without_commands(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert (shown == text) == text.isprintable()


def test_what_can_not_be_shown_is_escaped() -> None:
    assert printable("a\n\x1b[2J\x9bé") == r"a\n\x1b[2J\x9bé"
