"""LOG_PAYLOADS: kept where an admin wants it, for who may read it, and never in a request's way."""

from dataclasses import dataclass, replace

import orjson
import pytest
from sqlalchemy import text

from aiservice.errors import NotFound, PermissionDenied
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services import payloads
from aiservice.services.audit import Audit, AuditFilter
from aiservice.services.bodies import Bodies
from aiservice.services.changes import ChangeFeed
from aiservice.services.payloads import KeptPayload, Payload, Payloads
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.wire import EventKind, StreamEvent, ToolCallDelta
from tests.services.ledgers import new_ledger, settle

OWNER = Person("usr_d", "d@example.org", Role.DEVELOPER)
STRANGER = Person("usr_s", "s@example.org", Role.DEVELOPER)


@dataclass
class Rig:
    db: Database
    payloads: Payloads
    audit: Audit

    async def kept(self, actor: Person = OWNER, request_id: str = "req_1") -> tuple[str, str | None] | None:
        found = await self.payloads.of(actor, request_id)
        return None if found is None else (found.request, found.answer)


@pytest.fixture
async def rig(db: Database, settings: Settings) -> Rig:
    vault = Vault(db, settings)
    await vault.open()
    ledger = new_ledger(db, settings)
    await ledger.open()
    for number in (1, 2):
        settle(ledger, f"req_{number}", client_id="cli_own", client="own")
    await ledger.flush()
    await ledger.close()
    made = Payloads(db, Bodies(db, vault), ChangeFeed(db), replace(settings, log_payloads="on"))
    return Rig(db, made, Audit(db, vault))


def _payload(answer: bytes | None = b"answer", request: bytes = b"request") -> Payload:
    return Payload("cli_own", "req_1", request, answer)


async def test_what_was_handed_over_is_there_for_the_owner_and_nobody_else(rig: Rig) -> None:
    rig.payloads.hand_over(_payload())
    await rig.payloads.flush()
    assert await rig.kept() == ("request", "answer")
    assert await rig.payloads.is_kept(OWNER, "req_1")
    assert not await rig.payloads.is_kept(OWNER, "req_2")
    assert await rig.kept(request_id="req_2") is None
    for look in (rig.payloads.of, rig.payloads.is_kept):
        with pytest.raises(NotFound):
            await look(STRANGER, "req_1")


async def test_an_admin_may_look_and_it_is_noted(rig: Rig) -> None:
    rig.payloads.hand_over(_payload())
    await rig.payloads.flush()
    await rig.payloads.is_kept(OPERATOR, "req_1")
    await rig.kept()
    assert (await rig.audit.page(OPERATOR, AuditFilter()))[0] == []
    assert await rig.kept(OPERATOR) == ("request", "answer")
    [entry] = (await rig.audit.page(OPERATOR, AuditFilter()))[0]
    assert (entry.action, entry.subject, entry.actor) == ("payload.read", "req_1", "operator")


async def test_a_streams_answer_is_put_together(rig: Rig) -> None:
    payload = _payload(answer=None)
    payload.note([StreamEvent(EventKind.TEXT, "he"), StreamEvent(EventKind.TEXT, "llo")])
    assert orjson.loads(payload.packed())["answer"] == "hello"
    call = ToolCallDelta(0, "call_1", "weather", '{"city":')
    payload.note([StreamEvent(EventKind.REASONING, "hm"), StreamEvent(EventKind.TOOL_CALL, tool_call=call)])
    payload.note([StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(0, arguments='"Bern"}'))])
    assert orjson.loads(orjson.loads(payload.packed())["answer"]) == {
        "text": "hello",
        "reasoning": "hm",
        "tool_calls": [{"name": "weather", "arguments": '{"city":"Bern"}'}],
    }


async def test_what_is_too_long_is_cut_and_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MAX_PART_BYTES", 10)
    rig.payloads.hand_over(_payload(answer="é".encode() * 20, request=b"r" * 30))
    await rig.payloads.flush()
    found = await rig.payloads.of(OWNER, "req_1")
    assert found is not None
    assert found == KeptPayload("r" * 10, "é" * 5, True, found.expires_us)


async def test_what_finds_no_room_or_no_database_is_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_MAX_WAITING", 2)
    for _ in range(5):
        rig.payloads.hand_over(_payload())
    assert rig.payloads.dropped == 3
    with monkeypatch.context() as patch:
        patch.setattr(rig.db, "write", _away)
        await rig.payloads.flush()
    assert rig.payloads.dropped == 5
    rig.payloads.hand_over(_payload())
    await rig.payloads.flush()
    assert (await rig.kept(), rig.payloads._waiting_bytes) == (("request", "answer"), 0)


def _away() -> None:
    raise TimeoutError


async def test_kept_bodies_end_with_their_time_and_with_the_clients_key(rig: Rig, settings: Settings) -> None:
    rig.payloads.hand_over(_payload())
    await rig.payloads.flush()
    await rig.payloads._bodies.shred_client(OPERATOR, "own")
    assert await rig.kept() is None
    rig.payloads.hand_over(_payload())
    await rig.payloads.flush()
    async with rig.db.write() as session:
        await session.execute(text("UPDATE sealed_body SET expires_us = 1"))
    assert await rig.kept() is None


async def test_only_an_admin_switches_and_it_is_noted(rig: Rig) -> None:
    for actor in (OWNER, STRANGER):
        with pytest.raises(PermissionDenied):
            await rig.payloads.switch(actor, "own", is_on=True)
    for _ in range(2):
        assert await rig.payloads.switch(OPERATOR, "own", is_on=True) == "own"
    assert [entry.action for entry in (await rig.audit.page(OPERATOR, AuditFilter()))[0]] == ["client.payloads"]
