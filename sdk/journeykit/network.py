"""Which URLs may be called: none that leads into a private network unless it is listed.

A URL is taken apart once, its name is resolved once, and the address that was checked is
the address that is called. So neither an odd spelling (`http://2130706433/`) nor a name
that resolves to something else the second time gets a request to where it must not go.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias
from urllib.parse import urlsplit

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]

PORTS = {"http": 80, "https": 443}


def _networks(text: str) -> Networks:
    return tuple(ip_network(network) for network in text.split())


# IANA's special-purpose registries, written down because Python's `is_global` differs
# from version to version.
_NOT_PUBLIC = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 "
    "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 "
    "198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
    "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA gives out for IPv6

# Not even if listed: nobody's messages belong there, and a too wide list is easily made.
_NEVER = _networks(
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4 ::/128 fe80::/10 ff00::/8 "
    # Where clouds keep credentials beside 169.254.0.0/16: Azure, Alibaba, Oracle, AWS, Google.
    "168.63.129.16/32 100.100.100.200/32 192.0.0.192/32 fd00:ec2::/32 fd20:ce::/32"
)
_NAT64 = IPv6Network("64:ff9b::/96")

_URL = re.compile(
    r"[\x21-\x5b\x5d-\x7e]+"
)  # printable ASCII without space and backslash
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")  # as the last label: a disguised address


class Refused(Exception):
    """The URL must not be called; the message says why, and names the host at most."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart.

    Attributes:
        scheme: `http` or `https`.
        host: In lower case; an IPv6 address without brackets.
        port: As given, or the scheme's own.
        path: Path and query, as they stand in a request.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)  # it may hold a token

    @property
    def authority(self) -> str:
        """What stands in the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What one connection serves."""
        return self.scheme, self.host, self.port


def resolved(host: str, port: int) -> Sequence[str]:
    """Ask the system for a host's addresses.

    Raises:
        OSError: It has none, or nobody knows.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class Network:
    """Where requests may go.

    Args:
        allow: Host names, addresses and networks (`10.1.0.0/16`). Empty: every public
            address. Otherwise nothing else is called; a private address only if itself
            or its network is listed, since anybody may point a name at it.
        ports: The ports that may be called; empty: all.
        resolve: Finds a host's addresses.

    Raises:
        ValueError: An entry of `allow` is neither a host name nor a network.
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        *,
        ports: Sequence[int] = (),
        resolve: Callable[[str, int], Sequence[str]] = resolved,
    ) -> None:
        """Read the list."""
        hosts, networks = set(), []
        for entry in allow:
            try:
                networks.append(ip_network(entry))
            except ValueError as err:
                host = entry.lower().removesuffix(".")
                if not _is_name(host):
                    raise ValueError(
                        f"{entry!r} is neither a host name, as in 'hooks.example.com', "
                        "nor a network, as in '10.1.0.0/16'"
                    ) from err
                hosts.add(host)
        self.hosts = frozenset(hosts)
        self.networks: Networks = tuple(networks)
        self.ports = frozenset(ports)
        self._resolve = resolve

    def target(self, url: str) -> Target:
        """Take a URL apart, without asking anybody where it leads.

        Raises:
            Refused: It is no URL that may be called.
        """
        if not _URL.fullmatch(url):
            raise Refused("the URL has characters that no URL has")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as err:
            raise Refused("it is no URL") from err
        if parts.scheme not in PORTS:
            raise Refused("the URL must begin with https:// or http://")
        if "@" in parts.netloc:
            raise Refused("the URL has a user name in it; use a header")
        host = (parts.hostname or "").removesuffix(".")
        if _literal(host) is None and not _is_name(host):
            raise Refused(f"{host!r} is no host name")
        if port is None:
            port = PORTS[parts.scheme]
        if port == 0 or (self.ports and port not in self.ports):
            raise Refused(f"port {port} is not on the list of ports")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(parts.scheme, host, port, path)

    def addresses(self, target: Target) -> Sequence[Address]:
        """Return the addresses of a target that may be called, in order; one at least.

        Raises:
            Refused: None of them may be.
            OSError: The name can't be resolved.
        """
        literal = _literal(target.host)
        if literal is None and self.hosts and not self.networks:
            self._check_name(target.host)  # before anybody is asked about it
        found = (
            [ip_address(text) for text in self._resolve(target.host, target.port)]
            if literal is None
            else [literal]
        )
        allowed = [address for address in found if self._allows(target.host, address)]
        if not allowed:
            self._refuse(target.host, found)
        return allowed

    def check_unresolved(self, target: Target) -> None:
        """Refuse a target that somebody else would resolve, such as a proxy.

        A name must be on the list then, because nobody here sees where it leads.

        Raises:
            Refused: It may not be called so.
        """
        literal = _literal(target.host)
        if literal is None and target.host not in self.hosts:
            raise Refused(
                f"a proxy would resolve {target.host!r}, so it must be on the allow-list"
            )
        if literal is not None and not self._allows(target.host, literal):
            self._refuse(target.host, [literal])

    def _allows(self, host: str, address: Address) -> bool:
        plain = _plain(address)
        if _in(plain, _NEVER):
            return False
        if _in(plain, self.networks):
            return True
        listed = host in self.hosts or not (self.hosts or self.networks)
        return listed and _is_public(plain)

    def _refuse(self, host: str, found: Sequence[Address]) -> None:
        for address in map(_plain, found):
            if _in(address, _NEVER):
                raise Refused(f"{host!r} is at {address}, which is never called")
            if not _is_public(address):
                raise Refused(
                    f"{host!r} is at {address}, which is not public; "
                    "list its network if it shall be called"
                )
        if found:
            self._check_name(host)
        raise OSError(f"{host!r} has no address")

    def _check_name(self, host: str) -> None:
        if host not in self.hosts:
            raise Refused(f"{host!r} is not on the allow-list")


def _is_name(host: str) -> bool:
    last = host.rpartition(".")[2]
    return bool(
        len(host) <= 253 and _HOST.fullmatch(host) and not _NUMBER.fullmatch(last)
    )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address only wraps."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(plain: Address) -> bool:
    if isinstance(plain, IPv6Address) and plain not in _GLOBAL_UNICAST:
        return False
    return not _in(plain, _NOT_PUBLIC)


def _in(address: Address, networks: Networks) -> bool:
    # A scope (fe80::1%eth0) is no part of a network's arithmetic, which handles it.
    return any(address in network for network in networks)
