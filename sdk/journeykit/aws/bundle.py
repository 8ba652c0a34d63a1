"""Builds the bundle: one folder with all code that the functions run, and its zip file.

    build/
      template.yaml, channel.yaml, observe.yaml, samconfig.toml      what is deployed
      code.zip      what the functions run; the same bytes for the same content
      code/         the same as a folder, to look at
      watch.zip     what the watch runs: the same, and DuckDB if there are objectives

DuckDB is twice as large as all else together, and a function's cold start takes the longer
the more there is to unpack. So the one function that makes figures has code of its own.

The bundle holds its own botocore, though Lambda's runtime has one: that one changes by
itself, and nobody has tried this code with it. Without the descriptions of services that
nobody calls it has 6 MB, and not 21.
"""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from journeykit.aws.installing import (
    Run,
    Target,
    copy_installed,
    install,
    is_installed,
    names_in,
    normalized,
    run_plainly,
)
from journeykit.aws.templates import templates_folder
from journeykit.errors import InputError
from journeykit.manifest import NAME, OBJECTIVES, Manifest, PluginEntry

MOST_BYTES = 250 * 1024 * 1024
"""What Lambda unpacks at most.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

SERVICES = frozenset(
    {
        *("dynamodb", "sqs", "events", "firehose"),  # what journeykit calls
        *("ssm", "secretsmanager", "kms", "sts"),  # secrets, and roles of others
        *(
            "ses",
            "sesv2",
            "sns",
            "pinpoint-sms-voice-v2",
            "socialmessaging",
        ),  # channels
        *("s3", "lambda"),  # what actions do most
    }
)
"""The services whose descriptions stay in the bundle's botocore."""

_LAMBDA = Target()
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_OURS = ("journeykit[aws]", "journeykit-handlers")
_FIGURES = ("duckdb",)  # what makes the figures of objectives
_COPIED = ("journeykit.toml",)  # templates go with the journeys: they are published
_WHEN = (1980, 1, 1, 0, 0, 0)  # the oldest instant that a zip file can say
_TASK = "/var/task"  # where Lambda unpacks it: what tracebacks are to name
_NO_FIGURES = (
    "the watch leaves the objectives out, whose figures are made with DuckDB: it isn't "
    "installed here; pip install 'journeykit[insight]', and build again"
)
_SHARE = 100 * 1024  # bytes; smaller distributions are reported together


class Bundle(NamedTuple):
    """What was built.

    Attributes:
        folder: Where template and code are.
        manifest: What it holds.
        sizes: Bytes by distribution, the largest first.
        size: Bytes that Lambda unpacks.
        zipped: Bytes of the zip file.
        notes: What an operator ought to know about it.
        watch_size: Bytes that Lambda unpacks for the watch.
        watch_zipped: Bytes of the zip file of the watch.
    """

    folder: Path
    manifest: Manifest
    sizes: Mapping[str, int]
    size: int
    zipped: int
    notes: Sequence[str]
    watch_size: int
    watch_zipped: int


