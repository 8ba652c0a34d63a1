"""Reads what `infra/` deploys: a template of CloudFormation, with the values filled in.

CloudFormation itself is not emulated. A stack knows its parameters, conditions and
resources, and what `Ref` and `Fn::GetAtt` say of each resource, so that the emulator makes
the tables and queues of the template, and gives each function the environment that it
will have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

from journeykit.errors import InputError

ACCOUNT = "123456789012"
PARTITION = "aws"

_NO_VALUE = object()
_SHORT = {"Ref": "Ref", "Condition": "Condition"}  # the others are `Fn::` and the tag


class Resource(NamedTuple):
    """One resource of a template.

    Attributes:
        id: Its logical name.
        type: What it is: `AWS::SQS::Queue`.
        properties: What is said of it, with all values filled in.
    """

    id: str
    type: str
    properties: Mapping[str, Any]


class Stack:
    """A template that is deployed under a name."""

    def __init__(
        self,
        template: Mapping[str, Any],
        *,
        name: str,
        region: str,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """Take a template as `read` returns it.

        Args:
            template: The document.
            name: The stack's.
            region: Where it is deployed.
            parameters: Values for its parameters; the others have their defaults.

        Raises:
            InputError: A parameter is missing, or there is no such one.
        """
        self.name = name
        self._region = region
        self._template = template
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._given = dict(parameters or {})
        self._parameters = _parameters(template, self._given)
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": PARTITION,
            "AWS::Region": region,
            "AWS::StackId": self._arn("cloudformation", f"stack/{name}/emulated"),
            "AWS::StackName": name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def again(self, name: str, parameters: Mapping[str, str]) -> Stack:
        """The same template once more, with some parameters that differ."""
        known = {**self._given, **parameters}
        return Stack(self._template, name=name, region=self._region, parameters=known)

    def resources(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of these types that are deployed, or all."""
        for id, resource in self._resources.items():
            if types and resource["Type"] not in types:
                continue
            condition = resource.get("Condition")
            if condition is None or self._holds(condition):
                yield self.resource(id)

    def resource(self, id: str) -> Resource:
        """Return a resource by its logical name."""
        resource = self._resources[id]
        properties = dict(resource.get("Properties", {}))
        if resource["Type"] == "AWS::Serverless::Function":
            common = self._template.get("Globals", {}).get("Function", {})
            properties = _merged(common, properties)
        return Resource(id, resource["Type"], self.filled(properties))

    def outputs(self) -> Mapping[str, Any]:
        """What the stack says of itself."""
        return {
            name: self.filled(output["Value"])
            for name, output in self._template.get("Outputs", {}).items()
            if "Condition" not in output or self._holds(output["Condition"])
        }

    def physical(self, id: str) -> str:
        """The name that a resource has in the account."""
        resource = self._resources[id]
        key = _NAMED.get(resource["Type"])
        given = resource.get("Properties", {}).get(key) if key else None
        if given is None:
            made = f"{self.name}-{id}"
            # CloudFormation makes the names of buckets of small letters only.
            return made.lower() if resource["Type"] == "AWS::S3::Bucket" else made
        return str(self.filled(given))

    # --- values ----------------------------------------------------------------------

    def filled(self, value: Any) -> Any:
        """Return a part of the template with its functions replaced by what they say.

        Raises:
            InputError: It uses a function that the emulator doesn't know.
        """
        if isinstance(value, list):
            parts = [self.filled(part) for part in value]
            return [part for part in parts if part is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        known = {name: self.filled(part) for name, part in value.items()}
        return {name: part for name, part in known.items() if part is not _NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Fn::GetAtt", str():
                return self._attribute(*argument.split(".", 1))
            case "Fn::GetAtt", [id, attribute]:
                return self._attribute(id, attribute)
            case "Fn::Sub", str():
                return self._substituted(argument, {})
            case "Fn::Sub", [text, values]:
                return self._substituted(text, self.filled(values))
            case "Fn::If", [condition, yes, no]:
                return self.filled(yes if self._holds(condition) else no)
            case "Fn::Join", [separator, parts]:
                return separator.join(map(str, self.filled(parts)))
            case "Fn::Split", [separator, text]:
                return self.filled(text).split(separator)
            case "Fn::Select", [index, parts]:
                return self.filled(parts)[int(self.filled(index))]
            case "Fn::FindInMap", [table, row, column]:
                rows = self._template["Mappings"][self.filled(table)]
                return rows[self.filled(row)][self.filled(column)]
            case "Fn::Base64", text:
                return self.filled(text)
            case "Fn::ImportValue", text:
                # Both templates say which stack they mean by a parameter.
                return self.filled(text)
        raise InputError(
            f"{name} is not emulated", place=f"template of stack {self.name}"
        )

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        if name not in self._resources:
            raise InputError(
                f"nothing is called {name!r}", place=f"template of stack {self.name}"
            )
        physical = self.physical(name)
        if self._resources[name]["Type"] == "AWS::SNS::Topic":
            return self._attribute(name, "Arn")
        if self._resources[name]["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.{self._region}.amazonaws.com/{ACCOUNT}/{physical}"
        return physical

    def _attribute(self, id: str, attribute: str) -> str:
        physical = self.physical(id)
        kind = self._resources[id]["Type"]
        if attribute in ("QueueName", "Name", "TableName"):
            return physical
        if attribute == "QueueUrl":
            return str(self._ref(id))
        if attribute.startswith(("Outputs.", "Api")):
            return f"{physical}-{attribute}"
        service, prefix = _ARNS.get(kind, (kind.split("::")[1].lower(), ""))
        arn = self._arn(service, prefix + physical)
        return f"{arn}/stream/emulated" if attribute == "StreamArn" else arn

    def _arn(self, service: str, resource: str) -> str:
        region = "" if service in ("iam", "s3") else self._region
        account = "" if service == "s3" else ACCOUNT
        return f"arn:{PARTITION}:{service}:{region}:{account}:{resource}"

    def _substituted(self, text: str, values: Mapping[str, Any]) -> str:
        def said(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                return str(values[name])
            if "." in name and not name.startswith("AWS::"):
                return self._attribute(*name.split(".", 1))
            return str(self._ref(name))

        return _PLACE.sub(said, text)

    # --- conditions ------------------------------------------------------------------

    def _holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self._holds(self._template["Conditions"][condition])
        [(name, argument)] = condition.items()
        asked: dict[str, Callable[[], bool]] = {
            "Condition": lambda: self._holds(argument),
            "Fn::Equals": lambda: self.filled(argument[0]) == self.filled(argument[1]),
            "Fn::Not": lambda: not self._holds(argument[0]),
            "Fn::And": lambda: all(map(self._holds, argument)),
            "Fn::Or": lambda: any(map(self._holds, argument)),
        }
        return asked[name]()


_PLACE = re.compile(r"\$\{([^}]+)\}")

# By which property the author may name a resource.
_NAMED = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::SSM::Parameter": "Name",
}

# Service and what stands before the name in the last part of an ARN.
_ARNS = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/"),
    "AWS::Events::EventBus": ("events", "event-bus/"),
    "AWS::Events::Rule": ("events", "rule/"),
    "AWS::IAM::Role": ("iam", "role/"),
    "AWS::KMS::Key": ("kms", "key/"),
    "AWS::KinesisFirehose::DeliveryStream": ("firehose", "deliverystream/"),
    "AWS::Lambda::Function": ("lambda", "function:"),
    "AWS::Logs::LogGroup": ("logs", "log-group:"),
    "AWS::S3::Bucket": ("s3", ""),
    "AWS::SNS::Topic": ("sns", ""),
    "AWS::SQS::Queue": ("sqs", ""),
    "AWS::Serverless::Function": ("lambda", "function:"),
}


@lru_cache(maxsize=16)
def read(path: Path) -> Mapping[str, Any]:
    """Read a template, its short forms (`!Ref`) written out.

    Raises:
        InputError: It can't be read, or is no template.
    """
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=_Loader)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"can't be read: {error}", place=str(path)) from error
    if not isinstance(document, dict) or "Resources" not in document:
        raise InputError("is no template: it has no Resources", place=str(path))
    return document


