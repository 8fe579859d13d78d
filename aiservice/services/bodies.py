"""Bodies of requests and answers at rest: sealed per client, for a while, and gone with the client's data key.

    vault     a data key a client, an envelope under the master key (purpose `client_body_key`)
    body key  HKDF-SHA-256(data key, "aiservice body v1" || salt), with 16 random bytes of salt a body
    sealed    salt || nonce || AES-256-GCM(body key, nonce, body, AAD), AAD bound to client, kind, id and key revision

A worker seals at most 4,096 short bodies of a client under one body key, of a salt of its own, and each long one under
another: the 2³² messages that NIST SP 800-38D allows under one key are never near. Nothing else in the product keeps
bodies. A rotation of the master key re-seals the data keys and leaves the bodies as they are; a backup carries
both. Shredding destroys the data key first: what a copy of the table still holds then opens for nobody.

Fails open where it may: a body that cannot be kept or opened is one that was not kept; whoever wanted it goes without.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable

from aiservice.kit import crypto
from aiservice.kit.clock import now_us
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.clients import visible_client
from aiservice.services.envelopes import Binding
from aiservice.services.rights import needs
from aiservice.services.vault import Vault
from aiservice.store import bodies as store
from aiservice.store.bodies import NewBody
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import take_turn

MAX_BYTES = 4 << 20
"""The largest body that is kept."""
PURPOSE = store.PURPOSE
_SALT_BYTES = 16
_BODIES_A_KEY = 4_096
_AT_ONCE_BYTES = 64 << 10  # what is longer is sealed in a thread: a megabyte takes about a millisecond
_PURGE_BATCH = 200
_KEY_SECONDS = 60.0  # how long a data key is used without asking whether it is still its client's
_MOST_KEYS = 1_000

_Work = Callable[[Secret, bytes, bytes], bytes]

log = logging.getLogger(__name__)


class BodyTooLarge(ValueError):
    """The body is over `MAX_BYTES`."""


class Bodies:
    """Keeps bodies. A body's name is (client id, kind, id); kinds are short words, one for each use."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._keys: dict[str, tuple[int, Secret, float, _Sealer]] = {}
        self.tell_shredded: Callable[[AsyncSession, str], None] = lambda _session, _client_id: None
        """Called in the unit of work that destroys a client's data key, for who holds copies of it."""

    async def put(self, client_id: str, kind: str, body_id: str, content: bytes, expires_us: int) -> bool:
        """Keeps `content` until `expires_us` (microseconds UTC), in place of what had its name.

        False where it is not kept: the client is disabled, or was shredded at this very moment.

        Raises:
            BodyTooLarge: over `MAX_BYTES`.
            Overloaded: the vault is sealed.
            DATABASE_ERRORS: the database did not answer.
        """
        row = await self.seal(client_id, kind, body_id, content, expires_us)
        if row is None:
            return False
        async with self._db.write() as session:
            return await self.add(session, row)

    async def get(self, client_id: str, kind: str, body_id: str) -> bytes | None:
        """The body of that name; None where there is none, its time is over, or it does not open any more.

        Raises:
            Overloaded: the vault is sealed.
            DATABASE_ERRORS: the database did not answer.
        """
        found = await self.get_with_end(client_id, kind, body_id)
        return None if found is None else found[0]

    async def has(self, client_id: str, kind: str, body_id: str) -> bool:
        """Whether there is a body of that name whose time is not over. Raises as `get`."""
        async with self._db.read() as session:
            row = await store.get(session, client_id, kind, body_id)
        return row is not None and row.expires_us > now_us()

    async def get_with_end(self, client_id: str, kind: str, body_id: str) -> tuple[bytes, int] | None:
        """As `get`, with the time at which the body goes (microseconds UTC)."""
        async with self._db.read() as session:
            row = await store.get(session, client_id, kind, body_id)
            if row is None or row.expires_us <= now_us():
                return None
            if await store.key_revision(session, PURPOSE, client_id) != row.key_revision:
                return None
            key = await self._vault.unseal(session, **_binding(client_id, row.key_revision))
        try:
            aad = _aad(client_id, kind, body_id, row.key_revision)
            return await _run(len(row.sealed), open_under, key, row.sealed, aad), row.expires_us
        except crypto.BadEnvelope:
            log.error("ALERT: the %s body %s of client %s does not open.", kind, body_id, client_id)  # noqa: TRY400
            return None

    async def open_found(self, client_id: str, kind: str, body_id: str, found: store.FoundBody) -> bytes | None:
        """A body that somebody found in a unit of work of their own; None as for `get`. Raises as `get`."""
        if found.expires_us <= now_us() or found.key_revision != found.current_revision:
            return None
        known = self._known_key(client_id)
        if known is None or known[0] != found.key_revision:
            known = await self._key(client_id)
        if known is None or known[0] != found.key_revision:
            return None
        aad = _aad(client_id, kind, body_id, found.key_revision)
        try:
            return await _run(len(found.sealed), open_under, known[1], found.sealed, aad)
        except crypto.BadEnvelope:
            log.error("ALERT: the %s body %s of client %s does not open.", kind, body_id, client_id)  # noqa: TRY400
            return None

    async def delete(self, client_id: str, kind: str, body_id: str) -> bool:
        """Deletes the body of that name; whether there was one.

        Raises:
            DATABASE_ERRORS: the database did not answer.
        """
        async with self._db.write() as session:
            return await store.remove(session, client_id, kind, body_id)

    async def purge(self) -> int:
        """Deletes what has expired and returns how many bodies that were. For a job."""
        count = 0
        while True:
            async with self._db.write() as session:
                removed = await store.remove_expired(session, now_us(), _PURGE_BATCH)
            count += removed
            if removed < _PURGE_BATCH:
                return count
            await asyncio.sleep(0)

    @needs("client.shred")
    async def shred_client(self, actor: Person, name_or_id: str) -> int:
        """Destroys every kept body of a client, for good; returns how many they were. The client itself stays as it is.

        Raises:
            NotFound: there is no such client that the actor may see.
            PermissionDenied: the actor is no admin.
        """
        async with self._db.write() as session:
            client = await visible_client(session, actor, name_or_id)
            record(session, actor, "client.shred", client.id)
            return await self.shred(session, client.id)

    async def shred(self, session: AsyncSession, client_id: str) -> int:
        """Destroys a client's data key and deletes its bodies, in the caller's unit of work; how many they were."""
        await self._vault.discard(session, PURPOSE, client_id)
        self._keys.pop(client_id, None)
        self.tell_shredded(session, client_id)
        return await store.remove_of_client(session, client_id)

    async def data_key(self, client_id: str, *, is_made: bool = True) -> tuple[int, Secret] | None:
        """(revision, data key) of a client, for who keeps sealed bodies elsewhere (`seal_under`); made where there is
        none, if `is_made`. None: there is none. Raises as `put`."""
        known = await self._key(client_id)
        return known if known is not None or not is_made else await self._make_key(client_id)

    # In two steps, for whoever keeps a body in a unit of work of their own.

    async def seal(self, client_id: str, kind: str, body_id: str, content: bytes, expires_us: int) -> NewBody | None:
        """The row for `add`; None where nothing is kept for this client. Raises as `put`."""
        if len(content) > MAX_BYTES:
            raise BodyTooLarge(f"{len(content)} bytes")
        if (row := self.seal_now(client_id, kind, body_id, content, expires_us)) is not None:
            return row
        known = self._known_key(client_id) or await self._key(client_id) or await self._make_key(client_id)
        if known is None:
            return None
        revision, key = known
        aad = _aad(client_id, kind, body_id, revision)
        sealed = await _run(len(content), seal_under, key, content, aad)
        return NewBody(client_id, kind, body_id, revision, sealed, now_us(), expires_us)

    def seal_now(self, client_id: str, kind: str, body_id: str, content: bytes, expires_us: int) -> NewBody | None:
        """As `seal`, where nothing has to be waited for: the client's key is at hand, and the content short. None: ask
        `seal`."""
        known = self._keys.get(client_id)
        if known is None or known[2] < time.monotonic() or len(content) > _AT_ONCE_BYTES:
            return None
        sealed = known[3].seal(content, _aad(client_id, kind, body_id, known[0]))
        return NewBody(client_id, kind, body_id, known[0], sealed, now_us(), expires_us)

    def forget_key(self, client_id: str) -> None:
        """The client's data key is another by now, as whoever kept a body has found: the next is sealed under that."""
        self._keys.pop(client_id, None)

    async def add(self, session: AsyncSession, row: NewBody) -> bool:
        """Keeps what was sealed, in the caller's unit of work; False where the data key has gone meanwhile."""
        if await store.key_revision(session, PURPOSE, row.client_id, is_held=True) != row.key_revision:
            return False
        await store.put(session, row)
        return True

    def _known_key(self, client_id: str) -> tuple[int, Secret] | None:
        """The client's data key as it was a short while ago: whether it is that still is seen where a body is kept."""
        known = self._keys.get(client_id)
        return None if known is None or known[2] < time.monotonic() else known[:2]

    async def _key(self, client_id: str) -> tuple[int, Secret] | None:
        async with self._db.read() as session:
            revision = await store.key_revision(session, PURPOSE, client_id)
            if revision is None:
                return None
            key = await self._vault.unseal(session, **_binding(client_id, revision))
        return self._remembered(client_id, revision, key)

    def _remembered(self, client_id: str, revision: int, key: Secret) -> tuple[int, Secret]:
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        self._keys[client_id] = (revision, key, time.monotonic() + _KEY_SECONDS, _Sealer(key))
        return revision, key

    async def _make_key(self, client_id: str) -> tuple[int, Secret] | None:
        async with self._db.write() as session:
            await take_turn(session, f"{PURPOSE} {client_id}")
            revision = await store.key_revision(session, PURPOSE, client_id)
            if revision is not None:  # somebody else was faster
                return revision, await self._vault.unseal(session, **_binding(client_id, revision))
            if not await store.is_served(session, client_id):
                return None
            revision, key = int.from_bytes(os.urandom(4)) >> 1, Secret(crypto.new_key())
            await self._vault.seal(session, secret=key, **_binding(client_id, revision))
        return self._remembered(client_id, revision, key)


