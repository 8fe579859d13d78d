"""The SQL of sign-ins that wait for a second factor, and of what passkeys are to sign."""

from sqlalchemy import delete, select
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import HeldSignIn, PasskeyChallenge, User


def add(session: AsyncSession, row: HeldSignIn) -> None:
    session.add(row)


async def person_of(session: AsyncSession, id_hash: str, now_us: int) -> User | None:
    """Whose sign-in waits under this name; None: nobody's any more."""
    query = (
        select(User)
        .join(HeldSignIn, col(HeldSignIn.user_id) == col(User.id))
        .where(
            col(HeldSignIn.id_hash) == id_hash, col(HeldSignIn.expires_us) > now_us, col(User.is_disabled).is_(False)
        )
    )
    return await session.scalar(query)


async def take(session: AsyncSession, id_hash: str, now_us: int) -> str | None:
    """Ends the wait; the person's id for the one who did, None for everybody after."""
    query = (
        delete(HeldSignIn)
        .where(col(HeldSignIn.id_hash) == id_hash, col(HeldSignIn.expires_us) > now_us)
        .returning(col(HeldSignIn.user_id))
    )
    found: str | None = await session.scalar(query)
    return found


async def delete_of(session: AsyncSession, user_id: str) -> None:
    """Ends all that waits for this person."""
    await session.execute(delete(HeldSignIn).where(col(HeldSignIn.user_id) == user_id))


async def put_challenge(session: AsyncSession, row: PasskeyChallenge) -> None:
    """A browser has one challenge at a time: the newest."""
    await session.execute(delete(PasskeyChallenge).where(col(PasskeyChallenge.holder) == row.holder))
    session.add(row)
    await session.flush()


async def take_challenge(session: AsyncSession, holder: str, purpose: str, now_us: int) -> bytes | None:
    """The challenge of this browser, used up by this; None: there is none, or it is for something else."""
    query = (
        delete(PasskeyChallenge)
        .where(
            col(PasskeyChallenge.holder) == holder,
            col(PasskeyChallenge.purpose) == purpose,
            col(PasskeyChallenge.expires_us) > now_us,
        )
        .returning(col(PasskeyChallenge.challenge))
    )
    found: bytes | None = await session.scalar(query)
    return found


async def delete_expired(session: AsyncSession, now_us: int) -> None:
    await session.execute(delete(HeldSignIn).where(col(HeldSignIn.expires_us) <= now_us))
    await session.execute(delete(PasskeyChallenge).where(col(PasskeyChallenge.expires_us) <= now_us))
