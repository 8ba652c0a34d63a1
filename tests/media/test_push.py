"""Push: what two systems take, counted in bytes, and cut only where that is asked for."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.media.messages import from_json, message

from journeykit.errors import ContentError
from journeykit.media.push import MOST_TTL, RESERVE, SIZE, Push, push_of, size_of


def push(**fields: Any) -> Push:
    return push_of(from_json("push", {"title": "Hi", **fields}))


def test_a_push_has_what_the_template_says() -> None:
    found = push(
        title=" Your\ncart ",
        body="Still here.\nLook!",
        image="https://shop.example/a.png",
        link="shop://cart?id=1",
        data={"cart": "c1", "items": 3, "gift": True, "note": None},
        collapse="cart",
        ttl="3600",
        badge=" 2 ",
        sound="default",
        category="cart",
        priority="normal",
    )

    assert (found.title, found.body) == ("Your cart", "Still here.\nLook!")
    assert (found.ttl, found.badge, found.link) == (3600, 2, "shop://cart?id=1")
    assert found.data == {"cart": "c1", "items": "3", "gift": "true", "note": "null"}
    assert found.priority == "normal"
    assert found.size == size_of(found)


def test_what_comes_to_nothing_is_left_out() -> None:
    found = push(image=" ", link="", badge="", ttl="")

    assert (found.image, found.link, found.badge, found.ttl) == ("", "", None, None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"title": " "}, "title of the push is empty", id="no title"),
        pytest.param(
            {"link": "javascript:alert(1)"}, "an app's own scheme", id="script"
        ),
        pytest.param({"link": "http://a.example"}, "an app's own scheme", id="http"),
        pytest.param({"link": "/cart"}, "an app's own scheme", id="relative"),
        pytest.param({"image": "shop://a.png"}, "the image must be https", id="image"),
        pytest.param({"badge": "many"}, "`badge` must be a whole number", id="badge"),
        pytest.param({"badge": -1}, "`badge` must be a whole number", id="below zero"),
        pytest.param({"ttl": MOST_TTL + 1}, "four weeks", id="ttl"),
        pytest.param({"collapse": "ü" * 33}, "more than 64 bytes", id="collapse"),
        pytest.param({"data": {"from": "x"}}, "reserved", id="reserved key"),
        pytest.param({"data": {"google.x": "x"}}, "reserved", id="reserved prefix"),
        pytest.param({"data": {"a": [1]}}, "data", id="data that is no scalar"),
        pytest.param({"colour": "red"}, "can't have: `colour`", id="unknown field"),
        pytest.param({"priority": "now"}, "none of what it may be", id="priority"),
        pytest.param({"body": "x" * 4200}, f"{SIZE} are the most", id="too large"),
        pytest.param({"body": "€" * 1400}, f"{SIZE} are the most", id="bytes count"),
    ],
)
def test_what_can_not_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ContentError, match=words) as refusal:
        push(**fields)

    assert "now'" not in str(refusal.value)
    assert "alert" not in str(refusal.value)


def test_a_template_without_json_is_refused() -> None:
    with pytest.raises(ContentError, match=r"ends in \.json"):
        push_of(message("push", {"txt": "Hi"}))
    with pytest.raises(ContentError, match="no JSON"):
        push_of(message("push", {"json": "{"}))
    with pytest.raises(ContentError, match="expected `object`"):
        push_of(message("push", {"json": "[]"}))
    with pytest.raises(ContentError, match="lacks `title`"):
        push_of(message("push", {"json": "{}"}))


def test_long_words_are_a_warning_and_stay_whole() -> None:
    found = push(title="t" * 70, body="b" * 200)

    assert (len(found.title), len(found.body)) == (70, 200)
    assert len(found.warnings) == 2
    assert "lock screens show about" in found.warnings[0]


def test_they_are_cut_where_that_is_asked_for() -> None:
    found = push(title="word " * 30, body="word " * 2000, truncate="true")

    assert found.title.endswith("word…")
    assert len(found.title) <= 65
    assert len(found.body) <= 178
    assert found.warnings == ()


@given(
    st.text(max_size=300),
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=1200), max_size=3),
)
def test_no_payload_is_larger_than_both_systems_take(
    body: str, data: dict[str, str]
) -> None:
    for truncate in (True, False):
        try:
            found = push(body=body, data=data, truncate=truncate)
        except ContentError:
            continue

        apple = {
            "aps": {"alert": {"title": found.title, "body": found.body}},
            **found.data,
        }
        size = len(
            json.dumps(apple, ensure_ascii=False, separators=(",", ":")).encode()
        )
        assert size + RESERVE <= found.size <= SIZE


def test_what_is_for_one_system_alone_counts_as_well() -> None:
    plain = push()
    found = push(android={"notification": {"color": "#00f"}}, apns={"headers": {}})

    assert found.android == {"notification": {"color": "#00f"}}
    assert found.size > plain.size
