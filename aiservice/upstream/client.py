"""The only door out to AI providers: checks, deadlines and failures are the same whatever carries the bytes.

    upstream = Upstream(SocketTransport())             # opens nothing; connections are made by the first call
    target = Target("con_1", revision=1, base=check_base_url("https://api.openai.com/v1"), auth=KeyHeader(secret))

    reply = await upstream.send(target, HttpCall("/chat/completions", body))

    async with await upstream.open_stream(target, call) as stream:
        if stream.status != 200:
            reply = await stream.reply()               # a whole error answer, capped
        async for chunk in stream:
            ...                                        # bytes as they came; stream.progressed() for each real event

Everything that goes wrong is an `UpstreamFailure`; what the caller sent wrongly is an `errors.InvalidRequest`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiservice.settings import Deadlines
from aiservice.upstream.deadlines import Pace, Watch, Watchdog
from aiservice.upstream.failures import failed
from aiservice.upstream.local_transport import LocalTransport
from aiservice.upstream.outgoing import Headers, auth_headers, checked_headers, checked_path
from aiservice.upstream.transport import RawStream, Request, Take, Target, Transport, check_head
from aiservice.wire import HttpCall, HttpReply

__all__ = ["MAX_REPLY_BYTES", "MAX_STREAM_BYTES", "Target", "Upstream", "UpstreamStream"]

MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
MAX_STREAM_BYTES: Final = 256 * 1024 * 1024
MAX_ERROR_BYTES: Final = 1024 * 1024
# OpenAI's name for a caller's own id; lets a provider's log, or a test's ground truth, be held against our ledger.
_REQUEST_ID_HEADER: Final = "x-client-request-id"


class Upstream:
    """Calls providers. One per worker, made in its event loop's lifespan and closed there."""

    def __init__(self, transport: Transport, deadlines: Deadlines | None = None) -> None:
        self._transport = transport
        self._local = LocalTransport()
        self._deadlines = deadlines or Deadlines()
        self._watchdog = Watchdog()

    async def send(
        self,
        target: Target,
        call: HttpCall,
        headers: Headers = (),
        *,
        request_id: str | None = None,
        deadlines: Deadlines | None = None,
        task: "asyncio.Task[Any] | None" = None,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> HttpReply:
        """One whole answer, whatever its status (a redirect is a failure). `headers` are added to the call's own.

        `request_id` is our own (never a caller's text) and goes with the call. `task` is the current one, if known.

        Raises:
            UpstreamFailure: no answer, or one that may not be used.
            errors.InvalidRequest: the path or a header is not one that may leave.
        """
        request = _request(target, call, headers, request_id)
        transport = self._transport if target.local is None else self._local
        watch = self._watchdog.watch(deadlines or self._deadlines, is_stream=False, task=task)
        try:
            return await transport.send(target, request, watch, max_bytes)
        except asyncio.CancelledError as exc:
            if (failure := watch.failure()) is not None:
                raise failure from exc
            raise
        finally:
            call.was_sent = watch.has_sent
            self._watchdog.release(watch)

    async def open_stream(
        self,
        target: Target,
        call: HttpCall,
        headers: Headers = (),
        *,
        request_id: str | None = None,
        deadlines: Deadlines | None = None,
        task: "asyncio.Task[Any] | None" = None,
        max_bytes: int = MAX_STREAM_BYTES,
    ) -> "UpstreamStream":
        """An answer as soon as its head has come, whatever its status. Leave it with `async with` or `aclose()`.

        Raises:
            UpstreamFailure: no answer, or one that may not be used.
            errors.InvalidRequest: the path or a header is not one that may leave.
        """
        request = _request(target, call, headers, request_id)
        transport = self._transport if target.local is None else self._local
        watch = self._watchdog.watch(deadlines or self._deadlines, is_stream=True, task=task)
        try:
            raw = await transport.open(target, request, watch)
        except BaseException as exc:
            self._watchdog.release(watch)
            if isinstance(exc, asyncio.CancelledError) and (failure := watch.failure()) is not None:
                raise failure from exc
            raise
        finally:
            call.was_sent = watch.has_sent
        stream = UpstreamStream(raw, watch, self._watchdog, max_bytes)
        if (refusal := check_head(raw.status, raw.headers, max_bytes)) is not None:
            await stream.aclose()
            raise refusal
        return stream

    @property
    def in_flight(self) -> int:
        """Calls and streams under way."""
        return self._watchdog.count

    def forget(self, connection_id: str) -> None:
        """Call it when a connection is removed or disabled: its idle sockets close, calls under way finish."""
        self._transport.forget(connection_id)

    async def close(self) -> None:
        """Gives up every connection. The object cannot be used afterwards."""
        self._watchdog.close()
        await self._transport.close()


class UpstreamStream:
    """The bytes of one answer, as they arrive. Ends where the provider ended it.

    A connection that is closed where the answer's framing says nothing (no length, no chunks) looks like an end: only
    the reader's end marker tells whether the answer was whole.
    """

    __slots__ = ("_bytes_left", "_is_ended", "_raw", "_read", "_watchdog", "headers", "status", "watch")

    def __init__(self, raw: RawStream, watch: Watch, watchdog: Watchdog, max_bytes: int) -> None:
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self._raw = raw
        self._read = raw.read
        self.watch = watch
        self._watchdog = watchdog
        self._bytes_left = max_bytes
        self._is_ended = False
        watch.begun()
        watch.is_waiting = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes.

        Raises:
            UpstreamFailure: the connection was lost, or a deadline has passed.
        """
        if self._is_ended:
            raise StopAsyncIteration
        chunk = await self._waited(self._read)
        self.watch.reads += 1
        if chunk is None:
            await self.aclose()
            raise StopAsyncIteration
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            await self.aclose()
            raise failed("upstream_too_large")
        return bytes(chunk)

    async def pour(self, take: Take) -> bool:
        """Hands the bytes to `take` at the moment they arrive (where the transport can) until it returns False.

        True then, and False once the answer has ended. `take` must not raise.

        Raises:
            UpstreamFailure: the connection was lost, or a deadline has passed.
        """
        pour = self._raw.pour
        if pour is None:
            async for chunk in self:
                if not take(chunk):
                    return True
            return False
        if self._is_ended:
            return False

        def count(chunk: bytes) -> bool:
            self._bytes_left -= len(chunk)
            return self._bytes_left >= 0 and take(chunk)

        has_more = await self._waited(lambda: pour(count))
        if self._bytes_left < 0:
            await self.aclose()
            raise failed("upstream_too_large")
        if not has_more:
            await self.aclose()
        return bool(has_more)

    async def _waited(self, wait: Callable[[], Awaitable[Any]]) -> Any:
        """What `wait` gives, which is a wait for the provider: under the deadlines, and in our words if it fails."""
        watch = self.watch
        if watch.expired is not None:
            await self.aclose()
            raise failed(watch.expired)
        watch.is_waiting = True
        try:
            given = await wait()
        except asyncio.CancelledError as exc:
            failure = watch.failure()
            await self.aclose()
            if failure is not None:
                raise failure from exc
            raise
        except Exception as exc:
            await self.aclose()
            raise self._raw.explain(exc) from exc
        watch.is_waiting = False
        return given

    def progressed(self) -> None:
        """Call it for each real event: heartbeats and comments do not hold off the minimum-progress deadline."""
        self.watch.events += 1

    def keep_to(self, pace: Pace) -> None:
        """From here on the stream fails where it does not keep that pace."""
        self.watch.pace = pace

    async def reply(self, max_bytes: int = MAX_ERROR_BYTES) -> HttpReply:
        """Reads the rest as a whole reply (an error answer to a streamed call), at most `max_bytes` of it, and closes.

        Raises:
            UpstreamFailure: the connection was lost, or a deadline has passed.
        """
        body = bytearray()
        async with self:
            async for chunk in self:
                self.watch.events += 1
                body += chunk
                if len(body) >= max_bytes:
                    break
        return HttpReply(self.status, self.headers, bytes(body[:max_bytes]))

    async def aclose(self) -> None:
        """Gives the connection back, or up where the end was not read. May be called more than once."""
        if self._is_ended:
            return
        self._is_ended = True
        self._watchdog.release(self.watch)
        await self._raw.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _request(target: Target, call: HttpCall, headers: Headers, request_id: str | None) -> Request:
    checked = checked_headers(call.headers + headers if headers else call.headers)
    auth = auth_headers(target.auth, call)
    return Request(
        call.method,
        checked_path(call.path),
        checked,
        # Beside the checked headers: caches of those would be filled by an id that never repeats.
        auth if request_id is None else (*auth, (_REQUEST_ID_HEADER, request_id)),
        call.body,
    )
