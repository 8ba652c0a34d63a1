"""The templates as the tests read them: parsed, and as CloudFormation would get them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

INFRA = Path(__file__).parents[2] / "infra"
NAMES = ("channel", "observe", "template")
FUNCTIONS = {  # of both templates, by the name of the module that handles
    "deliver": ("channel", "DeliverFunction", "DeliverRole"),
    "feedback": ("template", "FeedbackFunction", "FeedbackRole"),
    "http": ("template", "HttpFunction", "HttpRole"),
    "ingest": ("template", "IngestFunction", "IngestRole"),
    "publish": ("template", "PublishFunction", "PublishRole"),
    "relay": ("template", "RelayFunction", "RelayRole"),
    "tick": ("template", "TickFunction", "TickRole"),
    "watch": ("template", "WatchFunction", "WatchRole"),
}


@cache
def template(name: str) -> dict[str, Any]:
    """A template as it is written; read it, don't change it."""
    parsed: dict[str, Any] = yaml_parse((INFRA / f"{name}.yaml").read_text("utf-8"))
    return parsed


@cache
def translated(name: str) -> dict[str, Any]:
    """A template as SAM hands it to CloudFormation."""
    written = copy.deepcopy(template(name))
    # `sam deploy` puts the place of the uploaded file here.
    for properties in (
        written.get("Globals", {}).get("Function", {}),
        *(resource.get("Properties", {}) for resource in written["Resources"].values()),
    ):
        if "CodeUri" in properties:
            properties["CodeUri"] = "s3://bucket/code.zip"
    session = boto3.Session(
        region_name="eu-central-1"
    )  # it is asked for the region only
    translator = Translator({}, Parser(), boto_session=session)
    made: dict[str, Any] = translator.translate(written, {}, {})
    return made


def resources(name: str, *kinds: str) -> dict[str, dict[str, Any]]:
    """The resources of a template of these types, by their names there."""
    found = translated(name)["Resources"]
    return {id: part for id, part in found.items() if part["Type"] in kinds}


def everywhere(*kinds: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The resources of all templates of these types."""
    return {
        (name, id): part
        for name in NAMES
        for id, part in resources(name, *kinds).items()
    }


def environment(function: str) -> Mapping[str, Any]:
    """The variables of a function."""
    name, id, _ = FUNCTIONS[function]
    found = translated(name)["Resources"][id]["Properties"]["Environment"]["Variables"]
    return dict(found)


def statements(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All statements of a role, of a policy, or of a resource's own policy."""
    properties = part["Properties"]
    for policy in properties.get("Policies", ()):
        yield from policy["PolicyDocument"]["Statement"]
    for key in ("PolicyDocument", "KeyPolicy"):
        yield from properties.get(key, {}).get("Statement", ())
    if "Statement" in properties:
        yield properties["Statement"]


def many(value: Any) -> list[Any]:
    """What stands alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A value of a template as a text that can be compared: `${Bus.Arn}`."""
    if not isinstance(value, dict):
        return str(value)
    [(function, argument)] = value.items()
    if function == "Ref":
        return f"${{{argument}}}"
    if function == "Fn::GetAtt":
        return f"${{{'.'.join(many(argument))}}}"
    if function == "Fn::Sub":
        return str(argument)
    return repr(value)
