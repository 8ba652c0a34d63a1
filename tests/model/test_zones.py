import struct
import zoneinfo
from datetime import datetime, timedelta
from importlib import resources
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from journeykit.errors import DefinitionError
from journeykit.model.zones import is_zone, zone, zone_names


def test_a_zone_is_loaded_once():
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert zone("Europe/Berlin").key == "Europe/Berlin"


def test_zones_come_from_the_package_not_the_machine(tmp_path):
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "America").mkdir()
    (tmp_path / "America" / "New_York").write_bytes(tokyo)
    machines = zoneinfo.TZPATH

    zoneinfo.reset_tzpath(to=[tmp_path])
    try:
        zone.cache_clear()
        ours, machine = zone("America/New_York"), ZoneInfo.no_cache("America/New_York")
    finally:
        zoneinfo.reset_tzpath(to=machines)

    summer = datetime(2026, 7, 1)  # noqa: DTZ001 (a clock's reading)
    assert machine.utcoffset(summer) == timedelta(hours=9)
    assert ours.utcoffset(summer) == timedelta(hours=-4)


def test_every_listed_zone_loads():
    assert len(zone_names()) > 500
    assert {zone(name).key for name in zone_names()} == zone_names()


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("Europe/Berlln", "'Europe/Berlin'"),
        ("europe/berlin", "'Europe/Berlin'"),
        ("America/New York", "'America/New_York'"),
        ("Berlin", "'Europe/Berlin'"),
        ("new york", "'America/New_York'"),
        ("Mars/Olympus", "IANA name"),
        ("", "IANA name"),
        ("Factory", "IANA name"),
    ],
)
def test_an_unknown_zone_is_refused_with_those_alike(name, alike):
    assert not is_zone(name)
    with pytest.raises(DefinitionError, match=r"unknown time zone") as caught:
        zone(name)

    assert alike in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "../zones",
        "/etc/passwd",
        "Europe/../Europe/Berlin",
        "Europe",
        "__init__.py",
        "Europe/Berlin\0",
        "\0",
        " Europe/Berlin",
        "Europe\\Berlin",
        "x" * 1_000_000,
        "\ud800",
        None,
        1,
        b"UTC",
        ("UTC",),
    ],
)
def test_a_hostile_name_is_refused_before_any_file_is_opened(name):
    assert not is_zone(name)
    with pytest.raises(DefinitionError) as caught:
        zone(name)

    assert len(caught.value.message) < 300


def test_something_unhashable_is_no_zone():
    assert not is_zone(["UTC"])


@given(st.text() | st.none() | st.integers() | st.binary())
def test_is_zone_answers_for_anything(name):
    assert is_zone(name) is (name in zone_names())


def offset_changes(name):
    """Read (instant, offset before, offset after) from a zone file, RFC 8536."""
    data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    header = ">4s1s15x6l"
    _, _, isut, isstd, leap, times, types, chars = struct.unpack_from(header, data)
    start = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    *_, times, types, _ = struct.unpack_from(header, data, start)
    at = struct.unpack_from(f">{times}q", data, start + 44)
    kinds = struct.unpack_from(f">{times}B", data, start + 44 + times * 8)
    table = start + 44 + times * 9
    offsets = [struct.unpack_from(">l", data, table + n * 6)[0] for n in range(types)]
    before = offsets[0]
    for instant, kind in zip(at, kinds, strict=True):
        if offsets[kind] != before:
            yield instant, before, offsets[kind]
        before = offsets[kind]


def test_no_zone_changes_twice_within_six_days():
    for name in zone_names():
        changes = [instant for instant, _, _ in offset_changes(name)]
        pairs = pairwise(changes)
        assert all(later - earlier > 6 * 86_400 for earlier, later in pairs), name


def test_no_gap_is_longer_than_a_day():
    for name in zone_names():
        changes = offset_changes(name)
        assert all(after - before <= 86_400 for _, before, after in changes), name


def test_the_zone_file_reader_above_finds_changes():
    changes = list(offset_changes("Pacific/Apia"))

    assert (1_325_239_200, -36_000, 50_400) in changes
