"""What background work takes of the loop."""

import asyncio
from time import perf_counter

import pytest

from aiservice.kit.loop_share import LoopShare, in_turns


def hold(seconds: float) -> None:
    began = perf_counter()
    while perf_counter() - began < seconds:
        pass


async def test_work_that_holds_the_loop_rests_many_times_as_long() -> None:
    async def work(number: int) -> int:
        hold(0.004)
        await asyncio.sleep(0)
        hold(0.004)
        return number

    share, began = LoopShare(0.1), perf_counter()
    assert [await share.run(work(number)) for number in range(3)] == [0, 1, 2]
    assert perf_counter() - began >= 3 * 0.08


async def test_waiting_is_not_holding() -> None:
    share, began = LoopShare(0.1), perf_counter()
    for _ in range(3):
        await share.run(asyncio.sleep(0.05))
    assert perf_counter() - began < 0.45  # 1.5 s, were the waiting counted


async def test_what_fails_rests_too_and_raises() -> None:
    async def work() -> None:
        hold(0.004)
        raise KeyError("gone")

    share, began = LoopShare(0.1), perf_counter()
    with pytest.raises(KeyError, match="gone"):
        await share.run(work())
    assert perf_counter() - began >= 0.04


async def test_work_that_is_cancelled_is_told_so_at_once() -> None:
    seen: list[str] = []

    async def work() -> None:
        hold(0.01)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.create_task(LoopShare(0.001).run(work()))
    await asyncio.sleep(0.05)
    began = perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]
    assert perf_counter() - began < 0.5


async def test_what_the_work_waits_for_may_fail_and_be_caught_by_it() -> None:
    async def work() -> str:
        failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(failing.set_exception, OSError("no"))
        try:
            await failing
        except OSError as exc:
            return str(exc)
        return "nothing was raised"

    assert await LoopShare(0.5).run(work()) == "no"


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_is_a_part_of_one(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        LoopShare(share)


async def test_whatever_else_waits_has_its_turn_among_many_items() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    assert [item async for item in in_turns(range(1_000), 100)] == list(range(1_000))
    beside.cancel()
    assert turns >= 10
    assert [item async for item in in_turns(list[int]())] == []


async def test_spread_work_stands_still_between_its_steps_and_others_have_the_loop() -> None:
    async def work() -> float:
        for _ in range(20):
            hold(0.004)
            await asyncio.sleep(0)
        return perf_counter()

    share, began = LoopShare(0.1), perf_counter()
    ended = await share.run(work(), is_spread=True)
    assert ended - began >= 4 * 19 * 0.004  # a fifth of the time is its own while it goes on
    assert perf_counter() - began >= 10 * 20 * 0.004
    assert share.rested >= perf_counter() - began - 20 * 0.008


async def test_what_spread_work_waits_for_is_a_rest_too() -> None:
    async def work() -> None:
        for _ in range(10):
            hold(0.004)
            await asyncio.sleep(0.05)

    share, began = LoopShare(0.1), perf_counter()
    await share.run(work(), is_spread=True)
    assert perf_counter() - began < 10 * (0.004 + 0.05) * 1.5
    assert share.rested < 0.1


async def test_spread_work_that_is_cancelled_while_it_stands_still_is_told_so() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            hold(0.02)
            await asyncio.sleep(0)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.create_task(LoopShare(0.01).run(work(), is_spread=True))
    await asyncio.sleep(0.04)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_a_process_that_is_busy_leaves_less_to_share() -> None:
    async def work() -> None:
        hold(0.02)

    async def others() -> None:
        while True:
            hold(0.01)
            await asyncio.sleep(0)

    share, began = LoopShare(0.5), perf_counter()
    await share.run(work())
    idle = perf_counter() - began
    busy = asyncio.create_task(others())
    await asyncio.sleep(1.1)
    began = perf_counter()
    await share.run(work())
    busy.cancel()
    assert perf_counter() - began >= 2 * idle
    assert perf_counter() - began >= 0.02 / (0.5 * 0.4)  # a machine that others use, too, is never wholly ours
