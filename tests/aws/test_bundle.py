"""The bundle that `journeykit build` makes: what is in it, and that it runs by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from journeykit.aws import bundle as bundles
from journeykit.aws.bundle import Bundle, build, report
from journeykit.aws.installing import Target, install, names_in
from journeykit.aws.templates import templates_folder
from journeykit.channels import ANY
from journeykit.errors import InputError
from journeykit.manifest import Manifest, PluginEntry
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace
from journeykit.workspace.bundled import manifest_of

HANDLERS = (
    *("deliver", "feedback", "http", "ingest", "publish", "relay", "tick"),
    "watch",
)
PLUGINS = sorted(
    path.parent.name
    for path in Path(__file__).parents[2].glob("plugins/*/pyproject.toml")
)
DISTRIBUTIONS = {f"journeykit_{name.replace('-', '_')}": [name] for name in PLUGINS}
SETTINGS = """
name = "Shop"

[channels]
email = "webhook"
letter = "console"

[settings.webhook]
url = "https://example.com/hook"
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace") / "shop"
    for part in ("templates/email", "journeys", "tests"):
        (folder / part).mkdir(parents=True)
    (folder / "journeykit.toml").write_text(SETTINGS, "utf-8")
    (folder / "templates/email/hello.html").write_text("<p>Hello", "utf-8")
    (folder / "templates/.hidden").write_text("", "utf-8")
    (folder / "tests/test_shop.py").write_text("", "utf-8")
    (folder / "seeds.txt").write_text("ada@example.com", "utf-8")
    return folder


@pytest.fixture(scope="module")
def manifest(shop: Path) -> Manifest:
    return manifest_of(Workspace.load(shop), Registry.from_plugins(plugin_manager()))


