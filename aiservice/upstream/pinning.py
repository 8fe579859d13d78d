"""One HTTP client per provider connection, tied to one checked address, renewed while the old one drains.

The host is looked up again at most `RENEW_SECONDS` after the last time. While the pinned address is still among the
(allowed) answers its client and its warm connections stay; otherwise a new client takes over and the old one ends with
its last request.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.guard import ParsedBase, Resolver, resolve_allowed, system_resolver

RENEW_SECONDS: Final = 60.0
DNS_SECONDS: Final = 5.0
FORGET_SECONDS: Final = 900.0

ClientT = TypeVar("ClientT")


class Destination(Protocol):
    """What pinning needs to know of a target."""

    @property
    def connection_id(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def base(self) -> ParsedBase: ...
    @property
    def is_private_allowed(self) -> bool: ...


class Pinned(Generic[ClientT]):
    """A client and the address it is tied to. `memo` is the transport's own cache."""

    __slots__ = (
        "address",
        "addresses",
        "checked_at",
        "client",
        "destination",
        "is_retired",
        "is_suspect",
        "memo",
        "users",
    )

    def __init__(
        self, destination: Destination, client: ClientT, addresses: list[str], address: str, now: float
    ) -> None:
        self.destination = destination
        self.client = client
        self.addresses = addresses
        self.address = address
        self.checked_at = now
        self.is_suspect = False
        self.is_retired = False
        self.users = 0
        self.memo: dict[Any, Any] = {}


class PinnedClients(Generic[ClientT]):
    """The clients of all provider connections of one worker. `build` runs in a thread (it loads certificates)."""

    def __init__(
        self,
        build: Callable[[ParsedBase, str], ClientT],
        dispose: Callable[[ClientT], Coroutine[Any, Any, None]],
        resolver: Resolver = system_resolver,
        renew_seconds: float = RENEW_SECONDS,
        *,
        is_disposed_when_unused: bool = False,
    ) -> None:
        """`is_disposed_when_unused`: a client that was let go of is closed after its last `release`; without it a
        client is expected to close when nothing refers to it any more."""
        self._is_disposed_when_unused = is_disposed_when_unused
        self._build = build
        self._dispose = dispose
        self._resolver = resolver
        self._renew_seconds = renew_seconds
        self._pinned: dict[str, Pinned[ClientT]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._background: set[asyncio.Task[None]] = set()

    def ready(self, destination: Destination, now: float) -> Pinned[ClientT] | None:
        """The client to use if nothing has to be waited for, else None (then `acquire`). `now` is the loop's clock."""
        pinned = self._pinned.get(destination.connection_id)
        if pinned is None or pinned.is_suspect:
            return None
        age = now - pinned.checked_at
        if age > self._renew_seconds:
            return None
        if pinned.destination is not destination and not _is_same(pinned.destination, destination):
            return None
        if age > self._renew_seconds / 2 and not self._locked(destination.connection_id):
            self._in_background(self._renew_quietly(destination))
        return pinned

    async def acquire(self, destination: Destination) -> Pinned[ClientT]:
        """The client to use, looked up and built if need be.

        Raises:
            UpstreamFailure: the host cannot be resolved, or one of its addresses is not allowed.
        """
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(destination.connection_id, asyncio.Lock()):
            pinned = self.ready(destination, loop.time())
            return pinned if pinned is not None else await self._renew(destination)

    def suspect(self, pinned: Pinned[ClientT]) -> bool:
        """No connection could be made: the next call looks the host up again and tries its next address.

        True if there is another address to try at once.
        """
        pinned.is_suspect = True
        return len(pinned.addresses) > 1

    def release(self, pinned: Pinned[ClientT]) -> None:
        """Ends one use that was counted in `pinned.users`."""
        pinned.users -= 1
        if pinned.is_retired and pinned.users == 0:
            self._in_background(self._dispose(pinned.client))

    def forget(self, connection_id: str) -> None:
        """Drops the client of a connection that was removed or disabled; calls under way finish on it."""
        self._retire(self._pinned.pop(connection_id, None))
        self._locks.pop(connection_id, None)

    def _retire(self, pinned: Pinned[ClientT] | None) -> None:
        if pinned is not None and self._is_disposed_when_unused and not pinned.is_retired:
            pinned.is_retired = True
            if pinned.users == 0:
                self._in_background(self._dispose(pinned.client))

    async def close(self) -> None:
        """Closes every client; calls under way fail."""
        for task in tuple(self._background):
            task.cancel()
        clients = [pinned.client for pinned in self._pinned.values()]
        self._pinned.clear()
        self._locks.clear()
        for client in clients:
            await self._dispose(client)

    def _locked(self, connection_id: str) -> bool:
        lock = self._locks.get(connection_id)
        return lock is not None and lock.locked()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _renew_quietly(self, destination: Destination) -> None:
        async with self._locks.setdefault(destination.connection_id, asyncio.Lock()):
            try:
                await self._renew(destination)
            except UpstreamFailure as exc:
                # A name that cannot be resolved just now has until the end of its time; a refused one has none.
                if exc.code != "upstream_dns_failed":
                    self._retire(self._pinned.pop(destination.connection_id, None))

    async def _renew(self, destination: Destination) -> Pinned[ClientT]:
        base = destination.base
        try:
            async with asyncio.timeout(DNS_SECONDS):
                addresses = await resolve_allowed(base, destination.is_private_allowed, self._resolver)
        except TimeoutError as exc:
            raise failed("upstream_dns_failed") from exc
        loop = asyncio.get_running_loop()
        old = self._pinned.get(destination.connection_id)
        if old is not None and _is_same(old.destination, destination):
            if old.address in addresses and not old.is_suspect:
                old.addresses, old.checked_at = addresses, loop.time()
                return old
            address = _after(old.address, addresses) if old.is_suspect else addresses[0]
        else:
            address = addresses[0]
        client = await loop.run_in_executor(None, self._build, base, address)
        # The old client is only let go of: its requests hold it, and its idle connections close with the last of them.
        pinned = Pinned(destination, client, addresses, address, loop.time())
        self._pinned[destination.connection_id] = pinned
        self._retire(old)
        self._drop_unused(loop.time())
        return pinned

    def _drop_unused(self, now: float) -> None:
        for connection_id, pinned in tuple(self._pinned.items()):
            if now - pinned.checked_at > FORGET_SECONDS:
                self.forget(connection_id)


def _is_same(one: Destination, other: Destination) -> bool:
    return (
        one.revision == other.revision and one.base == other.base and one.is_private_allowed == other.is_private_allowed
    )


def _after(address: str, addresses: list[str]) -> str:
    """The address that follows `address` in `addresses`, from the start again after the last."""
    if address not in addresses:
        return addresses[0]
    return addresses[(addresses.index(address) + 1) % len(addresses)]
