"""Slows down whoever guesses credentials, before any database work. In memory: workers tell each other what they
count, and while they cannot, each allows its part of the whole. Fails open, to what the keys' 190 bits hold off alone.
"""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable

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
        # Set by whoever connects workers: how many share an allowance unheard, and who is told of failures.
        self.sharers: Callable[[], int] = lambda: 1
        self.tell: Callable[[str], None] = lambda _network: None
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=GLOBAL)

    def wait_seconds(self, address: str) -> float:
        """How long `address` must wait before its next attempt; 0 when it may try now."""
        now = time.monotonic()
        failures = self._failures.get(network_of(address))
        if not failures or failures[-1] <= now - WINDOW_SECONDS:
            return 0.0
        sharers = max(1, self.sharers())
        in_all, per_address = max(1, GLOBAL // sharers), max(1, PER_ADDRESS // sharers)
        is_flood = len(self._all) >= in_all and self._all[-in_all] > now - WINDOW_SECONDS
        if is_flood:
            return failures[-1] + WINDOW_SECONDS - now
        if len(failures) < per_address:
            return 0.0
        return max(0.0, failures[-per_address] + WINDOW_SECONDS - now)

    def record(self, address: str) -> None:
        """Counts a failed attempt of `address`, here and with the others."""
        network = network_of(address)
        self.hear(network)
        self.tell(network)

    def hear(self, network: str) -> None:
        """Counts a failed attempt that another worker saw."""
        now = time.monotonic()
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
