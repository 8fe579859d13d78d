"""What a request costs in Python calls: a figure that no neighbour on the machine moves, so that a hop which grows is
seen before a benchmark could tell it from noise."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

import aiservice
from tests.gateway.conftest import Gateway

_OURS = str(Path(aiservice.__file__).parent)
# With choice, its trace, health and the retry budget; 20 are this test's own way through the socket's client.
_MOST_CALLS = 200
_WARM_UP, _MANY = 5, 15


async def _calls_of_one(gateway: Gateway) -> Counter[str]:
    """The calls of our functions that one whole answer takes, by function."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_OURS):
            calls[f"{frame.f_code.co_filename[len(_OURS) + 1 :]}:{frame.f_code.co_name}"] += 1

    sys.setprofile(count)
    try:
        reply = await gateway.chat("hello")
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
