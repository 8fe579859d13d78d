"""Usage: exact sums whatever is folded, each person only what is theirs, safe exports."""

import csv
import dataclasses
import itertools
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from aiservice.errors import InvalidRequest, PermissionDenied
from aiservice.jobs.rollup import fold
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import Person
from aiservice.services.request_log import CSV_COLUMNS, RequestLog
from aiservice.services.usage import Usage
from aiservice.services.usage_export import series_csv, series_json
from aiservice.services.usage_metrics import METRICS
from aiservice.services.usage_series import OTHER, Breakdown
from aiservice.services.usage_sums import Sums, plan
from aiservice.store.session import Database
from aiservice.tables import Horizon, Team
from tests.services.usage_rows import ADMIN, DEVELOPER, START_US, put, row_of

DAY = START_US // DAY_US * DAY_US


async def sums_since(usage: Usage, who: Person, since_us: int) -> Sums:
    (group,) = (await usage.series(who, since_us, now_us() + 1, Breakdown(bucket="day"))).groups
    return group.total


async def test_only_new_rows_are_inserted_and_summed(db: Database) -> None:
    assert await put(db, row_of("a"), row_of("b"), row_of("b")) == {"a", "b"}
    assert await put(db, row_of("b"), row_of("c", output_tokens=1)) == {"c"}
    sums = await sums_since(Usage(db), ADMIN, START_US)
    assert (sums.requests, sums.output_tokens) == (3, 101)


async def test_texts_with_nul_and_beyond_their_column_are_taken(db: Database) -> None:
    await put(db, row_of("a", requested_model="x\0" * 400, attempts=[{"model": "m\0"}], error_code="e" * 100))
    entry = await RequestLog(db).one(ADMIN, "a")
    assert (entry.requested_model, entry.attempts, entry.error_code) == ("x" * 200, [{"model": "m"}], "e" * 64)


async def test_sums_are_the_same_before_during_and_after_folding(db: Database) -> None:
    usage = Usage(db)
    times = [DAY - 2 * DAY_US + number * 47 * MINUTE_US for number in range(150)]
    await put(db, *(row_of(f"r{n}", started_us=at, model=f"m{n % 3}") for n, at in enumerate(times)))
    span = (DAY - DAY_US - 90 * MINUTE_US, DAY + 31 * MINUTE_US)
    expected = sum(1 for at in times if span[0] <= at < span[1])

    async def total(bucket: Any) -> tuple[int, int]:
        series = await usage.series(ADMIN, *span, Breakdown(bucket=bucket))
        return sum(group.total.requests for group in series.groups), sum(g.total.cost_nano_usd for g in series.groups)

    before = await total("minute")
    assert before == (expected, expected * 3_750_000)
    async with db.write() as session:
        from aiservice.store.usage_folding import fold_dirty_hours

        await fold_dirty_hours(session)
    assert await total("minute") == before
    assert await fold(usage) > 0
    assert await fold(usage) == 0
    assert await total("minute") == before
    everything = await sums_since(usage, ADMIN, times[0])
    assert everything.requests == 150
    hours = await usage.series(ADMIN, times[0], times[-1] + 1, Breakdown(bucket="hour"))
    assert sum(group.total.requests for group in hours.groups) == 150


async def test_folding_again_replaces_and_never_adds(db: Database) -> None:
    usage = Usage(db)
    for number in range(3):
        await put(db, row_of(f"r{number}"))
        await fold(usage)
        async with db.read() as session:
            hour = (await session.execute(text("SELECT sum(requests), sum(latency_6) FROM usage_hour"))).one()
            day = (await session.execute(text("SELECT sum(requests), sum(latency_6) FROM usage_day"))).one()
        assert hour == day
        assert int(hour[0]) == number + 1


async def test_a_developer_sees_only_what_their_clients_did(db: Database) -> None:
    usage = Usage(db)
    await put(db, row_of("theirs"), row_of("own", client_id="cli_own", client="own"))
    assert (await sums_since(usage, DEVELOPER, START_US)).requests == 1
    assert (await sums_since(usage, ADMIN, START_US)).requests == 2
    series = await usage.series(DEVELOPER, START_US, START_US + HOUR_US, Breakdown("client"))
    assert [(group.id, group.name) for group in series.groups] == [("cli_own", "own")]
    assert (
        await usage.series(DEVELOPER, START_US, START_US + HOUR_US, Breakdown(filters={"client_id": "cli_1"}))
    ).groups[0].id == ""


