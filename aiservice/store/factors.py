"""The SQL of second factors. What may happen once is one statement here: of two who try at once, one is told no."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import Passkey, RecoveryCode, SignInRule, Totp, User

_RULE = 1


async def lock_person(session: AsyncSession, user_id: str) -> User | None:
    """The person as they are now; nobody else changes them or their factors before the unit of work ends."""
    query = select(User).where(col(User.id) == user_id).with_for_update().execution_options(populate_existing=True)
    return await session.scalar(query)


async def confirmed_totp(session: AsyncSession, user_id: str) -> Totp | None:
    """The person's authenticator app; None where a code has proved none."""
    query = select(Totp).where(col(Totp.user_id) == user_id, col(Totp.confirmed_us).is_not(None))
    return await session.scalar(query.order_by(col(Totp.confirmed_us).desc()).limit(1))


async def pending_totp(session: AsyncSession, user_id: str, since_us: int) -> Totp | None:
    """The app that is being set up since then or later."""
    query = select(Totp).where(
        col(Totp.user_id) == user_id, col(Totp.confirmed_us).is_(None), col(Totp.created_us) > since_us
    )
    return await session.scalar(query.order_by(col(Totp.created_us).desc()).limit(1))


async def delete_totp(session: AsyncSession, user_id: str, *, are_pending_only: bool = False) -> list[str]:
    """Deletes the person's apps (or those that nothing proved yet); their ids."""
    query = delete(Totp).where(col(Totp.user_id) == user_id)
    if are_pending_only:
        query = query.where(col(Totp.confirmed_us).is_(None))
    return list((await session.execute(query.returning(col(Totp.id)))).scalars())


async def stale_totp(session: AsyncSession, before_us: int) -> Sequence[Totp]:
    """Apps whose set-up was left unfinished before that."""
    query = select(Totp).where(col(Totp.confirmed_us).is_(None), col(Totp.created_us) < before_us)
    return (await session.scalars(query)).all()


async def use_step(session: AsyncSession, totp_id: str, step: int) -> bool:
    """Uses up a step of an app; False when it, or a later one, was used before."""
    query = update(Totp).where(col(Totp.id) == totp_id, col(Totp.last_step) < step).values(last_step=step)
    return (await session.execute(query.returning(col(Totp.id)))).first() is not None


async def passkeys(session: AsyncSession, user_id: str) -> Sequence[Passkey]:
    """The person's passkeys, oldest first."""
    query = select(Passkey).where(col(Passkey.user_id) == user_id).order_by(col(Passkey.created_us), col(Passkey.id))
    return (await session.scalars(query)).all()


async def passkey_of(session: AsyncSession, credential_id: str) -> Passkey | None:
    """The passkey with this id, whoever's it is; locked, since its counter is about to move."""
    query = select(Passkey).where(col(Passkey.credential_id) == credential_id).with_for_update()
    return await session.scalar(query.execution_options(populate_existing=True))


async def rename_passkey(session: AsyncSession, user_id: str, passkey_id: str, name: str) -> str | None:
    """Gives the person's passkey another name; the one before, None when there is no such passkey."""
    owned = col(Passkey.id) == passkey_id, col(Passkey.user_id) == user_id
    before = await session.scalar(select(col(Passkey.name)).where(*owned))
    if before is not None:
        await session.execute(update(Passkey).where(*owned).values(name=name))
    return before


async def delete_passkeys(session: AsyncSession, user_id: str, passkey_id: str | None = None) -> list[str]:
    """Deletes one passkey of the person, or all; their names."""
    query = delete(Passkey).where(col(Passkey.user_id) == user_id)
    if passkey_id is not None:
        query = query.where(col(Passkey.id) == passkey_id)
    return list((await session.execute(query.returning(col(Passkey.name)))).scalars())


async def unused_codes(session: AsyncSession, user_id: str) -> int:
    """How many recovery codes the person has left."""
    query = select(func.count()).where(col(RecoveryCode.user_id) == user_id, col(RecoveryCode.used_us).is_(None))
    return await session.scalar(query) or 0


async def replace_codes(session: AsyncSession, user_id: str, hashes: Sequence[str], now_us: int) -> None:
    """The person's recovery codes are these and no others."""
    await session.execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    session.add_all([RecoveryCode(user_id=user_id, code_hash=each, created_us=now_us) for each in hashes])


async def use_code(session: AsyncSession, user_id: str, code_hash: str, now_us: int) -> bool:
    """Uses up a recovery code; False when there is none, or it was used."""
    query = (
        update(RecoveryCode)
        .where(
            col(RecoveryCode.user_id) == user_id,
            col(RecoveryCode.code_hash) == code_hash,
            col(RecoveryCode.used_us).is_(None),
        )
        .values(used_us=now_us)
        .returning(col(RecoveryCode.id))
    )
    return (await session.execute(query)).first() is not None


async def people_with_factor(session: AsyncSession) -> set[str]:
    """The ids of everybody whose password alone is not enough."""
    apps = select(col(Totp.user_id)).where(col(Totp.confirmed_us).is_not(None))
    return set(await session.scalars(apps.union(select(col(Passkey.user_id)))))


async def rule(session: AsyncSession) -> str:
    """Of whom a second factor is asked; "nobody" until an admin said otherwise."""
    found = await session.get(SignInRule, _RULE, populate_existing=True)
    return "nobody" if found is None else found.second_factor


async def set_rule(session: AsyncSession, second_factor: str) -> None:
    await session.merge(SignInRule(id=_RULE, second_factor=second_factor))
    await session.flush()
