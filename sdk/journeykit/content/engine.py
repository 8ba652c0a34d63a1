"""What a template engine is: text with variables in, text out, within limits.

A plugin subclasses `TemplateEngine`; front matter (`engine: liquid`) or the workspace
names the one to use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

Load = Callable[[str], str]
"""Returns the source of a layout or partial by its name, in the locale being rendered.

Raises LookupError if there is none.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use up; more is a ContentError.

    Attributes:
        output_bytes: How much text may come of it.
        loops: How often the bodies of all loops may run, together.
        seconds: How long it may take, of this thread's processor time. Where one message
            has several texts, it is what those before it have left.
    """

    output_bytes: int = 512 * 1024
    loops: int = 10_000
    seconds: float = 2.0


LIMITS = Limits()
"""What is allowed where nobody says otherwise."""


class TemplateEngine(ABC):
    """Renders templates; plugin authors subclass this. Constructors do no work.

    Attributes:
        name: What front matter and `journeykit.toml` call it.
    """

    name: str

    @abstractmethod
    def variables(self, source: str, *, load: Load) -> frozenset[str]:
        """Return the names of the top-level variables that a template needs.

        Those that it only uses where they are defined, or gives a default, don't count.
        Layouts and partials that it names are looked into as well.

        Raises:
            ContentError: It is no template of this engine; the place says the line, and
                the name of the layout or partial if it is in one.
        """

    def optional(self, source: str, *, load: Load) -> frozenset[str]:
        """Return the names of the variables that it uses only where they are given.

        An engine that can't tell says none; then nobody looks for misspelt ones.
        """
        return frozenset()

    @abstractmethod
    def render(
        self,
        source: str,
        variables: Mapping[str, object],
        *,
        load: Load,
        escape: bool,
        at: datetime,
        limits: Limits = LIMITS,
    ) -> str:
        """Return what a template comes to.

        Pure: the clock of the template is `at`, in the zone that it is in. Nothing is
        reached but the variables: templates are written by people who don't write code.

        Args:
            source: The template.
            variables: What it may use.
            load: Finds layouts and partials.
            escape: Whether values are escaped for HTML.
            at: What time it is for the template, aware.
            limits: What it may use up.

        Raises:
            ContentError: A variable is missing, a limit is passed, or it is no template;
                with the place, as above. The message has no value in it.
        """
