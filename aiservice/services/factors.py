"""Second factors of people who are signed in: their own, and what admins may do about everybody's.

Whatever changes a factor asks for the password (or a factor) again within five minutes (`step_up.py`), is an entry of
the audit log, and is told to its person by mail where there is a mail server.
"""

from dataclasses import dataclass
from typing import Any

from aiservice.errors import Conflict, NotFound, PermissionDenied
from aiservice.kit.passkeys import Site
from aiservice.principal import Person, Role
from aiservice.services.audit_entry import record
from aiservice.services.factor_making import AppSetUp, FactorMaking, clean_passkey_name
from aiservice.services.factor_proofs import FactorProofs, refusal
from aiservice.services.factor_rule import Rule, checked_rule, is_asked_of
from aiservice.services.mailing import PersonMail
from aiservice.services.rights import needs
from aiservice.services.sessions import Sessions
from aiservice.services.step_up import require_password_said
from aiservice.store import factors as store
from aiservice.store import people
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import User


@dataclass(slots=True, frozen=True)
class PasskeyView:
    """A passkey as its owner sees it. Times are µs UTC; `regressed_us`: when its counter went back, if ever."""

    id: str
    name: str
    rp_id: str
    is_synced: bool
    created_us: int
    last_used_us: int | None
    regressed_us: int | None


@dataclass(slots=True, frozen=True)
class FactorsView:
    """What a person has. `app_since_us` None: no authenticator app. `is_asked_for`: a rule wants one of them."""

    app_since_us: int | None
    passkeys: tuple[PasskeyView, ...]
    codes_left: int
    is_asked_for: bool


