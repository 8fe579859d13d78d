"""Who makes the call where several processes are asked the same at once: whoever holds the claim in Redis.

    claim   the cache's key (which tells nothing, and is no other tenant's) -> a token of its holder's; five seconds,
            renewed while the call is under way, taken back by comparing the token

What the call gives is found where the cache keeps it; a claim that ends without an answer was one of a call that failed
or may not be kept, and whoever waited asks for itself. Fails open: without an answer of Redis nobody holds anything,
nobody waits, and each process makes its own call.
"""

import asyncio
import secrets
from collections.abc import Awaitable
from enum import IntEnum

from aiservice.store.shared import Shared

CLAIM_SECONDS = 5.0
RENEW_SECONDS = 1.5
_TAKE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""
_LOOK = "return redis.call('GET', KEYS[2]) or redis.call('EXISTS', KEYS[1])"
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_MILLISECONDS = str(int(CLAIM_SECONDS * 1000)).encode()


class Standing(IntEnum):
    """What came of a wish to make a call: another process makes it, this one is to, or its answer is kept already."""

    THEIRS = 0
    OURS = 1
    ANSWERED = 2


class AnswerClaims:
    """The claims of one worker."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._held: dict[bytes, bytes] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._giving_back: set[asyncio.Task[None]] = set()

    @property
    def is_up(self) -> bool:
        """Whether Redis is there to be asked."""
        return self._shared.is_up

    @property
    def held(self) -> int:
        """Claims of calls that this worker makes."""
        return len(self._held)

    async def take(self, key: bytes) -> Standing | None:
        """Claims the call of a key; `give_back` ends it. None: nobody knows, since Redis does not answer."""
        if key in self._held:  # by a call that nobody may join any more
            return None
        token = secrets.token_bytes(16)
        said = await self._shared.evaluate(_TAKE, _names(key), (token, _MILLISECONDS))
        if said not in (0, 1, 2):
            return None
        if said == Standing.OURS:
            self._held[key] = token
            if self._renewing is None or self._renewing.done() or self._renewing.cancelling():
                self._renewing = asyncio.create_task(self._renew(), name="answer claims")
        return Standing(said)

    async def look(self, key: bytes) -> bytes | bool | None:
        """The answer, as it is kept; else whether its call is still claimed. None: nobody knows."""
        said = await self._shared.evaluate(_LOOK, _names(key), ())
        return said if said is None or isinstance(said, bytes) else bool(said)

    def give_back(self, key: bytes, kept: Awaitable[None] | None = None) -> None:
        """Ends a claim that this worker holds, if it does: once its answer is `kept`, where it is. Never waits."""
        token = self._held.pop(key, None)
        if not self._held and self._renewing is not None:
            self._renewing.cancel()
        if token is not None:
            task = asyncio.create_task(self._give_back(key, token, kept), name="claim given back")
            self._giving_back.add(task)
            task.add_done_callback(self._giving_back.discard)

    async def settled(self) -> None:
        """Waits until what was given back is."""
        await asyncio.gather(*self._giving_back)

    async def _give_back(self, key: bytes, token: bytes, kept: Awaitable[None] | None) -> None:
        if kept is not None:
            await kept
        await self._shared.evaluate(_GIVE_BACK, _names(key), (token,))

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(RENEW_SECONDS)
            for key, token in list(self._held.items()):
                await self._shared.evaluate(_RENEW, _names(key), (token, _MILLISECONDS))


def answer_name(key: bytes) -> str:
    """By what an answer is called in Redis."""
    return "cache:" + key.hex()


def _names(key: bytes) -> tuple[str, str]:
    return "claim:" + key.hex(), answer_name(key)
