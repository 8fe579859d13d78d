"""From what workers saw to a verdict in the database: the judge over stored minutes, on one clock of the test."""

from typing import Any

import pytest

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.abuse_features import Counts
from aiservice.services.abuse_judge import AbuseJudge
from aiservice.services.abuse_replay import AbuseReplay
from aiservice.services.alert_notes import AlertNotes
from aiservice.services.changes import ChangeFeed
from aiservice.services.sanctions import Sanctions, Verdict
from aiservice.store import abuse as store
from aiservice.store.session import Database

HOME = "aaaaaaaa"
USUAL = {**Counts(requests=300, tokens=60_000)._asdict(), "peak_minute": 9, "peak_ten": 60, "is_tainted": False}


class Rig:
    """A client with two weeks of the same hour behind it, now half an hour into another."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.alerts = AlertNotes(db)
        self.sanctions = Sanctions(db, ChangeFeed(db))
        self.judge = AbuseJudge(db, self.sanctions, self.alerts)
        self.now = now_us() // HOUR_US * HOUR_US + 30 * MINUTE_US

    async def remember(self) -> None:
        start = self.now // HOUR_US * HOUR_US
        rows: list[dict[str, Any]] = [
            {
                "start_us": start - back * HOUR_US,
                "client_id": "cli_1",
                "counts": USUAL,
                "networks": {HOME: 300},
                "models": {},
            }
            for back in range(1, 14 * 24 + 1)
        ]
        async with self.db.write() as session:
            await store.put_hours(session, rows)

    async def minute(self, back: int, requests: int, **more: Any) -> None:
        """What a worker saw `back` minutes ago."""
        row = {"networks": {HOME: requests}, "prompts": {}, "failures": 0, **more}
        at = self.now // MINUTE_US * MINUTE_US - back * MINUTE_US
        row |= {"start_us": at, "client_id": "cli_1", "worker_id": "wrk_1", "requests": requests}
        async with self.db.write() as session:
            await store.put_minutes(session, [row])

    async def verdicts(self) -> list[Verdict]:
        await self.judge.judge(self.now)
        return await self.sanctions.list(OPERATOR)


@pytest.fixture
async def judged(db: Database) -> Rig:
    rig = Rig(db)
    await rig.remember()
    return rig


async def test_the_usual_is_no_verdict(judged: Rig) -> None:
    for back in range(10):
        await judged.minute(back, 5)
    assert await judged.verdicts() == []


async def test_a_flood_is_told_with_what_was_seen_and_what_was_usual(judged: Rig) -> None:
    await judged.minute(0, 400, prompts={"0badcafe": 390})
    verdict = (await judged.verdicts())[0]
    assert (verdict.client, verdict.level, verdict.policy) == ("acme", "alert", "alert_only")
    found = {f"{each.feature}/{each.window}": each for each in verdict.evidence}
    assert found["requests/minute"].observed == 400
    assert found["requests/minute"].expected == 9
    assert found["repeated prompts/10 minutes"].observed == 389
    assert judged.alerts.waiting == 1


async def test_the_same_is_told_once(judged: Rig) -> None:
    await judged.minute(0, 400)
    await judged.verdicts()
    await judged.minute(0, 450)
    assert len(await judged.verdicts()) == 1


async def test_what_goes_on_is_written_once_a_minute(judged: Rig) -> None:
    await judged.minute(0, 400)
    first = (await judged.verdicts())[0].until_us
    judged.now += 20 * SECOND_US
    assert (await judged.verdicts())[0].until_us == first
    judged.now += 40 * SECOND_US
    assert (await judged.verdicts())[0].until_us == first + MINUTE_US


async def test_somebody_else_from_elsewhere_is_slowed_down_where_the_policy_lets_it(judged: Rig) -> None:
    await judged.sanctions.set_policy(OPERATOR, "acme", "automatic")
    await judged.minute(0, 400, networks={"bbbbbbbb": 400})
    assert (await judged.verdicts())[0].level == "throttle"
    async with judged.db.write() as session:
        client = await store.client(session, "cli_1")
    assert client is not None
    assert client.sanction is not None
    assert client.sanction["rpm"] == 11  # its usual peak and a fifth


async def test_an_undo_teaches(judged: Rig) -> None:
    await judged.minute(0, 400)
    verdict = (await judged.verdicts())[0]
    await judged.sanctions.undo(OPERATOR, verdict.id)
    await judged.minute(0, 500)
    assert len(await judged.verdicts()) == 1  # half as much again is forgiven
    await judged.minute(0, 900)
    assert len(await judged.verdicts()) == 2


async def test_another_judge_takes_over_what_was_said_and_forgiven(judged: Rig) -> None:
    await judged.minute(0, 400)
    await judged.verdicts()
    judged.judge = AbuseJudge(judged.db, judged.sanctions, judged.alerts)
    assert len(await judged.verdicts()) == 1


async def test_a_ceiling_holds_from_the_first_minute_and_whatever_the_policy(db: Database) -> None:
    rig = Rig(db)
    await rig.sanctions.set_policy(OPERATOR, "acme", "alert_only", {"requests/minute": (100, "block")})
    await rig.minute(0, 101)
    verdict = (await rig.verdicts())[0]
    assert verdict.level == "block"
    assert verdict.evidence[0].expected == 100


async def test_guessing_is_seen_without_a_baseline(db: Database) -> None:
    rig = Rig(db)
    await rig.minute(0, 0, failures=80)
    assert (await rig.verdicts())[0].evidence[0].feature == "failed authentications"


async def test_an_hour_that_is_over_is_learned_once(judged: Rig) -> None:
    await judged.minute(0, 5)
    await judged.verdicts()
    judged.now += HOUR_US
    await judged.minute(0, 5)
    await judged.verdicts()
    async with judged.db.read() as session:
        hours = await store.hours(session, "cli_1", judged.now - 3 * HOUR_US, judged.now)
    assert [row.counts["requests"] for row in hours] == [300, 5]


async def test_an_hour_that_a_dead_judge_did_not_learn_is_learned_by_the_next(db: Database) -> None:
    rig = Rig(db)
    await rig.minute(40, 7)  # of the hour before
    await rig.minute(0, 1)
    await rig.verdicts()
    async with db.read() as session:
        hours = await store.hours(session, "cli_1", rig.now - 3 * HOUR_US, rig.now)
    assert [row.counts["requests"] for row in hours] == [7]


async def test_a_replay_tells_what_a_policy_would_have_done_and_does_nothing(db: Database) -> None:
    rig = Rig(db)
    rig.now = now_us() // MINUTE_US * MINUTE_US - DAY_US
    await rig.minute(0, 400, networks={"bbbbbbbb": 400})
    replay = AbuseReplay(db)
    assert await replay.run(OPERATOR, "acme", "automatic") == []  # too young to have a usual
    found = await replay.run(OPERATOR, "acme", "automatic", {"requests/minute": (300, "quarantine")})
    assert [each.level for each in found] == ["quarantine"]
    assert found[0].at_us == rig.now + MINUTE_US
    assert await rig.sanctions.list(OPERATOR) == []
