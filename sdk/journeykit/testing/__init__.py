"""The test kit: journeys against a virtual clock, and what an author asserts on.

Everything public is here, loaded when it is first used, so that the pytest plugin, which
every test run of every user imports, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeykit.testing.aws import AwsEmulator as AwsEmulator, Killed as Killed
    from journeykit.testing.channels import (
        RecordingChannel as RecordingChannel,
        SentMessage as SentMessage,
        deliver as deliver,
    )
    from journeykit.testing.contracts import (
        ActionContract as ActionContract,
        ChannelContract as ChannelContract,
    )
    from journeykit.testing.engine_contract import (
        TemplateEngineContract as TemplateEngineContract,
    )
    from journeykit.testing.factories import (
        delivery_event as delivery_event,
        make_event as make_event,
        make_profile as make_profile,
    )
    from journeykit.testing.fates import Fate as Fate
    from journeykit.testing.guards import (
        GuardContract as GuardContract,
        make_asked as make_asked,
    )
    from journeykit.testing.memory import MemoryStore as MemoryStore
    from journeykit.testing.record import Traced as Traced
    from journeykit.testing.report import (
        JourneyReport as JourneyReport,
        Report as Report,
    )
    from journeykit.testing.scores import (
        ScoreContract as ScoreContract,
        make_features as make_features,
    )
    from journeykit.testing.simulator import (
        Simulator as Simulator,
        simulate as simulate,
    )
    from journeykit.testing.sources import SourceContract as SourceContract
    from journeykit.testing.store_contract import StoreContract as StoreContract

_PLACES = {
    "aws": "AwsEmulator Killed",
    "channels": "RecordingChannel SentMessage deliver",
    "contracts": "ActionContract ChannelContract",
    "engine_contract": "TemplateEngineContract",
    "factories": "delivery_event make_event make_profile",
    "fates": "Fate",
    "guards": "GuardContract make_asked",
    "memory": "MemoryStore",
    "record": "Traced",
    "report": "JourneyReport Report",
    "scores": "ScoreContract make_features",
    "simulator": "Simulator simulate",
    "sources": "SourceContract",
    "store_contract": "StoreContract",
}
_MODULE_OF = {
    name: f"journeykit.testing.{module}"
    for module, names in _PLACES.items()
    for name in names.split()
}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - one table says what is where


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'journeykit.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return __all__
