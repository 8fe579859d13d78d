"""Who still calls with a secret that is being rolled out: counted by worker, kept for two hours.

Fails open: what could not be written is counted on, and what is counted decides nothing.
"""

import time

from aiservice.kit.clock import HOUR_US, MINUTE_US, now_us
from aiservice.store import outgoing as store
from aiservice.store.session import Database

_BUCKET_US = 5 * MINUTE_US
_KEPT_US = 2 * HOUR_US
_MOST = 10_000


class Outgoing:
    """The secrets of which this worker knows that they are on their way out, and how often they came."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.secrets: set[str] = set()
        self._calls: dict[tuple[str, int], int] = {}

    def add(self, public_id: str) -> None:
        """This secret has an end of its own, which a roll has given it."""
        if len(self.secrets) >= _MOST:
            self.secrets.clear()
        self.secrets.add(public_id)

    def came(self, public_id: str) -> None:
        """A call came with it."""
        bucket = (public_id, time.time_ns() // 1000 // _BUCKET_US * _BUCKET_US)
        self._calls[bucket] = self._calls.get(bucket, 0) + 1

    async def flush(self) -> None:
        """Writes what was counted, and forgets what is old. Raises: DATABASE_ERRORS: it stays for the next call."""
        if not self._calls:
            return
        calls, self._calls = self._calls, {}
        try:
            async with self._db.write() as session:
                await store.add(session, calls)
                await store.delete_before(session, now_us() - _KEPT_US)
        except BaseException:
            for bucket, count in calls.items():
                self._calls[bucket] = self._calls.get(bucket, 0) + count
            raise
