"""R-21: whatever is asked at once, no piece of our own work holds the event loop up for long."""

import asyncio
import statistics

from tests.gateway.conftest import Gateway
from tests.gateway.watched_loop import watched_loop
from tests.harness.evidence import Evidence

_AT_ONCE = 8
_EACH = 60
_LAG_P99_SECONDS, _LAG_MAX_SECONDS = 0.020, 0.100


async def test_r21_no_work_of_ours_holds_the_loop_up(gateway: Gateway, evidence: Evidence) -> None:
    """The provider and the clients are on this loop too: what is measured is more than the product's own work."""
    long_prompt = "a long prompt " * 4000

    async def client(number: int) -> None:
        for turn in range(_EACH):
            text = f"(words-20) (wait-2) {long_prompt if turn % 5 == 0 else ''}"
            reply = await gateway.chat(text, stream=(number + turn) % 2 == 0)
            assert reply.status == 200, reply.body
            if turn % 10 == 0:
                assert (await gateway.get("/v1/models")).status == 200

    await client(0)
    async with watched_loop() as lags:
        await asyncio.gather(*(client(number) for number in range(_AT_ONCE)))
    p99 = statistics.quantiles(lags, n=100)[98]
    evidence.note(requests=_AT_ONCE * _EACH, looks=len(lags), lag_p99_ms=p99 * 1000, lag_max_ms=max(lags) * 1000)
    assert p99 < _LAG_P99_SECONDS
    assert max(lags) < _LAG_MAX_SECONDS
