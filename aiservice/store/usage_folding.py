"""SQL that folds the roll-ups: minutes into hours, hours into days once these are over, and of both what is read by few
values (models, clients) or ranks keys.

One process folds at a time. An hour that changed has a mark; a day that is over and was never folded is found by what
is not in `usage_model_day` yet.
"""

from typing import Any

from sqlalchemy import delete, func, select, text
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US, now_us
from aiservice.store.ledger import ROLLUP_KEY, SUMMED
from aiservice.store.session import AsyncSession
from aiservice.tables import (
    RollupDirty,
    UsageClientDay,
    UsageClientHour,
    UsageClientModelDay,
    UsageDay,
    UsageHour,
    UsageModelDay,
    UsageModelHour,
    UsageSpan,
)

HOURS_AT_ONCE = 24  # hours a transaction, so that the writer is never held for long
SPAN_US = 32 * DAY_US
_ADVISORY_LOCK = 0x6169_726F  # any constant that nothing else in the database uses
_MOST_DAYS = 40  # that are looked at for never having been folded
_BY_MODEL = ("task", "provider", "model")
_SPAN: Any = UsageSpan.__table__  # type: ignore[attr-defined]
_OF_KEY = ("client_id", "key_id")
RANKED = tuple(column.name for column in _SPAN.columns if not column.primary_key)


def _fold(coarse: str, fine: str, key: tuple[str, ...]) -> Any:
    sums = ", ".join(f"SUM({name})" for name in SUMMED)
    return text(
        f"INSERT INTO {coarse} (start_us, {', '.join((*key, *SUMMED))}) "  # noqa: S608 - names of our own tables
        f"SELECT CAST(:start AS BIGINT), {', '.join(key)}, {sums} FROM {fine} "
        # In the order of clients: what one of them used in a day is read from a few pages side by side.
        f"WHERE start_us >= :start AND start_us < :end GROUP BY {', '.join(key)} ORDER BY {', '.join(key)}"
    )


def _add_to_span(sign: str) -> Any:
    sums = ", ".join(f"{sign}SUM({name})" for name in RANKED)
    added = ", ".join(f"{name} = usage_span.{name} + excluded.{name}" for name in RANKED)
    return text(
        f"INSERT INTO usage_span (start_us, {', '.join((*_OF_KEY, *RANKED))}) "  # noqa: S608 - as above
        f"SELECT CAST(:span AS BIGINT), {', '.join(_OF_KEY)}, {sums} FROM usage_day WHERE start_us = :day "
        f"GROUP BY {', '.join(_OF_KEY)} ON CONFLICT (start_us, {', '.join(_OF_KEY)}) DO UPDATE SET {added}"
    )


_FOLD_HOUR = _fold("usage_hour", "usage_minute", ROLLUP_KEY[1:])
_FOLD_DAY = _fold("usage_day", "usage_hour", ROLLUP_KEY[1:])
# What is read by few values: each table, and how it is made of the roll-up of its grain.
_FEW_HOURS = (
    (UsageModelHour, _fold("usage_model_hour", "usage_hour", _BY_MODEL)),
    (UsageClientHour, _fold("usage_client_hour", "usage_hour", ("client_id",))),
)
_FEW_DAYS = (
    (UsageModelDay, _fold("usage_model_day", "usage_day", _BY_MODEL)),
    (UsageClientDay, _fold("usage_client_day", "usage_day", ("client_id",))),
    (UsageClientModelDay, _fold("usage_client_model_day", "usage_day", ("client_id", *_BY_MODEL))),
)
_INTO_SPAN, _OUT_OF_SPAN = _add_to_span(""), _add_to_span("-")