async def test_no_data_is_not_zero(db: Database) -> None:
    now = now_us() // MINUTE_US * MINUTE_US
    usage = Usage(db)
    span = (now - 5 * MINUTE_US, now + 2 * MINUTE_US)
    assert set((await usage.series(ADMIN, *span, Breakdown(bucket="minute"))).groups[0].points) == {None}
    await put(db, row_of("r", started_us=now - 3 * MINUTE_US))
    points = (await usage.series(ADMIN, *span, Breakdown(bucket="minute"))).groups[0].points
    assert [None if point is None else point.requests for point in points[:5]] == [None, None, 1, 0, 0]
    assert points[-1] is None
    assert points[3] is not None
    assert points[3].p50_ms is None


async def test_groups_have_names_and_the_rest_is_other(db: Database) -> None:
    usage = Usage(db)
    await put(db, *(row_of(f"r{n}", model=f"m{n % 7}") for n in range(40)), row_of("k", key_id="key_gone"))
    models = await usage.series(ADMIN, START_US, START_US + HOUR_US, Breakdown("model", top=3))
    assert [group.id for group in models.groups][-1] == OTHER
    assert sum(group.total.requests for group in models.groups) == 41
    keys = await usage.series(ADMIN, START_US, START_US + HOUR_US, Breakdown("key"))
    assert [(group.id, group.name) for group in keys.groups] == [("key_1", "prod"), ("key_gone", "key_gone")]


async def test_a_range_of_too_many_buckets_is_refused(db: Database) -> None:
    with pytest.raises(InvalidRequest):
        await Usage(db).series(ADMIN, 0, DAY, Breakdown(bucket="minute"))
    with pytest.raises(InvalidRequest):
        await Usage(db).series(ADMIN, DAY + DAY_US, DAY)


async def test_a_client_is_told_its_own_usage(db: Database) -> None:
    await put(db, row_of("a"), row_of("b", key_id="key_2"), row_of("c", client_id="cli_own"))
    assert (await Usage(db).of_client("cli_1", START_US)).requests == 2
    assert (await Usage(db).of_client("cli_1", START_US, "key_2")).requests == 1


def test_percentiles_lie_in_their_bucket() -> None:
    sums = Sums(requests=100, latencies=(0, 90, 0, 0, 10, *([0] * 9)))
    assert sums.p50_ms is not None
    assert sums.p95_ms is not None
    assert 10 < sums.p50_ms <= 20
    assert 80 < sums.p95_ms <= 160
    assert Sums().p50_ms is None


def test_a_plan_covers_the_range_once_and_reads_dirty_hours_from_minutes() -> None:
    span, dirty = (DAY - 30 * MINUTE_US, DAY + 3 * DAY_US + 61 * MINUTE_US), [DAY + DAY_US + 5 * HOUR_US]
    parts = plan(span, dirty, 0)
    pieces = sorted(piece for spans in parts.values() for piece in spans)
    assert pieces[0][0] == span[0]
    assert pieces[-1][1] == span[1]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))
    assert (dirty[0], dirty[0] + HOUR_US) in parts["minute"]
    assert parts["day"] == [(DAY, DAY + DAY_US), (DAY + 2 * DAY_US, DAY + 3 * DAY_US)]
    assert set(plan(span, dirty, HOUR_US)) == {"minute", "hour"}
    assert set(plan(span, dirty, MINUTE_US)) == {"minute"}


def test_csv_columns_are_those_of_the_contract() -> None:
    wanted = (
        "request_id client key_id task surface provider model status input_tokens output_tokens cost_nano_usd "
        "usage_source started_at ended_at attempts"
    )
    assert set(wanted.split()) <= set(CSV_COLUMNS)
    assert {field.name for field in dataclasses.fields(Sums)} > {"requests", "unpriced"}


