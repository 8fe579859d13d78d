"""What is kept, how much of it there is and how old it is, and what is past its time: deleted by the clock, or now."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiservice.errors import Unprocessable
from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.kit.durations import format_duration
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.rights import needs
from aiservice.settings import PREFIX, Settings
from aiservice.store import retention as store
from aiservice.store.session import Database

Purge = Callable[[], Awaitable[object]]


@dataclass(slots=True, frozen=True)
class Kept:
    """One kind of rows. `kept` says in words how long; `setting` is what decides it, "" where nothing does. `over` are
    the rows past their time; a purge deletes those."""

    name: str
    title: str
    kept: str
    setting: str
    rows: int
    is_estimate: bool
    oldest_us: int | None
    over: int
    can_purge: bool


class Retention:
    """For admins."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._purges: Mapping[str, Purge] = {}

    def go_by(self, purges: Mapping[str, Purge]) -> None:
        """What deletes what is past its time, by the names of `store/retention.py`: what the clock does, too."""
        self._purges = purges

    @needs("retention.list")
    async def list(self, actor: Person) -> list[Kept]:
        """Everything that is kept for a time. Raises: PermissionDenied."""
        return [await self._one(name) for name in store.NAMES]

    @needs("retention.purge")
    async def purge(self, actor: Person, name: str) -> int:
        """Deletes what is past its time now; how many rows that were (at most 100 000 are counted).

        Raises:
            PermissionDenied.
            Unprocessable: nothing of that name is ever deleted (`not_purged`).
        """
        purge = self._purges.get(name)
        if purge is None:
            raise Unprocessable("That is kept for ever.", code="not_purged", param="name")
        before = await self._one(name)
        await purge()
        after = await self._one(name)
        deleted = max(0, before.over - after.over)
        async with self._db.write() as session:
            record(session, actor, "retention.purge", name, after={"rows": deleted})
        return deleted

    async def _one(self, name: str) -> Kept:
        title, setting = _TITLES[name]
        kept_us, words = self._kept(name)
        can_purge = name in self._purges and not (name == "audit" and kept_us is None)
        now = now_us()
        async with self._db.read() as session:
            held = await store.held(session, name, None if kept_us is None else now - kept_us, now)
        return Kept(name, title, words, setting, held.rows, held.is_estimate, held.oldest_us, held.over, can_purge)

    def _kept(self, name: str) -> tuple[int | None, str]:
        """(microseconds after which a row's time is over, in words); None where that is not by age."""
        if name == "audit":
            kept = self._settings.audit_kept
            return (None, "for ever") if kept is None else (kept * SECOND_US, format_duration(kept))
        if name == "bodies":
            return None, f"each for its own time; those of requests {format_duration(self._settings.payloads_kept)}"
        if name in _DAYS:
            days = _DAYS[name]
            return days * DAY_US, "a day" if days == 1 else f"{days} days"
        return None, _ELSE.get(name, "for ever")


_DAYS = {"alerts": 90, "replays": 30, "shadows": 30, "decisions": 90, "changes": 1}
_ELSE = {"idempotency": "24 hours", "sessions": "12 hours at most"}
_TITLES = {
    "ledger": ("Requests (the ledger)", ""),
    "usage": ("Usage by minute", ""),
    "audit": ("Audit log", f"{PREFIX}AUDIT_KEPT"),
    "bodies": ("Kept bodies, sealed", f"{PREFIX}PAYLOADS_KEPT"),
    "idempotency": ("Idempotent calls", ""),
    "alerts": ("Alerts, after their end", ""),
    "sessions": ("Portal sessions", ""),
    "replays": ("Replays", ""),
    "shadows": ("Shadow traffic", ""),
    "decisions": ("Routing decisions", ""),
    "changes": ("Change feed", ""),
}
