"""Secrets from Parameter Store or Secrets Manager, where `Secret("$NAME")` looks for them.

A setting of a plugin says `$NAME`, and its text is read from the environment each time it
is needed. Here the environment gets it: each parameter right below a path, such as
`/journeykit/prod/JOURNEYKIT_WEBHOOK_SECRET`, is a variable of its last name; or each key of
one secret of Secrets Manager's, which is a JSON object. They are read again after five
minutes, so a secret that is rotated needs no deployment.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

AGE_S = 300
"""How old a secret may be, seconds."""

_log = logging.getLogger("journeykit.secrets")

_NAME = re.compile(r"(?!AWS_|LAMBDA_|PYTHON)[A-Z][A-Z0-9_]*")


class Secrets:
    """Secrets that become variables of an environment."""

    def __init__(
        self,
        environ: MutableMapping[str, str],
        path: str,
        *,
        client: Callable[[str], Any],
        age: int = AGE_S,
    ) -> None:
        """Read nothing yet.

        Args:
            environ: Where they are wanted.
            path: A path of Parameter Store's, which begins with a slash; else the name
                or ARN of a secret of Secrets Manager's.
            client: Makes a client of a service.
            age: How old one may get before it is read again, seconds.
        """
        self._environ = environ
        self._path = path
        self._age = age
        self._given = frozenset(environ)
        self._ours: frozenset[str] = frozenset()
        if path.startswith("/"):
            self._ssm = SSMProvider(boto3_client=client("ssm"))
            self._read = self._parameters
        else:
            self._manager = SecretsProvider(boto3_client=client("secretsmanager"))
            self._read = self._secret

    def refresh(self) -> None:
        """Read them if they are too old; if they can't be read, the old ones go on.

        Raises:
            GetParameterError: They can't be read, and never were.
        """
        try:
            found = self._read()
        except GetParameterError as error:
            if not self._ours:
                raise
            _log.warning("secrets can't be read again: %s", type(error).__name__)
            return
        # What the function was deployed with counts, whatever a parameter is called.
        texts = {
            name: str(text)
            for name, text in found.items()
            if _NAME.fullmatch(name) and name not in self._given
        }
        for name in self._ours - texts.keys():
            self._environ.pop(name, None)
        self._environ.update(texts)
        self._ours = frozenset(texts)

    def _parameters(self) -> Mapping[str, Any]:
        return self._ssm.get_multiple(
            self._path, decrypt=True, recursive=False, max_age=self._age
        )

    def _secret(self) -> Mapping[str, Any]:
        read = self._manager.get(self._path, max_age=self._age, transform="json")
        return read if isinstance(read, dict) else {}
