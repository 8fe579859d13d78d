from sqlalchemy import text

from aiservice.jobs.idle_keys import note_idle_keys
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings


async def test_idle_keys_are_one_alert_that_is_over_when_they_are_gone(installed: Settings) -> None:
    async with open_core(installed) as core:
        await core.clients.create(OPERATOR, "app")
        made = [await core.keys.create(OPERATOR, "app", name) for name in ("old", "older", "young")]
        long_ago = now_us() - 100 * DAY_US
        async with core.db.write() as session:
            await session.execute(text(f"UPDATE client_key SET created_us = {long_ago} WHERE name <> 'young'"))
        await note_idle_keys(core)
        (said,) = core.alerts._waiting
        assert said.words.startswith("2 keys work and were not used for 90 days: 'older' of app, 'old' of app.")
        assert not said.is_over
        for key in made:
            await core.keys.revoke(OPERATOR, key.id)
        await note_idle_keys(core)
        assert core.alerts._waiting[-1].is_over
