"""The headers of limits: written in one pass where no measure has two limits, and the same as the long way round."""

import time

import pytest

from aiservice.gateway.limit_headers import headers_of
from aiservice.principal import Limit
from aiservice.services.limit_plans import Plans
from aiservice.services.limiter import Limiter


@pytest.mark.parametrize("asked", range(3))
def test_limits_of_one_measure_each_are_written_as_any_others(asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = Limiter()
    plan = Plans().seen(
        (
            Limit("client", "cli_1", "requests/minute", "requests", 60, 3),
            Limit("client", "cli_1", "tokens/minute", "tokens", 60, 1_000),
            Limit("client", "cli_1", "concurrency", "concurrency", 0, 2),
        )
    )
    for number in range(asked):
        limiter.admit_here(plan, f"req_{number}", "chat", 100, 150)
    now = time.monotonic_ns()
    monkeypatch.setattr(time, "monotonic_ns", lambda: now)
    quick = headers_of(limiter, plan)
    assert plan.wording is not None
    assert plan.wording.at_once is not None
    plan.wording = plan.wording._replace(at_once=None)
    assert sorted(quick) == sorted(headers_of(limiter, plan))
