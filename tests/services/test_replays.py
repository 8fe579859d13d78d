"""Replays: whoever has the id of one finds the request that was billed, if they may see it."""

import pytest

from aiservice.errors import NotFound
from aiservice.kit.clock import DAY_US
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services import replays
from aiservice.services.replays import Replays
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.ledgers import new_ledger, settle

OWNER = Person("usr_d", "d@example.org", Role.DEVELOPER)
STRANGER = Person("usr_s", "s@example.org", Role.DEVELOPER)


async def test_a_replay_leads_to_its_original_for_who_may_see_that(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = new_ledger(db, settings)
    await ledger.open()
    settle(ledger, "req_first", client_id="cli_own", client="own")
    await ledger.close()
    made = Replays(db)
    for number in range(3):
        made.note(f"req_again_{number}", "req_first")
    await made.flush()
    for who in (OWNER, OPERATOR):
        assert await made.original_of(who, "req_again_1") == "req_first"
        assert await made.count_of(who, "req_first") == 3
    assert await made.original_of(OWNER, "req_first") is None
    assert await made.original_of(STRANGER, "req_again_1") is None
    with pytest.raises(NotFound):
        await made.count_of(STRANGER, "req_first")
    monkeypatch.setattr(replays, "_KEPT_US", -DAY_US)
    await made.purge()
    assert await made.count_of(OWNER, "req_first") == 0
