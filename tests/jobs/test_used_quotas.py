from aiservice.jobs.alerts import note_used_quotas
from aiservice.services.connection_views import ConnectionView
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from aiservice.wire import QuotaNote

VIEW = ConnectionView("con_1", "openai", "openai", "https://api.openai.com/v1", False, None, (), 1, False, 1, 1)


async def test_a_quota_that_is_away_for_longer_than_a_minute_is_an_alert(installed: Settings) -> None:
    async with open_core(installed) as core:
        now = core.quotas.now()
        lane = core.quotas.lane(VIEW, "gpt-4o", now)
        turn = lane.turn("app", 1.0, 10)
        assert lane.enter(turn, now)
        lane.refused(turn, 30.0, (), now)
        note_used_quotas(core)
        assert not core.alerts._waiting, "a minute's quota comes back by itself"
        lane.refused(turn, 600.0, (QuotaNote("requests", 86_400, 50, 0, 600.0),), now)
        note_used_quotas(core)
        (said,) = core.alerts._waiting
        assert (said.kind, said.subject) == ("quota", "openai:gpt-4o")
        assert said.evidence is not None
        assert 590 <= said.evidence["seconds_to_come"] <= 600


async def test_a_provider_that_refuses_every_try_for_long_is_an_alert_too(installed: Settings) -> None:
    async with open_core(installed) as core:
        now = core.quotas.now()
        lane = core.quotas.lane(VIEW, "gpt-4o", now)
        lane.configure(100, None, 1)
        for _ in range(4):
            turn = lane.turn("app", 1.0, 10)
            assert lane.enter(turn, now)
            lane.refused(turn, None, (), now)
            lane.hold_us = 0
        assert lane.is_in_trouble
        assert core.quotas.used_up(90.0) == []
        core.quotas.now = lambda: now + 100_000_000
        assert [used["model"] for used in core.quotas.used_up(90.0)] == ["gpt-4o"]
