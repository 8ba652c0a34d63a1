"""A request and its answer as values: what the door decides on, without a socket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from journeykit.model.plain_text import printable

JSON = "application/json"

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client wants.

    Attributes:
        method: `GET`, `POST`, …
        path: The target without its query, not decoded.
        headers: By their names in lower case.
        body: As it was sent; empty as long as only the head is there.
        announced: The bytes of a body that is still to come; None: it is all here.
        id: By which the log names it.
        caller: Who it is by the word of a gateway that has checked it; empty: nobody has.
        url: The target in full, with its query, where that is known.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    announced: int | None = None
    id: str = ""
    caller: str = ""
    url: str = ""

    @property
    def size(self) -> int:
        """How many bytes of body there are, or will be."""
        return len(self.body) if self.announced is None else self.announced


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client gets.

    Attributes:
        status: The status code.
        body: Empty, or of the type that the headers say.
        headers: In addition to those that every answer has.
        key: Whose it was, for the log: the name of the API key.
        count: How many events, identifications or calls were taken, for the log.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    key: str = ""
    count: int = 0


class Refused(Exception):
    """A request that ends here, with the answer to give.

    Attributes:
        answer: What the client gets.
    """

    def __init__(self, status: int, error: str, **headers: str) -> None:
        """Refuse with a sentence; `Retry_After="1"` becomes the header `Retry-After`."""
        super().__init__(f"{status}: {error}")
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = in_json(status, {"error": error}, **more)


def in_json(status: int, content: object, **headers: str) -> Answer:
    """Answer with a JSON document."""
    return Answer(
        status=status,
        body=msgspec.json.encode(content) + b"\n",
        headers={"Content-Type": JSON, **headers},
    )


def id_of(headers: Mapping[str, str], *, drawn: str) -> str:
    """Return by which id to name a request: its own, if it is short and plain."""
    id = headers.get("x-request-id", "")
    return id if _ID.fullmatch(id) else drawn


def headers_of(answer: Answer, *, id: str) -> dict[str, str]:
    """Return the headers of an answer, with those that every answer has."""
    return {
        "X-Request-Id": id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **answer.headers,
    }


def line_of(request: Request | None, answer: Answer, *, id: str, seconds: float) -> str:
    """Return a line for the log, with nothing of what came in, but the path."""
    method = request.method[:16] if request else "-"
    path = printable(request.path[:80]) if request else "-"
    return (
        f"{method} {path} {answer.status} n={answer.count} ms={seconds * 1000:.1f} "
        f"key={answer.key or '-'} id={id}"
    )
