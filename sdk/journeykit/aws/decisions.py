"""The logs: lines of JSON to a Firehose stream, which puts them into S3.

Decisions go to one stream, and what providers say about messages to that of the archive.

Firehose bills each record in steps of 5 KB, so lines are packed: as many into a record as
fit. A line is never cut, since Firehose may put two records into two files. What is sent
twice, because an answer got lost, is told apart by whoever reads: by `log_id`, revision
and number.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from journeykit.aws.failures import may_work_later, pauses, translated
from journeykit.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

_log = logging.getLogger("journeykit.decisions")

# Quotas of Firehose as of November 2026, before base64.
RECORD_BYTES = 1000 * 1024
_REQUEST_BYTES = 4_000_000  # "4 MB"
_RECORDS = 500

_ATTEMPTS = 4  # more, of a request that is taken in part
_BUSY = frozenset({"InternalFailure", "ServiceUnavailableException"})


class DecisionLog:
    """The end of the stream that we write to.

    Attributes:
        dropped: How many lines were too long for any record, since this was made.
    """

    def __init__(
        self,
        client: FirehoseClient,
        stream: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        what: str = "decision log",
    ) -> None:
        """Take the stream's name, what waits between two attempts, and which log it is."""
        self._client = client
        self._stream = stream
        self._sleep = sleep
        self._what = what
        self.dropped = 0

    def append(self, lines: bytes) -> None:
        """Send lines; some may come out more than once.

        A line that no record holds is dropped, with an error in the log: it would come
        again for ever, and stop all others.

        Args:
            lines: Lines of JSON, each with its end.

        Raises:
            StoreBusy: Not all of them went; the same again may work.
            StoreError: The stream can't be used; the message says why.
        """
        for records in _requests(self._records(lines)):
            self._put(records)

    def _records(self, lines: bytes) -> Iterator[bytes]:
        """Pack lines into records, as full as may be."""
        start = 0
        while start < len(lines):
            rest = len(lines) - start
            end = len(lines) if rest < RECORD_BYTES else _last_end(lines, start)
            if end > start:
                record = lines[start:end]
                yield record if record.endswith(b"\n") else record + b"\n"
            else:
                end = lines.find(b"\n", start) + 1 or len(lines)
                self.dropped += 1
                _log.error(
                    "a line of %d bytes is dropped from the %s: a record holds %d",
                    end - start,
                    self._what,
                    RECORD_BYTES,
                )
            start = end

    def _put(self, records: Sequence[bytes]) -> None:
        """Send one request, and the rest of it again."""
        what = f"the {self._what}'s stream {self._stream!r}"
        waits = pauses(_ATTEMPTS)
        while records:
            with translated(what):
                answer = self._client.put_record_batch(
                    DeliveryStreamName=self._stream,
                    Records=[{"Data": record} for record in records],
                )
            again = []
            for record, result in zip(records, answer["RequestResponses"], strict=True):
                code = result.get("ErrorCode")
                if not code:
                    continue
                if code not in _BUSY and not may_work_later(code):
                    raise StoreError(f"{what} does not take records: {code}")
                again.append(record)
            records = again
            if records:
                pause = next(waits, None)
                if pause is None:
                    raise StoreBusy(
                        f"{what} did not take {len(records)} records; try again"
                    )
                self._sleep(pause)


def _last_end(lines: bytes, start: int) -> int:
    """Where the last line ends that fits a record from `start`; 0: none does."""
    return lines.rfind(b"\n", start, start + RECORD_BYTES) + 1


def _requests(records: Iterator[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut records into requests."""
    request: list[bytes] = []
    size = 0
    for record in records:
        if request and (
            len(request) == _RECORDS or size + len(record) > _REQUEST_BYTES
        ):
            yield request
            request, size = [], 0
        request.append(record)
        size += len(record)
    if request:
        yield request
