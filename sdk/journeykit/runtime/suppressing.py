"""The published list of addresses that nothing goes to: read, and changed.

It is kept like templates are, under an id that is made of its bytes, and the catalog says
which one is live. So every decision is made by the list that was live when it was made, and
whoever decides needs no look-up for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from journeykit.engine.ids import is_derived
from journeykit.engine.suppressions import EMPTY, Suppression, SuppressionList
from journeykit.errors import DefinitionError, InputError, StaleCatalog
from journeykit.model.rules import ID, ID_LENGTH
from journeykit.ports import CatalogDocument, Catalogs, Contents
from journeykit.runtime.release import release

_RACES = 5  # lost to other publishers
_is_name = re.compile(ID).fullmatch


class Addition(NamedTuple):
    """One address that nothing is to go to.

    Attributes:
        key: `ids.address_key` of it.
        channel: Of which channel.
        reason: Why, as a name.
        at: Since when, milliseconds; None: whoever says it doesn't say since when.
    """

    key: str
    channel: str
    reason: str
    at: int | None = None


def checked_addition(item: Addition) -> Addition:
    """Return an addition if it keeps the bounds of the list.

    Raises:
        InputError: It doesn't; the message names the field.
    """
    if not is_derived(item.key):
        raise InputError("key: it is none of an address")
    for field in ("channel", "reason"):
        value = getattr(item, field)
        if not _is_name(value) or len(value) > ID_LENGTH:
            raise InputError(f"{field}: is no name")
    return item


def with_additions(
    known: SuppressionList, items: Iterable[Addition], *, now: int
) -> SuppressionList:
    """The list with more; what says no instant leaves one that is there as it is."""
    return known.with_(
        Suppression(
            item.key, item.channel, item.reason, now if item.at is None else item.at
        )
        for item in items
        if item.at is not None or known.get(item.key) is None
    )


def listed(
    document: CatalogDocument | None, contents: Contents | None
) -> SuppressionList:
    """Return the list that a catalog names; it is empty where it names none.

    Raises:
        DefinitionError: It is not there, or damaged. Nothing may be decided then: nobody
            knows any more whom not to write to.
    """
    if document is None or not document.suppressions:
        return EMPTY
    body = None if contents is None else contents.content(document.suppressions)
    if body is None:
        raise DefinitionError(
            "the list of suppressed addresses that the catalog names is not there; "
            "import it again: journeykit suppressions import --replace"
        )
    try:
        return SuppressionList.from_bytes(body)
    except ValueError as error:
        raise DefinitionError(
            f"the list of suppressed addresses can't be read ({error}); import it again: "
            "journeykit suppressions import --replace"
        ) from error


def change_list(
    catalogs: Catalogs,
    contents: Contents,
    change: Callable[[SuppressionList], SuppressionList],
    *,
    now: int,
    anew: bool = False,
) -> tuple[SuppressionList, SuppressionList]:
    """Publish another list; nothing happens if it is the same.

    Args:
        catalogs: Where it is published.
        contents: Where the lists are.
        change: Makes the next list of the one that is live.
        now: The wall clock, milliseconds.
        anew: Whether to start from an empty list, whatever there is.

    Returns:
        The list before, and the one that is live now.

    Raises:
        DefinitionError: Nothing is published, or the list before is not there.
        StaleCatalog: Others publish all the time.
    """
    for _ in range(_RACES):
        current = catalogs.current()
        if current is None:
            raise DefinitionError(
                "nothing is published yet; publish a workspace: journeykit publish"
            )
        before = EMPTY if anew else listed(current, contents)
        after = change(before)
        id = after.id if after else ""
        if after and (anew or id != current.suppressions):
            # First, so that no catalog names what isn't there.
            contents.keep_content(id, after.to_bytes())
        if id == current.suppressions:
            return before, after
        document = replace(
            current,
            revision=current.revision + 1,
            at=now,
            release=release(),
            suppressions=id,
            note=f"suppressed addresses: {len(after):,}",
        )
        try:
            catalogs.publish(document)
        except StaleCatalog:
            continue
        return before, after
    raise StaleCatalog("somebody else publishes all the time; try again")
