"""How keys and secrets end: at once and for good, their sealed copies with them, and, by choice, what is under way."""

from collections.abc import Iterable

from aiservice.services.changes import ChangeFeed
from aiservice.services.key_copies import KeyCopies
from aiservice.store import keys as store
from aiservice.store.session import AsyncSession
from aiservice.tables import ClientKey, KeySecret


class KeyEndings:
    """Ends keys in the caller's unit of work."""

    def __init__(self, changes: ChangeFeed, copies: KeyCopies) -> None:
        self._changes = changes
        self._copies = copies

    async def end(self, session: AsyncSession, key: ClientKey, now: int, *, cuts_streams: bool) -> None:
        """Ends a key with all its secrets; with `cuts_streams` also its answers under way, on every worker."""
        if key.revoked_us is None:
            key.revoked_us = now
            live = await store.live_secrets(session, [key.id], now)
            end_secrets(live, now)
            await self._copies.destroy(session, live)
            self._changes.publish(session, "key", key.id)
        if cuts_streams:
            self._changes.publish(session, "cut", key.id)

    async def end_leaked(self, session: AsyncSession, key: ClientKey, public_id: str, now: int) -> bool:
        """Ends what a secret is good for that everybody may have: the key, or, where that has a newer secret, the one
        that leaked alone. Answers under way are cut. False where it was over already."""
        live = await store.live_secrets(session, [key.id], now)
        leaked = [secret for secret in live if secret.public_id == public_id]
        if not leaked or key.revoked_us is not None:
            return False
        if live[-1].public_id == public_id:
            await self.end(session, key, now, cuts_streams=True)
            return True
        end_secrets(leaked, now)
        await self._copies.destroy(session, leaked)
        self._changes.publish(session, "key", key.id)
        self._changes.publish(session, "cut", key.id)
        return True


def end_secrets(secrets: Iterable[KeySecret], now: int, at_us: int | None = None) -> None:
    """Ends secrets now (revoked), or at `at_us` where that is later, but never later than they would have ended."""
    for secret in secrets:
        if at_us is None or at_us <= now:
            secret.revoked_us = now
        else:
            secret.expires_us = min(at_us, secret.expires_us or at_us)
