"""Answers of the Responses API that their clients asked to have stored, and the conversations that led to them.

    response       {"response": as it was given, "input": all items of the conversation before its output}
    response_item  one item of an output, for a later request that names it by its id

Sealed per client (`bodies.py`), for 30 days, gone with the client's data key. A kept answer is whole: nothing that it
follows is needed to read it or to go on from it. It is written before the last byte of the answer is sent, so that
every worker and node finds it from then on, and no kill loses it; answers that end at the same time share a commit
(`bodies_together.py`). Bounded: an answer of up to 4 MiB with its conversation, and of a client the newest 256 MiB.

Fails open where it writes: an answer that cannot be kept is given all the same, and says that it is not stored. Fails
closed where it reads: who goes on from an answer that is not to be had is told so.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from aiservice.errors import BrokerError, Overloaded
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import Principal
from aiservice.services.bodies import Bodies, BodyTooLarge
from aiservice.services.bodies_together import BodiesTogether
from aiservice.store import bodies as store
from aiservice.store import units
from aiservice.store.session import DATABASE_ERRORS, Database

Json = dict[str, Any]

KEPT_US = 30 * DAY_US
MOST_BYTES_OF_CLIENT = 256 << 20
_RESPONSE, _ITEM = "response", "response_item"
_BATCH = 200
_KEEP_SECONDS = 2.0
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, BrokerError, BodyTooLarge, TimeoutError)

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class KeptResponse:
    """An answer as it was given, and the items that it answers."""

    response: Json
    input: list[Json]

    @property
    def conversation(self) -> list[Json]:
        """All that a next turn stands on."""
        return [*self.input, *self.response["output"]]


class KeptResponses:
    """Keeps answers, each for the client that asked."""

    def __init__(self, db: Database, bodies: Bodies) -> None:
        self._db = db
        self._bodies = bodies
        self._together = BodiesTogether(db)

    async def keep(self, principal: Principal, kept: KeptResponse) -> bool:
        """Whether the answer is kept. Never raises for want of the database, the vault, room or time (2 s)."""
        try:
            async with asyncio.timeout(_KEEP_SECONDS):  # the answer's last byte waits for this
                return await self._keep(principal, kept)
        except _FAILURES as error:
            log.warning("response %s was not kept (%s).", kept.response["id"], type(error).__name__)
            return False

    async def _keep(self, principal: Principal, kept: KeptResponse) -> bool:
        client_id, until = principal.client_id, now_us() + KEPT_US
        contents = [(_RESPONSE, kept.response["id"], orjson.dumps({"response": kept.response, "input": kept.input}))]
        contents += [(_ITEM, item["id"], orjson.dumps(item)) for item in _named(kept.response["output"])]
        rows = []
        for kind, name, content in contents:
            row = await self._bodies.seal(client_id, kind, _name(principal, name), content, until)
            if row is None:
                return False
            rows.append(row)
        is_kept = await self._together.write(rows)
        if not is_kept:
            self._bodies.forget_key(client_id)  # it was shredded since
        return is_kept

    async def get(self, principal: Principal, response_id: str) -> KeptResponse | None:
        """The client's answer of that id; None where it has none.

        Raises:
            Overloaded: the database did not answer, or the vault is sealed.
        """
        found = await self._read(principal, _RESPONSE, response_id)
        return None if found is None else KeptResponse(found["response"], found["input"])

    async def item(self, principal: Principal, item_id: str) -> Json | None:
        """An item of an output of the client's; as `get`."""
        found: Json | None = await self._read(principal, _ITEM, item_id)
        return found

    async def delete(self, principal: Principal, response_id: str) -> bool:
        """Forgets an answer with its items; whether there was one. Raises as `get`."""
        kept = await self.get(principal, response_id)
        if kept is None:
            return False
        try:
            for item in _named(kept.response["output"]):
                await self._bodies.delete(principal.client_id, _ITEM, _name(principal, item["id"]))
            return await self._bodies.delete(principal.client_id, _RESPONSE, _name(principal, response_id))
        except DATABASE_ERRORS as error:
            raise _away() from error

    async def trim(self) -> int:
        """Forgets the oldest answers of clients that keep more than they may; how many bodies those were. For a job."""
        count = 0
        while True:
            async with self._db.write() as session:
                removed = await store.remove_beyond(session, (_RESPONSE, _ITEM), MOST_BYTES_OF_CLIENT, _BATCH)
            count += removed
            if removed < _BATCH:
                return count

    async def _read(self, principal: Principal, kind: str, name: str) -> Any:
        client_id, name = principal.client_id, _name(principal, name)
        try:
            found = await units.read(self._db, lambda _now: store.body_named(client_id, kind, name))
            content = None if found is None else await self._bodies.open_found(client_id, kind, name, found)
        except DATABASE_ERRORS as error:
            raise _away() from error
        return None if content is None else orjson.loads(content)


def _named(items: Iterable[Any]) -> list[Json]:
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str) and item["id"]]


def _name(principal: Principal, given: str) -> str:
    """An id as the store has it: whatever its length; a test key has a store of its own."""
    place = b"test\0" if principal.is_test else b"live\0"
    return hashlib.sha256(place + given.encode("utf-8", "surrogatepass")).hexdigest()


def _away() -> Overloaded:
    return Overloaded("The stored answers cannot be read at the moment: try again shortly.", retry_after=1)
