"""Single sign-on as admins see it: the providers, and whether people may still come in another way.

A provider's secret goes into the vault, bound to its issuer and client id, and is never shown again. Nobody signs in
by a provider before an admin has switched it on; a test of the sign-in works before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

from aiservice.errors import Conflict, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.accounts import Accounts
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.names import no_such
from aiservice.services.rights import needs
from aiservice.services.sign_in_ways import Way
from aiservice.services.sso_policy import SsoRules
from aiservice.services.sso_sign_in import SsoSignIn, callback_path
from aiservice.services.sso_terms import DEFAULT_SCOPES, Edit, SsoView, apply, clean_issuer, clean_name_of
from aiservice.services.sso_vault import binding, clean_secret
from aiservice.services.sso_wire import SsoWire
from aiservice.services.step_up import require_password_said
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import sso as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import SsoProvider
from aiservice.upstream.client import Upstream

MAX_PROVIDERS = 10


@dataclass(slots=True, frozen=True)
class Checked:
    """What a provider says of itself just now: how many of its keys can be used, and what it offers."""

    keys: int
    has_userinfo: bool
    has_sign_out: bool


class Sso:
    """Every method takes the `actor` first, and names its action in the table of rights; but `ways` and `sign_in`,
    which are there before anybody is known."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        settings: Settings,
        *,
        changes: ChangeFeed,
        upstream: Upstream,
        accounts: Accounts,
    ) -> None:
        self._db = db
        self._vault = vault
        self._settings = settings
        self._changes = changes
        self._wire = SsoWire(upstream)
        self.rules = SsoRules(db)
        self.sign_in = SsoSignIn(db, vault, settings, changes=changes, wire=self._wire, accounts=accounts)

    async def ways(self, next_path: str = "/") -> tuple[tuple[Way, ...], bool]:
        """The providers to sign in by, and whether anything else is off."""
        async with self._db.read() as session:
            rows = [row for row in await store.providers(session) if row.is_enabled]
            is_required = (await store.rule(session)).is_required
        return tuple(Way("link", row.label, self.sign_in.start_path(row.name, next_path)) for row in rows), is_required

    @needs("sso.list")
    async def list(self, actor: Person) -> Sequence[SsoView]:
        """All providers, by name. Raises: PermissionDenied."""
        async with self._db.read() as session:
            counts = await store.people_by_issuer(session)
            return [self._view(row, counts.get(row.issuer, 0)) for row in await store.providers(session)]

    @needs("sso.list")
    async def find(self, actor: Person, name: str) -> SsoView:
        """One. Raises: NotFound; PermissionDenied."""
        async with self._db.read() as session:
            return await self._seen(session, await self._existing(session, name))

    @needs("sso.change")
    async def add(
        self, actor: Person, name: str, issuer: str, secret: Secret | None = None, **edit: Unpack[Edit]
    ) -> SsoView:
        """Keeps a provider, switched off. Without a secret the client is a public one.

        Raises:
            PermissionDenied (also `step_up_required`). Unprocessable: a value is not valid (named in `param`), the name
                is taken, or there are too many. Overloaded: sealed.
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            row = _made(name, issuer, edit)
            await take_turn(session, CONFIGURATION)
            known = await store.providers(session)
            if len(known) >= MAX_PROVIDERS:
                raise Unprocessable(
                    f"There are {MAX_PROVIDERS} providers already. Remove one.", code="too_many_providers"
                )
            for each in known:
                if each.name == row.name or each.issuer == row.issuer:
                    what = "name" if each.name == row.name else "issuer"
                    message = f"The provider '{each.name}' has that {what} already. Change it instead."
                    raise Unprocessable(message, code="name_taken", param=what)
            session.add(row)
            await session.flush()
            if secret is not None:
                await self._seal(session, row, secret)
            record(session, actor, "sso.add", row.id, after=_told(row))
            return await self._seen(session, row)

    @needs("sso.change")
    async def change(self, actor: Person, name: str, **edit: Unpack[Edit]) -> SsoView:
        """Changes what is given. Another client id asks for its secret anew. Raises: NotFound; as `add`."""
        async with self._db.write() as session:
            await require_password_said(session, actor)
            row = await self._existing(session, name)
            before, client_id = _told(row), row.client_id
            apply(row, edit)
            if row.client_id != client_id and row.has_secret:
                await self._vault.discard(session, *_kept_as(row))
                row.has_secret = False
            if not row.is_private_allowed:
                clean_issuer(row.issuer, is_private_allowed=False)
            self._changed(session, row)
            record(session, actor, "sso.change", row.id, before=before, after=_told(row))
            return await self._seen(session, row)

    @needs("sso.set_secret")
    async def set_secret(self, actor: Person, name: str, secret: Secret) -> SsoView:
        """Keeps another client secret. Raises: NotFound; Unprocessable; Overloaded: sealed; PermissionDenied."""
        async with self._db.write() as session:
            await require_password_said(session, actor)
            row = await self._existing(session, name)
            await self._seal(session, row, secret)
            self._changed(session, row)
            record(session, actor, "sso.set_secret", row.id)
            return await self._seen(session, row)

    @needs("sso.switch")
    async def switch(self, actor: Person, name: str, *, is_enabled: bool) -> SsoView:
        """Puts the button on the sign-in page, or takes it off; sessions go on to their end.

        Raises:
            Unprocessable: nobody could come back, as PUBLIC_URL is not set (`public_url_needed`).
            Conflict: passwords are off, and it is the last way in (`last_way_in`). NotFound; PermissionDenied.
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            if is_enabled:
                self.sign_in.require_public_url()
            row = await self._existing(session, name)
            if not is_enabled:
                await self._keep_a_way_in(session, row)
            if row.is_enabled != is_enabled:
                row.is_enabled = is_enabled
                record(session, actor, "sso.enable" if is_enabled else "sso.disable", row.id)
            return await self._seen(session, row)

    @needs("sso.change")
    async def remove(self, actor: Person, name: str) -> None:
        """Removes a provider and its secret. Raises: Conflict (`last_way_in`); NotFound; PermissionDenied."""
        async with self._db.write() as session:
            await require_password_said(session, actor)
            row = await self._existing(session, name)
            await self._keep_a_way_in(session, row)
            await self._vault.discard(session, *_kept_as(row))
            await store.remove(session, row.id)
            record(session, actor, "sso.remove", row.id, before=_told(row))
        self._wire.forget(row.id)

    @needs("sso.check")
    async def check(self, actor: Person, name: str) -> Checked:
        """Reads the provider's document and keys now.

        Raises:
            ProviderFailed: `sso_unreachable`, `sso_discovery_invalid`. NotFound; PermissionDenied.
        """
        async with self._db.read() as session:
            row = await self._existing(session, name)
        metadata = await self._wire.metadata(row, is_fresh=True)
        keys = await self._wire.keys(row)
        return Checked(len(keys), bool(metadata.userinfo), bool(metadata.end_session))

    async def _existing(self, session: AsyncSession, name: str) -> SsoProvider:
        row = await store.find(session, name)
        if row is None:
            raise no_such("sso provider", name, [each.name for each in await store.providers(session)])
        return row

    async def _keep_a_way_in(self, session: AsyncSession, row: SsoProvider) -> None:
        others = [each for each in await store.providers(session) if each.is_enabled and each.id != row.id]
        if row.is_enabled and not others and (await store.rule(session)).is_required:
            message = "Single sign-on is required, and this is its last provider. Switch that rule off first."
            raise Conflict(message, code="last_way_in")

    async def _seal(self, session: AsyncSession, row: SsoProvider, secret: Secret) -> None:
        await self._vault.seal(session, secret=clean_secret(secret), **binding(row))
        row.has_secret = True

    def _changed(self, session: AsyncSession, row: SsoProvider) -> None:
        row.revision += 1
        row.tried, row.tried_us = "", None

    async def _seen(self, session: AsyncSession, row: SsoProvider) -> SsoView:
        return self._view(row, (await store.people_by_issuer(session)).get(row.issuer, 0))

    def _view(self, row: SsoProvider, known: int) -> SsoView:
        public = self._settings.public_url or ""
        return SsoView(
            row.id, row.name, row.label, row.issuer, row.client_id, row.has_secret, row.scopes, tuple(row.domains),
            row.role_claim, tuple(row.admin_groups), tuple(row.developer_groups), row.makes_accounts,
            row.trusts_addresses, row.asks_second_factor, row.is_private_allowed, row.is_enabled, known,
            public.rstrip("/") + callback_path(row.name), public.rstrip("/") + "/sign-in", row.tried, row.tried_us,
        )  # fmt: skip


def _made(name: str, issuer: str, edit: Edit) -> SsoProvider:
    row = SsoProvider(
        id=new_id("sso"), name=clean_name_of(name), label=f"Sign in with {name}", client_id="",
        issuer=clean_issuer(issuer, is_private_allowed=edit.get("is_private_allowed", False)),
        scopes=DEFAULT_SCOPES, domains=[], admin_groups=[], developer_groups=[], created_us=now_us(), tried="",
    )  # fmt: skip
    apply(row, {"client_id": "", **edit})
    return row


def _kept_as(row: SsoProvider) -> tuple[str, str]:
    bound = binding(row)
    return bound["purpose"], bound["row_id"]


def _told(row: SsoProvider) -> dict[str, object]:
    """What the audit log is told of a provider."""
    names = (
        "name", "label", "issuer", "client_id", "scopes", "domains", "role_claim", "admin_groups", "developer_groups",
        "makes_accounts", "trusts_addresses", "asks_second_factor", "is_private_allowed",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names}
