"""API keys: looked up by their hashes, remembered for a minute; and the command for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result
from tests.aws.state_table import make_state_table

from journeykit.aws.api_keys import ApiKey, ApiKeys
from journeykit.aws.clients import client
from journeykit.aws.keys import _MOST, PREFIX, REMEMBERED_S, KnownKeys, new_key
from journeykit.cli import group
from journeykit.errors import StoreBusy
from journeykit.http.keys import Writer, digest_of


class Shelf:
    """Keeps keys, and counts who looks."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = {key.digest: key for key in keys}
        self.looks: Counter[str] = Counter()
        self.error: Exception | None = None

    def find(self, digest: str) -> ApiKey | None:
        if self.error:
            raise self.error
        self.looks[digest] += 1
        return self.keys.get(digest)


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


def kept(key: str, *, expires_at: int = 0) -> ApiKey:
    return ApiKey(digest_of(key).hex(), "shop", ("track",), 0, expires_at)


# Looking keys up


def test_a_key_says_who_writes_and_what_they_may() -> None:
    key = new_key()

    writer = KnownKeys(Shelf(kept(key))).writer_of(key)

    assert writer == Writer("shop", ("track",))


def test_no_key_is_made_twice_and_each_can_be_told_from_other_secrets() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(key.startswith(PREFIX) for key in keys)


@pytest.mark.parametrize("known", [True, False])
def test_a_key_is_looked_up_once_a_minute(known: bool) -> None:
    key, clock = new_key(), Clock()
    shelf = Shelf(*([kept(key)] if known else []))
    keys = KnownKeys(shelf, clock=clock)

    for _ in range(10):
        assert (keys.writer_of(key) is not None) is known
        clock.now += REMEMBERED_S * 100 - 1

    assert shelf.looks.total() == 1
    clock.now += REMEMBERED_S * 100
    keys.writer_of(key)
    assert shelf.looks.total() == 2


def test_a_key_that_is_revoked_works_for_a_minute_at_most() -> None:
    key, clock = new_key(), Clock()
    shelf = Shelf(kept(key))
    keys = KnownKeys(shelf, clock=clock)
    keys.writer_of(key)

    shelf.keys.clear()
    clock.now += REMEMBERED_S * 1000

    assert keys.writer_of(key) is None


def test_a_key_ends_at_its_instant_also_while_it_is_remembered() -> None:
    key, clock = new_key(), Clock()
    keys = KnownKeys(Shelf(kept(key, expires_at=clock.now + 1)), clock=clock)
    assert keys.writer_of(key) is not None

    clock.now += 1

    assert keys.writer_of(key) is None


@pytest.mark.parametrize(
    "text",
    ["", "jk_", "guessed", f" {new_key()}", f"{new_key()}=", "jk_" + "é" * 43],
    ids=range(6),
)
def test_what_can_be_no_key_is_not_even_looked_up(text: str) -> None:
    shelf = Shelf()

    assert KnownKeys(shelf).writer_of(text) is None
    assert shelf.looks.total() == 0


def test_a_flood_of_wrong_keys_takes_no_more_than_its_room() -> None:
    key = new_key()
    shelf = Shelf(kept(key))
    keys = KnownKeys(shelf)
    keys.writer_of(key)

    for _ in range(3 * _MOST):
        keys.writer_of(new_key())

    assert len(keys._unknown) <= _MOST
    assert keys.writer_of(key) is not None
    assert shelf.looks[digest_of(key).hex()] == 1


def test_what_the_table_answers_is_compared_again() -> None:
    key, other = new_key(), new_key()
    shelf = Shelf()
    shelf.keys[digest_of(key).hex()] = kept(other)

    assert KnownKeys(shelf).writer_of(key) is None


def test_while_nobody_can_look_nobody_is_let_in() -> None:
    shelf = Shelf()
    shelf.error = StoreBusy("throttled")

    with pytest.raises(StoreBusy):
        KnownKeys(shelf).writer_of(new_key())


# The command


class Stand:
    """A stack of which only the state table matters, and the command line."""

    def __init__(self) -> None:
        self.dynamodb = client("dynamodb")
        self.table = make_state_table(self.dynamodb)
        self.keys = ApiKeys(self.dynamodb, self.table)

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(
            group, ["keys", *words, "--table", self.table], catch_exceptions=False
        )

    def stored(self) -> str:
        """Everything that is in the table."""
        return repr(self.dynamodb.scan(TableName=self.table)["Items"])


@pytest.fixture
def stand(aws: None) -> Stand:
    return Stand()


def the_key(keys: Sequence[ApiKey]) -> ApiKey:
    [key] = keys
    return key


