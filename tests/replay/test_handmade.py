"""Answers that nobody recorded, through the same rig."""

import orjson
import pytest

from aiservice.principal import OPERATOR
from aiservice.services.request_log import LogFilter
from aiservice.settings import Settings
from tests.gateway.asgi import call
from tests.replay import wires
from tests.replay.rig import running_rig
from tests.replay.traffic import Recording

_TEXT = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'


@pytest.mark.parametrize("counts", [{"prompt_tokens": -5, "completion_tokens": 2}, {"prompt_tokens": 1e30}])
async def test_t73_a_streams_counts_that_cannot_be_are_counted_by_us_and_flagged(
    installed: Settings, counts: dict[str, float]
) -> None:
    usage = b"data: " + orjson.dumps({"choices": [], "usage": counts}) + b"\n\n"
    body = _TEXT + usage + b"data: [DONE]\n\n"
    headers = {"content-type": "text/event-stream"}
    made = Recording("vllm", "handmade", 0, wires.OPENAI_CHAT, "", None, 200, headers, body, True, ())
    async with running_rig(installed) as rig:
        rig.upstream.current = made
        name = await rig.connect(made)
        asked = {
            "model": f"{name}/m",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        reply = await call(rig.app, "POST", "/v1/chat/completions", key=rig.key, body=asked)
        await rig.core.ledger.flush()
        row = (await rig.core.requests.page(OPERATOR, LogFilter(), 1)).entries[0]
    assert (row.usage_source, row.is_usage_invalid, row.output_tokens) == ("counted", True, 1)
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert b"-5" not in reply.body
    assert b'"completion_tokens":1' in reply.body
