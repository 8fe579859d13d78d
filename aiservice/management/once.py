"""Idempotency-Key on every POST of the management API (`services/management_calls.py` tells how it holds)."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.management.models import Told
from aiservice.management.rows import Row
from aiservice.principal import Person
from aiservice.services.management_calls import Claim, Kept, ManagementCalls

log = logging.getLogger(__name__)
_MAX_KEY = 255


@dataclass(slots=True, frozen=True)
class Keyed:
    """A call with a key; `said` is what is compared of it."""

    actor: Person
    path: str
    key: str
    said: bytes
    request_id: str


class OncePerKey:
    """Makes a call, or tells again what it came to."""

    def __init__(self, calls: ManagementCalls) -> None:
        self._calls = calls

    async def made(
        self, asked: Keyed, row: Row, run: Callable[[], Awaitable[Any]], words_of: Callable[[BrokerError], bytes]
    ) -> Any:
        """What `run` gives, or the `Kept` answer of an earlier call with the key. `words_of` says what is answered
        where it fails. Raises as `ManagementCalls.claim`."""
        if not (1 <= len(asked.key) <= _MAX_KEY and asked.key.isprintable()):
            raise InvalidRequest(f"An Idempotency-Key has 1 to {_MAX_KEY} printable characters.", code="invalid_key")
        claim = await self._calls.claim(asked.actor, asked.path, asked.key, asked.said, asked.request_id)
        if isinstance(claim, Kept):
            return claim
        try:
            async with self._calls.making(claim):
                told = await run()
        except BrokerError as error:
            await self._ended(claim, Kept(error.status, words_of(error)) if claim.has_effect else None)
            raise
        except BaseException:
            if not claim.has_effect:
                await self._ended(claim, None)
            raise
        await self._ended(claim, Kept(row.status, _without(told, row.secrets)))
        return told

    async def _ended(self, claim: Claim, kept: Kept | None) -> None:
        """The caller is answered whatever becomes of this: the row says by itself whether the call took effect."""
        try:
            await (self._calls.give_up(claim) if kept is None else self._calls.end(claim, kept))
        except BrokerError:
            log.warning("request %s: its answer could not be kept for its Idempotency-Key", claim.request_id)


def _without(told: Told | None, secrets: tuple[str, ...]) -> bytes:
    """An answer as it is told again: what is told once is null, and the answer says why."""
    if told is None:
        return b""
    body = told.model_dump(mode="json", by_alias=True)
    if secrets:
        body |= {**dict.fromkeys(secrets), "already_issued": True}
    return orjson.dumps(body)
