"""What routing reads of the provider connections: a copy in memory, kept in step by the change feed."""

import asyncio
import time

from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider
from aiservice.services.changes import ChangeFeed
from aiservice.services.connection_views import ConnectionView, views
from aiservice.services.key_exchange import KeyExchanges
from aiservice.services.reload import Reload
from aiservice.services.vault import Vault
from aiservice.store import connections as store
from aiservice.store import provider_keys
from aiservice.store.session import Database
from aiservice.upstream.client import Upstream

PURPOSE = "provider_key"
_AT_HAND_SECONDS = 30.0


class ConnectionSnapshot:
    """The connections as of the last change that this process knows of, and their keys."""

    def __init__(self, db: Database, vault: Vault, changes: ChangeFeed, upstream: Upstream | None = None) -> None:
        self._db = db
        self._vault = vault
        self._changes = changes
        self._upstream = upstream
        self._views: tuple[ConnectionView, ...] = ()
        # The vault remembers too, but asking it costs a session: 70 µs of each request.
        self._at_hand: dict[tuple[str, int], tuple[float, Secret]] = {}
        self._exchanges = KeyExchanges()
        self._turn = asyncio.Lock()  # an older read must not overwrite a newer one
        self._reload = Reload(self.refresh)
        changes.subscribe(self._on_change)

    def snapshot(self) -> tuple[ConnectionView, ...]:
        """All connections, oldest first, each with its further keys, as of the last change this process knows of."""
        return self._views

    async def refresh(self) -> None:
        """Reads the snapshot anew. Call once after the change feed's first poll; the feed does the rest."""
        async with self._turn:
            async with self._db.read() as session:
                rows, keys = await store.everything(session), await provider_keys.everything(session)
            found = tuple(each for row in rows for each in views(row, keys.get(row.id, ())))
            self._views = found
        self._at_hand.clear()
        self._exchanges.forget_all_but(self._views)

    async def credential(self, connection: ConnectionView, provider: Provider) -> Secret | None:
        """What authenticates calls of `connection`: its key, or the token that this is exchanged for.

        Raises:
            Overloaded: as `secret`.
            AttemptFailed, UpstreamFailure: there is no token.
        """
        key = await self.secret(connection)
        if key is None or self._upstream is None:
            return key
        return await self._exchanges.sent(self._upstream, connection, provider, key)

    def refused(self, connection: ConnectionView) -> bool:
        """What authenticated calls of `connection` is none to its provider: a token is bought anew. Whether one is."""
        return self._exchanges.refused(connection.id)

    async def secret(self, connection: ConnectionView) -> Secret | None:
        """The key of `connection`, from the vault's memory for five minutes; None where it has none.

        Raises:
            Overloaded: the vault is sealed, or the envelope does not belong to this connection as it is now.
        """
        if not connection.has_key:
            return None
        at_hand = self._at_hand.get((connection.id, connection.revision))
        if at_hand is not None and at_hand[0] > time.monotonic():
            return at_hand[1]
        async with self._db.read() as session:
            secret = await self._vault.unseal(
                session,
                purpose=PURPOSE,
                row_id=connection.id,
                owner=connection.owner_client_id or "",
                provider=connection.kind,
                base_url=connection.base_url,
                revision=connection.revision,
            )
        self._at_hand[connection.id, connection.revision] = (time.monotonic() + _AT_HAND_SECONDS, secret)
        return secret

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "connection":
            self._reload.request()
