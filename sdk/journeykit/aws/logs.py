"""The logs of a stack in S3, as an operator's machine reads them: day by day.

    decisions/day=2026-11-30/…     Firehose writes one object in so many minutes
    events/day=2026-11-30/…        the same

Objects are listed first, which tells how many there are and how large. Those of a day are
got together when their turn comes, into a folder that goes with the block that asked for
it; a day that is large comes in parts. So the disk holds one part at a time however long
the logs are, and nothing about anybody stays behind on this machine.

What is needed: `s3:ListBucket` and `s3:GetObject` for the bucket, `kms:Decrypt` for its
key, and `cloudformation:DescribeStacks` to find the bucket by the stack's name.
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from journeykit.aws.clients import client
from journeykit.aws.failures import code_of, translated
from journeykit.aws.records import DECISIONS, EVENTS
from journeykit.aws.stack import Stack
from journeykit.errors import InputError, StoreBusy, StoreError

_log = logging.getLogger("journeykit.logs")

OUTPUT = "RecordsBucket"
"""The output of the template that names the bucket."""

PART_BYTES = 256 * 1024 * 1024
"""What is got at once, as it lies in S3. Compressed lines are twelve times as long."""

_AT_ONCE = 8  # objects: a client has ten connections
_CHUNK = 1024 * 1024
_TRIES = 3  # of an object whose connection breaks in the middle
_GZIP = b"\x1f\x8b"
_GONE = frozenset({"NoSuchKey", "404"})
_WHAT = "the bucket of records"
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Part:
    """Objects of a log that are got together.

    Attributes:
        name: What it is called in messages: `decisions/day=2026-11-30`.
        keys: The objects, the earliest first.
        size: Bytes, as they lie in S3.
    """

    name: str
    keys: tuple[str, ...]
    size: int


class StoredLogs:
    """The decision log and the event archive in a bucket."""

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        part_bytes: int = PART_BYTES,
        s3: Any = None,
    ) -> None:
        """Ask for nothing yet.

        Args:
            bucket: Its name.
            prefix: What the keys begin with before `decisions/` and `events/`.
            part_bytes: How much is got at once; one object is never cut.
            s3: The client; that of this machine's credentials if not given.
        """
        self._bucket = bucket
        self._prefix = prefix
        self._part_bytes = part_bytes
        self._s3 = s3 or client("s3")

    @classmethod
    def of_stack(cls, name: str) -> StoredLogs:
        """Find the logs of a stack.

        Raises:
            InputError: There is no such stack, or it is none of journeykit's.
            StoreError: AWS can't be asked.
        """
        return cls(Stack(name).output(OUTPUT))

    @classmethod
    def at(cls, address: str) -> StoredLogs:
        """Find the logs at an address.

        Args:
            address: `s3://BUCKET`, or `s3://BUCKET/PREFIX`.

        Raises:
            InputError: It is no such address.
        """
        read = _ADDRESS.fullmatch(address)
        if read is None:
            raise InputError("is no address like s3://BUCKET or s3://BUCKET/PREFIX")
        prefix = (read[2] or "").strip("/")
        return cls(read[1], prefix=f"{prefix}/" if prefix else "")

    def decisions(
        self, *, since: int | None = None, until: int | None = None
    ) -> Sequence[Part]:
        """List the decision log, the earliest day first.

        Args:
            since: Days before it are left out, milliseconds; None: none.
            until: Days behind it are left out; None: none. The day after it is not: what
                arrives at midnight is filed by when it is written.

        Raises:
            StoreError: The bucket can't be listed.
        """
        return self._parts(DECISIONS, since, until)

    def events(
        self, *, since: int | None = None, until: int | None = None
    ) -> Sequence[Part]:
        """List the event archive; arguments and errors as in `decisions`."""
        return self._parts(EVENTS, since, until)

    @contextmanager
    def fetched(self, part: Part) -> Iterator[Sequence[Path]]:
        """Get the objects of a part for as long as a block lasts.

        An object that is not there any more, since its time was over, is left out.

        Yields:
            Files of lines, compressed if their names end in `.gz`.

        Raises:
            StoreBusy: A connection broke again and again; the same again may work.
            StoreError: An object can't be read, or there is no space for it.
        """
        with tempfile.TemporaryDirectory(prefix="journeykit-logs-") as folder:
            get = partial(self._fetch, Path(folder))
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                found = [*pool.map(get, range(len(part.keys)), part.keys)]
            yield [path for path in found if path is not None]

    # --- what lies where ---------------------------------------------------------------

    def _parts(self, log: str, since: int | None, until: int | None) -> list[Part]:
        first = None if since is None else _day(since)
        last = None if until is None else _day(until - 1) + timedelta(days=1)
        parts: list[Part] = []
        name, keys, size = "", list[str](), 0
        for day, key, own in self._objects(log, first):
            if last is not None and day > last:
                break
            named = f"{log}day={day.isoformat()}"
            if keys and (named != name or size + own > self._part_bytes):
                parts.append(Part(name, tuple(keys), size))
                keys, size = [], 0
            name, size = named, size + own
            keys.append(key)
        if keys:
            parts.append(Part(name, tuple(keys), size))
        return parts

    def _objects(self, log: str, first: date | None) -> Iterator[tuple[date, str, int]]:
        """Yield the objects of a log by day: the day, the key, the bytes."""
        start = f"{self._prefix}{log}"
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": f"{start}day="}
        if first is not None:
            # No key of an earlier day comes behind it.
            asked["StartAfter"] = f"{start}day={first.isoformat()}"
        while True:
            with translated(_WHAT):
                answer = self._s3.list_objects_v2(**asked)
            for one in answer.get("Contents", ()):
                key = one["Key"]
                day = _day_of(key[len(start) :])
                if day is not None and one["Size"]:
                    yield day, key, one["Size"]
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    # --- what lies in them -------------------------------------------------------------

    def _fetch(self, folder: Path, place: int, key: str) -> Path | None:
        """Write an object into a file; None: there is no such object any more."""
        path = folder / f"{place:06}"
        for left in reversed(range(_TRIES)):
            try:
                is_there = self._copied(key, path)
            except (HTTPClientError, IncompleteReadError) as error:
                if not left:
                    raise StoreBusy(
                        f"{_WHAT}: the connection breaks again and again; try again"
                    ) from error
                continue
            if not is_there:
                _log.warning("%s is not there any more; it is left out", key)
                return None
            break
        with path.open("rb") as file:
            is_packed = file.read(2) == _GZIP
        named = path.with_suffix(".jsonl.gz" if is_packed else ".jsonl")
        return path.rename(named)

    def _copied(self, key: str, path: Path) -> bool:
        with translated(_WHAT):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) in _GONE:
                    return False
                raise
        try:
            with answer["Body"] as body, path.open("wb") as file:
                while chunk := body.read(_CHUNK):
                    file.write(chunk)
        except OSError as error:
            raise StoreError(
                f"{path.parent} has no space for {key}: {error.strerror or error}; "
                "TMPDIR says where files go for a while"
            ) from error
        return True


def _day(at: int) -> date:
    return datetime.fromtimestamp(at // 1000, UTC).date()


def _day_of(name: str) -> date | None:
    """The day of `day=2026-11-30/…`; None: somebody else's object."""
    try:
        return date.fromisoformat(name.removeprefix("day=").partition("/")[0])
    except ValueError:
        return None
