"""The action keeps its contract, and a shop can tell its codes from all others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import ClassVar

import pytest
from hypothesis import given, strategies as st

from journeykit import Action, ActionCall, CallFailed, Completed, InputError
from journeykit.plugins import PluginManager, Registry
from journeykit.testing import ActionContract
from journeykit_vouchers import Verdict, action as plugin, verify
from journeykit_vouchers.action import VoucherAction
from journeykit_vouchers.codes import draw

SECRET = "correct horse battery staple"
SETTINGS = {
    "secret": SECRET,
    "campaigns": {"spring": {"prefix": "SPRING", "valid_days": 14}},
}
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class TestVoucher(ActionContract):
    arguments: ClassVar = {"campaign": "spring"}
    bad_arguments = (
        {},
        {"campaign": "sprong"},
        {"campaign": ["spring"]},
        {"campaign": "spring", "campain": "spring"},
    )
    bad_settings = (
        {},
        {"campaigns": {}, "secrets": SECRET},
        {"campaigns": {"spring": {"prefix": "spring sale"}}},
        {"campaigns": {"spring": {"prefix": "SPRING", "valid_days": 0}}},
    )
    secrets = (SECRET,)

    def action(self) -> Action:
        return VoucherAction().configured(SETTINGS)


def drawn(call_id: str = "call-1", **changes: object) -> Mapping[str, object]:
    return result(VoucherAction().configured({**SETTINGS, **changes}), call_id)


def result(action: Action, call_id: str = "call-1") -> Mapping[str, object]:
    call = ActionCall(
        call_id=call_id,
        customer="ada",
        arguments={"campaign": "spring"},
        at=AT,
        journey="spring",
        step="call-voucher",
    )
    [outcome] = action.run([call])
    assert isinstance(outcome, Completed), outcome
    return outcome.result


def verdict(code: str, *, now: datetime = AT, prefix: str = "SPRING") -> Verdict:
    return verify(code, prefix=prefix, secret=SECRET, now=now)


def test_the_plugin_brings_the_action() -> None:
    manager = PluginManager()
    manager.register(plugin, "vouchers")
    manager.check_pending()

    assert Registry.from_plugins(manager).action("voucher").name == "voucher"


def test_a_code_is_the_same_in_every_release() -> None:
    assert drawn() == {
        "code": "SPRING-J1XSN-P1MX6-26V8G-SG1ZA",
        "expires_at": "2026-03-17T00:00:00Z",
    }


def test_a_code_is_worth_something_for_whole_days_in_utc() -> None:
    code = str(drawn()["code"])
    end = datetime(2026, 3, 17, tzinfo=UTC)
    elsewhere = end.astimezone(timezone(timedelta(hours=9)))

    assert verdict(code, now=end - timedelta(microseconds=1)) == Verdict.VALID
    assert verdict(code, now=end) == Verdict.EXPIRED
    assert verdict(code, now=elsewhere) == Verdict.EXPIRED


def test_every_call_has_a_code_of_its_own() -> None:
    codes = {drawn(f"call-{n}")["code"] for n in range(1000)}

    assert len(codes) == 1000


@given(
    id=st.text(st.characters(codec="utf-8")),
    typed=st.sampled_from(
        [
            str.lower,
            lambda code: code.replace("-", ""),
            lambda code: code.replace("-", " "),
            lambda code: code.replace("0", "o").replace("1", "l"),
            lambda code: f" {code}\n",
        ]
    ),
)
def test_a_code_is_found_however_it_was_typed(
    id: str, typed: Callable[[str], str]
) -> None:
    code = draw(id, prefix="SPRING", expires_on=date(2026, 3, 17), secret=SECRET)

    assert verdict(typed(code)) == Verdict.VALID


@given(place=st.integers(0, 19), symbol=st.sampled_from(SYMBOLS))
def test_one_wrong_symbol_is_seen_without_the_secret(place: int, symbol: str) -> None:
    body = re.sub("-", "", str(drawn()["code"]).removeprefix("SPRING"))
    wrong = body[:place] + symbol + body[place + 1 :]

    found = verify(f"SPRING{wrong}", prefix="SPRING", secret="x" * 16, now=AT)

    assert (found == Verdict.MISTYPED) == (wrong != body)


@pytest.mark.parametrize("code", ["SPRING", "SPRING-7K3M9", "SPRING-ÄÖÜ", "SPRING" * 9])
def test_what_can_be_no_code_is_mistyped(code: str) -> None:
    assert verdict(code) == Verdict.MISTYPED


@pytest.mark.parametrize("code", ["", "AUTUMN-7K3M9-XQ2WT-H8RZ4-9ABCD"])
def test_a_code_of_another_campaign_is_unknown(code: str) -> None:
    assert verdict(code) == Verdict.UNKNOWN


def test_a_code_can_not_be_moved_to_another_campaign() -> None:
    code = str(drawn()["code"]).replace("SPRING", "VIP")

    assert verdict(code, prefix="VIP") == Verdict.UNKNOWN


def test_a_code_of_another_secret_is_unknown() -> None:
    code = str(drawn(secret="another secret of ours")["code"])

    assert verdict(code) == Verdict.UNKNOWN


def test_no_shop_takes_the_code_of_a_mock() -> None:
    mock = VoucherAction().configured(SETTINGS).mock()

    assert verdict(str(result(mock)["code"])) == Verdict.UNKNOWN


def test_the_secret_is_read_from_the_environment_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {**SETTINGS, "secret": "$SHOP_SECRET"}
    action = VoucherAction().configured(settings)
    monkeypatch.setenv("SHOP_SECRET", SECRET)

    assert result(action) == drawn()


def test_without_the_secret_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOUCHER_SECRET", raising=False)
    action = VoucherAction().configured({"campaigns": SETTINGS["campaigns"]})

    with pytest.raises(InputError, match="VOUCHER_SECRET: is not set"):
        result(action)


def test_a_secret_that_can_be_guessed_draws_nothing() -> None:
    with pytest.raises(ValueError, match="16 characters or more"):
        drawn(secret="guess me")


def test_a_campaign_that_nobody_has_set_up_is_answered_with_those_there_are() -> None:
    call = ActionCall(
        call_id="call-1",
        customer="ada",
        arguments={"campaign": "sprong"},
        at=AT,
        journey="spring",
        step="call-voucher",
    )

    assert VoucherAction().configured(SETTINGS).run([call]) == [
        CallFailed("call-1", "the one argument is `campaign`, which is one of 'spring'")
    ]
