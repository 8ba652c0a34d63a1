"""What a chat message is in Meta's words: text, a picture, buttons or quick replies.

[messenger]: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
[button]: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button
[quick replies]: https://developers.facebook.com/docs/messenger-platform/send-messages/quick-replies
[instagram]: https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message
"""

from __future__ import annotations

from typing import Any

from journeykit.errors import ContentError
from journeykit.media.chat import (
    INSTAGRAM_BYTES,
    MESSENGER_TEXT,
    MESSENGER_TEXT_BESIDE_BUTTONS,
    META_BUTTONS,
    META_LABEL,
    Button,
    Chat,
)

QUICK_REPLIES = 13
"""The most answers to choose from beneath a text: [quick replies]."""


def messages_of(chat: Chat, *, instagram: bool) -> list[dict[str, Any]]:
    """Return the messages that a chat message is sent as, in order; most are one.

    A picture has no words beside it there, so it goes first, by itself.

    Raises:
        ContentError: It is more than Messenger or Instagram takes.
    """
    found: list[dict[str, Any]] = []
    if chat.image:
        found.append({"attachment": {"type": "image", "payload": {"url": chat.image}}})
    links = [button for button in chat.buttons if button.url]
    answers = [button for button in chat.buttons if not button.url]
    for button in chat.buttons:
        if len(button.label) > META_LABEL:
            raise ContentError(
                f"a label has {len(button.label)} characters; {META_LABEL} are the most"
            )
    _check_text(chat.text, beside=bool(links), instagram=instagram)
    if links:
        if len(chat.buttons) > META_BUTTONS:
            raise ContentError(
                f"there are {len(chat.buttons)} buttons; {META_BUTTONS} are the most "
                "where one of them is a link"
            )
        payload = {
            "template_type": "button",
            "text": chat.text,
            "buttons": [_button(button) for button in chat.buttons],
        }
        found.append({"attachment": {"type": "template", "payload": payload}})
        return found
    text: dict[str, Any] = {"text": chat.text}
    if len(answers) > QUICK_REPLIES:
        raise ContentError(
            f"there are {len(answers)} answers; {QUICK_REPLIES} are the most"
        )
    if answers:
        text["quick_replies"] = [
            {"content_type": "text", "title": each.label, "payload": each.value}
            for each in answers
        ]
    found.append(text)
    return found


def _check_text(text: str, *, beside: bool, instagram: bool) -> None:
    most = MESSENGER_TEXT_BESIDE_BUTTONS if beside else MESSENGER_TEXT
    if instagram and (size := len(text.encode())) > INSTAGRAM_BYTES:
        raise ContentError(
            f"the text has {size} bytes; Instagram takes {INSTAGRAM_BYTES}"
        )
    if len(text) > most:
        where = " beside buttons with links" if beside else ""
        raise ContentError(
            f"the text has {len(text)} characters; {most} are the most{where}"
        )


def _button(button: Button) -> dict[str, str]:
    if button.url:
        return {"type": "web_url", "title": button.label, "url": button.url}
    return {"type": "postback", "title": button.label, "payload": button.value}
