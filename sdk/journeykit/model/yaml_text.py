"""Writes JSON values as YAML that is pleasant to read.

Written here and not by a library, because the text is canonical: it must not change
with a library's taste in quotes and line breaks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from journeykit.model.names import VALUES
from journeykit.model.reading import plain

_FIRST = ("type", "id")
_ONE_OR_MANY = ("trigger", "goal", "channel")
_WIDTH = 88

# Letters first, then anything but what YAML might take for its own: `: `, ` #`, a colon
# at the end; inside `[…]` and `{…}` brackets and commas, too.
_PLAIN = re.compile(
    r"""[A-Za-z_/0-9](?:[!-9;-~]|:(?=[!-~])|(?<! ) (?=[!"$-~]))*""", re.ASCII
)
_IN_FLOW = re.compile(r"[^\[\]{},]*")
_BLOCK = re.compile(r"(?:[ -~\u00a1-\u024f]*[!-~\u00a1-\u024f])?", re.ASCII)


def yaml_text(value: Mapping[str, Any]) -> str:
    """Write a definition's document as YAML 1.2."""
    lines = "\n".join(_mapping(_readable(value), "")) if value else "{}"
    return f"{lines}\n"


def _readable(value: Any, key: str = "") -> Any:
    """Put `type` and `id` first, and leave out what goes without saying."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        items = [_readable(part, key) for part in value]
        return items[0] if key in _ONE_OR_MANY and len(items) == 1 else items
    if not isinstance(value, Mapping) or key in VALUES:
        return value
    names = [name for name in _FIRST if name in value]
    names += [name for name in value if name not in _FIRST]
    if value.get("type") == "event":  # what a trigger is unless it says otherwise
        names.remove("type")
    return {name: _readable(value[name], name) for name in names}


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, part in value.items():
        yield from _entry(f"{indent}{_scalar(key)}:", part, indent)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    """A key and its value, on one line if that is short and flat."""
    flow = _flow(value)
    if flow is not None and len(head) + 1 + len(flow) <= _WIDTH:
        yield f"{head} {flow}"
    elif isinstance(value, Mapping):
        yield head
        yield from _mapping(value, f"{indent}  ")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield head
        yield from _sequence(value, f"{indent}  ")
    elif isinstance(value, str) and _is_block(value):
        yield f"{head} |-"
        yield from (f"{indent}  {line}" if line else "" for line in value.split("\n"))
    else:
        yield f"{head} {_scalar(value)}"


def _sequence(items: Sequence[Any], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping) and item:
            lines = _mapping(item, f"{indent}  ")
            yield f"{indent}- {next(lines).lstrip()}"
            yield from lines
        else:
            yield from _entry(f"{indent}-", item, indent)


def _flow(value: Any, *, inside: bool = False) -> str | None:
    """A value in one line; None if it deserves several."""
    if isinstance(value, Mapping):
        if inside and set(value) != {"cel"}:
            return None
        parts = [_flow(part, inside=True) for part in value.values()]
        if None in parts:
            return None
        items = (
            f"{_scalar(k, in_flow=True)}: {v}"
            for k, v in zip(value, parts, strict=True)
        )
        return f"{{{', '.join(items)}}}"
    if isinstance(value, str):
        return None if _is_block(value) else _scalar(value, in_flow=inside)
    if isinstance(value, Sequence):
        parts = [_flow(part, inside=True) for part in value]
        return None if None in parts else f"[{', '.join(map(str, parts))}]"
    return _scalar(value)


def _scalar(value: object, *, in_flow: bool = False) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if (
        _PLAIN.fullmatch(value)
        and isinstance(plain(value), str)
        and (not in_flow or _IN_FLOW.fullmatch(value))
    ):
        return value
    if '"' in value and "'" not in value and value.isascii() and value.isprintable():
        return f"'{value}'"
    # JSON's spelling is YAML's, but for what YAML lets nobody print.
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def _is_block(text: str) -> bool:
    """Whether text reads best over several lines, and YAML gives it back unchanged."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and bool(lines[0])
        and not lines[0].startswith(" ")
        and bool(lines[-1])
        and all(map(_BLOCK.fullmatch, lines))
    )
