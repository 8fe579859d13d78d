"""Notes of what happened: cheap to say, written once, waiting while the database is away."""

import asyncio
import time
from collections.abc import Sequence
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from aiservice.services import alert_notes
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import AlertEvent


async def stored(database: Database) -> Sequence[AlertEvent]:
    async with database.read() as session:
        return (await session.scalars(select(AlertEvent).order_by(AlertEvent.first_us))).all()  # type: ignore[arg-type]


async def test_the_same_thing_is_one_open_alert_with_a_count(database: Database) -> None:
    one, other = AlertNotes(database, worker="wrk_1"), AlertNotes(database, worker="wrk_2")
    for notes, words in ((one, "first"), (one, "second"), (other, "third")):
        notes.note("budget_spent", "key_1", words, client_id="cli_1", evidence={"spent": 3})
        await notes.flush()
    [alert] = await stored(database)
    assert (alert.count, alert.words, alert.worker, alert.client_id) == (3, "third", "wrk_2", "cli_1")
    assert (alert.to_tell, alert.open_key, alert.evidence) == (1, "budget_spent:key_1", {"spent": 3})


async def test_what_is_said_often_between_two_writes_is_one_row(database: Database) -> None:
    notes = AlertNotes(database)
    for number in range(5_000):
        notes.note("provider_down", "con_1", f"Attempt {number} failed.")
    assert notes.waiting == 1
    await notes.flush()
    [alert] = await stored(database)
    assert (alert.count, alert.words) == (5_000, "Attempt 4999 failed.")


async def test_over_resolves_and_the_next_time_is_another_alert(database: Database) -> None:
    notes = AlertNotes(database)
    notes.note("provider_down", "con_1", "It is down.")
    notes.over("provider_down", "con_1")
    notes.note("provider_down", "con_1", "It is down again.")
    await notes.flush()
    first, second = await stored(database)
    assert first.resolved_us is not None
    assert (first.open_key, first.to_tell) == (None, 2)
    assert (second.open_key, second.words) == ("provider_down:con_1", "It is down again.")


async def test_what_becomes_worse_is_told_anew(database: Database) -> None:
    notes = AlertNotes(database)
    notes.note("budget", "key_1", "80 % is spent.")
    await notes.flush()
    async with database.write() as session:
        alert = (await session.scalars(select(AlertEvent))).one()
        alert.to_tell, alert.acknowledged_us = 0, 5
    notes.note("budget", "key_1", "81 % is spent.")
    await notes.flush()
    assert (await stored(database))[0].acknowledged_us == 5
    notes.note("budget", "key_1", "All is spent.", severity=Severity.CRITICAL)
    await notes.flush()
    [alert] = await stored(database)
    assert (alert.severity, alert.to_tell, alert.acknowledged_us) == (3, 1, None)


async def test_what_waits_is_bounded_and_what_found_no_room_is_counted(database: Database) -> None:
    notes = AlertNotes(database)
    for number in range(alert_notes.MAX_WAITING + 7):
        notes.note("flood", str(number), "One of many.")
    assert (notes.waiting, notes.dropped) == (alert_notes.MAX_WAITING, 7)
    await notes.flush()
    assert len(await stored(database)) == alert_notes.MAX_WAITING


async def test_while_the_database_is_away_they_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    notes, write, is_away = AlertNotes(database), database.write, True

    def refusing() -> object:
        if is_away:
            raise OperationalError("", {}, OSError("away"))
        return write()

    monkeypatch.setattr(database, "write", refusing)
    running = asyncio.create_task(notes.run())
    await asyncio.sleep(0)
    notes.note("a", "1", "Said while it was away.")
    await asyncio.sleep(0.1)
    notes.note("a", "1", "Said again.")
    notes.note("b", "1", "Another.")
    is_away = False
    async with asyncio.timeout(5):
        while notes.waiting:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [(row.kind, row.count) for row in await stored(database)] == [("a", 2), ("b", 1)]
    assert notes.dropped == 0


async def test_nothing_is_written_while_the_vault_is_sealed(database: Database) -> None:
    notes = AlertNotes(database, may_write=lambda: False)
    notes.note("a", "1", "Said.")
    await notes.close()
    assert (list(await stored(database)), notes.dropped) == ([], 1)


async def test_one_that_the_database_refuses_does_not_hold_up_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = AlertNotes(database)
    monkeypatch.setattr(alert_notes, "_text", lambda text, _most: None if text == "bad" else text)
    for words in ("good", "bad", "fine"):
        notes.note("a", words, words)
    await notes.flush()
    assert [row.words for row in await stored(database)] == ["good", "fine"]
    assert (notes.dropped, notes.waiting) == (1, 0)


async def test_a_command_writes_what_it_said_before_it_ends(installed: Settings) -> None:
    async with open_core(installed) as core:
        core.alerts.note("key_revoked", "key_1", "Said by a command.")
    database = Database(installed.effective_database_url)
    assert [row.words for row in await stored(database)] == ["Said by a command."]
    await database.close()


async def test_a_server_writes_what_any_thread_says(installed: Settings) -> None:
    async with open_core(installed, is_serving=True) as core:
        thread = Thread(target=core.alerts.note, args=("disk", "journal", "Said by a thread."))
        thread.start()
        async with asyncio.timeout(5):
            while not await stored(core.db):
                await asyncio.sleep(0.02)
        thread.join()
    assert core.alerts.waiting == 0


@given(
    words=st.text(max_size=700),
    subject=st.text(max_size=200),
    evidence=st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.floats(), st.binary(max_size=3))),
)
def test_note_never_fails_and_its_row_fits(words: str, subject: str, evidence: dict[str, object]) -> None:
    notes = AlertNotes(None)  # type: ignore[arg-type]
    notes.note("kind", subject, words, evidence=evidence)
    row = notes._row(notes._take()[0])
    assert len(row["words"]) <= 500
    assert len(row["subject"]) <= 120
    assert "\0" not in row["words"] + row["subject"]
    (row["words"] + row["subject"]).encode()


def test_a_note_costs_a_few_microseconds() -> None:
    notes = AlertNotes(None)  # type: ignore[arg-type]
    began = time.process_time()
    for _ in range(10_000):
        notes.note("kind", "subject", "words", evidence={"a": 1})
    assert (time.process_time() - began) / 10_000 < 100e-6
