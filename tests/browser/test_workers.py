"""The portal over several workers: a page's socket is with one of them, its requests and its news with any.

Redis flushed, a worker killed, Redis away: the person stays signed in, on the same page, and sees no error.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Tab, chromium
from tests.browser.test_walk import first_call, overview_moves, requests_tile, set_up, status_of
from tests.harness import Installation, ServerProcess
from tests.harness.databases import RedisServer
from tests.harness.evidence import Evidence
from tests.harness.process import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.redis]

TURN_SECONDS = 2.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def installation(tmp_path: Path, redis: RedisServer) -> Installation:
    return Installation(tmp_path, {"AISERVICE_REDIS_URL": redis.url, "GRANIAN_WORKERS": "2"})


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server() as server:
        yield server


def test_r29_the_walk_over_two_workers_survives_a_flushed_redis(
    installation: Installation, server: ServerProcess, redis: RedisServer, shots: Path, evidence: Evidence
) -> None:
    with chromium() as browser:
        tab = Tab(browser, f"http://127.0.0.1:{server.port}", shots)
        set_up(tab, server)
        key, turned = first_call(tab, installation)
        moved = overview_moves(tab, server, key)
        assert turned <= TURN_SECONDS
        assert moved <= TURN_SECONDS
        evidence.note(seconds_until_the_page_turned=turned, seconds_until_the_overview_moved=moved)
        assert tab.problems == []

        flush(redis)
        assert more_requests_move_the_page(tab, server, key, 4) <= TURN_SECONDS
        tab.page.reload()
        assert_signed_in(tab, 4)
        assert tab.problems == []


@pytest.mark.long
def test_r29_an_open_page_survives_a_hanging_redis_and_the_death_of_every_worker(
    installation: Installation, server: ServerProcess, redis: RedisServer, shots: Path, evidence: Evidence
) -> None:
    with chromium() as browser:
        tab = Tab(browser, f"http://127.0.0.1:{server.port}", shots)
        set_up(tab, server)
        key, _ = first_call(tab, installation)
        overview_moves(tab, server, key)
        assert more_requests_move_the_page(tab, server, key, 4) <= TURN_SECONDS

        redis.signal(signal.SIGSTOP)
        assert more_requests_move_the_page(tab, server, key, 5) <= TURN_SECONDS
        tab.page.reload()
        assert_signed_in(tab, 5)
        redis.signal(signal.SIGCONT)

        for worker in workers_of(server):
            replace_worker(server, worker)
            assert_signed_in(tab, 5)
        came_back = more_requests_move_the_page(tab, server, key, 6)
        evidence.note(moved_after_both_workers_were_replaced_s=came_back)
        assert came_back <= 10
        assert_signed_in(tab, 6)
        assert [what for what in tab.problems if "WebSocket" not in what and "ERR_" not in what] == []


def flush(redis: RedisServer) -> None:
    import redis as client

    client.Redis.from_url(redis.url).flushall()


def more_requests_move_the_page(tab: Tab, server: ServerProcess, key: str, count: int) -> float:
    """Seconds until the open page shows one more request."""
    assert status_of(server, key, "/ai-service") == 200
    tile = requests_tile(tab.page)
    return wait_until(lambda: tile.inner_text() == str(count), seconds=15)


def assert_signed_in(tab: Tab, count: int) -> None:
    page = tab.page
    expect(requests_tile(page)).to_have_text(str(count))
    assert page.url.endswith("/"), page.url
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def workers_of(server: ServerProcess) -> list[int]:
    return [pid for pid in server.tree() if pid != server.pid]


def replace_worker(server: ServerProcess, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(workers_of(server)) == 2 and worker not in workers_of(server), seconds=15)
    wait_until(server.is_ready, seconds=15)
