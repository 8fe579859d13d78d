"""Slows down whoever guesses credentials, before any database work. In memory, per process; it never needs a store."""

import ipaddress
import time
from collections import OrderedDict, deque

WINDOW_SECONDS = 60.0
PER_ADDRESS = 20
GLOBAL = 1_000
MAX_ADDRESSES = 10_000


class FailureLimiter:
    """Counts failed authentications in a sliding minute, per address (IPv6: per /64) and over all addresses.

    When all addresses together fail too often, one failure a minute is all that each of them gets: guessing from many
    addresses is stopped, and an address that has not failed is never refused.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=GLOBAL)

    def wait_seconds(self, address: str) -> float:
        """How long `address` must wait before its next attempt; 0 when it may try now."""
        now = time.monotonic()
        failures = self._failures.get(network_of(address))
        if not failures or failures[-1] <= now - WINDOW_SECONDS:
            return 0.0
        is_flood = len(self._all) == GLOBAL and self._all[0] > now - WINDOW_SECONDS
        if is_flood:
            return failures[-1] + WINDOW_SECONDS - now
        if len(failures) < PER_ADDRESS:
            return 0.0
        return max(0.0, failures[0] + WINDOW_SECONDS - now)

    def record(self, address: str) -> None:
        """Counts a failed attempt of `address`."""
        now = time.monotonic()
        network = network_of(address)
        failures = self._failures.get(network)
        if failures is None:
            failures = self._failures[network] = deque(maxlen=PER_ADDRESS)
            if len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)
        else:
            self._failures.move_to_end(network)
        failures.append(now)
        self._all.append(now)


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, an IPv6 /64, or the text itself where it is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(parsed) >> 64 << 64))