def build(
    workspace: Path,
    manifest: Manifest,
    out: Path,
    *,
    target: Target = _LAMBDA,
    requirements: Path | None = None,
    from_environment: bool = False,
    services: Collection[str] = (),
    include: Collection[Path] = (),
    objectives: bytes = b"",
    run: Run = run_plainly,
) -> Bundle:
    """Build the bundle of a workspace that was checked; nothing is left of one before.

    Args:
        workspace: The folder.
        manifest: What was found in it, and is installed here.
        out: Where the bundle goes.
        target: Where it is to run.
        requirements: What else is to be in it; `requirements.txt` of the workspace if
            there is one and none is given.
        from_environment: Whether to copy what is installed here and ask no index.
        services: AWS services, as botocore calls them, that plugins call.
        include: Files and folders of the workspace that are to go along.
        objectives: Which objectives the watch is to look at, as the file that says it;
            empty: none.
        run: Runs a command.

    Raises:
        InputError: Something is missing, pip fails, or the bundle is too large.
    """
    if from_environment:
        target = target._replace(python=_HERE)
    if requirements is None and (workspace / "requirements.txt").is_file():
        requirements = workspace / "requirements.txt"
    plugins = {p.distribution for p in manifest.plugins} - {"", "journeykit"}
    names = [*_ours(workspace), *sorted(plugins)]
    templates = templates_folder(workspace)
    copied = [*map(Path, _COPIED), *include]
    _refuse_missing(workspace, copied)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as new:
        code = Path(new) / "code"
        wheels = Path(new) / "wheels"
        _installed(
            names,
            code,
            target=None if from_environment else target,
            requirements=requirements,
            wheels=wheels,
            run=run,
        )
        _strip(code, keep=SERVICES | set(services))
        _copy(workspace, code, copied)
        written = _matched(manifest, code)
        written.write(code / NAME)
        if objectives:
            (code / OBJECTIVES).write_bytes(objectives)
        notes = [*_noted(workspace, templates, written, from_environment)]
        notes += _compile(code, target)
        size, sizes = _measured(code)
        _refuse_large(size, sizes)
        archive = Path(new) / "code.zip"
        _zip(code, archive)
        watch = Path(new) / "watch.zip"
        more = 0
        there = {normalized(dist.name) for dist in _bundled(code)}
        if not objectives or there.issuperset(_FIGURES):
            shutil.copyfile(archive, watch)
        elif all(map(is_installed, _FIGURES)):
            figures = Path(new) / "figures"
            _installed(
                _FIGURES,
                figures,
                target=None if from_environment else target,
                wheels=Path(new) / "more-wheels",
                run=run,
            )
            _strip(figures, keep=())
            _compile(figures, target)
            more, by_name = _measured(figures)
            _refuse_large(size + more, {**sizes, **by_name})
            shutil.copytree(code, figures, dirs_exist_ok=True)
            _zip(figures, watch)
        else:
            shutil.copyfile(archive, watch)
            notes.append(_NO_FIGURES)
        _replace(out / "code", code)
        _replace(out / "code.zip", archive)
        _replace(out / "watch.zip", watch)
    for path in sorted([*templates.glob("*.yaml"), *templates.glob("*.toml")]):
        shutil.copyfile(path, out / path.name)
    zipped, watch_zipped = (
        (out / name).stat().st_size for name in ("code.zip", "watch.zip")
    )
    return Bundle(out, written, sizes, size, zipped, notes, size + more, watch_zipped)


def report(bundle: Bundle) -> Iterator[str]:
    """Say how large it is, by distribution, in lines for people."""
    small = [size for size in bundle.sizes.values() if size < _SHARE]
    for name, size in bundle.sizes.items():
        if size >= _SHARE:
            yield f"{_mb(size):>9}  {name}"
    if small:
        yield f"{_mb(sum(small)):>9}  {len(small)} smaller ones"
    yield f"{_mb(bundle.size):>9}  in total; {_mb(bundle.zipped)} zipped"
    if more := bundle.watch_size - bundle.size:
        yield (
            f"{_mb(more):>9}  more for the watch alone, which looks at objectives; "
            f"{_mb(bundle.watch_zipped)} zipped"
        )


def _installed(
    names: Sequence[str],
    code: Path,
    *,
    target: Target | None,
    requirements: Path | None = None,
    wheels: Path,
    run: Run,
) -> None:
    """Put distributions into a folder: for a target, or as they are installed here."""
    if target is None:
        further = names_in(requirements) if requirements else []
        copy_installed([*names, *further], code, wheels=wheels, run=run)
    else:
        install(
            names,
            code,
            target=target,
            requirements=requirements,
            wheels=wheels,
            run=run,
        )


def _refuse_large(size: int, sizes: Mapping[str, int]) -> None:
    """Refuse what Lambda would.

    Raises:
        InputError: It is too large.
    """
    if size > MOST_BYTES:
        largest = sorted(sizes.items(), key=lambda one: -one[1])[:5]
        raise InputError(
            f"the bundle has {_mb(size)}, and Lambda takes {_mb(MOST_BYTES)}: "
            + ", ".join(f"{name} {_mb(n)}" for name, n in largest)
        )


