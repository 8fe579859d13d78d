"""How second factors come to be and go, in the caller's unit of work. Who may ask for it is the caller's to know:
somebody signed in (`factors.py`), or somebody whose sign-in waits for their first factor (`second_step.py`).

The person's row is locked first, so that two who set up at once do not both set up the first one.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiservice.errors import Conflict, InvalidRequest, Unprocessable
from aiservice.kit import passkeys, totp
from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.passkeys import BadPasskey, Site
from aiservice.kit.qr import qr_path
from aiservice.kit.recovery_codes import new_codes, parse_recovery_code
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.factor_proofs import PURPOSE, FactorProofs, Keeps, binding_of, refusal
from aiservice.store import factors as store
from aiservice.store.session import AsyncSession
from aiservice.tables import Passkey, Totp, User

SET_UP_US = 15 * MINUTE_US
MAX_PASSKEYS = 20
MAX_NAME_CHARACTERS = 60
ISSUER = "aiservice"


@dataclass(slots=True, frozen=True)
class AppSetUp:
    """What goes into an authenticator app: the secret as text, a link and a QR code (`path` of an SVG of `size`)."""

    secret: str
    uri: str
    qr_path: str
    qr_size: int

    def __repr__(self) -> str:
        return "AppSetUp(***)"


class FactorMaking:
    """Makes and takes away factors."""

    def __init__(self, vault: Keeps, proofs: FactorProofs) -> None:
        self._vault = vault
        self._proofs = proofs

    async def begin_app(self, session: AsyncSession, user: User) -> AppSetUp:
        """A new secret, in place of one whose set-up was not finished. It counts once `prove_app` is given a code.

        Raises:
            Overloaded: the vault is sealed.
        """
        for row_id in await store.delete_totp(session, user.id, are_pending_only=True):
            await self._vault.discard(session, PURPOSE, row_id)
        secret = totp.new_secret()
        app = Totp(id=new_id("app"), user_id=user.id, created_us=now_us())
        session.add(app)
        await self._vault.seal(session, secret=Secret(secret), **binding_of(app))
        uri = totp.otpauth_uri(secret, account=user.email, issuer=ISSUER)
        code = await asyncio.to_thread(qr_path, uri)  # the first loads what draws it
        return AppSetUp(totp.base32_of(secret), uri, *code)

    async def prove_app(self, session: AsyncSession, actor: Person, code: str) -> list[str] | None:
        """Makes the app that is being set up count, in place of the one before; None where the code is not its. New
        recovery codes where the person had none, else none.

        Raises:
            InvalidRequest: nothing is being set up, or it took longer than 15 minutes (`set_up_expired`).
        """
        await store.lock_person(session, actor.user_id)
        digits = totp.parse_code(code)
        app = await store.pending_totp(session, actor.user_id, now_us() - SET_UP_US)
        if app is None:
            raise InvalidRequest(
                "The set-up took too long, or was begun anew elsewhere. Begin again.", code="set_up_expired"
            )
        if digits is None or not await self._proofs.uses_code(session, app, digits):
            return None
        before = await store.confirmed_totp(session, actor.user_id)
        if before is not None:
            await self._vault.discard(session, PURPOSE, before.id)
            await session.delete(before)
        app.confirmed_us = now_us()
        record(session, actor, "factor.add", actor.user_id, after={"kind": "app", "replaces": before is not None})
        return await self.first_codes(session, actor)

    async def begin_passkey(self, session: AsyncSession, user: User, holder: str, site: Site) -> dict[str, Any]:
        """What the browser is to make a passkey with.

        Raises:
            Conflict: the person has twenty (`too_many_passkeys`).
        """
        known = await store.passkeys(session, user.id)
        if len(known) >= MAX_PASSKEYS:
            raise Conflict("Twenty passkeys are the most. Remove one first.", code="too_many_passkeys")
        challenge = await self._proofs.challenge(session, holder, "make")
        ids = [key.credential_id for key in known if key.rp_id == site.rp_id]
        return passkeys.creation_options(site, challenge, user_id=user.id, email=user.email, known_ids=ids)

    async def add_passkey(
        self, session: AsyncSession, actor: Person, challenge: bytes, made: tuple[str, str], site: Site
    ) -> list[str]:
        """Keeps a passkey; `made` is its name and the browser's answer. Recovery codes as `prove_app`.

        Raises:
            InvalidRequest: the answer proves no passkey (`wrong_factor`). Unprocessable: no possible name.
            Conflict: it is known already, or there are too many.
        """
        name, credential = clean_passkey_name(made[0]), made[1]
        await store.lock_person(session, actor.user_id)
        try:
            new = passkeys.verify_new(credential, site, challenge)
        except BadPasskey:
            raise refusal() from None
        if await store.passkey_of(session, new.credential_id) is not None:
            raise Conflict("This passkey is known here already.", code="passkey_known")
        if len(await store.passkeys(session, actor.user_id)) >= MAX_PASSKEYS:
            raise Conflict("Twenty passkeys are the most. Remove one first.", code="too_many_passkeys")
        row = Passkey(
            id=new_id("psk"),
            user_id=actor.user_id,
            credential_id=new.credential_id,
            public_key=new.public_key,
            counter=new.counter,
            name=name,
            rp_id=site.rp_id,
            is_synced=new.is_synced,
            created_us=now_us(),
        )
        session.add(row)
        await session.flush()
        record(session, actor, "factor.add", actor.user_id, after={"kind": "passkey", "name": name, "host": site.rp_id})
        return await self.first_codes(session, actor)

    async def first_codes(self, session: AsyncSession, actor: Person) -> list[str]:
        """Recovery codes, if the person has none that work."""
        if await store.unused_codes(session, actor.user_id):
            return []
        return await self.new_codes(session, actor)

    async def new_codes(self, session: AsyncSession, actor: Person) -> list[str]:
        """Ten new recovery codes; the ones before are worth nothing."""
        codes = new_codes()
        hashes = [self._proofs.hash_of(actor.user_id, parse_recovery_code(code) or "") for code in codes]
        await store.replace_codes(session, actor.user_id, hashes, now_us())
        record(session, actor, "factor.recovery_codes", actor.user_id)
        return codes

    async def take_app(self, session: AsyncSession, user_id: str) -> bool:
        """Takes the authenticator app away; whether there was one."""
        removed = await store.delete_totp(session, user_id)
        for row_id in removed:
            await self._vault.discard(session, PURPOSE, row_id)
        return bool(removed)

    async def take_all(self, session: AsyncSession, user_id: str) -> dict[str, int]:
        """Takes every factor and recovery code away; how many there were of each."""
        taken = {"apps": int(await self.take_app(session, user_id))}
        taken["passkeys"] = len(await store.delete_passkeys(session, user_id))
        taken["recovery_codes"] = await store.unused_codes(session, user_id)
        await store.replace_codes(session, user_id, [], now_us())
        return taken

    async def purge(self, session: AsyncSession) -> None:
        """Deletes set-ups that were left unfinished an hour ago."""
        for app in await store.stale_totp(session, now_us() - 4 * SET_UP_US):
            await self._vault.discard(session, PURPOSE, app.id)
            await session.delete(app)


def clean_passkey_name(text: str) -> str:
    """Raises: Unprocessable: no name of one line with at most 60 characters (`name_invalid`)."""
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise Unprocessable(
            f"Give it a name of at most {MAX_NAME_CHARACTERS} characters.", code="name_invalid", param="name"
        )
    return name
