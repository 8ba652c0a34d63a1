"""WhatsApp: payloads as the Cloud API has them, within its limits.

Shapes: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from typing import Any

import pytest
from tests.media.messages import from_json, message

from journeykit.errors import ContentError
from journeykit.media.whatsapp import WhatsApp, kind_of, whatsapp_of


def whatsapp(**fields: Any) -> WhatsApp:
    return whatsapp_of(from_json("whatsapp", fields))


APPROVED = {"template": "cart_reminder", "language": "en_US"}


def test_an_approved_template_gets_its_values_in_order() -> None:
    found = whatsapp(
        **APPROVED,
        header={"image": "https://shop.example/a.png"},
        body=["Zoë", "two\nlines \t here"],
        buttons=[{"url": "c/8f2a"}, {"label": "No value"}, {"reply": "keep"}],
        sample="Hi Zoë",
    )

    assert found.kind == "template"
    assert found.parameters == ("Zoë", "two lines here")
    assert found.text == "Hi Zoë"
    assert found.payload == {
        "type": "template",
        "template": {
            "name": "cart_reminder",
            "language": {"policy": "deterministic", "code": "en_US"},
            "components": [
                {
                    "type": "header",
                    "parameters": [
                        {
                            "type": "image",
                            "image": {"link": "https://shop.example/a.png"},
                        }
                    ],
                },
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "Zoë"},
                        {"type": "text", "text": "two lines here"},
                    ],
                },
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "c/8f2a"}],
                },
                {
                    "type": "button",
                    "sub_type": "quick_reply",
                    "index": "2",
                    "parameters": [{"type": "payload", "payload": "keep"}],
                },
            ],
        },
    }


def test_its_values_may_have_names() -> None:
    found = whatsapp(**APPROVED, body={"first_name": "Zoë"})

    assert found.payload["template"]["components"][0]["parameters"] == [
        {"type": "text", "text": "Zoë", "parameter_name": "first_name"}
    ]


def test_one_without_values_has_no_components() -> None:
    assert "components" not in whatsapp(**APPROVED).payload["template"]


def test_who_needs_more_writes_components() -> None:
    components = [{"type": "body", "parameters": [{"type": "currency"}]}]

    found = whatsapp(**APPROVED, components=components)

    assert found.payload["template"]["components"] == components


def test_free_text() -> None:
    found = whatsapp(text=" Hi *you* \n", preview_url=True)

    assert found.kind == "text"
    assert found.payload == {
        "type": "text",
        "text": {"body": "Hi *you*", "preview_url": True},
    }


def test_free_text_may_be_a_file_of_text() -> None:
    found = whatsapp_of(message("whatsapp", {"txt": "Hi\n"}))

    assert found.payload["text"]["body"] == "Hi"


def test_answers_to_tap() -> None:
    found = whatsapp(
        text="Keep it?",
        header="Your cart",
        footer="Until Sunday",
        buttons=[{"label": "Yes", "reply": "keep"}, {"label": "No"}, {"label": " "}],
    )

    assert found.payload == {
        "type": "interactive",
        "interactive": {
            "body": {"text": "Keep it?"},
            "header": {"type": "text", "text": "Your cart"},
            "footer": {"text": "Until Sunday"},
            "type": "button",
            "action": {
                "buttons": [
                    {"type": "reply", "reply": {"id": "keep", "title": "Yes"}},
                    {"type": "reply", "reply": {"id": "No", "title": "No"}},
                ]
            },
        },
    }


def test_a_link_to_tap() -> None:
    found = whatsapp(
        text="Your cart",
        image="https://shop.example/a.png",
        buttons=[{"label": "Open", "url": "https://shop.example/cart"}],
    )

    assert found.payload["interactive"]["type"] == "cta_url"
    assert found.payload["interactive"]["action"] == {
        "name": "cta_url",
        "parameters": {"display_text": "Open", "url": "https://shop.example/cart"},
    }
    assert found.payload["interactive"]["header"]["type"] == "image"


def test_a_document_with_words_below() -> None:
    found = whatsapp(
        document="https://shop.example/bill.pdf", filename="Bill.pdf", caption="Here"
    )

    assert found.kind == "media"
    assert found.payload == {
        "type": "document",
        "document": {
            "link": "https://shop.example/bill.pdf",
            "caption": "Here",
            "filename": "Bill.pdf",
        },
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "text of the WhatsApp message is empty", id="nothing"),
        pytest.param({"text": "x" * 4097}, "4097 characters; 4096", id="long text"),
        pytest.param({**APPROVED, "template": "Cart!"}, "approved name", id="name"),
        pytest.param({"template": "a", "language": "English"}, "a code", id="language"),
        pytest.param({**APPROVED, "text": "Hi"}, "from Meta", id="words of one's own"),
        pytest.param({**APPROVED, "body": [""]}, "a parameter is empty", id="no value"),
        pytest.param({**APPROVED, "body": ["x" * 1025]}, "1024", id="long value"),
        pytest.param({**APPROVED, "header": {}}, "`header` needs", id="empty header"),
        pytest.param(
            {**APPROVED, "components": [], "body": ["x"]}, "or header, body", id="both"
        ),
        pytest.param({"text": "x", "body": ["a"]}, "write `text`", id="body"),
        pytest.param({"text": "x", "sample": "a"}, "`sample` is for", id="sample"),
        pytest.param({"text": "x", "footer": "a"}, "with `buttons`", id="footer alone"),
        pytest.param(
            {"text": "x", "buttons": [{"label": str(n)} for n in range(4)]},
            "4 buttons; 3",
            id="four buttons",
        ),
        pytest.param(
            {"text": "x", "buttons": [{"label": "a" * 21}]}, "21 characters", id="label"
        ),
        pytest.param(
            {"text": "x", "buttons": [{"label": "a"}] * 2}, "same label", id="twice"
        ),
        pytest.param(
            {
                "text": "x",
                "buttons": [{"label": "a"}, {"label": "b", "url": "https://b.example"}],
            },
            "one button with a `url`",
            id="mixed",
        ),
        pytest.param(
            {"text": "x" * 1025, "buttons": [{"label": "a"}]}, "1024", id="long body"
        ),
        pytest.param(
            {"image": "https://a.example/a", "video": "https://a.example/b"},
            "only one of",
            id="two media",
        ),
        pytest.param({"image": "http://a.example/a"}, "must be https", id="http"),
        pytest.param(
            {"audio": "https://a.example/a", "caption": "x"}, "a caption", id="caption"
        ),
        pytest.param(
            {"audio": "https://a.example/a", "text": "x", "buttons": [{"label": "a"}]},
            "`audio`",
            id="audio with buttons",
        ),
    ],
)
def test_what_meta_refuses_is_refused_here(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ContentError, match=words):
        whatsapp(**fields)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"template": "x"}, "template"),
        ({"text": "x"}, "text"),
        ({"text": "x", "buttons": [{}]}, "buttons"),
        ({"image": "{{ url }}"}, "media"),
    ],
    ids=["template", "text", "buttons", "media"],
)
def test_the_kind_is_known_before_it_is_rendered(
    document: dict[str, object], kind: str
) -> None:
    assert kind_of(document) == kind
