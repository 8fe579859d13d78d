"""Who makes the call of an Idempotency-Key: one of all, and after its death another."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text

from aiservice.errors import IdempotencyMismatch
from aiservice.kit.clock import now_us
from aiservice.principal import Principal
from aiservice.services import idempotency
from aiservice.services.bodies import Bodies
from aiservice.services.idempotency import Claim, Elsewhere, Ended, Idempotency
from aiservice.services.kept_answer import KeptAnswer
from aiservice.services.settlement import pack_settlement
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.ledgers import crash, new_ledger, rows
from tests.services.usage_rows import intent_of, row_of

ACME = Principal("cli_1", "acme", "key_1", "public", scopes=frozenset({"chat"}))
ANSWER = KeptAnswer("req_1", 200, ((b"content-type", b"text/plain"), (b"x", b"\xe9")), b"line\nline\x00")
BODY = b"f" * 32


@dataclass
class Rig:
    one: Idempotency
    two: Idempotency
    name: tuple[str, str]

    async def run(self, statement: str) -> None:
        async with self.one.db.write() as session:
            await session.execute(text(statement))

    async def expire_leases(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idempotency, "WATCH_SECONDS", 0.1)
        await self.run(f"UPDATE idempotent_call SET lease_us = {now_us() - 1}")


@pytest.fixture
async def rig(db: Database, settings: Settings) -> Rig:
    vault = Vault(db, settings)
    await vault.open()
    one, two = (Idempotency(db, vault, Bodies(db, vault), worker) for worker in ("wrk_1", "wrk_2"))
    return Rig(one, two, one.name_of(ACME, "/x", "k"))


async def _claimed(where: Idempotency, name: tuple[str, str]) -> Claim:
    claim = await where.claim(name, BODY, "req_1")
    assert isinstance(claim, Claim)
    return claim


async def test_of_many_at_once_one_makes_the_call(rig: Rig) -> None:
    found = await asyncio.gather(*(where.claim(rig.name, BODY, "req") for where in (rig.one, rig.two) * 5))
    assert sorted(type(one).__name__ for one in found) == ["Claim"] + ["Elsewhere"] * 9


async def test_an_answer_is_given_to_all_and_no_other_body_gets_it(rig: Rig) -> None:
    claim = await _claimed(rig.one, rig.name)
    assert await rig.one.end(claim, ANSWER)
    for where in (rig.one, rig.two):
        assert await where.claim(rig.name, BODY, "req_2") == Ended(ANSWER)
        with pytest.raises(IdempotencyMismatch):
            await where.claim(rig.name, b"g" * 32, "req_3")


async def test_what_came_to_nothing_is_begun_anew_and_what_is_not_kept_is_not(rig: Rig) -> None:
    await rig.one.give_up(await _claimed(rig.one, rig.name))
    claim = await _claimed(rig.two, rig.name)
    assert not claim.is_again
    await rig.two.end(claim, None)
    assert await rig.one.claim(rig.name, BODY, "req_3") == Ended(None)


async def test_a_dead_workers_call_is_taken_over_once_and_its_late_answer_is_not_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await _claimed(rig.one, rig.name)
    await rig.expire_leases(monkeypatch)
    assert isinstance(await rig.two.claim(rig.name, BODY, "req_2"), Elsewhere)  # it watches first
    await asyncio.sleep(0.15)
    taken = await rig.two.claim(rig.name, BODY, "req_2")
    assert taken == Claim(rig.name, 2, "req_2", is_again=True)
    assert not await rig.one.end(lost, ANSWER)
    await rig.one.give_up(lost)
    assert await rig.two.end(taken, replace(ANSWER, request_id="req_2"))
    found = await rig.one.claim(rig.name, BODY, "req_3")
    assert isinstance(found, Ended)
    assert found.answer is not None
    assert found.answer.request_id == "req_2"


async def test_a_worker_that_was_cut_off_for_a_while_keeps_its_call(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = await _claimed(rig.one, rig.name)
    await rig.expire_leases(monkeypatch)
    assert isinstance(await rig.two.claim(rig.name, BODY, "req_2"), Elsewhere)
    await rig.one.renew()
    await asyncio.sleep(0.15)
    assert isinstance(await rig.two.claim(rig.name, BODY, "req_2"), Elsewhere)
    assert await rig.one.end(claim, ANSWER)


async def test_what_the_table_holds_says_nothing_of_key_and_body(rig: Rig) -> None:
    fingerprint = rig.one.fingerprint_of({"prompt": "canary"})
    assert fingerprint == rig.two.fingerprint_of({"prompt": "canary"})
    assert fingerprint != rig.one.fingerprint_of({"prompt": "canary"}, (("beta", "x"),))
    name = rig.one.name_of(ACME, "/x", "canary")
    others = [
        rig.one.name_of(ACME, "/y", "canary"),
        rig.one.name_of(ACME, "/x", "canary2"),
        rig.one.name_of(replace(ACME, client_id="cli_own"), "/x", "canary"),
        rig.one.name_of(replace(ACME, scopes=None), "/x", "canary"),
        rig.one.name_of(replace(ACME, models=frozenset({"m"})), "/x", "canary"),
    ]
    assert name == rig.two.name_of(replace(ACME, key_id="key_2", token_id="tok_1"), "/x", "canary")
    assert name not in others
    assert "canary" not in str(name)


async def test_a_worker_that_died_between_answer_and_journal_is_settled_as_it_was(rig: Rig, settings: Settings) -> None:
    first = new_ledger(rig.one.db, settings)
    await first.open()
    for name, request_id in (("a", "req_answered"), ("b", "req_cut")):
        first.intend(intent_of(request_id))
        claim = await rig.one.claim(rig.one.name_of(ACME, "/x", name), BODY, request_id)
        assert isinstance(claim, Claim)
        if request_id == "req_answered":
            await rig.one.end(claim, ANSWER, pack_settlement(row_of(request_id, output_tokens=7, cost_nano_usd=42)))
    crash(first)
    second = new_ledger(rig.one.db, settings)
    await second.open()
    found = {row["request_id"]: row for row in await rows(rig.one.db)}
    await second.close()
    assert (found["req_answered"]["outcome"], found["req_answered"]["cost_nano_usd"]) == ("finished", 42)
    assert (found["req_answered"]["output_tokens"], found["req_cut"]["outcome"]) == (7, "interrupted")


async def test_a_key_that_was_shredded_since_it_was_used_costs_one_answer_and_not_the_next(rig: Rig) -> None:
    await rig.one.end(await _claimed(rig.one, rig.name), ANSWER)
    async with rig.two.db.write() as session:
        await rig.two.bodies.shred(session, "cli_1")
    for name, answer in (("b", None), ("c", ANSWER)):
        claim = await _claimed(rig.one, rig.one.name_of(ACME, "/x", name))
        assert await rig.one.end(claim, ANSWER)
        assert await rig.two.claim(claim.name, BODY, "req_2") == Ended(answer)


async def test_yesterdays_calls_are_forgotten(rig: Rig) -> None:
    await rig.one.end(await _claimed(rig.one, rig.name), ANSWER)
    assert await rig.one.purge() == 0
    await rig.run("UPDATE idempotent_call SET expires_us = 1")
    assert await rig.two.purge() == 1


async def test_shredding_a_client_destroys_the_answers_of_its_keys(rig: Rig) -> None:
    await rig.one.end(await _claimed(rig.one, rig.name), ANSWER)
    async with rig.one.db.write() as session:
        await rig.one.bodies.shred(session, "cli_1")
    assert await rig.two.claim(rig.name, BODY, "req_2") == Ended(None)
