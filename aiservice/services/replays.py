"""Which requests got the answer of another, so that whoever has only a replay's id finds what was asked and billed.

Fails open: they are noted behind the answer, a few at a time; what finds no room is not noted.
"""

from collections import deque

from aiservice.errors import NotFound
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import Person
from aiservice.services.rights import needs, scope
from aiservice.store import replays as store
from aiservice.store import request_log as log_store
from aiservice.store.session import Database
from aiservice.store.usage import Scope
from aiservice.tables import Replay

_KEPT_US = 30 * DAY_US
_MOST_WAITING = 10_000
_BATCH = 500


class Replays:
    """Notes replays and finds them again, for 30 days."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: deque[Replay] = deque(maxlen=_MOST_WAITING)

    def note(self, request_id: str, original_id: str) -> None:
        """A request got the answer of another. Never waits."""
        self._waiting.append(Replay(request_id=request_id, original_id=original_id, replayed_us=now_us()))

    async def flush(self) -> None:
        """Writes what was noted. For a job."""
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            async with self._db.write() as session:
                store.add(session, rows)

    @needs("request.get")
    async def original_of(self, actor: Person, request_id: str) -> str | None:
        """Whose answer a request got, if the actor may see that one; None where it is no replay."""
        async with self._db.read() as session:
            original = await store.original_of(session, request_id)
            if original is None:
                return None
            seen = await log_store.one(session, Scope(scope(actor, "request.get")), original)
        return None if seen is None else original

    @needs("request.get")
    async def count_of(self, actor: Person, request_id: str) -> int:
        """How many requests got that one's answer.

        Raises:
            NotFound: there is no such request that the actor may see.
        """
        async with self._db.read() as session:
            if await log_store.one(session, Scope(scope(actor, "request.get")), request_id) is None:
                raise NotFound(f"There is no request {request_id[:60]}.", code="request_not_found")
            return await store.count_of(session, request_id)

    async def purge(self) -> None:
        """Forgets old ones. For a job."""
        async with self._db.write() as session:
            await store.remove_before(session, now_us() - _KEPT_US)
