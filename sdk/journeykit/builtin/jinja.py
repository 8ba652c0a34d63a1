"""The template engine `jinja`: Jinja's language, in a sandbox with limits.

jinja2 is an extra and takes 50 ms to import, so both wait until something is rendered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from journeykit.content.engine import LIMITS, Limits, Load, TemplateEngine
from journeykit.errors import PluginLoadError
from journeykit.hookspecs import hookimpl

if TYPE_CHECKING:
    from journeykit.builtin.sandbox import Sandbox


class JinjaEngine(TemplateEngine):
    """Renders Jinja templates (https://jinja.palletsprojects.com/templates/).

    It differs from plain Jinja where a message would go out wrong, or a template could do
    harm: docs/content.md says how.
    """

    name = "jinja"

    def __init__(self) -> None:
        """Load nothing yet."""
        self._sandboxes: dict[bool, Sandbox] = {}
        self._lock = threading.Lock()

    def variables(self, source: str, *, load: Load) -> frozenset[str]:
        """Return the names of the top-level variables that a template needs."""
        sandbox = self._sandbox(escape=False)
        from journeykit.builtin.jinja_names import names

        return names(sandbox, source, load).needed

    def optional(self, source: str, *, load: Load) -> frozenset[str]:
        """Return the names of those that it uses only where they are there."""
        sandbox = self._sandbox(escape=False)
        from journeykit.builtin.jinja_names import names

        return names(sandbox, source, load).optional

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
        """Return what a template comes to."""
        sandbox = self._sandbox(escape=escape)
        return sandbox.rendered(source, variables, load=load, at=at, limits=limits)

    def _sandbox(self, *, escape: bool) -> Sandbox:
        """Return the sandbox that escapes, or the one that doesn't; each is made once."""
        found = self._sandboxes.get(escape)
        if found is not None:
            return found
        with self._lock:
            try:
                from journeykit.builtin.sandbox import Sandbox
            except ModuleNotFoundError as error:
                if error.name not in ("jinja2", "markupsafe"):
                    raise
                raise PluginLoadError(
                    "templates need jinja2, which is not installed: "
                    "pip install 'journeykit[templates]'"
                ) from error
            return self._sandboxes.setdefault(escape, Sandbox(escape=escape))


@hookimpl
def journeykit_template_engines() -> Iterable[TemplateEngine]:
    """Yield the engine `jinja`."""
    yield JinjaEngine()
