"""Bodies that share a commit: each is told the truth of its own, whatever becomes of the others."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from aiservice.services.bodies_together import BodiesTogether
from aiservice.store import units
from aiservice.store.bodies import PURPOSE, NewBody
from aiservice.store.session import DATABASE_ERRORS, Database
from aiservice.tables import SealedSecret


@pytest.fixture
async def together(db: Database) -> BodiesTogether:
    async with db.write() as session:
        for client_id in ("cli_1", "cli_gone"):  # of the second no row may be kept: it is no client any more
            key: dict[str, Any] = {"kek_version": 1, "wrapped_dek": b"", "sealed": b"", "bound": b"", "created_us": 1}
            session.add(SealedSecret(purpose=PURPOSE, row_id=client_id, revision=7, **key))
    return BodiesTogether(db, 30.0)


def _row(name: str, *, client_id: str = "cli_1", revision: int = 7, sealed: bytes = b"sealed") -> NewBody:
    return NewBody(client_id, "response", name, revision, sealed, 1, 2)


async def _names(db: Database) -> list[str]:
    async with db.read() as session:
        return [row[0] for row in await session.execute(text("SELECT id FROM sealed_body ORDER BY id"))]


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with every unit of work."""
    write, seen = units.write, list[int]()

    async def counted(db: Database, unit: Callable[..., Any]) -> Any:
        seen.append(1)
        return await write(db, unit)

    monkeypatch.setattr(units, "write", counted)
    return seen


async def test_what_comes_while_one_is_written_is_written_in_one_more(
    together: BodiesTogether, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = _counted(monkeypatch)
    first = asyncio.create_task(together.write([_row("0")]))
    while not writes:
        await asyncio.sleep(0)
    rest = [together.write([_row(f"{number}"), _row(f"{number}-item")]) for number in range(1, 9)]
    assert await asyncio.gather(first, *rest) == [True] * 9
    assert (len(writes), len(await _names(db))) == (2, 17)


async def test_each_is_told_of_its_own(together: BodiesTogether, db: Database) -> None:
    none_such, shredded = _row("b", client_id="cli_none", revision=1), _row("c", revision=6)
    assert await asyncio.gather(*[together.write([row]) for row in (_row("a"), none_such, shredded, _row("d"))]) == [
        True,
        False,
        False,
        True,
    ]
    assert await _names(db) == ["a", "d"]


async def test_one_that_the_database_refuses_takes_no_other_with_it(together: BodiesTogether, db: Database) -> None:
    rows = (_row("a"), _row("b", client_id="cli_gone"), _row("c"))
    told = await asyncio.gather(*[together.write([row]) for row in rows], return_exceptions=True)
    assert [told[0], told[2]] == [True, True]
    assert isinstance(told[1], DATABASE_ERRORS)
    assert await _names(db) == ["a", "c"]


async def test_who_gives_up_waiting_takes_no_other_with_it(together: BodiesTogether, db: Database) -> None:
    waits = [asyncio.create_task(together.write([_row(name)])) for name in "abc"]
    await asyncio.sleep(0)
    waits[1].cancel()
    told = await asyncio.gather(waits[0], waits[2])
    assert list(told) == [True, True]
    assert {"a", "c"} <= set(await _names(db))
    assert await together.write([_row("later")])


async def test_a_name_that_is_taken_is_kept_anew(together: BodiesTogether, db: Database) -> None:
    told = [await together.write([_row("a", sealed=sealed)]) for sealed in (b"sealed", b"anew")]
    assert told == [True, True]
    async with db.read() as session:
        assert bytes(await session.scalar(text("SELECT sealed FROM sealed_body")) or b"") == b"anew"


async def test_who_waits_too_long_is_told_so_and_takes_no_other_with_it(
    db: Database, together: BodiesTogether, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database hangs, and comes back: what came first and what came later are each given up at their own time."""
    hung, write = asyncio.Event(), units.write

    async def hanging(db: Database, unit: Callable[..., Any]) -> Any:
        await hung.wait()
        return await write(db, unit)

    monkeypatch.setattr(units, "write", hanging)
    impatient = BodiesTogether(db, 0.3)
    early = asyncio.create_task(impatient.write([_row("a")]))
    await asyncio.sleep(0.2)
    late = asyncio.create_task(impatient.write([_row("b")]))
    with pytest.raises(TimeoutError):
        await early
    assert not late.done()
    with pytest.raises(TimeoutError):
        await late
    hung.set()
    impatient._seconds = 30.0
    assert await impatient.write([_row("c")])
    assert "b" not in await _names(db), "nobody waited for it any more"


async def test_many_are_kept_in_few_statements_and_of_one_name_the_last(together: BodiesTogether, db: Database) -> None:
    rows = [_row(f"{number:03}", sealed=b"%d" % number) for number in range(75)]
    assert await together.write([*rows, _row("000", sealed=b"again")])
    async with db.read() as session:
        found = (await session.execute(text("SELECT id, sealed FROM sealed_body ORDER BY id"))).all()
    assert [(name, bytes(sealed)) for name, sealed in found] == [
        ("000", b"again"),
        *[(r.id, r.sealed) for r in rows[1:]],
    ]
