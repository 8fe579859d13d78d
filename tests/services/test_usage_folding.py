"""What the roll-ups by few values and by spans of days say is what the minutes say, whatever is folded and when."""

import pytest
from sqlalchemy import text

from aiservice.jobs.rollup import fold
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.services import usage_reading
from aiservice.services.usage import Usage
from aiservice.services.usage_series import OTHER, Breakdown
from aiservice.store import client_list, invariants
from aiservice.store import usage as store
from aiservice.store import usage_folding as folding
from aiservice.store.request_log import hours_with
from aiservice.store.session import Database
from aiservice.store.usage import Asked, Scope
from tests.harness.seeding import seed_month
from tests.services.usage_rows import ADMIN, DEVELOPER, START_US, plan_of, put, row_of

TODAY = now_us() // DAY_US * DAY_US


async def counted(db: Database, table: str) -> int:
    async with db.read() as session:
        return int(await session.scalar(text(f"SELECT COALESCE(SUM(requests), 0) FROM {table}")) or 0)


async def test_a_day_is_folded_once_it_is_over_and_is_exact_before(db: Database) -> None:
    usage = Usage(db)
    await put(db, row_of("old", started_us=TODAY - DAY_US + HOUR_US), row_of("new", started_us=TODAY))
    for _ in range(2):
        series = await usage.series(ADMIN, TODAY - 2 * DAY_US, TODAY + DAY_US, Breakdown(bucket="day"))
        assert [point and point.requests for point in series.groups[0].points][1:] == [1, 1]
        await fold(usage)
    assert [await counted(db, f"usage_{name}") for name in ("hour", "day", "model_hour", "model_day")] == [2, 1, 2, 1]
    assert await counted(db, "usage_span") == 1