def _ours(workspace: Path) -> Sequence[str]:
    """Our own distributions, with what templates need if there are any."""
    folder = workspace / "templates"
    if any(path.is_file() for path in folder.rglob("*")):
        return ("journeykit[aws,templates]", "journeykit-handlers")
    return _OURS


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _strip(code: Path, *, keep: Collection[str]) -> None:
    """Take away what no function needs; the metadata stays, plugins are found by it."""
    shutil.rmtree(code / "bin", ignore_errors=True)
    for cache in sorted(code.rglob("__pycache__")):
        shutil.rmtree(cache)
    # The stack's templates, and what only a command line or a test needs of our own.
    for part in ("aws/infra", "cli", "testing", "local"):
        shutil.rmtree(code / "journeykit" / part, ignore_errors=True)
    data = code / "botocore" / "data"
    for folder in sorted(data.glob("*/")):
        if folder.name not in keep:
            shutil.rmtree(folder)
    if data.is_dir():
        _cut_endpoints(data)
    for info in code.glob("*.dist-info"):
        _cleared(info)


def _cut_endpoints(data: Path) -> None:
    """Leave the endpoints of services that are there; each process parses all of them."""
    prefixes = {
        json.loads(gzip.decompress(path.read_bytes()))["metadata"]["endpointPrefix"]
        for path in data.glob("*/*/service-2.json.gz")
    }
    path = data / "endpoints.json"
    endpoints = json.loads(path.read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {n: services[n] for n in services if n in prefixes}
    path.write_text(json.dumps(endpoints, separators=(",", ":")), "utf-8")


def _cleared(info: Path) -> None:
    """Forget how a distribution got here, and which of its files are gone.

    The folder of a wheel that pip was given is another one each time.
    """
    for name in ("direct_url.json", "REQUESTED"):
        (info / name).unlink(missing_ok=True)
    record = info / "RECORD"
    rows = record.read_text("utf-8").splitlines() if record.is_file() else []
    there = [row for row in rows if (info.parent / _recorded(row)).is_file()]
    record.write_text("".join(f"{row}\n" for row in sorted(there)), "utf-8")


def _recorded(row: str) -> str:
    """The file that a row of a RECORD is about."""
    return next(csv.reader([row]))[0]


def _refuse_missing(workspace: Path, paths: Collection[Path]) -> None:
    """Refuse what isn't in the workspace.

    Raises:
        InputError: Something was asked for and isn't.
    """
    for path in paths:
        if path.is_absolute() or ".." in path.parts:
            raise InputError("name a path inside the workspace", place=str(path))
        if str(path) not in _COPIED and not (workspace / path).exists():
            raise InputError("is not there", place=str(workspace / path))


def _copy(workspace: Path, code: Path, paths: Collection[Path]) -> None:
    """Copy what delivering needs of a workspace."""
    for path in paths:
        source, place = workspace / path, code / path
        if source.is_dir():
            hidden = shutil.ignore_patterns(".*", "__pycache__")
            shutil.copytree(source, place, ignore=hidden, dirs_exist_ok=True)
        elif source.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def _matched(manifest: Manifest, code: Path) -> Manifest:
    """The manifest with the versions that the bundle has.

    Raises:
        InputError: A plugin is missing in the bundle, or only there.
    """
    found = {normalized(dist.name): dist for dist in _bundled(code)}
    plugins: list[PluginEntry] = []
    for plugin in manifest.plugins:
        dist = found.get(normalized(plugin.distribution))
        if dist is None:
            raise InputError(
                f"plugin {plugin.name!r} ({plugin.distribution or 'no distribution'}) "
                "is not in the bundle; install it as a package, or name it in "
                "requirements.txt"
            )
        plugins.append(
            PluginEntry(
                name=plugin.name,
                value=plugin.value,
                distribution=plugin.distribution,
                version=dist.version,
                hooks=plugin.hooks,
            )
        )
    known = {plugin.name for plugin in plugins}
    for dist in found.values():
        for entry_point in dist.entry_points:
            if entry_point.group == "journeykit" and entry_point.name not in known:
                raise InputError(
                    f"plugin {entry_point.name!r} ({dist.name} {dist.version}) would be "
                    "in the bundle, but is not loaded here; install it, so that the "
                    "workspace is checked with it"
                )
    release = found["journeykit"].version
    return replace(manifest, release=release, plugins=tuple(plugins))


def _bundled(code: Path) -> Iterator[Distribution]:
    yield from sorted(distributions(path=[str(code)]), key=lambda dist: dist.name)


def _noted(
    workspace: Path,
    templates: Path,
    manifest: Manifest,
    from_environment: bool,
) -> Iterator[str]:
    """What an operator ought to know of what was built."""
    if from_environment:
        yield (
            f"it holds what is installed here, for Python {_HERE} on this machine; it is "
            "for trying, and for Lambda only if its functions run on the same"
        )
    for name, provider in manifest.channels.items():
        if provider in ("console", "file") and name != provider:
            where = "into the function's log" if provider == "console" else "to a disk"
            yield (
                f"channel {name!r} is carried by {provider!r}, which writes addresses "
                f"and contents {where}; say who carries it, in journeykit.toml"
            )
    text = (templates / "template.yaml").read_text("utf-8")
    for name, provider in manifest.channels.items():
        built_in = name in ("console", "file") and name == provider
        if not built_in and f"Channel: {name}," not in text:
            own = workspace / "infra"
            copy = f"copy {templates.resolve()} to {own.resolve()} and "
            yield (
                f"channel {name!r} has no block in template.yaml, so nothing is sent on "
                f"it; {copy if templates != own else ''}add one, as the template says"
            )


def _compile(code: Path, target: Target) -> list[str]:
    """Compile every module, for the target's Python; say so if that can't be done.

    The caches never look at their sources: nobody changes them in Lambda, and unpacking
    gives all files new times.
    """
    python = _python(target.python)
    if python is None:
        note = (
            f"Python {target.python} isn't installed here, so the modules aren't "
            "compiled: each cold start takes two to three times as long; install it, "
            "or build where it is"
        )
        return [note]
    done = subprocess.run(  # noqa: S603 - a Python, and arguments of ours
        [
            *(python, "-m", "compileall", "-q", "-j", "0"),
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", str(code), "-p", _TASK, str(code)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:  # such as a plugin's template of a module
        return [f"not everything could be compiled: {done.stdout.strip():.500}"]
    return []


def _python(version: str) -> str | None:
    """A Python of this version, ours if it is one."""
    if version == _HERE:
        return sys.executable
    python = shutil.which(f"python{version}")
    if python is None:
        return None
    # A version manager's stand-in is there for versions that it doesn't run.
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    return python if done.stdout.strip() == version else None


def _measured(code: Path) -> tuple[int, dict[str, int]]:
    """How many bytes it has, in all and by distribution, the largest first."""
    owners: dict[str, str] = {}
    for dist in _bundled(code):
        for row in (dist.read_text("RECORD") or "").splitlines():
            owners[_recorded(row)] = dist.name
    sizes: Counter[str] = Counter()
    for path in _files(code):
        inside = path.relative_to(code)
        source = inside
        if inside.parent.name == "__pycache__":
            source = inside.parent.parent / f"{inside.name.split('.')[0]}.py"
        sizes[owners.get(source.as_posix(), "workspace")] += path.stat().st_size
    return sum(sizes.values()), dict(sizes.most_common())


def _files(folder: Path) -> list[Path]:
    """All files in it, in an order that no system changes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _zip(code: Path, archive: Path) -> None:
    """Zip a folder, to the same bytes for the same content."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in _files(code):
            entry = zipfile.ZipInfo(path.relative_to(code).as_posix(), _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also where it is built on another system
            entry.external_attr = 0o644 << 16  # a function runs as somebody else
            file.writestr(entry, path.read_bytes())


def _replace(old: Path, new: Path) -> None:
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)
