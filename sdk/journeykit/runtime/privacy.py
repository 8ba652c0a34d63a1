"""What is known of a person, told to them; and forgetting them.

A person may have several documents: others were merged into theirs, and what is left of
each of them is a tombstone that names the survivor. Whichever of them somebody asks for,
all of them are meant.

Forgetting goes from the outside in: first the archive's lines, which name who they are
about, and last the documents, which say what to look for. Whoever is interrupted does the
same again. The decision log stays: it knows a customer by a name that is made with a salt
from the document, so nobody can tell any more whose its lines are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from journeykit.engine.customer import Customer, Released
from journeykit.engine.ids import log_id
from journeykit.engine.merging import FORGOTTEN, merged_id
from journeykit.errors import DamagedDocument, InputError
from journeykit.model.identity import spelled
from journeykit.ports import Claims, Privacy
from journeykit.runtime.identities import survivor_of

MOST = 1_000
"""People who are forgotten at once."""

_SEVERAL = {"delivery": "deliveries", "stimulus": "stimuli"}
_PAGE = 1_000  # customers who are looked at together
_SPELLED = frozenset({"email", "phone"})  # kinds that are written in many ways
_FEW = 16  # names; a line is decoded in the time that looking for so many takes


class Person(NamedTuple):
    """Somebody, by all names.

    Attributes:
        id: The survivor's id, if others were merged into them.
        documents: By id: theirs, and the tombstones of those who were merged into it.
    """

    id: str
    documents: Mapping[str, Customer]

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all their documents, and the one that was asked for."""
        return frozenset((self.id, *self.documents))

    @property
    def identifiers(self) -> frozenset[str]:
        """Their identifiers, each as `kind:value`."""
        known = self.documents.values()
        return frozenset(each for one in known for each in one.identifiers)

    @property
    def log_ids(self) -> frozenset[str]:
        """By which names the decision log knows them."""
        return frozenset(log_id(one.id, one.salt) for one in self.documents.values())


class Documents(Protocol):
    """Where documents are."""

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """Return the documents that there are, by id."""
        ...

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """Return the customers behind an id (empty: from the start)."""
        ...


class Kept(Documents, Claims, Privacy, Protocol):
    """What is needed of a store."""


def person(store: Documents, id: str) -> Person | None:
    """Return who is meant by an id; None: nobody.

    A survivor of very many doesn't know all of their names any more. Then all customers are
    looked through for their tombstones.

    Raises:
        StoreError: The store can't be read.
    """
    if id not in (found := {**store.load([id])}):
        return None
    survivor = survivor_of(id, store.load, found)
    found |= store.load([survivor])
    left = {id, survivor}
    while left:
        named = {merged_id(mark) for one in left for mark in found[one].absorbed}
        known = store.load(sorted(named - found.keys() - {""}))
        found |= known
        left = {*known}
    if any(FORGOTTEN in one.absorbed for one in found.values()):
        while new := _merged_into(store, found):
            found |= new
    return Person(survivor, found)


def _merged_into(
    store: Documents, found: Mapping[str, Customer]
) -> dict[str, Customer]:
    """Look for tombstones that name one of these customers, beside those among them."""
    new: dict[str, Customer] = {}
    after = ""
    while page := store.scan(after, _PAGE):
        for one in page:
            if one.merged_into in found and one.id not in found:
                new[one.id] = one
        after = page[-1].id
    return new


class _Detail(msgspec.Struct):
    """Whom an event is about."""

    customer: str = ""
    identifiers: dict[str, str] = {}


class _Line(_Detail):
    """Whom a line of the archive is about; in AWS it is an envelope of EventBridge's."""

    detail: _Detail | None = None


_line = msgspec.json.Decoder(_Line)


def is_about(people: Collection[Person]) -> Callable[[bytes], bool]:
    """Make the test whether a line of the event archive is about one of these people.

    A line that can't be read is about nobody.
    """
    ids = {id for one in people for id in one.ids}
    identifiers = {each for one in people for each in one.identifiers}
    # Most lines hold none of the names, and need not be decoded; of many names it takes
    # longer to look for each. Of a value that is written in many ways the kind is asked.
    names = {*ids}
    for kind, _, value in (each.partition(":") for each in identifiers):
        names.add(kind if kind in _SPELLED else value)
    parts = [msgspec.json.encode(name)[1:-1] for name in names]
    few = len(parts) <= _FEW

    def about(line: bytes) -> bool:
        if few and not any(part in line for part in parts):
            return False
        try:
            found = _line.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        said = found if found.detail is None else found.detail
        return said.customer in ids or any(
            f"{kind}:{spelled(kind, value)}" in identifiers
            for kind, value in said.identifiers.items()
        )

    return about


class Erased(NamedTuple):
    """What was forgotten.

    Attributes:
        people: How many people.
        parts: How much of each part of the store, `document` among them.
        lines: How many lines of the event archive.
    """

    people: int
    parts: Mapping[str, int]
    lines: int


