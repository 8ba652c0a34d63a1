"""The text part of a mail says what its HTML says."""

import pytest
from hypothesis import given, strategies as st

from journeykit.media.html_text import text_of_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>One</p><p>Two</p>", "One\n\nTwo", id="paragraphs"),
        pytest.param("<p>One<p>Two", "One\n\nTwo", id="unclosed paragraphs"),
        pytest.param("One<br>Two<br/>Three", "One\nTwo\nThree", id="breaks"),
        pytest.param("a \n  b\t&nbsp;c", "a b c", id="white space"),
        pytest.param("a<b>b</b> <i>c</i>", "ab c", id="inline elements"),
        pytest.param("<div>One</div><div>Two</div>", "One\nTwo", id="blocks"),
        pytest.param("<h1>Hi</h1>x", "Hi\n==\n\nx", id="a heading"),
        pytest.param("<h2>Hello</h2>", "Hello\n-----", id="a lower heading"),
        pytest.param("<h3>Hello</h3>x", "Hello\n\nx", id="a still lower heading"),
        pytest.param(
            '<a href="https://x.example/a?b=1&amp;c">Go</a>!',
            "Go (https://x.example/a?b=1&c)!",
            id="a link",
        ),
        pytest.param(
            '<a href="https://x.example/">x.example</a>',
            "https://x.example/",
            id="a link that says its address",
        ),
        pytest.param(
            '<a href="mailto:a@b.example">a@b.example</a>',
            "a@b.example",
            id="an address",
        ),
        pytest.param('<a href="#top">Up</a>', "Up", id="a link within"),
        pytest.param('<a href="javascript:x()">Go</a>', "Go", id="a script"),
        pytest.param(
            '<a href="https://x.example"><div>Go</div></a>',
            "Go (https://x.example)",
            id="a link around a block",
        ),
        pytest.param(
            '<a href="https://x.example"><img src="a" alt="Shop"></a>',
            "Shop (https://x.example)",
            id="a picture with a link",
        ),
        pytest.param('<img src="a"><img src="b" alt="">x', "x", id="mute pictures"),
        pytest.param("<ul><li>a<li>b</ul>", "- a\n- b", id="a list"),
        pytest.param(
            "<ol start=3><li>a</li><li>b<ul><li>c</ul></ol>",
            "3. a\n4. b\n   - c",
            id="a list in a numbered one",
        ),
        pytest.param(
            "<table><tr><th>Item<th>Price<tr><td>Shoes<td>12</table>",
            "Item   Price\nShoes  12",
            id="a table of data",
        ),
        pytest.param(
            "<table role=presentation><tr><td>One<td>Two</table>",
            "One\nTwo",
            id="a table that lays out",
        ),
        pytest.param(
            "<table><tr><td><p>One<p>Two</td><td>Three</td></tr></table>",
            "One\n\nTwo\nThree",
            id="a table that lays out and doesn't say so",
        ),
        pytest.param("<blockquote>Yes<br>No</blockquote>", "> Yes\n> No", id="a quote"),
        pytest.param("<pre>a\n  b</pre>", "a\n  b", id="preformatted"),
        pytest.param("a<hr>b", "a\n\n--------------------\n\nb", id="a rule"),
        pytest.param(
            "<head><title>T</title><style>p{}</style></head><body>x<script>y</script>",
            "x",
            id="what is no text",
        ),
        pytest.param(
            '<div style="DISPLAY : none">Preview</div>x', "x", id="what is hidden"
        ),
        pytest.param("<p hidden>a</p><p aria-hidden=true>b</p>c", "c", id="hidden too"),
        pytest.param("<!--[if mso]>a<![endif]-->b", "b", id="comments"),
        pytest.param("&lt;b&gt; &amp; &euro;", "<b> & €", id="entities"),
        pytest.param("مرحبا <b>بك</b>", "مرحبا بك", id="right to left"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert text_of_html(html) == text


def test_cells_whose_row_was_left_out_are_a_row() -> None:
    assert text_of_html("<table>1 <td>0") == "1\n\n0"
    assert text_of_html("<table><td>a<td>b<tr><td>c</table>") == "a  b\nc"


def test_what_is_deeper_than_it_looks_is_still_read() -> None:
    html = "<div>" * 5000 + "deep<script>no</script>" + "</div>" * 5000

    assert text_of_html(html) == "deep"


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
elements = st.sampled_from(
    [
        "p",
        "div",
        "span",
        "b",
        "ul",
        "ol",
        "li",
        "table",
        "tr",
        "td",
        "th",
        "h1",
        "a",
        "blockquote",
    ]
)


@given(st.lists(st.tuples(elements, st.booleans(), words), max_size=30))
def test_no_word_is_lost_however_bad_the_html(
    pieces: list[tuple[str, bool, str]],
) -> None:
    html = "".join(
        f"</{tag}>{word} " if closed else f"<{tag}>{word} "
        for tag, closed, word in pieces
    )

    text = text_of_html(html)

    assert [word for _, _, word in pieces if word not in text] == []
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "piece",
    ['<a href="', "<!--", "<a b", "</a ", "<![CDATA[", "<table>", "<table>x", "<div>"],
)
def test_what_never_ends_is_read_nevertheless(piece: str) -> None:
    # Each of these once took minutes, at a length that a template may come to.
    html = "<p>Hi</p>" + piece * (300_000 // len(piece))

    assert text_of_html(html).split()[0] == "Hi"
