"""Which addresses a provider connection may reach: a host is looked up once, every answer must be allowed.

The look-up and the connection use the same answer (the transports pin it), so a name that changes its address between
check and use gains nothing. Fails closed: what is not known to be allowed is refused.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from aiservice import errors
from aiservice.upstream.failures import failed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Awaitable[list[str]]]

MAX_URL_LENGTH: Final = 512

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# What a URL parser would read as an IPv4 number (WHATWG URL, "ends in a number"): 0x7f.1, 2130706433, 0177.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NETLOC = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_PATH = re.compile(r"(/[A-Za-z0-9._~@:=+-]+)*/?")


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Never, whatever a connection is marked as: "this" network, link-local (cloud metadata), multicast, reserved, and the
# metadata addresses that lie elsewhere (Alibaba, Oracle, Azure's wire server, AWS and Google over IPv6).
_NEVER: Final = _networks(
    "0.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "100.100.100.200/32",
    "192.0.0.0/24",
    "168.63.129.16/32",
    "::/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "fd00:ec2::/32",
    "fd20:ce::/32",
)
# Only on a connection marked `is_private_allowed`: loopback, RFC 1918, CGNAT (RFC 6598), unique local (RFC 4193).
_PRIVATE: Final = _networks(
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
)
# Neither public nor anybody's private network (IANA special-purpose registries): documentation, benchmarks, relays.
_SPECIAL: Final = _networks(
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
)
_GLOBAL_IPV6: Final = ipaddress.IPv6Network("2000::/3")
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(slots=True, frozen=True)
class ParsedBase:
    """A provider's address, checked: `host` is lower case, IPv6 without brackets; `path` has no final `/`."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def url(self) -> str:
        """The address as it is stored and shown; a scheme's usual port is left out."""
        is_usual = self.port == (443 if self.scheme == "https" else 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host if is_usual else self.netloc}{self.path}"


def check_base_url(url: str, is_private_allowed: bool = False) -> ParsedBase:
    """Reads a provider connection's address when it is saved.

    No look-up happens here, so a name that points to a private address passes; it is refused when it is used
    (`resolve_allowed`). A literal address is judged at once.

    Raises:
        errors.InvalidRequest: not a URL of the form https://host[:port][/path].
        errors.Unprocessable: a URL this connection may not use (http, a private address).
    """
    if len(url) > MAX_URL_LENGTH or not url.isascii() or any(c <= " " or c in "\\\x7f" for c in url):
        raise _invalid(
            f"The base URL must be at most {MAX_URL_LENGTH} plain ASCII characters without spaces or backslashes; "
            "write an international host name in its xn-- form."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid("The base URL is not valid. Write it like https://api.example.com/v1.") from None
    base = _read(url, parts, port)
    if base.scheme == "http" and not is_private_allowed:
        raise _refused(
            "The base URL must start with https://. Plain http is only for connections that may use a private address "
            "(--allow-private, or the box in the portal)."
        )
    address = _literal(base.host)
    if address is not None and not is_allowed(address, is_private_allowed):
        raise _refused(
            "The base URL's address is not one a provider may have."
            if is_private_allowed
            else "The base URL's address is private or reserved. Allow private ones for this connection to use it "
            "(--allow-private, or the box in the portal)."
        )
    return base


def _read(url: str, parts: SplitResult, port: int | None) -> ParsedBase:
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise _invalid("The base URL must start with https:// and name a host.")
    if "@" in parts.netloc:
        raise _invalid("The base URL must not hold a user name or password. Give the key separately.")
    if "?" in url or "#" in url:
        raise _invalid("The base URL must not hold a query or a fragment.")
    if not _NETLOC.fullmatch(parts.netloc) or port == 0:
        raise _invalid("The base URL's host or port is not valid.")
    if not _PATH.fullmatch(parts.path) or any(part in {".", ".."} for part in parts.path.split("/")):
        raise _invalid("The base URL's path may hold plain segments only, like /v1.")
    host = _checked_host(parts.netloc, parts.hostname or "")
    return ParsedBase(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"))


def _checked_host(netloc: str, host: str) -> str:
    if netloc.startswith("["):
        address = _literal(host)
        if not isinstance(address, ipaddress.IPv6Address) or address.scope_id:
            raise _invalid("The base URL's host is not a valid IPv6 address.")
        return str(address)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        if not isinstance(_literal(host), ipaddress.IPv4Address):
            raise _invalid("Write an IPv4 address as four decimal numbers, like 203.0.113.7.")
        return host
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("The base URL's host name is not valid (letters, digits, '-' and '.', no dot at the end).")
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _invalid(message: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(message, code="invalid_base_url", param="base_url")


def _refused(message: str) -> errors.Unprocessable:
    return errors.Unprocessable(message, code="base_url_not_allowed", param="base_url")


def is_private(address: Address) -> bool:
    """Whether `address` is a loopback or private one that only a marked connection may use."""
    if isinstance(address, ipaddress.IPv6Address) and (inner := _embedded(address)) is not None:
        return is_private(inner)
    return _is_in(address, _PRIVATE)


def is_allowed(address: Address, is_private_allowed: bool) -> bool:
    """Whether a provider connection may use `address`. An IPv4 address inside an IPv6 one is judged as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return False
        if (inner := _embedded(address)) is not None:
            return is_allowed(inner, is_private_allowed)
    if _is_in(address, _NEVER) or _is_in(address, _SPECIAL):
        return False
    if _is_in(address, _PRIVATE):
        return is_private_allowed
    return isinstance(address, ipaddress.IPv4Address) or address in _GLOBAL_IPV6


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _MAPPED or address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


async def system_resolver(host: str, port: int) -> list[str]:
    """The system's answers for `host`, in its order of preference; the look-up runs in a thread."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


async def resolve_allowed(
    base: ParsedBase, is_private_allowed: bool, resolver: Resolver = system_resolver
) -> list[str]:
    """One look-up of the host; all of its addresses, each an allowed literal, in order of preference.

    Raises:
        UpstreamFailure: `upstream_dns_failed`, or `upstream_address_refused` where one single answer is not allowed,
            or where a key would go to a public address over plain http.
    """
    literal = _literal(base.host)
    if literal is not None:
        answers: list[str] = [base.host]
    else:
        try:
            answers = await resolver(base.host, base.port)
        except (OSError, UnicodeError) as exc:
            raise failed("upstream_dns_failed") from exc
    addresses = [address for text in dict.fromkeys(answers) if (address := _literal(text)) is not None]
    if not addresses:
        raise failed("upstream_dns_failed")
    for address in addresses:
        if not is_allowed(address, is_private_allowed):
            raise failed("upstream_address_refused")
        if base.scheme == "http" and not is_private(address):
            raise failed("upstream_address_refused")
    return [str(address) for address in addresses]