async def test_requests_are_counted_by_how_they_ended_and_nothing_else_is(db: Database) -> None:
    rows = [
        row_of("ok"),
        row_of("late", status=499, outcome="client_left"),
        row_of("limit", status=429, outcome="failed"),
        row_of("bad", status=400, outcome="failed"),
        row_of("down", status=502, outcome="failed"),
        row_of("cut", status=200, outcome="upstream_truncated"),
    ]
    await put(db, *rows)
    span = (START_US, START_US + HOUR_US)
    series = await Usage(db).series(ADMIN, *span, Breakdown("status"))
    found = {group.id: group.total.requests for group in series.groups}
    assert found == {"answered": 1, "hung_up": 1, "limited": 1, "refused": 1, "failed": 1, "cut": 1}
    assert series.is_kept
    assert not (await Usage(db).series(ADMIN, *span, Breakdown("status", metric="cost"))).is_kept
    assert (await sums_since(Usage(db), ADMIN, START_US)).errors == 4


async def test_a_group_is_taken_apart_by_another_and_the_rest_is_exact(db: Database) -> None:
    rows = [row_of(f"r{n}", model=f"m{n % 5}", task=f"t{n % 3}", cost_nano_usd=n) for n in range(60)]
    await put(db, *rows)
    asked = Breakdown("task", "model", metric="cost", top=4)
    series = await Usage(db).series(ADMIN, START_US, START_US + HOUR_US, asked)
    assert [bool(group.sub_id) for group in series.groups] == [True] * 4 + [False]
    assert sum(group.total.cost_nano_usd for group in series.groups) == sum(range(60))
    assert sum(point.cost_nano_usd for group in series.groups for point in group.points if point) == sum(range(60))
    costs = [group.total.cost_nano_usd for group in series.groups[:-1]]
    assert costs == sorted(costs, reverse=True)


async def test_teams_are_those_that_clients_are_in_now(db: Database) -> None:
    async with db.write() as session:
        session.add(Team(id="team_1", name="finance", created_us=1))
        await session.flush()
        await session.execute(text("UPDATE client SET team_id = 'team_1' WHERE id = 'cli_1'"))
    await put(db, row_of("a"), row_of("b"), row_of("c", client_id="cli_own"))
    series = await Usage(db).series(ADMIN, START_US, START_US + HOUR_US, Breakdown("team"))
    assert [(group.id, group.name, group.total.requests) for group in series.groups] == [
        ("team_1", "finance", 2),
        ("", "", 1),
    ]


async def test_first_bytes_fallbacks_and_cache_writes_are_summed(db: Database) -> None:
    moved = [{"provider": "a", "model": "m", "status": 503}, {"provider": "b", "model": "m", "status": 200}]
    again = [{"provider": "a", "model": "m", "status": 503}, {"provider": "a", "model": "m", "status": 200}]
    await put(
        db,
        row_of("a", attempts=moved, cache_write_tokens=7),
        row_of("b", attempts=again),
        row_of("c", first_byte_us=None),
    )
    usage, span = Usage(db), (START_US, START_US + HOUR_US)
    for _ in range(2):  # from the minutes, and folded
        (group,) = (await usage.series(ADMIN, *span, Breakdown(bucket="hour", has_all=True))).groups
        assert (group.total.fallbacks, group.total.cache_write_tokens) == (1, 7)
        assert sum(group.total.first_bytes) == 2
        assert group.total.first_byte_ms(0.5) == pytest.approx(80, abs=80)
        await fold(usage)


async def test_what_is_not_counted_in_tokens_is_summed_by_its_unit(db: Database) -> None:
    await put(
        db,
        *(row_of(f"i{n}", key_id="key_2", task="image-generation", units=3, unit="image") for n in range(2)),
        row_of("s", task="speech-to-text", units=61, unit="second"),
        row_of("c", task="text-to-speech", units=900, unit="character"),
        row_of("r", task="rerank", units=2, unit="search"),
        row_of("t"),
    )
    usage, span = Usage(db), (START_US, START_US + HOUR_US)
    asked = Breakdown(bucket="hour", group_by="key", metric="images")
    for _ in range(2):  # from the minutes, and folded
        (group,) = (await usage.series(ADMIN, *span, Breakdown(bucket="hour", has_all=True))).groups
        assert group.total.units == {"images": 6, "seconds": 61, "characters": 900, "searches": 2}
        keys = (await usage.series(ADMIN, *span, asked)).groups
        assert [(one.id, one.total.images) for one in keys] == [("key_2", 6), ("key_1", 0)]
        await fold(usage)
    lines = [line async for line in series_csv(await usage.series(ADMIN, *span, asked), asked)]
    heads = lines[0].strip().split(",")
    assert {line.split(",")[heads.index("images")] for line in lines[1:]} == {"6", ""}, "none is not known to be 0"


