"""What thieves, guessers and whoever reads or writes the database get out of client keys: nothing."""

import asyncio
import base64
import hashlib
import hmac
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from aiservice.errors import Overloaded, RateLimited, Unauthenticated
from aiservice.kit.keyformat import ALPHABET, checksum, mint
from aiservice.principal import Principal
from aiservice.services.key_cache import Entry, KeyCache
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.harness.clock import move_on
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, Rig, start


@contextmanager
def counted_statements(*databases: Database) -> Iterator[list[str]]:
    """Collects every SQL statement that reaches the drivers."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    # On PostgreSQL readers and writers share their connections.
    used = [db._writer for db in databases] + [db._reader for db in databases if db.is_sqlite]
    engines = [engine.sync_engine for engine in used]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    with pytest.MonkeyPatch.context() as patched:
        for at_once in (each for db in databases for each in (db._at_once, db._read_at_once) if each is not None):

            def traced(work: Callable[[sqlite3.Connection], Any], run: Any = at_once._run) -> Any:
                def watched(connection: sqlite3.Connection) -> Any:
                    connection.set_trace_callback(seen.append)
                    try:
                        return work(connection)
                    finally:
                        connection.set_trace_callback(None)

                return run(watched)

            patched.setattr(at_once, "_run", traced)
        yield seen
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.sqlite_only("it looks into the database's files")
async def test_t01_no_piece_of_a_key_is_in_the_files_of_the_database(rig: Rig, settings: Settings) -> None:
    keys = [(await rig.keys.create(ADMIN, "acme", f"k{n}")).key.reveal() for n in range(200)]
    await rig.keys.verify(keys[0].decode(), address=ADDRESS)
    await rig.keys.flush_last_used()
    files = {path.name: path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}
    assert len(files["aiservice.sqlite-wal"]) > 100_000
    content = b"\n".join(files.values())
    assert keys[7][9:21] in content  # the public id is there: the scan looks in the right place
    windows = {content[at : at + 16] for at in range(len(content) - 15)}
    for key in keys:
        secret = key[22:]
        assert key not in content
        assert windows.isdisjoint(secret[at : at + 16] for at in range(len(secret) - 15))
        assert base64.b64encode(secret[:30])[:38] not in content


async def test_t02_whoever_writes_the_database_cannot_plant_a_key(rig: Rig, database: Database) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    async with database.read() as session:
        stolen = await session.scalar(text("SELECT digest FROM key_secret"))
    known = mint()
    key = known.text.reveal()
    message = b"ais-key-v1\0" + key
    planted: list[Any] = [
        hashlib.sha256(key).digest(),
        hashlib.sha256(message).digest(),
        hmac.digest(b"", key, "sha256"),
        hmac.digest(b"", message, "sha256"),
        hmac.digest(bytes(32), message, "sha256"),
        stolen,
        b"",
        bytes(32),
    ]
    if database.is_sqlite:  # whose columns take anything
        planted += ["", hmac.digest(b"", message, "sha256").hex()]
    for number, digest in enumerate(planted):
        for version in (1, 0, 2):
            async with database.write() as session:
                await session.execute(text("DELETE FROM key_secret WHERE public_id = :id"), {"id": known.public_id})
                await session.execute(
                    text(
                        "INSERT INTO key_secret (public_id, key_id, digest, pepper_version, created_us) "
                        "VALUES (:id, :key, :digest, :version, 0)"
                    ),
                    {"id": known.public_id, "key": made.id, "digest": digest, "version": version},
                )
                rig.changes.publish(session, "key", made.id)
            await rig.changes.poll_once()
            assert await rig.refusal(key.decode(), f"198.51.{number}.{version}") == "invalid_api_key"


async def _guess(rig: Rig, database: Database, rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """The median time of a wrong guess at four kinds of key, interleaved; every answer must be the same."""
    made = [await rig.keys.create(ADMIN, "acme", f"k{n}", scopes=["chat"]) for n in range(3)]
    await rig.keys.revoke(ADMIN, made[1].id)
    async with database.write() as session:
        await session.execute(text("UPDATE client_key SET expires_us = 1 WHERE id = :id"), {"id": made[2].id})
    bodies = [mint().text.reveal_text()[:22], *(key.key.reveal_text()[:22] for key in made)]
    times: list[list[float]] = [[] for _ in bodies]
    answers = set()
    for number in range(rounds):
        for index, body in enumerate(bodies):
            guess = body + mint().text.reveal_text()[22:54]
            guess += checksum(guess)
            began = clock()
            with pytest.raises(Unauthenticated) as raised:
                await rig.keys.verify(guess, address=f"2001:db8:{number:x}:{index}::1")
            times[index].append(clock() - began)
            answers.add(str(raised.value.body("req")))
    assert len(answers) == 1
    names = ("unknown", "wrong", "revoked", "expired")
    return {name: statistics.median(taken) for name, taken in zip(names, times, strict=True)}


def _spread(medians: dict[str, float]) -> float:
    return max(medians.values()) - min(medians.values())


async def test_t03_unknown_wrong_revoked_and_expired_look_the_same_to_who_has_not_the_secret(
    rig: Rig, database: Database
) -> None:
    # Processor time: what this process does for each, whatever else the machine is doing.
    medians = await _guess(rig, database, 200, time.process_time)
    assert _spread(medians) <= max(0.0002, 0.05 * max(medians.values())), medians


@pytest.mark.long
async def test_t03_the_four_kinds_take_the_same_time_over_3000_guesses_each(rig: Rig, database: Database) -> None:
    medians = await _guess(rig, database, 3000, time.perf_counter)
    assert _spread(medians) <= max(0.0002, 0.05 * max(medians.values())), medians


SQL_PAYLOADS = [
    f"{quote}{gap}{attack}{end}"
    for quote in ("'", '"', "\\'", "%27", "ais_live_' ")
    for gap in (" ", "/**/", ") ", "; ", "\t")
    for attack in ("OR 1=1", "UNION SELECT 1", "DROP TABLE client", "AND sleep(5)")
    for end in ("--", "#")
]


async def test_t04_sql_in_a_credential_is_refused_without_a_statement(rig: Rig, database: Database) -> None:
    assert len(SQL_PAYLOADS) == 200
    good = (await rig.keys.create(ADMIN, "acme", "k")).key.reveal_text()
    with counted_statements(database) as statements:
        for payload in SQL_PAYLOADS:
            for credential in (payload, good + payload, payload + good, (good[:20] + payload + good)[:60]):
                assert rig.keys.cached(credential.encode()) is None
                assert await rig.refusal(credential) == "invalid_api_key"
    assert statements == []


_junk = st.text(max_size=80) | st.builds(
    lambda kind, start, end: f"ais_{kind}_{start}_{end}",
    st.sampled_from(["live", "test"]),
    st.text(ALPHABET + "'", min_size=12, max_size=12),
    st.text(ALPHABET + ";", min_size=38, max_size=38),
)


async def _refuses_without_a_statement(rig: Rig, junk: str) -> None:
    with counted_statements(rig.db) as statements:
        assert rig.keys.cached(junk.encode()) is None
        assert await rig.refusal(junk) == "invalid_api_key"
    assert statements == []


@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(junk=_junk)
async def test_t04_junk_of_any_form_is_refused_without_a_statement(rig: Rig, junk: str) -> None:
    await _refuses_without_a_statement(rig, junk)


@pytest.mark.long
@hypothesis_settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(junk=_junk)
async def test_t04_two_thousand_kinds_of_junk_cost_no_statement(rig: Rig, junk: str) -> None:
    await _refuses_without_a_statement(rig, junk)


async def test_t05_credentials_that_share_any_part_never_share_an_entry(rig: Rig) -> None:
    good = (await rig.keys.create(ADMIN, "acme", "k")).key.reveal()
    await rig.keys.verify(good.decode(), address=ADDRESS)
    for length in range(1, 60):
        other = mint().text.reveal()
        mixed = {good[:length], good[:length] + other[length:], other[:length] + good[length:]}
        for credential in mixed - {good}:  # one random character, or the prefix they all have, may be the same
            assert rig.keys.cached(credential) is None
    assert rig.keys.cached(good + b"x") is None
    assert rig.keys.cached(good) is not None


async def test_t05_two_keys_are_two_identities(rig: Rig) -> None:
    keys = [(await rig.keys.create(ADMIN, client, "k")).key.reveal_text() for client in ("acme", "narrow")]
    for _ in range(2):
        found = [(await rig.keys.verify(key, address=ADDRESS)).client_id for key in keys]
        assert found == ["cli_1", "cli_2"]


_REVOKER = """
import asyncio, sys
from pathlib import Path
from aiservice.principal import Person, Role
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.services.changes import ChangeFeed
from aiservice.services.keys import Keys
from aiservice.services.vault import Vault
import time

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2])
    db = Database(settings.effective_database_url)
    keys = Keys(db, Vault(db, settings), ChangeFeed(db))
    for line in sys.stdin:
        await keys.revoke(Person("operator", "operator", Role.ADMIN), line.strip())
        print(time.time(), flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def revoker(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process, as the command line is one: revokes the key ids it is sent, and says when."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _REVOKER, str(settings.data_dir), settings.effective_database_url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    yield process
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_t06_a_key_revoked_by_another_process_is_refused_within_a_second(
    rig: Rig, revoker: asyncio.subprocess.Process
) -> None:
    assert revoker.stdin is not None
    assert revoker.stdout is not None
    feed = asyncio.create_task(rig.changes.run())
    waits = []
    for number in range(20):
        made = await rig.keys.create(ADMIN, "acme", f"k{number}")
        await rig.verify(made)
        await rig.changes.poll_once()
        await rig.verify(made)
        assert rig.keys.cached(made.key.reveal()) is not None
        revoker.stdin.write(f"{made.id}\n".encode())
        told = asyncio.ensure_future(revoker.stdout.readline())
        last_good = time.time()
        while rig.keys.cached(made.key.reveal()) is not None:
            last_good = time.time()
            await asyncio.sleep(0.005)
        revoked_at = float(await told)
        waits.append(max(0.0, last_good - revoked_at))
        assert await rig.refusal(made, f"198.51.100.{number}") == "key_revoked"
    feed.cancel()
    assert len([wait for wait in waits if wait <= 1.0]) == 20, waits


async def test_t06_a_change_during_the_look_up_keeps_the_answer_out_of_the_cache(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiservice.store import keys as store

    made = await rig.keys.create(ADMIN, "acme", "k")
    await rig.changes.poll_once()
    read = store.credential

    async def slow(session: Any, public_id: str) -> Any:
        row = await read(session, public_id)
        await rig.keys.revoke(ADMIN, made.id)  # committed and told to this process after the row was read
        return row

    monkeypatch.setattr(store, "credential", slow)
    await rig.verify(made)
    monkeypatch.undo()
    assert rig.keys.cached(made.key.reveal()) is None
    assert await rig.refusal(made) == "key_revoked"


async def test_t11_junk_costs_no_query_however_much_of_it(rig: Rig, database: Database) -> None:
    with counted_statements(database) as statements:
        began = time.perf_counter()
        for _ in range(10_000):
            try:
                await rig.keys.verify("ais_live_" + os.urandom(26).hex()[:51], address=ADDRESS)
            except Unauthenticated:
                continue
            raise AssertionError
        assert time.perf_counter() - began < 5
    assert statements == []


async def test_t11_guesses_from_one_address_are_stopped_before_the_database(rig: Rig, database: Database) -> None:
    codes: list[str] = []
    with counted_statements(database) as statements:
        for _ in range(10_000):
            try:
                await rig.keys.verify(mint().text.reveal_text(), address=ADDRESS)
            except (Unauthenticated, RateLimited) as refused:
                codes.append(refused.code)
    assert codes[:20] == ["invalid_api_key"] * 20
    assert set(codes[20:]) == {"too_many_failed_authentications"}
    assert len([statement for statement in statements if "key_secret" in statement]) == 20


async def test_t11_guesses_that_arrive_together_are_stopped_too(rig: Rig, database: Database) -> None:
    with counted_statements(database) as statements:
        tries = (rig.keys.verify(mint().text.reveal_text(), address=ADDRESS) for _ in range(1000))
        found = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, RateLimited) for answer in found) >= 970
    assert len([statement for statement in statements if "key_secret" in statement]) <= 30


async def test_t11_a_known_key_is_served_from_an_address_that_guesses(rig: Rig) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await rig.verify(made)
    for _ in range(25):
        await rig.refusal(mint().text.reveal_text())
    assert await rig.verify(made) == made.id
    waiting = await rig.keys.create(ADMIN, "acme", "not yet known")
    with pytest.raises(RateLimited) as raised:
        await rig.verify(waiting)
    assert 0 < (raised.value.retry_after or 0) <= 60
    assert await rig.verify(waiting, "198.51.100.1") == waiting.id


class _AwayDatabase:
    """A switch on a real database: while it is off every query fails as if the connection were refused."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        for name in ("read", "read_at_once"):
            monkeypatch.setattr(db, name, self._guarded(getattr(db, name)))

    def _guarded(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*work: Any) -> Any:
            if self.is_away:
                raise ConnectionRefusedError
            return read(*work)

        return guarded


async def test_while_the_database_is_away_a_known_key_works_for_45_seconds_and_nobody_gets_a_401(
    rig: Rig, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await rig.keys.create(DEVELOPER, "acme", "known")
    unknown = await rig.keys.create(DEVELOPER, "acme", "never used")
    await rig.changes.poll_once()
    await rig.verify(known)
    switch = _AwayDatabase(database, monkeypatch)
    switch.is_away = True
    read_at = rig.changes._read_at
    for age, expected in ((4.0, True), (6.0, True), (44.0, True), (46.0, False), (3600.0, False)):
        rig.changes._read_at = time.monotonic() - age
        rig.keys.check._away_until = 0.0
        if expected:
            assert await rig.verify(known) == known.id
        else:
            with pytest.raises(Overloaded) as raised:
                await rig.verify(known)
            assert (raised.value.code, raised.value.retry_after) == ("database_unavailable", 1.0)
        assert await rig.refusal(unknown) == "database_unavailable"
    switch.is_away = False
    rig.changes._read_at = read_at
    rig.keys.check._away_until = 0.0
    assert await rig.verify(unknown) == unknown.id


async def test_a_stale_entry_never_outlives_its_own_expiry(
    rig: Rig, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k", expires_in_seconds=60)
    await rig.changes.poll_once()
    await rig.verify(made)
    _AwayDatabase(database, monkeypatch).is_away = True
    rig.changes._read_at = time.monotonic() - 10
    move_on(monkeypatch, 61)
    assert await rig.refusal(made) == "database_unavailable"


async def test_a_feed_that_stands_still_makes_every_use_ask_the_database(rig: Rig, database: Database) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await rig.changes.poll_once()
    await rig.verify(made)
    rig.changes._read_at = time.monotonic() - 6
    assert rig.keys.cached(made.key.reveal()) is None
    async with database.write() as session:
        await session.execute(text("UPDATE client_key SET revoked_us = 1"))
    assert await rig.refusal(made) == "key_revoked"


async def test_nothing_is_kept_before_the_feed_was_read(database: Database, settings: Settings, rig: Rig) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    other = await start(database, settings)
    other.changes._read_at = float("-inf")
    await other.verify(made)
    assert len(other.keys.check._cache) == 0


def test_the_cache_is_bounded_keeps_what_is_used_and_drops_by_subject() -> None:
    cache = KeyCache(max_entries=1000)
    principal = Principal("cli", "name", "key", "public")
    cache.put(b"hot", Entry(principal, 0, ("key_hot", "cli_hot")))
    for number in range(10_000):
        cache.put(b"%d" % number, Entry(principal, 0, (f"key_{number}", "cli")))
        assert cache.get(b"hot") is not None
        assert len(cache) <= 1000
    cache.drop("key_hot")
    assert cache.get(b"hot") is None
    cache.drop("cli")
    assert len(cache) == 0


async def test_looking_up_a_known_key_takes_microseconds(rig: Rig) -> None:
    keys = [(await rig.keys.create(ADMIN, "acme", f"k{n}")).key.reveal() for n in range(20)]
    await rig.changes.poll_once()
    for key in keys:
        await rig.keys.verify(key.decode(), address=ADDRESS)
    runs = []
    for _ in range(101):
        began = time.perf_counter()
        for key in keys:
            rig.keys.cached(key)
        runs.append((time.perf_counter() - began) / len(keys))
    assert rig.keys.cached(keys[0]) is not None
    assert statistics.median(runs) < 20e-6
