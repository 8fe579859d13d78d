"""Several keys of one provider connection: they share its address, models and rights, and take turns by weight.

What a client names is the connection; which key its call carries is the broker's choice. A key that is refused or used
up is passed over for the others, as a connection would be.
"""

from collections.abc import Sequence
from dataclasses import replace

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services import connection_rules as rules
from aiservice.services.audit_entry import Values, record
from aiservice.services.changes import ChangeFeed
from aiservice.services.connection_snapshot import PURPOSE
from aiservice.services.connection_views import ConnectionView, KeyDetails, key_details, view, with_key
from aiservice.services.connections import Connections
from aiservice.services.names import clean_name, no_such
from aiservice.services.probe import ProbeResult, probe
from aiservice.services.rights import needs
from aiservice.services.step_up import require_password_said
from aiservice.services.vault import Vault
from aiservice.store import connections as connection_store
from aiservice.store import provider_keys as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import Connection, ProviderKey
from aiservice.upstream.client import Upstream

KEY_ACTIONS = ("provider_key.add", "provider_key.set_secret")
"""Entries of the audit log that say at which `revision` a key is."""
_MOST_KEYS = 50
_MAX_RESULT = 300


class ProviderKeys:
    """The further keys of connections, for admins. Raises PermissionDenied for anybody else, whatever is asked."""

    def __init__(
        self, db: Database, vault: Vault, changes: ChangeFeed, connections: Connections, upstream: Upstream | None
    ) -> None:
        self._db = db
        self._vault = vault
        self._changes = changes
        self._connections = connections
        self._upstream = upstream

    @needs("provider_key.add")
    async def add(
        self,
        actor: Person,
        connection: str,
        secret: Secret | None,
        *,
        label: str = "",
        weight: int = 1,
        rpm: int | None = None,
        tpm: int | None = None,
    ) -> KeyDetails:
        """One more key of a connection that has one.

        Raises:
            PermissionDenied: the actor is no admin, or has to say the password again (`step_up_required`).
            NotFound: there is no such connection.
            Unprocessable: the key cannot be one, the connection has it already, has none yet, or too many.
        """
        quota = rules.clean_quota(rpm, tpm)
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await self._connection(session, connection)
            await require_password_said(session, actor)
            provider, others = rules.known_kind(row.kind), await store.of(session, row.id)
            clean = self._new_secret(row, rules.clean_secret(provider, secret), others)
            key = ProviderKey(
                id=new_id("pky"),
                connection_id=row.id,
                number=max((each.number for each in others), default=1) + 1,
                label=clean_name(label, "key") if label.strip() else "",
                weight=rules.clean_weight(weight),
                rpm=quota["rpm"],
                tpm=quota["tpm"],
                created_us=now_us(),
            )
            session.add(key)
            await session.flush()
            await self._seal(session, row, key, clean)
            self._note(session, actor, KEY_ACTIONS[0], key, after=_told(key, row))
        await self._connections.refresh()
        return key_details(key)

    @needs("provider_key.set_secret")
    async def set_secret(self, actor: Person, key_id: str, secret: Secret | None) -> KeyDetails:
        """Puts another key in the place of this one. Raises as `add`."""
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            key, row = await self._existing(session, key_id)
            await require_password_said(session, actor)
            others = [each for each in await store.of(session, row.id) if each.id != key.id]
            clean = self._new_secret(row, rules.clean_secret(rules.known_kind(row.kind), secret), others)
            key.revision += 1
            await self._seal(session, row, key, clean)
            self._note(session, actor, KEY_ACTIONS[1], key, after=_told(key, row))
        await self._connections.refresh()
        return key_details(key)

    @needs("provider_key.change")
    async def update(
        self,
        actor: Person,
        key_id: str,
        *,
        label: str | None = None,
        weight: int | None = None,
        rpm: int | None = None,
        tpm: int | None = None,
    ) -> KeyDetails:
        """Changes what is given; 0 takes a limit away. Raises as `add`."""
        quota = rules.clean_quota(rpm, tpm)
        said = {"rpm": rpm, "tpm": tpm}
        given: dict[str, object] = {name: quota[name] for name, amount in said.items() if amount is not None}
        if label is not None:
            given["label"] = clean_name(label, "key") if label.strip() else ""
        if weight is not None:
            given["weight"] = rules.clean_weight(weight)
        return await self._change(actor, key_id, "provider_key.change", given)

    @needs("provider_key.get")
    async def connection_of(self, actor: Person, key_id: str) -> str:
        """The id of the connection that the key is one of. Raises as `add`."""
        async with self._db.read() as session:
            return (await self._existing(session, key_id))[1].id

    @needs("provider_key.get")
    async def numbered(self, actor: Person, connection: str, number: int) -> KeyDetails:
        """The key of that number.

        Raises:
            NotFound: there is no such connection, or no such key of it.
        """
        async with self._db.read() as session:
            row = await self._connection(session, connection)
            keys = {key.number: key for key in await store.of(session, row.id)}
        if number not in keys:
            raise no_such("provider key", str(number), [str(known) for known in keys])
        return key_details(keys[number])

    @needs("provider_key.disable")
    async def disable(self, actor: Person, key_id: str) -> KeyDetails:
        """No call carries the key from now on (≤ 1 s). Raises as `add`."""
        return await self._change(actor, key_id, "provider_key.disable", {"is_disabled": True})

    @needs("provider_key.enable")
    async def enable(self, actor: Person, key_id: str) -> KeyDetails:
        """Takes `disable` back. Raises as `add`."""
        return await self._change(actor, key_id, "provider_key.enable", {"is_disabled": False})

    @needs("provider_key.remove")
    async def remove(self, actor: Person, key_id: str) -> None:
        """Destroys the sealed key and forgets it. Raises as `add`."""
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            key, row = await self._existing(session, key_id)
            await self._vault.discard(session, PURPOSE, key.id)
            await store.remove(session, key.id)
            self._note(session, actor, "provider_key.remove", key, before=_told(key, row))
        await self._connections.refresh()

    @needs("provider_key.test")
    async def check(self, actor: Person, connection: str, secret: Secret | None) -> ProbeResult:
        """Tries a key that is not stored yet at the connection's address. Raises as `add`."""
        async with self._db.read() as session:
            row = await self._connection(session, connection)
        clean = rules.clean_secret(rules.known_kind(row.kind), secret)
        return await probe(self._upstream, replace(view(row), id=new_id("pky"), has_key=True), clean)

    @needs("provider_key.test")
    async def test(self, actor: Person, key_id: str) -> ProbeResult:
        """Calls the provider with the stored key, and keeps what came of it. Raises as `add`."""
        async with self._db.read() as session:
            key, row = await self._existing(session, key_id)
        tested: ConnectionView = with_key(view(row), key)
        result = await probe(self._upstream, tested, await self._connections.secret(tested))
        await self.record_test(actor, key.id, result)
        return result

    @needs("provider_key.test")
    async def record_test(self, actor: Person, key_id: str, result: ProbeResult) -> KeyDetails:
        """Keeps what a live test found. Raises as `add`."""
        found = {"tested_us": now_us(), "test_result": result.summary[:_MAX_RESULT]}
        return await self._change(actor, key_id, "", found)

    async def _change(self, actor: Person, key_id: str, action: str, values: dict[str, object]) -> KeyDetails:
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            key, row = await self._existing(session, key_id)
            before = {name: getattr(key, name) for name in values}
            if before == values:
                return key_details(key)
            for name, value in values.items():
                setattr(key, name, value)
            named = {"connection": row.name, "number": key.number}
            self._note(session, actor, action, key, before={**named, **before}, after={**named, **values})
        await self._connections.refresh()
        return key_details(key)

    def _note(
        self,
        session: AsyncSession,
        actor: Person,
        action: str,
        key: ProviderKey,
        *,
        before: Values | None = None,
        after: Values | None = None,
    ) -> None:
        """Says it to the audit log (a test changes nothing, and has no `action`) and to every worker."""
        if action:
            record(session, actor, action, key.id, before=before, after=after)
        self._changes.publish(session, "connection", key.id)

    def _new_secret(self, row: Connection, key: Secret | None, others: Sequence[ProviderKey]) -> Secret:
        if key is None or not row.key_fingerprint:
            raise Unprocessable(
                f"'{row.name}' has no key of its own yet. Set that first.", code="key_required", param="key"
            )
        if len(others) >= _MOST_KEYS:
            raise Unprocessable(f"A connection has at most {_MOST_KEYS} further keys.", code="too_many", param="key")
        if self._connections.fingerprint(key) in {row.key_fingerprint, *(each.key_fingerprint for each in others)}:
            raise Unprocessable(f"'{row.name}' has this key already.", code="key_known", param="key")
        return key

    async def _seal(self, session: AsyncSession, row: Connection, key: ProviderKey, secret: Secret) -> None:
        key.key_hint, key.key_fingerprint = rules.hint(secret), self._connections.fingerprint(secret)
        await self._vault.seal(
            session,
            purpose=PURPOSE,
            row_id=key.id,
            owner=row.owner_client_id or "",
            provider=row.kind,
            base_url=row.base_url,
            revision=key.revision,
            secret=secret,
        )

    async def _connection(self, session: AsyncSession, name_or_id: str) -> Connection:
        row = await connection_store.find(session, name_or_id)
        if row is None:
            raise no_such("provider connection", name_or_id, await connection_store.names(session))
        return row

    async def _existing(self, session: AsyncSession, key_id: str) -> tuple[ProviderKey, Connection]:
        key = await store.find(session, key_id)
        if key is None:
            raise no_such("provider key", key_id, ())
        return key, await self._connection(session, key.connection_id)


def _told(key: ProviderKey, row: Connection) -> dict[str, object]:
    """A key as the audit log tells of it."""
    names = ("number", "label", "weight", "rpm", "tpm", "key_hint", "revision")
    return {"connection": row.name, **{name: getattr(key, name) for name in names}}
