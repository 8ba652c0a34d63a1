"""Time zones by name, from the pinned `tzdata` package and from nowhere else.

`ZoneInfo(name)` prefers the machine's own zone files, which differ between a laptop and
a Lambda: the same journey would wake people an hour apart after a country changes its
rules. Reading the package's files makes the zone data a dependency like any other.
"""

from __future__ import annotations

import difflib
import io
import pkgutil
from functools import cache
from zoneinfo import ZoneInfo

from journeykit.errors import DefinitionError

_LONGEST_NAME = 64  # the longest in tzdata has 32 characters


@cache
def zone_names() -> frozenset[str]:
    """All names that `zone` knows, such as `Europe/Berlin` and `UTC`."""
    return frozenset(_read("zones").decode().split()) - {"Factory"}  # = "not set up"


def is_zone(name: object) -> bool:
    """Whether `zone` knows the name; anything at all may be asked."""
    return isinstance(name, str) and name in zone_names()


@cache
def zone(name: str) -> ZoneInfo:
    """Load a zone once; the name is looked up in a list before any file is opened.

    Raises:
        DefinitionError: No such zone; the message names those spelled alike.
    """
    if not is_zone(name):
        raise DefinitionError(_why_unknown(name))
    return ZoneInfo.from_file(io.BytesIO(_read(f"zoneinfo/{name}")), key=name)


def _read(path: str) -> bytes:
    # pkgutil, since importlib.resources takes 30 ms to import, on every cold start.
    data = pkgutil.get_data("tzdata", path)
    if data is None:
        raise FileNotFoundError(f"package tzdata has no {path}; install it again")
    return data


def _why_unknown(name: object) -> str:
    if not isinstance(name, str):
        return f"a time zone is a name like 'Europe/Berlin', not {name!r:.40}"
    known = {known.casefold(): known for known in zone_names()}
    wanted = name.casefold().replace(" ", "_")
    alike = (
        difflib.get_close_matches(wanted, known, cutoff=0.7)
        # People write the city alone.
        or [folded for folded in known if folded.endswith(f"/{wanted}")]
        if len(name) <= _LONGEST_NAME
        else []
    )
    way_out = (
        f"did you mean {' or '.join(repr(known[folded]) for folded in alike)}?"
        if alike
        else "write an IANA name like 'Europe/Berlin', 'America/New_York' or 'UTC'"
    )
    return f"unknown time zone {name[:_LONGEST_NAME]!r}; {way_out}"
