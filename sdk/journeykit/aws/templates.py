"""Finds the templates of the stack: of an installed journeykit, or of a checkout."""

from __future__ import annotations

from pathlib import Path

from journeykit.errors import InputError

TEMPLATE = "template.yaml"
"""The stack; the other templates are parts of it."""

_HERE = Path(__file__).resolve().parent
_INSTALLED = _HERE / "infra"  # where the wheel has the checkout's infra/
_CHECKOUT = _HERE.parents[2] / "infra"


def concurrency_of(channel: str) -> str:
    """Return the parameter of the stack that deploys a channel: `SmsConcurrency`."""
    return "".join(filter(str.isalnum, channel.title())) + "Concurrency"


def templates_folder(workspace: Path | None = None) -> Path:
    """Return the folder with `template.yaml` and its parts.

    Args:
        workspace: A team may keep its own copy, in `infra/` of its workspace.

    Raises:
        InputError: There is none.
    """
    own = [workspace / "infra"] if workspace is not None else []
    for folder in (*own, _INSTALLED, _CHECKOUT):
        if (folder / TEMPLATE).is_file():
            return folder
    raise InputError(
        "there are no templates in this installation of journeykit; copy infra/ of its "
        "repository into the workspace"
    )