def erase(
    store: Kept,
    ids: Collection[str],
    *,
    archive: Callable[[Callable[[bytes], bool]], int],
    anyway: bool = False,
) -> Erased:
    """Forget people.

    Args:
        store: Where they are known.
        ids: Whom; one that nobody has counts for nothing, but see `anyway`.
        archive: Removes the lines that a test picks, and returns how many these were.
        anyway: Whether to look for an id that has no document, too: for what came in
            behind an erasure, or was left of one that was interrupted.

    Raises:
        InputError: They are too many for once.
        StoreError: Not all of it is forgotten; the same again does the rest.
    """
    if len(ids) > MOST:
        raise InputError(f"{len(ids):,} people are too many for once: {MOST:,} at most")
    found = (findable(store, id, anyway=anyway) for id in ids)
    people = {one.id: one for one in found if one is not None}
    if not people:
        return Erased(0, {}, 0)
    lines = archive(is_about(people.values()))
    for one in people.values():
        _let_go(store, one)
    parts = store.erase(sorted({id for one in people.values() for id in one.ids}))
    # What came in while the archive was cleared is about them, too.
    lines += archive(is_about(people.values()))
    return Erased(len(people), parts, lines)


def findable(store: Documents, id: str, *, anyway: bool = False) -> Person | None:
    """Return who is to be forgotten by an id; None: nobody.

    Whoever has a document that nobody can read is forgotten as well, by this id alone.

    Args:
        store: Where documents are.
        id: Any of theirs.
        anyway: Whether an id that has no document is somebody.

    Raises:
        StoreError: The store can't be read.
    """
    try:
        found = person(store, id)
    except DamagedDocument:
        return Person(id, {})
    return Person(id, {}) if found is None and anyway else found


def _let_go(store: Claims, one: Person) -> None:
    """Give back the places of journeys that take one customer of a value.

    Other places stay taken; but who is forgotten keeps nobody of their name out.
    """
    for id, document in one.documents.items():
        for name, progress in document.progress.items():
            _, _, rest = name.partition("/")
            if rest == "unique" and progress.state:
                store.release(progress.state[0], id, since=0)
            elif rest.startswith("unique/") and len(progress.state) > 1:
                store.release(progress.state[1], id, since=0)  # asked for, not answered


def told(
    store: Kept,
    one: Person,
    *,
    events: Iterator[bytes],
    decisions: Iterator[bytes],
    at: str,
) -> Iterator[tuple[str, Any]]:
    """Yield everything that is known of a person, by parts, as JSON values.

    Args:
        store: Where they are known.
        one: Who.
        events: The lines of the event archive.
        decisions: The lines of the decision log.
        at: When it was asked, as text.
    """
    yield "customer", one.id
    yield "exported_at", at
    documents = [readable(each) for each in one.documents.values()]
    for each in documents:
        # Whoever had it could tell whose the lines of the log are, once they are erased.
        each.pop("salt", None)
    yield "documents", documents
    parts: dict[str, list[Any]] = {}
    for holding in store.holdings(sorted(one.ids)):
        parts.setdefault(_SEVERAL.get(holding.part, f"{holding.part}s"), []).append(
            holding.body
        )
    yield from sorted(parts.items())
    about = is_about([one])
    yield "events", [msgspec.json.decode(line) for line in events if about(line)]
    decided = decided_about([one])
    yield (
        "decisions",
        [msgspec.json.decode(line) for line in decisions if decided(line)],
    )


def readable(customer: Customer) -> dict[str, Any]:
    """A document as JSON values, each with its name."""
    document: dict[str, Any] = msgspec.to_builtins(customer)
    names = Released.__struct_fields__
    if ledger := document.get("ledger"):
        document["ledger"] = [dict(zip(names, row, strict=True)) for row in ledger]
    return document


class _Decision(msgspec.Struct):
    """By which name a line of the decision log knows its customer."""

    customer: str = ""


_decision = msgspec.json.Decoder(_Decision)


def decided_about(people: Collection[Person]) -> Callable[[bytes], bool]:
    """Make the test whether a line of the decision log is about one of these people."""
    names = {name for one in people for name in one.log_ids}
    texts = [name.encode() for name in names]

    def about(line: bytes) -> bool:
        if not any(text in line for text in texts):
            return False
        try:
            return _decision.decode(line).customer in names
        except msgspec.DecodeError:
            return False  # half a line, as a crash leaves it

    return about


def together(erased: Sequence[Erased]) -> Erased:
    """Add up what was forgotten, page by page."""
    parts: Counter[str] = Counter()
    for one in erased:
        parts.update(one.parts)
    return Erased(
        sum(one.people for one in erased),
        dict(sorted(parts.items())),
        sum(one.lines for one in erased),
    )