class Factors:
    """Every method takes the `actor` first, and names its action in the table of rights."""

    def __init__(
        self, db: Database, making: FactorMaking, proofs: FactorProofs, sessions: Sessions, mail: PersonMail
    ) -> None:
        self._db = db
        self._making = making
        self._proofs = proofs
        self._sessions = sessions
        self._mail = mail

    @needs("factor.list")
    async def of(self, actor: Person) -> FactorsView:
        """The actor's own."""
        async with self._db.read() as session:
            app = await store.confirmed_totp(session, actor.user_id)
            keys = await store.passkeys(session, actor.user_id)
            views = tuple(
                PasskeyView(k.id, k.name, k.rp_id, k.is_synced, k.created_us, k.last_used_us, k.regressed_us)
                for k in keys
            )
            codes = await store.unused_codes(session, actor.user_id)
            is_asked_for = is_asked_of(await store.rule(session), actor.role)
        return FactorsView(app.confirmed_us if app else None, views, codes, is_asked_for)

    @needs("factor.change")
    async def begin_app(self, actor: Person) -> AppSetUp:
        """A secret for an authenticator app. Raises: PermissionDenied (`step_up_required`); Overloaded: sealed."""
        async with self._db.write() as session:
            return await self._making.begin_app(session, await self._changing(session, actor))

    @needs("factor.change")
    async def prove_app(self, actor: Person, code: str) -> list[str]:
        """Makes the app count; recovery codes to be shown now, if the person had none.

        Raises:
            InvalidRequest: the code is not right (`wrong_factor`), or the set-up took too long (`set_up_expired`).
        """
        async with self._db.write() as session:
            user = await self._changing(session, actor)
            codes = await self._making.prove_app(session, actor, code)
        if codes is None:
            raise refusal()
        self._mail.tell_of_new_factor(user.email, "an authenticator app")
        return codes

    @needs("factor.change")
    async def remove_app(self, actor: Person) -> None:
        """Takes the authenticator app away. Raises: Conflict: a rule asks for it (`factor_required`); NotFound."""
        async with self._db.write() as session:
            user = await self._changing(session, actor)
            if not await self._making.take_app(session, user.id):
                raise NotFound("There is no authenticator app.")
            await self._after_removal(session, actor)
            record(session, actor, "factor.remove", user.id, before={"kind": "app"})
        self._tell_removed(user, "the authenticator app")

    @needs("factor.change")
    async def begin_passkey(self, actor: Person, site: Site) -> dict[str, Any]:
        """What the browser is to make a passkey with. Raises: PermissionDenied (`step_up_required`); Conflict."""
        async with self._db.write() as session:
            user = await self._changing(session, actor)
            return await self._making.begin_passkey(session, user, actor.session_hash, site)

    @needs("factor.change")
    async def add_passkey(self, actor: Person, name: str, credential: str, site: Site) -> list[str]:
        """Keeps the passkey that the browser made; recovery codes as `prove_app`.

        Raises:
            InvalidRequest: it proves nothing (`wrong_factor`), or took too long (`passkey_expired`).
            Unprocessable: no possible name. Conflict.
        """
        clean_passkey_name(name)  # before the challenge is used up
        async with self._db.write() as session:
            await self._changing(session, actor)
            challenge = await self._proofs.take_challenge(session, actor.session_hash, "make")
        async with self._db.write() as session:
            user = await self._changing(session, actor)
            codes = await self._making.add_passkey(session, actor, challenge, (name, credential), site)
        self._mail.tell_of_new_factor(user.email, f"a passkey named '{clean_passkey_name(name)}'")
        return codes

    @needs("factor.change")
    async def rename_passkey(self, actor: Person, passkey_id: str, name: str) -> None:
        """Another name for one of the actor's passkeys. Raises: NotFound; Unprocessable."""
        name = clean_passkey_name(name)
        async with self._db.write() as session:
            before = await store.rename_passkey(session, actor.user_id, passkey_id, name)
            if before is None:
                raise _no_such_passkey()
            record(session, actor, "factor.rename", passkey_id, before={"name": before}, after={"name": name})

    @needs("factor.change")
    async def remove_passkey(self, actor: Person, passkey_id: str) -> None:
        """Takes one of the actor's passkeys away. Raises: NotFound; Conflict (`factor_required`)."""
        async with self._db.write() as session:
            user = await self._changing(session, actor)
            names = await store.delete_passkeys(session, user.id, passkey_id)
            if not names:
                raise _no_such_passkey()
            await self._after_removal(session, actor)
            record(session, actor, "factor.remove", user.id, before={"kind": "passkey", "name": names[0]})
        self._tell_removed(user, f"the passkey '{names[0]}'")

    @needs("factor.change")
    async def new_recovery_codes(self, actor: Person) -> list[str]:
        """Ten new codes; the ones before are worth nothing. Raises: Conflict: there is no factor yet (`no_factor`)."""
        async with self._db.write() as session:
            user = await self._changing(session, actor)
            if not (await self._proofs.standing(session, user.id)).has_factor:
                raise Conflict("Set up an authenticator app or a passkey first.", code="no_factor")
            return await self._making.new_codes(session, actor)

    # What admins do

    @needs("factor.reset")
    async def reset(self, actor: Person, ref: str) -> None:
        """Takes every factor of a person away and ends their sessions: they sign in with the password alone, or are
        led to make a new one.

        Raises:
            PermissionDenied: the actor is no admin (also `step_up_required`). NotFound.
        """
        async with self._db.write() as session:
            await require_password_said(session, actor)
            found = await people.by_ref(session, ref.strip().lower() if "@" in ref else ref)
            user = None if found is None else await store.lock_person(session, found.id)
            if user is None:
                raise NotFound("There is no such person.", param="user")
            taken = await self._making.take_all(session, user.id)
            await self._sessions.end_all(session, user.id)
            record(session, actor, "factor.reset", user.id, before=taken)
        self._sessions.forget(user.id)
        self._mail.tell(
            user.email,
            "your second factors were reset",
            "An admin took away every second factor of your account at aiservice. Your sessions have ended.",
        )

    @needs("sign_in.get_rule")
    async def rule(self, actor: Person) -> Rule:
        """Of whom a second factor is asked. Raises: PermissionDenied."""
        async with self._db.read() as session:
            return checked_rule(await store.rule(session))

    @needs("sign_in.rule")
    async def set_rule(self, actor: Person, rule: str) -> None:
        """Asks for a second factor from the next sign-in on; sessions there are go on to their end.

        Raises:
            PermissionDenied (also `step_up_required`). Unprocessable: there is no such rule.
        """
        wanted = checked_rule(rule)
        async with self._db.write() as session:
            await require_password_said(session, actor)
            before = await store.rule(session)
            if before != wanted:
                await store.set_rule(session, wanted)
                told = {"second_factor": before}, {"second_factor": wanted}
                record(session, actor, "sign_in.rule", "second_factor", before=told[0], after=told[1])

    @needs("sign_in.get_rule")
    async def without_factor(self, actor: Person) -> list[str]:
        """The addresses of those who may sign in with a password alone, by name. Raises: PermissionDenied."""
        async with self._db.read() as session:
            having = await store.people_with_factor(session)
            everybody = await people.all_with_last_seen(session)
        return sorted(user.email for user, _ in everybody if user.id not in having and not user.is_disabled)

    async def _changing(self, session: AsyncSession, actor: Person) -> User:
        """The actor's row, locked, once they have said their password (or a factor) in this browser."""
        user = await store.lock_person(session, actor.user_id)
        if user is None or not actor.session_hash:
            raise PermissionDenied("Factors are changed by their person, in the portal.", code="not_a_person")
        await require_password_said(session, actor)
        return user

    async def _after_removal(self, session: AsyncSession, actor: Person) -> None:
        if (await self._proofs.standing(session, actor.user_id)).has_factor:
            return
        if is_asked_of(await store.rule(session), Role(actor.role)):
            raise Conflict(
                "An admin asks for a second factor, and this is your last one. Add another first.",
                code="factor_required",
            )
        await store.replace_codes(session, actor.user_id, [], 0)  # which stand in for a factor, and there is none

    def _tell_removed(self, user: User, what: str) -> None:
        self._mail.tell(user.email, "a second factor was removed", f"Your account at aiservice lost {what}.")


def _no_such_passkey() -> NotFound:
    return NotFound("There is no such passkey.")
