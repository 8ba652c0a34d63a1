"""The bucket of records, read by an operator: lines about somebody are told, or removed.

    events/day=…               Firehose     lines, an envelope of EventBridge's each
    decisions/day=…            Firehose     lines of the decision log
    failed/events/…            Firehose     lines of what it could not write, base64 inside
    aws/lambda/…               Lambda       batches of the customers' stream that it gave up

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html

An object can't be changed, so one with lines to remove is written anew under its key, if
nobody else did so since it was read, and its old version is deleted. Most objects have
none: they are read and left alone. An object that was written anew is a new one for the
lifecycle rules of the bucket; `retain` goes by the day in the key instead.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError

from journeykit.aws.failures import code_of, translated
from journeykit.errors import StoreBusy, StoreError

EVENTS = "events/"
DECISIONS = "decisions/"
FAILED = "failed/events/"
STREAM = "aws/lambda/"

IsMeant = Callable[[bytes], bool]
"""Whether a line of the event archive is meant."""

_WHAT = "the bucket of records"
_IN_MEMORY = 8 * 1024 * 1024  # of an object; larger ones go through a file
_CHUNK = 1024 * 1024
_AT_ONCE = 8  # objects: a client has ten connections
_PAGE = 1000  # objects whose fate is kept in memory
_TRIES = 4  # of an object that somebody else writes at the same time
_GZIP = b"\x1f\x8b"
_DAY = re.compile(r"/day=(\d{4}-\d{2}-\d{2})/")
_KEPT = ("ContentType", "ContentEncoding", "CacheControl", "Metadata", "StorageClass")
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_GONE = frozenset({"NoSuchKey", "404"})


class Object(NamedTuple):
    """An object of the bucket.

    Attributes:
        key: Its key.
        at: When it was written, milliseconds.
    """

    key: str
    at: int


class Records:
    """The logs of a stack in S3."""

    def __init__(self, client: Any, bucket: str, *, at_once: int = _AT_ONCE) -> None:
        """Read nothing yet.

        Args:
            client: Of S3.
            bucket: The bucket's name.
            at_once: How many objects to read at the same time.
        """
        self._client = client
        self._bucket = bucket
        self._at_once = at_once

    def lines(self, prefix: str, is_meant: IsMeant) -> Iterator[bytes]:
        """Yield the lines that a test picks, without their ends, by day.

        Raises:
            StoreError: An object can't be read.
        """

        def found(one: Object) -> list[bytes]:
            with self._read(one.key) as (_, file):
                return [line.rstrip(b"\n") for line in _lines(file) if is_meant(line)]

        for lines in self._each(self.objects(prefix), found):
            yield from lines

    def remove(self, is_meant: IsMeant, *, since: int = 0) -> int:
        """Remove the lines of the event archive that a test picks; return how many.

        What Firehose and Lambda could not hand over is searched as well.

        Args:
            is_meant: Is asked by several threads.
            since: Leave alone what was written before, milliseconds.

        Raises:
            StoreBusy: Not all of them are removed; the same again may work.
            StoreError: An object can't be read or written; all others are done.
        """
        removed = 0
        failures: list[StoreError] = []
        for prefix, of in ((EVENTS, _kept), (FAILED, _kept_of_failed), (STREAM, None)):

            def cleared(
                one: Object, of: Callable[..., Iterator[bytes]] | None = of
            ) -> int | StoreError:
                try:
                    if of is None:
                        return self._cleared_batch(one.key, is_meant)
                    return self._cleared(one.key, of, is_meant)
                except StoreBusy:
                    raise
                except StoreError as error:
                    return error

            objects = (one for one in self.objects(prefix) if one.at >= since)
            for count in self._each(objects, cleared):
                if isinstance(count, StoreError):
                    failures.append(count)
                else:
                    removed += count
        if failures:
            raise StoreError(
                f"{len(failures)} objects were not searched, all others are done; the "
                f"first: {failures[0]}"
            )
        return removed

    def objects(self, prefix: str) -> Iterator[Object]:
        """Yield the objects under a prefix, by key.

        Raises:
            StoreError: The bucket can't be listed.
        """
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix}
        while True:
            with translated(_WHAT):
                answer = self._client.list_objects_v2(**asked)
            for one in answer.get("Contents", ()):
                yield Object(one["Key"], int(one["LastModified"].timestamp() * 1000))
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def before(self, prefix: str, day: date) -> Iterator[str]:
        """Yield the keys under a prefix whose day is before one."""
        for one in self.objects(prefix):
            said = _DAY.search(one.key)
            if said and said[1] < day.isoformat():
                yield one.key

    def delete(self, keys: Iterable[str]) -> int:
        """Delete objects; return how many. Their versions end with the lifecycle rules.

        Raises:
            StoreBusy: Not all are deleted; the same again may work.
            StoreError: The bucket can't be used.
        """
        left, count = iter(keys), 0
        while batch := [*islice(left, _PAGE)]:
            with translated(_WHAT):
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            if errors := answer.get("Errors"):
                raise StoreBusy(
                    f"{_WHAT}: {len(errors)} objects can't be deleted "
                    f"({errors[0].get('Code', '')}); try again later"
                )
            count += len(batch)
        return count

    def _each(
        self, objects: Iterable[Object], do: Callable[[Object], Any]
    ) -> Iterator[Any]:
        """Do something with objects, several at once; yield what came of it, in order."""
        left = iter(objects)
        with ThreadPoolExecutor(self._at_once) as pool:
            while page := [*islice(left, self._at_once * 4)]:
                yield from pool.map(do, page)

    # --- one object ------------------------------------------------------------------

    def _read(self, key: str) -> _Reading:
        return _Reading(self._client, self._bucket, key)

    def _cleared(
        self, key: str, kept: Callable[..., Iterator[bytes]], is_meant: IsMeant
    ) -> int:
        """Write an object anew without what is meant; return how many lines that were."""
        for _ in range(_TRIES):
            with self._read(key) as (head, file):
                if not head:
                    return 0  # somebody else deleted it
                lines = rest = 0
                for line in _lines(file):
                    lines += 1
                    rest += sum(1 for _ in kept(line, is_meant))
                if rest == lines:
                    return 0
                with _temporary() as anew:
                    if rest:
                        with _writer(anew, like=file) as out:
                            for line in _lines(file):
                                out.writelines(kept(line, is_meant))
                    if self._replaced(key, head, anew if rest else None):
                        return lines - rest
        raise StoreBusy(f"{_WHAT}: {key} is written by others; try again later")

    def _cleared_batch(self, key: str, is_meant: IsMeant) -> int:
        """Take people's records out of a batch of the stream that Lambda gave up."""
        for _ in range(_TRIES):
            with self._read(key) as (head, file):
                if not head:
                    return 0
                file.seek(0)
                body, count = _without(file.read(), is_meant)
                if not count:
                    return 0
                with _temporary() as anew:
                    anew.write(body)
                    if self._replaced(key, head, anew if body else None):
                        return count
        raise StoreBusy(f"{_WHAT}: {key} is written by others; try again later")

    def _replaced(
        self, key: str, head: Mapping[str, Any], body: IO[bytes] | None
    ) -> bool:
        """Put another object in place of one; False: it is not what was read any more.

        Args:
            key: Where.
            head: What was said of it when it was read.
            body: None: nothing is left.
        """
        with translated(_WHAT):
            try:
                if body is not None:
                    body.seek(0)
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=body,
                        IfMatch=head["ETag"],
                        **{name: head[name] for name in _KEPT if head.get(name)},
                    )
            except ClientError as error:
                if code_of(error) in _CHANGED | _GONE:
                    return False
                raise
            # The version that was read: in a bucket without versions it is the object,
            # which by now is another one.
            version = head.get("VersionId", "null")
            if version != "null":
                self._client.delete_object(
                    Bucket=self._bucket, Key=key, VersionId=version
                )
            elif body is None:
                self._client.delete_object(Bucket=self._bucket, Key=key)
        return True


