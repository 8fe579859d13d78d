"""Rules over real roll-ups: they fire once, resolve once, and whoever looks next goes on from there."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US, MINUTE_US, SECOND_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.alert_rules import AlertRules, RuleTerms
from aiservice.services.alert_watch import AlertWatch
from aiservice.services.usage import Usage
from aiservice.store.session import Database
from aiservice.tables import AlertEvent, ClientKey
from tests.services.key_rig import DEVELOPER
from tests.services.usage_rows import put, row_of

NOON_US = 1_795_000_000_000_000 // MINUTE_US * MINUTE_US
FAILING = RuleTerms("error_share", 20.0, scope="connection", for_seconds=60)


class Watched:
    """A database with rules of the test's own, and a worker that looks at it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.rules = AlertRules(db)
        self._asked = 0

    async def only(self, terms: RuleTerms) -> None:
        for rule in await self.rules.list(OPERATOR):
            await self.rules.switch(OPERATOR, rule.id, is_on=False)
        await self.rules.set(OPERATOR, "the rule", terms)

    async def requests(self, at_us: int, good: int, bad: int = 0, **values: str) -> None:
        rows = []
        for place in range(good + bad):
            self._asked += 1
            ended = {} if place < good else {"status": 502, "outcome": "failed"}
            rows.append(row_of(f"req_{self._asked}", started_us=at_us, **ended, **values))
        await put(self.db, *rows)

    async def look(self, at_us: int) -> None:
        await AlertWatch(self.db, Usage(self.db), AlertRules(self.db)).look(at_us)  # a worker that has just started

    async def alerts(self) -> Sequence[AlertEvent]:
        async with self.db.read() as session:
            return (await session.scalars(select(AlertEvent).order_by(AlertEvent.first_us))).all()  # type: ignore[arg-type]


@pytest.fixture
def watched(db: Database) -> Watched:
    return Watched(db)


async def test_a_provider_that_fails_fires_once_and_resolves_once(watched: Watched) -> None:
    await watched.only(FAILING)
    await watched.requests(NOON_US, good=10, bad=10)
    for seconds in range(0, 121, 15):
        await watched.look(NOON_US + seconds * SECOND_US)
    [alert] = await watched.alerts()
    assert alert.words == ("Share of requests that failed of connection eu-anthropic: 50 % in 5m, above 20 %.")
    assert (alert.count, alert.subject, alert.evidence["requests"]) == (1, "eu-anthropic", 20)
    await watched.requests(NOON_US + 6 * MINUTE_US, good=50)
    for seconds in range(360, 500, 15):
        await watched.look(NOON_US + seconds * SECOND_US)
    [alert] = await watched.alerts()
    assert alert.resolved_us is not None


async def test_too_few_requests_are_no_data(watched: Watched) -> None:
    await watched.only(replace(FAILING, for_seconds=0))
    await watched.requests(NOON_US, good=0, bad=9)
    await watched.look(NOON_US)
    assert await watched.alerts() == []
    await watched.requests(NOON_US, good=0, bad=1)
    await watched.look(NOON_US)
    assert len(await watched.alerts()) == 1


async def test_no_traffic_of_a_client_that_had_some(watched: Watched) -> None:
    await watched.only(RuleTerms("requests", 1.0, is_below=True, scope="client", window_seconds=600))
    await watched.requests(NOON_US, good=3)
    await watched.look(NOON_US + 5 * MINUTE_US)
    assert await watched.alerts() == []
    await watched.look(NOON_US + 11 * MINUTE_US)
    [alert] = await watched.alerts()
    assert (alert.client_id, alert.words) == ("cli_1", "Requests of client acme: 0 in 10m, below 1.")
    await watched.requests(NOON_US + 12 * MINUTE_US, good=1)
    await watched.look(NOON_US + 12 * MINUTE_US)
    assert (await watched.alerts())[0].resolved_us is not None


async def test_a_cost_of_one_client(watched: Watched) -> None:
    await watched.only(RuleTerms("cost", 0.01, scope="client", subject="acme", window_seconds=3600))
    await watched.requests(NOON_US, good=2)
    await watched.look(NOON_US)
    assert await watched.alerts() == []
    await watched.requests(NOON_US, good=2)
    await watched.look(NOON_US)
    assert [alert.subject for alert in await watched.alerts()] == ["cli_1"]


async def test_a_key_that_expires_soon_until_it_is_rolled(watched: Watched) -> None:
    now = now_us()
    async with watched.db.write() as session:
        for number, days in enumerate((3, 30)):
            name, expires = f"key_e{number}", now + days * DAY_US
            session.add(ClientKey(id=name, client_id="cli_1", name=name, created_us=1, expires_us=expires))
    await watched.look(now)
    [alert] = await watched.alerts()
    assert (alert.kind, alert.subject, alert.client_id) == ("key_expiry", "key_e0", "cli_1")
    assert alert.words == "The key key_e0 of acme expires in 3.0 days. Roll it, or give it a later end."
    async with watched.db.write() as session:
        key = await session.get(ClientKey, "key_e0")
        assert key is not None
        key.expires_us = now + 60 * DAY_US
    await watched.look(now)
    assert (await watched.alerts())[0].resolved_us == now


