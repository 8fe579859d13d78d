"""R-21: a loop that is held up is measured, and what held it up is written down once."""

import asyncio
import logging
import time

import pytest

from aiservice.kit.loop_watch import LoopWatch


async def test_r21_a_blocked_loop_is_seen_from_outside_and_its_stack_written_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[float] = []
    watch = LoopWatch(also=lambda: seen.append(watch.stalled_seconds))
    watch.start()
    await asyncio.sleep(0.3)
    with caplog.at_level(logging.ERROR):
        hold_everybody_up(1.6)
        await asyncio.sleep(0.3)
    watch.stop()
    (dump,) = [record.getMessage() for record in caplog.records]
    assert "hold_everybody_up" in dump
    assert max(seen) > 0.4
    assert 1.4 < watch.longest_seconds < 5
    assert watch.p99_seconds > 1.0


async def test_a_loop_with_little_to_do_runs_on_time() -> None:
    slowest = []
    for _ in range(5):  # a machine that is busy with other things makes some of them late
        watch = LoopWatch()
        watch.start()
        await asyncio.sleep(0.5)
        watch.stop()
        slowest.append(max(watch.stalled_seconds, watch.p99_seconds))
        if 0 <= slowest[-1] < 0.2:
            return
    pytest.fail(f"it was late by {slowest} s")


def hold_everybody_up(seconds: float) -> None:
    time.sleep(seconds)
