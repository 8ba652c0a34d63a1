"""The kinds of steps: what authors write and what the engine runs are one list."""

from typing import get_args

from journeykit.engine.steps import KINDS
from journeykit.model.steps import Step


def test_the_engine_runs_each_kind_of_step_that_authors_write() -> None:
    union, _discriminator = get_args(Step)
    kinds = {kind.__dataclass_fields__["type"].default for kind in get_args(union)}

    assert {getattr(kind, "default", kind) for kind in kinds} == set(KINDS)


def test_each_kind_is_called_the_same_on_both_sides() -> None:
    assert all(kind == step.kind for kind, step in KINDS.items())
