"""The template engine `liquid`: Liquid's language, within the limits of journeykit.

python-liquid takes 100 ms to import, so that waits until something is rendered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from journeykit.content.engine import LIMITS, Limits, Load, TemplateEngine
from journeykit.hookspecs import hookimpl

if TYPE_CHECKING:
    from journeykit_liquid.sandbox import Sandbox

__all__ = ["LiquidEngine"]


class LiquidEngine(TemplateEngine):
    """Renders Liquid templates (https://shopify.github.io/liquid/)."""

    name = "liquid"

    def __init__(self) -> None:
        """Load nothing yet."""
        self._sandboxes: dict[bool, Sandbox] = {}
        self._lock = threading.Lock()

    def variables(self, source: str, *, load: Load) -> frozenset[str]:
        """Return the names of the top-level variables that a template needs."""
        needed, _ = self._sandbox(escape=False).names(source, load)
        return needed

    def optional(self, source: str, *, load: Load) -> frozenset[str]:
        """Return the names of those that it uses only where they are there."""
        _, optional = self._sandbox(escape=False).names(source, load)
        return optional

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
        with self._lock:
            if escape not in self._sandboxes:
                from journeykit_liquid.sandbox import Sandbox

                self._sandboxes[escape] = Sandbox(escape=escape)
            return self._sandboxes[escape]


@hookimpl
def journeykit_template_engines() -> Iterable[TemplateEngine]:
    """Yield the engine `liquid`."""
    yield LiquidEngine()
