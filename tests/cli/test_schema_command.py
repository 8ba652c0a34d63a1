"""`journeykit schema` prints what editors and programs check documents with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from journeykit.cli import group
from journeykit.cli.init import STARTER
from journeykit.cli.schema import SCHEMAS


def schema(*args: str) -> Result:
    return CliRunner().invoke(group, ["schema", *args])


def validator(what: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads(schema(what).stdout))


def documents(name: str) -> list[Any]:
    path = STARTER / name
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [YAML(typ="safe", pure=True).load(path)]


@pytest.mark.parametrize("what", SCHEMAS)
def test_each_is_a_json_schema(what: str) -> None:
    printed = json.loads(schema(what).stdout)

    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_journey_is_what_is_meant_without_a_word() -> None:
    assert schema().stdout == schema("journey").stdout


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("journey", "journeys/welcome.yaml"),
        ("policies", "policies.yaml"),
        ("event", "events.jsonl"),
    ],
)
def test_what_init_writes_fits(what: str, name: str) -> None:
    for document in documents(name):
        validator(what).validate(document)


@pytest.mark.parametrize(
    ("what", "document"),
    [
        ("journey", {"id": "a"}),
        ("policies", {"caps": [{"limt": 1}]}),
        ("event", {"id": "1", "name": "x"}),
        ("trace", {"kind": "sent"}),
    ],
)
def test_what_is_wrong_does_not_fit(what: str, document: object) -> None:
    assert not validator(what).is_valid(document)


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "journey.json"

    done = schema("journey", "--out", str(path))

    assert done.exit_code == 0
    assert path.read_text("utf-8") == schema().stdout
    assert schema("--out", str(tmp_path / "no" / "x.json")).exit_code == 1


def test_an_unknown_one_names_those_that_there_are() -> None:
    done = schema("journeys")

    assert done.exit_code == 2
    assert "'journey', 'policies'" in done.stderr
