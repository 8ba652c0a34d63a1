"""Requests go to public addresses, or where an operator says, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given, strategies as st

from journeykit.network import Network, Refused, Target


def network(*allow: str, found: Sequence[str] = ("93.184.216.34",)) -> Network:
    return Network(allow, resolve=lambda host, port: found)


def reached(url: str, *allow: str, found: Sequence[str] = ("93.184.216.34",)) -> str:
    """The addresses that would be called, or why none is."""
    asked = network(*allow, found=found)
    try:
        return " ".join(map(str, asked.addresses(asked.target(url))))
    except Refused as refused:
        return str(refused)


def test_a_public_address_is_called_if_there_is_no_list() -> None:
    assert reached("https://example.com/in?token=1") == "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.31.0.1", "192.168.1.1"),
        *("169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "198.18.0.1", "192.0.2.1", "192.88.99.1"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *(
            "::",
            "::1",
            "fe80::1",
            "fe80::1%eth0",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
        ),
        *(
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:7f00:1",
        ),
        *("64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::1"),
        *("2001:0:7f00:1::1", "2001:db8::1", "fec0::1", "3fff::1", "100::1"),
    ],
)
def test_an_address_that_is_not_public_is_never_called(address: str) -> None:
    by_name = reached("https://example.com/", found=[address])
    by_number = reached(f"https://{f'[{address}]' if ':' in address else address}/")

    assert "is not public" in by_name or "is never called" in by_name
    assert "is not public" in by_number or "is never called" in by_number


# Python's own opinion as the oracle. It has grown stricter over the years, and in places
# more lenient; what it calls private now is private here.
@given(st.ip_addresses())
@example(ip_address("168.63.129.16"))
@example(ip_address("8.8.8.8"))
def test_nothing_is_called_that_python_calls_private(
    address: IPv4Address | IPv6Address,
) -> None:
    told = reached("https://example.com/", found=[str(address)])

    if told == str(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_address_is_treated_as_what_it_is(
    address: IPv4Address,
) -> None:
    plain = network(found=[str(address)])
    wrapped = [f"::ffff:{address}", f"64:ff9b::{address}"]

    for found in wrapped:
        same = network(found=[found])
        assert is_allowed(plain) == is_allowed(same)


def is_allowed(asked: Network) -> bool:
    try:
        asked.addresses(asked.target("https://example.com/"))
    except Refused:
        return False
    return True


@given(st.ip_addresses(v=4, network="8.0.0.0/7"))
def test_ordinary_addresses_are_called(address: IPv4Address) -> None:
    assert reached("https://example.com/", found=[str(address)]) == str(address)


@given(st.ip_addresses(v=6, network="2a00::/12"))
def test_ordinary_ipv6_addresses_are_called(address: IPv6Address) -> None:
    assert reached(f"https://[{address}]/") == str(address)


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1"),
        *("127.0.0.01", "1.2.3.4.5", "0x", "8.8.2056"),
    ],
)
def test_an_address_in_disguise_is_no_host_name(host: str) -> None:
    # Not asked either: some resolvers know these spellings, and some don't.
    asked = Network(resolve=lambda host, port: pytest.fail("asked"))

    with pytest.raises(Refused):
        asked.target(f"http://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.com",
            "//example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
        ),
        *(
            "https://",
            "https:///x",
            "https://:443/",
            "https://a b/",
            "https://exa\tmple/",
        ),
        *("https://user@example.com/", "https://user:pw@example.com/"),
        *("https://example.com\\@10.0.0.1/", "https://example.com:0/"),
        *("https://example.com:99999/", "https://example.com:x/", "https://[::1/"),
        *(
            "https://exämple.com/",
            "https://example.com/ä",
            "https://-a.com/",
            "https://a..b/",
        ),
        *(
            "https://" + "a" * 64 + "/",
            "https://" + "a." * 130 + "a/",
            "https://a/\r\nX: 1",
        ),
        *(
            "gopher://127.0.0.1:6379/_x",
            "HTTPS://[fe80::1%25lo]/",
            "javascript:alert(1)",
        ),
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    asked = network()

    with pytest.raises(Refused) as caught:
        asked.addresses(asked.target(url))

    assert "pw" not in str(caught.value)


@given(st.text())
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"http://{text}/x"):
        try:
            target = network().target(url)
        except Refused:
            continue
        assert target.host.isascii()
        assert 0 < target.port < 65536
        assert target.path.startswith("/")


def test_a_url_is_taken_apart() -> None:
    target = network().target("HTTP://Example.COM:8080/in/x?token=1#part")

    assert target == Target("http", "example.com", 8080, "/in/x?token=1")
    assert target.authority == "example.com:8080"
    assert "token" not in repr(target)


def test_an_ipv6_address_stands_in_brackets_where_it_is_named() -> None:
    assert network().target("https://[2a00::1]/").authority == "[2a00::1]"


def test_with_a_list_nothing_else_is_called() -> None:
    assert reached("https://example.com/", "example.com") == "93.184.216.34"
    assert reached("https://EXAMPLE.com./", "Example.Com") == "93.184.216.34"
    assert "not on the allow-list" in reached("https://example.org/", "example.com")
    assert "not on the allow-list" in reached("https://a.example.com/", "example.com")
    assert "not on the allow-list" in reached("https://8.8.8.8/", "example.com")
    assert "not on the allow-list" in reached("https://example.com/", "10.0.0.0/8")


def test_a_name_that_is_not_listed_is_not_even_asked_for() -> None:
    asked = Network(["example.com"], resolve=lambda host, port: pytest.fail("asked"))

    with pytest.raises(Refused):
        asked.addresses(asked.target("https://example.org/"))


def test_a_private_address_is_called_if_its_network_is_listed() -> None:
    url, wrapped = "http://hooks.internal/", "::ffff:10.1.2.3"

    assert reached(url, "10.0.0.0/8", found=["10.1.2.3"]) == "10.1.2.3"
    assert reached(url, "10.1.2.3", found=["10.1.2.3"]) == "10.1.2.3"
    assert reached(url, "10.0.0.0/8", found=[wrapped]) == str(ip_address(wrapped))
    assert reached(url, "fd00::/8", found=["fd12::1"]) == "fd12::1"
    assert reached("http://127.0.0.1/", "127.0.0.1") == "127.0.0.1"


def test_to_list_a_name_does_not_open_a_private_network() -> None:
    told = reached("http://hooks.internal/", "hooks.internal", found=["10.1.2.3"])

    assert told == (
        "'hooks.internal' is at 10.1.2.3, which is not public; "
        "list its network if it shall be called"
    )


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0"])
def test_metadata_is_not_called_even_if_listed(address: str) -> None:
    told = reached("http://example.com/", "0.0.0.0/0", "::/0", address, found=[address])

    assert told == f"'example.com' is at {address}, which is never called"


def test_of_several_addresses_only_the_allowed_ones_are_called() -> None:
    found = ["::1", "127.0.0.1", "93.184.216.34"]

    assert reached("http://example.com/", found=found) == "93.184.216.34"
    assert reached("http://localhost/", "127.0.0.0/8", found=found) == "127.0.0.1"


def test_each_question_is_asked_anew_and_each_answer_checked() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked = Network(resolve=lambda host, port: next(answers))
    target = asked.target("https://rebinding.example.com/")

    first = asked.addresses(target)

    assert [str(address) for address in first] == ["93.184.216.34"]
    with pytest.raises(Refused):
        asked.addresses(target)


def test_a_name_without_an_address_is_out_of_reach_and_not_refused() -> None:
    with pytest.raises(OSError, match="no address"):
        network(found=[]).addresses(network().target("https://example.com/"))


def test_ports_can_be_listed() -> None:
    asked = Network(ports=[443, 8443])

    assert asked.target("https://example.com/").port == 443
    assert asked.target("https://example.com:8443/").port == 8443
    with pytest.raises(Refused, match="port 6379"):
        asked.target("http://example.com:6379/")


def test_a_proxy_is_asked_only_for_names_on_the_list() -> None:
    asked = network("example.com", "10.0.0.0/8")

    asked.check_unresolved(asked.target("https://example.com/"))
    asked.check_unresolved(asked.target("https://10.1.2.3/"))
    for url in ("https://example.org/", "https://127.0.0.1/", "https://8.8.8.8/"):
        with pytest.raises(Refused):
            asked.check_unresolved(asked.target(url))


@pytest.mark.parametrize("entry", ["", "https://example.com", "10.0.0.1/8", "*", "a b"])
def test_an_entry_that_is_neither_host_nor_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host name"):
        Network([entry])


def test_localhost_is_resolved_by_the_system_and_refused() -> None:
    asked = Network()

    with pytest.raises(Refused, match="not public"):
        asked.addresses(asked.target("http://localhost/"))


def test_networks_are_those_that_were_listed() -> None:
    assert Network(["10.0.0.0/8"]).networks == (ip_network("10.0.0.0/8"),)
