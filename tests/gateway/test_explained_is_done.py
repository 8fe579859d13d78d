"""What `POST /ai-service/explain` says is what the call then does, for generated configurations and requests."""

from dataclasses import replace
from typing import Any

import pytest

from aiservice.services.routing import Decided, Router
from tests.gateway.conftest import Gateway
from tests.gateway.explaining import Generated
from tests.harness.evidence import Evidence


async def _run(gateway: Gateway, configurations: int, requests: int, seed: int) -> tuple[Generated, list[str]]:
    run, found = Generated(gateway, seed), list[str]()
    for _ in range(configurations):
        await run.configure()
        found += await run.disagreements(requests)
    return run, found


@pytest.mark.sqlite_only("routing reads memory")
async def test_what_is_explained_is_done(gateway: Gateway) -> None:
    run, found = await _run(gateway, 4, 25, seed=1)
    assert found == []
    assert run.answered >= 40


@pytest.mark.long
@pytest.mark.sqlite_only("routing reads memory")
async def test_ten_thousand_explanations_of_fifty_configurations_are_done(gateway: Gateway, evidence: Evidence) -> None:
    run, found = await _run(gateway, 50, 200, seed=2)
    share = run.in_range / max(1, run.ranged)
    evidence.note(
        explained=run.calls, answered=run.answered, disagreements=len(found), priced=run.ranged, in_cost_range=share
    )
    assert found == []
    assert (run.calls, share >= 0.95) == (10_000, True)


def _reversed(router: Router, *asked: Any, **more: Any) -> Decided:
    """A call that goes the other way round than what was explained."""
    decided = _DECIDE(router, *asked, **more)
    router.calls = getattr(router, "calls", 0) + 1  # type: ignore[attr-defined]
    is_call = router.calls % 2 == 0  # type: ignore[attr-defined]
    return replace(decided, candidates=decided.candidates[::-1]) if is_call else decided


def _turning(router: Router, *asked: Any, **more: Any) -> Decided:
    """An explanation that takes a turn, as if it were a call."""
    decided = _DECIDE(router, *asked, **more)
    router.went("cli", decided)
    return decided


_DECIDE = Router.decide


@pytest.mark.sqlite_only("routing reads memory")
@pytest.mark.parametrize("mutation", [_reversed, _turning])
async def test_a_router_that_explains_something_else_is_found_out(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, mutation: Any
) -> None:
    monkeypatch.setattr(Router, "decide", mutation)
    _, found = await _run(gateway, 3, 20, seed=3)
    assert found
