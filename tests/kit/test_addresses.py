import ipaddress
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.addresses import UNKNOWN, Networks, client_address, is_https, site_of

NONE: Networks = ()
PROXIES: Networks = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
STRANGER = "203.0.113.9"


def scope(peer: str | None, *forwarded: str, scheme: str = "http", proto: tuple[str, ...] = ()) -> dict[str, Any]:
    headers = [(b"host", b"portal.test")]
    headers += [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    headers += [(b"x-forwarded-proto", line.encode("latin-1")) for line in proto]
    return {"type": "http", "scheme": scheme, "client": (peer, 40000) if peer else None, "headers": headers}


def test_without_trusted_proxies_the_peer_is_the_client_whatever_it_says() -> None:
    assert client_address(scope(STRANGER, "127.0.0.1"), NONE) == STRANGER
    assert client_address(scope("127.0.0.1", "198.51.100.1"), NONE) == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ((), "10.0.0.1"),
        (("",), "10.0.0.1"),
        (("198.51.100.7",), "198.51.100.7"),
        (("6.6.6.6, 198.51.100.7",), "198.51.100.7"),
        (("6.6.6.6", "198.51.100.7"), "198.51.100.7"),
        (("198.51.100.7, 10.0.0.2",), "198.51.100.7"),
        (("6.6.6.6, 198.51.100.7, 10.0.0.3, 10.0.0.2",), "198.51.100.7"),
        (("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        (("6.6.6.6, garbage",), "10.0.0.1"),
        (("6.6.6.6, garbage, 10.0.0.2",), "10.0.0.2"),
        (("2001:db8::7",), "2001:db8::7"),
        (("[2001:db8::7]:4711",), "2001:db8::7"),
        (("[2001:db8::7]",), "2001:db8::7"),
        (("198.51.100.7:4711",), "198.51.100.7"),
        (("198.51.100.7:x",), "10.0.0.1"),
        (("[2001:db8::7]evil",), "10.0.0.1"),
        (("[2001:db8::7",), "10.0.0.1"),
        (("::ffff:198.51.100.7",), "198.51.100.7"),
        (("198.51.100.7, fd00::2",), "198.51.100.7"),
        (("unknown",), "10.0.0.1"),
        (("_hidden",), "10.0.0.1"),
    ],
)
def test_reads_the_chain_from_the_right_through_trusted_hops_only(forwarded: tuple[str, ...], client: str) -> None:
    assert client_address(scope("10.0.0.1", *forwarded), PROXIES) == client


def test_an_untrusted_peer_cannot_frame_another_address() -> None:
    assert client_address(scope(STRANGER, "10.0.0.1, 127.0.0.1"), PROXIES) == STRANGER


def test_a_mapped_ipv4_peer_is_its_ipv4_address() -> None:
    assert client_address(scope("::ffff:10.0.0.1", "198.51.100.7"), PROXIES) == "198.51.100.7"
    assert client_address(scope("fe80::1%eth0"), NONE) == "fe80::1"


def test_a_peer_without_an_address_is_unknown() -> None:
    assert client_address(scope(None, "1.1.1.1"), PROXIES) == UNKNOWN
    assert client_address(scope("testclient", "1.1.1.1"), PROXIES) == UNKNOWN


@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=60), max_size=4))
def test_any_forwarding_header_yields_an_address(lines: list[str]) -> None:
    ipaddress.ip_address(client_address(scope("10.0.0.1", *lines), PROXIES))
    assert client_address(scope(STRANGER, *lines), PROXIES) == STRANGER


@given(st.lists(st.ip_addresses(), max_size=5), st.ip_addresses(v=4).filter(lambda a: a not in PROXIES[0]))
def test_what_the_client_sent_itself_never_changes_the_answer(
    spoofed: list[ipaddress.IPv4Address], real: ipaddress.IPv4Address
) -> None:
    chain = ", ".join([*map(str, spoofed), str(real), "10.9.9.9"])
    assert client_address(scope("10.0.0.1", chain), PROXIES) == str(real)


def test_a_very_long_chain_is_cut() -> None:
    assert client_address(scope("10.0.0.1", ", ".join(["6.6.6.6"] + ["10.0.0.2"] * 5000)), PROXIES) == "10.0.0.2"


@pytest.mark.parametrize(
    ("peer", "scheme", "proto", "expected"),
    [
        (STRANGER, "http", (), False),
        (STRANGER, "https", (), True),
        (STRANGER, "wss", (), True),
        (STRANGER, "http", ("https",), False),
        ("10.0.0.1", "http", ("https",), True),
        ("10.0.0.1", "ws", ("HTTPS",), True),
        ("10.0.0.1", "http", ("http",), False),
        ("10.0.0.1", "http", ("https, http",), False),
        ("10.0.0.1", "http", ("https", "http"), False),
        ("10.0.0.1", "http", ("http", "https"), True),
        ("10.0.0.1", "http", (), False),
        (None, "http", ("https",), False),
    ],
)
def test_https_is_believed_of_our_own_tls_and_of_trusted_proxies(
    peer: str | None, scheme: str, proto: tuple[str, ...], expected: bool
) -> None:
    assert is_https(scope(peer, scheme=scheme, proto=proto), PROXIES) is expected


def test_no_proxy_is_trusted_by_default() -> None:
    for peer, proto in product(("127.0.0.1", "::1"), ("https", "wss")):
        assert not is_https(scope(peer, proto=(proto,)), NONE)


def test_a_limiter_counts_an_ipv6_site_as_one() -> None:
    assert site_of("2001:db8:1:2::1") == site_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert site_of("2001:db8:1:3::1") != site_of("2001:db8:1:2::1")
    assert site_of("198.51.100.7") == "198.51.100.7"
    assert site_of(UNKNOWN) == UNKNOWN


_ONE_HOP, _TWO_HOPS = (ipaddress.ip_network("10.0.0.1"),), PROXIES
_CHAINS = {  # what the header says -> the client with 0, 1 and 2 trusted hops, asked from 10.0.0.1
    "none": ((), "10.0.0.1", "10.0.0.1", "10.0.0.1"),
    "spoofed": (("127.0.0.1, 198.51.100.7",), "10.0.0.1", "198.51.100.7", "198.51.100.7"),
    "chain": (("6.6.6.6, 198.51.100.7, 10.0.0.2",), "10.0.0.1", "10.0.0.2", "198.51.100.7"),
    "garbage": (("198.51.100.7, <script>, 10.0.0.2",), "10.0.0.1", "10.0.0.2", "10.0.0.2"),
    "IPv6": (("2001:db8::7, 10.0.0.2",), "10.0.0.1", "10.0.0.2", "2001:db8::7"),
    "port": (("198.51.100.7:4711, 10.0.0.2:80",), "10.0.0.1", "10.0.0.2", "198.51.100.7"),
}


@pytest.mark.parametrize("chain", _CHAINS)
@pytest.mark.parametrize(("hops", "trusted"), [(0, NONE), (1, _ONE_HOP), (2, _TWO_HOPS)])
def test_t41_the_client_is_exactly_the_nearest_hop_that_is_not_trusted(
    chain: str, hops: int, trusted: Networks
) -> None:
    forwarded, *expected = _CHAINS[chain]
    assert client_address(scope("10.0.0.1", *forwarded), trusted) == expected[hops]
