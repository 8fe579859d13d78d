"""The keys that sign tokens: one that signs, the next one (published long before its time) and the one before.

Their private halves are sealed in the vault, and a key is believed because it opens: whoever can only write to the
database cannot add one. Which of them signs is decided by the clock alone, so all workers change over by themselves.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass

import orjson

from aiservice.errors import BrokerError, Overloaded
from aiservice.kit.access_tokens import (
    ALGORITHM,
    LEEWAY_SECONDS,
    MAX_TTL_SECONDS,
    AccessKey,
    load,
    new_private_key,
)
from aiservice.kit.clock import DAY_US, SECOND_US, from_us, now_us
from aiservice.services.changes import ChangeFeed
from aiservice.services.envelopes import Binding, sealed_error
from aiservice.services.vault import Vault
from aiservice.store import tokens as store
from aiservice.store.cluster import take_turn
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.tables import TokenKey

ROTATION_US = 30 * DAY_US
JWKS_MAX_AGE_SECONDS = 300
# Others may have read the published keys just before a new one was added.
ANNOUNCED_US = 600 * SECOND_US
# A token signed at the last moment, read by a slow clock, checked against keys that were fetched a while ago.
KEPT_US = (MAX_TTL_SECONDS + LEEWAY_SECONDS + JWKS_MAX_AGE_SECONDS) * SECOND_US
_PURPOSE = "token_signing_key"
_RETRY_SECONDS = 1.0
_FOREVER_US = 2**62

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class _Published:
    key: AccessKey
    signs_from_us: int
    until_us: int


class TokenKeys:
    """This process's copy of the signing keys; follows the change feed."""

    def __init__(self, db: Database, vault: Vault, changes: ChangeFeed) -> None:
        self._db = db
        self._vault = vault
        self._changes = changes
        self._keys: dict[str, _Published] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._can_sign = False
        changes.subscribe(self._on_change)

    async def rotate(self) -> None:
        """Makes what is missing and forgets what is over, for every start and for a job; then reads all keys.

        Raises:
            Overloaded: the vault is sealed.
        """
        now = now_us()
        async with self._db.write() as session:
            await take_turn(session)
            rows = await store.signing_keys(session)
            over = [row.kid for row, until_us in zip(rows, _ends(rows), strict=True) if until_us <= now]
            if not rows:
                rows.append(await self._make(session, now, now))
            if rows[-1].signs_from_us <= now:
                await self._make(session, max(rows[-1].signs_from_us + ROTATION_US, now + ANNOUNCED_US), now)
            for kid in over:
                await self._vault.discard(session, _PURPOSE, kid)
            if over:
                await store.remove_signing_keys(session, over)
                self._changes.publish(session, "token_key", over[-1])
        await self.refresh()

    async def refresh(self) -> None:
        """Reads the keys as the database has them; one that does not open is left out, with an alert in the log.

        Raises:
            DATABASE_ERRORS: it does not answer; the keys read before stay.
        """
        found: dict[str, _Published] = {}
        async with self._db.read() as session:
            rows = await store.signing_keys(session)
            for row, until_us in zip(rows, _ends(rows), strict=True):
                known = self._keys.get(row.kid)
                key = known.key if known is not None else await self._opened(session, row.kid)
                if key is not None:
                    found[row.kid] = _Published(key, row.signs_from_us, until_us)
        self._keys = found

    def key_of(self, kid: str) -> AccessKey | None:
        """The key of that id, if tokens that it signed may still be good. Never asks anybody."""
        found = self._keys.get(kid)
        return found.key if found is not None and now_us() < found.until_us else None

    def signing(self) -> AccessKey:
        """The key that signs now.

        Raises:
            Overloaded: there is none: the vault is sealed.
        """
        self.require()
        now = now_us()
        due = [known for known in self._keys.values() if known.signs_from_us <= now]
        if not due:
            raise _no_key()
        return max(due, key=lambda known: known.signs_from_us).key

    async def prepare(self) -> None:
        """Before the first token is made or checked: what signs is loaded in a thread, and once.

        Raises:
            Overloaded: no token can be made or checked here.
        """
        self.require()
        if not self._can_sign:
            await asyncio.to_thread(load)
            self._can_sign = True

    def require(self) -> None:
        """Raises `Overloaded` while no token can be made or checked here."""
        if not self._keys:
            raise sealed_error() if self._vault.is_sealed else _no_key()

    def jwks(self) -> bytes:
        """The public halves, as a JWK set (RFC 7517)."""
        now = now_us()
        return orjson.dumps({"keys": [known.key.public for known in self._keys.values() if now < known.until_us]})

    async def _make(self, session: AsyncSession, signs_from_us: int, now: int) -> TokenKey:
        row = TokenKey(
            kid=f"{from_us(signs_from_us):%Y-%m}-{secrets.token_hex(4)}", signs_from_us=signs_from_us, created_us=now
        )
        await self._vault.seal(session, secret=new_private_key(), **_binding(row.kid))
        await store.add_signing_key(session, row)
        self._changes.publish(session, "token_key", row.kid)
        return row

    async def _opened(self, session: AsyncSession, kid: str) -> AccessKey | None:
        try:
            return AccessKey(kid, await self._vault.unseal(session, **_binding(kid)))
        except BrokerError as error:
            log.error("ALERT: the signing key %s cannot be used (%s).", kid, error.code)  # noqa: TRY400
            return None

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "token_key":
            task = asyncio.get_running_loop().create_task(self._follow())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        while not self._vault.is_sealed:
            try:
                await self.refresh()
            except DATABASE_ERRORS:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def close(self) -> None:
        """Ends what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _ends(rows: list[TokenKey]) -> list[int]:
    """Until when each key's tokens may be good: some time after the next one has begun to sign."""
    return [row.signs_from_us + KEPT_US for row in rows[1:]] + [_FOREVER_US] * bool(rows)


def _binding(kid: str) -> Binding:
    return Binding(purpose=_PURPOSE, row_id=kid, owner="aiservice", provider=ALGORITHM, base_url="", revision=1)


def _no_key() -> Overloaded:
    return Overloaded("No key to sign tokens with could be read yet. Try again shortly.", retry_after=1)