async def test_a_day_that_ended_without_another_request_is_folded_too(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = Usage(db)
    await put(db, row_of("a", started_us=TODAY))
    await fold(usage)
    assert await counted(db, "usage_day") == 0
    monkeypatch.setattr(folding, "now_us", lambda: TODAY + DAY_US + MINUTE_US)
    assert (await usage.series(ADMIN, TODAY, TODAY + DAY_US, Breakdown(bucket="day"))).groups[0].total.requests == 1
    await fold(usage)
    assert await counted(db, "usage_day") == 1
    assert (await usage.choices(ADMIN, TODAY))["model"] == [("claude-sonnet-4-5", "claude-sonnet-4-5")]


async def test_a_late_request_changes_its_day_and_span_by_itself_alone(db: Database) -> None:
    usage = Usage(db)
    at = TODAY - 3 * DAY_US
    await put(db, *(row_of(f"r{n}", started_us=at + n * HOUR_US, key_id=f"key_{n % 3}") for n in range(9)))
    await fold(usage)
    await put(db, row_of("late", started_us=at, key_id="key_0"))
    await fold(usage)
    assert [await counted(db, f"usage_{name}") for name in ("day", "model_day", "span")] == [10, 10, 10]
    async with db.read() as session:
        found = await session.execute(text("SELECT key_id, SUM(requests) FROM usage_span GROUP BY 1 ORDER BY 1"))
        assert [(row[0], int(row[1])) for row in found] == [("key_0", 4), ("key_1", 3), ("key_2", 3)]


@pytest.mark.long_on_postgres
async def test_the_largest_keys_of_a_long_range_are_those_that_minutes_tell(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_reading, "_MOST_LIKELY", 12)
    usage = Usage(db)
    rows = [
        row_of(
            f"r{n}", started_us=TODAY - 20 * DAY_US + n * 257 * MINUTE_US, key_id=f"key_{int((n * 7919 % 400) ** 0.5)}"
        )
        for n in range(110)
    ]
    await put(db, *rows, *(row_of(f"t{n}", started_us=TODAY, key_id="key_new") for n in range(40)))
    wanted: dict[str, int] = {}
    for row in [*rows, *(row_of(f"t{n}", started_us=TODAY, key_id="key_new") for n in range(40))]:
        wanted[row.key_id] = wanted.get(row.key_id, 0) + 1
    largest = sorted(wanted, key=lambda key: (-wanted[key], key))[:5]
    for _ in range(2):
        series = await usage.series(ADMIN, TODAY - 30 * DAY_US, TODAY + DAY_US, Breakdown("key", top=5))
        assert [group.id for group in series.groups] == [*largest, OTHER]
        assert sum(group.total.requests for group in series.groups) == 150
        assert sum(point.requests for group in series.groups for point in group.points if point) == 150
        await fold(usage)


async def test_everybodys_sums_are_the_same_by_few_values_as_by_all(db: Database) -> None:
    usage = Usage(db)
    rows = [
        row_of(f"r{n}", started_us=TODAY - 5 * DAY_US + n * 2 * HOUR_US, model=f"m{n % 3}", client_id=f"cli_{n % 2}")
        for n in range(50)
    ]
    await put(db, *rows)
    await fold(usage)
    by_model = await usage.series(ADMIN, TODAY - 6 * DAY_US, TODAY + DAY_US, Breakdown("model"))
    by_both = await usage.series(ADMIN, TODAY - 6 * DAY_US, TODAY + DAY_US, Breakdown("client", "model"))
    assert sum(group.total.input_tokens for group in by_model.groups) == 50_000
    assert {group.id for group in by_model.groups} == {group.sub_id for group in by_both.groups}
    assert (await usage.series(DEVELOPER, TODAY - 6 * DAY_US, TODAY + DAY_US)).groups[0].total.requests == 0


async def test_what_a_node_of_the_release_before_folded_is_put_right(db: Database) -> None:
    usage, few = Usage(db), ("model_hour", "model_day", "client_hour", "client_day", "client_model_day")
    await put(db, row_of("a", started_us=TODAY - DAY_US + HOUR_US), row_of("b", started_us=TODAY - HOUR_US))
    await fold(usage)
    async with db.write() as session:
        for name in few:
            await session.execute(text(f"UPDATE usage_{name} SET requests = 0"))
    await usage.fold_few_again()
    assert [await counted(db, f"usage_{name}") for name in few] == [2] * 5


async def test_a_day_that_is_not_folded_yet_is_no_fault(db: Database) -> None:
    await put(db, row_of("a", started_us=TODAY), row_of("b", started_us=TODAY - DAY_US))
    await fold(Usage(db))
    async with db.read() as session:
        assert await invariants.days_unlike_hours(session) == []
        assert await invariants.hours_unlike_minutes(session, 0) == []
    async with db.write() as session:
        await session.execute(text("UPDATE usage_day SET requests = 7"))
    async with db.read() as session:
        assert await invariants.days_unlike_hours(session) == [TODAY - DAY_US]


async def test_what_clients_have_spent_today_is_in_their_list(db: Database) -> None:
    await put(db, row_of("a", started_us=TODAY), row_of("b", started_us=TODAY - DAY_US), row_of("c", started_us=1))
    await fold(Usage(db))
    async with db.read() as session:
        found = await client_list.spent(session, ["cli_1"], [TODAY - DAY_US, TODAY])
    assert found == {"cli_1": (2, 7_500_000, 0)}


async def test_sums_by_owner_and_team_are_those_of_their_clients_gone_ones_too(db: Database) -> None:
    usage = Usage(db)
    clients = ("cli_own", "cli_1", "cli_gone")
    rows = [
        row_of(f"r{n}", started_us=TODAY - 5 * DAY_US + n * 2 * HOUR_US, client_id=clients[n % 3], model=f"m{n % 2}")
        for n in range(48)
    ]
    await put(db, *rows, row_of("today", started_us=TODAY, client_id="cli_own"))
    for _ in range(2):
        span = (TODAY - 6 * DAY_US, TODAY + DAY_US)
        by_user = await usage.series(ADMIN, *span, Breakdown("user"))
        assert [(group.id, group.total.requests) for group in by_user.groups] == [("", 32), ("usr_d", 17)]
        both = await usage.series(ADMIN, *span, Breakdown("model", "user", top=1))
        assert sum(group.total.requests for group in both.groups) == 49
        assert sum(point.requests for group in both.groups for point in group.points if point) == 49
        own = await usage.series(DEVELOPER, *span, Breakdown("team"))
        assert [(group.id, group.total.requests) for group in own.groups] == [("", 17)]
        await fold(usage)


@pytest.mark.parametrize(
    ("scope", "group_by", "grain", "table"),
    [
        (Scope(), (), "hour", "usage_model_hour"),
        (Scope(filters=(("provider", "rare"),)), (), "hour", "usage_model_hour"),
        (Scope(), ("user",), "hour", "usage_client_hour"),
        (Scope("usr_d"), (), "hour", "usage_client_hour"),
        (Scope(client_ids=("cli_1",), filters=(("client_id", "cli_1"),)), ("team",), "hour", "usage_client_hour"),
        (Scope("usr_d"), ("model",), "hour", "usage_hour"),
        (Scope("usr_d"), ("model",), "day", "usage_client_model_day"),
        (Scope("usr_d", (("task", "chat"),)), ("client_id", "model"), "day", "usage_client_model_day"),
        (Scope(), ("client_id", "model"), "day", "usage_client_model_day"),
        (Scope(), ("model",), "day", "usage_model_day"),
        (Scope("usr_d"), ("key_id", "model"), "day", "usage_day"),
        (Scope(chosen=(("key_id", ("key_1",)),)), (), "hour", "usage_hour"),
    ],
)
def test_sums_are_read_from_the_smallest_roll_up_that_has_them(
    scope: Scope, group_by: tuple[str, ...], grain: str, table: str
) -> None:
    assert Asked(scope, group_by, 0, ("requests",)).table(grain).name == table


async def test_a_developers_models_and_choices_are_those_of_minutes_whatever_is_folded(db: Database) -> None:
    usage = Usage(db)
    rows = [
        row_of(
            f"r{n}",
            started_us=TODAY - 6 * DAY_US + n * 2 * HOUR_US,
            client_id=("cli_own", "cli_1")[n % 3 == 0],
            model=f"m{n % 7 % 4}",
            task=f"t{n % 2}",
        )
        for n in range(75)
    ]
    await put(db, *rows)
    own: dict[str, int] = {}
    for row in rows:
        if row.client_id == "cli_own":
            own[row.model] = own.get(row.model, 0) + 1
    ranked = sorted(own, key=lambda model: (-own[model], model))
    for _ in range(2):
        span = (TODAY - 7 * DAY_US, TODAY + DAY_US)
        series = await usage.series(DEVELOPER, *span, Breakdown("model", bucket="day", top=2))
        rest = sum(own.values()) - own[ranked[0]] - own[ranked[1]]
        assert [(group.id, group.total.requests) for group in series.groups] == [
            *((model, own[model]) for model in ranked[:2]),
            (OTHER, rest),
        ]
        assert [sum(point.requests for point in group.points if point) for group in series.groups][2] == rest
        found = await usage.choices(DEVELOPER, TODAY - 7 * DAY_US)
        assert [model for model, _ in found["model"]] == ranked
        assert sorted(found["task"]) == [("t0", "t0"), ("t1", "t1")]
        await fold(usage)


async def test_the_largest_key_of_today_is_found_among_the_largest_clients(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_reading, "_MOST_LIKELY", 3)
    usage = Usage(db)
    old = [
        row_of(f"o{n}", started_us=TODAY - 9 * DAY_US, client_id=f"cli_{n % 8}", key_id=f"key_{n % 8}")
        for n in range(40)
    ]
    new = [row_of(f"n{n}", started_us=TODAY, client_id="cli_7", key_id="key_new") for n in range(9)]
    await put(db, *old, *new)
    for _ in range(2):
        series = await usage.series(ADMIN, TODAY - 20 * DAY_US, TODAY + DAY_US, Breakdown("key", top=1))
        assert (series.groups[0].id, series.groups[0].total.requests) == ("key_new", 9)
        assert sum(group.total.requests for group in series.groups) == 49
        await fold(usage)


async def test_the_hours_of_what_is_rare_are_looked_for_among_few_rows(db: Database) -> None:
    await put(db, *(row_of(f"r{n}", started_us=TODAY - DAY_US + n * MINUTE_US, key_id=f"key_{n}") for n in range(300)))
    await put(db, row_of("rare", started_us=TODAY - DAY_US + HOUR_US, provider="rare"))
    await fold(Usage(db))
    async with db.read() as session:
        hours = await hours_with(session, Scope(filters=(("provider", "rare"),)), (0, TODAY), 5, is_oldest=True)
        assert hours == [TODAY - DAY_US + HOUR_US]
        assert await session.scalar(text("SELECT COUNT(*) FROM usage_model_hour")) == 6


async def test_a_developers_choices_and_largest_keys_are_their_own_whatever_is_folded(db: Database) -> None:
    usage = Usage(db)
    days = [TODAY - n * DAY_US for n in range(5)]
    for n, at in enumerate(days):
        mine = (
            row_of(f"m{n}-{k}-{i}", started_us=at, client_id="cli_own", key_id=f"own_{k}")
            for k in range(4)
            for i in range(4 - k)
        )
        await put(db, *mine, *(row_of(f"t{n}-{k}", started_us=at, key_id=f"key_{k}", model="theirs") for k in range(9)))
    for _ in range(2):
        found = await usage.choices(DEVELOPER, days[-1])
        assert found["key_id"] == [(f"own_{k}", f"own_{k}") for k in range(4)]
        assert found["client_id"] == [("cli_own", "own")]
        assert found["model"] == [("claude-sonnet-4-5", "claude-sonnet-4-5")]
        series = await usage.series(DEVELOPER, days[-1], TODAY + DAY_US, Breakdown("key", top=2))
        assert [(group.id, group.total.requests) for group in series.groups] == [
            ("own_0", 20),
            ("own_1", 15),
            (OTHER, 15),
        ]
        await fold(usage)


@pytest.mark.sqlite_only("over so few rows PostgreSQL does as well without")
async def test_hours_of_a_developers_clients_are_found_by_their_index(db: Database) -> None:
    spans = [(START_US - 30 * DAY_US, START_US - 29 * DAY_US), (START_US - DAY_US, START_US)]
    await seed_month(db, 20_000, START_US, clients=400)
    asked = Asked(Scope("usr_7"), (), HOUR_US, ("requests", "errors"))
    found = await plan_of(db, store.summed({"hour": spans}, asked))
    assert "ix_usage_client_hour_client" in found, found
