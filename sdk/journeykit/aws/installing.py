"""Puts distributions into a folder: with pip for the functions' platform, or as they are here.

What is installed here from a checkout, editable, goes into the folder as the wheel of what
the checkout holds now; everything else in the version that is installed here, also what it
needs in turn. So what was checked and tried is what is deployed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from journeykit.errors import InputError

Architecture = Literal["arm64", "x86_64"]

_MACHINES: Mapping[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
# The oldest and the newest glibc of wheels that run on Amazon Linux 2023, which has 2.34.
# pip takes a wheel only if its very tag is named.
_GLIBC = range(34, 16, -1)
_STDERR = 2  # what a command tells is no result of ours

Run = Callable[[Sequence[str]], None]


class Target(NamedTuple):
    """Where the bundle is to run.

    Attributes:
        architecture: As Lambda calls it.
        python: Major and minor version, such as 3.13.
    """

    architecture: Architecture = "arm64"
    python: str = "3.13"

    def tags(self) -> Iterator[str]:
        """The platforms whose wheels run there."""
        machine = _MACHINES[self.architecture]
        yield from (f"manylinux_2_{minor}_{machine}" for minor in _GLIBC)
        yield f"manylinux2014_{machine}"


def run_plainly(command: Sequence[str]) -> None:
    """Run a command that says itself what is wrong.

    Raises:
        InputError: It failed; what it said stands on the terminal already.
    """
    done = subprocess.run(command, stdout=_STDERR, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise InputError(
            f"this failed with status {done.returncode}, see above: {' '.join(command)}"
        )


def install(
    names: Iterable[str],
    folder: Path,
    *,
    target: Target,
    requirements: Path | None = None,
    wheels: Path,
    run: Run = run_plainly,
) -> None:
    """Have pip put distributions and what they need into a folder.

    Args:
        names: What is installed here, extras in brackets: `journeykit[aws]`.
        folder: Where they go; it is made.
        target: Where they are to run.
        requirements: A file of further requirements, in pip's form.
        wheels: A folder for the wheels of what is installed from a checkout.
        run: Runs a command.

    Raises:
        InputError: One of them isn't installed here, or pip fails.
    """
    further = names_in(requirements) if requirements else []
    names = [*names, *(name for name in further if is_installed(_parts(name)[0]))]
    closure = list(_closure(names))
    built = _wheels(closure, wheels, run)
    versions = wheels / "versions.txt"
    versions.parent.mkdir(parents=True, exist_ok=True)
    versions.write_text(
        "".join(f"{d.name}=={d.version}\n" for d in closure if not _direct_url(d)),
        "utf-8",
    )
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--no-compile", "--target", str(folder)),
            *("--python-version", target.python, "--implementation", "cp"),
            *("--only-binary=:all:", "--constraint", str(versions)),
            *(part for tag in target.tags() for part in ("--platform", tag)),
            *(["--requirement", str(requirements)] if requirements else []),
            *(_requirement(name, built) for name in names),
        ]
    )


def copy_installed(
    names: Iterable[str], folder: Path, *, wheels: Path, run: Run = run_plainly
) -> None:
    """Copy distributions and what they need, as they are installed here.

    That needs no package index. What comes of it runs where this Python does.

    Raises:
        InputError: One of them isn't installed here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    closure = list(_closure(names))
    built = _wheels(closure, wheels, run)
    for found in closure:
        if (wheel := built.get(normalized(found.name))) is not None:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
            continue
        for file in found.files or ():
            if ".." in file.parts or file.suffix == ".pyc":  # a script; its cache
                continue
            place = folder / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), place)


def names_in(requirements: Path) -> list[str]:
    """The names of the distributions that a file of requirements asks for.

    Raises:
        InputError: It can't be read.
    """
    try:
        lines = requirements.read_text("utf-8").splitlines()
    except OSError as error:
        place = str(requirements)
        raise InputError(f"can't be read: {error.strerror}", place=place) from error
    named = [_REQUIREMENT.match(line.strip()) for line in lines]
    return [match[0].replace(" ", "") for match in named if match]


def normalized(name: str) -> str:
    """A distribution's name as all spellings of it are written."""
    return re.sub(r"[-_.]+", "-", name).lower()


_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?")


def _found(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise InputError(
            f"the distribution {name!r} is not installed here; install it, so that what "
            "is deployed is what the workspace was checked with"
        ) from None


def _parts(requirement: str) -> tuple[str, frozenset[str]]:
    """Name and extras of a requirement."""
    match = _REQUIREMENT.match(requirement.strip())
    if match is None:
        raise InputError(f"{requirement!r} is no requirement")
    extras = frozenset(
        normalized(extra) for extra in (match[2] or "").split(",") if extra
    )
    return match[1], extras


def _requirement(name: str, built: Mapping[str, Path]) -> str:
    """What to tell pip, so that it installs what is installed here."""
    bare, extras = _parts(name)
    found = _found(bare)
    bracket = f"[{','.join(sorted(extras))}]" if extras else ""
    if (wheel := built.get(normalized(bare))) is not None:
        return f"{wheel}{bracket}"
    if url := _direct_url(found).get("url"):
        return f"{bare}{bracket} @ {url}"
    return f"{bare}{bracket}=={found.version}"


def _direct_url(found: Distribution) -> dict[str, Any]:
    """Where a distribution came from, if from no index."""
    text = found.read_text("direct_url.json")
    document: dict[str, Any] = json.loads(text) if text else {}
    return document


def _editable(found: Distribution) -> Path | None:
    """The checkout that a distribution is installed from; None if from none."""
    document = _direct_url(found)
    if not document.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(document["url"]).path))


def _wheels(
    closure: Iterable[Distribution], folder: Path, run: Run
) -> Mapping[str, Path]:
    """Build the wheels of what is installed from checkouts; return them by name."""
    sources = [source for found in closure if (source := _editable(found)) is not None]
    if not sources:
        return {}
    # Offline, where what builds them is installed here.
    here = [] if any(map(_builds_with_more, sources)) else ["--no-build-isolation"]
    run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--no-deps", *here),
            *("--wheel-dir", str(folder), *map(str, sources)),
        ]
    )
    return {normalized(path.name.split("-")[0]): path for path in folder.glob("*.whl")}


def _builds_with_more(source: Path) -> bool:
    """Whether a checkout's build needs something that isn't installed here."""
    path = source / "pyproject.toml"
    project = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    for requirement in project.get("build-system", {}).get("requires", ["setuptools"]):
        try:
            distribution(_parts(requirement)[0])
        except PackageNotFoundError:
            return True
    return False


def _closure(names: Iterable[str]) -> Iterator[Distribution]:
    """Distributions and what they need, each once.

    What is needed on other machines only isn't installed here, and so left out; what is
    there is taken without asking whether this machine needs it.
    """
    seen: dict[str, frozenset[str]] = {}
    waiting = [_parts(name) for name in names]
    while waiting:
        name, extras = waiting.pop()
        key = normalized(name)
        known = seen.get(key)
        if known is not None and extras <= known:
            continue
        seen[key] = extras | (known or frozenset())
        found = _found(name)
        if known is None:
            yield found
        for requirement in found.requires or ():
            what, _, marker = requirement.partition(";")
            asked = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
            if asked and normalized(asked[1]) not in extras:
                continue
            needed = _parts(what)
            if marker and not is_installed(needed[0]):
                continue
            waiting.append(needed)


def is_installed(name: str) -> bool:
    """Whether a distribution is installed here."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
