from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from journeykit.credentials import Secret
from journeykit.errors import InputError


class Settings(BaseModel):
    key: Secret = Secret("$SHOUT_KEY")


def test_a_text_is_revealed_to_who_asks_for_it_and_shown_to_nobody() -> None:
    secret = Secret("k-3f9a")

    assert secret.reveal() == "k-3f9a"
    for shown in (repr(secret), str(secret), f"{secret}", Settings(key=secret)):
        assert "3f9a" not in repr(shown)


def test_a_variable_is_read_when_the_text_is_needed() -> None:
    secret = Secret("$SHOUT_KEY")

    assert secret.reveal(environ={"SHOUT_KEY": "k-3f9a"}) == "k-3f9a"
    assert repr(secret) == "Secret('$SHOUT_KEY')"


@pytest.mark.parametrize("environ", [{}, {"SHOUT_KEY": ""}])
def test_a_variable_that_is_not_set_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="SHOUT_KEY"):
        Secret("$SHOUT_KEY").reveal(environ=environ)


def test_settings_read_it_from_a_text() -> None:
    assert Settings.model_validate({"key": "k-3f9a"}).key == Secret("k-3f9a")
    assert Settings().key == Secret("$SHOUT_KEY")


def test_settings_do_not_write_it_down() -> None:
    assert "3f9a" not in Settings(key=Secret("k-3f9a")).model_dump_json()


@pytest.mark.parametrize("value", ["", "$", 7, None, ["k-3f9a"]])
def test_what_is_no_text_is_refused_and_not_repeated(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"key": value})

    assert "write a text" in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("text", ["", "$"])
def test_nothing_is_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="write a text, or"):
        Secret(text)


def test_secrets_written_alike_are_equal() -> None:
    assert len({Secret("a"), Secret("a"), Secret("$A")}) == 2
    assert Secret("a") != "a"
