"""A deployed stack, as an operator's machine reaches it: by its publish function.

Credentials and region are those of the AWS command line: `AWS_PROFILE`, `AWS_REGION`, a
login. They need `lambda:InvokeFunction` for the function and, to find it by the name of
its stack, `cloudformation:DescribeStacks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError

from journeykit.aws.clients import session
from journeykit.aws.failures import code_of, translated
from journeykit.errors import InputError, StoreError

OUTPUT = "PublishFunction"
"""The output of the template that names the function."""

_MAX_REQUEST = (
    6 * 1024 * 1024
)  # what Lambda takes of a request that waits for its answer
_READ_S = 900  # as long as a function may run


class Refused(StoreError):
    """The stack refuses what it was asked; the message is its own."""


class Stack:
    """Asks the publish function of a stack."""

    def __init__(self, name: str = "", *, function: str = "") -> None:
        """Connect to nobody yet.

        Args:
            name: The stack's name.
            function: The function's name or ARN; empty: the stack's output says it.
        """
        self._name = name
        self._named = function

    @cached_property
    def function(self) -> str:
        """The name of the function.

        Raises:
            InputError: There is no such stack, or it has no such function.
            StoreError: AWS can't be asked.
        """
        return self._named or self.output(OUTPUT)

    def output(self, key: str) -> str:
        """Return what an output of the stack says: the name of a resource.

        Raises:
            InputError: There is no such stack, or it has no such output.
            StoreError: AWS can't be asked.
        """
        what = f"the stack {self._name!r}"
        with translated(what):
            cloudformation: Any = session().create_client("cloudformation")
            try:
                stacks = cloudformation.describe_stacks(StackName=self._name)["Stacks"]
            except ClientError as error:
                if code_of(error) != "ValidationError":
                    raise
                raise InputError(
                    f"there is no stack {self._name!r} in this account and region; name "
                    "another, or set AWS_PROFILE and AWS_REGION"
                ) from error
        outputs = {
            one["OutputKey"]: one["OutputValue"] for one in stacks[0].get("Outputs", [])
        }
        if key not in outputs:
            raise InputError(
                f"{what} has no output {key}, so it is none of journeykit's; name "
                "another one"
            )
        name: str = outputs[key]
        return name

    def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the function answers.

        Raises:
            Refused: It refuses; the message says why.
            StoreError: It can't be asked, or fails.
            InputError: There is no such stack.
        """
        body = msgspec.json.encode(request)
        if len(body) > _MAX_REQUEST:
            raise InputError(
                f"the request has {len(body):,} bytes, and a function takes "
                f"{_MAX_REQUEST:,}: publish fewer journeys, or smaller templates; what "
                "they show, such as pictures, belongs on a web server"
            )
        with translated(f"the function {self.function!r}"):
            answer = self._client.invoke(FunctionName=self.function, Payload=body)
            payload = answer["Payload"].read()
        try:
            said: Mapping[str, Any] = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise StoreError(
                f"the function {self.function!r} answers what nobody understands; is it "
                "the publish function?"
            ) from error
        if "FunctionError" in answer:
            raise StoreError(
                f"the function {self.function!r} failed: {said.get('errorType', '')}: "
                f"{said.get('errorMessage', '')}; its log says more"
            )
        if "error" in said:
            raise Refused(said["error"]["message"])
        return said

    @cached_property
    def _client(self) -> Any:
        # Once: what was asked twice may be done twice.
        config = Config(read_timeout=_READ_S, retries={"total_max_attempts": 1})
        return session().create_client("lambda", config=config)
