"""Client keys: made, listed, rolled, revoked by people; verified for every request (`services/key_check.py`).

A key is a name, rights and history; its secret can be rolled without changing any of them. The secret's text exists
once, in the answer to whoever made it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from aiservice.errors import Unprocessable
from aiservice.kit import keyformat
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Person, Principal
from aiservice.services import key_rights
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.key_check import KeyCheck
from aiservice.services.key_copies import KeyCopies
from aiservice.services.key_endings import KeyEndings, end_secrets
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.key_rights import Edit, Rights
from aiservice.services.key_standing import key_digest
from aiservice.services.key_views import KeyView, earlier, told, view
from aiservice.services.limit_names import Amounts, check_within, clean_amounts
from aiservice.services.managed_keys import managed_key
from aiservice.services.rights import needs, scope
from aiservice.services.step_up import require_password_said
from aiservice.services.vault import PEPPER_VERSION, Vault
from aiservice.store import keys as store
from aiservice.store.session import Database
from aiservice.tables import Client, ClientKey, KeySecret

DEFAULT_OVERLAP_SECONDS = 86_400
MAX_OVERLAP_SECONDS = 7 * 86_400


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

    def __init__(self, db: Database, vault: Vault, changes: ChangeFeed, policy: KeyPolicy | None = None) -> None:
        self._db = db
        self._vault = vault
        self._changes = changes
        self.policy = policy or KeyPolicy()
        self.copies = KeyCopies(vault)
        self.endings = KeyEndings(changes, self.copies)
        self.check = KeyCheck(db, vault, changes, self.policy)
        # sync, for the hot path: the principal of a key verified before, or None: then `verify` must be asked
        self.cached: Callable[[bytes], Principal | None] = self.check.cached
        self.failures = self.check.failures

    async def verify(self, credential: str, *, address: str) -> Principal:
        """Whose key `credential` is, for a caller at `address` (text of an IP address).

        Raises:
            Unauthenticated: not a key, unknown or wrong (`invalid_api_key`); and, told only to the holder of the right
                secret, `key_expired` or `key_revoked`.
            PermissionDenied: the client or its owner is disabled (`client_disabled`), or whoever made the key may no
                longer use its client (`creator_lost_rights`).
            RateLimited: too many failures from this address (`too_many_failed_authentications`).
            Overloaded: `database_unavailable` or `sealed`.
        """
        return await self.check.verify(credential, address)

    @needs("key.create")
    async def create(
        self,
        actor: Person,
        client: str,
        name: str,
        *,
        is_test: bool = False,
        is_decoy: bool = False,
        expires_in_seconds: float | None = None,
        is_retrievable: bool | None = None,
        limits: Amounts | None = None,
        **rights: Unpack[Rights],
    ) -> NewKey:
        """A new key for `client` (its id or name). `limits` as in `services/limit_names.py`. A retrievable one can be
        shown again, to the actor alone; None leaves that to the policy. A decoy is refused like an unknown key, and
        whoever uses it raises an alarm (`services/decoys.py`).

        Raises:
            NotFound: no such client, or it is not the actor's.
            PermissionDenied: wider than what the client may use (`wider_than_client`).
            Unprocessable: a value is not valid, or the client is disabled.
            Overloaded: the vault is sealed.
        """
        now = now_us()
        minted = keyformat.mint(is_test=is_test)
        async with self._db.write() as session:
            owner = await visible_client(session, actor, client)
            if owner.is_disabled:
                raise Unprocessable("The client is disabled.", code="client_disabled", param="client")
            check_within(limits, owner.limits)
            key = ClientKey(
                id=new_id("key"),
                client_id=owner.id,
                name=key_rights.valid_name(name),
                is_test=is_test,
                is_decoy=is_decoy,
                limits=clean_amounts(limits),
                created_us=now,
                expires_us=self.policy.expiry(expires_in_seconds, now),
                creator_id=_person_id(actor),
            )
            await key_rights.give(session, key, owner, rights)
            await store.add_key(session, key, secret := self._secret(key, minted, now))
            if self.policy.keeps_copy(is_retrievable) and key.creator_id is not None:
                await self.copies.make(session, key, secret, minted.text, key.creator_id)
            record(session, actor, "key.create", key.id, after=told(key))
            self._changes.publish(session, "key", key.id)
        return self._made(key, owner, secret, minted)

    @needs("key.list")
    async def list(
        self,
        actor: Person,
        client: str | None = None,
        *,
        idle_seconds: int | None = None,
        first: int = 0,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[KeyView]:
        """The keys of `client` (id or name), or all that the actor may see; newest first, never a secret.

        With `idle_seconds` those alone that work and were not used for so long. `limit` of them (None: all) from the
        `first` on, or behind the key with the id `after`.

        Raises:
            NotFound: no such client, or it is not the actor's.
        """
        now = now_us()
        async with self._db.read() as session:
            client_id = None if client is None else (await visible_client(session, actor, client)).id
            unused_since = None if idle_seconds is None else now - idle_seconds * SECOND_US
            rows = await store.keys(
                session, store.Scope(client_id, scope(actor, "key.list"), unused_since, after), first, limit
            )
            stopped = await store.stopped(session, [key.id for key, _ in rows])
            secrets = await store.live_secrets(session, [key.id for key, _ in rows], now)
        of_key: dict[str, list[KeySecret]] = {}
        for secret in secrets:
            of_key.setdefault(secret.key_id, []).append(secret)
        views = [
            view(key, owner, of_key.get(key.id, []), now, self.policy, is_stopped=key.id in stopped)
            for key, owner in rows
        ]
        return views if idle_seconds is None else [one for one in views if one.secrets]

    @needs("key.get")
    async def find(self, actor: Person, key_id: str) -> KeyView:
        """One key, by its id or public id. Raises: NotFound: no such key, or it is not the actor's."""
        now = now_us()
        async with self._db.read() as session:
            key, owner = await managed_key(session, actor, key_id, "key.get", to_change=False)
            is_stopped = key.id in await store.stopped(session, [key.id])
            live = await store.live_secrets(session, [key.id], now)
        return view(key, owner, live, now, self.policy, is_stopped=is_stopped)

    @needs("key.list")
    async def count(self, actor: Person) -> int:
        """How many keys `list` would give in all."""
        async with self._db.read() as session:
            return await store.key_count(session, store.Scope(None, scope(actor, "key.list")))

    @needs("key.roll")
    async def roll(self, actor: Person, key_id: str, overlap_seconds: float = DEFAULT_OVERLAP_SECONDS) -> NewKey:
        """A new secret for a key; the one before works `overlap_seconds` longer (0 to 7 days), never past its own end.

        At most two secrets live: rolling again during an overlap ends the oldest at once. Whoever rolls a key takes it
        over: what it is worth depends on them from now on, and so does who may see it again, where it could be seen.
        It keeps no right that its client has lost.

        Raises:
            NotFound: no such key, or it is not the actor's.
            PermissionDenied: the actor has not said their password lately (`step_up_required`).
            Unprocessable: the overlap is out of range, or the key is revoked or expired.
            Overloaded: the vault is sealed.
        """
        if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:
            raise Unprocessable("The overlap must be between 0 and 7 days.", param="overlap")
        now = now_us()
        async with self._db.write() as session:
            key, owner = await managed_key(session, actor, key_id, "key.roll")
            await require_password_said(session, actor)
            if key.revoked_us is not None or (key.expires_us is not None and key.expires_us <= now):
                raise Unprocessable("The key is revoked or has expired. Create another one.", code="key_ended")
            live = await store.live_secrets(session, [key.id], now)
            was_retrievable = any(secret.copy_owner_id is not None for secret in live)
            end_secrets(live[:-1], now)
            end_secrets(live[-1:], now, now + int(overlap_seconds * SECOND_US))
            await self.copies.destroy(session, live)
            key_rights.clip(key, owner)
            key.creator_id, key.leaked_us = _person_id(actor), None
            minted = keyformat.mint(is_test=key.is_test)
            await store.add_secret(session, secret := self._secret(key, minted, now))
            if was_retrievable and self.policy.retrieval != "off" and key.creator_id is not None:
                await self.copies.make(session, key, secret, minted.text, key.creator_id)
            record(session, actor, "key.roll", key.id, after={"overlap_seconds": int(overlap_seconds)})
            self._changes.publish(session, "key", key.id)
        await self._changes.catch_up()
        return self._made(key, owner, secret, minted)

    @needs("key.end_overlap")
    async def end_overlap(self, actor: Person, key_id: str) -> None:
        """Ends the old secret of a rolling key now; nothing happens where there is none.

        Raises:
            NotFound: no such key, or it is not the actor's.
        """
        now = now_us()
        async with self._db.write() as session:
            key, _ = await managed_key(session, actor, key_id, "key.end_overlap")
            older = (await store.live_secrets(session, [key.id], now))[:-1]
            end_secrets(older, now)
            await self.copies.destroy(session, older)
            record(session, actor, "key.end_overlap", key.id)
            self._changes.publish(session, "key", key.id)
        await self._changes.catch_up()

    @needs("key.revoke")
    async def revoke(self, actor: Person, key_or_public_id: str, *, cuts_streams: bool = False) -> str:
        """Ends a key with all its secrets, for good, and returns its id; a revoked key stays as it is. With
        `cuts_streams` its answers under way end too, on every worker, with an error and settled.

        Raises:
            NotFound: no such key, or it is not the actor's.
        """
        now = now_us()
        async with self._db.write() as session:
            key, _ = await managed_key(session, actor, key_or_public_id, "key.revoke")
            record(session, actor, "key.revoke", key.id, after={"cuts_streams": cuts_streams})
            await self.endings.end(session, key, now, cuts_streams=cuts_streams)
        await self._changes.catch_up()
        return key.id

    @needs("key.change")
    async def update(self, actor: Person, key_id: str, **edit: Unpack[Edit]) -> KeyView:
        """Changes what `edit` names of a key and leaves the rest; what was under way goes on.

        Raises:
            NotFound: no such key, or it is not the actor's.
            PermissionDenied: wider than what the client may use (`wider_than_client`).
            Unprocessable: a value is not valid, or the key is revoked (`key_ended`).
        """
        now = now_us()
        async with self._db.write() as session:
            key, owner = await managed_key(session, actor, key_id, "key.change")
            if key.revoked_us is not None:
                raise Unprocessable("The key is revoked. Create another one.", code="key_ended")
            before = told(key)
            if "name" in edit:
                key.name = key_rights.valid_name(edit["name"])
            if "expires_in_seconds" in edit:
                key.expires_us = self.policy.expiry(edit["expires_in_seconds"], now)
            await key_rights.give(session, key, owner, edit)
            record(session, actor, "key.change", key.id, before=before, after=told(key))
            self._changes.publish(session, "key", key.id)
            shown = view(key, owner, await store.live_secrets(session, [key.id], now), now, self.policy)
        await self._changes.catch_up()
        return shown

    async def tidy_copies(self) -> int:
        """Destroys sealed copies of what has ended, or all where keys are not shown again; for every start and a job.
        Returns how many."""
        async with self._db.write() as session:
            return await self.copies.destroy_ended(session, now_us(), all_of_them=self.policy.retrieval == "off")

    async def flush_last_used(self, most: int | None = None) -> int:
        """Writes when keys were last used, of at most `most` secrets (those that wait longest), for a job to call about
        every 30 seconds; returns how many secrets.

        Raises:
            DATABASE_ERRORS: the database is away; what could not be written stays for the next call.
        """
        return await self.check.flush_used(most)

    def _made(self, key: ClientKey, client: Client, secret: KeySecret, minted: keyformat.MintedKey) -> NewKey:
        ends_us = earlier(key.expires_us, self.policy.secret_end(secret.created_us, None))
        return NewKey(key.id, client.name, key.name, minted.text, ends_us)

    def _secret(self, key: ClientKey, minted: keyformat.MintedKey, now: int) -> KeySecret:
        pepper = self._vault.pepper(PEPPER_VERSION)
        return KeySecret(
            public_id=minted.public_id,
            key_id=key.id,
            digest=key_digest(pepper, minted.text.reveal()),
            pepper_version=PEPPER_VERSION,
            created_us=now,
        )


def _person_id(actor: Person) -> str | None:
    """Who a key rests on; None for the command line, which is nobody's account."""
    return None if actor.user_id == OPERATOR.user_id else actor.user_id
