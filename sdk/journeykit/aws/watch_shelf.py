"""What the watch of a stack needs of AWS: a place for its counts, and who is on call.

watch/…     in the bucket of records: what was counted, found and told
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from journeykit.aws.clients import client
from journeykit.aws.failures import code_of, translated

PREFIX = "watch/"
_WHAT = "the bucket of records"
_SUBJECT = 100
_MOST_BYTES = 200 * 1024  # SNS takes 256 KB
_GONE = frozenset({"NoSuchKey", "404"})


class BucketShelf:
    """Keeps what a watch has counted, found and told."""

    def __init__(self, s3: Any, bucket: str) -> None:
        """Take the client and the bucket's name."""
        self._s3 = s3
        self._bucket = bucket

    def get(self, name: str) -> bytes | None:
        """Return what is kept; None: nothing.

        Raises:
            StoreError: The bucket can't be read.
        """
        with translated(_WHAT):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=PREFIX + name)
            except ClientError as error:
                if code_of(error) in _GONE:
                    return None
                raise
            with answer["Body"] as body:
                content: bytes = body.read()
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keep something in the place of what was there.

        Raises:
            StoreError: The bucket can't be written.
        """
        with translated(_WHAT):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=PREFIX + name,
                Body=content,
                ContentType="application/json",
            )


class AlarmTopic:
    """Tells whoever has subscribed to the alarms of a stack."""

    def __init__(self, sns: Any, topic: str) -> None:
        """Take the client and the topic's ARN."""
        self._sns = sns
        self._topic = topic

    def tell(self, subject: str, text: str) -> None:
        """Publish an alarm.

        Raises:
            StoreError: SNS can't be asked.
        """
        with translated("the topic of alarms"):
            self._sns.publish(
                TopicArn=self._topic,
                Subject=_subject(subject),
                Message=text.encode()[:_MOST_BYTES].decode(errors="ignore"),
            )


def _subject(text: str) -> str:
    """What SNS takes for a subject: printable ASCII, 100 characters."""
    plain = "".join(one if " " <= one <= "~" else "?" for one in text)
    return plain[:_SUBJECT].strip() or "watch"


def shelf_of_stack(name: str) -> BucketShelf:
    """Find the shelf of a stack.

    Raises:
        InputError: There is no such stack, or it is none of journeykit's.
        StoreError: AWS can't be asked.
    """
    from journeykit.aws.logs import OUTPUT
    from journeykit.aws.stack import Stack

    return BucketShelf(client("s3"), Stack(name).output(OUTPUT))
