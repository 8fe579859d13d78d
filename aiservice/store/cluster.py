"""SQL of who serves on this database, and of leases."""

from collections.abc import Collection

from sqlalchemy import and_, case, delete, func, or_, select, text, update
from sqlmodel import col

from aiservice.kit.clock import now_us
from aiservice.store.session import AsyncSession
from aiservice.tables import Lease, Worker

_ADVISORY_LOCK = 0x6E6F_6465  # any constant that nothing else in the database uses
_INSERT = text(
    "INSERT INTO lease (name, holder, fence, until_us) VALUES (:name, '', 0, 0) ON CONFLICT (name) DO NOTHING"
)
_CLOCK = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


async def take_turn(session: AsyncSession) -> None:
    """From here to the end of the unit of work nobody else joins: SQLite's writers already stand in line."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


async def clock_us(session: AsyncSession) -> int:
    """Microseconds UTC by the database's clock; on SQLite that is the machine's own."""
    if session.get_bind().dialect.name != "postgresql":
        return now_us()
    at_us: int = (await session.execute(_CLOCK)).scalar_one()
    return at_us


async def workers(session: AsyncSession) -> list[Worker]:
    """Every worker that has not left, the dead among them."""
    return list(await session.scalars(select(Worker).order_by(col(Worker.started_us))))


def add_worker(session: AsyncSession, worker: Worker) -> None:
    session.add(worker)


async def remove_workers(session: AsyncSession, ids: Collection[str]) -> None:
    """Removes workers and ends what they held."""
    await session.execute(delete(Worker).where(col(Worker.id).in_(ids)))
    await session.execute(update(Lease).where(col(Lease.holder).in_(ids)).values(until_us=0))


async def beat(session: AsyncSession, worker_id: str, at_us: int) -> bool:
    """Notes that a worker is alive; False when it has been removed meanwhile."""
    done = update(Worker).where(col(Worker.id) == worker_id).values(beat_us=at_us).returning(col(Worker.id))
    return (await session.execute(done)).first() is not None


async def count_since(session: AsyncSession, at_us: int) -> int:
    """Workers that have beaten since `at_us`."""
    return (await session.scalar(select(func.count()).where(col(Worker.beat_us) >= at_us))) or 0


async def lease(session: AsyncSession, name: str) -> Lease | None:
    """A lease as it is, held or not."""
    return await session.get(Lease, name)


async def claim(session: AsyncSession, name: str, holder: str, now: int, until_us: int) -> int | None:
    """Takes or renews a lease; its fence, or None while somebody else holds it. Whoever had lost it gets a higher
    fence, the same holder included."""
    await session.execute(_INSERT, {"name": name})
    is_held = and_(col(Lease.holder) == holder, col(Lease.until_us) > now)
    taken = (
        update(Lease)
        .where(col(Lease.name) == name, or_(is_held, col(Lease.until_us) <= now))
        .values(holder=holder, until_us=until_us, fence=col(Lease.fence) + case((is_held, 0), else_=1))
        .returning(col(Lease.fence))
        .execution_options(synchronize_session=False)
    )
    row = (await session.execute(taken)).first()
    return None if row is None else int(row[0])


async def confirm(session: AsyncSession, name: str, holder: str, fence: int) -> bool:
    """Whether the lease is still the holder's, under this fence; nobody can take it before the unit of work ends."""
    held = (
        update(Lease)
        .where(col(Lease.name) == name, col(Lease.holder) == holder, col(Lease.fence) == fence)
        .values(fence=fence)
        .returning(col(Lease.name))
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(held)).first() is not None


async def release(session: AsyncSession, name: str, holder: str, fence: int) -> None:
    """Gives a lease back, if it is still the holder's."""
    mine = (col(Lease.name) == name, col(Lease.holder) == holder, col(Lease.fence) == fence)
    await session.execute(update(Lease).where(*mine).values(until_us=0).execution_options(synchronize_session=False))
