"""The list of clients: in pages that miss nobody, with the figures of each, and of one's own alone."""

import pytest

from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.client_list import Asked, ClientList
from aiservice.store.session import Database
from aiservice.tables import Budget, Client, ClientKey, Team, UsageClientDay, UsageClientHour
from tests.services.cast import person


@pytest.fixture
def clients(database: Database) -> ClientList:
    return ClientList(database)


async def test_the_pages_miss_nobody_and_count_all(clients: ClientList, database: Database) -> None:
    async with database.write() as session:
        for n in range(23):
            session.add(Client(id=f"cli_{n}", name=f"shop-{n:02}", created_us=n))
    seen, after = [], ""
    while True:
        page = await clients.page(OPERATOR, Asked(), after=after, limit=10)
        assert page.total == 23
        seen += [line.client.name for line in page.lines]
        after = page.following
        if not after:
            break
    assert seen == [f"shop-{n:02}" for n in range(23)]


async def test_each_line_has_its_own_keys_spending_budgets_and_state(clients: ClientList, database: Database) -> None:
    now = now_us()
    today = now // DAY_US * DAY_US
    async with database.write() as session:
        session.add(Team(id="team_1", name="search", created_us=1))
        await session.flush()
        blocked = {"id": "san_1", "level": "block", "until_us": now + DAY_US}
        session.add(Client(id="cli_a", name="a", team_id="team_1", created_us=1, sanction=blocked))
        session.add(Client(id="cli_b", name="b", is_disabled=True, created_us=1))
        await session.flush()
        session.add(ClientKey(id="key_1", client_id="cli_a", name="1", created_us=1, last_used_us=77))
        session.add(ClientKey(id="key_2", client_id="cli_a", name="2", created_us=1, revoked_us=5))
        session.add(ClientKey(id="key_3", client_id="cli_a", name="3", created_us=1, expires_us=5))
        session.add(UsageClientHour(start_us=today, client_id="cli_a", requests=5, cost_nano_usd=7, unpriced=1))
        session.add(UsageClientDay(start_us=today - 29 * DAY_US, client_id="cli_a", requests=1, cost_nano_usd=2))
        session.add(UsageClientDay(start_us=today - 30 * DAY_US, client_id="cli_a", requests=90, cost_nano_usd=90))
        session.add(
            Budget(
                id="bud_1",
                scope="client",
                subject="cli_a",
                measure="money",
                period="month",
                cap=20_000_000_000,
                warn_percent=[80],
                created_us=1,
            )
        )
    one, other = (await clients.page(OPERATOR, Asked())).lines
    assert (one.live_keys, one.last_used_us, one.requests, one.cost_nano_usd, one.unpriced) == (1, 77, 6, 9, 1)
    assert (one.budgets, one.sanction, one.client.team) == (("20 USD a month",), "block", "search")
    assert (other.live_keys, other.requests, other.budgets, other.sanction) == (0, 0, (), "")


async def test_it_is_narrowed_by_words_team_and_state(clients: ClientList, database: Database) -> None:
    ada = await person(database, "ada@example.org")
    async with database.write() as session:
        session.add(Team(id="team_1", name="search", created_us=1))
        await session.flush()
        session.add(Client(id="cli_a", name="Shop", owner_id=ada.user_id, created_us=1))
        session.add(Client(id="cli_b", name="50%_off", team_id="team_1", is_disabled=True, created_us=1))

    async def names(asked: Asked) -> list[str]:
        return [line.client.name for line in (await clients.page(OPERATOR, asked)).lines]

    assert await names(Asked("sHOP")) == ["Shop"]
    assert await names(Asked("ADA@")) == ["Shop"]
    assert await names(Asked("%_")) == ["50%_off"], "a sign that SQL knows is a sign"
    assert await names(Asked(team="search")) == ["50%_off"]
    assert await names(Asked(state="active")) == ["Shop"]
    assert await names(Asked(state="disabled")) == ["50%_off"]


async def test_a_developer_sees_their_own_alone(clients: ClientList, database: Database) -> None:
    ada = await person(database, "ada@example.org")
    async with database.write() as session:
        session.add(Client(id="cli_a", name="hers", owner_id=ada.user_id, created_us=1))
        session.add(Client(id="cli_b", name="not hers", created_us=1))
    assert await clients.one(ada, "cli_b") is None
    assert (await clients.one(ada, "cli_a")) is not None
    page = await clients.page(ada, Asked())
    assert ([line.client.name for line in page.lines], page.total) == (["hers"], 1)