# The one in C is twenty times as fast, where there is one.
_Parent: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Parent):  # type: ignore[misc]
    """YAML as CloudFormation writes it."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {_SHORT.get(tag, f"Fn::{tag}"): value}


_Loader.add_multi_constructor("!", _short_form)
# CloudFormation knows no dates: a template's version and a policy's are texts.
_Loader.yaml_implicit_resolvers = {
    first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parameters(
    template: Mapping[str, Any], given: Mapping[str, str]
) -> Mapping[str, Any]:
    declared: Mapping[str, Any] = template.get("Parameters", {})
    if unknown := given.keys() - declared.keys():
        raise InputError(f"the template has no parameter {min(unknown)!r}")
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.get("Default"))
        if value is None:
            raise InputError(f"the template's parameter {name!r} has no value")
        is_list = str(parameter["Type"]).startswith(("List<", "CommaDelimitedList"))
        values[name] = str(value).split(",") if is_list else value
    return values


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What SAM makes of `Globals`: mappings are merged, lists are joined."""
    merged = {**common, **own}
    for name in common.keys() & own.keys():
        if isinstance(common[name], dict) and isinstance(own[name], dict):
            merged[name] = _merged(common[name], own[name])
        elif isinstance(common[name], list) and isinstance(own[name], list):
            merged[name] = [*common[name], *own[name]]
    return merged
