"""What a chat message is in Slack's words: `text`, and blocks where there is more.

[formatting]: https://docs.slack.dev/messaging/formatting-message-text
[blocks]: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from typing import Any

from journeykit.media.chat import Button, Chat

SECTION = 3000
"""The most characters of one section's text: [blocks]."""

LINK, ANSWER = "link", "answer"
"""What the ids of our buttons begin with, by what a tap on one means."""

# Only these three mean something to Slack: with `<!channel>` a customer's name would
# call everybody.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def parts_of(chat: Chat) -> dict[str, Any]:
    """Return what chat.postMessage takes beside the channel.

    `*bold*`, `_slanted_` and the like are as Slack has them; nobody is called by a text.
    """
    text = escaped(chat.text)
    if chat.blocks:
        return {"text": text, "blocks": [*chat.blocks]}
    if not (chat.buttons or chat.image):
        return {"text": text}
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": piece}}
        for piece in _pieces(text)
    ]
    if chat.image:
        alt = (chat.image_alt or "image")[:2000]
        blocks.append({"type": "image", "image_url": chat.image, "alt_text": alt})
    if chat.buttons:
        elements = [_element(n, button) for n, button in enumerate(chat.buttons)]
        blocks.append({"type": "actions", "elements": elements})
    return {"text": text, "blocks": blocks}


def escaped(text: str) -> str:
    """Return text that means to Slack what it says."""
    return text.translate(_ESCAPES)


def unescaped(text: str) -> str:
    """Return what somebody typed, of what Slack makes of it."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _pieces(text: str) -> list[str]:
    """A text in parts that each fit into a section, broken at a line or a space."""
    found = []
    while len(text) > SECTION:
        end = max(text.rfind("\n", 0, SECTION), text.rfind(" ", 0, SECTION))
        if end <= 0:
            # In the middle of a word, but not of an escape such as &amp;
            start = text.rfind("&", SECTION - 5, SECTION)
            end = start if start > 0 else SECTION
        found.append(text[:end])
        text = text[end:].lstrip()
    return [*found, text]


def _element(n: int, button: Button) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "button",
        "text": {"type": "plain_text", "text": button.label},
        "action_id": f"{LINK if button.url else ANSWER}-{n}",
    }
    return element | ({"url": button.url} if button.url else {"value": button.value})
