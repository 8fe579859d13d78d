"""Redis, for what processes tell each other in passing and for copies that may be lost. Opened in workers only.

Fails open and at once: a command has 100 ms, what fails is forgotten (never repeated later), and while Redis is away
nobody asks it. Whoever needs an answer to be right keeps it in the database.

Its client is loaded with the first of these objects: five megabytes, which an installation without Redis does without.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

TIMEOUT_SECONDS = 0.1
_PING_SECONDS = 0.1
_RETRY_SECONDS = 0.5
_MAX_WAITING = 1000
_CONNECTIONS = 16
_AT_ONCE = 12  # commands: the rest is for who listens. More wait for their turn; that is not Redis being away

log = logging.getLogger(__name__)

Receive = Callable[[str, bytes], None]


class Shared:
    """One Redis database. `run` keeps an eye on it and delivers what others tell. Without it only commands notice that
    Redis is away, and every half second one of them tries whether it is back."""

    def __init__(self, url: str, namespace: str) -> None:
        from redis.asyncio import Redis  # noqa: PLC0415 - see above
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415

        self._errors = (RedisError, OSError, TimeoutError)
        self._says_no = ResponseError
        self._redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=_CONNECTIONS,
        )
        self._prefix = f"aiservice:{namespace}:"
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MAX_WAITING)
        self._sender: asyncio.Task[None] | None = None
        self._failed = asyncio.Event()
        self._is_watched = False
        self._retry_at = 0.0
        self.is_up = True
        self.failures = 0

    async def close(self) -> None:
        """Sends what waits to be told and closes the connections."""
        if self._sender is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sender, 3 * TIMEOUT_SECONDS)
        with suppress(*self._errors):
            await self._redis.aclose()

    def tell(self, topic: str, text: bytes = b"") -> None:
        """Tells every other process that listens, soon. Never waits; never fails."""
        if not self.is_up:
            return
        self._waiting.append((topic, text))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send(), name="redis-tell")

    async def is_answering(self) -> bool:
        """Whether it answers now; without asking where it is known to be away."""
        return await self._do(self._redis.ping) is not None

    async def put(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keeps a value for a while; whether that was done."""
        return await self._do(lambda: self._redis.set(self._prefix + key, value, ex=ttl_seconds)) is not None

    async def get(self, key: str) -> bytes | None:
        """A value that was put and is still there; None also while Redis is away."""
        value: bytes | None = await self._do(lambda: self._redis.get(self._prefix + key))
        return value

    async def evaluate(self, script: str, keys: Sequence[str], arguments: Sequence[bytes]) -> Any:
        """What a script answers; None also while Redis is away."""
        names = [self._prefix + key for key in keys]
        return await self._do(lambda: self._redis.eval(script, len(names), *names, *arguments))

    async def run(self, topics: tuple[str, ...], receive: Receive, on_up: Callable[[], None]) -> None:
        """Until cancelled: delivers (topic, text) to `receive`, notices within 250 ms that Redis is away and within
        about a second that it is back; then `on_up` is called, since something may have been missed meanwhile."""
        self._is_watched = True
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(*(self._prefix + topic for topic in topics))
                    self._note(is_up=True)
                    on_up()
                    await self._listen(channel, receive)
            except self._errors as error:
                self._note(is_up=False, why=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self, channel: "PubSub", receive: Receive) -> None:
        """Returns when the others' telling cannot be heard any more."""
        self._failed.clear()
        asked_at, is_waiting = 0.0, False
        while not self._failed.is_set():
            now = time.monotonic()
            if not is_waiting and now - asked_at >= _PING_SECONDS:
                asked_at, is_waiting = now, True
                await channel.ping()
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=_PING_SECONDS)
            if message is None:
                if is_waiting and time.monotonic() - asked_at >= TIMEOUT_SECONDS:
                    raise TimeoutError
            elif message["type"] == "pong":
                is_waiting = False
            elif message["type"] == "message":
                receive(message["channel"].decode().removeprefix(self._prefix), message["data"])
        raise TimeoutError

    async def _send(self) -> None:
        while self._waiting:
            told, self._waiting = self._waiting, deque(maxlen=_MAX_WAITING)
            pipeline = self._redis.pipeline(transaction=False)
            for topic, text in told:
                pipeline.publish(self._prefix + topic, text)
            await self._do(pipeline.execute)

    async def _do(self, command: Callable[[], Any]) -> Any:
        """The command's answer; None where there is none."""
        async with self._turns:
            return await self._do_now(command)

    async def _do_now(self, command: Callable[[], Any]) -> Any:
        if not self.is_up and (self._is_watched or time.monotonic() < self._retry_at):
            return None
        try:
            async with asyncio.timeout(2 * TIMEOUT_SECONDS):  # wait_for would lose a cancellation at times (3.11)
                answer = await command()
        except self._says_no:
            self.failures += 1  # an answer that says no (full, read-only) is as good as none, but Redis is there
        except self._errors as error:
            self.failures += 1
            self._note(is_up=False, why=type(error).__name__)
            self._failed.set()
            self._retry_at = time.monotonic() + _RETRY_SECONDS
        else:
            if not self._is_watched:
                self._note(is_up=True)
            return answer
        return None

    def _note(self, *, is_up: bool, why: str = "") -> None:
        if is_up == self.is_up:
            return
        self.is_up = is_up
        if not self._is_watched:
            return
        if is_up:
            log.warning("Redis answers again.")
        else:
            log.warning("Redis does not answer (%s): this worker goes on without it.", why)
