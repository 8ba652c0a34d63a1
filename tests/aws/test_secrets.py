"""Secrets get from AWS into the environment, where the settings of plugins look for them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from journeykit.aws.clients import client
from journeykit.credentials import Secret
from journeykit_handlers.parameters import AGE_S, Secrets

PATH = "/journeykit/prod/"


class Vault:
    """Parameters below a path, or the keys of one secret."""

    path: str

    def put(self, **texts: str) -> None:
        raise NotImplementedError

    def drop(self, name: str) -> None:
        raise NotImplementedError


class ParameterStore(Vault):
    path = PATH

    def __init__(self) -> None:
        self.ssm = client("ssm")

    def put(self, **texts: str) -> None:
        for name, text in texts.items():
            self.ssm.put_parameter(
                Name=PATH + name, Value=text, Type="SecureString", Overwrite=True
            )

    def drop(self, name: str) -> None:
        self.ssm.delete_parameter(Name=PATH + name)


class SecretsManager(Vault):
    path = "journeykit/prod"

    def __init__(self) -> None:
        self.manager = client("secretsmanager")
        self.texts: dict[str, str] = {}

    def put(self, **texts: str) -> None:
        self.texts |= texts
        self._write()

    def drop(self, name: str) -> None:
        del self.texts[name]
        self._write()

    def _write(self) -> None:
        text = json.dumps(self.texts)
        try:
            self.manager.create_secret(Name=self.path, SecretString=text)
        except self.manager.exceptions.ResourceExistsException:
            self.manager.put_secret_value(SecretId=self.path, SecretString=text)


@pytest.fixture(params=[ParameterStore, SecretsManager])
def vault(aws: None, request: pytest.FixtureRequest) -> Vault:
    make: Callable[[], Vault] = request.param
    return make()


def test_a_setting_finds_its_secret(vault: Vault) -> None:
    vault.put(SHOUT_KEY="s3cret")
    environ: dict[str, str] = {}

    Secrets(environ, vault.path, client=client).refresh()

    assert Secret("$SHOUT_KEY").reveal(environ=environ) == "s3cret"


def test_a_secret_that_is_rotated_is_found_within_minutes(vault: Vault) -> None:
    vault.put(SHOUT_KEY="old", PAGER_KEY="p")
    environ: dict[str, str] = {}
    secrets = Secrets(environ, vault.path, client=client)
    with time_machine.travel("2026-06-07T12:00:00Z", tick=False) as clock:
        secrets.refresh()
        vault.put(SHOUT_KEY="new")
        vault.drop("PAGER_KEY")

        secrets.refresh()
        assert environ == {"SHOUT_KEY": "old", "PAGER_KEY": "p"}

        clock.shift(AGE_S + 1)
        secrets.refresh()
        assert environ == {"SHOUT_KEY": "new"}


def test_a_parameter_changes_nothing_that_was_deployed(vault: Vault) -> None:
    vault.put(
        JOURNEYKIT_STATE_TABLE="another",
        AWS_ENDPOINT_URL="https://elsewhere.example",
        PYTHONPATH="/tmp",
        lower="x",
    )
    environ = {"JOURNEYKIT_STATE_TABLE": "state"}

    Secrets(environ, vault.path, client=client).refresh()

    assert environ == {"JOURNEYKIT_STATE_TABLE": "state"}


def test_what_lies_deeper_or_elsewhere_is_not_read(aws: None) -> None:
    store = ParameterStore()
    store.put(SHOUT_KEY="s3cret")
    store.put(**{"deeper/PAGER_KEY": "x"})
    store.ssm.put_parameter(Name="/journeykit/dev/DEV_KEY", Value="x", Type="String")
    environ: dict[str, str] = {}

    Secrets(environ, PATH, client=client).refresh()

    assert environ == {"SHOUT_KEY": "s3cret"}


def test_there_may_be_more_of_them_than_one_answer_holds(aws: None) -> None:
    store = ParameterStore()
    store.put(**{f"KEY_{n}": str(n) for n in range(25)})
    environ: dict[str, str] = {}

    Secrets(environ, PATH, client=client).refresh()

    assert environ == {f"KEY_{n}": str(n) for n in range(25)}


def _refused(service: str) -> Any:
    made = client(service)

    def refuse(**kwargs: object) -> None:
        raise made.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "Get")

    made.meta.events.register("before-call", refuse)
    return made


def test_secrets_that_cannot_be_read_stop_a_cold_start(vault: Vault) -> None:
    vault.put(SHOUT_KEY="s3cret")

    with pytest.raises(GetParameterError):
        Secrets({}, vault.path, client=_refused).refresh()


def test_secrets_that_cannot_be_read_again_go_on_and_are_not_logged(
    vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    vault.put(SHOUT_KEY="s3cret")
    environ: dict[str, str] = {}
    made: list[Any] = []

    def kept(service: str) -> Any:
        made.append(client(service))
        return made[-1]

    with time_machine.travel("2026-06-07T12:00:00Z", tick=False) as clock:
        secrets = Secrets(environ, vault.path, client=kept)
        secrets.refresh()
        error = made[0].exceptions.ClientError({"Error": {"Code": "Throttling"}}, "Get")

        def refuse(**kwargs: object) -> None:
            raise error

        made[0].meta.events.register("before-call", refuse)
        clock.shift(AGE_S + 1)
        secrets.refresh()

    assert environ == {"SHOUT_KEY": "s3cret"}
    assert "can't be read again" in caplog.text
    assert "s3cret" not in caplog.text
