"""Who is at the other end of a connection, and whether it is encrypted, believing only proxies that are trusted; and
lists of addresses that may call.

Both look at the ASGI scope and never at the `Host` header. With no trusted proxy (the default) the peer is the client
and no forwarding header is read at all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]

UNKNOWN = "unknown"  # a peer without an address: a Unix socket, a test client
_MAX_HOPS = 32  # longer chains are noise; the rest is not read
_IPV6_SITE_BITS = 64  # one subscriber holds a whole /64
_MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 as IPv6 writes it: the same address, so the same entry of a list
_MAX_REMEMBERED = 1_024


@dataclass(slots=True, frozen=True)
class AllowList:
    """Addresses that may call. What it said of an address is remembered: a caller comes again and again."""

    networks: Networks
    _said: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    def holds(self, address: str) -> bool:
        """Whether `address` (text, as `client_address` gives it) is one of them. What is no address is not."""
        said = self._said.get(address)
        if said is None:
            parsed = _address(address)
            said = parsed is not None and any(parsed in network for network in self.networks)
            if len(self._said) >= _MAX_REMEMBERED:
                self._said.clear()
            self._said[address] = said
        return said


def network_of(text: str) -> Network:
    """An address or a network in CIDR, in its one form: IPv4 written as IPv6 is IPv4.

    Raises:
        ValueError: it is none; the message says what was wrong or what was probably meant.
    """
    text = text.strip()
    try:
        network = ip_network(text)
    except ValueError:
        try:
            meant = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"'{text[:60]}' is not an address or a network such as 203.0.113.0/24.") from None
        raise ValueError(f"'{text[:60]}' has bits beyond its prefix. Did you mean {meant}?") from None
    if isinstance(network, IPv6Network):
        if "%" in text:
            raise ValueError(f"'{text[:60]}' names an interface; leave out what follows the %.")
        if network.subnet_of(_MAPPED):
            return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def is_within(network: Network, networks: Iterable[Network]) -> bool:
    """Whether one of `networks` holds all of `network`."""
    return any(_is_part(network, other) for other in networks)


def shared(first: Iterable[Network], second: Networks) -> Networks:
    """The addresses that are in both lists, as networks."""
    parts = {
        one if _is_part(one, other) else other
        for one in first
        for other in second
        if _is_part(one, other) or _is_part(other, one)
    }
    return tuple(sorted(parts, key=lambda part: (part.version, int(part.network_address), part.prefixlen)))


def _is_part(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def client_address(scope: Mapping[str, Any], trusted: Networks) -> str:
    """The client's address without port: the peer's, or the one that the nearest untrusted hop had.

    `X-Forwarded-For` is read from right to left, only as far as each hop that reported is in `trusted`. At the first
    entry that is no address the walk ends with the last hop known, so that garbage never becomes an identity.
    """
    peer = scope.get("client")
    hop = _address(peer[0]) if peer else None
    if hop is None:
        return UNKNOWN
    if trusted and _is_trusted(hop, trusted):
        for text in _forwarded_right_to_left(scope["headers"]):
            before = _address(_without_port(text))
            if before is None:
                break
            hop = before
            if not _is_trusted(hop, trusted):
                break
    return str(hop)


def is_https(scope: Mapping[str, Any], trusted: Networks) -> bool:
    """Whether the client's side of the connection is TLS: ours, or a trusted proxy's that says so in its (last)
    `X-Forwarded-Proto`."""
    if scope.get("scheme") in ("https", "wss"):
        return True
    peer = scope.get("client")
    hop = _address(peer[0]) if peer else None
    if hop is None or not trusted or not _is_trusted(hop, trusted):
        return False
    said = ""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-proto":
            said = value.decode("latin-1").rpartition(",")[2].strip().lower()
    return said in ("https", "wss")


def site_of(address: str) -> str:
    """What a limiter should count: an IPv4 address itself, an IPv6 address' /64, any other text as it is."""
    parsed = _address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _IPV6_SITE_BITS), strict=False))
    return address if parsed is None else str(parsed)


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return parsed.ipv4_mapped
        if parsed.scope_id is not None:
            return IPv6Address(int(parsed))
    return parsed


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)


def _forwarded_right_to_left(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    hops = ",".join(lines).rsplit(",", _MAX_HOPS)
    for text in reversed(hops[-_MAX_HOPS:]):
        yield text.strip()


def _without_port(text: str) -> str:
    """`1.2.3.4:80` and `[::1]:80` lose port and brackets; a bare IPv6 address stays whole."""
    if text.startswith("["):
        inner, closed, rest = text[1:].partition("]")
        has_port = rest.startswith(":") and rest[1:].isdigit()
        return inner if closed and (not rest or has_port) else ""
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host if port.isdigit() else ""
    return text
