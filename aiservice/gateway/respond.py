"""Sends answers: the one place that speaks ASGI's send."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping
from typing import Any

from aiservice.dialects._base import Dialect
from aiservice.errors import BrokerError
from aiservice.gateway.browser_headers import API
from aiservice.gateway.exchange import CacheUse, Exchange
from aiservice.gateway.limit_headers import headers_of
from aiservice.gateway.lossy import dropped_header

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_JSON: Header = (b"content-type", b"application/json")
SERVER: Header = (b"server", b"aiservice")  # else the HTTP server names itself
_RETRY: Header = (b"x-should-retry", b"true")  # what the libraries of OpenAI and Anthropic obey
_NO_RETRY: Header = (b"x-should-retry", b"false")
_CACHE: dict[str, Header] = {
    result: (b"x-aiservice-cache", result.encode()) for result in ("bypass", "miss", "hit", "coalesced")
}
_STREAM: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    *API,
    SERVER,
)
_WHOLE: tuple[Header, ...] = (
    _JSON,
    (b"cache-control", b"no-store"),
    *API,
    SERVER,
)


def exchange_headers(exchange: Exchange) -> list[Header]:
    """The contract's headers for a request that reached routing."""
    overhead_ms = (time.monotonic() - exchange.started - exchange.upstream_seconds) * 1000
    headers: list[Header] = [
        (b"x-request-id", exchange.request_id.encode()),
        (b"x-aiservice-attempts", b"%d" % (len(exchange.attempts) - exchange.passed_over)),
        _CACHE[exchange.cache],
        (b"x-aiservice-overhead-ms", b"%.2f" % max(overhead_ms, 0.0)),
    ]
    usage = exchange.usage
    if usage is not None and usage.source != "reported":
        headers.append((b"x-aiservice-usage", usage.source.encode()))
    if exchange.dialect.request_id_header is not None:
        headers.append((exchange.dialect.request_id_header, headers[0][1]))
    if exchange.candidate is not None:
        headers.extend(exchange.candidate.header_block)
    if exchange.dropped:
        headers.append(dropped_header(exchange.dropped))
    exchange.told_dropped = exchange.dropped
    if exchange.caching is not None and exchange.is_free:
        headers.extend(_origin(exchange.caching))
    if exchange.grant is not None:
        headers.extend(headers_of(exchange.grant.limiter, exchange.grant.plan))
    return headers


def _origin(caching: CacheUse) -> list[Header]:
    """Whose answer it was before, and how old it is (RFC 9111 §5.1)."""
    if caching.found is not None:
        age = (b"age", b"%d" % caching.found.age_seconds)
        origin = [(b"x-aiservice-original-request", caching.found.request_id.encode()), age]
        if caching.similarity is not None:
            origin.append((b"x-aiservice-cache-similarity", b"%.3f" % caching.similarity))
        return origin
    if caching.flight is not None:
        return [(b"x-aiservice-original-request", caching.flight.leader.request_id.encode())]
    return []


