"""What is kept of a stream on its way, and who gets it."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text

from aiservice.errors import IdempotencyMismatch, NotFound
from aiservice.kit.clock import now_us
from aiservice.principal import Principal
from aiservice.services import idempotency
from aiservice.services.bodies import Bodies
from aiservice.services.idempotency import Claim, Ended, Idempotency, StreamOf
from aiservice.services.kept_answer import KeptAnswer
from aiservice.services.resumption import Part, Resumption, Said, Told
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database

ACME = Principal("cli_1", "acme", "key_1", "public", scopes=frozenset({"chat"}))
BODY = b"f" * 32
ANSWER = KeptAnswer("req_1", 200, ((b"content-type", b"text/event-stream"),), b"abc")


@dataclass
class Rig:
    calls: Idempotency
    here: Resumption
    elsewhere: Resumption

    async def begin(self, key: str | None = None, request_id: str = "req_1") -> Claim:
        calls = self.calls
        name = calls.name_of(ACME, "/x", key) if key else calls.stream_name_of(ACME.client_id, request_id)
        claim = await calls.claim(name, BODY, request_id, StreamOf("ai-service", calls.rights_of(ACME)))
        assert isinstance(claim, Claim)
        return claim

    async def say(self, *pieces: bytes, request_id: str = "req_1") -> None:
        for number, piece in enumerate(pieces):
            assert await self.here.keep([Part("cli_1", request_id, number, piece)])

    async def expire_leases(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idempotency, "WATCH_SECONDS", 0.05)
        async with self.calls.db.write() as session:
            await session.execute(text(f"UPDATE idempotent_call SET lease_us = {now_us() - 1}"))

    async def kinds(self) -> list[str]:
        async with self.calls.db.read() as session:
            return list((await session.execute(text("SELECT kind FROM sealed_body ORDER BY kind, id"))).scalars())


@pytest.fixture
async def rig(db: Database, settings: Settings) -> Rig:
    vault = Vault(db, settings)
    await vault.open()
    one, two = (Idempotency(db, vault, Bodies(db, vault), worker) for worker in ("wrk_1", "wrk_2"))
    return Rig(one, Resumption(db, one, one.bodies), Resumption(db, two, two.bodies))


async def test_what_a_stream_has_said_is_found_elsewhere_part_by_part(rig: Rig) -> None:
    await rig.begin()
    assert await rig.elsewhere.look(ACME, "req_1") == Said("ai-service", [], None, is_lost=False)
    await rig.say(b"a", b"b", b"c")
    found = await rig.elsewhere.look(ACME, "req_1")
    assert found == Said("ai-service", [b"a", b"b", b"c"], "req_1:000002", is_lost=False)
    assert await rig.elsewhere.look(ACME, "req_1", "req_1:000000") == replace(found, pieces=[b"b", b"c"])
    assert await rig.elsewhere.look(ACME, "req_1", found.last) == replace(found, pieces=[])


async def test_at_its_end_the_answer_takes_the_place_of_the_parts(rig: Rig) -> None:
    claim = await rig.begin()
    await rig.begin("another", "req_10")
    await rig.say(b"a", b"b")
    await rig.say(b"x", request_id="req_10")
    assert await rig.calls.end(claim, ANSWER, has_parts=True)
    assert await rig.elsewhere.look(ACME, "req_1", "req_1:000000") == Told("ai-service", ANSWER)
    assert await rig.kinds() == ["replay", "stream"]  # the part of the other one stays


async def test_a_stream_of_a_dead_worker_is_lost_only_once_that_was_watched(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.begin()
    await rig.say(b"a")
    await rig.expire_leases(monkeypatch)
    found = await rig.elsewhere.look(ACME, "req_1")
    assert found == Said("ai-service", [b"a"], "req_1:000000", is_lost=False)
    await asyncio.sleep(0.06)
    assert await rig.elsewhere.look(ACME, "req_1") == replace(found, is_lost=True)
    await rig.calls.renew()  # it was cut off for a while, and no more
    assert await rig.elsewhere.look(ACME, "req_1") == found


async def test_whoever_takes_a_key_over_leaves_the_lost_stream_where_it_can_be_had(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await rig.begin("k")
    await rig.say(b"a")
    await rig.expire_leases(monkeypatch)
    other = rig.elsewhere.calls
    for _ in range(2):
        taken = await other.claim(lost.name, BODY, "req_2", StreamOf("ai-service", other.rights_of(ACME)))
        await asyncio.sleep(0.06)
    assert taken == Claim(lost.name, 2, "req_2", is_again=True)
    await rig.elsewhere.look(ACME, "req_1")
    await asyncio.sleep(0.06)
    assert await rig.elsewhere.look(ACME, "req_1") == Said("ai-service", [b"a"], "req_1:000000", is_lost=True)
    assert not await rig.calls.end(lost, ANSWER)
    assert await other.end(taken, replace(ANSWER, request_id="req_2"))
    assert await rig.here.look(ACME, "req_2") == Told("ai-service", replace(ANSWER, request_id="req_2"))


async def test_a_key_that_is_freed_gives_a_new_call_and_its_stream_stays(rig: Rig) -> None:
    claim = await rig.begin("k")
    assert await rig.calls.end(claim, ANSWER, frees_key=True)
    assert (await rig.begin("k", "req_2")).fence == 1
    assert await rig.elsewhere.look(ACME, "req_1") == Told("ai-service", ANSWER)


@pytest.mark.parametrize("is_over", [False, True], ids=["running", "over"])
async def test_t76_a_stream_is_its_clients_callers_of_the_same_rights(rig: Rig, is_over: bool) -> None:
    claim = await rig.begin()
    if is_over:
        await rig.calls.end(claim, ANSWER)
    await rig.here.look(replace(ACME, key_id="key_2", token_id="tok_1"), "req_1")
    for other in (
        replace(ACME, client_id="cli_own"),
        replace(ACME, scopes=None),
        replace(ACME, scopes=frozenset({"read"})),
        replace(ACME, models=frozenset({"m"})),
        replace(ACME, connections=frozenset()),
        replace(ACME, is_test=True),
    ):
        with pytest.raises(NotFound, match="no stream req_1"):
            await rig.here.look(other, "req_1")
    with pytest.raises(NotFound):
        await rig.here.look(ACME, "req_2")
    with pytest.raises(IdempotencyMismatch):
        await rig.here.look(ACME, "req_1", fingerprint=b"g" * 32)


async def test_a_call_that_is_no_stream_is_none_and_yesterdays_is_gone(rig: Rig) -> None:
    claim = await rig.calls.claim(rig.calls.name_of(ACME, "/x", "k"), BODY, "req_9")
    assert isinstance(claim, Claim)
    await rig.calls.end(await rig.begin(), ANSWER)
    async with rig.calls.db.write() as session:
        await session.execute(text("UPDATE idempotent_call SET expires_us = 1"))
    for request_id in ("req_9", "req_1"):
        with pytest.raises(NotFound):
            await rig.here.look(ACME, request_id)


async def test_shredding_a_client_destroys_what_its_streams_said(rig: Rig) -> None:
    await rig.begin()
    await rig.say(b"a")
    async with rig.calls.db.write() as session:
        await rig.calls.bodies.shred(session, "cli_1")
    assert await rig.kinds() == []
    await rig.elsewhere.keep([Part("cli_1", "req_1", 1, b"b")])  # under a new key
    found = await rig.here.look(ACME, "req_1")
    assert isinstance(found, Said)
    assert b"a" not in found.pieces


async def test_a_key_is_free_again_after_its_answer_was_told_once_and_its_day_is_over(rig: Rig) -> None:
    claim = await rig.begin("k")
    await rig.calls.end(claim, ANSWER)
    assert await rig.calls.claim(claim.name, BODY, "req_2") == Ended(ANSWER)
    async with rig.calls.db.write() as session:
        await session.execute(text("UPDATE idempotent_call SET expires_us = 1"))
    again = await rig.calls.claim(claim.name, b"g" * 32, "req_3")
    assert again == Claim(claim.name, 2, "req_3")