@pytest.fixture(scope="module")
def built(
    shop: Path, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """What is installed here, as a bundle; made once, and without a network."""
    return build(
        shop,
        manifest,
        tmp_path_factory.mktemp("out") / "build",
        from_environment=True,
        include=[Path("seeds.txt")],
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly nothing is installed here, so that building is quick."""

    def copied(names: Sequence[str], folder: Path, **_: object) -> None:
        ours = ("journeykit", "journeykit_handlers", *DISTRIBUTIONS)
        for name in names if "duckdb" in names else ours:
            info = folder / f"{name}-0.1.0.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n", "utf-8"
            )
            for plugin in DISTRIBUTIONS.get(name, []):
                (info / "entry_points.txt").write_text(
                    f"[journeykit]\n{plugin} = {name}\n", "utf-8"
                )
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text("x = {*'abc'}\n", "utf-8")

    monkeypatch.setattr(bundles, "copy_installed", copied)


def files(built: Bundle) -> Iterator[str]:
    code = built.folder / "code"
    for path in sorted(code.rglob("*")):
        if path.is_file():
            yield path.relative_to(code).as_posix()


def test_a_bundle_holds_the_code_and_what_delivering_needs(built: Bundle) -> None:
    found = set(files(built))

    assert {
        "journeykit/engine/react.py",
        "journeykit_handlers/ingest.py",
        "journeykit_webhook/__init__.py",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "journeykit.toml",
        "jinja2/sandbox.py",
        "seeds.txt",
        "manifest.json",
    } <= found


def test_a_bundle_holds_nothing_that_no_function_needs(built: Bundle) -> None:
    found = set(files(built))

    assert not [
        name for name in found if name.startswith(("tests/", "journeys/", "templates/"))
    ]
    assert not [name for name in found if name.startswith("journeykit/cli/")]
    services = {name.split("/")[2] for name in found if "botocore/data/" in name}
    assert {name for name in services if "." not in name} == bundles.SERVICES
    assert "endpoints.json" in services


def test_plugins_can_be_found_in_a_bundle_by_their_metadata(built: Bundle) -> None:
    found = {
        entry_point.name
        for dist in distributions(path=[str(built.folder / "code")])
        for entry_point in dist.entry_points
        if entry_point.group == "journeykit"
    }

    assert found == {*PLUGINS}


def test_a_bundle_says_nothing_of_where_it_was_built(built: Bundle, shop: Path) -> None:
    places = [str(built.folder).encode(), str(shop).encode(), str(Path.cwd()).encode()]

    code = built.folder / "code"
    told = [
        name
        for name in files(built)
        if any(place in (code / name).read_bytes() for place in places)
    ]

    assert told == []


def test_each_module_is_compiled_and_never_compared_with_its_source(
    built: Bundle,
) -> None:
    found = set(files(built))
    own = [
        name for name in found if name.startswith("journeykit") and name[-3:] == ".py"
    ]

    assert own
    for name in own:
        folder, _, module = name.rpartition("/")
        cache = f"{folder}/__pycache__/{module[:-3]}.{sys.implementation.cache_tag}.pyc"
        head = (built.folder / "code" / cache).read_bytes()[:8]
        # https://peps.python.org/pep-0552/: by a hash of the source, that isn't checked.
        assert head[4:] == b"\x01\0\0\0"


def test_the_zip_file_holds_the_folder_in_order_and_without_times(
    built: Bundle,
) -> None:
    with zipfile.ZipFile(built.folder / "code.zip") as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]

        assert names == sorted(files(built))
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    assert built.zipped == (built.folder / "code.zip").stat().st_size


@pytest.mark.usefixtures("small")
def test_building_again_gives_the_same_bytes(
    shop: Path, manifest: Manifest, tmp_path: Path
) -> None:
    one = build(shop, manifest, tmp_path / "one", from_environment=True)
    other = build(shop, manifest, tmp_path / "other", from_environment=True)
    build(shop, manifest, tmp_path / "one", from_environment=True)

    first = (one.folder / "code.zip").read_bytes()
    assert (other.folder / "code.zip").read_bytes() == first


def test_the_templates_stand_beside_the_code(built: Bundle) -> None:
    found = sorted(path.name for path in built.folder.iterdir())

    assert found == [
        *("channel.yaml", "code", "code.zip", "observe.yaml"),
        *("samconfig.toml", "template.yaml", "watch.zip"),
    ]


def test_the_size_is_told_by_distribution(built: Bundle) -> None:
    lines = list(report(built))

    assert built.size == sum(built.sizes.values())
    assert built.size == sum(
        (built.folder / "code" / name).stat().st_size for name in files(built)
    )
    assert {"botocore", "journeykit", "journeykit-handlers"} <= built.sizes.keys()
    assert built.sizes["botocore"] < 7 * 1024 * 1024  # of 21
    assert lines[-1].endswith(f"{built.zipped / 1024 / 1024:.1f} MB zipped")


def test_channels_that_need_something_of_the_operator_are_named(built: Bundle) -> None:
    notes = "\n".join(built.notes)

    assert "channel 'letter' is carried by 'console'" in notes
    assert "channel 'letter' has no block in template.yaml" in notes
    assert f"copy {templates_folder()} to /" in notes
    assert "channel 'email'" not in notes
    assert "holds what is installed here" in notes


@pytest.mark.parametrize("provider", ["pigeon", "other"])
def test_a_channel_without_a_block_is_named_whoever_carries_it(
    shop: Path, manifest: Manifest, provider: str
) -> None:
    other = replace(manifest, channels={"pigeon": provider, "console": "console"})

    notes = " ".join(bundles._noted(shop, templates_folder(), other, False))

    assert "channel 'pigeon' has no block in template.yaml" in notes
    assert "console" not in notes


def test_no_channel_of_our_plugins_lacks_a_block(
    shop: Path, manifest: Manifest
) -> None:
    registry = Registry.from_plugins(plugin_manager())
    ours = {name: who for name, who in registry.channels if name != ANY}
    full = replace(manifest, channels=ours)

    notes = bundles._noted(shop, templates_folder(), full, False)

    assert {"inapp", "instagram", "messenger", "slack"} <= ours.keys()
    assert [note for note in notes if "has no block" in note] == []


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_imported_with_the_bundle_alone(built: Bundle, name: str) -> None:
    code = f"""
import sys
sys.path[:] = [{str(built.folder / "code")!r}, *(p for p in sys.path if "site-packages" not in p)]
import importlib
module = importlib.import_module("journeykit_handlers.{name}")
assert callable(module.lambda_handler)
outside = [
    name
    for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", "") or "")
]
assert not outside, outside
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        check=False,
        env={"AWS_DEFAULT_REGION": "eu-central-1", "PATH": os.environ["PATH"]},
        text=True,
    )

    assert done.returncode == 0, done.stderr


def test_botocore_in_a_bundle_knows_where_its_services_are(built: Bundle) -> None:
    code = """
import botocore.session
session = botocore.session.get_session()
for region in ("eu-central-1", "cn-north-1"):
    for service in ("dynamodb", "sqs", "events", "firehose", "sesv2", "sts"):
        print(session.create_client(service, region_name=region).meta.endpoint_url)
"""

    def said(path: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
            text=True,
        )
        return done.stdout.splitlines()

    cut = built.folder / "code" / "botocore" / "data" / "endpoints.json"
    assert cut.stat().st_size < 100_000
    assert said(str(built.folder / "code")) == said("")


def test_a_manifest_in_the_bundle_gives_a_registry_there(built: Bundle) -> None:
    code = f"""
import sys
sys.path[:] = [{str(built.folder / "code")!r}, *(p for p in sys.path if "site-packages" not in p)]
from journeykit.manifest import Manifest
from journeykit.plugins import Registry
manifest = Manifest.read({str(built.folder / "code" / "manifest.json")!r})
registry = Registry.from_manifest(manifest, environ={{}})
print(*sorted(provider for _, provider in registry.channels))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        check=False,
        text=True,
    )

    here = Registry.from_plugins(plugin_manager())
    assert done.stdout.split() == sorted(who for _, who in here.channels), done.stderr


# --- what the watch runs --------------------------------------------------------------


def inside(archive: Path) -> dict[str, int]:
    """What is in a zip file, with what tells contents apart."""
    with zipfile.ZipFile(archive) as file:
        return {entry.filename: entry.CRC for entry in file.infolist()}


@pytest.mark.usefixtures("small")
def test_without_objectives_the_watch_runs_what_all_functions_run(
    shop: Path, manifest: Manifest, tmp_path: Path
) -> None:
    bundle = build(shop, manifest, tmp_path, from_environment=True)

    assert (tmp_path / "watch.zip").read_bytes() == (tmp_path / "code.zip").read_bytes()
    assert (bundle.watch_size, bundle.watch_zipped) == (bundle.size, bundle.zipped)
    assert [line for line in report(bundle) if "watch" in line] == []


@pytest.mark.usefixtures("small")
def test_with_objectives_the_watch_alone_has_what_makes_their_figures(
    shop: Path, manifest: Manifest, tmp_path: Path
) -> None:
    bundle = build(shop, manifest, tmp_path, from_environment=True, objectives=b"{}\n")

    code, watch = inside(tmp_path / "code.zip"), inside(tmp_path / "watch.zip")
    assert code.items() <= watch.items()
    assert {
        name.split("/")[0].split("-")[0] for name in watch.keys() - code.keys()
    } == {"duckdb"}
    assert (tmp_path / "code" / "objectives.json").read_bytes() == b"{}\n"
    with zipfile.ZipFile(tmp_path / "watch.zip") as file:
        assert bundle.watch_size == sum(entry.file_size for entry in file.infolist())
    [line] = [line for line in report(bundle) if "watch" in line]
    assert "more for the watch alone" in line


@pytest.mark.usefixtures("small")
def test_where_duckdb_is_not_installed_the_watch_does_without(
    shop: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "is_installed", lambda name: False)

    bundle = build(shop, manifest, tmp_path, from_environment=True, objectives=b"{}\n")

    assert inside(tmp_path / "watch.zip") == inside(tmp_path / "code.zip")
    assert "the watch leaves the objectives out" in "\n".join(bundle.notes)


@pytest.mark.usefixtures("small")
def test_what_all_functions_have_already_is_not_put_beside_it(
    shop: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "_FIGURES", ("journeykit-handlers",))

    bundle = build(shop, manifest, tmp_path, from_environment=True, objectives=b"{}\n")

    assert bundle.watch_size == bundle.size


@pytest.mark.slow
def test_the_watch_reads_logs_with_its_bundle_alone(
    shop: Path, manifest: Manifest, tmp_path: Path
) -> None:
    build(shop, manifest, tmp_path / "out", from_environment=True, objectives=b"{}\n")
    with zipfile.ZipFile(tmp_path / "out" / "watch.zip") as file:
        file.extractall(tmp_path / "task")
    code = f"""
import sys
sys.path[:] = [{str(tmp_path / "task")!r}, *(p for p in sys.path if "site-packages" not in p)]
from journeykit.insight.readings import Readings
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
with Warehouse.open(Logs([])) as house:
    print(house.row("select count(*) from runs"))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        check=False,
        env={},
        text=True,
    )

    assert done.stdout == "(0,)\n", done.stderr


