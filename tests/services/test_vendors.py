"""Vendors that an admin adds: checked, used at once everywhere, and not taken away from under a connection."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from aiservice.errors import BrokerError, NotFound, PermissionDenied, Unprocessable
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.providers import install, registry
from aiservice.providers.capabilities import capabilities_of
from aiservice.services.audit import AuditFilter
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from aiservice.store import vendors as store
from aiservice.wire import Ask
from tests.services.key_rig import DEVELOPER

ACME = """
kind = "acme"
title = "Acme"
base_url = "https://api.acme.example/v1"
paths = { chat = "/talk" }
renamed = { max_tokens = "limit" }
refused = ["logit_bias"]
"""


@pytest.fixture
async def core(installed: Settings) -> AsyncIterator[Core]:
    async with open_core(installed) as opened:
        yield opened
    install([])


async def test_a_vendor_is_used_at_once(core: Core) -> None:
    made = await core.vendors.add(OPERATOR, ACME)
    assert (made.kind, made.title, made.is_built_in) == ("acme", "Acme", False)
    connection = await core.connections.add(OPERATOR, "acme", "acme", None, Secret(b"k" * 20))
    assert connection.base_url == "https://api.acme.example/v1"
    ask = Ask("chat", "chat", {"messages": [{"role": "user", "content": "a"}], "max_tokens": 3})
    call = registry()["acme"].build(ask, "m")
    assert (call.path, orjson.loads(call.body)["limit"]) == ("/talk", 3)


async def test_a_change_replaces_what_was_known_of_it(core: Core) -> None:
    await core.vendors.add(OPERATOR, ACME)
    before = core.connections.snapshot()
    text = ACME + '[[models]]\npattern = "m"\ncan = { images = true }\n'
    assert capabilities_of("acme", "m").images is None
    await core.vendors.add(OPERATOR, text, replaces=True)
    assert capabilities_of("acme", "m").images is True
    assert core.connections.snapshot() is not before  # what routing remembers goes by it


async def test_another_process_hears_of_it(core: Core, installed: Settings) -> None:
    async with open_core(installed) as other:
        install([])  # they share this process, and so its providers: as if the other had not heard yet
        await core.vendors.add(OPERATOR, ACME)
        install([])
        await other.changes.poll_once()
        for _ in range(100):
            if "acme" in registry():
                break
            await asyncio.sleep(0.02)
        assert "acme" in registry()


async def test_what_is_stored_is_there_at_the_next_start(core: Core, installed: Settings) -> None:
    await core.vendors.add(OPERATOR, ACME)
    install([])
    async with open_core(installed):
        assert registry()["acme"].title == "Acme"


async def test_a_row_that_is_not_valid_is_refused_with_its_fields_name(core: Core) -> None:
    with pytest.raises(Unprocessable) as refused:
        await core.vendors.add(OPERATOR, ACME + "colour = 1\n")
    assert (refused.value.code, refused.value.param) == ("invalid_vendor", "colour")
    assert await _own(core) == []


@pytest.mark.parametrize("kind", ["groq", "openai", "sandbox", "mistral", "auto"])
async def test_a_built_in_kind_is_not_taken(core: Core, kind: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        await core.vendors.add(OPERATOR, ACME.replace('"acme"', f'"{kind}"'))
    assert (refused.value.code, refused.value.param) == ("kind_taken", "kind")


async def test_a_kind_is_taken_once_and_is_no_connections_name(core: Core) -> None:
    await core.connections.add(OPERATOR, "openai", "mine", None, Secret(b"k" * 20))
    for text in (ACME, ACME.replace('"acme"', '"mine"')):
        if "mine" not in text:
            await core.vendors.add(OPERATOR, text)
        with pytest.raises(Unprocessable) as refused:
            await core.vendors.add(OPERATOR, text)
        assert refused.value.code == "kind_taken"
    with pytest.raises(NotFound):
        await core.vendors.add(OPERATOR, ACME.replace('"acme"', '"other"'), replaces=True)


async def test_a_vendor_in_use_stays(core: Core) -> None:
    await core.vendors.add(OPERATOR, ACME)
    await core.connections.add(OPERATOR, "acme", "ours", None, Secret(b"k" * 20))
    with pytest.raises(Unprocessable) as refused:
        await core.vendors.remove(OPERATOR, "acme")
    assert refused.value.code == "vendor_in_use"
    assert "ours" in refused.value.message
    await core.connections.remove(OPERATOR, "ours")
    await core.vendors.remove(OPERATOR, "acme")
    assert "acme" not in registry()
    for kind, error in (("acme", NotFound), ("groq", Unprocessable)):
        with pytest.raises(error):
            await core.vendors.remove(OPERATOR, kind)


async def test_vendors_are_the_admins_alone(core: Core) -> None:
    async def refused(work: object) -> bool:
        try:
            await work  # type: ignore[misc]
        except PermissionDenied:
            return True
        return False

    assert await refused(core.vendors.list(DEVELOPER))
    assert await refused(core.vendors.find(DEVELOPER, "groq"))
    assert await refused(core.vendors.add(DEVELOPER, ACME))
    assert await refused(core.vendors.remove(DEVELOPER, "groq"))


async def test_the_list_has_what_is_ones_own_first_and_rows_to_start_from(core: Core) -> None:
    await core.vendors.add(OPERATOR, ACME)
    views = await core.vendors.list(OPERATOR)
    assert (views[0].kind, views[0].text) == ("acme", ACME)
    groq = await core.vendors.find(OPERATOR, "groq")
    assert groq.is_built_in
    assert 'kind = "groq"' in groq.text
    with pytest.raises(NotFound) as missing:
        await core.vendors.find(OPERATOR, "grok")
    assert "groq" in missing.value.message


async def test_a_row_of_a_later_release_is_no_provider_here_and_stops_nothing(core: Core) -> None:
    await core.vendors.add(OPERATOR, ACME)
    async with core.db.write() as session:
        row = await store.find(session, "acme")
        assert row is not None
        row.text = 'kind = "acme"\nfuture = 1'
    await core.vendors.refresh()
    assert "acme" not in registry()
    (own,) = [view for view in await core.vendors.list(OPERATOR) if not view.is_built_in]
    assert "future" in own.problem


async def test_who_has_an_address_for_each_account_is_asked_for_it_by_example(core: Core) -> None:
    with pytest.raises(Unprocessable, match="ACCOUNT") as refused:
        await core.connections.add(OPERATOR, "snowflake", "snow", None, Secret(b"k" * 20))
    assert refused.value.code == "base_url_required"


async def test_every_change_is_in_the_audit_log(core: Core) -> None:
    await core.vendors.add(OPERATOR, ACME)
    await core.vendors.add(OPERATOR, ACME.replace("Acme", "Acme Inc."), replaces=True)
    await core.vendors.remove(OPERATOR, "acme")
    entries, _ = await core.audit.page(OPERATOR, AuditFilter(action="vendor."))
    assert [entry.action for entry in entries] == ["vendor.remove", "vendor.change", "vendor.add"]


async def _own(core: Core) -> list[str]:
    return [view.kind for view in await core.vendors.list(OPERATOR) if not view.is_built_in]


async def test_there_is_an_end_to_how_many(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiservice.services.vendors.MAX_VENDORS", 1)
    await core.vendors.add(OPERATOR, ACME)
    with pytest.raises(BrokerError, match="already"):
        await core.vendors.add(OPERATOR, ACME.replace('"acme"', '"acme-two"'))
