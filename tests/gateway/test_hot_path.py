"""What a request costs in Python calls: a figure that no neighbour on the machine moves, so that a hop which grows is
seen before a benchmark could tell it from noise."""

import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

import aiservice
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway

Ask = Callable[[], Awaitable[Reply]]
_OURS = str(Path(aiservice.__file__).parent)
# With choice, its trace, health and the retry budget; 20 are this test's own way through the socket's client.
_MOST_CALLS = 200
_WARM_UP, _MANY = 5, 15
_CACHE = (
    "gateway/cached.py",
    "gateway/flights.py",
    "gateway/answer_form.py",
    "services/answer_cache.py",
    "services/cache",
)
_KEPT = {"x-aiservice-cache-ttl": "300"}


async def _calls_of_one(gateway: Gateway, ask: Ask | None = None) -> Counter[str]:
    """The calls of our functions that one whole answer takes, by function."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_OURS):
            calls[f"{frame.f_code.co_filename[len(_OURS) + 1 :]}:{frame.f_code.co_name}"] += 1

    sys.setprofile(count)
    try:
        reply = await (ask() if ask is not None else gateway.chat("hello"))
    finally:
        sys.setprofile(None)
    assert reply.status == 200
    return calls


@pytest.mark.sqlite_only("what is counted is the gateway's own")
async def test_a_whole_answer_takes_no_more_calls_than_it_did(gateway: Gateway) -> None:
    for _ in range(_WARM_UP):
        await gateway.chat("hello")
    cheapest = min([await _calls_of_one(gateway) for _ in range(_MANY)], key=lambda each: each.total())
    assert cheapest.total() <= _MOST_CALLS, cheapest.most_common(40)


def _of_the_cache(calls: Counter[str]) -> int:
    return sum(count for name, count in calls.items() if name.startswith(_CACHE))


@pytest.mark.sqlite_only("what is counted is the gateway's own")
async def test_the_cache_costs_nothing_where_nobody_asks_for_it_and_a_hit_less_than_a_call(gateway: Gateway) -> None:
    for _ in range(_WARM_UP):
        await gateway.chat("hello")
    plain = min([await _calls_of_one(gateway) for _ in range(_MANY)], key=lambda each: each.total())
    assert _of_the_cache(plain) <= 3, {name: count for name, count in plain.items() if name.startswith(_CACHE)}
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    ask = partial(gateway.post, "/v1/chat/completions", body, headers=_KEPT)
    await ask()
    hit = min([await _calls_of_one(gateway, ask) for _ in range(_MANY)], key=lambda each: each.total())
    # Of its CPU a hit saves more than of its calls: no socket to a provider (tests/process/test_cache.py).
    assert hit.total() <= 0.75 * plain.total(), hit.most_common(40)
