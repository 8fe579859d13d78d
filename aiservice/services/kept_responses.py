"""Answers of the Responses API that their clients asked to have stored, and the conversations that led to them.

    response       {"response": as it was given, "input": all items of the conversation before its output}
    response_of    of an item whose id is its provider's: the name of the answer that it is in, itself a hash

A later request may name an item by its id. An id of ours holds the answer's; what a provider's is in is looked up. Both
ways the item is taken out of the sealed answer, or not at all.

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
import re
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
from aiservice.store.bodies import NewBody
from aiservice.store.session import DATABASE_ERRORS, Database

Json = dict[str, Any]

KEPT_US = 30 * DAY_US
MOST_BYTES_OF_CLIENT = 256 << 20
_RESPONSE, _ANSWER_OF = "response", "response_of"
_ITEM = "response_item"  # what the release before this one wrote: an item's own sealed copy
_OUR_ITEM = re.compile(r"[a-z]{2,4}_req_([0-9A-Za-z]{1,64})_[0-9]{1,9}")
_KINDS = (_RESPONSE, _ANSWER_OF, _ITEM)
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
        self._together = BodiesTogether(db, _KEEP_SECONDS)

    async def keep(self, principal: Principal, kept: KeptResponse, written: bytes | None = None) -> bool:
        """Whether the answer is kept; `written` is the response as it goes out, where somebody has it. Never raises for
        want of the database, the vault, room or time (2 s)."""
        client_id, response = principal.client_id, kept.response
        said = response if written is None else orjson.Fragment(written)
        content, name = orjson.dumps({"response": said, "input": kept.input}), _name(principal, response["id"])
        until = now_us() + KEPT_US
        try:
            row = self._bodies.seal_now(client_id, _RESPONSE, name, content, until)
            if row is None:
                async with asyncio.timeout(_KEEP_SECONDS):
                    row = await self._bodies.seal(client_id, _RESPONSE, name, content, until)
            if row is None:
                return False
            is_kept = await self._together.write([row, *_answers_of(principal, response, row)])
        except _FAILURES as error:
            log.warning("response %s was not kept (%s).", response["id"], type(error).__name__)
            return False
        if not is_kept:
            self._bodies.forget_key(client_id)  # it was shredded since
        return is_kept

    async def get(self, principal: Principal, response_id: str) -> KeptResponse | None:
        """The client's answer of that id; None where it has none.

        Raises:
            Overloaded: the database did not answer, or the vault is sealed.
        """
        found = await self._read(principal, _RESPONSE, _name(principal, response_id))
        return None if found is None else KeptResponse(found["response"], found["input"])

    async def item(self, principal: Principal, item_id: str) -> Json | None:
        """An item of an output of the client's; as `get`."""
        ours = _OUR_ITEM.fullmatch(item_id)
        if ours is not None:
            kept = await self._read(principal, _RESPONSE, _name(principal, f"resp_{ours[1]}"))
        else:
            kept = await self._answer_of(principal, item_id)
        output = [] if kept is None else kept["response"]["output"]
        found: Json | None = next((item for item in _named(output) if item["id"] == item_id), None)
        return found or await self._read(principal, _ITEM, _name(principal, item_id))

    async def delete(self, principal: Principal, response_id: str) -> bool:
        """Forgets an answer with its items; whether there was one. Raises as `get`."""
        kept = await self.get(principal, response_id)
        if kept is None:
            return False
        try:
            names = [_name(principal, item["id"]) for item in _named(kept.response["output"])]
            bodies = [(kind, name) for kind in (_ITEM, _ANSWER_OF) for name in names]
            bodies.append((_RESPONSE, _name(principal, response_id)))
            await units.write(self._db, lambda _now: store.remove_named(principal.client_id, bodies))
        except DATABASE_ERRORS as error:
            raise _away() from error
        return True

    async def trim(self) -> int:
        """Forgets the oldest answers of clients that keep more than they may; how many bodies those were. For a job."""
        count = 0
        while True:
            async with self._db.write() as session:
                removed = await store.remove_beyond(session, _KINDS, MOST_BYTES_OF_CLIENT, _BATCH)
            count += removed
            if removed < _BATCH:
                return count

    async def _read(self, principal: Principal, kind: str, name: str) -> Any:
        client_id = principal.client_id
        try:
            found = await units.read(self._db, lambda _now: store.body_named(client_id, kind, name))
            content = None if found is None else await self._bodies.open_found(client_id, kind, name, found)
        except DATABASE_ERRORS as error:
            raise _away() from error
        return None if content is None else orjson.loads(content)

    async def _answer_of(self, principal: Principal, item_id: str) -> Any:
        """The answer that an item of a provider's id is in; None where there is none."""
        client_id, name = principal.client_id, _name(principal, item_id)
        try:
            found = await units.read(self._db, lambda _now: store.body_named(client_id, _ANSWER_OF, name))
        except DATABASE_ERRORS as error:
            raise _away() from error
        is_there = found is not None and found.expires_us > now_us()
        return await self._read(principal, _RESPONSE, found.sealed.decode("ascii")) if found and is_there else None


def _answers_of(principal: Principal, response: Json, row: NewBody) -> list[NewBody]:
    """The rows by which items of a provider's ids are found. Nothing in them is anybody's words: a hash leads to a
    hash, and what it leads to is sealed."""
    others = [item["id"] for item in _named(response["output"]) if not _OUR_ITEM.fullmatch(item["id"])]
    return [
        NewBody(
            row.client_id,
            _ANSWER_OF,
            _name(principal, item_id),
            row.key_revision,
            row.id.encode(),
            row.created_us,
            row.expires_us,
        )
        for item_id in others
    ]


def _named(items: Iterable[Any]) -> list[Json]:
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str) and item["id"]]


def _name(principal: Principal, given: str) -> str:
    """An id as the store has it: whatever its length; a test key has a store of its own."""
    place = b"test\0" if principal.is_test else b"live\0"
    return hashlib.sha256(place + given.encode("utf-8", "surrogatepass")).hexdigest()


def _away() -> Overloaded:
    return Overloaded("The stored answers cannot be read at the moment: try again shortly.", retry_after=1)
