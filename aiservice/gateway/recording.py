"""One answer for several clients: kept as it is written, and passed on to each at the pace of its own."""

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

from aiservice.errors import BrokerError, InternalFault
from aiservice.gateway.exchange import Receive, Send
from aiservice.kit.event_ids import Rest

Header = tuple[bytes, bytes]

MOST_HELD_BYTES = 4 << 20
"""What is held of an answer: a longer one is passed on as it comes, and cannot be given out again."""
_SLOWEST_SECONDS = 30.0


class Recording:
    """What an answer's writer sends (`send` is an ASGI send), for all who follow it.

    The writer never waits for a follower, unless the answer is longer than what is held. The last bytes are held back
    until `release`: whoever has them can rely on what must be true by then.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: tuple[Header, ...] = ()
        self.is_whole = False
        """Whether the writer has sent its last bytes."""
        self.is_kept = True
        """Whether everything is held from the first byte on."""
        self.error: BrokerError | None = None
        self._pieces: list[bytes] = []
        self._dropped = 0  # pieces that are held no more
        self._held_bytes = 0
        self._last: bytes | None = None
        self._is_over = False
        self._followers: set[_Follower] = set()
        self._room = asyncio.Event()

    @property
    def is_joinable(self) -> bool:
        """Whether who comes now still gets the answer from its first byte on."""
        return self._dropped == 0

    @property
    def body(self) -> bytes:
        """Everything that was sent, where all of it is held."""
        return b"".join([*self._pieces, self._last or b""])

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Takes the next message of the answer."""
        if message["type"] == "http.response.start":
            if not self.status:  # a head that is out stays as it is
                self.status, self.headers = message["status"], tuple(message["headers"])
                self._wake()
            return
        piece = message.get("body", b"")
        if not message.get("more_body"):
            self._last, self.is_whole = piece, True
            return
        self._add(piece)
        if self._held_bytes > MOST_HELD_BYTES:
            self.is_kept = False
            await self._make_room()

    def fail(self, error: BrokerError) -> None:
        """There is no answer, for this reason: everybody is told so in words of their own."""
        self.error = error

    def release(self) -> None:
        """Lets the last bytes go. Whatever was sent by now is the answer."""
        if self._last is not None:
            self._add(self._last)
            self._last = None
        self._is_over = True
        self._wake()

    def since(self, taken: int) -> tuple[bytes, int]:
        """What was sent after the first `taken` pieces, the last bytes aside, and how many pieces that makes."""
        return b"".join(self._pieces[max(taken - self._dropped, 0) :]), self._dropped + len(self._pieces)

    async def follow(
        self, receive: Receive, send: Send, headers: Callable[[], list[Header]], rest: Rest | None = None
    ) -> bool:
        """Sends the answer to one client, from its beginning (of a stream the `rest`) to its end or until the client
        leaves (False). `headers` are what this client is told; asked for once the head is known.

        Raises:
            BrokerError: the writer ended without an answer.
        """
        follower = _Follower()
        self._followers.add(follower)
        leaving = asyncio.ensure_future(follower.watch(receive))
        try:
            return await self._pass_on(follower, send, headers, rest)
        finally:
            leaving.cancel()
            self._followers.discard(follower)
            self._room.set()

    async def _pass_on(
        self, follower: "_Follower", send: Send, headers: Callable[[], list[Header]], rest: Rest | None
    ) -> bool:
        has_begun = False
        while not follower.has_left:
            is_over = self._is_over
            pieces = self._pieces[max(follower.taken - self._dropped, 0) :]
            follower.taken = self._dropped + len(self._pieces)
            if self.status and not has_begun:
                has_begun = True
                await send({"type": "http.response.start", "status": self.status, "headers": headers()})
            if is_over and not has_begun:
                raise self.error or InternalFault
            if pieces or is_over:
                piece = b"".join(pieces)
                if rest is not None and self.status == 200:
                    piece = rest.of(piece)
                if piece or is_over:
                    await send({"type": "http.response.body", "body": piece, "more_body": not is_over})
                self._room.set()
            if is_over:
                return True
            if self._dropped + len(self._pieces) == follower.taken and not self._is_over:
                await follower.news.wait()
                follower.news.clear()
        return False

    def _add(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._held_bytes += len(piece)
            self._wake()

    def _wake(self) -> None:
        for follower in self._followers:
            follower.news.set()

    async def _make_room(self) -> None:
        """Drops what all have taken; waits for the slowest, and goes on without it where it takes too long."""
        while True:
            taken = min((one.taken for one in self._followers), default=self._dropped + len(self._pieces))
            gone = self._pieces[: max(taken - self._dropped, 0)]
            del self._pieces[: len(gone)]
            self._dropped += len(gone)
            self._held_bytes -= sum(map(len, gone))
            if self._held_bytes <= MOST_HELD_BYTES:
                return
            self._room.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_SLOWEST_SECONDS):
                    await self._room.wait()
                continue
            for one in [one for one in self._followers if one.taken <= taken]:
                one.leave()
                self._followers.discard(one)


class _Follower:
    """A client that follows: how many pieces it has taken, and whether it is there to take more."""

    __slots__ = ("has_left", "news", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.has_left = False
        self.news = asyncio.Event()

    async def watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.leave()

    def leave(self) -> None:
        self.has_left = True
        self.news.set()
