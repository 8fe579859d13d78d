"""Whether people may come in another way than by single sign-on, and whom providers are not to know any more."""

from dataclasses import dataclass

from aiservice.errors import Conflict, NotFound, Unprocessable
from aiservice.principal import Person, Role
from aiservice.services.audit_entry import record
from aiservice.services.rights import needs
from aiservice.services.step_up import require_password_said
from aiservice.store import people
from aiservice.store import sso as store
from aiservice.store.session import Database
from aiservice.tables import SsoRule


@dataclass(slots=True, frozen=True)
class SsoPolicy:
    """`break_glass` is the address of the admin who may use a password all the same; "" for nobody."""

    is_required: bool
    break_glass: str


class SsoRules:
    """Every method takes the `actor` first, and names its action in the table of rights."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("sso.list")
    async def policy(self, actor: Person) -> SsoPolicy:
        """Whether passwords are off, and for whom not. Raises: PermissionDenied."""
        async with self._db.read() as session:
            rule = await store.rule(session)
            user = await people.by_ref(session, rule.break_glass_id) if rule.break_glass_id else None
        return SsoPolicy(rule.is_required, user.email if user else "")

    @needs("sso.require")
    async def require(self, actor: Person, *, is_required: bool) -> None:
        """Switches every other way in off, or on again; sessions there are go on to their end.

        Raises:
            Conflict: no admin has come in by a provider that is on (`sso_untested`), so that one might lock all out.
            PermissionDenied.
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            rule = await store.rule(session)
            if is_required and not rule.is_required and not await store.has_admin_by_sso(session):
                message = "Sign in by single sign-on first, as an admin: else nobody might come in any more."
                raise Conflict(message, code="sso_untested")
            if rule.is_required != is_required:
                await store.set_rule(
                    session, SsoRule(id=1, is_required=is_required, break_glass_id=rule.break_glass_id)
                )
                told = {"required": rule.is_required}, {"required": is_required}
                record(session, actor, "sso.require", "sso", before=told[0], after=told[1])

    @needs("sso.break_glass")
    async def set_break_glass(self, actor: Person, ref: str | None) -> None:
        """Names the one admin whose password opens the portal also where single sign-on is required; None: nobody.

        Raises:
            PermissionDenied: but on the server's own command line. NotFound; Unprocessable: no admin (`not_an_admin`).
        """
        async with self._db.write() as session:
            rule = await store.rule(session)
            user = None
            if ref is not None:
                user = await people.by_ref(session, ref.strip().lower() if "@" in ref else ref)
                if user is None:
                    raise NotFound("There is no such person.", param="user")
                if user.role != Role.ADMIN:
                    raise Unprocessable("That is no admin.", code="not_an_admin", param="user")
            chosen = None if user is None else user.id
            await store.set_rule(session, SsoRule(id=1, is_required=rule.is_required, break_glass_id=chosen))
            before, after = {"user": rule.break_glass_id}, {"user": chosen}
            record(session, actor, "sso.break_glass", chosen or "sso", before=before, after=after)

    @needs("sso.unlink")
    async def unlink(self, actor: Person, ref: str) -> None:
        """Forgets who a person is to providers, for when somebody else has their place there.

        Raises:
            NotFound: there is no such person. PermissionDenied.
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            user = await people.by_ref(session, ref.strip().lower() if "@" in ref else ref)
            if user is None:
                raise NotFound("There is no such person.", param="user")
            issuers = await store.forget_person(session, user.id)
            record(session, actor, "sso.unlink", user.id, before={"issuers": issuers})