async def test_what_was_not_kept_then_is_unknown_and_not_zero(db: Database) -> None:
    await put(db, row_of("a"), row_of("b", started_us=START_US + 3 * HOUR_US))
    async with db.write() as session:
        session.add(Horizon(name="usage_detail", before_us=(START_US // HOUR_US + 2) * HOUR_US))
    span = (START_US // HOUR_US * HOUR_US, (START_US // HOUR_US + 4) * HOUR_US)
    series = await Usage(db).series(ADMIN, *span, Breakdown(bucket="hour", metric="fallback_rate"))
    assert [point is None for point in series.groups[0].points] == [True, True, False, False]
    requests = await Usage(db).series(ADMIN, *span, Breakdown(bucket="hour"))
    assert [point is None for point in requests.groups[0].points] == [False] * 4
    lines = [line async for line in series_csv(requests, Breakdown(bucket="hour"))]
    heads, first = lines[0].strip().split(","), lines[1].strip().split(",")
    assert first[heads.index("fallbacks")] == ""
    assert first[heads.index("requests")] == "1"


async def test_a_period_is_compared_with_the_one_before_it(db: Database) -> None:
    rows = [row_of(f"old{n}", started_us=START_US - DAY_US, model=f"m{n % 2}") for n in range(4)]
    await put(db, *rows, row_of("new", model="m0"), row_of("first", started_us=START_US - 3 * DAY_US))
    span = (START_US // HOUR_US * HOUR_US, START_US // HOUR_US * HOUR_US + DAY_US)
    series = await Usage(db).series(ADMIN, *span, Breakdown("model", bucket="hour", is_compared=True))
    assert [(group.id, group.before and group.before.requests) for group in series.groups] == [("m0", 2)]
    assert series.before is not None
    assert [point.requests for point in series.before if point] == [4, *[0] * 23]
    unknown = await Usage(db).series(ADMIN, span[0] - 9 * DAY_US, span[1] - 9 * DAY_US, Breakdown(is_compared=True))
    assert unknown.groups[0].before is None
    assert set(map(type, unknown.before or [])) == {type(None)}


async def test_an_export_as_json_says_what_the_csv_says(db: Database) -> None:
    await put(db, row_of("a"), row_of("b", model="m2"))
    asked = Breakdown("model", bucket="hour", has_all=True)
    series = await Usage(db).series(ADMIN, START_US, START_US + HOUR_US, asked)
    document = orjson.loads("".join([line async for line in series_json(series, asked)]))
    heads, *rows = csv.reader([line async for line in series_csv(series, asked)])
    assert [str(row["requests"]) for row in document["data"]] == [row[heads.index("requests")] for row in rows]
    assert {row["model"] for row in document["data"]} == {"claude-sonnet-4-5", "m2"}
    assert document["data"][0]["p50_ms"] is not None


def test_no_price_and_no_report_are_not_zero() -> None:
    assert METRICS["cost"].value(Sums(requests=2, unpriced=2)) is None
    assert METRICS["cost"].value(Sums()) == 0
    assert METRICS["cache_read"].value(Sums(requests=2)) is None
    assert METRICS["fallback_rate"].value(Sums()) is None
    assert METRICS["p95"].value(Sums(requests=1)) is None


async def test_there_are_no_other_measures_and_no_users_for_developers(db: Database) -> None:
    with pytest.raises(InvalidRequest):
        await Usage(db).series(ADMIN, START_US, START_US + HOUR_US, Breakdown(metric="colour"))
    with pytest.raises(PermissionDenied):
        await Usage(db).series(DEVELOPER, START_US, START_US + HOUR_US, Breakdown("key", "user"))