async def fold_dirty_hours(session: AsyncSession) -> int:
    """Recomputes up to a day's worth of the hours that changed, and days that are over; returns how many hours.

    The marks go first: whoever adds minutes to such an hour while we fold waits for us and marks it again.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    oldest = select(col(RollupDirty.start_us)).order_by(col(RollupDirty.start_us)).limit(HOURS_AT_ONCE)
    marks = delete(RollupDirty).where(col(RollupDirty.start_us).in_(oldest)).returning(col(RollupDirty.start_us))
    hours = sorted((await session.execute(marks)).scalars())
    for hour in hours:
        await session.execute(delete(UsageHour).where(col(UsageHour.start_us) == hour))
        await session.execute(_FOLD_HOUR, {"start": hour, "end": hour + HOUR_US})
        await _fold_few(session, _FEW_HOURS, hour, HOUR_US)
    today = _today()
    changed = {hour // DAY_US * DAY_US for hour in hours}
    for day in sorted(day for day in changed | set(await unfolded_days(session)) if day < today):
        await _fold_day(session, day)
    return len(hours)


async def marked_hours(session: AsyncSession) -> list[int]:
    """Hours whose minutes have not been folded yet."""
    return list((await session.execute(select(col(RollupDirty.start_us)))).scalars())


async def unfolded_days(session: AsyncSession) -> list[int]:
    """Days up to today, today included, of which there is nothing in the days."""
    last = await session.scalar(select(func.max(col(UsageModelDay.start_us))))
    if last is None:
        first = await session.scalar(select(func.min(col(UsageHour.start_us))))
        last = None if first is None else first // DAY_US * DAY_US - DAY_US
    today = _today()
    begin = today if last is None else max(last + DAY_US, today - _MOST_DAYS * DAY_US)
    return list(range(begin, today + DAY_US, DAY_US))


async def dirty_hours(session: AsyncSession) -> list[int]:
    """Hours that neither hours nor days may be asked for: those that are not folded yet, and the first of each day that
    is not, so that its day is left alone."""
    return sorted({*(await marked_hours(session)), *(await unfolded_days(session))})


async def days_to_fold(session: AsyncSession) -> bool:
    """Whether a day is over that has hours and is not folded."""
    over = [day for day in await unfolded_days(session) if day < _today()]
    if not over:
        return False
    hours = select(col(UsageHour.start_us)).where(col(UsageHour.start_us) >= over[0])
    return await session.scalar(hours.where(col(UsageHour.start_us) < over[-1] + DAY_US).limit(1)) is not None


async def few_to_fold(session: AsyncSession, since_us: int) -> list[tuple[int, int]]:
    """(start, width) of the hours and days since then that are over and have been folded."""
    hours = range(since_us // HOUR_US * HOUR_US, now_us() // HOUR_US * HOUR_US, HOUR_US)
    last = await session.scalar(select(func.max(col(UsageModelDay.start_us)))) or 0
    days = range(since_us // DAY_US * DAY_US, min(_today(), last + DAY_US), DAY_US)
    return [*((hour, HOUR_US) for hour in hours), *((day, DAY_US) for day in days)]


async def fold_few_again(session: AsyncSession, start_us: int, width_us: int) -> None:
    """Makes what is read by few values anew, for one hour or day: a node of the release before folds the others
    alone."""
    await _fold_few(session, _FEW_HOURS if width_us == HOUR_US else _FEW_DAYS, start_us, width_us)


async def _fold_few(session: AsyncSession, tables: Any, start_us: int, width_us: int) -> None:
    for table, fold in tables:
        await session.execute(delete(table).where(col(table.start_us) == start_us))
        await session.execute(fold, {"start": start_us, "end": start_us + width_us})


async def _fold_day(session: AsyncSession, day: int) -> None:
    span = {"span": day // SPAN_US * SPAN_US, "day": day}
    await session.execute(_OUT_OF_SPAN, span)
    await session.execute(delete(UsageDay).where(col(UsageDay.start_us) == day))
    await session.execute(_FOLD_DAY, {"start": day, "end": day + DAY_US})
    await session.execute(_INTO_SPAN, span)
    await _fold_few(session, _FEW_DAYS, day, DAY_US)


def _today() -> int:
    return now_us() // DAY_US * DAY_US
