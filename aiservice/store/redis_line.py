"""One connection to Redis for what requests ask on their way: pipelined, and given up at once when it does not answer.

redis-py costs more per command than the whole limiter; this speaks RESP 2 (redis.io/docs/latest/develop/reference/
protocol-spec) for scripts alone. What requests of one turn of the event loop ask goes out in one write.

Fails open: no answer in 100 ms is no answer, nothing is sent twice, and while it is down nobody waits for it.
"""

import asyncio
import hashlib
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

TIMEOUT_SECONDS = 0.1
_LOOK_SECONDS = 0.05
_RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)

Reply = Any


class RedisSaidNo(Exception):
    """An error reply."""


class RedisLine:
    """Opened by `run`. `is_up` is whether it may be asked."""

    def __init__(self, url: str, scripts: Iterable[str], on_up: Callable[[], None]) -> None:
        from redis.asyncio.connection import SSLConnection, parse_url  # noqa: PLC0415 - megabytes, only with Redis

        self._on_up = on_up
        self._target: dict[str, Any] = dict(parse_url(url))
        self._is_secure = self._target.get("connection_class") is SSLConnection
        self._scripts = tuple(scripts)
        self._wire: _Wire | None = None
        self._has_told = False

    @property
    def is_up(self) -> bool:
        return self._wire is not None

    def ask(self, script: bytes, keys: Iterable[bytes], arguments: Iterable[bytes]) -> "asyncio.Future[Reply]":
        """What a script answers; None where it does not, or says no."""
        return self.ask_packed(_evaluate(script, keys, arguments))

    def ask_packed(self, command: bytes) -> "asyncio.Future[Reply]":
        """`ask` for whoever has most of a command ready: see `evaluation_head` and `packed`."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self._wire is None:
            answer.set_result(None)
        else:
            self._wire.send(command, answer)
        return answer

    def tell_packed(self, command: bytes) -> None:
        """`tell`, likewise."""
        if self._wire is not None:
            self._wire.send(command, None)

    def tell(self, script: bytes, keys: Iterable[bytes], arguments: Iterable[bytes]) -> None:
        """Runs a script whose answer nobody waits for."""
        if self._wire is not None:
            self._wire.send(_evaluate(script, keys, arguments), None)

    async def run(self) -> None:
        """Connects, and again within about a second after it was lost, until cancelled."""
        while True:
            wire: _Wire | None = None
            try:
                async with asyncio.timeout(4 * TIMEOUT_SECONDS):  # wait_for would lose a cancellation at times (3.11)
                    wire = await self._connect()
                self._wire = wire
                if self._has_told:
                    log.warning("Redis counts limits again.")
                self._has_told = False
                self._on_up()
                await wire.lost
            except (OSError, TimeoutError, RedisSaidNo, ssl.SSLError) as error:
                if not self._has_told:
                    log.warning("Redis does not count limits (%s); each worker allows its part.", type(error).__name__)
                    self._has_told = True
            finally:
                self._wire = None
                if wire is not None:
                    wire.close()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connect(self) -> "_Wire":
        loop, target = asyncio.get_running_loop(), self._target
        make = _Wire
        if "path" in target:
            _, wire = await loop.create_unix_connection(make, target["path"])
        else:
            context = _tls(target) if self._is_secure else None
            _, wire = await loop.create_connection(
                make, target.get("host", "localhost"), int(target.get("port", 6379)), ssl=context
            )
        try:
            if target.get("password"):
                user = [target["username"].encode()] if target.get("username") else []
                await _said(wire, b"AUTH", *user, target["password"].encode())
            if target.get("db"):
                await _said(wire, b"SELECT", b"%d" % target["db"])
            for script in self._scripts:
                await _said(wire, b"SCRIPT", b"LOAD", script.encode())
        except BaseException:
            wire.close()
            raise
        return wire


def name_of(script: str) -> bytes:
    """By what a loaded script is called."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest().encode()


def evaluation_head(script: bytes, keys: tuple[bytes, ...], arguments: int) -> bytes:
    """A script's command up to its arguments, of which so many are to follow, `packed`."""
    return b"*%d\r\n%s" % (3 + len(keys) + arguments, packed(b"EVALSHA", script, b"%d" % len(keys), *keys))


