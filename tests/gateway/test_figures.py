"""The figures of several workers are one page."""

from typing import Any

import orjson
from prometheus_client import generate_latest
from prometheus_client.core import CollectorRegistry

from aiservice.gateway.figures import Figures
from aiservice.services.board import Board
from tests.gateway.conftest import Gateway


def figures_of(requests: int, status: int = 200) -> Figures:
    figures = Figures()
    figures._totals[("chat", "mock", "small", status)] = [requests, 10 * requests, 2 * requests, 1_000_000_000]
    figures._durations[0] = requests
    figures._duration_sum = 0.5
    figures._overheads[1] = requests
    figures._fallbacks = 1
    return figures


def test_what_workers_say_adds_up_over_json() -> None:
    page = Figures()
    for said in (figures_of(3), figures_of(4), figures_of(1, status=502)):
        page.heard(orjson.loads(orjson.dumps(said.said())))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(page)
    lines = generate_latest(registry).decode().splitlines()
    expected: dict[str, Any] = {
        'aiservice_requests_total{model="small",provider="mock",status="200",surface="chat"}': 7.0,
        'aiservice_requests_total{model="small",provider="mock",status="502",surface="chat"}': 1.0,
        'aiservice_tokens_total{model="small",provider="mock",type="input"}': 80.0,
        'aiservice_cost_usd_total{model="small",provider="mock"}': 3.0,
        "aiservice_request_duration_seconds_count": 8.0,
        "aiservice_request_duration_seconds_sum": 1.5,
        "aiservice_overhead_seconds_count": 8.0,
        "aiservice_fallbacks_total": 3.0,
    }
    assert {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}.items() >= (
        expected.items()
    )


async def test_a_worker_that_is_starting_does_not_spoil_the_page(gateway: Gateway) -> None:
    mine = gateway.core.board
    other = Board(mine._root, mine._folder.name, "wrk_starting")
    other.open()
    other._write()
    page = await gateway.get("/metrics", key=None)
    other.close()
    assert page.status == 200
    assert b"aiservice_workers 1.0" in page.body
