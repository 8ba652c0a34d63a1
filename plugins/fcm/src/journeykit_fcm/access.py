"""Access tokens of a service account: a signed assertion is traded for one ([OAuth]).

[OAuth]: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Any, TypeAlias
from urllib.parse import urlencode

from journeykit.channels import Rejected, RetryAfter
from journeykit.transport import NoAnswer, Outcome, Response, receipt_of

TOKENS = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LIFETIME = 3600
"""Seconds that an assertion is good for; Google takes no longer ones."""

MARGIN = 300
"""Seconds before its end from which on a token is not used, as clocks and answers vary."""

REFUSED = 60.0
"""Seconds until Google is asked again after it refused the account."""

_log = logging.getLogger(__name__)

Post: TypeAlias = "Callable[[str, bytes, dict[str, str]], Outcome]"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account, as the key file that Firebase makes has it.

    Attributes:
        email: Whose name the assertion is in.
        project: Which project it belongs to.
        key: The private key, as PEM.
        key_id: Which of the account's keys that is.
    """

    email: str
    project: str
    key: str = field(repr=False)
    key_id: str = ""

    @classmethod
    def from_json(cls, text: str) -> Account:
        """Read a key file's text.

        Raises:
            ValueError: It is none; the message doesn't repeat it.
        """
        try:
            found = json.loads(text)
            kind = found["type"]
            own = cls(
                email=found["client_email"],
                project=found["project_id"],
                key=found["private_key"],
                key_id=found.get("private_key_id") or "",
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError(
                "write the JSON of a service account's key file, with client_email, "
                "project_id and private_key"
            ) from None
        texts = (own.email, own.project, own.key, own.key_id)
        if kind != "service_account" or not all(isinstance(t, str) for t in texts):
            raise ValueError("the key file is not of type service_account")
        try:
            own.assertion(at=0)
        except Exception:  # noqa: BLE001 - whatever a key is that can't sign
            raise ValueError("private_key is no RSA key that can sign") from None
        return own

    def assertion(self, *, at: float) -> str:
        """Return what is traded for a token: who asks, for what, until when."""
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": TOKENS,
            "iat": int(at),
            "exp": int(at) + LIFETIME,
        }
        import jwt  # with cryptography, which only who sends needs

        headers = {"kid": self.key_id} if self.key_id else None
        return jwt.encode(claims, _signing(self.key), "RS256", headers=headers)


@lru_cache(maxsize=4)  # reading one takes tens of milliseconds, as it is checked
def _signing(pem: str) -> Any:
    from jwt.algorithms import RSAAlgorithm

    return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)


@dataclass(frozen=True, slots=True)
class Wait:
    """There is no token now.

    Attributes:
        seconds: Until it is worth asking again; 0: the caller knows better.
    """

    seconds: float


class Access:
    """The token of an account, kept until shortly before its end; for any thread.

    Args:
        account: Whose.
        post: How Google is asked.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        account: Account,
        post: Post,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Ask for nothing yet."""
        self._account = account
        self._post = post
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._lock = Lock()

    @property
    def project(self) -> str:
        """The project that the account belongs to."""
        return self._account.project

    def token(self, *, but: str = "") -> str | Wait:
        """Return a token that is good now, or how long to wait.

        Args:
            but: One that Google would not take, so that another is asked for.
        """
        with self._lock:  # whoever comes meanwhile waits, and finds the new one
            if self._clock() < self._until and self._token != but:
                return self._token
            return self._new()

    def _new(self) -> str | Wait:
        now = self._clock()
        form = {"grant_type": GRANT, "assertion": self._account.assertion(at=now)}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        outcome = self._post(TOKENS, urlencode(form).encode(), headers)
        answer = _json(outcome)
        if not isinstance(outcome, Response) or outcome.status != 200:
            return _wait(outcome, answer)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            _log.warning("Google's answer to an assertion has no access token")
            return Wait(REFUSED)
        # One that is short-lived is used all the same, but for its last tenth.
        self._token = token
        self._until = now + seconds - min(MARGIN, seconds // 10)
        return token


def _wait(outcome: Outcome, answer: dict[str, Any]) -> Wait:
    """How long to wait. No message has gone out, however the answer got lost."""
    if isinstance(outcome, NoAnswer):
        return Wait(0)
    match receipt_of("", outcome):
        case RetryAfter(seconds=seconds):
            return Wait(seconds)
        case Rejected(reason=reason):
            # Such as invalid_grant: a key that was deleted, or a clock that is wrong.
            said = answer.get("error")
            known = said if isinstance(said, str) and said.isidentifier() else reason
            _log.warning("Google refuses the service account: %s", known[:100])
    return Wait(REFUSED)


def _json(outcome: Outcome) -> dict[str, Any]:
    try:
        found = json.loads(outcome.body) if isinstance(outcome, Response) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
