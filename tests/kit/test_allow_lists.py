import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.addresses import AllowList, Network, is_within, network_of, shared

V4 = st.integers(0, 32).flatmap(
    lambda bits: st.integers(0, 2**32 - 1).map(lambda n: ipaddress.ip_network((n >> (32 - bits) << (32 - bits), bits)))
)
V6 = st.integers(0, 128).flatmap(
    lambda bits: st.integers(0, 2**128 - 1).map(
        lambda n: ipaddress.IPv6Network((n >> (128 - bits) << (128 - bits), bits))
    )
)
NETWORKS = st.lists(V4 | V6, min_size=1, max_size=4).map(tuple)


def allowing(*texts: str) -> AllowList:
    return AllowList(tuple(network_of(text) for text in texts))


@pytest.mark.parametrize(
    ("listed", "address", "is_allowed"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.0/24", "203.0.113.255", True),
        ("203.0.113.0/24", "::ffff:203.0.113.9", True),
        ("::ffff:203.0.113.0/120", "203.0.113.9", True),
        ("::ffff:203.0.113.9", "::ffff:cb00:7109", True),
        ("2001:db8::/32", "2001:DB8:0:0::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("::/0", "203.0.113.9", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("fe80::/64", "fe80::1%eth0", True),
        ("0.0.0.0/0", "unknown", False),
        ("0.0.0.0/0", "", False),
    ],
)
def test_a_list_holds_an_address_however_it_is_written(listed: str, address: str, is_allowed: bool) -> None:
    allowed = allowing(listed)
    assert [allowed.holds(address), allowed.holds(address)] == [is_allowed] * 2


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4/33", "10.0.0.1/8", "::/129", "fe80::1%eth0", "1.2.3.4-9"])
def test_what_is_no_network_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address|Did you mean 10.0.0.0/8|names an interface"):
        network_of(text)


@given(NETWORKS, NETWORKS, st.data())
def test_what_two_lists_share_is_what_both_hold(
    first: tuple[Network, ...], second: tuple[Network, ...], data: st.DataObject
) -> None:
    network = data.draw(st.sampled_from([*first, *second]))
    offset = data.draw(st.integers(0, network.num_addresses - 1))
    address = str(network.network_address + offset)
    both = AllowList(first).holds(address) and AllowList(second).holds(address)
    assert AllowList(shared(first, second)).holds(address) is both


@given(V4 | V6, NETWORKS)
def test_a_network_within_a_list_has_every_address_in_it(network: Network, networks: tuple[Network, ...]) -> None:
    if is_within(network, networks):
        allowed = AllowList(networks)
        assert allowed.holds(str(network.network_address))
        assert allowed.holds(str(network.broadcast_address))


def test_what_a_list_remembers_is_bounded() -> None:
    allowed = allowing("10.0.0.0/8")
    for number in range(5_000):
        assert allowed.holds(f"10.0.{number >> 8}.{number & 255}")
    assert len(allowed._said) <= 1_024
