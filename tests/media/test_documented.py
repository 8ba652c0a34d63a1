"""Every field that a template may have is in docs/media.md."""

import re
from pathlib import Path

import msgspec
import pytest

from journeykit.media import chat, inapp, push, whatsapp

PAGE = (Path(__file__).parents[2] / "docs/media.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("title", "shape"),
    [
        ("Push", push._Template),
        ("In-app", inapp._Template),
        ("WhatsApp", whatsapp._Template),
        ("Chat", chat._Template),
    ],
    ids=["push", "inapp", "whatsapp", "chat"],
)
def test_every_field_has_its_row(title: str, shape: type[msgspec.Struct]) -> None:
    section = re.split(
        r"^## ", PAGE.partition(f"\n## {title}\n")[2], flags=re.MULTILINE
    )

    rows = set(re.findall(r"^\| `(\w+)` \|", section[0], re.MULTILINE))

    assert rows == {field.name for field in msgspec.structs.fields(shape)}
