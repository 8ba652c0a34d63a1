"""Chat: one message for services that take different things."""

from typing import Any

import pytest
from tests.media.messages import from_json, message

from journeykit.errors import ContentError
from journeykit.media.chat import Button, Chat, chat_of


def chat(**fields: Any) -> Chat:
    return chat_of(from_json("chat", {"text": "Hi", **fields}))


def test_it_has_what_the_template_says() -> None:
    found = chat(
        text="Hi\nyou",
        image="https://shop.example/a.png",
        image_alt="A cup",
        buttons=[
            {"label": "Go", "url": "https://shop.example"},
            {"label": "Yes", "value": "keep"},
            {"label": "No"},
            {"label": ""},
        ],
    )

    assert found.text == "Hi\nyou"
    assert found.buttons == (
        Button("Go", "https://shop.example"),
        Button("Yes", value="keep"),
        Button("No", value="No"),
    )
    assert found.warnings == ()


def test_mere_text_may_be_a_file_of_text() -> None:
    assert chat_of(message("chat", {"txt": "Hi\n"})) == Chat(text="Hi")


def test_blocks_of_slack_are_handed_on() -> None:
    blocks = [{"type": "divider"}]

    assert chat(blocks=blocks).blocks == tuple(blocks)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"text": "x" * 2001}, "Messenger takes 2000", id="Messenger"),
        pytest.param(
            {"text": "x" * 641, "buttons": [{"label": "a"}]}, "640 beside", id="buttons"
        ),
        pytest.param({"text": "€" * 334}, "1002 bytes; Instagram", id="Instagram"),
        pytest.param(
            {"buttons": [{"label": str(n)} for n in range(4)]}, "4 buttons;", id="many"
        ),
        pytest.param({"buttons": [{"label": "a" * 21}]}, "more than 20", id="label"),
    ],
)
def test_what_some_do_not_take_is_a_warning(fields: dict[str, Any], words: str) -> None:
    assert any(words in warning for warning in chat(**fields).warnings)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"text": " "}, "is empty", id="no text"),
        pytest.param({"text": "x" * 4001}, "4001 characters", id="long text"),
        pytest.param({"buttons": [{"label": "a" * 76}]}, "76 characters", id="label"),
        pytest.param({"buttons": [{"label": "a"}] * 11}, "11 buttons", id="buttons"),
        pytest.param(
            {"buttons": [{"label": "a", "url": "http://a.example"}]}, "https", id="http"
        ),
        pytest.param({"blocks": [{}] * 51}, "51 blocks", id="blocks"),
        pytest.param(
            {"blocks": [{"a": "x" * 33_000}]}, "32768 bytes", id="large blocks"
        ),
    ],
)
def test_what_nobody_takes_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ContentError, match=words):
        chat(**fields)