async def send_whole(send: Send, status: int, headers: Iterable[Header], body: bytes, media_type: str = "") -> None:
    """One answer: JSON, where no other type is given."""
    fixed = _WHOLE if not media_type else ((b"content-type", media_type.encode("latin-1")), *_WHOLE[1:])
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*fixed, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_nothing(send: Send, headers: Iterable[Header]) -> None:
    """An answer without a body: there is nothing, and there will be nothing."""
    fixed = [header for header in _WHOLE if header is not _JSON]
    await send({"type": "http.response.start", "status": 204, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": b""})


async def send_public(send: Send, headers: Iterable[Header], body: bytes, *, max_age_seconds: int) -> None:
    """One JSON answer that is the same for everybody, and may be kept for a while."""
    kept = (b"cache-control", b"public, max-age=%d" % max_age_seconds)
    fixed = [kept if name == b"cache-control" else (name, value) for name, value in _WHOLE]
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [*fixed, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def start_stream(send: Send, headers: Iterable[Header], media_type: str = "") -> None:
    """The head of a streamed answer: events, where no other type is given."""
    fixed = _STREAM if not media_type else ((b"content-type", media_type.encode("latin-1")), *_STREAM[1:])
    await send({"type": "http.response.start", "status": 200, "headers": [*fixed, *headers]})


async def send_piece(send: Send, piece: bytes) -> None:
    """Some bytes of a streamed answer."""
    await send({"type": "http.response.body", "body": piece, "more_body": True})


def send_at_once(send: Send, piece: bytes) -> Awaitable[None] | None:
    """Some bytes of a streamed answer, without a turn of the event loop. What is left to wait for, which is seldom more
    than nothing (None): a server takes a piece when it is called and only makes a slow client's wait."""
    steps = send({"type": "http.response.body", "body": piece, "more_body": True}).__await__()
    try:
        return _Rest(steps, next(steps))
    except StopIteration:
        return None


class _Rest:
    """What is left of an awaitable whose first step was made outside of a task."""

    __slots__ = ("_first", "_steps")

    def __init__(self, steps: Generator[Any, Any, None], first: Any) -> None:
        self._steps = steps
        self._first = first

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._first
        yield from self._steps


async def end_stream(send: Send, last: bytes = b"") -> None:
    """The last bytes of a streamed answer."""
    await send({"type": "http.response.body", "body": last, "more_body": False})


async def send_error(
    send: Send, error: BrokerError, request_id: str, dialect: Dialect | None, headers: Iterable[Header] = ()
) -> None:
    """An error in the words and shape of `dialect` (the contract's own shape where there is none)."""
    body = dialect.error(error, request_id) if dialect is not None else _plain(error, request_id)
    extra = [*headers, *error.headers]
    if not any(name == b"x-request-id" for name, _ in extra):
        extra.append((b"x-request-id", request_id.encode()))
        if dialect is not None and dialect.request_id_header is not None:
            extra.append((dialect.request_id_header, request_id.encode()))
    if error.retry_after is not None and error.status in (429, 503):
        extra.append((b"retry-after", b"%d" % max(1, round(error.retry_after + 0.499))))
    if error.should_retry is not None:
        extra.append(_RETRY if error.should_retry else _NO_RETRY)
    extra.append((b"link", f'</docs/errors/{error.code}>; rel="help"'.encode("ascii", "ignore")))
    if error.status == 401:
        extra.append((b"www-authenticate", b'Bearer realm="aiservice"'))
    await send_whole(send, error.status, extra, body)


def _plain(error: BrokerError, request_id: str) -> bytes:
    import orjson  # noqa: PLC0415 - errors outside any dialect are rare

    return orjson.dumps(error.body(request_id))


class KeepAlive:
    """Keeps a streamed answer from looking dead: its head after 10 s without an event, a comment at least every 15 s.

    Until the head is out, a failure can still become a status and a fallback costs the client nothing; so the head
    waits for the first event, but not so long that a proxy gives up. One timer a stream, re-armed, never one a chunk.
    An answer that has no comments (sound, of a `media_type`) is left alone.
    """

    FIRST_SECONDS = 10.0
    EVERY_SECONDS = 7.5  # a piece may come right after a look: two looks make 15 s
    __slots__ = (
        "_comment",
        "_head",
        "_is_stopped",
        "_loop",
        "_pending",
        "_seen",
        "_send",
        "_timer",
        "has_started",
        "media_type",
        "pieces",
    )

    def __init__(self, send: Send, head: Callable[[], list[Header]], comment: bytes) -> None:
        self._send = send
        self._comment = comment
        self._head = head
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._pending: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._seen = 0
        self.media_type = ""
        self.pieces = 0
        """Counts what others send; whoever sends something adds one."""
        self.has_started = False

    def start(self) -> None:
        """Starts the timer."""
        if self._comment:
            self._timer = self._loop.call_later(self.FIRST_SECONDS, self._tick)

    def stop(self) -> None:
        """Ends it; what it is just saying is still said, nothing after it."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    async def quiet(self) -> bool:
        """Ends it and waits until it has stopped speaking. Whether the head is out: only now can that be told."""
        self.stop()
        if self._pending is not None:
            with contextlib.suppress(Exception):  # the client is gone: whoever sends next is told so too
                await self._pending
        return self.has_started

    async def begin(self) -> None:
        """Sends the head, unless it is out already."""
        if self._pending is not None:
            await asyncio.shield(self._pending)  # a head that is half out must not be cancelled with us
        if not self.has_started:
            self.has_started = True
            await start_stream(self._send, self._head(), self.media_type)

    def _tick(self) -> None:
        if self.pieces == self._seen and (self._pending is None or self._pending.done()):
            self._pending = self._loop.create_task(self._say_something())
        self._seen = self.pieces
        self._timer = self._loop.call_later(self.EVERY_SECONDS, self._tick)

    async def _say_something(self) -> None:
        if not self.has_started and not self._is_stopped:
            self.has_started = True
            await start_stream(self._send, self._head())
        if not self._is_stopped:
            await send_piece(self._send, self._comment)