def _binding(client_id: str, revision: int) -> Binding:
    return Binding(purpose=PURPOSE, row_id=client_id, owner=client_id, provider="", base_url="", revision=revision)


def _aad(client_id: str, kind: str, body_id: str, key_revision: int) -> bytes:
    return crypto.bind("body", {"client": client_id, "kind": kind, "id": body_id, "key": key_revision})


class _Sealer:
    """Seals bodies under a data key: to derive a key for each costs more than to seal what is short."""

    __slots__ = ("_key", "_left", "_salt", "_sealer")

    def __init__(self, key: Secret) -> None:
        self._key = key
        self._left = 0

    def seal(self, content: bytes, aad: bytes) -> bytes:
        """As `seal_under` the data key."""
        if not self._left:
            self._left, self._salt = _BODIES_A_KEY, os.urandom(_SALT_BYTES)
            self._sealer = crypto.Sealer(_body_key(self._key, self._salt))
        self._left -= 1
        return self._salt + self._sealer.seal(content, aad)


def seal_under(key: Secret, content: bytes, aad: bytes) -> bytes:
    """A body under a data key, bound to `aad`."""
    salt = os.urandom(_SALT_BYTES)
    return salt + crypto.seal(_body_key(key, salt), content, aad)


def open_under(key: Secret, sealed: bytes, aad: bytes) -> bytes:
    """What `seal_under` was given.

    Raises:
        BadEnvelope: another key or another `aad`, or it was changed.
    """
    return crypto.unseal(_body_key(key, sealed[:_SALT_BYTES]), sealed[_SALT_BYTES:], aad)


def _body_key(key: Secret, salt: bytes) -> bytes:
    return crypto.hkdf(key.reveal(), b"aiservice body v1" + salt)


async def _run(size: int, work: _Work, key: Secret, content: bytes, aad: bytes) -> bytes:
    if size <= _AT_ONCE_BYTES:
        return work(key, content, aad)
    return await asyncio.to_thread(work, key, content, aad)
