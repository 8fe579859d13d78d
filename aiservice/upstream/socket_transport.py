"""The hot path's transport: HTTP/1.1 on the event loop's own sockets.

No thread, no second runtime, no client object: a call is one write and one wake-up. TLS is the standard library's with
certifi's roots; nothing is read from the environment, and nothing is opened before the first call.
"""

import asyncio
import ssl
from typing import Final

import certifi

from aiservice.settings import Deadlines
from aiservice.upstream.connection import Connection
from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.guard import ParsedBase, Resolver, system_resolver
from aiservice.upstream.pinning import RENEW_SECONDS, Pinned, PinnedClients
from aiservice.upstream.transport import RawStream, Request, Target
from aiservice.wire import HttpReply

# Shorter than the keep-alive of the usual front ends, so that a request seldom meets a connection that is closing.
_IDLE_SECONDS: Final = 55.0
_MAX_IDLE: Final = 256
_MAX_MEMOS: Final = 512


class Pool:
    """The idle connections to one pinned address, the one used last first."""

    __slots__ = ("address", "base", "idle", "is_closed", "timer")

    def __init__(self, base: ParsedBase, address: str) -> None:
        self.base = base
        self.address = address
        self.idle: list[Connection] = []
        self.is_closed = False
        self.timer: asyncio.TimerHandle | None = None

    def take(self, now: float) -> Connection | None:
        """An idle connection that is still good."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if now - connection.idle_since < _IDLE_SECONDS and connection.is_silent():
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keeps a connection whose exchange has ended, if it can carry another one."""
        if not connection.end():
            return
        if self.is_closed or len(self.idle) >= _MAX_IDLE:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self.idle.append(connection)
        if self.timer is None:
            self.timer = loop.call_later(_IDLE_SECONDS, self._sweep)

    def lost(self, connection: Connection) -> None:
        """An idle connection was closed by the provider."""
        if connection in self.idle:
            self.idle.remove(connection)

    async def close(self) -> None:
        """Closes what is idle; a connection in use closes when its exchange ends."""
        self.is_closed = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.idle:
            self.idle.pop().close()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.timer = None
        # Used last, kept last: the connections at the front have waited longest.
        while self.idle and loop.time() - self.idle[0].idle_since >= _IDLE_SECONDS:
            self.idle.pop(0).close()
        if self.idle:
            self.timer = loop.call_later(_IDLE_SECONDS, self._sweep)