def test_a_key_is_made_printed_once_and_kept_as_its_hash(stand: Stand) -> None:
    done = stand("add", "shop", "--scope", "track", "--scope", "identify")

    key = done.stdout.strip()
    assert KnownKeys(stand.keys).writer_of(key) == Writer("shop", ("track", "identify"))
    assert "track identify, until 20" in done.stderr
    assert key not in stand.stored() + done.stderr
    assert key.removeprefix(PREFIX) not in stand("list").output


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("90d", 90 * 86_400_000), ("12h", 43_200_000)]
)
def test_a_key_has_an_end(stand: Stand, text: str, milliseconds: int) -> None:
    stand("add", "shop", "--scope", "track", "--expires", text)

    key = the_key(stand.keys.all())
    assert key.expires_at - key.created_at == milliseconds


def test_a_key_may_be_for_ever(stand: Stand) -> None:
    stand("add", "shop", "--scope", "track", "--expires", "never")

    assert the_key(stand.keys.all()).expires_at == 0
    assert "track, for ever" in stand("list").output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["shop"], "Missing option '--scope'"),
        (["shop", "--scope", "everything"], "'everything' is not one of"),
        (["shop", "--scope", "track", "--expires", "soon"], "soon"),
        (["shop", "--scope", "track", "--expires", "1mo"], "write 90d"),
        (["shop", "--scope", "track", "--expires", "0d"], "write 90d"),
        (["a shop", "--scope", "track"], "letters, digits"),
    ],
    ids=range(6),
)
def test_a_key_that_nobody_can_want_is_refused(
    stand: Stand, words: list[str], complaint: str
) -> None:
    done = stand("add", *words)

    assert done.exit_code != 0
    assert complaint in done.stderr
    assert stand.keys.all() == []


def test_a_key_is_revoked_by_the_first_digits_of_its_hash(stand: Stand) -> None:
    key = stand("add", "shop", "--scope", "track").stdout.strip()
    id = the_key(stand.keys.all()).digest[:12]
    assert id in stand("list").output

    done = stand("revoke", id)

    assert done.output == f"{id} of shop is revoked\n"
    assert stand.keys.all() == []
    assert KnownKeys(stand.keys).writer_of(key) is None


def test_a_key_may_end_later_so_that_the_new_one_can_be_rolled_out(
    stand: Stand,
) -> None:
    old = stand("add", "shop", "--scope", "track").stdout.strip()
    id = the_key(stand.keys.all()).digest[:12]
    stand("add", "shop", "--scope", "track")

    done = stand("revoke", id, "--in", "7d")

    assert done.output.startswith(f"{id} of shop ends 20")
    assert KnownKeys(stand.keys).writer_of(old) is not None
    in_a_week = stand.keys.find(digest_of(old).hex())
    assert in_a_week is not None
    assert not in_a_week.is_good(in_a_week.created_at + 8 * 86_400_000)


@pytest.mark.parametrize("id", ["", "abc", "ffffffffffff"])
def test_a_key_that_is_not_there_is_not_revoked(stand: Stand, id: str) -> None:
    stand("add", "shop", "--scope", "track")

    done = stand("revoke", id)

    assert done.exit_code == 1
    assert "no key is called" in done.stderr
    assert len(stand.keys.all()) == 1


def test_no_keys_say_how_to_make_one(stand: Stand) -> None:
    assert "journeykit keys add NAME --scope track" in stand("list").output


def test_keys_belong_to_a_stack() -> None:
    done = CliRunner().invoke(group, ["keys", "list"])

    assert done.exit_code == 2
    assert "--stack NAME" in done.stderr


def test_the_table_is_found_by_the_stack(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CloudFormation:  # moto's needs half of all services' models installed
        def create_client(self, service: str) -> CloudFormation:
            return self

        def describe_stacks(self, StackName: str) -> object:
            assert StackName == "prod"
            outputs = [{"OutputKey": "StateTable", "OutputValue": stand.table}]
            return {"Stacks": [{"Outputs": outputs}]}

    monkeypatch.setattr("journeykit.aws.stack.session", CloudFormation)

    done = CliRunner().invoke(
        group,
        ["keys", "add", "crm", "--scope", "enroll", "--stack", "prod"],
        catch_exceptions=False,
    )

    assert done.exit_code == 0
    assert the_key(stand.keys.all()).scopes == ("enroll",)


def test_no_key_stands_in_a_log(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    key = stand("add", "shop", "--scope", "track").stdout.strip()
    KnownKeys(stand.keys).writer_of(key)
    stand("list")

    assert key not in caplog.text
