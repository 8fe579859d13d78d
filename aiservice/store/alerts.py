"""SQL of alerts."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, case, null, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import AlertEvent

BEGINNING, END = 1, 2  # what `to_tell` says


async def begin_or_count(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Opens an alert, or counts what `values` say in the one that is open under their `open_key`.

    Newer words and evidence replace the older. Where it has become worse, it is told anew and nobody has acknowledged
    that yet.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement: Any = dialect.insert(AlertEvent).values(to_tell=BEGINNING, **values)
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


async def end_silent(session: AsyncSession, at_us: int) -> int:
    """Resolves the alerts that were to end unless they were said again; how many those were."""
    is_over = (col(AlertEvent.open_key).is_not(None), col(AlertEvent.ends_us) <= at_us)
    return len((await session.execute(_ended(at_us, "").where(*is_over).returning(col(AlertEvent.id)))).all())


def _ended(at_us: int, by: str) -> Any:
    """What nobody was told of needs no all-clear either."""
    untold = col(AlertEvent.to_tell) == BEGINNING
    values = {"open_key": None, "resolved_us": at_us, "resolved_by": by, "to_tell": case((untold, 0), else_=END)}
    return update(AlertEvent).values(values).execution_options(synchronize_session=False)
