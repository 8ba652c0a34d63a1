from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from journeykit.errors import StoreError
from journeykit.local.logs import LogFile, log_files, log_lines

Log = Callable[..., LogFile]


@pytest.fixture
def log() -> Iterator[Log]:
    """Make a log, `log(folder, max_bytes=8)`, that is closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(folder: Path, **options: Any) -> LogFile:
            file = LogFile(folder / "decisions.jsonl", **options)
            stack.callback(file.close)
            return file

        yield make


def test_lines_are_appended_and_the_folder_is_made(tmp_path: Path, log: Log) -> None:
    file = log(tmp_path / "deep" / "down")

    file.append(b"one\n")
    file.append(b"two\nthree\n")

    assert list(log_lines(file.path)) == [b"one\n", b"two\n", b"three\n"]


def test_a_large_file_is_put_aside_under_the_next_number(
    tmp_path: Path, log: Log
) -> None:
    file = log(tmp_path, max_bytes=8)

    for number in range(5):
        file.append(f"line {number}\n".encode())

    assert [path.name for path in log_files(file.path)] == [
        "decisions-000001.jsonl",
        "decisions-000002.jsonl",
        "decisions.jsonl",
    ]
    assert b"".join(log_lines(file.path)) == b"".join(
        f"line {number}\n".encode() for number in range(5)
    )


def test_another_process_goes_on_counting(tmp_path: Path, log: Log) -> None:
    log(tmp_path, max_bytes=1).append(b"one\n")
    log(tmp_path, max_bytes=1).append(b"two\n")

    names = [path.name for path in log_files(tmp_path / "decisions.jsonl")]

    assert names == ["decisions-000001.jsonl", "decisions-000002.jsonl"]


def test_what_a_crash_left_of_a_line_is_cut_off(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b'{"whole": 1}\n{"ha')

    log(tmp_path).append(b'{"next": 2}\n')

    assert path.read_bytes() == b'{"whole": 1}\n{"next": 2}\n'


def test_half_a_line_is_passed_over_by_readers(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"whole\nha")

    assert list(log_lines(path)) == [b"whole\n"]


def test_a_file_that_was_never_a_log_is_left_alone(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"x" * 2_000_000)

    with pytest.raises(StoreError, match="no log"):
        log(tmp_path).append(b"line\n")

    assert path.stat().st_size == 2_000_000


def test_a_small_file_that_was_never_a_log_is_left_alone(
    tmp_path: Path, log: Log
) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"a note of somebody")

    with pytest.raises(StoreError, match="no log"):
        log(tmp_path).append(b"line\n")

    assert path.read_bytes() == b"a note of somebody"


def test_a_first_line_that_a_crash_cut_is_cut_off(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b'{"ha')

    log(tmp_path).append(b'{"next": 2}\n')

    assert path.read_bytes() == b'{"next": 2}\n'


def test_what_cant_be_put_aside_is_written_all_the_same(
    tmp_path: Path,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    file = log(tmp_path, max_bytes=1)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refused)
        file.append(b"one\n")
    alone = log_files(file.path)
    file.append(b"two\n")

    assert alone == [file.path]
    assert "can't be put aside: Permission denied" in caplog.text
    assert [path.name for path in log_files(file.path)] == ["decisions-000001.jsonl"]
    assert list(log_lines(file.path)) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("sync", [False, True])
def test_only_what_must_be_on_the_disk_waits_for_it(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def synced_to_disk(number: int) -> None:
        synced.append(number)
        fsync(number)

    monkeypatch.setattr(os, "fsync", synced_to_disk)
    file = log(tmp_path, sync=sync)

    file.append(b"one\n")
    file.append(b"two\n")

    assert len(synced) == (3 if sync else 0)  # the folder's new name, and each


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path, log: Log) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(StoreError, match=r"taken.*can't be written"):
        log(tmp_path / "taken").append(b"line\n")


FULL = """
import resource, sys
from pathlib import Path
from journeykit import StoreFull
from journeykit.local.logs import LogFile
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
log = LogFile(Path(sys.argv[1]))
log.append(b"a" * 59 + b"\\n")
try:
    log.append(b"b" * 59 + b"\\n")
except StoreFull as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
log.append(b"c" * 59 + b"\\n")
"""


def test_a_full_disk_loses_nothing_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "no space left" in done.stdout
    assert path.read_bytes() == b"a" * 59 + b"\n" + b"c" * 59 + b"\n"


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 100))
def test_whatever_is_appended_is_read_back_in_order(
    parts: list[bytes], most: int
) -> None:
    lines = [part.replace(b"\n", b"") + b"\n" for part in parts]
    with tempfile.TemporaryDirectory() as folder:
        file = LogFile(Path(folder) / "decisions.jsonl", max_bytes=most)

        for line in lines:
            file.append(line)

        assert list(log_lines(file.path)) == lines
        file.close()
