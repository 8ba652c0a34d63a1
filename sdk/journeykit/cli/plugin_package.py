"""What `journeykit init --plugin` writes: a package with one plugin and its tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from journeykit.errors import InputError
from journeykit.plugins import BUILT_IN

Kind: TypeAlias = Literal["channel", "action"]

STARTER = Path(__file__).parent / "plugin_starter"
_LONGEST = 50  # characters; a name is part of file names and of a table of plugins


def package_name(name: str) -> str:
    """The short name of a plugin as an index of packages would normalize it (PEP 503).

    Raises:
        InputError: No package, module and class can be named after it.
    """
    short = re.sub(r"[-_.]+", "-", name).lower().removeprefix("journeykit-")
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", short, re.ASCII):
        raise InputError(
            f"{name!r} can't name a package; use letters, digits and single dashes, "
            "and begin with a letter: sms-gate",
            place="--plugin",
        )
    if len(short) > _LONGEST:
        raise InputError(f"has more than {_LONGEST} characters", place="--plugin")
    if short in {entry_point.name for entry_point in BUILT_IN}:
        raise InputError(
            f"{short!r} is built in already; choose another name", place="--plugin"
        )
    return short


def package_files(name: str, kind: Kind) -> Mapping[Path, str]:
    """The files of a package, by their paths in its folder.

    Args:
        name: As `package_name` returns it.
        kind: What the plugin adds.
    """
    module = f"journeykit_{name.replace('-', '_')}"
    source = Path("src", module)
    return {
        Path("pyproject.toml"): _text("pyproject.toml", name, kind),
        Path("README.md"): _text(f"README.{kind}.md", name, kind),
        source / "__init__.py": _text(f"{kind}.py", name, kind),
        source / "py.typed": "",
        Path("tests", f"test_{name.replace('-', '_')}.py"): _text(
            f"test_{kind}.py", name, kind
        ),
    }


def _text(file: str, name: str, kind: Kind) -> str:
    """A template with every form of the word `starter` replaced by that of the name."""
    text = (STARTER / f"{file}.tmpl").read_text("utf-8")
    snake = name.replace("-", "_")
    forms = {
        "KIND": kind,
        "EXTRAS": "http,sms" if kind == "channel" else "http",
        "STARTER": snake.upper(),
        "Starter": "".join(part.capitalize() for part in name.split("-")),
        "journeykit_starter": f"journeykit_{snake}",
        "test_starter": f"test_{snake}",
        "starter": name,
    }
    return re.sub("|".join(forms), lambda match: forms[match[0]], text)