async def test_a_rule_that_is_switched_off_or_changed_resolves_what_it_found(watched: Watched) -> None:
    await watched.only(replace(FAILING, for_seconds=0))
    await watched.requests(NOON_US, good=0, bad=20)
    await watched.look(NOON_US)
    await watched.rules.set(OPERATOR, "the rule", replace(FAILING, threshold=50.0, for_seconds=0))
    await watched.look(NOON_US)
    await watched.rules.switch(OPERATOR, "the rule", is_on=False)
    await watched.look(NOON_US)
    assert [alert.resolved_us is not None for alert in await watched.alerts()] == [True, True]


async def test_what_is_not_said_again_in_time_ends(watched: Watched) -> None:
    from aiservice.services.alert_notes import AlertNotes

    notes = AlertNotes(watched.db)
    notes.note("provider_down", "con", "It is down.", ends_after_seconds=60)
    await notes.flush()
    await watched.look(now_us() + 30 * SECOND_US)
    assert (await watched.alerts())[0].resolved_us is None
    await watched.look(now_us() + 61 * SECOND_US)
    assert (await watched.alerts())[0].resolved_us is not None


async def test_there_are_sensible_rules_from_the_start_which_cannot_be_removed(db: Database) -> None:
    rules = AlertRules(db)
    known = {rule.metric: rule for rule in await rules.list(OPERATOR)}
    assert {"error_share", "key_expiry", "provider_down", "budget_level", "ledger_lag", "vault"} <= known.keys()
    assert known["error_share"].threshold == 20.0
    with pytest.raises(BrokerError) as raised:
        await rules.remove(OPERATOR, known["error_share"].name)
    assert raised.value.code == "built_in"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metric": "eror_share"}, "invalid_metric"),
        ({"threshold": None}, "invalid_threshold"),
        ({"threshold": float("nan")}, "invalid_threshold"),
        ({"threshold": -1.0}, "invalid_threshold"),
        ({"scope": "planet"}, "invalid_scope"),
        ({"scope": "all", "subject": "x"}, "invalid_scope"),
        ({"scope": "client", "subject": "nobody"}, "client_not_found"),
        ({"window_seconds": 5}, "invalid_window"),
        ({"for_seconds": 10**6}, "invalid_for"),
        ({"no_data": "maybe"}, "invalid_no_data"),
        ({"channels": ("none",)}, "alert_channel_not_found"),
        ({"metric": "budget_level"}, "invalid_threshold"),
    ],
)
@pytest.mark.sqlite_only("refused before anything is stored")
async def test_what_cannot_be_watched_is_refused(db: Database, change: dict[str, object], code: str) -> None:
    with pytest.raises(BrokerError) as raised:
        await AlertRules(db).set(OPERATOR, "the rule", replace(FAILING, **change))  # type: ignore[arg-type]
    assert raised.value.code == code


async def test_a_developer_sees_no_rules(db: Database) -> None:
    for work in (AlertRules(db).list(DEVELOPER), AlertRules(db).set(DEVELOPER, "x", FAILING)):
        with pytest.raises(BrokerError, match="Only an admin"):
            await work


async def test_an_alert_says_who_made_its_figure(watched: Watched) -> None:
    await watched.only(RuleTerms("error_share", 20.0, scope="all"))
    await watched.requests(NOON_US, good=12, bad=2, key_id="key_1", model="gpt-5-mini")
    await watched.requests(NOON_US, good=0, bad=8, client_id="cli_own", key_id="key_2", model="claude-haiku-4-5")
    await watched.look(NOON_US)
    [alert] = await watched.alerts()
    parts = [(part["by"], part["name"], part["value"], part["share"]) for part in alert.evidence["contributors"]]
    assert parts == [
        ("client", "own", 8.0, 0.8), ("client", "acme", 2.0, 0.2),
        ("key", "key_2", 8.0, 0.8), ("key", "prod", 2.0, 0.2),
        ("provider", "eu-anthropic", 10.0, 1.0),
        ("model", "claude-haiku-4-5", 8.0, 0.8), ("model", "gpt-5-mini", 2.0, 0.2),
    ]  # fmt: skip
    assert {part["of"] for part in alert.evidence["contributors"]} == {"failed requests"}


@pytest.mark.parametrize("metric", ["requests", "tokens", "cost", "latency_p95"])
async def test_shares_are_of_what_the_rule_measures_within_its_own_scope(watched: Watched, metric: str) -> None:
    await watched.only(RuleTerms(metric, 0.0, scope="client", subject="cli_1"))
    await watched.requests(NOON_US, good=15, key_id="key_1")
    await watched.requests(NOON_US, good=5, key_id="key_1", model="other-model")
    await watched.requests(NOON_US, good=30, client_id="cli_own", key_id="key_9")
    await watched.look(NOON_US)
    [alert] = await watched.alerts()
    parts = alert.evidence["contributors"]
    assert {part["by"] for part in parts} == {"key", "provider", "model"}
    assert [part["share"] for part in parts if part["by"] == "model"] == [0.75, 0.25]
    assert [part["id"] for part in parts if part["by"] == "key"] == ["key_1"]


async def test_nobody_made_a_figure_that_is_too_low(watched: Watched) -> None:
    await watched.only(RuleTerms("requests", 50.0, scope="all", is_below=True))
    await watched.requests(NOON_US, good=5)
    await watched.look(NOON_US)
    [alert] = await watched.alerts()
    assert "contributors" not in alert.evidence
