"""Provider connections: configured ways to a provider. Their keys go in and are never shown again."""

from collections.abc import Sequence

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.providers import registry
from aiservice.services import connection_rules as rules
from aiservice.services.audit_entry import record
from aiservice.services.clients import visible_client
from aiservice.services.connection_changes import ConnectionChanges, existing
from aiservice.services.connection_snapshot import PURPOSE
from aiservice.services.connection_views import ConnectionDetails, ConnectionView, details, outline, view
from aiservice.services.names import clean_connection_name, no_such, shown
from aiservice.services.preference_writing import forget_connection
from aiservice.services.probe import ProbeResult, probe
from aiservice.services.rights import needs, scope
from aiservice.services.step_up import require_password_said
from aiservice.store import connections as store
from aiservice.store import provider_keys
from aiservice.store.session import AsyncSession
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.store.unique import Taken, add_unique
from aiservice.tables import Connection

Names = list[str]
SANDBOX = "sandbox"
KEY_ACTIONS = ("connection.add", "connection.set_key", "connection.set_address")
"""Entries of the audit log that say at which `revision` a connection's key is."""
_FINGERPRINT = b"provider key fingerprint v1"


class Connections(ConnectionChanges):
    """Admins change connections; a developer sees the names of the shared ones and of their own clients' ones."""

    @needs("connection.list")
    async def list(self, actor: Person) -> Sequence[ConnectionDetails]:
        """The connections the actor may know of, oldest first."""
        async with self._db.read() as session:
            if scope(actor, "connection.list") is None:
                keys = await provider_keys.everything(session)
                return [details(row, keys.get(row.id, ())) for row in await store.everything(session)]
            return [outline(row) for row in await store.shared_or_owned_by(session, actor.user_id)]

    @needs("connection.get")
    async def find(self, actor: Person, name_or_id: str) -> ConnectionDetails:
        """One connection.

        Raises:
            NotFound: there is none of that name or id that the actor may know of.
        """
        known = await self.list(actor)
        for row in known:
            if name_or_id in (row.id, row.name):
                return row
        raise no_such("provider connection", name_or_id, [row.name for row in known])

    @needs("connection.add")
    async def add(
        self,
        actor: Person,
        kind: str,
        name: str,
        base_url: str | None,
        secret: Secret | None,
        *,
        is_private_allowed: bool = False,
        models: Names | None = None,
        weight: int = 1,
        rpm: int | None = None,
        tpm: int | None = None,
        owner_client: str | None = None,
    ) -> ConnectionDetails:
        """A new connection; its key is sealed in the same unit of work.

        Raises:
            PermissionDenied: the actor is no admin (also `step_up_required`).
            Unprocessable, InvalidRequest: a value is not valid; `param` names it.
            Overloaded: the vault is sealed.
        """
        provider = rules.known_kind(kind)
        clean_connection_name(name, kind, registry())
        key, names = rules.clean_secret(provider, secret), rules.clean_models(models)
        quota = rules.clean_quota(rpm, tpm)
        row = Connection(
            id=new_id("con"),
            name=name,
            kind=kind,
            base_url=rules.clean_address(provider, base_url, is_private_allowed=is_private_allowed),
            is_private_allowed=is_private_allowed,
            models=list(provider.default_models) if names is None else names,
            weight=rules.clean_weight(weight),
            rpm=quota["rpm"],
            tpm=quota["tpm"],
            created_us=now_us(),
        )
        async with self._db.write() as session:
            await require_password_said(session, actor)
            if owner_client is not None:
                row.owner_client_id = (await visible_client(session, actor, owner_client)).id
            await _insert(session, row)
            await self._seal(session, row, key)
            record(session, actor, KEY_ACTIONS[0], row.id, after=_told(row))
            self._changes.publish(session, "connection", row.id)
        await self.refresh()
        return details(row)

    @needs("connection.set_key")
    async def set_key(self, actor: Person, name_or_id: str, secret: Secret | None) -> ConnectionDetails:
        """Replaces the key; None takes it away, where none is needed. Raises as `add`, NotFound, `step_up_required`."""
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await existing(session, name_or_id)
            await require_password_said(session, actor)
            key = rules.clean_secret(rules.known_kind(row.kind), secret)
            row.revision += 1
            await self._seal(session, row, key)
            record(session, actor, KEY_ACTIONS[1], row.id, after=_told(row))
            self._changes.publish(session, "connection", row.id)
        await self.refresh()
        return details(row)

    @needs("connection.set_address")
    async def set_address(
        self, actor: Person, name_or_id: str, base_url: str | None, secret: Secret | None, *, is_private_allowed: bool
    ) -> ConnectionDetails:
        """Moves the connection to another address. A stored key does not come along: it has to be given again.

        Raises:
            Unprocessable: as `add`; `key_required` where the connection has a key and none was given.
            NotFound, PermissionDenied, Overloaded: as `set_key`.
        """
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await existing(session, name_or_id)
            await require_password_said(session, actor)
            provider = rules.known_kind(row.kind)
            if more := await provider_keys.of(session, row.id):
                raise Unprocessable(
                    f"'{row.name}' has {len(more)} more keys, which would not come along to another address. Remove "
                    "them first, and add them again there.",
                    code="has_more_keys",
                )
            address = rules.clean_address(provider, base_url, is_private_allowed=is_private_allowed)
            key = rules.clean_secret(provider, secret)
            if key is None and row.key_fingerprint:
                raise Unprocessable(
                    "A new address needs the provider key again, so that the old key is never sent there.",
                    code="key_required",
                    param="key",
                )
            before = _told(row)
            row.base_url, row.is_private_allowed = address, is_private_allowed
            row.revision += 1
            await self._seal(session, row, key)
            record(session, actor, KEY_ACTIONS[2], row.id, before=before, after=_told(row))
            self._changes.publish(session, "connection", row.id)
        await self.refresh()
        return details(row)

    @needs("connection.remove")
    async def remove(self, actor: Person, name_or_id: str) -> None:
        """Removes the connection, its sealed key, and its places in fallback chains.

        Raises:
            Unprocessable: the sandbox, which can only be disabled.
            NotFound, PermissionDenied: as `set_key`.
        """
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            row = await existing(session, name_or_id)
            if row.kind == SANDBOX:
                message = f"The sandbox is built in. Take it out of use with: provider disable {row.name}"
                raise Unprocessable(message, code="built_in")
            for key in await provider_keys.of(session, row.id):
                await self._vault.discard(session, PURPOSE, key.id)
                await provider_keys.remove(session, key.id)
                self._changes.publish(session, "connection", key.id)
            await self._vault.discard(session, PURPOSE, row.id)
            await forget_connection(session, self._changes, actor, row.name)
            await store.remove(session, row.id)
            record(session, actor, "connection.remove", row.id, before=_told(row))
            self._changes.publish(session, "connection", row.id)
        await self.refresh()

    async def ensure_sandbox(self) -> None:
        """Makes the built-in sandbox connection where there is none; whoever starts first does it."""
        async with self._db.read() as session:
            if any(row.kind == SANDBOX for row in await store.everything(session)):
                return
        models = list(registry()[SANDBOX].default_models)
        row = Connection(id=new_id("con"), name=SANDBOX, kind=SANDBOX, models=models, created_us=now_us())
        try:
            async with self._db.write() as session:
                await add_unique(session, row)
                self._changes.publish(session, "connection", row.id)
        except Taken:
            pass
        await self.refresh()

    @needs("connection.check")
    async def check(
        self, actor: Person, kind: str, base_url: str | None, secret: Secret | None, *, is_private_allowed: bool = False
    ) -> ProbeResult:
        """Tries an address and a key that are not stored yet. Raises as `add` where they could not be stored."""
        provider = rules.known_kind(kind)
        address = rules.clean_address(provider, base_url, is_private_allowed=is_private_allowed)
        key = rules.clean_secret(provider, secret)
        candidate = ConnectionView(
            new_id("con"), "", kind, address, is_private_allowed, None, (), 1, False, 0, now_us(), key is not None
        )
        return await probe(self._upstream, candidate, key)

    @needs("connection.test")
    async def test(self, actor: Person, name_or_id: str) -> ProbeResult:
        """Calls the provider, records what came of it, and keeps the models found where none were listed.

        Raises:
            NotFound, PermissionDenied: as `set_key`.
            Overloaded: the vault is sealed or the stored key does not open.
        """
        async with self._db.read() as session:
            tested = view(await existing(session, name_or_id))
        result = await probe(self._upstream, tested, await self.secret(tested))
        await self.record_test(actor, tested.id, result)
        if result.is_ok and not tested.models and result.models:
            await self.set_models(actor, tested.id, list(result.models))
        return result

    def fingerprint(self, key: Secret | None) -> str:
        """By which equal keys are known; "" without one."""
        return "" if key is None else rules.fingerprint(self._vault.derive(_FINGERPRINT), key)

    async def _seal(self, session: AsyncSession, row: Connection, key: Secret | None) -> None:
        row.key_hint = rules.hint(key)
        row.key_fingerprint = self.fingerprint(key)
        if key is None:
            await self._vault.discard(session, PURPOSE, row.id)
            return
        await self._vault.seal(
            session,
            purpose=PURPOSE,
            row_id=row.id,
            owner=row.owner_client_id or "",
            provider=row.kind,
            base_url=row.base_url,
            revision=row.revision,
            secret=key,
        )


def _told(row: Connection) -> dict[str, object]:
    """A connection as the audit log tells of it."""
    names = ("name", "kind", "base_url", "is_private_allowed", "owner_client_id", "key_hint", "revision")
    return {name: getattr(row, name) for name in names}


async def _insert(session: AsyncSession, row: Connection) -> None:
    try:
        await add_unique(session, row)
    except Taken:
        message = f"There is already a provider connection called '{shown(row.name)}'. Choose another name."
        raise Unprocessable(message, code="name_taken", param="name") from None
