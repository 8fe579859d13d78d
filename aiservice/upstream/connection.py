"""One HTTP/1.1 connection as an asyncio protocol: one exchange at a time, no task and no timer of its own.

Bytes are read where the event loop delivers them; whoever waits is woken once per answer or once per piece of a stream.
Giving an exchange up closes the socket at once, whatever the provider is doing.
"""

import asyncio
import select
from collections.abc import Callable, Mapping
from typing import Final, cast

from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.http1 import END_OF_HEAD, MAX_HEAD_BYTES, Body, Head
from aiservice.upstream.transport import Take, check_head

# A stream nobody reads is held back by the socket once this much of it waits here.
_PAUSE_BYTES: Final = 256 * 1024
_NO_HEADERS: Final[Mapping[str, str]] = {}


class Connection(asyncio.Protocol):
    """A connection to one pinned address. `idle_since` is the loop's time when its last exchange ended."""

    def __init__(self, on_idle_lost: Callable[["Connection"], None]) -> None:
        self._on_idle_lost = on_idle_lost
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._watch: Watch | None = None
        self._failure: UpstreamFailure | None = None
        self._held = b""
        self._pieces: list[bytes] = []
        self._size = 0
        self._take: Take | None = None
        self._body: Body | None = None
        self._is_paused = self._is_done = self._is_reusable = self._is_refused = False
        self._method = ""
        self._max_bytes: int | None = None
        self.is_lost = False
        self.idle_since = 0.0
        self.status = 0
        self.headers: Mapping[str, str] = _NO_HEADERS

    async def whole(self, head: bytes, body: bytes, method: str, watch: Watch, max_bytes: int) -> bytes:
        """Sends a request and gives back the whole body of the answer; `status` and `headers` are set then.

        Raises:
            UpstreamFailure: no whole answer, or one that may not be used.
        """
        self._begin(head, body, method, watch)
        self._max_bytes = max_bytes
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter
        if self._failure is not None:
            raise self._failure
        pieces = self._pieces
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def head(self, head: bytes, body: bytes, method: str, watch: Watch) -> None:
        """Sends a request and waits for the head of the answer.

        Raises:
            UpstreamFailure: no answer, or one that is not HTTP.
        """
        self._begin(head, body, method, watch)
        self._max_bytes = None
        while self._body is None:
            await self._wait()

    async def read(self) -> bytes | None:
        """The body's bytes that have come since the last call, waiting for some; None at the end.

        Raises:
            UpstreamFailure: the connection was lost before the end, or the answer is not HTTP.
        """
        while not self._pieces:
            if self._is_done:
                return None
            await self._wait()
        return self._taken()

    async def pour(self, take: Take) -> bool:
        """Hands every piece of the body to `take` where the event loop delivers it, waking nobody. True when `take` has
        returned False, which ends this (what comes meanwhile waits); False at the end of the body.

        Raises:
            UpstreamFailure: as `read`.
        """
        while True:
            if self._pieces:
                if not take(self._taken()):
                    return True
            elif self._is_done:
                return False
            else:
                self._take, self._is_refused = take, False
                try:
                    await self._wait()
                finally:
                    self._take = None
                if self._is_refused:
                    return True

    def end(self) -> bool:
        """Ends the exchange: True if the connection can carry another one, else it is closed."""
        transport = self._transport
        is_reusable = (
            self._is_done
            and self._is_reusable
            and not self.is_lost
            and self._failure is None
            # An answer that came before all of the request was sent leaves the rest of it in the way of the next.
            and transport is not None
            and transport.get_write_buffer_size() == 0
        )
        self._watch = None
        self._pieces = []
        if not is_reusable:
            self.close()
        elif self._is_paused and transport is not None:  # its bytes had come, and nobody read them
            self._is_paused = False
            transport.resume_reading()
        return is_reusable

    def is_silent(self) -> bool:
        """Whether an idle connection can take a request: nothing has come, not even its end, that the event loop has
        not delivered yet. What is sent behind an unread end is lost, and whether it was read nobody can tell."""
        return not self.is_lost and self._poll is not None and not self._poll.poll(0)

    def close(self) -> None:
        """Closes the socket without waiting for anything."""
        self.is_lost = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        watch, body = self._watch, self._body
        if watch is None or self._is_done:
            # Bytes that belong to no exchange: the next answer on this connection could be a forged one.
            self._is_reusable = False
            self.close()
            return
        try:
            if body is None:  # a head that drips, or interim answers, are no beginning of an answer
                self._begin_answer(data)
            else:
                watch.reads += 1
                self._read_body(body, data)
        except UpstreamFailure as failure:
            self._fail(failure)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._watch is None:
            self._on_idle_lost(self)
        elif not self._is_done:
            if exc is None and self._body is not None and self._body.is_whole_at_eof():
                self._is_done = True
                self._wake()
            else:
                self._fail(failed("upstream_reset"))

    def _begin(self, head: bytes, body: bytes, method: str, watch: Watch) -> None:
        transport = self._transport
        if transport is None or self.is_lost:
            raise failed("upstream_reset")
        self._watch = watch
        self._method = method
        self._failure = None
        self._body = None
        self._held = b""
        self._pieces = []
        self._size = 0
        self._is_done = self._is_reusable = False
        watch.has_sent = True
        if len(body) < _PAUSE_BYTES:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)

    def _taken(self) -> bytes:
        pieces = self._pieces
        self._pieces = []
        self._size = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._failure is not None:
            raise self._failure

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, failure: UpstreamFailure) -> None:
        if self._failure is None:
            self._failure = failure
        self._wake()
        self.close()

    def _begin_answer(self, data: bytes) -> None:
        data = self._read_head(data)
        body = self._body
        if body is None:
            return
        if self._max_bytes is None:
            self._wake()
        if data or body.is_done:
            self._read_body(body, data)

    def _read_body(self, body: Body, data: bytes) -> None:
        piece = body.feed(data)
        if piece:
            if self._take is None:
                self._keep(piece)
            elif not self._take(piece):
                self._take, self._is_refused = None, True
                self._wake()
        if body.is_done:
            self._is_done = True
            if body.rest:
                self._is_reusable = False
            self._wake()

    def _read_head(self, data: bytes) -> bytes:
        """Parses the head if all of it is there; returns what follows it."""
        data = self._held + data if self._held else data
        while True:
            end = data.find(END_OF_HEAD)
            if end < 0 or end > MAX_HEAD_BYTES:
                if len(data) > MAX_HEAD_BYTES:
                    raise failed("upstream_bad_reply")
                self._held = data
                return b""
            head = Head(data[: end + 4], self._method)
            data = data[end + 4 :]
            if head.status >= 200:
                break
            if head.status == 101:
                raise failed("upstream_bad_reply")
        self.status = head.status
        self.headers = head.headers
        self._body = head.body
        self._is_reusable = head.is_kept_alive
        if self._watch is not None:
            self._watch.begun()
        if self._max_bytes is not None:
            refusal = check_head(head.status, head.headers, self._max_bytes)
            if refusal is not None:
                raise refusal
        return data

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._max_bytes is not None:
            if self._size > self._max_bytes:
                raise failed("upstream_too_large")
            return
        self._wake()
        if self._size > _PAUSE_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
