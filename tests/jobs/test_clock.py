"""The clock of the jobs: a failure is logged and the clock goes on."""

import asyncio
import logging

import pytest

from aiservice.jobs.clock import every


async def test_a_job_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    async def work() -> None:
        calls.append(len(calls))
        if len(calls) in {2, 3}:
            raise RuntimeError("no luck")

    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(every(0.001, work, "sweep"))
        while len(calls) < 6:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "The job sweep failed; it is tried again.",
        "The job sweep still fails.",
        "The job sweep works again.",
    ]


async def test_a_cancelled_clock_stops() -> None:
    async def work() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(every(1, work, "sleep"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
