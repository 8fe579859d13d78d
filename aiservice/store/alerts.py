"""SQL of alerts and of mutes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, case, delete, func, null, select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.store.upserts import insert_into
from aiservice.tables import AlertDelivery, AlertEvent, AlertMute, Client

BEGINNING, END = 1, 2  # what `to_tell` says


async def begin_or_count(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Opens an alert, or counts what `values` say in the one that is open under their `open_key`.

    Newer words and evidence replace the older. Where it has become worse, it is told anew and nobody has acknowledged
    that yet.
    """
    statement: Any = insert_into(session, AlertEvent).values(to_tell=BEGINNING, **values)
    new, old = statement.excluded, AlertEvent
    is_worse = new.severity > old.severity
    merged: Insert = statement.on_conflict_do_update(
        index_elements=["open_key"],
        set_={
            "count": col(old.count) + new["count"],
            "last_us": case((new.last_us > col(old.last_us), new.last_us), else_=col(old.last_us)),
            "ends_us": new.ends_us,
            "words": new.words,
            "evidence": new.evidence,
            "worker": new.worker,
            "severity": case((is_worse, new.severity), else_=col(old.severity)),
            "to_tell": case((is_worse, BEGINNING), else_=col(old.to_tell)),
            "acknowledged_us": case((is_worse, null()), else_=col(old.acknowledged_us)),
        },
    )
    await session.execute(merged)


async def end(session: AsyncSession, open_key: str, at_us: int, by: str = "") -> None:
    """Resolves the alert that is open under this key, if there is one."""
    await session.execute(_ended(at_us, by).where(col(AlertEvent.open_key) == open_key))


async def end_of_rule(session: AsyncSession, rule_id: str, at_us: int, by: str) -> None:
    """Resolves what a rule had found."""
    is_its = (col(AlertEvent.rule_id) == rule_id, col(AlertEvent.open_key).is_not(None))
    await session.execute(_ended(at_us, by).where(*is_its))


async def has_silent(session: AsyncSession, at_us: int) -> bool:
    """Whether `end_silent` would find anything."""
    is_over = (col(AlertEvent.open_key).is_not(None), col(AlertEvent.ends_us) <= at_us)
    return (await session.scalar(select(col(AlertEvent.id)).where(*is_over).limit(1))) is not None


async def end_silent(session: AsyncSession, at_us: int) -> int:
    """Resolves the alerts that were to end unless they were said again; how many those were."""
    is_over = (col(AlertEvent.open_key).is_not(None), col(AlertEvent.ends_us) <= at_us)
    return len((await session.execute(_ended(at_us, "").where(*is_over).returning(col(AlertEvent.id)))).all())


def _ended(at_us: int, by: str) -> Any:
    values = {"open_key": None, "resolved_us": at_us, "resolved_by": by, "to_tell": END}
    return update(AlertEvent).values(values).execution_options(synchronize_session=False)


# What people look at


async def listed(
    session: AsyncSession, owner_id: str | None, *, state: str = "", first: int = 0, limit: int = 50
) -> list[tuple[AlertEvent, str | None]]:
    """Alerts with their client's name, newest first: those of an owner's clients (None: all), in one state or any."""
    query = _seen_by(select(AlertEvent, col(Client.name)), owner_id).where(*_in_state(state))
    query = query.order_by(col(AlertEvent.last_us).desc(), col(AlertEvent.id)).offset(first).limit(limit)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def count(session: AsyncSession, owner_id: str | None, state: str = "") -> int:
    """How many `listed` would give without a limit."""
    query = _seen_by(select(func.count(col(AlertEvent.id))), owner_id).where(*_in_state(state))
    return (await session.scalar(query)) or 0


async def visible(session: AsyncSession, alert_id: str, owner_id: str | None) -> AlertEvent | None:
    """An alert, if it is one of the owner's clients' (None: anybody's)."""
    found: AlertEvent | None = await session.scalar(
        _seen_by(select(AlertEvent), owner_id).where(col(AlertEvent.id) == alert_id)
    )
    return found


def _seen_by(query: Any, owner_id: str | None) -> Any:
    joined = query.select_from(AlertEvent).outerjoin(Client, col(Client.id) == col(AlertEvent.client_id))
    return joined if owner_id is None else joined.where(col(Client.owner_id) == owner_id)


def _in_state(state: str) -> list[Any]:
    is_open, is_known = col(AlertEvent.resolved_us).is_(None), col(AlertEvent.acknowledged_us).is_not(None)
    states: dict[str, list[Any]] = {
        "open": [is_open, ~is_known],
        "acknowledged": [is_open, is_known],
        "unresolved": [is_open],
        "resolved": [~is_open],
    }
    return states.get(state, [])


async def delete_before(session: AsyncSession, before_us: int) -> None:
    """Deletes what was resolved before then, and messages that ended before then."""
    await session.execute(delete(AlertEvent).where(col(AlertEvent.resolved_us) < before_us))
    await session.execute(delete(AlertDelivery).where(col(AlertDelivery.ended_us) < before_us))


async def client_name(session: AsyncSession, client_id: str) -> str | None:
    """A client's name, if it is still there."""
    name: str | None = await session.scalar(select(col(Client.name)).where(col(Client.id) == client_id))
    return name


# Mutes


async def mutes(session: AsyncSession, at_us: int) -> dict[str, AlertMute]:
    """What is muted at this moment, by target."""
    rows = await session.scalars(select(AlertMute).where(col(AlertMute.until_us) > at_us))
    return {row.target: row for row in rows}


async def mute(session: AsyncSession, target: str, until_us: int, by: str) -> None:
    """Mutes a target, or changes until when it is."""
    await session.merge(AlertMute(target=target, until_us=until_us, by=by))


async def unmute(session: AsyncSession, target: str) -> None:
    await session.execute(delete(AlertMute).where(col(AlertMute.target) == target))


async def delete_mutes_before(session: AsyncSession, at_us: int) -> None:
    """Deletes mutes that have ended."""
    await session.execute(delete(AlertMute).where(col(AlertMute.until_us) <= at_us))
