"""In-app: what an app shows of an inbox, as JSON of a fixed shape."""

from typing import Any

import pytest
from tests.media.messages import from_json

from journeykit.errors import ContentError
from journeykit.media.inapp import MOST_TTL, Button, InApp, inapp_of


def inapp(content: dict[str, Any] | None = None, **fields: Any) -> InApp:
    return inapp_of(from_json("inapp", {"title": "Hi", **fields}, **(content or {})))


def test_an_app_gets_all_fields_always() -> None:
    assert inapp({"locale": "ar", "direction": "rtl"}).to_json() == {
        "title": "Hi",
        "body": "",
        "image": "",
        "image_alt": "",
        "link": "",
        "actions": [],
        "style": "card",
        "data": {},
        "locale": "ar",
        "direction": "rtl",
        "placement": "",
        "ask": "",
    }


def test_it_has_what_the_template_says() -> None:
    found = inapp(
        body="One\n\nTwo",
        image="https://shop.example/a.png",
        image_alt="A cup",
        link="shop://cart",
        actions=[{"label": " To the cart", "url": "shop://cart"}],
        style="modal",
        data={"n": 1},
        ttl="3600",
    )

    assert found.body == "One\n\nTwo"
    assert found.actions == (Button("To the cart", "shop://cart"),)
    assert (found.style, found.ttl, found.data) == ("modal", 3600, {"n": 1})
    assert found.warnings == ()


def test_an_action_that_comes_to_nothing_is_left_out() -> None:
    found = inapp(
        actions=[{"label": "", "url": "shop://a"}, {"label": "B", "url": " "}]
    )

    assert found.actions == ()


def test_a_picture_without_words_is_a_warning() -> None:
    assert "image_alt" in inapp(image="https://shop.example/a.png").warnings[0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"title": "\n"}, "is empty", id="no title"),
        pytest.param({"title": "t" * 151}, "151 characters; 150", id="long title"),
        pytest.param({"body": "b" * 4001}, "4001 characters; 4000", id="long body"),
        pytest.param({"style": "popup"}, "none of what it may be", id="style"),
        pytest.param(
            {"actions": [{"label": "A", "url": "data:text/html,x"}]},
            "scheme",
            id="data",
        ),
        pytest.param(
            {"actions": [{"label": "A" * 41, "url": "shop://a"}]}, "41 char", id="label"
        ),
        pytest.param(
            {"actions": [{"label": "A", "url": "shop://a"}] * 4},
            "4 actions",
            id="actions",
        ),
        pytest.param({"data": {"a": "x" * 17_000}}, "16384 are the most", id="size"),
        pytest.param({"ttl": MOST_TTL + 1}, "`ttl` must be", id="ttl"),
        pytest.param({"ttl": 0}, "`ttl` must be", id="no time at all"),
    ],
)
def test_what_can_not_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ContentError, match=words):
        inapp(**fields)
