"""Stored answers: their client's alone, whole, for a while, bounded, and gone with the client's data key."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from aiservice.errors import Overloaded
from aiservice.principal import OPERATOR, Principal
from aiservice.services import kept_responses
from aiservice.services.bodies import Bodies
from aiservice.services.kept_responses import KeptResponse, KeptResponses
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import units
from aiservice.store.session import Database

CANARY = "answer-canary-77c0ffee51"


@dataclass
class Rig:
    db: Database
    bodies: Bodies
    responses: KeptResponses

    async def count(self) -> int:
        async with self.db.read() as session:
            return int(await session.scalar(text("SELECT count(*) FROM sealed_body")) or 0)


@pytest.fixture
async def rig(db: Database, settings: Settings) -> AsyncIterator[Rig]:
    vault = Vault(db, settings)
    await vault.open()
    bodies = Bodies(db, vault)
    yield Rig(db, bodies, KeptResponses(db, bodies))


def _who(client_id: str = "cli_1", *, is_test: bool = False) -> Principal:
    return Principal(client_id, client_id, "key_1", "public", is_test=is_test)


def _kept(response_id: str = "resp_1", said: str = CANARY, **fields: Any) -> KeptResponse:
    item = {"id": f"msg_{response_id}", "type": "message", "content": [{"type": "output_text", "text": said}]}
    return KeptResponse({"id": response_id, "output": [item], **fields}, [{"role": "user", "content": "hi"}])


async def test_an_answer_and_its_items_are_there_for_their_client_and_sealed_at_rest(rig: Rig) -> None:
    assert await rig.responses.keep(_who(), _kept())
    found = await rig.responses.get(_who(), "resp_1")
    assert found == _kept()
    assert found is not None
    assert found.conversation == [*_kept().input, *_kept().response["output"]]
    assert await rig.responses.item(_who(), "msg_resp_1") == _kept().response["output"][0]
    async with rig.db.read() as session:
        rows = (await session.execute(text("SELECT id, sealed FROM sealed_body"))).all()
    assert not any(CANARY.encode() in bytes(sealed) or "resp_1" in name for name, sealed in rows)


def _with_items(response_id: str, *item_ids: str) -> KeptResponse:
    items = [{"id": item_id, "type": "message", "text": f"{response_id} {item_id}"} for item_id in item_ids]
    return KeptResponse({"id": response_id, "output": items}, [])


async def test_an_item_of_ours_is_found_by_its_id_alone_and_a_providers_by_a_row_of_hashes(rig: Rig) -> None:
    ours, theirs = _with_items("resp_0a", "msg_req_0a_0", "rs_req_0a_1"), _with_items("resp_0b", "rs_theirs", "msg_x")
    assert await rig.responses.keep(_who(), ours)
    assert await rig.count() == 1
    assert await rig.responses.keep(_who(), theirs)
    assert await rig.count() == 4
    for kept in (ours, theirs):
        for item in kept.response["output"]:
            assert await rig.responses.item(_who(), item["id"]) == item
            assert await rig.responses.item(_who(is_test=True), item["id"]) is None
            assert await rig.responses.item(_who("cli_own"), item["id"]) is None
    assert await rig.responses.item(_who(), "msg_req_0a_7") is None
    async with rig.db.read() as session:
        rows = (await session.execute(text("SELECT id, sealed FROM sealed_body WHERE kind = 'response_of'"))).all()
    assert all(len(name) == len(bytes(sealed)) == 64 for name, sealed in rows)
    assert not any(b"theirs" in bytes(sealed) for _, sealed in rows)


async def test_a_row_that_leads_elsewhere_gives_no_item(rig: Rig) -> None:
    await rig.responses.keep(_who(), _with_items("resp_0a", "rs_a"))
    await rig.responses.keep(_who(), _with_items("resp_0b", "rs_b"))
    async with rig.db.write() as session:
        await session.execute(
            text(
                "UPDATE sealed_body SET sealed = (SELECT sealed FROM sealed_body AS other WHERE other.kind = "
                "'response_of' AND other.id <> sealed_body.id) WHERE kind = 'response_of'"
            )
        )
    assert await rig.responses.item(_who(), "rs_a") is None


async def test_an_item_that_the_release_before_kept_is_still_found_and_deleted(rig: Rig) -> None:
    kept = _with_items("resp_0a", "rs_a")
    name = kept_responses._name(_who(), "rs_a")
    await rig.bodies.put("cli_1", "response_item", name, b'{"id":"rs_a","text":"before"}', 2**60)
    assert await rig.responses.item(_who(), "rs_a") == {"id": "rs_a", "text": "before"}
    await rig.responses.keep(_who(), kept)
    assert await rig.responses.delete(_who(), "resp_0a")
    assert await rig.count() == 0


async def test_what_is_kept_is_what_was_written(rig: Rig) -> None:
    kept = _kept()
    assert await rig.responses.keep(_who(), kept, b'{"id":"resp_1","output":[],"as":"written"}')
    found = await rig.responses.get(_who(), "resp_1")
    assert found is not None
    assert (found.response["as"], found.input) == ("written", kept.input)


async def test_a_deleted_answer_is_gone_with_its_items_and_breaks_none_that_followed_it(rig: Rig) -> None:
    await rig.responses.keep(_who(), _kept())
    await rig.responses.keep(_who(), _kept("resp_2", previous_response_id="resp_1"))
    assert [await rig.responses.delete(_who(), "resp_1") for _ in range(2)] == [True, False]
    assert await rig.responses.item(_who(), "msg_resp_1") is None
    assert await rig.responses.get(_who(), "resp_2") is not None


async def test_a_shredded_client_has_none_and_a_disabled_one_gets_none(rig: Rig) -> None:
    await rig.responses.keep(_who(), _kept())
    await rig.bodies.shred_client(OPERATOR, "cli_1")
    assert await rig.responses.get(_who(), "resp_1") is None
    assert await rig.count() == 0
    async with rig.db.write() as session:
        await session.execute(text("UPDATE client SET is_disabled = true WHERE id = 'cli_1'"))
    assert not await rig.responses.keep(_who(), _kept())


async def test_of_a_client_that_keeps_too_much_the_oldest_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        await rig.responses.keep(_who(), _kept(f"resp_{number}", said="x" * 1_000))
    await rig.responses.keep(_who("cli_own"), _kept("resp_other"))
    await rig.bodies.put("cli_1", "payload", "req_1", b"x" * 9_000, 2**60)
    monkeypatch.setattr(kept_responses, "MOST_BYTES_OF_CLIENT", 5_500)
    monkeypatch.setattr(kept_responses, "_BATCH", 2)
    assert await rig.responses.trim() > 0
    left = [number for number in range(6) if await rig.responses.get(_who(), f"resp_{number}") is not None]
    assert left
    assert left == list(range(left[0], 6)), "the newest"
    assert left[0] > 0
    assert await rig.responses.get(_who("cli_own"), "resp_other") is not None
    assert await rig.bodies.has("cli_1", "payload", "req_1"), "what is kept for another use is no business of this"


async def test_what_is_too_large_or_has_no_database_is_not_kept_and_says_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await rig.responses.keep(_who(), _kept(said="x" * (4 << 20)))
    assert await rig.count() == 0

    async def away(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(units, "read", away)
    monkeypatch.setattr(units, "write", away)
    assert not await rig.responses.keep(_who("cli_own"), _kept())
    with pytest.raises(Overloaded):
        await rig.responses.get(_who(), "resp_1")


_NAMES = st.lists(
    st.tuples(st.sampled_from(["cli_1", "cli_own"]), st.booleans(), st.sampled_from(["resp_1", "é", "x" * 300])),
    min_size=1,
    max_size=4,
)


@hypothesis_settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kept=_NAMES, asked=_NAMES)
async def test_whoever_asks_for_whatever_id_is_given_their_own_or_nothing(
    rig: Rig, kept: list[tuple[str, bool, str]], asked: list[tuple[str, bool, str]]
) -> None:
    async with rig.db.write() as session:
        await session.execute(text("DELETE FROM sealed_body"))
    for client, is_test, name in kept:
        await rig.responses.keep(_who(client, is_test=is_test), _kept(name, said=f"{client} {is_test} {name}"))
    for client, is_test, name in (*asked, *kept):
        found = await rig.responses.get(_who(client, is_test=is_test), name)
        assert (found is not None) == ((client, is_test, name) in kept)
        assert found is None or found == _kept(name, said=f"{client} {is_test} {name}")