# --- what is refused ------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_a_plugin_that_is_in_no_package_is_refused(
    shop: Path, manifest: Manifest, tmp_path: Path
) -> None:
    lost = PluginEntry(name="lost", value="lost", hooks=("journeykit_channels",))
    more = Manifest(workspace="shop", plugins=(*manifest.plugins, lost))

    with pytest.raises(
        InputError, match=r"plugin 'lost' \(no distribution\) is not in"
    ):
        build(shop, more, tmp_path / "out", from_environment=True)


@pytest.mark.usefixtures("small")
def test_a_plugin_that_is_only_in_the_bundle_is_refused(
    shop: Path, manifest: Manifest, tmp_path: Path
) -> None:
    fewer = Manifest(
        workspace="shop",
        plugins=tuple(p for p in manifest.plugins if p.name != "vouchers"),
    )

    with pytest.raises(InputError, match=r"plugin 'vouchers' .* is not loaded here"):
        build(shop, fewer, tmp_path / "out", from_environment=True)


@pytest.mark.usefixtures("small")
def test_a_bundle_that_lambda_would_refuse_is_refused_and_nothing_is_left(
    shop: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "MOST_BYTES", 1024)

    with pytest.raises(InputError, match=r"and Lambda takes 0\.0 MB: \w+"):
        build(shop, manifest, tmp_path / "out", from_environment=True)

    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (Path("nowhere.txt"), "is not there"),
        (Path("../other"), "name a path inside the workspace"),
        (Path("/etc/passwd"), "name a path inside the workspace"),
    ],
    ids=["missing", "outside", "absolute"],
)
def test_only_what_is_in_the_workspace_goes_along(
    shop: Path, manifest: Manifest, tmp_path: Path, path: Path, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        build(shop, manifest, tmp_path, from_environment=True, include=[path])


# --- with pip -----------------------------------------------------------------------


class Pip:
    """Takes down what it is told, and makes wheels that are empty."""

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        if "wheel" in command:
            folder = Path(command[command.index("--wheel-dir") + 1])
            folder.mkdir(parents=True)
            (folder / "journeykit-0.1.0-py3-none-any.whl").touch()


def option(command: Sequence[str], name: str) -> list[str]:
    """Every value that an option is given."""
    return [value for key, value in pairwise(command) if key == name]


def test_pip_is_asked_for_wheels_of_the_functions_platform(tmp_path: Path) -> None:
    pip = Pip()

    install(
        ["click"],
        tmp_path / "code",
        target=Target("arm64", "3.13"),
        wheels=tmp_path / "wheels",
        run=pip,
    )

    [command] = pip.commands
    assert list(command[1:4]) == ["-m", "pip", "install"]
    assert "--only-binary=:all:" in command
    assert option(command, "--python-version") == ["3.13"]
    platforms = option(command, "--platform")
    assert {"manylinux2014_aarch64", "manylinux_2_28_aarch64"} <= {*platforms}
    assert all(platform.endswith("_aarch64") for platform in platforms)
    assert option(command, "--target") == [str(tmp_path / "code")]


def test_what_is_installed_here_is_what_goes_into_the_bundle(tmp_path: Path) -> None:
    pip = Pip()
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("msgspec\nnot-installed-here==1.0\n", "utf-8")
    here = {dist.name: dist.version for dist in distributions()}

    install(
        ["journeykit[aws]", "pluggy"],
        tmp_path / "code",
        target=Target(),
        requirements=requirements,
        wheels=tmp_path / "wheels",
        run=pip,
    )

    wheel, command = pip.commands
    assert "wheel" in wheel
    assert command[-1] == f"msgspec=={here['msgspec']}"
    assert command[-2] == f"pluggy=={here['pluggy']}"
    assert command[-3].endswith("-0.1.0-py3-none-any.whl[aws]")
    assert option(command, "--requirement") == [str(requirements)]
    constraints = Path(option(command, "--constraint")[0]).read_text("utf-8").split()
    assert f"botocore=={here['botocore']}" in constraints
    assert f"pydantic-core=={here['pydantic_core']}".replace("-", "_") in [
        line.replace("-", "_") for line in constraints
    ]
    assert not [line for line in constraints if line.startswith("journeykit")]


def test_a_checkout_is_built_with_what_is_installed_here(tmp_path: Path) -> None:
    pip = Pip()

    install(["journeykit"], tmp_path, target=Target(), wheels=tmp_path / "w", run=pip)

    # hatchling is; a build without it would have to ask an index.
    assert "--no-build-isolation" in pip.commands[0]
    assert "--no-deps" in pip.commands[0]


def test_what_is_not_installed_here_is_not_deployed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'journeykit-nowhere' is not installed here"):
        install(
            ["journeykit-nowhere"],
            tmp_path,
            target=Target(),
            wheels=tmp_path,
            run=Pip(),
        )


def test_requirements_are_read_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# comment\n\nclick >= 8\nurllib3[brotli]==2\n--index-url https://x\n-r other\n",
        "utf-8",
    )

    assert names_in(path) == ["click", "urllib3[brotli]"]


def test_a_failed_command_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from journeykit.aws.installing import run_plainly

    command = [sys.executable, "-c", "print('why'); raise SystemExit(3)"]

    with pytest.raises(InputError, match="this failed with status 3, see above: "):
        run_plainly(command)

    assert capfd.readouterr().err == "why\n"


def test_the_manifest_in_the_bundle_has_the_versions_of_the_bundle(
    built: Bundle,
) -> None:
    text = (built.folder / "code" / "manifest.json").read_text("utf-8")

    written = json.loads(text)

    found = {plugin["name"]: plugin["version"] for plugin in written["plugins"]}
    assert found["webhook"] == "0.1.0"
    assert written["release"] == built.manifest.release
    assert written["channels"]["email"] == "webhook"
