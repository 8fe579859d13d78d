"""SQL of the vault: sealed secrets and the versions of the master key."""

import contextlib

from sqlalchemy import delete, exists, func, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import KeySecret, MasterKeyVersion, SealedSecret

RowName = tuple[str, str]  # (purpose, row_id)
_name_columns = (col(SealedSecret.purpose), col(SealedSecret.row_id))
_row_name = tuple_(*_name_columns)


async def versions(session: AsyncSession) -> list[MasterKeyVersion]:
    """Every version of the master key, oldest first, as the database has them now."""
    query = select(MasterKeyVersion).order_by(col(MasterKeyVersion.version)).execution_options(populate_existing=True)
    return list(await session.scalars(query))


async def active_version(session: AsyncSession) -> int | None:
    """The version that new secrets are wrapped under. It cannot change before the caller's unit of work ends."""
    query = select(col(MasterKeyVersion.version)).where(col(MasterKeyVersion.is_active))
    return await session.scalar(query.with_for_update(read=True))


async def has_dependants(session: AsyncSession) -> bool:
    """Whether anything in the database needs a master key that is not known here."""
    return bool(await session.scalar(select(exists(select(SealedSecret)) | exists(select(KeySecret)))))


async def get(session: AsyncSession, purpose: str, row_id: str) -> SealedSecret | None:
    """One envelope, as the database has it now."""
    return await session.get(SealedSecret, (purpose, row_id), populate_existing=True)


async def put(session: AsyncSession, row: SealedSecret) -> None:
    """Adds an envelope or replaces the one of its name."""
    await session.merge(row)
    await session.flush()


async def remove(session: AsyncSession, purpose: str, row_id: str) -> None:
    """Deletes an envelope; nothing happens where there is none."""
    await session.execute(
        delete(SealedSecret).where(col(SealedSecret.purpose) == purpose, col(SealedSecret.row_id) == row_id)
    )


async def batch_not_under(session: AsyncSession, version: int, after: RowName, limit: int) -> list[SealedSecret]:
    """Up to `limit` envelopes of any other version than `version`, by name, from behind `after`."""
    query = (
        select(SealedSecret).where(col(SealedSecret.kek_version) != version, _row_name > after).order_by(*_name_columns)
    )
    return list(await session.scalars(query.limit(limit)))


async def count_not_under(session: AsyncSession, version: int) -> int:
    """How many envelopes a rotation to `version` has still to move."""
    query = select(func.count()).select_from(SealedSecret).where(col(SealedSecret.kek_version) != version)
    return await session.scalar(query) or 0


async def move(session: AsyncSession, row: SealedSecret, version: int, wrapped_dek: bytes) -> bool:
    """Puts the envelope `row` under `version`, unless somebody has replaced it since it was read."""
    moved = await session.execute(
        update(SealedSecret)
        .where(
            col(SealedSecret.purpose) == row.purpose,
            col(SealedSecret.row_id) == row.row_id,
            col(SealedSecret.revision) == row.revision,
            col(SealedSecret.kek_version) == row.kek_version,
            col(SealedSecret.wrapped_dek) == row.wrapped_dek,
        )
        .values(kek_version=version, wrapped_dek=wrapped_dek)
        .returning(col(SealedSecret.row_id))
        .execution_options(synchronize_session=False)
    )
    return moved.first() is not None


async def sample(session: AsyncSession, after: RowName, limit: int) -> list[SealedSecret]:
    """Up to `limit` envelopes by name, from behind `after`."""
    query = select(SealedSecret).where(_row_name > after).order_by(*_name_columns)
    return list(await session.scalars(query.limit(limit)))


async def add_version(session: AsyncSession, row: MasterKeyVersion) -> None:
    """Adds a version of the master key; where another process was faster, its row stays."""
    with contextlib.suppress(IntegrityError):
        async with session.begin_nested():
            session.add(row)