def packed(*words: bytes) -> bytes:
    """Words of a command."""
    return b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in words])


def _evaluate(script: bytes, keys: Iterable[bytes], arguments: Iterable[bytes]) -> bytes:
    keys, arguments = tuple(keys), tuple(arguments)
    return evaluation_head(script, keys, len(arguments)) + packed(*arguments)


def _tls(target: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.get("ssl_ca_certs"))
    if target.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif target.get("ssl_check_hostname") in ("false", "False", False):
        context.check_hostname = False
    return context


async def _said(wire: "_Wire", *words: bytes) -> Reply:
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    wire.send(b"*%d\r\n%s" % (len(words), packed(*words)), answer, is_strict=True)
    return await answer


class _Wire(asyncio.Protocol):
    """One connection. What waits is answered in order; the oldest is looked after by one timer, not each by its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: deque[tuple[asyncio.Future[Reply] | None, float, bool]] = deque()
        self._outgoing: list[bytes] = []
        self._rest = b""
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0

    def send(self, command: bytes, answer: "asyncio.Future[Reply] | None", *, is_strict: bool = False) -> None:
        """Sends at the end of this turn of the loop. A reply that says no is raised if `is_strict`, else it is None."""
        if self.lost.done():
            if answer is not None:
                answer.set_result(None)
            return
        self._waiting.append((answer, time.monotonic(), is_strict))
        self._outgoing.append(command)
        if len(self._outgoing) == 1:
            self._loop.call_soon(self._flush)
        if self._timer is None:
            self._look_later()

    def close(self) -> None:
        self._end(ConnectionError("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport can be written to

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        place = 0
        try:
            while place < len(data) and self._waiting:
                reply, place = _read(data, place)
                answer, _, is_strict = self._waiting.popleft()
                if answer is None or answer.done():
                    continue
                if not isinstance(reply, RedisSaidNo):
                    answer.set_result(reply)
                elif is_strict:
                    answer.set_exception(reply)
                else:
                    answer.set_result(None)
                    if str(reply).startswith("NOSCRIPT"):
                        raise reply
        except IndexError:
            pass  # the rest has not come yet
        except (ValueError, RedisSaidNo) as error:
            self._end(error)
            return
        self._rest = data[place:]

    def _flush(self) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def _look(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        # What this process was late for, Redis may have answered long ago: it is only not read yet.
        late = max(0.0, time.monotonic() - self._looks_at)
        if time.monotonic() - self._waiting[0][1] - late >= TIMEOUT_SECONDS:
            self._end(TimeoutError())
        else:
            self._look_later()

    def _look_later(self) -> None:
        self._looks_at = time.monotonic() + _LOOK_SECONDS
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _end(self, error: Exception) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        if not self.lost.done():
            self.lost.set_exception(error if isinstance(error, OSError | TimeoutError) else ConnectionError(str(error)))
            self.lost.exception()  # nobody may be waiting for it
        for answer, _, is_strict in waiting:
            if answer is not None and not answer.done():
                if is_strict:
                    answer.set_exception(ConnectionError(str(error)))
                else:
                    answer.set_result(None)


def _read(data: bytes, place: int) -> tuple[Reply, int]:
    """The reply that begins at `place`, and where it ends.

    Raises:
        IndexError: it is not there whole.
        ValueError: it is none.
    """
    end = data.find(b"\r\n", place)
    if end < 0:
        raise IndexError
    kind, text, place = data[place], data[place + 1 : end], end + 2
    if kind == 58:  # :
        return int(text), place
    if kind == 43:  # +
        return text, place
    if kind == 45:  # -
        return RedisSaidNo(text.decode(errors="replace")), place
    if kind == 36:  # $
        size = int(text)
        if size < 0:
            return None, place
        if len(data) < place + size + 2:
            raise IndexError
        return data[place : place + size], place + size + 2
    if kind != 42:  # *
        raise ValueError(kind)
    items = []
    for _ in range(int(text)):
        item, place = _read(data, place)
        items.append(item)
    return items, place