class SocketTransport:
    """Keeps the connections of one worker. `deadlines.connect` holds for every connect."""

    def __init__(
        self,
        deadlines: Deadlines | None = None,
        *,
        resolver: Resolver = system_resolver,
        renew_seconds: float = RENEW_SECONDS,
        root_certificates_pem: bytes | None = None,
    ) -> None:
        self._connect_seconds = (deadlines or Deadlines()).connect
        self._extra_roots = root_certificates_pem
        self._context: ssl.SSLContext | None = None
        self._busy: set[Connection] = set()
        self._pools: PinnedClients[Pool] = PinnedClients(
            self._build, Pool.close, resolver, renew_seconds, is_disposed_when_unused=True
        )

    async def send(self, target: Target, request: Request, watch: Watch, max_bytes: int) -> HttpReply:
        pinned, connection = self._idle(target) or await self._connection(target)
        head = _head(pinned, request)
        self._busy.add(connection)
        try:
            body = await connection.whole(head, request.body, request.method, watch, max_bytes)
            return HttpReply(connection.status, connection.headers, body)
        finally:
            self._busy.discard(connection)
            pinned.client.give_back(connection)

    async def open(self, target: Target, request: Request, watch: Watch) -> RawStream:
        pinned, connection = self._idle(target) or await self._connection(target)
        self._busy.add(connection)

        async def close() -> None:
            if connection in self._busy:
                self._busy.discard(connection)
                pinned.client.give_back(connection)

        try:
            await connection.head(_head(pinned, request), request.body, request.method, watch)
        except BaseException:
            await close()
            raise
        return RawStream(connection.status, connection.headers, connection.read, close, explain, connection.pour)

    def forget(self, connection_id: str) -> None:
        self._pools.forget(connection_id)

    async def close(self) -> None:
        await self._pools.close()
        for connection in tuple(self._busy):
            connection.close()

    def _idle(self, target: Target) -> tuple[Pinned[Pool], Connection] | None:
        """A connection that needs no wait."""
        now = asyncio.get_running_loop().time()
        pinned = self._pools.ready(target, now)
        connection = None if pinned is None else pinned.client.take(now)
        return None if pinned is None or connection is None else (pinned, connection)

    async def _connection(self, target: Target) -> tuple[Pinned[Pool], Connection]:
        """An idle connection or a new one; if none can be made the host's next address is tried."""
        for is_last_try in (False, True):
            now = asyncio.get_running_loop().time()
            pinned = self._pools.ready(target, now) or await self._pools.acquire(target)
            connection = pinned.client.take(now)
            if connection is not None:
                return pinned, connection
            try:
                return pinned, await self._connect(pinned.client)
            except UpstreamFailure as failure:
                has_other_address = self._pools.suspect(pinned)
                if is_last_try or not has_other_address or failure.code != "upstream_connect_failed":
                    raise
        raise AssertionError("the last try returns or raises")

    async def _connect(self, pool: Pool) -> Connection:
        base = pool.base
        is_tls = base.scheme == "https"
        try:
            async with asyncio.timeout(self._connect_seconds):
                _transport, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(pool.lost),
                    pool.address,
                    base.port,
                    ssl=self._context if is_tls else None,
                    server_hostname=base.host if is_tls else None,
                )
        except ssl.SSLError as exc:
            raise failed("upstream_tls_failed") from exc
        except TimeoutError as exc:
            raise failed("upstream_connect_timeout") from exc
        except (ConnectionResetError, ConnectionAbortedError) as exc:
            # The connection stood, so this was the handshake's end.
            raise failed("upstream_tls_failed" if is_tls else "upstream_connect_failed") from exc
        except OSError as exc:
            raise failed("upstream_connect_failed") from exc
        return connection

    def _build(self, base: ParsedBase, address: str) -> Pool:
        if self._context is None and base.scheme == "https":
            context = ssl.create_default_context(cafile=certifi.where())
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            if self._extra_roots is not None:
                context.load_verify_locations(cadata=self._extra_roots.decode())
            self._context = context
        return Pool(base, address)


def _head(pinned: Pinned[Pool], request: Request) -> bytes:
    """The request's head. All but the length and the credential is kept from call to call."""
    memo = (request.method, request.path, request.headers)
    start: str | None = pinned.memo.get(memo)
    if start is None:
        if len(pinned.memo) >= _MAX_MEMOS:
            pinned.memo.clear()
        start = pinned.memo[memo] = _start_of_head(pinned.client.base, request)
    lines = [start]
    for name, value in request.auth:
        lines.append(f"{name}: {value}\r\n")
    if request.body or request.method != "GET":
        lines.append(f"content-length: {len(request.body)}\r\n\r\n")
    else:
        lines.append("\r\n")
    return "".join(lines).encode("ascii")


def _start_of_head(base: ParsedBase, request: Request) -> str:
    is_usual = base.port == (443 if base.scheme == "https" else 80)
    host = f"[{base.host}]" if ":" in base.host else base.host
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    return (
        f"{request.method} {base.path}{request.path} HTTP/1.1\r\nhost: {host if is_usual else base.netloc}\r\n{fields}"
    )


def explain(exc: Exception) -> UpstreamFailure:
    """Our words for what a connection raises: it speaks them already."""
    return exc if isinstance(exc, UpstreamFailure) else failed("upstream_reset")
