"""R-06 and R-07 through the whole gateway: a provider that hangs, falls silent or drips ends in a timeout that is told,
in a row that bills nothing that was not given, and is left alone when it does it again and again."""

import asyncio

import pytest

from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway

# What the provider does, whether a stream is asked for, and what the client and the ledger are told.
_ENDINGS = [
    ("(hang)", False, 504, "upstream_first_byte_timeout", 0),
    ("(hang)", True, 504, "upstream_first_byte_timeout", 0),
    ("(hang-after-3)", True, 200, "upstream_idle_timeout", 3),
    ("(heartbeats)", True, 200, "upstream_no_progress", 2),
    ("(drip)", False, 504, "upstream_first_byte_timeout", 0),
]
_TRICKLE = ("(words-90)(wait-400)", True, 200, "upstream_total_timeout", 10)


@pytest.mark.parametrize("surface", ["/v1/chat/completions", "/v1/messages", "/ai-service"])
async def test_r06_r07_a_provider_that_does_not_go_on_ends_in_a_timeout_that_is_told(
    gateway: Gateway, surface: str
) -> None:
    endings = [*_ENDINGS, _TRICKLE] if surface == "/ai-service" else _ENDINGS
    replies = await asyncio.gather(*(_ask(gateway, surface, text, is_stream) for text, is_stream, *_ in endings))
    rows = {row.request_id: row for row in await gateway.rows()}
    for reply, (text, _is_stream, status, code, words) in zip(replies, endings, strict=True):
        assert (reply.status, reply.is_complete) == (status, True), text
        assert not any(mark in reply.body for mark in (b"[DONE]", b"message_stop", b"event: done")), text
        assert b"error" in reply.body
        row = rows.pop(reply.headers["x-request-id"])
        assert (row.status, row.error_code) == (status, code), text
        assert row.outcome == ("upstream_truncated" if words else "failed")
        assert row.output_tokens >= words
        assert words or (row.input_tokens, row.output_tokens, row.cost_nano_usd) == (0, 0, 0)
    assert not rows


async def test_r06_a_provider_that_hangs_five_times_is_left_alone(gateway: Gateway) -> None:
    hung = await asyncio.gather(*(gateway.chat("(hang)") for _ in range(5)))
    assert {reply.code for reply in hung} == {"upstream_first_byte_timeout"}
    assert list(gateway.core.health.open_connections().values()) == ["upstream_first_byte_timeout"]
    assert (await gateway.chat("(words-2)")).status == 200, "there is no other: it is asked all the same"
    assert gateway.core.health.open_connections() == {}


async def _ask(gateway: Gateway, surface: str, text: str, is_stream: bool) -> Reply:
    messages = [{"role": "user", "content": text}]
    if surface == "/ai-service":
        return await gateway.post(surface, {"task": "chat", "input": messages, "stream": is_stream})
    return await gateway.post(
        surface, {"model": "gpt-mock", "messages": messages, "max_tokens": 50, "stream": is_stream}
    )
