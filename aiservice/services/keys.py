"""Client keys: made, listed, rolled, revoked by people; verified for every request (`services/key_check.py`).

A key is a name, rights and history; its secret can be rolled without changing any of them. The secret's text exists
once, in the answer to whoever made it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiservice.errors import NotFound, Unprocessable
from aiservice.kit import keyformat
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.principal import Person, Principal
from aiservice.services import key_rights
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.key_check import KeyCheck, key_digest
from aiservice.services.key_views import KeyView, view
from aiservice.services.limit_names import Amounts, check_within, clean_amounts
from aiservice.services.vault import PEPPER_VERSION, Vault
from aiservice.store import keys as store
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.tables import Client, ClientKey, KeySecret

DEFAULT_OVERLAP_SECONDS = 86_400
MAX_OVERLAP_SECONDS = 7 * 86_400
_LAST_USED_BATCH = 500


@dataclass(slots=True, frozen=True)
class NewKey:
    """What `create` and `roll` give, once. `client` is the client's name."""

    id: str
    client: str
    name: str
    key: Secret
    expires_us: int | None


class Keys:
    """The keys of clients. Developers reach those of clients they own; to anybody else a key does not exist."""

    def __init__(self, db: Database, vault: Vault, changes: ChangeFeed) -> None:
        self._db = db
        self._vault = vault
        self._changes = changes
        self.check = KeyCheck(db, vault, changes)
        # sync, for the hot path: the principal of a key verified before, or None: then `verify` must be asked
        self.cached: Callable[[bytes], Principal | None] = self.check.cached
        self.failures = self.check.failures

    async def verify(self, credential: str, *, address: str) -> Principal:
        """Whose key `credential` is, for a caller at `address` (text of an IP address).

        Raises:
            Unauthenticated: not a key, unknown or wrong (`invalid_api_key`); and, told only to the holder of the right
                secret, `key_expired` or `key_revoked`.
            PermissionDenied: the client or its owner is disabled (`client_disabled`).
            RateLimited: too many failures from this address (`too_many_failed_authentications`).
            Overloaded: `database_unavailable` or `sealed`.
        """
        return await self.check.verify(credential, address)

    async def create(
        self,
        actor: Person,
        client: str,
        name: str,
        *,
        is_test: bool = False,
        expires_in_seconds: float | None = None,
        scopes: Iterable[str] | None = None,
        connections: Iterable[str] | None = None,
        models: Iterable[str] | None = None,
        limits: Amounts | None = None,
    ) -> NewKey:
        """A new key for `client` (its id or name). Scopes are task names and "read"; None is "no restriction".
        `limits` as in `services/limit_names.py`.

        Raises:
            NotFound: no such client, or it is not the actor's.
            PermissionDenied: wider than what the client may use (`wider_than_client`).
            Unprocessable: a value is not valid, or the client is disabled.
            Overloaded: the vault is sealed.
        """
        now = now_us()
        minted = keyformat.mint(is_test=is_test)
        async with self._db.write() as session:
            owner = await self._client(session, actor, client)
            if owner.is_disabled:
                raise Unprocessable("The client is disabled.", code="client_disabled", param="client")
            allowed = key_rights.narrowed("connections", connections, owner.allowed_connections)
            await key_rights.check_connections(session, owner.id, allowed)
            check_within(limits, owner.limits)
            key = ClientKey(
                id=new_id("key"),
                client_id=owner.id,
                name=key_rights.valid_name(name),
                is_test=is_test,
                scopes=key_rights.checked_scopes(scopes),
                allowed_connections=allowed,
                allowed_models=key_rights.narrowed("models", models, owner.allowed_models),
                limits=clean_amounts(limits),
                created_us=now,
                expires_us=key_rights.expiry(expires_in_seconds, now),
            )
            await store.add_key(session, key, self._secret(key, minted, now))
            self._changes.publish(session, "key", key.id)
        return NewKey(key.id, owner.name, key.name, minted.text, key.expires_us)

    async def list(
        self, actor: Person, client: str | None = None, *, first: int = 0, limit: int | None = None
    ) -> list[KeyView]:
        """The keys of `client` (id or name), or all that the actor may see; newest first, never a secret.

        `limit` of them from the `first` on; None is all.

        Raises:
            NotFound: no such client, or it is not the actor's.
        """
        now = now_us()
        async with self._db.read() as session:
            client_id = None if client is None else (await self._client(session, actor, client)).id
            rows = await store.keys(session, client_id, _owner(actor), first, limit)
            secrets = await store.live_secrets(session, [key.id for key, _ in rows], now)
        return [view(key, owner, [s for s in secrets if s.key_id == key.id], now) for key, owner in rows]

    async def count(self, actor: Person) -> int:
        """How many keys `list` would give in all."""
        async with self._db.read() as session:
            return await store.key_count(session, _owner(actor))

    async def roll(self, actor: Person, key_id: str, overlap_seconds: float = DEFAULT_OVERLAP_SECONDS) -> NewKey:
        """A new secret for a key; the one before works `overlap_seconds` longer (0 to 7 days), never past its own end.

        At most two secrets live: rolling again during an overlap ends the oldest at once.

        Raises:
            NotFound: no such key, or it is not the actor's.
            Unprocessable: the overlap is out of range, or the key is revoked or expired.
            Overloaded: the vault is sealed.
        """
        if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:
            raise Unprocessable("The overlap must be between 0 and 7 days.", param="overlap")
        now = now_us()
        async with self._db.write() as session:
            key, owner = await self._key(session, actor, key_id)
            if key.revoked_us is not None or (key.expires_us is not None and key.expires_us <= now):
                raise Unprocessable("The key is revoked or has expired. Create another one.", code="key_ended")
            live = await store.live_secrets(session, [key.id], now)
            _end(live[:-1], now)
            _end(live[-1:], now, now + int(overlap_seconds * SECOND_US))
            minted = keyformat.mint(is_test=key.is_test)
            await store.add_secret(session, self._secret(key, minted, now))
            self._changes.publish(session, "key", key.id)
        await self._changes.catch_up()
        return NewKey(key.id, owner.name, key.name, minted.text, key.expires_us)

    async def end_overlap(self, actor: Person, key_id: str) -> None:
        """Ends the old secret of a rolling key now; nothing happens where there is none.

        Raises:
            NotFound: no such key, or it is not the actor's.
        """
        now = now_us()
        async with self._db.write() as session:
            key, _ = await self._key(session, actor, key_id)
            _end((await store.live_secrets(session, [key.id], now))[:-1], now)
            self._changes.publish(session, "key", key.id)
        await self._changes.catch_up()

    async def revoke(self, actor: Person, key_or_public_id: str) -> str:
        """Ends a key with all its secrets, for good, and returns its id; a revoked key stays as it is.

        Raises:
            NotFound: no such key, or it is not the actor's.
        """
        now = now_us()
        async with self._db.write() as session:
            key, _ = await self._key(session, actor, key_or_public_id)
            if key.revoked_us is None:
                key.revoked_us = now
                _end(await store.live_secrets(session, [key.id], now), now)
                self._changes.publish(session, "key", key.id)
        await self._changes.catch_up()
        return key.id

    async def rename(self, actor: Person, key_id: str, name: str) -> None:
        """Gives a key another name.

        Raises:
            NotFound: no such key, or it is not the actor's.
            Unprocessable: the name is not valid.
        """
        async with self._db.write() as session:
            key, _ = await self._key(session, actor, key_id)
            key.name = key_rights.valid_name(name)
            self._changes.publish(session, "key", key.id)

    async def flush_last_used(self) -> int:
        """Writes when keys were last used, for a job to call about every 30 seconds; returns how many secrets.

        Raises:
            DATABASE_ERRORS: the database is away; what could not be written stays for the next call.
        """
        used = self.check.take_used()
        try:
            names = sorted(used)
            for start in range(0, len(names), _LAST_USED_BATCH):
                batch = names[start : start + _LAST_USED_BATCH]
                await store.write_last_used(self._db, {public_id: used[public_id] for public_id in batch})
        except DATABASE_ERRORS:
            self.check.put_back_used(used)
            raise
        return len(used)

    def _secret(self, key: ClientKey, minted: keyformat.MintedKey, now: int) -> KeySecret:
        pepper = self._vault.pepper(PEPPER_VERSION)
        return KeySecret(
            public_id=minted.public_id,
            key_id=key.id,
            digest=key_digest(pepper, minted.text.reveal()),
            pepper_version=PEPPER_VERSION,
            created_us=now,
        )

    async def _client(self, session: AsyncSession, actor: Person, name_or_id: str) -> Client:
        return await visible_client(session, actor, name_or_id)

    async def _key(self, session: AsyncSession, actor: Person, key_or_public_id: str) -> tuple[ClientKey, Client]:
        return await managed_key(session, actor, key_or_public_id)


async def managed_key(
    session: AsyncSession, actor: Person, key_or_public_id: str, *, to_change: bool = True
) -> tuple[ClientKey, Client]:
    """A key that the actor may change, with its client.

    Raises:
        NotFound: no such key, or it is not the actor's.
    """
    found = await store.key(session, key_or_public_id, to_change=to_change)
    if found is None or not _may_manage(actor, found[1]):
        raise NotFound(
            f"There is no key '{key_or_public_id[:40]}'. A key is named by its id (key_…) or its public part.",
            code="key_not_found",
        )
    return found


def _owner(actor: Person) -> str | None:
    return None if actor.is_admin else actor.user_id


def _may_manage(actor: Person, client: Client) -> bool:
    return actor.is_admin or client.owner_id == actor.user_id


def _end(secrets: Iterable[KeySecret], now: int, at_us: int | None = None) -> None:
    """Ends secrets now (revoked), or at `at_us` where that is later, but never later than they would have ended."""
    for secret in secrets:
        if at_us is None or at_us <= now:
            secret.revoked_us = now
        else:
            secret.expires_us = min(at_us, secret.expires_us or at_us)