class _Reading:
    """An object on this machine, for as long as a block lasts."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key

    def __enter__(self) -> tuple[Mapping[str, Any], IO[bytes]]:
        """Fetch it; what is said of it is empty if there is no such object any more."""
        file = self._file = _temporary()
        with translated(_WHAT):
            try:
                head = self._client.get_object(Bucket=self._bucket, Key=self._key)
            except ClientError as error:
                if code_of(error) in _GONE:
                    return {}, file
                raise
            with head["Body"] as body:
                while chunk := body.read(_CHUNK):
                    file.write(chunk)
        return head, file

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        self._file.close()
        if isinstance(error, OSError | EOFError | zlib.error):
            raise StoreError(
                f"{self._key} can't be read ({type(error).__name__}); if it is damaged, "
                "look at it yourself, and delete it"
            ) from error


def _temporary() -> IO[bytes]:
    return SpooledTemporaryFile(_IN_MEMORY)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of an object from its begin, whether it is compressed or not."""
    file.seek(0)
    packed = file.read(2) == _GZIP
    file.seek(0)
    if packed:
        with gzip.GzipFile(fileobj=file, mode="rb") as lines:
            yield from lines
    else:
        yield from file


def _writer(file: IO[bytes], *, like: IO[bytes]) -> IO[bytes]:
    """Write lines as another file has them; closing it leaves the file open."""
    like.seek(0)
    if like.read(2) == _GZIP:
        return gzip.GzipFile(fileobj=file, mode="wb", mtime=0)  # type: ignore[return-value]
    return _Open(file)  # type: ignore[return-value]


class _Open:
    """A file that stays open at the end of a block."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> IO[bytes]:
        return self._file

    def __exit__(self, *_: object) -> None:
        pass


# --- what stays ----------------------------------------------------------------------


def _kept(line: bytes, is_meant: IsMeant) -> Iterator[bytes]:
    if not is_meant(line):
        yield line


def _kept_of_failed(line: bytes, is_meant: IsMeant) -> Iterator[bytes]:
    """A line of what Firehose could not write: the record is base64 in `rawData`."""
    inside = b""
    with suppress(msgspec.DecodeError, binascii.Error, ValueError):
        inside = base64.b64decode(_failed.decode(line).raw)
    if not any(is_meant(one) for one in inside.splitlines()):
        yield line


class _Failed(msgspec.Struct):
    raw: str = msgspec.field(name="rawData", default="")


_failed = msgspec.json.Decoder(_Failed)


def _without(body: bytes, is_meant: IsMeant) -> tuple[bytes, int]:
    """A document about a failed batch without people's records, and how many these were.

    Its `payload` is the event of the function, as an object or as its text. A batch of
    which nothing is left is deleted whole.
    """
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
        payload: Any = document.get("payload")
        is_text = isinstance(payload, str)
        event: Any = msgspec.json.decode(payload) if is_text else payload
        records = event["Records"]
        kept = [one for one in records if not is_meant(_as_line(one))]
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
        return body, 0
    count = len(records) - len(kept)
    if not count or not kept:
        return b"", count
    event["Records"] = kept
    document["payload"] = msgspec.json.encode(event).decode() if is_text else event
    return msgspec.json.encode(document), count


def _as_line(record: Mapping[str, Any]) -> bytes:
    """Who a record of the stream is about, as a line of the archive would say it."""
    image = record["dynamodb"]
    said = image.get("Keys") or image["NewImage"]
    return msgspec.json.encode({"customer": said["id"]["S"]})
