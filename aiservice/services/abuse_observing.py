"""What one worker sees of its clients, minute by minute: from how many networks, how often the same prompt.

A few counters a request, in memory; a job takes them to the database every few seconds, where the judge adds up what
all workers saw. Networks and prompts are kept as hashes and only counted. Fails open: what could not be written is
written with the next turn, and older than two minutes is left out.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zlib import crc32

from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.store import abuse as store
from aiservice.store.session import Database

FLUSH_SECONDS = 5.0
MAX_NETWORKS = 256
MAX_PROMPTS = 64
_KEPT_PROMPTS = 8
_PROMPT_BYTES = 2_048  # of its end: that is where what is new in a conversation stands
_MANY = ""  # networks beyond those that are told apart
_KEPT_MINUTES = 2


@dataclass(slots=True)
class Seen:
    """A client's minute in this worker."""

    requests: int = 0
    failures: int = 0
    networks: dict[str, int] = field(default_factory=dict)
    prompts: dict[int, int] = field(default_factory=dict)
    is_written: bool = False


class Observer:
    """Counts, on the event loop and without waiting."""

    def __init__(self, db: Database, worker_id: str) -> None:
        self._db = db
        self._worker_id = worker_id
        self._minutes: dict[int, dict[str, Seen]] = {}
        self._minute = 0
        self._begins_us = self._ends_us = 0
        self._now: dict[str, Seen] = {}

    def request(self, client_id: str, address: str, at_us: int) -> Seen:
        """Counts a request of a verified caller; `prompt` of what it gives takes the body."""
        seen = self._now.get(client_id) if self._begins_us <= at_us < self._ends_us else None
        if seen is None:
            seen = self._of(client_id, at_us)
        seen.is_written = False
        seen.requests += 1
        network = network_hash(address)
        networks = seen.networks
        count = networks.get(network)
        if count is None and len(networks) >= MAX_NETWORKS:
            network, count = _MANY, networks.get(_MANY)
        networks[network] = 1 if count is None else count + 1
        return seen

    def failure(self, client_id: str) -> None:
        """Counts a refused attempt with a key of the client."""
        self._of(client_id, now_us()).failures += 1

    def _of(self, client_id: str, at_us: int) -> Seen:
        minute = at_us // MINUTE_US
        if minute != self._minute:
            self._minute, self._begins_us, self._ends_us = minute, minute * MINUTE_US, (minute + 1) * MINUTE_US
            self._now = self._minutes.setdefault(minute, {})
        seen = self._now.get(client_id)
        if seen is None:
            seen = self._now[client_id] = Seen()
        seen.is_written = False
        return seen

    async def flush(self) -> int:
        """Writes the minutes that changed; returns how many.

        Raises:
            DATABASE_ERRORS: the database is away; they are written with the next turn.
        """
        oldest = now_us() // MINUTE_US - _KEPT_MINUTES
        self._minutes = {minute: seen for minute, seen in self._minutes.items() if minute > oldest}
        self._now = self._minutes.setdefault(self._minute, {})
        changed = [
            (minute, client, seen)
            for minute, clients in self._minutes.items()
            for client, seen in clients.items()
            if not seen.is_written
        ]
        if not changed:
            return 0
        rows = sorted((self._row(*each) for each in changed), key=lambda row: (row["start_us"], row["client_id"]))
        for _, _, seen in changed:
            seen.is_written = True
        try:
            async with self._db.write() as session:
                await store.put_minutes(session, rows)
        except BaseException:
            for _, _, seen in changed:
                seen.is_written = False
            raise
        return len(rows)

    def _row(self, minute: int, client_id: str, seen: Seen) -> Mapping[str, Any]:
        often = sorted(((count, crc) for crc, count in seen.prompts.items() if count > 1), reverse=True)
        return {
            "start_us": minute * MINUTE_US,
            "client_id": client_id,
            "worker_id": self._worker_id,
            "requests": seen.requests,
            "failures": seen.failures,
            "networks": dict(seen.networks),
            "prompts": {f"{crc:08x}": count for count, crc in often[:_KEPT_PROMPTS]},
        }


def note_prompt(seen: Seen, body: bytes) -> None:
    """Counts what was asked, by the end of the body."""
    crc = crc32(body if len(body) <= _PROMPT_BYTES else body[-_PROMPT_BYTES:])
    prompts = seen.prompts
    count = prompts.get(crc)
    if count is None and len(prompts) >= MAX_PROMPTS:
        # Room for what may yet be asked often: what was asked once goes.
        for old in [old for old, times in prompts.items() if times == 1]:
            del prompts[old]
        if len(prompts) >= MAX_PROMPTS:
            return
    prompts[crc] = 1 if count is None else count + 1


@lru_cache(maxsize=8_192)
def network_hash(address: str) -> str:
    """A hash of the network that an address is in: the /24 of IPv4, the /48 of IPv6, since machines of one place share
    it; the text itself where it is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"{crc32(address.encode()):08x}"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    shift = 8 if isinstance(parsed, ipaddress.IPv4Address) else 80
    return f"{crc32(str(int(parsed) >> shift).encode()):08x}"
