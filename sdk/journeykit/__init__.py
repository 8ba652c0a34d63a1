"""Customer journeys as code: a pure decision engine, channel plugins, thin handlers.

Everything public is here, loaded when it is first used: importing journeykit costs
nothing, and a program that only runs journeys never loads what authors write with.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeykit.channels import (
        Action as Action,
        ActionCall as ActionCall,
        CallAgain as CallAgain,
        Callback as Callback,
        CallFailed as CallFailed,
        CallOutcome as CallOutcome,
        Capabilities as Capabilities,
        Channel as Channel,
        Completed as Completed,
        Message as Message,
        Receipt as Receipt,
        Rejected as Rejected,
        Report as Report,
        RetryAfter as RetryAfter,
        Sent as Sent,
        Uncertain as Uncertain,
    )
    from journeykit.credentials import Secret as Secret
    from journeykit.engine.catalog import Catalog as Catalog
    from journeykit.engine.commands import (
        AbsorbCustomer as AbsorbCustomer,
        CallAction as CallAction,
        Command as Command,
        PublishEvent as PublishEvent,
        SendMessage as SendMessage,
    )
    from journeykit.engine.customer import Customer as Customer
    from journeykit.engine.react import (
        Reaction as Reaction,
        react as react,
    )
    from journeykit.engine.stimuli import (
        Absorb as Absorb,
        Enroll as Enroll,
        Launch as Launch,
        Merge as Merge,
        Remove as Remove,
        Returned as Returned,
        Stimulus as Stimulus,
        WakeUp as WakeUp,
    )
    from journeykit.engine.trace import TraceEntry as TraceEntry
    from journeykit.errors import (
        ContentError as ContentError,
        DamagedDocument as DamagedDocument,
        DefinitionError as DefinitionError,
        ForgedCallback as ForgedCallback,
        IllegalTransition as IllegalTransition,
        InputError as InputError,
        InvalidCondition as InvalidCondition,
        InvalidJourney as InvalidJourney,
        JourneyKitError as JourneyKitError,
        NewerStore as NewerStore,
        PluginConflict as PluginConflict,
        PluginError as PluginError,
        PluginLoadError as PluginLoadError,
        StaleCatalog as StaleCatalog,
        StaleCustomer as StaleCustomer,
        StoreBusy as StoreBusy,
        StoreError as StoreError,
        StoreFull as StoreFull,
        UnknownAction as UnknownAction,
        UnknownChannel as UnknownChannel,
        UnknownStep as UnknownStep,
    )
    from journeykit.happened import Delivered as Delivered, Reacted as Reacted
    from journeykit.hookspecs import hookimpl as hookimpl
    from journeykit.model.conditions import (
        Condition as Condition,
        Expression as Expression,
        consent as consent,
        contains as contains,
        ends_with as ends_with,
        entry as entry,
        event as event,
        has as has,
        older_than as older_than,
        one_of as one_of,
        profile as profile,
        segment as segment,
        size as size,
        starts_with as starts_with,
        step as step,
        timestamp as timestamp,
        trait as trait,
        within_last as within_last,
        within_next as within_next,
    )
    from journeykit.model.durations import (
        Duration as Duration,
        days as days,
        hours as hours,
        minutes as minutes,
        months as months,
        seconds as seconds,
        weeks as weeks,
        years as years,
    )
    from journeykit.model.events import Event as Event
    from journeykit.model.identity import IdentityRules as IdentityRules
    from journeykit.model.journey import (
        ExitRule as ExitRule,
        Goal as Goal,
        Holdout as Holdout,
        Journey as Journey,
        ReEntry as ReEntry,
    )
    from journeykit.model.mapping import (
        Objective as Objective,
        Touchpoint as Touchpoint,
    )
    from journeykit.model.measures import (
        Active as Active,
        Arrival as Arrival,
        Conversion as Conversion,
        Membership as Membership,
        MessageRate as MessageRate,
        Occurrences as Occurrences,
        Reach as Reach,
        Returning as Returning,
        Revenue as Revenue,
        SurveyScore as SurveyScore,
        Total as Total,
    )
    from journeykit.model.placements import asked as asked
    from journeykit.model.policies import (
        Breaker as Breaker,
        Cap as Cap,
        ClosedDays as ClosedDays,
        ConsentDefault as ConsentDefault,
        OpenHours as OpenHours,
        Policies as Policies,
        QuietHours as QuietHours,
        Topic as Topic,
    )
    from journeykit.model.rates import Rate as Rate, rate as rate
    from journeykit.model.schedules import (
        ScheduleTrigger as ScheduleTrigger,
        every as every,
        once as once,
    )
    from journeykit.model.segments import (
        Persona as Persona,
        Segment as Segment,
        Stage as Stage,
        audience_plan as audience_plan,
    )
    from journeykit.model.steps import (
        Arm as Arm,
        Branch as Branch,
        Call as Call,
        Collect as Collect,
        Emit as Emit,
        Exit as Exit,
        Goto as Goto,
        Repeat as Repeat,
        Send as Send,
        Split as Split,
        Start as Start,
        Survey as Survey,
        Until as Until,
        Update as Update,
        Wait as Wait,
        WaitFor as WaitFor,
        When as When,
        Window as Window,
    )
    from journeykit.model.traits import (
        Average as Average,
        Cadence as Cadence,
        Count as Count,
        Distinct as Distinct,
        Expected as Expected,
        FavoriteChannel as FavoriteChannel,
        FavoriteHour as FavoriteHour,
        First as First,
        Last as Last,
        Max as Max,
        Min as Min,
        MostFrequent as MostFrequent,
        Recent as Recent,
        Rfm as Rfm,
        Sum as Sum,
        Trait as Trait,
    )
    from journeykit.model.triggers import (
        ApiTrigger as ApiTrigger,
        BecomesTrigger as BecomesTrigger,
        EventTrigger as EventTrigger,
        Happens as Happens,
        InactiveTrigger as InactiveTrigger,
        PatternTrigger as PatternTrigger,
        SequenceTrigger as SequenceTrigger,
        Trigger as Trigger,
        Without as Without,
        api as api,
        becomes as becomes,
        changed as changed,
        crossed as crossed,
        entered as entered,
        finished as finished,
        inactive as inactive,
        left as left,
        on as on,
        pattern as pattern,
        stage_changed as stage_changed,
        stuck as stuck,
    )

_PLACES = {
    "channels": (
        "Action ActionCall CallAgain CallFailed CallOutcome Callback Capabilities "
        "Channel Completed Message Receipt Rejected Report RetryAfter Sent Uncertain"
    ),
    "credentials": "Secret",
    "engine.catalog": "Catalog",
    "engine.commands": "AbsorbCustomer CallAction Command PublishEvent SendMessage",
    "engine.customer": "Customer",
    "engine.react": "Reaction react",
    "engine.stimuli": "Absorb Enroll Launch Merge Remove Returned Stimulus WakeUp",
    "engine.trace": "TraceEntry",
    "errors": (
        "ContentError DamagedDocument DefinitionError ForgedCallback IllegalTransition "
        "InputError InvalidCondition InvalidJourney JourneyKitError NewerStore "
        "PluginConflict PluginError PluginLoadError StaleCatalog StaleCustomer "
        "StoreBusy StoreError StoreFull UnknownAction UnknownChannel UnknownStep"
    ),
    "happened": "Delivered Reacted",
    "hookspecs": "hookimpl",
    "model.conditions": (
        "Condition Expression consent contains ends_with entry event has older_than "
        "one_of profile segment size starts_with step timestamp trait within_last "
        "within_next"
    ),
    "model.durations": "Duration days hours minutes months seconds weeks years",
    "model.events": "Event",
    "model.identity": "IdentityRules",
    "model.journey": "ExitRule Goal Holdout Journey ReEntry",
    "model.mapping": "Objective Touchpoint",
    "model.measures": (
        "Active Arrival Conversion Membership MessageRate Occurrences Reach Returning "
        "Revenue SurveyScore Total"
    ),
    "model.placements": "asked",
    "model.policies": (
        "Breaker Cap ClosedDays ConsentDefault OpenHours Policies QuietHours Topic"
    ),
    "model.rates": "Rate rate",
    "model.schedules": "ScheduleTrigger every once",
    "model.segments": "Persona Segment Stage audience_plan",
    "model.steps": (
        "Arm Branch Call Collect Emit Exit Goto Repeat Send Split Start Survey "
        "Until Update Wait WaitFor When Window"
    ),
    "model.traits": (
        "Average Cadence Count Distinct Expected FavoriteChannel FavoriteHour First "
        "Last Max Min MostFrequent Recent Rfm Sum Trait"
    ),
    "model.triggers": (
        "ApiTrigger BecomesTrigger EventTrigger Happens InactiveTrigger PatternTrigger "
        "SequenceTrigger Trigger Without api becomes changed crossed entered finished "
        "inactive left on pattern stage_changed stuck"
    ),
}
_MODULE_OF = {
    name: f"journeykit.{module}"
    for module, names in _PLACES.items()
    for name in names.split()
}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - one table says what is where


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'journeykit' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return __all__
