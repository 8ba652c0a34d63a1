"""The contract of template engines, as tests to subclass."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import ClassVar

import pytest

from journeykit.content.composer import Safe
from journeykit.content.engine import LIMITS, Limits, TemplateEngine
from journeykit.errors import ContentError

_SECRET = "s3cret-value-of-somebody"
_AT = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=1)))
_PATIENCE = 6.0  # seconds: three times what LIMITS allow, for a busy machine
_ODD_TEXTS = (
    *("", " ", "Zoë", "名前", "\u202eevil", "a\r\nb", "\x00", "{{ name }}", "{% if %}"),
    *("'\"<&>", "%s", "${x}", "\U0001f469\u200d\U0001f469\u200d\U0001f467"),
)


def _nothing(name: str) -> str:
    raise LookupError(name)


class TemplateEngineContract:
    """What every template engine keeps.

        class TestDollars(TemplateEngineContract):
            printing = "Hello $name!"
            ...

            def engine(self) -> TemplateEngine:
                return Dollars()

    Attributes:
        printing: A template that comes to `Hello Ada!` where `name` is Ada; it needs that.
        asking: One that comes to `Hello Ada!`, or to `Hello!` where there is no `name`.
        looping: One that comes to `a,b,` where `items` are a and b.
        including: One that comes to `[` and what the partial `_part.txt` comes to and `]`.
        failing: One that prints `missing` in its third line, and `name` before that.
        broken: Texts that are no template, each wrong in its second line.
        endless: One that loops more often than anybody may.
        growing: One that comes to more than a megabyte.
        attacks: Templates by what they try; each must fail, and soon.
    """

    printing: ClassVar[str] = "Hello {{ name }}!"
    asking: ClassVar[str]
    looping: ClassVar[str]
    including: ClassVar[str]
    failing: ClassVar[str] = "Hello\n{{ name }}\n{{ missing }}"
    broken: ClassVar[Sequence[str]]
    endless: ClassVar[str]
    growing: ClassVar[str]
    attacks: ClassVar[Mapping[str, str]]

    def engine(self) -> TemplateEngine:
        """Return the engine, as a process that has just started would."""
        raise NotImplementedError("say in your subclass which engine is to be tested")

    def rendered(
        self,
        source: str,
        variables: Mapping[str, object] | None = None,
        *,
        partials: Mapping[str, str] | None = None,
        escape: bool = False,
        limits: Limits = LIMITS,
        engine: TemplateEngine | None = None,
    ) -> str:
        """Return what a template comes to."""
        return (engine or self.engine()).render(
            source,
            variables or {},
            load=dict(partials or {}).__getitem__,
            escape=escape,
            at=_AT,
            limits=limits,
        )

    def refused(
        self,
        source: str,
        variables: Mapping[str, object] | None = None,
        *,
        partials: Mapping[str, str] | None = None,
        limits: Limits = LIMITS,
    ) -> ContentError:
        """Return why a template can't be rendered."""
        with pytest.raises(ContentError) as caught:
            self.rendered(source, variables, partials=partials, limits=limits)
        return caught.value

    def test_it_says_what_it_is_called(self) -> None:
        """Front matter and journeykit.toml name it."""
        assert self.engine().name.strip()

    def test_a_variable_is_printed(self) -> None:
        """Else there is no need for templates."""
        assert self.rendered(self.printing, {"name": "Ada"}) == "Hello Ada!"

    def test_values_are_data_and_no_templates(self) -> None:
        """Whoever calls themselves `{{ secret }}` learns nothing."""
        engine = self.engine()

        for text in _ODD_TEXTS:
            found = self.rendered(self.printing, {"name": text}, engine=engine)
            assert found == f"Hello {text}!", ascii(text)

    def test_values_are_escaped_for_html_where_that_is_asked(self) -> None:
        """Whoever calls themselves `<script>` does no harm in an e-mail."""
        name = "<b>'\"&"

        escaped = self.rendered(self.printing, {"name": name}, escape=True)

        assert "<" not in escaped
        assert '"' not in escaped
        assert self.rendered(self.printing, {"name": name}) == f"Hello {name}!"

    def test_html_that_is_safe_is_not_escaped_again(self) -> None:
        """A layout is given what the template came to as `content`."""
        variables = {"name": Safe("<b>Ada</b>")}

        found = self.rendered(self.printing, variables, escape=True)

        assert found == "Hello <b>Ada</b>!"

    def test_it_renders_the_same_again(self) -> None:
        """A message that is composed again, in another process, is the same."""
        variables = {"items": ["a", "b"]}

        first, second = (
            self.rendered(self.looping, variables, engine=self.engine())
            for _ in range(2)
        )

        assert first == second == "a,b,"

    def test_it_changes_nothing_that_it_is_given(self) -> None:
        """Several parts are rendered with the same variables."""
        variables = {"items": ["a", "b"]}
        before = deepcopy(variables)

        self.rendered(self.looping, variables)

        assert variables == before

    def test_several_threads_may_render_at_once(self) -> None:
        """One process delivers many messages; none may see another's values."""
        engine = self.engine()

        def render(number: int) -> str:
            items = [f"{number}-{n}" for n in range(20)]
            return self.rendered(self.looping, {"items": items}, engine=engine)

        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(render, range(40))]

        wanted = ["".join(f"{n}-{m}," for m in range(20)) for n in range(40)]
        assert found == wanted

    def test_a_partial_is_found_by_its_name(self) -> None:
        """Whoever composes knows which file that is in this locale."""
        engine = self.engine()

        for text in ("one", "two"):  # of two locales, say
            found = self.rendered(
                self.including, partials={"_part.txt": text}, engine=engine
            )
            assert found == f"[{text}]"

    def test_a_partial_that_is_not_there_is_named(self) -> None:
        """Its author has to find it."""
        error = self.refused(self.including)

        assert "_part.txt" in error.message

    def test_a_partial_that_includes_itself_comes_to_an_end(self) -> None:
        """It is refused, and the process lives."""
        self.refused(self.including, partials={"_part.txt": self.including})

    def test_a_missing_variable_is_named_with_its_line(self) -> None:
        """Nothing is sent with a gap in it, and its author has to find the place."""
        error = self.refused(self.failing, {"name": "Ada"})

        assert "missing" in error.message
        assert error.source is not None
        assert (error.source.file, error.source.line) == ("", 3)

    def test_a_place_in_a_partial_names_the_partial(self) -> None:
        """Its lines are not the template's."""
        error = self.refused(
            self.including, {"name": "A"}, partials={"_part.txt": self.failing}
        )

        assert error.source is not None
        assert (error.source.file, error.source.line) == ("_part.txt", 3)

    def test_an_error_quotes_no_value(self) -> None:
        """It is logged, and kept with the delivery."""
        variables = {"name": _SECRET, "items": [_SECRET], _SECRET: 1}

        errors = [
            self.refused(self.failing, variables),
            *(self.refused(source, variables) for source in self.attacks.values()),
        ]

        assert [each for each in errors if _SECRET in str(each)] == []

    def test_what_is_null_is_not_printed_as_such(self) -> None:
        """`Hello None!` is worse than no message."""
        try:
            found = self.rendered(self.printing, {"name": None})
        except ContentError:
            return
        assert "none" not in found.lower()
        assert "null" not in found.lower()

    def test_a_template_may_ask_whether_a_variable_is_there(self) -> None:
        """Not every customer has a name."""
        assert self.rendered(self.asking, {"name": "Ada"}) == "Hello Ada!"
        assert self.rendered(self.asking) == "Hello!"

    def test_the_variables_that_are_needed_are_told(self) -> None:
        """`check` holds them against what a step gives."""

        def load(name: str) -> str:
            return {"_part.txt": self.printing}[name]

        engine = self.engine()

        assert engine.variables(self.printing, load=load) == {"name"}
        assert engine.variables(self.looping, load=load) == {"items"}
        assert engine.variables(self.including, load=load) == {"name"}
        assert engine.variables(self.asking, load=load) == frozenset()
        assert engine.optional(self.asking, load=load) <= {"name"}

    def test_what_is_no_template_is_refused_with_its_line(self) -> None:
        """`check` says where, before anybody is to get it."""
        engine = self.engine()

        for source in self.broken:
            with pytest.raises(ContentError) as looked:
                engine.variables(source, load=_nothing)
            rendered = self.refused(source)
            for error in (looked.value, rendered):
                assert error.source is not None, source
                assert error.source.line == 2, source

    def test_there_is_an_end_to_loops(self) -> None:
        """A template that loops for ever holds nobody up."""
        error = self.refused(self.endless, limits=Limits(seconds=60))

        assert "loops" in error.message or "list" in error.message

    def test_fewer_loops_can_be_allowed(self) -> None:
        """The limits are the caller's."""
        items = [str(n) for n in range(20)]

        self.refused(self.looping, {"items": items}, limits=Limits(loops=10))
        assert self.rendered(self.looping, {"items": items}, limits=Limits(loops=20))

    def test_there_is_an_end_to_what_is_written(self) -> None:
        """It is refused while it is made and not when it has filled the memory."""
        error = self.refused(self.growing, limits=Limits(seconds=60))

        assert "KB" in error.message

    def test_less_text_can_be_allowed(self) -> None:
        """The limits are the caller's."""
        name = "x" * 5_000

        self.refused(self.printing, {"name": name}, limits=Limits(output_bytes=4_096))

    def test_there_is_an_end_to_the_time(self) -> None:
        """What loops and text don't count, the clock does."""
        items = ["x" * 50] * 5_000

        error = self.refused(self.looping, {"items": items}, limits=Limits(seconds=0))

        assert "seconds" in error.message

    def test_attacks_fail_and_soon(self) -> None:
        """Templates are written by people who need not be trusted with the machine."""
        for name, source in self.attacks.items():
            began = time.thread_time()
            try:
                found = self.rendered(source, {"name": "Ada", "items": ["a", "b"]})
            except ContentError:
                pass
            else:
                pytest.fail(f"{name}: it came to {found[:40]!r}")
            assert time.thread_time() - began < _PATIENCE, name
