"""How a request's body comes in: whole, within its limit, and not at a snail's pace."""

import asyncio
import time

import pytest

from aiservice.errors import InvalidRequest, TooLarge
from aiservice.gateway import intake
from aiservice.gateway.exchange import Receive, Scope
from aiservice.gateway.intake import read_body


def pieces(size: int, count: int, pause_seconds: float) -> Receive:
    left = [b"x" * size] * count

    async def receive() -> Scope:
        await asyncio.sleep(pause_seconds)
        piece = left.pop()
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return receive


def scope(length: int) -> Scope:
    return {"headers": [(b"content-length", b"%d" % length)]}


async def test_t42_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_FIRST_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(InvalidRequest) as raised:
        await read_body(scope(10_000), pieces(1, 10_000, 0.01), 1 << 20)
    assert raised.value.code == "body_timeout"
    assert time.monotonic() - began < 1.0


async def test_a_large_body_may_take_as_long_as_it_keeps_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_FIRST_SECONDS", 0.1)
    body = await read_body(scope(64_000), pieces(6_400, 10, 0.03), 1 << 20)
    assert len(body) == 64_000


async def test_a_body_over_its_limit_is_refused_while_it_comes() -> None:
    with pytest.raises(TooLarge):
        await read_body({"headers": []}, pieces(1_000, 50, 0), 10_000)
